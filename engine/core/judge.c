/* Judging: one item after the other, in order of arrival, each by compare-and-swap of the words.
 *
 * | the account                        | verdict                       | budget          | token word      |
 * |------------------------------------|-------------------------------|-----------------|-----------------|
 * | locked for this source class       | THROTTLED                     | -               | -               |
 * | a step at or above the floor fits  | ACCEPTED                      | reset if failed | step + 1        |
 * | a step below it, in the window     | REPLAYED                      | -               | -               |
 * | no token is active                 | INACTIVE (none left: UNKNOWN) | one failure     | -               |
 * | a far step fits                    | RESYNC                        | one failure     | -               |
 * | nothing fits                       | REJECTED                      | one failure     | -               |
 *
 * A word that moved since it was read sends the item round again, with whatever candidates the new floor asks for.
 * Suspension sets its flag before it raises the change count; so the word is read before the flags, and a swap that
 * succeeds proves that the flags still stood. The reset of a budget comes before the token is consumed: a lock that
 * tripped meanwhile wins. */
#include "core/straight.h"

#include <string.h>

#include "base/check.h"

enum { TRIES_MAX = 1000 }; /* lost swaps in a row before the engine says that it is busy */

/* What one item came to. Words are 0 where nothing changed. */
struct outcome {
    uint8_t verdict;
    uint8_t reason;
    uint8_t method; /* of the record */
    bool not_searched;
    int8_t drift;
    uint32_t wait_s;
    uint32_t ordinal;
    int64_t distance;
    uint64_t token;
    uint64_t budget;
};

/* ---- one token ---- */

/* Brings what is computed up to this floor; the step to be consumed, or -1; *ret_replayed: it fits a step below the
 * floor. */
static int64_t step_at(const struct kernel *kernel, struct pair *pair, int64_t floor, int64_t *ret_replayed)
{
    int64_t low, high;
    pair_window(pair, floor, &low, &high);
    *ret_replayed = -1;
    if (low > high) return -1;
    if (pair->matched >= greatest(floor, low)) return pair->matched;
    pair_cover(kernel, pair, greatest(floor, low), high);
    if (pair->matched >= greatest(floor, low)) return pair->matched;
    if (pair->matched < low) pair_cover(kernel, pair, low, floor - 1 < high ? floor - 1 : high);
    if (pair->matched >= low) *ret_replayed = pair->matched;
    return -1;
}

bool pair_active(struct pair *pair, uint64_t *ret_word)
{
    if (!pair->tail) return false;
    *ret_word = atomic_load_explicit(&pair->tail->token, memory_order_acquire);
    uint8_t flags = atomic_load_explicit(&pair->tail->flags, memory_order_acquire);
    if ((flags & (TABLE_SUSPENDED | TABLE_REMOVED)) || !(flags & TABLE_LIVE)) return false;
    if (pair->blocked) { /* resumed since it was computed */
        pair->blocked = false;
        pair->live = pair->digits_fit ? UINT32_MAX : 0;
        pair_forget(pair);
    }
    return true;
}

/* An earlier item may have taught the drift anew since the pair was made: its window has moved. */
static void pair_follow_drift(const struct judge *judge, struct pair *pair)
{
    if (pair->profile->type != OTP_TOTP) return;
    int64_t drift = atomic_load_explicit(&pair->tail->drift, memory_order_relaxed);
    int64_t expected = profile_step_now(pair->profile, judge->wall_s) + drift;
    if (expected == pair->expected) return;
    pair->expected = expected;
    pair_forget(pair);
}

static bool swap(_Atomic uint64_t *word, uint64_t seen, uint64_t next)
{
    return atomic_compare_exchange_strong_explicit(word, &seen, next, memory_order_acq_rel, memory_order_acquire);
}

/* Where the true time of the device stands from ours. Acceptances never stretch what is learned beyond the profile's
 * limit, or beyond what a resynchronisation has set. */
static int8_t drift_learn(struct pair *pair, int64_t step, int64_t now_step, int64_t limit)
{
    if (pair->profile->type != OTP_TOTP) return 0;
    int64_t before = atomic_load_explicit(&pair->tail->drift, memory_order_relaxed);
    limit = greatest(limit, before < 0 ? -before : before);
    if (limit > INT8_MAX) limit = INT8_MAX;
    int64_t drift = step - now_step;
    drift = drift > limit ? limit : drift < -limit ? -limit : drift;
    if (drift != before) atomic_store_explicit(&pair->tail->drift, (int8_t)drift, memory_order_relaxed);
    return (int8_t)drift;
}

/* ---- looking ---- */

static int64_t size_of(int64_t low, int64_t high)
{
    return high >= low ? high - low + 1 : 0;
}

struct far_range {
    int64_t before_low, before_high; /* TOTP: earlier steps than the window's */
    int64_t after_low, after_high;
};

/* Not cut at the floor: what is searched would tell from the time it takes that a token was used of late. */
static struct far_range far_range_of(const struct pair *pair, int64_t floor)
{
    int64_t low, high;
    pair_window(pair, floor, &low, &high);
    bool totp = pair->profile->type == OTP_TOTP;
    int64_t middle = totp ? pair->expected : floor;
    int64_t reach = pair->profile->resync_window;
    int64_t after_high = middle + reach < STEP_GREATEST ? middle + reach : STEP_GREATEST;
    struct far_range range = {0, -1, greatest(high + 1, 0), after_high};
    if (totp && reach) {
        range.before_low = greatest(middle - reach, 0);
        range.before_high = low - 1;
    }
    return range;
}

static int64_t pair_floor(const struct pair *pair)
{
    if (!pair->tail) return pair->profile->type == OTP_HOTP ? pair->expected : 0;
    return token_floor(atomic_load_explicit(&pair->tail->token, memory_order_acquire));
}

/* Dummies and suspended tokens are searched too, so that they cost the same; they never match. */
static bool far_search(struct judge *judge, struct group *group, const struct group_item *item, struct choice *choice)
{
    struct far_range ranges[TABLE_ACCOUNT_TOKENS_MAX];
    int64_t floors[TABLE_ACCOUNT_TOKENS_MAX], needed = 0;
    for (unsigned i = 0; i < item->pair_count; i++) {
        const struct pair *pair = &group->pairs[item->pair_first + i];
        floors[i] = pair_floor(pair);
        ranges[i] = far_range_of(pair, floors[i]);
        needed +=
            size_of(ranges[i].before_low, ranges[i].before_high) + size_of(ranges[i].after_low, ranges[i].after_high);
    }
    /* The first of a turn is searched whatever it takes: an account of many tokens, or of a long window, would else
     * never be, however quiet it is. */
    if (needed > judge->far_left && !judge->far_untouched) {
        choice->not_searched = true;
        return false;
    }
    judge->far_left -= needed;
    if (needed > 0) judge->far_untouched = false;
    struct pair *found = NULL;
    for (unsigned i = 0; i < item->pair_count; i++) {
        struct pair *pair = &group->pairs[item->pair_first + i];
        int64_t before = pair_far(judge->kernel, pair, ranges[i].before_low, ranges[i].before_high);
        int64_t after = pair_far(judge->kernel, pair, ranges[i].after_low, ranges[i].after_high);
        if (greatest(before, after) < floors[i] || pair->blocked || found) continue;
        found = pair;
        choice->step = greatest(before, after);
    }
    choice->pair = found;
    return found != NULL;
}

/* One code: ACCEPTED, else REPLAYED, else INACTIVE, RESYNC, REJECTED. */
static void choose(struct judge *judge, struct group *group, const struct group_item *item, struct choice *choice)
{
    struct pair *replayed = NULL;
    int64_t replayed_step = -1;
    uint64_t replayed_word = 0;
    unsigned active = 0;
    *choice = (struct choice){.consumed = 1};
    for (unsigned i = 0; i < item->pair_count; i++) {
        struct pair *pair = &group->pairs[item->pair_first + i];
        uint64_t word;
        int64_t below;
        if (!pair_active(pair, &word)) {
            pair->blocked = true;
            continue;
        }
        active++;
        pair_follow_drift(judge, pair);
        choice->digits_fit |= pair->digits_fit;
        int64_t step = step_at(judge->kernel, pair, token_floor(word), &below);
        if (step >= 0) {
            *choice =
                (struct choice){.verdict = OTPRING_ACCEPTED, .pair = pair, .step = step, .word = word, .consumed = 1};
            return;
        }
        if (below >= 0 && !replayed) {
            replayed = pair;
            replayed_step = below;
            replayed_word = word;
        }
    }
    if (replayed) {
        choice->verdict = OTPRING_REPLAYED;
        choice->pair = replayed;
        choice->step = replayed_step;
        choice->word = replayed_word;
        return;
    }
    bool far = far_search(judge, group, item, choice);
    active += item->other_count;
    choice->verdict = active == 0 ? (item->live_count ? OTPRING_INACTIVE : OTPRING_UNKNOWN)
                      : far       ? OTPRING_RESYNC
                                  : OTPRING_REJECTED;
}

static void pair_range(const struct pair *pair, int64_t floor, int64_t *ret_low, int64_t *ret_high)
{
    int64_t reach = pair->profile->resync_window;
    bool totp = pair->profile->type == OTP_TOTP;
    *ret_low = totp ? pair->expected - reach : floor;
    *ret_high = (totp ? pair->expected : floor) + reach;
    if (*ret_high > STEP_GREATEST) *ret_high = STEP_GREATEST;
    if (*ret_low < 0) *ret_low = 0;
    if (reach == 0) *ret_high = *ret_low - 1;
}

/* Two adjacent codes, both at or above the floor: ACCEPTED, else INACTIVE or REJECTED. */
static void choose_pair(struct judge *judge, struct group *group, const struct group_item *item, struct choice *choice)
{
    *choice = (struct choice){.consumed = 2};
    int64_t needed = 0, low, high;
    for (unsigned i = 0; i < item->pair_count; i++) {
        const struct pair *pair = &group->pairs[item->pair_first + i];
        pair_range(pair, pair_floor(pair), &low, &high);
        needed += size_of(low, high) + 1;
    }
    if (needed > judge->pair_left && !judge->pair_untouched) {
        choice->busy = true;
        return;
    }
    judge->pair_left -= needed;
    judge->pair_untouched = false;
    unsigned active = 0;
    for (unsigned i = 0; i < item->pair_count; i++) {
        struct pair *pair = &group->pairs[item->pair_first + i];
        uint64_t word = 0;
        bool is_active = pair_active(pair, &word);
        if (is_active) pair_follow_drift(judge, pair);
        active += is_active;
        choice->digits_fit |= is_active && pair->digits_fit;
        pair_range(pair, is_active ? token_floor(word) : pair_floor(pair), &low, &high);
        int64_t step = pair_adjacent(judge->kernel, pair, item_code_next(item), low, high);
        if (!is_active || step < token_floor(word) || choice->pair) continue;
        choice->pair = pair;
        choice->step = step;
        choice->word = word;
    }
    active += item->other_count;
    choice->verdict = choice->pair       ? OTPRING_ACCEPTED
                      : active           ? OTPRING_REJECTED
                      : item->live_count ? OTPRING_INACTIVE
                                         : OTPRING_UNKNOWN;
}

/* ---- acting ---- */

static bool failures_reset(const struct judge *judge, const struct group_item *item, uint64_t budget,
                           struct outcome *outcome)
{
    if ((budget_failures(budget, 0) | budget_failures(budget, 1)) == 0) return true;
    uint64_t reset = throttle_reset(budget, judge->journal_s);
    if (!swap(&item->first->budget, budget, reset)) return false;
    outcome->budget = reset;
    return true;
}

/* A response without counter and time. Room for its mark comes first: where there is none, the response stays good, and
 * what stays good must not reset failures, or whoever saw it could guess for ever. Of all who enter it one alone puts
 * its mark; then the word tells whether the token still accepts. Where it moved, the mark is this query's own when it
 * looks again. */
static bool consume_mark(struct judge *judge, struct group_item *item, const struct choice *choice, uint64_t budget,
                         struct outcome *outcome)
{
    struct marks *marks = judge->core->marks;
    bool own = choice->mark == item->own_mark;
    if (!own && !marks_reserve(marks)) {
        outcome->verdict = OTPRING_UNAVAILABLE;
        outcome->reason = OTPRING_REASON_MARKS;
        return true;
    }
    if (!failures_reset(judge, item, budget, outcome)) {
        if (!own) marks_release(marks);
        return false;
    }
    if (!own && !marks_put(marks, choice->mark)) return false;
    item->own_mark = choice->mark;
    uint32_t floor = token_floor(choice->word);
    uint64_t used = token_word(floor ? floor : 1, token_change(choice->word));
    if (!swap(&choice->pair->tail->token, choice->word, used)) return false;
    outcome->token = choice->mark;
    outcome->method = METHOD_OCRA_MARKED;
    return true;
}

static bool consume(struct judge *judge, struct group_item *item, const struct choice *choice, uint64_t budget,
                    struct outcome *outcome)
{
    struct pair *pair = choice->pair;
    if (choice->mark) return consume_mark(judge, item, choice, budget, outcome);
    if (!failures_reset(judge, item, budget, outcome)) return false;
    uint64_t word = token_word((uint32_t)(choice->step + choice->consumed), token_change(choice->word));
    if (!swap(&pair->tail->token, choice->word, word)) return false;
    outcome->token = word;
    int64_t last_step = choice->step + choice->consumed - 1;
    int64_t limit = choice->consumed == 2 ? pair->profile->resync_window : pair->profile->drift_max;
    outcome->drift = drift_learn(pair, last_step, profile_step_now(pair->profile, judge->wall_s), limit);
    return true;
}

/* False when a word moved: look again. */
static bool act_on(struct judge *judge, struct group_item *item, const struct choice *choice, uint64_t budget,
                   struct outcome *outcome)
{
    if (choice->verdict == OTPRING_ACCEPTED && !consume(judge, item, choice, budget, outcome)) return false;
    if (outcome->verdict == OTPRING_UNAVAILABLE) return true;
    if (choice->verdict != OTPRING_ACCEPTED && choice->verdict != OTPRING_REPLAYED) {
        uint64_t charged = throttle_charge(budget, item->query->source_class, judge->journal_s);
        if (!swap(&item->first->budget, budget, charged)) return false;
        outcome->budget = charged;
    }
    /* The floor may be of an acceptance whose own record a crash loses: this record then stands for it, so that the
     * verdict stays true. */
    if (choice->verdict == OTPRING_REPLAYED) outcome->token = choice->mark ? choice->mark : choice->word;
    if (choice->verdict == OTPRING_REPLAYED && choice->mark) outcome->method = METHOD_OCRA_MARKED;
    outcome->verdict = choice->verdict;
    outcome->not_searched = choice->not_searched;
    /* Of RESYNC too, for whoever reads the log: by how much a clock is wrong. */
    if (choice->pair && !choice->mark) {
        bool by_time = choice->by_time || choice->pair->profile->type == OTP_TOTP;
        int64_t floor = choice->verdict == OTPRING_ACCEPTED ? token_floor(choice->word) : pair_floor(choice->pair);
        outcome->distance = choice->step - (by_time ? choice->pair->expected : floor);
    }
    if (choice->pair) outcome->ordinal = choice->pair->ordinal;
    outcome->reason = choice->verdict == OTPRING_REPLAYED   ? OTPRING_REASON_USED
                      : choice->verdict == OTPRING_RESYNC   ? OTPRING_REASON_FAR
                      : choice->verdict != OTPRING_REJECTED ? OTPRING_REASON_NONE
                      : choice->challenge_misfits           ? OTPRING_REASON_CHALLENGE
                      : !choice->digits_fit                 ? OTPRING_REASON_DIGITS
                      : choice->not_searched                ? OTPRING_REASON_NOT_SEARCHED
                                                            : OTPRING_REASON_NO_MATCH;
    return true;
}

static void busy(struct outcome *outcome)
{
    outcome->verdict = OTPRING_UNAVAILABLE;
    outcome->reason = OTPRING_REASON_BUSY;
}

static void look(struct judge *judge, struct group *group, struct group_item *item, struct choice *choice)
{
    if (item_is_ocra(item)) {
        choose_ocra(judge, group, item, choice);
    } else if (item->frame->method == OTPRING_WIRE_RESYNC) {
        choose_pair(judge, group, item, choice);
    } else {
        choose(judge, group, item, choice);
    }
}

/* The account's policy is that of its first line. */
static const struct throttle_policy *policy_of(struct judge *judge, const struct group_item *item)
{
    uint16_t id = atomic_load_explicit(&item->first->profile, memory_order_relaxed);
    if (id >= CORE_PROFILES_MAX || !judge->profiles->profiles[id].used) id = 0;
    return &judge->profiles->profiles[id].throttle;
}

static void judge_account(struct judge *judge, struct group *group, struct group_item *item, struct outcome *outcome)
{
    const struct throttle_policy *policy = policy_of(judge, item);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t budget = atomic_load_explicit(&item->first->budget, memory_order_acquire);
        outcome->wait_s = throttle_wait_s(budget, policy, item->query->source_class, judge->journal_s);
        if (outcome->wait_s) {
            outcome->verdict = OTPRING_THROTTLED;
            outcome->budget = budget; /* likewise: the lock is as durable as the verdict */
            return;
        }
        struct choice choice;
        look(judge, group, item, &choice);
        if (choice.busy) break;
        if (act_on(judge, item, &choice, budget, outcome)) return;
    }
    busy(outcome);
}

static void judge_unknown(struct judge *judge, struct group *group, struct group_item *item, struct outcome *outcome)
{
    const struct throttle_policy *policy = &judge->profiles->profiles[0].throttle;
    uint8_t name[TABLE_NAME_SIZE];
    memcpy(name, item->query->company, 8);
    memcpy(name + 8, item->query->account, 8);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t budget = unknown_get(judge->core->unknown, name);
        outcome->wait_s = throttle_wait_s(budget, policy, item->query->source_class, judge->journal_s);
        if (outcome->wait_s) {
            outcome->verdict = OTPRING_THROTTLED;
            outcome->budget = budget; /* likewise: the lock is as durable as the verdict */
            return;
        }
        struct choice choice;
        look(judge, group, item, &choice);
        if (choice.busy) break;
        uint64_t charged = throttle_charge(budget, item->query->source_class, judge->journal_s);
        if (!unknown_swap(judge->core->unknown, name, budget, charged)) continue;
        outcome->budget = charged;
        outcome->verdict = OTPRING_UNKNOWN;
        outcome->not_searched = choice.not_searched;
        return;
    }
    busy(outcome);
}

/* ---- what is recorded, and what is told ---- */

static uint8_t told_of(const struct outcome *outcome, bool hidden, bool sees_states)
{
    if (sees_states || outcome->reason == OTPRING_REASON_COMPANY) return outcome->reason;
    if (!hidden && outcome->verdict != OTPRING_REJECTED) return outcome->reason;
    /* That a number of digits is wrong would tell that the account exists. */
    return outcome->not_searched ? OTPRING_REASON_NOT_SEARCHED : OTPRING_REASON_NO_MATCH;
}

/* The slot is written in whole words, by the kernel's stages too: bytes that are put together in memory could not be
 * read back as words at once. */
_Static_assert(offsetof(struct slot_verify, token) == 16 && offsetof(struct slot_verify, ordinal) == 40 &&
                   offsetof(struct slot_verify, item) == 48 && offsetof(struct slot_verify, verdict) == 56 &&
                   offsetof(struct slot_verify, drift) == 60 && offsetof(struct slot_verify, kind) == 63 &&
                   offsetof(struct otpring_wire_answer, record) == 8 &&
                   sizeof(struct otpring_wire_answer) == STAGE_ANSWER &&
                   offsetof(struct otpring_wire_query, company) == 0 &&
                   offsetof(struct otpring_wire_query, account) == 8 &&
                   offsetof(struct otpring_wire_query, source) == 16 && offsetof(struct otpring_wire_query, code) == 24,
               "the words below");

static inline void words_write(const struct judge *judge, const struct group_item *item, const struct outcome *outcome,
                               uint16_t distance, uint8_t retry_after, uint8_t reason, uint8_t told)
{
    const struct otpring_wire_query *query = item->query;
    uint64_t *words = (uint64_t *)(void *)item->slot;
    memcpy(words, query, 16); /* company and account come first */
    words[2] = outcome->token;
    words[3] = outcome->budget;
    words[4] = query->source;
    words[5] = outcome->ordinal | (uint64_t)item->first_ordinal << 32;
    words[6] =
        item->index | (uint64_t)item->frame->client_id << 16 | (uint64_t)distance << 32 | (uint64_t)judge->policy << 48;
    words[7] = outcome->verdict | (uint64_t)reason << 8 | (uint64_t)outcome->method << 16 |
               (uint64_t)query->source_class << 24 | (uint64_t)(uint8_t)outcome->drift << 32 |
               (uint64_t)retry_after << 40 | (uint64_t)told << 48 | (uint64_t)SLOT_VERIFY << 56;
}

static void record(struct judge *judge, const struct group_item *item, struct outcome *outcome)
{
    bool sees_states = item->frame->sees_states;
    bool state = outcome->verdict == OTPRING_UNKNOWN || outcome->verdict == OTPRING_INACTIVE;
    bool hidden = state && !sees_states;
    int64_t distance = outcome->distance;
    distance = distance > INT16_MAX ? INT16_MAX : distance < INT16_MIN ? INT16_MIN : distance;
    uint8_t told = told_of(outcome, hidden, sees_states);
    if (hidden) outcome->verdict = OTPRING_REJECTED;
    words_write(judge, item, outcome, (uint16_t)distance, 0, hidden ? OTPRING_REASON_HIDDEN : outcome->reason, told);
    if (outcome->verdict == OTPRING_THROTTLED) slot_verify_set_retry_after_s(item->slot, outcome->wait_s);
    judge->verdicts[outcome->verdict]++;
    /* From the record: so an answer given again after a restart is the same. */
    answer_of_record(item->slot, item->record, item->answer);
    if (record_rests_on_others(item->slot)) item->frame->needs_others = true;
}

static void judge_one(struct judge *judge, struct group *group, struct group_item *item, struct outcome *ret_outcome)
{
    *ret_outcome = (struct outcome){.ordinal = NO_ORDINAL, .method = item->query->kind};
    if (item->preset) {
        ret_outcome->verdict = item->preset;
        ret_outcome->reason = item->preset_reason;
    } else if (item->profile_missing) {
        busy(ret_outcome);
    } else if (item->first) {
        judge_account(judge, group, item, ret_outcome);
    } else {
        judge_unknown(judge, group, item, ret_outcome);
    }
    if (ret_outcome->verdict != OTPRING_THROTTLED) ret_outcome->wait_s = 0;
}

static void record_straight(const struct judge *judge, const struct group *group, const struct chunk *chunk,
                            uint64_t which)
{
    judge->kernel->stages->record(&(struct stage_record){.count = chunk->count,
                                                         .which = which,
                                                         .queries = chunk->queries,
                                                         .ordinals = chunk->probes.ordinals,
                                                         .tokens = group->swaps.next,
                                                         .places = chunk->places,
                                                         .lasts = chunk->lasts,
                                                         .records = chunk->records,
                                                         .slots = group->slots,
                                                         .answers = chunk->answers,
                                                         .answer = OTPRING_ACCEPTED});
}

/* Which items have this name. */
static uint64_t named(const struct chunk *chunk, uint64_t hash)
{
    uint64_t items = 0;
    for (uint32_t i = 0; i < CHUNK_ITEMS; i++) items |= (uint64_t)(chunk->hashes[i] == hash) << i;
    return items;
}

/* Nearly always it is, and to count, unrolled, takes fewer instructions than to ask which ones: with five items in a
 * hundred on the general way 20 a verification instead of 34. Hashes left beyond the last item may be counted too: then
 * it is asked. */
static bool is_alone(const struct chunk *chunk, uint64_t hash)
{
    unsigned count = 0;
#pragma GCC unroll 16
    for (uint32_t i = 0; i < CHUNK_ITEMS; i++) count += chunk->hashes[i] == hash;
    return count == 1;
}

/* Items of an account that has another one on the general way go that way too: they are judged in order of arrival,
 * and before the swaps. */
static uint64_t without_namesakes(const struct chunk *chunk, uint64_t straight)
{
    uint64_t left = items_mask(chunk->count) & ~straight;
    for (; left && straight; left &= left - 1) {
        uint64_t hash = chunk->hashes[__builtin_ctzll(left)];
        if (!is_alone(chunk, hash)) straight &= ~named(chunk, hash);
    }
    return straight;
}

/* The items of the straight way that may be accepted; of all others there is an item afterwards. */
static uint64_t straight_choose(struct judge *judge, struct group *group, const struct chunk *chunk)
{
    struct swaps *swaps = &group->swaps;
    uint64_t straight = without_namesakes(chunk, straight_check(judge, group, chunk));
    for (uint64_t left = group->straight & ~straight; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        group_item_general(judge, group, chunk, i, true, &group->items[i]);
        swaps->words[i] = &swaps->nowhere;
    }
    swaps->items = straight;
    swaps->list = (struct kernel_swaps){.count = straight ? chunk->count : 0,
                                        .words = swaps->words,
                                        .seen = swaps->seen,
                                        .next = swaps->next,
                                        .ret_done = swaps->done};
    return straight;
}

/* A swap waits until all stores before it have reached the cache; so records, whose lines are far away, are written
 * when the swaps are done. */
void judge_chunk(struct judge *judge, struct group *group, const struct chunk *chunk)
{
    struct outcome outcomes[CHUNK_ITEMS];
    uint64_t general = items_mask(chunk->count) & ~straight_choose(judge, group, chunk);
    for (uint64_t left = general; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        judge_one(judge, group, &group->items[i], &outcomes[i]);
    }
    for (uint64_t left = general; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        record(judge, &group->items[i], &outcomes[i]);
    }
}

void judge_settle(struct judge *judge, struct group *group, const struct chunk *chunk)
{
    struct swaps *swaps = &group->swaps;
    while (swaps->list.at < swaps->list.count) kernel_swap_next(&swaps->list);
    uint64_t accepted = bits_of_bytes(swaps->done) & swaps->items;
    record_straight(judge, group, chunk, accepted);
    judge->verdicts[OTPRING_ACCEPTED] += (uint32_t)__builtin_popcountll(accepted);
    for (uint64_t left = swaps->items & ~accepted; left; left &= left - 1) {
        struct group_item item;
        struct outcome outcome;
        group_item_general(judge, group, chunk, (uint32_t)__builtin_ctzll(left), true, &item);
        judge_one(judge, group, &item, &outcome);
        record(judge, &item, &outcome);
    }
    swaps->items = 0;
    swaps->list = (struct kernel_swaps){0};
}

void answer_of_record(const struct slot_verify *slot, uint64_t record_number, struct otpring_wire_answer *ret_answer)
{
    bool unavailable = slot->verdict == OTPRING_UNAVAILABLE;
    bool throttled = slot->verdict == OTPRING_THROTTLED;
    *ret_answer = (struct otpring_wire_answer){.verdict = slot->verdict,
                                               .reason = slot->told,
                                               .retry_after_s = throttled ? slot_verify_retry_after_s(slot) : 0,
                                               .record = unavailable ? 0 : record_number};
}

bool record_rests_on_others(const struct slot_verify *slot)
{
    return slot->verdict == OTPRING_REPLAYED || slot->verdict == OTPRING_THROTTLED ||
           slot->verdict == OTPRING_INACTIVE ||
           (slot->reason == OTPRING_REASON_HIDDEN && slot->first_ordinal != NO_ORDINAL);
}

/* ---- the administrator's desk ---- */

bool judge_pair(struct core *core, const struct table_hit *hit, const struct profile_row *row, uint32_t code,
                uint32_t code_next, unsigned digits, int64_t now_s, int32_t *ret_distance, uint64_t *ret_token_word)
{
    struct judge_profile profile = judge_profile_of(row);
    CHECK(digits == profile.digits);
    struct pair pair = {.midstates = hit->midstates,
                        .tail = hit->tail,
                        .profile = &profile,
                        .ordinal = hit->ordinal,
                        .code = code,
                        .live = UINT32_MAX,
                        .digits_fit = true};
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t seen;
        int64_t low, high;
        /* A suspended token too: acts come one at a time, and no judge swaps a suspended word. */
        seen = atomic_load_explicit(&hit->tail->token, memory_order_acquire);
        if (atomic_load_explicit(&hit->tail->flags, memory_order_acquire) & TABLE_REMOVED) return false;
        int64_t now_step = profile_step(&profile, now_s);
        pair.expected = now_step + atomic_load_explicit(&hit->tail->drift, memory_order_relaxed);
        pair_range(&pair, token_floor(seen), &low, &high);
        int64_t step = pair_adjacent(core->kernel, &pair, code_next, low, high);
        if (step < token_floor(seen)) return false;
        uint64_t word = token_word((uint32_t)(step + 2), token_change(seen));
        if (!swap(&hit->tail->token, seen, word)) continue;
        drift_learn(&pair, step + 1, now_step, profile.resync_window);
        *ret_distance = (int32_t)(profile.type == OTP_TOTP ? step + 1 - now_step : step - token_floor(seen));
        *ret_token_word = word;
        return true;
    }
    return false;
}
