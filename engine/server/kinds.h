/* What core calls back with (the context is the server worker). For the files of this room. */
#ifndef OTPRING_SERVER_KINDS_H
#define OTPRING_SERVER_KINDS_H

#include "core/core.h"

void server_answered(void *context, const struct core_answer *answer);
void server_hello_answered(void *context, const struct core_hello_answer *answer);

#endif
