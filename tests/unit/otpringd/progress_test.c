/* What a start says while it opens a store: when, and with which rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "otpringd/progress.h"

static char text[PROGRESS_TEXT_SIZE];

static void a_line_a_second_with_the_rate_so_far(void **unused)
{
    (void)unused;
    struct progress progress = {0};
    assert_false(progress_due(&progress, "tokens", 0, 10000000, 100, text));
    assert_false(progress_due(&progress, "tokens", 900000, 10000000, 100.9, text));
    assert_true(progress_due(&progress, "tokens", 1500000, 10000000, 101, text));
    assert_string_equal(text, "tokens: 1500000 of 10000000, 1500000 a second");
    assert_false(progress_due(&progress, "tokens", 2000000, 10000000, 101.5, text));
    assert_true(progress_due(&progress, "tokens", 5000000, 10000000, 102, text));
    assert_string_equal(text, "tokens: 5000000 of 10000000, 2500000 a second");
}

/* The next part's rate is its own, and so is its first second; nobody knows how many blocks there are. */
static void each_part_begins_anew(void **unused)
{
    (void)unused;
    struct progress progress = {0};
    assert_false(progress_due(&progress, "tokens", 4096, 10000000, 100, text));
    assert_false(progress_due(&progress, "journal blocks", 1000, 0, 109, text));
    assert_true(progress_due(&progress, "journal blocks", 5000, 0, 111, text));
    assert_string_equal(text, "journal blocks: 5000, 2000 a second");
}

static void a_bar_on_a_terminal_ten_times_a_second(void **unused)
{
    (void)unused;
    struct progress progress = {.terminal = true};
    assert_false(progress_due(&progress, "tokens", 0, 1000, 8, text));
    assert_true(progress_due(&progress, "tokens", 0, 1000, 8.125, text));
    assert_string_equal(text, "tokens: [..............................]   0 %  0 of 1000, 0 a second");
    assert_false(progress_due(&progress, "tokens", 300, 1000, 8.1875, text));
    assert_true(progress_due(&progress, "tokens", 500, 1000, 8.25, text));
    assert_string_equal(text, "tokens: [###############...............]  50 %  500 of 1000, 2000 a second");
    assert_true(progress_due(&progress, "tokens", 1001, 1000, 9.001, text)); /* more than there should be */
    assert_string_equal(text, "tokens: [##############################] 100 %  1001 of 1000, 1000 a second");
    assert_false(progress_due(&progress, "journal blocks", 7, 0, 9.5, text));
    assert_true(progress_due(&progress, "journal blocks", 17, 0, 10, text));
    assert_string_equal(text, "journal blocks: 17, 20 a second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_a_second_with_the_rate_so_far),
        cmocka_unit_test(each_part_begins_anew),
        cmocka_unit_test(a_bar_on_a_terminal_ten_times_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
