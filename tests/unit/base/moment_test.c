/* Times as people type them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/moment.h"

static void seconds_and_utc_times_are_read(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(moment_parse("1700000000", &ms));
    assert_int_equal(ms, 1700000000000);
    assert_true(moment_parse("2023-11-14T22:13:20Z", &ms));
    assert_int_equal(ms, 1700000000000);
}

static void what_is_no_time_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "-5",
                                      "+5",
                                      " 5",
                                      "5 ",
                                      "1e9",
                                      "9999999999999",
                                      "1969-12-31T23:59:59Z",
                                      "2023-11-14",
                                      "2023-11-14T22:13:20",
                                      "2023-11-14T22:13:20Z ",
                                      "2023-13-14T22:13:20Z"};
    int64_t ms = 7;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (moment_parse(bad[i], &ms)) fail_msg("\"%s\" was taken", bad[i]);
    assert_int_equal(ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_and_utc_times_are_read),
        cmocka_unit_test(what_is_no_time_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
