/* Spares: made by writing zeros through, armed by taking the next segment number, and come by from recycled segments.
 * Order: zeros, sync of the file, rename, sync of the folder; only then may a worker write into it. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "journal/internal.h"

/* Small writes, since the device serves them in turn with the workers' blocks. */
enum { CHUNK_SIZE = 256 << 10, CHUNKS_PER_STEP = 4, NO_ROOM_PAUSE_MS = 1000, DEMAND_MS = 60000, TRIM_PAUSE_MS = 1000 };

/* A checkpoint lets many segments go at once, all of which load will want again before the next one. To remove their
 * files and write through new ones was a third of all writes with ten million tokens; and where the disk is told of
 * removed blocks (the mount option discard), twenty of them held up verification for half a second. So as many files
 * are worth keeping as segments were armed of late. */
static uint32_t worth_keeping(const struct journal *journal)
{
    return journal->options.spare_count + journal->keeper.demand + journal->keeper.demand_before;
}

static void demand_age(struct keeper *keeper, int64_t now_ms)
{
    int64_t since_ms = now_ms - keeper->demand_ms;
    if (since_ms >= 0 && since_ms < DEMAND_MS) return;
    keeper->demand_before = since_ms >= 0 && since_ms < 2 * DEMAND_MS ? keeper->demand : 0;
    keeper->demand = 0;
    keeper->demand_ms = now_ms;
}

/* Load has gone: one file at a time. A crash before the folder is synced leaves a spare, which is what it was; so does
 * a failure. */
static void trim(struct journal *journal, struct os *os, int64_t now_ms)
{
    struct keeper *keeper = &journal->keeper;
    char name[FILE_NAME_SIZE];
    if (keeper->spare_count <= worth_keeping(journal) || now_ms - keeper->trimmed_ms < TRIM_PAUSE_MS) return;
    file_spare_name(keeper->spares[--keeper->spare_count], name);
    keeper->trimmed_ms = now_ms;
    (void)!result_failed(file_unlink(os, journal->folder, name));
}

static struct result begin_making(struct journal *journal, struct os *os)
{
    struct keeper *keeper = &journal->keeper;
    if (!keeper->zeros) {
        keeper->zeros = aligned_alloc(OS_BLOCK_SIZE, CHUNK_SIZE);
        if (!keeper->zeros) return result_of(NO_MEMORY);
        memset(keeper->zeros, 0, CHUNK_SIZE);
    }
    char name[FILE_NAME_SIZE];
    keeper->making_number = keeper->spare_next++;
    keeper->making_offset = 0;
    file_making_name(keeper->making_number, name);
    TRY(file_open(os, journal->folder, name, OS_OPEN_WRITE | OS_OPEN_CREATE | OS_OPEN_DIRECT, &keeper->making_file));
    return result_ok();
}

static void give_up(struct journal *journal, struct os *os)
{
    struct keeper *keeper = &journal->keeper;
    char name[FILE_NAME_SIZE];
    file_making_name(keeper->making_number, name);
    file_close(os, keeper->making_file);
    keeper->making_file = -1;
    /* When even this fails the next start removes it. */
    (void)!result_failed(file_unlink(os, journal->folder, name));
}

static struct result write_zeros(struct journal *journal, struct os *os)
{
    struct keeper *keeper = &journal->keeper;
    uint64_t size = journal->options.segment_size;
    for (int i = 0; i < CHUNKS_PER_STEP && keeper->making_offset < size; i++) {
        uint64_t left = size - keeper->making_offset;
        uint32_t chunk = left < CHUNK_SIZE ? (uint32_t)left : CHUNK_SIZE;
        TRY(file_write(os, keeper->making_file, keeper->zeros, chunk, keeper->making_offset, OS_WRITE));
        keeper->making_offset += chunk;
    }
    return result_ok();
}

static struct result keep_spare(struct keeper *keeper, uint64_t number)
{
    uint64_t *more = realloc(keeper->spares, (keeper->spare_count + 1) * sizeof *more);
    if (!more) return result_of(NO_MEMORY);
    keeper->spares = more;
    keeper->spares[keeper->spare_count++] = number;
    return result_ok();
}

static struct result end_making(struct journal *journal, struct os *os)
{
    struct keeper *keeper = &journal->keeper;
    char name[FILE_NAME_SIZE];
    char spare[FILE_NAME_SIZE];
    TRY(file_sync(os, keeper->making_file));
    file_close(os, keeper->making_file);
    keeper->making_file = -1;
    file_making_name(keeper->making_number, name);
    file_spare_name(keeper->making_number, spare);
    TRY(file_rename(os, journal->folder, name, spare));
    return keep_spare(keeper, keeper->making_number);
}

struct result spare_make_step(struct journal *journal, struct os *os, bool *ret_made)
{
    struct keeper *keeper = &journal->keeper;
    if (keeper->making_file < 0) {
        struct result begun = begin_making(journal, os);
        if (result_failed(begun)) return begun;
    }
    struct result result = write_zeros(journal, os);
    if (!result_failed(result) && keeper->making_offset >= journal->options.segment_size) {
        result = end_making(journal, os);
        *ret_made = !result_failed(result);
    }
    if (result_failed(result) && keeper->making_file >= 0) give_up(journal, os);
    return result;
}

/* A failed sync is the journal's end here as with blocks: whether the names are safe will not be known any more,
 * whatever a later sync says, and what is renamed on top of that may be found under another name. */
static struct result sync_names(struct journal *journal, struct os *os)
{
    struct result result = file_sync_folder(os, journal->folder);
    if (result_failed(result)) journal_poison(journal);
    return result;
}

struct result spare_arm(struct journal *journal, struct os *os, struct segment **ret_segment)
{
    struct keeper *keeper = &journal->keeper;
    CHECK(keeper->spare_count > 0);
    struct segment *segment = segment_new(journal->segment_number_next, journal->options.segment_size);
    if (!segment) return result_of(NO_MEMORY);
    segment->header = aligned_alloc(OS_BLOCK_SIZE, SEGMENT_HEADER_SIZE);
    char spare[FILE_NAME_SIZE];
    char name[FILE_NAME_SIZE];
    file_spare_name(keeper->spares[keeper->spare_count - 1], spare);
    file_segment_name(segment->number, name);
    struct result result = segment->header ? result_ok() : result_of(NO_MEMORY);
    if (!result_failed(result))
        result = file_open(os, journal->folder, spare, OS_OPEN_WRITE | OS_OPEN_DIRECT, &segment->file);
    if (!result_failed(result)) result = file_rename(os, journal->folder, spare, name);
    if (!result_failed(result)) result = sync_names(journal, os);
    if (result_failed(result)) {
        file_close(os, segment->file);
        segment_free(segment);
        if (result.code == OS_NOT_FOUND) keeper->spare_count--;
        return result;
    }
    keeper->spare_count--;
    keeper->demand++;
    journal->segment_number_next++;
    *ret_segment = segment;
    return result_ok();
}

static void link_armed(struct journal *journal, struct segment *segment)
{
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    struct segment *last = journal->current;
    while (last->next) last = last->next;
    segment->counts = true;
    last->next = segment;
    journal->armed_count++;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
}

static uint32_t armed_count(struct journal *journal)
{
    CHECK(pthread_mutex_lock(&journal->mutex) == 0);
    uint32_t count = journal->armed_count;
    CHECK(pthread_mutex_unlock(&journal->mutex) == 0);
    return count;
}

struct result spare_keep(struct journal *journal, struct os *os, int64_t now_ms, bool *ret_more)
{
    struct keeper *keeper = &journal->keeper;
    demand_age(keeper, now_ms);
    if (armed_count(journal) >= journal->options.spare_count) {
        trim(journal, os, now_ms);
        return result_ok();
    }
    if (keeper->spare_count > 0) {
        struct segment *segment;
        struct result armed = spare_arm(journal, os, &segment);
        *ret_more = armed.code == OS_NOT_FOUND; /* somebody removed it: the next one will do */
        if (*ret_more) return result_ok();
        TRY(armed);
        link_armed(journal, segment);
        atomic_store(&journal->no_room, false);
        *ret_more = true;
        return result_ok();
    }
    int64_t since_ms = now_ms - keeper->no_room_ms;
    if (atomic_load(&journal->no_room) && since_ms >= 0 && since_ms < NO_ROOM_PAUSE_MS) return result_ok();
    bool made = false;
    struct result result = spare_make_step(journal, os, &made);
    if (result.code == OS_NO_SPACE) {
        /* Not poison: service goes on while there is room, and resumes when a spare can be made. */
        atomic_store(&journal->no_room, true);
        keeper->no_room_ms = now_ms;
        return result_ok();
    }
    TRY(result);
    *ret_more = true;
    return result_ok();
}

struct result spare_recycle(struct journal *journal, struct os *os, struct segment *segment)
{
    struct keeper *keeper = &journal->keeper;
    char name[FILE_NAME_SIZE];
    file_segment_name(segment->number, name);
    file_close(os, segment->file);
    segment->file = -1;
    if (segment->size == journal->options.segment_size && keeper->spare_count < worth_keeping(journal)) {
        char spare[FILE_NAME_SIZE];
        uint64_t number = keeper->spare_next++;
        file_spare_name(number, spare);
        TRY(file_rename(os, journal->folder, name, spare));
        TRY(sync_names(journal, os));
        return keep_spare(keeper, number);
    }
    TRY(file_unlink(os, journal->folder, name));
    return sync_names(journal, os);
}
