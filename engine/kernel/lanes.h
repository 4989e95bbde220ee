/* A batch cut into groups that fill a vector. The last group is filled up with copies of the batch's last member, whose
 * results are thrown away: a vector costs the same, however many of its lanes are used. Inline only. */
#ifndef OTPRING_KERNEL_LANES_H
#define OTPRING_KERNEL_LANES_H

#include <string.h>

#include "kernel/hmac.h"

enum { LANES_MAX = 16 };

/* What is done between the rounds of a group. */
struct beside {
    const void *const *prefetch; /* two a lane, always there */
    struct kernel_swaps *swaps;  /* the batch's, always there: one a lane, as long as there are any */
};

/* One vector's worth of a batch. Either ret_truncated is set, or codes, digits and ret_fits are. */
struct group {
    const void *const *midstates;
    const uint64_t *counters;
    const uint32_t *codes;
    const uint8_t *digits;
    struct beside beside;
    uint8_t *ret_fits;
    uint32_t *ret_truncated;
};

struct batch {
    const struct kernel_match *match;
    uint32_t *ret_truncated;
    size_t lanes;
    size_t group_count;
    size_t tail_count;          /* members of the last group when it is not full, else 0 */
    const void *const *between; /* loads asked for between rounds, or NULL */
    size_t asked;               /* members whose loads were asked for in bursts */
    struct group tail;          /* points into what follows */
    const void *midstates[LANES_MAX];
    uint64_t counters[LANES_MAX];
    uint32_t codes[LANES_MAX];
    uint8_t digits[LANES_MAX];
    struct kernel_swaps no_swaps;
    const void *prefetch[2 * LANES_MAX]; /* of the last group, or of every group when there is nothing to ask for */
    uint8_t fits[LANES_MAX];
    uint32_t truncated[LANES_MAX];
};

KERNEL_INLINE void batch_fill_tail(struct batch *batch)
{
    const struct kernel_match *match = batch->match;
    size_t first = match->count - batch->tail_count;
    for (size_t i = 0; i < batch->lanes; i++) {
        size_t from = first + i < match->count ? first + i : match->count - 1;
        batch->midstates[i] = match->midstates[from];
        batch->counters[i] = match->counters[from];
        if (batch->ret_truncated) continue;
        batch->codes[i] = match->codes[from];
        batch->digits[i] = match->digits[from];
    }
    if (batch->between)
        for (size_t i = 0; i < 2 * batch->tail_count; i++) batch->prefetch[i] = batch->between[2 * first + i];
}

KERNEL_INLINE void batch_cut(struct batch *batch, const struct kernel_match *match, uint32_t *ret_truncated,
                             size_t lanes)
{
    batch->match = match;
    batch->ret_truncated = ret_truncated;
    batch->lanes = lanes;
    batch->group_count = (match->count + lanes - 1) / lanes;
    batch->tail_count = match->count % lanes;
    batch->between = prefetch_between(match);
    batch->asked = 0;
    batch->no_swaps = (struct kernel_swaps){0};
    batch->tail = (struct group){.midstates = batch->midstates,
                                 .counters = batch->counters,
                                 .codes = batch->codes,
                                 .digits = batch->digits,
                                 .beside = {batch->prefetch, match->swaps ? match->swaps : &batch->no_swaps},
                                 .ret_fits = batch->fits,
                                 .ret_truncated = ret_truncated ? batch->truncated : NULL};
    /* Where there is nothing to ask for between rounds, this thread's own stack is: cheaper than a second copy of the
     * rounds. */
    for (size_t i = 0; i < 2 * lanes; i++) batch->prefetch[i] = batch;
    if (batch->tail_count) batch_fill_tail(batch);
}

KERNEL_INLINE struct group batch_group(struct batch *batch, size_t index)
{
    const struct kernel_match *match = batch->match;
    prefetch_before(match, (index + 1) * batch->lanes, &batch->asked);
    if (batch->tail_count && index == batch->group_count - 1) return batch->tail;
    size_t first = index * batch->lanes;
    struct group group = {
        .midstates = match->midstates + first,
        .counters = match->counters + first,
        .beside = {batch->between ? batch->between + 2 * first : batch->prefetch, batch->tail.beside.swaps}};
    if (batch->ret_truncated) {
        group.ret_truncated = batch->ret_truncated + first;
    } else {
        group.codes = match->codes + first;
        group.digits = match->digits + first;
        group.ret_fits = match->ret_fits + first;
    }
    return group;
}

KERNEL_INLINE void batch_finish(struct batch *batch)
{
    size_t first = batch->match->count - batch->tail_count;
    if (!batch->tail_count) return;
    if (batch->ret_truncated)
        memcpy(batch->ret_truncated + first, batch->truncated, batch->tail_count * sizeof *batch->truncated);
    else
        memcpy(batch->match->ret_fits + first, batch->fits, batch->tail_count);
}

/* The share of `part`, one of `parts` equal stretches of rounds, in prefetches, and in a swap beside every other one.
 */
KERNEL_INLINE void beside_part(const struct beside *beside, unsigned lanes, unsigned part, unsigned parts)
{
    for (unsigned i = part * 2 * lanes / parts; i < (part + 1) * 2 * lanes / parts; i++) {
        prefetch_one(beside->prefetch[i]);
        if (i & 1) kernel_swap_next(beside->swaps);
    }
}

#endif
