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

void source_destroy(struct source *source)
{
    free(source->window);
    source->window = NULL;
}

void source_set(struct source *source, int file, uint64_t size)
{
    source->file = file;
    source->size = size;
    source->have = 0;
}

void source_refresh(struct source *source)
{
    source->have = 0;
}

static struct result fill(struct source *source, uint64_t offset, uint32_t size)
{
    uint64_t left = source->size - offset;
    uint32_t want = size > source->read_size ? size : source->read_size;
    if (left < want) want = (uint32_t)left;
    uint32_t kept = 0;
    if (offset >= source->at && offset < source->at + source->have) {
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
    if (!inside) TRY(fill(source, offset, size));
    *ret_bytes = size <= source->have - (offset - source->at) ? source->window + (offset - source->at) : NULL;
    return result_ok();
}
