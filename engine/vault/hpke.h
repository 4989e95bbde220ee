/* HPKE, base mode, one message (RFC 9180): whoever has a public key seals, the holder of the private key opens.
 *
 * DHKEM(P-256, HKDF-SHA256) or DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-GCM. otpring seals seeds to devices with
 * AES-256-GCM alone; AES-128-GCM is there because most vectors of the RFC are made with it. OpenSSL 3.0 has no HPKE.
 * Public keys as the RFC serializes them: P-256 uncompressed (65 bytes), X25519 raw (32). Any thread. */
#ifndef OTPRING_VAULT_HPKE_H
#define OTPRING_VAULT_HPKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/result.h"

enum hpke_kem { HPKE_P256 = 0x0010, HPKE_X25519 = 0x0020 };
enum hpke_aead { HPKE_AES_128_GCM = 0x0001, HPKE_AES_256_GCM = 0x0002 };

struct hpke_suite {
    uint16_t kem;  /* enum hpke_kem */
    uint16_t aead; /* enum hpke_aead */
};

enum { HPKE_PUBLIC_MAX = 65, HPKE_PRIVATE_SIZE = 32, HPKE_TAG_SIZE = 16, HPKE_SIZE_MAX = 1 << 20 };

/* Bytes of a public key, and of what is sent along with a message (Npk, Nenc). */
size_t hpke_public_size(enum hpke_kem kem);
/* A public key that may be sealed to: of the right size, and on the curve. BAD_DEVICE_KEY. */
struct result hpke_public_check(enum hpke_kem kem, const uint8_t *public_key, size_t size) MUST_USE;

/* A fresh pair (GenerateKeyPair), and the pair of a secret of at least 32 bytes (DeriveKeyPair, section 7.1.3). */
struct result hpke_pair_make(enum hpke_kem kem, uint8_t ret_private[HPKE_PRIVATE_SIZE],
                             uint8_t ret_public[HPKE_PUBLIC_MAX]) MUST_USE;
struct result hpke_pair_derive(enum hpke_kem kem, const uint8_t *secret, size_t secret_size,
                               uint8_t ret_private[HPKE_PRIVATE_SIZE], uint8_t ret_public[HPKE_PUBLIC_MAX]) MUST_USE;
struct result hpke_public_of(enum hpke_kem kem, const uint8_t private_key[HPKE_PRIVATE_SIZE],
                             uint8_t ret_public[HPKE_PUBLIC_MAX]) MUST_USE;

/* What both sides know beside the keys: info goes into the keys, associated into the message's tag. */
struct hpke_message {
    const void *info;
    size_t info_size;
    const void *associated;
    size_t associated_size;
};

/* ret_encapsulated has hpke_public_size, ret_sealed size + HPKE_TAG_SIZE bytes. BAD_DEVICE_KEY: no point of the curve,
 * or one that leads to a shared secret of zeros. */
struct result hpke_seal(struct hpke_suite suite, const uint8_t *public_key, const struct hpke_message *message,
                        const void *bytes, size_t size, uint8_t *ret_encapsulated, uint8_t *ret_sealed) MUST_USE;
/* The same with an ephemeral key that is given. Never seal two messages with one: for the RFC's vectors. */
struct result hpke_seal_with(struct hpke_suite suite, const uint8_t ephemeral[HPKE_PRIVATE_SIZE],
                             const uint8_t *public_key, const struct hpke_message *message, const void *bytes,
                             size_t size, uint8_t *ret_encapsulated, uint8_t *ret_sealed) MUST_USE;
/* ret_bytes has sealed_size - HPKE_TAG_SIZE bytes. VAULT_NOT_OPENED: not sealed for this key, info and associated data,
 * or changed on the way. */
struct result hpke_open(struct hpke_suite suite, const uint8_t private_key[HPKE_PRIVATE_SIZE],
                        const uint8_t *encapsulated, const struct hpke_message *message, const uint8_t *sealed,
                        size_t sealed_size, uint8_t *ret_bytes) MUST_USE;

#endif
