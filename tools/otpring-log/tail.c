/* tail: the last records that the filters let through, then what comes. Segments are read backwards, one at a time,
 * until there are enough. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"

enum { TAIL_DEFAULT = 10, TAIL_MAX = 100000 };

/* The last lines of what was read so far, in one text, and where each begins. */
struct last {
    uint64_t wanted;
    struct text text;
    uint64_t count;
};

/* Forgets all but the last `count` lines. */
static void keep_last(struct last *last, uint64_t count)
{
    const char *at = last->text.bytes, *end = at + last->text.size;
    uint64_t drop = last->count > count ? last->count - count : 0;
    if (drop == 0) return;
    for (; drop > 0; drop--) at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
    size_t gone = (size_t)(at - last->text.bytes);
    memmove(last->text.bytes, at, last->text.size - gone);
    last->text.size -= gone;
    last->count = count;
}

static bool collect(void *context, struct work_thread *thread)
{
    struct last *last = context;
    text_bytes(&last->text, thread->text.bytes, thread->text.size);
    last->count += thread->count;
    /* Not at every piece: what is dropped is moved over. */
    if (last->count > 2 * last->wanted + TAIL_DEFAULT) keep_last(last, last->wanted);
    return true;
}

/* Earlier lines before the later ones. */
static void prepend(struct last *last, struct last *earlier)
{
    keep_last(earlier, last->wanted - last->count);
    text_bytes(&earlier->text, last->text.bytes, last->text.size);
    earlier->count += last->count;
    text_free(&last->text);
    last->text = earlier->text;
    last->count = earlier->count;
    earlier->text = (struct text){0};
}

/* From one segment on to the next one's begin. The newest comes first, and says where following goes on. */
static int read_segment(struct work *work, const struct record_filter *wanted, const struct scan_segment *segment,
                        struct last *last)
{
    struct record_filter filter = *wanted;
    struct last here = {.wanted = last->wanted - last->count};
    struct work_task task = {.filter = &filter, .each = print_event, .end = collect, .context = &here};
    struct journal_place end = work->report.end;
    bool newest = segment->limit == UINT64_MAX;
    if (segment->first_position > filter.from_position) filter.from_position = segment->first_position;
    if (!newest && (!filter.to_position || segment->limit - 1 < filter.to_position))
        filter.to_position = segment->limit - 1;
    int code = work_scan(work, &task);
    if (end.position) work->report.end = end;
    if (code == EXIT_DONE) prepend(last, &here);
    text_free(&here.text);
    return code;
}

static int read_last(struct work *work, const struct record_filter *filter, struct last *last)
{
    struct scan_segment *segments;
    size_t count;
    struct result result = journal_segments(work->os, work->folder, &segments, &count);
    if (result_failed(result)) return cannot(work->folder, result);
    int code = EXIT_DONE;
    for (size_t i = count; i-- > 0 && code == EXIT_DONE && last->count < last->wanted;) {
        if (segments[i].limit <= filter->from_position) break;
        bool newer = i + 1 < count;
        if (newer && segments[i + 1].time_ms < filter->since_ms) break;
        code = read_segment(work, filter, &segments[i], last);
    }
    free(segments);
    return code;
}

static bool put(void *context, struct work_thread *thread)
{
    (void)context;
    return print_out(&thread->text);
}

int run_tail(const struct log_options *options, const char *folder)
{
    struct last last = {.wanted = options->count ? options->count : TAIL_DEFAULT};
    struct work_task task = {.filter = &options->filter, .each = print_event, .end = put};
    struct work work;
    struct text heading = {0};
    if (last.wanted > TAIL_MAX) return complain(EXIT_USAGE, "-n: at most %d with tail", TAIL_MAX);
    int code = work_open(&work, options, folder);
    event_heading(&heading, options->form);
    if (code == EXIT_DONE) code = read_last(&work, &options->filter, &last);
    if (code == EXIT_DONE && print_out(&heading) && print_out(&last.text) && fflush(stdout) == 0 && !options->no_follow)
        code = print_follow(&work, &task);
    code = print_code(&work, code);
    text_free(&heading);
    text_free(&last.text);
    work_close(&work);
    return code;
}
