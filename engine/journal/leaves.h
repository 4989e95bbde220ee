/* Leaf hashes of blocks that no seal has covered yet, in order: what a check holds the next seals against. With a
 * second thread pages are hashed there, a batch at a time, while the caller reads on; all calls are the one thread's
 * that made it. */
#ifndef OTPRING_JOURNAL_LEAVES_H
#define OTPRING_JOURNAL_LEAVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

struct leaves;

/* NO_MEMORY; where a thread cannot be had, hashing is done here. */
struct result leaves_create(bool thread, struct leaves **ret_leaves) MUST_USE;
void leaves_destroy(struct leaves *leaves);
/* A block's pages; its bytes are done with after the call. Positions rise by one. NO_MEMORY. */
struct result leaves_add(struct leaves *leaves, uint64_t position, const uint8_t *bytes, uint32_t page_count) MUST_USE;
/* The root over the pages of those of these blocks that are here: of others than a seal was made over, another root. */
void leaves_root(struct leaves *leaves, uint64_t first, uint64_t last, uint8_t ret_root[32]);
/* Blocks through this position are no longer needed. */
void leaves_drop(struct leaves *leaves, uint64_t through);

#endif
