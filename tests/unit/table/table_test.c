#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helpers.h"
#include "os/arena.h"
#include "table/index.h"

static unsigned find(const struct table *table, uint64_t account, struct table_hit *hits)
{
    uint8_t name[TABLE_NAME_SIZE];
    name_make(account, name);
    return table_find(table, name, hits);
}

static void assert_code(struct result result, enum result_code code)
{
    assert_string_equal(result_name(result), result_name(result_of(code)));
}

static void an_inserted_token_is_found_under_its_name_with_everything_it_came_with(void **state)
{
    (void)state;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX], line;
    struct table *table = table_make(100, 100);
    for (int algorithm = 0; algorithm < KERNEL_ALGORITHM_COUNT; algorithm++) {
        uint64_t account = 40 + (uint64_t)algorithm;
        assert_code(token_insert(table, account, algorithm, 5, TABLE_SUSPENDED), OK);
        assert_int_equal(find(table, account, hits), 1);
        assert_int_equal(hits[0].ordinal, table_ordinal(algorithm, 5));
        assert_true(midstates_are(&hits[0], hits[0].ordinal));
        assert_int_equal((uintptr_t)hits[0].midstates % 64, 0);
        struct table_tail *tail = hits[0].tail;
        assert_int_equal((const uint8_t *)tail + sizeof(*tail) - (const uint8_t *)hits[0].midstates,
                         table_line_size(algorithm));
        assert_int_equal(token_floor(tail->token), 6);
        assert_int_equal(token_change(tail->token), 7);
        assert_int_equal(budget_time_s(tail->budget), 7);
        assert_int_equal(budget_count(tail->budget), 3);
        assert_int_equal(budget_failures(tail->budget, 0), 4);
        assert_int_equal(budget_failures(tail->budget, 1), 5);
        assert_int_equal(tail->profile, 5);
        assert_int_equal(tail->drift, -3);
        assert_int_equal(tail->flags, TABLE_LIVE | TABLE_FIRST | TABLE_SUSPENDED);
        assert_true(table_line(table, hits[0].ordinal, &line));
        assert_ptr_equal(line.tail, tail);
        assert_int_equal(table_line_count(table, algorithm), 6);
    }
    assert_int_equal(table_token_count(table), KERNEL_ALGORITHM_COUNT);
    table_destroy(table);
}

static void a_name_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    struct table *table = table_make(20000, 20000);
    assert_int_equal(find(table, 1, hits), 0);
    for (uint32_t i = 0; i < 20000; i++) assert_code(token_insert(table, i, KERNEL_SHA1, i, 0), OK);
    for (uint64_t i = 20000; i < 220000; i++) assert_int_equal(find(table, i, hits), 0);
    table_destroy(table);
}

static void an_account_has_up_to_eight_tokens_and_its_first_line_comes_first(void **state)
{
    (void)state;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    struct table *table = table_make(100, 100);
    for (uint32_t i = 0; i < TABLE_ACCOUNT_TOKENS_MAX; i++) {
        assert_code(token_insert(table, 9, i % KERNEL_ALGORITHM_COUNT, 50 - i, 0), OK);
        assert_int_equal(find(table, 9, hits), i + 1);
        assert_int_equal(hits[0].ordinal, table_ordinal(KERNEL_SHA1, 50));
    }
    for (uint32_t i = 0; i < TABLE_ACCOUNT_TOKENS_MAX; i++) {
        assert_int_equal((hits[i].tail->flags & TABLE_FIRST) != 0, i == 0);
        /* The budget is the account's: only the first line takes it. */
        assert_int_equal(hits[i].tail->budget != 0, i == 0);
    }
    assert_code(token_insert(table, 9, KERNEL_SHA1, 60, 0), TABLE_TOO_MANY_TOKENS);
    assert_false(table_line(table, table_ordinal(KERNEL_SHA1, 60), hits));
    assert_int_equal(table_token_count(table), TABLE_ACCOUNT_TOKENS_MAX);
    table_destroy(table);
}

static void lines_that_were_left_out_are_not_there(void **state)
{
    (void)state;
    struct table_hit hit;
    struct table *table = table_make(100000, 10);
    assert_code(token_insert(table, 1, KERNEL_SHA256, 70000, 0), OK);
    assert_true(table_line(table, table_ordinal(KERNEL_SHA256, 70000), &hit));
    assert_false(table_line(table, table_ordinal(KERNEL_SHA256, 69999), &hit));
    assert_false(table_line(table, table_ordinal(KERNEL_SHA256, 70001), &hit));
    assert_false(table_line(table, table_ordinal(KERNEL_SHA256, 0x3fffffff), &hit));
    assert_false(table_line(table, table_ordinal(KERNEL_SHA1, 0), &hit));
    assert_false(table_line(table, UINT32_MAX, &hit));
    assert_code(token_insert(table, 2, KERNEL_SHA256, 69999, 0), OK);
    assert_true(table_line(table, table_ordinal(KERNEL_SHA256, 69999), &hit));
    assert_int_equal(table_line_count(table, KERNEL_SHA256), 70001);
    table_destroy(table);
}

static void a_full_array_refuses_and_changes_nothing(void **state)
{
    (void)state;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    struct table *table = table_make(10, 10);
    assert_code(token_insert(table, 1, KERNEL_SHA1, 9, 0), OK);
    assert_code(token_insert(table, 2, KERNEL_SHA1, 10, 0), TABLE_FULL);
    assert_int_equal(find(table, 2, hits), 0);
    assert_int_equal(table_token_count(table), 1);
    assert_int_equal(table_line_count(table, KERNEL_SHA1), 10);
    assert_code(token_insert(table, 2, (enum kernel_algorithm)3, 1, 0), BAD_ARGUMENT);
    table_destroy(table);
}

static void growing_moves_no_line_and_loses_no_token(void **state)
{
    (void)state;
    enum { TOKENS = 100000 };
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX], early;
    struct table *table = table_make(TOKENS, 1);
    const void **lines = malloc(TOKENS * sizeof(*lines));
    for (uint32_t i = 0; i < TOKENS; i++) {
        uint64_t account = i % 10 == 9 ? i - 1 : i; /* every tenth is a second token */
        assert_code(token_insert(table, account, KERNEL_SHA1, i, 0), OK);
        assert_true(table_line(table, i, &early));
        lines[i] = early.tail;
    }
    for (uint32_t i = 0; i < TOKENS; i++) {
        if (i % 10 == 9) continue;
        assert_int_equal(find(table, i, hits), i % 10 == 8 ? 2 : 1);
        assert_ptr_equal(hits[0].tail, lines[i]);
        assert_true(midstates_are(&hits[0], i));
        if (i % 10 == 8) assert_ptr_equal(hits[1].tail, lines[i + 1]);
    }
    /* Lines, and indexes of 512 to 524,288 entries, the old ones together no more than the newest. */
    assert_true(table_memory_size(table) < (size_t)TOKENS * 64 + (2u << 20) + 2 * 8 * 524288 + 65536);
    free(lines);
    table_destroy(table);
}

static void old_indexes_together_are_no_larger_than_the_newest(void **state)
{
    (void)state;
    struct index *index;
    uint64_t random = 3;
    arena_allow_unlocked(true);
    assert_code(index_create(1, &index), OK);
    for (uint32_t i = 0; i < 50000; i++) {
        if (index_full(index)) assert_code(index_grow(index, &index), OK);
        index_put(index, entry_make((uint32_t)random_next(&random), i));
    }
    assert_true(index_memory_size(index) - index_memory_size(index->older) >= index_memory_size(index->older));
    assert_int_equal(index->used, 50000);
    assert_true(index->used * 8 <= (index->mask + 1) * BUCKET_ENTRIES * 3);
    index_destroy(index);
    assert_code(index_create(((uint64_t)1 << 31) + 1, &index), TABLE_FULL);
}

static void stages_find_what_single_finds_do(void **state)
{
    (void)state;
    enum { NAMES = 150 };
    struct table *table = table_make(3000, 3000);
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    unsigned kinds[3] = {0};
    for (uint32_t i = 0; i < 3000; i++) {
        /* Accounts of one token, and of three. */
        uint64_t account = i < 1500 ? i : 1500 + (i - 1500) / 3;
        assert_code(token_insert(table, account, i % KERNEL_ALGORITHM_COUNT, i, 0), OK);
    }
    for (size_t count = 0; count <= NAMES; count += count < 70 ? 1 : 40) {
        static uint8_t names[NAMES][TABLE_NAME_SIZE];
        struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX], single[TABLE_ACCOUNT_TOKENS_MAX];
        for (size_t i = 0; i < count; i++) name_make(i * 17 % 2500, names[i]);
        for (size_t i = 0; i < count * kernel_count; i++) {
            enum probed probed;
            unsigned found = find_in_stages(table, kernels[i / count]->stages, names[i % count], hits, &probed);
            kinds[probed]++;
            assert_int_equal(found, find(table, i % count * 17 % 2500, single));
            for (unsigned k = 0; k < found; k++) {
                assert_ptr_equal(hits[k].tail, single[k].tail);
                assert_ptr_equal(hits[k].midstates, single[k].midstates);
                assert_int_equal(hits[k].ordinal, single[k].ordinal);
            }
        }
    }
    assert_true(kinds[PROBED_NONE] && kinds[PROBED_ONE] && kinds[PROBED_MANY]);
    table_destroy(table);
}

/* Every tag in a bucket, every filling: vectors see what single loads see. */
/* As a reader meets it that looked into the first line's place just before it was filled. */
static void a_probe_that_met_a_later_line_alone_is_no_hit(void **state)
{
    (void)state;
    const void *names[1], *address;
    uint64_t hash;
    struct table_probes probes;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    uint8_t midstates[KERNEL_SHA512_MIDSTATES] = {1};
    struct table_token token = {.ordinal = table_ordinal(KERNEL_SHA1, 8), .midstates = midstates};
    struct table *table = table_make(100, 100);
    name_make(4, token.name);
    names[0] = token.name;
    assert_code(table_insert(table, &token), OK);
    table_hash_batch(table, &stages_portable, names, 1, &hash, &address);
    table_probe_batch(table, &stages_portable, &hash, 1, &probes);
    assert_true(probes.one == 1 && probes.many == 0);
    struct table_hit hit = table_probe_hit(&probes, 0);
    assert_false(table_hit_is(&hit, hash));
    token.ordinal = table_ordinal(KERNEL_SHA1, 7);
    token.flags = TABLE_FIRST;
    assert_code(table_insert(table, &token), OK);
    assert_int_equal(table_find_hash(table, hash, hits), 2);
    assert_int_equal(hits[0].ordinal, table_ordinal(KERNEL_SHA1, 7));
    assert_true(table_hit_is(&hits[0], hash));
    table_destroy(table);
}

static void a_bucket_is_matched_alike_by_vectors_and_entry_by_entry(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (int round = 0; round < 20000; round++) {
        _Alignas(64) _Atomic uint64_t entries[BUCKET_ENTRIES] = {0};
        unsigned filled = (unsigned)(random_next(&random) % (BUCKET_ENTRIES + 1));
        for (unsigned i = 0; i < filled; i++) {
            uint64_t drawn = random_next(&random);
            atomic_store(&entries[i], entry_make((uint32_t)(drawn % 3), (uint32_t)(drawn >> 40)));
        }
        for (uint32_t tag = 0; tag < 4; tag++) {
            struct bucket_match fast = bucket_match(entries, tag), plain = bucket_match_each(entries, tag);
            assert_int_equal(fast.tags, plain.tags);
            assert_int_equal(fast.empty, plain.empty);
            assert_int_equal(plain.empty, 0xff & ~((1u << filled) - 1));
        }
    }
}

static void a_removed_token_is_gone_and_a_removed_first_line_stays_for_its_budget(void **state)
{
    (void)state;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX], line;
    struct table *table = table_make(100, 100);
    for (uint32_t i = 0; i < 3; i++) assert_code(token_insert(table, 4, KERNEL_SHA1, i, 0), OK);
    table_remove(table, 1);
    assert_int_equal(find(table, 4, hits), 2);
    assert_int_equal(hits[1].ordinal, 2);
    table_remove(table, 0);
    table_remove(table, 0); /* again changes nothing */
    assert_int_equal(find(table, 4, hits), 2);
    assert_int_equal(hits[0].ordinal, 0);
    assert_int_equal(hits[0].tail->flags, TABLE_FIRST | TABLE_REMOVED);
    assert_int_equal(budget_time_s(hits[0].tail->budget), 2);
    assert_true(table_line(table, 1, &line)); /* for the records that name it */
    assert_int_equal(line.tail->flags, TABLE_REMOVED);
    assert_int_equal(table_token_count(table), 1);
    /* The account's next token is not a second first. */
    assert_code(token_insert(table, 4, KERNEL_SHA1, 3, 0), OK);
    assert_int_equal(find(table, 4, hits), 3);
    assert_int_equal(hits[0].ordinal, 0);
    assert_true(table_line(table, 3, &line));
    assert_int_equal(line.tail->flags, TABLE_LIVE);
    table_destroy(table);
}

static void a_token_inserted_as_removed_keeps_a_budget_but_is_no_token(void **state)
{
    (void)state;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX], line;
    struct table *table = table_make(100, 100);
    assert_code(token_insert(table, 4, KERNEL_SHA256, 0, TABLE_REMOVED), OK);
    assert_int_equal(table_token_count(table), 0);
    assert_int_equal(find(table, 4, hits), 1);
    assert_int_equal(hits[0].tail->flags, TABLE_FIRST | TABLE_REMOVED);
    assert_int_equal(budget_time_s(hits[0].tail->budget), 2);
    static const uint8_t zeros[KERNEL_SHA256_MIDSTATES];
    assert_memory_equal(hits[0].midstates, zeros, sizeof(zeros));
    assert_code(token_insert(table, 4, KERNEL_SHA1, 0, TABLE_REMOVED), OK);
    assert_int_equal(find(table, 4, hits), 1);
    assert_true(table_line(table, table_ordinal(KERNEL_SHA1, 0), &line));
    table_destroy(table);
}

static void an_index_that_nobody_walks_any_more_is_freed(void **state)
{
    (void)state;
    enum { TOKENS = 3000 };
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    struct table *table = table_make(TOKENS, 1);
    for (uint32_t i = 0; i < TOKENS; i++) assert_code(token_insert(table, i, KERNEL_SHA1, i, 0), OK);
    size_t grown = table_memory_size(table);
    table_quiesce(table); /* readers may still be where they began before it */
    assert_int_equal(table_memory_size(table), grown);
    table_quiesce(table);
    assert_true(table_memory_size(table) < grown - 8 * 4096);
    size_t alone = table_memory_size(table);
    table_quiesce(table);
    assert_int_equal(table_memory_size(table), alone);
    for (uint32_t i = 0; i < TOKENS; i++) assert_int_equal(find(table, i, hits), 1);
    table_destroy(table);
}

static void midstates_of_a_removed_line_are_wiped_at_the_second_quiesce_and_no_sooner(void **state)
{
    (void)state;
    struct table_hit first, second, kept;
    struct table *table = table_make(100, 100);
    for (uint32_t i = 0; i < 3; i++) assert_code(token_insert(table, i, KERNEL_SHA512, i, 0), OK);
    assert_true(table_line(table, table_ordinal(KERNEL_SHA512, 0), &first));
    assert_true(table_line(table, table_ordinal(KERNEL_SHA512, 1), &second));
    assert_true(table_line(table, table_ordinal(KERNEL_SHA512, 2), &kept));
    table_quiesce(table);
    assert_false(table_wipes(table));
    table_remove(table, first.ordinal);
    table_quiesce(table);
    assert_true(table_wipes(table));
    assert_true(midstates_are(&first, first.ordinal));
    table_remove(table, second.ordinal);
    table_quiesce(table);
    static const uint8_t zeros[KERNEL_SHA512_MIDSTATES];
    assert_memory_equal(first.midstates, zeros, sizeof(zeros));
    assert_true(midstates_are(&second, second.ordinal));
    table_quiesce(table);
    assert_memory_equal(second.midstates, zeros, sizeof(zeros));
    assert_true(midstates_are(&kept, kept.ordinal));
    assert_false(table_wipes(table));
    table_quiesce(table);
    table_destroy(table);
}

static void an_account_whose_tokens_come_and_go_stays_right_and_makes_no_long_run(void **state)
{
    (void)state;
    enum { CHANGES = 3000 };
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    struct table *table = table_make(CHANGES + 1, 100);
    size_t memory = table_memory_size(table);
    assert_code(token_insert(table, 8, KERNEL_SHA1, 0, 0), OK);
    for (uint32_t line = 1; line <= CHANGES; line++) {
        assert_code(token_insert(table, 8, KERNEL_SHA1, line, 0), OK);
        assert_int_equal(find(table, 8, hits), 2);
        assert_int_equal(hits[0].ordinal, 0);
        assert_int_equal(hits[1].ordinal, line);
        table_remove(table, line);
        if (line % 3 == 0) table_quiesce(table);
        assert_int_equal(find(table, 8, hits), 1);
    }
    /* The index had room for 256 entries at a load of one half: it did not have to grow. */
    assert_true(table_memory_size(table) - memory <= 2u << 20);
    table_destroy(table);
}

/* Three eighths of a power of two: full with just so many, twice as large for one more. */
static void the_index_has_room_for_as_many_names_as_were_expected(void **state)
{
    (void)state;
    enum { ROOM = (1 << 19) * 3 / 8 };
    size_t sizes[2];
    arena_allow_unlocked(true);
    for (uint64_t more = 0; more < 2; more++) {
        struct table *table;
        struct table_options options = {.lines_max = {ROOM + 1, 0, 0}, .names_expected = ROOM + more};
        assert_code(table_create(&options, &table), OK);
        size_t empty = table_memory_size(table);
        for (uint32_t i = 0; i < ROOM; i++) assert_code(token_insert(table, i, KERNEL_SHA1, i, 0), OK);
        sizes[more] = table_memory_size(table);
        assert_code(token_insert(table, ROOM, KERNEL_SHA1, ROOM, 0), OK);
        size_t grown = table_memory_size(table) - sizes[more];
        if (more == 0)
            assert_true(grown >= (size_t)8 << 20); /* the index twice as large, beside the one before */
        else
            assert_true(grown < (size_t)4 << 20);
        assert_true(sizes[more] > empty);
        table_destroy(table);
    }
    assert_in_range(sizes[1] - sizes[0], 4u << 20, 6u << 20);
}

static void another_secret_scatters_the_same_names_otherwise(void **state)
{
    (void)state;
    enum { NAMES = 64 };
    struct table_options options = {.lines_max = {NAMES, 0, 0}, .names_expected = NAMES};
    uint32_t checks[2][NAMES];
    arena_allow_unlocked(true);
    for (int round = 0; round < 2; round++) {
        struct table *table;
        struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
        options.secret[31] = (uint8_t)round; /* one bit of the secret is enough */
        assert_code(table_create(&options, &table), OK);
        for (uint32_t i = 0; i < NAMES; i++) {
            assert_code(token_insert(table, i, KERNEL_SHA1, i, 0), OK);
            assert_int_equal(find(table, i, hits), 1);
            checks[round][i] = hits[0].tail->name_check;
        }
        table_destroy(table);
    }
    for (int i = 0; i < NAMES; i++) assert_int_not_equal(checks[0][i], checks[1][i]);
}

static void random_inserts_and_removals_agree_with_a_plain_list(void **state)
{
    (void)state;
    enum { ACCOUNTS = 400, STEPS = 20000 };
    struct account {
        uint32_t ordinals[TABLE_ACCOUNT_TOKENS_MAX + 1];
        unsigned count;
        bool first_removed;
    };
    struct account *accounts = calloc(ACCOUNTS, sizeof(*accounts));
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    struct table *table = table_make(STEPS, 1);
    uint64_t random = 1;
    uint32_t next = 0, live = 0;
    for (int step = 0; step < STEPS; step++) {
        uint64_t which = random_next(&random) % ACCOUNTS;
        struct account *account = &accounts[which];
        if (random_next(&random) % 5 < 3) {
            struct result result = token_insert(table, which, KERNEL_SHA1, next, 0);
            assert_int_equal(result.code, account->count == TABLE_ACCOUNT_TOKENS_MAX ? TABLE_TOO_MANY_TOKENS : OK);
            if (!result_failed(result)) {
                account->ordinals[account->count++] = next++;
                live++;
            }
        } else if (account->count > 0) {
            unsigned gone = (unsigned)(random_next(&random) % account->count);
            if (gone == 0) {
                live -= !account->first_removed;
                account->first_removed = true;
                table_remove(table, account->ordinals[0]);
            } else {
                table_remove(table, account->ordinals[gone]);
                memmove(account->ordinals + gone, account->ordinals + gone + 1,
                        (account->count - gone) * sizeof(uint32_t));
                account->count--;
                live--;
            }
        }
        if (step % 7 == 0) table_quiesce(table);
        unsigned count = find(table, which, hits);
        assert_int_equal(count, account->count);
        for (unsigned i = 0; i < count; i++) {
            bool listed = false;
            for (unsigned k = 0; k < count; k++) listed = listed || hits[i].ordinal == account->ordinals[k];
            assert_true(listed);
        }
        if (count > 0) assert_int_equal(hits[0].ordinal, account->ordinals[0]);
        assert_int_equal(table_token_count(table), live);
    }
    free(accounts);
    table_destroy(table);
}

static void a_word_is_raised_and_never_lowered(void **state)
{
    (void)state;
    _Atomic uint64_t word = token_word(5, 1);
    word_raise(&word, token_word(4, 9));
    assert_true(word == token_word(5, 1));
    word_raise(&word, token_word(5, 2));
    assert_true(word == token_word(5, 2));
    word_raise(&word, token_word(UINT32_MAX, UINT32_MAX));
    assert_true(word == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inserted_token_is_found_under_its_name_with_everything_it_came_with),
        cmocka_unit_test(a_name_that_is_not_there_is_not_found),
        cmocka_unit_test(an_account_has_up_to_eight_tokens_and_its_first_line_comes_first),
        cmocka_unit_test(lines_that_were_left_out_are_not_there),
        cmocka_unit_test(a_full_array_refuses_and_changes_nothing),
        cmocka_unit_test(growing_moves_no_line_and_loses_no_token),
        cmocka_unit_test(old_indexes_together_are_no_larger_than_the_newest),
        cmocka_unit_test(stages_find_what_single_finds_do),
        cmocka_unit_test(a_probe_that_met_a_later_line_alone_is_no_hit),
        cmocka_unit_test(a_bucket_is_matched_alike_by_vectors_and_entry_by_entry),
        cmocka_unit_test(a_removed_token_is_gone_and_a_removed_first_line_stays_for_its_budget),
        cmocka_unit_test(a_token_inserted_as_removed_keeps_a_budget_but_is_no_token),
        cmocka_unit_test(an_index_that_nobody_walks_any_more_is_freed),
        cmocka_unit_test(midstates_of_a_removed_line_are_wiped_at_the_second_quiesce_and_no_sooner),
        cmocka_unit_test(an_account_whose_tokens_come_and_go_stays_right_and_makes_no_long_run),
        cmocka_unit_test(the_index_has_room_for_as_many_names_as_were_expected),
        cmocka_unit_test(another_secret_scatters_the_same_names_otherwise),
        cmocka_unit_test(random_inserts_and_removals_agree_with_a_plain_list),
        cmocka_unit_test(a_word_is_raised_and_never_lowered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
