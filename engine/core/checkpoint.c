/* The checkpoint: replay state into the store, so that a start needs only the journal after it.
 *
 * Order, and why:
 *   1. position P = durable through now. A word changes before its record is appended, so every record at or below P is
 * in the words.
 *   2. the words are read one by one, with atomic loads, while verification goes on: each is at least as new as P.
 *   3. every turn begun by the end of the reading becomes durable. Only now may what was read stand in the store: a
 * word of a record that never became durable would be a consumption nobody has a record of.
 *   4. sessions: a block is durable a moment before its worker has its answers kept, so only after the wait of 3 are
 * the answers of every frame at or below P among what is kept. Verdicts above P are not put: the words may have been
 * read before them, and both have to come from the same journal.
 *   5. one transaction: changed blocks, sessions, and P.
 * Of a large table, 2, 3 and a transaction of their own go round for a piece of the words at a time, with pauses, so
 * that the disk is not taken from the journal; the last piece is 5. Words in the store that are newer than its P are
 * what recovery makes of them anyhow.
 * A crash before 5 leaves the last P; after it, records above P are applied again, which raises nothing that
 * is there. The act mutex is held during a piece and nothing is pending, so every act at or below P has its rows in the
 * store. */
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

/* Puts a value unless it stands there already: most blocks of a large store do not change between two checkpoints. */
static struct result put_changed(struct core *core, struct store_txn *txn, enum store_map map, struct store_bytes key,
                                 struct store_bytes value)
{
    struct store_bytes old;
    struct result got = store_get(core->store, txn, map, key, &old);
    if (!result_failed(got) && old.size == value.size && memcmp(old.bytes, value.bytes, value.size) == 0) return got;
    if (result_failed(got) && got.code != STORE_NOT_FOUND) return got;
    return store_put(core->store, txn, map, key, value);
}

static struct result words_block(struct core *core, struct store_txn *txn, enum kernel_algorithm algorithm,
                                 uint32_t first, uint32_t count)
{
    uint8_t *block = core->state->block, key[4];
    size_t size = STATE_WORDS_HEAD + (size_t)count * 17;
    struct table_hit hit;
    memset(block, 0, size);
    block[0] = 1;
    block[1] = (uint8_t)algorithm;
    store_le32(block + 4, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!table_line(core->table, table_ordinal(algorithm, first + i), &hit)) continue;
        uint8_t *words = block + STATE_WORDS_HEAD + (size_t)i * 16;
        store_le64(words, atomic_load_explicit(&hit.tail->token, memory_order_acquire));
        store_le64(words + 8, atomic_load_explicit(&hit.tail->budget, memory_order_acquire));
        block[STATE_WORDS_HEAD + (size_t)count * 16 + i] =
            (uint8_t)atomic_load_explicit(&hit.tail->drift, memory_order_relaxed);
    }
    store_be32(key, table_ordinal(algorithm, first));
    return put_changed(core, txn, STORE_WORDS, bytes_of(key, sizeof(key)), bytes_of(block, size));
}

/* At most `blocks` blocks from where the progress stands; it stands behind the last algorithm when all are there. A
 * worker sleeps a moment after each (some 0.1 ms): a thread that does not is switched away from only at the scheduler's
 * tick, and verification may be what waits for its processor. */
static struct result words_rows(struct core *core, struct core_worker *worker, struct store_txn *txn,
                                struct checkpoint_progress *at, uint32_t blocks)
{
    enum { PAUSE_NS = 20000 };
    while (at->algorithm < KERNEL_ALGORITHM_COUNT) {
        uint32_t lines = table_line_count(core->table, at->algorithm);
        if (at->first >= lines) {
            at->algorithm++;
            at->first = 0;
            continue;
        }
        if (blocks-- == 0) return result_ok();
        uint32_t count = lines - at->first < SCHEMA_WORDS_PER_BLOCK ? lines - at->first : SCHEMA_WORDS_PER_BLOCK;
        TRY(words_block(core, txn, at->algorithm, at->first, count));
        at->first += count;
        if (worker && at->first < lines) TRY(os_step(worker->os, PAUSE_NS, NULL));
    }
    return result_ok();
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++) any |= bytes[i];
    return any == 0;
}

static struct result unknown_rows(struct core *core, struct store_txn *txn)
{
    uint8_t *block = core->state->block, key[4];
    struct store_bytes old;
    uint32_t blocks = unknown_block_count(core->unknown);
    for (uint32_t i = 0; i < blocks; i++) {
        store_le32(block, 1);
        store_le32(block + 4, blocks * UNKNOWN_BLOCK_ENTRIES);
        unknown_block_read(core->unknown, i, block + STATE_UNKNOWN_HEAD);
        store_be32(key, i);
        struct store_bytes name = bytes_of(key, sizeof(key));
        if (all_zero(block + STATE_UNKNOWN_HEAD, UNKNOWN_BLOCK_ENTRIES * 8) &&
            store_get(core->store, txn, STORE_UNKNOWN, name, &old).code == STORE_NOT_FOUND) {
            continue;
        }
        TRY(put_changed(core, txn, STORE_UNKNOWN, name,
                        bytes_of(block, STATE_UNKNOWN_HEAD + UNKNOWN_BLOCK_ENTRIES * 8)));
    }
    return result_ok();
}

/* Marks only become more: the blocks from the first one on that was not full at the last checkpoint. */
static struct result marks_rows(struct core *core, struct store_txn *txn, uint64_t *ret_through)
{
    uint8_t *block = core->state->block, key[4];
    uint64_t marks[MARKS_BLOCK];
    uint64_t number = core->state->marks_saved / MARKS_BLOCK;
    for (;; number++) {
        uint32_t count = marks_read(core->marks, number * MARKS_BLOCK, marks);
        *ret_through = number * MARKS_BLOCK + count;
        if (count == 0) return result_ok();
        memset(block, 0, STATE_WORDS_HEAD);
        block[0] = 1;
        block[1] = STATE_MARKS_ALGORITHM;
        store_le32(block + 4, count);
        for (uint32_t i = 0; i < count; i++) store_le64(block + STATE_WORDS_HEAD + (size_t)i * 8, marks[i]);
        store_be32(key, (uint32_t)STATE_MARKS_ALGORITHM << 30 | (uint32_t)number);
        TRY(put_changed(core, txn, STORE_WORDS, bytes_of(key, sizeof(key)),
                        bytes_of(block, STATE_WORDS_HEAD + (size_t)count * 8)));
        if (count < MARKS_BLOCK) return result_ok();
    }
}

/* ---- sessions: those that live are put, rows of others go ---- */

struct session_saving {
    struct core *core;
    struct store_txn *txn;
    uint64_t *ids;
    size_t count;
    size_t capacity;
    uint64_t id_next;
};

static struct result session_put(void *context, uint64_t id, const void *bytes, size_t size)
{
    struct session_saving *saving = context;
    uint8_t key[8];
    CHECK(saving->count < saving->capacity);
    saving->ids[saving->count++] = id;
    if (saving->id_next <= id) saving->id_next = id + 1;
    store_be64(key, id);
    return put_changed(saving->core, saving->txn, STORE_SESSIONS, bytes_of(key, sizeof(key)), bytes_of(bytes, size));
}

static int id_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static struct result sessions_prune(struct session_saving *saving)
{
    struct store *store = saving->core->store;
    uint8_t after[8];
    struct store_bytes key, value, from = {0};
    qsort(saving->ids, saving->count, sizeof(saving->ids[0]), id_compare);
    for (;;) {
        struct result got = store_next(store, saving->txn, STORE_SESSIONS, from, false, &key, &value);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        if (key.size != sizeof(after)) return result_of(STORE_DAMAGED);
        memcpy(after, key.bytes, sizeof(after));
        from = bytes_of(after, sizeof(after));
        uint64_t id = load_be64(after);
        if (!bsearch(&id, saving->ids, saving->count, sizeof(id), id_compare)) {
            TRY(store_erase(store, saving->txn, STORE_SESSIONS, from));
        }
    }
}

static struct result sessions_rows(struct core *core, struct store_txn *txn, uint64_t position, uint64_t *ret_next)
{
    struct session_saving saving = {.core = core, .txn = txn, .capacity = core->options.sessions_max + 64u};
    saving.ids = malloc(saving.capacity * sizeof(saving.ids[0]));
    if (!saving.ids) return result_of(NO_MEMORY);
    struct result result = sessions_save(core->sessions, position, session_put, &saving);
    if (!result_failed(result)) result = sessions_prune(&saving);
    free(saving.ids);
    *ret_next = saving.id_next;
    return result;
}

struct result checkpoint_words(struct core *core, struct store_txn *txn)
{
    struct checkpoint_progress all = {0};
    TRY(words_rows(core, NULL, txn, &all, UINT32_MAX));
    TRY(marks_rows(core, txn, &all.marks));
    return unknown_rows(core, txn);
}

struct result checkpoint_rows(struct core *core, struct store_txn *txn, uint64_t position)
{
    uint8_t value[SCHEMA_ROW_MAX];
    struct checkpoint_row row = {
        .position = position, .incarnation = journal_status(core->journal).incarnation, .wall_ms = core_now_ms(core)};
    TRY(sessions_rows(core, txn, position, &row.session_next));
    size_t size = schema_checkpoint_encode(&row, value);
    TRY(row_meta_put(core, txn, META_CHECKPOINT, value, size));
    return act_apply_seal(core, txn, position > core->admin_position ? position : core->admin_position);
}

static void checkpoint_made(struct core *core, uint64_t position)
{
    if (core->admin_position < position) core->admin_position = position;
    atomic_store(&core->checkpoint_position, position);
    atomic_store(&core->checkpoint_ms, core_now_ms(core));
    core->checkpoint_bytes_at = journal_status(core->journal).bytes_appended;
    core->state->replayed_bytes = 0;
    core->state->marks_saved = core->state->checkpoint.marks;
}

static struct result piece_rows(struct core_worker *worker, struct store_txn *txn, bool *ret_done)
{
    struct core *core = worker->core;
    struct checkpoint_progress *at = &core->state->checkpoint;
    TRY(words_rows(core, worker, txn, at, core->options.checkpoint_blocks));
    *ret_done = at->algorithm == KERNEL_ALGORITHM_COUNT;
    if (*ret_done) TRY(marks_rows(core, txn, &at->marks));
    if (*ret_done) TRY(unknown_rows(core, txn));
    TRY(core_wait_all_durable(worker));
    if (*ret_done) TRY(checkpoint_rows(core, txn, at->position));
    return journal_status(core->journal).poisoned ? result_of(JOURNAL_POISONED) : result_ok();
}

struct result checkpoint_piece(struct core_worker *worker, bool *ret_done)
{
    struct core *core = worker->core;
    struct checkpoint_progress *at = &core->state->checkpoint;
    struct store_txn *txn;
    if (!at->begun)
        *at = (struct checkpoint_progress){.begun = true, .position = journal_durable_through(core->journal)};
    struct result result = store_begin(core->store, true, &txn);
    if (!result_failed(result)) {
        result = piece_rows(worker, txn, ret_done);
        if (result_failed(result)) {
            store_abort(core->store, txn);
        } else {
            result = store_commit(core->store, txn);
        }
    }
    if (!result_failed(result) && *ret_done) checkpoint_made(core, at->position);
    at->begun = !result_failed(result) && !*ret_done;
    return result;
}

/* Under the act mutex, nothing pending: a whole one, whatever was under way. */
static struct result checkpoint_locked(struct core_worker *worker)
{
    bool done = false;
    worker->core->state->checkpoint.begun = false;
    while (!done) TRY(checkpoint_piece(worker, &done));
    return result_ok();
}

struct result core_checkpoint(struct core_worker *worker)
{
    TRY(act_enter(worker));
    struct result result = checkpoint_locked(worker);
    act_leave(worker->core);
    return result;
}

/* Where the checkpoint ends, or the seals, which the copy's engine goes on with. */
static uint64_t backup_from(const struct core *core)
{
    uint64_t checkpoint = atomic_load(&core->checkpoint_position);
    uint64_t unsealed = journal_status(core->journal).sealed_through + 1;
    return unsealed < checkpoint ? unsealed : checkpoint;
}

struct result core_backup(struct core_worker *worker, const struct core_actor *actor, const char *folder,
                          struct result (*copy_segments)(void *context, uint64_t from_position, uint64_t to_position),
                          void *context)
{
    struct core *core = worker->core;
    TRY(act_enter(worker));
    /* The act mutex stays taken: no checkpoint moves on, so no segment that the copy needs is recycled meanwhile. */
    struct result result = act_simple(worker, ACT_BACKUP, actor, folder, (uint32_t)strnlen(folder, 512));
    if (!result_failed(result) && atomic_load(&core->state->pending)) result = result_of(STORE_PENDING);
    if (!result_failed(result)) result = checkpoint_locked(worker);
    if (!result_failed(result)) result = store_backup(core->store, folder);
    if (!result_failed(result))
        result = copy_segments(context, backup_from(core), journal_durable_through(core->journal));
    act_leave(core);
    return result;
}
