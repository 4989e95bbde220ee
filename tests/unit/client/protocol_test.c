/* The worked example of PROTOCOL.md against the bytes that the library sends and takes. */
#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct otpring_query ana = {.company = "Demo Bank", .user = "ana", .code = "755224", .source_known = 1};

/* The bytes of the page's block with that label; gives their number. */
static size_t page_example(const char *label, uint8_t *ret_bytes, size_t capacity)
{
    char line[512], wanted[64];
    size_t size = 0;
    bool inside = false;
    FILE *page = fopen(TESTS_FOLDER "/../include/otpring/PROTOCOL.md", "r");
    fake_require(page != NULL, "PROTOCOL.md");
    snprintf(wanted, sizeof wanted, "```hex %s\n", label);
    while (fgets(line, sizeof line, page)) {
        if (inside && strncmp(line, "```", 3) == 0) break;
        if (!inside) {
            inside = strcmp(line, wanted) == 0;
            continue;
        }
        char *at = line, *end;
        for (;; at = end) {
            unsigned long byte = strtoul(at, &end, 16);
            if (end == at) break;
            fake_require(size < capacity, "room");
            ret_bytes[size++] = (uint8_t)byte;
        }
    }
    fclose(page);
    fake_require(size > 0, label);
    return size;
}

/* The tag is the client's own and stands at byte 8. */
static void require_example(struct fake *fake, const char *label, struct fake_frame *ret_frame)
{
    uint8_t expected[512];
    size_t size = page_example(label, expected, sizeof expected);
    fake_read(fake, ret_frame);
    memcpy(expected + 8, ret_frame->bytes + 8, 8);
    fake_require(ret_frame->size == size && memcmp(ret_frame->bytes, expected, size) == 0, label);
}

static void write_example(struct fake *fake, const char *label, const struct fake_frame *asked)
{
    uint8_t bytes[512];
    size_t size = page_example(label, bytes, sizeof bytes);
    if (asked) memcpy(bytes + 8, asked->bytes + 8, 8);
    fake_write(fake, bytes, size);
}

static void play_the_page(struct fake *fake)
{
    struct fake_frame *frame = calloc(1, sizeof *frame);
    uint8_t resumed[64];
    fake_accept(fake);
    require_example(fake, "hello", frame);
    write_example(fake, "hello-answer", NULL);
    require_example(fake, "verify", frame);
    fake_cut(fake);
    fake_accept(fake);
    require_example(fake, "hello-again", frame);
    page_example("hello-answer", resumed, sizeof resumed);
    resumed[38] = 1;
    fake_write(fake, resumed, sizeof resumed);
    require_example(fake, "verify", frame);
    write_example(fake, "verify-answer", frame);
    require_example(fake, "resync", frame);
    write_example(fake, "error", NULL);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

static void the_page_s_example_is_what_the_library_sends_and_takes(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_answer answers[2];
    struct otpring_query queries[2] = {ana, ana};
    queries[0].source = otpring_source("192.0.2.1");
    queries[1].code = "012345";
    queries[1].source_known = 0;
    fake_start(&fake, play_the_page, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 0, 0);
    assert_int_equal(otpring_verify(client, queries, 2, answers), 0);
    assert_int_equal(answers[0].verdict, OTPRING_ACCEPTED);
    assert_int_equal(answers[0].record, 7 << 14 | 1);
    assert_int_equal(answers[1].verdict, OTPRING_REJECTED);
    assert_int_equal(answers[1].reason, OTPRING_REASON_NO_MATCH);
    struct otpring_query pair = {.company = "Demo Bank", .user = "ana", .code = "287082", .code_next = "359152"};
    assert_int_equal(otpring_verify(client, &pair, 1, answers), OTPRING_E_SESSION);
    otpring_close(client);
    fake_stop(&fake);
}

/* One answer to the frame asked, of this kind and verdict. */
static void write_answer(struct fake *fake, const struct fake_frame *asked, uint16_t kind, uint8_t verdict)
{
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_answer answer;
    } frame = {.answer = {.verdict = verdict, .record = 7 << 14}};
    memcpy(&frame.header, asked->bytes, sizeof frame.header);
    frame.header.size = sizeof frame;
    frame.header.kind = kind;
    fake_write(fake, (const uint8_t *)&frame, sizeof frame);
}

static void play_required(struct fake *fake)
{
    struct fake_frame *frame = calloc(1, sizeof *frame);
    fake_accept(fake);
    require_example(fake, "hello", frame);
    write_example(fake, "hello-answer", NULL);
    require_example(fake, "verify", frame);
    write_example(fake, "verify-answer", frame);
    require_example(fake, "resync", frame);
    write_answer(fake, frame, OTPRING_WIRE_RESYNC_ANSWER, OTPRING_REJECTED);
    require_example(fake, "required", frame);
    write_answer(fake, frame, OTPRING_WIRE_VERIFY_ANSWER, OTPRING_REQUIRED);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

static void whether_a_code_is_required_is_asked_as_the_page_says(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_answer answers[2];
    struct otpring_query queries[2] = {ana, ana};
    queries[0].source = otpring_source("192.0.2.1");
    queries[1].code = "012345";
    queries[1].source_known = 0;
    fake_start(&fake, play_required, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 0, 0);
    assert_int_equal(otpring_verify(client, queries, 2, answers), 0);
    struct otpring_query pair = {.company = "Demo Bank", .user = "ana", .code = "287082", .code_next = "359152"};
    assert_int_equal(otpring_verify(client, &pair, 1, answers), 0);
    struct otpring_query required = {.company = "Demo Bank", .user = "ana", .required = 1};
    assert_int_equal(otpring_verify(client, &required, 1, answers), 0);
    assert_int_equal(answers[0].verdict, OTPRING_REQUIRED);
    /* With a code in it, it is no question, and is not sent. */
    required.code = "755224";
    assert_int_equal(otpring_verify(client, &required, 1, answers), 0);
    assert_int_equal(answers[0].verdict, OTPRING_MALFORMED);
    otpring_close(client);
    fake_stop(&fake);
}

static void a_name_is_that_of_the_page(void **state)
{
    (void)state;
    /* sha256sum of "Demo Bank" and of "Demo Bank\0ana", the first 8 bytes of each. */
    static const uint8_t expected[16] = {0x59, 0x52, 0x19, 0x6c, 0x6d, 0x1e, 0x5e, 0xdb,
                                         0x71, 0xa2, 0xb8, 0x54, 0x43, 0x54, 0xe7, 0x1b};
    uint8_t name[16];
    otpring_name("Demo Bank", "ana", name);
    assert_memory_equal(name, expected, 16);
}

static void every_error_has_its_own_text(void **state)
{
    (void)state;
    for (int a = OTPRING_E_FULL; a <= 0; a++) {
        for (int b = a + 1; b <= 0; b++) assert_string_not_equal(otpring_error_text(a), otpring_error_text(b));
    }
    assert_string_equal(otpring_error_text(-99), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_s_example_is_what_the_library_sends_and_takes),
        cmocka_unit_test(whether_a_code_is_required_is_asked_as_the_page_says),
        cmocka_unit_test(a_name_is_that_of_the_page),
        cmocka_unit_test(every_error_has_its_own_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
