#include "vault/hmac.h"

#include <string.h>

#include "base/check.h"
#include "os/arena.h"

enum { BLOCK_SIZE = 64, HASH_SIZE = 32 };

void hmac_key_set(struct hmac_key *key, const void *bytes, size_t size)
{
    uint8_t block[BLOCK_SIZE] = {0};
    if (size > BLOCK_SIZE) {
        SHA256(bytes, size, block);
    } else if (size > 0) {
        memcpy(block, bytes, size);
    }
    for (int i = 0; i < BLOCK_SIZE; i++) block[i] ^= 0x36;
    SHA256_Init(&key->inner);
    SHA256_Update(&key->inner, block, sizeof(block));
    for (int i = 0; i < BLOCK_SIZE; i++) block[i] ^= 0x36 ^ 0x5c;
    SHA256_Init(&key->outer);
    SHA256_Update(&key->outer, block, sizeof(block));
    secret_wipe(block, sizeof(block));
}

void hmac_pieces(const struct hmac_key *key, const void *first, size_t first_size, const void *second,
                 size_t second_size, uint8_t ret_mac[32])
{
    SHA256_CTX context = key->inner;
    uint8_t hash[HASH_SIZE];
    if (first_size > 0) SHA256_Update(&context, first, first_size);
    if (second_size > 0) SHA256_Update(&context, second, second_size);
    SHA256_Final(hash, &context);
    context = key->outer;
    SHA256_Update(&context, hash, sizeof(hash));
    SHA256_Final(ret_mac, &context);
    secret_wipe(&context, sizeof(context));
    secret_wipe(hash, sizeof(hash));
}

void hkdf(const void *salt, size_t salt_size, const void *secret, size_t secret_size, const void *info,
          size_t info_size, uint8_t *ret_bytes, size_t size)
{
    struct hmac_key key;
    uint8_t block[HASH_SIZE], counted[256];
    CHECK(size <= 255 * HASH_SIZE && info_size <= 255);
    hmac_key_set(&key, salt, salt_size); /* no salt: a key of zeros, which an empty HMAC key is */
    hmac_pieces(&key, secret, secret_size, NULL, 0, block);
    hmac_key_set(&key, block, sizeof(block));
    size_t before = 0;
    for (uint8_t number = 1; size > 0; number++) {
        /* T(n) = HMAC(PRK, T(n-1) | info | n) */
        if (info_size > 0) memcpy(counted, info, info_size);
        counted[info_size] = number;
        hmac_pieces(&key, block, before, counted, info_size + 1, block);
        before = sizeof(block);
        size_t piece = size < sizeof(block) ? size : sizeof(block);
        memcpy(ret_bytes, block, piece);
        ret_bytes += piece;
        size -= piece;
    }
    secret_wipe(&key, sizeof(key));
    secret_wipe(block, sizeof(block));
}
