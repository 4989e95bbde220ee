/* Judging where something is at its end: no steps left below zero, budgets of candidates used up, tokens whose profile
 * does not fit, codes that two tokens know; and what a client is told that may not see states. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#include "core/state.h"
#include "core/verify.h"

static int setup(void **state)
{
    *state = fixture_create(1);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static void expect(struct otpring_wire_answer answer, enum otpring_verdict verdict, enum otpring_reason reason)
{
    assert_string_equal(otpring_verdict_name(answer.verdict), otpring_verdict_name(verdict));
    assert_int_equal(answer.reason, reason);
}

/* The profile, to be changed and published anew. */
static struct profile_row row_of(struct fixture *f, unsigned profile)
{
    return f->core.profiles[profile].row;
}

/* ---- pairs of adjacent codes ---- */

static struct otpring_wire_answer pair_of(struct fixture *f, const struct token *token, uint64_t step)
{
    return ask_pair(f, token, token_code(f, token, step), token_code(f, token, step + 1));
}

static void a_pair_teaches_no_more_drift_than_a_line_can_hold(void **state)
{
    struct fixture *f = *state;
    struct profile_row row = row_of(f, PROFILE_TOTP);
    row.resync_window = 500;
    profile_publish(&f->core, &row);
    struct token token = fixture_token(f, 1, 1, PROFILE_TOTP, 1, 0);
    uint64_t now = totp_now(f, &token);
    expect(pair_of(f, &token, now + 300), OTPRING_ACCEPTED, 0);
    assert_int_equal(atomic_load(&token.hit.tail->drift), INT8_MAX);
    assert_int_equal(floor_of(&token), now + 302);
}

static void near_the_beginning_of_time_there_are_no_steps_below_zero(void **state)
{
    struct fixture *f = *state;
    struct profile_row row = row_of(f, PROFILE_TOTP);
    row.t0_s = FIXTURE_WALL_S - 5 * 30;
    profile_publish(&f->core, &row);
    struct token token = fixture_token(f, 1, 1, PROFILE_TOTP, 1, 0);
    expect(ask_one(f, &token, token_wrong_code(f, &token, 5)), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
    expect(pair_of(f, &token, 0), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&token), 2);
}

static void a_pair_is_judged_for_what_the_account_has(void **state)
{
    struct fixture *f = *state;
    struct token suspended = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    atomic_fetch_or(&suspended.hit.tail->flags, TABLE_SUSPENDED);
    expect(pair_of(f, &suspended, 3), OTPRING_INACTIVE, 0);
    struct token nobody = suspended;
    fixture_name(9, 9, nobody.name);
    expect(pair_of(f, &nobody, 3), OTPRING_UNKNOWN, 0);
    struct token wide = fixture_token(f, 1, 2, PROFILE_TOTP_SHA256_8, 2, 0);
    struct otpring_wire_pair short_of = {.query = query_of(f, &wide, 1), .code_next = 2};
    short_of.query.digits = 6;
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_RESYNC, &short_of, 1);
    expect(*frame_ask(f, 0, &frame), OTPRING_REJECTED, OTPRING_REASON_DIGITS);
    /* Two tokens of one seed under one account: one of them is consumed, the first. */
    struct token one = fixture_token(f, 1, 3, PROFILE_HOTP, 3, 0), other = fixture_token(f, 1, 3, PROFILE_HOTP, 3, 0);
    expect(pair_of(f, &one, 7), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&one) + floor_of(&other), 9);
}

/* A frame of as many pairs as it takes: the rest is told that the engine is busy, and nobody is charged for that. */
static void more_pairs_than_a_turn_may_search_are_put_off(void **state)
{
    struct fixture *f = *state;
    enum { PAIRS = 4000 };
    static struct otpring_wire_pair pairs[PAIRS];
    for (unsigned profile = 0; profile < 2; profile++) {
        struct profile_row row = row_of(f, profile);
        row.resync_window = 2000;
        profile_publish(&f->core, &row);
    }
    uint64_t session = fixture_session(f, &f->client, 1, PAIRS);
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    for (uint32_t i = 0; i < PAIRS; i++) {
        struct token asked = token;
        if (i % 2) fixture_name(9, i, asked.name);
        pairs[i] = (struct otpring_wire_pair){.query = query_of(f, &asked, 123456), .code_next = 654321};
    }
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_RESYNC, pairs, PAIRS);
    frame.header.session = session;
    frame.header.sequence = 1;
    const struct otpring_wire_answer *answers = frame_ask(f, 0, &frame);
    unsigned busy = 0, known = 0, unknown = 0;
    for (uint32_t i = 0; i < PAIRS; i++) {
        bool is_busy = answers[i].verdict == OTPRING_UNAVAILABLE && answers[i].reason == OTPRING_REASON_BUSY;
        busy += is_busy;
        *(i % 2 ? &unknown : &known) += is_busy;
    }
    assert_true(busy > 0 && busy < PAIRS && known > 0 && unknown > 0);
    /* Asked again under the same number: what was answered stays, also while the clock is unsure; the rest is judged
     * when it may be. */
    static struct otpring_wire_answer first[PAIRS];
    memcpy(first, answers, sizeof first);
    os_sim_synchronised_set(f->world, false);
    for (int sound = 0; sound < 2; sound++) {
        unsigned left = 0;
        os_sim_step_wall_ms(f->world, sound ? 3600 * 1000 : -3600 * 1000);
        answers = frame_ask(f, 0, &frame);
        for (uint32_t i = 0; i < PAIRS; i++) {
            left += answers[i].verdict == OTPRING_UNAVAILABLE;
            if (first[i].verdict != OTPRING_UNAVAILABLE) assert_int_equal(answers[i].verdict, first[i].verdict);
        }
        assert_true(sound ? left < busy : left == busy);
    }
}

/* The first of a turn is searched for however much it takes: else an account of many tokens would never be. */
static void the_first_pair_of_a_turn_is_searched_for_whatever_it_takes(void **state)
{
    struct fixture *f = *state;
    struct profile_row row = row_of(f, PROFILE_HOTP);
    row.resync_window = 2000;
    profile_publish(&f->core, &row);
    struct token tokens[8];
    for (uint32_t i = 0; i < 8; i++) tokens[i] = fixture_token(f, 1, 1, PROFILE_HOTP, 40 + i, 0);
    expect(pair_of(f, &tokens[7], 1500), OTPRING_ACCEPTED, 0);
}

/* Eight tokens of 90 far steps each are more than the 512 and one of a turn of one query. */
static void the_first_far_code_of_a_turn_is_searched_for_whatever_it_takes(void **state)
{
    struct fixture *f = *state;
    struct token tokens[2][8];
    struct otpring_wire_query queries[2];
    for (uint32_t account = 0; account < 2; account++) {
        for (uint32_t i = 0; i < 8; i++)
            tokens[account][i] = fixture_token(f, 14, account, PROFILE_HOTP, 80 + 8 * account + i, 0);
        queries[account] = query_of(f, &tokens[account][7], token_code(f, &tokens[account][7], 60));
    }
    expect(ask_one(f, &tokens[0][7], token_code(f, &tokens[0][7], 61)), OTPRING_RESYNC, OTPRING_REASON_FAR);
    const struct otpring_wire_answer *answers = ask(f, queries, 2);
    expect(answers[0], OTPRING_RESYNC, OTPRING_REASON_FAR);
    expect(answers[1], OTPRING_REJECTED, OTPRING_REASON_NOT_SEARCHED);
    expect(*ask(f, queries + 1, 1), OTPRING_RESYNC, OTPRING_REASON_FAR);
}

static void a_malformed_pair_is_told_so(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    struct otpring_wire_pair pair = {.query = query_of(f, &token, 1), .code_next = 2, .reserved = 1};
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_RESYNC, &pair, 1);
    expect(*frame_ask(f, 0, &frame), OTPRING_MALFORMED, OTPRING_REASON_RESERVED);
    pair = (struct otpring_wire_pair){.query = query_of(f, &token, 1), .code_next = 1000000};
    frame = frame_of(f, 0, OTPRING_WIRE_RESYNC, &pair, 1);
    expect(*frame_ask(f, 0, &frame), OTPRING_MALFORMED, OTPRING_REASON_CODE_RANGE);
    /* Whether a code is required is not asked by pairs. */
    pair.code_next = 0;
    pair.query.kind = OTPRING_QUERY_REQUIRED;
    pair.query.code = pair.query.digits = 0;
    frame = frame_of(f, 0, OTPRING_WIRE_RESYNC, &pair, 1);
    expect(*frame_ask(f, 0, &frame), OTPRING_MALFORMED, OTPRING_REASON_RESERVED);
}

static void no_number_of_digits_but_6_to_8_fits_a_code(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    for (unsigned digits = 0; digits < 256; digits++) {
        if (digits >= 6 && digits <= 8) continue;
        struct otpring_wire_query query = query_of(f, &token, 0);
        query.digits = (uint8_t)digits;
        expect(*ask(f, &query, 1), OTPRING_MALFORMED, OTPRING_REASON_CODE_RANGE);
    }
}

/* ---- far codes ---- */

static void a_far_code_of_a_suspended_token_is_not_told_and_of_two_tokens_once(void **state)
{
    struct fixture *f = *state;
    struct token suspended = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    atomic_fetch_or(&suspended.hit.tail->flags, TABLE_SUSPENDED);
    expect(ask_one(f, &suspended, token_code(f, &suspended, 50)), OTPRING_INACTIVE, 0);
    struct token one = fixture_token(f, 1, 2, PROFILE_HOTP, 2, 0);
    fixture_token(f, 1, 2, PROFILE_HOTP, 2, 0);
    expect(ask_one(f, &one, token_code(f, &one, 50)), OTPRING_RESYNC, OTPRING_REASON_FAR);
}

/* ---- profiles ---- */

static void a_line_whose_profile_is_gone_or_of_another_algorithm_is_unavailable(void **state)
{
    struct fixture *f = *state;
    static const uint16_t profiles[] = {PROFILE_NONE, CORE_PROFILES_MAX, PROFILE_TOTP_SHA256_8};
    for (uint32_t i = 0; i < 3; i++) {
        struct token token = fixture_token(f, 1, 1 + i, PROFILE_HOTP, 1 + i, 0);
        struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 0));
        atomic_store(&token.hit.tail->profile, profiles[i]);
        const struct otpring_wire_answer *answer = ask(f, &query, 1);
        assert_int_not_equal(answer->verdict, OTPRING_ACCEPTED);
        assert_int_equal(floor_of(&token), 0);
    }
}

static void names_that_do_not_exist_are_tried_on_a_counter_where_that_is_the_first_profile(void **state)
{
    struct fixture *f = *state;
    struct profile_row row = row_of(f, PROFILE_HOTP);
    row.id = 0;
    profile_publish(&f->core, &row);
    struct token nobody = {.profile = PROFILE_HOTP};
    fixture_name(9, 9, nobody.name);
    expect(ask_one(f, &nobody, 123456), OTPRING_UNKNOWN, 0);
    expect(ask_pair(f, &nobody, 123456, 654321), OTPRING_UNKNOWN, 0);
}

/* ---- what is told ---- */

static struct otpring_wire_answer ask_as(struct fixture *f, const struct core_client *client, uint64_t session,
                                         uint32_t sequence, const struct otpring_wire_query *query)
{
    struct core_client of = *client;
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_VERIFY, query, 1);
    frame.header.session = session;
    frame.header.sequence = sequence;
    frame.client = &of;
    return *frame_ask(f, 0, &frame);
}

static void a_client_that_sees_no_states_is_told_of_its_companies_and_of_what_was_not_searched(void **state)
{
    struct fixture *f = *state;
    struct core_client client = {.id = 5, .name = "blind", .rights = CORE_RIGHT_VERIFY, .company_count = 1};
    uint8_t name[16];
    fixture_name(1, 1, name);
    memcpy(client.companies[0], name, 8);
    uint64_t session = fixture_session(f, &client, 1, 16);
    struct token ours = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0), theirs = fixture_token(f, 2, 1, PROFILE_HOTP, 2, 0);
    struct token other = fixture_token(f, 1, 2, PROFILE_HOTP, 3, 0);
    struct otpring_wire_query query = query_of(f, &theirs, token_code(f, &theirs, 0));
    expect(ask_as(f, &client, session, 1, &query), OTPRING_REJECTED, OTPRING_REASON_COMPANY);
    query = query_of(f, &ours, token_wrong_code(f, &ours, 0));
    expect(ask_as(f, &client, session, 2, &query), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
    f->core.options.resync_candidates_per_turn = 1;
    struct otpring_wire_query far[2] = {query_of(f, &ours, token_wrong_code(f, &ours, 0)),
                                        query_of(f, &other, token_wrong_code(f, &other, 0))};
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_VERIFY, far, 2);
    frame.header.session = session;
    frame.header.sequence = 3;
    frame.client = &client;
    const struct otpring_wire_answer *answers = frame_ask(f, 0, &frame);
    expect(answers[0], OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
    expect(answers[1], OTPRING_REJECTED, OTPRING_REASON_NOT_SEARCHED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_pair_teaches_no_more_drift_than_a_line_can_hold),
        TEST(near_the_beginning_of_time_there_are_no_steps_below_zero),
        TEST(a_pair_is_judged_for_what_the_account_has),
        TEST(more_pairs_than_a_turn_may_search_are_put_off),
        TEST(the_first_pair_of_a_turn_is_searched_for_whatever_it_takes),
        TEST(the_first_far_code_of_a_turn_is_searched_for_whatever_it_takes),
        TEST(a_malformed_pair_is_told_so),
        TEST(no_number_of_digits_but_6_to_8_fits_a_code),
        TEST(a_far_code_of_a_suspended_token_is_not_told_and_of_two_tokens_once),
        TEST(a_line_whose_profile_is_gone_or_of_another_algorithm_is_unavailable),
        TEST(names_that_do_not_exist_are_tried_on_a_counter_where_that_is_the_first_profile),
        TEST(a_client_that_sees_no_states_is_told_of_its_companies_and_of_what_was_not_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
