/* Marks of used responses. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#include "core/marks.h"

enum { FIRST_CAPACITY = 1 << 19 };

static const uint8_t secret[32] = {4, 5, 6};

/* Spread like the marks that there are. */
static uint64_t mark_number(uint64_t number)
{
    return (number + 1) * 0x9e3779b97f4a7c15u;
}

enum marks_put { MARKS_NEW, MARKS_THERE, MARKS_FULL };

static enum marks_put put(struct marks *marks, uint64_t mark)
{
    if (!marks_reserve(marks)) return marks_has(marks, mark) ? MARKS_THERE : MARKS_FULL;
    return marks_put(marks, mark) ? MARKS_NEW : MARKS_THERE;
}

static struct marks *marks_new(uint64_t most)
{
    struct marks *marks;
    assert_ok(marks_create(most, secret, &marks));
    return marks;
}

static void a_mark_is_new_once(void **state)
{
    (void)state;
    struct marks *marks = marks_new(1000);
    assert_false(marks_has(marks, 7));
    assert_int_equal(put(marks, 7), MARKS_NEW);
    assert_int_equal(put(marks, 7), MARKS_THERE);
    assert_true(marks_has(marks, 7));
    assert_int_equal(marks_count(marks), 1);
    marks_destroy(marks);
}

static void no_more_than_the_limit_are_taken_and_those_there_are_known(void **state)
{
    (void)state;
    struct marks *marks = marks_new(3);
    for (uint64_t i = 0; i < 3; i++) assert_int_equal(put(marks, mark_number(i)), MARKS_NEW);
    assert_int_equal(put(marks, mark_number(3)), MARKS_FULL);
    assert_int_equal(put(marks, mark_number(1)), MARKS_THERE);
    assert_ok(marks_keep(marks));
    assert_int_equal(put(marks, mark_number(3)), MARKS_FULL);
    /* A start takes what was used before, whatever the limit says now. */
    assert_ok(marks_restore(marks, mark_number(3)));
    assert_int_equal(put(marks, mark_number(3)), MARKS_THERE);
    marks_destroy(marks);
}

static void the_first_level_is_as_large_as_the_limit_wants(void **state)
{
    (void)state;
    struct marks *few = marks_new(3), *more = marks_new(513), *any = marks_new(UINT64_MAX);
    /* For each mark two places of 8 bytes, and 8 bytes of the list. */
    assert_in_range(marks_size(few), 24 * 512, 24 * 512 + 4096);
    assert_in_range(marks_size(more), 24 * 1024, 24 * 1024 + 4096);
    assert_in_range(marks_size(any), 24 << 19, (24 << 19) + 4096);
    for (uint64_t i = 0; i < 513; i++) assert_int_equal(put(more, mark_number(i)), MARKS_NEW);
    assert_int_equal(put(more, mark_number(513)), MARKS_FULL);
    marks_destroy(few);
    marks_destroy(more);
    marks_destroy(any);
}

static void room_that_is_held_is_nobody_elses(void **state)
{
    (void)state;
    struct marks *marks = marks_new(3);
    assert_int_equal(put(marks, mark_number(0)), MARKS_NEW);
    assert_true(marks_reserve(marks));
    assert_true(marks_reserve(marks));
    assert_false(marks_reserve(marks));
    marks_release(marks);
    assert_true(marks_reserve(marks));
    assert_false(marks_reserve(marks));
    /* One that is there already needs none. */
    assert_false(marks_put(marks, mark_number(0)));
    assert_true(marks_put(marks, mark_number(1)));
    assert_int_equal(put(marks, mark_number(2)), MARKS_NEW);
    assert_int_equal(put(marks, mark_number(3)), MARKS_FULL);
    assert_int_equal(marks_count(marks), 3);
    marks_destroy(marks);
}

static void room_of_the_last_level_that_is_held_is_counted(void **state)
{
    (void)state;
    struct marks *marks = marks_new(UINT64_MAX);
    for (uint64_t i = 0; i < FIRST_CAPACITY - 1; i++) assert_int_equal(put(marks, mark_number(i)), MARKS_NEW);
    assert_true(marks_reserve(marks));
    assert_false(marks_reserve(marks));
    assert_ok(marks_keep(marks));
    assert_true(marks_reserve(marks));
    assert_true(marks_put(marks, mark_number(FIRST_CAPACITY - 1)));
    assert_true(marks_put(marks, mark_number(FIRST_CAPACITY)));
    assert_int_equal(marks_count(marks), FIRST_CAPACITY + 1);
    marks_destroy(marks);
}

static void room_is_made_ahead_of_need_and_nothing_is_forgotten(void **state)
{
    (void)state;
    enum { MANY = 3 * FIRST_CAPACITY };
    struct marks *marks = marks_new(UINT64_MAX);
    uint64_t before = marks_size(marks), block[MARKS_BLOCK];
    for (uint64_t i = 0; i < MANY; i++) {
        if (i % 1000 == 0) assert_ok(marks_keep(marks));
        assert_int_equal(put(marks, mark_number(i)), MARKS_NEW);
    }
    for (uint64_t i = 0; i < MANY; i++) assert_true(marks_has(marks, mark_number(i)));
    assert_false(marks_has(marks, mark_number(MANY)));
    assert_true(marks_size(marks) > before);
    /* Read back in the order in which they came, also over the seams of levels. */
    for (uint64_t first = 0; first < MANY;) {
        uint32_t count = marks_read(marks, first, block);
        assert_true(count == MARKS_BLOCK || first + count == MANY);
        for (uint32_t i = 0; i < count; i++) assert_int_equal(block[i], mark_number(first + i));
        first += count;
    }
    assert_int_equal(marks_read(marks, MANY, block), 0);
    marks_destroy(marks);
}

static void without_the_housekeeper_it_is_full_in_the_end(void **state)
{
    (void)state;
    struct marks *marks = marks_new(UINT64_MAX);
    for (uint64_t i = 0; i < FIRST_CAPACITY; i++) assert_int_equal(put(marks, mark_number(i)), MARKS_NEW);
    assert_int_equal(put(marks, mark_number(FIRST_CAPACITY)), MARKS_FULL);
    assert_ok(marks_keep(marks));
    assert_int_equal(put(marks, mark_number(FIRST_CAPACITY)), MARKS_NEW);
    marks_destroy(marks);
}

static void a_start_makes_the_room_that_its_marks_want(void **state)
{
    (void)state;
    struct marks *marks = marks_new(1);
    uint64_t before = marks_size(marks);
    for (uint64_t i = 0; i <= FIRST_CAPACITY; i++) assert_ok(marks_restore(marks, mark_number(i)));
    assert_int_equal(marks_count(marks), FIRST_CAPACITY + 1);
    assert_true(marks_size(marks) > before);
    assert_true(marks_has(marks, mark_number(FIRST_CAPACITY)));
    marks_destroy(marks);
}

static void no_room_is_made_beyond_the_limit(void **state)
{
    (void)state;
    struct marks *marks = marks_new(FIRST_CAPACITY), *more = marks_new(FIRST_CAPACITY + 1);
    uint64_t before = marks_size(marks);
    for (uint64_t i = 0; i < FIRST_CAPACITY; i++) {
        assert_int_equal(put(marks, mark_number(i)), MARKS_NEW);
        assert_int_equal(put(more, mark_number(i)), MARKS_NEW);
    }
    assert_ok(marks_keep(marks));
    assert_int_equal(marks_size(marks), before);
    assert_ok(marks_keep(more));
    assert_true(marks_size(more) > before);
    marks_destroy(marks);
    marks_destroy(more);
}

static void the_last_level_is_no_larger_than_what_may_still_come(void **state)
{
    (void)state;
    enum { MOST = 8 * FIRST_CAPACITY };
    struct marks *marks = marks_new(MOST);
    for (uint64_t i = 0; i < MOST; i++) {
        if (i % 1000 == 0) assert_ok(marks_keep(marks));
        assert_int_equal(put(marks, mark_number(i)), MARKS_NEW);
    }
    assert_int_equal(put(marks, mark_number(MOST)), MARKS_FULL);
    assert_in_range(marks_size(marks), 24 * MOST, 24 * MOST + 4096);
    marks_destroy(marks);
    marks = marks_new(MOST);
    for (uint64_t i = 0; i < MOST; i++) assert_ok(marks_restore(marks, mark_number(i)));
    assert_in_range(marks_size(marks), 24 * MOST, 24 * MOST + 4096);
    marks_destroy(marks);
}

static void a_mark_depends_on_every_byte_and_on_the_store(void **state)
{
    (void)state;
    uint8_t digest[20] = {0}, other_secret[32] = {9};
    struct marks *marks = marks_new(1), *others;
    assert_ok(marks_create(1, other_secret, &others));
    uint64_t zero = mark_of(marks, digest, sizeof digest);
    assert_true(zero != mark_of(others, digest, sizeof digest));
    for (size_t i = 0; i < sizeof digest; i++) {
        digest[i] = 1;
        assert_true(mark_of(marks, digest, sizeof digest) != zero);
        digest[i] = 0;
    }
    assert_int_equal(mark_of(marks, digest, sizeof digest), zero);
    marks_destroy(marks);
    marks_destroy(others);
    marks_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_new_once),
        cmocka_unit_test(no_more_than_the_limit_are_taken_and_those_there_are_known),
        cmocka_unit_test(the_first_level_is_as_large_as_the_limit_wants),
        cmocka_unit_test(room_that_is_held_is_nobody_elses),
        cmocka_unit_test(room_of_the_last_level_that_is_held_is_counted),
        cmocka_unit_test(room_is_made_ahead_of_need_and_nothing_is_forgotten),
        cmocka_unit_test(without_the_housekeeper_it_is_full_in_the_end),
        cmocka_unit_test(a_start_makes_the_room_that_its_marks_want),
        cmocka_unit_test(no_room_is_made_beyond_the_limit),
        cmocka_unit_test(the_last_level_is_no_larger_than_what_may_still_come),
        cmocka_unit_test(a_mark_depends_on_every_byte_and_on_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
