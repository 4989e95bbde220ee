/* The real os: one io_uring for its thread. Completions run in the thread that owns the ring, inside os_step, and
 * nowhere else. */
#include "os/os_uring.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#ifdef OTPRING_SABOTAGE_EARLY_ANSWER
#include "os/sabotage.h"
#endif
#include "os/machine.h"
#include "os/ring_features.h"

enum {
    ENTRIES_DEFAULT = 1024,
    BUFFER_GROUP = 1,
    COMPLETIONS_PER_STEP_MAX = 8192, /* so that a flood of completions cannot keep a turn from being judged */
    SCHEDULE_NS = 40000,             /* a busy thread lets the scheduler run this often, or disk completions starve */
};

/* The one completion that belongs to no operation of a caller. */
#define WAKE_TAG 1

struct os_uring {
    struct os os;
    struct io_uring ring;
    struct io_uring_buf_ring *buffers; /* NULL: no sockets */
    uint8_t *buffer_bytes;
    uint32_t buffer_count;
    uint32_t buffer_size;
    uint32_t spin_ns;
    int wake_file;
    uint64_t wake_count; /* where the kernel puts what it read from wake_file */
    bool wake_armed;
    pthread_t owner;
    uint64_t scheduled_ns; /* when this thread last let the scheduler run */
    struct machine_clock clock;
};

static struct os_uring *uring_of(struct os *os)
{
    return (struct os_uring *)os;
}

/* Buffers at distances of a power of two would share a few sets of the cache, and most are used at their beginning. */
static size_t buffer_stride(const struct os_uring *uring)
{
    return uring->buffer_size + 64;
}

static uint8_t *buffer_at(const struct os_uring *uring, uint32_t buffer_id)
{
    return uring->buffer_bytes + buffer_id * buffer_stride(uring);
}

/* ---- submitting ---- */

/* A free submission entry; when the queue is full, what is in it goes to the kernel first. */
static struct io_uring_sqe *entry_take(struct os_uring *uring)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);
    while (!entry) {
        int submitted = io_uring_submit(&uring->ring);
        CHECK(submitted >= 0 || submitted == -EAGAIN || submitted == -EBUSY || submitted == -EINTR);
        /* Busy: the completion queue overflows; getting events makes room without running callbacks here. */
        if (submitted < 0) io_uring_get_events(&uring->ring);
        entry = io_uring_get_sqe(&uring->ring);
    }
    return entry;
}

static int open_flags(uint32_t flags)
{
    if (flags & OS_OPEN_FOLDER) return O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    return O_CLOEXEC | O_NOFOLLOW | (flags & OS_OPEN_WRITE ? O_RDWR : O_RDONLY) |
           (flags & OS_OPEN_CREATE ? O_CREAT | O_EXCL : 0) | (flags & OS_OPEN_DIRECT ? O_DIRECT : 0);
}

static void prepare_file(struct io_uring_sqe *entry, struct os_op *op)
{
    switch (op->kind) {
    case OS_OPEN:
        io_uring_prep_openat(entry, AT_FDCWD, op->path, open_flags(op->flags), 0600);
        break;
    case OS_CLOSE:
        io_uring_prep_close(entry, op->file);
        break;
    case OS_READ:
        io_uring_prep_read(entry, op->file, op->buffer, op->size, op->offset);
        break;
    case OS_WRITE:
        io_uring_prep_write(entry, op->file, op->buffer, op->size, op->offset);
        break;
    case OS_WRITE_DSYNC:
        io_uring_prep_write(entry, op->file, op->buffer, op->size, op->offset);
#ifndef OTPRING_SABOTAGE_NO_SYNC
        entry->rw_flags = RWF_DSYNC;
#endif
        break;
    /* A full fsync covers folders too, and no one syncs files often: what is urgent is written with data sync. */
    case OS_SYNC:
        io_uring_prep_fsync(entry, op->file, 0);
        break;
    case OS_ALLOCATE:
        io_uring_prep_fallocate(entry, op->file, 0, 0, (off_t)op->size);
        break;
    case OS_RENAME:
        io_uring_prep_renameat(entry, AT_FDCWD, op->path, AT_FDCWD, op->path_to, 0);
        break;
    case OS_UNLINK:
        io_uring_prep_unlinkat(entry, AT_FDCWD, op->path, 0);
        break;
    default:
        CHECK(!"an operation on files");
    }
}

static void prepare_timer(struct io_uring_sqe *entry, struct os_op *op)
{
    struct __kernel_timespec *time = (struct __kernel_timespec *)(void *)op->internal;
    time->tv_sec = (int64_t)(op->timeout_ns / 1000000000u);
    time->tv_nsec = (long long)(op->timeout_ns % 1000000000u);
    io_uring_prep_timeout(entry, time, 0, 0);
}

static void prepare(struct os_uring *uring, struct io_uring_sqe *entry, struct os_op *op)
{
    switch (op->kind) {
    case OS_TIMER:
        prepare_timer(entry, op);
        break;
    case OS_LISTEN_ACCEPT:
        io_uring_prep_multishot_accept(entry, op->file, NULL, NULL, SOCK_CLOEXEC);
        break;
    case OS_RECEIVE:
        CHECK(uring->buffers);
        io_uring_prep_recv_multishot(entry, op->file, NULL, 0, 0);
        entry->flags |= IOSQE_BUFFER_SELECT;
        entry->buf_group = BUFFER_GROUP;
        break;
    case OS_SEND:
        io_uring_prep_send(entry, op->file, op->buffer, op->size, MSG_NOSIGNAL);
        break;
    case OS_SHUTDOWN:
        io_uring_prep_shutdown(entry, op->file, SHUT_RDWR);
        break;
    case OS_CANCEL:
        io_uring_prep_cancel64(entry, (uint64_t)(uintptr_t)op->target, 0);
        break;
    default:
        prepare_file(entry, op);
    }
}

static void uring_submit(struct os *os, struct os_op *op)
{
    struct os_uring *uring = uring_of(os);
    CHECK(!op->pending);
#ifdef OTPRING_SABOTAGE_EARLY_ANSWER
    if (sabotage_takes(os, op)) return;
#endif
    op->pending = true;
    op->more = false;
    struct io_uring_sqe *entry = entry_take(uring);
    prepare(uring, entry, op);
    CHECK(ring_entry_listed(entry));
    io_uring_sqe_set_data(entry, op);
}

static void wake_arm(struct os_uring *uring)
{
    struct io_uring_sqe *entry = entry_take(uring);
    io_uring_prep_read(entry, uring->wake_file, &uring->wake_count, sizeof uring->wake_count, 0);
    io_uring_sqe_set_data64(entry, WAKE_TAG);
    uring->wake_armed = true;
}

/* ---- completing ---- */

static void complete(struct os_uring *uring, uint64_t tag, int32_t result, uint32_t flags)
{
    if (tag == WAKE_TAG) {
        uring->wake_armed = false;
        return;
    }
    struct os_op *op = (struct os_op *)(uintptr_t)tag; // NOLINT(performance-no-int-to-ptr)
    op->more = (flags & IORING_CQE_F_MORE) != 0;
    op->pending = op->more;
    if (op->kind == OS_RECEIVE) {
        op->received = NULL;
        if (flags & IORING_CQE_F_BUFFER) {
            op->buffer_id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
            op->received = buffer_at(uring, op->buffer_id);
        }
    } else if (op->kind == OS_TIMER && result == -ETIME) {
        result = 0;
    }
    op->done(op, result);
}

static unsigned completions_run(struct os_uring *uring)
{
    unsigned count = 0;
    struct io_uring_cqe *completion;
    while (count < COMPLETIONS_PER_STEP_MAX && io_uring_peek_cqe(&uring->ring, &completion) == 0) {
        uint64_t tag = completion->user_data;
        int32_t result = completion->res;
        uint32_t flags = completion->flags;
        io_uring_cqe_seen(&uring->ring, completion);
        complete(uring, tag, result, flags);
        count += tag != WAKE_TAG;
    }
    return count;
}

static bool harmless(int status)
{
    return status >= 0 || status == -ETIME || status == -EINTR || status == -EAGAIN || status == -EBUSY;
}

/* The disk's interrupt may land on this very CPU, and what it starts waits until the scheduler runs here: without this,
 * a thread that never sleeps sees completions only at the 4 ms tick. Entering the ring alone does not do it. */
static uint64_t schedule(struct os_uring *uring)
{
    uint64_t now = machine_clock_ns(CLOCK_MONOTONIC);
    if (now - uring->scheduled_ns < SCHEDULE_NS) return now;
    sched_yield();
    return uring->scheduled_ns = machine_clock_ns(CLOCK_MONOTONIC);
}

/* Waits a bounded while without sleeping. Completions of a deferring ring come only from entering it. */
static int spin(struct os_uring *uring, uint64_t spin_ns)
{
    uint64_t begun = machine_clock_ns(CLOCK_MONOTONIC);
    int status = io_uring_submit_and_get_events(&uring->ring);
    while (harmless(status) && io_uring_cq_ready(&uring->ring) == 0) {
        if (schedule(uring) - begun >= spin_ns) break;
        status = io_uring_get_events(&uring->ring);
    }
    return status;
}

static int enter(struct os_uring *uring, uint64_t wait_ns)
{
    if (wait_ns == 0 || io_uring_cq_ready(&uring->ring) > 0) {
        schedule(uring);
        return io_uring_submit_and_get_events(&uring->ring);
    }
    if (uring->spin_ns > 0) {
        int status = spin(uring, wait_ns < uring->spin_ns ? wait_ns : uring->spin_ns);
        if (!harmless(status) || io_uring_cq_ready(&uring->ring) > 0) return status;
    }
    if (wait_ns == UINT64_MAX) return io_uring_submit_and_wait(&uring->ring, 1);
    struct __kernel_timespec time = {.tv_sec = (int64_t)(wait_ns / 1000000000u),
                                     .tv_nsec = (long long)(wait_ns % 1000000000u)};
    struct io_uring_cqe *completion;
    return io_uring_submit_and_wait_timeout(&uring->ring, &completion, 1, &time, NULL);
}

static struct result uring_step(struct os *os, uint64_t wait_ns, unsigned *ret_completed)
{
    struct os_uring *uring = uring_of(os);
    if (!uring->wake_armed) wake_arm(uring);
    int status = enter(uring, wait_ns);
    if (!harmless(status)) return result_of(OS_FAILED);
    unsigned completed = completions_run(uring);
    if (ret_completed) *ret_completed = completed;
    return result_ok();
}

static void uring_wake(struct os *os)
{
    uint64_t one = 1;
    /* The only failure is a full counter, and then a wake-up is pending already. */
    if (write(uring_of(os)->wake_file, &one, sizeof one) < 0) CHECK(errno == EAGAIN);
}

static void uring_buffer_return(struct os *os, uint16_t buffer_id)
{
    struct os_uring *uring = uring_of(os);
    CHECK(buffer_id < uring->buffer_count);
    io_uring_buf_ring_add(uring->buffers, buffer_at(uring, buffer_id), uring->buffer_size, buffer_id,
                          io_uring_buf_ring_mask(uring->buffer_count), 0);
    io_uring_buf_ring_advance(uring->buffers, 1);
}

/* ---- the machine ---- */

static struct os_time uring_time(struct os *os)
{
    return machine_time(&uring_of(os)->clock);
}

static uint64_t uring_monotonic_ns(struct os *os)
{
    (void)os;
    return machine_clock_ns(CLOCK_MONOTONIC);
}

static void uring_random(struct os *os, void *ret_bytes, size_t size)
{
    (void)os;
    machine_random(ret_bytes, size);
}

static struct result uring_list(struct os *os, const char *folder,
                                void (*each)(void *context, const char *name, uint64_t size), void *context)
{
    (void)os;
    return machine_list(folder, each, context);
}

/* ---- life ---- */

static void uring_destroy(struct os *os)
{
    struct os_uring *uring = uring_of(os);
    /* The registered number is the owner's; in another thread the same number may name that thread's own ring. */
    if (!pthread_equal(uring->owner, pthread_self())) uring->ring.int_flags = 0;
    io_uring_queue_exit(&uring->ring);
    if (uring->buffers) munmap(uring->buffers, uring->buffer_count * sizeof(struct io_uring_buf));
    if (uring->buffer_bytes) munmap(uring->buffer_bytes, uring->buffer_count * buffer_stride(uring));
    if (uring->wake_file >= 0) close(uring->wake_file);
    free(uring);
}

static const struct os_functions uring_functions = {
    .submit = uring_submit,
    .step = uring_step,
    .wake = uring_wake,
    .time = uring_time,
    .monotonic_ns = uring_monotonic_ns,
    .random = uring_random,
    .buffer_return = uring_buffer_return,
    .list = uring_list,
    .destroy = uring_destroy,
};

static struct result buffers_make(struct os_uring *uring, const struct os_uring_options *options)
{
    void *ring = mmap(NULL, options->buffer_count * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED) return result_of(NO_MEMORY);
    uring->buffers = ring;
    uring->buffer_count = options->buffer_count;
    uring->buffer_size = options->buffer_size;
    size_t size = uring->buffer_count * buffer_stride(uring);
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (bytes == MAP_FAILED) return result_of(NO_MEMORY);
    /* Codes pass through here. */
    madvise(bytes, size, MADV_DONTDUMP);
    uring->buffer_bytes = bytes;
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)ring, .ring_entries = options->buffer_count, .bgid = BUFFER_GROUP};
    if (io_uring_register_buf_ring(&uring->ring, &reg, 0) < 0) return result_of(OS_NO_IO_URING);
    io_uring_buf_ring_init(uring->buffers);
    for (uint32_t i = 0; i < options->buffer_count; i++)
        io_uring_buf_ring_add(uring->buffers, buffer_at(uring, i), options->buffer_size, (unsigned short)i,
                              io_uring_buf_ring_mask(options->buffer_count), (int)i);
    io_uring_buf_ring_advance(uring->buffers, (int)options->buffer_count);
    return result_ok();
}

struct result os_uring_create(const struct os_uring_options *options, struct os **ret_os)
{
    struct os_uring *uring = calloc(1, sizeof *uring);
    if (!uring) return result_of(NO_MEMORY);
    uring->os.functions = &uring_functions;
    uring->owner = pthread_self();
    uring->spin_ns = options->spin_ns;
    machine_short_slice();
    uring->wake_file = eventfd(0, EFD_CLOEXEC);
    struct result result = uring->wake_file < 0
                               ? result_of(OS_FAILED)
                               : ring_create(options->entries ? options->entries : ENTRIES_DEFAULT, &uring->ring);
    if (result_failed(result)) {
        if (uring->wake_file >= 0) close(uring->wake_file);
        free(uring);
        return result;
    }
    if (options->buffer_count > 0) result = buffers_make(uring, options);
    if (result_failed(result)) {
        uring_destroy(&uring->os);
        return result;
    }
    io_uring_register_ring_fd(&uring->ring);
    *ret_os = &uring->os;
    return result_ok();
}
