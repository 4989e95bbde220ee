/* XXH3 over long bytes with the widest vectors of this CPU; the values are XXH3's own everywhere. Not cryptographic.
 * Source: the xxHash library, whose dispatcher chooses once. Any thread. */
#ifndef OTPRING_BASE_CHECKSUM_H
#define OTPRING_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* A secret as XXH3 wants it, spread from 32 bytes. */
enum { CHECKSUM_SECRET_SIZE = 192 };
void checksum_secret(const uint8_t bytes[32], uint8_t ret_secret[CHECKSUM_SECRET_SIZE]);

/* XXH3_64bits. */
uint64_t checksum64(const void *bytes, size_t size);

/* XXH3_128bits_withSecret, little-endian: low half, then high half. */
void checksum128_keyed(const void *bytes, size_t size, const uint8_t secret[CHECKSUM_SECRET_SIZE],
                       uint8_t ret_checksum[16]);

#endif
