/* The documents of include/otpring/DEVICE.md, from the device's side. */
#include <string.h>

#include "base/base64url.h"
#include "os/arena.h"
#include "token.h"

enum { SEALED_MAX = 2048 };

static void bytes_put(json_t *object, const char *key, const void *bytes, size_t size)
{
    char text[BASE64URL_SIZE(DEVICE_PUBLIC_MAX)];
    base64url_encode(bytes, size, text);
    json_object_set_new(object, key, json_string(text));
}

/* Signs, puts the signature in, and hands the document on; NULL where that fails. */
static json_t *signed_document(const struct account *account, json_t *document,
                               const struct device_statement *statement)
{
    uint8_t signature[DEVICE_SIGNATURE_SIZE];
    if (result_failed(device_sign(account->algorithm, account->sign_private, statement, signature))) {
        json_decref(document);
        return NULL;
    }
    bytes_put(document, "signature", signature, sizeof(signature));
    return document;
}

/* A document of a step after the first, and the statement that it begins. */
static json_t *step_begin(const struct account *account, const char *step, const char *domain,
                          struct device_statement *ret_statement)
{
    json_t *document = json_pack("{s:i,s:s}", "v", 1, "step", step);
    bytes_put(document, "enrolment", account->handle, sizeof(account->handle));
    device_statement_begin(ret_statement, domain);
    device_statement_add(ret_statement, account->handle, sizeof(account->handle));
    return document;
}

json_t *document_present(const struct account *account)
{
    struct device_statement statement;
    struct device_key sign_key;
    uint8_t seal_key[HPKE_PUBLIC_MAX];
    enum hpke_kem kem = device_kem(account->algorithm);
    const char *algorithm = device_algorithm_name(account->algorithm);
    if (result_failed(device_public_of(account->algorithm, account->sign_private, &sign_key)) ||
        result_failed(hpke_public_of(kem, account->seal_private, seal_key))) {
        return NULL;
    }
    json_t *document =
        json_pack("{s:i,s:s,s:s,s:s,s:s,s:s}", "v", 1, "step", "present", "activation", account->activation,
                  "algorithm", algorithm, "name", account->name, "platform", account->platform);
    if (account->push[0]) json_object_set_new(document, "push", json_string(account->push));
    bytes_put(document, "sign_key", sign_key.bytes, sign_key.size);
    bytes_put(document, "seal_key", seal_key, hpke_public_size(kem));
    device_statement_begin(&statement, "otpring device present 1");
    device_statement_add(&statement, account->activation, ACTIVATION_SIZE);
    device_statement_add(&statement, algorithm, strlen(algorithm));
    device_statement_add(&statement, sign_key.bytes, sign_key.size);
    device_statement_add(&statement, seal_key, hpke_public_size(kem));
    device_statement_add(&statement, account->name, strlen(account->name));
    device_statement_add(&statement, account->platform, strlen(account->platform));
    device_statement_add(&statement, account->push, strlen(account->push));
    return signed_document(account, document, &statement);
}

json_t *document_prove(const struct account *account, const char *statement_text, const char *code)
{
    struct device_statement statement;
    uint8_t bytes[64];
    size_t size;
    if (!base64url_decode(statement_text, bytes, sizeof(bytes), &size)) size = 0;
    json_t *document = step_begin(account, "prove", "otpring device prove 1", &statement);
    json_object_set_new(document, "statement", json_string(statement_text));
    if (*code) json_object_set_new(document, "code", json_string(code));
    device_statement_add(&statement, bytes, size);
    device_statement_add(&statement, code, strlen(code));
    return signed_document(account, document, &statement);
}

json_t *document_bind(const struct account *account)
{
    struct device_statement statement;
    json_t *document = step_begin(account, "bind", "otpring device bind 1", &statement);
    return signed_document(account, document, &statement);
}

json_t *document_stored(const struct account *account)
{
    struct device_statement statement, held;
    uint8_t proof[DEVICE_PROOF_SIZE];
    json_t *document = step_begin(account, "stored", "otpring device stored 1", &statement);
    device_statement_begin(&held, "otpring device seed held 1");
    device_statement_add(&held, account->handle, sizeof(account->handle));
    device_seed_proof(account->seed, account->seed_size, &held, proof);
    bytes_put(document, "proof", proof, sizeof(proof));
    device_statement_add(&statement, proof, sizeof(proof));
    return signed_document(account, document, &statement);
}

json_t *document_status(const struct account *account)
{
    struct device_statement statement;
    return step_begin(account, "status", "", &statement);
}

json_t *document_confirm(const struct account *account)
{
    struct device_statement statement;
    json_t *document = step_begin(account, "confirm", "otpring device confirm 1", &statement);
    device_statement_add(&statement, account->nonce, sizeof(account->nonce));
    return signed_document(account, document, &statement);
}

/* ---- the seed ---- */

static bool text_take(const json_t *object, const char *key, char *ret_text, size_t size_max)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text || strlen(text) > size_max) return false;
    strcpy(ret_text, text);
    return true;
}

static bool number_take(const json_t *object, const char *key, int64_t least, int64_t most, int64_t *ret_number)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most) return false;
    *ret_number = json_integer_value(value);
    return true;
}

static bool hash_take(const json_t *object, enum kernel_algorithm *ret_algorithm)
{
    static const char *const names[] = {"sha1", "sha256", "sha512"};
    const char *text = json_string_value(json_object_get(object, "algorithm"));
    for (int i = 0; text && i < 3; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *ret_algorithm = (enum kernel_algorithm)i;
        return true;
    }
    return false;
}

static bool seed_take(struct account *account, const json_t *json)
{
    int64_t digits, period, t0;
    enum kernel_algorithm algorithm;
    const char *type = json_string_value(json_object_get(json, "type"));
    const char *seed = json_string_value(json_object_get(json, "seed"));
    if (!type || strcmp(type, "totp") != 0 || !seed || !hash_take(json, &algorithm) ||
        !number_take(json, "digits", 6, 8, &digits) || !number_take(json, "period", 1, OTP_PERIOD_S_MAX, &period) ||
        !number_take(json, "t0", 0, INT64_MAX / 2, &t0) ||
        !text_take(json, "company", account->company, OTP_NAME_SIZE_MAX) ||
        !text_take(json, "user", account->user, OTP_NAME_SIZE_MAX) ||
        !document_bytes(json, "bank_key", account->bank_key, sizeof(account->bank_key)) ||
        !base64url_decode(seed, account->seed, sizeof(account->seed), &account->seed_size) ||
        account->seed_size < OTP_SEED_SIZE_MIN) {
        account->seed_size = 0;
        return false;
    }
    account->parameters = (struct otp_parameters){
        .type = OTP_TOTP, .algorithm = algorithm, .digits = (uint8_t)digits, .period_s = (uint32_t)period, .t0_s = t0};
    return true;
}

bool document_open(struct account *account, const json_t *answer)
{
    struct hpke_suite suite = {.kem = (uint16_t)device_kem(account->algorithm), .aead = HPKE_AES_256_GCM};
    struct device_statement associated;
    struct device_key sign_key;
    uint8_t encapsulated[HPKE_PUBLIC_MAX], sealed[SEALED_MAX], text[SEALED_MAX];
    size_t size;
    const char *sealed_text = json_string_value(json_object_get(answer, "sealed"));
    if (!sealed_text || !base64url_decode(sealed_text, sealed, sizeof(sealed), &size) ||
        !document_bytes(answer, "encapsulated", encapsulated, hpke_public_size((enum hpke_kem)suite.kem)) ||
        result_failed(device_public_of(account->algorithm, account->sign_private, &sign_key))) {
        return false;
    }
    device_statement_begin(&associated, "otpring device seed 1");
    device_statement_add(&associated, account->handle, sizeof(account->handle));
    device_statement_add(&associated, sign_key.bytes, sign_key.size);
    struct hpke_message message = {.info = "otpring device seed 1",
                                   .info_size = 21,
                                   .associated = associated.bytes,
                                   .associated_size = associated.size};
    if (result_failed(hpke_open(suite, account->seal_private, encapsulated, &message, sealed, size, text)))
        return false;
    json_t *json = json_loadb((const char *)text, size - HPKE_TAG_SIZE, JSON_REJECT_DUPLICATES, NULL);
    bool taken = json && seed_take(account, json);
    json_decref(json);
    secret_wipe(text, sizeof(text));
    return taken;
}
