/* Files of the journal's folder on one os, each call run to its end: for start, tools and the housekeeper. And reading
 * a file through a window, past the page cache where the file system can. */
#ifndef OTPRING_JOURNAL_FILE_H
#define OTPRING_JOURNAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "os/os.h"

/* flags: enum os_open_flags. Opening for reading falls back to the page cache where direct I/O is refused; opening for
 * writing gives OS_NO_DIRECT_IO. */
struct result file_open(struct os *os, const char *folder, const char *name, uint32_t flags, int *ret_file) MUST_USE;
void file_close(struct os *os, int file);
struct result file_write(struct os *os, int file, const void *bytes, uint32_t size, uint64_t offset,
                         enum os_kind kind) MUST_USE;
struct result file_sync(struct os *os, int file) MUST_USE;
struct result file_rename(struct os *os, const char *folder, const char *from, const char *to) MUST_USE;
struct result file_unlink(struct os *os, const char *folder, const char *name) MUST_USE;
/* The folder's names as they are now become durable. */
struct result file_sync_folder(struct os *os, const char *folder) MUST_USE;

enum { FILE_NAME_SIZE = 40 };
void file_segment_name(uint64_t number, char ret_name[FILE_NAME_SIZE]);
void file_spare_name(uint64_t number, char ret_name[FILE_NAME_SIZE]);
void file_making_name(uint64_t number, char ret_name[FILE_NAME_SIZE]);

/* Owns its windows, not its file. With read-ahead there are two: while one is used the other is filled with what comes
 * next, and what is left of the one is copied before it, so that a block may lie across both. */
struct source {
    struct os *os;
    int file;
    uint64_t size;   /* bytes of the file that may be read */
    uint8_t *window; /* of `have` bytes from `at` on */
    uint32_t window_size;
    uint32_t read_size; /* bytes read at once, where not more are asked for */
    uint64_t at;
    uint32_t have;
    /* read-ahead; NULL: none */
    uint8_t *rooms[2];
    unsigned room; /* which of them `window` lies in */
    bool ahead;    /* the other one is being filled, or was */
    struct os_op op;
    int64_t op_result; /* READ_PENDING until it is done */
};

enum { SOURCE_HEADROOM = 1 << 20 }; /* the largest thing that may lie across two windows */

struct result source_create(struct os *os, uint32_t window_size, uint32_t read_size,
                            struct source *ret_source) MUST_USE;
/* The source must not move in memory from now on while it reads. Sizes as with source_create, of each of two windows.
 */
struct result source_read_ahead(struct source *source, uint32_t window_size, uint32_t read_size) MUST_USE;
void source_destroy(struct source *source);
void source_set(struct source *source, int file, uint64_t size);
/* Forgets what was read, so that the next look sees the disk. */
void source_refresh(struct source *source);
/* Bytes [offset, offset + size), offset a multiple of 4096, size at most the window; NULL when the file is
 * shorter. They stay until the next call. A read that fails is an error, never a short file. */
struct result source_get(struct source *source, uint64_t offset, uint32_t size, const uint8_t **ret_bytes) MUST_USE;

#endif
