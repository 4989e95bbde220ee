/* What is the same over every os: running one operation to its end, and errno values as results. */
#include <errno.h>

#include "base/check.h"
#include "os/os.h"

/* Between calls of `idle`: a thread that never sleeps keeps others from its processor until the scheduler's tick. */
enum { BUSY_PAUSE_NS = 20000, IDLE_PAUSE_NS = 5000000 };

struct run {
    bool ended;
    int64_t result;
};

static void run_done(struct os_op *op, int64_t result)
{
    struct run *run = op->owner;
    run->ended = true;
    run->result = result;
}

int64_t os_run(struct os *os, struct os_op *op)
{
    struct run run = {0};
    op->done = run_done;
    op->owner = &run;
    os_submit(os, op);
    uint64_t wait_ns = os->idle ? 0 : UINT64_MAX;
    while (!run.ended) {
        if (result_failed(os_step(os, wait_ns, NULL))) return -EIO;
        if (os->idle && !run.ended) wait_ns = os->idle(os->idle_context) ? BUSY_PAUSE_NS : IDLE_PAUSE_NS;
    }
    return run.result;
}

struct result os_result(int64_t result)
{
    if (result >= 0) return result_ok();
    switch (-result) {
    case ENOSPC:
    case EDQUOT:
        return result_of(OS_NO_SPACE);
    case ENOENT:
    case ENOTDIR:
        return result_of(OS_NOT_FOUND);
    case EEXIST:
        return result_of(OS_EXISTS);
    case EACCES:
    case EPERM:
        return result_of(OS_PERMISSION);
    case EROFS:
        return result_of(OS_READ_ONLY);
    default:
        return result_of(OS_FAILED);
    }
}
