#include "journal/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "journal/scan_state.h"

struct scan_thread {
    struct scan *scan;
    unsigned number;
    pthread_t thread;
    struct os *os;
    uint8_t *buffer;
};

static void lock(struct scan *scan)
{
    CHECK(pthread_mutex_lock(&scan->mutex) == 0);
}

static void unlock(struct scan *scan)
{
    CHECK(pthread_mutex_unlock(&scan->mutex) == 0);
}

static void tell_damage(const struct scan_thread *thread, uint64_t position, uint64_t segment, struct result result)
{
    const struct scan_options *options = thread->scan->options;
    if (options->damage) options->damage(options->context, thread->number, position, segment, result);
}

/* ---- the careful way ---- */

static bool wanted(const struct scan_options *options, uint64_t position)
{
    return position >= options->from_position && (!options->to_position || position <= options->to_position);
}

/* Blocks and damage from the place on, up to before position_end. Where the journal goes on behind what the folder held
 * when it was read, so does this. */
static struct result read_slow(struct scan_thread *thread, const struct journal_place *place, uint64_t position_end)
{
    const struct scan_options *options = thread->scan->options;
    struct journal_reader_options reading = {.from_position = place->position, .place = place};
    struct journal_reader *reader;
    struct result result = journal_reader_open(thread->os, thread->scan->folder.path, &reading, &reader);
    TRY(result);
    for (;;) {
        struct journal_block_view block;
        result = journal_reader_next(reader, &block);
        if (result.code == JOURNAL_CORRUPT) {
            uint64_t position = journal_reader_position(reader);
            if (position >= position_end) break;
            if (wanted(options, position)) tell_damage(thread, position, 0, result);
            continue;
        }
        if (result_failed(result) || block.header->position >= position_end) break;
        if (options->to_position && block.header->position > options->to_position) break;
        if (wanted(options, block.header->position)) options->block(options->context, thread->number, &block);
    }
    if (position_end == UINT64_MAX && result.code == STORE_NOT_FOUND) {
        lock(thread->scan);
        journal_reader_place(reader, &thread->scan->report.end);
        unlock(thread->scan);
    }
    journal_reader_close(reader);
    bool ended = !result_failed(result) || result.code == STORE_NOT_FOUND || result.code == JOURNAL_CORRUPT;
    return ended ? result_ok() : result;
}

/* ---- a piece ---- */

static struct result give_blocks(struct scan_thread *thread, const struct scan_piece *piece)
{
    const struct scan_options *options = thread->scan->options;
    struct journal_place place = piece->place;
    for (uint64_t at = 0; at < piece->size;) {
        const uint8_t *bytes = thread->buffer + at;
        struct journal_block_view block = {.header = (const struct journal_block_header *)(const void *)bytes,
                                           .slots = bytes + sizeof(struct journal_block_header),
                                           .segment = place.segment,
                                           .offset = place.offset};
        uint32_t size = format_block_size(block.header->slot_count);
        if (!format_block_intact(bytes, size)) return read_slow(thread, &place, piece->position_end);
        if (wanted(options, place.position)) options->block(options->context, thread->number, &block);
        place.offset += size;
        place.position++;
        place.predecessor = block.header->header_checksum;
        at += size;
    }
    return result_ok();
}

static struct result work_on(struct scan_thread *thread, const struct scan_piece *piece)
{
    if (result_failed(piece->failure)) {
        tell_damage(thread, 0, piece->failed_segment, piece->failure);
        return result_ok();
    }
    return piece->slow ? read_slow(thread, &piece->place, piece->position_end) : give_blocks(thread, piece);
}

/* Waits until all pieces before are ended, and ends this one. */
static void end_piece(struct scan_thread *thread, const struct scan_piece *piece, struct result result)
{
    struct scan *scan = thread->scan;
    const struct scan_options *options = scan->options;
    lock(scan);
    while (scan->turn != piece->sequence) CHECK(pthread_cond_wait(&scan->turn_changed, &scan->mutex) == 0);
    bool stopped = scan->stopped;
    unlock(scan);
    bool go_on = !stopped && (!options->end || options->end(options->context, thread->number));
    lock(scan);
    if (!go_on) scan->stopped = true;
    if (result_failed(result) && !result_failed(scan->failure)) {
        scan->failure = result;
        scan->stopped = true;
    }
    scan->turn++;
    CHECK(pthread_cond_broadcast(&scan->turn_changed) == 0);
    unlock(scan);
}

static void read_pieces(struct scan_thread *thread)
{
    struct scan *scan = thread->scan;
    for (;;) {
        struct scan_piece piece;
        bool taken = false;
        lock(scan);
        struct result result = result_ok();
        if (!scan->stopped) result = scan_take(scan, thread->os, thread->buffer, &piece, &taken);
        if (result_failed(result)) {
            if (!result_failed(scan->failure)) scan->failure = result;
            scan->stopped = true;
        }
        if (taken && !result_failed(result)) piece.sequence = scan->sequence_next++;
        unlock(scan);
        if (!taken || result_failed(result)) return;
        end_piece(thread, &piece, work_on(thread, &piece));
    }
}

/* ---- the whole ---- */

static void *thread_main(void *argument)
{
    struct scan_thread *thread = argument;
    const struct scan_options *options = thread->scan->options;
    thread->os = options->os_create(options->context);
    if (!thread->os) return NULL;
    read_pieces(thread);
    options->os_destroy(options->context, thread->os);
    return NULL;
}

static struct result run_threads(struct scan *scan)
{
    struct scan_thread threads[SCAN_THREADS_MAX];
    unsigned count = scan->options->thread_count, started = 0;
    struct result result = result_ok();
    for (unsigned i = 0; i < count && !result_failed(result); i++) {
        threads[i] = (struct scan_thread){
            .scan = scan, .number = i, .os = scan->options->os, .buffer = aligned_alloc(OS_BLOCK_SIZE, PIECE_SIZE)};
        if (!threads[i].buffer) {
            result = result_of(NO_MEMORY);
            break;
        }
        /* The first one is the caller's own, which comes last; fewer than asked for will do. */
        if (i > 0 && pthread_create(&threads[i].thread, NULL, thread_main, &threads[i]) != 0) {
            free(threads[i].buffer);
            break;
        }
        started++;
    }
    if (started > 0) read_pieces(&threads[0]);
    for (unsigned i = 1; i < started; i++) CHECK(pthread_join(threads[i].thread, NULL) == 0);
    for (unsigned i = 0; i < started; i++) free(threads[i].buffer);
    return started > 0 ? scan->failure : result;
}

struct result journal_scan(const struct scan_options *options, struct scan_report *ret_report)
{
    CHECK(options->thread_count > 0 && options->thread_count <= SCAN_THREADS_MAX && options->block);
    CHECK(options->thread_count == 1 || (options->os_create && options->os_destroy));
    CHECK(options->key_count <= SCAN_KEYS_MAX);
    struct scan *scan = calloc(1, sizeof *scan);
    if (!scan) return result_of(NO_MEMORY);
    scan->options = options;
    struct result result = folder_read_all(options->os, options->folder, &scan->folder);
    if (result_failed(result)) {
        free(scan);
        return result;
    }
    CHECK(pthread_mutex_init(&scan->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&scan->turn_changed, NULL) == 0);
    result = run_threads(scan);
    scan_cursor_close(scan, options->os);
    if (ret_report) *ret_report = scan->report;
    pthread_cond_destroy(&scan->turn_changed);
    pthread_mutex_destroy(&scan->mutex);
    folder_release(&scan->folder);
    free(scan);
    return result;
}

struct result journal_segments(struct os *os, const char *folder, struct scan_segment **ret_segments, size_t *ret_count)
{
    struct folder read;
    TRY(folder_read_all(os, folder, &read));
    struct scan_segment *segments = calloc(read.count + 1, sizeof *segments);
    size_t count = 0;
    for (size_t i = 0; segments && i < read.count; i++) {
        const struct folder_file *file = &read.files[i];
        struct index_file index;
        if (!file->chain) continue;
        struct scan_segment *segment = &segments[count++];
        *segment = (struct scan_segment){.number = file->number,
                                         .first_position = file->header->first_position,
                                         .limit = file->limit,
                                         .time_ms = file->header->time_ms};
        segment->indexed = !result_failed(index_file_open(os, folder, file->header, &index));
        if (segment->indexed) index_file_close(os, &index);
    }
    folder_release(&read);
    if (!segments) return result_of(NO_MEMORY);
    *ret_segments = segments;
    *ret_count = count;
    return result_ok();
}
