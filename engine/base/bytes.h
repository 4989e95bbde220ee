/* Little-endian loads and stores, big-endian ones for hashes, and a bounded cursor over hostile bytes. Any thread. */
#ifndef OTPRING_BASE_BYTES_H
#define OTPRING_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_le16(const void *from)
{
    const uint8_t *b = from;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t load_le32(const void *from)
{
    const uint8_t *b = from;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t load_le64(const void *from)
{
    const uint8_t *b = from;
    return (uint64_t)load_le32(b) | (uint64_t)load_le32(b + 4) << 32;
}

static inline void store_le16(void *to, uint16_t value)
{
    uint8_t *b = to;
    b[0] = (uint8_t)value;
    b[1] = (uint8_t)(value >> 8);
}

/* Of bytes written so gcc -O2 makes one store, of a loop it does not. */
static inline void store_le32(void *to, uint32_t value)
{
    uint8_t *b = to;
    b[0] = (uint8_t)value;
    b[1] = (uint8_t)(value >> 8);
    b[2] = (uint8_t)(value >> 16);
    b[3] = (uint8_t)(value >> 24);
}

static inline void store_le64(void *to, uint64_t value)
{
    uint8_t *b = to;
    store_le32(b, (uint32_t)value);
    store_le32(b + 4, (uint32_t)(value >> 32));
}

static inline uint32_t load_be32(const void *from)
{
    return __builtin_bswap32(load_le32(from));
}

static inline uint64_t load_be64(const void *from)
{
    return __builtin_bswap64(load_le64(from));
}

static inline void store_be32(void *to, uint32_t value)
{
    store_le32(to, __builtin_bswap32(value));
}

static inline void store_be64(void *to, uint64_t value)
{
    store_le64(to, __builtin_bswap64(value));
}

/* Reads forward through bytes it does not own; once a read would pass the end, `failed` stays set and reads give zero.
 */
struct cursor {
    const uint8_t *at;
    size_t left;
    bool failed;
};

static inline struct cursor cursor_over(const void *bytes, size_t size)
{
    return (struct cursor){.at = bytes, .left = size, .failed = false};
}

/* The next `size` bytes, or NULL when there are not so many. */
static inline const uint8_t *cursor_take(struct cursor *cursor, size_t size)
{
    if (cursor->failed || size > cursor->left) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *bytes = cursor->at;
    cursor->at += size;
    cursor->left -= size;
    return bytes;
}

static inline uint8_t cursor_u8(struct cursor *cursor)
{
    const uint8_t *b = cursor_take(cursor, 1);
    return b ? *b : 0;
}

static inline uint16_t cursor_u16(struct cursor *cursor)
{
    const uint8_t *b = cursor_take(cursor, 2);
    return b ? load_le16(b) : (uint16_t)0;
}

static inline uint32_t cursor_u32(struct cursor *cursor)
{
    const uint8_t *b = cursor_take(cursor, 4);
    return b ? load_le32(b) : 0;
}

static inline uint64_t cursor_u64(struct cursor *cursor)
{
    const uint8_t *b = cursor_take(cursor, 8);
    return b ? load_le64(b) : 0;
}

#endif
