#include "plan_parts.h"

enum {
    NEAR_STEPS_MAX = 3,
    NOT_STRAIGHT = UNSURE | PROBE | CLASHING,
};

/* ---- codes ---- */

static bool ring_has(const struct plan_account *account, uint32_t code)
{
    typedef uint32_t quarter __attribute__((vector_size(16), may_alias));
    _Static_assert(sizeof account->codes == 4 * sizeof(quarter), "the ring is four vectors");
    const quarter *codes = (const void *)account->codes;
    quarter wanted = {code, code, code, code};
    typedef uint64_t half __attribute__((vector_size(16)));
    half equal = (half)((codes[0] == wanted) | (codes[1] == wanted) | (codes[2] == wanted) | (codes[3] == wanted));
    return equal[0] | equal[1];
}

void hotp_run_jobs(struct plan *plan)
{
    struct plan_jobs *jobs = plan->jobs;
    uint32_t count = jobs_hash(plan);
    for (uint32_t i = 0; i < count; i++) {
        struct plan_account *account = jobs->accounts[i];
        /* Looked for before it is stored, over the one that it replaces too: to read vectors over a fresh word would
         * wait for it to reach the cache. A clash that is none only costs a longer look. */
        if (ring_has(account, jobs->codes[i])) account->flags |= CLASHING;
        account->codes[jobs->counters[i] % PLAN_RING_COUNT] = jobs->codes[i];
    }
}

void hotp_load_window(struct plan *plan, uint32_t place)
{
    struct plan_account *state = &plan->states[place];
    const void *midstates = midstates_of(plan, place);
    for (uint32_t i = 0; i < PLAN_RING_COUNT; i++) state->codes[i] = PLAN_CODE_COUNT + i; /* equal to no code */
    for (uint32_t i = state->next ? 0 : 1; i <= PLAN_AHEAD_COUNT; i++) {
        jobs_add(plan->jobs, midstates, (uint64_t)state->next + i - 1, state);
    }
    state->flags &= ~(uint32_t)CLASHING;
}

/* The window moves along; what is new in it is to be computed. */
static void advance(struct plan *plan, uint32_t place, uint32_t next)
{
    struct plan_account *state = &plan->states[place];
    const void *midstates = midstates_of(plan, place);
    for (uint32_t step = state->next + PLAN_AHEAD_COUNT; step < next + PLAN_AHEAD_COUNT; step++) {
        jobs_add(plan->jobs, midstates, step, state);
    }
    state->next = next;
}

/* ---- any item ---- */

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

/* What was wished for if it cannot be mistaken, else another step that the engine looks at, whose code cannot. */
static struct choice settle(struct plan *plan, const struct plan_account *state, enum load_kind kind)
{
    uint32_t distance = 0, reach = plan->options->look_ahead, last = state->codes[(state->next - 1) % PLAN_RING_COUNT];
    if (kind == LOAD_NEAR) {
        distance = 1 + random_below(&plan->random, reach < NEAR_STEPS_MAX ? reach : NEAR_STEPS_MAX);
    } else if (kind == LOAD_REPLAYED) {
        if (!count_ahead(state, last)) return (struct choice){state->next - 1, last, LOAD_REPLAYED};
    } else if (kind == LOAD_WRONG) {
        uint32_t code = random_below(&plan->random, PLAN_CODE_COUNT);
        if (code != last && !count_ahead(state, code)) return (struct choice){0, code, LOAD_WRONG};
    }
    for (uint32_t tries = 0; state->flags & CLASHING && tries <= reach; tries++) {
        if (count_ahead(state, code_ahead(state, distance)) == 1) break;
        distance = distance < reach ? distance + 1 : 0;
    }
    return (struct choice){state->next + distance, code_ahead(state, distance), distance ? LOAD_NEAR : LOAD_RIGHT};
}

static void note(struct plan *plan, uint32_t place, const struct choice *choice)
{
    struct plan_account *state = &plan->states[place];
    if (choice->kind == LOAD_WRONG) {
        state->flags |= FAILED;
    } else if (choice->kind != LOAD_REPLAYED) {
        advance(plan, place, choice->step + 1);
        state->flags = (state->flags & ~(uint32_t)(FAILED | PROBE)) | ACCEPTED_ONCE;
    }
}

/* The next account's item, whatever it is. False: the account rests. */
static bool fill_one(struct plan *plan, const struct plan_batch *batch, uint32_t at)
{
    uint32_t place = plan->order_at++;
    struct plan_account *state = &plan->states[place];
    enum plan_doubt doubt = plan_settle_doubt(plan, state);
    plan->waiting_count++;
    if (doubt == PLAN_RESTING) return false;
    if (doubt == PLAN_RESUMED) {
        hotp_load_window(plan, place);
        hotp_run_jobs(plan);
    }
    struct choice choice = settle(plan, state, plan_choose_kind(plan, state));
    plan_put(plan, place, &choice, batch, at);
    note(plan, place, &choice);
    return true;
}

/* ---- nearly every item ---- */

/* Right codes of accounts about which there is nothing to think: from the next account on, one after the other, count
 * at most; stops before the first that is anything else. What is written here might alias everything, hence the copies:
 * fields would be read again for each item. */
static uint32_t fill_straight(struct plan *plan, uint32_t count, const struct plan_batch *batch, uint32_t at)
{
    struct plan_jobs *const jobs = plan->jobs;
    const struct accounts *const accounts = plan->accounts;
    struct plan_account *const states = plan->states + plan->order_at;
    struct otpring_wire_query *const queries = batch->queries + at;
    struct plan_item *const items = batch->items + at;
    uint8_t *const expected = batch->expected + at;
    const uint32_t first = plan->order_at, limit = plan->mix_limits[LOAD_RIGHT], first_job = jobs->count;
    const bool inside = accounts->algorithm == KERNEL_SHA1;
    struct plan_random random = plan->random;
    uint32_t done = 0;
    for (; done < count; done++) {
        struct plan_account *state = states + done;
        struct plan_random drawn = random;
        if (state->flags & NOT_STRAIGHT || random_share(&drawn) > limit) break;
        random = drawn;
        fetch_account(state + PLAN_FETCH_AHEAD);
        uint32_t step = state->next;
        put_query(accounts, state, state->codes[step % PLAN_RING_COUNT], &queries[done]);
        items[done] = (struct plan_item){.place = first + done, .kind = LOAD_RIGHT, .step = step};
        expected[done] = OTPRING_ACCEPTED;
        jobs->midstates[first_job + done] = inside ? state->midstates : midstates_of(plan, first + done);
        jobs->counters[first_job + done] = (uint64_t)step + PLAN_AHEAD_COUNT;
        jobs->accounts[first_job + done] = state;
        state->next = step + 1;
        state->flags = (state->flags & ~(uint32_t)FAILED) | ACCEPTED_ONCE;
    }
    plan->random = random;
    plan->order_at += done;
    plan->waiting_count += done;
    jobs->count += done;
    batch->verdicts[OTPRING_ACCEPTED] += done;
    return done;
}

/* ---- the walk ---- */

/* For how many accounts the walk can go on with a job for each, before the jobs run or it begins anew. No account is
 * met again while its own jobs wait. */
static uint32_t walk_room(struct plan *plan)
{
    const struct plan_jobs *jobs = plan->jobs;
    if (jobs->count >= JOBS_AT_ONCE || (plan->runs_seen == jobs->runs && plan->waiting_count == plan->order_count))
        hotp_run_jobs(plan);
    if (plan->runs_seen != jobs->runs) {
        plan->runs_seen = jobs->runs;
        plan->waiting_count = 0;
    }
    if (plan->order_at == plan->order_count) plan->order_at = 0;
    uint32_t room = JOBS_AT_ONCE - jobs->count, left = plan->order_count - plan->order_at,
             settled = plan->order_count - plan->waiting_count;
    if (left < room) room = left;
    return settled < room ? settled : room;
}

uint32_t hotp_fill(struct plan *plan, uint32_t count, const struct plan_batch *batch)
{
    uint32_t filled = 0;
    for (uint32_t rested = 0; filled < count && rested < plan->order_count;) {
        uint32_t room = walk_room(plan), left = count - filled, wanted = left < room ? left : room;
        uint32_t straight = fill_straight(plan, wanted, batch, filled);
        filled += straight;
        if (straight == wanted) continue;
        if (fill_one(plan, batch, filled)) {
            filled++;
        } else {
            rested++;
        }
    }
    return filled;
}
