/* The reading of an OCRA suite: RFC 6287 section 6. */
#include <string.h>

#include "otp/ocra.h"

/* What is left of the text. */
struct words {
    const char *at;
    size_t left;
};

static bool take_text(struct words *words, const char *text)
{
    size_t size = strlen(text);
    if (words->left < size || memcmp(words->at, text, size) != 0) return false;
    words->at += size;
    words->left -= size;
    return true;
}

/* One to `digits_max` decimal digits. */
static bool take_number(struct words *words, unsigned digits_max, unsigned *ret_value, unsigned *ret_digits)
{
    unsigned value = 0, digits = 0;
    while (digits < digits_max && digits < words->left && words->at[digits] >= '0' && words->at[digits] <= '9')
        value = value * 10 + (unsigned)(words->at[digits++] - '0');
    if (digits == 0) return false;
    words->at += digits;
    words->left -= digits;
    *ret_value = value;
    *ret_digits = digits;
    return true;
}

/* Whether the word ends here: at the end of the text, or before the hyphen of the next one. */
static bool at_end_of_word(const struct words *words)
{
    return words->left == 0 || *words->at == '-';
}

/* The next word, if it begins so. */
static bool take_word(struct words *words, const char *letter)
{
    struct words ahead = *words;
    if (!take_text(&ahead, "-") || !take_text(&ahead, letter)) return false;
    *words = ahead;
    return true;
}

static bool hash_read(struct words *words, enum kernel_algorithm *ret_algorithm)
{
    static const char *const names[KERNEL_ALGORITHM_COUNT] = {"SHA1", "SHA256", "SHA512"};
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++)
        if (take_text(words, names[a])) {
            *ret_algorithm = (enum kernel_algorithm)a;
            return true;
        }
    return false;
}

static bool function_read(struct words *words, struct ocra_suite *suite)
{
    unsigned digits, spelled;
    if (!take_text(words, "OCRA-1:HOTP-") || !hash_read(words, &suite->algorithm) || !take_text(words, "-"))
        return false;
    const char *first = words->at;
    if (!take_number(words, 2, &digits, &spelled) || !take_text(words, ":")) return false;
    if (spelled == 2 && *first == '0') return false;
    if (digits != 0 && (digits < 4 || digits > 10)) return false;
    suite->digits = (uint8_t)digits;
    return true;
}

static bool question_read(struct words *words, struct ocra_suite *suite)
{
    unsigned size, spelled;
    if (!take_text(words, "Q")) return false;
    suite->format = OCRA_NUMERIC;
    suite->question_max = 8;
    if (at_end_of_word(words)) return true;
    if (!memchr("ANH", *words->at, 3)) return false;
    suite->format = (enum ocra_format) * words->at;
    words->at++;
    words->left--;
    if (!take_number(words, 2, &size, &spelled) || size < OCRA_QUESTION_SIZE_MIN || size > OCRA_QUESTION_SIZE_MAX)
        return false;
    suite->question_max = (uint8_t)size;
    return true;
}

static bool pin_read(struct words *words, struct ocra_suite *suite)
{
    static const uint8_t sizes[KERNEL_ALGORITHM_COUNT] = {20, 32, 64};
    if (!take_word(words, "P")) return true;
    suite->pin_algorithm = KERNEL_SHA1;
    if (!at_end_of_word(words) && !hash_read(words, &suite->pin_algorithm)) return false;
    suite->pin_hash_size = sizes[suite->pin_algorithm];
    return true;
}

static bool session_read(struct words *words, struct ocra_suite *suite)
{
    unsigned size = 64, spelled = 3;
    if (!take_word(words, "S")) return true;
    if (!at_end_of_word(words) && !take_number(words, 3, &size, &spelled)) return false;
    if (size == 0 || spelled != 3) return false;
    suite->session_size = (uint16_t)size;
    return true;
}

static bool time_read(struct words *words, struct ocra_suite *suite)
{
    static const struct unit {
        const char *letter;
        unsigned max;
        uint32_t seconds;
    } units[] = {{"S", 59, 1}, {"M", 59, 60}, {"H", 48, 3600}};
    unsigned size, spelled;
    if (!take_word(words, "T")) return true;
    suite->step_s = 60;
    if (at_end_of_word(words)) return true;
    if (*words->at == '0' || !take_number(words, 2, &size, &spelled)) return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (take_text(words, units[i].letter)) {
            suite->step_s = size * units[i].seconds;
            return size <= units[i].max;
        }
    return false;
}

struct result ocra_suite_parse(const char *text, size_t size, struct ocra_suite *ret_suite)
{
    struct ocra_suite suite = {0};
    struct words words = {.at = text, .left = size};
    if (size > OCRA_SUITE_SIZE_MAX || !function_read(&words, &suite)) return result_of(BAD_SUITE);
    suite.counter = take_text(&words, "C-");
    if (!question_read(&words, &suite) || !pin_read(&words, &suite) || !session_read(&words, &suite) ||
        !time_read(&words, &suite) || words.left > 0)
        return result_of(BAD_SUITE);
    memcpy(suite.text, text, size);
    suite.text_size = (uint8_t)size;
    *ret_suite = suite;
    return result_ok();
}

void ocra_suite_server(const struct ocra_suite *suite, struct ocra_suite *ret_server)
{
    struct ocra_suite server = *suite;
    /* No other word of a suite begins with a P. */
    char *pin = suite->pin_hash_size ? strstr(server.text, "-P") : NULL;
    if (pin) {
        const char *behind = strchr(pin + 1, '-');
        if (!behind) behind = server.text + server.text_size;
        size_t left = (size_t)(server.text + server.text_size - behind);
        server.text_size = (uint8_t)((size_t)(pin - server.text) + left);
        memmove(pin, behind, left);
        memset(server.text + server.text_size, 0, sizeof server.text - server.text_size);
        server.pin_hash_size = 0;
    }
    *ret_server = server;
}
