/* HMAC of whole messages against OpenSSL: every size round the ends of blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "kernel/kernel.h"

static void messages_of_every_size_have_the_hmac_that_openssl_gives(void **state)
{
    (void)state;
    const EVP_MD *const hashes[] = {EVP_sha1(), EVP_sha256(), EVP_sha512()};
    uint8_t message[1300], seed[200], digest[KERNEL_DIGEST_SIZE_MAX], expected[EVP_MAX_MD_SIZE];
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    static const size_t seed_sizes[] = {0, 20, 64, 65, 128, 129, 200};
    for (size_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof seed; i++) seed[i] = (uint8_t)(i * 11 + 3);
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++)
        for (size_t s = 0; s < sizeof seed_sizes / sizeof seed_sizes[0]; s++) {
            kernel_midstates((enum kernel_algorithm)a, seed, seed_sizes[s], midstates);
            for (size_t size = 0; size <= sizeof message; size += size < 400 ? 1 : 37) {
                unsigned digest_size;
                kernel_hmac((enum kernel_algorithm)a, midstates, message, size, digest);
                assert_non_null(HMAC(hashes[a], seed, (int)seed_sizes[s], message, size, expected, &digest_size));
                assert_memory_equal(digest, expected, digest_size);
            }
        }
}

static void the_midstates_are_left_as_they_were(void **state)
{
    (void)state;
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES], before[KERNEL_SHA512_MIDSTATES];
    uint8_t digest[KERNEL_DIGEST_SIZE_MAX];
    kernel_midstates(KERNEL_SHA512, (const uint8_t *)"12345678901234567890", 20, midstates);
    memcpy(before, midstates, sizeof before);
    kernel_hmac(KERNEL_SHA512, midstates, midstates, sizeof midstates, digest);
    assert_memory_equal(midstates, before, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_every_size_have_the_hmac_that_openssl_gives),
        cmocka_unit_test(the_midstates_are_left_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
