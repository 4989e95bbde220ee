/* A core whose every answer the test decides: it stands in for the real one where a test needs a full turn, a frame
 * still in flight, or a disk that takes its time. Include once; the program then links none of the real core's turn. */
#ifndef TESTS_SERVER_FAKE_CORE_H
#define TESTS_SERVER_FAKE_CORE_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"

enum { FAKE_FRAMES_MAX = 4096, FAKE_SESSION = 0x5e55 };

struct fake_frame {
    struct core_frame asked;
    struct otpring_wire_header header;
    struct otpring_wire_answer *answers;
};

struct core_worker {
    struct core_worker_options options;
    struct fake_frame frames[FAKE_FRAMES_MAX];
    uint32_t taken, judged; /* frames[0, judged) are judged, [judged, taken) only taken */
    uint64_t greet_owner;
    bool greeting;
};

/* What the test asks for. */
static struct {
    _Atomic bool full;       /* no turn is free */
    _Atomic bool hold;       /* judged, but not durable yet */
    _Atomic bool slow_hello; /* answered in the poll after */
    _Atomic int join_later;  /* so many frames are still in flight */
    _Atomic int error;       /* enum otpring_wire_error_code of the next frame */
    _Atomic unsigned turns;
    _Atomic unsigned frames;
    _Atomic unsigned offered;
} fake;

struct result core_worker_create(struct core *core, const struct core_worker_options *options,
                                 struct core_worker **ret_worker)
{
    (void)core;
    struct core_worker *worker = calloc(1, sizeof *worker);
    worker->options = *options;
    *ret_worker = worker;
    return result_ok();
}

void core_worker_destroy(struct core_worker *worker)
{
    free(worker);
}

static void fake_greet(struct core_worker *worker, uint64_t owner)
{
    struct core_hello_answer answer = {
        .owner = owner, .hello = {.version = 1, .slots = 16, .items_max = 4096, .session = FAKE_SESSION}};
    worker->options.hello_answered(worker->options.context, &answer);
}

enum core_admit core_hello(struct core_worker *worker, const struct otpring_wire_hello *hello,
                           const struct core_client *client, uint64_t owner)
{
    (void)hello;
    (void)client;
    if (fake.full || worker->greeting) return CORE_FULL;
    if (!fake.slow_hello) {
        fake_greet(worker, owner);
        return CORE_ANSWERED;
    }
    worker->greet_owner = owner;
    worker->greeting = true;
    return CORE_TAKEN;
}

enum core_admit core_frame(struct core_worker *worker, const struct core_frame *frame,
                           enum otpring_wire_error_code *ret_error)
{
    fake.offered++;
    if (fake.error) {
        *ret_error = (enum otpring_wire_error_code)fake.error;
        return CORE_ERROR;
    }
    if (fake.join_later > 0) {
        fake.join_later--;
        return CORE_JOIN_LATER;
    }
    if (fake.full || worker->taken == FAKE_FRAMES_MAX) return CORE_FULL;
    fake.frames++;
    worker->frames[worker->taken++] = (struct fake_frame){.asked = *frame, .header = *frame->header};
    return CORE_TAKEN;
}

/* Reads the items only now, as the real one does: each answer tells code and place of its query. */
void core_turn(struct core_worker *worker)
{
    if (worker->judged < worker->taken) fake.turns++;
    for (; worker->judged < worker->taken; worker->judged++) {
        struct fake_frame *frame = &worker->frames[worker->judged];
        size_t item_size = frame->header.kind == OTPRING_WIRE_RESYNC ? 40 : 32;
        frame->answers = calloc(frame->header.count, sizeof *frame->answers);
        for (uint32_t i = 0; i < frame->header.count; i++) {
            struct otpring_wire_query query;
            memcpy(&query, (const uint8_t *)frame->asked.items + i * item_size, sizeof query);
            frame->answers[i] =
                (struct otpring_wire_answer){.verdict = OTPRING_ACCEPTED, .record = query.code + query.source};
        }
    }
}

void core_poll(struct core_worker *worker)
{
    if (worker->greeting && !fake.hold) {
        worker->greeting = false;
        fake_greet(worker, worker->greet_owner);
    }
    if (fake.hold) return;
    uint32_t count = worker->judged;
    for (uint32_t i = 0; i < count; i++) {
        struct fake_frame *frame = &worker->frames[i];
        struct core_answer answer = {.owner = frame->asked.owner,
                                     .header = frame->header,
                                     .answers = frame->answers,
                                     .count = frame->header.count};
        worker->options.answered(worker->options.context, &answer);
        free(frame->answers);
    }
    memmove(worker->frames, worker->frames + count, (worker->taken - count) * sizeof worker->frames[0]);
    worker->taken -= count;
    worker->judged -= count;
}

bool core_drained(const struct core_worker *worker)
{
    return worker->taken == 0 && !worker->greeting;
}

/* The server then looks again after a millisecond, as when it waits for another worker's turn. */
uint32_t core_waiting(const struct core_worker *worker)
{
    return worker->taken + worker->greeting;
}

#endif
