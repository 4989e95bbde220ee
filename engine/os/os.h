/* What the engine asks of the machine: submissions and completions, clocks, randomness. Nothing here blocks but
 * os_step.
 *
 * One `struct os` a thread (a worker, the administrator's thread, the checkpointer, the housekeeper); it is not shared,
 * except that any thread may call os_wake on it. Files are process-wide numbers: a file opened through one os may be
 * used through another. The real one is io_uring (os_uring.h); the simulated one is a seeded model (os_sim.h) of disks,
 * clocks and wake-ups.
 *
 * An operation is a struct owned by the caller, embedded in what it belongs to, filled in and handed to os_submit; it
 * and what it points at must stay until `done` is called, once (OS_MORE: not the last call), from inside os_step.
 * `done` may submit again, the same operation too. Results are bytes or file numbers, or -errno. */
#ifndef OTPRING_OS_OS_H
#define OTPRING_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

enum os_kind {
    OS_OPEN,          /* path, flags (enum os_open_flags), mode: gives a file; direct I/O where asked, or -EINVAL */
    OS_CLOSE,         /* file */
    OS_READ,          /* file, buffer, size, offset: may be short at the end of the file */
    OS_WRITE,         /* file, buffer, size, offset: not durable */
    OS_WRITE_DSYNC,   /* the same with data sync (RWF_DSYNC): durable when done with the full size */
    OS_SYNC,          /* file: fdatasync (fsync for a folder opened with OS_OPEN_FOLDER) */
    OS_ALLOCATE,      /* file, size: fallocate to this size */
    OS_RENAME,        /* path, path_to; durable after OS_SYNC of the folder */
    OS_UNLINK,        /* path */
    OS_TIMER,         /* timeout_ns: done with 0 when it has passed */
    OS_LISTEN_ACCEPT, /* file = listening socket: multishot; each result is a new socket, with OS_MORE */
    OS_RECEIVE,  /* file = socket: multishot into the os's buffer ring; result bytes (0: peer closed), op->received and
                    op->buffer_id; the buffer goes back with os_buffer_return. -ENOBUFS ends the shot: submit again later
                  */
    OS_SEND,     /* file = socket, buffer, size: result may be short */
    OS_SHUTDOWN, /* file = socket: both ways */
    OS_CANCEL,   /* target = another op of this os: that op ends with -ECANCELED */
};

enum os_open_flags {
    OS_OPEN_READ = 0,
    OS_OPEN_WRITE = 1,  /* read and write */
    OS_OPEN_CREATE = 2, /* create, error when it exists */
    OS_OPEN_DIRECT = 4, /* O_DIRECT: buffer, size and offset aligned to OS_BLOCK_SIZE */
    OS_OPEN_FOLDER = 8,
};

enum { OS_BLOCK_SIZE = 4096 };

/* Set in `more` while a multishot operation stays armed. */
struct os_op {
    enum os_kind kind;
    int file;
    uint32_t flags;
    uint32_t size;
    uint64_t offset;
    void *buffer;
    const char *path;
    const char *path_to;
    uint64_t timeout_ns;
    struct os_op *target;
    void (*done)(struct os_op *op, int64_t result);
    void *owner; /* the caller's own */
    /* filled in by the os before done */
    const uint8_t *received;
    uint16_t buffer_id;
    bool more;
    /* the os's own */
    bool pending;
    uint64_t internal[4];
};

struct os_time {
    int64_t wall_ms;   /* Unix time, milliseconds */
    uint64_t boot_ms;  /* CLOCK_BOOTTIME: never steps */
    bool synchronised; /* the kernel says that the wall clock is synchronised (adjtimex) */
};

struct os;

struct os_functions {
    void (*submit)(struct os *os, struct os_op *op);
    struct result (*step)(struct os *os, uint64_t wait_ns, unsigned *ret_completed);
    void (*wake)(struct os *os);
    struct os_time (*time)(struct os *os);
    uint64_t (*monotonic_ns)(struct os *os);
    void (*random)(struct os *os, void *ret_bytes, size_t size);
    void (*buffer_return)(struct os *os, uint16_t buffer_id);
    struct result (*list)(struct os *os, const char *folder,
                          void (*each)(void *context, const char *name, uint64_t size), void *context);
    void (*destroy)(struct os *os);
};

/* First member of each implementation's own struct. */
struct os {
    const struct os_functions *functions;
    bool (*idle)(void *context); /* see os_while_waiting */
    void *idle_context;
};

/* Queues one operation; it reaches the kernel with the next os_step. Never fails: failures come to `done`. */
static inline void os_submit(struct os *os, struct os_op *op)
{
    os->functions->submit(os, op);
}

/* Hands queued operations over and runs `done` of what has completed; waits up to wait_ns for at least one completion
 * or a wake-up (0: does not wait; UINT64_MAX: for ever). ret_completed counts `done` calls (may be NULL). OS_FAILED
 * fences. */
static inline struct result os_step(struct os *os, uint64_t wait_ns, unsigned *ret_completed)
{
    return os->functions->step(os, wait_ns, ret_completed);
}

/* Makes a waiting, or the next, os_step of that os return. Any thread; wake-ups may merge. */
static inline void os_wake(struct os *os)
{
    os->functions->wake(os);
}

static inline struct os_time os_time(struct os *os)
{
    return os->functions->time(os);
}

/* For measuring how long something takes; nothing is judged by it. */
static inline uint64_t os_monotonic_ns(struct os *os)
{
    return os->functions->monotonic_ns(os);
}

static inline void os_random(struct os *os, void *ret_bytes, size_t size)
{
    os->functions->random(os, ret_bytes, size);
}

static inline void os_buffer_return(struct os *os, uint16_t buffer_id)
{
    os->functions->buffer_return(os, buffer_id);
}

/* Plain files of a folder, in no order; at start and in tools only. OS_NOT_FOUND. */
static inline struct result os_list(struct os *os, const char *folder,
                                    void (*each)(void *context, const char *name, uint64_t size), void *context)
{
    return os->functions->list(os, folder, each, context);
}

static inline void os_destroy(struct os *os)
{
    os->functions->destroy(os);
}

/* Runs one operation to its end by stepping this os; for start, tools, and threads that may wait. Other operations of
 * the os complete meanwhile. Gives what `done` would get. */
int64_t os_run(struct os *os, struct os_op *op);

/* From now on os_run calls `idle` while it waits, again and again, with a pause each time: a short one after it did
 * something (true), a longer one where there was nothing to do. It must not run operations of this os. NULL: no more.
 */
static inline void os_while_waiting(struct os *os, bool (*idle)(void *context), void *context)
{
    os->idle = idle;
    os->idle_context = context;
}

/* -errno of an operation as a result: -ENOSPC OS_NO_SPACE, -ENOENT OS_NOT_FOUND, -EEXIST OS_EXISTS, -EACCES/-EPERM
 * OS_PERMISSION, OS_READ_ONLY, all else OS_FAILED; values >= 0 are OK. */
struct result os_result(int64_t result) MUST_USE;

#endif
