/* The system call filter of the running daemon: what it needs after its start, and nothing else. */
#ifndef TOOLS_OTPRINGD_SANDBOX_H
#define TOOLS_OTPRINGD_SANDBOX_H

#include <stdbool.h>

/* Whether this build can be filtered (sanitizers need calls of their own). */
bool sandbox_possible(void);
/* From now on, in every thread, any other call kills the process. 0, or -errno. */
int sandbox_enter(void);

#endif
