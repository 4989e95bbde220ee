/* Evidence of any bytes: no proof, or one that is checked without a look outside it. */
#include <stdlib.h>
#include <string.h>

#include "otpring-log/proof_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[VAULT_PUBLIC_KEY_SIZE] = {1};
    struct journal_proof proof = {0};
    struct proof_record record;
    const char *why = NULL;
    enum proof_file_kind kind = proof_file_parse((const char *)data, size, &proof);
    if (kind == PROOF_FILE_BAD) return 0;
    struct slot_checkpoint published = {0};
    if (proof.checkpoint_count > 0) published = proof.checkpoints[proof.checkpoint_count - 1];
    bool holds = kind == PROOF_FILE_RECORD
                     ? journal_proof_check(&proof, key, &published, &record, &why)
                     : checkpoints_follow(proof.checkpoints, proof.checkpoint_count, key, &published, &why);
    /* Nobody signs by chance; and what does not hold is said. */
    if ((holds && proof.checkpoint_count > 0) || (!holds && !why)) abort();
    journal_proof_free(&proof);
    return 0;
}
