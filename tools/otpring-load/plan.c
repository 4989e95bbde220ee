#include "plan.h"

#include <string.h>

#include "plan_parts.h"

/* splitmix64, to spread a small seed. */
static uint64_t spread(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
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
    hotp_load_window(plan, place);
    if (plan->jobs->count >= JOBS_AT_ONCE) hotp_run_jobs(plan);
}

/* The accounts lie in another order elsewhere: what a place will need is fetched some places before. */
static void place_accounts(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->order_count; i++) {
        if (plan->order_count - i > PLAN_FETCH_AHEAD) {
            uint32_t ahead = plan->order[i + PLAN_FETCH_AHEAD];
            __builtin_prefetch(account_midstates(plan->accounts, ahead));
            __builtin_prefetch(plan->accounts->names[ahead]);
            __builtin_prefetch(&plan->accounts->progress[ahead]);
        }
        place_account(plan, i);
    }
    hotp_run_jobs(plan);
}

int plan_create(struct plan *plan, const struct accounts *accounts, const struct kernel *kernel,
                const struct load_options *options, struct plan_jobs *jobs, uint32_t connection, struct room *room)
{
    uint64_t seed = options->seed + ((uint64_t)connection << 32);
    *plan = (struct plan){.accounts = accounts, .kernel = kernel, .options = options, .jobs = jobs};
    plan->random.words[0] = spread(&seed);
    plan->random.words[1] = spread(&seed);
    share_out_mix(plan);
    plan->order_count = (accounts->count - connection + options->connections - 1) / options->connections;
    plan->order = room_take(room, plan->order_count, sizeof *plan->order);
    /* Some more than there are, so that what is fetched ahead of the last ones lies in it. */
    plan->states = room_take(room, (size_t)plan->order_count + PLAN_FETCH_AHEAD, sizeof *plan->states);
    if (!plan->order || !plan->states) return -1;
    for (uint32_t i = 0; i < plan->order_count; i++) plan->order[i] = connection + i * options->connections;
    for (uint32_t i = plan->order_count; i > 1; i--) {
        uint32_t other = random_below(&plan->random, i), account = plan->order[i - 1];
        plan->order[i - 1] = plan->order[other];
        plan->order[other] = account;
    }
    place_accounts(plan);
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
    *plan = (struct plan){0};
}

enum load_kind plan_choose_kind(struct plan *plan, const struct plan_account *state)
{
    if (state->flags & PROBE) return LOAD_RIGHT;
    uint32_t at = random_share(&plan->random);
    enum load_kind kind = LOAD_RIGHT;
    while (at > plan->mix_limits[kind]) kind++;
    if (kind == LOAD_WRONG && (state->flags & FAILED)) return LOAD_RIGHT;
    if (kind == LOAD_REPLAYED && !(state->flags & ACCEPTED_ONCE)) return LOAD_RIGHT;
    return kind;
}

enum plan_doubt plan_settle_doubt(const struct plan *plan, struct plan_account *state)
{
    if (!(state->flags & UNSURE)) return PLAN_SURE;
    if ((int32_t)(plan->frames_answered - state->rest_until) < 0) return PLAN_RESTING;
    state->next = state->resume;
    state->flags = ((state->flags & ~(uint32_t)(UNSURE | UNSURE_ACCEPTED | ACCEPTED_ONCE)) | PROBE);
    return PLAN_RESUMED;
}

void plan_put(const struct plan *plan, uint32_t place, const struct choice *choice, const struct plan_batch *batch,
              uint32_t at)
{
    static const uint8_t verdicts[] = {OTPRING_ACCEPTED, OTPRING_ACCEPTED, OTPRING_REJECTED, OTPRING_REPLAYED};
    const struct plan_account *state = &plan->states[place];
    uint8_t expected = state->flags & PROBE ? 0 : verdicts[choice->kind];
    put_query(plan->accounts, state, choice->code, &batch->queries[at]);
    batch->items[at] = (struct plan_item){.place = place, .kind = choice->kind, .step = choice->step};
    batch->expected[at] = expected;
    batch->verdicts[expected]++;
}

void plan_expect(const struct plan *plan, uint32_t count)
{
    uint32_t left = plan->order_count - plan->order_at;
    if (count > PLAN_FETCH_AHEAD) count = PLAN_FETCH_AHEAD;
    if (count > left) count = left;
    for (uint32_t i = 0; i < count; i++) fetch_account(&plan->states[plan->order_at + i]);
}

uint32_t plan_fill(struct plan *plan, uint64_t unix_ms, uint32_t count, const struct plan_batch *batch)
{
    uint32_t filled = plan->options->totp ? totp_fill(plan, unix_ms, count, batch) : hotp_fill(plan, count, batch);
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
