/* Plain and Merkle hashing, and comparison: nothing here knows a key. */
#include "vault/vault.h"

#include "vault/hmac.h"

#include <openssl/crypto.h>

void vault_sha256(const void *bytes, size_t size, uint8_t ret_hash[32])
{
    SHA256(bytes, size, ret_hash);
}

void vault_merkle_leaf(const void *bytes, size_t size, uint8_t ret_hash[32])
{
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, "\0", 1);
    if (size > 0) SHA256_Update(&context, bytes, size);
    SHA256_Final(ret_hash, &context);
}

void vault_merkle_node(const uint8_t left[32], const uint8_t right[32], uint8_t ret_hash[32])
{
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, "\1", 1);
    SHA256_Update(&context, left, 32);
    SHA256_Update(&context, right, 32);
    SHA256_Final(ret_hash, &context);
}

bool vault_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}
