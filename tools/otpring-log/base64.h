/* Base64 of RFC 4648 section 4, with padding, strict: no white space, no bits left over. */
#ifndef TOOLS_OTPRING_LOG_BASE64_H
#define TOOLS_OTPRING_LOG_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* ret_text: BASE64_SIZE(size) characters and a zero byte. */
void base64_encode(const void *bytes, size_t size, char *ret_text);
/* Exactly `size` bytes, or false. */
bool base64_decode(const char *text, size_t text_size, void *ret_bytes, size_t size);

#endif
