/* From a seed to the two states that every later step begins with (RFC 2104: key block xor ipad, key block xor opad).
 */
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "kernel/compress.h"
#include "kernel/kernel.h"
#include "kernel/sha.h"

enum { SHORT_BLOCK = 64, LONG_BLOCK = 128, SEED_MAX = 4096 };

static void words32(const uint8_t *bytes, uint8_t pad, uint32_t ret_words[16])
{
    for (int i = 0; i < 16; i++) ret_words[i] = load_be32(bytes + 4 * i) ^ (uint32_t)pad * 0x01010101u;
}

static void words64(const uint8_t *bytes, uint8_t pad, uint64_t ret_words[16])
{
    for (int i = 0; i < 16; i++) ret_words[i] = load_be64(bytes + 8 * i) ^ (uint64_t)pad * 0x0101010101010101u;
}

static void compress(enum kernel_algorithm algorithm, void *state, const uint8_t *block, uint8_t pad)
{
    uint32_t w32[16];
    uint64_t w64[16];
    if (algorithm == KERNEL_SHA512) {
        words64(block, pad, w64);
        sha512_compress(state, w64);
    } else {
        words32(block, pad, w32);
        if (algorithm == KERNEL_SHA1)
            kernel_compressions()->sha1(state, w32);
        else
            kernel_compressions()->sha256(state, w32);
    }
    explicit_bzero(w32, sizeof w32);
    explicit_bzero(w64, sizeof w64);
}

static const void *initial(enum kernel_algorithm algorithm)
{
    return algorithm == KERNEL_SHA1     ? (const void *)sha1_initial
           : algorithm == KERNEL_SHA256 ? (const void *)sha256_initial
                                        : (const void *)sha512_initial;
}

/* The seed's own hash stands for it when it is longer than a block; rare, and never on the verify path. */
static void key_of_long_seed(enum kernel_algorithm algorithm, const uint8_t *seed, size_t size, uint8_t *ret_key)
{
    size_t block = algorithm == KERNEL_SHA512 ? LONG_BLOCK : SHORT_BLOCK;
    size_t state_size = kernel_midstates_size(algorithm) / 2;
    uint64_t state[8];
    uint8_t last[2 * LONG_BLOCK] = {0};
    memcpy(state, initial(algorithm), state_size);
    size_t at = 0;
    for (; size - at >= block; at += block) compress(algorithm, state, seed + at, 0);
    size_t left = size - at;
    memcpy(last, seed + at, left);
    last[left] = 0x80;
    size_t length_at = (left + 1 + block / 8 <= block ? block : 2 * block) - 8;
    store_be64(last + length_at, (uint64_t)size * 8);
    for (size_t done = 0; done < length_at + 8; done += block) compress(algorithm, state, last + done, 0);
    if (algorithm == KERNEL_SHA512)
        for (int i = 0; i < 8; i++) store_be64(ret_key + 8 * i, state[i]);
    else
        for (size_t i = 0; i < state_size / 4; i++) store_be32(ret_key + 4 * i, ((const uint32_t *)state)[i]);
    explicit_bzero(state, sizeof state);
    explicit_bzero(last, sizeof last);
}

void kernel_midstates(enum kernel_algorithm algorithm, const uint8_t *seed, size_t seed_size, void *ret_midstates)
{
    CHECK(seed_size <= SEED_MAX);
    size_t state_size = kernel_midstates_size(algorithm) / 2;
    uint8_t key[LONG_BLOCK] = {0};
    if (seed_size > (algorithm == KERNEL_SHA512 ? LONG_BLOCK : SHORT_BLOCK))
        key_of_long_seed(algorithm, seed, seed_size, key);
    else
        memcpy(key, seed, seed_size);
    uint8_t *inner = ret_midstates;
    uint8_t *outer = inner + state_size;
    uint64_t state[8];
    memcpy(state, initial(algorithm), state_size);
    compress(algorithm, state, key, 0x36);
    memcpy(inner, state, state_size);
    memcpy(state, initial(algorithm), state_size);
    compress(algorithm, state, key, 0x5c);
    memcpy(outer, state, state_size);
    explicit_bzero(key, sizeof key);
    explicit_bzero(state, sizeof state);
}
