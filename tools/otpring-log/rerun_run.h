/* Running a log through the fresh engine: reading, turns, comparing, telling. */
#ifndef TOOLS_OTPRING_LOG_RERUN_RUN_H
#define TOOLS_OTPRING_LOG_RERUN_RUN_H

#include "log.h"
#include "rerun_acts.h"
#include "rerun_codes.h"
#include "rerun_order.h"

struct rerun_counts {
    uint64_t same;
    uint64_t different;
    uint64_t not_run[MADE_COUNT];
    uint64_t stand_ins; /* asked again with a code that fits nothing, whatever was typed */
    uint64_t acts;
    uint64_t lagging; /* of turns whose wall clock was behind the log's */
};

struct rerun {
    const char *folder; /* the log */
    struct os *os;      /* to read it with */
    uint64_t to;        /* 0: no end */
    const struct rerun_policy *policy;
    uint64_t shown_max;
    bool json;
    struct rerun_store start;
    /* its own */
    struct rerun_engine engine;
    struct rerun_codes *codes;
    struct rerun_acts *acts;
    struct names_look *look;
    struct rerun_turn *turn;
    struct rerun_counts counts;
    uint64_t first_position;
    uint64_t last_position;
    uint64_t moved;
    bool complete;        /* run to where it should end */
    uint64_t restored_at; /* the log cannot be followed past this act; 0: no such */
};

/* Everything from the start on, and the summary. backup: the journal that belongs to the store's copy; NULL: the log is
 * run from position 1. The exit code. */
int rerun_log(struct rerun *rerun, const char *backup);

/* The summary, and one verdict that came out differently (rerun_tell.c). `step`: the same verdict, but another step was
 * used up. */
void rerun_tell_difference(struct rerun *rerun, const struct rerun_attempt *attempt, uint64_t position, uint32_t index,
                           int64_t time_ms, unsigned verdict, bool step);
void rerun_tell_counts(const struct rerun *rerun);

#endif
