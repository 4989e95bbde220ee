/* The straight way: one code for an account of one plain token, right at the expected step. Nearly every query goes it,
 * and costs a fraction of what candidates.c and judge.c take for all that may be. The stages of the kernel say who may
 * go it; here it is decided. Both only do what the general way would do in the same place, to the byte of the record;
 * at the least doubt they decline, having changed nothing. Inline, for those two files alone. */
#ifndef OTPRING_CORE_STRAIGHT_H
#define OTPRING_CORE_STRAIGHT_H

#include "core/verify.h"

enum { STRAIGHT_FLAGS = TABLE_LIVE | TABLE_FIRST };

/* The last word of an acceptance's record, but for source class and drift. */
#define STRAIGHT_LAST                                                                                                  \
    (OTPRING_ACCEPTED | (uint64_t)OTPRING_REASON_NONE << 8 | (uint64_t)OTPRING_QUERY_CODE << 16 |                      \
     (uint64_t)OTPRING_REASON_NONE << 48 | (uint64_t)SLOT_VERIFY << 56)

/* Which of the items on the straight way may be accepted, as soon as their words are swapped from what was seen to what
 * comes next. Without failures there is no lock, and the expected step is no news about the drift. Words are read
 * before flags, as judge.c says; and the last item's first: where two items are one token's, the swap of the later one
 * fails if that of the earlier one did, since words only grow. */
static inline uint64_t straight_check(const struct judge *judge, struct group *group, const struct chunk *chunk)
{
    struct swaps *swaps = &group->swaps;
    for (uint32_t i = chunk->count; i-- > 0;) {
        const struct table_tail *tail = chunk->probes.tails[i];
        swaps->seen[i] = atomic_load_explicit(&tail->token, memory_order_acquire);
    }
    struct stage_check check = {.count = chunk->count,
                                .wanted = group->straight,
                                .tails = chunk->probes.tails,
                                .seen = swaps->seen,
                                .states = chunk->states,
                                .expected = chunk->expected,
                                .nowhere = &swaps->nowhere,
                                .ret_words = swaps->words,
                                .ret_next = swaps->next};
    judge->kernel->stages->check(&check);
    return check.ret_ready;
}

#endif
