#include "journal/format.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#include "base/checksum.h"

enum { BLOCK_HEADER_CHECKED = 56, SEGMENT_HEADER_CHECKED = 4088 };

void format_header_finish(struct segment_header *header)
{
    header->magic = SEGMENT_MAGIC;
    header->version = JOURNAL_FORMAT_VERSION;
    header->header_checksum = XXH3_64bits(header, SEGMENT_HEADER_CHECKED);
}

enum header_state format_header_check(const struct segment_header *header, uint64_t number)
{
    if (header->magic != SEGMENT_MAGIC) return HEADER_NONE;
    bool whole = header->header_checksum == XXH3_64bits(header, SEGMENT_HEADER_CHECKED);
    if (!whole) return HEADER_NONE;
    if (header->version != JOURNAL_FORMAT_VERSION) return HEADER_VERSION;
    if (header->segment != number || header->size < SEGMENT_HEADER_SIZE) return HEADER_NONE;
    if (header->size % JOURNAL_BLOCK_ALIGNMENT != 0) return HEADER_NONE;
    if (header->first_position == 0 || header->depth_max == 0 || header->depth_max > JOURNAL_DEPTH_LIMIT)
        return HEADER_NONE;
    return HEADER_VALID;
}

uint32_t format_block_begins(const void *bytes)
{
    struct journal_block_header header;
    memcpy(&header, bytes, sizeof header);
    if (header.magic != JOURNAL_BLOCK_MAGIC || header.version != JOURNAL_FORMAT_VERSION) return 0;
    if (header.slot_count == 0 || header.slot_count > JOURNAL_SLOTS_MAX) return 0;
    if (header.position == 0 || header.committed_through >= header.position) return 0;
    if (header.header_checksum != XXH3_64bits(&header, BLOCK_HEADER_CHECKED)) return 0;
    return format_block_size(header.slot_count);
}

bool format_block_intact(const uint8_t *bytes, uint32_t size)
{
    struct journal_block_header header;
    memcpy(&header, bytes, sizeof header);
    if (size != format_block_size(header.slot_count)) return false;
    size_t body = (size_t)header.slot_count * JOURNAL_SLOT_SIZE;
    if (checksum64(bytes + sizeof header, body) != header.body_checksum) return false;
    /* Zeros to the end: the first of them is one, and each is what the one before it is. */
    const uint8_t *padding = bytes + sizeof header + body;
    size_t padding_size = size - sizeof header - body;
    return padding_size == 0 || (padding[0] == 0 && memcmp(padding, padding + 1, padding_size - 1) == 0);
}

void format_block_body(struct journal_block_header *header, const uint8_t *slots)
{
    header->body_checksum = checksum64(slots, (size_t)header->slot_count * JOURNAL_SLOT_SIZE);
}

void format_block_finish(struct journal_block_header *header)
{
    header->header_checksum = XXH3_64bits(header, BLOCK_HEADER_CHECKED);
}

static uint32_t record_slots(const uint8_t *slot)
{
    struct slot_act act;
    switch (slot[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_FRAME:
    case SLOT_VERIFY:
    case SLOT_REMOVAL:
        return 1;
    case SLOT_ACT:
        memcpy(&act, slot, sizeof act);
        return (uint64_t)act.payload_size <= (uint64_t)act.slot_count * JOURNAL_SLOT_SIZE ? 1u + act.slot_count : 0;
    case SLOT_SEAL:
    case SLOT_CHECKPOINT:
        return 3;
    default:
        return 0;
    }
}

uint32_t format_record_slots(const uint8_t *slots, uint32_t slot_count, uint32_t slot)
{
    if (slot >= slot_count) return 0;
    uint32_t count = record_slots(slots + (size_t)slot * JOURNAL_SLOT_SIZE);
    return count <= slot_count - slot ? count : 0;
}
