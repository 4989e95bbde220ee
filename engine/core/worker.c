/* A worker's life, and its progress as the others see it.
 *
 * begun is raised (sequentially consistent) before a turn reads its first word, durable when its block is. So whoever
 * read a word that an undurable turn had changed finds that turn among those begun. A waiting worker says so before it
 * looks at the others' durable once more, and the others look for waiting workers after they raised it: one of the two
 * sees the other. */
#include "core/turn_state.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "os/arena.h"

uint64_t progress_begin(struct core_worker *worker)
{
    struct turns *turns = worker->turns;
    turns->open++;
    turns->begun++;
    atomic_store(&worker->core->progress[worker->index].begun, turns->begun);
    return turns->begun;
}

static void wake_waiting(struct core *core, uint32_t own)
{
    uint32_t count = atomic_load(&core->worker_count);
    for (uint32_t i = 0; i < count; i++) {
        struct core_progress *progress = &core->progress[i];
        if (i == own || !atomic_load(&progress->waiting)) continue;
        /* Its os stays while wakers is not 0 and it was seen waiting: see core_worker_destroy. */
        atomic_fetch_add(&progress->wakers, 1);
        struct os *os = atomic_load(&progress->os);
        if (os && atomic_load(&progress->waiting)) os_wake(os);
        atomic_fetch_sub(&progress->wakers, 1);
    }
}

void progress_end(struct core_worker *worker, uint64_t number)
{
    struct turns *turns = worker->turns;
    struct core_progress *progress = &worker->core->progress[worker->index];
    CHECK(turns->open > 0);
    turns->open--;
    /* What was given up before an earlier turn settled counts when nothing is open any more. */
    uint64_t durable = turns->open == 0 ? turns->begun : number;
    if (durable > atomic_load(&progress->durable)) atomic_store(&progress->durable, durable);
    if (atomic_load(&worker->core->workers_waiting)) wake_waiting(worker->core, worker->index);
}

uint32_t progress_snapshot(const struct core_worker *worker, uint64_t others[CORE_WORKERS_MAX])
{
    uint32_t count = atomic_load(&worker->core->worker_count);
    for (uint32_t i = 0; i < count; i++) others[i] = atomic_load(&worker->core->progress[i].begun);
    return count;
}

bool progress_reached(const struct core_worker *worker, const uint64_t *others, uint32_t count, bool own_too)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i == worker->index && !own_too) continue;
        if (atomic_load(&worker->core->progress[i].durable) < others[i]) return false;
    }
    return true;
}

void progress_waiting_set(struct core_worker *worker, bool waiting)
{
    struct core_progress *progress = &worker->core->progress[worker->index];
    if (atomic_load(&progress->waiting) == waiting) return;
    atomic_store(&progress->waiting, waiting);
    if (waiting) {
        atomic_fetch_add(&worker->core->workers_waiting, 1);
    } else {
        atomic_fetch_sub(&worker->core->workers_waiting, 1);
    }
}

void core_poisoned(struct core *core)
{
    atomic_store(&core->stop_reason, OTPRING_REASON_POISONED);
}

void core_stop(struct core *core)
{
    int none = OTPRING_REASON_NONE;
    atomic_compare_exchange_strong(&core->stop_reason, &none, OTPRING_REASON_STOPPING);
}

/* ---- life ---- */

static void block_settled(struct journal_block *block, struct result result)
{
    struct block_owner *owner = block->owner;
    owner->settled(owner, result);
}

static struct result take_place(struct core *core, struct core_worker *worker)
{
    uint32_t most = core->options.workers_max ? core->options.workers_max : 16;
    if (most > CORE_WORKERS_MAX) most = CORE_WORKERS_MAX;
    for (uint32_t i = 0; i < most; i++) {
        struct core_progress *progress = &core->progress[i];
        bool used = false;
        if (!atomic_compare_exchange_strong(&progress->used, &used, true)) continue;
        worker->index = i;
        /* Whoever had the place before ended with all it began durable; counting goes on from there. */
        worker->turns->begun = atomic_load(&progress->begun);
        atomic_store(&progress->waiting, false);
        atomic_store(&progress->os, worker->os);
        uint32_t count = atomic_load(&core->worker_count);
        while (count < i + 1 && !atomic_compare_exchange_weak(&core->worker_count, &count, i + 1)) {
        }
        return result_ok();
    }
    return result_of(FULL);
}

static void turns_free(struct turns *turns)
{
    if (!turns) return;
    for (uint32_t i = 0; turns->turns && i < turns->turn_count; i++) {
        free(turns->turns[i].frames);
        free(turns->turns[i].answers);
    }
    free(turns->turns);
    free(turns->flying);
    free(turns->scratch);
    free(turns->group);
    if (turns->judge) free(turns->judge->profiles);
    free(turns->judge);
    secret_wipe(turns->content_secret, CHECKSUM_SECRET_SIZE);
    block_mac_destroy(turns->block_mac);
    free(turns);
}

static bool turns_take(struct turns *turns, struct core_worker *worker)
{
    turns->turns = calloc(turns->turn_count, sizeof *turns->turns);
    turns->flying = calloc(turns->turn_count, sizeof(struct turn *));
    turns->scratch = calloc(OTPRING_WIRE_ITEMS_MAX, sizeof *turns->scratch);
    turns->group = aligned_alloc(64, (sizeof *turns->group + 63) / 64 * 64);
    turns->judge = aligned_alloc(64, (sizeof *turns->judge + 63) / 64 * 64);
    if (turns->judge) *turns->judge = (struct judge){0};
    if (!turns->turns || !turns->flying || !turns->scratch || !turns->group || !turns->judge) return false;
    memset(turns->group, 0, sizeof *turns->group);
    turns->judge->profiles = calloc(1, sizeof *turns->judge->profiles);
    if (!turns->judge->profiles) return false;
    turns->judge->profiles->version = UINT32_MAX;
    for (uint32_t i = 0; i < turns->turn_count; i++) {
        struct turn *turn = &turns->turns[i];
        turn->worker = worker;
        turn->block_owner.settled = turn_settled;
        turn->frames = calloc(turns->frames_max, sizeof *turn->frames);
        turn->answers = calloc(turns->items_max, sizeof *turn->answers);
        if (!turn->frames || !turn->answers) return false;
    }
    return true;
}

static struct result block_mac_take(const struct vault *vault, struct block_mac **ret_mac)
{
    _Static_assert((int)VAULT_KEY_SIZE == (int)BLOCK_MAC_KEY_SIZE, "the vault's key is the MAC's");
    uint8_t key[VAULT_KEY_SIZE];
    vault_frame_key(vault, key);
    struct result result = block_mac_create(key, ret_mac);
    secret_wipe(key, sizeof key);
    return result;
}

static struct result worker_fill(struct core_worker *worker)
{
    struct turns *turns = worker->turns;
    turns->turn_count = worker->options.turn_count ? worker->options.turn_count : CORE_TURNS_DEFAULT;
    /* One largest frame: who came first waits for the last of a turn. With 16,000 single queries came in at 5 to 11 %
     * less, batches at the same rate. */
    turns->items_max = worker->options.items_max ? worker->options.items_max : OTPRING_WIRE_ITEMS_MAX;
    turns->slots_max = turns->items_max * 2 + 64;
    if (turns->slots_max > JOURNAL_SLOTS_MAX) return result_of(BAD_ARGUMENT);
    turns->frames_max = turns->slots_max / 2;
    turns->trial = bursts_of(worker->options.loads);
    turns->depth = depth_make();
    checksum_secret(vault_table_secret(worker->core->vault), turns->content_secret);
    TRY(block_mac_take(worker->core->vault, &turns->block_mac));
    if (!turns_take(turns, worker)) return result_of(NO_MEMORY);
    TRY(take_place(worker->core, worker));
    struct journal_writer_options options = {.block_count = turns->turn_count + 1,
                                             .kept_count = worker->options.kept_count,
                                             .slots_per_block = turns->slots_max,
                                             .settled = block_settled};
    struct result result = journal_writer_create(worker->core->journal, worker->os, &options, &worker->writer);
    if (result_failed(result)) atomic_store(&worker->core->progress[worker->index].used, false);
    return result;
}

struct result core_worker_create(struct core *core, const struct core_worker_options *options,
                                 struct core_worker **ret_worker)
{
    struct core_worker *worker = calloc(1, sizeof *worker);
    if (!worker) return result_of(NO_MEMORY);
    worker->core = core;
    worker->options = *options;
    worker->os = options->os;
    worker->turns = calloc(1, sizeof *worker->turns);
    struct result result = worker->turns ? worker_fill(worker) : result_of(NO_MEMORY);
    if (result_failed(result)) {
        turns_free(worker->turns);
        free(worker);
        return result;
    }
    *ret_worker = worker;
    return result_ok();
}

void core_worker_destroy(struct core_worker *worker)
{
    if (!worker) return;
    /* After poisoning, or on a dead os, there may be blocks that nobody will ever hear of again. */
    CHECK(core_drained(worker) || atomic_load(&worker->core->stop_reason) == OTPRING_REASON_POISONED);
    struct core_progress *progress = &worker->core->progress[worker->index];
    progress_waiting_set(worker, false);
    atomic_store(&progress->os, NULL);
    while (atomic_load(&progress->wakers)) sched_yield();
    journal_writer_destroy(worker->writer);
    atomic_store(&progress->used, false);
    turns_free(worker->turns);
    free(worker);
}
