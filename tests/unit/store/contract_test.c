/* What every store promises, asked of both; and both asked the same at random. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "helpers.h"

struct fixture {
    char folder[64];
    struct store *store;
};

static int setup_lmdb(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    folder_make(fixture->folder);
    assert_code(store_lmdb_open(fixture->folder, true, 64 << 20, &fixture->store), OK);
    *state = fixture;
    return 0;
}

static int setup_memory(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_code(store_memory_create(&fixture->store), OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    if (fixture->folder[0]) folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

static void what_was_committed_is_found_and_what_was_aborted_is_not(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct store_txn *txn;
    struct store_bytes value;
    put_text(store, STORE_META, "a", "one");
    assert_code(store_begin(store, true, &txn), OK);
    assert_code(store_put(store, txn, STORE_META, text_bytes("a"), text_bytes("two")), OK);
    assert_code(store_put(store, txn, STORE_META, text_bytes("b"), text_bytes("")), OK);
    /* A transaction sees its own writes. */
    assert_code(store_get(store, txn, STORE_META, text_bytes("a"), &value), OK);
    assert_memory_equal(value.bytes, "two", 3);
    assert_code(store_get(store, txn, STORE_META, text_bytes("b"), &value), OK);
    assert_int_equal(value.size, 0);
    store_abort(store, txn);
    assert_text(store, STORE_META, "a", "one");
    assert_text(store, STORE_META, "b", NULL);
    put_text(store, STORE_META, "a", "three");
    assert_text(store, STORE_META, "a", "three");
    assert_text(store, STORE_PROFILES, "a", NULL); /* maps are apart */
}

static void an_erased_key_is_gone_and_one_that_is_not_there_is_not_found(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct store_txn *txn;
    put_text(store, STORE_ACCOUNTS, "k", "v");
    assert_code(store_begin(store, true, &txn), OK);
    assert_code(store_erase(store, txn, STORE_ACCOUNTS, text_bytes("none")), STORE_NOT_FOUND);
    assert_code(store_erase(store, txn, STORE_ACCOUNTS, text_bytes("k")), OK);
    assert_code(store_erase(store, txn, STORE_ACCOUNTS, text_bytes("k")), STORE_NOT_FOUND);
    assert_code(store_commit(store, txn), OK);
    assert_text(store, STORE_ACCOUNTS, "k", NULL);
}

static void a_reader_keeps_the_state_it_began_with(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct store_txn *before, *after;
    struct store_bytes value;
    put_text(store, STORE_META, "k", "old");
    assert_code(store_begin(store, false, &before), OK);
    put_text(store, STORE_META, "k", "new");
    assert_code(store_begin(store, false, &after), OK);
    assert_code(store_get(store, before, STORE_META, text_bytes("k"), &value), OK);
    assert_memory_equal(value.bytes, "old", 3);
    assert_code(store_get(store, after, STORE_META, text_bytes("k"), &value), OK);
    assert_memory_equal(value.bytes, "new", 3);
    store_abort(store, before);
    assert_code(store_commit(store, after), OK);
}

static void keys_have_one_to_sixty_four_bytes(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct store_txn *txn;
    struct store_bytes key, value;
    uint8_t bytes[STORE_KEY_SIZE_MAX + 1];
    memset(bytes, 'k', sizeof(bytes));
    assert_code(store_begin(store, true, &txn), OK);
    assert_code(store_put(store, txn, STORE_META, bytes_of(bytes, 0), text_bytes("v")), BAD_ARGUMENT);
    assert_code(store_put(store, txn, STORE_META, bytes_of(bytes, sizeof(bytes)), text_bytes("v")), BAD_ARGUMENT);
    assert_code(store_get(store, txn, STORE_META, bytes_of(bytes, 0), &value), BAD_ARGUMENT);
    assert_code(store_erase(store, txn, STORE_META, bytes_of(bytes, sizeof(bytes))), BAD_ARGUMENT);
    assert_code(store_next(store, txn, STORE_META, bytes_of(bytes, sizeof(bytes)), true, &key, &value), BAD_ARGUMENT);
    assert_code(store_put(store, txn, STORE_META, bytes_of(bytes, STORE_KEY_SIZE_MAX), text_bytes("v")), OK);
    assert_code(store_commit(store, txn), OK);
    assert_code(store_begin(store, false, &txn), OK);
    assert_code(store_get(store, txn, STORE_META, bytes_of(bytes, STORE_KEY_SIZE_MAX), &value), OK);
    store_abort(store, txn);
}

static void next_walks_all_keys_in_order_from_anywhere(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct store_txn *txn;
    struct store_bytes key, value;
    uint8_t bytes[4], after[4];
    assert_code(store_begin(store, true, &txn), OK);
    assert_code(store_next(store, txn, STORE_TOKENS, bytes_of(NULL, 0), false, &key, &value), STORE_NOT_FOUND);
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t number = i * 7 % 3000 * 2; /* even numbers, in no order */
        assert_code(store_put(store, txn, STORE_TOKENS, number_key(number, bytes), bytes_of(&number, 4)), OK);
    }
    assert_code(store_commit(store, txn), OK);
    assert_code(store_begin(store, false, &txn), OK);
    struct store_bytes from = {0};
    for (uint32_t i = 0; i < 3000; i++) {
        assert_code(store_next(store, txn, STORE_TOKENS, from, false, &key, &value), OK);
        assert_int_equal(load_be32(key.bytes), 2 * i);
        memcpy(after, key.bytes, 4);
        from = bytes_of(after, 4);
    }
    assert_code(store_next(store, txn, STORE_TOKENS, from, false, &key, &value), STORE_NOT_FOUND);
    assert_code(store_next(store, txn, STORE_TOKENS, from, false, &key, &value), STORE_NOT_FOUND);
    assert_code(store_next(store, txn, STORE_TOKENS, from, true, &key, &value), OK);
    assert_int_equal(load_be32(key.bytes), 5998);
    assert_code(store_next(store, txn, STORE_TOKENS, number_key(101, bytes), false, &key, &value), OK);
    assert_int_equal(load_be32(key.bytes), 102);
    assert_code(store_next(store, txn, STORE_TOKENS, number_key(101, bytes), true, &key, &value), OK);
    assert_int_equal(load_be32(key.bytes), 102);
    assert_code(store_next(store, txn, STORE_TOKENS, number_key(102, bytes), true, &key, &value), OK);
    assert_int_equal(load_be32(key.bytes), 102);
    assert_code(store_next(store, txn, STORE_TOKENS, bytes_of(bytes, 2), false, &key, &value), OK);
    assert_int_equal(load_be32(key.bytes), 0); /* a prefix stands before what it begins */
    store_abort(store, txn);
}

static void a_walk_stays_right_while_its_transaction_erases_and_puts(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct store_txn *txn;
    struct store_bytes key, value, from = {0};
    uint8_t bytes[4], after[4], big[700] = {0};
    uint32_t seen = 0;
    assert_code(store_begin(store, true, &txn), OK);
    for (uint32_t i = 0; i < 2000; i++) {
        assert_code(store_put(store, txn, STORE_SESSIONS, number_key(2 * i, bytes), bytes_of(big, i % sizeof(big))),
                    OK);
    }
    while (!result_failed(store_next(store, txn, STORE_SESSIONS, from, false, &key, &value))) {
        memcpy(after, key.bytes, 4);
        from = bytes_of(after, 4);
        uint32_t number = load_be32(after);
        assert_int_equal(number, 2 * seen);
        seen++;
        if (seen % 3 == 0) assert_code(store_erase(store, txn, STORE_SESSIONS, from), OK);
        if (seen % 5 == 0 && number > 1000) {
            assert_code(store_put(store, txn, STORE_SESSIONS, number_key(number - 1001, bytes), bytes_of(big, 600)),
                        OK);
        }
    }
    assert_int_equal(seen, 2000);
    assert_code(store_commit(store, txn), OK);
}

static void large_values_come_back_whole(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct store_txn *txn;
    struct store_bytes value;
    uint8_t key[4];
    static uint8_t block[4096 * 17 + 64];
    for (size_t i = 0; i < sizeof(block); i++) block[i] = (uint8_t)(i * 31 >> 3);
    assert_code(store_begin(store, true, &txn), OK);
    for (uint32_t i = 0; i < 40; i++) {
        assert_code(store_put(store, txn, STORE_WORDS, number_key(i, key), bytes_of(block, sizeof(block) - i)), OK);
    }
    assert_code(store_commit(store, txn), OK);
    assert_code(store_begin(store, false, &txn), OK);
    for (uint32_t i = 0; i < 40; i++) {
        assert_code(store_get(store, txn, STORE_WORDS, number_key(i, key), &value), OK);
        assert_int_equal(value.size, sizeof(block) - i);
        assert_memory_equal(value.bytes, block, value.size);
    }
    store_abort(store, txn);
}

struct reading {
    struct store *store;
    _Atomic bool stop;
    uint64_t torn;
    uint64_t reads;
};

static void *read_loop(void *argument)
{
    struct reading *reading = argument;
    uint8_t key[4];
    while (!reading->stop) {
        struct store_txn *txn;
        struct store_bytes first, value;
        if (result_failed(store_begin(reading->store, false, &txn))) return argument;
        if (!result_failed(store_get(reading->store, txn, STORE_TOKENS, number_key(0, key), &first))) {
            for (uint32_t i = 1; i < 50; i++) {
                struct result got = store_get(reading->store, txn, STORE_TOKENS, number_key(i, key), &value);
                reading->torn += result_failed(got) || memcmp(first.bytes, value.bytes, 4) != 0;
            }
        }
        reading->reads++;
        store_abort(reading->store, txn);
    }
    return NULL;
}

static void readers_in_other_threads_see_whole_commits_only(void **state)
{
    struct store *store = ((struct fixture *)*state)->store;
    struct reading readings[2] = {{.store = store}, {.store = store}};
    pthread_t threads[2];
    uint8_t key[4];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, read_loop, &readings[i]), 0);
    for (uint32_t round = 0; round < 60; round++) {
        struct store_txn *txn;
        assert_code(store_begin(store, true, &txn), OK);
        for (uint32_t i = 0; i < 50; i++) {
            assert_code(store_put(store, txn, STORE_TOKENS, number_key(i, key), bytes_of(&round, 4)), OK);
        }
        if (round % 4 == 3) {
            store_abort(store, txn);
        } else {
            assert_code(store_commit(store, txn), OK);
        }
    }
    for (int i = 0; i < 2; i++) {
        void *failed;
        readings[i].stop = true;
        pthread_join(threads[i], &failed);
        assert_null(failed);
        assert_int_equal(readings[i].torn, 0);
    }
}

static void maps_assert_equal(struct store *a, struct store_txn *a_txn, struct store *b, struct store_txn *b_txn)
{
    for (int map = 0; map < STORE_MAP_COUNT; map++) {
        struct store_bytes a_key = {0}, b_key = {0}, a_value, b_value, from = {0};
        uint8_t after[STORE_KEY_SIZE_MAX];
        for (;;) {
            struct result result = store_next(a, a_txn, (enum store_map)map, from, false, &a_key, &a_value);
            assert_int_equal(result.code,
                             store_next(b, b_txn, (enum store_map)map, from, false, &b_key, &b_value).code);
            if (result_failed(result)) break;
            assert_int_equal(a_key.size, b_key.size);
            assert_memory_equal(a_key.bytes, b_key.bytes, a_key.size);
            assert_int_equal(a_value.size, b_value.size);
            if (a_value.size) assert_memory_equal(a_value.bytes, b_value.bytes, a_value.size);
            memcpy(after, a_key.bytes, a_key.size);
            from = bytes_of(after, a_key.size);
        }
    }
}

/* One random operation on both, which must agree. */
static void operation(struct store *a, struct store_txn *a_txn, struct store *b, struct store_txn *b_txn,
                      uint64_t *random)
{
    static uint8_t bytes[5000];
    uint8_t key_bytes[STORE_KEY_SIZE_MAX];
    struct store_bytes a_key, b_key, a_value, b_value;
    enum store_map map = (enum store_map)(random_next(random) % STORE_MAP_COUNT);
    size_t key_size = 1 + random_next(random) % 4 * (random_next(random) % 16);
    for (size_t i = 0; i < key_size; i++) key_bytes[i] = (uint8_t)(random_next(random) % 3 * 127);
    struct store_bytes key = bytes_of(key_bytes, key_size);
    switch (random_next(random) % 6) {
    case 0:
    case 1:
        for (int i = 0; i < 8; i++) bytes[random_next(random) % sizeof(bytes)] = (uint8_t)random_next(random);
        a_value = bytes_of(bytes, random_next(random) % (random_next(random) % 8 ? 90 : sizeof(bytes)));
        assert_code(store_put(a, a_txn, map, key, a_value), OK);
        assert_code(store_put(b, b_txn, map, key, a_value), OK);
        return;
    case 2:
        assert_int_equal(store_erase(a, a_txn, map, key).code, store_erase(b, b_txn, map, key).code);
        return;
    case 3: {
        struct result result = store_get(a, a_txn, map, key, &a_value);
        assert_int_equal(result.code, store_get(b, b_txn, map, key, &b_value).code);
        if (result_failed(result)) return;
        break;
    }
    default: {
        bool inclusive = random_next(random) % 2;
        struct result result = store_next(a, a_txn, map, key, inclusive, &a_key, &a_value);
        assert_int_equal(result.code, store_next(b, b_txn, map, key, inclusive, &b_key, &b_value).code);
        if (result_failed(result)) return;
        assert_int_equal(a_key.size, b_key.size);
        assert_memory_equal(a_key.bytes, b_key.bytes, a_key.size);
    }
    }
    assert_int_equal(a_value.size, b_value.size);
    if (a_value.size) assert_memory_equal(a_value.bytes, b_value.bytes, a_value.size);
}

static void random_operations_have_the_same_outcome_in_both(void **state)
{
    (void)state;
    struct store *a, *b;
    struct store_txn *a_txn, *b_txn;
    char folder[64];
    uint64_t random = 42;
    folder_make(folder);
    assert_code(store_lmdb_open(folder, true, 64 << 20, &a), OK);
    assert_code(store_memory_create(&b), OK);
    for (int round = 0; round < 120; round++) {
        assert_code(store_begin(a, true, &a_txn), OK);
        assert_code(store_begin(b, true, &b_txn), OK);
        for (int i = 0; i < 150; i++) operation(a, a_txn, b, b_txn, &random);
        maps_assert_equal(a, a_txn, b, b_txn);
        if (random_next(&random) % 3 == 0) {
            store_abort(a, a_txn);
            store_abort(b, b_txn);
        } else {
            assert_code(store_commit(a, a_txn), OK);
            assert_code(store_commit(b, b_txn), OK);
        }
        if (round % 20 == 19) {
            /* Both are as good after a close, or a crash, as before. */
            store_close(a);
            assert_code(store_lmdb_open(folder, false, 64 << 20, &a), OK);
            store_memory_crash(b);
        }
        assert_code(store_begin(a, false, &a_txn), OK);
        assert_code(store_begin(b, false, &b_txn), OK);
        maps_assert_equal(a, a_txn, b, b_txn);
        store_abort(a, a_txn);
        store_abort(b, b_txn);
    }
    store_close(a);
    store_close(b);
    folder_remove(folder);
}

static void a_crash_of_the_model_keeps_commits_and_drops_open_transactions(void **state)
{
    (void)state;
    struct store *store;
    struct store_txn *reader, *writer;
    assert_code(store_memory_create(&store), OK);
    put_text(store, STORE_META, "k", "committed");
    assert_code(store_begin(store, false, &reader), OK);
    assert_code(store_begin(store, true, &writer), OK);
    assert_code(store_put(store, writer, STORE_META, text_bytes("k"), text_bytes("open")), OK);
    store_memory_crash(store);
    assert_text(store, STORE_META, "k", "committed");
    put_text(store, STORE_META, "k", "after");
    assert_text(store, STORE_META, "k", "after");
    store_close(store);
}

static void the_models_chosen_commit_fails_and_changes_nothing(void **state)
{
    (void)state;
    struct store *store;
    struct store_txn *txn;
    assert_code(store_memory_create(&store), OK);
    put_text(store, STORE_META, "k", "0");
    store_memory_fail_commit_at(store, 2);
    put_text(store, STORE_META, "k", "1");
    assert_code(store_begin(store, true, &txn), OK);
    assert_code(store_put(store, txn, STORE_META, text_bytes("k"), text_bytes("2")), OK);
    assert_code(store_commit(store, txn), OS_NO_SPACE);
    assert_text(store, STORE_META, "k", "1");
    put_text(store, STORE_META, "k", "3");
    assert_text(store, STORE_META, "k", "3");
    assert_code(store_backup(store, "/nowhere"), BAD_ARGUMENT);
    store_close(store);
}

#define BOTH(test)                                                                                                     \
    {"lmdb: " #test, test, setup_lmdb, teardown, NULL},                                                                \
    {                                                                                                                  \
        "memory: " #test, test, setup_memory, teardown, NULL                                                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(what_was_committed_is_found_and_what_was_aborted_is_not),
        BOTH(an_erased_key_is_gone_and_one_that_is_not_there_is_not_found),
        BOTH(a_reader_keeps_the_state_it_began_with),
        BOTH(keys_have_one_to_sixty_four_bytes),
        BOTH(next_walks_all_keys_in_order_from_anywhere),
        BOTH(a_walk_stays_right_while_its_transaction_erases_and_puts),
        BOTH(large_values_come_back_whole),
        BOTH(readers_in_other_threads_see_whole_commits_only),
        cmocka_unit_test(random_operations_have_the_same_outcome_in_both),
        cmocka_unit_test(a_crash_of_the_model_keeps_commits_and_drops_open_transactions),
        cmocka_unit_test(the_models_chosen_commit_fails_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
