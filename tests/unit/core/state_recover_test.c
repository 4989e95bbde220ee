/* Starts: after a clean stop, after a crash at any disk operation, from an older copy. */
#include "state_fixture.h"

enum { TOTP = 0, HOTP = 1, ACCOUNTS = 20 };

/* Engines that died with writes under way are left behind on purpose (state_crash); the leak checker does not look into
 * the locked memory that still points at their parts. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static void user_name(unsigned i, char ret[16])
{
    snprintf(ret, 16, "user%u", i);
}

static void accounts_add(struct state *state, uint32_t ordinals[ACCOUNTS])
{
    char user[16];
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        user_name(i, user);
        state_ok(state_add(state, "acme", user, HOTP, i, 0, &ordinals[i]));
    }
}

/* Words of all lines, as one string of bytes, to compare two engines by. */
static size_t words_of(struct state *state, uint64_t *ret, size_t most)
{
    size_t count = 0;
    struct table_hit hit;
    for (uint32_t line = 0; line < table_line_count(core_table(state->core), KERNEL_SHA1); line++) {
        assert_true(count + 3 <= most);
        if (!table_line(core_table(state->core), line, &hit)) continue;
        ret[count++] = atomic_load(&hit.tail->token);
        ret[count++] = atomic_load(&hit.tail->budget);
        ret[count++] = atomic_load(&hit.tail->flags) | (uint64_t)(uint8_t)atomic_load(&hit.tail->drift) << 8;
    }
    return count;
}

static void traffic(struct state *state)
{
    char user[16];
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        user_name(i, user);
        unsigned step = 1 + i % 4;
        assert_int_equal(state_verify(state, "acme", user, state_code(i, step)), OTPRING_ACCEPTED);
        if (i % 3 == 0) {
            assert_int_equal(state_verify(state, "acme", user, (state_code(i, 90) + 1) % 1000000), OTPRING_REJECTED);
        }
        if (i % 5 == 0) (void)state_verify(state, "nobody", user, 123456);
    }
}

static void a_checkpoint_equals_replaying_the_journal_from_zero(void **unused)
{
    (void)unused;
    static uint64_t plain[256], checkpointed[256], stopped[256];
    uint32_t ordinals[ACCOUNTS];
    size_t counts[3];
    for (int way = 0; way < 3; way++) {
        struct state *state = state_create(77);
        accounts_add(state, ordinals);
        if (way == 1) state_ok(core_checkpoint(state->worker));
        traffic(state);
        state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &ordinals[3], 1));
        if (way == 1) state_ok(core_checkpoint(state->worker));
        if (way == 2) {
            state_stop(state);
        } else {
            state_crash(state);
        }
        state_ok(state_open(state));
        counts[way] = words_of(state, way == 0 ? plain : way == 1 ? checkpointed : stopped, 256);
        assert_int_equal(state_floor(state, ordinals[2]), 4);
        state_destroy(state);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_int_equal(counts[0], counts[2]);
    assert_memory_equal(plain, checkpointed, counts[0] * sizeof(plain[0]));
    assert_memory_equal(plain, stopped, counts[0] * sizeof(plain[0]));
}

static void delays_of_unknown_names_outlive_crash_and_checkpoint(void **unused)
{
    (void)unused;
    struct state *state = state_create(5);
    for (int i = 0; i < 7; i++) (void)state_verify(state, "acme", "ghost", 1);
    assert_int_equal(state_verify(state, "acme", "ghost", 1), OTPRING_THROTTLED);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_verify(state, "acme", "ghost", 1), OTPRING_THROTTLED);
    state_stop(state);
    state_ok(state_open(state));
    assert_int_equal(state_verify(state, "acme", "ghost", 1), OTPRING_THROTTLED);
    state_destroy(state);
}

static void the_first_line_stays_first_whatever_its_ordinal(void **unused)
{
    (void)unused;
    struct state *state = state_create(6);
    struct otp_parameters long_hash = {.type = OTP_HOTP, .algorithm = KERNEL_SHA256, .digits = 6};
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    uint32_t first, second;
    uint16_t profile;
    uint8_t name[16];
    state_ok(core_profile_for(state->worker, &state_actor, &long_hash, &profile));
    state_ok(state_add(state, "acme", "ann", profile, 1, 0, &first));
    state_ok(state_add(state, "acme", "ann", HOTP, 2, 0, &second));
    assert_true(first > second);
    for (int i = 0; i < 3; i++) (void)state_verify(state, "acme", "ann", 1);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &first, 1));
    state_stop(state);
    state_ok(state_open(state));
    core_name("acme", 4, "ann", 3, name);
    assert_int_equal(table_find(core_table(state->core), name, hits), 2);
    assert_int_equal(hits[0].ordinal, first);
    assert_true(atomic_load(&hits[0].tail->flags) & TABLE_REMOVED);
    assert_int_equal(budget_failures(atomic_load(&hits[0].tail->budget), 0), 3);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(2, 0)), OTPRING_ACCEPTED);
    state_destroy(state);
}

/* ---- crashes ---- */

/* One life: everything that was told done must be there in the next. */
struct promised {
    bool accepted[8];
    bool suspended;
    bool removed;
    bool added;
    uint32_t ordinals[2];
};

static void life(struct state *state, struct promised *promised, bool *ret_over)
{
    uint32_t first = promised->ordinals[0];
    uint32_t ordinal;
    *ret_over = true;
    for (unsigned i = 0; i < 3; i++) {
        if (state_verify(state, "acme", "ann", state_code(1, i)) != OTPRING_ACCEPTED) return;
        promised->accepted[i] = true;
    }
    if (result_failed(state_add(state, "acme", "bob", HOTP, 2, 0, &ordinal))) return;
    promised->added = true;
    promised->ordinals[1] = ordinal;
    if (result_failed(core_checkpoint(state->worker))) return;
    for (unsigned i = 3; i < 6; i++) {
        if (state_verify(state, "acme", "ann", state_code(1, i)) != OTPRING_ACCEPTED) return;
        promised->accepted[i] = true;
    }
    if (result_failed(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &first, 1))) return;
    promised->suspended = true;
    if (result_failed(core_checkpoint(state->worker))) return;
    if (result_failed(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinal, 1))) return;
    promised->removed = true;
    *ret_over = os_sim_crashed(state->world);
}

static void promises_check(struct state *state, const struct promised *promised)
{
    struct table_hit hit = state_line(state, promised->ordinals[0]);
    bool suspended = atomic_load(&hit.tail->flags) & TABLE_SUSPENDED;
    if (promised->suspended) assert_true(suspended);
    if (suspended) {
        uint32_t ordinal = promised->ordinals[0];
        state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_RESUME, &ordinal, 1));
    }
    for (unsigned i = 0; i < 8; i++) {
        if (!promised->accepted[i]) continue;
        assert_true(state_floor(state, promised->ordinals[0]) > i);
        enum otpring_verdict verdict = state_verify(state, "acme", "ann", state_code(1, i));
        assert_int_not_equal(verdict, OTPRING_ACCEPTED);
        assert_int_not_equal(verdict, OTPRING_UNAVAILABLE);
    }
    if (promised->removed) {
        struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
        uint8_t name[16];
        core_name("acme", 4, "bob", 3, name);
        if (table_find(core_table(state->core), name, hits) > 0) {
            assert_true(atomic_load(&hits[0].tail->flags) & TABLE_REMOVED);
        }
        assert_int_equal(state_row(state, promised->ordinals[1]).state, TOKEN_REMOVED);
    } else if (promised->added) {
        assert_int_equal(state_row(state, promised->ordinals[1]).profile, HOTP);
    }
}

static void crash_at(uint64_t seed, uint64_t operation, bool *ret_over)
{
    struct state *state = state_create(seed);
    struct promised promised = {0};
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &promised.ordinals[0]));
    struct os_sim_faults faults = {.crash_at = operation};
    os_sim_faults_set(state->world, &faults);
    life(state, &promised, ret_over);
    os_sim_faults_set(state->world, &(struct os_sim_faults){0});
    state_crash(state);
    state_ok(state_open(state));
    promises_check(state, &promised);
    /* And once more, over what recovery itself wrote. */
    state_crash(state);
    state_ok(state_open(state));
    for (unsigned i = 0; i < 8; i++) {
        if (promised.accepted[i]) assert_true(state_floor(state, promised.ordinals[0]) > i);
    }
    state_destroy(state);
}

static void nothing_told_is_lost_by_a_crash_at_any_disk_operation(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        bool over = true;
        uint64_t operation = 1;
        for (; over && operation < 200; operation++) crash_at(seed * 1000 + operation, operation, &over);
        assert_false(over); /* the last run was not touched by its crash */
        assert_true(operation > 8);
    }
}

static void a_crash_during_recovery_loses_nothing_either(void **unused)
{
    (void)unused;
    for (uint64_t operation = 1; operation < 40; operation++) {
        struct state *state = state_create(operation);
        uint32_t ordinal;
        state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
        assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 4)), OTPRING_ACCEPTED);
        state_crash(state);
        os_sim_faults_set(state->world, &(struct os_sim_faults){.crash_at = operation});
        struct result opened = state_open(state);
        os_sim_faults_set(state->world, &(struct os_sim_faults){0});
        if (!result_failed(opened)) {
            state_crash(state);
        } else {
            os_sim_crash(state->world);
            store_memory_crash(state->store);
        }
        state_ok(state_open(state));
        assert_int_equal(state_floor(state, ordinal), 5);
        assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 4)), OTPRING_REPLAYED);
        state_destroy(state);
    }
}

/* ---- a torn tail ---- */

/* Damages the block at `position`, so that what stands behind it is a torn tail. */
static void block_damage(struct state *state, uint64_t position)
{
    char path[64];
    for (unsigned segment = 1; segment < 16; segment++) {
        uint64_t size = 0;
        snprintf(path, sizeof(path), "journal/%016x.seg", segment);
        uint8_t *bytes = os_sim_file(state->world, path, &size);
        for (uint64_t at = 4096; bytes && at + 4096 <= size; at += 4096) {
            struct journal_block_header *header = (struct journal_block_header *)(bytes + at);
            if (header->magic != JOURNAL_BLOCK_MAGIC || header->position != position) continue;
            bytes[at + 100] ^= 1;
            return;
        }
    }
    fail_msg("no block at this position");
}

static unsigned burns_in_journal(struct state *state)
{
    struct journal_reader_options options = {0};
    struct journal_reader *reader;
    struct journal_block_view view;
    unsigned burns = 0;
    state_ok(journal_reader_open(state->os, "journal", &options, &reader));
    while (!result_failed(journal_reader_next(reader, &view))) {
        const struct slot_act *act = (const struct slot_act *)view.slots;
        burns += act->kind == SLOT_ACT && act->act == ACT_BURN;
    }
    journal_reader_close(reader);
    return burns;
}

/* Two turns in flight at once: the second block does not know the first as committed, so damage to the first is a tear.
 * The first start after it dies at the given disk operation (0: not), and must not make the burned code good again. */
static void torn_tail_start(uint64_t crash_at_operation)
{
    struct state *state = state_create(21);
    uint32_t ann, bob;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ann));
    state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &bob));
    assert_true(state_session(state));
    uint64_t position = journal_durable_through(state->core->journal);
    assert_true(state_send(state, 0, "acme", "ann", state_code(1, 0)));
    assert_true(state_send(state, 1, "acme", "bob", state_code(2, 0)));
    assert_true(state_drain(state));
    state_crash(state);
    block_damage(state, position + 1);
    for (int start = 0; start < 3; start++) {
        os_sim_faults_set(state->world, &(struct os_sim_faults){.crash_at = start == 0 ? crash_at_operation : 0});
        if (result_failed(state_open(state))) {
            assert_int_equal(start, 0);
            os_sim_crash(state->world);
            store_memory_crash(state->store);
            continue;
        }
        assert_int_equal(state_floor(state, ann), 0); /* its record is gone: it was never answered */
        assert_int_equal(state_floor(state, bob), 1);
        if (crash_at_operation == 0) assert_true(burns_in_journal(state) > 0); /* burned again until a checkpoint */
        if (start == 2) assert_int_equal(state_verify(state, "acme", "bob", state_code(2, 0)), OTPRING_REPLAYED);
        if (start < 2) state_crash(state);
    }
    state_destroy(state);
}

static void a_code_found_past_the_torn_tail_is_never_accepted(void **unused)
{
    (void)unused;
    for (uint64_t operation = 0; operation < 50; operation++) torn_tail_start(operation);
}

/* As above, but that what stands behind the tear are two codes typed at the desk: used up in the record of an act. */
static void codes_typed_at_the_desk_past_the_torn_tail_are_never_accepted(void **unused)
{
    (void)unused;
    struct state *state = state_create(22);
    enum otpring_verdict verdict;
    uint32_t ann, bob;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ann));
    state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &bob));
    assert_true(state_session(state));
    uint64_t position = journal_durable_through(state->core->journal);
    assert_true(state_send(state, 0, "acme", "ann", state_code(1, 0)));
    state_ok(core_token_resync(state->worker, &state_actor, bob, state_code(2, 30), state_code(2, 31), 6, &verdict));
    assert_int_equal(verdict, OTPRING_ACCEPTED);
    assert_true(state_drain(state));
    state_crash(state);
    block_damage(state, position + 1);
    for (int start = 0; start < 2; start++) {
        state_ok(state_open(state));
        assert_int_equal(state_floor(state, ann), 0);
        assert_int_equal(state_floor(state, bob), 32);
        if (start == 0) state_crash(state);
    }
    assert_int_equal(state_verify(state, "acme", "bob", state_code(2, 31)), OTPRING_REPLAYED);
    assert_int_equal(state_verify(state, "acme", "bob", state_code(2, 32)), OTPRING_ACCEPTED);
    state_destroy(state);
}

/* ---- restored stores ---- */

static void restored_mark(struct state *state)
{
    struct store_txn *txn;
    state_ok(store_begin(state->store, true, &txn));
    state_ok(
        store_put(state->store, txn, STORE_META, bytes_of(META_RESTORED, strlen(META_RESTORED)), bytes_of("1", 1)));
    state_ok(store_commit(state->store, txn));
}

static void a_restored_store_opens_only_with_consent_and_a_time(void **unused)
{
    (void)unused;
    struct state *state = state_create(31);
    state_stop(state);
    restored_mark(state);
    state_is(state_open(state), STORE_RESTORED);
    state->options.take_over = true;
    state_is(state_open(state), STORE_RESTORED);
    state->options.restore_now_ms = ((int64_t)STATE_WALL_S + 5) * 1000;
    state_ok(state_open(state));
    state_stop(state);
    state->options.take_over = false;
    state->options.restore_now_ms = 0;
    state_ok(state_open(state)); /* taken over once is enough */
    state_destroy(state);
}

static void a_restored_store_refuses_a_time_that_cannot_be_the_present(void **unused)
{
    (void)unused;
    struct state *state = state_create(33);
    uint64_t now = STATE_WALL_S / 30;
    uint32_t totp;
    state_ok(state_add(state, "acme", "ann", TOTP, 1, 0, &totp));
    state_stop(state);
    restored_mark(state);
    state->options.take_over = true;
    const int64_t wrong_s[] = {5, STATE_WALL_S - 2 * 3600, STATE_WALL_S + (int64_t)400 * 24 * 3600};
    for (size_t i = 0; i < sizeof wrong_s / sizeof wrong_s[0]; i++) {
        state->options.restore_now_ms = wrong_s[i] * 1000;
        state_is(state_open(state), RESTORE_TIME);
    }
    /* A little early: the machine's clock counts. */
    state->options.restore_now_ms = ((int64_t)STATE_WALL_S - 600) * 1000;
    state_ok(state_open(state));
    assert_true(state_floor(state, totp) >= now + 5);
    assert_int_equal(state_verify(state, "acme", "ann", state_code(1, now)), OTPRING_REPLAYED);
    state_destroy(state);
}

static void a_restored_store_accepts_no_code_that_could_have_been_used_before(void **unused)
{
    (void)unused;
    for (int complete = 0; complete < 2; complete++) {
        struct state *state = state_create(32);
        uint64_t now = STATE_WALL_S / 30;
        uint32_t totp, hotp, fresh;
        state_ok(state_add(state, "acme", "ann", TOTP, 1, 0, &totp));
        state_ok(state_add(state, "acme", "bob", HOTP, 2, 0, &hotp));
        state_stop(state);
        restored_mark(state);
        state->options.take_over = true;
        state->options.restore_now_ms = (int64_t)STATE_WALL_S * 1000;
        state->options.restore_journal_complete = complete;
        state_ok(state_open(state));
        /* A resynchronisation may have set a drift of 20, and one from there have consumed two codes up to 21 ahead of
         * that: nothing up to now + 41 may be taken. */
        assert_int_equal(state_floor(state, totp), now + 42);
        assert_int_equal(state_verify(state, "acme", "ann", state_code(1, now)), OTPRING_REPLAYED);
        assert_int_equal(state_verify(state, "acme", "bob", state_code(2, 0)),
                         complete ? OTPRING_ACCEPTED : OTPRING_INACTIVE);
        state_ok(state_add(state, "acme", "cid", TOTP, 3, 0, &fresh));
        assert_int_equal(state_floor(state, fresh), now + 42); /* its seed may have been used too */
        state_crash(state);
        state->options.take_over = false;
        state_ok(state_open(state));
        assert_int_equal(state_floor(state, totp), now + 42);
        assert_int_equal(state_row(state, hotp).state, complete ? TOKEN_ACTIVE : TOKEN_UNSYNCED);
        for (uint64_t ahead = 0; ahead <= 21; ahead++) {
            enum otpring_verdict verdict;
            state_ok(core_token_resync(state->worker, &state_actor, totp, state_code(1, now + ahead),
                                       state_code(1, now + ahead + 1), 6, &verdict));
            assert_int_equal(verdict, OTPRING_REJECTED);
        }
        os_sim_advance_ms(state->world, 42 * 30 * 1000);
        assert_int_equal(state_verify(state, "acme", "ann", state_code(1, now + 42)), OTPRING_ACCEPTED);
        state_destroy(state);
    }
}

/* ---- what a checkpoint must not lose ---- */

static struct core_worker *late_worker;

/* The other worker hears of its durable block only while the checkpoint waits. */
static void answered_late(void *context, const struct core_answer *answer)
{
    state_answered(context, answer);
    core_poll(late_worker);
}

static struct core_worker *second_worker(struct state *state, struct os *os)
{
    struct core_worker *worker;
    struct core_worker_options options = {.os = os,
                                          .items_max = 256,
                                          .answered = state_answered,
                                          .hello_answered = state_hello_answered,
                                          .context = state};
    state_ok(core_worker_create(state->core, &options, &worker));
    return worker;
}

static void a_frame_durable_at_a_checkpoint_has_its_answers_kept_by_it(void **context)
{
    (void)context;
    struct state *state = state_create(71);
    struct core_worker *own = state->worker;
    struct otpring_wire_query query = {.code = state_code(2, 0), .digits = 6, .kind = OTPRING_QUERY_CODE};
    enum otpring_wire_error_code error = 0;
    uint32_t ordinal;
    uint8_t name[16];
    state_ok(state_add(state, "bank", "anna", 1, 1, 0, &ordinal));
    state_ok(state_add(state, "bank", "bert", 1, 2, 0, &ordinal));
    assert_true(state_session(state));
    struct os *late_os = os_sim_create(state->world);
    late_worker = second_worker(state, late_os);

    /* Two blocks; the second one is written first, so it becomes durable when the first one's worker hears of its own.
     */
    assert_true(state_send(state, 0, "bank", "anna", state_code(1, 0)));
    state->worker = late_worker;
    assert_true(state_send(state, 1, "bank", "bert", state_code(2, 0)));
    state->worker = own;
    for (int i = 0; i < 50; i++) state_ok(os_step(late_os, 1000000, NULL));
    uint64_t last = journal_status(state->core->journal).position_next - 1;
    assert_true(journal_durable_through(state->core->journal) < last);
    for (int i = 0; i < 1000 && journal_durable_through(state->core->journal) < last; i++)
        state_ok(os_step(state->worker_os, 1000000, NULL));
    assert_int_equal(journal_durable_through(state->core->journal), last);
    assert_false(core_drained(late_worker));
    own->options.answered = answered_late;
    state_ok(core_checkpoint(own));
    assert_true(atomic_load(&state->core->checkpoint_position) >= last);
    assert_true(core_drained(late_worker));
    uint64_t session = state->session;
    core_worker_destroy(late_worker);
    os_destroy(late_os);
    state_crash(state);

    state_ok(state_open(state));
    core_name("bank", 4, "bert", 4, name);
    memcpy(query.company, name, 8);
    memcpy(query.account, name + 8, 8);
    struct otpring_wire_header header = {.size = sizeof(header) + sizeof(query),
                                         .kind = OTPRING_WIRE_VERIFY,
                                         .count = 1,
                                         .session = session,
                                         .sequence = 1,
                                         .slot = 1};
    struct core_frame frame = {.header = &header, .items = &query, .client = &state_client, .owner = 3};
    assert_int_equal(core_frame(state->worker, &frame, &error), CORE_ANSWERED);
    assert_int_equal(state->answer.verdict, OTPRING_ACCEPTED);
    state_destroy(state);
}

/* Two algorithms, so two blocks, and each is a piece of its own; the machine dies behind the first or the second. */
static void a_checkpoint_in_pieces_lets_verification_and_acts_go_on_and_loses_nothing(void **context)
{
    (void)context;
    for (int pieces = 1; pieces <= 2; pieces++) {
        struct state *state = state_create(80 + (uint64_t)pieces);
        struct otp_parameters other = {.type = OTP_HOTP, .algorithm = KERNEL_SHA256, .digits = 6};
        uint16_t profile;
        uint32_t ann, bob, cat;
        state_stop(state);
        state->options.checkpoint_blocks = 1;
        state->options.checkpoint_bytes = 1;
        state_ok(state_open(state));
        state_ok(core_profile_for(state->worker, &state_actor, &other, &profile));
        state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ann));
        state_ok(state_add(state, "acme", "bob", profile, 2, 0, &bob));
        assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 0)), OTPRING_ACCEPTED);
        uint64_t before = atomic_load(&state->core->checkpoint_position);
        uint64_t durable = journal_durable_through(state->core->journal);
        for (int i = 0; i < pieces; i++) {
            bool more;
            assert_int_equal(atomic_load(&state->core->checkpoint_position), before);
            os_sim_advance_ms(state->world, 1000);
            state_ok(core_keep(state->worker, &more));
            if (i > 0) break;
            assert_int_equal(state_verify(state, "acme", "ann", state_code(1, 1)), OTPRING_ACCEPTED);
            state_ok(state_add(state, "acme", "cat", HOTP, 3, 0, &cat));
            assert_int_equal(state_verify(state, "acme", "cat", state_code(3, 0)), OTPRING_ACCEPTED);
        }
        assert_int_equal(atomic_load(&state->core->checkpoint_position), pieces == 2 ? durable : before);
        state_crash(state);
        state_ok(state_open(state));
        assert_int_equal(state_floor(state, ann), 2);
        assert_int_equal(state_floor(state, bob), 0);
        assert_int_equal(state_floor(state, cat), 1);
        state_destroy(state);
    }
}

static void a_drift_set_at_the_desk_after_the_checkpoint_outlives_a_crash(void **context)
{
    (void)context;
    struct state *state = state_create(72);
    enum otpring_verdict verdict;
    uint32_t ordinal;
    state_ok(state_add(state, "bank", "anna", 0, 1, 0, &ordinal));
    state_ok(core_checkpoint(state->worker));
    uint64_t step = (uint64_t)(os_time(state->os).wall_ms / 1000 / 30) + 15;
    state_ok(core_token_resync(state->worker, &state_actor, ordinal, state_code(1, step), state_code(1, step + 1), 6,
                               &verdict));
    assert_int_equal(verdict, OTPRING_ACCEPTED);
    int8_t drift = atomic_load(&state_line(state, ordinal).tail->drift);
    assert_int_equal(drift, 16);
    assert_int_equal(state_row(state, ordinal).drift, 16);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(atomic_load(&state_line(state, ordinal).tail->drift), 16);
    state_destroy(state);
}

/* Another worker's change of the words, whose record the crash loses. */
static void what_a_durable_verdict_rests_on_outlives_a_crash_with_it(void **context)
{
    (void)context;
    struct state *state = state_create(73);
    uint32_t replayed, locked;
    state_ok(state_add(state, "bank", "anna", 1, 1, 0, &replayed));
    state_ok(state_add(state, "bank", "bert", 1, 2, 0, &locked));
    assert_true(state_session(state));
    word_raise(&state_line(state, replayed).tail->token, token_word(1, 0));
    uint64_t budget = budget_word(STATE_WALL_S, 0, 20, 20);
    word_raise(&state_line(state, locked).tail->budget, budget);
    assert_int_equal(state_verify(state, "bank", "anna", state_code(1, 0)), OTPRING_REPLAYED);
    assert_int_equal(state_verify(state, "bank", "bert", state_code(2, 0)), OTPRING_THROTTLED);
    state_crash(state);
    state_ok(state_open(state));
    assert_int_equal(state_floor(state, replayed), 1);
    assert_true(atomic_load(&state_line(state, locked).tail->budget) == budget);
    state_destroy(state);
}

static void a_stop_makes_room_for_its_own_record(void **unused)
{
    (void)unused;
    struct state *state = state_create(97);
    enum otpring_verdict verdict = OTPRING_REJECTED;
    /* Nobody keeps house here: after so many blocks there is no room, and no spare is ready. */
    for (int i = 0; i < 2000 && verdict != OTPRING_UNAVAILABLE; i++) verdict = state_verify(state, "acme", "nobody", 1);
    assert_int_equal(verdict, OTPRING_UNAVAILABLE);
    state_stop(state);
    state_ok(state_open(state));
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_equals_replaying_the_journal_from_zero),
        cmocka_unit_test(delays_of_unknown_names_outlive_crash_and_checkpoint),
        cmocka_unit_test(a_frame_durable_at_a_checkpoint_has_its_answers_kept_by_it),
        cmocka_unit_test(a_checkpoint_in_pieces_lets_verification_and_acts_go_on_and_loses_nothing),
        cmocka_unit_test(a_drift_set_at_the_desk_after_the_checkpoint_outlives_a_crash),
        cmocka_unit_test(what_a_durable_verdict_rests_on_outlives_a_crash_with_it),
        cmocka_unit_test(the_first_line_stays_first_whatever_its_ordinal),
        cmocka_unit_test(nothing_told_is_lost_by_a_crash_at_any_disk_operation),
        cmocka_unit_test(a_crash_during_recovery_loses_nothing_either),
        cmocka_unit_test(a_code_found_past_the_torn_tail_is_never_accepted),
        cmocka_unit_test(codes_typed_at_the_desk_past_the_torn_tail_are_never_accepted),
        cmocka_unit_test(a_restored_store_opens_only_with_consent_and_a_time),
        cmocka_unit_test(a_restored_store_refuses_a_time_that_cannot_be_the_present),
        cmocka_unit_test(a_restored_store_accepts_no_code_that_could_have_been_used_before),
        cmocka_unit_test(a_stop_makes_room_for_its_own_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
