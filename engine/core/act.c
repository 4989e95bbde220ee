/* An act on its way: record into the journal, rows into the store, lines into the table; and what happens when the
 * store has no room. */
#include "core/state.h"

#include <string.h>

#include "base/check.h"

enum { LOCK_WAIT_NS = 1000000 };

struct result act_lock(struct core_worker *worker)
{
    while (pthread_mutex_trylock(&worker->core->act_mutex) != 0) {
        TRY(os_step(worker->os, LOCK_WAIT_NS, NULL));
        core_poll(worker);
    }
    return result_ok();
}

struct result act_enter(struct core_worker *worker)
{
    struct core *core = worker->core;
    TRY(act_lock(worker));
    struct result result = result_ok();
    if (journal_status(core->journal).poisoned) {
        result = result_of(JOURNAL_POISONED);
    } else if (atomic_load(&core->state->pending)) {
        result = act_retry(core);
        if (result_failed(result) && result_class(result) != RESULT_FENCE) result = result_of(STORE_PENDING);
    }
    if (result_failed(result)) {
        pthread_mutex_unlock(&core->act_mutex);
        return result;
    }
    struct act_batch *batch = &core->state->batch;
    batch->slot_count = batch->durable_slots = batch->table_slots = 0;
    return result_ok();
}

void act_leave(struct core *core)
{
    pthread_mutex_unlock(&core->act_mutex);
}

struct slot_act *act_record(struct core *core, enum core_act kind, const struct core_actor *actor,
                            uint32_t payload_size, uint8_t **ret_payload)
{
    struct act_batch *batch = &core->state->batch;
    uint32_t payload_slots = (payload_size + JOURNAL_SLOT_SIZE - 1) / JOURNAL_SLOT_SIZE;
    CHECK(batch->slot_count + 1 + payload_slots <= STATE_ACTS_MAX * STATE_RECORD_SLOTS_MAX);
    uint8_t *at = batch->slots + (size_t)batch->slot_count * JOURNAL_SLOT_SIZE;
    memset(at, 0, (size_t)(1 + payload_slots) * JOURNAL_SLOT_SIZE);
    struct slot_act *act = (struct slot_act *)at;
    act->act = (uint16_t)kind;
    act->uid = actor ? actor->uid : UINT32_MAX;
    act->operator_id = actor ? actor->operator_id : 0;
    act->ordinal = UINT32_MAX;
    act->payload_size = payload_size;
    act->slot_count = (uint16_t)payload_slots;
    act->kind = SLOT_ACT;
    batch->slot_count += 1 + payload_slots;
    if (ret_payload) *ret_payload = at + JOURNAL_SLOT_SIZE;
    return act;
}

/* The records of the batch from slot `at` on; false at the end. */
static bool record_next(const struct act_batch *batch, uint32_t *at, uint32_t end, const struct slot_act **ret_act,
                        const uint8_t **ret_payload)
{
    if (*at >= end) return false;
    const uint8_t *slot = batch->slots + (size_t)*at * JOURNAL_SLOT_SIZE;
    *ret_act = (const struct slot_act *)slot;
    *ret_payload = slot + JOURNAL_SLOT_SIZE;
    *at += 1u + (*ret_act)->slot_count;
    return true;
}

struct result act_write_block(struct core_worker *worker, struct journal_block *block, int64_t journal_ms)
{
    struct act_batch *batch = &worker->core->state->batch;
    uint32_t from = batch->durable_slots, at = from, end = from;
    const struct slot_act *act;
    const uint8_t *payload;
    while (record_next(batch, &at, batch->slot_count, &act, &payload) && at - from <= block->slot_capacity) end = at;
    CHECK(end > from);
    memcpy(block->slots, batch->slots + (size_t)from * JOURNAL_SLOT_SIZE, (size_t)(end - from) * JOURNAL_SLOT_SIZE);
    TRY(core_record_commit(worker, block, end - from, journal_ms));
    batch->position = block->position;
    batch->durable_slots = end;
    return result_ok();
}

struct result act_write(struct core_worker *worker)
{
    struct act_batch *batch = &worker->core->state->batch;
    while (batch->durable_slots < batch->slot_count) {
        struct journal_block *block;
        int64_t journal_ms;
        TRY(core_record_begin(worker, &block, &journal_ms));
        TRY(act_write_block(worker, block, journal_ms));
    }
    return result_ok();
}

static struct result settle_store(struct core *core, struct store_txn *txn, bool rows_done)
{
    const struct act_batch *batch = &core->state->batch;
    const struct slot_act *act;
    const uint8_t *payload;
    if (!txn) TRY(store_begin(core->store, true, &txn));
    struct result result = result_ok();
    for (uint32_t at = 0; !rows_done && record_next(batch, &at, batch->durable_slots, &act, &payload);) {
        result = act_apply_store(core, txn, act, payload);
        if (result_failed(result)) break;
    }
    if (!result_failed(result)) result = act_apply_seal(core, txn, batch->position);
    if (result_failed(result)) {
        store_abort(core->store, txn);
        return result;
    }
    TRY(store_commit(core->store, txn));
    core->admin_position = batch->position;
    return result_ok();
}

static struct result settle_table(struct core *core)
{
    struct act_batch *batch = &core->state->batch;
    const struct slot_act *act;
    const uint8_t *payload;
    for (uint32_t at = batch->table_slots; record_next(batch, &at, batch->durable_slots, &act, &payload);) {
        TRY(act_apply_table(core, act, payload));
        batch->table_slots = at;
    }
    return result_ok();
}

/* The journal has the act, so it is done whatever happens here. A store without room leaves it pending: the table
 * follows the journal all the same (records of verifications may name a token whose row is not there yet, since
 * recovery applies the act first), no checkpoint passes it, and no other act is taken. */
void act_settle(struct core *core, struct store_txn *txn, bool rows_done)
{
    struct core_state *state = core->state;
    state->pending_store = result_failed(settle_store(core, txn, rows_done));
    bool behind = result_failed(settle_table(core));
    atomic_store(&state->pending, state->pending_store || behind);
}

struct result act_retry(struct core *core)
{
    struct core_state *state = core->state;
    if (!atomic_load(&state->pending)) return result_ok();
    if (state->pending_store) {
        TRY(settle_store(core, NULL, false));
        state->pending_store = false;
    }
    TRY(settle_table(core));
    atomic_store(&state->pending, false);
    return result_ok();
}

struct result act_simple(struct core_worker *worker, enum core_act kind, const struct core_actor *actor,
                         const void *payload, uint32_t payload_size)
{
    uint8_t *to;
    act_record(worker->core, kind, actor, payload_size, &to);
    if (payload_size > 0) memcpy(to, payload, payload_size);
    TRY(act_write(worker));
    act_settle(worker->core, NULL, false);
    return result_ok();
}

void core_act_lock(struct core *core)
{
    pthread_mutex_lock(&core->act_mutex);
}

void core_act_unlock(struct core *core)
{
    pthread_mutex_unlock(&core->act_mutex);
}
