/* SHA-1 and SHA-256 with SHA-NI. Loops over streams are unrolled, so that several chains of rounds are in flight at
 * once; `streams` is a constant wherever a batch function is called. Source of the instruction sequences: Intel SHA
 * Extensions white paper, July 2013. */
#include "kernel/sha_ni.h"

#include <immintrin.h>
#include <string.h>

#include "kernel/lanes.h"
#include "kernel/sha.h"

#define EACH_STREAM _Pragma("GCC unroll 4") for (int s = 0; s < streams; s++)

/* The prefetches of a batch, two a stream, one every few groups of rounds. */
struct spread {
    const void *const *addresses; /* NULL: none */
    unsigned count, part, parts;
};

KERNEL_INLINE struct spread spread_of(const struct kernel_match *match, size_t first, int streams, unsigned parts)
{
    return (struct spread){.addresses = match->prefetch ? match->prefetch + 2 * first : NULL,
                           .count = 2 * (unsigned)streams,
                           .parts = parts};
}

KERNEL_INLINE void spread_prefetch(const struct spread *spread, unsigned group)
{
    if (spread->addresses) prefetch_part(spread->addresses, spread->count, spread->part + group, spread->parts);
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

KERNEL_INLINE void sha1_block(struct sha1_streams *state, __m128i w[4][SHA_NI_STREAMS], const int streams,
                              const struct spread *spread)
{
    __m128i abcd[SHA_NI_STREAMS], before[SHA_NI_STREAMS];
    EACH_STREAM abcd[s] = state->abcd[s];
#pragma GCC unroll 20
    for (int g = 0; g < 20; g++) {
        spread_prefetch(spread, (unsigned)g);
        EACH_STREAM
        {
            __m128i message = w[g % 4][s];
            if (g >= 4) {
                message = _mm_sha1msg1_epu32(w[g % 4][s], w[(g + 1) % 4][s]);
                message = _mm_xor_si128(message, w[(g + 2) % 4][s]);
                message = _mm_sha1msg2_epu32(message, w[(g + 3) % 4][s]);
                w[g % 4][s] = message;
            }
            __m128i e = g == 0 ? _mm_add_epi32(state->e[s], message) : _mm_sha1nexte_epu32(before[s], message);
            before[s] = abcd[s];
            abcd[s] = sha1_four_rounds(abcd[s], e, g);
        }
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

KERNEL_INLINE uint32_t sha1_truncate(__m128i abcd, __m128i e)
{
    uint8_t digest[32];
    const __m128i swap = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm_storeu_si128((__m128i *)(void *)digest, _mm_shuffle_epi8(abcd, swap));
    _mm_storeu_si128((__m128i *)(void *)(digest + 16), _mm_shuffle_epi8(e, swap));
    return truncate_digest(digest, 20);
}

KERNEL_INLINE void sha1_batch(const struct kernel_match *match, uint32_t *ret_truncated, size_t first,
                              const int streams)
{
    struct spread spread = spread_of(match, first, streams, 40);
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
    sha1_block(&inner, w, streams, &spread);
    spread.part += spread.parts / 2;
    EACH_STREAM
    {
        w[0][s] = inner.abcd[s];
        w[1][s] = _mm_or_si128(inner.e[s], _mm_set_epi32(0, (int)0x80000000, 0, 0));
        w[2][s] = _mm_setzero_si128();
        w[3][s] = _mm_set_epi32(0, 0, 0, SHA1_OUTER_BITS);
    }
    sha1_block(&outer, w, streams, &spread);
    EACH_STREAM give(match, ret_truncated, first + s, sha1_truncate(outer.abcd[s], outer.e[s]));
}

/* ---- SHA-256: states as ABEF and CDGH, word 0 of four message words in the lowest lane ---- */

struct sha256_streams {
    __m128i abef[SHA_NI_STREAMS];
    __m128i cdgh[SHA_NI_STREAMS];
};

KERNEL_INLINE void sha256_block(struct sha256_streams *state, __m128i w[4][SHA_NI_STREAMS], const int streams,
                                const struct spread *spread)
{
    __m128i abef[SHA_NI_STREAMS], cdgh[SHA_NI_STREAMS];
    EACH_STREAM
    {
        abef[s] = state->abef[s];
        cdgh[s] = state->cdgh[s];
    }
#pragma GCC unroll 16
    for (int g = 0; g < 16; g++) {
        spread_prefetch(spread, (unsigned)g);
        const __m128i constants = _mm_loadu_si128((const __m128i *)(const void *)&sha256_constants[4 * g]);
        EACH_STREAM
        {
            __m128i message = w[g % 4][s];
            if (g >= 4) {
                message = _mm_sha256msg1_epu32(w[g % 4][s], w[(g + 1) % 4][s]);
                message = _mm_add_epi32(message, _mm_alignr_epi8(w[(g + 3) % 4][s], w[(g + 2) % 4][s], 4));
                message = _mm_sha256msg2_epu32(message, w[(g + 3) % 4][s]);
                w[g % 4][s] = message;
            }
            message = _mm_add_epi32(message, constants);
            cdgh[s] = _mm_sha256rnds2_epu32(cdgh[s], abef[s], message);
            abef[s] = _mm_sha256rnds2_epu32(abef[s], cdgh[s], _mm_shuffle_epi32(message, 0x0e));
        }
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

KERNEL_INLINE uint32_t sha256_truncate(__m128i abef, __m128i cdgh)
{
    uint8_t digest[32];
    __m128i abcd, efgh;
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    sha256_words(abef, cdgh, &abcd, &efgh);
    _mm_storeu_si128((__m128i *)(void *)digest, _mm_shuffle_epi8(abcd, swap));
    _mm_storeu_si128((__m128i *)(void *)(digest + 16), _mm_shuffle_epi8(efgh, swap));
    return truncate_digest(digest, 32);
}

/* The outer hash's block, of an inner digest. */
KERNEL_INLINE void sha256_outer_in(const struct sha256_streams *inner, int s, __m128i w[4][SHA_NI_STREAMS])
{
    sha256_words(inner->abef[s], inner->cdgh[s], &w[0][s], &w[1][s]);
    w[2][s] = _mm_set_epi32(0, 0, 0, (int)0x80000000);
    w[3][s] = _mm_set_epi32(SHA256_OUTER_BITS, 0, 0, 0);
}

KERNEL_INLINE void sha256_batch(const struct kernel_match *match, uint32_t *ret_truncated, size_t first,
                                const int streams)
{
    struct spread spread = spread_of(match, first, streams, 32);
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
    sha256_block(&inner, w, streams, &spread);
    spread.part += spread.parts / 2;
    EACH_STREAM sha256_outer_in(&inner, s, w);
    sha256_block(&outer, w, streams, &spread);
    EACH_STREAM give(match, ret_truncated, first + s, sha256_truncate(outer.abef[s], outer.cdgh[s]));
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
    const struct spread nothing = {0};
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
        sha256_block(&state, w, streams, &nothing);
    }
    EACH_STREAM sha256_hash_out(&state, s, messages->ret_hashes[first + (size_t)s]);
}

void sha_ni_sha256_many(const struct kernel_messages *messages)
{
    size_t i = 0;
    for (; i + 4 <= messages->count; i += 4) sha256_messages(messages, i, 4);
    for (; i + 2 <= messages->count; i += 2) sha256_messages(messages, i, 2);
    if (i < messages->count) sha256_messages(messages, i, 1);
}

/* ---- single blocks ---- */

void sha_ni_sha1_compress(uint32_t state[5], const uint32_t message[16])
{
    const struct spread nothing = {0};
    struct sha1_streams one;
    __m128i w[4][SHA_NI_STREAMS];
    sha1_load(&one, 0, (const uint8_t *)state);
    for (int i = 0; i < 4; i++)
        w[i][0] = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(message + (size_t)i * 4)), 0x1b);
    sha1_block(&one, w, 1, &nothing);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_shuffle_epi32(one.abcd[0], 0x1b));
    state[4] = (uint32_t)_mm_extract_epi32(one.e[0], 3);
}

void sha_ni_sha256_compress(uint32_t state[8], const uint32_t message[16])
{
    const struct spread nothing = {0};
    struct sha256_streams one;
    __m128i w[4][SHA_NI_STREAMS], abcd, efgh;
    sha256_load(&one, 0, (const uint8_t *)state);
    for (int i = 0; i < 4; i++) w[i][0] = _mm_loadu_si128((const __m128i *)(const void *)(message + (size_t)i * 4));
    sha256_block(&one, w, 1, &nothing);
    sha256_words(one.abef[0], one.cdgh[0], &abcd, &efgh);
    _mm_storeu_si128((__m128i *)(void *)state, abcd);
    _mm_storeu_si128((__m128i *)(void *)(state + 4), efgh);
}

/* ---- batches ---- */

/* Three streams left are two and one: the rounds of a fourth would cost more than they hide. */
#define RUN(function, batch)                                                                                           \
    void function(const struct kernel_match *match, uint32_t *ret_truncated)                                           \
    {                                                                                                                  \
        size_t i = 0;                                                                                                  \
        for (; i + 4 <= match->count; i += 4) batch(match, ret_truncated, i, 4);                                       \
        for (; i + 2 <= match->count; i += 2) batch(match, ret_truncated, i, 2);                                       \
        if (i < match->count) batch(match, ret_truncated, i, 1);                                                       \
    }

RUN(sha_ni_sha1, sha1_batch)
RUN(sha_ni_sha256, sha256_batch)
