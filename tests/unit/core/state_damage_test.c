/* Rows of the store that are whole and say what cannot be: each by itself refuses the start, as damage. */
#include "state_fixture.h"

enum { TOTP = 0, HOTP = 1 };

static struct store_bytes text(const char *text)
{
    return bytes_of(text, strlen(text));
}

static void row_put(struct state *state, enum store_map map, struct store_bytes key, struct store_bytes value)
{
    struct store_txn *txn;
    state_ok(store_begin(state->store, true, &txn));
    state_ok(store_put(state->store, txn, map, key, value));
    state_ok(store_commit(state->store, txn));
}

/* A store with one token, stopped. */
static struct state *stopped(uint64_t seed, struct token_row *ret_row)
{
    uint32_t ordinal;
    struct state *state = state_create(seed);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    *ret_row = state_row(state, ordinal);
    state_stop(state);
    return state;
}

static void gone(struct state *state)
{
    store_close(state->store);
    os_sim_world_destroy(state->world);
    unlink(state->key_path);
    rmdir(state->key_folder);
    free(state);
}

static void token_refused(uint32_t key_ordinal, const struct token_row *row, struct state *state, const char *code)
{
    uint8_t key[4], value[SCHEMA_ROW_MAX];
    store_be32(key, key_ordinal);
    size_t size = schema_token_encode(row, value);
    row_put(state, STORE_TOKENS, bytes_of(key, sizeof key), bytes_of(value, size));
    assert_string_equal(result_name(state_open(state)), code);
    gone(state);
}

static void a_tokens_row_is_of_its_key_and_of_a_profile_that_may_be(void **unused)
{
    (void)unused;
    struct token_row row;
    struct state *state = stopped(71, &row);
    token_refused(row.ordinal + 1, &row, state, "STORE_DAMAGED");
    state = stopped(71, &row);
    row.ordinal = table_ordinal(KERNEL_ALGORITHM_COUNT, 0);
    token_refused(row.ordinal, &row, state, "STORE_DAMAGED");
    state = stopped(71, &row);
    row.profile = CORE_PROFILES_MAX;
    token_refused(row.ordinal, &row, state, "STORE_DAMAGED");
}

static void a_sealed_seed_opens_or_the_start_is_refused(void **unused)
{
    (void)unused;
    struct token_row row;
    struct state *state = stopped(72, &row);
    uint32_t ordinal = row.ordinal;
    row.sealed_seed[3] ^= 1;
    token_refused(ordinal, &row, state, "VAULT_BAD_SEAL");
    state = stopped(72, &row);
    row.sealed_size = VAULT_SEAL_EXTRA + OTP_SEED_SIZE_MIN - 1;
    token_refused(ordinal, &row, state, "STORE_DAMAGED");
}

static void a_row_beyond_the_lines_that_were_given_out_counts_as_given(void **unused)
{
    (void)unused;
    struct token_row row;
    struct state *state = stopped(73, &row);
    const uint8_t none[4 * KERNEL_ALGORITHM_COUNT] = {0};
    row_put(state, STORE_META, text(META_LINES), bytes_of(none, sizeof none));
    state_ok(state_open(state));
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &ordinal));
    assert_int_not_equal(ordinal, row.ordinal);
    state_destroy(state);
}

/* So many lines were given out that hardly any is left: room is made for those that there may be, and no more. */
static void a_store_whose_lines_are_nearly_all_given_out_opens(void **unused)
{
    (void)unused;
    struct token_row row;
    uint8_t lines[4 * KERNEL_ALGORITHM_COUNT] = {0};
    struct state *state = stopped(76, &row);
    store_le32(lines, (uint32_t)state->options.tokens_max - 1);
    row_put(state, STORE_META, text(META_LINES), bytes_of(lines, sizeof lines));
    state_ok(state_open(state));
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &ordinal));
    state_is(state_add(state, "acme", "cid", HOTP, 3, 0, &ordinal), TABLE_FULL);
    state_destroy(state);
}

/* Index entries of 8 bytes, a power of two, at most three eighths full: 2^18 hold 98,304 names, 2^19 twice as many. */
static void the_index_is_made_for_the_lines_that_were_given_out(void **unused)
{
    (void)unused;
    static const uint32_t given[] = {1, 150000};
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        struct token_row row;
        uint8_t lines[4 * KERNEL_ALGORITHM_COUNT] = {0};
        struct state *state = stopped(77, &row);
        state->options.tokens_max = 250000;
        store_le32(lines, given[i]);
        row_put(state, STORE_META, text(META_LINES), bytes_of(lines, sizeof lines));
        state_ok(state_open(state));
        sizes[i] = table_memory_size(state->core->table);
        state_destroy(state);
    }
    assert_int_equal(sizes[1] - sizes[0], (8u << 19) - (8u << 18));
}

static void profiles_gates_and_sessions_are_what_their_keys_say(void **unused)
{
    (void)unused;
    static const struct {
        enum store_map map;
        const char *key;
        size_t key_size;
        const char *value;
        size_t value_size;
    } rows[] = {{STORE_GATES, "0123456789abcdef", 16, "\1", 1},
                {STORE_GATES, "0123456789abcdef", 16, "\2\1", 2},
                {STORE_GATES, "0123456789abcdef", 16, "\1\0", 2},
                {STORE_GATES, "0123456789abcdef", 16, "\1\7", 2},
                {STORE_GATES, "0123456789abcde", 15, "\1\1", 2},
                {STORE_PROFILES, "\0\5", 2, "junk", 4},
                {STORE_WORDS, "\0\0\0", 3, "junk", 4},
                {STORE_UNKNOWN, "\0\0\0\0", 4, "junk", 4},
                {STORE_SESSIONS, "\0\0\0\0\0\0\0\1", 8, "junk", 4},
                {STORE_META, META_POLICY, 6, "junk", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct token_row row;
        struct state *state = stopped(74, &row);
        row_put(state, rows[i].map, bytes_of(rows[i].key, rows[i].key_size),
                bytes_of(rows[i].value, rows[i].value_size));
        state_is(state_open(state), STORE_DAMAGED);
        gone(state);
    }
}

/* A block of marks, as a checkpoint leaves it: its key is of marks, and its count is of what follows. */
static void marks_open(const char *key, uint32_t count, size_t size, const char *code)
{
    static uint8_t block[STATE_WORDS_HEAD + (MARKS_BLOCK + 1) * 8];
    struct token_row row;
    struct state *state = stopped(77, &row);
    memset(block, 0, sizeof block);
    block[0] = 1;
    block[1] = STATE_MARKS_ALGORITHM;
    store_le32(block + 4, count);
    for (uint64_t i = 0; i <= MARKS_BLOCK; i++) store_le64(block + STATE_WORDS_HEAD + i * 8, i + 1);
    row_put(state, STORE_WORDS, bytes_of(key, 4), bytes_of(block, size));
    struct result result = state_open(state);
    assert_string_equal(result_name(result), code);
    if (result_failed(result))
        gone(state);
    else
        state_destroy(state);
}

static void a_block_of_marks_is_as_long_as_it_says_and_under_a_key_of_marks(void **unused)
{
    (void)unused;
    marks_open("\xc0\0\0\0", MARKS_BLOCK, STATE_WORDS_HEAD + MARKS_BLOCK * 8, "OK");
    marks_open("\xc0\0\0\0", MARKS_BLOCK + 1, STATE_WORDS_HEAD + (MARKS_BLOCK + 1) * 8, "STORE_DAMAGED");
    marks_open("\xc0\0\0\0", 2, STATE_WORDS_HEAD + 3 * 8, "STORE_DAMAGED");
    marks_open("\x80\0\0\0", 2, STATE_WORDS_HEAD + 2 * 17, "STORE_DAMAGED");
}

/* ---- while it serves ---- */

static void an_act_meets_damage_and_says_so(void **unused)
{
    (void)unused;
    struct state *state = state_create(75);
    uint32_t ann, ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ann));
    struct token_row row = state_row(state, ann);
    uint8_t key[4], value[SCHEMA_ROW_MAX];
    row.ordinal++;
    store_be32(key, ann);
    size_t size = schema_token_encode(&row, value);
    row_put(state, STORE_TOKENS, bytes_of(key, sizeof key), bytes_of(value, size));
    state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &ann, 1), STORE_DAMAGED);
    /* A key of another size right where the company's first account would be looked for. */
    uint8_t name[16], longer[17] = {0};
    core_name("other", 5, "x", 1, name);
    memcpy(longer, name, 8);
    row_put(state, STORE_ACCOUNTS, bytes_of(longer, sizeof longer), text("junk"));
    state_ok(state_add(state, "other", "x", HOTP, 2, 0, &ordinal));
    row_put(state, STORE_SESSIONS, bytes_of("\0\0\0", 3), text("junk"));
    state_is(core_checkpoint(state->worker), STORE_DAMAGED);
    /* The housekeeper says so too: damage does not go away with time. */
    bool more;
    state->core->options.checkpoint_bytes = 1;
    state_is(core_keep(state->worker, &more), STORE_DAMAGED);
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tokens_row_is_of_its_key_and_of_a_profile_that_may_be),
        cmocka_unit_test(a_sealed_seed_opens_or_the_start_is_refused),
        cmocka_unit_test(a_row_beyond_the_lines_that_were_given_out_counts_as_given),
        cmocka_unit_test(a_store_whose_lines_are_nearly_all_given_out_opens),
        cmocka_unit_test(the_index_is_made_for_the_lines_that_were_given_out),
        cmocka_unit_test(profiles_gates_and_sessions_are_what_their_keys_say),
        cmocka_unit_test(a_block_of_marks_is_as_long_as_it_says_and_under_a_key_of_marks),
        cmocka_unit_test(an_act_meets_damage_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
