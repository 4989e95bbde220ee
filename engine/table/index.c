#include "table/index.h"

#include "base/check.h"
#include "os/arena.h"

enum { BUCKETS_LOG_MIN = 6, BUCKETS_LOG_MAX = 30, HUGE_PAGE_SIZE = 2 << 20, BUCKET_SIZE = 8 * BUCKET_ENTRIES };

static size_t size_of(const struct index *index)
{
    return sizeof(*index) + (size_t)(index->mask + 1) * BUCKET_SIZE;
}

static struct result create(unsigned buckets_log, struct index **ret_index)
{
    void *memory;
    if (buckets_log > BUCKETS_LOG_MAX) return result_of(TABLE_FULL);
    size_t size = sizeof(struct index) + ((size_t)BUCKET_SIZE << buckets_log);
    TRY(arena_take(size, size >= HUGE_PAGE_SIZE, &memory));
    struct index *index = memory;
    index->mask = ((uint64_t)1 << buckets_log) - 1;
    index->shift = 32 - buckets_log;
    *ret_index = index;
    return result_ok();
}

struct result index_create(uint64_t entries_expected, struct index **ret_index)
{
    unsigned buckets_log = BUCKETS_LOG_MIN;
    if (entries_expected > (uint64_t)1 << 31) return result_of(TABLE_FULL);
    while (((uint64_t)BUCKET_ENTRIES << buckets_log) * 3 < entries_expected * 8) buckets_log++;
    return create(buckets_log, ret_index);
}

void index_destroy(struct index *index)
{
    while (index) {
        struct index *older = index->older;
        arena_release(index, size_of(index));
        index = older;
    }
}

size_t index_memory_size(const struct index *index)
{
    size_t size = 0;
    for (; index; index = index->older) size += size_of(index);
    return size;
}

void index_put(struct index *index, uint64_t entry)
{
    CHECK(!index_full(index));
    uint64_t bucket = index_home(index, entry_tag(entry));
    unsigned empty;
    while ((empty = bucket_match(index_bucket(index, bucket), 0).empty) == 0) bucket = index_next(index, bucket);
    index->used++;
    _Atomic uint64_t *place = &index->entries[bucket * BUCKET_ENTRIES + (unsigned)__builtin_ctz(empty)];
    atomic_store_explicit(place, entry, memory_order_release);
}

struct result index_grow(struct index *index, struct index **ret_index)
{
    struct index *grown;
    TRY(create(32 - index->shift + 1, &grown));
    /* Entries stand nearly in order of tag, hence of home: both indexes are walked forward. */
    for (uint64_t slot = 0; slot < (index->mask + 1) * BUCKET_ENTRIES; slot++) {
        uint64_t entry = atomic_load_explicit(&index->entries[slot], memory_order_relaxed);
        if (entry != 0) index_put(grown, entry);
    }
    CHECK(grown->used == index->used);
    grown->older = index;
    *ret_index = grown;
    return result_ok();
}
