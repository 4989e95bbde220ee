/* Files of zstd frames with a seek table, as in zstd's own seekable format (contrib/seekable_format, version 0.1.0):
 * every zstd program unpacks them, and any part of the raw bytes is had by unpacking one frame. Each frame but the last
 * holds SEEKABLE_FRAME raw bytes. Every call blocks. What is read may be hostile: a table that does not fit its file is
 * refused, and no more than one frame is ever unpacked at a time. One thread a file. */
#ifndef TOOLS_OTPRING_LOG_SEEKABLE_H
#define TOOLS_OTPRING_LOG_SEEKABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

enum { SEEKABLE_FRAME = 1 << 20 };

/* Packs all of `from` into `to`, both open files; `to` is empty, and not synced. OS_NO_SPACE, OS_FAILED, NO_MEMORY. */
struct result seekable_pack(int from, int to, int level) MUST_USE;

struct seekable;
/* The file is the caller's, and stays open meanwhile. STORE_DAMAGED: no such file, or a broken one. */
struct result seekable_open(int file, struct seekable **ret_seekable) MUST_USE;
void seekable_close(struct seekable *seekable);
uint64_t seekable_size(const struct seekable *seekable);
/* Raw bytes [offset, offset + size), fewer at the end. STORE_DAMAGED, OS_FAILED. */
struct result seekable_read(struct seekable *seekable, void *ret_bytes, size_t size, uint64_t offset,
                            size_t *ret_size) MUST_USE;

#endif
