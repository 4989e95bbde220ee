/* export: records for other programs, from where the last export ended. At least once: a position counts as delivered
 * when everything up to it was handed over, so what broke off in between comes again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/files.h"
#include "print.h"
#include "sink.h"

enum { AGAIN_S = 1, RESUME_SIZE = 64 };

struct export
{
    const struct log_options *options;
    struct sink *sink;
    uint64_t left;      /* records */
    uint64_t delivered; /* position */
    uint64_t saved;     /* of these, in the file */
    bool failed;
};

/* ---- the file of the position ---- */

static int resume_load(const char *path, uint64_t *ret_position)
{
    char text[RESUME_SIZE];
    size_t size;
    struct result result = files_read(path, text, sizeof text - 1, &size);
    *ret_position = 0;
    if (result.code == OS_NOT_FOUND) return EXIT_DONE;
    if (result_failed(result)) return complain(EXIT_UNAVAILABLE, "%s: %s", path, result_text(result));
    text[size] = 0;
    text[strcspn(text, "\n")] = 0;
    if (!filter_number(text, ret_position)) return complain(EXIT_USAGE, "%s: holds no position", path);
    return EXIT_DONE;
}

/* Written beside it, synced, renamed: a crash leaves the old one or the new one. */
static bool resume_save(struct export *export)
{
    const char *path = export->options->resume;
    char fresh[4096], text[RESUME_SIZE];
    if (!path || export->saved == export->delivered) return true;
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh) return false;
    int size = snprintf(text, sizeof text, "%" PRIu64 "\n", export->delivered);
    (void)!result_failed(files_remove(fresh));
    if (result_failed(files_write_new(fresh, text, (size_t)size)) || rename(fresh, path) != 0) {
        complain(EXIT_UNAVAILABLE, "%s: the position cannot be kept", path);
        return false;
    }
    export->saved = export->delivered;
    return true;
}

/* ---- delivering ---- */

static bool deliver_text(struct export *export, const struct text *text)
{
    while (!sink_put(export->sink, text->bytes, text->size)) {
        if (!export->options->follow || !export->options->syslog) return false;
        complain(EXIT_UNAVAILABLE, "%s: %s; trying again", export->options->syslog, strerror(errno));
        do {
            nanosleep(&(struct timespec){.tv_sec = AGAIN_S}, NULL);
        } while (!sink_again(export->sink));
    }
    return true;
}

static bool write_event(void *context, const struct event *event)
{
    struct work_thread *thread = context;
    text_bytes(&thread->positions, &event->position, sizeof event->position);
    return print_event(context, event);
}

/* The last position of which everything is among the first `count` records. */
static uint64_t position_whole(const struct work_thread *thread, uint64_t count)
{
    uint64_t next;
    if (thread->count <= count) return thread->position;
    memcpy(&next, thread->positions.bytes + count * sizeof next, sizeof next);
    return next - 1;
}

static bool deliver(void *context, struct work_thread *thread)
{
    struct export *export = context;
    uint64_t through = position_whole(thread, export->left);
    work_cut(thread, export->left);
    export->left -= thread->count;
    if (!deliver_text(export, &thread->text)) {
        export->failed = true;
        return false;
    }
    /* A block of which only a part was let out comes again. */
    if (through > export->delivered) export->delivered = through;
    if (export->options->resume && (!sink_flush(export->sink) || !resume_save(export))) {
        export->failed = true;
        return false;
    }
    return export->left > 0;
}

/* Records that are no longer there cannot be had by asking again. */
static void tell_gap(const struct work *work, uint64_t after)
{
    struct scan_segment *segments;
    size_t count;
    if (after == 0 || result_failed(journal_segments(work->os, work->folder, &segments, &count))) return;
    if (count > 0 && segments[0].first_position > after + 1)
        complain(EXIT_DONE, "positions %" PRIu64 " to %" PRIu64 " are no longer in the journal", after + 1,
                 segments[0].first_position - 1);
    free(segments);
}

static int run(struct export *export, struct work *work, const struct record_filter *filter)
{
    struct work_task task = {.filter = filter, .each = write_event, .end = deliver, .context = export};
    struct text heading = {0};
    if (filter->from_position <= 1 && !export->options->syslog) event_heading(&heading, export->options->form);
    export->failed = !deliver_text(export, &heading);
    text_free(&heading);
    int code = export->failed ? EXIT_DONE : work_scan(work, &task);
    if (code == EXIT_DONE && !export->failed && export->options->follow && export->left > 0)
        code = print_follow(work, &task);
    if (code == EXIT_DONE && (export->failed || !sink_flush(export->sink)))
        code = complain(EXIT_UNAVAILABLE, "%s: %s",
                        export->options->syslog ? export->options->syslog : "standard output", strerror(errno));
    return code;
}

int run_export(const struct log_options *options, const char *folder)
{
    struct record_filter filter = options->filter;
    struct export export = {.options = options, .left = options->count ? options->count : UINT64_MAX};
    struct work work;
    uint64_t after = options->after;
    int code = options->resume ? resume_load(options->resume, &export.saved) : EXIT_DONE;
    if (code != EXIT_DONE) return code;
    if (export.saved > after) after = export.saved;
    export.delivered = after;
    if (after >= filter.from_position && after > 0) filter.from_position = after + 1;
    code = work_open(&work, options, folder);
    if (code == EXIT_DONE) code = sink_open(options->syslog, &export.sink);
    if (code == EXIT_DONE) {
        tell_gap(&work, after);
        code = run(&export, &work, &filter);
    }
    code = print_code(&work, code);
    sink_close(export.sink);
    work_close(&work);
    return code;
}
