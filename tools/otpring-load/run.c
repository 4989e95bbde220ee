#include "run.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "otpring/wire.h"
#include "plan.h"

enum {
    EVENTS_MAX = 64,
    DRAIN_S = 10,
    WAIT_MAX_NS = 10 * 1000 * 1000, /* so that Ctrl-C, new seconds and reconnects are looked after */
};

/* A frame in flight, by its slot: a cache line each. */
struct flight {
    _Alignas(64) uint64_t due_ns;
    uint32_t number; /* the plan's count when it was made; 0: no frame */
    uint32_t count;
    uint32_t expected[OTPRING_UNAVAILABLE + 1]; /* how many of each verdict */
};

struct connection {
    struct loop *loop;
    struct link link;
    struct link_kept *kept;
    struct plan plan;
    struct flight *flights; /* in_flight of them */
    struct plan_item *items;
    uint8_t *expected; /* the verdicts, beside items */
    uint32_t flying;
    uint32_t made;        /* items, when it was served last */
    uint64_t next_due_ns; /* open loop */
    int watched_fd;       /* in the epoll set; -1: none */
    uint32_t watched_events;
};

struct loop {
    const struct run *run;
    struct room room; /* all that connections have */
    struct connection *connections;
    uint32_t count;
    struct plan_jobs *jobs;
    int epoll;
    uint64_t measure_ns; /* begin and end of the measured time */
    uint64_t end_ns;
    uint64_t interval_ns; /* open loop: between the frames of one connection */
    uint64_t ended_ns;    /* when nothing more was sent: end_ns, or before */
    uint64_t now_ns;
    uint64_t look_ns; /* when every connection is looked after, whatever epoll says */
    double cpu_s;     /* this thread's, when the measured time began */
    bool measuring;
    bool reading; /* answers that are read come after now_ns */
};

uint64_t run_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t unix_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void fail(struct loop *loop, const char *what, const char *why)
{
    struct run_result *result = loop->run->result;
    if (!result->error[0]) snprintf(result->error, sizeof result->error, "%s: %s", what, why);
}

static bool failed(const struct loop *loop)
{
    return loop->run->result->error[0] != 0;
}

static double thread_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static bool prepare_connection(struct loop *loop, struct connection *connection, uint32_t number)
{
    const struct load_options *options = loop->run->options;
    size_t items = (size_t)options->in_flight * options->batch;
    connection->loop = loop;
    connection->watched_fd = -1;
    connection->flights = room_take(&loop->room, options->in_flight, sizeof *connection->flights);
    connection->items = room_take(&loop->room, items, sizeof *connection->items);
    connection->expected = room_take(&loop->room, items, 1);
    if (!connection->flights || !connection->items || !connection->expected ||
        plan_create(&connection->plan, loop->run->accounts, loop->run->kernel, options, loop->jobs, number,
                    &loop->room)) {
        fail(loop, "otpring-load", "not enough memory");
        return false;
    }
    return true;
}

static bool open_connection(struct loop *loop, struct connection *connection, uint32_t number)
{
    const struct load_options *options = loop->run->options;
    connection->kept = &loop->run->kept[number];
    if (link_open(&connection->link, loop->run->path, options->in_flight, options->batch, connection->kept,
                  &loop->room) == 0)
        return true;
    fail(loop, "verify.sock", connection->link.error);
    return false;
}

static bool open_loop(struct loop *loop)
{
    const struct load_options *options = loop->run->options;
    loop->count = (options->connections - loop->run->thread + options->threads - 1) / options->threads;
    loop->connections = room_take(&loop->room, loop->count, sizeof *loop->connections);
    loop->jobs = jobs_create();
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (options->rate > 0) loop->interval_ns = (uint64_t)(1e9 * options->batch * options->connections / options->rate);
    if (!loop->connections || !loop->jobs || loop->epoll < 0) {
        fail(loop, "otpring-load", "not enough memory");
        return false;
    }
    /* All plans before the first session is asked for: those of many accounts take seconds, in which a session would
     * idle away. */
    uint32_t first = loop->run->thread, step = options->threads;
    for (uint32_t i = 0; i < loop->count; i++)
        if (!prepare_connection(loop, &loop->connections[i], first + i * step)) return false;
    for (uint32_t i = 0; i < loop->count; i++)
        if (!open_connection(loop, &loop->connections[i], first + i * step)) return false;
    return true;
}

static void close_loop(struct loop *loop)
{
    bool settled = !failed(loop) && !loop->run->result->unanswered;
    for (uint32_t i = 0; loop->connections && i < loop->count; i++) {
        struct connection *connection = &loop->connections[i];
        if (settled) plan_save(&connection->plan);
        if (connection->kept) link_close(&connection->link, connection->kept);
        plan_destroy(&connection->plan);
    }
    if (loop->epoll >= 0) close(loop->epoll);
    room_free(&loop->room);
    jobs_destroy(loop->jobs);
}

/* Every thread's accounts are made before the time begins. */
static void set_times(struct loop *loop)
{
    const struct load_options *options = loop->run->options;
    pthread_barrier_wait(loop->run->ready);
    if (loop->run->thread == 0) *loop->run->start_ns = run_now_ns();
    pthread_barrier_wait(loop->run->ready);
    loop->measure_ns = *loop->run->start_ns + (uint64_t)(options->warmup_s * 1e9);
    loop->end_ns = loop->measure_ns + (uint64_t)(options->seconds * 1e9);
    for (uint32_t i = 0; i < loop->count; i++) {
        uint64_t number = loop->run->thread + (uint64_t)i * options->threads;
        loop->connections[i].next_due_ns = *loop->run->start_ns + loop->interval_ns * number / options->connections;
    }
}

/* The processor time of the measured time alone. */
static void note_time(struct loop *loop)
{
    loop->now_ns = run_now_ns();
    loop->reading = false;
    bool measuring = loop->now_ns >= loop->measure_ns && loop->now_ns < loop->end_ns;
    if (measuring == loop->measuring) return;
    loop->measuring = measuring;
    if (measuring) {
        loop->cpu_s = thread_cpu_s();
    } else {
        loop->run->result->cpu_s = thread_cpu_s() - loop->cpu_s;
    }
}

static bool measured(const struct loop *loop, uint64_t due_ns)
{
    return due_ns >= loop->measure_ns && due_ns < loop->end_ns;
}

static void note_unexpected(struct run_result *result, const struct plan *plan, const struct plan_item *item,
                            unsigned expected, const struct otpring_wire_answer *answer)
{
    result->unexpected++;
    if (result->shown_count == UNEXPECTED_SHOWN) return;
    result->shown[result->shown_count++] = (struct unexpected){
        .account = plan->order[item->place],
        .step = item->step,
        .kind = item->kind,
        .expected = (uint8_t)expected,
        .verdict = answer->verdict,
        .reason = answer->reason,
        .record = le64toh(answer->record),
    };
}

/* The model needs to know which frames can still be on their way, but only after something was UNAVAILABLE. */
static void note_answered(const struct loop *loop, struct connection *connection)
{
    uint32_t oldest = connection->plan.frames_sent + 1;
    for (uint32_t i = 0; i < loop->run->options->in_flight; i++) {
        uint32_t number = connection->flights[i].number;
        if (number && (int32_t)(number - oldest) < 0) oldest = number;
    }
    connection->plan.frames_answered = oldest - 1;
}

/* Whether every verdict is the one expected, without a look at anything else. */
static bool all_expected(const struct otpring_wire_answer *answers, const uint8_t *expected, uint32_t count)
{
    unsigned different = 0;
    for (uint32_t i = 0; i < count; i++) different |= answers[i].verdict ^ expected[i];
    return !different;
}

/* One by one, where something is not as expected or nothing certain was. Gives how many were as expected. */
static uint32_t judge_each(struct connection *connection, uint32_t slot, const struct otpring_wire_answer *answers,
                           uint32_t count, uint32_t verdicts[OTPRING_UNAVAILABLE + 1])
{
    struct run_result *result = connection->loop->run->result;
    size_t first = (size_t)slot * connection->loop->run->options->batch;
    uint32_t as_expected = 0;
    memset(verdicts, 0, (OTPRING_UNAVAILABLE + 1) * sizeof *verdicts);
    for (uint32_t i = 0; i < count; i++) {
        const struct plan_item *item = &connection->items[first + i];
        unsigned expected = connection->expected[first + i], verdict = answers[i].verdict;
        enum plan_judgment judgment = plan_answered(&connection->plan, item, expected, verdict);
        verdicts[verdict <= OTPRING_UNAVAILABLE ? verdict : 0]++;
        as_expected += judgment == PLAN_EXPECTED;
        if (judgment == PLAN_UNEXPECTED) note_unexpected(result, &connection->plan, item, expected, &answers[i]);
    }
    return as_expected;
}

static void take_answers(void *context, uint32_t slot, const struct otpring_wire_answer *answers, uint32_t count)
{
    struct connection *connection = context;
    struct loop *loop = connection->loop;
    struct run_result *result = loop->run->result;
    struct flight *flight = &connection->flights[slot];
    uint32_t counted[OTPRING_UNAVAILABLE + 1], as_expected = count;
    const uint8_t *expected = connection->expected + (size_t)slot * loop->run->options->batch;
    if (loop->reading) note_time(loop);
    bool foreseen = !connection->plan.in_doubt && all_expected(answers, expected, count);
    if (!foreseen) as_expected = judge_each(connection, slot, answers, count, counted);
    if (loop->now_ns >= loop->measure_ns && loop->now_ns < loop->end_ns) {
        const uint32_t *verdicts = foreseen ? flight->expected : counted;
        if (foreseen && count == 1) {
            result->verdicts[*expected]++;
        } else {
            for (int i = 0; i <= OTPRING_UNAVAILABLE; i++) result->verdicts[i] += verdicts[i];
        }
        result->expected += as_expected;
    }
    result->answered += count;
    if (measured(loop, flight->due_ns)) {
        histogram_add(&result->latency, loop->now_ns > flight->due_ns ? loop->now_ns - flight->due_ns : 0, count);
    }
    flight->number = 0;
    connection->flying--;
    if (connection->plan.in_doubt) note_answered(loop, connection);
}

/* What a frame lacks is not asked for later. */
static void note_lack(struct loop *loop, const struct connection *connection, uint64_t due_ns, uint32_t count)
{
    struct run_result *result = loop->run->result;
    uint32_t batch = loop->run->options->batch;
    if (count == batch || !measured(loop, due_ns)) return;
    if (connection->plan.passed_over) result->limited = true;
    if (loop->interval_ns && count) result->unsent += batch - count;
}

/* False: nothing is to be sent, for want of accounts. */
static bool make_one(struct loop *loop, struct connection *connection, uint64_t due_ns)
{
    uint32_t slot, batch = loop->run->options->batch;
    uint64_t unix_ms = loop->run->options->totp ? unix_now_ms() : 0;
    struct otpring_wire_query *queries = link_begin(&connection->link, &slot);
    if (!queries) return false;
    struct flight *flight = &connection->flights[slot];
    size_t first = (size_t)slot * batch;
    *flight = (struct flight){.due_ns = due_ns};
    uint32_t count = plan_fill(&connection->plan, unix_ms, batch,
                               &(struct plan_batch){.queries = queries,
                                                    .items = connection->items + first,
                                                    .expected = connection->expected + first,
                                                    .verdicts = flight->expected});
    note_lack(loop, connection, due_ns, count);
    if (!count) return false;
    flight->number = connection->plan.frames_sent;
    flight->count = count;
    link_queue(&connection->link, count);
    connection->flying++;
    connection->made += count;
    return true;
}

static void make_due(struct loop *loop, struct connection *connection)
{
    while (!*loop->run->stop && loop->now_ns < loop->end_ns) {
        if (loop->interval_ns && connection->next_due_ns > loop->now_ns) return;
        if (!make_one(loop, connection, loop->interval_ns ? connection->next_due_ns : loop->now_ns)) return;
        connection->next_due_ns += loop->interval_ns;
    }
}

static void watch(struct loop *loop, struct connection *connection)
{
    int fd = connection->link.fd;
    uint32_t events = EPOLLIN | (connection->link.blocked ? (uint32_t)EPOLLOUT : 0);
    if (fd == connection->watched_fd && events == connection->watched_events) return;
    struct epoll_event event = {.events = events, .data.ptr = connection};
    /* A closed descriptor has left the set by itself; one of the same number may have come in its place. */
    if (fd >= 0 && epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT &&
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail(loop, "epoll_ctl", strerror(errno));
    }
    connection->watched_fd = fd;
    connection->watched_events = events;
}

/* Before another one is served: the system calls for that one take longer than memory does. */
static void expect(const struct connection *connection)
{
    plan_expect(&connection->plan, connection->made);
}

/* Reads what has come; the time is taken when the first answer is there, since others' frames were filled after it was
 * taken last. False: nothing more now. */
static bool receive(struct loop *loop, struct connection *connection)
{
    loop->reading = true;
    return link_receive(&connection->link, take_answers, connection);
}

/* Takes what has come, then makes and sends what is due. */
static void serve(struct loop *loop, struct connection *connection)
{
    struct link *link = &connection->link;
    bool lost = link->fd < 0;
    if (lost) {
        link_again(link, loop->now_ns);
        connection->watched_fd = -1;
    }
    while (receive(loop, connection)) continue;
    connection->made = 0;
    if (link->fd >= 0) make_due(loop, connection);
    link_send(link);
    if (link->error[0]) fail(loop, "verify.sock", link->error);
    watch(loop, connection);
}

static uint64_t wait_ns(const struct loop *loop)
{
    uint64_t wait_ns = WAIT_MAX_NS;
    if (loop->now_ns < loop->end_ns && loop->end_ns - loop->now_ns < wait_ns) wait_ns = loop->end_ns - loop->now_ns;
    for (uint32_t i = 0; loop->interval_ns && loop->now_ns < loop->end_ns && i < loop->count; i++) {
        const struct connection *connection = &loop->connections[i];
        if (connection->flying == loop->run->options->in_flight) continue;
        uint64_t due = connection->next_due_ns;
        if (due <= loop->now_ns) return 0;
        if (due - loop->now_ns < wait_ns) wait_ns = due - loop->now_ns;
    }
    return wait_ns;
}

static uint32_t still_flying(const struct loop *loop)
{
    uint32_t flying = 0;
    for (uint32_t i = 0; i < loop->count; i++) flying += loop->connections[i].flying;
    return flying;
}

static void loop_once(struct loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {.tv_nsec = (long)wait_ns(loop)};
    int count = epoll_pwait2(loop->epoll, events, EVENTS_MAX, &wait, NULL);
    note_time(loop);
    for (int i = 0; i < count && !failed(loop); i++) {
        if (i + 1 < count) expect(events[i + 1].data.ptr);
        serve(loop, events[i].data.ptr);
    }
    bool look = loop->now_ns >= loop->look_ns;
    if (!look && !loop->interval_ns) return;
    if (look) loop->look_ns = loop->now_ns + WAIT_MAX_NS;
    for (uint32_t i = 0; i < loop->count && !failed(loop); i++) {
        struct connection *connection = &loop->connections[i];
        bool due = loop->interval_ns && connection->next_due_ns <= loop->now_ns &&
                   connection->flying < loop->run->options->in_flight;
        if (due || look) serve(loop, connection);
    }
}

/* Frames that were due and not sent: the longest waits of all, or there would be none. */
static void count_unsent(struct loop *loop, const struct connection *connection)
{
    struct run_result *result = loop->run->result;
    uint64_t due_ns = connection->next_due_ns, interval_ns = loop->interval_ns, batch = loop->run->options->batch;
    if (due_ns < loop->measure_ns) due_ns += (loop->measure_ns - due_ns + interval_ns - 1) / interval_ns * interval_ns;
    if (due_ns >= loop->ended_ns) return;
    uint64_t frames = (loop->ended_ns - 1 - due_ns) / interval_ns + 1;
    uint64_t least_ns = loop->ended_ns - due_ns - (frames - 1) * interval_ns;
    histogram_add_spaced(&result->latency, least_ns, interval_ns, frames, batch);
    result->unsent += frames * batch;
}

static void count_rest(struct loop *loop)
{
    struct run_result *result = loop->run->result;
    for (uint32_t i = 0; i < loop->count; i++) {
        const struct connection *connection = &loop->connections[i];
        for (uint32_t slot = 0; slot < loop->run->options->in_flight; slot++) {
            if (connection->flights[slot].number) result->unanswered += connection->flights[slot].count;
        }
        if (loop->interval_ns) count_unsent(loop, connection);
    }
}

void run_thread(const struct run *run)
{
    struct loop loop = {.run = run, .epoll = -1};
    /* An open loop sends at its times, not when the kernel finds it convenient. */
    prctl(PR_SET_TIMERSLACK, 1);
    bool opened = open_loop(&loop);
    set_times(&loop);
    if (opened) {
        note_time(&loop);
        for (uint32_t i = 0; i < loop.count && !failed(&loop); i++) serve(&loop, &loop.connections[i]);
        while (loop.now_ns < loop.end_ns && !*run->stop && !failed(&loop)) loop_once(&loop);
        loop.ended_ns = loop.now_ns < loop.end_ns ? loop.now_ns : loop.end_ns;
        uint64_t give_up_ns = run_now_ns() + DRAIN_S * UINT64_C(1000000000);
        while (still_flying(&loop) && loop.now_ns < give_up_ns && !failed(&loop)) loop_once(&loop);
        if (loop.measuring) loop.run->result->cpu_s = thread_cpu_s() - loop.cpu_s;
        count_rest(&loop);
    }
    close_loop(&loop);
}
