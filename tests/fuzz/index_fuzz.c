/* An index file with any bytes: it is none, or looks into it stay inside it. */
#include <stdlib.h>
#include <string.h>

#include "journal/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checksums are put right, so that what stands behind them is reached. */
static void mend(struct index_header *header, const struct index_group *groups, struct segment_header *segment)
{
    segment->segment = header->segment;
    segment->header_checksum = header->segment_checksum;
    segment->first_position = header->first_position;
    segment->size = 1 << 30;
    memcpy(segment->store_id, header->store_id, sizeof segment->store_id);
    header->magic = INDEX_MAGIC;
    header->version = INDEX_VERSION;
    if (header->group_count <= INDEX_GROUPS_MAX) index_header_finish(header, groups);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct index_header header = {0};
    struct index_group groups[INDEX_GROUPS_MAX] = {{0}};
    struct segment_header segment = {0};
    static uint8_t row_bytes[(INDEX_GROUPS_MAX + 1) * INDEX_CELL_SIZE];
    memcpy(&header, data, size < sizeof header ? size : sizeof header);
    size_t left = size > sizeof header ? size - sizeof header : 0;
    if (left > 0) memcpy(groups, data + sizeof header, left < sizeof groups ? left : sizeof groups);
    (void)index_header_valid(&header, &segment, size);
    mend(&header, groups, &segment);
    if (!index_header_valid(&header, &segment, UINT64_MAX)) return 0;
    bool whole = index_groups_valid(&header, groups);
    uint64_t key = size >= 8 ? index_key(data, size) : 0;
    uint32_t row = index_row(&header, key);
    if (row >= header.row_count || index_row_offset(&header, row) + index_row_size(&header) > index_file_size(&header))
        abort();
    if (index_row_size(&header) > sizeof row_bytes) abort();
    memcpy(row_bytes, data, size < sizeof row_bytes ? size : sizeof row_bytes);
    (void)index_row_valid(&header, row, row_bytes);
    for (uint32_t group = 0; whole && group < header.group_count; group++) {
        index_cell_add(row_bytes + (size_t)group * INDEX_CELL_SIZE, key);
        if (!index_cell_has(row_bytes, group, key)) abort();
    }
    return 0;
}
