#include "vault/hpke.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/arena.h"
#include "vault/hmac.h"
#include "vault/p256.h"

enum {
    HASH_SIZE = 32,
    NONCE_SIZE = 12,
    X25519_SIZE = 32,
    KDF_HKDF_SHA256 = 0x0001,
    MODE_BASE = 0x00,
    LABELED_MAX =
        256, /* "HPKE-v1", suite, label, and what follows it: the KEM's context is the longest, of 130 bytes */
    DERIVE_TRIES = 256,
};

/* ---- labelled HKDF, section 4: salt and secret, or context, with the suite and a label before them ---- */

struct suite_id {
    uint8_t bytes[10];
    size_t size;
};

static struct suite_id kem_suite(uint16_t kem)
{
    struct suite_id id = {.bytes = "KEM", .size = 5};
    id.bytes[3] = (uint8_t)(kem >> 8);
    id.bytes[4] = (uint8_t)kem;
    return id;
}

static struct suite_id hpke_suite_id(struct hpke_suite suite)
{
    const uint16_t numbers[3] = {suite.kem, KDF_HKDF_SHA256, suite.aead};
    struct suite_id id = {.bytes = "HPKE", .size = 10};
    for (int i = 0; i < 3; i++) {
        id.bytes[4 + 2 * i] = (uint8_t)(numbers[i] >> 8);
        id.bytes[5 + 2 * i] = (uint8_t)numbers[i];
    }
    return id;
}

struct labeled {
    uint8_t bytes[LABELED_MAX];
    size_t size;
};

static void labeled_put(struct labeled *labeled, const void *bytes, size_t size)
{
    CHECK(size <= sizeof(labeled->bytes) - labeled->size);
    if (size > 0) memcpy(labeled->bytes + labeled->size, bytes, size);
    labeled->size += size;
}

static void labeled_begin(struct labeled *labeled, const struct suite_id *suite, const char *label)
{
    labeled_put(labeled, "HPKE-v1", 7);
    labeled_put(labeled, suite->bytes, suite->size);
    labeled_put(labeled, label, strlen(label));
}

static void labeled_extract(const struct suite_id *suite, const void *salt, size_t salt_size, const char *label,
                            const void *secret, size_t secret_size, uint8_t ret_key[HASH_SIZE])
{
    struct hmac_key key;
    struct labeled labeled = {.size = 0};
    labeled_begin(&labeled, suite, label);
    hmac_key_set(&key, salt, salt_size);
    hmac_pieces(&key, labeled.bytes, labeled.size, secret, secret_size, ret_key);
    secret_wipe(&key, sizeof(key));
}

/* One block of HKDF-Expand is all that is ever asked for. */
static void labeled_expand(const struct suite_id *suite, const uint8_t key_bytes[HASH_SIZE], const char *label,
                           const void *context, size_t context_size, uint8_t *ret_bytes, size_t size)
{
    struct hmac_key key;
    struct labeled labeled = {.size = 0};
    uint8_t block[HASH_SIZE];
    CHECK(size <= HASH_SIZE);
    labeled_put(&labeled, (uint8_t[]){0, (uint8_t)size}, 2);
    labeled_begin(&labeled, suite, label);
    labeled_put(&labeled, context, context_size);
    labeled_put(&labeled, (uint8_t[]){1}, 1);
    hmac_key_set(&key, key_bytes, HASH_SIZE);
    hmac_pieces(&key, labeled.bytes, labeled.size, NULL, 0, block);
    memcpy(ret_bytes, block, size);
    secret_wipe(&key, sizeof(key));
    secret_wipe(block, sizeof(block));
}

/* ---- the two groups ---- */

size_t hpke_public_size(enum hpke_kem kem)
{
    return kem == HPKE_P256 ? P256_POINT_SIZE : X25519_SIZE;
}

struct result hpke_public_check(enum hpke_kem kem, const uint8_t *public_key, size_t size)
{
    if (size != hpke_public_size(kem)) return result_of(BAD_DEVICE_KEY);
    return kem != HPKE_P256 || p256_point_valid(public_key) ? result_ok() : result_of(BAD_DEVICE_KEY);
}

static bool x25519_public(const uint8_t private_key[X25519_SIZE], uint8_t ret_public[X25519_SIZE])
{
    size_t size = X25519_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, X25519_SIZE);
    bool good = key && EVP_PKEY_get_raw_public_key(key, ret_public, &size) == 1 && size == X25519_SIZE;
    EVP_PKEY_free(key);
    return good;
}

/* Fails for points of small order, whose result is zero (RFC 9180, 7.1.4). */
static bool x25519_dh(const uint8_t private_key[X25519_SIZE], const uint8_t public_key[X25519_SIZE],
                      uint8_t ret_shared[X25519_SIZE])
{
    size_t size = X25519_SIZE;
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, X25519_SIZE);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, X25519_SIZE);
    EVP_PKEY_CTX *context = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    bool good = context && other && EVP_PKEY_derive_init(context) == 1 &&
                EVP_PKEY_derive_set_peer(context, other) == 1 && EVP_PKEY_derive(context, ret_shared, &size) == 1 &&
                size == X25519_SIZE;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(own);
    EVP_PKEY_free(other);
    return good;
}

static bool group_public(enum hpke_kem kem, const uint8_t *private_key, uint8_t *ret_public)
{
    return kem == HPKE_P256 ? p256_public(private_key, ret_public) : x25519_public(private_key, ret_public);
}

static bool group_dh(enum hpke_kem kem, const uint8_t *private_key, const uint8_t *public_key, uint8_t *ret_shared)
{
    return kem == HPKE_P256 ? p256_dh(private_key, public_key, ret_shared)
                            : x25519_dh(private_key, public_key, ret_shared);
}

struct result hpke_public_of(enum hpke_kem kem, const uint8_t private_key[HPKE_PRIVATE_SIZE],
                             uint8_t ret_public[HPKE_PUBLIC_MAX])
{
    return group_public(kem, private_key, ret_public) ? result_ok() : result_of(BAD_DEVICE_KEY);
}

struct result hpke_pair_derive(enum hpke_kem kem, const uint8_t *secret, size_t secret_size,
                               uint8_t ret_private[HPKE_PRIVATE_SIZE], uint8_t ret_public[HPKE_PUBLIC_MAX])
{
    struct suite_id suite = kem_suite((uint16_t)kem);
    uint8_t key[HASH_SIZE];
    bool good = false;
    labeled_extract(&suite, NULL, 0, "dkp_prk", secret, secret_size, key);
    if (kem == HPKE_X25519) {
        labeled_expand(&suite, key, "sk", NULL, 0, ret_private, HPKE_PRIVATE_SIZE);
        good = x25519_public(ret_private, ret_public);
    }
    /* A candidate is out of range once in 2^32: those of P-256 are taken as they are, its bitmask is 0xff. */
    for (unsigned counter = 0; kem == HPKE_P256 && !good && counter < DERIVE_TRIES; counter++) {
        uint8_t number = (uint8_t)counter;
        labeled_expand(&suite, key, "candidate", &number, 1, ret_private, HPKE_PRIVATE_SIZE);
        good = p256_public(ret_private, ret_public);
    }
    secret_wipe(key, sizeof(key));
    return good ? result_ok() : result_of(VAULT_FAILED);
}

struct result hpke_pair_make(enum hpke_kem kem, uint8_t ret_private[HPKE_PRIVATE_SIZE],
                             uint8_t ret_public[HPKE_PUBLIC_MAX])
{
    uint8_t secret[HPKE_PRIVATE_SIZE];
    if (RAND_priv_bytes(secret, sizeof(secret)) != 1) return result_of(VAULT_FAILED);
    struct result result = hpke_pair_derive(kem, secret, sizeof(secret), ret_private, ret_public);
    secret_wipe(secret, sizeof(secret));
    return result;
}

/* ---- key schedule, sections 4.1 and 5.1 ---- */

struct message_keys {
    uint8_t key[HASH_SIZE]; /* as many of it as the AEAD takes */
    uint8_t nonce[NONCE_SIZE];
};

static size_t aead_key_size(uint16_t aead)
{
    return aead == HPKE_AES_128_GCM ? 16 : 32;
}

static void shared_secret(uint16_t kem, const uint8_t dh[HASH_SIZE], const uint8_t *encapsulated,
                          const uint8_t *public_key, uint8_t ret_shared[HASH_SIZE])
{
    struct suite_id suite = kem_suite(kem);
    size_t size = hpke_public_size((enum hpke_kem)kem);
    uint8_t context[2 * HPKE_PUBLIC_MAX], key[HASH_SIZE];
    memcpy(context, encapsulated, size);
    memcpy(context + size, public_key, size);
    labeled_extract(&suite, NULL, 0, "eae_prk", dh, HASH_SIZE, key);
    labeled_expand(&suite, key, "shared_secret", context, 2 * size, ret_shared, HASH_SIZE);
    secret_wipe(key, sizeof(key));
}

static void schedule(struct hpke_suite suite, const uint8_t shared[HASH_SIZE], const struct hpke_message *message,
                     struct message_keys *ret_keys)
{
    struct suite_id id = hpke_suite_id(suite);
    uint8_t context[1 + 2 * HASH_SIZE] = {MODE_BASE}, secret[HASH_SIZE];
    labeled_extract(&id, NULL, 0, "psk_id_hash", NULL, 0, context + 1);
    labeled_extract(&id, NULL, 0, "info_hash", message->info, message->info_size, context + 1 + HASH_SIZE);
    labeled_extract(&id, shared, HASH_SIZE, "secret", NULL, 0, secret);
    labeled_expand(&id, secret, "key", context, sizeof(context), ret_keys->key, aead_key_size(suite.aead));
    labeled_expand(&id, secret, "base_nonce", context, sizeof(context), ret_keys->nonce, NONCE_SIZE);
    secret_wipe(secret, sizeof(secret));
}

/* ---- AES-GCM with a given nonce: ciphertext, then tag ---- */

static bool gcm_run(EVP_CIPHER_CTX *context, const struct hpke_message *message, const uint8_t *bytes, size_t size,
                    uint8_t *ret_bytes)
{
    int done = 0;
    if (message->associated_size > 0 &&
        EVP_CipherUpdate(context, NULL, &done, message->associated, (int)message->associated_size) != 1) {
        return false;
    }
    return size == 0 || (EVP_CipherUpdate(context, ret_bytes, &done, bytes, (int)size) == 1 && done == (int)size);
}

static struct result gcm_seal(uint16_t aead, const struct message_keys *keys, const struct hpke_message *message,
                              const uint8_t *bytes, size_t size, uint8_t *ret_sealed)
{
    const EVP_CIPHER *cipher = aead == HPKE_AES_128_GCM ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t none[HPKE_TAG_SIZE];
    int done = 0;
    bool good = context && EVP_CipherInit_ex2(context, cipher, keys->key, keys->nonce, 1, NULL) == 1 &&
                gcm_run(context, message, bytes, size, ret_sealed) && EVP_CipherFinal_ex(context, none, &done) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, HPKE_TAG_SIZE, ret_sealed + size) == 1;
    EVP_CIPHER_CTX_free(context);
    return good ? result_ok() : result_of(VAULT_FAILED);
}

static struct result gcm_open(uint16_t aead, const struct message_keys *keys, const struct hpke_message *message,
                              const uint8_t *sealed, size_t sealed_size, uint8_t *ret_bytes)
{
    const EVP_CIPHER *cipher = aead == HPKE_AES_128_GCM ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    size_t size = sealed_size - HPKE_TAG_SIZE;
    uint8_t none[HPKE_TAG_SIZE], tag[HPKE_TAG_SIZE];
    int done = 0;
    memcpy(tag, sealed + size, sizeof(tag));
    bool ran = context && EVP_CipherInit_ex2(context, cipher, keys->key, keys->nonce, 0, NULL) == 1 &&
               EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, HPKE_TAG_SIZE, tag) == 1 &&
               gcm_run(context, message, sealed, size, ret_bytes);
    bool opened = ran && EVP_CipherFinal_ex(context, none, &done) == 1;
    EVP_CIPHER_CTX_free(context);
    /* What was decrypted before the tag was checked is no plaintext of ours. */
    if (!opened && size > 0) secret_wipe(ret_bytes, size);
    if (!ran) return result_of(VAULT_FAILED);
    return opened ? result_ok() : result_of(VAULT_NOT_OPENED);
}

/* ---- sealing and opening ---- */

static bool sizes_valid(const struct hpke_message *message, size_t size)
{
    return size <= HPKE_SIZE_MAX && message->associated_size <= HPKE_SIZE_MAX && message->info_size <= HPKE_SIZE_MAX;
}

struct result hpke_seal_with(struct hpke_suite suite, const uint8_t ephemeral[HPKE_PRIVATE_SIZE],
                             const uint8_t *public_key, const struct hpke_message *message, const void *bytes,
                             size_t size, uint8_t *ret_encapsulated, uint8_t *ret_sealed)
{
    enum hpke_kem kem = (enum hpke_kem)suite.kem;
    uint8_t dh[HASH_SIZE], shared[HASH_SIZE];
    struct message_keys keys;
    if (!sizes_valid(message, size)) return result_of(BAD_ARGUMENT);
    if (!group_public(kem, ephemeral, ret_encapsulated)) return result_of(VAULT_FAILED);
    if (!group_dh(kem, ephemeral, public_key, dh)) return result_of(BAD_DEVICE_KEY);
    shared_secret(suite.kem, dh, ret_encapsulated, public_key, shared);
    schedule(suite, shared, message, &keys);
    struct result result = gcm_seal(suite.aead, &keys, message, bytes, size, ret_sealed);
    secret_wipe(dh, sizeof(dh));
    secret_wipe(shared, sizeof(shared));
    secret_wipe(&keys, sizeof(keys));
    return result;
}

struct result hpke_seal(struct hpke_suite suite, const uint8_t *public_key, const struct hpke_message *message,
                        const void *bytes, size_t size, uint8_t *ret_encapsulated, uint8_t *ret_sealed)
{
    uint8_t ephemeral[HPKE_PRIVATE_SIZE], own[HPKE_PUBLIC_MAX];
    TRY(hpke_pair_make((enum hpke_kem)suite.kem, ephemeral, own));
    struct result result =
        hpke_seal_with(suite, ephemeral, public_key, message, bytes, size, ret_encapsulated, ret_sealed);
    secret_wipe(ephemeral, sizeof(ephemeral));
    return result;
}

struct result hpke_open(struct hpke_suite suite, const uint8_t private_key[HPKE_PRIVATE_SIZE],
                        const uint8_t *encapsulated, const struct hpke_message *message, const uint8_t *sealed,
                        size_t sealed_size, uint8_t *ret_bytes)
{
    enum hpke_kem kem = (enum hpke_kem)suite.kem;
    uint8_t own[HPKE_PUBLIC_MAX], dh[HASH_SIZE], shared[HASH_SIZE];
    struct message_keys keys;
    if (sealed_size < HPKE_TAG_SIZE || !sizes_valid(message, sealed_size)) return result_of(VAULT_NOT_OPENED);
    if (!group_public(kem, private_key, own)) return result_of(BAD_DEVICE_KEY);
    if (!group_dh(kem, private_key, encapsulated, dh)) return result_of(VAULT_NOT_OPENED);
    shared_secret(suite.kem, dh, encapsulated, own, shared);
    schedule(suite, shared, message, &keys);
    struct result result = gcm_open(suite.aead, &keys, message, sealed, sealed_size, ret_bytes);
    secret_wipe(dh, sizeof(dh));
    secret_wipe(shared, sizeof(shared));
    secret_wipe(&keys, sizeof(keys));
    return result;
}
