#include "plan_parts.h"

enum {
    TOTP_WINDOW_COUNT = 5, /* seconds now - 2 to now + 2: the engine's second may be another one */
    TOTP_GROUP_MAX = JOBS_AT_ONCE / TOTP_WINDOW_COUNT,
};

static bool among(const uint32_t *codes, uint32_t count, uint32_t code)
{
    for (uint32_t i = 0; i < count; i++) {
        if (codes[i] == code) return true;
    }
    return false;
}

static struct choice settle(struct plan *plan, const struct plan_account *state, enum load_kind kind, uint64_t unix_ms)
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
    uint32_t code = random_below(&plan->random, PLAN_CODE_COUNT);
    if (kind == LOAD_WRONG && !among(codes, TOTP_WINDOW_COUNT, code)) return (struct choice){0, code, LOAD_WRONG};
    /* Should the code be that of another second too, the engine may use up either: the account waits for both to pass.
     */
    uint32_t step = among(codes + 1, 1, codes[2]) || among(codes + 3, 2, codes[2]) ? now_s + 2 : now_s;
    return (struct choice){step, codes[2], LOAD_RIGHT};
}

static uint32_t next_place(struct plan *plan)
{
    uint32_t place = plan->order_at;
    plan->order_at = place + 1 == plan->order_count ? 0 : place + 1;
    fetch_account(&plan->states[place] + PLAN_FETCH_AHEAD);
    return place;
}

/* No account twice among the places. */
static uint32_t choose(struct plan *plan, uint32_t count, uint32_t now_s, uint32_t places[TOTP_GROUP_MAX])
{
    uint32_t group_max = count < TOTP_GROUP_MAX ? count : TOTP_GROUP_MAX, found = 0;
    if (group_max > plan->order_count) group_max = plan->order_count;
    for (uint32_t looked = 0; found < group_max && looked < plan->order_count; looked++) {
        uint32_t place = next_place(plan);
        struct plan_account *state = &plan->states[place];
        if (state->next > now_s) plan->passed_over = true;
        if (state->next > now_s || plan_settle_doubt(plan, state) == PLAN_RESTING) continue;
        places[found++] = place;
        for (uint32_t i = 0; i < TOTP_WINDOW_COUNT; i++)
            jobs_add(plan->jobs, midstates_of(plan, place), now_s - 2 + i, state);
    }
    return found;
}

static void run_jobs(struct plan *plan)
{
    const struct plan_jobs *jobs = plan->jobs;
    uint32_t count = jobs_hash(plan);
    for (uint32_t i = 0; i < count; i++) jobs->accounts[i]->codes[i % TOTP_WINDOW_COUNT] = jobs->codes[i];
}

static void note(struct plan_account *state, const struct choice *choice)
{
    if (choice->kind == LOAD_WRONG) {
        state->flags |= FAILED;
    } else if (choice->kind != LOAD_REPLAYED) {
        state->next = choice->step + 1;
        state->flags = (state->flags & ~(uint32_t)(FAILED | PROBE)) | ACCEPTED_ONCE;
    }
}

uint32_t totp_fill(struct plan *plan, uint64_t unix_ms, uint32_t count, const struct plan_batch *batch)
{
    uint32_t places[TOTP_GROUP_MAX], filled = 0;
    plan->passed_over = false;
    while (filled < count) {
        uint32_t found = choose(plan, count - filled, (uint32_t)(unix_ms / 1000), places);
        if (!found) break;
        run_jobs(plan);
        for (uint32_t i = 0; i < found; i++, filled++) {
            struct plan_account *state = &plan->states[places[i]];
            struct choice choice = settle(plan, state, plan_choose_kind(plan, state), unix_ms);
            plan_put(plan, places[i], &choice, batch, filled);
            note(state, &choice);
        }
    }
    return filled;
}
