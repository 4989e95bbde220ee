/* The reader goes on behind damage, from anywhere, and follows a journal that is being written. */
#include <string.h>

#include "helpers.h"
#include "journal/format.h"

static struct journal_reader *reader_of(struct rig *rig, uint64_t from_position, bool follow)
{
    struct journal_reader *reader;
    const struct journal_reader_options options = {.from_position = from_position, .follow = follow};
    assert_ok(journal_reader_open(rig->main_os, "/j", &options, &reader));
    return reader;
}

/* The next block is the one of this position. */
static void next_is(struct journal_reader *reader, uint64_t position)
{
    struct journal_block_view view;
    assert_ok(journal_reader_next(reader, &view));
    assert_int_equal(view.header->position, position);
}

static void next_is_bad(struct journal_reader *reader, uint64_t position)
{
    struct journal_block_view view;
    assert_code(journal_reader_next(reader, &view), JOURNAL_CORRUPT);
    assert_null(view.header);
    assert_int_equal(journal_reader_position(reader), position);
}

static void next_is_the_end(struct journal_reader *reader)
{
    struct journal_block_view view;
    assert_code(journal_reader_next(reader, &view), STORE_NOT_FOUND);
}

static void damage_is_told_once_and_what_stands_behind_it_is_read(void **state)
{
    (void)state;
    struct rig rig;
    rig_fill(&rig, 10);
    rig_block_bytes(&rig, 4)[100] ^= 1;
    rig_block_bytes(&rig, 7)[100] ^= 1;
    rig_block_bytes(&rig, 8)[100] ^= 1;
    struct journal_reader *reader = reader_of(&rig, 0, false);
    for (uint64_t position = 1; position <= 3; position++) next_is(reader, position);
    next_is_bad(reader, 4);
    next_is(reader, 5);
    next_is(reader, 6);
    next_is_bad(reader, 7);
    next_is(reader, 9);
    next_is(reader, 10);
    next_is_the_end(reader);
    next_is_the_end(reader);
    journal_reader_close(reader);
    rig_destroy(&rig);
}

static void damage_before_the_place_asked_for_is_passed_over(void **state)
{
    (void)state;
    struct rig rig;
    rig_fill(&rig, 10);
    rig_block_bytes(&rig, 2)[100] ^= 1;
    rig_block_bytes(&rig, 5)[100] ^= 1;
    struct journal_reader *reader = reader_of(&rig, 8, false);
    for (uint64_t position = 8; position <= 10; position++) next_is(reader, position);
    next_is_the_end(reader);
    journal_reader_close(reader);
    rig_destroy(&rig);
}

/* Twelve blocks of four units: three in each segment of fifteen, behind its header. */
static void fill_segments(struct rig *rig)
{
    rig_create(rig, 1);
    rig->options.spare_count = 5;
    assert_ok(rig_ready(rig, 0));
    for (unsigned i = 0; i < 12; i++) {
        assert_true(rig_append(rig, 0, 255, NULL));
        assert_true(rig_drain(rig));
        assert_ok(rig_keep(rig));
    }
}

static void damage_to_the_end_of_a_segment_leads_to_the_next_one(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t size;
    fill_segments(&rig);
    rig_close(&rig);
    uint8_t *bytes = os_sim_file(rig.world, rig_segment_path(2), &size);
    assert_non_null(bytes);
    memset(bytes + SEGMENT_HEADER_SIZE, 0x5a, size - SEGMENT_HEADER_SIZE);
    struct journal_reader *reader = reader_of(&rig, 0, false);
    struct journal_block_view view;
    uint64_t position = 0;
    struct result result;
    while (!result_failed(result = journal_reader_next(reader, &view))) position = view.header->position;
    assert_code(result, JOURNAL_CORRUPT);
    uint64_t bad = journal_reader_position(reader);
    assert_int_equal(bad, position + 1);
    assert_ok(journal_reader_next(reader, &view));
    assert_int_equal(view.segment, 3);
    assert_true(view.header->position > bad);
    journal_reader_close(reader);
    rig_destroy(&rig);
}

static void a_reader_that_follows_waits_at_the_end_and_goes_on_with_what_comes(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_block_view view;
    rig_create(&rig, 1);
    struct journal_reader *reader = reader_of(&rig, 0, true);
    assert_code(journal_reader_next(reader, &view), FULL); /* nothing is there at all yet */
    assert_ok(rig_ready(&rig, 0));
    assert_code(journal_reader_next(reader, &view), FULL);
    for (uint64_t position = 1; position <= 5; position++) {
        assert_true(rig_append(&rig, 0, 1, NULL));
        assert_true(rig_drain(&rig));
        next_is(reader, position);
        assert_code(journal_reader_next(reader, &view), FULL);
    }
    journal_reader_close(reader);
    rig_close(&rig);
    rig_destroy(&rig);
}

static void a_reader_whose_segment_was_recycled_goes_on_with_the_oldest_there_is(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_block_view view;
    rig_create(&rig, 1);
    rig.options.keep_size = 1;
    assert_ok(rig_ready(&rig, 0));
    assert_true(rig_append(&rig, 0, 255, NULL));
    assert_true(rig_drain(&rig));
    struct journal_reader *reader = reader_of(&rig, 0, true);
    next_is(reader, 1);
    for (unsigned i = 0; i < 30; i++) {
        assert_true(rig_append(&rig, 0, 255, NULL));
        assert_true(rig_drain(&rig));
        rig.now_ms += 2000;
        rig.release_position = journal_durable_through(rig.journal);
        assert_ok(rig_keep(&rig));
    }
    assert_true(journal_status(rig.journal).first_position > 10);
    uint64_t last = 1;
    for (;;) {
        struct result result = journal_reader_next(reader, &view);
        if (result.code == FULL) break;
        if (result.code == JOURNAL_CORRUPT) continue; /* the recycled file's bytes, before the headers are read again */
        assert_ok(result);
        assert_true(view.header->position > last);
        last = view.header->position;
    }
    assert_int_equal(last, journal_durable_through(rig.journal));
    journal_reader_close(reader);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* ---- what cannot be asked for ---- */

static void sizes_and_counts_beyond_the_format_are_refused(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad_position;
    rig_create(&rig, 1);
    const struct journal_options sound = rig.options;
#define REFUSED(change)                                                                                                \
    rig.options = sound;                                                                                               \
    change;                                                                                                            \
    assert_code(rig_reopen(&rig, &bad_position), BAD_ARGUMENT)
    REFUSED(rig.options.segment_size = SEGMENT_SIZE_MIN - JOURNAL_BLOCK_ALIGNMENT);
    REFUSED(rig.options.segment_size = SEGMENT_SIZE_MIN + 1);
    REFUSED(rig.options.depth_max = JOURNAL_DEPTH_LIMIT + 1);
    REFUSED(rig.options.writer_count_max = 65);
#undef REFUSED
    rig.options = sound;
    assert_ok(rig_reopen(&rig, &bad_position));
    struct journal_writer *writer;
    struct journal_writer_options options = {.slots_per_block = JOURNAL_SLOTS_MAX + 1};
    assert_code(journal_writer_create(rig.journal, rig.os[0], &options, &writer), BAD_ARGUMENT);
    options.slots_per_block = 1024; /* a block of 65 KiB in a segment of 64 */
    assert_code(journal_writer_create(rig.journal, rig.os[0], &options, &writer), BAD_ARGUMENT);
    options.slots_per_block = 1;
    struct journal_writer *writers[64];
    for (unsigned i = 0; i < 64; i++) assert_ok(journal_writer_create(rig.journal, rig.os[0], &options, &writers[i]));
    assert_code(journal_writer_create(rig.journal, rig.os[0], &options, &writer), FULL);
    for (unsigned i = 0; i < 64; i++) journal_writer_destroy(writers[i]);
    rig_destroy(&rig);
}

static void closing_nothing_does_nothing(void **state)
{
    (void)state;
    journal_reader_close(NULL);
    journal_close(NULL, NULL);
    journal_writer_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_is_told_once_and_what_stands_behind_it_is_read),
        cmocka_unit_test(damage_before_the_place_asked_for_is_passed_over),
        cmocka_unit_test(damage_to_the_end_of_a_segment_leads_to_the_next_one),
        cmocka_unit_test(a_reader_that_follows_waits_at_the_end_and_goes_on_with_what_comes),
        cmocka_unit_test(a_reader_whose_segment_was_recycled_goes_on_with_the_oldest_there_is),
        cmocka_unit_test(sizes_and_counts_beyond_the_format_are_refused),
        cmocka_unit_test(closing_nothing_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
