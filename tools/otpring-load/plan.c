#include "plan.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "otpring/verdict.h"

enum {
    GROUP_MAX = 64,        /* items that are planned together; no account twice among them */
    TOTP_WINDOW_COUNT = 5, /* seconds now - 2 to now + 2: the engine's second may be another one */
    NEAR_STEPS_MAX = 3,
    DIGITS = 6,
    CODE_COUNT = 1000000,
    FETCH_AHEAD = 12,
};

enum { UNSURE = 1, UNSURE_ACCEPTED = 2, FAILED = 4, ACCEPTED_ONCE = 8, PROBE = 16, LOADED = 32 };

/* Codes to be computed, and where each goes. */
struct jobs {
    uint32_t count;
    const void *midstates[GROUP_MAX * PLAN_WINDOW_COUNT];
    uint64_t counters[GROUP_MAX * PLAN_WINDOW_COUNT];
    uint32_t codes[GROUP_MAX * PLAN_WINDOW_COUNT];
    uint32_t *to[GROUP_MAX * PLAN_WINDOW_COUNT];
};

struct group {
    uint32_t count;
    uint32_t places[GROUP_MAX];
    uint8_t kinds[GROUP_MAX];
    struct jobs jobs;
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
    plan->states = aligned_alloc(sizeof *plan->states, plan->order_count * sizeof *plan->states);
    if (!plan->order || !plan->states) return -1;
    memset(plan->states, 0, plan->order_count * sizeof *plan->states);
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
    state->flags = ((state->flags & ~(UNSURE | UNSURE_ACCEPTED | ACCEPTED_ONCE | LOADED)) | PROBE);
    return false;
}

static void add_job(struct plan *plan, struct jobs *jobs, uint32_t place, uint64_t counter, uint32_t *to)
{
    jobs->midstates[jobs->count] = account_midstates(plan->accounts, plan->order[place]);
    jobs->counters[jobs->count] = counter;
    jobs->to[jobs->count++] = to;
}

static void run_jobs(struct plan *plan, struct jobs *jobs)
{
    plan->kernel->steps[plan->accounts->algorithm](jobs->midstates, jobs->counters, jobs->codes, jobs->count);
    for (uint32_t i = 0; i < jobs->count; i++) *jobs->to[i] = kernel_digits(jobs->codes[i], DIGITS);
    jobs->count = 0;
}

static void add_item(struct plan *plan, struct group *group, uint32_t place, uint32_t now_s)
{
    struct plan_account *state = &plan->states[place];
    group->places[group->count] = place;
    group->kinds[group->count++] = (uint8_t)choose_kind(plan, state);
    if (plan->options->totp) {
        for (uint32_t i = 0; i < TOTP_WINDOW_COUNT; i++) {
            add_job(plan, &group->jobs, place, now_s - 2 + i, &state->codes[i]);
        }
        return;
    }
    if (state->flags & LOADED) return;
    state->flags |= LOADED;
    state->codes[0] = CODE_COUNT; /* before step 0 there is none: equal to no code */
    for (uint32_t i = state->next ? 0 : 1; i < PLAN_WINDOW_COUNT; i++) {
        add_job(plan, &group->jobs, place, (uint64_t)state->next + i - 1, &state->codes[i]);
    }
}

static void choose_group(struct plan *plan, uint32_t count, uint32_t now_s, struct group *ret_group)
{
    uint32_t group_max = count < GROUP_MAX ? count : GROUP_MAX;
    if (group_max > plan->order_count) group_max = plan->order_count;
    ret_group->count = ret_group->jobs.count = 0;
    for (uint32_t looked = 0; ret_group->count < group_max && looked < plan->order_count; looked++) {
        uint32_t place = plan->order_at;
        plan->order_at = place + 1 == plan->order_count ? 0 : place + 1;
        uint32_t ahead = place + FETCH_AHEAD < plan->order_count ? place + FETCH_AHEAD : place;
        __builtin_prefetch(account_midstates(plan->accounts, plan->order[ahead]));
        __builtin_prefetch(&plan->states[ahead + FETCH_AHEAD < plan->order_count ? ahead + FETCH_AHEAD : ahead]);
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

/* True when the code of the step so far ahead is that of no other step of the window: the engine then has no choice of
 * steps. */
static bool unmistakable(const uint32_t *ahead, uint32_t count, uint32_t distance)
{
    uint32_t equal = 0;
    for (uint32_t i = 0; i < count; i++) equal += ahead[i] == ahead[distance];
    return equal == 1;
}

/* What was wished for if it cannot be mistaken, else the nearest step whose code cannot. */
static struct choice settle_hotp(struct plan *plan, const struct plan_account *state, enum load_kind kind)
{
    const uint32_t *ahead = state->codes + 1; /* ahead[0] is the next step's */
    uint32_t ahead_count = PLAN_WINDOW_COUNT - 1, distance = 0;
    if (kind == LOAD_NEAR) {
        distance = 1 + random_below(plan, NEAR_STEPS_MAX);
    } else if (kind == LOAD_REPLAYED) {
        if (!among(ahead, ahead_count, state->codes[0])) {
            return (struct choice){state->next - 1, state->codes[0], LOAD_REPLAYED};
        }
    } else if (kind == LOAD_WRONG) {
        uint32_t code = random_below(plan, CODE_COUNT);
        if (!among(state->codes, PLAN_WINDOW_COUNT, code)) return (struct choice){0, code, LOAD_WRONG};
    }
    while (distance + 1 < ahead_count && !unmistakable(ahead, ahead_count, distance)) distance++;
    return (struct choice){state->next + distance, ahead[distance], distance ? LOAD_NEAR : LOAD_RIGHT};
}

static struct choice settle_totp(struct plan *plan, const struct plan_account *state, enum load_kind kind,
                                 uint64_t unix_ms)
{
    const uint32_t *codes = state->codes;
    /* The engine may judge in the next second, where the second before this one has left the window. */
    bool early = unix_ms % 1000 < 500;
    uint32_t now_s = (uint32_t)(unix_ms / 1000);
    uint32_t last = state->next - 1;
    if (early && kind == LOAD_NEAR && state->next <= now_s - 1 && !among(codes + 2, 3, codes[1])) {
        return (struct choice){now_s - 1, codes[1], LOAD_NEAR};
    }
    if (early && kind == LOAD_REPLAYED && last == now_s - 1 && !among(codes + 2, 3, codes[1])) {
        return (struct choice){last, codes[1], LOAD_REPLAYED};
    }
    uint32_t code = random_below(plan, CODE_COUNT);
    if (kind == LOAD_WRONG && !among(codes, TOTP_WINDOW_COUNT, code)) return (struct choice){0, code, LOAD_WRONG};
    /* Should the code be that of another second too, the engine may use up either: the account waits for both to pass.
     */
    uint32_t step = among(codes + 1, 1, codes[2]) || among(codes + 3, 2, codes[2]) ? now_s + 2 : now_s;
    return (struct choice){step, codes[2], LOAD_RIGHT};
}

/* HOTP: the window moves along; what is new in it is to be computed. */
static void advance(struct plan *plan, struct jobs *jobs, uint32_t place, uint32_t next)
{
    struct plan_account *state = &plan->states[place];
    uint32_t moved = next - state->next;
    memmove(state->codes, state->codes + moved, (PLAN_WINDOW_COUNT - moved) * sizeof *state->codes);
    for (uint32_t i = PLAN_WINDOW_COUNT - moved; i < PLAN_WINDOW_COUNT; i++) {
        add_job(plan, jobs, place, (uint64_t)next + i - 1, &state->codes[i]);
    }
}

static void note_choice(struct plan *plan, struct jobs *jobs, uint32_t place, const struct choice *choice)
{
    struct plan_account *state = &plan->states[place];
    if (choice->kind == LOAD_WRONG) {
        state->flags |= FAILED;
    } else if (choice->kind != LOAD_REPLAYED) {
        if (!plan->options->totp) advance(plan, jobs, place, choice->step + 1);
        state->next = choice->step + 1;
        state->flags = ((state->flags & ~(FAILED | PROBE)) | ACCEPTED_ONCE);
    }
}

static void put_query(const struct plan *plan, uint32_t account, uint32_t code, struct otpring_wire_query *ret_query)
{
    memcpy(ret_query->company, plan->accounts->company_name, 8);
    memcpy(ret_query->account, plan->accounts->names[account], 8);
    ret_query->source = 0;
    ret_query->code = htole32(code);
    ret_query->digits = DIGITS;
    ret_query->kind = OTPRING_QUERY_CODE;
    ret_query->source_class = ret_query->flags = 0;
}

static void settle_group(struct plan *plan, struct group *group, uint64_t unix_ms,
                         struct otpring_wire_query *ret_queries, struct plan_item *ret_items)
{
    static const uint8_t expected[] = {OTPRING_ACCEPTED, OTPRING_ACCEPTED, OTPRING_REJECTED, OTPRING_REPLAYED};
    for (uint32_t i = 0; i < group->count; i++) {
        uint32_t place = group->places[i];
        const struct plan_account *state = &plan->states[place];
        struct choice choice = plan->options->totp ? settle_totp(plan, state, group->kinds[i], unix_ms)
                                                   : settle_hotp(plan, state, group->kinds[i]);
        bool probe = state->flags & PROBE;
        put_query(plan, plan->order[place], choice.code, &ret_queries[i]);
        ret_items[i] =
            (struct plan_item){place, choice.step, (uint8_t)choice.kind, probe ? 0 : expected[choice.kind], 0};
        note_choice(plan, &group->jobs, place, &choice);
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
        run_jobs(plan, &group.jobs);
        settle_group(plan, &group, unix_ms, ret_queries + filled, ret_items + filled);
        run_jobs(plan, &group.jobs);
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
