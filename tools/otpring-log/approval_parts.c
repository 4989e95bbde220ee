#include "approval.h"

#include <string.h>

#include "base/base64url.h"
#include "base/bytes.h"
#include "vault/device_key.h"
#include "vault/vault.h"

bool approval_rows_of(const uint8_t *payload, size_t size, const uint8_t id[CHALLENGE_ID_SIZE],
                      struct approval_rows *ret_rows)
{
    struct core_change_view view;
    struct core_change_row row;
    bool found = false;
    *ret_rows = (struct approval_rows){.subject = 0};
    if (result_failed(core_change_decode(payload, size, &view))) return false;
    memcpy(ret_rows->name, view.name, sizeof ret_rows->name);
    ret_rows->subject = view.subject;
    while (!result_failed(core_change_row_next(&view, &row))) {
        const uint8_t *key = row.key.bytes;
        if (row.erase) continue;
        if (row.map == STORE_DEVICES && row.key.size == sizeof ret_rows->device_key) {
            ret_rows->device = row.value;
            memcpy(ret_rows->device_key, key, sizeof ret_rows->device_key);
        }
        bool about = row.map == STORE_CHALLENGES && row.key.size == CHALLENGE_ID_SIZE + 1 &&
                     memcmp(key, id, CHALLENGE_ID_SIZE) == 0 && key[CHALLENGE_ID_SIZE] < 128;
        if (about) ret_rows->parts[key[CHALLENGE_ID_SIZE]] = row.value;
        found = found || about;
    }
    return found;
}

static json_t *text_json(const struct challenge_text *text)
{
    return json_stringn(text->bytes, text->size);
}

static json_t *fields_json(const struct challenge_body *body)
{
    static const char *const names[CHALLENGE_FIELD_COUNT] = {"site",     "text",  "amount",
                                                             "currency", "payee", "reference"};
    json_t *fields = json_object();
    for (unsigned i = 0; i < CHALLENGE_FIELD_COUNT; i++)
        if (body->fields[i].bytes) json_object_set_new(fields, names[i], text_json(&body->fields[i]));
    return fields;
}

static void key_put(json_t *json, const struct challenge_proof *proof)
{
    char text[BASE64URL_SIZE(CHALLENGE_DEVICE_KEY_SIZE_MAX)];
    const char *algorithm = device_algorithm_name((enum device_algorithm)proof->key_kind);
    if (proof->key_kind == CHALLENGE_PROOF_TYPED) {
        json_object_set_new(json, "typed_under", json_stringn((const char *)proof->key, proof->key_size));
        json_object_set_new(json, "typed", json_stringn((const char *)proof->signature, proof->signature_size));
        return;
    }
    json_object_set_new(json, "algorithm", json_string(algorithm ? algorithm : "unknown"));
    base64url_encode(proof->key, proof->key_size, text);
    json_object_set_new(json, "device_key", json_string(text));
    base64url_encode(proof->signature, proof->signature_size, text);
    json_object_set_new(json, "signature", json_string(text));
}

json_t *approval_json(const struct approval *approval, const char **ret_why)
{
    static const char *const purposes[] = {"", "login", "query", "authorisation", "transaction", "exchange"};
    static const char *const reasons[] = {"none", "not-me", "not-wanted"};
    struct challenge_body body;
    struct challenge_proof proof;
    struct challenge_answer answer;
    uint64_t counter;
    uint8_t digest[CHALLENGE_DIGEST_SIZE];
    char id[BASE64URL_SIZE(CHALLENGE_ID_SIZE)];
    *ret_why = "what was shown is not a challenge, or the answer is not one";
    if (result_failed(challenge_body_decode(approval->body, approval->body_size, &body)) ||
        result_failed(challenge_proof_decode(approval->evidence, approval->evidence_size, &proof)) ||
        result_failed(challenge_statement_read(proof.statement, &answer, &counter)))
        return NULL;
    challenge_digest(approval->body, approval->body_size, digest);
    *ret_why = "the answer is to something else than this challenge";
    if (memcmp(digest, answer.digest, sizeof digest) != 0 || memcmp(body.id, approval->id, sizeof body.id) != 0)
        return NULL;
    base64url_encode(body.id, sizeof body.id, id);
    json_t *json =
        json_pack("{s:s,s:s,s:s,s:o,s:s,s:s,s:I,s:I,s:I}", "format", APPROVAL_FORMAT, "challenge", id, "purpose",
                  purposes[body.purpose], "fields", fields_json(&body), "decision",
                  answer.act == CHALLENGE_APPROVE ? "approved" : "refused", "reason", reasons[answer.reason], "number",
                  (json_int_t)answer.number, "device", (json_int_t)answer.device, "counter", (json_int_t)counter);
    json_object_set_new(json, "expires", json_integer(body.expires_s));
    key_put(json, &proof);
    return json;
}
