/* The index of the table: which lines may be a name's. Room-internal.
 *
 * An entry is 8 bytes, written and read whole: the name's tag (the high 32 bits of its keyed hash) above, ordinal + 1
 * below; 0 is empty. The home of an entry is the highest bits of its tag, collisions go on to the next slot, and at a
 * load of at most one half there is always an empty slot to end a search. Entries are never emptied, and equal names
 * have equal tags, so that an account's tokens stand in one run of slots.
 *
 * Growth builds an index of twice the size from the entries alone (a tag holds its home at any size) and publishes it
 * with one store. Readers may still walk the old one, so old ones are kept until the table is destroyed: their sizes
 * halve backwards, hence all of them together are no larger than the newest. One writer, any number of readers. */
#ifndef OTPRING_TABLE_INDEX_H
#define OTPRING_TABLE_INDEX_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

struct index {
    uint64_t mask;  /* slots - 1 */
    unsigned shift; /* tag >> shift is the home slot */
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

static inline uint64_t index_next(const struct index *index, uint64_t slot)
{
    return (slot + 1) & index->mask;
}

/* What a reader sees of a slot: everything that was written before the entry was. */
static inline uint64_t index_entry(const struct index *index, uint64_t slot)
{
    return atomic_load_explicit(&index->entries[slot], memory_order_acquire);
}

/* An empty index for this many entries at a load of one half. NO_MEMORY, OS_NO_LOCKED_MEMORY; TABLE_FULL beyond 2^31.
 */
struct result index_create(uint64_t entries_expected, struct index **ret_index) MUST_USE;
/* With every older one. NULL is allowed. */
void index_destroy(struct index *index);
/* Bytes of this one and every older one. */
size_t index_memory_size(const struct index *index);

/* True when another entry would pass a load of one half. */
static inline bool index_full(const struct index *index)
{
    return (index->used + 1) * 2 > index->mask + 1;
}

/* The same entries in twice the slots, with `index` as the older one; not yet published. */
struct result index_grow(struct index *index, struct index **ret_index) MUST_USE;

/* Shows an entry to readers; index_full is false. Writer only. */
void index_put(struct index *index, uint64_t entry);

#endif
