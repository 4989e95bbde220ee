/* What a journal is opened and stopped with: options left out, keys that ran ahead, no room at the end, clocks that
 * fall; and evidence from long stretches. */
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/internal.h"
#include "journal/proof.h"

static void options_that_are_left_out_are_filled_in(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad;
    rig_create(&rig, 1);
    const struct journal_options options = {.folder = "/j"};
    assert_ok(journal_open(rig.main_os, &options, NULL, 0, NULL, NULL, &rig.journal, &bad));
    assert_int_equal(rig.journal->options.segment_size, 64 << 20);
    assert_int_equal(rig.journal->options.spare_count, 4);
    journal_close(rig.journal, rig.main_os);
    rig.journal = NULL;
    rig_destroy(&rig);
}

static void an_empty_folder_has_nothing_after_a_position(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t bad;
    rig_create(&rig, 1);
    assert_code(journal_open(rig.main_os, &rig.options, NULL, 5, NULL, NULL, &rig.journal, &bad), JOURNAL_MISSING);
    rig.journal = NULL;
    rig_destroy(&rig);
}

/* The key that would seal what is not closed yet is gone: somebody else advanced it. */
static void a_key_that_is_ahead_of_the_journal_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct vault *other;
    rig_create(&rig, 1);
    rig_vault_twins(rig.options.store_id, &rig.vault, &other);
    assert_ok(rig_ready(&rig, 0));
    assert_true(rig_append(&rig, 0, 3, NULL));
    assert_true(rig_drain(&rig));
    rig_close(&rig);
    for (int i = 0; i < 5; i++) vault_mac_advance(other);
    vault_close(rig.vault);
    rig.vault = other;
    assert_code(rig_open(&rig, 0), JOURNAL_BAD_SEAL);
    rig.journal = NULL;
    rig_destroy(&rig);
}

static void fill(struct rig *rig, unsigned count, uint32_t slots)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, slots, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
    }
    assert_true(rig_drain(rig));
}

/* Journal time may be given by another thread's earlier look: a seal is due then, too. */
static void a_seal_is_made_though_the_time_given_falls(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 1);
    rig.vault = rig_vault(rig.options.store_id);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 3, 3);
    rig.now_ms += 5000;
    assert_ok(rig_keep(&rig));
    uint64_t sealed = journal_status(rig.journal).sealed_through;
    assert_true(sealed > 0);
    fill(&rig, 3, 3);
    rig.now_ms -= 3000;
    assert_ok(rig_keep(&rig));
    assert_true(journal_status(rig.journal).sealed_through > sealed);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* A stop on a disk that is just full: it says so, or finds room within what there is; never a wrong log. */
static void a_stop_on_a_full_disk_says_so_or_finds_room_and_leaves_a_sound_log(void **state)
{
    (void)state;
    for (unsigned blocks = 1; blocks < 60; blocks++) {
        struct rig rig;
        struct journal_check_report report;
        rig_create(&rig, blocks);
        rig.vault = rig_vault(rig.options.store_id);
        rig.options.spare_count = 1;
        assert_ok(rig_ready(&rig, 0));
        os_sim_faults_set(rig.world, &(struct os_sim_faults){.no_space_at = 1});
        for (unsigned i = 0; i < blocks; i++) {
            if (!rig_append(&rig, 0, 60, NULL)) break;
            assert_true(rig_drain(&rig));
        }
        struct result result = rig_finish(&rig);
        assert_true(!result_failed(result) || result.code == JOURNAL_NO_ROOM);
        os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
        if (result_failed(result)) assert_ok(rig_finish(&rig));
        rig_close(&rig);
        assert_ok(journal_check(rig.main_os, "/j", &(struct journal_check_options){0}, &report));
        rig_destroy(&rig);
    }
}

static void a_journal_without_seals_is_closed_as_it_is(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 1);
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 30, 100);
    assert_ok(rig_finish(&rig));
    rig_close(&rig);
    assert_ok(rig_open(&rig, 0));
    assert_true(rig_promises_kept(&rig, 0));
    rig_close(&rig);
    rig_destroy(&rig);
}

/* A disk that is full is asked again after a pause, or when the time given falls. */
static void a_full_disk_is_asked_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_create(&rig, 1);
    rig.options.spare_count = 3;
    assert_ok(rig_open(&rig, 0));
    os_sim_faults_set(rig.world, &(struct os_sim_faults){.no_space_at = 1});
    assert_ok(rig_keep(&rig));
    assert_true(journal_status(rig.journal).no_room);
    os_sim_faults_set(rig.world, &(struct os_sim_faults){0});
    assert_ok(rig_keep(&rig)); /* not at once */
    assert_true(journal_status(rig.journal).no_room);
    rig.now_ms -= 60000;
    assert_ok(rig_keep(&rig));
    assert_false(journal_status(rig.journal).no_room);
    rig_close(&rig);
    rig_destroy(&rig);
}

/* A block of more pages than are hashed at once, and a record at its end. */
static void large_settled(struct journal_block *block, struct result result)
{
    *(struct result *)block->owner = result;
}

static void a_record_at_the_end_of_a_large_block_is_proven(void **state)
{
    (void)state;
    enum { SLOTS = 3000 };
    struct rig rig;
    struct journal_writer *writer;
    struct journal_block *block;
    struct journal_proof proof;
    struct proof_record record;
    struct result written = result_of(FULL);
    const char *why;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    rig_create(&rig, 1);
    rig.vault = rig_vault(rig.options.store_id);
    vault_public_key(rig.vault, key);
    rig.options.segment_size = 2 << 20;
    assert_ok(rig_ready(&rig, 0));
    const struct journal_writer_options options = {
        .block_count = 1, .slots_per_block = SLOTS, .settled = large_settled};
    assert_ok(journal_writer_create(rig.journal, rig.os[0], &options, &writer));
    assert_ok(journal_begin(writer, &block));
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        block->slots[(size_t)slot * JOURNAL_SLOT_SIZE + JOURNAL_SLOT_SIZE - 1] = SLOT_VERIFY;
    block->owner = &written;
    journal_append(block, SLOTS, rig.now_ms);
    uint64_t position = block->position;
    while (journal_in_flight(writer) > 0) {
        assert_ok(os_step(rig.os[0], 1000000, NULL));
        journal_poll(writer);
    }
    assert_ok(written);
    journal_writer_destroy(writer);
    assert_ok(rig_finish(&rig));
    rig_close(&rig);
    const struct journal_proof_options of = {.position = position, .slot = SLOTS - 1};
    assert_ok(journal_prove(rig.main_os, "/j", &of, &proof));
    assert_true(journal_proof_check(&proof, key, NULL, &record, &why));
    journal_proof_free(&proof);
    rig_destroy(&rig);
}

/* One seal over hundreds of blocks, and more checkpoints than a first list takes. */
static void evidence_reaches_over_long_stretches(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_proof proof;
    struct slot_checkpoint *checkpoints;
    struct proof_record record;
    size_t count;
    const char *why;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    rig_create(&rig, 1);
    rig.vault = rig_vault(rig.options.store_id);
    vault_public_key(rig.vault, key);
    rig.options.segment_size = 2 << 20;
    assert_ok(rig_ready(&rig, 0));
    for (unsigned i = 0; i < 300; i++) { /* nobody seals meanwhile */
        assert_true(rig_append(&rig, i % 3, 30, NULL));
        assert_true(rig_drain(&rig));
    }
    assert_ok(rig_finish(&rig));
    rig_close(&rig);
    rig.options.segment_size = 64 << 10;
    assert_ok(rig_ready(&rig, 0));
    fill(&rig, 330, 250);
    assert_ok(rig_finish(&rig));
    rig_close(&rig);
    assert_ok(journal_checkpoints(rig.main_os, "/j", 0, NULL, &checkpoints, &count));
    assert_true(count > 64);
    const struct journal_proof_options of = {.position = 200, .slot = 7};
    assert_ok(journal_prove(rig.main_os, "/j", &of, &proof));
    assert_true(proof.pages_run.total > 250 && proof.checkpoint_count == count);
    assert_true(journal_proof_check(&proof, key, &checkpoints[count - 1], &record, &why));
    journal_proof_free(&proof);

    struct slot_checkpoint *some;
    size_t some_count;
    assert_ok(journal_checkpoints(rig.main_os, "/j", checkpoints[1].last, &checkpoints[5], &some, &some_count));
    assert_int_equal(some_count, 4);
    assert_memory_equal(some, checkpoints + 2, some_count * sizeof *some);
    free(some);
    struct slot_checkpoint other = checkpoints[5];
    other.time_ms++;
    assert_code(journal_checkpoints(rig.main_os, "/j", 0, &other, &some, &some_count), PROOF_NO_CHECKPOINT);
    free(checkpoints);
    rig_destroy(&rig);
}

/* A hint of where to begin that is no longer true is only a hint. */
static void a_place_that_is_gone_is_looked_for(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_reader *reader;
    struct journal_block_view block;
    struct journal_place place;
    rig_fill(&rig, 20);
    assert_ok(journal_reader_open(rig.main_os, "/j", &(struct journal_reader_options){0}, &reader));
    for (int i = 0; i < 8; i++) assert_ok(journal_reader_next(reader, &block));
    journal_reader_place(reader, &place);
    journal_reader_close(reader);
    for (int gone = 0; gone < 3; gone++) {
        if (gone == 1) place.segment_first++;
        if (gone == 2) place.segment += 100;
        const struct journal_reader_options options = {.from_position = place.position, .place = &place};
        assert_ok(journal_reader_open(rig.main_os, "/j", &options, &reader));
        assert_ok(journal_reader_next(reader, &block));
        assert_int_equal(block.header->position, place.position);
        journal_reader_close(reader);
    }
    rig_destroy(&rig);
}

static void a_wait_of_more_than_24_bits_of_seconds_is_cut_in_its_record(void **state)
{
    (void)state;
    struct slot_verify slot = {0};
    slot_verify_set_retry_after_s(&slot, UINT32_MAX);
    assert_int_equal(slot_verify_retry_after_s(&slot), SLOT_RETRY_AFTER_MAX_S);
    slot_verify_set_retry_after_s(&slot, 70000);
    assert_int_equal(slot_verify_retry_after_s(&slot), 70000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_are_left_out_are_filled_in),
        cmocka_unit_test(an_empty_folder_has_nothing_after_a_position),
        cmocka_unit_test(a_key_that_is_ahead_of_the_journal_is_refused),
        cmocka_unit_test(a_seal_is_made_though_the_time_given_falls),
        cmocka_unit_test(a_stop_on_a_full_disk_says_so_or_finds_room_and_leaves_a_sound_log),
        cmocka_unit_test(a_journal_without_seals_is_closed_as_it_is),
        cmocka_unit_test(a_full_disk_is_asked_again),
        cmocka_unit_test(a_record_at_the_end_of_a_large_block_is_proven),
        cmocka_unit_test(evidence_reaches_over_long_stretches),
        cmocka_unit_test(a_place_that_is_gone_is_looked_for),
        cmocka_unit_test(a_wait_of_more_than_24_bits_of_seconds_is_cut_in_its_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
