/* AES-256-GCM of one message under one key: nonce (12), ciphertext, tag (16). Room-internal.
 * Source: NIST SP 800-38D. Nonces are random, 96 bits: one key may seal 2^32 messages (section 8.3), far more than a
 * store holds seeds. Any thread. */
#ifndef OTPRING_VAULT_SEAL_H
#define OTPRING_VAULT_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "vault/vault.h"

enum { SEAL_KEY_SIZE = 32, SEAL_NONCE_SIZE = 12, SEAL_TAG_SIZE = 16, SEAL_EXTRA = SEAL_NONCE_SIZE + SEAL_TAG_SIZE };

/* ret has size + SEAL_EXTRA bytes. VAULT_FAILED, BAD_ARGUMENT above 1 GiB. */
struct result seal_close(const uint8_t key[SEAL_KEY_SIZE], const void *associated, size_t associated_size,
                         const void *bytes, size_t size, uint8_t *ret_sealed) MUST_USE;
/* ret has sealed_size - SEAL_EXTRA bytes, which are zeros when it does not open. VAULT_BAD_SEAL, VAULT_FAILED. */
struct result seal_open(const uint8_t key[SEAL_KEY_SIZE], const void *associated, size_t associated_size,
                        const uint8_t *sealed, size_t sealed_size, uint8_t *ret_bytes) MUST_USE;
/* Many with one context, which is freed and wiped before it returns. */
struct result seal_open_many(const uint8_t key[SEAL_KEY_SIZE], const struct vault_sealed *items, size_t count) MUST_USE;

#endif
