/* Whether a turn asks memory for lines in bursts, or spread through the rounds of the hash (kernel.h).
 *
 * Which is faster depends on the processor, on the pages that lie beneath a virtual machine, and on the size of the
 * table; neither the processor's name nor a few megabytes made for a trial tell it. So each worker tries both ways on
 * turns of its own, soon after it began and now and then later, since tables grow. Only turns of nothing but codes, and
 * of many, count: what takes the time of others is something else. A worker that never has such a turn asks in bursts:
 * on Zen 3 turns took 1.06 of the other way's time with a table that the cache holds, 0.70 with ten million tokens (on
 * Intel bursts were not measured). */
#ifndef OTPRING_CORE_BURSTS_H
#define OTPRING_CORE_BURSTS_H

#include "core/core.h"
#include "core/quick.h"

enum {
    BURSTS_ITEMS_MIN = 256, /* of a turn that counts */
    BURSTS_FIRST = 16,      /* such turns before the first trial */
    BURSTS_PAUSE = 4096,    /* and between trials */
    BURSTS_TRIAL = 32,      /* turns of a trial, half of them each way */
    BURSTS_GAIN = 16,       /* by more than one part of so many the other way must be faster */
};

struct bursts_trial {
    bool fixed;
    bool chosen;          /* bursts, when none is under way */
    bool way;             /* of the turn that began */
    uint32_t pause;       /* turns until the next trial */
    uint32_t tried;       /* turns of the trial under way */
    struct quick took[2]; /* turns each way, picoseconds an item */
};

struct bursts_trial bursts_of(enum core_loads loads);
/* Before a turn of so many items: sets its way. True: it is one of a trial, and bursts_took may be told how long its
 * judging took; a turn that should not count is left out by not telling it. */
bool bursts_begin(struct bursts_trial *trial, uint32_t items);
void bursts_took(struct bursts_trial *trial, uint32_t items, uint64_t ns);

#endif
