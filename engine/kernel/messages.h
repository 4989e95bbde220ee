/* Whole messages for SHA-256: the blocks of a prefix byte and bytes, with the padding of FIPS 180-4 section 5.1.1.
 * Inline only. */
#ifndef OTPRING_KERNEL_MESSAGES_H
#define OTPRING_KERNEL_MESSAGES_H

#include "kernel/hmac.h"

enum { SHA256_BLOCK = 64 };

/* What every kernel file has: all of them, any count. */
typedef void kernel_messages_function(const struct kernel_messages *messages);

/* A prefix, the bytes, the bit 1, the length. */
KERNEL_INLINE size_t message_blocks(const struct kernel_messages *messages)
{
    return (1 + messages->size + 1 + 8 + SHA256_BLOCK - 1) / SHA256_BLOCK;
}

/* Block `index` of a message: where it lies, or made in `room` at the message's two ends. */
KERNEL_INLINE const uint8_t *message_block(const struct kernel_messages *messages, const uint8_t *bytes, size_t index,
                                           uint8_t room[SHA256_BLOCK])
{
    size_t size = messages->size, first = index * SHA256_BLOCK; /* the prefix is byte 0 of the message */
    if (index > 0 && first + SHA256_BLOCK <= size + 1) return bytes + first - 1;
    memset(room, 0, SHA256_BLOCK);
    size_t skip = index == 0, at = first + skip - 1;
    if (skip) room[0] = messages->prefix;
    size_t left = at < size ? size - at : 0;
    size_t here = left < SHA256_BLOCK - skip ? left : SHA256_BLOCK - skip;
    if (here > 0) memcpy(room + skip, bytes + at, here);
    if (size + 1 >= first && size + 1 < first + SHA256_BLOCK) room[size + 1 - first] = 0x80;
    if (index + 1 == message_blocks(messages)) store_be64(room + SHA256_BLOCK - 8, ((uint64_t)size + 1) * 8);
    return room;
}

#endif
