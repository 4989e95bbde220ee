/* HPKE against the vectors of RFC 9180 and its peers, and against everything that must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helpers.h"
#include "vault/hpke.h"

static const struct hpke_suite suites[2] = {{HPKE_P256, HPKE_AES_256_GCM}, {HPKE_X25519, HPKE_AES_256_GCM}};

enum { FIELDS = 11 };

static void vector_try(char *const fields[FIELDS])
{
    struct hpke_suite suite = {.kem = (uint16_t)atoi(fields[1]), .aead = (uint16_t)atoi(fields[2])};
    enum hpke_kem kem = (enum hpke_kem)suite.kem;
    uint8_t ephemeral[32], secret[64], own[HPKE_PUBLIC_MAX], public_key[HPKE_PUBLIC_MAX], info[64], associated[64];
    uint8_t text[128], enc[HPKE_PUBLIC_MAX], sealed[160], expected[160], private_key[32], opened[160];
    if (strncmp(fields[3], "sk:", 3) == 0) {
        assert_int_equal(hex_bytes(fields[3] + 3, ephemeral), 32);
    } else {
        size_t size = hex_bytes(fields[3], secret);
        assert_code(hpke_pair_derive(kem, secret, size, ephemeral, own), OK);
    }
    assert_int_equal(hex_bytes(fields[4], public_key), hpke_public_size(kem));
    struct hpke_message message = {.info = info, .associated = associated};
    message.info_size = hex_bytes(fields[6], info);
    message.associated_size = hex_bytes(fields[7], associated);
    size_t size = hex_bytes(fields[8], text);
    assert_code(hpke_seal_with(suite, ephemeral, public_key, &message, text, size, enc, sealed), OK);
    assert_int_equal(hex_bytes(fields[10], expected), size + HPKE_TAG_SIZE);
    assert_memory_equal(sealed, expected, size + HPKE_TAG_SIZE);
    if (strcmp(fields[9], "-") != 0) {
        assert_int_equal(hex_bytes(fields[9], expected), hpke_public_size(kem));
        assert_memory_equal(enc, expected, hpke_public_size(kem));
    }
    if (strcmp(fields[5], "-") == 0) return;
    hex_bytes(fields[5], private_key);
    assert_code(hpke_open(suite, private_key, enc, &message, sealed, size + HPKE_TAG_SIZE, opened), OK);
    assert_memory_equal(opened, text, size);
}

static void sealing_gives_the_published_vectors_to_the_byte(void **state)
{
    (void)state;
    char line[2048];
    int tried = 0;
    FILE *file = fopen(TESTS_FOLDER "/vectors/rfc9180_hpke_base.csv", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (line[0] == '#') continue;
        char *fields[FIELDS], *rest = line;
        for (int i = 0; i < FIELDS; i++) {
            fields[i] = strsep(&rest, ",\n");
            assert_non_null(fields[i]);
        }
        vector_try(fields);
        tried++;
    }
    fclose(file);
    assert_int_equal(tried, 4);
}

struct sealed_case {
    struct hpke_suite suite;
    uint8_t private_key[32], public_key[HPKE_PUBLIC_MAX], enc[HPKE_PUBLIC_MAX], sealed[96], opened[96];
    struct hpke_message message;
    size_t size;
};

static void case_make(struct sealed_case *sealed, struct hpke_suite suite, size_t size)
{
    uint8_t text[80];
    memset(text, 0x5a, sizeof(text));
    *sealed = (struct sealed_case){.suite = suite, .message = {"info", 4, "more", 4}, .size = size};
    assert_code(hpke_pair_make((enum hpke_kem)suite.kem, sealed->private_key, sealed->public_key), OK);
    assert_code(hpke_seal(suite, sealed->public_key, &sealed->message, text, size, sealed->enc, sealed->sealed), OK);
}

static struct result case_open(struct sealed_case *sealed)
{
    return hpke_open(sealed->suite, sealed->private_key, sealed->enc, &sealed->message, sealed->sealed,
                     sealed->size + HPKE_TAG_SIZE, sealed->opened);
}

static void every_size_comes_back_and_no_two_seals_are_alike(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        for (size_t size = 0; size <= 80; size += 8) {
            struct sealed_case one, two;
            case_make(&one, suites[i], size);
            assert_code(case_open(&one), OK);
            for (size_t at = 0; at < size; at++) assert_int_equal(one.opened[at], 0x5a);
            case_make(&two, suites[i], size);
            assert_memory_not_equal(one.enc, two.enc, hpke_public_size((enum hpke_kem)suites[i].kem));
        }
    }
}

static void every_flipped_bit_of_what_was_sealed_is_found(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sealed_case sealed;
        case_make(&sealed, suites[i], 20);
        for (size_t bit = 0; bit < (sealed.size + HPKE_TAG_SIZE) * 8; bit++) {
            sealed.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
            memset(sealed.opened, 1, sizeof(sealed.opened));
            assert_code(case_open(&sealed), VAULT_NOT_OPENED);
            for (size_t at = 0; at < sealed.size; at++) assert_int_equal(sealed.opened[at], 0);
            sealed.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void another_key_info_associated_data_or_ephemeral_key_does_not_open(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sealed_case sealed, other;
        case_make(&sealed, suites[i], 20);
        other = sealed;
        other.message.info_size = 3;
        assert_code(case_open(&other), VAULT_NOT_OPENED);
        other = sealed;
        other.message.associated_size = 3;
        assert_code(case_open(&other), VAULT_NOT_OPENED);
        case_make(&other, suites[i], 20);
        memcpy(other.private_key, sealed.private_key, sizeof(other.private_key));
        assert_code(case_open(&other), VAULT_NOT_OPENED);
        other = sealed;
        other.enc[hpke_public_size((enum hpke_kem)suites[i].kem) - 1] ^= 1;
        assert_code(case_open(&other), VAULT_NOT_OPENED);
        assert_code(
            hpke_open(sealed.suite, sealed.private_key, sealed.enc, &sealed.message, sealed.sealed, 15, sealed.opened),
            VAULT_NOT_OPENED);
    }
}

static void a_key_off_the_curve_or_of_small_order_is_refused(void **state)
{
    (void)state;
    uint8_t point[HPKE_PUBLIC_MAX] = {4, 1}, zero[32] = {0}, enc[HPKE_PUBLIC_MAX], sealed[32];
    struct hpke_message none = {0};
    assert_code(hpke_public_check(HPKE_P256, point, 65), BAD_DEVICE_KEY);
    assert_code(hpke_public_check(HPKE_P256, point, 33), BAD_DEVICE_KEY);
    assert_code(hpke_public_check(HPKE_X25519, zero, 31), BAD_DEVICE_KEY);
    assert_code(hpke_seal(suites[0], point, &none, "x", 1, enc, sealed), BAD_DEVICE_KEY);
    assert_code(hpke_seal(suites[1], zero, &none, "x", 1, enc, sealed), BAD_DEVICE_KEY);
    assert_code(hpke_public_of(HPKE_P256, zero, enc), BAD_DEVICE_KEY);
    assert_code(hpke_open(suites[0], zero, enc, &none, sealed, 32, enc), BAD_DEVICE_KEY);
}

static void a_message_past_the_limit_is_refused(void **state)
{
    (void)state;
    struct hpke_message none = {0};
    uint8_t private_key[32], public_key[HPKE_PUBLIC_MAX], enc[HPKE_PUBLIC_MAX], sealed[16];
    assert_code(hpke_pair_make(HPKE_X25519, private_key, public_key), OK);
    assert_code(hpke_seal(suites[1], public_key, &none, "", (size_t)HPKE_SIZE_MAX + 1, enc, sealed), BAD_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_gives_the_published_vectors_to_the_byte),
        cmocka_unit_test(every_size_comes_back_and_no_two_seals_are_alike),
        cmocka_unit_test(every_flipped_bit_of_what_was_sealed_is_found),
        cmocka_unit_test(another_key_info_associated_data_or_ephemeral_key_does_not_open),
        cmocka_unit_test(a_key_off_the_curve_or_of_small_order_is_refused),
        cmocka_unit_test(a_message_past_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
