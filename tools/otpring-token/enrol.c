/* Enrolment as the app lives it: step by step, each kept before the next, so that the same command goes on where it
 * stopped, whoever crashed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/arena.h"
#include "token.h"

enum { WAIT_TRIES = 60, CODE_SIZE = 32 };

struct enrolling {
    const struct settings *settings;
    struct accounts *accounts;
    struct account *account;
    char refusal[CODE_SIZE]; /* the code of the bank's refusal; "": there was none */
};

static int save(struct enrolling *enrolling, enum account_state state)
{
    enrolling->account->state = state;
    return keep_save(enrolling->settings, enrolling->accounts);
}

/* Sends a document. A refusal is complained about; ret_answer is NULL then. */
static int ask(struct enrolling *enrolling, json_t *document, json_t **ret_answer)
{
    *ret_answer = NULL;
    if (!document) return complain(EXIT_REFUSED, "a cryptographic operation failed");
    json_t *answer = transport_ask(enrolling->settings, document);
    json_decref(document);
    if (!answer) return EXIT_UNAVAILABLE;
    if (json_is_true(json_object_get(answer, "ok"))) {
        *ret_answer = answer;
        return EXIT_DONE;
    }
    const char *code = json_string_value(json_object_get(answer, "code"));
    const char *error = json_string_value(json_object_get(answer, "error"));
    snprintf(enrolling->refusal, sizeof(enrolling->refusal), "%s", code ? code : "");
    int status = complain(EXIT_REFUSED, "%s%s%s", code ? code : "refused", error ? ": " : "", error ? error : "");
    json_decref(answer);
    return status;
}

static int present(struct enrolling *enrolling)
{
    struct account *account = enrolling->account;
    json_t *answer;
    int status = ask(enrolling, document_present(account), &answer);
    if (status != EXIT_DONE) return status;
    const char *company = json_string_value(json_object_get(answer, "company"));
    const char *user = json_string_value(json_object_get(answer, "user"));
    bool taken = document_bytes(answer, "enrolment", account->handle, sizeof(account->handle)) && company && user &&
                 strlen(company) <= OTP_NAME_SIZE_MAX && strlen(user) <= OTP_NAME_SIZE_MAX;
    if (taken) {
        strcpy(account->company, company);
        strcpy(account->user, user);
        account->needs_code = false;
        size_t i;
        json_t *need;
        json_array_foreach(json_object_get(answer, "needs"), i, need)
        {
            account->needs_code |= json_is_string(need) && strcmp(json_string_value(need), "code") == 0;
        }
    }
    json_decref(answer);
    if (!taken) return complain(EXIT_REFUSED, "the bank's answer is not one of DEVICE.md");
    return save(enrolling, ACCOUNT_PRESENTED);
}

/* What the auth server gave when the password had passed; or, with --vouch, asks for it in its place. */
static int statement_get(struct enrolling *enrolling, char *ret_text, size_t size)
{
    const struct settings *settings = enrolling->settings;
    if (settings->statement) {
        snprintf(ret_text, size, "%s", settings->statement);
        return EXIT_DONE;
    }
    if (!settings->vouch)
        return complain(EXIT_REFUSED, "presented; go on with --statement TEXT, which the auth server gives when the "
                                      "password has passed");
    json_t *answer = transport_vouch(settings, enrolling->account);
    if (!answer) return EXIT_UNAVAILABLE;
    const char *text = json_string_value(json_object_get(answer, "statement"));
    const char *error = json_string_value(json_object_get(answer, "error"));
    int status = text ? EXIT_DONE : complain(EXIT_REFUSED, "no statement: %s", error ? error : "refused");
    if (text) snprintf(ret_text, size, "%s", text);
    json_decref(answer);
    return status;
}

static int prove(struct enrolling *enrolling)
{
    struct account *account = enrolling->account;
    const char *code = account->needs_code && enrolling->settings->code ? enrolling->settings->code : "";
    char statement[128];
    json_t *answer;
    if (account->needs_code && !*code)
        return complain(EXIT_REFUSED, "presented; go on with --code CODE: one code of the token that you have now");
    int status = statement_get(enrolling, statement, sizeof(statement));
    if (status != EXIT_DONE) return status;
    status = ask(enrolling, document_prove(account, statement, code), &answer);
    if (status != EXIT_DONE) return status;
    json_decref(answer);
    return save(enrolling, ACCOUNT_PROVEN);
}

static int bind(struct enrolling *enrolling)
{
    json_t *answer;
    int status = ask(enrolling, document_bind(enrolling->account), &answer);
    if (status != EXIT_DONE) return status;
    bool opened = document_open(enrolling->account, answer);
    json_decref(answer);
    if (!opened) return complain(EXIT_REFUSED, "the sealed seed does not open with this device's key");
    return save(enrolling, ACCOUNT_BINDING);
}

static int stored(struct enrolling *enrolling)
{
    json_t *answer;
    int status = ask(enrolling, document_stored(enrolling->account), &answer);
    if (status != EXIT_DONE) return status;
    json_decref(answer);
    return save(enrolling, ACCOUNT_BOUND);
}

/* Waits for "activation successful", shows it, and confirms. */
static int wait_activation(struct enrolling *enrolling)
{
    json_t *answer;
    for (int i = 0; i < WAIT_TRIES; i++) {
        int status = ask(enrolling, document_status(enrolling->account), &answer);
        if (status != EXIT_DONE) return status;
        bool come = document_bytes(answer, "nonce", enrolling->account->nonce, sizeof(enrolling->account->nonce));
        const char *text = json_string_value(json_object_get(answer, "text"));
        if (come) fprintf(stderr, "%s\n", text ? text : "Activation successful");
        json_decref(answer);
        if (come) return EXIT_DONE;
        sleep(1);
    }
    return complain(EXIT_UNAVAILABLE, "the activation has not come yet; the same command goes on");
}

static int confirm(struct enrolling *enrolling)
{
    json_t *answer;
    int status = wait_activation(enrolling);
    if (status != EXIT_DONE) return status;
    status = ask(enrolling, document_confirm(enrolling->account), &answer);
    if (status != EXIT_DONE) return status;
    enrolling->account->device = (uint64_t)json_integer_value(json_object_get(answer, "device"));
    json_decref(answer);
    secret_wipe(enrolling->account->activation, sizeof(enrolling->account->activation));
    return save(enrolling, ACCOUNT_ACTIVE);
}

static int go_on(struct enrolling *enrolling)
{
    static int (*const steps[ACCOUNT_ACTIVE])(struct enrolling *) = {
        [ACCOUNT_NEW] = present,    [ACCOUNT_PRESENTED] = prove, [ACCOUNT_PROVEN] = bind,
        [ACCOUNT_BINDING] = stored, [ACCOUNT_BOUND] = confirm,
    };
    while (enrolling->account->state < ACCOUNT_ACTIVE) {
        int status = steps[enrolling->account->state](enrolling);
        if (status != EXIT_DONE) return status;
    }
    return EXIT_DONE;
}

/* A code that the bank does not know makes no account: what was made for it goes again, and a mistyped code leaves
 * nothing behind. Were an earlier presenting of it taken, and its answer lost, the bank would know it by this account's
 * keys. */
static int drop_unknown(struct enrolling *enrolling, int status)
{
    struct accounts *accounts = enrolling->accounts;
    if (enrolling->account->number == accounts->last_number) accounts->last_number--;
    account_drop(accounts, enrolling->account);
    int saved = keep_save(enrolling->settings, accounts);
    if (saved != EXIT_DONE) return saved;
    enrol_accounts_hint(accounts);
    return status;
}

static int refused(struct enrolling *enrolling, int status)
{
    const struct account *account = enrolling->account;
    if (account->state == ACCOUNT_NEW && strcmp(enrolling->refusal, "ENROL_CODE") == 0)
        return drop_unknown(enrolling, status);
    if (strcmp(enrolling->refusal, "ENROL_OVER") == 0)
        complain(EXIT_REFUSED, "this account is of no use any more; forget it: otpring-token remove %u",
                 account->number);
    return status;
}

static void told(const struct settings *settings, const struct account *account)
{
    if (settings->json)
        printf("{\"account\":%u,\"state\":\"active\",\"device\":%llu}\n", account->number,
               (unsigned long long)account->device);
    else if (settings->socket)
        printf("Account %u is active. Show a code with: otpring-token code %u\n", account->number, account->number);
}

int run_enrol(const struct settings *settings)
{
    static struct accounts accounts;
    char activation[ACTIVATION_SIZE + 1];
    struct enrolling enrolling = {.settings = settings, .accounts = &accounts};
    int status = enrol_code_get(settings, activation);
    if (status == EXIT_DONE) status = keep_open(settings, &accounts);
    if (status == EXIT_DONE) status = enrol_account_choose(settings, &accounts, activation, &enrolling.account);
    if (status == EXIT_DONE) status = go_on(&enrolling);
    if (status == EXIT_DONE)
        told(settings, enrolling.account);
    else if (enrolling.account)
        status = refused(&enrolling, status);
    secret_wipe(activation, sizeof(activation));
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
