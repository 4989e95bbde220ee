/* The two one-block messages of an HMAC over an 8-byte counter, RFC 4226's truncation, and the comparison with a code.
 * Inline only. */
#ifndef OTPRING_KERNEL_HMAC_H
#define OTPRING_KERNEL_HMAC_H

#include <stdbool.h>

#include "base/bytes.h"
#include "kernel/kernel.h"

#define KERNEL_INLINE static inline __attribute__((always_inline))

/* Message lengths in bits: a key block, then the counter (inner) or the inner digest (outer). */
enum {
    SHA1_INNER_BITS = (64 + 8) * 8,
    SHA1_OUTER_BITS = (64 + 20) * 8,
    SHA256_INNER_BITS = (64 + 8) * 8,
    SHA256_OUTER_BITS = (64 + 32) * 8,
    SHA512_INNER_BITS = (128 + 8) * 8,
    SHA512_OUTER_BITS = (128 + 64) * 8,
};

/* What every kernel file has for an algorithm: a batch as `match` describes it. With ret_truncated the 31-bit values go
 * there, and match's codes, digits and ret_fits are not looked at; with NULL the codes are tried. */
typedef void kernel_run_function(const struct kernel_match *match, uint32_t *ret_truncated);

/* RFC 4226 5.3: the lowest four bits of a digest's last word say at which byte of its first five words the 31 bits
 * begin. All five are read whatever they say: a load from there may take longer where it lies across two stores. */
static inline uint32_t truncate_words(const uint32_t words[5], uint32_t last)
{
    uint64_t two = 0;
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t mask = 0 - (uint64_t)(i == (last >> 2 & 3));
        two |= ((uint64_t)words[i] << 32 | words[i + 1]) & mask;
    }
    return (uint32_t)(two >> (32 - 8 * (last & 3))) & 0x7fffffff;
}

/* A number y below 2^32 is a multiple of 10^d just when y times the inverse of 5^d modulo 2^32, rotated right by d
 * bits, is at most (2^32 - 1) / 10^d, and is then the quotient (Granlund and Montgomery, Division by Invariant Integers
 * using Multiplication, 1994, section 9). With y = truncated - code the limit is (2^31 - 1) / 10^d: a y that wrapped
 * below zero is at least 2^32 - 10^8 and has a greater quotient. By digits modulo 8, so that eight lanes hold a table.
 */
static const uint32_t fit_inverse[8] = {0x22e90e21 /* 8 */, 0, 0, 0, 0, 0, 0x68c26139 /* 6 */, 0xae8d46a5 /* 7 */};
static const uint32_t fit_limit[8] = {INT32_MAX / 100000000, 0, 0, 0, 0, 0, INT32_MAX / 1000000, INT32_MAX / 10000000};

/* 1 when truncated modulo 10^digits is the code, else 0; without a branch on either. */
static inline uint8_t code_fits(uint32_t truncated, uint32_t code, unsigned digits)
{
    uint32_t product = (truncated - code) * fit_inverse[digits & 7];
    return (product >> digits | product << (32 - digits)) <= fit_limit[digits & 7];
}

/* Where the result of candidate i goes, for kernels that have it as a number. */
static inline void give(const struct kernel_match *match, uint32_t *ret_truncated, size_t i, uint32_t truncated)
{
    if (ret_truncated)
        ret_truncated[i] = truncated;
    else
        match->ret_fits[i] = code_fits(truncated, match->codes[i], match->digits[i]);
}

/* Any address may be prefetched. The caller will write there too, yet prefetchw, which the flags would have to ask for,
 * measured no better on lines that no other core holds. Always inline, since gcc 12 takes a function that does nothing
 * but prefetch for one without effects, and drops the calls. */
KERNEL_INLINE void prefetch_one(const void *address)
{
    __builtin_prefetch(address, 1);
}

/* Zen 3 in a virtual machine: 12 to 30 lines at once were alike. */
enum { PREFETCH_BURST_MEMBERS = 8 };

/* Asks for the addresses of the members before `end` that were not asked for yet, and for a burst at least. `asked`
 * counts the members that were. */
KERNEL_INLINE void prefetch_before(const struct kernel_match *match, size_t end, size_t *asked)
{
    if (!match->prefetch || !match->bursts || end <= *asked) return;
    if (end < *asked + PREFETCH_BURST_MEMBERS) end = *asked + PREFETCH_BURST_MEMBERS;
    if (end > match->count) end = match->count;
    for (size_t i = 2 * *asked; i < 2 * end; i++) prefetch_one(match->prefetch[i]);
    *asked = end;
}

/* What is asked for between rounds, or NULL. */
KERNEL_INLINE const void *const *prefetch_between(const struct kernel_match *match)
{
    return match->bursts ? NULL : match->prefetch;
}

#endif
