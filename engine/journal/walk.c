#include "journal/walk.h"

#include <string.h>

enum { WINDOW_SIZE = 2 << 20 };

struct result walk_create(struct os *os, const struct folder *folder, struct walk *ret_walk)
{
    uint64_t largest = JOURNAL_BLOCK_ALIGNMENT;
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].size > largest) largest = folder->files[i].size;
    largest = (largest + JOURNAL_BLOCK_ALIGNMENT - 1) / JOURNAL_BLOCK_ALIGNMENT * JOURNAL_BLOCK_ALIGNMENT;
    struct walk walk = {.os = os, .folder = folder, .largest = largest};
    uint32_t window_size = largest < WINDOW_SIZE ? (uint32_t)largest : WINDOW_SIZE;
    TRY(source_create(os, window_size, window_size, &walk.source));
    *ret_walk = walk;
    return result_ok();
}

static void close_file(struct walk *walk)
{
    int file = walk->source.file;
    source_set(&walk->source, -1, 0);
    file_close(walk->os, file);
}

void walk_destroy(struct walk *walk)
{
    close_file(walk);
    source_destroy(&walk->source);
}

static struct result open_file(struct walk *walk, const struct folder_file *file)
{
    close_file(walk);
    char name[FILE_NAME_SIZE];
    file_segment_name(file->number, name);
    int descriptor;
    TRY(file_open(walk->os, walk->folder->path, name, OS_OPEN_READ | OS_OPEN_DIRECT, &descriptor));
    source_set(&walk->source, descriptor, file->valid ? file->header->size : file->size);
    return result_ok();
}

static struct result enter(struct walk *walk, struct folder_file *file)
{
    TRY(open_file(walk, file));
    walk->file = file;
    walk->offset = SEGMENT_HEADER_SIZE;
    walk->position = file->header->first_position;
    walk->predecessor = file->header->predecessor;
    walk->predecessor_known = true;
    return result_ok();
}

struct result walk_seek(struct walk *walk, uint64_t position)
{
    struct folder_file *file = folder_find(walk->folder, position);
    if (!file) return result_of(JOURNAL_MISSING);
    walk->time_ms = file->header->time_ms;
    return enter(walk, file);
}

struct result walk_intact_at(struct walk *walk, uint64_t offset, const uint8_t **ret_bytes, uint32_t *ret_size)
{
    const uint8_t *bytes;
    *ret_size = 0;
    TRY(source_get(&walk->source, offset, JOURNAL_BLOCK_ALIGNMENT, &bytes));
    uint32_t size = bytes ? format_block_begins(bytes) : 0;
    if (size == 0) return result_ok();
    if (size > walk->source.window_size) return result_ok();
    TRY(source_get(&walk->source, offset, size, &bytes));
    if (!bytes || !format_block_intact(bytes, size)) return result_ok();
    *ret_bytes = bytes;
    *ret_size = size;
    return result_ok();
}

static void view_of(const uint8_t *bytes, uint64_t segment, uint64_t offset, struct journal_block_view *ret_block)
{
    *ret_block = (struct journal_block_view){.header = (const struct journal_block_header *)(const void *)bytes,
                                             .slots = bytes + sizeof(struct journal_block_header),
                                             .segment = segment,
                                             .offset = offset};
}

/* The place's own block: intact, and of the expected position, run and predecessor. */
static struct result take(struct walk *walk, struct journal_block_view *ret_block, bool *ret_taken)
{
    const uint8_t *bytes;
    uint32_t size;
    *ret_taken = false;
    TRY(walk_intact_at(walk, walk->offset, &bytes, &size));
    if (size == 0) return result_ok();
    struct journal_block_view block;
    view_of(bytes, walk->file->number, walk->offset, &block);
    const struct journal_block_header *header = block.header;
    if (header->position != walk->position || header->incarnation != walk->file->header->incarnation)
        return result_ok();
    if (walk->predecessor_known && header->predecessor != walk->predecessor) return result_ok();
    walk->offset += size;
    walk->position++;
    walk->predecessor = header->header_checksum;
    walk->predecessor_known = true;
    walk->time_ms = header->time_ms;
    *ret_block = block;
    *ret_taken = true;
    return result_ok();
}

struct result walk_scan_file(struct walk *walk, uint64_t number, const struct walk_scan *scan, bool *ret_stopped)
{
    /* D blocks of at most 1 MiB each, and the beginning of the one behind them. */
    uint64_t end = scan->from + (uint64_t)scan->depth_max * JOURNAL_BLOCK_SIZE_MAX;
    uint64_t offset = scan->from;
    *ret_stopped = false;
    while (offset <= end && offset < walk->source.size) {
        const uint8_t *bytes;
        uint32_t size;
        TRY(walk_intact_at(walk, offset, &bytes, &size));
        struct journal_block_view block;
        if (size > 0) view_of(bytes, number, offset, &block);
        bool ours =
            size > 0 && block.header->position >= scan->position && block.header->incarnation >= scan->incarnation;
        if (ours && scan->each(scan->context, &block)) {
            *ret_stopped = true;
            return result_ok();
        }
        offset += ours ? size : JOURNAL_BLOCK_ALIGNMENT;
    }
    return result_ok();
}

struct evidence {
    uint64_t position;
    uint32_t depth_max;
};

/* Rules T2 and T3 of FORMAT.md. */
static bool proves_committed(void *context, const struct journal_block_view *block)
{
    const struct evidence *evidence = context;
    return block->header->committed_through >= evidence->position ||
           block->header->position >= evidence->position + evidence->depth_max;
}

/* Rule T4: the place holds a block of the right position and run that does not follow its predecessor. No tear does
 * that. */
static struct result spliced(struct walk *walk, bool *ret_spliced)
{
    const uint8_t *bytes;
    uint32_t size;
    *ret_spliced = false;
    TRY(walk_intact_at(walk, walk->offset, &bytes, &size));
    if (size == 0) return result_ok();
    struct journal_block_view block;
    view_of(bytes, walk->file->number, walk->offset, &block);
    *ret_spliced =
        block.header->position == walk->position && block.header->incarnation == walk->file->header->incarnation;
    return result_ok();
}

static bool header_proves(const struct evidence *evidence, const struct segment_header *header)
{
    return header->committed_through >= evidence->position ||
           header->first_position >= evidence->position + evidence->depth_max;
}

/* Was the bad position of walk committed? Looks behind it, in this file and in those that may hold blocks in flight. */
static struct result committed(struct walk *walk, bool *ret_committed)
{
    uint32_t depth_max = walk->file->header->depth_max;
    struct evidence evidence = {.position = walk->position, .depth_max = depth_max};
    struct walk_scan scan = {.from = walk->offset,
                             .position = walk->position,
                             .incarnation = walk->file->header->incarnation,
                             .depth_max = depth_max,
                             .each = proves_committed,
                             .context = &evidence};
    TRY(spliced(walk, ret_committed));
    if (*ret_committed) return result_ok();
    TRY(walk_scan_file(walk, walk->file->number, &scan, ret_committed));
    const struct folder_file *end = walk->folder->files + walk->folder->count;
    struct result result = result_ok();
    for (const struct folder_file *file = walk->file + 1; file < end && !*ret_committed; file++) {
        if (file->valid && header_proves(&evidence, file->header)) {
            *ret_committed = true;
            break;
        }
        if (file->number > walk->file->number + depth_max + 1) continue;
        result = open_file(walk, file);
        if (result.code == OS_NOT_FOUND) continue; /* a running daemon renamed it: it was a spare */
        if (result_failed(result)) break;
        scan.from = SEGMENT_HEADER_SIZE;
        result = walk_scan_file(walk, file->number, &scan, ret_committed);
        if (result_failed(result)) break;
    }
    TRY(open_file(walk, walk->file));
    return result.code == OS_NOT_FOUND ? result_ok() : result;
}

/* Rule T1 to T3: what a place means that does not hold its block. */
static struct result judge_end(struct walk *walk)
{
    bool proven = walk->file->limit_committed;
    if (!proven) TRY(committed(walk, &proven));
    return proven ? result_of(JOURNAL_CORRUPT) : result_of(STORE_NOT_FOUND);
}

struct result walk_next(struct walk *walk, struct journal_block_view *ret_block)
{
    if (!walk->file) return result_of(STORE_NOT_FOUND);
    while (walk->position == walk->file->limit) {
        struct folder_file *next = folder_next(walk->folder, walk->file);
        uint64_t predecessor = walk->predecessor;
        bool known = walk->predecessor_known;
        if (!next || next->header->first_position != walk->position) return result_of(JOURNAL_CORRUPT);
        if (known && predecessor != next->header->predecessor) return result_of(JOURNAL_CORRUPT);
        if (walk->run_ended && next->header->incarnation != walk->file->header->incarnation)
            TRY(walk->run_ended(walk->context, walk->file, walk->offset, walk->position));
        TRY(enter(walk, next));
    }
    bool taken;
    TRY(take(walk, ret_block, &taken));
    if (taken) return result_ok();
    struct result result = judge_end(walk);
    if (result.code != JOURNAL_CORRUPT) return result;
    /* The daemon may be writing: the bad block may have become whole while the ones behind it were looked at. */
    source_refresh(&walk->source);
    TRY(take(walk, ret_block, &taken));
    return taken ? result_ok() : result;
}

struct found {
    uint64_t offset;
    uint64_t position;
    uint64_t limit;
    uint64_t incarnation;
};

static bool find_first(void *context, const struct journal_block_view *block)
{
    struct found *found = context;
    if (block->header->incarnation != found->incarnation || block->header->position >= found->limit) return false;
    found->offset = block->offset;
    found->position = block->header->position;
    return true;
}

struct result walk_skip(struct walk *walk, bool *ret_found)
{
    struct found found = {.limit = walk->file->limit, .incarnation = walk->file->header->incarnation};
    struct walk_scan scan = {.from = walk->offset,
                             .position = walk->position,
                             .incarnation = found.incarnation,
                             .depth_max = (uint32_t)(walk->source.size / JOURNAL_BLOCK_SIZE_MAX) + 1,
                             .each = find_first,
                             .context = &found};
    /* The bad place itself may hold an intact block that does not follow: reading goes on with it. */
    TRY(walk_scan_file(walk, walk->file->number, &scan, ret_found));
    if (*ret_found) {
        walk->offset = found.offset;
        walk->position = found.position;
        walk->predecessor_known = false;
        return result_ok();
    }
    struct folder_file *next = folder_next(walk->folder, walk->file);
    while (next && next->header->first_position < walk->position) next = folder_next(walk->folder, next);
    if (!next) {
        walk->file = NULL;
        return result_ok();
    }
    *ret_found = true;
    return enter(walk, next);
}

struct salvage {
    uint64_t incarnation;
    uint64_t position_end;
    journal_visit *visit;
    void *context;
    struct result result;
};

static bool salvage_block(void *context, const struct journal_block_view *block)
{
    struct salvage *salvage = context;
    if (block->header->incarnation != salvage->incarnation || block->header->position >= salvage->position_end)
        return false;
    struct journal_block_view view = *block;
    view.salvaged = true;
    salvage->result = salvage->visit(salvage->context, &view);
    return result_failed(salvage->result);
}

struct result walk_salvage(struct walk *walk, const struct folder_file *file, uint64_t offset, uint64_t position,
                           journal_visit *visit, void *context)
{
    uint32_t depth_max = file->header->depth_max;
    struct salvage salvage = {.incarnation = file->header->incarnation,
                              .position_end = position + depth_max,
                              .visit = visit,
                              .context = context};
    struct walk_scan scan = {.from = offset,
                             .position = position,
                             .incarnation = salvage.incarnation,
                             .depth_max = depth_max,
                             .each = salvage_block,
                             .context = &salvage};
    const struct folder_file *end = walk->folder->files + walk->folder->count;
    for (const struct folder_file *at = file; at < end; at++) {
        if (at->valid && at->header->incarnation != salvage.incarnation) break;
        if (at->number > file->number + depth_max + 1) break;
        bool stopped;
        TRY(open_file(walk, at));
        TRY(walk_scan_file(walk, at->number, &scan, &stopped));
        if (stopped) return salvage.result;
        scan.from = SEGMENT_HEADER_SIZE;
    }
    return result_ok();
}
