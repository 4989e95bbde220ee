/* May this user pass without a code? Answered in a turn, from memory: the gates (gate.h) and the lines of the table.
 *
 *   company's gate     user's gate    a line, at any time    answer
 *   WAITING            any            any                    NOT_REQUIRED, SCHEME: nothing is enforced yet
 *   ENFORCED or none   WAIVED         any                    NOT_REQUIRED, WAIVED
 *   ENFORCED or none   PENDING        any                    REQUIRED
 *   ENFORCED or none   none           yes                    REQUIRED: also suspended, removed, lost
 *   ENFORCED or none   none           no                     UNAVAILABLE, NOT_KNOWN: nobody can say
 *
 * A company without a gate is one of a store without people: there, having had a token is all that is known. An
 * account's first line stays in the index for ever, so what was required once is required until a gate says otherwise.
 *
 * The gates in memory are a set with open addressing, hashed with the store's secret. One writer (the act mutex), any
 * number of readers: an entry's name is written before its gate and never changes, so whoever sees a gate sees its
 * name. A set that is grown out of stays until the end, since a reader may be in it: all of them together are no larger
 * than the last one. */
#include "core/gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "core/internal.h"
#include "core/state.h"

enum { PLACES_MIN = 1024, GATE_USED = 0x80 };

struct gate_entry {
    uint8_t name[16];
    _Atomic uint32_t gate; /* 0: free; else GATE_USED and the gate, also GATE_NONE */
};

struct gate_set {
    struct gate_set *older;
    uint64_t place_count; /* a power of two */
    struct gate_entry entries[];
};

struct gates {
    uint8_t secret[CHECKSUM_SECRET_SIZE];
    struct gate_set *_Atomic set;
    uint64_t used; /* places taken, those of gates that are gone too; the writer's */
};

static struct gate_set *set_create(uint64_t place_count)
{
    struct gate_set *set = calloc(1, sizeof(*set) + place_count * sizeof(struct gate_entry));
    if (set) set->place_count = place_count;
    return set;
}

struct result gates_create(const uint8_t secret[32], struct gates **ret_gates)
{
    struct gates *gates = calloc(1, sizeof(*gates));
    struct gate_set *set = set_create(PLACES_MIN);
    if (!gates || !set) {
        free(gates);
        free(set);
        return result_of(NO_MEMORY);
    }
    checksum_secret(secret, gates->secret);
    atomic_store(&gates->set, set);
    *ret_gates = gates;
    return result_ok();
}

void gates_destroy(struct gates *gates)
{
    if (!gates) return;
    for (struct gate_set *set = atomic_load(&gates->set); set;) {
        struct gate_set *older = set->older;
        free(set);
        set = older;
    }
    free(gates);
}

/* The name's entry, or the free one that it would take, with its gate as read. At most half of the places are taken, so
 * there is one. A free entry may become another name's at once: only its gate as read here may be believed. */
static struct gate_entry *entry_find(const struct gates *gates, struct gate_set *set, const uint8_t name[16],
                                     uint32_t *ret_gate)
{
    uint64_t hash[2];
    checksum128_keyed(name, 16, gates->secret, (uint8_t *)hash);
    for (uint64_t at = hash[0];; at++) {
        struct gate_entry *entry = &set->entries[at & (set->place_count - 1)];
        *ret_gate = atomic_load_explicit(&entry->gate, memory_order_acquire);
        if (*ret_gate == 0 || memcmp(entry->name, name, 16) == 0) return entry;
    }
}

uint8_t gates_get(const struct gates *gates, const uint8_t name[16])
{
    uint32_t gate;
    (void)entry_find(gates, atomic_load_explicit(&gates->set, memory_order_acquire), name, &gate);
    return (uint8_t)(gate & ~(uint32_t)GATE_USED);
}

static void entry_take(struct gate_entry *entry, const uint8_t name[16], uint32_t gate)
{
    memcpy(entry->name, name, 16);
    atomic_store_explicit(&entry->gate, GATE_USED | gate, memory_order_release);
}

/* Twice the places of what is in use, without the gates that are gone. */
static struct result grow(struct gates *gates)
{
    struct gate_set *old = atomic_load(&gates->set);
    uint64_t live = 0;
    for (uint64_t i = 0; i < old->place_count; i++) live += atomic_load(&old->entries[i].gate) > GATE_USED;
    struct gate_set *set = set_create(live * 4 > old->place_count ? old->place_count * 2 : old->place_count);
    if (!set) return result_of(NO_MEMORY);
    for (uint64_t i = 0; i < old->place_count; i++) {
        uint32_t gate = atomic_load(&old->entries[i].gate), none;
        if (gate <= GATE_USED) continue;
        entry_take(entry_find(gates, set, old->entries[i].name, &none), old->entries[i].name,
                   gate & ~(uint32_t)GATE_USED);
    }
    set->older = old;
    gates->used = live;
    atomic_store_explicit(&gates->set, set, memory_order_release);
    return result_ok();
}

struct result gates_set(struct gates *gates, const uint8_t name[16], uint8_t gate)
{
    struct gate_set *set = atomic_load(&gates->set);
    uint32_t before;
    struct gate_entry *entry = entry_find(gates, set, name, &before);
    if (before != 0) {
        atomic_store_explicit(&entry->gate, GATE_USED | gate, memory_order_release);
        return result_ok();
    }
    if (gate == GATE_NONE) return result_ok();
    if ((gates->used + 1) * 2 > set->place_count) {
        TRY(grow(gates));
        entry = entry_find(gates, atomic_load(&gates->set), name, &before);
    }
    gates->used++;
    entry_take(entry, name, gate);
    return result_ok();
}

uint64_t gates_size(const struct gates *gates)
{
    uint64_t size = sizeof(*gates);
    for (const struct gate_set *set = atomic_load(&gates->set); set; set = set->older) {
        size += sizeof(*set) + set->place_count * sizeof(struct gate_entry);
    }
    return size;
}

/* ---- the answer ---- */

enum otpring_verdict required_of(const struct core *core, const uint8_t name[16], bool has_line,
                                 enum otpring_reason *ret_reason)
{
    uint8_t company[16] = {0};
    memcpy(company, name, 8);
    *ret_reason = OTPRING_REASON_NONE;
    if (gates_get(core->gates, company) == GATE_WAITING) {
        *ret_reason = OTPRING_REASON_SCHEME;
        return OTPRING_NOT_REQUIRED;
    }
    uint8_t gate = gates_get(core->gates, name);
    if (gate == GATE_WAIVED) {
        *ret_reason = OTPRING_REASON_WAIVED;
        return OTPRING_NOT_REQUIRED;
    }
    if (gate == GATE_PENDING || has_line) return OTPRING_REQUIRED;
    *ret_reason = OTPRING_REASON_NOT_KNOWN;
    return OTPRING_UNAVAILABLE;
}

enum otpring_verdict core_required(struct core *core, const uint8_t name[16], enum otpring_reason *ret_reason)
{
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    return required_of(core, name, table_find(core->table, name, hits) > 0, ret_reason);
}

/* ---- rows ---- */

struct result gates_row_apply(struct core *core, const struct core_change_row *row)
{
    enum core_gate gate = GATE_NONE;
    if (row->map != STORE_GATES) return result_ok();
    if (row->key.size != 16) return result_of(STORE_DAMAGED);
    if (!row->erase) TRY(gate_decode(row->value, &gate));
    return gates_set(core->gates, row->key.bytes, (uint8_t)gate);
}

static struct result gate_load(void *unused, struct core *core, const uint8_t *key, struct store_bytes value)
{
    enum core_gate gate;
    (void)unused;
    TRY(gate_decode(value, &gate));
    return gates_set(core->gates, key, (uint8_t)gate);
}

struct result recover_gates(struct core *core, struct store_txn *txn)
{
    return recover_map(core, txn, STORE_GATES, 16, gate_load, NULL);
}
