#include "challenge/text.h"

#include <stdint.h>

struct range {
    uint32_t first, last;
};

/* As the header lists them. Source: Unicode 15, DerivedCoreProperties (Default_Ignorable_Code_Point) and the
 * bidirectional formatting characters of UAX 9. */
static const struct range hidden[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x061c, 0x061c},
    {0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static bool is_hidden(uint32_t character)
{
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (character >= hidden[i].first && character <= hidden[i].last) return true;
    return false;
}

/* One character, in its shortest form and no surrogate; 0 bytes when it is not there. */
static size_t character_read(const uint8_t *at, size_t left, uint32_t *ret_character)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;
    if (size == 0 || size > left) return 0;
    uint32_t character = size == 1 ? *at : *at & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        character = character << 6 | (at[i] & 0x3f);
    }
    if (character < least[size] || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff)) return 0;
    *ret_character = character;
    return size;
}

bool text_may_be_shown(const char *text, size_t size)
{
    if (size == 0 || text[0] == ' ' || text[size - 1] == ' ') return false;
    for (size_t at = 0, step; at < size; at += step) {
        uint32_t character;
        step = character_read((const uint8_t *)text + at, size - at, &character);
        if (step == 0 || is_hidden(character)) return false;
    }
    return true;
}

static size_t digits_count(const char *text, size_t size)
{
    size_t count = 0;
    while (count < size && text[count] >= '0' && text[count] <= '9') count++;
    return count;
}

bool text_is_amount(const char *text, size_t size)
{
    size_t whole = digits_count(text, size);
    if (whole == 0 || whole > 15 || (whole > 1 && text[0] == '0')) return false;
    if (whole == size) return true;
    if (text[whole] != '.') return false;
    size_t part = size - whole - 1;
    return part >= 1 && part <= 4 && digits_count(text + whole + 1, part) == part;
}

bool text_is_currency(const char *text, size_t size)
{
    if (size != 3) return false;
    for (size_t i = 0; i < 3; i++)
        if (text[i] < 'A' || text[i] > 'Z') return false;
    return true;
}
