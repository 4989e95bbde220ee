#include "vault/vault.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/arena.h"
#include "vault/hmac.h"
#include "vault/key_file.h"
#include "vault/seal.h"

_Static_assert((int)VAULT_SEAL_EXTRA == (int)SEAL_EXTRA, "nonce and tag");

/* The store's keys as they are sealed. All but the segment are independent random bytes. */
struct keys {
    uint8_t data[VAULT_KEY_SIZE];
    uint8_t table[VAULT_KEY_SIZE];
    uint8_t retry[VAULT_KEY_SIZE];
    uint8_t fingerprint[VAULT_KEY_SIZE];
    uint8_t mac[VAULT_KEY_SIZE];
    uint8_t signing[VAULT_KEY_SIZE]; /* Ed25519 private key (RFC 8032 5.1.5) */
    uint8_t mac_segment[8];          /* little-endian: the segment that `mac` is for */
};
_Static_assert(sizeof(struct keys) == 200, "sealed as it is");

/* The key row:
 *
 *   offset  size
 *        0     4  version, little-endian: 1
 *        4    16  key id: HKDF of the key-encryption key; tells a wrong key file from a damaged row
 *       20    12  nonce
 *       32   200  struct keys, encrypted
 *      232    16  tag; associated data: "otpring keys", the 20 bytes before, store id
 */
enum { ROW_VERSION = 1, ROW_HEAD_SIZE = 20, KEY_ID_SIZE = 16, ROW_SIZE = ROW_HEAD_SIZE + SEAL_EXTRA + 200 };
_Static_assert((int)ROW_SIZE <= (int)VAULT_KEYS_ROW_SIZE_MAX, "callers keep this much");

static const char row_label[] = "otpring keys";
enum {
    ROW_LABEL_SIZE = sizeof(row_label) - 1,
    ROW_ASSOCIATED_SIZE = ROW_LABEL_SIZE + ROW_HEAD_SIZE + VAULT_STORE_ID_SIZE
};

/* The whole of it is the arena. */
struct vault {
    uint8_t kek[KEY_FILE_KEK_SIZE];
    struct keys keys;
    struct hmac_key fingerprint;
    struct hmac_key mac;
    uint64_t mac_segment;
    uint8_t store_id[VAULT_STORE_ID_SIZE];
    uint8_t public_key[VAULT_PUBLIC_KEY_SIZE];
};

static struct result vault_take(struct vault **ret_vault)
{
    void *memory;
    TRY(arena_take(sizeof(struct vault), false, &memory));
    *ret_vault = memory;
    return result_ok();
}

void vault_close(struct vault *vault)
{
    arena_release(vault, sizeof(*vault));
}

static void row_head(const uint8_t *kek, uint8_t *ret_head)
{
    static const char info[] = "otpring key id";
    store_le32(ret_head, ROW_VERSION);
    hkdf(NULL, 0, kek, KEY_FILE_KEK_SIZE, info, sizeof(info) - 1, ret_head + 4, KEY_ID_SIZE);
}

static void row_associated(const uint8_t *head, const uint8_t *store_id, uint8_t ret_associated[ROW_ASSOCIATED_SIZE])
{
    memcpy(ret_associated, row_label, ROW_LABEL_SIZE);
    memcpy(ret_associated + ROW_LABEL_SIZE, head, ROW_HEAD_SIZE);
    memcpy(ret_associated + ROW_LABEL_SIZE + ROW_HEAD_SIZE, store_id, VAULT_STORE_ID_SIZE);
}

struct result vault_keys_row(const struct vault *vault, uint8_t *ret_row, size_t *ret_row_size)
{
    uint8_t row[ROW_SIZE], associated[ROW_ASSOCIATED_SIZE];
    row_head(vault->kek, row);
    row_associated(row, vault->store_id, associated);
    TRY(seal_close(vault->kek, associated, sizeof(associated), &vault->keys, sizeof(vault->keys), row + ROW_HEAD_SIZE));
    memcpy(ret_row, row, sizeof(row));
    *ret_row_size = sizeof(row);
    return result_ok();
}

static struct result keys_make(struct vault *vault)
{
    if (RAND_bytes(vault->store_id, sizeof(vault->store_id)) != 1) return result_of(VAULT_FAILED);
    if (RAND_priv_bytes((uint8_t *)&vault->keys, sizeof(vault->keys)) != 1) return result_of(VAULT_FAILED);
    store_le64(vault->keys.mac_segment, 1); /* the journal's segments are counted from 1 */
    return result_ok();
}

struct result vault_create(const char *key_path, uint8_t ret_store_id[VAULT_STORE_ID_SIZE], uint8_t *ret_row,
                           size_t *ret_row_size)
{
    struct vault *vault;
    TRY(vault_take(&vault));
    struct result result = key_file_read(key_path, vault->kek);
    if (!result_failed(result)) result = keys_make(vault);
    if (!result_failed(result)) result = vault_keys_row(vault, ret_row, ret_row_size);
    if (!result_failed(result)) memcpy(ret_store_id, vault->store_id, VAULT_STORE_ID_SIZE);
    vault_close(vault);
    return result;
}

static struct result row_open(struct vault *vault, const uint8_t *row, size_t row_size)
{
    uint8_t head[ROW_HEAD_SIZE], associated[ROW_ASSOCIATED_SIZE];
    if (row_size != ROW_SIZE || load_le32(row) != ROW_VERSION) return result_of(VAULT_BAD_SEAL);
    row_head(vault->kek, head);
    if (!vault_equal(head, row, ROW_HEAD_SIZE)) return result_of(VAULT_WRONG_KEY);
    row_associated(head, vault->store_id, associated);
    return seal_open(vault->kek, associated, sizeof(associated), row + ROW_HEAD_SIZE, row_size - ROW_HEAD_SIZE,
                     (uint8_t *)&vault->keys);
}

static struct result keys_prepare(struct vault *vault)
{
    size_t size = VAULT_PUBLIC_KEY_SIZE;
    hmac_key_set(&vault->fingerprint, vault->keys.fingerprint, VAULT_KEY_SIZE);
    hmac_key_set(&vault->mac, vault->keys.mac, VAULT_KEY_SIZE);
    vault->mac_segment = load_le64(vault->keys.mac_segment);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, vault->keys.signing, VAULT_KEY_SIZE);
    bool good = key && EVP_PKEY_get_raw_public_key(key, vault->public_key, &size) == 1 && size == VAULT_PUBLIC_KEY_SIZE;
    EVP_PKEY_free(key);
    return good ? result_ok() : result_of(VAULT_FAILED);
}

struct result vault_open(const char *key_path, const uint8_t store_id[VAULT_STORE_ID_SIZE], const uint8_t *row,
                         size_t row_size, struct vault **ret_vault)
{
    struct vault *vault;
    TRY(vault_take(&vault));
    memcpy(vault->store_id, store_id, VAULT_STORE_ID_SIZE);
    struct result result = key_file_read(key_path, vault->kek);
    if (!result_failed(result)) result = row_open(vault, row, row_size);
    if (!result_failed(result)) result = keys_prepare(vault);
    if (result_failed(result)) {
        vault_close(vault);
        return result;
    }
    *ret_vault = vault;
    return result_ok();
}

const uint8_t *vault_store_id(const struct vault *vault)
{
    return vault->store_id;
}

const uint8_t *vault_table_secret(const struct vault *vault)
{
    return vault->keys.table;
}

struct result vault_seal(const struct vault *vault, const void *associated, size_t associated_size, const void *bytes,
                         size_t size, uint8_t *ret_sealed)
{
    return seal_close(vault->keys.data, associated, associated_size, bytes, size, ret_sealed);
}

struct result vault_unseal(const struct vault *vault, const void *associated, size_t associated_size,
                           const uint8_t *sealed, size_t sealed_size, void *ret_bytes)
{
    return seal_open(vault->keys.data, associated, associated_size, sealed, sealed_size, ret_bytes);
}

struct result vault_unseal_many(const struct vault *vault, const struct vault_sealed *items, size_t count)
{
    return seal_open_many(vault->keys.data, items, count);
}

void vault_fingerprint(const struct vault *vault, const uint8_t *seed, size_t seed_size,
                       uint8_t ret_fingerprint[VAULT_FINGERPRINT_SIZE])
{
    uint8_t mac[VAULT_MAC_SIZE];
    hmac_pieces(&vault->fingerprint, seed, seed_size, NULL, 0, mac);
    memcpy(ret_fingerprint, mac, VAULT_FINGERPRINT_SIZE);
    secret_wipe(mac, sizeof(mac));
}

void vault_frame_key(const struct vault *vault, uint8_t ret_key[VAULT_KEY_SIZE])
{
    static const char info[] = "otpring frame MAC, AES-256";
    hkdf(NULL, 0, vault->keys.retry, VAULT_KEY_SIZE, info, sizeof(info) - 1, ret_key, VAULT_KEY_SIZE);
}

uint64_t vault_mac_segment(const struct vault *vault)
{
    return vault->mac_segment;
}

void vault_mac(const struct vault *vault, const void *bytes, size_t size, uint8_t ret_mac[VAULT_MAC_SIZE])
{
    hmac_pieces(&vault->mac, bytes, size, NULL, 0, ret_mac);
}

void vault_mac_advance(struct vault *vault)
{
    static const char info[] = "otpring next segment";
    uint8_t next[VAULT_KEY_SIZE];
    hkdf(NULL, 0, vault->keys.mac, VAULT_KEY_SIZE, info, sizeof(info) - 1, next, sizeof(next));
    memcpy(vault->keys.mac, next, sizeof(next));
    secret_wipe(next, sizeof(next));
    vault->mac_segment++;
    CHECK(vault->mac_segment != 0);
    store_le64(vault->keys.mac_segment, vault->mac_segment);
    hmac_key_set(&vault->mac, vault->keys.mac, VAULT_KEY_SIZE);
}

static bool sign_one(EVP_MD_CTX *context, EVP_PKEY *key, const struct vault_signing *item)
{
    uint8_t signature[VAULT_SIGNATURE_SIZE];
    size_t signature_size = sizeof(signature);
    bool good = EVP_MD_CTX_reset(context) == 1 && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &signature_size, item->bytes, item->size) == 1 &&
                signature_size == sizeof(signature);
    if (good) memcpy(item->ret_signature, signature, sizeof(signature));
    return good;
}

struct result vault_sign_many(const struct vault *vault, const struct vault_signing *items, size_t count)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, vault->keys.signing, VAULT_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = key && context;
    for (size_t i = 0; i < count && good; i++) good = sign_one(context, key, &items[i]);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return good ? result_ok() : result_of(VAULT_FAILED);
}

struct result vault_sign(const struct vault *vault, const void *bytes, size_t size,
                         uint8_t ret_signature[VAULT_SIGNATURE_SIZE])
{
    struct vault_signing item = {.bytes = bytes, .size = size, .ret_signature = ret_signature};
    return vault_sign_many(vault, &item, 1);
}

void vault_public_key(const struct vault *vault, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE])
{
    memcpy(ret_key, vault->public_key, VAULT_PUBLIC_KEY_SIZE);
}

bool vault_verify(const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], const void *bytes, size_t size,
                  const uint8_t signature[VAULT_SIGNATURE_SIZE])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, VAULT_PUBLIC_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(context, signature, VAULT_SIGNATURE_SIZE, bytes, size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return good;
}
