/* Files of many items, a line each: token stock add, token stock assign, user add. */
#ifndef TOOLS_OTPRING_BULK_H
#define TOOLS_OTPRING_BULK_H

#include "command.h"

struct bulk_kind {
    const char *act;       /* takes `items`, a list of lists of texts */
    const char *count_key; /* of its answer */
    const char *done;      /* the same for people */
    const char *header;    /* a first line that is this, or the beginning of it, names the columns */
    int fields_min;
    int fields_max;
};

/* Sends invocation->batch_path in requests of up to 500 lines, and tells refused lines by number. Lines are CSV (RFC
 * 4180, without line breaks in fields); empty ones and those that begin with # are passed over. Gives the exit code. */
int bulk_run(struct invocation *invocation, const struct bulk_kind *kind);

#endif
