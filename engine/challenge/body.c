#include "challenge/body.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "challenge/text.h"
#include "vault/vault.h"

enum { FLAGS_KNOWN = CHALLENGE_MATCH_NUMBER | CHALLENGE_MAY_BE_TYPED | CHALLENGE_NO_ACCOUNT };

struct field_rule {
    uint8_t size_max;
    bool transactions_only;
    bool needed; /* where it may stand */
};

static const struct field_rule rules[CHALLENGE_FIELD_COUNT] = {
    [CHALLENGE_SITE] = {64, false, true},  [CHALLENGE_TEXT] = {200, false, true},
    [CHALLENGE_AMOUNT] = {20, true, true}, [CHALLENGE_CURRENCY] = {3, true, true},
    [CHALLENGE_PAYEE] = {70, true, true},  [CHALLENGE_REFERENCE] = {140, true, false},
};

static struct result field_check(enum challenge_field field, const struct challenge_text *text)
{
    if (text->size > rules[field].size_max) return result_of(CHALLENGE_BAD_TEXT);
    if (field == CHALLENGE_AMOUNT)
        return result_of(text_is_amount(text->bytes, text->size) ? OK : CHALLENGE_BAD_AMOUNT);
    if (field == CHALLENGE_CURRENCY)
        return result_of(text_is_currency(text->bytes, text->size) ? OK : CHALLENGE_BAD_AMOUNT);
    return result_of(text_may_be_shown(text->bytes, text->size) ? OK : CHALLENGE_BAD_TEXT);
}

static struct result body_check(const struct challenge_body *body)
{
    if (body->purpose < CHALLENGE_LOGIN || body->purpose > CHALLENGE_EXCHANGE || body->flags & ~FLAGS_KNOWN)
        return result_of(CHALLENGE_BAD_BODY);
    for (int f = 0; f < CHALLENGE_FIELD_COUNT; f++) {
        const struct challenge_text *text = &body->fields[f];
        bool may = !rules[f].transactions_only || body->purpose == CHALLENGE_TRANSACTION;
        if (text->size == 0 ? may && rules[f].needed : !may) return result_of(CHALLENGE_FIELDS);
        if (text->size > 0) TRY(field_check((enum challenge_field)f, text));
    }
    return result_ok();
}

struct result challenge_body_encode(const struct challenge_body *body, uint8_t ret_bytes[CHALLENGE_BODY_SIZE_MAX],
                                    size_t *ret_size)
{
    TRY(body_check(body));
    uint8_t *bytes = ret_bytes;
    size_t size = CHALLENGE_BODY_HEAD_SIZE;
    bytes[0] = CHALLENGE_BODY_VERSION;
    bytes[1] = (uint8_t)body->purpose;
    bytes[2] = body->flags;
    bytes[3] = 0;
    memcpy(bytes + 4, body->key_id, CHALLENGE_KEY_ID_SIZE);
    store_le32(bytes + 8, body->expires_s);
    memcpy(bytes + 12, body->id, CHALLENGE_ID_SIZE);
    memcpy(bytes + 28, body->binding, CHALLENGE_BINDING_SIZE);
    for (int f = 0; f < CHALLENGE_FIELD_COUNT; f++) {
        const struct challenge_text *text = &body->fields[f];
        if (text->size == 0) continue;
        bytes[3]++;
        bytes[size] = (uint8_t)(f + 1);
        bytes[size + 1] = (uint8_t)text->size;
        memcpy(bytes + size + 2, text->bytes, text->size);
        size += 2 + text->size;
    }
    *ret_size = size;
    return result_ok();
}

static void head_read(struct cursor *cursor, struct challenge_body *body, uint8_t *ret_field_count)
{
    if (cursor_u8(cursor) != CHALLENGE_BODY_VERSION) cursor->failed = true;
    body->purpose = (enum challenge_purpose)cursor_u8(cursor);
    body->flags = cursor_u8(cursor);
    *ret_field_count = cursor_u8(cursor);
    const uint8_t *key_id = cursor_take(cursor, CHALLENGE_KEY_ID_SIZE);
    body->expires_s = cursor_u32(cursor);
    const uint8_t *id = cursor_take(cursor, CHALLENGE_ID_SIZE);
    const uint8_t *binding = cursor_take(cursor, CHALLENGE_BINDING_SIZE);
    if (cursor->failed) return;
    memcpy(body->key_id, key_id, CHALLENGE_KEY_ID_SIZE);
    memcpy(body->id, id, CHALLENGE_ID_SIZE);
    memcpy(body->binding, binding, CHALLENGE_BINDING_SIZE);
}

struct result challenge_body_decode(const uint8_t *bytes, size_t size, struct challenge_body *ret_body)
{
    struct cursor cursor = cursor_over(bytes, size);
    struct challenge_body body = {0};
    uint8_t field_count, tag_before = 0;
    head_read(&cursor, &body, &field_count);
    for (unsigned i = 0; i < field_count && !cursor.failed; i++) {
        uint8_t tag = cursor_u8(&cursor), field_size = cursor_u8(&cursor);
        const uint8_t *text = cursor_take(&cursor, field_size);
        if (!text || field_size == 0 || tag <= tag_before || tag > CHALLENGE_FIELD_COUNT)
            return result_of(CHALLENGE_BAD_BODY);
        body.fields[tag - 1] = (struct challenge_text){.bytes = (const char *)text, .size = field_size};
        tag_before = tag;
    }
    if (cursor.failed || cursor.left > 0) return result_of(CHALLENGE_BAD_BODY);
    TRY(body_check(&body));
    *ret_body = body;
    return result_ok();
}

void challenge_digest(const uint8_t *bytes, size_t size, uint8_t ret_digest[CHALLENGE_DIGEST_SIZE])
{
    vault_sha256(bytes, size, ret_digest);
}

void challenge_binding(const uint8_t account[16], enum challenge_channel channel, uint16_t client, const void *session,
                       size_t session_size, uint8_t ret_binding[CHALLENGE_BINDING_SIZE])
{
    uint8_t bytes[16 + 1 + 2 + CHALLENGE_SESSION_SIZE_MAX], digest[32];
    CHECK(session_size <= CHALLENGE_SESSION_SIZE_MAX);
    memcpy(bytes, account, 16);
    bytes[16] = (uint8_t)channel;
    store_le16(bytes + 17, client);
    if (session_size > 0) memcpy(bytes + 19, session, session_size);
    vault_sha256(bytes, 19 + session_size, digest);
    memcpy(ret_binding, digest, CHALLENGE_BINDING_SIZE);
}
