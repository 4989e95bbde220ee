/* The engine without a daemon: the same core under the store's lock. */
#ifndef TOOLS_OTPRING_LOCAL_H
#define TOOLS_OTPRING_LOCAL_H

#include "command.h"
#include "otpring/client.h"

struct local;

/* True when somebody listens on DIR/admin.sock. */
bool local_daemon_runs(const char *store);

/* EXIT_DONE, or an exit code after complaining. */
int local_open(const struct invocation *invocation, struct local **ret_local);
/* Checkpoints and closes. */
void local_close(struct local *local);

/* The answer to an admin request as parsed JSON; NULL: complained. */
json_t *local_ask(struct local *local, const char *text, size_t size);
int local_verify(struct local *local, const struct otpring_query *queries, size_t count,
                 struct otpring_answer *ret_answers);
/* Responses to challenges, at most LOCAL_OCRA_MAX. */
enum { LOCAL_OCRA_MAX = 64 };
int local_verify_ocra(struct local *local, const struct otpring_ocra_query *queries, size_t count,
                      struct otpring_answer *ret_answers);

#endif
