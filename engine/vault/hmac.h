/* SHA-256, HMAC-SHA256 and HKDF with all state in the caller's memory. Room-internal.
 * Source: FIPS 180-4, RFC 2104, RFC 5869.
 *
 * OpenSSL's SHA256_* calls are used instead of EVP because an EVP context keeps its key on OpenSSL's heap, which is
 * neither locked nor kept out of swap, and takes several allocations a use; here the keyed state lies in the vault's
 * arena and a MAC costs two copies of it. The instructions that hash are the same. No state of its own; any thread. */
#ifndef OTPRING_VAULT_HMAC_H
#define OTPRING_VAULT_HMAC_H

/* The calls are marked deprecated since OpenSSL 3.0, but remain throughout 3.x. */
#ifndef OPENSSL_SUPPRESS_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED
#endif
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>

/* A key ready for use: the states after the key block xor ipad and xor opad. As secret as the key. */
struct hmac_key {
    SHA256_CTX inner;
    SHA256_CTX outer;
};

void hmac_key_set(struct hmac_key *key, const void *bytes, size_t size);

/* HMAC over two pieces, one after the other; the second may have size 0. */
void hmac_pieces(const struct hmac_key *key, const void *first, size_t first_size, const void *second,
                 size_t second_size, uint8_t ret_mac[32]);

/* RFC 5869 with SHA-256; size is 255 * 32 bytes at most. */
void hkdf(const void *salt, size_t salt_size, const void *secret, size_t secret_size, const void *info,
          size_t info_size, uint8_t *ret_bytes, size_t size);

#endif
