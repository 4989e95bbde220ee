/* An index as a file. */
#include <stdlib.h>
#include <string.h>

#include "journal/file.h"
#include "journal/index.h"

enum { READ_SIZE_MAX = (INDEX_GROUPS_MAX + 1) * INDEX_CELL_SIZE };
_Static_assert(INDEX_GROUPS_MAX * sizeof(struct index_group) <= READ_SIZE_MAX, "one buffer for both");

/* All of it, or STORE_NOT_FOUND where the file is shorter. */
static struct result read_at(struct os *os, int file, void *buffer, size_t size, uint64_t offset)
{
    for (size_t have = 0; have < size;) {
        struct os_op op = {.kind = OS_READ,
                           .file = file,
                           .buffer = (uint8_t *)buffer + have,
                           .size = (uint32_t)(size - have),
                           .offset = offset + have};
        int64_t got = os_run(os, &op);
        TRY(os_result(got));
        if (got == 0) return result_of(STORE_NOT_FOUND);
        have += (size_t)got;
    }
    return result_ok();
}

static struct result read_groups(struct os *os, struct index_file *index)
{
    size_t size = index->header.group_count * sizeof *index->groups;
    index->groups = malloc(size);
    if (!index->groups) return result_of(NO_MEMORY);
    TRY(read_at(os, index->file, index->groups, size, sizeof index->header));
    return index_groups_valid(&index->header, index->groups) ? result_ok() : result_of(STORE_NOT_FOUND);
}

struct result index_file_open(struct os *os, const char *folder, const struct segment_header *segment,
                              struct index_file *ret_index)
{
    struct index_file index = {.file = -1};
    char name[INDEX_NAME_SIZE];
    index_name(segment->segment, name);
    struct result result = file_open(os, folder, name, OS_OPEN_READ, &index.file);
    if (result.code == OS_NOT_FOUND) return result_of(STORE_NOT_FOUND);
    TRY(result);
    result = read_at(os, index.file, &index.header, sizeof index.header, 0);
    /* Whether the file is as long as it must be is seen when a row is read. */
    if (!result_failed(result) && !index_header_valid(&index.header, segment, UINT64_MAX))
        result = result_of(STORE_NOT_FOUND);
    if (!result_failed(result)) result = read_groups(os, &index);
    if (result_failed(result)) {
        index_file_close(os, &index);
        return result;
    }
    *ret_index = index;
    return result_ok();
}

struct result index_file_look(struct os *os, const struct index_file *index, uint64_t key,
                              bool ret_can[INDEX_GROUPS_MAX])
{
    uint8_t bytes[READ_SIZE_MAX];
    uint32_t row = index_row(&index->header, key);
    TRY(read_at(os, index->file, bytes, index_row_size(&index->header), index_row_offset(&index->header, row)));
    if (!index_row_valid(&index->header, row, bytes)) return result_of(STORE_NOT_FOUND);
    for (uint32_t group = 0; group < index->header.group_count; group++)
        ret_can[group] = index_cell_has(bytes, group, key);
    return result_ok();
}

void index_file_close(struct os *os, struct index_file *index)
{
    file_close(os, index->file);
    free(index->groups);
    *index = (struct index_file){.file = -1};
}

struct result index_file_remove(struct os *os, const char *folder, uint64_t segment)
{
    char name[INDEX_NAME_SIZE];
    index_name(segment, name);
    struct result result = file_unlink(os, folder, name);
    return result.code == OS_NOT_FOUND ? result_ok() : result;
}

struct result index_file_create(struct os *os, const char *folder, uint64_t segment, int *ret_file)
{
    char name[INDEX_NAME_SIZE];
    TRY(index_file_remove(os, folder, segment));
    index_name(segment, name);
    return file_open(os, folder, name, OS_OPEN_WRITE | OS_OPEN_CREATE | OS_OPEN_DIRECT, ret_file);
}
