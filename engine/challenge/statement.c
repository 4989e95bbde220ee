#include "challenge/statement.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "vault/device_key.h"

static const char context[] = "otpring answer"; /* and its zero byte */

enum { APPROVED = 1, REFUSED = 2, PROOF_HEAD_SIZE = CHALLENGE_STATEMENT_SIZE + 3 };

/* Where each field's bytes stand, behind the domain and the sizes before it. */
enum {
    DIGEST_AT = sizeof context + 4,
    DECISION_AT = DIGEST_AT + CHALLENGE_DIGEST_SIZE + 4,
    REASON_AT = DECISION_AT + 1 + 4,
    NUMBER_AT = REASON_AT + 1 + 4,
    DEVICE_AT = NUMBER_AT + 1 + 4,
    COUNTER_AT = DEVICE_AT + 8 + 4,
};
static_assert(COUNTER_AT + 8 == CHALLENGE_STATEMENT_SIZE, "as the header says");

static void field_put(uint8_t *bytes, size_t at, const void *field, uint32_t size)
{
    store_be32(bytes + at - 4, size);
    memcpy(bytes + at, field, size);
}

static void number_put(uint8_t *bytes, size_t at, uint64_t value)
{
    uint8_t field[8];
    store_be64(field, value);
    field_put(bytes, at, field, sizeof field);
}

void challenge_statement_write(const struct challenge_answer *answer, uint64_t counter,
                               uint8_t ret_bytes[CHALLENGE_STATEMENT_SIZE])
{
    CHECK(answer->act == CHALLENGE_APPROVE || answer->act == CHALLENGE_REFUSE);
    uint8_t decision = answer->act == CHALLENGE_APPROVE ? APPROVED : REFUSED;
    memcpy(ret_bytes, context, sizeof context);
    field_put(ret_bytes, DIGEST_AT, answer->digest, CHALLENGE_DIGEST_SIZE);
    field_put(ret_bytes, DECISION_AT, &decision, 1);
    field_put(ret_bytes, REASON_AT, &answer->reason, 1);
    field_put(ret_bytes, NUMBER_AT, &answer->number, 1);
    number_put(ret_bytes, DEVICE_AT, answer->device);
    number_put(ret_bytes, COUNTER_AT, counter);
}

/* One answer has one statement: what is read is written again and must be the same. */
struct result challenge_statement_read(const uint8_t bytes[CHALLENGE_STATEMENT_SIZE],
                                       struct challenge_answer *ret_answer, uint64_t *ret_counter)
{
    uint8_t again[CHALLENGE_STATEMENT_SIZE], decision = bytes[DECISION_AT];
    struct challenge_answer answer = {.act = decision == APPROVED ? CHALLENGE_APPROVE : CHALLENGE_REFUSE,
                                      .reason = bytes[REASON_AT],
                                      .number = bytes[NUMBER_AT],
                                      .device = load_be64(bytes + DEVICE_AT)};
    bool reason_fits = answer.reason == CHALLENGE_NO_REASON ||
                       (answer.act == CHALLENGE_REFUSE &&
                        (answer.reason == CHALLENGE_NOT_ME || answer.reason == CHALLENGE_NOT_WANTED));
    bool number_fits = answer.number == 0 || (answer.number >= 10 && answer.number <= 99);
    memcpy(answer.digest, bytes + DIGEST_AT, CHALLENGE_DIGEST_SIZE);
    challenge_statement_write(&answer, load_be64(bytes + COUNTER_AT), again);
    if (!reason_fits || !number_fits || answer.device == 0 || memcmp(again, bytes, sizeof again) != 0)
        return result_of(CHALLENGE_BAD_STATEMENT);
    *ret_answer = answer;
    *ret_counter = load_be64(bytes + COUNTER_AT);
    return result_ok();
}

static bool sizes_fit(const struct challenge_proof *proof)
{
    return proof->key_kind != 0 && proof->key_size >= 1 && proof->key_size <= CHALLENGE_DEVICE_KEY_SIZE_MAX &&
           proof->signature_size >= 1 && proof->signature_size <= CHALLENGE_DEVICE_SIGNATURE_SIZE_MAX;
}

struct result challenge_proof_encode(const struct challenge_proof *proof, uint8_t ret_bytes[CHALLENGE_PROOF_SIZE_MAX],
                                     size_t *ret_size)
{
    if (!sizes_fit(proof)) return result_of(CHALLENGE_BAD_STATEMENT);
    memcpy(ret_bytes, proof->statement, CHALLENGE_STATEMENT_SIZE);
    ret_bytes[CHALLENGE_STATEMENT_SIZE] = proof->key_kind;
    ret_bytes[CHALLENGE_STATEMENT_SIZE + 1] = (uint8_t)proof->key_size;
    ret_bytes[CHALLENGE_STATEMENT_SIZE + 2] = (uint8_t)proof->signature_size;
    memcpy(ret_bytes + PROOF_HEAD_SIZE, proof->key, proof->key_size);
    memcpy(ret_bytes + PROOF_HEAD_SIZE + proof->key_size, proof->signature, proof->signature_size);
    *ret_size = PROOF_HEAD_SIZE + proof->key_size + proof->signature_size;
    return result_ok();
}

struct result challenge_proof_decode(const uint8_t *bytes, size_t size, struct challenge_proof *ret_proof)
{
    struct challenge_proof proof;
    struct challenge_answer answer;
    uint64_t counter;
    struct cursor cursor = cursor_over(bytes, size);
    const uint8_t *statement = cursor_take(&cursor, CHALLENGE_STATEMENT_SIZE);
    if (!statement) return result_of(CHALLENGE_BAD_STATEMENT);
    TRY(challenge_statement_read(statement, &answer, &counter));
    memcpy(proof.statement, statement, CHALLENGE_STATEMENT_SIZE);
    proof.key_kind = cursor_u8(&cursor);
    proof.key_size = cursor_u8(&cursor);
    proof.signature_size = cursor_u8(&cursor);
    proof.key = cursor_take(&cursor, proof.key_size);
    proof.signature = cursor_take(&cursor, proof.signature_size);
    if (cursor.failed || cursor.left > 0 || !sizes_fit(&proof)) return result_of(CHALLENGE_BAD_STATEMENT);
    *ret_proof = proof;
    return result_ok();
}

/* A proof that could be checked at all. */
static bool key_read(const struct challenge_proof *proof, struct device_key *ret_key)
{
    if (proof->key_kind != DEVICE_ES256 && proof->key_kind != DEVICE_ED25519) return false;
    if (proof->signature_size != DEVICE_SIGNATURE_SIZE) return false;
    return !result_failed(
        device_key_parse((enum device_algorithm)proof->key_kind, proof->key, proof->key_size, ret_key));
}

void challenge_proofs_check(const struct challenge_proof *proofs, size_t count, bool *ret_good)
{
    struct device_key keys[CHALLENGE_PROOFS_MAX];
    struct device_signed items[CHALLENGE_PROOFS_MAX];
    size_t of[CHALLENGE_PROOFS_MAX], item_count = 0;
    CHECK(count <= CHALLENGE_PROOFS_MAX);
    for (size_t i = 0; i < count; i++) {
        ret_good[i] = false;
        if (!key_read(&proofs[i], &keys[item_count])) continue;
        items[item_count] = (struct device_signed){.key = &keys[item_count],
                                                   .bytes = proofs[i].statement,
                                                   .size = CHALLENGE_STATEMENT_SIZE,
                                                   .signature = proofs[i].signature};
        of[item_count++] = i;
    }
    device_verify_many(items, item_count);
    for (size_t i = 0; i < item_count; i++) ret_good[of[i]] = items[i].good;
}
