/* A published checkpoint: a signed note, made of a checkpoint record and of nothing else, so that any reader of the log
 * can print it, and whoever keeps it can rebuild the record's 192 bytes. The text is described in PROOF.md. What is
 * parsed may be hostile. */
#ifndef TOOLS_OTPRING_LOG_NOTE_H
#define TOOLS_OTPRING_LOG_NOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "journal/slots.h"
#include "vault/vault.h"

enum { NOTE_SIZE_MAX = 1024 };

/* The first four bytes that a verifier tells keys apart by. */
void note_key_id(const uint8_t store_id[16], const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], uint8_t ret_id[4]);
void note_print(FILE *file, const struct slot_checkpoint *checkpoint, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE]);
/* The first note of a text, and where the rest begins; false when there is none, or it is not exactly what note_print
 * would print for this key. The signature is not checked here. */
bool note_parse(const char *text, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                struct slot_checkpoint *ret_checkpoint, const char **ret_rest);

#endif
