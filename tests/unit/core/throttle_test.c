/* Properties of the throttle's arithmetic, over random words and policies. */
#include "helpers.h"

#include <stdlib.h>

static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static const struct throttle_policy standard = {.free = 5, .base_s = 2, .max_s = 900};

static void every_new_word_is_greater_than_the_one_before(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 1000000; i++) {
        uint32_t time_s = (uint32_t)next(&seed) >> 1;
        uint16_t count = i % 3 ? (uint16_t)next(&seed) : 65535;
        uint64_t word = budget_word(time_s, count, (uint8_t)next(&seed), (uint8_t)next(&seed));
        uint32_t now_s = i % 2 ? time_s : time_s + (uint32_t)(next(&seed) % 2000) - 1000;
        assert_true(throttle_charge(word, i & 1, now_s) > word);
        assert_true(throttle_reset(word, now_s) > word);
    }
}

static void a_charge_counts_one_failure_of_its_class_alone(void **state)
{
    (void)state;
    uint64_t word = 0;
    for (unsigned i = 1; i <= 300; i++) {
        word = throttle_charge(word, 0, 100);
        assert_int_equal(budget_failures(word, 0), i < 255 ? i : 255);
        assert_int_equal(budget_failures(word, 1), 0);
    }
    word = throttle_charge(word, 1, 100);
    assert_int_equal(budget_failures(word, 0), 255);
    assert_int_equal(budget_failures(word, 1), 1);
    word = throttle_reset(word, 100);
    assert_int_equal(budget_failures(word, 0) + budget_failures(word, 1), 0);
}

static void the_free_failures_lock_nothing_and_then_the_delay_doubles(void **state)
{
    (void)state;
    uint64_t word = 0;
    for (unsigned i = 1; i <= 5; i++) {
        word = throttle_charge(word, 0, 1000);
        assert_int_equal(throttle_wait_s(word, &standard, 0, 1000), 0);
    }
    uint32_t expected = 2;
    for (unsigned i = 6; i < 20; i++) {
        word = throttle_charge(word, 0, 1000);
        assert_int_equal(throttle_wait_s(word, &standard, 0, 1000), expected < 900 ? expected : 900);
        expected *= 2;
    }
    assert_int_equal(throttle_wait_s(word, &standard, 1, 1000), 0);
}

static void the_delay_grows_with_failures_and_never_passes_the_cap(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 1000; i++) {
        struct throttle_policy policy = {.free = (uint8_t)next(&seed),
                                         .base_s = (uint32_t)next(&seed) >> (next(&seed) % 32),
                                         .max_s = (uint32_t)next(&seed) >> (next(&seed) % 32)};
        uint32_t last = 0;
        for (unsigned failures = 0; failures < 256; failures++) {
            uint32_t wait = throttle_wait_s(budget_word(50, 0, (uint8_t)failures, 0), &policy, 0, 50);
            assert_true(wait >= last && wait <= policy.max_s);
            if (failures <= policy.free) assert_int_equal(wait, 0);
            last = wait;
        }
    }
}

static void a_lock_ends_by_time_alone(void **state)
{
    (void)state;
    uint64_t word = budget_word(1000, 3, 8, 0); /* 8 s */
    uint32_t last = throttle_wait_s(word, &standard, 0, 1000);
    assert_int_equal(last, 8);
    for (uint32_t now_s = 1001; now_s < 1010; now_s++) {
        uint32_t wait = throttle_wait_s(word, &standard, 0, now_s);
        assert_true(wait < last || wait == 0);
        last = wait;
    }
    assert_int_equal(throttle_wait_s(word, &standard, 0, 1008), 0);
}

static void a_charge_never_moves_the_time_back(void **state)
{
    (void)state;
    uint64_t word = budget_word(1000, 3, 8, 0);
    assert_int_equal(budget_time_s(throttle_charge(word, 0, 10)), 1000);
    assert_int_equal(budget_time_s(throttle_reset(word, 10)), 1000);
}

static void a_policy_without_delay_never_locks(void **state)
{
    (void)state;
    struct throttle_policy none = {.free = 0, .base_s = 0, .max_s = 900};
    for (unsigned f = 0; f < 256; f++)
        assert_int_equal(throttle_wait_s(budget_word(9, 9, (uint8_t)f, 0), &none, 0, 9), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_new_word_is_greater_than_the_one_before),
        cmocka_unit_test(a_charge_counts_one_failure_of_its_class_alone),
        cmocka_unit_test(the_free_failures_lock_nothing_and_then_the_delay_doubles),
        cmocka_unit_test(the_delay_grows_with_failures_and_never_passes_the_cap),
        cmocka_unit_test(a_lock_ends_by_time_alone),
        cmocka_unit_test(a_charge_never_moves_the_time_back),
        cmocka_unit_test(a_policy_without_delay_never_locks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
