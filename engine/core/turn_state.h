/* A worker's turns, shared by worker.c (life, progress), turn.c (taking and judging), leave.c (answering) and record.c
 * (acts). */
#ifndef OTPRING_CORE_TURN_STATE_H
#define OTPRING_CORE_TURN_STATE_H

#include "base/checksum.h"
#include "core/bursts.h"
#include "core/depth.h"
#include "core/verify.h"
#include "vault/block_mac.h"

enum { TURN_HELLOS_MAX = 64, SESSION_RECORD_SLOTS = 2 };

/* What a journal block belongs to; first member of a turn and of an act's record. */
struct block_owner {
    void (*settled)(struct block_owner *owner, struct result result);
};

struct turn_frame {
    struct otpring_wire_header header;
    const uint8_t *items;
    struct judged_frame judged;
    uint64_t owner;
    struct session_ticket ticket;
    uint32_t answer_first; /* in the turn's answers: one for each item of the frame */
    bool retry;            /* answers other than UNAVAILABLE stand already */
    bool released;         /* by its session: no longer in flight */
    bool answered;
};

struct turn_hello {
    uint64_t owner;
    struct act_session act;
    uint32_t uid;
    struct otpring_wire_hello_answer hello;
};

enum turn_state { TURN_FREE, TURN_COLLECTING, TURN_IN_FLIGHT, TURN_SETTLED };

struct turn {
    struct block_owner block_owner;
    struct core_worker *worker;
    enum turn_state state;
    bool poisoned;
    struct journal_block *block; /* NULL: the journal refused, see unavailable */
    enum otpring_reason unavailable;
    uint32_t frame_count;
    uint32_t hello_count;
    uint32_t answer_count;
    uint32_t slots_wanted; /* at most, of what was taken so far */
    uint32_t slot_count;
    uint64_t number; /* among this worker's begun turns */
    int64_t journal_ms;
    bool small; /* begun by small frames: one of small_in_flight */
    struct depth_block depth;
    bool others_durable;
    uint32_t others_count;
    uint64_t others[CORE_WORKERS_MAX]; /* begun turns of each worker at the end of judging */
    struct turn_frame *frames;
    struct turn_hello hellos[TURN_HELLOS_MAX];
    struct otpring_wire_answer *answers;
};

struct turns {
    uint32_t turn_count;
    uint32_t items_max;
    uint32_t frames_max;
    uint32_t slots_max;
    uint64_t begun;          /* turns and records of this worker that began */
    uint32_t open;           /* of these, not yet durable nor given up */
    uint32_t waiting;        /* frames that wait for other workers */
    struct block_owner lost; /* of a record whose os died while it was waited for */
    struct turn *collecting;
    uint64_t room_since_ms;   /* boot clock: the journal has had no room since then; 0: it has */
    bool room_of_seals;       /* since then it was for the seals, some of the time at least */
    uint32_t last_items;      /* of the turn that was judged last */
    uint32_t small_in_flight; /* turns that small frames began, not durable yet */
    uint32_t flying_count;
    struct turn **flying; /* in flight or settled, in order of position */
    struct turn *turns;
    struct otpring_wire_answer *scratch; /* kept answers on their way out */
    struct group *group;
    struct bursts_trial trial;
    struct depth depth;
    struct judge *judge;
    struct block_mac *block_mac;                  /* of frames, see frame_mac.c */
    uint8_t content_secret[CHECKSUM_SECRET_SIZE]; /* keys the hash of a frame's content; the same in every run */
};

/* A turn or record begins: call before the first word is read. Gives its number. */
uint64_t progress_begin(struct core_worker *worker);
/* It is durable, or ended without changing anything; wakes workers that wait. */
void progress_end(struct core_worker *worker, uint64_t number);
/* Every other worker's turn begun by now, into others[]; gives how many. */
uint32_t progress_snapshot(const struct core_worker *worker, uint64_t others[CORE_WORKERS_MAX]);
bool progress_reached(const struct core_worker *worker, const uint64_t *others, uint32_t count, bool own_too);
void progress_waiting_set(struct core_worker *worker, bool waiting);

/* The journal is poisoned: all is UNAVAILABLE from now on. */
void core_poisoned(struct core *core);

/* frame_mac.c: of one frame; and of a turn's new frames, into their tickets. */
void frame_mac(const struct core_worker *worker, const struct otpring_wire_header *header, const uint8_t *items,
               uint8_t ret_mac[16]);
void frame_macs(const struct core_worker *worker, struct turn *turn);

/* leave.c */
void turn_settled(struct block_owner *owner, struct result result);
void turn_refuse(struct turn *turn, enum otpring_reason reason);
void turn_leave(struct core_worker *worker);

/* record.c */
void act_session_write(uint8_t *slots, const struct act_session *act, uint32_t uid);

#endif
