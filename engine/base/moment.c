#include "base/moment.h"

#include <string.h>
#include <time.h>

enum { SECONDS_DIGITS_MAX = 12 };

static bool seconds_parse(const char *text, int64_t *ret_seconds)
{
    int64_t seconds = 0;
    size_t size = strspn(text, "0123456789");
    if (size == 0 || size > SECONDS_DIGITS_MAX || text[size]) return false;
    for (; *text; text++) seconds = seconds * 10 + (*text - '0');
    *ret_seconds = seconds;
    return true;
}

bool moment_parse(const char *text, int64_t *ret_ms)
{
    int64_t seconds;
    struct tm parts = {0};
    if (!seconds_parse(text, &seconds)) {
        const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts);
        if (!end || *end) return false;
        seconds = (int64_t)timegm(&parts);
    }
    if (seconds <= 0) return false;
    *ret_ms = seconds * 1000;
    return true;
}
