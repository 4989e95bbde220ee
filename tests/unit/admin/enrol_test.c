/* Enrolments: what is due by itself, rows, and every step from every state. The device is otpring-token's own half. */
#include "enrol_fixture.h"

static void every_state_before_active_expires_and_says_so(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    for (enum account_state at = ACCOUNT_NEW; at < ACCOUNT_ACTIVE; at++) {
        device_make(&fixture, &account, "");
        device_go(&fixture, &account, at);
        time_pass(&fixture);
        /* By the step itself where it comes first, and by the tending where nothing comes. */
        if (at == ACCOUNT_NEW) {
            assert_document(&fixture, document_present(&account), "ENROL_CODE");
        } else {
            assert_document(&fixture, document_status(&account), "OK");
            assert_document(&fixture, document_bind(&account), "ENROL_OVER");
        }
        assert_state(&fixture, "expired");
    }
    fixture_remove(&fixture);
}

static void a_step_finds_out_itself_that_time_is_over(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_PROVEN);
    time_pass(&fixture);
    fixture.admin->tended_ms = os_time(fixture.engine->os).boot_ms; /* not yet its turn */
    assert_document(&fixture, document_bind(&account), "ENROL_OVER");
    assert_state(&fixture, "expired");
    fixture_remove(&fixture);
}

static void a_statement_older_than_five_minutes_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    char statement[64];
    people_make(&fixture);
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_PRESENTED);
    statement_get(&fixture, statement);
    assert_document(&fixture, document_prove(&account, "AAAAAAAAAAAAAAAAAAAAAA", ""), "ENROL_STATEMENT");
    device_step(&fixture, &account);
    /* Used: the one of before is none any more, and the step that was taken is answered again. */
    assert_document(&fixture, document_prove(&account, statement, ""), "OK");
    assert_answer(&fixture, "RULE", "{'act':'enrol.vouch'," WHO "}");
    fixture_remove(&fixture);
}

static void after_the_days_of_overlap_the_old_token_is_suspended_then_removed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    assert_answer(&fixture, "OK", "{'act':'token.add'," WHO ",'label':'old'}");
    assert_answer(&fixture, "OK", "{'act':'token.suspend'," WHO "}"); /* so that no code of it is asked for */
    device_make(&fixture, &account, ",'overlap':'days','overlap_days':3,'rollback_hours':1");
    device_go(&fixture, &account, ACCOUNT_PROVEN);
    assert_answer(&fixture, "OK", "{'act':'token.resume'," WHO "}");
    device_go(&fixture, &account, ACCOUNT_ACTIVE);
    static const char *const states[] = {"active", "suspended", "removed"};
    for (int i = 0; i < 3; i++) {
        json_t *answer = ask(&fixture, "{'act':'token.show','ordinal':0}");
        assert_string_equal(text_in(json_array_get(json_object_get(answer, "tokens"), 0), "state"), states[i]);
        json_decref(answer);
        assert_state(&fixture, i < 2 ? "active" : "final");
        if (i < 2) time_pass(&fixture);
        admin_tend(fixture.admin);
    }
    assert_answer(&fixture, "RULE", "{'act':'enrol.rollback'," WHO "}");
    fixture_remove(&fixture);
}

static void a_virtual_token_does_not_go_back_into_custody(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_ACTIVE);
    assert_answer(&fixture, "RULE", "{'act':'stock.take','serial':'virtual-1'}");
    assert_answer(&fixture, "OK", "{'act':'stock.suspend','serial':'virtual-1'}");
    assert_answer(&fixture, "OK", "{'act':'device.unbind','device':1}");
    fixture_remove(&fixture);
}

static void steps_before_their_state_are_refused_and_steps_taken_are_answered_again(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_PRESENTED);
    for (enum account_state at = ACCOUNT_PRESENTED; at <= ACCOUNT_ACTIVE; at++) {
        device_go(&fixture, &account, at);
        assert_document(&fixture, document_present(&account), "OK");
        bool may_bind = at >= ACCOUNT_PROVEN && at <= ACCOUNT_BOUND;
        if (at != ACCOUNT_PROVEN) assert_document(&fixture, document_bind(&account), may_bind ? "OK" : "RULE");
        if (at > ACCOUNT_BINDING) assert_document(&fixture, document_stored(&account), "OK");
        if (at < ACCOUNT_BINDING) assert_document(&fixture, document_stored(&account), "RULE");
        if (at < ACCOUNT_BOUND) assert_document(&fixture, document_confirm(&account), "RULE");
        if (at == ACCOUNT_ACTIVE) assert_document(&fixture, document_confirm(&account), "OK");
    }
    fixture_remove(&fixture);
}

/* A user with an HOTP token from `counter` on, a device that is to prove it, and the token's code of counter 0. */
static void hotp_presented(struct fixture *fixture, struct account *account, int counter, char ret_statement[64],
                           char ret_code[8])
{
    static const uint8_t seed[20] = "12345678901234567890";
    struct otp_parameters hotp = {.type = OTP_HOTP, .algorithm = KERNEL_SHA1, .digits = 6};
    people_make(fixture);
    assert_answer(fixture, "OK",
                  "{'act':'token.add'," WHO ",'type':'hotp','secret':'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ','counter':%d}",
                  counter);
    snprintf(ret_code, 8, "%06u", otp_code(&hotp, seed, sizeof(seed), 0));
    device_make(fixture, account, "");
    device_go(fixture, account, ACCOUNT_PRESENTED);
    statement_get(fixture, ret_statement);
}

/* ---- a crash between the code's verification and what follows from it ---- */

static const char *crash_code; /* the code that was verified */

/* The row as it stood when the process died: the code is noted, the enrolment is not proven. */
static struct result row_of_then(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    struct admin *admin = people->act->admin;
    uint8_t name[16];
    (void)ret_refusal;
    core_name("Demo Co", 7, "ana", 3, name);
    TRY(enrolling_open(people, NULL, NULL, name, &enrolling));
    enrolling.row.state = ENROLMENT_PRESENTED;
    enrolling.row.statement_until_ms = people->now_ms + 60000;
    enrolling.row.code_session = admin->verify.session;
    enrolling.row.code_sequence = admin->verify.sequence;
    enrol_mac(admin, ENROL_SECRET_CODE, enrolling.row.handle, crash_code, strlen(crash_code), enrolling.row.code_mac);
    return enrolling_put(&enrolling, DO_ENROL_CODE);
}

static void a_code_that_was_accepted_before_a_crash_is_not_replayed_after_it(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    char statement[64], code[8];
    hotp_presented(&fixture, &account, 0, statement, code);
    assert_document(&fixture, document_prove(&account, statement, ""), "ENROL_TOKEN_CODE");
    assert_document(&fixture, document_prove(&account, statement, code), "OK");
    for (int crashed = 0; crashed < 2; crashed++) {
        crash_code = code;
        struct act act = {.admin = fixture.admin, .request = json_object(), .answer = json_object()};
        admin_ok(enrol_change(&act, row_of_then));
        json_decref(act.request);
        json_decref(act.answer);
        if (crashed) {
            fixture_close(&fixture, false);
            admin_ok(fixture_open(&fixture));
        }
        assert_document(&fixture, document_prove(&account, statement, code), "OK");
        assert_state(&fixture, "proven");
    }
    fixture_remove(&fixture);
}

static void a_used_code_of_the_old_token_proves_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    char statement[64], code[8];
    hotp_presented(&fixture, &account, 1, statement, code);
    for (int i = 0; i < 2; i++) {
        json_t *answer = send_document(&fixture, document_prove(&account, statement, code));
        assert_string_equal(text_in(answer, "code"), "ENROL_TOKEN_CODE");
        assert_string_equal(text_in(answer, "verdict"), "REPLAYED");
        json_decref(answer);
    }
    assert_state(&fixture, "presented");
    fixture_remove(&fixture);
}

static void a_code_is_verified_although_the_turn_was_full_when_it_was_asked_for(void **state)
{
    (void)state;
    static const struct core_client other = {.id = 7, .name = "other"};
    static const struct otpring_wire_hello hello = {
        .version_min = OTPRING_WIRE_VERSION, .version_max = OTPRING_WIRE_VERSION, .slots = 1, .items_max = 1};
    struct fixture fixture;
    struct account account;
    char statement[64], code[8];
    hotp_presented(&fixture, &account, 0, statement, code);
    unsigned taken = 0;
    while (core_hello(fixture.worker, &hello, &other, UINT64_MAX) == CORE_TAKEN) taken++;
    assert_true(taken > 0);
    assert_int_equal(core_hello(fixture.worker, &hello, &other, UINT64_MAX), CORE_FULL);
    assert_document(&fixture, document_prove(&account, statement, code), "OK");
    fixture_remove(&fixture);
}

/* ---- rows ---- */

static struct enrolment_row row_make(void)
{
    struct enrolment_row row = {.number = 7,
                                .state = ENROLMENT_BOUND,
                                .overlap = OVERLAP_DAYS,
                                .days = 9,
                                .needs_code = true,
                                .tries = 3,
                                .profile = 5,
                                .old_count = 2,
                                .old = {11, 12},
                                .due_ms = 99,
                                .seed_size = 20};
    row.device.sign_key = (struct device_key){.algorithm = DEVICE_ES256, .size = 65, .bytes = {4, 1, 2}};
    strcpy(row.device.platform, "Test");
    row.device.about_size = 40;
    return row;
}

static void rows_come_back_and_every_cut_is_damage(void **state)
{
    (void)state;
    struct enrolment_row row = row_make(), back;
    struct device_row device = {.number = 3, .state = ENROL_DEVICE_BOUND, .device = row.device, .counter = 8},
                      device_back;
    uint8_t bytes[PEOPLE_ROW_MAX], again[PEOPLE_ROW_MAX];
    size_t size = enrol_row_encode(&row, bytes);
    admin_ok(enrol_row_decode((struct store_bytes){bytes, size}, &back));
    assert_int_equal(enrol_row_encode(&back, again), size);
    assert_memory_equal(again, bytes, size);
    for (size_t cut = 0; cut < size; cut++) {
        admin_is(enrol_row_decode((struct store_bytes){bytes, cut}, &back), STORE_DAMAGED);
    }
    bytes[9] = ENROLMENT_STATE_COUNT;
    admin_is(enrol_row_decode((struct store_bytes){bytes, size}, &back), STORE_DAMAGED);
    size = enrol_device_encode(&device, bytes);
    admin_ok(enrol_device_decode((struct store_bytes){bytes, size}, &device_back));
    assert_int_equal(device_back.counter, 8);
    for (size_t cut = 0; cut < size; cut++) {
        admin_is(enrol_device_decode((struct store_bytes){bytes, cut}, &device_back), STORE_DAMAGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_before_active_expires_and_says_so),
        cmocka_unit_test(a_step_finds_out_itself_that_time_is_over),
        cmocka_unit_test(a_statement_older_than_five_minutes_is_refused),
        cmocka_unit_test(after_the_days_of_overlap_the_old_token_is_suspended_then_removed),
        cmocka_unit_test(a_virtual_token_does_not_go_back_into_custody),
        cmocka_unit_test(steps_before_their_state_are_refused_and_steps_taken_are_answered_again),
        cmocka_unit_test(a_code_that_was_accepted_before_a_crash_is_not_replayed_after_it),
        cmocka_unit_test(a_used_code_of_the_old_token_proves_nothing),
        cmocka_unit_test(a_code_is_verified_although_the_turn_was_full_when_it_was_asked_for),
        cmocka_unit_test(rows_come_back_and_every_cut_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
