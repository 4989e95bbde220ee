/* What is asked about challenges beyond the plain way: items that say what cannot be, PINs and sessions, tokens of
 * other kinds, both ends of counters and time, and records whose token is gone. */
#include "ocra_fixture.h"

#define PERSONAL "OCRA-1:HOTP-SHA1-6:QN08-PSHA1-S064"
#define SHORT "OCRA-1:HOTP-SHA1-4:C-QN08"
#define SLOW "OCRA-1:HOTP-SHA1-6:QN08-T48H"
#define SLOW_BOTH "OCRA-1:HOTP-SHA1-6:C-QN08-T48H"

enum { HOTP = 1 };

static struct state *state_with(uint64_t seed, const char *suite, uint32_t *ret_ordinal)
{
    struct state *state = state_create(seed);
    state_ok(state_add(state, "acme", "ana", profile_of(state, suite), 1, 0, ret_ordinal));
    return state;
}

static void malformed(struct state *state, struct otpring_wire_ocra head, const struct asked *asked,
                      enum otpring_reason reason)
{
    assert_int_equal(ask_with(state, &state_client, head, asked), OTPRING_MALFORMED);
    assert_int_equal(state->answer.reason, reason);
}

static void an_item_that_says_what_cannot_be_is_malformed(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_with(21, CHALLENGED, &ordinal);
    char response[OCRA_RESPONSE_SIZE_MAX + 2];
    response_of(CHALLENGED, 1, 0, 0, "12345678", response);
    struct asked asked = {.response = response, .challenge = "12345678"};
    const struct otpring_wire_ocra good = head_of("ana", &asked);
    struct otpring_wire_ocra head = good;
    head.query.kind = OTPRING_QUERY_CODE;
    malformed(state, head, &asked, OTPRING_REASON_RESERVED);
    head = good;
    head.query.code = 1;
    malformed(state, head, &asked, OTPRING_REASON_RESERVED);
    head = good;
    head.query.digits = 6;
    malformed(state, head, &asked, OTPRING_REASON_RESERVED);
    head = good;
    head.query.flags = 1;
    malformed(state, head, &asked, OTPRING_REASON_RESERVED);
    head = good;
    head.query.source_class = 2;
    malformed(state, head, &asked, OTPRING_REASON_RESERVED);
    head = good;
    head.response_size = 0;
    malformed(state, head, &asked, OTPRING_REASON_CODE_RANGE);
    head = good;
    head.question_sizes[0] = 0;
    malformed(state, head, &asked, OTPRING_REASON_CODE_RANGE);
    char longer[OCRA_RESPONSE_SIZE_MAX + 2];
    memset(longer, '1', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    struct asked much = {.response = longer, .challenge = "12345678"};
    malformed(state, head_of("ana", &much), &much, OTPRING_REASON_CODE_RANGE);
    /* None of it was held against the account, and the response is still good. */
    assert_int_equal(ask_with(state, &state_client, good, &asked), OTPRING_ACCEPTED);
    head = good;
    head.query.source_class = 1;
    assert_int_equal(ask_with(state, &state_client, head, &asked), OTPRING_REPLAYED);
    state_destroy(state);
}

static void a_client_asks_for_its_own_companies_alone(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_with(22, CHALLENGED, &ordinal);
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    response_of(CHALLENGED, 1, 0, 0, "12345678", response);
    struct asked asked = {.response = response, .challenge = "12345678"};
    struct otpring_wire_ocra head = head_of("ana", &asked);
    struct core_client client = state_client;
    client.company_count = 1;
    assert_int_equal(ask_with(state, &client, head, &asked), OTPRING_REJECTED);
    assert_int_equal(state->answer.reason, OTPRING_REASON_COMPANY);
    memcpy(client.companies[0], head.query.company, 8);
    assert_int_equal(ask_with(state, &client, head, &asked), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void a_pin_and_a_session_count_where_the_suite_has_them(void **unused)
{
    (void)unused;
    static const char pin_hash[] = "12345678901234567890", other_hash[] = "12345678901234567891";
    uint32_t ordinal;
    struct state *state = state_with(23, PERSONAL, &ordinal);
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    struct ocra_input input = {.questions = {{.text = "12345678", .size = 8}},
                               .pin_hash = (const uint8_t *)pin_hash,
                               .pin_hash_size = 20,
                               .session = (const uint8_t *)"till 4",
                               .session_size = 6};
    response_to(PERSONAL, 1, &input, response);
    struct asked asked = {.response = response, .challenge = "12345678", .pin_hash = other_hash, .session = "till 4"};
    assert_int_equal(ask_with(state, &state_client, head_of("ana", &asked), &asked), OTPRING_REJECTED);
    assert_int_equal(state->answer.reason, OTPRING_REASON_NO_MATCH);
    asked.pin_hash = pin_hash;
    asked.session = "till 5";
    assert_int_equal(ask_with(state, &state_client, head_of("ana", &asked), &asked), OTPRING_REJECTED);
    asked.session = "till 4";
    assert_int_equal(ask_with(state, &state_client, head_of("ana", &asked), &asked), OTPRING_ACCEPTED);
    assert_int_equal(ask_with(state, &state_client, head_of("ana", &asked), &asked), OTPRING_REPLAYED);
    /* A token whose suite has neither takes the same item. */
    state_ok(state_add(state, "acme", "bob", profile_of(state, CHALLENGED), 2, 0, &ordinal));
    response_of(CHALLENGED, 2, 0, 0, "12345678", response);
    assert_int_equal(ask_with(state, &state_client, head_of("bob", &asked), &asked), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void the_reason_tells_which_part_was_of_another_shape(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_with(24, CHALLENGED, &ordinal);
    assert_int_equal(ask(state, "ana", "1234x678", "123456"), OTPRING_REJECTED);
    assert_int_equal(state->answer.reason, OTPRING_REASON_CHALLENGE);
    assert_int_equal(ask(state, "ana", "12345678", "1234567"), OTPRING_REJECTED);
    assert_int_equal(state->answer.reason, OTPRING_REASON_DIGITS);
    char longest[OCRA_RESPONSE_SIZE_MAX + 1];
    memset(longest, '1', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(ask(state, "ana", "12345678", longest), OTPRING_REJECTED);
    assert_int_equal(state->answer.reason, OTPRING_REASON_DIGITS);
    assert_int_equal(ask(state, "bob", "12345678", "123456"), OTPRING_UNKNOWN);
    state_destroy(state);
}

static void codes_and_responses_are_of_their_own_tokens(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_with(25, CHALLENGED, &ordinal);
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    assert_int_equal(state_verify(state, "acme", "ana", state_code(1, 0)), OTPRING_REJECTED);
    state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &ordinal));
    response_of(CHALLENGED, 2, 0, 0, "12345678", response);
    assert_int_equal(ask(state, "bob", "12345678", response), OTPRING_REJECTED);
    assert_int_equal(state->answer.reason, OTPRING_REASON_NO_MATCH);
    assert_int_equal(state_verify(state, "acme", "bob", state_code(2, 0)), OTPRING_ACCEPTED);
    /* Of an account that has one of each: either is active, so what is wrong is rejected. */
    state_ok(state_add(state, "acme", "cat", HOTP, 3, 0, &ordinal));
    state_ok(state_add(state, "acme", "cat", profile_of(state, CHALLENGED), 4, 0, &ordinal));
    response_of(CHALLENGED, 3, 0, 0, "12345678", response);
    assert_int_equal(ask(state, "cat", "12345678", response), OTPRING_REJECTED);
    response_of(CHALLENGED, 4, 0, 0, "12345678", response);
    assert_int_equal(ask(state, "cat", "12345678", response), OTPRING_ACCEPTED);
    assert_int_equal(state_verify(state, "acme", "cat", state_code(3, 0)), OTPRING_ACCEPTED);
    state_destroy(state);
}

/* Four digits are few: two devices that answer one challenge alike are soon found. */
static void a_response_that_fits_two_tokens_is_used_up_for_each(void **unused)
{
    (void)unused;
    uint32_t first, second;
    struct state *state = state_with(26, SHORT, &first);
    char response[OCRA_RESPONSE_SIZE_MAX + 1], other[OCRA_RESPONSE_SIZE_MAX + 1], challenge[16];
    state_ok(state_add(state, "acme", "ana", profile_of(state, SHORT), 2, 0, &second));
    for (uint32_t i = 0; i < 1000000; i++) {
        snprintf(challenge, sizeof challenge, "%08u", i);
        response_of(SHORT, 1, 0, 0, challenge, response);
        response_of(SHORT, 2, 0, 0, challenge, other);
        if (strcmp(response, other) == 0) break;
    }
    assert_string_equal(response, other);
    assert_int_equal(ask(state, "ana", challenge, response), OTPRING_ACCEPTED);
    assert_int_equal(state_floor(state, first) + state_floor(state, second), 1);
    assert_int_equal(ask(state, "ana", challenge, response), OTPRING_ACCEPTED);
    assert_int_equal(state_floor(state, first), 1);
    assert_int_equal(state_floor(state, second), 1);
    assert_int_equal(ask(state, "ana", challenge, response), OTPRING_REPLAYED);
    state_destroy(state);
}

/* A record of the journal, put to the engine as a re-run puts it. */
static void run_again(struct state *state, uint32_t ordinal, uint8_t method, uint64_t token)
{
    const struct slot_verify slot = {.token = token,
                                     .ordinal = ordinal,
                                     .first_ordinal = ordinal,
                                     .verdict = OTPRING_ACCEPTED,
                                     .method = method,
                                     .kind = SLOT_VERIFY};
    state_ok(core_rerun_verify(state->core, &slot));
}

static void a_counter_goes_to_the_greatest_step_and_no_further(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_with(27, COUNTED, &ordinal);
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    uint64_t word = atomic_load(&state_line(state, ordinal).tail->token);
    run_again(state, ordinal, OTPRING_QUERY_OCRA, token_word(0xfffffffd, token_change(word)));
    assert_int_equal(state_floor(state, ordinal), 0xfffffffd);
    response_of(COUNTED, 1, 0xffffffff, 0, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_REJECTED);
    response_of(COUNTED, 1, 0xfffffffe, 0, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_ACCEPTED);
    assert_int_equal(state_floor(state, ordinal), 0xffffffff);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_REPLAYED);
    state_destroy(state);
}

/* Further behind, a used response is a wrong one. */
static void a_counter_looks_one_step_behind_its_floor_and_no_further(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_with(31, COUNTED, &ordinal);
    char first[OCRA_RESPONSE_SIZE_MAX + 1], second[OCRA_RESPONSE_SIZE_MAX + 1];
    response_of(COUNTED, 1, 0, 0, "12345678", first);
    response_of(COUNTED, 1, 1, 0, "12345678", second);
    assert_int_equal(ask(state, "ana", "12345678", first), OTPRING_ACCEPTED);
    assert_int_equal(ask(state, "ana", "12345678", first), OTPRING_REPLAYED);
    assert_int_equal(ask(state, "ana", "12345678", second), OTPRING_ACCEPTED);
    assert_int_equal(ask(state, "ana", "12345678", first), OTPRING_REJECTED);
    assert_int_equal(ask(state, "ana", "12345678", second), OTPRING_REPLAYED);
    state_destroy(state);
}

static void the_first_step_of_time_has_none_before_it(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_create_at(28, 1000); /* a second after the beginning of 1970 */
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    state_ok(state_add(state, "acme", "ana", profile_of(state, SLOW), 1, 0, &ordinal));
    response_of(SLOW, 1, 0, UINT64_MAX, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_REJECTED);
    response_of(SLOW, 1, 0, 0, "12345678", response);
    assert_int_equal(ask(state, "ana", "12345678", response), OTPRING_ACCEPTED);
    /* Nor beside a counter, which is what would be used up. */
    state_ok(state_add(state, "acme", "bob", profile_of(state, SLOW_BOTH), 2, 0, &ordinal));
    response_of(SLOW_BOTH, 2, 0, UINT64_MAX, "12345678", response);
    assert_int_equal(ask(state, "bob", "12345678", response), OTPRING_REJECTED);
    response_of(SLOW_BOTH, 2, 0, 0, "12345678", response);
    assert_int_equal(ask(state, "bob", "12345678", response), OTPRING_ACCEPTED);
    state_destroy(state);
}

static uint64_t marks_now(struct state *state)
{
    struct core_status status;
    core_status(state->core, &status);
    return status.marks;
}

static void a_recorded_mark_is_kept_whatever_became_of_its_token(void **unused)
{
    (void)unused;
    uint32_t ordinal;
    struct state *state = state_with(29, CHALLENGED, &ordinal);
    run_again(state, UINT32_MAX, METHOD_OCRA_MARKED, 71);
    run_again(state, ordinal + 1, METHOD_OCRA_MARKED, 72);
    assert_int_equal(marks_now(state), 2);
    assert_int_equal(state_floor(state, ordinal), 0);
    run_again(state, ordinal, METHOD_OCRA_MARKED, 72);
    assert_int_equal(marks_now(state), 2);
    assert_int_equal(state_floor(state, ordinal), 1);
    /* A record without a mark says that nothing was used. */
    run_again(state, ordinal, METHOD_OCRA_MARKED, 0);
    assert_int_equal(marks_now(state), 2);
    state_destroy(state);
}

static void more_marks_than_a_block_has_are_in_the_checkpoint(void **unused)
{
    (void)unused;
    enum { MANY = 2 * MARKS_BLOCK + 5 };
    uint32_t ordinal;
    struct state *state = state_with(30, CHALLENGED, &ordinal);
    for (uint64_t i = 1; i <= MARKS_BLOCK; i++) run_again(state, ordinal, METHOD_OCRA_MARKED, i);
    state_ok(core_checkpoint(state->worker));
    for (uint64_t i = 1; i <= MANY; i++) run_again(state, ordinal, METHOD_OCRA_MARKED, i);
    state_stop(state);
    state_ok(state_open(state));
    assert_int_equal(marks_now(state), MANY);
    for (uint64_t i = 1; i <= MANY; i++) assert_true(marks_has(state->core->marks, i));
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_that_says_what_cannot_be_is_malformed),
        cmocka_unit_test(a_client_asks_for_its_own_companies_alone),
        cmocka_unit_test(a_pin_and_a_session_count_where_the_suite_has_them),
        cmocka_unit_test(the_reason_tells_which_part_was_of_another_shape),
        cmocka_unit_test(codes_and_responses_are_of_their_own_tokens),
        cmocka_unit_test(a_response_that_fits_two_tokens_is_used_up_for_each),
        cmocka_unit_test(a_counter_goes_to_the_greatest_step_and_no_further),
        cmocka_unit_test(a_counter_looks_one_step_behind_its_floor_and_no_further),
        cmocka_unit_test(the_first_step_of_time_has_none_before_it),
        cmocka_unit_test(a_recorded_mark_is_kept_whatever_became_of_its_token),
        cmocka_unit_test(more_marks_than_a_block_has_are_in_the_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
