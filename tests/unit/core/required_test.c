/* May a user pass without a code? Gates put by changes, lines of the table, and what stands after a crash. */
#include "state_fixture.h"

#include "core/change.h"
#include "core/gate.h"

enum { TOTP = 0, HOTP = 1 };

static void name_of(const char *company, const char *user, uint8_t ret_name[16])
{
    core_name(company, strlen(company), user, strlen(user), ret_name);
    if (!*user) memset(ret_name + 8, 0, 8);
}

/* A change of one gate; GATE_NONE: removed. */
static void gate(struct state *state, const char *company, const char *user, enum core_gate gate)
{
    struct core_change *change;
    struct core_change_act act = {.name = "gate"};
    uint8_t name[16], value[GATE_ROW_SIZE];
    name_of(company, user, name);
    gate_encode(gate, value);
    state_ok(core_change_begin(state->worker, &state_actor, &change));
    state_ok(core_change_record(change, &act));
    state_ok(gate == GATE_NONE
                 ? core_change_erase(change, STORE_GATES, bytes_of(name, 16))
                 : core_change_put(change, STORE_GATES, bytes_of(name, 16), bytes_of(value, sizeof(value))));
    state_ok(core_change_commit(change));
}

static enum otpring_verdict asked(struct state *state, struct otpring_wire_query query,
                                  const struct core_client *client)
{
    struct otpring_wire_header header = {
        .size = sizeof(header) + sizeof(query), .kind = OTPRING_WIRE_VERIFY, .count = 1};
    struct core_frame frame = {.header = &header, .items = &query, .client = client, .owner = 2};
    enum otpring_wire_error_code error = 0;
    assert_true(state_session(state));
    header.session = state->session;
    header.sequence = ++state->sequences[0];
    assert_int_equal(core_frame(state->worker, &frame, &error), CORE_TAKEN);
    core_turn(state->worker);
    assert_true(state_drain(state));
    return state->answer.verdict;
}

static struct otpring_wire_query query_of(const char *company, const char *user)
{
    struct otpring_wire_query query = {.kind = OTPRING_QUERY_REQUIRED};
    uint8_t name[16];
    name_of(company, user, name);
    memcpy(query.company, name, 8);
    memcpy(query.account, name + 8, 8);
    return query;
}

#define assert_required(state, company, user, wanted, why)                                                             \
    do {                                                                                                               \
        assert_int_equal(asked(state, query_of(company, user), &state_client), OTPRING_##wanted);                      \
        assert_int_equal((state)->answer.reason, OTPRING_REASON_##why);                                                \
    } while (0)

static void a_user_who_ever_had_a_token_needs_a_code(void **unused)
{
    (void)unused;
    struct state *state = state_create(1);
    uint32_t ordinal;
    assert_required(state, "acme", "ann", UNAVAILABLE, NOT_KNOWN);
    assert_int_equal(state->answer.record, 0);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    assert_int_not_equal(state->answer.record, 0);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_SUSPEND, &ordinal, 1));
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    state_ok(core_token_change(state->worker, &state_actor, ACT_TOKEN_REMOVE, &ordinal, 1));
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    state_stop(state);
    state_ok(state_open(state));
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    assert_required(state, "acme", "bob", UNAVAILABLE, NOT_KNOWN);
    state_destroy(state);
}

static void a_gate_opens_and_the_next_token_closes_it(void **unused)
{
    (void)unused;
    struct state *state = state_create(2);
    uint32_t ordinal;
    gate(state, "acme", "", GATE_ENFORCED);
    gate(state, "acme", "ann", GATE_WAIVED);
    assert_required(state, "acme", "ann", NOT_REQUIRED, WAIVED);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    gate(state, "acme", "ann", GATE_WAIVED);
    assert_required(state, "acme", "ann", NOT_REQUIRED, WAIVED);
    state_crash(state);
    state_ok(state_open(state));
    assert_required(state, "acme", "ann", NOT_REQUIRED, WAIVED);
    state_ok(state_add(state, "acme", "ann", HOTP, 2, 0, &ordinal));
    state_crash(state);
    state_ok(state_open(state));
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    state_destroy(state);
}

static void a_pending_enrolment_needs_a_code_without_a_token(void **unused)
{
    (void)unused;
    struct state *state = state_create(3);
    gate(state, "acme", "", GATE_ENFORCED);
    gate(state, "acme", "ann", GATE_PENDING);
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    gate(state, "acme", "ann", GATE_NONE);
    assert_required(state, "acme", "ann", UNAVAILABLE, NOT_KNOWN);
    state_destroy(state);
}

static void nothing_is_enforced_before_the_scheme_is_active(void **unused)
{
    (void)unused;
    struct state *state = state_create(4);
    uint32_t ordinal;
    gate(state, "acme", "", GATE_WAITING);
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    assert_required(state, "acme", "ann", NOT_REQUIRED, SCHEME);
    assert_required(state, "acme", "anybody", NOT_REQUIRED, SCHEME);
    assert_required(state, "other", "ann", UNAVAILABLE, NOT_KNOWN);
    gate(state, "acme", "", GATE_ENFORCED);
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    assert_required(state, "acme", "anybody", UNAVAILABLE, NOT_KNOWN);
    state_destroy(state);
}

static void asking_charges_nothing_and_is_not_throttled(void **unused)
{
    (void)unused;
    struct state *state = state_create(5);
    uint32_t ordinal;
    state_ok(state_add(state, "acme", "ann", HOTP, 1, 0, &ordinal));
    for (int i = 0; i < 8; i++) (void)state_verify(state, "acme", "ann", 1);
    assert_int_equal(state_verify(state, "acme", "ann", 1), OTPRING_THROTTLED);
    uint64_t budget = atomic_load(&state_line(state, ordinal).tail->budget);
    assert_required(state, "acme", "ann", REQUIRED, NONE);
    assert_int_equal(atomic_load(&state_line(state, ordinal).tail->budget), budget);
    assert_int_equal(state_floor(state, ordinal), 0);
    state_destroy(state);
}

static void a_question_with_a_code_in_it_is_malformed(void **unused)
{
    (void)unused;
    struct state *state = state_create(6);
    struct otpring_wire_query query = query_of("acme", "ann");
    query.code = 1;
    assert_int_equal(asked(state, query, &state_client), OTPRING_MALFORMED);
    query = query_of("acme", "ann");
    query.digits = 6;
    assert_int_equal(asked(state, query, &state_client), OTPRING_MALFORMED);
    query = query_of("acme", "ann");
    query.flags = 1;
    assert_int_equal(asked(state, query, &state_client), OTPRING_MALFORMED);
    query = query_of("acme", "ann");
    query.source_class = 2;
    assert_int_equal(asked(state, query, &state_client), OTPRING_MALFORMED);
    query = query_of("acme", "ann");
    query.kind = 3;
    assert_int_equal(asked(state, query, &state_client), OTPRING_MALFORMED);
    state_destroy(state);
}

static void a_client_of_another_company_is_told_nothing(void **unused)
{
    (void)unused;
    struct state *state = state_create(7);
    struct core_client client = state_client;
    client.company_count = 1;
    gate(state, "acme", "ann", GATE_WAIVED);
    assert_int_equal(asked(state, query_of("acme", "ann"), &client), OTPRING_REJECTED);
    assert_int_equal(state->answer.reason, OTPRING_REASON_COMPANY);
    state_destroy(state);
}

/* As the set grows and loses entries, against a plain array. */
static void gates_are_found_among_many(void **unused)
{
    (void)unused;
    enum { NAMES = 20000 };
    static uint8_t wanted[NAMES];
    const uint8_t secret[32] = {7};
    struct gates *gates;
    uint64_t random = 1;
    state_ok(gates_create(secret, &gates));
    for (unsigned i = 0; i < 4 * NAMES; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t at = (uint32_t)(random >> 33) % NAMES;
        uint8_t name[16] = {0};
        store_le32(name, at);
        wanted[at] = (uint8_t)(random >> 40 & 3) + 1;
        if (wanted[at] == 1) wanted[at] = GATE_NONE;
        state_ok(gates_set(gates, name, wanted[at]));
    }
    for (uint32_t at = 0; at < NAMES; at++) {
        uint8_t name[16] = {0};
        store_le32(name, at);
        assert_int_equal(gates_get(gates, name), wanted[at]);
    }
    assert_true(gates_size(gates) < 4u << 20);
    gates_destroy(gates);
}

static void a_damaged_gate_stops_the_start(void **unused)
{
    (void)unused;
    struct state *state = state_create(8);
    struct store_txn *txn;
    uint8_t name[16] = {1}, value[2] = {1, 9};
    state_stop(state);
    state_ok(store_begin(state->store, true, &txn));
    state_ok(store_put(state->store, txn, STORE_GATES, bytes_of(name, 16), bytes_of(value, 2)));
    state_ok(store_commit(state->store, txn));
    state_is(state_open(state), STORE_DAMAGED);
    state_destroy(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_who_ever_had_a_token_needs_a_code),
        cmocka_unit_test(a_gate_opens_and_the_next_token_closes_it),
        cmocka_unit_test(a_pending_enrolment_needs_a_code_without_a_token),
        cmocka_unit_test(nothing_is_enforced_before_the_scheme_is_active),
        cmocka_unit_test(asking_charges_nothing_and_is_not_throttled),
        cmocka_unit_test(a_question_with_a_code_in_it_is_malformed),
        cmocka_unit_test(a_client_of_another_company_is_told_nothing),
        cmocka_unit_test(gates_are_found_among_many),
        cmocka_unit_test(a_damaged_gate_stops_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
