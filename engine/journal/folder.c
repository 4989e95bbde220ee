#include "journal/folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool grow(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) return true;
    size_t more = *capacity ? *capacity * 2 : 64;
    void *bigger = realloc(*array, more * size);
    if (!bigger) return false;
    *array = bigger;
    *capacity = more;
    return true;
}

static void add_file(struct folder *folder, uint64_t number, uint64_t size)
{
    if (!grow((void **)&folder->files, &folder->capacity, folder->count, sizeof *folder->files)) {
        folder->no_memory = true;
        return;
    }
    folder->files[folder->count++] = (struct folder_file){.number = number, .size = size, .limit = UINT64_MAX};
}

static void add_spare(struct folder *folder, uint64_t number, uint64_t size, bool making)
{
    if (!grow((void **)&folder->spares, &folder->spare_capacity, folder->spare_count, sizeof *folder->spares)) {
        folder->no_memory = true;
        return;
    }
    folder->spares[folder->spare_count++] = (struct folder_spare){.number = number, .size = size, .making = making};
}

/* A name counts only when it is the very one that we would give. */
static void each_name(void *context, const char *name, uint64_t size)
{
    struct folder *folder = context;
    char again[FILE_NAME_SIZE];
    uint64_t number;
    if (sscanf(name, "spare-%" SCNu64, &number) == 1) {
        file_spare_name(number, again);
        if (strcmp(name, again) == 0) add_spare(folder, number, size, false);
        file_making_name(number, again);
        if (strcmp(name, again) == 0) add_spare(folder, number, size, true);
    } else if (sscanf(name, "%" SCNx64, &number) == 1) {
        file_segment_name(number, again);
        if (strcmp(name, again) == 0) add_file(folder, number, size);
    }
}

static int by_number(const void *a, const void *b)
{
    const struct folder_file *left = a;
    const struct folder_file *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

/* What folder_read and folder_read_all make of the same bytes. */
struct reading {
    struct os *os;
    struct folder *folder;
    struct source source;
    const uint8_t *store_id; /* NULL: any */
    bool all;                /* nothing is refused */
};

static struct result header_take(const struct reading *reading, struct folder_file *file, const uint8_t *bytes)
{
    struct segment_header *header = malloc(sizeof *header);
    if (!header) return result_of(NO_MEMORY);
    memcpy(header, bytes, sizeof *header);
    enum header_state state = format_header_check(header, file->number);
    struct result passed = result_ok();
    if (state == HEADER_VERSION) passed = result_of(JOURNAL_VERSION);
    if (state == HEADER_VALID && header->size > file->size) passed = result_of(JOURNAL_CORRUPT);
    if (state != HEADER_VALID) {
        free(header);
        file->passed = passed;
        return reading->all ? result_ok() : passed;
    }
    file->header = header;
    file->valid = true;
    file->passed = passed;
    bool foreign = reading->store_id && memcmp(reading->store_id, header->store_id, 16) != 0;
    return foreign ? result_of(JOURNAL_FOREIGN) : result_ok();
}

static struct result read_header(struct reading *reading, struct folder_file *file)
{
    char name[FILE_NAME_SIZE];
    file_segment_name(file->number, name);
    int descriptor;
    struct result result =
        file_open(reading->os, reading->folder->path, name, OS_OPEN_READ | OS_OPEN_DIRECT, &descriptor);
    if (result.code == OS_NOT_FOUND) return result_ok(); /* renamed by a running daemon since the folder was listed */
    TRY(result);
    const uint8_t *bytes;
    source_set(&reading->source, descriptor, file->size);
    result = source_get(&reading->source, 0, SEGMENT_HEADER_SIZE, &bytes);
    file_close(reading->os, descriptor);
    TRY(result);
    return bytes ? header_take(reading, file, bytes) : result_ok();
}

/* ---- reading what can be read ---- */

/* The store that most segments are of (Boyer and Moore, 1981); NULL: there is no segment. */
static const uint8_t *store_of_most(const struct folder *folder)
{
    const uint8_t *most = NULL;
    size_t lead = 0;
    for (size_t i = 0; i < folder->count; i++) {
        const struct folder_file *file = &folder->files[i];
        if (!file->valid) continue;
        if (lead == 0) most = file->header->store_id;
        lead += memcmp(most, file->header->store_id, 16) == 0 ? 1 : -(size_t)1;
    }
    return most;
}

static void pass_foreign(struct folder *folder)
{
    const uint8_t *most = store_of_most(folder);
    for (size_t i = 0; most && i < folder->count; i++) {
        struct folder_file *file = &folder->files[i];
        if (!file->valid || memcmp(file->header->store_id, most, 16) == 0) continue;
        file->valid = false;
        file->passed = result_of(JOURNAL_FOREIGN);
    }
}

/* A header that its first block and its neighbours vouch for. */
static struct result header_rebuild(struct reading *reading, struct folder_file *file, const struct folder_file *before,
                                    const struct folder_file *behind)
{
    char name[FILE_NAME_SIZE];
    int descriptor;
    const uint8_t *bytes;
    struct journal_block_header block;
    file_segment_name(file->number, name);
    struct result result =
        file_open(reading->os, reading->folder->path, name, OS_OPEN_READ | OS_OPEN_DIRECT, &descriptor);
    if (result_failed(result)) return result.code == OS_NOT_FOUND ? result_ok() : result;
    source_set(&reading->source, descriptor, file->size);
    result = source_get(&reading->source, SEGMENT_HEADER_SIZE, JOURNAL_BLOCK_ALIGNMENT, &bytes);
    file_close(reading->os, descriptor);
    TRY(result);
    if (!bytes || format_block_begins(bytes) == 0) return result_ok();
    memcpy(&block, bytes, sizeof block);
    bool fits = block.position < behind->header->first_position && block.incarnation <= behind->header->incarnation;
    if (before) fits &= block.position > before->header->first_position;
    if (!fits) return result_ok();
    file->header = malloc(sizeof *file->header);
    if (!file->header) return result_of(NO_MEMORY);
    *file->header = *behind->header;
    file->header->segment = file->number;
    file->header->first_position = block.position;
    file->header->incarnation = block.incarnation;
    file->header->predecessor = block.predecessor;
    file->header->committed_through = block.committed_through;
    file->header->time_ms = block.time_ms;
    file->header->size = file->size / JOURNAL_BLOCK_ALIGNMENT * JOURNAL_BLOCK_ALIGNMENT;
    file->header->header_checksum = 0;
    file->valid = true;
    return result_ok();
}

/* Files armed ahead have no header by right; those in front of a valid one had one. */
static struct result rebuild_headers(struct reading *reading)
{
    struct folder *folder = reading->folder;
    const struct folder_file *before = NULL;
    for (size_t i = 0; i < folder->count; i++) {
        struct folder_file *file = &folder->files[i];
        size_t behind = i + 1;
        while (behind < folder->count && !folder->files[behind].valid) behind++;
        if (!file->valid && !result_failed(file->passed) && behind < folder->count) {
            file->passed = result_of(JOURNAL_CORRUPT);
            TRY(header_rebuild(reading, file, before, &folder->files[behind]));
        }
        if (file->valid) before = file;
    }
    return result_ok();
}

/* From the newest backwards: a later run's first position ends every earlier segment; within a run the next number
 * does. A segment that would begin at or behind the end of its own run is void: its run died before its header's turn
 * had come. */
static void make_chain(struct folder *folder)
{
    uint64_t run_limit = UINT64_MAX; /* where the next later run begins */
    uint64_t run_first = UINT64_MAX; /* where the run at hand begins, so far */
    uint64_t incarnation = 0;
    const struct folder_file *later = NULL;
    for (size_t i = folder->count; i-- > 0;) {
        struct folder_file *file = &folder->files[i];
        if (!file->valid) continue;
        const struct segment_header *header = file->header;
        if (later && header->incarnation != incarnation) {
            if (run_first < run_limit) run_limit = run_first;
            run_first = UINT64_MAX;
        }
        incarnation = header->incarnation;
        if (header->first_position < run_first) run_first = header->first_position;
        file->limit = run_limit;
        file->limit_committed = run_limit != UINT64_MAX;
        bool follows = later && later->number == file->number + 1 && later->header->incarnation == incarnation;
        if (follows && later->header->first_position < run_limit) {
            file->limit = later->header->first_position;
            file->limit_committed = false;
        }
        file->chain = header->first_position < run_limit || run_limit == UINT64_MAX;
        later = file;
    }
}

static struct result read_folder(struct reading *reading, const char *path)
{
    struct folder *folder = reading->folder;
    folder->path = strdup(path);
    if (!folder->path) return result_of(NO_MEMORY);
    TRY(os_list(reading->os, path, each_name, folder));
    if (folder->no_memory) return result_of(NO_MEMORY);
    TRY(source_create(reading->os, SEGMENT_HEADER_SIZE, SEGMENT_HEADER_SIZE, &reading->source));
    if (folder->count > 0) qsort(folder->files, folder->count, sizeof *folder->files, by_number);
    for (size_t i = 0; i < folder->count; i++) TRY(read_header(reading, &folder->files[i]));
    if (!reading->all) return result_ok();
    pass_foreign(folder);
    return rebuild_headers(reading);
}

static struct result read_and_chain(struct reading *reading, const char *path, struct folder *ret_folder)
{
    struct folder folder = {0};
    reading->folder = &folder;
    struct result result = read_folder(reading, path);
    source_destroy(&reading->source);
    if (result_failed(result)) {
        folder_release(&folder);
        return result;
    }
    make_chain(&folder);
    *ret_folder = folder;
    return result_ok();
}

struct result folder_read(struct os *os, const char *path, const uint8_t *store_id, struct folder *ret_folder)
{
    struct reading reading = {.os = os, .store_id = store_id};
    return read_and_chain(&reading, path, ret_folder);
}

struct result folder_read_all(struct os *os, const char *path, struct folder *ret_folder)
{
    struct reading reading = {.os = os, .all = true};
    return read_and_chain(&reading, path, ret_folder);
}

void folder_release(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) free(folder->files[i].header);
    free(folder->files);
    free(folder->spares);
    free(folder->path);
    *folder = (struct folder){0};
}

const struct folder_file *folder_newest(const struct folder *folder)
{
    for (size_t i = folder->count; i-- > 0;)
        if (folder->files[i].valid) return &folder->files[i];
    return NULL;
}

struct folder_file *folder_find(const struct folder *folder, uint64_t position)
{
    for (size_t i = folder->count; i-- > 0;) {
        struct folder_file *file = &folder->files[i];
        if (file->chain && file->header->first_position <= position) return file;
    }
    return NULL;
}

struct folder_file *folder_next(const struct folder *folder, const struct folder_file *file)
{
    for (size_t i = file ? (size_t)(file - folder->files) + 1 : 0; i < folder->count; i++)
        if (folder->files[i].chain) return &folder->files[i];
    return NULL;
}
