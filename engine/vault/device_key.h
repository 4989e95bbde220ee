/* The keys of devices: what a device signs with, what it signs, and how that is checked.
 *
 * ES256 (ECDSA on P-256 with SHA-256, as phone enclaves do it) or Ed25519 (RFC 8032). A signature is 64 bytes: r and s
 * of ES256 (RFC 7518, 3.4; not DER), or what RFC 8032 makes. A device has a second key, to which its seed is sealed
 * (hpke.h): P-256 beside ES256, X25519 beside Ed25519. include/otpring/DEVICE.md is the page to read. Any thread. */
#ifndef OTPRING_VAULT_DEVICE_KEY_H
#define OTPRING_VAULT_DEVICE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "vault/hpke.h"

enum device_algorithm { DEVICE_ES256 = 1, DEVICE_ED25519 = 2 };

enum {
    DEVICE_PUBLIC_MAX = 65,
    DEVICE_PRIVATE_SIZE = 32,
    DEVICE_SIGNATURE_SIZE = 64,
    DEVICE_STATEMENT_MAX = 4096,
};

/* "ES256", "Ed25519" (RFC 7518, RFC 8037 and 9864); NULL, false: none. */
const char *device_algorithm_name(enum device_algorithm algorithm);
bool device_algorithm_parse(const char *text, enum device_algorithm *ret_algorithm);
enum hpke_kem device_kem(enum device_algorithm algorithm);

struct device_key {
    uint8_t algorithm; /* enum device_algorithm */
    uint8_t size;
    uint8_t bytes[DEVICE_PUBLIC_MAX]; /* P-256: the uncompressed point; Ed25519: as RFC 8032 encodes it */
};

/* A public key, bare or as SubjectPublicKeyInfo (RFC 5480, RFC 8410) in the one DER form that it has with a named curve
 * and an uncompressed point. BAD_DEVICE_KEY. */
struct result device_key_parse(enum device_algorithm algorithm, const uint8_t *bytes, size_t size,
                               struct device_key *ret_key) MUST_USE;
/* The same for the key that is sealed to; ret has hpke_public_size bytes. */
struct result device_seal_key_parse(enum device_algorithm algorithm, const uint8_t *bytes, size_t size,
                                    uint8_t ret_key[HPKE_PUBLIC_MAX]) MUST_USE;

/* ---- what is signed: a domain's name and a zero byte, then fields, each after its size (4 bytes, big-endian) ---- */

struct device_statement {
    uint8_t bytes[DEVICE_STATEMENT_MAX];
    size_t size;
    bool failed; /* more than it holds: it is signed and verified by nobody */
};

void device_statement_begin(struct device_statement *statement, const char *domain);
void device_statement_add(struct device_statement *statement, const void *bytes, size_t size);

/* ---- checking ---- */

struct device_signed {
    const struct device_key *key;
    const void *bytes;
    size_t size;
    const uint8_t *signature; /* DEVICE_SIGNATURE_SIZE bytes */
    bool good;                /* set */
};
/* Many in one call: what can be kept between them is. */
void device_verify_many(struct device_signed *items, size_t count);
bool device_verify(const struct device_key *key, const struct device_statement *statement,
                   const uint8_t signature[DEVICE_SIGNATURE_SIZE]);

/* That whoever says so holds the seed, without giving a code away: HMAC-SHA256 keyed with it. */
enum { DEVICE_PROOF_SIZE = 32 };
void device_seed_proof(const uint8_t *seed, size_t seed_size, const struct device_statement *statement,
                       uint8_t ret_proof[DEVICE_PROOF_SIZE]);

/* ---- the device's own side: otpring-token, and tests ---- */

/* VAULT_FAILED. */
struct result device_pair_make(enum device_algorithm algorithm, uint8_t ret_private[DEVICE_PRIVATE_SIZE],
                               struct device_key *ret_key) MUST_USE;
/* BAD_DEVICE_KEY: a P-256 scalar that is out of range. */
struct result device_public_of(enum device_algorithm algorithm, const uint8_t private_key[DEVICE_PRIVATE_SIZE],
                               struct device_key *ret_key) MUST_USE;
struct result device_sign(enum device_algorithm algorithm, const uint8_t private_key[DEVICE_PRIVATE_SIZE],
                          const struct device_statement *statement,
                          uint8_t ret_signature[DEVICE_SIGNATURE_SIZE]) MUST_USE;

#endif
