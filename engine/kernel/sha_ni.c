/* SHA-1 and SHA-256 with SHA-NI. Loops over streams are unrolled, so that several chains of rounds are in flight at
 * once; `streams` is a constant wherever a batch function is called. Source of the instruction sequences: Intel SHA
 * Extensions white paper, July 2013. */
#include "kernel/sha_ni.h"

#include <immintrin.h>
#include <string.h>

#include "kernel/lanes.h"
#include "kernel/sha.h"

#define EACH_STREAM _Pragma("GCC unroll 4") for (int s = 0; s < streams; s++)

/* Sixteen registers hold the states of four streams, and most of what their rounds want next. The other message words
 * stand in memory, and so do the states at the beginning, which wait for the sums at the end: left to itself, the
 * compiler puts states of the moment there, which everything waits for. */
#define IN_MEMORY(vector) __asm__("" : "+m"(vector))

/* What is known of a block: its constant words, and so much of the message schedule, are folded. */
enum block_kind {
    BLOCK_ANY,
    BLOCK_INNER, /* a counter, and padding from word 2 on */
    BLOCK_OUTER, /* an inner digest and padding */
};

/* Where there is nothing to ask for between rounds, this list is. */
static const void *const nothing[2 * SHA_NI_STREAMS] = {nothing, nothing, nothing, nothing,
                                                        nothing, nothing, nothing, nothing};

/* What goes on beside a batch of streams: a swap and two prefetches each, spread over so many groups of rounds. */
struct spread {
    struct beside beside;
    unsigned streams, part, parts;
};

KERNEL_INLINE struct spread spread_of(const struct kernel_match *match, struct kernel_swaps *swaps, size_t first,
                                      int streams, unsigned parts)
{
    const void *const *between = prefetch_between(match);
    return (struct spread){
        .beside = {between ? between + 2 * first : nothing, swaps}, .streams = (unsigned)streams, .parts = parts};
}

KERNEL_INLINE void spread_part(const struct spread *spread, unsigned group)
{
    if (spread->parts) beside_part(&spread->beside, spread->streams, spread->part + group, spread->parts);
}

/* ---- SHA-1: word 0 of four stands in the highest lane ---- */

struct sha1_streams {
    __m128i abcd[SHA_NI_STREAMS];
    __m128i e[SHA_NI_STREAMS];
};

KERNEL_INLINE __m128i sha1_four_rounds(__m128i abcd, __m128i e, int group)
{
    switch (group / 5) {
    case 0:
        return _mm_sha1rnds4_epu32(abcd, e, 0);
    case 1:
        return _mm_sha1rnds4_epu32(abcd, e, 1);
    case 2:
        return _mm_sha1rnds4_epu32(abcd, e, 2);
    default:
        return _mm_sha1rnds4_epu32(abcd, e, 3);
    }
}

/* The four words of a group from the sixteen before. Of padding, the words that are not zero are the bit 1 and the
 * length. */
KERNEL_INLINE __m128i sha1_schedule(const __m128i w0, const __m128i w1, const __m128i w2, const __m128i w3,
                                    const int group, const enum block_kind kind)
{
    __m128i mixed;
    if (kind == BLOCK_INNER && group == 4)
        mixed = _mm_xor_si128(w0, _mm_set_epi32((int)0x80000000, 0, 0, 0));
    else if (kind == BLOCK_INNER && group == 5)
        mixed = w2;
    else if (kind == BLOCK_OUTER && group == 4)
        mixed = _mm_sha1msg1_epu32(w0, w1);
    else if (kind == BLOCK_OUTER && group == 5)
        mixed = _mm_xor_si128(w0, w2);
    else if (kind != BLOCK_ANY && group == 6)
        mixed = w2;
    else
        mixed = _mm_xor_si128(_mm_sha1msg1_epu32(w0, w1), w2);
    return _mm_sha1msg2_epu32(mixed, w3);
}

/* A stream after the other, each through its rounds and the words that its next rounds want: so they ran fastest, and
 * flags.cmake keeps them in this order. On Zen 3 the unit does four rounds in two cycles and one stream's take six:
 * three streams just fill it where nothing comes between, and of what does a fourth hides more. */
KERNEL_INLINE void sha1_block(struct sha1_streams *state, __m128i w[4][SHA_NI_STREAMS], const int streams,
                              const enum block_kind kind, const struct spread *spread)
{
    __m128i abcd[SHA_NI_STREAMS], before[SHA_NI_STREAMS], last[SHA_NI_STREAMS];
    EACH_STREAM
    {
        abcd[s] = state->abcd[s];
        last[s] = w[3][s];
        IN_MEMORY(state->abcd[s]);
        IN_MEMORY(state->e[s]);
        IN_MEMORY(w[0][s]);
        if (kind != BLOCK_INNER) IN_MEMORY(w[1][s]);
    }
#pragma GCC unroll 20
    for (int g = 0; g < 20; g++) {
        const int next = g + 1;
        EACH_STREAM
        {
            __m128i words = g >= 3 ? last[s] : w[g][s];
            __m128i e = g == 0 ? _mm_add_epi32(state->e[s], words) : _mm_sha1nexte_epu32(before[s], words);
            before[s] = abcd[s];
            abcd[s] = sha1_four_rounds(abcd[s], e, g);
            if (next < 4 || next == 20) continue;
            last[s] = sha1_schedule(w[next % 4][s], w[(next + 1) % 4][s], w[(next + 2) % 4][s], last[s], next, kind);
            w[next % 4][s] = last[s];
            IN_MEMORY(w[next % 4][s]);
        }
        spread_part(spread, (unsigned)g);
    }
    EACH_STREAM
    {
        state->e[s] = _mm_sha1nexte_epu32(before[s], state->e[s]);
        state->abcd[s] = _mm_add_epi32(abcd[s], state->abcd[s]);
    }
}

KERNEL_INLINE void sha1_load(struct sha1_streams *state, int s, const uint8_t *words)
{
    uint32_t e;
    memcpy(&e, words + 16, 4);
    state->abcd[s] = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)words), 0x1b);
    state->e[s] = _mm_set_epi32((int)e, 0, 0, 0);
}

/* Byte k of the digest stands at 15 - k of abcd, or at 31 - k of e, whose lower twelve bytes are zero. A place below 0
 * or from 0x80 on gives zero, so 0x70 is added to those in e: 16 and more come to 0x80 and more. No branch, and no
 * address that is a secret. */
KERNEL_INLINE uint32_t sha1_truncate(__m128i abcd, __m128i e)
{
    const __m128i from = _mm_and_si128(_mm_shuffle_epi8(e, _mm_set1_epi8(12)), _mm_set1_epi8(15));
    const __m128i first = _mm_sub_epi8(_mm_set1_epi32(0x0f0e0d0c), from);
    const __m128i second = _mm_sub_epi8(_mm_set1_epi32((int)0x8f8e8d8c), from);
    const __m128i bytes = _mm_or_si128(_mm_shuffle_epi8(abcd, first), _mm_shuffle_epi8(e, second));
    return (uint32_t)_mm_cvtsi128_si32(bytes) & 0x7fffffff;
}

KERNEL_INLINE void sha1_batch(const struct kernel_match *match, struct kernel_swaps *swaps, uint32_t *ret_truncated,
                              size_t first, const int streams)
{
    struct spread spread = spread_of(match, swaps, first, streams, 40);
    struct sha1_streams inner, outer;
    __m128i w[4][SHA_NI_STREAMS];
    EACH_STREAM
    {
        sha1_load(&inner, s, match->midstates[first + s]);
        sha1_load(&outer, s, (const uint8_t *)match->midstates[first + s] + 20);
        w[0][s] =
            _mm_set_epi32((int)(match->counters[first + s] >> 32), (int)match->counters[first + s], (int)0x80000000, 0);
        w[1][s] = w[2][s] = _mm_setzero_si128();
        w[3][s] = _mm_set_epi32(0, 0, 0, SHA1_INNER_BITS);
    }
    sha1_block(&inner, w, streams, BLOCK_INNER, &spread);
    spread.part += spread.parts / 2;
    EACH_STREAM
    {
        w[0][s] = inner.abcd[s];
        w[1][s] = _mm_or_si128(inner.e[s], _mm_set_epi32(0, (int)0x80000000, 0, 0));
        w[2][s] = _mm_setzero_si128();
        w[3][s] = _mm_set_epi32(0, 0, 0, SHA1_OUTER_BITS);
    }
    sha1_block(&outer, w, streams, BLOCK_OUTER, &spread);
    EACH_STREAM give(match, ret_truncated, first + s, sha1_truncate(outer.abcd[s], outer.e[s]));
}

/* ---- SHA-256: states as ABEF and CDGH, word 0 of four message words in the lowest lane ---- */

struct sha256_streams {
    __m128i abef[SHA_NI_STREAMS];
    __m128i cdgh[SHA_NI_STREAMS];
};

/* As sha1_schedule. */
KERNEL_INLINE __m128i sha256_schedule(const __m128i w0, const __m128i w1, const __m128i w2, const __m128i w3,
                                      const int group, const enum block_kind kind)
{
    __m128i seven_before = _mm_alignr_epi8(w3, w2, 4), mixed;
    if (kind == BLOCK_INNER && (group == 5 || group == 6))
        mixed = seven_before;
    else if (kind != BLOCK_ANY && group == 4)
        mixed = _mm_sha256msg1_epu32(w0, w1);
    else if (kind == BLOCK_OUTER && group == 6)
        mixed = _mm_add_epi32(seven_before, _mm_set_epi32(0, 0, 0, (int)0x80000000));
    else
        mixed = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), seven_before);
    return _mm_sha256msg2_epu32(mixed, w3);
}

KERNEL_INLINE void sha256_block(struct sha256_streams *state, __m128i w[4][SHA_NI_STREAMS], const int streams,
                                const enum block_kind kind, const struct spread *spread)
{
    __m128i abef[SHA_NI_STREAMS], cdgh[SHA_NI_STREAMS], last[SHA_NI_STREAMS];
    EACH_STREAM
    {
        abef[s] = state->abef[s];
        cdgh[s] = state->cdgh[s];
        last[s] = w[3][s];
        IN_MEMORY(state->abef[s]);
        IN_MEMORY(state->cdgh[s]);
        IN_MEMORY(w[0][s]);
        if (kind != BLOCK_INNER) IN_MEMORY(w[1][s]);
    }
#pragma GCC unroll 16
    for (int g = 0; g < 16; g++) {
        const int next = g + 1;
        const __m128i constants = _mm_loadu_si128((const __m128i *)(const void *)&sha256_constants[4 * g]);
        EACH_STREAM
        {
            __m128i words = _mm_add_epi32(g >= 3 ? last[s] : w[g][s], constants);
            cdgh[s] = _mm_sha256rnds2_epu32(cdgh[s], abef[s], words);
            abef[s] = _mm_sha256rnds2_epu32(abef[s], cdgh[s], _mm_shuffle_epi32(words, 0x0e));
            if (next < 4 || next == 16) continue;
            last[s] = sha256_schedule(w[next % 4][s], w[(next + 1) % 4][s], w[(next + 2) % 4][s], last[s], next, kind);
            w[next % 4][s] = last[s];
            IN_MEMORY(w[next % 4][s]);
        }
        spread_part(spread, (unsigned)g);
    }
    EACH_STREAM
    {
        state->abef[s] = _mm_add_epi32(state->abef[s], abef[s]);
        state->cdgh[s] = _mm_add_epi32(state->cdgh[s], cdgh[s]);
    }
}

KERNEL_INLINE void sha256_load(struct sha256_streams *state, int s, const uint8_t *words)
{
    __m128i abcd =
        _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)words), 0xb1); /* BADC reading down */
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(words + 16)), 0x1b);
    state->abef[s] = _mm_alignr_epi8(abcd, efgh, 8);
    state->cdgh[s] = _mm_blend_epi16(efgh, abcd, 0xf0);
}

/* Back to the words in order, lowest lane first. */
KERNEL_INLINE void sha256_words(__m128i abef, __m128i cdgh, __m128i *ret_abcd, __m128i *ret_efgh)
{
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    *ret_abcd = _mm_blend_epi16(feba, dchg, 0xf0);
    *ret_efgh = _mm_alignr_epi8(dchg, feba, 8);
}

/* Byte k of the digest stands at 15 - k of the reversed first four words, or at 31 - k of the last ones. */
KERNEL_INLINE uint32_t sha256_truncate(__m128i abef, __m128i cdgh)
{
    __m128i abcd, efgh;
    sha256_words(abef, cdgh, &abcd, &efgh);
    abcd = _mm_shuffle_epi32(abcd, 0x1b);
    efgh = _mm_shuffle_epi32(efgh, 0x1b);
    const __m128i from = _mm_and_si128(_mm_shuffle_epi8(efgh, _mm_setzero_si128()), _mm_set1_epi8(15));
    const __m128i first = _mm_sub_epi8(_mm_set1_epi32(0x0f0e0d0c), from);
    const __m128i second = _mm_sub_epi8(_mm_set1_epi32((int)0x8f8e8d8c), from);
    const __m128i bytes = _mm_or_si128(_mm_shuffle_epi8(abcd, first), _mm_shuffle_epi8(efgh, second));
    return (uint32_t)_mm_cvtsi128_si32(bytes) & 0x7fffffff;
}

/* The outer hash's block, of an inner digest. */
KERNEL_INLINE void sha256_outer_in(const struct sha256_streams *inner, int s, __m128i w[4][SHA_NI_STREAMS])
{
    sha256_words(inner->abef[s], inner->cdgh[s], &w[0][s], &w[1][s]);
    w[2][s] = _mm_set_epi32(0, 0, 0, (int)0x80000000);
    w[3][s] = _mm_set_epi32(SHA256_OUTER_BITS, 0, 0, 0);
}

KERNEL_INLINE void sha256_batch(const struct kernel_match *match, struct kernel_swaps *swaps, uint32_t *ret_truncated,
                                size_t first, const int streams)
{
    struct spread spread = spread_of(match, swaps, first, streams, 32);
    struct sha256_streams inner, outer;
    __m128i w[4][SHA_NI_STREAMS];
    EACH_STREAM
    {
        sha256_load(&inner, s, match->midstates[first + s]);
        sha256_load(&outer, s, (const uint8_t *)match->midstates[first + s] + 32);
        w[0][s] =
            _mm_set_epi32(0, (int)0x80000000, (int)match->counters[first + s], (int)(match->counters[first + s] >> 32));
        w[1][s] = w[2][s] = _mm_setzero_si128();
        w[3][s] = _mm_set_epi32(SHA256_INNER_BITS, 0, 0, 0);
    }
    sha256_block(&inner, w, streams, BLOCK_INNER, &spread);
    spread.part += spread.parts / 2;
    EACH_STREAM sha256_outer_in(&inner, s, w);
    sha256_block(&outer, w, streams, BLOCK_OUTER, &spread);
    EACH_STREAM give(match, ret_truncated, first + s, sha256_truncate(outer.abef[s], outer.cdgh[s]));
}

/* How many go four by four. Five and six alone go three by three: 44 and 38 ns each with SHA-1, 47 and 43 as four and
 * the rest; from nine on it was four and the rest that took less (Zen 3). */
static size_t by_four(size_t count)
{
    return count == 5 || count == 6 ? 0 : count - count % 4;
}

/* ---- whole messages ---- */

KERNEL_INLINE void sha256_hash_out(const struct sha256_streams *state, int s, uint8_t ret_hash[32])
{
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    __m128i abcd, efgh;
    sha256_words(state->abef[s], state->cdgh[s], &abcd, &efgh);
    _mm_storeu_si128((__m128i *)(void *)ret_hash, _mm_shuffle_epi8(abcd, swap));
    _mm_storeu_si128((__m128i *)(void *)(ret_hash + 16), _mm_shuffle_epi8(efgh, swap));
}

KERNEL_INLINE void sha256_block_in(const uint8_t *block, int s, __m128i w[4][SHA_NI_STREAMS])
{
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    for (int i = 0; i < 4; i++)
        w[i][s] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(block + (size_t)i * 16)), swap);
}

KERNEL_INLINE void sha256_messages(const struct kernel_messages *messages, size_t first, const int streams)
{
    const struct spread no_spread = {0};
    struct sha256_streams state;
    __m128i w[4][SHA_NI_STREAMS];
    EACH_STREAM sha256_load(&state, s, (const uint8_t *)sha256_initial);
    for (size_t b = 0; b < message_blocks(messages); b++) {
        EACH_STREAM
        {
            uint8_t room[SHA256_BLOCK];
            const uint8_t *block = message_block(messages, messages->bytes[first + (size_t)s], b, room);
            sha256_block_in(block, s, w);
        }
        sha256_block(&state, w, streams, BLOCK_ANY, &no_spread);
    }
    EACH_STREAM sha256_hash_out(&state, s, messages->ret_hashes[first + (size_t)s]);
}

void sha_ni_sha256_many(const struct kernel_messages *messages)
{
    size_t i = 0;
    for (; i < by_four(messages->count); i += 4) sha256_messages(messages, i, 4);
    for (; i + 3 <= messages->count; i += 3) sha256_messages(messages, i, 3);
    if (messages->count - i == 2) sha256_messages(messages, i, 2);
    if (messages->count - i == 1) sha256_messages(messages, i, 1);
}

/* ---- single blocks, of seeds too: nothing of them is left on the stack ---- */

void sha_ni_sha1_compress(uint32_t state[5], const uint32_t message[16])
{
    const struct spread no_spread = {0};
    struct sha1_streams one;
    __m128i w[4][SHA_NI_STREAMS];
    sha1_load(&one, 0, (const uint8_t *)state);
    for (int i = 0; i < 4; i++)
        w[i][0] = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(message + (size_t)i * 4)), 0x1b);
    sha1_block(&one, w, 1, BLOCK_ANY, &no_spread);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_shuffle_epi32(one.abcd[0], 0x1b));
    state[4] = (uint32_t)_mm_extract_epi32(one.e[0], 3);
    explicit_bzero(w, sizeof w);
    explicit_bzero(&one, sizeof one);
}

void sha_ni_sha256_compress(uint32_t state[8], const uint32_t message[16])
{
    const struct spread no_spread = {0};
    struct sha256_streams one;
    __m128i w[4][SHA_NI_STREAMS], abcd, efgh;
    sha256_load(&one, 0, (const uint8_t *)state);
    for (int i = 0; i < 4; i++) w[i][0] = _mm_loadu_si128((const __m128i *)(const void *)(message + (size_t)i * 4));
    sha256_block(&one, w, 1, BLOCK_ANY, &no_spread);
    sha256_words(one.abef[0], one.cdgh[0], &abcd, &efgh);
    _mm_storeu_si128((__m128i *)(void *)state, abcd);
    _mm_storeu_si128((__m128i *)(void *)(state + 4), efgh);
    explicit_bzero(w, sizeof w);
    explicit_bzero(&one, sizeof one);
}

/* ---- batches ---- */

#define RUN_STREAMS(batch, streams)                                                                                    \
    do {                                                                                                               \
        prefetch_before(match, i + (streams), &asked);                                                                 \
        batch(match, swaps, ret_truncated, i, streams);                                                                \
        i += (streams);                                                                                                \
    } while (0)

#define RUN(function, batch)                                                                                           \
    void function(const struct kernel_match *match, uint32_t *ret_truncated)                                           \
    {                                                                                                                  \
        struct kernel_swaps none = {0}, *swaps = match->swaps ? match->swaps : &none;                                  \
        size_t i = 0, asked = 0, fours = by_four(match->count);                                                        \
        while (i < fours) RUN_STREAMS(batch, 4);                                                                       \
        while (i + 3 <= match->count) RUN_STREAMS(batch, 3);                                                           \
        while (i + 2 <= match->count) RUN_STREAMS(batch, 2);                                                           \
        while (i < match->count) RUN_STREAMS(batch, 1);                                                                \
    }

RUN(sha_ni_sha1, sha1_batch)
RUN(sha_ni_sha256, sha256_batch)
