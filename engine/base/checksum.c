#include "base/checksum.h"

#define XXH_STATIC_LINKING_ONLY
#ifdef __x86_64__
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include "base/bytes.h"
#include "base/check.h"

enum { NARROW_MAX = 240 }; /* up to this size (0.8.1: XXH3_MIDSIZE_MAX) the library takes none of its wide code */

void checksum_secret(const uint8_t bytes[32], uint8_t ret_secret[CHECKSUM_SECRET_SIZE])
{
    CHECK(XXH3_generateSecret(ret_secret, CHECKSUM_SECRET_SIZE, bytes, 32) == XXH_OK);
}

#ifdef __x86_64__
__attribute__((target("avx"))) static void vectors_clean(void)
{
    __builtin_ia32_vzeroupper();
}
#endif

/* The library's wide code (0.8.1) ends without clearing the upper halves of the vector registers. Until somebody does,
 * each of the narrow vector instructions that all other code is made of may wait hundreds of cycles: single queries
 * came in at 0.62 million a second instead of 1.0. */
static void vectors_end(size_t size)
{
#ifdef __x86_64__
    if (size > NARROW_MAX && __builtin_cpu_supports("avx")) vectors_clean();
#endif
}

uint64_t checksum64(const void *bytes, size_t size)
{
    uint64_t checksum = XXH3_64bits(bytes, size);
    vectors_end(size);
    return checksum;
}

void checksum128_keyed(const void *bytes, size_t size, const uint8_t secret[CHECKSUM_SECRET_SIZE],
                       uint8_t ret_checksum[16])
{
    XXH128_hash_t hash = XXH3_128bits_withSecret(bytes, size, secret, CHECKSUM_SECRET_SIZE);
    vectors_end(size);
    store_le64(ret_checksum, hash.low64);
    store_le64(ret_checksum + 8, hash.high64);
}
