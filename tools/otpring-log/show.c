/* show and tail: a reader, and a line for each record that the filters let through. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/format.h"
#include "log.h"

enum { TAIL_DEFAULT = 10, TAIL_MAX = 100000, FOLLOW_PAUSE_NS = 200000000 };

struct show {
    const struct log_options *options;
    struct name_filter filter;
    uint64_t left; /* records that may still be printed */
    bool damaged;
    /* tail: the last lines, a ring */
    char (*ring)[LINE_SIZE];
    uint64_t ring_size;
    uint64_t ring_count;
};

static void put(struct show *show, const char line[LINE_SIZE])
{
    if (show->ring) {
        memcpy(show->ring[show->ring_count++ % show->ring_size], line, LINE_SIZE);
        return;
    }
    puts(line);
}

static void put_block(struct show *show, const struct journal_block_view *block)
{
    uint32_t count;
    for (uint32_t slot = 0; slot < block->header->slot_count && show->left > 0; slot += count) {
        char line[LINE_SIZE];
        count = format_record_slots(block->slots, block->header->slot_count, slot);
        if (count == 0) {
            complain(EXIT_FINDINGS, "position %" PRIu64 ": slot %u begins no record", block->header->position, slot);
            show->damaged = true;
            return;
        }
        if (!record_line(show->options, &show->filter, block, slot, line)) continue;
        put(show, line);
        show->left--;
    }
}

/* Everything up to the end, or until no more may be printed. Damage is told of and passed over. */
static struct result put_all(struct show *show, struct journal_reader *reader)
{
    while (show->left > 0) {
        struct journal_block_view block;
        struct result result = journal_reader_next(reader, &block);
        if (result.code == JOURNAL_CORRUPT) {
            complain(EXIT_FINDINGS, "position %" PRIu64 ": %s; going on behind it", journal_reader_position(reader),
                     result_text(result));
            show->damaged = true;
            continue;
        }
        if (result_failed(result)) return result;
        put_block(show, &block);
    }
    return result_of(STORE_NOT_FOUND);
}

static int cannot(const char *folder, struct result result)
{
    return complain(EXIT_UNAVAILABLE, "%s: %s", folder, result_text(result));
}

int run_show(const struct log_options *options, struct os *os, const char *folder)
{
    struct show show = {.options = options,
                        .filter = name_filter_of(options->company, options->user),
                        .left = options->count ? options->count : UINT64_MAX};
    struct journal_reader *reader;
    struct result result = journal_reader_open(
        os, folder, &(struct journal_reader_options){.from_position = options->from_position}, &reader);
    if (result_failed(result)) return cannot(folder, result);
    result = put_all(&show, reader);
    journal_reader_close(reader);
    if (result.code != STORE_NOT_FOUND) return cannot(folder, result);
    return show.damaged ? EXIT_FINDINGS : EXIT_DONE;
}

/* A position far enough back for so many records: each block holds one at least, where nothing is filtered. */
static struct result tail_start(const struct log_options *options, struct os *os, const char *folder, uint64_t count,
                                uint64_t *ret_position)
{
    *ret_position = options->from_position;
    if (options->from_position || options->company || options->verdict) return result_ok();
    struct journal_reader *reader;
    TRY(journal_reader_open(os, folder, &(struct journal_reader_options){.from_position = UINT64_MAX}, &reader));
    struct journal_block_view block;
    struct result result = journal_reader_next(reader, &block);
    uint64_t end = journal_reader_end(reader);
    journal_reader_close(reader);
    if (result_failed(result) && result.code != STORE_NOT_FOUND && result.code != JOURNAL_CORRUPT) return result;
    /* The journal's own blocks hold none that count: look twice as far, and a little more. */
    uint64_t back = options->own ? count : 2 * count + 64;
    *ret_position = end > back ? end - back : 0;
    return result_ok();
}

static void put_ring(struct show *show)
{
    uint64_t first = show->ring_count > show->ring_size ? show->ring_count - show->ring_size : 0;
    for (uint64_t i = first; i < show->ring_count; i++) puts(show->ring[i % show->ring_size]);
    free(show->ring);
    show->ring = NULL;
    fflush(stdout);
}

static struct result follow(struct show *show, struct os *os, struct journal_reader *reader)
{
    for (;;) {
        TRY(os_step(os, FOLLOW_PAUSE_NS, NULL));
        struct result result = put_all(show, reader);
        if (result.code != FULL) return result;
        if (fflush(stdout) != 0) return result_of(STORE_NOT_FOUND); /* nobody reads any more */
    }
}

int run_tail(const struct log_options *options, struct os *os, const char *folder)
{
    struct show show = {.options = options,
                        .filter = name_filter_of(options->company, options->user),
                        .left = UINT64_MAX,
                        .ring_size = options->count ? options->count : TAIL_DEFAULT};
    if (show.ring_size > TAIL_MAX) return complain(EXIT_USAGE, "-n: at most %d with tail", TAIL_MAX);
    uint64_t from;
    struct journal_reader *reader;
    struct result result = tail_start(options, os, folder, show.ring_size, &from);
    if (result_failed(result)) return cannot(folder, result);
    result = journal_reader_open(os, folder, &(struct journal_reader_options){.from_position = from, .follow = true},
                                 &reader);
    if (result_failed(result)) return cannot(folder, result);
    show.ring = calloc(show.ring_size, LINE_SIZE);
    if (!show.ring) {
        journal_reader_close(reader);
        return cannot(folder, result_of(NO_MEMORY));
    }
    result = put_all(&show, reader);
    put_ring(&show);
    if (result.code == FULL && !options->no_follow) result = follow(&show, os, reader);
    journal_reader_close(reader);
    if (result.code != FULL && result.code != STORE_NOT_FOUND) return cannot(folder, result);
    return show.damaged ? EXIT_FINDINGS : EXIT_DONE;
}
