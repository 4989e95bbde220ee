/* Candidates: which steps a code may fit, computed in full kernel batches over many tokens, or for one token where a
 * word moved.
 *
 * A turn's items go through three stages in chunks. While the kernel hashes one chunk it loads the lines of the next
 * one and the index of the one after that, a load every few rounds: a burst of loads would wait for memory instead.
 *
 *     advance    a                  a + 1              a + 2
 *     chunk      names to hashes    hashes to lines    lines to pairs, kernel, judging
 *     loads            `-- index --------^ `-- lines --------^
 *
 * Codes are compared as numbers, without a branch on what does not match; which step matched, and that none did, may
 * show in the time. */
#include "core/straight.h"

#include <string.h>

static int64_t greatest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void pair_window(const struct pair *pair, int64_t floor, int64_t *ret_low, int64_t *ret_high)
{
    int64_t middle = pair->profile->type == OTP_HOTP ? floor : pair->expected;
    *ret_low = greatest(middle - pair->profile->behind, 0);
    *ret_high = least(middle + pair->profile->ahead, STEP_GREATEST);
}

void pair_forget(struct pair *pair)
{
    pair->low = 0;
    pair->high = -1;
    pair->matched = -1;
}

/* All ones when the code fits, without a branch. */
static uint32_t fits(uint32_t truncated, unsigned digits, uint32_t code)
{
    uint32_t differs = kernel_digits(truncated, digits) ^ code;
    return (uint32_t)(((uint64_t)differs - 1) >> 32);
}

/* `fit` is all ones or zero. Gives 1 when the step counts as a match, else 0. */
static uint32_t pair_note(struct pair *pair, int64_t step, uint32_t fit)
{
    int64_t counts = (int64_t)(int32_t)(fit & pair->live), matched = pair->matched;
    int64_t later = -(int64_t)(step > matched);
    pair->matched = matched ^ ((matched ^ step) & counts & later);
    return (uint32_t)counts & 1;
}

/* ---- batches over many pairs ---- */

static void prefetch_now(struct group *group)
{
    if (!group->prefetch_waits) return;
    for (unsigned i = 0; i < 2 * CHUNK_ITEMS; i++) __builtin_prefetch(group->prefetch[i]);
    group->prefetch_waits = false;
}

static void batch_run(const struct kernel *kernel, struct group *group, enum kernel_algorithm algorithm)
{
    struct batch *batch = &group->batches[algorithm];
    if (batch->count == 0) return;
    bool loads = group->prefetch_waits && batch->count == CHUNK_ITEMS;
    kernel->match[algorithm](&(struct kernel_match){.count = batch->count,
                                                    .midstates = batch->midstates,
                                                    .counters = batch->steps,
                                                    .codes = batch->codes,
                                                    .digits = batch->digits,
                                                    .ret_fits = batch->fits,
                                                    .prefetch = loads ? group->prefetch : NULL});
    if (loads) group->prefetch_waits = false;
    uint32_t matches = 0, count = batch->count;
    for (uint32_t i = 0; i < count; i++)
        matches += pair_note(&group->pairs[batch->pairs[i]], (int64_t)batch->steps[i], 0u - batch->fits[i]);
    group->match_count += matches;
    batch->count = 0;
}

static inline void batch_add(const struct kernel *kernel, struct group *group, uint32_t pair_index, int64_t step)
{
    const struct pair *pair = &group->pairs[pair_index];
    const struct judge_profile *profile = pair->profile;
    const void *midstates = pair->midstates;
    uint32_t code = pair->code;
    uint8_t digits = profile->digits;
    enum kernel_algorithm algorithm = profile->algorithm;
    struct batch *batch = &group->batches[algorithm];
    uint32_t at = batch->count;
    batch->midstates[at] = midstates;
    batch->steps[at] = (uint64_t)step;
    batch->codes[at] = code;
    batch->digits[at] = digits;
    batch->pairs[at] = pair_index;
    batch->count = at + 1;
    if (at + 1 == CHUNK_ITEMS) batch_run(kernel, group, algorithm);
}

static void batches_run(const struct kernel *kernel, struct group *group)
{
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) batch_run(kernel, group, a);
}

/* ---- making the pairs ---- */

static int64_t expected_step(const struct judge *judge, struct judge_profile *profile, struct table_tail *tail)
{
    if (profile->type == OTP_HOTP)
        return tail ? token_floor(atomic_load_explicit(&tail->token, memory_order_acquire)) : 0;
    return profile_step_now(profile, judge->wall_s) +
           (tail ? atomic_load_explicit(&tail->drift, memory_order_relaxed) : 0);
}

static struct pair *pair_add(struct group *group, struct group_item *item, struct judge_profile *profile)
{
    struct pair *pair = &group->pairs[group->pair_count++];
    item->pair_count++;
    pair->profile = profile;
    pair->code = item->query->code;
    pair->digits_fit = item->query->digits == profile->digits;
    pair_forget(pair);
    return pair;
}

/* The name has no token that could match: the same work is done on a dummy line with the default profile. */
static void pair_add_dummy(struct judge *judge, struct group *group, struct group_item *item)
{
    struct pair *pair = pair_add(group, item, &judge->profiles->profiles[0]);
    pair->midstates = judge->dummy;
    pair->tail = NULL;
    pair->ordinal = NO_ORDINAL;
    pair->live = 0;
    pair->blocked = false;
    pair->expected = expected_step(judge, pair->profile, NULL);
}

static struct judge_profile *profile_of(struct judge *judge, uint16_t id)
{
    if (id >= CORE_PROFILES_MAX) return NULL;
    struct judge_profile *profile = &judge->profiles->profiles[id];
    /* A profile that came after the turn began is there before its first token. */
    if (!profile->used) profile_cache_refresh(judge->profiles, judge->core);
    return profile->used ? profile : NULL;
}

static void pair_add_hit(struct judge *judge, struct group *group, struct group_item *item, const struct table_hit *hit)
{
    uint8_t flags = atomic_load_explicit(&hit->tail->flags, memory_order_acquire);
    if (flags & TABLE_REMOVED) return;
    item->live_count++;
    struct judge_profile *profile = profile_of(judge, atomic_load_explicit(&hit->tail->profile, memory_order_relaxed));
    if (!profile || profile->algorithm != table_algorithm(hit->ordinal)) {
        item->profile_missing = true;
        return;
    }
    struct pair *pair = pair_add(group, item, profile);
    pair->midstates = hit->midstates;
    pair->tail = hit->tail;
    pair->ordinal = hit->ordinal;
    pair->blocked = (flags & TABLE_SUSPENDED) != 0;
    pair->live = pair->digits_fit && !pair->blocked ? UINT32_MAX : 0;
    pair->expected = expected_step(judge, profile, hit->tail);
}

/* The lines of a name; most have one, and the probe found it. */
static void item_look(struct judge *judge, struct group *group, struct group_item *item, uint64_t hash,
                      const struct table_probe *probe)
{
    struct table_hit found[TABLE_ACCOUNT_TOKENS_MAX];
    const struct table_hit *hits = &probe->hit;
    unsigned count = probe->kind != TABLE_PROBE_NONE;
    if (count && (probe->kind == TABLE_PROBE_MANY || !table_hit_is(&probe->hit, hash))) {
        count = table_find_hash(judge->core->table, hash, found);
        hits = found;
    }
    item->pair_first = group->pair_count;
    item->pair_count = item->live_count = 0;
    item->first = NULL;
    for (unsigned i = 0; i < count; i++) pair_add_hit(judge, group, item, &hits[i]);
    if (count) {
        item->first = hits[0].tail;
        item->first_ordinal = hits[0].ordinal;
    }
    if (item->pair_count == 0) pair_add_dummy(judge, group, item);
}

/* ---- the stages ---- */

static void try_expected(struct judge *judge, struct group *group, const struct group_item *item)
{
    if (item->frame->method != OTPRING_WIRE_VERIFY) return;
    for (uint32_t p = item->pair_first; p < item->pair_first + item->pair_count; p++) {
        struct pair *pair = &group->pairs[p];
        if (pair->expected < 0 || pair->expected > STEP_GREATEST) continue;
        pair->low = pair->high = pair->expected;
        batch_add(judge->kernel, group, p, pair->expected);
    }
}

static void stage_hash(const struct table *table, struct chunk *chunk, const void **ret_addresses)
{
    chunk->lookup_count = 0;
    for (uint32_t i = 0; i < chunk->count; i++) {
        if (chunk->items[i].preset) continue;
        chunk->names[chunk->lookup_count] = chunk->items[i].query->company; /* and account, which follows */
        chunk->lookups[chunk->lookup_count++] = (uint8_t)i;
    }
    table_hash_batch(table, chunk->names, chunk->lookup_count, chunk->hashes, ret_addresses);
}

static void stage_look(struct judge *judge, struct group *group, struct chunk *chunk)
{
    group->pair_count = group->match_count = 0;
    for (uint32_t i = 0; i < chunk->lookup_count; i++) {
        struct group_item *item = &chunk->items[chunk->lookups[i]];
        int64_t expected = straight_look(judge, group, item, chunk->hashes[i], &chunk->probes[i]);
        if (expected >= 0) {
            batch_add(judge->kernel, group, item->pair_first, expected);
        } else {
            item_look(judge, group, item, chunk->hashes[i], &chunk->probes[i]);
            try_expected(judge, group, item);
        }
    }
    batches_run(judge->kernel, group);
}

static bool any_matched(const struct group *group, const struct group_item *item)
{
    int64_t matched = group->pairs[item->pair_first].matched;
    for (uint32_t p = item->pair_first + 1; p < item->pair_first + item->pair_count; p++)
        matched = greatest(matched, group->pairs[p].matched);
    return matched >= 0;
}

static void add_rest(struct judge *judge, struct group *group, uint32_t p)
{
    struct pair *pair = &group->pairs[p];
    int64_t low, high;
    pair_window(pair, pair->expected, &low, &high);
    if (low > high) return;
    bool first_done = pair->low <= pair->high;
    for (int64_t step = low; step <= high; step++) {
        if (!first_done || step != pair->expected) batch_add(judge->kernel, group, p, step);
    }
    pair->low = low;
    pair->high = high;
}

static void stage_rest(struct judge *judge, struct group *group, const struct chunk *chunk)
{
    /* Every item has a pair at least, and every pair matched. */
    if (group->match_count == group->pair_count) return;
    for (uint32_t i = 0; i < chunk->lookup_count; i++) {
        const struct group_item *item = &chunk->items[chunk->lookups[i]];
        if (any_matched(group, item) || item->frame->method != OTPRING_WIRE_VERIFY) continue;
        for (uint32_t p = item->pair_first; p < item->pair_first + item->pair_count; p++) add_rest(judge, group, p);
    }
    batches_run(judge->kernel, group);
}

struct chunk *group_advance(struct judge *judge, struct group *group)
{
    uint64_t begun_ns = judge_mark(judge, -1, 0);
    const struct table *table = judge->core->table;
    struct chunk *hashed = group_filling(group);
    struct chunk *probed = &group->chunks[(group->advanced + 2) % CHUNK_STAGES];
    struct chunk *looked = &group->chunks[(group->advanced + 1) % CHUNK_STAGES];
    group->advanced++;
    stage_hash(table, hashed, group->prefetch);
    table_probe_batch(table, probed->hashes, probed->count ? probed->lookup_count : 0, probed->probes,
                      group->prefetch + CHUNK_ITEMS);
    group->prefetch_waits = hashed->count + probed->count > 0;
    if (looked->count == 0) looked->lookup_count = 0;
    if (looked->lookup_count < CHUNK_ITEMS) prefetch_now(group);
    stage_look(judge, group, looked);
    prefetch_now(group);
    begun_ns = judge_mark(judge, 1, begun_ns);
    stage_rest(judge, group, looked);
    judge_mark(judge, 2, begun_ns);
    return looked;
}

/* ---- one pair ---- */

enum { PAIR_STEPS = 128 };

static void compute(const struct kernel *kernel, struct pair *pair, int64_t low, int64_t high)
{
    const void *midstates[PAIR_STEPS];
    uint64_t steps[PAIR_STEPS];
    uint32_t codes[PAIR_STEPS];
    uint8_t digits[PAIR_STEPS], fits_all[PAIR_STEPS] = {0};
    struct kernel_match match = {
        .midstates = midstates, .counters = steps, .codes = codes, .digits = digits, .ret_fits = fits_all};
    size_t most = (size_t)least(high - low + 1, PAIR_STEPS);
    for (size_t i = 0; i < most; i++) {
        midstates[i] = pair->midstates;
        codes[i] = pair->code;
    }
    memset(digits, pair->profile->digits, most);
    for (; low <= high; low += (int64_t)match.count) {
        match.count = (size_t)least(high - low + 1, PAIR_STEPS);
        for (size_t i = 0; i < match.count; i++) steps[i] = (uint64_t)low + i;
        kernel->match[pair->profile->algorithm](&match);
        for (size_t i = 0; i < match.count; i++) (void)pair_note(pair, low + (int64_t)i, 0u - fits_all[i]);
    }
}

void pair_cover(const struct kernel *kernel, struct pair *pair, int64_t low, int64_t high)
{
    if (low > high) return;
    /* What lies apart is forgotten: it is no longer in any window. */
    if (pair->low <= pair->high && (low > pair->high + 1 || high < pair->low - 1)) pair_forget(pair);
    if (pair->low > pair->high) {
        compute(kernel, pair, low, high);
        pair->low = low;
        pair->high = high;
        return;
    }
    if (low < pair->low) {
        compute(kernel, pair, low, pair->low - 1);
        pair->low = low;
    }
    if (high > pair->high) {
        compute(kernel, pair, pair->high + 1, high);
        pair->high = high;
    }
}

int64_t pair_far(const struct kernel *kernel, const struct pair *pair, int64_t low, int64_t high)
{
    struct pair far = *pair;
    pair_forget(&far);
    pair_cover(kernel, &far, greatest(low, 0), least(high, STEP_GREATEST));
    return far.matched;
}

int64_t pair_adjacent(const struct kernel *kernel, const struct pair *pair, uint32_t code_next, int64_t low,
                      int64_t high)
{
    const void *midstates[PAIR_STEPS];
    uint64_t steps[PAIR_STEPS];
    uint32_t truncated[PAIR_STEPS];
    unsigned digits = pair->profile->digits;
    int64_t found = -1;
    low = greatest(low, 0);
    high = least(high, STEP_GREATEST - 1);
    for (size_t i = 0; i < PAIR_STEPS; i++) midstates[i] = pair->midstates;
    while (low <= high) {
        /* One step more than are tried: each needs the one after it. */
        size_t count = (size_t)least(high - low + 2, PAIR_STEPS);
        for (size_t i = 0; i < count; i++) steps[i] = (uint64_t)low + i;
        kernel->steps[pair->profile->algorithm](midstates, steps, truncated, count);
        for (size_t i = 0; i + 1 < count; i++) {
            uint32_t both = fits(truncated[i], digits, pair->code) & fits(truncated[i + 1], digits, code_next);
            int64_t mask = (int64_t)(int32_t)(both & pair->live);
            found ^= (found ^ (low + (int64_t)i)) & mask;
        }
        low += (int64_t)count - 1;
    }
    return found;
}
