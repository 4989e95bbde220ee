/* The housekeeper's part: closed segments get their index, one after the other, in steps of some 0.1 ms, only when
 * nothing else is due, and no more than some mebibytes in a tenth of a second, one where much is written, since the
 * workers need disk and processor more. Whatever fails here costs that segment its index and nothing else, but for a
 * block that is not on the disk: what was sealed from memory is read back here for the first time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/folder.h"
#include "journal/index_keep.h"
#include "journal/internal.h"

enum {
    STEP_BYTES = 128 << 10, /* read, or written */
    WINDOW_SIZE = 2 << 20,
    TICK_STEPS = 40,
    TICK_STEPS_BUSY = 8,
};

struct index_keep {
    uint64_t next; /* number of the segment that is looked at next */
    bool begun;    /* leftovers of the last run are gone */
    int64_t tick;  /* of journal time */
    uint32_t tick_steps;
    /* the one being made */
    struct index_builder *builder;
    struct source source;
    int file;
    uint64_t segment;
    uint64_t offset;
    uint64_t position;
    uint64_t last;
    /* once laid out */
    const uint8_t *bytes;
    size_t bytes_size;
    size_t written;
    int index_file; /* -1: not yet */
};

struct index_keep *index_keep_create(void)
{
    struct index_keep *keep = calloc(1, sizeof *keep);
    if (keep) keep->file = keep->index_file = -1;
    return keep;
}

static void drop(struct index_keep *keep, struct os *os)
{
    index_builder_destroy(keep->builder);
    keep->builder = NULL;
    keep->bytes = NULL;
    file_close(os, keep->file);
    file_close(os, keep->index_file);
    keep->file = keep->index_file = -1;
    source_destroy(&keep->source);
}

void index_keep_destroy(struct index_keep *keep, struct os *os)
{
    if (!keep) return;
    drop(keep, os);
    free(keep);
}

/* ---- leftovers ---- */

struct leftovers {
    struct os *os;
    const struct journal *journal;
};

static bool is_segment(const struct journal *journal, uint64_t number)
{
    for (const struct segment *at = journal->oldest; at; at = at->next)
        if (at->number == number) return true;
    return false;
}

static void each_name(void *context, const char *name, uint64_t size)
{
    const struct leftovers *leftovers = context;
    char again[INDEX_NAME_SIZE];
    uint64_t number;
    (void)size;
    if (sscanf(name, "%" SCNx64, &number) != 1) return;
    index_name(number, again);
    if (strcmp(name, again) != 0 || is_segment(leftovers->journal, number)) return;
    (void)!result_failed(index_file_remove(leftovers->os, leftovers->journal->folder, number));
}

/* ---- one segment ---- */

static struct result begin(struct index_keep *keep, struct os *os, const char *folder, uint64_t number)
{
    struct segment_header header;
    struct index_file there;
    char name[FILE_NAME_SIZE];
    const uint8_t *bytes;
    file_segment_name(number, name);
    TRY(source_create(os, WINDOW_SIZE, STEP_BYTES, &keep->source));
    TRY(file_open(os, folder, name, OS_OPEN_READ | OS_OPEN_DIRECT, &keep->file));
    source_set(&keep->source, keep->file, UINT64_MAX);
    TRY(source_get(&keep->source, 0, SEGMENT_HEADER_SIZE, &bytes));
    if (!bytes) return result_of(JOURNAL_MISSING);
    memcpy(&header, bytes, sizeof header);
    if (format_header_check(&header, number) != HEADER_VALID) return result_of(JOURNAL_CORRUPT);
    if (!result_failed(index_file_open(os, folder, &header, &there))) {
        index_file_close(os, &there);
        return result_of(STORE_EXISTS);
    }
    keep->source.size = header.size;
    keep->segment = number;
    keep->offset = SEGMENT_HEADER_SIZE;
    keep->position = header.first_position;
    return index_builder_create(&header, &keep->builder);
}

static struct result add_block(struct index_keep *keep, uint32_t *ret_size)
{
    const uint8_t *bytes;
    TRY(source_get(&keep->source, keep->offset, JOURNAL_BLOCK_ALIGNMENT, &bytes));
    uint32_t size = bytes ? format_block_begins(bytes) : 0;
    if (size > 0) TRY(source_get(&keep->source, keep->offset, size, &bytes));
    if (size == 0 || !bytes || !format_block_intact(bytes, size)) return result_of(JOURNAL_CORRUPT);
    struct journal_block_view view = {.header = (const struct journal_block_header *)(const void *)bytes,
                                      .slots = bytes + sizeof(struct journal_block_header),
                                      .segment = keep->segment,
                                      .offset = keep->offset};
    if (view.header->position != keep->position) return result_of(JOURNAL_CORRUPT);
    TRY(index_builder_block(keep->builder, &view, size));
    keep->offset += size;
    keep->position++;
    *ret_size = size;
    return result_ok();
}

static struct result write_some(struct index_keep *keep, struct os *os, const char *folder, bool *ret_done)
{
    if (keep->index_file < 0) {
        keep->written = 0;
        return index_file_create(os, folder, keep->segment, &keep->index_file);
    }
    size_t left = keep->bytes_size - keep->written;
    uint32_t piece = left < STEP_BYTES ? (uint32_t)left : STEP_BYTES;
    struct result result =
        file_write(os, keep->index_file, keep->bytes + keep->written, piece, keep->written, OS_WRITE);
    keep->written += piece;
    *ret_done = keep->written == keep->bytes_size;
    /* Half of one takes room and serves nobody. */
    if (result_failed(result)) (void)!result_failed(index_file_remove(os, folder, keep->segment));
    return result;
}

static struct result go_on(struct index_keep *keep, struct os *os, const char *folder, bool *ret_done)
{
    uint32_t size;
    *ret_done = false;
    keep->source.os = os;
    if (keep->bytes) return write_some(keep, os, folder, ret_done);
    if (keep->position <= keep->last) {
        for (uint64_t read = 0; read < STEP_BYTES && keep->position <= keep->last; read += size)
            TRY(add_block(keep, &size));
        return result_ok();
    }
    const uint8_t *bytes;
    bool laid_out;
    TRY(index_builder_finish(keep->builder, &laid_out, &bytes, &keep->bytes_size));
    if (laid_out) keep->bytes = bytes;
    return result_ok();
}

/* The next closed segment that holds something. NULL: none yet. */
static const struct segment *candidate(struct journal *journal)
{
    struct index_keep *keep = journal->keeper.indexes;
    const struct segment *at = journal->oldest;
    while (at && (at->number < keep->next || !at->counts || at->last < at->first)) at = at->next;
    return at && at->number <= journal->keeper.seals.closed_segment ? at : NULL;
}

/* Steps R2 and K1 of FORMAT.md: a start reads from the segment behind the closed one that the newest durable header
 * names, or from the one that holds the position behind the checkpoint's. */
static bool needed(struct journal *journal, uint64_t number, uint64_t release_position)
{
    uint64_t closed_segment;
    (void)keeper_current(journal, &closed_segment);
    const struct segment *next = journal->oldest;
    while (next->number <= number) next = next->next;
    return number > closed_segment || next->first - 1 > release_position;
}

bool index_keep_pending(struct journal *journal)
{
    const struct index_keep *keep = journal->keeper.indexes;
    return keep && (keep->builder || candidate(journal));
}

static bool may_step(struct journal *journal, int64_t now_ms)
{
    struct index_keep *keep = journal->keeper.indexes;
    if (now_ms / JOURNAL_TICK_MS != keep->tick) keep->tick_steps = 0;
    keep->tick = now_ms / JOURNAL_TICK_MS;
    return keep->tick_steps++ < (journal->keeper.busy ? TICK_STEPS_BUSY : TICK_STEPS);
}

static void clear_leftovers(struct journal *journal, struct os *os)
{
    struct leftovers leftovers = {.os = os, .journal = journal};
    (void)!result_failed(os_list(os, journal->folder, each_name, &leftovers));
}

struct result index_keep_step(struct journal *journal, struct os *os, int64_t now_ms, uint64_t release_position,
                              bool *ret_more)
{
    struct index_keep *keep = journal->keeper.indexes;
    if (!keep || !may_step(journal, now_ms)) return result_ok();
    struct result result = result_ok();
    bool done = false;
    *ret_more = true;
    if (!keep->begun) {
        keep->begun = true;
        clear_leftovers(journal, os);
    } else if (!keep->builder) {
        const struct segment *segment = candidate(journal);
        *ret_more = segment != NULL;
        if (!segment) return result_ok();
        keep->next = segment->number + 1;
        keep->segment = segment->number;
        keep->last = segment->last;
        result = begin(keep, os, journal->folder, segment->number);
    } else if (!is_segment(journal, keep->segment)) {
        done = true; /* recycled meanwhile */
    } else {
        result = go_on(keep, os, journal->folder, &done);
    }
    if (done || result_failed(result)) drop(keep, os);
    if (result.code != JOURNAL_CORRUPT) return result_ok();
    if (needed(journal, keep->segment, release_position)) journal_poison(journal);
    return result;
}

void index_keep_recycled(struct journal *journal, struct os *os, uint64_t segment)
{
    if (journal->keeper.indexes) (void)!result_failed(index_file_remove(os, journal->folder, segment));
}

/* ---- by hand ---- */

struct result journal_index_make(struct os *os, const char *folder, uint64_t segment)
{
    struct folder read;
    TRY(folder_read(os, folder, NULL, &read));
    uint64_t limit = UINT64_MAX;
    for (size_t i = 0; i < read.count; i++) {
        const struct folder_file *file = &read.files[i];
        /* A closed one that holds something. */
        if (file->number == segment && file->chain && file->header->first_position < file->limit) limit = file->limit;
    }
    folder_release(&read);
    if (limit == UINT64_MAX) return result_of(JOURNAL_MISSING);
    struct index_keep keep = {.file = -1, .index_file = -1, .last = limit - 1};
    bool done = false;
    struct result result = begin(&keep, os, folder, segment);
    while (!done && !result_failed(result)) result = go_on(&keep, os, folder, &done);
    drop(&keep, os);
    return result;
}
