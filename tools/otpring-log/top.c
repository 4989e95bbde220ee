#include "top.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "journal/index.h"

enum { REGISTER_BITS = 7 };
_Static_assert(1 << REGISTER_BITS == TOP_REGISTERS, "a register by the lowest bits of a hash");

bool top_create(struct top *top)
{
    *top = (struct top){.slots = calloc(TOP_SLOTS, sizeof *top->slots)};
    return top->slots != NULL;
}

void top_destroy(struct top *top)
{
    free(top->slots);
    top->slots = NULL;
}

static size_t home_of(const uint8_t key[TOP_KEY_SIZE])
{
    return (size_t)index_key(key, TOP_KEY_SIZE) % TOP_SLOTS;
}

static struct top_entry *find(const struct top *top, const uint8_t key[TOP_KEY_SIZE])
{
    size_t at = home_of(key);
    while (top->slots[at].count && memcmp(top->slots[at].key, key, TOP_KEY_SIZE) != 0) at = (at + 1) % TOP_SLOTS;
    return &top->slots[at];
}

static int by_number(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Takes the median off every count; about half of the keys go. */
static void purge(struct top *top)
{
    static _Thread_local uint64_t counts[TOP_KEYS_MAX + 1];
    struct top_entry *old = top->slots;
    size_t count = 0;
    for (size_t i = 0; i < TOP_SLOTS; i++)
        if (old[i].count) counts[count++] = old[i].count;
    qsort(counts, count, sizeof counts[0], by_number);
    uint64_t median = counts[count / 2];
    struct top_entry *fresh = calloc(TOP_SLOTS, sizeof *fresh);
    if (!fresh) abort(); /* as text_reserve: without memory there is nothing to go on with */
    top->slots = fresh;
    top->used = 0;
    top->error += median;
    for (size_t i = 0; i < TOP_SLOTS; i++) {
        if (old[i].count <= median) continue;
        struct top_entry *entry = find(top, old[i].key);
        *entry = old[i];
        entry->count -= median;
        top->used++;
    }
    free(old);
}

static void see(struct top_entry *entry, uint64_t hash)
{
    uint64_t rest = hash >> REGISTER_BITS | 1ULL << (64 - REGISTER_BITS);
    uint8_t rank = (uint8_t)(__builtin_ctzll(rest) + 1);
    uint8_t *at = &entry->registers[hash % TOP_REGISTERS];
    if (rank > *at) *at = rank;
}

static struct top_entry *take(struct top *top, const uint8_t key[TOP_KEY_SIZE])
{
    struct top_entry *entry = find(top, key);
    if (entry->count) return entry;
    if (top->used == TOP_KEYS_MAX) {
        purge(top);
        entry = find(top, key);
    }
    memcpy(entry->key, key, TOP_KEY_SIZE);
    top->used++;
    return entry;
}

void top_add(struct top *top, const uint8_t key[TOP_KEY_SIZE], uint64_t count, uint64_t other, uint64_t seen)
{
    struct top_entry *entry = take(top, key);
    entry->count += count;
    entry->other += other;
    if (seen) see(entry, seen);
}

void top_merge(struct top *into, const struct top *from)
{
    into->error += from->error;
    for (size_t i = 0; i < TOP_SLOTS; i++) {
        const struct top_entry *other = &from->slots[i];
        if (!other->count) continue;
        struct top_entry *entry = take(into, other->key);
        entry->count += other->count;
        entry->other += other->other;
        for (size_t r = 0; r < TOP_REGISTERS; r++)
            if (other->registers[r] > entry->registers[r]) entry->registers[r] = other->registers[r];
    }
}

uint64_t top_distinct(const struct top_entry *entry)
{
    double sum = 0;
    unsigned empty = 0;
    for (size_t i = 0; i < TOP_REGISTERS; i++) {
        sum += ldexp(1, -entry->registers[i]);
        empty += entry->registers[i] == 0;
    }
    double count = 0.7213 / (1 + 1.079 / TOP_REGISTERS) * TOP_REGISTERS * TOP_REGISTERS / sum;
    if (count <= 2.5 * TOP_REGISTERS && empty > 0) count = TOP_REGISTERS * log((double)TOP_REGISTERS / empty);
    return (uint64_t)llround(count);
}

static uint64_t weight(const struct top_entry *entry, bool by_distinct)
{
    return by_distinct ? top_distinct(entry) : entry->count;
}

/* Greater first; keys decide between equals, so that a list is the same each time. */
static bool before(const struct top_entry *a, const struct top_entry *b, bool by_distinct)
{
    uint64_t left = weight(a, by_distinct), right = weight(b, by_distinct);
    if (left != right) return left > right;
    if (a->count != b->count) return a->count > b->count;
    return memcmp(a->key, b->key, TOP_KEY_SIZE) < 0;
}

size_t top_list(const struct top *top, bool by_distinct, size_t count, const struct top_entry **ret_entries)
{
    size_t have = 0;
    for (size_t i = 0; i < TOP_SLOTS; i++) {
        const struct top_entry *entry = &top->slots[i];
        if (!entry->count) continue;
        if (have == count && !before(entry, ret_entries[have - 1], by_distinct)) continue;
        size_t at = have < count ? have++ : have - 1;
        for (; at > 0 && before(entry, ret_entries[at - 1], by_distinct); at--) ret_entries[at] = ret_entries[at - 1];
        ret_entries[at] = entry;
    }
    return have;
}
