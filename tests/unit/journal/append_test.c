/* Appending, settling, rotation, room, poison: on the simulated os. */
#include <stdlib.h>
#include <string.h>

#include "helpers.h"

static void blocks_of_several_writers_settle_in_order_of_position(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct rig rig;
        rig_create(&rig, seed);
        assert_ok(rig_ready(&rig, 0));
        assert_ok(rig_keep(&rig));
        for (int i = 0; i < 60; i++) {
            rig_append(&rig, (uint32_t)(os_sim_draw(rig.world) % 3), 1 + (uint32_t)(os_sim_draw(rig.world) % 100),
                       NULL);
            if (os_sim_draw(rig.world) % 2) assert_true(rig_step(&rig));
            if (i % 8 == 0) assert_ok(rig_keep(&rig));
        }
        assert_true(rig_drain(&rig));
        assert_false(rig.out_of_order);
        assert_true(rig.block_count > 20);
        for (uint64_t i = 0; i < rig.block_count; i++) {
            assert_true(rig.blocks[i].settled_ok);
            assert_int_equal(rig.blocks[i].position, i + 1);
        }
        assert_int_equal(journal_durable_through(rig.journal), rig.block_count);
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

static void a_block_waits_for_a_predecessor_on_another_thread(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 3);
    assert_ok(rig_ready(&rig, 0));
    assert_true(rig_append(&rig, 0, 1, NULL));
    assert_true(rig_append(&rig, 1, 1, NULL));
    /* Only the second writer's os runs its callbacks: its own write ends, yet nothing is settled. */
    for (int i = 0; i < 50; i++) {
        assert_ok(os_step(rig.os[1], 20000, NULL));
        journal_poll(rig.writers[1]);
    }
    assert_false(rig.blocks[1].settled_ok);
    assert_int_equal(journal_durable_through(rig.journal), 0);
    assert_ok(os_step(rig.os[0], 1000000, NULL));
    assert_true(rig.blocks[0].settled_ok);
    assert_false(rig.blocks[1].settled_ok); /* settles on its own thread alone */
    unsigned completed = 9;
    assert_ok(os_step(rig.os[1], UINT64_MAX, &completed)); /* woken: returns although nothing completes */
    assert_int_equal(completed, 0);
    journal_poll(rig.writers[1]);
    assert_true(rig.blocks[1].settled_ok);
    rig_close(&rig);
    rig_destroy(&rig);
}

static void no_more_blocks_than_the_depth_are_begun_or_in_flight(void **state)
{
    (void)state;
    struct rig rig;
    struct result refusal;
    rig_create(&rig, 4);
    assert_ok(rig_ready(&rig, 0));
    for (uint32_t i = 0; i < 4; i++) assert_true(rig_append(&rig, i % 2, 1, NULL));
    assert_false(rig_append(&rig, 2, 1, &refusal));
    assert_code(refusal, FULL);
    assert_true(rig_drain(&rig));
    assert_true(rig_append(&rig, 2, 1, NULL));
    rig_close(&rig);
    rig_destroy(&rig);
}

static void an_abandoned_block_gives_its_room_and_depth_back(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 5);
    assert_ok(rig_ready(&rig, 0));
    for (int i = 0; i < 1000; i++) {
        struct journal_block *block;
        assert_ok(journal_begin(rig.writers[0], &block));
        journal_abandon(block);
    }
    assert_true(rig_append(&rig, 0, 255, NULL));
    assert_true(rig_drain(&rig));
    assert_int_equal(rig.blocks[0].position, 1);
    rig_close(&rig);
    rig_destroy(&rig);
}

static void poisoned_by(const struct os_sim_faults *faults, uint64_t seed)
{
    struct rig rig;
    rig_create(&rig, seed);
    assert_ok(rig_ready(&rig, 0));
    assert_true(rig_append(&rig, 0, 4, NULL));
    assert_true(rig_drain(&rig));
    os_sim_faults_set(rig.world, faults);
    assert_true(rig_append(&rig, 0, 130, NULL));
    assert_true(rig_append(&rig, 1, 130, NULL));
    assert_true(rig_append(&rig, 2, 130, NULL));
    struct journal_block *begun;
    assert_ok(journal_begin(rig.writers[0], &begun));
    assert_true(rig_drain(&rig));
    assert_true(journal_status(rig.journal).poisoned);
    unsigned bad = 0;
    for (int i = 1; i < 4; i++) bad += rig.blocks[i].settled_bad;
    assert_true(bad >= 1);
    /* Once one is bad, all behind it are. */
    for (int i = 2; i < 4; i++) assert_true(!rig.blocks[i - 1].settled_bad || rig.blocks[i].settled_bad);
    assert_true(rig.blocks[0].settled_ok);
    /* What was begun before settles as poisoned, and nothing more is begun. */
    uint64_t id = ++rig.block_count;
    memcpy(begun->slots, &id, sizeof id);
    begun->owner = &rig;
    rig.blocks[id - 1].id = id;
    journal_append(begun, 1, rig.now_ms);
    journal_poll(rig.writers[0]);
    assert_true(rig.blocks[id - 1].settled_bad);
    struct result refusal;
    assert_false(rig_append(&rig, 1, 1, &refusal));
    assert_code(refusal, JOURNAL_POISONED);
    assert_code(rig_keep(&rig), JOURNAL_POISONED);
    rig_close(&rig);
    /* A new start keeps the first block and goes on. */
    os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
    assert_ok(rig_ready(&rig, 0));
    assert_true(rig_promises_kept(&rig, 0));
    assert_true(rig_append(&rig, 1, 1, NULL));
    assert_true(rig_drain(&rig));
    rig_close(&rig);
    rig_destroy(&rig);
}

static void a_failed_write_poisons_for_good(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        poisoned_by(&(struct os_sim_faults){.fail_write_at = 1 + seed % 3}, seed);
        poisoned_by(&(struct os_sim_faults){.fail_write_at = 1, .fail_sticky = true}, seed);
    }
}

/* The first sync behind an open journal is that of a new spare's zeros, which is given up; the second is that of the
 * folder, once the spare has its number. */
static void names_that_may_not_be_safe_poison_for_good(void **state)
{
    (void)state;
    for (uint64_t at = 1; at <= 2; at++) {
        struct rig rig;
        rig_create(&rig, 5);
        assert_ok(rig_open(&rig, 0));
        os_sim_faults_set(rig.world, &(struct os_sim_faults){.fail_sync_at = at});
        assert_code(rig_keep(&rig), OS_FAILED);
        assert_int_equal(journal_status(rig.journal).poisoned, at == 2);
        if (at == 2)
            assert_code(rig_keep(&rig), JOURNAL_POISONED);
        else
            assert_ok(rig_keep(&rig));
        rig_close(&rig);
        os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
        assert_ok(rig_ready(&rig, 0));
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

static void a_short_write_poisons_for_good(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        poisoned_by(&(struct os_sim_faults){.short_write_at = 1 + seed % 3}, seed);
}

static void segments_rotate_and_are_recycled(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 6);
    rig.options.keep_size = 3 * (64 << 10);
    assert_ok(rig_ready(&rig, 0));
    for (int i = 0; i < 1200; i++) {
        struct result refusal;
        while (!rig_append(&rig, (uint32_t)i % 3, 1 + (uint32_t)i % 200, &refusal)) {
            assert_true(refusal.code == FULL || refusal.code == JOURNAL_NO_ROOM);
            assert_true(rig_step(&rig));
            assert_ok(rig_keep(&rig));
        }
        rig.now_ms += 5;
    }
    assert_true(rig_drain(&rig));
    assert_ok(rig_keep(&rig));
    struct journal_status status = journal_status(rig.journal);
    assert_true(status.rotations >= 20);
    assert_true(status.segment - status.segment_oldest <= 6);
    /* The folder holds what is kept and the spares, no more. */
    unsigned files = 0;
    for (uint64_t number = 1; number < status.segment + 4; number++) {
        uint64_t size;
        if (os_sim_file(rig.world, rig_segment_path(number), &size)) files++;
    }
    assert_in_range(files, 4, 10);
    uint64_t durable = journal_durable_through(rig.journal);
    rig_close(&rig);
    /* Recovery after a position that is still there: stale blocks of recycled files are not taken for new ones. */
    assert_ok(rig_open(&rig, durable - 10));
    assert_true(rig_promises_kept(&rig, durable - 10));
    assert_int_equal(rig.visited_last, durable);
    rig_close(&rig);
    /* What is gone is missed by name. */
    uint64_t bad_position = 0;
    assert_code(journal_open(rig.main_os, &rig.options, NULL, 3, NULL, NULL, &rig.journal, &bad_position),
                JOURNAL_MISSING);
    assert_int_equal(bad_position, 4);
    rig.journal = NULL;
    rig_destroy(&rig);
}

static void without_space_begin_says_no_room_and_service_resumes(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 7);
    os_sim_world_destroy(rig.world);
    /* Room for three segments and no more. */
    assert_ok(os_sim_world_create(&(struct os_sim_options){.seed = 7, .disk_size = 3 * (64 << 10) + 9000}, &rig.world));
    rig.main_os = os_sim_create(rig.world);
    for (int i = 0; i < RIG_WRITERS; i++) rig.os[i] = os_sim_create(rig.world);
    rig.options.keep_size = 1;
    rig.options.spare_count = 4;
    rig.release_position = 0;
    assert_ok(rig_ready(&rig, 0));
    struct result refusal = result_ok();
    for (int i = 0; i < 200 && refusal.code != JOURNAL_NO_ROOM; i++) {
        rig_append(&rig, (uint32_t)i % 3, 200, &refusal);
        assert_true(rig_drain(&rig));
        assert_ok(rig_keep(&rig));
        rig.now_ms += 2000;
    }
    assert_code(refusal, JOURNAL_NO_ROOM);
    assert_true(rig_drain(&rig));
    assert_true(journal_status(rig.journal).no_room);
    assert_false(journal_status(rig.journal).poisoned);
    for (uint64_t i = 0; i < rig.block_count; i++) assert_true(rig.blocks[i].settled_ok);
    /* The checkpoint moves on: old segments are free to be used again. */
    rig.release_position = UINT64_MAX;
    uint64_t before = rig.block_count;
    for (int i = 0; i < 300; i++) {
        rig.now_ms += 2000;
        assert_ok(rig_keep(&rig));
        rig_append(&rig, (uint32_t)i % 3, 200, &refusal);
        assert_true(rig_drain(&rig));
    }
    assert_true(rig.block_count > before + 50);
    rig_close(&rig);
    rig_destroy(&rig);
}

static void count_settled(struct journal_block *block, struct result result)
{
    assert_ok(result);
    ++*(uint32_t *)block->owner;
}

/* Blocks of 1 MiB in segments of 2 MiB waste nearly half of each: begin must have counted on it, whatever is begun at
 * once. */
static void what_was_begun_always_fits_whatever_rotation_wastes(void **state)
{
    (void)state;
    for (uint32_t spares = 1; spares <= 4; spares++) {
        struct rig rig;
        struct journal_writer *writer;
        struct journal_block *blocks[4];
        uint32_t settled_count = 0;
        uint32_t begun_count = 0;
        rig_create(&rig, spares);
        rig.options.segment_size = 2 << 20;
        rig.options.spare_count = spares;
        assert_ok(rig_ready(&rig, 0));
        struct journal_writer_options options = {.block_count = 4, .settled = count_settled};
        assert_ok(journal_writer_create(rig.journal, rig.os[0], &options, &writer));
        for (uint32_t count = 4; count == 4;) {
            count = 0;
            while (count < 4 && !result_failed(journal_begin(writer, &blocks[count]))) count++;
            begun_count += count;
            for (uint32_t i = 0; i < count; i++) {
                blocks[i]->owner = &settled_count;
                memset(blocks[i]->slots, SLOT_VERIFY, (size_t)JOURNAL_SLOTS_MAX * 64);
                journal_append(blocks[i], JOURNAL_SLOTS_MAX, 1);
            }
            while (journal_in_flight(writer) > 0) assert_ok(os_step(rig.os[0], 1000000, NULL));
        }
        assert_in_range(begun_count, spares, spares + 1);
        assert_int_equal(settled_count, begun_count);
        journal_writer_destroy(writer);
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

static void a_writer_whose_block_fits_no_segment_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 8);
    assert_ok(rig_ready(&rig, 0));
    struct journal_writer *writer;
    struct journal_writer_options options = {.slots_per_block = JOURNAL_SLOTS_MAX};
    assert_code(journal_writer_create(rig.journal, rig.os[0], &options, &writer), BAD_ARGUMENT);
    rig_close(&rig);
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_several_writers_settle_in_order_of_position),
        cmocka_unit_test(a_block_waits_for_a_predecessor_on_another_thread),
        cmocka_unit_test(no_more_blocks_than_the_depth_are_begun_or_in_flight),
        cmocka_unit_test(an_abandoned_block_gives_its_room_and_depth_back),
        cmocka_unit_test(a_failed_write_poisons_for_good),
        cmocka_unit_test(a_short_write_poisons_for_good),
        cmocka_unit_test(names_that_may_not_be_safe_poison_for_good),
        cmocka_unit_test(segments_rotate_and_are_recycled),
        cmocka_unit_test(without_space_begin_says_no_room_and_service_resumes),
        cmocka_unit_test(what_was_begun_always_fits_whatever_rotation_wastes),
        cmocka_unit_test(a_writer_whose_block_fits_no_segment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
