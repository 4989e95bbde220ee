/* The journal: append-only, durable before it says so, in order, the one truth of the engine.
 *
 * One `struct journal` a store, shared by all threads; one `struct journal_writer` a thread, on that thread's os. At
 * most depth_max blocks are in flight in all; blocks settle in order of position, each on the thread that wrote it. A
 * write that fails or comes back short is never retried: the journal is poisoned for good, every block in flight and
 * after settles with JOURNAL_POISONED. Segments are written through before use (spares, made by journal_keep on the
 * housekeeper's thread) and recycled. Seals (Merkle tree over the blocks, MAC) and signed checkpoints are made by
 * journal_keep too, off the commit path. See FORMAT.md for bytes, validity, order of syncs and what each crash point
 * leaves. */
#ifndef OTPRING_JOURNAL_JOURNAL_H
#define OTPRING_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "journal/slots.h"
#include "os/os.h"
#include "vault/vault.h"

struct journal;
struct journal_writer;

struct journal_options {
    const char *folder;    /* DIR/journal; must exist */
    uint64_t segment_size; /* 0: 64 MiB; at least 64 KiB, and 4 KiB more than any writer's largest block */
    uint64_t keep_size;    /* closed segments kept before recycling; 0: 4 GiB */
    int64_t keep_age_ms;   /* and none whose last record is older than this; 0: whatever their age */
    uint32_t spare_count;  /* spares kept ready; 0: 4 */
    /* Where more bytes are written in a tenth of a second, seals are made of the buffers that blocks were written from
     * (journal_writer_options.kept_count), and of what the disk has else; 0: 1 MiB. */
    uint64_t busy_bytes;
    uint64_t unsealed_max; /* bytes appended before the seals have hashed them; 0: 256 MiB and all spares */
    uint32_t depth_max; /* blocks begun or in flight in all: D of the torn-tail rule; 0: 8, at most JOURNAL_DEPTH_LIMIT;
                           in each segment's header */
    uint32_t writer_count_max; /* 0: 64, the most there may be */
    bool index;                /* closed segments get an index beside them: see index.h */
    uint8_t store_id[16];
    /* Called by journal_keep after vault_mac_advance: puts the new key row durably into the store, before the old
     * segment counts as closed. NULL in tests without a store. */
    struct result (*keys_changed)(void *context);
    void *keys_context;
};

/* One block as the reader gives it; valid only during the call. */
struct journal_block_view {
    const struct journal_block_header *header;
    const uint8_t *slots;
    uint64_t segment;
    uint64_t offset;
    bool salvaged; /* recovery only: an intact block past the first bad one; it was never answered, or answered just
                      before a crash */
};

typedef struct result journal_visit(void *context, const struct journal_block_view *block);

/* Opens the folder, reads every segment header, and finds the end: blocks after `after_position` are given to `visit`
 * in order, intact ones past a torn tail last, as salvaged. Then a new incarnation begins in a fresh segment at the
 * first free position; nothing is appended yet. The vault may be NULL only in tests that do not seal. Errors:
 * JOURNAL_CORRUPT (ret_bad_position says where), JOURNAL_MISSING, JOURNAL_FOREIGN, JOURNAL_VERSION, what visit gives,
 * os. */
struct result journal_open(struct os *os, const struct journal_options *options, struct vault *vault,
                           uint64_t after_position, journal_visit *visit, void *context, struct journal **ret_journal,
                           uint64_t *ret_bad_position) MUST_USE;
/* No writer may be left. Does not seal; see journal_finish. */
void journal_close(struct journal *journal, struct os *os);

/* ---- appending ---- */

struct journal_block {
    uint8_t *slots; /* fill from here: slot_capacity x 64 bytes, zeroed by the journal before first use only */
    uint32_t slot_capacity;
    uint64_t position; /* after journal_append */
    void *owner;       /* the caller's own */
    /* the journal's own */
    struct journal_writer *writer;
    uint32_t index;
};

/* settled: in order of position among this writer's blocks, once all blocks up to this one are durable (OK), or the
 * journal is poisoned. The block is free for reuse after the call. Runs inside os_step or journal_poll of the writer's
 * thread. */
struct journal_writer_options {
    uint32_t block_count;     /* at most this many begun or in flight; 0: 4 */
    uint32_t kept_count;      /* buffers more, in which what was written stays for the seals: see busy_bytes */
    uint32_t slots_per_block; /* 0: JOURNAL_SLOTS_MAX */
    void (*settled)(struct journal_block *block, struct result result);
};
struct result journal_writer_create(struct journal *journal, struct os *os,
                                    const struct journal_writer_options *options,
                                    struct journal_writer **ret_writer) MUST_USE;
/* On the writer's own thread, its os still there: a keeper's may be reading, and that is waited for. */
void journal_writer_destroy(struct journal_writer *writer);

/* A buffer, with room in the journal reserved for all of slots_per_block. FULL (block_count in use, or depth reached;
 * after the latter this writer's os is woken when a block leaves), JOURNAL_NO_ROOM, JOURNAL_POISONED. */
struct result journal_begin(struct journal_writer *writer, struct journal_block **ret_block) MUST_USE;
/* Gives an unused buffer and its reservation back. */
void journal_abandon(struct journal_block *block);
/* Position, offset and committed-through are assigned here, in the journal's one short critical section; the write is
 * submitted. */
void journal_append(struct journal_block *block, uint32_t slot_count, int64_t time_ms);
/* Settles blocks of this writer whose predecessors on other threads became durable. Call after each os_step. */
void journal_poll(struct journal_writer *writer);
uint32_t journal_in_flight(const struct journal_writer *writer);

/* ---- state, any thread ---- */

struct journal_status {
    uint64_t position_next;
    uint64_t first_position; /* of the oldest block kept; the next one, where there is none */
    uint64_t durable_through;
    uint64_t sealed_through;
    uint64_t incarnation;
    uint64_t segment; /* being written */
    uint64_t segment_oldest;
    uint64_t bytes_appended; /* in this run */
    uint64_t unsealed_bytes; /* of those, what no durable seal covers */
    uint32_t spares;
    uint32_t rotations; /* in this run */
    bool poisoned;
    bool held_back; /* journal_begin says JOURNAL_NO_ROOM because of unsealed_max */
    bool no_room;   /* the last attempt to make a spare failed for want of space */
};
struct journal_status journal_status(const struct journal *journal);
uint64_t journal_durable_through(const struct journal *journal);
/* From now on nothing is taken: every begin and every block in flight gets JOURNAL_POISONED. */
void journal_poison(struct journal *journal);

/* ---- housekeeping: one thread, its own os and writer ---- */

/* `keeper` is always the same writer, with room for 3 slots or more; now_ms is journal time. Never waits for other
 * threads' blocks. Makes spares, seals what is durable and unsealed (at most once a second by now_ms, always when a
 * segment was closed), signs closed segments, recycles or removes segments wholly at or below release_position beyond
 * keep_size (the removal is itself a record). May take long; bounded steps: returns with ret_more set when there is
 * more to do at once. JOURNAL_CORRUPT: what was acknowledged is not on the disk, as a seal or an index found; poisoned,
 * where a start would miss it. */
struct result journal_keep(struct journal *journal, struct journal_writer *keeper, int64_t now_ms,
                           uint64_t release_position, bool *ret_more) MUST_USE;
/* The part of it for a store that is being opened, when nobody has said yet what is released: spares and seals. */
struct result journal_make_room(struct journal *journal, struct journal_writer *keeper, int64_t now_ms,
                                bool *ret_more) MUST_USE;
/* After a step that left nothing to do at once. True when all that others wrote is sealed, and all spares and indexes
 * are there: then there is no hurry (what is left goes by age, by being asked for, or is tried again), and the keeper's
 * os is woken when the next block of anyone is durable. Else, where much is written, it is woken once some blocks are,
 * so that the seals hash them while they are in memory. Not for after a step that failed, which would be tried again at
 * once. */
bool journal_keep_rest(struct journal *journal, struct journal_writer *keeper);
/* Segments wholly at or below this position go with the next steps, whatever keep_size says, as soon as they may: rule
 * K1 holds for them as for any other. Any thread; never lowered again. */
void journal_prune(struct journal *journal, uint64_t through);
/* At a clean stop, after all other writers are gone: seals everything, closes and signs the segment. */
struct result journal_finish(struct journal *journal, struct journal_writer *keeper, int64_t now_ms) MUST_USE;

/* ---- reading: any process, with or without the daemon; never changes anything ---- */

struct journal_reader;
/* Where a block begins, or would begin. */
struct journal_place {
    uint64_t segment;
    uint64_t segment_first; /* position: tells a segment from another of the same number */
    uint64_t offset;
    uint64_t position;
    uint64_t predecessor;
};
struct journal_reader_options {
    uint64_t from_position; /* 0: the oldest there is */
    /* Where this position begins, as another reader found it; saves looking. Only a hint: not there any more, it is
     * looked for. May be NULL. */
    const struct journal_place *place;
    bool follow;     /* at the end: RETRY-class FULL instead of STORE_NOT_FOUND */
    bool read_ahead; /* for much of it in one go: up to 10 MiB of windows, and the disk works while blocks are used */
};
struct result journal_reader_open(struct os *os, const char *folder, const struct journal_reader_options *options,
                                  struct journal_reader **ret_reader) MUST_USE;
/* The next valid block. STORE_NOT_FOUND at the end; JOURNAL_CORRUPT with the position in ret_block->header fields zero:
 * see journal_reader_position; the next call goes on behind the damage where that is possible. */
struct result journal_reader_next(struct journal_reader *reader, struct journal_block_view *ret_block) MUST_USE;
uint64_t journal_reader_position(const struct journal_reader *reader);
/* The first position behind what could be read so far. */
uint64_t journal_reader_end(const struct journal_reader *reader);
/* Where the next block would begin; segment 0: nowhere yet. */
void journal_reader_place(const struct journal_reader *reader, struct journal_place *ret_place);
void journal_reader_close(struct journal_reader *reader);

struct journal_check_report;

/* Where a check may go on: a signed checkpoint, and SHA-256 of its last seal. */
struct journal_check_state {
    struct slot_checkpoint checkpoint;
    uint8_t seal_hash[32];
};

struct journal_check_options {
    const uint8_t *public_key; /* of signed checkpoints; NULL: they are bytes */
    struct vault
        *vault; /* for MACs; NULL: not checked. Its key is walked forward, so not one that a journal seals with */
    bool part;  /* a backup or single segments: it may begin anywhere */
    /* Whether an act accounts for a journal that begins at this position: what acts mean is not known here. May be
     * NULL: none does. */
    bool (*begins_at)(const struct slot_act *act, const uint8_t *payload, uint64_t first_position);
    /* Checkpoints that somebody kept elsewhere: each must be in the log, unless it is older than what is kept. */
    const struct slot_checkpoint *published;
    size_t published_count;
    uint64_t known_position; /* the store holds what was recorded through here, so the log must too; 0: not known */
    const uint8_t *store_id; /* 16 bytes that every header must name; NULL: any, the same in all */
    const struct journal_check_state *resume; /* everything through it was checked before; NULL: from the oldest */
    bool threads;                             /* pages are hashed on a second thread */
    /* Now and then, with what has come so far. May be NULL. */
    void (*progress)(void *context, const struct journal_check_report *report);
    void *context;
};

enum journal_finding {
    FINDING_NONE,
    FINDING_CHANGED,   /* bytes are not what was recorded */
    FINDING_DROPPED,   /* records between two that are there are gone */
    FINDING_SPLICED,   /* records, a segment or a seal that belong elsewhere, or to another log */
    FINDING_REORDERED, /* records are there, and not in their place */
    FINDING_TRUNCATED, /* the end is gone: a checkpoint or the store knows of more */
    FINDING_BEGINNING, /* the beginning is gone, and no record says why */
};
/* A word for scripts: "changed", "dropped" ...; NULL of FINDING_NONE. */
const char *journal_finding_name(enum journal_finding finding);

/* Checks everything in a folder: checksums, positions, predecessors, records, Merkle roots of seals, signatures of
 * checkpoints, MACs as far as the vault's key is early enough; and, of a whole journal that begins behind position 1,
 * that a record in it says why. The first finding ends the check: JOURNAL_CORRUPT, JOURNAL_BAD_SEAL or JOURNAL_MISSING,
 * and ret_report says what and where; it is filled in on failure too. A torn tail is no finding. */
struct journal_check_report {
    uint64_t blocks;
    uint64_t records;
    uint64_t bytes;
    uint64_t sealed_through;
    uint64_t signed_through;
    uint64_t first_position; /* the end, where there is no block */
    uint64_t last_position;
    uint64_t macs_checked;
    uint64_t published_met; /* of the published checkpoints */
    uint64_t published_old; /* older than what is kept: not compared */
    bool resumed;           /* at options->resume; else that is no longer joined to what is kept */
    bool signed_any;
    struct journal_check_state newest; /* of the last signed checkpoint that was met, where signed_any */
    enum journal_finding kind;
    uint64_t bad_position; /* the first position that may be bad ... */
    uint64_t bad_last;     /* ... and the last: a seal or a signature tells only that something between them is */
    char finding[200];     /* empty: nothing found */
};
struct result journal_check(struct os *os, const char *folder, const struct journal_check_options *options,
                            struct journal_check_report *ret_report) MUST_USE;

#endif
