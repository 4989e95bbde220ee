/* Who is told of what: each watch of a closed challenge once, in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "approval/watch.h"

static const uint8_t one[CHALLENGE_ID_SIZE] = {1}, alike[CHALLENGE_ID_SIZE] = {1, [15] = 9},
                     other[CHALLENGE_ID_SIZE] = {2};

static struct watches made(uint32_t capacity)
{
    struct watches watches;
    assert_int_equal(watches_create(capacity, &watches).code, OK);
    return watches;
}

static void assert_due(struct watches *watches, uint64_t owner, uint64_t tag)
{
    struct watch watch;
    assert_true(watch_due(watches, &watch));
    assert_int_equal(watch.owner, owner);
    assert_int_equal(watch.tag, tag);
}

static void assert_none_due(struct watches *watches)
{
    struct watch watch;
    assert_false(watch_due(watches, &watch));
}

static void all_that_watch_a_challenge_are_due_once_when_it_is_closed(void **unused)
{
    (void)unused;
    struct watches watches = made(8);
    assert_true(watch_add(&watches, one, 5, 50));
    assert_true(watch_add(&watches, alike, 6, 60));
    assert_true(watch_add(&watches, one, 7, 70));
    assert_true(watch_add(&watches, one, 5, 50)); /* twice is once */
    assert_none_due(&watches);
    watch_close(&watches, other);
    assert_none_due(&watches);
    watch_close(&watches, one);
    watch_close(&watches, one);
    assert_due(&watches, 7, 70);
    assert_due(&watches, 5, 50);
    assert_none_due(&watches);
    watch_close(&watches, alike);
    assert_due(&watches, 6, 60);
    assert_none_due(&watches);
    watches_destroy(&watches);
}

static void one_that_could_not_be_told_comes_again_behind_the_others(void **unused)
{
    (void)unused;
    struct watches watches = made(4);
    struct watch watch;
    watch_add(&watches, one, 1, 1);
    watch_close(&watches, one);
    watch_add(&watches, other, 2, 2);
    watch_close(&watches, other);
    assert_true(watch_due(&watches, &watch));
    watch_later(&watches, &watch);
    assert_due(&watches, 2, 2);
    assert_due(&watches, 1, 1);
    assert_none_due(&watches);
    watches_destroy(&watches);
}

static void no_more_are_kept_than_there_is_room_for_and_places_come_back(void **unused)
{
    (void)unused;
    struct watches watches = made(3);
    for (int round = 0; round < 100; round++) {
        for (uint64_t i = 0; i < 3; i++) assert_true(watch_add(&watches, one, i, i));
        assert_false(watch_add(&watches, other, 9, 9));
        watch_close(&watches, one);
        assert_false(watch_add(&watches, other, 9, 9)); /* due ones still have their places */
        for (uint64_t i = 3; i-- > 0;) assert_due(&watches, i, i);
    }
    watches_destroy(&watches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_watch_a_challenge_are_due_once_when_it_is_closed),
        cmocka_unit_test(one_that_could_not_be_told_comes_again_behind_the_others),
        cmocka_unit_test(no_more_are_kept_than_there_is_room_for_and_places_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
