/* The straight way in lanes: what every query goes through before and after the hash, for up to 64 queries at a time.
 * Nearly every query is one right code for an account of one plain token; these stages do just that, say which queries
 * they did it for, and leave all others to code that asks one thing after the other.
 *
 *     gather   frames to items        hash_names   names to hashes        find   hashes to lines
 *     look     lines to tries         check        fits to swaps         record   acceptances to records, answers
 *
 * They know layouts, not rules: a name is the first 16 bytes of a query, an index entry is what bucket.h says, a line
 * ends in three words, a record is eight. Whoever owns a layout asserts that it is the one below. They keep no state
 * and allocate nothing; any thread. Names, codes and words are no secrets from the process, midstates are not read.
 *
 * Lines and buckets are read while others write to them, each word whole. What is read here only chooses the way: the
 * words are read again, in their order, before anything is decided by them. */
#ifndef OTPRING_KERNEL_STAGES_H
#define OTPRING_KERNEL_STAGES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

enum {
    STAGE_ITEMS_MAX = 64,
    STAGE_OVERRUN = 8, /* lists are written in whole vectors: so many entries beyond the last one may be touched */
};

/* ---- a frame to items ---- */

enum { STAGE_ANSWER = 16 };

/* Queries that lie one after the other, with what is one further for each, or the same for all. */
struct stage_gather {
    size_t at; /* in the arrays below */
    size_t count;
    const void *query; /* the first of them */
    size_t query_size; /* from one to the next */
    void *answer;      /* STAGE_ANSWER apart */
    void *frame;
    uint64_t place;
    uint32_t record;
    const void **ret_queries;
    void **ret_answers;
    void **ret_frames;
    uint64_t *ret_places;
    uint32_t *ret_records;
};

/* ---- names to hashes ---- */

/* XXH3-64 (xxHash 0.8) of 16 bytes with a secret, of which only these two words count. */
struct stage_key {
    uint64_t flips[2];
};

static inline struct stage_key stage_key_of(const uint8_t *secret)
{
    uint64_t words[4];
    memcpy(words, secret + 24, sizeof words);
    return (struct stage_key){{words[0] ^ words[1], words[2] ^ words[3]}};
}

static inline uint64_t stage_name_hash(struct stage_key key, const void *name)
{
    uint64_t low, high;
    memcpy(&low, name, 8);
    memcpy(&high, (const uint8_t *)name + 8, 8);
    low ^= key.flips[0];
    high ^= key.flips[1];
    __extension__ unsigned __int128 product = (unsigned __int128)low * high;
    uint64_t sum = 16 + __builtin_bswap64(low) + high + ((uint64_t)product ^ (uint64_t)(product >> 64));
    sum ^= sum >> 37;
    sum *= 0x165667919e3779f9u;
    return sum ^ sum >> 32;
}

/* The index: 2^(32 - shift) buckets of eight entries. */
struct stage_index {
    const void *buckets;
    unsigned shift; /* a hash's highest bits, all above 32 + shift, say which bucket is its home */
};

struct stage_names {
    size_t count;
    const void *const *names; /* 16 bytes each */
    struct stage_key key;
    struct stage_index index;
    uint64_t *ret_hashes;
    const void **ret_buckets; /* home of each: what `find` will read */
};

/* ---- hashes to lines ---- */

/* Lines of one algorithm: 64 bytes each, 128, 192. */
struct stage_find {
    size_t count;
    const uint64_t *hashes;
    struct stage_index index;
    void *const *arrays; /* of lines, by the two highest bits of the ordinal: four, and the last is never asked for */
    void *nowhere;       /* a line of zeros for what is not found */
    uint32_t *ret_ordinals;
    void **ret_lines;
    void **ret_tails;   /* the last 24 bytes of each line */
    uint64_t ret_found; /* bit i: just one entry has the tag, and no more of it can follow in another bucket */
    uint64_t ret_long;  /* of the found: longer than 64 bytes */
    uint64_t ret_none;  /* bit i: no entry has the tag; neither bit: look further */
};

/* ---- lines to tries ---- */

/* Words of the tail of a line. */
enum { TAIL_TOKEN, TAIL_BUDGET, TAIL_STATE, TAIL_WORDS };

/* A profile in one word: the present step, drift left out, of TOTP; digits; algorithm. 0 is a profile that is to be
 * asked otherwise. */
enum {
    STAGE_PROFILE_DIGITS = 32, /* where the query has them too */
    STAGE_PROFILE_ALGORITHM = 40,
    STAGE_PROFILE_TOTP = 48,
    STAGE_PROFILE_VALID = 63,
};

static inline uint64_t stage_profile(enum kernel_algorithm algorithm, uint8_t digits, bool totp, uint32_t now_step)
{
    return (uint64_t)1 << STAGE_PROFILE_VALID | (uint64_t)totp << STAGE_PROFILE_TOTP |
           (uint64_t)algorithm << STAGE_PROFILE_ALGORITHM | (uint64_t)digits << STAGE_PROFILE_DIGITS | now_step;
}

/* Codes to be tried with one algorithm, one step each: the lists of a kernel_match. */
struct stage_tries {
    uint32_t count;
    const void *midstates[STAGE_ITEMS_MAX + STAGE_OVERRUN];
    uint64_t steps[STAGE_ITEMS_MAX + STAGE_OVERRUN];
    uint32_t codes[STAGE_ITEMS_MAX + STAGE_OVERRUN];
    uint8_t digits[STAGE_ITEMS_MAX + STAGE_OVERRUN];
    uint8_t items[STAGE_ITEMS_MAX + STAGE_OVERRUN]; /* whose code it is */
};

struct stage_look {
    size_t count;
    uint64_t wanted;            /* bit i: item i may go the straight way */
    const void *const *queries; /* 32 bytes each; the last 8: code 4, digits 1, kind 1, source class 1, flags 1 */
    const uint64_t *hashes;
    const uint32_t *ordinals;
    void *const *lines;
    void *const *tails;
    const uint64_t *profiles; /* by the id in the line's state */
    size_t profile_count;
    uint8_t flags;        /* of a plain token's line */
    uint64_t record_last; /* last word of a record, without source class (bits 24 to 31) and drift (32 to 39) */
    /* Of items that go the straight way; of others anything. */
    uint64_t ret_straight;
    uint64_t *ret_states; /* the line's last word, and the expected step: HOTP: the floor, TOTP: now and the drift */
    uint64_t *ret_expected;
    uint64_t *ret_lasts;
    struct stage_tries *tries[KERNEL_ALGORITHM_COUNT]; /* entries are added, in order of item */
};

/* ---- fits to swaps ---- */

struct stage_check {
    size_t count;
    uint64_t wanted; /* bit i: item i went the straight way, and its code fits */
    void *const *tails;
    const uint64_t *seen; /* token words, read before this stage reads anything */
    const uint64_t *states;
    const uint64_t *expected;
    _Atomic uint64_t *nowhere; /* a word of the caller's own, in place of those that are not ready */
    uint64_t
        ret_ready; /* bit i: no failure (the budget's lowest 16 bits), the state is the same, and the floor allows */
    _Atomic uint64_t **ret_words;
    uint64_t *ret_next; /* the floor after the expected step, the change count as seen */
};

/* ---- acceptances to records and answers ---- */

/* A record's words: name 0 and 1, token 2, nothing 3, source 4 (the query's third), ordinal 5 twice, place 6, last 7.
 */
struct stage_record {
    size_t count;
    uint64_t which; /* bit i: item i is written */
    const void *const *queries;
    const uint32_t *ordinals;
    const uint64_t *tokens;
    const uint64_t *places;
    const uint64_t *lasts;
    const uint32_t *records; /* index of each slot */
    uint8_t *slots;          /* 64 bytes each */
    void *const *answers;    /* STAGE_ANSWER bytes each: `answer`, then the slot's index */
    uint64_t answer;
};

struct kernel_stages {
    void (*gather)(const struct stage_gather *gather);
    void (*hash_names)(const struct stage_names *names);
    void (*find)(struct stage_find *find);
    void (*look)(struct stage_look *look);
    void (*check)(struct stage_check *check);
    void (*record)(const struct stage_record *record);
};

/* In plain C, on any machine; and by vectors, on a CPU that has the kernel of that name. */
extern const struct kernel_stages stages_portable;
extern const struct kernel_stages stages_avx2;
extern const struct kernel_stages stages_avx512;

#endif
