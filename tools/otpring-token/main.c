/* otpring-token: a virtual token for users and testers, and an example for whoever writes an app. */
#include <argp.h>
#include <locale.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/arena.h"
#include "token.h"

static char *complaints; /* NULL: standard error */
static size_t complaints_size;

void complain_into(char *buffer, size_t size)
{
    complaints = buffer;
    complaints_size = size;
}

int complain(enum exit_code code, const char *format, ...)
{
    va_list arguments;
    if (complaints) {
        va_start(arguments, format);
        vsnprintf(complaints, complaints_size, format, arguments);
        va_end(arguments);
        return (int)code;
    }
    fputs("otpring-token: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return (int)code;
}

enum argument { NOTHING, ACCOUNT, ANYTHING };

static const struct {
    const char *name;
    int (*run)(const struct settings *settings);
    enum argument argument;
} commands[] = {
    {"enrol", run_enrol, NOTHING},    {"add", run_add, NOTHING},        {"list", run_list, NOTHING},
    {"code", run_code, ACCOUNT},      {"ocra", run_ocra, ACCOUNT},      {"questions", run_questions, ACCOUNT},
    {"answer", run_answer, ANYTHING}, {"scan", run_scan, ANYTHING},     {"listen", run_listen, NOTHING},
    {"screen", run_screen, NOTHING},  {"export", run_export, ANYTHING}, {"import", run_import, ANYTHING},
    {"remove", run_remove, ANYTHING},
};

/* Options that are texts, by their fields; then those that are said or not. */
#define TEXT(field) (int)(1000 + offsetof(struct settings, field))
#define FLAG(field) (int)(5000 + offsetof(struct settings, field))

static const struct argp_option options[] = {
    {"file", TEXT(file), "FILE", 0, "The accounts; default: the variable OTPRING_TOKEN_FILE, or ~/.otpring-token", 0},
    {"passphrase-file", TEXT(passphrase_file), "FILE|-", 0,
     "The passphrase is the first line there; default: asked for on the terminal", 0},
    {"json", FLAG(json), 0, 0, "Print JSON", 0},
    {"account", TEXT(account), "NUMBER", 0, "Where there are several: which one", 0},
    {"socket", TEXT(socket), "PATH", 0,
     "Ask the daemon itself: at its admin.sock to enrol, at its ask.sock for questions; without it documents go to "
     "standard output and answers come from standard input, a line each",
     0},
    {0, 0, 0, 0, "enrol:", 1},
    {"activation", TEXT(activation), "CODE|-", 0, "The activation code, or the whole link", 1},
    {"qr", TEXT(qr), "FILE|-", 0, "enrol, add: read the link or URI off the QR code in this PNG picture", 1},
    {"algorithm", TEXT(algorithm), "ES256|Ed25519", 0, "What this device signs with; default ES256", 1},
    {"name", TEXT(name), "TEXT", 0, "What the bank calls this device; default: the machine's name", 1},
    {"platform", TEXT(platform), "TEXT", 0, "What kind of device this is", 1},
    {"push", TEXT(push), "TEXT", 0, "Where a push reaches this device", 1},
    {"statement", TEXT(statement), "TEXT", 0, "What the auth server gave when the password had passed", 1},
    {"code", TEXT(code), "CODE", 0, "One code of the token that you have now, where the bank asks for it", 1},
    {"vouch", FLAG(vouch), 0, 0, "With --socket: play the auth server too, and say that the password passed", 1},
    {0, 0, 0, 0, "add, code, ocra:", 2},
    {"uri-file", TEXT(uri_file), "FILE|-", 0, "add: an otpauth URI; scan: the text of a QR code", 2},
    {"suite", TEXT(suite), "SUITE", 0, "add: a token that answers challenges, such as OCRA-1:HOTP-SHA1-6:QN08", 2},
    {"secret-file", TEXT(secret_file), "FILE|-", 0, "add: its seed in base32", 2},
    {"counter", TEXT(counter), "N", 0, "add: its next counter; default 0", 2},
    {"company", TEXT(company), "NAME", 0, "add: what it is for", 2},
    {"user", TEXT(user), "NAME", 0, "add: whose it is", 2},
    {"force", FLAG(force), 0, 0, "add: also where another account has the same seed", 2},
    {"watch", FLAG(watch), 0, 0, "code: show it with a countdown, until interrupted", 2},
    {"challenge", TEXT(challenge), "TEXT", 0, "ocra: what the screen shows", 2},
    {"challenge-second", TEXT(challenge_second), "TEXT", 0, "ocra, mutual: the second challenge", 2},
    {"server-response", TEXT(server_response), "TEXT", 0,
     "ocra, mutual: what the server answers to the second challenge; a response is given only where this is right", 2},
    {"new-challenge", FLAG(new_challenge), 0, 0,
     "ocra, mutual: draw this token's own challenge, the second one of the response, and show it", 2},
    {"session-info", TEXT(session), "TEXT", 0, "ocra: the session information", 2},
    {"pin-file", TEXT(pin_file), "FILE|-", 0, "ocra: the PIN", 2},
    {0, 0, 0, 0, "answer, scan:", 3},
    {"approve", FLAG(approve), 0, 0, "Say yes", 3},
    {"number", TEXT(number), "NN", 0, "The two digits that the screen shows, where the question asks for them", 3},
    {"refuse", TEXT(refuse), "not-me|not-wanted", 0, "Say no, and why", 3},
    {"offline", FLAG(offline), 0, 0, "With --approve: print a response to be typed, and send nothing", 3},
    {0, 0, 0, 0, "listen:", 4},
    {"mqtt", TEXT(mqtt), "HOST[:PORT]", 0, "The broker", 4},
    {"topic", TEXT(topic), "TOPIC", 0, "Where pushes to this device come", 4},
    {"ca-file", TEXT(ca_file), "FILE", 0, "Speak TLS, and trust what these sign", 4},
    {"username", TEXT(username), "NAME", 0, "Who to log in as", 4},
    {"mqtt-password-file", TEXT(mqtt_password_file), "FILE|-", 0, "The password for it", 4},
    {"once", FLAG(once), 0, 0, "End when something is asked", 4},
    {0, 0, 0, 0, "export, import:", 5},
    {"other-passphrase-file", TEXT(other_passphrase_file), "FILE|-", 0,
     "The passphrase of the other file; default: the same", 5},
    {0},
};

struct parsing {
    struct settings settings;
    const char *command;
};

static void option_set(struct settings *settings, int key, const char *text)
{
    char *at = (char *)settings;
    if (key < FLAG(file))
        memcpy(at + (key - TEXT(file)), &text, sizeof(text));
    else
        at[key - FLAG(file)] = true;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (!parsing->command)
            parsing->command = text;
        else if (!parsing->settings.argument)
            parsing->settings.argument = text;
        else
            argp_error(state, "too many arguments: %s", text);
        return 0;
    case ARGP_KEY_END:
        if (!parsing->command) argp_error(state, "which command? See otpring-token --help");
        return 0;
    default:
        if (key < TEXT(file) || key >= FLAG(file) + (int)sizeof(parsing->settings)) return ARGP_ERR_UNKNOWN;
        option_set(&parsing->settings, key, text);
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
    "A virtual token: keeps keys and seeds in a file that a passphrase seals, enrols with a bank, shows codes, and "
    "answers what the bank asks.\v"
    "  enrol                go through an enrolment, or on with one\n"
    "  add                  an otpauth URI, or a seed with its OCRA suite\n"
    "  list                 the accounts\n"
    "  code [ACCOUNT]       the code of now\n"
    "  ocra [ACCOUNT]       the response to a challenge that you type\n"
    "  questions [ACCOUNT]  what the bank asks\n"
    "  answer [QUESTION]    yes or no; a name that begins with - goes behind --\n"
    "  scan PICTURE|-       a question off a QR code, or the whole screen (PNG)\n"
    "  listen               wait for pushes at a broker, show what is asked\n"
    "  screen               all of it on the terminal, until q\n"
    "  export FILE          all accounts into another sealed file, to move them\n"
    "  import FILE          the accounts of such a file\n"
    "  remove ACCOUNT       forget an account; the bank is not told\n\n"
    "Exit status: 0 done, 1 refused, 2 usage or input, 3 unavailable: ask again.";

int main(int argc, char **argv)
{
    struct parsing parsing = {0};
    struct argp argp = {.options = options, .parser = parse, .args_doc = "COMMAND [ARGUMENT]", .doc = doc};
    process_no_dumps();
    setlocale(LC_CTYPE, "");
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    if (!parsing.settings.file) parsing.settings.file = file_default();
    if (!parsing.settings.file) return complain(EXIT_USAGE, "which file? Give --file FILE or set OTPRING_TOKEN_FILE");
    if (parsing.settings.vouch && !parsing.settings.socket) return complain(EXIT_USAGE, "--vouch needs --socket");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, parsing.command) != 0) continue;
        if (parsing.settings.argument && commands[i].argument == NOTHING)
            return complain(EXIT_USAGE, "%s takes no argument", parsing.command);
        if (parsing.settings.argument && commands[i].argument == ACCOUNT)
            parsing.settings.account = parsing.settings.argument;
        int status = commands[i].run(&parsing.settings);
        transport_close();
        keep_close();
        if (fflush(stdout) != 0 || ferror(stdout))
            return complain(EXIT_UNAVAILABLE, "standard output cannot be written");
        return status;
    }
    return complain(EXIT_USAGE, "unknown command %s; see otpring-token --help", parsing.command);
}
