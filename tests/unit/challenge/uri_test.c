/* Challenges as bytes, as URIs and as OCRA questions: against a device that was written from the page alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "challenge/uri.h"
#include "../vault/helpers.h"

static uint16_t code_named(const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", strcmp(name, "OK") == 0 ? "" : "CHALLENGE_", name);
    for (uint16_t code = 0; code < RESULT_CODE_COUNT; code++)
        if (strcmp(result_name((struct result){.code = code}), full) == 0) return code;
    fail_msg("no result is named %s", full);
    return 0;
}

static FILE *vectors(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, TESTS_FOLDER "/vectors/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    return file;
}

/* One line of challenge_uris.csv, or false. */
static bool uri_row(FILE *file, char line[4096], char **ret_why, char **ret_uri, char **ret_body)
{
    do {
        if (!fgets(line, 4096, file)) return false;
    } while (line[0] == '#');
    line[strcspn(line, "\n")] = 0;
    char *rest = line;
    *ret_why = strsep(&rest, ",");
    *ret_uri = strsep(&rest, ",");
    *ret_body = strsep(&rest, ",");
    assert_non_null(*ret_body);
    return true;
}

static const char public_key_hex[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

static void every_uri_of_the_device_page_is_read_or_refused_by_name(void **state)
{
    (void)state;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE], expected[CHALLENGE_BODY_SIZE_MAX], body[CHALLENGE_BODY_SIZE_MAX];
    char line[4096], *why, *uri, *hex;
    int good = 0, bad = 0;
    hex_bytes(public_key_hex, key);
    FILE *file = vectors("challenge_uris.csv");
    while (uri_row(file, line, &why, &uri, &hex)) {
        size_t size = 77;
        uint16_t code = challenge_uri_read(uri, strlen(uri), key, body, &size).code;
        if (code != code_named(why)) fail_msg("%s: %s, not %s", uri, result_name((struct result){.code = code}), why);
        if (code != OK) {
            assert_int_equal(size, 77);
            bad++;
            continue;
        }
        assert_int_equal(size, hex_bytes(hex, expected));
        assert_memory_equal(body, expected, size);
        good++;
    }
    fclose(file);
    assert_int_equal(good, 12);
    assert_int_equal(bad, 89);
}

static void every_body_that_is_read_is_written_the_same(void **state)
{
    (void)state;
    uint8_t body[CHALLENGE_BODY_SIZE_MAX], again[CHALLENGE_BODY_SIZE_MAX];
    char line[4096], *why, *uri, *hex;
    FILE *file = vectors("challenge_uris.csv");
    while (uri_row(file, line, &why, &uri, &hex)) {
        struct challenge_body read;
        if (strcmp(why, "OK") != 0) continue;
        size_t size = hex_bytes(hex, body), again_size;
        assert_code(challenge_body_decode(body, size, &read), OK);
        assert_code(challenge_body_encode(&read, again, &again_size), OK);
        assert_int_equal(again_size, size);
        assert_memory_equal(again, body, size);
    }
    fclose(file);
}

static void a_uri_with_any_bit_of_its_text_changed_is_refused(void **state)
{
    (void)state;
    uint8_t key[VAULT_PUBLIC_KEY_SIZE], body[CHALLENGE_BODY_SIZE_MAX];
    char line[4096], *why, *uri, *hex;
    size_t size;
    hex_bytes(public_key_hex, key);
    FILE *file = vectors("challenge_uris.csv");
    assert_true(uri_row(file, line, &why, &uri, &hex));
    fclose(file);
    size_t text_size = strlen(uri);
    for (size_t i = 0; i < text_size; i++)
        for (int bit = 0; bit < 8; bit++) {
            uri[i] = (char)(uri[i] ^ 1 << bit);
            assert_true(result_failed(challenge_uri_read(uri, text_size, key, body, &size)));
            uri[i] = (char)(uri[i] ^ 1 << bit);
        }
    for (size_t cut = 0; cut < text_size; cut++)
        assert_true(result_failed(challenge_uri_read(uri, cut, key, body, &size)));
    key[0] ^= 1;
    assert_code(challenge_uri_read(uri, text_size, key, body, &size), CHALLENGE_BAD_SIGNATURE);
}

static void a_body_cut_short_or_with_a_byte_more_is_refused(void **state)
{
    (void)state;
    uint8_t body[CHALLENGE_BODY_SIZE_MAX + 1];
    char line[4096], *why, *uri, *hex;
    struct challenge_body read;
    FILE *file = vectors("challenge_uris.csv");
    while (uri_row(file, line, &why, &uri, &hex)) {
        if (strcmp(why, "OK") != 0) continue;
        size_t size = hex_bytes(hex, body);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *copy = malloc(cut ? cut : 1); /* of the exact size, so that a read past the end is seen */
            memcpy(copy, body, cut);
            assert_code(challenge_body_decode(copy, cut, &read), CHALLENGE_BAD_BODY);
            free(copy);
        }
        body[size] = 0;
        assert_code(challenge_body_decode(body, size + 1, &read), CHALLENGE_BAD_BODY);
    }
    fclose(file);
}

static struct challenge_text text(const char *bytes)
{
    return (struct challenge_text){.bytes = bytes, .size = bytes ? strlen(bytes) : 0};
}

static struct challenge_body payment(void)
{
    return (struct challenge_body){.purpose = CHALLENGE_TRANSACTION,
                                   .flags = CHALLENGE_MATCH_NUMBER,
                                   .expires_s = 1800000000,
                                   .id = {1, 2, 3},
                                   .fields = {text("Demo Bank"), text("Pay this bill?"), text("1250.00"), text("EUR"),
                                              text("Ana P\xc3\xa9rez"), text("Bill 117")}};
}

static void the_device_of_the_page_reads_what_the_engine_signs(void **state)
{
    (void)state;
    char folder[64], uri[CHALLENGE_URI_SIZE_MAX + 1], command[1024], said[2048], hex[65];
    uint8_t key[VAULT_PUBLIC_KEY_SIZE], bytes[CHALLENGE_BODY_SIZE_MAX], read[CHALLENGE_BODY_SIZE_MAX];
    size_t size, read_size;
    struct store_keys keys;
    folder_make(folder);
    keys_make(folder, "key", &keys);
    struct vault *vault = keys_open(&keys);
    struct challenge_body body = payment();
    vault_public_key(vault, key);
    challenge_key_id(key, body.key_id);
    assert_code(challenge_body_encode(&body, bytes, &size), OK);
    assert_code(challenge_uri_make(vault, bytes, size, uri), OK);
    assert_code(challenge_uri_read(uri, strlen(uri), key, read, &read_size), OK);
    assert_int_equal(read_size, size);
    assert_memory_equal(read, bytes, size);
    /* An exchange is no device's to read, whoever signed it. */
    char exchange_uri[CHALLENGE_URI_SIZE_MAX + 1];
    uint8_t exchange_bytes[CHALLENGE_BODY_SIZE_MAX];
    size_t exchange_size;
    struct challenge_body exchange = {.purpose = CHALLENGE_EXCHANGE, .fields = {text("11112222"), text("33334444")}};
    memcpy(exchange.key_id, body.key_id, sizeof exchange.key_id);
    assert_code(challenge_body_encode(&exchange, exchange_bytes, &exchange_size), OK);
    assert_code(challenge_uri_make(vault, exchange_bytes, exchange_size, exchange_uri), OK);
    assert_code(challenge_uri_read(exchange_uri, strlen(exchange_uri), key, read, &read_size), CHALLENGE_BAD_BODY);
    for (int i = 0; i < VAULT_PUBLIC_KEY_SIZE; i++) snprintf(hex + 2 * i, 3, "%02x", key[i]);
    snprintf(command, sizeof command, "printf %%s %s | python3 %s/python/qr_device.py read %s", uri, TESTS_FOLDER, hex);
    FILE *device = popen(command, "r");
    assert_non_null(device);
    said[fread(said, 1, sizeof said - 1, device)] = 0;
    assert_int_equal(pclose(device), 0);
    assert_non_null(strstr(said, "\"amount\": \"1250.00\", \"currency\": \"EUR\", \"payee\": \"Ana P\xc3\xa9rez\""));
    assert_non_null(strstr(said, "\"expires\": 1800000000, \"id\": \"01020300000000000000000000000000\""));
    vault_close(vault);
    folder_remove(folder);
}

static void the_store_signs_only_bodies_that_are_whole_and_name_its_key(void **state)
{
    (void)state;
    char folder[64], uri[CHALLENGE_URI_SIZE_MAX + 1];
    uint8_t bytes[CHALLENGE_BODY_SIZE_MAX], key[VAULT_PUBLIC_KEY_SIZE];
    size_t size;
    struct store_keys keys;
    folder_make(folder);
    keys_make(folder, "key", &keys);
    struct vault *vault = keys_open(&keys);
    struct challenge_body body = payment();
    assert_code(challenge_body_encode(&body, bytes, &size), OK);
    assert_code(challenge_uri_make(vault, bytes, size, uri), CHALLENGE_BAD_BODY);
    vault_public_key(vault, key);
    challenge_key_id(key, body.key_id);
    assert_code(challenge_body_encode(&body, bytes, &size), OK);
    assert_code(challenge_uri_make(vault, bytes, size - 1, uri), CHALLENGE_BAD_BODY);
    assert_code(challenge_uri_make(vault, bytes, size, uri), OK);
    vault_close(vault);
    folder_remove(folder);
}

static void what_a_device_would_refuse_is_not_encoded(void **state)
{
    (void)state;
    uint8_t bytes[CHALLENGE_BODY_SIZE_MAX];
    size_t size = 77;
    struct challenge_body body = payment();
    body.purpose = CHALLENGE_LOGIN;
    assert_code(challenge_body_encode(&body, bytes, &size), CHALLENGE_FIELDS);
    body = payment(), body.fields[CHALLENGE_PAYEE] = text(NULL);
    assert_code(challenge_body_encode(&body, bytes, &size), CHALLENGE_FIELDS);
    body = payment(), body.fields[CHALLENGE_AMOUNT] = text("1.250,00");
    assert_code(challenge_body_encode(&body, bytes, &size), CHALLENGE_BAD_AMOUNT);
    body = payment(), body.fields[CHALLENGE_PAYEE] = text("Ana\xe2\x80\xae");
    assert_code(challenge_body_encode(&body, bytes, &size), CHALLENGE_BAD_TEXT);
    body = payment(), body.flags = 8;
    assert_code(challenge_body_encode(&body, bytes, &size), CHALLENGE_BAD_BODY);
    body = payment(), body.purpose = (enum challenge_purpose)6;
    assert_code(challenge_body_encode(&body, bytes, &size), CHALLENGE_BAD_BODY);
    body.purpose = (enum challenge_purpose)0;
    assert_code(challenge_body_encode(&body, bytes, &size), CHALLENGE_BAD_BODY);
    assert_int_equal(size, 77);
}

static void the_longest_body_fits_its_uri_and_a_qr_code(void **state)
{
    (void)state;
    char folder[64], uri[CHALLENGE_URI_SIZE_MAX + 1], long_text[201];
    uint8_t key[VAULT_PUBLIC_KEY_SIZE], bytes[CHALLENGE_BODY_SIZE_MAX];
    size_t size;
    struct store_keys keys;
    folder_make(folder);
    keys_make(folder, "key", &keys);
    struct vault *vault = keys_open(&keys);
    memset(long_text, 'x', sizeof long_text);
    struct challenge_body body = payment();
    vault_public_key(vault, key);
    challenge_key_id(key, body.key_id);
    static const size_t longest[] = {64, 200, 0, 0, 70, 140};
    for (int f = 0; f < CHALLENGE_FIELD_COUNT; f++)
        if (longest[f]) body.fields[f] = (struct challenge_text){.bytes = long_text, .size = longest[f]};
    body.fields[CHALLENGE_AMOUNT] = text("123456789012345.1234");
    assert_code(challenge_body_encode(&body, bytes, &size), OK);
    assert_int_equal(size, CHALLENGE_BODY_SIZE_MAX);
    assert_code(challenge_uri_make(vault, bytes, size, uri), OK);
    assert_int_equal(strlen(uri), CHALLENGE_URI_SIZE_MAX);
    assert_int_equal(CHALLENGE_URI_SIZE_MAX, 996); /* as QR.md says; a symbol takes 4,296 such characters */
    vault_close(vault);
    folder_remove(folder);
}

static void offline_questions_are_those_of_the_device_page(void **state)
{
    (void)state;
    char line[512], format, hex[65], expected[65], text_made[OCRA_QUESTION_SIZE_MAX + 1];
    uint8_t digest[CHALLENGE_DIGEST_SIZE];
    unsigned length;
    int refused = 0, made = 0;
    FILE *file = vectors("challenge_questions.csv");
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        expected[0] = 0;
        assert_true(sscanf(line, "%c,%u,%64[0-9a-f],%64[0-9A-Za-z]", &format, &length, hex, expected) >= 3);
        char name[64];
        struct ocra_suite suite;
        snprintf(name, sizeof name, "OCRA-1:HOTP-SHA256-8:Q%c%02u", format, length);
        assert_code(ocra_suite_parse(name, strlen(name), &suite), OK);
        hex_bytes(hex, digest);
        struct result result = challenge_question(&suite, digest, text_made);
        if (!expected[0]) {
            assert_code(result, BAD_SUITE);
            refused++;
            continue;
        }
        assert_code(result, OK);
        assert_string_equal(text_made, expected);
        struct ocra_message message;
        struct ocra_input input = {.questions = {{.text = text_made, .size = strlen(text_made)}}};
        assert_code(ocra_message_make(&suite, &input, &message), OK);
        made++;
    }
    fclose(file);
    assert_int_equal(refused, 15);
    assert_int_equal(made, 27);
}

static void a_binding_covers_account_channel_client_and_session(void **state)
{
    (void)state;
    uint8_t account[16] = {1}, other[16] = {2}, binding[16], changed[16];
    challenge_binding(account, CHALLENGE_BY_PUSH, 7, "session", 7, binding);
    challenge_binding(account, CHALLENGE_BY_PUSH, 7, "session", 7, changed);
    assert_memory_equal(binding, changed, 16);
    challenge_binding(other, CHALLENGE_BY_PUSH, 7, "session", 7, changed);
    assert_memory_not_equal(binding, changed, 16);
    challenge_binding(account, CHALLENGE_BY_QR, 7, "session", 7, changed);
    assert_memory_not_equal(binding, changed, 16);
    challenge_binding(account, CHALLENGE_BY_PUSH, 8, "session", 7, changed);
    assert_memory_not_equal(binding, changed, 16);
    challenge_binding(account, CHALLENGE_BY_PUSH, 7, "sessioN", 7, changed);
    assert_memory_not_equal(binding, changed, 16);
    challenge_binding(account, CHALLENGE_BY_PUSH, 7, "session", 6, changed);
    assert_memory_not_equal(binding, changed, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_uri_of_the_device_page_is_read_or_refused_by_name),
        cmocka_unit_test(every_body_that_is_read_is_written_the_same),
        cmocka_unit_test(a_uri_with_any_bit_of_its_text_changed_is_refused),
        cmocka_unit_test(a_body_cut_short_or_with_a_byte_more_is_refused),
        cmocka_unit_test(the_device_of_the_page_reads_what_the_engine_signs),
        cmocka_unit_test(the_store_signs_only_bodies_that_are_whole_and_name_its_key),
        cmocka_unit_test(what_a_device_would_refuse_is_not_encoded),
        cmocka_unit_test(the_longest_body_fits_its_uri_and_a_qr_code),
        cmocka_unit_test(offline_questions_are_those_of_the_device_page),
        cmocka_unit_test(a_binding_covers_account_channel_client_and_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
