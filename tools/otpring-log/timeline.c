#include "timeline.h"

#include <stdlib.h>
#include <string.h>

static const int64_t units_s[] = {60, 3600, 86400, 7 * 86400};

bool timeline_create(struct timeline *timeline)
{
    *timeline = (struct timeline){.unit_s = units_s[0], .rows = calloc(TIMELINE_ROWS, sizeof *timeline->rows)};
    return timeline->rows != NULL;
}

void timeline_destroy(struct timeline *timeline)
{
    free(timeline->rows);
    timeline->rows = NULL;
}

static void add_row(uint64_t *to, const uint64_t *from)
{
    for (unsigned i = 0; i < TIMELINE_VERDICTS; i++) to[i] += from[i];
}

/* In place: a coarser row's number is never behind that of the rows that it is made of. */
void timeline_coarsen(struct timeline *timeline, int64_t unit_s)
{
    if (unit_s <= timeline->unit_s) return;
    int64_t first = timeline->first * timeline->unit_s / unit_s;
    uint32_t last = 0;
    for (uint32_t i = 0; i < timeline->count; i++) {
        uint64_t row[TIMELINE_VERDICTS];
        memcpy(row, timeline->rows[i], sizeof row);
        memset(timeline->rows[i], 0, sizeof row);
        last = (uint32_t)((timeline->first + i) * timeline->unit_s / unit_s - first);
        add_row(timeline->rows[last], row);
    }
    if (timeline->count) timeline->count = last + 1;
    timeline->first = first;
    timeline->unit_s = unit_s;
}

static void coarsen_once(struct timeline *timeline)
{
    for (unsigned i = 0; i < sizeof units_s / sizeof units_s[0]; i++) {
        if (units_s[i] <= timeline->unit_s) continue;
        timeline_coarsen(timeline, units_s[i]);
        return;
    }
    /* Not even weeks: years of them are as good as any. */
    timeline_coarsen(timeline, timeline->unit_s * 52);
}

uint64_t *timeline_row(struct timeline *timeline, int64_t time_ms)
{
    int64_t seconds = time_ms < 0 ? 0 : time_ms / 1000;
    for (;;) {
        int64_t at = seconds / timeline->unit_s;
        if (timeline->count == 0) timeline->first = at;
        int64_t first = at < timeline->first ? at : timeline->first;
        int64_t end = timeline->first + timeline->count;
        if (at + 1 > end) end = at + 1;
        if (end - first > TIMELINE_ROWS) {
            coarsen_once(timeline);
            continue;
        }
        if (first < timeline->first) {
            size_t shift = (size_t)(timeline->first - first);
            memmove(timeline->rows[shift], timeline->rows[0], timeline->count * sizeof timeline->rows[0]);
            memset(timeline->rows[0], 0, shift * sizeof timeline->rows[0]);
            timeline->first = first;
        }
        timeline->count = (uint32_t)(end - first);
        return timeline->rows[at - timeline->first];
    }
}

void timeline_merge(struct timeline *into, const struct timeline *from)
{
    while (into->unit_s < from->unit_s) coarsen_once(into);
    for (uint32_t i = 0; i < from->count; i++) {
        uint64_t sum = 0;
        for (unsigned v = 0; v < TIMELINE_VERDICTS; v++) sum += from->rows[i][v];
        if (sum > 0) add_row(timeline_row(into, (from->first + i) * from->unit_s * 1000), from->rows[i]);
    }
}
