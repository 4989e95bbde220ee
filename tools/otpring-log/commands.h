/* Commands that have options of their own, each in its file: evidence, keeping, reports. `main` hands over when the
 * command word is one of them; the words before and behind it are parsed there. */
#ifndef TOOLS_OTPRING_LOG_COMMANDS_H
#define TOOLS_OTPRING_LOG_COMMANDS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "journal/slots.h"
#include "log.h"
#include "os/os.h"
#include "vault/vault.h"

/* The exit code of the command that the words name; -1: none of these. */
int command_run(int argc, char **argv);

/* Which word is the command: the first that is no option, nor an option's value. 0: none. */
int command_at(int argc, char **argv);

int command_approval(int argc, char **argv);
int command_archive(int argc, char **argv);
int command_check(int argc, char **argv);
int command_checkpoint(int argc, char **argv);
int command_key(int argc, char **argv);
int command_prove(int argc, char **argv);
int command_prune(int argc, char **argv);
int command_rerun(int argc, char **argv);
int command_verify_approval(int argc, char **argv);
int command_verify_proof(int argc, char **argv);

/* What all of them share. The command word itself is taken for granted; up to one more word is kept as `file`, where
 * `wants_file` says so. */
enum { COMMAND_STORE = 2000, COMMAND_JSON, COMMAND_PUBLIC_KEY, COMMAND_ARCHIVE };
struct command_words {
    const char *command;
    const char *store;
    const char *public_key;
    const char *archive;
    const char *file;
    bool wants_file;
    bool json;
    bool met;
};
#define COMMAND_STORE_OPTION                                                                                           \
    {                                                                                                                  \
        "store", COMMAND_STORE, "DIR", 0, "The store; default: the variable OTPRING_STORE", 0                          \
    }
#define COMMAND_JSON_OPTION                                                                                            \
    {                                                                                                                  \
        "json", COMMAND_JSON, NULL, 0, "Print JSON", 0                                                                 \
    }
#define COMMAND_PUBLIC_KEY_OPTION                                                                                      \
    {                                                                                                                  \
        "public-key", COMMAND_PUBLIC_KEY, "FILE", 0, "The key of signed checkpoints; default: DIR/audit.pub", 0        \
    }
#define COMMAND_ARCHIVE_OPTION                                                                                         \
    {                                                                                                                  \
        "archive", COMMAND_ARCHIVE, "DIR", 0, "Archived segments; default: the folder archive of the store", 0         \
    }
/* For the parsers' default case. */
error_t command_option(struct command_words *words, int key, char *argument, struct argp_state *state);
/* Parses the words; ends the program when they make no sense. `input` begins with struct command_words. */
void command_parse(const struct argp *argp, int argc, char **argv, struct command_words *words);
/* DIR/journal of the store named; complains when none is. */
int command_journal(const struct command_words *words, char *ret_path, size_t capacity);
/* The public key named, or the store's. */
int command_public_key(const struct command_words *words, uint8_t ret_key[VAULT_PUBLIC_KEY_SIZE]);
/* An os to read the store's journal with, its archive too: the folder named, or DIR/archive where there is one (archive
 * may be NULL). */
int command_os(const char *store, const char *archive, struct os **ret_os);
bool command_number(const char *text, uint64_t *ret_number);
void command_bad_value(const char *option, const char *value);
/* The one published checkpoint of a file, signed with the key (evidence.c). */
int note_read(const char *path, const uint8_t public_key[VAULT_PUBLIC_KEY_SIZE],
              struct slot_checkpoint *ret_checkpoint);
/* A whole text file of at most capacity - 1 bytes, ended by a zero byte. "-" is standard input. The caller frees. */
int command_read(const char *path, size_t capacity, char **ret_text, size_t *ret_size);
/* Flushes standard output, and complains when it could not take everything. */
int command_end(int code);

#endif
