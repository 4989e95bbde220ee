/* Tokens into the table at a start, on all cores: rows are read in order of ordinal, as they lie on the disk; their
 * seeds are opened and hashed by every thread; lines are entered by the first thread alone, again in order.
 *
 * Two batches: while the threads open one, the first thread enters the other and reads it full again, then opens with
 * them. Rows hold sealed seeds; midstates lie in locked memory, seeds on the stack of whoever hashes them. */
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "core/ahead.h"
#include "os/arena.h"
#include "os/machine.h"

enum { LOAD_ROWS = 4096, LOAD_THREADS_MAX = 64, PREFETCH_ROWS = 16 };

struct load_batch {
    size_t count;
    size_t taken;  /* rows given to a thread; under the mutex, as are the next two */
    size_t opened; /* rows that threads are done with */
    struct result result;
    struct token_row *rows;
    uint8_t (*midstates)[KERNEL_SHA512_MIDSTATES];
};

struct load {
    struct core *core;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct load_batch *offered; /* rows are to be taken from it */
    bool stop;
    unsigned thread_count;
    pthread_t threads[LOAD_THREADS_MAX];
    struct load_batch batches[2];
    struct load_batch *filling;
    struct load_batch *opening; /* offered and not yet entered */
    struct ahead ahead;
};

/* ---- opening, any thread ---- */

static struct result open_rows(const struct core *core, const struct load_batch *batch, size_t from, size_t to)
{
    const struct token_row *rows[ROW_SEEDS_MAX] = {0};
    size_t at[ROW_SEEDS_MAX], count = 0;
    uint8_t seeds[ROW_SEEDS_MAX][OTP_SEED_SIZE_MAX];
    for (size_t i = from; i < to; i++) {
        if (batch->rows[i].state == TOKEN_REMOVED) continue;
        at[count] = i;
        rows[count++] = &batch->rows[i];
    }
    struct result result = row_seeds_open(core, rows, count, seeds);
    for (size_t i = 0; i < count && !result_failed(result); i++)
        kernel_midstates(table_algorithm(rows[i]->ordinal), seeds[i], row_seed_size(rows[i]), batch->midstates[at[i]]);
    secret_wipe(seeds, sizeof(seeds));
    return result;
}

/* Takes one slice of the batch and opens it; false when there is none. The mutex is held before and after. */
static bool slice_open(struct load *load, struct load_batch *batch)
{
    size_t from = batch->taken, left = batch->count - from;
    size_t to = from + (left < ROW_SEEDS_MAX ? left : ROW_SEEDS_MAX);
    if (left == 0) return false;
    batch->taken = to;
    pthread_mutex_unlock(&load->mutex);
    struct result result = open_rows(load->core, batch, from, to);
    pthread_mutex_lock(&load->mutex);
    if (result_failed(result)) batch->result = result;
    batch->opened += to - from;
    if (batch->opened == batch->count) pthread_cond_broadcast(&load->changed);
    return true;
}

static void *thread_main(void *argument)
{
    struct load *load = argument;
    pthread_mutex_lock(&load->mutex);
    while (!load->stop) {
        if (load->offered && slice_open(load, load->offered)) continue;
        pthread_cond_wait(&load->changed, &load->mutex);
    }
    pthread_mutex_unlock(&load->mutex);
    return NULL;
}

/* ---- the first thread ---- */

static void offer(struct load *load, struct load_batch *batch)
{
    pthread_mutex_lock(&load->mutex);
    batch->taken = batch->opened = 0;
    batch->result = result_ok();
    load->offered = batch;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->mutex);
    load->opening = batch;
}

static struct result opened(struct load *load, struct load_batch *batch)
{
    pthread_mutex_lock(&load->mutex);
    while (slice_open(load, batch)) continue;
    while (batch->opened < batch->count) pthread_cond_wait(&load->changed, &load->mutex);
    load->offered = NULL;
    pthread_mutex_unlock(&load->mutex);
    return batch->result;
}

static void prefetch_rows(const struct core *core, const struct load_batch *batch, size_t from)
{
    const void *names[PREFETCH_ROWS] = {0}, *addresses[PREFETCH_ROWS];
    uint64_t hashes[PREFETCH_ROWS];
    size_t count = 0;
    for (size_t i = from; i < batch->count && count < PREFETCH_ROWS; i++) names[count++] = batch->rows[i].name;
    table_hash_batch(core->table, core->kernel->stages, names, count, hashes, addresses);
    for (size_t i = 0; i < count; i++) __builtin_prefetch(addresses[i], 1);
}

static struct result enter(struct core *core, struct load_batch *batch)
{
    struct table_hit hit;
    if (batch->count > 0) prefetch_rows(core, batch, 0);
    for (size_t i = 0; i < batch->count; i++) {
        if (i % PREFETCH_ROWS == 0) prefetch_rows(core, batch, i + PREFETCH_ROWS);
        CHECK(!table_line(core->table, batch->rows[i].ordinal, &hit)); /* each row is of its key: token_load */
        TRY(token_enter(core, &batch->rows[i], batch->midstates[i]));
    }
    batch->count = 0;
    return result_ok();
}

/* The batch that was being opened is entered; the one that was filled is opened. */
static struct result turn_over(struct load *load)
{
    struct load_batch *filled = load->filling, *other = &load->batches[filled == load->batches];
    if (load->opening) {
        struct result result = opened(load, load->opening);
        load->opening = NULL;
        TRY(result);
    }
    offer(load, filled);
    load->filling = other;
    return enter(load->core, other);
}

static void progress(const struct core *core)
{
    uint64_t lines = 0;
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) lines += core->lines_next[i];
    if (core->options.progress)
        core->options.progress(core->options.progress_context, "tokens", core->state->lines_total, lines);
}

static struct result token_load(void *context, struct core *core, const uint8_t *key, struct store_bytes value)
{
    struct load *load = context;
    struct load_batch *batch = load->filling;
    struct token_row *row = &batch->rows[batch->count];
    TRY(schema_token_decode(value, row));
    if (row->ordinal != load_be32(key) || table_algorithm(row->ordinal) >= KERNEL_ALGORITHM_COUNT ||
        row->profile >= CORE_PROFILES_MAX) {
        return result_of(STORE_DAMAGED);
    }
    enum kernel_algorithm algorithm = table_algorithm(row->ordinal);
    uint32_t next = table_line_index(row->ordinal) + 1;
    if (core->lines_next[algorithm] < next) core->lines_next[algorithm] = next;
    /* A removed token has a line only where it is its account's first: the account's budget is there. */
    if (row->state == TOKEN_REMOVED && !row->first) return result_ok();
    if (++batch->count < LOAD_ROWS) return result_ok();
    if (load->thread_count > 0) ahead_follow(&load->ahead, row->ordinal);
    progress(core);
    return turn_over(load);
}

static struct result load_all(struct load *load, struct store_txn *txn)
{
    TRY(recover_map(load->core, txn, STORE_TOKENS, 4, token_load, load));
    TRY(turn_over(load));
    struct load_batch *last = load->opening;
    TRY(opened(load, last));
    load->opening = NULL;
    return enter(load->core, last);
}

/* ---- life ---- */

static struct result batch_create(struct load_batch *batch)
{
    void *midstates;
    batch->rows = malloc(LOAD_ROWS * sizeof(*batch->rows));
    if (!batch->rows) return result_of(NO_MEMORY);
    TRY(arena_take(LOAD_ROWS * sizeof(*batch->midstates), false, &midstates));
    batch->midstates = midstates;
    return result_ok();
}

/* Fewer threads than were asked for are no failure: the first one does what they do not. */
static struct result load_start(struct load *load)
{
    for (int i = 0; i < 2; i++) TRY(batch_create(&load->batches[i]));
    load->filling = &load->batches[0];
    while (load->thread_count + 1 < load->core->options.load_threads && load->thread_count < LOAD_THREADS_MAX &&
           pthread_create(&load->threads[load->thread_count], NULL, thread_main, load) == 0) {
        load->thread_count++;
    }
    if (load->thread_count > 0) ahead_begin(&load->ahead, load->core->store, machine_disk_waits);
    return result_ok();
}

static void load_end(struct load *load)
{
    if (load->thread_count > 0) ahead_end(&load->ahead);
    /* After a failure a batch may still be on offer; its slices are let run out. */
    if (load->opening) (void)!result_failed(opened(load, load->opening));
    pthread_mutex_lock(&load->mutex);
    load->stop = true;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->mutex);
    for (unsigned i = 0; i < load->thread_count; i++) pthread_join(load->threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        free(load->batches[i].rows);
        arena_release(load->batches[i].midstates, LOAD_ROWS * sizeof(*load->batches[i].midstates));
    }
}

struct result recover_tokens(struct core *core, struct store_txn *txn)
{
    struct load load = {.core = core, .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct result result = load_start(&load);
    if (!result_failed(result)) result = load_all(&load, txn);
    load_end(&load);
    return result;
}
