/* Making a proof: one pass over the log from a little before the record, which keeps the leaf hashes that no seal has
 * covered yet, the seals that no checkpoint has, and the checkpoints from the record's own on. */
#include "journal/proof.h"

#include <stdlib.h>
#include <string.h>

#include "journal/folder.h"
#include "journal/internal.h"

struct list {
    uint8_t *items;
    size_t count;
    size_t capacity;
};

static struct result list_add(struct list *list, const void *item, size_t size)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        void *more = realloc(list->items, capacity * size);
        if (!more) return result_of(NO_MEMORY);
        list->items = more;
        list->capacity = capacity;
    }
    memcpy(list->items + list->count++ * size, item, size);
    return result_ok();
}

struct prover {
    const struct journal_proof_options *options;
    struct journal_proof *proof;
    struct list leaves;       /* 32 bytes each: pages of whole blocks, in order */
    uint64_t leaves_position; /* of the block that the first leaf is of; 0: none yet */
    uint64_t leaves_last;     /* of the block that the last leaf is of */
    struct list places;       /* uint32_t each: pages of each of those blocks */
    struct list seals;        /* since the last checkpoint */
    struct list checkpoints;  /* from the record's on */
    uint64_t seal_index;
    bool seal_found;
    bool ended; /* the last checkpoint that is wanted */
};

void journal_proof_free(struct journal_proof *proof)
{
    free(proof->pages);
    free(proof->checkpoints);
    proof->pages = NULL;
    proof->checkpoints = NULL;
}

/* ---- the block ---- */

static bool begins_record(const struct journal_block_view *block, uint32_t wanted, uint32_t *ret_count)
{
    uint32_t count;
    for (uint32_t slot = 0; slot <= wanted; slot += count) {
        count = format_record_slots(block->slots, block->header->slot_count, slot);
        if (count == 0) return false;
        *ret_count = count;
        if (slot == wanted) return true;
    }
    return false;
}

static struct result keep_block(struct prover *prover, const struct journal_block_view *block)
{
    uint32_t slot = prover->options->slot, count;
    if (!begins_record(block, slot, &count)) return result_of(STORE_NOT_FOUND);
    uint32_t page_count = ((slot + 1 + count) * JOURNAL_SLOT_SIZE + PROOF_PAGE - 1) / PROOF_PAGE;
    struct journal_proof *proof = prover->proof;
    proof->pages = calloc(page_count, sizeof *proof->pages);
    if (!proof->pages) return result_of(NO_MEMORY);
    proof->page_count = page_count;
    memcpy(proof->pages, block->header, (size_t)page_count * PROOF_PAGE);
    return result_ok();
}

static struct result add_leaves(struct prover *prover, const struct journal_block_view *block)
{
    const uint8_t *bytes = (const uint8_t *)block->header;
    uint32_t page_count = format_block_size(block->header->slot_count) / MERKLE_PAGE;
    if (prover->places.count == 0) prover->leaves_position = block->header->position;
    prover->leaves_last = block->header->position;
    for (uint32_t done = 0; done < page_count; done += MERKLE_PAGES) {
        uint8_t hashes[MERKLE_PAGES][32];
        uint32_t left = page_count - done, count = left < MERKLE_PAGES ? left : MERKLE_PAGES;
        merkle_pages(bytes + (size_t)done * MERKLE_PAGE, count, hashes);
        for (uint32_t i = 0; i < count; i++) TRY(list_add(&prover->leaves, hashes[i], 32));
    }
    return list_add(&prover->places, &page_count, sizeof page_count);
}

/* The index of the leaf that the block at `position` begins with. */
static uint64_t leaf_of(const struct prover *prover, uint64_t position)
{
    uint64_t leaf = 0;
    const uint32_t *counts = (const uint32_t *)(const void *)prover->places.items;
    for (uint64_t i = 0; i < position - prover->leaves_position; i++) leaf += counts[i];
    return leaf;
}

static void drop_leaves(struct prover *prover, uint64_t through)
{
    if (prover->places.count == 0 || through < prover->leaves_position) return;
    uint64_t dropped = through - prover->leaves_position + 1;
    if (dropped > prover->places.count) dropped = prover->places.count;
    uint64_t leaf = leaf_of(prover, prover->leaves_position + dropped);
    prover->leaves.count -= leaf;
    prover->places.count -= dropped;
    memmove(prover->leaves.items, prover->leaves.items + leaf * 32, prover->leaves.count * 32);
    memmove(prover->places.items, prover->places.items + dropped * sizeof(uint32_t),
            prover->places.count * sizeof(uint32_t));
    prover->leaves_position += dropped;
}

/* ---- seals and checkpoints ---- */

static struct result meet_seal(struct prover *prover, const struct slot_seal *seal)
{
    uint64_t position = prover->options->position;
    struct journal_proof *proof = prover->proof;
    if (!prover->seal_found && seal->first <= position && position <= seal->last) {
        bool whole = prover->places.count > 0 && prover->leaves_position <= seal->first && proof->pages;
        if (!whole || seal->last > prover->leaves_last) return result_of(PROOF_GONE);
        drop_leaves(prover, seal->first - 1);
        proof->pages_run = (struct merkle_run){
            .first = leaf_of(prover, position), .count = proof->page_count, .total = leaf_of(prover, seal->last + 1)};
        merkle_path_make((const uint8_t(*)[32])prover->leaves.items, &proof->pages_run, &proof->pages_path);
        proof->seal = *seal;
        prover->seal_found = true;
        prover->seal_index = prover->seals.count;
    }
    drop_leaves(prover, seal->last);
    uint8_t leaf[32];
    vault_merkle_leaf(seal, sizeof *seal, leaf);
    return list_add(&prover->seals, leaf, sizeof leaf);
}

static struct result meet_checkpoint(struct prover *prover, const struct slot_checkpoint *checkpoint)
{
    struct journal_proof *proof = prover->proof;
    if (prover->seal_found && prover->checkpoints.count == 0) {
        if (checkpoint->seal_count != prover->seals.count) return result_of(PROOF_GONE);
        proof->seal_run = (struct merkle_run){.first = prover->seal_index, .count = 1, .total = prover->seals.count};
        merkle_path_make((const uint8_t(*)[32])prover->seals.items, &proof->seal_run, &proof->seal_path);
    }
    prover->seals.count = 0;
    if (!prover->seal_found) return result_ok();
    TRY(list_add(&prover->checkpoints, checkpoint, sizeof *checkpoint));
    prover->ended = prover->options->through && checkpoint_same(checkpoint, prover->options->through);
    return result_ok();
}

static struct result meet_block(struct prover *prover, const struct journal_block_view *block)
{
    uint8_t kind = block->slots[JOURNAL_SLOT_SIZE - 1];
    if (block->header->position == prover->options->position) TRY(keep_block(prover, block));
    if (kind == SLOT_SEAL && block->header->slot_count == 3) {
        struct slot_seal seal;
        memcpy(&seal, block->slots, sizeof seal);
        TRY(meet_seal(prover, &seal));
    } else if (kind == SLOT_CHECKPOINT && block->header->slot_count == 3) {
        struct slot_checkpoint checkpoint;
        memcpy(&checkpoint, block->slots, sizeof checkpoint);
        TRY(meet_checkpoint(prover, &checkpoint));
    }
    return prover->seal_found ? result_ok() : add_leaves(prover, block);
}

/* ---- the pass ---- */

static struct result read_all(struct prover *prover, struct journal_reader *reader)
{
    for (;;) {
        struct journal_block_view block;
        struct result result = journal_reader_next(reader, &block);
        if (result.code == STORE_NOT_FOUND) break;
        TRY(result);
        TRY(meet_block(prover, &block));
        if (prover->ended) return result_ok();
    }
    if (!prover->proof->pages) return result_of(STORE_NOT_FOUND);
    if (prover->checkpoints.count == 0) return result_of(PROOF_UNSEALED);
    return result_of(prover->options->through ? PROOF_NO_CHECKPOINT : OK);
}

static struct result prove_from(struct os *os, const char *folder, uint64_t from, struct prover *prover)
{
    struct journal_reader *reader;
    TRY(journal_reader_open(os, folder, &(struct journal_reader_options){.from_position = from}, &reader));
    struct result result = read_all(prover, reader);
    journal_reader_close(reader);
    free(prover->leaves.items);
    free(prover->places.items);
    free(prover->seals.items);
    prover->proof->checkpoints = (struct slot_checkpoint *)(void *)prover->checkpoints.items;
    prover->proof->checkpoint_count = prover->checkpoints.count;
    if (result_failed(result)) journal_proof_free(prover->proof);
    return result;
}

/* Where to begin: `back` segments before the one that holds the position. ret_oldest: there is none before that. */
static struct result start_of(struct os *os, const char *path, uint64_t position, size_t back, uint64_t *ret_from,
                              bool *ret_oldest)
{
    struct folder folder;
    TRY(folder_read(os, path, NULL, &folder));
    const struct folder_file *file = folder_find(&folder, position);
    struct result result = file ? result_ok() : result_of(STORE_NOT_FOUND);
    size_t at = file ? (size_t)(file - folder.files) : 0;
    for (; file && back > 0 && at > 0; at--) {
        if (!folder.files[at - 1].chain) continue;
        file = &folder.files[at - 1];
        back--;
    }
    *ret_from = file ? file->header->first_position : 0;
    *ret_oldest = back > 0;
    folder_release(&folder);
    return result;
}

struct result journal_prove(struct os *os, const char *folder, const struct journal_proof_options *options,
                            struct journal_proof *ret_proof)
{
    /* A seal may reach back into the segment before; behind a run that died, into several. */
    for (size_t back = 1;; back *= 4) {
        uint64_t from;
        bool oldest;
        TRY(start_of(os, folder, options->position, back, &from, &oldest));
        struct journal_proof proof = {.position = options->position, .slot = options->slot};
        struct prover prover = {.options = options, .proof = &proof};
        struct result result = prove_from(os, folder, from, &prover);
        if (result.code == PROOF_GONE && !oldest) continue;
        TRY(result);
        *ret_proof = proof;
        return result_ok();
    }
}

static struct result collect_checkpoints(struct journal_reader *reader, uint64_t after,
                                         const struct slot_checkpoint *through, struct list *list)
{
    for (;;) {
        struct journal_block_view block;
        struct result result = journal_reader_next(reader, &block);
        if (result.code == STORE_NOT_FOUND) return result_of(through ? PROOF_NO_CHECKPOINT : OK);
        TRY(result);
        if (block.slots[JOURNAL_SLOT_SIZE - 1] != SLOT_CHECKPOINT || block.header->slot_count != 3) continue;
        struct slot_checkpoint checkpoint;
        memcpy(&checkpoint, block.slots, sizeof checkpoint);
        if (checkpoint.last <= after) continue;
        TRY(list_add(list, &checkpoint, sizeof checkpoint));
        if (through && checkpoint_same(&checkpoint, through)) return result_ok();
    }
}

struct result journal_checkpoints(struct os *os, const char *folder, uint64_t after,
                                  const struct slot_checkpoint *through, struct slot_checkpoint **ret_checkpoints,
                                  size_t *ret_count)
{
    struct journal_reader *reader;
    struct list list = {0};
    TRY(journal_reader_open(os, folder, &(struct journal_reader_options){.from_position = after}, &reader));
    struct result result = collect_checkpoints(reader, after, through, &list);
    journal_reader_close(reader);
    if (result_failed(result)) {
        free(list.items);
        return result;
    }
    *ret_checkpoints = (struct slot_checkpoint *)(void *)list.items;
    *ret_count = list.count;
    return result_ok();
}
