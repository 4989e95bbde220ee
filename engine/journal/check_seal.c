/* Seals against the blocks that they cover, checkpoints against the seals, and both against what was published. Where
 * old segments were recycled, a seal whose blocks are gone is held against its successor alone. A root or a signature
 * only tells that something it covers is not what it was: findings name the whole range. */
#include <string.h>

#include "journal/check.h"
#include "journal/proof.h"

typedef unsigned long long number;

static struct result check_root(struct check *check, uint64_t position, const struct slot_seal *seal)
{
    /* Its blocks were recycled. Seals lag behind, so several such may stand in what is left. */
    if (seal->first < check->report->first_position) return result_ok();
    uint8_t root[32];
    leaves_root(check->leaves, seal->first, seal->last, root);
    if (memcmp(root, seal->root, sizeof root) == 0) return result_ok();
    /* Or the seal itself was changed. */
    return check_found(check, JOURNAL_BAD_SEAL, FINDING_CHANGED, seal->first, position,
                       "blocks %llu to %llu are not what seal %llu at %llu was made over", (number)seal->first,
                       (number)seal->last, (number)seal->number, (number)position);
}

static struct result check_mac(struct check *check, uint64_t position, const struct slot_seal *seal)
{
    struct vault *vault = check->options->vault;
    if (!vault || vault_mac_segment(vault) > seal->mac_segment) return result_ok();
    /* A number far ahead of the chain's would keep us deriving keys for ever. */
    if (seal->mac_segment > check->mac_segment)
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_SPLICED, seal->first, position,
                           "seal %llu names a key of the future", (number)seal->number);
    while (vault_mac_segment(vault) < seal->mac_segment) vault_mac_advance(vault);
    uint8_t mac[VAULT_MAC_SIZE];
    vault_mac(vault, seal, offsetof(struct slot_seal, mac), mac);
    if (!vault_equal(mac, seal->mac, sizeof mac))
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_CHANGED, seal->first, position,
                           "the MAC of seal %llu is wrong: it was not made with the store's key", (number)seal->number);
    check->report->macs_checked++;
    return result_ok();
}

static bool zeros(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0) return false;
    return true;
}

/* Seals that the checkpoint which the check goes on from was made over stand behind what they cover: the last of them
 * must be the one that was seen before. */
static bool seen_before(const struct check *check, const struct slot_seal *seal)
{
    if (!check->report->resumed || check->resume_met) return false;
    uint64_t last = check->options->resume->checkpoint.seal_number;
    uint8_t hash[32];
    vault_sha256(seal, sizeof *seal, hash);
    return seal->number < last || (seal->number == last && memcmp(hash, check->state.seal_hash, sizeof hash) == 0);
}

struct result check_seal(struct check *check, uint64_t position, const struct slot_seal *seal)
{
    if (seen_before(check, seal)) return result_ok();
    bool sane = seal->first >= 1 && seal->first <= seal->last && seal->last < position && zeros(seal->reserved2, 32) &&
                zeros(seal->reserved, sizeof seal->reserved);
    if (!sane)
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_CHANGED, check_unsealed(check), position,
                           "a seal makes no sense");
    if (check->seals_known &&
        (seal->number != check->state.seal_number + 1 || seal->first != check->state.sealed_through + 1 ||
         memcmp(seal->previous, check->state.seal_hash, 32) != 0))
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_SPLICED, check->state.sealed_through + 1, position,
                           "seal %llu does not follow the one before it", (number)seal->number);
    const struct folder_file *file = check_file(check, seal->segment);
    if (file && (file->header->mac_segment != seal->mac_segment || seal->last >= file->limit))
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_SPLICED, seal->first, position,
                           "seal %llu is not of the segment that it names", (number)seal->number);
    TRY(check_root(check, position, seal));
    TRY(check_mac(check, position, seal));
    seal_state_seal(&check->state, seal);
    check->seals_known = true;
    check->report->sealed_through = seal->last;
    leaves_drop(check->leaves, seal->last);
    return result_ok();
}

static struct result meet_published(struct check *check, const struct slot_checkpoint *checkpoint)
{
    for (size_t i = 0; i < check->options->published_count; i++) {
        const struct slot_checkpoint *published = &check->options->published[i];
        if (published->segment != checkpoint->segment) continue;
        if (!checkpoint_same(published, checkpoint))
            return check_found(check, JOURNAL_BAD_SEAL, FINDING_SPLICED, checkpoint->first, checkpoint->last,
                               "segment %llx has another checkpoint than the one that was published",
                               (number)checkpoint->segment);
        check->report->published_met += !check->published_met[i];
        check->published_met[i] = true;
    }
    return result_ok();
}

/* The first position that the checkpoint at hand answers for. */
static uint64_t unsigned_from(const struct check *check)
{
    uint64_t first = check->report->signed_through + 1;
    return first > check->report->first_position ? first : check->report->first_position;
}

static struct result check_signature(struct check *check, uint64_t position, const struct slot_checkpoint *checkpoint)
{
    if (!check->options->public_key || checkpoint_signed_by(checkpoint, check->options->public_key)) return result_ok();
    return check_found(check, JOURNAL_BAD_SEAL, FINDING_CHANGED, unsigned_from(check), position,
                       "the signature of segment %llx does not verify", (number)checkpoint->segment);
}

/* The record of the checkpoint that the check goes on from: it stands behind what it covers. */
static struct result meet_again(struct check *check, const struct slot_checkpoint *checkpoint)
{
    if (!checkpoint_same(checkpoint, &check->options->resume->checkpoint))
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_SPLICED, checkpoint->first, checkpoint->last,
                           "segment %llx has another checkpoint than the one that was checked before",
                           (number)checkpoint->segment);
    TRY(meet_published(check, checkpoint));
    seal_state_checkpoint(&check->state, checkpoint);
    check->resume_met = true;
    return result_ok();
}

struct result check_checkpoint(struct check *check, uint64_t position, const struct slot_checkpoint *checkpoint)
{
    number segment = checkpoint->segment;
    if (check->report->resumed) {
        uint64_t resumed = check->options->resume->checkpoint.segment;
        if (segment == resumed) return meet_again(check, checkpoint);
        /* Where seals lagged behind, records of the checkpoints before it stand behind what it covers, too. */
        if (segment < resumed && !check->resume_met) return meet_published(check, checkpoint);
    }
    if (memcmp(checkpoint->store_id, check->store_id, sizeof check->store_id) != 0 || !zeros(checkpoint->reserved, 3))
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_SPLICED, position, position,
                           "the checkpoint of segment %llx is of another store", segment);
    TRY(check_signature(check, position, checkpoint));
    if (check->seals_known &&
        (checkpoint->last != check->state.sealed_through || checkpoint->seal_number != check->state.seal_number))
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_SPLICED, unsigned_from(check), position,
                           "the checkpoint of segment %llx is not of the last seal", segment);
    if (check->checkpoints_known) {
        uint8_t root[32];
        merkle_root(&check->state.seals, root);
        if (memcmp(checkpoint->previous, check->state.checkpoint_hash, 32) != 0 ||
            checkpoint->seal_count != check->state.seal_count || memcmp(root, checkpoint->seals_root, 32) != 0)
            return check_found(check, JOURNAL_BAD_SEAL, FINDING_CHANGED, unsigned_from(check), position,
                               "the checkpoint of segment %llx does not fit its seals", segment);
    }
    TRY(meet_published(check, checkpoint));
    seal_state_checkpoint(&check->state, checkpoint);
    check->checkpoints_known = true;
    /* Without the key the signature is only bytes. */
    if (!check->options->public_key) return result_ok();
    struct journal_check_report *report = check->report;
    report->signed_through = checkpoint->last;
    report->signed_any = check->seals_known;
    report->newest = (struct journal_check_state){.checkpoint = *checkpoint};
    memcpy(report->newest.seal_hash, check->state.seal_hash, sizeof report->newest.seal_hash);
    return result_ok();
}

struct result check_published(struct check *check)
{
    struct journal_check_report *report = check->report;
    uint64_t end = journal_reader_end(check->reader);
    for (size_t i = 0; i < check->options->published_count; i++) {
        const struct slot_checkpoint *published = &check->options->published[i];
        if (check->published_met[i]) continue;
        /* The record stands behind what it covers, so both being older than what is kept is the same as this. A log
         * of which nothing is kept does not go on behind it. */
        bool known = report->blocks > 0 || published->last <= report->signed_through;
        if (known && published->last < report->first_position) {
            report->published_old++;
            continue;
        }
        if (published->last > report->signed_through)
            return check_found(check, JOURNAL_MISSING, FINDING_TRUNCATED, end,
                               published->last < end ? end : published->last,
                               "the log ends here, before the checkpoint of segment %llx that was published",
                               (number)published->segment);
        return check_found(check, JOURNAL_BAD_SEAL, FINDING_SPLICED, published->first, published->last,
                           "segment %llx has no such checkpoint as was published", (number)published->segment);
    }
    return result_ok();
}
