/* What a challenge asks, as exact bytes: the bank signs them, the device shows what they say, the device's answer
 * covers them, and evidence repeats them. One content has one encoding; anything else is refused. Pure functions, any
 * thread; decoding takes hostile input.
 *
 * Version 1, little-endian:
 *
 *   offset size
 *        0    1  version, 1
 *        1    1  purpose: 1 login, 2 query, 3 authorisation, 4 transaction, 5 exchange: no question to a device, so it
 *                is never signed; site is then the challenge of the token, and text that of the engine (RFC 6287, 7.2)
 *        2    1  flags: 1 the user must enter the number that the screen shows; 2 a response may be typed (offline);
 *                4 bound to no account yet; other bits zero
 *        3    1  count of fields
 *        4    4  key id: the first bytes of SHA-256 over the public key that signs
 *        8    4  expires, seconds since 1970
 *       12   16  challenge id, random
 *       28   16  binding: challenge_binding
 *       44       fields in order of tag, each at most once: tag 1, size 1, bytes
 *
 *   tag  what       bytes    which
 *     1  site       1..64    whom the user deals with; always there
 *     2  text       1..200   the question; always there
 *     3  amount     1..20    digits without leading zeros, perhaps a point and 1 to 4 digits; transactions, needed
 *     4  currency   3        capital letters (ISO 4217); transactions, needed
 *     5  payee      1..70    transactions, needed
 *     6  reference  1..140   transactions
 *
 * Texts are UTF-8 as given, byte by byte: no normalisation, so that what was shown can be proven. What could show as
 * something else is refused: control characters, line ends, characters without width, and those that turn the direction
 * of writing; and blanks at either end. */
#ifndef OTPRING_CHALLENGE_BODY_H
#define OTPRING_CHALLENGE_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

enum challenge_purpose {
    CHALLENGE_LOGIN = 1,
    CHALLENGE_QUERY = 2,
    CHALLENGE_AUTHORISATION = 3,
    CHALLENGE_TRANSACTION = 4,
    CHALLENGE_EXCHANGE = 5,
};

enum challenge_flag {
    CHALLENGE_MATCH_NUMBER = 1,
    CHALLENGE_MAY_BE_TYPED = 2,
    CHALLENGE_NO_ACCOUNT = 4,
};

enum challenge_channel { CHALLENGE_BY_PUSH = 1, CHALLENGE_BY_QR = 2, CHALLENGE_BY_EXCHANGE = 3 };

/* By tag, less one. */
enum challenge_field {
    CHALLENGE_SITE,
    CHALLENGE_TEXT,
    CHALLENGE_AMOUNT,
    CHALLENGE_CURRENCY,
    CHALLENGE_PAYEE,
    CHALLENGE_REFERENCE,
    CHALLENGE_FIELD_COUNT,
};

enum {
    CHALLENGE_BODY_VERSION = 1,
    CHALLENGE_ID_SIZE = 16,
    CHALLENGE_BINDING_SIZE = 16,
    CHALLENGE_KEY_ID_SIZE = 4,
    CHALLENGE_SESSION_SIZE_MAX = 255,
    CHALLENGE_BODY_HEAD_SIZE = 44,
    CHALLENGE_BODY_SIZE_MAX = CHALLENGE_BODY_HEAD_SIZE + 2 * CHALLENGE_FIELD_COUNT + 64 + 200 + 20 + 3 + 70 + 140,
    CHALLENGE_DIGEST_SIZE = 32,
};

/* Bytes of others: without a zero at the end. bytes NULL and size 0: not there. */
struct challenge_text {
    const char *bytes;
    size_t size;
};

struct challenge_body {
    enum challenge_purpose purpose;
    uint8_t flags;
    uint8_t key_id[CHALLENGE_KEY_ID_SIZE];
    uint32_t expires_s;
    uint8_t id[CHALLENGE_ID_SIZE];
    uint8_t binding[CHALLENGE_BINDING_SIZE];
    struct challenge_text fields[CHALLENGE_FIELD_COUNT];
};

/* CHALLENGE_BAD_BODY (purpose, flags), CHALLENGE_BAD_TEXT, CHALLENGE_BAD_AMOUNT, CHALLENGE_FIELDS (one is missing, or
 * stands where its purpose has none). */
struct result challenge_body_encode(const struct challenge_body *body, uint8_t ret_bytes[CHALLENGE_BODY_SIZE_MAX],
                                    size_t *ret_size) MUST_USE;
/* The same errors; fields point into `bytes`. What it takes, encode gives back byte by byte. */
struct result challenge_body_decode(const uint8_t *bytes, size_t size, struct challenge_body *ret_body) MUST_USE;

/* SHA-256 of the body's bytes: what stands for them in an answer and in memory. */
void challenge_digest(const uint8_t *bytes, size_t size, uint8_t ret_digest[CHALLENGE_DIGEST_SIZE]);

/* To whom, where and how a challenge was put, without saying it: the first 16 bytes of SHA-256 over the account's name
 * (16, zeros: none yet), the channel (1), the configured client that asked (2, little-endian) and its own session
 * (session_size bytes, at most CHALLENGE_SESSION_SIZE_MAX). */
void challenge_binding(const uint8_t account[16], enum challenge_channel channel, uint16_t client, const void *session,
                       size_t session_size, uint8_t ret_binding[CHALLENGE_BINDING_SIZE]);

#endif
