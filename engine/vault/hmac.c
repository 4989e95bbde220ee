#include "vault/hmac.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/arena.h"

enum { BLOCK_SIZE = 64, HASH_SIZE = 32, SHORT_SIZE_MAX = BLOCK_SIZE - 9 /* the padding of FIPS 180-4, 5.1.1 */ };

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

/* The last block of a message of `size` bytes whose first 64 were the key's; `size` of them stand in it already. */
static void block_end(uint8_t block[BLOCK_SIZE], size_t size)
{
    memset(block + size, 0, BLOCK_SIZE - size);
    block[size] = 0x80;
    store_be64(block + BLOCK_SIZE - 8, (BLOCK_SIZE + size) * 8);
}

static void state_out(const SHA256_CTX *context, uint8_t ret_hash[HASH_SIZE])
{
    for (int i = 0; i < 8; i++) store_be32(ret_hash + 4 * i, context->h[i]);
}

/* A message that fits one block, as a seed's does: two compressions and nothing else. */
static void hmac_short(const struct hmac_key *key, uint8_t block[BLOCK_SIZE], size_t size, uint8_t ret_mac[32])
{
    SHA256_CTX context = key->inner;
    block_end(block, size);
    SHA256_Transform(&context, block);
    state_out(&context, block);
    context = key->outer;
    block_end(block, HASH_SIZE);
    SHA256_Transform(&context, block);
    state_out(&context, ret_mac);
    secret_wipe(&context, sizeof(context));
    secret_wipe(block, BLOCK_SIZE);
}

void hmac_pieces(const struct hmac_key *key, const void *first, size_t first_size, const void *second,
                 size_t second_size, uint8_t ret_mac[32])
{
    if (first_size + second_size <= SHORT_SIZE_MAX) {
        uint8_t block[BLOCK_SIZE];
        if (first_size > 0) memcpy(block, first, first_size);
        if (second_size > 0) memcpy(block + first_size, second, second_size);
        hmac_short(key, block, first_size + second_size, ret_mac);
        return;
    }
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
