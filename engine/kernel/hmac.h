/* The two one-block messages of an HMAC over an 8-byte counter, and RFC 4226's truncation. Inline only. */
#ifndef OTPRING_KERNEL_HMAC_H
#define OTPRING_KERNEL_HMAC_H

#include "base/bytes.h"

/* Message lengths in bits: a key block, then the counter (inner) or the inner digest (outer). */
enum {
    SHA1_INNER_BITS = (64 + 8) * 8,
    SHA1_OUTER_BITS = (64 + 20) * 8,
    SHA256_INNER_BITS = (64 + 8) * 8,
    SHA256_OUTER_BITS = (64 + 32) * 8,
    SHA512_INNER_BITS = (128 + 8) * 8,
    SHA512_OUTER_BITS = (128 + 64) * 8,
};

/* RFC 4226 5.3 over a digest given in bytes: the last byte's low four bits say where the 31 bits begin. */
static inline uint32_t truncate_digest(const uint8_t *digest, unsigned size)
{
    return load_be32(digest + (digest[size - 1] & 15)) & 0x7fffffff;
}

#endif
