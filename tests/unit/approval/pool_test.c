/* Threads that sign and check: each index once, whatever their number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "approval/pool.h"

enum { ITEMS = 2000 };

struct counted {
    _Atomic uint32_t times[ITEMS];
    _Atomic size_t greatest;
};

static void count_part(void *context, size_t from, size_t count)
{
    struct counted *counted = context;
    if (count > atomic_load(&counted->greatest)) atomic_store(&counted->greatest, count);
    for (size_t i = from; i < from + count; i++) atomic_fetch_add(&counted->times[i], 1);
}

static void every_index_is_done_once_before_the_call_returns(void **unused)
{
    (void)unused;
    static const size_t counts[] = {0, 1, 31, 32, 33, 64, 65, 1000, ITEMS};
    for (uint32_t threads = 0; threads < 4; threads++) {
        struct pool *pool;
        assert_int_equal(pool_create(threads, &pool).code, OK);
        for (int round = 0; round < 20; round++) {
            for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
                static struct counted counted;
                for (size_t i = 0; i < ITEMS; i++) atomic_store(&counted.times[i], 0);
                pool_run(pool, count_part, &counted, counts[c]);
                for (size_t i = 0; i < ITEMS; i++) assert_int_equal(atomic_load(&counted.times[i]), i < counts[c]);
                assert_true(atomic_load(&counted.greatest) <= POOL_PART);
            }
        }
        pool_destroy(pool);
    }
}

static void a_pool_that_was_never_used_ends_and_none_is_no_pool_to_end(void **unused)
{
    (void)unused;
    struct pool *pool;
    assert_int_equal(pool_create(3, &pool).code, OK);
    pool_destroy(pool);
    pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_is_done_once_before_the_call_returns),
        cmocka_unit_test(a_pool_that_was_never_used_ends_and_none_is_no_pool_to_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
