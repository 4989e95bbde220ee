/* Keys and signatures of devices, against RFC 6979, RFC 8032, and OpenSSL's own encoders and EVP signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "helpers.h"
#include "vault/device_key.h"

static const enum device_algorithm algorithms[2] = {DEVICE_ES256, DEVICE_ED25519};

static bool verify(const struct device_key *key, const void *bytes, size_t size, const uint8_t *signature)
{
    struct device_signed item = {.key = key, .bytes = bytes, .size = size, .signature = signature};
    device_verify_many(&item, 1);
    return item.good;
}

static void es256_verifies_the_signature_of_rfc_6979_appendix_a_2_5(void **state)
{
    (void)state;
    struct device_key key, of_private;
    uint8_t point[65], private_key[32], signature[64];
    hex_bytes("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b2"
              "0c2d7e9f5177a3c294d4462299",
              point);
    hex_bytes("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", private_key);
    hex_bytes("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900db"
              "b9aff4064dc4ab2f843acda8",
              signature);
    assert_code(device_key_parse(DEVICE_ES256, point, sizeof(point), &key), OK);
    assert_true(verify(&key, "sample", 6, signature));
    assert_false(verify(&key, "sampld", 6, signature));
    assert_code(device_public_of(DEVICE_ES256, private_key, &of_private), OK);
    assert_memory_equal(of_private.bytes, point, sizeof(point));
}

static void ed25519_verifies_the_second_signature_of_rfc_8032_section_7_1(void **state)
{
    (void)state;
    struct device_key key, of_private;
    uint8_t bytes[32], private_key[32], signature[64];
    hex_bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", bytes);
    hex_bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", private_key);
    hex_bytes("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eae"
              "b4302aeeb00d291612bb0c00",
              signature);
    assert_code(device_key_parse(DEVICE_ED25519, bytes, sizeof(bytes), &key), OK);
    assert_true(verify(&key, "\x72", 1, signature));
    assert_false(verify(&key, "\x73", 1, signature));
    assert_code(device_public_of(DEVICE_ED25519, private_key, &of_private), OK);
    assert_memory_equal(of_private.bytes, bytes, sizeof(bytes));
}

static void what_a_device_signs_verifies_and_no_flipped_bit_does(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct device_statement statement;
        struct device_key key;
        uint8_t private_key[32], signature[64];
        assert_code(device_pair_make(algorithms[i], private_key, &key), OK);
        device_statement_begin(&statement, "test 1");
        device_statement_add(&statement, "field", 5);
        assert_code(device_sign(algorithms[i], private_key, &statement, signature), OK);
        assert_true(device_verify(&key, &statement, signature));
        for (size_t bit = 0; bit < sizeof(signature) * 8; bit++) {
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(device_verify(&key, &statement, signature));
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t bit = 0; bit < statement.size * 8; bit++) {
            statement.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(device_verify(&key, &statement, signature));
            statement.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void a_batch_of_both_algorithms_says_of_each_what_one_call_says(void **state)
{
    (void)state;
    struct device_signed items[8];
    struct device_key keys[8];
    uint8_t private_key[32], signatures[8][64];
    struct device_statement statement;
    device_statement_begin(&statement, "test 1");
    for (int i = 0; i < 8; i++) {
        assert_code(device_pair_make(algorithms[i % 2], private_key, &keys[i]), OK);
        assert_code(device_sign(algorithms[i % 2], private_key, &statement, signatures[i]), OK);
        if (i % 3 == 0) signatures[i][40] ^= 1;
        items[i] = (struct device_signed){
            .key = &keys[i], .bytes = statement.bytes, .size = statement.size, .signature = signatures[i]};
    }
    device_verify_many(items, 8);
    for (int i = 0; i < 8; i++) assert_int_equal(items[i].good, i % 3 != 0);
}

static void signatures_of_zero_and_of_the_order_are_refused(void **state)
{
    (void)state;
    struct device_key key;
    uint8_t private_key[32], signature[64] = {0};
    assert_code(device_pair_make(DEVICE_ES256, private_key, &key), OK);
    assert_false(verify(&key, "x", 1, signature));
    hex_bytes("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", signature);
    memcpy(signature + 32, signature, 32);
    assert_false(verify(&key, "x", 1, signature));
    key.algorithm = 9;
    assert_false(verify(&key, "x", 1, signature));
}

/* OpenSSL's own encoder of SubjectPublicKeyInfo. */
static size_t spki_of(EVP_PKEY *key, uint8_t ret[200])
{
    unsigned char *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    assert_in_range(size, 40, 200);
    memcpy(ret, der, (size_t)size);
    OPENSSL_free(der);
    return (size_t)size;
}

static void keys_parse_from_openssls_own_subject_public_key_info(void **state)
{
    (void)state;
    uint8_t spki[200], seal_key[HPKE_PUBLIC_MAX];
    struct device_key whole, bare;
    EVP_PKEY *keys[3] = {EVP_EC_gen("P-256"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
                         EVP_PKEY_Q_keygen(NULL, NULL, "X25519")};
    for (int i = 0; i < 2; i++) {
        size_t size = spki_of(keys[i], spki), own = i == 0 ? 65 : 32;
        assert_code(device_key_parse(algorithms[i], spki, size, &whole), OK);
        assert_code(device_key_parse(algorithms[i], spki + size - own, own, &bare), OK);
        assert_memory_equal(&whole, &bare, sizeof(whole));
    }
    size_t size = spki_of(keys[2], spki);
    assert_code(device_seal_key_parse(DEVICE_ED25519, spki, size, seal_key), OK);
    assert_memory_equal(seal_key, spki + size - 32, 32);
    size = spki_of(keys[0], spki);
    assert_code(device_seal_key_parse(DEVICE_ES256, spki, size, seal_key), OK);
    for (int i = 0; i < 3; i++) EVP_PKEY_free(keys[i]);
}

static void every_other_form_of_a_key_is_refused(void **state)
{
    (void)state;
    uint8_t spki[200], seal_key[HPKE_PUBLIC_MAX];
    struct device_key key;
    EVP_PKEY *pair = EVP_EC_gen("P-256"), *other_curve = EVP_EC_gen("secp256k1");
    size_t size = spki_of(pair, spki);
    for (size_t cut = 0; cut < size; cut++) {
        if (cut != 65) assert_code(device_key_parse(DEVICE_ES256, spki, cut, &key), BAD_DEVICE_KEY);
    }
    assert_code(device_key_parse(DEVICE_ES256, spki, size + 1, &key), BAD_DEVICE_KEY);
    for (size_t at = 0; at < 27; at++) { /* the head, and the byte that says uncompressed */
        spki[at] ^= 3;
        assert_code(device_key_parse(DEVICE_ES256, spki, size, &key), BAD_DEVICE_KEY);
        spki[at] ^= 3;
    }
    spki[size - 1] ^= 1; /* off the curve */
    assert_code(device_key_parse(DEVICE_ES256, spki, size, &key), BAD_DEVICE_KEY);
    assert_code(device_seal_key_parse(DEVICE_ES256, spki, size, seal_key), BAD_DEVICE_KEY);
    assert_code(device_seal_key_parse(DEVICE_ED25519, spki, size, seal_key), BAD_DEVICE_KEY);
    size = spki_of(other_curve, spki);
    assert_code(device_key_parse(DEVICE_ES256, spki, size, &key), BAD_DEVICE_KEY);
    EVP_PKEY_free(pair);
    EVP_PKEY_free(other_curve);
}

static void statements_of_other_fields_are_other_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[] = "d\0\0\0\0\2ab\0\0\0\0";
    struct device_statement statement, other;
    device_statement_begin(&statement, "d");
    device_statement_add(&statement, "ab", 2);
    device_statement_add(&statement, NULL, 0);
    assert_int_equal(statement.size, 12);
    assert_memory_equal(statement.bytes, expected, 12);
    device_statement_begin(&other, "d");
    device_statement_add(&other, "a", 1);
    device_statement_add(&other, "b", 1);
    assert_true(other.size == statement.size ? memcmp(other.bytes, statement.bytes, 12) != 0 : true);
}

static void a_statement_past_its_limit_is_signed_and_verified_by_nobody(void **state)
{
    (void)state;
    static uint8_t bytes[DEVICE_STATEMENT_MAX + 1];
    struct device_statement statement;
    struct device_key key;
    uint8_t private_key[32], signature[64];
    assert_code(device_pair_make(DEVICE_ED25519, private_key, &key), OK);
    for (size_t size = DEVICE_STATEMENT_MAX - 5; size <= DEVICE_STATEMENT_MAX + 1; size += 3) {
        device_statement_begin(&statement, "d");
        device_statement_add(&statement, bytes, size);
        assert_true(statement.failed);
        assert_code(device_sign(DEVICE_ED25519, private_key, &statement, signature), BAD_ARGUMENT);
        assert_false(device_verify(&key, &statement, signature));
    }
}

static void algorithms_go_by_their_registered_names(void **state)
{
    (void)state;
    enum device_algorithm algorithm;
    for (int i = 0; i < 2; i++) {
        assert_true(device_algorithm_parse(device_algorithm_name(algorithms[i]), &algorithm));
        assert_int_equal(algorithm, algorithms[i]);
    }
    assert_false(device_algorithm_parse("es256", &algorithm));
    assert_null(device_algorithm_name((enum device_algorithm)3));
    assert_int_equal(device_kem(DEVICE_ES256), HPKE_P256);
    assert_int_equal(device_kem(DEVICE_ED25519), HPKE_X25519);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(es256_verifies_the_signature_of_rfc_6979_appendix_a_2_5),
        cmocka_unit_test(ed25519_verifies_the_second_signature_of_rfc_8032_section_7_1),
        cmocka_unit_test(what_a_device_signs_verifies_and_no_flipped_bit_does),
        cmocka_unit_test(a_batch_of_both_algorithms_says_of_each_what_one_call_says),
        cmocka_unit_test(signatures_of_zero_and_of_the_order_are_refused),
        cmocka_unit_test(keys_parse_from_openssls_own_subject_public_key_info),
        cmocka_unit_test(every_other_form_of_a_key_is_refused),
        cmocka_unit_test(statements_of_other_fields_are_other_bytes),
        cmocka_unit_test(a_statement_past_its_limit_is_signed_and_verified_by_nobody),
        cmocka_unit_test(algorithms_go_by_their_registered_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
