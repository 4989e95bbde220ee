#include "os/sabotage.h"

/* An empty translation unit in every build but one. */
#ifdef OTPRING_SABOTAGE_EARLY_ANSWER
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"

enum { LATE_NS = 20000000, KEPT_NS = 500000000 };

/* A write told done. It stays in the list for a while after it has left, for reads that were under way meanwhile. */
struct late {
    struct os *os;
    struct os_op *told; /* the caller's */
    struct os_op timer;
    struct os_op write;
    ino_t inode;
    struct late *next; /* the one told before it */
};

/* The engine reads its own blocks back for the seals; did it not find them, it would poison itself at once, and no test
 * would meet the planted bug. So reads see what was told, and files stay open until it has left. */
struct early {
    struct os *os;
    struct os_op *told; /* the caller's read or close */
    struct os_op own;
    ino_t inode;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct late *latest;

static ino_t inode_of(int file)
{
    struct stat about;
    return fstat(file, &about) == 0 ? about.st_ino : 0;
}

static void forget(struct os_op *op, int64_t result)
{
    struct late *late = op->owner;
    (void)result;
    pthread_mutex_lock(&mutex);
    struct late **at = &latest;
    while (*at != late) at = &(*at)->next;
    *at = late->next;
    pthread_mutex_unlock(&mutex);
    free(late->write.buffer);
    free(late);
}

static void written(struct os_op *op, int64_t result)
{
    struct late *late = op->owner;
    (void)result;
    late->timer.timeout_ns = KEPT_NS;
    late->timer.done = forget;
    os_submit(late->os, &late->timer);
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
    op->timeout_ns = LATE_NS;
    op->done = write_now;
    os_submit(late->os, op);
    late->told->pending = false;
    late->told->done(late->told, late->told->size);
}

static void write_late(struct os *os, struct os_op *op)
{
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
        .inode = inode_of(op->file),
    };
    pthread_mutex_lock(&mutex);
    late->next = latest;
    latest = late;
    pthread_mutex_unlock(&mutex);
    op->pending = true;
    os_submit(os, &late->timer);
}

/* The part of a told write that lies in the bytes read; older ones first. */
static void patch(const struct late *late, const struct early *early, uint64_t end)
{
    if (!late) return;
    patch(late->next, early, end);
    const struct os_op *write = &late->write, *read = early->told;
    uint64_t from = write->offset > read->offset ? write->offset : read->offset;
    uint64_t to = write->offset + write->size < end ? write->offset + write->size : end;
    if (late->inode == early->inode && from < to)
        memcpy((char *)read->buffer + (from - read->offset), (char *)write->buffer + (from - write->offset), to - from);
}

static void read_done(struct os_op *op, int64_t result)
{
    struct early *early = op->owner;
    struct os_op *told = early->told;
    pthread_mutex_lock(&mutex);
    if (result > 0) patch(latest, early, told->offset + (uint64_t)result);
    pthread_mutex_unlock(&mutex);
    free(early);
    told->pending = false;
    told->done(told, result);
}

static void close_done(struct os_op *op, int64_t result)
{
    struct early *early = op->owner;
    struct os_op *told = early->told;
    free(early);
    told->pending = false;
    told->done(told, result);
}

static void close_now(struct os_op *op, int64_t result)
{
    struct early *early = op->owner;
    (void)result;
    *op = (struct os_op){
        .kind = OS_CLOSE, .flags = OS_SABOTAGED, .file = early->told->file, .done = close_done, .owner = early};
    os_submit(early->os, op);
}

static void take(struct os *os, struct os_op *op)
{
    struct early *early = calloc(1, sizeof *early);
    CHECK(early);
    *early = (struct early){.os = os, .told = op, .inode = inode_of(op->file)};
    if (op->kind == OS_READ) {
        early->own = *op;
        early->own.flags |= OS_SABOTAGED;
        early->own.done = read_done;
    } else {
        early->own = (struct os_op){.kind = OS_TIMER, .timeout_ns = 2 * LATE_NS, .done = close_now};
    }
    early->own.owner = early;
    op->pending = true;
    os_submit(os, &early->own);
}

bool sabotage_takes(struct os *os, struct os_op *op)
{
    if (op->kind == OS_WRITE_DSYNC) {
        write_late(os, op);
        return true;
    }
    bool ours = (op->flags & OS_SABOTAGED) != 0;
    op->flags &= ~(uint32_t)OS_SABOTAGED;
    if (ours || (op->kind != OS_READ && op->kind != OS_CLOSE)) return false;
    pthread_mutex_lock(&mutex);
    bool any = latest != NULL;
    pthread_mutex_unlock(&mutex);
    if (any) take(os, op);
    return any;
}
#endif
