/* Frames cut out of a stream, whatever the cuts of its arrival. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "server/intake.h"

enum { CHUNKS = 64, PIECES = 3, FRAME_SIZE_MAX = 8192 };

struct stream {
    uint8_t *bytes; /* aligned to 64, so that cuts decide what lies aligned */
    uint32_t size;
};

static void put_frame(struct stream *stream, uint16_t kind, uint16_t count, uint32_t size, uint64_t tag)
{
    uint8_t *to = stream->bytes + stream->size;
    memset(to, 0, 32);
    store_le32(to, size);
    store_le16(to + 4, kind);
    store_le16(to + 6, count);
    store_le64(to + 8, tag);
    for (uint32_t i = 32; i < size; i++) to[i] = (uint8_t)(tag * 31 + i);
    stream->size += size;
}

static struct stream stream_make(void)
{
    struct stream stream = {.bytes = aligned_alloc(64, 65536)};
    memset(stream.bytes, 0, 65536);
    put_frame(&stream, 10, 0, 32, 1);
    put_frame(&stream, 3, 3, 32 + 96, 2);
    put_frame(&stream, 8, 0, 35, 3); /* leaves what follows off alignment */
    put_frame(&stream, 5, 2, 32 + 80, 4);
    put_frame(&stream, 10, 0, 32, 5);
    return stream;
}

static unsigned given_back[CHUNKS];

static void give_back(void *context, uint16_t buffer_id)
{
    (void)context;
    given_back[buffer_id]++;
}

/* Takes every whole frame and compares it with the stream; gives the bytes taken. */
static uint32_t take_all(struct intake_pool *pool, struct intake *intake, const struct stream *stream, uint32_t at)
{
    struct wire_frame frame;
    struct wire_fault fault;
    for (;;) {
        enum intake_state state = intake_next(pool, intake, &frame, &fault);
        if (state == INTAKE_WAIT) {
            intake_turned(pool, give_back, NULL);
            continue;
        }
        if (state == INTAKE_NONE) return at;
        assert_int_equal(state, INTAKE_FRAME);
        struct wire_frame again;
        assert_int_equal(intake_next(pool, intake, &again, &fault), INTAKE_FRAME);
        assert_ptr_equal(again.bytes, frame.bytes);
        assert_int_equal((uintptr_t)frame.bytes % 8, 0);
        assert_memory_equal(frame.bytes, stream->bytes + at, frame.header.size);
        at += frame.header.size;
        intake_taken(pool, intake, &frame);
    }
}

static void all_is_given_back(struct intake_pool *pool, uint32_t chunks)
{
    intake_turned(pool, give_back, NULL);
    assert_int_equal(pool->held, 0);
    for (uint32_t i = 0; i < chunks; i++) assert_int_equal(given_back[i], 1);
    unsigned pieces = 0;
    for (struct intake_piece *piece = pool->pieces_free; piece; piece = piece->next) pieces++;
    assert_int_equal(pieces, PIECES);
}

static void split_at(const struct stream *stream, uint32_t first, uint32_t second)
{
    struct intake_pool pool;
    struct intake intake;
    assert_int_equal(intake_pool_create(CHUNKS, PIECES, FRAME_SIZE_MAX, &pool).code, OK);
    memset(given_back, 0, sizeof given_back);
    intake_reset(&intake);
    uint32_t cuts[] = {0, first, second, stream->size}, at = 0, chunks = 0;
    for (int i = 0; i < 3; i++) {
        if (cuts[i] == cuts[i + 1]) continue;
        /* A copy of exactly this size, so that a read past it is found by the sanitizer. */
        uint32_t size = cuts[i + 1] - cuts[i];
        uint8_t *part = aligned_alloc(8, (size + 7) & ~7U);
        memcpy(part, stream->bytes + cuts[i], size);
        intake_add(&pool, &intake, part, size, (uint16_t)chunks++);
        at = take_all(&pool, &intake, stream, at);
        intake_turned(&pool, give_back, NULL);
        free(part);
    }
    assert_int_equal(at, stream->size);
    assert_false(intake_half(&intake));
    all_is_given_back(&pool, chunks);
    intake_pool_destroy(&pool);
}

static void frames_come_whole_from_every_pair_of_cuts(void **state)
{
    (void)state;
    struct stream stream = stream_make();
    for (uint32_t first = 0; first <= stream.size; first++)
        for (uint32_t second = first; second <= stream.size; second += 7) split_at(&stream, first, second);
    free(stream.bytes);
}

static void frames_come_whole_one_byte_at_a_time(void **state)
{
    (void)state;
    struct stream stream = stream_make();
    struct intake_pool pool;
    struct intake intake;
    assert_int_equal(intake_pool_create(CHUNKS, PIECES, FRAME_SIZE_MAX, &pool).code, OK);
    intake_reset(&intake);
    uint32_t at = 0;
    for (uint32_t i = 0; i < stream.size; i++) {
        intake_add(&pool, &intake, stream.bytes + i, 1, (uint16_t)(i % CHUNKS));
        uint32_t before = at;
        at = take_all(&pool, &intake, &stream, at);
        assert_int_equal(intake_half(&intake), at != i + 1);
        assert_true(at == before || at == i + 1);
        intake_turned(&pool, give_back, NULL);
    }
    assert_int_equal(at, stream.size);
    intake_pool_destroy(&pool);
    free(stream.bytes);
}

static void many_small_chunks_wait_in_order(void **state)
{
    (void)state;
    struct stream stream = stream_make();
    struct intake_pool pool;
    struct intake intake;
    assert_int_equal(intake_pool_create(CHUNKS, PIECES, FRAME_SIZE_MAX, &pool).code, OK);
    memset(given_back, 0, sizeof given_back);
    intake_reset(&intake);
    uint32_t chunks = 0;
    for (uint32_t at = 0; at < stream.size; at += 13)
        intake_add(&pool, &intake, stream.bytes + at, stream.size - at < 13 ? stream.size - at : 13,
                   (uint16_t)chunks++);
    assert_int_equal(pool.held, chunks);
    assert_int_equal(take_all(&pool, &intake, &stream, 0), stream.size);
    all_is_given_back(&pool, chunks);
    intake_pool_destroy(&pool);
    free(stream.bytes);
}

static void a_frame_in_one_aligned_buffer_is_not_copied(void **state)
{
    (void)state;
    struct stream stream = stream_make();
    struct intake_pool pool;
    struct intake intake;
    struct wire_frame frame;
    struct wire_fault fault;
    assert_int_equal(intake_pool_create(CHUNKS, PIECES, FRAME_SIZE_MAX, &pool).code, OK);
    intake_reset(&intake);
    intake_add(&pool, &intake, stream.bytes, stream.size, 0);
    assert_int_equal(intake_next(&pool, &intake, &frame, &fault), INTAKE_FRAME);
    assert_ptr_equal(frame.bytes, stream.bytes);
    intake_taken(&pool, &intake, &frame);
    assert_int_equal(intake_next(&pool, &intake, &frame, &fault), INTAKE_FRAME);
    assert_ptr_equal(frame.bytes, stream.bytes + 32);
    intake_drop(&pool, &intake);
    intake_pool_destroy(&pool);
    free(stream.bytes);
}

static void bytes_of_a_taken_frame_stay_until_the_turn_is_over(void **state)
{
    (void)state;
    struct stream stream = stream_make();
    struct intake_pool pool;
    struct intake intake;
    struct wire_frame frame;
    struct wire_fault fault;
    assert_int_equal(intake_pool_create(CHUNKS, 1, FRAME_SIZE_MAX, &pool).code, OK);
    memset(given_back, 0, sizeof given_back);
    intake_reset(&intake);
    intake_add(&pool, &intake, stream.bytes, 10, 0);
    assert_int_equal(intake_next(&pool, &intake, &frame, &fault), INTAKE_NONE);
    assert_true(intake_half(&intake));
    intake_add(&pool, &intake, stream.bytes + 10, 22 + 50, 1);
    assert_int_equal(intake_next(&pool, &intake, &frame, &fault), INTAKE_FRAME);
    intake_taken(&pool, &intake, &frame);
    /* The only piece still holds the taken frame, so the next split one waits. */
    struct wire_frame next;
    assert_int_equal(intake_next(&pool, &intake, &next, &fault), INTAKE_WAIT);
    assert_int_equal(given_back[0], 0);
    assert_memory_equal(frame.bytes, stream.bytes, 32);
    intake_turned(&pool, give_back, NULL);
    assert_int_equal(given_back[0], 1);
    assert_int_equal(given_back[1], 0);
    assert_int_equal(intake_next(&pool, &intake, &next, &fault), INTAKE_NONE);
    intake_drop(&pool, &intake);
    intake_turned(&pool, give_back, NULL);
    assert_int_equal(pool.held, 0);
    intake_pool_destroy(&pool);
    free(stream.bytes);
}

static void a_bad_header_is_a_fault_with_its_tag_in_any_cut(void **state)
{
    (void)state;
    uint8_t *bytes = aligned_alloc(64, 64);
    struct stream stream = {.bytes = bytes};
    put_frame(&stream, 10, 0, 32, 77);
    bytes[30] = 1;
    for (uint32_t cut = 0; cut < 32; cut++) {
        struct intake_pool pool;
        struct intake intake;
        struct wire_frame frame;
        struct wire_fault fault;
        assert_int_equal(intake_pool_create(CHUNKS, PIECES, FRAME_SIZE_MAX, &pool).code, OK);
        intake_reset(&intake);
        if (cut) {
            intake_add(&pool, &intake, bytes, cut, 0);
            assert_int_equal(intake_next(&pool, &intake, &frame, &fault), INTAKE_NONE);
        }
        intake_add(&pool, &intake, bytes + cut, 32 - cut, 1);
        assert_int_equal(intake_next(&pool, &intake, &frame, &fault), INTAKE_FAULT);
        assert_int_equal(frame.header.tag, 77);
        assert_int_equal(fault.code, OTPRING_ERROR_RESERVED);
        intake_drop(&pool, &intake);
        intake_turned(&pool, give_back, NULL);
        assert_int_equal(pool.held, 0);
        intake_pool_destroy(&pool);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_whole_from_every_pair_of_cuts),
        cmocka_unit_test(frames_come_whole_one_byte_at_a_time),
        cmocka_unit_test(many_small_chunks_wait_in_order),
        cmocka_unit_test(a_frame_in_one_aligned_buffer_is_not_copied),
        cmocka_unit_test(bytes_of_a_taken_frame_stay_until_the_turn_is_over),
        cmocka_unit_test(a_bad_header_is_a_fault_with_its_tag_in_any_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
