#include "rerun_codes.h"

#include <stdlib.h>
#include <string.h>

#include "os/arena.h"

enum { STEPS_AT_ONCE = 64, TRIES_MAX = 1000 };
#define STEP_GREATEST ((int64_t)0xfffffffe)

/* A token as the records left it. */
struct recorded {
    uint64_t word;
    int8_t drift;
    bool known;
};

struct rerun_codes {
    struct core *core;
    const struct kernel *kernel;
    struct recorded *tokens[KERNEL_ALGORITHM_COUNT]; /* by line */
    size_t capacity[KERNEL_ALGORITHM_COUNT];
    struct recorded none; /* where memory is short: see failed */
};

struct result rerun_codes_create(struct core *core, struct rerun_codes **ret_codes)
{
    struct rerun_codes *codes = calloc(1, sizeof *codes);
    if (!codes) return result_of(NO_MEMORY);
    codes->core = core;
    struct result result = kernel_choose(NULL, &codes->kernel);
    if (result_failed(result)) {
        free(codes);
        return result;
    }
    *ret_codes = codes;
    return result_ok();
}

void rerun_codes_destroy(struct rerun_codes *codes)
{
    if (!codes) return;
    for (int i = 0; i < KERNEL_ALGORITHM_COUNT; i++) free(codes->tokens[i]);
    free(codes);
}

/* ---- what was recorded ---- */

static bool grow(struct rerun_codes *codes, enum kernel_algorithm algorithm, uint32_t line)
{
    size_t before = codes->capacity[algorithm], after = before ? before : 1024;
    while (after <= line) after *= 2;
    struct recorded *tokens = realloc(codes->tokens[algorithm], after * sizeof *tokens);
    if (!tokens) return false;
    memset(tokens + before, 0, (after - before) * sizeof *tokens);
    codes->tokens[algorithm] = tokens;
    codes->capacity[algorithm] = after;
    return true;
}

/* Taken over from the fresh engine when the account is first met: nothing that differs has happened to it before. */
static struct recorded *recorded_of(struct rerun_codes *codes, const struct table_hit *hit)
{
    enum kernel_algorithm algorithm = table_algorithm(hit->ordinal);
    uint32_t line = table_line_index(hit->ordinal);
    if (line >= codes->capacity[algorithm] && !grow(codes, algorithm, line)) return &codes->none;
    struct recorded *token = &codes->tokens[algorithm][line];
    if (!token->known) {
        *token = (struct recorded){.word = atomic_load(&hit->tail->token), .drift = hit->tail->drift, .known = true};
    }
    return token;
}

static unsigned account_meet(struct rerun_codes *codes, const uint8_t name[16],
                             struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX])
{
    unsigned count = table_find(core_table(codes->core), name, hits);
    for (unsigned i = 0; i < count; i++) (void)recorded_of(codes, &hits[i]);
    return count;
}

static bool token_of(struct rerun_codes *codes, uint32_t ordinal, struct table_hit *ret_hit,
                     struct profile_row *ret_profile)
{
    return ordinal != UINT32_MAX && table_line(core_table(codes->core), ordinal, ret_hit) &&
           core_profile_get(codes->core, atomic_load(&ret_hit->tail->profile), ret_profile);
}

static int64_t step_of(const struct profile_row *profile, int64_t unix_s)
{
    struct otp_parameters parameters = {.type = profile->type, .period_s = profile->period_s, .t0_s = profile->t0_s};
    return profile->type == OTP_TOTP ? otp_step(&parameters, unix_s) : 0;
}

static bool accepted(const struct slot_verify *slot)
{
    return slot->verdict == OTPRING_ACCEPTED;
}

/* The step that the code was of, -1: not known. An accepted one is the floor's predecessor; of a pair it is the first.
 */
static int64_t step_matched(struct rerun_codes *codes, const struct rerun_attempt *attempt, const struct table_hit *hit,
                            const struct profile_row *profile)
{
    const struct slot_verify *slot = attempt->slot;
    const struct recorded *token = recorded_of(codes, hit);
    if (accepted(slot)) return (int64_t)token_floor(slot->token) - (attempt->resync ? 2 : 1);
    if (slot->step_distance == INT16_MAX || slot->step_distance == INT16_MIN) return -1;
    uint64_t word = slot->verdict == OTPRING_REPLAYED ? slot->token : token->word;
    int64_t expected =
        profile->type == OTP_TOTP ? step_of(profile, attempt->time_s) + token->drift : (int64_t)token_floor(word);
    return expected + slot->step_distance;
}

int64_t rerun_codes_lag(struct rerun_codes *codes, const struct rerun_attempt *attempt, int64_t time_ms)
{
    const struct slot_verify *slot = attempt->slot;
    struct table_hit hit;
    struct profile_row profile;
    if (!accepted(slot) || attempt->resync || !token_of(codes, slot->ordinal, &hit, &profile)) return -1;
    if (profile.type != OTP_TOTP) return -1;
    int64_t now = step_of(&profile, time_ms / 1000);
    int64_t then = (int64_t)token_floor(slot->token) - 1 - slot->step_distance - recorded_of(codes, &hit)->drift;
    if (then == now) return 0;
    if (then != now - 1) return -1;
    return time_ms - (profile.t0_s + now * (int64_t)profile.period_s) * 1000 + 1;
}

void rerun_codes_learn(struct rerun_codes *codes, const struct rerun_attempt *attempt)
{
    const struct slot_verify *slot = attempt->slot;
    struct table_hit hit;
    if (slot->ordinal == UINT32_MAX || !table_line(core_table(codes->core), slot->ordinal, &hit)) return;
    struct recorded *token = recorded_of(codes, &hit);
    if (slot->token > token->word) token->word = slot->token;
    if (accepted(slot)) token->drift = slot->drift;
}

void rerun_codes_learn_act(struct rerun_codes *codes, const struct slot_act *act, const uint8_t *payload)
{
    struct table_hit hit;
    if (act->ordinal == UINT32_MAX || !table_line(core_table(codes->core), act->ordinal, &hit)) return;
    struct recorded *token = recorded_of(codes, &hit);
    if (act->token > token->word) token->word = act->token;
    /* Of struct act_resync: distance 4, verdict 1, drift 1. */
    if (act->act == ACT_TOKEN_RESYNC && act->payload_size >= 6 && payload[4] == OTPRING_ACCEPTED)
        token->drift = (int8_t)payload[5];
}

/* ---- codes ---- */

static uint32_t code_at(const struct rerun_codes *codes, const struct table_hit *hit, const struct profile_row *profile,
                        int64_t step)
{
    const void *midstates = hit->midstates;
    uint64_t counter = (uint64_t)step;
    uint32_t truncated;
    codes->kernel->steps[profile->algorithm](&midstates, &counter, &truncated, 1);
    return kernel_digits(truncated, profile->digits);
}

struct reach {
    int64_t low;
    int64_t high;
};

/* All steps that the engine may look at, or tell of, for one code typed now. */
static struct reach reach_of(const struct table_hit *hit, const struct profile_row *profile, int64_t time_s)
{
    bool totp = profile->type == OTP_TOTP;
    int64_t back = totp ? profile->window_behind : profile->look_behind;
    int64_t ahead = totp ? profile->window_ahead : profile->look_ahead;
    int64_t middle =
        totp ? step_of(profile, time_s) + hit->tail->drift : (int64_t)token_floor(atomic_load(&hit->tail->token));
    if (totp && profile->resync_window > back) back = profile->resync_window;
    if (profile->resync_window > ahead) ahead = profile->resync_window;
    /* One more each way: two adjacent codes are asked for with the step after the last. */
    struct reach reach = {middle - back - 1, middle + ahead + 1};
    if (reach.low < 0) reach.low = 0;
    if (reach.high > STEP_GREATEST) reach.high = STEP_GREATEST;
    return reach;
}

static bool fits_any(const struct rerun_codes *codes, const struct table_hit *hit, const struct profile_row *profile,
                     struct reach reach, uint32_t code)
{
    const void *midstates[STEPS_AT_ONCE];
    uint64_t counters[STEPS_AT_ONCE];
    uint32_t truncated[STEPS_AT_ONCE];
    bool fits = false;
    for (int i = 0; i < STEPS_AT_ONCE; i++) midstates[i] = hit->midstates;
    while (reach.low <= reach.high && !fits) {
        size_t count = 0;
        for (; count < STEPS_AT_ONCE && reach.low <= reach.high; count++) counters[count] = (uint64_t)reach.low++;
        codes->kernel->steps[profile->algorithm](midstates, counters, truncated, count);
        for (size_t i = 0; i < count; i++) fits |= kernel_digits(truncated[i], profile->digits) == code;
    }
    secret_wipe(truncated, sizeof truncated);
    return fits;
}

static bool active(const struct table_hit *hit)
{
    uint8_t flags = atomic_load(&hit->tail->flags);
    return (flags & TABLE_LIVE) && !(flags & (TABLE_SUSPENDED | TABLE_REMOVED));
}

/* As many digits as the account's tokens have, or, where that was the reason, as none of them has. */
static uint8_t digits_of(const struct rerun_codes *codes, const struct table_hit *hits, unsigned count, bool other)
{
    bool used[16] = {false};
    uint8_t digits = 0;
    for (unsigned i = 0; i < count; i++) {
        struct profile_row profile;
        if (!active(&hits[i]) || !core_profile_get(codes->core, atomic_load(&hits[i].tail->profile), &profile))
            continue;
        used[profile.digits & 15] = true;
        if (!digits) digits = profile.digits;
    }
    if (!digits) digits = OTP_DIGITS_MIN;
    for (uint8_t d = OTP_DIGITS_MIN; other && d <= OTP_DIGITS_MAX; d++)
        if (!used[d]) return d;
    return digits;
}

/* One that fits no step of any token; drawn from the record, so that a re-run is the same each time. */
static void make_wrong(struct rerun_codes *codes, const struct rerun_attempt *attempt, const struct table_hit *hits,
                       unsigned count, struct otpring_wire_query *query)
{
    static const uint32_t limits[] = {[6] = 1000000, [7] = 10000000, [8] = 100000000};
    query->digits = digits_of(codes, hits, count, attempt->slot->reason == OTPRING_REASON_DIGITS);
    uint64_t draw = attempt->slot->budget ^ attempt->slot->source ^ (uint64_t)attempt->time_s;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        draw = draw * 6364136223846793005u + 1442695040888963407u;
        query->code = (uint32_t)(draw >> 32) % limits[query->digits];
        bool fits = false;
        for (unsigned i = 0; i < count && !fits; i++) {
            struct profile_row profile;
            if (!active(&hits[i]) || !core_profile_get(codes->core, atomic_load(&hits[i].tail->profile), &profile))
                continue;
            fits = profile.digits == query->digits &&
                   fits_any(codes, &hits[i], &profile, reach_of(&hits[i], &profile, attempt->time_s), query->code);
        }
        if (!fits) return;
    }
}

static enum rerun_made make_right(struct rerun_codes *codes, const struct rerun_attempt *attempt,
                                  struct otpring_wire_pair *query)
{
    struct table_hit hit;
    struct profile_row profile;
    if (!token_of(codes, attempt->slot->ordinal, &hit, &profile)) return MADE_NO_TOKEN;
    if (atomic_load(&hit.tail->flags) & TABLE_REMOVED) return MADE_NO_TOKEN;
    int64_t step = step_matched(codes, attempt, &hit, &profile);
    if (step < 0 || step > STEP_GREATEST) return MADE_NO_STEP;
    query->query.digits = profile.digits;
    query->query.code = code_at(codes, &hit, &profile, step);
    if (attempt->resync) query->code_next = code_at(codes, &hit, &profile, step + 1);
    return MADE;
}

/* MALFORMED: what it broke then it breaks again. */
static void make_malformed(const struct slot_verify *slot, struct otpring_wire_query *query)
{
    query->kind = slot->method;
    query->digits = OTP_DIGITS_MIN;
    if (slot->reason == OTPRING_REASON_CODE_RANGE)
        query->code = UINT32_MAX;
    else
        query->flags = 1;
}

enum rerun_made rerun_codes_make(struct rerun_codes *codes, const struct rerun_attempt *attempt,
                                 struct otpring_wire_pair *ret_query, enum rerun_client *ret_client)
{
    const struct slot_verify *slot = attempt->slot;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    unsigned count = account_meet(codes, slot->name, hits);
    *ret_query = (struct otpring_wire_pair){
        .query = {.source = slot->source, .kind = slot->method, .source_class = slot->source_class}};
    memcpy(ret_query->query.company, slot->name, 8);
    memcpy(ret_query->query.account, slot->name + 8, 8);
    *ret_client = slot->reason == OTPRING_REASON_COMPANY                                  ? CLIENT_OTHER_COMPANY
                  : slot->verdict == OTPRING_UNKNOWN || slot->verdict == OTPRING_INACTIVE ? CLIENT_SEES_STATES
                                                                                          : CLIENT_PLAIN;
    if (slot->verdict == OTPRING_UNAVAILABLE && slot->reason != OTPRING_REASON_NOT_KNOWN) return MADE_NOT;
    if (slot->verdict == OTPRING_MALFORMED) {
        make_malformed(slot, &ret_query->query);
        return MADE;
    }
    if (slot->method == OTPRING_QUERY_REQUIRED) return MADE;
    bool right = accepted(slot) || slot->verdict == OTPRING_REPLAYED || slot->verdict == OTPRING_RESYNC;
    if (right) return make_right(codes, attempt, ret_query);
    make_wrong(codes, attempt, hits, count, &ret_query->query);
    ret_query->code_next = ret_query->query.code;
    return MADE;
}
