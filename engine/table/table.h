/* The token table: an index of names and dense lines of tokens, all in locked memory.
 *
 * One writer (the thread that administers: insert, grow, line fields other than the words); any number of readers and
 * judges at the same time. Words change by compare-and-swap alone, only to greater values. A line never moves and its
 * ordinal is never used for another token. Lines hold midstates: secrets, as seeds are.
 *
 * Names themselves are not kept: a line is a name's when 64 keyed hash bits agree, 32 in the index entry (its tag) and
 * 32 in the line (name_check). A name that is in no account is thus taken for one of n accounts with a probability of n
 * / 2^64: for ten million, once in 1.8 x 10^12 unknown names, and it would still need that account's code. Enrolment
 * compares full names. */
#ifndef OTPRING_TABLE_TABLE_H
#define OTPRING_TABLE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "kernel/kernel.h"
#include "kernel/stages.h"

enum { TABLE_NAME_SIZE = 16, TABLE_ACCOUNT_TOKENS_MAX = 8 };

/* Algorithm in the two highest bits, line number within the algorithm's array in the others: names a token for ever. */
static inline uint32_t table_ordinal(enum kernel_algorithm algorithm, uint32_t line)
{
    return (uint32_t)algorithm << 30 | line;
}

static inline enum kernel_algorithm table_algorithm(uint32_t ordinal)
{
    return (enum kernel_algorithm)(ordinal >> 30);
}

static inline uint32_t table_line_index(uint32_t ordinal)
{
    return ordinal & 0x3fffffffu;
}

/* Token word: the floor (the least step still acceptable) high, the change count low. */
static inline uint64_t token_word(uint32_t floor, uint32_t change)
{
    return (uint64_t)floor << 32 | change;
}

static inline uint32_t token_floor(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint32_t token_change(uint64_t word)
{
    return (uint32_t)word;
}

/* Budget word: journal time of the last charge or reset in seconds (32, high), count within that second (16), failures
 * of source class 0 (8) and class 1 (8). Lives in the first line of an account. */
static inline uint64_t budget_word(uint32_t time_s, uint16_t count, uint8_t failures_0, uint8_t failures_1)
{
    return (uint64_t)time_s << 32 | (uint64_t)count << 16 | (uint64_t)failures_0 << 8 | failures_1;
}

static inline uint32_t budget_time_s(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint16_t budget_count(uint64_t word)
{
    return (uint16_t)(word >> 16);
}

static inline uint8_t budget_failures(uint64_t word, unsigned source_class)
{
    return (uint8_t)(source_class ? word : word >> 8);
}

enum table_flags {
    TABLE_LIVE = 1,      /* the line is a token */
    TABLE_FIRST = 2,     /* the account's first line: its budget word is the account's */
    TABLE_SUSPENDED = 4, /* does not accept */
    TABLE_REMOVED = 8,   /* no longer a token; kept for its budget and for the records that name it */
};

/* The last 24 bytes of every line; midstates stand before it (40, 64 or 128 bytes from the line's start). */
struct table_tail {
    _Atomic uint64_t token;
    _Atomic uint64_t budget;
    uint32_t name_check; /* the low 32 bits of the name's keyed hash; the index holds the high ones */
    _Atomic uint16_t profile;
    _Atomic int8_t drift; /* steps; a hint */
    _Atomic uint8_t flags;
};
_Static_assert(sizeof(struct table_tail) == 24, "the tail of a line is 24 bytes");

/* The last 8 bytes of the tail at one look: name check, then profile, drift and flags from bit 32, 48 and 56 on. */
static inline uint64_t table_tail_state(const struct table_tail *tail)
{
    const _Atomic uint64_t *state = (const _Atomic uint64_t *)(const void *)&tail->name_check;
    return atomic_load_explicit(state, memory_order_acquire);
}
_Static_assert(offsetof(struct table_tail, profile) == 20 && offsetof(struct table_tail, drift) == 22 &&
                   offsetof(struct table_tail, flags) == 23 &&
                   offsetof(struct table_tail, name_check) == 8 * TAIL_STATE &&
                   offsetof(struct table_tail, token) == 8 * TAIL_TOKEN &&
                   offsetof(struct table_tail, budget) == 8 * TAIL_BUDGET,
               "what table_tail_state and the stages say of the tail");

/* Bytes of a line: 64, 128, 192. */
static inline size_t table_line_size(enum kernel_algorithm algorithm)
{
    return 64u * (1u + (size_t)algorithm);
}

struct table_options {
    uint32_t lines_max[KERNEL_ALGORITHM_COUNT]; /* address space reserved; memory is taken as lines come */
    uint64_t names_expected;                    /* the index is sized for this many tokens */
    uint8_t secret[32];                         /* the store's: keys the index hash and the name check */
};

struct table;

struct result table_create(const struct table_options *options, struct table **ret_table) MUST_USE;
void table_destroy(struct table *table);

/* One token found under a name. Pointers stay valid while the table lives. */
struct table_hit {
    const void *midstates;
    struct table_tail *tail;
    uint32_t ordinal;
};

/* All live and removed lines of a name, first line first, at most TABLE_ACCOUNT_TOKENS_MAX; 0: unknown. Any thread
 * whose turns table_quiesce waits for, or the writer: this and the stages below walk the index, and old ones are freed.
 * Removed lines are included only when they are the first (for its budget). */
unsigned table_find(const struct table *table, const uint8_t name[TABLE_NAME_SIZE],
                    struct table_hit ret_hits[TABLE_ACCOUNT_TOKENS_MAX]);

/* Finding in stages, for a caller that has other work for the time that memory takes: hash a batch of names and load
 * the addresses that come back, probe them later and load those, then look at the lines. What is loaded too early or in
 * vain costs time, never an answer: the index may grow between the stages. */

/* names[i] points at 16 bytes; at most STAGE_ITEMS_MAX. ret_addresses[i]: what table_probe_batch will read. */
void table_hash_batch(const struct table *table, const struct kernel_stages *stages, const void *const names[],
                      size_t count, uint64_t ret_hashes[], const void *ret_addresses[]);

/* Of a name that is not found, or not surely, line and tail are zeros. */
struct table_probes {
    uint64_t one;  /* bit i: the line, if table_hit_is says so; else look again with table_find_hash */
    uint64_t many; /* bit i: table_find_hash tells; neither bit: no such name */
    uint32_t ordinals[STAGE_ITEMS_MAX];
    void *lines[STAGE_ITEMS_MAX]; /* to be loaded */
    void *tails[STAGE_ITEMS_MAX];
};

void table_probe_batch(const struct table *table, const struct kernel_stages *stages, const uint64_t hashes[],
                       size_t count, struct table_probes *ret_probes);

static inline struct table_hit table_probe_hit(const struct table_probes *probes, uint32_t i)
{
    return (struct table_hit){probes->lines[i], (struct table_tail *)probes->tails[i], probes->ordinals[i]};
}

/* True when the line is the name's and its account's first, which holds the budget. False where only the tags were
 * alike, or where the bucket was looked at while the account's first lines came, and the very first was passed just
 * before it stood there: then table_find_hash decides. */
static inline bool table_hit_is(const struct table_hit *hit, uint64_t hash)
{
    uint64_t state = table_tail_state(hit->tail);
    return (uint32_t)state == (uint32_t)hash && (state >> 56 & TABLE_FIRST);
}

/* table_find by the hash of the name. */
unsigned table_find_hash(const struct table *table, uint64_t hash, struct table_hit ret_hits[TABLE_ACCOUNT_TOKENS_MAX]);

/* The line of an ordinal; false when there is none. Any thread, at any time. */
bool table_line(const struct table *table, uint32_t ordinal, struct table_hit *ret_hit);

struct table_token {
    uint8_t name[TABLE_NAME_SIZE];
    uint32_t ordinal; /* lines may be left out, but not used twice */
    const void *midstates;
    uint64_t token;
    uint64_t budget; /* of a first line */
    uint16_t profile;
    int8_t drift;
    uint8_t flags; /* TABLE_FIRST, TABLE_SUSPENDED, TABLE_REMOVED; LIVE is the table's own */
};

/* Of an account's lines just one is the first; they may come in any order. A removed line that is not the first gets no
 * entry in the index. TABLE_FULL, TABLE_TOO_MANY_TOKENS, NO_MEMORY, OS_NO_LOCKED_MEMORY; nothing has changed then. The
 * line is complete before the index shows it. Writer only. */
struct result table_insert(struct table *table, const struct table_token *token) MUST_USE;

/* Marks a line removed and wipes its midstates once no reader can hold it: the wipe happens at the second call of
 * table_quiesce after this. Writer only. */
void table_remove(struct table *table, uint32_t ordinal);
/* Says that every reader has passed a turn since the last call: what none of them can hold any more is wiped and freed
 * (midstates of removed lines, indexes that were grown out of). Lines themselves stay. Writer only. */
void table_quiesce(struct table *table);

/* Midstates of removed lines wait for table_quiesce. Writer only. */
bool table_wipes(const struct table *table);

/* Number of lines so far of an algorithm (the greatest used line + 1), and of live tokens in all. */
uint32_t table_line_count(const struct table *table, enum kernel_algorithm algorithm);
uint64_t table_token_count(const struct table *table);
size_t table_memory_size(const struct table *table);

/* Raises an atomic word to `value` if that is greater: what recovery does with words from records, in any order. */
static inline void word_raise(_Atomic uint64_t *word, uint64_t value)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    while (seen < value &&
           !atomic_compare_exchange_weak_explicit(word, &seen, value, memory_order_acq_rel, memory_order_relaxed)) {
    }
}

#endif
