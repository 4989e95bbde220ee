/* CSV lines: RFC 4180 on one line, columns by name, hostile lines refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/csv.h"

#define csv_is(expression, code) assert_string_equal(result_name(expression), #code)

static void fields_follow_rfc_4180(void **unused)
{
    (void)unused;
    char buffer[CSV_LINE_SIZE_MAX];
    struct csv_field fields[CSV_FIELDS_MAX];
    unsigned count = 0;
    const char line[] = "aaa,\"b \"\"bb\"\", with comma\",,\"\"";
    csv_is(csv_fields(line, strlen(line), buffer, fields, &count), OK);
    assert_int_equal(count, 4);
    assert_int_equal(fields[0].size, 3);
    assert_memory_equal(fields[1].text, "b \"bb\", with comma", fields[1].size);
    assert_int_equal(fields[1].size, 18);
    assert_int_equal(fields[2].size, 0);
    assert_int_equal(fields[3].size, 0);
    csv_is(csv_fields("a,\"b", 4, buffer, fields, &count), BAD_CSV);
    csv_is(csv_fields("a\"b", 3, buffer, fields, &count), BAD_CSV);
    csv_is(csv_fields("\"a\"b", 4, buffer, fields, &count), BAD_CSV);
    csv_is(csv_fields(",,,,,,,,,,,,,,,,", 16, buffer, fields, &count), CSV_FIELDS);
}

static struct result parse(const char *head, const char *line, struct csv_token *ret_token)
{
    struct csv_header header;
    TRY(csv_header_parse(head, strlen(head), &header));
    return csv_token_parse(&header, line, strlen(line), ret_token);
}

static void columns_come_in_any_order_and_default(void **unused)
{
    (void)unused;
    struct csv_token token;
    csv_is(parse("Secret,user,company", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,ann,acme", &token), OK);
    assert_string_equal(token.user, "ann");
    assert_string_equal(token.company, "acme");
    assert_int_equal(token.seed_size, 20);
    assert_memory_equal(token.seed, "12345678901234567890", 20); /* the seed of RFC 4226 appendix D */
    assert_int_equal(token.parameters.type, OTP_TOTP);
    assert_int_equal(token.parameters.period_s, 30);
    csv_is(parse("company,user,secret,type,counter,digits,algorithm,look_ahead",
                 "a,b,GEZDGNBVGY3TQOJQ,hotp,7,8,sha256,20", &token),
           OK);
    assert_int_equal(token.counter, 7);
    assert_int_equal(token.parameters.digits, 8);
    assert_int_equal(token.parameters.algorithm, KERNEL_SHA256);
    assert_int_equal(token.look_ahead, 20);
}

static void t0_and_profile_are_columns_too(void **unused)
{
    (void)unused;
    struct csv_token token;
    const char *head = "company,user,secret,type,digits,t0,counter,profile";
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,,1000000000,,", &token), OK);
    assert_int_equal(token.parameters.t0_s, 1000000000);
    assert_int_equal(token.profile, -1);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,,,5,3", &token), OK);
    assert_int_equal(token.profile, 3);
    assert_int_equal(token.counter, 5);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,,-1,,", &token), BAD_T0);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,hotp,,5,,", &token), BAD_T0);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,8,,,3", &token), BAD_PROFILE);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,,0,,3", &token), BAD_PROFILE);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,,,,65535", &token), BAD_PROFILE);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,,,,strict", &token), BAD_PROFILE);
}

static void bad_lines_say_what_is_bad(void **unused)
{
    (void)unused;
    struct csv_token token;
    const char *head = "company,user,secret,type,digits,period,counter";
    csv_is(parse("company,user", "a,b", &token), CSV_HEADER);
    csv_is(parse("company,user,secret,user", "a,b", &token), CSV_HEADER);
    csv_is(parse("company,user,secret,colour", "a,b", &token), CSV_HEADER);
    csv_is(parse(head, "a,b", &token), CSV_FIELDS);
    csv_is(parse(head, "a,,GEZDGNBVGY3TQOJQ,,,,", &token), BAD_NAME);
    csv_is(parse(head, "a,b,,,,,", &token), BAD_SECRET_SIZE);
    csv_is(parse(head, "a,b,GEZDGNBV,,,,", &token), BAD_SECRET_SIZE);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJ1,,,,", &token), BAD_BASE32);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,5,,", &token), BAD_DIGITS);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,,,0,", &token), BAD_PERIOD);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,hotp,,30,", &token), BAD_PERIOD);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,totp,,,4", &token), BAD_COUNTER);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,yubi,,,", &token), BAD_TYPE);
    csv_is(parse(head, "a,b,GEZDGNBVGY3TQOJQ,hotp,,,-1", &token), BAD_COUNTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_follow_rfc_4180),
        cmocka_unit_test(columns_come_in_any_order_and_default),
        cmocka_unit_test(t0_and_profile_are_columns_too),
        cmocka_unit_test(bad_lines_say_what_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
