#include "server/output.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "os/arena.h"
#include "server/limits.h"

/* Blocks at distances of a power of two would share a few sets of the cache, and most are used at their beginning. */
enum { BLOCK_STRIDE = SERVER_OUTPUT_BLOCK_SIZE + 64 };

struct result output_pool_create(uint32_t block_count, uint32_t output_max, struct output_pool *ret_pool)
{
    struct output_pool pool = {.block_count = block_count, .output_max = output_max};
    pool.blocks = calloc(block_count, sizeof *pool.blocks);
    pool.bytes = calloc(block_count, BLOCK_STRIDE);
    if (!pool.blocks || !pool.bytes) {
        output_pool_destroy(&pool);
        return result_of(NO_MEMORY);
    }
    for (uint32_t i = 0; i < block_count; i++) {
        pool.blocks[i].bytes = pool.bytes + (size_t)i * BLOCK_STRIDE;
        pool.blocks[i].next = i + 1 < block_count ? &pool.blocks[i + 1] : NULL;
    }
    pool.free = pool.blocks;
    *ret_pool = pool;
    return result_ok();
}

void output_pool_destroy(struct output_pool *pool)
{
    free(pool->blocks);
    free(pool->bytes);
    *pool = (struct output_pool){0};
}

/* Blocks that so many bytes can lie in at most: they may begin anywhere in the first. */
static uint32_t blocks_for(uint32_t size)
{
    return size ? (size - 1) / SERVER_OUTPUT_BLOCK_SIZE + 2 : 0;
}

static void promise_change(struct output_pool *pool, struct output *output, uint32_t queued, uint32_t reserved)
{
    pool->promised += blocks_for(queued + reserved) - blocks_for(output->queued + output->reserved);
    output->queued = queued;
    output->reserved = reserved;
    CHECK(pool->promised <= pool->block_count);
}

enum output_room output_reserve(struct output_pool *pool, struct output *output, uint32_t size)
{
    uint32_t all = output->queued + output->reserved;
    if (size > pool->output_max || all > pool->output_max - size) return OUTPUT_FULL;
    if (pool->promised + blocks_for(all + size) - blocks_for(all) > pool->block_count) return OUTPUT_POOL_FULL;
    promise_change(pool, output, output->queued, output->reserved + size);
    return OUTPUT_PROMISED;
}

void output_unreserve(struct output_pool *pool, struct output *output, uint32_t size)
{
    CHECK(size <= output->reserved);
    promise_change(pool, output, output->queued, output->reserved - size);
}

static void block_append(struct output_pool *pool, struct output *output)
{
    struct output_block *block = pool->free;
    CHECK(block);
    pool->free = block->next;
    block->next = NULL;
    if (output->last)
        output->last->next = block;
    else
        output->first = block;
    output->last = block;
    output->last_end = 0;
}

void output_write(struct output_pool *pool, struct output *output, const void *bytes, uint32_t size)
{
    CHECK(size <= output->reserved);
    const uint8_t *from = bytes;
    uint32_t left = size;
    while (left) {
        if (!output->last || output->last_end == SERVER_OUTPUT_BLOCK_SIZE) block_append(pool, output);
        uint32_t room = SERVER_OUTPUT_BLOCK_SIZE - output->last_end;
        uint32_t part = left < room ? left : room;
        memcpy(output->last->bytes + output->last_end, from, part);
        output->last_end += part;
        from += part;
        left -= part;
    }
    promise_change(pool, output, output->queued + size, output->reserved - size);
}

uint8_t *output_place(struct output_pool *pool, struct output *output, uint32_t size)
{
    CHECK(size <= output->reserved);
    if (!output->last || output->last_end == SERVER_OUTPUT_BLOCK_SIZE) {
        if (size > SERVER_OUTPUT_BLOCK_SIZE) return NULL;
        block_append(pool, output);
    }
    if (size > SERVER_OUTPUT_BLOCK_SIZE - output->last_end) return NULL;
    uint8_t *place = output->last->bytes + output->last_end;
    output->last_end += size;
    promise_change(pool, output, output->queued + size, output->reserved - size);
    return place;
}

uint32_t output_front(const struct output *output, uint8_t **ret_bytes)
{
    if (!output->queued) return 0;
    uint32_t end = output->first == output->last ? output->last_end : SERVER_OUTPUT_BLOCK_SIZE;
    *ret_bytes = output->first->bytes + output->first_at;
    return end - output->first_at;
}

static void block_release(struct output_pool *pool, struct output *output)
{
    struct output_block *block = output->first;
    output->first = block->next;
    if (!output->first) output->last = NULL;
    output->first_at = 0;
    if (pool->secret) secret_wipe(block->bytes, SERVER_OUTPUT_BLOCK_SIZE);
    block->next = pool->free;
    pool->free = block;
}

void output_sent(struct output_pool *pool, struct output *output, uint32_t size)
{
    CHECK(size <= output->queued);
    output->first_at += size;
    promise_change(pool, output, output->queued - size, output->reserved);
    if (output->first && (output->first_at == SERVER_OUTPUT_BLOCK_SIZE || output->queued == 0))
        block_release(pool, output);
}

void output_drop(struct output_pool *pool, struct output *output)
{
    while (output->first) block_release(pool, output);
    promise_change(pool, output, 0, 0);
    *output = (struct output){0};
}
