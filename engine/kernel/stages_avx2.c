/* The stages with AVX2: four items a vector where they are looked at and checked, one at a time where a bucket is
 * searched and a record written. What is left over, and what gains nothing, goes the plain way. */
#include "kernel/bucket.h"
#include "kernel/stages_from.h"
#include "kernel/vector256.h"

#include "kernel/transpose.h"

enum { LANES = LANES64, ALL_LANES = 0xf };

KERNEL_INLINE vector load(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

KERNEL_INLINE void store(void *to, vector words)
{
    _mm256_storeu_si256((__m256i *)to, words);
}

KERNEL_INLINE vector zero(void)
{
    return _mm256_setzero_si256();
}

/* Comparisons give all ones or zero in each lane of 64 bits. */
KERNEL_INLINE vector equal(vector x, vector y)
{
    return _mm256_cmpeq_epi64(x, y);
}

KERNEL_INLINE vector negative(vector x)
{
    return _mm256_cmpgt_epi64(zero(), x);
}

KERNEL_INLINE vector choose_lanes(vector clear, vector set, vector which)
{
    return _mm256_blendv_epi8(clear, set, which);
}

KERNEL_INLINE unsigned lanes_number(vector which)
{
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(which));
}

KERNEL_INLINE vector lanes_of(uint64_t bits)
{
    const vector each = _mm256_set_epi64x(8, 4, 2, 1);
    return equal(and2(constant64(bits), each), each);
}

/* The lower half of each lane. */
KERNEL_INLINE __m128i narrow(vector x)
{
    const vector even = _mm256_set_epi32(6, 4, 2, 0, 6, 4, 2, 0);
    return _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(x, even));
}

KERNEL_INLINE __m128i load_word(const void *from)
{
    return _mm_loadl_epi64((const __m128i *)from);
}

/* ---- find ---- */

KERNEL_INLINE struct bucket_match match_lanes(const _Atomic uint64_t *bucket, uint32_t tag)
{
    vector wanted = constant32(tag);
    struct bucket_match match = {0, 0};
    for (int half = 0; half < 2; half++) {
        vector entries = load((const void *)(bucket + LANES * half));
        match.tags |= lanes_number(_mm256_cmpeq_epi32(entries, wanted)) << LANES * half;
        match.empty |= lanes_number(equal(entries, zero())) << LANES * half;
    }
    match.tags &= ~match.empty;
    return match;
}

static void find(struct stage_find *find)
{
    find->ret_found = find->ret_long = find->ret_none = 0;
    stage_find_by(match_lanes, find, 0);
}

/* ---- look ---- */

/* Profiles of four lines; 0 where there is none of that number. Mostly it is the same for all. */
KERNEL_INLINE vector profile_lanes(const struct stage_look *look, vector states)
{
    vector ids = and2(shr64(states, 32), constant64(0xffff));
    uint64_t id[LANES], profiles[LANES];
    id[0] = (uint32_t)_mm_cvtsi128_si32(_mm256_castsi256_si128(ids));
    if (id[0] < look->profile_count && lanes_number(equal(ids, constant64(id[0]))) == ALL_LANES)
        return constant64(look->profiles[id[0]]);
    store(id, ids);
    for (int k = 0; k < LANES; k++) profiles[k] = id[k] < look->profile_count ? look->profiles[id[k]] : 0;
    return load(profiles);
}

/* Which queries may be tried with the profile at all: their digits are its digits, and all is as query_plain wants. */
KERNEL_INLINE vector queries_fit(vector queries, vector profiles)
{
    const vector limits = _mm256_set_epi32(10000000, 1000000, 0, 0, 0, 0, 0, 100000000);
    const vector low_half = constant64(0xffffffff), digits = constant64((uint64_t)0xff << STAGE_PROFILE_DIGITS);
    vector limit = and2(_mm256_permutevar8x32_epi32(limits, shr64(queries, STAGE_PROFILE_DIGITS)), low_half);
    vector same_digits = equal(and2(xor2(queries, profiles), digits), zero());
    vector in_range = _mm256_cmpgt_epi64(limit, and2(queries, low_half));
    /* Kind 1; source class 0 or 1; no flags. */
    vector plain = equal(and2(queries, constant64(0xfffeff0000000000)), constant64((uint64_t)1 << 40));
    return and2(and2(same_digits, in_range), plain);
}

KERNEL_INLINE void try_add(struct stage_tries *tries, const struct stage_look *look, size_t i)
{
    uint32_t at = tries->count++;
    const uint8_t *query = look->queries[i];
    tries->midstates[at] = look->lines[i];
    tries->steps[at] = look->ret_expected[i];
    memcpy(&tries->codes[at], query + 24, sizeof tries->codes[at]);
    tries->digits[at] = query[28];
    tries->items[at] = (uint8_t)i;
}

/* Four items, mostly of one algorithm and all to be tried. */
KERNEL_INLINE void tries_add(const struct stage_look *look, unsigned straight, vector algorithms, vector steps,
                             vector queries, size_t i)
{
    const __m128i first_bytes = _mm_set_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 12, 8, 4, 0);
    uint32_t algorithm = (uint32_t)_mm_cvtsi128_si32(_mm256_castsi256_si128(algorithms));
    if (straight != ALL_LANES || lanes_number(equal(algorithms, constant64(algorithm))) != ALL_LANES) {
        for (size_t k = i; straight; k++, straight >>= 1)
            if (straight & 1) try_add(look->tries[look->ordinals[k] >> 30], look, k);
        return;
    }
    struct stage_tries *tries = look->tries[algorithm];
    uint32_t at = tries->count;
    int digits = _mm_cvtsi128_si32(_mm_shuffle_epi8(narrow(shr64(queries, STAGE_PROFILE_DIGITS)), first_bytes));
    uint32_t items = 0x03020100 + 0x01010101 * (uint32_t)i;
    store((void *)(tries->midstates + at), load(look->lines + i));
    store(tries->steps + at, steps);
    _mm_storeu_si128((__m128i *)(void *)(tries->codes + at), narrow(queries));
    memcpy(tries->digits + at, &digits, sizeof digits);
    memcpy(tries->items + at, &items, sizeof items);
    tries->count = at + LANES;
}

/* The signed byte at bits 48 to 55. */
KERNEL_INLINE vector drift_lanes(vector states)
{
    vector both = _mm256_shuffle_epi32(_mm256_srai_epi32(shl64(states, 8), 24), 0xf5);
    return _mm256_blend_epi32(both, _mm256_srai_epi32(both, 31), 0xaa);
}

KERNEL_INLINE unsigned look_lanes(const struct stage_look *look, size_t i)
{
    vector token_budget[2], budget_state[2], source_last[2];
    const vector flags_and_check = constant64(0xff000000ffffffff), low_half = constant64(0xffffffff);
    load_words64((const void *const *)look->tails + i, 0, token_budget);
    load_words64((const void *const *)look->tails + i, 8, budget_state);
    load_words64(look->queries + i, 16, source_last);
    vector states = budget_state[1], queries = source_last[1];
    vector plain = or2(and2(load(look->hashes + i), low_half), constant64((uint64_t)look->flags << 56));
    vector profiles = profile_lanes(look, states);
    vector straight = and2(lanes_of(look->wanted >> i), equal(and2(states, flags_and_check), plain));
    straight = and2(straight, negative(profiles)); /* the highest bit: valid */
    straight = and2(straight, queries_fit(queries, profiles));
    vector ordinals = _mm256_cvtepu32_epi64(load_16_bytes(look->ordinals + i, 0));
    vector algorithms = and2(shr64(profiles, STAGE_PROFILE_ALGORITHM), constant64(0xff));
    straight = and2(straight, equal(algorithms, shr64(ordinals, 30)));
    vector totp = negative(shl64(profiles, 63 - STAGE_PROFILE_TOTP));
    vector by_time = add64(and2(profiles, low_half), drift_lanes(states));
    vector expected = choose_lanes(shr64(token_budget[0], 32), by_time, totp);
    /* At most 0xfffffffe. */
    straight = and2(straight, equal(shr64(expected, 32), zero()));
    straight = _mm256_andnot_si256(equal(expected, low_half), straight);
    vector drift_byte = and2(and2(shr64(states, 16), constant64((uint64_t)0xff << 32)), totp);
    vector class_byte = and2(shr64(queries, 24), constant64(0xff000000));
    store(look->ret_states + i, states);
    store(look->ret_expected + i, expected);
    store(look->ret_lasts + i, or2(or2(constant64(look->record_last), class_byte), drift_byte));
    unsigned straight_number = lanes_number(straight);
    tries_add(look, straight_number, algorithms, expected, queries, i);
    return straight_number;
}

static void look(struct stage_look *wanted)
{
    const struct stage_look look = *wanted;
    size_t i = 0;
    uint64_t straight = 0;
    for (; i + LANES <= look.count; i += LANES) straight |= (uint64_t)look_lanes(&look, i) << i;
    wanted->ret_straight = straight;
    stage_look_from(wanted, i);
}

/* ---- check ---- */

KERNEL_INLINE unsigned check_lanes(const struct stage_check *check, size_t i)
{
    vector budget_state[2];
    vector seen = load(check->seen + i), expected = load(check->expected + i), tails = load(check->tails + i);
    load_words64((const void *const *)check->tails + i, 8, budget_state);
    vector ready = and2(lanes_of(check->wanted >> i), equal(and2(budget_state[0], constant64(0xffff)), zero()));
    ready = and2(ready, equal(budget_state[1], load(check->states + i)));
    ready = _mm256_andnot_si256(_mm256_cmpgt_epi64(shr64(seen, 32), expected), ready);
    store((void *)(check->ret_words + i), choose_lanes(constant64((uintptr_t)check->nowhere), tails, ready));
    store(check->ret_next + i, or2(shl64(add64(expected, constant64(1)), 32), and2(seen, constant64(0xffffffff))));
    return lanes_number(ready);
}

static void check(struct stage_check *wanted)
{
    const struct stage_check check = *wanted;
    size_t i = 0;
    uint64_t ready = 0;
    for (; i + LANES <= check.count; i += LANES) ready |= (uint64_t)check_lanes(&check, i) << i;
    wanted->ret_ready = ready;
    stage_check_from(wanted, i);
}

_Static_assert(TAIL_TOKEN == 0 && TAIL_BUDGET == 1 && TAIL_STATE == 2, "offsets in look_lanes and check_lanes");

/* ---- record ---- */

static void record(const struct stage_record *wanted)
{
    const struct stage_record record = *wanted;
    for (uint64_t left = record.which; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctzll(left);
        uint32_t number = record.records[i];
        uint8_t *slot = record.slots + (size_t)number * 64;
        __m128i name = load_16_bytes(record.queries[i], 0), token = load_word(record.tokens + i);
        __m128i source = load_word((const uint8_t *)record.queries[i] + 16);
        __m128i ordinals = _mm_set1_epi32((int)record.ordinals[i]);
        __m128i place_last = _mm_unpacklo_epi64(load_word(record.places + i), load_word(record.lasts + i));
        store(slot, _mm256_inserti128_si256(_mm256_castsi128_si256(name), token, 1));
        store(slot + sizeof(vector),
              _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi64(source, ordinals)), place_last, 1));
        _mm_storeu_si128((__m128i *)record.answers[i], _mm_set_epi64x(number, (long long)record.answer));
    }
}

const struct kernel_stages stages_avx2 = {stage_gather, stage_hash_names, find, look, check, record};
