/* What acts refuse before anything is written, and the bounds that they compute. */
#include "state_fixture.h"

enum { TOTP = 0, HOTP = 1 }; /* the profiles of a new store */

static struct core_token_spec spec_sound(const uint8_t *seed)
{
    return (struct core_token_spec){
        .company = "acme", .user = "ann", .label = "", .profile = HOTP, .seed = seed, .seed_size = 20};
}

static struct result add(struct state *state, const struct core_token_spec *spec)
{
    struct result result;
    uint32_t ordinal;
    TRY(core_token_add(state->worker, &state_actor, spec, 1, &result, &ordinal));
    return result;
}

static void a_token_that_cannot_be_is_refused_and_the_next_one_is_added(void **unused)
{
    (void)unused;
    struct state *state = state_create(51);
    static const uint8_t seed[OTP_SEED_SIZE_MAX + 1] = {1, 2, 3};
    char long_name[SCHEMA_NAME_MAX + 2], long_label[SCHEMA_LABEL_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    memset(long_label, 'x', sizeof long_label);
    long_label[sizeof long_label - 1] = 0;
    struct core_token_spec spec;
#define REFUSED(change, code)                                                                                          \
    spec = spec_sound(seed);                                                                                           \
    change;                                                                                                            \
    state_is(add(state, &spec), code)
    REFUSED(spec.company = "", BAD_NAME);
    REFUSED(spec.company = NULL, BAD_NAME);
    REFUSED(spec.company = long_name, BAD_NAME);
    REFUSED(spec.user = "a\nb", BAD_NAME);
    REFUSED(spec.label = long_label, BAD_NAME);
    REFUSED(spec.seed_size = OTP_SEED_SIZE_MIN - 1, BAD_SECRET_SIZE);
    REFUSED(spec.seed_size = OTP_SEED_SIZE_MAX + 1, BAD_SECRET_SIZE);
    REFUSED(spec.profile = 200, STORE_NOT_FOUND);
    REFUSED(spec.profile = CORE_PROFILES_MAX, STORE_NOT_FOUND);
    REFUSED(spec.counter = (uint64_t)STATE_COUNTER_MAX + 1, STEP_TOO_FAR);
#undef REFUSED
    struct result result;
    uint32_t ordinal;
    spec = spec_sound(seed);
    state_is(core_token_add(state->worker, &state_actor, &spec, 0, &result, &ordinal), BAD_ARGUMENT);
    state_is(core_token_add(state->worker, &state_actor, &spec, STATE_ACTS_MAX + 1, &result, &ordinal), BAD_ARGUMENT);
    state_ok(add(state, &spec));
    state_destroy(state);
}

static void a_store_takes_as_many_tokens_as_it_was_made_for(void **unused)
{
    (void)unused;
    struct state *state = state_create(52);
    state_stop(state);
    state->options.tokens_max = 3;
    state_ok(state_open(state));
    uint32_t ordinal;
    char user[8];
    for (uint32_t i = 0; i < 3; i++) {
        snprintf(user, sizeof user, "u%u", i);
        state_ok(state_add(state, "acme", user, HOTP, i + 1, 0, &ordinal));
    }
    state_is(state_add(state, "acme", "more", HOTP, 9, 0, &ordinal), TABLE_FULL);
    state_destroy(state);
}

static void a_change_names_tokens_that_are_there_each_once(void **unused)
{
    (void)unused;
    struct state *state = state_create(53);
    uint32_t first, second;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &first));
    state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &second));
    const uint32_t none = 4711, twice[] = {first, second, first};
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &first, 0), BAD_ARGUMENT);
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &first, STATE_ACTS_MAX + 1),
             BAD_ARGUMENT);
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_RESYNC, &first, 1), BAD_ARGUMENT);
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &none, 1), STORE_NOT_FOUND);
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, twice, 3), BAD_ARGUMENT);
    state_is(core_token_set_label(state->worker, &state_actor, first, "a\x01"), BAD_NAME);
    state_is(core_token_set_label(state->worker, &state_actor, none, "mine"), STORE_NOT_FOUND);
    state_ok(core_token_set_label(state->worker, &state_actor, first, "mine"));
    assert_string_equal(state_row(state, first).label, "mine");
    /* Suspended once more is as suspended as once. */
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, twice, 2));
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, twice, 2));
    assert_int_equal(state_row(state, second).state, TOKEN_SUSPENDED);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &first, 1));
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_RESUME, &first, 1), STORE_NOT_FOUND);
    state_destroy(state);
}

static void the_desk_wants_codes_of_the_tokens_own_length_and_a_clock_that_is_sure(void **unused)
{
    (void)unused;
    struct state *state = state_create(54);
    enum otpring_verdict verdict;
    uint32_t hotp, totp;
    uint64_t now = STATE_WALL_S / 30;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &hotp));
    state_ok(state_add(state, "acme", "bob", TOTP, 2, 0, &totp));
    for (unsigned digits = OTP_DIGITS_MIN - 1; digits <= OTP_DIGITS_MAX + 1; digits++) {
        if (digits == 6) continue;
        state_is(core_token_resync(state->worker, &state_actor, hotp, 1, 2, digits, &verdict), BAD_DIGITS);
    }
    state_is(core_token_resync(state->worker, &state_actor, 4711, 1, 2, 6, &verdict), STORE_NOT_FOUND);
    os_sim_synchronised_set(state->world, false);
    os_sim_step_wall_ms(state->world, -3600 * 1000);
    state_is(
        core_token_resync(state->worker, &state_actor, totp, state_code(2, now), state_code(2, now + 1), 6, &verdict),
        CLOCK_UNSURE);
    /* A counter does not need to know what time it is. */
    state_ok(core_token_resync(state->worker, &state_actor, hotp, state_code(1, 4), state_code(1, 5), 6, &verdict));
    assert_int_equal(verdict, OTPRING_ACCEPTED);
    os_sim_step_wall_ms(state->world, 3600 * 1000);
    state_ok(
        core_token_resync(state->worker, &state_actor, totp, state_code(2, now), state_code(2, now + 1), 6, &verdict));
    assert_int_equal(verdict, OTPRING_ACCEPTED);
    state_destroy(state);
}

static void an_account_that_is_none_cannot_be_unlocked(void **unused)
{
    (void)unused;
    struct state *state = state_create(55);
    state_is(core_account_unlock(state->worker, &state_actor, "", "ann"), BAD_NAME);
    state_is(core_account_unlock(state->worker, &state_actor, "acme", "\xff"), BAD_NAME);
    state_is(core_account_unlock(state->worker, &state_actor, "acme", "ann"), STORE_NOT_FOUND);
    state_destroy(state);
}

/* Steps ahead of the present that a code may have had before a restore, one more: by hand from the profile. */
static void a_restore_goes_past_what_the_profile_may_have_let_in(void **unused)
{
    (void)unused;
    const int64_t now_ms = (int64_t)STATE_WALL_S * 1000;
    const uint32_t now = STATE_WALL_S / 30;
    struct profile_row row = profile_default(OTP_TOTP);
    assert_int_equal(restore_floor(&row, now_ms), now + 20 + 21 + 1);
    row.resync_window = 0; /* no pairs: the window round what use may teach */
    assert_int_equal(restore_floor(&row, now_ms), now + 3 + 1 + 1);
    row.resync_window = 2;
    row.window_ahead = 10;
    assert_int_equal(restore_floor(&row, now_ms), now + 3 + 10 + 1);
    row.resync_window = 1000; /* a line keeps no greater drift than 127 */
    assert_int_equal(restore_floor(&row, now_ms), now + 127 + 1001 + 1);
    assert_int_equal(restore_floor(&row, 0), 0);
    row.t0_s = (int64_t)STATE_WALL_S + (int64_t)100 * 365 * 86400;
    assert_int_equal(restore_floor(&row, now_ms), 0);
    row.t0_s = -((int64_t)1 << 40);
    assert_int_equal(restore_floor(&row, now_ms), UINT32_MAX);
    row = profile_default(OTP_HOTP);
    assert_int_equal(restore_floor(&row, now_ms), 0);
}

/* Verification waits for the segments that it makes, so nobody's long act may stop it. */
static void the_housekeeper_goes_on_while_somebody_else_has_the_acts(void **unused)
{
    (void)unused;
    struct state *state = state_create(57);
    bool more;
    core_act_lock(state->core);
    for (int i = 0; i < 10; i++) state_ok(core_keep_journal(state->worker, &more));
    core_act_unlock(state->core);
    state_destroy(state);
}

/* Nor may what was read while it was in flight stand in the store. */
static void a_checkpoint_gives_up_a_turn_that_will_never_be_durable(void **unused)
{
    (void)unused;
    struct state *state = state_create(58);
    struct core *core = state->core;
    uint64_t before = atomic_load(&core->checkpoint_position);
    struct core_progress *turns = &core->progress[state->worker->index];
    uint64_t begun = atomic_fetch_add(&turns->begun, 1);
    atomic_store(&core->stop_reason, OTPRING_REASON_POISONED);
    state_is(core_checkpoint(state->worker), JOURNAL_POISONED);
    assert_int_equal(atomic_load(&core->checkpoint_position), before);
    atomic_store(&turns->begun, begun);
    atomic_store(&core->stop_reason, OTPRING_REASON_NONE);
    state_ok(core_checkpoint(state->worker));
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_that_cannot_be_is_refused_and_the_next_one_is_added),
        cmocka_unit_test(a_store_takes_as_many_tokens_as_it_was_made_for),
        cmocka_unit_test(a_change_names_tokens_that_are_there_each_once),
        cmocka_unit_test(the_desk_wants_codes_of_the_tokens_own_length_and_a_clock_that_is_sure),
        cmocka_unit_test(an_account_that_is_none_cannot_be_unlocked),
        cmocka_unit_test(the_housekeeper_goes_on_while_somebody_else_has_the_acts),
        cmocka_unit_test(a_checkpoint_gives_up_a_turn_that_will_never_be_durable),
        cmocka_unit_test(a_restore_goes_past_what_the_profile_may_have_let_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
