/* Lists of processors, numbered as the kernel does: "0", "2-5", "0,2-5". */
#ifndef TOOLS_OTPRINGD_CPUS_H
#define TOOLS_OTPRINGD_CPUS_H

#include <sched.h>
#include <stdbool.h>

enum { CPUS_TEXT_SIZE = 256 };

/* One at least, none above CPU_SETSIZE - 1 (1023); false: `text` is no such list. */
bool cpus_parse(const char *text, cpu_set_t *ret_set);
/* One of a set that has some: in turn, for index 0, 1, 2 and so on round it. */
cpu_set_t cpus_nth(const cpu_set_t *set, unsigned index);

#endif
