/* HMAC steps with the compiler's own vectors of 128 bits, which every x86-64 and AArch64 has: 4 lanes of SHA-1 and
 * SHA-256, 2 of SHA-512. A batch that does not fill its last vector costs as if it did. */
#ifndef OTPRING_KERNEL_SIMD128_H
#define OTPRING_KERNEL_SIMD128_H

#include "kernel/messages.h"

enum { SIMD128_LANES = 4, SIMD128_LONG_LANES = 2 };

kernel_run_function simd128_sha1;
kernel_run_function simd128_sha256;
kernel_run_function simd128_sha512;
kernel_messages_function simd128_sha256_many;

#endif
