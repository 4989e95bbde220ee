/* What an enrolment does not let pass: statements of strangers, a token that came meanwhile, what a user began who has
 * left, a serial that is another token's. */
#include "enrol_fixture.h"

#include "otp/otp.h"

#define SEED_TEXT "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
static const uint8_t seed[20] = "12345678901234567890";

static void code_make(uint64_t counter, char ret_code[8])
{
    struct otp_parameters hotp = {.type = OTP_HOTP, .algorithm = KERNEL_SHA1, .digits = 6};
    snprintf(ret_code, 8, "%06u", otp_code(&hotp, seed, sizeof(seed), counter));
}

/* As a daemon serves them: by user id. */
static const char *code_as(struct fixture *fixture, uint32_t uid, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static const char *code_as(struct fixture *fixture, uint32_t uid, const char *format, ...)
{
    static char code[40];
    char request[2048], *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    assert_true(vsnprintf(request, sizeof(request), format, arguments) < (int)sizeof(request));
    va_end(arguments);
    for (char *at = request; *at; at++) {
        if (*at == '\'') *at = '"';
    }
    (void)admin_request(fixture->admin, uid, request, strlen(request), &text).code;
    json_t *answer = json_loads(text, 0, NULL);
    admin_text_free(text);
    snprintf(code, sizeof(code), "%s", json_is_true(json_object_get(answer, "ok")) ? "OK" : text_in(answer, "code"));
    json_decref(answer);
    return code;
}

static char *operator_make(struct fixture *fixture, const char *fields)
{
    json_t *answer = ask(fixture, "{'act':'operator.add',%s}", fields);
    char *key = strdup(text_in(answer, "key"));
    json_decref(answer);
    return key;
}

/* It is as good as a token: who may not add a token may not say that a password has passed either. */
static void nobody_but_an_auth_server_or_who_may_add_tokens_vouches_for_a_user(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    assert_answer(&fixture, "OK", "{'act':'user.add','company':'Demo Co','user':'boss'}");
    assert_answer(&fixture, "OK", "{'act':'user.set','company':'Demo Co','user':'boss','administrator':true}");
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_PRESENTED);
    free(operator_make(&fixture, "'name':'all','may':'all'"));
    char *may = operator_make(&fixture, "'name':'may','may':'engine'"),
         *few = operator_make(&fixture, "'name':'few','may':'users,tokens,read'"),
         *boss = operator_make(&fixture, "'name':'boss','company':'Demo Co','user':'boss'");
    fixture.admin->options.alone = false;
    fixture.admin->options.owner_uid = 77;
#define VOUCH "{'act':'enrol.vouch'," WHO
    assert_string_equal(code_as(&fixture, 78, VOUCH "}"), "OPERATOR");
    assert_string_equal(code_as(&fixture, 78, "{'act':'enrol.device','document':{}}"), "OPERATOR");
    assert_string_equal(code_as(&fixture, 78, VOUCH ",'operator':'boss','key':'%s'}", boss), "RULE");
    assert_string_equal(code_as(&fixture, 78, VOUCH ",'operator':'few','key':'%s'}", few), "RULE");
    assert_string_equal(code_as(&fixture, 78, VOUCH ",'operator':'may','key':'%s'}", boss), "OPERATOR");
    assert_string_equal(code_as(&fixture, 78, VOUCH ",'operator':'may','key':'%s'}", may), "OK");
    assert_string_equal(code_as(&fixture, 77, VOUCH "}"), "OK");
    fixture.admin->options.alone = true;
    free(may);
    free(few);
    free(boss);
    fixture_remove(&fixture);
}

static void an_operator_of_the_bank_needs_the_grant_for_tokens(void **state)
{
    (void)state;
    static const char *const acts[] = {"enrol.invite", "enrol.cancel", "enrol.rollback"};
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    device_make(&fixture, &account, "");
    free(operator_make(&fixture, "'name':'all','may':'all'"));
    char *few = operator_make(&fixture, "'name':'few','may':'users,stock,read'");
    fixture.admin->options.alone = false;
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(code_as(&fixture, 78, "{'act':'%s'," WHO ",'operator':'few','key':'%s'}", acts[i], few),
                            "RULE");
    }
    fixture.admin->options.alone = true;
    assert_state(&fixture, "invited");
    device_go(&fixture, &account, ACCOUNT_ACTIVE);
    fixture.admin->options.alone = false;
    assert_string_equal(code_as(&fixture, 78, "{'act':'%s'," WHO ",'operator':'few','key':'%s'}", acts[2], few),
                        "RULE");
    assert_string_equal(code_as(&fixture, 78, "{'act':'device.unbind','device':1,'operator':'few','key':'%s'}", few),
                        "RULE");
    fixture.admin->options.alone = true;
    assert_state(&fixture, "active");
    free(few);
    fixture_remove(&fixture);
}

static void a_token_given_since_the_invitation_is_asked_for_as_well(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    char statement[64], code[8];
    people_make(&fixture);
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_PRESENTED);
    assert_answer(&fixture, "OK", "{'act':'token.add'," WHO ",'type':'hotp','secret':'" SEED_TEXT "'}");
    statement_get(&fixture, statement);
    assert_document(&fixture, document_prove(&account, statement, ""), "ENROL_TOKEN_CODE");
    code_make(5000, code); /* far beyond the window */
    assert_document(&fixture, document_prove(&account, statement, code), "ENROL_TOKEN_CODE");
    assert_state(&fixture, "presented");
    code_make(0, code);
    assert_document(&fixture, document_prove(&account, statement, code), "OK");
    assert_state(&fixture, "proven");
    fixture_remove(&fixture);
}

static void enrolment_ends(struct fixture *fixture, enum account_state at, const char *act, const char *wanted)
{
    struct account account;
    device_make(fixture, &account, "");
    device_go(fixture, &account, at);
    assert_answer(fixture, "OK", "{'act':'%s'," WHO "}", act);
    assert_state(fixture, wanted);
    if (at > ACCOUNT_NEW) assert_document(fixture, document_bind(&account), "ENROL_OVER");
    if (at == ACCOUNT_NEW) assert_document(fixture, document_present(&account), "ENROL_CODE");
}

static void what_a_user_has_begun_ends_when_the_user_leaves_or_is_reset(void **state)
{
    (void)state;
    struct fixture fixture;
    people_make(&fixture);
    for (enum account_state at = ACCOUNT_NEW; at < ACCOUNT_ACTIVE; at++) {
        enrolment_ends(&fixture, at, "user.reset", "cancelled");
        enrolment_ends(&fixture, at, "user.deactivate", "cancelled");
        assert_answer(&fixture, "OK", "{'act':'user.reactivate'," WHO "}");
    }
    fixture_remove(&fixture);
}

static void a_reset_unbinds_the_device_and_removes_tokens_that_are_of_no_stock(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_ACTIVE);
    assert_answer(&fixture, "OK", "{'act':'token.add'," WHO ",'type':'hotp','secret':'" SEED_TEXT "'}");
    assert_answer(&fixture, "OK", "{'act':'user.reset'," WHO "}");
    assert_state(&fixture, "unbound");
    json_t *answer = ask(&fixture, "{'act':'device.list','company':'Demo Co'}");
    assert_string_equal(text_in(json_array_get(json_object_get(answer, "devices"), 0), "state"), "unbound");
    json_decref(answer);
    answer = ask(&fixture, "{'act':'device.list','company':'Demo Co','state':'bound'}");
    assert_int_equal(json_array_size(json_object_get(answer, "devices")), 0);
    json_decref(answer);
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'device.list','company':'Demo Co','state':'lost'}");
    answer = ask(&fixture, "{'act':'token.list'," WHO "}");
    assert_int_equal(json_array_size(json_object_get(answer, "tokens")), 0);
    json_decref(answer);
    answer = ask(&fixture, "{'act':'user.show'," WHO "}");
    assert_string_equal(text_in(json_object_get(answer, "user"), "code"), "required");
    json_decref(answer);
    assert_answer(&fixture, "RULE", "{'act':'enrol.rollback'," WHO "}");
    fixture_remove(&fixture);
}

/* Whoever is known by the name afterwards is somebody else. */
static void an_enrolment_does_not_outlive_the_person_who_is_erased(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_ACTIVE);
    assert_answer(&fixture, "OK", "{'act':'stock.lost','serial':'virtual-1'}");
    assert_answer(&fixture, "OK", "{'act':'user.deactivate'," WHO "}");
    assert_state(&fixture, "active");
    assert_answer(&fixture, "OK", "{'act':'user.erase'," WHO "}");
    assert_state(&fixture, "unbound");
    assert_answer(&fixture, "OK", "{'act':'user.add'," WHO ",'phone':'+573001234568'}");
    json_t *answer = ask(&fixture, "{'act':'device.list','company':'Demo Co'}");
    const json_t *device = json_array_get(json_object_get(answer, "devices"), 0);
    assert_string_equal(text_in(device, "state"), "unbound");
    assert_string_equal(text_in(device, "name"), ""); /* nobody can read any more what the phone was called */
    json_decref(answer);
    assert_document(&fixture, document_confirm(&account), "ENROL_OVER");
    fixture_remove(&fixture);
}

static void a_virtual_token_takes_another_serial_where_its_own_is_in_use(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    assert_answer(&fixture, "OK", "{'act':'stock.add','serial':'virtual-2','secret':'" SEED_TEXT "'}");
    device_make(&fixture, &account, "");
    device_go(&fixture, &account, ACCOUNT_ACTIVE);
    json_t *answer = ask(&fixture, "{'act':'stock.list','state':'assigned'}");
    const char *serial = text_in(json_array_get(json_object_get(answer, "tokens"), 0), "serial");
    assert_int_equal(strlen(serial), strlen("virtual-2-00000000"));
    assert_memory_equal(serial, "virtual-2-", 10);
    json_decref(answer);
    answer = ask(&fixture, "{'act':'stock.list','state':'ordered'}");
    assert_string_equal(text_in(json_array_get(json_object_get(answer, "tokens"), 0), "serial"), "virtual-2");
    json_decref(answer);
    fixture_remove(&fixture);
}

static void assert_devices(struct fixture *fixture, const char *first, const char *second)
{
    json_t *answer = ask(fixture, "{'act':'device.list','company':'Demo Co'}");
    const json_t *devices = json_object_get(answer, "devices");
    assert_string_equal(text_in(json_array_get(devices, 0), "state"), first);
    if (second) assert_string_equal(text_in(json_array_get(devices, 1), "state"), second);
    json_decref(answer);
}

/* The token of the first phone, whose code would be asked for, is suspended until that is past. */
static void second_phone_goes(struct fixture *fixture, struct account *account, enum account_state at)
{
    assert_answer(fixture, "OK", "{'act':'stock.suspend','serial':'virtual-1'}");
    device_make(fixture, account, ",'rollback_hours':1");
    device_go(fixture, account, ACCOUNT_PROVEN);
    assert_answer(fixture, "OK", "{'act':'stock.resume','serial':'virtual-1'}");
    device_go(fixture, account, at);
}

static void a_phone_can_be_unbound_while_the_next_one_is_enrolled(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account first, second;
    people_make(&fixture);
    device_make(&fixture, &first, ",'rollback_hours':1");
    device_go(&fixture, &first, ACCOUNT_ACTIVE);
    time_due(&fixture);
    assert_state(&fixture, "final");
    second_phone_goes(&fixture, &second, ACCOUNT_BINDING);
    assert_answer(&fixture, "OK", "{'act':'device.unbind','device':1}");
    assert_devices(&fixture, "unbound", NULL);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'device.unbind','device':1}");
    json_t *answer = ask(&fixture, "{'act':'stock.list'}");
    assert_string_equal(text_in(json_array_get(json_object_get(answer, "tokens"), 0), "state"), "retired");
    json_decref(answer);
    device_go(&fixture, &second, ACCOUNT_ACTIVE);
    assert_devices(&fixture, "unbound", "bound");
    fixture_remove(&fixture);
}

static void a_phone_that_another_came_after_is_bound_until_there_is_no_way_back(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account first, second;
    people_make(&fixture);
    device_make(&fixture, &first, ",'rollback_hours':1");
    device_go(&fixture, &first, ACCOUNT_ACTIVE);
    time_due(&fixture);
    second_phone_goes(&fixture, &second, ACCOUNT_ACTIVE);
    assert_devices(&fixture, "bound", "bound");
    time_due(&fixture);
    assert_state(&fixture, "final");
    assert_devices(&fixture, "unbound", "bound");
    fixture_remove(&fixture);
}

#define assert_rule(fixture, name, words, ...)                                                                         \
    do {                                                                                                               \
        json_t *answer_ = ask(fixture, __VA_ARGS__);                                                                   \
        assert_string_equal(text_in(answer_, "rule"), name);                                                           \
        assert_non_null(strstr(text_in(answer_, "error"), words));                                                     \
        json_decref(answer_);                                                                                          \
    } while (0)

static void every_condition_of_enrolments_refuses_in_its_own_words(void **state)
{
    (void)state;
    struct fixture fixture;
    struct account account;
    people_make(&fixture);
    assert_answer(&fixture, "OK", "{'act':'company.add','company':'Waiting'}");
    assert_answer(&fixture, "OK", "{'act':'user.add','company':'Waiting','user':'eva','phone':'+573001234567'}");
    assert_rule(&fixture, "SCHEME_ACTIVE", "scheme is not active",
                "{'act':'enrol.invite','company':'Waiting','user':'eva'}");
    assert_answer(&fixture, "OK", "{'act':'user.add','company':'Demo Co','user':'mute'}");
    assert_rule(&fixture, "PHONE_KNOWN", "no phone number", "{'act':'enrol.invite','company':'Demo Co','user':'mute'}");
    device_make(&fixture, &account, ",'overlap':'days','overlap_days':3,'rollback_hours':0");
    device_go(&fixture, &account, ACCOUNT_ACTIVE);
    assert_rule(&fixture, "PHYSICAL", "stays with its device", "{'act':'stock.take','serial':'virtual-1'}");
    assert_rule(&fixture, "ROLLBACK_OPEN", "can be taken back is over", "{'act':'enrol.rollback'," WHO "}");
    assert_answer(&fixture, "OK", "{'act':'user.deactivate'," WHO "}");
    assert_rule(&fixture, "NO_STEP", "is no step of an enrolment in the state active",
                "{'act':'enrol.invite'," WHO "}");
    assert_answer(&fixture, "OK", "{'act':'device.unbind','device':1}");
    assert_rule(&fixture, "USER_ACTIVE", "the user is not active", "{'act':'enrol.invite'," WHO "}");
    fixture_remove(&fixture);
}

static void enrolments_are_listed_page_by_page_and_by_state(void **state)
{
    (void)state;
    struct fixture fixture;
    char after[64] = "";
    size_t seen = 0, pages = 0;
    people_make(&fixture);
    for (int i = 0; i < 5; i++) {
        assert_answer(&fixture, "OK", "{'act':'user.add','company':'Demo Co','user':'u%d','phone':'+573001234567'}", i);
        assert_answer(&fixture, "OK", "{'act':'enrol.invite','company':'Demo Co','user':'u%d'}", i);
        if (i < 2) assert_answer(&fixture, "OK", "{'act':'enrol.cancel','company':'Demo Co','user':'u%d'}", i);
    }
    do {
        json_t *page = ask(&fixture, "{'act':'enrol.list','company':'Demo Co','limit':2%s}", after);
        seen += json_array_size(json_object_get(page, "enrolments"));
        const json_t *next = json_object_get(page, "next");
        snprintf(after, sizeof(after), json_is_string(next) ? ",'after':'%s'" : "%s",
                 json_is_string(next) ? json_string_value(next) : "");
        json_decref(page);
        pages++;
    } while (after[0]);
    assert_int_equal(seen, 5);
    assert_int_equal(pages, 3);
    json_t *list = ask(&fixture, "{'act':'enrol.list','company':'Demo Co','state':'cancelled'}");
    assert_int_equal(json_array_size(json_object_get(list, "enrolments")), 2);
    json_decref(list);
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'enrol.list','company':'Demo Co','state':'lost'}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'enrol.list','company':'Demo Co','after':'u1'}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'enrol.list','company':'Demo Co','after':'000000000000000G'}");
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'enrol.list','company':'Other'}");
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'enrol.status'," WHO "}");
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_but_an_auth_server_or_who_may_add_tokens_vouches_for_a_user),
        cmocka_unit_test(an_operator_of_the_bank_needs_the_grant_for_tokens),
        cmocka_unit_test(a_token_given_since_the_invitation_is_asked_for_as_well),
        cmocka_unit_test(what_a_user_has_begun_ends_when_the_user_leaves_or_is_reset),
        cmocka_unit_test(a_reset_unbinds_the_device_and_removes_tokens_that_are_of_no_stock),
        cmocka_unit_test(an_enrolment_does_not_outlive_the_person_who_is_erased),
        cmocka_unit_test(a_virtual_token_takes_another_serial_where_its_own_is_in_use),
        cmocka_unit_test(a_phone_can_be_unbound_while_the_next_one_is_enrolled),
        cmocka_unit_test(a_phone_that_another_came_after_is_bound_until_there_is_no_way_back),
        cmocka_unit_test(every_condition_of_enrolments_refuses_in_its_own_words),
        cmocka_unit_test(enrolments_are_listed_page_by_page_and_by_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
