/* The check: walks every block, and holds each against the one before it, each seal and checkpoint against the blocks.
 * Of a whole journal that begins behind position 1 a record must say why: else the oldest segment could be taken away
 * unseen. */
#include "journal/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/damage.h"

enum { PROGRESS_BYTES = 16 << 20 };

struct result check_found(struct check *check, enum result_code code, enum journal_finding kind, uint64_t first,
                          uint64_t last, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check->report->finding, sizeof check->report->finding, format, arguments);
    va_end(arguments);
    check->report->kind = kind;
    check->report->bad_position = first;
    check->report->bad_last = last;
    return result_of(code);
}

const char *journal_finding_name(enum journal_finding finding)
{
    static const char *const names[] = {
        [FINDING_CHANGED] = "changed",     [FINDING_DROPPED] = "dropped",     [FINDING_SPLICED] = "spliced",
        [FINDING_REORDERED] = "reordered", [FINDING_TRUNCATED] = "truncated", [FINDING_BEGINNING] = "beginning"};
    return names[finding];
}

uint64_t check_unsealed(const struct check *check)
{
    uint64_t first = check->report->sealed_through + 1;
    return first > check->report->first_position ? first : check->report->first_position;
}

const struct folder_file *check_file(const struct check *check, uint64_t wanted)
{
    const struct folder *folder = &check->reader->folder;
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].chain && folder->files[i].number == wanted) return &folder->files[i];
    return NULL;
}

/* Segments go one at a time, the oldest first, each after its record; so the last one that went is named by a record
 * that is still there. */
static void note_beginning(struct check *check, const uint8_t *slot)
{
    uint64_t first = check->report->first_position;
    struct slot_removal removal;
    struct slot_act act;
    switch (slot[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_REMOVAL:
        memcpy(&removal, slot, sizeof removal);
        if (removal.last + 1 == first && removal.segment < check->first_segment) check->beginning_known = true;
        break;
    case SLOT_ACT:
        memcpy(&act, slot, sizeof act);
        if (check->options->begins_at && check->options->begins_at(&act, slot + JOURNAL_SLOT_SIZE, first))
            check->beginning_known = true;
        break;
    default:
        break;
    }
}

/* The oldest segment that the reader passed over because it is of another store; NULL: none. */
static const struct folder_file *check_stranger(const struct check *check)
{
    const struct folder *folder = &check->reader->folder;
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].header && folder->files[i].passed.code == JOURNAL_FOREIGN) return &folder->files[i];
    return NULL;
}

static struct result check_beginning(struct check *check)
{
    if (check->options->part || check->beginning_known || check->report->first_position <= 1) return result_ok();
    const struct folder_file *stranger = check_stranger(check);
    if (stranger && stranger->header->first_position < check->report->first_position)
        return check_found(check, JOURNAL_FOREIGN, FINDING_SPLICED, stranger->header->first_position,
                           check->report->first_position - 1, "segment %" PRIx64 " is of another store",
                           stranger->number);
    return check_found(check, JOURNAL_MISSING, FINDING_BEGINNING, check->report->first_position,
                       check->report->first_position,
                       "the journal begins here, and no record says that the segments before it were removed");
}

static struct result check_records(struct check *check, const struct journal_block_view *block)
{
    uint64_t position = block->header->position;
    uint32_t count;
    for (uint32_t slot = 0; slot < block->header->slot_count; slot += count) {
        count = format_record_slots(block->slots, block->header->slot_count, slot);
        if (count == 0)
            return check_found(check, JOURNAL_CORRUPT, FINDING_CHANGED, position, position, "slot %u begins no record",
                               slot);
        note_beginning(check, block->slots + (size_t)slot * JOURNAL_SLOT_SIZE);
        check->report->records++;
    }
    uint8_t kind = block->slots[JOURNAL_SLOT_SIZE - 1];
    if (kind == SLOT_SEAL) {
        struct slot_seal seal;
        memcpy(&seal, block->slots, sizeof seal);
        return check_seal(check, position, &seal);
    }
    if (kind == SLOT_CHECKPOINT) {
        struct slot_checkpoint checkpoint;
        memcpy(&checkpoint, block->slots, sizeof checkpoint);
        return check_checkpoint(check, position, &checkpoint);
    }
    return result_ok();
}

static struct result begin_segment(struct check *check, const struct segment_header *header, uint64_t position)
{
    const uint8_t *store_id = check->segment == 0 ? check->options->store_id : check->store_id;
    if (store_id && memcmp(store_id, header->store_id, sizeof check->store_id) != 0)
        return check_found(check, JOURNAL_CORRUPT, FINDING_SPLICED, position, position,
                           "segment %llx is of another store", (unsigned long long)header->segment);
    if (check->segment != 0 && header->mac_segment <= check->mac_segment)
        return check_found(check, JOURNAL_CORRUPT, FINDING_SPLICED, position, position,
                           "segment %llx names a key used before", (unsigned long long)header->segment);
    return result_ok();
}

static struct result check_segment(struct check *check, const struct journal_block_view *block)
{
    if (block->segment == check->segment) return result_ok();
    const struct folder_file *file = check_file(check, block->segment);
    if (!file) return result_ok();
    const struct segment_header *header = file->header;
    TRY(begin_segment(check, header, block->header->position));
    if (check->segment == 0) {
        memcpy(check->store_id, header->store_id, sizeof check->store_id);
        check->first_segment = block->segment;
        /* A journal that is there from its first position has no seal before the first one. */
        if (header->first_position == 1 && header->seal_number == 0 && !check->options->resume)
            check->seals_known = check->checkpoints_known = true;
        check->time_ms = header->time_ms;
    }
    check->segment = block->segment;
    check->mac_segment = header->mac_segment;
    return result_ok();
}

static struct result check_block(struct check *check, const struct journal_block_view *block)
{
    const struct journal_block_header *header = block->header;
    struct journal_check_report *report = check->report;
    TRY(check_segment(check, block));
    /* Which of the two is wrong, this block or one before it, is not known. */
    uint64_t unsealed = check_unsealed(check);
    if (report->blocks > 0 && header->time_ms < check->time_ms)
        return check_found(check, JOURNAL_CORRUPT, FINDING_CHANGED, unsealed, header->position, "time falls");
    if (header->committed_through < check->committed_through)
        return check_found(check, JOURNAL_CORRUPT, FINDING_CHANGED, unsealed, header->position,
                           "committed-through falls");
    check->time_ms = header->time_ms;
    check->committed_through = header->committed_through;
    if (report->blocks == 0) report->first_position = header->position;
    report->last_position = header->position;
    report->blocks++;
    uint32_t size = format_block_size(header->slot_count);
    report->bytes += size;
    TRY(check_records(check, block));
    return leaves_add(check->leaves, header->position, (const uint8_t *)header, size / MERKLE_PAGE);
}

/* The walk found damage: what it is, and how far. */
static struct result tell_damage(struct check *check)
{
    static const char *const texts[] = {
        [DAMAGE_CHANGED] = "the block is not what was written: its checksums do not fit, although it was committed",
        [DAMAGE_DROPPED] = "the block is gone, although it was committed and what comes behind it is there",
        [DAMAGE_REORDERED] = "another block of this log stands in this one's place",
        [DAMAGE_SPLICED] = "what stands here does not follow the block before it"};
    static const enum journal_finding kinds[] = {[DAMAGE_CHANGED] = FINDING_CHANGED,
                                                 [DAMAGE_DROPPED] = FINDING_DROPPED,
                                                 [DAMAGE_REORDERED] = FINDING_REORDERED,
                                                 [DAMAGE_SPLICED] = FINDING_SPLICED};
    struct damage damage;
    TRY(damage_look(&check->reader->walk, &damage));
    /* Position 1 names no block before it, so that of another log fits there: either of the two is the stranger. */
    if (damage.kind == DAMAGE_SPLICED && damage.first == 2) damage.first = 1;
    return check_found(check, JOURNAL_CORRUPT, kinds[damage.kind], damage.first, damage.last, "%s", texts[damage.kind]);
}

static struct result check_end(struct check *check)
{
    struct journal_check_report *report = check->report;
    uint64_t end = journal_reader_end(check->reader), known = check->options->known_position;
    if (report->blocks == 0) report->first_position = end;
    TRY(check_beginning(check));
    TRY(check_published(check));
    if (report->resumed && !check->resume_met)
        return check_found(check, JOURNAL_MISSING, FINDING_TRUNCATED, end, end,
                           "the log ends here, before the checkpoint that was checked before");
    if (known == 0 || end > known) return result_ok();
    return check_found(check, JOURNAL_MISSING, FINDING_TRUNCATED, end, known,
                       "the log ends here, but the store holds what was recorded through position %llu",
                       (unsigned long long)known);
}

static struct result check_all(struct check *check)
{
    for (;;) {
        struct journal_block_view block;
        struct result result = journal_reader_next(check->reader, &block);
        if (result.code == JOURNAL_CORRUPT) return tell_damage(check);
        if (result.code == STORE_NOT_FOUND) return check_end(check);
        TRY(result);
        TRY(check_block(check, &block));
        if (!check->options->progress || check->report->bytes - check->progress_bytes < PROGRESS_BYTES) continue;
        check->progress_bytes = check->report->bytes;
        check->options->progress(check->options->context, check->report);
    }
}

/* Everything through the checkpoint was checked before; when what follows is no longer kept, nothing joins the two. */
static void go_on(struct check *check, const struct journal_check_state *state)
{
    const struct folder_file *oldest = folder_next(&check->reader->folder, NULL);
    if (oldest && oldest->header->first_position > state->checkpoint.last + 1) return;
    check->seals_known = check->checkpoints_known = check->beginning_known = true;
    check->state.seal_number = state->checkpoint.seal_number;
    check->state.sealed_through = check->state.closed_sealed_through = state->checkpoint.last;
    check->state.closed_segment = state->checkpoint.segment;
    memcpy(check->state.seal_hash, state->seal_hash, sizeof check->state.seal_hash);
    check->report->sealed_through = check->report->signed_through = state->checkpoint.last;
    vault_sha256(&state->checkpoint, sizeof state->checkpoint, check->state.checkpoint_hash);
    check->report->resumed = true;
}

static struct result check_from(struct check *check, struct os *os, const char *folder)
{
    const struct journal_check_state *resume = check->options->resume;
    struct journal_reader_options options = {.read_ahead = true};
    if (resume) options.from_position = resume->checkpoint.last + 1;
    TRY(journal_reader_open(os, folder, &options, &check->reader));
    if (resume) go_on(check, resume);
    return check_all(check);
}

struct result journal_check(struct os *os, const char *folder, const struct journal_check_options *options,
                            struct journal_check_report *ret_report)
{
    struct check check = {.report = ret_report, .options = options};
    *ret_report = (struct journal_check_report){0};
    check.published_met = calloc(options->published_count + 1, sizeof *check.published_met);
    struct result result = check.published_met ? leaves_create(options->threads, &check.leaves) : result_of(NO_MEMORY);
    if (!result_failed(result)) result = check_from(&check, os, folder);
    leaves_destroy(check.leaves);
    free(check.published_met);
    journal_reader_close(check.reader);
    return result;
}
