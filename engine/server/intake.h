/* What one connection has sent and nobody has taken yet: received buffers in order, cut into frames.
 *
 * A frame that lies whole (and aligned to 8 bytes) in one received buffer is given in place. Only a frame that is split
 * is copied, into a piece of the worker's pool. Bytes of a taken frame stay until intake_turned. One thread; the input
 * is hostile. Memory: the pool and the chunk table are taken in intake_pool_create; nothing afterwards. */
#ifndef OTPRING_SERVER_INTAKE_H
#define OTPRING_SERVER_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "server/wire.h"

enum { INTAKE_NO_CHUNK = 0x10000 };

/* A received buffer, by its buffer id. */
struct intake_chunk {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t taken;
    uint32_t next;
};

/* A buffer for one frame put together; at most frame_size_max bytes. */
struct intake_piece {
    struct intake_piece *next;
    uint32_t have;
    uint8_t *bytes;
};

/* One a worker, shared by its connections. */
struct intake_pool {
    bool secret; /* what came is wiped when it is given back */
    uint32_t frame_size_max;
    uint32_t chunk_count;
    struct intake_chunk *chunks;
    uint32_t *spent; /* buffer ids to give back after the turn */
    uint32_t spent_count;
    uint32_t held; /* buffers not given back */
    struct intake_piece *pieces;
    struct intake_piece *pieces_free;
    struct intake_piece *pieces_spent;
    uint8_t *piece_bytes;
};

/* One connection's. All zero but `first` and `last` (intake_reset). */
struct intake {
    uint32_t first, last; /* chunks, oldest first */
    uint32_t chunk_count;
    struct intake_piece *piece; /* the frame that is being put together */
};

enum intake_state {
    INTAKE_NONE,  /* no whole frame has come */
    INTAKE_FRAME, /* ret_frame is the next one; intake_taken when it was taken */
    INTAKE_WAIT,  /* no piece is free: again after intake_turned */
    INTAKE_FAULT, /* ret_fault: the stream cannot be read further */
};

/* NO_MEMORY. */
struct result intake_pool_create(uint32_t chunk_count, uint32_t piece_count, uint32_t frame_size_max,
                                 struct intake_pool *ret_pool) MUST_USE;
void intake_pool_destroy(struct intake_pool *pool);

void intake_reset(struct intake *intake);
/* Takes over the buffer until it comes back through intake_turned. size is not 0. */
void intake_add(struct intake_pool *pool, struct intake *intake, const uint8_t *bytes, uint32_t size,
                uint16_t buffer_id);
/* Gives the same frame again until intake_taken. ret_frame of a fault holds the tag where the header could be read. */
enum intake_state intake_next(struct intake_pool *pool, struct intake *intake, struct wire_frame *ret_frame,
                              struct wire_fault *ret_fault);
void intake_taken(struct intake_pool *pool, struct intake *intake, const struct wire_frame *frame);
/* Throws away everything that has come. */
void intake_drop(struct intake_pool *pool, struct intake *intake);
/* True when a frame has begun and its end has not come. */
bool intake_half(const struct intake *intake);

/* After core_turn: the bytes of taken frames are free; each spent buffer goes back once. */
void intake_turned(struct intake_pool *pool, void (*give_back)(void *context, uint16_t buffer_id), void *context);

#endif
