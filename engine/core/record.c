/* Records of acts: one journal block, filled by the caller, waited for on the worker's own os. And the wait of the
 * checkpoint. */
#include "core/turn_state.h"

#include <string.h>

#include "base/check.h"

#define WAIT_NS 1000000u

struct record {
    struct block_owner block_owner;
    bool settled;
    struct result result;
};

static void record_settled(struct block_owner *owner, struct result result)
{
    struct record *record = (struct record *)owner;
    record->settled = true;
    record->result = result;
}

static void lost_settled(struct block_owner *owner, struct result result)
{
    (void)owner;
    (void)result;
}

void act_session_write(uint8_t *slots, const struct act_session *act, uint32_t uid)
{
    struct slot_act slot = {.payload_size = sizeof *act,
                            .ordinal = NO_ORDINAL,
                            .uid = uid,
                            .act = ACT_SESSION_OPEN,
                            .slot_count = 1,
                            .kind = SLOT_ACT};
    memcpy(slots, &slot, sizeof slot);
    memset(slots + JOURNAL_SLOT_SIZE, 0, JOURNAL_SLOT_SIZE);
    memcpy(slots + JOURNAL_SLOT_SIZE, act, sizeof *act);
}

struct result core_record_begin(struct core_worker *worker, struct journal_block **ret_block, int64_t *ret_journal_ms)
{
    for (;;) {
        struct result result = journal_begin(worker->writer, ret_block);
        if (!result_failed(result)) break;
        if (result.code == JOURNAL_POISONED) core_poisoned(worker->core);
        if (result.code != FULL) return result;
        TRY(os_step(worker->os, WAIT_NS, NULL));
        core_poll(worker);
    }
    /* An act does not rest on the wall clock: it is recorded at journal time even while the clock is unsure. */
    struct os_time now = os_time(worker->os);
    int64_t journal_ms;
    if (!clock_turn(&worker->core->clock, now, &journal_ms)) journal_ms = clock_journal_ms(&worker->core->clock, now);
    *ret_journal_ms = journal_ms;
    (*ret_block)->owner = NULL;
    progress_begin(worker);
    return result_ok();
}

struct result core_record_commit(struct core_worker *worker, struct journal_block *block, uint32_t slot_count,
                                 int64_t journal_ms)
{
    struct record record = {.block_owner.settled = record_settled};
    uint64_t number = worker->turns->begun;
    block->owner = &record.block_owner;
    journal_append(block, slot_count, journal_ms);
    while (!record.settled) {
        struct result stepped = os_step(worker->os, WAIT_NS, NULL);
        if (result_failed(stepped)) {
            /* The os is dead: poisoning settles the block, which must not outlive this call. */
            journal_poison(worker->core->journal);
            core_poisoned(worker->core);
        }
        journal_poll(worker->writer);
        if (result_failed(stepped) && !record.settled) {
            worker->turns->lost.settled = lost_settled;
            block->owner = &worker->turns->lost;
            return stepped;
        }
    }
    if (result_failed(record.result)) {
        core_poisoned(worker->core);
        return record.result;
    }
    progress_end(worker, number);
    return result_ok();
}

void core_record_abandon(struct core_worker *worker, struct journal_block *block)
{
    journal_abandon(block);
    progress_end(worker, worker->turns->begun);
}

struct result core_wait_all_durable(struct core_worker *worker)
{
    uint64_t begun[CORE_WORKERS_MAX];
    uint32_t count = progress_snapshot(worker, begun);
    for (;;) {
        core_poll(worker);
        if (progress_reached(worker, begun, count, true)) return result_ok();
        if (atomic_load(&worker->core->stop_reason) == OTPRING_REASON_POISONED) return result_of(JOURNAL_POISONED);
        TRY(os_step(worker->os, WAIT_NS, NULL));
    }
}
