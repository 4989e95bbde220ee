/* otpring-log: the replay log for people. Reads segments only, with or without a daemon. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "names.h"
#include "options.h"

static const struct {
    const char *name;
    int (*run)(const struct log_options *options, const char *folder);
} commands[] = {
    {"show", run_show},   {"tail", run_tail},     {"explain", run_explain},
    {"stats", run_stats}, {"export", run_export}, {"index", run_index},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static int run(struct log_options *log)
{
    char folder[4096];
    int size = log->journal ? snprintf(folder, sizeof folder, "%s", log->journal)
                            : snprintf(folder, sizeof folder, "%s/journal", log->store);
    if (size >= (int)sizeof folder) return complain(EXIT_USAGE, "--store: the path is too long");
    if (log->store) names_load(log->store);
    filter_finish(&log->filter);
    int code = EXIT_USAGE;
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, log->command) == 0) code = commands[i].run(log, folder);
    names_free();
    return code;
}

static bool known(const char *command)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, command) == 0) return true;
    return false;
}

int main(int argc, char **argv)
{
    struct log_options log;
    int code = command_run(argc, argv);
    if (code >= 0) return code;
    options_parse(argc, argv, &log);
    if (!log.command)
        return complain(EXIT_USAGE, "say what to do: show, tail, explain, stats, check ...; see otpring-log --help");
    if (!known(log.command)) return complain(EXIT_USAGE, "no such command: %s; see otpring-log --help", log.command);
    code = options_judge(&log);
    if (code != EXIT_DONE) return code;
    code = run(&log);
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain(EXIT_UNAVAILABLE, "standard output: %s", strerror(errno));
    return code;
}
