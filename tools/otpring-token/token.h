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
#include "otp/otp.h"
#include "vault/device_key.h"

enum exit_code { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNAVAILABLE = 3 };

enum { HANDLE_SIZE = 16, ACCOUNTS_MAX = 64, NAME_MAX_SIZE = 63, PLATFORM_MAX_SIZE = 31, PUSH_MAX_SIZE = 255 };

/* Where an account stands; the same words as the bank's answers, with "new" before the first of them. */
enum account_state { ACCOUNT_NEW, ACCOUNT_PRESENTED, ACCOUNT_PROVEN, ACCOUNT_BINDING, ACCOUNT_BOUND, ACCOUNT_ACTIVE };
const char *account_state_name(enum account_state state);

struct account {
    unsigned number; /* what the user calls it by */
    enum account_state state;
    enum device_algorithm algorithm;
    uint8_t sign_private[DEVICE_PRIVATE_SIZE];
    uint8_t seal_private[HPKE_PRIVATE_SIZE];
    char name[NAME_MAX_SIZE + 1];
    char platform[PLATFORM_MAX_SIZE + 1];
    char push[PUSH_MAX_SIZE + 1];
    char activation[ACTIVATION_SIZE + 1]; /* until presented */
    uint8_t handle[HANDLE_SIZE];
    uint8_t nonce[HANDLE_SIZE];
    bool needs_code;
    uint64_t device; /* the bank's number for this device */
    char company[OTP_NAME_SIZE_MAX + 1];
    char user[OTP_NAME_SIZE_MAX + 1];
    struct otp_parameters parameters;
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
    const char *socket;          /* the daemon's admin.sock, or NULL: documents on standard output, answers on input */
    const char *activation;
    const char *algorithm;
    const char *name;
    const char *platform;
    const char *push;
    const char *statement;
    const char *code;
    bool vouch;
    bool json;
    bool watch;
    const char *argument;
};

/* "otpring-token: text" on standard error; gives `code` back. */
int complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* accounts.c: to JSON and back; false where it is not one of ours. The caller wipes. */
json_t *accounts_json(const struct accounts *accounts);
bool accounts_read(const json_t *json, struct accounts *ret_accounts);
struct account *account_find(struct accounts *accounts, const char *number_text);

/* keep.c: the file. The passphrase is asked for once and kept until keep_close. */
int keep_open(const struct settings *settings, struct accounts *ret_accounts);
int keep_save(const struct settings *settings, const struct accounts *accounts);
void keep_close(void);

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
/* The auth server's part, for tests and demonstrations: --vouch. */
json_t *transport_vouch(const struct settings *settings, const struct account *account);
void transport_close(void);

/* Commands. */
int run_enrol(const struct settings *settings);
int run_list(const struct settings *settings);
int run_code(const struct settings *settings);
int run_remove(const struct settings *settings);

#endif
