/* HMAC kernels: one HOTP step from cached midstates, for a batch of (token, counter) pairs at a time.
 * Source: RFC 2104 (HMAC), FIPS 180-4 (SHA), RFC 4226 section 5.3 (dynamic truncation).
 * A kernel keeps no state and allocates nothing; any thread. Midstates are secrets as seeds are. The time taken depends
 * on `count` and the algorithm alone, never on midstates, counters or codes. */
#ifndef OTPRING_KERNEL_KERNEL_H
#define OTPRING_KERNEL_KERNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

enum kernel_algorithm {
    KERNEL_SHA1 = 0,
    KERNEL_SHA256 = 1,
    KERNEL_SHA512 = 2,
    KERNEL_ALGORITHM_COUNT = 3,
};

/* Bytes of both midstates, inner then outer, native-endian words as FIPS 180-4 names them (H0 first): 40, 64, 128. */
enum { KERNEL_SHA1_MIDSTATES = 40, KERNEL_SHA256_MIDSTATES = 64, KERNEL_SHA512_MIDSTATES = 128 };

static inline size_t kernel_midstates_size(enum kernel_algorithm algorithm)
{
    return algorithm == KERNEL_SHA1     ? KERNEL_SHA1_MIDSTATES
           : algorithm == KERNEL_SHA256 ? KERNEL_SHA256_MIDSTATES
                                        : KERNEL_SHA512_MIDSTATES;
}

/* n steps of one algorithm. midstates[i] points at inner||outer (kernel_midstates_size bytes, 8-byte aligned);
 * counters[i] is the moving factor; ret_truncated[i] gets the 31-bit value of RFC 4226 5.3, not yet reduced to digits.
 */
typedef void kernel_steps_function(const void *const midstates[], const uint64_t counters[], uint32_t ret_truncated[],
                                   size_t count);

/* Compare-and-swaps that are done one after the other, in this order, while a batch is hashed: the cache takes its time
 * for each, and the hash does not need it meanwhile (8.3 ns alone, 0.5 beside a hash). By the end of the batch all are
 * done. */
struct kernel_swaps {
    size_t count;
    size_t at; /* so many are done */
    _Atomic uint64_t *const *words;
    const uint64_t *seen; /* what a word must be, and then becomes */
    const uint64_t *next;
    uint8_t *ret_done; /* 1 where the word was swapped, else 0 */
};

static inline void kernel_swap_next(struct kernel_swaps *swaps)
{
    size_t i = swaps->at;
    if (i == swaps->count) return;
    uint64_t seen = swaps->seen[i];
    swaps->ret_done[i] = atomic_compare_exchange_strong_explicit(swaps->words[i], &seen, swaps->next[i],
                                                                 memory_order_acq_rel, memory_order_acquire);
    swaps->at = i + 1;
}

/* A batch of codes tried each on one step of one token. */
struct kernel_match {
    size_t count;
    const void *const *midstates; /* as for steps */
    const uint64_t *counters;
    const uint32_t *codes; /* as numbers, each below 10^digits */
    const uint8_t *digits; /* 6, 7 or 8 */
    uint8_t *ret_fits;     /* 1 where the truncated value modulo 10^digits equals the code, else 0 */
    /* NULL, or 2 * count addresses to be loaded into the cache for writing. Any address will do: one that is not mapped
     * is passed over. */
    const void *const *prefetch;
    /* They are asked for in bursts before their group's rounds, else spread evenly through the rounds. Which is faster
     * depends on the machine: a load of a page that the TLB does not hold may keep all behind it from retiring, rounds
     * too, until the page is found; those of one burst wait together. The portable kernel has one way. */
    bool bursts;
    struct kernel_swaps *swaps; /* NULL, or what is swapped meanwhile */
};

typedef void kernel_match_function(const struct kernel_match *match);

/* Messages of one size, each a prefix byte (RFC 6962 section 2.1: 0 for a leaf, 1 for a node) and then its bytes. */
struct kernel_messages {
    size_t count;
    size_t size; /* of each, without the prefix */
    const uint8_t *const *bytes;
    uint8_t prefix;
    uint8_t (*ret_hashes)[32];
};

struct kernel_stages;

struct kernel {
    /* "portable", "simd128", "sha-ni", "avx2", "avx2+sha-ni", "avx512"; the SHA instructions want AVX too. */
    const char *name;
    kernel_steps_function *steps[KERNEL_ALGORITHM_COUNT];
    kernel_match_function *match[KERNEL_ALGORITHM_COUNT];
    void (*sha256_many)(const struct kernel_messages *messages); /* as kernel_sha256_many, by this kernel */
    const struct kernel_stages *stages;                          /* see stages.h */
    unsigned lanes[KERNEL_ALGORITHM_COUNT]; /* batch size that fills the unit; for benchmarks and tests */
};

/* Every kernel built into this program that this CPU can run, narrowest first; [0] is always portable. */
size_t kernel_list(const struct kernel *const **ret_kernels);

/* The best kernel, or the one named (NULL or "auto": the variable OTPRING_KERNEL, else the best).
 * Errors: BAD_ARGUMENT when the name is unknown or this CPU lacks it. */
struct result kernel_choose(const char *name, const struct kernel **ret_kernel) MUST_USE;

/* Midstates of one seed: the states after the key block xor ipad, and xor opad (RFC 2104). Seeds longer than the hash's
 * block are hashed first. ret_midstates has kernel_midstates_size(algorithm) bytes. */
void kernel_midstates(enum kernel_algorithm algorithm, const uint8_t *seed, size_t seed_size, void *ret_midstates);

/* HMAC of one message of any size from a seed's midstates, with the single-block instructions of this CPU; ret_digest
 * gets 20, 32 or 64 bytes. The time depends on the algorithm and size alone. */
enum { KERNEL_DIGEST_SIZE_MAX = 64 };
void kernel_hmac(enum kernel_algorithm algorithm, const void *midstates, const uint8_t *message, size_t size,
                 uint8_t ret_digest[KERNEL_DIGEST_SIZE_MAX]);

/* SHA-256 of each, side by side, with the best kernel that this CPU has. The time depends on count and size alone. */
void kernel_sha256_many(const struct kernel_messages *messages);

/* RFC 4226 section 5.3 of a digest of 20 bytes or more: 31 bits from where its last byte says. The time depends on
 * nothing. */
uint32_t kernel_truncate(const uint8_t *digest, size_t size);

/* value mod 10^digits for digits 6, 7, 8, without a division whose time depends on the value. */
uint32_t kernel_digits(uint32_t truncated, unsigned digits);

#endif
