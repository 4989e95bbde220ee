/* Rows of people: what was put in comes out, and a damaged row is told, whatever is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/people.h"

/* Cut anywhere, or with a byte more, or of another version, it is no row. */
#define assert_whole_alone(decode, row_type, bytes, row_size)                                                          \
    do {                                                                                                               \
        static row_type got_;                                                                                          \
        for (size_t cut_ = 0; cut_ < (row_size); cut_++) {                                                             \
            assert_int_equal(decode((struct store_bytes){bytes, cut_}, &got_).code, STORE_DAMAGED);                    \
        }                                                                                                              \
        (bytes)[row_size] = 0;                                                                                         \
        assert_int_equal(decode((struct store_bytes){bytes, (row_size) + 1}, &got_).code, STORE_DAMAGED);              \
        (bytes)[0] ^= 2;                                                                                               \
        assert_int_equal(decode((struct store_bytes){bytes, row_size}, &got_).code, STORE_DAMAGED);                    \
        (bytes)[0] ^= 2;                                                                                               \
    } while (0)

static void a_company_comes_back_as_it_was(void **unused)
{
    (void)unused;
    uint8_t bytes[PEOPLE_ROW_MAX + 1];
    struct company_row row = {.state = COMPANY_SUSPENDED,
                              .name = "Ünï",
                              .created_ms = 1,
                              .active_ms = 2,
                              .active_by = 3,
                              .training_day = -4,
                              .suspended_ms = 5},
                       got;
    size_t size = people_company_encode(&row, bytes);
    assert_int_equal(people_company_decode((struct store_bytes){bytes, size}, &got).code, OK);
    assert_string_equal(got.name, row.name);
    assert_int_equal(got.training_day, -4);
    assert_int_equal(got.suspended_ms, 5);
    assert_whole_alone(people_company_decode, struct company_row, bytes, size);
    bytes[1] = COMPANY_STATE_COUNT;
    assert_int_equal(people_company_decode((struct store_bytes){bytes, size}, &got).code, STORE_DAMAGED);
}

static void a_user_comes_back_as_it_was(void **unused)
{
    (void)unused;
    uint8_t bytes[PEOPLE_ROW_MAX + 1];
    struct user_row row = {.state = USER_INACTIVE, .flags = 7, .user = "ann", .language = "en", .phone_known = true},
                    got;
    row.sealed_size = sizeof(row.sealed);
    memset(row.sealed, 0xa5, sizeof(row.sealed));
    size_t size = people_user_encode(&row, bytes);
    assert_int_equal(people_user_decode((struct store_bytes){bytes, size}, &got).code, OK);
    assert_string_equal(got.user, "ann");
    assert_true(got.phone_known);
    assert_memory_equal(got.sealed, row.sealed, sizeof(row.sealed));
    assert_whole_alone(people_user_decode, struct user_row, bytes, size);
    bytes[2] = 8; /* a flag that there is not */
    assert_int_equal(people_user_decode((struct store_bytes){bytes, size}, &got).code, STORE_DAMAGED);
}

static void a_token_comes_back_as_it_was(void **unused)
{
    (void)unused;
    uint8_t bytes[PEOPLE_ROW_MAX + 1];
    struct stock_row row = {.number = 9,
                            .kind = STOCK_VIRTUAL,
                            .state = STOCK_LOST,
                            .profile = 3,
                            .fingerprint = {1},
                            .serial = "S-1",
                            .company = {2},
                            .holder = {3},
                            .ordinal = 7,
                            .counter = 5,
                            .since_ms = 11,
                            .replaced_by = 12,
                            .drift = -3,
                            .sealed_size = 48},
                     got;
    size_t size = people_stock_encode(&row, bytes);
    assert_int_equal(people_stock_decode((struct store_bytes){bytes, size}, &got).code, OK);
    assert_memory_equal(&got, &row, sizeof(row));
    assert_whole_alone(people_stock_decode, struct stock_row, bytes, size);
    /* The form of before, which had no drift. */
    bytes[0] = 1;
    assert_int_equal(people_stock_decode((struct store_bytes){bytes, size - 1}, &got).code, OK);
    assert_int_equal(got.drift, 0);
    assert_int_equal(people_stock_decode((struct store_bytes){bytes, size}, &got).code, STORE_DAMAGED);
    bytes[0] = 2;
    bytes[9] = 3; /* a kind that there is not */
    assert_int_equal(people_stock_decode((struct store_bytes){bytes, size}, &got).code, STORE_DAMAGED);
}

static void an_operator_comes_back_as_it_was(void **unused)
{
    (void)unused;
    uint8_t bytes[PEOPLE_ROW_MAX + 1];
    struct operator_row row = {.id = 4,
                               .state = OPERATOR_DISABLED,
                               .role = ROLE_COMPANY,
                               .name = "olga",
                               .uid = 1000,
                               .grants = 6,
                               .account = {1},
                               .key = {2},
                               .created_ms = 3},
                        got;
    size_t size = people_operator_encode(&row, bytes);
    assert_int_equal(people_operator_decode((struct store_bytes){bytes, size}, &got).code, OK);
    assert_string_equal(got.name, "olga");
    assert_int_equal(got.grants, 6);
    assert_whole_alone(people_operator_decode, struct operator_row, bytes, size);
    bytes[6] = ROLE_ENGINE; /* nobody is the engine */
    assert_int_equal(people_operator_decode((struct store_bytes){bytes, size}, &got).code, STORE_DAMAGED);
}

static void a_request_comes_back_as_it_was_by_the_name_of_its_act(void **unused)
{
    (void)unused;
    uint8_t bytes[PEOPLE_ROW_MAX + 1];
    struct request_row row = {.number = 1,
                              .state = REQUEST_OPEN,
                              .act = DO_USER_RESET,
                              .asked_by = 2,
                              .asked_ms = 3,
                              .user = "ann",
                              .reason = "why"},
                       got;
    size_t size = people_request_encode(&row, bytes);
    assert_int_equal(people_request_decode((struct store_bytes){bytes, size}, &got).code, OK);
    assert_int_equal(got.act, DO_USER_RESET);
    assert_string_equal(got.reason, "why");
    assert_whole_alone(people_request_decode, struct request_row, bytes, size);
    bytes[12] = 'X'; /* an act that there is not */
    assert_int_equal(people_request_decode((struct store_bytes){bytes, size}, &got).code, STORE_DAMAGED);
}

static void a_text_with_a_zero_in_it_is_damage(void **unused)
{
    (void)unused;
    uint8_t bytes[PEOPLE_ROW_MAX + 1];
    struct company_row row = {.state = COMPANY_ACTIVE, .name = "ab"}, got;
    size_t size = people_company_encode(&row, bytes);
    bytes[4] = 0;
    assert_int_equal(people_company_decode((struct store_bytes){bytes, size}, &got).code, STORE_DAMAGED);
}

static void phone_numbers_have_one_spelling(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "", "+", "600123456", "+0600123456", "+123456", "+1234567890123456", "+34 600 12x", "++34600123456"};
    char phone[PEOPLE_PHONE_MAX + 1];
    assert_int_equal(person_phone_parse("+34 600-123 456", phone).code, OK);
    assert_string_equal(phone, "+34600123456");
    assert_int_equal(person_phone_parse("+123456789012345", phone).code, OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(person_phone_parse(bad[i], phone).code, BAD_NAME);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_company_comes_back_as_it_was),
        cmocka_unit_test(a_user_comes_back_as_it_was),
        cmocka_unit_test(a_token_comes_back_as_it_was),
        cmocka_unit_test(an_operator_comes_back_as_it_was),
        cmocka_unit_test(a_request_comes_back_as_it_was_by_the_name_of_its_act),
        cmocka_unit_test(a_text_with_a_zero_in_it_is_damage),
        cmocka_unit_test(phone_numbers_have_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
