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

/* OTPRING_KERNEL_CASES, else 200,000. */
size_t kernel_cases(void);

enum { BATCH_MAX = 64, SEED_MAX = 160 };

/* A batch and what should come of it. */
struct batch {
    _Alignas(8) uint8_t midstates[BATCH_MAX][KERNEL_SHA512_MIDSTATES];
    const void *pointers[BATCH_MAX];
    uint64_t counters[BATCH_MAX];
    uint32_t expected[BATCH_MAX];
    uint32_t truncated[BATCH_MAX + 1];
};

/* Random seeds and counters; `expected` by OpenSSL. */
void batch_fill(struct batch *batch, enum kernel_algorithm algorithm, uint64_t *random, size_t count);
/* Random midstates and counters; `expected` is left alone. */
void batch_fill_midstates(struct batch *batch, enum kernel_algorithm algorithm, uint64_t *random, size_t count);

#endif
