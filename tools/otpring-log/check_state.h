/* How far a check has come: a text file of the caller's, kept apart from the log, since whoever can change it can have
 * the log believed up to any checkpoint that was ever signed. Written whole beside its place, synced and renamed. */
#ifndef TOOLS_OTPRING_LOG_CHECK_STATE_H
#define TOOLS_OTPRING_LOG_CHECK_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "journal/journal.h"

/* A missing file is no failure: then ret_there is false. Complains, and gives the exit code. */
int check_state_read(const char *path, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
                     struct journal_check_state *ret_state, bool *ret_there);
/* False, after a complaint, when it could not be written: the check itself goes on. */
bool check_state_write(const char *path, const struct journal_check_state *state);

#endif
