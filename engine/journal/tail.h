/* The end of the last run, made safe before a new run rests on it: step R4 of FORMAT.md.
 *
 * What a process wrote and nobody called durable may be readable and yet not safe, and a sync does not help where a
 * flush failed before: drives and kernels forget what a failed flush was about, still give the bytes back to reads, and
 * call the next flush done. So these blocks and headers are written again, byte for byte, with data sync.
 *
 * Used at start, by one thread. */
#ifndef OTPRING_JOURNAL_TAIL_H
#define OTPRING_JOURNAL_TAIL_H

#include "journal/folder.h"
#include "journal/journal.h"

struct tail_place {
    uint64_t segment;
    uint64_t offset;
    uint64_t position;
    uint32_t size;
};

struct tail {
    /* Durable for certain: a block or header says so that was made when the writes up to here had come back, or the
     * store's own position does. Whether the one that says so is durable itself does not matter. */
    uint64_t committed_through;
    uint64_t count;                                /* of blocks noted */
    struct tail_place places[JOURNAL_DEPTH_LIMIT]; /* of the last ones, by count */
};

/* Each block of the chain in order of position. */
void tail_note(struct tail *tail, const struct journal_block_view *block);

/* Writes again what was noted and lies behind committed_through, and the headers of the newest run's segments that
 * begin there. JOURNAL_CORRUPT, with ret_bad_position: more blocks lie there than can be in flight at once (I3), or one
 * is no longer what it was a moment ago. OS_FAILED and other errors of the disk: nothing may rest on it yet. */
struct result tail_make_safe(const struct tail *tail, struct os *os, const struct folder *folder,
                             uint64_t *ret_bad_position) MUST_USE;

#endif
