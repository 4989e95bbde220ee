/* Changes: how the rooms above core do what is theirs. What a company, a user or a device is, core does not know; it
 * carries an act of theirs as a record with the rows that it writes, and makes it durable, then applied, and found
 * again after a crash, as its own acts.
 *
 * A change is one journal block, so all of it happens or nothing: any number of records (each one act: its name, who,
 * about whom, why, and rows of the store put or erased), and acts of core on tokens and accounts among them ("device
 * bound": the new line added, the old one removed, the device's row, a message in the outbox).
 *
 *     core_change_begin     takes the act mutex and a transaction of the store
 *     core_change_txn       what is, with what this change has done so far: judge by it
 *     core_change_record    an act begins; then core_change_put, core_change_erase, core_change_token, ...
 *     core_change_commit    journal, durable, store, table; or core_change_abandon: nothing was done
 *
 * Nobody else can change a row between begin and commit, so what was judged by the transaction still holds. The
 * transaction is a preview: it is given up before the journal is waited for, and the rows are put for good once the
 * block is durable. Rows are put back as they stand in the record, in order of position: recovery needs no meaning
 * either. Personal data must be sealed before it comes here.
 *
 * A change belongs to the worker's thread, which does nothing else between begin and its end. */
#ifndef OTPRING_CORE_CHANGE_H
#define OTPRING_CORE_CHANGE_H

#include "core/core.h"

enum {
    CORE_CHANGE_NAME_MAX = 31,    /* bytes of an act's name */
    CORE_CHANGE_REASON_MAX = 255, /* bytes of the text that says why */
    CORE_CHANGE_ROWS_MAX = 4096,  /* of one record */
    CORE_CHANGE_KEYS_MAX = 64,    /* of persons, in one change */
};

struct core_change;

struct core_change_act {
    const char *name;    /* of the act, as the log shows it: small letters, digits, dots, hyphens */
    const char *reason;  /* why, in the operator's words, or NULL; UTF-8 without control characters */
    uint8_t account[16]; /* about whom; second half zero: a company; all zero: nobody */
    uint64_t subject;    /* a number that the name of the act explains: token of the stock, device; or 0 */
};

/* STORE_PENDING, JOURNAL_POISONED, STORE_*: nothing is held then. */
struct result core_change_begin(struct core_worker *worker, const struct core_actor *actor,
                                struct core_change **ret_change) MUST_USE;
/* For reading alone. Until commit or abandon. */
struct store_txn *core_change_txn(struct core_change *change);
/* Slots of 64 bytes that the block still takes: a record takes one, and its head and rows as many as they fill. */
uint32_t core_change_slots_left(const struct core_change *change);
/* Journal time of the change, ms since 1970. */
int64_t core_change_now_ms(const struct core_change *change);

/* An act begins; rows that follow are its. BAD_NAME; CHANGE_TOO_LARGE where the block has no room: abandon then. */
struct result core_change_record(struct core_change *change, const struct core_change_act *act) MUST_USE;
/* map: STORE_GATES and those after it but STORE_PERSON_KEYS, which may only be erased from: see core_change_person_key.
 * A record must be open. BAD_ARGUMENT, CHANGE_TOO_LARGE, STORE_*: abandon. */
struct result core_change_put(struct core_change *change, enum store_map map, struct store_bytes key,
                              struct store_bytes value) MUST_USE;
/* Also where there is no such row. */
struct result core_change_erase(struct core_change *change, enum store_map map, struct store_bytes key) MUST_USE;

/* As core_token_add, for one; a seed whose line this change removes is still live (STORE_SEED_LIVE). Refusals leave the
 * change as it was. */
struct result core_change_token_add(struct core_change *change, const struct core_token_spec *spec,
                                    uint32_t *ret_ordinal) MUST_USE;
/* As core_token_change; not of a token that this change added (STORE_NOT_FOUND). */
struct result core_change_token(struct core_change *change, enum core_act act, uint32_t ordinal) MUST_USE;
/* As core_account_unlock. */
struct result core_change_unlock(struct core_change *change, const uint8_t name[16]) MUST_USE;

/* A person's sealed key, into the store past the journal: what a segment of the journal holds cannot be destroyed. It
 * is durable before the block is; a key whose act did not happen harms nobody. STORE_EXISTS when there is one,
 * CHANGE_TOO_LARGE beyond CORE_CHANGE_KEYS_MAX. */
struct result core_change_person_key(struct core_change *change, const uint8_t name[16],
                                     const uint8_t key[VAULT_PERSON_KEY_SIZE]) MUST_USE;

/* Ends the change whatever it says. A failure: nothing was done (JOURNAL_NO_ROOM: try again later), or the journal is
 * poisoned and nobody knows. */
struct result core_change_commit(struct core_change *change) MUST_USE;
void core_change_abandon(struct core_change *change);

/* ---- reading a record of ACT_CHANGE; its bytes are not trusted ---- */

struct core_change_view {
    char name[CORE_CHANGE_NAME_MAX + 1];
    char reason[CORE_CHANGE_REASON_MAX + 1];
    uint64_t subject;
    uint16_t row_count;
    const uint8_t *rows; /* in the payload */
    size_t rows_size;
};

struct core_change_row {
    enum store_map map;
    bool erase;
    struct store_bytes key;
    struct store_bytes value;
};

/* JOURNAL_CORRUPT. */
struct result core_change_decode(const uint8_t *payload, size_t size, struct core_change_view *ret_view) MUST_USE;
/* The next row of a view, which moves on; STORE_NOT_FOUND at the end, JOURNAL_CORRUPT. */
struct result core_change_row_next(struct core_change_view *view, struct core_change_row *ret_row) MUST_USE;

#endif
