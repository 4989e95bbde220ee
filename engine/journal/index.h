/* The index of a closed segment: a file beside it that says which parts of it can hold records of an account, a time or
 * a verdict. INDEX.md is the page to read; this is its C side.
 *
 * It is a cache. Nothing that is evidence rests on it: the check never looks at one, and whoever reads with its help
 * still verifies every block that is read. What does not fit its segment or its own checksums is no index, and the
 * segment is read whole. Input may be hostile: it is what a disk holds. One thread a struct. */
#ifndef OTPRING_JOURNAL_INDEX_H
#define OTPRING_JOURNAL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "journal/format.h"
#include "journal/journal.h"
#include "os/os.h"

#define INDEX_MAGIC 0x315844495250544fULL /* "OTPRIDX1" */

enum {
    INDEX_VERSION = 1,
    INDEX_CELL_SIZE = 64,
    INDEX_KEYS_PER_CELL = 32, /* on average: sixteen bits a key */
    INDEX_GROUP_SIZE_MIN = 256 << 10,
    INDEX_GROUPS_WANTED = 256,                      /* of a segment, at most: larger segments have larger groups */
    INDEX_GROUPS_MAX = 2 * INDEX_GROUPS_WANTED + 2, /* two neighbours fill one group's size, or they were one group */
    INDEX_CELLS_MAX = 1 << 22,                      /* of a group: more is no index of ours */
    /* Bits of index_group.kinds beside one for each verdict. */
    INDEX_KIND_ACT = 1 << 16,
    INDEX_KIND_OWN = 1 << 17,
};

struct index_header {
    uint64_t magic;
    uint32_t version;
    uint32_t group_count;
    uint32_t row_count; /* cells of each group */
    uint32_t reserved;
    uint8_t store_id[16];
    uint64_t segment;
    uint64_t segment_checksum; /* of the segment's header: what this is the index of */
    uint64_t first_position;
    uint64_t last_position;
    uint64_t end_offset;    /* behind the last block */
    uint64_t last_checksum; /* of the last block's header: what the next segment's first block names */
    int64_t time_first_ms;
    int64_t time_last_ms;
    uint64_t record_count;    /* verifications and acts */
    uint64_t groups_checksum; /* XXH3-64 of the table of groups */
    uint64_t header_checksum; /* XXH3-64 of the bytes before it */
};
_Static_assert(sizeof(struct index_header) == 128, "INDEX.md");
_Static_assert(offsetof(struct index_header, segment) == 40, "INDEX.md");
_Static_assert(offsetof(struct index_header, header_checksum) == 120, "INDEX.md");

/* Blocks that lie behind each other. */
struct index_group {
    uint64_t offset;
    uint64_t first_position;
    uint64_t predecessor; /* that the first block names */
    int64_t time_first_ms;
    int64_t time_last_ms;
    uint32_t record_count;
    uint32_t kinds; /* bit v: a verification with verdict v; INDEX_KIND_ACT, INDEX_KIND_OWN */
};
_Static_assert(sizeof(struct index_group) == 48, "INDEX.md");

/* What is looked for: an account's 16 bytes, or a company's first 8. */
uint64_t index_key(const uint8_t *name, size_t size);

/* ---- building ---- */

struct index_builder;
/* For a segment with this header. NO_MEMORY. */
struct result index_builder_create(const struct segment_header *segment, struct index_builder **ret_builder) MUST_USE;
void index_builder_destroy(struct index_builder *builder);
/* The next block: valid at its place, in order, without a gap. NO_MEMORY; a record that is none is passed over. */
struct result index_builder_block(struct index_builder *builder, const struct journal_block_view *block,
                                  uint32_t size) MUST_USE;
/* Lays the file out, a short step a call, until *ret_done: then everything is as it stands in the file; the bytes stay
 * the builder's. At least one block was given, and none is given any more. NO_MEMORY. */
struct result index_builder_finish(struct index_builder *builder, bool *ret_done, const uint8_t **ret_bytes,
                                   size_t *ret_size) MUST_USE;

/* ---- looking ---- */

/* Whether these are the header and groups of an index of this segment: checksums, order, ranges. `groups` has
 * header->group_count entries; header alone, where groups is NULL. */
bool index_header_valid(const struct index_header *header, const struct segment_header *segment, uint64_t file_size);
bool index_groups_valid(const struct index_header *header, const struct index_group *groups);

/* Which row of cells a key is in, where that row begins in the file, and its size. */
uint32_t index_row(const struct index_header *header, uint64_t key);
uint64_t index_row_offset(const struct index_header *header, uint32_t row);
size_t index_row_size(const struct index_header *header);
uint64_t index_file_size(const struct index_header *header);
/* The row as read is whole. */
bool index_row_valid(const struct index_header *header, uint32_t row, const uint8_t *bytes);
/* False: no record in this group has the key. `bytes` is the whole row. */
bool index_cell_has(const uint8_t *bytes, uint32_t group, uint64_t key);

/* For the builder: a cell's bits, and the checksums once everything else stands. */
void index_cell_add(uint8_t *cell, uint64_t key);
void index_header_finish(struct index_header *header, const struct index_group *groups);
void index_row_finish(const struct index_header *header, uint32_t row, uint8_t *bytes);

enum { INDEX_NAME_SIZE = 40 };
void index_name(uint64_t segment, char ret_name[INDEX_NAME_SIZE]);

/* ---- the file: index_file.c ---- */

struct index_file {
    struct index_header header;
    struct index_group *groups;
    int file;
};
/* STORE_NOT_FOUND: there is none, or what is there is no index of this segment. */
struct result index_file_open(struct os *os, const char *folder, const struct segment_header *segment,
                              struct index_file *ret_index) MUST_USE;
/* For each of the groups, whether it can hold a record with the key. STORE_NOT_FOUND: the row is damaged. */
struct result index_file_look(struct os *os, const struct index_file *index, uint64_t key,
                              bool ret_can[INDEX_GROUPS_MAX]) MUST_USE;
void index_file_close(struct os *os, struct index_file *index);
/* A new file in the place of what may be there, for file_write. Nothing is synced: what a crash leaves of it fails its
 * checksums. */
struct result index_file_create(struct os *os, const char *folder, uint64_t segment, int *ret_file) MUST_USE;
struct result index_file_remove(struct os *os, const char *folder, uint64_t segment) MUST_USE;

/* Makes the index of a segment of the folder that nothing is written to any more, by whoever may write there. The
 * segment's blocks must be whole: JOURNAL_CORRUPT. STORE_EXISTS: a valid one is there. */
struct result journal_index_make(struct os *os, const char *folder, uint64_t segment) MUST_USE;

#endif
