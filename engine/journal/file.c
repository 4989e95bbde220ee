#include "journal/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static char *join(const char *folder, const char *name)
{
    char *path;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

struct result file_open(struct os *os, const char *folder, const char *name, uint32_t flags, int *ret_file)
{
    char *path = join(folder, name);
    if (!path) return result_of(NO_MEMORY);
    struct os_op op = {.kind = OS_OPEN, .path = path, .flags = flags};
    int64_t result = os_run(os, &op);
    if (result == -EINVAL && flags == (OS_OPEN_READ | OS_OPEN_DIRECT)) {
        op = (struct os_op){.kind = OS_OPEN, .path = path, .flags = OS_OPEN_READ};
        result = os_run(os, &op);
    }
    free(path);
    if (result == -EINVAL && flags & OS_OPEN_DIRECT) return result_of(OS_NO_DIRECT_IO);
    TRY(os_result(result));
    *ret_file = (int)result;
    return result_ok();
}

void file_close(struct os *os, int file)
{
    if (file < 0) return;
    struct os_op op = {.kind = OS_CLOSE, .file = file};
    (void)os_run(os, &op); /* everything was synced before: what close says changes nothing */
}

struct result file_write(struct os *os, int file, const void *bytes, uint32_t size, uint64_t offset, enum os_kind kind)
{
    struct os_op op = {.kind = kind, .file = file, .buffer = (void *)(uintptr_t)bytes, .size = size, .offset = offset};
    int64_t result = os_run(os, &op);
    TRY(os_result(result));
    /* A short write of a file that is not yet full means the same as the error that the rest would get. */
    return result == size ? result_ok() : result_of(kind == OS_WRITE ? OS_NO_SPACE : OS_FAILED);
}

struct result file_sync(struct os *os, int file)
{
    struct os_op op = {.kind = OS_SYNC, .file = file};
    return os_result(os_run(os, &op));
}

struct result file_rename(struct os *os, const char *folder, const char *from, const char *to)
{
    char *path = join(folder, from);
    char *path_to = join(folder, to);
    struct result result = result_of(NO_MEMORY);
    if (path && path_to) {
        struct os_op op = {.kind = OS_RENAME, .path = path, .path_to = path_to};
        result = os_result(os_run(os, &op));
    }
    free(path);
    free(path_to);
    return result;
}

struct result file_unlink(struct os *os, const char *folder, const char *name)
{
    char *path = join(folder, name);
    if (!path) return result_of(NO_MEMORY);
    struct os_op op = {.kind = OS_UNLINK, .path = path};
    struct result result = os_result(os_run(os, &op));
    free(path);
    return result;
}

struct result file_sync_folder(struct os *os, const char *folder)
{
    struct os_op op = {.kind = OS_OPEN, .path = folder, .flags = OS_OPEN_FOLDER};
    int64_t file = os_run(os, &op);
    TRY(os_result(file));
    struct result result = file_sync(os, (int)file);
    file_close(os, (int)file);
    return result;
}

void file_segment_name(uint64_t number, char ret_name[FILE_NAME_SIZE])
{
    snprintf(ret_name, FILE_NAME_SIZE, "%016" PRIx64 ".seg", number);
}

void file_spare_name(uint64_t number, char ret_name[FILE_NAME_SIZE])
{
    snprintf(ret_name, FILE_NAME_SIZE, "spare-%" PRIu64 ".seg", number);
}

void file_making_name(uint64_t number, char ret_name[FILE_NAME_SIZE])
{
    snprintf(ret_name, FILE_NAME_SIZE, "spare-%" PRIu64 ".new", number);
}

struct result source_create(struct os *os, uint32_t window_size, uint32_t read_size, struct source *ret_source)
{
    uint8_t *window = aligned_alloc(OS_BLOCK_SIZE, window_size);
    if (!window) return result_of(NO_MEMORY);
    *ret_source =
        (struct source){.os = os, .file = -1, .window = window, .window_size = window_size, .read_size = read_size};
    return result_ok();
}

#define READ_PENDING INT64_MIN

static void ahead_done(struct os_op *op, int64_t result)
{
    struct source *source = op->owner;
    source->op_result = result;
}

/* What is in flight must land before its room or its file goes. */
static void settle(struct source *source)
{
    while (source->ahead && source->op_result == READ_PENDING)
        if (result_failed(os_step(source->os, UINT64_MAX, NULL))) source->op_result = -EIO;
    source->ahead = false;
}

void source_destroy(struct source *source)
{
    settle(source);
    if (source->rooms[0]) {
        free(source->rooms[0]);
        free(source->rooms[1]);
        source->rooms[0] = source->rooms[1] = NULL;
    } else {
        free(source->window);
    }
    source->window = NULL;
}

struct result source_read_ahead(struct source *source, uint32_t window_size, uint32_t read_size)
{
    for (int i = 0; i < 2; i++) source->rooms[i] = aligned_alloc(OS_BLOCK_SIZE, SOURCE_HEADROOM + window_size);
    if (!source->rooms[0] || !source->rooms[1]) {
        free(source->rooms[0]);
        free(source->rooms[1]);
        source->rooms[0] = source->rooms[1] = NULL;
        return result_of(NO_MEMORY);
    }
    free(source->window);
    source->window = source->rooms[0] + SOURCE_HEADROOM;
    source->window_size = window_size;
    source->read_size = read_size;
    source->have = 0;
    return result_ok();
}

void source_set(struct source *source, int file, uint64_t size)
{
    settle(source);
    source->file = file;
    source->size = size;
    source->have = 0;
}

void source_refresh(struct source *source)
{
    settle(source);
    source->have = 0;
}

/* Bytes to read at once, of `most` (whole blocks). Direct reads take whole blocks alone, also where the file ends
 * within one (its growth was cut short): asked for less, the kernel refuses, and a file that has nothing to say would
 * stop whoever reads it. */
static uint32_t ask_for(const struct source *source, uint64_t offset, uint32_t most)
{
    uint64_t left = source->size - offset;
    return left < most ? ((uint32_t)left + OS_BLOCK_SIZE - 1) / OS_BLOCK_SIZE * OS_BLOCK_SIZE : most;
}

/* Begins to read what follows the window into the other room. */
static void look_ahead(struct source *source)
{
    uint64_t next = source->at + source->have;
    if (!source->rooms[0] || next >= source->size || next % OS_BLOCK_SIZE != 0) return;
    source->op_result = READ_PENDING;
    source->ahead = true;
    source->op = (struct os_op){.kind = OS_READ,
                                .file = source->file,
                                .buffer = source->rooms[!source->room] + SOURCE_HEADROOM,
                                .size = ask_for(source, next, source->read_size),
                                .offset = next,
                                .done = ahead_done,
                                .owner = source};
    os_submit(source->os, &source->op);
    /* Only what was handed over is under way; whoever reads on waits for the rest of it. */
    if (result_failed(os_step(source->os, 0, NULL)) && source->op_result == READ_PENDING) source->op_result = -EIO;
}

/* On into the window that was read ahead, with what is left of this one from `offset` on; false: it does not help. */
static bool turn_over(struct source *source, uint64_t offset)
{
    uint64_t end = source->at + source->have;
    if (!source->ahead || offset < source->at || offset > end || end - offset > SOURCE_HEADROOM) return false;
    uint64_t begins = source->op.offset;
    settle(source);
    int64_t got = source->op_result;
    if (begins != end || got <= 0 || got % OS_BLOCK_SIZE != 0) return false;
    uint32_t left = (uint32_t)(end - offset);
    uint8_t *window = source->rooms[!source->room] + SOURCE_HEADROOM - left;
    memcpy(window, source->window + (offset - source->at), left);
    source->room = !source->room;
    source->window = window;
    source->at = offset;
    source->have = left + (uint32_t)got;
    look_ahead(source);
    return true;
}

static struct result fill(struct source *source, uint64_t offset, uint32_t size)
{
    uint32_t whole = (size + OS_BLOCK_SIZE - 1) / OS_BLOCK_SIZE * OS_BLOCK_SIZE;
    uint32_t want = ask_for(source, offset, whole > source->read_size ? whole : source->read_size);
    uint32_t kept = 0;
    settle(source);
    if (source->rooms[0]) {
        source->window = source->rooms[source->room] + SOURCE_HEADROOM;
    } else if (offset >= source->at && offset < source->at + source->have) {
        kept = (uint32_t)(source->at + source->have - offset);
        memmove(source->window, source->window + (offset - source->at), kept);
    }
    source->at = offset;
    source->have = kept;
    while (source->have < want) {
        struct os_op op = {.kind = OS_READ,
                           .file = source->file,
                           .buffer = source->window + source->have,
                           .size = want - source->have,
                           .offset = offset + source->have};
        int64_t result = os_run(source->os, &op);
        TRY(os_result(result));
        if (result == 0) break;
        /* Direct reads go on at whole blocks only; a file that ends within one ends for us before it. */
        source->have += (uint32_t)result / OS_BLOCK_SIZE * OS_BLOCK_SIZE;
        if (result % OS_BLOCK_SIZE != 0) break;
    }
    look_ahead(source);
    return result_ok();
}

struct result source_get(struct source *source, uint64_t offset, uint32_t size, const uint8_t **ret_bytes)
{
    CHECK(offset % OS_BLOCK_SIZE == 0 && size <= source->window_size);
    if (offset + size > source->size || offset + size < offset) {
        *ret_bytes = NULL;
        return result_ok();
    }
    bool inside = offset >= source->at && offset + size <= source->at + source->have;
    while (!inside && turn_over(source, offset)) inside = offset + size <= source->at + source->have;
    if (!inside) TRY(fill(source, offset, size));
    *ret_bytes = size <= source->have - (offset - source->at) ? source->window + (offset - source->at) : NULL;
    return result_ok();
}
