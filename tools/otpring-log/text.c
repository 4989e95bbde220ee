#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

enum { REPLACEMENT = 0xfffd, NUMBER_SIZE = 24, CAPACITY_FIRST = 4096 };

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

void text_reserve(struct text *text, size_t size)
{
    if (text->capacity - text->size >= size) return;
    size_t more = text->capacity ? text->capacity : CAPACITY_FIRST;
    while (more - text->size < size) more *= 2;
    char *bigger = realloc(text->bytes, more);
    if (!bigger) exit(complain(EXIT_UNAVAILABLE, "%s", result_text(result_of(NO_MEMORY))));
    text->bytes = bigger;
    text->capacity = more;
}

void text_unsigned(struct text *text, uint64_t number)
{
    char digits[NUMBER_SIZE];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text_bytes(text, digits + at, sizeof digits - at);
}

void text_signed(struct text *text, int64_t number)
{
    if (number < 0) text_char(text, '-');
    text_unsigned(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void text_hex(struct text *text, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    text_reserve(text, 2 * size);
    for (size_t i = 0; i < size; i++) {
        text->bytes[text->size++] = digits[bytes[i] >> 4];
        text->bytes[text->size++] = digits[bytes[i] & 15];
    }
}

void text_hex64(struct text *text, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    text_hex(text, bytes, sizeof bytes);
}

void text_format(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (size < 0) return;
    text_reserve(text, (size_t)size + 1);
    va_start(list, format);
    vsnprintf(text->bytes + text->size, (size_t)size + 1, format, list);
    va_end(list);
    text->size += (size_t)size;
}

static void put_digits(char *at, unsigned number, unsigned digits)
{
    for (; digits > 0; number /= 10) at[--digits] = (char)('0' + number % 10);
}

/* Records of a block bear one time, and seconds many blocks: the last one written is at hand. */
void text_time(struct text *text, int64_t time_ms)
{
    static _Thread_local int64_t last_s = -1;
    static _Thread_local char last[sizeof "2026-01-31T12:00:00.000Z"];
    int64_t seconds = time_ms / 1000;
    if (time_ms < 0 || seconds > 253402300799) { /* the year 9999 */
        text_signed(text, time_ms);
        text_string(text, "ms");
        return;
    }
    if (seconds != last_s) {
        struct tm utc;
        time_t whole = (time_t)seconds;
        gmtime_r(&whole, &utc);
        memcpy(last, "0000-00-00T00:00:00.000Z", sizeof last);
        put_digits(last, (unsigned)utc.tm_year + 1900, 4);
        put_digits(last + 5, (unsigned)utc.tm_mon + 1, 2);
        put_digits(last + 8, (unsigned)utc.tm_mday, 2);
        put_digits(last + 11, (unsigned)utc.tm_hour, 2);
        put_digits(last + 14, (unsigned)utc.tm_min, 2);
        put_digits(last + 17, (unsigned)utc.tm_sec, 2);
        last_s = seconds;
    }
    put_digits(last + 20, (unsigned)(time_ms % 1000), 3);
    text_bytes(text, last, sizeof last - 1);
}

/* ---- foreign text ---- */

/* The next character, shortest form only; REPLACEMENT for what is none. RFC 3629. */
static uint32_t next_point(const unsigned char **at, const unsigned char *end)
{
    const unsigned char *c = *at;
    unsigned more = *c < 0x80                 ? 0
                    : *c >= 0xc2 && *c < 0xe0 ? 1
                    : *c >= 0xe0 && *c < 0xf0 ? 2
                    : *c >= 0xf0 && *c < 0xf5 ? 3
                                              : 4;
    *at = c + 1;
    if (more == 0) return *c;
    if (more == 4 || (size_t)(end - c) <= more) return REPLACEMENT;
    uint32_t point = *c & (0x3fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        if ((c[i] & 0xc0) != 0x80) return REPLACEMENT;
        point = point << 6 | (c[i] & 0x3fu);
    }
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return REPLACEMENT;
    *at = c + 1 + more;
    return point;
}

/* Controls (C0, DEL, C1), line and paragraph separators, and what turns the direction of text or takes no room, so that
 * one name could look like another. */
static bool hidden(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0xad || point == 0x61c || point == 0x180e ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || (point >= 0xfff9 && point <= 0xfffb) || point == 0xfeff ||
           (point >= 0xe0000 && point <= 0xe0fff);
}

static void put_point(struct text *text, uint32_t point)
{
    char bytes[4];
    if (point < 0x80) {
        text_char(text, (char)point);
        return;
    }
    unsigned more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t leads[4] = {0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(leads[more] | point >> (6 * more));
    for (unsigned i = 1; i <= more; i++) bytes[i] = (char)(0x80 | (point >> (6 * (more - i)) & 0x3f));
    text_bytes(text, bytes, more + 1);
}

static void put_word(struct text *text, uint32_t point)
{
    bool split = point == ' ' || point == 0xa0 || point == 0x3000 || (point >= 0x2000 && point <= 0x200a) ||
                 point == 0x202f || point == 0x205f || point == 0x1680;
    if (!hidden(point) && !split && point != '"' && point != '\\' && point != '%' && point != '/') {
        put_point(text, point);
        return;
    }
    struct text raw = {0};
    put_point(&raw, point);
    for (size_t i = 0; i < raw.size; i++) text_format(text, "%%%02x", (unsigned char)raw.bytes[i]);
    text_free(&raw);
}

static void put_plain(struct text *text, uint32_t point)
{
    if (hidden(point))
        text_format(text, "\\u{%x}", point);
    else if (point == '\\')
        text_string(text, "\\\\");
    else
        put_point(text, point);
}

static void put_json(struct text *text, uint32_t point)
{
    if (hidden(point) && point > 0xffff)
        text_format(text, "\\u%04x\\u%04x", 0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
    else if (hidden(point))
        text_format(text, "\\u%04x", point);
    else if (point == '"' || point == '\\')
        text_format(text, "\\%c", (int)point);
    else
        put_point(text, point);
}

static void put_csv(struct text *text, uint32_t point)
{
    if (hidden(point))
        text_format(text, "\\u{%x}", point);
    else if (point == '"')
        text_string(text, "\"\"");
    else
        put_point(text, point);
}

static void put_cef(struct text *text, uint32_t point)
{
    if (point == '\\' || point == '=')
        text_format(text, "\\%c", (int)point);
    else if (point == '\n' || point == '\r')
        text_string(text, point == '\n' ? "\\n" : "\\r");
    else if (hidden(point))
        text_format(text, "\\\\u{%x}", point);
    else
        put_point(text, point);
}

/* Letters, digits, dots, hyphens and low lines stand for themselves everywhere. */
static bool plain_everywhere(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

static void each_point(struct text *text, const char *foreign, size_t size, void (*put)(struct text *, uint32_t))
{
    const unsigned char *at = (const unsigned char *)foreign;
    const unsigned char *end = at + size;
    while (at < end) {
        const unsigned char *run = at;
        while (at < end && plain_everywhere(*at)) at++;
        text_bytes(text, run, (size_t)(at - run));
        if (at < end) put(text, next_point(&at, end));
    }
}

void text_word(struct text *text, const char *foreign, size_t size)
{
    each_point(text, foreign, size, put_word);
}

void text_plain(struct text *text, const char *foreign, size_t size)
{
    each_point(text, foreign, size, put_plain);
}

void text_json(struct text *text, const char *foreign, size_t size)
{
    text_char(text, '"');
    each_point(text, foreign, size, put_json);
    text_char(text, '"');
}

void text_csv(struct text *text, const char *foreign, size_t size)
{
    text_char(text, '"');
    if (size > 0 && strchr("=+-@\t\r", foreign[0])) text_char(text, '\'');
    each_point(text, foreign, size, put_csv);
    text_char(text, '"');
}

void text_cef(struct text *text, const char *foreign, size_t size)
{
    each_point(text, foreign, size, put_cef);
}
