/* base64url without padding (RFC 4648, section 5): how bytes stand in the documents that devices send and get. Pure,
 * any thread; the text may be anything. */
#ifndef OTPRING_BASE_BASE64URL_H
#define OTPRING_BASE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of so many bytes, and the NUL behind them. */
#define BASE64URL_SIZE(size) (((size)*4 + 2) / 3 + 1)

void base64url_encode(const void *bytes, size_t size, char *ret_text);
/* False where the text is not the one way to write some bytes, of which there are at most size_max. */
bool base64url_decode(const char *text, void *ret_bytes, size_t size_max, size_t *ret_size);

#endif
