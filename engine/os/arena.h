/* Memory that holds secrets or the table: locked, kept out of core dumps, wiped when released. Any thread; not for the
 * verify path: everything is taken at start. */
#ifndef OTPRING_OS_ARENA_H
#define OTPRING_OS_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/result.h"

/* Once, before the first arena: allow memory that cannot be locked (--insecure-memory). */
void arena_allow_unlocked(bool allow);

/* Page-aligned zeroed bytes: madvise DONTDUMP, mlock, transparent huge pages when huge. Errors: NO_MEMORY,
 * OS_NO_LOCKED_MEMORY. */
struct result arena_take(size_t size, bool huge, void **ret_memory) MUST_USE;
/* Wipes, unlocks and unmaps. NULL is allowed. */
void arena_release(void *memory, size_t size);

/* Address space for `size` bytes, not yet usable; arena_commit makes [from, from+size) usable (locked, no-dump, zeroed)
 * so that what lies before never moves. Page-aligned. */
struct result arena_reserve(size_t size, void **ret_memory) MUST_USE;
struct result arena_commit(void *from, size_t size, bool huge) MUST_USE;

/* A wipe that the compiler cannot remove. */
void secret_wipe(void *memory, size_t size);

/* Makes this process undumpable and sets RLIMIT_CORE to 0. */
void process_no_dumps(void);

#endif
