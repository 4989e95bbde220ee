/* Profiles: each limit from both sides, which numbers they get, and when one that is there already serves. */
#include "state_fixture.h"

enum { TOTP = 0, HOTP = 1 }; /* those that every store has */

static struct profile_row row_of(struct state *state, uint16_t id)
{
    struct profile_row row;
    assert_true(core_profile_get(state->core, id, &row));
    return row;
}

static struct result set(struct state *state, const struct profile_row *row)
{
    uint16_t id;
    return core_profile_set(state->worker, &state_actor, row, &id);
}

/* A field of a profile, the greatest value that may stand in it, and the least one. */
struct limit {
    const char *name;
    size_t offset;
    size_t size;
    int64_t least, greatest;
};
#define LIMIT(field, least, greatest)                                                                                  \
    {                                                                                                                  \
#field, offsetof(struct profile_row, field), sizeof(((struct profile_row *)0)->field), least, greatest         \
    }

static void field_set(struct profile_row *row, const struct limit *limit, int64_t value)
{
    memcpy((uint8_t *)row + limit->offset, &value, limit->size); /* little-endian */
}

static bool fits(const struct limit *limit, int64_t value)
{
    int64_t again = 0;
    memcpy(&again, &value, limit->size);
    return again == value;
}

static void each_field_has_its_limits(void **unused)
{
    (void)unused;
    static const struct limit limits[] = {
        LIMIT(window_behind, 0, 10),    LIMIT(window_ahead, 0, 10),          LIMIT(look_ahead, 0, 100),
        LIMIT(look_behind, 0, 10),      LIMIT(resync_window, 0, 2000),       LIMIT(drift_max, 0, 60),
        LIMIT(throttle_base_s, 1, 900), LIMIT(throttle_max_s, 2, 7 * 86400),
    };
    struct state *state = state_create(41);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const struct limit *limit = &limits[i];
        for (int64_t step = -1; step <= 1; step++) {
            struct profile_row low = row_of(state, TOTP), high = low;
            field_set(&low, limit, limit->least + (step < 0 ? step : 0));
            field_set(&high, limit, limit->greatest + (step > 0 ? step : 0));
            if (step < 0 && (limit->least > 0 || limit->offset == offsetof(struct profile_row, drift_max)))
                state_is(set(state, &low), BAD_ARGUMENT);
            else if (step > 0 && fits(limit, limit->greatest + 1))
                state_is(set(state, &high), BAD_ARGUMENT);
            else if (step == 0) {
                state_ok(set(state, &low));
                state_ok(set(state, &high));
                struct profile_row as_made = profile_default(OTP_TOTP);
                strcpy(as_made.name, "totp");
                state_ok(set(state, &as_made));
            }
        }
    }
    state_destroy(state);
}

static void what_is_no_profile_is_refused(void **unused)
{
    (void)unused;
    struct state *state = state_create(42);
    struct profile_row row = row_of(state, HOTP);
    row.type = 7;
    state_is(set(state, &row), BAD_ARGUMENT);
    row = row_of(state, HOTP);
    row.algorithm = KERNEL_ALGORITHM_COUNT;
    state_is(set(state, &row), BAD_ARGUMENT);
    row = row_of(state, HOTP);
    row.digits = OTP_DIGITS_MAX + 1;
    state_is(set(state, &row), BAD_DIGITS);
    row = row_of(state, TOTP);
    row.period_s = 0;
    state_is(set(state, &row), BAD_PERIOD);
    row = row_of(state, HOTP);
    row.name[0] = 0;
    state_is(set(state, &row), BAD_NAME);
    row = row_of(state, HOTP);
    row.id = CORE_PROFILES_MAX;
    state_is(set(state, &row), BAD_ARGUMENT);
    assert_false(core_profile_get(state->core, CORE_PROFILES_MAX, &row));
    assert_false(core_profile_get(state->core, CORE_PROFILES_MAX - 1, &row));
    uint16_t id;
    struct otp_parameters parameters = {.type = 7, .algorithm = KERNEL_SHA1, .digits = 6};
    state_is(core_profile_for(state->worker, &state_actor, &parameters, &id), BAD_ARGUMENT);
    parameters = (struct otp_parameters){.type = OTP_HOTP, .algorithm = KERNEL_ALGORITHM_COUNT, .digits = 6};
    state_is(core_profile_for(state->worker, &state_actor, &parameters, &id), BAD_ARGUMENT);
    state_destroy(state);
}

static void what_codes_mean_never_changes_under_a_token(void **unused)
{
    (void)unused;
    static const struct limit meaning[] = {LIMIT(algorithm, 0, KERNEL_SHA256), LIMIT(digits, 0, 8),
                                           LIMIT(period_s, 0, 60), LIMIT(t0_s, 0, 1)};
    struct state *state = state_create(43);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", TOTP, 1, 0, &ordinal));
    for (size_t i = 0; i < sizeof meaning / sizeof meaning[0]; i++) {
        struct profile_row row = row_of(state, TOTP);
        field_set(&row, &meaning[i], meaning[i].greatest);
        state_is(set(state, &row), STORE_IN_USE);
    }
    struct profile_row row = row_of(state, HOTP);
    row.id = TOTP;
    state_is(set(state, &row), STORE_IN_USE);
    /* Nobody uses the other one. */
    row = row_of(state, TOTP);
    row.id = HOTP;
    state_ok(set(state, &row));
    state_destroy(state);
}

/* A profile that was made for the parameters once serves again, as long as its rules are the usual ones. */
static void a_profile_that_is_there_serves_unless_its_rules_differ(void **unused)
{
    (void)unused;
    static const struct limit rules[] = {
        LIMIT(window_behind, 0, 2),   LIMIT(window_ahead, 0, 2),    LIMIT(look_ahead, 0, 11),
        LIMIT(look_behind, 0, 3),     LIMIT(resync_window, 0, 7),   LIMIT(throttle_free, 0, 9),
        LIMIT(throttle_base_s, 0, 3), LIMIT(throttle_max_s, 0, 99), LIMIT(drift_max, 0, 2),
    };
    struct state *state = state_create(44);
    const struct otp_parameters parameters = {
        .type = OTP_TOTP, .algorithm = KERNEL_SHA512, .digits = 8, .period_s = 60};
    uint16_t first, again;
    state_ok(core_profile_for(state->worker, &state_actor, &parameters, &first));
    assert_string_equal(row_of(state, first).name, "totp-sha512-8-60s");
    state_ok(core_profile_for(state->worker, &state_actor, &parameters, &again));
    assert_int_equal(again, first);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct profile_row row = row_of(state, again);
        field_set(&row, &rules[i], rules[i].greatest);
        state_ok(set(state, &row));
        uint16_t fresh;
        state_ok(core_profile_for(state->worker, &state_actor, &parameters, &fresh));
        assert_int_not_equal(fresh, again);
        again = fresh;
    }
    struct otp_parameters late = parameters;
    late.t0_s = 86400;
    state_ok(core_profile_for(state->worker, &state_actor, &late, &again));
    assert_string_equal(row_of(state, again).name, "totp-sha512-8-60s-t0-86400");
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_has_its_limits),
        cmocka_unit_test(what_is_no_profile_is_refused),
        cmocka_unit_test(what_codes_mean_never_changes_under_a_token),
        cmocka_unit_test(a_profile_that_is_there_serves_unless_its_rules_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
