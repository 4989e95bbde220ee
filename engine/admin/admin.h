/* Administration: requests in JSON in, answers in JSON out. ACTS.md is the page to read; admin.sock and the command
 * line both end here.
 *
 * A struct admin belongs to one thread, as the worker it is given. Requests are hostile as far as their text goes; who
 * may ask at all is decided before (peer credentials). Secrets in a request are wiped from every copy made here; the
 * caller wipes its own. */
#ifndef OTPRING_ADMIN_ADMIN_H
#define OTPRING_ADMIN_ADMIN_H

#include "admin/engine.h"

struct admin;
struct json_t;

/* Who asks: an administrator, by the socket's peer; or, where `client` is not NULL, an auth server, which is served the
 * acts of enrolment alone, and needs CORE_RIGHT_ENROL. */
struct admin_peer {
    uint32_t uid;
    const struct core_client *client;
};

/* What core answers to the administration's own worker: callbacks of core_worker_options, with this as context. The
 * caller's, and outlives the worker. */
struct admin_inbox {
    uint64_t wanted; /* owner of the frame or hello that is waited for: one given up for lost may still be answered */
    bool greeted;
    bool answered;
    struct core_hello_answer hello;
    struct otpring_wire_answer answer;
};
void admin_hello_answered(void *context, const struct core_hello_answer *answer);
void admin_answered(void *context, const struct core_answer *answer);

struct admin_options {
    struct engine *engine;
    uint32_t outbox_max; /* messages that are neither delivered nor settled by hand; 0: OUTBOX_OPEN_MAX (outbox.h) */
    struct core_worker *worker; /* the calling thread's */
    struct os *os;              /* the same */
    struct admin_inbox *inbox;  /* NULL: this administration verifies no codes */
    bool alone;                 /* no housekeeper thread: this one keeps the journal between acts */
    /* Told after each act, of each account that it was about (second half zero: a company; all zero: of any number of
     * them); and asked for more to say in `status`. May be NULL. */
    void (*touched)(void *context, const uint8_t account[16]);
    void (*tell_status)(void *context, struct json_t *answer);
    void *context;
    uint32_t owner_uid; /* served without an operator's name while the store has none, as root is */
};

struct result admin_create(const struct admin_options *options, struct admin **ret_admin) MUST_USE;
void admin_destroy(struct admin *admin);

/* Always gives an answer (free it with admin_text_free) but for NO_MEMORY; the result is the one in the answer. */
struct result admin_request(struct admin *admin, uint32_t uid, const char *json, size_t size, char **ret_json) MUST_USE;
/* The same for whoever it is; admin_request is this for an administrator. */
struct result admin_request_by(struct admin *admin, const struct admin_peer *peer, const char *json, size_t size,
                               char **ret_json) MUST_USE;
/* What is due by itself (enrolments that expire, old tokens that go), at most once a second: call it at least so often.
 */
void admin_tend(struct admin *admin);
/* Wipes, then frees. */
void admin_text_free(char *text);

#endif
