#include "os/arena.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"

static atomic_bool unlocked_allowed;

void arena_allow_unlocked(bool allow)
{
    atomic_store(&unlocked_allowed, allow);
}

static size_t pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

/* Huge pages are a wish; not being dumped and being locked are not. */
static struct result protect(void *memory, size_t size, bool huge)
{
    if (huge) madvise(memory, size, MADV_HUGEPAGE);
    if (madvise(memory, size, MADV_DONTDUMP) < 0) return result_of(OS_FAILED);
    madvise(memory, size, MADV_DONTFORK);
    if (mlock(memory, size) == 0) return result_ok();
    if (atomic_load(&unlocked_allowed)) return result_ok();
    return result_of(OS_NO_LOCKED_MEMORY);
}

struct result arena_take(size_t size, bool huge, void **ret_memory)
{
    CHECK(size > 0);
    void *memory = mmap(NULL, pages(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return result_of(NO_MEMORY);
    struct result result = protect(memory, pages(size), huge);
    if (result_failed(result)) {
        munmap(memory, pages(size));
        return result;
    }
    *ret_memory = memory;
    return result_ok();
}

void arena_release(void *memory, size_t size)
{
    if (!memory) return;
    /* Reserved and never committed pages cannot be written, and have nothing to wipe. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char present[1024];
    for (size_t at = 0; at < pages(size);) {
        size_t count = (pages(size) - at) / page;
        if (count > sizeof present) count = sizeof present;
        CHECK(mincore((char *)memory + at, count * page, present) == 0);
        for (size_t i = 0; i < count; i++, at += page)
            if (present[i] & 1) secret_wipe((char *)memory + at, page);
    }
    munmap(memory, pages(size));
}

struct result arena_reserve(size_t size, void **ret_memory)
{
    void *memory = mmap(NULL, pages(size), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return result_of(NO_MEMORY);
    *ret_memory = memory;
    return result_ok();
}

struct result arena_commit(void *from, size_t size, bool huge)
{
    if (mprotect(from, pages(size), PROT_READ | PROT_WRITE) < 0) return result_of(NO_MEMORY);
    struct result result = protect(from, pages(size), huge);
    if (result_failed(result)) mprotect(from, pages(size), PROT_NONE);
    return result;
}

void secret_wipe(void *memory, size_t size)
{
    explicit_bzero(memory, size);
}

void process_no_dumps(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}
