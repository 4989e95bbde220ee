/* A change in the making, and its end. Records go into the batch of acts, where act.c takes them through journal, store
 * and table; what is different is that all of them must fit one block. */
#include "core/change.h"

#include <string.h>

#include "base/check.h"
#include "core/change_state.h"
#include "core/state.h"
#include "core/turn_state.h"

struct result core_change_begin(struct core_worker *worker, const struct core_actor *actor,
                                struct core_change **ret_change)
{
    struct core *core = worker->core;
    struct core_change *change = &core->state->change;
    TRY(act_enter(worker));
    *change = (struct core_change){
        .worker = worker, .actor = *actor, .failure = result_ok(), .slots_max = worker->turns->slots_max};
    change->adding = adding_begin(worker, &change->actor);
    struct result result = store_begin(core->store, true, &change->adding.txn);
    if (result_failed(result)) {
        act_leave(core);
        return result;
    }
    *ret_change = change;
    return result_ok();
}

struct store_txn *core_change_txn(struct core_change *change)
{
    return change->adding.txn;
}

int64_t core_change_now_ms(const struct core_change *change)
{
    return change->adding.now_ms;
}

static struct core *core_of(const struct core_change *change)
{
    return change->worker->core;
}

static struct act_batch *batch_of(const struct core_change *change)
{
    return &core_of(change)->state->batch;
}

static uint32_t slots_of(uint32_t size)
{
    return (size + JOURNAL_SLOT_SIZE - 1) / JOURNAL_SLOT_SIZE;
}

static struct slot_act *record_of(const struct core_change *change, uint32_t at)
{
    return (struct slot_act *)(batch_of(change)->slots + (size_t)at * JOURNAL_SLOT_SIZE);
}

/* A record that says what it says, and nothing more: true with `slots` more in the block. */
static bool room(const struct core_change *change, uint32_t slots)
{
    return batch_of(change)->slot_count + slots <= change->slots_max;
}

uint32_t core_change_slots_left(const struct core_change *change)
{
    return change->slots_max - batch_of(change)->slot_count;
}

/* Whatever comes next is another record's. */
static void record_end(struct core_change *change)
{
    if (!change->open) return;
    change_head_rows((uint8_t *)(record_of(change, change->record_at) + 1), change->row_count);
    change->open = false;
}

static struct result broken(struct core_change *change, struct result result)
{
    if (result_failed(result) && !result_failed(change->failure)) change->failure = result;
    return result;
}

struct result core_change_record(struct core_change *change, const struct core_change_act *act)
{
    uint8_t head[CHANGE_HEAD_MAX], *payload;
    size_t size;
    TRY(change->failure);
    record_end(change);
    TRY(change_head_encode(act, head, &size));
    if (!room(change, 1 + slots_of((uint32_t)size))) return broken(change, result_of(CHANGE_TOO_LARGE));
    change->record_at = batch_of(change)->slot_count;
    struct slot_act *slot = act_record(core_of(change), ACT_CHANGE, &change->actor, (uint32_t)size, &payload);
    memcpy(payload, head, size);
    memcpy(slot->name, act->account, sizeof(slot->name));
    change->record_size = (uint32_t)size;
    change->row_count = 0;
    change->open = true;
    return result_ok();
}

/* The open record is the batch's last, so it grows where it stands. */
static struct result record_grow(struct core_change *change, uint32_t size, uint8_t **ret_at)
{
    struct slot_act *slot = record_of(change, change->record_at);
    uint32_t before = slot->slot_count, after = slots_of(change->record_size + size);
    if (!room(change, after - before)) return result_of(CHANGE_TOO_LARGE);
    uint8_t *payload = (uint8_t *)(slot + 1);
    memset(payload + (size_t)before * JOURNAL_SLOT_SIZE, 0, (size_t)(after - before) * JOURNAL_SLOT_SIZE);
    *ret_at = payload + change->record_size;
    change->record_size += size;
    slot->payload_size = change->record_size;
    slot->slot_count = (uint16_t)after;
    batch_of(change)->slot_count += after - before;
    return result_ok();
}

static struct result row_add(struct core_change *change, const struct core_change_row *row)
{
    uint8_t *at;
    TRY(change->failure);
    if (!change->open || !change_map_valid(row->map, row->erase) || row->key.size == 0 ||
        row->key.size > STORE_KEY_SIZE_MAX || row->value.size > CHANGE_VALUE_MAX) {
        return result_of(BAD_ARGUMENT);
    }
    if (change->row_count == CORE_CHANGE_ROWS_MAX) return result_of(CHANGE_TOO_LARGE);
    TRY(record_grow(change, (uint32_t)(CHANGE_ROW_HEAD_SIZE + row->key.size + row->value.size), &at));
    change_row_encode(row->map, row->erase, row->key, row->value, at);
    change->row_count++;
    /* From the record's copy: a put may move what the caller read in this transaction. */
    struct core_change_row copy = *row;
    copy.key.bytes = at + CHANGE_ROW_HEAD_SIZE;
    copy.value.bytes = at + CHANGE_ROW_HEAD_SIZE + row->key.size;
    return change_row_apply(core_of(change), change->adding.txn, &copy);
}

struct result core_change_put(struct core_change *change, enum store_map map, struct store_bytes key,
                              struct store_bytes value)
{
    return broken(change, row_add(change, &(struct core_change_row){.map = map, .key = key, .value = value}));
}

struct result core_change_erase(struct core_change *change, enum store_map map, struct store_bytes key)
{
    return broken(change, row_add(change, &(struct core_change_row){.map = map, .erase = true, .key = key}));
}

/* The floor of a line that this change removes may still rise until the block is begun, so its seed cannot start again
 * within the change: it is live until the commit. */
static struct result seed_check(struct core_change *change, const struct core_token_spec *spec)
{
    struct core *core = core_of(change);
    struct fingerprint_row kept;
    uint8_t fingerprint[16];
    vault_fingerprint(core->vault, spec->seed, spec->seed_size, fingerprint);
    struct result got = row_fingerprint_get(core, change->adding.txn, fingerprint, &kept);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    for (uint32_t at = 0; at < batch_of(change)->slot_count;) {
        const struct slot_act *slot = record_of(change, at);
        if (slot->act == ACT_TOKEN_REMOVE && slot->ordinal == kept.ordinal) return result_of(STORE_SEED_LIVE);
        at += 1u + slot->slot_count;
    }
    return result_ok();
}

struct result core_change_token_add(struct core_change *change, const struct core_token_spec *spec,
                                    uint32_t *ret_ordinal)
{
    bool lost = false;
    TRY(change->failure);
    record_end(change);
    if (!room(change, STATE_RECORD_SLOTS_MAX)) return result_of(CHANGE_TOO_LARGE);
    if (spec->seed_size >= OTP_SEED_SIZE_MIN && spec->seed_size <= OTP_SEED_SIZE_MAX) TRY(seed_check(change, spec));
    struct result result = adding_token(&change->adding, spec, ret_ordinal, &lost);
    return lost ? broken(change, result) : result;
}

/* Words are taken when the block is begun: until then verification goes on. */
struct result core_change_token(struct core_change *change, enum core_act act, uint32_t ordinal)
{
    struct core *core = core_of(change);
    struct token_row row;
    struct table_hit hit;
    TRY(change->failure);
    record_end(change);
    if (act != ACT_TOKEN_REMOVE && act != ACT_TOKEN_SUSPEND && act != ACT_TOKEN_RESUME) return result_of(BAD_ARGUMENT);
    if (!room(change, 1)) return result_of(CHANGE_TOO_LARGE);
    TRY(row_token_get(core, change->adding.txn, ordinal, &row));
    if (row.state == TOKEN_REMOVED || !table_line(core->table, ordinal, &hit)) return result_of(STORE_NOT_FOUND);
    if (act == ACT_TOKEN_RESUME && row.state == TOKEN_UNSYNCED) return result_of(FLOOR_UNKNOWN);
    struct slot_act *slot = act_record(core, act, &change->actor, 0, NULL);
    slot->ordinal = ordinal;
    slot->token = atomic_load(&hit.tail->token) + 1;
    memcpy(slot->name, row.name, sizeof(slot->name));
    return broken(change, act_apply_store(core, change->adding.txn, slot, NULL));
}

struct result core_change_unlock(struct core_change *change, const uint8_t name[16])
{
    struct core *core = core_of(change);
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    TRY(change->failure);
    record_end(change);
    if (!room(change, 1)) return result_of(CHANGE_TOO_LARGE);
    if (table_find(core->table, name, hits) == 0) return result_of(STORE_NOT_FOUND);
    struct slot_act *slot = act_record(core, ACT_ACCOUNT_UNLOCK, &change->actor, 0, NULL);
    memcpy(slot->name, name, sizeof(slot->name));
    slot->ordinal = hits[0].ordinal;
    return result_ok();
}

/* The words of the records that raise one, in their order. */
static void words_raise(struct core_change *change, int64_t journal_ms)
{
    struct core *core = core_of(change);
    struct table_hit hit;
    for (uint32_t at = 0; at < batch_of(change)->slot_count;) {
        struct slot_act *slot = record_of(change, at);
        at += 1u + slot->slot_count;
        switch (slot->act) {
        case ACT_TOKEN_REMOVE:
        case ACT_TOKEN_SUSPEND:
        case ACT_TOKEN_RESUME:
            CHECK(table_line(core->table, slot->ordinal, &hit));
            slot->token = act_token_raise((enum core_act)slot->act, &hit);
            break;
        case ACT_ACCOUNT_UNLOCK:
            CHECK(table_line(core->table, slot->ordinal, &hit));
            slot->budget = act_budget_reset(&hit, journal_ms);
            break;
        default:
            break;
        }
    }
}

/* Whether a record's word is taken only when the block is begun: its row cannot be final before. */
static bool words_open(const struct core_change *change)
{
    for (uint32_t at = 0; at < batch_of(change)->slot_count;) {
        const struct slot_act *slot = record_of(change, at);
        at += 1u + slot->slot_count;
        if (slot->act == ACT_TOKEN_REMOVE || slot->act == ACT_TOKEN_SUSPEND || slot->act == ACT_TOKEN_RESUME) {
            return true;
        }
    }
    return false;
}

static struct result change_write(struct core_change *change)
{
    struct journal_block *block;
    int64_t journal_ms;
    TRY(core_record_begin(change->worker, &block, &journal_ms));
    CHECK(batch_of(change)->slot_count <= block->slot_capacity);
    words_raise(change, journal_ms);
    return act_write_block(change->worker, block, journal_ms);
}

struct result core_change_person_key(struct core_change *change, const uint8_t name[16],
                                     const uint8_t key[VAULT_PERSON_KEY_SIZE])
{
    struct store *store = core_of(change)->store;
    struct store_txn *txn = change->adding.txn;
    struct store_bytes old;
    TRY(change->failure);
    if (change->key_count == CORE_CHANGE_KEYS_MAX) return result_of(CHANGE_TOO_LARGE);
    struct result got = store_get(store, txn, STORE_PERSON_KEYS, bytes_of(name, 16), &old);
    if (!result_failed(got)) return result_of(STORE_EXISTS);
    if (got.code != STORE_NOT_FOUND) return got;
    struct change_key *to = &change->keys[change->key_count++];
    memcpy(to->name, name, sizeof(to->name));
    memcpy(to->key, key, sizeof(to->key));
    return broken(change, store_put(store, txn, STORE_PERSON_KEYS, bytes_of(name, 16), bytes_of(key, sizeof(to->key))));
}

/* Durable before the journal speaks of what is sealed under them. */
static struct result keys_write(struct core_change *change)
{
    struct store *store = core_of(change)->store;
    struct store_txn *txn;
    if (change->key_count == 0) return result_ok();
    TRY(store_begin(store, true, &txn));
    struct result result = result_ok();
    for (uint32_t i = 0; i < change->key_count && !result_failed(result); i++) {
        const struct change_key *key = &change->keys[i];
        result = store_put(store, txn, STORE_PERSON_KEYS, bytes_of(key->name, sizeof(key->name)),
                           bytes_of(key->key, sizeof(key->key)));
    }
    if (!result_failed(result)) return store_commit(store, txn);
    store_abort(store, txn);
    return result;
}

struct result core_change_commit(struct core_change *change)
{
    struct core *core = core_of(change);
    if (result_failed(change->failure) || batch_of(change)->slot_count == 0) {
        struct result failure = change->failure;
        core_change_abandon(change);
        return failure;
    }
    record_end(change);
    /* What the judging has put is committed as it stands, unless rows are still to change, or keys go to the store
     * before the journal speaks: then the rows are put again, from the records. */
    struct store_txn *txn = change->adding.txn;
    if (change->key_count > 0 || words_open(change)) {
        store_abort(core->store, txn);
        txn = NULL;
    }
    struct result result = keys_write(change);
    if (result_failed(result)) {
        adding_give_back(&change->adding);
        act_leave(core);
        return result;
    }
    result = change_write(change);
    if (!result_failed(result)) {
        act_settle(core, txn, txn != NULL);
        act_leave(core);
        return result;
    }
    if (txn) store_abort(core->store, txn);
    if (result.code == JOURNAL_NO_ROOM || result.code == FULL) {
        /* Of a block that failed under way nobody knows what is on the disk. */
        adding_give_back(&change->adding);
    }
    act_leave(core);
    return result;
}

void core_change_abandon(struct core_change *change)
{
    struct core *core = core_of(change);
    store_abort(core->store, change->adding.txn);
    adding_give_back(&change->adding);
    batch_of(change)->slot_count = 0;
    act_leave(core);
}
