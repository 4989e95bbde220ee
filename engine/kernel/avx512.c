/* HMAC steps with AVX-512, 16 lanes of SHA-1 and SHA-256, 8 of SHA-512. */
#include "kernel/avx512.h"

#include "kernel/vector512.h"

#include "kernel/pipeline.h"

/* Thirty-two registers: every algorithm gains from two hashes in flight, or does not lose. */
KERNEL_RUN(RUN_OVERLAPPED, avx512_sha1, SHA1_SHAPE)
KERNEL_RUN(RUN_OVERLAPPED, avx512_sha256, SHA256_SHAPE)
KERNEL_RUN(RUN_OVERLAPPED, avx512_sha512, SHA512_SHAPE)

void avx512_sha256_many(const struct kernel_messages *messages)
{
    sha256_many(messages);
}

void avx512_fits32(const uint32_t *truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    struct group group = {.codes = codes, .digits = digits, .ret_fits = ret_fits};
    vector lanes;
    memcpy(&lanes, truncated, sizeof lanes);
    give32(&group, lanes);
}

void avx512_fits64(const uint32_t *truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    struct group group = {.codes = codes, .digits = digits, .ret_fits = ret_fits};
    uint64_t wide[LANES64];
    vector lanes;
    for (int i = 0; i < LANES64; i++) wide[i] = truncated[i];
    memcpy(&lanes, wide, sizeof lanes);
    give64(&group, lanes);
}
