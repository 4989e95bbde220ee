/* Evidence made from a simulated journal: of every record, and of checkpoints that follow each other; and what is
 * changed in it proves nothing. */
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/format.h"
#include "journal/proof.h"

static uint8_t public_key[VAULT_PUBLIC_KEY_SIZE];

static void fill(struct rig *rig, unsigned count, uint32_t slots)
{
    for (unsigned i = 0; i < count; i++) {
        while (!rig_append(rig, i % 3, 1 + (i * 37) % slots, NULL)) {
            assert_true(rig_step(rig));
            assert_ok(rig_keep(rig));
        }
        rig->now_ms += 150;
        if (i % 7 != 0) continue;
        assert_true(rig_drain(rig));
        assert_ok(rig_keep(rig));
    }
    assert_true(rig_drain(rig));
}

/* Several runs, so that seals reach across segments, and a tail that is not signed. */
static void create(struct rig *rig, uint64_t seed)
{
    rig_create(rig, seed);
    rig->vault = rig_vault(rig->options.store_id);
    vault_public_key(rig->vault, public_key);
    for (int run = 0; run < 3; run++) {
        assert_ok(rig_ready(rig, 0));
        fill(rig, 60, 200);
        if (run == 1) assert_ok(rig_finish(rig));
        rig_close(rig);
    }
}

static struct result prove(struct rig *rig, uint64_t position, uint32_t slot, const struct slot_checkpoint *through,
                           struct journal_proof *ret_proof)
{
    return journal_prove(rig->main_os, "/j",
                         &(struct journal_proof_options){.position = position, .slot = slot, .through = through},
                         ret_proof);
}

static void checkpoints_of(struct rig *rig, struct slot_checkpoint **ret_checkpoints, size_t *ret_count)
{
    assert_ok(journal_checkpoints(rig->main_os, "/j", 0, NULL, ret_checkpoints, ret_count));
    assert_true(*ret_count >= 3);
}

static void every_record_that_is_signed_for_can_be_proven(void **state)
{
    (void)state;
    struct rig rig;
    struct slot_checkpoint *checkpoints;
    size_t count, proven = 0;
    const char *why;
    create(&rig, 1);
    checkpoints_of(&rig, &checkpoints, &count);
    const struct slot_checkpoint *newest = &checkpoints[count - 1];
    struct journal_reader *reader;
    struct journal_block_view block;
    assert_ok(journal_reader_open(rig.main_os, "/j", &(struct journal_reader_options){0}, &reader));
    while (!result_failed(journal_reader_next(reader, &block))) {
        uint64_t position = block.header->position;
        uint32_t slots = block.header->slot_count;
        for (uint32_t slot = 0; slot < slots; slot += format_record_slots(block.slots, slots, slot)) {
            if (slot > 2 && slot < slots - 2 && slot % 61 > 3) continue;
            struct journal_proof proof;
            struct proof_record record;
            struct result result = prove(&rig, position, slot, NULL, &proof);
            if (position > newest->last) {
                assert_code(result, PROOF_UNSEALED);
                continue;
            }
            assert_ok(result);
            assert_true(journal_proof_check(&proof, public_key, newest, &record, &why));
            assert_int_equal(record.block->position, position);
            assert_memory_equal(record.slots, block.slots + (size_t)slot * 64, 64);
            assert_memory_equal(record.block, block.header, 64);
            journal_proof_free(&proof);
            proven++;
        }
    }
    journal_reader_close(reader);
    assert_true(proven > 500);
    free(checkpoints);
    rig_destroy(&rig);
}

static void a_proof_leads_to_the_checkpoint_that_is_asked_for(void **state)
{
    (void)state;
    struct rig rig;
    struct slot_checkpoint *checkpoints;
    struct journal_proof proof;
    struct proof_record record;
    size_t count;
    const char *why;
    create(&rig, 2);
    checkpoints_of(&rig, &checkpoints, &count);
    assert_ok(prove(&rig, 2, 0, &checkpoints[1], &proof));
    assert_int_equal(proof.checkpoint_count, 2);
    assert_true(journal_proof_check(&proof, public_key, &checkpoints[1], &record, &why));
    assert_true(journal_proof_check(&proof, public_key, &checkpoints[0], &record, &why));
    assert_false(journal_proof_check(&proof, public_key, &checkpoints[2], &record, &why));
    journal_proof_free(&proof);
    /* One before the record, and one that the log never had. */
    assert_code(prove(&rig, checkpoints[1].last, 0, &checkpoints[0], &proof), PROOF_NO_CHECKPOINT);
    struct slot_checkpoint other = checkpoints[1];
    other.time_ms++;
    assert_code(prove(&rig, 2, 0, &other, &proof), PROOF_NO_CHECKPOINT);
    free(checkpoints);
    rig_destroy(&rig);
}

static void what_is_not_there_cannot_be_proven(void **state)
{
    (void)state;
    struct rig rig;
    struct journal_proof proof;
    create(&rig, 3);
    assert_code(prove(&rig, 1000000, 0, NULL, &proof), STORE_NOT_FOUND);
    assert_code(prove(&rig, 1, 16000, NULL, &proof), STORE_NOT_FOUND);
    /* The oldest segment gone: what it shares a seal with cannot be proven, what lies wholly behind it can. */
    struct slot_checkpoint *checkpoints;
    size_t count;
    checkpoints_of(&rig, &checkpoints, &count);
    /* Behind a clean stop a seal covers the end of one segment and the beginning of the next. */
    size_t stop = 0;
    while (stop + 1 < count && checkpoints[stop + 1].first == checkpoints[stop].last + 1) stop++;
    assert_true(stop + 2 < count);
    for (uint64_t segment = 1; segment <= checkpoints[stop].segment; segment++) {
        struct os_op op = {.kind = OS_UNLINK, .path = rig_segment_path(segment)};
        assert_int_equal(os_run(rig.main_os, &op), 0);
    }
    assert_code(prove(&rig, 1, 0, NULL, &proof), STORE_NOT_FOUND);
    assert_code(prove(&rig, checkpoints[stop + 1].first, 0, NULL, &proof), PROOF_GONE);
    assert_ok(prove(&rig, checkpoints[stop + 1].last + 1, 0, NULL, &proof));
    journal_proof_free(&proof);
    free(checkpoints);
    rig_destroy(&rig);
}

/* Every part of a proof, a bit at a time. */
static void flip_all(struct journal_proof *proof, void *part, size_t size, const struct slot_checkpoint *published)
{
    struct proof_record record;
    const char *why = NULL;
    uint8_t *bytes = part;
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (uint8_t)(1 << i % 8);
        if (journal_proof_check(proof, public_key, published, &record, &why))
            fail_msg("byte %zu of a part of %zu bytes proves nothing", i, size);
        assert_non_null(why);
        bytes[i] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(journal_proof_check(proof, public_key, published, &record, &why));
}

static void whatever_is_changed_in_a_proof_it_proves_nothing(void **state)
{
    (void)state;
    struct rig rig;
    struct slot_checkpoint *checkpoints;
    struct journal_proof proof;
    size_t count;
    create(&rig, 4);
    checkpoints_of(&rig, &checkpoints, &count);
    /* A record that lies on the second page of its block. */
    uint64_t position = 1;
    while (result_failed(prove(&rig, position, 66, &checkpoints[1], &proof))) position++;
    assert_int_equal(proof.page_count, 2);
    flip_all(&proof, proof.pages, (size_t)proof.page_count * PROOF_PAGE, &checkpoints[1]);
    flip_all(&proof, &proof.seal, sizeof proof.seal, &checkpoints[1]);
    flip_all(&proof, proof.checkpoints, proof.checkpoint_count * sizeof *proof.checkpoints, &checkpoints[1]);
    flip_all(&proof, proof.pages_path.hashes, 32 * (size_t)proof.pages_path.count, &checkpoints[1]);
    flip_all(&proof, proof.seal_path.hashes, 32 * (size_t)proof.seal_path.count, &checkpoints[1]);
    flip_all(&proof, &proof.position, sizeof proof.position, &checkpoints[1]);
    flip_all(&proof, public_key, sizeof public_key, &checkpoints[1]);
    journal_proof_free(&proof);
    free(checkpoints);
    rig_destroy(&rig);
}

static void a_chain_with_a_hole_or_another_end_is_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct slot_checkpoint *checkpoints;
    size_t count;
    const char *why;
    create(&rig, 5);
    checkpoints_of(&rig, &checkpoints, &count);
    assert_true(checkpoints_follow(checkpoints, count, public_key, &checkpoints[count - 1], &why));
    assert_true(checkpoints_follow(checkpoints, count, public_key, NULL, &why));
    assert_false(checkpoints_follow(checkpoints, 0, public_key, NULL, &why));
    assert_false(checkpoints_follow(checkpoints, count - 1, public_key, &checkpoints[count - 1], &why));
    struct slot_checkpoint two[2] = {checkpoints[0], checkpoints[2]};
    assert_false(checkpoints_follow(two, 2, public_key, NULL, &why));
    two[0] = checkpoints[1], two[1] = checkpoints[0];
    assert_false(checkpoints_follow(two, 2, public_key, NULL, &why));
    free(checkpoints);
    rig_destroy(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_that_is_signed_for_can_be_proven),
        cmocka_unit_test(a_proof_leads_to_the_checkpoint_that_is_asked_for),
        cmocka_unit_test(what_is_not_there_cannot_be_proven),
        cmocka_unit_test(whatever_is_changed_in_a_proof_it_proves_nothing),
        cmocka_unit_test(a_chain_with_a_hole_or_another_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
