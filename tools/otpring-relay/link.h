/* One connection to the daemon's admin.sock, for requests of JSON (engine/admin/ACTS.md). Blocks until the answer is
 * there or LINK_WAIT_S is over; a connection that fails is made again at the next request, at most once a second. */
#ifndef TOOLS_OTPRING_RELAY_LINK_H
#define TOOLS_OTPRING_RELAY_LINK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { LINK_WAIT_S = 15, LINK_ERROR_SIZE = 256 };

struct link {
    const char *path;
    int file; /* -1: closed */
    int64_t again_ms;
};

/* The answer, to be released; NULL: there is none, ret_error says why. Whether the request was served is not known
 * then.
 */
json_t *link_ask(struct link *link, const json_t *request, char ret_error[LINK_ERROR_SIZE]);
void link_close(struct link *link);

#endif
