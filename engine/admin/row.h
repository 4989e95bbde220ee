/* Bytes of the rows of people: little-endian, strings with a 2-byte size, as the other rows of the store (schema.h). A
 * writer never passes its end: it fails instead, and says so when it is asked for its size. */
#ifndef OTPRING_ADMIN_ROW_H
#define OTPRING_ADMIN_ROW_H

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "store/store.h"

struct row_writer {
    uint8_t *bytes;
    size_t size;
    size_t size_max;
    bool failed;
};

static inline struct row_writer row_writer_over(uint8_t *bytes, size_t size_max, uint8_t version)
{
    struct row_writer writer = {.bytes = bytes, .size_max = size_max};
    CHECK(size_max > 0);
    bytes[writer.size++] = version;
    return writer;
}

static inline void row_bytes(struct row_writer *writer, const void *bytes, size_t size)
{
    if (writer->failed || size > writer->size_max - writer->size) {
        writer->failed = true;
        return;
    }
    if (size > 0) memcpy(writer->bytes + writer->size, bytes, size);
    writer->size += size;
}

static inline void row_u8(struct row_writer *writer, uint8_t value)
{
    row_bytes(writer, &value, 1);
}

static inline void row_u16(struct row_writer *writer, uint16_t value)
{
    uint8_t bytes[2];
    store_le16(bytes, value);
    row_bytes(writer, bytes, sizeof(bytes));
}

static inline void row_u32(struct row_writer *writer, uint32_t value)
{
    uint8_t bytes[4];
    store_le32(bytes, value);
    row_bytes(writer, bytes, sizeof(bytes));
}

static inline void row_u64(struct row_writer *writer, uint64_t value)
{
    uint8_t bytes[8];
    store_le64(bytes, value);
    row_bytes(writer, bytes, sizeof(bytes));
}

static inline void row_text(struct row_writer *writer, const char *text)
{
    size_t size = strlen(text);
    if (size > UINT16_MAX) {
        writer->failed = true;
        return;
    }
    row_u16(writer, (uint16_t)size);
    row_bytes(writer, text, size);
}

/* What was written. Rows have room for the longest of their texts, so to fail is a bug of ours. */
static inline struct store_bytes row_done(const struct row_writer *writer)
{
    CHECK(!writer->failed);
    return (struct store_bytes){.bytes = writer->bytes, .size = writer->size};
}

/* ---- reading: a row is not trusted ---- */

static inline struct cursor row_cursor(struct store_bytes value, uint8_t version)
{
    struct cursor cursor = cursor_over(value.bytes, value.size);
    if (cursor_u8(&cursor) != version) cursor.failed = true;
    return cursor;
}

static inline void row_take(struct cursor *cursor, void *ret_bytes, size_t size)
{
    const uint8_t *bytes = cursor_take(cursor, size);
    if (bytes && size > 0) memcpy(ret_bytes, bytes, size);
}

/* The text and a NUL into size_max + 1 bytes. */
static inline void row_take_text(struct cursor *cursor, char *ret_text, size_t size_max)
{
    size_t size = cursor_u16(cursor);
    const uint8_t *bytes = size <= size_max ? cursor_take(cursor, size) : NULL;
    if (!bytes || (size > 0 && memchr(bytes, 0, size))) {
        cursor->failed = true;
        return;
    }
    if (size > 0) memcpy(ret_text, bytes, size);
    ret_text[size] = 0;
}

/* Whole, and nothing behind it. */
static inline struct result row_judge(const struct cursor *cursor, bool valid)
{
    return !cursor->failed && cursor->left == 0 && valid ? result_ok() : result_of(STORE_DAMAGED);
}

/* ---- keys of STORE_ORDER: kind, then big-endian fields, so that a walk gives them in order ---- */

struct order_key {
    uint8_t bytes[STORE_KEY_SIZE_MAX];
    size_t size;
};

static inline void order_bytes(struct order_key *key, const void *bytes, size_t size)
{
    CHECK(size <= sizeof(key->bytes) - key->size);
    memcpy(key->bytes + key->size, bytes, size);
    key->size += size;
}

static inline struct order_key order_begin(char kind)
{
    struct order_key key = {.size = 0};
    order_bytes(&key, &kind, 1);
    return key;
}

static inline void order_u8(struct order_key *key, uint8_t value)
{
    order_bytes(key, &value, 1);
}

static inline void order_u32(struct order_key *key, uint32_t value)
{
    uint8_t bytes[4];
    store_be32(bytes, value);
    order_bytes(key, bytes, sizeof(bytes));
}

static inline void order_u64(struct order_key *key, uint64_t value)
{
    uint8_t bytes[8];
    store_be64(bytes, value);
    order_bytes(key, bytes, sizeof(bytes));
}

/* Of keys that end in the number of what they stand for. */
static inline uint64_t order_number(const struct order_key *key)
{
    return load_be64(key->bytes + key->size - 8);
}

static inline struct store_bytes order_done(const struct order_key *key)
{
    return (struct store_bytes){.bytes = key->bytes, .size = key->size};
}

#endif
