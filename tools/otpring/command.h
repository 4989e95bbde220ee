/* otpring's command line: what a command is, and what all of them share. */
#ifndef TOOLS_OTPRING_COMMAND_H
#define TOOLS_OTPRING_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Exit codes that scripts rely on. */
enum exit_code { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNAVAILABLE = 3 };

enum { ARGUMENTS_MAX = 500 };

/* Everything that was given on the command line; options that are also fields of the request stand in `request`. */
struct invocation {
    const struct command *command;
    json_t *request; /* {"act": ..., fields} */
    const char *store;
    const char *key_path;
    const char *secret_path;
    const char *batch_path;
    const char *pin_path;
    const char *journal_path;
    const char *now;
    const char *qr_path;
    const char *operator_name;
    const char *operator_key_path;
    bool journal_complete;
    bool take_over;
    bool json;
    bool qr;
    bool daemon_only;
    bool insecure_memory;
    bool all;
    bool follow;
    const char *arguments[ARGUMENTS_MAX];
    int argument_count;
};

struct command {
    const char *words;     /* "token add" */
    const char *arguments; /* "CODE|-", for the usage line; NULL: none */
    int argument_min;
    int argument_max;
    const char *summary;
    const char *act;     /* of the admin request, or NULL */
    const char *options; /* keys of the options it takes, one character each (options.c) */
    const char *more;    /* paragraphs after the options in --help */
    int (*run)(struct invocation *invocation);
};

extern const struct command commands[]; /* ends with words NULL */

/* options.c: parses argv[1..] after the command's words; exits with EXIT_USAGE and a hint when they are off. */
void options_parse(const struct command *command, int argc, char **argv, struct invocation *ret_invocation);

/* "otpring: text" on standard error, escaped; gives `code` back. */
int complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Runs `request` through the daemon, or without one through the engine under the store's lock. NULL: complained
 * already, ret_exit says with what to exit; an answer with "ok": false is complained about too. The caller releases the
 * answer. */
json_t *admin_ask(struct invocation *invocation, json_t *request, int *ret_exit);
/* The same, but an answer with "ok": false is given back too, and not complained about. */
json_t *admin_answer(struct invocation *invocation, json_t *request, int *ret_exit);
void admin_done(void); /* closes what admin_ask keeps open between calls */

/* The usual ending: asks, prints JSON when asked to, else calls `print`. */
int ask_and_print(struct invocation *invocation, void (*print)(const struct invocation *invocation, json_t *answer));

/* A progress bar on standard error when that is a terminal. */
void bar_show(const char *what, unsigned long long done, unsigned long long of);
void bar_end(void);

/* Prints text with control characters escaped, so that no name can drive a terminal. */
void print_escaped(const char *text);
/* The same, then blanks up to `width` columns of the terminal, and one more. */
void print_column(const char *text, int width);
void print_json(json_t *value);

/* A whole file, or standard input for "-"; at most size_max bytes; NUL-terminated; the caller wipes and frees. NULL:
 * complained. */
char *read_whole(const char *path, size_t size_max, size_t *ret_size);

/* The base32 secret of --secret-file into the request. */
int secret_add(struct invocation *invocation);

/* commands, by file */
int run_init(struct invocation *invocation);
int run_token_add(struct invocation *invocation);
int run_token_list(struct invocation *invocation);
int run_token_show(struct invocation *invocation);
int run_change(struct invocation *invocation);
int run_token_set(struct invocation *invocation);
int run_token_resync(struct invocation *invocation);
int run_profile_list(struct invocation *invocation);
int run_profile_change(struct invocation *invocation);
int run_import(struct invocation *invocation);
int run_enrol_invite(struct invocation *invocation);
int run_enrol_list(struct invocation *invocation);
int run_enrol_status(struct invocation *invocation);
int run_enrol_change(struct invocation *invocation); /* cancel, rollback */
int run_device_list(struct invocation *invocation);
int run_device_unbind(struct invocation *invocation);
int run_verify(struct invocation *invocation);
int run_required(struct invocation *invocation);
int run_company_change(struct invocation *invocation);
int run_company_list(struct invocation *invocation);
int run_company_show(struct invocation *invocation);
int run_user_add(struct invocation *invocation);
int run_user_change(struct invocation *invocation);
int run_user_set(struct invocation *invocation);
int run_user_list(struct invocation *invocation);
int run_user_show(struct invocation *invocation);
int run_stock_add(struct invocation *invocation);
int run_stock_change(struct invocation *invocation);
int run_stock_assign(struct invocation *invocation);
int run_stock_replace(struct invocation *invocation);
int run_stock_list(struct invocation *invocation);
int run_operator_change(struct invocation *invocation);
int run_operator_list(struct invocation *invocation);
int run_request_list(struct invocation *invocation);
int run_request_decide(struct invocation *invocation);
int run_status(struct invocation *invocation);
int run_clock_consent(struct invocation *invocation);
int run_log_prune(struct invocation *invocation);
int run_backup(struct invocation *invocation);
int run_restore(struct invocation *invocation);
int run_outbox_list(struct invocation *invocation);
int run_outbox_show(struct invocation *invocation);
int run_outbox_tail(struct invocation *invocation);
int run_outbox_put(struct invocation *invocation);
int run_outbox_remind(struct invocation *invocation);
int run_outbox_settle(struct invocation *invocation);
int run_outbox_retry(struct invocation *invocation);
int run_completion(struct invocation *invocation);

#endif
