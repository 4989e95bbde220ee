/* A worker's own copy of the profiles, in the form that judging wants, taken anew when the version has moved. */
#include "core/verify.h"

#include <sched.h>

struct judge_profile judge_profile_of(const struct profile_row *row)
{
    /* Of a suite that has a counter, its steps; the window of its time is the suite's own (judge_ocra.c). */
    bool totp = row->type == OTP_TOTP;
    return (struct judge_profile){
        .used = true,
        .straight = row->type != OTP_OCRA,
        .mutual = row->mutual,
        .type = row->type,
        .algorithm = row->algorithm,
        .digits = row->digits,
        .behind = totp ? row->window_behind : row->look_behind,
        .ahead = totp ? row->window_ahead : row->look_ahead,
        .drift_max = (uint8_t)(row->drift_max > 0 ? row->drift_max : 0),
        .time_behind = row->window_behind,
        .time_ahead = row->window_ahead,
        .resync_window = row->resync_window,
        .period_s = row->period_s,
        .t0_s = row->t0_s,
        .throttle = {row->throttle_free, row->throttle_base_s, row->throttle_max_s},
        .now_s = INT64_MIN,
    };
}

int64_t profile_step(const struct judge_profile *profile, int64_t unix_s)
{
    if (profile->type != OTP_TOTP || profile->period_s == 0) return 0;
    int64_t since = unix_s - profile->t0_s, period = profile->period_s;
    return since >= 0 ? since / period : -((-since + period - 1) / period);
}

/* Read while an administrator may be writing: the version tells whether the copy is whole. Outside the race detector's
 * view, which does not know sequence locks. */
__attribute__((no_sanitize("thread"), noinline)) static void copy_row(struct profile_row *to,
                                                                      const struct profile_row *from)
{
    const volatile uint8_t *bytes = (const volatile uint8_t *)from;
    for (size_t i = 0; i < sizeof *to; i++) ((volatile uint8_t *)to)[i] = bytes[i];
}

static uint32_t version_begin(struct core *core)
{
    uint32_t version;
    while ((version = atomic_load_explicit(&core->profile_version, memory_order_acquire)) & 1) sched_yield();
    return version;
}

/* Adding nothing keeps the copying before it in order, as a plain load would not. */
static bool version_same(struct core *core, uint32_t version)
{
    return atomic_fetch_add_explicit(&core->profile_version, 0, memory_order_acq_rel) == version;
}

void profile_cache_refresh(struct profile_cache *cache, struct core *core)
{
    uint32_t version = atomic_load_explicit(&core->profile_version, memory_order_acquire);
    if (version == cache->version) return;
    do {
        version = version_begin(core);
        cache->count = 0;
        for (uint32_t i = 0; i < CORE_PROFILES_MAX; i++) {
            cache->profiles[i].used = cache->profiles[i].straight = false;
            if (!atomic_load_explicit(&core->profiles[i].used, memory_order_acquire)) continue;
            struct profile_row row;
            copy_row(&row, &core->profiles[i].row);
            cache->profiles[i] = judge_profile_of(&row);
            /* A row that is being changed while it is copied may say anything; the copy is then taken again. */
            if (row.type == OTP_OCRA &&
                result_failed(ocra_suite_parse(row.suite, strnlen(row.suite, SCHEMA_SUITE_MAX), &cache->suites[i])))
                cache->profiles[i].used = false;
            cache->count = i + 1;
        }
    } while (!version_same(core, version));
    cache->version = version;
    cache->words_s = INT64_MIN;
}

void profile_words_refresh(struct profile_cache *cache, int64_t unix_s)
{
    if (cache->words_s == unix_s) return;
    for (uint32_t i = 0; i < cache->count; i++) {
        struct judge_profile *profile = &cache->profiles[i];
        int64_t step = profile_step_now(profile, unix_s);
        bool straight = profile->straight && step >= 0 && step <= STEP_GREATEST;
        cache->words[i] =
            straight ? stage_profile(profile->algorithm, profile->digits, profile->type == OTP_TOTP, (uint32_t)step)
                     : 0;
    }
    cache->words_s = unix_s;
}

struct throttle_policy core_unknown_policy(const struct core *core)
{
    struct core *mutable_core = (struct core *)core;
    struct profile_row row;
    uint32_t version;
    do {
        version = version_begin(mutable_core);
        copy_row(&row, &core->profiles[0].row);
    } while (!version_same(mutable_core, version));
    return judge_profile_of(&row).throttle;
}
