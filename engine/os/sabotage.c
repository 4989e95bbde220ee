#include "os/sabotage.h"

/* An empty translation unit in every build but one. */
#ifdef OTPRING_SABOTAGE_EARLY_ANSWER
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct late {
    struct os *os;
    struct os_op *told; /* the caller's */
    struct os_op timer;
    struct os_op write;
};

static void written(struct os_op *op, int64_t result)
{
    struct late *late = op->owner;
    (void)result;
    free(op->buffer);
    free(late);
}

static void write_now(struct os_op *op, int64_t result)
{
    struct late *late = op->owner;
    (void)result;
    os_submit(late->os, &late->write);
}

static void tell(struct os_op *op, int64_t result)
{
    struct late *late = op->owner;
    (void)result;
    op->timeout_ns = 20000000;
    op->done = write_now;
    os_submit(late->os, op);
    late->told->pending = false;
    late->told->done(late->told, late->told->size);
}

bool sabotage_takes(struct os *os, struct os_op *op)
{
    if (op->kind != OS_WRITE_DSYNC) return false;
    struct late *late = calloc(1, sizeof *late);
    void *copy = aligned_alloc(OS_BLOCK_SIZE, (op->size + OS_BLOCK_SIZE - 1) / OS_BLOCK_SIZE * OS_BLOCK_SIZE);
    CHECK(late && copy);
    memcpy(copy, op->buffer, op->size);
    *late = (struct late){
        .os = os,
        .told = op,
        .timer = {.kind = OS_TIMER, .timeout_ns = 1, .done = tell, .owner = late},
        .write = {.kind = OS_WRITE,
                  .file = op->file,
                  .buffer = copy,
                  .size = op->size,
                  .offset = op->offset,
                  .done = written,
                  .owner = late},
    };
    op->pending = true;
    os_submit(os, &late->timer);
    return true;
}
#endif
