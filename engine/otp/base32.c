/* Base32 of RFC 4648 section 6, as authenticator apps print it. */
#include <string.h>

#include "otp/otp.h"

enum { GROUP_BITS = 5 };

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a';
    if (c >= '2' && c <= '7') return c - '2' + 26;
    return -1;
}

/* How many characters a whole number of bytes can have in its last group of eight: 0, 2, 4, 5, 7. */
static bool length_possible(size_t characters)
{
    size_t rest = characters % 8;
    return rest != 1 && rest != 3 && rest != 6;
}

struct result otp_base32_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t capacity, size_t *ret_size)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t characters = 0, written = 0;
    while (size > 0 && text[size - 1] == '=') size--;
    for (size_t i = 0; i < size; i++) {
        bool between = i > 0 && i + 1 < size && value_of(text[i - 1]) >= 0 && value_of(text[i + 1]) >= 0;
        if ((text[i] == ' ' || text[i] == '-') && between) continue;
        int value = value_of(text[i]);
        if (value < 0) return result_of(BAD_BASE32);
        characters++;
        bits = bits << GROUP_BITS | (uint32_t)value;
        bit_count += GROUP_BITS;
        if (bit_count < 8) continue;
        if (written == capacity) return result_of(FULL);
        bit_count -= 8;
        ret_bytes[written++] = (uint8_t)(bits >> bit_count);
        bits &= (1u << bit_count) - 1;
    }
    if (characters == 0 || !length_possible(characters) || bits != 0) return result_of(BAD_BASE32);
    *ret_size = written;
    return result_ok();
}

struct result otp_base32_encode(const uint8_t *bytes, size_t size, char *ret_text, size_t capacity)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    size_t characters = (size * 8 + GROUP_BITS - 1) / GROUP_BITS;
    if (capacity < characters + 1) return result_of(FULL);
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffff;
        for (bit_count += 8; bit_count >= GROUP_BITS; bit_count -= GROUP_BITS)
            ret_text[written++] = alphabet[bits >> (bit_count - GROUP_BITS) & 31];
    }
    if (bit_count) ret_text[written++] = alphabet[bits << (GROUP_BITS - bit_count) & 31];
    ret_text[written] = 0;
    return result_ok();
}
