/* Submit and poll, many frames in flight, and a daemon that misbehaves. */
#include "helpers.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLOTS = 8 };

static void fill(struct otpring_wire_query *ret_queries, size_t count, uint32_t code)
{
    memset(ret_queries, 0, count * sizeof *ret_queries);
    for (size_t i = 0; i < count; i++) {
        ret_queries[i].code = code + (uint32_t)i;
        ret_queries[i].digits = 6;
        ret_queries[i].kind = OTPRING_QUERY_CODE;
    }
}

static void answer_backwards(struct fake *fake)
{
    struct fake_frame *frames = calloc(SLOTS, sizeof *frames);
    fake_hello(fake, false);
    for (int i = 0; i < SLOTS; i++) fake_read(fake, &frames[i]);
    for (int i = SLOTS; i-- > 0;) {
        struct otpring_wire_query query;
        memcpy(&query, frames[i].bytes + 32, sizeof query);
        fake_answer(fake, &frames[i], OTPRING_REJECTED, query.code);
    }
    fake_require(fake_sees_end(fake), "the client closes");
    free(frames);
}

static void answers_out_of_order_find_their_tickets(void **state)
{
    (void)state;
    struct fake fake;
    int64_t tickets[SLOTS];
    struct otpring_wire_query queries[3];
    fake_start(&fake, answer_backwards, NULL);
    struct otpring_client *client = fake_client(&fake, SLOTS, 0, 0);
    for (int i = 0; i < SLOTS; i++) {
        fill(queries, 3, 100000u * (uint32_t)i);
        tickets[i] = otpring_submit_wire(client, queries, 3);
        assert_true(tickets[i] > 0);
    }
    assert_int_equal(otpring_submit_wire(client, queries, 3), OTPRING_E_FULL);
    for (int i = SLOTS; i-- > 0;) {
        const void *found;
        size_t count;
        assert_int_equal(otpring_poll_wire(client, 5000, &found, &count), tickets[i]);
        const struct otpring_wire_answer *answers = found;
        assert_int_equal(count, 3);
        assert_int_equal(answers[2].record, 100000 * i + 2);
    }
    assert_int_equal(otpring_poll(client, 0, NULL, 0, NULL), 0);
    otpring_close(client);
    fake_stop(&fake);
}

static void cut_in_the_middle(struct fake *fake)
{
    struct fake_frame *frames = calloc(2 * SLOTS, sizeof *frames);
    fake_hello(fake, false);
    for (int i = 0; i < SLOTS; i++) fake_read(fake, &frames[i]);
    fake_answer(fake, &frames[2], OTPRING_REJECTED, 2);
    fake_answer(fake, &frames[5], OTPRING_REJECTED, 5);
    fake_sleep_ms(50);
    fake_cut(fake);
    fake_hello(fake, true);
    for (int i = 0; i < SLOTS; i++) {
        if (i == 2 || i == 5) continue;
        fake_read(fake, &frames[SLOTS + i]);
        fake_require(memcmp(frames[i].bytes, frames[SLOTS + i].bytes, frames[i].size) == 0,
                     "the unanswered frames, unchanged, in the order of submission");
        fake_answer(fake, &frames[SLOTS + i], OTPRING_REJECTED, (uint64_t)i);
    }
    fake_require(fake_sees_end(fake), "the client closes");
    free(frames);
}

static void only_what_is_unanswered_is_sent_again_and_in_order(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_wire_query query;
    unsigned seen = 0;
    fake_start(&fake, cut_in_the_middle, NULL);
    struct otpring_client *client = fake_client(&fake, SLOTS, 0, 0);
    for (uint32_t i = 0; i < SLOTS; i++) {
        fill(&query, 1, i);
        assert_true(otpring_submit_wire(client, &query, 1) > 0);
    }
    for (int i = 0; i < SLOTS; i++) {
        struct otpring_answer answer;
        size_t count;
        assert_true(otpring_poll(client, 5000, &answer, 1, &count) > 0);
        seen |= 1u << answer.record;
    }
    assert_int_equal(seen, (1 << SLOTS) - 1);
    otpring_close(client);
    fake_stop(&fake);
}

static void begin_new_session(struct fake *fake)
{
    struct fake_frame *frame = calloc(1, sizeof *frame);
    fake_hello(fake, false);
    for (int i = 0; i < 3; i++) fake_read(fake, frame);
    fake_cut(fake);
    fake->session++;
    fake_hello(fake, false);
    fake_require(fake_sees_end(fake), "nothing undecided is sent in the new session");
    free(frame);
}

static void a_lost_session_voids_every_ticket_and_says_so_once(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_wire_query query;
    fake_start(&fake, begin_new_session, NULL);
    struct otpring_client *client = fake_client(&fake, SLOTS, 0, 0);
    fill(&query, 1, 1);
    for (int i = 0; i < 3; i++) assert_true(otpring_submit_wire(client, &query, 1) > 0);
    assert_int_equal(otpring_poll(client, 5000, NULL, 0, NULL), OTPRING_E_SESSION);
    assert_int_equal(otpring_poll(client, 0, NULL, 0, NULL), 0);
    otpring_close(client);
    fake_stop(&fake);
}

/* Reads slowly, so that the client's socket buffer is full for a while. */
static void read_slowly(struct fake *fake)
{
    struct fake_frame *frames = calloc(SLOTS, sizeof *frames);
    fake_hello(fake, false);
    fake_sleep_ms(100);
    for (int i = 0; i < SLOTS; i++) {
        fake_read(fake, &frames[i]);
        fake_require(frames[i].header.count == 4096, "a whole frame");
    }
    for (int i = 0; i < SLOTS; i++) fake_answer(fake, &frames[i], OTPRING_ACCEPTED, 1);
    fake_require(fake_sees_end(fake), "the client closes");
    free(frames);
}

static void frames_larger_than_the_socket_buffer_leave_in_pieces(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_wire_query *queries = calloc(4096, sizeof *queries);
    fake_start(&fake, read_slowly, NULL);
    fake.items_max = 4096;
    struct otpring_client *client = fake_client(&fake, SLOTS, 4096, 0);
    fill(queries, 4096, 0);
    for (int i = 0; i < SLOTS; i++) assert_true(otpring_submit_wire(client, queries, 4096) > 0);
    int finished = 0;
    bool waited_to_write = false;
    while (finished < SLOTS) {
        struct pollfd event = {.fd = otpring_fd(client), .events = POLLIN};
        if (otpring_wants_write(client)) event.events |= POLLOUT;
        assert_int_equal(poll(&event, 1, 5000), 1);
        const void *answers;
        size_t count;
        int64_t ticket;
        while ((ticket = otpring_poll_wire(client, 0, &answers, &count)) > 0) {
            assert_int_equal(count, 4096);
            finished++;
        }
        assert_int_equal(ticket, 0);
        waited_to_write |= otpring_wants_write(client);
    }
    assert_true(waited_to_write);
    otpring_close(client);
    free(queries);
    fake_stop(&fake);
}

/* Each a way in which a daemon may break the rules towards a client with one frame in flight. */
static void misbehave(struct fake *fake)
{
    struct fake_frame *frame = calloc(1, sizeof *frame);
    uint8_t bytes[256];
    fake_hello(fake, false);
    fake_read(fake, frame);
    size_t size = fake_answer_bytes(frame, OTPRING_ACCEPTED, 1, bytes);
    struct otpring_wire_header *header = (void *)bytes;
    switch (*(int *)fake->context) {
    case 0:
        header->tag ^= 1u << 20;
        break;
    case 1:
        header->tag |= 1023;
        break;
    case 2:
        header->size = 0xffffffff;
        break;
    case 3:
        header->size = 0;
        break;
    case 4:
        header->count = 2, header->size += 16, size += 16;
        break;
    case 5:
        header->kind = OTPRING_WIRE_RESYNC_ANSWER;
        break;
    case 6:
        bytes[32] = 0;
        break;
    case 7:
        bytes[32] = OTPRING_VERDICT_COUNT;
        break;
    case 8:
        header->kind = OTPRING_WIRE_HELLO_ANSWER, header->count = 0, header->size = 64;
        break;
    case 9:
        header->sequence++;
        break;
    case 10:
        header->session++;
        break;
    case 11:
        memcpy(bytes + size, bytes, size), size *= 2;
        break; /* the same answer twice */
    }
    fake_write(fake, bytes, size);
    fake_require(fake_sees_end(fake), "the client leaves such a daemon");
    free(frame);
}

static void a_daemon_that_breaks_the_rules_is_left_and_accepts_nobody(void **state)
{
    (void)state;
    for (int way = 0; way < 12; way++) {
        struct fake fake;
        struct otpring_wire_query query;
        struct otpring_answer answer = {0};
        size_t count = 0;
        fake_start(&fake, misbehave, &way);
        struct otpring_client *client = fake_client(&fake, SLOTS, 0, 0);
        fill(&query, 1, 1);
        assert_true(otpring_submit_wire(client, &query, 1) > 0);
        if (way == 11) assert_true(otpring_poll(client, 5000, &answer, 1, &count) > 0);
        assert_int_equal(otpring_poll(client, 5000, &answer, 1, &count), OTPRING_E_PROTOCOL);
        if (way != 11) assert_int_equal(answer.verdict, 0);
        otpring_close(client);
        fake_stop(&fake);
    }
}

static void hello_only(struct fake *fake)
{
    fake_hello(fake, false);
    fake_cut(fake);
    fake_sleep_ms(100);
}

static void an_idle_lost_connection_does_not_keep_its_descriptor_readable(void **state)
{
    (void)state;
    struct fake fake;
    struct otpring_query malformed = {.company = "c", .user = "u", .code = "x"};
    struct otpring_answer answer;
    fake_start(&fake, hello_only, NULL);
    struct otpring_client *client = fake_client(&fake, SLOTS, 0, 0);
    int64_t ticket = otpring_submit(client, &malformed, 1);
    assert_true(ticket > 0);
    assert_int_equal(otpring_poll(client, 0, &answer, 1, NULL), ticket);
    assert_int_equal(answer.verdict, OTPRING_MALFORMED);
    /* The daemon's thread cuts when it gets to run. */
    for (int tries = 0; otpring_fd(client) >= 0 && tries < 5000; tries++) {
        assert_int_equal(otpring_poll(client, 0, NULL, 0, NULL), 0);
        fake_sleep_ms(1);
    }
    assert_int_equal(otpring_fd(client), -1);
    assert_int_equal(otpring_poll(client, 0, NULL, 0, NULL), 0);
    otpring_close(client);
    fake_stop(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_out_of_order_find_their_tickets),
        cmocka_unit_test(only_what_is_unanswered_is_sent_again_and_in_order),
        cmocka_unit_test(a_lost_session_voids_every_ticket_and_says_so_once),
        cmocka_unit_test(frames_larger_than_the_socket_buffer_leave_in_pieces),
        cmocka_unit_test(a_daemon_that_breaks_the_rules_is_left_and_accepts_nobody),
        cmocka_unit_test(an_idle_lost_connection_does_not_keep_its_descriptor_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
