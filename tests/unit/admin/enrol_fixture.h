/* A company, a user, and a device that goes through an enrolment step by step: otpring-token's own half. Static, as
 * admin_fixture.h is. */
#ifndef TESTS_ENROL_FIXTURE_H
#define TESTS_ENROL_FIXTURE_H

#include "admin_fixture.h"

#include "admin/enrol.h"
#include "otpring-token/token.h"

#define WHO "'company':'Demo Co','user':'ana'"

static MAYBE_UNUSED void people_make(struct fixture *fixture)
{
    fixture_make(fixture, 1024);
    assert_answer(fixture, "OK", "{'act':'company.add','company':'Demo Co'}");
    assert_answer(fixture, "OK", "{'act':'company.activate','company':'Demo Co','trained':'2020-02-29'}");
    assert_answer(fixture, "OK", "{'act':'user.add'," WHO ",'phone':'+573001234567','name':'Ana'}");
}

static MAYBE_UNUSED json_t *send_document(struct fixture *fixture, json_t *document)
{
    assert_non_null(document);
    json_t *request = json_pack("{s:s,s:o}", "act", "enrol.device", "document", document);
    char *text = json_dumps(request, JSON_COMPACT);
    json_t *answer = ask_text(fixture, text);
    free(text);
    json_decref(request);
    return answer;
}

static MAYBE_UNUSED void assert_document(struct fixture *fixture, json_t *document, const char *code)
{
    json_t *answer = send_document(fixture, document);
    assert_string_equal(json_is_true(json_object_get(answer, "ok")) ? "OK" : text_in(answer, "code"), code);
    json_decref(answer);
}

static MAYBE_UNUSED void device_make(struct fixture *fixture, struct account *account, const char *options)
{
    struct device_key key;
    uint8_t seal_key[HPKE_PUBLIC_MAX];
    *account = (struct account){.algorithm = DEVICE_ED25519, .name = "Phone", .platform = "Test"};
    admin_ok(device_pair_make(account->algorithm, account->sign_private, &key));
    admin_ok(hpke_pair_make(HPKE_X25519, account->seal_private, seal_key));
    json_t *answer = ask(fixture, "{'act':'enrol.invite'," WHO ",'deliver':'desk'%s}", options);
    assert_true(activation_parse(text_in(answer, "activation"), account->activation));
    json_decref(answer);
}

static MAYBE_UNUSED void statement_get(struct fixture *fixture, char ret_text[64])
{
    json_t *answer = ask(fixture, "{'act':'enrol.vouch'," WHO "}");
    snprintf(ret_text, 64, "%s", text_in(answer, "statement"));
    json_decref(answer);
}

/* One step; gives what is to come next. */
static MAYBE_UNUSED void device_step(struct fixture *fixture, struct account *account)
{
    char statement[64];
    json_t *answer = NULL;
    switch (account->state) {
    case ACCOUNT_NEW:
        answer = send_document(fixture, document_present(account));
        assert_true(document_bytes(answer, "enrolment", account->handle, sizeof(account->handle)));
        break;
    case ACCOUNT_PRESENTED:
        statement_get(fixture, statement);
        answer = send_document(fixture, document_prove(account, statement, ""));
        break;
    case ACCOUNT_PROVEN:
        answer = send_document(fixture, document_bind(account));
        assert_true(document_open(account, answer));
        break;
    case ACCOUNT_BINDING:
        answer = send_document(fixture, document_stored(account));
        break;
    default:
        answer = send_document(fixture, document_status(account));
        assert_true(document_bytes(answer, "nonce", account->nonce, sizeof(account->nonce)));
        json_decref(answer);
        answer = send_document(fixture, document_confirm(account));
        break;
    }
    account->state++;
    assert_string_equal(text_in(answer, "state"), account_state_name(account->state));
    json_decref(answer);
}

static MAYBE_UNUSED void device_go(struct fixture *fixture, struct account *account, enum account_state state)
{
    while (account->state != state) device_step(fixture, account);
}

static MAYBE_UNUSED void assert_state(struct fixture *fixture, const char *state)
{
    json_t *answer = ask(fixture, "{'act':'enrol.status'," WHO "}");
    assert_string_equal(text_in(answer, "state"), state);
    json_decref(answer);
}

/* As if it were due: what waiting would do. */
static MAYBE_UNUSED struct result due_now(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    uint8_t name[16];
    (void)ret_refusal;
    core_name("Demo Co", 7, "ana", 3, name);
    TRY(enrolling_open(people, NULL, NULL, name, &enrolling));
    enrolling.row.due_ms = 1;
    enrolling.row.statement_until_ms = 1;
    return enrolling_put(&enrolling, DO_ENROL_EXPIRE);
}

static MAYBE_UNUSED void time_pass(struct fixture *fixture)
{
    struct act act = {.admin = fixture->admin, .request = json_object(), .answer = json_object()};
    admin_ok(enrol_change(&act, due_now));
    json_decref(act.request);
    json_decref(act.answer);
    fixture->admin->tended_ms = 0;
}

/* The same, and what is due is done. */
static MAYBE_UNUSED void time_due(struct fixture *fixture)
{
    time_pass(fixture);
    admin_tend(fixture->admin);
}

#endif
