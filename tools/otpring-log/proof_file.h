/* Evidence as JSON (PROOF.md). What is read may be hostile. */
#ifndef TOOLS_OTPRING_LOG_PROOF_FILE_H
#define TOOLS_OTPRING_LOG_PROOF_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "journal/proof.h"

/* A block of pages in base64, and a chain of a million checkpoints. */
enum { PROOF_FILE_SIZE_MAX = 300 << 20 };

struct json_t;
/* NULL: no memory. */
struct json_t *proof_file_json(const struct journal_proof *proof);
struct json_t;
/* NULL: no memory. */
struct json_t *proof_file_json(const struct journal_proof *proof);
/* On standard output; false: no memory. */
bool proof_file_print(const struct journal_proof *proof);
bool checkpoints_file_print(const struct slot_checkpoint *checkpoints, size_t count);

enum proof_file_kind { PROOF_FILE_BAD, PROOF_FILE_RECORD, PROOF_FILE_CHECKPOINTS };
/* A proof of a record, or of checkpoints alone (then only those of ret_proof are filled in); the caller frees with
 * journal_proof_free unless it is BAD. */
enum proof_file_kind proof_file_parse(const char *text, size_t size, struct journal_proof *ret_proof);

#endif
