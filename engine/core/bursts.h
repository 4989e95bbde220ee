/* Whether a turn asks memory for lines in bursts, or spread through the rounds of the hash (kernel.h).
 *
 * Which is faster depends on the processor, on the pages that lie beneath a virtual machine, and on the size of the
 * table; neither the processor's name nor a few megabytes made for a trial tell it. So each worker tries both ways on
 * turns of its own, soon after it began and now and then later, since tables grow. A trial takes large turns alone: of
 * small ones other things take the time. */
#ifndef OTPRING_CORE_BURSTS_H
#define OTPRING_CORE_BURSTS_H

#include "core/core.h"

enum {
    BURSTS_ITEMS_MIN = 256, /* of a turn that counts */
    BURSTS_FIRST = 16,      /* such turns before the first trial */
    BURSTS_PAUSE = 4096,    /* and between trials */
    BURSTS_TRIAL = 32,      /* turns of a trial, half of them each way */
    BURSTS_GAIN = 16,       /* by more than one part of so many the other way must be faster */
};

struct bursts {
    bool fixed;
    bool chosen;
    bool now;         /* the way of the turn that began */
    uint32_t pause;   /* turns until the next trial */
    uint32_t tried;   /* turns of the trial under way */
    uint64_t best[2]; /* quickest turn of the trial each way, picoseconds an item */
};

struct bursts bursts_of(enum core_loads loads);
/* Before a turn of so many items. True: bursts_took is to be told how long its judging took. */
bool bursts_begin(struct bursts *bursts, uint32_t items);
void bursts_took(struct bursts *bursts, uint32_t items, uint64_t ns);

#endif
