/* The table of names without an account. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t secret[32] = {1, 2, 3};

static void name_of(uint32_t number, uint8_t ret[16])
{
    memset(ret, 0, 16);
    memcpy(ret, &number, 4);
}

static void a_name_never_seen_has_no_budget(void **state)
{
    (void)state;
    struct unknown_table *table;
    uint8_t name[16];
    assert_ok(unknown_create(64, secret, &table));
    name_of(1, name);
    assert_int_equal(unknown_get(table, name), 0);
    unknown_destroy(table);
}

static void charges_of_one_name_add_up(void **state)
{
    (void)state;
    struct unknown_table *table;
    uint8_t name[16], other[16];
    assert_ok(unknown_create(64, secret, &table));
    name_of(1, name);
    name_of(2, other);
    for (unsigned i = 1; i <= 300; i++) {
        uint64_t seen = unknown_get(table, name);
        assert_true(unknown_swap(table, name, seen, throttle_charge(seen, i & 1, 1000 + i / 10)));
    }
    assert_int_equal(budget_failures(unknown_get(table, name), 0), 150);
    assert_int_equal(budget_failures(unknown_get(table, name), 1), 150);
    assert_int_equal(budget_time_s(unknown_get(table, name)), 1030);
    assert_int_equal(unknown_get(table, other), 0);
    unknown_destroy(table);
}

static void a_swap_from_a_word_that_moved_fails(void **state)
{
    (void)state;
    struct unknown_table *table;
    uint8_t name[16];
    assert_ok(unknown_create(64, secret, &table));
    name_of(1, name);
    assert_true(unknown_swap(table, name, 0, budget_word(5, 0, 1, 0)));
    assert_false(unknown_swap(table, name, 0, budget_word(5, 0, 1, 0)));
    assert_false(unknown_swap(table, name, budget_word(5, 0, 9, 0), budget_word(6, 0, 10, 0)));
    assert_true(unknown_swap(table, name, budget_word(5, 0, 1, 0), budget_word(6, 0, 2, 0)));
    unknown_destroy(table);
}

/* One set of eight: the ninth name takes the place of the least charged one, and starts at one failure. */
static void a_new_name_takes_the_place_of_the_least_charged(void **state)
{
    (void)state;
    struct unknown_table *table;
    uint8_t name[16];
    assert_ok(unknown_create(8, secret, &table));
    for (uint32_t i = 0; i < 8; i++) {
        name_of(i, name);
        assert_true(unknown_swap(table, name, 0, budget_word(100, 0, i == 5 ? 1 : 7, 0)));
    }
    name_of(100, name);
    assert_true(unknown_swap(table, name, 0, budget_word(101, 0, 1, 0)));
    assert_int_equal(budget_failures(unknown_get(table, name), 0), 1);
    for (uint32_t i = 0; i < 8; i++) {
        name_of(i, name);
        assert_int_equal(budget_failures(unknown_get(table, name), 0), i == 5 ? 0 : 7);
    }
    unknown_destroy(table);
}

static void among_equals_the_one_charged_longest_ago_gives_way(void **state)
{
    (void)state;
    struct unknown_table *table;
    uint8_t name[16];
    assert_ok(unknown_create(8, secret, &table));
    for (uint32_t i = 0; i < 8; i++) {
        name_of(i, name);
        assert_true(unknown_swap(table, name, 0, budget_word(100 + (i + 3) % 8, 0, 2, 0)));
    }
    name_of(100, name);
    assert_true(unknown_swap(table, name, 0, budget_word(200, 0, 1, 0)));
    name_of(5, name);
    assert_int_equal(unknown_get(table, name), 0);
    unknown_destroy(table);
}

static void raising_only_raises_and_may_come_in_any_order(void **state)
{
    (void)state;
    struct unknown_table *table;
    uint8_t name[16];
    assert_ok(unknown_create(64, secret, &table));
    name_of(1, name);
    unknown_raise(table, name, budget_word(7, 3, 4, 0));
    unknown_raise(table, name, budget_word(6, 9, 3, 0));
    unknown_raise(table, name, budget_word(7, 1, 4, 0));
    assert_int_equal(unknown_get(table, name), budget_word(7, 0, 4, 0));
    unknown_raise(table, name, budget_word(8, 0, 5, 1));
    assert_int_equal(unknown_get(table, name), budget_word(8, 0, 5, 1));
    unknown_destroy(table);
}

static void blocks_carry_a_table_over(void **state)
{
    (void)state;
    struct unknown_table *from, *to;
    uint8_t name[16];
    uint8_t *block = malloc(UNKNOWN_BLOCK_ENTRIES * 8);
    assert_ok(unknown_create(1 << 15, secret, &from));
    assert_ok(unknown_create(1 << 15, secret, &to));
    assert_int_equal(unknown_block_count(from), 4);
    for (uint32_t i = 0; i < 5000; i++) {
        name_of(i, name);
        unknown_raise(from, name, budget_word(100 + i, 0, (uint8_t)(i % 9 + 1), 2));
    }
    for (uint32_t i = 0; i < unknown_block_count(from); i++) {
        unknown_block_read(from, i, block);
        unknown_block_write(to, i, block);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        name_of(i, name);
        assert_int_equal(unknown_get(to, name), unknown_get(from, name));
    }
    free(block);
    unknown_destroy(from);
    unknown_destroy(to);
}

static void sizes_that_are_no_power_of_two_are_refused(void **state)
{
    (void)state;
    struct unknown_table *table;
    assert_int_equal(unknown_create(1000, secret, &table).code, BAD_ARGUMENT);
    assert_int_equal(unknown_create(4, secret, &table).code, BAD_ARGUMENT);
}

enum { RACERS = 2, RACE_NAMES = 20000, RACE_CHARGES = 2 };

struct racer {
    struct unknown_table *table;
    _Atomic uint32_t *started;
};

/* Charges each name at the same time as the other thread. */
static void *race(void *argument)
{
    struct racer *racer = argument;
    for (uint32_t number = 0; number < RACE_NAMES; number++) {
        uint8_t name[16];
        name_of(number, name);
        atomic_fetch_add(racer->started, 1);
        while (atomic_load(racer->started) < (number + 1) * RACERS) continue;
        for (int i = 0; i < RACE_CHARGES; i++) {
            uint64_t seen;
            do {
                seen = unknown_get(racer->table, name);
            } while (!unknown_swap(racer->table, name, seen, throttle_charge(seen, 0, 1000)));
        }
    }
    return NULL;
}

static void two_threads_that_enter_one_name_lose_no_charge(void **state)
{
    (void)state;
    _Atomic uint32_t started = 0;
    struct racer racer = {.started = &started};
    pthread_t threads[RACERS];
    assert_int_equal(unknown_create(1 << 20, secret, &racer.table).code, OK);
    for (int i = 0; i < RACERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, race, &racer), 0);
    for (int i = 0; i < RACERS; i++) pthread_join(threads[i], NULL);
    for (uint32_t number = 0; number < RACE_NAMES; number++) {
        uint8_t name[16];
        name_of(number, name);
        assert_true(budget_failures(unknown_get(racer.table, name), 0) >= RACERS * RACE_CHARGES);
    }
    unknown_destroy(racer.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_never_seen_has_no_budget),
        cmocka_unit_test(charges_of_one_name_add_up),
        cmocka_unit_test(a_swap_from_a_word_that_moved_fails),
        cmocka_unit_test(a_new_name_takes_the_place_of_the_least_charged),
        cmocka_unit_test(among_equals_the_one_charged_longest_ago_gives_way),
        cmocka_unit_test(raising_only_raises_and_may_come_in_any_order),
        cmocka_unit_test(blocks_carry_a_table_over),
        cmocka_unit_test(two_threads_that_enter_one_name_lose_no_charge),
        cmocka_unit_test(sizes_that_are_no_power_of_two_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
