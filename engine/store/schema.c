#include "store/schema.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { ORDINAL_LIMIT_HIGH = 3, ALGORITHM_MAX = 2, DIGITS_MIN = 6, DIGITS_MAX = 8, PERIOD_S_MAX = 3600 };
enum { TYPE_TOTP = 1, TYPE_OCRA = 2 }; /* enum otp_type, which belongs to another room */
enum { OCRA_DIGITS_MIN = 4, OCRA_DIGITS_MAX = 10, OCRA_PERIOD_S_MAX = 48 * 3600 };

/* Writes forward into SCHEMA_ROW_MAX bytes. */
struct writer {
    uint8_t *start;
    uint8_t *at;
};

static struct writer writer_over(uint8_t *bytes)
{
    struct writer writer = {.start = bytes, .at = bytes};
    *writer.at++ = SCHEMA_VERSION;
    return writer;
}

static void put_bytes(struct writer *writer, const void *bytes, size_t size)
{
    CHECK((size_t)(writer->at - writer->start) + size <= SCHEMA_ROW_MAX);
    if (size > 0) memcpy(writer->at, bytes, size);
    writer->at += size;
}

static void put_u8(struct writer *writer, uint8_t value)
{
    put_bytes(writer, &value, 1);
}

static void put_u16(struct writer *writer, uint16_t value)
{
    uint8_t bytes[2];
    store_le16(bytes, value);
    put_bytes(writer, bytes, sizeof(bytes));
}

static void put_u32(struct writer *writer, uint32_t value)
{
    uint8_t bytes[4];
    store_le32(bytes, value);
    put_bytes(writer, bytes, sizeof(bytes));
}

static void put_u64(struct writer *writer, uint64_t value)
{
    uint8_t bytes[8];
    store_le64(bytes, value);
    put_bytes(writer, bytes, sizeof(bytes));
}

static void put_string(struct writer *writer, const char *text, size_t size_max)
{
    size_t size = strnlen(text, size_max + 1);
    CHECK(size <= size_max);
    put_u16(writer, (uint16_t)size);
    put_bytes(writer, text, size);
}

static size_t written(const struct writer *writer)
{
    return (size_t)(writer->at - writer->start);
}

/* A cursor past the version byte; failed when that is another. */
static struct cursor row_cursor(struct store_bytes value)
{
    struct cursor cursor = cursor_over(value.bytes, value.size);
    if (cursor_u8(&cursor) != SCHEMA_VERSION) cursor.failed = true;
    return cursor;
}

/* The string and zeros up to the end of its array. A NUL within would make it another string. */
static void take_string(struct cursor *cursor, char *ret_text, size_t size_max)
{
    size_t size = cursor_u16(cursor);
    const uint8_t *bytes = size <= size_max ? cursor_take(cursor, size) : NULL;
    if (!bytes || (size > 0 && memchr(bytes, 0, size))) {
        cursor->failed = true;
        return;
    }
    memset(ret_text, 0, size_max + 1);
    if (size > 0) memcpy(ret_text, bytes, size);
}

static void take_bytes(struct cursor *cursor, void *ret_bytes, size_t size)
{
    const uint8_t *bytes = cursor_take(cursor, size);
    if (bytes && size > 0) memcpy(ret_bytes, bytes, size);
}

/* Whole, and nothing behind it. */
static struct result row_judged(const struct cursor *cursor, bool valid)
{
    return !cursor->failed && cursor->left == 0 && valid ? result_ok() : result_of(STORE_DAMAGED);
}

/* The two highest bits are the algorithm. */
static bool ordinal_valid(uint32_t ordinal)
{
    return ordinal >> 30 < ORDINAL_LIMIT_HIGH;
}

size_t schema_checkpoint_encode(const struct checkpoint_row *row, uint8_t *ret)
{
    struct writer writer = writer_over(ret);
    put_u64(&writer, row->position);
    put_u64(&writer, row->incarnation);
    put_u64(&writer, (uint64_t)row->wall_ms);
    put_u64(&writer, row->session_next);
    return written(&writer);
}

struct result schema_checkpoint_decode(struct store_bytes value, struct checkpoint_row *ret_row)
{
    struct cursor cursor = row_cursor(value);
    struct checkpoint_row row = {0};
    row.position = cursor_u64(&cursor);
    row.incarnation = cursor_u64(&cursor);
    row.wall_ms = (int64_t)cursor_u64(&cursor);
    row.session_next = cursor_u64(&cursor);
    TRY(row_judged(&cursor, true));
    *ret_row = row;
    return result_ok();
}

size_t schema_profile_encode(const struct profile_row *row, uint8_t *ret)
{
    struct writer writer = writer_over(ret);
    put_u16(&writer, row->id);
    put_string(&writer, row->name, SCHEMA_LABEL_MAX);
    put_u8(&writer, row->type);
    put_u8(&writer, row->algorithm);
    put_u8(&writer, row->digits);
    put_u32(&writer, row->period_s);
    put_u64(&writer, (uint64_t)row->t0_s);
    put_u8(&writer, row->window_behind);
    put_u8(&writer, row->window_ahead);
    put_u8(&writer, row->look_ahead);
    put_u8(&writer, row->look_behind);
    put_u16(&writer, row->resync_window);
    put_u8(&writer, row->throttle_free);
    put_u32(&writer, row->throttle_base_s);
    put_u32(&writer, row->throttle_max_s);
    put_u8(&writer, (uint8_t)row->drift_max);
    /* Rows of other types end here, as they did before there were suites. */
    if (row->type == TYPE_OCRA) put_string(&writer, row->suite, SCHEMA_SUITE_MAX);
    if (row->type == TYPE_OCRA && row->mutual) put_u8(&writer, 1);
    return written(&writer);
}

static bool ocra_valid(const struct profile_row *row)
{
    bool digits = row->digits == 0 || (row->digits >= OCRA_DIGITS_MIN && row->digits <= OCRA_DIGITS_MAX);
    return digits && row->period_s <= OCRA_PERIOD_S_MAX && row->suite[0];
}

/* What a reader divides by or indexes with; the rules of judgment about the rest are core's. */
static bool profile_valid(const struct profile_row *row)
{
    if (row->type > TYPE_OCRA || row->algorithm > ALGORITHM_MAX) return false;
    if (row->type == TYPE_OCRA) return ocra_valid(row);
    if (row->digits < DIGITS_MIN || row->digits > DIGITS_MAX) return false;
    return row->period_s <= PERIOD_S_MAX && (row->type != TYPE_TOTP || row->period_s > 0);
}

struct result schema_profile_decode(struct store_bytes value, struct profile_row *ret_row)
{
    struct cursor cursor = row_cursor(value);
    struct profile_row row = {0};
    row.id = cursor_u16(&cursor);
    take_string(&cursor, row.name, SCHEMA_LABEL_MAX);
    row.type = cursor_u8(&cursor);
    row.algorithm = cursor_u8(&cursor);
    row.digits = cursor_u8(&cursor);
    row.period_s = cursor_u32(&cursor);
    row.t0_s = (int64_t)cursor_u64(&cursor);
    row.window_behind = cursor_u8(&cursor);
    row.window_ahead = cursor_u8(&cursor);
    row.look_ahead = cursor_u8(&cursor);
    row.look_behind = cursor_u8(&cursor);
    row.resync_window = cursor_u16(&cursor);
    row.throttle_free = cursor_u8(&cursor);
    row.throttle_base_s = cursor_u32(&cursor);
    row.throttle_max_s = cursor_u32(&cursor);
    row.drift_max = (int8_t)cursor_u8(&cursor);
    if (row.type == TYPE_OCRA) take_string(&cursor, row.suite, SCHEMA_SUITE_MAX);
    /* One content has one encoding: a byte that says "not mutual" is not written. */
    row.mutual = row.type == TYPE_OCRA && cursor.left > 0;
    if (row.mutual && cursor_u8(&cursor) != 1) cursor.failed = true;
    TRY(row_judged(&cursor, profile_valid(&row)));
    *ret_row = row;
    return result_ok();
}

size_t schema_token_encode(const struct token_row *row, uint8_t *ret)
{
    struct writer writer = writer_over(ret);
    CHECK(row->sealed_size <= SCHEMA_SEALED_SEED_MAX);
    put_u32(&writer, row->ordinal);
    put_bytes(&writer, row->name, sizeof(row->name));
    put_u16(&writer, row->profile);
    put_u8(&writer, row->state);
    put_u8(&writer, row->first);
    put_u32(&writer, row->change);
    put_u32(&writer, row->start_floor);
    put_u8(&writer, (uint8_t)row->drift);
    put_u64(&writer, (uint64_t)row->created_ms);
    put_bytes(&writer, row->fingerprint, sizeof(row->fingerprint));
    put_string(&writer, row->label, SCHEMA_LABEL_MAX);
    put_u16(&writer, row->sealed_size);
    put_bytes(&writer, row->sealed_seed, row->sealed_size);
    return written(&writer);
}

/* A token that is not removed has a seed, a removed one has none. */
static bool token_valid(const struct token_row *row)
{
    if (!ordinal_valid(row->ordinal) || row->state < TOKEN_ACTIVE || row->state > TOKEN_UNSYNCED) return false;
    return (row->sealed_size == 0) == (row->state == TOKEN_REMOVED);
}

struct result schema_token_decode(struct store_bytes value, struct token_row *ret_row)
{
    struct cursor cursor = row_cursor(value);
    struct token_row row = {0};
    row.ordinal = cursor_u32(&cursor);
    take_bytes(&cursor, row.name, sizeof(row.name));
    row.profile = cursor_u16(&cursor);
    row.state = cursor_u8(&cursor);
    uint8_t first = cursor_u8(&cursor);
    row.first = first == 1;
    row.change = cursor_u32(&cursor);
    row.start_floor = cursor_u32(&cursor);
    row.drift = (int8_t)cursor_u8(&cursor);
    row.created_ms = (int64_t)cursor_u64(&cursor);
    take_bytes(&cursor, row.fingerprint, sizeof(row.fingerprint));
    take_string(&cursor, row.label, SCHEMA_LABEL_MAX);
    row.sealed_size = cursor_u16(&cursor);
    if (row.sealed_size > SCHEMA_SEALED_SEED_MAX) return result_of(STORE_DAMAGED);
    take_bytes(&cursor, row.sealed_seed, row.sealed_size);
    TRY(row_judged(&cursor, first <= 1 && token_valid(&row)));
    *ret_row = row;
    return result_ok();
}

size_t schema_account_encode(const struct account_row *row, uint8_t *ret)
{
    struct writer writer = writer_over(ret);
    CHECK(row->token_count <= SCHEMA_ACCOUNT_TOKENS_MAX);
    put_string(&writer, row->company, SCHEMA_NAME_MAX);
    put_string(&writer, row->user, SCHEMA_NAME_MAX);
    put_u16(&writer, row->token_count);
    for (unsigned i = 0; i < row->token_count; i++) put_u32(&writer, row->tokens[i]);
    return written(&writer);
}

struct result schema_account_decode(struct store_bytes value, struct account_row *ret_row)
{
    struct cursor cursor = row_cursor(value);
    struct account_row row = {0};
    bool valid = true;
    take_string(&cursor, row.company, SCHEMA_NAME_MAX);
    take_string(&cursor, row.user, SCHEMA_NAME_MAX);
    row.token_count = cursor_u16(&cursor);
    if (row.token_count > SCHEMA_ACCOUNT_TOKENS_MAX) return result_of(STORE_DAMAGED);
    for (unsigned i = 0; i < row.token_count; i++) {
        row.tokens[i] = cursor_u32(&cursor);
        valid = valid && ordinal_valid(row.tokens[i]);
    }
    TRY(row_judged(&cursor, valid));
    *ret_row = row;
    return result_ok();
}

size_t schema_fingerprint_encode(const struct fingerprint_row *row, uint8_t *ret)
{
    struct writer writer = writer_over(ret);
    put_u32(&writer, row->ordinal);
    put_u8(&writer, row->live);
    put_u64(&writer, row->floor);
    return written(&writer);
}

struct result schema_fingerprint_decode(struct store_bytes value, struct fingerprint_row *ret_row)
{
    struct cursor cursor = row_cursor(value);
    struct fingerprint_row row = {0};
    row.ordinal = cursor_u32(&cursor);
    uint8_t live = cursor_u8(&cursor);
    row.live = live == 1;
    row.floor = cursor_u64(&cursor);
    TRY(row_judged(&cursor, live <= 1 && ordinal_valid(row.ordinal)));
    *ret_row = row;
    return result_ok();
}
