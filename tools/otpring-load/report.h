/* What a run came to, for people and as JSON. */
#ifndef OTPRING_LOAD_REPORT_H
#define OTPRING_LOAD_REPORT_H

#include <stdio.h>

#include "options.h"
#include "run.h"

struct report {
    const struct load_options *options;
    const struct run_result *result;
    double seconds;     /* measured */
    const char *kernel; /* the daemon's */
    const char *own_kernel;
    const char *company;
};

void report_print(const struct report *report, FILE *out);
int report_print_json(const struct report *report, FILE *out);
/* Of a line of a series that is not run: one JSON line, with what else a reader looks at first. */
void report_print_refused(const char *error, FILE *out);
void report_print_unexpected(const struct run_result *result, FILE *out);

#endif
