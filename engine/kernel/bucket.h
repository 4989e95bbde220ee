/* One bucket of the index: eight entries in one cache line, compared with a tag at once. For the table and its search
 * alone.
 *
 * Writers store single entries atomically at any time. The vectors read the bucket in pieces of 16 bytes or more; each
 * entry in them is whole, since x86 reads and writes aligned 8 bytes whole, and loads there are in order, so whatever
 * an entry names was written before it was seen. Elsewhere, and under the race detector, entries are loaded one by one.
 */
#ifndef OTPRING_KERNEL_BUCKET_H
#define OTPRING_KERNEL_BUCKET_H

#include <stdatomic.h>
#include <stdint.h>

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
#include <emmintrin.h>
#define BUCKET_VECTORS 1
#else
#define BUCKET_VECTORS 0
#endif

enum { BUCKET_ENTRIES = 8 };

/* A bit for each entry. */
struct bucket_match {
    unsigned tags;  /* its tag is the one asked for */
    unsigned empty; /* it is empty: no entry was ever put further on */
};

static inline struct bucket_match bucket_match_each(const _Atomic uint64_t *entries, uint32_t tag)
{
    struct bucket_match match = {0, 0};
    for (unsigned i = 0; i < BUCKET_ENTRIES; i++) {
        uint64_t entry = atomic_load_explicit(&entries[i], memory_order_acquire);
        match.empty |= (unsigned)(entry == 0) << i;
        match.tags |= (unsigned)(entry != 0 && (uint32_t)(entry >> 32) == tag) << i;
    }
    return match;
}

#if BUCKET_VECTORS
static inline struct bucket_match bucket_match(const _Atomic uint64_t *entries, uint32_t tag)
{
    const __m128i *at = (const __m128i *)(const void *)entries;
    __m128 a = _mm_castsi128_ps(_mm_load_si128(at)), b = _mm_castsi128_ps(_mm_load_si128(at + 1));
    __m128 c = _mm_castsi128_ps(_mm_load_si128(at + 2)), d = _mm_castsi128_ps(_mm_load_si128(at + 3));
    atomic_signal_fence(memory_order_acquire);
    __m128i wanted = _mm_set1_epi32((int32_t)tag), zero = _mm_setzero_si128();
    __m128i tags_low = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
    __m128i tags_high = _mm_castps_si128(_mm_shuffle_ps(c, d, _MM_SHUFFLE(3, 1, 3, 1)));
    __m128i ordinals_low = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)));
    __m128i ordinals_high = _mm_castps_si128(_mm_shuffle_ps(c, d, _MM_SHUFFLE(2, 0, 2, 0)));
    __m128i equal = _mm_packs_epi32(_mm_cmpeq_epi32(tags_low, wanted), _mm_cmpeq_epi32(tags_high, wanted));
    __m128i empty = _mm_packs_epi32(_mm_cmpeq_epi32(ordinals_low, zero), _mm_cmpeq_epi32(ordinals_high, zero));
    unsigned both = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, empty));
    return (struct bucket_match){.tags = both & ~(both >> 8) & 0xff, .empty = both >> 8};
}
#else
static inline struct bucket_match bucket_match(const _Atomic uint64_t *entries, uint32_t tag)
{
    return bucket_match_each(entries, tag);
}
#endif

#endif
