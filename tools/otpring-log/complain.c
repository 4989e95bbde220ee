/* What goes to standard error. */
#include <stdarg.h>
#include <stdio.h>

#include "log.h"

int complain(enum exit_code code, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fflush(stdout);
    fputs("otpring-log: ", stderr);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c >= 0x20 && *c < 0x7f)
            fputc(*c, stderr);
        else
            fprintf(stderr, "\\x%02x", *c);
    }
    fputc('\n', stderr);
    return (int)code;
}

int cannot(const char *folder, struct result result)
{
    return complain(EXIT_UNAVAILABLE, "%s: %s", folder, result_text(result));
}
