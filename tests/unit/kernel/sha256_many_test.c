/* Whole messages side by side on every kernel that this machine has, against OpenSSL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "helpers.h"

enum { COUNT_MAX = 36, SIZE_MAX_HERE = 4096, CANARY = 0xa5 };

struct messages {
    uint8_t prefix;
    size_t size;
    uint8_t *bytes[COUNT_MAX]; /* each on its own, so that a byte read too many is seen by the sanitizers */
    uint8_t expected[COUNT_MAX][32];
    uint8_t hashes[COUNT_MAX + 1][32];
};

static void openssl_sha256(uint8_t prefix, const uint8_t *bytes, size_t size, uint8_t ret_hash[32])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex(context, EVP_sha256(), NULL), 1);
    assert_int_equal(EVP_DigestUpdate(context, &prefix, 1), 1);
    assert_int_equal(EVP_DigestUpdate(context, bytes, size), 1);
    assert_int_equal(EVP_DigestFinal_ex(context, ret_hash, NULL), 1);
    EVP_MD_CTX_free(context);
}

static void messages_make(struct messages *messages, uint64_t *random, size_t size)
{
    messages->size = size;
    messages->prefix = (uint8_t)random_next(random);
    for (size_t i = 0; i < COUNT_MAX; i++) {
        messages->bytes[i] = malloc(size ? size : 1);
        assert_non_null(messages->bytes[i]);
        random_bytes(random, messages->bytes[i], size);
        openssl_sha256(messages->prefix, messages->bytes[i], size, messages->expected[i]);
    }
}

static void messages_free(struct messages *messages)
{
    for (size_t i = 0; i < COUNT_MAX; i++) free(messages->bytes[i]);
}

static void check_hashes(void (*many)(const struct kernel_messages *), struct messages *messages, size_t count)
{
    memset(messages->hashes, CANARY, sizeof messages->hashes);
    const struct kernel_messages some = {.count = count,
                                         .size = messages->size,
                                         .bytes = (const uint8_t *const *)messages->bytes,
                                         .prefix = messages->prefix,
                                         .ret_hashes = messages->hashes};
    many(&some);
    assert_memory_equal(messages->hashes, messages->expected, count * 32);
    for (size_t b = count * 32; b < sizeof messages->hashes; b++)
        assert_int_equal(((const uint8_t *)messages->hashes)[b], CANARY);
}

static void every_count_of_messages_agrees_with_openssl_and_writes_nothing_beyond(void **state)
{
    (void)state;
    static struct messages messages;
    uint64_t random = 21;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    const size_t sizes[] = {64, SIZE_MAX_HERE};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        messages_make(&messages, &random, sizes[s]);
        for (size_t k = 0; k < kernel_count; k++)
            for (size_t count = 0; count <= COUNT_MAX; count++) check_hashes(kernels[k]->sha256_many, &messages, count);
        check_hashes(kernel_sha256_many, &messages, COUNT_MAX);
        messages_free(&messages);
    }
}

static void every_size_round_the_ends_of_blocks_agrees_with_openssl(void **state)
{
    (void)state;
    static struct messages messages;
    uint64_t random = 22;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    for (size_t size = 0; size <= 260; size++) {
        messages_make(&messages, &random, size);
        for (size_t k = 0; k < kernel_count; k++) check_hashes(kernels[k]->sha256_many, &messages, COUNT_MAX - 1);
        messages_free(&messages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_count_of_messages_agrees_with_openssl_and_writes_nothing_beyond),
        cmocka_unit_test(every_size_round_the_ends_of_blocks_agrees_with_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
