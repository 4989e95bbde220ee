/* Hostile bytes where devices send theirs: keys, base64url, activation codes, sealed messages; and rows of enrolments.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/enrol.h"
#include "base/base64url.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keys_try(const uint8_t *data, size_t size)
{
    struct device_key key, again;
    uint8_t seal_key[HPKE_PUBLIC_MAX];
    for (enum device_algorithm algorithm = DEVICE_ES256; algorithm <= DEVICE_ED25519; algorithm++) {
        if (!result_failed(device_key_parse(algorithm, data, size, &key))) {
            CHECK(!result_failed(device_key_parse(algorithm, key.bytes, key.size, &again)));
            CHECK(memcmp(&key, &again, sizeof(key)) == 0);
        }
        if (!result_failed(device_seal_key_parse(algorithm, data, size, seal_key))) {
            enum hpke_kem kem = device_kem(algorithm);
            CHECK(!result_failed(hpke_public_check(kem, seal_key, hpke_public_size(kem))));
        }
    }
}

static void texts_try(const char *text)
{
    uint8_t bytes[512];
    char again[BASE64URL_SIZE(sizeof(bytes))], activation[ACTIVATION_SIZE + 1], shown[ACTIVATION_TEXT_SIZE];
    size_t size;
    if (base64url_decode(text, bytes, sizeof(bytes), &size)) {
        base64url_encode(bytes, size, again);
        CHECK(strcmp(again, text) == 0);
    }
    if (activation_parse(text, activation)) {
        char back[ACTIVATION_SIZE + 1];
        activation_text(activation, shown);
        CHECK(activation_parse(shown, back) && strcmp(back, activation) == 0);
    }
}

/* Nothing that was not sealed opens. */
static void sealed_try(const uint8_t *data, size_t size)
{
    static const uint8_t private_key[HPKE_PRIVATE_SIZE] = {1};
    struct hpke_suite suite = {.kem = size & 1 ? HPKE_P256 : HPKE_X25519, .aead = HPKE_AES_256_GCM};
    struct hpke_message none = {0};
    size_t public_size = hpke_public_size((enum hpke_kem)suite.kem);
    uint8_t opened[4096];
    if (size < public_size || size - public_size > sizeof(opened)) return;
    CHECK(result_failed(hpke_open(suite, private_key, data, &none, data + public_size, size - public_size, opened)));
}

static void rows_try(const uint8_t *data, size_t size)
{
    static struct enrolment_row row;
    static struct device_row device;
    uint8_t bytes[PEOPLE_ROW_MAX];
    struct store_bytes value = {data, size};
    if (!result_failed(enrol_row_decode(value, &row))) {
        CHECK(enrol_row_encode(&row, bytes) == size && memcmp(bytes, data, size) == 0);
    }
    if (!result_failed(enrol_device_decode(value, &device))) {
        CHECK(enrol_device_encode(&device, bytes) == size && memcmp(bytes, data, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of the exact size, so that a read past the end is seen. */
    char *text = malloc(size + 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    text[size] = 0;
    keys_try(data, size);
    texts_try(text);
    sealed_try(data, size);
    rows_try(data, size);
    free(text);
    return 0;
}
