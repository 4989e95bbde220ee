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

/* The entries of a set as they were seen at one look. A new name's place is chosen from the same look that did not find
 * it: of two threads that enter one name, the second then finds the place taken, whichever it would choose later. */
struct look {
    uint64_t entries[WAYS];
};

static struct look look_at(_Atomic uint64_t *set)
{
    struct look look;
    for (int i = 0; i < WAYS; i++) look.entries[i] = atomic_load_explicit(&set[i], memory_order_acquire);
    return look;
}

/* Where this tag stands, -1: nowhere. Should a name ever stand twice, the more charged entry counts. */
static int find(const struct look *look, uint16_t tag)
{
    int found = -1;
    for (int i = 0; i < WAYS; i++) {
        if (!is_charged(look->entries[i]) || (uint16_t)look->entries[i] != tag) continue;
        if (found < 0 || look->entries[i] > look->entries[found]) found = i;
    }
    return found;
}

static unsigned failures_of(uint64_t entry)
{
    return (unsigned)(entry >> 24 & 0xff) + (unsigned)(entry >> 16 & 0xff);
}

/* Fewest failures first; among equals the longest ago. */
static int least_charged(const struct look *look)
{
    int least = 0;
    for (int i = 1; i < WAYS; i++) {
        unsigned failures = failures_of(look->entries[i]), fewest = failures_of(look->entries[least]);
        if (failures < fewest || (failures == fewest && look->entries[i] < look->entries[least])) least = i;
    }
    return least;
}

uint64_t unknown_get(struct unknown_table *table, const uint8_t name[16])
{
    uint16_t tag;
    struct look look = look_at(set_of(table, name, &tag));
    int at = find(&look, tag);
    return at < 0 ? 0 : budget_of(look.entries[at]);
}

bool unknown_swap(struct unknown_table *table, const uint8_t name[16], uint64_t seen, uint64_t budget)
{
    uint16_t tag;
    _Atomic uint64_t *set = set_of(table, name, &tag);
    struct look look = look_at(set);
    int at = find(&look, tag);
    if ((at < 0 ? 0 : budget_of(look.entries[at])) != seen) return false;
    if (at < 0) at = least_charged(&look);
    return atomic_compare_exchange_strong(&set[at], &look.entries[at], entry_of(budget, tag));
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
