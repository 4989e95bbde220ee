/* Answers on their way in: documents of devices, and responses that users type. */
#include <string.h>

#include "approval/internal.h"
#include "base/base64url.h"
#include "base/bytes.h"
#include "challenge/uri.h"
#include "otp/ocra.h"

/* ---- fields ---- */

static struct result bytes_get(struct item *item, const char *key, uint8_t *ret_bytes, size_t size)
{
    const char *text;
    size_t got = 0;
    TRY(act_text(&item->act, key, true, &text));
    if (!base64url_decode(text, ret_bytes, size, &got) || got != size)
        return act_detail(&item->act, BAD_JSON, "%s is not base64url of %zu bytes", key, size);
    return result_ok();
}

static struct answering *answering_take(struct item *item)
{
    struct work_lists *lists = &item->approvals->lists;
    struct answering *answering = &lists->answerings[lists->reply_count];
    *answering = (struct answering){.item = item};
    lists->replies[lists->reply_count] = (struct challenge_reply){.own = answering, .evidence = answering->evidence};
    return answering;
}

static struct challenge_reply *reply_of(const struct item *item)
{
    struct work_lists *lists = &item->approvals->lists;
    return &lists->replies[item->answering - lists->answerings];
}

/* ---- a device's documents ---- */

static struct result answer_begin(struct item *item)
{
    struct work_lists *lists = &item->approvals->lists;
    struct answering *answering = answering_take(item);
    struct challenge_reply *reply = &lists->replies[lists->reply_count];
    TRY(bytes_get(item, "challenge", reply->id, sizeof reply->id));
    TRY(bytes_get(item, "statement", answering->statement, sizeof answering->statement));
    TRY(bytes_get(item, "signature", answering->signature, sizeof answering->signature));
    TRY(challenge_statement_read(answering->statement, &reply->answer, &answering->counter));
    memcpy(item->id, reply->id, sizeof item->id);
    item->answering = answering;
    lists->reply_count++;
    return result_ok();
}

static struct result questions_begin(struct item *item)
{
    struct work_lists *lists = &item->approvals->lists;
    struct device_poll *poll = &lists->polls[lists->poll_count];
    uint8_t number[8];
    *poll = (struct device_poll){.item = item};
    TRY(act_number(&item->act, "device", true, 1, INT64_MAX, &poll->device));
    TRY(act_number(&item->act, "time", true, 0, INT64_MAX, &poll->time_s));
    TRY(bytes_get(item, "signature", poll->signature, sizeof poll->signature));
    device_statement_begin(&poll->statement, "otpring device questions 1");
    store_be64(number, poll->device);
    device_statement_add(&poll->statement, number, sizeof number);
    store_be64(number, poll->time_s);
    device_statement_add(&poll->statement, number, sizeof number);
    item->poll = poll;
    lists->poll_count++;
    return result_ok();
}

static struct result device_begin(struct item *item)
{
    const char *step;
    uint64_t version;
    TRY(act_number(&item->act, "v", true, 1, 1, &version));
    TRY(act_text(&item->act, "step", true, &step));
    if (strcmp(step, "questions") == 0) {
        TRY(act_keys_check(&item->act, " v step device time signature "));
        return questions_begin(item);
    }
    if (strcmp(step, "answer") != 0) return act_detail(&item->act, BAD_JSON, "there is no step \"%.20s\" here", step);
    TRY(act_keys_check(&item->act, " v step challenge statement signature "));
    return answer_begin(item);
}

/* ---- signatures ---- */

static struct result key_of(struct approvals *approvals, struct store_txn *txn, uint64_t number,
                            struct device_key *ret_key)
{
    struct act act = {.admin = &approvals->admin};
    struct people people = {.act = &act, .store = approvals->keep.store, .txn = txn};
    struct device_row device;
    struct result got = enrol_device_get(&people, number, &device);
    if (got.code == STORE_NOT_FOUND) return result_of(DEVICE_UNKNOWN);
    TRY(got);
    *ret_key = device.device.sign_key;
    return result_ok();
}

/* What is to be checked of the turn, with whom it is told. */
struct checks {
    struct device_signed items[APPROVAL_ITEMS_MAX];
    bool *of[APPROVAL_ITEMS_MAX];
    size_t count;
};

static void check_add(struct checks *checks, const struct device_key *key, const void *bytes, size_t size,
                      const uint8_t *signature, bool *good)
{
    checks->items[checks->count] =
        (struct device_signed){.key = key, .bytes = bytes, .size = size, .signature = signature};
    checks->of[checks->count++] = good;
}

/* The very response that closed it, typed before: who sent it did not hear so. Any other one is told that the question
 * is over and how, as before, so that nothing is learned of what was typed but by who knows it. */
static bool typed_before(const struct approvals *approvals, const struct challenge_reply *reply)
{
    const struct answering *answering = reply->own;
    const struct challenge_entry *entry = challenge_find(approvals->keep.room, reply->id);
    size_t size, response_size = strlen(answering->response);
    uint8_t bytes[CHALLENGE_EVIDENCE_SIZE_MAX];
    struct challenge_proof proof;
    if (!entry || challenge_is_open((enum challenge_state)entry->state) ||
        result_failed(challenge_keep_evidence(&approvals->keep, reply->id, bytes, &size)) ||
        result_failed(challenge_proof_decode(bytes, size, &proof)))
        return false;
    return proof.key_kind == CHALLENGE_PROOF_TYPED && proof.signature_size == response_size &&
           vault_equal(proof.signature, (const uint8_t *)answering->response, response_size);
}

static void checks_collect(struct approvals *approvals, struct store_txn *txn, struct checks *checks)
{
    struct work_lists *lists = &approvals->lists;
    for (uint32_t i = 0; i < lists->reply_count; i++) {
        struct answering *answering = &lists->answerings[i];
        if (answering->typed) {
            answering->again = typed_before(approvals, &lists->replies[i]);
            continue;
        }
        struct result result = key_of(approvals, txn, lists->replies[i].answer.device, &answering->key);
        if (result_failed(result))
            item_fail(answering->item, result);
        else
            check_add(checks, &answering->key, answering->statement, sizeof answering->statement, answering->signature,
                      &answering->signed_by_it);
    }
    for (uint32_t i = 0; i < lists->poll_count; i++) {
        struct device_poll *poll = &lists->polls[i];
        struct result result = key_of(approvals, txn, poll->device, &poll->key);
        if (result_failed(result))
            item_fail(poll->item, result);
        else
            check_add(checks, &poll->key, poll->statement.bytes, poll->statement.size, poll->signature,
                      &poll->signed_by_it);
    }
}

static void check_part(void *context, size_t from, size_t count)
{
    struct checks *checks = context;
    device_verify_many(checks->items + from, count);
}

static void all_fail(struct approvals *approvals, struct result result)
{
    for (uint32_t i = 0; i < approvals->lists.reply_count; i++) item_fail(approvals->lists.answerings[i].item, result);
    for (uint32_t i = 0; i < approvals->lists.poll_count; i++) item_fail(approvals->lists.polls[i].item, result);
}

void answers_check(struct approvals *approvals)
{
    static struct checks checks; /* of the one thread there is */
    struct store_txn *txn;
    checks.count = 0;
    if (approvals->lists.reply_count + approvals->lists.poll_count == 0) return;
    struct result result = store_begin(approvals->keep.store, false, &txn);
    if (result_failed(result)) {
        all_fail(approvals, result);
        return;
    }
    checks_collect(approvals, txn, &checks);
    store_abort(approvals->keep.store, txn);
    pool_run(approvals->pool, check_part, &checks, checks.count);
    for (size_t i = 0; i < checks.count; i++) *checks.of[i] = checks.items[i].good;
}

/* ---- in the change: a device's answer ---- */

static bool same_decision(const struct challenge_entry *entry, const struct challenge_answer *answer)
{
    if (answer->act == CHALLENGE_APPROVE)
        return entry->state == CHALLENGE_APPROVED ||
               (entry->state == CHALLENGE_REFUSED && entry->reason == CHALLENGE_WRONG_NUMBER);
    return entry->state == CHALLENGE_REFUSED && entry->reason == answer->reason;
}

/* The very answer that closed it: its device did not hear so. */
static bool is_again(const struct challenge_entry *entry, const struct challenge_answer *answer)
{
    return entry && !challenge_is_open((enum challenge_state)entry->state) && entry->device == answer->device &&
           memcmp(entry->digest, answer->digest, sizeof entry->digest) == 0 && same_decision(entry, answer);
}

/* May the client that handed it on, and the one that asked, deal with the device's company? */
static bool clients_see(const struct item *item, const struct challenge_entry *entry, const uint8_t name[16])
{
    const struct approvals_options *options = &item->approvals->options;
    const struct core_client *client = item->request->asker.client;
    bool sees = client->company_count == 0;
    for (uint32_t i = 0; i < client->company_count && !sees; i++) sees = memcmp(client->companies[i], name, 8) == 0;
    return sees && (!entry || options->client_sees(options->context, entry->client, name));
}

/* The account's lock, suspension or loss of devices closes what it was asked. */
static bool shut_by(const struct standing *standing, const struct challenge_entry *entry, struct challenge_reply *reply)
{
    static const uint8_t none[16];
    enum challenge_reason reason = standing_shut(standing);
    if (!reason || !entry || memcmp(entry->account, none, sizeof none) == 0) return false;
    reply->shut = reason;
    return true;
}

static struct result device_may(struct people *people, struct item *item, struct challenge_reply *reply)
{
    struct answering *answering = reply->own;
    const struct challenge_entry *entry = challenge_find(item->approvals->keep.room, reply->id);
    struct device_row device;
    struct standing standing;
    reply->result = result_of(QUESTION_UNKNOWN);
    if (entry && entry->purpose == CHALLENGE_EXCHANGE) return result_ok(); /* no device's */
    reply->result = result_of(DEVICE_UNKNOWN);
    struct result got = enrol_device_get(people, reply->answer.device, &device);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    memcpy(reply->answer.account, device.name, sizeof reply->answer.account);
    if (!clients_see(item, entry, device.name)) {
        reply->result = result_of(QUESTION_UNKNOWN);
        return result_ok();
    }
    answering->again = device.counter >= answering->counter && is_again(entry, &reply->answer);
    TRY(standing_read(people, device.name, &standing));
    bool of_account = entry && memcmp(entry->account, device.name, sizeof entry->account) == 0;
    if (!answering->again && of_account && shut_by(&standing, entry, reply)) return result_ok();
    if (!standing_has(&standing, device.number) || !standing.open) return result_ok();
    if (answering->again || device.counter < answering->counter)
        reply->result = result_ok();
    else
        reply->result = result_of(QUESTION_COUNTER);
    return result_ok();
}

/* ---- in the change: a response that was typed ---- */

/* The suite of a virtual token: include/otpring/DEVICE.md. */
static struct result suite_of(enum kernel_algorithm algorithm, struct ocra_suite *ret_suite)
{
    static const char *const suites[KERNEL_ALGORITHM_COUNT] = {[KERNEL_SHA1] = "OCRA-1:HOTP-SHA1-8:QH40",
                                                               [KERNEL_SHA256] = "OCRA-1:HOTP-SHA256-8:QH40",
                                                               [KERNEL_SHA512] = "OCRA-1:HOTP-SHA512-8:QH40"};
    return ocra_suite_parse(suites[algorithm], strlen(suites[algorithm]), ret_suite);
}

/* Whether it is this device's response; ret_suite is what it was made under. */
static struct result response_fits(struct people *people, uint64_t number, const uint8_t *digest, const char *response,
                                   struct ocra_suite *ret_suite, bool *ret_fits)
{
    struct device_row device;
    struct stock_row stock;
    struct table_hit hit;
    struct ocra_message message;
    char question[OCRA_QUESTION_SIZE_MAX + 1];
    *ret_fits = false;
    TRY(enrol_device_get(people, number, &device));
    TRY(people_stock_get(people, device.stock_number, &stock));
    if (!table_line(core_table(people->act->admin->core), stock.ordinal, &hit)) return result_ok();
    TRY(suite_of(table_algorithm(stock.ordinal), ret_suite));
    if (result_failed(ocra_response_check(ret_suite, response, strlen(response)))) return result_ok();
    TRY(challenge_question(ret_suite, digest, question));
    struct ocra_input input = {.questions = {{question, strlen(question)}}};
    TRY(ocra_message_make(ret_suite, &input, &message));
    *ret_fits = ocra_fits(ret_suite, hit.midstates, &message, response, strlen(response));
    return result_ok();
}

/* What is kept of it: under which suite which digits were typed, and what the engine says to them. */
static struct result typed_evidence(struct challenge_reply *reply, const struct ocra_suite *suite)
{
    struct answering *answering = reply->own;
    struct challenge_answer said = reply->answer;
    struct challenge_proof proof = {.key_kind = CHALLENGE_PROOF_TYPED,
                                    .key = (const uint8_t *)suite->text,
                                    .key_size = suite->text_size,
                                    .signature = (const uint8_t *)answering->response,
                                    .signature_size = strlen(answering->response)};
    if (said.wrong) {
        said.act = CHALLENGE_REFUSE;
        said.number = 0;
    }
    challenge_statement_write(&said, 0, proof.statement);
    return challenge_proof_encode(&proof, answering->evidence, &reply->evidence_size);
}

static struct result typed_may(struct people *people, struct item *item, struct challenge_reply *reply)
{
    struct answering *answering = reply->own;
    const struct challenge_entry *entry = challenge_find(item->approvals->keep.room, reply->id);
    struct standing standing;
    struct ocra_suite suite = {0};
    bool fits = false;
    reply->result = result_of(QUESTION_UNKNOWN);
    if (!entry || !state_is_of(entry, item->request->asker.client->id, item->session)) return result_ok();
    TRY(standing_read(people, reply->answer.account, &standing));
    if (shut_by(&standing, entry, reply)) return result_ok();
    if (standing_shut(&standing)) return result_ok();
    if (!(entry->flags & CHALLENGE_MAY_BE_TYPED)) {
        reply->result = result_of(CHALLENGE_DENIED);
        return result_ok();
    }
    memcpy(reply->answer.digest, entry->digest, sizeof reply->answer.digest);
    if (answering->again) {
        reply->answer.device = entry->device;
        reply->result = result_ok();
        return result_ok();
    }
    reply->answer.number = entry->number; /* who types into the session that asks has no number to match */
    for (uint32_t i = 0; i < standing.device_count && !fits; i++) {
        reply->answer.device = standing.devices[i];
        TRY(response_fits(people, standing.devices[i], entry->digest, answering->response, &suite, &fits));
    }
    reply->answer.wrong = !fits;
    reply->result = result_ok();
    /* A token that is gone has no suite: then there is nothing to keep, and nothing to be recognised by. */
    return suite.text_size > 0 ? typed_evidence(reply, &suite) : result_ok();
}

struct result answer_may(void *context, struct core_change *change, struct challenge_reply *reply)
{
    (void)context;
    struct answering *answering = reply->own;
    struct item *item = answering->item;
    struct people people = item_people(item, core_change_txn(change), change);
    if (result_failed(item->result)) {
        reply->result = item->result;
        return result_ok();
    }
    if (answering->of_exchange) return exchange_reply_may(item, reply);
    if (answering->typed) return typed_may(&people, item, reply);
    if (!answering->signed_by_it) {
        reply->result = result_of(CHALLENGE_BAD_SIGNATURE);
        return result_ok();
    }
    struct challenge_proof proof = {.key_kind = answering->key.algorithm,
                                    .key = answering->key.bytes,
                                    .key_size = answering->key.size,
                                    .signature = answering->signature,
                                    .signature_size = sizeof answering->signature};
    memcpy(proof.statement, answering->statement, sizeof proof.statement);
    TRY(challenge_proof_encode(&proof, answering->evidence, &reply->evidence_size));
    return device_may(&people, item, reply);
}

struct result answer_put(void *context, struct core_change *change, const struct challenge_reply *reply)
{
    (void)context;
    const struct answering *answering = reply->own;
    struct people people = item_people(answering->item, core_change_txn(change), change);
    struct device_row device;
    if (answering->typed) return result_ok();
    TRY(enrol_device_get(&people, reply->answer.device, &device));
    device.counter = answering->counter;
    return enrol_device_put(&people, &device);
}

/* ---- answers to answers ---- */

static struct result over(struct item *item, const struct challenge_entry *entry)
{
    enum challenge_state state = challenge_state_at(entry, item->approvals->now_s);
    json_object_set_new(item->act.answer, "state", json_string(challenge_state_name(state)));
    if (state == CHALLENGE_WITHDRAWN)
        json_object_set_new(item->act.answer, "reason", json_string(reason_name(entry->reason)));
    return result_of(QUESTION_OVER);
}

static struct result taken(struct item *item, const struct challenge_entry *entry)
{
    json_object_set_new(item->act.answer, "state",
                        json_string(challenge_state_name((enum challenge_state)entry->state)));
    json_object_set_new(item->act.answer, "reason", json_string(reason_name(entry->reason)));
    return result_ok();
}

static struct result reply_outcome(struct item *item)
{
    const struct challenge_reply *reply = reply_of(item);
    const struct challenge_entry *entry = challenge_find(item->approvals->keep.room, reply->id);
    TRY(reply->result);
    if (item->answering->again && entry) return taken(item, entry);
    if (reply->answered == CHALLENGE_UNKNOWN || !entry) return result_of(QUESTION_UNKNOWN);
    if (reply->answered == CHALLENGE_OTHER_CONTENT) return result_of(QUESTION_CONTENT);
    if (reply->answered == CHALLENGE_CLOSED_ALREADY) return over(item, entry);
    return taken(item, entry);
}

/* ---- what there is for a device ---- */

static struct result question_add(struct item *item, const struct challenge_entry *entry, json_t *list)
{
    struct approvals *approvals = item->approvals;
    uint8_t body[CHALLENGE_BODY_SIZE_MAX];
    char uri[CHALLENGE_URI_SIZE_MAX + 1], id[ID_TEXT_SIZE];
    size_t size;
    TRY(challenge_keep_body(&approvals->keep, entry->id, body, &size));
    TRY(uri_make(approvals, entry->id, body, size, uri));
    base64url_encode(entry->id, sizeof entry->id, id);
    json_t *json = json_object();
    json_object_set_new(json, "challenge", json_string(id));
    json_object_set_new(json, "uri", json_string(uri));
    json_object_set_new(json, "expires_s", json_integer(entry->expires_s - approvals->now_s));
    /* The account's list has the newest first. */
    json_array_insert_new(list, 0, json);
    struct challenge_entry shown;
    if (result_failed(challenge_judge_act(approvals->keep.room, entry->id, CHALLENGE_SHOW, CHALLENGE_DEVICE,
                                          CHALLENGE_NO_REASON, approvals->now_s, &shown)))
        return result_ok();
    return challenge_enter(approvals->keep.room, &shown, approvals->now_s);
}

static struct result questions_list(struct item *item, struct store_txn *txn)
{
    struct approvals *approvals = item->approvals;
    struct people people = item_people(item, txn, NULL);
    const struct challenge_entry *entry = NULL;
    struct device_row device;
    struct standing standing;
    TRY(enrol_device_get(&people, item->poll->device, &device));
    if (!clients_see(item, NULL, device.name)) return result_of(QUESTION_UNKNOWN);
    TRY(standing_read(&people, device.name, &standing));
    if (!standing.open || !standing_has(&standing, device.number)) return result_of(DEVICE_UNKNOWN);
    json_t *list = json_array();
    json_object_set_new(item->act.answer, "questions", list);
    while ((entry = challenge_open_next(approvals->keep.room, device.name, entry, approvals->now_s)))
        if (entry->purpose != CHALLENGE_EXCHANGE) TRY(question_add(item, entry, list));
    return result_ok();
}

static struct result poll_outcome(struct item *item)
{
    struct approvals *approvals = item->approvals;
    struct store_txn *txn;
    uint64_t now_s = approvals->now_s, said = item->poll->time_s;
    if (!item->poll->signed_by_it) return result_of(CHALLENGE_BAD_SIGNATURE);
    json_object_set_new(item->act.answer, "time", json_integer((json_int_t)now_s));
    if (said + CLOCK_OFF_MAX_S < now_s || said > now_s + CLOCK_OFF_MAX_S) return result_of(QUESTION_CLOCK);
    TRY(store_begin(approvals->keep.store, false, &txn));
    struct result result = questions_list(item, txn);
    store_abort(approvals->keep.store, txn);
    return result;
}

static struct result device_finish(struct item *item)
{
    return item->poll ? poll_outcome(item) : reply_outcome(item);
}

const struct item_kind kind_device = {"device", NULL, device_begin, device_finish};

/* ---- typed ---- */

static struct result typed_begin(struct item *item)
{
    struct work_lists *lists = &item->approvals->lists;
    struct answering *answering = answering_take(item);
    struct challenge_reply *reply = &lists->replies[lists->reply_count];
    static const uint8_t none[16];
    TRY(item_challenge(item));
    TRY(item_account(item, false));
    TRY(act_text(&item->act, "response", true, &answering->response));
    if (strlen(answering->response) == 0 || strlen(answering->response) > CHALLENGE_DEVICE_SIGNATURE_SIZE_MAX)
        return act_detail(&item->act, BAD_JSON, "response has 1 to %d characters", CHALLENGE_DEVICE_SIGNATURE_SIZE_MAX);
    const struct challenge_entry *entry = challenge_find(item->approvals->keep.room, item->id);
    if (!entry) return result_of(QUESTION_UNKNOWN);
    bool named = memcmp(entry->account, none, sizeof none) != 0;
    if (!named && !item->user) return act_detail(&item->act, BAD_JSON, "company and user are needed: it names none");
    if (named && item->user && memcmp(entry->account, item->name, sizeof item->name) != 0)
        return result_of(QUESTION_UNKNOWN);
    answering->typed = true;
    answering->of_exchange = entry->purpose == CHALLENGE_EXCHANGE;
    if (answering->of_exchange) TRY(exchange_reply_begin(item, &answering->exchange));
    memcpy(reply->id, item->id, sizeof reply->id);
    memcpy(reply->answer.account, named ? entry->account : item->name, sizeof reply->answer.account);
    reply->answer.act = CHALLENGE_APPROVE;
    item->answering = answering;
    lists->reply_count++;
    return result_ok();
}

const struct item_kind kind_typed = {"typed", " challenge session company user response pin_hash session_information ",
                                     typed_begin, device_finish};
