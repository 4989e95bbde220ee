/* Sixteen words of 32 bits or eight of 64: what the generated rounds and pipeline.h are written in, in AVX-512 (F, BW,
 * VL, DQ). Macros where the instruction wants a constant. Inline only. */
#ifndef OTPRING_KERNEL_VECTOR512_H
#define OTPRING_KERNEL_VECTOR512_H

#include <immintrin.h>

#include "kernel/lanes.h"

typedef __m512i vector;

enum { LANES32 = 16, LANES64 = 8 };

#define constant32(value) _mm512_set1_epi32((int)(value))
#define constant64(value) _mm512_set1_epi64((long long)(value))
#define add32(x, y) _mm512_add_epi32(x, y)
#define add64(x, y) _mm512_add_epi64(x, y)
#define subtract32(x, y) _mm512_sub_epi32(x, y)
#define subtract64(x, y) _mm512_sub_epi64(x, y)
#define and2(x, y) _mm512_and_si512(x, y)
#define or2(x, y) _mm512_or_si512(x, y)
#define xor2(x, y) _mm512_xor_si512(x, y)
#define rotl32(x, by) _mm512_rol_epi32(x, by)
#define rotr32(x, by) _mm512_ror_epi32(x, by)
#define rotr64(x, by) _mm512_ror_epi64(x, by)
#define shr32(x, by) _mm512_srli_epi32(x, by)
#define shr64(x, by) _mm512_srli_epi64(x, by)
#define shl32(x, by) _mm512_slli_epi32(x, by)
#define shl64(x, by) _mm512_slli_epi64(x, by)
#define shl32_each(x, by) _mm512_sllv_epi32(x, by)
#define shr32_each(x, by) _mm512_srlv_epi32(x, by)
#define shl64_each(x, by) _mm512_sllv_epi64(x, by)
#define shr64_each(x, by) _mm512_srlv_epi64(x, by)
#define unpack_low32(x, y) _mm512_unpacklo_epi32(x, y)
#define unpack_high32(x, y) _mm512_unpackhi_epi32(x, y)
#define unpack_low64(x, y) _mm512_unpacklo_epi64(x, y)
#define unpack_high64(x, y) _mm512_unpackhi_epi64(x, y)

/* Truth tables of three inputs: one instruction each. */
#define xor3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define choose(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define majority(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xe8)

/* Per lane: `set` where that bit of `bits` is set, else `clear`. */
#define select32(bits, bit, clear, set)                                                                                \
    _mm512_mask_blend_epi32(_mm512_test_epi32_mask(bits, constant32(1 << (bit))), clear, set)
#define select64(bits, bit, clear, set)                                                                                \
    _mm512_mask_blend_epi64(_mm512_test_epi64_mask(bits, constant64(1 << (bit))), clear, set)

KERNEL_INLINE __m128i load_16_bytes(const void *line, size_t offset)
{
    return _mm_loadu_si128((const __m128i *)(const void *)((const uint8_t *)line + offset));
}

/* 16 bytes of each of four lines, `stride` apart in the list. */
KERNEL_INLINE vector load_lines(const void *const *lines, size_t stride, size_t offset)
{
    vector all = _mm512_castsi128_si512(load_16_bytes(lines[0], offset));
    all = _mm512_inserti32x4(all, load_16_bytes(lines[stride], offset), 1);
    all = _mm512_inserti32x4(all, load_16_bytes(lines[2 * stride], offset), 2);
    return _mm512_inserti32x4(all, load_16_bytes(lines[3 * stride], offset), 3);
}

/* Big-endian bytes to words. */
KERNEL_INLINE vector swap_bytes32(vector x)
{
    const __m128i order = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(order));
}

KERNEL_INLINE void load_counters32(const uint64_t *counters, vector ret_words[2])
{
    const vector even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    vector low = _mm512_loadu_si512(counters), high = _mm512_loadu_si512(counters + 8);
    ret_words[0] = _mm512_permutex2var_epi32(low, _mm512_or_si512(even, constant32(1)), high);
    ret_words[1] = _mm512_permutex2var_epi32(low, even, high);
}

KERNEL_INLINE void load_counters64(const uint64_t *counters, vector ret_words[1])
{
    ret_words[0] = _mm512_loadu_si512(counters);
}

/* As code_fits, in 16 lanes. */
KERNEL_INLINE void give_fits32(vector truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    vector digit = _mm512_cvtepu8_epi32(load_16_bytes(digits, 0));
    vector table = _mm512_and_si512(digit, constant32(7));
    vector inverse = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)fit_inverse));
    vector limit = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)fit_limit));
    vector product = _mm512_mullo_epi32(_mm512_sub_epi32(truncated, _mm512_loadu_si512(codes)),
                                        _mm512_permutexvar_epi32(table, inverse));
    __mmask16 fits = _mm512_cmple_epu32_mask(_mm512_rorv_epi32(product, digit), _mm512_permutexvar_epi32(table, limit));
    _mm_storeu_si128((__m128i *)(void *)ret_fits, _mm_maskz_set1_epi8(fits, 1));
}

/* As code_fits, in eight lanes. */
KERNEL_INLINE void give_fits64(__m256i truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    __m256i digit = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)digits));
    __m256i inverse = _mm256_loadu_si256((const __m256i *)(const void *)fit_inverse);
    __m256i limit = _mm256_loadu_si256((const __m256i *)(const void *)fit_limit);
    __m256i code = _mm256_loadu_si256((const __m256i *)(const void *)codes);
    /* Only the low three bits of an index count. */
    __m256i product =
        _mm256_mullo_epi32(_mm256_sub_epi32(truncated, code), _mm256_permutevar8x32_epi32(inverse, digit));
    __mmask8 fits =
        _mm256_cmple_epu32_mask(_mm256_rorv_epi32(product, digit), _mm256_permutevar8x32_epi32(limit, digit));
    _mm_storel_epi64((__m128i *)(void *)ret_fits, _mm_maskz_set1_epi8(fits, 1));
}

KERNEL_INLINE void give32(const struct group *group, vector truncated)
{
    if (group->ret_truncated)
        _mm512_storeu_si512(group->ret_truncated, truncated);
    else
        give_fits32(truncated, group->codes, group->digits, group->ret_fits);
}

KERNEL_INLINE void give64(const struct group *group, vector truncated)
{
    __m256i narrow = _mm512_cvtepi64_epi32(truncated);
    if (group->ret_truncated)
        _mm256_storeu_si256((__m256i *)(void *)group->ret_truncated, narrow);
    else
        give_fits64(narrow, group->codes, group->digits, group->ret_fits);
}

#endif
