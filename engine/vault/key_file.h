/* The key file: 64 bytes. Room-internal. Hostile input as far as its bytes go: checked, never trusted.
 *
 *   offset  size
 *        0     8  magic "otpr-key"
 *        8     4  version, little-endian: 1
 *       12     4  zero
 *       16    32  key-encryption key
 *       48    16  first bytes of SHA-256 over the 48 before: finds a damaged file, keeps no secret
 */
#ifndef OTPRING_VAULT_KEY_FILE_H
#define OTPRING_VAULT_KEY_FILE_H

#include <stdint.h>

#include "base/result.h"

enum { KEY_FILE_SIZE = 64, KEY_FILE_KEK_SIZE = 32 };

/* ret lies in the caller's arena. VAULT_KEY_MODE, VAULT_BAD_KEY_FILE, OS_NOT_FOUND, OS_PERMISSION. */
struct result key_file_read(const char *path, uint8_t ret_kek[KEY_FILE_KEK_SIZE]) MUST_USE;

#endif
