/* Names: what text may be one, and the 16 bytes that stand for it. */
#include "core/core.h"

#include <string.h>

#include "base/check.h"

void core_name(const char *company, size_t company_size, const char *user, size_t user_size, uint8_t ret_name[16])
{
    uint8_t text[2 * SCHEMA_NAME_MAX + 1];
    uint8_t hash[32];
    CHECK(company_size <= SCHEMA_NAME_MAX && user_size <= SCHEMA_NAME_MAX);
    memcpy(text, company, company_size);
    vault_sha256(text, company_size, hash);
    memcpy(ret_name, hash, 8);
    text[company_size] = 0;
    memcpy(text + company_size + 1, user, user_size);
    vault_sha256(text, company_size + 1 + user_size, hash);
    memcpy(ret_name + 8, hash, 8);
}

/* One character of UTF-8 in its shortest form (RFC 3629 section 4): its size, or 0. */
static size_t utf8_size(const uint8_t *at, size_t left)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (size == 0 || size > left) return 0;
    if (size == 1) return at[0] < 0x20 || at[0] == 0x7f ? 0 : 1;
    uint32_t character = at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        character = character << 6 | (at[i] & 0x3fu);
    }
    bool surrogate = character >= 0xd800 && character <= 0xdfff;
    bool control = character >= 0x80 && character < 0xa0;
    return character < least[size] || character > 0x10ffff || surrogate || control ? 0 : size;
}

bool core_text_valid(const char *text, size_t size_min, size_t size_max)
{
    if (!text) return false;
    size_t size = strnlen(text, size_max + 1);
    if (size < size_min || size > size_max) return false;
    for (size_t at = 0; at < size;) {
        size_t step = utf8_size((const uint8_t *)text + at, size - at);
        if (step == 0) return false;
        at += step;
    }
    return true;
}

void core_text_mend(char *text)
{
    size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        size_t step = utf8_size((const uint8_t *)text + at, size - at);
        if (step == 0) text[at] = '?';
        at += step ? step : 1;
    }
}
