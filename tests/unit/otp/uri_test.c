/* otpauth URIs: what is taken and as what, what is refused and why, and that every one taken comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "otp/otp.h"

#define SECRET "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

static uint16_t parse(const char *text, struct otp_uri *ret_uri)
{
    return otp_uri_parse(text, strlen(text), ret_uri).code;
}

static void expect_same(const struct otp_uri *a, const struct otp_uri *b)
{
    assert_int_equal(a->parameters.type, b->parameters.type);
    assert_int_equal(a->parameters.algorithm, b->parameters.algorithm);
    assert_int_equal(a->parameters.digits, b->parameters.digits);
    assert_int_equal(a->parameters.period_s, b->parameters.period_s);
    assert_true(a->counter == b->counter);
    assert_int_equal(a->seed_size, b->seed_size);
    assert_memory_equal(a->seed, b->seed, a->seed_size);
    assert_string_equal(a->issuer, b->issuer);
    assert_string_equal(a->account, b->account);
}

static void parameters_left_out_get_the_defaults(void **state)
{
    (void)state;
    struct otp_uri uri;
    assert_int_equal(parse("otpauth://totp/alice?" SECRET, &uri), OK);
    assert_int_equal(uri.parameters.type, OTP_TOTP);
    assert_int_equal(uri.parameters.algorithm, KERNEL_SHA1);
    assert_int_equal(uri.parameters.digits, 6);
    assert_int_equal(uri.parameters.period_s, 30);
    assert_int_equal(uri.parameters.t0_s, 0);
    assert_string_equal(uri.account, "alice");
    assert_string_equal(uri.issuer, "");
    assert_int_equal(uri.seed_size, 20);
    assert_memory_equal(uri.seed, "12345678901234567890", 20);
}

static void every_parameter_is_read(void **state)
{
    (void)state;
    struct otp_uri uri;
    assert_int_equal(parse("otpauth://totp/ACME%20Co:j%C3%B6rg@x.org?" SECRET
                           "&issuer=ACME%20Co&algorithm=SHA512&digits=8&period=60&image=http%3A%2F%2Fx",
                           &uri),
                     OK);
    assert_string_equal(uri.issuer, "ACME Co");
    assert_string_equal(uri.account, "j\xc3\xb6rg@x.org");
    assert_int_equal(uri.parameters.algorithm, KERNEL_SHA512);
    assert_int_equal(uri.parameters.digits, 8);
    assert_int_equal(uri.parameters.period_s, 60);
    assert_int_equal(parse("otpauth://hotp/a%3A%20b?" SECRET "&counter=18446744073709551615&algorithm=sha256", &uri),
                     OK);
    assert_string_equal(uri.issuer, "a");
    assert_string_equal(uri.account, "b");
    assert_true(uri.counter == UINT64_MAX);
    assert_int_equal(uri.parameters.algorithm, KERNEL_SHA256);
    assert_int_equal(uri.parameters.period_s, 0);
}

struct bad {
    const char *text;
    enum result_code code;
};

static void every_fault_is_refused_by_its_name_and_changes_nothing(void **state)
{
    (void)state;
    static const struct bad bad[] = {
        {"", BAD_URI},
        {"otpauth://", BAD_URI},
        {"otpauth:/totp/a?" SECRET, BAD_URI},
        {"http://totp/a?" SECRET, BAD_URI},
        {"otpauth://yotp/a?" SECRET, BAD_TYPE},
        {"otpauth://totp/a", BAD_URI},
        {"otpauth://totp/a?issuer=b", URI_NO_SECRET},
        {"otpauth://totp/a?" SECRET "#x", BAD_URI},
        {"otpauth://totp/a%2?" SECRET, BAD_URI},
        {"otpauth://totp/a%zz?" SECRET, BAD_URI},
        {"otpauth://totp/a%00b?" SECRET, BAD_URI},
        {"otpauth://totp/?" SECRET, BAD_NAME},
        {"otpauth://totp/b:?" SECRET, BAD_NAME},
        {"otpauth://totp/a%0Ab?" SECRET, BAD_NAME},
        {"otpauth://totp/%ff?" SECRET, BAD_NAME},
        {"otpauth://totp/%c0%af?" SECRET, BAD_NAME},
        {"otpauth://totp/%ed%a0%80?" SECRET, BAD_NAME},
        {"otpauth://totp/%c3?" SECRET, BAD_NAME},
        {"otpauth://totp/i:b:c?" SECRET, BAD_NAME},
        {"otpauth://totp/a?" SECRET "&issuer=i%3Aj", BAD_NAME},
        {"otpauth://totp/i:a?" SECRET "&issuer=j", URI_TWO_ISSUERS},
        {"otpauth://totp/a?" SECRET "&" SECRET, URI_REPEATED},
        {"otpauth://totp/a?" SECRET "&digits=6&digits=6", URI_REPEATED},
        {"otpauth://totp/a?" SECRET "&algorithm=MD5", BAD_ALGORITHM},
        {"otpauth://totp/a?" SECRET "&digits=5", BAD_DIGITS},
        {"otpauth://totp/a?" SECRET "&digits=9", BAD_DIGITS},
        {"otpauth://totp/a?" SECRET "&digits=", BAD_DIGITS},
        {"otpauth://totp/a?" SECRET "&digits=262", BAD_DIGITS},
        {"otpauth://totp/a?" SECRET "&period=0", BAD_PERIOD},
        {"otpauth://totp/a?" SECRET "&period=3601", BAD_PERIOD},
        {"otpauth://totp/a?" SECRET "&period=-30", BAD_PERIOD},
        {"otpauth://hotp/a?" SECRET, URI_NO_COUNTER},
        {"otpauth://hotp/a?" SECRET "&counter=", BAD_COUNTER},
        {"otpauth://hotp/a?" SECRET "&counter=18446744073709551616", BAD_COUNTER},
        {"otpauth://hotp/a?" SECRET "&counter=+1", BAD_COUNTER},
        {"otpauth://totp/a?secret=", BAD_BASE32},
        {"otpauth://totp/a?secret=0000", BAD_BASE32},
        {"otpauth://totp/a?secret=GEZDGNBVGY3TQOI", BAD_SECRET_SIZE}, /* nine bytes */
    };
    struct otp_uri uri, before;
    memset(&uri, 0x5a, sizeof uri);
    before = uri;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint16_t code = parse(bad[i].text, &uri);
        if (code != bad[i].code) fail_msg("'%s': %s", bad[i].text, result_name((struct result){.code = code}));
        assert_memory_equal(&uri, &before, sizeof uri);
    }
}

static void secrets_over_128_bytes_and_names_over_255_are_refused(void **state)
{
    (void)state;
    struct otp_uri uri;
    char text[1024], name[OTP_NAME_SIZE_MAX + 2], secret[256];
    memset(name, 'n', sizeof name);
    for (int by = 0; by <= 1; by++) {
        snprintf(text, sizeof text, "otpauth://totp/%.*s?" SECRET, OTP_NAME_SIZE_MAX + by, name);
        assert_int_equal(parse(text, &uri), by ? BAD_NAME : OK);
        uint8_t seed[OTP_SEED_SIZE_MAX + 1] = {1};
        assert_int_equal(otp_base32_encode(seed, sizeof seed - 1 + (size_t)by, secret, sizeof secret).code, OK);
        snprintf(text, sizeof text, "otpauth://totp/a?secret=%s", secret);
        assert_int_equal(parse(text, &uri), by ? BAD_SECRET_SIZE : OK);
    }
}

static void every_uri_taken_comes_back_the_same(void **state)
{
    (void)state;
    static const char *const good[] = {
        "otpauth://totp/alice?" SECRET,
        "otpauth://totp/%20alice?" SECRET "&issuer=ACME",
        "otpauth://totp/ACME:%20%20alice?" SECRET,
        "otpauth://totp/:alice?" SECRET "&issuer=ACME",
        "otpauth://totp/a%26b%3Dc%3Fd%23e%25f%2Fg?" SECRET "&issuer=%26%3D%3F%23%25",
        "otpauth://totp/a+b?" SECRET "&issuer=c+d",
        "OTPAUTH://HOTP/j%c3%b6rg?COUNTER=7&" SECRET "&algorithm=SHA-256&digits=7",
    };
    char text[1600];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct otp_uri first, again;
        assert_int_equal(parse(good[i], &first), OK);
        assert_int_equal(otp_uri_format(&first, text, sizeof text).code, OK);
        if (parse(text, &again) != OK) fail_msg("'%s' became '%s', which is refused", good[i], text);
        expect_same(&first, &again);
    }
}

static void the_longest_uri_fits_2600_bytes_or_is_called_full(void **state)
{
    (void)state;
    struct otp_uri uri = {.parameters = {.type = OTP_HOTP, .algorithm = KERNEL_SHA512, .digits = 8},
                          .counter = UINT64_MAX,
                          .seed_size = OTP_SEED_SIZE_MAX};
    char text[4096];
    memset(uri.account, '&', OTP_NAME_SIZE_MAX); /* Every byte takes three when encoded. */
    memset(uri.issuer, '&', OTP_NAME_SIZE_MAX);
    assert_int_equal(otp_uri_format(&uri, text, 2600).code, OK);
    size_t size = strlen(text);
    for (size_t capacity = 0; capacity <= size; capacity++) {
        memset(text, 0x7e, sizeof text);
        assert_int_equal(otp_uri_format(&uri, text, capacity).code, FULL);
        assert_int_equal(text[capacity], 0x7e);
    }
    assert_int_equal(otp_uri_format(&uri, text, size + 1).code, OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_left_out_get_the_defaults),
        cmocka_unit_test(every_parameter_is_read),
        cmocka_unit_test(every_fault_is_refused_by_its_name_and_changes_nothing),
        cmocka_unit_test(secrets_over_128_bytes_and_names_over_255_are_refused),
        cmocka_unit_test(every_uri_taken_comes_back_the_same),
        cmocka_unit_test(the_longest_uri_fits_2600_bytes_or_is_called_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
