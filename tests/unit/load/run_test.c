/* What times a load takes down, where it is slow itself: its kernel sleeps before it hashes, reading before it reads.
 */
#include "helpers.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "otpring-load/replay.h"
#include "otpring-load/run.h"

#define NS_PER_MS UINT64_C(1000000)

static const struct kernel *real;
static unsigned sleep_ms;
static volatile sig_atomic_t stop;
static unsigned stop_after; /* so many calls of the kernel; 0: never */

static void slow_steps(const void *const midstates[], const uint64_t counters[], uint32_t ret_truncated[], size_t count)
{
    if (count) usleep(sleep_ms * 1000);
    if (stop_after && --stop_after == 0) stop = 1;
    real->steps[KERNEL_SHA1](midstates, counters, ret_truncated, count);
}

static const struct kernel slow_kernel = {.name = "slow", .steps = {slow_steps, slow_steps, slow_steps}};

static atomic_uint read_ms;
static ssize_t (*real_recv)(int, void *, size_t, int);

/* In place of the C library's. The load does not wait for what it reads, as the fake daemon does. */
ssize_t recv(int fd, void *to, size_t size, int flags)
{
    if (read_ms && flags == MSG_DONTWAIT && real_recv(fd, to, 1, MSG_DONTWAIT | MSG_PEEK) > 0) usleep(read_ms * 1000);
    return real_recv(fd, to, size, flags);
}

struct world {
    struct fake_daemon *daemon;
    struct load_options options;
    struct accounts accounts;
    struct run_result *result;
    char path[128];
    uint64_t start_ns;
};

/* One query a frame, one account a connection: each frame wants the code of the one before it hashed. */
static void begin(struct world *world, enum fake_manner manner, uint32_t connections, unsigned kernel_ms)
{
    *world = (struct world){.daemon = fake_daemon_start(manner), .result = calloc(1, sizeof *world->result)};
    load_options_default(&world->options);
    world->options.accounts = world->options.connections = connections;
    world->options.batch = 1;
    world->options.in_flight = 1;
    world->options.warmup_s = 0.1;
    world->options.seconds = 0.5;
    assert_true(load_mix_parse("right:1", world->options.mix));
    assert_false(result_failed(kernel_choose(NULL, &real)));
    assert_int_equal(accounts_create(&world->options, &world->accounts), 0);
    snprintf(world->path, sizeof world->path, "%s/verify.sock", fake_daemon_store(world->daemon));
    sleep_ms = kernel_ms;
    stop = 0;
    stop_after = 0;
}

static void run(struct world *world)
{
    struct link_kept *kept = calloc(world->options.connections, sizeof *kept);
    pthread_barrier_t ready;
    pthread_barrier_init(&ready, NULL, 1);
    run_thread(&(struct run){.options = &world->options,
                             .accounts = &world->accounts,
                             .kernel = &slow_kernel,
                             .path = world->path,
                             .kept = kept,
                             .stop = &stop,
                             .ready = &ready,
                             .start_ns = &world->start_ns,
                             .result = world->result});
    pthread_barrier_destroy(&ready);
    for (uint32_t i = 0; i < world->options.connections; i++) link_forget(&kept[i]);
    free(kept);
    assert_string_equal(world->result->error, "");
    assert_int_equal(world->result->unanswered, 0);
    assert_int_equal(world->result->unexpected, 0);
}

static void end(struct world *world)
{
    accounts_destroy(&world->accounts);
    free(world->result);
    fake_daemon_stop(world->daemon);
}

static void an_answer_is_late_until_it_was_read(void **state)
{
    (void)state;
    struct world world;
    begin(&world, FAKE_FAST, 4, 0);
    /* Far apart: a load that takes no time down waits too long for the next frame, and so counts it after all. */
    world.options.rate = 40;
    read_ms = 3;
    run(&world);
    read_ms = 0;
    assert_true(world.result->latency.values >= 19);
    assert_true(histogram_at(&world.result->latency, 0) >= 3 * NS_PER_MS);
    end(&world);
}

/* Five hundred frames are due in the measured time, however few of them could be sent. */
static void what_was_due_and_not_sent_counts_with_the_time_that_it_had_waited(void **state)
{
    (void)state;
    static const unsigned kernel_ms[] = {3, 20};
    for (size_t i = 0; i < sizeof kernel_ms / sizeof *kernel_ms; i++) {
        struct world world;
        begin(&world, FAKE_FAST, 1, kernel_ms[i]);
        world.options.rate = 1000;
        run(&world);
        const struct run_result *result = world.result;
        assert_int_equal(result->latency.values, 500);
        assert_int_equal(result->latency.total, 500);
        /* At most 200 and 30 could be sent, of which 100 are of before. */
        assert_true(result->unsent >= (i ? 500 : 400));
        assert_true(result->unsent + result->answered >= 500);
        assert_true(result->latency.max >= (i ? 495 : 300) * NS_PER_MS);
        assert_true(histogram_at(&result->latency, 0.5) >= 150 * NS_PER_MS);
        /* The last of them had only just been due. */
        assert_true(histogram_at(&result->latency, 0.01) <= (i ? 10 : 500) * NS_PER_MS);
        assert_false(result->limited);
        end(&world);
    }
}

static void the_last_frame_before_the_end_has_waited_a_moment_only(void **state)
{
    (void)state;
    struct world world;
    begin(&world, FAKE_FAST, 1, 1000);
    world.options.rate = 100;
    world.options.warmup_s = 0.104;
    run(&world);
    /* Due at 110 ms, 120 ms, ... 600 ms: waited for 494, 484, ... 4 ms at the end, 604 ms. */
    assert_int_equal(world.result->unsent, 50);
    assert_int_equal(world.result->latency.values, 50);
    assert_int_equal(world.result->latency.max, 494 * NS_PER_MS);
    assert_in_range(histogram_at(&world.result->latency, 0), 4 * NS_PER_MS, 4 * NS_PER_MS * 101 / 100);
    end(&world);
}

static void of_an_interrupted_run_frames_are_counted_until_it_was_interrupted(void **state)
{
    (void)state;
    struct world world;
    begin(&world, FAKE_FAST, 1, 20);
    world.options.rate = 1000;
    world.options.warmup_s = 0;
    world.options.seconds = 60;
    uint64_t begun_ns = run_now_ns();
    stop_after = 25;
    run(&world);
    uint64_t took_ms = (run_now_ns() - begun_ns) / NS_PER_MS;
    assert_in_range(world.result->latency.values, 100, took_ms + 1);
    assert_true(world.result->unsent >= 50 && world.result->unsent < world.result->latency.values);
    assert_true(world.result->latency.max <= took_ms * NS_PER_MS);
    end(&world);
}

/* Codes for the second request are made while the answer to the first is on its way. */
static void of_recorded_traffic_too(void **state)
{
    (void)state;
    enum { FRAMES = 40, ACCOUNTS = 20 };
    struct world world;
    struct traffic_item items[FRAMES];
    struct traffic_frame frames[FRAMES];
    for (uint32_t i = 0; i < FRAMES; i++) {
        items[i] = (struct traffic_item){.account = i % ACCOUNTS, .kind = TRAFFIC_RIGHT, .verdict = OTPRING_ACCEPTED};
        frames[i] = (struct traffic_frame){.time_ms = i, .first = i, .count = 1};
    }
    struct traffic traffic = {.items = items,
                              .item_count = FRAMES,
                              .frames = frames,
                              .frame_count = FRAMES,
                              .account_count = ACCOUNTS,
                              .greatest_frame = 1};
    begin(&world, FAKE_SLOW, ACCOUNTS, 2 * FAKE_SLOW_MS);
    world.options.connections = 1;
    world.options.in_flight = 4;
    world.options.speed = 0;
    struct replay_result *result = calloc(1, sizeof *result);
    replay_run(&(struct replay){.options = &world.options,
                                .accounts = &world.accounts,
                                .traffic = &traffic,
                                .kernel = &slow_kernel,
                                .path = world.path,
                                .stop = &stop},
               result);
    assert_string_equal(result->error, "");
    assert_int_equal(result->same, FRAMES);
    assert_int_equal(result->latency.values, FRAMES);
    /* Its own code and the daemon's time. */
    assert_true(histogram_at(&result->latency, 0) >= 3 * FAKE_SLOW_MS * NS_PER_MS);
    free(result);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_late_until_it_was_read),
        cmocka_unit_test(what_was_due_and_not_sent_counts_with_the_time_that_it_had_waited),
        cmocka_unit_test(the_last_frame_before_the_end_has_waited_a_moment_only),
        cmocka_unit_test(of_an_interrupted_run_frames_are_counted_until_it_was_interrupted),
        cmocka_unit_test(of_recorded_traffic_too),
    };
    *(void **)&real_recv = dlsym(RTLD_NEXT, "recv");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
