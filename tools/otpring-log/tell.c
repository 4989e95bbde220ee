#include "tell.h"

#include <inttypes.h>
#include <string.h>

#include "otpring/verdict.h"
#include "table/table.h"

enum { FAILURES_SHOWN = 5 };

void telling_free(struct telling *telling)
{
    text_free(&telling->sentences);
    telling->related_count = 0;
}

void tell_end(struct telling *telling)
{
    text_char(&telling->sentences, 0);
}

void tell_related(struct telling *telling, const char *role, uint64_t position, uint32_t slot)
{
    if (telling->related_count == TELL_RELATED) return;
    telling->related[telling->related_count++] =
        (struct tell_related){.role = role, .position = position, .slot = slot};
}

static void say(struct telling *telling, const char *sentence)
{
    text_string(&telling->sentences, sentence);
    tell_end(telling);
}

void tell_span(struct text *text, int64_t span_ms)
{
    static const struct {
        int64_t ms;
        const char *one, *many;
    } units[] = {{86400000, "1 day", "days"},
                 {3600000, "1 hour", "hours"},
                 {60000, "1 minute", "minutes"},
                 {1000, "1 second", "seconds"}};
    if (span_ms < 0) span_ms = -span_ms;
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        bool last = units[i].ms == 1000;
        /* Two of a unit at least, so that 90 seconds are not a minute. */
        if (span_ms < (last ? 1 : 2) * units[i].ms) continue;
        int64_t count = span_ms / units[i].ms;
        if (count == 1)
            text_string(text, units[i].one);
        else
            text_format(text, "%" PRId64 " %s", count, units[i].many);
        return;
    }
    text_format(text, "%" PRId64 " milliseconds", span_ms);
}

static void record_name(struct text *text, const struct story_record *record)
{
    text_format(text, "record %" PRIu64 ".%u", record->position, record->slot);
}

static void source_name(struct text *text, uint64_t source)
{
    text_string(text, "source ");
    if (source)
        text_hex64(text, source);
    else
        text_string(text, "unknown");
}

/* ---- whose code, and when ---- */

static bool is_ocra(const struct slot_verify *verify)
{
    return verify->method == OTPRING_QUERY_OCRA || verify->method == METHOD_OCRA_MARKED;
}

/* What the user typed. */
static const char *typed(const struct slot_verify *verify)
{
    return is_ocra(verify) ? "response to the challenge" : "code";
}

static void steps(struct text *text, struct story *story, uint32_t ordinal, int64_t distance)
{
    uint32_t period_s = story_period_s(story, ordinal);
    int64_t many = distance < 0 ? -distance : distance;
    text_format(text, "%" PRId64 " step%s %s the expected one", many, many == 1 ? "" : "s",
                distance < 0 ? "before" : "after");
    if (period_s == 0) return;
    text_string(text, " (");
    tell_span(text, many * period_s * 1000);
    text_char(text, ')');
}

static void tell_accepted(struct telling *telling, struct story *story, const struct event *event)
{
    struct text *text = &telling->sentences;
    const struct slot_verify *verify = &event->verify;
    text_format(text, "The %s of token %u was right", typed(verify), verify->ordinal);
    if (verify->step_distance) {
        text_string(text, ", ");
        steps(text, story, verify->ordinal, verify->step_distance);
    }
    text_string(text, "; it is used up now.");
    tell_end(telling);
    if (story->failure_count > 0) {
        text_format(text, "%" PRIu64 " failure%s before it %s forgotten.", story->failure_count,
                    story->failure_count == 1 ? "" : "s", story->failure_count == 1 ? "is" : "are");
        tell_end(telling);
    }
    uint32_t period_s = story_period_s(story, verify->ordinal);
    if (verify->drift == 0 || period_s == 0) return;
    text_string(text, "The token's clock is about ");
    tell_span(text, (int64_t)verify->drift * period_s * 1000);
    text_format(text, " %s, which is allowed for from now on.", verify->drift < 0 ? "slow" : "fast");
    tell_end(telling);
}

/* ---- REPLAYED ---- */

static bool same_request(const struct slot_frame *a, const struct slot_frame *b)
{
    return a->session == b->session && a->slot == b->slot && a->sequence == b->sequence;
}

/* Was it the user who typed a code twice, or the auth server that sent a request twice? */
static void tell_request(struct telling *telling, const struct event *event, const struct story_record *used)
{
    const struct slot_frame *frame = &event->frame;
    if (!event->has_frame || !used->has_frame) return;
    if (used->position == event->position && same_request(frame, &used->frame)) {
        say(telling, "Both stand in the same request: the batch had the same account and code twice.");
    } else if (same_request(frame, &used->frame)) {
        say(telling, "It is the same request, sent again: a retry, not a second use.");
    } else if (event->verify.source == used->verify.source && event->verify.source != 0) {
        say(telling, "Both came from the same source, in two requests: the code was typed, or sent, twice.");
    } else if (event->verify.source == 0 && used->verify.source == 0) {
        say(telling, "They are two requests; where they came from was not said.");
    } else {
        say(telling, "The two requests differ, and so do their sources: somebody may have seen the code.");
    }
}

static void tell_user_of_step(struct telling *telling, const struct event *event, const struct story_record *used)
{
    struct text *text = &telling->sentences;
    record_name(text, used);
    text_string(text, ", ");
    tell_span(text, event->time_ms - used->time_ms);
    text_string(text, " earlier");
    if (!used->is_act) {
        text_string(text, ", through client ");
        text_client(text, used->verify.client);
        text_string(text, " from ");
        source_name(text, used->verify.source);
    } else {
        text_string(text, ", act ");
        text_act(text, used->act);
        if (used->act == ACT_BURN) text_string(text, " (a start after a crash used up what might have been answered)");
        if (used->uid != UINT32_MAX) text_format(text, " by uid %u", used->uid);
    }
    text_char(text, '.');
    tell_end(telling);
}

static void tell_replayed(struct telling *telling, struct story *story, const struct event *event)
{
    struct text *text = &telling->sentences;
    const struct slot_verify *verify = &event->verify;
    bool marked = verify->method == METHOD_OCRA_MARKED;
    uint32_t floor = token_floor(verify->token);
    int64_t step;
    const struct story_record *used = NULL;
    const struct story_record *raiser = marked ? NULL : story_raiser(story, verify->ordinal, floor);
    if (marked)
        used = story_marker(story, verify->token);
    else if (story_step(story, event, &step))
        used = story_consumer(story, verify->ordinal, step);
    if (used) {
        text_format(text, "The %s of token %u was right, but used before: by ", typed(verify), verify->ordinal);
        tell_related(telling, "consumed_by", used->position, used->slot);
        tell_user_of_step(telling, event, used);
        tell_request(telling, event, used);
    } else if (raiser) {
        text_format(text,
                    "The %s of token %u was right, but of a step before one that was used already; no step below %u is "
                    "accepted since ",
                    typed(verify), verify->ordinal, floor);
        tell_related(telling, "floor_raised_by", raiser->position, raiser->slot);
        tell_user_of_step(telling, event, raiser);
    } else if (marked) {
        text_format(text,
                    "The %s of token %u was right, but the very same challenge was answered before; the record of that "
                    "is no longer in the log.",
                    typed(verify), verify->ordinal);
        tell_end(telling);
    } else {
        text_format(
            text,
            "The %s of token %u was right, but its step, or one behind it, was used before; the record of that is "
            "no longer in the log, or was not made by a verification.",
            typed(verify), verify->ordinal);
        tell_end(telling);
    }
    say(telling, "It is not charged as a failure.");
}

/* ---- failures ---- */

static void tell_charge(struct telling *telling, struct story *story, const struct slot_verify *verify)
{
    struct text *text = &telling->sentences;
    if (verify->budget == 0) return;
    uint32_t lock_s = story_lock_s(story, verify);
    text_format(text, "It was charged: failure %u of %s", budget_failures(verify->budget, verify->source_class),
                verify->source_class ? "sources that the account succeeded from before" : "unknown sources");
    if (lock_s > 0) {
        text_string(text, "; the account is locked for ");
        tell_span(text, (int64_t)lock_s * 1000);
    }
    text_char(text, '.');
    tell_end(telling);
}

/* Of responses to challenges; false: nothing but what is said of codes. */
static bool tell_response(struct telling *telling, const struct slot_verify *verify)
{
    switch (verify->reason) {
    case OTPRING_REASON_NO_MATCH:
        say(telling,
            "The response fits none of the account's tokens and the challenge that came with it: it is wrong, or an "
            "answer to another challenge, or the account has no token that answers challenges.");
        return true;
    case OTPRING_REASON_DIGITS:
        say(telling, "The response does not have the form that the suite of any of the account's tokens gives.");
        return true;
    case OTPRING_REASON_CHALLENGE:
        say(telling,
            "None of the account's tokens can have been asked this: the challenge, the PIN's hash or the session "
            "information is missing, or not of the form that its suite says. The auth server asked wrongly.");
        return true;
    default:
        return false;
    }
}

static void tell_rejected(struct telling *telling, struct story *story, const struct slot_verify *verify)
{
    if (is_ocra(verify) && tell_response(telling, verify)) {
        tell_charge(telling, story, verify);
        return;
    }
    switch (verify->reason) {
    case OTPRING_REASON_NO_MATCH:
        say(telling,
            "The code fits none of the account's tokens: neither a step of the window, nor one of those far from it "
            "that are searched. It is a wrong code, or one of another token.");
        break;
    case OTPRING_REASON_NOT_SEARCHED:
        say(telling,
            "The code fits no step of the window. Whether it fits one far from it, as with a wrong clock, was not "
            "searched: this turn had searched as much as it may.");
        break;
    case OTPRING_REASON_DIGITS:
        say(telling, "The code had another number of digits than any of the account's tokens shows.");
        break;
    case OTPRING_REASON_HIDDEN:
        if (verify->first_ordinal == UINT32_MAX)
            say(telling, "There is no such account. The client may not know that, and was told REJECTED.");
        else
            say(telling,
                "The account has no active token: all are suspended or removed. The client may not know that, and "
                "was told REJECTED.");
        break;
    case OTPRING_REASON_COMPANY:
        say(telling, "The client may not ask about this company; nothing was looked up.");
        break;
    default:
        say(telling, "It was refused.");
        break;
    }
    tell_charge(telling, story, verify);
}

static void tell_resync(struct telling *telling, struct story *story, const struct slot_verify *verify)
{
    struct text *text = &telling->sentences;
    text_format(text, "The code is one of token %u, but of a step far from the expected one", verify->ordinal);
    if (verify->step_distance) {
        text_string(text, ": ");
        steps(text, story, verify->ordinal, verify->step_distance);
    }
    text_string(text, story_period_s(story, verify->ordinal)
                          ? ". The token's clock is wrong by as much; two adjacent codes set it right."
                          : ". Two adjacent codes bring the token and the engine together again.");
    tell_end(telling);
    tell_charge(telling, story, verify);
}

static void tell_failures(struct telling *telling, const struct story *story)
{
    struct text *text = &telling->sentences;
    uint64_t have = story->failure_count < STORY_FAILURES ? story->failure_count : STORY_FAILURES;
    uint64_t shown = have < FAILURES_SHOWN ? have : FAILURES_SHOWN, sources = 0;
    for (uint64_t i = 0; i < have; i++) {
        bool fresh = true;
        for (uint64_t j = 0; j < i; j++) fresh &= story->failures[i].verify.source != story->failures[j].verify.source;
        sources += fresh;
    }
    text_string(text, shown < story->failure_count ? "The last failures of " : "The failures of ");
    text_format(text, "%" PRIu64 ", from %" PRIu64 " source%s: ", story->failure_count, sources,
                sources == 1 ? "" : "s");
    for (uint64_t i = 0; i < shown; i++) {
        const struct story_record *failure = &story->failures[(story->failure_count - shown + i) % STORY_FAILURES];
        if (i > 0) text_string(text, "; ");
        record_name(text, failure);
        text_char(text, ' ');
        text_verdict(text, failure->verify.verdict);
        text_string(text, " at ");
        text_time(text, failure->time_ms);
        text_string(text, " through ");
        text_client(text, failure->verify.client);
        tell_related(telling, "failure", failure->position, failure->slot);
    }
    text_char(text, '.');
    tell_end(telling);
}

static void tell_throttled(struct telling *telling, const struct story *story, const struct event *event)
{
    struct text *text = &telling->sentences;
    const struct slot_verify *verify = &event->verify;
    uint32_t wait_s = slot_verify_retry_after_s(verify);
    text_string(text, "The account was locked after too many failures, so the code was not even looked at. ");
    if (verify->budget) {
        text_format(text, "%u failures from unknown sources and %u from known ones stood against it, the last of ",
                    budget_failures(verify->budget, 0), budget_failures(verify->budget, 1));
        text_time(text, (int64_t)budget_time_s(verify->budget) * 1000);
        text_string(text, ". ");
    }
    text_string(text, "The lock ends ");
    tell_span(text, (int64_t)wait_s * 1000);
    text_string(text, " later, at ");
    text_time(text, event->time_ms / 1000 * 1000 + (int64_t)wait_s * 1000);
    text_char(text, '.');
    tell_end(telling);
    if (story->failure_count > 0)
        tell_failures(telling, story);
    else
        say(telling, "The records of these failures are no longer in the log.");
    if (story->reset.position) {
        text_string(text, "They were last reset by ");
        record_name(text, &story->reset);
        text_char(text, '.');
        tell_end(telling);
        tell_related(telling, "reset_by", story->reset.position, story->reset.slot);
    }
}

static void tell_required(struct telling *telling, const struct slot_verify *verify)
{
    if (verify->verdict == OTPRING_REQUIRED)
        say(telling, "Asked whether the user may pass without a code: no, one is required.");
    else if (verify->reason == OTPRING_REASON_SCHEME)
        say(telling, "Asked whether the user may pass without a code: yes, the company's scheme is not active yet.");
    else
        say(telling, "Asked whether the user may pass without a code: yes, there is no token yet, or a release.");
}

static void tell_unavailable(struct telling *telling, const struct slot_verify *verify)
{
    if (verify->reason == OTPRING_REASON_NOT_KNOWN) {
        say(telling,
            "Asked whether the user may pass without a code: nothing is known of this user, so nobody can say.");
        return;
    }
    const char *why =
        verify->reason == OTPRING_REASON_CLOCK      ? "the engine was not sure of the time"
        : verify->reason == OTPRING_REASON_NO_ROOM  ? "the journal had no room"
        : verify->reason == OTPRING_REASON_POISONED ? "a journal write had failed"
        : verify->reason == OTPRING_REASON_MARKS    ? "no more used responses can be remembered (otpringd --marks-max)"
        : verify->reason == OTPRING_REASON_STOPPING ? "the engine was stopping"
                                                    : "the engine was too busy with this account or batch";
    text_format(&telling->sentences, "The code was not judged, because %s; it may be asked again.", why);
    tell_end(telling);
}

static void tell_verify(struct telling *telling, struct story *story, const struct event *event)
{
    const struct slot_verify *verify = &event->verify;
    if (event->has_frame && event->frame.retry)
        say(telling, "The request was sent again; only what had been answered UNAVAILABLE was judged now.");
    switch (verify->verdict) {
    case OTPRING_ACCEPTED:
        tell_accepted(telling, story, event);
        return;
    case OTPRING_REPLAYED:
        tell_replayed(telling, story, event);
        return;
    case OTPRING_REJECTED:
        tell_rejected(telling, story, verify);
        return;
    case OTPRING_RESYNC:
        tell_resync(telling, story, verify);
        return;
    case OTPRING_THROTTLED:
        tell_throttled(telling, story, event);
        return;
    case OTPRING_INACTIVE:
        say(telling, "The account has no active token: all are suspended or removed.");
        tell_charge(telling, story, verify);
        return;
    case OTPRING_UNKNOWN:
        say(telling, "There is no such account.");
        tell_charge(telling, story, verify);
        return;
    case OTPRING_MALFORMED:
        say(telling,
            is_ocra(verify) && verify->reason == OTPRING_REASON_CODE_RANGE
                ? "The query broke the rules: it has no challenge, or no response."
            : verify->reason == OTPRING_REASON_CODE_RANGE
                ? "The query broke the rules: the code does not fit its number of digits, or that is not 6 to 8."
                : "The query broke the rules: reserved bits, or a kind or source class that is none.");
        return;
    case OTPRING_REQUIRED:
    case OTPRING_NOT_REQUIRED:
        tell_required(telling, verify);
        return;
    default:
        tell_unavailable(telling, verify);
        return;
    }
}

void tell_event(struct telling *telling, struct story *story, const struct event *event)
{
    text_clear(&telling->sentences);
    telling->related_count = 0;
    if (event->kind == EVENT_VERIFY) tell_verify(telling, story, event);
    if (event->kind == EVENT_ACT) tell_act(telling, story, event);
    if (event->kind == EVENT_OWN)
        say(telling,
            "A record of the journal's own: seals and signatures that prove what stands before it, or the removal of "
            "an old segment.");
}
