/* Latencies in a log-linear histogram: 128 steps for each doubling, so a value is known to better than 0.8 %. Counts
 * only grow; one thread a histogram, merged afterwards. Values in nanoseconds; above 2^40 (18 minutes) they count as
 * that. The idea and the percentile file are those of HdrHistogram. */
#ifndef OTPRING_LOAD_HISTOGRAM_H
#define OTPRING_LOAD_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

enum {
    HISTOGRAM_STEP_BITS = 7,
    HISTOGRAM_VALUE_BITS = 40,
    HISTOGRAM_BUCKET_COUNT = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS,
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKET_COUNT];
    uint64_t total;
    uint64_t values; /* how many were added, whatever each counts for */
    uint64_t max;    /* exact */
};

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t count);
/* As many values, `step` apart (1 at least) from the least on, each counting for `count`. Takes no longer for many. */
void histogram_add_spaced(struct histogram *histogram, uint64_t least, uint64_t step, uint64_t values, uint64_t count);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The greatest value of the bucket in which that part of the counts (0 to 1) is reached, at most the maximum; 0 when
 * empty. */
uint64_t histogram_at(const struct histogram *histogram, double part);
/* HdrHistogram's percentile text: value in microseconds, percentile, count, 1/(1-percentile). */
void histogram_write(const struct histogram *histogram, FILE *file);

#endif
