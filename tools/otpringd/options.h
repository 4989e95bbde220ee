/* The command line of otpringd (argp). */
#ifndef TOOLS_OTPRINGD_OPTIONS_H
#define TOOLS_OTPRINGD_OPTIONS_H

#include "otpringd/config.h"

/* Flags as given, to be set over what the configuration file says. */
struct options {
    struct {
        const char *name;
        const char *value;
    } given[32];
    uint32_t given_count;
    bool version;
};

/* Exits with status 2 and a hint when the command line is off, and with 0 after --help. */
void options_parse(int argc, char **argv, struct options *ret_options);

/* Defaults, then the file named by --config (if any), then the flags. False: ret_error says what is wrong. */
bool options_apply(const struct options *options, struct config *ret_config, char *ret_error, size_t error_size);

#endif
