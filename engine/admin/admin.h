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

struct admin_options {
    struct engine *engine;
    uint32_t outbox_max; /* messages that are neither delivered nor settled by hand; 0: OUTBOX_OPEN_MAX (outbox.h) */
    struct core_worker *worker; /* the calling thread's */
    struct os *os;              /* the same */
    bool alone;                 /* no housekeeper thread: this one keeps the journal between acts */
    uint32_t owner_uid;         /* served without an operator's name while the store has none, as root is */
};

struct result admin_create(const struct admin_options *options, struct admin **ret_admin) MUST_USE;
void admin_destroy(struct admin *admin);

/* Always gives an answer (free it with admin_text_free) but for NO_MEMORY; the result is the one in the answer. */
struct result admin_request(struct admin *admin, uint32_t uid, const char *json, size_t size, char **ret_json) MUST_USE;
/* Wipes, then frees. */
void admin_text_free(char *text);

#endif
