#include "core/bursts.h"

static void trial_begin(struct bursts_trial *trial, uint32_t pause)
{
    trial->pause = pause;
    trial->tried = 0;
    for (int way = 0; way < 2; way++) quick_clear(&trial->took[way]);
}

struct bursts_trial bursts_of(enum core_loads loads)
{
    bool chosen = loads != CORE_LOADS_SPREAD;
    struct bursts_trial trial = {.fixed = loads != CORE_LOADS_TRIED, .chosen = chosen, .way = chosen};
    trial_begin(&trial, BURSTS_FIRST);
    return trial;
}

bool bursts_begin(struct bursts_trial *trial, uint32_t items)
{
    trial->way = trial->chosen;
    if (trial->fixed || items < BURSTS_ITEMS_MIN) return false;
    if (trial->pause > 0) {
        trial->pause--;
        return false;
    }
    /* In no step with senders that take turns: 0 1 1 0, 1 0 0 1 (Thue and Morse). */
    trial->way = __builtin_parity(trial->tried);
    return true;
}

void bursts_took(struct bursts_trial *trial, uint32_t items, uint64_t ns)
{
    quick_add(&trial->took[trial->way], ns * 1000 / items);
    if (++trial->tried < BURSTS_TRIAL) return;
    uint64_t chosen = quick_time(&trial->took[trial->chosen]), other = quick_time(&trial->took[!trial->chosen]);
    if (other < chosen - chosen / BURSTS_GAIN) trial->chosen = !trial->chosen;
    trial_begin(trial, BURSTS_PAUSE);
}
