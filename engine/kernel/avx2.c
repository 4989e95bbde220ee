/* HMAC steps with AVX2, 8 lanes of SHA-1 and SHA-256, 4 of SHA-512. */
#include "kernel/avx2.h"

#include "kernel/vector256.h"

#include "kernel/pipeline.h"

/* Sixteen registers hold two SHA-1 hashes with little spilling, but not two of SHA-2. */
KERNEL_RUN(RUN_OVERLAPPED, avx2_sha1, SHA1_SHAPE)
KERNEL_RUN(RUN_IN_TURN, avx2_sha256, SHA256_SHAPE)
KERNEL_RUN(RUN_IN_TURN, avx2_sha512, SHA512_SHAPE)

void avx2_sha256_many(const struct kernel_messages *messages)
{
    sha256_many(messages);
}

void avx2_fits32(const uint32_t *truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    struct group group = {.codes = codes, .digits = digits, .ret_fits = ret_fits};
    vector lanes;
    memcpy(&lanes, truncated, sizeof lanes);
    give32(&group, lanes);
}

void avx2_fits64(const uint32_t *truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    struct group group = {.codes = codes, .digits = digits, .ret_fits = ret_fits};
    uint64_t wide[LANES64];
    vector lanes;
    for (int i = 0; i < LANES64; i++) wide[i] = truncated[i];
    memcpy(&lanes, wide, sizeof lanes);
    give64(&group, lanes);
}
