/* The check, for commands that tell of it beside other things. */
#ifndef TOOLS_OTPRING_LOG_CHECK_H
#define TOOLS_OTPRING_LOG_CHECK_H

#include <stdbool.h>

#include "journal/journal.h"

/* With the public key and the position of the store alone. False: there is no key, or the log could not be read. */
bool check_quietly(const char *store, struct os *os, const char *folder, struct journal_check_report *ret_report);

#endif
