/* Responses: RFC 6287 section 5.2, CryptoFunction = HOTP-H-t. */
#include "otp/ocra.h"

#include <string.h>

static const uint8_t digest_sizes[KERNEL_ALGORITHM_COUNT] = {20, 32, 64};

uint64_t ocra_step(const struct ocra_suite *suite, int64_t unix_s)
{
    return suite->step_s && unix_s > 0 ? (uint64_t)unix_s / suite->step_s : 0;
}

size_t ocra_response_size(const struct ocra_suite *suite)
{
    return suite->digits ? suite->digits : (size_t)2 * digest_sizes[suite->algorithm];
}

/* RFC 4226 section 5.3; of ten digits the first is 0, 1 or 2, since 31 bits have no more. */
static void digits_write(const uint8_t *digest, size_t size, unsigned digits, char *ret_text)
{
    uint32_t value = kernel_truncate(digest, size);
    for (unsigned i = digits; i-- > 0; value /= 10) ret_text[i] = (char)('0' + value % 10);
    ret_text[digits] = 0;
}

/* Without a table, whose addresses would be made of the digest. */
static char hexadecimal(unsigned value)
{
    return (char)('0' + value + ((value + 6) >> 4) * ('a' - '9' - 1));
}

static void hexadecimal_write(const uint8_t *digest, size_t size, char *ret_text)
{
    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = hexadecimal(digest[i] >> 4);
        ret_text[2 * i + 1] = hexadecimal(digest[i] & 15);
    }
    ret_text[2 * size] = 0;
}

void ocra_respond(const struct ocra_suite *suite, const void *midstates, const struct ocra_message *message,
                  char ret_text[OCRA_RESPONSE_SIZE_MAX + 1])
{
    uint8_t digest[KERNEL_DIGEST_SIZE_MAX];
    size_t size = digest_sizes[suite->algorithm];
    kernel_hmac(suite->algorithm, midstates, message->bytes, message->size, digest);
    if (suite->digits)
        digits_write(digest, size, suite->digits, ret_text);
    else
        hexadecimal_write(digest, size, ret_text);
    explicit_bzero(digest, sizeof digest);
}

void ocra_respond_with_seed(const struct ocra_suite *suite, const uint8_t *seed, size_t seed_size,
                            const struct ocra_message *message, char ret_text[OCRA_RESPONSE_SIZE_MAX + 1])
{
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    kernel_midstates(suite->algorithm, seed, seed_size, midstates);
    ocra_respond(suite, midstates, message, ret_text);
    explicit_bzero(midstates, sizeof midstates);
}

struct result ocra_response_check(const struct ocra_suite *suite, const char *text, size_t size)
{
    if (size != ocra_response_size(suite)) return result_of(BAD_RESPONSE);
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool decimal = c >= '0' && c <= '9';
        bool hexadecimal = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!decimal && !(hexadecimal && suite->digits == 0)) return result_of(BAD_RESPONSE);
    }
    return result_ok();
}

bool ocra_fits(const struct ocra_suite *suite, const void *midstates, const struct ocra_message *message,
               const char *typed, size_t typed_size)
{
    char expected[OCRA_RESPONSE_SIZE_MAX + 1] = {0};
    if (typed_size != ocra_response_size(suite)) return false;
    ocra_respond(suite, midstates, message, expected);
    /* Bit 5 tells 'A' from 'a' and is set in every digit. */
    unsigned differs = 0;
    for (size_t i = 0; i < typed_size; i++) differs |= (unsigned)(uint8_t)(expected[i] ^ (typed[i] | 0x20));
    explicit_bzero(expected, sizeof expected);
    return differs == 0;
}
