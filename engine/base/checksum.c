#include "base/checksum.h"

#define XXH_STATIC_LINKING_ONLY
#ifdef __x86_64__
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include "base/bytes.h"
#include "base/check.h"

void checksum_secret(const uint8_t bytes[32], uint8_t ret_secret[CHECKSUM_SECRET_SIZE])
{
    CHECK(XXH3_generateSecret(ret_secret, CHECKSUM_SECRET_SIZE, bytes, 32) == XXH_OK);
}

uint64_t checksum64(const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size);
}

void checksum128_keyed(const void *bytes, size_t size, const uint8_t secret[CHECKSUM_SECRET_SIZE],
                       uint8_t ret_checksum[16])
{
    XXH128_hash_t hash = XXH3_128bits_withSecret(bytes, size, secret, CHECKSUM_SECRET_SIZE);
    store_le64(ret_checksum, hash.low64);
    store_le64(ret_checksum + 8, hash.high64);
}
