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

static struct result read_header(struct os *os, struct folder *folder, struct source *source, struct folder_file *file,
                                 const uint8_t *store_id)
{
    char name[FILE_NAME_SIZE];
    file_segment_name(file->number, name);
    int descriptor;
    struct result result = file_open(os, folder->path, name, OS_OPEN_READ | OS_OPEN_DIRECT, &descriptor);
    if (result.code == OS_NOT_FOUND) return result_ok(); /* renamed by a running daemon since the folder was listed */
    TRY(result);
    const uint8_t *bytes;
    source_set(source, descriptor, file->size);
    result = source_get(source, 0, SEGMENT_HEADER_SIZE, &bytes);
    file_close(os, descriptor);
    TRY(result);
    if (!bytes) return result_ok();
    struct segment_header *header = malloc(sizeof *header);
    if (!header) return result_of(NO_MEMORY);
    memcpy(header, bytes, sizeof *header);
    enum header_state state = format_header_check(header, file->number, file->size);
    if (state != HEADER_VALID) {
        free(header);
        return state == HEADER_VERSION ? result_of(JOURNAL_VERSION) : result_ok();
    }
    file->header = header;
    file->valid = true;
    if (store_id && memcmp(store_id, header->store_id, 16) != 0) return result_of(JOURNAL_FOREIGN);
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

struct result folder_read(struct os *os, const char *path, const uint8_t *store_id, struct folder *ret_folder)
{
    struct folder folder = {.path = strdup(path)};
    struct source source = {0};
    struct result result = folder.path ? os_list(os, path, each_name, &folder) : result_of(NO_MEMORY);
    if (!result_failed(result) && folder.no_memory) result = result_of(NO_MEMORY);
    if (!result_failed(result)) result = source_create(os, SEGMENT_HEADER_SIZE, SEGMENT_HEADER_SIZE, &source);
    if (folder.count > 0) qsort(folder.files, folder.count, sizeof *folder.files, by_number);
    for (size_t i = 0; i < folder.count && !result_failed(result); i++)
        result = read_header(os, &folder, &source, &folder.files[i], store_id);
    source_destroy(&source);
    if (result_failed(result)) {
        folder_release(&folder);
        return result;
    }
    make_chain(&folder);
    *ret_folder = folder;
    return result_ok();
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
