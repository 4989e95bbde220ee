/* Checking evidence, with the public key alone. Every number of a proof that is not itself under the signature is a
 * claim of whoever made it: it may make a check fail, never succeed. */
#include <string.h>

#include "journal/internal.h"
#include "journal/proof.h"

bool checkpoint_same(const struct slot_checkpoint *one, const struct slot_checkpoint *other)
{
    return memcmp(one, other, sizeof *one) == 0;
}

bool checkpoint_signed_by(const struct slot_checkpoint *checkpoint, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE])
{
    uint8_t bytes[CHECKPOINT_SIGNED_SIZE];
    checkpoint_signed_bytes(checkpoint, bytes);
    return checkpoint->kind == SLOT_CHECKPOINT && vault_verify(public_key, bytes, sizeof bytes, checkpoint->signature);
}

static bool refuse(const char **ret_why, const char *why)
{
    *ret_why = why;
    return false;
}

static bool follows(const struct slot_checkpoint *before, const struct slot_checkpoint *after)
{
    uint8_t hash[32];
    vault_sha256(before, sizeof *before, hash);
    return memcmp(hash, after->previous, sizeof hash) == 0 && before->segment < after->segment &&
           before->last < after->last && memcmp(before->store_id, after->store_id, sizeof before->store_id) == 0;
}

bool checkpoints_follow(const struct slot_checkpoint *checkpoints, size_t count,
                        const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], const struct slot_checkpoint *published,
                        const char **ret_why)
{
    bool met = !published;
    if (count == 0) return refuse(ret_why, "there is no checkpoint in it");
    for (size_t i = 0; i < count; i++) {
        if (!checkpoint_signed_by(&checkpoints[i], public_key))
            return refuse(ret_why, "the signature of a checkpoint does not verify with this public key");
        if (i > 0 && !follows(&checkpoints[i - 1], &checkpoints[i]))
            return refuse(ret_why, "a checkpoint does not follow the one before it");
        if (published && checkpoint_same(&checkpoints[i], published)) met = true;
    }
    return met || refuse(ret_why, "its checkpoints do not lead to the published one");
}

static bool check_pages(const struct journal_proof *proof, const char **ret_why)
{
    uint8_t leaves[PROOF_PAGES_MAX][32], root[32];
    if (proof->page_count == 0 || proof->page_count > PROOF_PAGES_MAX || proof->pages_run.count != proof->page_count)
        return refuse(ret_why, "its pages make no block");
    merkle_pages(proof->pages[0], proof->page_count, leaves);
    if (!merkle_path_root((const uint8_t(*)[32])leaves, &proof->pages_run, &proof->pages_path, root) ||
        memcmp(root, proof->seal.root, sizeof root) != 0)
        return refuse(ret_why, "the pages are not what the seal was made over");
    return true;
}

static bool check_seal(const struct journal_proof *proof, const char **ret_why)
{
    const struct slot_checkpoint *checkpoint = &proof->checkpoints[0];
    const struct slot_seal *seal = &proof->seal;
    uint8_t leaf[1][32], root[32];
    vault_merkle_leaf(seal, sizeof *seal, leaf[0]);
    /* The count of seals is under the signature, so the index is no mere claim. */
    if (proof->seal_run.count != 1 || proof->seal_run.total != checkpoint->seal_count ||
        !merkle_path_root((const uint8_t(*)[32])leaf, &proof->seal_run, &proof->seal_path, root) ||
        memcmp(root, checkpoint->seals_root, sizeof root) != 0)
        return refuse(ret_why, "the seal is not one of the checkpoint's");
    if (seal->kind != SLOT_SEAL || seal->last > checkpoint->last || proof->position < seal->first ||
        proof->position > seal->last)
        return refuse(ret_why, "the seal does not cover this position");
    return true;
}

static bool take_record(const struct journal_proof *proof, struct proof_record *ret_record, const char **ret_why)
{
    const struct journal_block_header *header = (const struct journal_block_header *)(const void *)proof->pages[0];
    const uint8_t *slots = proof->pages[0] + sizeof *header;
    uint32_t here = proof->page_count * (PROOF_PAGE / JOURNAL_SLOT_SIZE) - 1, count;
    if (format_block_begins(header) == 0) return refuse(ret_why, "its first page begins no block");
    if (header->position != proof->position) return refuse(ret_why, "its block has another position");
    if (here > header->slot_count) here = header->slot_count;
    for (uint32_t slot = 0; slot <= proof->slot; slot += count) {
        count = format_record_slots(slots, here, slot);
        if (count == 0) break;
        if (slot < proof->slot) continue;
        *ret_record = (struct proof_record){
            .block = header, .slots = slots + (size_t)slot * JOURNAL_SLOT_SIZE, .slot_count = count};
        return true;
    }
    return refuse(ret_why, "no whole record begins at this slot");
}

bool journal_proof_check(const struct journal_proof *proof, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                         const struct slot_checkpoint *published, struct proof_record *ret_record, const char **ret_why)
{
    return checkpoints_follow(proof->checkpoints, proof->checkpoint_count, public_key, published, ret_why) &&
           check_seal(proof, ret_why) && check_pages(proof, ret_why) && take_record(proof, ret_record, ret_why);
}
