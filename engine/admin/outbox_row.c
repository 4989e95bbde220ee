/* Rows and contents of the outbox as bytes, little-endian, texts behind a 2-byte size; and what a message must be. */
#include "admin/outbox.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { ROW_VERSION = 1, CONTENT_VERSION = 1 };

static const char *const kind_names[] = {
#define KIND(name, text, fields) [MESSAGE_##name] = (text),
    [MESSAGE_KIND_NONE] = "", MESSAGE_KINDS(KIND)
#undef KIND
};
static const char *const kind_fields[] = {
#define KIND(name, text, fields) [MESSAGE_##name] = (fields),
    [MESSAGE_KIND_NONE] = "", MESSAGE_KINDS(KIND)
#undef KIND
};
static const char *const channel_names[] = {
#define CHANNEL(name, text) [CHANNEL_##name] = (text),
    [CHANNEL_NONE] = "", MESSAGE_CHANNELS(CHANNEL)
#undef CHANNEL
};
static const char *const state_names[] = {"", "queued", "handed", "delivered", "dead"};

static const char *name_at(const char *const *names, unsigned end, unsigned at)
{
    return at > 0 && at < end ? names[at] : "";
}

static unsigned place_of(const char *const *names, unsigned end, const char *name)
{
    for (unsigned i = 1; i < end; i++) {
        if (strcmp(names[i], name) == 0) return i;
    }
    return 0;
}

const char *outbox_state_name(unsigned state)
{
    return name_at(state_names, OUTBOX_STATE_END, state);
}

const char *outbox_kind_name(unsigned kind)
{
    return name_at(kind_names, MESSAGE_KIND_END, kind);
}

const char *outbox_channel_name(unsigned channel)
{
    return name_at(channel_names, CHANNEL_END, channel);
}

unsigned outbox_state_of(const char *name)
{
    return place_of(state_names, OUTBOX_STATE_END, name);
}

unsigned outbox_kind_of(const char *name)
{
    return place_of(kind_names, MESSAGE_KIND_END, name);
}

unsigned outbox_channel_of(const char *name)
{
    return place_of(channel_names, CHANNEL_END, name);
}

/* ---- what a message must be ---- */

/* A field's place in the list of its kind, NULL where it has none. Some stand there with a mark before their name. */
static const char *field_place(unsigned kind, const char *name, bool *ret_time)
{
    const char *list = kind_fields[kind];
    size_t size = strlen(name);
    if (size == 0 || strpbrk(name, " @#")) return NULL;
    for (const char *at = strstr(list, name); at; at = strstr(at + 1, name)) {
        if (at[size] != ' ' || !strchr(" @#", at[-1])) continue;
        *ret_time = at[-1] == '@';
        return at;
    }
    return NULL;
}

static size_t field_count(unsigned kind)
{
    size_t count = 0;
    for (const char *at = kind_fields[kind]; *at; at++) count += *at == ' ';
    return count - 1;
}

static bool time_valid(const char *text)
{
    size_t size = strlen(text);
    return size > 0 && size <= 11 && strspn(text, "0123456789") == size;
}

static bool language_valid(const char *text)
{
    return strlen(text) == 2 && strspn(text, "abcdefghijklmnopqrstuvwxyz") == 2;
}

static bool field_valid(const struct outbox_draft *draft, size_t at)
{
    bool time = false;
    const struct outbox_field *field = &draft->fields[at];
    if (!field_place(draft->kind, field->name, &time)) return false;
    for (size_t i = 0; i < at; i++) {
        if (strcmp(draft->fields[i].name, field->name) == 0) return false;
    }
    return core_text_valid(field->value, 1, MESSAGE_FIELD_VALUE_MAX) && (!time || time_valid(field->value));
}

struct result outbox_draft_check(const struct outbox_draft *draft)
{
    bool valid = draft->kind > MESSAGE_KIND_NONE && draft->kind < MESSAGE_KIND_END && draft->channel > CHANNEL_NONE &&
                 draft->channel < CHANNEL_END && language_valid(draft->language) &&
                 core_text_valid(draft->to, 1, MESSAGE_TO_MAX) && draft->expires_ms >= 0 &&
                 draft->field_count == field_count(draft->kind);
    /* As many as the kind has, each one of its, and none twice: so all of them. */
    for (size_t i = 0; valid && i < draft->field_count; i++) valid = field_valid(draft, i);
    return valid ? result_ok() : result_of(BAD_ARGUMENT);
}

/* ---- bytes ---- */

size_t outbox_row_encode(const struct outbox_row *row, uint8_t ret[OUTBOX_ROW_MAX])
{
    struct row_writer writer = row_writer_over(ret, OUTBOX_ROW_MAX, ROW_VERSION);
    row_u8(&writer, row->state);
    row_u8(&writer, row->kind);
    row_u8(&writer, row->channel);
    row_u8(&writer, row->head);
    row_bytes(&writer, row->name, sizeof(row->name));
    row_u64(&writer, row->number);
    row_u64(&writer, (uint64_t)row->created_ms);
    row_u64(&writer, (uint64_t)row->since_ms);
    row_u64(&writer, (uint64_t)row->due_ms);
    row_u64(&writer, (uint64_t)row->life_ms);
    row_u64(&writer, (uint64_t)row->expires_ms);
    row_u32(&writer, row->handed);
    row_u32(&writer, row->failed);
    row_text(&writer, row->reason);
    return row_done(&writer).size;
}

struct result outbox_row_decode(struct store_bytes value, struct outbox_row *ret_row)
{
    struct cursor cursor = row_cursor(value, ROW_VERSION);
    struct outbox_row row = {0};
    row.state = cursor_u8(&cursor);
    row.kind = cursor_u8(&cursor);
    row.channel = cursor_u8(&cursor);
    uint8_t head = cursor_u8(&cursor);
    row_take(&cursor, row.name, sizeof(row.name));
    row.head = head == 1;
    row.number = cursor_u64(&cursor);
    row.created_ms = (int64_t)cursor_u64(&cursor);
    row.since_ms = (int64_t)cursor_u64(&cursor);
    row.due_ms = (int64_t)cursor_u64(&cursor);
    row.life_ms = (int64_t)cursor_u64(&cursor);
    row.expires_ms = (int64_t)cursor_u64(&cursor);
    row.handed = cursor_u32(&cursor);
    row.failed = cursor_u32(&cursor);
    row_take_text(&cursor, row.reason, OUTBOX_REASON_MAX);
    TRY(row_judge(&cursor, head <= 1 && row.state >= OUTBOX_QUEUED && row.state < OUTBOX_STATE_END &&
                               *outbox_kind_name(row.kind) && *outbox_channel_name(row.channel)));
    *ret_row = row;
    return result_ok();
}

size_t outbox_content_encode(const struct outbox_draft *draft, uint64_t number, uint8_t ret[OUTBOX_CONTENT_MAX])
{
    struct row_writer writer = row_writer_over(ret, OUTBOX_CONTENT_MAX, CONTENT_VERSION);
    /* So that the sealed content of one message does not pass for another's. */
    row_u64(&writer, number);
    row_text(&writer, draft->to);
    row_text(&writer, draft->language);
    row_u8(&writer, (uint8_t)draft->field_count);
    for (size_t i = 0; i < draft->field_count; i++) {
        row_text(&writer, draft->fields[i].name);
        row_text(&writer, draft->fields[i].value);
    }
    return row_done(&writer).size;
}

struct result outbox_content_decode(const uint8_t *bytes, size_t size, uint64_t number,
                                    struct outbox_content *ret_content)
{
    struct cursor cursor = row_cursor((struct store_bytes){bytes, size}, CONTENT_VERSION);
    bool valid = cursor_u64(&cursor) == number;
    row_take_text(&cursor, ret_content->to, MESSAGE_TO_MAX);
    row_take_text(&cursor, ret_content->language, sizeof(ret_content->language) - 1);
    ret_content->field_count = cursor_u8(&cursor);
    if (ret_content->field_count > MESSAGE_FIELDS_MAX) return result_of(STORE_DAMAGED);
    for (size_t i = 0; i < ret_content->field_count; i++) {
        row_take_text(&cursor, ret_content->fields[i].name, MESSAGE_FIELD_NAME_MAX);
        row_take_text(&cursor, ret_content->fields[i].value, MESSAGE_FIELD_VALUE_MAX);
    }
    return row_judge(&cursor, valid);
}
