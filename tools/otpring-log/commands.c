#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive_os.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"approval", command_approval},
    {"archive", command_archive},
    {"check", command_check},
    {"checkpoint", command_checkpoint},
    {"key", command_key},
    {"prove", command_prove},
    {"prune", command_prune},
    {"rerun", command_rerun},
    {"verify-approval", command_verify_approval},
    {"verify-proof", command_verify_proof},
};

/* All options but these take a value, of whichever command. A word that begins one of them is short for it. */
static bool takes_value(const char *word)
{
    static const char *const flags[] = {"all",      "follow",   "help", "insecure-memory", "json",  "no-follow",
                                        "no-index", "no-names", "own",  "quiet",           "usage", "version"};
    if (word[1] != '-') return strcmp(word, "-n") == 0;
    if (strchr(word, '=')) return false;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strncmp(flags[i], word + 2, strlen(word + 2)) == 0) return false;
    return true;
}

int command_at(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') return i;
        if (strcmp(argv[i], "--") == 0) return i + 1 < argc ? i + 1 : 0;
        i += takes_value(argv[i]);
    }
    return 0;
}

int command_run(int argc, char **argv)
{
    int at = command_at(argc, argv);
    for (size_t i = 0; at && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[at], commands[i].name) == 0) return command_end(commands[i].run(argc, argv));
    return -1;
}

error_t command_option(struct command_words *words, int key, char *argument, struct argp_state *state)
{
    (void)state;
    switch (key) {
    case COMMAND_STORE:
        words->store = argument;
        return 0;
    case COMMAND_JSON:
        words->json = true;
        return 0;
    case COMMAND_PUBLIC_KEY:
        words->public_key = argument;
        return 0;
    case COMMAND_ARCHIVE:
        words->archive = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (!words->met) {
            words->met = true;
            return 0;
        }
        if (!words->wants_file || words->file) exit(complain(EXIT_USAGE, "one word too many: %s", argument));
        words->file = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void command_parse(const struct argp *argp, int argc, char **argv, struct command_words *words)
{
    words->store = getenv("OTPRING_STORE");
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(argp, argc, argv, 0, NULL, words) != 0) exit(EXIT_USAGE);
}

int command_journal(const struct command_words *words, char *ret_path, size_t capacity)
{
    if (!words->store || !*words->store)
        return complain(EXIT_USAGE, "which store? --store DIR, or the variable OTPRING_STORE");
    int size = snprintf(ret_path, capacity, "%s/journal", words->store);
    if (size < 0 || (size_t)size >= capacity) return complain(EXIT_USAGE, "--store: the path is too long");
    return EXIT_DONE;
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* 64 hex digits; white space may follow. */
static bool parse_key(const char *text, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE])
{
    for (unsigned i = 0; i < VAULT_PUBLIC_KEY_SIZE; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0) return false;
        ret_key[i] = (uint8_t)(high << 4 | low);
    }
    text += 2 * VAULT_PUBLIC_KEY_SIZE;
    return text[strspn(text, " \t\r\n")] == '\0';
}

int command_public_key(const struct command_words *words, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE])
{
    char path[4096];
    if (!words->public_key && !words->store)
        return complain(EXIT_USAGE, "whose log is it? name the public key with --public-key FILE");
    int size = words->public_key ? snprintf(path, sizeof path, "%s", words->public_key)
                                 : snprintf(path, sizeof path, "%s/audit.pub", words->store);
    FILE *file = size < (int)sizeof path ? fopen(path, "re") : NULL;
    if (!file) return complain(EXIT_USAGE, "%s: cannot read the public key; name it with --public-key FILE", path);
    char text[256];
    size_t have = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[have] = '\0';
    if (!parse_key(text, ret_key)) return complain(EXIT_USAGE, "%s: not a public key (64 hex digits)", path);
    return EXIT_DONE;
}

int command_os(const char *store, const char *archive, struct os **ret_os)
{
    char journal[4096];
    if (snprintf(journal, sizeof journal, "%s/journal", store) >= (int)sizeof journal)
        return complain(EXIT_USAGE, "--store: the path is too long");
    struct result result = archive_os_open(journal, archive, ret_os);
    return result_failed(result) ? complain(EXIT_UNAVAILABLE, "%s", result_text(result)) : EXIT_DONE;
}

bool command_number(const char *text, uint64_t *ret_number)
{
    char *end;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

void command_bad_value(const char *option, const char *value)
{
    exit(complain(EXIT_USAGE, "%s: not a valid value: %s", option, value));
}

int command_read(const char *path, size_t capacity, char **ret_text, size_t *ret_size)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file) return complain(EXIT_USAGE, "%s: %s", path, strerror(errno));
    char *text = malloc(capacity);
    size_t have = text ? fread(text, 1, capacity, file) : 0;
    bool failed = ferror(file);
    if (!standard) fclose(file);
    if (!text || failed || have == capacity) {
        free(text);
        if (!text) return complain(EXIT_UNAVAILABLE, "%s", result_text(result_of(NO_MEMORY)));
        return complain(EXIT_USAGE, "%s: %s", path, failed ? "cannot be read" : "too large");
    }
    text[have] = '\0';
    *ret_text = text;
    *ret_size = have;
    return EXIT_DONE;
}

int command_end(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    return complain(EXIT_UNAVAILABLE, "standard output: %s", strerror(errno));
}
