/* Threads that check signatures beside the one that asks for it. Room-internal. */
#ifndef OTPRING_APPROVAL_POOL_H
#define OTPRING_APPROVAL_POOL_H

#include <stdint.h>

#include "base/result.h"
#include "vault/device_key.h"

struct pool;

/* `threads` more than the caller's; 0: the caller checks alone. They run below whatever verifies codes. NO_MEMORY. */
struct result pool_create(uint32_t threads, struct pool **ret_pool) MUST_USE;
void pool_destroy(struct pool *pool);

/* Sets `good` of each; returns when all are done. One caller at a time. */
void pool_check(struct pool *pool, struct device_signed *items, size_t count);

#endif
