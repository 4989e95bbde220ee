/* What core calls back with (the context is the server worker), and what the tables of kinds share. For the files of
 * this room. */
#ifndef OTPRING_SERVER_KINDS_H
#define OTPRING_SERVER_KINDS_H

#include "core/core.h"
#include "server/worker.h"

void server_answered(void *context, const struct core_answer *answer);
void server_hello_answered(void *context, const struct core_hello_answer *answer);

/* Handlers that more than one socket has. */
enum server_taken server_take_ping(struct server_worker *worker, struct connection *connection,
                                   const struct wire_frame *frame, struct wire_fault *ret_fault);
enum server_taken server_take_ask_hello(struct server_worker *worker, struct connection *connection,
                                        const struct wire_frame *frame, struct wire_fault *ret_fault);

#endif
