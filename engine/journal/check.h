/* What the files of the check share: check.c reads and holds blocks against each other, check_seal.c seals and
 * checkpoints against the blocks. */
#ifndef OTPRING_JOURNAL_CHECK_H
#define OTPRING_JOURNAL_CHECK_H

#include "journal/internal.h"
#include "journal/leaves.h"
#include "journal/reader.h"

struct check {
    struct journal_check_report *report;
    struct journal_reader *reader;
    const struct journal_check_options *options;
    struct leaves *leaves;
    struct seal_state state;
    bool seals_known;       /* the seal before the next one was seen, or the journal begins here */
    bool checkpoints_known; /* the same of checkpoints, and every seal since */
    int64_t time_ms;
    uint64_t committed_through;
    uint64_t segment;
    uint64_t mac_segment;
    uint8_t store_id[16];
    uint64_t first_segment;
    bool beginning_known; /* the journal begins at position 1, or a record says why it does not */
    bool *published_met;
    bool resume_met;
    uint64_t progress_bytes; /* when the caller was last told */
};

/* What was found, of the positions first to last; the text without the position. */
struct result check_found(struct check *check, enum result_code code, enum journal_finding kind, uint64_t first,
                          uint64_t last, const char *format, ...) __attribute__((format(printf, 6, 7)));
/* The first position that no seal was found to be right about: what is wrong may begin there. */
uint64_t check_unsealed(const struct check *check);
const struct folder_file *check_file(const struct check *check, uint64_t number);

/* check_seal.c */
struct result check_seal(struct check *check, uint64_t position, const struct slot_seal *seal) MUST_USE;
struct result check_checkpoint(struct check *check, uint64_t position,
                               const struct slot_checkpoint *checkpoint) MUST_USE;
/* At the end: those published that were not met. */
struct result check_published(struct check *check) MUST_USE;

#endif
