/* HMAC of one message of any size, block after block with the best that this CPU has for single blocks. */
#include <string.h>

#include "base/bytes.h"
#include "kernel/compress.h"
#include "kernel/kernel.h"
#include "kernel/sha.h"

/* One hash under way. The state is as FIPS 180-4 has it, words in native order. */
struct hashing {
    enum kernel_algorithm algorithm;
    size_t block_size; /* 64, or 128 for SHA-512 */
    uint64_t state[8];
};

static void block_hash(struct hashing *hashing, const uint8_t *block)
{
    uint32_t short_words[16];
    uint64_t long_words[16];
    if (hashing->algorithm == KERNEL_SHA512) {
        for (int i = 0; i < 16; i++) long_words[i] = load_be64(block + 8 * i);
        sha512_compress(hashing->state, long_words);
        return;
    }
    for (int i = 0; i < 16; i++) short_words[i] = load_be32(block + 4 * i);
    if (hashing->algorithm == KERNEL_SHA1)
        kernel_compressions()->sha1((uint32_t *)hashing->state, short_words);
    else
        kernel_compressions()->sha256((uint32_t *)hashing->state, short_words);
}

/* The message, its padding (FIPS 180-4 section 5.1), and the key block that went before it in its length. */
static void message_hash(struct hashing *hashing, const uint8_t *bytes, size_t size)
{
    size_t block = hashing->block_size;
    uint8_t last[2 * 128] = {0};
    uint64_t bits = ((uint64_t)size + block) * 8;
    for (; size >= block; bytes += block, size -= block) block_hash(hashing, bytes);
    memcpy(last, bytes, size);
    last[size] = 0x80;
    size_t end = size + 1 + block / 8 <= block ? block : 2 * block;
    store_be64(last + end - 8, bits);
    for (size_t at = 0; at < end; at += block) block_hash(hashing, last + at);
    explicit_bzero(last, sizeof last);
}

static void state_write(const struct hashing *hashing, size_t digest_size, uint8_t *ret_digest)
{
    if (hashing->algorithm == KERNEL_SHA512)
        for (size_t i = 0; i < digest_size / 8; i++) store_be64(ret_digest + 8 * i, hashing->state[i]);
    else
        for (size_t i = 0; i < digest_size / 4; i++)
            store_be32(ret_digest + 4 * i, ((const uint32_t *)hashing->state)[i]);
}

void kernel_hmac(enum kernel_algorithm algorithm, const void *midstates, const uint8_t *message, size_t size,
                 uint8_t ret_digest[KERNEL_DIGEST_SIZE_MAX])
{
    size_t digest_size = kernel_midstates_size(algorithm) / 2;
    struct hashing hashing = {.algorithm = algorithm, .block_size = algorithm == KERNEL_SHA512 ? 128 : 64};
    memcpy(hashing.state, midstates, digest_size);
    message_hash(&hashing, message, size);
    state_write(&hashing, digest_size, ret_digest);
    memcpy(hashing.state, (const uint8_t *)midstates + digest_size, digest_size);
    message_hash(&hashing, ret_digest, digest_size);
    state_write(&hashing, digest_size, ret_digest);
    explicit_bzero(&hashing, sizeof hashing);
}
