/* The outbox: messages to people that must not get lost. At least once, and for one user in the order of their numbers:
 * the next one is offered only when the one before is delivered or dead.
 *
 *      put            hand                 ack
 *     -----> QUEUED -------> HANDED -----------------> DELIVERED
 *              ^ ^             | | lease over: offered again
 *              | +--- fail ----+ | fail for good, or its life is over
 *              |   (back-off)    v
 *              +---- retry --- DEAD ---- ack (by hand) ---> DELIVERED
 *
 * Every step is a record of the journal (core/change.h). The count of hand-overs is durable before a message leaves, so
 * whoever gets it a second time is told so, whatever crashed in between. The text of a message is not here: only its
 * kind and its fields, sealed under the key of the person; otpring-relay makes the text. What is delivered loses its
 * sealed content, and its row stays among the last OUTBOX_KEPT_MAX.
 *
 * Rows: STORE_OUTBOX: number -> state; number and 'P' -> sealed content. STORE_ORDER, behind 'O':
 *   'D' due time 8, number 8    heads: the one message of a user that may be offered, by the time that it may
 *   'Q' name 16, number 8       a user's messages that are queued or handed
 *   'P' name 16, number 8       the same of those to the user's devices that cannot wait (outbox_is_urgent): a lane of
 * its own, so that a question never stands behind a text message that is not delivered 'S' state 1, number 8       all,
 * by state 'U' name 16, number 8       all of a user so that nothing here scans a table. STORE_COUNTERS "outbox": last
 * number given out, and how many in which state.
 *
 * people->change is NULL where only reading is done. The thread is the change's. */
#ifndef OTPRING_ADMIN_OUTBOX_H
#define OTPRING_ADMIN_OUTBOX_H

#include "admin/message_kinds.h"
#include "admin/people.h"

enum outbox_state { OUTBOX_QUEUED = 1, OUTBOX_HANDED, OUTBOX_DELIVERED, OUTBOX_DEAD, OUTBOX_STATE_END };

enum {
    OUTBOX_OPEN_MAX = 100000, /* queued, handed and dead ones, unless told otherwise */
    OUTBOX_USER_MAX = 64,     /* of them, queued or handed ones of one user */
    OUTBOX_KEPT_MAX = 4096,   /* delivered ones */
    OUTBOX_HAND_MAX = 64,     /* at once */
    OUTBOX_REASON_MAX = 120,
    OUTBOX_LEASE_S_MAX = 3600,
    OUTBOX_LIFE_S = 72 * 3600, /* after which a message that could not be delivered is dead */
    OUTBOX_RETRY_FIRST_S = 2,  /* back-off where the relay says none: doubling with each failure */
    OUTBOX_RETRY_S_MAX = 3600,
};

struct outbox_field {
    const char *name;
    const char *value; /* UTF-8, without control characters */
};

/* A message on its way in; texts are the caller's. */
struct outbox_draft {
    enum message_kind kind;
    enum message_channel channel;
    uint8_t name[16]; /* whose queue it stands in: the account */
    const char *to;
    const char *language; /* "es", "en": two small letters */
    int64_t expires_ms;   /* journal time after which nobody wants it any more; 0: its life ends it */
    const struct outbox_field *fields;
    size_t field_count;
};

struct outbox_row {
    uint64_t number;
    uint8_t state;   /* enum outbox_state */
    uint8_t kind;    /* enum message_kind */
    uint8_t channel; /* enum message_channel */
    bool head;
    uint8_t name[16];
    int64_t created_ms;
    int64_t since_ms; /* of its state */
    int64_t due_ms;   /* queued: not offered before; handed: end of the lease */
    int64_t life_ms;  /* it dies when it cannot be delivered by then */
    int64_t expires_ms;
    uint32_t handed;                    /* times */
    uint32_t failed;                    /* times since it was put or retried */
    char reason[OUTBOX_REASON_MAX + 1]; /* of its last failure */
};

/* What was sealed. */
struct outbox_content {
    char to[MESSAGE_TO_MAX + 1];
    char language[3];
    size_t field_count;
    struct {
        char name[MESSAGE_FIELD_NAME_MAX + 1];
        char value[MESSAGE_FIELD_VALUE_MAX + 1];
    } fields[MESSAGE_FIELDS_MAX];
};

struct outbox_counts {
    uint64_t last; /* number given out */
    uint32_t open; /* queued or handed */
    uint32_t dead;
    uint32_t delivered; /* still kept */
};

const char *outbox_state_name(unsigned state);
const char *outbox_kind_name(unsigned kind);
const char *outbox_channel_name(unsigned channel);
/* Their numbers; 0: there is none of that name. */
unsigned outbox_state_of(const char *name);
unsigned outbox_kind_of(const char *name);
unsigned outbox_channel_of(const char *name);

/* Each of these opens a record of the change: what the caller puts afterwards belongs to it. Where one refuses, the
 * caller may still commit what came before. */

/* BAD_ARGUMENT: a field that its kind needs is missing, or there is one that it does not know, or a text is too long or
 * not clean. OUTBOX_FULL, OUTBOX_USER_FULL. */
struct result outbox_put(struct people *people, const struct outbox_draft *draft, uint64_t *ret_number) MUST_USE;
/* Hands over what is due, at most `limit` messages, and calls `each` with them; the content is wiped after it. Messages
 * whose life is over die here, and those of a person who was erased. */
struct result outbox_hand(struct people *people, size_t limit, uint32_t lease_s,
                          struct result (*each)(struct people *people, const struct outbox_row *row,
                                                const struct outbox_content *content, void *context),
                          void *context) MUST_USE;
/* Also of one that is queued again or dead: it was delivered all the same. Of one that is delivered: nothing is
 * recorded. STORE_NOT_FOUND. */
struct result outbox_ack(struct people *people, uint64_t number) MUST_USE;
/* `handed`: of which hand-over this is told; of an older one than the last it counts for nothing, and nothing is
 * recorded. retry_s 0: the outbox's own back-off. */
struct outbox_failure {
    uint32_t handed;
    bool for_good;
    uint32_t retry_s;
    const char *reason; /* at most OUTBOX_REASON_MAX bytes of it are kept */
};
struct result outbox_fail(struct people *people, uint64_t number, const struct outbox_failure *failure) MUST_USE;
/* A dead one lives again, in its old place; one that waits is due at once. OUTBOX_STATE, OUTBOX_EXPIRED,
 * STORE_NOT_FOUND. */
struct result outbox_retry(struct people *people, uint64_t number) MUST_USE;

/* A question to a device: it goes past the user's other messages, and once it has expired it is nobody's any more. */
bool outbox_is_urgent(enum message_kind kind);
/* Takes away urgent messages that have expired, at most `limit`: nobody has to settle them. */
struct result outbox_sweep(struct people *people, size_t limit) MUST_USE;
/* Of a person who is erased: what waits is dead, and what any of it says is gone. */
struct result outbox_forget(struct people *people, const uint8_t name[16]) MUST_USE;
/* Tells the user who has, or had, a token what became of it (MESSAGE_TOKEN_LOST, MESSAGE_TOKEN_REPLACED), where the
 * user is active and has a phone number: stock_notice.c. */
struct result stock_notice(struct people *people, enum message_kind kind, const struct stock_row *stock) MUST_USE;

/* ---- reading alone ---- */

/* Whether outbox_sweep would find one. */
struct result outbox_sweep_due(struct people *people, bool *ret_due) MUST_USE;

struct result outbox_get(struct people *people, uint64_t number, struct outbox_row *ret_row) MUST_USE;
/* STORE_NOT_FOUND: it is delivered, or its person was erased, so its content is gone. The caller wipes it. */
struct result outbox_open(struct people *people, const struct outbox_row *row,
                          struct outbox_content *ret_content) MUST_USE;
struct result outbox_counts(struct people *people, struct outbox_counts *ret_counts) MUST_USE;
/* Milliseconds until something is due; 0: something is; UINT64_MAX: nothing is open. */
struct result outbox_wait(struct people *people, uint64_t *ret_wait_ms) MUST_USE;

/* Where a list begins: its letter above, and the fields before the number. */
struct order_key outbox_order(char list, const void *bytes, size_t size);

/* ---- content (outbox_content.c) ---- */

struct result outbox_content_put(struct people *people, const struct outbox_draft *draft, uint64_t number) MUST_USE;
struct result outbox_content_erase(struct people *people, uint64_t number) MUST_USE;

/* ---- rows (outbox_row.c) ---- */

enum { OUTBOX_ROW_MAX = 512, OUTBOX_CONTENT_MAX = 3072 };
size_t outbox_row_encode(const struct outbox_row *row, uint8_t ret[OUTBOX_ROW_MAX]);
struct result outbox_row_decode(struct store_bytes value, struct outbox_row *ret_row) MUST_USE;
/* BAD_ARGUMENT as of outbox_put. */
struct result outbox_draft_check(const struct outbox_draft *draft) MUST_USE;
size_t outbox_content_encode(const struct outbox_draft *draft, uint64_t number, uint8_t ret[OUTBOX_CONTENT_MAX]);
struct result outbox_content_decode(const uint8_t *bytes, size_t size, uint64_t number,
                                    struct outbox_content *ret_content) MUST_USE;

#endif
