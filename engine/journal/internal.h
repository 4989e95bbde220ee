/* What the files of this room share; nobody else includes it.
 * Bytes: format.c merkle.c. Reading: file.c folder.c walk.c reader.c check.c. Writing: open.c append.c recent.c.
 * Housekeeping: spare.c seal.c keep.c, index_build.c index_keep.c. For tools: index.c index_file.c scan.c scan_take.c.
 *
 * Threads. `mutex` is the one lock of the commit path; what it guards says so. The keeper's part belongs to the thread
 * that calls journal_keep (and, before and after, to those of journal_open, journal_finish and journal_close). */
#ifndef OTPRING_JOURNAL_INTERNAL_H
#define OTPRING_JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "journal/file.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "journal/merkle.h"

_Static_assert((int)MERKLE_PAGE == (int)JOURNAL_BLOCK_ALIGNMENT, "a block is whole pages");

enum {
    JOURNAL_WRITERS_MAX = 64,
    /* Room that only the journal's own records may take, so that a full journal can still close, seal and recycle
       segments. */
    JOURNAL_OWN_RESERVE = 8 * JOURNAL_BLOCK_ALIGNMENT,
    /* Newest positions that may be found in memory. */
    JOURNAL_RECENT_MAX = 1024,
    /* The keeper looks so often how much is written. */
    JOURNAL_TICK_MS = 100,
};

/* A segment file that has its number: armed ahead, being written, or behind. Segments form a list by number; the keeper
 * alone frees them. */
struct segment {
    struct segment *next;
    uint64_t number;
    uint64_t first;
    uint64_t last; /* UINT64_MAX while it is being written; first - 1 when it holds nothing that counts */
    uint64_t size;
    uint64_t mac_segment;
    uint64_t closed_segment;       /* as its header says */
    int64_t time_ms;               /* the same: journal time when it began, so that of the one before is no later */
    int file;                      /* -1: not open */
    struct segment_header *header; /* aligned; until it is durable */
    struct os_op header_op;
    struct journal_writer *header_writer;
    bool header_durable; /* under mutex */
    bool counts;         /* false: left behind by a run that died before this segment's header had its turn */
};

struct flight {
    struct journal_writer *writer;
    struct segment *segment;
    bool done;
};

struct recent {
    uint64_t position;
    struct writer_block *block;
};

/* What seals and checkpoints have come to; recovered from a segment header and the records behind it. */
struct seal_state {
    uint64_t closed_segment;
    uint64_t sealed_through;
    uint64_t seal_number;
    uint8_t seal_hash[32];
    uint8_t checkpoint_hash[32];
    /* the same as they were when closed_segment was closed */
    uint64_t closed_sealed_through;
    uint64_t closed_seal_number;
    uint8_t closed_seal_hash[32];
    /* of the segment that is being sealed, the one after closed_segment */
    uint32_t seal_count;
    struct merkle seals;
};

enum own_record { OWN_NONE, OWN_SEAL, OWN_CHECKPOINT, OWN_REMOVAL };

/* Where a block begins. */
struct seal_place {
    struct segment *segment; /* NULL: not known */
    uint64_t offset;
    uint64_t position;
};

/* The housekeeper's state: no lock. */
struct keeper {
    int64_t tick; /* of journal time */
    uint64_t tick_appended;
    bool busy; /* see journal_options.busy_bytes */
    struct seal_state seals;
    bool keys_dirty; /* the vault is ahead of the key row at rest */
    int64_t sealed_ms;
    /* the next seal's tree: leaves of [sealed_through + 1, hash_position) */
    bool hashing;
    struct page_tree leaves;
    uint64_t leaves_size; /* bytes, of this run's blocks */
    uint64_t hash_position;
    uint64_t target; /* of the seal that is due; 0: none */
    bool last_seal;  /* journal_finish: the closing seal of the segment being written was begun */
    /* where the disk is read, when memory has a block no more */
    struct seal_place place;
    struct source source;
    struct segment *source_segment; /* whose file the source reads */
    uint64_t source_through;        /* durable when the source last began anew: no older than that is what it has */
    /* the own record in flight */
    enum own_record own;
    bool own_settled;
    struct result own_result;
    union {
        struct slot_seal seal;
        struct slot_checkpoint checkpoint;
        struct slot_removal removal;
    } record;
    /* a spare being made */
    int making_file;
    uint64_t making_number;
    uint64_t making_offset;
    uint64_t spare_next; /* number for the next spare */
    uint64_t *spares;    /* numbers of spare files that are not armed */
    uint32_t spare_count;
    int64_t no_room_ms; /* when making one last failed */
    /* segments armed since demand_ms, and in the minute before that; a file that neither needs was last removed then */
    uint32_t demand, demand_before;
    int64_t demand_ms, trimmed_ms;
    uint8_t *zeros;
    struct index_keep *indexes; /* NULL: none are made */
};

struct journal {
    struct journal_options options;
    char *folder;
    struct vault *vault;
    uint64_t incarnation;
    uint64_t run_first; /* position: the first of this run */

    pthread_mutex_t mutex;
    /* under mutex */
    uint64_t position_next;
    uint64_t predecessor;
    int64_t time_ms;
    uint64_t offset; /* in current, of the next block */
    struct segment *oldest;
    struct segment *current; /* list goes on with the armed ones */
    uint32_t armed_count;
    uint64_t segment_number_next;
    uint64_t reserved;                          /* bytes begun and not appended */
    uint32_t block_count;                       /* begun or not durable */
    uint32_t block_size_max;                    /* of any writer */
    uint32_t wanting_count;                     /* writers that were told FULL for want of depth */
    struct flight flights[JOURNAL_DEPTH_LIMIT]; /* by position % depth_max */
    struct journal_writer *writers[JOURNAL_WRITERS_MAX];
    struct recent recent[JOURNAL_RECENT_MAX]; /* by position */
    uint64_t bytes_appended;
    uint64_t bytes_hashed; /* of these, what the seals count as hashed: see journal_hashed */
    uint64_t bytes_sealed; /* and what durable seals cover */
    uint32_t rotations;
    uint64_t user_position;             /* of the last block that is not the journal's own */
    struct journal_writer *wake_keeper; /* its writer, while it waits to be woken; NULL: it does not */
    uint64_t wake_at;                   /* by the block that makes this position durable */
    struct seal_state closed;           /* the keeper's when it last closed a segment, for headers */

    /* written under mutex, read anywhere */
    _Atomic uint64_t durable_through;
    _Atomic uint64_t sealed_through;
    _Atomic bool poisoned;
    _Atomic bool no_room;
    _Atomic uint64_t prune_through; /* asked for by journal_prune */

    _Atomic uint64_t hashed_through; /* written by the keeper */
    struct keeper keeper;
};

enum block_state { BLOCK_FREE, BLOCK_BEGUN, BLOCK_WRITING, BLOCK_WRITTEN, BLOCK_REFUSED };

/* What the seals want of a buffer, from append on. A free one that is WANTED may be taken for another block (the seals
 * read the disk then), one that is WANTED_READ may not. */
enum wanted { WANTED_NO, WANTED, WANTED_READ };

struct writer_block {
    struct journal_block block; /* first: the caller's pointer */
    struct os_op op;
    uint8_t *bytes; /* header, then slots */
    uint32_t size;
    uint32_t reserved;
    enum block_state state;
    bool own;                /* the journal's own record: settles with the keeper */
    _Atomic uint8_t wanted;  /* enum wanted */
    uint64_t appended;       /* the position that its bytes are of; changed under the journal's mutex */
    struct segment *segment; /* the same: where that lies */
};

struct journal_writer {
    struct journal *journal;
    struct os *os;
    struct journal_writer_options options;
    uint32_t index;
    void *memory; /* of all buffers */
    struct writer_block *blocks;
    uint32_t buffer_count; /* of blocks: what may be in flight, kept ones, and one that may be read */
    uint32_t used_count;   /* begun or in flight */
    uint32_t *queue;       /* ring of blocks in flight, by position */
    uint32_t queue_head;
    uint32_t queue_count;
    uint32_t headers; /* segment headers in flight that this writer wrote */
    bool polling;
    bool keeps;              /* journal_keep was called with it: the keeper reads with its os */
    bool wanting;            /* under the journal's mutex */
    _Atomic uint32_t wakers; /* threads about to wake this writer's os */
};

/* append.c */
struct result writer_begin(struct journal_writer *writer, uint32_t slot_count, bool own,
                           struct journal_block **ret_block) MUST_USE;
/* The seals have hashed that many bytes more of this run. UINT64_MAX: they cannot, and all counts as done. */
void journal_hashed(struct journal *journal, uint64_t size);
/* The same of what a durable seal covers. */
void journal_sealed(struct journal *journal, uint64_t size);
void journal_header_fill(const struct journal *journal, struct segment *segment);

/* recent.c: blocks that are still in their writers' buffers. */
/* Appended; under the mutex. */
void recent_enter(struct journal *journal, struct writer_block *block);
/* The block of that position, whose buffer stays as it is until recent_leave; NULL: not in memory any more. */
struct writer_block *recent_take(struct journal *journal, uint64_t position);
/* It is not wanted any more. */
void recent_leave(struct writer_block *block);
/* A buffer that is neither in flight nor read; it is not wanted from now on. */
struct writer_block *recent_free(struct journal_writer *writer);
/* The writer goes, and nothing of it is in flight: returns once none of its blocks is read. */
void recent_forget(struct journal_writer *writer);

/* open.c */
struct segment *segment_new(uint64_t number, uint64_t size);
void segment_free(struct segment *segment);

/* spare.c: the keeper's, or at start. */
struct result spare_make_step(struct journal *journal, struct os *os, bool *ret_made) MUST_USE;
struct result spare_arm(struct journal *journal, struct os *os, struct segment **ret_segment) MUST_USE;
struct result spare_keep(struct journal *journal, struct os *os, int64_t now_ms, bool *ret_more) MUST_USE;
/* A segment's file becomes a spare, or goes. */
struct result spare_recycle(struct journal *journal, struct os *os, struct segment *segment) MUST_USE;

/* seal.c */
struct segment *seal_segment(struct journal *journal);
/* Hashes some of what is in memory; false: there is nothing. The context is the journal. */
bool seal_while_waiting(void *context);
/* The seal in flight is durable. */
void seal_made(struct journal *journal);
/* A segment that is sealed goes: nothing of it is read from now on. */
void seal_forget(struct journal *journal, const struct segment *segment);
struct result seal_step(struct journal *journal, struct journal_writer *writer, int64_t now_ms, bool force,
                        bool *ret_more) MUST_USE;

/* seal_state.c */
void seal_state_from_header(struct seal_state *state, const struct segment_header *header);
/* Applies a seal or checkpoint record that recovery met: JOURNAL_BAD_SEAL when it does not continue the state. */
struct result seal_state_apply(struct seal_state *state, const struct journal_block_view *block) MUST_USE;
void seal_state_seal(struct seal_state *state, const struct slot_seal *seal);
void seal_state_checkpoint(struct seal_state *state, const struct slot_checkpoint *checkpoint);
enum { CHECKPOINT_SIGNED_SIZE = 21 + 128 };
/* The bytes that the signature of a checkpoint is over. */
void checkpoint_signed_bytes(const struct slot_checkpoint *checkpoint, uint8_t ret_bytes[CHECKPOINT_SIGNED_SIZE]);

/* keep.c */
/* The own record's block has settled. */
void keeper_settled(struct journal *journal, struct result result);
/* Appends keeper.record; when there is neither buffer nor room nothing happens and it is tried again in a later step.
 */
void keeper_append(struct journal *journal, struct journal_writer *writer, enum own_record kind, uint32_t slot_count);
/* The segment being written, and up to which one its header calls them closed: 0, while that is not durable. */
struct segment *keeper_current(struct journal *journal, uint64_t *ret_closed_segment);
/* After closed_segment moved: headers made from now on say so. */
void keeper_publish(struct journal *journal);

#endif
