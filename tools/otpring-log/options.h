/* The command line. Ends the program where it makes no sense. */
#ifndef TOOLS_OTPRING_LOG_OPTIONS_H
#define TOOLS_OTPRING_LOG_OPTIONS_H

#include "log.h"

void options_parse(int argc, char **argv, struct log_options *ret_options);
/* What does not go together: a complaint's code, or EXIT_DONE. */
int options_judge(const struct log_options *options);

#endif
