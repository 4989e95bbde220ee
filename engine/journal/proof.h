/* Evidence that a record stands in the log: its block's pages under a seal's root, the seal under a signed checkpoint,
 * and the checkpoints from that one to one that somebody keeps elsewhere. PROOF.md is the page to read; whoever checks
 * needs no more than it, the public key and the published checkpoint. Making a proof reads the log like any reader,
 * with no key; checking is pure, and what is checked may be hostile. */
#ifndef OTPRING_JOURNAL_PROOF_H
#define OTPRING_JOURNAL_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal/journal.h"
#include "journal/path.h"

enum {
    PROOF_PAGE = 4096,
    PROOF_PAGES_MAX = JOURNAL_BLOCK_SIZE_MAX / PROOF_PAGE, /* of one block */
    PROOF_CHECKPOINTS_MAX = 1 << 20,                       /* in a chain */
};

struct journal_proof {
    uint64_t position;
    uint32_t slot;
    /* Pages of the block from its first to the record's last, under the seal's root. All of them, since where a record
     * begins is known from those before it only: a payload could look like one. */
    uint32_t page_count;
    uint8_t (*pages)[PROOF_PAGE];
    struct merkle_run pages_run; /* count is page_count */
    struct merkle_path pages_path;
    struct slot_seal seal;
    /* the seal under the root of its segment's checkpoint */
    struct merkle_run seal_run; /* count is 1 */
    struct merkle_path seal_path;
    /* that checkpoint, and those after it */
    struct slot_checkpoint *checkpoints;
    size_t checkpoint_count;
};

void journal_proof_free(struct journal_proof *proof);

struct journal_proof_options {
    uint64_t position;
    uint32_t slot;
    /* The chain ends with this checkpoint (all its 192 bytes); NULL: with the newest. */
    const struct slot_checkpoint *through;
};

/* Errors: STORE_NOT_FOUND (no such position, or no record begins at that slot), PROOF_UNSEALED (no signed checkpoint
 * covers it yet), PROOF_GONE (what it was sealed together with is no longer kept), PROOF_NO_CHECKPOINT (`through` is
 * not in the log behind the record), JOURNAL_CORRUPT, os. */
struct result journal_prove(struct os *os, const char *folder, const struct journal_proof_options *options,
                            struct journal_proof *ret_proof) MUST_USE;

/* Checkpoints of the log from the one after position `after` (0: the oldest) to `through` or the newest: what shows
 * that one continues the other. `ret_checkpoints` is the caller's to free; count 0: none. */
struct result journal_checkpoints(struct os *os, const char *folder, uint64_t after,
                                  const struct slot_checkpoint *through, struct slot_checkpoint **ret_checkpoints,
                                  size_t *ret_count) MUST_USE;

/* ---- checking, without the log ---- */

bool checkpoint_same(const struct slot_checkpoint *one, const struct slot_checkpoint *other);
bool checkpoint_signed_by(const struct slot_checkpoint *checkpoint, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE]);

/* Each of the chain signed, naming the one before it and beginning behind it, and `published` one of them (or NULL).
 * `ret_why` (a text of ours) says what does not hold. */
bool checkpoints_follow(const struct slot_checkpoint *checkpoints, size_t count,
                        const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], const struct slot_checkpoint *published,
                        const char **ret_why) MUST_USE;

/* What a proof shows, when it holds; it points into the proof. */
struct proof_record {
    const struct journal_block_header *block;
    const uint8_t *slots; /* the record's own */
    uint32_t slot_count;
};
bool journal_proof_check(const struct journal_proof *proof, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                         const struct slot_checkpoint *published, struct proof_record *ret_record,
                         const char **ret_why) MUST_USE;

#endif
