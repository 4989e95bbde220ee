/* otpring-log: what its files share. Everything printed comes from numbers and tables of ours; the one foreign text is
 * what the caller typed, and that is escaped. */
#ifndef TOOLS_OTPRING_LOG_LOG_H
#define TOOLS_OTPRING_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "journal/journal.h"
#include "os/os.h"

enum exit_code { EXIT_DONE = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_UNAVAILABLE = 3 };

struct log_options {
    const char *store;
    const char *command;
    const char *company;
    const char *user;
    uint64_t from_position;
    uint64_t count;   /* 0: not given */
    unsigned verdict; /* enum otpring_verdict; 0: all */
    bool json;
    bool own; /* the journal's own records too */
    bool no_follow;
};

/* "otpring-log: " and the text, control characters as \xHH, on standard error. Gives the code back. */
int complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What an account's records are named by: 8 bytes of SHA-256(company), 8 of SHA-256(company 00 user). */
struct name_filter {
    uint8_t name[16];
    unsigned size; /* bytes of it that must fit: 0, 8 or 16 */
};
struct name_filter name_filter_of(const char *company, const char *user);

/* One record of a block, by its slot; false where the filters leave it out. `line` gets the text without a newline. */
enum { LINE_SIZE = 1536 };
bool record_line(const struct log_options *options, const struct name_filter *filter,
                 const struct journal_block_view *block, uint32_t slot, char line[LINE_SIZE]);

/* names.c: what a client's id stands for. Loaded from the store's own rows (a folder without them is no failure) and
 * added to by records; one thread. */
enum { CLIENT_NAME_TEXT = 192 + 1 };
void client_names_load(const char *folder);
void client_names_free(void);
void client_name_set(uint16_t id, const char *name, size_t size);
/* Printable, without blanks or quotes; NULL: not known. */
const char *client_name(uint16_t id);

int run_show(const struct log_options *options, struct os *os, const char *folder);
int run_tail(const struct log_options *options, struct os *os, const char *folder);

#endif
