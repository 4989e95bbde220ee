/* The values are those of XXH3 as the library's plain code computes it, whatever vectors this CPU has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum { SIZE_MAX_TRIED = 40000 };

static uint8_t *bytes_make(void)
{
    uint8_t *bytes = malloc(SIZE_MAX_TRIED);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < SIZE_MAX_TRIED; i++) bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return bytes;
}

static void a_checksum_is_xxh3_for_every_size(void **state)
{
    (void)state;
    uint8_t *bytes = bytes_make();
    for (size_t size = 0; size <= SIZE_MAX_TRIED; size += size < 2100 ? 1 : 1733)
        assert_true(checksum64(bytes, size) == XXH3_64bits(bytes, size));
    free(bytes);
}

static void a_keyed_checksum_is_xxh3_under_the_spread_secret(void **state)
{
    (void)state;
    uint8_t *bytes = bytes_make();
    uint8_t key[32], secret[CHECKSUM_SECRET_SIZE], expected_secret[CHECKSUM_SECRET_SIZE], checksum[16];
    memset(key, 0x5c, sizeof key);
    checksum_secret(key, secret);
    assert_int_equal(XXH3_generateSecret(expected_secret, sizeof expected_secret, key, sizeof key), XXH_OK);
    assert_memory_equal(secret, expected_secret, sizeof secret);
    for (size_t size = 0; size <= SIZE_MAX_TRIED; size += size < 2100 ? 1 : 1733) {
        XXH128_hash_t expected = XXH3_128bits_withSecret(bytes, size, secret, sizeof secret);
        checksum128_keyed(bytes, size, secret, checksum);
        assert_true(load_le64(checksum) == expected.low64 && load_le64(checksum + 8) == expected.high64);
    }
    secret[0] ^= 1;
    checksum128_keyed(bytes, 64, secret, key);
    secret[0] ^= 1;
    checksum128_keyed(bytes, 64, secret, checksum);
    assert_memory_not_equal(key, checksum, 16);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checksum_is_xxh3_for_every_size),
        cmocka_unit_test(a_keyed_checksum_is_xxh3_under_the_spread_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
