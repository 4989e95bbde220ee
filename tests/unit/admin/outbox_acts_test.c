/* The outbox by its acts, as the relay and administrators have it. */
#include "outbox_fixture.h"

#define PUT "{'act':'outbox.put','company':'Acme','user':'ann','kind':'access-alert','channel':'sms'"
#define FIELDS ",'fields':{'service':'Bank online','when':'1700000000'}}"

static void the_acts_put_hand_over_and_settle(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_answer(&fixture, "STORE_NOT_FOUND", PUT FIELDS);
    assert_fine(&fixture, "{'act':'company.add','company':'Acme'}");
    assert_fine(&fixture, "{'act':'company.activate','company':'Acme','trained':'2020-02-29'}");
    assert_fine(&fixture, "{'act':'user.add','company':'Acme','user':'ann','phone':'+34600123456','language':'en'}");
    json_t *answer = ask(&fixture, "{'act':'outbox.next'}");
    assert_int_equal(json_array_size(json_object_get(answer, "messages")), 0);
    assert_true(json_is_null(json_object_get(answer, "wait_ms")));
    json_decref(answer);
    assert_fine(&fixture, PUT FIELDS);
    answer = ask(&fixture, "{'act':'outbox.next','lease_s':60}");
    json_t *message = json_array_get(json_object_get(answer, "messages"), 0);
    assert_string_equal(text_in(message, "to"), "+34600123456");
    assert_string_equal(text_in(message, "language"), "en");
    assert_string_equal(text_in(json_object_get(message, "fields"), "service"), "Bank online");
    assert_int_equal(number_in(message, "handed"), 1);
    assert_true(number_in(answer, "wait_ms") > 0);
    json_decref(answer);
    assert_fine(&fixture, "{'act':'outbox.fail','failures':[{'number':1,'handed':1,'reason':'HTTP 503','retry_s':1}]}");
    answer = ask(&fixture, "{'act':'outbox.list','state':'queued'}");
    assert_int_equal(json_array_size(json_object_get(answer, "messages")), 1);
    json_decref(answer);
    answer = ask(&fixture, "{'act':'outbox.show','number':1}");
    assert_string_equal(text_in(json_object_get(answer, "message"), "reason"), "HTTP 503");
    assert_null(json_object_get(json_object_get(answer, "message"), "to"));
    json_decref(answer);
    assert_fine(&fixture, "{'act':'outbox.retry','number':1}");
    assert_fine(&fixture, "{'act':'outbox.ack','numbers':[1]}");
    assert_answer(&fixture, "OUTBOX_STATE", "{'act':'outbox.retry','number':1}");
    fixture_remove(&fixture);
}

static void acts_with_bad_fields_are_refused(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_answer(&fixture, "BAD_ARGUMENT", PUT ",'to':'+34600','language':'es','fields':{}}");
    assert_answer(&fixture, "BAD_JSON", PUT ",'to':'+34600','language':'es','fields':[]}");
    assert_answer(&fixture, "BAD_JSON", PUT ",'to':'+34600','language':'es','fields':{'service':1}}");
    assert_answer(&fixture, "BAD_ARGUMENT", PUT ",'to':'','language':'es'" FIELDS);
    assert_answer(&fixture, "BAD_ARGUMENT",
                  "{'act':'outbox.put','company':'Acme','user':'ann','kind':'no','channel':'sms'" FIELDS);
    assert_answer(&fixture, "BAD_ARGUMENT",
                  "{'act':'outbox.put','company':'Acme','user':'ann','kind':'activated','channel':'post'" FIELDS);
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.ack'}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.ack','number':1,'numbers':[1]}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.ack','number':'1'}");
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'outbox.ack','number':1}");
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'outbox.show','number':1}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.next','limit':65}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.fail','failures':[{'number':1}]}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.fail'}");
    assert_fine(&fixture, "{'act':'outbox.fail','failures':[{'number':1,'handed':1,'reason':'gone'}]}");
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'outbox.list','state':'lost'}");
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'outbox.list','state':'dead','company':'Acme','user':'ann'}");
    fixture_remove(&fixture);
}

static void lists_go_page_by_page_by_number_state_or_user(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    for (int i = 0; i < 5; i++) put(&fixture, i % 2 ? "bob" : "ann");
    static const struct {
        const char *filter;
        int first, second;
    } lists[] = {{"", 1, 2}, {",'state':'queued'", 1, 2}, {",'company':'Acme','user':'ann'", 1, 3}};
    for (size_t i = 0; i < 3; i++) {
        json_t *answer = ask(&fixture, "{'act':'outbox.list','limit':2%s}", lists[i].filter);
        const json_t *messages = json_object_get(answer, "messages");
        assert_int_equal(number_in(json_array_get(messages, 0), "number"), lists[i].first);
        assert_int_equal(number_in(json_array_get(messages, 1), "number"), lists[i].second);
        json_int_t next = number_in(answer, "next");
        json_decref(answer);
        answer = ask(&fixture, "{'act':'outbox.list','after':%d%s}", (int)next, lists[i].filter);
        assert_int_equal(json_array_size(json_object_get(answer, "messages")), i == 2 ? 1 : 3);
        assert_true(json_is_null(json_object_get(answer, "next")));
        json_decref(answer);
    }
    fixture_remove(&fixture);
}

static void the_relays_operator_may_do_nothing_else(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_fine(&fixture, "{'act':'operator.add','name':'olga','may':'all'}");
    json_t *answer = ask(&fixture, "{'act':'operator.add','name':'relay','may':'relay'}");
    char key[200];
    snprintf(key, sizeof(key), "%s", text_in(answer, "key"));
    json_decref(answer);
    assert_fine(&fixture, "{'act':'outbox.next','operator':'relay','key':'%s'}", key);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'outbox.ack','number':1,'operator':'relay','key':'%s'}", key);
    assert_answer(&fixture, "RULE", "{'act':'outbox.list','operator':'relay','key':'%s'}", key);
    assert_answer(&fixture, "RULE", "{'act':'outbox.retry','number':1,'operator':'relay','key':'%s'}", key);
    assert_answer(&fixture, "RULE", "{'act':'token.list','operator':'relay','key':'%s'}", key);
    fixture_remove(&fixture);
}

static void administrators_are_told_once_a_day_of_tokens_that_nobody_has(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'outbox.remind','company':'Acme'}");
    assert_fine(&fixture, "{'act':'company.add','company':'Acme'}");
    assert_fine(&fixture, "{'act':'company.activate','company':'Acme','trained':'2020-02-29'}");
    assert_fine(&fixture, "{'act':'company.add','company':'Other'}");
    static const char *const users[] = {"boss", "mute", "gone", "ann"};
    for (size_t i = 0; i < 4; i++) {
        assert_fine(&fixture, "{'act':'user.add','company':'Acme','user':'%s'%s}", users[i],
                    i == 1 ? "" : ",'phone':'+34600123456','language':'en'");
        if (i == 3) break;
        assert_fine(&fixture, "{'act':'user.set','company':'Acme','user':'%s','administrator':true}", users[i]);
    }
    assert_fine(&fixture, "{'act':'user.deactivate','company':'Acme','user':'gone'}");
    assert_fine(&fixture, "{'act':'stock.add','serial':'T-1','secret':'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'}");
    assert_fine(&fixture, "{'act':'stock.add','serial':'T-2','secret':'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'}");
    assert_fine(&fixture, "{'act':'stock.give','company':'Acme','serials':['T-1','T-2']}");
    static const struct {
        const char *request;
        int tokens, queued;
    } asked[] = {{"'company':'Acme'", 0, 0},
                 {"'company':'Other','older_days':0", 0, 0},
                 {"'company':'Acme','older_days':0", 2, 1},
                 {"'company':'Acme','older_days':0", 2, 0}};
    for (size_t i = 0; i < 4; i++) {
        json_t *answer = ask(&fixture, "{'act':'outbox.remind',%s}", asked[i].request);
        assert_int_equal(number_in(answer, "tokens"), asked[i].tokens);
        assert_int_equal(number_in(answer, "queued"), asked[i].queued);
        json_decref(answer);
    }
    json_t *answer = ask(&fixture, "{'act':'outbox.next'}");
    const json_t *message = json_array_get(json_object_get(answer, "messages"), 0);
    assert_string_equal(text_in(message, "kind"), "unassigned");
    assert_string_equal(text_in(json_object_get(message, "fields"), "count"), "2");
    assert_string_equal(text_in(json_object_get(message, "fields"), "company"), "Acme");
    json_decref(answer);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_acts_put_hand_over_and_settle),
        cmocka_unit_test(acts_with_bad_fields_are_refused),
        cmocka_unit_test(lists_go_page_by_page_by_number_state_or_user),
        cmocka_unit_test(the_relays_operator_may_do_nothing_else),
        cmocka_unit_test(administrators_are_told_once_a_day_of_tokens_that_nobody_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
