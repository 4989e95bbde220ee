#include "otpringd/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool with_priority;
static const char *name = "";

void log_start(const char *program)
{
    name = program;
    with_priority = getenv("JOURNAL_STREAM") != NULL;
}

void log_line(enum log_level level, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* Paths and names come from outside; a line stays one line. */
    for (char *at = text; *at; at++)
        if (iscntrl((unsigned char)*at)) *at = '?';
    if (with_priority)
        fprintf(stderr, "<%d>%s\n", (int)level, text);
    else
        fprintf(stderr, "%s: %s\n", name, text);
}
