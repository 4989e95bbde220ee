#include "challenge/keep.h"

#include <string.h>

#include "base/check.h"
#include "challenge/row.h"

/* The most slots that one ask or answer takes: a record, its head, and rows of the greatest sizes. */
enum {
    ROW_OVERHEAD = 6 + ROW_KEY_SIZE + VAULT_SEAL_EXTRA,
    RECORD_SIZE_MAX = 16 + CORE_CHANGE_NAME_MAX + CHALLENGE_HEAD_SIZE + CHALLENGE_BODY_SIZE_MAX + 2 * ROW_OVERHEAD,
    RECORD_SLOTS_MAX = 1 + (RECORD_SIZE_MAX + 63) / 64,
    DONE_MAX = 256, /* in one change; a block holds about as many */
};

/* A change under way, and what it did to the room so far, to be taken back if it fails. */
struct work {
    struct challenge_keep *keep;
    struct core_change *change;
    uint32_t now_s;
    uint32_t done_count;
    struct done {
        struct challenge_entry before;
        bool new;
    } done[DONE_MAX];
};

static struct result work_begin(struct challenge_keep *keep, const struct core_actor *actor, struct work *work)
{
    work->keep = keep;
    work->done_count = 0;
    TRY(core_change_begin(keep->worker, actor, &work->change));
    work->now_s = (uint32_t)(core_change_now_ms(work->change) / 1000);
    return result_ok();
}

static bool work_has_room(const struct work *work)
{
    uint32_t also = work->keep->also ? work->keep->also->slots_max : 0;
    return work->done_count < DONE_MAX && core_change_slots_left(work->change) >= RECORD_SLOTS_MAX + also;
}

/* Last first, so that the first state of a challenge that was changed twice is the one that stays. */
static void work_undo(struct work *work)
{
    while (work->done_count > 0) {
        const struct done *done = &work->done[--work->done_count];
        challenge_undo(work->keep->room, &done->before, done->new);
    }
}

static struct result work_end(struct work *work, struct result result)
{
    if (result_failed(result))
        core_change_abandon(work->change);
    else
        result = core_change_commit(work->change);
    if (result_failed(result)) work_undo(work);
    return result;
}

/* Enters it where the next of this work is judged by it; nobody else looks before the change has ended. */
static struct result work_enter(struct work *work, const struct challenge_entry *entry)
{
    const struct challenge_entry *known = challenge_find(work->keep->room, entry->id);
    struct done *done = &work->done[work->done_count];
    done->before = known ? *known : *entry;
    done->new = known == NULL;
    TRY(challenge_enter(work->keep->room, entry, work->now_s));
    work->done_count++;
    return result_ok();
}

/* The record of an act on one challenge, with its new head. */
static struct result work_record(struct work *work, const char *name, const struct challenge_entry *entry)
{
    uint8_t head[CHALLENGE_HEAD_SIZE];
    struct core_change_act act = {.name = name};
    memcpy(act.account, entry->account, sizeof act.account);
    act.subject = entry->device;
    TRY(core_change_record(work->change, &act));
    row_head_encode(entry, head);
    return row_put(work->change, work->keep->vault, entry->id, ROW_HEAD, head, sizeof head);
}

/* ---- asking ---- */

static struct challenge_entry entry_of(const struct challenge_ask *ask, uint32_t now_s)
{
    struct challenge_entry entry = {.expires_s = ask->body.expires_s,
                                    .asked_s = now_s,
                                    .client = ask->client,
                                    .purpose = (uint8_t)ask->body.purpose,
                                    .flags = ask->body.flags,
                                    .number = ask->number};
    memcpy(entry.id, ask->body.id, CHALLENGE_ID_SIZE);
    memcpy(entry.account, ask->account, sizeof entry.account);
    memcpy(entry.binding, ask->body.binding, CHALLENGE_BINDING_SIZE);
    challenge_digest(ask->bytes, ask->size, entry.digest);
    challenge_content(ask->bytes, ask->size, entry.content);
    return entry;
}

/* What is wrong with one question is told of it alone. */
static struct result ask_judge(const struct work *work, struct challenge_ask *ask, struct challenge_entry *ret_entry)
{
    struct challenge_ask_verdict verdict;
    ask->body.expires_s = work->now_s + ask->life_s;
    TRY(challenge_body_encode(&ask->body, ask->bytes, &ask->size));
    *ret_entry = entry_of(ask, work->now_s);
    TRY(challenge_judge_ask(work->keep->room, ret_entry, work->now_s, &verdict));
    bool full = ask->client_max && challenge_open_count(work->keep->room, ask->client) >= ask->client_max;
    if (verdict.asked == CHALLENGE_NEW && full) return result_of(QUESTION_CLIENT_FULL);
    ask->asked = verdict.asked;
    ask->retry_after_s = verdict.retry_after_s;
    if (verdict.joined) memcpy(ask->joined, verdict.joined->id, CHALLENGE_ID_SIZE);
    return result_ok();
}

static struct result ask_one(struct work *work, struct challenge_ask *ask)
{
    const struct challenge_also *also = work->keep->also;
    struct challenge_entry entry;
    ask->result = result_ok();
    if (also) TRY(also->may_ask(also->context, work->change, ask));
    if (!result_failed(ask->result)) ask->result = ask_judge(work, ask, &entry);
    if (result_failed(ask->result) || ask->asked != CHALLENGE_NEW) return result_ok();
    TRY(work_enter(work, &entry));
    TRY(work_record(work, "challenge.ask", &entry));
    TRY(row_put(work->change, work->keep->vault, entry.id, ROW_BODY, ask->bytes, ask->size));
    return also ? also->asked(also->context, work->change, ask) : result_ok();
}

struct result challenge_keep_ask(struct challenge_keep *keep, const struct core_actor *actor,
                                 struct challenge_ask *asks, size_t count, size_t *ret_done)
{
    struct work work;
    size_t done = 0;
    TRY(work_begin(keep, actor, &work));
    struct result result = result_ok();
    for (; done < count && work_has_room(&work) && !result_failed(result); done++) result = ask_one(&work, &asks[done]);
    TRY(work_end(&work, result));
    *ret_done = done;
    return result_ok();
}

/* ---- answering ---- */

static struct result withdraw_one(struct work *work, const uint8_t id[CHALLENGE_ID_SIZE], enum challenge_role role,
                                  enum challenge_reason reason)
{
    struct challenge_entry entry;
    TRY(challenge_judge_act(work->keep->room, id, CHALLENGE_WITHDRAW, role, reason, work->now_s, &entry));
    TRY(work_enter(work, &entry));
    return work_record(work, "challenge.withdraw", &entry);
}

/* The evidence, and its commitment. */
static struct result evidence_put(struct work *work, const struct challenge_reply *reply)
{
    uint8_t commitment[32];
    struct row_key key = row_key_of(reply->id, ROW_COMMITMENT);
    if (reply->evidence_size == 0) return result_ok();
    TRY(row_put(work->change, work->keep->vault, reply->id, ROW_EVIDENCE, reply->evidence, reply->evidence_size));
    vault_sha256(reply->evidence, reply->evidence_size, commitment);
    return core_change_put(work->change, STORE_CHALLENGES,
                           (struct store_bytes){.bytes = key.bytes, .size = sizeof key.bytes},
                           (struct store_bytes){.bytes = commitment, .size = sizeof commitment});
}

/* What operators look for in the log. */
static struct result alarm_raise(struct work *work, const struct challenge_entry *entry)
{
    if (entry->state != CHALLENGE_REFUSED || entry->reason != CHALLENGE_NOT_ME) return result_ok();
    struct core_change_act act = {.name = "challenge.alarm", .subject = entry->device};
    memcpy(act.account, entry->account, sizeof act.account);
    return core_change_record(work->change, &act);
}

/* A lock, a suspension or an unbinding came between question and answer: it wins. */
static struct result answer_shut(struct work *work, struct challenge_reply *reply)
{
    struct result result = withdraw_one(work, reply->id, CHALLENGE_ENGINE, reply->shut);
    reply->answered = result.code == STORE_NOT_FOUND ? CHALLENGE_UNKNOWN : CHALLENGE_CLOSED_ALREADY;
    return result.code == STORE_NOT_FOUND || result.code == CHALLENGE_DENIED ? result_ok() : result;
}

/* What a device signed with a wrong number says "approved": nobody may prove by it that something was. */
static const char *answer_name(const struct challenge_entry *entry)
{
    return entry->reason == CHALLENGE_WRONG_NUMBER ? "challenge.wrong" : "challenge.answer";
}

static struct result answer_one(struct work *work, struct challenge_reply *reply)
{
    const struct challenge_also *also = work->keep->also;
    struct challenge_entry entry;
    reply->result = result_ok();
    reply->shut = CHALLENGE_NO_REASON;
    if (also) TRY(also->may_answer(also->context, work->change, reply));
    if (reply->shut) return answer_shut(work, reply);
    if (reply->evidence_size > CHALLENGE_EVIDENCE_SIZE_MAX) reply->result = result_of(BAD_ARGUMENT);
    if (!result_failed(reply->result))
        reply->result =
            challenge_judge_answer(work->keep->room, reply->id, &reply->answer, work->now_s, &reply->answered, &entry);
    if (result_failed(reply->result) || reply->answered != CHALLENGE_TAKEN) return result_ok();
    reply->state = (enum challenge_state)entry.state;
    TRY(work_enter(work, &entry));
    TRY(alarm_raise(work, &entry));
    TRY(work_record(work, answer_name(&entry), &entry));
    TRY(evidence_put(work, reply));
    return also ? also->answered(also->context, work->change, reply) : result_ok();
}

struct result challenge_keep_answer(struct challenge_keep *keep, const struct core_actor *actor,
                                    struct challenge_reply *replies, size_t count, size_t *ret_done)
{
    struct work work;
    size_t done = 0;
    TRY(work_begin(keep, actor, &work));
    struct result result = result_ok();
    for (; done < count && work_has_room(&work) && !result_failed(result); done++)
        result = answer_one(&work, &replies[done]);
    TRY(work_end(&work, result));
    *ret_done = done;
    return result_ok();
}

/* ---- withdrawing ---- */

/* What is not to be withdrawn is said of it alone. */
static struct result withdrawal_one(struct work *work, struct challenge_withdrawal *item)
{
    item->result = withdraw_one(work, item->id, item->role, item->reason);
    bool refused = item->result.code == STORE_NOT_FOUND || item->result.code == CHALLENGE_DENIED;
    return refused ? result_ok() : item->result;
}

struct result challenge_keep_withdraw_all(struct challenge_keep *keep, const struct core_actor *actor,
                                          struct challenge_withdrawal *items, size_t count, size_t *ret_done)
{
    struct work work;
    size_t done = 0;
    TRY(work_begin(keep, actor, &work));
    struct result result = result_ok();
    for (; done < count && work_has_room(&work) && !result_failed(result); done++)
        result = withdrawal_one(&work, &items[done]);
    TRY(work_end(&work, result));
    *ret_done = done;
    return result_ok();
}

struct result challenge_keep_withdraw(struct challenge_keep *keep, const struct core_actor *actor,
                                      const uint8_t id[CHALLENGE_ID_SIZE], enum challenge_role role,
                                      enum challenge_reason reason)
{
    struct work work;
    TRY(work_begin(keep, actor, &work));
    return work_end(&work, withdraw_one(&work, id, role, reason));
}

/* An account has one open challenge a purpose: all of them fit a block. */
struct result challenge_keep_shut(struct challenge_keep *keep, const struct core_actor *actor,
                                  const uint8_t account[16], enum challenge_reason reason, uint32_t *ret_withdrawn)
{
    struct work work;
    TRY(work_begin(keep, actor, &work));
    struct result result = result_ok();
    const struct challenge_entry *entry = NULL;
    while (!result_failed(result) && (entry = challenge_open_next(keep->room, account, entry, work.now_s)))
        if (entry->purpose != CHALLENGE_EXCHANGE) result = withdraw_one(&work, entry->id, CHALLENGE_ENGINE, reason);
    uint32_t withdrawn = work.done_count;
    TRY(work_end(&work, result));
    *ret_withdrawn = withdrawn;
    return result_ok();
}

/* ---- forgetting ---- */

static void forgotten_add(void *context, const struct challenge_entry *entry)
{
    struct challenge_keep *keep = context;
    CHECK(keep->forgotten_count < CHALLENGE_FORGET_MAX);
    memcpy(keep->forgotten[keep->forgotten_count++], entry->id, CHALLENGE_ID_SIZE);
}

/* As many as the block takes. */
static struct result forget_some(const struct challenge_keep *keep, struct core_change *change, uint32_t *ret_done)
{
    enum { FORGET_SLOTS_MAX = 4 /* the keys of four rows */ };
    static const enum row_part parts[] = {ROW_HEAD, ROW_BODY, ROW_EVIDENCE, ROW_COMMITMENT};
    struct core_change_act act = {.name = "challenge.forget"};
    TRY(core_change_record(change, &act));
    uint32_t i = 0;
    for (; i < keep->forgotten_count && core_change_slots_left(change) >= FORGET_SLOTS_MAX; i++)
        for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
            struct row_key key = row_key_of(keep->forgotten[i], parts[p]);
            TRY(core_change_erase(change, STORE_CHALLENGES,
                                  (struct store_bytes){.bytes = key.bytes, .size = sizeof key.bytes}));
        }
    *ret_done = i;
    return result_ok();
}

struct result challenge_keep_tick(struct challenge_keep *keep, const struct core_actor *actor, uint32_t now_s,
                                  bool *ret_more)
{
    struct core_change *change;
    bool more = true;
    uint32_t done = 0;
    if (keep->forgotten_count == 0) more = challenge_tick(keep->room, now_s, CHALLENGE_FORGET_MAX, forgotten_add, keep);
    if (keep->forgotten_count > 0) {
        TRY(core_change_begin(keep->worker, actor, &change));
        struct result result = forget_some(keep, change, &done);
        if (result_failed(result)) {
            core_change_abandon(change);
            return result;
        }
        TRY(core_change_commit(change));
        keep->forgotten_count -= done;
        memmove(keep->forgotten, keep->forgotten + done, keep->forgotten_count * sizeof keep->forgotten[0]);
    }
    *ret_more = more || keep->forgotten_count > 0;
    return result_ok();
}

/* ---- reading ---- */

static struct result head_load(const struct challenge_keep *keep, const struct row_key *key, struct store_bytes value,
                               uint32_t now_s)
{
    uint8_t head[CHALLENGE_HEAD_SIZE];
    struct challenge_entry entry;
    size_t size;
    TRY(row_open(keep->vault, key, value, head, sizeof head, &size));
    TRY(row_head_decode(key->bytes, head, size, &entry));
    return challenge_enter(keep->room, &entry, now_s);
}

struct result challenge_keep_load(struct challenge_keep *keep, uint32_t now_s)
{
    struct store_txn *txn;
    struct store_bytes key, value;
    struct row_key last = {{0}};
    TRY(store_begin(keep->store, false, &txn));
    struct result result = result_ok();
    for (size_t last_size = 0; !result_failed(result); last_size = sizeof last.bytes) {
        struct store_bytes after = {.bytes = last.bytes, .size = last_size};
        result = store_next(keep->store, txn, STORE_CHALLENGES, after, false, &key, &value);
        if (result_failed(result)) break;
        if (key.size != ROW_KEY_SIZE) {
            result = result_of(STORE_DAMAGED);
            break;
        }
        memcpy(last.bytes, key.bytes, ROW_KEY_SIZE);
        if (last.bytes[CHALLENGE_ID_SIZE] == ROW_HEAD) result = head_load(keep, &last, value, now_s);
    }
    store_abort(keep->store, txn);
    return result.code == STORE_NOT_FOUND ? result_ok() : result;
}

static struct result part_read(const struct challenge_keep *keep, const uint8_t id[CHALLENGE_ID_SIZE],
                               enum row_part part, uint8_t *ret_bytes, size_t capacity, size_t *ret_size)
{
    struct store_txn *txn;
    struct store_bytes value;
    struct row_key key = row_key_of(id, part);
    TRY(store_begin(keep->store, false, &txn));
    struct result result = store_get(keep->store, txn, STORE_CHALLENGES,
                                     (struct store_bytes){.bytes = key.bytes, .size = sizeof key.bytes}, &value);
    if (!result_failed(result)) result = row_open(keep->vault, &key, value, ret_bytes, capacity, ret_size);
    store_abort(keep->store, txn);
    return result;
}

struct result challenge_keep_body(const struct challenge_keep *keep, const uint8_t id[CHALLENGE_ID_SIZE],
                                  uint8_t ret_bytes[CHALLENGE_BODY_SIZE_MAX], size_t *ret_size)
{
    return part_read(keep, id, ROW_BODY, ret_bytes, CHALLENGE_BODY_SIZE_MAX, ret_size);
}

struct result challenge_keep_evidence(const struct challenge_keep *keep, const uint8_t id[CHALLENGE_ID_SIZE],
                                      uint8_t ret_bytes[CHALLENGE_EVIDENCE_SIZE_MAX], size_t *ret_size)
{
    return part_read(keep, id, ROW_EVIDENCE, ret_bytes, CHALLENGE_EVIDENCE_SIZE_MAX, ret_size);
}
