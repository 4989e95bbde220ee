/* What tells a retry from another frame under the same number: HMAC-SHA256 over the header and a keyed 128-bit hash of
 * the content. Without the store's key nobody can test a code against the log, whatever hashed the content; and the one
 * client that could profit from two contents with one hash does not see the hash, nor anybody's answers but its own.
 *
 * The MACs of a turn's new frames are computed together, when it is judged: side by side they cost a fraction. */
#include "core/turn_state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum { HEAD_SIZE = 34, MACS_MANY = 64, KEY_BLOCK = 64 };

static size_t content_size(const struct otpring_wire_header *header)
{
    if (header->kind == OTPRING_WIRE_OCRA) return header->size - sizeof *header;
    return header->count *
           (header->kind == OTPRING_WIRE_RESYNC ? sizeof(struct otpring_wire_pair) : sizeof(struct otpring_wire_query));
}

static void block_make(const struct turns *turns, const struct otpring_wire_header *header, const uint8_t *items,
                       uint8_t ret_block[64])
{
    store_le16(ret_block, header->kind);
    store_le16(ret_block + 2, header->count);
    store_le64(ret_block + 4, header->session);
    store_le16(ret_block + 12, header->slot);
    store_le32(ret_block + 14, header->sequence);
    checksum128_keyed(items, content_size(header), turns->content_secret, ret_block + 18);
    memset(ret_block + HEAD_SIZE, 0, 64 - HEAD_SIZE);
    ret_block[HEAD_SIZE] = 0x80;
    store_be32(ret_block + 60, (KEY_BLOCK + HEAD_SIZE) * 8);
}

void frame_mac(const struct core_worker *worker, const struct otpring_wire_header *header, const uint8_t *items,
               uint8_t ret_mac[16])
{
    uint8_t block[1][64], mac[1][32];
    block_make(worker->turns, header, items, block[0]);
    worker->core->kernel->sha256_macs(
        &(struct kernel_macs){.count = 1, .midstates = worker->turns->frame_key, .blocks = block, .ret_macs = mac});
    memcpy(ret_mac, mac[0], 16);
}

static void run(const struct core_worker *worker, struct turn_frame *const *frames, uint32_t count)
{
    uint8_t blocks[MACS_MANY][64], macs[MACS_MANY][32];
    for (uint32_t i = 0; i < count; i++) block_make(worker->turns, &frames[i]->header, frames[i]->items, blocks[i]);
    worker->core->kernel->sha256_macs(&(struct kernel_macs){
        .count = count, .midstates = worker->turns->frame_key, .blocks = blocks, .ret_macs = macs});
    for (uint32_t i = 0; i < count; i++) memcpy(frames[i]->ticket.mac, macs[i], 16);
}

void frame_macs(const struct core_worker *worker, struct turn *turn)
{
    struct turn_frame *frames[MACS_MANY];
    uint32_t count = 0;
    for (uint32_t i = 0; i < turn->frame_count; i++) {
        if (turn->frames[i].retry) continue;
        frames[count++] = &turn->frames[i];
        if (count < MACS_MANY) continue;
        run(worker, frames, count);
        count = 0;
    }
    if (count > 0) run(worker, frames, count);
}
