/* Stands in for engine/os/arena.c in the simulator: thousands of engines a second are opened and closed, each with
 * memory that must begin as zeros; mapping and locking it anew each time would be most of the work. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "os/arena.h"

enum { PAGE = 4096, KEPT_MAX = 256, WIPE_MAX = 65536 };

static uint64_t count;
static uint64_t fail_at;
static bool fail_sticky;

void memory_fail_at(uint64_t number, bool sticky)
{
    count = 0;
    fail_at = number;
    fail_sticky = sticky;
}

uint64_t memory_count(void)
{
    return count;
}

static bool fails(void)
{
    count++;
    return fail_at && (count == fail_at || (fail_sticky && count > fail_at));
}

/* ---- the heap of the files that switch.h is included in ---- */

void *sim_malloc(size_t size);
void *sim_calloc(size_t number, size_t size);
void *sim_realloc(void *memory, size_t size);
void *sim_aligned_alloc(size_t alignment, size_t size);
char *sim_strdup(const char *text);

void *sim_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

void *sim_calloc(size_t number, size_t size)
{
    return fails() ? NULL : calloc(number, size);
}

void *sim_realloc(void *memory, size_t size)
{
    return fails() ? NULL : realloc(memory, size);
}

void *sim_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : aligned_alloc(alignment, size);
}

char *sim_strdup(const char *text)
{
    return fails() ? NULL : strdup(text);
}

/* ---- the arena ---- */

struct kept {
    void *memory;
    size_t size;
};
static struct kept kept[KEPT_MAX];
static unsigned kept_count;

static size_t pages(size_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

static struct result take(size_t size, void **ret_memory)
{
    if (fails()) return result_of(NO_MEMORY);
    for (unsigned i = kept_count; i-- > 0;) {
        if (kept[i].size != size) continue;
        *ret_memory = kept[i].memory;
        kept[i] = kept[--kept_count];
        return result_ok();
    }
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return result_of(NO_MEMORY);
    madvise(memory, size, MADV_NOHUGEPAGE);
    *ret_memory = memory;
    return result_ok();
}

void arena_allow_unlocked(bool allow)
{
    (void)allow;
}

struct result arena_take(size_t size, bool huge, void **ret_memory)
{
    (void)huge;
    return take(pages(size), ret_memory);
}

struct result arena_reserve(size_t size, void **ret_memory)
{
    return take(pages(size), ret_memory);
}

struct result arena_commit(void *from, size_t size, bool huge)
{
    (void)from;
    (void)size;
    (void)huge;
    return fails() ? result_of(NO_MEMORY) : result_ok();
}

void arena_release(void *memory, size_t size)
{
    if (!memory) return;
    size = pages(size);
    if (kept_count == KEPT_MAX) {
        CHECK(munmap(memory, size) == 0);
        return;
    }
    if (size <= WIPE_MAX) {
        memset(memory, 0, size);
    } else {
        CHECK(madvise(memory, size, MADV_DONTNEED) == 0);
    }
    kept[kept_count++] = (struct kept){memory, size};
}

void secret_wipe(void *memory, size_t size)
{
    explicit_bzero(memory, size);
}

void process_no_dumps(void)
{
}
