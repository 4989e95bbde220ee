/* What the threads of the daemon share. */
#ifndef TOOLS_OTPRINGD_THREADS_H
#define TOOLS_OTPRINGD_THREADS_H

#include "otpringd/daemon.h"

/* The thread serves from now on; and, before its os goes, no more: nobody wakes it then. */
void thread_serving(struct daemon_thread *thread, struct os *os, struct server_worker *server);
void thread_leaving(struct daemon_thread *thread);
/* The last thing that a thread does: gives NULL. */
void *thread_ended(struct daemon_thread *thread, struct result result);

/* A part in the engine for a thread that verifies nothing, or now and then a code for itself: then with an inbox. */
struct result plain_worker_create(struct core *core, struct os *os, struct admin_inbox *inbox,
                                  struct core_worker **ret_worker) MUST_USE;

/* ask.sock (asking.c). */
void *asking_main(void *argument);
/* Of admin_options: the daemon is the context. */
void asking_touched(void *context, const uint8_t account[16]);
void asking_tell_status(void *context, struct json_t *answer);

#endif
