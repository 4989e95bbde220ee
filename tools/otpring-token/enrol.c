/* Enrolment as the app lives it: step by step, each kept before the next, so that the same command goes on where it
 * stopped, whoever crashed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/arena.h"
#include "token.h"

enum { WAIT_TRIES = 60 };

struct enrolling {
    const struct settings *settings;
    struct accounts *accounts;
    struct account *account;
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
    memset(account->activation, 0, sizeof(account->activation));
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
    return save(enrolling, ACCOUNT_ACTIVE);
}

static int go_on(struct enrolling *enrolling)
{
    static int (*const steps[ACCOUNT_ACTIVE])(struct enrolling *) = {
        [ACCOUNT_NEW] = present,    [ACCOUNT_PRESENTED] = prove, [ACCOUNT_PROVEN] = bind,
        [ACCOUNT_BINDING] = stored, [ACCOUNT_BOUND] = confirm,
    };
    while (enrolling->account->state != ACCOUNT_ACTIVE) {
        int status = steps[enrolling->account->state](enrolling);
        if (status != EXIT_DONE) return status;
    }
    return EXIT_DONE;
}

static bool text_set(char *to, size_t size, const char *text)
{
    int length = snprintf(to, size, "%s", text);
    return length >= 0 && (size_t)length < size;
}

static int account_make(struct accounts *accounts, const struct settings *settings, const char *activation,
                        struct account **ret_account)
{
    struct device_key key;
    uint8_t seal_key[HPKE_PUBLIC_MAX];
    char host[NAME_MAX_SIZE + 1] = "otpring-token";
    gethostname(host, sizeof(host) - 1);
    struct account *account = account_new(accounts);
    if (!account) return EXIT_REFUSED;
    account->parameters.type = OTP_TOTP;
    strcpy(account->activation, activation);
    if (!device_algorithm_parse(settings->algorithm ? settings->algorithm : "ES256", &account->algorithm))
        return complain(EXIT_USAGE, "--algorithm is ES256 or Ed25519");
    if (!text_set(account->name, sizeof(account->name), settings->name ? settings->name : host) ||
        !text_set(account->platform, sizeof(account->platform),
                  settings->platform ? settings->platform : "otpring-token " OTPRING_VERSION) ||
        !text_set(account->push, sizeof(account->push), settings->push ? settings->push : "")) {
        return complain(EXIT_USAGE, "--name, --platform or --push is too long");
    }
    if (result_failed(device_pair_make(account->algorithm, account->sign_private, &key)) ||
        result_failed(hpke_pair_make(device_kem(account->algorithm), account->seal_private, seal_key))) {
        return complain(EXIT_REFUSED, "no key can be made");
    }
    *ret_account = account;
    return keep_save(settings, accounts);
}

/* The unfinished account that the command goes on with: the one with this code, or the only one. */
static struct account *unfinished(struct accounts *accounts, const char *activation)
{
    struct account *found = NULL;
    for (unsigned i = 0; i < accounts->count; i++) {
        struct account *account = &accounts->items[i];
        if (account->state == ACCOUNT_ACTIVE) continue;
        if (!*activation || strcmp(account->activation, activation) == 0) found = account;
    }
    return found;
}

static int activation_get(const struct settings *settings, char ret_activation[ACTIVATION_SIZE + 1])
{
    char line[256] = "";
    const char *text = settings->activation ? settings->activation : "";
    char *scanned = NULL;
    ret_activation[0] = 0;
    if (settings->qr) {
        int status = image_read(settings->qr, &scanned);
        if (status != EXIT_DONE) return status;
        snprintf(line, sizeof(line), "%s", scanned);
        free(scanned);
        text = line;
    } else if (strcmp(text, "-") == 0) {
        if (!fgets(line, sizeof(line), stdin)) return complain(EXIT_USAGE, "no activation code on standard input");
        line[strcspn(line, "\r\n")] = 0;
        text = line;
    }
    /* The whole link does as well. */
    const char *hash = strchr(text, '#');
    if (hash) text = hash + 1;
    if (!*text || activation_parse(text, ret_activation)) return EXIT_DONE;
    return complain(EXIT_USAGE, "an activation code has 16 letters and digits, such as ABCD-EFGH-JKMN-PQRS");
}

int run_enrol(const struct settings *settings)
{
    static struct accounts accounts;
    char activation[ACTIVATION_SIZE + 1];
    int status = activation_get(settings, activation);
    if (status == EXIT_DONE) status = keep_open(settings, &accounts);
    if (status != EXIT_DONE) return status;
    struct enrolling enrolling = {.settings = settings, .accounts = &accounts};
    enrolling.account = unfinished(&accounts, activation);
    if (!enrolling.account && !*activation)
        status = complain(EXIT_USAGE, "nothing to go on with; give --activation CODE|- or --qr FILE");
    if (status == EXIT_DONE && !enrolling.account)
        status = account_make(&accounts, settings, activation, &enrolling.account);
    if (status == EXIT_DONE) status = go_on(&enrolling);
    if (status == EXIT_DONE) {
        if (settings->json)
            printf("{\"account\":%u,\"state\":\"active\",\"device\":%llu}\n", enrolling.account->number,
                   (unsigned long long)enrolling.account->device);
        else if (settings->socket)
            printf("Account %u is active. Show a code with: otpring-token code %u\n", enrolling.account->number,
                   enrolling.account->number);
    }
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
