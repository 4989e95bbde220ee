/* index: makes what the housekeeper had no time for, or what a restore or an older version left without. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "journal/index.h"
#include "work.h"

static int make_all(struct work *work, const struct scan_segment *segments, size_t count)
{
    uint64_t made = 0, there = 0;
    int code = EXIT_DONE;
    for (size_t i = 0; i < count; i++) {
        const struct scan_segment *segment = &segments[i];
        if (segment->limit == UINT64_MAX || segment->limit == segment->first_position) continue;
        struct result result = journal_index_make(work->os, work->folder, segment->number);
        if (result.code == STORE_EXISTS)
            there++;
        else if (result.code == JOURNAL_CORRUPT)
            code = complain(EXIT_FINDINGS, "segment %" PRIx64 ": is damaged; it has no index and is read whole",
                            segment->number);
        else if (result.code != JOURNAL_MISSING && result_failed(result))
            return complain(EXIT_UNAVAILABLE, "segment %" PRIx64 ": %s", segment->number, result_text(result));
        else
            made += !result_failed(result);
    }
    if (work->options->json)
        printf("{\"made\":%" PRIu64 ",\"there\":%" PRIu64 "}\n", made, there);
    else
        printf("%" PRIu64 " made, %" PRIu64 " were there\n", made, there);
    return code;
}

int run_index(const struct log_options *options, const char *folder)
{
    struct scan_segment *segments = NULL;
    size_t count;
    struct work work;
    int code = work_open(&work, options, folder);
    if (code == EXIT_DONE) {
        struct result result = journal_segments(work.os, folder, &segments, &count);
        code = result_failed(result) ? cannot(folder, result) : make_all(&work, segments, count);
    }
    free(segments);
    work_close(&work);
    return code;
}
