/* What the files of this room share; nobody else includes it.
 * Verify path: worker.c turn.c leave.c record.c judge.c candidates.c profiles.c throttle.c unknown.c session.c kept.c
 * clock.c; verify.h and turn_state.h are theirs alone. State: open.c recover.c checkpoint.c act*.c. */
#ifndef OTPRING_CORE_INTERNAL_H
#define OTPRING_CORE_INTERNAL_H

#include <pthread.h>

#include "core/core.h"
#include "core/marks.h"

enum { CORE_PROFILES_MAX = 4096, CORE_WORKERS_MAX = 64 };

/* Journal time, kept by clock.c. One for all threads. */
struct core_clock {
    _Atomic int64_t journal_ms; /* never falls */
    _Atomic int64_t
        journal_offset_ms;     /* journal time minus boot clock; only grows, so that journal time never stands still */
    _Atomic int64_t offset_ms; /* wall minus boot when last found sound */
    _Atomic int state;         /* enum core_clock_state */
    int64_t step_limit_ms;
};
/* At start: last_record_ms is the greatest time in the journal (0: none). */
void clock_start(struct core_clock *clock, struct os_time now, int64_t last_record_ms, uint32_t step_limit_ms);
/* Once a turn: false when the clock is unsure; else journal time, never below what was given before. */
bool clock_turn(struct core_clock *clock, struct os_time now, int64_t *ret_journal_ms);
/* Journal time without asking whether the wall clock is sound: for acts. */
int64_t clock_journal_ms(struct core_clock *clock, struct os_time now);
/* An operator consents to the wall clock as it is. */
void clock_consent(struct core_clock *clock, struct os_time now);

/* Throttle arithmetic on budget words (throttle.c); pure. */
struct throttle_policy {
    uint8_t free;
    uint32_t base_s;
    uint32_t max_s;
};
/* Seconds still to wait at time now_s for a query of this source class; 0: not locked. */
uint32_t throttle_wait_s(uint64_t budget, const struct throttle_policy *policy, unsigned source_class, uint32_t now_s);
/* The word after one failure / after a success or unlock: greater than `budget` always. */
uint64_t throttle_charge(uint64_t budget, unsigned source_class, uint32_t now_s);
uint64_t throttle_reset(uint64_t budget, uint32_t now_s);

/* Names without account (unknown.c): fixed size, keyed, no lock. */
struct unknown_table;
struct result unknown_create(uint32_t entries, const uint8_t secret[32], struct unknown_table **ret_table) MUST_USE;
void unknown_destroy(struct unknown_table *table);
uint64_t unknown_get(struct unknown_table *table, const uint8_t name[16]); /* budget word; 0: not there */
/* Changes the entry from `seen` to `budget` (taking the least charged place of its set when new); false: it changed
 * meanwhile. */
bool unknown_swap(struct unknown_table *table, const uint8_t name[16], uint64_t seen, uint64_t budget);
void unknown_raise(struct unknown_table *table, const uint8_t name[16], uint64_t budget); /* recovery */
/* Blocks for the checkpoint: block_size bytes each, little-endian words. */
enum { UNKNOWN_BLOCK_ENTRIES = 8192 };
uint32_t unknown_block_count(const struct unknown_table *table);
void unknown_block_read(struct unknown_table *table, uint32_t block, uint8_t ret[UNKNOWN_BLOCK_ENTRIES * 8]);
void unknown_block_write(struct unknown_table *table, uint32_t block, const uint8_t bytes[UNKNOWN_BLOCK_ENTRIES * 8]);

/* Gates in memory (required.c): one writer, under the act mutex; any reader. */
struct gates;
struct result gates_create(const uint8_t secret[32], struct gates **ret_gates) MUST_USE;
void gates_destroy(struct gates *gates);
/* The gate that stands for a name (enum core_gate). */
struct result gates_set(struct gates *gates, const uint8_t name[16], uint8_t gate) MUST_USE; /* NO_MEMORY */
uint8_t gates_get(const struct gates *gates, const uint8_t name[16]);
uint64_t gates_size(const struct gates *gates); /* bytes */
/* The answer, where it is known whether the name has a line in the table. */
enum otpring_verdict required_of(const struct core *core, const uint8_t name[16], bool has_line,
                                 enum otpring_reason *ret_reason);

/* Sessions, slots and kept answers (session.c). */
struct sessions;
struct act_session {
    uint64_t id;
    uint16_t client;
    uint16_t slots;
    uint16_t items_max;
    uint16_t reserved;
};
_Static_assert(sizeof(struct act_session) == 16, "payload of ACT_SESSION_OPEN");
/* Payload of ACT_START: which run, and how the clocks stood. */
struct act_run {
    uint64_t incarnation;
    int64_t wall_ms;
    uint64_t boot_ms;
    uint64_t burned; /* records of a torn tail that were burned again before it */
};
_Static_assert(sizeof(struct act_run) == 32, "payload of ACT_START");
/* Payload of ACT_TOKEN_RESYNC. */
struct act_resync {
    int32_t distance;
    uint8_t verdict; /* enum otpring_verdict: ACCEPTED when the words of the record were raised */
    int8_t drift;    /* after */
    uint16_t reserved;
};
_Static_assert(sizeof(struct act_resync) == 8, "payload of ACT_TOKEN_RESYNC");
struct result sessions_create(const struct core_options *options, struct sessions **ret_sessions) MUST_USE;
void sessions_destroy(struct sessions *sessions);
/* Recovery: a session record, and a frame with its verification slots, applied in order of position. */
void sessions_apply_open(struct sessions *sessions, const struct act_session *session, int64_t time_ms);
void sessions_apply_frame(struct sessions *sessions, const struct slot_frame *frame, const struct slot_verify *items,
                          uint64_t position, uint32_t first_slot, int64_t time_ms);
/* Checkpoint at P, `position`: every session as bytes (each called with the key id and a blob), and back. Consistent a
 * session: taken under its lock. Call it after core_wait_all_durable: then every frame at or below P is among what is
 * kept; of later ones the frame is, and its verdicts are left to the journal. `each` failing stops and is handed on. */
struct result sessions_save(struct sessions *sessions, uint64_t position,
                            struct result (*each)(void *context, uint64_t id, const void *bytes, size_t size),
                            void *context) MUST_USE;
struct result sessions_load(struct sessions *sessions, uint64_t id, const void *bytes, size_t size) MUST_USE;
/* Forgets sessions idle for longer than session_idle_s; `gone` is told each id. Housekeeper. */
void sessions_expire(struct sessions *sessions, int64_t now_ms, void (*gone)(void *context, uint64_t id),
                     void *context);
uint64_t sessions_count(const struct sessions *sessions);

/* A worker's progress, seen by the others: turns begun and turns durable, each on a cache line of its own. */
struct core_progress {
    _Alignas(64) _Atomic uint64_t begun;   /* raised before a turn's first word is read for judging */
    _Alignas(64) _Atomic uint64_t durable; /* turns durable (or ended without a record), in order */
    _Atomic bool used;
    _Atomic bool waiting;    /* frames of this worker wait for others' turns: wake it when durable rises */
    _Atomic uint32_t wakers; /* threads that are waking it just now: its os must stay */
    struct os *_Atomic os;   /* to wake it */
};

struct core_profile {
    struct profile_row row;
    _Atomic bool used;
};

struct core {
    struct core_options options;
    struct store *store;
    struct vault *vault;
    struct table *table;
    struct journal *journal;
    const struct kernel *kernel;
    struct sessions *sessions;
    struct unknown_table *unknown;
    struct marks *marks;
    struct gates *gates;
    struct core_clock clock;
    _Atomic uint16_t policy; /* raised with every profile change */
    _Atomic int stop_reason; /* enum otpring_reason; not NONE: everything is UNAVAILABLE */
    struct core_profile
        *profiles; /* CORE_PROFILES_MAX; changed under the act mutex by building a new row and publishing it: readers
                      copy the row in the turn's beginning under profile_version (seqlock) */
    _Atomic uint32_t profile_version; /* odd while a row is being changed */
    uint32_t profile_count;
    struct core_progress progress[CORE_WORKERS_MAX];
    _Atomic uint32_t worker_count;
    pthread_mutex_t act_mutex;
    /* the state half's own (state.h), under the act mutex */
    struct core_state *state;
    uint64_t admin_position; /* through which administrative records are in the store */
    _Atomic uint64_t checkpoint_position;
    _Atomic int64_t checkpoint_ms;
    uint64_t checkpoint_bytes_at; /* journal bytes appended when the last one was made */
    uint32_t lines_next[KERNEL_ALGORITHM_COUNT];
    _Atomic uint64_t verdicts[OTPRING_VERDICT_COUNT];
    /* Counts at the last seconds: second s stands at s modulo the size, which has room for the one being written. */
    _Atomic uint64_t second_verdicts[CORE_RATE_SECONDS + 2][OTPRING_VERDICT_COUNT];
    _Atomic uint64_t seconds; /* noted so far */
    _Atomic uint64_t turns;
    _Atomic uint32_t workers_waiting; /* how many progress entries say `waiting` */
};

/* ---- one worker (turn.c) ---- */

struct core_worker {
    struct core *core;
    struct core_worker_options options;
    struct os *os;
    struct journal_writer *writer;
    uint32_t index;      /* in core->progress */
    struct turns *turns; /* turn.c's own */
};

/* For acts (act.c): one journal block filled by the caller and waited for until durable on this worker's os. Turn
 * counting (begun before the first word changes, durable after) is done here. Between begin and commit nothing else may
 * run on the worker. core_record_begin: JOURNAL_NO_ROOM, JOURNAL_POISONED, FULL (after draining own turns: never). */
struct result core_record_begin(struct core_worker *worker, struct journal_block **ret_block,
                                int64_t *ret_journal_ms) MUST_USE;
struct result core_record_commit(struct core_worker *worker, struct journal_block *block, uint32_t slot_count,
                                 int64_t journal_ms) MUST_USE; /* waits; the block's position stays readable */
void core_record_abandon(struct core_worker *worker, struct journal_block *block);
/* Waits until every turn of every worker begun before the call is durable: what the checkpoint needs after its scan. */
struct result core_wait_all_durable(struct core_worker *worker) MUST_USE;

/* Judging two adjacent codes against one token for core_token_resync and OTPRING_WIRE_RESYNC (judge.c). Finds step s in
 * [floor, floor + resync_window] (TOTP: around now) with code(s) and code(s+1) right; raises the word to s + 2; true
 * when consumed. ret_distance: HOTP steps from the floor; TOTP s + 1 minus the step of now_s, which is also stored as
 * the drift, within resync_window. */
bool judge_pair(struct core *core, const struct table_hit *hit, const struct profile_row *profile, uint32_t code,
                uint32_t code_next, unsigned digits, int64_t now_s, int32_t *ret_distance, uint64_t *ret_token_word);

/* The throttle policy for names without an account: that of the default profile (id 0). */
struct throttle_policy core_unknown_policy(const struct core *core);

#endif
