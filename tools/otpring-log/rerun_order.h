/* Records in the order in which they were judged. Positions are given when a worker is done with its turn, so with
 * several workers a record may stand before one that it rests on; the words in them tell: an account's only grow.
 * Blocks go through a window as deep as many as may be in flight at once, and a record with a lower word is moved
 * before those that hold a greater one. One thread; memory is the window's. */
#ifndef TOOLS_OTPRING_LOG_RERUN_ORDER_H
#define TOOLS_OTPRING_LOG_RERUN_ORDER_H

#include "journal/journal.h"

struct order;

/* One record: an attempt, or an act with its payload. Valid during the call. */
struct order_record {
    uint64_t position; /* where it stands */
    uint32_t slot;
    int64_t time_ms;
    const struct slot_verify *verify; /* NULL: an act */
    bool resync;                      /* the frame it was asked in held pairs of codes */
    const struct slot_act *act;
    const uint8_t *payload;
};

/* What becomes of records. `block` comes before those of a block, which are all its records that were not moved away
 * (`records`, `count`, in order; more may come among them). Failures are handed on. */
struct order_calls {
    struct result (*block)(void *context, int64_t time_ms, const struct order_record *const *records, size_t count);
    struct result (*record)(void *context, const struct order_record *record);
    void *context;
};

struct result order_create(const struct order_calls *calls, struct order **ret_order) MUST_USE;
void order_destroy(struct order *order);
/* The next block of the log. JOURNAL_CORRUPT: a slot begins no record; NO_MEMORY; what the calls give. */
struct result order_block(struct order *order, const struct journal_block_view *block) MUST_USE;
/* There are no more. */
struct result order_end(struct order *order) MUST_USE;
/* Records that were moved so far. */
uint64_t order_moved(const struct order *order);

#endif
