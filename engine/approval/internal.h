/* What the files of this room share. Room-internal. */
#ifndef OTPRING_APPROVAL_INTERNAL_H
#define OTPRING_APPROVAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "admin/enrol.h"
#include "admin/outbox.h"
#include "approval/approval.h"
#include "approval/exchange.h"
#include "approval/pool.h"
#include "approval/watch.h"
#include "base/base64url.h"
#include "challenge/keep.h"
#include "challenge/statement.h"

enum {
    DEVICES_MAX = 4,   /* of one account, that are told and may answer */
    TOUCHED_MAX = 256, /* accounts that are looked at in one turn; more: all of them are */
    ID_TEXT_SIZE = BASE64URL_SIZE(CHALLENGE_ID_SIZE),
    LIFE_DEFAULT_S = 120,
    LIFE_MIN_S = 10,
    CLOCK_OFF_MAX_S = 300,
    SIGNED_MAX = 1 << 15, /* a power of two */
};

struct item;

/* One act of the protocol. Each phase gives a failure that is told of its item alone. */
struct item_kind {
    const char *name;
    const char *keys;                           /* fields it knows, each between blanks; NULL: begin sees to that */
    struct result (*begin)(struct item *item);  /* reads its fields: no store, nothing changes */
    struct result (*finish)(struct item *item); /* fills its answer: in a transaction that reads, after all changes */
};

struct request {
    struct approval_asker asker;
    json_t *json;    /* NULL: not JSON */
    json_t *answers; /* array */
    struct result result;
    char detail[200];
};

struct item {
    struct approvals *approvals;
    struct request *request;
    struct act act; /* its fields and its answer */
    const struct item_kind *kind;
    struct result result; /* of the phases so far */
    uint8_t id[CHALLENGE_ID_SIZE];
    const char *session;
    const char *company, *user;
    uint8_t name[16]; /* of them; zero: none given */
    bool events;      /* who asked is told when it is closed */
    bool by_qr;
    uint32_t pushed;
    struct exchange exchange;
    const struct challenge_ask *ask;
    const struct challenge_withdrawal *withdrawal;
    struct answering *answering;
    struct device_poll *poll;
};

/* An answer on its way in, by a device or typed. */
struct answering {
    struct item *item;
    bool typed;
    bool of_exchange;  /* typed too: `exchange` says more */
    bool again;        /* it was given before, and is answered again */
    bool signed_by_it; /* the signature is the device's */
    struct device_key key;
    uint64_t counter;
    uint8_t signature[DEVICE_SIGNATURE_SIZE];
    uint8_t statement[CHALLENGE_STATEMENT_SIZE];
    const char *response;
    struct exchange_reply exchange;
    uint8_t evidence[CHALLENGE_PROOF_SIZE_MAX];
};

/* A device that asks what there is for it. */
struct device_poll {
    struct item *item;
    uint64_t device;
    uint64_t time_s;
    struct device_key key;
    uint8_t signature[DEVICE_SIGNATURE_SIZE];
    struct device_statement statement;
    bool signed_by_it;
};

/* Acts, by list; each row is an item's. */
struct work_lists {
    uint32_t ask_count, reply_count, withdrawal_count, poll_count;
    struct challenge_ask *asks; /* APPROVAL_ITEMS_MAX each */
    struct challenge_reply *replies;
    struct answering *answerings; /* of the reply of the same index */
    struct challenge_withdrawal *withdrawals;
    struct device_poll *polls;
};

/* Signatures of challenges made a moment ago, by id: who asked, and the device that fetches it, need one each. */
struct signed_one {
    uint8_t id[CHALLENGE_ID_SIZE];
    uint8_t signature[VAULT_SIGNATURE_SIZE];
};

struct approvals {
    struct signed_one *signed_ones; /* SIGNED_MAX, a place by id */
    struct approvals_options options;
    struct admin admin; /* what admin's rooms want to know of who calls them */
    struct challenge_keep keep;
    struct challenge_also also;
    struct pool *pool;
    struct watches watches;
    struct request requests[APPROVAL_REQUESTS_MAX];
    uint32_t request_count;
    struct item *items; /* APPROVAL_ITEMS_MAX */
    uint32_t item_count;
    struct work_lists lists;
    uint32_t now_s; /* journal time of the turn */
    uint8_t key_id[CHALLENGE_KEY_ID_SIZE];
    pthread_mutex_t mutex; /* over what was touched */
    uint8_t touched[TOUCHED_MAX][16];
    uint32_t touched_count;
    bool touched_all;
    _Atomic uint32_t kept;
    _Atomic uint64_t asked, approved, refused, withdrawn, turns;
};

/* ---- request.c: frames to items, and items to answers ---- */

/* Fills the turn's items. */
void requests_begin(struct approvals *approvals);
/* Answers all of them, and forgets them. */
void requests_end(struct approvals *approvals);
/* The item's result from now on; its answer says what is wrong. */
void item_fail(struct item *item, struct result result);
/* `session` of an item. */
struct result item_session(struct item *item);
/* `challenge` and `session` of an item. */
struct result item_challenge(struct item *item);
/* `company` and `user` where they are given, which this client must be allowed to ask. */
struct result item_account(struct item *item, bool needed);
struct result item_flag(struct item *item, const char *key, bool *ret_flag);
void item_bytes(struct item *item, const char *key, const void *bytes, size_t size);
/* The people of a transaction or a change, on behalf of an item. */
struct people item_people(struct item *item, struct store_txn *txn, struct core_change *change);

extern const struct item_kind kind_ask, kind_wait, kind_cancel, kind_typed, kind_list, kind_alert, kind_device,
    kind_exchange;

/* ---- standing.c: who may be asked, and who may answer ---- */

struct standing {
    bool known;
    bool open; /* company and user are active, and the account is not locked */
    uint32_t device_count;
    uint64_t devices[DEVICES_MAX]; /* bound, with a token that is not suspended */
    struct company_row company;
    struct user_row user;
};
/* In a change the lock is looked at too; elsewhere nobody is locked. */
struct result standing_read(struct people *people, const uint8_t name[16], struct standing *ret_standing) MUST_USE;
bool standing_has(const struct standing *standing, uint64_t device);
/* Why nobody of the account may answer; NO_REASON: somebody may. */
enum challenge_reason standing_shut(const struct standing *standing);

/* ---- ask.c: what questions and exchanges have in common ---- */

/* Who asks whom, and a new id; account and session of the item are there. */
void ask_name(const struct item *item, struct challenge_ask *ask, enum challenge_channel channel);
/* Why it was not asked; OK: it is open. */
struct result ask_outcome(struct item *item);

/* ---- the steps of a turn ---- */

struct result ask_may(void *context, struct core_change *change, struct challenge_ask *ask);
struct result ask_put(void *context, struct core_change *change, const struct challenge_ask *ask);
struct result answer_may(void *context, struct core_change *change, struct challenge_reply *reply);
struct result answer_put(void *context, struct core_change *change, const struct challenge_reply *reply);
/* Looks the keys up and checks all signatures of the turn. */
void answers_check(struct approvals *approvals);
/* Withdrawals, answers, questions and alerts, in this order. */
void changes_run(struct approvals *approvals);
/* One change, tried again while the journal makes room. */
struct result change_try(struct approvals *approvals,
                         struct result (*part)(struct approvals *approvals, size_t from, size_t count,
                                               size_t *ret_done),
                         size_t from, size_t count, size_t *ret_done) MUST_USE;
/* What was touched since the last turn. */
void touched_serve(struct approvals *approvals);

/* ---- state.c ---- */

/* What became of a challenge, as the protocol tells it. */
struct result state_fill(struct approvals *approvals, struct store_txn *txn, const struct challenge_entry *entry,
                         json_t *answer) MUST_USE;
/* Whether it was asked by this client in this session. */
bool state_is_of(const struct challenge_entry *entry, uint16_t client, const char *session);
const char *reason_name(unsigned reason);

/* ---- sign.c ---- */

/* Signs what the turn has asked anew, on all threads. */
void asked_sign(struct approvals *approvals);
/* The URI of a challenge with this body. VAULT_FAILED. */
struct result uri_make(struct approvals *approvals, const uint8_t id[CHALLENGE_ID_SIZE], const uint8_t *body,
                       size_t size, char *ret_uri) MUST_USE;

/* ---- push.c ---- */

/* A message to each device of the account that a push reaches; none where the outbox has no room. */
struct result push_question(struct people *people, const struct challenge_ask *ask, const struct standing *standing,
                            uint32_t *ret_pushed) MUST_USE;
struct result push_alert(struct people *people, const uint8_t name[16], const struct standing *standing,
                         const char *service, uint32_t *ret_pushed) MUST_USE;

#endif
