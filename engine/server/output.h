/* Answers of one connection that have not been sent: bytes in blocks from the worker's pool.
 *
 * Room is promised before a frame is taken (output_reserve), so an answer always finds it; a refused promise is
 * backpressure. One thread. Memory: output_pool_create. */
#ifndef OTPRING_SERVER_OUTPUT_H
#define OTPRING_SERVER_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"

struct output_block {
    struct output_block *next;
    uint8_t *bytes;
};

struct output_pool {
    bool secret; /* blocks are wiped when they were sent */
    uint32_t block_count;
    uint32_t promised;   /* blocks that the connections may come to need, at most block_count */
    uint32_t output_max; /* bytes of one connection */
    struct output_block *blocks;
    struct output_block *free;
    uint8_t *bytes;
};

struct output {
    struct output_block *first, *last;
    uint32_t first_at; /* bytes of `first` that were sent */
    uint32_t last_end; /* bytes of `last` that are filled */
    uint32_t queued;   /* bytes written and not sent */
    uint32_t reserved; /* bytes promised and not written */
};

enum output_room { OUTPUT_PROMISED, OUTPUT_FULL /* this connection's own */, OUTPUT_POOL_FULL };

struct result output_pool_create(uint32_t block_count, uint32_t output_max, struct output_pool *ret_pool) MUST_USE;
void output_pool_destroy(struct output_pool *pool);

enum output_room output_reserve(struct output_pool *pool, struct output *output, uint32_t size) MUST_USE;
void output_unreserve(struct output_pool *pool, struct output *output, uint32_t size);
/* Uses up as much of the promise. */
void output_write(struct output_pool *pool, struct output *output, const void *bytes, uint32_t size);
/* The same in place: where to write `size` bytes that count as written, or NULL when they would not lie in one block.
 */
uint8_t *output_place(struct output_pool *pool, struct output *output, uint32_t size);
/* The next contiguous bytes to send; 0: nothing is queued. They stay until output_sent. */
uint32_t output_front(const struct output *output, uint8_t **ret_bytes);
void output_sent(struct output_pool *pool, struct output *output, uint32_t size);
/* Gives back blocks and promises. No send may be in flight. */
void output_drop(struct output_pool *pool, struct output *output);

#endif
