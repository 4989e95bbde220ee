#include "plan.h"

#include <endian.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "otpring/verdict.h"

enum {
    JOBS_AT_ONCE = 240, /* fills every kernel's lanes; the accounts of so many are still in the nearest caches */
    JOBS_MAX = JOBS_AT_ONCE + PLAN_RING_COUNT,
    TOTP_WINDOW_COUNT = 5, /* seconds now - 2 to now + 2: the engine's second may be another one */
    TOTP_GROUP_MAX = JOBS_AT_ONCE / TOTP_WINDOW_COUNT,
    NEAR_STEPS_MAX = 3,
    DIGITS = 6,
    CODE_COUNT = 1000000,
    FETCH_AHEAD = 16,
};

/* CLASHING: two codes of the ring may be equal. PENDING: a job will still write to the ring. */
enum { UNSURE = 1, UNSURE_ACCEPTED = 2, FAILED = 4, ACCEPTED_ONCE = 8, PROBE = 16, CLASHING = 32, PENDING = 64 };
enum { SLOW = UNSURE | PROBE | CLASHING | PENDING };

struct plan_jobs {
    uint32_t count;
    const void *midstates[JOBS_MAX];
    uint64_t counters[JOBS_MAX];
    uint32_t codes[JOBS_MAX];
    struct plan_account *accounts[JOBS_MAX];
    uint8_t slots[JOBS_MAX]; /* of the account's ring */
};

struct plan_jobs *jobs_create(void)
{
    return calloc(1, sizeof(struct plan_jobs));
}

void jobs_destroy(struct plan_jobs *jobs)
{
    free(jobs);
}

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

static const void *midstates_of(const struct plan *plan, uint32_t place)
{
    if (plan->accounts->algorithm == KERNEL_SHA1) return plan->states[place].midstates;
    return account_midstates(plan->accounts, plan->order[place]);
}

static bool ring_has(const uint32_t codes[PLAN_RING_COUNT], uint32_t code)
{
    uint32_t equal = 0;
    for (uint32_t i = 0; i < PLAN_RING_COUNT; i++) equal += codes[i] == code;
    return equal;
}

static void run_jobs(struct plan *plan)
{
    struct plan_jobs *jobs = plan->jobs;
    plan->kernel->steps[plan->accounts->algorithm](jobs->midstates, jobs->counters, jobs->codes, jobs->count);
    for (uint32_t i = 0; i < jobs->count; i++) {
        struct plan_account *account = jobs->accounts[i];
        uint32_t code = kernel_digits(jobs->codes[i], DIGITS);
        /* Looked for before it is stored, over the one that it replaces too: to read vectors over a fresh word would
         * wait for it to reach the cache. A clash that is none only costs a longer look. */
        bool clashes = !plan->options->totp && ring_has(account->codes, code);
        account->codes[jobs->slots[i]] = code;
        account->flags = (account->flags & ~(uint32_t)PENDING) | (clashes ? CLASHING : 0);
    }
    jobs->count = 0;
}

static void add_job(struct plan *plan, uint32_t place, uint64_t counter, uint32_t slot)
{
    struct plan_jobs *jobs = plan->jobs;
    jobs->midstates[jobs->count] = midstates_of(plan, place);
    jobs->counters[jobs->count] = counter;
    jobs->accounts[jobs->count] = &plan->states[place];
    jobs->slots[jobs->count++] = (uint8_t)slot;
}

/* HOTP: all codes of the window, from the step before the next one on. */
static void load_window(struct plan *plan, uint32_t place)
{
    struct plan_account *state = &plan->states[place];
    for (uint32_t i = 0; i < PLAN_RING_COUNT; i++) state->codes[i] = CODE_COUNT + i; /* equal to no code */
    for (uint32_t i = state->next ? 0 : 1; i <= PLAN_AHEAD_COUNT; i++) {
        uint64_t step = (uint64_t)state->next + i - 1;
        add_job(plan, place, step, step % PLAN_RING_COUNT);
    }
    state->flags &= ~(uint32_t)CLASHING;
}

static void share_out_mix(struct plan *plan)
{
    uint64_t total = 0, sum = 0;
    for (int i = 0; i < LOAD_KIND_COUNT; i++) total += plan->options->mix[i];
    for (int i = 0; i < LOAD_KIND_COUNT; i++) {
        sum += plan->options->mix[i];
        plan->mix_limits[i] = (uint32_t)((sum << 32) / total - (sum == total));
    }
}

static void place_account(struct plan *plan, uint32_t place)
{
    uint32_t account = plan->order[place];
    struct plan_account *state = &plan->states[place];
    memcpy(state->name, plan->accounts->names[account], sizeof state->name);
    if (plan->accounts->algorithm == KERNEL_SHA1) {
        memcpy(state->midstates, account_midstates(plan->accounts, account), sizeof state->midstates);
    }
    state->next = plan->accounts->progress[account].next;
    if (plan->accounts->progress[account].failed) state->flags |= FAILED;
    if (plan->accounts->progress[account].probe) {
        state->flags |= PROBE;
    } else if (state->next) {
        state->flags |= ACCEPTED_ONCE;
    }
    if (plan->options->totp) return;
    load_window(plan, place);
    if (plan->jobs->count >= JOBS_AT_ONCE) run_jobs(plan);
}

int plan_create(struct plan *plan, const struct accounts *accounts, const struct kernel *kernel,
                const struct load_options *options, struct plan_jobs *jobs, uint32_t connection)
{
    uint64_t seed = options->seed + ((uint64_t)connection << 32);
    *plan = (struct plan){.accounts = accounts, .kernel = kernel, .options = options, .jobs = jobs};
    plan->random[0] = spread(&seed);
    plan->random[1] = spread(&seed);
    share_out_mix(plan);
    plan->order_count = (accounts->count - connection + options->connections - 1) / options->connections;
    size_t size = plan->order_count * sizeof *plan->states;
    plan->order = calloc(plan->order_count, sizeof *plan->order);
    plan->states = aligned_alloc(sizeof *plan->states, size);
    if (!plan->order || !plan->states) return -1;
    madvise((void *)((uintptr_t)plan->states & ~(uintptr_t)4095), size, MADV_HUGEPAGE); /* a wish */
    memset(plan->states, 0, size);
    for (uint32_t i = 0; i < plan->order_count; i++) plan->order[i] = connection + i * options->connections;
    for (uint32_t i = plan->order_count; i > 1; i--) {
        uint32_t other = random_below(plan, i), account = plan->order[i - 1];
        plan->order[i - 1] = plan->order[other];
        plan->order[other] = account;
    }
    for (uint32_t i = 0; i < plan->order_count; i++) place_account(plan, i);
    run_jobs(plan);
    return 0;
}

void plan_save(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->order_count; i++) {
        const struct plan_account *state = &plan->states[i];
        bool unsure = state->flags & UNSURE;
        plan->accounts->progress[plan->order[i]] =
            (struct account_progress){.next = unsure ? state->resume : state->next,
                                      .failed = state->flags & FAILED,
                                      .probe = unsure || state->flags & PROBE};
    }
}

void plan_destroy(struct plan *plan)
{
    if (plan->states) explicit_bzero(plan->states, plan->order_count * sizeof *plan->states);
    free(plan->order);
    free(plan->states);
    *plan = (struct plan){0};
}

static enum load_kind choose_kind(struct plan *plan, const struct plan_account *state)
{
    if (state->flags & PROBE) return LOAD_RIGHT;
    uint32_t at = (uint32_t)(random_next(plan) >> 32);
    enum load_kind kind = LOAD_RIGHT;
    while (at > plan->mix_limits[kind]) kind++;
    if (kind == LOAD_WRONG && (state->flags & FAILED)) return LOAD_RIGHT;
    if (kind == LOAD_REPLAYED && !(state->flags & ACCEPTED_ONCE)) return LOAD_RIGHT;
    return kind;
}

/* An account in doubt rests until whatever was in flight is answered; then it goes on where it must be. */
static bool resting(struct plan *plan, uint32_t place)
{
    struct plan_account *state = &plan->states[place];
    if (!(state->flags & UNSURE)) return false;
    if ((int32_t)(plan->frames_answered - state->rest_until) < 0) return true;
    state->next = state->resume;
    state->flags = ((state->flags & ~(uint32_t)(UNSURE | UNSURE_ACCEPTED | ACCEPTED_ONCE)) | PROBE);
    if (plan->options->totp) return false;
    load_window(plan, place);
    run_jobs(plan);
    return false;
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

static uint32_t code_ahead(const struct plan_account *state, uint32_t distance)
{
    return state->codes[(state->next + distance) % PLAN_RING_COUNT];
}

/* How many of the codes that the engine may look at, from the next step on, are this one. */
static uint32_t count_ahead(const struct plan_account *state, uint32_t code)
{
    uint32_t equal = 0;
    for (uint32_t i = 0; i < PLAN_AHEAD_COUNT; i++) equal += code_ahead(state, i) == code;
    return equal;
}

/* What was wished for if it cannot be mistaken, else the nearest step whose code cannot. */
static struct choice settle_hotp(struct plan *plan, const struct plan_account *state, enum load_kind kind)
{
    uint32_t distance = 0, last = state->codes[(state->next - 1) % PLAN_RING_COUNT];
    if (kind == LOAD_NEAR) {
        distance = 1 + random_below(plan, NEAR_STEPS_MAX);
    } else if (kind == LOAD_REPLAYED) {
        if (!count_ahead(state, last)) return (struct choice){state->next - 1, last, LOAD_REPLAYED};
    } else if (kind == LOAD_WRONG) {
        uint32_t code = random_below(plan, CODE_COUNT);
        if (code != last && !count_ahead(state, code)) return (struct choice){0, code, LOAD_WRONG};
    }
    while (state->flags & CLASHING && distance + 1 < PLAN_AHEAD_COUNT &&
           count_ahead(state, code_ahead(state, distance)) > 1)
        distance++;
    return (struct choice){state->next + distance, code_ahead(state, distance), distance ? LOAD_NEAR : LOAD_RIGHT};
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
static void advance(struct plan *plan, uint32_t place, uint32_t next)
{
    struct plan_account *state = &plan->states[place];
    for (uint32_t step = state->next + PLAN_AHEAD_COUNT; step < next + PLAN_AHEAD_COUNT; step++) {
        add_job(plan, place, step, step % PLAN_RING_COUNT);
    }
    state->flags |= PENDING;
}

static void note_choice(struct plan *plan, uint32_t place, const struct choice *choice)
{
    struct plan_account *state = &plan->states[place];
    if (choice->kind == LOAD_WRONG) {
        state->flags |= FAILED;
    } else if (choice->kind != LOAD_REPLAYED) {
        if (!plan->options->totp) advance(plan, place, choice->step + 1);
        state->next = choice->step + 1;
        state->flags = ((state->flags & ~(uint32_t)(FAILED | PROBE)) | ACCEPTED_ONCE);
    }
}

static void put_item(const struct plan *plan, uint32_t place, const struct choice *choice, bool probe,
                     struct otpring_wire_query *ret_query, struct plan_item *ret_item, uint8_t *ret_expected)
{
    static const uint8_t expected[] = {OTPRING_ACCEPTED, OTPRING_ACCEPTED, OTPRING_REJECTED, OTPRING_REPLAYED};
    /* Word by word where it is sent from: put together on the stack and copied as a vector, the words would be waited
     * for. */
    uint8_t *to = (void *)ret_query;
    uint64_t source = 0,
             code = htole64((uint64_t)choice->code | (uint64_t)DIGITS << 32 | (uint64_t)OTPRING_QUERY_CODE << 40);
    _Static_assert(offsetof(struct otpring_wire_query, code) == 24 && offsetof(struct otpring_wire_query, kind) == 29,
                   "code, digits and kind are the last word");
    memcpy(to, plan->accounts->company_name, 8);
    memcpy(to + 8, plan->states[place].name, 8);
    memcpy(to + 16, &source, 8);
    memcpy(to + 24, &code, 8);
    *ret_item = (struct plan_item){.place = place, .step = choice->step, .kind = (uint8_t)choice->kind};
    *ret_expected = probe ? 0 : expected[choice->kind];
}

static uint32_t next_place(struct plan *plan)
{
    uint32_t place = plan->order_at, ahead = place + FETCH_AHEAD;
    plan->order_at = place + 1 == plan->order_count ? 0 : place + 1;
    if (ahead < plan->order_count) {
        __builtin_prefetch(&plan->states[ahead], 1);
        __builtin_prefetch(&plan->states[ahead].codes, 1);
    }
    return place;
}

static uint32_t fill_hotp(struct plan *plan, uint32_t count, struct otpring_wire_query *ret_queries,
                          struct plan_item *ret_items, uint8_t *ret_expected)
{
    uint32_t filled = 0;
    for (uint32_t rested = 0; filled < count && rested < plan->order_count;) {
        uint32_t place = next_place(plan);
        struct plan_account *state = &plan->states[place];
        if (state->flags & SLOW) {
            if (state->flags & PENDING) run_jobs(plan);
            if (resting(plan, place)) {
                rested++;
                continue;
            }
        }
        bool probe = state->flags & PROBE;
        struct choice choice = settle_hotp(plan, state, choose_kind(plan, state));
        put_item(plan, place, &choice, probe, &ret_queries[filled], &ret_items[filled], &ret_expected[filled]);
        note_choice(plan, place, &choice);
        if (plan->jobs->count >= JOBS_AT_ONCE) run_jobs(plan);
        filled++;
    }
    return filled;
}

/* No account twice among the places. */
static uint32_t choose_totp(struct plan *plan, uint32_t count, uint32_t now_s, uint32_t places[TOTP_GROUP_MAX])
{
    uint32_t group_max = count < TOTP_GROUP_MAX ? count : TOTP_GROUP_MAX, found = 0;
    if (group_max > plan->order_count) group_max = plan->order_count;
    for (uint32_t looked = 0; found < group_max && looked < plan->order_count; looked++) {
        uint32_t place = next_place(plan);
        if (plan->states[place].next > now_s || resting(plan, place)) continue;
        places[found++] = place;
        for (uint32_t i = 0; i < TOTP_WINDOW_COUNT; i++) add_job(plan, place, now_s - 2 + i, i);
    }
    return found;
}

static uint32_t fill_totp(struct plan *plan, uint64_t unix_ms, uint32_t count, struct otpring_wire_query *ret_queries,
                          struct plan_item *ret_items, uint8_t *ret_expected)
{
    uint32_t places[TOTP_GROUP_MAX], filled = 0;
    while (filled < count) {
        uint32_t found = choose_totp(plan, count - filled, (uint32_t)(unix_ms / 1000), places);
        if (!found) break;
        run_jobs(plan);
        for (uint32_t i = 0; i < found; i++, filled++) {
            struct plan_account *state = &plan->states[places[i]];
            bool probe = state->flags & PROBE;
            struct choice choice = settle_totp(plan, state, choose_kind(plan, state), unix_ms);
            put_item(plan, places[i], &choice, probe, &ret_queries[filled], &ret_items[filled], &ret_expected[filled]);
            note_choice(plan, places[i], &choice);
        }
    }
    return filled;
}

uint32_t plan_fill(struct plan *plan, uint64_t unix_ms, uint32_t count, struct otpring_wire_query *ret_queries,
                   struct plan_item *ret_items, uint8_t *ret_expected)
{
    uint32_t filled = plan->options->totp ? fill_totp(plan, unix_ms, count, ret_queries, ret_items, ret_expected)
                                          : fill_hotp(plan, count, ret_queries, ret_items, ret_expected);
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

enum plan_judgment plan_answered(struct plan *plan, const struct plan_item *item, unsigned expected, unsigned verdict)
{
    if (verdict == OTPRING_UNAVAILABLE) {
        learn_unavailable(plan, item);
        return PLAN_UNAVAILABLE;
    }
    if (plan->in_doubt && verdict == OTPRING_ACCEPTED && item->kind <= LOAD_NEAR) learn_accepted(plan, item);
    if (verdict == expected) return PLAN_EXPECTED;
    /* Whatever is in doubt, a code that must not be accepted never may be. */
    if (verdict == OTPRING_ACCEPTED && item->kind > LOAD_NEAR) return PLAN_UNEXPECTED;
    /* By chance a wrong code is that of a step far ahead: refused and charged just so. */
    if (item->kind == LOAD_WRONG && verdict == OTPRING_RESYNC) return PLAN_EXPECTED;
    if (plan->states[item->place].flags & UNSURE) return PLAN_EXPECTED;
    return !expected && verdict != OTPRING_THROTTLED ? PLAN_EXPECTED : PLAN_UNEXPECTED;
}
