/* Hostile otpauth URIs and base32: nothing breaks the decoders, and what they take comes back the same. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "otp/otp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void uri_round_trip(const char *text, size_t size)
{
    static struct otp_uri first, again;
    char formatted[2600];
    if (result_failed(otp_uri_parse(text, size, &first))) return;
    CHECK(!result_failed(otp_uri_format(&first, formatted, sizeof formatted)));
    CHECK(!result_failed(otp_uri_parse(formatted, strlen(formatted), &again)));
    CHECK(first.parameters.type == again.parameters.type && first.parameters.algorithm == again.parameters.algorithm);
    CHECK(first.parameters.digits == again.parameters.digits);
    CHECK(first.parameters.period_s == again.parameters.period_s && first.counter == again.counter);
    CHECK(first.seed_size == again.seed_size && memcmp(first.seed, again.seed, first.seed_size) == 0);
    CHECK(strcmp(first.issuer, again.issuer) == 0 && strcmp(first.account, again.account) == 0);
}

static void base32_round_trip(const char *text, size_t size)
{
    uint8_t bytes[OTP_SEED_SIZE_MAX], back[OTP_SEED_SIZE_MAX];
    char encoded[OTP_SEED_SIZE_MAX * 2];
    size_t decoded_size, back_size;
    if (result_failed(otp_base32_decode(text, size, bytes, sizeof bytes, &decoded_size))) return;
    CHECK(!result_failed(otp_base32_encode(bytes, decoded_size, encoded, sizeof encoded)));
    CHECK(!result_failed(otp_base32_decode(encoded, strlen(encoded), back, sizeof back, &back_size)));
    CHECK(decoded_size == back_size && memcmp(bytes, back, back_size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t code;
    uint8_t digits;
    /* A copy of the exact size, so that a read past the end is seen. */
    char *text = malloc(size ? size : 1);
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    uri_round_trip(text, size);
    base32_round_trip(text, size);
    if (!result_failed(otp_code_parse(text, size, &code, &digits))) CHECK(digits == size && code < 100000000);
    free(text);
    return 0;
}
