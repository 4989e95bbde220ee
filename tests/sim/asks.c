#include "asks.h"

#include <string.h>

#include "base/check.h"
#include "core/state.h"

enum { LIFE_S = 4, NUMBER = 42, DEVICE = 77, BATCH_MAX = 2, EVIDENCE_SIZE = 64 };

static const uint8_t evidence[EVIDENCE_SIZE] = {1, 2, 3};

struct result asks_open(struct challenge_keep *keep, struct machine *machine)
{
    static const uint8_t hash_key[32] = {3};
    static const struct challenge_limits limits = {
        .capacity = 128, .life_max_s = LIFE_S, .cool_down_s = 0, .window_s = 0, .prompts_max = 1000};
    *keep = (struct challenge_keep){.worker = machine->keeper, .store = machine->store, .vault = machine->vault};
    TRY(challenge_room_open(&limits, hash_key, &keep->room));
    return challenge_keep_load(keep, (uint32_t)(machine_journal_ms(machine) / 1000));
}

void asks_close(struct challenge_keep *keep)
{
    if (keep->room) challenge_room_close(keep->room);
    keep->room = NULL;
}

/* ---- what is asked and answered ---- */

static void account_of(unsigned number, uint8_t ret_account[16])
{
    memset(ret_account, 0, 16);
    ret_account[0] = 'a';
    ret_account[1] = (uint8_t)(number + 1);
}

static void id_of(unsigned number, uint8_t ret_id[CHALLENGE_ID_SIZE])
{
    uint32_t bytes = number + 1;
    memset(ret_id, 0, CHALLENGE_ID_SIZE);
    memcpy(ret_id, &bytes, sizeof bytes);
}

static struct challenge_text words(const char *text)
{
    return (struct challenge_text){.bytes = text, .size = strlen(text)};
}

static struct challenge_ask question(unsigned number, const struct ask *ask)
{
    struct challenge_ask made = {.body = {.purpose = CHALLENGE_LOGIN,
                                          .flags = CHALLENGE_MATCH_NUMBER,
                                          .fields = {words("Demo Bank"), words("Log in?")}},
                                 .life_s = LIFE_S,
                                 .client = 9,
                                 .number = NUMBER};
    id_of(number, made.body.id);
    account_of(ask->account, made.account);
    made.body.binding[0] = (uint8_t)(ask->session + 1);
    return made;
}

static struct challenge_reply reply_to(unsigned number, const struct ask *ask, enum challenge_act act, uint8_t entered)
{
    struct challenge_reply reply = {.answer = {.act = act, .number = entered, .device = DEVICE},
                                    .evidence = evidence,
                                    .evidence_size = sizeof evidence};
    if (act == CHALLENGE_REFUSE) reply.answer.reason = CHALLENGE_NOT_ME;
    id_of(number, reply.id);
    account_of(ask->account, reply.answer.account);
    memcpy(reply.answer.digest, ask->digest, CHALLENGE_DIGEST_SIZE);
    return reply;
}

/* ---- time: journal time at least, and at most ---- */

static uint32_t now_least(struct machine *machine)
{
    return (uint32_t)(machine_journal_ms(machine) / 1000);
}

static uint32_t now_most(struct machine *machine)
{
    int64_t wall_s = os_time(machine->os).wall_ms / 1000, journal_s = machine_journal_ms(machine) / 1000;
    return (uint32_t)(wall_s > journal_s ? wall_s : journal_s);
}

/* ---- the end of a call ---- */

static void settle(struct asks *asks, bool done)
{
    for (unsigned i = 0; i < asks->count; i++) {
        struct ask *ask = &asks->items[i];
        if (done) ask->known = ask->maybe;
        ask->maybe = ask->known;
        ask->vague = false;
    }
}

/* Touched by the call under way: what it becomes, if the question is open by then. */
static void touch(struct ask *ask, enum ask_state state, uint32_t least, uint32_t most)
{
    ask->maybe = (uint8_t)state;
    ask->vague = least < ask->expires_s && most + 1 >= ask->expires_s;
}

/* A call that failed did nothing, unless the journal was poisoned by it: then the next start will tell. */
static struct result failed(struct asks *asks, struct machine *machine, struct result result)
{
    asks->unknown = journal_status(machine->core->journal).poisoned;
    if (!asks->unknown) settle(asks, false);
    return result;
}

/* ---- asking ---- */

/* The last one that may be open: those before it had run out when it was asked. */
static const struct ask *open_of(const struct asks *asks, unsigned account, unsigned before)
{
    for (unsigned i = before; i-- > 0;)
        if (asks->items[i].maybe == ASK_OPEN && asks->items[i].account == account) return &asks->items[i];
    return NULL;
}

static void asked(struct asks *asks, unsigned number, const struct challenge_ask *made, uint32_t least, uint32_t most,
                  struct model *model)
{
    struct ask *ask = &asks->items[number];
    const struct ask *other = open_of(asks, ask->account, number);
    bool surely_open = other && most < other->expires_s, surely_free = !other || least >= other->expires_s;
    if (result_failed(made->result))
        model_break(model, "question %u: %s", number, result_name(made->result));
    else if (made->asked == CHALLENGE_NEW ? surely_open : surely_free)
        model_break(model, "question %u: asked %d while one is%s open", number, made->asked, other ? "" : " not");
    else if (made->asked == CHALLENGE_JOINED && other->session != ask->session)
        model_break(model, "question %u joined that of another session", number);
    ask->expires_s = made->body.expires_s;
    challenge_digest(made->bytes, made->size, ask->digest);
    ask->maybe = made->asked == CHALLENGE_NEW ? ASK_OPEN : ASK_NONE;
}

static struct result do_ask(struct challenge_keep *keep, struct asks *asks, struct machine *machine,
                            struct model *model, uint64_t drawn)
{
    static struct challenge_ask made[BATCH_MAX];
    unsigned first = asks->count, count = 1 + (drawn & 1);
    size_t done;
    uint32_t least = now_least(machine), most = now_most(machine);
    if (first + count > ASKS_MAX) return result_ok();
    for (unsigned i = 0; i < count; i++) {
        struct ask *ask = &asks->items[first + i];
        *ask = (struct ask){.account = (uint8_t)((drawn >> (8 + 8 * i)) % ASKS_ACCOUNTS),
                            .session = (uint8_t)(drawn >> (24 + i) & 1),
                            .expires_s = UINT32_MAX};
        made[i] = question(first + i, ask);
        const struct ask *other = open_of(asks, ask->account, first + i);
        ask->maybe = other && most < other->expires_s ? ASK_NONE : ASK_OPEN;
        ask->vague = other && least < other->expires_s && most + 1 >= other->expires_s;
    }
    asks->count += count;
    struct result result = challenge_keep_ask(keep, &machine_actor, made, count, &done);
    if (result_failed(result)) return failed(asks, machine, result);
    CHECK(done == count);
    for (unsigned i = 0; i < count; i++) asks->items[first + i].maybe = ASK_NONE;
    for (unsigned i = 0; i < count; i++) asked(asks, first + i, &made[i], least, now_most(machine), model);
    settle(asks, true);
    return result_ok();
}

/* ---- answering ---- */

/* What the question becomes by the reply, as far as time lets it. */
static enum ask_state becomes(const struct ask *ask, const struct challenge_reply *reply)
{
    if (ask->maybe != ASK_OPEN || memcmp(reply->answer.digest, ask->digest, CHALLENGE_DIGEST_SIZE) != 0)
        return (enum ask_state)ask->maybe;
    bool approved = reply->answer.act == CHALLENGE_APPROVE && reply->answer.number == NUMBER;
    return approved ? ASK_APPROVED : ASK_REFUSED;
}

static void answered(struct ask *ask, unsigned number, const struct challenge_reply *reply, uint32_t least,
                     uint32_t most, struct model *model)
{
    enum ask_state was = (enum ask_state)ask->maybe, then = becomes(ask, reply);
    bool taken = reply->answered == CHALLENGE_TAKEN;
    bool other = memcmp(reply->answer.digest, ask->digest, CHALLENGE_DIGEST_SIZE) != 0;
    if (result_failed(reply->result))
        model_break(model, "question %u: an answer is %s", number, result_name(reply->result));
    else if (taken && (was != ASK_OPEN || other || least >= ask->expires_s))
        model_break(model, "question %u: answered again, too late, or about something else (state %d, %u of %u s)",
                    number, was, least, ask->expires_s);
    else if (!taken && was == ASK_OPEN && !other && most < ask->expires_s)
        model_break(model, "question %u: an answer in time is not taken (%d)", number, reply->answered);
    else if (taken && (reply->state == CHALLENGE_APPROVED) != (then == ASK_APPROVED))
        model_break(model, "question %u: became %s", number, challenge_state_name(reply->state));
    if (taken) ask->maybe = (uint8_t)then;
}

static struct result send_answers(struct challenge_keep *keep, struct asks *asks, struct machine *machine,
                                  struct model *model, struct challenge_reply *replies, const unsigned *numbers,
                                  unsigned count)
{
    size_t done;
    uint32_t least = now_least(machine), most = now_most(machine);
    for (unsigned i = 0; i < count; i++) {
        struct ask *ask = &asks->items[numbers[i]];
        if (least < ask->expires_s) touch(ask, becomes(ask, &replies[i]), least, most);
    }
    struct result result = challenge_keep_answer(keep, &machine_actor, replies, count, &done);
    if (result_failed(result)) return failed(asks, machine, result);
    CHECK(done == count);
    for (unsigned i = 0; i < count; i++) asks->items[numbers[i]].maybe = asks->items[numbers[i]].known;
    for (unsigned i = 0; i < count; i++)
        answered(&asks->items[numbers[i]], numbers[i], &replies[i], least, now_most(machine), model);
    settle(asks, true);
    return result_ok();
}

/* To one of the last questions, mostly right; a second one to the same, or to another. */
static struct result do_answer(struct challenge_keep *keep, struct asks *asks, struct machine *machine,
                               struct model *model, uint64_t drawn)
{
    enum { BACK = 6 };
    struct challenge_reply replies[BATCH_MAX];
    unsigned numbers[BATCH_MAX], count = 1 + (drawn & 1);
    if (asks->count == 0) return result_ok();
    for (unsigned i = 0; i < count; i++, drawn >>= 16) {
        unsigned back = (unsigned)((drawn >> 1) % BACK);
        numbers[i] = asks->count - 1 - (back < asks->count ? back : 0);
        replies[i] =
            reply_to(numbers[i], &asks->items[numbers[i]], drawn >> 4 & 3 ? CHALLENGE_APPROVE : CHALLENGE_REFUSE,
                     drawn >> 6 & 7 ? NUMBER : NUMBER + 1);
        replies[i].answer.digest[0] ^= (drawn >> 9 & 7) == 0;
    }
    return send_answers(keep, asks, machine, model, replies, numbers, count);
}

/* ---- a lock between question and answer; forgetting ---- */

static struct result do_shut(struct challenge_keep *keep, struct asks *asks, struct machine *machine,
                             struct model *model, uint64_t drawn)
{
    uint8_t account[16];
    uint32_t withdrawn, open = 0, surely = 0, least = now_least(machine);
    unsigned which = (unsigned)(drawn % ASKS_ACCOUNTS);
    account_of(which, account);
    for (unsigned i = 0; i < asks->count; i++) {
        struct ask *ask = &asks->items[i];
        if (ask->known != ASK_OPEN || ask->account != which || least >= ask->expires_s) continue;
        touch(ask, ASK_WITHDRAWN, least, now_most(machine));
        open++;
    }
    struct result result = challenge_keep_shut(keep, &machine_actor, account, CHALLENGE_ACCOUNT_SHUT, &withdrawn);
    if (result_failed(result)) return failed(asks, machine, result);
    uint32_t most = now_most(machine);
    for (unsigned i = 0; i < asks->count; i++)
        surely += asks->items[i].known != asks->items[i].maybe && most < asks->items[i].expires_s;
    if (withdrawn < surely || withdrawn > open)
        model_break(model, "account %u: %u questions withdrawn, open were %u", which, withdrawn, open);
    settle(asks, true);
    return result_ok();
}

struct result asks_step(struct challenge_keep *keep, struct asks *asks, struct machine *machine, struct model *model,
                        uint64_t (*draw)(void *context), void *context)
{
    uint64_t drawn = draw(context);
    bool more;
    if (asks->unknown) return result_ok();
    switch (drawn % 16) {
    case 0:
    case 1:
        return do_shut(keep, asks, machine, model, drawn >> 4);
    case 2:
        return challenge_keep_tick(keep, &machine_actor, now_least(machine), &more);
    default:
        return (drawn % 16 < 8 ? do_ask : do_answer)(keep, asks, machine, model, drawn >> 4);
    }
}

/* ---- after a start ---- */

static enum ask_state state_in(const struct challenge_entry *entry)
{
    switch (entry ? (enum challenge_state)entry->state : CHALLENGE_STATE_COUNT) {
    case CHALLENGE_ASKED:
    case CHALLENGE_SHOWN:
        return ASK_OPEN;
    case CHALLENGE_APPROVED:
        return ASK_APPROVED;
    case CHALLENGE_REFUSED:
        return ASK_REFUSED;
    case CHALLENGE_WITHDRAWN:
        return ASK_WITHDRAWN;
    default:
        return ASK_NONE;
    }
}

static void look_whole(const struct challenge_keep *keep, unsigned number, const struct ask *ask, enum ask_state state,
                       struct model *model)
{
    uint8_t id[CHALLENGE_ID_SIZE], bytes[CHALLENGE_BODY_SIZE_MAX], digest[CHALLENGE_DIGEST_SIZE];
    size_t size;
    id_of(number, id);
    struct result result = challenge_keep_body(keep, id, bytes, &size);
    if (!result_failed(result)) challenge_digest(bytes, size, digest);
    bool known = ask->known != ASK_NONE; /* else its digest was never told */
    if (result_failed(result) || (known && memcmp(digest, ask->digest, sizeof digest) != 0))
        model_break(model, "question %u: its body is %s after a start", number,
                    result_failed(result) ? result_name(result) : "another");
    if (state != ASK_APPROVED && state != ASK_REFUSED) return;
    result = challenge_keep_evidence(keep, id, bytes, &size);
    if (result_failed(result) || size != sizeof evidence || memcmp(bytes, evidence, size) != 0)
        model_break(model, "question %u: its evidence is %s after a start", number,
                    result_failed(result) ? result_name(result) : "another");
}

/* All that a call under way touches, or nothing of it. */
static void look(struct challenge_keep *keep, struct asks *asks, struct machine *machine, struct model *model)
{
    unsigned moved = 0, stayed = 0;
    uint32_t most = now_most(machine);
    for (unsigned i = 0; i < asks->count; i++) {
        struct ask *ask = &asks->items[i];
        uint8_t id[CHALLENGE_ID_SIZE];
        id_of(i, id);
        enum ask_state state = state_in(challenge_find(keep->room, id));
        bool gone = ask->known != ASK_NONE && most >= ask->expires_s && state == ASK_NONE;
        if (!gone && state != ask->known && state != ask->maybe)
            model_break(model, "question %u: state %d after a start, known was %d, perhaps %d", i, state, ask->known,
                        ask->maybe);
        if (!gone && !ask->vague && ask->known != ask->maybe) *(state == ask->maybe ? &moved : &stayed) += 1;
        if (state != ASK_NONE) look_whole(keep, i, ask, state, model);
        ask->known = ask->maybe = (uint8_t)state;
        ask->vague = false;
        const struct challenge_entry *entry = challenge_find(keep->room, id);
        if (!entry) continue;
        ask->expires_s = entry->expires_s;
        memcpy(ask->digest, entry->digest, CHALLENGE_DIGEST_SIZE);
    }
    if (moved > 0 && stayed > 0) model_break(model, "%u questions of one call changed, and %u did not", moved, stayed);
    asks->unknown = false;
}

void asks_check(struct challenge_keep *keep, struct asks *asks, struct machine *machine, struct model *model)
{
    look(keep, asks, machine, model);
    for (unsigned i = 0; i < asks->count && !model->broken[0]; i++) {
        if (asks->items[i].known == ASK_NONE) continue;
        /* The first is taken where the question is open; the second never is. */
        struct challenge_reply replies[2] = {reply_to(i, &asks->items[i], CHALLENGE_APPROVE, NUMBER),
                                             reply_to(i, &asks->items[i], CHALLENGE_REFUSE, 0)};
        const unsigned numbers[2] = {i, i};
        struct result result = send_answers(keep, asks, machine, model, replies, numbers, 2);
        if (result_failed(result) && result.code != JOURNAL_NO_ROOM)
            model_break(model, "question %u: answering after a start is %s", i, result_name(result));
    }
}
