#include "table/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/checksum.h"
#include "os/arena.h"
#include "table/index.h"

enum {
    CHUNK_SIZE = 2 << 20, /* lines become memory in steps of one huge page */
    LINES_LIMIT = 1 << 30,
    PENDING_COUNT_MIN = 64,
};

/* One algorithm's array. Address space is reserved once, so that a line never moves. */
struct lines {
    uint8_t *base; /* on a huge page's border within the reservation */
    void *reserved;
    size_t reserved_size;
    size_t committed_size; /* of base */
    uint32_t limit;
    _Atomic uint32_t count; /* greatest used line + 1 */
};

struct table {
    struct lines lines[KERNEL_ALGORITHM_COUNT];
    /* Published and read by readers sequentially consistent, as the beginnings of turns are: a turn that the next
     * quiesce does not wait for has begun after the newest index was published, and reads that one. */
    _Atomic(struct index *) index;
    const struct index *index_seen; /* at the last quiesce: nobody who began since then walks an older one */
    _Atomic uint64_t token_count;
    _Atomic uint64_t memory_size;
    /* Lines whose midstates are still to be wiped: the first pending_old of them were removed before the last quiesce.
     * There is room for every live token, so that a removal cannot fail. */
    uint32_t *pending;
    size_t pending_count;
    size_t pending_old;
    size_t pending_capacity;
    struct stage_key hash_key;
    void *arrays[4]; /* bases of the lines, as the stages want them */
    _Alignas(64) uint8_t nowhere[64];
};

/* The tag (high half) and the name check (low half) of a name: 64 bits that nobody without the secret can steer. */
static inline uint64_t name_hash(const struct table *table, const void *name)
{
    return stage_name_hash(table->hash_key, name);
}

static inline const struct index *index_now(const struct table *table)
{
    return atomic_load(&table->index);
}

static inline uint8_t *line_at(const struct table *table, uint32_t ordinal)
{
    enum kernel_algorithm algorithm = table_algorithm(ordinal);
    return table->lines[algorithm].base + (size_t)table_line_index(ordinal) * table_line_size(algorithm);
}

static inline struct table_hit hit_at(const struct table *table, uint32_t ordinal)
{
    uint8_t *line = line_at(table, ordinal);
    size_t tail = table_line_size(table_algorithm(ordinal)) - sizeof(struct table_tail);
    return (struct table_hit){
        .midstates = line, .tail = (struct table_tail *)(void *)(line + tail), .ordinal = ordinal};
}

static bool is_named(const struct table_hit *hit, uint64_t hash)
{
    return hit->tail->name_check == (uint32_t)hash;
}

static size_t round_up(size_t size, size_t step)
{
    return (size + step - 1) / step * step;
}

static struct result lines_reserve(struct lines *lines, enum kernel_algorithm algorithm, uint32_t limit)
{
    if (limit > LINES_LIMIT) return result_of(BAD_ARGUMENT);
    lines->limit = limit;
    if (limit == 0) return result_ok();
    size_t size = round_up((size_t)limit * table_line_size(algorithm), CHUNK_SIZE) + CHUNK_SIZE;
    TRY(arena_reserve(size, &lines->reserved));
    lines->reserved_size = size;
    lines->base = (uint8_t *)round_up((uintptr_t)lines->reserved, CHUNK_SIZE); // NOLINT(performance-no-int-to-ptr)
    return result_ok();
}

/* Memory for every line up to and with this one. */
static struct result lines_commit(struct table *table, enum kernel_algorithm algorithm, uint32_t line)
{
    struct lines *lines = &table->lines[algorithm];
    if (line >= lines->limit) return result_of(TABLE_FULL);
    size_t needed = round_up(((size_t)line + 1) * table_line_size(algorithm), CHUNK_SIZE);
    if (needed <= lines->committed_size) return result_ok();
    size_t grown = needed - lines->committed_size;
    TRY(arena_commit(lines->base + lines->committed_size, grown, true));
    lines->committed_size = needed;
    atomic_fetch_add_explicit(&table->memory_size, grown, memory_order_relaxed);
    return result_ok();
}

static struct result fill(struct table *table, const struct table_options *options)
{
    struct index *index;
    uint8_t secret[CHECKSUM_SECRET_SIZE];
    checksum_secret(options->secret, secret);
    table->hash_key = stage_key_of(secret);
    secret_wipe(secret, sizeof secret);
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) {
        TRY(lines_reserve(&table->lines[i], i, options->lines_max[i]));
        table->arrays[i] = table->lines[i].base;
    }
    TRY(index_create(options->names_expected, &index));
    atomic_store_explicit(&table->index, index, memory_order_release);
    atomic_store_explicit(&table->memory_size, sizeof(*table) + index_memory_size(index), memory_order_relaxed);
    return result_ok();
}

struct result table_create(const struct table_options *options, struct table **ret_table)
{
    void *memory;
    TRY(arena_take(sizeof(struct table), false, &memory));
    struct table *table = memory;
    struct result result = fill(table, options);
    if (result_failed(result)) {
        table_destroy(table);
        return result;
    }
    *ret_table = table;
    return result_ok();
}

void table_destroy(struct table *table)
{
    if (!table) return;
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) {
        arena_release(table->lines[i].reserved, table->lines[i].reserved_size);
    }
    index_destroy(atomic_load(&table->index));
    free(table->pending);
    arena_release(table, sizeof(*table));
}

/* Adds a hit, the account's first line before all others. A reader that looks while tokens come and go may meet more
 * than the limit: it keeps the first line and those it met first. */
static unsigned hit_add(struct table_hit *hits, unsigned count, struct table_hit hit, bool first)
{
    if (!first) {
        if (count < TABLE_ACCOUNT_TOKENS_MAX) hits[count++] = hit;
        return count;
    }
    unsigned moved = count < TABLE_ACCOUNT_TOKENS_MAX ? count : TABLE_ACCOUNT_TOKENS_MAX - 1;
    memmove(hits + 1, hits, moved * sizeof(hits[0]));
    hits[0] = hit;
    return moved + 1;
}

static unsigned find_from(const struct table *table, const struct index *index, uint64_t hash, struct table_hit *hits)
{
    struct index_walk walk = index_walk(index, (uint32_t)(hash >> 32));
    unsigned count = 0;
    for (int64_t at; (at = index_walk_next(&walk)) >= 0;) {
        struct table_hit hit =
            hit_at(table, entry_ordinal(atomic_load_explicit(&index->entries[at], memory_order_acquire)));
        if (!is_named(&hit, hash)) continue;
        unsigned flags = atomic_load_explicit(&hit.tail->flags, memory_order_acquire);
        if ((flags & TABLE_REMOVED) && !(flags & TABLE_FIRST)) continue;
        count = hit_add(hits, count, hit, (flags & TABLE_FIRST) != 0);
    }
    return count;
}

unsigned table_find_hash(const struct table *table, uint64_t hash, struct table_hit ret_hits[TABLE_ACCOUNT_TOKENS_MAX])
{
    const struct index *index = index_now(table);
    unsigned count = find_from(table, index, hash, ret_hits);
    if (count == 0 || (atomic_load_explicit(&ret_hits[0].tail->flags, memory_order_acquire) & TABLE_FIRST))
        return count;
    /* The first line's place was passed just before it was filled, and then a later line of the account was met. Who
     * has seen that one sees the first now. */
    return find_from(table, index, hash, ret_hits);
}

unsigned table_find(const struct table *table, const uint8_t name[TABLE_NAME_SIZE],
                    struct table_hit ret_hits[TABLE_ACCOUNT_TOKENS_MAX])
{
    return table_find_hash(table, name_hash(table, name), ret_hits);
}

static struct stage_index stage_index_of(const struct index *index)
{
    return (struct stage_index){.buckets = (const void *)index->entries, .shift = index->shift};
}

void table_hash_batch(const struct table *table, const struct kernel_stages *stages, const void *const names[],
                      size_t count, uint64_t ret_hashes[], const void *ret_addresses[])
{
    CHECK(count <= STAGE_ITEMS_MAX);
    stages->hash_names(&(struct stage_names){.count = count,
                                             .names = names,
                                             .key = table->hash_key,
                                             .index = stage_index_of(index_now(table)),
                                             .ret_hashes = ret_hashes,
                                             .ret_buckets = ret_addresses});
}

/* What lies in the buckets after a full one counts too. */
static void probe_far(const struct table *table, const struct index *index, uint32_t tag, uint32_t i,
                      struct table_probes *probes)
{
    struct index_walk walk = index_walk(index, tag);
    int64_t at = index_walk_next(&walk);
    if (at < 0) return;
    if (index_walk_next(&walk) >= 0) {
        probes->many |= (uint64_t)1 << i;
        return;
    }
    uint64_t entry = atomic_load_explicit(&index->entries[at], memory_order_acquire);
    struct table_hit hit = hit_at(table, entry_ordinal(entry));
    probes->one |= (uint64_t)1 << i;
    probes->ordinals[i] = hit.ordinal;
    probes->lines[i] = line_at(table, hit.ordinal);
    probes->tails[i] = hit.tail;
}

/* Of a longer line the caller loads the beginning; the tail is what it reads first. */
static inline __attribute__((always_inline)) void prefetch_long(const struct table_probes *probes, uint32_t i)
{
    __builtin_prefetch(probes->tails[i]);
    if (table_algorithm(probes->ordinals[i]) == KERNEL_SHA512)
        __builtin_prefetch((const uint8_t *)probes->lines[i] + 64);
}

void table_probe_batch(const struct table *table, const struct kernel_stages *stages, const uint64_t hashes[],
                       size_t count, struct table_probes *ret_probes)
{
    CHECK(count <= STAGE_ITEMS_MAX);
    const struct index *index = index_now(table);
    struct stage_find find = {.count = count,
                              .hashes = hashes,
                              .index = stage_index_of(index),
                              .arrays = table->arrays,
                              .nowhere = (void *)table->nowhere,
                              .ret_ordinals = ret_probes->ordinals,
                              .ret_lines = ret_probes->lines,
                              .ret_tails = ret_probes->tails};
    stages->find(&find);
    ret_probes->one = find.ret_found;
    ret_probes->many = 0;
    uint64_t all = count == STAGE_ITEMS_MAX ? UINT64_MAX : ((uint64_t)1 << count) - 1;
    for (uint64_t left = all & ~(find.ret_found | find.ret_none); left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        probe_far(table, index, (uint32_t)(hashes[i] >> 32), i, ret_probes);
    }
    for (uint64_t left = find.ret_long; left; left &= left - 1)
        prefetch_long(ret_probes, (uint32_t)__builtin_ctzll(left));
}

bool table_line(const struct table *table, uint32_t ordinal, struct table_hit *ret_hit)
{
    enum kernel_algorithm algorithm = table_algorithm(ordinal);
    if (algorithm >= KERNEL_ALGORITHM_COUNT) return false;
    if (table_line_index(ordinal) >= table_line_count(table, algorithm)) return false;
    struct table_hit hit = hit_at(table, ordinal);
    /* A line that was left out has no flag at all. */
    if (atomic_load_explicit(&hit.tail->flags, memory_order_acquire) == 0) return false;
    *ret_hit = hit;
    return true;
}

static struct result index_make_room(struct table *table)
{
    struct index *index = atomic_load_explicit(&table->index, memory_order_relaxed), *grown;
    if (!index_full(index)) return result_ok();
    TRY(index_grow(index, &grown));
    atomic_fetch_add_explicit(&table->memory_size, index_memory_size(grown) - index_memory_size(index),
                              memory_order_relaxed);
    atomic_store(&table->index, grown);
    return result_ok();
}

static struct result pending_make_room(struct table *table)
{
    size_t needed = table->pending_count + table_token_count(table) + 1;
    if (needed <= table->pending_capacity) return result_ok();
    size_t capacity = 2 * needed > PENDING_COUNT_MIN ? 2 * needed : PENDING_COUNT_MIN;
    uint32_t *grown = realloc(table->pending, capacity * sizeof(grown[0]));
    if (!grown) return result_of(NO_MEMORY);
    table->pending = grown;
    table->pending_capacity = capacity;
    return result_ok();
}

/* Everything but the flags, and those last: who sees a flag sees the whole line. */
static void line_write(struct table *table, const struct table_token *token, uint64_t hash)
{
    enum kernel_algorithm algorithm = table_algorithm(token->ordinal);
    struct table_hit hit = hit_at(table, token->ordinal);
    CHECK(atomic_load_explicit(&hit.tail->flags, memory_order_relaxed) == 0);
    unsigned flags = token->flags & (TABLE_FIRST | TABLE_SUSPENDED | TABLE_REMOVED);
    if (!(flags & TABLE_REMOVED)) {
        flags |= TABLE_LIVE;
        memcpy(line_at(table, token->ordinal), token->midstates, kernel_midstates_size(algorithm));
    }
    hit.tail->name_check = (uint32_t)hash;
    atomic_store_explicit(&hit.tail->token, token->token, memory_order_relaxed);
    atomic_store_explicit(&hit.tail->budget, flags & TABLE_FIRST ? token->budget : 0, memory_order_relaxed);
    atomic_store_explicit(&hit.tail->profile, token->profile, memory_order_relaxed);
    atomic_store_explicit(&hit.tail->drift, token->drift, memory_order_relaxed);
    atomic_store_explicit(&hit.tail->flags, (uint8_t)flags, memory_order_release);
    struct lines *lines = &table->lines[algorithm];
    uint32_t count = table_line_index(token->ordinal) + 1;
    if (atomic_load_explicit(&lines->count, memory_order_relaxed) < count) {
        atomic_store_explicit(&lines->count, count, memory_order_release);
    }
}

/* Shows the line under its name, in the place of a removed line of the same account where there is one: an account
 * whose tokens come and go does not make its run of slots longer. */
static void index_show(struct table *table, uint64_t hash, uint32_t ordinal)
{
    struct index *index = atomic_load_explicit(&table->index, memory_order_relaxed);
    uint32_t tag = (uint32_t)(hash >> 32);
    struct index_walk walk = index_walk(index, tag);
    for (int64_t at; (at = index_walk_next(&walk)) >= 0;) {
        uint64_t entry = atomic_load_explicit(&index->entries[at], memory_order_relaxed);
        struct table_hit hit = hit_at(table, entry_ordinal(entry));
        if (!is_named(&hit, hash)) continue;
        unsigned flags = atomic_load_explicit(&hit.tail->flags, memory_order_relaxed);
        if (!(flags & TABLE_REMOVED) || (flags & TABLE_FIRST)) continue;
        atomic_store_explicit(&index->entries[at], entry_make(tag, ordinal), memory_order_release);
        return;
    }
    index_put(index, entry_make(tag, ordinal));
}

struct result table_insert(struct table *table, const struct table_token *token)
{
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    enum kernel_algorithm algorithm = table_algorithm(token->ordinal);
    if (algorithm >= KERNEL_ALGORITHM_COUNT) return result_of(BAD_ARGUMENT);
    bool removed = (token->flags & TABLE_REMOVED) != 0;
    uint64_t hash = name_hash(table, token->name);
    unsigned found = find_from(table, atomic_load_explicit(&table->index, memory_order_relaxed), hash, hits);
    if (found == TABLE_ACCOUNT_TOKENS_MAX && !removed) return result_of(TABLE_TOO_MANY_TOKENS);
    TRY(lines_commit(table, algorithm, table_line_index(token->ordinal)));
    TRY(index_make_room(table));
    TRY(pending_make_room(table));
    line_write(table, token, hash);
    /* A removed line that is not the first is found by its ordinal alone. */
    if (!removed || (token->flags & TABLE_FIRST)) index_show(table, hash, token->ordinal);
    if (!removed) atomic_fetch_add_explicit(&table->token_count, 1, memory_order_relaxed);
    return result_ok();
}

void table_remove(struct table *table, uint32_t ordinal)
{
    struct table_hit hit;
    CHECK(table_line(table, ordinal, &hit));
    uint8_t flags = atomic_load_explicit(&hit.tail->flags, memory_order_relaxed);
    if (flags & TABLE_REMOVED) return;
    CHECK(table->pending_count < table->pending_capacity);
    /* One exchange both ends the token and marks the line; suspension may be set by another thread meanwhile. */
    while (!atomic_compare_exchange_weak_explicit(&hit.tail->flags, &flags,
                                                  (uint8_t)((flags & ~TABLE_LIVE) | TABLE_REMOVED),
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
    table->pending[table->pending_count++] = ordinal;
    atomic_fetch_sub_explicit(&table->token_count, 1, memory_order_relaxed);
}

static void indexes_quiesce(struct table *table)
{
    struct index *index = atomic_load_explicit(&table->index, memory_order_relaxed);
    if (index->older && table->index_seen == index) {
        atomic_fetch_sub_explicit(&table->memory_size, index_memory_size(index->older), memory_order_relaxed);
        index_destroy(index->older);
        index->older = NULL;
    }
    table->index_seen = index;
}

bool table_wipes(const struct table *table)
{
    return table->pending_count > 0;
}

void table_quiesce(struct table *table)
{
    indexes_quiesce(table);
    for (size_t i = 0; i < table->pending_old; i++) {
        uint32_t ordinal = table->pending[i];
        secret_wipe(line_at(table, ordinal), kernel_midstates_size(table_algorithm(ordinal)));
    }
    table->pending_count -= table->pending_old;
    if (table->pending_count > 0) {
        memmove(table->pending, table->pending + table->pending_old, table->pending_count * sizeof(table->pending[0]));
    }
    table->pending_old = table->pending_count;
}

uint32_t table_line_count(const struct table *table, enum kernel_algorithm algorithm)
{
    return atomic_load_explicit(&table->lines[algorithm].count, memory_order_acquire);
}

uint64_t table_token_count(const struct table *table)
{
    return atomic_load_explicit(&table->token_count, memory_order_relaxed);
}

size_t table_memory_size(const struct table *table)
{
    return atomic_load_explicit(&table->memory_size, memory_order_relaxed);
}
