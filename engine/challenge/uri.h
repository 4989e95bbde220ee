/* A challenge in a QR code: a signed URI that says on its own what is asked and who asks. The page for devices is
 * include/otpring/QR.md. Pure functions, any thread; reading takes hostile input.
 *
 *   OTPRING:BASE32     base32 (RFC 4648 section 6, capitals, unpadded) over body and signature
 *
 * The body is body.h's; the signature is Ed25519 (RFC 8032), 64 bytes, over "otpring challenge", a zero byte, and the
 * body. Every character is of QR's alphanumeric mode, where it takes 5.5 bits: a login takes about 240 characters. */
#ifndef OTPRING_CHALLENGE_URI_H
#define OTPRING_CHALLENGE_URI_H

#include "challenge/body.h"
#include "otp/ocra.h"
#include "vault/vault.h"

enum {
    CHALLENGE_URI_SIZE_MAX = 8 + ((CHALLENGE_BODY_SIZE_MAX + VAULT_SIGNATURE_SIZE) * 8 + 4) / 5,
};

/* Key id of a public key, as it stands in a body. */
void challenge_key_id(const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], uint8_t ret_key_id[CHALLENGE_KEY_ID_SIZE]);

/* Signs an encoded body with the store's key and writes the URI and a NUL. VAULT_FAILED; CHALLENGE_BAD_BODY when the
 * bytes are no body or name another key. */
struct result challenge_uri_make(const struct vault *vault, const uint8_t *body, size_t body_size,
                                 char ret_text[CHALLENGE_URI_SIZE_MAX + 1]) MUST_USE;

/* The same in two steps, for many: their signatures in one call, and the text of a body and its signature (an encoded
 * body; who calls knows that it names the store's key). VAULT_FAILED. At most CHALLENGE_SIGN_MAX. */
enum { CHALLENGE_SIGN_MAX = 64 };
struct challenge_signing {
    const uint8_t *body;
    size_t size;
    uint8_t signature[VAULT_SIGNATURE_SIZE]; /* out */
};
struct result challenge_sign_many(const struct vault *vault, struct challenge_signing *items, size_t count) MUST_USE;
struct result challenge_uri_write(const uint8_t *body, size_t body_size, const uint8_t signature[VAULT_SIGNATURE_SIZE],
                                  char ret_text[CHALLENGE_URI_SIZE_MAX + 1]) MUST_USE;

/* The body of a URI whose signature holds under this key. CHALLENGE_BAD_URI: not such a URI, in the one spelling that
 * it has; CHALLENGE_BAD_SIGNATURE: another key's, or changed; and the errors of challenge_body_decode. Whether it has
 * expired is for the caller to see. */
struct result challenge_uri_read(const char *text, size_t size, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                                 uint8_t ret_body[CHALLENGE_BODY_SIZE_MAX], size_t *ret_body_size) MUST_USE;

/* The OCRA question that stands for a body where the device is offline, of as many characters as the suite has, made of
 * the digest (SHA-256 of the body): hexadecimal: its first digits, small letters; numeric: the digest as a big-endian
 * number, modulo 10^digits, with leading zeros; alphanumeric: its base32, at most 52 characters. BAD_SUITE where that
 * says less than 64 bits (fewer than 16, 20, 13 characters): another body with the same question could be found. */
struct result challenge_question(const struct ocra_suite *suite, const uint8_t digest[CHALLENGE_DIGEST_SIZE],
                                 char ret_text[OCRA_QUESTION_SIZE_MAX + 1]) MUST_USE;

#endif
