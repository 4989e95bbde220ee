/* Keys: everything that is secret at rest goes through here (OpenSSL).
 *
 * Key file (beside the store, mode 0400): the key-encryption key (KEK). The store's sealed key row holds, sealed under
 * the KEK with AES-256-GCM: the data key (seals seeds), the table secret, the retry key, the fingerprint key, the audit
 * MAC key with its segment number, and the Ed25519 checkpoint key. All live in one locked arena, wiped by vault_close.
 * After vault_open the vault is read-only but for vault_mac_advance (one thread). Sealing and opening: any thread.
 * Source: NIST SP 800-38D (GCM), RFC 8032 (Ed25519), RFC 5869 (HKDF). */
#ifndef OTPRING_VAULT_VAULT_H
#define OTPRING_VAULT_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

struct vault;

enum {
    VAULT_KEY_SIZE = 32,
    VAULT_SEAL_EXTRA = 12 + 16, /* nonce before, tag after the sealed bytes */
    VAULT_STORE_ID_SIZE = 16,
    VAULT_PUBLIC_KEY_SIZE = 32,
    VAULT_SIGNATURE_SIZE = 64,
    VAULT_MAC_SIZE = 32,
    VAULT_KEYS_ROW_SIZE_MAX = 512,
};

/* Makes a new key file (OS_EXISTS when there is one; mode 0400, synced, folder synced). Blocks: tools and start only.
 */
struct result vault_key_file_create(const char *path) MUST_USE;

/* A new store's keys under the KEK of that file: store id and key row to be kept in the store. */
struct result vault_create(const char *key_path, uint8_t ret_store_id[VAULT_STORE_ID_SIZE], uint8_t *ret_row,
                           size_t *ret_row_size) MUST_USE;

/* Opens the key row. VAULT_WRONG_KEY, VAULT_KEY_MODE, VAULT_BAD_KEY_FILE, VAULT_BAD_SEAL, OS_NOT_FOUND, OS_PERMISSION.
 */
struct result vault_open(const char *key_path, const uint8_t store_id[VAULT_STORE_ID_SIZE], const uint8_t *row,
                         size_t row_size, struct vault **ret_vault) MUST_USE;
void vault_close(struct vault *vault);

const uint8_t *vault_store_id(const struct vault *vault);

/* AES-256-GCM under the data key, a fresh random nonce each time. ret has size + VAULT_SEAL_EXTRA bytes. */
struct result vault_seal(const struct vault *vault, const void *associated, size_t associated_size, const void *bytes,
                         size_t size, uint8_t *ret_sealed) MUST_USE;
/* VAULT_BAD_SEAL when it does not open. ret has sealed_size - VAULT_SEAL_EXTRA bytes. */
struct result vault_unseal(const struct vault *vault, const void *associated, size_t associated_size,
                           const uint8_t *sealed, size_t sealed_size, void *ret_bytes) MUST_USE;

/* Many at a time: the key is set up once. Stops at the first that does not open; what was opened before stays. */
struct vault_sealed {
    const void *associated;
    size_t associated_size;
    const uint8_t *sealed;
    size_t sealed_size;
    void *ret_bytes;
};
struct result vault_unseal_many(const struct vault *vault, const struct vault_sealed *items, size_t count) MUST_USE;

/* The key of one person's data (person.c): sealed under the data key for this name; what is sealed under it opens with
 * it alone, and for this name. Errors as above. */
enum { VAULT_PERSON_NAME_SIZE = 16, VAULT_PERSON_KEY_SIZE = VAULT_KEY_SIZE + VAULT_SEAL_EXTRA };
struct result vault_person_create(const struct vault *vault, const uint8_t name[VAULT_PERSON_NAME_SIZE],
                                  uint8_t ret_key[VAULT_PERSON_KEY_SIZE]) MUST_USE;
struct result vault_person_seal(const struct vault *vault, const uint8_t name[VAULT_PERSON_NAME_SIZE],
                                const uint8_t key[VAULT_PERSON_KEY_SIZE], const void *bytes, size_t size,
                                uint8_t *ret_sealed) MUST_USE;
struct result vault_person_unseal(const struct vault *vault, const uint8_t name[VAULT_PERSON_NAME_SIZE],
                                  const uint8_t key[VAULT_PERSON_KEY_SIZE], const uint8_t *sealed, size_t sealed_size,
                                  void *ret_bytes) MUST_USE;

/* Keys derived once for other rooms (pointers into the arena). */
const uint8_t *vault_table_secret(const struct vault *vault); /* 32 bytes: keys the index */

/* Keyed fingerprint of a seed: finds the same seed on another token. HMAC-SHA256, first 16 bytes. */
enum { VAULT_FINGERPRINT_SIZE = 16 };
void vault_fingerprint(const struct vault *vault, const uint8_t *seed, size_t seed_size,
                       uint8_t ret_fingerprint[VAULT_FINGERPRINT_SIZE]);

/* The key of the MACs that tell frames apart (block_mac.h): a step of HKDF from the retry key, under a label of its
 * own. The caller wipes it. */
void vault_frame_key(const struct vault *vault, uint8_t ret_key[VAULT_KEY_SIZE]);

/* Plain SHA-256; and Merkle hashing of RFC 6962 section 2.1: leaf = SHA-256(0 || bytes), node = SHA-256(1 || left ||
 * right). */
void vault_sha256(const void *bytes, size_t size, uint8_t ret_hash[32]);
void vault_merkle_leaf(const void *bytes, size_t size, uint8_t ret_hash[32]);
void vault_merkle_node(const uint8_t left[32], const uint8_t right[32], uint8_t ret_hash[32]);

/* Constant-time comparison. */
bool vault_equal(const void *a, const void *b, size_t size);

/* Audit MAC: HMAC-SHA256 under the key of one segment. The key of the next segment is a one-way step (HKDF) from this
 * one; after vault_mac_advance the old key is gone from memory, and vault_keys_row gives the row that forgets it at
 * rest too. The first key and its segment are in the row; a verifier who holds the key file of an earlier moment can
 * walk forward, never back. */
uint64_t vault_mac_segment(const struct vault *vault);
void vault_mac(const struct vault *vault, const void *bytes, size_t size, uint8_t ret_mac[VAULT_MAC_SIZE]);
void vault_mac_advance(struct vault *vault);
struct result vault_keys_row(const struct vault *vault, uint8_t *ret_row, size_t *ret_row_size) MUST_USE;

/* Ed25519 over a checkpoint, and checking it with the public key alone. */
struct result vault_sign(const struct vault *vault, const void *bytes, size_t size,
                         uint8_t ret_signature[VAULT_SIGNATURE_SIZE]) MUST_USE;
/* Many at a time: what is set up from the key is set up once, and gone when the call returns. Any thread. */
struct vault_signing {
    const void *bytes;
    size_t size;
    uint8_t *ret_signature; /* VAULT_SIGNATURE_SIZE bytes; written where all went well */
};
struct result vault_sign_many(const struct vault *vault, const struct vault_signing *items, size_t count) MUST_USE;
void vault_public_key(const struct vault *vault, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE]);
bool vault_verify(const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE], const void *bytes, size_t size,
                  const uint8_t signature[VAULT_SIGNATURE_SIZE]);

#endif
