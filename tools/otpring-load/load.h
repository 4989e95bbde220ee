/* A whole load: scratch store, enrolment, threads, report, removal. */
#ifndef OTPRING_LOAD_LOAD_H
#define OTPRING_LOAD_LOAD_H

#include <signal.h>
#include <stdio.h>

#include "options.h"

/* The exit status. The result goes to `out`, all else to `messages`. Set *stop (also from a signal) to end early: what
 * was measured is reported, and the accounts are removed all the same. */
int load_run(const struct load_options *options, const volatile sig_atomic_t *stop, FILE *out, FILE *messages);

#endif
