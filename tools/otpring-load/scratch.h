/* A store of one's own: made in a temporary folder, served by an otpringd of one's own, removed afterwards. */
#ifndef OTPRING_LOAD_SCRATCH_H
#define OTPRING_LOAD_SCRATCH_H

#include <signal.h>
#include <sys/types.h>

#include "options.h"

struct scratch {
    char folder[512]; /* "": none */
    char store[520];
    pid_t daemon; /* 0: none */
    char error[640];
};

/* 0, or -1 with error; scratch_end in any case. Programs are looked for beside this one, then in PATH. */
int scratch_begin(struct scratch *scratch, const struct load_options *options, const volatile sig_atomic_t *stop);
/* Stops the daemon, waits for it and removes the folder. 0, or -1 with error. */
int scratch_end(struct scratch *scratch);

#endif
