/* What the commands print with: complaints, escaped names, JSON, a progress bar; and reading of whole inputs. */
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "command.h"
#include "os/arena.h"

static void escape_to(FILE *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        /* C1 controls are 0xc2 0x80..0x9f in UTF-8; terminals obey them as they obey ESC. */
        bool c1 = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
        if (*c < 0x20 || *c == 0x7f || c1)
            fprintf(out, "\\x%02x", *c);
        else
            fputc(*c, out);
    }
}

int complain(enum exit_code code, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    bar_end();
    fputs("otpring: ", stderr);
    escape_to(stderr, text);
    fputc('\n', stderr);
    return code;
}

void print_escaped(const char *text)
{
    escape_to(stdout, text);
}

/* Columns that a terminal takes for the text as print_escaped gives it: marks that stand on another letter take none,
 * ideographs two. The width of a character is the C library's; without its table each counts for one. */
static int columns_of(const char *text)
{
    static locale_t utf8;
    if (!utf8) utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int columns = 0;
    mbstate_t state = {0};
    for (const char *at = text; *at;) {
        wchar_t c;
        size_t size = mbrtowc(&c, at, strlen(at), &state);
        if (size == 0 || size > MB_LEN_MAX) {
            state = (mbstate_t){0};
            size = 1;
            columns += ((unsigned char)*at & 0xc0) != 0x80;
        } else {
            /* Controls are escaped, byte by byte for ASCII and by their first byte for the others. */
            int width = wcwidth(c);
            columns += width >= 0 ? width : c < 0x80 ? 4 : 5;
        }
        at += size;
    }
    if (before) uselocale(before);
    return columns;
}

void print_column(const char *text, int width)
{
    int columns = columns_of(text);
    print_escaped(text);
    printf("%*s ", columns < width ? width - columns : 0, "");
}

void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
}

static bool bar_shown;

void bar_show(const char *what, unsigned long long done, unsigned long long of)
{
    enum { WIDTH = 32 };
    if (!isatty(STDERR_FILENO) || of == 0) return;
    unsigned filled = (unsigned)(done * WIDTH / of);
    char bar[WIDTH + 1];
    for (unsigned i = 0; i < WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[WIDTH] = 0;
    fprintf(stderr, "\r%s [%s] %llu of %llu", what, bar, done, of);
    bar_shown = true;
}

void bar_end(void)
{
    if (bar_shown) fputc('\n', stderr);
    bar_shown = false;
}

char *read_whole(const char *path, size_t size_max, size_t *ret_size)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file) {
        complain(EXIT_USAGE, "%s: %s", path, strerror(errno));
        return NULL;
    }
    size_t capacity = size_max < 4096 ? size_max + 1 : 4096;
    size_t size = 0;
    char *text = malloc(capacity + 1);
    while (text && size <= size_max) {
        size_t got = fread(text + size, 1, capacity - size, file);
        if (got == 0) break;
        size += got;
        if (size < capacity) continue;
        /* The old copy may hold secrets: it is wiped, not left to the allocator. */
        char *larger = malloc(2 * capacity + 1);
        if (larger) memcpy(larger, text, size);
        secret_wipe(text, size);
        free(text);
        text = larger;
        capacity *= 2;
    }
    bool failed = ferror(file) != 0;
    if (file != stdin) fclose(file);
    if (!text || failed || size > size_max) {
        complain(EXIT_USAGE, "%s: %s", path, !text ? "not enough memory" : failed ? "cannot be read" : "too large");
        if (text) secret_wipe(text, size);
        free(text);
        return NULL;
    }
    text[size] = 0;
    *ret_size = size;
    return text;
}
