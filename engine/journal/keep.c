/* The housekeeper's turn. One own record is in flight at most; what follows from it (a seal counts, a segment is
 * closed, a file is recycled) happens in the step after it became durable. */
#include <string.h>

#include "base/check.h"
#include "journal/index_keep.h"
#include "journal/internal.h"

enum { FINISH_WAIT_NS = 1000000, WAKE_BLOCKS = 8 };

void keeper_append(struct journal *journal, struct journal_writer *writer, enum own_record kind, uint32_t slot_count)
{
    struct keeper *keeper = &journal->keeper;
    struct journal_block *block;
    CHECK(keeper->own == OWN_NONE && writer->options.slots_per_block >= slot_count);
    struct result result = writer_begin(writer, slot_count, true, &block);
    if (result_failed(result)) return;
    memcpy(block->slots, &keeper->record, (size_t)slot_count * JOURNAL_SLOT_SIZE);
    keeper->own = kind;
    keeper->own_settled = false;
    /* Time 0 is the journal's own time: the housekeeper must not move it. */
    journal_append(block, slot_count, 0);
}

void keeper_settled(struct journal *journal, struct result result)
{
    journal->keeper.own_settled = true;
    journal->keeper.own_result = result;
}

void keeper_publish(struct journal *journal)
{
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    journal->closed = journal->keeper.seals;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    atomic_store(&journal->sealed_through, journal->keeper.seals.sealed_through);
}

struct segment *keeper_current(struct journal *journal, uint64_t *ret_closed_segment)
{
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    struct segment *segment = journal->current;
    *ret_closed_segment = segment->header_durable ? segment->closed_segment : 0;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    return segment;
}

/* The key of a closed segment is gone from memory; now it must be gone at rest. */
static struct result save_keys(struct journal *journal)
{
    struct keeper *keeper = &journal->keeper;
    if (!keeper->keys_dirty) return result_ok();
    /* Nothing of the keeper is in flight, so whoever is in the store and waits for blocks does not wait for this. */
    CHECK(keeper->own == OWN_NONE);
    if (journal->options.keys_changed) TRY(journal->options.keys_changed(journal->options.keys_context));
    keeper->keys_dirty = false;
    keeper_publish(journal);
    return result_ok();
}

/* Files of closed segments need not stay open. */
static void close_files(struct journal *journal, struct os *os)
{
    uint64_t closed_segment;
    const struct segment *current = keeper_current(journal, &closed_segment);
    for (struct segment *segment = journal->oldest; segment != current; segment = segment->next) {
        if (segment->number > journal->keeper.seals.closed_segment || segment == journal->keeper.source_segment)
            continue;
        file_close(os, segment->file);
        segment->file = -1;
    }
}

static struct result remove_oldest(struct journal *journal, struct os *os)
{
    struct segment *segment = journal->oldest;
    CHECK(segment->number == journal->keeper.record.removal.segment);
    seal_forget(journal, segment);
    index_keep_recycled(journal, os, segment->number);
    TRY(spare_recycle(journal, os, segment));
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    journal->oldest = segment->next;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    segment_free(segment);
    return result_ok();
}

/* The own record in flight became durable: now what it says holds. */
static struct result own_step(struct journal *journal, struct os *os, bool *ret_more)
{
    struct keeper *keeper = &journal->keeper;
    if (keeper->own == OWN_NONE || !keeper->own_settled) return result_ok();
    enum own_record own = keeper->own;
    keeper->own = OWN_NONE;
    TRY(keeper->own_result);
    *ret_more = true;
    switch (own) {
    case OWN_SEAL:
        seal_made(journal);
        return result_ok();
    case OWN_CHECKPOINT:
        seal_state_checkpoint(&keeper->seals, &keeper->record.checkpoint);
        vault_mac_advance(journal->vault);
        keeper->keys_dirty = true;
        TRY(save_keys(journal));
        close_files(journal, os);
        return result_ok();
    case OWN_REMOVAL:
        return remove_oldest(journal, os);
    case OWN_NONE:
        break;
    }
    return result_ok();
}

/* Its last record is no later than the beginning of the next segment. */
static bool too_old(const struct journal *journal, const struct segment *segment, int64_t now_ms)
{
    int64_t age_ms = journal->options.keep_age_ms;
    return age_ms > 0 && segment->next->time_ms < now_ms - age_ms;
}

/* Rule K1 of FORMAT.md: what must hold before a segment's file may be used again. */
static bool removable(struct journal *journal, const struct segment *segment, int64_t now_ms, uint64_t release_position)
{
    uint64_t closed_segment;
    const struct segment *current = keeper_current(journal, &closed_segment);
    if (segment == current || segment->last > release_position) return false;
    if (segment->number > closed_segment || segment->last > journal->keeper.seals.sealed_through) return false;
    if (segment->last <= atomic_load(&journal->prune_through) || too_old(journal, segment, now_ms)) return true;
    uint64_t size = 0;
    for (const struct segment *at = journal->oldest; at != current; at = at->next) size += at->size;
    return size > journal->options.keep_size;
}

void journal_prune(struct journal *journal, uint64_t through)
{
    uint64_t before = atomic_load(&journal->prune_through);
    while (before < through && !atomic_compare_exchange_weak(&journal->prune_through, &before, through)) continue;
}

static struct result recycle_step(struct journal *journal, struct journal_writer *writer, int64_t now_ms,
                                  uint64_t release_position)
{
    const struct segment *segment = journal->oldest;
    if (!removable(journal, segment, now_ms, release_position)) return result_ok();
    journal->keeper.record.removal = (struct slot_removal){.segment = segment->number,
                                                           .first = segment->first,
                                                           .last = segment->last,
                                                           .release_position = release_position,
                                                           .kind = SLOT_REMOVAL};
    keeper_append(journal, writer, OWN_REMOVAL, 1);
    return result_ok();
}

/* Where they cannot go on nobody is held back for them: what is unsealed is still durable. */
static struct result seal_some(struct journal *journal, struct journal_writer *writer, int64_t now_ms, bool *ret_more)
{
    struct result result = seal_step(journal, writer, now_ms, false, ret_more);
    if (result_failed(result)) journal_hashed(journal, UINT64_MAX);
    return result;
}

/* Reading blocks back shows that the disk has them, so that is done as long as little is written. */
static void look_at_load(struct journal *journal, int64_t now_ms)
{
    struct keeper *keeper = &journal->keeper;
    int64_t ticks = now_ms / JOURNAL_TICK_MS - keeper->tick;
    if (ticks == 0) return;
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    uint64_t appended = journal->bytes_appended;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    keeper->busy = ticks > 0 && (appended - keeper->tick_appended) / (uint64_t)ticks > journal->options.busy_bytes;
    keeper->tick_appended = appended;
    keeper->tick += ticks;
}

static struct result make_room(struct journal *journal, struct journal_writer *keeper, int64_t now_ms, bool *ret_more)
{
    journal_poll(keeper);
    look_at_load(journal, now_ms);
    TRY(save_keys(journal));
    TRY(own_step(journal, keeper->os, ret_more));
    TRY(spare_keep(journal, keeper->os, now_ms, ret_more));
    /* One thing at a time. */
    if (journal->keeper.own == OWN_NONE) TRY(seal_some(journal, keeper, now_ms, ret_more));
    return result_ok();
}

static struct result keep(struct journal *journal, struct journal_writer *keeper, int64_t now_ms,
                          uint64_t release_position, bool *ret_more)
{
    TRY(make_room(journal, keeper, now_ms, ret_more));
    if (journal->keeper.own == OWN_NONE) TRY(recycle_step(journal, keeper, now_ms, release_position));
    if (journal->keeper.own == OWN_NONE && !*ret_more)
        TRY(index_keep_step(journal, keeper->os, now_ms, release_position, ret_more));
    return result_ok();
}

struct result journal_keep(struct journal *journal, struct journal_writer *keeper, int64_t now_ms,
                           uint64_t release_position, bool *ret_more)
{
    *ret_more = false;
    keeper->keeps = true;
    if (atomic_load(&journal->poisoned)) return result_of(JOURNAL_POISONED);
    /* What waits for the disk in os_run hashes blocks meanwhile, before memory forgets them. */
    os_while_waiting(keeper->os, seal_while_waiting, journal);
    struct result result = keep(journal, keeper, now_ms, release_position, ret_more);
    os_while_waiting(keeper->os, NULL, NULL);
    return result;
}

struct result journal_make_room(struct journal *journal, struct journal_writer *keeper, int64_t now_ms, bool *ret_more)
{
    *ret_more = false;
    keeper->keeps = true;
    if (atomic_load(&journal->poisoned)) return result_of(JOURNAL_POISONED);
    return make_room(journal, keeper, now_ms, ret_more);
}

bool journal_keep_rest(struct journal *journal, struct journal_writer *keeper)
{
    bool indexed = !index_keep_pending(journal);
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    bool rests = indexed && journal->user_position <= journal->keeper.seals.sealed_through &&
                 journal->armed_count >= journal->options.spare_count;
    journal->wake_keeper = rests || journal->keeper.busy ? keeper : NULL;
    journal->wake_at = rests ? 0 : atomic_load(&journal->durable_through) + WAKE_BLOCKS;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    return rests;
}

static bool all_closed(struct journal *journal)
{
    if (!journal->vault) return true;
    return journal->keeper.own == OWN_NONE && !journal->keeper.keys_dirty && seal_segment(journal) == NULL;
}

struct result journal_finish(struct journal *journal, struct journal_writer *keeper, int64_t now_ms)
{
    keeper->keeps = true;
    for (;;) {
        if (atomic_load(&journal->poisoned)) return result_of(JOURNAL_POISONED);
        bool more = false;
        journal_poll(keeper);
        TRY(save_keys(journal));
        TRY(own_step(journal, keeper->os, &more));
        if (journal_in_flight(keeper) == 0) {
            if (all_closed(journal)) return result_ok();
            TRY(seal_step(journal, keeper, now_ms, true, &more));
            /* Neither is anything in flight, nor is there anything left to do at once: there is no room for the record.
             */
            if (!more && journal_in_flight(keeper) == 0 && !all_closed(journal)) {
                TRY(spare_keep(journal, keeper->os, now_ms, &more));
                if (!more) return result_of(JOURNAL_NO_ROOM);
            }
        }
        if (!more) TRY(os_step(keeper->os, FINISH_WAIT_NS, NULL));
    }
}
