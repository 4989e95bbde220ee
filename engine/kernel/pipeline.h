/* From lines to results, for any vector: the including file has included its vector header. Inline only. */
#ifndef OTPRING_KERNEL_PIPELINE_H
#define OTPRING_KERNEL_PIPELINE_H

#define beside_part32(beside, part, parts) beside_part(beside, LANES32, part, parts)
#define beside_part64(beside, part, parts) beside_part(beside, LANES64, part, parts)

#include "kernel/messages.h"
#include "kernel/sha.h"
#include "kernel/sha1_rounds.h"
#include "kernel/sha256_rounds.h"
#include "kernel/sha512_rounds.h"
#include "kernel/transpose.h"

/* ---- lines to lanes ---- */

/* The last load overlaps the one before: a line may end after 40 bytes. */
KERNEL_INLINE void load_sha1(const void *const *lines, vector ret_inner[5], vector ret_outer[5])
{
    vector words[12];
    load_words32(lines, 0, words);
    load_words32(lines, 16, words + 4);
    load_words32(lines, 24, words + 8);
    for (int i = 0; i < 5; i++) ret_inner[i] = words[i];
    for (int i = 0; i < 3; i++) ret_outer[i] = words[5 + i];
    for (int i = 3; i < 5; i++) ret_outer[i] = words[7 + i];
}

KERNEL_INLINE void load_sha256(const void *const *lines, vector ret_inner[8], vector ret_outer[8])
{
    load_words32(lines, 0, ret_inner);
    load_words32(lines, 16, ret_inner + 4);
    load_words32(lines, 32, ret_outer);
    load_words32(lines, 48, ret_outer + 4);
}

KERNEL_INLINE void load_sha512(const void *const *lines, vector ret_inner[8], vector ret_outer[8])
{
#pragma GCC unroll 4
    for (size_t i = 0; i < 8; i += 2) {
        load_words64(lines, 8 * i, ret_inner + i);
        load_words64(lines, 64 + 8 * i, ret_outer + i);
    }
}

/* ---- RFC 4226 5.3: the last word's low four bits say at which byte the 31 bits begin ---- */

/* Bits 3 and 2 choose two neighbouring words of five, bits 1 and 0 the byte in the first of them. */
KERNEL_INLINE vector truncate32(const vector words[5], vector last)
{
    vector high = select32(last, 3, select32(last, 2, words[0], words[1]), select32(last, 2, words[2], words[3]));
    vector low = select32(last, 3, select32(last, 2, words[1], words[2]), select32(last, 2, words[3], words[4]));
    vector by = and2(shl32(last, 3), constant32(24));
    vector value = or2(shl32_each(high, by), shr32_each(low, subtract32(constant32(32), by)));
    return and2(value, constant32(0x7fffffff));
}

/* Bit 3 chooses two neighbouring words of three, the bits below the byte in the first of them. */
KERNEL_INLINE vector truncate64(const vector words[3], vector last)
{
    vector high = select64(last, 3, words[0], words[1]), low = select64(last, 3, words[1], words[2]);
    vector by = and2(shl64(last, 3), constant64(56));
    vector value = or2(shl64_each(high, by), shr64_each(low, subtract64(constant64(64), by)));
    return and2(shr64(value, 32), constant64(0x7fffffff));
}

/* ---- batches ---- */

/* A run whose groups overlap: the outer hash of one between the rounds of the inner hash of the next, so that two
 * chains of dependent instructions are in flight; inner digests stay in vectors. For vectors with 32 registers, or few
 * words. What is done beside the first group is done half with its inner hash, half with the last outer one. */
#define RUN_OVERLAPPED(function, name, bits, state_words, counter_words, truncated)                                    \
    void function(const struct kernel_match *match, uint32_t *ret_truncated)                                           \
    {                                                                                                                  \
        struct batch batch;                                                                                            \
        vector inner[state_words], outer[state_words], counters[counter_words], digest[state_words];                   \
        vector hash[state_words], next_outer[state_words], next_digest[state_words];                                   \
        if (match->count == 0) return;                                                                                 \
        batch_cut(&batch, match, ret_truncated, LANES##bits);                                                          \
        struct group group = batch_group(&batch, 0);                                                                   \
        const struct beside first_beside = group.beside;                                                               \
        load_##name(group.midstates, inner, outer);                                                                    \
        load_counters##bits(group.counters, counters);                                                                 \
        name##_inner(inner, counters, digest, &first_beside);                                                          \
        for (size_t g = 1; g < batch.group_count; g++) {                                                               \
            struct group next = batch_group(&batch, g);                                                                \
            load_##name(next.midstates, inner, next_outer);                                                            \
            load_counters##bits(next.counters, counters);                                                              \
            name##_outer_and_inner(outer, digest, hash, inner, counters, next_digest, &next.beside);                   \
            give##bits(&group, truncated);                                                                             \
            memcpy(outer, next_outer, sizeof outer);                                                                   \
            memcpy(digest, next_digest, sizeof digest);                                                                \
            group = next;                                                                                              \
        }                                                                                                              \
        name##_outer(outer, digest, hash, &first_beside);                                                              \
        give##bits(&group, truncated);                                                                                 \
        batch_finish(&batch);                                                                                          \
    }

/* A run of one group after the other, for vectors whose registers two hashes at once would overflow. */
#define RUN_IN_TURN(function, name, bits, state_words, counter_words, truncated)                                       \
    void function(const struct kernel_match *match, uint32_t *ret_truncated)                                           \
    {                                                                                                                  \
        struct batch batch;                                                                                            \
        vector inner[state_words], outer[state_words], counters[counter_words];                                        \
        vector digest[state_words], hash[state_words];                                                                 \
        if (match->count == 0) return;                                                                                 \
        batch_cut(&batch, match, ret_truncated, LANES##bits);                                                          \
        for (size_t g = 0; g < batch.group_count; g++) {                                                               \
            struct group group = batch_group(&batch, g);                                                               \
            load_##name(group.midstates, inner, outer);                                                                \
            load_counters##bits(group.counters, counters);                                                             \
            name##_inner(inner, counters, digest, &group.beside);                                                      \
            name##_outer(outer, digest, hash, &group.beside);                                                          \
            give##bits(&group, truncated);                                                                             \
        }                                                                                                              \
        batch_finish(&batch);                                                                                          \
    }

/* ---- whole messages ---- */

/* A group of messages, some of them perhaps the same one; ret_hashes has room for every lane. */
KERNEL_INLINE void sha256_messages(const struct kernel_messages *messages, const uint8_t *const bytes[LANES32],
                                   uint8_t ret_hashes[LANES32][32])
{
    uint8_t rooms[LANES32][SHA256_BLOCK];
    uint32_t words[8][LANES32];
    const void *blocks[LANES32];
    vector state[8], message[16];
    for (int w = 0; w < 8; w++) state[w] = constant32(sha256_initial[w]);
    for (size_t b = 0; b < message_blocks(messages); b++) {
        for (int i = 0; i < LANES32; i++) blocks[i] = message_block(messages, bytes[i], b, rooms[i]);
        for (size_t w = 0; w < 16; w += 4) load_words32(blocks, 4 * w, message + w);
        for (int w = 0; w < 16; w++) message[w] = swap_bytes32(message[w]);
        sha256_block(state, message, state);
    }
    for (int w = 0; w < 8; w++) memcpy(words[w], &state[w], sizeof state[w]);
    for (int i = 0; i < LANES32; i++)
        for (int w = 0; w < 8; w++) store_be32(ret_hashes[i] + 4 * w, words[w][i]);
}

KERNEL_INLINE void sha256_many(const struct kernel_messages *messages)
{
    uint8_t hashes[LANES32][32];
    for (size_t first = 0; first < messages->count; first += LANES32) {
        const uint8_t *bytes[LANES32];
        size_t left = messages->count - first, count = left < LANES32 ? left : LANES32;
        for (size_t i = 0; i < LANES32; i++) bytes[i] = messages->bytes[first + (i < count ? i : count - 1)];
        sha256_messages(messages, bytes, hashes);
        memcpy(messages->ret_hashes[first], hashes, count * sizeof *hashes);
    }
}

#define SHA1_SHAPE sha1, 32, 5, 2, truncate32(hash, hash[4])
#define SHA256_SHAPE sha256, 32, 8, 2, truncate32(hash, hash[7])
#define SHA512_SHAPE sha512, 64, 8, 1, truncate64(hash, hash[7])
/* So that the shape is taken apart before the run is made of it. */
#define KERNEL_RUN(how, function, shape) KERNEL_RUN_SHAPE(how, function, shape)
#define KERNEL_RUN_SHAPE(how, ...) how(__VA_ARGS__)

#endif
