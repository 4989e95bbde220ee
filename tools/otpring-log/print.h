/* Records written out: what show, tail and export share. */
#ifndef TOOLS_OTPRING_LOG_PRINT_H
#define TOOLS_OTPRING_LOG_PRINT_H

#include "work.h"

/* For work_task.each: writes the event into its thread's text. */
bool print_event(void *context, const struct event *event);
/* False: nobody reads any more. */
bool print_out(const struct text *text);

/* Goes on from where the last scan ended, block by block as they come, and calls task->end for each; until `end` says
 * that it is enough, or standard output is gone. Damage is told of and passed over. */
int print_follow(struct work *work, const struct work_task *task);

/* The code of a command that printed: EXIT_FINDINGS where anything was damaged. */
int print_code(const struct work *work, int code);

#endif
