/* The engine: queries in, verdicts out, and the acts that change what is verified. The rules of judgment live here, and
 * only here do journal, store and table meet. No system call: time, disk and randomness come through `struct os`.
 *
 * Threads. A `struct core_worker` is one thread's part in the engine: verify workers, the administrator's thread, the
 * checkpointer and the housekeeper each have their own, with their own os. Functions that take a worker are called by
 * its thread alone. Acts and checkpoints take core's one act mutex; verification never does. Memory is taken in
 * core_open and core_worker_create; on the verify path nothing is allocated.
 *
 * The turn. core_frame takes frames (their bytes must stay until core_turn), core_turn judges all of them as one batch
 * and appends one journal block; when it is durable (and every other turn that its verdicts may rest on), `answered` is
 * called for each frame. */
#ifndef OTPRING_CORE_CORE_H
#define OTPRING_CORE_CORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/result.h"
#include "journal/journal.h"
#include "kernel/kernel.h"
#include "os/os.h"
#include "otp/otp.h"
#include "otpring/verdict.h"
#include "otpring/wire.h"
#include "store/schema.h"
#include "store/store.h"
#include "table/table.h"
#include "vault/vault.h"

struct core;
struct core_worker;

/* Administrative acts, as SLOT_ACT records name them. Values never change. */
enum core_act {
    ACT_START = 1,     /* a run began: payload struct act_run */
    ACT_STOP = 2,      /* a clean stop */
    ACT_TOKEN_ADD = 3, /* payload: token_row, company, user (schema encodings); the seed in it is sealed */
    ACT_TOKEN_REMOVE = 4,
    ACT_TOKEN_SUSPEND = 5,
    ACT_TOKEN_RESUME = 6,
    ACT_TOKEN_SET = 7,      /* payload: label */
    ACT_TOKEN_RESYNC = 8,   /* an administrator set the floor (only upwards) and the drift */
    ACT_ACCOUNT_UNLOCK = 9, /* failures reset */
    ACT_PROFILE_SET = 10,   /* payload: profile_row */
    ACT_SESSION_OPEN = 11,  /* payload: struct act_session */
    ACT_BURN = 12,          /* recovery: an acceptance found past a torn tail, consumed again; payload: slot_verify */
    ACT_CLOCK_CONSENT = 13, /* an operator consented to the present wall clock */
    ACT_RESTORE = 14,       /* a restored backup was taken over; payload says from where and to which time */
    ACT_BACKUP = 15,
    ACT_CLIENT = 16, /* a client's name was configured; payload: struct act_client. Only once while the name stays */
    ACT_CHANGE = 17, /* an act of a room above: change.h says what its payload is made of */
};

/* Payload of ACT_RESTORE. */
struct act_restore {
    int64_t restore_now_ms;
    uint64_t floors_raised;
    uint64_t suspended;
    uint64_t journal_complete; /* 0 or 1 */
    uint64_t journal_first;    /* position at which the journal that came with it begins; older records end before it */
};
_Static_assert(sizeof(struct act_restore) == 40, "payload of ACT_RESTORE");

struct core_options {
    const char *journal_folder;
    struct journal_options journal;      /* folder, store_id, keys_changed are filled in by core */
    uint64_t tokens_max;                 /* 0: 4,194,304: address space; memory grows with the tokens */
    uint32_t workers_max;                /* threads of all kinds; 0: 16 */
    uint32_t load_threads;               /* that open seeds at the start, the caller's one included; 0: 1 */
    uint32_t sessions_max;               /* 0: 1024 */
    uint64_t kept_size;                  /* bytes of kept answers in all sessions; 0: 256 MiB */
    uint32_t session_idle_s;             /* 0: 600 */
    uint32_t sessions_per_client;        /* 0: 256 */
    uint64_t marks_max;                  /* used responses of OCRA suites without counter and time; 0: 16,777,216 */
    uint32_t unknown_entries;            /* names throttled without an account; power of two; 0: 1,048,576 */
    uint32_t resync_candidates_per_turn; /* of far searches but the first, besides one for each query; 0: 512 */
    uint32_t clock_step_limit_ms;        /* wall against boot clock; 0: 2000 */
    uint64_t checkpoint_bytes;           /* journal bytes between checkpoints; 0: 256 MiB, and 64 a token */
    uint32_t checkpoint_blocks;          /* of 4096 tokens, that it writes at a time; 0: 32 */
    const struct kernel *kernel;         /* NULL: the best */
    bool take_over;                      /* see core_open */
    int64_t restore_now_ms;              /* operator-confirmed present time for a restored store; 0: not given */
    bool restore_journal_complete;       /* the journal supplied with the backup reaches to the end */
    void (*progress)(void *context, const char *what, uint64_t done, uint64_t of);
    void *progress_context;
    uint64_t *ret_bad_position; /* may be NULL: where the journal is corrupt, when core_open says JOURNAL_CORRUPT */
};

/* ---- clients: who may ask what; the server makes the array from its configuration, core reads it ---- */

enum core_right {
    CORE_RIGHT_VERIFY = 1,
    CORE_RIGHT_ENROL = 2,
    CORE_RIGHT_ASK = 4,
    CORE_RIGHT_SEE_STATES = 8, /* UNKNOWN, INACTIVE */
    CORE_RIGHT_EXCHANGE = 16   /* its OCRA responses are those of exchanges (approval/exchange.h), and it is the engine
                                  itself: no configured client has it */
};

enum { CORE_CLIENT_COMPANIES_MAX = 64, CORE_CLIENT_NAME_SIZE = 64 };

struct core_client {
    uint16_t id; /* stable hash of the name, not 0: stands in records and binds sessions */
    char name[CORE_CLIENT_NAME_SIZE];
    uint32_t uid;
    uint32_t rights;
    uint32_t challenges_max; /* questions to devices that it may have open; 0: any number */
    uint32_t company_count;  /* 0: every company */
    uint8_t companies[CORE_CLIENT_COMPANIES_MAX][8];
};

/* Payload of ACT_CLIENT. */
struct act_client {
    uint16_t id;
    uint8_t reserved[6];
    char name[CORE_CLIENT_NAME_SIZE]; /* zero-padded; a zero byte ends it */
};
_Static_assert(sizeof(struct act_client) == 72, "payload of ACT_CLIENT");

/* ---- life ---- */

/* What a new store needs beside LMDB: writes store id, key row, first profiles. Tools only; STORE_EXISTS. */
struct result core_init(struct store *store, const char *key_path) MUST_USE;

/* Opens everything on `os` (the caller's, used during the call alone): checkpoint and seeds into the table, journal
 * after the checkpoint applied, torn tail burned again, restored stores judged. Does not look at DIR/identity: see
 * store_place; a store that is a copy or a restore is opened only with take_over. Errors: VAULT_*, STORE_*, JOURNAL_*,
 * NO_MEMORY, OS_NO_LOCKED_MEMORY. */
struct result core_open(struct os *os, const struct core_options *options, struct store *store, struct vault *vault,
                        struct core **ret_core) MUST_USE;
/* All workers gone. The store and the vault stay the caller's. */
void core_close(struct core *core, struct os *os);

struct core_answer {
    uint64_t owner;                            /* as given with the frame */
    struct otpring_wire_header header;         /* of the frame, as asked */
    const struct otpring_wire_answer *answers; /* valid during the call */
    uint32_t count;
};

struct core_hello_answer {
    uint64_t owner;
    enum otpring_wire_error_code error; /* 0: fine */
    struct otpring_wire_hello_answer hello;
};

/* How a turn asks memory for lines of the table (kernel.h). */
enum core_loads {
    CORE_LOADS_TRIED, /* as it was faster in turns of the worker itself, tried now and then (bursts.h) */
    CORE_LOADS_IN_BURSTS,
    CORE_LOADS_SPREAD,
};

enum { CORE_TURNS_DEFAULT = 8 };

struct core_worker_options {
    struct os *os;
    uint32_t turn_count; /* turns in flight, as far as the journal has places (journal_options.depth_max); 0: 8 */
    uint32_t items_max;  /* of one turn; 0: as many as a frame may have */
    uint32_t kept_count; /* of journal_writer_options */
    enum core_loads loads;
    void (*answered)(void *context, const struct core_answer *answer);
    void (*hello_answered)(void *context, const struct core_hello_answer *answer);
    void *context;
};

struct result core_worker_create(struct core *core, const struct core_worker_options *options,
                                 struct core_worker **ret_worker) MUST_USE;
/* Nothing may be in flight: see core_drained. */
void core_worker_destroy(struct core_worker *worker);

/* ---- verification ---- */

struct core_frame {
    const struct otpring_wire_header *header; /* checked by the server: size fits kind and count */
    const void *items;
    const struct core_client *client;
    uint64_t owner;
};

enum core_admit {
    CORE_TAKEN,      /* judged in this worker's next core_turn */
    CORE_FULL,       /* this turn is full, or none may begin yet: offer it again after core_turn, os_step, core_poll */
    CORE_ANSWERED,   /* `answered` was called with the kept answers */
    CORE_JOIN_LATER, /* the same frame is still in flight: offer it again later */
    CORE_ERROR,      /* protocol error, see ret_error; close the connection */
};
enum core_admit core_frame(struct core_worker *worker, const struct core_frame *frame,
                           enum otpring_wire_error_code *ret_error) MUST_USE;

/* A new session, or going on with one. Answered through hello_answered: at once when resumed, else when its record is
 * durable (needs core_turn). CORE_TAKEN, CORE_ANSWERED or CORE_FULL. */
enum core_admit core_hello(struct core_worker *worker, const struct otpring_wire_hello *hello,
                           const struct core_client *client, uint64_t owner) MUST_USE;

/* Judges and appends what was taken. Nothing taken: does nothing. */
void core_turn(struct core_worker *worker);
/* After each os_step: settles journal blocks and answers what has become free to leave. */
void core_poll(struct core_worker *worker);
/* True when no turn of this worker is in flight and nothing is waiting. */
bool core_drained(const struct core_worker *worker);
/* The number of frames that wait for other workers' turns, so that the caller keeps its waits short (1 ms). */
uint32_t core_waiting(const struct core_worker *worker);

/* From now on everything is UNAVAILABLE (reason STOPPING). Any thread. */
void core_stop(struct core *core);

/* ---- acts: each is journaled, durable, applied to store and table when the call returns; blocks the calling thread
 * ---- */

struct core_actor {
    uint32_t uid;         /* who asks, for the record */
    uint32_t operator_id; /* the same by name; 0: nobody but the uid */
};

struct core_token_spec {
    const char *company; /* UTF-8, 1 to 255 bytes, no control characters */
    const char *user;
    const char *label; /* may be "" */
    uint16_t profile;  /* type, algorithm, digits, period, T0 and the rest; see core_profile_for */
    const uint8_t *seed;
    size_t seed_size;
    uint64_t counter; /* HOTP, OCRA with a counter: first floor */
    int8_t drift;     /* TOTP: steps that its clock is known to be ahead */
};

/* count tokens, at most 4096 a call, all in as few journal blocks and store transactions as possible; each on its own:
 * ret_results[i] says which were refused (BAD_NAME, BAD_SECRET_SIZE, STORE_SEED_LIVE, TABLE_*, STEP_TOO_FAR),
 * ret_ordinals[i] the others' ordinals. A seed that was removed before starts at the floor kept with its fingerprint.
 * The call fails as a whole only where nothing was done. */
struct result core_token_add(struct core_worker *worker, const struct core_actor *actor,
                             const struct core_token_spec *specs, size_t count, struct result *ret_results,
                             uint32_t *ret_ordinals) MUST_USE;
/* act: ACT_TOKEN_REMOVE, ACT_TOKEN_SUSPEND, ACT_TOKEN_RESUME; at most 4096 ordinals. */
struct result core_token_change(struct core_worker *worker, const struct core_actor *actor, enum core_act act,
                                const uint32_t *ordinals, size_t count) MUST_USE;
struct result core_token_set_label(struct core_worker *worker, const struct core_actor *actor, uint32_t ordinal,
                                   const char *label) MUST_USE;
/* Raises the floor (BAD_ARGUMENT when it would fall) and sets the drift: by two adjacent codes typed at the
 * administrator's desk. */
struct result core_token_resync(struct core_worker *worker, const struct core_actor *actor, uint32_t ordinal,
                                uint32_t code, uint32_t code_next, unsigned digits,
                                enum otpring_verdict *ret_verdict) MUST_USE;
struct result core_account_unlock(struct core_worker *worker, const struct core_actor *actor, const char *company,
                                  const char *user) MUST_USE;
/* Adds (id 0xffff: ret_id is chosen) or changes a profile; STORE_IN_USE when type, algorithm, digits, period or T0 of
 * one in use change. */
struct result core_profile_set(struct core_worker *worker, const struct core_actor *actor,
                               const struct profile_row *row, uint16_t *ret_id) MUST_USE;
/* The profile with exactly these parameters and defaults otherwise, made and journaled when there is none. */
struct result core_profile_for(struct core_worker *worker, const struct core_actor *actor,
                               const struct otp_parameters *parameters, uint16_t *ret_id) MUST_USE;
/* The same for an OCRA suite (RFC 6287, section 6; BAD_SUITE): its defaults are those of HOTP and TOTP tokens. */
struct result core_profile_for_suite(struct core_worker *worker, const struct core_actor *actor, const char *suite,
                                     uint16_t *ret_id) MUST_USE;
/* Journals the names of those clients that the store does not know by this name yet, so that whoever reads records
 * later can tell who asked. Costs nothing when there is none. */
struct result core_clients_name(struct core_worker *worker, const struct core_client *clients, uint32_t count) MUST_USE;
struct result core_clock_consent(struct core_worker *worker, const struct core_actor *actor) MUST_USE;
/* Accounts of live memory: a profile by id, NULL when there is none. Valid until core_close; fields may be replaced
 * whole. */
bool core_profile_get(struct core *core, uint16_t id, struct profile_row *ret_row);

/* ---- housekeeping ---- */

enum { CORE_CHECKPOINT_PAUSE_MS = 20 };

/* Each is one bounded step, and each of the two has a thread of its own where there are threads, so that seals and the
 * segments that verification waits for do not wait for administrators, and for the store's disk only when a segment
 * closes.
 * Journal: segments, spares, seals, and sessions that expired. ret_more: call again at once. */
struct result core_keep_journal(struct core_worker *worker, bool *ret_more) MUST_USE;
/* Store: what an act could not finish, memory that nobody can hold any more, a piece of a checkpoint when one is due;
 * waits for the acts of others. ret_more: a checkpoint is under way, or midstates are to be wiped: call again in
 * CORE_CHECKPOINT_PAUSE_MS. */
struct result core_keep_store(struct core_worker *worker, bool *ret_more) MUST_USE;
/* After core_keep_journal: nothing is left but what has time for a second, sessions that expire among them. Should
 * anything be written to the log until the next step, the worker's os is woken. */
bool core_keep_rest(struct core_worker *worker);
/* Both, for who is alone; ret_more is the journal's. */
struct result core_keep(struct core_worker *worker, bool *ret_more) MUST_USE;
/* A whole checkpoint now; core_keep_store makes its own in pieces, with pauses. */
struct result core_checkpoint(struct core_worker *worker) MUST_USE;
/* Makes a checkpoint, and has segments of the log wholly at or below this position removed, each after its record:
 * those that are closed now go with the next steps of core_keep_journal, others when they are. JOURNAL_NEEDED: part of
 * it is not checkpointed or not sealed; and what core_checkpoint gives. */
struct result core_prune(struct core_worker *worker, uint64_t through) MUST_USE;
/* After all other workers are drained and destroyed: last seals, ACT_STOP, checkpoint, journal finished. */
struct result core_finish(struct core_worker *worker) MUST_USE;

/* Under load: a checkpoint, a copy of the store and the journal segments after it, into a new folder (made by the
 * caller, empty). File copies go through `copy`, since core makes no system call. Never the key file. */
struct result core_backup(struct core_worker *worker, const struct core_actor *actor, const char *folder,
                          struct result (*copy_segments)(void *context, uint64_t from_position, uint64_t to_position),
                          void *context) MUST_USE;

enum core_clock_state { CORE_CLOCK_SURE, CORE_CLOCK_STEPPED, CORE_CLOCK_BEHIND, CORE_CLOCK_FAR_AHEAD };

enum { CORE_RATE_SECONDS = 10 };

struct core_status {
    uint64_t tokens;
    uint64_t verdicts[OTPRING_VERDICT_COUNT]; /* by enum otpring_verdict, since the start */
    double rates[OTPRING_VERDICT_COUNT]; /* the same a second, over the last CORE_RATE_SECONDS; 0 where nobody calls
                                            core_second */
    uint64_t turns;
    uint64_t sessions;
    uint64_t memory_size;
    uint64_t marks;     /* used responses that are kept: marks.h */
    uint64_t marks_max; /* as of the options */
    uint64_t checkpoint_position;
    int64_t checkpoint_ms;
    enum core_clock_state clock;
    int64_t journal_ms; /* journal time now */
    uint16_t policy;
    const char *kernel;
    enum otpring_reason unavailable; /* OTPRING_REASON_NONE when verifying */
    bool act_pending;                /* an act is durable but the store has no room for it yet: no other act is taken */
    struct journal_status journal;
};
/* Notes the counts of verdicts, for rates. One thread, once a second. */
void core_second(struct core *core);
/* Any thread; counters are approximate while workers run. */
void core_status(struct core *core, struct core_status *ret_status);
/* Journal time now, which acts are dated with. It never falls, so whoever compares it with a date of an act goes by it
 * and not by the wall clock, which may have been set back since. Any thread. */
int64_t core_time_ms(struct core *core, struct os *os);

struct store *core_store(struct core *core);
struct vault *core_vault(struct core *core);
struct table *core_table(struct core *core);
/* Held by acts and checkpoints; readers of the store through LMDB do not need it. */
void core_act_lock(struct core *core);
void core_act_unlock(struct core *core);

/* ---- running a recorded log again: a core of its own on a simulated os, with one thread (rerun.c) ---- */

/* Does what a recorded act did, without judging it anew and without a record. in_store: its rows are in the store
 * already, only words are raised. BAD_ARGUMENT: an act RESTORE, which says too little to be done again; VAULT_BAD_SEAL:
 * a seed that these keys do not open; JOURNAL_CORRUPT, STORE_*. */
struct result core_rerun_act(struct core *core, const struct slot_act *act, const uint8_t *payload,
                             bool in_store) MUST_USE;
/* Takes a verification's words and drift, or its mark, as they were recorded. NO_MEMORY. */
struct result core_rerun_verify(struct core *core, const struct slot_verify *slot) MUST_USE;

/* The 16-byte name of DESIGN.md: 8 of SHA-256(company), 8 of SHA-256(company, 0, user). */
void core_name(const char *company, size_t company_size, const char *user, size_t user_size, uint8_t ret_name[16]);
/* What a company's, user's or label's text must be: UTF-8 (shortest form), no control characters, size_min to size_max
 * bytes. */
bool core_text_valid(const char *text, size_t size_min, size_t size_max);
/* A question mark in the place of each byte that such a text cannot have: for what quotes others, cut at any byte. */
void core_text_mend(char *text);

#endif
