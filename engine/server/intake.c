#include "server/intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/arena.h"

struct result intake_pool_create(uint32_t chunk_count, uint32_t piece_count, uint32_t frame_size_max,
                                 struct intake_pool *ret_pool)
{
    CHECK(chunk_count > 0 && chunk_count < INTAKE_NO_CHUNK && piece_count > 0);
    uint32_t stride = (frame_size_max + 63) & ~63U;
    struct intake_pool pool = {.frame_size_max = frame_size_max, .chunk_count = chunk_count};
    pool.chunks = calloc(chunk_count, sizeof *pool.chunks);
    pool.spent = calloc(chunk_count, sizeof *pool.spent);
    pool.pieces = calloc(piece_count, sizeof *pool.pieces);
    /* Large and zeroed, so its pages are the kernel's until a frame is split. */
    pool.piece_bytes = calloc(piece_count, stride);
    if (!pool.chunks || !pool.spent || !pool.pieces || !pool.piece_bytes) {
        intake_pool_destroy(&pool);
        return result_of(NO_MEMORY);
    }
    for (uint32_t i = 0; i < piece_count; i++) {
        pool.pieces[i].bytes = pool.piece_bytes + (size_t)i * stride;
        pool.pieces[i].next = i + 1 < piece_count ? &pool.pieces[i + 1] : NULL;
    }
    pool.pieces_free = pool.pieces;
    *ret_pool = pool;
    return result_ok();
}

void intake_pool_destroy(struct intake_pool *pool)
{
    free(pool->chunks);
    free(pool->spent);
    free(pool->pieces);
    free(pool->piece_bytes);
    *pool = (struct intake_pool){0};
}

void intake_reset(struct intake *intake)
{
    *intake = (struct intake){.first = INTAKE_NO_CHUNK, .last = INTAKE_NO_CHUNK};
}

void intake_add(struct intake_pool *pool, struct intake *intake, const uint8_t *bytes, uint32_t size,
                uint16_t buffer_id)
{
    CHECK(buffer_id < pool->chunk_count && size > 0);
    pool->chunks[buffer_id] = (struct intake_chunk){.bytes = bytes, .size = size, .next = INTAKE_NO_CHUNK};
    if (intake->first == INTAKE_NO_CHUNK)
        intake->first = buffer_id;
    else
        pool->chunks[intake->last].next = buffer_id;
    intake->last = buffer_id;
    intake->chunk_count++;
    pool->held++;
}

/* Moves on by `size` bytes of the first chunk; a chunk that is used up is spent. */
static void chunk_advance(struct intake_pool *pool, struct intake *intake, uint32_t size)
{
    uint32_t id = intake->first;
    struct intake_chunk *chunk = &pool->chunks[id];
    CHECK(size <= chunk->size - chunk->taken);
    chunk->taken += size;
    if (chunk->taken < chunk->size) return;
    intake->first = chunk->next;
    if (intake->first == INTAKE_NO_CHUNK) intake->last = INTAKE_NO_CHUNK;
    intake->chunk_count--;
    CHECK(pool->spent_count < pool->chunk_count);
    pool->spent[pool->spent_count++] = id;
}

/* Copies into the piece until it has `wanted` bytes; false when the chunks do not hold so many. */
static bool piece_fill(struct intake_pool *pool, struct intake *intake, uint32_t wanted)
{
    struct intake_piece *piece = intake->piece;
    while (piece->have < wanted && intake->first != INTAKE_NO_CHUNK) {
        struct intake_chunk *chunk = &pool->chunks[intake->first];
        uint32_t size = chunk->size - chunk->taken;
        if (size > wanted - piece->have) size = wanted - piece->have;
        memcpy(piece->bytes + piece->have, chunk->bytes + chunk->taken, size);
        piece->have += size;
        chunk_advance(pool, intake, size);
    }
    return piece->have >= wanted;
}

static enum intake_state fault_of(const uint8_t *header, struct wire_frame *ret_frame)
{
    *ret_frame = (struct wire_frame){.header.tag = load_le64(header + 8)};
    return INTAKE_FAULT;
}

static enum intake_state next_in_piece(struct intake_pool *pool, struct intake *intake, struct wire_frame *ret_frame,
                                       struct wire_fault *ret_fault)
{
    struct intake_piece *piece = intake->piece;
    struct otpring_wire_header header;
    if (!piece_fill(pool, intake, WIRE_HEADER_SIZE)) return INTAKE_NONE;
    if (!wire_check_header(piece->bytes, pool->frame_size_max, &header, ret_fault))
        return fault_of(piece->bytes, ret_frame);
    if (!piece_fill(pool, intake, header.size)) return INTAKE_NONE;
    *ret_frame = (struct wire_frame){header, piece->bytes, header.size - WIRE_HEADER_SIZE};
    return INTAKE_FRAME;
}

enum intake_state intake_next(struct intake_pool *pool, struct intake *intake, struct wire_frame *ret_frame,
                              struct wire_fault *ret_fault)
{
    if (intake->piece) return next_in_piece(pool, intake, ret_frame, ret_fault);
    if (intake->first == INTAKE_NO_CHUNK) return INTAKE_NONE;
    const struct intake_chunk *chunk = &pool->chunks[intake->first];
    const uint8_t *bytes = chunk->bytes + chunk->taken;
    uint32_t left = chunk->size - chunk->taken;
    struct otpring_wire_header header;
    if (left >= WIRE_HEADER_SIZE) {
        if (!wire_check_header(bytes, pool->frame_size_max, &header, ret_fault)) return fault_of(bytes, ret_frame);
        if (left >= header.size && (uintptr_t)bytes % 8 == 0) {
            *ret_frame = (struct wire_frame){header, bytes, header.size - WIRE_HEADER_SIZE};
            return INTAKE_FRAME;
        }
    }
    if (!pool->pieces_free) return INTAKE_WAIT;
    intake->piece = pool->pieces_free;
    pool->pieces_free = intake->piece->next;
    intake->piece->have = 0;
    return next_in_piece(pool, intake, ret_frame, ret_fault);
}

static void piece_spend(struct intake_pool *pool, struct intake *intake)
{
    intake->piece->next = pool->pieces_spent;
    pool->pieces_spent = intake->piece;
    intake->piece = NULL;
}

void intake_taken(struct intake_pool *pool, struct intake *intake, const struct wire_frame *frame)
{
    if (intake->piece) {
        CHECK(intake->piece->bytes == frame->bytes && intake->piece->have == frame->header.size);
        piece_spend(pool, intake);
    } else {
        chunk_advance(pool, intake, frame->header.size);
    }
}

void intake_drop(struct intake_pool *pool, struct intake *intake)
{
    while (intake->first != INTAKE_NO_CHUNK) {
        const struct intake_chunk *chunk = &pool->chunks[intake->first];
        chunk_advance(pool, intake, chunk->size - chunk->taken);
    }
    if (intake->piece) piece_spend(pool, intake);
}

bool intake_half(const struct intake *intake)
{
    return intake->piece && intake->first == INTAKE_NO_CHUNK;
}

void intake_turned(struct intake_pool *pool, void (*give_back)(void *context, uint16_t buffer_id), void *context)
{
    for (uint32_t i = 0; i < pool->spent_count; i++) {
        const struct intake_chunk *chunk = &pool->chunks[pool->spent[i]];
        /* The buffer is ours until it is given back; that it is read-only here is a matter of manners. */
        if (pool->secret) secret_wipe((void *)(uintptr_t)chunk->bytes, chunk->size);
        give_back(context, (uint16_t)pool->spent[i]);
    }
    pool->held -= pool->spent_count;
    pool->spent_count = 0;
    while (pool->pieces_spent) {
        struct intake_piece *piece = pool->pieces_spent;
        pool->pieces_spent = piece->next;
        if (pool->secret) secret_wipe(piece->bytes, piece->have);
        piece->next = pool->pieces_free;
        pool->pieces_free = piece;
    }
}
