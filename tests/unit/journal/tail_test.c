/* What a start does with the end of the last run: nothing rests on bytes that can be read and may not be safe. */
#include <string.h>

#include "helpers.h"
#include "journal/format.h"

/* The process dies, the machine goes on: what was written is all there. */
static void process_dies(struct rig *rig)
{
    rig_kill(rig);
    os_destroy(rig->main_os);
    for (int i = 0; i < RIG_WRITERS; i++) os_destroy(rig->os[i]);
    struct os_sim_world *after;
    assert_ok(os_sim_world_fork(rig->world, 1, true, &after));
    os_sim_world_destroy(rig->world);
    rig->world = after;
    rig->main_os = os_sim_create(rig->world);
    for (int i = 0; i < RIG_WRITERS; i++) rig->os[i] = os_sim_create(rig->world);
}

/* Three blocks, and a fourth whose flush fails: the drive has forgotten it and still gives it back. */
static void forget_the_fourth(struct rig *rig)
{
    rig_create(rig, 1);
    assert_ok(rig_ready(rig, 0));
    for (int i = 0; i < 3; i++) {
        assert_true(rig_append(rig, 0, 20, NULL));
        assert_true(rig_drain(rig));
    }
    os_sim_faults_set(rig->world, &(struct os_sim_faults){.fail_sync_at = 1});
    assert_true(rig_append(rig, 0, 200, NULL));
    assert_true(rig_drain(rig));
    assert_true(rig->blocks[3].settled_bad);
    os_sim_faults_set(rig->world, &(struct os_sim_faults){0});
    process_dies(rig);
}

static void a_block_whose_flush_failed_is_safe_once_a_start_has_read_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 32; i++) {
        struct rig rig;
        forget_the_fourth(&rig);
        assert_ok(rig_ready(&rig, 0));
        assert_int_equal(rig.visited_last, 4);
        assert_true(rig_append(&rig, 0, 1, NULL));
        assert_true(rig_drain(&rig));
        for (unsigned n = 0; n < i; n++) (void)os_sim_draw(rig.world);
        rig_crash(&rig);
        assert_ok(rig_open(&rig, 0));
        assert_int_equal(rig.visited_last, 5);
        assert_true(rig_promises_kept(&rig, 0));
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

static void a_header_whose_flush_failed_is_safe_once_a_start_has_read_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        struct rig rig;
        rig_create(&rig, 1);
        assert_ok(rig_ready(&rig, 0));
        /* 15 units of 4096 bytes a segment behind its header: the fourth block of four of them begins the next one. */
        for (int block = 0; block < 3; block++) {
            assert_true(rig_append(&rig, 0, 255, NULL));
            assert_true(rig_drain(&rig));
        }
        os_sim_faults_set(rig.world, &(struct os_sim_faults){.fail_sync_at = 1 + i % 2});
        assert_true(rig_append(&rig, 0, 255, NULL));
        assert_true(rig_drain(&rig));
        assert_true(rig.blocks[3].settled_bad);
        os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
        process_dies(&rig);
        uint64_t bad_position;
        os_sim_faults_set(rig.world, &(struct os_sim_faults){.fail_write_at = 1});
        assert_code(rig_reopen(&rig, &bad_position), OS_FAILED);
        os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
        assert_ok(rig_open(&rig, 0));
        assert_int_equal(rig.visited_last, 4);
        for (unsigned n = 0; n < i; n++) (void)os_sim_draw(rig.world);
        rig_crash(&rig);
        assert_ok(rig_open(&rig, 0));
        assert_int_equal(rig.visited_last, 4);
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

static void a_start_whose_own_writing_fails_is_refused_and_the_next_one_goes_on(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position;
    forget_the_fourth(&rig);
    os_sim_faults_set(rig.world, &(struct os_sim_faults){.fail_write_at = 1});
    assert_code(rig_reopen(&rig, &bad_position), OS_FAILED);
    assert_int_equal(bad_position, 4);
    os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
    assert_ok(rig_open(&rig, 0));
    assert_int_equal(rig.visited_last, 4);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* ---- what a disk may hold that no run of ours left ---- */

static void more_blocks_than_can_be_in_flight_are_not_taken_for_a_tail(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0;
    rig_create(&rig, 1);
    rig.options.segment_size = 1 << 20;
    assert_ok(rig_ready(&rig, 0));
    for (int i = 0; i < JOURNAL_DEPTH_LIMIT + 2; i++) {
        assert_true(rig_append(&rig, 0, 1, NULL));
        assert_true(rig_drain(&rig));
    }
    rig_close(&rig);
    for (uint64_t position = 2; position <= JOURNAL_DEPTH_LIMIT + 2; position++) rig_claim_committed(&rig, position, 1);
    assert_code(rig_reopen(&rig, &bad_position), JOURNAL_CORRUPT);
    assert_int_equal(bad_position, 3);
    /* Were one less unsafe, all of them would be remembered. */
    for (uint64_t position = 3; position <= JOURNAL_DEPTH_LIMIT + 2; position++) rig_claim_committed(&rig, position, 2);
    assert_ok(rig_open(&rig, 0));
    rig_close(&rig);
    rig_destroy(&rig);
}

static struct rig *changing;
static unsigned reads_until_change;

static void change(void *context)
{
    (void)context;
    if (reads_until_change > 0 && --reads_until_change == 0) rig_block_bytes(changing, 10)[100] ^= 1;
}

static void a_block_that_reads_otherwise_the_second_time_stops_the_start(void **state)
{
    (void)state;
    unsigned refused = 0;
    for (unsigned at = 1; at < 40; at++) {
        struct rig rig;
        uint64_t bad_position = 0;
        rig_fill(&rig, 10);
        changing = &rig;
        reads_until_change = at;
        os_sim_watch(rig.world, change, NULL);
        struct result result = rig_reopen(&rig, &bad_position);
        os_sim_watch(rig.world, NULL, NULL);
        /* Changed before the walk, it is a torn tail; behind the rewriting, it is found by the next start. */
        if (result_failed(result)) {
            assert_code(result, JOURNAL_CORRUPT);
            assert_int_equal(bad_position, 10);
            refused++;
        }
        rig_destroy(&rig);
    }
    assert_in_range(refused, 1, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_whose_flush_failed_is_safe_once_a_start_has_read_it),
        cmocka_unit_test(a_header_whose_flush_failed_is_safe_once_a_start_has_read_it),
        cmocka_unit_test(a_start_whose_own_writing_fails_is_refused_and_the_next_one_goes_on),
        cmocka_unit_test(more_blocks_than_can_be_in_flight_are_not_taken_for_a_tail),
        cmocka_unit_test(a_block_that_reads_otherwise_the_second_time_stops_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
