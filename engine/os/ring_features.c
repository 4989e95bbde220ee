#include "os/ring_features.h"

#include <stdlib.h>
#include <string.h>

bool ring_entry_listed(const struct io_uring_sqe *entry)
{
#define FLAG(flag, kernel) | (flag)
    const unsigned flags = 0 RING_ENTRY_FLAGS(FLAG);
#undef FLAG
    if (entry->flags & ~flags) return false;
    switch (entry->opcode) {
#define OPERATION(operation, bits, kernel)                                                                             \
    case IORING_OP_##operation:                                                                                        \
        return (entry->ioprio & ~(unsigned)(bits)) == 0;
        RING_OPERATIONS(OPERATION)
#undef OPERATION
    default:
        return false;
    }
}

/* Deferred task work is of 6.1 itself, so a kernel that made the ring has the multishot receive of 6.0, which no probe
 * shows; the probe finds operations that a build or a policy left out. */
static bool kernel_suffices(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool suffices = probe != NULL;
#define OPERATION(operation, bits, kernel)                                                                             \
    suffices = suffices && io_uring_opcode_supported(probe, IORING_OP_##operation);
    RING_OPERATIONS(OPERATION)
#undef OPERATION
    io_uring_free_probe(probe);
    return suffices;
}

/* Whether rings are to be made as Linux 6.1 would: only this one kernel can be asked for. */
static struct result masked(bool *ret_masked)
{
    const char *wanted = getenv("OTPRING_RING_FEATURES");
    *ret_masked = wanted && *wanted;
    return !*ret_masked || strcmp(wanted, "6.1") == 0 ? result_ok() : result_of(BAD_ARGUMENT);
}

/* From here on the kernel refuses what Linux 6.1 does not know. */
static int ring_mask(struct io_uring *ring)
{
    struct io_uring_restriction list[RING_6_1_OPERATION_LAST + RING_6_1_REGISTRATION_LAST + 3] = {0};
    unsigned count = 0;
    for (unsigned i = 0; i <= RING_6_1_OPERATION_LAST; i++)
        list[count++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = (uint8_t)i};
    for (unsigned i = 0; i <= RING_6_1_REGISTRATION_LAST; i++)
        list[count++] =
            (struct io_uring_restriction){.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = (uint8_t)i};
    list[count++] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
                                                  .sqe_flags = (1u << (IOSQE_CQE_SKIP_SUCCESS_BIT + 1)) - 1};
    /* By number: liburing 2.3 forgets to export its names for these. */
    unsigned file = (unsigned)ring->ring_fd;
    int status = io_uring_register(file, IORING_REGISTER_RESTRICTIONS, list, count);
    return status < 0 ? status : io_uring_register(file, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

struct result ring_create(uint32_t entries, struct io_uring *ret_ring)
{
#define FLAG(flag, kernel) | (flag)
    struct io_uring_params params = {.flags = 0 RING_SETUP_FLAGS(FLAG), .cq_entries = 8 * entries};
#undef FLAG
    bool mask;
    TRY(masked(&mask));
    /* A ring that is not to be masked has nothing to be done before it runs. */
    if (!mask) params.flags &= ~IORING_SETUP_R_DISABLED;
    if (io_uring_queue_init_params(entries, ret_ring, &params) < 0) return result_of(OS_NO_IO_URING);
    if ((!mask || ring_mask(ret_ring) >= 0) && kernel_suffices(ret_ring)) return result_ok();
    io_uring_queue_exit(ret_ring);
    return result_of(OS_NO_IO_URING);
}
