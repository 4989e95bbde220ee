/* Answers queued in blocks, within what was promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/limits.h"
#include "server/output.h"

static void bytes_leave_in_the_order_they_came_whatever_the_sizes(void **state)
{
    (void)state;
    struct output_pool pool;
    struct output output = {0};
    uint32_t block = SERVER_OUTPUT_BLOCK_SIZE;
    assert_int_equal(output_pool_create(8, 4 * block, &pool).code, OK);
    uint8_t *bytes = malloc(2 * block);
    uint64_t written = 0, read = 0;
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        uint32_t size = (uint32_t)rand_r(&seed) % (round % 7 ? 200 : 2 * block) + 1;
        if (output_reserve(&pool, &output, size) == OUTPUT_PROMISED) {
            for (uint32_t i = 0; i < size; i++) bytes[i] = (uint8_t)((written + i) * 7 + ((written + i) >> 9));
            output_write(&pool, &output, bytes, size);
            written += size;
        }
        uint8_t *front;
        uint32_t size_front = output_front(&output, &front);
        if (!size_front) continue;
        uint32_t sent = (uint32_t)rand_r(&seed) % size_front + 1;
        for (uint32_t i = 0; i < sent; i++) assert_int_equal(front[i], (uint8_t)((read + i) * 7 + ((read + i) >> 9)));
        output_sent(&pool, &output, sent);
        read += sent;
    }
    assert_int_equal(output.queued, written - read);
    output_drop(&pool, &output);
    assert_int_equal(pool.promised, 0);
    free(bytes);
    output_pool_destroy(&pool);
}

static void a_connection_is_promised_no_more_than_its_limit(void **state)
{
    (void)state;
    struct output_pool pool;
    struct output output = {0};
    assert_int_equal(output_pool_create(16, 1000, &pool).code, OK);
    assert_int_equal(output_reserve(&pool, &output, 1001), OUTPUT_FULL);
    assert_int_equal(output_reserve(&pool, &output, 600), OUTPUT_PROMISED);
    assert_int_equal(output_reserve(&pool, &output, 401), OUTPUT_FULL);
    assert_int_equal(output_reserve(&pool, &output, 400), OUTPUT_PROMISED);
    output_unreserve(&pool, &output, 1000);
    assert_int_equal(pool.promised, 0);
    output_pool_destroy(&pool);
}

static void connections_together_are_promised_no_more_than_the_pool(void **state)
{
    (void)state;
    struct output_pool pool;
    struct output outputs[3] = {0};
    assert_int_equal(output_pool_create(4, 1 << 20, &pool).code, OK);
    assert_int_equal(output_reserve(&pool, &outputs[0], 10), OUTPUT_PROMISED);
    assert_int_equal(output_reserve(&pool, &outputs[1], 10), OUTPUT_PROMISED);
    assert_int_equal(output_reserve(&pool, &outputs[2], 10), OUTPUT_POOL_FULL);
    output_drop(&pool, &outputs[0]);
    assert_int_equal(output_reserve(&pool, &outputs[2], 10), OUTPUT_PROMISED);
    output_pool_destroy(&pool);
}

static void a_promise_is_kept_when_every_byte_is_written_before_any_is_sent(void **state)
{
    (void)state;
    struct output_pool pool;
    struct output output = {0};
    uint32_t block = SERVER_OUTPUT_BLOCK_SIZE, size = 3 * block;
    assert_int_equal(output_pool_create(4, size, &pool).code, OK);
    uint8_t *bytes = calloc(1, size);
    /* Begin in the middle of a block, then fill all that is promised. */
    assert_int_equal(output_reserve(&pool, &output, block), OUTPUT_PROMISED);
    output_write(&pool, &output, bytes, block);
    output_sent(&pool, &output, block - 1);
    assert_int_equal(output_reserve(&pool, &output, 2 * block), OUTPUT_PROMISED);
    output_write(&pool, &output, bytes, 2 * block);
    assert_int_equal(output.queued, 2 * block + 1);
    output_drop(&pool, &output);
    free(bytes);
    output_pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_leave_in_the_order_they_came_whatever_the_sizes),
        cmocka_unit_test(a_connection_is_promised_no_more_than_its_limit),
        cmocka_unit_test(connections_together_are_promised_no_more_than_the_pool),
        cmocka_unit_test(a_promise_is_kept_when_every_byte_is_written_before_any_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
