/* The blocking call against a scripted daemon. */
#include "helpers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct otpring_query one = {.company = "Demo Bank", .user = "ana", .code = "755224"};
static const struct otpring_query other = {.company = "Demo Bank", .user = "bea", .code = "287082"};

static struct fake_frame *frames_create(size_t count)
{
    struct fake_frame *frames = calloc(count, sizeof *frames);
    fake_require(frames != NULL, "memory");
    return frames;
}

static void answer_split(struct fake *fake)
{
    struct fake_frame *frame = frames_create(1);
    uint8_t bytes[256];
    fake_hello(fake, false);
    fake_read(fake, frame);
    size_t size = fake_answer_bytes(frame, OTPRING_ACCEPTED, 77, bytes);
    for (size_t i = 0; i < size; i++) {
        fake_write(fake, bytes + i, 1);
        if (i % 16 == 7) fake_sleep_ms(1);
    }
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

static void an_answer_in_single_bytes_is_put_together(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_answer answers[3];
    struct otpring_query queries[3] = {one, other, one};
    fake_start(&fake, answer_split, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 0, 0);
    assert_int_equal(otpring_verify(client, queries, 3, answers), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(answers[i].verdict, OTPRING_ACCEPTED);
        assert_int_equal(answers[i].record, 77 + i);
    }
    otpring_close(client);
    fake_stop(&fake);
}

static void answer_one(struct fake *fake)
{
    struct fake_frame *frame = frames_create(1);
    fake_hello(fake, false);
    fake_read(fake, frame);
    fake_require(frame->header.count == *(unsigned *)fake->context, "the number of queries that are worth sending");
    fake_answer(fake, frame, OTPRING_ACCEPTED, 0);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

/* The page's own example: ana answers 237653 to the challenge 00000000. */
static void answer_ocra(struct fake *fake)
{
    static const uint8_t expected[] = {0x38, 0, 6, 8, 0, 0, 0, 0, '2', '3', '7', '6', '5', '3', '0', '0'};
    struct fake_frame *frame = frames_create(1);
    fake_hello(fake, false);
    fake_read(fake, frame);
    const uint8_t *item = frame->bytes + sizeof frame->header;
    fake_require(frame->header.kind == OTPRING_WIRE_OCRA && frame->header.count == 1, "one item of an OCRA frame");
    fake_require(frame->header.size == sizeof frame->header + 56 && item[29] == OTPRING_QUERY_OCRA,
                 "an item of 56 bytes");
    fake_require(memcmp(item + 32, expected, sizeof expected) == 0, "sizes, response and challenge as laid out");
    fake_answer(fake, frame, OTPRING_ACCEPTED, 5);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

static void responses_go_in_frames_of_their_own_and_what_is_none_is_not_sent(void **state)
{
    (void)state;
    static char long_challenge[66];
    memset(long_challenge, '1', sizeof long_challenge - 1);
    const struct otpring_ocra_query right = {
        .company = "Demo Bank", .user = "ana", .response = "237653", .challenge = "00000000"};
    struct otpring_ocra_query queries[5] = {right, right, right, right, right};
    queries[0].response = "";
    queries[1].challenge = NULL;
    queries[2].challenge = long_challenge;
    queries[3].pin_hash = (const uint8_t *)"x";
    queries[3].pin_hash_size = 1;
    struct fake fake;
    struct otpring_answer answers[5];
    fake_start(&fake, answer_ocra, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 0, 0);
    assert_int_equal(otpring_verify_ocra(client, queries, 5, answers), 0);
    for (int i = 0; i < 4; i++) assert_int_equal(answers[i].verdict, OTPRING_MALFORMED);
    assert_int_equal(answers[4].verdict, OTPRING_ACCEPTED);
    queries[0].user = NULL;
    assert_int_equal(otpring_verify_ocra(client, queries, 1, answers), OTPRING_E_ARGUMENT);
    otpring_close(client);
    fake_stop(&fake);
}

static void answer_hello(struct fake *fake)
{
    fake_hello(fake, false);
    fake_require(fake_sees_end(fake), "the client closes");
}

static void responses_that_do_not_fit_one_frame_are_refused_before_anything_is_sent(void **state)
{
    (void)state;
    static char session[1000];
    memset(session, 's', sizeof session - 1);
    const struct otpring_ocra_query one_item = {
        .company = "Demo Bank", .user = "ana", .response = "237653", .challenge = "00000000", .session = session};
    struct otpring_ocra_query queries[3] = {one_item, one_item, one_item};
    struct fake fake;
    struct otpring_answer answers[3];
    fake_start(&fake, answer_hello, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 4, 0);
    assert_int_equal(otpring_verify_ocra(client, queries, 3, answers), OTPRING_E_ARGUMENT);
    otpring_close(client);
    fake_stop(&fake);
}

static void other_spellings_of_a_code_are_malformed_and_never_sent(void **state)
{
    (void)state;
    static const char *const codes[] = {"755224",        " 755224", "+55224",   "75522",   "755224123", "",
                                        "75522\xd9\xa4", "7552 24", "00000000", "-755224", "755224\n",  "0x1234"};
    enum { COUNT = sizeof codes / sizeof codes[0] };
    struct fake fake;
    struct otpring_query queries[COUNT];
    struct otpring_answer answers[COUNT];
    unsigned well_formed = 2;
    fake_start(&fake, answer_one, &well_formed);
    struct otpring_client *client = fake_client(&fake, 0, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        queries[i] = one;
        queries[i].code = codes[i];
    }
    assert_int_equal(otpring_verify(client, queries, COUNT, answers), 0);
    for (int i = 0; i < COUNT; i++) {
        bool right = i == 0 || i == 8;
        assert_int_equal(answers[i].verdict, right ? OTPRING_ACCEPTED : OTPRING_MALFORMED);
        assert_int_equal(answers[i].reason, right ? OTPRING_REASON_NONE : OTPRING_REASON_CODE_RANGE);
    }
    /* Nothing but malformed codes: answered without a frame (the script would abort at one). */
    assert_int_equal(otpring_verify(client, queries + 1, 7, answers), 0);
    assert_int_equal(answers[6].verdict, OTPRING_MALFORMED);
    otpring_close(client);
    fake_stop(&fake);
}

/* Reads a frame, cuts (before or in the middle of the answer), and wants the same bytes on the next connection. */
static void cut_and_compare(struct fake *fake)
{
    struct fake_frame *frames = frames_create(2);
    uint8_t bytes[256];
    size_t answered = *(size_t *)fake->context;
    fake_hello(fake, false);
    fake_read(fake, &frames[0]);
    fake_answer_bytes(&frames[0], OTPRING_ACCEPTED, 9, bytes);
    fake_write(fake, bytes, answered);
    fake_cut(fake);
    fake_hello(fake, true);
    fake_require(fake->session_asked == fake->session, "the session is asked for again");
    fake_read(fake, &frames[1]);
    fake_require(frames[0].size == frames[1].size && memcmp(frames[0].bytes, frames[1].bytes, frames[0].size) == 0,
                 "the same session, slot, sequence and bytes");
    fake_answer(fake, &frames[1], OTPRING_ACCEPTED, 9);
    fake_read(fake, &frames[0]);
    fake_require(frames[0].header.sequence == 2 && frames[0].header.slot == frames[1].header.slot, "the next sequence");
    fake_answer(fake, &frames[0], OTPRING_REPLAYED, 10);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frames);
}

static void a_cut_connection_is_retried_with_identical_bytes(void **state)
{
    (void)state;
    for (size_t answered = 0; answered < 48; answered += 47) {
        struct fake fake;
        struct otpring_answer answer;
        fake_start(&fake, cut_and_compare, &answered);
        struct otpring_client *client = fake_client(&fake, 0, 0, 0);
        assert_int_equal(otpring_verify(client, &one, 1, &answer), 0);
        assert_int_equal(answer.verdict, OTPRING_ACCEPTED);
        assert_int_equal(answer.record, 9);
        assert_int_equal(otpring_verify(client, &one, 1, &answer), 0);
        assert_int_equal(answer.verdict, OTPRING_REPLAYED);
        otpring_close(client);
        fake_stop(&fake);
    }
}

static void begin_another_session(struct fake *fake)
{
    struct fake_frame *frame = frames_create(1);
    fake_hello(fake, false);
    fake_read(fake, frame);
    fake_cut(fake);
    fake->session++;
    fake_hello(fake, false);
    fake_read(fake, frame);
    fake_require(frame->header.session == fake->session && frame->header.sequence == 1, "a new session from 1 on");
    fake_answer(fake, frame, OTPRING_REJECTED, 5);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

static void an_expired_session_makes_the_call_undecided_and_the_next_one_new(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_answer answer;
    fake_start(&fake, begin_another_session, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 0, 0);
    assert_int_equal(otpring_verify(client, &one, 1, &answer), OTPRING_E_SESSION);
    assert_int_equal(answer.verdict, OTPRING_UNAVAILABLE);
    assert_int_equal(otpring_verify(client, &other, 1, &answer), 0);
    assert_int_equal(answer.verdict, OTPRING_REJECTED);
    otpring_close(client);
    fake_stop(&fake);
}

static void answer_late(struct fake *fake)
{
    struct fake_frame *frame = frames_create(1);
    fake_hello(fake, false);
    fake_read(fake, frame);
    fake_sleep_ms(1000);
    fake_answer(fake, frame, OTPRING_ACCEPTED, 3);
    fake_read(fake, frame);
    fake_require(frame->header.slot == 1 && frame->header.sequence == 1, "another slot while the first is in flight");
    fake_answer(fake, frame, OTPRING_REJECTED, 4);
    fake_read(fake, frame);
    fake_answer(fake, frame, OTPRING_REPLAYED, 5);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

static void the_same_call_after_a_timeout_gets_the_late_answer_and_sends_nothing(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_answer answer;
    fake_start(&fake, answer_late, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 0, 400);
    assert_int_equal(otpring_verify(client, &one, 1, &answer), OTPRING_E_TIMEOUT);
    assert_int_equal(answer.verdict, OTPRING_UNAVAILABLE);
    fake_sleep_ms(1000);
    /* Another query goes its own way meanwhile. */
    assert_int_equal(otpring_verify(client, &other, 1, &answer), 0);
    assert_int_equal(answer.verdict, OTPRING_REJECTED);
    assert_int_equal(otpring_verify(client, &one, 1, &answer), 0);
    assert_int_equal(answer.verdict, OTPRING_ACCEPTED);
    assert_int_equal(answer.record, 3);
    /* The late answer is handed over once; asked a third time, it is a new frame. */
    assert_int_equal(otpring_verify(client, &one, 1, &answer), 0);
    assert_int_equal(answer.verdict, OTPRING_REPLAYED);
    otpring_close(client);
    fake_stop(&fake);
}

static void tell_error(struct fake *fake)
{
    struct fake_frame *frame = frames_create(1);
    fake_hello(fake, false);
    fake_read(fake, frame);
    fake_error(fake, *(unsigned *)fake->context, frame->header.kind);
    fake_cut(fake);
    free(frame);
}

static void an_error_frame_is_told_in_words(void **state)
{
    (void)state;
    static const struct {
        unsigned code;
        int error;
        const char *word;
    } cases[] = {{OTPRING_ERROR_NO_RIGHT, OTPRING_E_PROTOCOL, "NO_RIGHT"},
                 {OTPRING_ERROR_SESSION, OTPRING_E_SESSION, "SESSION"},
                 {OTPRING_ERROR_CHANGED_CONTENT, OTPRING_E_PROTOCOL, "CHANGED_CONTENT"},
                 {999, OTPRING_E_PROTOCOL, "999"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake fake;
        struct otpring_answer answer;
        unsigned code = cases[i].code;
        fake_start(&fake, tell_error, &code);
        struct otpring_client *client = fake_client(&fake, 0, 0, 0);
        assert_int_equal(otpring_verify(client, &one, 1, &answer), cases[i].error);
        assert_int_equal(answer.verdict, OTPRING_UNAVAILABLE);
        assert_non_null(strstr(otpring_last_error(client), cases[i].word));
        otpring_close(client);
        fake_stop(&fake);
    }
}

static void answer_pairs(struct fake *fake)
{
    struct fake_frame *frame = frames_create(1);
    fake_hello(fake, false);
    fake_read(fake, frame);
    fake_require(frame->header.kind == OTPRING_WIRE_RESYNC && frame->size == 32 + 40, "one pair");
    struct otpring_wire_pair pair;
    memcpy(&pair, frame->bytes + 32, sizeof pair);
    fake_require(pair.query.code == 287082 && pair.code_next == 359152 && pair.query.digits == 6, "both codes");
    fake_answer(fake, frame, OTPRING_ACCEPTED, 1);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

static void two_codes_go_as_a_resynchronisation_and_do_not_mix(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_answer answers[2];
    struct otpring_query queries[2] = {other, other};
    queries[0].code_next = "359152";
    fake_start(&fake, answer_pairs, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 0, 0);
    assert_int_equal(otpring_verify(client, queries, 2, answers), OTPRING_E_ARGUMENT);
    queries[1].code_next = "3591520"; /* another number of digits */
    assert_int_equal(otpring_verify(client, queries, 2, answers), 0);
    assert_int_equal(answers[0].verdict, OTPRING_ACCEPTED);
    assert_int_equal(answers[1].verdict, OTPRING_MALFORMED);
    otpring_close(client);
    fake_stop(&fake);
}

static void nobody_listening_is_told_at_once(void **state)
{
    (void)state;
    struct otpring_client *client;
    struct otpring_answer answer;
    struct otpring_options options = {.socket_path = "/nonexistent/verify.sock"};
    assert_int_equal(otpring_open(&options, &client), 0);
    assert_int_equal(otpring_verify(client, &one, 1, &answer), OTPRING_E_CONNECT);
    assert_int_equal(answer.verdict, OTPRING_UNAVAILABLE);
    assert_int_equal(errno, ENOENT);
    otpring_close(client);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct otpring_client *client = NULL;
    char path[200];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_int_equal(otpring_open(&(struct otpring_options){.socket_path = path}, &client), OTPRING_E_ARGUMENT);
    assert_int_equal(otpring_open(&(struct otpring_options){.socket_path = "x", .slots = 1025}, &client),
                     OTPRING_E_ARGUMENT);
    assert_int_equal(otpring_open(&(struct otpring_options){.socket_path = "x", .items_max = 4097}, &client),
                     OTPRING_E_ARGUMENT);
    assert_null(client);
}

static void count_hellos(struct fake *fake)
{
    struct fake_frame *frame = frames_create(1);
    fake->idle_timeout_s = 1;
    fake_hello(fake, false);
    fake_read(fake, frame);
    fake_answer(fake, frame, OTPRING_ACCEPTED, 1);
    fake_require(fake_sees_end(fake), "the idle connection is left");
    fake_cut(fake);
    fake->session++;
    fake_hello(fake, false); /* the session had expired meanwhile */
    fake_read(fake, frame);
    fake_require(frame->header.session == fake->session && frame->header.sequence == 1, "numbered in the new session");
    fake_answer(fake, frame, OTPRING_ACCEPTED, 2);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frame);
}

static void a_client_that_was_idle_for_long_says_hello_before_it_asks(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_answer answer;
    fake_start(&fake, count_hellos, NULL);
    struct otpring_client *client = fake_client(&fake, 0, 0, 0);
    assert_int_equal(otpring_verify(client, &one, 1, &answer), 0);
    fake_sleep_ms(600);
    assert_int_equal(otpring_verify(client, &other, 1, &answer), 0);
    assert_int_equal(answer.record, 2);
    otpring_close(client);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_in_single_bytes_is_put_together),
        cmocka_unit_test(responses_go_in_frames_of_their_own_and_what_is_none_is_not_sent),
        cmocka_unit_test(responses_that_do_not_fit_one_frame_are_refused_before_anything_is_sent),
        cmocka_unit_test(other_spellings_of_a_code_are_malformed_and_never_sent),
        cmocka_unit_test(a_cut_connection_is_retried_with_identical_bytes),
        cmocka_unit_test(an_expired_session_makes_the_call_undecided_and_the_next_one_new),
        cmocka_unit_test(the_same_call_after_a_timeout_gets_the_late_answer_and_sends_nothing),
        cmocka_unit_test(an_error_frame_is_told_in_words),
        cmocka_unit_test(two_codes_go_as_a_resynchronisation_and_do_not_mix),
        cmocka_unit_test(nobody_listening_is_told_at_once),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(a_client_that_was_idle_for_long_says_hello_before_it_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
