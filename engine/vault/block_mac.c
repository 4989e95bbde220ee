#include "vault/block_mac.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct block_mac {
    EVP_CIPHER_CTX *context;
};

/* Single blocks under one key, any number at a time: the chaining is ours, across the messages and not along one. */
static bool context_set(EVP_CIPHER_CTX *context, const uint8_t *key)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    bool set = cipher && EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL) == 1 &&
               EVP_CIPHER_CTX_set_padding(context, 0) == 1;
    EVP_CIPHER_free(cipher); /* the context keeps it */
    return set;
}

struct result block_mac_create(const uint8_t key[BLOCK_MAC_KEY_SIZE], struct block_mac **ret_mac)
{
    struct block_mac *mac = calloc(1, sizeof(*mac));
    if (!mac) return result_of(NO_MEMORY);
    mac->context = EVP_CIPHER_CTX_new();
    struct result result = mac->context ? result_ok() : result_of(NO_MEMORY);
    if (mac->context && !context_set(mac->context, key)) result = result_of(VAULT_FAILED);
    if (result_failed(result)) {
        block_mac_destroy(mac);
        return result;
    }
    *ret_mac = mac;
    return result_ok();
}

void block_mac_destroy(struct block_mac *mac)
{
    if (!mac) return;
    EVP_CIPHER_CTX_free(mac->context);
    free(mac);
}

/* With a key set, no padding and whole blocks there is nothing that OpenSSL could refuse. */
static void encrypt(EVP_CIPHER_CTX *context, uint8_t *blocks, size_t size)
{
    int done = 0;
    bool encrypted = EVP_EncryptUpdate(context, blocks, &done, blocks, (int)size) == 1 && done == (int)size;
    CHECK(encrypted);
}

static void xor_block(uint8_t *block, const uint8_t *other)
{
    uint64_t words[2], others[2];
    memcpy(words, block, sizeof(words));
    memcpy(others, other, sizeof(others));
    words[0] ^= others[0];
    words[1] ^= others[1];
    memcpy(block, words, sizeof(words));
}

void block_macs(struct block_mac *mac, size_t count, uint8_t (*heads)[BLOCK_MAC_SIZE],
                const uint8_t (*bodies)[BLOCK_MAC_SIZE])
{
    CHECK(count <= BLOCK_MACS_MAX);
    if (count == 0) return;
    encrypt(mac->context, (uint8_t *)heads, count * BLOCK_MAC_SIZE);
    for (size_t i = 0; i < count; i++) xor_block(heads[i], bodies[i]);
    encrypt(mac->context, (uint8_t *)heads, count * BLOCK_MAC_SIZE);
}
