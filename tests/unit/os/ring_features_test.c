/* Nothing is asked of io_uring that Linux 6.1, Debian 12's own kernel, does not have. The lists here are written down
 * from include/uapi/linux/io_uring.h of v6.1, by number, so that newer headers cannot move them. */
#include <errno.h>
#include <stdlib.h>

#include "helpers.h"
#include "os/ring_features.h"

enum {
    OPERATIONS_OF_6_1 = 49,    /* IORING_OP_NOP 0 to IORING_OP_SENDMSG_ZC 48 */
    REGISTRATIONS_OF_6_1 = 26, /* IORING_REGISTER_BUFFERS 0 to IORING_REGISTER_FILE_ALLOC_RANGE 25 */
    SETUP_BITS_OF_6_1 = 14,    /* IORING_SETUP_IOPOLL 0 to IORING_SETUP_DEFER_TASKRUN 13 */
    ENTRY_BITS_OF_6_1 = 7,     /* IOSQE_FIXED_FILE 0 to IOSQE_CQE_SKIP_SUCCESS 6 */
    ACCEPT_BITS_OF_6_1 = 1,    /* IORING_ACCEPT_MULTISHOT */
    RECEIVE_BITS_OF_6_1 = 3,   /* IORING_RECVSEND_POLL_FIRST, IORING_RECV_MULTISHOT, IORING_RECVSEND_FIXED_BUF */
};

struct used {
    const char *name;
    unsigned value;
    const char *kernel;
};

static void kernel_is_at_most_6_1(const struct used *used)
{
    char *end;
    unsigned long major = strtoul(used->kernel, &end, 10);
    assert_int_equal(*end, '.');
    unsigned long minor = strtoul(end + 1, NULL, 10);
    if (major > 6 || (major == 6 && minor > 1)) fail_msg("%s is of Linux %s", used->name, used->kernel);
}

static void every_operation_is_one_of_linux_6_1(void **state)
{
    (void)state;
#define OPERATION(operation, bits, kernel) {#operation, IORING_OP_##operation, kernel},
    static const struct used operations[] = {RING_OPERATIONS(OPERATION)};
#undef OPERATION
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        assert_in_range(operations[i].value, 0, OPERATIONS_OF_6_1 - 1);
        kernel_is_at_most_6_1(&operations[i]);
    }
    assert_int_equal(RING_6_1_OPERATION_LAST, OPERATIONS_OF_6_1 - 1);
#define OPERATION(operation, bits, kernel)                                                                             \
    if (IORING_OP_##operation == IORING_OP_ACCEPT)                                                                     \
        assert_int_equal((bits) >> ACCEPT_BITS_OF_6_1, 0);                                                             \
    else if (IORING_OP_##operation == IORING_OP_RECV || IORING_OP_##operation == IORING_OP_SEND)                       \
        assert_int_equal((bits) >> RECEIVE_BITS_OF_6_1, 0);                                                            \
    else                                                                                                               \
        assert_int_equal(bits, 0);
    RING_OPERATIONS(OPERATION)
#undef OPERATION
}

static void every_setup_flag_registration_and_entry_flag_is_one_of_linux_6_1(void **state)
{
    (void)state;
#define NAMED(name, kernel) {#name, name, kernel},
    static const struct used flags[] = {RING_SETUP_FLAGS(NAMED)};
    static const struct used registrations[] = {RING_REGISTRATIONS(NAMED)};
    static const struct used entry_flags[] = {RING_ENTRY_FLAGS(NAMED)};
#undef NAMED
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        assert_int_equal(flags[i].value >> SETUP_BITS_OF_6_1, 0);
        kernel_is_at_most_6_1(&flags[i]);
    }
    for (size_t i = 0; i < sizeof registrations / sizeof registrations[0]; i++) {
        assert_in_range(registrations[i].value, 0, REGISTRATIONS_OF_6_1 - 1);
        kernel_is_at_most_6_1(&registrations[i]);
    }
    for (size_t i = 0; i < sizeof entry_flags / sizeof entry_flags[0]; i++) {
        assert_int_equal(entry_flags[i].value >> ENTRY_BITS_OF_6_1, 0);
        kernel_is_at_most_6_1(&entry_flags[i]);
    }
    assert_int_equal(RING_6_1_REGISTRATION_LAST, REGISTRATIONS_OF_6_1 - 1);
}

/* The mask is the kernel's own: an operation outside it fails on a masked ring, and only there. */
static void a_masked_ring_refuses_what_is_newer(void **state)
{
    (void)state;
    struct io_uring made, *ring = &made;
    setenv("OTPRING_RING_FEATURES", "6.1", 1);
    assert_ok(ring_create(8, ring));
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);
    struct io_uring_cqe *completion;
    io_uring_prep_nop(entry);
    assert_int_equal(io_uring_submit_and_wait(ring, 1), 1);
    assert_int_equal(io_uring_peek_cqe(ring, &completion), 0);
    assert_int_equal(completion->res, 0);
    io_uring_cqe_seen(ring, completion);
    entry = io_uring_get_sqe(ring);
    io_uring_prep_nop(entry);
    entry->opcode = OPERATIONS_OF_6_1; /* the first that 6.1 does not know: 6.5's IORING_OP_READ_MULTISHOT */
    entry->fd = -1;
    assert_int_equal(io_uring_submit_and_wait(ring, 1), 1);
    assert_int_equal(io_uring_peek_cqe(ring, &completion), 0);
    /* A kernel that has it says that it may not be; 6.1 itself does not know it. */
    assert_true(completion->res == -EACCES || completion->res == -EINVAL);
    io_uring_cqe_seen(ring, completion);
    io_uring_queue_exit(ring);
    unsetenv("OTPRING_RING_FEATURES");
}

static void what_is_not_in_the_table_is_told(void **state)
{
    (void)state;
    struct io_uring_sqe entry = {
        .opcode = IORING_OP_RECV, .ioprio = IORING_RECV_MULTISHOT, .flags = IOSQE_BUFFER_SELECT};
    assert_true(ring_entry_listed(&entry));
    entry.ioprio |= 1u << 4; /* 6.10's IORING_RECVSEND_BUNDLE */
    assert_false(ring_entry_listed(&entry));
    entry = (struct io_uring_sqe){.opcode = IORING_OP_SEND_ZC};
    assert_false(ring_entry_listed(&entry));
}

static void a_kernel_that_cannot_be_played_is_refused(void **state)
{
    (void)state;
    struct os *os;
    setenv("OTPRING_RING_FEATURES", "5.15", 1);
    assert_code(os_uring_create(&(struct os_uring_options){.entries = 8}, &os), BAD_ARGUMENT);
    unsetenv("OTPRING_RING_FEATURES");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_is_one_of_linux_6_1),
        cmocka_unit_test(every_setup_flag_registration_and_entry_flag_is_one_of_linux_6_1),
        cmocka_unit_test(a_masked_ring_refuses_what_is_newer),
        cmocka_unit_test(what_is_not_in_the_table_is_told),
        cmocka_unit_test(a_kernel_that_cannot_be_played_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
