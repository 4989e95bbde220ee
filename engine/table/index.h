/* The index of the table: which lines may be a name's. Room-internal.
 *
 * An entry is 8 bytes, written and read whole: the name's tag (the high 32 bits of its keyed hash) above, ordinal + 1
 * below; 0 is empty. Eight entries are a bucket, one cache line. The home of an entry is the bucket that the highest
 * bits of its tag name; a full bucket goes on in the next one, and at a load of at most three eighths there is always
 * one with an empty entry to end a search. At the greatest load three searches in a hundred touch more than one line.
 * Entries are filled in order and never emptied, and equal names have equal tags, so that an account's tokens stand in
 * one run.
 *
 * Growth builds an index of twice the size from the entries alone (a tag holds its home at any size) and publishes it
 * with one store. Readers may still walk the old one, so old ones are kept until the table is told that nobody can:
 * their sizes halve backwards, hence all of them together are no larger than the newest. One writer, any number of
 * readers. */
#ifndef OTPRING_TABLE_INDEX_H
#define OTPRING_TABLE_INDEX_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "kernel/bucket.h"

struct index {
    uint64_t mask;  /* buckets - 1 */
    unsigned shift; /* tag >> shift is the home bucket */
    uint64_t used;  /* entries; the writer's */
    struct index *older;
    _Alignas(64) _Atomic uint64_t entries[];
};

static inline uint32_t entry_tag(uint64_t entry)
{
    return (uint32_t)(entry >> 32);
}

static inline uint32_t entry_ordinal(uint64_t entry)
{
    return (uint32_t)entry - 1;
}

static inline uint64_t entry_make(uint32_t tag, uint32_t ordinal)
{
    return (uint64_t)tag << 32 | (ordinal + 1);
}

static inline uint64_t index_home(const struct index *index, uint32_t tag)
{
    return tag >> index->shift;
}

static inline uint64_t index_next(const struct index *index, uint64_t bucket)
{
    return (bucket + 1) & index->mask;
}

static inline const _Atomic uint64_t *index_bucket(const struct index *index, uint64_t bucket)
{
    return &index->entries[bucket * BUCKET_ENTRIES];
}

/* The entries of one tag, one after the other. */
struct index_walk {
    const struct index *index;
    uint64_t bucket;
    uint32_t tag;
    struct bucket_match match;
};

static inline struct index_walk index_walk(const struct index *index, uint32_t tag)
{
    uint64_t home = index_home(index, tag);
    return (struct index_walk){index, home, tag, bucket_match(index_bucket(index, home), tag)};
}

/* The place of the next entry of the tag in index->entries, or -1. */
static inline int64_t index_walk_next(struct index_walk *walk)
{
    while (walk->match.tags == 0) {
        if (walk->match.empty) return -1;
        walk->bucket = index_next(walk->index, walk->bucket);
        walk->match = bucket_match(index_bucket(walk->index, walk->bucket), walk->tag);
    }
    unsigned at = (unsigned)__builtin_ctz(walk->match.tags);
    walk->match.tags &= walk->match.tags - 1;
    return (int64_t)(walk->bucket * BUCKET_ENTRIES + at);
}

/* An empty index for this many entries at a load of three eighths. NO_MEMORY, OS_NO_LOCKED_MEMORY; TABLE_FULL beyond
 * 2^31.
 */
struct result index_create(uint64_t entries_expected, struct index **ret_index) MUST_USE;
/* With every older one. NULL is allowed. */
void index_destroy(struct index *index);
/* Bytes of this one and every older one. */
size_t index_memory_size(const struct index *index);

/* True when another entry would pass a load of three eighths. */
static inline bool index_full(const struct index *index)
{
    return (index->used + 1) * 8 > (index->mask + 1) * BUCKET_ENTRIES * 3;
}

/* The same entries in twice the buckets, with `index` as the older one; not yet published. */
struct result index_grow(struct index *index, struct index **ret_index) MUST_USE;

/* Shows an entry to readers; index_full is false. Writer only. */
void index_put(struct index *index, uint64_t entry);

#endif
