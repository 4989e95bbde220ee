/* Recorded traffic sent again: frames as they were asked, in their order, at their times (or so many times as fast), by
 * accounts of our own with codes that are valid now. One thread.
 *
 * An account's queries all go over one connection, so their order holds. What a right code is follows from what was
 * accepted so far; as long as answers are on their way, the account goes on one step after the other, and waits where
 * it is eight steps ahead of what it knows to be accepted. */
#ifndef OTPRING_LOAD_REPLAY_H
#define OTPRING_LOAD_REPLAY_H

#include <signal.h>
#include <stdio.h>

#include "accounts.h"
#include "histogram.h"
#include "link.h"
#include "options.h"
#include "traffic.h"

enum { REPLAY_SHOWN = 10 };

struct replay_unlike {
    struct traffic_item item;
    uint8_t verdict;
    uint64_t record;
};

struct replay_result {
    /* Attempts by what was recorded and what was answered. */
    uint64_t verdicts[OTPRING_VERDICT_COUNT][OTPRING_VERDICT_COUNT];
    uint64_t sent;
    uint64_t same;
    uint64_t by_lock;      /* THROTTLED then or now, and not both times */
    uint64_t not_searched; /* RESYNC then; now no turn had room to look so far */
    uint64_t unexpected;   /* any other difference */
    uint64_t unavailable;
    uint64_t unlike;          /* not sent, beside those of struct traffic: by chance no code was sure to do */
    uint64_t unanswered;      /* when it gave up waiting */
    struct histogram latency; /* from when a frame was due */
    uint64_t behind_ns;       /* at most so long after it was due a frame left */
    double seconds;
    double log_s; /* of the log that was sent */
    struct replay_unlike shown[REPLAY_SHOWN];
    uint32_t shown_count;
    char error[320]; /* not empty: why it ended early */
};

struct replay {
    const struct load_options *options;
    const struct accounts *accounts; /* with tokens, then those that are suspended */
    const struct traffic *traffic;
    const struct kernel *kernel;
    const char *path; /* of verify.sock */
    const volatile sig_atomic_t *stop;
};

/* Failures stand in the result. */
void replay_run(const struct replay *replay, struct replay_result *ret_result);

/* The result for people and as one JSON object (replay_report.c). 0, or -1. */
void replay_print(const struct replay *replay, const struct replay_result *result, FILE *out);
int replay_print_json(const struct replay *replay, const struct replay_result *result, FILE *out);
void replay_print_unexpected(const struct replay_result *result, FILE *out);

/* One account (replay_account.c): what it sends for the same verdict, and what it learns. */
struct replay_account {
    uint32_t floor;   /* the least step that may be accepted, as far as answers say */
    uint32_t next;    /* the step to be sent */
    uint32_t waiting; /* queries without an answer */
};
enum { REPLAY_AHEAD_MAX = 8 };
/* False: it is as far ahead as it may be; later. */
bool replay_account_ready(const struct replay_account *account, enum traffic_kind kind);
/* The code, of six digits (eight of TRAFFIC_DIGITS); `draw`: 64 random bits. ret_step: of a right one. False: none that
 * is sure to have this verdict (REPLAYED before anything was accepted, a code that fits a later step by chance). */
bool replay_account_code(const struct kernel *kernel, enum kernel_algorithm algorithm, const void *midstates,
                         struct replay_account *account, enum traffic_kind kind, uint64_t draw, uint32_t *ret_code,
                         uint32_t *ret_step);
/* step: of a right code; accepted: it was. */
void replay_account_answered(struct replay_account *account, enum traffic_kind kind, uint32_t step, bool accepted);

#endif
