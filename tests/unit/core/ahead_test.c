/* Reading ahead at a start: which rows are touched, how far ahead, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/ahead.h"

/* The model, and how often a row was asked for. */
struct counted {
    struct store store;
    struct store *inner;
    bool begin_fails;
    _Atomic unsigned asked;
    _Atomic bool ended;
};

static struct counted *current;

static uint64_t no_waits(void)
{
    return 7;
}

static uint64_t more_each_time(void)
{
    static uint64_t waits;
    return ++waits;
}

static struct result counted_begin(struct store *base, bool write, struct store_txn **ret_txn)
{
    struct counted *store = (struct counted *)base;
    return store->begin_fails ? result_of(NO_MEMORY) : store_begin(store->inner, write, ret_txn);
}

static void counted_abort(struct store_txn *txn)
{
    store_abort(current->inner, txn);
    atomic_store(&current->ended, true);
}

static struct result counted_next(struct store_txn *txn, enum store_map map, struct store_bytes after, bool inclusive,
                                  struct store_bytes *ret_key, struct store_bytes *ret_value)
{
    assert_int_equal(map, STORE_TOKENS);
    assert_true(inclusive);
    atomic_fetch_add(&current->asked, 1);
    return store_next(current->inner, txn, map, after, inclusive, ret_key, ret_value);
}

static const struct store_functions counted_functions = {
    .begin = counted_begin, .abort = counted_abort, .next = counted_next};

static int setup(void **state)
{
    struct counted *store = calloc(1, sizeof *store);
    store->store.functions = &counted_functions;
    assert_int_equal(store_memory_create(&store->inner).code, OK);
    *state = current = store;
    return 0;
}

static int teardown(void **state)
{
    struct counted *store = *state;
    store_close(store->inner);
    free(store);
    return 0;
}

static void rows_put(struct counted *store, uint32_t first, uint32_t count)
{
    struct store_txn *txn;
    assert_int_equal(store_begin(store->inner, true, &txn).code, OK);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[4];
        store_be32(key, first + i);
        assert_int_equal(store_put(store->inner, txn, STORE_TOKENS, (struct store_bytes){key, sizeof key},
                                   (struct store_bytes){"row", 3})
                             .code,
                         OK);
    }
    assert_int_equal(store_commit(store->inner, txn).code, OK);
}

static void comes_to_an_end(struct counted *store)
{
    while (!atomic_load(&store->ended)) usleep(1000);
}

/* How many rows were asked for by the end, with nobody who loads behind it. */
static unsigned touched(struct counted *store, uint64_t (*disk_waits)(void))
{
    struct ahead ahead;
    ahead_begin(&ahead, &store->store, disk_waits);
    comes_to_an_end(store);
    ahead_end(&ahead);
    return atomic_load(&store->asked);
}

static void a_row_of_each_step_is_touched(void **state)
{
    struct counted *store = *state;
    rows_put(store, 0, 100 * AHEAD_STEP);
    assert_int_equal(touched(store, no_waits), 100 + 1);
}

static void what_is_in_memory_is_passed_over(void **state)
{
    struct counted *store = *state;
    rows_put(store, 0, 3 * AHEAD_LOOK * AHEAD_STEP);
    assert_int_equal(touched(store, no_waits), AHEAD_LOOK + 1);
}

static void where_the_disk_is_waited_for_nothing_is_passed_over(void **state)
{
    struct counted *store = *state;
    rows_put(store, 0, 3 * AHEAD_LOOK * AHEAD_STEP);
    assert_int_equal(touched(store, more_each_time), 3 * AHEAD_LOOK + 1);
}

static void it_is_never_too_far_ahead(void **state)
{
    struct counted *store = *state;
    struct ahead ahead;
    rows_put(store, 0, 1);
    rows_put(store, AHEAD_MOST + 100, 1);
    ahead_begin(&ahead, &store->store, no_waits);
    while (atomic_load(&store->asked) < 2) usleep(1000);
    ahead_follow(&ahead, 100 + AHEAD_STEP - 1);
    usleep(20000);
    assert_false(atomic_load(&store->ended));
    ahead_follow(&ahead, 100 + AHEAD_STEP);
    comes_to_an_end(store);
    ahead_end(&ahead);
    assert_int_equal(atomic_load(&store->asked), 3);
}

static void it_ends_while_it_waits(void **state)
{
    struct counted *store = *state;
    struct ahead ahead;
    rows_put(store, AHEAD_MOST, 1);
    ahead_begin(&ahead, &store->store, no_waits);
    while (atomic_load(&store->asked) < 1) usleep(1000);
    ahead_end(&ahead);
    assert_true(atomic_load(&store->ended));
    assert_int_equal(atomic_load(&store->asked), 1);
}

static void the_last_ordinal_is_the_end(void **state)
{
    struct counted *store = *state;
    struct ahead ahead;
    rows_put(store, UINT32_MAX - 1, 2);
    ahead_begin(&ahead, &store->store, no_waits);
    ahead_follow(&ahead, UINT32_MAX);
    comes_to_an_end(store);
    ahead_end(&ahead);
    assert_int_equal(atomic_load(&store->asked), 1);
}

static void a_key_that_is_none_ends_it(void **state)
{
    struct counted *store = *state;
    struct store_txn *txn;
    assert_int_equal(store_begin(store->inner, true, &txn).code, OK);
    assert_int_equal(
        store_put(store->inner, txn, STORE_TOKENS, (struct store_bytes){"\1", 1}, (struct store_bytes){"row", 3}).code,
        OK);
    assert_int_equal(store_commit(store->inner, txn).code, OK);
    rows_put(store, 0x01000000, 1);
    assert_int_equal(touched(store, no_waits), 1);
}

static void without_a_transaction_nothing_is_read(void **state)
{
    struct counted *store = *state;
    struct ahead ahead;
    store->begin_fails = true;
    ahead_begin(&ahead, &store->store, no_waits);
    ahead_end(&ahead);
    assert_int_equal(atomic_load(&store->asked), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_of_each_step_is_touched),
        TEST(what_is_in_memory_is_passed_over),
        TEST(where_the_disk_is_waited_for_nothing_is_passed_over),
        TEST(it_is_never_too_far_ahead),
        TEST(it_ends_while_it_waits),
        TEST(the_last_ordinal_is_the_end),
        TEST(a_key_that_is_none_ends_it),
        TEST(without_a_transaction_nothing_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
