#include "plan_jobs.h"

#include <stdlib.h>

enum { CODES_AT_ONCE = 16 };
_Static_assert(JOBS_MAX % CODES_AT_ONCE == 0, "codes are cut to their digits in whole vectors");

struct plan_jobs *jobs_create(void)
{
    return calloc(1, sizeof(struct plan_jobs));
}

void jobs_destroy(struct plan_jobs *jobs)
{
    free(jobs);
}

uint32_t jobs_hash(const struct plan *plan)
{
    struct plan_jobs *jobs = plan->jobs;
    uint32_t count = jobs->count;
    plan->kernel->steps[plan->accounts->algorithm](jobs->midstates, jobs->counters, jobs->codes, count);
    /* The last group's rest is old codes: to cut them again costs less than to ask where the new ones end. */
    for (uint32_t first = 0; first < count; first += CODES_AT_ONCE) {
        for (uint32_t i = 0; i < CODES_AT_ONCE; i++) jobs->codes[first + i] %= PLAN_CODE_COUNT;
    }
    jobs->count = 0;
    jobs->runs++;
    return count;
}
