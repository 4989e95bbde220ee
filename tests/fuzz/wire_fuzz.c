/* Any bytes, in any cut: frames come out whole and within what was received, and every buffer is given back once. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "server/intake.h"

enum { CHUNKS = 32, PIECES = 2 };

static unsigned back[CHUNKS];

static void give_back(void *context, uint16_t buffer_id)
{
    (void)context;
    back[buffer_id]++;
}

static uint32_t take(struct intake_pool *pool, struct intake *intake, bool *ret_fault)
{
    struct wire_frame frame;
    struct wire_fault fault = {0};
    struct otpring_wire_hello hello;
    uint32_t taken = 0, sum = 0;
    for (;;) {
        enum intake_state state = intake_next(pool, intake, &frame, &fault);
        *ret_fault = state == INTAKE_FAULT;
        if (state != INTAKE_FRAME) break;
        CHECK(frame.header.size == WIRE_HEADER_SIZE + frame.body_size);
        for (uint32_t i = 0; i < frame.body_size; i++) sum += wire_body(&frame)[i];
        if (frame.header.kind == OTPRING_WIRE_HELLO && !wire_check_hello(wire_body(&frame), &hello, &fault))
            CHECK(fault.code != 0);
        taken += frame.header.size;
        intake_taken(pool, intake, &frame);
    }
    CHECK(!*ret_fault || fault.code != 0);
    return taken + (sum == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte seeds the cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct intake_pool pool;
    struct intake intake;
    bool fault = false;
    unsigned seed = size ? data[0] : 0, id = 0;
    if (size < 2 || result_failed(intake_pool_create(CHUNKS, PIECES, OTPRING_WIRE_FRAME_SIZE_MAX, &pool))) return 0;
    memset(back, 0, sizeof back);
    intake_reset(&intake);
    for (size_t at = 1; at < size && !fault; id++) {
        size_t part = 1 + (size_t)rand_r(&seed) % (seed & 1 ? 7 : 200);
        if (part > size - at || id == CHUNKS - 1) part = size - at;
        uint8_t *bytes = aligned_alloc(8, (part + 7) & ~(size_t)7);
        memcpy(bytes, data + at, part);
        intake_add(&pool, &intake, bytes, (uint32_t)part, (uint16_t)id);
        at += part;
        while (take(&pool, &intake, &fault) > 0 && !fault) intake_turned(&pool, give_back, NULL);
        intake_turned(&pool, give_back, NULL);
        if (fault) intake_drop(&pool, &intake);
        /* Without pieces the rest may wait in its chunk; the target always gives them back, so it never does. */
        intake_turned(&pool, give_back, NULL);
        CHECK(pool.held == 0 && back[id] == 1);
        free(bytes);
    }
    intake_pool_destroy(&pool);
    return 0;
}
