#include "room.h"

#include <stdint.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, BLOCK_SIZE = 64 << 20 };

/* At the beginning of its own memory. What is never touched costs nothing. */
struct room_block {
    struct room_block *older;
    void *mapping;
    size_t mapping_size;
    size_t size; /* from here on */
    size_t used;
};
_Static_assert(sizeof(struct room_block) <= ROOM_ALIGNMENT, "pieces begin behind the block's head");

static struct room_block *add_block(struct room *room, size_t size)
{
    if (size > SIZE_MAX / 2) return NULL;
    size_t block_size = size + ROOM_ALIGNMENT < BLOCK_SIZE
                            ? BLOCK_SIZE
                            : (size + ROOM_ALIGNMENT + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
    size_t mapping_size = block_size + HUGE_PAGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    /* cppcheck-suppress invalidFunctionArg ; -1 is what an anonymous mapping asks for */
    void *mapping = mmap(NULL, mapping_size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (mapping == MAP_FAILED) return NULL;
    size_t before = -(uintptr_t)mapping & (HUGE_PAGE - 1);
    struct room_block *block = (void *)((char *)mapping + before);
    madvise(block, block_size, MADV_HUGEPAGE); /* a wish */
    *block = (struct room_block){.older = room->newest,
                                 .mapping = mapping,
                                 .mapping_size = mapping_size,
                                 .size = block_size,
                                 .used = ROOM_ALIGNMENT};
    room->newest = block;
    return block;
}

void *room_take(struct room *room, size_t count, size_t size)
{
    struct room_block *block = room->newest;
    if (size && count > (SIZE_MAX - ROOM_ALIGNMENT) / size) return NULL;
    size_t taken = (count * size + ROOM_ALIGNMENT - 1) & ~(size_t)(ROOM_ALIGNMENT - 1);
    if (!block || block->size - block->used < taken) block = add_block(room, taken);
    if (!block) return NULL;
    void *piece = (char *)block + block->used;
    block->used += taken;
    return piece;
}

void room_free(struct room *room)
{
    while (room->newest) {
        struct room_block *block = room->newest;
        room->newest = block->older;
        munmap(block->mapping, block->mapping_size);
    }
}
