/* Walking the chain of blocks in order of position, and telling a torn tail from corruption where it ends. Recovery,
 * the reader and the check share it. Reads only; what it reads may be hostile. One thread. */
#ifndef OTPRING_JOURNAL_WALK_H
#define OTPRING_JOURNAL_WALK_H

#include "journal/folder.h"
#include "journal/journal.h"

struct walk {
    struct os *os;
    const struct folder *folder;
    struct folder_file *file; /* NULL: nothing is left */
    struct source source;
    uint64_t largest;     /* of the files when the walk was made, in whole blocks of the disk */
    uint64_t offset;      /* of the next block */
    uint64_t position;    /* of the next block */
    uint64_t predecessor; /* what it must name */
    bool predecessor_known;
    int64_t time_ms; /* of the last block */
    /* May be NULL: told where a run ended (behind its last block) before the walk enters the next run. */
    struct result (*run_ended)(void *context, const struct folder_file *file, uint64_t offset, uint64_t position);
    void *context;
};

struct result walk_create(struct os *os, const struct folder *folder, struct walk *ret_walk) MUST_USE;
void walk_destroy(struct walk *walk);
/* To the beginning of the segment that holds `position`. JOURNAL_MISSING when there is none. */
struct result walk_seek(struct walk *walk, uint64_t position) MUST_USE;
/* The next block. STORE_NOT_FOUND: the end, torn or clean, walk->position is the first free one. JOURNAL_CORRUPT and
 * JOURNAL_MISSING: walk->position is bad although it was committed. os: a read failed, which is never taken for a tear.
 */
struct result walk_next(struct walk *walk, struct journal_block_view *ret_block) MUST_USE;
/* After JOURNAL_CORRUPT: on to the next intact block behind the damage; false when there is none. */
struct result walk_skip(struct walk *walk, bool *ret_found) MUST_USE;

/* Intact blocks of the run of `file` from `position` on that no chain reaches: in `file` from `offset`, and in the
 * files behind it up to the next run. `visit` gets them as salvaged. */
struct result walk_salvage(struct walk *walk, const struct folder_file *file, uint64_t offset, uint64_t position,
                           journal_visit *visit, void *context) MUST_USE;

/* An intact block at `offset` of the open file, whatever its position; *ret_size 0 when there is none. */
struct result walk_intact_at(struct walk *walk, uint64_t offset, const uint8_t **ret_bytes,
                             uint32_t *ret_size) MUST_USE;
/* Where blocks that were in flight may lie: sizes differ, so the place behind a bad block is unknown, and every 4096
 * bytes are looked at. `each` returns true to stop. Blocks of earlier runs and lower positions are stale ones of a
 * recycled file. */
struct walk_scan {
    uint64_t from;
    uint64_t position;    /* the least of interest */
    uint64_t incarnation; /* the least of interest */
    uint32_t depth_max;
    bool (*each)(void *context, const struct journal_block_view *block);
    void *context;
};
/* Of the open file, which is segment `number`. */
struct result walk_scan_file(struct walk *walk, uint64_t number, const struct walk_scan *scan,
                             bool *ret_stopped) MUST_USE;

#endif
