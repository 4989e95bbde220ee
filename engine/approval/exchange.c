#include "approval/exchange.h"

#include <string.h>

#include "admin/admin_verify.h"
#include "approval/internal.h"
#include "base/check.h"
#include "core/locked.h"

/* ---- the token ---- */

struct exchange_token {
    struct table_hit hit;
    struct ocra_suite suite;
};

static bool token_is(struct core *core, const struct table_hit *hit, struct ocra_suite *ret_suite)
{
    struct profile_row row;
    uint8_t flags = atomic_load_explicit(&hit->tail->flags, memory_order_acquire);
    if (flags & (TABLE_SUSPENDED | TABLE_REMOVED)) return false;
    if (!core_profile_get(core, atomic_load_explicit(&hit->tail->profile, memory_order_relaxed), &row)) return false;
    return row.mutual && !result_failed(ocra_suite_parse(row.suite, strlen(row.suite), ret_suite));
}

/* The account's first active token that answers exchanges. While the act mutex is held. */
static bool token_find(struct core *core, const uint8_t name[16], struct exchange_token *ret_token)
{
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    unsigned count = table_find(core_table(core), name, hits);
    for (unsigned i = 0; i < count; i++) {
        if (!token_is(core, &hits[i], &ret_token->suite)) continue;
        ret_token->hit = hits[i];
        return true;
    }
    return false;
}

/* ---- challenge and response of the engine ---- */

static void challenge_draw(struct os *os, const struct ocra_suite *suite, char ret_text[OCRA_QUESTION_SIZE_MAX + 1])
{
    uint8_t random[OCRA_DRAW_SIZE];
    do {
        os_random(os, random, sizeof random);
    } while (!ocra_challenge_draw(suite, random, sizeof random, ret_text));
}

/* RS = OCRA(K, [C] | QC | QS | [S | T]): the server's suite has no PIN. What is missing or has characters of another
 * kind is told. */
static struct result respond(const struct exchange_token *token, struct exchange *exchange, int64_t wall_s)
{
    struct ocra_suite server;
    struct ocra_message message;
    ocra_suite_server(&token->suite, &server);
    uint64_t word = atomic_load_explicit(&token->hit.tail->token, memory_order_acquire);
    struct ocra_input input = {.counter = server.counter ? token_floor(word) : 0,
                               .step = ocra_step(&server, wall_s),
                               .questions = {{exchange->client_challenge, strlen(exchange->client_challenge)},
                                             {exchange->server_challenge, strlen(exchange->server_challenge)}}};
    if (server.session_size && exchange->information) {
        input.session = (const uint8_t *)exchange->information;
        input.session_size = strlen(exchange->information);
    }
    TRY(ocra_message_make(&server, &input, &message));
    ocra_respond(&server, token->hit.midstates, &message, exchange->server_response);
    return result_ok();
}

/* ---- beginning ---- */

/* What this session has begun with this very challenge is gone on with: the answer was lost, perhaps. */
static struct result known_find(struct item *item)
{
    struct approvals *approvals = item->approvals;
    struct exchange *exchange = &item->exchange;
    const struct challenge_entry *entry = NULL;
    uint8_t bytes[CHALLENGE_BODY_SIZE_MAX];
    struct challenge_body body;
    size_t size;
    while ((entry = challenge_open_next(approvals->keep.room, item->name, entry, approvals->now_s))) {
        if (entry->purpose != CHALLENGE_EXCHANGE || !state_is_of(entry, item->request->asker.client->id, item->session))
            continue;
        TRY(challenge_keep_body(&approvals->keep, entry->id, bytes, &size));
        TRY(challenge_body_decode(bytes, size, &body));
        const struct challenge_text *own = &body.fields[CHALLENGE_SITE], *engines = &body.fields[CHALLENGE_TEXT];
        if (own->size != strlen(exchange->client_challenge) ||
            memcmp(own->bytes, exchange->client_challenge, own->size) != 0)
            continue;
        exchange->known = true;
        memcpy(exchange->known_id, entry->id, sizeof exchange->known_id);
        memcpy(exchange->server_challenge, engines->bytes, engines->size);
        exchange->server_challenge[engines->size] = 0;
    }
    return result_ok();
}

static struct result information_get(struct item *item, const char **ret_information)
{
    TRY(act_text(&item->act, "session_information", false, ret_information));
    if (*ret_information && strlen(*ret_information) > OCRA_SESSION_SIZE_MAX) return result_of(BAD_SESSION_INFORMATION);
    return result_ok();
}

static struct result exchange_fill(struct item *item, struct challenge_ask *ask)
{
    struct exchange *exchange = &item->exchange;
    uint64_t life_s = LIFE_DEFAULT_S;
    TRY(item_account(item, true));
    TRY(item_session(item));
    TRY(act_text(&item->act, "client_challenge", true, &exchange->client_challenge));
    size_t size = strlen(exchange->client_challenge);
    if (size == 0 || size > OCRA_QUESTION_SIZE_MAX) return result_of(BAD_CHALLENGE);
    TRY(information_get(item, &exchange->information));
    TRY(act_number(&item->act, "life_s", false, LIFE_MIN_S, item->approvals->options.limits.life_max_s, &life_s));
    ask->life_s = (uint32_t)life_s;
    ask->body.purpose = CHALLENGE_EXCHANGE;
    ask_name(item, ask, CHALLENGE_BY_EXCHANGE);
    return known_find(item);
}

static struct result exchange_begin(struct item *item)
{
    struct work_lists *lists = &item->approvals->lists;
    struct challenge_ask *ask = &lists->asks[lists->ask_count];
    item->events = true;
    TRY(item_flag(item, "events", &item->events));
    *ask = (struct challenge_ask){.own = item};
    TRY(exchange_fill(item, ask));
    lists->ask_count++;
    item->ask = ask;
    return result_ok();
}

/* An unknown name, a locked account, one without a token of this kind and one whose token is suspended are told the
 * same: nobody there who could answer. */
struct result exchange_may(struct item *item, struct core_change *change, struct challenge_ask *ask)
{
    struct approvals *approvals = item->approvals;
    struct exchange *exchange = &item->exchange;
    struct exchange_token token;
    uint32_t now_s = (uint32_t)(core_change_now_ms(change) / 1000);
    ask->result = result_of(QUESTION_NO_DEVICE);
    if (core_locked_s(approvals->admin.core, item->name, now_s) ||
        !token_find(approvals->admin.core, item->name, &token))
        return result_ok();
    ask->result = result_of(BAD_CHALLENGE);
    if (strlen(exchange->client_challenge) != token.suite.question_max) return result_ok();
    /* One that ended meanwhile is not begun again with the same challenge. */
    const struct challenge_entry *known =
        exchange->known ? challenge_find(approvals->keep.room, exchange->known_id) : NULL;
    if (!known || !challenge_is_open(challenge_state_at(known, now_s)))
        challenge_draw(approvals->options.os, &token.suite, exchange->server_challenge);
    ask->result = respond(&token, exchange, os_time(approvals->options.os).wall_ms / 1000);
    ask->body.fields[CHALLENGE_SITE] =
        (struct challenge_text){exchange->client_challenge, strlen(exchange->client_challenge)};
    ask->body.fields[CHALLENGE_TEXT] =
        (struct challenge_text){exchange->server_challenge, strlen(exchange->server_challenge)};
    return result_ok();
}

static struct result exchange_finish(struct item *item)
{
    struct approvals *approvals = item->approvals;
    json_t *answer = item->act.answer;
    TRY(ask_outcome(item));
    bool joined = item->ask->asked == CHALLENGE_JOINED;
    const uint8_t *id = joined ? item->ask->joined : item->ask->body.id;
    const struct challenge_entry *entry = challenge_find(approvals->keep.room, id);
    if (!entry) return result_of(QUESTION_UNKNOWN);
    item_bytes(item, "challenge", id, CHALLENGE_ID_SIZE);
    json_object_set_new(answer, "state", json_string(challenge_state_name((enum challenge_state)entry->state)));
    json_object_set_new(answer, "joined", json_boolean(joined));
    json_object_set_new(answer, "expires_s", json_integer(entry->expires_s - approvals->now_s));
    json_object_set_new(answer, "server_challenge", json_string(item->exchange.server_challenge));
    json_object_set_new(answer, "server_response", json_string(item->exchange.server_response));
    if (item->events) watch_add(&approvals->watches, id, item->request->asker.owner, item->request->asker.tag);
    if (!joined) atomic_fetch_add(&approvals->asked, 1);
    return result_ok();
}

const struct item_kind kind_exchange = {"exchange",
                                        " company user session client_challenge session_information life_s events ",
                                        exchange_begin, exchange_finish};

/* ---- the token's response ---- */

struct result exchange_reply_begin(struct item *item, struct exchange_reply *reply)
{
    const char *text = NULL;
    TRY(information_get(item, &reply->information));
    TRY(act_text(&item->act, "pin_hash", false, &text));
    if (!text) return result_ok();
    if (base64url_decode(text, reply->pin_hash, sizeof reply->pin_hash, &reply->pin_hash_size)) return result_ok();
    return act_detail(&item->act, BAD_JSON, "pin_hash is not base64url of %d bytes at most", OCRA_PIN_HASH_SIZE_MAX);
}

/* Fields of an OCRA item, one behind the other. */
struct filling {
    _Alignas(8) uint8_t bytes[OTPRING_WIRE_OCRA_SIZE_MAX];
    size_t size;
};

static void field_put(struct filling *filling, const void *bytes, size_t size)
{
    CHECK(filling->size + size <= sizeof filling->bytes);
    if (size > 0) memcpy(filling->bytes + filling->size, bytes, size);
    filling->size += size;
}

/* QS is asked of the token, and QC is its own. */
static void response_fill(struct filling *filling, const struct challenge_entry *entry,
                          const struct challenge_body *body, const struct answering *answering)
{
    const struct challenge_text *client = &body->fields[CHALLENGE_SITE], *server = &body->fields[CHALLENGE_TEXT];
    const struct exchange_reply *reply = &answering->exchange;
    size_t response = strlen(answering->response), information = reply->information ? strlen(reply->information) : 0;
    struct otpring_wire_ocra head = {.query = {.kind = OTPRING_QUERY_OCRA},
                                     .response_size = (uint8_t)response,
                                     .question_sizes = {(uint8_t)server->size, (uint8_t)client->size},
                                     .pin_hash_size = (uint8_t)reply->pin_hash_size,
                                     .session_size = (uint16_t)information};
    *filling = (struct filling){.size = sizeof head};
    memcpy(head.query.company, entry->account, sizeof head.query.company);
    memcpy(head.query.account, entry->account + sizeof head.query.company, sizeof head.query.account);
    field_put(filling, answering->response, response);
    field_put(filling, server->bytes, server->size);
    field_put(filling, client->bytes, client->size);
    field_put(filling, reply->pin_hash, reply->pin_hash_size);
    field_put(filling, reply->information, information);
    head.size = (uint16_t)((filling->size + 7) & ~(size_t)7);
    memcpy(filling->bytes, &head, sizeof head);
}

static struct result judge(struct approvals *approvals, const struct challenge_entry *entry,
                           struct answering *answering)
{
    struct filling filling;
    struct challenge_body body;
    struct otpring_wire_answer answer;
    uint8_t bytes[CHALLENGE_BODY_SIZE_MAX];
    size_t size;
    TRY(challenge_keep_body(&approvals->keep, entry->id, bytes, &size));
    TRY(challenge_body_decode(bytes, size, &body));
    response_fill(&filling, entry, &body, answering);
    struct result result = admin_verify_exchange(
        &approvals->admin, (const struct otpring_wire_ocra *)(const void *)filling.bytes, &answer);
    explicit_bzero(&filling, sizeof filling);
    TRY(result);
    answering->exchange.judged = true;
    answering->exchange.verdict = answer.verdict;
    answering->exchange.record = answer.record;
    return result_ok();
}

static bool came_before(const struct work_lists *lists, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (memcmp(lists->replies[i].id, lists->replies[at].id, CHALLENGE_ID_SIZE) == 0) return true;
    return false;
}

void exchanges_judge(struct approvals *approvals)
{
    const struct work_lists *lists = &approvals->lists;
    for (uint32_t i = 0; i < lists->reply_count; i++) {
        struct answering *answering = &lists->answerings[i];
        const struct item *item = answering->item;
        const struct challenge_entry *entry = challenge_find(approvals->keep.room, lists->replies[i].id);
        if (!answering->of_exchange || !entry || came_before(lists, i)) continue;
        if (!challenge_is_open(challenge_state_at(entry, approvals->now_s)) ||
            !state_is_of(entry, item->request->asker.client->id, item->session))
            continue;
        struct result result = judge(approvals, entry, answering);
        if (result_failed(result)) item_fail(answering->item, result);
    }
}

struct result exchange_reply_may(struct item *item, struct challenge_reply *reply)
{
    const struct answering *answering = reply->own;
    const struct exchange_reply *exchange = &answering->exchange;
    const struct challenge_entry *entry = challenge_find(item->approvals->keep.room, reply->id);
    reply->result = result_of(QUESTION_UNKNOWN);
    if (!entry || !state_is_of(entry, item->request->asker.client->id, item->session)) return result_ok();
    memcpy(reply->answer.digest, entry->digest, sizeof reply->answer.digest);
    reply->answer.device = exchange->record;
    reply->answer.wrong = exchange->verdict != OTPRING_ACCEPTED;
    reply->result = result_ok();
    bool shut = exchange->verdict == OTPRING_THROTTLED || exchange->verdict == OTPRING_INACTIVE ||
                exchange->verdict == OTPRING_UNKNOWN;
    if (exchange->judged && shut) reply->shut = CHALLENGE_ACCOUNT_SHUT;
    /* Not judged: it was closed when it came, or another response came for it before. */
    bool undecided = !exchange->judged || exchange->verdict == OTPRING_UNAVAILABLE;
    if (undecided) reply->answer.device = UINT64_MAX; /* of no verdict; none is given where it is closed */
    if (undecided && challenge_is_open((enum challenge_state)entry->state))
        reply->result = result_of(EXCHANGE_UNAVAILABLE);
    return result_ok();
}
