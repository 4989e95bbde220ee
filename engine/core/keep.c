/* Housekeeping: what is done beside verification, in bounded steps; by two threads, or by one that is alone. */
#include "core/state.h"

#include "base/check.h"

enum { CHECKPOINT_RETRY_MS = 1000, EXPIRE_EVERY_MS = 1000, FINISH_WAIT_NS = 1000000 };

static void session_gone(void *context, uint64_t id)
{
    (void)context;
    (void)id; /* its row goes with the next checkpoint, which keeps the rows of living sessions alone */
}

/* Every worker that was in a turn at the last call has ended it: nobody holds a line found before, nor walks an index
 * that was no longer the newest then. */
static void quiesce_try(struct core *core)
{
    struct core_state *state = core->state;
    for (unsigned i = 0; i < CORE_WORKERS_MAX; i++) {
        const struct core_progress *progress = &core->progress[i];
        if (!atomic_load(&progress->used)) continue;
        if (atomic_load_explicit(&progress->durable, memory_order_acquire) < state->quiesce_begun[i]) return;
    }
    table_quiesce(core->table);
    for (unsigned i = 0; i < CORE_WORKERS_MAX; i++) {
        state->quiesce_begun[i] = atomic_load(&core->progress[i].begun);
    }
}

/* Each checkpoint writes 17 bytes of every token, so a store of many makes them further apart. */
static uint64_t checkpoint_bytes(const struct core *core)
{
    enum { LEAST = 256 << 20, A_TOKEN = 64 };
    if (core->options.checkpoint_bytes) return core->options.checkpoint_bytes;
    uint64_t tokens = 0;
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) tokens += table_line_count(core->table, (enum kernel_algorithm)a);
    return LEAST + tokens * A_TOKEN;
}

static bool checkpoint_due(const struct core *core, const struct journal_status *status)
{
    uint64_t bytes = status->bytes_appended - core->checkpoint_bytes_at + core->state->replayed_bytes;
    bool could_free = status->no_room && status->durable_through > atomic_load(&core->checkpoint_position);
    return bytes >= checkpoint_bytes(core) || could_free;
}

/* Under the act mutex, nothing pending. What stands in the way is tried again. */
static struct result keep_checkpoint(struct core_worker *worker)
{
    struct core *core = worker->core;
    struct checkpoint_progress *checkpoint = &core->state->checkpoint;
    struct journal_status status = journal_status(core->journal);
    int64_t now_ms = (int64_t)os_time(worker->os).boot_ms;
    if (status.poisoned) return result_of(JOURNAL_POISONED);
    if (now_ms < checkpoint->next_ms) return result_ok();
    if (!checkpoint->begun && !checkpoint_due(core, &status)) return result_ok();
    bool done;
    struct result result = checkpoint_piece(worker, &done);
    bool retry = result_failed(result) && result_class(result) == RESULT_RETRY;
    checkpoint->next_ms = now_ms + (retry ? CHECKPOINT_RETRY_MS : CORE_CHECKPOINT_PAUSE_MS);
    return retry ? result_ok() : result;
}

bool core_keep_rest(struct core_worker *worker)
{
    return journal_keep_rest(worker->core->journal, worker->writer);
}

struct result core_keep_store(struct core_worker *worker, bool *ret_more)
{
    struct core *core = worker->core;
    *ret_more = false;
    TRY(act_lock(worker));
    struct result result = act_retry(core);
    if (!result_failed(result)) {
        quiesce_try(core);
        result = keep_checkpoint(worker);
        *ret_more = core->state->checkpoint.begun || table_wipes(core->table);
    } else if (result_class(result) == RESULT_RETRY) {
        result = result_ok(); /* tried again with the next step; core_status tells */
    }
    pthread_mutex_unlock(&core->act_mutex);
    return result;
}

struct result core_keep_journal(struct core_worker *worker, bool *ret_more)
{
    struct core *core = worker->core;
    int64_t now_ms = clock_journal_ms(&core->clock, os_time(worker->os));
    *ret_more = false;
    /* Without memory for more there is what there is; it is tried again with the next step. */
    (void)!result_failed(marks_keep(core->marks));
    TRY(journal_keep(core->journal, worker->writer, now_ms, atomic_load(&core->checkpoint_position), ret_more));
    /* Idle times are seconds; each look takes every session's lock from the workers. */
    if (now_ms - core->state->expired_ms >= EXPIRE_EVERY_MS) {
        core->state->expired_ms = now_ms;
        sessions_expire(core->sessions, now_ms, session_gone, NULL);
    }
    return result_ok();
}

struct result core_keep(struct core_worker *worker, bool *ret_more)
{
    TRY(core_keep_store(worker, ret_more));
    return core_keep_journal(worker, ret_more);
}

struct result core_prune(struct core_worker *worker, uint64_t through)
{
    struct core *core = worker->core;
    TRY(core_checkpoint(worker));
    struct journal_status status = journal_status(core->journal);
    if (through > atomic_load(&core->checkpoint_position) || through > status.sealed_through)
        return result_of(JOURNAL_NEEDED);
    journal_prune(core->journal, through);
    return result_ok();
}

/* A stop comes when it comes: where the segment is just full, the next one is made ready first. */
static struct result stop_write(struct core_worker *worker)
{
    for (;;) {
        TRY(act_enter(worker));
        struct result result = act_simple(worker, ACT_STOP, NULL, NULL, 0);
        act_leave(worker->core);
        if (result.code != JOURNAL_NO_ROOM) return result;
        bool more = false;
        TRY(core_keep(worker, &more));
        if (more) continue;
        if (journal_in_flight(worker->writer) == 0) return result;
        TRY(os_step(worker->os, FINISH_WAIT_NS, NULL));
        core_poll(worker);
    }
}

struct result core_finish(struct core_worker *worker)
{
    struct core *core = worker->core;
    TRY(stop_write(worker));
    TRY(core_checkpoint(worker));
    int64_t now_ms = clock_journal_ms(&core->clock, os_time(worker->os));
    return journal_finish(core->journal, worker->writer, now_ms);
}
