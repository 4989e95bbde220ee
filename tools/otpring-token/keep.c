/* The sealed file of accounts, and the passphrase that opens it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "os/arena.h"
#include "sealed_file.h"
#include "token.h"

enum { PASSPHRASE_MAX = 1023 };

static char passphrase[PASSPHRASE_MAX + 1];

static bool line_read(FILE *from, char *ret, size_t size)
{
    bool got = fgets(ret, (int)size, from) != NULL;
    ret[got ? strcspn(ret, "\r\n") : 0] = 0;
    return got && ret[0];
}

int first_line(const char *path, const char *what, char *ret, size_t size)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file) return complain(EXIT_USAGE, "%s: %s", path, strerror(errno));
    bool got = line_read(file, ret, size);
    if (!standard) fclose(file);
    return got ? EXIT_DONE : complain(EXIT_USAGE, "%s holds no %s", path, what);
}

/* Without echo, on the terminal itself, wherever standard input comes from. */
static bool terminal_ask(const char *prompt)
{
    struct termios before, silent;
    FILE *terminal = fopen("/dev/tty", "r+e");
    if (!terminal) return false;
    fprintf(terminal, "%s", prompt);
    fflush(terminal);
    bool hidden = tcgetattr(fileno(terminal), &before) == 0;
    if (hidden) {
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fileno(terminal), TCSAFLUSH, &silent);
    }
    bool got = line_read(terminal, passphrase, sizeof(passphrase));
    if (hidden) tcsetattr(fileno(terminal), TCSAFLUSH, &before);
    fputc('\n', terminal);
    fclose(terminal);
    return got;
}

static int from_terminal(bool new_file)
{
    char first[sizeof(passphrase)];
    if (!terminal_ask(new_file ? "New passphrase: " : "Passphrase: "))
        return complain(EXIT_USAGE, "no passphrase; without a terminal give --passphrase-file FILE|-");
    if (!new_file) return EXIT_DONE;
    memcpy(first, passphrase, sizeof(first));
    bool same = terminal_ask("The same again: ") && strcmp(first, passphrase) == 0;
    secret_wipe(first, sizeof(first));
    return same ? EXIT_DONE : complain(EXIT_USAGE, "the two passphrases differ");
}

static int content_take(const char *path, char *content, size_t size, struct accounts *ret_accounts)
{
    json_t *json = json_loadb(content, size, JSON_REJECT_DUPLICATES, NULL);
    secret_wipe(content, size);
    free(content);
    bool read = json && accounts_read(json, ret_accounts);
    json_decref(json);
    return read ? EXIT_DONE : complain(EXIT_REFUSED, "%s: not accounts that this version knows", path);
}

static int file_open(const char *path, const char *phrase, bool needed, struct accounts *ret_accounts)
{
    char *content;
    size_t size;
    switch (sealed_file_read(path, phrase, &content, &size)) {
    case SEALED_FILE_DONE:
        return content_take(path, content, size, ret_accounts);
    case SEALED_FILE_NONE:
        return needed ? complain(EXIT_USAGE, "%s: %s", path, strerror(ENOENT)) : EXIT_DONE;
    case SEALED_FILE_WRONG:
        return complain(EXIT_REFUSED, "%s: the passphrase is wrong, or the file was changed", path);
    case SEALED_FILE_FOREIGN:
        return complain(EXIT_REFUSED, "%s is no file of otpring-token, or of a later version", path);
    default:
        return complain(EXIT_REFUSED, "%s: %s", path, strerror(errno));
    }
}

int keep_open(const struct settings *settings, struct accounts *ret_accounts)
{
    memset(ret_accounts, 0, sizeof(*ret_accounts));
    bool new_file = access(settings->file, F_OK) != 0 && errno == ENOENT;
    int status = settings->passphrase_file
                     ? first_line(settings->passphrase_file, "passphrase", passphrase, sizeof(passphrase))
                     : from_terminal(new_file);
    if (status != EXIT_DONE) return status;
    return file_open(settings->file, passphrase, false, ret_accounts);
}

static int file_save(const char *path, const char *phrase, const struct accounts *accounts)
{
    json_t *json = accounts_json(accounts);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (!text) return complain(EXIT_REFUSED, "not enough memory");
    size_t size = strlen(text);
    enum sealed_file_result result = sealed_file_write(path, phrase, text, size);
    secret_wipe(text, size);
    free(text);
    return result == SEALED_FILE_DONE ? EXIT_DONE : complain(EXIT_REFUSED, "%s: %s", path, strerror(errno));
}

int keep_save(const struct settings *settings, const struct accounts *accounts)
{
    return file_save(settings->file, passphrase, accounts);
}

static int other_passphrase(const struct settings *settings, char ret[PASSPHRASE_MAX + 1])
{
    if (settings->other_passphrase_file)
        return first_line(settings->other_passphrase_file, "passphrase", ret, PASSPHRASE_MAX + 1);
    memcpy(ret, passphrase, PASSPHRASE_MAX + 1);
    return EXIT_DONE;
}

int keep_export(const struct settings *settings, const char *path, const struct accounts *accounts)
{
    char phrase[PASSPHRASE_MAX + 1];
    if (access(path, F_OK) == 0) return complain(EXIT_USAGE, "%s is there already", path);
    int status = other_passphrase(settings, phrase);
    if (status == EXIT_DONE) status = file_save(path, phrase, accounts);
    secret_wipe(phrase, sizeof(phrase));
    return status;
}

int keep_import(const struct settings *settings, const char *path, struct accounts *ret_accounts)
{
    char phrase[PASSPHRASE_MAX + 1];
    int status = other_passphrase(settings, phrase);
    if (status == EXIT_DONE) status = file_open(path, phrase, true, ret_accounts);
    secret_wipe(phrase, sizeof(phrase));
    return status;
}

void keep_close(void)
{
    secret_wipe(passphrase, sizeof(passphrase));
}
