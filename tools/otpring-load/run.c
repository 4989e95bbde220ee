#include "run.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "otpring/client.h"
#include "otpring/wire.h"
#include "plan.h"

enum {
    EVENTS_MAX = 64,
    DRAIN_S = 10,
    WAIT_MAX_NS = 10 * 1000 * 1000, /* so that Ctrl-C, new seconds and reconnects are looked after */
};

/* A frame in flight, by its slot. */
struct flight {
    uint64_t due_ns;
    uint32_t number; /* the plan's count when it was made; 0: no frame */
    uint32_t count;
    struct plan_item *items;
};

struct connection {
    struct otpring_client *client;
    struct plan plan;
    struct flight *flights; /* in_flight of them, by the slot in the ticket */
    uint32_t flying;
    uint64_t next_due_ns; /* open loop */
    int watched_fd;       /* in the epoll set; -1: none */
    uint32_t watched_events;
};

struct loop {
    const struct run *run;
    struct connection *connections;
    uint32_t count;
    struct plan_item *items;
    struct otpring_wire_query *queries; /* one frame under construction */
    struct plan_item *made;
    int epoll;
    uint64_t measure_ns; /* begin and end of the measured time */
    uint64_t end_ns;
    uint64_t interval_ns; /* open loop: between the frames of one connection */
    uint64_t now_ns;
    uint64_t look_ns; /* when every connection is looked after, whatever epoll says */
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

static bool open_connection(struct loop *loop, struct connection *connection, uint32_t number)
{
    const struct load_options *options = loop->run->options;
    char path[128]; /* longer ones fit no socket address */
    snprintf(path, sizeof path, "%s/verify.sock", loop->run->store);
    struct otpring_options wished = {
        .socket_path = path, .slots = options->in_flight, .items_max = options->batch, .timeout_ms = 30000};
    connection->watched_fd = -1;
    int error = otpring_open(&wished, &connection->client);
    if (error) {
        fail(loop, path, otpring_error_text(error));
        return false;
    }
    connection->flights = calloc(options->in_flight, sizeof *connection->flights);
    if (!connection->flights ||
        plan_create(&connection->plan, loop->run->accounts, loop->run->kernel, options, number)) {
        fail(loop, "otpring-load", "not enough memory");
        return false;
    }
    size_t items = (size_t)options->in_flight * options->batch;
    struct plan_item *own = loop->items + (size_t)(number / options->threads) * items;
    for (uint32_t i = 0; i < options->in_flight; i++) connection->flights[i].items = own + (size_t)i * options->batch;
    connection->next_due_ns = loop->run->start_ns + loop->interval_ns * number / options->connections;
    return true;
}

static bool open_loop(struct loop *loop)
{
    const struct load_options *options = loop->run->options;
    loop->count = (options->connections - loop->run->thread + options->threads - 1) / options->threads;
    loop->connections = calloc(loop->count, sizeof *loop->connections);
    loop->items = calloc((size_t)loop->count * options->in_flight * options->batch, sizeof *loop->items);
    loop->queries = calloc(options->batch, sizeof *loop->queries);
    loop->made = calloc(options->batch, sizeof *loop->made);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->measure_ns = loop->run->start_ns + (uint64_t)(options->warmup_s * 1e9);
    loop->end_ns = loop->measure_ns + (uint64_t)(options->seconds * 1e9);
    if (options->rate > 0) loop->interval_ns = (uint64_t)(1e9 * options->batch * options->connections / options->rate);
    if (!loop->connections || !loop->items || !loop->queries || !loop->made || loop->epoll < 0) {
        fail(loop, "otpring-load", "not enough memory");
        return false;
    }
    for (uint32_t i = 0; i < loop->count; i++) {
        uint32_t number = loop->run->thread + i * options->threads;
        if (!open_connection(loop, &loop->connections[i], number)) return false;
    }
    return true;
}

static void close_loop(struct loop *loop)
{
    for (uint32_t i = 0; loop->connections && i < loop->count; i++) {
        otpring_close(loop->connections[i].client);
        plan_destroy(&loop->connections[i].plan);
        free(loop->connections[i].flights);
    }
    if (loop->epoll >= 0) close(loop->epoll);
    free(loop->connections);
    free(loop->items);
    free(loop->queries);
    free(loop->made);
}

static void note_unexpected(struct run_result *result, const struct plan *plan, const struct plan_item *item,
                            const struct otpring_wire_answer *answer)
{
    result->unexpected++;
    if (result->shown_count == UNEXPECTED_SHOWN) return;
    result->shown[result->shown_count++] = (struct unexpected){
        .account = plan->order[item->place],
        .step = item->step,
        .kind = item->kind,
        .expected = item->expected,
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

static void take_answers(struct loop *loop, struct connection *connection, int64_t ticket,
                         const struct otpring_wire_answer *answers, size_t count)
{
    struct run_result *result = loop->run->result;
    struct flight *flight = &connection->flights[ticket & (OTPRING_WIRE_SLOTS_MAX - 1)];
    uint64_t verdicts[OTPRING_UNAVAILABLE + 1] = {0}, expected = 0;
    for (size_t i = 0; i < count; i++) {
        const struct otpring_wire_answer *answer = &answers[i];
        verdicts[answer->verdict]++;
        enum plan_judgment judgment = plan_answered(&connection->plan, &flight->items[i], answer->verdict);
        if (judgment == PLAN_EXPECTED) expected++;
        if (judgment == PLAN_UNEXPECTED) note_unexpected(result, &connection->plan, &flight->items[i], answer);
    }
    loop->now_ns = run_now_ns();
    if (loop->now_ns >= loop->measure_ns && loop->now_ns < loop->end_ns) {
        for (int i = 0; i <= OTPRING_UNAVAILABLE; i++) result->verdicts[i] += verdicts[i];
        result->expected += expected;
    }
    if (flight->due_ns >= loop->measure_ns && flight->due_ns < loop->end_ns) {
        histogram_add(&result->latency, loop->now_ns > flight->due_ns ? loop->now_ns - flight->due_ns : 0, count);
    }
    flight->number = 0;
    connection->flying--;
    if (connection->plan.in_doubt) note_answered(loop, connection);
}

/* False: nothing was sent, for want of accounts or after a failure. */
static bool send_one(struct loop *loop, struct connection *connection, uint64_t due_ns)
{
    uint64_t unix_ms = loop->run->options->totp ? unix_now_ms() : 0;
    uint32_t count = plan_fill(&connection->plan, unix_ms, loop->run->options->batch, loop->queries, loop->made);
    if (!count) return false;
    int64_t ticket = otpring_submit_wire(connection->client, loop->queries, count);
    if (ticket < 0) {
        fail(loop, "submit", otpring_last_error(connection->client));
        return false;
    }
    struct flight *flight = &connection->flights[ticket & (OTPRING_WIRE_SLOTS_MAX - 1)];
    memcpy(flight->items, loop->made, count * sizeof *flight->items);
    flight->due_ns = due_ns;
    flight->number = connection->plan.frames_sent;
    flight->count = count;
    connection->flying++;
    return true;
}

static void send_due(struct loop *loop, struct connection *connection)
{
    uint32_t in_flight = loop->run->options->in_flight;
    while (connection->flying < in_flight && loop->now_ns < loop->end_ns && !*loop->run->stop) {
        if (!loop->interval_ns) {
            loop->now_ns = run_now_ns();
            if (!send_one(loop, connection, loop->now_ns)) return;
            continue;
        }
        if (connection->next_due_ns > loop->now_ns) return;
        if (!send_one(loop, connection, connection->next_due_ns)) return;
        connection->next_due_ns += loop->interval_ns;
    }
}

static void watch(struct loop *loop, struct connection *connection)
{
    int fd = otpring_fd(connection->client);
    uint32_t events = EPOLLIN | (otpring_wants_write(connection->client) ? (uint32_t)EPOLLOUT : 0);
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

/* Takes what has come, sends what is due, until there is neither; polling is also what sends. */
static void serve(struct loop *loop, struct connection *connection)
{
    const void *answers;
    size_t count;
    send_due(loop, connection);
    while (!failed(loop)) {
        int64_t ticket = otpring_poll_wire(connection->client, 0, &answers, &count);
        if (ticket == 0) break;
        if (ticket == OTPRING_E_CONNECT) break; /* it comes again by itself */
        if (ticket < 0) {
            fail(loop, "verify.sock", otpring_last_error(connection->client));
            break;
        }
        take_answers(loop, connection, ticket, answers, count);
        send_due(loop, connection);
    }
    watch(loop, connection);
}

static int wait_ms(const struct loop *loop)
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
    /* A frame is sent late rather than early, by less than the kernel's own slack: the last stretch is polled. */
    return (int)(wait_ns / 1000000);
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
    int count = epoll_wait(loop->epoll, events, EVENTS_MAX, wait_ms(loop));
    loop->now_ns = run_now_ns();
    for (int i = 0; i < count && !failed(loop); i++) serve(loop, events[i].data.ptr);
    bool look = loop->now_ns >= loop->look_ns;
    if (!look && !loop->interval_ns) return;
    if (look) loop->look_ns = loop->now_ns + WAIT_MAX_NS;
    for (uint32_t i = 0; i < loop->count && !failed(loop); i++) {
        struct connection *connection = &loop->connections[i];
        bool due = loop->interval_ns && connection->next_due_ns <= loop->now_ns &&
                   connection->flying < loop->run->options->in_flight;
        /* A connection made anew may have the old one's descriptor, of which epoll knows nothing. */
        if (look) connection->watched_fd = -1;
        if (due || look) serve(loop, connection);
    }
}

static void count_rest(struct loop *loop)
{
    struct run_result *result = loop->run->result;
    for (uint32_t i = 0; i < loop->count; i++) {
        const struct connection *connection = &loop->connections[i];
        for (uint32_t slot = 0; slot < loop->run->options->in_flight; slot++) {
            if (connection->flights[slot].number) result->unanswered += connection->flights[slot].count;
        }
        if (!loop->interval_ns || *loop->run->stop || connection->next_due_ns >= loop->end_ns) continue;
        uint64_t late = (loop->end_ns - 1 - connection->next_due_ns) / loop->interval_ns + 1;
        result->unsent += late * loop->run->options->batch;
    }
}

void run_thread(const struct run *run)
{
    struct loop loop = {.run = run, .epoll = -1};
    if (open_loop(&loop)) {
        loop.now_ns = run_now_ns();
        for (uint32_t i = 0; i < loop.count && !failed(&loop); i++) serve(&loop, &loop.connections[i]);
        while (loop.now_ns < loop.end_ns && !*run->stop && !failed(&loop)) loop_once(&loop);
        uint64_t give_up_ns = run_now_ns() + DRAIN_S * UINT64_C(1000000000);
        while (still_flying(&loop) && loop.now_ns < give_up_ns && !failed(&loop)) loop_once(&loop);
        count_rest(&loop);
    }
    close_loop(&loop);
}
