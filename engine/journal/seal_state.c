/* What seals and checkpoints have come to: taken from a segment header, moved on by each record. Recovery and the
 * housekeeper use the same steps, so that a restart goes on exactly where the records stand. */
#include <string.h>

#include "journal/internal.h"

void seal_state_from_header(struct seal_state *state, const struct segment_header *header)
{
    *state = (struct seal_state){.closed_segment = header->closed_segment,
                                 .sealed_through = header->sealed_through,
                                 .seal_number = header->seal_number,
                                 .closed_sealed_through = header->sealed_through,
                                 .closed_seal_number = header->seal_number};
    memcpy(state->seal_hash, header->seal_hash, sizeof state->seal_hash);
    memcpy(state->closed_seal_hash, header->seal_hash, sizeof state->closed_seal_hash);
    memcpy(state->checkpoint_hash, header->checkpoint_hash, sizeof state->checkpoint_hash);
}

void seal_state_seal(struct seal_state *state, const struct slot_seal *seal)
{
    uint8_t leaf[32];
    vault_merkle_leaf(seal, sizeof *seal, leaf);
    merkle_add(&state->seals, leaf);
    state->seal_count++;
    state->sealed_through = seal->last;
    state->seal_number = seal->number;
    vault_sha256(seal, sizeof *seal, state->seal_hash);
}

void seal_state_checkpoint(struct seal_state *state, const struct slot_checkpoint *checkpoint)
{
    vault_sha256(checkpoint, sizeof *checkpoint, state->checkpoint_hash);
    state->closed_segment = checkpoint->segment;
    state->closed_sealed_through = state->sealed_through;
    state->closed_seal_number = state->seal_number;
    memcpy(state->closed_seal_hash, state->seal_hash, sizeof state->closed_seal_hash);
    state->seal_count = 0;
    merkle_start(&state->seals);
}

static struct result apply_seal(struct seal_state *state, const struct slot_seal *seal)
{
    if (seal->number <= state->seal_number) return result_ok(); /* from before the header */
    bool continues = seal->number == state->seal_number + 1 && seal->first == state->sealed_through + 1 &&
                     seal->last >= seal->first && memcmp(seal->previous, state->seal_hash, 32) == 0;
    if (!continues) return result_of(JOURNAL_BAD_SEAL);
    seal_state_seal(state, seal);
    return result_ok();
}

static struct result apply_checkpoint(struct seal_state *state, const struct slot_checkpoint *checkpoint)
{
    if (checkpoint->segment <= state->closed_segment) return result_ok();
    bool continues = checkpoint->seal_number == state->seal_number && checkpoint->seal_count == state->seal_count &&
                     checkpoint->last == state->sealed_through &&
                     memcmp(checkpoint->previous, state->checkpoint_hash, 32) == 0;
    if (!continues) return result_of(JOURNAL_BAD_SEAL);
    seal_state_checkpoint(state, checkpoint);
    return result_ok();
}

struct result seal_state_apply(struct seal_state *state, const struct journal_block_view *block)
{
    if (block->header->slot_count != 3) return result_ok();
    if (block->slots[JOURNAL_SLOT_SIZE - 1] == SLOT_SEAL) {
        struct slot_seal seal;
        memcpy(&seal, block->slots, sizeof seal);
        return apply_seal(state, &seal);
    }
    if (block->slots[JOURNAL_SLOT_SIZE - 1] == SLOT_CHECKPOINT) {
        struct slot_checkpoint checkpoint;
        memcpy(&checkpoint, block->slots, sizeof checkpoint);
        return apply_checkpoint(state, &checkpoint);
    }
    return result_ok();
}

void checkpoint_signed_bytes(const struct slot_checkpoint *checkpoint, uint8_t ret_bytes[CHECKPOINT_SIGNED_SIZE])
{
    static const char label[] = "otpring checkpoint 1\n";
    _Static_assert(sizeof label - 1 + offsetof(struct slot_checkpoint, signature) == CHECKPOINT_SIGNED_SIZE, "label");
    memcpy(ret_bytes, label, sizeof label - 1);
    memcpy(ret_bytes + sizeof label - 1, checkpoint, offsetof(struct slot_checkpoint, signature));
}
