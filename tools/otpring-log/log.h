/* otpring-log: what its files share. Everything printed comes from numbers, tables of ours, or goes through text.h's
 * escaping. */
#ifndef TOOLS_OTPRING_LOG_LOG_H
#define TOOLS_OTPRING_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "filter.h"
#include "journal/journal.h"
#include "os/os.h"

enum exit_code { EXIT_DONE = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_UNAVAILABLE = 3 };

enum log_form { FORM_LINE, FORM_JSON, FORM_CSV, FORM_CEF };
enum log_colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct log_options {
    const char *store;   /* may be NULL where `journal` is given */
    const char *journal; /* a folder of segments alone */
    const char *command;
    const char *subject; /* explain: the record, as typed */
    struct record_filter filter;
    uint64_t count; /* 0: not given */
    uint64_t after; /* export: positions up to here are had already */
    int64_t at_ms;  /* explain: the moment; 0: not given */
    enum log_form form;
    enum log_colour colour;
    const char *by;     /* stats: minute, hour, day; NULL: what fits */
    const char *syslog; /* export: where to */
    const char *resume; /* export: file of the position that was delivered */
    unsigned threads;   /* 0: one a processor */
    bool json;
    bool follow;
    bool no_follow;
    bool no_index;
    bool names; /* look names up in the store */
};

/* "otpring-log: " and the text, control characters as \xHH, on standard error. Gives the code back. */
int complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cannot(const char *folder, struct result result);

/* DIR/journal of the store, or the folder of segments named. */
int run_show(const struct log_options *options, const char *folder);
int run_tail(const struct log_options *options, const char *folder);
int run_export(const struct log_options *options, const char *folder);
int run_stats(const struct log_options *options, const char *folder);
int run_explain(const struct log_options *options, const char *folder);
int run_index(const struct log_options *options, const char *folder);

#endif
