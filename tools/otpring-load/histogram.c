#include "histogram.h"

#include <math.h>
#include <stdbool.h>

#include "base/check.h"

static uint32_t bucket_of(uint64_t value)
{
    if (value >> HISTOGRAM_VALUE_BITS) value = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;
    if (value < 1u << HISTOGRAM_STEP_BITS) return (uint32_t)value;
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    return ((shift + 1) << HISTOGRAM_STEP_BITS) + (uint32_t)((value >> shift) - (1u << HISTOGRAM_STEP_BITS));
}

static uint64_t greatest_of(uint32_t bucket)
{
    uint32_t group = bucket >> HISTOGRAM_STEP_BITS;
    if (!group) return bucket;
    uint64_t step = bucket & ((1u << HISTOGRAM_STEP_BITS) - 1);
    return ((step + (1u << HISTOGRAM_STEP_BITS) + 1) << (group - 1)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t count)
{
    histogram->counts[bucket_of(value)] += count;
    histogram->total += count;
    histogram->values++;
    if (value > histogram->max) histogram->max = value;
}

void histogram_add_spaced(struct histogram *histogram, uint64_t least, uint64_t step, uint64_t values, uint64_t count)
{
    CHECK(step > 0);
    if (!values) return;
    uint64_t greatest = least + (values - 1) * step;
    histogram->total += values * count;
    histogram->values += values;
    if (greatest > histogram->max) histogram->max = greatest;
    while (values) {
        uint32_t bucket = bucket_of(least);
        bool last = bucket == HISTOGRAM_BUCKET_COUNT - 1;
        uint64_t inside = last ? values : (greatest_of(bucket) - least) / step + 1;
        if (inside > values) inside = values;
        histogram->counts[bucket] += inside * count;
        least += inside * step;
        values -= inside;
    }
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) into->counts[i] += from->counts[i];
    into->total += from->total;
    into->values += from->values;
    if (from->max > into->max) into->max = from->max;
}

static uint64_t limited(const struct histogram *histogram, uint32_t bucket)
{
    uint64_t value = greatest_of(bucket);
    return value < histogram->max ? value : histogram->max;
}

uint64_t histogram_at(const struct histogram *histogram, double part)
{
    uint64_t wanted = (uint64_t)ceil(part * (double)histogram->total), seen = 0;
    if (!wanted) wanted = 1;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted) return limited(histogram, i);
    }
    return histogram->max;
}

static void write_footer(const struct histogram *histogram, FILE *file)
{
    double sum = 0, squares = 0, total = histogram->total ? (double)histogram->total : 1;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        double value = (double)limited(histogram, i) / 1000, count = (double)histogram->counts[i];
        sum += value * count;
        squares += value * value * count;
    }
    double mean = sum / total, variance = squares / total - mean * mean;
    fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean, variance > 0 ? sqrt(variance) : 0);
    fprintf(file, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)histogram->max / 1000,
            (unsigned long long)histogram->total);
    fprintf(file, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1,
            1 << HISTOGRAM_STEP_BITS);
}

void histogram_write(const struct histogram *histogram, FILE *file)
{
    uint64_t seen = 0;
    fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        if (!histogram->counts[i]) continue;
        seen += histogram->counts[i];
        bool last = seen == histogram->total;
        double part = (double)seen / (double)histogram->total;
        fprintf(file, "%12.3f %2.12f %10llu", (double)limited(histogram, i) / 1000, part, (unsigned long long)seen);
        if (last) {
            fputc('\n', file);
        } else {
            fprintf(file, " %14.2f\n", 1 / (1 - part));
        }
    }
    write_footer(histogram, file);
}
