/* For how long an account is locked, as those may ask who only show it. */
#include "state_fixture.h"

#include "core/locked.h"

enum { HOTP = 1, FAILURES = 8, NOW_S = STATE_WALL_S };

/* So many wrong codes of one class of source at this second. */
static void charge(struct state *state, uint32_t ordinal, uint8_t source_class)
{
    struct table_hit hit = state_line(state, ordinal);
    uint64_t budget = atomic_load(&hit.tail->budget);
    for (int i = 0; i < FAILURES; i++) budget = throttle_charge(budget, source_class, NOW_S);
    atomic_store(&hit.tail->budget, budget);
}

static void an_account_is_locked_for_the_longer_of_both_waits(void **unused)
{
    (void)unused;
    for (uint8_t source_class = 0; source_class < 2; source_class++) {
        struct state *state = state_create(96);
        uint32_t ordinal;
        uint8_t name[16];
        core_name("acme", 4, "ann", 3, name);
        assert_int_equal(core_locked_s(state->core, name, NOW_S), 0);
        state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
        assert_int_equal(core_locked_s(state->core, name, NOW_S), 0);
        charge(state, ordinal, source_class);
        uint32_t locked_s = core_locked_s(state->core, name, NOW_S);
        assert_true(locked_s > 0);
        assert_int_equal(core_locked_s(state->core, name, NOW_S + locked_s - 1), 1);
        assert_int_equal(core_locked_s(state->core, name, NOW_S + locked_s), 0);
        state_destroy(state);
    }
}

/* Verification would look for the same: the policy of the line's profile, or the first profile's. */
static void without_its_profile_the_first_ones_policy_holds(void **unused)
{
    (void)unused;
    struct state *state = state_create(97);
    uint32_t ordinal;
    uint8_t name[16];
    core_name("acme", 4, "ann", 3, name);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    charge(state, ordinal, 0);
    uint32_t locked_s = core_locked_s(state->core, name, NOW_S);
    state->core->profiles[HOTP].used = false;
    assert_int_equal(core_locked_s(state->core, name, NOW_S), locked_s);
    state->core->profiles[0].used = false;
    assert_int_equal(core_locked_s(state->core, name, NOW_S), 0);
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_is_locked_for_the_longer_of_both_waits),
        cmocka_unit_test(without_its_profile_the_first_ones_policy_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
