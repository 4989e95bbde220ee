/* Foreign bytes on their way to a terminal, a cell, an object or a message. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "otpring-log/text.h"

typedef void escape(struct text *text, const char *foreign, size_t size);

static void expect(escape *how, const char *foreign, size_t size, const char *wanted)
{
    struct text text = {0};
    how(&text, foreign, size);
    text_char(&text, 0);
    assert_string_equal(text.bytes, wanted);
    text_free(&text);
}
#define EXPECT(how, foreign, wanted) expect(how, foreign, sizeof foreign - 1, wanted)

static void each_place_has_its_escapes(void **state)
{
    (void)state;
    EXPECT(text_word, "a b\"c\\d%e/f", "a%20b%22c%5cd%25e%2ff");
    EXPECT(text_word, "Stra\u00dfe\u00a0\u3000", "Stra\u00dfe%c2%a0%e3%80%80");
    EXPECT(text_plain, "a\x1b[31m\n\\", "a\\u{1b}[31m\\u{a}\\\\");
    EXPECT(text_json, "a\"b\\c\n\x7f", "\"a\\\"b\\\\c\\u000a\\u007f\"");
    EXPECT(text_json, "\U000e0041", "\"\\udb40\\udc41\"");
    EXPECT(text_csv, "a\"b,c", "\"a\"\"b,c\"");
    EXPECT(text_csv, "=1+2", "\"'=1+2\"");
    EXPECT(text_csv, "@x", "\"'@x\"");
    EXPECT(text_csv, "", "\"\"");
    EXPECT(text_cef, "a=b\\c|d\r\n", "a\\=b\\\\c|d\\r\\n");
}

static void what_hides_or_turns_text_is_escaped(void **state)
{
    (void)state;
    EXPECT(text_plain, "a\u202eb\u200bc\ufeff\u2066\u00ad\u2028",
           "a\\u{202e}b\\u{200b}c\\u{feff}\\u{2066}\\u{ad}\\u{2028}");
    EXPECT(text_json, "\u202e", "\"\\u202e\"");
    EXPECT(text_word, "\u202e", "%e2%80%ae");
    EXPECT(text_plain,
           "\xc2\x9b"
           "31m",
           "\\u{9b}31m"); /* C1: a control sequence in one character */
}

static void what_is_no_utf8_becomes_a_replacement(void **state)
{
    (void)state;
    EXPECT(text_plain, "\xff", "\ufffd");
    EXPECT(text_plain, "\xc3", "\ufffd");
    EXPECT(text_plain, "\xc3(", "\ufffd(");
    EXPECT(text_plain, "\xc0\xaf", "\ufffd\ufffd");
    EXPECT(text_plain, "\xed\xa0\x80", "\ufffd\ufffd\ufffd");
    EXPECT(text_plain, "\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd");
    EXPECT(text_plain, "\xe0\x80\x80", "\ufffd\ufffd\ufffd");
}

/* No control and no DEL comes out of any of them, whatever goes in. */
static void no_bytes_drive_a_terminal(void **state)
{
    (void)state;
    escape *const all[] = {text_word, text_plain, text_json, text_csv, text_cef};
    uint32_t random = 1;
    for (unsigned try = 0; try < 20000; try++) {
        char foreign[24];
        for (unsigned i = 0; i < sizeof foreign; i++) {
            random = random * 1664525 + 1013904223;
            foreign[i] = (char)(random >> 24);
        }
        for (unsigned i = 0; i < 5; i++) {
            struct text text = {0};
            all[i](&text, foreign, sizeof foreign);
            for (size_t at = 0; at < text.size; at++) {
                unsigned char c = (unsigned char)text.bytes[at];
                assert_true(c >= 0x20 && c != 0x7f);
            }
            text_free(&text);
        }
    }
}

static void numbers_and_times_are_written_as_printf_does(void **state)
{
    (void)state;
    struct text text = {0};
    text_unsigned(&text, 0);
    text_char(&text, ' ');
    text_unsigned(&text, UINT64_MAX);
    text_char(&text, ' ');
    text_signed(&text, INT64_MIN);
    text_char(&text, ' ');
    text_hex64(&text, 0xabc);
    text_char(&text, ' ');
    text_time(&text, 1769860800123);
    text_char(&text, ' ');
    text_time(&text, -5);
    text_char(&text, 0);
    assert_string_equal(text.bytes,
                        "0 18446744073709551615 -9223372036854775808 0000000000000abc 2026-01-31T12:00:00.123Z -5ms");
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_has_its_escapes),
        cmocka_unit_test(what_hides_or_turns_text_is_escaped),
        cmocka_unit_test(what_is_no_utf8_becomes_a_replacement),
        cmocka_unit_test(no_bytes_drive_a_terminal),
        cmocka_unit_test(numbers_and_times_are_written_as_printf_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
