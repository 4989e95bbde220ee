/* OCRA, the OATH challenge-response algorithm: suites, the message that is hashed, and responses. Pure functions, no
 * state, any thread. Everything here but a parsed suite may be hostile.
 * Source: RFC 6287 (sections 5.1, 5.2, 6), with verified erratum 3729 (a time step has at least one hour) and, where
 * the text is silent, what its reference code does (appendix A): the hexadecimal digits of a number or a hexadecimal
 * challenge are padded on the right, and session information shorter than its suite says is padded on the left.
 *
 * One way, mutual and signature modes differ in the challenge alone:
 *   one way    questions[0] is the verifier's challenge
 *   mutual     questions[0] is the challenge of the other party, questions[1] that of the party that computes
 *   signature  questions[0] is what is signed */
#ifndef OTPRING_OTP_OCRA_H
#define OTPRING_OTP_OCRA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "kernel/kernel.h"

enum {
    OCRA_SUITE_SIZE_MAX = 47, /* OCRA-1:HOTP-SHA512-10:C-QN08-PSHA512-S064-T59M */
    OCRA_QUESTION_SIZE_MIN = 4,
    OCRA_QUESTION_SIZE_MAX = 64, /* characters of one challenge */
    OCRA_QUESTION_FIELD = 128,   /* bytes in the message */
    OCRA_PIN_HASH_SIZE_MAX = 64,
    OCRA_SESSION_SIZE_MAX = 999,
    OCRA_MESSAGE_SIZE_MAX =
        OCRA_SUITE_SIZE_MAX + 1 + 8 + OCRA_QUESTION_FIELD + OCRA_PIN_HASH_SIZE_MAX + OCRA_SESSION_SIZE_MAX + 8,
    OCRA_RESPONSE_SIZE_MAX = 128, /* characters: an HMAC-SHA512 in hexadecimal, of a suite that does not truncate */
};

/* As section 6.3 spells it. */
enum ocra_format { OCRA_ALPHANUMERIC = 'A', OCRA_NUMERIC = 'N', OCRA_HEXADECIMAL = 'H' };

struct ocra_suite {
    char text[OCRA_SUITE_SIZE_MAX + 1]; /* as it was spelled: it is part of what is hashed */
    uint8_t text_size;
    uint8_t digits;        /* of a response: 4 to 10; 0: no truncation, the whole HMAC in hexadecimal */
    uint8_t question_max;  /* characters of one challenge, 4 to 64 */
    uint8_t pin_hash_size; /* bytes; 0: no PIN */
    uint16_t session_size; /* bytes of session information; 0: none */
    uint32_t step_s;       /* length of a time step in seconds; 0: no time */
    bool counter;
    enum kernel_algorithm algorithm;
    enum kernel_algorithm pin_algorithm; /* of the PIN's hash, where pin_hash_size is not 0 */
    enum ocra_format format;
};

/* "OCRA-1:HOTP-H-t:[C-]QFxx[-PH][-Snnn][-TG]", upper case only, as it is hashed: t is 0 or 4 to 10; F is A, N or H; xx
 * is 04 to 64 (4 to 9 may stand with one digit, as in the RFC's own QH8); nnn is 001 to 999; G is 1 to 59 S or M, or 1
 * to 48 H. Q, P, S and T alone stand for section 6.3's defaults: QN08, PSHA1, S064, T1M. BAD_SUITE. */
struct result ocra_suite_parse(const char *text, size_t size, struct ocra_suite *ret_suite) MUST_USE;
/* What the server's own response is computed under in mutual mode (section 7.2: RS has no PIN, which the server need
 * not know; appendix C.2 leaves it out of the suite too): the same suite without its PIN. */
void ocra_suite_server(const struct ocra_suite *suite, struct ocra_suite *ret_server);

/* A challenge as long as the suite allows, of its characters (letters and digits where it takes any), each as likely as
 * every other, from random bytes. False: too few of them could be used; call again with others. Enough for the longest
 * challenge but for one time in 10^40: OCRA_DRAW_SIZE. */
enum { OCRA_DRAW_SIZE = 256 };
bool ocra_challenge_draw(const struct ocra_suite *suite, const uint8_t *random, size_t random_size,
                         char ret_text[OCRA_QUESTION_SIZE_MAX + 1]);

struct ocra_question {
    const char *text; /* NULL: none */
    size_t size;
};

/* What is said beside the key. What the suite does not name must be left out: 0, NULL, empty. */
struct ocra_input {
    uint64_t counter;
    struct ocra_question questions[2]; /* the first is needed */
    const uint8_t *pin_hash;           /* pin_hash_size bytes as the suite says */
    size_t pin_hash_size;
    const uint8_t *session; /* UTF-8, 1 to session_size bytes */
    size_t session_size;
    uint64_t step; /* ocra_step */
};

/* Section 5.1's DataInput. Its counter and step stand at fixed places, so that a window of them is tried on one message
 * (ocra_message_move). Holds a PIN's hash: wipe it (secret_wipe). */
struct ocra_message {
    uint8_t bytes[OCRA_MESSAGE_SIZE_MAX];
    uint16_t size;
    uint16_t counter_at; /* offset of the counter, 0: none */
    uint16_t step_at;    /* offset of the time step, 0: none */
};

/* BAD_CHALLENGE (missing, longer than the suite says, or with other characters: visible ASCII, digits, hexadecimal
 * digits), BAD_PIN_HASH, BAD_SESSION_INFORMATION; BAD_ARGUMENT for a counter or step that the suite does not have. */
struct result ocra_message_make(const struct ocra_suite *suite, const struct ocra_input *input,
                                struct ocra_message *ret_message) MUST_USE;
/* Another counter or step in the same message; what the message does not have is passed over. */
void ocra_message_move(struct ocra_message *message, uint64_t counter, uint64_t step);

/* Time steps since 1970 (section 5.1, T): unix_s / step_s; 0 for a suite without time and for times before 1970. */
uint64_t ocra_step(const struct ocra_suite *suite, int64_t unix_s);

/* The response as a user types it: `digits` decimal digits, or the whole HMAC in lower case hexadecimal, and a NUL.
 * midstates are the seed's, made by kernel_midstates with the suite's algorithm. */
void ocra_respond(const struct ocra_suite *suite, const void *midstates, const struct ocra_message *message,
                  char ret_text[OCRA_RESPONSE_SIZE_MAX + 1]);
/* The same from the seed, for those who compute one. */
void ocra_respond_with_seed(const struct ocra_suite *suite, const uint8_t *seed, size_t seed_size,
                            const struct ocra_message *message, char ret_text[OCRA_RESPONSE_SIZE_MAX + 1]);

/* Characters of a response under this suite: digits, or two for each byte of the HMAC. */
size_t ocra_response_size(const struct ocra_suite *suite);
/* Whether these bytes could be a response at all: the right number of digits, or of hexadecimal digits of either case.
 * BAD_RESPONSE. */
struct result ocra_response_check(const struct ocra_suite *suite, const char *text, size_t size) MUST_USE;
/* Whether what was typed (and passed ocra_response_check) is the response. The time depends on the suite and the
 * message's size alone. */
bool ocra_fits(const struct ocra_suite *suite, const void *midstates, const struct ocra_message *message,
               const char *typed, size_t typed_size);

#endif
