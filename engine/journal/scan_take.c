/* What is read next, by one thread at a time: reads a piece and hops from block header to block header to find where
 * its last whole block ends. Bodies are verified by the threads, beside each other. */
#include <string.h>

#include "journal/scan_state.h"

void scan_cursor_close(struct scan *scan, struct os *os)
{
    struct scan_cursor *cursor = &scan->cursor;
    if (!cursor->file) return;
    file_close(os, cursor->descriptor);
    if (cursor->indexed) index_file_close(os, &cursor->index);
    cursor->file = NULL;
    cursor->indexed = false;
}

/* ---- segments ---- */

static bool in_range(const struct scan *scan, const struct folder_file *file)
{
    const struct scan_options *options = scan->options;
    if (file->limit <= options->from_position) return false;
    if (options->to_position && file->header->first_position > options->to_position) return false;
    if (file->header->time_ms > options->until_ms) return false;
    /* Journal time never falls, so the next segment's header is not before anything in this one. */
    const struct folder_file *next = folder_next(&scan->folder, file);
    return !next || next->header->time_ms >= options->since_ms;
}

/* Whether the index is to be gone by, and which groups it lets through. */
static struct result look_into_index(struct scan *scan, struct os *os)
{
    struct scan_cursor *cursor = &scan->cursor;
    const struct scan_options *options = scan->options;
    if (options->no_index || cursor->file->limit == UINT64_MAX) return result_ok();
    struct result result = index_file_open(os, scan->folder.path, cursor->file->header, &cursor->index);
    if (result.code == STORE_NOT_FOUND) return result_ok();
    TRY(result);
    uint32_t count = cursor->index.header.group_count;
    bool whole = cursor->index.header.last_position == cursor->file->limit - 1;
    for (uint32_t i = 0; i < count; i++) cursor->can[i] = options->key_count == 0;
    for (unsigned key = 0; key < options->key_count && whole; key++) {
        bool can[INDEX_GROUPS_MAX];
        result = index_file_look(os, &cursor->index, options->keys[key], can);
        if (result.code == STORE_NOT_FOUND) whole = false;
        if (result_failed(result)) break;
        for (uint32_t i = 0; i < count; i++) cursor->can[i] |= can[i];
    }
    if (!whole || result_failed(result)) {
        index_file_close(os, &cursor->index);
        return result.code == STORE_NOT_FOUND ? result_ok() : result;
    }
    cursor->indexed = true;
    return result_ok();
}

static bool group_wanted(const struct scan *scan, uint32_t number)
{
    const struct scan_cursor *cursor = &scan->cursor;
    const struct scan_options *options = scan->options;
    const struct index_group *group = &cursor->index.groups[number];
    bool last = number + 1 == cursor->index.header.group_count;
    uint64_t end = last ? cursor->file->limit : cursor->index.groups[number + 1].first_position;
    if (!cursor->can[number] || end <= options->from_position) return false;
    if (options->to_position && group->first_position > options->to_position) return false;
    if (group->time_last_ms < options->since_ms || group->time_first_ms > options->until_ms) return false;
    return options->kinds == 0 || (group->kinds & options->kinds);
}

/* To the next run of groups that are wanted; false when none is left. */
static bool next_range(struct scan *scan)
{
    struct scan_cursor *cursor = &scan->cursor;
    const struct index_header *header = &cursor->index.header;
    while (cursor->group < header->group_count && !group_wanted(scan, cursor->group)) cursor->group++;
    if (cursor->group == header->group_count) return false;
    const struct index_group *group = &cursor->index.groups[cursor->group];
    bool follows = cursor->offset == group->offset;
    cursor->offset = group->offset;
    cursor->position = group->first_position;
    if (!follows) {
        cursor->predecessor = group->predecessor;
        cursor->predecessor_known = group->offset == SEGMENT_HEADER_SIZE;
    }
    while (cursor->group < header->group_count && group_wanted(scan, cursor->group)) cursor->group++;
    bool to_end = cursor->group == header->group_count;
    cursor->range_end = to_end ? header->end_offset : cursor->index.groups[cursor->group].offset;
    return true;
}

static struct result open_segment(struct scan *scan, struct os *os, const struct folder_file *file)
{
    struct scan_cursor *cursor = &scan->cursor;
    char name[FILE_NAME_SIZE];
    file_segment_name(file->number, name);
    TRY(file_open(os, scan->folder.path, name, OS_OPEN_READ, &cursor->descriptor));
    cursor->file = file;
    cursor->offset = SEGMENT_HEADER_SIZE;
    cursor->range_end = file->header->size < file->size ? file->header->size : file->size;
    cursor->position = file->header->first_position;
    cursor->predecessor = file->header->predecessor;
    cursor->predecessor_known = true;
    cursor->group = 0;
    scan->report.segments++;
    TRY(look_into_index(scan, os));
    if (!cursor->indexed) return result_ok();
    scan->report.segments_indexed++;
    /* Before the first group: no range is open. */
    cursor->range_end = cursor->offset;
    return result_ok();
}

/* ---- pieces ---- */

static struct result read_piece(struct scan *scan, struct os *os, uint8_t *buffer, uint64_t *ret_have)
{
    struct scan_cursor *cursor = &scan->cursor;
    uint64_t left = cursor->range_end - cursor->offset, have = 0;
    uint64_t want = left < PIECE_SIZE ? left : PIECE_SIZE;
    while (have < want) {
        struct os_op op = {.kind = OS_READ,
                           .file = cursor->descriptor,
                           .buffer = buffer + have,
                           .size = (uint32_t)(want - have),
                           .offset = cursor->offset + have};
        int64_t got = os_run(os, &op);
        TRY(os_result(got));
        if (got == 0) break;
        have += (uint64_t)got;
    }
    scan->report.bytes_read += have;
    *ret_have = have;
    return result_ok();
}

/* Is this the block of the cursor's place, as far as its header says? */
static uint32_t header_fits(const struct scan_cursor *cursor, const uint8_t *bytes, struct journal_block_header *header)
{
    uint32_t size = format_block_begins(bytes);
    if (size == 0) return 0;
    memcpy(header, bytes, sizeof *header);
    if (header->position != cursor->position || header->incarnation != cursor->file->header->incarnation) return 0;
    if (cursor->predecessor_known && header->predecessor != cursor->predecessor) return 0;
    return size;
}

static bool past_end(const struct scan *scan)
{
    uint64_t to = scan->options->to_position;
    return scan->cursor.position >= scan->cursor.file->limit || (to && scan->cursor.position > to);
}

/* Moves the cursor over the whole blocks of what was read; gives their bytes. */
static uint64_t hop(struct scan *scan, const uint8_t *buffer, uint64_t have, bool *ret_bad)
{
    struct scan_cursor *cursor = &scan->cursor;
    uint64_t at = 0;
    *ret_bad = false;
    while (at + JOURNAL_BLOCK_ALIGNMENT <= have && !past_end(scan)) {
        struct journal_block_header header;
        uint32_t size = header_fits(cursor, buffer + at, &header);
        *ret_bad = size == 0;
        if (size == 0 || at + size > have) break;
        at += size;
        cursor->position++;
        cursor->predecessor = header.header_checksum;
        cursor->predecessor_known = true;
    }
    cursor->offset += at;
    return at;
}

/* The rest of the segment, from the cursor on, for the careful reader. */
static void take_slow(struct scan *scan, struct os *os, struct scan_piece *piece)
{
    struct scan_cursor *cursor = &scan->cursor;
    const struct folder_file *next = folder_next(&scan->folder, cursor->file);
    piece->slow = true;
    piece->position_end = next ? next->header->first_position : UINT64_MAX;
    scan_cursor_close(scan, os);
}

static struct journal_place place_of(const struct scan_cursor *cursor)
{
    return (struct journal_place){.segment = cursor->file->number,
                                  .segment_first = cursor->file->header->first_position,
                                  .offset = cursor->offset,
                                  .position = cursor->position,
                                  .predecessor = cursor->predecessor};
}

/* The open segment's next piece; false when it is at its end. */
static struct result take_here(struct scan *scan, struct os *os, uint8_t *buffer, struct scan_piece *piece,
                               bool *ret_taken)
{
    struct scan_cursor *cursor = &scan->cursor;
    uint64_t have;
    bool bad;
    *ret_taken = false;
    if (past_end(scan)) return result_ok();
    if (cursor->indexed && cursor->offset >= cursor->range_end && !next_range(scan)) return result_ok();
    *piece = (struct scan_piece){.place = place_of(cursor), .incarnation = cursor->file->header->incarnation};
    *ret_taken = true;
    TRY(read_piece(scan, os, buffer, &have));
    piece->size = hop(scan, buffer, have, &bad);
    piece->position_end = cursor->position;
    if (piece->size > 0) return result_ok();
    /* Past what is wanted, without a block: that is no damage. */
    if (past_end(scan)) *ret_taken = false;
    if (*ret_taken) take_slow(scan, os, piece);
    return result_ok();
}

struct result scan_take(struct scan *scan, struct os *os, uint8_t *buffer, struct scan_piece *ret_piece,
                        bool *ret_taken)
{
    struct scan_cursor *cursor = &scan->cursor;
    for (;;) {
        *ret_taken = false;
        if (cursor->file) TRY(take_here(scan, os, buffer, ret_piece, ret_taken));
        if (*ret_taken) return result_ok();
        if (cursor->file && cursor->file->limit != UINT64_MAX) scan->report.end = place_of(cursor);
        scan_cursor_close(scan, os);
        if (cursor->next_file == scan->folder.count) return result_ok();
        const struct folder_file *file = &scan->folder.files[cursor->next_file];
        if (result_failed(file->passed) && !cursor->told) {
            *ret_piece = (struct scan_piece){.failure = file->passed, .failed_segment = file->number};
            *ret_taken = cursor->told = true;
            return result_ok();
        }
        cursor->told = false;
        cursor->next_file++;
        if (!file->chain || !in_range(scan, file)) continue;
        struct result result = open_segment(scan, os, file);
        /* Without it: a daemon recycled it since the folder was read. */
        if (result.code != OS_NOT_FOUND) TRY(result);
    }
}
