/* The kernel that runs everywhere: one step after the other. */
#include "kernel/portable.h"

#include <string.h>

#include "kernel/messages.h"
#include "kernel/sha.h"

KERNEL_INLINE void prefetch_two(const struct kernel_match *match, size_t i)
{
    if (!match->prefetch) return;
    prefetch_one(match->prefetch[2 * i]);
    prefetch_one(match->prefetch[2 * i + 1]);
}

void portable_sha1(const struct kernel_match *match, uint32_t *ret_truncated)
{
    for (size_t i = 0; i < match->count; i++) {
        prefetch_two(match, i);
        uint32_t inner[5], outer[5];
        memcpy(inner, match->midstates[i], sizeof inner);
        memcpy(outer, (const uint8_t *)match->midstates[i] + sizeof inner, sizeof outer);
        uint32_t block[16] = {(uint32_t)(match->counters[i] >> 32), (uint32_t)match->counters[i], 0x80000000};
        block[15] = SHA1_INNER_BITS;
        sha1_compress(inner, block);
        uint32_t last[16] = {inner[0], inner[1], inner[2], inner[3], inner[4], 0x80000000};
        last[15] = SHA1_OUTER_BITS;
        sha1_compress(outer, last);
        give(match, ret_truncated, i, truncate_words(outer, outer[4]));
    }
}

void portable_sha256(const struct kernel_match *match, uint32_t *ret_truncated)
{
    for (size_t i = 0; i < match->count; i++) {
        prefetch_two(match, i);
        uint32_t inner[8], outer[8];
        memcpy(inner, match->midstates[i], sizeof inner);
        memcpy(outer, (const uint8_t *)match->midstates[i] + sizeof inner, sizeof outer);
        uint32_t block[16] = {(uint32_t)(match->counters[i] >> 32), (uint32_t)match->counters[i], 0x80000000};
        block[15] = SHA256_INNER_BITS;
        sha256_compress(inner, block);
        uint32_t last[16] = {[8] = 0x80000000, [15] = SHA256_OUTER_BITS};
        memcpy(last, inner, sizeof inner);
        sha256_compress(outer, last);
        give(match, ret_truncated, i, truncate_words(outer, outer[7]));
    }
}

void portable_sha512(const struct kernel_match *match, uint32_t *ret_truncated)
{
    for (size_t i = 0; i < match->count; i++) {
        prefetch_two(match, i);
        uint64_t inner[8], outer[8];
        memcpy(inner, match->midstates[i], sizeof inner);
        memcpy(outer, (const uint8_t *)match->midstates[i] + sizeof inner, sizeof outer);
        uint64_t block[16] = {match->counters[i], (uint64_t)1 << 63};
        block[15] = SHA512_INNER_BITS;
        sha512_compress(inner, block);
        uint64_t last[16] = {[8] = (uint64_t)1 << 63, [15] = SHA512_OUTER_BITS};
        memcpy(last, inner, sizeof inner);
        sha512_compress(outer, last);
        const uint32_t words[5] = {(uint32_t)(outer[0] >> 32), (uint32_t)outer[0], (uint32_t)(outer[1] >> 32),
                                   (uint32_t)outer[1], (uint32_t)(outer[2] >> 32)};
        give(match, ret_truncated, i, truncate_words(words, (uint32_t)outer[7]));
    }
}

void portable_sha256_many(const struct kernel_messages *messages)
{
    for (size_t i = 0; i < messages->count; i++) {
        uint32_t state[8], words[16];
        uint8_t room[SHA256_BLOCK];
        memcpy(state, sha256_initial, sizeof state);
        for (size_t b = 0; b < message_blocks(messages); b++) {
            const uint8_t *block = message_block(messages, messages->bytes[i], b, room);
            for (int w = 0; w < 16; w++) words[w] = load_be32(block + 4 * w);
            sha256_compress(state, words);
        }
        for (int w = 0; w < 8; w++) store_be32(messages->ret_hashes[i] + 4 * w, state[w]);
    }
}
