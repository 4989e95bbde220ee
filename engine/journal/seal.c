/* Sealing: reads durable blocks back from the disk, hashes them into a tree, appends the seal; closes segments with a
 * signed checkpoint. Everything here is the keeper's; workers see none of it but the blocks it appends. */
#include <string.h>

#include "base/check.h"
#include "journal/internal.h"

/* A step is short (some 0.1 ms), since between steps the thread lets others run, and reads are small, since the device
 * serves them in turn with the workers' blocks; what comes next is read while this is hashed. */
enum { STEP_BYTES = 64 << 10, READ_SIZE = 256 << 10, WINDOW_SIZE = 1 << 20, SEAL_PAUSE_MS = 1000 };

/* What workers may change about a segment, read together. */
struct progress {
    bool current;
    uint64_t last;
    uint64_t durable_through;
    uint64_t user_position;
    uint64_t unsealed; /* bytes */
};

static struct progress look(struct journal *journal, const struct segment *segment)
{
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    struct progress progress = {.current = segment == journal->current,
                                .last = segment->last,
                                .durable_through = atomic_load(&journal->durable_through),
                                .user_position = journal->user_position,
                                .unsealed = journal->bytes_appended - journal->read_back};
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    return progress;
}

static bool in_use(struct journal *journal, const struct segment *segment)
{
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    bool used = segment->number <= journal->current->number;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    return used;
}

struct segment *seal_segment(struct journal *journal)
{
    struct segment *segment = journal->oldest;
    while (segment && (!segment->counts || segment->number <= journal->keeper.seals.closed_segment))
        segment = segment->next;
    return segment && in_use(journal, segment) ? segment : NULL;
}

/* ---- reading back ---- */

static struct result read_from(struct journal *journal, struct os *os, struct segment *segment)
{
    struct keeper *keeper = &journal->keeper;
    if (segment->file < 0) {
        char name[FILE_NAME_SIZE];
        file_segment_name(segment->number, name);
        TRY(file_open(os, journal->folder, name, OS_OPEN_READ | OS_OPEN_DIRECT, &segment->file));
    }
    if (!keeper->source.window) TRY(source_create(os, OS_BLOCK_SIZE, OS_BLOCK_SIZE, &keeper->source));
    keeper->source.os = os;
    if (!keeper->source.rooms[0]) TRY(source_read_ahead(&keeper->source, WINDOW_SIZE, READ_SIZE));
    source_set(&keeper->source, segment->file, segment->size);
    keeper->read_segment = segment;
    keeper->read_offset = SEGMENT_HEADER_SIZE;
    keeper->block_left = 0;
    keeper->read_position = segment->first;
    return result_ok();
}

/* To the segment that holds `position`: once a run; afterwards each seal goes on where the one before ended. */
static struct result seek(struct journal *journal, struct os *os, uint64_t position)
{
    struct segment *segment = journal->oldest;
    while (segment && !(segment->counts && segment->first <= position && position <= look(journal, segment).last))
        segment = segment->next;
    return segment ? read_from(journal, os, segment) : result_of(JOURNAL_MISSING);
}

static bool block_at(struct keeper *keeper, const uint8_t *bytes)
{
    struct journal_block_header header;
    memcpy(&header, bytes, sizeof header);
    return header.position == keeper->read_position;
}

/* The next block as the disk has it. It is durable: when it is not there, it rotted. */
static struct result read_block(struct keeper *keeper, const uint8_t **ret_bytes, uint32_t *ret_size)
{
    const uint8_t *bytes;
    TRY(source_get(&keeper->source, keeper->read_offset, JOURNAL_BLOCK_ALIGNMENT, &bytes));
    uint32_t size = bytes ? format_block_begins(bytes) : 0;
    if (size == 0) return result_of(JOURNAL_CORRUPT);
    TRY(source_get(&keeper->source, keeper->read_offset, size, &bytes));
    bool there = bytes && block_at(keeper, bytes) && format_block_intact(bytes, size);
    if (!there) return result_of(JOURNAL_CORRUPT);
    *ret_bytes = bytes;
    *ret_size = size;
    return result_ok();
}

static struct result next_segment(struct journal *journal, struct os *os)
{
    struct keeper *keeper = &journal->keeper;
    if (keeper->read_position <= look(journal, keeper->read_segment).last) return result_ok();
    struct segment *next = keeper->read_segment->next;
    while (next && (!next->counts || look(journal, next).last < keeper->read_position)) next = next->next;
    CHECK(next && next->first == keeper->read_position);
    return read_from(journal, os, next);
}

/* The next block, or what is left of the one that the last step began. */
static struct result more_to_hash(struct journal *journal, struct os *os)
{
    struct keeper *keeper = &journal->keeper;
    if (keeper->block_left > 0) return result_ok();
    TRY(next_segment(journal, os));
    TRY(read_block(keeper, &keeper->block, &keeper->block_left));
    keeper->read_offset += keeper->block_left;
    return result_ok();
}

static struct result read_leaves(struct journal *journal, struct os *os, bool *ret_done)
{
    struct keeper *keeper = &journal->keeper;
    uint64_t first = keeper->seals.sealed_through + 1;
    if (!keeper->read_segment) TRY(seek(journal, os, first));
    keeper->source.os = os;
    uint32_t added = 0;
    for (uint32_t read = 0; keeper->read_position <= keeper->target && read < STEP_BYTES;) {
        TRY(more_to_hash(journal, os));
        uint32_t size = keeper->block_left < STEP_BYTES - read ? keeper->block_left : STEP_BYTES - read;
        if (keeper->read_position >= first) page_tree_add(&keeper->leaves, keeper->block, size);
        if (keeper->read_position >= first) added += size;
        keeper->block += size;
        keeper->block_left -= size;
        keeper->read_position += keeper->block_left == 0;
        read += size;
    }
    journal_read_back(journal, added);
    *ret_done = keeper->read_position > keeper->target;
    return result_ok();
}

/* ---- records ---- */

static void make_seal(struct journal *journal, const struct segment *segment)
{
    struct keeper *keeper = &journal->keeper;
    CHECK(vault_mac_segment(journal->vault) == segment->mac_segment);
    struct slot_seal *seal = &keeper->record.seal;
    *seal = (struct slot_seal){.number = keeper->seals.seal_number + 1,
                               .first = keeper->seals.sealed_through + 1,
                               .last = keeper->target,
                               .segment = segment->number,
                               .mac_segment = segment->mac_segment,
                               .kind = SLOT_SEAL};
    page_tree_root(&keeper->leaves, seal->root);
    memcpy(seal->previous, keeper->seals.seal_hash, sizeof seal->previous);
    vault_mac(journal->vault, seal, offsetof(struct slot_seal, mac), seal->mac);
}

static struct result make_checkpoint(struct journal *journal, const struct segment *segment, int64_t now_ms)
{
    struct keeper *keeper = &journal->keeper;
    struct slot_checkpoint *checkpoint = &keeper->record.checkpoint;
    *checkpoint = (struct slot_checkpoint){.segment = segment->number,
                                           .first = segment->first,
                                           .last = keeper->seals.sealed_through,
                                           .time_ms = now_ms,
                                           .seal_number = keeper->seals.seal_number,
                                           .seal_count = keeper->seals.seal_count,
                                           .kind = SLOT_CHECKPOINT};
    memcpy(checkpoint->store_id, journal->options.store_id, sizeof checkpoint->store_id);
    memcpy(checkpoint->previous, keeper->seals.checkpoint_hash, sizeof checkpoint->previous);
    merkle_root(&keeper->seals.seals, checkpoint->seals_root);
    uint8_t bytes[CHECKPOINT_SIGNED_SIZE];
    checkpoint_signed_bytes(checkpoint, bytes);
    return vault_sign(journal->vault, bytes, sizeof bytes, checkpoint->signature);
}

static void start_seal(struct keeper *keeper, uint64_t target, int64_t now_ms)
{
    keeper->target = target;
    keeper->sealed_ms = now_ms;
    /* What was read ahead of the seal before may be older than blocks that are durable now. */
    source_refresh(&keeper->source);
    page_tree_start(&keeper->leaves);
}

static struct result make_leaves(struct journal *journal, struct journal_writer *writer, const struct segment *segment,
                                 bool *ret_more)
{
    bool done;
    struct result result = read_leaves(journal, writer->os, &done);
    if (result.code == JOURNAL_CORRUPT) journal_poison(journal); /* what was acknowledged is gone from the disk */
    TRY(result);
    if (!done) {
        *ret_more = true;
        return result_ok();
    }
    make_seal(journal, segment);
    keeper_append(journal, writer, OWN_SEAL, 3);
    return result_ok();
}

/* What is due for the oldest segment that is not closed: more leaves, a seal, its checkpoint, or nothing. */
struct result seal_step(struct journal *journal, struct journal_writer *writer, int64_t now_ms, bool force,
                        bool *ret_more)
{
    struct keeper *keeper = &journal->keeper;
    struct segment *segment = seal_segment(journal);
    if (!segment) return result_ok();
    struct progress progress = look(journal, segment);
    bool ended = !progress.current && progress.last <= progress.durable_through;
    if (!journal->vault) {
        if (!ended) return result_ok();
        keeper->seals.closed_segment = segment->number;
        keeper->seals.sealed_through = keeper->seals.closed_sealed_through = progress.last;
        keeper_publish(journal);
        *ret_more = true;
        return result_ok();
    }
    if (keeper->target) return make_leaves(journal, writer, segment, ret_more);
    uint64_t target = progress.current ? progress.durable_through : progress.last;
    if (!progress.current && !ended) return result_ok();
    bool behind = keeper->seals.sealed_through < target;
    int64_t since_ms = now_ms - keeper->sealed_ms;
    bool due = since_ms >= SEAL_PAUSE_MS || since_ms < 0 || progress.unsealed > journal->options.unsealed_max / 2;
    /* Seals of nothing but seals would follow each other for ever. */
    if (progress.current && !force && !(due && progress.user_position > keeper->seals.sealed_through))
        return result_ok();
    if (behind && !keeper->last_seal) {
        *ret_more = true;
        keeper->last_seal = progress.current && force;
        start_seal(keeper, target, now_ms);
        return result_ok();
    }
    if (progress.current && !force) return result_ok();
    TRY(make_checkpoint(journal, segment, now_ms));
    keeper_append(journal, writer, OWN_CHECKPOINT, 3);
    return result_ok();
}
