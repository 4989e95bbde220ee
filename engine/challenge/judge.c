/* What may be asked, and what an answer does: nothing here changes anything. */
#include <string.h>

#include "base/check.h"
#include "challenge/room.h"
#include "challenge/room_state.h"
#include "vault/vault.h"

void challenge_content(const uint8_t *body, size_t size, uint8_t ret_content[CHALLENGE_CONTENT_SIZE])
{
    uint8_t bytes[2 + CHALLENGE_BODY_SIZE_MAX - CHALLENGE_BODY_HEAD_SIZE], hash[32];
    CHECK(size >= CHALLENGE_BODY_HEAD_SIZE && size <= CHALLENGE_BODY_SIZE_MAX);
    memcpy(bytes, body + 1, 2); /* purpose and flags */
    memcpy(bytes + 2, body + CHALLENGE_BODY_HEAD_SIZE, size - CHALLENGE_BODY_HEAD_SIZE);
    vault_sha256(bytes, 2 + size - CHALLENGE_BODY_HEAD_SIZE, hash);
    memcpy(ret_content, hash, CHALLENGE_CONTENT_SIZE);
}

uint8_t challenge_number(uint64_t random)
{
    return (uint8_t)(10 + random % 90);
}

/* What the account's other challenges say to one more. */
struct scan {
    const struct challenge_entry *joined;
    uint32_t busy_until_s, cool_until_s, counted, counted_until_s; /* the last: when the first stops counting */
};

static bool is_same_question(const struct challenge_entry *a, const struct challenge_entry *b)
{
    return memcmp(a->binding, b->binding, sizeof a->binding) == 0 &&
           memcmp(a->content, b->content, sizeof a->content) == 0;
}

static void scan_one(const struct challenge_room *room, const struct challenge_entry *asked,
                     const struct challenge_entry *other, uint32_t now_s, struct scan *scan)
{
    bool open = challenge_is_open(challenge_state_at(other, now_s));
    uint32_t until_s = other->asked_s + room->limits.window_s;
    if (open && other->purpose == asked->purpose) {
        if (is_same_question(asked, other)) scan->joined = other;
        if (other->expires_s > scan->busy_until_s) scan->busy_until_s = other->expires_s;
    }
    if (entry_cools(other) && other->closed_s + room->limits.cool_down_s > scan->cool_until_s)
        scan->cool_until_s = other->closed_s + room->limits.cool_down_s;
    if (open && other->expires_s > until_s) until_s = other->expires_s;
    if (until_s <= now_s) return;
    scan->counted++;
    if (scan->counted_until_s == 0 || until_s < scan->counted_until_s) scan->counted_until_s = until_s;
}

static struct scan account_scan(const struct challenge_room *room, const struct challenge_entry *asked, uint32_t now_s)
{
    struct scan scan = {0};
    uint32_t at = room->by_account[room_account_bucket(room, asked->account)];
    for (; at; at = room->entries[at].next_by_account) {
        const struct challenge_entry *other = &room->entries[at];
        if (memcmp(other->account, asked->account, sizeof other->account) == 0)
            scan_one(room, asked, other, now_s, &scan);
    }
    return scan;
}

static struct result ask_check(const struct challenge_room *room, const struct challenge_entry *entry, uint32_t now_s)
{
    bool none = account_is_none(entry->account);
    if (entry->purpose < CHALLENGE_LOGIN || entry->purpose > CHALLENGE_EXCHANGE ||
        none != ((entry->flags & CHALLENGE_NO_ACCOUNT) != 0) || entry->expires_s <= now_s ||
        entry->expires_s - now_s > room->limits.life_max_s || entry->asked_s != now_s ||
        ((entry->flags & CHALLENGE_MATCH_NUMBER) != 0) != (entry->number != 0))
        return result_of(BAD_ARGUMENT);
    return challenge_find(room, entry->id) ? result_of(STORE_EXISTS) : result_ok();
}

static struct challenge_ask_verdict not_before(enum challenge_asked asked, uint32_t until_s, uint32_t now_s)
{
    return (struct challenge_ask_verdict){.asked = asked, .retry_after_s = until_s > now_s ? until_s - now_s : 1};
}

struct result challenge_judge_ask(const struct challenge_room *room, const struct challenge_entry *entry,
                                  uint32_t now_s, struct challenge_ask_verdict *ret_verdict)
{
    struct scan scan = {0};
    TRY(ask_check(room, entry, now_s));
    if (!account_is_none(entry->account)) scan = account_scan(room, entry, now_s);
    if (scan.joined)
        *ret_verdict = (struct challenge_ask_verdict){.asked = CHALLENGE_JOINED, .joined = scan.joined};
    else if (scan.cool_until_s > now_s)
        *ret_verdict = not_before(CHALLENGE_COOLING, scan.cool_until_s, now_s);
    else if (scan.busy_until_s > now_s)
        *ret_verdict = not_before(CHALLENGE_BUSY, scan.busy_until_s, now_s);
    else if (scan.counted >= room->limits.prompts_max)
        *ret_verdict = not_before(CHALLENGE_LIMITED, scan.counted_until_s, now_s);
    else if (room->count >= room->limits.capacity)
        return result_of(FULL);
    else
        *ret_verdict = (struct challenge_ask_verdict){.asked = CHALLENGE_NEW};
    return result_ok();
}

/* The challenge after an act that the table allows. */
static bool entry_becomes(const struct challenge_entry *from, enum challenge_act act, enum challenge_role role,
                          enum challenge_reason reason, uint32_t now_s, struct challenge_entry *ret_entry)
{
    enum challenge_state state;
    if (!challenge_next(challenge_state_at(from, now_s), act, role, &state)) return false;
    *ret_entry = *from;
    ret_entry->state = (uint8_t)state;
    ret_entry->reason = (uint8_t)reason;
    if (!challenge_is_open(state)) ret_entry->closed_s = now_s;
    return true;
}

static bool number_is_wrong(const struct challenge_entry *entry, const struct challenge_answer *answer)
{
    if (answer->act != CHALLENGE_APPROVE) return false;
    return answer->wrong || ((entry->flags & CHALLENGE_MATCH_NUMBER) && answer->number != entry->number);
}

static struct result answer_check(const struct challenge_answer *answer)
{
    bool reason_fits = answer->reason == CHALLENGE_NO_REASON ||
                       (answer->act == CHALLENGE_REFUSE &&
                        (answer->reason == CHALLENGE_NOT_ME || answer->reason == CHALLENGE_NOT_WANTED));
    if ((answer->act != CHALLENGE_APPROVE && answer->act != CHALLENGE_REFUSE) || !reason_fits || answer->device == 0 ||
        account_is_none(answer->account))
        return result_of(BAD_ARGUMENT);
    return result_ok();
}

struct result challenge_judge_answer(const struct challenge_room *room, const uint8_t id[CHALLENGE_ID_SIZE],
                                     const struct challenge_answer *answer, uint32_t now_s,
                                     enum challenge_answered *ret_answered, struct challenge_entry *ret_entry)
{
    TRY(answer_check(answer));
    const struct challenge_entry *entry = challenge_find(room, id);
    *ret_answered = CHALLENGE_UNKNOWN;
    if (!entry) return result_ok();
    if (!account_is_none(entry->account) && memcmp(entry->account, answer->account, sizeof entry->account) != 0)
        return result_ok();
    *ret_answered = CHALLENGE_OTHER_CONTENT;
    if (!vault_equal(entry->digest, answer->digest, sizeof entry->digest)) return result_ok();
    bool wrong = number_is_wrong(entry, answer);
    *ret_answered = CHALLENGE_CLOSED_ALREADY;
    if (!entry_becomes(entry, wrong ? CHALLENGE_REFUSE : answer->act, wrong ? CHALLENGE_ENGINE : CHALLENGE_DEVICE,
                       wrong ? CHALLENGE_WRONG_NUMBER : (enum challenge_reason)answer->reason, now_s, ret_entry))
        return result_ok();
    ret_entry->device = answer->device;
    memcpy(ret_entry->account, answer->account, sizeof ret_entry->account);
    *ret_answered = CHALLENGE_TAKEN;
    return result_ok();
}

struct result challenge_judge_act(const struct challenge_room *room, const uint8_t id[CHALLENGE_ID_SIZE],
                                  enum challenge_act act, enum challenge_role role, enum challenge_reason reason,
                                  uint32_t now_s, struct challenge_entry *ret_entry)
{
    const struct challenge_entry *entry = challenge_find(room, id);
    if (!entry) return result_of(STORE_NOT_FOUND);
    bool answer = act == CHALLENGE_APPROVE || act == CHALLENGE_REFUSE; /* judged as such, with all that it covers */
    if (answer || act == CHALLENGE_EXPIRE || !entry_becomes(entry, act, role, reason, now_s, ret_entry))
        return result_of(CHALLENGE_DENIED);
    return result_ok();
}
