/* otpring-token: a virtual token. What its files share.
 *
 * Accounts, with their keys and seeds, live in one file sealed by a passphrase (sealed_file.h); a command reads it
 * whole, and writes it whole after each step that must not be forgotten. */
#ifndef TOOLS_OTPRING_TOKEN_TOKEN_H
#define TOOLS_OTPRING_TOKEN_TOKEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otp/activation.h"
#include "otp/ocra.h"
#include "otp/otp.h"
#include "vault/device_key.h"

enum exit_code { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNAVAILABLE = 3 };

enum { HANDLE_SIZE = 16, ACCOUNTS_MAX = 64, NAME_MAX_SIZE = 63, PLATFORM_MAX_SIZE = 31, PUSH_MAX_SIZE = 255 };

/* Where an account stands; the same words as the bank's answers, with "new" before the first of them. Unbound: the bank
 * said that it does not know this device. That is not signed, and another bank at the same socket says it too: so keys
 * and seed stay, unused, until the user removes the account, or asks by its number and the bank knows it after all. */
enum account_state {
    ACCOUNT_NEW,
    ACCOUNT_PRESENTED,
    ACCOUNT_PROVEN,
    ACCOUNT_BINDING,
    ACCOUNT_BOUND,
    ACCOUNT_ACTIVE,
    ACCOUNT_UNBOUND
};
const char *account_state_name(enum account_state state);
struct account;
const char *account_type_name(const struct account *account); /* "totp", "hotp", "ocra" */

struct account {
    unsigned number; /* what the user calls it by */
    enum account_state state;
    enum device_algorithm algorithm;
    uint8_t sign_private[DEVICE_PRIVATE_SIZE];
    uint8_t seal_private[HPKE_PRIVATE_SIZE];
    char name[NAME_MAX_SIZE + 1];
    char platform[PLATFORM_MAX_SIZE + 1];
    char push[PUSH_MAX_SIZE + 1];
    char activation[ACTIVATION_SIZE + 1]; /* until active: it says which one to go on with */
    uint8_t handle[HANDLE_SIZE];
    uint8_t nonce[HANDLE_SIZE];
    bool needs_code;
    uint64_t device;  /* the bank's number for this device; 0: a token that was added by hand, without keys */
    uint64_t answers; /* the counter of the last answer that was signed */
    char company[OTP_NAME_SIZE_MAX + 1];
    char user[OTP_NAME_SIZE_MAX + 1];
    struct otp_parameters parameters;
    char suite[OCRA_SUITE_SIZE_MAX + 1]; /* OCRA alone */
    uint64_t moving;                     /* HOTP, OCRA with a counter: the next one */
    uint8_t seed[OTP_SEED_SIZE_MAX];
    size_t seed_size;     /* 0: none yet */
    uint8_t bank_key[32]; /* Ed25519: what the bank signs with */
};

struct accounts {
    unsigned count;
    unsigned last_number;
    struct account items[ACCOUNTS_MAX];
};

struct settings {
    const char *file;
    const char *passphrase_file; /* or NULL: the terminal */
    const char
        *socket; /* the daemon's admin.sock or ask.sock, or NULL: documents on standard output, answers on input */
    const char *activation;
    const char *algorithm;
    const char *name;
    const char *platform;
    const char *push;
    const char *statement;
    const char *code;
    const char *account;
    const char *qr;
    const char *uri_file;
    const char *secret_file;
    const char *company;
    const char *user;
    const char *suite;
    const char *counter;
    const char *challenge;
    const char *challenge_second;
    const char *server_response;
    const char *session;
    const char *pin_file;
    const char *refuse;
    const char *number;
    const char *mqtt;
    const char *topic;
    const char *ca_file;
    const char *username;
    const char *mqtt_password_file;
    const char *other_passphrase_file;
    bool force;
    bool vouch;
    bool new_challenge;
    bool json;
    bool watch;
    bool approve;
    bool offline;
    bool once;
    const char *argument;
};

/* "otpring-token: text" on standard error; gives `code` back. */
int complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From now on complaints go there instead, the last one standing; NULL: to standard error again. */
void complain_into(char *buffer, size_t size);

/* accounts.c: to JSON and back; false where it is not one of ours. The caller wipes. */
json_t *accounts_json(const struct accounts *accounts);
bool accounts_read(const json_t *json, struct accounts *ret_accounts);
struct account *account_find(struct accounts *accounts, const char *number_text);
/* choose.c. The one that settings name, or the only one that `fits`; NULL: complained. `what`: what is looked for, in
 * the complaint. */
struct account *account_choose(const struct settings *settings, struct accounts *accounts,
                               bool (*fits)(const struct account *account), const char *what);
bool account_is_enrolled(const struct account *account); /* and active: it can be asked things */
/* Whether a command asks the bank about it: those enrolled, or the one that settings name, even where it is unbound. */
bool account_is_asked(const struct settings *settings, struct accounts *accounts, const struct account *account);
bool account_shows_codes(const struct account *account);
bool account_answers_by_hand(const struct account *account); /* has an OCRA suite */
/* A new one at the end; NULL: complained, there are too many. */
struct account *account_new(struct accounts *accounts);
void account_drop(struct accounts *accounts, struct account *account); /* those behind it move up */

/* keep.c: the file. The passphrase is asked for once and kept until keep_close. */
int keep_open(const struct settings *settings, struct accounts *ret_accounts);
int keep_save(const struct settings *settings, const struct accounts *accounts);
void keep_close(void);
/* Accounts in another sealed file, under a passphrase of its own (or, where none is named, the same). */
int keep_export(const struct settings *settings, const char *path, const struct accounts *accounts);
int keep_import(const struct settings *settings, const char *path, struct accounts *ret_accounts);
/* The first line of a file or of standard input (-), without its end, into `ret`; complains. Also a PIN, a secret. */
int first_line(const char *path, const char *what, char *ret, size_t size);

/* document.c: what a device sends (include/otpring/DEVICE.md). NULL: a cryptographic operation failed. */
json_t *document_present(const struct account *account);
json_t *document_prove(const struct account *account, const char *statement, const char *code);
json_t *document_bind(const struct account *account);
json_t *document_stored(const struct account *account);
json_t *document_status(const struct account *account);
json_t *document_confirm(const struct account *account);
/* The sealed seed of an answer into the account; false where it does not open or says something else. */
bool document_open(struct account *account, const json_t *answer);
bool document_bytes(const json_t *object, const char *key, uint8_t *ret_bytes, size_t size);

/* transport.c: one document there, one answer back; NULL: complained. The caller releases the answer. */
json_t *transport_ask(const struct settings *settings, const json_t *document);
/* The same through ask.sock. */
json_t *transport_question(const struct settings *settings, const json_t *document);
/* The auth server's part, for tests and demonstrations: --vouch. */
json_t *transport_vouch(const struct settings *settings, const struct account *account);
void transport_close(void);

/* image.c: the text of the one QR code in a PNG image; "-": standard input. EXIT_DONE, or complained. The caller frees.
 */
int image_read(const char *path, char **ret_text);

/* show.c */
void text_print(const char *text); /* without control characters */
/* The code of now, and for how many seconds it is; a counter's: the next one, 0. */
unsigned code_now(const struct account *account, int64_t now_s, char ret_text[16]);

/* respond.c: the response of an OCRA token to settings->challenge; a counter is used up before it is given. */
int response_by_hand(const struct settings *settings, struct accounts *accounts, struct account *account,
                     char ret_text[OCRA_RESPONSE_SIZE_MAX + 1]);

/* enrol_account.c. The activation code that settings give, as text, in a link or in a picture; "": none. EXIT_DONE, or
 * complained. */
int enrol_code_get(const struct settings *settings, char ret_activation[ACTIVATION_SIZE + 1]);
/* The account to go on with: the one that --account names, the one of this code, or, without a code, the only one under
 * way; a code of none of them makes a new one, which is kept. EXIT_DONE, or complained. */
int enrol_account_choose(const struct settings *settings, struct accounts *accounts, const char *activation,
                         struct account **ret_account);
/* Complains about those under way, if there are any: how to go on with them. */
void enrol_accounts_hint(const struct accounts *accounts);

/* Commands. */
int run_add(const struct settings *settings);
int run_ocra(const struct settings *settings);
int run_scan(const struct settings *settings);
int run_questions(const struct settings *settings);
int run_answer(const struct settings *settings);
int run_listen(const struct settings *settings);
int run_export(const struct settings *settings);
int run_import(const struct settings *settings);
int run_screen(const struct settings *settings);
int run_enrol(const struct settings *settings);
int run_list(const struct settings *settings);
int run_code(const struct settings *settings);
int run_remove(const struct settings *settings);

#endif
