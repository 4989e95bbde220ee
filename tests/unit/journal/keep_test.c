/* What the journal keeps: by size, by age, until it is asked to let go; and never less than recovery needs. And how far
 * its seals may fall behind. */
#include "helpers.h"

#include <stdio.h>
#include <string.h>

static void fill(struct rig *rig, unsigned count, int64_t pause_ms)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, 100, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
        rig->now_ms += pause_ms;
        assert_true(rig_drain(rig));
        assert_ok(rig_keep(rig));
    }
}

static void create(struct rig *rig)
{
    rig_create(rig, 1);
    rig->vault = rig_vault(rig->options.store_id);
}

static void segments_go_when_their_last_record_is_too_old(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.keep_age_ms = 100000;
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 60, 1000); /* a minute */
    assert_int_equal(journal_status(rig.journal).first_position, 1);
    fill(&rig, 200, 1000);
    uint64_t first = journal_status(rig.journal).first_position, next = journal_status(rig.journal).position_next;
    /* About a hundred seconds, a block and at most a seal each, are left: never less. */
    assert_true(first > 1 && next - first >= 100 && next - first <= 300);
    /* Idle for long: all that is closed goes, the segment being written stays. */
    rig.now_ms += 1000000;
    for (int i = 0; i < 20; i++) assert_ok(rig_keep(&rig));
    assert_true(journal_status(rig.journal).first_position > first);
    assert_true(journal_status(rig.journal).segment_oldest >= journal_status(rig.journal).segment - 1);
    rig_close(&rig);
    rig_destroy(&rig);
}

static void segments_go_when_asked_for_and_no_further_than_asked(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 100, 300);
    uint64_t end = journal_status(rig.journal).position_next;
    journal_prune(rig.journal, end / 2);
    journal_prune(rig.journal, 3); /* never lowered */
    for (int i = 0; i < 20; i++) assert_ok(rig_keep(&rig));
    uint64_t first = journal_status(rig.journal).first_position;
    assert_true(first > 1 && first <= end / 2 + 1);
    /* Everything: the segment being written, and what its header does not yet call closed, stay. */
    journal_prune(rig.journal, UINT64_MAX);
    for (int i = 0; i < 20; i++) assert_ok(rig_keep(&rig));
    assert_true(journal_status(rig.journal).first_position > first);
    assert_true(journal_status(rig.journal).first_position < journal_status(rig.journal).position_next);
    rig_close(&rig);
    assert_ok(rig_open(&rig, end - 1));
    rig_close(&rig);
    rig_destroy(&rig);
}

static void what_is_not_released_stays_however_old_or_unwanted(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.keep_age_ms = 1;
    rig.release_position = 0;
    assert_ok(rig_ready(&rig, 0));
    journal_prune(rig.journal, UINT64_MAX);
    fill(&rig, 80, 5000);
    assert_int_equal(journal_status(rig.journal).first_position, 1);
    rig.release_position = journal_status(rig.journal).position_next / 2;
    for (int i = 0; i < 20; i++) assert_ok(rig_keep(&rig));
    uint64_t first = journal_status(rig.journal).first_position;
    assert_true(first > 1 && first <= rig.release_position + 1);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* ---- rest ---- */

enum { REST_NS = 1000000000 };

static bool rests(struct rig *rig)
{
    return journal_keep_rest(rig->journal, rig->writers[RIG_KEEPER]);
}

static bool sleeps_through(struct rig *rig)
{
    struct os *os = rig->os[RIG_KEEPER];
    uint64_t begun_ns = os_monotonic_ns(os);
    assert_ok(os_step(os, REST_NS, NULL));
    return os_monotonic_ns(os) - begun_ns >= REST_NS;
}

static void seal_all(struct rig *rig)
{
    for (int i = 0; i < 2; i++) { /* a closed segment's seal, and that of what came after */
        rig->now_ms += 2000;
        assert_ok(rig_keep(rig));
    }
}

static void the_keeper_rests_once_all_is_sealed_and_the_next_durable_block_wakes_it(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    assert_ok(rig_keep(&rig));
    assert_true(rests(&rig));
    assert_true(sleeps_through(&rig));
    assert_true(rig_append(&rig, 0, 10, NULL));
    assert_true(sleeps_through(&rig)); /* nothing to be sealed yet */
    rig_make_durable(&rig);
    assert_false(sleeps_through(&rig));
    assert_true(rig_append(&rig, 0, 10, NULL));
    assert_false(rests(&rig)); /* in flight */
    rig_make_durable(&rig);
    assert_true(sleeps_through(&rig)); /* it did not rest, and looks by itself */
    assert_false(rests(&rig));         /* not sealed */
    seal_all(&rig);
    assert_true(rests(&rig));
    rig_close(&rig); /* asleep */
    rig_destroy(&rig);
}

static void a_block_after_a_rest_is_sealed_with_the_first_seal(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    seal_all(&rig);
    assert_true(rests(&rig));
    rig.now_ms += 60000;
    assert_true(rig_append(&rig, 0, 10, NULL));
    rig_make_durable(&rig);
    uint64_t position = rig.blocks[rig.block_count - 1].position;
    assert_ok(rig_keep(&rig));
    assert_int_equal(journal_status(rig.journal).sealed_through, position);
    assert_int_equal(journal_status(rig.journal).position_next, position + 2); /* one seal */
    rig_close(&rig);
    rig_destroy(&rig);
}

/* Nobody is woken who is no longer there; a sanitizer sees who tries. */
static void a_keeper_may_go_while_it_rests(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    assert_ok(rig_keep(&rig));
    assert_true(rests(&rig));
    journal_writer_destroy(rig.writers[RIG_KEEPER]);
    assert_true(rig_append(&rig, 0, 10, NULL));
    rig_make_durable(&rig);
    struct journal_writer_options options = {.block_count = 2, .slots_per_block = 255};
    assert_ok(journal_writer_create(rig.journal, rig.os[RIG_KEEPER], &options, &rig.writers[RIG_KEEPER]));
    rig_close(&rig);
    rig_destroy(&rig);
}

static void the_keeper_does_not_rest_while_a_spare_is_missing(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.release_position = 0; /* no segment becomes a spare */
    assert_ok(rig_ready(&rig, 0));
    while (journal_status(rig.journal).spares == rig.options.spare_count)
        if (!rig_append(&rig, 0, 100, NULL)) rig_make_durable(&rig);
    assert_true(rig_drain(&rig));
    for (int i = 0; i < 2; i++) { /* as seal_all, and each time there is no room for a spare */
        os_sim_faults_set(rig.world, &(struct os_sim_faults){.no_space_at = 1});
        rig.now_ms += 2000;
        assert_ok(rig_keep(&rig));
    }
    struct journal_status status = journal_status(rig.journal);
    assert_true(status.no_room && status.spares < rig.options.spare_count);
    assert_true(status.sealed_through >= rig.blocks[rig.block_count - 1].position);
    assert_false(rests(&rig));
    os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
    seal_all(&rig);
    assert_int_equal(journal_status(rig.journal).spares, rig.options.spare_count);
    assert_true(rests(&rig));
    rig_close(&rig);
    rig_destroy(&rig);
}

static void count_index(void *context, const char *name, uint64_t size)
{
    unsigned *count = context;
    (void)size;
    *count += strstr(name, ".idx") != NULL;
}

static void the_keeper_does_not_rest_while_an_index_is_missing(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.index = true;
    rig.options.keep_size = 64 << 20;
    assert_ok(rig_ready(&rig, 0));
    /* Time stands nearly still, so that the steps of a tenth of a second do not do them all. */
    for (int i = 0; i < 200; i++) {
        while (!rig_append(&rig, i % 3, 250, NULL)) {
            assert_true(rig_step(&rig));
            assert_ok(rig_keep(&rig));
        }
    }
    assert_true(rig_drain(&rig));
    unsigned waits = 0, indexes = 0;
    for (;; waits++) {
        assert_ok(rig_keep(&rig));
        if (rests(&rig)) break;
        assert_true(waits < 1000);
        rig.now_ms += 100;
    }
    assert_ok(os_list(rig.main_os, "/j", count_index, &indexes));
    assert_int_equal(indexes, journal_status(rig.journal).segment - 1);
    assert_true(indexes > 20 && waits > 1);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* ---- files that are used again ---- */

struct files {
    unsigned segments, spares;
};

/* Megabytes in no time: a fifth of the steps; then time goes on and nothing is written: all of them. */
static void indexes_are_made_slowly_while_much_is_written(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.index = true;
    rig.options.keep_size = 64 << 20;
    rig.options.busy_bytes = 4 << 20;
    unsigned made[2] = {0};
    assert_ok(rig_ready(&rig, 0));
    for (int i = 0; i < 320; i++) {
        while (!rig_append(&rig, i % 3, 250, NULL)) {
            assert_true(rig_step(&rig));
            assert_ok(rig_keep(&rig));
        }
    }
    assert_true(rig_drain(&rig));
    unsigned before = 0;
    assert_ok(os_list(rig.main_os, "/j", count_index, &before));
    for (int tick = 0; tick < 2; tick++) {
        rig.now_ms += 100;
        assert_ok(rig_keep(&rig));
        assert_ok(os_list(rig.main_os, "/j", count_index, &made[tick]));
    }
    made[1] -= made[0];
    made[0] -= before;
    assert_in_range(made[0], 1, made[1] / 3);
    rig_close(&rig);
    rig_destroy(&rig);
}

static void count_file(void *context, const char *name, uint64_t size)
{
    struct files *files = context;
    (void)size;
    if (strncmp(name, "spare-", 6) == 0) {
        files->spares++;
    } else {
        files->segments++;
    }
}

static struct files files_of(struct rig *rig)
{
    struct files files = {0};
    assert_ok(os_list(rig->main_os, "/j", count_file, &files));
    return files;
}

/* A checkpoint comes late, and lets all go at once. */
static void load_and_checkpoint(struct rig *rig, int64_t pause_ms)
{
    fill(rig, 200, pause_ms);
    rig->release_position = journal_status(rig->journal).durable_through;
    for (int i = 0; i < 40; i++) {
        assert_ok(rig_keep(rig));
        assert_true(rig_drain(rig));
    }
}

static void time_passes(struct rig *rig, int64_t ms)
{
    rig->now_ms += ms;
    assert_ok(rig_keep(rig));
    assert_true(rig_drain(rig));
}

static void files_that_load_will_want_again_are_kept_and_go_when_it_has_gone(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.keep_size = 1;
    rig.release_position = 0;
    assert_ok(rig_ready(&rig, 0));
    for (int i = 0; i < 3; i++) load_and_checkpoint(&rig, 10);
    struct files first = files_of(&rig);
    assert_true(first.spares > 10 && first.segments < 8);
    for (int i = 0; i < 5; i++) load_and_checkpoint(&rig, 10);
    struct files later = files_of(&rig);
    assert_int_equal(later.segments + later.spares, first.segments + first.spares);
    /* Within a minute load may come back; when it does not, a file a second goes. */
    for (int i = 0; i < 2; i++) {
        time_passes(&rig, 40000);
        assert_int_equal(files_of(&rig).spares, later.spares);
    }
    time_passes(&rig, 120000);
    time_passes(&rig, 500);
    for (unsigned i = 0; i < later.spares; i++) {
        unsigned before = files_of(&rig).spares;
        time_passes(&rig, 500);
        time_passes(&rig, 500);
        assert_in_range(before - files_of(&rig).spares, 0, 1);
    }
    assert_int_equal(files_of(&rig).spares, rig.options.spare_count);
    /* Of a log of hours nobody wants the files again: they go with it. */
    load_and_checkpoint(&rig, 60000);
    assert_in_range(files_of(&rig).spares, 1, 2 * rig.options.spare_count + 6);
    rig_close(&rig);
    rig_destroy(&rig);
}

static void remove_spare(void *context, const char *name, uint64_t size)
{
    struct rig *rig = context;
    char path[64];
    (void)size;
    if (strncmp(name, "spare-", 6) != 0) return;
    snprintf(path, sizeof path, "/j/%s", name);
    struct os_op op = {.kind = OS_UNLINK, .path = path};
    assert_int_equal(os_run(rig->os[0], &op), 0);
}

/* By somebody who wants their room, say. */
static void spares_that_somebody_removed_stop_nothing(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.keep_size = 1;
    assert_ok(rig_ready(&rig, 0));
    for (int waits = 0; waits < 2; waits++) {
        rig.release_position = 0;
        load_and_checkpoint(&rig, 10);
        assert_true(files_of(&rig).spares > 10);
        assert_ok(os_list(rig.main_os, "/j", remove_spare, &rig));
        assert_int_equal(files_of(&rig).spares, 0);
        /* Load wants them; or it has gone, and they are to go. */
        for (int i = 0; i < waits * 40; i++) time_passes(&rig, 10000);
        load_and_checkpoint(&rig, 10);
        time_passes(&rig, 2000);
        assert_true(journal_status(rig.journal).sealed_through >= rig.blocks[rig.block_count - 1].position);
    }
    rig_close(&rig);
    rig_destroy(&rig);
}

static void take_all_the_room(struct rig *rig)
{
    struct result refusal = result_ok();
    while (rig_append(rig, 0, 255, &refusal)) assert_true(rig_drain(rig));
    assert_code(refusal, JOURNAL_NO_ROOM);
}

/* Between two steps of the housekeeper, each of which makes a segment but seals a sixteenth of one. */
static uint64_t append_faster_than_seals(struct rig *rig, unsigned steps)
{
    uint64_t most = 0;
    bool more;
    for (unsigned i = 0; i < steps; i++) {
        take_all_the_room(rig);
        rig->now_ms += 10;
        assert_ok(journal_keep(rig->journal, rig->writers[RIG_KEEPER], rig->now_ms, rig->release_position, &more));
        assert_true(rig_drain(rig));
        struct journal_status status = journal_status(rig->journal);
        if (status.durable_through - status.sealed_through > most)
            most = status.durable_through - status.sealed_through;
    }
    return most;
}

static void left_alone_seals_catch_up(struct rig *rig)
{
    for (int i = 0; i < 3; i++) {
        rig->now_ms += 2000;
        assert_ok(rig_keep(rig));
    }
    struct journal_status status = journal_status(rig->journal);
    assert_int_equal(status.spares, rig->options.spare_count);
    assert_true(status.sealed_through >= rig->blocks[rig->block_count - 1].position);
}

static void load_that_outruns_the_seals_is_held_back(void **state)
{
    (void)state;
    enum { SEGMENT = 1 << 20, BLOCK = 256 * 64, UNSEALED = 8 * SEGMENT };
    struct rig rig;
    create(&rig);
    rig.options.segment_size = SEGMENT;
    rig.options.keep_size = 4 * SEGMENT;
    rig.options.unsealed_max = UNSEALED;
    assert_ok(rig_ready(&rig, 0));
    uint64_t most = append_faster_than_seals(&rig, 700);
    /* The seal record itself comes only when all of what it covers was read: a seal covers what there was when it
     * began. */
    assert_in_range(most, UNSEALED / BLOCK, 2 * UNSEALED / BLOCK);
    assert_true(journal_status(rig.journal).rotations > 30);
    left_alone_seals_catch_up(&rig);
    assert_false(journal_status(rig.journal).held_back);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* Nor does a start that finds much unsealed wait for it, nor the seals for those who append. */
static void seals_come_through_whatever_the_runs_before_left(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.segment_size = 1 << 20;
    rig.options.spare_count = 16;
    rig.options.unsealed_max = 4 << 20;
    assert_ok(rig_ready(&rig, 0));
    for (int round = 0; round < 4; round++) {
        take_all_the_room(&rig);
        assert_true(journal_status(rig.journal).held_back);
        if (round % 2) {
            rig_crash(&rig);
            assert_ok(rig_open(&rig, 0));
            assert_true(rig_promises_kept(&rig, 0));
            assert_false(journal_status(rig.journal).held_back);
            take_all_the_room(&rig);
        }
        append_faster_than_seals(&rig, 50);
        left_alone_seals_catch_up(&rig);
    }
    rig_close(&rig);
    rig_destroy(&rig);
}

/* What is unsealed is still durable: service goes on. */
static void nobody_is_held_back_for_seals_that_cannot_be_made(void **state)
{
    (void)state;
    struct rig rig;
    bool more;
    create(&rig);
    rig.options.segment_size = 1 << 20;
    rig.options.unsealed_max = 1 << 18;
    assert_ok(rig_ready(&rig, 0));
    take_all_the_room(&rig);
    assert_true(journal_status(rig.journal).held_back);
    os_sim_faults_set(rig.world, &(struct os_sim_faults){.fail_read_at = 1});
    rig.now_ms += 2000;
    struct result result = result_ok();
    for (int i = 0; i < 10 && !result_failed(result); i++)
        result = journal_keep(rig.journal, rig.writers[RIG_KEEPER], rig.now_ms, 0, &more);
    assert_code(result, OS_FAILED);
    assert_false(journal_status(rig.journal).held_back);
    assert_false(journal_status(rig.journal).poisoned);
    assert_true(rig_append(&rig, 0, 255, NULL));
    os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
    left_alone_seals_catch_up(&rig);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* Its os goes with it, before the journal does. */
static void a_keeper_may_go_while_it_reads_ahead(void **state)
{
    (void)state;
    for (int steps = 1; steps < 40; steps++) {
        struct rig rig;
        bool more;
        create(&rig);
        rig.options.segment_size = 1 << 20;
        assert_ok(rig_ready(&rig, 0));
        take_all_the_room(&rig);
        rig.now_ms += 2000;
        for (int i = 0; i < steps; i++)
            assert_ok(journal_keep(rig.journal, rig.writers[RIG_KEEPER], rig.now_ms, 0, &more));
        assert_true(rig_drain(&rig));
        for (int i = 0; i < RIG_WRITERS; i++) {
            journal_writer_destroy(rig.writers[i]);
            rig.writers[i] = NULL;
        }
        os_destroy(rig.os[RIG_KEEPER]);
        rig.os[RIG_KEEPER] = os_sim_create(rig.world);
        journal_close(rig.journal, rig.main_os);
        rig.journal = NULL;
        rig_destroy(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_go_when_their_last_record_is_too_old),
        cmocka_unit_test(segments_go_when_asked_for_and_no_further_than_asked),
        cmocka_unit_test(the_keeper_rests_once_all_is_sealed_and_the_next_durable_block_wakes_it),
        cmocka_unit_test(a_block_after_a_rest_is_sealed_with_the_first_seal),
        cmocka_unit_test(a_keeper_may_go_while_it_rests),
        cmocka_unit_test(the_keeper_does_not_rest_while_a_spare_is_missing),
        cmocka_unit_test(the_keeper_does_not_rest_while_an_index_is_missing),
        cmocka_unit_test(indexes_are_made_slowly_while_much_is_written),
        cmocka_unit_test(what_is_not_released_stays_however_old_or_unwanted),
        cmocka_unit_test(files_that_load_will_want_again_are_kept_and_go_when_it_has_gone),
        cmocka_unit_test(spares_that_somebody_removed_stop_nothing),
        cmocka_unit_test(load_that_outruns_the_seals_is_held_back),
        cmocka_unit_test(seals_come_through_whatever_the_runs_before_left),
        cmocka_unit_test(nobody_is_held_back_for_seals_that_cannot_be_made),
        cmocka_unit_test(a_keeper_may_go_while_it_reads_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
