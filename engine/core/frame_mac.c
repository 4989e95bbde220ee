/* What tells a retry from another frame under the same number: CBC-MAC with AES-256, under a key of its own, of two
 * blocks: what the header says, and a keyed 128-bit hash of the content (vault/block_mac.h). Without the store's key
 * nobody can test a code against the log, whatever hashed the content; and the one client that could profit from two
 * contents with one hash does not see the hash, nor anybody's answers but its own.
 *
 * The MACs of a turn's new frames are computed together, when it is judged: side by side they cost a fraction. */
#include "core/turn_state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/checksum.h"

enum { MACS_MANY = 64, SLOT_BITS = 10, COUNT_BITS = 13, KIND_BITS = 9 };
_Static_assert(SLOT_BITS + COUNT_BITS + KIND_BITS == 32,
               "beside the session and the sequence they fill the first block");
_Static_assert((int)MACS_MANY <= (int)BLOCK_MACS_MAX, "in one call");

static size_t content_size(const struct otpring_wire_header *header)
{
    if (header->kind == OTPRING_WIRE_OCRA) return header->size - sizeof *header;
    return header->count *
           (header->kind == OTPRING_WIRE_RESYNC ? sizeof(struct otpring_wire_pair) : sizeof(struct otpring_wire_query));
}

/* No two headers of different frames have the same block: the session has looked at slot and count (fault_of). */
static void head_make(const struct otpring_wire_header *header, uint8_t ret_head[BLOCK_MAC_SIZE])
{
    _Static_assert(OTPRING_WIRE_SLOTS_MAX <= 1 << SLOT_BITS && OTPRING_WIRE_ITEMS_MAX < 1 << COUNT_BITS &&
                       OTPRING_WIRE_OCRA < 1 << KIND_BITS,
                   "each has its own bits");
    CHECK(header->slot < OTPRING_WIRE_SLOTS_MAX && header->count <= OTPRING_WIRE_ITEMS_MAX &&
          header->kind < 1 << KIND_BITS);
    store_le64(ret_head, header->session);
    store_le32(ret_head + 8, header->sequence);
    store_le32(ret_head + 12, header->slot | (uint32_t)header->count << SLOT_BITS |
                                  (uint32_t)header->kind << (SLOT_BITS + COUNT_BITS));
}

static void body_make(const struct turns *turns, const struct otpring_wire_header *header, const uint8_t *items,
                      uint8_t ret_body[BLOCK_MAC_SIZE])
{
    checksum128_keyed(items, content_size(header), turns->content_secret, ret_body);
}

void frame_mac(const struct core_worker *worker, const struct otpring_wire_header *header, const uint8_t *items,
               uint8_t ret_mac[16])
{
    uint8_t head[1][BLOCK_MAC_SIZE], body[1][BLOCK_MAC_SIZE];
    head_make(header, head[0]);
    body_make(worker->turns, header, items, body[0]);
    block_macs(worker->turns->block_mac, 1, head, body);
    memcpy(ret_mac, head[0], BLOCK_MAC_SIZE);
}

static void run(const struct turns *turns, struct turn_frame *const *frames, uint32_t count)
{
    uint8_t macs[MACS_MANY][BLOCK_MAC_SIZE], bodies[MACS_MANY][BLOCK_MAC_SIZE];
    for (uint32_t i = 0; i < count; i++) {
        head_make(&frames[i]->header, macs[i]);
        body_make(turns, &frames[i]->header, frames[i]->items, bodies[i]);
    }
    block_macs(turns->block_mac, count, macs, bodies);
    for (uint32_t i = 0; i < count; i++) memcpy(frames[i]->ticket.mac, macs[i], BLOCK_MAC_SIZE);
}

void frame_macs(const struct core_worker *worker, struct turn *turn)
{
    struct turn_frame *frames[MACS_MANY];
    uint32_t count = 0;
    for (uint32_t i = 0; i < turn->frame_count; i++) {
        if (turn->frames[i].retry) continue;
        frames[count++] = &turn->frames[i];
        if (count < MACS_MANY) continue;
        run(worker->turns, frames, count);
        count = 0;
    }
    if (count > 0) run(worker->turns, frames, count);
}
