/* One table of options; a command names the ones it takes by their keys. Options that are fields of the admin request
 * go there. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum kind { TEXT, NUMBER, SIGNED, FLAG, OWN };

struct known_option {
    int key;
    const char *name;
    const char *argument;
    const char *help;
    enum kind kind;
    const char *field; /* of the request */
};

static const struct known_option options[] = {
    {'c', "company", "NAME", "The company", TEXT, "company"},
    {'u', "user", "NAME", "The user", TEXT, "user"},
    {'o', "token", "NUMBER", "The token's number, where a user has several", NUMBER, "ordinal"},
    {'l', "label", "TEXT", "A label, such as a serial number", TEXT, "label"},
    {'t', "type", "totp|hotp|ocra", "Default totp, or ocra where a suite is given", TEXT, "type"},
    {'$', "suite", "SUITE", "OCRA: what the token answers challenges by, such as OCRA-1:HOTP-SHA1-6:QN08", TEXT,
     "suite"},
    {'a', "algorithm", "sha1|sha256|sha512", "Default sha1", TEXT, "algorithm"},
    {'d', "digits", "6|7|8", "Default 6", NUMBER, "digits"},
    {'p', "period", "SECONDS", "TOTP: seconds a step, 1 to 3600; default 30", NUMBER, "period"},
    {'g', "t0", "SECONDS", "TOTP: Unix time of step 0; default 0", SIGNED, "t0"},
    {'n', "counter", "N", "HOTP, OCRA with a counter: the next one; default 0", NUMBER, "counter"},
    {'s', "secret-file", "FILE|-", "The seed in base32", OWN, NULL},
    {'P', "name", "NAME", "The profile's name", TEXT, "name"},
    {'i', "profile", "NUMBER", "The profile's number", NUMBER, "id"},
    {'I', "profile", "NUMBER", "Take all parameters from this profile", NUMBER, "profile"},
    {'?', "mutual", NULL, "OCRA: its tokens answer exchanges of mutual mode, and nothing else", OWN, NULL},
    {'b', "window-behind", "STEPS", "TOTP, OCRA with time: steps back that are accepted; default 1", NUMBER,
     "window_behind"},
    {'f', "window-ahead", "STEPS", "The same: steps ahead; default 1", NUMBER, "window_ahead"},
    {'w', "look-ahead", "STEPS", "HOTP, OCRA with a counter: steps past the next; default 10", NUMBER, "look_ahead"},
    {'y', "look-behind", "STEPS", "The same: used steps told REPLAYED; default 1", NUMBER, "look_behind"},
    {'x', "resync-window", "STEPS", "Steps searched for a far code; 0: never", NUMBER, "resync_window"},
    {'v', "throttle-free", "TRIES", "Failures without delay; default 5", NUMBER, "throttle_free"},
    {'m', "throttle-base", "SECONDS", "Delay after the next failure, doubling; default 2", NUMBER, "throttle_base_s"},
    {'z', "throttle-max", "SECONDS", "Greatest delay; default 900", NUMBER, "throttle_max_s"},
    {'r', "drift-max", "STEPS", "TOTP: greatest drift that is learned; default 3", NUMBER, "drift_max"},
    {'S', "state", "live|active|suspended|unsynchronised|removed",
     "Only tokens in this state; default live: active and suspended", TEXT, "state"},
    {'M', "state", "queued|handed|delivered|dead", "Only messages in this state", TEXT, "state"},
    {'K', "kind", "KIND", "invitation, activated, unassigned, access-alert, token-lost or token-replaced", TEXT,
     "kind"},
    {'H', "channel", "sms|push", "By which way", TEXT, "channel"},
    {'A', "to", "ADDRESS",
     "Telephone number, or the app's name at the push service; default: what is known of the user", TEXT, "to"},
    {'L', "language", "es|en", "Default: the user's", TEXT, "language"},
    {'e', "field", "NAME=VALUE", "What the text needs; times in seconds since 1970", OWN, NULL},
    {'G', "older", "DAYS", "Only tokens that have been in custody for so long; default 14", NUMBER, "older_days"},
    {'h', "all", NULL, "All that are dead and have not expired", OWN, NULL},
    {'E', "follow", NULL, "Go on, and show each that is new or changes", OWN, NULL},
    {'F', "after", "CURSOR", "Go on after this page", TEXT, "after"},
    {'N', "limit", "N", "At most so many; default 100", NUMBER, "limit"},
    {'q', "qr", NULL, "Show the otpauth URI as a QR code too", OWN, NULL},
    {'Q', "qr-file", "FILE", "Write it as a QR code to a new file, .png or .svg, that only you can read", OWN, NULL},
    {'*', "qr", NULL, "With --deliver desk: show the link as a QR code too", OWN, NULL},
    {',', "qr-file", "FILE",
     "With --deliver desk: write the link as a QR code to a new file, .png or .svg, that only you can read", OWN, NULL},
    {'{', "challenge", "TEXT", "The code is a response to this challenge (OCRA)", TEXT, "challenge"},
    {'}', "challenge-second", "TEXT", "OCRA, mutual: the challenge that the token made", TEXT, "challenge_second"},
    {'|', "session-info", "TEXT", "OCRA, suites with S: the session information", TEXT, "session"},
    {'~', "pin-file", "FILE|-", "OCRA, suites with P: the user's PIN, its first line", OWN, NULL},
    {';', "pin-hash", "sha1|sha256|sha512", "By which the PIN is hashed; default sha1, as in PSHA1", TEXT, "pin_hash"},
    {'B', "batch", "FILE|-", "Verify many: a line a query", OWN, NULL},
    {'D', "daemon", NULL, "Only ask a running daemon; exit 3 when there is none", OWN, NULL},
    {'k', "key", "FILE", "The key file; default DIR.key", OWN, NULL},
    {'V', "journal", "FOLDER", "Journal segments of the lost machine, newer than the backup", OWN, NULL},
    {'C', "journal-complete", NULL, "The journal given reaches to the last answer ever sent", OWN, NULL},
    {'Z', "now", "TIME",
     "The present time, confirmed by you: seconds since 1970, a time such as 2026-01-31T12:00:00Z, or 'clock' to trust "
     "this machine's",
     OWN, NULL},
    {'3', "reason", "TEXT", "Why, for the log", TEXT, "reason"},
    {'4', "trained", "YYYY-MM-DD", "The day on which the company's people were trained", TEXT, "trained"},
    {'5', "name", "NAME", "The person's name; sealed", TEXT, "name"},
    {'6', "phone", "NUMBER", "The phone number, + and the country's code first; sealed", TEXT, "phone"},
    {'7', "language", "es|en", "Of messages to the user; default es", TEXT, "language"},
    {'8', "administrator", "yes|no", "Whether the user is an administrator of the company", TEXT, "administrator"},
    {'9', "serial", "SERIAL", "The token's serial number", TEXT, "serial"},
    {'0', "by", "SERIAL", "The token that comes in its place, in the company's custody", TEXT, "by"},
    {'+', "file", "FILE|-", "CSV: a line a token", OWN, NULL},
    {'-', "older", "DAYS", "Only those that have been in their state for so many days", NUMBER, "older_days"},
    {'!', "name", "NAME", "The operator's name", TEXT, "name"},
    {'@', "may", "GRANTS",
     "What an operator of the bank may, with commas: companies, users, release, erase, stock, tokens, operators, "
     "confirm, read, engine, messages, relay; or all",
     TEXT, "may"},
    {'#', "uid", "NUMBER", "The user id that alone may say this name; default any", NUMBER, "uid"},
    {'%', "new-key", NULL, "Make a fresh key; the old one is worth nothing then", OWN, NULL},
    {'=', "state", "active|disabled", "Whether the operator may act", TEXT, "state"},
    {'&', "state", "STATE", "Only those in this state", TEXT, "state"},
    {'T', "through", "POSITION", "The last position that may go", NUMBER, "through"},
    {'(', "overlap", "at-once|first-use|days", "When the token of before goes; default at-once", TEXT, "overlap"},
    {')', "overlap-days", "DAYS", "After so many days, where the overlap is days", NUMBER, "overlap_days"},
    {'[', "valid-hours", "HOURS", "The invitation lasts so long; default 24", NUMBER, "valid_hours"},
    {']', "rollback-hours", "HOURS", "It can be taken back for so long; default 72", NUMBER, "rollback_hours"},
    {'<', "link", "URL", "Where the invitation leads; the code stands behind a #", TEXT, "link"},
    {'>', "deliver", "sms|desk", "How the activation code reaches the user; default sms", TEXT, "deliver"},
    {'^', "device", "NUMBER", "The phone's number", NUMBER, "device"},
    {'j', "json", NULL, "Print JSON", OWN, NULL},
};
enum {
    OPTION_COUNT = sizeof options / sizeof options[0],
    KEY_STORE = 1000,
    KEY_INSECURE,
    KEY_TAKE_OVER,
    KEY_OPERATOR,
    KEY_OPERATOR_KEY
};

/* Every option but letters of one's own is long only: keys above the printable range. */
static int argp_key(int key)
{
    return key + 2000;
}

static bool number_set(json_t *request, const struct known_option *option, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || (option->kind == NUMBER && value < 0)) return false;
    return json_object_set_new(request, option->field, json_integer(value)) == 0;
}

/* NAME=VALUE into the request's "fields". */
static void field_set(struct invocation *invocation, const char *text)
{
    json_t *fields = json_object_get(invocation->request, "fields");
    const char *value = strchr(text, '=');
    char name[64];
    int size = value ? (int)(value - text) : 0;
    json_t *json = value ? json_string(value + 1) : NULL;
    if (size == 0 || size >= (int)sizeof name || !json)
        exit(complain(EXIT_USAGE, "--field takes NAME=VALUE in UTF-8, not %s", text));
    snprintf(name, sizeof name, "%.*s", size, text);
    if (!fields) {
        fields = json_object();
        json_object_set_new(invocation->request, "fields", fields);
    }
    if (json_object_set_new(fields, name, json) != 0) exit(complain(EXIT_USAGE, "--field: not UTF-8"));
}

static void own_set(struct invocation *invocation, int key, const char *text)
{
    switch (key) {
    case 'e':
        field_set(invocation, text);
        break;
    case 'h':
        invocation->all = true;
        break;
    case 'E':
        invocation->follow = true;
        break;
    case 's':
        invocation->secret_path = text;
        break;
    case '~':
        invocation->pin_path = text;
        break;
    case 'q':
    case '*':
        invocation->qr = true;
        break;
    case 'Q':
    case ',':
        invocation->qr_path = text;
        break;
    case 'B':
    case '+':
        invocation->batch_path = text;
        break;
    case '%':
        json_object_set_new(invocation->request, "new_key", json_true());
        break;
    case '?':
        json_object_set_new(invocation->request, "mutual", json_true());
        break;
    case 'D':
        invocation->daemon_only = true;
        break;
    case 'k':
        invocation->key_path = text;
        break;
    case 'V':
        invocation->journal_path = text;
        break;
    case 'C':
        invocation->journal_complete = true;
        break;
    case 'Z':
        invocation->now = text;
        break;
    case 'j':
        invocation->json = true;
        break;
    default:
        break;
    }
}

static void option_set(struct argp_state *state, struct invocation *invocation, int key, const char *text)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct known_option *option = &options[i];
        if (option->key != key) continue;
        if (option->kind == OWN) {
            own_set(invocation, key, text);
        } else if (option->kind == TEXT) {
            json_t *value = json_string(text);
            if (!value) argp_error(state, "--%s is not UTF-8", option->name);
            json_object_set_new(invocation->request, option->field, value);
        } else if (!number_set(invocation->request, option, text)) {
            argp_error(state, "--%s takes a whole number, not %s", option->name, text);
        }
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct invocation *invocation = state->input;
    if (key == KEY_STORE) {
        invocation->store = text;
    } else if (key == KEY_INSECURE) {
        invocation->insecure_memory = true;
    } else if (key == KEY_TAKE_OVER) {
        invocation->take_over = true;
    } else if (key == KEY_OPERATOR) {
        invocation->operator_name = text;
    } else if (key == KEY_OPERATOR_KEY) {
        invocation->operator_key_path = text;
    } else if (key == ARGP_KEY_ARG) {
        if (invocation->argument_count == invocation->command->argument_max)
            argp_error(state, "too many arguments: %s", text);
        invocation->arguments[invocation->argument_count++] = text;
    } else if (key == ARGP_KEY_END) {
        if (invocation->argument_count < invocation->command->argument_min)
            argp_error(state, "%s is missing", invocation->command->arguments);
    } else if (key >= 2000 && key < 3000) {
        option_set(state, invocation, key - 2000, text);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void options_parse(const struct command *command, int argc, char **argv, struct invocation *ret_invocation)
{
    struct argp_option list[OPTION_COUNT + 6] = {0};
    int count = 0;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options[i].key == 'k' || strchr(command->options, options[i].key))
            list[count++] = (struct argp_option){
                options[i].name, argp_key(options[i].key), options[i].argument, 0, options[i].help, 0};
    list[count++] =
        (struct argp_option){"store", KEY_STORE, "DIR", 0, "The store; default: the variable OTPRING_STORE", 1};
    list[count++] =
        (struct argp_option){"insecure-memory", KEY_INSECURE, 0, 0, "Work where memory cannot be locked", 1};
    list[count++] = (struct argp_option){
        "operator", KEY_OPERATOR, "NAME", 0, "Ask as this operator; default: the variable OTPRING_OPERATOR", 1};
    list[count++] = (struct argp_option){"operator-key",
                                         KEY_OPERATOR_KEY,
                                         "FILE",
                                         0,
                                         "Holds the operator's key; default: the variable OTPRING_OPERATOR_KEY",
                                         1};
    list[count++] = (struct argp_option){"take-over", KEY_TAKE_OVER, 0, OPTION_HIDDEN, "", 1};
    char doc[2048];
    snprintf(doc, sizeof doc, "%s.%s%s", command->summary, command->more ? "\v" : "",
             command->more ? command->more : "");
    struct argp argp = {
        .options = list, .parser = parse, .args_doc = command->arguments ? command->arguments : "", .doc = doc};
    char name[96];
    snprintf(name, sizeof name, "otpring %s", command->words);
    argv[0] = name;
    ret_invocation->command = command;
    ret_invocation->request = json_object();
    if (command->act) json_object_set_new(ret_invocation->request, "act", json_string(command->act));
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_NO_ARGS * 0, NULL, ret_invocation);
    if (!ret_invocation->store) ret_invocation->store = getenv("OTPRING_STORE");
    if (!ret_invocation->operator_name) ret_invocation->operator_name = getenv("OTPRING_OPERATOR");
    if (!ret_invocation->operator_key_path) ret_invocation->operator_key_path = getenv("OTPRING_OPERATOR_KEY");
    /* Shells end a folder's name with a slash; DIR.key and DIR/admin.sock are made from it. */
    static char store[4096];
    if (ret_invocation->store && strlen(ret_invocation->store) < sizeof store) {
        strcpy(store, ret_invocation->store);
        for (size_t size = strlen(store); size > 1 && store[size - 1] == '/'; size--) store[size - 1] = 0;
        ret_invocation->store = store;
    }
    if (!ret_invocation->store && strcmp(command->words, "completion") != 0)
        exit(complain(EXIT_USAGE, "which store? Give --store DIR or set OTPRING_STORE"));
}
