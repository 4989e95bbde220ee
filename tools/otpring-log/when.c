#include "when.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

enum { DIGITS_MAX = 15, MS = 1000 };

/* digits_min to digits_max digits; moves on. */
static bool take_number(const char **at, unsigned digits_min, unsigned digits_max, int64_t *ret_number)
{
    int64_t number = 0;
    unsigned digits = 0;
    while (digits < digits_max && isdigit((unsigned char)**at)) {
        number = number * 10 + (*(*at)++ - '0');
        digits++;
    }
    *ret_number = number;
    return digits >= digits_min;
}

static bool take_char(const char **at, char c)
{
    if (**at != c) return false;
    ++*at;
    return true;
}

/* ".5" as milliseconds; nothing there is 0. Digits behind the third are passed over. */
static bool take_fraction(const char **at, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (!take_char(at, '.')) return true;
    int64_t unit = MS;
    if (!isdigit((unsigned char)**at)) return false;
    for (; isdigit((unsigned char)**at); ++*at) {
        unit /= 10;
        *ret_ms += unit * (**at - '0');
    }
    return true;
}

static bool take_clock(const char **at, struct tm *time, int64_t *ret_ms)
{
    int64_t hour, minute, second = 0;
    *ret_ms = 0;
    if (!take_number(at, 1, 2, &hour) || !take_char(at, ':') || !take_number(at, 2, 2, &minute)) return false;
    if (take_char(at, ':') && (!take_number(at, 2, 2, &second) || !take_fraction(at, ret_ms))) return false;
    time->tm_hour = (int)hour;
    time->tm_min = (int)minute;
    time->tm_sec = (int)second;
    return hour < 24 && minute < 60 && second < 60;
}

/* Z, +01:00, +0100, or nothing: local time. */
static bool take_zone(const char **at, bool *ret_local, int64_t *ret_offset_s)
{
    int64_t hours, minutes;
    *ret_local = false;
    *ret_offset_s = 0;
    if (take_char(at, 'Z') || take_char(at, 'z')) return true;
    if (**at != '+' && **at != '-') {
        *ret_local = true;
        return true;
    }
    int64_t sign = *(*at)++ == '-' ? -1 : 1;
    if (!take_number(at, 2, 2, &hours)) return false;
    take_char(at, ':');
    if (!take_number(at, 2, 2, &minutes) || hours > 23 || minutes > 59) return false;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool finish(const char *at, struct tm *time, int64_t ms, int64_t *ret_ms)
{
    bool local;
    int64_t offset_s;
    if (!take_zone(&at, &local, &offset_s) || *at) return false;
    int month = time->tm_mon, day = time->tm_mday;
    time->tm_isdst = -1;
    int64_t seconds = local ? (int64_t)mktime(time) : (int64_t)timegm(time);
    /* What is normalised away was no date: 31 April. */
    if (time->tm_mon != month || time->tm_mday != day) return false;
    if (seconds - offset_s < 0) return false;
    *ret_ms = (seconds - offset_s) * MS + ms;
    return true;
}

static bool parse_date(const char *at, int64_t *ret_ms)
{
    int64_t year, month, day, ms = 0;
    struct tm time = {0};
    if (!take_number(&at, 4, 4, &year) || !take_char(&at, '-') || !take_number(&at, 2, 2, &month) ||
        !take_char(&at, '-') || !take_number(&at, 2, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31) return false;
    time.tm_year = (int)year - 1900;
    time.tm_mon = (int)month - 1;
    time.tm_mday = (int)day;
    if ((take_char(&at, 'T') || take_char(&at, ' ')) && !take_clock(&at, &time, &ms)) return false;
    return finish(at, &time, ms, ret_ms);
}

/* A day of now, and a time of day behind it, where there is one. */
static bool parse_day(const char *at, int64_t now_ms, int days, int64_t *ret_ms)
{
    time_t now_s = (time_t)(now_ms / MS);
    struct tm time;
    int64_t ms = 0;
    if (!localtime_r(&now_s, &time)) return false;
    time.tm_mday += days;
    time.tm_hour = 12;
    time.tm_min = time.tm_sec = 0;
    time.tm_isdst = -1;
    if (mktime(&time) < 0) return false; /* brings the day into its month */
    time.tm_hour = 0;
    while (*at == ' ') at++;
    if (*at && !take_clock(&at, &time, &ms)) return false;
    return finish(at, &time, ms, ret_ms);
}

static int64_t unit_s(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 7 * 86400;
    default:
        return 0;
    }
}

static bool parse_ago(const char *at, int64_t now_ms, int64_t *ret_ms)
{
    int64_t ago_s = 0;
    do {
        int64_t number;
        if (!take_number(&at, 1, 8, &number) || unit_s(*at) == 0) return false;
        ago_s += number * unit_s(*at++);
    } while (*at);
    if (ago_s > now_ms / MS) return false;
    *ret_ms = now_ms - ago_s * MS;
    return true;
}

static bool parse_seconds(const char *at, int64_t *ret_ms)
{
    int64_t seconds, ms;
    if (!take_number(&at, 1, 12, &seconds) || !take_fraction(&at, &ms) || *at) return false;
    *ret_ms = seconds * MS + ms;
    return true;
}

/* The word that the text begins with, and what follows it. */
static const char *behind_word(const char *text, const char *word)
{
    size_t size = strlen(word);
    if (strncasecmp(text, word, size) != 0) return NULL;
    return text[size] == 0 || text[size] == ' ' ? text + size : NULL;
}

bool when_parse(const char *text, int64_t now_ms, int64_t *ret_ms)
{
    struct tm ignored;
    int64_t ms;
    const char *rest = text;
    if (*text == '-') return parse_ago(text + 1, now_ms, ret_ms);
    if (*text == '@') return parse_seconds(text + 1, ret_ms);
    if (strcasecmp(text, "now") == 0) {
        *ret_ms = now_ms;
        return true;
    }
    if ((rest = behind_word(text, "today"))) return parse_day(rest, now_ms, 0, ret_ms);
    if ((rest = behind_word(text, "yesterday"))) return parse_day(rest, now_ms, -1, ret_ms);
    rest = text;
    if (take_clock(&rest, &ignored, &ms)) return parse_day(text, now_ms, 0, ret_ms);
    return parse_date(text, ret_ms);
}
