/* Reading a folder that a daemon may be writing. The walk works on a snapshot of headers; whenever it ends or finds
 * damage, the headers are read again before that is believed: the segment may have been rotated or recycled meanwhile.
 */
#include "journal/reader.h"

#include <stdlib.h>
#include <string.h>

enum { AHEAD_SIZE = 4 << 20 };

/* From now on the walk stays where it is in memory. */
static struct result make_walk(struct journal_reader *reader)
{
    struct walk *walk = &reader->walk;
    TRY(walk_create(reader->os, &reader->folder, walk));
    if (!reader->options.read_ahead) return result_ok();
    /* Short logs are read often, in tests, and memory takes its time. Files that come later hold no larger block. */
    uint64_t size = walk->largest > JOURNAL_BLOCK_SIZE_MAX ? walk->largest : JOURNAL_BLOCK_SIZE_MAX;
    if (size > AHEAD_SIZE) size = AHEAD_SIZE;
    return source_read_ahead(&walk->source, (uint32_t)size, (uint32_t)size);
}

static struct result seek_oldest(struct journal_reader *reader, uint64_t position)
{
    const struct folder_file *oldest = folder_next(&reader->folder, NULL);
    if (!oldest) {
        reader->walk.file = NULL;
        return result_ok();
    }
    if (position < oldest->header->first_position) position = oldest->header->first_position;
    return walk_seek(&reader->walk, position);
}

static const struct folder_file *find_number(const struct folder *folder, uint64_t number)
{
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].number == number && folder->files[i].chain) return &folder->files[i];
    return NULL;
}

static struct result seek_first(struct journal_reader *reader)
{
    const struct journal_place *place = reader->options.place;
    const struct folder_file *file = place ? find_number(&reader->folder, place->segment) : NULL;
    if (!file || file->header->first_position != place->segment_first)
        return seek_oldest(reader, reader->options.from_position);
    TRY(walk_seek(&reader->walk, file->header->first_position));
    reader->walk.offset = place->offset;
    reader->walk.position = place->position;
    reader->walk.predecessor = place->predecessor;
    reader->walk.predecessor_known = true;
    return result_ok();
}

struct result journal_reader_open(struct os *os, const char *folder, const struct journal_reader_options *options,
                                  struct journal_reader **ret_reader)
{
    struct journal_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return result_of(NO_MEMORY);
    reader->os = os;
    reader->path = strdup(folder);
    reader->options = *options;
    reader->walk.source.file = -1;
    struct result result = reader->path ? folder_read_all(os, folder, &reader->folder) : result_of(NO_MEMORY);
    if (!result_failed(result)) result = make_walk(reader);
    if (!result_failed(result)) result = seek_first(reader);
    reader->options.place = NULL;
    if (result_failed(result)) {
        journal_reader_close(reader);
        return result;
    }
    *ret_reader = reader;
    return result_ok();
}

void journal_reader_close(struct journal_reader *reader)
{
    if (!reader) return;
    walk_destroy(&reader->walk);
    folder_release(&reader->folder);
    free(reader->path);
    free(reader);
}

uint64_t journal_reader_position(const struct journal_reader *reader)
{
    return reader->position;
}

uint64_t journal_reader_end(const struct journal_reader *reader)
{
    return reader->walk.position;
}

void journal_reader_place(const struct journal_reader *reader, struct journal_place *ret_place)
{
    const struct walk *walk = &reader->walk;
    *ret_place = (struct journal_place){.position = walk->position};
    if (!walk->file) return;
    *ret_place = (struct journal_place){.segment = walk->file->number,
                                        .segment_first = walk->file->header->first_position,
                                        .offset = walk->offset,
                                        .position = walk->position,
                                        .predecessor = walk->predecessor};
}

/* Reads the headers again and keeps the place, where its segment is still there. */
static struct result look_again(struct journal_reader *reader)
{
    struct folder fresh;
    TRY(folder_read_all(reader->os, reader->path, &fresh));
    struct walk *walk = &reader->walk;
    const struct folder_file *file = walk->file ? find_number(&fresh, walk->file->number) : NULL;
    bool same = file && file->header->first_position == walk->file->header->first_position;
    struct folder old = reader->folder;
    reader->folder = fresh;
    uint64_t position = walk->position > reader->options.from_position ? walk->position : reader->options.from_position;
    struct result result = result_ok();
    if (same) {
        walk->file = (struct folder_file *)(uintptr_t)file;
        source_refresh(&walk->source);
    } else {
        walk_destroy(walk);
        *walk = (struct walk){.source = {.file = -1}};
        result = make_walk(reader);
        if (!result_failed(result)) result = seek_oldest(reader, position);
    }
    folder_release(&old);
    return result;
}

/* The next block at or behind the place asked for. Damage told of before, or before that place, is passed over. */
static struct result next_block(struct journal_reader *reader, struct journal_block_view *ret_block)
{
    struct walk *walk = &reader->walk;
    for (;;) {
        struct journal_block_view block;
        struct result result = walk_next(walk, &block);
        bool old = walk->position <= reader->position || walk->position < reader->options.from_position;
        if (result.code == JOURNAL_CORRUPT && old) {
            bool found;
            TRY(walk_skip(walk, &found));
            if (!found) return result_of(STORE_NOT_FOUND);
            continue;
        }
        TRY(result);
        if (block.header->position <= reader->position || block.header->position < reader->options.from_position)
            continue;
        *ret_block = block;
        return result_ok();
    }
}

struct result journal_reader_next(struct journal_reader *reader, struct journal_block_view *ret_block)
{
    if (reader->damaged) {
        bool found;
        TRY(walk_skip(&reader->walk, &found));
        reader->damaged = false;
        reader->ended = !found;
    }
    struct result result = reader->ended ? result_of(STORE_NOT_FOUND) : next_block(reader, ret_block);
    /* A read fails, too, when a segment goes away beneath the reader. */
    if (result_failed(result) && !reader->ended) {
        TRY(look_again(reader));
        result = next_block(reader, ret_block);
    }
    if (result.code == JOURNAL_CORRUPT) {
        reader->damaged = true;
        reader->position = reader->walk.position;
        *ret_block = (struct journal_block_view){.header = NULL};
        return result;
    }
    if (result.code == STORE_NOT_FOUND) return result_of(reader->options.follow ? FULL : STORE_NOT_FOUND);
    TRY(result);
    reader->position = ret_block->header->position;
    return result_ok();
}
