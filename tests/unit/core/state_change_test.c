/* Changes: records of rooms above core, with the rows that they write, all or nothing, here and after a crash. */
#include "state_fixture.h"

#include "core/change.h"

enum { TOTP = 0, HOTP = 1 };

/* As in state_recover_test.c: dead engines are left behind on purpose. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static const struct core_actor operator_seven = {.uid = 1000, .operator_id = 7};

static struct store_bytes text(const char *text)
{
    return bytes_of(text, strlen(text));
}

static struct core_change *begun(struct state *state)
{
    struct core_change *change;
    state_ok(core_change_begin(state->worker, &operator_seven, &change));
    return change;
}

static struct core_change_act act_named(const char *name)
{
    struct core_change_act act = {.name = name, .reason = "because", .subject = 5};
    core_name("acme", 4, "ann", 3, act.account);
    return act;
}

/* A change of one record that is open for rows. */
static struct core_change *opened(struct state *state)
{
    struct core_change *change = begun(state);
    struct core_change_act act = act_named("user.test");
    state_ok(core_change_record(change, &act));
    return change;
}

/* The value of a row as text, or "" where there is none. */
static const char *value_in(struct state *state, enum store_map map, const char *key)
{
    static char copy[128];
    struct store_txn *txn;
    struct store_bytes value;
    state_ok(store_begin(state->store, false, &txn));
    struct result result = store_get(state->store, txn, map, text(key), &value);
    size_t size = result_failed(result) ? 0 : value.size;
    if (size > 0) memcpy(copy, value.bytes, size);
    copy[size] = 0;
    store_abort(state->store, txn);
    return copy;
}

static struct core_token_spec spec_of(uint32_t number, uint8_t seed[20])
{
    state_seed(number, seed);
    return (struct core_token_spec){
        .company = "acme", .user = "ann", .label = "", .profile = HOTP, .seed = seed, .seed_size = 20};
}

static void rows_are_put_and_erased_at_once(void **unused)
{
    (void)unused;
    struct state *state = state_create(1);
    struct core_change *change = opened(state);
    state_ok(core_change_put(change, STORE_USERS, text("ann"), text("first")));
    state_ok(core_change_put(change, STORE_ORDER, text("b"), text("")));
    state_ok(core_change_commit(change));
    assert_string_equal(value_in(state, STORE_USERS, "ann"), "first");
    change = opened(state);
    state_ok(core_change_put(change, STORE_USERS, text("ann"), text("second")));
    state_ok(core_change_erase(change, STORE_ORDER, text("b")));
    state_ok(core_change_erase(change, STORE_ORDER, text("never there")));
    state_ok(core_change_commit(change));
    assert_string_equal(value_in(state, STORE_USERS, "ann"), "second");
    assert_string_equal(value_in(state, STORE_ORDER, "b"), "");
    state_destroy(state);
}

static void a_change_reads_what_it_wrote_and_nobody_else_does(void **unused)
{
    (void)unused;
    struct state *state = state_create(2);
    struct store_bytes value;
    struct core_change *change = opened(state);
    state_ok(core_change_put(change, STORE_USERS, text("ann"), text("x")));
    state_ok(store_get(state->store, core_change_txn(change), STORE_USERS, text("ann"), &value));
    assert_int_equal(value.size, 1);
    assert_string_equal(value_in(state, STORE_USERS, "ann"), "");
    core_change_abandon(change);
    assert_string_equal(value_in(state, STORE_USERS, "ann"), "");
    /* The act mutex is free again. */
    core_change_abandon(begun(state));
    state_destroy(state);
}

static void an_empty_change_writes_nothing(void **unused)
{
    (void)unused;
    struct state *state = state_create(3);
    uint64_t before = journal_status(state->core->journal).position_next;
    state_ok(core_change_commit(begun(state)));
    assert_int_equal(journal_status(state->core->journal).position_next, before);
    state_destroy(state);
}

static void rows_of_core_are_refused(void **unused)
{
    (void)unused;
    struct state *state = state_create(4);
    static const enum store_map maps[] = {STORE_META,         STORE_PROFILES, STORE_TOKENS,   STORE_ACCOUNTS,
                                          STORE_FINGERPRINTS, STORE_WORDS,    STORE_SESSIONS, STORE_UNKNOWN,
                                          STORE_PERSON_KEYS,  STORE_MAP_COUNT};
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        struct core_change *change = opened(state);
        state_is(core_change_put(change, maps[i], text("k"), text("v")), BAD_ARGUMENT);
        /* What failed once cannot be committed. */
        state_is(core_change_put(change, STORE_USERS, text("k"), text("v")), BAD_ARGUMENT);
        state_is(core_change_commit(change), BAD_ARGUMENT);
    }
    assert_string_equal(value_in(state, STORE_USERS, "k"), "");
    state_destroy(state);
}

static void a_row_without_a_record_or_with_a_bad_key_is_refused(void **unused)
{
    (void)unused;
    struct state *state = state_create(5);
    char key[STORE_KEY_SIZE_MAX + 1] = {1};
    struct core_change *change = begun(state);
    state_is(core_change_put(change, STORE_USERS, text("k"), text("v")), BAD_ARGUMENT);
    core_change_abandon(change);
    change = opened(state);
    state_is(core_change_put(change, STORE_USERS, bytes_of(key, sizeof(key)), text("v")), BAD_ARGUMENT);
    core_change_abandon(change);
    change = opened(state);
    state_is(core_change_erase(change, STORE_USERS, text("")), BAD_ARGUMENT);
    core_change_abandon(change);
    state_destroy(state);
}

/* It would grow a record that is not the last one any more. */
static void a_row_behind_an_act_of_core_needs_a_record_of_its_own(void **unused)
{
    (void)unused;
    struct state *state = state_create(34);
    uint32_t ann;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ann));
    struct core_change *change = opened(state);
    state_ok(core_change_put(change, STORE_DEVICES, text("phone"), text("bound")));
    state_ok(core_change_token(change, ACT_TOKEN_SUSPEND, ann));
    state_is(core_change_put(change, STORE_DEVICES, text("late"), text("row")), BAD_ARGUMENT);
    state_is(core_change_commit(change), BAD_ARGUMENT);
    assert_string_equal(value_in(state, STORE_DEVICES, "phone"), "");
    assert_int_equal(state_row(state, ann).state, TOKEN_ACTIVE);
    state_destroy(state);
}

static void names_and_reasons_are_checked(void **unused)
{
    (void)unused;
    struct state *state = state_create(6);
    static const char *const names[] = {"", "User", "a b", "a_b", "abcdefghijklmnopqrstuvwxyz012345"};
    struct core_change *change = begun(state);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct core_change_act act = act_named(names[i]);
        state_is(core_change_record(change, &act), BAD_NAME);
    }
    struct core_change_act act = act_named("user.test");
    act.reason = "two\nlines";
    state_is(core_change_record(change, &act), BAD_NAME);
    act.reason = NULL;
    state_ok(core_change_record(change, &act));
    state_ok(core_change_commit(change));
    state_destroy(state);
}

static void more_than_a_block_takes_is_refused_whole(void **unused)
{
    (void)unused;
    struct state *state = state_create(7);
    static char value[4000];
    struct result result = result_ok();
    struct core_change *change = opened(state);
    unsigned count = 0;
    for (; !result_failed(result); count++) {
        uint8_t key[4];
        store_be32(key, count);
        result = core_change_put(change, STORE_USERS, bytes_of(key, 4), bytes_of(value, sizeof(value)));
    }
    assert_true(count > 1);
    assert_string_equal(result_name(result), "CHANGE_TOO_LARGE");
    state_is(core_change_commit(change), CHANGE_TOO_LARGE);
    struct store_txn *txn;
    struct store_bytes key, got;
    state_ok(store_begin(state->store, false, &txn));
    state_is(store_next(state->store, txn, STORE_USERS, (struct store_bytes){0}, false, &key, &got), STORE_NOT_FOUND);
    store_abort(state->store, txn);
    state_destroy(state);
}

/* A change with one record, and so many slots of the block left: each row takes whole ones. */
static struct core_change *filled(struct state *state, uint32_t leave)
{
    enum { ROW_HEAD = 6, KEY = 4, SLOTS_A_ROW = 512 };
    static const char value[SLOTS_A_ROW * 64];
    struct core_change *change = opened(state);
    for (uint32_t at = 0; core_change_slots_left(change) > leave; at++) {
        uint32_t take = core_change_slots_left(change) - leave;
        if (take > SLOTS_A_ROW) take = SLOTS_A_ROW;
        state_ok(core_change_put(change, STORE_USERS, bytes_of(&at, KEY),
                                 bytes_of(value, (size_t)take * 64 - ROW_HEAD - KEY)));
    }
    assert_int_equal(core_change_slots_left(change), leave);
    return change;
}

static void what_fits_a_block_to_the_last_slot_is_taken_and_one_more_is_not(void **unused)
{
    (void)unused;
    struct state *state = state_create(33);
    struct core_change_act act = act_named("user.test"); /* two slots: the record, and its head of 32 bytes */
    uint32_t ann, new;
    uint8_t name[16], seed[20];
    core_name("acme", 4, "ann", 3, name);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ann));
    struct core_change *change = filled(state, 2);
    state_ok(core_change_record(change, &act));
    assert_int_equal(core_change_slots_left(change), 0);
    state_is(core_change_unlock(change, name), CHANGE_TOO_LARGE);
    state_is(core_change_token(change, ACT_TOKEN_SUSPEND, ann), CHANGE_TOO_LARGE);
    state_ok(core_change_commit(change));
    change = filled(state, 1);
    state_is(core_change_record(change, &act), CHANGE_TOO_LARGE);
    state_is(core_change_commit(change), CHANGE_TOO_LARGE);
    change = filled(state, 1);
    state_ok(core_change_unlock(change, name));
    state_ok(core_change_commit(change));
    change = filled(state, 1);
    state_ok(core_change_token(change, ACT_TOKEN_SUSPEND, ann));
    state_ok(core_change_commit(change));
    struct core_token_spec spec = spec_of(2, seed);
    change = filled(state, STATE_RECORD_SLOTS_MAX - 1);
    state_is(core_change_token_add(change, &spec, &new), CHANGE_TOO_LARGE);
    state_ok(core_change_commit(change));
    change = filled(state, STATE_RECORD_SLOTS_MAX);
    state_ok(core_change_token_add(change, &spec, &new));
    state_ok(core_change_commit(change));
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_row(state, ann).state, TOKEN_SUSPENDED);
    assert_int_equal(state_row(state, new).state, TOKEN_ACTIVE);
    state_destroy(state);
}

static void a_token_comes_and_another_goes_with_the_rows_of_one_change(void **unused)
{
    (void)unused;
    struct state *state = state_create(8);
    uint32_t old, new;
    uint8_t seed[20];
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &old));
    struct core_token_spec spec = spec_of(2, seed);
    struct core_change *change = opened(state);
    state_ok(core_change_put(change, STORE_DEVICES, text("phone"), text("bound")));
    state_ok(core_change_token_add(change, &spec, &new));
    state_ok(core_change_token(change, ACT_TOKEN_REMOVE, old));
    state_ok(core_change_commit(change));
    assert_string_equal(value_in(state, STORE_DEVICES, "phone"), "bound");
    assert_int_equal(state_row(state, old).state, TOKEN_REMOVED);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_REJECTED);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(2, 0)), OTPRING_ACCEPTED);
    state_crash(state);
    state_ok(state_open(state));
    assert_string_equal(value_in(state, STORE_DEVICES, "phone"), "bound");
    assert_int_equal(state_verify(state, "acme", "ann", state_code(2, 0)), OTPRING_REPLAYED);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(2, 1)), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void refusals_of_tokens_leave_the_change_as_it_was(void **unused)
{
    (void)unused;
    struct state *state = state_create(9);
    uint32_t old, new;
    uint8_t seed[20], short_seed[20];
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &old));
    struct core_change *change = opened(state);
    state_ok(core_change_put(change, STORE_USERS, text("ann"), text("x")));
    struct core_token_spec live = spec_of(1, seed), tiny = spec_of(3, short_seed);
    tiny.seed_size = 9;
    state_is(core_change_token_add(change, &live, &new), STORE_SEED_LIVE);
    state_is(core_change_token_add(change, &tiny, &new), BAD_SECRET_SIZE);
    state_is(core_change_token(change, ACT_TOKEN_SUSPEND, old + 1), STORE_NOT_FOUND);
    state_is(core_change_token(change, ACT_TOKEN_SET, old), BAD_ARGUMENT);
    state_is(core_change_unlock(change, (const uint8_t[16]){1}), STORE_NOT_FOUND);
    /* Live until the commit: its floor may still rise. */
    state_ok(core_change_token(change, ACT_TOKEN_REMOVE, old));
    state_is(core_change_token(change, ACT_TOKEN_REMOVE, old), STORE_NOT_FOUND);
    state_is(core_change_token_add(change, &live, &new), STORE_SEED_LIVE);
    state_ok(core_change_commit(change));
    assert_string_equal(value_in(state, STORE_USERS, "ann"), "x");
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &new));
    state_destroy(state);
}

static void suspending_resuming_and_unlocking_take_effect_with_the_commit(void **unused)
{
    (void)unused;
    struct state *state = state_create(10);
    uint32_t ordinal;
    uint8_t name[16];
    core_name("acme", 4, "ann", 3, name);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    struct core_change *change = opened(state);
    state_ok(core_change_token(change, ACT_TOKEN_SUSPEND, ordinal));
    core_change_abandon(change);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_ACCEPTED);
    change = opened(state);
    state_ok(core_change_token(change, ACT_TOKEN_SUSPEND, ordinal));
    state_ok(core_change_commit(change));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 1)), OTPRING_INACTIVE);
    for (int i = 0; i < 3; i++) (void)state_verify(state, "acme", "ann", 1);
    change = opened(state);
    state_ok(core_change_token(change, ACT_TOKEN_RESUME, ordinal));
    state_ok(core_change_unlock(change, name));
    state_ok(core_change_commit(change));
    assert_int_equal(budget_failures(atomic_load(&state_line(state, ordinal).tail->budget), 0), 0);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 1)), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void an_abandoned_token_gives_its_line_back(void **unused)
{
    (void)unused;
    struct state *state = state_create(11);
    uint32_t first, second;
    uint8_t seed[20];
    struct core_token_spec spec = spec_of(1, seed);
    struct core_change *change = begun(state);
    state_ok(core_change_token_add(change, &spec, &first));
    core_change_abandon(change);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &second));
    assert_int_equal(first, second);
    state_destroy(state);
}

static void a_change_that_the_store_has_no_room_for_is_pending_and_then_there(void **unused)
{
    (void)unused;
    struct state *state = state_create(12);
    struct core_status status;
    struct core_change *change = opened(state);
    state_ok(core_change_put(change, STORE_USERS, text("ann"), text("x")));
    store_memory_fail_commit_at(state->store, 1);
    state_ok(core_change_commit(change));
    core_status(state->core, &status);
    assert_true(status.act_pending);
    assert_string_equal(value_in(state, STORE_USERS, "ann"), "");
    store_memory_fail_commit_at(state->store, 1);
    state_is(core_change_begin(state->worker, &operator_seven, &change), STORE_PENDING);
    core_change_abandon(begun(state));
    assert_string_equal(value_in(state, STORE_USERS, "ann"), "x");
    state_destroy(state);
}

static void recovery_puts_the_rows_of_a_pending_change_in_order(void **unused)
{
    (void)unused;
    struct state *state = state_create(13);
    struct core_change *change = opened(state);
    struct core_change_act act = act_named("user.other");
    state_ok(core_change_put(change, STORE_USERS, text("ann"), text("first")));
    state_ok(core_change_put(change, STORE_USERS, text("bob"), text("stays")));
    state_ok(core_change_record(change, &act));
    state_ok(core_change_put(change, STORE_USERS, text("ann"), text("second")));
    state_ok(core_change_put(change, STORE_ORDER, text("gone"), text("x")));
    state_ok(core_change_erase(change, STORE_ORDER, text("gone")));
    store_memory_fail_commit_at(state->store, 1);
    state_ok(core_change_commit(change));
    assert_string_equal(value_in(state, STORE_USERS, "bob"), "");
    state_crash(state);
    state_ok(state_open(state));
    assert_string_equal(value_in(state, STORE_USERS, "ann"), "second");
    assert_string_equal(value_in(state, STORE_USERS, "bob"), "stays");
    assert_string_equal(value_in(state, STORE_ORDER, "gone"), "");
    state_destroy(state);
}

/* A crash at every operation of the disk while a change of 40 rows, a token added and a token removed is made: the next
 * start has all of it or nothing, and all when it was told done. */
static void change_of_forty(struct state *state, uint32_t old, bool *ret_done)
{
    struct core_change *change;
    uint32_t ordinal;
    uint8_t seed[20];
    struct core_change_act act = act_named("user.test");
    struct core_token_spec spec = spec_of(2, seed);
    if (result_failed(core_change_begin(state->worker, &operator_seven, &change))) return;
    state_ok(core_change_record(change, &act));
    for (uint32_t i = 0; i < 40; i++) {
        char key[8];
        snprintf(key, sizeof(key), "%u", i);
        state_ok(core_change_put(change, STORE_USERS, text(key), text("here, at some length, so as to fill sectors")));
    }
    state_ok(core_change_token_add(change, &spec, &ordinal));
    state_ok(core_change_token(change, ACT_TOKEN_REMOVE, old));
    *ret_done = !result_failed(core_change_commit(change));
}

static void a_torn_block_applies_none_of_a_change(void **unused)
{
    (void)unused;
    unsigned none = 0, all = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        for (uint64_t operation = 1; operation <= 12; operation++) {
            struct state *state = state_create(seed);
            uint32_t old;
            bool done = false;
            state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &old));
            os_sim_faults_set(state->world, &(struct os_sim_faults){.crash_at = operation});
            change_of_forty(state, old, &done);
            os_sim_faults_set(state->world, &(struct os_sim_faults){0});
            state_crash(state);
            state_ok(state_open(state));
            unsigned rows = 0;
            for (uint32_t i = 0; i < 40; i++) {
                char key[8];
                snprintf(key, sizeof(key), "%u", i);
                rows += value_in(state, STORE_USERS, key)[0] != 0;
            }
            bool removed = state_row(state, old).state == TOKEN_REMOVED;
            assert_true(rows == 0 || rows == 40);
            assert_int_equal(removed, rows == 40);
            if (done) assert_int_equal(rows, 40);
            enum otpring_verdict verdict = state_verify(state, "acme", "ann", state_code(2, 0));
            assert_int_equal(verdict, removed ? OTPRING_ACCEPTED : OTPRING_REJECTED);
            none += rows == 0;
            all += rows == 40;
            state_destroy(state);
        }
    }
    assert_true(none > 0 && all > 0);
}

static void a_change_finds_no_room_in_the_journal_and_is_not_done(void **unused)
{
    (void)unused;
    struct state *state = state_create(14);
    static char value[3000];
    struct result result = result_ok();
    unsigned done = 0;
    /* Nobody keeps house: the spares are used up. */
    for (unsigned i = 0; i < 100000 && !result_failed(result); i++) {
        uint8_t key[4];
        store_be32(key, i);
        struct core_change *change = opened(state);
        state_ok(core_change_put(change, STORE_USERS, bytes_of(key, 4), bytes_of(value, sizeof(value))));
        result = core_change_commit(change);
        if (!result_failed(result)) done = i + 1;
    }
    assert_string_equal(result_name(result), "JOURNAL_NO_ROOM");
    uint8_t key[4];
    struct store_txn *txn;
    struct store_bytes got;
    store_be32(key, done);
    state_ok(store_begin(state->store, false, &txn));
    state_is(store_get(state->store, txn, STORE_USERS, bytes_of(key, 4), &got), STORE_NOT_FOUND);
    store_abort(state->store, txn);
    state_destroy(state);
}

static bool has_key(struct state *state, const uint8_t name[16])
{
    struct store_txn *txn;
    struct store_bytes value;
    state_ok(store_begin(state->store, false, &txn));
    struct result result = store_get(state->store, txn, STORE_PERSON_KEYS, bytes_of(name, 16), &value);
    store_abort(state->store, txn);
    return !result_failed(result);
}

static void a_persons_key_is_in_the_store_and_not_in_the_journal(void **unused)
{
    (void)unused;
    struct state *state = state_create(15);
    const uint8_t name[16] = "sixteen bytes..";
    uint8_t key[VAULT_PERSON_KEY_SIZE];
    memset(key, 0xd7, sizeof(key));
    struct core_change *change = opened(state);
    state_ok(core_change_person_key(change, name, key));
    core_change_abandon(change);
    assert_false(has_key(state, name));
    change = opened(state);
    state_ok(core_change_person_key(change, name, key));
    state_is(core_change_person_key(change, name, key), STORE_EXISTS);
    const struct slot_act *slot = (const struct slot_act *)state->core->state->batch.slots;
    assert_null(memmem(slot, (size_t)(1 + slot->slot_count) * JOURNAL_SLOT_SIZE, key, sizeof(key)));
    state_ok(core_change_commit(change));
    state_crash(state);
    state_ok(state_open(state));
    assert_true(has_key(state, name));
    change = opened(state);
    state_ok(core_change_erase(change, STORE_PERSON_KEYS, bytes_of(name, 16)));
    state_ok(core_change_commit(change));
    assert_false(has_key(state, name));
    state_destroy(state);
}

static void a_key_that_finds_no_room_leaves_the_act_undone(void **unused)
{
    (void)unused;
    struct state *state = state_create(18);
    uint8_t name[16] = {1}, key[VAULT_PERSON_KEY_SIZE] = {0};
    uint64_t before = journal_status(state->core->journal).position_next;
    struct core_change *change = opened(state);
    for (uint32_t i = 0; i < CORE_CHANGE_KEYS_MAX; i++) {
        name[1] = (uint8_t)i;
        state_ok(core_change_person_key(change, name, key));
    }
    name[1] = CORE_CHANGE_KEYS_MAX;
    state_is(core_change_person_key(change, name, key), CHANGE_TOO_LARGE);
    store_memory_fail_commit_at(state->store, 1);
    state_is(core_change_commit(change), OS_NO_SPACE);
    assert_int_equal(journal_status(state->core->journal).position_next, before);
    name[1] = 0;
    assert_false(has_key(state, name));
    core_change_abandon(begun(state));
    state_destroy(state);
}

/* ---- records as bytes ---- */

/* The payload of a record with one row, as it stands in the batch. */
static size_t payload_of(struct state *state, uint8_t ret[512])
{
    struct core_change *change = opened(state);
    state_ok(core_change_put(change, STORE_USERS, text("ann"), text("value")));
    struct core_change_act next = act_named("x");
    state_ok(core_change_record(change, &next));
    const struct slot_act *slot = (const struct slot_act *)state->core->state->batch.slots;
    assert_int_equal(slot->operator_id, 7);
    assert_int_equal(slot->uid, 1000);
    size_t size = slot->payload_size;
    memcpy(ret, slot + 1, size);
    core_change_abandon(change);
    return size;
}

static void a_record_says_what_it_is_and_which_rows(void **unused)
{
    (void)unused;
    struct state *state = state_create(16);
    struct core_change_view view;
    struct core_change_row row;
    uint8_t payload[512];
    size_t size = payload_of(state, payload);
    state_ok(core_change_decode(payload, size, &view));
    assert_string_equal(view.name, "user.test");
    assert_string_equal(view.reason, "because");
    assert_int_equal(view.subject, 5);
    assert_int_equal(view.row_count, 1);
    state_ok(core_change_row_next(&view, &row));
    assert_int_equal(row.map, STORE_USERS);
    assert_false(row.erase);
    assert_memory_equal(row.key.bytes, "ann", 3);
    assert_memory_equal(row.value.bytes, "value", 5);
    state_is(core_change_row_next(&view, &row), STORE_NOT_FOUND);
    state_destroy(state);
}

static void a_record_of_hostile_bytes_is_refused(void **unused)
{
    (void)unused;
    struct state *state = state_create(17);
    struct core_change_view view;
    struct core_change_row row;
    uint8_t payload[512], copy[512];
    size_t size = payload_of(state, payload), row_at = 16 + 9 + 7;
    for (size_t cut = 0; cut < size; cut++) {
        struct result result = core_change_decode(payload, cut, &view);
        if (!result_failed(result)) result = core_change_row_next(&view, &row);
        assert_string_equal(result_name(result), "JOURNAL_CORRUPT");
    }
    const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        {0, 2},
        {1, 0},
        {1, 32},
        {16, 'U'},
        {16 + 9, 0},
        {4, 0},
        {4, 2},
        {row_at, STORE_TOKENS},
        {row_at, STORE_MAP_COUNT},
        {row_at + 1, 2},
        {row_at + 2, 0},
        {row_at + 2, 65},
        {row_at, STORE_PERSON_KEYS},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        memcpy(copy, payload, size);
        copy[changes[i].at] = changes[i].value;
        struct result result = core_change_decode(copy, size, &view);
        for (int rows = 0; rows < 3 && !result_failed(result); rows++) result = core_change_row_next(&view, &row);
        assert_string_equal(result_name(result), "JOURNAL_CORRUPT");
    }
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_put_and_erased_at_once),
        cmocka_unit_test(a_change_reads_what_it_wrote_and_nobody_else_does),
        cmocka_unit_test(an_empty_change_writes_nothing),
        cmocka_unit_test(rows_of_core_are_refused),
        cmocka_unit_test(a_row_without_a_record_or_with_a_bad_key_is_refused),
        cmocka_unit_test(a_row_behind_an_act_of_core_needs_a_record_of_its_own),
        cmocka_unit_test(names_and_reasons_are_checked),
        cmocka_unit_test(more_than_a_block_takes_is_refused_whole),
        cmocka_unit_test(what_fits_a_block_to_the_last_slot_is_taken_and_one_more_is_not),
        cmocka_unit_test(a_token_comes_and_another_goes_with_the_rows_of_one_change),
        cmocka_unit_test(refusals_of_tokens_leave_the_change_as_it_was),
        cmocka_unit_test(suspending_resuming_and_unlocking_take_effect_with_the_commit),
        cmocka_unit_test(an_abandoned_token_gives_its_line_back),
        cmocka_unit_test(a_change_that_the_store_has_no_room_for_is_pending_and_then_there),
        cmocka_unit_test(recovery_puts_the_rows_of_a_pending_change_in_order),
        cmocka_unit_test(a_torn_block_applies_none_of_a_change),
        cmocka_unit_test(a_change_finds_no_room_in_the_journal_and_is_not_done),
        cmocka_unit_test(a_persons_key_is_in_the_store_and_not_in_the_journal),
        cmocka_unit_test(a_key_that_finds_no_room_leaves_the_act_undone),
        cmocka_unit_test(a_record_says_what_it_is_and_which_rows),
        cmocka_unit_test(a_record_of_hostile_bytes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
