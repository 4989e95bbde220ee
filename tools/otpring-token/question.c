#include "question.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base64url.h"
#include "base/bytes.h"
#include "os/arena.h"

static const char *const field_names[CHALLENGE_FIELD_COUNT] = {
    [CHALLENGE_SITE] = "site",         [CHALLENGE_TEXT] = "text",   [CHALLENGE_AMOUNT] = "amount",
    [CHALLENGE_CURRENCY] = "currency", [CHALLENGE_PAYEE] = "payee", [CHALLENGE_REFERENCE] = "reference",
};
static const char *const purposes[] = {[CHALLENGE_LOGIN] = "login",
                                       [CHALLENGE_QUERY] = "query",
                                       [CHALLENGE_AUTHORISATION] = "authorisation",
                                       [CHALLENGE_TRANSACTION] = "transaction"};

/* ---- reading ---- */

static struct result read_under(struct account *account, const char *uri, struct question *ret_question)
{
    TRY(challenge_uri_read(uri, strlen(uri), account->bank_key, ret_question->bytes, &ret_question->size));
    TRY(challenge_body_decode(ret_question->bytes, ret_question->size, &ret_question->body));
    ret_question->account = account;
    base64url_encode(ret_question->body.id, sizeof(ret_question->body.id), ret_question->id);
    return result_ok();
}

/* Which account of a bank is meant, a challenge does not say to who reads it: where there are two of one bank, the user
 * does. */
static int read_under_any(const struct settings *settings, struct accounts *accounts, const char *uri,
                          struct question *ret_question)
{
    struct result why = {0};
    struct account *found = NULL;
    unsigned count = 0;
    for (unsigned i = 0; i < accounts->count; i++) {
        struct account *account = &accounts->items[i];
        if (!account_is_enrolled(account)) continue;
        if (settings->account && account_find(accounts, settings->account) != account) continue;
        struct result read = read_under(account, uri, ret_question);
        if (result_failed(read)) {
            why = read;
            continue;
        }
        found = account;
        count++;
    }
    if (count > 1) return complain(EXIT_REFUSED, "several of your accounts are of this bank: say which, --account N");
    if (count == 1 && !result_failed(read_under(found, uri, ret_question))) return EXIT_DONE;
    return result_failed(why) ? complain(EXIT_REFUSED, "%s", result_text(why))
                              : complain(EXIT_REFUSED, "no account is enrolled that could be asked");
}

int question_read(const struct settings *settings, struct accounts *accounts, struct account *account, const char *uri,
                  struct question *ret_question)
{
    if (!account) return read_under_any(settings, accounts, uri, ret_question);
    struct result read = read_under(account, uri, ret_question);
    return result_failed(read) ? complain(EXIT_REFUSED, "%s", result_text(read)) : EXIT_DONE;
}

void question_copy(struct question *to, const struct question *from)
{
    *to = *from;
    /* What was decoded once is decoded again: the fields are to point into these bytes. */
    (void)!result_failed(challenge_body_decode(to->bytes, to->size, &to->body));
}

bool question_has_expired(const struct question *question, int64_t now_s)
{
    return now_s >= (int64_t)question->body.expires_s;
}

/* ---- showing ---- */

void question_print(const struct question *question)
{
    printf("%s  %s, for ", question->id, purposes[question->body.purpose]);
    text_print(question->account->user);
    fputs(" of ", stdout);
    text_print(question->account->company);
    putchar('\n');
    for (int i = 0; i < CHALLENGE_FIELD_COUNT; i++) {
        struct challenge_text text = question->body.fields[i];
        if (text.bytes) printf("    %-10s %.*s\n", field_names[i], (int)text.size, text.bytes);
    }
    if (question->body.flags & CHALLENGE_MATCH_NUMBER) puts("    asks for the number that the screen shows");
}

json_t *question_json(const struct question *question)
{
    json_t *json =
        json_pack("{s:s,s:i,s:s,s:I,s:b,s:b}", "challenge", question->id, "account", (int)question->account->number,
                  "purpose", purposes[question->body.purpose], "expires", (json_int_t)question->body.expires_s, "match",
                  (question->body.flags & CHALLENGE_MATCH_NUMBER) != 0, "typed",
                  (question->body.flags & CHALLENGE_MAY_BE_TYPED) != 0);
    for (int i = 0; i < CHALLENGE_FIELD_COUNT; i++) {
        struct challenge_text text = question->body.fields[i];
        if (text.bytes) json_object_set_new(json, field_names[i], json_stringn(text.bytes, text.size));
    }
    return json;
}

/* ---- asking the bank ---- */

static int refused(const struct account *account, const json_t *answer)
{
    const char *code = json_string_value(json_object_get(answer, "code"));
    const char *error = json_string_value(json_object_get(answer, "error"));
    const char *state = json_string_value(json_object_get(answer, "state"));
    return complain(EXIT_REFUSED, "account %u: %s%s%s%s%s", account->number, code ? code : "refused", error ? ": " : "",
                    error ? error : "", state ? ": " : "", state ? state : "");
}

/* Codes are refused from now on, not only questions; a bank that knows the device after all takes that back. */
static int mark(const struct settings *settings, const struct accounts *accounts, struct account *account,
                enum account_state state)
{
    if (account->state == state) return EXIT_DONE;
    account->state = state;
    return keep_save(settings, accounts);
}

static bool is_unknown(const json_t *answer)
{
    const char *code = json_string_value(json_object_get(answer, "code"));
    return code && strcmp(code, "DEVICE_UNKNOWN") == 0;
}

/* A refusal of the bank, told; the account is unbound where the bank does not know its device. */
static int take_refusal(const struct settings *settings, const struct accounts *accounts, struct account *account,
                        const json_t *answer)
{
    int saved = is_unknown(answer) ? mark(settings, accounts, account, ACCOUNT_UNBOUND) : EXIT_DONE;
    return saved == EXIT_DONE ? refused(account, answer) : saved;
}

static json_t *document_questions(const struct account *account, int64_t now_s)
{
    struct device_statement statement;
    uint8_t number[8], signature[DEVICE_SIGNATURE_SIZE];
    char text[BASE64URL_SIZE(DEVICE_SIGNATURE_SIZE)];
    device_statement_begin(&statement, "otpring device questions 1");
    store_be64(number, account->device);
    device_statement_add(&statement, number, sizeof(number));
    store_be64(number, (uint64_t)now_s);
    device_statement_add(&statement, number, sizeof(number));
    if (result_failed(device_sign(account->algorithm, account->sign_private, &statement, signature))) return NULL;
    base64url_encode(signature, sizeof(signature), text);
    return json_pack("{s:i,s:s,s:I,s:I,s:s}", "v", 1, "step", "questions", "device", (json_int_t)account->device,
                     "time", (json_int_t)now_s, "signature", text);
}

/* A device's clock may be wrong: then the bank's own time is taken, once. */
static int questions_ask(const struct settings *settings, const struct accounts *accounts, struct account *account,
                         json_t **ret_answer)
{
    int64_t now_s = (int64_t)time(NULL);
    for (int tries = 0; tries < 2; tries++) {
        json_t *document = document_questions(account, now_s);
        if (!document) return complain(EXIT_REFUSED, "a cryptographic operation failed");
        json_t *answer = transport_question(settings, document);
        json_decref(document);
        if (!answer) return EXIT_UNAVAILABLE;
        if (json_is_true(json_object_get(answer, "ok"))) {
            *ret_answer = answer;
            return EXIT_DONE;
        }
        const char *code = json_string_value(json_object_get(answer, "code"));
        json_t *theirs = json_object_get(answer, "time");
        bool clock = code && strcmp(code, "QUESTION_CLOCK") == 0 && json_is_integer(theirs) && tries == 0;
        now_s = json_integer_value(theirs);
        int status = clock ? EXIT_DONE : take_refusal(settings, accounts, account, answer);
        json_decref(answer);
        if (!clock) return status;
    }
    return EXIT_REFUSED;
}

int questions_fetch(const struct settings *settings, struct accounts *accounts, struct account *account,
                    struct question *ret_questions, unsigned *ret_count)
{
    json_t *answer = NULL, *item;
    size_t i;
    *ret_count = 0;
    int status = questions_ask(settings, accounts, account, &answer);
    if (status == EXIT_DONE) status = mark(settings, accounts, account, ACCOUNT_ACTIVE);
    if (status != EXIT_DONE) {
        json_decref(answer);
        return status;
    }
    json_array_foreach(json_object_get(answer, "questions"), i, item)
    {
        const char *uri = json_string_value(json_object_get(item, "uri"));
        if (*ret_count == QUESTIONS_MAX || !uri) continue;
        status = question_read(settings, accounts, account, uri, &ret_questions[*ret_count]);
        if (status != EXIT_DONE) break;
        ++*ret_count;
    }
    json_decref(answer);
    return status;
}

/* ---- answering ---- */

static json_t *document_answer(const struct account *account, const struct question *question,
                               enum question_decision decision, unsigned number)
{
    struct challenge_answer answer = {.act = decision == QUESTION_APPROVE ? CHALLENGE_APPROVE : CHALLENGE_REFUSE,
                                      .number = (uint8_t)number,
                                      .device = account->device};
    struct device_statement statement = {.size = CHALLENGE_STATEMENT_SIZE};
    uint8_t signature[DEVICE_SIGNATURE_SIZE];
    char said[BASE64URL_SIZE(CHALLENGE_STATEMENT_SIZE)], signed_text[BASE64URL_SIZE(DEVICE_SIGNATURE_SIZE)];
    if (decision == QUESTION_NOT_ME) answer.reason = CHALLENGE_NOT_ME;
    if (decision == QUESTION_NOT_WANTED) answer.reason = CHALLENGE_NOT_WANTED;
    challenge_digest(question->bytes, question->size, answer.digest);
    challenge_statement_write(&answer, account->answers, statement.bytes);
    if (result_failed(device_sign(account->algorithm, account->sign_private, &statement, signature))) return NULL;
    base64url_encode(statement.bytes, CHALLENGE_STATEMENT_SIZE, said);
    base64url_encode(signature, sizeof(signature), signed_text);
    return json_pack("{s:i,s:s,s:s,s:s,s:s}", "v", 1, "step", "answer", "challenge", question->id, "statement", said,
                     "signature", signed_text);
}

int question_answer(const struct settings *settings, const struct accounts *accounts, struct question *question,
                    enum question_decision decision, unsigned number, char *ret_state, size_t size)
{
    if (question_has_expired(question, (int64_t)time(NULL)))
        return complain(EXIT_REFUSED, "too late: the question has expired");
    question->account->answers++;
    int status = keep_save(settings, accounts);
    if (status != EXIT_DONE) return status;
    json_t *document = document_answer(question->account, question, decision, number);
    if (!document) return complain(EXIT_REFUSED, "a cryptographic operation failed");
    json_t *answer = transport_question(settings, document);
    json_decref(document);
    if (!answer) return EXIT_UNAVAILABLE;
    const char *state = json_string_value(json_object_get(answer, "state"));
    const char *reason = json_string_value(json_object_get(answer, "reason"));
    status = json_is_true(json_object_get(answer, "ok")) && state
                 ? EXIT_DONE
                 : take_refusal(settings, accounts, question->account, answer);
    if (status == EXIT_DONE) {
        bool why = reason && strcmp(reason, "none") != 0;
        snprintf(ret_state, size, "%s%s%s", state, why ? " " : "", why ? reason : "");
    }
    json_decref(answer);
    return status;
}

int question_response(const struct question *question, char ret_text[OCRA_RESPONSE_SIZE_MAX + 1])
{
    static const char *const suites[KERNEL_ALGORITHM_COUNT] = {"OCRA-1:HOTP-SHA1-8:QH40", "OCRA-1:HOTP-SHA256-8:QH40",
                                                               "OCRA-1:HOTP-SHA512-8:QH40"};
    const struct account *account = question->account;
    const char *text = suites[account->parameters.algorithm];
    uint8_t digest[CHALLENGE_DIGEST_SIZE];
    char asked[OCRA_QUESTION_SIZE_MAX + 1];
    struct ocra_suite suite;
    struct ocra_message message;
    if (!(question->body.flags & CHALLENGE_MAY_BE_TYPED))
        return complain(EXIT_REFUSED, "this question takes no typed response");
    if (question_has_expired(question, (int64_t)time(NULL)))
        return complain(EXIT_REFUSED, "too late: the question has expired");
    challenge_digest(question->bytes, question->size, digest);
    struct result made = ocra_suite_parse(text, strlen(text), &suite);
    if (!result_failed(made)) made = challenge_question(&suite, digest, asked);
    struct ocra_input input = {.questions = {{asked, strlen(asked)}}};
    if (!result_failed(made)) made = ocra_message_make(&suite, &input, &message);
    if (result_failed(made)) return complain(EXIT_REFUSED, "%s", result_text(made));
    ocra_respond_with_seed(&suite, account->seed, account->seed_size, &message, ret_text);
    return EXIT_DONE;
}
