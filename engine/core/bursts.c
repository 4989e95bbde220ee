#include "core/bursts.h"

struct bursts bursts_of(enum core_loads loads)
{
    bool chosen = loads != CORE_LOADS_SPREAD;
    return (struct bursts){.fixed = loads != CORE_LOADS_TRIED,
                           .chosen = chosen,
                           .now = chosen,
                           .pause = BURSTS_FIRST,
                           .best = {UINT64_MAX, UINT64_MAX}};
}

bool bursts_begin(struct bursts *bursts, uint32_t items)
{
    bursts->now = bursts->chosen;
    if (bursts->fixed || items < BURSTS_ITEMS_MIN) return false;
    if (bursts->pause > 0) {
        bursts->pause--;
        return false;
    }
    bursts->now = bursts->tried & 1;
    return true;
}

/* The quickest turns are compared: what comes between, an interrupt or another thread, makes turns only slower. */
void bursts_took(struct bursts *bursts, uint32_t items, uint64_t ns)
{
    uint64_t each = ns * 1000 / items, *best = &bursts->best[bursts->now];
    if (each < *best) *best = each;
    if (++bursts->tried < BURSTS_TRIAL) return;
    uint64_t chosen = bursts->best[bursts->chosen], other = bursts->best[!bursts->chosen];
    if (other < chosen - chosen / BURSTS_GAIN) bursts->chosen = !bursts->chosen;
    bursts->tried = 0;
    bursts->pause = BURSTS_PAUSE;
    bursts->best[0] = bursts->best[1] = UINT64_MAX;
}
