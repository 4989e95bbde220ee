/* Blocks that are still in memory: the seals hash them there, and read the disk for what is not there any more. */
#include <string.h>

#include "helpers.h"
#include "journal/index.h"
#include "journal/internal.h"

static uint8_t public_key[VAULT_PUBLIC_KEY_SIZE];

static void create(struct rig *rig)
{
    rig_create(rig, 1);
    rig->vault = rig_vault(rig->options.store_id);
    rig->options.segment_size = 1 << 20;
    rig->options.busy_bytes = 1;
    vault_public_key(rig->vault, public_key);
}

/* One at a time, each durable. */
static void append(struct rig *rig, unsigned count, uint32_t slots)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(rig_append(rig, 0, slots, NULL));
        assert_true(rig_drain(rig));
    }
    rig->now_ms += 100;
}

/* A seal is due, and the first read fails. */
static struct result keep_without_reading(struct rig *rig)
{
    os_sim_faults_set(rig->world, &(struct os_sim_faults){.fail_read_at = 1});
    rig->now_ms += 2000;
    struct result result = rig_keep(rig);
    os_sim_faults_set(rig->world, &(struct os_sim_faults){0});
    return result;
}

/* All that was appended is under a seal that is over what the disk has. */
static void sealed_and_right(struct rig *rig)
{
    struct journal_check_report report;
    struct journal_check_options options = {.public_key = public_key};
    rig->now_ms += 2000;
    assert_ok(rig_keep(rig));
    assert_true(journal_status(rig->journal).sealed_through >= rig->blocks[rig->block_count - 1].position);
    assert_ok(rig_finish(rig));
    rig_close(rig);
    assert_ok(journal_check(rig->main_os, "/j", &options, &report));
    assert_string_equal(report.finding, "");
    rig_destroy(rig);
}

static void what_is_in_memory_is_sealed_without_the_disk(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    append(&rig, 3, 250);
    assert_ok(keep_without_reading(&rig));
    assert_int_equal(journal_status(rig.journal).sealed_through, 3);
    assert_int_equal(journal_status(rig.journal).unsealed_bytes, JOURNAL_BLOCK_ALIGNMENT); /* the seal's own */
    sealed_and_right(&rig);
}

/* A writer of two blocks in flight has three buffers; kept ones are more. */
static void what_memory_has_no_more_is_read(void **state)
{
    (void)state;
    for (uint32_t kept = 0; kept < 4; kept++) {
        struct rig rig;
        create(&rig);
        rig.kept_count = kept;
        assert_ok(rig_ready(&rig, 0));
        append(&rig, 5, 100);
        assert_code(keep_without_reading(&rig), kept < 2 ? OS_FAILED : OK);
        /* The newest went, so that the seals, which come to the oldest first, find these. */
        if (kept < 2) assert_int_equal(rig.journal->keeper.hash_position, kept + 3);
        sealed_and_right(&rig);
    }
}

/* Of small blocks there may be more in memory than the journal remembers. */
static void the_oldest_of_very_many_are_read(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.segment_size = 8 << 20;
    rig.kept_count = JOURNAL_RECENT_MAX + 100;
    rig.slots_per_block = 3;
    assert_ok(rig_ready(&rig, 0));
    append(&rig, JOURNAL_RECENT_MAX + 100, 2);
    assert_code(keep_without_reading(&rig), OS_FAILED);
    /* The first hundred; memory has the rest. */
    while (rig.journal->keeper.hash_position <= 100) {
        bool more;
        assert_ok(journal_keep(rig.journal, rig.writers[RIG_KEEPER], rig.now_ms, 0, &more));
    }
    assert_ok(keep_without_reading(&rig));
    sealed_and_right(&rig);
}

static void a_buffer_that_was_changed_is_not_believed(void **state)
{
    (void)state;
    static const uint32_t places[] = {0, 6, 8, 16, 32, 40, 50, 60, 64, 100, 200 * 64 + 63, 200 * 64 + 64};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) {
        struct rig rig;
        create(&rig);
        assert_ok(rig_ready(&rig, 0));
        append(&rig, 3, 200);
        for (uint32_t k = 0; k < rig.writers[0]->buffer_count; k++) rig.writers[0]->blocks[k].bytes[places[i]] ^= 1;
        sealed_and_right(&rig);
    }
}

static bool reads_the_disk(struct rig *rig, bool busy)
{
    struct journal_options *options = &rig->journal->options;
    options->busy_bytes = busy ? 1 : UINT64_MAX;
    append(rig, 3, 100);
    struct result result = keep_without_reading(rig);
    assert_ok(rig_keep(rig));
    return result_failed(result);
}

/* It shows that the disk has what was written. */
static void as_long_as_little_is_written_blocks_are_read_back(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    assert_true(reads_the_disk(&rig, false));
    assert_false(reads_the_disk(&rig, true));
    assert_true(reads_the_disk(&rig, false));
    sealed_and_right(&rig);
}

static bool sleeps(struct rig *rig)
{
    enum { NS = 200000000 };
    struct os *os = rig->os[RIG_KEEPER];
    uint64_t begun_ns = os_monotonic_ns(os);
    assert_false(journal_keep_rest(rig->journal, rig->writers[RIG_KEEPER]));
    for (int i = 0; i < 8; i++) {
        assert_true(rig_append(rig, 0, 10, NULL));
        rig_make_durable(rig);
    }
    assert_ok(os_step(os, NS, NULL));
    return os_monotonic_ns(os) - begun_ns >= NS;
}

static void the_keeper_is_woken_while_much_is_written(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    for (int busy = 0; busy < 2; busy++) {
        rig.journal->options.busy_bytes = busy ? 1 : UINT64_MAX;
        append(&rig, 1, 100);
        assert_ok(rig_keep(&rig));
        append(&rig, 1, 100);
        assert_int_equal(sleeps(&rig), !busy);
    }
    sealed_and_right(&rig);
}

/* What the run before left does not count for this one. */
static void what_is_unsealed_is_this_runs(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    append(&rig, 5, 250);
    rig_crash(&rig);
    assert_ok(rig_open(&rig, 0));
    append(&rig, 3, 250);
    uint64_t appended = journal_status(rig.journal).bytes_appended;
    assert_int_equal(journal_status(rig.journal).unsealed_bytes, appended);
    rig.journal->options.busy_bytes = UINT64_MAX;
    rig.now_ms += 2000;
    bool more;
    while (rig.journal->keeper.hash_position <= 5)
        assert_ok(journal_keep(rig.journal, rig.writers[RIG_KEEPER], rig.now_ms, 0, &more));
    assert_true(rig.journal->bytes_hashed <= appended - (uint64_t)2 * format_block_size(250));
    sealed_and_right(&rig);
}

static void remove_segment(struct rig *rig, uint64_t number)
{
    struct os_op op = {.kind = OS_UNLINK, .path = rig_segment_path(number)};
    assert_int_equal(os_run(rig->main_os, &op), 0);
}

/* As a backup may leave it: what the seals would begin with is not there. Nobody dies, and nobody waits for them. */
static void what_is_unsealed_and_not_there_stops_seals_alone(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.segment_size = 64 << 10;
    rig.options.spare_count = 6;
    assert_ok(rig_ready(&rig, 0));
    append(&rig, 18, 250);
    uint64_t last = rig.blocks[rig.block_count - 1].position;
    assert_true(journal_status(rig.journal).rotations >= 5);
    rig_close(&rig);
    for (uint64_t number = 1; number <= 2; number++) remove_segment(&rig, number);
    rig.options.unsealed_max = 10 << 10;
    assert_ok(rig_open(&rig, last));
    for (int i = 0; i < 3; i++) {
        rig.now_ms += 2000;
        assert_code(rig_keep(&rig), JOURNAL_MISSING);
        append(&rig, 3, 10);
    }
    assert_false(journal_status(rig.journal).poisoned);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* More than a step; and the one that is read is on the disk behind others. */
static void large_blocks_are_hashed_whole(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    rig.options.segment_size = 4 << 20;
    rig.slots_per_block = 4095;
    assert_ok(rig_ready(&rig, 0));
    append(&rig, 6, 4095);
    sealed_and_right(&rig);
}

static void a_writer_may_go_while_its_blocks_are_wanted(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig);
    assert_ok(rig_ready(&rig, 0));
    append(&rig, 2, 100);
    journal_writer_destroy(rig.writers[0]);
    struct journal_writer_options options = {.slots_per_block = 255};
    assert_ok(journal_writer_create(rig.journal, rig.os[0], &options, &rig.writers[0]));
    assert_code(keep_without_reading(&rig), OS_FAILED);
    sealed_and_right(&rig);
}

/* Nobody comes to hash what was written while a spare is written through: that is done meanwhile. */
static void whoever_waits_for_the_disk_hashes_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    bool more;
    create(&rig);
    rig.kept_count = 80;
    rig.options.spare_count = 1;
    assert_ok(rig_ready(&rig, 0));
    while (journal_status(rig.journal).spares > 0) append(&rig, 1, 250);
    assert_true(journal_status(rig.journal).unsealed_bytes > 900 << 10);
    assert_ok(journal_keep(rig.journal, rig.writers[RIG_KEEPER], rig.now_ms, 0, &more));
    assert_true(rig.journal->bytes_hashed > 200 << 10);
    sealed_and_right(&rig);
}

/* Behind a seal that is due begins another tree, also for who hashes while the keeper waits. */
static void what_becomes_durable_while_a_seal_is_made_is_in_the_next(void **state)
{
    (void)state;
    struct rig rig;
    bool more;
    create(&rig);
    rig.kept_count = 80;
    rig.options.spare_count = 1;
    assert_ok(rig_ready(&rig, 0));
    while (journal_status(rig.journal).spares > 0) append(&rig, 1, 250);
    struct journal_writer *keeper = rig.writers[RIG_KEEPER];
    append(&rig, 30, 250);
    rig.now_ms += 2000;
    for (int i = 0; i < 40 && journal_in_flight(keeper) == 0; i++) {
        assert_ok(journal_keep(rig.journal, keeper, rig.now_ms, 0, &more));
        if (journal_in_flight(keeper) == 0) append(&rig, 1, 250);
    }
    assert_int_equal(journal_in_flight(keeper), 1);
    sealed_and_right(&rig);
}

static void create_indexing(struct rig *rig, uint64_t release_position)
{
    create(rig);
    rig->options.index = true;
    rig->options.segment_size = 64 << 10;
    rig->kept_count = 40;
    rig->release_position = release_position;
    assert_ok(rig_ready(rig, 0));
    append(rig, 2, 250);
}

static void lose_second_block(struct rig *rig)
{
    uint64_t size;
    uint8_t *bytes = os_sim_file(rig->world, rig_segment_path(1), &size);
    memset(bytes + SEGMENT_HEADER_SIZE + format_block_size(250), 0, 4096);
}

static struct result keep_for_long(struct rig *rig)
{
    struct result result = result_ok();
    for (int i = 0; i < 100 && !result_failed(result); i++) {
        rig->now_ms += 2000;
        result = rig_keep(rig);
    }
    return result;
}

/* A start would read it: it is in the segment that holds the checkpoint's position, or no header says yet that its
 * segment is closed. */
static void a_block_that_the_disk_lost_is_found_by_who_makes_its_index(void **state)
{
    (void)state;
    static const uint64_t released[] = {0, 2, UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        struct rig rig;
        create_indexing(&rig, released[i]);
        lose_second_block(&rig);
        append(&rig, 5, 250); /* into the next segment */
        assert_code(keep_for_long(&rig), JOURNAL_CORRUPT);
        assert_true(journal_status(rig.journal).poisoned);
        assert_true(journal_status(rig.journal).sealed_through >= 2);
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

/* In a closed segment; the same, once a checkpoint is behind it. */
static void a_lost_block_that_no_start_needs_is_said_and_no_more(void **state)
{
    (void)state;
    for (int needed = 0; needed < 2; needed++) {
        struct rig rig;
        char name[INDEX_NAME_SIZE], path[INDEX_NAME_SIZE + 3] = "/j/";
        create_indexing(&rig, UINT64_MAX);
        for (int i = 0; i < 3; i++) {
            append(&rig, 3, 250);
            assert_ok(keep_for_long(&rig));
        }
        assert_ok(rig_finish(&rig));
        uint64_t last = rig.blocks[rig.block_count - 1].position;
        rig_close(&rig);
        index_name(1, name);
        strcat(path, name);
        struct os_op op = {.kind = OS_UNLINK, .path = path};
        assert_int_equal(os_run(rig.main_os, &op), 0);
        lose_second_block(&rig);
        assert_ok(rig_open(&rig, last));
        if (needed) rig.release_position = 1;
        assert_code(keep_for_long(&rig), JOURNAL_CORRUPT);
        assert_int_equal(journal_status(rig.journal).poisoned, needed);
        if (!needed) assert_ok(keep_for_long(&rig));
        rig_close(&rig);
        rig_destroy(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_memory_is_sealed_without_the_disk),
        cmocka_unit_test(what_memory_has_no_more_is_read),
        cmocka_unit_test(the_oldest_of_very_many_are_read),
        cmocka_unit_test(a_buffer_that_was_changed_is_not_believed),
        cmocka_unit_test(as_long_as_little_is_written_blocks_are_read_back),
        cmocka_unit_test(the_keeper_is_woken_while_much_is_written),
        cmocka_unit_test(what_is_unsealed_and_not_there_stops_seals_alone),
        cmocka_unit_test(what_is_unsealed_is_this_runs),
        cmocka_unit_test(large_blocks_are_hashed_whole),
        cmocka_unit_test(a_writer_may_go_while_its_blocks_are_wanted),
        cmocka_unit_test(whoever_waits_for_the_disk_hashes_meanwhile),
        cmocka_unit_test(what_becomes_durable_while_a_seal_is_made_is_in_the_next),
        cmocka_unit_test(a_block_that_the_disk_lost_is_found_by_who_makes_its_index),
        cmocka_unit_test(a_lost_block_that_no_start_needs_is_said_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
