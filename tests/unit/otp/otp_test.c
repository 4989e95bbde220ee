/* HOTP and TOTP against the RFC tables, liboath and OpenSSL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <liboath/oath.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "otp/otp.h"

static const uint8_t digits_seed[] = "1234567890123456789012345678901234567890123456789012345678901234";

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void hotp_gives_the_table_of_rfc_4226_appendix_d(void **state)
{
    (void)state;
    const struct otp_parameters parameters = {.type = OTP_HOTP, .algorithm = KERNEL_SHA1, .digits = 6};
    FILE *file = fopen(TESTS_FOLDER "/vectors/rfc4226_appendix_d.csv", "r");
    assert_non_null(file);
    char line[256], expected[16], text[9];
    int rows = 0;
    while (fgets(line, sizeof line, file)) {
        unsigned long long counter;
        if (sscanf(line, "%llu,%*u,%15[0-9]", &counter, expected) != 2) continue;
        otp_code_text(otp_code(&parameters, digits_seed, 20, counter), 6, text);
        assert_string_equal(text, expected);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 10);
}

static void totp_gives_the_table_of_rfc_6238_appendix_b(void **state)
{
    (void)state;
    FILE *file = fopen(TESTS_FOLDER "/vectors/rfc6238_appendix_b.csv", "r");
    assert_non_null(file);
    char line[256], algorithm[16], expected[16], text[9];
    int rows = 0;
    while (fgets(line, sizeof line, file)) {
        long long unix_s;
        unsigned long long step;
        if (sscanf(line, "%15[A-Z0-9],%lld,%llx,%15[0-9]", algorithm, &unix_s, &step, expected) != 4) continue;
        struct otp_parameters parameters = {.type = OTP_TOTP, .digits = 8, .period_s = 30};
        size_t size = 20;
        if (strcmp(algorithm, "SHA256") == 0) parameters.algorithm = KERNEL_SHA256, size = 32;
        if (strcmp(algorithm, "SHA512") == 0) parameters.algorithm = KERNEL_SHA512, size = 64;
        assert_int_equal(otp_step(&parameters, unix_s), step);
        otp_code_text(otp_code(&parameters, digits_seed, size, step), 8, text);
        assert_string_equal(text, expected);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 18);
}

static uint32_t openssl_truncated(enum kernel_algorithm algorithm, const uint8_t *seed, size_t size, uint64_t counter)
{
    const EVP_MD *hash = algorithm == KERNEL_SHA1     ? EVP_sha1()
                         : algorithm == KERNEL_SHA256 ? EVP_sha256()
                                                      : EVP_sha512();
    uint8_t message[8], digest[EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    for (int i = 0; i < 8; i++) message[i] = (uint8_t)(counter >> (56 - 8 * i));
    assert_non_null(HMAC(hash, seed, (int)size, message, sizeof message, digest, &digest_size));
    const uint8_t *at = digest + (digest[digest_size - 1] & 15);
    return (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void random_hotp_case(uint64_t *random, const uint8_t *seed, size_t size, struct otp_parameters *parameters)
{
    static const uint32_t powers[] = {1000000, 10000000, 100000000};
    char expected[16] = "", text[9];
    uint64_t counter = random_next(random) >> (random_next(random) % 64);
    parameters->type = OTP_HOTP;
    uint32_t code = otp_code(parameters, seed, size, counter);
    uint32_t truncated = openssl_truncated(parameters->algorithm, seed, size, counter);
    assert_int_equal(code, truncated % powers[parameters->digits - 6]);
    if (parameters->algorithm != KERNEL_SHA1) return; /* liboath's HOTP knows SHA-1 only. */
    otp_code_text(code, parameters->digits, text);
    assert_int_equal(oath_hotp_generate((const char *)seed, size, counter, parameters->digits, false,
                                        OATH_HOTP_DYNAMIC_TRUNCATION, expected),
                     OATH_OK);
    assert_string_equal(text, expected);
}

static void random_totp_case(uint64_t *random, const uint8_t *seed, size_t size, struct otp_parameters *parameters)
{
    static const int flags[] = {0, OATH_TOTP_HMAC_SHA256, OATH_TOTP_HMAC_SHA512};
    char expected[16] = "", text[9];
    parameters->type = OTP_TOTP;
    parameters->period_s = 1 + (uint32_t)(random_next(random) % OTP_PERIOD_S_MAX);
    parameters->t0_s = (int64_t)(random_next(random) % 1000000000);
    int64_t unix_s = parameters->t0_s + (int64_t)(random_next(random) % 4000000000u);
    int64_t step = otp_step(parameters, unix_s);
    otp_code_text(otp_code(parameters, seed, size, (uint64_t)step), parameters->digits, text);
    assert_int_equal(oath_totp_generate2((const char *)seed, size, unix_s, parameters->period_s, parameters->t0_s,
                                         parameters->digits, flags[parameters->algorithm], expected),
                     OATH_OK);
    assert_string_equal(text, expected);
}

static void random_cases_agree_with_liboath_and_openssl(void **state)
{
    (void)state;
    const char *wanted = getenv("OTPRING_TEST_CASES");
    size_t cases = wanted && *wanted ? strtoull(wanted, NULL, 10) : 100000;
    uint64_t random = 11;
    uint8_t seed[OTP_SEED_SIZE_MAX];
    for (size_t i = 0; i < cases; i++) {
        size_t size = OTP_SEED_SIZE_MIN + random_next(&random) % (OTP_SEED_SIZE_MAX - OTP_SEED_SIZE_MIN + 1);
        for (size_t b = 0; b < size; b++) seed[b] = (uint8_t)(random_next(&random) >> 56);
        struct otp_parameters parameters = {
            .algorithm = (enum kernel_algorithm)(random_next(&random) % KERNEL_ALGORITHM_COUNT),
            .digits = (uint8_t)(OTP_DIGITS_MIN + random_next(&random) % 3),
        };
        if (i % 2)
            random_hotp_case(&random, seed, size, &parameters);
        else
            random_totp_case(&random, seed, size, &parameters);
    }
    print_message("counted: %zu random cases against liboath and OpenSSL\n", cases);
}

static void steps_round_down_before_t0_too(void **state)
{
    (void)state;
    const struct otp_parameters parameters = {.type = OTP_TOTP, .digits = 6, .period_s = 30, .t0_s = 100};
    assert_int_equal(otp_step(&parameters, 100), 0);
    assert_int_equal(otp_step(&parameters, 129), 0);
    assert_int_equal(otp_step(&parameters, 130), 1);
    assert_int_equal(otp_step(&parameters, 99), -1);
    assert_int_equal(otp_step(&parameters, 70), -1);
    assert_int_equal(otp_step(&parameters, 69), -2);
}

static void parameters_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    const int64_t now_s = 1700000000;
    const struct otp_parameters good = {.type = OTP_TOTP, .digits = 6, .period_s = 30};
    struct otp_parameters bad = good;
    assert_int_equal(otp_check_parameters(&good, now_s).code, OK);
    for (unsigned digits = 0; digits < 256; digits++) {
        bad.digits = (uint8_t)digits;
        assert_int_equal(otp_check_parameters(&bad, now_s).code, digits >= 6 && digits <= 8 ? OK : BAD_DIGITS);
    }
    bad = good, bad.period_s = 0;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, BAD_PERIOD);
    bad.period_s = 3600;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, OK);
    bad.period_s = 3601;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, BAD_PERIOD);
    bad = good, bad.algorithm = KERNEL_ALGORITHM_COUNT;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, BAD_ARGUMENT);
    bad = good, bad.type = (enum otp_type)2;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, BAD_ARGUMENT);
    bad = good, bad.t0_s = now_s + 1;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, STEP_TOO_FAR);
    /* One-second steps counted from 1970 leave 32 bits in 2106, more than 50 years off; from 1900 they do not last. */
    bad = good, bad.period_s = 1;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, OK);
    bad.t0_s = -2208988800;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, STEP_TOO_FAR);
    bad.t0_s = INT64_MIN;
    assert_int_equal(otp_check_parameters(&bad, now_s).code, STEP_TOO_FAR);
}

static void a_code_has_one_spelling_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "1",
                                      "12345",
                                      "123456789",
                                      " 123456",
                                      "123456 ",
                                      "123 456",
                                      "+123456",
                                      "-123456",
                                      "12345a",
                                      "0x12345",
                                      "12345\n",
                                      "\xd9\xa1\xd9\xa2\xd9\xa3",
                                      "1e10000"};
    uint32_t code = 77;
    uint8_t digits = 77;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(result_failed(otp_code_parse(bad[i], strlen(bad[i]), &code, &digits)));
        assert_int_equal(code, 77);
        assert_int_equal(digits, 77);
    }
    assert_true(result_failed(otp_code_parse("12345\0", 6, &code, &digits)));
    char text[9];
    for (unsigned wanted = 6; wanted <= 8; wanted++) {
        otp_code_text(42, wanted, text);
        assert_int_equal(strlen(text), wanted);
        assert_false(result_failed(otp_code_parse(text, wanted, &code, &digits)));
        assert_int_equal(code, 42);
        assert_int_equal(digits, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hotp_gives_the_table_of_rfc_4226_appendix_d),
        cmocka_unit_test(totp_gives_the_table_of_rfc_6238_appendix_b),
        cmocka_unit_test(random_cases_agree_with_liboath_and_openssl),
        cmocka_unit_test(steps_round_down_before_t0_too),
        cmocka_unit_test(parameters_out_of_range_are_refused_by_name),
        cmocka_unit_test(a_code_has_one_spelling_only),
    };
    if (oath_init() != OATH_OK) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    oath_done();
    return failed;
}
