/* Recorded acts, done when they came into force. Of most of them the record is durable first, and table and rules
 * change a little later: turns that were judged in between do not know of the act, although their records stand behind
 * it. So an act waits here until an attempt shows that it was in force: one of its account that is not told to be
 * unknown or without an active token; for profiles one that names the next version of the policy. It waits ten seconds
 * of the log's time at most. One thread. */
#ifndef TOOLS_OTPRING_LOG_RERUN_ACTS_H
#define TOOLS_OTPRING_LOG_RERUN_ACTS_H

#include "core/core.h"
#include "rerun_policy.h"

struct rerun_acts;

struct rerun_acts_calls {
    /* Before an act is done: what was asked so far is judged. */
    struct result (*settle)(void *context);
    /* An act was done. */
    void (*done)(void *context, const struct slot_act *act, const uint8_t *payload);
    void *context;
};

struct result rerun_acts_create(struct core *core, const struct rerun_policy *policy,
                                const struct rerun_acts_calls *calls, struct rerun_acts **ret_acts) MUST_USE;
void rerun_acts_destroy(struct rerun_acts *acts);

/* Both: what the calls and core_rerun_act give, NO_MEMORY. */
struct result rerun_acts_take(struct rerun_acts *acts, const struct slot_act *act, const uint8_t *payload,
                              int64_t time_ms) MUST_USE;
/* Before an attempt is asked again: does what it shows to have been in force. */
struct result rerun_acts_before(struct rerun_acts *acts, const struct slot_verify *attempt, int64_t time_ms) MUST_USE;

#endif
