/* The journal's part of a start: records after the checkpoint folded into what the store gave.
 *
 * What a record of a block does, by where the block stands:
 *
 *   block                            words          acts                      sessions
 *   at or below the checkpoint       not visited    not visited               not visited
 *   above it, in order               raised         applied to store and      applied
 *                                                   table if above the
 *                                                   admin position
 *   intact past a torn tail          raised, and journaled    not applied,    not applied: a retry is
 *   (salvaged)                       again as ACT_BURN; so    nobody was      judged afresh, against the
 *                                    is the word of a pair    answered; but   burned words
 *                                    typed at the desk        see words
 *
 * Crash story:
 *   1. while folding: nothing was changed but acts applied to the store with their position; the next start folds
 * again.
 *   2. with a torn tail: the words of its intact records are in the store (one transaction) before the journal begins a
 * new incarnation, so they are consumed for good even when the next start no longer sees those blocks.
 *   3. before all burns are in the journal: their words are in the store; and the next start meets the same tail again
 * and burns it again, as it does at every start until a checkpoint has passed it (FORMAT.md), which raises nothing
 * more.
 *   4. after the burns: they are records as any other. */
#include "core/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { ACTS_PER_TRANSACTION = 4096, PREFETCH_AHEAD = 12, PROGRESS_BLOCKS = 256, BURNS_FIRST = 64 };

struct recovery {
    struct core *core;
    uint64_t position; /* of the last block in order */
    uint64_t applied;  /* acts in the open transaction */
    bool acts_applied; /* in all */
    int64_t time_ms;   /* greatest */
    uint64_t blocks;
    struct slot_verify *burned;
    size_t burned_count;
    size_t burned_capacity;
};

/* Called between blocks alone, so that the transaction holds whole blocks. */
static struct result txn_commit(struct recovery *recovery);

/* ---- words ---- */

/* The word's place has the mark of the response. The floor says no more than that the token was used. */
static struct result mark_fold(struct core *core, const struct slot_verify *slot)
{
    struct table_hit hit;
    if (slot->token == 0) return result_ok();
    if (slot->ordinal != UINT32_MAX && table_line(core->table, slot->ordinal, &hit)) {
        uint64_t word = atomic_load_explicit(&hit.tail->token, memory_order_relaxed);
        if (token_floor(word) == 0) word_raise(&hit.tail->token, token_word(1, token_change(word)));
    }
    return marks_restore(core->marks, slot->token);
}

static void token_fold(struct core *core, const struct slot_verify *slot)
{
    struct table_hit hit;
    if (slot->token != 0 && table_line(core->table, slot->ordinal, &hit)) {
        word_raise(&hit.tail->token, slot->token);
        if (slot->verdict == OTPRING_ACCEPTED) {
            atomic_store_explicit(&hit.tail->drift, slot->drift, memory_order_relaxed);
        }
    }
}

struct result recover_verify(struct core *core, const struct slot_verify *slot)
{
    struct table_hit hit;
    if (slot->method == METHOD_OCRA_MARKED)
        TRY(mark_fold(core, slot));
    else
        token_fold(core, slot);
    if (slot->budget == 0) return result_ok();
    if (slot->first_ordinal == UINT32_MAX) {
        unknown_raise(core->unknown, slot->name, slot->budget);
    } else if (table_line(core->table, slot->first_ordinal, &hit)) {
        word_raise(&hit.tail->budget, slot->budget);
    }
    return result_ok();
}

static void prefetch_line(struct core *core, uint32_t ordinal)
{
    struct table_hit hit;
    if (table_line(core->table, ordinal, &hit)) __builtin_prefetch(hit.tail, 1);
}

static struct result items_fold(struct core *core, const struct slot_verify *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count) {
            prefetch_line(core, items[i + PREFETCH_AHEAD].first_ordinal);
            prefetch_line(core, items[i + PREFETCH_AHEAD].ordinal);
        }
        TRY(recover_verify(core, &items[i]));
    }
    return result_ok();
}

static struct result burn_note(struct recovery *recovery, const struct slot_verify *slot)
{
    if (slot->token == 0 && slot->budget == 0) return result_ok();
    if (recovery->burned_count == recovery->burned_capacity) {
        size_t capacity = recovery->burned_capacity ? recovery->burned_capacity * 2 : BURNS_FIRST;
        struct slot_verify *burned = realloc(recovery->burned, capacity * sizeof(*burned));
        if (!burned) return result_of(NO_MEMORY);
        recovery->burned = burned;
        recovery->burned_capacity = capacity;
    }
    recovery->burned[recovery->burned_count++] = *slot;
    return recover_verify(recovery->core, slot);
}

/* An act that is salvaged is not applied. What it used up is: codes burned before, and the two of a resynchronisation
 * at the desk, whose answer may have been given where it was not power but rot that took a block before it. */
static struct result act_salvage(struct recovery *recovery, const struct slot_act *act, const uint8_t *payload)
{
    struct act_resync resync;
    if (act->act == ACT_BURN && act->payload_size == sizeof(struct slot_verify)) {
        return burn_note(recovery, (const struct slot_verify *)payload);
    }
    if (act->act != ACT_TOKEN_RESYNC || act->payload_size != sizeof(resync)) return result_ok();
    memcpy(&resync, payload, sizeof(resync));
    if (resync.verdict != OTPRING_ACCEPTED) return result_ok();
    struct slot_verify slot = {.token = act->token,
                               .ordinal = act->ordinal,
                               .first_ordinal = UINT32_MAX,
                               .verdict = OTPRING_ACCEPTED,
                               .drift = resync.drift,
                               .kind = SLOT_VERIFY};
    memcpy(slot.name, act->name, sizeof(slot.name));
    return burn_note(recovery, &slot);
}

/* ---- acts ---- */

static struct result txn_open(struct core *core)
{
    if (core->state->recovery_txn) return result_ok();
    return store_begin(core->store, true, &core->state->recovery_txn);
}

static struct result txn_commit(struct recovery *recovery)
{
    struct core *core = recovery->core;
    struct store_txn *txn = core->state->recovery_txn;
    if (!txn) return result_ok();
    core->state->recovery_txn = NULL;
    struct result result = act_apply_seal(core, txn, recovery->position);
    if (result_failed(result)) {
        store_abort(core->store, txn);
        return result;
    }
    TRY(store_commit(core->store, txn));
    core->admin_position = recovery->position;
    recovery->applied = 0;
    return result_ok();
}

/* The row has this drift, but the checkpoint's, which is older, was loaded over it. */
struct result recover_resync(const struct table_hit *hit, const struct slot_act *act, const uint8_t *payload)
{
    struct act_resync resync;
    if (act->payload_size != sizeof(resync)) return result_of(JOURNAL_CORRUPT);
    memcpy(&resync, payload, sizeof(resync));
    if (resync.verdict == OTPRING_ACCEPTED) atomic_store(&hit->tail->drift, resync.drift);
    return result_ok();
}

static struct result act_fold(struct recovery *recovery, const struct slot_act *act, const uint8_t *payload,
                              const struct journal_block_header *header)
{
    struct core *core = recovery->core;
    struct table_hit hit;
    if (act->act == ACT_SESSION_OPEN) {
        struct act_session session;
        if (act->payload_size != sizeof(session)) return result_of(JOURNAL_CORRUPT);
        memcpy(&session, payload, sizeof(session));
        sessions_apply_open(core->sessions, &session, header->time_ms);
        return result_ok();
    }
    if (act->act == ACT_BURN) {
        struct slot_verify slot;
        if (act->payload_size != sizeof(slot)) return result_of(JOURNAL_CORRUPT);
        memcpy(&slot, payload, sizeof(slot));
        return recover_verify(core, &slot);
    }
    if (header->position > core->admin_position) {
        TRY(txn_open(core));
        TRY(act_apply_store(core, core->state->recovery_txn, act, payload));
        recovery->applied++;
        recovery->acts_applied = true;
        return act_apply_table(core, act, payload);
    }
    /* The rows are there already, and the lines were made from them; the words may be newer than the checkpoint's. */
    if (table_line(core->table, act->ordinal, &hit)) {
        word_raise(&hit.tail->token, act->token);
        word_raise(&hit.tail->budget, act->budget);
        if (act->act == ACT_TOKEN_RESYNC) return recover_resync(&hit, act, payload);
    }
    return result_ok();
}

/* ---- blocks ---- */

static struct result burn_keep(struct recovery *recovery)
{
    struct core *core = recovery->core;
    struct store_txn *txn;
    TRY(txn_commit(recovery));
    TRY(store_begin(core->store, true, &txn));
    struct result result = checkpoint_words(core, txn);
    if (result_failed(result)) {
        store_abort(core->store, txn);
        return result;
    }
    return store_commit(core->store, txn);
}

static struct result frame_fold(struct recovery *recovery, const struct journal_block_view *view, uint32_t at,
                                const struct slot_frame *frame)
{
    const struct slot_verify *items = (const struct slot_verify *)(view->slots + (size_t)(at + 1) * JOURNAL_SLOT_SIZE);
    if (view->salvaged) {
        for (uint32_t i = 0; i < frame->item_count; i++) TRY(burn_note(recovery, &items[i]));
        return result_ok();
    }
    TRY(items_fold(recovery->core, items, frame->item_count));
    sessions_apply_frame(recovery->core->sessions, frame, items, view->header->position, at + 1, view->header->time_ms);
    return result_ok();
}

/* One record at slot `at`: how many slots it takes; 0: the rest of the block is the journal's own. */
static struct result record_fold(struct recovery *recovery, const struct journal_block_view *view, uint32_t at,
                                 uint32_t *ret_slots)
{
    const uint8_t *slot = view->slots + (size_t)at * JOURNAL_SLOT_SIZE;
    uint32_t left = view->header->slot_count - at;
    switch (slot[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_FRAME: {
        const struct slot_frame *frame = (const struct slot_frame *)slot;
        if (frame->item_count >= left) return result_of(JOURNAL_CORRUPT);
        *ret_slots = 1u + frame->item_count;
        return frame_fold(recovery, view, at, frame);
    }
    case SLOT_VERIFY:
        *ret_slots = 1;
        if (view->salvaged) return burn_note(recovery, (const struct slot_verify *)slot);
        return recover_verify(recovery->core, (const struct slot_verify *)slot);
    case SLOT_ACT: {
        const struct slot_act *act = (const struct slot_act *)slot;
        if (act->slot_count >= left || act->payload_size > (uint32_t)act->slot_count * JOURNAL_SLOT_SIZE) {
            return result_of(JOURNAL_CORRUPT);
        }
        *ret_slots = 1u + act->slot_count;
        const uint8_t *payload = slot + JOURNAL_SLOT_SIZE;
        return view->salvaged ? act_salvage(recovery, act, payload) : act_fold(recovery, act, payload, view->header);
    }
    default:
        *ret_slots = 0;
        return result_ok();
    }
}

static struct result block_fold(void *context, const struct journal_block_view *view)
{
    struct recovery *recovery = context;
    struct core *core = recovery->core;
    for (uint32_t at = 0, slots = 0; at < view->header->slot_count; at += slots) {
        TRY(record_fold(recovery, view, at, &slots));
        if (slots == 0) break;
    }
    if (recovery->time_ms < view->header->time_ms) recovery->time_ms = view->header->time_ms;
    core->state->replayed_bytes += (uint64_t)view->header->slot_count * JOURNAL_SLOT_SIZE;
    if (core->options.progress && ++recovery->blocks % PROGRESS_BLOCKS == 0) {
        core->options.progress(core->options.progress_context, "journal blocks", recovery->blocks, 0);
    }
    if (view->salvaged) return burn_keep(recovery);
    recovery->position = view->header->position;
    return recovery->applied >= ACTS_PER_TRANSACTION ? txn_commit(recovery) : result_ok();
}

/* The vault's MAC key advanced: by the housekeeper, or while core_open runs. */
static struct result keys_changed(void *context)
{
    struct core *core = context;
    struct store_txn *txn;
    uint8_t row[VAULT_KEYS_ROW_SIZE_MAX];
    size_t size;
    TRY(vault_keys_row(core->vault, row, &size));
    if (core->state->recovery) TRY(txn_commit(core->state->recovery));
    /* Not under the act mutex: whoever holds that may be waiting for a block of the housekeeper, which runs this. The
     * store lets one write transaction in at a time. Whoever waits for durable blocks inside one (a checkpoint, an act)
     * waits for those that have their room already, hence for no segment that the housekeeper would have to make; nor
     * for a block of the housekeeper, which has none in flight now (journal/keep.c). */
    struct result result = store_begin(core->store, true, &txn);
    if (!result_failed(result)) {
        result = row_meta_put(core, txn, META_KEYS, row, size);
        if (result_failed(result)) {
            store_abort(core->store, txn);
        } else {
            result = store_commit(core->store, txn);
        }
    }
    return result;
}

/* ---- burning ---- */

static struct result burn_write(struct recovery *recovery, struct open_writer *writer)
{
    enum { SLOTS_PER_BURN = 2 };
    const size_t burns_per_block = open_writer_slots(writer) / SLOTS_PER_BURN;
    uint8_t *slots = recovery->core->state->batch.slots;
    for (size_t at = 0; at < recovery->burned_count;) {
        size_t count = recovery->burned_count - at < burns_per_block ? recovery->burned_count - at : burns_per_block;
        memset(slots, 0, count * SLOTS_PER_BURN * JOURNAL_SLOT_SIZE);
        for (size_t i = 0; i < count; i++) {
            const struct slot_verify *slot = &recovery->burned[at + i];
            struct slot_act *act = (struct slot_act *)(slots + i * SLOTS_PER_BURN * JOURNAL_SLOT_SIZE);
            memcpy(act->name, slot->name, sizeof(act->name));
            act->token = slot->token;
            act->budget = slot->budget;
            act->ordinal = slot->ordinal;
            act->payload_size = sizeof(*slot);
            act->uid = UINT32_MAX;
            act->act = ACT_BURN;
            act->slot_count = 1;
            act->kind = SLOT_ACT;
            memcpy(act + 1, slot, sizeof(*slot));
        }
        TRY(open_writer_append(writer, slots, (uint32_t)(count * SLOTS_PER_BURN), NULL));
        at += count;
    }
    return result_ok();
}

static struct result start_write(struct recovery *recovery, struct os *os, struct open_writer *writer)
{
    struct core *core = recovery->core;
    uint8_t slots[2 * JOURNAL_SLOT_SIZE] = {0};
    struct slot_act *act = (struct slot_act *)slots;
    struct os_time now = os_time(os);
    struct act_run run = {.incarnation = journal_status(core->journal).incarnation,
                          .wall_ms = now.wall_ms,
                          .boot_ms = now.boot_ms,
                          .burned = recovery->burned_count};
    act->ordinal = UINT32_MAX;
    act->payload_size = sizeof(run);
    act->uid = UINT32_MAX;
    act->act = ACT_START;
    act->slot_count = 1;
    act->kind = SLOT_ACT;
    memcpy(act + 1, &run, sizeof(run));
    return open_writer_append(writer, slots, 2, NULL);
}

/* The store may name a position that a torn tail took away again (the record was durable, then its block rotted):
 * positions from there on will be given to other records, which must not count as applied. */
static struct result position_lower(struct recovery *recovery)
{
    struct core *core = recovery->core;
    uint64_t last = journal_status(core->journal).position_next - 1;
    struct store_txn *txn;
    if (core->admin_position <= last) return result_ok();
    TRY(store_begin(core->store, true, &txn));
    struct result result = act_apply_seal(core, txn, last);
    if (result_failed(result)) {
        store_abort(core->store, txn);
        return result;
    }
    TRY(store_commit(core->store, txn));
    core->admin_position = last;
    return result_ok();
}

static struct result recover_all(struct recovery *recovery, struct os *os, const struct checkpoint_row *checkpoint)
{
    struct core *core = recovery->core;
    struct open_writer *writer;
    struct journal_options options = core->options.journal;
    uint64_t bad_position = 0;
    options.folder = core->options.journal_folder;
    memcpy(options.store_id, vault_store_id(core->vault), sizeof(options.store_id));
    options.keys_changed = keys_changed;
    options.keys_context = core;
    struct result opened = journal_open(os, &options, core->vault, checkpoint->position, block_fold, recovery,
                                        &core->journal, &bad_position);
    if (result_failed(opened)) {
        if (core->options.ret_bad_position) *core->options.ret_bad_position = bad_position;
        return opened;
    }
    TRY(txn_commit(recovery));
    TRY(position_lower(recovery));
    clock_start(&core->clock, os_time(os), recovery->time_ms, core->options.clock_step_limit_ms);
    TRY(open_writer_create(core, os, &writer));
    struct result result = burn_write(recovery, writer);
    if (!result_failed(result)) result = start_write(recovery, os, writer);
    if (!result_failed(result)) result = restore_take_over(core, os, writer);
    open_writer_destroy(writer);
    return result;
}

struct result recover_journal(struct core *core, struct os *os, const struct checkpoint_row *checkpoint)
{
    struct recovery recovery = {.core = core, .position = checkpoint->position, .time_ms = checkpoint->wall_ms};
    core->state->recovery = &recovery;
    struct result result = recover_all(&recovery, os, checkpoint);
    core->state->recovery = NULL;
    if (core->state->recovery_txn) {
        store_abort(core->store, core->state->recovery_txn);
        core->state->recovery_txn = NULL;
    }
    free(recovery.burned);
    return result;
}
