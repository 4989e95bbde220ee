/* Proofs made by somebody who has the signing key and lies: every number in them is signed for, and one of them cannot
 * be. Made here from nothing, each from the inside out: pages, seal, checkpoints. */
#include <stdlib.h>
#include <string.h>

#include "helpers.h"
#include "journal/internal.h"
#include "journal/merkle.h"
#include "journal/proof.h"

enum { POSITION = 50, SLOTS = 100, CHECKPOINTS = 2 };

struct made {
    struct journal_proof proof;
    struct slot_checkpoint checkpoints[CHECKPOINTS];
    uint8_t pages[PROOF_PAGES_MAX + 1][PROOF_PAGE];
    struct vault *vault;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE];
    bool second_alone; /* the second checkpoint is not to be chained to the first */
    const char *why;
};

static struct journal_block_header *block_of(struct made *made)
{
    return (struct journal_block_header *)(void *)made->pages[0];
}

static uint8_t *slot_at(struct made *made, uint32_t slot)
{
    return (uint8_t *)(void *)made->pages + (size_t)(1 + slot) * JOURNAL_SLOT_SIZE;
}

/* What is signed over what was made so far. */
static void finish(struct made *made)
{
    struct journal_proof *proof = &made->proof;
    struct page_tree *tree = malloc(sizeof *tree);
    page_tree_start(tree);
    page_tree_add(tree, made->pages[0], proof->pages_run.total * PROOF_PAGE);
    page_tree_root(tree, proof->seal.root);
    free(tree);
    vault_merkle_leaf(&proof->seal, sizeof proof->seal, made->checkpoints[0].seals_root);
    for (int i = 0; i < CHECKPOINTS; i++) {
        uint8_t bytes[CHECKPOINT_SIGNED_SIZE];
        struct slot_checkpoint *checkpoint = &made->checkpoints[i];
        if (i > 0 && !made->second_alone) vault_sha256(&made->checkpoints[0], sizeof *checkpoint, checkpoint->previous);
        checkpoint_signed_bytes(checkpoint, bytes);
        assert_ok(vault_sign(made->vault, bytes, sizeof bytes, checkpoint->signature));
    }
}

/* A block of verifications on two pages, one seal over it alone, one checkpoint over that, and the next one. */
static void make(struct made *made)
{
    struct vault *vault = made->vault;
    *made = (struct made){.vault = vault, .why = NULL};
    vault_public_key(vault, made->key);
    struct journal_block_header *header = block_of(made);
    *header = (struct journal_block_header){.magic = JOURNAL_BLOCK_MAGIC,
                                            .version = JOURNAL_FORMAT_VERSION,
                                            .slot_count = SLOTS,
                                            .position = POSITION,
                                            .committed_through = POSITION - 1};
    for (uint32_t slot = 0; slot < SLOTS; slot++) slot_at(made, slot)[JOURNAL_SLOT_SIZE - 1] = SLOT_VERIFY;
    format_block_body(header, slot_at(made, 0));
    format_block_finish(header);
    struct journal_proof *proof = &made->proof;
    *proof = (struct journal_proof){.position = POSITION,
                                    .slot = 80,
                                    .page_count = 2,
                                    .pages = made->pages,
                                    .pages_run = {.first = 0, .count = 2, .total = 2},
                                    .seal = {.number = 7, .first = POSITION, .last = POSITION, .kind = SLOT_SEAL},
                                    .seal_run = {.first = 0, .count = 1, .total = 1},
                                    .checkpoints = made->checkpoints,
                                    .checkpoint_count = CHECKPOINTS};
    for (unsigned i = 0; i < CHECKPOINTS; i++)
        made->checkpoints[i] = (struct slot_checkpoint){.segment = 3 + i,
                                                        .first = 40 + 60 * i,
                                                        .last = 99 + 60 * i,
                                                        .seal_number = 7 + i,
                                                        .seal_count = 1,
                                                        .kind = SLOT_CHECKPOINT};
}

static bool holds(struct made *made, const struct slot_checkpoint *published)
{
    struct proof_record record;
    return journal_proof_check(&made->proof, made->key, published, &record, &made->why);
}

static void what_is_made_rightly_holds(void **state)
{
    struct made *made = *state;
    struct proof_record record;
    make(made);
    finish(made);
    assert_true(journal_proof_check(&made->proof, made->key, &made->checkpoints[1], &record, &made->why));
    assert_ptr_equal(record.slots, slot_at(made, 80));
    assert_int_equal(record.slot_count, 1);
}

/* Each lie stands before what is signed; `also` comes after. */
#define LIE(reason, lie, also)                                                                                         \
    do {                                                                                                               \
        make(made);                                                                                                    \
        lie;                                                                                                           \
        finish(made);                                                                                                  \
        also;                                                                                                          \
        assert_false(holds(made, NULL));                                                                               \
        if (!strstr(made->why, reason)) fail_msg("%s: %s, not %s", #lie, made->why, reason);                           \
    } while (0)

static void a_chain_of_checkpoints_goes_forward_in_one_store(void **state)
{
    struct made *made = *state;
    LIE("does not follow", made->second_alone = true, (void)0);
    LIE("does not follow", made->checkpoints[1].segment = made->checkpoints[0].segment, (void)0);
    LIE("does not follow", made->checkpoints[1].last = made->checkpoints[0].last, (void)0);
    LIE("does not follow", made->checkpoints[1].store_id[0] = 1, (void)0);
    LIE("signature", (void)0, made->checkpoints[1].time_ms++);
    LIE("signature", made->checkpoints[0].kind = SLOT_SEAL, (void)0);
    LIE("no checkpoint", (void)0, made->proof.checkpoint_count = 0);
    make(made);
    finish(made);
    struct slot_checkpoint other = made->checkpoints[1];
    other.time_ms++;
    assert_false(holds(made, &other));
    assert_non_null(strstr(made->why, "published"));
}

static void a_seal_covers_the_position_and_is_one_of_the_checkpoints(void **state)
{
    struct made *made = *state;
    struct journal_proof *proof = &made->proof;
    LIE("not one of the checkpoint's", (void)0, proof->seal_run.count = 2);
    LIE("not one of the checkpoint's", (void)0, proof->seal_run.total = 2);
    LIE("not one of the checkpoint's", (void)0, proof->seal_run.first = 1);
    LIE("not one of the checkpoint's", (void)0, proof->seal_path.count = 1);
    LIE("not one of the checkpoint's", (void)0, proof->seal.number++);
    LIE("does not cover", proof->seal.kind = SLOT_VERIFY, (void)0);
    LIE("does not cover", proof->seal.last = made->checkpoints[0].last + 1, (void)0);
    LIE("does not cover", proof->seal.first = POSITION + 1, (void)0);
    LIE("does not cover", proof->seal.last = POSITION - 1, (void)0);
}

static void the_pages_are_those_that_the_seal_is_over(void **state)
{
    struct made *made = *state;
    struct journal_proof *proof = &made->proof;
    LIE("make no block", (void)0, proof->page_count = 0);
    LIE("make no block", (void)0, proof->page_count = proof->pages_run.count = PROOF_PAGES_MAX + 1);
    LIE("make no block", (void)0, proof->page_count = 1);
    LIE("made over", (void)0, proof->pages_run.first = 1);
    LIE("made over", (void)0, proof->pages_path.count = 1);
    LIE("made over", (void)0, made->pages[1][0] ^= 1);
}

static void the_record_begins_where_it_is_said_to_and_is_whole(void **state)
{
    struct made *made = *state;
    struct journal_block_header *header = block_of(made);
    LIE("begins no block", header->magic ^= 1, (void)0);
    LIE("another position", (header->position++, format_block_finish(header)), (void)0);
    LIE("no whole record", (void)0, made->proof.slot = SLOTS);
    LIE("no whole record", slot_at(made, 9)[JOURNAL_SLOT_SIZE - 1] = 99, (void)0);
    /* An act whose payload reaches past the slot that is named: no record begins there. */
    struct slot_act act = {.kind = SLOT_ACT, .slot_count = 8, .payload_size = 500};
    LIE("no whole record", memcpy(slot_at(made, 78), &act, sizeof act), (void)0);
}

static int set_up(void **state)
{
    uint8_t store_id[16];
    struct made *made = calloc(1, sizeof *made);
    made->vault = rig_vault(store_id);
    *state = made;
    return 0;
}

static int tear_down(void **state)
{
    struct made *made = *state;
    vault_close(made->vault);
    free(made);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_rightly_holds),
        cmocka_unit_test(a_chain_of_checkpoints_goes_forward_in_one_store),
        cmocka_unit_test(a_seal_covers_the_position_and_is_one_of_the_checkpoints),
        cmocka_unit_test(the_pages_are_those_that_the_seal_is_over),
        cmocka_unit_test(the_record_begins_where_it_is_said_to_and_is_whole),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
