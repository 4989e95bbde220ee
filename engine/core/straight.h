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

/* Consumes the expected step of an item whose code fits it; false: the general way. Without failures there is no lock,
 * and the expected step is no news about the drift. The word is read before the flags, as judge.c says. */
static inline bool straight_accept(const struct group *group, const struct chunk *chunk, uint32_t i, uint64_t *ret_word)
{
    struct table_tail *tail = chunk->probes.tails[i];
    uint64_t budget = atomic_load_explicit(&tail->budget, memory_order_acquire);
    uint64_t word = atomic_load_explicit(&tail->token, memory_order_acquire);
    if (budget_failures(budget, 0) | budget_failures(budget, 1)) return false;
    if (table_tail_state(tail) != group->states[i] || token_floor(word) > group->expected[i]) return false;
    uint64_t next = token_word((uint32_t)group->expected[i] + 1, token_change(word));
    *ret_word = next;
    return atomic_compare_exchange_strong_explicit(&tail->token, &word, next, memory_order_acq_rel,
                                                   memory_order_acquire);
}

#endif
