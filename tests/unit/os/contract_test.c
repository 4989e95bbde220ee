/* What os.h promises of files, timers, cancelling and waking, held by the simulated os and the real one alike. */
#include "helpers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_NEW = OS_OPEN_WRITE | OS_OPEN_CREATE };

static int sim_setup(void **state)
{
    *state = fixture_of_sim(7);
    return 0;
}

static int uring_setup(void **state)
{
    *state = fixture_of_uring(0);
    return 0;
}

static int spinning_setup(void **state)
{
    *state = fixture_of_uring(200000);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static void what_was_written_is_read_back(void **state)
{
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW | OS_OPEN_DIRECT);
    assert_true(file >= 0);
    assert_int_equal(run_bytes(f->os, OS_WRITE_DSYNC, file, block_of(1), OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block_of(2), OS_BLOCK_SIZE, OS_BLOCK_SIZE), OS_BLOCK_SIZE);
    uint8_t *back = block_of(0);
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, OS_BLOCK_SIZE, OS_BLOCK_SIZE), OS_BLOCK_SIZE);
    assert_memory_equal(back, block_of(2), OS_BLOCK_SIZE);
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, OS_BLOCK_SIZE, 0), OS_BLOCK_SIZE);
    assert_memory_equal(back, block_of(1), OS_BLOCK_SIZE);
    assert_int_equal(run_file(f->os, OS_SYNC, file), 0);
    assert_int_equal(run_file(f->os, OS_CLOSE, file), 0);
}

static void reads_are_short_at_the_end_of_the_file(void **state)
{
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
    uint8_t back[64] = {0};
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, "hello", 5, 0), 5);
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, sizeof back, 2), 3);
    assert_memory_equal(back, "llo", 3);
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, sizeof back, 5), 0);
    assert_int_equal(run_file(f->os, OS_CLOSE, file), 0);
}

static void allocated_room_reads_as_zeros(void **state)
{
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
    struct os_op op = {.kind = OS_ALLOCATE, .file = file, .size = 100000};
    assert_int_equal(os_run(f->os, &op), 0);
    uint8_t back[16], zeros[16] = {0};
    memset(back, 9, sizeof back);
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, sizeof back, 100000 - 16), 16);
    assert_memory_equal(back, zeros, 16);
    assert_int_equal(run_file(f->os, OS_CLOSE, file), 0);
}

static void opening_refuses_what_it_must(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run_open(f->os, f->path[0], OS_OPEN_READ), -ENOENT);
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
    assert_int_equal(run_open(f->os, f->path[0], OPEN_NEW), -EEXIST);
    assert_int_equal(run_file(f->os, OS_CLOSE, file), 0);
    file = (int)run_open(f->os, f->path[0], OS_OPEN_READ);
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, "x", 1, 0), -EBADF);
    assert_int_equal(run_file(f->os, OS_CLOSE, file), 0);
    assert_int_equal(run_bytes(f->os, OS_READ, file, block_of(0), 1, 0), -EBADF);
}

static void direct_files_refuse_unaligned_sizes_and_offsets(void **state)
{
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW | OS_OPEN_DIRECT);
    uint8_t *block = block_of(3);
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block, 100, 0), -EINVAL);
    assert_int_equal(run_bytes(f->os, OS_WRITE, file, block, OS_BLOCK_SIZE, 100), -EINVAL);
    assert_int_equal(run_file(f->os, OS_CLOSE, file), 0);
}

static void rename_replaces_and_unlink_removes(void **state)
{
    struct fixture *f = *state;
    uint8_t back[3];
    int one = (int)run_open(f->os, f->path[0], OPEN_NEW);
    int two = (int)run_open(f->os, f->path[1], OPEN_NEW);
    run_bytes(f->os, OS_WRITE, one, "one", 3, 0);
    run_bytes(f->os, OS_WRITE, two, "two", 3, 0);
    assert_int_equal(run_rename(f->os, f->path[0], f->path[1]), 0);
    assert_int_equal(run_open(f->os, f->path[0], OS_OPEN_READ), -ENOENT);
    int file = (int)run_open(f->os, f->path[1], OS_OPEN_READ);
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, 3, 0), 3);
    assert_memory_equal(back, "one", 3);
    assert_int_equal(run_unlink(f->os, f->path[1]), 0);
    assert_int_equal(run_unlink(f->os, f->path[1]), -ENOENT);
    run_sync_folder(f);
    run_file(f->os, OS_CLOSE, one);
    run_file(f->os, OS_CLOSE, two);
    run_file(f->os, OS_CLOSE, file);
}

static void an_unlinked_file_stays_usable_while_open(void **state)
{
    struct fixture *f = *state;
    uint8_t back[4];
    int gone = (int)run_open(f->os, f->path[0], OPEN_NEW);
    run_bytes(f->os, OS_WRITE, gone, "gone", 4, 0);
    assert_int_equal(run_unlink(f->os, f->path[0]), 0);
    run_sync_folder(f);
    int other = (int)run_open(f->os, f->path[1], OPEN_NEW);
    run_bytes(f->os, OS_WRITE, other, "here", 4, 0);
    assert_int_equal(run_bytes(f->os, OS_READ, gone, back, 4, 0), 4);
    assert_memory_equal(back, "gone", 4);
    run_file(f->os, OS_CLOSE, gone);
    run_file(f->os, OS_CLOSE, other);
}

struct names {
    unsigned count;
    uint64_t size;
};

static void name_seen(void *context, const char *name, uint64_t size)
{
    struct names *names = context;
    names->count++;
    if (strcmp(name, "two") == 0) names->size = size;
}

static void a_folder_lists_its_files_with_sizes(void **state)
{
    struct fixture *f = *state;
    int one = (int)run_open(f->os, f->path[0], OPEN_NEW);
    int two = (int)run_open(f->os, f->path[1], OPEN_NEW);
    run_bytes(f->os, OS_WRITE, two, "12345", 5, 0);
    struct names names = {0};
    assert_ok(os_list(f->os, f->folder, name_seen, &names));
    assert_int_equal(names.count, 2);
    assert_int_equal(names.size, 5);
    run_file(f->os, OS_CLOSE, one);
    run_file(f->os, OS_CLOSE, two);
}

struct alarm {
    struct os *os;
    unsigned *rung; /* by all */
    unsigned place;
    uint64_t ended_ns;
    int64_t result;
};

static void alarm_done(struct os_op *op, int64_t result)
{
    struct alarm *alarm = op->owner;
    alarm->place = ++*alarm->rung;
    alarm->ended_ns = os_monotonic_ns(alarm->os);
    alarm->result = result;
}

/* One step may find both over, on a machine that does much else; their order says what the times did. */
static void timers_end_in_the_order_of_their_times(void **state)
{
    struct fixture *f = *state;
    unsigned rung = 0;
    struct alarm late_alarm = {.os = f->os, .rung = &rung}, early_alarm = late_alarm;
    struct os_op late = {.kind = OS_TIMER, .timeout_ns = 300000000, .done = alarm_done, .owner = &late_alarm};
    struct os_op early = {.kind = OS_TIMER, .timeout_ns = 3000000, .done = alarm_done, .owner = &early_alarm};
    uint64_t begun = os_monotonic_ns(f->os);
    os_submit(f->os, &late);
    os_submit(f->os, &early);
    while (rung < 2) assert_ok(os_step(f->os, UINT64_MAX, NULL));
    assert_int_equal(early_alarm.place, 1);
    assert_int_equal(early_alarm.result, 0);
    assert_true(early_alarm.ended_ns - begun >= 3000000);
    assert_int_equal(late_alarm.place, 2);
    assert_int_equal(late_alarm.result, 0);
    assert_true(late_alarm.ended_ns - begun >= 300000000);
}

static void a_cancelled_timer_ends_at_once(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0};
    struct os_op timer = {.kind = OS_TIMER, .timeout_ns = 3600000000000, .done = seen_done, .owner = &seen};
    os_submit(f->os, &timer);
    struct os_op cancel = {.kind = OS_CANCEL, .target = &timer};
    assert_int_equal(os_run(f->os, &cancel), 0);
    while (!seen.count) assert_ok(os_step(f->os, 0, NULL));
    assert_int_equal(seen.result, -ECANCELED);
    assert_false(timer.pending);
    struct os_op again = {.kind = OS_CANCEL, .target = &timer};
    assert_int_equal(os_run(f->os, &again), -ENOENT);
}

static void a_wait_ends_when_its_time_has_passed(void **state)
{
    struct fixture *f = *state;
    uint64_t begun = os_monotonic_ns(f->os);
    unsigned completed = 99;
    assert_ok(os_step(f->os, 5000000, &completed));
    assert_int_equal(completed, 0);
    uint64_t took = os_monotonic_ns(f->os) - begun;
    assert_in_range(took, 4900000, 2000000000);
}

static void a_wake_up_before_the_wait_is_not_lost(void **state)
{
    struct fixture *f = *state;
    uint64_t begun = os_monotonic_ns(f->os);
    for (int i = 0; i < 3; i++) {
        os_wake(f->os);
        os_wake(f->os);
        assert_ok(os_step(f->os, 10000000000, NULL));
    }
    assert_true(os_monotonic_ns(f->os) - begun < 5000000000);
}

struct chain {
    unsigned left;
};

static void chain_done(struct os_op *op, int64_t result)
{
    struct chain *chain = op->owner;
    assert_int_equal(result, 0);
    if (--chain->left) {
        os_submit((struct os *)op->buffer, op);
    }
}

static void an_operation_may_be_submitted_again_from_its_own_done(void **state)
{
    struct fixture *f = *state;
    struct chain chain = {.left = 5};
    struct os_op op = {.kind = OS_TIMER, .timeout_ns = 1000, .done = chain_done, .owner = &chain, .buffer = f->os};
    os_submit(f->os, &op);
    unsigned total = 0;
    while (chain.left) {
        unsigned completed;
        assert_ok(os_step(f->os, UINT64_MAX, &completed));
        total += completed;
    }
    assert_int_equal(total, 5);
}

static void more_operations_than_the_queue_holds_all_complete(void **state)
{
    enum { MANY = 1000 };
    struct fixture *f = *state;
    int file = (int)run_open(f->os, f->path[0], OPEN_NEW);
    struct seen seen = {0};
    struct os_op *ops = calloc(MANY, sizeof *ops);
    uint8_t bytes[MANY];
    for (int i = 0; i < MANY; i++) {
        bytes[i] = (uint8_t)i;
        ops[i] = (struct os_op){.kind = OS_WRITE, .file = file, .buffer = &bytes[i], .size = 1, .offset = (uint64_t)i};
        ops[i].done = seen_done;
        ops[i].owner = &seen;
        os_submit(f->os, &ops[i]);
    }
    while (seen.count < MANY) assert_ok(os_step(f->os, UINT64_MAX, NULL));
    uint8_t back[MANY];
    assert_int_equal(run_bytes(f->os, OS_READ, file, back, MANY, 0), MANY);
    assert_memory_equal(back, bytes, MANY);
    run_file(f->os, OS_CLOSE, file);
    free(ops);
}

static void random_bytes_differ_each_time(void **state)
{
    struct fixture *f = *state;
    uint8_t one[32] = {0}, two[32] = {0};
    os_random(f->os, one, sizeof one);
    os_random(f->os, two, sizeof two);
    assert_memory_not_equal(one, two, sizeof one);
}

static void errno_values_become_results(void **state)
{
    (void)state;
    assert_ok(os_result(0));
    assert_ok(os_result(12));
    assert_code(os_result(-ENOSPC), OS_NO_SPACE);
    assert_code(os_result(-ENOENT), OS_NOT_FOUND);
    assert_code(os_result(-EEXIST), OS_EXISTS);
    assert_code(os_result(-EACCES), OS_PERMISSION);
    assert_code(os_result(-EPERM), OS_PERMISSION);
    assert_code(os_result(-EIO), OS_FAILED);
}

static bool each_wait(void *context)
{
    unsigned *count = context;
    return ++*count % 2;
}

static void whoever_waits_is_called_again_and_again_and_no_longer(void **state)
{
    struct fixture *f = *state;
    unsigned count = 0;
    for (int idle = 1; idle >= 0; idle--) {
        struct os_op timer = {.kind = OS_TIMER, .timeout_ns = 40000000};
        unsigned before = count;
        os_while_waiting(f->os, idle ? each_wait : NULL, &count);
        (void)os_run(f->os, &timer);
        if (idle) assert_true(count > before + 3);
        if (!idle) assert_int_equal(count, before);
    }
}

#define CONTRACT(setup)                                                                                                \
    cmocka_unit_test_setup_teardown(what_was_written_is_read_back, setup, teardown),                                   \
        cmocka_unit_test_setup_teardown(reads_are_short_at_the_end_of_the_file, setup, teardown),                      \
        cmocka_unit_test_setup_teardown(whoever_waits_is_called_again_and_again_and_no_longer, setup, teardown),       \
        cmocka_unit_test_setup_teardown(allocated_room_reads_as_zeros, setup, teardown),                               \
        cmocka_unit_test_setup_teardown(opening_refuses_what_it_must, setup, teardown),                                \
        cmocka_unit_test_setup_teardown(direct_files_refuse_unaligned_sizes_and_offsets, setup, teardown),             \
        cmocka_unit_test_setup_teardown(rename_replaces_and_unlink_removes, setup, teardown),                          \
        cmocka_unit_test_setup_teardown(an_unlinked_file_stays_usable_while_open, setup, teardown),                    \
        cmocka_unit_test_setup_teardown(a_folder_lists_its_files_with_sizes, setup, teardown),                         \
        cmocka_unit_test_setup_teardown(timers_end_in_the_order_of_their_times, setup, teardown),                      \
        cmocka_unit_test_setup_teardown(a_cancelled_timer_ends_at_once, setup, teardown),                              \
        cmocka_unit_test_setup_teardown(a_wait_ends_when_its_time_has_passed, setup, teardown),                        \
        cmocka_unit_test_setup_teardown(a_wake_up_before_the_wait_is_not_lost, setup, teardown),                       \
        cmocka_unit_test_setup_teardown(an_operation_may_be_submitted_again_from_its_own_done, setup, teardown),       \
        cmocka_unit_test_setup_teardown(more_operations_than_the_queue_holds_all_complete, setup, teardown),           \
        cmocka_unit_test_setup_teardown(random_bytes_differ_each_time, setup, teardown)

int main(void)
{
    const struct CMUnitTest sim[] = {CONTRACT(sim_setup)};
    const struct CMUnitTest uring[] = {CONTRACT(uring_setup), cmocka_unit_test(errno_values_become_results)};
    const struct CMUnitTest spinning[] = {CONTRACT(spinning_setup)};
    int failed = cmocka_run_group_tests_name("simulated os", sim, NULL, NULL);
    failed += cmocka_run_group_tests_name("io_uring", uring, NULL, NULL);
    failed += cmocka_run_group_tests_name("io_uring, spinning", spinning, NULL, NULL);
    return failed;
}
