#include "work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/core.h"
#include "os/os_uring.h"

enum { THREADS_DEFAULT_MAX = 8, RING_ENTRIES = 64 };

static unsigned threads_wanted(const struct log_options *options)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = options->threads ? options->threads : processors < 1 ? 1 : (unsigned)processors;
    unsigned most = options->threads ? WORK_THREADS_MAX : THREADS_DEFAULT_MAX;
    return count < most ? count : most;
}

/* ---- damage ---- */

static void note_damage(struct text *complaint, uint64_t position, uint64_t segment, struct result result)
{
    if (position)
        text_format(complaint, "position %" PRIu64 ": %s; going on behind it", position, result_text(result));
    else if (result.code == JOURNAL_CORRUPT)
        text_format(complaint,
                    "segment %" PRIx64 ": its header is damaged or its file is cut short; what is whole is read",
                    segment);
    else
        text_format(complaint, "segment %" PRIx64 ": %s; it is passed over", segment, result_text(result));
    text_char(complaint, 0);
}

static void complain_all(struct work *work, struct text *complaint)
{
    for (size_t at = 0; at < complaint->size; at += strlen(complaint->bytes + at) + 1) {
        if (work->quiet) continue;
        complain(EXIT_FINDINGS, "%s", complaint->bytes + at);
        work->damaged = true;
    }
    text_clear(complaint);
}

void work_damage(struct work *work, uint64_t position, uint64_t segment, struct result result)
{
    note_damage(&work->threads[0].complaint, position, segment, result);
    complain_all(work, &work->threads[0].complaint);
}

/* ---- scanning ---- */

struct running {
    struct work *work;
    const struct work_task *task;
};

static void take_block(struct work_thread *thread, const struct work_task *task, const struct journal_block_view *block)
{
    uint32_t slot;
    thread->position = block->header->position;
    if (events_of(block, task->filter, task->each, thread, &slot)) return;
    text_format(&thread->complaint, "position %" PRIu64 ": slot %u begins no record", block->header->position, slot);
    text_char(&thread->complaint, 0);
}

static void on_block(void *context, unsigned number, const struct journal_block_view *block)
{
    struct running *running = context;
    take_block(&running->work->threads[number], running->task, block);
}

static void on_damage(void *context, unsigned number, uint64_t position, uint64_t segment, struct result result)
{
    struct running *running = context;
    note_damage(&running->work->threads[number].complaint, position, segment, result);
}

static bool on_end(void *context, unsigned number)
{
    struct running *running = context;
    struct work_thread *thread = &running->work->threads[number];
    complain_all(running->work, &thread->complaint);
    bool go_on = !running->task->end || running->task->end(running->task->context, thread);
    text_clear(&thread->text);
    text_clear(&thread->positions);
    thread->count = thread->position = 0;
    return go_on;
}

static struct os *create_os(void *context)
{
    struct os *os;
    (void)context;
    struct result result = os_uring_create(&(struct os_uring_options){.entries = RING_ENTRIES}, &os);
    return result_failed(result) ? NULL : os;
}

static void destroy_os(void *context, struct os *os)
{
    (void)context;
    os_destroy(os);
}

static struct result scan(struct work *work, const struct work_task *task)
{
    struct running running = {.work = work, .task = task};
    struct scan_options options = {.folder = work->folder,
                                   .os = work->os,
                                   .thread_count = work->thread_count,
                                   .os_create = create_os,
                                   .os_destroy = destroy_os,
                                   .no_index = work->options->no_index,
                                   .block = on_block,
                                   .damage = on_damage,
                                   .end = on_end,
                                   .context = &running};
    filter_to_scan(task->filter, &options);
    return journal_scan(&options, &work->report);
}

int work_scan(struct work *work, const struct work_task *task)
{
    struct result result = scan(work, task);
    return result_failed(result) ? cannot(work->folder, result) : EXIT_DONE;
}

/* ---- names of clients ---- */

static bool learn_client(void *context, const struct event *event)
{
    (void)context;
    event_learn_client(event);
    return true;
}

/* What is read as it comes is read in order: a client may be named while we look. */
static void learn_from(const struct journal_block_view *block)
{
    struct record_filter acts;
    uint32_t slot;
    filter_init(&acts);
    acts.acts = 1ULL << ACT_CLIENT;
    (void)events_of(block, &acts, learn_client, NULL, &slot);
}

bool work_block(struct work *work, const struct work_task *task, const struct journal_block_view *block)
{
    struct running running = {.work = work, .task = task};
    learn_from(block);
    take_block(&work->threads[0], task, block);
    return on_end(&running, 0);
}

void work_cut(struct work_thread *thread, uint64_t count)
{
    const char *at = thread->text.bytes, *end = at + thread->text.size;
    if (thread->count <= count) return;
    thread->count = count;
    for (; count > 0 && at; count--) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at) at++;
    }
    if (at) thread->text.size = (size_t)(at - thread->text.bytes);
}

/* ---- opening ---- */

/* Without a store names come from the records that say them, wherever these stand: so that the same record looks the
 * same whatever was read before it. They bear no account's name, by which an index finds them. */
static void learn_clients(struct work *work)
{
    struct record_filter filter;
    filter_init(&filter);
    filter.acts = 1ULL << ACT_CLIENT;
    filter.name.size = sizeof filter.name.name;
    struct work_task task = {.filter = &filter, .each = learn_client};
    work->quiet = true;
    (void)scan(work, &task);
    work->quiet = false;
}

int work_open(struct work *work, const struct log_options *options, const char *folder)
{
    *work = (struct work){.options = options, .folder = folder};
    unsigned wanted = threads_wanted(options);
    struct result result = os_uring_create(&(struct os_uring_options){.entries = RING_ENTRIES}, &work->os);
    if (result_failed(result)) return complain(EXIT_UNAVAILABLE, "%s", result_text(result));
    for (unsigned i = 0; i < wanted; i++) {
        struct work_thread *thread = &work->threads[i];
        thread->style = (struct event_style){.form = options->form, .colour = colour_wanted(options->colour)};
        if (options->names) thread->style.look = names_look_new();
        work->thread_count++;
    }
    if (!names_from_store()) learn_clients(work);
    return EXIT_DONE;
}

void work_close(struct work *work)
{
    for (unsigned i = 0; i < work->thread_count; i++) {
        struct work_thread *thread = &work->threads[i];
        names_look_free(thread->style.look);
        text_free(&thread->text);
        text_free(&thread->positions);
        text_free(&thread->complaint);
    }
    if (work->thread_count) os_destroy(work->os);
    work->thread_count = 0;
}
