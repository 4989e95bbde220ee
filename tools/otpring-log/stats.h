/* What stats counts, in memory of one size whatever the log's. Verdicts, clients, drifts and the timeline are exact;
 * companies, accounts and sources are as long as there are at most TOP_KEYS_MAX of them (top.h). */
#ifndef TOOLS_OTPRING_LOG_STATS_H
#define TOOLS_OTPRING_LOG_STATS_H

#include "timeline.h"
#include "top.h"
#include "work.h"

enum {
    STATS_CLIENTS = 65536,
    STATS_DRIFTS = 256, /* -128 to 127 */
    STATS_ACTS = 64,
    STATS_SUSPECT_MIN = 5, /* different accounts of a source, or sources of an account */
};

struct stats {
    uint64_t verdicts[TIMELINE_VERDICTS];
    uint64_t acts[STATS_ACTS];
    uint64_t reasons[16]; /* of refusals */
    uint64_t records;     /* verifications */
    uint64_t first_position;
    uint64_t last_position;
    int64_t first_ms;
    int64_t last_ms;
    uint64_t drifts[STATS_DRIFTS];
    uint64_t (*clients)[TIMELINE_VERDICTS];
    struct timeline timeline;
    struct top companies; /* count: verifications, other: refusals */
    struct top accounts;  /* count: refusals, seen: sources */
    struct top sources;   /* count: refusals, seen: accounts */
};

bool stats_create(struct stats *stats);
void stats_destroy(struct stats *stats);
void stats_add(struct stats *stats, const struct event *event);
void stats_merge(struct stats *into, const struct stats *from);
/* Counts what the options' filter lets through, into each[0]; `each` has WORK_THREADS_MAX and is destroyed by the
 * caller whatever this gives. Rows are of the unit that suits. */
int stats_count(struct work *work, const struct log_options *options, struct stats *each);
/* All that is refused: neither ACCEPTED nor UNAVAILABLE, nor the answer to whether a code is required. */
uint64_t stats_refused(const uint64_t verdicts[TIMELINE_VERDICTS]);
uint64_t stats_all(const uint64_t verdicts[TIMELINE_VERDICTS]);

/* Unit of the rows that are shown. */
int64_t stats_unit_s(const struct stats *stats, const char *by);
void stats_print(struct text *text, const struct stats *stats, const struct log_options *options,
                 struct names_look *look);
void stats_json(struct text *text, const struct stats *stats, const struct log_options *options,
                struct names_look *look);

#endif
