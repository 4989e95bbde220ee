/* What text may be a name, and small encodings that come from elsewhere: gates, names of changes, waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/change.h"
#include "core/gate.h"
#include "core/state.h"

static bool valid(const char *text)
{
    return core_text_valid(text, 1, 32);
}

static void text_is_utf_8_in_its_shortest_form_without_control_characters(void **state)
{
    (void)state;
    static const char *const good[] = {"a",         "~", "\xc3\xa9", "\xc2\xa0", "\xe2\x82\xac", "\xf0\x9f\x94\x91",
                                       "a\xc3\xb1z"};
    static const char *const bad[] = {"",
                                      "\x1f",
                                      "\x7f",             /* delete */
                                      "\x80",             /* a continuation by itself */
                                      "\xc0\xaf",         /* longer than need be */
                                      "\xc2\x85",         /* a control character of two bytes */
                                      "\xc3(",            /* no continuation */
                                      "\xc3",             /* cut short */
                                      "\xe0\x80\xa0",     /* longer than need be: a space */
                                      "\xe0\x82\x85",     /* likewise: that control character */
                                      "\xed\xa0\x80",     /* half of a surrogate pair */
                                      "\xf0\x82\x82\xac", /* longer than need be */
                                      "\xf4\x90\x80\x80", /* beyond the last character */
                                      "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (valid(bad[i])) fail_msg("text %zu", i);
    }
    assert_false(core_text_valid(NULL, 0, 32));
}

static void what_is_no_text_is_mended_byte_by_byte(void **state)
{
    (void)state;
    static const char *const texts[][2] = {{"", ""},
                                           {"a\xc3\xb1z", "a\xc3\xb1z"},
                                           {"\xe2\x82", "??"},
                                           {"\"\xe2\x82\"", "\"??\""},
                                           {"a\n\xf0\x9f\x94\x91\xc3", "a?\xf0\x9f\x94\x91?"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[32];
        strcpy(text, texts[i][0]);
        core_text_mend(text);
        assert_string_equal(text, texts[i][1]);
        assert_true(core_text_valid(text, 0, 32));
    }
}

static void a_gate_is_two_bytes_of_this_version(void **state)
{
    (void)state;
    enum core_gate gate;
    uint8_t bytes[GATE_ROW_SIZE];
    gate_encode(GATE_PENDING, bytes);
    assert_int_equal(gate_decode(bytes_of(bytes, sizeof bytes), &gate).code, OK);
    assert_int_equal(gate, GATE_PENDING);
    static const char *const bad[] = {"\2\1", "\1\0", "\1\5"};
    for (size_t i = 0; i < 3; i++) assert_int_equal(gate_decode(bytes_of(bad[i], 2), &gate).code, STORE_DAMAGED);
    assert_int_equal(gate_decode(bytes_of("\1", 1), &gate).code, STORE_DAMAGED);
    assert_int_equal(gate_decode(bytes_of("\1\1\1", 3), &gate).code, STORE_DAMAGED);
}

/* A wait that ends with the last second that a word can hold and one that lies beyond it. */
static void a_wait_beyond_32_bits_is_cut(void **state)
{
    (void)state;
    const struct throttle_policy policy = {.free = 0, .base_s = 1, .max_s = UINT32_MAX};
    uint64_t budget = 0;
    for (int i = 0; i < 60; i++) budget = throttle_charge(budget, 0, 1000);
    assert_int_equal(throttle_wait_s(budget, &policy, 0, 999), UINT32_MAX);
    assert_int_equal(throttle_wait_s(budget, &policy, 0, 1000), UINT32_MAX);
    assert_int_equal(throttle_wait_s(budget, &policy, 0, 1001), UINT32_MAX - 1);
}

/* Thousands that come and go take no more room than the few that stay. */
static void gates_that_are_gone_take_no_room(void **state)
{
    (void)state;
    static const uint8_t secret[32] = {1};
    struct gates *gates;
    uint8_t name[16] = {0};
    assert_int_equal(gates_create(secret, &gates).code, OK);
    uint64_t size = gates_size(gates);
    for (uint32_t i = 0; i < 20000; i++) {
        store_le32(name, i);
        assert_int_equal(gates_set(gates, name, GATE_WAIVED).code, OK);
        assert_int_equal(gates_get(gates, name), GATE_WAIVED);
        assert_int_equal(gates_set(gates, name, GATE_NONE).code, OK);
    }
    assert_int_equal(gates_get(gates, name), GATE_NONE);
    assert_true(gates_size(gates) >= size);
    gates_destroy(gates);
}

static void a_table_of_unknown_names_has_a_size_of_its_own(void **state)
{
    (void)state;
    static const uint8_t secret[32] = {1};
    struct unknown_table *table;
    assert_int_equal(unknown_create(0, secret, &table).code, OK);
    assert_int_equal(unknown_block_count(table), (1 << 20) / UNKNOWN_BLOCK_ENTRIES);
    unknown_destroy(table);
    unknown_destroy(NULL);
}

enum { HEAD_SIZE = 16, ROW_HEAD_SIZE = 6 };

/* A change's payload, as recovery meets it: bytes that are not trusted. */
static size_t payload_make(const char *name, uint16_t rows, uint8_t *ret_payload)
{
    memset(ret_payload, 0, HEAD_SIZE);
    ret_payload[0] = 1;
    ret_payload[1] = (uint8_t)strlen(name);
    store_le16(ret_payload + 4, rows);
    memcpy(ret_payload + HEAD_SIZE, name, strlen(name));
    return HEAD_SIZE + strlen(name);
}

static void only_small_letters_digits_points_and_dashes_name_a_change(void **state)
{
    (void)state;
    static const char *const bad[] = {"Add", "a b", "a{", "a_b", "a/b", "\xc3\xa9", ""};
    uint8_t payload[128];
    struct core_change_view view;
    size_t size = payload_make("user.add-2", 0, payload);
    assert_int_equal(core_change_decode(payload, size, &view).code, OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size = payload_make(bad[i], 0, payload);
        assert_int_equal(core_change_decode(payload, size, &view).code, JOURNAL_CORRUPT);
    }
}

static void a_changes_row_has_a_key_that_a_store_takes(void **state)
{
    (void)state;
    uint8_t payload[256];
    struct core_change_view view;
    struct core_change_row row;
    for (unsigned key_size = 0; key_size <= STORE_KEY_SIZE_MAX + 1; key_size++) {
        size_t size = payload_make("a", 1, payload);
        memset(payload + size, 0, sizeof payload - size);
        payload[size] = STORE_USERS;
        payload[size + 2] = (uint8_t)key_size;
        assert_int_equal(core_change_decode(payload, size + ROW_HEAD_SIZE + key_size, &view).code, OK);
        bool fits = key_size > 0 && key_size <= STORE_KEY_SIZE_MAX;
        assert_int_equal(core_change_row_next(&view, &row).code, fits ? OK : JOURNAL_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_utf_8_in_its_shortest_form_without_control_characters),
        cmocka_unit_test(what_is_no_text_is_mended_byte_by_byte),
        cmocka_unit_test(a_gate_is_two_bytes_of_this_version),
        cmocka_unit_test(a_wait_beyond_32_bits_is_cut),
        cmocka_unit_test(gates_that_are_gone_take_no_room),
        cmocka_unit_test(a_table_of_unknown_names_has_a_size_of_its_own),
        cmocka_unit_test(a_changes_row_has_a_key_that_a_store_takes),
        cmocka_unit_test(only_small_letters_digits_points_and_dashes_name_a_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
