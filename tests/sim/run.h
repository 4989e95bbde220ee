/* One seed, one run: a simulated machine with its clients, and a crash schedule at a share of its points. */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include "check.h"

/* What else goes wrong in a run; drawn from the seed unless given. */
enum run_fault {
    RUN_CRASHES, /* nothing but crashes */
    RUN_WRITES,  /* a write or sync fails or is short: poisoned, until the restart */
    RUN_SPACE,   /* the disk is full */
    RUN_CLOCK,   /* the wall clock steps, stands still, drifts, is not synchronised */
    RUN_ROT,     /* a bit of a block turns over, or a sector cannot be read, while the machine is down */
    RUN_LIES,    /* a write says done and was not done, or went elsewhere */
    RUN_RESTORE, /* an old backup is restored at the end */
    RUN_FAULT_COUNT
};

struct run_options {
    uint64_t seed;
    int fault;            /* enum run_fault; -1: drawn */
    int crowd;            /* 1: with people and questions; 0: without; -1: drawn */
    unsigned crash_share; /* of 256 points */
    bool verbose;
};

struct run_report {
    char broken[256]; /* empty: every promise held */
    uint64_t points;  /* where a crash could have come */
    uint64_t frames;
    uint64_t switches;
    uint64_t trace; /* a hash of everything that happened */
    uint64_t counts[10];
    enum run_fault fault;
};

/* After genesis_make. */
void run_seed(const struct run_options *options, struct run_report *ret_report);
const char *run_fault_name(enum run_fault fault);

#endif
