/* Responses to challenges in the turn: what each kind of suite uses up, and what crashes, stops and restores leave of
 * it. */
#include "ocra_fixture.h"

int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

#define NOW_STEP (STATE_WALL_S / 60)

static void a_step_of_time_is_used_up_and_the_window_is_one_each_way(void **unused)
{
    (void)unused;
    struct state *state = state_create(1);
    uint32_t ordinal;
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    state_ok(state_add(state, "acme", "ana", profile_of(state, TIMED), 1, 0, &ordinal));
    response_of(TIMED, 1, 0, NOW_STEP + 2, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_REJECTED);
    response_of(TIMED, 1, 0, NOW_STEP - 1, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_ACCEPTED);
    assert_int_equal(state_floor(state, ordinal), NOW_STEP);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_REPLAYED);
    response_of(TIMED, 1, 0, NOW_STEP - 1, "87654321", response);
    assert_int_equal(ask(state, "ana", "87654321", response), OTPRING_REPLAYED);
    response_of(TIMED, 1, 0, NOW_STEP + 1, "87654321", response);
    assert_int_equal(ask(state, "ana", "87654321", response), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void a_counter_with_time_uses_up_the_counter(void **unused)
{
    (void)unused;
    struct state *state = state_create(2);
    uint32_t ordinal;
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    state_ok(state_add(state, "acme", "ana", profile_of(state, BOTH), 1, 40, &ordinal));
    response_of(BOTH, 1, 51, NOW_STEP, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_REJECTED);
    response_of(BOTH, 1, 45, NOW_STEP + 1, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_ACCEPTED);
    assert_int_equal(state_floor(state, ordinal), 46);
    response_of(BOTH, 1, 45, NOW_STEP, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_REPLAYED);
    response_of(BOTH, 1, 46, NOW_STEP, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_ACCEPTED);
    state_destroy(state);
}

/* Every one of these was accepted, and is never again. */
static void ask_all_again(struct state *state, unsigned count)
{
    char response[OCRA_RESPONSE_SIZE_MAX + 1], challenge[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(challenge, sizeof challenge, "1000%04u", i);
        response_of(CHALLENGED, 1, 0, 0, challenge, response);
        assert_int_equal(ask(state, "ana", challenge, response), OTPRING_REPLAYED);
    }
}

static unsigned use(struct state *state, unsigned from, unsigned count)
{
    char response[OCRA_RESPONSE_SIZE_MAX + 1], challenge[16];
    for (unsigned i = from; i < from + count; i++) {
        snprintf(challenge, sizeof challenge, "1000%04u", i);
        response_of(CHALLENGED, 1, 0, 0, challenge, response);
        assert_int_equal(ask(state, "ana", challenge, response), OTPRING_ACCEPTED);
    }
    return from + count;
}

static void used_responses_outlive_crashes_checkpoints_and_the_line(void **unused)
{
    (void)unused;
    struct state *state = state_create(3);
    uint32_t ordinal;
    uint16_t profile = profile_of(state, CHALLENGED);
    state_ok(state_add(state, "acme", "ana", profile, 1, 0, &ordinal));
    unsigned used = use(state, 0, 40);
    assert_int_equal(state_floor(state, ordinal), 1);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_floor(state, ordinal), 1);
    ask_all_again(state, used);
    state_ok(core_checkpoint(state->worker));
    used = use(state, used, 40);
    state_ok(core_checkpoint(state->worker));
    used = use(state, used, 3);
    state_crash(state);
    state_ok(state_open(state));
    ask_all_again(state, used);
    state_stop(state);
    state_ok(state_open(state));
    ask_all_again(state, used);
    /* The seed goes and comes back on another line. */
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinal, 1));
    state_ok(state_add(state, "acme", "ana", profile, 1, 0, &ordinal));
    ask_all_again(state, used);
    (void)use(state, used, 1);
    struct core_status status;
    core_status(state->core, &status);
    assert_int_equal(status.marks, used + 1);
    state_destroy(state);
}

static void a_suspended_token_answers_nothing_and_loses_nothing(void **unused)
{
    (void)unused;
    struct state *state = state_create(4);
    uint32_t ordinal;
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    state_ok(state_add(state, "acme", "ana", profile_of(state, CHALLENGED), 1, 0, &ordinal));
    response_of(CHALLENGED, 1, 0, 0, "12345678", response);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &ordinal, 1));
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_INACTIVE);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_RESUME, &ordinal, 1));
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void without_room_for_marks_it_is_unavailable_and_the_response_stays_good(void **unused)
{
    (void)unused;
    struct state *state = state_create(5);
    uint32_t ordinal;
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    state_ok(state_add(state, "acme", "ana", profile_of(state, CHALLENGED), 1, 0, &ordinal));
    state_stop(state);
    state->options.marks_max = 2;
    state_ok(state_open(state));
    unsigned used = use(state, 0, 2);
    response_of(CHALLENGED, 1, 0, 0, "10000002", response);
    assert_int_equal(ask(state, "ana", "10000002", response), OTPRING_UNAVAILABLE);
    assert_int_equal(state->answer.reason, OTPRING_REASON_MARKS);
    /* What was used is still known as used, and what is wrong as wrong. */
    ask_all_again(state, used);
    assert_int_equal(ask(state, "ana", "10000002", "000000"), OTPRING_REJECTED);
    state_stop(state);
    state->options.marks_max = 100;
    state_ok(state_open(state));
    ask_all_again(state, used);
    (void)use(state, used, 1);
    state_destroy(state);
}

static unsigned failures_of(struct state *state, uint32_t ordinal)
{
    return budget_failures(atomic_load(&state_line(state, ordinal).tail->budget), 0);
}

/* It can be entered as often as one likes: were failures reset each time, whoever saw one could guess for ever. */
static void a_good_response_that_is_not_used_up_resets_no_failures(void **unused)
{
    (void)unused;
    struct state *state = state_create(8);
    uint32_t ordinal;
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    state_ok(state_add(state, "acme", "ana", profile_of(state, CHALLENGED), 1, 0, &ordinal));
    state_stop(state);
    state->options.marks_max = 1;
    state_ok(state_open(state));
    (void)use(state, 0, 1);
    response_of(CHALLENGED, 1, 0, 0, "10000001", response);
    for (unsigned failures = 1; failures <= 3; failures++) {
        assert_int_equal(ask(state, "ana", "20000000", "000000"), OTPRING_REJECTED);
        assert_int_equal(ask(state, "ana", "10000001", response), OTPRING_UNAVAILABLE);
        assert_int_equal(failures_of(state, ordinal), failures);
    }
    state_crash(state);
    state->options.marks_max = 2;
    state_ok(state_open(state));
    assert_int_equal(failures_of(state, ordinal), 3);
    assert_int_equal(ask(state, "ana", "10000001", response), OTPRING_ACCEPTED);
    assert_int_equal(failures_of(state, ordinal), 0);
    state_destroy(state);
}

static void a_desk_resynchronises_no_such_token(void **unused)
{
    (void)unused;
    struct state *state = state_create(6);
    uint32_t ordinal;
    enum otpring_verdict verdict;
    state_ok(state_add(state, "acme", "ana", profile_of(state, COUNTED), 1, 0, &ordinal));
    state_is(core_token_resync(state->worker, &state_actor, ordinal, 123456, 123457, 6, &verdict), BAD_ARGUMENT);
    state_destroy(state);
}

static void profiles_keep_their_suite_and_say_the_same(void **unused)
{
    (void)unused;
    struct state *state = state_create(7);
    struct profile_row row;
    uint32_t ordinal;
    uint16_t id = profile_of(state, TIMED), again = profile_of(state, TIMED);
    assert_int_equal(id, again);
    state_is(core_profile_for_suite(state->worker, &state_actor, "OCRA-1:HOTP-SHA1-6:QX08", &again), BAD_SUITE);
    assert_true(core_profile_get(state->core, id, &row));
    assert_int_equal(row.type, OTP_OCRA);
    assert_int_equal(row.period_s, 60);
    assert_int_equal(row.digits, 6);
    state_ok(state_add(state, "acme", "ana", id, 1, 0, &ordinal));
    strcpy(row.suite, CHALLENGED);
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), BAD_SUITE); /* it has a period */
    row.period_s = 0;
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), STORE_IN_USE);
    strcpy(row.suite, "OCRA-1:HOTP-SHA1-6:QA08-T1M"); /* the same but for what a challenge may be */
    row.period_s = 60;
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), STORE_IN_USE);
    state_stop(state);
    state_ok(state_open(state));
    assert_true(core_profile_get(state->core, id, &row));
    assert_string_equal(row.suite, TIMED);
    state_destroy(state);
}

static void a_profile_and_its_suite_agree_or_it_is_refused(void **unused)
{
    (void)unused;
    struct state *state = state_create(9);
    struct profile_row good, row;
    uint16_t id = profile_of(state, TIMED);
    assert_true(core_profile_get(state->core, id, &good));
    row = good;
    row.algorithm = KERNEL_SHA256;
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), BAD_SUITE);
    row = good;
    row.digits = 8;
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), BAD_SUITE);
    row = good;
    row.t0_s = 1;
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), BAD_SUITE);
    /* Codes have no suite. */
    assert_true(core_profile_get(state->core, 0, &row));
    strcpy(row.suite, TIMED);
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), BAD_SUITE);
    state_destroy(state);
}

/* The engine computes responses with the key of such a token (approval/exchange.h): what it computes must open nothing
 * else, and it computes none for tokens that answer plain challenges. */
static void a_token_answers_exchanges_or_plain_challenges_and_never_both(void **unused)
{
    (void)unused;
    struct state *state = state_create(9);
    struct core_client exchange = state_client;
    struct profile_row row;
    uint16_t plain = profile_of(state, CHALLENGED), mutual;
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    uint32_t ordinal;
    exchange.rights |= CORE_RIGHT_EXCHANGE;
    assert_true(core_profile_get(state->core, plain, &row));
    row.id = UINT16_MAX, row.mutual = true;
    state_ok(core_profile_set(state->worker, &state_actor, &row, &mutual));
    assert_int_equal(profile_of(state, CHALLENGED), plain); /* not the other one, which says more */
    state_ok(state_add(state, "acme", "ana", plain, 1, 0, &ordinal));
    state_ok(state_add(state, "acme", "luis", mutual, 2, 0, &ordinal));
    response_of(CHALLENGED, 1, 0, 0, "12345678", response);
    struct asked asked = {.response = response, .challenge = "12345678"};
    assert_int_equal(ask_with(state, &exchange, head_of("ana", &asked), &asked), OTPRING_REJECTED);
    assert_int_equal(ask_with(state, &state_client, head_of("ana", &asked), &asked), OTPRING_ACCEPTED);
    response_of(CHALLENGED, 2, 0, 0, "12345678", response);
    assert_int_equal(ask_with(state, &state_client, head_of("luis", &asked), &asked), OTPRING_REJECTED);
    assert_int_equal(ask_with(state, &exchange, head_of("luis", &asked), &asked), OTPRING_ACCEPTED);
    assert_int_equal(ask_with(state, &exchange, head_of("luis", &asked), &asked), OTPRING_REPLAYED);
    /* The mode of a profile in use stays. */
    row.id = mutual, row.mutual = false;
    state_is(core_profile_set(state->worker, &state_actor, &row, &mutual), STORE_IN_USE);
    state_stop(state);
    state_ok(state_open(state));
    assert_true(core_profile_get(state->core, mutual, &row) && row.mutual);
    assert_true(core_profile_get(state->core, plain, &row) && !row.mutual);
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_of_time_is_used_up_and_the_window_is_one_each_way),
        cmocka_unit_test(a_counter_with_time_uses_up_the_counter),
        cmocka_unit_test(used_responses_outlive_crashes_checkpoints_and_the_line),
        cmocka_unit_test(a_suspended_token_answers_nothing_and_loses_nothing),
        cmocka_unit_test(without_room_for_marks_it_is_unavailable_and_the_response_stays_good),
        cmocka_unit_test(a_good_response_that_is_not_used_up_resets_no_failures),
        cmocka_unit_test(a_desk_resynchronises_no_such_token),
        cmocka_unit_test(profiles_keep_their_suite_and_say_the_same),
        cmocka_unit_test(a_profile_and_its_suite_agree_or_it_is_refused),
        cmocka_unit_test(a_token_answers_exchanges_or_plain_challenges_and_never_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
