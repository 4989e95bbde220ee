/* Verdicts by minute; by hour, day or week where there would be too many rows. One thread. */
#ifndef TOOLS_OTPRING_LOG_TIMELINE_H
#define TOOLS_OTPRING_LOG_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "otpring/verdict.h"

enum { TIMELINE_ROWS = 16384, TIMELINE_VERDICTS = OTPRING_VERDICT_COUNT };

struct timeline {
    int64_t unit_s;
    int64_t first; /* of row 0: seconds / unit_s; rows are of UTC */
    uint32_t count;
    uint64_t (*rows)[TIMELINE_VERDICTS];
};

bool timeline_create(struct timeline *timeline);
void timeline_destroy(struct timeline *timeline);
/* The row of a time. Stays until the next call. */
uint64_t *timeline_row(struct timeline *timeline, int64_t time_ms);
void timeline_merge(struct timeline *into, const struct timeline *from);
/* Makes rows at least so long: 60, 3600 or 86400 seconds. */
void timeline_coarsen(struct timeline *timeline, int64_t unit_s);

#endif
