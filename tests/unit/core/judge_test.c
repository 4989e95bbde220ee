/* The rules of judgment, one by one, through whole turns on the simulated os. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

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

static void advance_s(struct fixture *f, uint64_t s)
{
    os_sim_advance_ms(f->world, s * 1000);
}

/* ---- accepted and replayed ---- */

static void a_right_code_is_accepted_once_and_then_replayed(void **state)
{
    struct fixture *f = *state;
    struct token totp = fixture_token(f, 1, 1, PROFILE_TOTP, 1, 0);
    struct token wide = fixture_token(f, 1, 2, PROFILE_TOTP_SHA256_8, 2, 0);
    struct token hotp = fixture_token(f, 1, 3, PROFILE_HOTP, 3, 0);
    const struct token *tokens[] = {&totp, &wide};
    for (int i = 0; i < 2; i++) {
        expect(ask_one(f, tokens[i], totp_code(f, tokens[i], 0)), OTPRING_ACCEPTED, 0);
        expect(ask_one(f, tokens[i], totp_code(f, tokens[i], 0)), OTPRING_REPLAYED, OTPRING_REASON_USED);
        assert_int_equal(floor_of(tokens[i]), totp_now(f, tokens[i]) + 1);
    }
    expect(ask_one(f, &hotp, token_code(f, &hotp, 0)), OTPRING_ACCEPTED, 0);
    expect(ask_one(f, &hotp, token_code(f, &hotp, 0)), OTPRING_REPLAYED, OTPRING_REASON_USED);
    assert_int_equal(floor_of(&hotp), 1);
}

static void one_code_sent_64_times_in_a_batch_is_accepted_exactly_once(void **state)
{
    struct fixture *f = *state;
    for (uint32_t user = 0; user < 2; user++) {
        struct token token = fixture_token(f, 2, user, user ? PROFILE_HOTP : PROFILE_TOTP, user, 0);
        struct otpring_wire_query queries[64];
        uint32_t code = user ? token_code(f, &token, 3) : totp_code(f, &token, 0);
        for (int i = 0; i < 64; i++) queries[i] = query_of(f, &token, code);
        const struct otpring_wire_answer *answers = ask(f, queries, 64);
        expect(answers[0], OTPRING_ACCEPTED, 0);
        for (int i = 1; i < 64; i++) expect(answers[i], OTPRING_REPLAYED, OTPRING_REASON_USED);
        assert_int_equal(budget_of(&token), 0);
    }
}

static void ascending_hotp_codes_of_one_token_in_a_batch_are_all_accepted(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 2, 1, PROFILE_HOTP, 9, 100);
    struct otpring_wire_query queries[40];
    for (uint32_t i = 0; i < 40; i++) queries[i] = query_of(f, &token, token_code(f, &token, 100 + i));
    const struct otpring_wire_answer *answers = ask(f, queries, 40);
    for (int i = 0; i < 40; i++) expect(answers[i], OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&token), 140);
}

static void hotp_looks_ahead_as_far_as_the_profile_says(void **state)
{
    struct fixture *f = *state;
    f->core.profiles[PROFILE_HOTP].row.resync_window = 0;
    f->core.profile_version += 2;
    struct token token = fixture_token(f, 3, 1, PROFILE_HOTP, 3, 50);
    expect(ask_one(f, &token, token_code(f, &token, 61)), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
    expect(ask_one(f, &token, token_code(f, &token, 60)), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&token), 61);
}

static void hotp_looks_back_one_step_and_rejects_older_codes(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 3, 2, PROFILE_HOTP, 4, 50);
    expect(ask_one(f, &token, token_code(f, &token, 49)), OTPRING_REPLAYED, OTPRING_REASON_USED);
    expect(ask_one(f, &token, token_code(f, &token, 48)), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
}

static void totp_accepts_the_window_and_nothing_beyond(void **state)
{
    struct fixture *f = *state;
    f->core.profiles[PROFILE_TOTP].row.resync_window = 0;
    f->core.profile_version += 2;
    for (int distance = -2; distance <= 2; distance++) {
        struct token token = fixture_token(f, 4, (uint32_t)(distance + 5), PROFILE_TOTP, (uint32_t)(40 + distance), 0);
        enum otpring_verdict verdict = abs(distance) <= 1 ? OTPRING_ACCEPTED : OTPRING_REJECTED;
        assert_int_equal(ask_one(f, &token, totp_code(f, &token, distance)).verdict, verdict);
    }
}

static void a_code_older_than_one_used_is_replayed_within_the_window(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 4, 1, PROFILE_TOTP, 5, 0);
    expect(ask_one(f, &token, totp_code(f, &token, 1)), OTPRING_ACCEPTED, 0);
    /* The device is one step ahead as far as is known, so its window is 0 to 2 now. */
    expect(ask_one(f, &token, totp_code(f, &token, 0)), OTPRING_REPLAYED, OTPRING_REASON_USED);
    expect(ask_one(f, &token, totp_code(f, &token, -1)), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
}

static void drift_is_learned_and_kept_within_its_limit(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 4, 1, PROFILE_TOTP, 6, 0);
    for (int drift = 1; drift <= 3; drift++) {
        expect(ask_one(f, &token, totp_code(f, &token, drift)), OTPRING_ACCEPTED, 0);
        assert_int_equal(token.hit.tail->drift, drift);
    }
    expect(ask_one(f, &token, totp_code(f, &token, 4)), OTPRING_ACCEPTED, 0);
    assert_int_equal(token.hit.tail->drift, 3);
}

static void a_code_equal_at_several_steps_consumes_the_greatest(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 5, 1, PROFILE_HOTP, 7, 0);
    /* Two steps less than ten apart that show one code; the floor stands one below, so that both are looked for. */
    uint32_t codes[9], step = 0, other = 0;
    for (uint32_t last = 0; !other; last++) {
        assert_true(last < 1000000);
        codes[last % 9] = token_code(f, &token, last);
        for (uint32_t back = 1; back < 9 && back + 1 < last && !other; back++) {
            if (codes[(last - back) % 9] != codes[last % 9]) continue;
            step = last - back;
            other = last;
        }
    }
    atomic_store(&token.hit.tail->token, token_word(step - 1, 1));
    expect(ask_one(f, &token, token_code(f, &token, step)), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&token), other + 1);
}

static void floors_at_the_end_of_the_step_range_are_not_passed(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 5, 2, PROFILE_HOTP, 8, 0xfffffffe);
    expect(ask_one(f, &token, token_code(f, &token, 0xfffffffe)), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&token), 0xffffffff);
    expect(ask_one(f, &token, token_code(f, &token, 0xfffffffe)), OTPRING_REPLAYED, OTPRING_REASON_USED);
    assert_int_equal(ask_one(f, &token, token_code(f, &token, 0xffffffff)).verdict, OTPRING_REJECTED);
    assert_int_equal(floor_of(&token), 0xffffffff);
}

static void a_time_before_t0_matches_nothing(void **state)
{
    struct fixture *f = *state;
    f->core.profiles[PROFILE_TOTP].row.t0_s = (int64_t)FIXTURE_WALL_S + 365 * 86400;
    f->core.profile_version += 2;
    struct token token = fixture_token(f, 5, 3, PROFILE_TOTP, 9, 0);
    assert_int_equal(ask_one(f, &token, token_code(f, &token, 0)).verdict, OTPRING_REJECTED);
}

/* ---- throttle ---- */

static void a_long_wait_stands_whole_in_the_record(void **state)
{
    struct fixture *f = *state;
    f->core.profiles[PROFILE_TOTP].row.throttle_base_s = 600000;
    f->core.profiles[PROFILE_TOTP].row.throttle_max_s = 7 * 86400;
    f->core.profile_version += 2;
    struct token token = fixture_token(f, 6, 90, PROFILE_TOTP, 90, 0);
    uint32_t wrong = token_wrong_code(f, &token, totp_now(f, &token));
    for (int i = 0; i < 6; i++) expect(ask_one(f, &token, wrong), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
    struct otpring_wire_answer locked = ask_one(f, &token, wrong), again;
    expect(locked, OTPRING_THROTTLED, 0);
    assert_int_equal(locked.retry_after_s, 600000);
    struct seen seen[64];
    size_t count = fixture_records(f, seen, 64);
    assert_true(count > 0 && count <= 64);
    answer_of_record(&seen[count - 1].verify, seen[count - 1].record, &again);
    assert_memory_equal(&again, &locked, sizeof again);
}

static void failures_lock_an_account_and_say_for_how_long(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 6, 1, PROFILE_TOTP, 10, 0);
    uint32_t wrong = token_wrong_code(f, &token, totp_now(f, &token));
    for (int i = 0; i < 6; i++) expect(ask_one(f, &token, wrong), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
    struct otpring_wire_answer locked = ask_one(f, &token, totp_code(f, &token, 0));
    expect(locked, OTPRING_THROTTLED, 0);
    assert_int_equal(locked.retry_after_s, 2);
    assert_int_equal(floor_of(&token), 0);
    uint64_t budget = budget_of(&token);
    expect(ask_one(f, &token, wrong), OTPRING_THROTTLED, 0);
    assert_int_equal(budget_of(&token), budget);
    advance_s(f, 2);
    expect(ask_one(f, &token, totp_code(f, &token, 0)), OTPRING_ACCEPTED, 0);
    assert_int_equal(budget_failures(budget_of(&token), 0), 0);
}

static void a_match_judged_after_the_throttle_tripped_in_the_same_batch_is_throttled(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 6, 2, PROFILE_TOTP, 11, 0);
    uint32_t wrong = token_wrong_code(f, &token, totp_now(f, &token));
    struct otpring_wire_query queries[8];
    for (int i = 0; i < 8; i++) queries[i] = query_of(f, &token, i < 7 ? wrong : totp_code(f, &token, 0));
    const struct otpring_wire_answer *answers = ask(f, queries, 8);
    for (int i = 0; i < 6; i++) assert_int_equal(answers[i].verdict, OTPRING_REJECTED);
    expect(answers[6], OTPRING_THROTTLED, 0);
    expect(answers[7], OTPRING_THROTTLED, 0);
    assert_int_equal(floor_of(&token), 0);
}

static void a_known_source_has_a_throttle_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 6, 3, PROFILE_TOTP, 12, 0);
    uint32_t wrong = token_wrong_code(f, &token, totp_now(f, &token));
    for (int i = 0; i < 6; i++) ask_one(f, &token, wrong);
    expect(ask_one(f, &token, totp_code(f, &token, 0)), OTPRING_THROTTLED, 0);
    struct otpring_wire_query query = query_of(f, &token, totp_code(f, &token, 0));
    query.source_class = 1;
    expect(*ask(f, &query, 1), OTPRING_ACCEPTED, 0);
}

static void a_replay_charges_nothing(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 6, 4, PROFILE_TOTP, 13, 0);
    for (int i = 0; i < 20; i++) ask_one(f, &token, totp_code(f, &token, 0));
    assert_int_equal(budget_of(&token), 0);
}

static void an_unknown_name_is_throttled_like_a_wrong_code(void **state)
{
    struct fixture *f = *state;
    struct token known = fixture_token(f, 7, 1, PROFILE_TOTP, 14, 0);
    struct token unknown = known;
    fixture_name(7, 999, unknown.name);
    uint32_t wrong = token_wrong_code(f, &known, totp_now(f, &known));
    for (int i = 0; i < 12; i++) {
        struct otpring_wire_answer a = ask_one(f, &known, wrong), b = ask_one(f, &unknown, wrong);
        assert_int_equal(a.verdict == OTPRING_REJECTED, b.verdict == OTPRING_UNKNOWN);
        assert_int_equal(a.verdict == OTPRING_THROTTLED, b.verdict == OTPRING_THROTTLED);
        assert_int_equal(a.retry_after_s, b.retry_after_s);
        if (a.verdict == OTPRING_THROTTLED) advance_s(f, a.retry_after_s);
    }
}

/* ---- several tokens ---- */

static void a_code_is_tried_on_all_tokens_and_consumes_one(void **state)
{
    struct fixture *f = *state;
    struct token tokens[4];
    for (uint32_t i = 0; i < 4; i++)
        tokens[i] = fixture_token(f, 8, 1, i % 2 ? PROFILE_HOTP : PROFILE_TOTP, 20 + i, i % 2 ? 5 : 0);
    expect(ask_one(f, &tokens[3], token_code(f, &tokens[3], 7)), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&tokens[3]), 8);
    assert_int_equal(floor_of(&tokens[1]), 5);
    expect(ask_one(f, &tokens[2], totp_code(f, &tokens[2], 1)), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&tokens[0]), 0);
}

static void all_tokens_of_an_account_share_one_budget(void **state)
{
    struct fixture *f = *state;
    struct token first = fixture_token(f, 8, 2, PROFILE_TOTP, 30, 0);
    struct token second = fixture_token(f, 8, 2, PROFILE_HOTP, 31, 0);
    uint32_t wrong = 0;
    for (wrong = 1;; wrong++) {
        bool right = false;
        for (int s = -25; s <= 25; s++) right |= totp_code(f, &first, s) == wrong;
        for (uint64_t s = 0; s < 120; s++) right |= token_code(f, &second, s) == wrong;
        if (!right) break;
    }
    for (int i = 0; i < 6; i++) assert_int_equal(ask_one(f, &first, wrong).verdict, OTPRING_REJECTED);
    assert_int_equal(budget_failures(budget_of(&first), 0), 6);
    assert_int_equal(budget_of(&second), 0);
    expect(ask_one(f, &second, token_code(f, &second, 0)), OTPRING_THROTTLED, 0);
}

static void accepted_on_one_token_goes_before_replayed_on_another(void **state)
{
    struct fixture *f = *state;
    struct token used = fixture_token(f, 8, 3, PROFILE_HOTP, 33, 0);
    struct token twin = fixture_token(f, 8, 3, PROFILE_HOTP, 33, 0); /* the same seed: the same codes */
    expect(ask_one(f, &used, token_code(f, &used, 0)), OTPRING_ACCEPTED, 0);
    expect(ask_one(f, &used, token_code(f, &used, 0)), OTPRING_ACCEPTED, 0);
    expect(ask_one(f, &used, token_code(f, &used, 0)), OTPRING_REPLAYED, OTPRING_REASON_USED);
    assert_int_equal(floor_of(&twin), 1);
}

static void a_code_of_another_length_than_any_token_shows_is_rejected_for_its_digits(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 8, 4, PROFILE_TOTP, 34, 0);
    struct otpring_wire_query query = query_of(f, &token, totp_code(f, &token, 0));
    query.digits = 7;
    expect(*ask(f, &query, 1), OTPRING_REJECTED, OTPRING_REASON_DIGITS);
    assert_int_equal(budget_failures(budget_of(&token), 0), 1);
}

/* ---- states ---- */

static void a_suspended_token_does_not_accept_and_a_resumed_one_does(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 9, 1, PROFILE_TOTP, 40, 0);
    atomic_fetch_or(&token.hit.tail->flags, TABLE_SUSPENDED);
    expect(ask_one(f, &token, totp_code(f, &token, 0)), OTPRING_INACTIVE, 0);
    assert_int_equal(budget_failures(budget_of(&token), 0), 1);
    atomic_fetch_and(&token.hit.tail->flags, (uint8_t)~TABLE_SUSPENDED);
    expect(ask_one(f, &token, totp_code(f, &token, 0)), OTPRING_ACCEPTED, 0);
}

static void one_active_token_is_enough_for_an_account_to_be_active(void **state)
{
    struct fixture *f = *state;
    struct token suspended = fixture_token(f, 9, 2, PROFILE_TOTP, 41, 0);
    struct token active = fixture_token(f, 9, 2, PROFILE_TOTP, 42, 0);
    atomic_fetch_or(&suspended.hit.tail->flags, TABLE_SUSPENDED);
    assert_int_equal(ask_one(f, &suspended, totp_code(f, &suspended, 0)).verdict, OTPRING_REJECTED);
    expect(ask_one(f, &active, totp_code(f, &active, 0)), OTPRING_ACCEPTED, 0);
}

static void an_account_whose_tokens_are_removed_is_unknown_but_keeps_its_budget(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 9, 3, PROFILE_TOTP, 43, 0);
    uint32_t code = totp_code(f, &token, 0);
    table_remove(f->core.table, token.ordinal);
    expect(ask_one(f, &token, code), OTPRING_UNKNOWN, 0);
    assert_int_equal(budget_failures(budget_of(&token), 0), 1);
}

static void states_are_told_only_to_clients_granted_them(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 9, 4, PROFILE_TOTP, 44, 0);
    struct token unknown = token;
    fixture_name(9, 12345, unknown.name);
    atomic_fetch_or(&token.hit.tail->flags, TABLE_SUSPENDED);
    f->client.rights = CORE_RIGHT_VERIFY;
    struct otpring_wire_answer inactive = ask_one(f, &token, totp_code(f, &token, 0));
    struct otpring_wire_answer missing = ask_one(f, &unknown, totp_code(f, &token, 0));
    expect(inactive, OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
    expect(missing, OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
    struct seen seen[2];
    assert_int_equal(fixture_records(f, seen, 2), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(seen[i].verify.verdict, OTPRING_REJECTED);
        assert_int_equal(seen[i].verify.reason, OTPRING_REASON_HIDDEN);
        assert_int_equal(seen[i].verify.told, OTPRING_REASON_NO_MATCH);
    }
    assert_int_equal(seen[0].verify.first_ordinal, token.ordinal);
    assert_int_equal(seen[1].verify.first_ordinal, 0xffffffff);
}

static void a_wrong_number_of_digits_is_not_told_to_clients_without_the_right(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 9, 5, PROFILE_TOTP, 45, 0);
    f->client.rights = CORE_RIGHT_VERIFY;
    struct otpring_wire_query query = query_of(f, &token, 1234567);
    query.digits = 7;
    expect(*ask(f, &query, 1), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
}

/* ---- queries that are refused before anything is looked up ---- */

static void malformed_queries_are_recorded_and_not_charged(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 10, 1, PROFILE_TOTP, 50, 0);
    struct otpring_wire_query queries[7];
    for (int i = 0; i < 7; i++) queries[i] = query_of(f, &token, totp_code(f, &token, 0));
    queries[0].digits = 5;
    queries[1].digits = 9;
    queries[2].code = 1000000;
    queries[3].kind = 2;
    queries[4].flags = 1;
    queries[5].source_class = 2;
    queries[6].kind = 0;
    const struct otpring_wire_answer *answers = ask(f, queries, 7);
    for (int i = 0; i < 3; i++) expect(answers[i], OTPRING_MALFORMED, OTPRING_REASON_CODE_RANGE);
    for (int i = 3; i < 7; i++) expect(answers[i], OTPRING_MALFORMED, OTPRING_REASON_RESERVED);
    for (int i = 0; i < 7; i++) assert_true(answers[i].record != 0);
    assert_int_equal(budget_of(&token), 0);
    assert_int_equal(floor_of(&token), 0);
}

static void a_company_that_is_not_the_clients_is_rejected_uncharged(void **state)
{
    struct fixture *f = *state;
    struct token mine = fixture_token(f, 10, 1, PROFILE_TOTP, 51, 0);
    struct token other = fixture_token(f, 11, 1, PROFILE_TOTP, 52, 0);
    f->client.company_count = 1;
    memcpy(f->client.companies[0], mine.name, 8);
    expect(ask_one(f, &other, totp_code(f, &other, 0)), OTPRING_REJECTED, OTPRING_REASON_COMPANY);
    assert_int_equal(budget_of(&other), 0);
    assert_int_equal(floor_of(&other), 0);
    expect(ask_one(f, &mine, totp_code(f, &mine, 0)), OTPRING_ACCEPTED, 0);
}

/* ---- resynchronisation ---- */

static void a_far_code_answers_resync_charges_once_and_moves_no_floor(void **state)
{
    struct fixture *f = *state;
    struct token hotp = fixture_token(f, 12, 1, PROFILE_HOTP, 60, 50);
    struct token totp = fixture_token(f, 12, 2, PROFILE_TOTP, 61, 0);
    expect(ask_one(f, &hotp, token_code(f, &hotp, 150)), OTPRING_RESYNC, OTPRING_REASON_FAR);
    expect(ask_one(f, &totp, totp_code(f, &totp, -15)), OTPRING_RESYNC, OTPRING_REASON_FAR);
    expect(ask_one(f, &totp, totp_code(f, &totp, 20)), OTPRING_RESYNC, OTPRING_REASON_FAR);
    assert_int_equal(floor_of(&hotp), 50);
    assert_int_equal(floor_of(&totp), 0);
    assert_int_equal(budget_failures(budget_of(&hotp), 0), 1);
    assert_int_equal(budget_failures(budget_of(&totp), 0), 2);
    expect(ask_one(f, &hotp, token_code(f, &hotp, 151)), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
}

static void a_far_code_is_recorded_with_how_far_it_is(void **state)
{
    struct fixture *f = *state;
    struct token hotp = fixture_token(f, 12, 21, PROFILE_HOTP, 64, 50);
    struct token totp = fixture_token(f, 12, 22, PROFILE_TOTP, 65, 0);
    struct seen seen[3];
    expect(ask_one(f, &hotp, token_code(f, &hotp, 140)), OTPRING_RESYNC, OTPRING_REASON_FAR);
    expect(ask_one(f, &totp, totp_code(f, &totp, -15)), OTPRING_RESYNC, OTPRING_REASON_FAR);
    expect(ask_one(f, &totp, totp_code(f, &totp, 18)), OTPRING_RESYNC, OTPRING_REASON_FAR);
    assert_int_equal(fixture_records(f, seen, 3), 3);
    assert_int_equal(seen[0].verify.step_distance, 90);
    assert_int_equal(seen[1].verify.step_distance, -15);
    assert_int_equal(seen[2].verify.step_distance, 18);
    assert_int_equal(seen[2].verify.ordinal, totp.ordinal);
}

static void a_far_code_below_the_floor_is_rejected(void **state)
{
    struct fixture *f = *state;
    struct token totp = fixture_token(f, 12, 3, PROFILE_TOTP, 62, 0);
    atomic_store(&totp.hit.tail->token, token_word((uint32_t)totp_now(f, &totp), 1));
    expect(ask_one(f, &totp, totp_code(f, &totp, -10)), OTPRING_REJECTED, OTPRING_REASON_NO_MATCH);
}

static void a_locked_account_is_not_searched(void **state)
{
    struct fixture *f = *state;
    struct token hotp = fixture_token(f, 12, 4, PROFILE_HOTP, 63, 50);
    for (int i = 0; i < 6; i++)
        expect(ask_one(f, &hotp, token_code(f, &hotp, 120)), OTPRING_RESYNC, OTPRING_REASON_FAR);
    expect(ask_one(f, &hotp, token_code(f, &hotp, 120)), OTPRING_THROTTLED, 0);
}

static void far_searches_end_with_the_turns_budget(void **state)
{
    struct fixture *f = *state;
    f->core.options.resync_candidates_per_turn = 200;
    struct otpring_wire_query queries[4];
    struct token tokens[4];
    for (uint32_t i = 0; i < 4; i++) {
        tokens[i] = fixture_token(f, 13, i, PROFILE_HOTP, 70 + i, 0);
        queries[i] = query_of(f, &tokens[i], token_code(f, &tokens[i], 60));
    }
    const struct otpring_wire_answer *answers = ask(f, queries, 4);
    expect(answers[0], OTPRING_RESYNC, OTPRING_REASON_FAR);
    expect(answers[1], OTPRING_RESYNC, OTPRING_REASON_FAR);
    expect(answers[2], OTPRING_REJECTED, OTPRING_REASON_NOT_SEARCHED);
    expect(answers[3], OTPRING_REJECTED, OTPRING_REASON_NOT_SEARCHED);
    assert_int_equal(ask(f, queries + 3, 1)->verdict, OTPRING_RESYNC);
}

static void two_adjacent_codes_resynchronise_and_are_both_consumed(void **state)
{
    struct fixture *f = *state;
    struct token hotp = fixture_token(f, 14, 1, PROFILE_HOTP, 80, 50);
    expect(ask_pair(f, &hotp, token_code(f, &hotp, 120), token_code(f, &hotp, 121)), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&hotp), 122);
    struct token totp = fixture_token(f, 14, 2, PROFILE_TOTP, 81, 0);
    expect(ask_pair(f, &totp, totp_code(f, &totp, -13), totp_code(f, &totp, -12)), OTPRING_ACCEPTED, 0);
    assert_int_equal(floor_of(&totp), totp_now(f, &totp) - 11);
    assert_int_equal(totp.hit.tail->drift, -12);
    os_sim_advance_ms(f->world, 30000);
    expect(ask_one(f, &totp, totp_code(f, &totp, -12)), OTPRING_ACCEPTED, 0);
    assert_int_equal(totp.hit.tail->drift, -12);
}

static void a_pair_that_was_used_does_not_resynchronise_again(void **state)
{
    struct fixture *f = *state;
    struct token hotp = fixture_token(f, 14, 3, PROFILE_HOTP, 82, 50);
    expect(ask_pair(f, &hotp, token_code(f, &hotp, 60), token_code(f, &hotp, 61)), OTPRING_ACCEPTED, 0);
    expect(ask_pair(f, &hotp, token_code(f, &hotp, 60), token_code(f, &hotp, 61)), OTPRING_REJECTED,
           OTPRING_REASON_NO_MATCH);
    expect(ask_pair(f, &hotp, token_code(f, &hotp, 61), token_code(f, &hotp, 62)), OTPRING_REJECTED,
           OTPRING_REASON_NO_MATCH);
    assert_int_equal(floor_of(&hotp), 62);
    assert_int_equal(budget_failures(budget_of(&hotp), 0), 2);
}

static void codes_that_are_not_adjacent_do_not_resynchronise(void **state)
{
    struct fixture *f = *state;
    struct token hotp = fixture_token(f, 14, 4, PROFILE_HOTP, 83, 50);
    assert_int_equal(ask_pair(f, &hotp, token_code(f, &hotp, 60), token_code(f, &hotp, 62)).verdict, OTPRING_REJECTED);
    assert_int_equal(ask_pair(f, &hotp, token_code(f, &hotp, 60), token_code(f, &hotp, 60)).verdict, OTPRING_REJECTED);
    assert_int_equal(ask_pair(f, &hotp, token_code(f, &hotp, 49), token_code(f, &hotp, 50)).verdict, OTPRING_REJECTED);
    assert_int_equal(floor_of(&hotp), 50);
}

static void a_successful_pair_resets_failures_and_a_locked_account_is_throttled(void **state)
{
    struct fixture *f = *state;
    struct token hotp = fixture_token(f, 14, 5, PROFILE_HOTP, 84, 50);
    for (int i = 0; i < 6; i++) ask_one(f, &hotp, token_code(f, &hotp, 120));
    assert_int_equal(ask_pair(f, &hotp, token_code(f, &hotp, 60), token_code(f, &hotp, 61)).verdict, OTPRING_THROTTLED);
    advance_s(f, 2);
    assert_int_equal(ask_pair(f, &hotp, token_code(f, &hotp, 60), token_code(f, &hotp, 61)).verdict, OTPRING_ACCEPTED);
    assert_int_equal(budget_failures(budget_of(&hotp), 0), 0);
}

static void pairs_are_refused_where_a_token_is_never_searched_far(void **state)
{
    struct fixture *f = *state;
    f->core.profiles[PROFILE_HOTP].row.resync_window = 0;
    f->core.profile_version += 2;
    struct token hotp = fixture_token(f, 14, 6, PROFILE_HOTP, 85, 50);
    assert_int_equal(ask_pair(f, &hotp, token_code(f, &hotp, 50), token_code(f, &hotp, 51)).verdict, OTPRING_REJECTED);
}

static void an_administrator_resynchronises_by_two_codes(void **state)
{
    struct fixture *f = *state;
    struct token hotp = fixture_token(f, 15, 1, PROFILE_HOTP, 90, 50);
    int32_t distance;
    uint64_t word;
    const struct profile_row *row = &f->core.profiles[PROFILE_HOTP].row;
    assert_false(judge_pair(&f->core, &hotp.hit, row, 1, 2, 6, FIXTURE_WALL_S, &distance, &word));
    assert_true(judge_pair(&f->core, &hotp.hit, row, token_code(f, &hotp, 77), token_code(f, &hotp, 78), 6,
                           FIXTURE_WALL_S, &distance, &word));
    assert_int_equal(distance, 27);
    assert_int_equal(token_floor(word), 79);
    assert_int_equal(floor_of(&hotp), 79);
    atomic_fetch_or(&hotp.hit.tail->flags, TABLE_REMOVED);
    assert_false(judge_pair(&f->core, &hotp.hit, row, token_code(f, &hotp, 80), token_code(f, &hotp, 81), 6,
                            FIXTURE_WALL_S, &distance, &word));
}

/* ---- cost ---- */

static const struct kernel *counted_kernel;
static uint64_t counted_steps;

static void count_sha1(const void *const midstates[], const uint64_t counters[], uint32_t ret_truncated[], size_t count)
{
    counted_steps += count;
    counted_kernel->steps[KERNEL_SHA1](midstates, counters, ret_truncated, count);
}

static void count_match_sha1(const struct kernel_match *match)
{
    counted_steps += match->count;
    counted_kernel->match[KERNEL_SHA1](match);
}

static uint64_t cost_of(struct fixture *f, const struct token *token, uint32_t code, uint8_t digits)
{
    struct kernel counting = *f->core.kernel;
    counted_kernel = f->core.kernel;
    counting.steps[KERNEL_SHA1] = count_sha1;
    counting.match[KERNEL_SHA1] = count_match_sha1;
    struct otpring_wire_query query = query_of(f, token, code);
    query.digits = digits;
    f->core.kernel = &counting;
    counted_steps = 0;
    ask(f, &query, 1);
    f->core.kernel = counted_kernel;
    return counted_steps;
}

static void whatever_is_refused_costs_the_same_number_of_steps(void **state)
{
    struct fixture *f = *state;
    struct token known = fixture_token(f, 17, 1, PROFILE_TOTP, 97, 0);
    struct token used = fixture_token(f, 17, 2, PROFILE_TOTP, 98, 0);
    struct token suspended = fixture_token(f, 17, 3, PROFILE_TOTP, 99, 0);
    struct token removed = fixture_token(f, 17, 4, PROFILE_TOTP, 100, 0);
    struct token unknown = known;
    fixture_name(17, 5, unknown.name);
    atomic_store(&used.hit.tail->token, token_word((uint32_t)totp_now(f, &used) + 1, 1));
    atomic_fetch_or(&suspended.hit.tail->flags, TABLE_SUSPENDED);
    uint32_t right = totp_code(f, &suspended, 0);
    table_remove(f->core.table, removed.ordinal);
    uint64_t cost = cost_of(f, &known, token_wrong_code(f, &known, totp_now(f, &known)), 6);
    assert_int_equal(cost, 41); /* 20 steps either way of now */
    assert_int_equal(cost_of(f, &used, token_wrong_code(f, &used, totp_now(f, &used)), 6), cost);
    assert_int_equal(cost_of(f, &suspended, right, 6), cost);
    assert_int_equal(cost_of(f, &removed, 123456, 6), cost);
    assert_int_equal(cost_of(f, &unknown, 123456, 6), cost);
    assert_int_equal(cost_of(f, &known, 1234567, 7), cost);
}

/* ---- records ---- */

static void a_record_says_what_was_judged_and_the_answer_names_it(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 16, 1, PROFILE_HOTP, 95, 50);
    struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 53));
    query.source = 0x1122334455667788;
    query.source_class = 1;
    struct otpring_wire_answer answer = *ask(f, &query, 1);
    struct seen seen;
    assert_int_equal(fixture_records(f, &seen, 1), 1);
    assert_int_equal(answer.record, seen.record);
    assert_memory_equal(seen.verify.name, token.name, 16);
    assert_int_equal(seen.verify.token, token_word(54, 1));
    assert_int_equal(seen.verify.budget, 0);
    assert_int_equal(seen.verify.source, query.source);
    assert_int_equal(seen.verify.ordinal, token.ordinal);
    assert_int_equal(seen.verify.first_ordinal, token.ordinal);
    assert_int_equal(seen.verify.step_distance, 3);
    assert_int_equal(seen.verify.verdict, OTPRING_ACCEPTED);
    assert_int_equal(seen.verify.source_class, 1);
    assert_int_equal(seen.verify.client, 77);
    assert_int_equal(seen.frame.session, f->session);
    assert_int_equal(seen.frame.sequence, 1);
    assert_int_equal(seen.frame.item_count, 1);
    assert_int_equal(seen.frame.retry, 0);
}

static void a_token_whose_profile_is_missing_is_unavailable_not_rejected(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 16, 2, PROFILE_NONE, 96, 50);
    struct otpring_wire_answer answer = ask_one(f, &token, 123456);
    expect(answer, OTPRING_UNAVAILABLE, OTPRING_REASON_BUSY);
    assert_int_equal(answer.record, 0);
    assert_int_equal(budget_of(&token), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_right_code_is_accepted_once_and_then_replayed),
        TEST(one_code_sent_64_times_in_a_batch_is_accepted_exactly_once),
        TEST(ascending_hotp_codes_of_one_token_in_a_batch_are_all_accepted),
        TEST(hotp_looks_ahead_as_far_as_the_profile_says),
        TEST(hotp_looks_back_one_step_and_rejects_older_codes),
        TEST(totp_accepts_the_window_and_nothing_beyond),
        TEST(a_code_older_than_one_used_is_replayed_within_the_window),
        TEST(drift_is_learned_and_kept_within_its_limit),
        TEST(a_code_equal_at_several_steps_consumes_the_greatest),
        TEST(floors_at_the_end_of_the_step_range_are_not_passed),
        TEST(a_time_before_t0_matches_nothing),
        TEST(a_long_wait_stands_whole_in_the_record),
        TEST(failures_lock_an_account_and_say_for_how_long),
        TEST(a_match_judged_after_the_throttle_tripped_in_the_same_batch_is_throttled),
        TEST(a_known_source_has_a_throttle_of_its_own),
        TEST(a_replay_charges_nothing),
        TEST(an_unknown_name_is_throttled_like_a_wrong_code),
        TEST(a_code_is_tried_on_all_tokens_and_consumes_one),
        TEST(all_tokens_of_an_account_share_one_budget),
        TEST(accepted_on_one_token_goes_before_replayed_on_another),
        TEST(a_code_of_another_length_than_any_token_shows_is_rejected_for_its_digits),
        TEST(a_suspended_token_does_not_accept_and_a_resumed_one_does),
        TEST(one_active_token_is_enough_for_an_account_to_be_active),
        TEST(an_account_whose_tokens_are_removed_is_unknown_but_keeps_its_budget),
        TEST(states_are_told_only_to_clients_granted_them),
        TEST(a_wrong_number_of_digits_is_not_told_to_clients_without_the_right),
        TEST(malformed_queries_are_recorded_and_not_charged),
        TEST(a_company_that_is_not_the_clients_is_rejected_uncharged),
        TEST(a_far_code_answers_resync_charges_once_and_moves_no_floor),
        TEST(a_far_code_is_recorded_with_how_far_it_is),
        TEST(a_far_code_below_the_floor_is_rejected),
        TEST(a_locked_account_is_not_searched),
        TEST(far_searches_end_with_the_turns_budget),
        TEST(two_adjacent_codes_resynchronise_and_are_both_consumed),
        TEST(a_pair_that_was_used_does_not_resynchronise_again),
        TEST(codes_that_are_not_adjacent_do_not_resynchronise),
        TEST(a_successful_pair_resets_failures_and_a_locked_account_is_throttled),
        TEST(pairs_are_refused_where_a_token_is_never_searched_far),
        TEST(an_administrator_resynchronises_by_two_codes),
        TEST(whatever_is_refused_costs_the_same_number_of_steps),
        TEST(a_record_says_what_was_judged_and_the_answer_names_it),
        TEST(a_token_whose_profile_is_missing_is_unavailable_not_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
