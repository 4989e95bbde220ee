/* The real os over real Unix sockets: many shots from one submission, buffers that run out, cancelling, other threads'
 * wake-ups. */
#include "helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "os/machine.h"

enum { BUFFERS = 8, BUFFER_SIZE = 1024 };

static int setup(void **state)
{
    *state = fixture_of_uring(0);
    return 0;
}

static int spinning_setup(void **state)
{
    *state = fixture_of_uring(20000000);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static void pair(int files[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files), 0);
}

/* Collects what a multishot receive brings; keeps the buffers while `keep`. */
struct inbox {
    struct os *os;
    uint8_t bytes[65536];
    size_t size;
    uint16_t kept[BUFFERS];
    unsigned kept_count;
    unsigned calls;
    bool keep;
    bool ended;
    int64_t last;
};

static void inbox_done(struct os_op *op, int64_t result)
{
    struct inbox *inbox = op->owner;
    inbox->calls++;
    inbox->last = result;
    inbox->ended = !op->more;
    if (result <= 0) return;
    assert_non_null(op->received);
    memcpy(inbox->bytes + inbox->size, op->received, (size_t)result);
    inbox->size += (size_t)result;
    if (inbox->keep)
        inbox->kept[inbox->kept_count++] = op->buffer_id;
    else
        os_buffer_return(inbox->os, op->buffer_id);
}

static void step_until(struct os *os, const bool *ended)
{
    for (int i = 0; i < 1000 && !*ended; i++) assert_ok(os_step(os, 10000000, NULL));
    assert_true(*ended);
}

static struct os_op receive_of(struct inbox *inbox, int file)
{
    return (struct os_op){.kind = OS_RECEIVE, .file = file, .done = inbox_done, .owner = inbox};
}

static void one_receive_brings_many_messages_and_then_the_end(void **state)
{
    struct fixture *f = *state;
    int files[2];
    pair(files);
    struct inbox *inbox = calloc(1, sizeof *inbox);
    inbox->os = f->os;
    struct os_op receive = receive_of(inbox, files[0]);
    os_submit(f->os, &receive);
    for (int i = 0; i < 3 * BUFFERS; i++) {
        assert_int_equal(write(files[1], "message", 7), 7);
        while (inbox->size < 7u * (unsigned)(i + 1)) assert_ok(os_step(f->os, 1000000000, NULL));
        assert_true(receive.more);
    }
    close(files[1]);
    step_until(f->os, &inbox->ended);
    assert_int_equal(inbox->last, 0);
    assert_false(receive.pending);
    assert_memory_equal(inbox->bytes, "messagemessage", 14);
    close(files[0]);
    free(inbox);
}

static void a_receive_ends_when_buffers_run_out_and_loses_nothing(void **state)
{
    enum { SIZE = 3 * BUFFERS * BUFFER_SIZE };
    struct fixture *f = *state;
    int files[2];
    pair(files);
    uint8_t *sent = malloc(SIZE);
    for (int i = 0; i < SIZE; i++) sent[i] = (uint8_t)(i * 31 + i / 256);
    assert_int_equal(write(files[1], sent, SIZE), SIZE);
    struct inbox *inbox = calloc(1, sizeof *inbox);
    inbox->os = f->os;
    inbox->keep = true;
    struct os_op receive = receive_of(inbox, files[0]);
    unsigned exhausted = 0;
    while (inbox->size < SIZE) {
        inbox->ended = false;
        os_submit(f->os, &receive);
        while (!inbox->ended && inbox->size < SIZE) assert_ok(os_step(f->os, 1000000000, NULL));
        if (!inbox->ended) break;
        assert_int_equal(inbox->last, -ENOBUFS);
        assert_int_equal(inbox->kept_count, BUFFERS);
        exhausted++;
        while (inbox->kept_count) os_buffer_return(f->os, inbox->kept[--inbox->kept_count]);
    }
    assert_true(exhausted >= 2);
    assert_memory_equal(inbox->bytes, sent, SIZE);
    close(files[1]);
    while (!inbox->ended) assert_ok(os_step(f->os, 1000000000, NULL));
    while (inbox->kept_count) os_buffer_return(f->os, inbox->kept[--inbox->kept_count]);
    close(files[0]);
    free(sent);
    free(inbox);
}

static void a_cancelled_receive_ends_and_the_socket_lives_on(void **state)
{
    struct fixture *f = *state;
    int files[2];
    pair(files);
    struct inbox *inbox = calloc(1, sizeof *inbox);
    inbox->os = f->os;
    struct os_op receive = receive_of(inbox, files[0]);
    os_submit(f->os, &receive);
    assert_ok(os_step(f->os, 0, NULL));
    struct os_op cancel = {.kind = OS_CANCEL, .target = &receive};
    assert_int_equal(os_run(f->os, &cancel), 0);
    step_until(f->os, &inbox->ended);
    assert_int_equal(inbox->last, -ECANCELED);
    struct os_op send = {.kind = OS_SEND, .file = files[0], .buffer = "still", .size = 5};
    assert_int_equal(os_run(f->os, &send), 5);
    char back[5];
    assert_int_equal(read(files[1], back, 5), 5);
    close(files[0]);
    close(files[1]);
    free(inbox);
}

static void a_send_is_short_or_waits_when_the_peer_does_not_read(void **state)
{
    enum { SIZE = 8 << 20 };
    struct fixture *f = *state;
    int files[2];
    pair(files);
    uint8_t *bytes = calloc(1, SIZE);
    struct os_op send = {.kind = OS_SEND, .file = files[0], .buffer = bytes, .size = SIZE};
    int64_t first = os_run(f->os, &send);
    assert_in_range(first, 1, SIZE - 1);
    struct seen seen = {0};
    send = (struct os_op){
        .kind = OS_SEND, .file = files[0], .buffer = bytes, .size = SIZE, .done = seen_done, .owner = &seen};
    os_submit(f->os, &send);
    assert_ok(os_step(f->os, 20000000, NULL));
    assert_int_equal(seen.count, 0);
    for (int64_t left = first; left > 0;) {
        ssize_t got = read(files[1], bytes, SIZE);
        assert_true(got > 0);
        left -= got;
    }
    while (!seen.count) assert_ok(os_step(f->os, 1000000000, NULL));
    assert_true(seen.result > 0);
    free(bytes);
    close(files[0]);
    close(files[1]);
}

static void a_send_to_a_closed_peer_fails_without_a_signal(void **state)
{
    struct fixture *f = *state;
    int files[2];
    pair(files);
    close(files[1]);
    struct os_op send = {.kind = OS_SEND, .file = files[0], .buffer = "x", .size = 1};
    assert_int_equal(os_run(f->os, &send), -EPIPE);
    close(files[0]);
}

struct door {
    int sockets[16];
    unsigned count;
    bool more;
    bool ended;
    int64_t last;
};

static void door_done(struct os_op *op, int64_t result)
{
    struct door *door = op->owner;
    door->more = op->more;
    door->ended = !op->more;
    door->last = result;
    if (result >= 0) door->sockets[door->count++] = (int)result;
}

static void one_accept_takes_every_connection_until_cancelled(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(f->path[0]) < sizeof address.sun_path);
    memcpy(address.sun_path, f->path[0], strlen(f->path[0]));
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening, 16), 0);
    struct door door = {0};
    struct os_op accept = {.kind = OS_LISTEN_ACCEPT, .file = listening, .done = door_done, .owner = &door};
    os_submit(f->os, &accept);
    int clients[10];
    for (int i = 0; i < 10; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof address), 0);
    }
    while (door.count < 10) assert_ok(os_step(f->os, 1000000000, NULL));
    assert_true(door.more);
    struct os_op cancel = {.kind = OS_CANCEL, .target = &accept};
    assert_int_equal(os_run(f->os, &cancel), 0);
    step_until(f->os, &door.ended);
    assert_int_equal(door.last, -ECANCELED);
    char byte;
    assert_int_equal(write(door.sockets[3], "x", 1), 1);
    struct os_op shutdown = {.kind = OS_SHUTDOWN, .file = door.sockets[4]};
    assert_int_equal(os_run(f->os, &shutdown), 0);
    assert_int_equal(read(clients[3], &byte, 1), 1);
    assert_int_equal(read(clients[4], &byte, 1), 0);
    for (int i = 0; i < 10; i++) {
        close(clients[i]);
        assert_int_equal(run_file(f->os, OS_CLOSE, door.sockets[i]), 0);
    }
    close(listening);
}

static void *waker(void *context)
{
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
    os_wake(context);
    return NULL;
}

static void another_thread_wakes_a_wait_without_end(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        unsigned completed = 9;
        uint64_t begun = os_monotonic_ns(f->os);
        assert_int_equal(pthread_create(&thread, NULL, waker, f->os), 0);
        assert_ok(os_step(f->os, UINT64_MAX, &completed));
        assert_int_equal(completed, 0);
        assert_true(os_monotonic_ns(f->os) - begun >= 10000000);
        pthread_join(thread, NULL);
    }
}

static void *wake_storm(void *context)
{
    for (int i = 0; i < 20000; i++) os_wake(context);
    return NULL;
}

static void a_storm_of_wake_ups_harms_nothing(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, wake_storm, f->os);
    struct os_op timer = {.kind = OS_TIMER, .timeout_ns = 50000000};
    assert_int_equal(os_run(f->os, &timer), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

static void *destroyer(void *os)
{
    os_destroy(os);
    return NULL;
}

static void *make_and_hand_over(void *ret_os)
{
    struct os_uring_options options = {.entries = 8};
    assert_ok(os_uring_create(&options, ret_os));
    return NULL;
}

static void destroying_another_threads_os_leaves_ones_own_alone(void **state)
{
    struct fixture *f = *state;
    struct os *other;
    pthread_t thread;
    pthread_create(&thread, NULL, make_and_hand_over, &other);
    pthread_join(thread, NULL);
    os_destroy(other);
    struct os_op timer = {.kind = OS_TIMER, .timeout_ns = 1000};
    assert_int_equal(os_run(f->os, &timer), 0);
    struct os_uring_options options = {.entries = 8};
    assert_ok(os_uring_create(&options, &other));
    pthread_create(&thread, NULL, destroyer, other);
    pthread_join(thread, NULL);
    assert_int_equal(os_run(f->os, &timer), 0);
}

/* Half a queue of data-synced writes, seen by a thread that spins: none may wait for a scheduler's tick on average. */
static void synced_writes_complete_while_spinning(void **state)
{
    enum { WRITES = 50 };
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OS_OPEN_WRITE | OS_OPEN_CREATE | OS_OPEN_DIRECT);
    for (int i = 0; i < WRITES; i++) {
        int64_t wrote =
            run_bytes(f->os, OS_WRITE_DSYNC, file, block_of((uint8_t)i), OS_BLOCK_SIZE, (uint64_t)i * OS_BLOCK_SIZE);
        assert_int_equal(wrote, OS_BLOCK_SIZE);
    }
    uint64_t begun = os_monotonic_ns(f->os);
    for (int i = 0; i < WRITES; i++)
        run_bytes(f->os, OS_WRITE_DSYNC, file, block_of(0), OS_BLOCK_SIZE, (uint64_t)i * OS_BLOCK_SIZE);
    print_message("a data-synced write while spinning: %llu us\n",
                  (unsigned long long)(os_monotonic_ns(f->os) - begun) / WRITES / 1000);
    run_file(f->os, OS_CLOSE, file);
}

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void the_clocks_are_the_machines(void **state)
{
    struct fixture *f = *state;
    uint64_t wall_ms = clock_ms(CLOCK_REALTIME), boot_ms = clock_ms(CLOCK_BOOTTIME);
    struct os_time now = os_time(f->os);
    assert_in_range(now.wall_ms, wall_ms, clock_ms(CLOCK_REALTIME));
    assert_in_range(now.boot_ms, boot_ms, clock_ms(CLOCK_BOOTTIME));
}

/* Where the folder's file system keeps files in memory alone there is nothing to wait for. */
static void a_page_that_comes_from_the_disk_is_a_wait(void **state)
{
    enum { SIZE = 1 << 20 };
    struct fixture *f = *state;
    int file = open(f->path[0], O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    uint8_t *bytes = calloc(1, SIZE);
    assert_int_equal(write(file, bytes, SIZE), SIZE);
    assert_int_equal(fsync(file), 0);
    assert_int_equal(posix_fadvise(file, 0, SIZE, POSIX_FADV_DONTNEED), 0);
    uint8_t *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, file, 0);
    assert_true(map != MAP_FAILED);
    unsigned char there;
    assert_int_equal(mincore(map, 1, &there), 0);
    uint64_t before = machine_disk_waits();
    bytes[0] = *(volatile uint8_t *)map;
    uint64_t waits = machine_disk_waits() - before;
    munmap(map, SIZE);
    close(file);
    unlink(f->path[0]);
    free(bytes);
    if (there & 1) skip();
    assert_true(waits > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_receive_brings_many_messages_and_then_the_end),
        TEST(a_receive_ends_when_buffers_run_out_and_loses_nothing),
        TEST(a_cancelled_receive_ends_and_the_socket_lives_on),
        TEST(a_send_is_short_or_waits_when_the_peer_does_not_read),
        TEST(a_send_to_a_closed_peer_fails_without_a_signal),
        TEST(one_accept_takes_every_connection_until_cancelled),
        TEST(another_thread_wakes_a_wait_without_end),
        cmocka_unit_test_setup_teardown(another_thread_wakes_a_wait_without_end, spinning_setup, teardown),
        TEST(a_storm_of_wake_ups_harms_nothing),
        TEST(destroying_another_threads_os_leaves_ones_own_alone),
        cmocka_unit_test_setup_teardown(synced_writes_complete_while_spinning, spinning_setup, teardown),
        TEST(the_clocks_are_the_machines),
        TEST(a_page_that_comes_from_the_disk_is_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
