#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

void model_break(struct model *model, const char *format, ...)
{
    va_list arguments;
    if (model->broken[0]) return; /* the first is the one to look at */
    va_start(arguments, format);
    vsnprintf(model->broken, sizeof model->broken, format, arguments);
    va_end(arguments);
}

void model_start(struct model *model)
{
    memset(model, 0, sizeof *model);
    model->doubts = 1;
    for (unsigned i = 0; i < TOKEN_COUNT; i++) {
        model->tokens[i].maybe_active = true;
        model->tokens[i].maybe_at[0] = true;
    }
}

/* This item will not be judged any more. */
static void settle(struct model *model, const struct model_frame *frame, unsigned i)
{
    struct model_account *account = &model->accounts[frame->items[i].account];
    if (frame->items[i].token == TOKEN_NONE) return;
    if (account->right_in_flight > 0) account->right_in_flight--;
    account->epoch++;
    account->failures_least = 0;
}

/* ---- sending ---- */

struct model_frame *model_frame(struct model *model, unsigned session, unsigned slot)
{
    struct model_frame *frame = &model->frames[session][slot];
    CHECK(frame->state != MODEL_SENT);
    /* What was UNAVAILABLE and is given up will not be judged any more. */
    for (unsigned i = 0; frame->state == MODEL_ANSWERED && i < frame->header.count; i++)
        if (frame->answers[i].verdict == OTPRING_UNAVAILABLE) settle(model, frame, i);
    frame->state = MODEL_FREE;
    frame->header = (struct otpring_wire_header){.kind = OTPRING_WIRE_VERIFY,
                                                 .session = model->sessions[session],
                                                 .slot = (uint16_t)slot,
                                                 .sequence = ++model->sequences[session][slot]};
    frame->number = ++model->frame_count;
    return frame;
}

static struct model_item *item_add(struct model_frame *frame, enum sim_account account, uint32_t code)
{
    CHECK(frame->header.count < MODEL_ITEMS_MAX);
    unsigned at = frame->header.count++;
    uint8_t name[16];
    tokens_name(account, name);
    bool pairs = frame->header.kind == OTPRING_WIRE_RESYNC;
    struct otpring_wire_query *query = pairs ? &frame->pairs[at].query : &frame->queries[at];
    *query = (struct otpring_wire_query){.code = code, .digits = 6, .kind = OTPRING_QUERY_CODE};
    memcpy(query->company, name, 8);
    memcpy(query->account, name + 8, 8);
    struct model_item *item = &frame->items[at];
    *item = (struct model_item){.account = (uint8_t)account, .token = TOKEN_NONE};
    return item;
}

void model_wrong(struct model *model, struct model_frame *frame, enum sim_account account, uint32_t number)
{
    (void)model;
    item_add(frame, account, tokens_wrong_code(account, number));
}

void model_right(struct model *model, struct model_frame *frame, enum sim_account account, enum token token,
                 int64_t step)
{
    const struct model_token *about = &model->tokens[token];
    struct model_item *item = item_add(frame, account, tokens_code(token, step));
    item->token = (uint8_t)token;
    item->step = step;
    item->home = true;
    if (token == TOKEN_MOVING) {
        unsigned at = account == ACCOUNT_MOVING_B;
        item->home = about->maybe_at[at];
        /* Where it is, and whether it stays there, is certain only at rest. */
        item->certain = about->maybe_at[at] && !about->maybe_at[!at] && !about->moving;
    } else {
        item->certain = true;
    }
    /* A TOTP window is round the present step, give or take a drift of one; a HOTP window begins at the floor. One that
     * is two below the floor is too old to be told from a wrong code. */
    if (tokens_about(token)->totp)
        item->certain = item->certain && step == model->now_step;
    else
        item->certain = item->certain && step <= about->floor_least + MODEL_LOOK_AHEAD;
    item->far = !tokens_about(token)->totp && step > about->floor_most + MODEL_LOOK_AHEAD;
}

void model_pair(struct model *model, struct model_frame *frame, enum sim_account account, enum token token,
                int64_t step)
{
    const struct model_token *about = &model->tokens[token];
    frame->header.kind = OTPRING_WIRE_RESYNC;
    struct model_item *item = item_add(frame, account, tokens_code(token, step));
    frame->pairs[frame->header.count - 1].code_next = tokens_code(token, step + 1);
    frame->pairs[frame->header.count - 1].reserved = 0;
    item->token = (uint8_t)token;
    item->step = step;
    item->home = true;
    item->pair = true;
    bool first = true; /* of this frame about the token */
    for (unsigned i = 0; i + 1 < frame->header.count; i++) first = first && frame->items[i].token != token;
    /* Nothing that was sent before can have moved the floor beyond it, and it is within reach of where that was. */
    item->certain =
        first && !tokens_about(token)->totp && about->floor_most <= step && step + 1 < about->floor_least + MODEL_REACH;
}

static bool open_item(const struct model_frame *frame, unsigned i)
{
    return frame->state == MODEL_SENT ||
           (frame->state == MODEL_ANSWERED && frame->answers[i].verdict == OTPRING_UNAVAILABLE);
}

/* The floor may come to be here; and then a far code that was sent before may be within the window, and move it on. */
static void floor_may_be(struct model *model, enum token token, int64_t floor)
{
    struct model_token *about = &model->tokens[token];
    if (floor <= about->floor_most) return;
    about->floor_most = floor;
    for (unsigned at = 0; at < MODEL_SESSIONS * MODEL_SLOTS; at++) {
        struct model_frame *frame = &model->frames[at / MODEL_SLOTS][at % MODEL_SLOTS];
        for (unsigned i = 0; i < frame->header.count; i++) {
            struct model_item *item = &frame->items[i];
            if (item->token != token || !item->far || !open_item(frame, i)) continue;
            if (item->step > about->floor_most + MODEL_LOOK_AHEAD) continue;
            item->far = false;
            floor_may_be(model, token, item->step + 1);
        }
    }
}

void model_sent(struct model *model, struct model_frame *frame, int64_t journal_ms)
{
    frame->state = MODEL_SENT;
    bool pairs = frame->header.kind == OTPRING_WIRE_RESYNC;
    frame->unsure = model->unsure;
    frame->doubts = model->doubting ? 0 : model->doubts;
    frame->header.size = (uint32_t)(sizeof frame->header +
                                    frame->header.count * (pairs ? sizeof frame->pairs[0] : sizeof frame->queries[0]));
    for (unsigned i = 0; i < frame->header.count; i++) {
        struct model_item *item = &frame->items[i];
        struct model_account *account = &model->accounts[item->account];
        account->failures_most++; /* a right code may be too old, and be charged */
        if (item->token == TOKEN_NONE) continue;
        struct model_token *token = &model->tokens[item->token];
        /* A far code moves no floor as long as it is one. */
        if (!item->far) floor_may_be(model, item->token, item->step + (item->pair ? 2 : 1));
        item->uses = ++token->uses;
        account->epoch++;
        account->failures_least = 0;
        account->right_in_flight++;
    }
    for (unsigned i = 0; i < frame->header.count; i++) {
        struct model_item *item = &frame->items[i];
        const struct model_account *account = &model->accounts[item->account];
        item->epoch = account->epoch;
        item->failures = account->failures_least;
        item->charged_s = account->charged_s;
        item->sent_s = journal_ms / 1000;
        if (item->token == TOKEN_NONE) continue;
        item->floor = model->tokens[item->token].floor_least;
        item->maybe_active = model->tokens[item->token].maybe_active;
        item->resumes = model->tokens[item->token].resumes;
        item->moves = model->tokens[item->token].moves;
        if (tokens_about(item->token)->totp && item->pair) model->tokens[item->token].maybe_drifted = true;
        if (tokens_about(item->token)->totp && item->step != model->now_step)
            model->tokens[item->token].maybe_drifted = true;
    }
}

/* ---- judging ---- */

/* One step of a token is used up, once and for all. */
static void consume(struct model *model, enum token token, int64_t step, const struct model_accepted *by)
{
    for (unsigned j = 0; j < model->accepted_count; j++) {
        const struct model_accepted *other = &model->accepted[j];
        if (other->token != token || other->step != step) continue;
        model_break(model, "frame %u item %u: token %u step %lld was accepted in frame %u already", by->frame, by->item,
                    token, (long long)step, other->frame);
    }
    CHECK(model->accepted_count < MODEL_ACCEPTED_MAX);
    struct model_accepted *mine = &model->accepted[model->accepted_count++];
    *mine = *by;
    mine->token = (uint8_t)token;
    mine->step = step;
    struct model_token *about = &model->tokens[token];
    if (about->floor_least < step + 1) about->floor_least = step + 1;
}

static void accepted(struct model *model, const struct model_frame *frame, unsigned i, uint64_t record)
{
    const struct model_item *item = &frame->items[i];
    if (item->token == TOKEN_NONE) {
        model_break(model, "frame %u item %u: a code of nobody was accepted", frame->number, i);
        return;
    }
    struct model_token *token = &model->tokens[item->token];
    if (item->step < item->floor)
        model_break(model, "frame %u item %u: token %u step %lld accepted below the floor %lld", frame->number, i,
                    item->token, (long long)item->step, (long long)item->floor);
    if (item->far)
        model_break(model, "frame %u item %u: token %u step %lld accepted, though far beyond the floor %lld",
                    frame->number, i, item->token, (long long)item->step, (long long)token->floor_most);
    if (!item->home && item->moves == token->moves)
        model_break(model, "frame %u item %u: accepted where the token is not", frame->number, i);
    if (!item->maybe_active && item->resumes == token->resumes)
        model_break(model, "frame %u item %u: a suspended token was accepted", frame->number, i);
    const struct model_accepted by = {.record = record, .frame = frame->number, .item = (uint16_t)i};
    consume(model, item->token, item->step, &by);
    if (item->pair) consume(model, item->token, item->step + 1, &by);
}

static int64_t delay_s(uint32_t failures)
{
    if (failures <= MODEL_THROTTLE_FREE) return 0;
    int64_t delay = MODEL_THROTTLE_BASE_S;
    for (uint32_t i = MODEL_THROTTLE_FREE + 1; i < failures && delay < MODEL_THROTTLE_MAX_S; i++) delay *= 2;
    return delay < MODEL_THROTTLE_MAX_S ? delay : MODEL_THROTTLE_MAX_S;
}

/* The code was in the window, whatever came before it. What came before is known only now: a HOTP code two below the
 * floor is too old to be told from a wrong one, and a TOTP window moves with time and with what was learned. */
static bool surely_right(const struct model *model, const struct model_item *item)
{
    if (item->token == TOKEN_NONE || !item->certain) return false;
    const struct model_token *token = &model->tokens[item->token];
    if (token->maybe_suspended || !item->maybe_active || item->moves != token->moves) return false;
    if (item->pair) return item->uses == token->uses; /* nothing else can have come before it */
    if (tokens_about(item->token)->totp) return item->step == model->now_step && !token->maybe_drifted;
    return token->floor_most <= item->step + MODEL_LOOK_BEHIND;
}

/* It was judged and found wrong: not while the account was certainly locked, and it counts from now on. */
static void charged(struct model *model, const struct model_frame *frame, unsigned i, enum otpring_verdict verdict,
                    int64_t journal_ms)
{
    const struct model_item *item = &frame->items[i];
    struct model_account *account = &model->accounts[item->account];
    if (item->epoch == account->epoch && account->right_in_flight == 0 && item->token == TOKEN_NONE) {
        if (journal_ms / 1000 < item->charged_s + delay_s(item->failures))
            model_break(model, "frame %u item %u: account %u guessed at %lld s, locked until %lld s after %u failures",
                        frame->number, i, item->account, (long long)journal_ms / 1000,
                        (long long)(item->charged_s + delay_s(item->failures)), item->failures);
        account->failures_least++;
        if (account->charged_s < item->sent_s) account->charged_s = item->sent_s;
    }
    if (surely_right(model, item))
        model_break(model, "frame %u item %u: the right code of token %u, step %lld, is %s", frame->number, i,
                    item->token, (long long)item->step, otpring_verdict_name(verdict));
}

static void replayed(struct model *model, const struct model_frame *frame, unsigned i)
{
    const struct model_item *item = &frame->items[i];
    if (item->token == TOKEN_NONE) {
        model_break(model, "frame %u item %u: a code of nobody was called replayed", frame->number, i);
    } else if (item->pair) {
        model_break(model, "frame %u item %u: two adjacent codes were called replayed", frame->number, i);
    } else if (model->tokens[item->token].floor_most <= item->step) {
        model_break(model, "frame %u item %u: token %u step %lld replayed, though nothing so late was ever sent",
                    frame->number, i, item->token, (long long)item->step);
    }
}

/* A code that fits a step beyond the window, but none that may be below the floor. */
static void resync(struct model *model, const struct model_frame *frame, unsigned i, int64_t journal_ms)
{
    const struct model_item *item = &frame->items[i];
    if (item->token == TOKEN_NONE || item->pair) {
        model_break(model, "frame %u item %u: RESYNC for a code of nobody, or for a pair", frame->number, i);
    } else if (item->step < item->floor) {
        model_break(model, "frame %u item %u: RESYNC for token %u step %lld, below the floor %lld", frame->number, i,
                    item->token, (long long)item->step, (long long)item->floor);
    }
    charged(model, frame, i, OTPRING_RESYNC, journal_ms);
}

static void told(struct model *model, const struct model_frame *frame, unsigned i,
                 const struct otpring_wire_answer *answer)
{
    if (answer->verdict == OTPRING_UNAVAILABLE) return;
    CHECK(model->told_count < MODEL_TOLD_MAX);
    model->told[model->told_count++] = (struct model_told){
        .record = answer->record, .verdict = answer->verdict, .account = frame->items[i].account, .item = (uint16_t)i};
}

static void judge(struct model *model, const struct model_frame *frame, unsigned i,
                  const struct otpring_wire_answer *answer, int64_t journal_ms)
{
    const struct model_item *item = &frame->items[i];
    if (frame->unsure && frame->unsure == model->unsure && answer->verdict != OTPRING_UNAVAILABLE)
        model_break(model, "frame %u item %u: %s while the clock cannot be trusted", frame->number, i,
                    otpring_verdict_name(answer->verdict));
    model->counts[answer->verdict < 10 ? answer->verdict : 0]++;
    switch (answer->verdict) {
    case OTPRING_ACCEPTED:
        accepted(model, frame, i, answer->record);
        break;
    case OTPRING_REPLAYED:
        replayed(model, frame, i);
        break;
    case OTPRING_REJECTED:
    case OTPRING_UNKNOWN:
        if (answer->verdict == OTPRING_UNKNOWN && item->account < ACCOUNT_MOVING_A)
            model_break(model, "frame %u item %u: account %u is unknown", frame->number, i, item->account);
        charged(model, frame, i, answer->verdict, journal_ms);
        break;
    case OTPRING_RESYNC:
        resync(model, frame, i, journal_ms);
        break;
    case OTPRING_THROTTLED:
        if (model->accounts[item->account].failures_most <= MODEL_THROTTLE_FREE)
            model_break(model, "frame %u item %u: account %u throttled without cause", frame->number, i, item->account);
        break;
    case OTPRING_INACTIVE:
        /* One that is being removed is suspended on the way. */
        if (item->account != ACCOUNT_SWITCHED && !model->stopped_once &&
            !(item->token == TOKEN_MOVING && model->tokens[TOKEN_MOVING].moves > 0))
            model_break(model, "frame %u item %u: account %u is inactive", frame->number, i, item->account);
        break;
    case OTPRING_UNAVAILABLE:
        if (!(model->reasons >> answer->reason & 1))
            model_break(model, "frame %u item %u: UNAVAILABLE without cause, reason %u", frame->number, i,
                        answer->reason);
        if (answer->reason == OTPRING_REASON_CLOCK && frame->doubts == model->doubts)
            model_break(model, "frame %u item %u: the clock was doubted without cause", frame->number, i);
        break;
    default:
        model_break(model, "frame %u item %u: verdict %u", frame->number, i, answer->verdict);
    }
    told(model, frame, i, answer);
    if (answer->verdict != OTPRING_UNAVAILABLE) settle(model, frame, i);
}

/* Given again: the same, but that what was UNAVAILABLE may have been judged since. */
static void compare(struct model *model, const struct model_frame *frame, const struct otpring_wire_answer *answers,
                    int64_t journal_ms)
{
    for (unsigned i = 0; i < frame->header.count; i++) {
        const struct otpring_wire_answer *before = &frame->answers[i];
        if (before->verdict == OTPRING_UNAVAILABLE) {
            judge(model, frame, i, &answers[i], journal_ms);
        } else if (memcmp(before, &answers[i], sizeof *before) != 0) {
            model_break(model, "frame %u item %u: answered %s, then %s (reasons %u, %u; records %llx, %llx)",
                        frame->number, i, otpring_verdict_name(before->verdict),
                        otpring_verdict_name(answers[i].verdict), before->reason, answers[i].reason,
                        (unsigned long long)before->record, (unsigned long long)answers[i].record);
        }
    }
}

void model_answered(struct model *model, struct model_frame *frame, const struct otpring_wire_answer *answers,
                    uint32_t count, int64_t journal_ms)
{
    if (count != frame->header.count || frame->state == MODEL_FREE) {
        model_break(model, "frame %u: %u answers for %u items", frame->number, count, frame->header.count);
        return;
    }
    if (frame->state == MODEL_ANSWERED) compare(model, frame, answers, journal_ms);
    for (unsigned i = 0; frame->state == MODEL_SENT && i < count; i++) judge(model, frame, i, &answers[i], journal_ms);
    memcpy(frame->answers, answers, count * sizeof answers[0]);
    frame->state = MODEL_ANSWERED;
}

static void anything_goes(struct model *model)
{
    for (unsigned i = 0; i < ACCOUNT_COUNT; i++) {
        model->accounts[i].epoch++;
        model->accounts[i].failures_least = 0;
        model->accounts[i].failures_most += MODEL_THROTTLE_FREE + 1;
    }
    for (unsigned i = 0; i < TOKEN_COUNT; i++) {
        struct model_token *token = &model->tokens[i];
        token->maybe_drifted = true;
        token->moves++;
        token->resumes++;
        token->uses++;
        token->maybe_at[0] = token->maybe_at[1] = true;
        token->floor_least = 0;
    }
    model->tokens[TOKEN_SWITCHED].maybe_active = model->tokens[TOKEN_SWITCHED].maybe_suspended = true;
    for (unsigned s = 0; s < MODEL_SESSIONS; s++)
        for (unsigned slot = 0; slot < MODEL_SLOTS; slot++)
            for (unsigned i = 0; i < MODEL_ITEMS_MAX; i++) model->frames[s][slot].items[i].floor = 0;
}

static void floors_from_accepted(struct model *model)
{
    for (unsigned i = 0; i < model->accepted_count; i++) {
        struct model_token *token = &model->tokens[model->accepted[i].token];
        if (token->floor_least <= model->accepted[i].step) token->floor_least = model->accepted[i].step + 1;
    }
}

static void frames_free(struct model *model, uint64_t from_record)
{
    for (unsigned s = 0; s < MODEL_SESSIONS; s++) {
        for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) {
            struct model_frame *frame = &model->frames[s][slot];
            for (unsigned i = 0; frame->state == MODEL_ANSWERED && i < frame->header.count; i++)
                if (frame->answers[i].record >= from_record) frame->state = MODEL_FREE;
        }
    }
}

void model_forget(struct model *model, uint64_t position)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < model->accepted_count; i++)
        if (model->accepted[i].record >> 14 != position) model->accepted[kept++] = model->accepted[i];
    model->accepted_count = kept;
    model->told_count = 0;
    frames_free(model, position << 14);
    anything_goes(model);
    floors_from_accepted(model);
}

void model_restored(struct model *model)
{
    model->told_count = 0;
    model->stopped_once = true;
    for (unsigned i = 0; i < TOKEN_COUNT; i++)
        if (!tokens_about(i)->totp) model->tokens[i].maybe_suspended = true;
    frames_free(model, 0);
    for (unsigned s = 0; s < MODEL_SESSIONS; s++)
        for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) model->frames[s][slot].state = MODEL_FREE;
    anything_goes(model);
    floors_from_accepted(model);
}

/* A block found past a torn one is burned, and its frames are judged afresh when asked again: a wrong code that was
 * sent once is then charged twice. */
void model_crashed(struct model *model)
{
    for (unsigned i = 0; i < TOKEN_COUNT; i++) model->tokens[i].uses++;
    model_doubt(model, true);
    for (unsigned s = 0; s < MODEL_SESSIONS; s++) {
        for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) {
            const struct model_frame *frame = &model->frames[s][slot];
            for (unsigned i = 0; frame->state != MODEL_FREE && i < frame->header.count; i++)
                if (frame->state == MODEL_SENT || frame->answers[i].verdict == OTPRING_UNAVAILABLE)
                    model->accounts[frame->items[i].account].failures_most++;
        }
    }
}

/* ---- acts ---- */

void model_suspend(struct model *model, bool suspended, bool done)
{
    struct model_token *token = &model->tokens[TOKEN_SWITCHED];
    if (suspended) {
        token->maybe_suspended = true;
        if (done) token->maybe_active = false;
    } else {
        token->maybe_active = true;
        token->resumes++;
        if (done) token->maybe_suspended = false;
    }
    model->accounts[ACCOUNT_SWITCHED].epoch++;
}

void model_move(struct model *model, unsigned at, bool added, bool done)
{
    struct model_token *token = &model->tokens[TOKEN_MOVING];
    token->moves++;
    token->moving = !done;
    if (added) {
        token->maybe_at[at] = true;
    } else if (done) {
        token->maybe_at[at] = false;
    }
    model->accounts[ACCOUNT_MOVING_A].epoch++;
    model->accounts[ACCOUNT_MOVING_B].epoch++;
}

void model_unlock(struct model *model, enum sim_account account, bool done)
{
    struct model_account *about = &model->accounts[account];
    about->epoch++;
    about->failures_least = 0;
    /* Until it is done it may reset what is charged, like a right code in flight. */
    if (!done)
        about->right_in_flight++;
    else if (about->right_in_flight > 0)
        about->right_in_flight--;
}

void model_doubt(struct model *model, bool doubting)
{
    if (doubting && !model->doubting) model->doubts++;
    model->doubting = doubting;
}

void model_desk(struct model *model, enum token token, int64_t step)
{
    struct model_token *about = &model->tokens[token];
    bool certain =
        !tokens_about(token)->totp && about->floor_most <= step && step + 1 < about->floor_least + MODEL_REACH;
    about->uses++;
    about->desk_uses = certain ? about->uses : 0;
    floor_may_be(model, token, step + 2);
    if (tokens_about(token)->totp) about->maybe_drifted = true;
}

void model_desk_done(struct model *model, enum token token, int64_t step, bool was_accepted, uint64_t record)
{
    const struct model_accepted by = {.record = record};
    struct model_token *about = &model->tokens[token];
    if (!was_accepted && about->desk_uses == about->uses)
        model_break(model, "two adjacent codes of token %u, step %lld, were refused at the desk", token,
                    (long long)step);
    about->uses++;
    if (!was_accepted) return;
    consume(model, token, step, &by);
    consume(model, token, step + 1, &by);
}
