/* The curve P-256 (FIPS 186-4 D.1.2.3) in plain bytes: points uncompressed (SEC 1, 2.3.3: 04, x, y), scalars, hashes
 * and the halves of signatures 32 bytes big-endian. Room-internal.
 *
 * OpenSSL's EC_KEY calls are used instead of EVP: a key from bytes costs EVP a lookup of its provider by name and a
 * dozen allocations, more than a third of a verification; the arithmetic is the same. Bytes of others are checked. Any
 * thread. */
#ifndef OTPRING_VAULT_P256_H
#define OTPRING_VAULT_P256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { P256_POINT_SIZE = 65, P256_SCALAR_SIZE = 32, P256_SIGNATURE_SIZE = 64 };

/* On the curve, uncompressed, not the point at infinity. */
bool p256_point_valid(const uint8_t point[P256_POINT_SIZE]);
/* The public point of a private scalar; false where it is not from 1 to n - 1. */
bool p256_public(const uint8_t scalar[P256_SCALAR_SIZE], uint8_t ret_point[P256_POINT_SIZE]);
/* ECDH: the x coordinate (SEC 1, 3.3.1). */
bool p256_dh(const uint8_t scalar[P256_SCALAR_SIZE], const uint8_t point[P256_POINT_SIZE],
             uint8_t ret_shared[P256_SCALAR_SIZE]);
/* ECDSA over a hash of 32 bytes; a signature is r, s (RFC 7518, 3.4). */
bool p256_sign(const uint8_t scalar[P256_SCALAR_SIZE], const uint8_t hash[32],
               uint8_t ret_signature[P256_SIGNATURE_SIZE]);
bool p256_verify(const uint8_t point[P256_POINT_SIZE], const uint8_t hash[32],
                 const uint8_t signature[P256_SIGNATURE_SIZE]);

#endif
