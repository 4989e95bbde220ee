/* Profiles: what tokens of one kind have in common. Verify workers copy a row under the version (a seqlock); one
 * writer. */
#include "core/state.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "otp/ocra.h"

enum {
    WINDOW_MAX = 10, /* steps each way */
    LOOK_AHEAD_MAX = 100,
    LOOK_BEHIND_MAX = 10,
    RESYNC_WINDOW_MAX = 2000,
    DRIFT_MAX = 60,
    THROTTLE_MAX_S = 7 * 86400,
};

struct otp_parameters profile_parameters(const struct profile_row *row)
{
    return (struct otp_parameters){.type = row->type,
                                   .algorithm = row->algorithm,
                                   .digits = row->digits,
                                   .period_s = row->period_s,
                                   .t0_s = row->t0_s};
}

static bool suite_of(const struct profile_row *row, struct ocra_suite *ret_suite)
{
    if (row->type != OTP_OCRA) return false;
    return !result_failed(ocra_suite_parse(row->suite, strlen(row->suite), ret_suite));
}

bool profile_timed(const struct profile_row *row)
{
    struct ocra_suite suite;
    return row->type == OTP_TOTP || (suite_of(row, &suite) && suite.step_s && !suite.counter);
}

bool profile_counts(const struct profile_row *row)
{
    struct ocra_suite suite;
    return row->type == OTP_HOTP || (suite_of(row, &suite) && suite.counter);
}

/* What of a suite stands in fields of the row too. */
static void suite_apply(struct profile_row *row, const struct ocra_suite *suite)
{
    row->algorithm = (uint8_t)suite->algorithm;
    row->digits = suite->digits;
    row->period_s = suite->step_s;
    row->t0_s = 0;
}

struct result profile_codes_check(const struct profile_row *row, int64_t now_s)
{
    struct otp_parameters parameters = profile_parameters(row);
    struct profile_row same = *row;
    struct ocra_suite suite;
    if (row->type != OTP_OCRA) return row->suite[0] ? result_of(BAD_SUITE) : otp_check_parameters(&parameters, now_s);
    TRY(ocra_suite_parse(row->suite, strlen(row->suite), &suite));
    suite_apply(&same, &suite);
    bool agrees = same.algorithm == row->algorithm && same.digits == row->digits && same.period_s == row->period_s &&
                  same.t0_s == row->t0_s;
    return agrees ? result_ok() : result_of(BAD_SUITE);
}

struct profile_row profile_default(enum otp_type type)
{
    struct profile_row row = {.type = (uint8_t)type,
                              .algorithm = KERNEL_SHA1,
                              .digits = 6,
                              .throttle_free = 5,
                              .throttle_base_s = 2,
                              .throttle_max_s = 900,
                              .look_behind = 1};
    if (type == OTP_TOTP) {
        row.period_s = 30;
        row.window_behind = row.window_ahead = 1;
        row.look_ahead = 0;
        row.look_behind = 0;
        row.resync_window = 20;
        row.drift_max = 3;
    } else if (type == OTP_OCRA) {
        row.window_behind = row.window_ahead = 1;
        row.look_ahead = 10;
    } else {
        row.look_ahead = 10;
        row.resync_window = 100;
    }
    return row;
}

struct result profile_check(const struct profile_row *row, int64_t now_s)
{
    if (row->type > OTP_OCRA || row->algorithm >= KERNEL_ALGORITHM_COUNT) return result_of(BAD_ARGUMENT);
    TRY(profile_codes_check(row, now_s));
    if (!core_text_valid(row->name, 1, SCHEMA_LABEL_MAX)) return result_of(BAD_NAME);
    if (row->window_behind > WINDOW_MAX || row->window_ahead > WINDOW_MAX || row->look_ahead > LOOK_AHEAD_MAX ||
        row->look_behind > LOOK_BEHIND_MAX || row->resync_window > RESYNC_WINDOW_MAX) {
        return result_of(BAD_ARGUMENT);
    }
    if (row->drift_max < 0 || row->drift_max > DRIFT_MAX) return result_of(BAD_ARGUMENT);
    if (row->throttle_base_s == 0 || row->throttle_max_s < row->throttle_base_s ||
        row->throttle_max_s > THROTTLE_MAX_S) {
        return result_of(BAD_ARGUMENT);
    }
    return result_ok();
}

void profile_publish(struct core *core, const struct profile_row *row)
{
    CHECK(row->id < CORE_PROFILES_MAX);
    struct core_profile *profile = &core->profiles[row->id];
    bool new = !atomic_load(&profile->used);
    atomic_fetch_add_explicit(&core->profile_version, 1, memory_order_acq_rel);
    atomic_thread_fence(memory_order_seq_cst);
    profile->row = *row;
    atomic_store_explicit(&profile->used, true, memory_order_release);
    atomic_fetch_add_explicit(&core->profile_version, 1, memory_order_release);
    if (new) core->profile_count++;
    atomic_fetch_add(&core->policy, 1);
}

/* Read while an administrator may be writing: the version tells whether the copy is whole. Outside the race detector's
 * view, which does not know sequence locks. */
__attribute__((no_sanitize("thread"), noinline)) static void row_copy(struct profile_row *to,
                                                                      const struct profile_row *from)
{
    const volatile uint8_t *bytes = (const volatile uint8_t *)from;
    for (size_t i = 0; i < sizeof(*to); i++) ((volatile uint8_t *)to)[i] = bytes[i];
}

bool core_profile_get(struct core *core, uint16_t id, struct profile_row *ret_row)
{
    if (id >= CORE_PROFILES_MAX || !atomic_load_explicit(&core->profiles[id].used, memory_order_acquire)) return false;
    for (;;) {
        uint32_t before = atomic_load_explicit(&core->profile_version, memory_order_acquire);
        row_copy(ret_row, &core->profiles[id].row);
        atomic_thread_fence(memory_order_acquire);
        if (!(before & 1) && before == atomic_load_explicit(&core->profile_version, memory_order_relaxed)) return true;
    }
}

/* What codes mean never changes under a token: type, algorithm, digits, period, T0, suite, mode. */
static bool same_codes(const struct profile_row *a, const struct profile_row *b)
{
    return a->type == b->type && a->algorithm == b->algorithm && a->digits == b->digits && a->period_s == b->period_s &&
           a->t0_s == b->t0_s && strcmp(a->suite, b->suite) == 0 && a->mutual == b->mutual;
}

static bool same_rules(const struct profile_row *a, const struct profile_row *b)
{
    return a->window_behind == b->window_behind && a->window_ahead == b->window_ahead &&
           a->look_ahead == b->look_ahead && a->look_behind == b->look_behind && a->resync_window == b->resync_window &&
           a->throttle_free == b->throttle_free && a->throttle_base_s == b->throttle_base_s &&
           a->throttle_max_s == b->throttle_max_s && a->drift_max == b->drift_max;
}

static struct result id_find(struct core *core, uint16_t wished, uint16_t *ret_id)
{
    if (wished != UINT16_MAX) {
        if (wished >= CORE_PROFILES_MAX) return result_of(BAD_ARGUMENT);
        *ret_id = wished;
        return result_ok();
    }
    for (uint16_t id = 0; id < CORE_PROFILES_MAX; id++) {
        if (!atomic_load(&core->profiles[id].used)) {
            *ret_id = id;
            return result_ok();
        }
    }
    return result_of(PROFILES_FULL);
}

/* Under the act mutex. */
static struct result profile_write(struct core_worker *worker, const struct core_actor *actor,
                                   const struct profile_row *wished, uint16_t *ret_id)
{
    struct core *core = worker->core;
    struct profile_row row = *wished, old;
    uint8_t bytes[SCHEMA_ROW_MAX], *payload;
    TRY(profile_check(&row, core_now_ms(core) / 1000));
    TRY(id_find(core, wished->id, &row.id));
    if (core_profile_get(core, row.id, &old) && !same_codes(&row, &old) && core->state->profile_tokens[row.id] > 0) {
        return result_of(STORE_IN_USE);
    }
    uint32_t size = (uint32_t)schema_profile_encode(&row, bytes);
    act_record(core, ACT_PROFILE_SET, actor, size, &payload);
    memcpy(payload, bytes, size);
    TRY(act_write(worker));
    act_settle(core, NULL, false);
    *ret_id = row.id;
    return result_ok();
}

struct result core_profile_set(struct core_worker *worker, const struct core_actor *actor,
                               const struct profile_row *row, uint16_t *ret_id)
{
    TRY(act_enter(worker));
    struct result result = profile_write(worker, actor, row, ret_id);
    act_leave(worker->core);
    return result;
}

_Static_assert((int)SCHEMA_SUITE_MAX == (int)OCRA_SUITE_SIZE_MAX && (int)SCHEMA_SUITE_MAX <= (int)SCHEMA_LABEL_MAX,
               "a suite fits its field, and the name of a profile");

static void profile_name(struct profile_row *row)
{
    static const char *const algorithms[] = {"sha1", "sha256", "sha512"};
    if (row->type == OTP_HOTP) {
        snprintf(row->name, sizeof(row->name), "hotp-%s-%u", algorithms[row->algorithm], row->digits);
    } else if (row->t0_s == 0) {
        snprintf(row->name, sizeof(row->name), "totp-%s-%u-%us", algorithms[row->algorithm], row->digits,
                 (unsigned)row->period_s);
    } else {
        snprintf(row->name, sizeof(row->name), "totp-%s-%u-%us-t0-%lld", algorithms[row->algorithm], row->digits,
                 (unsigned)row->period_s, (long long)row->t0_s);
    }
}

/* The profile that says the same, made where there is none. */
static struct result profile_for(struct core_worker *worker, const struct core_actor *actor,
                                 const struct profile_row *row, uint16_t *ret_id)
{
    struct core *core = worker->core;
    TRY(act_enter(worker));
    struct result result = result_ok();
    for (uint16_t id = 0; id < CORE_PROFILES_MAX; id++) {
        if (!atomic_load(&core->profiles[id].used)) continue;
        if (same_codes(row, &core->profiles[id].row) && same_rules(row, &core->profiles[id].row)) {
            *ret_id = id;
            goto done;
        }
    }
    result = profile_write(worker, actor, row, ret_id);
done:
    act_leave(core);
    return result;
}

struct result core_profile_for(struct core_worker *worker, const struct core_actor *actor,
                               const struct otp_parameters *parameters, uint16_t *ret_id)
{
    if (parameters->type != OTP_HOTP && parameters->type != OTP_TOTP) return result_of(BAD_ARGUMENT);
    if (parameters->algorithm >= KERNEL_ALGORITHM_COUNT) return result_of(BAD_ARGUMENT);
    struct profile_row row = profile_default(parameters->type);
    row.id = UINT16_MAX;
    row.algorithm = (uint8_t)parameters->algorithm;
    row.digits = parameters->digits;
    row.period_s = parameters->period_s;
    row.t0_s = parameters->t0_s;
    profile_name(&row);
    return profile_for(worker, actor, &row, ret_id);
}

struct result core_profile_for_suite(struct core_worker *worker, const struct core_actor *actor, const char *text,
                                     uint16_t *ret_id)
{
    struct profile_row row = profile_default(OTP_OCRA);
    struct ocra_suite suite;
    TRY(ocra_suite_parse(text, strlen(text), &suite));
    row.id = UINT16_MAX;
    suite_apply(&row, &suite);
    strcpy(row.suite, suite.text);
    strcpy(row.name, suite.text);
    return profile_for(worker, actor, &row, ret_id);
}

struct result core_clock_consent(struct core_worker *worker, const struct core_actor *actor)
{
    struct os_time now = os_time(worker->os);
    struct core *core = worker->core;
    TRY(act_enter(worker));
    struct result result = act_simple(worker, ACT_CLOCK_CONSENT, actor, &now.wall_ms, sizeof(now.wall_ms));
    if (!result_failed(result)) clock_consent(&core->clock, now);
    act_leave(core);
    return result;
}
