/* Text that grows, and the escaping of foreign bytes for each place that they may go to: no byte of a journal or a
 * store reaches a terminal, a CSV cell or a syslog line raw. One thread a struct. */
#ifndef TOOLS_OTPRING_LOG_TEXT_H
#define TOOLS_OTPRING_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *bytes; /* not ended by a zero byte */
    size_t size;
    size_t capacity;
};

void text_free(struct text *text);
static inline void text_clear(struct text *text)
{
    text->size = 0;
}
/* Room for so many more bytes. Without memory the program ends: exit status 3. */
void text_reserve(struct text *text, size_t size);

static inline void text_bytes(struct text *text, const void *bytes, size_t size)
{
    if (text->capacity - text->size < size) text_reserve(text, size);
    if (size > 0) memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

/* Inline, so that the size of a literal is known when it is compiled. */
static inline void text_string(struct text *text, const char *string)
{
    text_bytes(text, string, strlen(string));
}

static inline void text_char(struct text *text, char c)
{
    if (text->capacity == text->size) text_reserve(text, 1);
    text->bytes[text->size++] = c;
}

void text_unsigned(struct text *text, uint64_t number);
void text_signed(struct text *text, int64_t number);
void text_hex(struct text *text, const uint8_t *bytes, size_t size);
/* 16 digits. */
void text_hex64(struct text *text, uint64_t number);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* UTC, 2026-01-31T12:00:00.123Z; what no calendar holds as a number of milliseconds. */
void text_time(struct text *text, int64_t time_ms);

/* Foreign text. What is no UTF-8 becomes U+FFFD; controls, and what changes the direction or hides text, is escaped.
 *
 *   word   one word of a line: blanks, quotes, backslashes, % and / as %XX too
 *   plain  within a sentence: escaped characters as \u{XX}
 *   json   with its quotes
 *   csv    with its quotes; what a spreadsheet would take for a formula has an apostrophe before it
 *   cef    the value of an extension */
void text_word(struct text *text, const char *foreign, size_t size);
void text_plain(struct text *text, const char *foreign, size_t size);
void text_json(struct text *text, const char *foreign, size_t size);
void text_csv(struct text *text, const char *foreign, size_t size);
void text_cef(struct text *text, const char *foreign, size_t size);

#endif
