/* Companies, users, tokens of the stock, operators and requests, on a real store. */
#include "admin/people.h"
#include "admin_fixture.h"

#define SEED_A "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
#define SEED_B "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

/* Refused by this rule. */
#define assert_rule(fixture, rule, ...)                                                                                \
    do {                                                                                                               \
        json_t *answer_ = ask(fixture, __VA_ARGS__);                                                                   \
        assert_string_equal(text_in(answer_, "code"), "RULE");                                                         \
        assert_string_equal(text_in(answer_, "rule"), rule);                                                           \
        json_decref(answer_);                                                                                          \
    } while (0)

#define assert_fine(fixture, ...) assert_answer(fixture, "OK", __VA_ARGS__)

static const char *state_of(struct fixture *fixture, const char *serial)
{
    static char state[32];
    json_t *list = ask(fixture, "{'act':'stock.list'}");
    const json_t *token;
    size_t i;
    strcpy(state, "");
    json_array_foreach(json_object_get(list, "tokens"), i, token)
    {
        if (strcmp(text_in(token, "serial"), serial) == 0) strcpy(state, text_in(token, "state"));
    }
    json_decref(list);
    return state;
}

static char *operator_make(struct fixture *fixture, const char *name, const char *fields)
{
    json_t *answer = ask(fixture, "{'act':'operator.add','name':'%s'%s}", name, fields);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    char *key = strdup(text_in(answer, "key"));
    json_decref(answer);
    return key;
}

/* A company with its scheme active, an administrator and a user, and two tokens in its custody. */
static void world_make(struct fixture *fixture)
{
    fixture_make(fixture, 4096);
    assert_fine(fixture, "{'act':'company.add','company':'Acme'}");
    assert_fine(fixture, "{'act':'company.activate','company':'Acme','trained':'2020-02-29'}");
    assert_fine(fixture, "{'act':'user.add','company':'Acme','user':'ann','name':'Ann','phone':'+34 600-123 456'}");
    assert_fine(fixture, "{'act':'user.add','company':'Acme','user':'boss'}");
    assert_fine(fixture, "{'act':'user.set','company':'Acme','user':'boss','administrator':true}");
    assert_fine(fixture, "{'act':'stock.add','serial':'T-1','secret':'" SEED_A "','type':'hotp'}");
    assert_fine(fixture, "{'act':'stock.add','serial':'T-2','secret':'" SEED_B "','type':'hotp'}");
    assert_fine(fixture, "{'act':'stock.give','company':'Acme','serials':['T-1','T-2']}");
}

static void a_scheme_begins_when_its_people_have_been_trained(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_fine(&fixture, "{'act':'company.add','company':'Acme'}");
    assert_answer(&fixture, "STORE_EXISTS", "{'act':'company.add','company':'Acme'}");
    assert_rule(&fixture, "NO_STEP", "{'act':'company.suspend','company':'Acme'}");
    assert_rule(&fixture, "TRAINED", "{'act':'company.activate','company':'Acme'}");
    assert_rule(&fixture, "TRAINED", "{'act':'company.activate','company':'Acme','trained':'2999-01-01'}");
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'company.activate','company':'Acme','trained':'2023-02-29'}");
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'company.activate','company':'Acme','trained':'yesterday'}");
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'company.activate','company':'Other','trained':'2023-01-01'}");
    assert_fine(&fixture, "{'act':'company.activate','company':'Acme','trained':'2023-01-31','reason':'trained'}");
    json_t *shown = ask(&fixture, "{'act':'company.show','company':'Acme'}");
    const json_t *company = json_object_get(shown, "company");
    assert_string_equal(text_in(company, "state"), "active");
    assert_string_equal(text_in(company, "trained"), "2023-01-31");
    assert_string_equal(text_in(company, "active_by"), "owner");
    json_decref(shown);
    assert_fine(&fixture, "{'act':'company.suspend','company':'Acme'}");
    assert_fine(&fixture, "{'act':'company.activate','company':'Acme'}");
    fixture_remove(&fixture);
}

static void a_company_with_tokens_already_begins_active(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_fine(&fixture, "{'act':'token.add','company':'Old','user':'ann','secret':'" SEED_A "'}");
    assert_rule(&fixture, "COMPANY_FRESH", "{'act':'company.add','company':'Old'}");
    assert_fine(&fixture, "{'act':'company.add','company':'Old','trained':'2020-01-01'}");
    assert_fine(&fixture, "{'act':'user.add','company':'Old','user':'ann'}");
    json_t *shown = ask(&fixture, "{'act':'user.show','company':'Old','user':'ann'}");
    assert_string_equal(text_in(json_object_get(shown, "user"), "code"), "required");
    json_decref(shown);
    fixture_remove(&fixture);
}

static void a_token_goes_from_the_order_to_the_user_and_back(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_string_equal(state_of(&fixture, "T-1"), "custody");
    /* The bank arms the first administrator alone. */
    assert_rule(&fixture, "FIRST_ADMINISTRATOR", "{'act':'stock.assign','company':'Acme','user':'ann','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    assert_string_equal(state_of(&fixture, "T-1"), "assigned");
    assert_rule(&fixture, "NO_STEP", "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    assert_answer(&fixture, "IN_STOCK", "{'act':'token.remove','company':'Acme','user':'boss'}");
    assert_answer(&fixture, "IN_STOCK", "{'act':'company.purge','company':'Acme'}");
    assert_fine(&fixture, "{'act':'stock.suspend','serial':'T-1'}");
    assert_rule(&fixture, "NO_STEP", "{'act':'stock.suspend','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.resume','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.take','serial':'T-1'}");
    assert_string_equal(state_of(&fixture, "T-1"), "custody");
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.lost','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.replace','serial':'T-1','by':'T-2'}");
    assert_string_equal(state_of(&fixture, "T-1"), "replaced");
    assert_string_equal(state_of(&fixture, "T-2"), "assigned");
    assert_fine(&fixture, "{'act':'stock.retire','serial':'T-1'}");
    assert_answer(&fixture, "STORE_SEED_LIVE", "{'act':'stock.add','serial':'T-3','secret':'" SEED_A "'}");
    assert_answer(&fixture, "STORE_EXISTS",
                  "{'act':'stock.add','serial':'T-2','secret':'MZXW6YTBMZXW6YTBMZXW6YTBMZXW6YTB'}");
    fixture_close(&fixture, true);
    admin_ok(fixture_open(&fixture));
    assert_string_equal(state_of(&fixture, "T-1"), "retired");
    assert_string_equal(state_of(&fixture, "T-2"), "assigned");
    fixture_remove(&fixture);
}

static void a_first_code_makes_an_assigned_token_active(void **unused)
{
    (void)unused;
    struct fixture fixture;
    struct otp_parameters hotp = {.type = OTP_HOTP, .algorithm = KERNEL_SHA1, .digits = 6};
    uint8_t seed[32];
    size_t size;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    admin_ok(otp_base32_decode(SEED_A, strlen(SEED_A), seed, sizeof(seed), &size));
    assert_fine(&fixture, "{'act':'token.resync','company':'Acme','user':'boss','code':'%06u','code_next':'%06u'}",
                otp_code(&hotp, seed, size, 3), otp_code(&hotp, seed, size, 4));
    assert_string_equal(state_of(&fixture, "T-1"), "active");
    /* Its floor stays with the seed, whoever gets it next. */
    assert_fine(&fixture, "{'act':'stock.take','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    json_t *shown = ask(&fixture, "{'act':'token.show','company':'Acme','user':'boss'}");
    assert_int_equal(number_in(json_array_get(json_object_get(shown, "tokens"), 0), "floor"), 5);
    json_decref(shown);
    assert_string_equal(state_of(&fixture, "T-1"), "assigned");
    fixture_remove(&fixture);
}

static void a_user_who_leaves_takes_nothing_along(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'token.add','company':'Acme','user':'boss'}");
    assert_rule(&fixture, "NO_STEP", "{'act':'user.erase','company':'Acme','user':'boss'}");
    assert_fine(&fixture, "{'act':'user.deactivate','company':'Acme','user':'boss'}");
    json_t *live = ask(&fixture, "{'act':'token.list','company':'Acme','state':'active'}");
    assert_int_equal(json_array_size(json_object_get(live, "tokens")), 0);
    json_decref(live);
    assert_string_equal(state_of(&fixture, "T-1"), "suspended");
    assert_rule(&fixture, "USER_ACTIVE", "{'act':'stock.resume','serial':'T-1'}");
    assert_rule(&fixture, "USER_ACTIVE", "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-2'}");
    assert_rule(&fixture, "NO_TOKENS", "{'act':'user.erase','company':'Acme','user':'boss'}");
    assert_fine(&fixture, "{'act':'stock.take','serial':'T-1'}");
    assert_rule(&fixture, "NO_TOKENS", "{'act':'user.erase','company':'Acme','user':'boss'}");
    assert_fine(&fixture, "{'act':'token.remove','company':'Acme','user':'boss'}");
    assert_fine(&fixture, "{'act':'user.erase','company':'Acme','user':'boss'}");
    assert_rule(&fixture, "NO_STEP", "{'act':'user.set','company':'Acme','user':'boss','name':'x'}");
    fixture_remove(&fixture);
}

static void a_persons_data_opens_until_it_is_erased(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    json_t *shown = ask(&fixture, "{'act':'user.show','company':'Acme','user':'ann'}");
    assert_string_equal(text_in(json_object_get(shown, "user"), "name"), "Ann");
    assert_string_equal(text_in(json_object_get(shown, "user"), "phone"), "+34600123456");
    json_decref(shown);
    static const char *const bad[] = {"600123456", "+12", "+0600123456", "+1234567890123456", "+34x00123456"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_answer(&fixture, "BAD_NAME", "{'act':'user.set','company':'Acme','user':'ann','phone':'%s'}", bad[i]);
    }
    assert_fine(&fixture, "{'act':'user.set','company':'Acme','user':'ann','phone':'+34600654321'}");
    assert_fine(&fixture, "{'act':'user.deactivate','company':'Acme','user':'ann'}");
    assert_fine(&fixture, "{'act':'user.erase','company':'Acme','user':'ann'}");
    shown = ask(&fixture, "{'act':'user.show','company':'Acme','user':'ann'}");
    assert_string_equal(text_in(json_object_get(shown, "user"), "name"), "");
    assert_string_equal(text_in(json_object_get(shown, "user"), "state"), "erased");
    json_decref(shown);
    /* Who comes back is another person as far as this is concerned. */
    assert_fine(&fixture, "{'act':'user.add','company':'Acme','user':'ann','name':'Ann II'}");
    shown = ask(&fixture, "{'act':'user.show','company':'Acme','user':'ann'}");
    assert_string_equal(text_in(json_object_get(shown, "user"), "name"), "Ann II");
    assert_string_equal(text_in(json_object_get(shown, "user"), "phone"), "");
    json_decref(shown);
    fixture_remove(&fixture);
}

static void a_release_says_why_and_ends_with_the_next_token(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'user.release','company':'Acme','user':'boss'}");
    assert_fine(&fixture, "{'act':'user.release','company':'Acme','user':'boss','reason':'token on its way'}");
    json_t *shown = ask(&fixture, "{'act':'user.show','company':'Acme','user':'boss'}");
    assert_string_equal(text_in(json_object_get(shown, "user"), "code"), "not-required");
    json_decref(shown);
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-2'}");
    shown = ask(&fixture, "{'act':'user.show','company':'Acme','user':'boss'}");
    assert_string_equal(text_in(json_object_get(shown, "user"), "code"), "required");
    json_decref(shown);
    fixture_remove(&fixture);
}

#define assert_code(fixture, user, wanted)                                                                             \
    do {                                                                                                               \
        json_t *shown_ = ask(fixture, "{'act':'user.show','company':'Acme','user':'" user "'}");                       \
        assert_string_equal(text_in(json_object_get(shown_, "user"), "code"), wanted);                                 \
        json_decref(shown_);                                                                                           \
    } while (0)

static void an_inactive_user_does_not_pass_without_a_code(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_code(&fixture, "ann", "not-required");
    assert_fine(&fixture, "{'act':'user.deactivate','company':'Acme','user':'ann'}");
    assert_code(&fixture, "ann", "not-known");
    assert_fine(&fixture, "{'act':'user.reactivate','company':'Acme','user':'ann'}");
    assert_code(&fixture, "ann", "not-required");
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    assert_fine(&fixture, "{'act':'user.release','company':'Acme','user':'boss','reason':'r'}");
    assert_fine(&fixture, "{'act':'user.deactivate','company':'Acme','user':'boss'}");
    assert_code(&fixture, "boss", "required");
    assert_fine(&fixture, "{'act':'user.reactivate','company':'Acme','user':'boss'}");
    assert_code(&fixture, "boss", "required");
    fixture_remove(&fixture);
}

static void nothing_of_a_change_stays_when_one_of_its_tokens_is_refused(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'stock.lost','serials':['T-1','none']}");
    assert_string_equal(state_of(&fixture, "T-1"), "custody");
    assert_answer(&fixture, "STORE_EXISTS",
                  "{'act':'stock.add-batch','items':[['N-1','MZXW6YTBMZXW6YTBMZXW6YTBMZXW6YTB'],"
                  "['T-1','MFRGGZDFMFRGGZDFMFRGGZDFMFRGGZDF']]}");
    assert_string_equal(state_of(&fixture, "N-1"), "");
    fixture_remove(&fixture);
}

static void a_bulk_assignment_takes_or_refuses_each_line(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    json_t *answer = ask(&fixture, "{'act':'stock.assign-batch','company':'Acme','items':[['boss','T-1'],['ann','T-2'],"
                                   "['nobody','T-2'],['x']]}");
    assert_int_equal(number_in(answer, "assigned"), 1);
    const json_t *refused = json_object_get(answer, "refused");
    assert_int_equal(json_array_size(refused), 3);
    assert_string_equal(text_in(json_array_get(refused, 0), "rule"), "FIRST_ADMINISTRATOR");
    assert_string_equal(text_in(json_array_get(refused, 1), "code"), "STORE_NOT_FOUND");
    assert_null(json_object_get(json_array_get(refused, 1), "rule"));
    assert_string_equal(text_in(json_array_get(refused, 2), "code"), "BAD_JSON");
    json_decref(answer);
    assert_string_equal(state_of(&fixture, "T-2"), "custody");
    fixture_remove(&fixture);
}

static void a_bulk_of_many_goes_in_few_changes_and_a_token_goes_to_one_user(void **unused)
{
    (void)unused;
    enum { USERS = 150 };
    struct fixture fixture;
    char items[8192] = "", adds[16384] = "";
    world_make(&fixture);
    free(operator_make(&fixture, "olga", ",'may':'all'"));
    char *key = operator_make(&fixture, "boss", ",'company':'Acme','user':'boss'");
    for (int i = 0; i < USERS; i++) {
        char secret[33];
        uint8_t seed[20] = {(uint8_t)i, 1};
        admin_ok(otp_base32_encode(seed, sizeof(seed), secret, sizeof(secret)));
        assert_fine(&fixture, "{'act':'user.add','company':'Acme','user':'m%d'}", i);
        sprintf(adds + strlen(adds), "%s['B%d','%s']", i ? "," : "", i, secret);
        sprintf(items + strlen(items), "%s['m%d','B%d']", i ? "," : "", i, i / 2 * 2);
    }
    assert_fine(&fixture, "{'act':'stock.add-batch','type':'hotp','items':[%s]}", adds);
    for (int i = 0; i < USERS; i++) assert_fine(&fixture, "{'act':'stock.give','company':'Acme','serial':'B%d'}", i);
    uint64_t before = journal_status(fixture.engine->core->journal).position_next;
    json_t *answer =
        ask(&fixture, "{'act':'stock.assign-batch','company':'Acme','items':[%s],'operator':'boss','key':'%s'}", items,
            key);
    uint64_t blocks = journal_status(fixture.engine->core->journal).position_next - before;
    assert_int_equal(number_in(answer, "assigned"), USERS / 2);
    const json_t *refused = json_object_get(answer, "refused");
    assert_int_equal(json_array_size(refused), USERS / 2);
    for (size_t i = 0; i < USERS / 2; i++) {
        assert_int_equal(number_in(json_array_get(refused, i), "index"), 2 * i + 1);
        assert_string_equal(text_in(json_array_get(refused, i), "rule"), "NO_STEP");
    }
    assert_true(blocks <= 8);
    json_decref(answer);
    assert_string_equal(state_of(&fixture, "B0"), "assigned");
    free(key);
    fixture_remove(&fixture);
}

static void lists_go_page_by_page_through_all(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    for (int i = 0; i < 25; i++) assert_fine(&fixture, "{'act':'user.add','company':'Acme','user':'u%02d'}", i);
    char after[256] = "";
    unsigned users = 0, pages = 0;
    char last[64] = "";
    do {
        json_t *page = after[0] ? ask(&fixture, "{'act':'user.list','company':'Acme','limit':4,'after':'%s'}", after)
                                : ask(&fixture, "{'act':'user.list','company':'Acme','limit':4}");
        const json_t *user;
        size_t i;
        json_array_foreach(json_object_get(page, "users"), i, user)
        {
            assert_true(strcmp(last, text_in(user, "user")) < 0); /* in order of name */
            snprintf(last, sizeof(last), "%s", text_in(user, "user"));
            users++;
        }
        pages++;
        const json_t *next = json_object_get(page, "next");
        snprintf(after, sizeof(after), "%s", json_is_null(next) ? "" : json_string_value(next));
        json_decref(page);
    } while (after[0]);
    assert_int_equal(users, 27);
    assert_int_equal(pages, 7);
    assert_answer(&fixture, "BAD_JSON", "{'act':'user.list','company':'Acme','after':'4e00'}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'user.list','company':'Acme','after':'zz'}");
    json_t *inactive = ask(&fixture, "{'act':'user.list','company':'Acme','state':'inactive'}");
    assert_int_equal(json_array_size(json_object_get(inactive, "users")), 0);
    json_decref(inactive);
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'user.list','company':'Acme','state':'custody'}");
    fixture_remove(&fixture);
}

/* ---- operators ---- */

/* As a daemon serves: operators are asked for. */
static void served(struct fixture *fixture, bool by_daemon)
{
    admin_destroy(fixture->admin);
    struct admin_options admin = {.engine = fixture->engine,
                                  .worker = fixture->worker,
                                  .os = fixture->engine->os,
                                  .alone = !by_daemon,
                                  .owner_uid = 77};
    admin_ok(admin_create(&admin, &fixture->admin));
}

static void an_operator_needs_the_key_the_user_id_and_the_grant(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    served(&fixture, true);
    assert_fine(&fixture, "{'act':'company.add','company':'before'}"); /* nobody is named yet */
    char *all = operator_make(&fixture, "olga", ",'may':'all'");
    served(&fixture, false);
    char *some = operator_make(&fixture, "otto", ",'may':'stock,read'");
    char *other = operator_make(&fixture, "omar", ",'may':'all','uid':77");
    served(&fixture, true);
    assert_answer(&fixture, "OPERATOR", "{'act':'company.add','company':'B'}");
    assert_fine(&fixture, "{'act':'company.add','company':'B','operator':'olga','key':'%s'}", all);
    assert_answer(&fixture, "OPERATOR", "{'act':'company.add','company':'C','operator':'olga','key':'%s'}", some);
    assert_answer(&fixture, "OPERATOR", "{'act':'company.add','company':'C','operator':'none','key':'%s'}", all);
    assert_answer(&fixture, "BAD_JSON", "{'act':'company.add','company':'C','operator':'olga'}");
    assert_answer(&fixture, "OPERATOR", "{'act':'company.add','company':'C','operator':'omar','key':'%s'}", other);
    assert_rule(&fixture, "GRANT", "{'act':'company.add','company':'C','operator':'otto','key':'%s'}", some);
    assert_rule(&fixture, "GRANT", "{'act':'checkpoint','operator':'otto','key':'%s'}", some);
    assert_fine(&fixture, "{'act':'stock.list','operator':'otto','key':'%s'}", some);
    assert_rule(&fixture, "NOT_SELF",
                "{'act':'operator.grant','name':'olga','may':'read','operator':'olga','key':'%s'}", all);
    assert_fine(&fixture, "{'act':'operator.grant','name':'otto','state':'disabled','operator':'olga','key':'%s'}",
                all);
    assert_answer(&fixture, "OPERATOR", "{'act':'stock.list','operator':'otto','key':'%s'}", some);
    json_t *list = ask(&fixture, "{'act':'operator.list','state':'disabled','operator':'olga','key':'%s'}", all);
    assert_int_equal(json_array_size(json_object_get(list, "operators")), 1);
    assert_string_equal(text_in(json_array_get(json_object_get(list, "operators"), 0), "name"), "otto");
    json_decref(list);
    free(all);
    free(some);
    free(other);
    fixture_remove(&fixture);
}

static const char *code_as(struct fixture *fixture, uint32_t uid, const char *request)
{
    static char code[40];
    char *text = NULL;
    (void)admin_request(fixture->admin, uid, request, strlen(request), &text).code;
    json_t *answer = json_loads(text, 0, NULL);
    admin_text_free(text);
    snprintf(code, sizeof(code), "%s", json_is_true(json_object_get(answer, "ok")) ? "OK" : text_in(answer, "code"));
    json_decref(answer);
    return code;
}

static void without_operators_the_daemon_serves_its_owner_and_root(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    served(&fixture, true);
    static const char list[] = "{\"act\":\"company.list\"}", status[] = "{\"act\":\"status\"}";
    assert_string_equal(code_as(&fixture, 0, list), "OK");
    assert_string_equal(code_as(&fixture, 77, list), "OK");
    assert_string_equal(code_as(&fixture, 78, list), "OPERATOR");
    assert_string_equal(code_as(&fixture, 78, status), "OPERATOR");
    free(operator_make(&fixture, "olga", ",'may':'all'"));
    assert_string_equal(code_as(&fixture, 77, list), "OPERATOR");
    assert_string_equal(code_as(&fixture, 77, status), "OK");
    fixture_remove(&fixture);
}

static void somebody_is_left_who_may_grant(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_rule(&fixture, "NOT_LAST", "{'act':'operator.add','name':'first','may':'users,read'}");
    free(operator_make(&fixture, "olga", ",'may':'all'"));
    assert_rule(&fixture, "NOT_LAST", "{'act':'operator.grant','name':'olga','may':'read'}");
    assert_rule(&fixture, "NOT_LAST", "{'act':'operator.grant','name':'olga','state':'disabled'}");
    free(operator_make(&fixture, "otto", ",'may':'operators'"));
    assert_fine(&fixture, "{'act':'operator.grant','name':'olga','may':'read'}");
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'operator.grant','name':'olga','may':'everything'}");
    fixture_remove(&fixture);
}

static void an_administrator_sees_the_own_company_alone(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'company.add','company':'Other'}");
    assert_fine(&fixture, "{'act':'user.add','company':'Other','user':'ann'}");
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'operator.add','name':'ann','company':'Acme','user':'ann'}");
    free(operator_make(&fixture, "olga", ",'may':'all'"));
    char *key = operator_make(&fixture, "boss", ",'company':'Acme','user':'boss'");
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    served(&fixture, true);
#define AS_BOSS ",'operator':'boss','key':'%s'}", key
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'ann','serial':'T-2'" AS_BOSS);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'user.show','company':'Other','user':'ann'" AS_BOSS);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'user.deactivate','company':'Other','user':'ann'" AS_BOSS);
    assert_rule(&fixture, "NO_STEP",
                "{'act':'stock.add','serial':'X','secret':'MZXW6YTBMZXW6YTBMZXW6YTBMZXW6YTB'" AS_BOSS);
    assert_rule(&fixture, "NOT_SELF", "{'act':'user.deactivate','company':'Acme','user':'boss'" AS_BOSS);
    assert_rule(&fixture, "NO_STEP", "{'act':'user.release','company':'Acme','user':'ann','reason':'x'" AS_BOSS);
    assert_rule(&fixture, "GRANT", "{'act':'token.list'" AS_BOSS);
    json_t *list = ask(&fixture, "{'act':'company.list'" AS_BOSS);
    assert_int_equal(json_array_size(json_object_get(list, "companies")), 1);
    json_decref(list);
    list = ask(&fixture, "{'act':'stock.list'" AS_BOSS);
    assert_int_equal(json_array_size(json_object_get(list, "tokens")), 2);
    json_decref(list);
    /* Who is an administrator no more acts as none. */
    served(&fixture, false);
    assert_fine(&fixture, "{'act':'user.set','company':'Acme','user':'boss','administrator':false}");
    served(&fixture, true);
    assert_answer(&fixture, "OPERATOR", "{'act':'company.list'" AS_BOSS);
    free(key);
    fixture_remove(&fixture);
}

static void a_reset_takes_two_persons(void **unused)
{
    (void)unused;
    struct fixture fixture;
    world_make(&fixture);
    assert_fine(&fixture, "{'act':'stock.assign','company':'Acme','user':'boss','serial':'T-1'}");
    char *olga = operator_make(&fixture, "olga", ",'may':'all'"),
         *otto = operator_make(&fixture, "otto", ",'may':'all'");
    served(&fixture, true);
    json_t *answer = ask(&fixture,
                         "{'act':'user.reset','company':'Acme','user':'boss','reason':'phone stolen',"
                         "'operator':'olga','key':'%s'}",
                         olga);
    assert_true(json_is_true(json_object_get(answer, "waits")));
    int number = (int)number_in(answer, "request");
    json_decref(answer);
    answer = ask(&fixture, "{'act':'request.list','state':'open','operator':'otto','key':'%s'}", otto);
    const json_t *request = json_array_get(json_object_get(answer, "requests"), 0);
    assert_string_equal(text_in(request, "act"), "user.reset");
    assert_string_equal(text_in(request, "asked_by"), "olga");
    assert_string_equal(text_in(request, "reason"), "phone stolen");
    json_decref(answer);
    assert_rule(&fixture, "OTHER_PERSON", "{'act':'request.confirm','request':%d,'operator':'olga','key':'%s'}", number,
                olga);
    served(&fixture, false);
    assert_string_equal(state_of(&fixture, "T-1"), "assigned");
    served(&fixture, true);
    assert_fine(&fixture, "{'act':'request.confirm','request':%d,'operator':'otto','key':'%s'}", number, otto);
    assert_rule(&fixture, "NO_STEP", "{'act':'request.refuse','request':%d,'operator':'otto','key':'%s'}", number,
                otto);
    served(&fixture, false);
    assert_string_equal(state_of(&fixture, "T-1"), "lost");
    served(&fixture, true);
    answer = ask(&fixture, "{'act':'user.reset','company':'Acme','user':'ann','operator':'otto','key':'%s'}", otto);
    number = (int)number_in(answer, "request");
    json_decref(answer);
    assert_fine(&fixture, "{'act':'request.refuse','request':%d,'operator':'otto','key':'%s'}", number, otto);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'request.refuse','request':99,'operator':'otto','key':'%s'}",
                  otto);
    free(olga);
    free(otto);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scheme_begins_when_its_people_have_been_trained),
        cmocka_unit_test(a_company_with_tokens_already_begins_active),
        cmocka_unit_test(a_token_goes_from_the_order_to_the_user_and_back),
        cmocka_unit_test(a_first_code_makes_an_assigned_token_active),
        cmocka_unit_test(a_user_who_leaves_takes_nothing_along),
        cmocka_unit_test(a_persons_data_opens_until_it_is_erased),
        cmocka_unit_test(a_release_says_why_and_ends_with_the_next_token),
        cmocka_unit_test(an_inactive_user_does_not_pass_without_a_code),
        cmocka_unit_test(nothing_of_a_change_stays_when_one_of_its_tokens_is_refused),
        cmocka_unit_test(a_bulk_assignment_takes_or_refuses_each_line),
        cmocka_unit_test(a_bulk_of_many_goes_in_few_changes_and_a_token_goes_to_one_user),
        cmocka_unit_test(lists_go_page_by_page_through_all),
        cmocka_unit_test(an_operator_needs_the_key_the_user_id_and_the_grant),
        cmocka_unit_test(without_operators_the_daemon_serves_its_owner_and_root),
        cmocka_unit_test(somebody_is_left_who_may_grant),
        cmocka_unit_test(an_administrator_sees_the_own_company_alone),
        cmocka_unit_test(a_reset_takes_two_persons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
