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
    uint8_t flight_mac[16];
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct kept_slot) % 16 == 0, "answers stand aligned behind the slots");

struct session {
    pthread_mutex_t mutex;
    struct act_session act; /* id 0: a free place */
    bool recorded;
    uint32_t flights;
    int64_t last_ms; /* journal time of the last frame */
    uint32_t unit_first;
    uint32_t unit_count;
    struct kept_slot *slots;
    struct otpring_wire_answer *answers; /* items_max of each slot */
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

static inline struct otpring_wire_answer *session_answers(struct session *session, uint16_t slot)
{
    return session->answers + (size_t)slot * session->act.items_max;
}

/* Locked, or NULL when there is no such session. */
struct session *session_lock(struct sessions *sessions, uint64_t id);
void session_unlock(struct session *session);
/* Puts a session at the place its number names, which is free; sessions->mutex held. false: no memory of kept answers
 * is left. */
bool session_place(struct sessions *sessions, const struct act_session *act, bool recorded, int64_t now_ms,
                   struct act_session *ret_act);

#endif
