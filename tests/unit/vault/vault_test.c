#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/bytes.h"
#include "helpers.h"
#include "vault/key_file.h"
#include "vault/seal.h"

struct fixture {
    char folder[64];
    struct store_keys keys;
    struct vault *vault;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    folder_make(fixture->folder);
    keys_make(fixture->folder, "key", &fixture->keys);
    fixture->vault = keys_open(&fixture->keys);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    vault_close(fixture->vault);
    folder_remove(fixture->folder);
    free(fixture);
    return 0;
}

/* AES-256-GCM by OpenSSL's one-call-a-step interface, with the key given: nothing of the vault's. False when the tag is
 * wrong. */
static bool oracle_open(const uint8_t *key, const void *associated, int associated_size, const uint8_t *sealed,
                        int sealed_size, uint8_t *ret_bytes)
{
    int done, size = sealed_size - 28;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, NULL, NULL), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_IVLEN, 12, NULL), 1);
    assert_int_equal(EVP_DecryptInit_ex(context, NULL, NULL, key, sealed), 1);
    if (associated_size > 0) {
        assert_int_equal(EVP_DecryptUpdate(context, NULL, &done, associated, associated_size), 1);
    }
    if (size > 0) assert_int_equal(EVP_DecryptUpdate(context, ret_bytes, &done, sealed + 12, size), 1);
    assert_int_equal(
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, (void *)(uintptr_t)(sealed + sealed_size - 16)), 1);
    bool good = EVP_DecryptFinal_ex(context, ret_bytes + size, &done) == 1;
    EVP_CIPHER_CTX_free(context);
    return good;
}

static void seals_are_aes_256_gcm_as_openssl_opens_it(void **state)
{
    (void)state;
    uint8_t key[SEAL_KEY_SIZE], bytes[300], sealed[300 + SEAL_EXTRA], opened[300 + 16], again[300];
    for (size_t i = 0; i < sizeof(key); i++) key[i] = (uint8_t)(200 - i);
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(i * 3);
    for (size_t size = 0; size <= sizeof(bytes); size += size < 40 ? 1 : 13) {
        size_t associated_size = size % 24;
        assert_code(seal_close(key, "associated data 12345678", associated_size, bytes, size, sealed), OK);
        assert_true(
            oracle_open(key, "associated data 12345678", (int)associated_size, sealed, (int)size + SEAL_EXTRA, opened));
        assert_memory_equal(opened, bytes, size);
        assert_code(seal_open(key, "associated data 12345678", associated_size, sealed, size + SEAL_EXTRA, again), OK);
        assert_memory_equal(again, bytes, size);
    }
}

/* Test case 16 of the GCM specification's vectors (McGrew and Viega), also in NIST's GCM validation set. */
static void the_published_gcm_vector_opens(void **state)
{
    (void)state;
    uint8_t key[32], sealed[12 + 60 + 16], associated[20], plain[60], opened[60];
    hex_bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key);
    hex_bytes("cafebabefacedbaddecaf888"
              "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
              "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
              "76fc6ece0f4e1768cddf8853bb2d551b",
              sealed);
    hex_bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2", associated);
    hex_bytes("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
              "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
              plain);
    assert_code(seal_open(key, associated, sizeof(associated), sealed, sizeof(sealed), opened), OK);
    assert_memory_equal(opened, plain, sizeof(plain));
}

static void a_seal_opens_for_the_same_keys_and_associated_data_only(void **state)
{
    struct fixture *fixture = *state;
    struct store_keys other_keys;
    uint8_t sealed[20 + VAULT_SEAL_EXTRA], opened[20], zeros[20] = {0};
    keys_make(fixture->folder, "key", &other_keys); /* another store under the same key file */
    struct vault *other = keys_open(&other_keys);
    assert_code(vault_seal(fixture->vault, "token 1", 7, "12345678901234567890", 20, sealed), OK);
    assert_code(vault_unseal(fixture->vault, "token 1", 7, sealed, sizeof(sealed), opened), OK);
    assert_memory_equal(opened, "12345678901234567890", 20);
    assert_code(vault_unseal(fixture->vault, "token 2", 7, sealed, sizeof(sealed), opened), VAULT_BAD_SEAL);
    /* What was decrypted before the tag was known to be wrong is not handed out. */
    assert_memory_equal(opened, zeros, sizeof(zeros));
    assert_code(vault_unseal(fixture->vault, "token 1", 6, sealed, sizeof(sealed), opened), VAULT_BAD_SEAL);
    assert_code(vault_unseal(fixture->vault, "", 0, sealed, sizeof(sealed), opened), VAULT_BAD_SEAL);
    assert_code(vault_unseal(other, "token 1", 7, sealed, sizeof(sealed), opened), VAULT_BAD_SEAL);
    vault_close(other);
}

static void many_seals_open_with_one_key_set_up_until_one_does_not(void **state)
{
    enum { MANY = 70 };
    struct fixture *fixture = *state;
    uint8_t sealed[MANY][64 + VAULT_SEAL_EXTRA], opened[MANY][64], plain[MANY][64], zeros[64] = {0};
    struct vault_sealed items[MANY];
    for (size_t i = 0; i < MANY; i++) {
        size_t size = i % 65;
        for (size_t k = 0; k < 64; k++) plain[i][k] = (uint8_t)(i * 7 + k + 1);
        items[i] = (struct vault_sealed){&plain[i], i % 13, sealed[i], size + VAULT_SEAL_EXTRA, opened[i]};
        assert_code(vault_seal(fixture->vault, items[i].associated, i % 13, plain[i], size, sealed[i]), OK);
    }
    assert_code(vault_unseal_many(fixture->vault, items, 0), OK);
    assert_code(vault_unseal_many(fixture->vault, items, MANY), OK);
    for (size_t i = 0; i < MANY; i++) assert_memory_equal(opened[i], plain[i], i % 65);
    sealed[40][20] ^= 1;
    assert_code(vault_unseal_many(fixture->vault, items, MANY), VAULT_BAD_SEAL);
    assert_memory_equal(opened[40], zeros, 40);
    items[3].sealed_size = VAULT_SEAL_EXTRA - 1;
    assert_code(vault_unseal_many(fixture->vault, items, MANY), VAULT_BAD_SEAL);
}

static void every_flipped_bit_and_every_cut_of_a_seal_is_found_out(void **state)
{
    struct fixture *fixture = *state;
    uint8_t sealed[20 + VAULT_SEAL_EXTRA], opened[20 + VAULT_SEAL_EXTRA];
    assert_code(vault_seal(fixture->vault, "a", 1, "12345678901234567890", 20, sealed), OK);
    for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_code(vault_unseal(fixture->vault, "a", 1, sealed, sizeof(sealed), opened), VAULT_BAD_SEAL);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < sizeof(sealed); size++) {
        assert_code(vault_unseal(fixture->vault, "a", 1, sealed, size, opened), VAULT_BAD_SEAL);
    }
    assert_code(vault_unseal(fixture->vault, "a", 1, sealed, sizeof(sealed), opened), OK);
}

static void the_same_bytes_never_seal_alike(void **state)
{
    struct fixture *fixture = *state;
    enum { SEALS = 2000 };
    uint8_t(*seals)[16 + VAULT_SEAL_EXTRA] = calloc(SEALS, sizeof(*seals));
    for (int i = 0; i < SEALS; i++)
        assert_code(vault_seal(fixture->vault, "", 0, "0123456789abcdef", 16, seals[i]), OK);
    for (int i = 0; i < SEALS; i++) {
        for (int k = i + 1; k < SEALS; k++) assert_memory_not_equal(seals[i], seals[k], 12);
    }
    free(seals);
}

static void the_key_row_opens_with_its_own_key_file_and_store_only(void **state)
{
    struct fixture *fixture = *state;
    struct store_keys other = fixture->keys, foreign;
    struct vault *vault = NULL;
    keys_make(fixture->folder, "foreign", &foreign);
    snprintf(other.key_path, sizeof(other.key_path), "%s", foreign.key_path);
    assert_code(vault_open(other.key_path, other.store_id, other.row, other.row_size, &vault), VAULT_WRONG_KEY);
    snprintf(other.key_path, sizeof(other.key_path), "%s/none", fixture->folder);
    assert_code(vault_open(other.key_path, other.store_id, other.row, other.row_size, &vault), OS_NOT_FOUND);
    other = fixture->keys;
    other.store_id[0] ^= 1;
    assert_code(vault_open(other.key_path, other.store_id, other.row, other.row_size, &vault), VAULT_BAD_SEAL);
    assert_int_equal(chmod(fixture->keys.key_path, 0440), 0);
    assert_code(vault_open(fixture->keys.key_path, other.store_id, other.row, other.row_size, &vault), VAULT_KEY_MODE);
    assert_null(vault);
}

static void every_flipped_bit_and_every_cut_of_the_key_row_is_found_out(void **state)
{
    struct fixture *fixture = *state;
    struct store_keys *keys = &fixture->keys;
    struct vault *vault = NULL;
    for (size_t byte = 0; byte < keys->row_size; byte++) {
        keys->row[byte] ^= (uint8_t)(1 << byte % 8);
        struct result result = vault_open(keys->key_path, keys->store_id, keys->row, keys->row_size, &vault);
        /* Bytes 4 to 19 say which key file it is. */
        assert_code(result, byte >= 4 && byte < 20 ? VAULT_WRONG_KEY : VAULT_BAD_SEAL);
        keys->row[byte] ^= (uint8_t)(1 << byte % 8);
    }
    for (size_t size = 0; size <= sizeof(keys->row); size++) {
        if (size == keys->row_size) continue;
        assert_code(vault_open(keys->key_path, keys->store_id, keys->row, size, &vault), VAULT_BAD_SEAL);
    }
    assert_null(vault);
}

static void two_opens_of_one_store_agree_and_two_stores_do_not(void **state)
{
    struct fixture *fixture = *state;
    struct store_keys other_keys;
    uint8_t a[32], b[32], c[32], opened[4], sealed[4 + VAULT_SEAL_EXTRA];
    struct vault *again = keys_open(&fixture->keys);
    keys_make(fixture->folder, "key", &other_keys);
    struct vault *other = keys_open(&other_keys);
    assert_memory_equal(vault_store_id(again), fixture->keys.store_id, VAULT_STORE_ID_SIZE);
    assert_memory_not_equal(vault_store_id(other), fixture->keys.store_id, VAULT_STORE_ID_SIZE);
    assert_memory_equal(vault_table_secret(again), vault_table_secret(fixture->vault), 32);
    assert_memory_not_equal(vault_table_secret(other), vault_table_secret(fixture->vault), 32);
    assert_code(vault_seal(again, "x", 1, "seed", 4, sealed), OK);
    assert_code(vault_unseal(fixture->vault, "x", 1, sealed, sizeof(sealed), opened), OK);
    vault_fingerprint(again, (const uint8_t *)"seed", 4, a);
    vault_fingerprint(fixture->vault, (const uint8_t *)"seed", 4, b);
    vault_fingerprint(other, (const uint8_t *)"seed", 4, c);
    assert_memory_equal(a, b, VAULT_FINGERPRINT_SIZE);
    assert_memory_not_equal(a, c, VAULT_FINGERPRINT_SIZE);
    uint8_t frame_keys[3][VAULT_KEY_SIZE];
    vault_frame_key(again, frame_keys[0]);
    vault_frame_key(fixture->vault, frame_keys[1]);
    vault_frame_key(other, frame_keys[2]);
    assert_memory_equal(frame_keys[0], frame_keys[1], VAULT_KEY_SIZE);
    assert_memory_not_equal(frame_keys[0], frame_keys[2], VAULT_KEY_SIZE);
    vault_close(again);
    vault_close(other);
}

static void the_audit_key_walks_forward_and_the_new_row_cannot_go_back(void **state)
{
    struct fixture *fixture = *state;
    struct store_keys forward = fixture->keys;
    uint8_t macs[5][VAULT_MAC_SIZE], mac[VAULT_MAC_SIZE];
    uint64_t first = vault_mac_segment(fixture->vault);
    assert_int_equal(first, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(vault_mac_segment(fixture->vault), first + (uint64_t)i);
        vault_mac(fixture->vault, "record", 6, macs[i]);
        for (int k = 0; k < i; k++) assert_memory_not_equal(macs[i], macs[k], VAULT_MAC_SIZE);
        if (i == 3) assert_code(vault_keys_row(fixture->vault, forward.row, &forward.row_size), OK);
        vault_mac_advance(fixture->vault);
    }
    /* From the old row every key can be had again; the row made at the fourth begins there, and everything else is the
     * same. */
    struct vault *old = keys_open(&fixture->keys), *new = keys_open(&forward);
    assert_int_equal(vault_mac_segment(new), first + 3);
    assert_memory_equal(vault_table_secret(new), vault_table_secret(old), 32);
    vault_mac(new, "record", 6, mac);
    assert_memory_equal(mac, macs[3], VAULT_MAC_SIZE);
    for (int i = 0; i < 4; i++) {
        vault_mac(old, "record", 6, mac);
        assert_memory_equal(mac, macs[i], VAULT_MAC_SIZE);
        vault_mac_advance(old);
    }
    vault_close(old);
    vault_close(new);
}

/* RFC 8032 7.1, tests 1 to 3. */
static void signatures_of_rfc_8032_verify_and_every_flipped_bit_is_found_out(void **state)
{
    (void)state;
    static const char *const vectors[3][3] = {
        {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bb"
         "e246551"
         "41438e7a100b"},
        {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302"
         "aeeb00d"
         "291612bb0c00"},
        {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed"
         "28dc027"
         "beceea1ec40a"},
    };
    for (int i = 0; i < 3; i++) {
        uint8_t key[32], message[8], signature[64];
        hex_bytes(vectors[i][0], key);
        size_t size = hex_bytes(vectors[i][1], message);
        assert_int_equal(hex_bytes(vectors[i][2], signature), 64);
        assert_true(vault_verify(key, message, size, signature));
        for (size_t bit = 0; bit < 64 * 8; bit++) {
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(vault_verify(key, message, size, signature));
            signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_false(vault_verify(key, "another", 7, signature));
        key[0] ^= 1;
        assert_false(vault_verify(key, message, size, signature));
    }
}

static void checkpoints_are_signed_as_openssls_command_verifies(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t der_head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
    uint8_t key[VAULT_PUBLIC_KEY_SIZE], signature[VAULT_SIGNATURE_SIZE];
    char command[512], path[96];
    vault_public_key(fixture->vault, key);
    assert_code(vault_sign(fixture->vault, "checkpoint", 10, signature), OK);
    assert_true(vault_verify(key, "checkpoint", 10, signature));
    assert_false(vault_verify(key, "checkpoinT", 10, signature));
    if (system("openssl version >/dev/null 2>&1") != 0) skip();
    snprintf(path, sizeof(path), "%s/public", fixture->folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(der_head, 1, sizeof(der_head), file);
    fwrite(key, 1, sizeof(key), file);
    fclose(file);
    snprintf(path, sizeof(path), "%s/signature", fixture->folder);
    file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(signature, 1, sizeof(signature), file);
    fclose(file);
    snprintf(path, sizeof(path), "%s/message", fixture->folder);
    file = fopen(path, "wb");
    assert_non_null(file);
    fputs("checkpoint", file);
    fclose(file);
    snprintf(command, sizeof(command),
             "cd %s && openssl pkeyutl -verify -pubin -inkey public -keyform DER -rawin -in message -sigfile signature "
             ">out 2>&1",
             fixture->folder);
    assert_int_equal(system(command), 0);
}

static void no_key_stands_in_the_row_in_clear(void **state)
{
    struct fixture *fixture = *state;
    uint8_t kek[KEY_FILE_KEK_SIZE];
    assert_code(key_file_read(fixture->keys.key_path, kek), OK);
    for (size_t i = 0; i + 8 <= fixture->keys.row_size; i++) {
        assert_memory_not_equal(fixture->keys.row + i, kek, 8);
        assert_memory_not_equal(fixture->keys.row + i, vault_table_secret(fixture->vault), 8);
    }
}

static void *seal_loop(void *argument)
{
    const struct vault *vault = argument;
    uint8_t sealed[20 + VAULT_SEAL_EXTRA], opened[20], key[VAULT_KEY_SIZE], fingerprint[VAULT_FINGERPRINT_SIZE];
    for (int i = 0; i < 300; i++) {
        if (result_failed(vault_seal(vault, &i, sizeof(i), "12345678901234567890", 20, sealed))) return argument;
        if (result_failed(vault_unseal(vault, &i, sizeof(i), sealed, sizeof(sealed), opened))) return argument;
        if (memcmp(opened, "12345678901234567890", 20) != 0) return argument;
        vault_frame_key(vault, key);
        vault_fingerprint(vault, opened, 20, fingerprint);
    }
    return NULL;
}

static void many_threads_seal_and_open_at_once(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, seal_loop, fixture->vault), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

#define WITH_VAULT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_are_aes_256_gcm_as_openssl_opens_it),
        cmocka_unit_test(the_published_gcm_vector_opens),
        WITH_VAULT(a_seal_opens_for_the_same_keys_and_associated_data_only),
        WITH_VAULT(many_seals_open_with_one_key_set_up_until_one_does_not),
        WITH_VAULT(every_flipped_bit_and_every_cut_of_a_seal_is_found_out),
        WITH_VAULT(the_same_bytes_never_seal_alike),
        WITH_VAULT(the_key_row_opens_with_its_own_key_file_and_store_only),
        WITH_VAULT(every_flipped_bit_and_every_cut_of_the_key_row_is_found_out),
        WITH_VAULT(two_opens_of_one_store_agree_and_two_stores_do_not),
        WITH_VAULT(the_audit_key_walks_forward_and_the_new_row_cannot_go_back),
        cmocka_unit_test(signatures_of_rfc_8032_verify_and_every_flipped_bit_is_found_out),
        WITH_VAULT(checkpoints_are_signed_as_openssls_command_verifies),
        WITH_VAULT(no_key_stands_in_the_row_in_clear),
        WITH_VAULT(many_threads_seal_and_open_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
