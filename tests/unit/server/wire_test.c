/* Every rule of otpring/wire.h, and every way to break it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "server/wire.h"

/* A well-formed header of that kind, laid out by hand from the page of the format. */
static void header_make(uint8_t ret[32], uint32_t size, uint16_t kind, uint16_t count)
{
    memset(ret, 0, 32);
    store_le32(ret, size);
    store_le16(ret + 4, kind);
    store_le16(ret + 6, count);
    store_le64(ret + 8, 0x1122334455667788);
}

static void assert_good(const uint8_t *bytes, uint32_t size_max)
{
    struct otpring_wire_header header;
    struct wire_fault fault = {0};
    assert_true(wire_check_header(bytes, size_max, &header, &fault));
    assert_int_equal(fault.code, 0);
    assert_memory_equal(&header, bytes, 32);
}

static void assert_fault(const uint8_t *bytes, uint32_t size_max, uint16_t code, uint32_t offset)
{
    struct otpring_wire_header header = {.size = 77};
    struct wire_fault fault = {0};
    assert_false(wire_check_header(bytes, size_max, &header, &fault));
    assert_int_equal(fault.code, code);
    assert_int_equal(fault.offset, offset);
    assert_int_equal(fault.kind, load_le16(bytes + 4));
    assert_int_equal(header.size, 77);
}

/* An item of 40 bytes, one of response, 4 of challenge, and 3 zeros. */
static void ocra_item_make(uint8_t ret[48])
{
    memset(ret, 0, 48);
    store_le16(ret + 32, 48);
    ret[34] = 1;
    ret[35] = 4;
    memcpy(ret + 40, "71234", 5);
}

static void assert_ocra_fault(const uint8_t *body, uint32_t size, uint16_t count, uint16_t code, uint32_t offset)
{
    struct wire_fault fault = {0};
    assert_false(wire_check_ocra(body, size, count, &fault));
    assert_int_equal(fault.code, code);
    assert_int_equal(fault.offset, offset);
    assert_int_equal(fault.kind, OTPRING_WIRE_OCRA);
}

static void items_of_ocra_fill_their_frame_as_their_sizes_say(void **state)
{
    (void)state;
    uint8_t body[96], header[32];
    struct wire_fault fault = {0};
    ocra_item_make(body);
    ocra_item_make(body + 48);
    header_make(header, 32 + 96, OTPRING_WIRE_OCRA, 2);
    assert_good(header, 4096);
    assert_true(wire_check_ocra(body, 96, 2, &fault));
    assert_ocra_fault(body, 96, 1, OTPRING_ERROR_SIZE, 0);
    assert_ocra_fault(body, 80, 2, OTPRING_ERROR_SIZE, 0);
    assert_ocra_fault(body, 48, 2, OTPRING_ERROR_SIZE, 0);
    body[95] = 1;
    assert_ocra_fault(body, 96, 2, OTPRING_ERROR_RESERVED, 32 + 95);
    ocra_item_make(body + 48);
    store_le16(body + 48 + 32, 40);
    assert_ocra_fault(body, 96, 2, OTPRING_ERROR_SIZE, 32 + 48 + 32);
    store_le16(body + 48 + 32, 47);
    assert_ocra_fault(body, 96, 2, OTPRING_ERROR_SIZE, 32 + 48 + 32);
    ocra_item_make(body + 48);
    store_le16(body + 48 + 38, 999);
    assert_ocra_fault(body, 96, 2, OTPRING_ERROR_SIZE, 32 + 48 + 32);
    ocra_item_make(body);
    body[34] = 0; /* more zeros than fill up */
    store_le16(body + 32, 56);
    assert_ocra_fault(body, 96, 2, OTPRING_ERROR_SIZE, 32 + 32);
    header_make(header, 32 + 79, OTPRING_WIRE_OCRA, 2);
    assert_fault(header, 4096, OTPRING_ERROR_SIZE, 0);
    header_make(header, 32, OTPRING_WIRE_OCRA, 0);
    assert_fault(header, 4096, OTPRING_ERROR_TOO_MANY, 6);
}

static void frames_of_every_client_kind_are_read_as_laid_out(void **state)
{
    (void)state;
    uint8_t bytes[32];
    header_make(bytes, 64, 1, 0);
    assert_good(bytes, 4096);
    header_make(bytes, 32, 10, 0);
    assert_good(bytes, 4096);
    header_make(bytes, 33, 8, 0);
    assert_good(bytes, 4 << 20);
    header_make(bytes, 4 << 20, 8, 0);
    assert_good(bytes, 4 << 20);
    header_make(bytes, 32 + 3 * 32, 3, 3);
    store_le64(bytes + 16, 99);
    store_le32(bytes + 24, 7);
    store_le16(bytes + 28, 1023);
    assert_good(bytes, 4096);
    header_make(bytes, 32 + 3 * 40, 5, 3);
    assert_good(bytes, 4096);
}

static void the_greatest_frames_pass_and_one_item_more_does_not(void **state)
{
    (void)state;
    uint8_t bytes[32];
    header_make(bytes, 32 + 4096 * 32, 3, 4096);
    assert_good(bytes, OTPRING_WIRE_FRAME_SIZE_MAX);
    header_make(bytes, 32 + 4096 * 40, 5, 4096);
    assert_good(bytes, OTPRING_WIRE_FRAME_SIZE_MAX);
    header_make(bytes, 32 + 4097 * 32, 3, 4097);
    assert_fault(bytes, OTPRING_WIRE_FRAME_SIZE_MAX, OTPRING_ERROR_TOO_MANY, 6);
    header_make(bytes, 32 + 65535 * 40, 5, 65535);
    assert_fault(bytes, UINT32_MAX, OTPRING_ERROR_TOO_MANY, 6);
}

static void unknown_kinds_and_kinds_of_servers_are_refused(void **state)
{
    (void)state;
    static const uint16_t kinds[] = {0, 2, 4, 6, 7, 9, 11, 13, 14, 15, 255, 256, 65535};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint8_t bytes[32];
        header_make(bytes, 32, kinds[i], 0);
        assert_fault(bytes, 4096, OTPRING_ERROR_KIND, 4);
    }
}

static void sizes_that_do_not_fit_kind_and_count_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        uint16_t kind, count;
        uint32_t offset;
    } cases[] = {
        {0, 10, 0, 0},      {31, 10, 0, 0},     {33, 10, 0, 0},     {UINT32_MAX, 10, 0, 0},
        {63, 1, 0, 0},      {65, 1, 0, 0},      {64, 1, 1, 6},      {32, 10, 1, 6},
        {33, 8, 1, 6},      {32, 8, 0, 0},      {31, 8, 0, 0},      {(4 << 20) + 1, 8, 0, 0},
        {32 + 31, 3, 1, 0}, {32 + 33, 3, 1, 0}, {32 + 64, 3, 1, 0}, {32 + 32, 3, 2, 0},
        {32, 3, 1, 0},      {32 + 32, 5, 1, 0}, {32 + 41, 5, 1, 0}, {32 + 39, 5, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[32];
        header_make(bytes, cases[i].size, cases[i].kind, cases[i].count);
        assert_fault(bytes, UINT32_MAX, OTPRING_ERROR_SIZE, cases[i].offset);
    }
}

static void frames_without_items_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[32];
    header_make(bytes, 32, 3, 0);
    assert_fault(bytes, 4096, OTPRING_ERROR_TOO_MANY, 6);
    header_make(bytes, 32, 5, 0);
    assert_fault(bytes, 4096, OTPRING_ERROR_TOO_MANY, 6);
}

static void frames_past_the_socket_s_limit_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[32];
    header_make(bytes, OTPRING_WIRE_FRAME_SIZE_MAX + 1, 8, 0);
    assert_fault(bytes, OTPRING_WIRE_FRAME_SIZE_MAX, OTPRING_ERROR_SIZE, 0);
    header_make(bytes, OTPRING_WIRE_FRAME_SIZE_MAX, 8, 0);
    assert_good(bytes, OTPRING_WIRE_FRAME_SIZE_MAX);
}

static void a_question_says_how_many_items_its_text_has(void **state)
{
    (void)state;
    static const struct {
        uint32_t size;
        uint16_t count, code, offset;
    } cases[] = {
        {33, 1, 0, 0},
        {1 << 20, 256, 0, 0},
        {33, 0, OTPRING_ERROR_TOO_MANY, 6},
        {33, 257, OTPRING_ERROR_TOO_MANY, 6},
        {32, 1, OTPRING_ERROR_SIZE, 0},
        {(1 << 20) + 1, 1, OTPRING_ERROR_SIZE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[32];
        header_make(bytes, cases[i].size, 12, cases[i].count);
        if (cases[i].code)
            assert_fault(bytes, 4 << 20, cases[i].code, cases[i].offset);
        else
            assert_good(bytes, 4 << 20);
    }
}

static void each_reserved_bit_of_a_header_is_refused(void **state)
{
    (void)state;
    static const uint16_t kinds[] = {1, 3, 5, 8, 10, 12};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        uint16_t kind = kinds[k];
        uint16_t count = kind == 3 || kind == 5 || kind == 12;
        uint32_t size = kind == 1 ? 64 : kind == 3 ? 64 : kind == 5 ? 72 : kind == 8 || kind == 12 ? 33 : 32;
        for (unsigned bit = 0; bit < 32 * 8; bit++) {
            uint32_t byte = bit / 8;
            if (byte < 16) continue;
            bool session = byte < 24, sequence = byte >= 24 && byte < 28, slot = byte >= 28 && byte < 30;
            uint8_t bytes[32];
            header_make(bytes, size, kind, count);
            bytes[byte] = (uint8_t)(1U << bit % 8);
            if (count && kind != 12 && byte < 30)
                assert_good(bytes, 4096);
            else
                assert_fault(bytes, 4096, OTPRING_ERROR_RESERVED, session ? 16 : sequence ? 24 : slot ? 28 : 30);
        }
    }
}

static void hello_make(uint8_t ret[32], uint16_t version_min, uint16_t version_max, uint16_t slots, uint16_t items_max)
{
    memset(ret, 0, 32);
    store_le16(ret, version_min);
    store_le16(ret + 2, version_max);
    store_le16(ret + 4, slots);
    store_le16(ret + 6, items_max);
    store_le64(ret + 8, 0x0102030405060708);
}

static void assert_hello_fault(const uint8_t *body, uint16_t code, uint32_t offset)
{
    struct otpring_wire_hello hello;
    struct wire_fault fault = {0};
    assert_false(wire_check_hello(body, &hello, &fault));
    assert_int_equal(fault.code, code);
    assert_int_equal(fault.offset, offset);
    assert_int_equal(fault.kind, OTPRING_WIRE_HELLO);
}

static void a_hello_within_the_limits_passes(void **state)
{
    (void)state;
    static const uint16_t wishes[][4] = {{1, 1, 0, 0}, {0, 1, 1, 1}, {1, 65535, 1024, 4096}, {0, 9, 16, 1024}};
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        uint8_t body[32];
        struct otpring_wire_hello hello;
        struct wire_fault fault;
        hello_make(body, wishes[i][0], wishes[i][1], wishes[i][2], wishes[i][3]);
        assert_true(wire_check_hello(body, &hello, &fault));
        assert_memory_equal(&hello, body, 32);
    }
}

static void a_hello_without_a_common_version_is_refused(void **state)
{
    (void)state;
    static const uint16_t versions[][2] = {{0, 0}, {2, 2}, {2, 65535}, {2, 1}, {1, 0}, {65535, 65535}};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        uint8_t body[32];
        hello_make(body, versions[i][0], versions[i][1], 0, 0);
        assert_hello_fault(body, OTPRING_ERROR_VERSION, 32);
    }
}

static void a_hello_that_wishes_too_much_is_refused(void **state)
{
    (void)state;
    uint8_t body[32];
    hello_make(body, 1, 1, 1025, 0);
    assert_hello_fault(body, OTPRING_ERROR_SLOT, 36);
    hello_make(body, 1, 1, 0, 4097);
    assert_hello_fault(body, OTPRING_ERROR_TOO_MANY, 38);
    hello_make(body, 1, 1, 65535, 65535);
    assert_hello_fault(body, OTPRING_ERROR_SLOT, 36);
}

static void each_reserved_byte_of_a_hello_is_named(void **state)
{
    (void)state;
    for (uint32_t at = 16; at < 32; at++) {
        uint8_t body[32];
        hello_make(body, 1, 1, 0, 0);
        body[at] = 0x80;
        assert_hello_fault(body, OTPRING_ERROR_RESERVED, 32 + at);
    }
}

static void an_error_frame_names_code_kind_and_offset(void **state)
{
    (void)state;
    struct wire_fault fault = {.code = 4, .kind = 3, .offset = 30};
    uint8_t bytes[48];
    assert_int_equal(wire_put_error(bytes, 42, &fault), 48);
    static const uint8_t wanted[48] = {48, 0, 0, 0, 7, 0, 0, 0, 42, [32] = 4, [34] = 3, [36] = 30};
    assert_memory_equal(bytes, wanted, 48);
}

static void an_answer_s_header_carries_what_was_asked(void **state)
{
    (void)state;
    struct otpring_wire_header asked = {
        .size = 96, .kind = 3, .count = 2, .tag = 0x55, .session = 0x77, .sequence = 9, .slot = 3};
    uint8_t bytes[32];
    assert_int_equal(wire_put_answer_header(bytes, &asked, 2, 32), 32);
    static const uint8_t wanted[32] = {64, 0, 0, 0, 4, 0, 2, 0, 0x55, [16] = 0x77, [24] = 9, [28] = 3};
    assert_memory_equal(bytes, wanted, 32);
}

static void a_hello_answer_is_laid_out_as_on_the_page(void **state)
{
    (void)state;
    struct otpring_wire_hello_answer answer = {.version = 1,
                                               .slots = 16,
                                               .items_max = 1024,
                                               .resumed = 1,
                                               .session = 0x0807060504030201,
                                               .idle_timeout_s = 600,
                                               .kinds = 0x42a,
                                               .server_time_ms = 5};
    uint8_t bytes[64];
    assert_int_equal(wire_put_hello_answer(bytes, 6, &answer), 64);
    static const uint8_t wanted[64] = {64, 0, 0, 0,        2, 0,    0, 0, 6, [16] = 1, 2, 3, 4, 5,
                                       6,  7, 8, [32] = 1, 0, 16,   0, 0, 4, 1,        0, 1, 2, 3,
                                       4,  5, 6, 7,        8, 0x58, 2, 0, 0, 0x2a,     4, 0, 0, 5};
    assert_memory_equal(bytes, wanted, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_every_client_kind_are_read_as_laid_out),
        cmocka_unit_test(items_of_ocra_fill_their_frame_as_their_sizes_say),
        cmocka_unit_test(the_greatest_frames_pass_and_one_item_more_does_not),
        cmocka_unit_test(unknown_kinds_and_kinds_of_servers_are_refused),
        cmocka_unit_test(sizes_that_do_not_fit_kind_and_count_are_refused),
        cmocka_unit_test(frames_without_items_are_refused),
        cmocka_unit_test(frames_past_the_socket_s_limit_are_refused),
        cmocka_unit_test(a_question_says_how_many_items_its_text_has),
        cmocka_unit_test(each_reserved_bit_of_a_header_is_refused),
        cmocka_unit_test(a_hello_within_the_limits_passes),
        cmocka_unit_test(a_hello_without_a_common_version_is_refused),
        cmocka_unit_test(a_hello_that_wishes_too_much_is_refused),
        cmocka_unit_test(each_reserved_byte_of_a_hello_is_named),
        cmocka_unit_test(an_error_frame_names_code_kind_and_offset),
        cmocka_unit_test(an_answer_s_header_carries_what_was_asked),
        cmocka_unit_test(a_hello_answer_is_laid_out_as_on_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
