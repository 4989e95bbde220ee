/* libotpring: the client of verify.sock.
 *
 * One struct otpring_client is used by one thread at a time; any number of them may exist. It connects on the first
 * use, reconnects by itself, and after a lost connection sends what is unanswered again under the same session, slot
 * and sequence, so that no code is judged twice. Codes are wiped from its buffers after the answer. No function aborts
 * or prints. */
#ifndef OTPRING_CLIENT_H
#define OTPRING_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "otpring/verdict.h"

#ifdef __cplusplus
extern "C" {
#endif

struct otpring_client;

struct otpring_options {
    const char *socket_path; /* DIR/verify.sock */
    uint32_t slots;          /* frames in flight at most, 1 to 1024; 0: 16 */
    uint32_t items_max;      /* queries a frame at most, 1 to 4096; 0: 1024 */
    uint32_t timeout_ms;     /* of a blocking call, reconnecting included; 0: 5000 */
};

/* All calls: 0 or a positive result, or a negative enum otpring_error. */
enum otpring_error {
    OTPRING_E_ARGUMENT = -1,
    OTPRING_E_MEMORY = -2,
    OTPRING_E_CONNECT = -3,  /* nobody listens, or not permitted; errno says */
    OTPRING_E_TIMEOUT = -4,  /* no answer in time; the frame stays in flight, poll again or destroy */
    OTPRING_E_PROTOCOL = -5, /* the daemon closed the connection with an error frame: see otpring_last_error */
    OTPRING_E_SESSION = -6,  /* the session expired while frames were unanswered: they are undecided */
    OTPRING_E_FULL = -7,     /* all slots are in flight: poll first */
};

struct otpring_query {
    const char *company; /* NUL-terminated UTF-8 */
    const char *user;
    const char *code;      /* exactly 6 to 8 ASCII digits, else the answer is MALFORMED without being sent */
    const char *code_next; /* resynchronisation: the code after; else NULL */
    uint64_t source;       /* see otpring_source */
    int source_known;      /* 1: this account succeeded from this source before */
    int required;          /* 1: no code (code is NULL): may this user pass without one? REQUIRED, NOT_REQUIRED or
                              UNAVAILABLE, which is to be taken for REQUIRED; goes with other queries in one call */
};

/* A response to a challenge (OCRA, RFC 6287). The challenges are the auth server's to make, at random and once each:
 *   one way    `challenge` is what the user's token was asked
 *   mutual     `challenge` is the server's (QS), `challenge_second` the token's own (QC); the server's response is
 *              computed elsewhere, or the token is one of otpring_exchange (ask.h), which has no response here
 *   signature  `challenge` is what was signed
 * What the token's suite has no use for is passed over, so that one call serves tokens of several suites. */
struct otpring_ocra_query {
    const char *company; /* NUL-terminated UTF-8 */
    const char *user;
    const char *response;         /* as it was typed: digits, or the hexadecimal digits of a suite that ends in -0 */
    const char *challenge;        /* at most 64 characters */
    const char *challenge_second; /* NULL: none */
    const uint8_t *pin_hash;      /* NULL: none; of the PIN, by the suite's PSHA1, PSHA256 or PSHA512 */
    size_t pin_hash_size;         /* 20, 32, 64 */
    const char *session;          /* session information in UTF-8, at most 999 bytes; NULL: none */
    uint64_t source;              /* as above */
    int source_known;
};

struct otpring_answer {
    enum otpring_verdict verdict;
    enum otpring_reason reason;
    uint32_t retry_after_s;
    uint64_t record; /* block position << 14 | slot index in the replay log */
};

int otpring_open(const struct otpring_options *options, struct otpring_client **ret_client);
void otpring_close(struct otpring_client *client);

/* Blocking: count queries (at most items_max) in one frame. Answers in the same order. What was not answered in time is
 * UNAVAILABLE. Queries with code_next and ones without must not be mixed in one call. After OTPRING_E_TIMEOUT, call
 * again with the same queries: it waits for the frame already sent (whose late answer is kept for a minute), while
 * other queries go their own way. */
int otpring_verify(struct otpring_client *client, const struct otpring_query *queries, size_t count,
                   struct otpring_answer *ret_answers);

/* The same for responses to challenges: as many as fit a frame (about 64 bytes each; it has 40 bytes for each of
 * items_max, and 1360), else OTPRING_E_ARGUMENT. */
int otpring_verify_ocra(struct otpring_client *client, const struct otpring_ocra_query *queries, size_t count,
                        struct otpring_answer *ret_answers);

/* For event loops: submit only queues (without a session it first connects, waiting at most timeout_ms); otpring_poll
 * connects, sends and receives, so call it after submitting too, and now and then while otpring_fd is -1. E_PROTOCOL
 * and E_SESSION are told once, by the next call: every ticket submitted before and not handed over after the finished
 * ones is void. Submit gives a ticket (> 0); when otpring_fd is readable (or writable, if otpring_wants_write), call
 * otpring_poll, which gives one finished ticket a call and copies its answers (at most count). 0: none finished.
 * timeout_ms 0: never waits. */
int64_t otpring_submit(struct otpring_client *client, const struct otpring_query *queries, size_t count);
int64_t otpring_submit_ocra(struct otpring_client *client, const struct otpring_ocra_query *queries, size_t count);
int64_t otpring_poll(struct otpring_client *client, int timeout_ms, struct otpring_answer *ret_answers, size_t count,
                     size_t *ret_count);
int otpring_fd(const struct otpring_client *client);
int otpring_wants_write(const struct otpring_client *client);

/* The same with names and codes prepared beforehand, for loads: `wire_queries` are count x struct otpring_wire_query.
 */
int64_t otpring_submit_wire(struct otpring_client *client, const void *wire_queries, size_t count);
/* Like otpring_poll; the answers stay in the client's buffer until the next call: count x struct otpring_wire_answer.
 */
int64_t otpring_poll_wire(struct otpring_client *client, int timeout_ms, const void **ret_answers, size_t *ret_count);

/* One item of an OCRA frame: its bytes into ret_item (1360 at most), and how many; 0: such a query is MALFORMED. */
size_t otpring_ocra_item(const struct otpring_ocra_query *query, uint8_t ret_item[1360]);

/* One name's 16 bytes: 8 of SHA-256(company), 8 of SHA-256(company, 0x00, user). */
void otpring_name(const char *company, const char *user, uint8_t ret_name[16]);
/* A source hash from any text (address, device id). */
uint64_t otpring_source(const char *text);

const char *otpring_error_text(int error);
/* The last error in words, with errno or the daemon's error code; lives until the next call. */
const char *otpring_last_error(const struct otpring_client *client);

#ifdef __cplusplus
}
#endif

#endif
