/* Segment headers and the checks that make bytes a block. Layout and rules: FORMAT.md. Input may be hostile: it is what
 * a disk holds. Pure functions, any thread. */
#ifndef OTPRING_JOURNAL_FORMAT_H
#define OTPRING_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "journal/slots.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs of the format are little-endian as they stand");

enum { SEGMENT_HEADER_SIZE = 4096, SEGMENT_SIZE_MIN = 64 << 10 };

#define SEGMENT_MAGIC 0x314745535250544fULL

struct segment_header {
    uint64_t magic;
    uint32_t version;
    uint32_t depth_max; /* D of the torn-tail rule */
    uint8_t store_id[16];
    uint64_t segment; /* number; stands in the file's name too */
    uint64_t first_position;
    uint64_t incarnation;
    uint64_t predecessor; /* header_checksum of the block at first_position - 1 */
    uint64_t size;        /* of the file */
    uint64_t mac_segment; /* number of the MAC key of this segment's seals */
    uint64_t committed_through;
    int64_t time_ms;
    /* State of the seals when this header was made; recovery reads on from the segment after closed_segment. */
    uint64_t closed_segment; /* the last one with a durable checkpoint; 0: none */
    uint64_t sealed_through; /* by the last seal of closed_segment */
    uint64_t seal_number;
    uint64_t reserved;
    uint8_t seal_hash[32];
    uint8_t checkpoint_hash[32];
    uint8_t padding[4088 - 192];
    uint64_t header_checksum; /* XXH3-64 of the 4088 bytes before it */
};
_Static_assert(sizeof(struct segment_header) == SEGMENT_HEADER_SIZE, "a segment header is one direct-I/O unit");
_Static_assert(offsetof(struct segment_header, committed_through) == 80, "format");
_Static_assert(offsetof(struct segment_header, seal_hash) == 128, "format");
_Static_assert(offsetof(struct segment_header, header_checksum) == 4088, "format");

void format_header_finish(struct segment_header *header);

enum header_state {
    HEADER_VALID,
    HEADER_NONE, /* no header, a torn one, or one that names another segment: the file is a spare, or was never used */
    HEADER_VERSION, /* of another version */
};
/* Whether the file is as large as the header says is for the caller to look at. */
enum header_state format_header_check(const struct segment_header *header, uint64_t number);

/* Bytes on disk of a block with that many slots. */
static inline uint32_t format_block_size(uint32_t slot_count)
{
    uint32_t size = (slot_count + 1) * (uint32_t)JOURNAL_SLOT_SIZE;
    return (size + JOURNAL_BLOCK_ALIGNMENT - 1) / JOURNAL_BLOCK_ALIGNMENT * JOURNAL_BLOCK_ALIGNMENT;
}

/* Size of the block whose header these 64 bytes would be; 0 when they are none. */
uint32_t format_block_begins(const void *bytes);
/* Header and body are whole: both checksums, and padding of zeros. `size` is what format_block_begins gave for these
 * bytes; where a file changed since, they may say another one now, and are not whole. */
bool format_block_intact(const uint8_t *bytes, uint32_t size);
/* Fills in body_checksum; and header_checksum once all else stands. */
void format_block_body(struct journal_block_header *header, const uint8_t *slots);
void format_block_finish(struct journal_block_header *header);

/* Slots that the record at `slot` of a block fills, itself included; 0 when that is no record or passes the end. */
uint32_t format_record_slots(const uint8_t *slots, uint32_t slot_count, uint32_t slot);

#endif
