/* What something takes, from several times that it was measured: the fourth quickest of them. What comes between, an
 * interrupt or another thread, makes it only slower; and the quickest of all may have had less to do. */
#ifndef OTPRING_CORE_QUICK_H
#define OTPRING_CORE_QUICK_H

#include <stdint.h>
#include <string.h>

enum { QUICK_COUNT = 4 };

struct quick {
    uint64_t times[QUICK_COUNT]; /* the quickest, in order */
};

static inline void quick_clear(struct quick *quick)
{
    memset(quick->times, 0xff, sizeof quick->times);
}

static inline void quick_add(struct quick *quick, uint64_t time)
{
    for (int i = 0; i < QUICK_COUNT; i++) {
        uint64_t slower = quick->times[i] > time ? quick->times[i] : time;
        quick->times[i] = quick->times[i] < time ? quick->times[i] : time;
        time = slower;
    }
}

/* After fewer than QUICK_COUNT: UINT64_MAX. */
static inline uint64_t quick_time(const struct quick *quick)
{
    return quick->times[QUICK_COUNT - 1];
}

#endif
