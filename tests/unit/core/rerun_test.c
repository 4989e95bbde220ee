/* Recorded acts put to an engine of a re-run: those that rows keep, those that are of words alone, and those that no
 * re-run takes. */
#include "state_fixture.h"

enum { HOTP = 1 };

static struct slot_act act_of(struct state *state, enum core_act act, uint32_t ordinal, uint32_t floor)
{
    struct table_hit hit;
    struct slot_act slot = {.act = (uint16_t)act, .ordinal = ordinal, .kind = SLOT_ACT};
    if (table_line(core_table(state->core), ordinal, &hit))
        slot.token = token_word(floor, token_change(atomic_load(&hit.tail->token)));
    return slot;
}

static void acts_that_leave_nothing_behind_change_nothing(void **unused)
{
    (void)unused;
    static const enum core_act none[] = {ACT_START, ACT_STOP, ACT_SESSION_OPEN, ACT_CLOCK_CONSENT, ACT_BACKUP};
    struct state *state = state_create(91);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 5, &ordinal));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct slot_act act = act_of(state, none[i], ordinal, 9);
        state_ok(core_rerun_act(state->core, &act, NULL, false));
        assert_int_equal(state_floor(state, ordinal), 5);
    }
    state_destroy(state);
}

/* What a restore made of the words depends on a journal that is not there. */
static void a_restore_is_not_run_again(void **unused)
{
    (void)unused;
    struct state *state = state_create(92);
    struct slot_act act = act_of(state, ACT_RESTORE, UINT32_MAX, 0);
    state_is(core_rerun_act(state->core, &act, NULL, false), BAD_ARGUMENT);
    state_destroy(state);
}

static void a_burned_acceptance_is_consumed_and_is_as_long_as_a_record(void **unused)
{
    (void)unused;
    struct state *state = state_create(93);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 5, &ordinal));
    struct slot_act act = act_of(state, ACT_BURN, ordinal, 9);
    const struct slot_verify burned = {.token = act.token,
                                       .ordinal = ordinal,
                                       .first_ordinal = ordinal,
                                       .verdict = OTPRING_ACCEPTED,
                                       .kind = SLOT_VERIFY};
    act.payload_size = sizeof burned - 1;
    state_is(core_rerun_act(state->core, &act, (const uint8_t *)&burned, false), JOURNAL_CORRUPT);
    assert_int_equal(state_floor(state, ordinal), 5);
    act.payload_size = sizeof burned;
    state_ok(core_rerun_act(state->core, &act, (const uint8_t *)&burned, false));
    assert_int_equal(state_floor(state, ordinal), 9);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 8)), OTPRING_REPLAYED);
    state_destroy(state);
}

static void an_act_whose_rows_are_there_raises_words_alone(void **unused)
{
    (void)unused;
    const struct act_resync resync = {.verdict = OTPRING_ACCEPTED, .drift = 2};
    struct state *state = state_create(94);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 5, &ordinal));
    struct slot_act act = act_of(state, ACT_TOKEN_SUSPEND, ordinal, 7);
    state_ok(core_rerun_act(state->core, &act, NULL, true));
    assert_int_equal(state_floor(state, ordinal), 7);
    assert_false(atomic_load(&state_line(state, ordinal).tail->flags) & TABLE_SUSPENDED);
    act = act_of(state, ACT_TOKEN_RESYNC, ordinal, 9);
    state_is(core_rerun_act(state->core, &act, (const uint8_t *)&resync, true), JOURNAL_CORRUPT);
    act.payload_size = sizeof resync;
    state_ok(core_rerun_act(state->core, &act, (const uint8_t *)&resync, true));
    assert_int_equal(state_floor(state, ordinal), 9);
    assert_int_equal(atomic_load(&state_line(state, ordinal).tail->drift), 2);
    /* Acts about no token, and about one whose line is gone. */
    act = act_of(state, ACT_PROFILE_SET, UINT32_MAX, 0);
    state_ok(core_rerun_act(state->core, &act, NULL, true));
    act = act_of(state, ACT_TOKEN_SUSPEND, ordinal + 1, 0);
    state_ok(core_rerun_act(state->core, &act, NULL, true));
    state_destroy(state);
}

static void an_act_whose_rows_are_not_there_changes_both_or_neither(void **unused)
{
    (void)unused;
    struct state *state = state_create(95);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    struct slot_act act = act_of(state, ACT_TOKEN_SUSPEND, ordinal, 0);
    state_ok(core_rerun_act(state->core, &act, NULL, false));
    assert_int_equal(state_row(state, ordinal).state, TOKEN_SUSPENDED);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_INACTIVE);
    act.act = ACT_TOKEN_RESYNC; /* without what was found */
    state_is(core_rerun_act(state->core, &act, NULL, false), JOURNAL_CORRUPT);
    act.act = ACT_TOKEN_RESUME;
    state_ok(core_rerun_act(state->core, &act, NULL, false));
    assert_int_equal(state_row(state, ordinal).state, TOKEN_ACTIVE);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_ACCEPTED);
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acts_that_leave_nothing_behind_change_nothing),
        cmocka_unit_test(a_restore_is_not_run_again),
        cmocka_unit_test(a_burned_acceptance_is_consumed_and_is_as_long_as_a_record),
        cmocka_unit_test(an_act_whose_rows_are_there_raises_words_alone),
        cmocka_unit_test(an_act_whose_rows_are_not_there_changes_both_or_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
