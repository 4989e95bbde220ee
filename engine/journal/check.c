/* The check: walks every block, keeps the leaf hashes that no seal has covered yet, and holds each seal and checkpoint
 * against them. Where old segments were recycled, a seal whose blocks are gone is held against its successor alone, and
 * a record must say that they went: else the oldest segment could be taken away unseen. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/internal.h"
#include "journal/reader.h"

/* A leaf is a page of the block at that position. */
struct page_leaf {
    uint64_t position;
    uint8_t hash[32];
};

struct check {
    struct journal_check_report *report;
    const struct journal_reader *reader;
    const struct journal_check_options *options;
    /* in order, of whole blocks, without a gap */
    struct page_leaf *leaves;
    size_t leaf_count;
    size_t leaf_capacity;
    struct seal_state state;
    bool seals_known;       /* the seal before the next one was seen, or the journal begins here */
    bool checkpoints_known; /* the same of checkpoints, and every seal since */
    int64_t time_ms;
    uint64_t committed_through;
    uint64_t segment;
    uint64_t mac_segment;
    uint8_t store_id[16];
    uint64_t first_segment;
    bool beginning_known; /* the journal begins at position 1, or a record says why it does not */
};

__attribute__((format(printf, 4, 5))) static struct result found(struct check *check, enum result_code code,
                                                                 uint64_t position, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check->report->finding, sizeof check->report->finding, format, arguments);
    va_end(arguments);
    check->report->bad_position = position;
    return result_of(code);
}

static struct result make_room(struct check *check, size_t count)
{
    if (check->leaf_count + count <= check->leaf_capacity) return result_ok();
    size_t capacity = check->leaf_capacity ? check->leaf_capacity * 2 : 4096;
    while (capacity < check->leaf_count + count) capacity *= 2;
    void *more = realloc(check->leaves, capacity * sizeof *check->leaves);
    if (!more) return result_of(NO_MEMORY);
    check->leaves = more;
    check->leaf_capacity = capacity;
    return result_ok();
}

static struct result add_leaves(struct check *check, const struct journal_block_view *block)
{
    const uint8_t *bytes = (const uint8_t *)block->header;
    size_t page_count = format_block_size(block->header->slot_count) / MERKLE_PAGE;
    TRY(make_room(check, page_count));
    for (size_t done = 0; done < page_count; done += MERKLE_PAGES) {
        uint8_t hashes[MERKLE_PAGES][32];
        size_t left = page_count - done, count = left < MERKLE_PAGES ? left : MERKLE_PAGES;
        merkle_pages(bytes + done * MERKLE_PAGE, count, hashes);
        for (size_t i = 0; i < count; i++) {
            struct page_leaf *leaf = &check->leaves[check->leaf_count++];
            leaf->position = block->header->position;
            memcpy(leaf->hash, hashes[i], sizeof leaf->hash);
        }
    }
    return result_ok();
}

static void drop_leaves(struct check *check, uint64_t through)
{
    size_t count = 0;
    while (count < check->leaf_count && check->leaves[count].position <= through) count++;
    if (count == 0) return;
    check->leaf_count -= count;
    memmove(check->leaves, check->leaves + count, check->leaf_count * sizeof *check->leaves);
}

static void root_of(const struct check *check, const struct slot_seal *seal, uint8_t ret_root[32])
{
    struct merkle merkle;
    merkle_start(&merkle);
    for (size_t i = 0; i < check->leaf_count; i++)
        if (seal->first <= check->leaves[i].position && check->leaves[i].position <= seal->last)
            merkle_add(&merkle, check->leaves[i].hash);
    merkle_root(&merkle, ret_root);
}

static struct result check_root(struct check *check, uint64_t position, const struct slot_seal *seal)
{
    /* Its blocks were recycled. Seals lag behind, so several such may stand in what is left. */
    if (seal->first < check->report->first_position) return result_ok();
    bool here = check->leaf_count > 0 && seal->first >= check->leaves[0].position;
    if (!here || seal->last > check->leaves[check->leaf_count - 1].position)
        return found(check, JOURNAL_BAD_SEAL, position, "seal %llu covers blocks that are not there",
                     (unsigned long long)seal->number);
    uint8_t root[32];
    root_of(check, seal, root);
    if (memcmp(root, seal->root, sizeof root) == 0) return result_ok();
    return found(check, JOURNAL_BAD_SEAL, seal->first,
                 "blocks %llu to %llu are not what seal %llu at %llu was made over", (unsigned long long)seal->first,
                 (unsigned long long)seal->last, (unsigned long long)seal->number, (unsigned long long)position);
}

static struct result check_mac(struct check *check, uint64_t position, const struct slot_seal *seal)
{
    if (!check->options->vault || vault_mac_segment(check->options->vault) > seal->mac_segment) return result_ok();
    /* A number far ahead of the chain's would keep us deriving keys for ever. */
    if (seal->mac_segment > check->mac_segment)
        return found(check, JOURNAL_BAD_SEAL, position, "seal %llu names a key of the future",
                     (unsigned long long)seal->number);
    while (vault_mac_segment(check->options->vault) < seal->mac_segment) vault_mac_advance(check->options->vault);
    uint8_t mac[VAULT_MAC_SIZE];
    vault_mac(check->options->vault, seal, offsetof(struct slot_seal, mac), mac);
    if (!vault_equal(mac, seal->mac, sizeof mac))
        return found(check, JOURNAL_BAD_SEAL, position, "the MAC of seal %llu is wrong",
                     (unsigned long long)seal->number);
    check->report->macs_checked++;
    return result_ok();
}

static const struct folder_file *chain_file(const struct check *check, uint64_t number)
{
    const struct folder *folder = &check->reader->folder;
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].chain && folder->files[i].number == number) return &folder->files[i];
    return NULL;
}

static bool zeros(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0) return false;
    return true;
}

static struct result check_seal(struct check *check, uint64_t position, const struct slot_seal *seal)
{
    bool sane = seal->first >= 1 && seal->first <= seal->last && seal->last < position && zeros(seal->reserved2, 32) &&
                zeros(seal->reserved, sizeof seal->reserved);
    if (!sane) return found(check, JOURNAL_BAD_SEAL, position, "a seal makes no sense");
    if (check->seals_known &&
        (seal->number != check->state.seal_number + 1 || seal->first != check->state.sealed_through + 1 ||
         memcmp(seal->previous, check->state.seal_hash, 32) != 0))
        return found(check, JOURNAL_BAD_SEAL, position, "seal %llu does not follow the one before it",
                     (unsigned long long)seal->number);
    const struct folder_file *file = chain_file(check, seal->segment);
    if (file && (file->header->mac_segment != seal->mac_segment || seal->last >= file->limit))
        return found(check, JOURNAL_BAD_SEAL, position, "seal %llu is not of the segment that it names",
                     (unsigned long long)seal->number);
    TRY(check_root(check, position, seal));
    TRY(check_mac(check, position, seal));
    seal_state_seal(&check->state, seal);
    check->seals_known = true;
    check->report->sealed_through = seal->last;
    drop_leaves(check, seal->last);
    return result_ok();
}

static struct result check_checkpoint(struct check *check, uint64_t position, const struct slot_checkpoint *checkpoint)
{
    unsigned long long segment = checkpoint->segment;
    if (memcmp(checkpoint->store_id, check->store_id, sizeof check->store_id) != 0 || !zeros(checkpoint->reserved, 3))
        return found(check, JOURNAL_BAD_SEAL, position, "the checkpoint of segment %llx is of another store", segment);
    uint8_t bytes[CHECKPOINT_SIGNED_SIZE];
    checkpoint_signed_bytes(checkpoint, bytes);
    if (check->options->public_key &&
        !vault_verify(check->options->public_key, bytes, sizeof bytes, checkpoint->signature))
        return found(check, JOURNAL_BAD_SEAL, position, "the signature of segment %llx does not verify", segment);
    if (check->seals_known &&
        (checkpoint->last != check->state.sealed_through || checkpoint->seal_number != check->state.seal_number))
        return found(check, JOURNAL_BAD_SEAL, position, "the checkpoint of segment %llx is not of the last seal",
                     segment);
    if (check->checkpoints_known) {
        uint8_t root[32];
        merkle_root(&check->state.seals, root);
        if (memcmp(checkpoint->previous, check->state.checkpoint_hash, 32) != 0 ||
            checkpoint->seal_count != check->state.seal_count || memcmp(root, checkpoint->seals_root, 32) != 0)
            return found(check, JOURNAL_BAD_SEAL, position, "the checkpoint of segment %llx does not fit its seals",
                         segment);
    }
    seal_state_checkpoint(&check->state, checkpoint);
    check->checkpoints_known = true;
    /* Without the key the signature is only bytes. */
    if (check->options->public_key) check->report->signed_through = checkpoint->last;
    return result_ok();
}

/* Segments go one at a time, the oldest first, each after its record; so the last one that went is named by a record
 * that is still there. */
static void note_beginning(struct check *check, const uint8_t *slot)
{
    uint64_t first = check->report->first_position;
    struct slot_removal removal;
    struct slot_act act;
    switch (slot[JOURNAL_SLOT_SIZE - 1]) {
    case SLOT_REMOVAL:
        memcpy(&removal, slot, sizeof removal);
        if (removal.last + 1 == first && removal.segment < check->first_segment) check->beginning_known = true;
        break;
    case SLOT_ACT:
        memcpy(&act, slot, sizeof act);
        if (check->options->begins_at && check->options->begins_at(&act, slot + JOURNAL_SLOT_SIZE, first))
            check->beginning_known = true;
        break;
    default:
        break;
    }
}

static struct result check_beginning(struct check *check)
{
    if (check->options->part || check->beginning_known || check->report->first_position <= 1) return result_ok();
    return found(check, JOURNAL_MISSING, check->report->first_position,
                 "the journal begins here, and no record says that the segments before it were removed");
}

static struct result check_records(struct check *check, const struct journal_block_view *block)
{
    uint64_t position = block->header->position;
    uint32_t count;
    for (uint32_t slot = 0; slot < block->header->slot_count; slot += count) {
        count = format_record_slots(block->slots, block->header->slot_count, slot);
        if (count == 0) return found(check, JOURNAL_CORRUPT, position, "slot %u begins no record", slot);
        note_beginning(check, block->slots + (size_t)slot * JOURNAL_SLOT_SIZE);
        check->report->records++;
    }
    uint8_t kind = block->slots[JOURNAL_SLOT_SIZE - 1];
    if (kind == SLOT_SEAL) {
        struct slot_seal seal;
        memcpy(&seal, block->slots, sizeof seal);
        return check_seal(check, position, &seal);
    }
    if (kind == SLOT_CHECKPOINT) {
        struct slot_checkpoint checkpoint;
        memcpy(&checkpoint, block->slots, sizeof checkpoint);
        return check_checkpoint(check, position, &checkpoint);
    }
    return result_ok();
}

static struct result check_segment(struct check *check, const struct journal_block_view *block)
{
    if (block->segment == check->segment) return result_ok();
    const struct folder_file *file = chain_file(check, block->segment);
    if (!file) return result_ok();
    const struct segment_header *header = file->header;
    bool first = check->segment == 0;
    check->segment = block->segment;
    if (first) {
        memcpy(check->store_id, header->store_id, sizeof check->store_id);
        check->first_segment = block->segment;
        /* A journal that is there from its first position has no seal before the first one. */
        check->seals_known = check->checkpoints_known = header->first_position == 1 && header->seal_number == 0;
        check->time_ms = header->time_ms;
    } else if (memcmp(check->store_id, header->store_id, sizeof check->store_id) != 0) {
        return found(check, JOURNAL_CORRUPT, block->header->position, "segment %llx is of another store",
                     (unsigned long long)block->segment);
    } else if (header->mac_segment <= check->mac_segment) {
        return found(check, JOURNAL_CORRUPT, block->header->position, "segment %llx names a key used before",
                     (unsigned long long)block->segment);
    }
    check->mac_segment = header->mac_segment;
    return result_ok();
}

static struct result check_block(struct check *check, const struct journal_block_view *block)
{
    const struct journal_block_header *header = block->header;
    struct journal_check_report *report = check->report;
    TRY(check_segment(check, block));
    if (report->blocks > 0 && header->time_ms < check->time_ms)
        return found(check, JOURNAL_CORRUPT, header->position, "time falls");
    if (header->committed_through < check->committed_through)
        return found(check, JOURNAL_CORRUPT, header->position, "committed-through falls");
    check->time_ms = header->time_ms;
    check->committed_through = header->committed_through;
    if (report->blocks == 0) report->first_position = header->position;
    report->last_position = header->position;
    report->blocks++;
    TRY(check_records(check, block));
    return add_leaves(check, block);
}

struct result journal_check(struct os *os, const char *folder, const struct journal_check_options *options,
                            struct journal_check_report *ret_report)
{
    struct journal_reader *reader;
    *ret_report = (struct journal_check_report){0};
    TRY(journal_reader_open(os, folder, &(struct journal_reader_options){0}, &reader));
    struct check check = {.report = ret_report, .reader = reader, .options = options};
    struct result result;
    do {
        struct journal_block_view block;
        result = journal_reader_next(reader, &block);
        if (!result_failed(result)) result = check_block(&check, &block);
    } while (!result_failed(result));
    if (result.code == JOURNAL_CORRUPT && ret_report->finding[0] == '\0')
        result = found(&check, JOURNAL_CORRUPT, journal_reader_position(reader),
                       "the block is bad although it was committed, or it does not follow the one before it");
    if (result.code == STORE_NOT_FOUND) {
        if (ret_report->blocks == 0) ret_report->first_position = journal_reader_end(reader);
        result = check_beginning(&check);
    }
    free(check.leaves);
    journal_reader_close(reader);
    return result;
}
