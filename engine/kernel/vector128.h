/* Four words of 32 bits or two of 64: what the generated rounds and pipeline.h are written in, in the compiler's own
 * vectors, which are SSE2 on x86-64 and NEON on AArch64. Inline only. */
#ifndef OTPRING_KERNEL_VECTOR128_H
#define OTPRING_KERNEL_VECTOR128_H

#ifdef __ARM_NEON
#include <arm_neon.h>
#endif

#include "kernel/lanes.h"

typedef uint32_t vector __attribute__((vector_size(16)));
typedef uint64_t vector64 __attribute__((vector_size(16)));
typedef int32_t vector_signed __attribute__((vector_size(16)));
typedef int64_t vector64_signed __attribute__((vector_size(16)));
typedef uint8_t vector_bytes __attribute__((vector_size(16)));

enum { LANES32 = 4, LANES64 = 2 };

#define as64(x) ((vector64)(x))

#define constant32(value) ((vector){(uint32_t)(value), (uint32_t)(value), (uint32_t)(value), (uint32_t)(value)})
#define constant64(value) ((vector)(vector64){(uint64_t)(value), (uint64_t)(value)})
#define add32(x, y) ((x) + (y))
#define add64(x, y) ((vector)(as64(x) + as64(y)))
#define subtract32(x, y) ((x) - (y))
#define subtract64(x, y) ((vector)(as64(x) - as64(y)))
#define and2(x, y) ((x) & (y))
#define or2(x, y) ((x) | (y))
#define xor2(x, y) ((x) ^ (y))
#define shr32(x, by) ((x) >> (by))
#define shr64(x, by) ((vector)(as64(x) >> (by)))
#define shl32(x, by) ((x) << (by))
#define shl64(x, by) ((vector)(as64(x) << (by)))
/* NEON shifts a part into another vector's place: two instructions a rotation where others take three. */
#ifdef __ARM_NEON
#define rotl32(x, by) ((vector)vsriq_n_u32(vshlq_n_u32((uint32x4_t)(x), by), (uint32x4_t)(x), 32 - (by)))
#define rotr64(x, by) ((vector)vsriq_n_u64(vshlq_n_u64((uint64x2_t)(x), 64 - (by)), (uint64x2_t)(x), by))
#else
#define rotl32(x, by) or2(shl32(x, by), shr32(x, 32 - (by)))
#define rotr64(x, by) or2(shr64(x, by), shl64(x, 64 - (by)))
#endif
#define rotr32(x, by) rotl32(x, 32 - (by))
#define unpack_low32(x, y) __builtin_shufflevector(x, y, 0, 4, 1, 5)
#define unpack_high32(x, y) __builtin_shufflevector(x, y, 2, 6, 3, 7)
#define unpack_low64(x, y) ((vector)__builtin_shufflevector(as64(x), as64(y), 0, 2))
#define unpack_high64(x, y) ((vector)__builtin_shufflevector(as64(x), as64(y), 1, 3))

/* By so many bits in each lane, from none to all of them: in two halves, since C knows no shift by all. */
KERNEL_INLINE vector shl32_each(vector x, vector by)
{
    vector half = by >> 1;
    return x << half << (by - half);
}

KERNEL_INLINE vector shr32_each(vector x, vector by)
{
    vector half = by >> 1;
    return x >> half >> (by - half);
}

KERNEL_INLINE vector shl64_each(vector x, vector by)
{
    vector64 half = as64(by) >> 1;
    return (vector)(as64(x) << half << (as64(by) - half));
}

KERNEL_INLINE vector shr64_each(vector x, vector by)
{
    vector64 half = as64(by) >> 1;
    return (vector)(as64(x) >> half >> (as64(by) - half));
}

/* Per lane: `set` where that bit of `bits` is set, else `clear`. */
KERNEL_INLINE vector select32(vector bits, unsigned bit, vector clear, vector set)
{
    vector mask = (vector)((vector_signed)(bits << (31 - bit)) >> 31);
    return clear ^ ((clear ^ set) & mask);
}

KERNEL_INLINE vector select64(vector bits, unsigned bit, vector clear, vector set)
{
    vector64 mask = 0 - (as64(bits) >> bit & 1);
    return clear ^ ((clear ^ set) & (vector)mask);
}

KERNEL_INLINE vector xor3(vector x, vector y, vector z)
{
    return x ^ y ^ z;
}

KERNEL_INLINE vector choose(vector x, vector y, vector z)
{
    return z ^ (x & (y ^ z));
}

KERNEL_INLINE vector majority(vector x, vector y, vector z)
{
    return y ^ ((x ^ y) & (y ^ z));
}

/* 16 bytes of one line; of the others of a wider vector there are none. */
KERNEL_INLINE vector load_lines(const void *const *lines, size_t stride, size_t offset)
{
    vector words;
    (void)stride;
    memcpy(&words, (const uint8_t *)lines[0] + offset, sizeof words);
    return words;
}

/* Big-endian bytes to words. */
KERNEL_INLINE vector swap_bytes32(vector x)
{
    vector_bytes bytes = (vector_bytes)x;
    return (vector)__builtin_shufflevector(bytes, bytes, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

KERNEL_INLINE void load_counters32(const uint64_t *counters, vector ret_words[2])
{
    for (int i = 0; i < LANES32; i++) {
        ret_words[0][i] = (uint32_t)(counters[i] >> 32);
        ret_words[1][i] = (uint32_t)counters[i];
    }
}

KERNEL_INLINE void load_counters64(const uint64_t *counters, vector ret_words[1])
{
    memcpy(ret_words, counters, sizeof *ret_words);
}

KERNEL_INLINE void give_lane(const struct group *group, int lane, uint32_t truncated)
{
    if (group->ret_truncated)
        group->ret_truncated[lane] = truncated;
    else
        group->ret_fits[lane] = code_fits(truncated, group->codes[lane], group->digits[lane]);
}

KERNEL_INLINE void give32(const struct group *group, vector truncated)
{
    for (int i = 0; i < LANES32; i++) give_lane(group, i, truncated[i]);
}

KERNEL_INLINE void give64(const struct group *group, vector truncated)
{
    for (int i = 0; i < LANES64; i++) give_lane(group, i, (uint32_t)as64(truncated)[i]);
}

#endif
