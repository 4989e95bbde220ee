/* Responses to challenges (RFC 6287): what one may fit, and whether it was used. What makes a response one-time is the
 * suite's:
 *
 *   | suite                | the floor counts    | tried                                     | used up           |
 *   |----------------------|---------------------|-------------------------------------------|-------------------|
 *   | counter              | the counter         | look-behind and look-ahead of the floor   | counters to it    |
 *   | counter and time     | the counter         | each with each step of the window of time | counters to it    |
 *   | time                 | the time step       | the window round the present step         | steps to it       |
 *   | neither              | 1: was used at all  | the one response                          | its mark: marks.h |
 *
 * So every suite accepts a response once, whatever its challenge. The HMACs are single ones (kernel_hmac): messages are
 * long and of many sizes. All of a window is tried, whatever fits. A name without such a token costs one HMAC of a
 * common message, so the time may tell that an account has a token of a suite with a window. */
#include "core/verify.h"

#include <string.h>

#include "base/bytes.h"

/* The steps to be tried, at or above 0. */
struct ocra_window {
    int64_t low, high;
    int64_t time_low, time_high; /* beside a counter */
};

bool ocra_preset(const struct otpring_wire_ocra *query, uint8_t *ret_verdict, uint8_t *ret_reason)
{
    const struct otpring_wire_query *head = &query->query;
    bool reserved =
        head->kind != OTPRING_QUERY_OCRA || head->code || head->digits || head->flags || head->source_class > 1;
    bool sizes =
        query->response_size == 0 || query->response_size > OCRA_RESPONSE_SIZE_MAX || query->question_sizes[0] == 0;
    if (!reserved && !sizes) return false;
    *ret_verdict = OTPRING_MALFORMED;
    *ret_reason = reserved ? OTPRING_REASON_RESERVED : OTPRING_REASON_CODE_RANGE;
    return true;
}

static const char *response_of(const struct otpring_wire_ocra *query)
{
    return (const char *)(query + 1);
}

/* The fields stand one behind the other; server/wire.c has seen that they lie within the item. */
static struct ocra_input input_of(const struct otpring_wire_ocra *query, const struct ocra_suite *suite)
{
    const char *at = response_of(query) + query->response_size;
    struct ocra_input input = {0};
    for (int i = 0; i < 2; i++) {
        if (query->question_sizes[i])
            input.questions[i] = (struct ocra_question){.text = at, .size = query->question_sizes[i]};
        at += query->question_sizes[i];
    }
    if (query->pin_hash_size) input.pin_hash = (const uint8_t *)at;
    input.pin_hash_size = query->pin_hash_size;
    at += query->pin_hash_size;
    uint16_t session_size = load_le16((const uint8_t *)&query->session_size);
    if (session_size) input.session = (const uint8_t *)at;
    input.session_size = session_size;
    /* One client may serve tokens of several suites: what a suite does not have is left out. */
    if (!suite->pin_hash_size) {
        input.pin_hash = NULL;
        input.pin_hash_size = 0;
    }
    if (!suite->session_size) {
        input.session = NULL;
        input.session_size = 0;
    }
    return input;
}

static struct ocra_window window_of(const struct pair *pair, const struct ocra_suite *suite, int64_t floor)
{
    const struct judge_profile *profile = pair->profile;
    struct ocra_window window = {0};
    if (suite->step_s) {
        window.time_low = greatest(pair->expected - profile->time_behind, 0);
        window.time_high = pair->expected + profile->time_ahead;
    }
    if (suite->counter) {
        window.low = greatest(floor - profile->behind, 0);
        window.high = least(floor + profile->ahead, STEP_GREATEST);
    } else {
        window.low = window.time_low;
        window.high = least(window.time_high, STEP_GREATEST);
    }
    return window;
}

/* The greatest step that fits, or -1. */
static int64_t window_try(const struct pair *pair, const struct ocra_suite *suite, struct ocra_window window,
                          struct ocra_message *message, const struct otpring_wire_ocra *query)
{
    int64_t matched = -1;
    int64_t time_low = suite->counter ? window.time_low : 0, time_high = suite->counter ? window.time_high : 0;
    for (int64_t step = window.low; step <= window.high; step++) {
        for (int64_t time = time_low; time <= time_high; time++) {
            ocra_message_move(message, (uint64_t)step, (uint64_t)(suite->counter ? time : step));
            bool fits = ocra_fits(suite, pair->midstates, message, response_of(query), query->response_size);
            if (fits) matched = step;
        }
    }
    return matched;
}

static uint64_t message_mark(const struct judge *judge, const struct pair *pair, const struct ocra_suite *suite,
                             const struct ocra_message *message)
{
    static const uint8_t sizes[KERNEL_ALGORITHM_COUNT] = {20, 32, 64};
    uint8_t digest[KERNEL_DIGEST_SIZE_MAX];
    kernel_hmac(suite->algorithm, pair->midstates, message->bytes, message->size, digest);
    uint64_t mark = mark_of(judge->core->marks, digest, sizes[suite->algorithm]);
    explicit_bzero(digest, sizeof digest);
    return mark;
}

/* The work of a wrong response, for who has no token that could say more. */
static void common_work(const struct judge *judge)
{
    static const uint8_t message[OCRA_QUESTION_FIELD + 32];
    uint8_t digest[KERNEL_DIGEST_SIZE_MAX];
    kernel_hmac(KERNEL_SHA1, judge->dummy, message, sizeof message, digest);
}

/* One token's word to the response: ACCEPTED or REPLAYED into `ret`; 0: it does not fit. */
static void token_say(struct judge *judge, const struct group_item *item, struct pair *pair, uint64_t word,
                      struct choice *ret)
{
    const struct otpring_wire_ocra *query = item_ocra(item);
    uint16_t id = (uint16_t)(pair->profile - judge->profiles->profiles);
    const struct ocra_suite *suite = &judge->profiles->suites[id];
    struct ocra_input input = input_of(query, suite);
    struct ocra_message message;
    *ret = (struct choice){.pair = pair, .word = word, .consumed = 1, .by_time = !suite->counter};
    ret->challenge_misfits = result_failed(ocra_message_make(suite, &input, &message));
    ret->digits_fit = !result_failed(ocra_response_check(suite, response_of(query), query->response_size));
    if (ret->challenge_misfits || !ret->digits_fit) {
        common_work(judge);
    } else {
        pair->expected = (int64_t)ocra_step(suite, judge->wall_s);
        int64_t floor = token_floor(word);
        int64_t matched = window_try(pair, suite, window_of(pair, suite, floor), &message, query);
        if (matched >= 0 && !suite->counter && !suite->step_s) {
            ret->mark = message_mark(judge, pair, suite, &message);
            ret->consumed = 0;
            bool used = ret->mark != item->own_mark && marks_has(judge->core->marks, ret->mark);
            ret->verdict = used ? OTPRING_REPLAYED : OTPRING_ACCEPTED;
        } else if (matched >= 0) {
            ret->step = matched;
            ret->verdict = matched >= floor ? OTPRING_ACCEPTED : OTPRING_REPLAYED;
        }
    }
    explicit_bzero(&message, sizeof message);
}

void choose_ocra(struct judge *judge, struct group *group, struct group_item *item, struct choice *choice)
{
    struct choice said, replayed = {0};
    unsigned active = item->other_count, asked = 0;
    bool digits_fit = false, challenge_fits = false;
    for (unsigned i = 0; i < item->pair_count; i++) {
        struct pair *pair = &group->pairs[item->pair_first + i];
        uint64_t word;
        if (!pair_active(pair, &word)) {
            pair->blocked = true;
            common_work(judge);
            continue;
        }
        active++;
        asked++;
        token_say(judge, item, pair, word, &said);
        digits_fit |= said.digits_fit;
        challenge_fits |= !said.challenge_misfits;
        if (said.verdict == OTPRING_ACCEPTED) {
            *choice = said;
            return;
        }
        if (said.verdict == OTPRING_REPLAYED && !replayed.pair) replayed = said;
    }
    if (replayed.pair) {
        *choice = replayed;
        return;
    }
    *choice = (struct choice){.digits_fit = digits_fit || !asked, .challenge_misfits = asked && !challenge_fits};
    choice->verdict = active ? OTPRING_REJECTED : item->live_count ? OTPRING_INACTIVE : OTPRING_UNKNOWN;
}
