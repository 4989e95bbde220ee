#include "plan.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "otpring/verdict.h"

enum {
    GROUP_MAX = 64,        /* items that are planned together; no account twice among them */
    WINDOW_COUNT = 12,     /* HOTP: steps next - 1 to next + 10 */
    TOTP_WINDOW_COUNT = 5, /* seconds now - 2 to now + 2: the engine's second may be another one */
    NEAR_STEPS_MAX = 3,
    DIGITS = 6,
    CODE_COUNT = 1000000,
    FETCH_AHEAD = 12,
};

enum { UNSURE = 1, UNSURE_ACCEPTED = 2, FAILED = 4, ACCEPTED_ONCE = 8, PROBE = 16 };

/* One group on its way from choice to codes. */
struct group {
    uint32_t count;
    uint32_t job_count;
    uint32_t places[GROUP_MAX];
    uint32_t first_job[GROUP_MAX]; /* its one code, or the whole window */
    uint8_t kinds[GROUP_MAX];
    const void *midstates[GROUP_MAX * WINDOW_COUNT];
    uint64_t counters[GROUP_MAX * WINDOW_COUNT];
    uint32_t codes[GROUP_MAX * WINDOW_COUNT];
};

/* xoroshiro128+ (Blackman and Vigna). */
static uint64_t random_next(struct plan *plan)
{
    uint64_t a = plan->random[0], b = plan->random[1], sum = a + b;
    b ^= a;
    plan->random[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
    plan->random[1] = b << 37 | b >> 27;
    return sum;
}

static uint32_t random_below(struct plan *plan, uint32_t limit)
{
    return (uint32_t)((random_next(plan) >> 32) * limit >> 32);
}

/* splitmix64, to spread a small seed. */
static uint64_t spread(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int plan_create(struct plan *plan, const struct accounts *accounts, const struct kernel *kernel,
                const struct load_options *options, uint32_t connection)
{
    uint64_t seed = options->seed + ((uint64_t)connection << 32);
    *plan = (struct plan){.accounts = accounts, .kernel = kernel, .options = options};
    plan->random[0] = spread(&seed);
    plan->random[1] = spread(&seed);
    for (int i = 0; i < LOAD_KIND_COUNT; i++) plan->mix_total += options->mix[i];
    plan->order_count = (accounts->count - connection + options->connections - 1) / options->connections;
    plan->order = calloc(plan->order_count, sizeof *plan->order);
    plan->states = calloc(plan->order_count, sizeof *plan->states);
    if (!plan->order || !plan->states) return -1;
    for (uint32_t i = 0; i < plan->order_count; i++) plan->order[i] = connection + i * options->connections;
    for (uint32_t i = plan->order_count; i > 1; i--) {
        uint32_t other = random_below(plan, i), account = plan->order[i - 1];
        plan->order[i - 1] = plan->order[other];
        plan->order[other] = account;
    }
    return 0;
}

void plan_destroy(struct plan *plan)
{
    free(plan->order);
    free(plan->states);
    *plan = (struct plan){0};
}

static enum load_kind choose_kind(struct plan *plan, const struct plan_account *state)
{
    if (state->flags & PROBE) return LOAD_RIGHT;
    uint32_t at = random_below(plan, (uint32_t)plan->mix_total);
    enum load_kind kind = LOAD_RIGHT;
    while (at >= plan->options->mix[kind]) at -= plan->options->mix[kind++];
    if (kind == LOAD_WRONG && (state->flags & FAILED)) return LOAD_RIGHT;
    if (kind == LOAD_REPLAYED && !(state->flags & ACCEPTED_ONCE)) return LOAD_RIGHT;
    return kind;
}

/* An account in doubt rests until whatever was in flight is answered; then it goes on where it must be. */
static bool resting(struct plan *plan, struct plan_account *state)
{
    if (!(state->flags & UNSURE)) return false;
    if ((int32_t)(plan->frames_answered - state->rest_until) < 0) return true;
    state->next = state->resume;
    state->flags = (uint8_t)((state->flags & ~(UNSURE | UNSURE_ACCEPTED | ACCEPTED_ONCE)) | PROBE);
    return false;
}

static void add_job(struct plan *plan, struct group *group, uint32_t account, uint64_t counter)
{
    group->midstates[group->job_count] = account_midstates(plan->accounts, account);
    group->counters[group->job_count++] = counter;
}

static void add_item(struct plan *plan, struct group *group, uint32_t place, uint32_t now_s)
{
    const struct plan_account *state = &plan->states[place];
    uint32_t account = plan->order[place];
    enum load_kind kind = choose_kind(plan, state);
    bool totp = plan->options->totp;
    group->places[group->count] = place;
    group->kinds[group->count] = (uint8_t)kind;
    group->first_job[group->count++] = group->job_count;
    if (kind == LOAD_RIGHT && !totp) {
        add_job(plan, group, account, state->next);
        return;
    }
    /* A window reaches back to the step before; the step before 0 does not exist and is never looked at. */
    uint64_t first = totp ? now_s - 2 : state->next ? state->next - 1 : 0;
    for (uint32_t i = 0; i < (totp ? TOTP_WINDOW_COUNT : WINDOW_COUNT); i++) add_job(plan, group, account, first + i);
}

static void choose_group(struct plan *plan, uint32_t count, uint32_t now_s, struct group *ret_group)
{
    uint32_t group_max = count < GROUP_MAX ? count : GROUP_MAX;
    if (group_max > plan->order_count) group_max = plan->order_count;
    ret_group->count = ret_group->job_count = 0;
    for (uint32_t looked = 0; ret_group->count < group_max && looked < plan->order_count; looked++) {
        uint32_t place = plan->order_at;
        plan->order_at = place + 1 == plan->order_count ? 0 : place + 1;
        uint32_t ahead = place + FETCH_AHEAD < plan->order_count ? place + FETCH_AHEAD : place;
        __builtin_prefetch(account_midstates(plan->accounts, plan->order[ahead]));
        __builtin_prefetch(plan->accounts->names[plan->order[ahead]]);
        struct plan_account *state = &plan->states[place];
        if (plan->options->totp && state->next > now_s) continue;
        if (resting(plan, state)) continue;
        add_item(plan, ret_group, place, now_s);
    }
}

static bool among(const uint32_t *codes, uint32_t count, uint32_t code)
{
    for (uint32_t i = 0; i < count; i++) {
        if (codes[i] == code) return true;
    }
    return false;
}

struct choice {
    uint32_t step;
    uint32_t code;
    enum load_kind kind;
};

/* From the codes of the window: what was wished for if it is unmistakable, else the right code. */
static struct choice settle_hotp(struct plan *plan, const struct plan_account *state, enum load_kind kind,
                                 const uint32_t *codes)
{
    uint32_t past = state->next ? 1 : 0; /* codes[past] is the next step's */
    const uint32_t *ahead = codes + past;
    uint32_t ahead_count = WINDOW_COUNT - 1;
    if (kind == LOAD_NEAR) {
        uint32_t distance = 1 + random_below(plan, NEAR_STEPS_MAX);
        if (!among(ahead, distance, ahead[distance])) {
            return (struct choice){state->next + distance, ahead[distance], LOAD_NEAR};
        }
    } else if (kind == LOAD_REPLAYED) {
        if (!among(ahead, ahead_count, codes[0])) return (struct choice){state->next - 1, codes[0], LOAD_REPLAYED};
    } else if (kind == LOAD_WRONG) {
        uint32_t code = random_below(plan, CODE_COUNT);
        if (!among(codes, WINDOW_COUNT, code)) return (struct choice){0, code, LOAD_WRONG};
    }
    return (struct choice){state->next, ahead[0], LOAD_RIGHT};
}

static struct choice settle_totp(struct plan *plan, const struct plan_account *state, enum load_kind kind,
                                 const uint32_t *codes, uint64_t unix_ms)
{
    /* The engine may judge in the next second, where the second before this one has left the window. */
    bool early = unix_ms % 1000 < 500;
    uint32_t now_s = (uint32_t)(unix_ms / 1000);
    uint32_t right = codes[2], last = state->next - 1;
    if (early && kind == LOAD_NEAR && state->next <= now_s - 1 && !among(codes + 2, 3, codes[1])) {
        return (struct choice){now_s - 1, codes[1], LOAD_NEAR};
    }
    if (early && kind == LOAD_REPLAYED && last == now_s - 1 && !among(codes + 2, 3, codes[1])) {
        return (struct choice){last, codes[1], LOAD_REPLAYED};
    }
    uint32_t code = random_below(plan, CODE_COUNT);
    if (kind == LOAD_WRONG && !among(codes, TOTP_WINDOW_COUNT, code)) return (struct choice){0, code, LOAD_WRONG};
    return (struct choice){now_s, right, LOAD_RIGHT};
}

static void note_choice(struct plan_account *state, const struct choice *choice)
{
    if (choice->kind == LOAD_WRONG) {
        state->flags |= FAILED;
    } else if (choice->kind != LOAD_REPLAYED) {
        state->next = choice->step + 1;
        state->flags = (uint8_t)((state->flags & ~(FAILED | PROBE)) | ACCEPTED_ONCE);
    }
}

static void settle_group(struct plan *plan, struct group *group, uint64_t unix_ms,
                         struct otpring_wire_query *ret_queries, struct plan_item *ret_items)
{
    static const uint8_t expected[] = {OTPRING_ACCEPTED, OTPRING_ACCEPTED, OTPRING_REJECTED, OTPRING_REPLAYED};
    for (uint32_t i = 0; i < group->count; i++) {
        struct plan_account *state = &plan->states[group->places[i]];
        uint32_t account = plan->order[group->places[i]];
        const uint32_t *codes = &group->codes[group->first_job[i]];
        enum load_kind wished = group->kinds[i];
        struct choice choice = plan->options->totp    ? settle_totp(plan, state, wished, codes, unix_ms)
                               : wished == LOAD_RIGHT ? (struct choice){state->next, codes[0], LOAD_RIGHT}
                                                      : settle_hotp(plan, state, wished, codes);
        bool probe = state->flags & PROBE;
        note_choice(state, &choice);
        struct otpring_wire_query *query = &ret_queries[i];
        memcpy(query->company, plan->accounts->company_name, 8);
        memcpy(query->account, plan->accounts->names[account], 8);
        query->source = 0;
        query->code = htole32(choice.code);
        query->digits = DIGITS;
        query->kind = OTPRING_QUERY_CODE;
        query->source_class = query->flags = 0;
        ret_items[i] = (struct plan_item){group->places[i], choice.step, (uint8_t)choice.kind,
                                          probe ? 0 : expected[choice.kind], 0};
    }
}

uint32_t plan_fill(struct plan *plan, uint64_t unix_ms, uint32_t count, struct otpring_wire_query *ret_queries,
                   struct plan_item *ret_items)
{
    struct group group;
    uint32_t now_s = (uint32_t)(unix_ms / 1000), filled = 0;
    while (filled < count) {
        choose_group(plan, count - filled, now_s, &group);
        if (!group.count) break;
        plan->kernel->steps[plan->accounts->algorithm](group.midstates, group.counters, group.codes, group.job_count);
        for (uint32_t i = 0; i < group.job_count; i++) group.codes[i] = kernel_digits(group.codes[i], DIGITS);
        settle_group(plan, &group, unix_ms, ret_queries + filled, ret_items + filled);
        filled += group.count;
    }
    if (filled) plan->frames_sent++;
    return filled;
}

/* The item may not have moved the engine: go on from there once all is answered. */
static void learn_unavailable(struct plan *plan, const struct plan_item *item)
{
    struct plan_account *state = &plan->states[item->place];
    if (item->kind == LOAD_WRONG || item->kind == LOAD_REPLAYED) return;
    plan->in_doubt = true;
    if (!(state->flags & UNSURE)) {
        state->flags |= UNSURE;
        state->resume = item->step;
        state->rest_until = plan->frames_sent;
    } else if (item->step < state->resume && !(state->flags & UNSURE_ACCEPTED)) {
        state->resume = item->step;
    }
}

static void learn_accepted(struct plan *plan, const struct plan_item *item)
{
    struct plan_account *state = &plan->states[item->place];
    if (!(state->flags & UNSURE)) return;
    state->flags |= UNSURE_ACCEPTED;
    if (item->step >= state->resume) state->resume = item->step + 1;
}

enum plan_judgment plan_answered(struct plan *plan, const struct plan_item *item, unsigned verdict)
{
    if (verdict == OTPRING_UNAVAILABLE) {
        learn_unavailable(plan, item);
        return PLAN_UNAVAILABLE;
    }
    if (plan->in_doubt && verdict == OTPRING_ACCEPTED && item->kind <= LOAD_NEAR) learn_accepted(plan, item);
    if (verdict == item->expected) return PLAN_EXPECTED;
    /* Whatever is in doubt, a code that must not be accepted never may be. */
    if (verdict == OTPRING_ACCEPTED && item->kind > LOAD_NEAR) return PLAN_UNEXPECTED;
    /* By chance a wrong code is that of a step far ahead: refused and charged just so. */
    if (item->kind == LOAD_WRONG && verdict == OTPRING_RESYNC) return PLAN_EXPECTED;
    if (plan->states[item->place].flags & UNSURE) return PLAN_EXPECTED;
    return !item->expected && verdict != OTPRING_THROTTLED ? PLAN_EXPECTED : PLAN_UNEXPECTED;
}
