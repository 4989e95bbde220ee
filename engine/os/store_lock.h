/* The lock of a store folder, and who the machine and the folder are. Start only. */
#ifndef OTPRING_OS_STORE_LOCK_H
#define OTPRING_OS_STORE_LOCK_H

#include <stdint.h>

#include "base/result.h"

/* Takes DIR/lock exclusively (open file description lock) for as long as ret_file is open.
 * STORE_BUSY, OS_NETWORK_FILE_SYSTEM, OS_MEMORY_FILE_SYSTEM (statfs), OS_NOT_FOUND, OS_PERMISSION. */
struct result store_lock_take(const char *folder, int *ret_file) MUST_USE;
void store_lock_release(int file);

/* What tells this place from a copy: machine id, file system id, inode and birth time of DIR/identity (made when
 * `create`). */
enum { STORE_PLACE_SIZE = 64 };
struct result store_place(const char *folder, bool create, uint8_t ret_place[STORE_PLACE_SIZE]) MUST_USE;

/* Bytes free for this user on the folder's file system. */
struct result store_space(const char *folder, uint64_t *ret_free) MUST_USE;

#endif
