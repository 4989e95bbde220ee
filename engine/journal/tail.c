#include "journal/tail.h"

#include <stdlib.h>
#include <string.h>

void tail_note(struct tail *tail, const struct journal_block_view *block)
{
    const struct journal_block_header *header = block->header;
    if (header->committed_through > tail->committed_through) tail->committed_through = header->committed_through;
    tail->places[tail->count++ % JOURNAL_DEPTH_LIMIT] =
        (struct tail_place){.segment = block->segment,
                            .offset = block->offset,
                            .position = header->position,
                            .size = format_block_size(header->slot_count)};
}

static struct result open_segment(struct os *os, const struct folder *folder, uint64_t number, int *ret_file)
{
    char name[FILE_NAME_SIZE];
    file_segment_name(number, name);
    return file_open(os, folder->path, name, OS_OPEN_WRITE | OS_OPEN_DIRECT, ret_file);
}

static struct result header_write(struct os *os, const struct folder *folder, const struct folder_file *segment,
                                  uint8_t *buffer)
{
    int file;
    memcpy(buffer, segment->header, SEGMENT_HEADER_SIZE);
    TRY(open_segment(os, folder, segment->number, &file));
    struct result result = file_write(os, file, buffer, SEGMENT_HEADER_SIZE, 0, OS_WRITE_DSYNC);
    file_close(os, file);
    return result;
}

/* Earlier runs need no look: the first header of a run was written when all before it was safe, and says so. */
static struct result headers_write(const struct tail *tail, struct os *os, const struct folder *folder, uint8_t *buffer)
{
    const struct folder_file *newest = folder_newest(folder);
    for (size_t i = 0; newest && i < folder->count; i++) {
        const struct folder_file *segment = &folder->files[i];
        if (!segment->valid || segment->header->incarnation != newest->header->incarnation) continue;
        if (segment->header->first_position > tail->committed_through) TRY(header_write(os, folder, segment, buffer));
    }
    return result_ok();
}

static struct result block_write(struct os *os, struct source *source, const struct tail_place *place)
{
    const uint8_t *bytes;
    source_set(source, source->file, place->offset + place->size);
    TRY(source_get(source, place->offset, place->size, &bytes));
    if (!bytes || !format_block_intact(bytes, place->size)) return result_of(JOURNAL_CORRUPT);
    return file_write(os, source->file, bytes, place->size, place->offset, OS_WRITE_DSYNC);
}

static struct result blocks_write(const struct tail *tail, struct os *os, const struct folder *folder,
                                  struct source *source, uint64_t *ret_bad_position)
{
    uint64_t kept = tail->count < JOURNAL_DEPTH_LIMIT ? tail->count : JOURNAL_DEPTH_LIMIT;
    for (uint64_t i = tail->count - kept; i < tail->count; i++) {
        const struct tail_place *place = &tail->places[i % JOURNAL_DEPTH_LIMIT];
        if (place->position <= tail->committed_through) continue;
        *ret_bad_position = place->position;
        /* The oldest one that is remembered, and those before it would be unsafe too. */
        bool more = kept < tail->count && i == tail->count - kept && place->position > tail->committed_through + 1;
        if (more) return result_of(JOURNAL_CORRUPT);
        TRY(open_segment(os, folder, place->segment, &source->file));
        struct result result = block_write(os, source, place);
        file_close(os, source->file);
        TRY(result);
    }
    return result_ok();
}

static uint32_t largest(const struct tail *tail)
{
    uint32_t size = SEGMENT_HEADER_SIZE;
    for (uint64_t i = 0; i < tail->count && i < JOURNAL_DEPTH_LIMIT; i++)
        if (tail->places[i].size > size) size = tail->places[i].size;
    return size;
}

struct result tail_make_safe(const struct tail *tail, struct os *os, const struct folder *folder,
                             uint64_t *ret_bad_position)
{
    struct source source;
    uint32_t size = largest(tail);
    TRY(source_create(os, size, size, &source));
    struct result result = headers_write(tail, os, folder, source.window);
    if (!result_failed(result)) result = blocks_write(tail, os, folder, &source, ret_bad_position);
    source_destroy(&source);
    return result;
}
