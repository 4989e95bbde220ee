/* Candidates: which steps a code may fit, computed in full kernel batches over many tokens, or for one token where a
 * word moved.
 *
 * A turn's items go through three stages in chunks. While the kernel hashes one chunk it loads the lines of the next
 * one and the index of the one after that, in small bursts or a load every few rounds (bursts.h); all of them at once
 * would wait for memory instead.
 *
 *     advance    a                  a + 1              a + 2                              a + 3
 *     chunk      names to hashes    hashes to lines    lines to pairs, kernel, judging    swaps, beside the kernel
 *     loads            `-- index --------^ `-- lines --------^
 *
 * Codes are compared as numbers, without a branch on what does not match; which step matched, and that none did, may
 * show in the time. */
#include "core/straight.h"

#include <string.h>

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

/* `fit` is all ones or zero. */
static void pair_note(struct pair *pair, int64_t step, uint32_t fit)
{
    int64_t counts = (int64_t)(int32_t)(fit & pair->live), matched = pair->matched;
    int64_t later = -(int64_t)(step > matched);
    pair->matched = matched ^ ((matched ^ step) & counts & later);
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
    const struct stage_tries *tries = &batch->tries;
    uint32_t count = tries->count, straight = batch->straight;
    if (count == 0) return;
    bool full = count == CHUNK_ITEMS, loads = full && group->prefetch_waits;
    kernel->match[algorithm](&(struct kernel_match){.count = count,
                                                    .midstates = tries->midstates,
                                                    .counters = tries->steps,
                                                    .codes = tries->codes,
                                                    .digits = tries->digits,
                                                    .ret_fits = batch->fits,
                                                    .prefetch = loads ? group->prefetch : NULL,
                                                    .bursts = group->bursts,
                                                    .swaps = full ? &group->swaps.list : NULL});
    if (loads) group->prefetch_waits = false;
    if (straight == CHUNK_ITEMS)
        memcpy(group->fits, batch->fits, CHUNK_ITEMS); /* all of them, in order */
    else
        for (uint32_t i = 0; i < straight; i++) group->fits[tries->items[i]] = batch->fits[i];
    for (uint32_t i = straight; i < count; i++)
        pair_note(&group->pairs[batch->pairs[i]], (int64_t)tries->steps[i], 0u - batch->fits[i]);
    batch->tries.count = batch->straight = 0;
}

static void batch_add(const struct kernel *kernel, struct group *group, uint32_t pair_index, int64_t step)
{
    const struct pair *pair = &group->pairs[pair_index];
    enum kernel_algorithm algorithm = pair->profile->algorithm;
    struct batch *batch = &group->batches[algorithm];
    struct stage_tries *tries = &batch->tries;
    uint32_t at = tries->count;
    tries->midstates[at] = pair->midstates;
    tries->steps[at] = (uint64_t)step;
    tries->codes[at] = pair->code;
    tries->digits[at] = pair->profile->digits;
    batch->pairs[at] = pair_index;
    tries->count = at + 1;
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

/* Codes and responses are for tokens of their own kind. What answers exchanges answers nothing else, since the engine
 * computes a response of its own with the same key: PROTOCOL.md (Exchanges) says what that could open elsewhere. */
static bool is_for(const struct group_item *item, const struct judge_profile *profile)
{
    bool exchange = (item->frame->client->rights & CORE_RIGHT_EXCHANGE) != 0;
    if ((profile->type == OTP_OCRA) != item_is_ocra(item)) return false;
    return profile->type != OTP_OCRA || profile->mutual == exchange;
}

static void pair_add_hit(struct judge *judge, struct group *group, struct group_item *item, const struct table_hit *hit)
{
    uint8_t flags = atomic_load_explicit(&hit->tail->flags, memory_order_acquire);
    if (flags & TABLE_REMOVED) return;
    item->live_count++;
    struct judge_profile *profile = profile_of(judge, atomic_load_explicit(&hit->tail->profile, memory_order_relaxed));
    if (profile && !is_for(item, profile)) {
        item->other_count += !(flags & TABLE_SUSPENDED);
        return;
    }
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
static void item_look(struct judge *judge, struct group *group, struct group_item *item, const struct chunk *chunk,
                      uint32_t i)
{
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX] = {table_probe_hit(&chunk->probes, i)};
    uint64_t hash = chunk->hashes[i];
    bool one = chunk->probes.one >> i & 1, many = chunk->probes.many >> i & 1;
    unsigned count = one;
    if (many || (one && !table_hit_is(&hits[0], hash))) count = table_find_hash(judge->core->table, hash, hits);
    item->pair_first = group->pair_count;
    for (unsigned h = 0; h < count; h++) pair_add_hit(judge, group, item, &hits[h]);
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

static bool company_allowed(const struct core_client *client, const uint8_t company[8])
{
    if (client->company_count == 0) return true;
    bool allowed = false;
    for (uint32_t i = 0; i < client->company_count; i++) allowed |= memcmp(client->companies[i], company, 8) == 0;
    return allowed;
}

/* By digits modulo 16; all but 6, 7 and 8 fit no code. */
static bool code_fits(uint32_t code, uint8_t digits)
{
    static const uint32_t limits[16] = {[6] = 1000000, [7] = 10000000, [8] = 100000000};
    return digits < 16 && code < limits[digits & 15];
}

/* What the query itself decides, before anything is looked up. */
static void preset(struct group_item *item)
{
    const struct otpring_wire_query *query = item->query;
    const struct judged_frame *frame = item->frame;
    if (item_is_ocra(item)) {
        if (ocra_preset(item_ocra(item), &item->preset, &item->preset_reason)) return;
        if (company_allowed(frame->client, query->company)) return;
        item->preset = OTPRING_REJECTED;
        item->preset_reason = OTPRING_REASON_COMPANY;
        return;
    }
    const struct otpring_wire_pair *pair =
        frame->method == OTPRING_WIRE_RESYNC ? (const struct otpring_wire_pair *)(const void *)query : NULL;
    if (query->kind != OTPRING_QUERY_CODE || query->source_class > 1 || query->flags || (pair && pair->reserved)) {
        item->preset = OTPRING_MALFORMED;
        item->preset_reason = OTPRING_REASON_RESERVED;
    } else if (!code_fits(query->code, query->digits) || (pair && !code_fits(pair->code_next, query->digits))) {
        item->preset = OTPRING_MALFORMED;
        item->preset_reason = OTPRING_REASON_CODE_RANGE;
    } else if (!company_allowed(frame->client, query->company)) {
        item->preset = OTPRING_REJECTED;
        item->preset_reason = OTPRING_REASON_COMPANY;
    }
}

/* The other kind of query: decided by what the probe found of the name, and by the gates (required.c). */
static void preset_required(const struct judge *judge, const struct chunk *chunk, uint32_t i, struct group_item *item)
{
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX] = {table_probe_hit(&chunk->probes, i)};
    const struct otpring_wire_query *query = item->query;
    if (item->frame->method != OTPRING_WIRE_VERIFY || query->code || query->digits || query->flags ||
        query->source_class > 1) {
        item->preset = OTPRING_MALFORMED;
        item->preset_reason = OTPRING_REASON_RESERVED;
        return;
    }
    if (!company_allowed(item->frame->client, query->company)) {
        item->preset = OTPRING_REJECTED;
        item->preset_reason = OTPRING_REASON_COMPANY;
        return;
    }
    bool one = chunk->probes.one >> i & 1, many = chunk->probes.many >> i & 1, line = one;
    if (many || (one && !table_hit_is(&hits[0], chunk->hashes[i])))
        line = table_find_hash(judge->core->table, chunk->hashes[i], hits) > 0;
    enum otpring_reason reason;
    item->preset = (uint8_t)required_of(judge->core, (const uint8_t *)query, line, &reason);
    item->preset_reason = (uint8_t)reason;
}

/* The item as the general way has it, before anything is looked up. */
static struct group_item item_of(const struct group *group, const struct chunk *chunk, uint32_t i)
{
    return (struct group_item){
        .query = chunk->queries[i],
        .frame = chunk->frames[i],
        .slot = (struct slot_verify *)(void *)(group->slots + (size_t)chunk->records[i] * JOURNAL_SLOT_SIZE),
        .answer = chunk->answers[i],
        .first_ordinal = NO_ORDINAL,
        .record = chunk->records[i],
        .index = (uint16_t)chunk->places[i]};
}

void group_item_general(struct judge *judge, struct group *group, const struct chunk *chunk, uint32_t i, bool fits,
                        struct group_item *item)
{
    *item = item_of(group, chunk, i);
    struct table_tail *tail = chunk->probes.tails[i];
    struct judge_profile *profile = &judge->profiles->profiles[chunk->states[i] >> 32 & 0xffff];
    item->first = tail;
    item->first_ordinal = chunk->probes.ordinals[i];
    item->pair_first = group->pair_count;
    item->live_count = 1;
    struct pair *pair = pair_add(group, item, profile);
    pair->midstates = chunk->probes.lines[i];
    pair->tail = tail;
    pair->ordinal = chunk->probes.ordinals[i];
    pair->blocked = false;
    pair->live = UINT32_MAX;
    pair->expected = pair->low = pair->high = (int64_t)chunk->expected[i];
    pair->matched = fits ? pair->expected : -1;
}

static void stage_hash(const struct judge *judge, struct group *group, struct chunk *chunk)
{
    table_hash_batch(judge->core->table, judge->kernel->stages, chunk->queries, chunk->count, chunk->hashes,
                     group->prefetch);
}

static void stage_probe(const struct judge *judge, struct group *group, struct chunk *chunk)
{
    table_probe_batch(judge->core->table, judge->kernel->stages, chunk->hashes, chunk->count, &chunk->probes);
    memcpy(group->prefetch + CHUNK_ITEMS, chunk->probes.lines, sizeof chunk->probes.lines);
}

static void look_straight(struct judge *judge, struct group *group, struct chunk *chunk)
{
    struct stage_tries *tries[KERNEL_ALGORITHM_COUNT];
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) tries[a] = &group->batches[a].tries;
    struct stage_look look = {.count = chunk->count,
                              .wanted = chunk->plain & chunk->probes.one,
                              .queries = chunk->queries,
                              .hashes = chunk->hashes,
                              .ordinals = chunk->probes.ordinals,
                              .lines = chunk->probes.lines,
                              .tails = chunk->probes.tails,
                              .profiles = judge->profiles->words,
                              .profile_count = judge->profiles->count,
                              .flags = STRAIGHT_FLAGS,
                              .record_last = STRAIGHT_LAST,
                              .ret_states = chunk->states,
                              .ret_expected = chunk->expected,
                              .ret_lasts = chunk->lasts};
    memcpy(look.tries, tries, sizeof tries);
    judge->kernel->stages->look(&look);
    group->straight = look.ret_straight;
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
        group->batches[a].straight = tries[a]->count;
        if (tries[a]->count == CHUNK_ITEMS) batch_run(judge->kernel, group, a);
    }
}

static void stage_look(struct judge *judge, struct group *group, struct chunk *chunk)
{
    group->pair_count = 0;
    look_straight(judge, group, chunk);
    for (uint64_t left = items_mask(chunk->count) & ~group->straight; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        struct group_item *item = &group->items[i];
        *item = item_of(group, chunk, i);
        if (item->query->kind == OTPRING_QUERY_REQUIRED)
            preset_required(judge, chunk, i, item);
        else
            preset(item);
        if (item->preset) continue;
        item_look(judge, group, item, chunk, i);
        try_expected(judge, group, item);
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
    uint64_t fitting = bits_of_bytes(group->fits) & group->straight;
    for (uint64_t left = group->straight & ~fitting; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        group_item_general(judge, group, chunk, i, false, &group->items[i]);
    }
    group->straight = fitting;
    for (uint64_t left = items_mask(chunk->count) & ~fitting; left; left &= left - 1) {
        const struct group_item *item = &group->items[__builtin_ctzll(left)];
        if (item->preset || item->frame->method != OTPRING_WIRE_VERIFY || any_matched(group, item)) continue;
        for (uint32_t p = item->pair_first; p < item->pair_first + item->pair_count; p++) add_rest(judge, group, p);
    }
    batches_run(judge->kernel, group);
}

void group_advance(struct judge *judge, struct group *group)
{
    uint64_t begun_ns = judge_mark(judge, -1, 0);
    struct chunk *hashed = group_filling(group);
    struct chunk *probed = &group->chunks[(group->advanced + 3) % CHUNK_STAGES];
    struct chunk *looked = &group->chunks[(group->advanced + 2) % CHUNK_STAGES];
    struct chunk *settled = &group->chunks[(group->advanced + 1) % CHUNK_STAGES];
    group->advanced++;
    stage_hash(judge, group, hashed);
    stage_probe(judge, group, probed);
    begun_ns = judge_mark(judge, 0, begun_ns);
    group->prefetch_waits = hashed->count + probed->count > 0;
    if (looked->count < CHUNK_ITEMS) prefetch_now(group);
    profile_words_refresh(judge->profiles, judge->wall_s);
    stage_look(judge, group, looked);
    prefetch_now(group);
    begun_ns = judge_mark(judge, 1, begun_ns);
    judge_settle(judge, group, settled);
    settled->count = 0;
    settled->plain = 0;
    begun_ns = judge_mark(judge, 3, begun_ns);
    stage_rest(judge, group, looked);
    begun_ns = judge_mark(judge, 2, begun_ns);
    judge_chunk(judge, group, looked);
    judge_mark(judge, 3, begun_ns);
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
        if (!memchr(fits_all, 1, match.count)) continue;
        for (size_t i = 0; i < match.count; i++) pair_note(pair, low + (int64_t)i, 0u - fits_all[i]);
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
