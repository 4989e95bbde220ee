/* One thread's load: its connections, their plans, and the loop between. Threads share nothing but constants and the
 * stop flag. */
#ifndef OTPRING_LOAD_RUN_H
#define OTPRING_LOAD_RUN_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "accounts.h"
#include "histogram.h"
#include "link.h"
#include "options.h"
#include "otpring/verdict.h"

enum { UNEXPECTED_SHOWN = 10 };

struct unexpected {
    uint32_t account;
    uint32_t step;
    uint8_t kind;
    uint8_t expected;
    uint8_t verdict;
    uint8_t reason;
    uint64_t record;
};

struct run_result {
    /* Of frames due in the measured time, counted for each item. Those that were not sent by its end: how long they had
     * waited then. */
    struct histogram latency;
    uint64_t verdicts[OTPRING_UNAVAILABLE + 1]; /* of answers that came in the measured time */
    uint64_t expected;                          /* of those: as expected */
    uint64_t unexpected;                        /* in the whole run, warm-up included */
    uint64_t unsent;     /* open loop: items due in the measured time that could not be sent in it */
    uint64_t answered;   /* items in the whole run */
    double cpu_s;        /* of the threads, in the measured time */
    uint64_t unanswered; /* items without an answer when the run gave up waiting */
    bool limited; /* in the measured time some frame lacked items, since accounts had given their second's code */
    struct unexpected shown[UNEXPECTED_SHOWN];
    uint32_t shown_count;
    char error[320]; /* not empty: why the run ended early */
};

struct run {
    const struct load_options *options;
    const struct accounts *accounts;
    const struct kernel *kernel;
    const char *path;       /* of verify.sock */
    struct link_kept *kept; /* by number of connection */
    const volatile sig_atomic_t *stop;
    uint32_t thread;          /* connections thread, thread + threads, ... */
    pthread_barrier_t *ready; /* all threads */
    uint64_t *start_ns;       /* CLOCK_MONOTONIC; warm-up begins; set by thread 0 when all are ready */
    struct run_result *result;
};

uint64_t run_now_ns(void);
/* Connects, loads, drains. Failures stand in the result. */
void run_thread(const struct run *run);

#endif
