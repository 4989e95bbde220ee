/* Journal time under steps of the wall clock, both ways. */
#include "helpers.h"

#define START_MS ((int64_t)FIXTURE_WALL_S * 1000)
#define DAY_MS ((int64_t)24 * 3600 * 1000)

static struct os_time at(int64_t wall_ms, uint64_t boot_ms, bool synchronised)
{
    return (struct os_time){.wall_ms = wall_ms, .boot_ms = boot_ms, .synchronised = synchronised};
}

static void a_clock_without_history_is_sure(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(START_MS, 1000, false), 0, 0);
    assert_true(clock_turn(&clock, at(START_MS + 500, 1500, false), &now_ms));
    assert_int_equal(now_ms, START_MS + 500);
}

static void journal_time_never_falls_while_small_steps_are_taken(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    clock_start(&clock, at(START_MS, 0, false), 0, 2000);
    int64_t last_ms = 0, now_ms;
    for (uint64_t i = 1; i < 2000; i++) {
        int64_t jitter = (int64_t)(i * 7919 % 3001) - 1500;
        assert_true(clock_turn(&clock, at(START_MS + (int64_t)i * 10 + jitter, i * 10, false), &now_ms));
        assert_true(now_ms >= last_ms);
        last_ms = now_ms;
    }
}

static void a_step_beyond_the_limit_makes_the_clock_unsure_both_ways(void **state)
{
    (void)state;
    for (int64_t step_ms = -2001; step_ms <= 2001; step_ms += 4002) {
        struct core_clock clock = {0};
        int64_t now_ms;
        clock_start(&clock, at(START_MS, 0, false), 0, 2000);
        assert_false(clock_turn(&clock, at(START_MS + step_ms, 0, false), &now_ms));
        assert_int_equal(clock.state, CORE_CLOCK_STEPPED);
        assert_false(clock_turn(&clock, at(START_MS + step_ms + 100, 100, false), &now_ms));
    }
}

static void a_step_taken_back_is_forgiven(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(START_MS, 0, false), 0, 2000);
    assert_false(clock_turn(&clock, at(START_MS + DAY_MS, 0, false), &now_ms));
    assert_true(clock_turn(&clock, at(START_MS + 10, 10, false), &now_ms));
    assert_int_equal(now_ms, START_MS + 10);
}

static void a_synchronised_step_forward_is_taken_and_one_backward_is_not(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(START_MS, 0, false), 0, 2000);
    assert_false(clock_turn(&clock, at(START_MS + DAY_MS, 0, false), &now_ms));
    assert_true(clock_turn(&clock, at(START_MS + DAY_MS, 0, true), &now_ms));
    assert_int_equal(now_ms, START_MS + DAY_MS);
    assert_false(clock_turn(&clock, at(START_MS, 0, true), &now_ms));
    assert_false(clock_turn(&clock, at(START_MS, 0, true), &now_ms));
}

static void a_synchronised_step_of_more_than_a_year_needs_consent(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(START_MS, 0, false), 0, 2000);
    struct os_time far = at(START_MS + 400 * DAY_MS, 0, true);
    assert_false(clock_turn(&clock, far, &now_ms));
    assert_false(clock_turn(&clock, far, &now_ms));
    clock_consent(&clock, far);
    assert_true(clock_turn(&clock, far, &now_ms));
    assert_int_equal(now_ms, far.wall_ms);
}

static void a_start_behind_the_last_record_is_unsure_until_the_clock_is_right(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(START_MS - DAY_MS, 0, false), START_MS, 2000);
    assert_int_equal(clock.state, CORE_CLOCK_BEHIND);
    assert_false(clock_turn(&clock, at(START_MS - DAY_MS, 0, true), &now_ms));
    assert_true(clock_turn(&clock, at(START_MS + 50, 1, true), &now_ms));
    assert_int_equal(now_ms, START_MS + 50);
}

static void a_start_more_than_a_year_ahead_is_unsure(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(START_MS + 400 * DAY_MS, 0, false), START_MS, 2000);
    assert_int_equal(clock.state, CORE_CLOCK_FAR_AHEAD);
    assert_false(clock_turn(&clock, at(START_MS + 400 * DAY_MS, 0, true), &now_ms));
}

static void consent_to_an_earlier_time_keeps_journal_time_running_from_where_it_was(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(START_MS - DAY_MS, 1000, false), START_MS, 2000);
    clock_consent(&clock, at(START_MS - DAY_MS, 1000, false));
    assert_true(clock_turn(&clock, at(START_MS - DAY_MS, 1000, false), &now_ms));
    assert_int_equal(now_ms, START_MS);
    assert_true(clock_turn(&clock, at(START_MS - DAY_MS + 5000, 6000, false), &now_ms));
    assert_int_equal(now_ms, START_MS + 5000);
}

static void acts_have_a_time_even_while_the_clock_is_unsure(void **state)
{
    (void)state;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(START_MS, 0, false), 0, 2000);
    assert_false(clock_turn(&clock, at(START_MS - DAY_MS, 40, false), &now_ms));
    assert_int_equal(clock_journal_ms(&clock, at(START_MS - DAY_MS, 50, false)), START_MS + 50);
}

/* Words count seconds in 32 bits: what lies beyond is no time of theirs, synchronised or not. */
static void a_wall_clock_beyond_the_year_2106_is_unsure(void **state)
{
    (void)state;
    const int64_t greatest_ms = (int64_t)0xfffffff0 * 1000;
    struct core_clock clock = {0};
    int64_t now_ms;
    clock_start(&clock, at(greatest_ms + 1, 0, false), 0, 2000);
    assert_int_equal(clock.state, CORE_CLOCK_FAR_AHEAD);
    clock_start(&clock, at(greatest_ms + 1, 0, false), greatest_ms - DAY_MS, 2000);
    assert_int_equal(clock.state, CORE_CLOCK_FAR_AHEAD);
    assert_false(clock_turn(&clock, at(greatest_ms + 1, 0, true), &now_ms));
    assert_true(clock_turn(&clock, at(greatest_ms, 0, true), &now_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_without_history_is_sure),
        cmocka_unit_test(journal_time_never_falls_while_small_steps_are_taken),
        cmocka_unit_test(a_step_beyond_the_limit_makes_the_clock_unsure_both_ways),
        cmocka_unit_test(a_step_taken_back_is_forgiven),
        cmocka_unit_test(a_synchronised_step_forward_is_taken_and_one_backward_is_not),
        cmocka_unit_test(a_synchronised_step_of_more_than_a_year_needs_consent),
        cmocka_unit_test(a_start_behind_the_last_record_is_unsure_until_the_clock_is_right),
        cmocka_unit_test(a_start_more_than_a_year_ahead_is_unsure),
        cmocka_unit_test(consent_to_an_earlier_time_keeps_journal_time_running_from_where_it_was),
        cmocka_unit_test(a_wall_clock_beyond_the_year_2106_is_unsure),
        cmocka_unit_test(acts_have_a_time_even_while_the_clock_is_unsure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
