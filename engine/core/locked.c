#include "core/locked.h"

#include "core/state.h"

uint32_t core_locked_s(struct core *core, const uint8_t name[16], uint32_t now_s)
{
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    struct profile_row row;
    if (table_find(core->table, name, hits) == 0) return 0;
    /* The account's policy is that of its first line, as in judge.c. */
    uint16_t profile = atomic_load(&hits[0].tail->profile);
    if (!core_profile_get(core, profile, &row) && !core_profile_get(core, 0, &row)) return 0;
    struct throttle_policy policy = {row.throttle_free, row.throttle_base_s, row.throttle_max_s};
    uint64_t budget = atomic_load(&hits[0].tail->budget);
    uint32_t stranger = throttle_wait_s(budget, &policy, 0, now_s), known = throttle_wait_s(budget, &policy, 1, now_s);
    return stranger > known ? stranger : known;
}
