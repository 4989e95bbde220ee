/* What the kernel tests share: seeded random bytes and OpenSSL's HMAC as the oracle. One thread. */
#ifndef OTPRING_TESTS_KERNEL_HELPERS_H
#define OTPRING_TESTS_KERNEL_HELPERS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

uint64_t random_next(uint64_t *state);
void random_bytes(uint64_t *state, uint8_t *ret_bytes, size_t size);

/* RFC 4226 5.3 over OpenSSL's HMAC of the big-endian counter. */
uint32_t oracle_truncated(enum kernel_algorithm algorithm, const uint8_t *seed, size_t seed_size, uint64_t counter);

/* OTPRING_TEST_CASES, else 100,000. */
size_t test_cases(void);

#endif
