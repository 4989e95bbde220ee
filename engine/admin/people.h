/* The world of people: companies, users, the stock of tokens, operators, requests for a second person. Their rows, and
 * how an act on them is served: who asks, as what, whether the rules let it pass, and its rows into a change of core.
 *
 * Rows are read in the transaction of the change that is open, so what was judged still holds when it is committed.
 * Rows are not trusted (STORE_DAMAGED). One thread: the administrator's. */
#ifndef OTPRING_ADMIN_PEOPLE_H
#define OTPRING_ADMIN_PEOPLE_H

#include "admin/acts.h"
#include "admin/row.h"
#include "admin/rules.h"
#include "core/change.h"

enum {
    PEOPLE_ROW_MAX = 2048,
    PEOPLE_SERIAL_MAX = 40,
    PEOPLE_PERSON_MAX = 400, /* bytes of a person's data before sealing */
    PEOPLE_PERSON_NAME_MAX = 255,
    PEOPLE_PHONE_MAX = 16, /* + and at most 15 digits (E.164) */
    PEOPLE_OPERATOR_NAME_MAX = 63,
    PEOPLE_PARAMETERS_MAX = 1024, /* of a request for a second person */
};

/* Kinds of STORE_ORDER. */
enum order_kind {
    ORDER_STOCK_BY_COMPANY = 'A', /* company 8, state 1, since 8, number 8 */
    ORDER_STOCK_BY_STATE = 'B',   /* state 1, since 8, number 8 */
    ORDER_COMPANY_BY_NAME = 'C',  /* the name's first 48 bytes, company 8 */
    ORDER_DEVICE = 'D',           /* enrolment's own */
    ORDER_SEED = 'F',             /* fingerprint 16 -> number of the token in stock with this seed */
    ORDER_INVITATION = 'I',       /* enrolment's own */
    ORDER_ADMINISTRATOR = 'M',    /* name 16: a user who is an administrator */
    ORDER_USER_BY_NAME = 'N',     /* company 8, the user's first 40 bytes, account 8 */
    ORDER_OUTBOX = 'O',           /* the outbox's own */
    ORDER_OPERATOR_BY_NAME = 'P', /* name -> number 4 */
    ORDER_STOCK_BY_ORDINAL = 'Q', /* ordinal 4 -> number of the token in stock whose line it is */
    ORDER_REQUEST_BY_STATE = 'R', /* state 1, number 8 */
    ORDER_STOCK_BY_SERIAL = 'S',  /* serial -> number */
    ORDER_STOCK_BY_USER = 'U',    /* name 16, number 8: tokens that a user has, lost ones too */
};

/* ---- rows ---- */

struct company_row {
    uint8_t state; /* enum company_state */
    char name[SCHEMA_NAME_MAX + 1];
    int64_t created_ms;
    int64_t active_ms;    /* 0: not yet; since when its scheme is enforced */
    uint32_t active_by;   /* operator; 0: the owner of the store */
    int32_t training_day; /* days since 1970 */
    int64_t suspended_ms;
};

enum user_flag {
    USER_IS_ADMINISTRATOR = 1,
    USER_WAS_REQUIRED = 2, /* had a token of the stock assigned, or an enrolment begun, at any time */
    USER_IS_RELEASED = 4,  /* was released since the last assignment */
};

struct user_row {
    uint8_t state; /* enum user_state */
    uint8_t flags; /* enum user_flag */
    char user[SCHEMA_NAME_MAX + 1];
    char language[3]; /* "es", "en" */
    int64_t created_ms;
    int64_t changed_ms;
    bool phone_known;     /* there is a phone number in what is sealed */
    uint16_t sealed_size; /* 0: nothing is known of the person */
    uint8_t sealed[PEOPLE_PERSON_MAX + VAULT_SEAL_EXTRA];
};

/* What is sealed per person. */
struct person {
    char name[PEOPLE_PERSON_NAME_MAX + 1];
    char phone[PEOPLE_PHONE_MAX + 1]; /* "" : not known */
};

enum stock_kind { STOCK_PHYSICAL = 1, STOCK_VIRTUAL = 2 };

struct stock_row {
    uint64_t number;
    uint8_t kind;  /* enum stock_kind */
    uint8_t state; /* enum stock_state */
    uint16_t profile;
    uint8_t fingerprint[16];
    char serial[PEOPLE_SERIAL_MAX + 1];
    uint8_t company[8]; /* zero while ordered */
    uint8_t holder[16]; /* name of the user who has or had it last; zero: nobody */
    uint32_t ordinal;   /* its line in the table; UINT32_MAX: none */
    uint64_t counter;   /* HOTP: the first, of a token that was never in the table */
    int64_t since_ms;   /* of its state */
    int64_t created_ms;
    uint64_t replaced_by; /* number; 0 */
    int8_t drift;         /* of its clock, in steps, as its last line had learned it */
    uint16_t sealed_size; /* 0: retired, the seed is gone */
    uint8_t sealed_seed[SCHEMA_SEALED_SEED_MAX];
};

struct operator_row {
    uint32_t id;
    uint8_t state; /* enum operator_state */
    uint8_t role;  /* enum rule_role: BANK or COMPANY */
    char name[PEOPLE_OPERATOR_NAME_MAX + 1];
    uint32_t uid; /* the peer that may say this name; UINT32_MAX: any */
    uint32_t grants;
    uint8_t account[16]; /* COMPANY: the administrator's own; its first half is the company */
    uint8_t key[16];     /* keyed fingerprint of the operator's key */
    int64_t created_ms;
};

struct request_row {
    uint64_t number;
    uint8_t state; /* enum request_state */
    uint16_t act;  /* enum rule_act, by its name's place in rules_list.h: kept as text in the row */
    uint8_t account[16];
    uint32_t asked_by;
    uint32_t asked_uid;
    uint32_t decided_by;
    uint32_t decided_uid;
    int64_t asked_ms;
    int64_t decided_ms;
    char user[SCHEMA_NAME_MAX + 1];
    char reason[CORE_CHANGE_REASON_MAX + 1];
};

size_t people_company_encode(const struct company_row *row, uint8_t ret[PEOPLE_ROW_MAX]);
struct result people_company_decode(struct store_bytes value, struct company_row *ret_row) MUST_USE;
size_t people_user_encode(const struct user_row *row, uint8_t ret[PEOPLE_ROW_MAX]);
struct result people_user_decode(struct store_bytes value, struct user_row *ret_row) MUST_USE;
size_t people_stock_encode(const struct stock_row *row, uint8_t ret[PEOPLE_ROW_MAX]);
struct result people_stock_decode(struct store_bytes value, struct stock_row *ret_row) MUST_USE;
size_t people_operator_encode(const struct operator_row *row, uint8_t ret[PEOPLE_ROW_MAX]);
struct result people_operator_decode(struct store_bytes value, struct operator_row *ret_row) MUST_USE;
size_t people_request_encode(const struct request_row *row, uint8_t ret[PEOPLE_ROW_MAX]);
struct result people_request_decode(struct store_bytes value, struct request_row *ret_row) MUST_USE;

/* ---- an act being served ---- */

struct people {
    struct act *act; /* act->who: as what the actor acts */
    struct store *store;
    struct store_txn *txn;      /* of the change, or for reading alone */
    struct core_change *change; /* NULL: only reads */
    int64_t now_ms;
    bool list_over; /* nothing behind the row looked at belongs to the list: set by what puts a row into it */
};

/* Who asks, into act->who: `operator` and `key` of the request against the store, and the peer's user id. In a store
 * without operators, and for whoever opens the store without a daemon, the owner: the bank with every grant. OPERATOR.
 */
struct result people_who(struct act *act) MUST_USE;
/* By the peer alone: root, the daemon's own user, or whoever opened the store without a daemon. */
bool people_owner(const struct act *act);
/* RULE where the actor is no operator of the bank with this grant. */
struct result people_granted(struct act *act, enum rule_grant grant) MUST_USE;

/* Serves an act that changes: a change is begun, `serve` judges and puts rows, the change is committed; a failure of
 * serve abandons it. */
struct result people_change(struct act *act, struct result (*serve)(struct people *people)) MUST_USE;
/* Serves an act on the `items` of its request (1 to 1000), each taken or refused on its own: as many changes as it
 * takes, 64 items in each. The answer counts those that are done under done_key, and lists `refused` with their index;
 * the result is that of the first one refused. A class other than refusal fails the whole change. */
struct result people_bulk(struct act *act, const char *done_key,
                          struct result (*one)(struct people *people, const json_t *item)) MUST_USE;
/* Serves one that only reads; needs the grant `read` of an operator of the bank. */
struct result people_read(struct act *act, struct result (*serve)(struct people *people)) MUST_USE;

/* May this step be made? `held`: a bit for each condition that holds (1u << RULE_X); OWN_COMPANY and NOT_SELF are
 * judged here, by `account`, whom it is about. RULE with the refusal as detail, and "rule" in the answer. */
struct result people_judge(struct people *people, enum rule_machine machine, unsigned state, enum rule_act act,
                           const uint8_t account[16], uint32_t held, unsigned *ret_next) MUST_USE;
/* The same for a step that is part of another act, or the engine's own: as that role, and without a grant of its own.
 */
struct result people_judge_as(struct people *people, enum rule_role role, enum rule_machine machine, unsigned state,
                              enum rule_act act, const uint8_t account[16], uint32_t held, unsigned *ret_next) MUST_USE;
/* The record of an act: rows that follow are its. */
struct result people_record(struct people *people, enum rule_act act, const uint8_t account[16],
                            uint64_t subject) MUST_USE;

/* An administrator of a company sees the own alone: STORE_NOT_FOUND for another's. */
struct result people_sees(const struct people *people, const uint8_t company[8]) MUST_USE;

/* company and user of the request, checked; their name (its second half zero without a user). */
struct result people_names(struct people *people, bool user_needed, const char **ret_company, const char **ret_user,
                           uint8_t ret_name[16]) MUST_USE;
void people_company_name(const char *company, uint8_t ret_name[16]);
/* By full name; STORE_NOT_FOUND says which, also for a company that the actor does not see. */
struct result people_company_open(struct people *people, const char *company, const uint8_t name[16],
                                  struct company_row *ret_row) MUST_USE;
struct result people_user_open(struct people *people, const char *user, const uint8_t name[16],
                               struct user_row *ret_row) MUST_USE;

/* IN_STOCK where one of the lines is a token's of the stock, whose rules hold for it. */
struct result people_plain_only(struct act *act, const uint32_t *ordinals, size_t count) MUST_USE;

/* IN_STOCK where an operator asks about a user that is known here: forgetting many failures of theirs takes two
 * persons, and an act on plain tokens is no way round that. */
struct result people_unlock_alone(struct act *act, const char *company, const char *user) MUST_USE;

/* ---- rows in the store ---- */

/* STORE_NOT_FOUND, STORE_DAMAGED. */
struct result people_company_get(struct people *people, const uint8_t company[8], struct company_row *ret_row) MUST_USE;
struct result people_user_get(struct people *people, const uint8_t name[16], struct user_row *ret_row) MUST_USE;
struct result people_stock_get(struct people *people, uint64_t number, struct stock_row *ret_row) MUST_USE;
struct result people_operator_get(struct people *people, uint32_t id, struct operator_row *ret_row) MUST_USE;
struct result people_request_get(struct people *people, uint64_t number, struct request_row *ret_row) MUST_USE;
struct result people_company_put(struct people *people, const uint8_t company[8],
                                 const struct company_row *row) MUST_USE;
struct result people_user_put(struct people *people, const uint8_t name[16], const struct user_row *row) MUST_USE;
/* `before`: the row as it stands in the store, or NULL for a new one: its keys of order go. */
struct result people_stock_put(struct people *people, const struct stock_row *before,
                               const struct stock_row *row) MUST_USE;
struct result people_operator_put(struct people *people, const struct operator_row *row) MUST_USE;
struct result people_request_put(struct people *people, const struct request_row *before,
                                 const struct request_row *row) MUST_USE;
/* The next number of a kind, counted in the store: 1, 2, 3 ... A record must be open. */
struct result people_number(struct people *people, const char *counter, uint64_t *ret_number) MUST_USE;

struct result people_order_put(struct people *people, const struct order_key *key, struct store_bytes value) MUST_USE;
struct result people_order_erase(struct people *people, const struct order_key *key) MUST_USE;
/* Walks keys that end in a number (order_number): the first that begins with `prefix`; then the one after `key`, of
 * those that begin with its first `prefix_size` bytes. What a key stands for may be changed on the way.
 * STORE_NOT_FOUND: no more. */
struct result people_order_first(struct people *people, const struct order_key *prefix,
                                 struct order_key *ret_key) MUST_USE;
struct result people_order_next(struct people *people, size_t prefix_size, struct order_key *key) MUST_USE;

/* Whether a user has it, or had it when it was lost or replaced. */
bool people_held(const struct stock_row *row);
struct order_key people_company_order(const char *name, const uint8_t company[8]);
struct order_key people_user_order(const char *user, const uint8_t name[16]);
struct result people_operator_find(struct people *people, const char *name, struct operator_row *ret_row) MUST_USE;
struct result people_stock_find(struct people *people, const char *serial, struct stock_row *ret_row) MUST_USE;
struct result people_stock_of_ordinal(struct people *people, uint32_t ordinal, struct stock_row *ret_row) MUST_USE;
struct result people_stock_of_seed(struct people *people, const uint8_t fingerprint[16],
                                   struct stock_row *ret_row) MUST_USE;

/* ---- a person's data (person.c) ---- */

/* A person without a key gets one, with the change. */
struct result person_key_ensure(struct people *people, const uint8_t name[16]) MUST_USE;
/* Seals into the row; makes a key where there is none. */
struct result person_seal(struct people *people, const uint8_t name[16], const struct person *person,
                          struct user_row *row) MUST_USE;
/* Both empty where nothing is known, or the key is gone. */
struct result person_open(struct people *people, const uint8_t name[16], const struct user_row *row,
                          struct person *ret_person) MUST_USE;
/* Any other bytes about this person, sealed under the same key: ret has size + VAULT_SEAL_EXTRA bytes.
 * STORE_NOT_FOUND: the person has no key. */
struct result person_seal_bytes(struct people *people, const uint8_t name[16], const void *bytes, size_t size,
                                uint8_t *ret_sealed) MUST_USE;
struct result person_open_bytes(struct people *people, const uint8_t name[16], const uint8_t *sealed, size_t size,
                                void *ret_bytes) MUST_USE;
/* + and 7 to 15 digits (ITU-T E.164); blanks and hyphens between them are left out of ret. BAD_NAME. */
struct result person_phone_parse(const char *text, char ret_phone[PEOPLE_PHONE_MAX + 1]) MUST_USE;

/* ---- the stock (stock.c): steps that other acts are made of too; judge first ---- */

/* Seals the seed for stock->number, and sets its fingerprint. */
struct result stock_seed_seal(struct people *people, struct stock_row *stock, const uint8_t *seed,
                              size_t size) MUST_USE;
/* The token becomes a line of the user's account, and ASSIGNED: the record of `act`, and the rows of both. */
struct result stock_enter(struct people *people, enum rule_act act, const struct stock_row *stock, const char *company,
                          const char *user, const uint8_t name[16], struct user_row *row) MUST_USE;
/* The token goes to `state`: its line is suspended, resumed or removed with it. ret_stock may be NULL, or `stock`. */
struct result stock_step(struct people *people, enum rule_act act, const struct stock_row *stock, unsigned state,
                         struct stock_row *ret_stock) MUST_USE;
/* The state as it is: an assigned token that has shown its first right code is active. */
unsigned stock_state_now(struct people *people, const struct stock_row *stock);
/* Records that, where the row does not say so yet. */
struct result stock_settle(struct people *people, struct stock_row *stock) MUST_USE;
/* Calls `each` for the tokens that the user has, in order of number. */
struct result stock_each(struct people *people, const uint8_t name[16],
                         struct result (*each)(struct people *people, struct stock_row *stock, void *context),
                         void *context) MUST_USE;
/* Whether one of them is in the table. */
struct result stock_armed(struct people *people, const uint8_t name[16], bool *ret_armed) MUST_USE;

/* ---- what the files of acts share ---- */

/* A list along STORE_ORDER: keys that begin with `prefix`, with `after` and `limit` of the request; `put` adds what its
 * filter lets through. */
struct result people_list(struct people *people, const char *field, const struct order_key *prefix,
                          struct result (*put)(struct people *people, const struct store_bytes *key,
                                               struct store_bytes value, json_t *list)) MUST_USE;
/* `state` of the request; ret_state as it was where there is none. */
struct result people_state_filter(struct people *people, enum rule_machine machine, unsigned *ret_state) MUST_USE;
/* An operator's name; 0: the owner; UINT32_MAX: null. */
json_t *people_operator_json(struct people *people, uint32_t id);
json_t *people_stock_json(struct people *people, const struct stock_row *stock, bool with_user);
/* Whether this actor must have a second person for what takes two. */
bool people_needs_second(const struct people *people);
/* A request instead of the act. */
struct result people_ask_second(struct people *people, enum rule_act act, const uint8_t account[16],
                                const char *user) MUST_USE;
struct result user_unlock_apply(struct people *people, const uint8_t name[16]) MUST_USE;
struct result user_reset_apply(struct people *people, const uint8_t name[16]) MUST_USE;

/* ---- gates: who may pass without a code; a record must be open ---- */

struct result gate_company(struct people *people, const uint8_t name[16], bool enforced) MUST_USE;
struct result gate_waive(struct people *people, const uint8_t name[16]) MUST_USE;   /* NOT_REQUIRED */
struct result gate_require(struct people *people, const uint8_t name[16]) MUST_USE; /* REQUIRED, also without a token */
/* Only what tokens say: REQUIRED where there ever was one, else UNAVAILABLE. */
struct result gate_remove(struct people *people, const uint8_t name[16]) MUST_USE;

#endif
