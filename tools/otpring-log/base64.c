#include "base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t size, char *ret_text)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)from[i] << 16;
        if (left > 1) group |= (uint32_t)from[i + 1] << 8;
        if (left > 2) group |= from[i + 2];
        *ret_text++ = digits[group >> 18];
        *ret_text++ = digits[group >> 12 & 63];
        *ret_text++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *ret_text++ = left > 2 ? digits[group & 63] : '=';
    }
    *ret_text = '\0';
}

static int value_of(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool base64_decode(const char *text, size_t text_size, void *ret_bytes, size_t size)
{
    uint8_t *to = ret_bytes;
    if (text_size != BASE64_SIZE(size)) return false;
    for (size_t done = 0; done < size; done += 3, text += 4) {
        size_t left = size - done;
        int values[4];
        for (int i = 0; i < 4; i++) values[i] = value_of(text[i]);
        if (left < 3 && text[3] == '=') values[3] = 0;
        if (left < 2 && text[2] == '=') values[2] = 0;
        if (values[0] < 0 || values[1] < 0 || values[2] < 0 || values[3] < 0) return false;
        uint32_t group = (uint32_t)(values[0] << 18 | values[1] << 12 | values[2] << 6 | values[3]);
        /* What stands behind the last byte must be nothing. */
        if ((left == 1 && group & 0xffff) || (left == 2 && group & 0xff)) return false;
        if (left < 3 && text[3] != '=') return false;
        if (left < 2 && text[2] != '=') return false;
        *to++ = (uint8_t)(group >> 16);
        if (left > 1) *to++ = (uint8_t)(group >> 8);
        if (left > 2) *to++ = (uint8_t)group;
    }
    return true;
}
