/* Requests in JSON, on a real store. */
#include "admin/acts.h"
#include "admin_fixture.h"

static void hostile_requests_are_refused_before_anything_is_done(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    static const char *const bad[] = {"",
                                      "nonsense",
                                      "[]",
                                      "'text'",
                                      "{'act':7}",
                                      "{'act':'none'}",
                                      "{'act':'status','extra':1}",
                                      "{'act':'status','act':'status'}",
                                      "{'act':'token.add','company':'a'}",
                                      "{'act':'token.add','company':'a','user':1}",
                                      "{'act':'token.add','company':'a','user':'b\\u0000c'}",
                                      "{'act':'token.add','company':'a','user':'b','digits':9}",
                                      "{'act':'token.add','company':'a','user':'b','digits':-1}",
                                      "{'act':'token.show'}",
                                      "{'act':'token.show','ordinals':[1],'company':'a','user':'b'}",
                                      "{'act':'token.remove','ordinals':[]}",
                                      "{'act':'token.remove','ordinals':['x']}",
                                      "{'act':'token.list','after':'x:1','limit':0}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) assert_answer(&fixture, "BAD_JSON", "%s", bad[i]);
    /* What is quoted is cut within a character. */
    json_t *refusal = ask(&fixture, "{'act':'xñññññññññññññññññññññññññ'}");
    assert_string_equal(text_in(refusal, "error"), "not a valid request: there is no act \"xñññññññññññññññññññ?\"");
    json_decref(refusal);
    json_t *status = ask(&fixture, "{'act':'status'}");
    assert_int_equal(number_in(status, "tokens"), 0);
    assert_true(json_is_null(json_object_get(status, "unavailable")));
    assert_string_equal(text_in(status, "clock"), "sure");
    json_decref(status);
    fixture_remove(&fixture);
}

static void a_fresh_seed_is_shown_once_and_makes_the_codes(void **unused)
{
    (void)unused;
    struct fixture fixture;
    struct otp_uri uri;
    fixture_make(&fixture, 4096);
    json_t *added = ask(&fixture, "{'act':'token.add','company':'Acme','user':'ann','label':'fob 1','type':'hotp',"
                                  "'algorithm':'sha256','digits':8}");
    const char *text = text_in(added, "uri");
    admin_ok(otp_uri_parse(text, strlen(text), &uri));
    assert_int_equal(uri.seed_size, 32);
    assert_int_equal(uri.parameters.digits, 8);
    assert_string_equal(uri.issuer, "Acme");
    assert_string_equal(uri.account, "ann");
    json_decref(added);
    /* Resynchronising with two codes made from the URI is proof that the engine holds the same seed. */
    unsigned long long codes[2];
    for (uint64_t i = 0; i < 2; i++) codes[i] = otp_code(&uri.parameters, uri.seed, uri.seed_size, 40 + i);
    json_t *resync =
        ask(&fixture, "{'act':'token.resync','company':'Acme','user':'ann','code':'%08llu','code_next':'%08llu'}",
            codes[0], codes[1]);
    assert_string_equal(text_in(resync, "verdict"), "ACCEPTED");
    json_decref(resync);
    json_t *shown = ask(&fixture, "{'act':'token.show','company':'Acme','user':'ann'}");
    const json_t *token = json_array_get(json_object_get(shown, "tokens"), 0);
    assert_int_equal(number_in(token, "floor"), 42);
    assert_string_equal(text_in(token, "label"), "fob 1");
    assert_null(json_object_get(token, "secret"));
    json_decref(shown);
    fixture_remove(&fixture);
}

static void a_token_goes_through_its_states(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    json_t *added =
        ask(&fixture, "{'act':'token.add','company':'c','user':'u','secret':'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'}");
    int ordinal = (int)number_in(added, "ordinal");
    assert_null(json_object_get(added, "uri")); /* whoever gave the secret has it */
    json_decref(added);
    assert_answer(&fixture, "STORE_SEED_LIVE",
                  "{'act':'token.add','company':'c','user':'w','secret':'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'}");
    assert_answer(&fixture, "OK", "{'act':'token.suspend','ordinal':%d}", ordinal);
    json_t *list = ask(&fixture, "{'act':'token.list','state':'suspended','company':'c'}");
    assert_int_equal(json_array_size(json_object_get(list, "tokens")), 1);
    json_decref(list);
    assert_answer(&fixture, "OK", "{'act':'token.resume','company':'c','user':'u'}");
    assert_answer(&fixture, "OK", "{'act':'token.set','ordinal':%d,'label':'new'}", ordinal);
    assert_answer(&fixture, "OK", "{'act':'token.unlock','company':'c','user':'u'}");
    assert_answer(&fixture, "OK", "{'act':'token.remove','ordinals':[%d]}", ordinal);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'token.suspend','ordinal':%d}", ordinal);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'token.show','company':'c','user':'u'}");
    assert_answer(&fixture, "OK", "{'act':'checkpoint'}");
    assert_answer(&fixture, "OK", "{'act':'clock.consent'}");
    fixture_remove(&fixture);
}

static void profiles_are_added_changed_and_kept(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    json_t *added = ask(&fixture, "{'act':'profile.add','name':'fobs','type':'hotp','digits':8,'look_ahead':25}");
    int id = (int)number_in(added, "id");
    json_decref(added);
    assert_answer(&fixture, "OK", "{'act':'profile.set','id':%d,'throttle_base_s':5}", id);
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'profile.set','id':%d,'drift_max':100}", id);
    assert_answer(&fixture, "OK", "{'act':'token.add','company':'c','user':'u','profile':%d}", id);
    assert_answer(&fixture, "STORE_IN_USE", "{'act':'profile.set','id':%d,'digits':6}", id);
    fixture_close(&fixture, true);
    admin_ok(fixture_open(&fixture));
    json_t *list = ask(&fixture, "{'act':'profile.list'}");
    const json_t *profile = json_array_get(json_object_get(list, "profiles"), (size_t)id);
    assert_int_equal(number_in(profile, "throttle_base_s"), 5);
    assert_int_equal(number_in(profile, "look_ahead"), 25);
    assert_string_equal(text_in(profile, "name"), "fobs");
    json_decref(list);
    fixture_remove(&fixture);
}

/* The contract with the load tester. */
static void a_batch_is_added_and_a_company_purged(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 16384);
    for (int part = 0; part < 3; part++) {
        json_t *users = json_array(), *seeds = json_array();
        for (int i = 0; i < 3000; i++) {
            uint8_t seed[20] = {0};
            char user[32], text[64];
            memcpy(seed, (int[]){part * 3000 + i}, 4);
            snprintf(user, sizeof(user), "user-%d", part * 3000 + i);
            admin_ok(otp_base32_encode(seed, sizeof(seed), text, sizeof(text)));
            json_array_append_new(users, json_string(user));
            json_array_append_new(seeds, json_string(text));
        }
        json_t *request = json_pack("{s:s,s:s,s:s,s:s,s:i,s:i,s:o,s:o,s:i}", "act", "token.add-batch", "company",
                                    "load", "type", "hotp", "algorithm", "sha1", "digits", 6, "look_ahead", 10, "users",
                                    users, "seeds", seeds, "counter", 0);
        char *text = json_dumps(request, 0);
        json_t *answer = ask_text(&fixture, text);
        assert_int_equal(number_in(answer, "added"), 3000);
        json_decref(answer);
        admin_text_free(text);
        json_decref(request);
    }
    assert_answer(&fixture, "OK", "{'act':'token.add','company':'other','user':'u'}");
    json_int_t removed = 0;
    bool more = true;
    for (int i = 0; more && i < 20; i++) {
        json_t *answer = ask(&fixture, "{'act':'company.purge','company':'load'}");
        removed += number_in(answer, "removed");
        more = json_is_true(json_object_get(answer, "more"));
        json_decref(answer);
    }
    assert_false(more);
    assert_int_equal(removed, 9000);
    json_t *status = ask(&fixture, "{'act':'status'}");
    assert_int_equal(number_in(status, "tokens"), 1);
    json_decref(status);
    fixture_remove(&fixture);
}

static void a_batch_tells_which_of_it_were_refused(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    json_t *answer = ask(&fixture, "{'act':'token.add-batch','company':'c','users':['a','b','c','d'],'seeds':"
                                   "['GEZDGNBVGY3TQOJQ','GEZDGNBVGY3TQOJQ','!','MEZDGNBVGY3TQOJQ']}");
    assert_int_equal(number_in(answer, "added"), 2);
    assert_int_equal(json_array_size(json_object_get(answer, "refused")), 2);
    json_decref(answer);
    fixture_remove(&fixture);
}

/* ---- import and lists ---- */

enum { LINES = 20000 };

static char *import_text(unsigned *ret_bad)
{
    char *text = malloc(LINES * 96);
    size_t at = (size_t)sprintf(text, "company,user,secret,type,counter\n");
    *ret_bad = 0;
    for (int i = 0; i < LINES; i++) {
        uint8_t seed[20] = {1};
        char secret[64];
        memcpy(seed + 4, &i, 4);
        admin_ok(otp_base32_encode(seed, sizeof(seed), secret, sizeof(secret)));
        if (i % 1000 == 7) { /* a seed seen before, a bad secret, a bad number, no fields */
            const char *const lines[] = {"acme,dup,AEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,hotp,0", "acme,x,1!,hotp,0",
                                         "acme,x,AEAAAAAAAAAAAAAA,hotp,x", "acme"};
            at += (size_t)sprintf(text + at, "%s\n", lines[i / 1000 % 4]);
            ++*ret_bad;
        } else {
            at += (size_t)sprintf(text + at, "acme,user%05d,%s,hotp,%d\r\n", i, secret, i % 10);
        }
    }
    return text;
}

static size_t list_count(struct fixture *fixture, const char *filter, unsigned limit, json_int_t *ret_last)
{
    char after[64] = "";
    size_t count = 0;
    for (int page = 0; page < 1000; page++) {
        json_t *list = ask(fixture, "{'act':'token.list','limit':%u%s%s}", limit, filter, after);
        const json_t *tokens = json_object_get(list, "tokens"), *next = json_object_get(list, "next");
        count += json_array_size(tokens);
        for (size_t i = 0; ret_last && i < json_array_size(tokens); i++) {
            json_int_t ordinal = number_in(json_array_get(tokens, i), "ordinal");
            assert_true(ordinal > *ret_last); /* in order, none twice */
            *ret_last = ordinal;
        }
        bool over = json_is_null(next);
        if (!over) snprintf(after, sizeof(after), ",'after':'%s'", json_string_value(next));
        json_decref(list);
        if (over) return count;
    }
    fail_msg("the list has no end");
    return 0;
}

static void twenty_thousand_lines_are_imported_and_bad_ones_told_by_number(void **unused)
{
    (void)unused;
    struct fixture fixture;
    unsigned bad;
    char *text = import_text(&bad);
    fixture_make(&fixture, 65536);
    json_t *request = json_pack("{s:s,s:s}", "act", "import", "text", text);
    char *json = json_dumps(request, 0);
    json_t *answer = ask_text(&fixture, json);
    assert_int_equal(number_in(answer, "added"), LINES - bad);
    const json_t *refused = json_object_get(answer, "refused");
    assert_int_equal(json_array_size(refused), bad);
    for (size_t i = 0; i < bad; i++) {
        assert_int_equal(number_in(json_array_get(refused, i), "line") % 1000, 9); /* behind the header line */
    }
    json_decref(answer);
    admin_text_free(json);
    json_decref(request);
    free(text);

    json_int_t last = -1;
    assert_int_equal(list_count(&fixture, "", 777, &last), LINES - bad);
    assert_int_equal(list_count(&fixture, ",'company':'acme'", 1000, NULL), LINES - bad);
    assert_int_equal(list_count(&fixture, ",'company':'acme','user':'user00003'", 10, NULL), 1);
    assert_int_equal(list_count(&fixture, ",'company':'none'", 10, NULL), 0);
    assert_int_equal(list_count(&fixture, ",'state':'removed'", 10, NULL), 0);

    fixture_close(&fixture, false); /* as a crash would leave it: no checkpoint was made of all this */
    admin_ok(fixture_open(&fixture));
    assert_int_equal(list_count(&fixture, "", 1000, NULL), LINES - bad);
    json_t *status = ask(&fixture, "{'act':'status'}");
    assert_int_equal(number_in(status, "tokens"), LINES - bad);
    json_decref(status);
    fixture_remove(&fixture);
}

/* The first lines are a whole batch, added by then; every later one wants a profile of its own, and so many records of
 * profiles do not fit the segments that are ready. */
static void an_import_that_waits_for_journal_room_does_not_begin_again(void **unused)
{
    (void)unused;
    enum { SAME = ADMIN_BATCH_MAX, OWN = 1500 };
    struct fixture fixture;
    char *text = malloc((SAME + OWN) * 96);
    size_t at = (size_t)sprintf(text, "company,user,secret,type,period\n");
    for (int i = 0; i < SAME + OWN; i++) {
        uint8_t seed[20] = {2};
        char secret[64];
        memcpy(seed + 4, &i, 4);
        admin_ok(otp_base32_encode(seed, sizeof(seed), secret, sizeof(secret)));
        at += (size_t)sprintf(text + at, "acme,user%05d,%s,totp,%d\n", i, secret, i < SAME ? 30 : 31 + i - SAME);
    }
    fixture_make(&fixture, 65536);
    fixture_close(&fixture, false);
    fixture.options.core.journal.segment_size = 3 << 20;
    fixture.options.core.journal.spare_count = 1;
    admin_ok(fixture_open(&fixture));
    json_t *request = json_pack("{s:s,s:s}", "act", "import", "text", text);
    char *json = json_dumps(request, 0);
    json_t *answer = ask_text(&fixture, json);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    assert_int_equal(json_array_size(json_object_get(answer, "refused")), 0);
    assert_int_equal(number_in(answer, "added"), SAME + OWN);
    json_decref(answer);
    admin_text_free(json);
    json_decref(request);
    free(text);
    fixture_remove(&fixture);
}

static void attempts_without_journal_room_use_up_no_lines(void **unused)
{
    (void)unused;
    struct fixture fixture;
    uint8_t seed[20] = {3};
    struct core_token_spec spec = {
        .company = "acme", .user = "ann", .label = "", .seed = seed, .seed_size = sizeof(seed)};
    struct core_actor actor = {0};
    struct result added;
    uint32_t ordinal;
    fixture_make(&fixture, 64);
    fixture_close(&fixture, false);
    /* A block and little more: what the start wrote leaves no room for the next one. */
    fixture.options.core.journal.segment_size = (520 << 10) + (64 << 10);
    fixture.options.core.journal.spare_count = 1;
    admin_ok(fixture_open(&fixture));
    const uint32_t *lines = fixture.engine->core->lines_next;
    uint32_t before = lines[KERNEL_SHA1];
    for (int i = 0; i < 100; i++)
        admin_is(core_token_add(fixture.worker, &actor, &spec, 1, &added, &ordinal), JOURNAL_NO_ROOM);
    assert_int_equal(lines[KERNEL_SHA1], before);
    fixture_remove(&fixture);
}

static void otpauth_lines_are_imported_under_their_issuer_or_the_company_given(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    json_t *answer = ask(&fixture, "{'act':'import','first_line':10,'text':'# comment\\n"
                                   "otpauth://totp/Acme:ann?secret=GEZDGNBVGY3TQOJQ&issuer=Acme\\n\\n"
                                   "otpauth://hotp/bob?secret=MEZDGNBVGY3TQOJQ&counter=3\\n"
                                   "otpauth://none/x?secret=MEZDGNBVGY3TQOJQ'}");
    assert_int_equal(number_in(answer, "added"), 1);
    const json_t *refused = json_object_get(answer, "refused");
    assert_int_equal(json_array_size(refused), 2); /* no company; not a URI */
    assert_int_equal(number_in(json_array_get(refused, 0), "line"), 13);
    assert_string_equal(text_in(json_array_get(refused, 0), "code"), "URI_NO_ISSUER");
    assert_int_equal(number_in(json_array_get(refused, 1), "line"), 14);
    json_decref(answer);
    answer = ask(&fixture, "{'act':'import','company':'Bank','text':"
                           "'otpauth://hotp/bob?secret=MEZDGNBVGY3TQOJQ&counter=3'}");
    assert_int_equal(number_in(answer, "added"), 1);
    json_decref(answer);
    json_t *shown = ask(&fixture, "{'act':'token.show','company':'Bank','user':'bob'}");
    assert_int_equal(number_in(json_array_get(json_object_get(shown, "tokens"), 0), "floor"), 3);
    json_decref(shown);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_requests_are_refused_before_anything_is_done),
        cmocka_unit_test(a_fresh_seed_is_shown_once_and_makes_the_codes),
        cmocka_unit_test(a_token_goes_through_its_states),
        cmocka_unit_test(profiles_are_added_changed_and_kept),
        cmocka_unit_test(a_batch_is_added_and_a_company_purged),
        cmocka_unit_test(a_batch_tells_which_of_it_were_refused),
        cmocka_unit_test(twenty_thousand_lines_are_imported_and_bad_ones_told_by_number),
        cmocka_unit_test(an_import_that_waits_for_journal_room_does_not_begin_again),
        cmocka_unit_test(attempts_without_journal_room_use_up_no_lines),
        cmocka_unit_test(otpauth_lines_are_imported_under_their_issuer_or_the_company_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
