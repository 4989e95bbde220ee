/* What the real os asks of io_uring, in one place: rings are made with these flags, these operations are probed, and
 * os_uring.c checks that it submits no other; a unit test holds them against what Linux 6.1 has. With
 * OTPRING_RING_FEATURES=6.1 in the environment the kernel itself restricts a ring to what 6.1 knows
 * (IORING_REGISTER_RESTRICTIONS), so that anything newer fails on any machine. */
#ifndef OTPRING_OS_RING_FEATURES_H
#define OTPRING_OS_RING_FEATURES_H

#include <liburing.h>
#include <stdbool.h>

#include "base/result.h"

/* X(operation, bits of the entry's ioprio that it may carry, first kernel that has all of this) */
#define RING_OPERATIONS(X)                                                                                             \
    X(READ, 0, "5.6")                                                                                                  \
    X(WRITE, 0, "5.6")                                                                                                 \
    X(FSYNC, 0, "5.1")                                                                                                 \
    X(FALLOCATE, 0, "5.6")                                                                                             \
    X(OPENAT, 0, "5.6")                                                                                                \
    X(CLOSE, 0, "5.6")                                                                                                 \
    X(RENAMEAT, 0, "5.11")                                                                                             \
    X(UNLINKAT, 0, "5.11")                                                                                             \
    X(TIMEOUT, 0, "5.4")                                                                                               \
    X(ASYNC_CANCEL, 0, "5.5")                                                                                          \
    X(SHUTDOWN, 0, "5.11")                                                                                             \
    X(ACCEPT, IORING_ACCEPT_MULTISHOT, "5.19")                                                                         \
    X(SEND, 0, "5.6")                                                                                                  \
    X(RECV, IORING_RECV_MULTISHOT, "6.0")

/* X(flag, kernel) */
#define RING_SETUP_FLAGS(X)                                                                                            \
    X(IORING_SETUP_CQSIZE, "5.5")                                                                                      \
    X(IORING_SETUP_CLAMP, "5.6")                                                                                       \
    X(IORING_SETUP_R_DISABLED, "5.10")                                                                                 \
    X(IORING_SETUP_SUBMIT_ALL, "5.18")                                                                                 \
    X(IORING_SETUP_SINGLE_ISSUER, "6.0")                                                                               \
    X(IORING_SETUP_DEFER_TASKRUN, "6.1")

#define RING_REGISTRATIONS(X)                                                                                          \
    X(IORING_REGISTER_PROBE, "5.6")                                                                                    \
    X(IORING_REGISTER_RESTRICTIONS, "5.10")                                                                            \
    X(IORING_REGISTER_ENABLE_RINGS, "5.10")                                                                            \
    X(IORING_REGISTER_RING_FDS, "5.18")                                                                                \
    X(IORING_UNREGISTER_RING_FDS, "5.18")                                                                              \
    X(IORING_REGISTER_PBUF_RING, "5.19")

#define RING_ENTRY_FLAGS(X) X(IOSQE_BUFFER_SELECT, "5.7")

/* The last of each kind that Linux 6.1 has. */
enum {
    RING_6_1_OPERATION_LAST = IORING_OP_SENDMSG_ZC,
    RING_6_1_REGISTRATION_LAST = IORING_REGISTER_FILE_ALLOC_RANGE,
};

/* The calling thread owns the ring. OS_NO_IO_URING; BAD_ARGUMENT: OTPRING_RING_FEATURES names no kernel that can be
 * played. */
struct result ring_create(uint32_t entries, struct io_uring *ret_ring) MUST_USE;
/* Whether an entry, once prepared, asks for nothing but what the table has. */
bool ring_entry_listed(const struct io_uring_sqe *entry);

#endif
