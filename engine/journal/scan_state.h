/* The inside of a scan: scan.c has the threads, scan_take.c decides what is read next. */
#ifndef OTPRING_JOURNAL_SCAN_STATE_H
#define OTPRING_JOURNAL_SCAN_STATE_H

#include <pthread.h>

#include "journal/folder.h"
#include "journal/index.h"
#include "journal/scan.h"

enum { PIECE_SIZE = 4 << 20 };

/* A segment that is being read; closed by the last piece that holds it. */
struct scan_cursor {
    size_t next_file;               /* in folder.files */
    bool told;                      /* what is wrong with that file */
    const struct folder_file *file; /* NULL: none is open */
    int descriptor;
    uint64_t offset;
    uint64_t range_end; /* offset up to which reading goes on without a look at the index */
    uint64_t position;
    uint64_t predecessor;
    bool predecessor_known;
    bool indexed;
    struct index_file index;
    uint32_t group; /* next one of the index to be looked at */
    bool can[INDEX_GROUPS_MAX];
};

struct scan {
    const struct scan_options *options;
    struct folder folder;
    pthread_mutex_t mutex;
    pthread_cond_t turn_changed;
    /* under mutex */
    struct scan_cursor cursor;
    uint64_t sequence_next;
    uint64_t turn;
    bool stopped;
    bool taken_all;
    struct result failure;
    struct scan_report report;
};

/* What a thread works on: whole blocks in its buffer, or, `slow`, everything from `place` to before `position_end`, by
 * the careful reader. */
struct scan_piece {
    uint64_t sequence;
    bool slow;
    struct journal_place place;
    uint64_t position_end;
    uint64_t size; /* bytes of whole blocks */
    uint64_t incarnation;
    uint64_t failed_segment; /* where `failure` is set: a finding, nothing is read */
    struct result failure;
};

/* Under the mutex: the next piece, read into `buffer` (PIECE_SIZE). False: there is none. */
struct result scan_take(struct scan *scan, struct os *os, uint8_t *buffer, struct scan_piece *ret_piece,
                        bool *ret_taken) MUST_USE;
void scan_cursor_close(struct scan *scan, struct os *os);

#endif
