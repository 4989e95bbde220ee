/* Questions on their way in; and alerts, which nobody answers. */
#include <string.h>

#include "approval/internal.h"
#include "base/base64url.h"
#include "challenge/uri.h"

enum { BASE64URL_DASH = 62 }; /* the six bits that are written so */

/* ---- fields ---- */

static struct result word_find(struct item *item, const char *key, const char *const *words, size_t count,
                               unsigned *ret_at)
{
    const char *text;
    TRY(act_text(&item->act, key, true, &text));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], text) != 0) continue;
        *ret_at = (unsigned)i;
        return result_ok();
    }
    return act_detail(&item->act, BAD_JSON, "there is no %s \"%.20s\"", key, text);
}

static struct result fields_get(struct item *item, struct challenge_body *body)
{
    static const char *const keys[CHALLENGE_FIELD_COUNT] = {
        [CHALLENGE_SITE] = "site",   [CHALLENGE_TEXT] = "text",           [CHALLENGE_AMOUNT] = "amount", "currency",
        [CHALLENGE_PAYEE] = "payee", [CHALLENGE_REFERENCE] = "reference",
    };
    for (unsigned i = 0; i < CHALLENGE_FIELD_COUNT; i++) {
        const char *text = NULL;
        TRY(act_text(&item->act, keys[i], i <= CHALLENGE_TEXT, &text));
        /* Where a field may not stand the body's own rules say so. */
        if (text) body->fields[i] = (struct challenge_text){.bytes = text, .size = strlen(text)};
        if (text && !*text) return act_detail(&item->act, CHALLENGE_BAD_TEXT, "%s is empty", keys[i]);
    }
    return result_ok();
}

static struct result flags_get(struct item *item, struct challenge_ask *ask)
{
    bool match = !item->by_qr, typed = item->by_qr;
    TRY(item_flag(item, "match", &match));
    TRY(item_flag(item, "typed", &typed));
    ask->body.flags = (uint8_t)((match ? CHALLENGE_MATCH_NUMBER : 0) | (typed ? CHALLENGE_MAY_BE_TYPED : 0) |
                                (item->user ? 0 : CHALLENGE_NO_ACCOUNT));
    if (match) {
        uint64_t random;
        os_random(item->approvals->options.os, &random, sizeof random);
        ask->number = challenge_number(random);
    }
    return result_ok();
}

void ask_name(const struct item *item, struct challenge_ask *ask, enum challenge_channel channel)
{
    const struct approvals *approvals = item->approvals;
    const struct core_client *client = item->request->asker.client;
    ask->client = client->id;
    ask->client_max = client->challenges_max;
    memcpy(ask->account, item->name, sizeof ask->account);
    memcpy(ask->body.key_id, approvals->key_id, sizeof ask->body.key_id);
    /* Not one whose text begins with a dash: to commands that are given it, it would look like an option. */
    do {
        os_random(approvals->options.os, ask->body.id, sizeof ask->body.id);
    } while (ask->body.id[0] >> 2 == BASE64URL_DASH);
    challenge_binding(ask->account, channel, client->id, item->session, strlen(item->session), ask->body.binding);
}

static struct result ask_fill(struct item *item, struct challenge_ask *ask)
{
    static const char *const channels[] = {"push", "qr"};
    static const char *const purposes[] = {"login", "query", "authorisation", "transaction"};
    struct approvals *approvals = item->approvals;
    unsigned channel = 0, purpose = 0;
    uint64_t life_s = LIFE_DEFAULT_S;
    TRY(item_account(item, false));
    TRY(item_session(item));
    TRY(word_find(item, "channel", channels, 2, &channel));
    TRY(word_find(item, "purpose", purposes, 4, &purpose));
    TRY(act_number(&item->act, "life_s", false, LIFE_MIN_S, approvals->options.limits.life_max_s, &life_s));
    TRY(fields_get(item, &ask->body));
    item->by_qr = channel == 1;
    if (!item->user && !item->by_qr) return act_detail(&item->act, BAD_JSON, "company and user are needed for a push");
    TRY(flags_get(item, ask));
    ask->body.purpose = (enum challenge_purpose)(CHALLENGE_LOGIN + purpose);
    ask->life_s = (uint32_t)life_s;
    ask_name(item, ask, item->by_qr ? CHALLENGE_BY_QR : CHALLENGE_BY_PUSH);
    return result_ok();
}

static struct result ask_begin(struct item *item)
{
    struct work_lists *lists = &item->approvals->lists;
    struct challenge_ask *ask = &lists->asks[lists->ask_count];
    item->events = true;
    TRY(item_flag(item, "events", &item->events));
    *ask = (struct challenge_ask){.own = item};
    TRY(ask_fill(item, ask));
    lists->ask_count++;
    item->ask = ask;
    return result_ok();
}

/* ---- in the change ---- */

struct result ask_may(void *context, struct core_change *change, struct challenge_ask *ask)
{
    (void)context;
    struct item *item = ask->own;
    struct people people = item_people(item, core_change_txn(change), change);
    struct standing standing;
    if (ask->body.purpose == CHALLENGE_EXCHANGE) return exchange_may(item, change, ask);
    if (!item->user) return result_ok();
    TRY(standing_read(&people, item->name, &standing));
    bool same = standing.known && strcmp(standing.company.name, item->company) == 0 &&
                strcmp(standing.user.user, item->user) == 0;
    if (!same || standing_shut(&standing)) ask->result = result_of(QUESTION_NO_DEVICE);
    return result_ok();
}

struct result ask_put(void *context, struct core_change *change, const struct challenge_ask *ask)
{
    (void)context;
    struct item *item = ask->own;
    struct people people = item_people(item, core_change_txn(change), change);
    struct standing standing;
    if (!item->user || item->by_qr || ask->body.purpose == CHALLENGE_EXCHANGE) return result_ok();
    TRY(standing_read(&people, item->name, &standing));
    return push_question(&people, ask, &standing, &item->pushed);
}

/* ---- the answer ---- */

static struct result refusal(struct item *item, enum result_code code)
{
    json_object_set_new(item->act.answer, "retry_after_s", json_integer(item->ask->retry_after_s));
    return result_of(code);
}

/* What was asked before, in the same words and session, is answered with what stands there. */
static struct result body_read(const struct item *item, const uint8_t id[CHALLENGE_ID_SIZE],
                               uint8_t ret_bytes[CHALLENGE_BODY_SIZE_MAX], size_t *ret_size)
{
    if (item->ask->asked == CHALLENGE_JOINED)
        return challenge_keep_body(&item->approvals->keep, id, ret_bytes, ret_size);
    memcpy(ret_bytes, item->ask->bytes, item->ask->size);
    *ret_size = item->ask->size;
    return result_ok();
}

static struct result asked_answer(struct item *item)
{
    struct approvals *approvals = item->approvals;
    bool joined = item->ask->asked == CHALLENGE_JOINED;
    const uint8_t *id = joined ? item->ask->joined : item->ask->body.id;
    const struct challenge_entry *entry = challenge_find(approvals->keep.room, id);
    uint8_t body[CHALLENGE_BODY_SIZE_MAX];
    char uri[CHALLENGE_URI_SIZE_MAX + 1];
    size_t size;
    if (!entry) return result_of(QUESTION_UNKNOWN);
    TRY(body_read(item, id, body, &size));
    TRY(uri_make(approvals, id, body, size, uri));
    json_t *answer = item->act.answer;
    item_bytes(item, "challenge", id, CHALLENGE_ID_SIZE);
    json_object_set_new(answer, "state", json_string(challenge_state_name((enum challenge_state)entry->state)));
    json_object_set_new(answer, "joined", json_boolean(joined));
    json_object_set_new(answer, "expires_s", json_integer(entry->expires_s - approvals->now_s));
    json_object_set_new(answer, "uri", json_string(uri));
    if (entry->number) json_object_set_new(answer, "number", json_integer(entry->number));
    json_object_set_new(answer, "pushed", json_integer(item->pushed));
    if (item->events) watch_add(&approvals->watches, id, item->request->asker.owner, item->request->asker.tag);
    if (!joined) atomic_fetch_add(&approvals->asked, 1);
    return result_ok();
}

struct result ask_outcome(struct item *item)
{
    TRY(item->ask->result);
    switch (item->ask->asked) {
    case CHALLENGE_BUSY:
        return refusal(item, QUESTION_BUSY);
    case CHALLENGE_COOLING:
        return refusal(item, QUESTION_COOLING);
    case CHALLENGE_LIMITED:
        return refusal(item, QUESTION_LIMITED);
    case CHALLENGE_NEW:
    case CHALLENGE_JOINED:
        break;
    }
    return result_ok();
}

static struct result ask_finish(struct item *item)
{
    TRY(ask_outcome(item));
    return asked_answer(item);
}

const struct item_kind kind_ask = {"ask",
                                   " company user session channel purpose site text amount currency payee reference "
                                   "life_s match typed events ",
                                   ask_begin, ask_finish};

/* ---- alerts ---- */

static struct result alert_begin(struct item *item)
{
    const char *service;
    TRY(act_text(&item->act, "service", true, &service));
    if (!core_text_valid(service, 1, MESSAGE_FIELD_VALUE_MAX)) return act_detail(&item->act, BAD_NAME, "service");
    return item_account(item, true);
}

/* A change of its own: it is seldom, and goes the way of every message. */
static struct result alert_put(struct people *people)
{
    struct item *item = people->act->context;
    struct standing standing;
    TRY(standing_read(people, item->name, &standing));
    bool same = standing.known && strcmp(standing.company.name, item->company) == 0 &&
                strcmp(standing.user.user, item->user) == 0;
    if (!same) return result_of(QUESTION_NO_DEVICE);
    return push_alert(people, item->name, &standing, json_string_value(json_object_get(item->act.request, "service")),
                      &item->pushed);
}

static struct result alert_finish(struct item *item)
{
    item->act.context = item;
    TRY(people_change(&item->act, alert_put));
    json_object_set_new(item->act.answer, "pushed", json_integer(item->pushed));
    return result_ok();
}

const struct item_kind kind_alert = {"alert", " company user service ", alert_begin, alert_finish};
