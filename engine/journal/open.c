/* Start: reads the folder, finds the end, hands what lies behind `after_position` to the caller, and begins a new run
 * in a fresh segment. The numbered crash story is in FORMAT.md; steps here bear its numbers. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "journal/index_keep.h"
#include "journal/internal.h"
#include "journal/tail.h"
#include "journal/walk.h"

struct segment *segment_new(uint64_t number, uint64_t size)
{
    struct segment *segment = calloc(1, sizeof *segment);
    if (!segment) return NULL;
    segment->number = number;
    segment->size = size;
    segment->last = UINT64_MAX;
    segment->file = -1;
    return segment;
}

void segment_free(struct segment *segment)
{
    if (!segment) return;
    free(segment->header);
    free(segment);
}

/* Where a run ended while blocks of it may lie behind its end. */
struct run_end {
    const struct folder_file *file;
    uint64_t offset;
    uint64_t position;
};

struct recovery {
    struct journal *journal;
    struct folder folder;
    struct walk walk;
    struct tail tail;
    uint64_t after_position;
    journal_visit *visit;
    void *context;
    struct run_end *ends;
    size_t end_count;
    uint64_t position; /* first free one */
};

static struct result run_ended(void *context, const struct folder_file *file, uint64_t offset, uint64_t position)
{
    struct recovery *recovery = context;
    /* A checkpoint behind the end was made by a run that had these blocks in its table already. */
    if (position <= recovery->after_position) return result_ok();
    struct run_end *more = realloc(recovery->ends, (recovery->end_count + 1) * sizeof *more);
    if (!more) return result_of(NO_MEMORY);
    recovery->ends = more;
    more[recovery->end_count++] = (struct run_end){.file = file, .offset = offset, .position = position};
    return result_ok();
}

static struct result take_block(struct recovery *recovery, const struct journal_block_view *block)
{
    tail_note(&recovery->tail, block);
    TRY(seal_state_apply(&recovery->journal->keeper.seals, block));
    if (block->header->position <= recovery->after_position) return result_ok();
    return recovery->visit ? recovery->visit(recovery->context, block) : result_ok();
}

static struct result walk_all(struct recovery *recovery)
{
    for (;;) {
        struct journal_block_view block;
        struct result result = walk_next(&recovery->walk, &block);
        if (result.code == STORE_NOT_FOUND) break;
        TRY(result);
        TRY(take_block(recovery, &block));
    }
    struct walk *walk = &recovery->walk;
    recovery->position = walk->position;
    recovery->journal->predecessor = walk->predecessor;
    recovery->journal->time_ms = walk->time_ms;
    /* A file that was cut short after its header was written: what stood in the rest of it, nobody can say. */
    TRY(walk->file->passed);
    TRY(run_ended(recovery, walk->file, walk->offset, walk->position));
    for (size_t i = 0; i < recovery->end_count && recovery->visit; i++) {
        const struct run_end *end = &recovery->ends[i];
        TRY(walk_salvage(walk, end->file, end->offset, end->position, recovery->visit, recovery->context));
    }
    return result_ok();
}

/* The first chain segment that is not closed yet. */
static const struct folder_file *first_open(const struct folder *folder, uint64_t closed_segment)
{
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].chain && folder->files[i].number > closed_segment) return &folder->files[i];
    return NULL;
}

/* Files armed ahead have the numbers right behind the newest; a hole means that a file went that was in use. */
static bool hole_behind(const struct folder *folder, uint64_t newest)
{
    uint64_t expected = newest + 1;
    for (size_t i = 0; i < folder->count; i++) {
        if (folder->files[i].number <= newest) continue;
        if (folder->files[i].number != expected++) return true;
    }
    return false;
}

/* A file has its full size before it is armed. Where the next one in turn does not even hold a header, nobody can say
 * any more whether it was in use. */
static bool cut_behind(const struct folder *folder, uint64_t newest)
{
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].number == newest + 1) return folder->files[i].size < SEGMENT_HEADER_SIZE;
    return false;
}

static struct result recover_nothing(struct recovery *recovery)
{
    recovery->position = 1;
    if (cut_behind(&recovery->folder, 0)) return result_of(JOURNAL_CORRUPT);
    if (recovery->after_position > 0 || hole_behind(&recovery->folder, 0)) return result_of(JOURNAL_MISSING);
    return result_ok();
}

/* Steps R1 to R4. */
static struct result recover(struct os *os, struct recovery *recovery)
{
    const struct folder *folder = &recovery->folder;
    struct keeper *keeper = &recovery->journal->keeper;
    const struct folder_file *newest = folder_newest(folder);
    if (!newest) return recover_nothing(recovery);
    seal_state_from_header(&keeper->seals, newest->header);
    uint64_t from = recovery->after_position + 1;
    recovery->position = from;
    const struct folder_file *open = first_open(folder, newest->header->closed_segment);
    if (open && open->header->first_position < from) from = open->header->first_position;
    recovery->tail.committed_through = recovery->after_position;
    if (newest->header->committed_through > recovery->after_position)
        recovery->tail.committed_through = newest->header->committed_through;
    TRY(walk_seek(&recovery->walk, from));
    struct result result = walk_all(recovery);
    if (result_failed(result)) {
        recovery->position = recovery->walk.position;
        return result;
    }
    if (recovery->position <= recovery->after_position) return result_of(JOURNAL_MISSING);
    if (hole_behind(folder, newest->number)) return result_of(JOURNAL_MISSING);
    if (cut_behind(folder, newest->number)) return result_of(JOURNAL_CORRUPT);
    uint64_t bad_position = recovery->position;
    result = tail_make_safe(&recovery->tail, os, folder, &bad_position);
    if (result_failed(result)) recovery->position = bad_position;
    return result;
}

/* ---- the new run ---- */

/* The list of segments that stand in the folder, oldest first. */
static struct result list_segments(struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    struct segment **link = &journal->oldest;
    for (size_t i = 0; i < recovery->folder.count; i++) {
        const struct folder_file *file = &recovery->folder.files[i];
        if (!file->valid) continue;
        struct segment *segment = segment_new(file->number, file->header->size);
        if (!segment) return result_of(NO_MEMORY);
        /* One that would begin at or behind the end holds nothing: its header came to the disk before the blocks did.
         */
        uint64_t limit = file->limit < recovery->position ? file->limit : recovery->position;
        segment->first = file->header->first_position;
        segment->counts = file->chain && limit > segment->first;
        segment->last = segment->counts ? limit - 1 : segment->first - 1;
        segment->mac_segment = file->header->mac_segment;
        segment->closed_segment = file->header->closed_segment;
        segment->time_ms = file->header->time_ms;
        segment->header_durable = true;
        *link = segment;
        link = &segment->next;
    }
    return result_ok();
}

/* Numbers that were armed ahead go back, the highest first, so that no crash leaves a hole. */
static struct result disarm(struct os *os, struct recovery *recovery, uint64_t newest)
{
    struct folder *folder = &recovery->folder;
    struct keeper *keeper = &recovery->journal->keeper;
    for (size_t i = folder->count; i-- > 0;) {
        const struct folder_file *file = &folder->files[i];
        if (file->number <= newest) break;
        char name[FILE_NAME_SIZE];
        char spare[FILE_NAME_SIZE];
        file_segment_name(file->number, name);
        bool fits = file->size == recovery->journal->options.segment_size;
        uint64_t number = keeper->spare_next;
        file_spare_name(number, spare);
        TRY(fits ? file_rename(os, folder->path, name, spare) : file_unlink(os, folder->path, name));
        TRY(file_sync_folder(os, folder->path));
        if (!fits) continue;
        keeper->spare_next++;
        keeper->spares[keeper->spare_count++] = number;
    }
    return result_ok();
}

/* What a dead process renamed may be seen and not yet safe, as what it wrote (step R4): were names changed on top of
 * it, a power cut could keep the later change and lose the earlier one, and leave a hole. */
static struct result collect_spares(struct os *os, struct recovery *recovery)
{
    struct folder *folder = &recovery->folder;
    struct keeper *keeper = &recovery->journal->keeper;
    TRY(file_sync_folder(os, folder->path));
    keeper->spares = calloc(folder->spare_count + folder->count + 1, sizeof *keeper->spares);
    if (!keeper->spares) return result_of(NO_MEMORY);
    for (size_t i = 0; i < folder->spare_count; i++)
        if (folder->spares[i].number >= keeper->spare_next) keeper->spare_next = folder->spares[i].number + 1;
    for (size_t i = 0; i < folder->spare_count; i++) {
        const struct folder_spare *spare = &folder->spares[i];
        char name[FILE_NAME_SIZE];
        if (!spare->making && spare->size == recovery->journal->options.segment_size) {
            keeper->spares[keeper->spare_count++] = spare->number;
            continue;
        }
        (spare->making ? file_making_name : file_spare_name)(spare->number, name);
        TRY(file_unlink(os, folder->path, name));
    }
    const struct folder_file *newest = folder_newest(folder);
    recovery->journal->segment_number_next = (newest ? newest->number : 0) + 1;
    return disarm(os, recovery, newest ? newest->number : 0);
}

/* The segment of the new run: its header is durable before anything else of it. Step R6. */
static struct result begin_segment(struct os *os, struct journal *journal, uint64_t mac_segment)
{
    while (journal->keeper.spare_count == 0) {
        bool made;
        TRY(spare_make_step(journal, os, &made));
    }
    struct segment *segment;
    TRY(spare_arm(journal, os, &segment));
    struct segment **link = &journal->oldest;
    while (*link) link = &(*link)->next;
    *link = segment;
    segment->first = journal->position_next;
    segment->mac_segment = mac_segment;
    journal->current = segment;
    journal->offset = SEGMENT_HEADER_SIZE;
    journal_header_fill(journal, segment);
    TRY(file_write(os, segment->file, segment->header, SEGMENT_HEADER_SIZE, 0, OS_WRITE_DSYNC));
    segment->header_durable = true;
    segment->counts = true;
    return result_ok();
}

/* The key of the oldest segment that is still to be closed. Step R5. */
static struct result fit_vault(struct journal *journal, uint64_t mac_segment)
{
    if (!journal->vault) return result_ok();
    uint64_t needed = mac_segment;
    for (const struct segment *segment = journal->oldest; segment; segment = segment->next) {
        if (segment->number <= journal->keeper.seals.closed_segment || !segment->counts) continue;
        needed = segment->mac_segment;
        break;
    }
    if (vault_mac_segment(journal->vault) > needed) return result_of(JOURNAL_BAD_SEAL);
    while (vault_mac_segment(journal->vault) < needed) {
        vault_mac_advance(journal->vault);
        journal->keeper.keys_dirty = true;
    }
    return result_ok();
}

static struct result begin_run(struct os *os, struct recovery *recovery)
{
    struct journal *journal = recovery->journal;
    const struct folder_file *newest = folder_newest(&recovery->folder);
    journal->incarnation = newest ? newest->header->incarnation + 1 : 1;
    journal->position_next = journal->run_first = recovery->position;
    atomic_store(&journal->durable_through, recovery->position - 1);
    TRY(list_segments(recovery));
    journal->closed = journal->keeper.seals;
    atomic_store(&journal->sealed_through, journal->closed.sealed_through);
    uint64_t mac_segment = journal->vault ? vault_mac_segment(journal->vault) : 1;
    for (const struct segment *segment = journal->oldest; segment; segment = segment->next)
        if (segment->counts) mac_segment = segment->mac_segment + 1;
    TRY(fit_vault(journal, mac_segment));
    TRY(collect_spares(os, recovery));
    return begin_segment(os, journal, mac_segment);
}

static struct result set_options(struct journal *journal, const struct journal_options *options)
{
    struct journal_options *own = &journal->options;
    *own = *options;
    if (own->segment_size == 0) own->segment_size = 64ULL << 20;
    if (own->keep_size == 0) own->keep_size = 4ULL << 30;
    if (own->spare_count == 0) own->spare_count = 4;
    if (own->unsealed_max == 0) own->unsealed_max = (256ULL << 20) + own->spare_count * own->segment_size;
    if (own->busy_bytes == 0) own->busy_bytes = 1 << 20;
    if (own->depth_max == 0) own->depth_max = 8;
    if (own->writer_count_max == 0) own->writer_count_max = JOURNAL_WRITERS_MAX;
    if (own->segment_size < SEGMENT_SIZE_MIN || own->segment_size % JOURNAL_BLOCK_ALIGNMENT != 0 ||
        own->depth_max > JOURNAL_DEPTH_LIMIT || own->writer_count_max > JOURNAL_WRITERS_MAX)
        return result_of(BAD_ARGUMENT);
    journal->folder = strdup(options->folder);
    if (!journal->folder) return result_of(NO_MEMORY);
    own->folder = journal->folder;
    if (own->index) journal->keeper.indexes = index_keep_create();
    journal->block_size_max = JOURNAL_BLOCK_ALIGNMENT;
    journal->keeper.making_file = -1;
    /* The first making of a spare must not wait, whatever the clock says. */
    journal->keeper.no_room_ms = INT64_MIN / 2;
    journal->keeper.sealed_ms = INT64_MIN / 2;
    pthread_mutexattr_t attributes;
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP) == 0);
    CHECK(pthread_mutex_init(&journal->mutex, &attributes) == 0);
    pthread_mutexattr_destroy(&attributes);
    return result_ok();
}

struct result journal_open(struct os *os, const struct journal_options *options, struct vault *vault,
                           uint64_t after_position, journal_visit *visit, void *context, struct journal **ret_journal,
                           uint64_t *ret_bad_position)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (!journal) return result_of(NO_MEMORY);
    struct result result = set_options(journal, options);
    if (result_failed(result)) {
        free(journal->folder);
        free(journal);
        return result;
    }
    journal->vault = vault;
    struct recovery recovery = {
        .journal = journal, .after_position = after_position, .visit = visit, .context = context};
    result = folder_read(os, options->folder, options->store_id, &recovery.folder);
    if (!result_failed(result)) result = walk_create(os, &recovery.folder, &recovery.walk);
    if (!result_failed(result)) {
        recovery.walk.run_ended = run_ended;
        recovery.walk.context = &recovery;
        result = recover(os, &recovery);
        if (!result_failed(result)) result = begin_run(os, &recovery);
        walk_destroy(&recovery.walk);
    }
    free(recovery.ends);
    folder_release(&recovery.folder);
    if (result_failed(result)) {
        if (ret_bad_position) *ret_bad_position = recovery.position;
        journal_close(journal, os);
        return result;
    }
    *ret_journal = journal;
    return result_ok();
}

void journal_close(struct journal *journal, struct os *os)
{
    if (!journal) return;
    for (uint32_t i = 0; i < JOURNAL_WRITERS_MAX; i++) CHECK(!journal->writers[i]);
    struct segment *segment = journal->oldest;
    while (segment) {
        struct segment *next = segment->next;
        file_close(os, segment->file);
        segment_free(segment);
        segment = next;
    }
    file_close(os, journal->keeper.making_file);
    source_destroy(&journal->keeper.source);
    index_keep_destroy(journal->keeper.indexes, os);
    free(journal->keeper.spares);
    free(journal->keeper.zeros);
    pthread_mutex_destroy(&journal->mutex);
    free(journal->folder);
    free(journal);
}
