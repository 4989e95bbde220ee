/* otpring-token: a virtual token for users and testers, and an example for whoever writes an app. */
#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/arena.h"
#include "token.h"

int complain(enum exit_code code, const char *format, ...)
{
    va_list arguments;
    fputs("otpring-token: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return (int)code;
}

static const struct {
    const char *name;
    int (*run)(const struct settings *settings);
    bool takes_argument;
} commands[] = {
    {"enrol", run_enrol, false},
    {"list", run_list, false},
    {"code", run_code, true},
    {"remove", run_remove, true},
};

enum key {
    KEY_FILE = 1000,
    KEY_PASSPHRASE_FILE,
    KEY_SOCKET,
    KEY_ACTIVATION,
    KEY_ALGORITHM,
    KEY_NAME,
    KEY_PLATFORM,
    KEY_PUSH,
    KEY_STATEMENT,
    KEY_CODE,
    KEY_VOUCH,
    KEY_JSON,
    KEY_WATCH,
};

static const struct argp_option options[] = {
    {"file", KEY_FILE, "FILE", 0, "The accounts; default: the variable OTPRING_TOKEN_FILE, or ~/.otpring-token", 0},
    {"passphrase-file", KEY_PASSPHRASE_FILE, "FILE|-", 0,
     "The passphrase is the first line there; default: asked for on the terminal", 0},
    {"json", KEY_JSON, 0, 0, "Print JSON", 0},
    {"activation", KEY_ACTIVATION, "CODE|-", 0, "enrol: the activation code, or the whole link", 1},
    {"algorithm", KEY_ALGORITHM, "ES256|Ed25519", 0, "enrol: what this device signs with; default ES256", 1},
    {"name", KEY_NAME, "TEXT", 0, "enrol: what the bank calls this device; default: the machine's name", 1},
    {"platform", KEY_PLATFORM, "TEXT", 0, "enrol: what kind of device this is", 1},
    {"push", KEY_PUSH, "TEXT", 0, "enrol: where a push reaches this device", 1},
    {"statement", KEY_STATEMENT, "TEXT", 0, "enrol: what the auth server gave when the password had passed", 1},
    {"code", KEY_CODE, "CODE", 0, "enrol: one code of the token that you have now, where the bank asks for it", 1},
    {"socket", KEY_SOCKET, "PATH", 0,
     "enrol: ask the daemon itself, at its admin.sock; without it documents go to standard output and answers come "
     "from "
     "standard input, a line each",
     1},
    {"vouch", KEY_VOUCH, 0, 0, "enrol, with --socket: play the auth server too, and say that the password passed", 1},
    {"watch", KEY_WATCH, 0, 0, "code: show it with a countdown, until interrupted", 2},
    {0},
};

struct parsing {
    struct settings settings;
    const char *command;
};

static void text_set(struct settings *settings, int key, const char *text)
{
    const char **fields[] = {[0] = &settings->file, /* KEY_FILE */
                             [KEY_PASSPHRASE_FILE - KEY_FILE] = &settings->passphrase_file,
                             [KEY_SOCKET - KEY_FILE] = &settings->socket,
                             [KEY_ACTIVATION - KEY_FILE] = &settings->activation,
                             [KEY_ALGORITHM - KEY_FILE] = &settings->algorithm,
                             [KEY_NAME - KEY_FILE] = &settings->name,
                             [KEY_PLATFORM - KEY_FILE] = &settings->platform,
                             [KEY_PUSH - KEY_FILE] = &settings->push,
                             [KEY_STATEMENT - KEY_FILE] = &settings->statement,
                             [KEY_CODE - KEY_FILE] = &settings->code};
    *fields[key - KEY_FILE] = text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    switch (key) {
    case KEY_VOUCH:
        parsing->settings.vouch = true;
        return 0;
    case KEY_JSON:
        parsing->settings.json = true;
        return 0;
    case KEY_WATCH:
        parsing->settings.watch = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!parsing->command)
            parsing->command = text;
        else if (!parsing->settings.argument)
            parsing->settings.argument = text;
        else
            argp_error(state, "too many arguments: %s", text);
        return 0;
    case ARGP_KEY_END:
        if (!parsing->command) argp_error(state, "which command? enrol, list, code or remove");
        return 0;
    default:
        if (key < KEY_FILE || key > KEY_CODE) return ARGP_ERR_UNKNOWN;
        text_set(&parsing->settings, key, text);
        return 0;
    }
}

static const char *file_default(void)
{
    static char path[4096];
    const char *file = getenv("OTPRING_TOKEN_FILE"), *home = getenv("HOME");
    if (file && *file) return file;
    if (!home || snprintf(path, sizeof(path), "%s/.otpring-token", home) >= (int)sizeof(path)) return NULL;
    return path;
}

const char *argp_program_version = "otpring-token " OTPRING_VERSION;

static const char doc[] =
    "A virtual token: keeps keys and seeds in a file that a passphrase seals, enrols with a bank, and shows codes.\v"
    "  enrol           go through an enrolment, or on with one that was broken off\n"
    "  list            the accounts\n"
    "  code [ACCOUNT]  the code of now\n"
    "  remove ACCOUNT  forget an account; the bank is not told\n\n"
    "Exit status: 0 done, 1 refused, 2 usage or input, 3 unavailable: ask again.";

int main(int argc, char **argv)
{
    struct parsing parsing = {0};
    struct argp argp = {.options = options, .parser = parse, .args_doc = "COMMAND [ACCOUNT]", .doc = doc};
    process_no_dumps();
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    if (!parsing.settings.file) parsing.settings.file = file_default();
    if (!parsing.settings.file) return complain(EXIT_USAGE, "which file? Give --file FILE or set OTPRING_TOKEN_FILE");
    if (parsing.settings.vouch && !parsing.settings.socket) return complain(EXIT_USAGE, "--vouch needs --socket");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, parsing.command) != 0) continue;
        if (parsing.settings.argument && !commands[i].takes_argument)
            return complain(EXIT_USAGE, "%s takes no argument", parsing.command);
        int status = commands[i].run(&parsing.settings);
        transport_close();
        keep_close();
        if (fflush(stdout) != 0 || ferror(stdout))
            return complain(EXIT_UNAVAILABLE, "standard output cannot be written");
        return status;
    }
    return complain(EXIT_USAGE, "unknown command %s; see otpring-token --help", parsing.command);
}
