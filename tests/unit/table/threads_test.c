/* One writer that inserts, grows and removes; readers that look up and swap words. Says little alone: run it under
 * ThreadSanitizer. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "helpers.h"

enum { READERS = 3, ACCOUNTS = 6000, TURN_LOOKUPS = 64, KEPT = 3 /* accounts a multiple of this stay */ };

struct reader {
    struct shared *shared;
    pthread_t thread;
    _Atomic uint64_t turns;
    uint64_t swapped;
    uint64_t missed;  /* tokens that should have been found */
    uint64_t damaged; /* lines that were not whole, or were wiped under a reader */
};

struct shared {
    struct table *table;
    _Atomic uint64_t published; /* accounts below this were inserted */
    _Atomic bool stop;
    struct reader readers[READERS];
};

static void lookup(struct reader *reader, uint64_t account, const struct table_hit *hits, unsigned count)
{
    if (count == 0) {
        reader->missed++;
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned flags = atomic_load_explicit(&hits[i].tail->flags, memory_order_acquire);
        uint64_t line = table_line_index(hits[i].ordinal);
        reader->damaged += line / 2 != account || (flags & (TABLE_LIVE | TABLE_REMOVED)) == 0;
        /* A removed line may be wiped already when it is found as removed; one found live may not be until the turn's
         * end. */
        if (flags & TABLE_REMOVED) continue;
        reader->damaged += !midstates_are(&hits[i], hits[i].ordinal);
        uint64_t seen = atomic_load_explicit(&hits[i].tail->token, memory_order_acquire);
        if (atomic_compare_exchange_strong(&hits[i].tail->token, &seen, seen + 1)) reader->swapped++;
    }
}

static void *read_loop(void *argument)
{
    struct reader *reader = argument;
    struct shared *shared = reader->shared;
    uint64_t random = (uint64_t)(reader - shared->readers) + 1;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    const struct kernel_stages *stages = kernels[kernel_count - 1]->stages;
    static _Thread_local struct table_hit hits[TURN_LOOKUPS * TABLE_ACCOUNT_TOKENS_MAX];
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        uint8_t names[TURN_LOOKUPS][TABLE_NAME_SIZE], counts[TURN_LOOKUPS];
        uint64_t accounts[TURN_LOOKUPS], published = atomic_load_explicit(&shared->published, memory_order_acquire);
        for (int i = 0; i < TURN_LOOKUPS; i++) {
            accounts[i] = published ? random_next(&random) % published : ACCOUNTS;
            name_make(accounts[i], names[i]);
        }
        for (int i = 0; i < TURN_LOOKUPS; i++) {
            struct table_hit *found = hits + (size_t)i * TABLE_ACCOUNT_TOKENS_MAX;
            enum probed probed;
            counts[i] = (uint8_t)(random % 2 ? find_in_stages(shared->table, stages, names[i], found, &probed)
                                             : table_find(shared->table, names[i], found));
        }
        for (int i = 0; i < TURN_LOOKUPS; i++) {
            if (accounts[i] == ACCOUNTS) continue;
            lookup(reader, accounts[i], hits + (size_t)i * TABLE_ACCOUNT_TOKENS_MAX, counts[i]);
        }
        atomic_fetch_add_explicit(&reader->turns, 1, memory_order_release);
    }
    return NULL;
}

/* The writer alone would be done before a reader has begun. */
static void readers_wait(struct shared *shared)
{
    for (int i = 0; i < READERS; i++) {
        uint64_t turns = atomic_load_explicit(&shared->readers[i].turns, memory_order_acquire);
        while (atomic_load_explicit(&shared->readers[i].turns, memory_order_acquire) == turns) sched_yield();
    }
}

/* As housekeeping does it: the table is told only when every reader has ended the turn it was in, or a later one. */
static void quiesce_try(struct shared *shared, uint64_t *turns)
{
    for (int i = 0; i < READERS; i++) {
        if (atomic_load_explicit(&shared->readers[i].turns, memory_order_acquire) <= turns[i]) return;
    }
    table_quiesce(shared->table);
    for (int i = 0; i < READERS; i++) turns[i] = atomic_load_explicit(&shared->readers[i].turns, memory_order_acquire);
}

static void readers_find_whole_lines_and_every_swap_counts_while_a_writer_inserts_grows_and_removes(void **state)
{
    (void)state;
    static struct shared shared;
    uint64_t turns[READERS] = {0}, swapped = 0, sum = 0;
    shared.table = table_make(2 * ACCOUNTS, 1);
    for (int i = 0; i < READERS; i++) {
        shared.readers[i].shared = &shared;
        assert_int_equal(pthread_create(&shared.readers[i].thread, NULL, read_loop, &shared.readers[i]), 0);
    }
    for (uint32_t account = 0; account < ACCOUNTS; account++) {
        assert_false(result_failed(token_insert(shared.table, account, KERNEL_SHA1, 2 * account, 0)));
        assert_false(result_failed(token_insert(shared.table, account, KERNEL_SHA1, 2 * account + 1, 0)));
        atomic_store_explicit(&shared.published, account + 1, memory_order_release);
        if (account >= 100 && (account - 100) % KEPT != 0)
            table_remove(shared.table, 2 * (account - 100) + account % 2);
        if (account % 100 == 99) readers_wait(&shared);
        quiesce_try(&shared, turns);
    }
    atomic_store(&shared.stop, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(shared.readers[i].thread, NULL);
        assert_int_equal(shared.readers[i].missed, 0);
        assert_int_equal(shared.readers[i].damaged, 0);
        swapped += shared.readers[i].swapped;
    }
    for (uint32_t line = 0; line < 2 * ACCOUNTS; line++) {
        struct table_hit hit;
        assert_true(table_line(shared.table, line, &hit));
        sum += hit.tail->token - token_word(line + 1, 7);
    }
    assert_true(swapped > 0);
    assert_int_equal(sum, swapped);
    table_destroy(shared.table);
}

struct swapper {
    pthread_t thread;
    _Atomic uint64_t *word;
    uint64_t won[64];
    unsigned won_count;
};

static void *swap_loop(void *argument)
{
    struct swapper *swapper = argument;
    for (uint32_t step = 1; step <= 64; step++) {
        uint64_t seen = atomic_load_explicit(swapper->word, memory_order_acquire);
        if (token_floor(seen) > step) continue;
        if (atomic_compare_exchange_strong(swapper->word, &seen, token_word(step + 1, token_change(seen)))) {
            swapper->won[swapper->won_count++] = step;
        }
    }
    return NULL;
}

static void of_many_threads_that_swap_the_same_step_exactly_one_wins(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct swapper swappers[4] = {0};
        unsigned winners[65] = {0};
        _Atomic uint64_t word = token_word(1, 0);
        for (int i = 0; i < 4; i++) {
            swappers[i].word = &word;
            assert_int_equal(pthread_create(&swappers[i].thread, NULL, swap_loop, &swappers[i]), 0);
        }
        for (int i = 0; i < 4; i++) {
            pthread_join(swappers[i].thread, NULL);
            for (unsigned k = 0; k < swappers[i].won_count; k++) winners[swappers[i].won[k]]++;
        }
        for (int step = 1; step <= 64; step++) assert_true(winners[step] <= 1);
        assert_int_equal(token_floor(word), 65);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_find_whole_lines_and_every_swap_counts_while_a_writer_inserts_grows_and_removes),
        cmocka_unit_test(of_many_threads_that_swap_the_same_step_exactly_one_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
