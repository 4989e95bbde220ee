/* What the plan's ways for HOTP and TOTP have in common. For plan*.c alone. One thread. */
#ifndef OTPRING_LOAD_PLAN_PARTS_H
#define OTPRING_LOAD_PLAN_PARTS_H

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "otpring/verdict.h"
#include "plan_jobs.h"

enum { PLAN_FETCH_AHEAD = 16 };

/* Flags of an account. CLASHING: two codes of the ring may be equal. */
enum { UNSURE = 1, UNSURE_ACCEPTED = 2, FAILED = 4, ACCEPTED_ONCE = 8, PROBE = 16, CLASHING = 32 };

/* What is sent for an account. */
struct choice {
    uint32_t step;
    uint32_t code;
    enum load_kind kind;
};

/* xoroshiro128+ (Blackman and Vigna). */
static inline uint64_t random_next(struct plan_random *random)
{
    uint64_t a = random->words[0], b = random->words[1], sum = a + b;
    b ^= a;
    random->words[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
    random->words[1] = b << 37 | b >> 27;
    return sum;
}

/* What chooses an item's kind, by mix_limits. */
static inline uint32_t random_share(struct plan_random *random)
{
    return (uint32_t)(random_next(random) >> 32);
}

static inline uint32_t random_below(struct plan_random *random, uint32_t limit)
{
    return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

static inline const void *midstates_of(const struct plan *plan, uint32_t place)
{
    if (plan->accounts->algorithm == KERNEL_SHA1) return plan->states[place].midstates;
    return account_midstates(plan->accounts, plan->order[place]);
}

static inline void fetch_account(const struct plan_account *state)
{
    __builtin_prefetch(state, 1);
    __builtin_prefetch(&state->codes, 1);
}

/* Word by word where it is sent from: put together on the stack and copied as a vector, the words would be waited for.
 */
static inline void put_query(const struct accounts *accounts, const struct plan_account *state, uint32_t code,
                             struct otpring_wire_query *ret_query)
{
    uint8_t *to = (void *)ret_query;
    uint64_t source = 0,
             last = htole64((uint64_t)code | (uint64_t)PLAN_DIGITS << 32 | (uint64_t)OTPRING_QUERY_CODE << 40);
    _Static_assert(offsetof(struct otpring_wire_query, code) == 24 && offsetof(struct otpring_wire_query, kind) == 29,
                   "code, digits and kind are the last word");
    memcpy(to, accounts->company_name, 8);
    memcpy(to + 8, state->name, 8);
    memcpy(to + 16, &source, 8);
    memcpy(to + 24, &last, 8);
}

/* plan.c */

enum load_kind plan_choose_kind(struct plan *plan, const struct plan_account *state);
/* The item and its place in the batch, with what must come back. */
void plan_put(const struct plan *plan, uint32_t place, const struct choice *choice, const struct plan_batch *batch,
              uint32_t at);
/* Whether the account's doubt lasts; where it has just ended, it goes on with a probe from state->next. */
enum plan_doubt { PLAN_SURE, PLAN_RESTING, PLAN_RESUMED };
enum plan_doubt plan_settle_doubt(const struct plan *plan, struct plan_account *state);

/* plan_hotp.c, plan_totp.c: as plan_fill. */

uint32_t hotp_fill(struct plan *plan, uint32_t count, const struct plan_batch *batch);
uint32_t totp_fill(struct plan *plan, uint64_t unix_ms, uint32_t count, const struct plan_batch *batch);
/* Of an account that begins or goes on after doubt: jobs for all codes of its window, PLAN_RING_COUNT at most. */
void hotp_load_window(struct plan *plan, uint32_t place);
void hotp_run_jobs(struct plan *plan);

#endif
