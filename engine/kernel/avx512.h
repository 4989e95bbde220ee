/* HMAC steps with AVX-512, 16 lanes of SHA-1 and SHA-256, 8 of SHA-512. A batch that does not fill
 * its last vector costs as if it did. Needs the CPU and the system's saving of its registers: the dispatcher asks. */
#ifndef OTPRING_KERNEL_AVX512_H
#define OTPRING_KERNEL_AVX512_H

#include "kernel/messages.h"

enum { AVX512_LANES = 16, AVX512_LONG_LANES = 8 };

kernel_run_function avx512_sha1;
kernel_run_function avx512_sha256;
kernel_run_function avx512_sha512;
kernel_messages_function avx512_sha256_many;

/* The comparison alone, on a vector's lanes of 32 and of 64 bits: for tests, since no one can choose what HMAC gives.
 */
void avx512_fits32(const uint32_t *truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits);
void avx512_fits64(const uint32_t *truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits);

#endif
