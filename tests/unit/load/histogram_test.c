/* Percentiles against sorted values, and the mix's spelling. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#include "otpring-load/histogram.h"
#include "otpring-load/options.h"

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void percentiles_are_within_one_percent_of_the_sorted_values(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct histogram *histogram = calloc(2, sizeof *histogram);
    uint64_t *values = calloc(COUNT, sizeof *values);
    srandom(7);
    for (int i = 0; i < COUNT; i++) {
        values[i] = (uint64_t)random() >> (random() % 31);
        histogram_add(&histogram[i & 1], values[i], 1);
    }
    histogram_merge(&histogram[0], &histogram[1]);
    qsort(values, COUNT, sizeof *values, by_value);
    static const double parts[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        uint64_t exact = values[(size_t)(parts[i] * COUNT + 0.5) - 1], found = histogram_at(&histogram[0], parts[i]);
        assert_true(found >= exact);
        assert_true(found <= exact + exact / 100 + 1);
    }
    assert_int_equal(histogram_at(&histogram[0], 1), values[COUNT - 1]);
    free(values);
    free(histogram);
}

static void a_value_counts_for_as_many_as_it_is_given(void **state)
{
    (void)state;
    struct histogram *histogram = calloc(1, sizeof *histogram);
    assert_int_equal(histogram_at(histogram, 0.5), 0);
    histogram_add(histogram, 10, 99);
    histogram_add(histogram, UINT64_MAX, 1);
    assert_int_equal(histogram_at(histogram, 0.99), 10);
    assert_true(histogram_at(histogram, 1) >= UINT64_C(1) << 39);
    free(histogram);
}

static void values_with_one_distance_count_as_if_each_was_added(void **state)
{
    (void)state;
    struct histogram *all = calloc(2, sizeof *all);
    srandom(11);
    for (int round = 0; round < 200; round++) {
        uint64_t least = (uint64_t)random() >> (random() % 31), step = 1 + ((uint64_t)random() >> (random() % 31)),
                 values = (uint64_t)random() % 300, count = 1 + (uint64_t)random() % 5;
        if (round % 10 == 0) least += UINT64_C(1) << (HISTOGRAM_VALUE_BITS - round % 3);
        histogram_add_spaced(&all[0], least, step, values, count);
        for (uint64_t i = 0; i < values; i++) histogram_add(&all[1], least + i * step, count);
        assert_memory_equal(&all[0], &all[1], sizeof all[0]);
    }
    assert_true(all[0].values > 1000 && all[0].total > all[0].values);
    free(all);
}

/* A load that was asked for a thousand million a second has many to tell of. */
static void so_many_values_as_no_loop_ends_with_are_added_at_once(void **state)
{
    (void)state;
    const uint64_t values = UINT64_C(1) << 50;
    struct histogram *histogram = calloc(2, sizeof *histogram);
    histogram_add_spaced(&histogram[0], 1, 1, values, 4);
    histogram_add(&histogram[1], 0, 7);
    histogram_merge(&histogram[0], &histogram[1]);
    assert_int_equal(histogram[0].max, values);
    assert_int_equal(histogram[0].values, values + 1);
    assert_int_equal(histogram[0].total, values * 4 + 7);
    free(histogram);
}

static void a_mix_without_right_codes_or_with_unknown_names_is_refused(void **state)
{
    (void)state;
    uint32_t mix[LOAD_KIND_COUNT];
    static const char *const bad[] = {"",         "right",          "right:",
                                      "right:1,", "right:x",        "wrong:1",
                                      "left:1",   "right:1;near:2", "right:0,near:0,wrong:5",
                                      "right:-1", "right:1,,near:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_false(load_mix_parse(bad[i], mix));
    assert_true(load_mix_parse("near:3,right:95,replayed:2", mix));
    assert_int_equal(mix[LOAD_RIGHT], 95);
    assert_int_equal(mix[LOAD_NEAR], 3);
    assert_int_equal(mix[LOAD_WRONG], 0);
    assert_int_equal(mix[LOAD_REPLAYED], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_within_one_percent_of_the_sorted_values),
        cmocka_unit_test(a_value_counts_for_as_many_as_it_is_given),
        cmocka_unit_test(values_with_one_distance_count_as_if_each_was_added),
        cmocka_unit_test(so_many_values_as_no_loop_ends_with_are_added_at_once),
        cmocka_unit_test(a_mix_without_right_codes_or_with_unknown_names_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
