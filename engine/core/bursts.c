#include "core/bursts.h"

#include <string.h>

static void trial_begin(struct bursts_trial *trial, uint32_t pause)
{
    trial->pause = pause;
    trial->tried = 0;
    memset(trial->quick, 0xff, sizeof trial->quick);
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

/* Of the quickest, since what comes between, an interrupt or another thread, makes turns only slower; not of the
 * quickest of all, which may have had less to do. */
void bursts_took(struct bursts_trial *trial, uint32_t items, uint64_t ns)
{
    uint64_t each = ns * 1000 / items, *quick = trial->quick[trial->way];
    for (int i = 0; i < BURSTS_QUICK; i++) {
        uint64_t slower = quick[i] > each ? quick[i] : each;
        quick[i] = quick[i] < each ? quick[i] : each;
        each = slower;
    }
    if (++trial->tried < BURSTS_TRIAL) return;
    uint64_t chosen = trial->quick[trial->chosen][BURSTS_QUICK - 1];
    uint64_t other = trial->quick[!trial->chosen][BURSTS_QUICK - 1];
    if (other < chosen - chosen / BURSTS_GAIN) trial->chosen = !trial->chosen;
    trial_begin(trial, BURSTS_PAUSE);
}
