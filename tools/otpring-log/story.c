#include "story.h"

#include <string.h>

#include "otp/ocra.h"
#include "otp/otp.h"
#include "otpring/verdict.h"
#include "otpring/wire.h"
#include "table/table.h"

void story_start(struct story *story, const uint8_t name[16], struct names_look *look)
{
    memset(story, 0, sizeof *story);
    memcpy(story->name, name, sizeof story->name);
    story->look = look;
    const struct account_name *known = names_account(look, name);
    if (!known) return;
    memcpy(story->company, known->company, sizeof story->company);
    memcpy(story->user, known->user, sizeof story->user);
}

/* ---- tokens ---- */

struct story_token *story_token(struct story *story, uint32_t ordinal)
{
    for (unsigned i = 0; i < story->token_count; i++)
        if (story->tokens[i].ordinal == ordinal) return &story->tokens[i];
    if (story->token_count == STORY_TOKENS) return NULL;
    struct story_token *token = &story->tokens[story->token_count++];
    struct token_row row;
    *token = (struct story_token){.ordinal = ordinal};
    if (names_token(story->look, ordinal, &row))
        token->profile_known = names_profile(story->look, row.profile, &token->profile);
    return token;
}

static void learn_token(struct story *story, const struct event *event)
{
    struct act_detail detail;
    act_detail_read(&event->act, event->bytes + JOURNAL_SLOT_SIZE, &detail);
    if (!detail.has_token) return;
    struct story_token *token = story_token(story, event->act.ordinal);
    if (token && !token->profile_known)
        token->profile_known = names_profile(story->look, detail.token.profile, &token->profile);
    memcpy(story->company, detail.company, sizeof story->company);
    memcpy(story->user, detail.user, sizeof story->user);
}

/* ---- records ---- */

/* What the verification of this record left of its token. Where a mark stands in the word's place, no step was used. */
static void used_up(struct story_record *record, uint32_t steps)
{
    bool marked = record->verify.method == METHOD_OCRA_MARKED;
    record->ordinal = record->verify.ordinal;
    record->floor = marked ? 0 : token_floor(record->verify.token);
    record->consumed = marked ? 0 : steps;
}

static struct story_record record_of(const struct event *event)
{
    struct story_record record = {.position = event->position, .slot = event->slot, .time_ms = event->time_ms};
    if (event->kind == EVENT_ACT) {
        record.is_act = true;
        record.act = event->act.act;
        record.uid = event->act.uid;
        record.ordinal = event->act.ordinal;
        record.floor = token_floor(event->act.token);
        return record;
    }
    record.verify = event->verify;
    record.has_frame = event->has_frame;
    record.frame = event->frame;
    bool pair = event->has_frame && event->frame.frame_kind == OTPRING_WIRE_RESYNC;
    used_up(&record, pair ? 2 : 1);
    return record;
}

static void raise(struct story *story, const struct story_record *record)
{
    story->raised[story->raised_count++ % STORY_RAISED] = *record;
}

static void add_verify(struct story *story, const struct event *event, const struct story_record *record)
{
    const struct slot_verify *verify = &event->verify;
    if (verify->verdict == OTPRING_ACCEPTED) {
        struct story_token *token = story_token(story, verify->ordinal);
        if (token) {
            token->drift = verify->drift;
            token->drift_known = true;
        }
        raise(story, record);
        story->failure_count = 0;
        story->reset = *record;
        return;
    }
    /* Those that are charged; UNKNOWN and INACTIVE too, also where they are hidden behind REJECTED. */
    bool charged = verify->budget != 0 && verify->verdict != OTPRING_THROTTLED;
    if (charged) story->failures[story->failure_count++ % STORY_FAILURES] = *record;
}

void story_add(struct story *story, const struct event *event)
{
    struct story_record record = record_of(event);
    if (event->kind == EVENT_VERIFY) add_verify(story, event, &record);
    if (event->kind != EVENT_ACT) return;
    if (event->act.act == ACT_TOKEN_ADD) learn_token(story, event);
    if (event->act.act == ACT_ACCOUNT_UNLOCK) {
        story->failure_count = 0;
        story->reset = record;
    }
    if (act_about_token(&event->act) && event->act.token != 0) raise(story, &record);
    if (event->act.act == ACT_BURN && event->act.payload_size == sizeof record.verify) {
        memcpy(&record.verify, event->bytes + JOURNAL_SLOT_SIZE, sizeof record.verify);
        used_up(&record, 1);
        raise(story, &record);
    }
}

/* ---- questions ---- */

static const struct story_record *newest(const struct story *story, uint64_t back)
{
    uint64_t have = story->raised_count < STORY_RAISED ? story->raised_count : STORY_RAISED;
    return back < have ? &story->raised[(story->raised_count - 1 - back) % STORY_RAISED] : NULL;
}

const struct story_record *story_consumer(const struct story *story, uint32_t ordinal, int64_t step)
{
    const struct story_record *record;
    for (uint64_t back = 0; (record = newest(story, back)); back++) {
        if (record->ordinal != ordinal || record->consumed == 0) continue;
        if (step < record->floor && step >= (int64_t)record->floor - record->consumed) return record;
    }
    return NULL;
}

const struct story_record *story_marker(const struct story *story, uint64_t mark)
{
    const struct story_record *record;
    for (uint64_t back = 0; (record = newest(story, back)); back++)
        if (record->verify.method == METHOD_OCRA_MARKED && record->verify.token == mark) return record;
    return NULL;
}

const struct story_record *story_raiser(const struct story *story, uint32_t ordinal, uint32_t floor)
{
    const struct story_record *record, *found = NULL;
    for (uint64_t back = 0; (record = newest(story, back)); back++)
        if (record->ordinal == ordinal && record->floor == floor) found = record;
    return found;
}

/* Whether floors of such tokens are steps of time. */
static bool timed(const struct profile_row *profile)
{
    struct ocra_suite suite;
    if (profile->type != OTP_OCRA) return profile->type == OTP_TOTP;
    struct result parsed = ocra_suite_parse(profile->suite, strlen(profile->suite), &suite);
    return !result_failed(parsed) && suite.step_s && !suite.counter;
}

/* Without the profile: whatever period brings the floor near the time. */
static bool guess_totp(const struct event *event, int64_t *ret_now_step)
{
    static const unsigned periods_s[] = {30, 60};
    int64_t now_s = event->time_ms / 1000;
    for (unsigned i = 0; i < sizeof periods_s / sizeof periods_s[0]; i++) {
        int64_t away = (int64_t)token_floor(event->verify.token) - now_s / periods_s[i];
        if (away > 2880 || away < -2880) continue;
        *ret_now_step = now_s / periods_s[i];
        return true;
    }
    return false;
}

bool story_step(struct story *story, const struct event *event, int64_t *ret_step)
{
    const struct slot_verify *verify = &event->verify;
    struct story_token *token = story_token(story, verify->ordinal);
    int64_t now_step = 0;
    bool by_time = token && token->profile_known ? timed(&token->profile) : guess_totp(event, &now_step);
    if (!by_time) {
        *ret_step = (int64_t)token_floor(verify->token) + verify->step_distance;
        return true;
    }
    if (token && token->profile_known) {
        int64_t since_s = event->time_ms / 1000 - token->profile.t0_s;
        if (token->profile.period_s == 0) return false;
        now_step = since_s / token->profile.period_s;
    }
    *ret_step = now_step + (token && token->drift_known ? token->drift : 0) + verify->step_distance;
    return true;
}

uint32_t story_period_s(struct story *story, uint32_t ordinal)
{
    const struct story_token *token = story_token(story, ordinal);
    return token && token->profile_known && timed(&token->profile) ? token->profile.period_s : 0;
}

/* engine/core/throttle.c: the first `free` cost nothing, then the delay doubles with each. */
uint32_t story_lock_s(struct story *story, const struct slot_verify *verify)
{
    const struct story_token *token =
        verify->first_ordinal == UINT32_MAX ? NULL : story_token(story, verify->first_ordinal);
    if (!token || !token->profile_known) return 0;
    const struct profile_row *profile = &token->profile;
    unsigned failures = budget_failures(verify->budget, verify->source_class);
    if (failures <= profile->throttle_free) return 0;
    unsigned doublings = failures - profile->throttle_free - 1;
    uint64_t delay = doublings < 32 ? (uint64_t)profile->throttle_base_s << doublings : UINT64_MAX;
    return delay < profile->throttle_max_s ? (uint32_t)delay : profile->throttle_max_s;
}
