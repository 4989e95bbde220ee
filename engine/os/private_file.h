/* Files that are their owner's alone: key files, and the database file of a store. Every call blocks; start and tools
 * only. */
#ifndef OTPRING_OS_PRIVATE_FILE_H
#define OTPRING_OS_PRIVATE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/* A new file of mode 0400 with these bytes; file and name are on stable storage when this returns, and on failure the
 * file is gone again. OS_EXISTS, OS_NOT_FOUND, OS_PERMISSION, OS_NO_SPACE. */
struct result private_file_create(const char *path, const void *bytes, size_t size) MUST_USE;

/* Reads a whole file of at most `capacity` bytes. VAULT_KEY_MODE unless it is a regular file of the caller or root that
 * nobody else has any right to; VAULT_BAD_KEY_FILE when it is longer. OS_NOT_FOUND, OS_PERMISSION. */
struct result private_file_read(const char *path, void *ret_bytes, size_t capacity, size_t *ret_size) MUST_USE;

/* A new, empty file of mode 0600, open for writing. OS_EXISTS, ... */
struct result private_file_open_new(const char *path, int *ret_file) MUST_USE;
/* Syncs and closes; the file is closed in any case. */
struct result private_file_finish(int file) MUST_USE;

/* Makes a file at least this long, never shorter; what is added reads as zeros. */
struct result private_file_extend(const char *path, uint64_t size) MUST_USE;

/* Syncs the folder that `path` lies in. */
struct result private_file_sync_name(const char *path) MUST_USE;

#endif
