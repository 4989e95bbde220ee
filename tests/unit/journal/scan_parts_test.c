/* What a scan may pass over, where it stops, and what it does when the folder changes beneath it: on segments of
 * several pieces, whose indexes have several groups. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers.h"
#include "journal/file.h"
#include "journal/index.h"
#include "journal/scan.h"
#include "os/os_uring.h"

enum { SEGMENT_SIZE = 6 << 20, BLOCKS = 1200, SLOTS = 240, THREADS = 3 };

struct told {
    _Atomic uint64_t blocks;
    _Atomic uint64_t damages;
    _Atomic uint64_t pieces;
    _Atomic uint64_t first, last; /* in order where one thread reads alone */
    uint64_t pieces_wanted;
    struct rig *rig;
    uint64_t unlink_segment; /* goes away with the first block */
};

static void on_block(void *context, unsigned thread, const struct journal_block_view *block)
{
    struct told *told = context;
    (void)thread;
    if (told->blocks++ == 0) told->first = block->header->position;
    told->last = block->header->position;
    if (told->unlink_segment == 0) return;
    struct os_op op = {.kind = OS_UNLINK, .path = rig_segment_path(told->unlink_segment)};
    struct os *os = os_sim_create(told->rig->world);
    assert_int_equal(os_run(os, &op), 0);
    os_destroy(os);
    told->unlink_segment = 0;
}

static void on_damage(void *context, unsigned thread, uint64_t position, uint64_t segment, struct result result)
{
    (void)thread;
    (void)position;
    (void)segment;
    (void)!result_failed(result);
    ((struct told *)context)->damages++;
}

static bool on_end(void *context, unsigned thread)
{
    struct told *told = context;
    (void)thread;
    return ++told->pieces != told->pieces_wanted;
}

static struct scan_options options_of(struct rig *rig, struct told *told)
{
    *told = (struct told){.rig = rig};
    return (struct scan_options){.folder = "/j",
                                 .os = rig->main_os,
                                 .thread_count = 1,
                                 .since_ms = INT64_MIN,
                                 .until_ms = INT64_MAX,
                                 .block = on_block,
                                 .context = told};
}

/* Two closed segments and the beginning of a third; blocks are 200 ms apart. */
static void create(struct rig *rig)
{
    rig_create(rig, 3);
    rig->vault = rig_vault(rig->options.store_id);
    rig->options.segment_size = SEGMENT_SIZE;
    rig->options.index = true;
    assert_ok(rig_ready(rig, 0));
    for (unsigned i = 0; i < BLOCKS; i++) {
        while (!rig_append(rig, i % 3, SLOTS, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
        rig->now_ms += 200;
    }
    assert_true(rig_drain(rig));
    for (int i = 0; i < 100; i++) {
        rig->now_ms += 200;
        assert_ok(rig_keep(rig));
    }
    rig_close(rig);
}

static void only_the_parts_that_can_hold_what_is_wanted_are_read(void **state)
{
    (void)state;
    struct rig rig;
    struct told told;
    struct scan_report report, whole;
    create(&rig);
    struct scan_options options = options_of(&rig, &told);
    assert_ok(journal_scan(&options, &whole));
    assert_true(whole.segments >= 3 && whole.segments_indexed >= 2 && told.first == 1);
    uint64_t blocks = told.blocks;

    options = options_of(&rig, &told);
    options.from_position = 500;
    options.to_position = 520;
    assert_ok(journal_scan(&options, &report));
    assert_true(told.first == 500 && told.last == 520 && report.bytes_read < whole.bytes_read / 4);

    int64_t begin_ms = 1700000000000;
    options = options_of(&rig, &told);
    options.since_ms = begin_ms + 200 * 500;
    options.until_ms = begin_ms + 200 * 520;
    assert_ok(journal_scan(&options, &report));
    assert_true(told.blocks >= 20 && told.blocks < blocks / 4 && report.bytes_read < whole.bytes_read / 4);

    options = options_of(&rig, &told);
    options.kinds = INDEX_KIND_ACT; /* which there are none of; the segment at the end has no index to say so */
    assert_ok(journal_scan(&options, &report));
    assert_true(told.blocks < blocks / 2 && report.bytes_read < whole.bytes_read / 2);

    /* Some groups, not all: the journal's own records come with the first block of a run and each second. */
    options = options_of(&rig, &told);
    options.kinds = INDEX_KIND_OWN;
    assert_ok(journal_scan(&options, &report));
    assert_true(told.blocks > 0 && told.blocks <= blocks);
    rig_destroy(&rig);
}

static void whoever_has_enough_after_a_piece_gets_no_more(void **state)
{
    (void)state;
    struct rig rig;
    struct told told;
    create(&rig);
    struct scan_options options = options_of(&rig, &told);
    options.end = on_end;
    options.no_index = true;
    assert_ok(journal_scan(&options, NULL));
    uint64_t blocks = told.blocks, pieces = told.pieces;
    assert_true(pieces >= 4);
    for (uint64_t wanted = 1; wanted < pieces; wanted++) {
        options = options_of(&rig, &told);
        options.end = on_end;
        options.no_index = true;
        told.pieces_wanted = wanted;
        assert_ok(journal_scan(&options, NULL));
        assert_int_equal(told.pieces, wanted);
        assert_true(told.blocks < blocks || wanted == pieces - 1); /* the last one looks for more, and finds none */
    }
    rig_destroy(&rig);
}

/* The daemon recycles while somebody reads: what is gone is passed over. */
static void a_segment_that_goes_away_meanwhile_is_passed_over(void **state)
{
    (void)state;
    struct rig rig;
    struct told told;
    create(&rig);
    struct scan_options options = options_of(&rig, &told);
    told.unlink_segment = 2;
    struct scan_report report;
    assert_ok(journal_scan(&options, &report));
    assert_true(told.blocks > 0 && told.blocks < BLOCKS && told.last > BLOCKS);
    rig_destroy(&rig);
}

static void damage_outside_of_what_is_wanted_is_not_told_of(void **state)
{
    (void)state;
    struct rig rig;
    struct told told;
    uint64_t size;
    create(&rig);
    uint8_t *bytes = os_sim_file(rig.world, rig_segment_path(1), &size);
    bytes[SEGMENT_HEADER_SIZE + 10 * 16384 + 300] ^= 1;
    struct scan_options options = options_of(&rig, &told);
    options.damage = on_damage;
    assert_ok(journal_scan(&options, NULL));
    assert_int_equal(told.damages, 1);
    uint64_t blocks = told.blocks;
    options = options_of(&rig, &told); /* nobody wants to hear of damage */
    assert_ok(journal_scan(&options, NULL));
    assert_int_equal(told.blocks, blocks);
    for (int side = 0; side < 2; side++) {
        options = options_of(&rig, &told);
        options.damage = on_damage;
        options.no_index = true;
        options.from_position = side ? 20 : 0;
        options.to_position = side ? 0 : 5;
        assert_ok(journal_scan(&options, NULL));
        assert_int_equal(told.damages, 0);
    }
    rig_destroy(&rig);
}

static void a_folder_that_is_not_there_is_told_of(void **state)
{
    (void)state;
    struct rig rig;
    struct told told;
    rig_create(&rig, 1);
    struct os *os;
    assert_ok(os_uring_create(&(struct os_uring_options){.entries = 16}, &os));
    struct scan_options options = options_of(&rig, &told);
    options.folder = "/var/tmp/otpring-no-such-folder";
    options.os = os;
    assert_true(result_failed(journal_scan(&options, NULL)));
    os_destroy(os);
    rig_destroy(&rig);
}

/* ---- a check of much ---- */

static void count_progress(void *context, const struct journal_check_report *report)
{
    (void)report;
    ++*(unsigned *)context;
}

static void a_check_of_much_tells_how_far_it_has_come(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_check_report report;
    unsigned told = 0;
    create(&rig);
    const struct journal_check_options options = {.threads = true, .progress = count_progress, .context = &told};
    assert_ok(journal_check(rig.main_os, "/j", &options, &report));
    assert_true(report.bytes > 16 << 20);
    assert_int_equal(told, report.bytes >> 24);
    rig_destroy(&rig);
}

/* ---- threads, on files of the real system ---- */

static struct os *ring_create(void *context)
{
    struct os *os;
    (void)context;
    return result_failed(os_uring_create(&(struct os_uring_options){.entries = 16}, &os)) ? NULL : os;
}

static struct os *none_create(void *context)
{
    (void)context;
    return NULL;
}

static void ring_destroy(void *context, struct os *os)
{
    (void)context;
    os_destroy(os);
}

static void copy_out(struct rig *rig, const char *folder)
{
    for (uint64_t number = 1; number <= 4; number++) {
        uint64_t size;
        char path[128];
        const char *name = rig_segment_path(number);
        uint8_t *bytes = os_sim_file(rig->world, name, &size);
        if (!bytes) continue;
        snprintf(path, sizeof path, "%s%s", folder, strrchr(name, '/'));
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void threads_read_the_same_blocks_as_one_and_a_thread_without_a_ring_is_not_missed(void **state)
{
    (void)state;
    struct rig rig;
    struct told told;
    char folder[] = "/var/tmp/otpring-scan-XXXXXX";
    create(&rig);
    assert_non_null(mkdtemp(folder));
    copy_out(&rig, folder);
    struct scan_options options = options_of(&rig, &told);
    options.folder = folder;
    assert_ok(os_uring_create(&(struct os_uring_options){.entries = 16}, &options.os));
    assert_ok(journal_scan(&options, NULL));
    uint64_t blocks = told.blocks;
    for (int with = 0; with < 2; with++) {
        struct os *os = options.os;
        options = options_of(&rig, &told);
        options.folder = folder;
        options.os = os;
        options.thread_count = THREADS;
        options.os_create = with ? ring_create : none_create;
        options.os_destroy = ring_destroy;
        assert_ok(journal_scan(&options, NULL));
        assert_int_equal(told.blocks, blocks);
    }
    /* Whoever has enough gets no more from any of them. */
    struct os *os = options.os;
    options = options_of(&rig, &told);
    options.folder = folder;
    options.os = os;
    options.thread_count = THREADS;
    options.os_create = ring_create;
    options.os_destroy = ring_destroy;
    options.end = on_end;
    told.pieces_wanted = 1;
    assert_ok(journal_scan(&options, NULL));
    assert_int_equal(told.pieces, 1);
    os_destroy(options.os);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_parts_that_can_hold_what_is_wanted_are_read),
        cmocka_unit_test(whoever_has_enough_after_a_piece_gets_no_more),
        cmocka_unit_test(a_segment_that_goes_away_meanwhile_is_passed_over),
        cmocka_unit_test(damage_outside_of_what_is_wanted_is_not_told_of),
        cmocka_unit_test(a_folder_that_is_not_there_is_told_of),
        cmocka_unit_test(a_check_of_much_tells_how_far_it_has_come),
        cmocka_unit_test(threads_read_the_same_blocks_as_one_and_a_thread_without_a_ring_is_not_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
