/* otpring-log: the replay log for people. Reads segments only, with or without a daemon. */
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "log.h"
#include "otpring/verdict.h"

const char *argp_program_version = "otpring-log " OTPRING_VERSION;

enum { KEY_STORE = 1000, KEY_JSON, KEY_FROM, KEY_COMPANY, KEY_USER, KEY_VERDICT, KEY_OWN, KEY_NO_FOLLOW };

static const struct argp_option options[] = {
    {"store", KEY_STORE, "DIR", 0, "The store; default: the variable OTPRING_STORE", 0},
    {"json", KEY_JSON, NULL, 0, "Print JSON, a line a record", 0},
    {"from", KEY_FROM, "POSITION", 0, "Begin with this position", 0},
    {"company", KEY_COMPANY, "NAME", 0, "Only records of this company", 0},
    {"user", KEY_USER, "NAME", 0, "Only records of this user; needs --company", 0},
    {"verdict", KEY_VERDICT, "NAME", 0, "Only verifications with this verdict", 0},
    {"own", KEY_OWN, NULL, 0, "Show seals, checkpoints and removals too", 0},
    {"no-follow", KEY_NO_FOLLOW, NULL, 0, "tail: end at the end", 0},
    {NULL, 'n', "COUNT", 0, "show: at most so many records; tail: begin with the last so many (default 10)", 0},
    {0},
};

static bool text_is_safe(unsigned char c)
{
    return c >= 0x20 && c < 0x7f;
}

int complain(enum exit_code code, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fflush(stdout);
    fputs("otpring-log: ", stderr);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (text_is_safe(*c))
            fputc(*c, stderr);
        else
            fprintf(stderr, "\\x%02x", *c);
    }
    fputc('\n', stderr);
    return (int)code;
}

static bool number_of(const char *text, uint64_t *ret_number)
{
    char *end;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static unsigned verdict_of(const char *text)
{
    for (unsigned verdict = OTPRING_ACCEPTED; verdict <= OTPRING_UNAVAILABLE; verdict++)
        if (strcasecmp(text, otpring_verdict_name(verdict)) == 0) return verdict;
    return 0;
}

static void bad_value(const char *option, const char *value)
{
    exit(complain(EXIT_USAGE, "%s: not a valid value: %s", option, value));
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct log_options *log = state->input;
    switch (key) {
    case KEY_STORE:
        log->store = argument;
        return 0;
    case KEY_JSON:
        log->json = true;
        return 0;
    case KEY_COMPANY:
        log->company = argument;
        return 0;
    case KEY_USER:
        log->user = argument;
        return 0;
    case KEY_OWN:
        log->own = true;
        return 0;
    case KEY_NO_FOLLOW:
        log->no_follow = true;
        return 0;
    case KEY_FROM:
        if (!number_of(argument, &log->from_position)) bad_value("--from", argument);
        return 0;
    case 'n':
        if (!number_of(argument, &log->count) || log->count == 0) bad_value("-n", argument);
        return 0;
    case KEY_VERDICT:
        log->verdict = verdict_of(argument);
        if (!log->verdict) bad_value("--verdict", argument);
        return 0;
    case ARGP_KEY_ARG:
        if (log->command) exit(complain(EXIT_USAGE, "one command only: show or tail"));
        log->command = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "show|tail|check|archive|prune|checkpoint|key|prove|verify-proof",
    .doc =
        "Shows and checks the replay log of an otpring store, with or without the daemon.\v"
        "show prints records from the oldest kept, tail the last ones and then what comes; check verifies every "
        "checksum, seal and signature; checkpoint, key, prove and verify-proof are for whoever does not trust who "
        "holds "
        "the log. These have --help of their own: otpring-log check --help.\n\nA line: POSITION.INDEX TIME VERDICT "
        "ACCOUNT STEP CLIENT SOURCE, or POSITION.INDEX TIME ACT "
        "NAME "
        "ACCOUNT TOKEN UID. ACCOUNT is a hash: --company and --user find it by name. STEP is the matched step minus "
        "the "
        "expected one. CLIENT is the configured name, or a number where no name is known; UID is engine for what the "
        "engine did by itself.\n\nExit status: 0 done, 1 the journal has damage or does not verify, 2 usage, 3 "
        "unavailable."};

static int run(const struct log_options *log, struct os *os)
{
    char folder[4096];
    if (snprintf(folder, sizeof folder, "%s/journal", log->store) >= (int)sizeof folder)
        return complain(EXIT_USAGE, "--store: the path is too long");
    client_names_load(log->store);
    int code = strcmp(log->command, "show") == 0 ? run_show(log, os, folder) : run_tail(log, os, folder);
    client_names_free();
    return code;
}

static bool known(const char *command)
{
    return strcmp(command, "show") == 0 || strcmp(command, "tail") == 0;
}

int main(int argc, char **argv)
{
    struct log_options log = {.store = getenv("OTPRING_STORE")};
    int code = command_run(argc, argv);
    if (code >= 0) return code;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &log) != 0) return EXIT_USAGE;
    if (!log.command) return complain(EXIT_USAGE, "say what to do: show, tail, check ...; see otpring-log --help");
    if (!known(log.command)) return complain(EXIT_USAGE, "no such command: %s; see otpring-log --help", log.command);
    if (!log.store || !*log.store)
        return complain(EXIT_USAGE, "which store? --store DIR, or the variable OTPRING_STORE");
    if (log.user && !log.company) return complain(EXIT_USAGE, "--user needs --company: users are named within one");
    struct os *os;
    code = command_os(log.store, NULL, &os);
    if (code != EXIT_DONE) return code;
    code = run(&log, os);
    os_destroy(os);
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain(EXIT_UNAVAILABLE, "standard output: %s", strerror(errno));
    return code;
}
