/* The signature of a webhook's body, by which the receiver knows who sent it and when:
 *
 *     Otpring-Signature: t=SECONDS,v1=HEX
 *
 * HEX is HMAC-SHA256 under the shared secret over the decimal seconds since 1970, a dot, and the body as it was sent.
 * The receiver computes it anew, compares in constant time, and refuses a time that is too old (five minutes). */
#ifndef TOOLS_OTPRING_RELAY_SIGN_H
#define TOOLS_OTPRING_RELAY_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGN_SECRET_MAX = 256, SIGN_SECRET_MIN = 16, SIGN_HEADER_SIZE = 128 };

/* The whole header line. False: OpenSSL failed. */
bool sign_body(const uint8_t *secret, size_t secret_size, int64_t time_s, const char *body, size_t size,
               char ret_header[SIGN_HEADER_SIZE]);

#endif
