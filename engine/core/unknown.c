/* Names without an account: a keyed table of fixed size, eight entries a set, one cache line a set, no lock.
 *
 * An entry is one word: time of the last charge 32, failures of two source classes 8 + 8, name tag 16. The count within
 * a second that a budget word has besides is left out: nothing ever resets an entry, so its failures alone make the
 * word grow. Two names with one tag in one set share their throttle. A new name takes the place of the least charged of
 * its set. */
#include "core/internal.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"

enum { WAYS = 8 };

struct unknown_table {
    uint32_t entries;
    uint64_t set_mask;
    _Atomic uint64_t *words;
    uint8_t secret[CHECKSUM_SECRET_SIZE];
};

static uint64_t entry_of(uint64_t budget, uint16_t tag)
{
    return (budget & 0xffffffff00000000u) | (budget & 0xffff) << 16 | tag;
}

static uint64_t budget_of(uint64_t entry)
{
    return (entry & 0xffffffff00000000u) | (entry >> 16 & 0xffff);
}

static bool is_charged(uint64_t entry)
{
    return entry >> 16 != 0;
}

struct result unknown_create(uint32_t entries, const uint8_t secret[32], struct unknown_table **ret_table)
{
    if (entries == 0) entries = 1u << 20;
    if ((entries & (entries - 1)) != 0 || entries < WAYS) return result_of(BAD_ARGUMENT);
    struct unknown_table *table = calloc(1, sizeof *table);
    if (!table) return result_of(NO_MEMORY);
    table->words = aligned_alloc(64, (size_t)entries * 8);
    if (!table->words) {
        free(table);
        return result_of(NO_MEMORY);
    }
    memset((void *)table->words, 0, (size_t)entries * 8);
    table->entries = entries;
    table->set_mask = entries / WAYS - 1;
    checksum_secret(secret, table->secret);
    *ret_table = table;
    return result_ok();
}

void unknown_destroy(struct unknown_table *table)
{
    if (!table) return;
    memset(table->secret, 0, sizeof table->secret);
    free((void *)table->words);
    free(table);
}

static _Atomic uint64_t *set_of(struct unknown_table *table, const uint8_t name[16], uint16_t *ret_tag)
{
    uint64_t hash = XXH3_64bits_withSecret(name, 16, table->secret, sizeof table->secret);
    *ret_tag = (uint16_t)(hash >> 48);
    return &table->words[(hash & table->set_mask) * WAYS];
}

/* The entry of this tag, or NULL. Should two threads ever have entered one name twice, the more charged one counts. */
static _Atomic uint64_t *find(_Atomic uint64_t *set, uint16_t tag, uint64_t *ret_entry)
{
    _Atomic uint64_t *found = NULL;
    *ret_entry = 0;
    for (int i = 0; i < WAYS; i++) {
        uint64_t entry = atomic_load_explicit(&set[i], memory_order_acquire);
        if (!is_charged(entry) || (uint16_t)entry != tag || entry < *ret_entry) continue;
        found = &set[i];
        *ret_entry = entry;
    }
    return found;
}

static unsigned failures_of(uint64_t entry)
{
    return (unsigned)(entry >> 24 & 0xff) + (unsigned)(entry >> 16 & 0xff);
}

/* Fewest failures first; among equals the longest ago. */
static _Atomic uint64_t *least_charged(_Atomic uint64_t *set, uint64_t *ret_entry)
{
    _Atomic uint64_t *least = &set[0];
    uint64_t least_entry = atomic_load_explicit(least, memory_order_acquire);
    for (int i = 1; i < WAYS; i++) {
        uint64_t entry = atomic_load_explicit(&set[i], memory_order_acquire);
        unsigned failures = failures_of(entry), fewest = failures_of(least_entry);
        if (failures > fewest || (failures == fewest && entry >= least_entry)) continue;
        least = &set[i];
        least_entry = entry;
    }
    *ret_entry = least_entry;
    return least;
}

uint64_t unknown_get(struct unknown_table *table, const uint8_t name[16])
{
    uint16_t tag;
    uint64_t entry;
    _Atomic uint64_t *set = set_of(table, name, &tag);
    return find(set, tag, &entry) ? budget_of(entry) : 0;
}

bool unknown_swap(struct unknown_table *table, const uint8_t name[16], uint64_t seen, uint64_t budget)
{
    uint16_t tag;
    uint64_t entry;
    _Atomic uint64_t *set = set_of(table, name, &tag);
    _Atomic uint64_t *place = find(set, tag, &entry);
    if (place && budget_of(entry) != seen) return false;
    if (!place && seen != 0) return false;
    if (!place) place = least_charged(set, &entry);
    return atomic_compare_exchange_strong(place, &entry, entry_of(budget, tag));
}

void unknown_raise(struct unknown_table *table, const uint8_t name[16], uint64_t budget)
{
    uint64_t cut = budget_of(entry_of(budget, 0));
    for (;;) {
        uint64_t seen = unknown_get(table, name);
        if (seen >= cut || unknown_swap(table, name, seen, cut)) return;
    }
}

uint32_t unknown_block_count(const struct unknown_table *table)
{
    return (table->entries + UNKNOWN_BLOCK_ENTRIES - 1) / UNKNOWN_BLOCK_ENTRIES;
}

void unknown_block_read(struct unknown_table *table, uint32_t block, uint8_t ret[UNKNOWN_BLOCK_ENTRIES * 8])
{
    size_t first = (size_t)block * UNKNOWN_BLOCK_ENTRIES;
    for (size_t i = 0; i < UNKNOWN_BLOCK_ENTRIES; i++) {
        bool inside = first + i < table->entries;
        uint64_t word = inside ? atomic_load_explicit(&table->words[first + i], memory_order_acquire) : 0;
        store_le64(ret + i * 8, word);
    }
}

void unknown_block_write(struct unknown_table *table, uint32_t block, const uint8_t bytes[UNKNOWN_BLOCK_ENTRIES * 8])
{
    size_t first = (size_t)block * UNKNOWN_BLOCK_ENTRIES;
    for (size_t i = 0; i < UNKNOWN_BLOCK_ENTRIES && first + i < table->entries; i++)
        atomic_store_explicit(&table->words[first + i], load_le64(bytes + i * 8), memory_order_release);
}
