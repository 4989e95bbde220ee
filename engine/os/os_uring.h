/* The real os: one io_uring a thread (DEFER_TASKRUN, SINGLE_ISSUER where the kernel has them, all of Linux 6.1).
 * The creating thread owns it. What it asks of the kernel is the table of ring_features.h; OTPRING_RING_FEATURES=6.1 in
 * the environment makes the kernel refuse anything newer. */
#ifndef OTPRING_OS_OS_URING_H
#define OTPRING_OS_OS_URING_H

#include "os/os.h"

struct os_uring_options {
    uint32_t entries;      /* submission queue; 0: 1024 */
    uint32_t buffer_count; /* receive buffers, a power of two; 0: no sockets */
    uint32_t buffer_size;  /* bytes each */
    uint32_t spin_ns;      /* bounded spin before a wait sleeps; 0: none */
};

/* OS_NO_IO_URING, NO_MEMORY, BAD_ARGUMENT (OTPRING_RING_FEATURES names no kernel that can be played). */
struct result os_uring_create(const struct os_uring_options *options, struct os **ret_os) MUST_USE;

#endif
