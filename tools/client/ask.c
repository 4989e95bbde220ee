/* The calls of ask.h: structs to JSON and back. */
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask_link.h"

/* ---- to JSON ---- */

/* What is not UTF-8 is refused by the daemon as no text. */
static void text_put(json_t *item, const char *key, const char *text)
{
    json_t *json = text ? json_string(text) : NULL;
    if (text) json_object_set_new(item, key, json ? json : json_null());
}

/* 1, -1, or left to the daemon. */
static void choice_put(json_t *item, const char *key, int choice)
{
    if (choice) json_object_set_new(item, key, json_boolean(choice > 0));
}

enum { PIN_HASH_MAX = 64 };

/* base64url without padding; what is too long is refused by the daemon as no such text. */
static void bytes_put(json_t *item, const char *key, const uint8_t *bytes, size_t size)
{
    unsigned char text[4 * (PIN_HASH_MAX + 2) / 3 + 1];
    if (!bytes) return;
    if (size > PIN_HASH_MAX) size = 0;
    int length = EVP_EncodeBlock(text, bytes, (int)size);
    while (length > 0 && text[length - 1] == '=') text[--length] = 0;
    for (int i = 0; i < length; i++) text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    text_put(item, key, (const char *)text);
}

static json_t *question_item(const struct otpring_question *question)
{
    json_t *item = json_object();
    text_put(item, "company", question->company);
    text_put(item, "user", question->user);
    text_put(item, "session", question->session);
    text_put(item, "channel", question->channel);
    text_put(item, "purpose", question->purpose);
    text_put(item, "site", question->site);
    text_put(item, "text", question->text);
    text_put(item, "amount", question->amount);
    text_put(item, "currency", question->currency);
    text_put(item, "payee", question->payee);
    text_put(item, "reference", question->reference);
    if (question->life_s) json_object_set_new(item, "life_s", json_integer(question->life_s));
    choice_put(item, "match", question->match);
    choice_put(item, "typed", question->typed);
    if (question->quiet) json_object_set_new(item, "events", json_false());
    return item;
}

static json_t *asked_item(const struct otpring_asked_by *asked)
{
    json_t *item = json_object();
    text_put(item, "challenge", asked->challenge);
    text_put(item, "session", asked->session);
    text_put(item, "response", asked->response);
    text_put(item, "company", asked->company);
    text_put(item, "user", asked->user);
    bytes_put(item, "pin_hash", asked->pin_hash, asked->pin_hash_size);
    text_put(item, "session_information", asked->session_information);
    return item;
}

static json_t *exchange_item(const struct otpring_exchange *exchange)
{
    json_t *item = json_object();
    text_put(item, "company", exchange->company);
    text_put(item, "user", exchange->user);
    text_put(item, "session", exchange->session);
    text_put(item, "client_challenge", exchange->client_challenge);
    text_put(item, "session_information", exchange->session_information);
    if (exchange->life_s) json_object_set_new(item, "life_s", json_integer(exchange->life_s));
    if (exchange->quiet) json_object_set_new(item, "events", json_false());
    return item;
}

/* ---- from JSON ---- */

static void text_get(const json_t *item, const char *key, char *ret_text, size_t size)
{
    const char *text = json_string_value(json_object_get(item, key));
    snprintf(ret_text, size, "%s", text ? text : "");
}

static uint64_t number_get(const json_t *item, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(item, key));
    return number > 0 ? (uint64_t)number : 0;
}

/* "" where it was taken. */
static void code_get(const json_t *item, char ret_code[OTPRING_CODE_TEXT_MAX + 1])
{
    text_get(item, "code", ret_code, OTPRING_CODE_TEXT_MAX + 1);
    if (!json_is_true(json_object_get(item, "ok")) && !ret_code[0]) strcpy(ret_code, "NO_ANSWER");
}

static void asked_get(const json_t *item, struct otpring_asked *ret_asked)
{
    *ret_asked = (struct otpring_asked){.joined = json_is_true(json_object_get(item, "joined"))};
    code_get(item, ret_asked->code);
    text_get(item, "challenge", ret_asked->challenge, sizeof ret_asked->challenge);
    text_get(item, "uri", ret_asked->uri, sizeof ret_asked->uri);
    ret_asked->number = (unsigned)number_get(item, "number");
    ret_asked->pushed = (unsigned)number_get(item, "pushed");
    ret_asked->expires_s = (uint32_t)number_get(item, "expires_s");
    ret_asked->retry_after_s = (uint32_t)number_get(item, "retry_after_s");
}

static void exchanged_get(const json_t *item, struct otpring_exchanged *ret_exchanged)
{
    *ret_exchanged = (struct otpring_exchanged){.joined = json_is_true(json_object_get(item, "joined"))};
    code_get(item, ret_exchanged->code);
    text_get(item, "challenge", ret_exchanged->challenge, sizeof ret_exchanged->challenge);
    text_get(item, "server_challenge", ret_exchanged->server_challenge, sizeof ret_exchanged->server_challenge);
    text_get(item, "server_response", ret_exchanged->server_response, sizeof ret_exchanged->server_response);
    ret_exchanged->expires_s = (uint32_t)number_get(item, "expires_s");
    ret_exchanged->retry_after_s = (uint32_t)number_get(item, "retry_after_s");
}

static void outcome_get(const json_t *item, struct otpring_outcome *ret_outcome)
{
    *ret_outcome = (struct otpring_outcome){.device = number_get(item, "device")};
    code_get(item, ret_outcome->code);
    text_get(item, "challenge", ret_outcome->challenge, sizeof ret_outcome->challenge);
    text_get(item, "state", ret_outcome->state, sizeof ret_outcome->state);
    text_get(item, "reason", ret_outcome->reason, sizeof ret_outcome->reason);
    text_get(item, "company", ret_outcome->company, sizeof ret_outcome->company);
    text_get(item, "user", ret_outcome->user, sizeof ret_outcome->user);
    ret_outcome->expires_s = (uint32_t)number_get(item, "expires_s");
}

/* ---- calls ---- */

static int count_check(struct otpring_asker *asker, size_t count)
{
    if (count >= 1 && count <= OTPRING_BATCH_MAX) return 0;
    return ask_error(asker, OTPRING_E_ARGUMENT, "a batch has 1 to %d items", OTPRING_BATCH_MAX);
}

PUBLIC int otpring_ask(struct otpring_asker *asker, const struct otpring_question *questions, size_t count,
                       struct otpring_asked *ret_asked)
{
    json_t *answers;
    int error = count_check(asker, count);
    if (error) return error;
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(items, question_item(&questions[i]));
    error = ask_exchange(asker, "ask", items, &answers);
    if (error) return error;
    for (size_t i = 0; i < count; i++) asked_get(json_array_get(answers, i), &ret_asked[i]);
    json_decref(answers);
    return 0;
}

static int outcomes(struct otpring_asker *asker, const char *act, const struct otpring_asked_by *asked, size_t count,
                    struct otpring_outcome *ret_outcomes)
{
    json_t *answers;
    int error = count_check(asker, count);
    if (error) return error;
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(items, asked_item(&asked[i]));
    error = ask_exchange(asker, act, items, &answers);
    if (error) return error;
    for (size_t i = 0; i < count; i++) {
        outcome_get(json_array_get(answers, i), &ret_outcomes[i]);
        snprintf(ret_outcomes[i].challenge, sizeof ret_outcomes[i].challenge, "%s", asked[i].challenge);
    }
    json_decref(answers);
    return 0;
}

PUBLIC int otpring_wait(struct otpring_asker *asker, const struct otpring_asked_by *asked, size_t count,
                        struct otpring_outcome *ret_outcomes)
{
    return outcomes(asker, "wait", asked, count, ret_outcomes);
}

PUBLIC int otpring_cancel(struct otpring_asker *asker, const struct otpring_asked_by *asked, size_t count,
                          struct otpring_outcome *ret_outcomes)
{
    return outcomes(asker, "cancel", asked, count, ret_outcomes);
}

PUBLIC int otpring_typed(struct otpring_asker *asker, const struct otpring_asked_by *asked, size_t count,
                         struct otpring_outcome *ret_outcomes)
{
    return outcomes(asker, "typed", asked, count, ret_outcomes);
}

PUBLIC int otpring_exchange(struct otpring_asker *asker, const struct otpring_exchange *exchanges, size_t count,
                            struct otpring_exchanged *ret_exchanged)
{
    json_t *answers;
    int error = count_check(asker, count);
    if (error) return error;
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(items, exchange_item(&exchanges[i]));
    error = ask_exchange(asker, "exchange", items, &answers);
    if (error) return error;
    for (size_t i = 0; i < count; i++) exchanged_get(json_array_get(answers, i), &ret_exchanged[i]);
    json_decref(answers);
    return 0;
}

PUBLIC int otpring_closed(struct otpring_asker *asker, uint32_t timeout_ms, struct otpring_outcome *ret_outcome)
{
    if (json_array_size(asker->events) == 0) {
        if (asker->fd < 0) return ask_error(asker, OTPRING_E_CONNECT, "not connected");
        int error = ask_take_events(asker, ask_now_ms() + timeout_ms);
        if (error) return error == OTPRING_E_TIMEOUT ? 0 : error;
    }
    outcome_get(json_array_get(asker->events, 0), ret_outcome);
    json_array_remove(asker->events, 0);
    return 1;
}

PUBLIC int otpring_documents(struct otpring_asker *asker, const char *const documents[], size_t count,
                             char *ret_answers[])
{
    json_t *answers;
    int error = count_check(asker, count);
    if (error) return error;
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) {
        bool fits = strlen(documents[i]) <= OTPRING_DOCUMENT_TEXT_MAX;
        json_t *document = fits ? json_loads(documents[i], JSON_REJECT_DUPLICATES, NULL) : NULL;
        json_array_append_new(items, document ? document : json_null());
    }
    error = ask_exchange(asker, "device", items, &answers);
    if (error) return error;
    for (size_t i = 0; i < count; i++) ret_answers[i] = json_dumps(json_array_get(answers, i), JSON_COMPACT);
    json_decref(answers);
    return 0;
}

PUBLIC void otpring_answer_free(char *answer)
{
    free(answer);
}

PUBLIC int otpring_alert(struct otpring_asker *asker, const char *company, const char *user, const char *service,
                         unsigned *ret_pushed, char ret_code[OTPRING_CODE_TEXT_MAX + 1])
{
    json_t *answers, *item = json_object(), *items = json_array();
    text_put(item, "company", company);
    text_put(item, "user", user);
    text_put(item, "service", service);
    json_array_append_new(items, item);
    int error = ask_exchange(asker, "alert", items, &answers);
    if (error) return error;
    code_get(json_array_get(answers, 0), ret_code);
    *ret_pushed = (unsigned)number_get(json_array_get(answers, 0), "pushed");
    json_decref(answers);
    return 0;
}
