#include "otpringd/cpus.h"

#include <ctype.h>
#include <stdlib.h>

static bool take_number(const char **text, unsigned *ret_number)
{
    char *end;
    if (!isdigit((unsigned char)**text)) return false;
    unsigned long number = strtoul(*text, &end, 10);
    if (number >= CPU_SETSIZE) return false;
    *ret_number = (unsigned)number;
    *text = end;
    return true;
}

static bool take_range(const char **text, cpu_set_t *set)
{
    unsigned first, last;
    if (!take_number(text, &first)) return false;
    last = first;
    if (**text == '-') {
        (*text)++;
        if (!take_number(text, &last) || last < first) return false;
    }
    for (unsigned cpu = first; cpu <= last; cpu++) CPU_SET(cpu, set);
    return true;
}

bool cpus_parse(const char *text, cpu_set_t *ret_set)
{
    CPU_ZERO(ret_set);
    while (take_range(&text, ret_set)) {
        if (!*text) return true;
        if (*text++ != ',') return false;
    }
    return false;
}

cpu_set_t cpus_nth(const cpu_set_t *set, unsigned index)
{
    cpu_set_t one;
    unsigned before = index % (unsigned)CPU_COUNT(set), cpu = 0;
    while (!CPU_ISSET(cpu, set) || before-- > 0) cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return one;
}
