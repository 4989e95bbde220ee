/* What people are told of their tokens, users by the file, and what rules of thumb about persons must not miss. */
#include "admin/people.h"
#include "admin_fixture.h"

#include "otp/otp.h"

#define SEED_A "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
#define SEED_B "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
#define SEED_C "MZXW6YTBMZXW6YTBMZXW6YTBMZXW6YTB"
#define ACME "'company':'Acme'"

#define assert_fine(fixture, ...) assert_answer(fixture, "OK", __VA_ARGS__)

/* Refused by this rule, in these words. */
#define assert_rule(fixture, name, words, ...)                                                                         \
    do {                                                                                                               \
        json_t *answer_ = ask(fixture, __VA_ARGS__);                                                                   \
        assert_string_equal(text_in(answer_, "code"), "RULE");                                                         \
        assert_string_equal(text_in(answer_, "rule"), name);                                                           \
        assert_non_null(strstr(text_in(answer_, "error"), words));                                                     \
        json_decref(answer_);                                                                                          \
    } while (0)

static char *operator_make(struct fixture *fixture, const char *fields)
{
    json_t *answer = ask(fixture, "{'act':'operator.add',%s}", fields);
    char *key = strdup(text_in(answer, "key"));
    json_decref(answer);
    return key;
}

/* An administrator who can be reached, a user who cannot, and three tokens. */
static void world_make(struct fixture *fixture)
{
    fixture_make(fixture, 4096);
    assert_fine(fixture, "{'act':'company.add'," ACME "}");
    assert_fine(fixture, "{'act':'company.activate'," ACME ",'trained':'2020-02-29'}");
    assert_fine(fixture, "{'act':'user.add'," ACME ",'user':'boss','phone':'+34600123456','language':'en'}");
    assert_fine(fixture, "{'act':'user.set'," ACME ",'user':'boss','administrator':true}");
    assert_fine(fixture, "{'act':'stock.add-batch','type':'hotp','items':[['T-1','" SEED_A "'],['T-2','" SEED_B
                         "'],['T-3','" SEED_C "']]}");
    assert_fine(fixture, "{'act':'stock.give'," ACME ",'serials':['T-1','T-2','T-3']}");
}

/* The message that is due, settled; "" where none is. */
static void message_take(struct fixture *fixture, char ret_text[256])
{
    json_t *answer = ask(fixture, "{'act':'outbox.next','limit':1}");
    const json_t *message = json_array_get(json_object_get(answer, "messages"), 0);
    ret_text[0] = 0;
    if (message) {
        const json_t *fields = json_object_get(message, "fields");
        snprintf(ret_text, 256, "%s %s %s %s", text_in(message, "kind"), text_in(fields, "serial"),
                 text_in(message, "to"), text_in(message, "language"));
        assert_true(strtoll(text_in(fields, "when"), NULL, 10) > 1500000000);
        assert_fine(fixture, "{'act':'outbox.ack','number':%d}", (int)number_in(message, "number"));
    }
    json_decref(answer);
}

static void assert_message(struct fixture *fixture, const char *wanted)
{
    char text[256];
    message_take(fixture, text);
    assert_string_equal(text, wanted);
}

static void a_user_is_told_when_a_token_is_lost_or_replaced(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'stock.lost','serial':'T-3'}"); /* nobody's */
    assert_message(&fixture, "");
    assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-1'}");
    assert_message(&fixture, "");
    assert_fine(&fixture, "{'act':'stock.replace','serial':'T-1','by':'T-2'}");
    assert_message(&fixture, "token-replaced T-1 +34600123456 en");
    assert_fine(&fixture, "{'act':'stock.lost','serials':['T-2']}");
    assert_message(&fixture, "token-lost T-2 +34600123456 en");
    assert_message(&fixture, "");
    fixture_remove(&fixture);
}

static void a_reset_tells_of_each_token_that_goes(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-2'}");
    assert_fine(&fixture, "{'act':'user.reset'," ACME ",'user':'boss'}");
    assert_message(&fixture, "token-lost T-1 +34600123456 en");
    assert_message(&fixture, "token-lost T-2 +34600123456 en");
    assert_message(&fixture, "");
    fixture_remove(&fixture);
}

static void whom_nothing_reaches_is_not_told_and_loses_the_token_all_the_same(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-2'}");
    assert_fine(&fixture, "{'act':'user.set'," ACME ",'user':'boss','phone':''}");
    assert_fine(&fixture, "{'act':'stock.lost','serial':'T-1'}");
    assert_message(&fixture, "");
    /* Nor does a full outbox keep a lost token alive. */
    assert_fine(&fixture, "{'act':'user.set'," ACME ",'user':'boss','phone':'+34600123456'}");
    assert_fine(&fixture, "{'act':'outbox.put'," ACME
                          ",'user':'boss','kind':'access-alert','channel':'sms','fields':{'service':'x','when':'1'}}");
    fixture.admin->options.outbox_max = 1;
    assert_fine(&fixture, "{'act':'stock.lost','serial':'T-2'}");
    json_t *list = ask(&fixture, "{'act':'outbox.list'}");
    assert_int_equal(json_array_size(json_object_get(list, "messages")), 1);
    json_decref(list);
    list = ask(&fixture, "{'act':'stock.list','state':'lost'}");
    assert_int_equal(json_array_size(json_object_get(list, "tokens")), 2);
    json_decref(list);
    fixture_remove(&fixture);
}

/* The next one of that name gets none of them, and they hold up nobody. */
static void messages_to_a_person_die_when_the_person_is_erased(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'user.add'," ACME ",'user':'ann','phone':'+34600123457'}");
    for (int i = 0; i < 3; i++) {
        assert_fine(&fixture,
                    "{'act':'outbox.put'," ACME
                    ",'user':'%s','kind':'access-alert','channel':'sms','fields':{'service':'x','when':'1'}}",
                    i < 2 ? "ann" : "boss");
    }
    json_t *answer = ask(&fixture, "{'act':'outbox.next','limit':1}");
    json_decref(answer);
    assert_fine(&fixture, "{'act':'outbox.fail','failures':[{'number':1,'handed':1,'reason':'x','for_good':true}]}");
    assert_fine(&fixture, "{'act':'user.deactivate'," ACME ",'user':'ann'}");
    assert_fine(&fixture, "{'act':'user.erase'," ACME ",'user':'ann'}");
    assert_fine(&fixture, "{'act':'user.add'," ACME ",'user':'ann','phone':'+34600123458'}");
    answer = ask(&fixture, "{'act':'outbox.list','state':'dead'}");
    assert_int_equal(json_array_size(json_object_get(answer, "messages")), 2);
    json_decref(answer);
    /* One that an operator tries again all the same has nothing to say. */
    assert_fine(&fixture, "{'act':'outbox.retry','number':2}");
    answer = ask(&fixture, "{'act':'outbox.next'}");
    assert_int_equal(json_array_size(json_object_get(answer, "messages")), 1);
    assert_int_equal(number_in(json_array_get(json_object_get(answer, "messages"), 0), "number"), 3);
    json_decref(answer);
    answer = ask(&fixture, "{'act':'outbox.show','number':2}");
    assert_string_equal(text_in(json_object_get(answer, "message"), "reason"), "the person's data was erased");
    json_decref(answer);
    fixture_remove(&fixture);
}

static void many_users_are_added_each_taken_or_refused(void **unused)
{
    (void)unused;
    struct fixture fixture;
    char items[16384];
    size_t size = 0;
    world_make(&fixture);
    json_t *answer =
        ask(&fixture, "{'act':'user.add-batch'," ACME ",'items':[['ana','Ana Ruiz','+34 600-123 457','en'],['boss'],"
                      "['eva'],['raul','','123'],['lia','','','fr'],['zoe','','','','x'],[''],['leo','Leo',''],'x']}");
    assert_int_equal(number_in(answer, "added"), 3);
    const json_t *refused = json_object_get(answer, "refused");
    static const char *const codes[] = {"STORE_EXISTS", "BAD_NAME", "BAD_ARGUMENT", "BAD_JSON", "BAD_NAME", "BAD_JSON"};
    static const int indices[] = {1, 3, 4, 5, 6, 8};
    assert_int_equal(json_array_size(refused), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(text_in(json_array_get(refused, i), "code"), codes[i]);
        assert_int_equal(number_in(json_array_get(refused, i), "index"), indices[i]);
    }
    json_decref(answer);
    answer = ask(&fixture, "{'act':'user.show'," ACME ",'user':'ana'}");
    const json_t *user = json_object_get(answer, "user");
    assert_string_equal(text_in(user, "name"), "Ana Ruiz");
    assert_string_equal(text_in(user, "phone"), "+34600123457");
    assert_string_equal(text_in(user, "language"), "en");
    assert_string_equal(text_in(user, "code"), "not-required");
    json_decref(answer);
    /* More than one change's worth. */
    for (int i = 0; i < 200; i++)
        size += (size_t)sprintf(items + size, "%s['u%d','N','+34600123456']", i ? "," : "", i);
    answer = ask(&fixture, "{'act':'user.add-batch'," ACME ",'items':[%s]}", items);
    assert_int_equal(number_in(answer, "added"), 200);
    json_decref(answer);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'user.add-batch','company':'Other','items':[['a']]}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'user.add-batch'," ACME ",'items':[]}");
    fixture_remove(&fixture);
}

static void two_names_of_one_administrator_are_one_person(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'user.add'," ACME ",'user':'ann'}");
    assert_fine(&fixture, "{'act':'user.add'," ACME ",'user':'next'}");
    assert_fine(&fixture, "{'act':'user.set'," ACME ",'user':'next','administrator':true}");
    free(operator_make(&fixture, "'name':'all','may':'all'"));
    char *one = operator_make(&fixture, "'name':'boss'," ACME ",'user':'boss'"),
         *two = operator_make(&fixture, "'name':'boss-again'," ACME ",'user':'boss'"),
         *next = operator_make(&fixture, "'name':'next'," ACME ",'user':'next'");
    fixture.admin->options.alone = false;
    json_t *answer = ask(&fixture, "{'act':'user.reset'," ACME ",'user':'ann','operator':'boss','key':'%s'}", one);
    int number = (int)number_in(answer, "request");
    json_decref(answer);
    answer = ask(&fixture, "{'act':'request.confirm','request':%d,'operator':'boss-again','key':'%s'}", number, two);
    assert_string_equal(text_in(answer, "rule"), "OTHER_PERSON");
    json_decref(answer);
    assert_fine(&fixture, "{'act':'request.confirm','request':%d,'operator':'next','key':'%s'}", number, next);
    fixture.admin->options.alone = true;
    free(one);
    free(two);
    free(next);
    fixture_remove(&fixture);
}

static void operators_are_told_apart_by_their_whole_names(void **unused)
{
    (void)unused;
    enum { NAME_MAX_SIZE = PEOPLE_OPERATOR_NAME_MAX };
    struct fixture fixture;
    char name[NAME_MAX_SIZE + 2], fields[160];
    char *keys[2];
    world_make(&fixture);
    free(operator_make(&fixture, "'name':'all','may':'all'"));
    for (int i = 0; i < 2; i++) {
        memset(name, 'o', sizeof(name));
        name[NAME_MAX_SIZE - 1] = (char)('a' + i);
        name[NAME_MAX_SIZE] = 0;
        snprintf(fields, sizeof(fields), "'name':'%s','may':'read'", name);
        keys[i] = operator_make(&fixture, fields);
    }
    fixture.admin->options.alone = false;
    for (int i = 0; i < 2; i++) {
        name[NAME_MAX_SIZE - 1] = (char)('a' + i);
        assert_fine(&fixture, "{'act':'user.list'," ACME ",'operator':'%s','key':'%s'}", name, keys[i]);
        assert_answer(&fixture, "OPERATOR", "{'act':'user.list'," ACME ",'operator':'%s','key':'%s'}", name,
                      keys[1 - i]);
    }
    free(keys[0]);
    free(keys[1]);
    fixture.admin->options.alone = true;
    fixture_remove(&fixture);
}

static void every_condition_refuses_in_its_own_words(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_rule(&fixture, "COMPANY_USED", "its scheme begins when it is activated",
                "{'act':'company.add','company':'New','trained':'2020-01-01'}");
    assert_fine(&fixture, "{'act':'company.add','company':'New'}");
    assert_rule(&fixture, "TRAINED", "must have been trained", "{'act':'company.activate','company':'New'}");
    assert_fine(&fixture, "{'act':'user.add','company':'New','user':'eva'}");
    assert_rule(&fixture, "SAME_COMPANY", "custody of another company",
                "{'act':'stock.assign','company':'New','user':'eva','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.lost','serial':'T-3'}");
    assert_rule(&fixture, "HELD", "no user has this token", "{'act':'stock.replace','serial':'T-3','by':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-2'}");
    assert_fine(&fixture, "{'act':'company.suspend'," ACME "}");
    assert_rule(&fixture, "COMPANY_OPEN", "the company is suspended",
                "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-1'}");
    assert_rule(&fixture, "COMPANY_OPEN", "the company is suspended", "{'act':'user.add'," ACME ",'user':'x'}");
    fixture_remove(&fixture);
}

/* No request gets so far, since nobody sees another company: the rule stands behind that. */
static struct result judged_for_another(struct people *people)
{
    uint8_t other[16] = {1};
    unsigned next;
    return people_judge(people, MACHINE_USER, USER_ACTIVE, DO_USER_SET, other, UINT32_MAX & ~(1u << RULE_OWN_COMPANY),
                        &next);
}

static void an_administrator_is_judged_by_the_own_company_besides(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    struct act act = {.admin = fixture.admin,
                      .who = {.role = ROLE_COMPANY, .self = {2}},
                      .request = json_object(),
                      .answer = json_object()};
    admin_is(people_change(&act, judged_for_another), RULE);
    assert_string_equal(text_in(act.answer, "rule"), "OWN_COMPANY");
    json_decref(act.request);
    json_decref(act.answer);
    fixture_remove(&fixture);
}

/* As if it had been asked so many days ago. */
static struct result asked_long_ago(struct people *people)
{
    struct request_row row, before;
    TRY(people_request_get(people, 1, &row));
    before = row;
    row.asked_ms -= INT64_C(7) * 24 * 3600 * 1000;
    uint8_t account[16] = {0};
    TRY(people_record(people, DO_REQUEST_ASK, account, 1));
    return people_request_put(people, &before, &row);
}

static void a_request_of_last_week_is_confirmed_no_more(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    char *olga = operator_make(&fixture, "'name':'olga','may':'all'"),
         *otto = operator_make(&fixture, "'name':'otto','may':'all'");
    fixture.admin->options.alone = false;
    assert_fine(&fixture, "{'act':'user.reset'," ACME ",'user':'boss','operator':'olga','key':'%s'}", olga);
    fixture.admin->options.alone = true;
    struct act act = {.admin = fixture.admin, .request = json_object(), .answer = json_object()};
    admin_ok(people_change(&act, asked_long_ago));
    json_decref(act.request);
    json_decref(act.answer);
    fixture.admin->options.alone = false;
    assert_rule(&fixture, "IN_TIME", "the request has expired",
                "{'act':'request.confirm','request':1,'operator':'otto','key':'%s'}", otto);
    json_t *list = ask(&fixture, "{'act':'request.list','operator':'otto','key':'%s'}", otto);
    assert_string_equal(text_in(json_array_get(json_object_get(list, "requests"), 0), "state"), "expired");
    json_decref(list);
    assert_fine(&fixture, "{'act':'request.refuse','request':1,'operator':'otto','key':'%s'}", otto);
    fixture.admin->options.alone = true;
    free(olga);
    free(otto);
    fixture_remove(&fixture);
}

/* What came back may be given out again: its seed keeps the floor, and the next user gets none of its used codes. */
static void a_token_that_was_replaced_may_come_back_into_custody(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.replace','serial':'T-1','by':'T-2'}");
    assert_fine(&fixture, "{'act':'stock.take','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.replace','serial':'T-2','by':'T-1'}");
    json_t *answer = ask(&fixture, "{'act':'user.show'," ACME ",'user':'boss'}");
    const json_t *tokens = json_object_get(json_object_get(answer, "user"), "tokens");
    assert_int_equal(json_array_size(tokens), 2);
    assert_string_equal(text_in(json_array_get(tokens, 0), "serial"), "T-1");
    assert_string_equal(text_in(json_array_get(tokens, 0), "state"), "assigned");
    json_decref(answer);
    fixture_remove(&fixture);
}

static int8_t drift_at(struct fixture *fixture, uint32_t ordinal)
{
    struct table_hit hit;
    assert_true(table_line(core_table(fixture->engine->core), ordinal, &hit));
    return atomic_load(&hit.tail->drift);
}

static void a_tokens_clock_is_known_to_the_next_user_as_well(void **unused)
{
    (void)unused;
    enum { AHEAD = 9 }; /* steps: further than a single code reaches */
    static const uint8_t seed[20] = "12345678901234567890";
    struct otp_parameters totp = {.type = OTP_TOTP, .algorithm = KERNEL_SHA1, .digits = 6, .period_s = 300};
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_fine(&fixture, "{'act':'company.add'," ACME "}");
    assert_fine(&fixture, "{'act':'user.add'," ACME ",'user':'boss'}");
    assert_fine(&fixture, "{'act':'user.set'," ACME ",'user':'boss','administrator':true}");
    assert_fine(&fixture, "{'act':'stock.add','serial':'T-1','secret':'" SEED_A "','period':300}");
    assert_fine(&fixture, "{'act':'stock.give'," ACME ",'serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-1'}");
    assert_int_equal(drift_at(&fixture, 0), 0);
    uint64_t step = (uint64_t)otp_step(&totp, time(NULL)) + AHEAD;
    json_t *answer = ask(&fixture, "{'act':'token.resync','ordinal':0,'code':'%06u','code_next':'%06u'}",
                         otp_code(&totp, seed, sizeof(seed), step), otp_code(&totp, seed, sizeof(seed), step + 1));
    assert_string_equal(text_in(answer, "verdict"), "ACCEPTED");
    json_decref(answer);
    int8_t learned = drift_at(&fixture, 0);
    assert_in_range(learned, AHEAD, AHEAD + 1);
    assert_fine(&fixture, "{'act':'stock.take','serial':'T-1'}");
    for (int restarted = 0; restarted < 2; restarted++) {
        if (restarted) {
            fixture_close(&fixture, true);
            admin_ok(fixture_open(&fixture));
        } else {
            assert_fine(&fixture, "{'act':'stock.assign'," ACME ",'user':'boss','serial':'T-1'}");
        }
        assert_int_equal(drift_at(&fixture, 1), learned);
    }
    fixture_remove(&fixture);
}

static void an_old_list_ends_where_the_young_begin(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    json_t *list = ask(&fixture, "{'act':'stock.list','state':'custody','older_days':1,'limit':1}");
    assert_int_equal(json_array_size(json_object_get(list, "tokens")), 0);
    assert_true(json_is_null(json_object_get(list, "next")));
    json_decref(list);
    list = ask(&fixture, "{'act':'stock.list','state':'custody','older_days':0,'limit':1}");
    assert_int_equal(json_array_size(json_object_get(list, "tokens")), 1);
    assert_true(json_is_string(json_object_get(list, "next")));
    json_decref(list);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_told_when_a_token_is_lost_or_replaced),
        cmocka_unit_test(a_reset_tells_of_each_token_that_goes),
        cmocka_unit_test(whom_nothing_reaches_is_not_told_and_loses_the_token_all_the_same),
        cmocka_unit_test(messages_to_a_person_die_when_the_person_is_erased),
        cmocka_unit_test(many_users_are_added_each_taken_or_refused),
        cmocka_unit_test(two_names_of_one_administrator_are_one_person),
        cmocka_unit_test(operators_are_told_apart_by_their_whole_names),
        cmocka_unit_test(every_condition_refuses_in_its_own_words),
        cmocka_unit_test(an_administrator_is_judged_by_the_own_company_besides),
        cmocka_unit_test(a_request_of_last_week_is_confirmed_no_more),
        cmocka_unit_test(a_token_that_was_replaced_may_come_back_into_custody),
        cmocka_unit_test(a_tokens_clock_is_known_to_the_next_user_as_well),
        cmocka_unit_test(an_old_list_ends_where_the_young_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
