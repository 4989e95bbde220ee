/* What stands in a journal folder: every segment file with its header, and which of them make the chain of positions.
 * A snapshot; one thread. Never changes anything. */
#ifndef OTPRING_JOURNAL_FOLDER_H
#define OTPRING_JOURNAL_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "journal/file.h"
#include "journal/format.h"

struct folder_file {
    uint64_t number;
    uint64_t size;
    bool valid; /* its header is whole and its own; else a file armed ahead, or a torn header */
    bool chain; /* valid, and positions of it count */
    /* Positions from here on are not this segment's: where the next run, or the next segment of this run, begins.
     * UINT64_MAX: open end. */
    uint64_t limit;
    struct result passed;          /* why the file is not read, or not believed in full */
    bool limit_committed;          /* a later run began at limit, so everything below it was read whole once */
    struct segment_header *header; /* when valid */
};

struct folder_spare {
    uint64_t number;
    uint64_t size;
    bool making; /* not yet written through */
};

struct folder {
    char *path;
    struct folder_file *files; /* by number */
    size_t count;
    size_t capacity;
    struct folder_spare *spares;
    size_t spare_count;
    size_t spare_capacity;
    bool no_memory;
};

/* JOURNAL_FOREIGN (where store_id is given), JOURNAL_VERSION, NO_MEMORY, os. A segment whose file is shorter than its
 * header says is read as far as it goes, and `passed` is JOURNAL_CORRUPT. */
struct result folder_read(struct os *os, const char *path, const uint8_t *store_id, struct folder *ret_folder) MUST_USE;
/* For reading what can be read: a segment of another version or store is left out, one whose file is cut short is read
 * as far as it goes, and one whose header is damaged by what its first block says; `passed` of each says so
 * (JOURNAL_VERSION, JOURNAL_FOREIGN, JOURNAL_CORRUPT). NO_MEMORY, os. */
struct result folder_read_all(struct os *os, const char *path, struct folder *ret_folder) MUST_USE;
void folder_release(struct folder *folder);

/* The newest valid header, or NULL. */
const struct folder_file *folder_newest(const struct folder *folder);
/* The chain file that holds `position`, or would hold it; NULL when every one begins behind it. */
struct folder_file *folder_find(const struct folder *folder, uint64_t position);
/* The next one of the chain behind `file`; the first one for NULL. NULL: none. */
struct folder_file *folder_next(const struct folder *folder, const struct folder_file *file);

#endif
