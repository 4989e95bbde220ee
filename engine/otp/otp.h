/* One-time password arithmetic: pure functions, no state, any thread.
 * Sources: RFC 4226 (HOTP), RFC 6238 (TOTP), RFC 4648 section 6 (base32), the otpauth key URI format. */
#ifndef OTPRING_OTP_OTP_H
#define OTPRING_OTP_OTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "kernel/kernel.h"

enum otp_type { OTP_HOTP = 0, OTP_TOTP = 1, OTP_OCRA = 2 /* ocra.h; of the functions below none takes it */ };

enum {
    OTP_SEED_SIZE_MIN = 10,
    OTP_SEED_SIZE_MAX = 128,
    OTP_PERIOD_S_MIN = 1,
    OTP_PERIOD_S_MAX = 3600,
    OTP_DIGITS_MIN = 6,
    OTP_DIGITS_MAX = 8,
};

/* Everything about a token that its user's app or fob also knows, but for the seed. */
struct otp_parameters {
    enum otp_type type;
    enum kernel_algorithm algorithm;
    uint8_t digits;    /* 6, 7, 8 */
    uint32_t period_s; /* TOTP only, else 0 */
    int64_t t0_s;      /* TOTP only: Unix time of step 0 (RFC 6238 T0) */
};

/* BAD_DIGITS, BAD_PERIOD, BAD_ARGUMENT, or STEP_TOO_FAR when a step of the next 50 years after now_s would not fit 32
 * bits or now_s lies before T0. */
struct result otp_check_parameters(const struct otp_parameters *parameters, int64_t now_s) MUST_USE;

/* The code as a number: HOTP(seed, counter) of RFC 4226 5.3, any algorithm. */
uint32_t otp_code(const struct otp_parameters *parameters, const uint8_t *seed, size_t seed_size, uint64_t counter);

/* TOTP step of a Unix time (RFC 6238 4.2): floor((unix_s - T0) / period); times before T0 give a negative step. */
int64_t otp_step(const struct otp_parameters *parameters, int64_t unix_s);

/* A code as users read it: exactly `digits` decimal digits and a NUL; ret has at least 9 bytes. */
void otp_code_text(uint32_t code, unsigned digits, char ret_text[9]);

/* The only spelling of a code that is taken: exactly 6 to 8 ASCII digits, no blank, no sign. BAD_DIGITS or
 * BAD_ARGUMENT. */
struct result otp_code_parse(const char *text, size_t size, uint32_t *ret_code, uint8_t *ret_digits) MUST_USE;

/* Base32 of RFC 4648 6, unpadded, upper case. Decoding takes lower case, trailing '=' and (as printed by many apps)
 * single blanks or dashes between groups; nothing else. Encoding writes a NUL. Errors: BAD_BASE32, FULL when ret is too
 * small. Non-zero trailing bits are refused. */
struct result otp_base32_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t capacity,
                                size_t *ret_size) MUST_USE;
struct result otp_base32_encode(const uint8_t *bytes, size_t size, char *ret_text, size_t capacity) MUST_USE;

enum { OTP_NAME_SIZE_MAX = 255 };

/* One otpauth URI. Owns its bytes; holds a seed: wipe after use (otp_uri_wipe). */
struct otp_uri {
    struct otp_parameters parameters;
    uint64_t counter; /* HOTP: the next counter to be used */
    uint8_t seed[OTP_SEED_SIZE_MAX];
    size_t seed_size;
    char issuer[OTP_NAME_SIZE_MAX + 1];  /* UTF-8, may be empty */
    char account[OTP_NAME_SIZE_MAX + 1]; /* UTF-8, not empty */
};

/* Hostile input. Defaults where a parameter is left out: SHA1, 6 digits, 30 s, T0 0. Unknown parameters are passed
 * over; a repeated one, a label issuer that contradicts the issuer parameter, and HOTP without a counter are refused.
 * Errors: BAD_URI, URI_..., BAD_TYPE, BAD_ALGORITHM, BAD_COUNTER, BAD_BASE32, BAD_SECRET_SIZE, BAD_DIGITS, BAD_PERIOD,
 * BAD_NAME. */
struct result otp_uri_parse(const char *text, size_t size, struct otp_uri *ret_uri) MUST_USE;
/* Writes the URI with every parameter and a NUL. FULL when capacity is too small (2,600 bytes always suffice). */
struct result otp_uri_format(const struct otp_uri *uri, char *ret_text, size_t capacity) MUST_USE;
void otp_uri_wipe(struct otp_uri *uri);

#endif
