/* Peers that send what cannot be, fall silent, do not read, are too many or strangers, or go; and what others notice of
 * it. */
#include "worker_fixture.h"

#include <fcntl.h>
#include <poll.h>

struct bad_frame {
    uint16_t code, kind;
    struct otpring_wire_header header;
};

static void a_bad_frame_closes_its_sender_and_nobody_else(void **state)
{
    (void)state;
    static const struct bad_frame cases[] = {
        {OTPRING_ERROR_SIZE, 3, {.size = 65, .kind = 3, .count = 1, .session = FAKE_SESSION}},
        {OTPRING_ERROR_SIZE, 3, {.size = UINT32_MAX, .kind = 3, .count = 1, .session = FAKE_SESSION}},
        {OTPRING_ERROR_KIND, 4, {.size = 48, .kind = 4, .count = 1}},
        {OTPRING_ERROR_KIND, 8, {.size = 40, .kind = 8}},
        {OTPRING_ERROR_KIND, 1, {.size = 64, .kind = 1}},
        {OTPRING_ERROR_RESERVED, 10, {.size = 32, .kind = 10, .reserved = 2}},
        {OTPRING_ERROR_TOO_MANY, 3, {.size = 32, .kind = 3, .count = 0}},
        {OTPRING_ERROR_SESSION, 3, {.size = 64, .kind = 3, .count = 1, .session = FAKE_SESSION + 1}},
        {OTPRING_ERROR_SLOT, 3, {.size = 64, .kind = 3, .count = 1, .session = FAKE_SESSION, .slot = 16}},
    };
    begin();
    int other = peer_greeted();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int file = peer_greeted();
        /* In one piece: after the header alone the connection may be gone before the body is sent. */
        uint8_t bytes[64] = {0};
        memcpy(bytes, &cases[i].header, 32);
        peer_send(file, bytes, sizeof bytes);
        assert_error(file, cases[i].code, cases[i].kind);
        assert_serves(other, 100 + i);
    }
    assert_int_equal(counts().faults, sizeof cases / sizeof cases[0]);
    close(other);
}

static void a_frame_before_hello_is_an_error(void **state)
{
    (void)state;
    begin();
    int file = peer_open();
    ask(file, 1, 0, 1);
    assert_error(file, OTPRING_ERROR_NO_HELLO, OTPRING_WIRE_VERIFY);
}

static void half_a_frame_is_waited_for_and_then_dropped_alone(void **state)
{
    (void)state;
    server.options.frame_timeout_ms = 200;
    begin();
    int half = peer_greeted(), other = peer_greeted();
    uint8_t bytes[96];
    frame_make(bytes, 1, 0, 2);
    uint64_t began = now_ms();
    peer_send(half, bytes, 50);
    while (now_ms() - began < 100) assert_serves(other, 7);
    assert_error(half, OTPRING_ERROR_TIMEOUT, 0);
    assert_true(now_ms() - began >= 200 && now_ms() - began < 3000);
    /* A slow peer that does get through within the time stays. */
    for (size_t at = 0; at < 96; at += 32) {
        peer_send(other, bytes + at, 32);
        usleep(10000);
    }
    assert_int_equal(assert_answer(other, 2), 1);
    close(other);
}

static void a_peer_that_says_nothing_is_dropped(void **state)
{
    (void)state;
    server.options.frame_timeout_ms = 100;
    begin();
    int other = peer_greeted();
    int file = peer_open();
    assert_error(file, OTPRING_ERROR_TIMEOUT, 0);
    /* One that has greeted may be silent for as long as it likes. */
    usleep(150000);
    assert_serves(other, 3);
    close(other);
}

/* Looked at ten times a second while it runs, also where it begins just after a look that found none. Once a second,
 * none of them would be told so soon. */
static void a_time_out_is_not_waited_for_as_an_idle_worker_waits(void **state)
{
    (void)state;
    server.options.frame_timeout_ms = 100;
    begin();
    int other = peer_greeted();
    bool soon = false;
    for (unsigned i = 0; i < 20 && !soon; i++) {
        usleep(250000);
        assert_serves(other, i + 1);
        int file = peer_open();
        uint64_t begun_ms = now_ms();
        assert_error(file, OTPRING_ERROR_TIMEOUT, 0);
        soon = now_ms() - begun_ms < 600;
    }
    assert_true(soon);
    close(other);
}

/* Writes frames without reading until the socket takes no more for a while, or is gone. */
static bool flood(int file, unsigned *ret_frames)
{
    uint8_t *bytes = malloc(OTPRING_WIRE_FRAME_SIZE_MAX);
    uint64_t until = now_ms() + 5000;
    size_t size = 0, at = 0;
    bool gone = false;
    *ret_frames = 0;
    fcntl(file, F_SETFL, O_NONBLOCK);
    while (!gone && now_ms() < until) {
        if (at == size) {
            size = frame_make(bytes, *ret_frames, (uint16_t)(*ret_frames % 16), 4096);
            at = 0;
            ++*ret_frames;
        }
        ssize_t sent = send(file, bytes + at, size - at, MSG_NOSIGNAL);
        if (sent > 0)
            at += (size_t)sent;
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = file, .events = POLLOUT}, 1, 10);
        else
            gone = true;
    }
    free(bytes);
    return gone;
}

struct reader {
    pthread_t thread;
    _Atomic bool stop;
    unsigned answered;
    uint64_t slowest_ms;
};

static void *ask_on(void *argument)
{
    struct reader *reader = argument;
    int file = peer_greeted();
    while (!reader->stop) {
        uint64_t began = now_ms();
        assert_serves(file, ++reader->answered);
        if (now_ms() - began > reader->slowest_ms) reader->slowest_ms = now_ms() - began;
    }
    close(file);
    return NULL;
}

static void a_peer_that_stops_reading_is_dropped_and_others_go_on(void **state)
{
    (void)state;
    server.options.write_timeout_ms = 400;
    server.options.hold_timeout_ms = 200;
    begin();
    struct reader reader = {0};
    pthread_create(&reader.thread, NULL, ask_on, &reader);
    int files[3];
    unsigned frames;
    for (int i = 0; i < 3; i++) files[i] = peer_greeted();
    for (int i = 0; i < 3; i++) assert_true(flood(files[i], &frames));
    reader.stop = true;
    pthread_join(reader.thread, NULL);
    assert_true(counts().dropped >= 3);
    assert_true(reader.answered > 50);
    assert_true(reader.slowest_ms < 2000);
    for (int i = 0; i < 3; i++) close(files[i]);
    wait_until_connections(0);
}

static void connections_past_the_limit_are_told_so(void **state)
{
    (void)state;
    server.options.connections_max = 3;
    begin();
    int files[3];
    for (int i = 0; i < 3; i++) files[i] = peer_greeted();
    for (int i = 0; i < 5; i++) assert_error(peer_open(), OTPRING_ERROR_LIMIT, 0);
    close(files[0]);
    wait_until_connections(2);
    files[0] = peer_greeted();
    for (int i = 0; i < 3; i++) assert_serves(files[i], 9);
    for (int i = 0; i < 3; i++) close(files[i]);
}

static void a_stranger_is_told_that_it_has_no_right(void **state)
{
    (void)state;
    struct core_client other = {.id = 1, .uid = geteuid() + 1, .rights = CORE_RIGHT_VERIFY};
    begin_with(&other, 1);
    assert_error(peer_open(), OTPRING_ERROR_NO_RIGHT, 0);
    assert_int_equal(counts().refused, 1);
}

static void a_client_taken_away_by_a_reload_is_closed(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    struct core_client self = {.id = 1, .uid = geteuid(), .rights = CORE_RIGHT_VERIFY};
    assert_int_equal(server_clients_replace(server.clients, &self, 1).code, OK);
    tell(server_worker_reload);
    assert_serves(file, 2);
    assert_int_equal(server_clients_replace(server.clients, NULL, 0).code, OK);
    tell(server_worker_reload);
    assert_error(file, OTPRING_ERROR_NO_RIGHT, 0);
    assert_error(peer_open(), OTPRING_ERROR_NO_RIGHT, 0);
}

static void an_answer_for_a_peer_that_is_gone_finds_nobody(void **state)
{
    (void)state;
    begin();
    int other = peer_greeted();
    for (int round = 0; round < 20; round++) {
        int file = peer_greeted();
        fake.hold = true;
        unsigned before = fake.frames;
        ask(file, 1, 0, 100);
        while (fake.frames == before) usleep(500);
        close(file);
        if (round % 2) usleep(3000);
        fake.hold = false;
        assert_serves(other, 2);
    }
    close(other);
    wait_until_connections(0);
}

static void a_peer_that_ends_its_sending_still_gets_its_answers(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    fake.hold = true;
    for (uint16_t slot = 0; slot < 16; slot++) ask(file, slot, slot, 500);
    shutdown(file, SHUT_WR);
    usleep(20000);
    fake.hold = false;
    for (uint16_t slot = 0; slot < 16; slot++) assert_answer(file, 500);
    assert_closed(file);
}

static void a_stop_answers_what_is_in_flight_and_closes_all(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted(), idle = peer_greeted(), half = peer_greeted();
    fake.hold = true;
    ask(file, 1, 0, 100);
    peer_send(half, "\x40\0\0", 3);
    while (fake.frames < 1) usleep(500);
    tell(server_worker_stop);
    usleep(20000);
    fake.hold = false;
    assert_int_equal(assert_answer(file, 100), 1);
    assert_closed(file);
    assert_closed(idle);
    assert_closed(half);
    pthread_join(server.thread, NULL);
    server.worker = NULL;
    assert_int_equal(server.result.code, OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bad_frame_closes_its_sender_and_nobody_else),
        TEST(a_frame_before_hello_is_an_error),
        TEST(half_a_frame_is_waited_for_and_then_dropped_alone),
        TEST(a_peer_that_says_nothing_is_dropped),
        TEST(a_time_out_is_not_waited_for_as_an_idle_worker_waits),
        TEST(a_peer_that_stops_reading_is_dropped_and_others_go_on),
        TEST(connections_past_the_limit_are_told_so),
        TEST(a_stranger_is_told_that_it_has_no_right),
        TEST(a_client_taken_away_by_a_reload_is_closed),
        TEST(an_answer_for_a_peer_that_is_gone_finds_nobody),
        TEST(a_peer_that_ends_its_sending_still_gets_its_answers),
        TEST(a_stop_answers_what_is_in_flight_and_closes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
