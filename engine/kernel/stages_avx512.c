/* The stages with AVX-512 (F, BW, VL, DQ), eight items a vector; what is left over goes the plain way. */
#include "kernel/bucket.h"
#include "kernel/stages_from.h"
#include "kernel/vector512.h"

#include "kernel/transpose.h"

enum { LANES = LANES64, ALL_LANES = 0xff };

KERNEL_INLINE vector load(const void *from)
{
    return _mm512_loadu_si512(from);
}

KERNEL_INLINE void store(void *to, vector words)
{
    _mm512_storeu_si512(to, words);
}

KERNEL_INLINE vector zero(void)
{
    return _mm512_setzero_si512();
}

/* ---- gather ---- */

/* At most eight numbers from `first` on, `step` apart. */
KERNEL_INLINE void count_up(uint64_t *to, size_t at, __mmask8 which, uint64_t first, vector steps)
{
    _mm512_mask_storeu_epi64(to + at, which, add64(constant64(first), steps));
}

static void gather(const struct stage_gather *from)
{
    const vector each = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const vector query_steps = _mm512_mullo_epi64(each, constant64(from->query_size)), answer_steps = shl64(each, 4);
    for (size_t i = 0; i < from->count; i += LANES) {
        size_t left = from->count - i, at = from->at + i;
        __mmask8 which = left < LANES ? (__mmask8)((1u << left) - 1) : ALL_LANES;
        __m256i records = _mm256_add_epi32(_mm256_set1_epi32((int)(from->record + i)), _mm512_cvtepi64_epi32(each));
        count_up((uint64_t *)(void *)from->ret_queries, at, which, (uintptr_t)from->query + i * from->query_size,
                 query_steps);
        count_up((uint64_t *)(void *)from->ret_answers, at, which, (uintptr_t)from->answer + i * STAGE_ANSWER,
                 answer_steps);
        count_up((uint64_t *)(void *)from->ret_frames, at, which, (uintptr_t)from->frame, zero());
        count_up(from->ret_places, at, which, from->place + i, each);
        _mm256_mask_storeu_epi32(from->ret_records + at, which, records);
    }
}

/* ---- hash_names ---- */

/* Both halves of each 128-bit product, one xor the other, from products of 32 by 32 bits. */
KERNEL_INLINE vector multiply_and_fold(vector x, vector y)
{
    const vector low_half = constant64(0xffffffff);
    vector x_high = shr64(x, 32), y_high = shr64(y, 32);
    vector low = _mm512_mul_epu32(x, y), high = _mm512_mul_epu32(x_high, y_high);
    vector high_low = _mm512_mul_epu32(x_high, y), low_high = _mm512_mul_epu32(x, y_high);
    vector cross = add64(add64(shr64(low, 32), and2(high_low, low_half)), low_high);
    vector upper = add64(add64(shr64(high_low, 32), shr64(cross, 32)), high);
    vector lower = or2(shl64(cross, 32), and2(low, low_half));
    return xor2(upper, lower);
}

KERNEL_INLINE vector swap_bytes64(vector x)
{
    const __m128i order = _mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(order));
}

/* As stage_name_hash. */
KERNEL_INLINE vector hash_lanes(struct stage_key key, const vector name[2])
{
    vector low = xor2(name[0], constant64(key.flips[0])), high = xor2(name[1], constant64(key.flips[1]));
    vector sum = add64(add64(constant64(16), swap_bytes64(low)), add64(high, multiply_and_fold(low, high)));
    sum = _mm512_mullo_epi64(xor2(sum, shr64(sum, 37)), constant64(0x165667919e3779f9));
    return xor2(sum, shr64(sum, 32));
}

static void hash_names(const struct stage_names *names)
{
    const vector buckets = constant64((uintptr_t)names->index.buckets);
    const __m128i shift = _mm_cvtsi32_si128((int)(32 + names->index.shift));
    size_t i = 0;
    for (; i + LANES <= names->count; i += LANES) {
        vector name[2];
        load_words64(names->names + i, 0, name);
        vector hash = hash_lanes(names->key, name);
        store(names->ret_hashes + i, hash);
        store((void *)(names->ret_buckets + i), add64(buckets, shl64(_mm512_srl_epi64(hash, shift), 6)));
    }
    stage_hash_names_from(names, i);
}

/* ---- find ---- */

/* A mask as a number, at once: gcc would go on in mask registers, each way there and back taking three cycles. */
KERNEL_INLINE unsigned mask_number(__mmask8 mask)
{
    unsigned number = mask;
    __asm__("" : "+r"(number));
    return number;
}

/* The ordinal of the one entry with this tag, and 1 more; or 0 and its bit taken out of *found. */
KERNEL_INLINE uint32_t find_entry(const void *bucket, const uint64_t *hash, uint64_t bit, uint64_t *found,
                                  uint64_t *none)
{
    vector entries = load(bucket), differ = xor2(entries, constant64(*hash));
    __mmask8 filled = _mm512_test_epi64_mask(entries, entries);
    __mmask8 alike = _mm512_mask_testn_epi64_mask(filled, differ, constant64(0xffffffff00000000));
    unsigned full = mask_number(filled) == ALL_LANES, tags = mask_number(alike);
    if (__builtin_expect(!full && tags && !(tags & (tags - 1)), 1)) {
        uint32_t ordinal_and_1;
        memcpy(&ordinal_and_1, (const uint8_t *)bucket + (size_t)8 * (unsigned)__builtin_ctz(tags),
               sizeof ordinal_and_1);
        return ordinal_and_1;
    }
    *found &= ~bit;
    if (!full && !tags) *none |= bit;
    return 0;
}

/* Ordinals, lines and tails of eight entries; gives which of them are longer than 64 bytes. */
KERNEL_INLINE unsigned find_lines(const struct stage_find *find, vector arrays, size_t i, __mmask8 found)
{
    const vector nowhere = constant64((uintptr_t)find->nowhere);
    __m256i *at = (__m256i *)(void *)(find->ret_ordinals + i);
    __m256i narrow = _mm256_maskz_sub_epi32(found, _mm256_loadu_si256(at), _mm256_set1_epi32(1));
    _mm256_storeu_si256(at, narrow);
    vector ordinals = _mm512_cvtepu32_epi64(narrow);
    vector algorithm = shr64(ordinals, 30), size = shl64(add64(algorithm, constant64(1)), 6);
    vector offset = _mm512_mul_epu32(and2(ordinals, constant64(0x3fffffff)), size);
    vector lines = add64(_mm512_permutexvar_epi64(algorithm, arrays), offset);
    vector tails = add64(lines, subtract64(size, constant64(8 * TAIL_WORDS)));
    store(find->ret_lines + i, _mm512_mask_mov_epi64(nowhere, found, lines));
    store(find->ret_tails + i, _mm512_mask_mov_epi64(nowhere, found, tails));
    return _mm512_mask_test_epi64_mask(found, algorithm, algorithm);
}

static void find(struct stage_find *find)
{
    const vector arrays = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)find->arrays));
    const uint8_t *buckets = find->index.buckets;
    unsigned shift = 32 + find->index.shift;
    size_t whole = find->count / LANES * LANES;
    uint64_t found = whole == STAGE_ITEMS_MAX ? UINT64_MAX : ((uint64_t)1 << whole) - 1, none = 0, longer = 0;
    for (size_t i = 0; i < whole; i++) {
        const uint64_t *hash = find->hashes + i;
        find->ret_ordinals[i] =
            find_entry(buckets + (*hash >> shift) * 8 * BUCKET_ENTRIES, hash, (uint64_t)1 << i, &found, &none);
    }
    for (size_t i = 0; i < whole; i += LANES)
        longer |= (uint64_t)find_lines(find, arrays, i, (__mmask8)(found >> i)) << i;
    find->ret_found = found;
    find->ret_none = none;
    find->ret_long = longer;
    stage_find_from(find, whole);
}

/* ---- look ---- */

/* Profiles of eight lines; 0 where there is none of that number. Mostly it is the same for all. */
KERNEL_INLINE vector profile_lanes(const struct stage_look *look, vector states)
{
    vector id = and2(shr64(states, 32), constant64(0xffff));
    uint32_t first = (uint32_t)_mm512_cvtsi512_si32(id);
    if (first < look->profile_count && _mm512_cmpeq_epi64_mask(id, constant64(first)) == ALL_LANES)
        return constant64(look->profiles[first]);
    __mmask8 there = _mm512_cmplt_epu64_mask(id, constant64(look->profile_count));
    return _mm512_mask_i64gather_epi64(zero(), there, id, look->profiles, 8);
}

/* Which queries may be tried with the profile at all: their digits are its digits, and all is as query_plain wants. */
KERNEL_INLINE __mmask8 queries_fit(vector queries, vector profiles)
{
    const vector limits = _mm512_set_epi64(10000000, 1000000, 0, 0, 0, 0, 0, 100000000);
    const vector digits = constant64((uint64_t)0xff << STAGE_PROFILE_DIGITS);
    vector limit = _mm512_permutexvar_epi64(shr64(queries, STAGE_PROFILE_DIGITS), limits);
    __mmask8 fit = _mm512_testn_epi64_mask(xor2(queries, profiles), digits);
    fit = _mm512_mask_cmplt_epu64_mask(fit, and2(queries, constant64(0xffffffff)), limit);
    /* Kind 1; source class 0 or 1; no flags. */
    return _mm512_mask_cmpeq_epi64_mask(fit, and2(queries, constant64(0xfffeff0000000000)),
                                        constant64((uint64_t)1 << 40));
}

KERNEL_INLINE void tries_add(struct stage_tries *tries, __mmask8 which, vector lines, vector steps, vector queries,
                             size_t first)
{
    const vector each = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    uint32_t at = tries->count;
    vector query = _mm512_maskz_compress_epi64(which, queries);
    vector items = _mm512_maskz_compress_epi64(which, add64(each, constant64(first)));
    store((void *)(tries->midstates + at), _mm512_maskz_compress_epi64(which, lines));
    store(tries->steps + at, _mm512_maskz_compress_epi64(which, steps));
    _mm256_storeu_si256((__m256i *)(void *)(tries->codes + at), _mm512_cvtepi64_epi32(query));
    _mm_storel_epi64((__m128i *)(void *)(tries->digits + at), _mm512_cvtepi64_epi8(shr64(query, STAGE_PROFILE_DIGITS)));
    _mm_storel_epi64((__m128i *)(void *)(tries->items + at), _mm512_cvtepi64_epi8(items));
    tries->count = at + (unsigned)__builtin_popcount(which);
}

KERNEL_INLINE __mmask8 look_lanes(const struct stage_look *look, size_t i)
{
    vector token_budget[2], budget_state[2], source_last[2];
    const vector flags_and_check = constant64(0xff000000ffffffff);
    load_words64((const void *const *)look->tails + i, 0, token_budget);
    load_words64((const void *const *)look->tails + i, 8, budget_state);
    load_words64(look->queries + i, 16, source_last);
    vector states = budget_state[1], queries = source_last[1];
    vector plain = or2(and2(load(look->hashes + i), constant64(0xffffffff)), constant64((uint64_t)look->flags << 56));
    __mmask8 straight = (__mmask8)(look->wanted >> i);
    straight = _mm512_mask_cmpeq_epi64_mask(straight, and2(states, flags_and_check), plain);
    vector profiles = profile_lanes(look, states);
    straight = _mm512_mask_cmplt_epi64_mask(straight, profiles, zero()); /* the highest bit: valid */
    straight &= queries_fit(queries, profiles);
    vector ordinals = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(const void *)(look->ordinals + i)));
    vector algorithm = and2(shr64(profiles, STAGE_PROFILE_ALGORITHM), constant64(0xff));
    straight = _mm512_mask_cmpeq_epi64_mask(straight, algorithm, shr64(ordinals, 30));
    __mmask8 totp = _mm512_test_epi64_mask(profiles, constant64((uint64_t)1 << STAGE_PROFILE_TOTP));
    vector drift = _mm512_srai_epi64(shl64(states, 8), 56);
    vector expected = shr64(token_budget[0], 32);
    expected = _mm512_mask_add_epi64(expected, totp, and2(profiles, constant64(0xffffffff)), drift);
    straight = _mm512_mask_cmple_epu64_mask(straight, expected, constant64(0xfffffffe));
    vector drift_byte = _mm512_maskz_and_epi64(totp, shr64(states, 16), constant64((uint64_t)0xff << 32));
    vector class_byte = and2(shr64(queries, 24), constant64(0xff000000));
    store(look->ret_states + i, states);
    store(look->ret_expected + i, expected);
    store(look->ret_lasts + i, or2(or2(constant64(look->record_last), class_byte), drift_byte));
    vector lines = load(look->lines + i);
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
        __mmask8 which = _mm512_mask_cmpeq_epi64_mask(straight, algorithm, constant64(a));
        if (which) tries_add(look->tries[a], which, lines, expected, queries, i);
    }
    return straight;
}

static void look(struct stage_look *look)
{
    size_t i = 0;
    uint64_t straight = 0;
    for (; i + LANES <= look->count; i += LANES) straight |= (uint64_t)look_lanes(look, i) << i;
    look->ret_straight = straight;
    stage_look_from(look, i);
}

/* ---- check ---- */

KERNEL_INLINE __mmask8 check_lanes(const struct stage_check *check, size_t i)
{
    vector budget_state[2];
    vector seen = load(check->seen + i), expected = load(check->expected + i);
    load_words64((const void *const *)check->tails + i, 8, budget_state);
    __mmask8 ready = (__mmask8)(check->wanted >> i);
    ready = _mm512_mask_testn_epi64_mask(ready, budget_state[0], constant64(0xffff));
    ready = _mm512_mask_cmpeq_epi64_mask(ready, budget_state[1], load(check->states + i));
    ready = _mm512_mask_cmple_epu64_mask(ready, shr64(seen, 32), expected);
    vector words = _mm512_mask_mov_epi64(constant64((uintptr_t)check->nowhere), ready, load(check->tails + i));
    store((void *)(check->ret_words + i), words);
    store(check->ret_next + i, or2(shl64(add64(expected, constant64(1)), 32), and2(seen, constant64(0xffffffff))));
    return ready;
}

static void check(struct stage_check *check)
{
    size_t i = 0;
    uint64_t ready = 0;
    for (; i + LANES <= check->count; i += LANES) ready |= (uint64_t)check_lanes(check, i) << i;
    check->ret_ready = ready;
    stage_check_from(check, i);
}

_Static_assert(TAIL_TOKEN == 0 && TAIL_BUDGET == 1 && TAIL_STATE == 2, "offsets in look_lanes and check_lanes");

/* ---- record ---- */

/* Pieces of 16 bytes, four a vector, in rows of four: the rows become columns. */
KERNEL_INLINE void turn_pieces(const vector rows[4], vector ret_columns[4])
{
    vector low01 = _mm512_shuffle_i64x2(rows[0], rows[1], 0x44), high01 = _mm512_shuffle_i64x2(rows[0], rows[1], 0xee);
    vector low23 = _mm512_shuffle_i64x2(rows[2], rows[3], 0x44), high23 = _mm512_shuffle_i64x2(rows[2], rows[3], 0xee);
    ret_columns[0] = _mm512_shuffle_i64x2(low01, low23, 0x88);
    ret_columns[1] = _mm512_shuffle_i64x2(low01, low23, 0xdd);
    ret_columns[2] = _mm512_shuffle_i64x2(high01, high23, 0x88);
    ret_columns[3] = _mm512_shuffle_i64x2(high01, high23, 0xdd);
}

KERNEL_INLINE void *slot_of(const struct stage_record *record, size_t i)
{
    return record->slots + (size_t)record->records[i] * 64;
}

/* Items i, i + 2, i + 4 and i + 6 have their words in the even lanes, the four between them in the odd ones. */
KERNEL_INLINE void record_lanes(const struct stage_record *record, size_t i)
{
    vector tokens = load(record->tokens + i), places = load(record->places + i), lasts = load(record->lasts + i);
    vector ordinals = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(const void *)(record->ordinals + i)));
    ordinals = or2(ordinals, shl64(ordinals, 32));
    vector sources = load_lines(record->queries + i, 2, 16), next_sources = load_lines(record->queries + i + 1, 2, 16);
    vector even[4] = {load_lines(record->queries + i, 2, 0), unpack_low64(tokens, zero()),
                      _mm512_mask_unpacklo_epi64(sources, 0xaa, ordinals, ordinals), unpack_low64(places, lasts)};
    vector odd[4] = {load_lines(record->queries + i + 1, 2, 0), unpack_high64(tokens, zero()),
                     _mm512_mask_unpackhi_epi64(next_sources, 0xaa, ordinals, ordinals), unpack_high64(places, lasts)};
    vector even_slots[4], odd_slots[4];
    turn_pieces(even, even_slots);
    turn_pieces(odd, odd_slots);
    for (size_t k = 0; k < LANES / 2; k++) {
        store(slot_of(record, i + 2 * k), even_slots[k]);
        store(slot_of(record, i + 2 * k + 1), odd_slots[k]);
    }
    for (size_t k = i; k < i + LANES; k++) {
        uint64_t *answer = record->answers[k];
        answer[0] = record->answer;
        answer[1] = record->records[k];
    }
}

static void record(const struct stage_record *record)
{
    uint64_t left = record->which;
    for (size_t i = 0; i + LANES <= record->count; i += LANES) {
        if ((uint8_t)(left >> i) != ALL_LANES) continue;
        record_lanes(record, i);
        left &= ~((uint64_t)ALL_LANES << i);
    }
    stage_record_some(record, left);
}

const struct kernel_stages stages_avx512 = {gather, hash_names, find, look, check, record};
