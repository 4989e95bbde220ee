/* Crashes at every point: what was settled is there again, nothing is invented; and the torn-tail rule. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "helpers.h"
#include "journal/file.h"
#include "journal/format.h"

/* One life of the journal until the crash, or until enough was appended. */
static void live(struct rig *rig, unsigned turns)
{
    for (unsigned i = 0; i < turns && !os_sim_crashed(rig->world); i++) {
        uint64_t draw = os_sim_draw(rig->world);
        rig_append(rig, (uint32_t)(draw % 3), 1 + (uint32_t)(draw >> 8) % 120, NULL);
        if (draw >> 20 & 1 && !rig_step(rig)) return;
        if ((draw >> 24) % 6 == 0 && result_failed(rig_keep(rig))) return;
        rig->now_ms += 300;
    }
}

/* Three lives with a crash in each, at any disk operation: of opening, of appending, of housekeeping. */
static bool survives(uint64_t seed, bool sync_lies, uint64_t *ret_settled, uint64_t *ret_salvaged)
{
    struct rig rig;
    rig_create(&rig, seed);
    bool kept = true;
    for (int life = 0; life < 3 && kept; life++) {
        struct os_sim_faults faults = {.crash_at = 1 + os_sim_draw(rig.world) % 150, .sync_lies = sync_lies};
        if (life == 0) faults.crash_at += 30;
        os_sim_faults_set(rig.world, &faults);
        struct result result = rig_open(&rig, 0);
        if (result_failed(result) && !os_sim_crashed(rig.world))
            kept = false; /* a journal that does not open is a lost one */
        if (!result_failed(result)) {
            kept = rig_promises_kept(&rig, 0);
            if (!result_failed(rig_keep(&rig))) live(&rig, 60);
        }
        rig_crash(&rig);
    }
    if (kept) {
        os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
        kept = !result_failed(rig_open(&rig, 0)) && rig_promises_kept(&rig, 0);
    }
    for (uint64_t i = 0; i < rig.block_count; i++) *ret_settled += rig.blocks[i].settled_ok;
    *ret_salvaged += rig.salvaged_count;
    rig_destroy(&rig);
    return kept;
}

static void nothing_settled_is_lost_and_nothing_invented_in_any_crash(void **state)
{
    (void)state;
    uint64_t settled = 0;
    uint64_t salvaged = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        if (!survives(seed, false, &settled, &salvaged)) fail_msg("seed %llu", (unsigned long long)seed);
    }
    /* The schedules are worth something: much was promised, and some tails had intact blocks behind the tear. */
    assert_true(settled > 20000);
    assert_true(salvaged > 100);
}

static void a_disk_that_lies_about_its_syncs_is_found_out_by_the_same_test(void **state)
{
    (void)state;
    uint64_t ignored = 0;
    unsigned caught = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) caught += !survives(seed, true, &ignored, &ignored);
    assert_true(caught > 50);
}

/* ---- damage on a disk at rest ---- */

static void damage_below_a_committed_position_is_corruption_and_named(void **state)
{
    (void)state;
    for (uint64_t position = 1; position < 10; position++) {
        struct rig rig;
        uint64_t bad_position = 0;
        rig_fill(&rig, 10);
        rig_block_bytes(&rig, position)[100] ^= 1;
        assert_code(rig_reopen(&rig, &bad_position), JOURNAL_CORRUPT);
        assert_int_equal(bad_position, position);
        rig_destroy(&rig);
    }
}

static void damage_in_the_last_block_is_a_torn_tail(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0;
    rig_fill(&rig, 10);
    rig_block_bytes(&rig, 10)[100] ^= 1;
    assert_ok(rig_reopen(&rig, &bad_position));
    assert_int_equal(journal_status(rig.journal).position_next, 10);
    rig_destroy(&rig);
}

static void a_valid_block_d_or_more_behind_a_bad_one_proves_corruption(void **state)
{
    (void)state;
    for (uint64_t bad = 3; bad <= 9; bad++) {
        struct rig rig;
        uint64_t bad_position = 0;
        rig_fill(&rig, 10);
        for (uint64_t position = 3; position <= 10; position++) rig_claim_committed(&rig, position, 2);
        rig_block_bytes(&rig, bad)[0] ^= 1;
        struct result result = rig_reopen(&rig, &bad_position);
        /* D is 4: block 10 in place means that block 6 was durable when it was written. */
        if (bad <= 6) {
            assert_code(result, JOURNAL_CORRUPT);
            assert_int_equal(bad_position, bad);
        } else {
            assert_ok(result);
            assert_int_equal(journal_status(rig.journal).position_next, bad);
        }
        rig_destroy(&rig);
    }
}

static void intact_blocks_behind_the_tear_are_shown_as_salvaged(void **state)
{
    (void)state;
    struct rig rig;
    rig_fill(&rig, 10);
    for (uint64_t position = 8; position <= 10; position++) rig_claim_committed(&rig, position, 7);
    rig_block_bytes(&rig, 8)[64] ^= 1;
    assert_ok(rig_open(&rig, 0));
    assert_int_equal(rig.visited_last, 7);
    assert_int_equal(rig.salvaged_count, 2);
    rig_close(&rig);
    /* Until a checkpoint passes them: the process may have died before it burned them again. */
    assert_ok(rig_open(&rig, 0));
    assert_int_equal(rig.salvaged_count, 2);
    rig_close(&rig);
    rig_destroy(&rig);
}

static struct result refuse_salvaged(void *context, const struct journal_block_view *block)
{
    unsigned *count = context;
    *count += block->salvaged;
    return block->salvaged ? result_of(NO_MEMORY) : result_ok();
}

static void a_salvaged_block_that_cannot_be_taken_ends_the_start(void **state)
{
    (void)state;
    struct rig rig;
    struct journal *journal;
    uint64_t bad_position;
    unsigned count = 0;
    rig_fill(&rig, 10);
    for (uint64_t position = 8; position <= 10; position++) rig_claim_committed(&rig, position, 7);
    rig_block_bytes(&rig, 8)[64] ^= 1;
    assert_code(journal_open(rig.main_os, &rig.options, rig.vault, 0, refuse_salvaged, &count, &journal, &bad_position),
                NO_MEMORY);
    assert_int_equal(count, 1);
    rig_destroy(&rig);
}

static void a_block_of_the_right_position_that_does_not_follow_is_corruption(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0;
    rig_fill(&rig, 10);
    uint8_t *bytes = rig_block_bytes(&rig, 9);
    struct journal_block_header header;
    memcpy(&header, bytes, sizeof header);
    header.time_ms++;
    format_block_finish(&header);
    memcpy(bytes, &header, sizeof header); /* intact, but block 10 names the one it replaced */
    assert_code(rig_reopen(&rig, &bad_position), JOURNAL_CORRUPT);
    assert_int_equal(bad_position, 10);
    rig_destroy(&rig);
}

static void padding_that_is_not_zero_makes_a_block_bad(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0;
    rig_fill(&rig, 10);
    rig_block_bytes(&rig, 4)[4095] ^= 1;
    assert_code(rig_reopen(&rig, &bad_position), JOURNAL_CORRUPT);
    assert_int_equal(bad_position, 4);
    rig_destroy(&rig);
}

static void a_damaged_segment_header_is_corruption_when_its_blocks_were_committed(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0;
    rig_fill(&rig, 10);
    assert_ok(rig_ready(&rig, 0));
    for (int i = 0; i < 5; i++) {
        assert_true(rig_append(&rig, 0, 1, NULL));
        assert_true(rig_drain(&rig));
    }
    rig_close(&rig);
    uint64_t size;
    os_sim_file(rig.world, rig_segment_path(2), &size)[50] ^= 1;
    assert_code(rig_reopen(&rig, &bad_position), JOURNAL_CORRUPT);
    assert_int_equal(bad_position, 11);
    rig_destroy(&rig);
}

/* The disk said that the spare's zeros were written and put nothing down, so the file grew block by block. */
static void a_segment_that_is_shorter_than_its_header_says_is_corruption_behind_its_last_block(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0, size;
    rig_create(&rig, 1);
    os_sim_faults_set(rig.world, &(struct os_sim_faults){.phantom_at = 1});
    assert_ok(rig_ready(&rig, 0));
    for (int i = 0; i < 5; i++) {
        assert_true(rig_append(&rig, 0, 1, NULL));
        assert_true(rig_drain(&rig));
    }
    rig_close(&rig);
    assert_non_null(os_sim_file(rig.world, rig_segment_path(1), &size));
    assert_true(size < rig.options.segment_size);
    assert_code(rig_reopen(&rig, &bad_position), JOURNAL_CORRUPT);
    assert_int_equal(bad_position, 6);
    rig_destroy(&rig);
}

static void a_file_that_ends_within_a_block_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    static uint8_t zeros[SEGMENT_HEADER_SIZE + 2048];
    struct rig rig;
    uint64_t bad_position = 0;
    int file;
    rig_fill(&rig, 3);
    assert_ok(file_open(rig.main_os, "journal", strrchr(rig_segment_path(4), '/') + 1, OS_OPEN_WRITE | OS_OPEN_CREATE,
                        &file));
    assert_ok(file_write(rig.main_os, file, zeros, sizeof zeros, 0, OS_WRITE_DSYNC));
    file_close(rig.main_os, file);
    assert_ok(rig_reopen(&rig, &bad_position));
    assert_int_equal(journal_status(rig.journal).position_next, 4);
    rig_destroy(&rig);
}

/* Its blocks are gone with its header; the segment before it is whole and would do for an end. */
static void a_newest_segment_that_is_cut_within_its_header_is_corruption_behind_the_last_block(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, SEGMENT_HEADER_SIZE - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (unsigned runs = 1; runs <= 2; runs++) {
            struct rig rig;
            uint64_t bad_position = 0;
            rig_fill(&rig, 3);
            if (runs == 2) {
                assert_ok(rig_reopen(&rig, &bad_position));
                rig_crash(&rig);
            }
            uint64_t before = runs == 2 ? 4 : 1;
            os_sim_cut(rig.world, rig_segment_path(runs), sizes[i]);
            assert_code(rig_reopen(&rig, &bad_position), JOURNAL_CORRUPT);
            assert_int_equal(bad_position, before);
            rig_destroy(&rig);
        }
    }
}

static void another_stores_segment_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0;
    rig_fill(&rig, 3);
    rig.options.store_id[0] ^= 1;
    assert_code(rig_reopen(&rig, &bad_position), JOURNAL_FOREIGN);
    rig_destroy(&rig);
}

static void a_segment_of_another_version_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0;
    uint64_t size;
    rig_fill(&rig, 3);
    struct segment_header *header = (void *)os_sim_file(rig.world, rig_segment_path(1), &size);
    header->version = JOURNAL_FORMAT_VERSION - 1;
    header->header_checksum = XXH3_64bits(header, offsetof(struct segment_header, header_checksum));
    assert_code(rig_reopen(&rig, &bad_position), JOURNAL_VERSION);
    rig_destroy(&rig);
}

static void a_journal_that_ends_before_the_stores_position_is_missed(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position = 0;
    rig_fill(&rig, 3);
    assert_code(journal_open(rig.main_os, &rig.options, NULL, 9, NULL, NULL, &rig.journal, &bad_position),
                JOURNAL_MISSING);
    assert_int_equal(bad_position, 4);
    rig.journal = NULL;
    rig_destroy(&rig);
}

static void a_read_error_is_never_taken_for_a_torn_tail(void **state)
{
    (void)state;
    for (uint64_t at = 1; at <= 12; at++) {
        struct rig rig;
        uint64_t bad_position = 0;
        rig_fill(&rig, 10);
        os_sim_faults_set(rig.world, &(struct os_sim_faults){.fail_read_at = at});
        struct result result = rig_reopen(&rig, &bad_position);
        if (result_failed(result))
            assert_code(result, OS_FAILED);
        else
            assert_int_equal(journal_status(rig.journal).position_next, 11);
        rig_destroy(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_settled_is_lost_and_nothing_invented_in_any_crash),
        cmocka_unit_test(a_disk_that_lies_about_its_syncs_is_found_out_by_the_same_test),
        cmocka_unit_test(damage_below_a_committed_position_is_corruption_and_named),
        cmocka_unit_test(damage_in_the_last_block_is_a_torn_tail),
        cmocka_unit_test(a_valid_block_d_or_more_behind_a_bad_one_proves_corruption),
        cmocka_unit_test(intact_blocks_behind_the_tear_are_shown_as_salvaged),
        cmocka_unit_test(a_salvaged_block_that_cannot_be_taken_ends_the_start),
        cmocka_unit_test(a_block_of_the_right_position_that_does_not_follow_is_corruption),
        cmocka_unit_test(padding_that_is_not_zero_makes_a_block_bad),
        cmocka_unit_test(a_damaged_segment_header_is_corruption_when_its_blocks_were_committed),
        cmocka_unit_test(a_segment_that_is_shorter_than_its_header_says_is_corruption_behind_its_last_block),
        cmocka_unit_test(a_file_that_ends_within_a_block_is_read_as_far_as_it_goes),
        cmocka_unit_test(a_newest_segment_that_is_cut_within_its_header_is_corruption_behind_the_last_block),
        cmocka_unit_test(another_stores_segment_is_refused),
        cmocka_unit_test(a_segment_of_another_version_is_refused),
        cmocka_unit_test(a_journal_that_ends_before_the_stores_position_is_missed),
        cmocka_unit_test(a_read_error_is_never_taken_for_a_torn_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
