#include "print.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { FOLLOW_PAUSE_NS = 200000000 };

bool print_event(void *context, const struct event *event)
{
    struct work_thread *thread = context;
    event_write(&thread->text, &thread->style, event);
    thread->count++;
    return true;
}

bool print_out(const struct text *text)
{
    if (text->size == 0) return true;
    return fwrite(text->bytes, 1, text->size, stdout) == text->size;
}

/* A reader that went away is seen before the next record comes, which may be in hours. */
static bool output_gone(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO};
    return fflush(stdout) != 0 || (poll(&output, 1, 0) > 0 && (output.revents & (POLLERR | POLLHUP | POLLNVAL)));
}

/* Everything that is there. FULL: up to the end for now; OK: enough. */
static struct result follow_some(struct work *work, const struct work_task *task, struct journal_reader *reader)
{
    for (;;) {
        struct journal_block_view block;
        struct result result = journal_reader_next(reader, &block);
        if (result.code == JOURNAL_CORRUPT) {
            work_damage(work, journal_reader_position(reader), 0, result);
            continue;
        }
        TRY(result);
        uint64_t position = block.header->position;
        if (task->filter->to_position && position > task->filter->to_position) return result_ok();
        if (block.header->time_ms >= task->filter->until_ms) return result_ok();
        if (!work_block(work, task, &block)) return result_ok();
    }
}

int print_follow(struct work *work, const struct work_task *task)
{
    const struct journal_place *place = &work->report.end;
    struct os *os = work->os;
    struct journal_reader_options options = {.from_position = place->position, .follow = true};
    if (place->segment) options.place = place;
    struct journal_reader *reader;
    struct result result = journal_reader_open(os, work->folder, &options, &reader);
    if (result_failed(result)) return cannot(work->folder, result);
    for (;;) {
        result = follow_some(work, task, reader);
        if (result.code != FULL || output_gone()) break;
        result = os_step(os, FOLLOW_PAUSE_NS, NULL);
        if (result_failed(result)) break;
    }
    journal_reader_close(reader);
    bool ended = !result_failed(result) || result.code == FULL || result.code == STORE_NOT_FOUND;
    return ended ? EXIT_DONE : cannot(work->folder, result);
}

int print_code(const struct work *work, int code)
{
    return code == EXIT_DONE && work->damaged ? EXIT_FINDINGS : code;
}
