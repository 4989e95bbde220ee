/* Times as people type them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "otpring-log/when.h"

/* 2026-03-29 12:34:56.789 UTC: a day on which Berlin's clocks went forward at night. */
#define NOW_MS 1774787696789LL

static void expect(const char *text, int64_t ms)
{
    int64_t seen;
    if (!when_parse(text, NOW_MS, &seen)) fail_msg("%s: refused", text);
    if (seen != ms) fail_msg("%s: %lld, not %lld", text, (long long)seen, (long long)ms);
}

static void zone(const char *name)
{
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
}

static void spans_count_back_from_now(void **state)
{
    (void)state;
    expect("now", NOW_MS);
    expect("-2h", NOW_MS - 7200000);
    expect("-90s", NOW_MS - 90000);
    expect("-1d12h", NOW_MS - 129600000);
    expect("-1w", NOW_MS - 604800000);
    expect("-0m", NOW_MS);
}

static void days_and_times_of_day_are_local(void **state)
{
    (void)state;
    zone("UTC");
    expect("today", 1774742400000);
    expect("yesterday", 1774656000000);
    expect("yesterday 14:00", 1774706400000);
    expect("Yesterday 14:00:30.25", 1774706430250);
    expect("09:30", 1774776600000);
    expect("2026-01-31", 1769817600000);
    expect("2026-01-31 12:00", 1769860800000);
    zone("Europe/Berlin");
    expect("yesterday 14:00", 1774702800000); /* +01:00 */
    expect("today 14:00", 1774785600000);     /* +02:00 */
    expect("2026-01-31 12:00", 1769857200000);
    zone("UTC");
}

static void iso_8601_with_a_zone_is_the_same_everywhere(void **state)
{
    (void)state;
    static const char *const zones[] = {"UTC", "Europe/Berlin", "Asia/Kolkata"};
    for (unsigned i = 0; i < 3; i++) {
        zone(zones[i]);
        expect("2026-01-31T12:00:00Z", 1769860800000);
        expect("2026-01-31T12:00:00.123Z", 1769860800123);
        expect("2026-01-31T12:00:00.1239Z", 1769860800123);
        expect("2026-01-31T13:00:00+01:00", 1769860800000);
        expect("2026-01-31T04:30-0730", 1769860800000);
        expect("@1769860800", 1769860800000);
        expect("@1769860800.5", 1769860800500);
    }
    zone("UTC");
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "-",
        "-2",
        "-h",
        "-2y",
        "-99999999d",
        "tomorrow",
        "todayx",
        "25:00",
        "12:60",
        "12:5",
        "2026-13-01",
        "2026-02-30",
        "2026-1-1",
        "1969-12-31",
        "2026-01-31T",
        "2026-01-31T12:00:00+1",
        "2026-01-31T12:00:00X",
        "@",
        "@-1",
        "@1x",
        "@12345678901234567",
        "12",
        "yesterday 9",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+24:00",
    };
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t ms = 77;
        if (when_parse(texts[i], NOW_MS, &ms)) fail_msg("%s: taken", texts[i]);
        assert_int_equal(ms, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_count_back_from_now),
        cmocka_unit_test(days_and_times_of_day_are_local),
        cmocka_unit_test(iso_8601_with_a_zone_is_the_same_everywhere),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
