/* A worker on a real ring and real sockets, before a core that answers as the test wants. Static: each test is a
 * program of its own. */
#ifndef TESTS_SERVER_WORKER_FIXTURE_H
#define TESTS_SERVER_WORKER_FIXTURE_H

#include <errno.h>
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
#include "server/worker.h"

#define MAYBE_UNUSED __attribute__((unused))

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

static MAYBE_UNUSED int peer_greeted(void)
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

static MAYBE_UNUSED void assert_serves(int file, uint64_t tag)
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

static MAYBE_UNUSED void wait_until_connections(uint64_t wanted)
{
    uint64_t until = now_ms() + 5000;
    while (counts().connections != wanted && now_ms() < until) usleep(1000);
    assert_int_equal(counts().connections, wanted);
}

/* The worker looks at its sockets before it offers again what core did not take. */
static MAYBE_UNUSED void wait_until_offered(unsigned more)
{
    unsigned wanted = fake.offered + more;
    uint64_t until = now_ms() + 5000;
    while (fake.offered < wanted && now_ms() < until) usleep(1000);
    assert_true(fake.offered >= wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
