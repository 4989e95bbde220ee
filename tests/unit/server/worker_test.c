/* A worker on a real ring and real sockets, before a core that answers as the test wants. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_core.h"
#include "os/os_uring.h"
#include "os/sockets.h"
#include "server/limits.h"
#include "server/worker.h"

enum { BUFFERS = 64, BUFFER_SIZE = 16384 };

static struct {
    char folder[64];
    char path[96];
    int listen_file;
    struct server_clients *clients;
    struct server_worker_options options;
    struct server_worker *worker;
    struct core *core; /* only ever compared with NULL */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ready;
    bool is_ready;
    struct result result;
} server;

static void *serve(void *unused)
{
    (void)unused;
    struct os_uring_options options = {.buffer_count = BUFFERS, .buffer_size = BUFFER_SIZE};
    struct os *os;
    assert_int_equal(os_uring_create(&options, &os).code, OK);
    server.options.os = os;
    struct server_worker *worker;
    assert_int_equal(server_worker_create(&server.options, &worker).code, OK);
    pthread_mutex_lock(&server.mutex);
    server.worker = worker;
    server.is_ready = true;
    pthread_cond_broadcast(&server.ready);
    pthread_mutex_unlock(&server.mutex);
    server.result = server_worker_run(worker);
    /* Whoever told it to stop has let go of it. */
    pthread_mutex_lock(&server.mutex);
    pthread_mutex_unlock(&server.mutex);
    server_worker_destroy(worker);
    os_destroy(os);
    return NULL;
}

static void begin_with(const struct core_client *clients, uint32_t count)
{
    server.is_ready = false;
    server.options.clients = NULL;
    assert_int_equal(server_clients_create(clients, count, &server.clients).code, OK);
    assert_int_equal(socket_listen(server.path, 0600, &server.listen_file).code, OK);
    server.options.clients = server.clients;
    server.options.listen_file = server.listen_file;
    server.options.receive_buffer_count = BUFFERS;
    server.options.receive_buffer_size = BUFFER_SIZE;
    if (!server.options.kinds) {
        server.options.core = (struct core *)&server;
        server.options.kinds = server_verify_kinds;
        server.options.kind_count = server_verify_kind_count;
    }
    pthread_create(&server.thread, NULL, serve, NULL);
    pthread_mutex_lock(&server.mutex);
    while (!server.is_ready) pthread_cond_wait(&server.ready, &server.mutex);
    pthread_mutex_unlock(&server.mutex);
}

static void begin(void)
{
    struct core_client self = {.id = 1, .name = "self", .uid = geteuid(), .rights = CORE_RIGHT_VERIFY};
    begin_with(&self, 1);
}

static int set_up(void **state)
{
    (void)state;
    memset(&server, 0, sizeof server);
    memset(&fake, 0, sizeof fake);
    pthread_mutex_init(&server.mutex, NULL);
    pthread_cond_init(&server.ready, NULL);
    strcpy(server.folder, "/tmp/otpring-server-XXXXXX");
    if (!mkdtemp(server.folder)) return -1;
    snprintf(server.path, sizeof server.path, "%s/verify.sock", server.folder);
    return 0;
}

static void tell(void (*what)(struct server_worker *worker))
{
    pthread_mutex_lock(&server.mutex);
    what(server.worker);
    pthread_mutex_unlock(&server.mutex);
}

static void stop(void)
{
    if (!server.worker) return;
    tell(server_worker_stop);
    pthread_join(server.thread, NULL);
    server.worker = NULL;
}

static int tear_down(void **state)
{
    (void)state;
    stop();
    socket_close(server.listen_file);
    server_clients_destroy(server.clients);
    unlink(server.path);
    rmdir(server.folder);
    return server.result.code == OK ? 0 : -1;
}

/* ---- a client ---- */

static int peer_open(void)
{
    int file;
    assert_int_equal(socket_connect(server.path, &file).code, OK);
    struct timeval patience = {.tv_sec = 10};
    setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return file;
}

static void peer_send(int file, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size) {
        ssize_t sent = send(file, at, size, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += sent;
        size -= (size_t)sent;
    }
}

/* False at the end of the stream. */
static bool peer_receive(int file, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size) {
        ssize_t got = recv(file, at, size, 0);
        if (got == 0 || (got < 0 && (errno == ECONNRESET || errno == EPIPE))) return false;
        assert_true(got > 0);
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static void assert_closed(int file)
{
    uint8_t byte;
    assert_false(peer_receive(file, &byte, 1));
    close(file);
}

static void assert_error(int file, uint16_t code, uint16_t kind)
{
    struct otpring_wire_header header;
    struct otpring_wire_error error;
    assert_true(peer_receive(file, &header, sizeof header));
    assert_int_equal(header.kind, OTPRING_WIRE_ERROR);
    assert_true(peer_receive(file, &error, sizeof error));
    assert_int_equal(error.code, code);
    assert_int_equal(error.kind, kind);
    assert_closed(file);
}

static void hello_send(int file)
{
    struct otpring_wire_header header = {.size = 64, .kind = OTPRING_WIRE_HELLO, .tag = 99};
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1, .slots = 16, .items_max = 4096};
    peer_send(file, &header, sizeof header);
    peer_send(file, &hello, sizeof hello);
}

static struct otpring_wire_hello_answer hello_receive(int file)
{
    struct otpring_wire_header header;
    struct otpring_wire_hello_answer answer;
    assert_true(peer_receive(file, &header, sizeof header));
    assert_int_equal(header.kind, OTPRING_WIRE_HELLO_ANSWER);
    assert_int_equal(header.tag, 99);
    assert_true(peer_receive(file, &answer, sizeof answer));
    return answer;
}

static int peer_greeted(void)
{
    int file = peer_open();
    hello_send(file);
    assert_int_equal(hello_receive(file).session, FAKE_SESSION);
    return file;
}

/* A VERIFY frame; the queries' codes count up from the tag. */
static size_t frame_make(uint8_t *to, uint64_t tag, uint16_t slot, uint16_t count)
{
    struct otpring_wire_header header = {.size = 32U + count * 32U,
                                         .kind = OTPRING_WIRE_VERIFY,
                                         .count = count,
                                         .tag = tag,
                                         .session = FAKE_SESSION,
                                         .sequence = 1,
                                         .slot = slot};
    memcpy(to, &header, sizeof header);
    for (uint32_t i = 0; i < count; i++) {
        struct otpring_wire_query query = {.code = (uint32_t)tag + i, .source = tag * 1000, .digits = 6, .kind = 1};
        memcpy(to + 32 + i * 32, &query, sizeof query);
    }
    return header.size;
}

static void ask(int file, uint64_t tag, uint16_t slot, uint16_t count)
{
    uint8_t *bytes = malloc(OTPRING_WIRE_FRAME_SIZE_MAX);
    peer_send(file, bytes, frame_make(bytes, tag, slot, count));
    free(bytes);
}

static uint64_t assert_answer(int file, uint16_t count)
{
    struct otpring_wire_header header;
    struct otpring_wire_answer *answers = malloc(count * sizeof *answers);
    assert_true(peer_receive(file, &header, sizeof header));
    assert_int_equal(header.kind, OTPRING_WIRE_VERIFY_ANSWER);
    assert_int_equal(header.count, count);
    assert_int_equal(header.session, FAKE_SESSION);
    assert_true(peer_receive(file, answers, count * sizeof *answers));
    for (uint32_t i = 0; i < count; i++) assert_int_equal(answers[i].record, header.tag * 1000 + header.tag + i);
    free(answers);
    return header.tag;
}

static void assert_serves(int file, uint64_t tag)
{
    ask(file, tag, 0, 3);
    assert_int_equal(assert_answer(file, 3), tag);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct server_counts counts(void)
{
    struct server_counts all;
    server_worker_counts(server.worker, &all);
    return all;
}

static void wait_until_connections(uint64_t wanted)
{
    uint64_t until = now_ms() + 5000;
    while (counts().connections != wanted && now_ms() < until) usleep(1000);
    assert_int_equal(counts().connections, wanted);
}

/* The worker looks at its sockets before it offers again what core did not take. */
static void wait_until_offered(unsigned more)
{
    unsigned wanted = fake.offered + more;
    uint64_t until = now_ms() + 5000;
    while (fake.offered < wanted && now_ms() < until) usleep(1000);
    assert_true(fake.offered >= wanted);
}

/* ---- the tests ---- */

static void frames_are_answered_with_their_tags(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    for (uint64_t tag = 1; tag < 50; tag++) assert_serves(file, tag);
    close(file);
    wait_until_connections(0);
}

static void the_hello_answer_tells_the_kinds_this_client_may_send(void **state)
{
    (void)state;
    struct core_client self = {.id = 1, .uid = geteuid(), .rights = CORE_RIGHT_ASK};
    begin_with(&self, 1);
    int file = peer_open();
    hello_send(file);
    assert_int_equal(hello_receive(file).kinds, 1U << OTPRING_WIRE_HELLO | 1U << OTPRING_WIRE_PING);
    ask(file, 1, 0, 1);
    assert_error(file, OTPRING_ERROR_NO_RIGHT, OTPRING_WIRE_VERIFY);
}

static void a_hello_whose_record_takes_time_holds_back_the_frames_behind_it(void **state)
{
    (void)state;
    fake.slow_hello = true;
    fake.hold = true;
    begin();
    int file = peer_open();
    hello_send(file);
    ask(file, 7, 0, 2);
    usleep(30000);
    assert_int_equal(fake.offered, 0);
    fake.hold = false;
    hello_receive(file);
    assert_int_equal(assert_answer(file, 2), 7);
    close(file);
}

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

static void errors_that_core_finds_are_told_and_earlier_answers_leave_first(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    fake.hold = true;
    ask(file, 5, 0, 1);
    while (fake.frames < 1) usleep(1000);
    fake.error = OTPRING_ERROR_SEQUENCE;
    ask(file, 6, 1, 1);
    usleep(20000);
    fake.hold = false;
    assert_int_equal(assert_answer(file, 1), 5);
    assert_error(file, OTPRING_ERROR_SEQUENCE, OTPRING_WIRE_VERIFY);
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

static void frames_of_4096_items_in_every_slot_come_back_whole(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    for (int round = 0; round < 4; round++) {
        uint64_t seen = 0;
        for (uint16_t slot = 0; slot < 16; slot++) ask(file, 1000 + slot, slot, 4096);
        for (uint16_t slot = 0; slot < 16; slot++) seen |= 1ULL << (assert_answer(file, 4096) - 1000);
        assert_int_equal(seen, 0xffff);
    }
    close(file);
}

static void frames_cut_anywhere_come_through(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    uint8_t *bytes = malloc(16 * (32 + 40 * 32));
    unsigned seed = 5;
    for (int round = 0; round < 100; round++) {
        size_t size = 0;
        uint16_t counts_of[16];
        for (uint16_t slot = 0; slot < 16; slot++) {
            counts_of[slot] = (uint16_t)(1 + rand_r(&seed) % 40);
            size += frame_make(bytes + size, slot, slot, counts_of[slot]);
        }
        for (size_t at = 0; at < size;) {
            size_t part = 1 + (size_t)rand_r(&seed) % 3000;
            if (part > size - at) part = size - at;
            peer_send(file, bytes + at, part);
            at += part;
        }
        for (uint16_t slot = 0; slot < 16; slot++) assert_int_equal(assert_answer(file, counts_of[slot]), slot);
    }
    free(bytes);
    close(file);
}

static void frames_that_core_cannot_take_now_are_offered_again(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    fake.full = true;
    ask(file, 4, 0, 2);
    ask(file, 5, 1, 2);
    wait_until_offered(3);
    assert_int_equal(fake.frames, 0);
    fake.full = false;
    assert_int_equal(assert_answer(file, 2), 4);
    assert_int_equal(assert_answer(file, 2), 5);
    fake.join_later = 3;
    assert_serves(file, 6);
    assert_int_equal(fake.join_later, 0);
    close(file);
}

static void what_arrived_on_many_connections_goes_into_one_turn(void **state)
{
    (void)state;
    enum { PEERS = 100 };
    begin();
    int files[PEERS];
    for (int i = 0; i < PEERS; i++) files[i] = peer_greeted();
    fake.full = true;
    for (int i = 0; i < PEERS; i++) ask(files[i], (uint64_t)i, 0, 1);
    wait_until_offered(3);
    unsigned before = fake.turns;
    fake.full = false;
    for (int i = 0; i < PEERS; i++) assert_int_equal(assert_answer(files[i], 1), i);
    assert_true(fake.turns - before <= 5);
    for (int i = 0; i < PEERS; i++) close(files[i]);
    wait_until_connections(0);
}

static void answers_are_coalesced_into_few_sends(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    fake.hold = true;
    uint64_t before = counts().sends;
    for (uint16_t slot = 0; slot < 16; slot++) ask(file, slot, slot, 10);
    while (fake.frames < 16) usleep(1000);
    usleep(5000);
    fake.hold = false;
    for (uint16_t slot = 0; slot < 16; slot++) assert_answer(file, 10);
    assert_true(counts().sends - before <= 2);
    close(file);
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

static void pings_are_answered(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    struct otpring_wire_header ping = {.size = 32, .kind = OTPRING_WIRE_PING, .tag = 8}, pong;
    peer_send(file, &ping, sizeof ping);
    assert_true(peer_receive(file, &pong, sizeof pong));
    assert_int_equal(pong.kind, OTPRING_WIRE_PONG);
    assert_int_equal(pong.size, 32);
    assert_int_equal(pong.tag, 8);
    close(file);
}

/* Gives the request back in brackets. */
static uint32_t bracket(void *context, const struct socket_peer *peer, const uint8_t *json, uint32_t json_size,
                        uint8_t *ret_answer, uint32_t answer_size_max)
{
    assert_ptr_equal(context, &server);
    assert_int_equal(peer->uid, geteuid());
    if (json[0] == '!') return 0;
    uint32_t size = json_size + 2 <= answer_size_max ? json_size : answer_size_max - 2;
    ret_answer[0] = '[';
    memcpy(ret_answer + 1, json, size);
    ret_answer[size + 1] = ']';
    return size + 2;
}

static void begin_admin(void)
{
    server.options.kinds = server_admin_kinds;
    server.options.kind_count = server_admin_kind_count;
    server.options.connections_max = 8;
    server.options.frame_size_max = OTPRING_WIRE_ADMIN_SIZE_MAX;
    server.options.output_max = SERVER_ADMIN_OUTPUT_MAX;
    server.options.admin = bracket;
    server.options.admin_context = &server;
    begin();
}

static void admin_request(int file, const uint8_t *json, uint32_t size)
{
    struct otpring_wire_header header = {.size = 32 + size, .kind = OTPRING_WIRE_ADMIN, .tag = size};
    peer_send(file, &header, sizeof header);
    peer_send(file, json, size);
}

static void admin_requests_of_every_size_are_answered(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 7, 1000, 16384, 16385, 1 << 20, (4 << 20) - 32};
    begin_admin();
    int file = peer_open();
    hello_send(file);
    hello_receive(file);
    uint8_t *json = malloc(4 << 20), *answer = malloc(4 << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t at = 0; at < sizes[i]; at++) json[at] = (uint8_t)('a' + (at + i) % 23);
        admin_request(file, json, sizes[i]);
        struct otpring_wire_header header;
        assert_true(peer_receive(file, &header, sizeof header));
        assert_int_equal(header.kind, OTPRING_WIRE_ADMIN_ANSWER);
        assert_int_equal(header.tag, sizes[i]);
        uint32_t expected = sizes[i] + 2 > (4 << 20) - 32 ? (4 << 20) - 32 : sizes[i] + 2;
        assert_int_equal(header.size, 32 + expected);
        assert_true(peer_receive(file, answer, expected));
        assert_int_equal(answer[0], '[');
        assert_memory_equal(answer + 1, json, expected - 2);
        assert_int_equal(answer[expected - 1], ']');
    }
    free(json);
    free(answer);
    close(file);
}

static void the_admin_socket_greets_and_refuses_what_is_not_its_own(void **state)
{
    (void)state;
    begin_admin();
    int file = peer_open();
    hello_send(file);
    struct otpring_wire_hello_answer answer = hello_receive(file);
    assert_int_equal(answer.version, 1);
    assert_int_equal(answer.kinds, 1U << OTPRING_WIRE_HELLO | 1U << OTPRING_WIRE_ADMIN | 1U << OTPRING_WIRE_PING);
    ask(file, 1, 0, 1);
    assert_error(file, OTPRING_ERROR_KIND, OTPRING_WIRE_VERIFY);
    file = peer_open();
    admin_request(file, (const uint8_t *)"{}", 2);
    assert_error(file, OTPRING_ERROR_NO_HELLO, OTPRING_WIRE_ADMIN);
    file = peer_open();
    hello_send(file);
    hello_receive(file);
    admin_request(file, (const uint8_t *)"!", 1);
    assert_closed(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_are_answered_with_their_tags),
        TEST(the_hello_answer_tells_the_kinds_this_client_may_send),
        TEST(a_hello_whose_record_takes_time_holds_back_the_frames_behind_it),
        TEST(a_bad_frame_closes_its_sender_and_nobody_else),
        TEST(a_frame_before_hello_is_an_error),
        TEST(errors_that_core_finds_are_told_and_earlier_answers_leave_first),
        TEST(half_a_frame_is_waited_for_and_then_dropped_alone),
        TEST(a_peer_that_says_nothing_is_dropped),
        TEST(a_time_out_is_not_waited_for_as_an_idle_worker_waits),
        TEST(a_peer_that_stops_reading_is_dropped_and_others_go_on),
        TEST(frames_of_4096_items_in_every_slot_come_back_whole),
        TEST(frames_cut_anywhere_come_through),
        TEST(frames_that_core_cannot_take_now_are_offered_again),
        TEST(what_arrived_on_many_connections_goes_into_one_turn),
        TEST(answers_are_coalesced_into_few_sends),
        TEST(connections_past_the_limit_are_told_so),
        TEST(a_stranger_is_told_that_it_has_no_right),
        TEST(a_client_taken_away_by_a_reload_is_closed),
        TEST(an_answer_for_a_peer_that_is_gone_finds_nobody),
        TEST(a_peer_that_ends_its_sending_still_gets_its_answers),
        TEST(a_stop_answers_what_is_in_flight_and_closes_all),
        TEST(pings_are_answered),
        TEST(admin_requests_of_every_size_are_answered),
        TEST(the_admin_socket_greets_and_refuses_what_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
