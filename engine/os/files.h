/* Whole files and folders: for init, backup and restore. Every call blocks; tools and the administrator's thread only.
 * What is written is synced when the call returns, its name with files_sync_folder. */
#ifndef OTPRING_OS_FILES_H
#define OTPRING_OS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

/* A folder that only its owner may enter. OS_EXISTS, OS_NOT_FOUND (of the parent), OS_PERMISSION, OS_NO_SPACE. */
struct result files_make_folder(const char *path) MUST_USE;
/* Whether something has this name: OS_NOT_FOUND, or why it cannot be known (OS_PERMISSION). */
struct result files_look(const char *path) MUST_USE;
bool files_exist(const char *path);
/* True when the folder has nothing in it. */
struct result files_folder_empty(const char *path, bool *ret_empty) MUST_USE;
/* The first `size` bytes (or all, if fewer) of `from` into the new file `to`, which is then made full_size bytes long
 * with zeros; full_size 0: as long as `from`. OS_EXISTS when `to` stands already. */
struct result files_copy(const char *from, const char *to, uint64_t size, uint64_t full_size) MUST_USE;
/* The same for everything. */
struct result files_copy_all(const char *from, const char *to) MUST_USE;
struct result files_write_new(const char *path, const void *bytes, size_t size) MUST_USE;
/* At most capacity bytes. */
struct result files_read(const char *path, void *ret_bytes, size_t capacity, size_t *ret_size) MUST_USE;
struct result files_size(const char *path, uint64_t *ret_size) MUST_USE;
/* Whether a whole path, which need not be there yet, lies in the folder or is it; links are followed. */
struct result files_inside(const char *path, const char *folder, bool *ret_inside) MUST_USE;
struct result files_sync_folder(const char *path) MUST_USE;
struct result files_remove(const char *path) MUST_USE;

#endif
