/* HMAC steps with vectors of 128 bits, in the compiler's own terms. */
#include "kernel/simd128.h"

#include "kernel/vector128.h"

#include "kernel/pipeline.h"

KERNEL_RUN(RUN_OVERLAPPED, simd128_sha1, SHA1_SHAPE)
KERNEL_RUN(RUN_IN_TURN, simd128_sha256, SHA256_SHAPE)
KERNEL_RUN(RUN_IN_TURN, simd128_sha512, SHA512_SHAPE)

void simd128_sha256_many(const struct kernel_messages *messages)
{
    sha256_many(messages);
}
