#include "rerun_policy.h"

#include <stdlib.h>
#include <string.h>

/* The greatest values are those that the engine lets a profile have. */
static const struct {
    const char *name;
    enum rerun_field field;
    uint32_t least;
    uint32_t most;
} fields[] = {
    {"window-behind", FIELD_WINDOW_BEHIND, 0, 10},
    {"window-ahead", FIELD_WINDOW_AHEAD, 0, 10},
    {"look-ahead", FIELD_LOOK_AHEAD, 0, 100},
    {"look-behind", FIELD_LOOK_BEHIND, 0, 10},
    {"resync-window", FIELD_RESYNC_WINDOW, 0, 2000},
    {"throttle-free", FIELD_THROTTLE_FREE, 0, 255},
    {"throttle-base", FIELD_THROTTLE_BASE, 1, 604800},
    {"throttle-max", FIELD_THROTTLE_MAX, 1, 604800},
    {"drift-max", FIELD_DRIFT_MAX, 0, 60},
};

static bool set(struct rerun_policy *policy, const char *name, size_t size, uint32_t value)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strlen(fields[i].name) != size || memcmp(fields[i].name, name, size) != 0) continue;
        if (value < fields[i].least || value > fields[i].most) return false;
        policy->given[fields[i].field] = true;
        policy->value[fields[i].field] = value;
        return true;
    }
    return false;
}

static bool parse_one(const char *text, const char **ret_rest, struct rerun_policy *policy)
{
    size_t size = strcspn(text, "=,");
    char *end;
    if (text[size] != '=' || text[size + 1] < '0' || text[size + 1] > '9') return false;
    unsigned long value = strtoul(text + size + 1, &end, 10);
    if ((*end != '\0' && *end != ',') || value > UINT32_MAX) return false;
    *ret_rest = *end ? end + 1 : NULL;
    if (size == strlen("window") && memcmp(text, "window", size) == 0)
        return set(policy, "window-behind", strlen("window-behind"), (uint32_t)value) &&
               set(policy, "window-ahead", strlen("window-ahead"), (uint32_t)value);
    return set(policy, text, size, (uint32_t)value);
}

bool rerun_policy_parse(const char *text, struct rerun_policy *policy)
{
    do {
        if (!parse_one(text, &text, policy)) return false;
    } while (text);
    return true;
}

bool rerun_policy_any(const struct rerun_policy *policy)
{
    bool any = false;
    for (int i = 0; i < FIELD_COUNT; i++) any |= policy->given[i];
    return any;
}

void rerun_policy_apply(const struct rerun_policy *policy, struct profile_row *row)
{
#define APPLY(field, member)                                                                                           \
    if (policy->given[field]) row->member = (__typeof__(row->member))policy->value[field]
    APPLY(FIELD_WINDOW_BEHIND, window_behind);
    APPLY(FIELD_WINDOW_AHEAD, window_ahead);
    APPLY(FIELD_LOOK_AHEAD, look_ahead);
    APPLY(FIELD_LOOK_BEHIND, look_behind);
    APPLY(FIELD_RESYNC_WINDOW, resync_window);
    APPLY(FIELD_THROTTLE_FREE, throttle_free);
    APPLY(FIELD_THROTTLE_BASE, throttle_base_s);
    APPLY(FIELD_THROTTLE_MAX, throttle_max_s);
    APPLY(FIELD_DRIFT_MAX, drift_max);
#undef APPLY
    /* A profile's greatest delay is never below its first. */
    if (row->throttle_max_s < row->throttle_base_s) row->throttle_max_s = row->throttle_base_s;
}
