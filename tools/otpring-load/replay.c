#include "replay.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "otpring/client.h"

enum { DRAIN_S = 10, WAIT_MAX_MS = 10 };
#define NS_PER_MS UINT64_C(1000000)

/* One query in flight. */
struct sent {
    struct traffic_item item;
    uint32_t step;
};

struct flight {
    uint64_t due_ns;
    uint32_t count; /* 0: no frame */
    bool counts;    /* of the log, not of what was made ready before */
};

struct connection {
    struct loop *loop;
    struct link link;
    struct flight *flights;
    struct sent *sent; /* in_flight times the greatest frame */
    /* The frame that is being filled. */
    struct otpring_wire_query *queries;
    uint32_t slot;
    uint32_t count;
};

struct loop {
    const struct replay *replay;
    struct replay_result *result;
    struct room room; /* all that connections have */
    struct connection *connections;
    uint32_t connection_count;
    uint32_t batch;
    struct replay_account *accounts;
    uint8_t nobody[8]; /* half of a name: the other half is a number */
    uint64_t random;
    uint64_t start_ns;
    uint64_t now_ns;
    uint32_t flying;
    bool readying;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(struct loop *loop, const char *what, const char *why)
{
    if (!loop->result->error[0]) snprintf(loop->result->error, sizeof loop->result->error, "%s: %s", what, why);
}

static bool failed(const struct loop *loop)
{
    return loop->result->error[0] != 0;
}

/* ---- opening ---- */

static bool open_connection(struct loop *loop, struct connection *connection)
{
    uint32_t in_flight = loop->replay->options->in_flight;
    connection->loop = loop;
    if (link_open(&connection->link, loop->replay->path, in_flight, loop->batch, &(struct link_kept){0}, &loop->room)) {
        fail(loop, "verify.sock", connection->link.error);
        return false;
    }
    connection->flights = room_take(&loop->room, in_flight, sizeof *connection->flights);
    connection->sent = room_take(&loop->room, (size_t)in_flight * loop->batch, sizeof *connection->sent);
    if (connection->flights && connection->sent) return true;
    fail(loop, "otpring-load", "not enough memory");
    return false;
}

static bool open_loop(struct loop *loop)
{
    const struct replay *replay = loop->replay;
    loop->batch = replay->traffic->greatest_frame;
    loop->random = replay->options->seed;
    loop->accounts = calloc(replay->accounts->count, sizeof *loop->accounts);
    loop->connections = room_take(&loop->room, replay->options->connections, sizeof *loop->connections);
    if (!loop->accounts || !loop->connections) {
        fail(loop, "otpring-load", "not enough memory");
        return false;
    }
    /* Counted first: what one that failed has taken is given back with the others. */
    while (loop->connection_count < replay->options->connections)
        if (!open_connection(loop, &loop->connections[loop->connection_count++])) return false;
    return true;
}

static void close_loop(struct loop *loop)
{
    for (uint32_t i = 0; i < loop->connection_count; i++) link_close(&loop->connections[i].link, NULL);
    room_free(&loop->room);
    free(loop->accounts);
}

/* ---- answers ---- */

static bool has_account(const struct traffic_item *item)
{
    return item->kind != TRAFFIC_NOBODY && item->kind != TRAFFIC_MALFORMED && item->kind != TRAFFIC_REQUIRED;
}

/* Of accounts->accounts: those that are suspended stand behind the others. */
static uint32_t account_of(const struct loop *loop, const struct traffic_item *item)
{
    return item->account + (item->kind == TRAFFIC_INACTIVE ? loop->replay->traffic->account_count : 0);
}

static void judge(struct loop *loop, const struct sent *sent, const struct otpring_wire_answer *answer)
{
    struct replay_result *result = loop->result;
    unsigned recorded = sent->item.verdict, now = answer->verdict;
    if (now >= OTPRING_VERDICT_COUNT) now = 0;
    result->verdicts[recorded][now]++;
    if (now == OTPRING_UNAVAILABLE) {
        result->unavailable++;
        return;
    }
    /* Some clients are told REJECTED where others are told UNKNOWN or INACTIVE. */
    bool state = sent->item.kind == TRAFFIC_NOBODY || sent->item.kind == TRAFFIC_INACTIVE;
    bool alike = now == recorded || (state && now == OTPRING_REJECTED) ||
                 (sent->item.kind == TRAFFIC_NOBODY && now == OTPRING_UNKNOWN);
    result->same += alike;
    if (alike) return;
    if (now == OTPRING_THROTTLED || recorded == OTPRING_THROTTLED) {
        result->by_lock++;
        return;
    }
    if (recorded == OTPRING_RESYNC && now == OTPRING_REJECTED && answer->reason == OTPRING_REASON_NOT_SEARCHED) {
        result->not_searched++;
        return;
    }
    result->unexpected++;
    if (result->shown_count == REPLAY_SHOWN) return;
    result->shown[result->shown_count++] =
        (struct replay_unlike){.item = sent->item, .verdict = answer->verdict, .record = le64toh(answer->record)};
}

static void take_answers(void *context, uint32_t slot, const struct otpring_wire_answer *answers, uint32_t count)
{
    struct connection *connection = context;
    struct loop *loop = connection->loop;
    struct flight *flight = &connection->flights[slot];
    const struct sent *sent = connection->sent + (size_t)slot * loop->batch;
    for (uint32_t i = 0; i < count && i < flight->count; i++) {
        if (flight->counts) judge(loop, &sent[i], &answers[i]);
        if (has_account(&sent[i].item))
            replay_account_answered(&loop->accounts[account_of(loop, &sent[i].item)], sent[i].item.kind, sent[i].step,
                                    answers[i].verdict == OTPRING_ACCEPTED);
    }
    if (flight->counts)
        histogram_add(&loop->result->latency, loop->now_ns > flight->due_ns ? loop->now_ns - flight->due_ns : 0, count);
    flight->count = 0;
    loop->flying--;
}

/* ---- sending ---- */

static uint64_t draw(struct loop *loop)
{
    uint64_t z = loop->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void name_of(const struct loop *loop, const struct traffic_item *item, struct otpring_wire_query *query)
{
    const struct accounts *accounts = loop->replay->accounts;
    memcpy(query->company, accounts->company_name, 8);
    if (item->kind == TRAFFIC_NOBODY) {
        memcpy(query->account, loop->nobody, 4);
        memcpy(query->account + 4, &item->account, 4);
    } else {
        memcpy(query->account, accounts->names[account_of(loop, item)], 8);
    }
}

/* False: nothing can be sent for it. */
static bool make_query(struct loop *loop, const struct traffic_item *item, struct otpring_wire_query *query,
                       uint32_t *ret_step)
{
    const struct accounts *accounts = loop->replay->accounts;
    uint32_t code = 0;
    *query = (struct otpring_wire_query){.source = htole64(item->source),
                                         .digits = item->kind == TRAFFIC_DIGITS ? 8 : 6,
                                         .kind = OTPRING_QUERY_CODE,
                                         .source_class = item->source_class};
    name_of(loop, item, query);
    *ret_step = 0;
    if (item->kind == TRAFFIC_MALFORMED) query->flags = 1;
    if (item->kind == TRAFFIC_REQUIRED) {
        query->kind = OTPRING_QUERY_REQUIRED;
        query->digits = 0;
    }
    if (item->kind == TRAFFIC_NOBODY) code = (uint32_t)(draw(loop) % 1000000);
    if (has_account(item)) {
        uint32_t number = account_of(loop, item);
        if (!replay_account_code(loop->replay->kernel, accounts->algorithm, account_midstates(accounts, number),
                                 &loop->accounts[number], item->kind, draw(loop), &code, ret_step))
            return false;
    }
    query->code = htole32(code);
    return true;
}

static struct connection *connection_of(struct loop *loop, const struct traffic_item *item)
{
    CHECK(loop->connection_count > 0);
    return &loop->connections[item->account % loop->connection_count];
}

/* Whether a query can go out now: room on its connection, and an account that is not too far ahead. */
static bool item_ready(struct loop *loop, const struct traffic_item *item)
{
    struct connection *connection = connection_of(loop, item);
    if (!connection->queries) connection->queries = link_begin(&connection->link, &connection->slot);
    if (!connection->queries) return false;
    return !has_account(item) || replay_account_ready(&loop->accounts[account_of(loop, item)], item->kind);
}

static void queue_frame(struct loop *loop, struct connection *connection, uint64_t due_ns)
{
    if (connection->count == 0) return;
    link_queue(&connection->link, connection->count);
    connection->flights[connection->slot] =
        (struct flight){.due_ns = due_ns, .count = connection->count, .counts = !loop->readying};
    loop->flying++;
    connection->queries = NULL;
    connection->count = 0;
}

/* Sends what is queued, takes what has come; waits at most until then. */
static void turn(struct loop *loop, uint64_t until_ns)
{
    struct pollfd polled[64];
    uint32_t watched = 0;
    for (uint32_t i = 0; i < loop->connection_count; i++) {
        struct connection *connection = &loop->connections[i];
        if (connection->link.fd < 0) link_again(&connection->link, loop->now_ns);
        link_send(&connection->link);
        /* What comes now came after codes were made and frames sent. */
        do loop->now_ns = now_ns();
        while (link_receive(&connection->link, take_answers, connection));
        if (connection->link.error[0]) fail(loop, "verify.sock", connection->link.error);
        if (connection->link.fd >= 0 && watched < sizeof polled / sizeof *polled)
            polled[watched++] =
                (struct pollfd){.fd = connection->link.fd, .events = POLLIN | (connection->link.blocked ? POLLOUT : 0)};
    }
    loop->now_ns = now_ns();
    if (until_ns <= loop->now_ns) return;
    uint64_t wait_ns = until_ns - loop->now_ns;
    if (wait_ns > WAIT_MAX_MS * NS_PER_MS) wait_ns = WAIT_MAX_MS * NS_PER_MS;
    struct timespec wait = {.tv_nsec = (long)wait_ns};
    (void)ppoll(polled, watched, &wait, NULL);
    loop->now_ns = now_ns();
}

static bool stopping(const struct loop *loop)
{
    return failed(loop) || *loop->replay->stop;
}

/* What cannot go out yet is waited for, with what was put together before it on its way. */
static void send_frame(struct loop *loop, const struct traffic_item *items, uint32_t count, uint64_t due_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        struct connection *connection = connection_of(loop, &items[i]);
        while (!item_ready(loop, &items[i])) {
            queue_frame(loop, connection, due_ns);
            turn(loop, now_ns() + NS_PER_MS);
            if (stopping(loop)) return;
        }
        struct sent *sent = connection->sent + (size_t)connection->slot * loop->batch + connection->count;
        if (!make_query(loop, &items[i], &connection->queries[connection->count], &sent->step)) {
            loop->result->unlike++;
            continue;
        }
        sent->item = items[i];
        connection->count++;
        loop->result->sent += !loop->readying;
    }
    for (uint32_t i = 0; i < loop->connection_count; i++) queue_frame(loop, &loop->connections[i], due_ns);
}

static void drain(struct loop *loop)
{
    uint64_t give_up_ns = now_ns() + DRAIN_S * 1000 * NS_PER_MS;
    loop->now_ns = now_ns();
    while (loop->flying && loop->now_ns < give_up_ns && !failed(loop)) turn(loop, loop->now_ns + NS_PER_MS);
}

/* ---- the whole ---- */

/* Accounts that are told REPLAYED before anything of theirs is accepted have one code accepted beforehand. */
static void make_ready(struct loop *loop)
{
    const struct traffic *traffic = loop->replay->traffic;
    uint8_t *met = calloc(traffic->account_count + 1u, 1);
    if (!met) {
        fail(loop, "otpring-load", "not enough memory");
        return;
    }
    loop->readying = true;
    for (size_t i = 0; i < traffic->item_count && !stopping(loop); i++) {
        struct traffic_item item = traffic->items[i];
        if ((item.kind != TRAFFIC_RIGHT && item.kind != TRAFFIC_USED) || met[item.account]) continue;
        met[item.account] = 1;
        if (item.kind == TRAFFIC_RIGHT) continue;
        item.kind = TRAFFIC_RIGHT;
        send_frame(loop, &item, 1, now_ns());
        turn(loop, 0);
    }
    drain(loop);
    loop->readying = false;
    free(met);
}

static uint64_t due_of(const struct loop *loop, const struct traffic_frame *frame)
{
    double speed = loop->replay->options->speed;
    int64_t after_ms = frame->time_ms - loop->replay->traffic->frames[0].time_ms;
    if (speed <= 0 || after_ms <= 0) return loop->start_ns;
    return loop->start_ns + (uint64_t)((double)after_ms * 1e6 / speed);
}

static void send_all(struct loop *loop)
{
    const struct traffic *traffic = loop->replay->traffic;
    uint64_t end_ns = loop->replay->options->seconds_given
                          ? loop->start_ns + (uint64_t)(loop->replay->options->seconds * 1e9)
                          : UINT64_MAX;
    for (size_t i = 0; i < traffic->frame_count; i++) {
        const struct traffic_frame *frame = &traffic->frames[i];
        bool paced = loop->replay->options->speed > 0;
        uint64_t due_ns = due_of(loop, frame);
        while (loop->now_ns < due_ns && loop->now_ns < end_ns && !stopping(loop)) turn(loop, due_ns);
        if (loop->now_ns >= end_ns || stopping(loop)) return;
        if (paced && loop->now_ns - due_ns > loop->result->behind_ns) loop->result->behind_ns = loop->now_ns - due_ns;
        send_frame(loop, traffic->items + frame->first, frame->count, paced ? due_ns : loop->now_ns);
        loop->result->log_s = (double)(frame->time_ms - traffic->frames[0].time_ms) / 1000;
        turn(loop, 0);
    }
}

void replay_run(const struct replay *replay, struct replay_result *ret_result)
{
    struct loop loop = {.replay = replay, .result = ret_result};
    uint8_t name[16];
    otpring_name(replay->accounts->company, "nobody", name);
    memcpy(loop.nobody, name + 8, sizeof loop.nobody);
    if (open_loop(&loop)) make_ready(&loop);
    loop.start_ns = loop.now_ns = now_ns();
    if (!failed(&loop)) {
        send_all(&loop);
        drain(&loop);
    }
    ret_result->seconds = (double)(now_ns() - loop.start_ns) / 1e9;
    /* One that could not be opened has no flights. */
    for (uint32_t i = 0; i < loop.connection_count; i++)
        for (uint32_t slot = 0; loop.connections[i].flights && slot < replay->options->in_flight; slot++)
            ret_result->unanswered += loop.connections[i].flights[slot].count;
    close_loop(&loop);
}
