/* The straight way: one code for an account of one plain token, right at the expected step. Nearly every query goes it,
 * and costs a fraction of what candidates.c and judge.c take for all that may be. Both halves only decide what the
 * general way would decide in the same place, to the byte of the record; at the least doubt they decline, having
 * changed nothing. Inline, for those two files alone. */
#ifndef OTPRING_CORE_STRAIGHT_H
#define OTPRING_CORE_STRAIGHT_H

#include "core/verify.h"

enum { STRAIGHT_FLAGS = TABLE_LIVE | TABLE_FIRST };

/* The expected step of a token, given its state and word. */
static inline int64_t straight_step(const struct judge *judge, struct judge_profile *profile, uint64_t state,
                                    const struct table_tail *tail)
{
    if (profile->type == OTP_HOTP) return token_floor(atomic_load_explicit(&tail->token, memory_order_acquire));
    return profile_step_now(profile, judge->wall_s) + (int8_t)(state >> 48);
}

/* Makes the item's one pair and gives its expected step; -1: the general way, for good. Everything is read before the
 * first store: the compiler must take each store for one to whatever is read after it. */
static inline int64_t straight_look(struct judge *judge, struct group *group, struct group_item *item, uint64_t hash,
                                    const struct table_probe *probe)
{
    bool straight = item->straight;
    item->straight = false;
    if (!straight || probe->kind != TABLE_PROBE_ONE) return -1;
    struct table_tail *tail = probe->hit.tail;
    const void *midstates = probe->hit.midstates;
    uint32_t ordinal = probe->hit.ordinal;
    uint64_t state = table_tail_state(tail);
    uint16_t id = (uint16_t)(state >> 32);
    if ((uint32_t)state != (uint32_t)hash || state >> 56 != STRAIGHT_FLAGS || id >= CORE_PROFILES_MAX) return -1;
    struct judge_profile *profile = &judge->profiles->profiles[id];
    if (!profile->straight || profile->algorithm != table_algorithm(ordinal)) return -1;
    const struct otpring_wire_query *query = item->query;
    uint32_t code = query->code;
    if (profile->digits != query->digits) return -1;
    int64_t expected = straight_step(judge, profile, state, tail);
    if (expected < 0 || expected > STEP_GREATEST) return -1;
    uint32_t at = group->pair_count++;
    struct pair *pair = &group->pairs[at];
    pair->midstates = midstates;
    pair->tail = tail;
    pair->profile = profile;
    pair->expected = pair->low = pair->high = expected;
    pair->matched = -1;
    pair->state = state;
    pair->ordinal = ordinal;
    pair->code = code;
    pair->live = UINT32_MAX;
    pair->blocked = false;
    pair->digits_fit = true;
    item->first = tail;
    item->first_ordinal = ordinal;
    item->pair_first = at;
    item->pair_count = item->live_count = 1;
    item->straight = true;
    return expected;
}

/* Consumes the expected step; false: the general way. Without failures there is no lock, and the expected step is no
 * news about the drift. The word is read before the flags, as judge.c says. */
static inline bool straight_accept(const struct group *group, const struct group_item *item, uint64_t *ret_word)
{
    if (!item->straight) return false;
    const struct pair *pair = &group->pairs[item->pair_first];
    if (pair->matched != pair->expected) return false;
    struct table_tail *tail = pair->tail;
    uint64_t budget = atomic_load_explicit(&tail->budget, memory_order_acquire);
    uint64_t word = atomic_load_explicit(&tail->token, memory_order_acquire);
    if (budget_failures(budget, 0) | budget_failures(budget, 1)) return false;
    if (table_tail_state(tail) != pair->state || token_floor(word) > pair->expected) return false;
    uint64_t next = token_word((uint32_t)(pair->expected + 1), token_change(word));
    *ret_word = next;
    return atomic_compare_exchange_strong_explicit(&tail->token, &word, next, memory_order_acq_rel,
                                                   memory_order_acquire);
}

#endif
