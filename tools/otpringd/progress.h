/* How far a start has come: a bar where somebody watches, else a line a second. One thread. */
#ifndef TOOLS_OTPRINGD_PROGRESS_H
#define TOOLS_OTPRINGD_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_TEXT_SIZE = 160 };

struct progress {
    bool terminal;    /* standard error is one */
    bool drawn;       /* a bar stands on it */
    const char *what; /* the part that goes on, as it was named first; NULL: none yet */
    double began_s, said_s;
    uint64_t began_done;
};

/* To be called often while `what` goes on, `done` of `of` units (0: nobody knows of how many). true: ret_text is to be
 * shown now, which is after the first second and then each second, on a terminal each tenth of one. Rates are of the
 * part alone. */
bool progress_due(struct progress *progress, const char *what, uint64_t done, uint64_t of, double now_s,
                  char ret_text[PROGRESS_TEXT_SIZE]);

#endif
