/* Eight words of 32 bits or four of 64: what the generated rounds and pipeline.h are written in, in AVX2. Macros where
 * the instruction wants a constant. Inline only. */
#ifndef OTPRING_KERNEL_VECTOR256_H
#define OTPRING_KERNEL_VECTOR256_H

#include <immintrin.h>

#include "kernel/lanes.h"

typedef __m256i vector;

enum { LANES32 = 8, LANES64 = 4 };

#define constant32(value) _mm256_set1_epi32((int)(value))
#define constant64(value) _mm256_set1_epi64x((long long)(value))
#define add32(x, y) _mm256_add_epi32(x, y)
#define add64(x, y) _mm256_add_epi64(x, y)
#define subtract32(x, y) _mm256_sub_epi32(x, y)
#define subtract64(x, y) _mm256_sub_epi64(x, y)
#define and2(x, y) _mm256_and_si256(x, y)
#define or2(x, y) _mm256_or_si256(x, y)
#define xor2(x, y) _mm256_xor_si256(x, y)
#define shr32(x, by) _mm256_srli_epi32(x, by)
#define shr64(x, by) _mm256_srli_epi64(x, by)
#define shl32(x, by) _mm256_slli_epi32(x, by)
#define shl64(x, by) _mm256_slli_epi64(x, by)
#define shl32_each(x, by) _mm256_sllv_epi32(x, by)
#define shr32_each(x, by) _mm256_srlv_epi32(x, by)
#define shl64_each(x, by) _mm256_sllv_epi64(x, by)
#define shr64_each(x, by) _mm256_srlv_epi64(x, by)
#define unpack_low32(x, y) _mm256_unpacklo_epi32(x, y)
#define unpack_high32(x, y) _mm256_unpackhi_epi32(x, y)
#define unpack_low64(x, y) _mm256_unpacklo_epi64(x, y)
#define unpack_high64(x, y) _mm256_unpackhi_epi64(x, y)
#define rotl32(x, by) or2(shl32(x, by), shr32(x, 32 - (by)))
#define rotr32(x, by) or2(shr32(x, by), shl32(x, 32 - (by)))
#define rotr64(x, by) ((by) == 8 ? rotate_bytes64(x) : or2(shr64(x, by), shl64(x, 64 - (by))))

/* Per lane: `set` where that bit of `bits` is set, else `clear`. The blend looks at the highest bit. */
#define select32(bits, bit, clear, set)                                                                                \
    _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(clear), _mm256_castsi256_ps(set),                         \
                                         _mm256_castsi256_ps(shl32(bits, 31 - (bit)))))
#define select64(bits, bit, clear, set)                                                                                \
    _mm256_castpd_si256(_mm256_blendv_pd(_mm256_castsi256_pd(clear), _mm256_castsi256_pd(set),                         \
                                         _mm256_castsi256_pd(shl64(bits, 63 - (bit)))))

/* A rotation by whole bytes is one shuffle. */
KERNEL_INLINE vector rotate_bytes64(vector x)
{
    const __m128i order = _mm_set_epi8(8, 15, 14, 13, 12, 11, 10, 9, 0, 7, 6, 5, 4, 3, 2, 1);
    return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(order));
}

KERNEL_INLINE vector xor3(vector x, vector y, vector z)
{
    return xor2(xor2(x, y), z);
}

KERNEL_INLINE vector choose(vector x, vector y, vector z)
{
    return xor2(z, and2(x, xor2(y, z)));
}

/* Where y and z agree that is the majority, else x decides. Written so that x ^ y of one round is y ^ z of the next,
 * and is computed once. */
KERNEL_INLINE vector majority(vector x, vector y, vector z)
{
    return xor2(y, and2(xor2(x, y), xor2(y, z)));
}

KERNEL_INLINE __m128i load_16_bytes(const void *line, size_t offset)
{
    return _mm_loadu_si128((const __m128i *)(const void *)((const uint8_t *)line + offset));
}

/* 16 bytes of each of two lines, `stride` apart in the list. */
KERNEL_INLINE vector load_lines(const void *const *lines, size_t stride, size_t offset)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load_16_bytes(lines[0], offset)),
                                   load_16_bytes(lines[stride], offset), 1);
}

/* Big-endian bytes to words. */
KERNEL_INLINE vector swap_bytes32(vector x)
{
    const __m128i order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    return _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(order));
}

KERNEL_INLINE void load_counters32(const uint64_t *counters, vector ret_words[2])
{
    __m256 low = _mm256_loadu_ps((const float *)(const void *)counters);
    __m256 high = _mm256_loadu_ps((const float *)(const void *)(counters + 4));
    /* Counters 0, 1, 4, 5 of each half in one 128-bit lane: put back in order by quarters. */
    ret_words[0] = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd)), 0xd8);
    ret_words[1] = _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88)), 0xd8);
}

KERNEL_INLINE void load_counters64(const uint64_t *counters, vector ret_words[1])
{
    ret_words[0] = _mm256_loadu_si256((const __m256i *)(const void *)counters);
}

/* As code_fits, in eight lanes; the result as eight bytes. */
KERNEL_INLINE __m128i fits(vector truncated, vector code, vector digit)
{
    vector inverse = _mm256_loadu_si256((const __m256i *)(const void *)fit_inverse);
    vector limit = _mm256_loadu_si256((const __m256i *)(const void *)fit_limit);
    /* Only the low three bits of an index count. */
    vector product = _mm256_mullo_epi32(_mm256_sub_epi32(truncated, code), _mm256_permutevar8x32_epi32(inverse, digit));
    vector quotient =
        or2(_mm256_srlv_epi32(product, digit), _mm256_sllv_epi32(product, subtract32(constant32(32), digit)));
    limit = _mm256_permutevar8x32_epi32(limit, digit);
    vector mask = _mm256_cmpeq_epi32(_mm256_min_epu32(quotient, limit), quotient);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(mask), _mm256_extracti128_si256(mask, 1));
    return _mm_and_si128(_mm_packs_epi16(words, words), _mm_set1_epi8(1));
}

KERNEL_INLINE void give_fits32(vector truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    vector digit = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)digits));
    vector code = _mm256_loadu_si256((const __m256i *)(const void *)codes);
    _mm_storel_epi64((__m128i *)(void *)ret_fits, fits(truncated, code, digit));
}

/* Four lanes; those above are computed and left. */
KERNEL_INLINE void give_fits64(__m128i truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    int four;
    memcpy(&four, digits, sizeof four);
    vector digit = _mm256_cvtepu8_epi32(_mm_cvtsi32_si128(four));
    vector code = _mm256_castsi128_si256(load_16_bytes(codes, 0));
    four = _mm_cvtsi128_si32(fits(_mm256_castsi128_si256(truncated), code, digit));
    memcpy(ret_fits, &four, sizeof four);
}

KERNEL_INLINE void give32(const struct group *group, vector truncated)
{
    if (group->ret_truncated)
        _mm256_storeu_si256((__m256i *)(void *)group->ret_truncated, truncated);
    else
        give_fits32(truncated, group->codes, group->digits, group->ret_fits);
}

KERNEL_INLINE void give64(const struct group *group, vector truncated)
{
    const vector even = _mm256_set_epi32(6, 4, 2, 0, 6, 4, 2, 0);
    __m128i narrow = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(truncated, even));
    if (group->ret_truncated)
        _mm_storeu_si128((__m128i *)(void *)group->ret_truncated, narrow);
    else
        give_fits64(narrow, group->codes, group->digits, group->ret_fits);
}

#endif
