/* MACs of two blocks against NIST's vectors and OpenSSL's own CBC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "helpers.h"
#include "vault/block_mac.h"

enum { COUNT_MAX = 300, CANARY = 0xa5 };

/* SP 800-38A, F.1.5 and F.2.5: the key of every AES-256 example, and blocks of plaintext. */
static const char nist_key[] = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
static const char nist_iv[] = "000102030405060708090a0b0c0d0e0f";
static const char *const nist_plain[2] = {"6bc1bee22e409f96e93d7e117393172a", "ae2d8a571e03ac9c9eb76fac45af8e51"};
static const char *const nist_ecb[2] = {"f3eed1bdb5d2a03c064b5a7e3db181f8", "591ccb10d410ed26dc5ba74a31362870"};
static const char nist_cbc_second[] = "9cfc4e967edb808d679f777bc6702c7d"; /* the second block of F.2.5 */

static struct block_mac *mac_make(const uint8_t key[BLOCK_MAC_KEY_SIZE])
{
    struct block_mac *mac = NULL;
    assert_code(block_mac_create(key, &mac), OK);
    return mac;
}

static void hex_xor(uint8_t block[BLOCK_MAC_SIZE], const char *hex)
{
    uint8_t other[BLOCK_MAC_SIZE];
    assert_int_equal(hex_bytes(hex, other), BLOCK_MAC_SIZE);
    for (int i = 0; i < BLOCK_MAC_SIZE; i++) block[i] ^= other[i];
}

/* With body = E(head) xor P the second encryption is that of P. */
static void both_encryptions_are_aes_256_of_sp_800_38a(void **state)
{
    (void)state;
    uint8_t key[BLOCK_MAC_KEY_SIZE], heads[2][BLOCK_MAC_SIZE], bodies[2][BLOCK_MAC_SIZE] = {0},
                                                               expected[BLOCK_MAC_SIZE];
    assert_int_equal(hex_bytes(nist_key, key), sizeof(key));
    struct block_mac *mac = mac_make(key);
    for (int i = 0; i < 2; i++) {
        hex_bytes(nist_plain[i], heads[i]);
        hex_xor(bodies[i], nist_ecb[i]);
        hex_xor(bodies[i], nist_plain[1 - i]);
    }
    block_macs(mac, 2, heads, (const uint8_t(*)[BLOCK_MAC_SIZE])bodies);
    for (int i = 0; i < 2; i++) {
        hex_bytes(nist_ecb[1 - i], expected);
        assert_memory_equal(heads[i], expected, BLOCK_MAC_SIZE);
    }
    block_mac_destroy(mac);
}

/* F.2.5 chains from an initial vector, which a CBC-MAC has not: it goes into the head. */
static void a_mac_is_the_second_block_of_the_cbc_example_of_sp_800_38a(void **state)
{
    (void)state;
    uint8_t key[BLOCK_MAC_KEY_SIZE], head[1][BLOCK_MAC_SIZE] = {{0}}, body[1][BLOCK_MAC_SIZE], expected[BLOCK_MAC_SIZE];
    hex_bytes(nist_key, key);
    struct block_mac *mac = mac_make(key);
    hex_xor(head[0], nist_iv);
    hex_xor(head[0], nist_plain[0]);
    hex_bytes(nist_plain[1], body[0]);
    block_macs(mac, 1, head, (const uint8_t(*)[BLOCK_MAC_SIZE])body);
    hex_bytes(nist_cbc_second, expected);
    assert_memory_equal(head[0], expected, BLOCK_MAC_SIZE);
    block_mac_destroy(mac);
}

/* The last block of AES-256-CBC from a vector of zeros. */
static void openssl_mac(const uint8_t *key, const uint8_t *head, const uint8_t *body, uint8_t ret_mac[BLOCK_MAC_SIZE])
{
    const uint8_t zeros[BLOCK_MAC_SIZE] = {0};
    uint8_t message[2 * BLOCK_MAC_SIZE], out[2 * BLOCK_MAC_SIZE];
    int done = 0;
    memcpy(message, head, BLOCK_MAC_SIZE);
    memcpy(message + BLOCK_MAC_SIZE, body, BLOCK_MAC_SIZE);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(context, EVP_aes_256_cbc(), NULL, key, zeros), 1);
    assert_int_equal(EVP_CIPHER_CTX_set_padding(context, 0), 1);
    assert_int_equal(EVP_EncryptUpdate(context, out, &done, message, sizeof(message)), 1);
    assert_int_equal(done, sizeof(out));
    EVP_CIPHER_CTX_free(context);
    memcpy(ret_mac, out + BLOCK_MAC_SIZE, BLOCK_MAC_SIZE);
}

static void macs_of_every_count_agree_with_openssls_cbc_and_nothing_is_written_beyond(void **state)
{
    (void)state;
    static uint8_t heads[COUNT_MAX][BLOCK_MAC_SIZE], bodies[COUNT_MAX][BLOCK_MAC_SIZE];
    static uint8_t expected[COUNT_MAX][BLOCK_MAC_SIZE], macs[COUNT_MAX + 1][BLOCK_MAC_SIZE];
    uint8_t key[BLOCK_MAC_KEY_SIZE];
    assert_int_equal(RAND_bytes(key, sizeof(key)), 1);
    assert_int_equal(RAND_bytes((uint8_t *)heads, sizeof(heads)), 1);
    assert_int_equal(RAND_bytes((uint8_t *)bodies, sizeof(bodies)), 1);
    for (int i = 0; i < COUNT_MAX; i++) openssl_mac(key, heads[i], bodies[i], expected[i]);
    struct block_mac *mac = mac_make(key);
    for (size_t count = 0; count <= COUNT_MAX; count++) {
        memset(macs, CANARY, sizeof(macs));
        memcpy(macs, heads, count * BLOCK_MAC_SIZE);
        block_macs(mac, count, macs, (const uint8_t(*)[BLOCK_MAC_SIZE])bodies);
        assert_memory_equal(macs, expected, count * BLOCK_MAC_SIZE);
        for (size_t b = count * BLOCK_MAC_SIZE; b < sizeof(macs); b++)
            assert_int_equal(((const uint8_t *)macs)[b], CANARY);
    }
    block_mac_destroy(mac);
}

static void the_greatest_batch_is_taken(void **state)
{
    (void)state;
    static uint8_t macs[BLOCK_MACS_MAX][BLOCK_MAC_SIZE], bodies[BLOCK_MACS_MAX][BLOCK_MAC_SIZE];
    uint8_t key[BLOCK_MAC_KEY_SIZE] = {7}, expected[BLOCK_MAC_SIZE], head[BLOCK_MAC_SIZE];
    struct block_mac *mac = mac_make(key);
    assert_int_equal(RAND_bytes((uint8_t *)macs, sizeof(macs)), 1);
    assert_int_equal(RAND_bytes((uint8_t *)bodies, sizeof(bodies)), 1);
    memcpy(head, macs[BLOCK_MACS_MAX - 1], sizeof(head));
    openssl_mac(key, head, bodies[BLOCK_MACS_MAX - 1], expected);
    block_macs(mac, BLOCK_MACS_MAX, macs, (const uint8_t(*)[BLOCK_MAC_SIZE])bodies);
    assert_memory_equal(macs[BLOCK_MACS_MAX - 1], expected, BLOCK_MAC_SIZE);
    block_mac_destroy(mac);
    block_mac_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_encryptions_are_aes_256_of_sp_800_38a),
        cmocka_unit_test(a_mac_is_the_second_block_of_the_cbc_example_of_sp_800_38a),
        cmocka_unit_test(macs_of_every_count_agree_with_openssls_cbc_and_nothing_is_written_beyond),
        cmocka_unit_test(the_greatest_batch_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
