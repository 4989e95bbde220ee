/* Hashes and derived keys against published vectors and OpenSSL's own EVP calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "helpers.h"
#include "vault/hmac.h"

static void assert_hex(const uint8_t *bytes, size_t size, const char *hex)
{
    uint8_t expected[256];
    assert_int_equal(hex_bytes(hex, expected), size);
    assert_memory_equal(bytes, expected, size);
}

static void sha256_gives_the_values_of_fips_180_4(void **state)
{
    (void)state;
    uint8_t hash[32];
    vault_sha256("", 0, hash);
    assert_hex(hash, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    vault_sha256("abc", 3, hash);
    assert_hex(hash, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 6962 2.1 over the eight leaves that the reference implementation of Certificate Transparency tests with. */
static void merkle_leaves_and_nodes_give_the_tree_heads_of_certificate_transparency(void **state)
{
    (void)state;
    static const char *const leaves[8] = {
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
    uint8_t hashes[8][32], bytes[16], left[32], right[32], root[32];
    for (int i = 0; i < 8; i++) vault_merkle_leaf(bytes, hex_bytes(leaves[i], bytes), hashes[i]);
    assert_hex(hashes[0], 32, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert_hex(hashes[1], 32, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
    vault_merkle_node(hashes[0], hashes[1], left);
    assert_hex(left, 32, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    vault_merkle_node(left, hashes[2], root);
    assert_hex(root, 32, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    vault_merkle_node(hashes[2], hashes[3], right);
    vault_merkle_node(left, right, left); /* the result may stand where an argument did */
    assert_hex(left, 32, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    for (int i = 4; i < 8; i += 2) vault_merkle_node(hashes[i], hashes[i + 1], hashes[i]);
    vault_merkle_node(hashes[4], hashes[6], right);
    vault_merkle_node(left, right, root);
    assert_hex(root, 32, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
}

static void hmac_agrees_with_openssl_for_every_key_and_message_size(void **state)
{
    (void)state;
    uint8_t bytes[300], expected[32], mac[32];
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(i * 7 + 1);
    for (size_t key_size = 0; key_size <= 140; key_size += key_size < 60 || key_size > 70 ? 5 : 1) {
        struct hmac_key key;
        hmac_key_set(&key, bytes, key_size);
        for (size_t size = 0; size <= 200; size += 3) {
            unsigned mac_size = 0;
            assert_non_null(HMAC(EVP_sha256(), bytes, (int)key_size, bytes, size, expected, &mac_size));
            hmac_pieces(&key, bytes, size / 3, bytes + size / 3, size - size / 3, mac);
            assert_memory_equal(mac, expected, 32);
        }
    }
}

static void hkdf_case(const char *secret, const char *salt, const char *info, const char *expected)
{
    uint8_t secret_bytes[128], salt_bytes[128], info_bytes[128], expected_bytes[128], derived[128];
    size_t size = hex_bytes(expected, expected_bytes), secret_size = hex_bytes(secret, secret_bytes);
    size_t salt_size = hex_bytes(salt, salt_bytes), info_size = hex_bytes(info, info_bytes);
    hkdf(salt_bytes, salt_size, secret_bytes, secret_size, info_bytes, info_size, derived, size);
    assert_memory_equal(derived, expected_bytes, size);
}

static void hkdf_gives_the_sha256_vectors_of_rfc_5869_appendix_a(void **state)
{
    (void)state;
    hkdf_case("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
              "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    hkdf_case(
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536"
        "3738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
        "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f90919293949596"
        "9798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6"
        "e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09"
        "b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    hkdf_case("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
              "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

static void hkdf_agrees_with_openssls_own(void **state)
{
    (void)state;
    uint8_t bytes[64], expected[200], derived[200];
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(i * 11);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    assert_non_null(kdf);
    for (size_t size = 1; size <= sizeof(derived); size += 13) {
        size_t info_size = size % 40;
        EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
        char digest[] = "SHA256";
        OSSL_PARAM parameters[] = {OSSL_PARAM_utf8_string("digest", digest, 0),
                                   OSSL_PARAM_octet_string("key", bytes, 32),
                                   OSSL_PARAM_octet_string("salt", bytes + 32, 16),
                                   OSSL_PARAM_octet_string("info", bytes, info_size), OSSL_PARAM_END};
        assert_int_equal(EVP_KDF_derive(context, expected, size, parameters), 1);
        EVP_KDF_CTX_free(context);
        hkdf(bytes + 32, 16, bytes, 32, bytes, info_size, derived, size);
        assert_memory_equal(derived, expected, size);
    }
    EVP_KDF_free(kdf);
}

static void equal_tells_every_single_differing_bit(void **state)
{
    (void)state;
    uint8_t a[40], b[40];
    memset(a, 0x33, sizeof(a));
    memcpy(b, a, sizeof(b));
    assert_true(vault_equal(a, b, sizeof(a)));
    assert_true(vault_equal(a, b, 0));
    for (size_t bit = 0; bit < sizeof(a) * 8; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(vault_equal(a, b, sizeof(a)));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_values_of_fips_180_4),
        cmocka_unit_test(merkle_leaves_and_nodes_give_the_tree_heads_of_certificate_transparency),
        cmocka_unit_test(hmac_agrees_with_openssl_for_every_key_and_message_size),
        cmocka_unit_test(hkdf_gives_the_sha256_vectors_of_rfc_5869_appendix_a),
        cmocka_unit_test(hkdf_agrees_with_openssls_own),
        cmocka_unit_test(equal_tells_every_single_differing_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
