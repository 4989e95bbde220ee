/* A turn's withdrawals, answers and questions, as few changes as they fit. One change has one actor: the client that
 * sent them; neighbours of one client go together. */
#include <string.h>

#include "approval/internal.h"

enum { PAUSE_NS = 5000000, TRIES_MAX = 400 /* two seconds; a spare segment is written in less than one */ };

static bool room_short(struct result result)
{
    return result.code == JOURNAL_NO_ROOM || result.code == FULL;
}

/* A full disk is not waited for: it takes an operator. */
static bool may_wait(struct approvals *approvals)
{
    struct core_status status;
    struct os_op pause = {.kind = OS_TIMER, .timeout_ns = PAUSE_NS};
    core_status(approvals->admin.core, &status);
    if (status.journal.no_room) return false;
    return !result_failed(os_result(os_run(approvals->options.os, &pause)));
}

struct result change_try(struct approvals *approvals,
                         struct result (*part)(struct approvals *approvals, size_t from, size_t count,
                                               size_t *ret_done),
                         size_t from, size_t count, size_t *ret_done)
{
    struct result result = part(approvals, from, count, ret_done);
    for (int tries = 0; room_short(result) && tries < TRIES_MAX && may_wait(approvals); tries++)
        result = part(approvals, from, count, ret_done);
    return result;
}

static const struct core_actor *actor_of(const struct item *item)
{
    return &item->act.actor;
}

/* ---- the three kinds ---- */

static struct result ask_part(struct approvals *approvals, size_t from, size_t count, size_t *ret_done)
{
    struct challenge_ask *asks = approvals->lists.asks + from;
    return challenge_keep_ask(&approvals->keep, actor_of(asks->own), asks, count, ret_done);
}

static struct item *reply_item(struct approvals *approvals, size_t at)
{
    return approvals->lists.answerings[at].item;
}

static struct result reply_part(struct approvals *approvals, size_t from, size_t count, size_t *ret_done)
{
    return challenge_keep_answer(&approvals->keep, actor_of(reply_item(approvals, from)),
                                 approvals->lists.replies + from, count, ret_done);
}

static struct result withdrawal_part(struct approvals *approvals, size_t from, size_t count, size_t *ret_done)
{
    struct challenge_withdrawal *items = approvals->lists.withdrawals + from;
    return challenge_keep_withdraw_all(&approvals->keep, actor_of(items->own), items, count, ret_done);
}

static struct item *ask_item(struct approvals *approvals, size_t at)
{
    return approvals->lists.asks[at].own;
}

static struct item *withdrawal_item(struct approvals *approvals, size_t at)
{
    return approvals->lists.withdrawals[at].own;
}

static void run(struct approvals *approvals, size_t count,
                struct item *(*item_at)(struct approvals *approvals, size_t at),
                struct result (*part)(struct approvals *approvals, size_t from, size_t count, size_t *ret_done))
{
    for (size_t from = 0; from < count;) {
        size_t end = from + 1, done = 0;
        uint32_t uid = actor_of(item_at(approvals, from))->uid;
        while (end < count && actor_of(item_at(approvals, end))->uid == uid) end++;
        struct result result = change_try(approvals, part, from, end - from, &done);
        /* Nothing of the change happened: each is told so, and those after it are tried. */
        if (result_failed(result)) {
            for (size_t at = from; at < end; at++) item_fail(item_at(approvals, at), result);
            done = end - from;
        }
        from += done;
    }
}

/* ---- what they did ---- */

static void closed(struct approvals *approvals, const uint8_t id[CHALLENGE_ID_SIZE])
{
    const struct challenge_entry *entry = challenge_find(approvals->keep.room, id);
    if (!entry || challenge_is_open((enum challenge_state)entry->state)) return;
    watch_close(&approvals->watches, id);
}

static void replies_count(struct approvals *approvals)
{
    for (uint32_t i = 0; i < approvals->lists.reply_count; i++) {
        const struct challenge_reply *reply = &approvals->lists.replies[i];
        closed(approvals, reply->id);
        if (result_failed(reply->result) || reply->shut || reply->answered != CHALLENGE_TAKEN) continue;
        atomic_fetch_add(reply->state == CHALLENGE_APPROVED ? &approvals->approved : &approvals->refused, 1);
    }
}

void changes_run(struct approvals *approvals)
{
    struct work_lists *lists = &approvals->lists;
    run(approvals, lists->withdrawal_count, withdrawal_item, withdrawal_part);
    for (uint32_t i = 0; i < lists->withdrawal_count; i++) {
        closed(approvals, lists->withdrawals[i].id);
        if (!result_failed(lists->withdrawals[i].result)) atomic_fetch_add(&approvals->withdrawn, 1);
    }
    run(approvals, lists->reply_count, reply_item, reply_part);
    replies_count(approvals);
    run(approvals, lists->ask_count, ask_item, ask_part);
}

/* ---- what administrators did ---- */

static const struct core_actor engine_itself = {.uid = 0};

static struct result shut_if_due(struct approvals *approvals, const uint8_t account[16])
{
    struct act act = {.admin = &approvals->admin, .who = {.role = ROLE_BANK}};
    struct people people = {.act = &act, .store = approvals->keep.store};
    struct standing standing;
    uint32_t withdrawn = 0;
    TRY(store_begin(people.store, false, &people.txn));
    struct result result = standing_read(&people, account, &standing);
    store_abort(people.store, people.txn);
    TRY(result);
    enum challenge_reason reason = standing_shut(&standing);
    if (!reason) return result_ok();
    const struct challenge_entry *entry = NULL;
    uint8_t ids[8][CHALLENGE_ID_SIZE];
    uint32_t count = 0;
    while (count < 8 && (entry = challenge_open_next(approvals->keep.room, account, entry, approvals->now_s)))
        memcpy(ids[count++], entry->id, CHALLENGE_ID_SIZE);
    TRY(challenge_keep_shut(&approvals->keep, &engine_itself, account, reason, &withdrawn));
    for (uint32_t i = 0; i < count; i++) closed(approvals, ids[i]);
    atomic_fetch_add(&approvals->withdrawn, withdrawn);
    return result_ok();
}

/* Those of one account, or of all accounts of a company, or of all there are. What cannot be withdrawn now is refused
 * when it is answered, which rests on the rows themselves. */
static void touched_one(struct approvals *approvals, const uint8_t account[16])
{
    static const uint8_t none[16];
    const struct challenge_entry *entry = NULL;
    bool all = memcmp(account, none, 16) == 0, whole_company = !all && memcmp(account + 8, none, 8) == 0;
    uint8_t last[16];
    if (!all && !whole_company) {
        if (challenge_open_next(approvals->keep.room, account, NULL, approvals->now_s))
            (void)result_failed(shut_if_due(approvals, account));
        return;
    }
    while ((entry = challenge_open_any(approvals->keep.room, all ? NULL : account, entry, approvals->now_s))) {
        memcpy(last, entry->account, sizeof last);
        (void)result_failed(shut_if_due(approvals, last));
    }
}

void touched_serve(struct approvals *approvals)
{
    static const uint8_t none[16];
    uint8_t touched[TOUCHED_MAX][16];
    pthread_mutex_lock(&approvals->mutex);
    uint32_t count = approvals->touched_count;
    bool all = approvals->touched_all;
    memcpy(touched, approvals->touched, count * sizeof touched[0]);
    approvals->touched_count = 0;
    approvals->touched_all = false;
    pthread_mutex_unlock(&approvals->mutex);
    if (all)
        touched_one(approvals, none);
    else
        for (uint32_t i = 0; i < count; i++) touched_one(approvals, touched[i]);
}

void approvals_touched(struct approvals *approvals, const uint8_t account[16])
{
    static const uint8_t none[16];
    pthread_mutex_lock(&approvals->mutex);
    if (memcmp(account, none, 16) == 0 || approvals->touched_count == TOUCHED_MAX)
        approvals->touched_all = true;
    else
        memcpy(approvals->touched[approvals->touched_count++], account, 16);
    pthread_mutex_unlock(&approvals->mutex);
    os_wake(approvals->options.os);
}
