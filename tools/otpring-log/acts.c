#include "acts.h"

#include <string.h>

#include "base/bytes.h"

static const char *const names[] = {
    [ACT_START] = "START",
    [ACT_STOP] = "STOP",
    [ACT_TOKEN_ADD] = "TOKEN_ADD",
    [ACT_TOKEN_REMOVE] = "TOKEN_REMOVE",
    [ACT_TOKEN_SUSPEND] = "TOKEN_SUSPEND",
    [ACT_TOKEN_RESUME] = "TOKEN_RESUME",
    [ACT_TOKEN_SET] = "TOKEN_SET",
    [ACT_TOKEN_RESYNC] = "TOKEN_RESYNC",
    [ACT_ACCOUNT_UNLOCK] = "ACCOUNT_UNLOCK",
    [ACT_PROFILE_SET] = "PROFILE_SET",
    [ACT_SESSION_OPEN] = "SESSION_OPEN",
    [ACT_BURN] = "BURN",
    [ACT_CLOCK_CONSENT] = "CLOCK_CONSENT",
    [ACT_RESTORE] = "RESTORE",
    [ACT_BACKUP] = "BACKUP",
    [ACT_CLIENT] = "CLIENT",
    [ACT_CHANGE] = "CHANGE",
};
enum { NAME_COUNT = sizeof names / sizeof names[0] };

const char *act_name(unsigned act)
{
    return act < NAME_COUNT ? names[act] : NULL;
}

bool act_number(const char *name, unsigned *ret_act)
{
    for (unsigned act = 0; act < NAME_COUNT; act++) {
        if (!names[act] || strcasecmp(names[act], name) != 0) continue;
        *ret_act = act;
        return true;
    }
    return false;
}

bool act_about_token(const struct slot_act *act)
{
    return act->act >= ACT_TOKEN_ADD && act->act <= ACT_TOKEN_RESYNC && act->ordinal != UINT32_MAX;
}

static void take_text(struct cursor *cursor, char *ret_text)
{
    size_t size = cursor_u8(cursor);
    const uint8_t *bytes = cursor_take(cursor, size);
    ret_text[0] = 0;
    if (!bytes || memchr(bytes, 0, size)) return;
    memcpy(ret_text, bytes, size);
    ret_text[size] = 0;
}

/* Row size 2, row, company size 1, company, user size 1, user: engine/core/apply.c. */
static void read_token_add(const uint8_t *payload, size_t size, struct act_detail *detail)
{
    struct cursor cursor = cursor_over(payload, size);
    size_t row_size = cursor_u16(&cursor);
    const uint8_t *row = cursor_take(&cursor, row_size);
    take_text(&cursor, detail->company);
    take_text(&cursor, detail->user);
    if (!row || cursor.failed) return;
    struct store_bytes bytes = {.bytes = row, .size = row_size};
    detail->has_token = !result_failed(schema_token_decode(bytes, &detail->token));
}

/* The first row of a question that it puts: the id and a letter (challenge/keep.h). */
static void read_change(const uint8_t *payload, size_t size, struct act_detail *detail)
{
    struct core_change_row row;
    detail->has_change = !result_failed(core_change_decode(payload, size, &detail->change));
    if (!detail->has_change) return;
    struct core_change_view rest = detail->change;
    while (!detail->challenge[0] && !result_failed(core_change_row_next(&rest, &row)))
        if (row.map == STORE_CHALLENGES && !row.erase && row.key.size == CHALLENGE_ID_SIZE + 1)
            base64url_encode(row.key.bytes, CHALLENGE_ID_SIZE, detail->challenge);
}

void act_detail_read(const struct slot_act *act, const uint8_t *payload, struct act_detail *ret_detail)
{
    size_t size = act->payload_size;
    memset(ret_detail, 0, sizeof *ret_detail);
    switch (act->act) {
    case ACT_CLIENT:
        ret_detail->has_client = size == sizeof ret_detail->client;
        if (ret_detail->has_client) memcpy(&ret_detail->client, payload, size);
        break;
    case ACT_CHANGE:
        read_change(payload, size, ret_detail);
        break;
    case ACT_TOKEN_ADD:
        read_token_add(payload, size, ret_detail);
        break;
    case ACT_TOKEN_SET:
        if (size <= SCHEMA_LABEL_MAX) memcpy(ret_detail->label, payload, size);
        break;
    case ACT_RESTORE:
        ret_detail->has_restore = size > 0 && size <= sizeof ret_detail->restore;
        if (ret_detail->has_restore) memcpy(&ret_detail->restore, payload, size);
        break;
    default:
        break;
    }
}
