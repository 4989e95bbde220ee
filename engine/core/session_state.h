/* The inside of struct sessions, for session.c and kept.c alone. */
#ifndef OTPRING_CORE_SESSION_STATE_H
#define OTPRING_CORE_SESSION_STATE_H

#include "core/verify.h"

enum { SESSION_UNIT = 4096, SESSION_PLACE_MASK = 0xffff };

/* One slot: the last durable frame with its kept answers, and the frame in flight, if any. */
struct kept_slot {
    uint32_t sequence;
    uint32_t flight_sequence;
    uint16_t count;
    bool used; /* sequence, mac and answers are of a frame */
    bool in_flight;
    uint8_t mac[16];
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct kept_slot) == 32, "the first two answers are in the slot's own cache line");

struct session {
    pthread_mutex_t mutex;
    struct act_session act; /* id 0: a free place */
    bool recorded;
    uint32_t flights;
    int64_t last_ms; /* journal time of the last frame */
    uint32_t unit_first;
    uint32_t unit_count;
    uint8_t *kept; /* of each slot: struct kept_slot and items_max answers */
};

struct sessions {
    pthread_mutex_t mutex; /* opening, closing, units; taken before a session's own */
    uint32_t session_max;
    uint32_t per_client_max;
    uint32_t idle_s;
    uint32_t unit_count;
    _Atomic uint64_t count;
    struct session *places;
    uint8_t *units_used; /* a byte a unit */
    uint8_t *kept;
};

/* Bytes from one slot to the next: an odd number of cache lines, since slots at distances of a power of two would share
 * a few sets of the cache. */
static inline size_t session_stride(uint16_t items_max)
{
    size_t lines = (sizeof(struct kept_slot) + items_max * sizeof(struct otpring_wire_answer) + 63) / 64;
    return (lines | 1) * 64;
}

static inline struct kept_slot *session_slot(struct session *session, uint16_t slot)
{
    return (struct kept_slot *)(void *)(session->kept + slot * session_stride(session->act.items_max));
}

static inline struct otpring_wire_answer *session_answers(struct session *session, uint16_t slot)
{
    return (struct otpring_wire_answer *)(void *)(session_slot(session, slot) + 1);
}

/* Locked, or NULL when there is no such session. */
struct session *session_lock(struct sessions *sessions, uint64_t id);
void session_unlock(struct session *session);
/* Puts a session at the place its number names, which is free; sessions->mutex held. false: no memory of kept answers
 * is left. */
bool session_place(struct sessions *sessions, const struct act_session *act, bool recorded, int64_t now_ms,
                   struct act_session *ret_act);

#endif
