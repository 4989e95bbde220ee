/* A planned change of the rules, tried on a recorded log: fields of profiles that are set to other values in every
 * profile of the fresh engine. */
#ifndef TOOLS_OTPRING_LOG_RERUN_POLICY_H
#define TOOLS_OTPRING_LOG_RERUN_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/schema.h"

enum rerun_field {
    FIELD_WINDOW_BEHIND,
    FIELD_WINDOW_AHEAD,
    FIELD_LOOK_AHEAD,
    FIELD_LOOK_BEHIND,
    FIELD_RESYNC_WINDOW,
    FIELD_THROTTLE_FREE,
    FIELD_THROTTLE_BASE,
    FIELD_THROTTLE_MAX,
    FIELD_DRIFT_MAX,
    FIELD_COUNT
};

struct rerun_policy {
    bool given[FIELD_COUNT];
    uint32_t value[FIELD_COUNT];
};

#define RERUN_POLICY_HELP                                                                                              \
    "window (both ways), window-behind, window-ahead, look-ahead, look-behind, resync-window (steps); throttle-free "  \
    "(failures), throttle-base, throttle-max (seconds); drift-max (steps)"

/* "window=0,throttle-free=3", on top of what was given before. False: not a field, or not a value that a profile may
 * have. */
bool rerun_policy_parse(const char *text, struct rerun_policy *policy);
bool rerun_policy_any(const struct rerun_policy *policy);
void rerun_policy_apply(const struct rerun_policy *policy, struct profile_row *row);

#endif
