/* Acts: what they refuse, what they change in store and table, and what they leave when the store has no room. */
#include "state_fixture.h"

enum { TOTP = 0, HOTP = 1 };

static void an_added_token_verifies_with_its_own_codes(void **unused)
{
    (void)unused;
    struct state *state = state_create(1);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 5, &ordinal));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 5)), OTPRING_ACCEPTED);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 5)), OTPRING_REPLAYED);
    assert_int_equal(state_floor(state, ordinal), 6);
    assert_int_equal(state_verify(state, "acme", "bob", state_code(1, 6)), OTPRING_UNKNOWN);
    state_destroy(state);
}

static void a_seed_is_live_on_one_token_at_most(void **unused)
{
    (void)unused;
    struct state *state = state_create(2);
    uint32_t ordinal, other;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    state_is(state_add(state, "acme", "ann", HOTP, 1, 0, &other), STORE_SEED_LIVE);
    state_is(state_add(state, "other", "bob", TOTP, 1, 0, &other), STORE_SEED_LIVE);
    state_destroy(state);
}

static void a_batch_judges_each_token_on_its_own(void **unused)
{
    (void)unused;
    struct state *state = state_create(3);
    uint8_t seeds[4][20];
    struct result results[4];
    uint32_t ordinals[4];
    for (uint32_t i = 0; i < 4; i++) state_seed(i == 3 ? 0 : i, seeds[i]);
    struct core_token_spec specs[4];
    for (int i = 0; i < 4; i++) {
        specs[i] = (struct core_token_spec){
            .company = "acme", .user = "ann", .label = "", .profile = HOTP, .seed = seeds[i], .seed_size = 20};
    }
    specs[1].user = "with\ncontrol";
    specs[2].seed_size = 9;
    state_ok(core_token_add(state->worker, &state_actor, specs, 4, results, ordinals));
    state_ok(results[0]);
    state_is(results[1], BAD_NAME);
    state_is(results[2], BAD_SECRET_SIZE);
    state_is(results[3], STORE_SEED_LIVE); /* the same seed earlier in the batch */
    assert_int_equal(table_token_count(core_table(state->core)), 1);
    state_destroy(state);
}

static void a_removed_seed_starts_again_at_its_floor_and_never_below(void **unused)
{
    (void)unused;
    struct state *state = state_create(4);
    uint32_t ordinal, again;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 7)), OTPRING_ACCEPTED);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinal, 1));
    assert_int_equal(state_row(state, ordinal).sealed_size, 0);
    state_ok(state_add(state, "acme", "bob", HOTP, 1, 0, &again));
    assert_int_not_equal(again, ordinal);
    assert_int_equal(state_floor(state, again), 8);
    assert_int_equal(state_verify(state, "acme", "bob", state_code(1, 3)), OTPRING_REJECTED);
    assert_int_equal(state_verify(state, "acme", "bob", state_code(1, 8)), OTPRING_ACCEPTED);
    /* Through a restart as well. */
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &again, 1));
    state_crash(state);
    state_ok(state_open(state));
    state_ok(state_add(state, "acme", "cid", HOTP, 1, 2, &again));
    assert_int_equal(state_floor(state, again), 9);
    state_destroy(state);
}

static void a_totp_seed_reused_with_a_longer_period_is_refused_not_left_dead(void **unused)
{
    (void)unused;
    struct state *state = state_create(5);
    struct otp_parameters slow = {.type = OTP_TOTP, .algorithm = KERNEL_SHA1, .digits = 6, .period_s = 60};
    uint32_t ordinal;
    uint16_t profile;
    state_ok(core_profile_for(state->worker, &state_actor, &slow, &profile));
    state_ok(state_add(state, "acme", "ann", TOTP, 1, 0, &ordinal));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, STATE_WALL_S / 30)), OTPRING_ACCEPTED);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinal, 1));
    state_is(state_add(state, "acme", "ann", profile, 1, 0, &ordinal), SEED_FLOOR_AHEAD);
    state_destroy(state);
}

static void a_suspended_token_accepts_nothing_until_resumed(void **unused)
{
    (void)unused;
    struct state *state = state_create(6);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    uint64_t before = atomic_load(&state_line(state, ordinal).tail->token);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &ordinal, 1));
    assert_true(atomic_load(&state_line(state, ordinal).tail->token) > before);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_INACTIVE);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_INACTIVE);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_RESUME, &ordinal, 1));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_ACCEPTED);
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, (uint32_t[]){ordinal, ordinal}, 2),
             BAD_ARGUMENT);
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, (uint32_t[]){ordinal, 99}, 2),
             STORE_NOT_FOUND);
    assert_int_equal(state_row(state, ordinal).state, TOKEN_ACTIVE);
    state_destroy(state);
}

static void an_account_takes_tokens_to_its_limit_and_again_after_removal(void **unused)
{
    (void)unused;
    struct state *state = state_create(7);
    uint32_t ordinals[TABLE_ACCOUNT_TOKENS_MAX], ordinal;
    for (uint32_t i = 0; i < TABLE_ACCOUNT_TOKENS_MAX; i++) {
        state_ok(state_add(state, "acme", "ann", HOTP, 100 + i, 0, &ordinals[i]));
    }
    state_is(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal), TABLE_TOO_MANY_TOKENS);
    for (uint32_t i = 0; i < 100; i++) { /* far more than an account row could list */
        uint32_t *last = &ordinals[TABLE_ACCOUNT_TOKENS_MAX - 1];
        state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, last, 1));
        state_ok(state_add(state, "acme", "ann", HOTP, 200 + i, 0, last));
        state_keep(state);
    }
    assert_int_equal(state_verify(state, "acme", "ann", state_code(299, 0)), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void names_are_compared_in_full(void **unused)
{
    (void)unused;
    struct state *state = state_create(8);
    struct account_row account = {.company = "acme", .user = "somebody else"};
    struct store_txn *txn;
    uint8_t name[16];
    uint32_t ordinal;
    core_name("acme", 4, "ann", 3, name);
    state_ok(store_begin(state->store, true, &txn));
    state_ok(row_account_put(state->core, txn, name, &account));
    core_name("bank", 4, "other", 5, name);
    strcpy(account.company, "a company with the same hash");
    state_ok(row_account_put(state->core, txn, name, &account));
    state_ok(store_commit(state->store, txn));
    state_is(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal), NAME_TAKEN);
    state_is(state_add(state, "bank", "bob", HOTP, 1, 0, &ordinal), NAME_TAKEN);
    state_ok(state_add(state, "acme", "cid", HOTP, 1, 0, &ordinal));
    state_destroy(state);
}

static void more_profiles_than_there_can_be_are_refused(void **unused)
{
    (void)unused;
    struct state *state = state_create(9);
    struct profile_row row;
    uint16_t id;
    assert_true(core_profile_get(state->core, HOTP, &row));
    for (int i = 0; i < CORE_PROFILES_MAX; i++) atomic_store(&state->core->profiles[i].used, true);
    row.id = UINT16_MAX;
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), PROFILES_FULL);
    state_crash(state);
    state_ok(state_open(state));
    state_destroy(state);
}

static void a_profile_in_use_keeps_what_its_codes_mean(void **unused)
{
    (void)unused;
    struct state *state = state_create(9);
    struct profile_row row;
    uint32_t ordinal;
    uint16_t id;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    assert_true(core_profile_get(state->core, HOTP, &row));
    row.look_ahead = 20;
    state_ok(core_profile_set(state->worker, &state_actor, &row, &id));
    row.digits = 8;
    state_is(core_profile_set(state->worker, &state_actor, &row, &id), STORE_IN_USE);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinal, 1));
    state_ok(core_profile_set(state->worker, &state_actor, &row, &id));
    state_crash(state);
    state_ok(state_open(state));
    assert_true(core_profile_get(state->core, HOTP, &row));
    assert_int_equal(row.digits, 8);
    assert_int_equal(row.look_ahead, 20);
    state_destroy(state);
}

static void an_unlock_resets_failures_and_survives_a_crash(void **unused)
{
    (void)unused;
    struct state *state = state_create(10);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    for (int i = 0; i < 7; i++) (void)state_verify(state, "acme", "ann", (state_code(1, 0) + 1) % 1000000);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_THROTTLED);
    state_ok(core_account_unlock(state->worker, &state_actor, "acme", "ann"));
    state_is(core_account_unlock(state->worker, &state_actor, "acme", "bob"), STORE_NOT_FOUND);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void two_adjacent_codes_at_the_desk_raise_the_floor(void **unused)
{
    (void)unused;
    struct state *state = state_create(11);
    enum otpring_verdict verdict;
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    state_ok(
        core_token_resync(state->worker, &state_actor, ordinal, state_code(1, 50), state_code(1, 52), 6, &verdict));
    assert_int_equal(verdict, OTPRING_REJECTED);
    state_ok(
        core_token_resync(state->worker, &state_actor, ordinal, state_code(1, 50), state_code(1, 51), 6, &verdict));
    assert_int_equal(verdict, OTPRING_ACCEPTED);
    assert_int_equal(state_floor(state, ordinal), 52);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_floor(state, ordinal), 52);
    state_destroy(state);
}

static void an_act_that_the_store_has_no_room_for_stands_and_holds_up_the_next(void **unused)
{
    (void)unused;
    struct state *state = state_create(12);
    struct core_status status;
    uint32_t ordinal, other;
    store_memory_fail_commit_at(state->store, 1);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    core_status(state->core, &status);
    assert_true(status.act_pending);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_ACCEPTED);
    store_memory_fail_commit_at(state->store, 1);
    state_is(state_add(state, "acme", "bob", HOTP, 2, 0, &other), STORE_PENDING);
    store_memory_fail_commit_at(state->store, 1);
    state_is(core_checkpoint(state->worker), STORE_PENDING);
    state_keep(state);
    core_status(state->core, &status);
    assert_false(status.act_pending);
    assert_int_equal(state_row(state, ordinal).state, TOKEN_ACTIVE);
    state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &other));
    state_destroy(state);
}

static void a_pending_act_is_in_the_store_after_a_restart(void **unused)
{
    (void)unused;
    struct state *state = state_create(13);
    uint32_t ordinal;
    store_memory_fail_commit_at(state->store, 1);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 3)), OTPRING_ACCEPTED);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_row(state, ordinal).state, TOKEN_ACTIVE);
    assert_int_equal(state_floor(state, ordinal), 4);
    state_destroy(state);
}

static void a_new_store_is_made_once(void **unused)
{
    (void)unused;
    struct state *state = state_create(14);
    state_is(core_init(state->store, state->key_path), STORE_EXISTS);
    state_destroy(state);
}

static void text_is_utf8_in_its_shortest_form_without_controls(void **unused)
{
    (void)unused;
    assert_true(core_text_valid("Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x94\x91", 1, 255));
    assert_false(core_text_valid("", 1, 255));
    assert_false(core_text_valid("a\tb", 1, 255));
    assert_false(core_text_valid("\xc0\xaf", 1, 255));
    assert_false(core_text_valid("\xed\xa0\x80", 1, 255));
    assert_false(core_text_valid("\xc2\x85", 1, 255));
    assert_false(core_text_valid("\xe2\x82", 1, 255));
    assert_false(core_text_valid("12345", 1, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_added_token_verifies_with_its_own_codes),
        cmocka_unit_test(a_seed_is_live_on_one_token_at_most),
        cmocka_unit_test(a_batch_judges_each_token_on_its_own),
        cmocka_unit_test(a_removed_seed_starts_again_at_its_floor_and_never_below),
        cmocka_unit_test(a_totp_seed_reused_with_a_longer_period_is_refused_not_left_dead),
        cmocka_unit_test(a_suspended_token_accepts_nothing_until_resumed),
        cmocka_unit_test(an_account_takes_tokens_to_its_limit_and_again_after_removal),
        cmocka_unit_test(names_are_compared_in_full),
        cmocka_unit_test(more_profiles_than_there_can_be_are_refused),
        cmocka_unit_test(a_profile_in_use_keeps_what_its_codes_mean),
        cmocka_unit_test(an_unlock_resets_failures_and_survives_a_crash),
        cmocka_unit_test(two_adjacent_codes_at_the_desk_raise_the_floor),
        cmocka_unit_test(an_act_that_the_store_has_no_room_for_stands_and_holds_up_the_next),
        cmocka_unit_test(a_pending_act_is_in_the_store_after_a_restart),
        cmocka_unit_test(a_new_store_is_made_once),
        cmocka_unit_test(text_is_utf8_in_its_shortest_form_without_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
