/* What the journal keeps: by size, by age, until it is asked to let go; and never less than recovery needs. */
#include "helpers.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_go_when_their_last_record_is_too_old),
        cmocka_unit_test(segments_go_when_asked_for_and_no_further_than_asked),
        cmocka_unit_test(what_is_not_released_stays_however_old_or_unwanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
