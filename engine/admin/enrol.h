/* Enrolment of virtual tokens: how a user's device comes to hold a seed, and what becomes of the token before it.
 *
 *   invited     an activation code is on its way to the user
 *   presented   a device has shown it, with its keys
 *   proven      the user has passed the password (the auth server says so), and a code of the old token where there is
 * one binding     the device was sent the seed, sealed to its key bound       the device has shown that it holds the
 * seed; "activation successful" is on its way to it active      the device has confirmed: the seed is a line of the
 * table. The old token goes by the overlap policy, and until `rollback_until_ms` all of it can be taken back final the
 * old token is gone for good expired, cancelled, rolled-back, unbound: over; a new invitation begins anew
 *
 * What may be done stands in rules_list.h, what devices send and get in include/otpring/DEVICE.md. Each step is one
 * change of core, so after a crash it happened or did not; a device asks again until it is told the next state, and is
 * told the same. A seed is made for one enrolment and sealed to one key; it enters the table when the device confirms,
 * and is never used again when the enrolment ends otherwise.
 *
 * An account has one enrolment at a time, in STORE_INVITATIONS under its name. Keys of STORE_ORDER: ORDER_INVITATION,
 * then 'c' and the number in the activation code, or 'h' and the handle: the account's name; or 'd', when (ms,
 * big-endian) something is due, and the name; or 'w' and the name: an old token waits for the first code of the new.
 * ORDER_DEVICE, name, number of the device. One thread: the administrator's. */
#ifndef OTPRING_ADMIN_ENROL_H
#define OTPRING_ADMIN_ENROL_H

#include "admin/people.h"
#include "otp/activation.h"
#include "vault/device_key.h"

enum {
    ENROL_HANDLE_SIZE = 16,
    ENROL_MAC_SIZE = VAULT_FINGERPRINT_SIZE,
    ENROL_TRIES = 5,
    ENROL_STATEMENT_S = 300,
    ENROL_PROVE_S = 1800,    /* from presented to proven */
    ENROL_BIND_S = 900,      /* from proven to binding */
    ENROL_STORE_S = 900,     /* from binding to bound */
    ENROL_CONFIRM_S = 86400, /* from bound to active */
    ENROL_VALID_HOURS = 24,  /* of an invitation, where the request does not say */
    ENROL_ROLLBACK_HOURS = 72,
    ENROL_OVERLAP_DAYS_MAX = 90,
    ENROL_DEVICE_NAME_MAX = 63,
    ENROL_PLATFORM_MAX = 31,
    ENROL_PUSH_MAX = 255,
    ENROL_ABOUT_MAX = ENROL_DEVICE_NAME_MAX + 1 + ENROL_PUSH_MAX + 1,
    ENROL_SEED_SIZE_MAX = 64,
};

/* When the old token goes. */
enum enrol_overlap {
    OVERLAP_AT_ONCE = 1,
    OVERLAP_FIRST_USE = 2, /* of the new one */
    OVERLAP_DAYS = 3,
};

/* What a device says of itself. */
struct enrol_device {
    struct device_key sign_key; /* algorithm 0: none yet */
    uint8_t seal_key[HPKE_PUBLIC_MAX];
    char platform[ENROL_PLATFORM_MAX + 1];
    /* Its name, and where a push reaches it, each with a NUL: personal, so sealed under the person's key. */
    uint16_t about_size; /* sealed; 0: not known */
    uint8_t about[ENROL_ABOUT_MAX + VAULT_SEAL_EXTRA];
};

struct enrolment_row {
    uint64_t number;
    uint8_t state;    /* enum enrolment_state */
    uint8_t overlap;  /* enum enrol_overlap */
    uint8_t days;     /* of OVERLAP_DAYS */
    bool needs_code;  /* of the old token, besides the statement */
    bool old_retired; /* the policy has been carried out: the tokens in `old` are suspended */
    uint8_t tries;    /* of the activation code, left */
    uint16_t profile; /* of the new token */
    uint32_t rollback_s;
    char activation_id[ACTIVATION_ID_SIZE];
    uint8_t activation_mac[ENROL_MAC_SIZE];
    uint8_t handle[ENROL_HANDLE_SIZE]; /* zero until presented */
    uint8_t statement_mac[ENROL_MAC_SIZE];
    int64_t statement_until_ms; /* 0: none, or used */
    /* The code of the old token that is being verified: in which session, so that it is asked again after a crash and
     * not judged again (see DESIGN: retry). */
    uint64_t code_session; /* 0: none */
    uint32_t code_sequence;
    uint8_t code_mac[ENROL_MAC_SIZE];
    struct enrol_device device;
    uint8_t nonce[ENROL_HANDLE_SIZE]; /* that the device signs when it confirms */
    uint64_t device_number;           /* 0 before active */
    uint64_t stock_number;
    uint8_t old_count;
    uint32_t old[TABLE_ACCOUNT_TOKENS_MAX]; /* ordinals of the tokens that this enrolment suspended */
    int64_t invited_ms;
    int64_t changed_ms;
    int64_t due_ms; /* when the state ends by itself, or the old token goes; 0: never */
    int64_t active_ms;
    int64_t rollback_until_ms;
    uint8_t seed_size; /* 0: none */
    uint8_t sealed_seed[ENROL_SEED_SIZE_MAX + VAULT_SEAL_EXTRA];
};

enum enrol_device_state { ENROL_DEVICE_BOUND = 1, ENROL_DEVICE_UNBOUND = 2 };

struct device_row {
    uint64_t number;
    uint8_t state; /* enum enrol_device_state */
    uint8_t name[16];
    uint64_t stock_number; /* its token */
    int64_t bound_ms;
    int64_t unbound_ms; /* 0: bound */
    uint64_t counter;   /* the greatest that it has signed with */
    struct enrol_device device;
};

size_t enrol_row_encode(const struct enrolment_row *row, uint8_t ret[PEOPLE_ROW_MAX]);
struct result enrol_row_decode(struct store_bytes value, struct enrolment_row *ret_row) MUST_USE;
size_t enrol_device_encode(const struct device_row *row, uint8_t ret[PEOPLE_ROW_MAX]);
struct result enrol_device_decode(struct store_bytes value, struct device_row *ret_row) MUST_USE;

/* STORE_NOT_FOUND, STORE_DAMAGED. */
struct result enrol_row_get(struct people *people, const uint8_t name[16], struct enrolment_row *ret_row) MUST_USE;
/* By the number in an activation code, and by handle. */
struct result enrol_find_activation(struct people *people, const char id[ACTIVATION_ID_SIZE],
                                    uint8_t ret_name[16]) MUST_USE;
struct result enrol_find_handle(struct people *people, const uint8_t handle[ENROL_HANDLE_SIZE],
                                uint8_t ret_name[16]) MUST_USE;
/* before: as it stands in the store, or NULL. A record must be open. */
struct result enrol_row_put(struct people *people, const uint8_t name[16], const struct enrolment_row *before,
                            const struct enrolment_row *row) MUST_USE;
struct result enrol_device_get(struct people *people, uint64_t number, struct device_row *ret_row) MUST_USE;
struct result enrol_device_put(struct people *people, const struct device_row *row) MUST_USE;

/* Keyed hashes of what is secret and short: a look at the store does not give it away. */
enum enrol_secret { ENROL_SECRET_ACTIVATION = 1, ENROL_SECRET_STATEMENT = 2, ENROL_SECRET_CODE = 3 };
void enrol_mac(struct admin *admin, enum enrol_secret kind, const uint8_t salt[16], const void *bytes, size_t size,
               uint8_t ret_mac[ENROL_MAC_SIZE]);

/* ---- one enrolment being served ---- */

struct enrolling {
    struct people *people;
    uint8_t name[16];
    struct company_row company;
    struct user_row user;
    struct enrolment_row before; /* as it stands in the store; state NONE: there is none */
    struct enrolment_row row;    /* as it shall be */
};

/* Company, user and enrolment of people->act's request, or of a name. */
struct result enrolling_open(struct people *people, const char *company, const char *user, const uint8_t name[16],
                             struct enrolling *ret_enrolling) MUST_USE;
/* Judges the step and sets state and time; the state ends by itself after `valid_s` (0: never; ENROL_KEEP: as it
 * stood).
 */
#define ENROL_KEEP UINT64_MAX
struct result enrolling_step(struct enrolling *enrolling, enum rule_role role, enum rule_act act, uint32_t held,
                             uint64_t valid_s) MUST_USE;
/* The record of the act and the row. */
struct result enrolling_put(struct enrolling *enrolling, enum rule_act act) MUST_USE;
/* What the company's and the user's states allow. */
uint32_t enrolling_held(const struct enrolling *enrolling);
/* An act that ends with a refusal and still changes something: serve's ret_refusal is answered after the commit. */
struct result enrol_change(struct act *act,
                           struct result (*serve)(struct people *people, struct result *ret_refusal)) MUST_USE;

/* ---- the old tokens (enrol_tokens.c) ---- */

/* Whether a token of the account may be asked for a code. */
struct result enrol_armed(struct people *people, const uint8_t name[16], bool *ret_armed) MUST_USE;
/* The new token into stock and table, for the device that confirms. */
struct result enrol_token_enter(struct enrolling *enrolling) MUST_USE;
/* All tokens of the account but the new one: suspended, resumed, or removed for good. */
struct result enrol_old_suspend(struct enrolling *enrolling, enum rule_act act) MUST_USE;
struct result enrol_old_resume(struct enrolling *enrolling, enum rule_act act) MUST_USE;
struct result enrol_old_remove(struct enrolling *enrolling, enum rule_act act) MUST_USE;
/* A device goes, and its token is retired. */
struct result enrol_device_leave(struct people *people, struct device_row *device, enum rule_act act) MUST_USE;
/* The new token and its device go. */
struct result enrol_token_leave(struct enrolling *enrolling, enum rule_act act) MUST_USE;
/* What the user has under way ends, in the change of an act that ends it: an enrolment is cancelled; `device_too`: one
 * that is bound is unbound, and its token retired. */
struct result enrol_end(struct people *people, const uint8_t name[16], bool device_too) MUST_USE;
/* What is due by now: states that end, old tokens that go. At most a few at a call; once a second. */
void enrol_tend(struct admin *admin);

/* The seed of an enrolment, under the store's key. */
struct result enrol_seed_seal(struct enrolling *enrolling, const uint8_t *seed, size_t size) MUST_USE;
struct result enrol_seed_open(const struct enrolling *enrolling, uint8_t ret_seed[ENROL_SEED_SIZE_MAX]) MUST_USE;

/* What a device says of itself, and its texts again; both "" where the person's key is gone. */
struct result enrol_about_seal(struct enrolling *enrolling, const char *name, const char *push) MUST_USE;
struct enrol_about {
    char name[ENROL_DEVICE_NAME_MAX + 1];
    char push[ENROL_PUSH_MAX + 1];
};
struct result enrol_about_open(struct people *people, const uint8_t name[16], const struct enrol_device *device,
                               struct enrol_about *ret_about) MUST_USE;

/* ---- messages (enrol_notice.c) ---- */

/* LINK#CODE: an invitation in one text. */
void enrol_link_text(const char *link, const char *code, char *ret_text, size_t size);
struct result enrol_notice_invited(struct enrolling *enrolling, const char *link, const char *activation) MUST_USE;
struct result enrol_notice_bound(struct enrolling *enrolling) MUST_USE;
struct result enrol_notice_active(struct enrolling *enrolling) MUST_USE;

#endif
