/* The table of states, pair by pair: what the design allows stands here once more, as text, and nothing else is
 * allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "challenge/state.h"

/* One row a state, one column an act; in it, for client, device, operator, engine, the first letter of what it becomes,
 * or "-". */
static const char *const expected[CHALLENGE_STATE_COUNT][CHALLENGE_ACT_COUNT] = {
    /*               show    approve refuse  withdraw expire */
    /* asked     */ {"-S--", "-A--", "-R-R", "W-WW", "---E"},
    /* shown     */ {"-S--", "-A--", "-R-R", "W-WW", "---E"},
    /* approved  */ {"----", "----", "----", "----", "----"},
    /* refused   */ {"----", "----", "----", "----", "----"},
    /* expired   */ {"----", "----", "----", "----", "----"},
    /* withdrawn */ {"----", "----", "----", "----", "----"},
};
static const char letters[] = "KSAREW"; /* in the order of the states */

static void every_state_act_and_role_becomes_what_the_design_says_or_is_denied(void **state)
{
    (void)state;
    int allowed = 0;
    for (int s = 0; s < CHALLENGE_STATE_COUNT; s++)
        for (int a = 0; a < CHALLENGE_ACT_COUNT; a++)
            for (int r = 0; r < CHALLENGE_ROLE_COUNT; r++) {
                enum challenge_state next = CHALLENGE_STATE_COUNT;
                bool may =
                    challenge_next((enum challenge_state)s, (enum challenge_act)a, (enum challenge_role)r, &next);
                char letter = may ? letters[next] : '-';
                if (letter != expected[s][a][r])
                    fail_msg("state %d, act %d, role %d: %c, not %c", s, a, r, letter, expected[s][a][r]);
                if (!may) assert_int_equal(next, CHALLENGE_STATE_COUNT);
                allowed += may;
            }
    assert_int_equal(allowed, 16);
}

static void what_no_table_knows_is_denied(void **state)
{
    (void)state;
    enum challenge_state next;
    assert_false(challenge_next(CHALLENGE_STATE_COUNT, CHALLENGE_APPROVE, CHALLENGE_DEVICE, &next));
    assert_false(challenge_next(CHALLENGE_ASKED, CHALLENGE_ACT_COUNT, CHALLENGE_DEVICE, &next));
    assert_false(challenge_next(CHALLENGE_ASKED, CHALLENGE_APPROVE, CHALLENGE_ROLE_COUNT, &next));
}

static void only_asked_and_shown_are_open(void **state)
{
    (void)state;
    for (int s = 0; s < CHALLENGE_STATE_COUNT; s++)
        assert_int_equal(challenge_is_open((enum challenge_state)s), s == CHALLENGE_ASKED || s == CHALLENGE_SHOWN);
}

static void every_state_has_its_own_name(void **state)
{
    (void)state;
    for (int a = 0; a < CHALLENGE_STATE_COUNT; a++) {
        assert_true(strlen(challenge_state_name((enum challenge_state)a)) > 1);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(challenge_state_name((enum challenge_state)a),
                                    challenge_state_name((enum challenge_state)b));
    }
    assert_string_equal(challenge_state_name(CHALLENGE_STATE_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_act_and_role_becomes_what_the_design_says_or_is_denied),
        cmocka_unit_test(what_no_table_knows_is_denied),
        cmocka_unit_test(only_asked_and_shown_are_open),
        cmocka_unit_test(every_state_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
