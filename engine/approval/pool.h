/* Threads that sign and check signatures beside the one that asks for it. Room-internal. */
#ifndef OTPRING_APPROVAL_POOL_H
#define OTPRING_APPROVAL_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

struct pool;

/* `threads` more than the caller's; 0: the caller checks alone. They run below whatever verifies codes. NO_MEMORY. */
struct result pool_create(uint32_t threads, struct pool **ret_pool) MUST_USE;
void pool_destroy(struct pool *pool);

/* Calls `part` for all of 0 to count - 1, at most POOL_PART of them a call, on all threads; returns when all are done.
 * One caller at a time. */
enum { POOL_PART = 32 };
typedef void pool_part(void *context, size_t from, size_t count);
void pool_run(struct pool *pool, pool_part *part, void *context, size_t count);

#endif
