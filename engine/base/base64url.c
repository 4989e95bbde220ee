#include "base/base64url.h"

#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(const void *bytes, size_t size, char *ret_text)
{
    const uint8_t *from = bytes;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | from[i];
        for (count += 8; count >= 6; count -= 6) *ret_text++ = letters[bits >> (count - 6) & 63];
    }
    if (count > 0) *ret_text++ = letters[bits << (6 - count) & 63];
    *ret_text = 0;
}

bool base64url_decode(const char *text, void *ret_bytes, size_t size_max, size_t *ret_size)
{
    uint8_t *to = ret_bytes;
    uint32_t bits = 0;
    unsigned count = 0;
    size_t size = 0;
    if (strlen(text) % 4 == 1) return false;
    for (; *text; text++) {
        const char *letter = memchr(letters, *text, sizeof(letters) - 1);
        if (!letter) return false;
        bits = bits << 6 | (uint32_t)(letter - letters);
        count += 6;
        if (count < 8) continue;
        if (size == size_max) return false;
        count -= 8;
        to[size++] = (uint8_t)(bits >> count);
    }
    /* Bits that no byte takes are zero, or there would be two texts for the same bytes. */
    if (bits & ((1u << count) - 1)) return false;
    *ret_size = size;
    return true;
}
