/* What became of a challenge: wait, cancel, list. */
#include <string.h>

#include "approval/internal.h"
#include "base/base64url.h"
#include "challenge/state.h"

const char *reason_name(unsigned reason)
{
    static const char *const names[CHALLENGE_REASON_COUNT] = {
        [CHALLENGE_NO_REASON] = "none",        [CHALLENGE_NOT_ME] = "not-me",
        [CHALLENGE_NOT_WANTED] = "not-wanted", [CHALLENGE_WRONG_NUMBER] = "wrong-number",
        [CHALLENGE_CANCELLED] = "cancelled",   [CHALLENGE_ACCOUNT_SHUT] = "shut",
        [CHALLENGE_UNBOUND] = "unbound",
    };
    return reason < CHALLENGE_REASON_COUNT ? names[reason] : "none";
}

bool state_is_of(const struct challenge_entry *entry, uint16_t client, const char *session)
{
    static const uint8_t none[16];
    uint8_t pushed[CHALLENGE_BINDING_SIZE], scanned[CHALLENGE_BINDING_SIZE];
    uint8_t exchanged[CHALLENGE_BINDING_SIZE];
    const uint8_t *account = entry->flags & CHALLENGE_NO_ACCOUNT ? none : entry->account;
    if (entry->purpose == CHALLENGE_EXCHANGE) {
        challenge_binding(account, CHALLENGE_BY_EXCHANGE, client, session, strlen(session), exchanged);
        return entry->client == client && memcmp(exchanged, entry->binding, sizeof exchanged) == 0;
    }
    challenge_binding(account, CHALLENGE_BY_PUSH, client, session, strlen(session), pushed);
    challenge_binding(account, CHALLENGE_BY_QR, client, session, strlen(session), scanned);
    return entry->client == client &&
           (memcmp(pushed, entry->binding, sizeof pushed) == 0 || memcmp(scanned, entry->binding, sizeof scanned) == 0);
}

/* The names of who answered; none where the store has forgotten the user meanwhile. */
static struct result names_fill(struct approvals *approvals, struct store_txn *txn, const struct challenge_entry *entry,
                                json_t *answer)
{
    struct act act = {.admin = &approvals->admin, .who = {.role = ROLE_BANK}};
    struct people people = {.act = &act, .store = core_store(approvals->admin.core), .txn = txn};
    struct company_row company;
    struct user_row user;
    struct result got = people_company_get(&people, entry->account, &company);
    if (!result_failed(got)) got = people_user_get(&people, entry->account, &user);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    json_object_set_new(answer, "company", json_string(company.name));
    json_object_set_new(answer, "user", json_string(user.user));
    return result_ok();
}

struct result state_fill(struct approvals *approvals, struct store_txn *txn, const struct challenge_entry *entry,
                         json_t *answer)
{
    char id[ID_TEXT_SIZE];
    enum challenge_state state = challenge_state_at(entry, approvals->now_s);
    base64url_encode(entry->id, sizeof entry->id, id);
    json_object_set_new(answer, "challenge", json_string(id));
    json_object_set_new(answer, "state", json_string(challenge_state_name(state)));
    if (challenge_is_open(state)) {
        json_object_set_new(answer, "expires_s", json_integer(entry->expires_s - approvals->now_s));
        return result_ok();
    }
    if (state == CHALLENGE_EXPIRED) return result_ok();
    json_object_set_new(answer, "reason", json_string(reason_name(entry->reason)));
    if (state == CHALLENGE_WITHDRAWN) return result_ok();
    if (entry->purpose != CHALLENGE_EXCHANGE)
        json_object_set_new(answer, "device", json_integer((json_int_t)entry->device));
    return names_fill(approvals, txn, entry, answer);
}

/* The item's challenge, if it belongs to who asks; NULL. */
static const struct challenge_entry *own_entry(const struct item *item)
{
    const struct challenge_entry *entry = challenge_find(item->approvals->keep.room, item->id);
    return entry && state_is_of(entry, item->request->asker.client->id, item->session) ? entry : NULL;
}

static struct result state_answer(struct item *item)
{
    struct approvals *approvals = item->approvals;
    const struct challenge_entry *entry = own_entry(item);
    struct store_txn *txn;
    if (!entry) return result_of(QUESTION_UNKNOWN);
    TRY(store_begin(approvals->keep.store, false, &txn));
    struct result result = state_fill(approvals, txn, entry, item->act.answer);
    store_abort(approvals->keep.store, txn);
    return result;
}

/* ---- wait ---- */

static struct result wait_begin(struct item *item)
{
    item->events = true;
    TRY(item_flag(item, "events", &item->events));
    return item_challenge(item);
}

static struct result wait_finish(struct item *item)
{
    const struct challenge_entry *entry = own_entry(item);
    TRY(state_answer(item));
    if (item->events && challenge_is_open(challenge_state_at(entry, item->approvals->now_s)))
        watch_add(&item->approvals->watches, item->id, item->request->asker.owner, item->request->asker.tag);
    return result_ok();
}

const struct item_kind kind_wait = {"wait", " challenge session events ", wait_begin, wait_finish};

/* ---- cancel ---- */

static struct result cancel_begin(struct item *item)
{
    struct work_lists *lists = &item->approvals->lists;
    TRY(item_challenge(item));
    if (!own_entry(item)) return result_of(QUESTION_UNKNOWN);
    struct challenge_withdrawal *withdrawal = &lists->withdrawals[lists->withdrawal_count++];
    *withdrawal = (struct challenge_withdrawal){.role = CHALLENGE_CLIENT, .reason = CHALLENGE_CANCELLED, .own = item};
    memcpy(withdrawal->id, item->id, sizeof withdrawal->id);
    item->withdrawal = withdrawal;
    return result_ok();
}

/* One that was answered a moment before is told as such. */
static struct result cancel_finish(struct item *item)
{
    return state_answer(item);
}

const struct item_kind kind_cancel = {"cancel", " challenge session ", cancel_begin, cancel_finish};

/* ---- list ---- */

static struct result list_begin(struct item *item)
{
    return item_account(item, true);
}

static json_t *listed(const struct challenge_entry *entry, uint32_t now_s)
{
    static const char *const purposes[] = {
        [CHALLENGE_LOGIN] = "login", "query", "authorisation", "transaction", "exchange"};
    char id[ID_TEXT_SIZE];
    base64url_encode(entry->id, sizeof entry->id, id);
    json_t *json = json_object();
    json_object_set_new(json, "challenge", json_string(id));
    json_object_set_new(json, "state", json_string(challenge_state_name((enum challenge_state)entry->state)));
    json_object_set_new(json, "purpose", json_string(purposes[entry->purpose]));
    json_object_set_new(json, "expires_s", json_integer(entry->expires_s - now_s));
    return json;
}

static struct result list_finish(struct item *item)
{
    const struct approvals *approvals = item->approvals;
    const struct challenge_entry *entry = NULL;
    json_t *challenges = json_array();
    json_object_set_new(item->act.answer, "challenges", challenges);
    while ((entry = challenge_open_next(approvals->keep.room, item->name, entry, approvals->now_s)))
        if (entry->client == item->request->asker.client->id)
            json_array_append_new(challenges, listed(entry, approvals->now_s));
    return result_ok();
}

const struct item_kind kind_list = {"list", " company user ", list_begin, list_finish};
