/* How the housekeeper makes indexes; the keeper's thread alone. */
#ifndef OTPRING_JOURNAL_INDEX_KEEP_H
#define OTPRING_JOURNAL_INDEX_KEEP_H

#include "journal/index.h"

struct index_keep;

/* NULL: no memory, and no indexes then. */
struct index_keep *index_keep_create(void);
void index_keep_destroy(struct index_keep *keep, struct os *os);
/* One short step of whatever is to be done; ret_more is set when there is more to do at once. JOURNAL_CORRUPT: what
 * was acknowledged is not on the disk; where a start would miss it the journal is poisoned. */
struct result index_keep_step(struct journal *journal, struct os *os, int64_t now_ms, uint64_t release_position,
                              bool *ret_more) MUST_USE;
/* Some closed segment has no index yet. */
bool index_keep_pending(struct journal *journal);
/* A segment goes: so does its index. */
void index_keep_recycled(struct journal *journal, struct os *os, uint64_t segment);

#endif
