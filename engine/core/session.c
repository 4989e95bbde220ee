/* Sessions: slots, sequence numbers, and the answers of each slot's last frame.
 *
 * A session's number holds its place in the lowest 16 bits, so that finding it takes no search. Its slots and kept
 * answers lie in one stretch of units of a memory sized at start; what a hello is granted is cut to the longest stretch
 * that is free. One mutex guards opening and closing, and each session has one for its slots. Any thread. */
#include "core/session_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* A client that never resumes (a command line run again and again) uses up its sessions; the one that was idle longest
 * gives way when it has been idle for this long. */
enum { GIVE_WAY_IDLE_MS = 10000 };

struct result sessions_create(const struct core_options *options, struct sessions **ret_sessions)
{
    struct sessions *sessions = calloc(1, sizeof *sessions);
    if (!sessions) return result_of(NO_MEMORY);
    sessions->session_max = options->sessions_max ? options->sessions_max : 1024;
    sessions->per_client_max = options->sessions_per_client ? options->sessions_per_client : 256;
    sessions->idle_s = options->session_idle_s ? options->session_idle_s : 600;
    uint64_t kept_size = options->kept_size ? options->kept_size : (uint64_t)256 << 20;
    sessions->unit_count = (uint32_t)((kept_size + SESSION_UNIT - 1) / SESSION_UNIT);
    if (sessions->session_max > SESSION_PLACE_MASK + 1u) {
        free(sessions);
        return result_of(BAD_ARGUMENT);
    }
    sessions->places = calloc(sessions->session_max, sizeof *sessions->places);
    sessions->units_used = calloc(sessions->unit_count, 1);
    /* Pages that no session uses are never touched. */
    sessions->kept = calloc(sessions->unit_count, SESSION_UNIT);
    pthread_mutex_init(&sessions->mutex, NULL);
    if (!sessions->places || !sessions->units_used || !sessions->kept) {
        free(sessions->places);
        free(sessions->units_used);
        free(sessions->kept);
        free(sessions);
        return result_of(NO_MEMORY);
    }
    for (uint32_t i = 0; i < sessions->session_max; i++) pthread_mutex_init(&sessions->places[i].mutex, NULL);
    *ret_sessions = sessions;
    return result_ok();
}

void sessions_destroy(struct sessions *sessions)
{
    if (!sessions) return;
    for (uint32_t i = 0; i < sessions->session_max; i++) pthread_mutex_destroy(&sessions->places[i].mutex);
    pthread_mutex_destroy(&sessions->mutex);
    free(sessions->places);
    free(sessions->units_used);
    free(sessions->kept);
    free(sessions);
}

uint64_t sessions_count(const struct sessions *sessions)
{
    return atomic_load(&sessions->count);
}

uint32_t sessions_idle_s(const struct sessions *sessions)
{
    return sessions->idle_s;
}

/* ---- memory of kept answers; under sessions->mutex ---- */

static uint32_t units_for(uint16_t slots, uint16_t items_max)
{
    uint64_t size = slots * (uint64_t)session_stride(items_max);
    return (uint32_t)((size + SESSION_UNIT - 1) / SESSION_UNIT);
}

/* The first free stretch of `wanted` units, or else the longest there is. */
static uint32_t longest_free(const struct sessions *sessions, uint32_t wanted, uint32_t *ret_first)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < sessions->unit_count && longest < wanted;) {
        uint32_t first = i;
        while (i < sessions->unit_count && !sessions->units_used[i] && i - first < wanted) i++;
        if (i - first > longest) {
            longest = i - first;
            *ret_first = first;
        }
        while (i < sessions->unit_count && sessions->units_used[i]) i++;
    }
    return longest;
}

/* Cuts *slots to what can be had; false when not even one slot can. */
static bool take_units(struct sessions *sessions, struct session *session, uint16_t *slots, uint16_t items_max)
{
    uint32_t first = 0;
    uint32_t longest = longest_free(sessions, units_for(*slots, items_max), &first);
    while (*slots > 0 && units_for(*slots, items_max) > longest) --*slots;
    if (*slots == 0) return false;
    session->unit_first = first;
    session->unit_count = units_for(*slots, items_max);
    memset(sessions->units_used + first, 1, session->unit_count);
    session->kept = sessions->kept + (size_t)first * SESSION_UNIT;
    for (uint16_t i = 0; i < *slots; i++)
        memset(session->kept + i * session_stride(items_max), 0, sizeof(struct kept_slot));
    return true;
}

/* ---- opening and closing ---- */

struct session *session_lock(struct sessions *sessions, uint64_t id)
{
    uint64_t place = id & SESSION_PLACE_MASK;
    if (id == 0 || place >= sessions->session_max) return NULL;
    struct session *session = &sessions->places[place];
    pthread_mutex_lock(&session->mutex);
    if (session->act.id == id) return session;
    pthread_mutex_unlock(&session->mutex);
    return NULL;
}

void session_unlock(struct session *session)
{
    pthread_mutex_unlock(&session->mutex);
}

/* Both mutexes held. */
static void forget(struct sessions *sessions, struct session *session)
{
    memset(sessions->units_used + session->unit_first, 0, session->unit_count);
    session->act = (struct act_session){0};
    session->kept = NULL;
    session->unit_count = 0;
    atomic_fetch_sub(&sessions->count, 1);
}

bool session_place(struct sessions *sessions, const struct act_session *act, bool recorded, int64_t now_ms,
                   struct act_session *ret_act)
{
    struct session *session = &sessions->places[act->id & SESSION_PLACE_MASK];
    struct act_session granted = *act;
    pthread_mutex_lock(&session->mutex);
    bool placed = take_units(sessions, session, &granted.slots, granted.items_max);
    if (placed) {
        session->act = granted;
        session->recorded = recorded;
        session->flights = 0;
        session->last_ms = now_ms;
        atomic_fetch_add(&sessions->count, 1);
        *ret_act = granted;
    }
    pthread_mutex_unlock(&session->mutex);
    return placed;
}

/* A free place, -1 when there is none; how many sessions this client has, and which of them is idle longest. */
static int64_t look_round(struct sessions *sessions, uint16_t client, uint32_t *ret_count, struct session **ret_idlest)
{
    int64_t free_place = -1;
    *ret_count = 0;
    *ret_idlest = NULL;
    for (uint32_t i = 0; i < sessions->session_max; i++) {
        struct session *session = &sessions->places[i];
        pthread_mutex_lock(&session->mutex);
        if (session->act.id == 0 && free_place < 0) free_place = i;
        if (session->act.id != 0 && session->act.client == client) {
            ++*ret_count;
            bool idler = !*ret_idlest || session->last_ms < (*ret_idlest)->last_ms;
            if (session->flights == 0 && idler) *ret_idlest = session;
        }
        pthread_mutex_unlock(&session->mutex);
    }
    return free_place;
}

/* Frees the place of the idlest; -1 when it is not idle for long enough. */
static int64_t give_way(struct sessions *sessions, struct session *idlest, int64_t now_ms)
{
    if (!idlest) return -1;
    int64_t place = -1;
    pthread_mutex_lock(&idlest->mutex);
    if (idlest->act.id && idlest->flights == 0 && now_ms - idlest->last_ms >= GIVE_WAY_IDLE_MS) {
        forget(sessions, idlest);
        place = idlest - sessions->places;
    }
    pthread_mutex_unlock(&idlest->mutex);
    return place;
}

bool sessions_open(struct sessions *sessions, uint16_t client, uint16_t slots, uint16_t items_max, uint64_t random,
                   int64_t now_ms, struct act_session *ret_act)
{
    uint32_t count;
    struct session *idlest;
    bool opened = false;
    pthread_mutex_lock(&sessions->mutex);
    int64_t place = look_round(sessions, client, &count, &idlest);
    if (place < 0 || count >= sessions->per_client_max) place = give_way(sessions, idlest, now_ms);
    /* Where memory for kept answers is short, idle sessions of the same client give way too, one after the other. */
    while (place >= 0) {
        uint64_t id = (random & ~(uint64_t)SESSION_PLACE_MASK) | (uint64_t)place;
        if (id <= SESSION_PLACE_MASK) id |= (uint64_t)1 << 63; /* never 0 */
        struct act_session act = {.id = id, .client = client, .slots = slots, .items_max = items_max};
        opened = session_place(sessions, &act, false, now_ms, ret_act);
        if (opened) break;
        look_round(sessions, client, &count, &idlest);
        place = give_way(sessions, idlest, now_ms);
    }
    pthread_mutex_unlock(&sessions->mutex);
    return opened;
}

bool sessions_resume(struct sessions *sessions, uint64_t id, uint16_t client, int64_t now_ms,
                     struct act_session *ret_act)
{
    struct session *session = session_lock(sessions, id);
    if (!session) return false;
    bool mine = session->act.client == client;
    if (mine) {
        *ret_act = session->act;
        if (now_ms > session->last_ms) session->last_ms = now_ms;
    }
    session_unlock(session);
    return mine;
}

void sessions_close(struct sessions *sessions, uint64_t id)
{
    pthread_mutex_lock(&sessions->mutex);
    struct session *session = session_lock(sessions, id);
    if (session) {
        forget(sessions, session);
        session_unlock(session);
    }
    pthread_mutex_unlock(&sessions->mutex);
}

void sessions_recorded(struct sessions *sessions, uint64_t id)
{
    struct session *session = session_lock(sessions, id);
    if (!session) return;
    session->recorded = true;
    session_unlock(session);
}

void sessions_expire(struct sessions *sessions, int64_t now_ms, void (*gone)(void *context, uint64_t id), void *context)
{
    for (uint32_t i = 0; i < sessions->session_max; i++) {
        struct session *session = &sessions->places[i];
        pthread_mutex_lock(&sessions->mutex);
        pthread_mutex_lock(&session->mutex);
        uint64_t id = session->act.id;
        bool expired = id && session->flights == 0 && now_ms - session->last_ms > (int64_t)sessions->idle_s * 1000;
        if (expired) forget(sessions, session);
        pthread_mutex_unlock(&session->mutex);
        pthread_mutex_unlock(&sessions->mutex);
        if (expired && gone) gone(context, id);
    }
}

/* ---- frames ---- */

static enum otpring_wire_error_code fault_of(struct session *session, const struct otpring_wire_header *header,
                                             uint16_t client)
{
    if (session->act.client != client) return OTPRING_ERROR_SESSION;
    if (header->slot >= session->act.slots) return OTPRING_ERROR_SLOT;
    if (header->count == 0 || header->count > session->act.items_max) return OTPRING_ERROR_TOO_MANY;
    const struct kept_slot *slot = session_slot(session, header->slot);
    /* Serial arithmetic (RFC 1982): a sequence number is behind when the difference is negative in 32 bits. */
    if ((int32_t)(header->sequence - slot->sequence) < 0) return OTPRING_ERROR_SEQUENCE;
    if (slot->in_flight && (int32_t)(header->sequence - slot->flight_sequence) < 0) return OTPRING_ERROR_SEQUENCE;
    if (header->sequence == 0 && slot->sequence == 0 && !slot->used) return OTPRING_ERROR_SEQUENCE;
    return 0;
}

static bool any_unavailable(const struct otpring_wire_answer *answers, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        if (answers[i].verdict == OTPRING_UNAVAILABLE) return true;
    }
    return false;
}

static bool same_mac(const uint8_t a[16], const uint8_t b[16])
{
    uint8_t differs = 0;
    for (int i = 0; i < 16; i++) differs |= a[i] ^ b[i];
    return differs == 0;
}

static enum session_admit offer(struct session *session, const struct otpring_wire_header *header, uint16_t client,
                                const uint8_t mac[16], struct otpring_wire_answer *ret_answers,
                                enum otpring_wire_error_code *ret_error)
{
    *ret_error = fault_of(session, header, client);
    if (*ret_error) return SESSION_REFUSED;
    struct kept_slot *slot = session_slot(session, header->slot);
    /* Whether it is the same frame is asked when that one has ended. */
    if (slot->in_flight) return SESSION_IN_FLIGHT;
    enum session_admit admit = SESSION_NEW;
    if (slot->used && header->sequence == slot->sequence) {
        if (!mac) return SESSION_WANTS_MAC;
        if (header->count != slot->count || !same_mac(mac, slot->mac)) {
            *ret_error = OTPRING_ERROR_CHANGED_CONTENT;
            return SESSION_REFUSED;
        }
        const struct otpring_wire_answer *kept = session_answers(session, header->slot);
        memcpy(ret_answers, kept, slot->count * sizeof *kept);
        if (!any_unavailable(kept, slot->count)) return SESSION_KEPT;
        admit = SESSION_RETRY;
    }
    slot->in_flight = true;
    slot->flight_sequence = header->sequence;
    session->flights++;
    return admit;
}

enum session_admit sessions_offer(struct sessions *sessions, const struct otpring_wire_header *header, uint16_t client,
                                  const uint8_t mac[16], struct session_ticket *ret_ticket,
                                  struct otpring_wire_answer *ret_answers, enum otpring_wire_error_code *ret_error)
{
    struct session *session = session_lock(sessions, header->session);
    if (!session) {
        *ret_error = OTPRING_ERROR_SESSION;
        return SESSION_REFUSED;
    }
    enum session_admit admit = offer(session, header, client, mac, ret_answers, ret_error);
    if (admit == SESSION_NEW || admit == SESSION_RETRY) {
        *ret_ticket = (struct session_ticket){.id = header->session,
                                              .slot = header->slot,
                                              .count = header->count,
                                              .recorded = session->recorded,
                                              .kept = session_slot(session, header->slot),
                                              .act = session->act};
        if (mac) memcpy(ret_ticket->mac, mac, 16);
    }
    session_unlock(session);
    return admit;
}

static void release_slot(struct session *session, struct kept_slot *slot)
{
    CHECK(slot->in_flight && session->flights > 0);
    slot->in_flight = false;
    session->flights--;
}

void sessions_let_go(struct session **hold)
{
    if (*hold) session_unlock(*hold);
    *hold = NULL;
}

void sessions_prefetch(const struct sessions *sessions, const struct session_ticket *ticket)
{
    __builtin_prefetch(&sessions->places[ticket->id & SESSION_PLACE_MASK], 1);
    __builtin_prefetch(ticket->kept, 1);
}

void sessions_settle(struct sessions *sessions, struct session **hold, const struct session_ticket *ticket,
                     const struct otpring_wire_answer *answers, int64_t now_ms, bool release)
{
    if (!*hold || (*hold)->act.id != ticket->id) {
        sessions_let_go(hold);
        *hold = session_lock(sessions, ticket->id);
    }
    struct session *session = *hold;
    CHECK(session); /* a session with a frame in flight is never forgotten */
    struct kept_slot *slot = session_slot(session, ticket->slot);
    CHECK(slot->in_flight);
    slot->used = true;
    slot->sequence = slot->flight_sequence;
    slot->count = ticket->count;
    memcpy(slot->mac, ticket->mac, 16);
    memcpy(session_answers(session, ticket->slot), answers, ticket->count * sizeof *answers);
    if (now_ms > session->last_ms) session->last_ms = now_ms;
    session->recorded = true;
    if (release) release_slot(session, slot);
}

void sessions_release(struct sessions *sessions, const struct session_ticket *ticket)
{
    struct session *session = session_lock(sessions, ticket->id);
    CHECK(session);
    release_slot(session, session_slot(session, ticket->slot));
    session_unlock(session);
}
