/* Reading a lot of a journal: segments in pieces of some mebibytes, by several threads, through the page cache, past
 * the parts that an index says hold nothing that is looked for. Every block that is given was verified: checksums,
 * position, run, and predecessor where the block before was read too. Where anything is not as it should be, and at the
 * end of what a daemon is writing, the careful reader (journal_reader) takes over, so damage is told of exactly as it
 * would.
 *
 * Memory is bounded: one buffer a thread, whatever the size of the journal. Never changes anything. What it reads may
 * be hostile. */
#ifndef OTPRING_JOURNAL_SCAN_H
#define OTPRING_JOURNAL_SCAN_H

#include "journal/journal.h"

enum { SCAN_THREADS_MAX = 64, SCAN_KEYS_MAX = 8 };

struct scan_options {
    const char *folder;
    struct os *os; /* the caller's, for its own part */
    unsigned thread_count;
    /* Of each further thread, on that thread, since an os is one thread's: NULL, and there is a thread less. */
    struct os *(*os_create)(void *context);
    void (*os_destroy)(void *context, struct os *os);
    uint64_t from_position; /* 0: from the oldest */
    uint64_t to_position;   /* the last that is wanted; 0: all there are */
    /* Parts that an index or a segment's header puts wholly outside are passed over; blocks outside may still come.
     * INT64_MIN, INT64_MAX: all. */
    int64_t since_ms;
    int64_t until_ms;
    /* Likewise: parts that have a record with none of the keys (index_key), or of none of the kinds (bits of
     * index_group.kinds). Counts 0: all. */
    uint64_t keys[SCAN_KEYS_MAX];
    unsigned key_count;
    uint32_t kinds;
    bool no_index;
    /* The calls come piece by piece: `block` and `damage` for one piece by one thread, in order, beside other threads
     * with other pieces; then `end` of that piece, in order of position, one at a time. `end` may be NULL. */
    void (*block)(void *context, unsigned thread, const struct journal_block_view *block);
    /* JOURNAL_CORRUPT at a position; JOURNAL_VERSION, JOURNAL_FOREIGN, JOURNAL_CORRUPT (a header) of a segment,
     * position 0: it is not read, or not in full. */
    void (*damage)(void *context, unsigned thread, uint64_t position, uint64_t segment, struct result result);
    bool (*end)(void *context, unsigned thread); /* false: enough */
    void *context;
};

struct scan_report {
    uint64_t bytes_read;
    uint64_t segments;         /* in the range asked for */
    uint64_t segments_indexed; /* of these, by an index */
    struct journal_place end;  /* behind the last block read, when it was read to the end */
};

/* Failures: of reading (os), NO_MEMORY, OS_NOT_FOUND. Damage is none. */
struct result journal_scan(const struct scan_options *options, struct scan_report *ret_report) MUST_USE;

/* Segments that the chain is made of, oldest first, for those that read backwards. The caller frees. */
struct scan_segment {
    uint64_t number;
    uint64_t first_position;
    uint64_t limit; /* the next one's first position; UINT64_MAX: open end */
    int64_t time_ms;
    bool indexed;
};
struct result journal_segments(struct os *os, const char *folder, struct scan_segment **ret_segments,
                               size_t *ret_count) MUST_USE;

#endif
