#include "challenge/uri.h"

#include <string.h>

#include "base/check.h"
#include "otp/otp.h"

static const char scheme[] = "OTPRING:";
static const char context[] = "otpring challenge"; /* and its zero byte */

enum { SCHEME_SIZE = sizeof scheme - 1, SIGNED_SIZE_MAX = CHALLENGE_BODY_SIZE_MAX + VAULT_SIGNATURE_SIZE };

/* What is signed. */
struct statement {
    uint8_t bytes[sizeof context + CHALLENGE_BODY_SIZE_MAX];
    size_t size;
};

static struct statement statement_of(const uint8_t *body, size_t size)
{
    struct statement statement = {.size = sizeof context + size};
    memcpy(statement.bytes, context, sizeof context);
    memcpy(statement.bytes + sizeof context, body, size);
    return statement;
}

void challenge_key_id(const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], uint8_t ret_key_id[CHALLENGE_KEY_ID_SIZE])
{
    uint8_t hash[32];
    vault_sha256(public_key, VAULT_PUBLIC_KEY_SIZE, hash);
    memcpy(ret_key_id, hash, CHALLENGE_KEY_ID_SIZE);
}

static bool names_key(const struct challenge_body *body, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE])
{
    uint8_t key_id[CHALLENGE_KEY_ID_SIZE];
    challenge_key_id(public_key, key_id);
    return memcmp(body->key_id, key_id, sizeof key_id) == 0;
}

struct result challenge_uri_make(const struct vault *vault, const uint8_t *body, size_t body_size,
                                 char ret_text[CHALLENGE_URI_SIZE_MAX + 1])
{
    struct challenge_body decoded;
    struct challenge_signing signing = {.body = body, .size = body_size};
    uint8_t public_key[VAULT_PUBLIC_KEY_SIZE];
    TRY(challenge_body_decode(body, body_size, &decoded));
    vault_public_key(vault, public_key);
    if (!names_key(&decoded, public_key)) return result_of(CHALLENGE_BAD_BODY);
    TRY(challenge_sign_many(vault, &signing, 1));
    return challenge_uri_write(body, body_size, signing.signature, ret_text);
}

struct result challenge_sign_many(const struct vault *vault, struct challenge_signing *items, size_t count)
{
    struct statement statements[CHALLENGE_SIGN_MAX];
    struct vault_signing signings[CHALLENGE_SIGN_MAX];
    CHECK(count <= CHALLENGE_SIGN_MAX);
    for (size_t i = 0; i < count; i++) {
        statements[i] = statement_of(items[i].body, items[i].size);
        signings[i] = (struct vault_signing){statements[i].bytes, statements[i].size, items[i].signature};
    }
    return vault_sign_many(vault, signings, count);
}

struct result challenge_uri_write(const uint8_t *body, size_t body_size, const uint8_t signature[VAULT_SIGNATURE_SIZE],
                                  char ret_text[CHALLENGE_URI_SIZE_MAX + 1])
{
    uint8_t bytes[SIGNED_SIZE_MAX];
    CHECK(body_size <= CHALLENGE_BODY_SIZE_MAX);
    memcpy(bytes, body, body_size);
    memcpy(bytes + body_size, signature, VAULT_SIGNATURE_SIZE);
    memcpy(ret_text, scheme, SCHEME_SIZE);
    return otp_base32_encode(bytes, body_size + VAULT_SIGNATURE_SIZE, ret_text + SCHEME_SIZE,
                             CHALLENGE_URI_SIZE_MAX + 1 - SCHEME_SIZE);
}

/* Base32 in the one spelling that encoding gives: decoding alone would take small letters, blanks and padding. */
static bool base32_read(const char *text, size_t size, uint8_t ret_bytes[SIGNED_SIZE_MAX], size_t *ret_size)
{
    char again[CHALLENGE_URI_SIZE_MAX + 1];
    if (result_failed(otp_base32_decode(text, size, ret_bytes, SIGNED_SIZE_MAX, ret_size))) return false;
    if (result_failed(otp_base32_encode(ret_bytes, *ret_size, again, sizeof again))) return false;
    return strlen(again) == size && memcmp(again, text, size) == 0;
}

struct result challenge_uri_read(const char *text, size_t size, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                                 uint8_t ret_body[CHALLENGE_BODY_SIZE_MAX], size_t *ret_body_size)
{
    uint8_t bytes[SIGNED_SIZE_MAX];
    size_t bytes_size;
    struct challenge_body decoded;
    if (size <= SCHEME_SIZE || memcmp(text, scheme, SCHEME_SIZE) != 0) return result_of(CHALLENGE_BAD_URI);
    if (!base32_read(text + SCHEME_SIZE, size - SCHEME_SIZE, bytes, &bytes_size)) return result_of(CHALLENGE_BAD_URI);
    if (bytes_size <= VAULT_SIGNATURE_SIZE) return result_of(CHALLENGE_BAD_URI);
    size_t body_size = bytes_size - VAULT_SIGNATURE_SIZE;
    struct statement statement = statement_of(bytes, body_size);
    if (!vault_verify(public_key, statement.bytes, statement.size, bytes + body_size))
        return result_of(CHALLENGE_BAD_SIGNATURE);
    TRY(challenge_body_decode(bytes, body_size, &decoded));
    if (decoded.purpose == CHALLENGE_EXCHANGE || !names_key(&decoded, public_key)) return result_of(CHALLENGE_BAD_BODY);
    memcpy(ret_body, bytes, body_size);
    *ret_body_size = body_size;
    return result_ok();
}

/* The digest, big-endian, divided by ten again and again. */
static void decimal_write(const uint8_t digest[CHALLENGE_DIGEST_SIZE], size_t digits, char *ret_text)
{
    uint8_t number[CHALLENGE_DIGEST_SIZE];
    memcpy(number, digest, sizeof number);
    for (size_t i = digits; i-- > 0;) {
        unsigned rest = 0;
        for (size_t b = 0; b < sizeof number; b++) {
            rest = rest << 8 | number[b];
            number[b] = (uint8_t)(rest / 10);
            rest %= 10;
        }
        ret_text[i] = (char)('0' + rest);
    }
    ret_text[digits] = 0;
}

static void hexadecimal_write(const uint8_t digest[CHALLENGE_DIGEST_SIZE], size_t digits, char *ret_text)
{
    for (size_t i = 0; i < digits; i++)
        ret_text[i] = "0123456789abcdef"[i % 2 ? digest[i / 2] & 15 : digest[i / 2] >> 4];
    ret_text[digits] = 0;
}

static void alphanumeric_write(const uint8_t digest[CHALLENGE_DIGEST_SIZE], size_t size, char *ret_text)
{
    struct result encoded = otp_base32_encode(digest, CHALLENGE_DIGEST_SIZE, ret_text, OCRA_QUESTION_SIZE_MAX + 1);
    CHECK(!result_failed(encoded)); /* 52 characters */
    if (size < strlen(ret_text)) ret_text[size] = 0;
}

struct result challenge_question(const struct ocra_suite *suite, const uint8_t digest[CHALLENGE_DIGEST_SIZE],
                                 char ret_text[OCRA_QUESTION_SIZE_MAX + 1])
{
    size_t least = suite->format == OCRA_NUMERIC ? 20 : suite->format == OCRA_HEXADECIMAL ? 16 : 13;
    if (suite->question_max < least) return result_of(BAD_SUITE);
    if (suite->format == OCRA_NUMERIC)
        decimal_write(digest, suite->question_max, ret_text);
    else if (suite->format == OCRA_HEXADECIMAL)
        hexadecimal_write(digest, suite->question_max, ret_text);
    else
        alphanumeric_write(digest, suite->question_max, ret_text);
    return result_ok();
}
