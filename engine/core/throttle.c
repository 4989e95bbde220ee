/* The throttle: how long a budget word locks, and the words after a failure and after a success. Pure functions.
 *
 * The first `free` failures cost nothing; then the delay after the last charge is base, 2 base, 4 base ... up to max.
 * Each source class counts its own failures; the time of the last charge is shared. Every new word is greater than the
 * one before: a later second is greater by its highest bits, and within one second the count rises, moving into the
 * next second when it is used up. */
#include "base/check.h"
#include "core/internal.h"

enum { FAILURES_GREATEST = 255, COUNT_GREATEST = 65535 };

static uint32_t delay_s(unsigned failures, const struct throttle_policy *policy)
{
    if (failures <= policy->free) return 0;
    unsigned doublings = failures - policy->free - 1;
    uint64_t delay = doublings < 32 ? (uint64_t)policy->base_s << doublings : UINT64_MAX;
    if (policy->base_s == 0) delay = 0;
    return delay < policy->max_s ? (uint32_t)delay : policy->max_s;
}

uint32_t throttle_wait_s(uint64_t budget, const struct throttle_policy *policy, unsigned source_class, uint32_t now_s)
{
    uint64_t until_s = (uint64_t)budget_time_s(budget) + delay_s(budget_failures(budget, source_class), policy);
    if (delay_s(budget_failures(budget, source_class), policy) == 0 || until_s <= now_s) return 0;
    uint64_t wait = until_s - now_s;
    return wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX;
}

/* The least word with these failures that is greater than `budget` and not before now_s. */
static uint64_t next_word(uint64_t budget, uint32_t now_s, uint8_t failures_0, uint8_t failures_1)
{
    uint32_t time_s = budget_time_s(budget);
    if (now_s > time_s) return budget_word(now_s, 0, failures_0, failures_1);
    if (budget_count(budget) < COUNT_GREATEST)
        return budget_word(time_s, (uint16_t)(budget_count(budget) + 1), failures_0, failures_1);
    CHECK(time_s < UINT32_MAX);
    return budget_word(time_s + 1, 0, failures_0, failures_1);
}

uint64_t throttle_charge(uint64_t budget, unsigned source_class, uint32_t now_s)
{
    uint8_t failures[2] = {budget_failures(budget, 0), budget_failures(budget, 1)};
    uint8_t *charged = &failures[source_class ? 1 : 0];
    if (*charged < FAILURES_GREATEST) ++*charged;
    return next_word(budget, now_s, failures[0], failures[1]);
}

uint64_t throttle_reset(uint64_t budget, uint32_t now_s)
{
    return next_word(budget, now_s, 0, 0);
}
