#include "helpers.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

/* SplitMix64 (Steele, Lea, Flood 2014): every seed gives a full-length sequence. */
uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void random_bytes(uint64_t *state, uint8_t *ret_bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) ret_bytes[i] = (uint8_t)(random_next(state) >> 56);
}

uint32_t oracle_truncated(enum kernel_algorithm algorithm, const uint8_t *seed, size_t seed_size, uint64_t counter)
{
    const EVP_MD *hash = algorithm == KERNEL_SHA1     ? EVP_sha1()
                         : algorithm == KERNEL_SHA256 ? EVP_sha256()
                                                      : EVP_sha512();
    uint8_t message[8], digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    for (int i = 0; i < 8; i++) message[i] = (uint8_t)(counter >> (56 - 8 * i));
    if (!HMAC(hash, seed, (int)seed_size, message, sizeof message, digest, &size)) abort();
    const uint8_t *at = digest + (digest[size - 1] & 15);
    return (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

size_t kernel_cases(void)
{
    const char *text = getenv("OTPRING_KERNEL_CASES");
    return text && *text ? strtoull(text, NULL, 10) : 200000;
}

/* Small, 32-bit-edge and full-width counters, so that a lane that drops the upper half is found. */
static uint64_t random_counter(uint64_t *random)
{
    return random_next(random) >> (random_next(random) % 64);
}

void batch_fill(struct batch *batch, enum kernel_algorithm algorithm, uint64_t *random, size_t count)
{
    uint8_t seed[SEED_MAX];
    for (size_t i = 0; i < count; i++) {
        size_t size = 10 + random_next(random) % (SEED_MAX - 9);
        random_bytes(random, seed, size);
        batch->counters[i] = random_counter(random);
        kernel_midstates(algorithm, seed, size, batch->midstates[i]);
        batch->pointers[i] = batch->midstates[i];
        batch->expected[i] = oracle_truncated(algorithm, seed, size, batch->counters[i]);
    }
}

void batch_fill_midstates(struct batch *batch, enum kernel_algorithm algorithm, uint64_t *random, size_t count)
{
    size_t words = kernel_midstates_size(algorithm) / 8;
    for (size_t i = 0; i < count; i++) {
        for (size_t w = 0; w < words; w++) {
            uint64_t word = random_next(random);
            memcpy(batch->midstates[i] + 8 * w, &word, sizeof word);
        }
        batch->counters[i] = random_counter(random);
        batch->pointers[i] = batch->midstates[i];
    }
}
