/* Acts, changes, checkpoints and restores at their limits. */
#include "state_fixture.h"

#include "core/change.h"
#include "journal/format.h"

enum { TOTP = 0, HOTP = 1 };

static struct store_bytes text(const char *text)
{
    return bytes_of(text, strlen(text));
}

static struct core_change *begun(struct state *state)
{
    struct core_change *change;
    state_ok(core_change_begin(state->worker, &state_actor, &change));
    return change;
}

static struct core_change *opened(struct state *state)
{
    struct core_change *change = begun(state);
    const struct core_change_act act = {.name = "user.test"};
    state_ok(core_change_record(change, &act));
    return change;
}

/* ---- adding ---- */

static void companies_stand_beside_each_other_in_any_order(void **unused)
{
    (void)unused;
    struct state *state = state_create(101);
    static const char *const companies[] = {"acme", "zeta", "beta", "omega", "kappa", "delta"};
    uint32_t ordinal;
    for (uint32_t i = 0; i < 6; i++) state_ok(state_add(state, companies[i], "ann", HOTP, i + 1, 0, &ordinal));
    for (uint32_t i = 0; i < 6; i++) state_ok(state_add(state, companies[i], "bob", HOTP, i + 11, 0, &ordinal));
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(state_verify(state, companies[i], "bob", state_code(i + 11, 0)), OTPRING_ACCEPTED);
    state_destroy(state);
}

static uint16_t profile_of_sha256(struct state *state)
{
    const struct otp_parameters parameters = {.type = OTP_HOTP, .algorithm = KERNEL_SHA256, .digits = 6};
    uint16_t id;
    state_ok(core_profile_for(state->worker, &state_actor, &parameters, &id));
    return id;
}

static void tokens_of_all_algorithms_share_the_stores_limit(void **unused)
{
    (void)unused;
    struct state *state = state_create(102);
    uint32_t ordinal;
    uint16_t sha256 = profile_of_sha256(state);
    state_stop(state);
    state->options.tokens_max = 3;
    state_ok(state_open(state));
    uint32_t first[2];
    state_ok(state_add(state, "acme", "a", HOTP, 1, 0, &first[0]));
    state_ok(state_add(state, "acme", "b", HOTP, 2, 0, &ordinal));
    state_ok(state_add(state, "acme", "c", sha256, 3, 0, &first[1]));
    state_is(state_add(state, "acme", "d", sha256, 4, 0, &ordinal), TABLE_FULL);
    /* Lines of the same number of two algorithms are two tokens. */
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, first, 2));
    for (int i = 0; i < 2; i++) assert_int_equal(state_row(state, first[i]).state, TOKEN_SUSPENDED);
    state_destroy(state);
}

static void a_seed_whose_counter_is_used_up_is_not_taken_again(void **unused)
{
    (void)unused;
    struct state *state = state_create(103);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, STATE_COUNTER_MAX, &ordinal));
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, STATE_COUNTER_MAX)), OTPRING_ACCEPTED);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinal, 1));
    state_is(state_add(state, "acme", "bob", HOTP, 1, 0, &ordinal), SEED_FLOOR_AHEAD);
    state_destroy(state);
}

/* ---- changes ---- */

static void a_change_that_is_full_takes_nothing_of_any_kind(void **unused)
{
    (void)unused;
    struct state *state = state_create(104);
    uint32_t ordinal, added;
    uint8_t name[16], seed[20];
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    core_name("acme", 4, "ann", 3, name);
    struct core_change *change = begun(state);
    /* Unlocks fill it to the last slot. */
    while (core_change_slots_left(change) > 0) state_ok(core_change_unlock(change, name));
    state_is(core_change_unlock(change, name), CHANGE_TOO_LARGE);
    state_is(core_change_token(change, ACT_TOKEN_SUSPEND, ordinal), CHANGE_TOO_LARGE);
    state_seed(2, seed);
    const struct core_token_spec spec = {
        .company = "acme", .user = "bob", .label = "", .profile = HOTP, .seed = seed, .seed_size = sizeof seed};
    state_is(core_change_token_add(change, &spec, &added), CHANGE_TOO_LARGE);
    const struct core_change_act act = {.name = "user.test"};
    state_is(core_change_record(change, &act), CHANGE_TOO_LARGE);
    core_change_abandon(change);
    assert_int_equal(state_row(state, ordinal).state, TOKEN_ACTIVE);
    state_destroy(state);
}

static void a_record_has_so_many_rows_of_so_many_bytes(void **unused)
{
    (void)unused;
    struct state *state = state_create(105);
    static char large[65536];
    struct core_change *change = opened(state);
    for (unsigned i = 0; i < CORE_CHANGE_ROWS_MAX; i++)
        state_ok(core_change_put(change, STORE_USERS, text("k"), bytes_of("", 0)));
    state_is(core_change_put(change, STORE_USERS, text("k"), bytes_of("", 0)), CHANGE_TOO_LARGE);
    core_change_abandon(change);
    change = opened(state);
    state_is(core_change_put(change, STORE_USERS, text("k"), bytes_of(large, sizeof large)), BAD_ARGUMENT);
    core_change_abandon(change);
    state_destroy(state);
}

static void a_seed_of_a_size_that_cannot_be_is_refused_within_a_change(void **unused)
{
    (void)unused;
    struct state *state = state_create(106);
    static const uint8_t seed[OTP_SEED_SIZE_MAX + 1] = {1};
    struct core_token_spec spec = {.company = "acme", .user = "ann", .label = "", .profile = HOTP, .seed = seed};
    uint32_t ordinal;
    struct core_change *change = begun(state);
    spec.seed_size = OTP_SEED_SIZE_MAX + 1;
    state_is(core_change_token_add(change, &spec, &ordinal), BAD_SECRET_SIZE);
    spec.seed_size = OTP_SEED_SIZE_MIN - 1;
    state_is(core_change_token_add(change, &spec, &ordinal), BAD_SECRET_SIZE);
    core_change_abandon(change);
    state_destroy(state);
}

/* ---- restores ---- */

static void row_put(struct state *state, enum store_map map, const char *key, const char *value)
{
    struct store_txn *txn;
    state_ok(store_begin(state->store, true, &txn));
    state_ok(store_put(state->store, txn, map, text(key), text(value)));
    state_ok(store_commit(state->store, txn));
}

static void change_token(struct state *state, enum core_act act, uint32_t ordinal)
{
    state_ok(core_token_change(state->worker, &state_actor, act, &ordinal, 1));
}

/* Tokens in every state that there is, restored with the journal's end and without, by a machine whose clock is behind
 * the journal: each is at least as closed as before. */
static void a_restore_leaves_each_token_at_least_as_closed_as_it_was(void **unused)
{
    (void)unused;
    for (int complete = 0; complete < 2; complete++) {
        struct state *state = state_create(107);
        uint32_t totp, totp_suspended, hotp, hotp_suspended, first_removed, second_removed, alone;
        state_ok(state_add(state, "acme", "t", TOTP, 1, 0, &totp));
        state_ok(state_add(state, "acme", "ts", TOTP, 2, 0, &totp_suspended));
        state_ok(state_add(state, "acme", "h", HOTP, 3, 0, &hotp));
        state_ok(state_add(state, "acme", "hs", HOTP, 4, 0, &hotp_suspended));
        state_ok(state_add(state, "acme", "two", HOTP, 5, 0, &alone));
        state_ok(state_add(state, "acme", "two", HOTP, 6, 0, &second_removed));
        state_ok(state_add(state, "acme", "gone", HOTP, 7, 0, &first_removed));
        change_token(state, ACT_TOKEN_SUSPEND, totp_suspended);
        change_token(state, ACT_TOKEN_SUSPEND, hotp_suspended);
        change_token(state, ACT_TOKEN_REMOVE, second_removed);
        change_token(state, ACT_TOKEN_REMOVE, first_removed);
        state_stop(state);
        row_put(state, STORE_META, META_RESTORED, "1");
        state->options.take_over = true;
        state->options.restore_now_ms = (int64_t)STATE_WALL_S * 1000;
        state->options.restore_journal_complete = complete;
        os_sim_step_wall_ms(state->world, -60 * 1000);
        state_ok(state_open(state));
        assert_int_equal(state_row(state, totp).state, TOKEN_ACTIVE);
        assert_int_equal(state_row(state, totp_suspended).state, TOKEN_SUSPENDED);
        assert_int_equal(state_row(state, hotp).state, complete ? TOKEN_ACTIVE : TOKEN_UNSYNCED);
        assert_int_equal(state_row(state, hotp_suspended).state, complete ? TOKEN_SUSPENDED : TOKEN_UNSYNCED);
        assert_int_equal(state_row(state, first_removed).state, TOKEN_REMOVED);
        assert_int_equal(state_row(state, second_removed).state, TOKEN_REMOVED);
        assert_true(state_floor(state, totp_suspended) > STATE_WALL_S / 30);
        /* What a restore suspended is not resumed before its floor is known; two codes at the desk tell it. */
        if (!complete) {
            enum otpring_verdict verdict;
            state_is(core_token_change(state->worker, &state_actor, ACT_TOKEN_RESUME, &hotp, 1), FLOOR_UNKNOWN);
            struct core_change *change = begun(state);
            state_is(core_change_token(change, ACT_TOKEN_RESUME, hotp), FLOOR_UNKNOWN);
            core_change_abandon(change);
            os_sim_synchronised_set(state->world, true);
            state_ok(core_token_resync(state->worker, &state_actor, hotp, state_code(3, 10), state_code(3, 11), 6,
                                       &verdict));
            assert_int_equal(verdict, OTPRING_ACCEPTED);
            assert_int_equal(state_row(state, hotp).state, TOKEN_SUSPENDED);
            change_token(state, ACT_TOKEN_RESUME, hotp);
            assert_int_equal(state_row(state, hotp).state, TOKEN_ACTIVE);
        }
        state_destroy(state);
    }
}

/* ---- checkpoints ---- */

static bool row_there(struct state *state, enum store_map map)
{
    struct store_txn *txn;
    struct store_bytes key, value;
    state_ok(store_begin(state->store, false, &txn));
    struct result got = store_next(state->store, txn, map, (struct store_bytes){0}, false, &key, &value);
    store_abort(state->store, txn);
    return got.code == OK;
}

static void sessions_that_expired_go_with_the_next_checkpoint(void **unused)
{
    (void)unused;
    struct state *state = state_create(108);
    assert_int_equal(state_verify(state, "acme", "nobody", 1), OTPRING_UNKNOWN);
    state_ok(core_checkpoint(state->worker));
    assert_true(row_there(state, STORE_SESSIONS));
    os_sim_advance_ms(state->world, 700 * 1000);
    state_keep(state);
    state_ok(core_checkpoint(state->worker));
    assert_false(row_there(state, STORE_SESSIONS));
    state_stop(state); /* nothing is in flight behind it */
    state_destroy(state);
}

static void delays_of_unknown_names_go_when_their_table_changes_its_size(void **unused)
{
    (void)unused;
    struct state *state = state_create(109);
    uint8_t name[16] = {0};
    for (uint32_t i = 0; i < 20000; i++) {
        store_le32(name, i * 2654435761u);
        store_le32(name + 8, i);
        unknown_raise(state->core->unknown, name, throttle_charge(0, 0, STATE_WALL_S));
    }
    state_ok(core_checkpoint(state->worker));
    state_ok(core_checkpoint(state->worker)); /* nothing changed: nothing is put */
    assert_true(row_there(state, STORE_UNKNOWN));
    uint64_t budget = unknown_get(state->core->unknown, name);
    assert_true(budget > 0);
    state_stop(state);
    state_ok(state_open(state));
    assert_true(unknown_get(state->core->unknown, name) == budget);
    state_stop(state);
    state->options.unknown_entries = 2 * UNKNOWN_BLOCK_ENTRIES;
    state_ok(state_open(state));
    assert_true(unknown_get(state->core->unknown, name) == 0);
    state_ok(core_checkpoint(state->worker)); /* old blocks are overwritten, with nothing */
    state_destroy(state);
}

static void what_is_not_checkpointed_or_not_sealed_is_not_pruned(void **unused)
{
    (void)unused;
    struct state *state = state_create(110);
    assert_int_equal(state_verify(state, "acme", "nobody", 1), OTPRING_UNKNOWN);
    state_is(core_prune(state->worker, UINT64_MAX), JOURNAL_NEEDED);
    state_ok(core_checkpoint(state->worker));
    uint64_t through = atomic_load(&state->core->checkpoint_position);
    assert_true(through > journal_status(state->core->journal).sealed_through);
    state_is(core_prune(state->worker, through), JOURNAL_NEEDED);
    os_sim_advance_ms(state->world, 5000);
    state_keep(state);
    state_ok(core_prune(state->worker, journal_status(state->core->journal).sealed_through));
    state_stop(state); /* nothing is in flight behind it */
    state_destroy(state);
}

/* ---- starts ---- */

static uint8_t *last_block(struct state *state, uint64_t segment)
{
    char path[64];
    uint64_t size, at = SEGMENT_HEADER_SIZE;
    uint8_t *last = NULL;
    snprintf(path, sizeof path, "journal/%016llx.seg", (unsigned long long)segment);
    uint8_t *bytes = os_sim_file(state->world, path, &size);
    assert_non_null(bytes);
    for (; at < size && format_block_begins(bytes + at); at += format_block_begins(bytes + at)) last = bytes + at;
    return last;
}

/* The store has the act, the journal's last block rots before anything tells that it was committed: a tear, as far as
 * anybody can see. The positions behind it are given to other records, which count. */
static void the_store_may_know_of_a_record_that_the_journal_lost(void **unused)
{
    (void)unused;
    struct state *state = state_create(111);
    uint32_t ann, bob, cid;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ann));
    state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &bob));
    uint64_t segment = journal_status(state->core->journal).segment, admin = state->core->admin_position;
    state_crash(state);
    memset(last_block(state, segment), 0, JOURNAL_BLOCK_ALIGNMENT);
    state_ok(state_open(state));
    assert_int_equal(state_row(state, bob).state, TOKEN_ACTIVE); /* the store has it */
    state_ok(state_add(state, "acme", "cid", HOTP, 3, 0, &cid));
    assert_true(state->core->admin_position >= admin);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_verify(state, "acme", "cid", state_code(3, 0)), OTPRING_ACCEPTED);
    state_destroy(state);
}

static void what_a_configuration_leaves_out_is_filled_in(void **unused)
{
    (void)unused;
    struct state *state = state_create(112);
    state_stop(state);
    struct core_options given = state->options;
    state->options = (struct core_options){.journal_folder = given.journal_folder,
                                           .journal = {.segment_size = given.journal.segment_size},
                                           .tokens_max = (1u << 29) + 1,
                                           .kept_size = 1 << 20,
                                           .unknown_entries = 4096,
                                           .workers_max = CORE_WORKERS_MAX + 1,
                                           .sessions_per_client = 3,
                                           .resync_candidates_per_turn = 5,
                                           .clock_step_limit_ms = 500};
    assert_int_equal(kernel_choose(NULL, &state->options.kernel).code, OK);
    state_ok(state_open(state));
    assert_int_equal(state->core->options.tokens_max, 1u << 29);
    assert_int_equal(state->core->options.workers_max, CORE_WORKERS_MAX);
    assert_int_equal(state->core->options.sessions_per_client, 3);
    state_stop(state);
    state->options = (struct core_options){.journal_folder = given.journal_folder};
    state_ok(state_open(state));
    assert_int_equal(state->core->options.kept_size, 256 << 20);
    assert_int_equal(state->core->options.tokens_max, 4194304);
    state_destroy(state);
}

/* A frame of more items than recovery looks ahead, of which some name a token and some do not. */
static void a_long_frame_is_folded_as_a_short_one(void **unused)
{
    (void)unused;
    struct state *state = state_create(113);
    enum { ITEMS = 16, FRAMES = 3 };
    uint32_t ordinals[ITEMS];
    char user[8];
    for (uint32_t i = 0; i < ITEMS; i += 2) {
        snprintf(user, sizeof user, "u%u", i);
        state_ok(state_add(state, "acme", user, HOTP, i + 1, 0, &ordinals[i]));
    }
    assert_true(state_session(state));
    for (uint32_t f = 0; f < FRAMES; f++) {
        struct otpring_wire_query queries[ITEMS];
        for (uint32_t i = 0; i < ITEMS; i++) {
            uint8_t name[16];
            snprintf(user, sizeof user, "u%u", i);
            core_name("acme", 4, user, strlen(user), name);
            queries[i] =
                (struct otpring_wire_query){.code = state_code(i + 1, f), .digits = 6, .kind = OTPRING_QUERY_CODE};
            memcpy(queries[i].company, name, 8);
            memcpy(queries[i].account, name + 8, 8);
        }
        struct otpring_wire_header header = {.size = sizeof header + sizeof queries,
                                             .kind = OTPRING_WIRE_VERIFY,
                                             .count = ITEMS,
                                             .session = state->session,
                                             .sequence = f + 1};
        const struct core_frame frame = {.header = &header, .items = (const uint8_t *)queries, .client = &state_client};
        enum otpring_wire_error_code error;
        assert_int_equal(core_frame(state->worker, &frame, &error), CORE_TAKEN);
        core_turn(state->worker);
        assert_true(state_drain(state));
    }
    state_crash(state);
    state_ok(state_open(state));
    for (uint32_t i = 0; i < ITEMS; i += 2) assert_int_equal(state_floor(state, ordinals[i]), FRAMES);
    state_destroy(state);
}

/* What was read at the start counts too, so that stands in for so much journal. */
static void the_more_tokens_there_are_the_later_a_checkpoint_comes(void **unused)
{
    (void)unused;
    enum { TOKENS = 250, LEAST = 256 << 20, A_TOKEN = 64 };
    struct state *state = state_create(117);
    uint32_t ordinal;
    char user[16];
    for (int i = 0; i < TOKENS; i++) {
        snprintf(user, sizeof user, "u%d", i);
        state_ok(state_add(state, "acme", user, HOTP, (uint32_t)i, 0, &ordinal));
    }
    state_keep(state);
    uint64_t before = atomic_load(&state->core->checkpoint_position);
    state->core->checkpoint_bytes_at = journal_status(state->core->journal).bytes_appended;
    state->core->state->replayed_bytes = LEAST + A_TOKEN;
    state_keep(state);
    assert_int_equal(atomic_load(&state->core->checkpoint_position), before);
    state->core->state->replayed_bytes = LEAST + A_TOKEN * TOKENS;
    state_keep(state);
    assert_true(atomic_load(&state->core->checkpoint_position) > before);
    state_stop(state); /* nothing is in flight behind it */
    state_destroy(state);
}

/* A checkpoint that is due and cannot be committed is tried again later, and nothing else waits for it. */
static void a_checkpoint_that_finds_no_room_in_the_store_is_made_later(void **unused)
{
    (void)unused;
    struct state *state = state_create(114);
    state_stop(state);
    state->options.checkpoint_bytes = 1;
    state_ok(state_open(state));
    state_keep(state);
    uint64_t before = atomic_load(&state->core->checkpoint_position);
    assert_int_equal(state_verify(state, "acme", "nobody", 1), OTPRING_UNKNOWN);
    os_sim_advance_ms(state->world, 100);
    store_memory_fail_commit_at(state->store, 1);
    state_keep(state);
    assert_int_equal(atomic_load(&state->core->checkpoint_position), before);
    state_keep(state); /* not at once */
    assert_int_equal(atomic_load(&state->core->checkpoint_position), before);
    os_sim_advance_ms(state->world, 2000);
    state_keep(state);
    assert_true(atomic_load(&state->core->checkpoint_position) > before);
    state_stop(state); /* nothing is in flight behind it */
    state_destroy(state);
}

/* On a full disk, after the last block that there was room for: the stop says so, and is done when there is room. */
static void a_stop_without_room_says_so_and_may_be_tried_again(void **unused)
{
    (void)unused;
    struct state *state = state_create(116);
    enum otpring_verdict verdict = OTPRING_REJECTED;
    os_sim_faults_set(state->world, &(struct os_sim_faults){.no_space_at = 1});
    for (int i = 0; i < 4000 && verdict != OTPRING_UNAVAILABLE; i++) verdict = state_verify(state, "acme", "nobody", 1);
    assert_int_equal(verdict, OTPRING_UNAVAILABLE);
    struct result stopped = core_finish(state->worker);
    if (result_failed(stopped)) assert_string_equal(result_name(stopped), "JOURNAL_NO_ROOM");
    os_sim_faults_set(state->world, &(struct os_sim_faults){0});
    os_sim_advance_ms(state->world, 60 * 1000);
    if (result_failed(stopped)) state_ok(core_finish(state->worker));
    state_drop(state);
    state_ok(state_open(state));
    state_destroy(state);
}

/* A name that is known is not journaled again; one that changed is, longer or of the same length. */
static void the_name_of_a_client_is_recorded_when_it_changes(void **unused)
{
    (void)unused;
    struct state *state = state_create(115);
    static const char *const names[] = {"first", "first", "other", "longer"};
    uint64_t positions[5] = {journal_status(state->core->journal).position_next};
    for (int i = 0; i < 4; i++) {
        struct core_client client = {.id = 9};
        snprintf(client.name, sizeof client.name, "%s", names[i]);
        state_ok(core_clients_name(state->worker, &client, 1));
        positions[i + 1] = journal_status(state->core->journal).position_next;
    }
    assert_true(positions[1] > positions[0] && positions[2] == positions[1]);
    assert_true(positions[3] > positions[2] && positions[4] > positions[3]);
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(companies_stand_beside_each_other_in_any_order),
        cmocka_unit_test(tokens_of_all_algorithms_share_the_stores_limit),
        cmocka_unit_test(a_seed_whose_counter_is_used_up_is_not_taken_again),
        cmocka_unit_test(a_change_that_is_full_takes_nothing_of_any_kind),
        cmocka_unit_test(a_record_has_so_many_rows_of_so_many_bytes),
        cmocka_unit_test(a_seed_of_a_size_that_cannot_be_is_refused_within_a_change),
        cmocka_unit_test(a_restore_leaves_each_token_at_least_as_closed_as_it_was),
        cmocka_unit_test(sessions_that_expired_go_with_the_next_checkpoint),
        cmocka_unit_test(delays_of_unknown_names_go_when_their_table_changes_its_size),
        cmocka_unit_test(what_is_not_checkpointed_or_not_sealed_is_not_pruned),
        cmocka_unit_test(the_store_may_know_of_a_record_that_the_journal_lost),
        cmocka_unit_test(what_a_configuration_leaves_out_is_filled_in),
        cmocka_unit_test(a_checkpoint_that_finds_no_room_in_the_store_is_made_later),
        cmocka_unit_test(a_stop_without_room_says_so_and_may_be_tried_again),
        cmocka_unit_test(the_name_of_a_client_is_recorded_when_it_changes),
        cmocka_unit_test(a_long_frame_is_folded_as_a_short_one),
        cmocka_unit_test(the_more_tokens_there_are_the_later_a_checkpoint_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
