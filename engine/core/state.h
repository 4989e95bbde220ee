/* What the files of the state half share: acts, their records, recovery, checkpoints.
 *
 * An act lives three times: as a record in the journal (the truth), as rows in the store (its index), as lines in the
 * table. It goes through them in this order. The record alone is enough to do the other two again: act_apply_store and
 * act_apply_table are the only places where an act gets its meaning, for the caller, for recovery and for an act that
 * waits for room in the store. All of it runs under the act mutex, or in core_open before there are other threads. */
#ifndef OTPRING_CORE_STATE_H
#define OTPRING_CORE_STATE_H

#include "core/change.h"
#include "core/internal.h"

enum {
    STATE_ACTS_MAX = 4096,       /* tokens of one call */
    STATE_RECORD_SLOTS_MAX = 16, /* of one act: a token row and two full names */
    STATE_WORDS_HEAD = 8,        /* of a block of STORE_WORDS: version 1, algorithm 1, zero 2, count 4 */
    STATE_WORDS_SIZE = STATE_WORDS_HEAD + SCHEMA_WORDS_PER_BLOCK * 17, /* then words 16 each, then drifts 1 each */
    STATE_UNKNOWN_HEAD = 8,         /* of a block of STORE_UNKNOWN: version 4, entries of the whole table 4 */
    STATE_MARKS_ALGORITHM = 3,      /* blocks of marks stand in STORE_WORDS too, where no ordinal's block can: the two
                                       highest bits of the key, and byte 1 of the head. Then marks 8 each */
    STATE_COUNTER_MAX = 0x7fffffff, /* HOTP: leaves 50 years of one code a second below 2^32 */
};

/* Key of STORE_META beside those of schema.h: 8 bytes, milliseconds. TOTP tokens enrolled after a restore start past
 * this time, since their seed may have been used in the time that the backup does not know. */
#define META_RESTORE_FLOOR "restore-floor"

/* The records of one call, as slots; kept here until store and table have them. */
struct act_batch {
    uint8_t *slots;
    uint32_t slot_count;
    uint32_t durable_slots; /* of whole records */
    uint32_t table_slots;   /* applied to the table */
    uint64_t position;      /* of the last durable block */
};

struct recovery;

/* Tokens on their way into the batch (act_add.c). */
struct adding {
    struct core *core;
    struct store_txn *txn;
    const struct core_actor *actor;
    int64_t now_ms;
    size_t added; /* records in the batch, not yet in the table */
    uint32_t lines_before[KERNEL_ALGORITHM_COUNT];
};

struct change_key {
    uint8_t name[16];
    uint8_t key[VAULT_PERSON_KEY_SIZE];
};

/* The one change in the making (change.c), under the act mutex. */
struct core_change {
    struct core_worker *worker;
    struct core_actor actor;
    struct adding adding;  /* holds the transaction */
    struct result failure; /* once the transaction is lost: the commit gives it again */
    bool open;             /* a record of ACT_CHANGE takes rows */
    uint32_t record_at;    /* its slot in the batch */
    uint32_t record_size;  /* bytes of its payload so far */
    uint16_t row_count;
    uint32_t slots_max; /* of one block */
    uint32_t key_count;
    struct change_key keys[CORE_CHANGE_KEYS_MAX];
};

/* A checkpoint under way: the blocks of words before `first` of `algorithm` are in the store. */
struct checkpoint_progress {
    bool begun;
    uint64_t position; /* P */
    int algorithm;
    uint32_t first;
    uint64_t marks;  /* so many of them are in the store once the last piece is */
    int64_t next_ms; /* boot clock: not before */
};

struct core_state {
    struct act_batch batch;
    struct core_change change;
    _Atomic bool pending; /* the batch is durable, store or table do not have all of it */
    bool pending_store;
    uint8_t names[STATE_ACTS_MAX][TABLE_NAME_SIZE]; /* of the tokens that an act is about */
    struct recovery *recovery;                      /* in core_open alone */
    struct store_txn *recovery_txn;                 /* the same */
    uint32_t profile_tokens[CORE_PROFILES_MAX];     /* live tokens of each profile */
    uint64_t lines_total;                           /* in the table's index, removed first lines too */
    uint64_t replayed_bytes;                        /* journal read at start: counts towards the next checkpoint */
    uint64_t quiesce_begun[CORE_WORKERS_MAX];
    int64_t restore_floor_ms;
    bool stuck;     /* the os failed with a block of core_open in flight */
    bool restoring; /* the store is marked as restored, and may be taken over */
    struct checkpoint_progress checkpoint;
    int64_t expired_ms;   /* when idle sessions were last looked for; the housekeeper's */
    uint64_t marks_saved; /* by the last checkpoint */
    uint8_t *block;       /* room for one block of words, of marks or of unknown names */
};

/* ---- rows (rows.c): keys and encodings, nothing else ---- */

struct result row_meta_get(struct core *core, struct store_txn *txn, const char *key, void *ret, size_t size) MUST_USE;
struct result row_meta_put(struct core *core, struct store_txn *txn, const char *key, const void *bytes,
                           size_t size) MUST_USE;
struct result row_token_get(struct core *core, struct store_txn *txn, uint32_t ordinal,
                            struct token_row *ret_row) MUST_USE;
struct result row_token_put(struct core *core, struct store_txn *txn, const struct token_row *row) MUST_USE;
struct result row_account_get(struct core *core, struct store_txn *txn, const uint8_t name[16],
                              struct account_row *ret_row) MUST_USE;
struct result row_account_put(struct core *core, struct store_txn *txn, const uint8_t name[16],
                              const struct account_row *row) MUST_USE;
struct result row_fingerprint_get(struct core *core, struct store_txn *txn, const uint8_t fingerprint[16],
                                  struct fingerprint_row *ret_row) MUST_USE;
struct result row_fingerprint_put(struct core *core, struct store_txn *txn, const uint8_t fingerprint[16],
                                  const struct fingerprint_row *row) MUST_USE;
struct result row_profile_put(struct store *store, struct store_txn *txn, const struct profile_row *row) MUST_USE;
/* Opens the seeds of rows that have one, at most ROW_SEEDS_MAX at a time; the caller wipes them. Any thread. */
enum { ROW_SEEDS_MAX = 64 };
struct result row_seeds_open(const struct core *core, const struct token_row *const rows[], size_t count,
                             uint8_t (*ret_seeds)[OTP_SEED_SIZE_MAX]) MUST_USE;
static inline size_t row_seed_size(const struct token_row *row)
{
    return row->sealed_size - VAULT_SEAL_EXTRA;
}
struct result row_seed_seal(const struct core *core, struct token_row *row, const uint8_t *seed, size_t size) MUST_USE;

/* ---- acts (act.c) ---- */

/* The act mutex, waited for while this worker's ring goes on: whoever holds it may be waiting for a block of this
 * worker (a seal, say) to be durable, since blocks settle in order of position. */
struct result act_lock(struct core_worker *worker) MUST_USE;

/* Takes the act mutex; STORE_PENDING, STOPPING or JOURNAL_POISONED when nothing may be administered (the mutex is free
 * then). */
struct result act_enter(struct core_worker *worker) MUST_USE;
void act_leave(struct core *core);

/* The next record of the batch: zeroed, kind and sizes set; ret_payload has payload_size bytes rounded up to slots. */
struct slot_act *act_record(struct core *core, enum core_act act, const struct core_actor *actor, uint32_t payload_size,
                            uint8_t **ret_payload);
/* Puts the batch's records not yet durable into the journal, in as many blocks as it takes; on failure
 * batch.durable_slots says how far it came. */
struct result act_write(struct core_worker *worker) MUST_USE;
/* One block that the caller has begun: for acts whose words must be raised between begin and commit. */
struct result act_write_block(struct core_worker *worker, struct journal_block *block, int64_t journal_ms) MUST_USE;
/* The durable batch into the store (through txn, which may hold its rows already when rows_done; NULL: a new one) and
 * the table. What does not go through stays pending. */
void act_settle(struct core *core, struct store_txn *txn, bool rows_done);
/* Tries again what is pending. */
struct result act_retry(struct core *core) MUST_USE;
/* An act without rows: one record, durable when this returns. */
struct result act_simple(struct core_worker *worker, enum core_act act, const struct core_actor *actor,
                         const void *payload, uint32_t payload_size) MUST_USE;

/* ---- parts of acts that a change is made of ---- */

/* The mutex is held; the caller begins the transaction. */
struct adding adding_begin(struct core_worker *worker, const struct core_actor *actor);
/* Judges one token, and puts its record into the batch and its rows into the transaction. ret_broken: the transaction
 * is lost. */
struct result adding_token(struct adding *adding, const struct core_token_spec *spec, uint32_t *ret_ordinal,
                           bool *ret_broken) MUST_USE;
/* Nothing was written of what was given lines: who tries again while room is short does not use up the table. */
void adding_give_back(const struct adding *adding);
/* ACT_TOKEN_REMOVE, _SUSPEND, _RESUME on the line, between core_record_begin and commit: gives the token word. Flag
 * first, then the change count: a judge that read the word before the raise fails its swap, one that reads it after
 * sees the flag. The floor of a removed token is final with this, since nobody can swap the word of a suspended line.
 */
uint64_t act_token_raise(enum core_act act, const struct table_hit *hit);
/* ACT_ACCOUNT_UNLOCK, the same way: gives the budget word. */
uint64_t act_budget_reset(const struct table_hit *first, int64_t journal_ms);

/* ---- the meaning of acts (apply.c) ---- */

/* Payload of ACT_TOKEN_ADD. */
struct act_token_add {
    struct token_row row;
    char company[SCHEMA_NAME_MAX + 1];
    char user[SCHEMA_NAME_MAX + 1];
};
uint32_t act_token_add_encode(const struct act_token_add *add, uint8_t *ret_bytes); /* at most 15 slots */
struct result act_token_add_decode(const uint8_t *payload, size_t size, struct act_token_add *ret_add) MUST_USE;

/* Both are idempotent. The payload is act->payload_size bytes. */
struct result act_apply_store(struct core *core, struct store_txn *txn, const struct slot_act *act,
                              const uint8_t *payload) MUST_USE;
struct result act_apply_table(struct core *core, const struct slot_act *act, const uint8_t *payload) MUST_USE;
/* What a transaction that applied acts must also say: through which position, and the counters. */
struct result act_apply_seal(struct core *core, struct store_txn *txn, uint64_t position) MUST_USE;
/* A row becomes a line of the table. */
struct result token_to_table(struct core *core, const struct token_row *row) MUST_USE;
/* The same with midstates at hand, which a removed token does not need. */
struct result token_enter(struct core *core, const struct token_row *row, const void *midstates) MUST_USE;

/* ---- profiles (act_profile.c) ---- */

struct result profile_check(const struct profile_row *row, int64_t now_s) MUST_USE;
/* What the tokens' codes are made by, alone: otp_check_parameters, or BAD_SUITE. */
struct result profile_codes_check(const struct profile_row *row, int64_t now_s) MUST_USE;
/* What the floor of such a token counts: steps of time, or a counter. Neither: OCRA of a challenge alone. */
bool profile_timed(const struct profile_row *row);
bool profile_counts(const struct profile_row *row);
void profile_publish(struct core *core, const struct profile_row *row);
struct profile_row profile_default(enum otp_type type);
struct otp_parameters profile_parameters(const struct profile_row *row);

/* The rows of ACT_CHANGE (change_record.c). */
struct result change_store(struct core *core, struct store_txn *txn, const struct slot_act *act,
                           const uint8_t *payload) MUST_USE;

/* The same in memory: gates (required.c). */
struct result change_memory(struct core *core, const struct slot_act *act, const uint8_t *payload) MUST_USE;
struct result gates_row_apply(struct core *core, const struct core_change_row *row) MUST_USE;
struct result recover_gates(struct core *core, struct store_txn *txn) MUST_USE;

/* The row of ACT_CLIENT (act_client.c). */
struct result act_client_store(struct core *core, struct store_txn *txn, const struct slot_act *act,
                               const uint8_t *payload) MUST_USE;

/* ---- start and checkpoint ---- */

/* The blocks of words, of marks and of unknown names into txn; raises nothing, changes no position. */
struct result checkpoint_words(struct core *core, struct store_txn *txn) MUST_USE;
/* Of a checkpoint one piece, begun where none is; under the act mutex, nothing pending. A failure gives it up. */
struct result checkpoint_piece(struct core_worker *worker, bool *ret_done) MUST_USE;
/* The other rows of a checkpoint at `position`, once the words in txn rest on durable records alone. */
struct result checkpoint_rows(struct core *core, struct store_txn *txn, uint64_t position) MUST_USE;
struct result recover_words(struct core *core, struct store_txn *txn) MUST_USE;
struct result recover_unknown(struct core *core, struct store_txn *txn) MUST_USE;
struct result recover_sessions(struct core *core, struct store_txn *txn) MUST_USE;
struct result recover_tokens(struct core *core, struct store_txn *txn) MUST_USE; /* load.c */
struct result recover_profiles(struct core *core, struct store_txn *txn) MUST_USE;

/* Calls `each` for every row of a map, in order of key; keys are key_size bytes. */
struct result recover_map(struct core *core, struct store_txn *txn, enum store_map map, size_t key_size,
                          struct result (*each)(void *context, struct core *core, const uint8_t *key,
                                                struct store_bytes value),
                          void *context) MUST_USE;

/* The journal after the checkpoint: opened, folded, torn tail burned, ACT_START written. */
struct result recover_journal(struct core *core, struct os *os, const struct checkpoint_row *checkpoint) MUST_USE;
/* What one verification's record does: its words, and the drift it taught. Also of records that are run again
 * (rerun.c).
 */
struct result recover_verify(struct core *core, const struct slot_verify *slot) MUST_USE; /* NO_MEMORY */
/* The drift that ACT_TOKEN_RESYNC set. */
struct result recover_resync(const struct table_hit *hit, const struct slot_act *act, const uint8_t *payload) MUST_USE;
/* For core_open, which has no worker: slots into the journal on a writer of its own; waits until durable. */
struct open_writer;
struct result open_writer_create(struct core *core, struct os *os, struct open_writer **ret_writer) MUST_USE;
struct result open_writer_append(struct open_writer *writer, const uint8_t *slots, uint32_t slot_count,
                                 uint64_t *ret_position) MUST_USE;
uint32_t open_writer_slots(const struct open_writer *writer); /* of one block, at most */
void open_writer_destroy(struct open_writer *writer);

struct result restore_marked(struct core *core, struct store_txn *txn, bool *ret_marked) MUST_USE;
/* A restored store is taken over: floors past the stated time, counters suspended, marker gone. RESTORE_TIME: the time
 * stated cannot be the present one. */
struct result restore_take_over(struct core *core, struct os *os, struct open_writer *writer) MUST_USE;
/* The least floor of a TOTP token after a restore at this time. */
uint32_t restore_floor(const struct profile_row *profile, int64_t restore_now_ms);

/* Milliseconds of journal time, for acts. */
static inline int64_t core_now_ms(const struct core *core)
{
    return atomic_load_explicit(&core->clock.journal_ms, memory_order_relaxed);
}

static inline struct store_bytes bytes_of(const void *bytes, size_t size)
{
    return (struct store_bytes){.bytes = bytes, .size = size};
}

#endif
