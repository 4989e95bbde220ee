/* Codes that are still to be computed, of all connections of one thread, so that the kernel's lanes are full even where
 * each frame has one item. For plan*.c alone. One thread. */
#ifndef OTPRING_LOAD_PLAN_JOBS_H
#define OTPRING_LOAD_PLAN_JOBS_H

#include <stdint.h>

#include "plan.h"

enum {
    JOBS_AT_ONCE = 240, /* fills every kernel's lanes; the accounts of so many are still in the nearest caches */
    JOBS_MAX = JOBS_AT_ONCE + PLAN_RING_COUNT,
};

struct plan_jobs {
    uint32_t count;
    uint32_t runs; /* how often they were hashed: whoever added some can tell whether they still wait */
    const void *midstates[JOBS_MAX];
    uint64_t counters[JOBS_MAX];
    uint32_t codes[JOBS_MAX];                /* once hashed */
    struct plan_account *accounts[JOBS_MAX]; /* HOTP: whose ring the code goes to, by the counter's low bits */
};

/* At most JOBS_MAX in all; the caller looks. */
static inline void jobs_add(struct plan_jobs *jobs, const void *midstates, uint64_t counter,
                            struct plan_account *account)
{
    jobs->midstates[jobs->count] = midstates;
    jobs->counters[jobs->count] = counter;
    jobs->accounts[jobs->count++] = account;
}

/* Computes the codes of all; gives how many there were. They are no jobs any more. */
uint32_t jobs_hash(const struct plan *plan);

#endif
