/* Cells are split-block Bloom filters of 512 bits (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom
 * Filters", 2007): a key has one bit in each of a cell's eight words. A file keeps the cells of all groups that one key
 * can be in side by side, so that a look for it reads one row and nothing else. */
#include "journal/index.h"

#define XXH_INLINE_ALL
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/checksum.h"

enum { HEADER_CHECKED = 120, ROW_CHECK_SIZE = INDEX_CELL_SIZE };

/* Odd constants spread 32 bits of a key over the words of a cell; any will do, these are of the file's format. */
static const uint32_t salts[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                  0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

uint64_t index_key(const uint8_t *name, size_t size)
{
    return XXH3_64bits(name, size);
}

uint32_t index_row(const struct index_header *header, uint64_t key)
{
    return (uint32_t)((key >> 32) * header->row_count >> 32);
}

size_t index_row_size(const struct index_header *header)
{
    return (size_t)header->group_count * INDEX_CELL_SIZE + ROW_CHECK_SIZE;
}

/* Rows begin on a cell's boundary. */
static uint64_t rows_offset(const struct index_header *header)
{
    uint64_t end = sizeof *header + (uint64_t)header->group_count * sizeof(struct index_group);
    return (end + INDEX_CELL_SIZE - 1) / INDEX_CELL_SIZE * INDEX_CELL_SIZE;
}

uint64_t index_row_offset(const struct index_header *header, uint32_t row)
{
    return rows_offset(header) + (uint64_t)row * index_row_size(header);
}

uint64_t index_file_size(const struct index_header *header)
{
    return index_row_offset(header, header->row_count);
}

bool index_header_valid(const struct index_header *header, const struct segment_header *segment, uint64_t file_size)
{
    if (header->magic != INDEX_MAGIC || header->version != INDEX_VERSION) return false;
    if (header->header_checksum != XXH3_64bits(header, HEADER_CHECKED)) return false;
    if (header->segment != segment->segment || header->segment_checksum != segment->header_checksum) return false;
    if (memcmp(header->store_id, segment->store_id, sizeof header->store_id) != 0) return false;
    if (header->group_count == 0 || header->group_count > INDEX_GROUPS_MAX) return false;
    if (header->row_count == 0 || header->row_count > INDEX_CELLS_MAX) return false;
    if (header->first_position != segment->first_position || header->last_position < header->first_position)
        return false;
    if (header->end_offset <= SEGMENT_HEADER_SIZE || header->end_offset > segment->size) return false;
    return file_size >= index_file_size(header);
}

bool index_groups_valid(const struct index_header *header, const struct index_group *groups)
{
    uint32_t count = header->group_count;
    if (header->groups_checksum != checksum64(groups, count * sizeof *groups)) return false;
    if (groups[0].offset != SEGMENT_HEADER_SIZE || groups[0].first_position != header->first_position) return false;
    for (uint32_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        uint64_t end = last ? header->end_offset : groups[i + 1].offset;
        uint64_t position_end = last ? header->last_position + 1 : groups[i + 1].first_position;
        if (groups[i].offset % JOURNAL_BLOCK_ALIGNMENT != 0 || groups[i].offset >= end) return false;
        if (groups[i].first_position >= position_end) return false;
    }
    return true;
}

bool index_row_valid(const struct index_header *header, uint32_t row, const uint8_t *bytes)
{
    size_t size = (size_t)header->group_count * INDEX_CELL_SIZE;
    uint64_t checksum;
    memcpy(&checksum, bytes + size, sizeof checksum);
    return checksum == XXH3_64bits_withSeed(bytes, size, header->segment_checksum + row);
}

static uint64_t bit_of(uint64_t key, unsigned word)
{
    return 1ULL << ((uint32_t)key * salts[word] >> 26);
}

bool index_cell_has(const uint8_t *bytes, uint32_t group, uint64_t key)
{
    uint64_t words[8];
    memcpy(words, bytes + (size_t)group * INDEX_CELL_SIZE, sizeof words);
    for (unsigned i = 0; i < 8; i++)
        if (!(words[i] & bit_of(key, i))) return false;
    return true;
}

void index_cell_add(uint8_t *cell, uint64_t key)
{
    uint64_t words[8];
    memcpy(words, cell, sizeof words);
    for (unsigned i = 0; i < 8; i++) words[i] |= bit_of(key, i);
    memcpy(cell, words, sizeof words);
}

void index_header_finish(struct index_header *header, const struct index_group *groups)
{
    header->groups_checksum = checksum64(groups, header->group_count * sizeof *groups);
    header->header_checksum = XXH3_64bits(header, HEADER_CHECKED);
}

void index_row_finish(const struct index_header *header, uint32_t row, uint8_t *bytes)
{
    size_t size = (size_t)header->group_count * INDEX_CELL_SIZE;
    uint64_t checksum = XXH3_64bits_withSeed(bytes, size, header->segment_checksum + row);
    memcpy(bytes + size, &checksum, sizeof checksum);
}

void index_name(uint64_t segment, char ret_name[INDEX_NAME_SIZE])
{
    snprintf(ret_name, INDEX_NAME_SIZE, "%016" PRIx64 ".idx", segment);
}
