#include "otpringd/options.h"

#include <argp.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_FILE_SIZE_MAX = 1 << 20, EXIT_USAGE = 2 };

static const struct argp_option flags[] = {
    {"store", 's', "DIR", 0, "The store folder, made by 'otpring init'; also OTPRING_STORE", 1},
    {"config", 'c', "FILE", 0, "INI file: [otpringd] with these names, and [client NAME] sections", 1},
    {"key", 'k', "FILE", 0, "The store's key file (default: DIR.key)", 1},
    {"workers", 'w', "N", 0, "Verify threads (default: as many as verify-cpus, or cores less one, at least 1)", 2},
    {"verify-cpus", 'P', "LIST", 0,
     "Verify threads run on these processors (such as 2-5), in turn, and the other threads of otpringd on the others, "
     "where there are others (default: wherever the scheduler puts them)",
     2},
    {"kernel", 'K', "NAME", 0,
     "Kernel that codes are checked with (default: the best this CPU has; seals take that one always)", 2},
    {"connections-max", 'n', "N", 0, "Connections of one worker (default: 1024)", 2},
    {"session-idle", 'i', "SECONDS", 0, "A session without frames is forgotten after this (default: 600)", 2},
    {"tokens-max", 't', "N", 0, "Tokens that fit in memory (default: 4M); K and M may follow", 2},
    {"challenges-max", 'C', "N", 0, "Questions to devices that fit in memory (default: 128K); K and M may follow", 2},
    {"marks-max", 'M', "N", 0,
     "Used responses to challenges (OCRA suites with neither counter nor time) that are remembered, for ever: up to 40 "
     "bytes of memory each (default: 16M; K and M may follow). When they are all there, other good responses of such "
     "suites are answered UNAVAILABLE until it is raised",
     2},
    {"outbox-max", 'O', "N", 0, "Messages that wait or are dead; more are refused (default: 100000)", 2},
    {"segment-size", 'S', "BYTES", 0, "Size of a journal segment (default: 64M)", 3},
    {"checkpoint-bytes", 'B', "BYTES", 0,
     "Journal bytes between checkpoints (default: 256M and 64 bytes a token); more makes "
     "starts longer",
     3},
    {"journal-keep", 'J', "BYTES", 0, "Journal kept behind the last checkpoint (default: 4G)", 3},
    {"journal-keep-days", 'D', "DAYS", 0, "And no longer than this (default: whatever its age)", 3},
    {"verify-mode", 'v', "MODE", 0, "File mode of DIR/verify.sock (default: 0600)", 4},
    {"admin-mode", 'a', "MODE", 0, "File mode of DIR/admin.sock (default: 0600)", 4},
    {"ask-mode", 'q', "MODE", 0, "File mode of DIR/ask.sock (default: 0600)", 4},
    {"operators", 'o', NULL, 0,
     "Let any user that admin.sock's mode lets in speak there; each says which operator it is", 4},
    {"insecure-memory", 'm', NULL, 0, "Start even if memory cannot be locked: seeds may reach the swap", 5},
    {"no-sandbox", 'x', NULL, 0, "Without the system call filter", 5},
    {"take-over", 'T', NULL, 0, "Serve a store that was served elsewhere, copied or restored", 6},
    {"restore-now", 'R', "TIME", 0,
     "With --take-over: the present time, confirmed by you, in seconds since 1970 or as 2026-01-31T12:00:00Z", 6},
    {"version", 'V', NULL, 0, "Version, kernel in use and ring features", -1},
    {0},
};

static error_t parse_flag(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;
    if (key == 'V') {
        options->version = true;
        return 0;
    }
    if (key == ARGP_KEY_ARG) argp_error(state, "otpringd takes no argument: %s", argument);
    for (const struct argp_option *flag = flags; flag->name; flag++) {
        if (flag->key != key) continue;
        if (options->given_count == sizeof options->given / sizeof options->given[0])
            argp_error(state, "too many options");
        options->given[options->given_count].name = flag->name;
        options->given[options->given_count++].value = argument ? argument : "yes";
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

void options_parse(int argc, char **argv, struct options *ret_options)
{
    static const struct argp argp = {
        .options = flags,
        .parser = parse_flag,
        .doc =
            "Verifies one-time passwords: serves DIR/verify.sock, DIR/ask.sock and DIR/admin.sock until SIGTERM."
            "\vSIGTERM and SIGINT answer what is in flight, make a checkpoint and end with status 0. SIGHUP reads the "
            "[client] "
            "sections again. Sockets may be passed in by systemd, named verify, ask and admin. Whoever is neither the "
            "owner "
            "of the process nor root, nor a configured client, is refused; operators with --operators are told apart "
            "by their keys.",
    };
    argp_err_exit_status = EXIT_USAGE;
    *ret_options = (struct options){0};
    argp_parse(&argp, argc, argv, 0, NULL, ret_options);
}

static bool user_lookup(const char *name, uint32_t *ret_uid)
{
    const struct passwd *user = getpwnam(name);
    if (!user) return false;
    *ret_uid = user->pw_uid;
    return true;
}

static bool file_read(const char *path, char **ret_text, size_t *ret_size, char *ret_error, size_t error_size)
{
    FILE *file = fopen(path, "re");
    char *text = malloc(CONFIG_FILE_SIZE_MAX);
    size_t size = file && text ? fread(text, 1, CONFIG_FILE_SIZE_MAX, file) : 0;
    bool read = file && text && !ferror(file) && size < CONFIG_FILE_SIZE_MAX;
    if (!read)
        snprintf(ret_error, error_size, "%.150s: %s", path,
                 size == CONFIG_FILE_SIZE_MAX ? "larger than 1 MiB" : strerror(errno));
    if (file) fclose(file);
    if (!read) {
        free(text);
        return false;
    }
    *ret_text = text;
    *ret_size = size;
    return true;
}

static bool file_apply(const char *path, struct config *config, char *ret_error, size_t error_size)
{
    char *text;
    size_t size;
    if (!file_read(path, &text, &size, ret_error, error_size)) return false;
    char error[CONFIG_ERROR_SIZE];
    struct result result = config_parse(config, text, size, user_lookup, error);
    free(text);
    if (!result_failed(result)) return true;
    snprintf(ret_error, error_size, "%.150s: %s", path, error);
    return false;
}

bool options_apply(const struct options *options, struct config *ret_config, char *ret_error, size_t error_size)
{
    char error[CONFIG_ERROR_SIZE];
    const char *path = NULL;
    config_defaults(ret_config);
    for (uint32_t i = 0; i < options->given_count; i++)
        if (!strcmp(options->given[i].name, "config")) path = options->given[i].value;
    if (path && !file_apply(path, ret_config, ret_error, error_size)) return false;
    for (uint32_t i = 0; i < options->given_count; i++) {
        struct result result = config_set(ret_config, options->given[i].name, options->given[i].value, false, error);
        if (result_failed(result)) {
            snprintf(ret_error, error_size, "--%s", error);
            return false;
        }
    }
    const char *from_environment = getenv("OTPRING_STORE");
    if (!ret_config->store[0] && from_environment && *from_environment &&
        result_failed(config_set(ret_config, "store", from_environment, false, error))) {
        snprintf(ret_error, error_size, "OTPRING_STORE: %s", error);
        return false;
    }
    if (!ret_config->store[0]) {
        snprintf(ret_error, error_size,
                 "no store is named: --store DIR, OTPRING_STORE, or store = in the configuration");
        return false;
    }
    /* Shells end a folder's name with a slash; DIR.key is made from it. */
    for (size_t size = strlen(ret_config->store); size > 1 && ret_config->store[size - 1] == '/'; size--)
        ret_config->store[size - 1] = 0;
    if (!ret_config->key[0] && snprintf(ret_config->key, sizeof ret_config->key, "%.4000s.key", ret_config->store) < 5)
        return false;
    if (!result_failed(config_add_owner(ret_config, geteuid(), error))) return true;
    snprintf(ret_error, error_size, "%s", error);
    return false;
}
