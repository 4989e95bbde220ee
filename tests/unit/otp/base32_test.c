/* Base32 against the vectors of RFC 4648, every refusal, and round trips of every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "otp/otp.h"

static void vectors_of_rfc_4648_go_both_ways(void **state)
{
    (void)state;
    FILE *file = fopen(TESTS_FOLDER "/vectors/rfc4648_base32.csv", "r");
    assert_non_null(file);
    char line[128], plain[32], padded[32], text[32];
    int rows = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || sscanf(line, "%31[a-z],%31[A-Z2-7=]", plain, padded) != 2) continue;
        uint8_t bytes[32];
        size_t size = 0;
        assert_int_equal(otp_base32_decode(padded, strlen(padded), bytes, sizeof bytes, &size).code, OK);
        assert_int_equal(size, strlen(plain));
        assert_memory_equal(bytes, plain, size);
        assert_int_equal(otp_base32_encode(bytes, size, text, sizeof text).code, OK);
        padded[strcspn(padded, "=")] = 0;
        assert_string_equal(text, padded);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 6);
}

static void lower_case_and_single_blanks_or_dashes_between_groups_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {"mzxw6ytb", "MZXW 6YTB", "mzxw-6ytb", "MZ XW-6Y TB"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint8_t bytes[8];
        size_t size = 0;
        assert_int_equal(otp_base32_decode(good[i], strlen(good[i]), bytes, sizeof bytes, &size).code, OK);
        assert_int_equal(size, 5);
        assert_memory_equal(bytes, "fooba", 5);
    }
}

static void anything_else_is_refused_and_the_size_is_left_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "=",         "M",          "MZX",        "MZXW6Y",    "MZXW6YTBO", /* lengths no bytes can have */
        "MZ",        "MZXW6YR",   "MZXX",                                               /* trailing bits not zero */
        "MZXW0YTB",  "MZXW1YTB",  "MZXW8YTB",   "MZXW9YTB",   "MZXW/YTB",  "MZXW6YT\xc3", "MZ=W6YTB",
        " MZXW6YTB", "MZXW6YTB ", "MZXW  6YTB", "MZXW- 6YTB", "-MZXW6YTB", "MZXW6YTB\n",  "MZXW\t6YTB"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[8];
        size_t size = 99;
        if (otp_base32_decode(bad[i], strlen(bad[i]), bytes, sizeof bytes, &size).code != BAD_BASE32)
            fail_msg("taken: '%s'", bad[i]);
        assert_int_equal(size, 99);
    }
    uint8_t bytes[8];
    size_t size = 99;
    assert_int_equal(otp_base32_decode("MZXW\0YTB", 8, bytes, sizeof bytes, &size).code, BAD_BASE32);
}

static void a_small_destination_is_full_never_overrun(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 5; capacity++) {
        uint8_t bytes[8];
        size_t size = 99;
        memset(bytes, 0xee, sizeof bytes);
        assert_int_equal(otp_base32_decode("MZXW6YTB", 8, bytes, capacity, &size).code, FULL);
        for (size_t i = capacity; i < sizeof bytes; i++) assert_int_equal(bytes[i], 0xee);
        assert_int_equal(size, 99);
    }
    char text[16];
    assert_int_equal(otp_base32_encode((const uint8_t *)"fooba", 5, text, 8).code, FULL);
    assert_int_equal(otp_base32_encode((const uint8_t *)"fooba", 5, text, 9).code, OK);
}

static void every_length_comes_back_as_it_went(void **state)
{
    (void)state;
    uint8_t bytes[OTP_SEED_SIZE_MAX], back[OTP_SEED_SIZE_MAX];
    char text[OTP_SEED_SIZE_MAX * 2];
    for (size_t size = 1; size <= sizeof bytes; size++) {
        for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 167 + size * 31);
        size_t back_size = 0;
        assert_int_equal(otp_base32_encode(bytes, size, text, sizeof text).code, OK);
        assert_int_equal(otp_base32_decode(text, strlen(text), back, sizeof back, &back_size).code, OK);
        assert_int_equal(back_size, size);
        assert_memory_equal(back, bytes, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_rfc_4648_go_both_ways),
        cmocka_unit_test(lower_case_and_single_blanks_or_dashes_between_groups_are_taken),
        cmocka_unit_test(anything_else_is_refused_and_the_size_is_left_alone),
        cmocka_unit_test(a_small_destination_is_full_never_overrun),
        cmocka_unit_test(every_length_comes_back_as_it_went),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
