/* Frequent keys and the timeline: exact while they fit, within what they say afterwards. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "journal/index.h"
#include "otpring-log/timeline.h"
#include "otpring-log/top.h"

static void key_of(uint32_t number, uint8_t ret_key[TOP_KEY_SIZE])
{
    memset(ret_key, 0, TOP_KEY_SIZE);
    memcpy(ret_key, &number, sizeof number);
}

static uint32_t number_of(const struct top_entry *entry)
{
    uint32_t number;
    memcpy(&number, entry->key, sizeof number);
    return number;
}

static void add(struct top *top, uint32_t number, uint64_t count)
{
    uint8_t key[TOP_KEY_SIZE];
    key_of(number, key);
    top_add(top, key, count, 0, 0);
}

static void counts_are_exact_while_all_keys_fit(void **state)
{
    (void)state;
    struct top top;
    const struct top_entry *entries[10];
    assert_true(top_create(&top));
    for (uint32_t round = 0; round < 3; round++)
        for (uint32_t number = 0; number < TOP_KEYS_MAX; number++) add(&top, number, number % 1000 == 7 ? number : 1);
    assert_int_equal(top.error, 0);
    assert_int_equal(top_list(&top, false, 10, entries), 10);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(number_of(entries[i]), 12007 - 1000 * i);
        assert_int_equal(entries[i]->count, 3 * (12007 - 1000 * i));
    }
    top_destroy(&top);
}

/* A hundred heavy keys among a million light ones, in two sketches that are merged. */
static void heavy_keys_are_found_and_counts_are_within_the_error(void **state)
{
    (void)state;
    struct top halves[2];
    const struct top_entry *entries[100];
    for (unsigned half = 0; half < 2; half++) {
        assert_true(top_create(&halves[half]));
        for (uint32_t number = 0; number < 500000; number++) {
            add(&halves[half], 1000 + half * 500000 + number, 1);
            if (number % 50 == 0) add(&halves[half], number / 50 % 100, 100);
        }
    }
    top_merge(&halves[0], &halves[1]);
    assert_true(halves[0].error > 0 && halves[0].error < 2000);
    assert_int_equal(top_list(&halves[0], false, 100, entries), 100);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(number_of(entries[i]) < 100);
        assert_true(entries[i]->count <= 20000 && entries[i]->count + halves[0].error >= 20000);
    }
    top_destroy(&halves[0]);
    top_destroy(&halves[1]);
}

static void what_was_seen_with_a_key_is_counted_about_right(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 5, 50, 500, 20000};
    struct top top;
    assert_true(top_create(&top));
    for (uint32_t i = 0; i < 5; i++) {
        uint8_t key[TOP_KEY_SIZE], seen[TOP_KEY_SIZE];
        key_of(i, key);
        for (uint32_t n = 0; n < 3 * counts[i]; n++) {
            key_of(n % counts[i], seen);
            top_add(&top, key, 1, 0, index_key(seen, TOP_KEY_SIZE));
        }
    }
    const struct top_entry *entries[5];
    assert_int_equal(top_list(&top, true, 5, entries), 5);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t distinct = top_distinct(entries[i]), real = counts[4 - i];
        assert_int_equal(number_of(entries[i]), 4 - i);
        assert_true(distinct * 10 >= real * 7 && distinct * 10 <= real * 13);
    }
    top_destroy(&top);
}

static void a_timeline_grows_coarser_and_loses_nothing(void **state)
{
    (void)state;
    struct timeline one, other;
    uint64_t sum = 0;
    assert_true(timeline_create(&one) && timeline_create(&other));
    int64_t begin_ms = 1769860800000;
    for (int64_t minute = 0; minute < 40000; minute++) timeline_row(&one, begin_ms + minute * 60000)[1]++;
    assert_int_equal(one.unit_s, 3600);
    timeline_row(&other, begin_ms - 3600000)[2] = 5; /* behind what was there */
    timeline_row(&other, begin_ms - 7200000)[2] = 7;
    assert_int_equal(other.unit_s, 60);
    timeline_merge(&one, &other);
    assert_int_equal(one.first, begin_ms / 3600000 - 2);
    assert_int_equal(one.rows[0][2], 7);
    assert_int_equal(one.rows[1][2], 5);
    assert_int_equal(one.rows[2][1], 60);
    timeline_coarsen(&one, 86400);
    for (uint32_t i = 0; i < one.count; i++) sum += one.rows[i][1];
    assert_int_equal(sum, 40000);
    for (int64_t year = 0; year < 400; year++) timeline_row(&one, begin_ms + year * 365 * 86400000)[1]++;
    sum = 0;
    for (uint32_t i = 0; i < one.count; i++) sum += one.rows[i][1];
    assert_int_equal(sum, 40400);
    timeline_destroy(&one);
    timeline_destroy(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_exact_while_all_keys_fit),
        cmocka_unit_test(heavy_keys_are_found_and_counts_are_within_the_error),
        cmocka_unit_test(what_was_seen_with_a_key_is_counted_about_right),
        cmocka_unit_test(a_timeline_grows_coarser_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
