/* More of everything than one block, one batch, one transaction or one slice holds: thousands of tokens in one act,
 * lost and found again, opened by threads, restored. */
#include "state_fixture.h"

enum { TOTP = 0, HOTP = 1, MANY = STATE_ACTS_MAX, ROUNDS = 2, ROUNDS_MAX = 8 };

static struct core_token_spec specs[MANY];
static uint8_t seeds[MANY][20];
static char users[MANY][16];
static struct result results[MANY];
static uint32_t ordinals[ROUNDS_MAX][MANY];

static bool refuse_first; /* its user has no name */

static struct result add_many(struct state *state, unsigned round)
{
    for (uint32_t i = 0; i < MANY; i++) {
        state_seed(round * MANY + i + 1, seeds[i]);
        snprintf(users[i], sizeof users[i], "u%u-%u", round, i);
        specs[i] = (struct core_token_spec){
            .company = "acme", .user = users[i], .label = "", .profile = HOTP, .seed = seeds[i], .seed_size = 20};
    }
    if (refuse_first) specs[0].user = "";
    return core_token_add(state->worker, &state_actor, specs, MANY, results, ordinals[round]);
}

static struct state *create(uint64_t seed)
{
    struct state *state = state_create(seed);
    state_stop(state);
    state->options.journal.segment_size = 8 << 20;
    state->options.journal.spare_count = 3;
    state_ok(state_open(state));
    state_keep(state);
    return state;
}

struct told {
    uint64_t tokens, blocks;
};

static void progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    struct told *told = context;
    (void)done;
    (void)total;
    *(strcmp(what, "tokens") == 0 ? &told->tokens : &told->blocks) += 1;
}

static void thousands_of_tokens_in_one_act_are_there_after_a_crash(void **unused)
{
    (void)unused;
    struct state *state = create(81);
    struct told told = {0};
    struct store *before;
    assert_int_equal(store_memory_copy(state->store, &before).code, OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        state_ok(add_many(state, round));
        for (uint32_t i = 0; i < MANY; i++) state_ok(results[i]);
        state_keep(state);
    }
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(state_verify(state, "acme", "u0-7", state_code(8, i)), OTPRING_ACCEPTED);
    /* One act on all of them is more than one block takes. */
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, ordinals[0], MANY), BAD_ARGUMENT);
    state_crash(state);
    store_close(state->store);
    state->store = before; /* which knows nothing of them yet */
    state->options.progress = progress;
    state->options.progress_context = &told;
    state_ok(state_open(state)); /* from the journal alone */
    assert_true(told.blocks > 0);
    assert_int_equal(table_token_count(core_table(state->core)), ROUNDS * MANY);
    assert_int_equal(state_verify(state, "acme", "u1-9", state_code(MANY + 10, 0)), OTPRING_ACCEPTED);
    state_stop(state);
    state->options.load_threads = 1000; /* more than there may be */
    state_ok(state_open(state));        /* from the store */
    assert_true(told.tokens > 0);
    assert_int_equal(table_token_count(core_table(state->core)), ROUNDS * MANY);
    assert_int_equal(state_verify(state, "acme", "u0-7", state_code(8, 300)), OTPRING_ACCEPTED);
    state_stop(state);
    state->options.load_threads = 1;
    state_ok(state_open(state));
    assert_int_equal(table_token_count(core_table(state->core)), ROUNDS * MANY);
    state_stop(state);

    /* A seed far behind that does not open: what is on offer to the threads by then is let run out. */
    struct store_txn *txn;
    uint8_t key[4], value[SCHEMA_ROW_MAX];
    struct token_row row;
    struct store_bytes got;
    store_be32(key, ordinals[0][5]);
    state_ok(store_begin(state->store, true, &txn));
    state_ok(store_get(state->store, txn, STORE_TOKENS, bytes_of(key, sizeof key), &got));
    state_ok(schema_token_decode(got, &row));
    row.sealed_seed[0] ^= 1;
    state_ok(store_put(state->store, txn, STORE_TOKENS, bytes_of(key, sizeof key),
                       bytes_of(value, schema_token_encode(&row, value))));
    store_be32(key, ordinals[1][MANY - 5]);
    state_ok(store_put(state->store, txn, STORE_TOKENS, bytes_of(key, sizeof key), bytes_of("junk", 4)));
    state_ok(store_commit(state->store, txn));
    assert_true(result_failed(state_open(state)));
    state->core = NULL;
    store_close(state->store);
    os_sim_world_destroy(state->world);
    unlink(state->key_path);
    rmdir(state->key_folder);
    free(state);
}

/* The journal's room ends within the act: what is durable by then is done, the rest is told. */
static void an_act_that_runs_out_of_room_half_way_is_done_as_far_as_it_came(void **unused)
{
    (void)unused;
    struct state *state = create(82);
    state_stop(state);
    state->options.journal.segment_size = 2 << 20;
    state->options.journal.spare_count = 1;
    state_ok(state_open(state));
    os_sim_faults_set(state->world, &(struct os_sim_faults){.no_space_at = 1});
    unsigned done = 0, refused = 0;
    refuse_first = true;
    for (unsigned round = 0; round < ROUNDS_MAX && refused == 0; round++) {
        state_ok(add_many(state, round));
        state_is(results[0], BAD_NAME);
        for (uint32_t i = 1; i < MANY; i++) {
            refused += result_failed(results[i]);
            done += !result_failed(results[i]);
            assert_int_equal(result_failed(results[i]), refused > 0); /* none behind the first that was refused */
        }
    }
    refuse_first = false;
    assert_true(done > 0 && refused > 0 && done % (MANY - 1) > 0);
    assert_int_equal(table_token_count(core_table(state->core)), done);
    os_sim_faults_set(state->world, &(struct os_sim_faults){0});
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(table_token_count(core_table(state->core)), done);
    state_destroy(state);
}

static void the_words_of_a_large_table_go_to_the_store_and_come_back(void **unused)
{
    (void)unused;
    struct state *state = create(83);
    for (unsigned round = 0; round < ROUNDS; round++) {
        state_ok(add_many(state, round));
        state_keep(state);
    }
    assert_int_equal(state_verify(state, "acme", "u0-4000", state_code(4001, 0)), OTPRING_ACCEPTED);
    assert_int_equal(state_verify(state, "acme", "u1-4000", state_code(MANY + 4001, 0)), OTPRING_ACCEPTED);
    state_ok(core_checkpoint(state->worker));
    /* A removed token that is not its account's first has no line after a start; its words are passed over. */
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinals[1][7], 1));
    state_stop(state);
    state_ok(state_open(state));
    state_ok(core_checkpoint(state->worker));
    assert_int_equal(state_floor(state, ordinals[1][4000]), 1);
    assert_int_equal(state_verify(state, "acme", "u0-4000", state_code(4001, 0)), OTPRING_REPLAYED);
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_tokens_in_one_act_are_there_after_a_crash),
        cmocka_unit_test(an_act_that_runs_out_of_room_half_way_is_done_as_far_as_it_came),
        cmocka_unit_test(the_words_of_a_large_table_go_to_the_store_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
