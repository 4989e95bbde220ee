/* The scanner gives what the careful reader gives: on whole journals, on damaged ones, with indexes and without. */
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/index.h"
#include "journal/scan.h"

enum { MOST = 4096 };

struct seen {
    uint64_t positions[MOST];
    size_t count;
    uint64_t damaged[MOST];
    size_t damage_count;
};

static void on_block(void *context, unsigned thread, const struct journal_block_view *block)
{
    struct seen *seen = context;
    assert_int_equal(thread, 0);
    assert_true(seen->count < MOST);
    seen->positions[seen->count++] = block->header->position;
}

static void on_damage(void *context, unsigned thread, uint64_t position, uint64_t segment, struct result result)
{
    struct seen *seen = context;
    (void)thread;
    (void)segment;
    assert_true(result_failed(result));
    if (position) seen->damaged[seen->damage_count++] = position;
}

static struct scan_options options_of(struct rig *rig, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    return (struct scan_options){.folder = "/j",
                                 .os = rig->main_os,
                                 .thread_count = 1,
                                 .since_ms = INT64_MIN,
                                 .until_ms = INT64_MAX,
                                 .block = on_block,
                                 .damage = on_damage,
                                 .context = seen};
}

static void read_carefully(struct rig *rig, uint64_t from, struct seen *seen)
{
    struct journal_reader *reader;
    struct journal_block_view block;
    memset(seen, 0, sizeof *seen);
    assert_ok(
        journal_reader_open(rig->main_os, "/j", &(struct journal_reader_options){.from_position = from}, &reader));
    for (;;) {
        struct result result = journal_reader_next(reader, &block);
        if (result.code == JOURNAL_CORRUPT) {
            seen->damaged[seen->damage_count++] = journal_reader_position(reader);
            continue;
        }
        if (result.code == STORE_NOT_FOUND) break;
        assert_ok(result);
        seen->positions[seen->count++] = block.header->position;
    }
    journal_reader_close(reader);
}

static void assert_same(const struct seen *a, const struct seen *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->positions, b->positions, a->count * sizeof a->positions[0]);
    assert_int_equal(a->damage_count, b->damage_count);
    assert_memory_equal(a->damaged, b->damaged, a->damage_count * sizeof a->damaged[0]);
}

static void fill(struct rig *rig, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, 1 + i * 7 % 150, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
        rig->now_ms += 100;
        if (i % 10 == 0) assert_ok(rig_keep(rig));
    }
    assert_true(rig_drain(rig));
    for (int i = 0; i < 200; i++) {
        rig->now_ms += 100;
        assert_ok(rig_keep(rig));
        assert_true(rig_step(rig));
    }
}

static void create(struct rig *rig, uint64_t seed, bool index)
{
    rig_create(rig, seed);
    rig->vault = rig_vault(rig->options.store_id);
    rig->options.index = index;
    assert_ok(rig_ready(rig, 0));
}

static void a_whole_journal_is_read_as_the_reader_reads_it(void **state)
{
    (void)state;
    static struct seen careful, scanned;
    for (int index = 0; index < 2; index++) {
        struct rig rig;
        create(&rig, 7, index);
        fill(&rig, 250);
        rig_close(&rig);
        assert_ok(rig_ready(&rig, 0)); /* two runs, and an open end */
        fill(&rig, 40);
        for (uint64_t from = 0; from < 300; from += 37) {
            struct scan_report report;
            struct scan_options options = options_of(&rig, &scanned);
            options.from_position = from;
            assert_ok(journal_scan(&options, &report));
            read_carefully(&rig, from, &careful);
            assert_same(&scanned, &careful);
            assert_int_equal(report.end.position, careful.positions[careful.count - 1] + 1);
            if (!index || from < 200) assert_int_equal(report.segments_indexed > 0, index);
            options = options_of(&rig, &scanned);
            options.from_position = from;
            options.to_position = from + 50;
            assert_ok(journal_scan(&options, NULL));
            size_t wanted = from == 0 ? 50 : 51;
            assert_int_equal(scanned.count, wanted);
            assert_memory_equal(scanned.positions, careful.positions, wanted * sizeof careful.positions[0]);
        }
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

static void damage_is_told_of_as_the_reader_tells_it(void **state)
{
    (void)state;
    static struct seen careful, scanned;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        struct rig rig;
        create(&rig, seed, seed % 2);
        fill(&rig, 120);
        rig_close(&rig);
        for (int flips = 0; flips < 3; flips++) {
            uint64_t size;
            uint8_t *bytes = os_sim_file(rig.world, rig_segment_path(1 + os_sim_draw(rig.world) % 4), &size);
            assert_non_null(bytes);
            bytes[os_sim_draw(rig.world) % size] ^= (uint8_t)(1 << os_sim_draw(rig.world) % 8);
        }
        struct scan_options options = options_of(&rig, &scanned);
        assert_ok(journal_scan(&options, NULL));
        read_carefully(&rig, 0, &careful);
        assert_same(&scanned, &careful);
        rig_destroy(&rig);
    }
}

static void parts_without_what_is_wanted_are_passed_over_and_nothing_else(void **state)
{
    (void)state;
    static struct seen scanned;
    struct rig rig;
    create(&rig, 11, true);
    fill(&rig, 250);
    struct scan_report report;
    struct scan_options options = options_of(&rig, &scanned);
    assert_ok(journal_scan(&options, &report));
    size_t all = scanned.count;
    uint64_t bytes = report.bytes_read;
    /* Helpers append no verifications: nobody's records are there, and of the journal's own some are in each segment.
     */
    options = options_of(&rig, &scanned);
    options.key_count = 1;
    options.keys[0] = index_key((const uint8_t *)"nobody at all 16", 16);
    assert_ok(journal_scan(&options, &report));
    assert_true(report.bytes_read < bytes / 2 && report.segments_indexed > 3 && scanned.count < all);
    options = options_of(&rig, &scanned);
    options.key_count = 1;
    options.keys[0] = 1;
    options.no_index = true;
    assert_ok(journal_scan(&options, &report));
    assert_int_equal(scanned.count, all);
    options = options_of(&rig, &scanned);
    options.since_ms = INT64_MAX - 1;
    assert_ok(journal_scan(&options, &report));
    assert_true(report.segments <= 1);
    options = options_of(&rig, &scanned);
    options.until_ms = INT64_MIN + 1;
    assert_ok(journal_scan(&options, &report));
    assert_int_equal(scanned.count, 0);
    rig_close(&rig);
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_journal_is_read_as_the_reader_reads_it),
        cmocka_unit_test(damage_is_told_of_as_the_reader_tells_it),
        cmocka_unit_test(parts_without_what_is_wanted_are_passed_over_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
