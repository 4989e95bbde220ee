#include "vault/seal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdbool.h>

#include "os/arena.h"

enum { SIZE_MAX_SEALED = 1 << 30 };

/* Looked up once: finding an algorithm by name costs more than sealing a seed. Kept for the life of the process. */
static EVP_CIPHER *cipher;
static pthread_once_t cipher_once = PTHREAD_ONCE_INIT;

static void cipher_fetch(void)
{
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

/* A context lives for one message: kept ones would hold the key's schedule on OpenSSL's heap, outside the arena;
 * freeing wipes it. */
static EVP_CIPHER_CTX *context_make(const uint8_t *key, const uint8_t *nonce, bool sealing)
{
    pthread_once(&cipher_once, cipher_fetch);
    EVP_CIPHER_CTX *context = cipher ? EVP_CIPHER_CTX_new() : NULL;
    if (context && EVP_CipherInit_ex2(context, cipher, key, nonce, sealing, NULL) != 1) {
        EVP_CIPHER_CTX_free(context);
        return NULL;
    }
    return context;
}

/* Associated data, then the bytes. */
static bool run(EVP_CIPHER_CTX *context, const void *associated, size_t associated_size, const void *bytes, size_t size,
                uint8_t *ret_bytes)
{
    int done = 0;
    if (associated_size > 0 && EVP_CipherUpdate(context, NULL, &done, associated, (int)associated_size) != 1)
        return false;
    return size == 0 || (EVP_CipherUpdate(context, ret_bytes, &done, bytes, (int)size) == 1 && done == (int)size);
}

struct result seal_close(const uint8_t key[SEAL_KEY_SIZE], const void *associated, size_t associated_size,
                         const void *bytes, size_t size, uint8_t *ret_sealed)
{
    uint8_t *body = ret_sealed + SEAL_NONCE_SIZE, none[SEAL_TAG_SIZE];
    int done = 0;
    if (size > SIZE_MAX_SEALED || associated_size > SIZE_MAX_SEALED) return result_of(BAD_ARGUMENT);
    if (RAND_bytes(ret_sealed, SEAL_NONCE_SIZE) != 1) return result_of(VAULT_FAILED);
    EVP_CIPHER_CTX *context = context_make(key, ret_sealed, true);
    if (!context) return result_of(VAULT_FAILED);
    bool good = run(context, associated, associated_size, bytes, size, body) &&
                EVP_CipherFinal_ex(context, none, &done) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, body + size) == 1;
    EVP_CIPHER_CTX_free(context);
    return good ? result_ok() : result_of(VAULT_FAILED);
}

/* With a context that has the key. */
static struct result open_with(EVP_CIPHER_CTX *context, const void *associated, size_t associated_size,
                               const uint8_t *sealed, size_t sealed_size, uint8_t *ret_bytes)
{
    uint8_t none[SEAL_TAG_SIZE], tag[SEAL_TAG_SIZE];
    int done = 0;
    size_t size = sealed_size - SEAL_EXTRA;
    for (int i = 0; i < SEAL_TAG_SIZE; i++) tag[i] = sealed[SEAL_NONCE_SIZE + size + (size_t)i];
    bool ran = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, tag) == 1 &&
               run(context, associated, associated_size, sealed + SEAL_NONCE_SIZE, size, ret_bytes);
    bool opened = ran && EVP_CipherFinal_ex(context, none, &done) == 1;
    /* What was decrypted before the tag was checked is no plaintext of ours. */
    if (!opened && size > 0) secret_wipe(ret_bytes, size);
    if (!ran) return result_of(VAULT_FAILED);
    return opened ? result_ok() : result_of(VAULT_BAD_SEAL);
}

static struct result sizes_check(size_t associated_size, size_t sealed_size)
{
    if (sealed_size < SEAL_EXTRA || sealed_size - SEAL_EXTRA > SIZE_MAX_SEALED) return result_of(VAULT_BAD_SEAL);
    return associated_size > SIZE_MAX_SEALED ? result_of(BAD_ARGUMENT) : result_ok();
}

struct result seal_open(const uint8_t key[SEAL_KEY_SIZE], const void *associated, size_t associated_size,
                        const uint8_t *sealed, size_t sealed_size, uint8_t *ret_bytes)
{
    TRY(sizes_check(associated_size, sealed_size));
    EVP_CIPHER_CTX *context = context_make(key, sealed, false);
    if (!context) return result_of(VAULT_FAILED);
    struct result result = open_with(context, associated, associated_size, sealed, sealed_size, ret_bytes);
    EVP_CIPHER_CTX_free(context);
    return result;
}

struct result seal_open_many(const uint8_t key[SEAL_KEY_SIZE], const struct vault_sealed *items, size_t count)
{
    for (size_t i = 0; i < count; i++) TRY(sizes_check(items[i].associated_size, items[i].sealed_size));
    if (count == 0) return result_ok();
    EVP_CIPHER_CTX *context = context_make(key, items[0].sealed, false);
    if (!context) return result_of(VAULT_FAILED);
    struct result result = result_ok();
    for (size_t i = 0; i < count && !result_failed(result); i++) {
        const struct vault_sealed *item = &items[i];
        bool ready = EVP_CipherInit_ex2(context, NULL, NULL, item->sealed, false, NULL) == 1;
        result = ready ? open_with(context, item->associated, item->associated_size, item->sealed, item->sealed_size,
                                   item->ret_bytes)
                       : result_of(VAULT_FAILED);
    }
    EVP_CIPHER_CTX_free(context);
    return result;
}
