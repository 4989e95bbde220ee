/* Sealing: hashes durable blocks into a tree, as they come, appends the seal; closes segments with a signed checkpoint.
 * Blocks are read back from the disk, or where much is written taken from memory (recent.c), as far as they are there
 * still. Everything here is the keeper's; workers see none of it but the blocks it appends. */
#include <string.h>

#include "base/check.h"
#include "journal/internal.h"

/* A step is short (some 0.1 ms, or one block), since between steps the thread lets others run, and reads are small,
 * since the device serves them in turn with the workers' blocks; what comes next is read while this is hashed. */
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
                                .unsealed = journal->bytes_appended - journal->bytes_sealed};
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

/* ---- the disk, for what memory has no more ---- */

static struct result source_at(struct journal *journal, struct os *os, struct segment *segment)
{
    struct keeper *keeper = &journal->keeper;
    if (keeper->source_segment == segment) return result_ok();
    if (segment->file < 0) {
        char name[FILE_NAME_SIZE];
        file_segment_name(segment->number, name);
        TRY(file_open(os, journal->folder, name, OS_OPEN_READ | OS_OPEN_DIRECT, &segment->file));
    }
    if (!keeper->source.window) TRY(source_create(os, OS_BLOCK_SIZE, OS_BLOCK_SIZE, &keeper->source));
    keeper->source.os = os;
    if (!keeper->source.rooms[0]) TRY(source_read_ahead(&keeper->source, WINDOW_SIZE, READ_SIZE));
    source_set(&keeper->source, segment->file, segment->size);
    keeper->source_segment = segment;
    return result_ok();
}

/* NULL: it is not there. A backup, or somebody, may have left it out; the one being written has no last position yet.
 */
static struct segment *segment_of(struct journal *journal, uint64_t position)
{
    struct segment *segment = journal->oldest;
    while (!segment->counts || look(journal, segment).last < position) segment = segment->next;
    return segment->first <= position ? segment : NULL;
}

/* To the block at hash_position, or to one before it in its segment: blocks tell their sizes alone. */
static struct result find_place(struct journal *journal, struct os *os)
{
    struct keeper *keeper = &journal->keeper;
    struct seal_place *place = &keeper->place;
    if (!place->segment || place->position > look(journal, place->segment).last) {
        struct segment *segment = segment_of(journal, keeper->hash_position);
        if (!segment) return result_of(JOURNAL_MISSING);
        *place = (struct seal_place){segment, SEGMENT_HEADER_SIZE, segment->first};
    }
    TRY(source_at(journal, os, place->segment));
    keeper->source.os = os;
    if (keeper->hash_position > keeper->source_through) {
        /* What was read ahead may be older than blocks that are durable now. */
        keeper->source_through = journal_durable_through(journal);
        source_refresh(&keeper->source);
    }
    return result_ok();
}

static bool block_at(const uint8_t *bytes, uint64_t position)
{
    struct journal_block_header header;
    memcpy(&header, bytes, sizeof header);
    return header.position == position;
}

/* The block at keeper->place as the disk has it. It is durable: when it is not there, it rotted. */
static struct result read_block(struct keeper *keeper, const uint8_t **ret_bytes, uint32_t *ret_size)
{
    const uint8_t *bytes;
    TRY(source_get(&keeper->source, keeper->place.offset, JOURNAL_BLOCK_ALIGNMENT, &bytes));
    uint32_t size = bytes ? format_block_begins(bytes) : 0;
    if (size == 0) return result_of(JOURNAL_CORRUPT);
    TRY(source_get(&keeper->source, keeper->place.offset, size, &bytes));
    bool there = bytes && block_at(bytes, keeper->place.position) && format_block_intact(bytes, size);
    if (!there) return result_of(JOURNAL_CORRUPT);
    *ret_bytes = bytes;
    *ret_size = size;
    return result_ok();
}

/* ---- hashing ---- */

static void hash_begin(struct keeper *keeper)
{
    if (keeper->hashing) return;
    page_tree_start(&keeper->leaves);
    keeper->hashing = true;
    keeper->hash_position = keeper->seals.sealed_through + 1;
    keeper->leaves_size = 0;
}

static void hash_block(struct journal *journal, const uint8_t *bytes, uint32_t size, const struct seal_place *end)
{
    struct keeper *keeper = &journal->keeper;
    page_tree_add(&keeper->leaves, bytes, size);
    if (keeper->hash_position >= journal->run_first) keeper->leaves_size += size;
    keeper->place = *end;
    atomic_store(&journal->hashed_through, keeper->hash_position++);
}

/* From the buffer that it was written from. 0: it is not there any more; or it is not what was written, and a seal over
 * it would accuse the log. */
static uint32_t hash_recent(struct journal *journal)
{
    struct keeper *keeper = &journal->keeper;
    uint64_t position = keeper->hash_position;
    struct writer_block *block = keeper->busy ? recent_take(journal, position) : NULL;
    if (!block) return 0;
    const uint8_t *bytes = block->bytes;
    uint32_t size = block->size;
    bool good = format_block_begins(bytes) == size && format_block_intact(bytes, size);
    if (good) {
        struct seal_place end = {block->segment, block->op.offset + size, position + 1};
        hash_block(journal, bytes, size, &end);
    }
    recent_leave(block);
    return good ? size : 0;
}

/* From the disk: the block at hash_position, or one on the way there, of which nothing is hashed. Memory does not have
 * the former, and never will again, so what hashes while this waits has nothing to do. */
static struct result hash_read(struct journal *journal, struct os *os, uint32_t *ret_read)
{
    struct keeper *keeper = &journal->keeper;
    uint64_t position = keeper->hash_position;
    const uint8_t *bytes;
    TRY(find_place(journal, os));
    TRY(read_block(keeper, &bytes, ret_read));
    CHECK(keeper->hash_position == position);
    struct seal_place end = {keeper->place.segment, keeper->place.offset + *ret_read, keeper->place.position + 1};
    if (keeper->place.position == position)
        hash_block(journal, bytes, *ret_read, &end);
    else
        keeper->place = end;
    return result_ok();
}

/* A step towards leaves of everything up to `through`, in whole blocks. */
static struct result hash_step(struct journal *journal, struct os *os, uint64_t through)
{
    struct keeper *keeper = &journal->keeper;
    struct result result = result_ok();
    hash_begin(keeper);
    uint64_t before = keeper->leaves_size;
    for (uint32_t done = 0; keeper->hash_position <= through && done < STEP_BYTES;) {
        uint32_t read = hash_recent(journal);
        if (read == 0) result = hash_read(journal, os, &read);
        if (result_failed(result)) break;
        done += read;
    }
    journal_hashed(journal, keeper->leaves_size - before);
    if (result.code == JOURNAL_CORRUPT) journal_poison(journal); /* what was acknowledged is gone from the disk */
    return result;
}

/* What there is to hash for the next seal, or for the one that is due or in flight: behind that begins another tree. */
static uint64_t hash_through(const struct keeper *keeper, const struct progress *progress)
{
    if (keeper->target) return keeper->target;
    return progress->last < progress->durable_through ? progress->last : progress->durable_through;
}

bool seal_while_waiting(void *context)
{
    struct journal *journal = context;
    struct keeper *keeper = &journal->keeper;
    struct segment *segment = seal_segment(journal);
    if (!journal->vault || !segment || !keeper->busy) return false;
    struct progress progress = look(journal, segment);
    uint64_t through = hash_through(keeper, &progress);
    uint32_t done = 0, hashed = 1;
    hash_begin(keeper);
    uint64_t before = keeper->leaves_size;
    while (keeper->hash_position <= through && done < STEP_BYTES && hashed > 0) {
        hashed = hash_recent(journal);
        done += hashed;
    }
    journal_hashed(journal, keeper->leaves_size - before);
    return done > 0;
}

void seal_forget(struct journal *journal, const struct segment *segment)
{
    struct keeper *keeper = &journal->keeper;
    if (keeper->source_segment == segment) {
        source_refresh(&keeper->source); /* nothing is read ahead of its end any more */
        keeper->source_segment = NULL;
    }
    if (keeper->place.segment == segment) keeper->place.segment = NULL;
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

void seal_made(struct journal *journal)
{
    struct keeper *keeper = &journal->keeper;
    seal_state_seal(&keeper->seals, &keeper->record.seal);
    keeper->target = 0;
    keeper->hashing = false;
    journal_sealed(journal, keeper->leaves_size);
    atomic_store(&journal->sealed_through, keeper->seals.sealed_through);
}

static struct result make_leaves(struct journal *journal, struct journal_writer *writer, const struct segment *segment,
                                 bool *ret_more)
{
    struct keeper *keeper = &journal->keeper;
    TRY(hash_step(journal, writer->os, keeper->target));
    if (keeper->hash_position <= keeper->target) {
        *ret_more = true;
        return result_ok();
    }
    make_seal(journal, segment);
    keeper_append(journal, writer, OWN_SEAL, 3);
    return result_ok();
}

/* Where much is written, what is durable is hashed before its seal is due, while it is in memory. */
static struct result hash_ahead(struct journal *journal, struct os *os, const struct progress *progress, bool *ret_more)
{
    struct keeper *keeper = &journal->keeper;
    uint64_t through = hash_through(keeper, progress);
    if (!keeper->busy) return result_ok();
    TRY(hash_step(journal, os, through));
    if (keeper->hash_position <= through) *ret_more = true;
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
    if (!progress.current && !ended) return hash_ahead(journal, writer->os, &progress, ret_more);
    bool behind = keeper->seals.sealed_through < target;
    int64_t since_ms = now_ms - keeper->sealed_ms;
    bool due = since_ms >= SEAL_PAUSE_MS || since_ms < 0 || progress.unsealed > journal->options.unsealed_max / 2;
    /* Seals of nothing but seals would follow each other for ever. */
    if (progress.current && !force && !(due && progress.user_position > keeper->seals.sealed_through))
        return hash_ahead(journal, writer->os, &progress, ret_more);
    if (behind && !keeper->last_seal) {
        *ret_more = true;
        keeper->last_seal = progress.current && force;
        keeper->target = target;
        keeper->sealed_ms = now_ms;
        return result_ok();
    }
    if (progress.current && !force) return result_ok();
    TRY(make_checkpoint(journal, segment, now_ms));
    keeper_append(journal, writer, OWN_CHECKPOINT, 3);
    return result_ok();
}
