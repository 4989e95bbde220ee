#include "vault/device_key.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/arena.h"
#include "vault/hmac.h"
#include "vault/p256.h"
#include "vault/vault.h"

enum { ED25519_SIZE = 32 };

/* What stands before the key's own bytes in SubjectPublicKeyInfo. With DER there is one way to write each. */
struct spki {
    const char *head;
    size_t head_size;
    size_t key_size;
};

static const struct spki spki_p256 = {
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00", 26,
    P256_POINT_SIZE};
static const struct spki spki_ed25519 = {"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12, ED25519_SIZE};
static const struct spki spki_x25519 = {"\x30\x2a\x30\x05\x06\x03\x2b\x65\x6e\x03\x21\x00", 12, 32};

const char *device_algorithm_name(enum device_algorithm algorithm)
{
    return algorithm == DEVICE_ES256 ? "ES256" : algorithm == DEVICE_ED25519 ? "Ed25519" : NULL;
}

bool device_algorithm_parse(const char *text, enum device_algorithm *ret_algorithm)
{
    for (enum device_algorithm algorithm = DEVICE_ES256; algorithm <= DEVICE_ED25519; algorithm++) {
        if (strcmp(device_algorithm_name(algorithm), text) != 0) continue;
        *ret_algorithm = algorithm;
        return true;
    }
    return false;
}

enum hpke_kem device_kem(enum device_algorithm algorithm)
{
    return algorithm == DEVICE_ES256 ? HPKE_P256 : HPKE_X25519;
}

/* The key's own bytes, or NULL. */
static const uint8_t *key_bytes(const struct spki *spki, const uint8_t *bytes, size_t size)
{
    if (size == spki->key_size) return bytes;
    bool whole = size == spki->head_size + spki->key_size && memcmp(bytes, spki->head, spki->head_size) == 0;
    return whole ? bytes + spki->head_size : NULL;
}

struct result device_key_parse(enum device_algorithm algorithm, const uint8_t *bytes, size_t size,
                               struct device_key *ret_key)
{
    const struct spki *spki = algorithm == DEVICE_ES256 ? &spki_p256 : &spki_ed25519;
    const uint8_t *own = key_bytes(spki, bytes, size);
    if (!own || (algorithm == DEVICE_ES256 && !p256_point_valid(own))) return result_of(BAD_DEVICE_KEY);
    *ret_key = (struct device_key){.algorithm = (uint8_t)algorithm, .size = (uint8_t)spki->key_size};
    memcpy(ret_key->bytes, own, spki->key_size);
    return result_ok();
}

struct result device_seal_key_parse(enum device_algorithm algorithm, const uint8_t *bytes, size_t size,
                                    uint8_t ret_key[HPKE_PUBLIC_MAX])
{
    const struct spki *spki = algorithm == DEVICE_ES256 ? &spki_p256 : &spki_x25519;
    const uint8_t *own = key_bytes(spki, bytes, size);
    if (!own) return result_of(BAD_DEVICE_KEY);
    TRY(hpke_public_check(device_kem(algorithm), own, spki->key_size));
    memcpy(ret_key, own, spki->key_size);
    return result_ok();
}

/* ---- statements ---- */

static void statement_put(struct device_statement *statement, const void *bytes, size_t size)
{
    if (statement->failed || size > sizeof(statement->bytes) - statement->size) {
        statement->failed = true;
        return;
    }
    if (size > 0) memcpy(statement->bytes + statement->size, bytes, size);
    statement->size += size;
}

void device_statement_begin(struct device_statement *statement, const char *domain)
{
    statement->size = 0;
    statement->failed = false;
    statement_put(statement, domain, strlen(domain) + 1);
}

void device_statement_add(struct device_statement *statement, const void *bytes, size_t size)
{
    uint8_t head[4];
    if (size > DEVICE_STATEMENT_MAX) {
        statement->failed = true;
        return;
    }
    store_be32(head, (uint32_t)size);
    statement_put(statement, head, sizeof(head));
    statement_put(statement, bytes, size);
}

/* ---- signatures ---- */

static bool ed25519_verify(EVP_MD_CTX *context, const struct device_signed *item)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, item->key->bytes, ED25519_SIZE);
    bool good = key && context && EVP_MD_CTX_reset(context) == 1 &&
                EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(context, item->signature, DEVICE_SIGNATURE_SIZE, item->bytes, item->size) == 1;
    EVP_PKEY_free(key);
    return good;
}

void device_verify_many(struct device_signed *items, size_t count)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    for (size_t i = 0; i < count; i++) {
        struct device_signed *item = &items[i];
        uint8_t hash[32];
        if (item->key->algorithm == DEVICE_ED25519) {
            item->good = ed25519_verify(context, item);
            continue;
        }
        vault_sha256(item->bytes, item->size, hash);
        item->good = item->key->algorithm == DEVICE_ES256 && p256_verify(item->key->bytes, hash, item->signature);
    }
    EVP_MD_CTX_free(context);
}

bool device_verify(const struct device_key *key, const struct device_statement *statement,
                   const uint8_t signature[DEVICE_SIGNATURE_SIZE])
{
    struct device_signed item = {
        .key = key, .bytes = statement->bytes, .size = statement->size, .signature = signature};
    if (statement->failed) return false;
    device_verify_many(&item, 1);
    return item.good;
}

static bool ed25519_public(const uint8_t private_key[ED25519_SIZE], uint8_t ret_public[ED25519_SIZE])
{
    size_t size = ED25519_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, ED25519_SIZE);
    bool good = key && EVP_PKEY_get_raw_public_key(key, ret_public, &size) == 1 && size == ED25519_SIZE;
    EVP_PKEY_free(key);
    return good;
}

struct result device_public_of(enum device_algorithm algorithm, const uint8_t private_key[DEVICE_PRIVATE_SIZE],
                               struct device_key *ret_key)
{
    struct device_key key = {.algorithm = (uint8_t)algorithm,
                             .size = algorithm == DEVICE_ES256 ? P256_POINT_SIZE : ED25519_SIZE};
    bool good =
        algorithm == DEVICE_ES256 ? p256_public(private_key, key.bytes) : ed25519_public(private_key, key.bytes);
    if (!good) return result_of(BAD_DEVICE_KEY);
    *ret_key = key;
    return result_ok();
}

struct result device_pair_make(enum device_algorithm algorithm, uint8_t ret_private[DEVICE_PRIVATE_SIZE],
                               struct device_key *ret_key)
{
    struct result result = result_of(BAD_DEVICE_KEY);
    /* One scalar in 2^32 is out of P-256's range. */
    while (result.code == BAD_DEVICE_KEY) {
        if (RAND_priv_bytes(ret_private, DEVICE_PRIVATE_SIZE) != 1) return result_of(VAULT_FAILED);
        result = device_public_of(algorithm, ret_private, ret_key);
    }
    return result;
}

static bool ed25519_sign(const uint8_t private_key[ED25519_SIZE], const struct device_statement *statement,
                         uint8_t ret_signature[DEVICE_SIGNATURE_SIZE])
{
    size_t size = DEVICE_SIGNATURE_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, ED25519_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = key && context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, ret_signature, &size, statement->bytes, statement->size) == 1 &&
                size == DEVICE_SIGNATURE_SIZE;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return good;
}

struct result device_sign(enum device_algorithm algorithm, const uint8_t private_key[DEVICE_PRIVATE_SIZE],
                          const struct device_statement *statement, uint8_t ret_signature[DEVICE_SIGNATURE_SIZE])
{
    uint8_t hash[32];
    if (statement->failed) return result_of(BAD_ARGUMENT);
    if (algorithm == DEVICE_ED25519) {
        return ed25519_sign(private_key, statement, ret_signature) ? result_ok() : result_of(VAULT_FAILED);
    }
    vault_sha256(statement->bytes, statement->size, hash);
    return p256_sign(private_key, hash, ret_signature) ? result_ok() : result_of(VAULT_FAILED);
}

void device_seed_proof(const uint8_t *seed, size_t seed_size, const struct device_statement *statement,
                       uint8_t ret_proof[DEVICE_PROOF_SIZE])
{
    struct hmac_key key;
    CHECK(!statement->failed);
    hmac_key_set(&key, seed, seed_size);
    hmac_pieces(&key, statement->bytes, statement->size, NULL, 0, ret_proof);
    secret_wipe(&key, sizeof(key));
}
