/* Sessions across a restart: from journal records, and to and from the checkpoint.
 *
 * A saved session, little-endian: version 2 (= 1), client 2, slots 2, items_max 2, id 8, last_ms 8, then for each used
 * slot: slot 2, count 2, sequence 4, mac 16, and count answers of 16 bytes as on the wire; verdicts of records behind
 * the checkpoint stand as UNAVAILABLE. A damaged row is STORE_DAMAGED. */
#include "core/session_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { SAVED_VERSION = 1, SAVED_HEAD = 24, SAVED_SLOT = 24, ANSWER_SIZE = 16 };

void sessions_apply_open(struct sessions *sessions, const struct act_session *act, int64_t time_ms)
{
    if ((act->id & SESSION_PLACE_MASK) >= sessions->session_max || act->id == 0) return;
    if (act->slots == 0 || act->slots > OTPRING_WIRE_SLOTS_MAX || act->items_max == 0 ||
        act->items_max > OTPRING_WIRE_ITEMS_MAX)
        return;
    pthread_mutex_lock(&sessions->mutex);
    struct session *session = &sessions->places[act->id & SESSION_PLACE_MASK];
    struct act_session granted;
    if (session->act.id == act->id) {
        if (time_ms > session->last_ms) session->last_ms = time_ms;
    } else {
        /* The place was free when this one was opened, so whoever stands there expired before. */
        uint64_t old = session->act.id;
        pthread_mutex_unlock(&sessions->mutex);
        if (old) sessions_close(sessions, old);
        pthread_mutex_lock(&sessions->mutex);
        bool placed = session_place(sessions, act, true, time_ms, &granted);
        /* Cut to less than was promised, the client would be told a wrong slot: better that it is told its session is
         * gone. */
        bool cut = placed && granted.slots != act->slots;
        pthread_mutex_unlock(&sessions->mutex);
        if (cut) sessions_close(sessions, act->id);
        return;
    }
    pthread_mutex_unlock(&sessions->mutex);
}

static void apply_new(struct session *session, struct kept_slot *slot, const struct slot_frame *frame)
{
    slot->used = true;
    slot->sequence = frame->sequence;
    slot->count = frame->item_count;
    memcpy(slot->mac, frame->mac, 16);
    struct otpring_wire_answer *answers = session_answers(session, frame->slot);
    for (uint16_t i = 0; i < frame->item_count; i++)
        answers[i] = (struct otpring_wire_answer){.verdict = OTPRING_UNAVAILABLE, .reason = OTPRING_REASON_BUSY};
}

void sessions_apply_frame(struct sessions *sessions, const struct slot_frame *frame, const struct slot_verify *items,
                          uint64_t position, uint32_t first_slot, int64_t time_ms)
{
    struct session *session = session_lock(sessions, frame->session);
    if (!session) return;
    bool fits = frame->slot < session->act.slots && frame->item_count <= session->act.items_max &&
                frame->client == session->act.client;
    struct kept_slot *slot = fits ? session_slot(session, frame->slot) : NULL;
    bool behind = slot && slot->used && (int32_t)(frame->sequence - slot->sequence) < 0;
    bool orphan = slot && frame->retry && (!slot->used || frame->sequence != slot->sequence);
    if (slot && !behind && !orphan) {
        if (!frame->retry) apply_new(session, slot, frame);
        struct otpring_wire_answer *answers = session_answers(session, frame->slot);
        for (uint16_t i = 0; i < frame->item_count; i++) {
            if (items[i].item >= slot->count) continue;
            answer_of_record(&items[i], position << 14 | (first_slot + i), &answers[items[i].item]);
        }
        if (time_ms > session->last_ms) session->last_ms = time_ms;
    }
    session_unlock(session);
}

/* ---- checkpoint ---- */

static size_t saved_size(struct session *session)
{
    size_t size = SAVED_HEAD;
    for (uint16_t i = 0; i < session->act.slots; i++) {
        if (session_slot(session, i)->used) size += SAVED_SLOT + (size_t)session_slot(session, i)->count * ANSWER_SIZE;
    }
    return size;
}

/* A verdict that stands behind the checkpoint is left to the journal, as its words are: should a drive lose that block,
 * a kept ACCEPTED would be given beside a word that lets the same code pass once more, with the number of a record that
 * is another one's by then. */
static struct otpring_wire_answer answer_saved(const struct otpring_wire_answer *answer, uint64_t position)
{
    if (answer->record >> 14 <= position) return *answer;
    return (struct otpring_wire_answer){.verdict = OTPRING_UNAVAILABLE, .reason = OTPRING_REASON_BUSY};
}

static void save_slot(struct session *session, uint16_t index, uint64_t position, uint8_t *at)
{
    const struct kept_slot *slot = session_slot(session, index);
    store_le16(at, index);
    store_le16(at + 2, slot->count);
    store_le32(at + 4, slot->sequence);
    memcpy(at + 8, slot->mac, 16);
    const struct otpring_wire_answer *answers = session_answers(session, index);
    for (uint16_t i = 0; i < slot->count; i++) {
        uint8_t *to = at + SAVED_SLOT + (size_t)i * ANSWER_SIZE;
        const struct otpring_wire_answer answer = answer_saved(&answers[i], position);
        to[0] = answer.verdict;
        to[1] = answer.reason;
        store_le16(to + 2, 0);
        store_le32(to + 4, answer.retry_after_s);
        store_le64(to + 8, answer.record);
    }
}

static void save(struct session *session, uint64_t position, uint8_t *bytes)
{
    store_le16(bytes, SAVED_VERSION);
    store_le16(bytes + 2, session->act.client);
    store_le16(bytes + 4, session->act.slots);
    store_le16(bytes + 6, session->act.items_max);
    store_le64(bytes + 8, session->act.id);
    store_le64(bytes + 16, (uint64_t)session->last_ms);
    uint8_t *at = bytes + SAVED_HEAD;
    for (uint16_t i = 0; i < session->act.slots; i++) {
        if (!session_slot(session, i)->used) continue;
        save_slot(session, i, position, at);
        at += SAVED_SLOT + (size_t)session_slot(session, i)->count * ANSWER_SIZE;
    }
}

struct result sessions_save(struct sessions *sessions, uint64_t position,
                            struct result (*each)(void *context, uint64_t id, const void *bytes, size_t size),
                            void *context)
{
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    struct result result = result_ok();
    for (uint32_t i = 0; i < sessions->session_max && !result_failed(result); i++) {
        struct session *session = &sessions->places[i];
        pthread_mutex_lock(&session->mutex);
        uint64_t id = session->act.id;
        /* What was never recorded has no frame that could be asked for again. */
        size_t size = id && session->recorded ? saved_size(session) : 0;
        if (size > capacity) {
            free(bytes);
            capacity = size;
            bytes = malloc(capacity);
            if (!bytes) result = result_of(NO_MEMORY);
        }
        if (size && bytes) save(session, position, bytes);
        pthread_mutex_unlock(&session->mutex);
        if (size && bytes) result = each(context, id, bytes, size);
    }
    free(bytes);
    return result;
}

static bool load_slot(struct session *session, struct cursor *cursor)
{
    uint16_t index = cursor_u16(cursor), count = cursor_u16(cursor);
    uint32_t sequence = cursor_u32(cursor);
    const uint8_t *mac = cursor_take(cursor, 16);
    const uint8_t *answers = cursor_take(cursor, (size_t)count * ANSWER_SIZE);
    if (cursor->failed || index >= session->act.slots || count > session->act.items_max || count == 0) return false;
    struct kept_slot *slot = session_slot(session, index);
    slot->used = true;
    slot->sequence = sequence;
    slot->count = count;
    memcpy(slot->mac, mac, 16);
    struct otpring_wire_answer *to = session_answers(session, index);
    for (uint16_t i = 0; i < count; i++) {
        const uint8_t *from = answers + (size_t)i * ANSWER_SIZE;
        to[i] = (struct otpring_wire_answer){
            .verdict = from[0], .reason = from[1], .retry_after_s = load_le32(from + 4), .record = load_le64(from + 8)};
    }
    return true;
}

struct result sessions_load(struct sessions *sessions, uint64_t id, const void *bytes, size_t size)
{
    struct cursor cursor = cursor_over(bytes, size);
    uint16_t version = cursor_u16(&cursor);
    struct act_session act = {0};
    act.client = cursor_u16(&cursor);
    act.slots = cursor_u16(&cursor);
    act.items_max = cursor_u16(&cursor);
    act.id = cursor_u64(&cursor);
    int64_t last_ms = (int64_t)cursor_u64(&cursor);
    bool fits =
        act.slots && act.slots <= OTPRING_WIRE_SLOTS_MAX && act.items_max && act.items_max <= OTPRING_WIRE_ITEMS_MAX;
    if (cursor.failed || version != SAVED_VERSION || act.id != id || !fits) return result_of(STORE_DAMAGED);
    sessions_apply_open(sessions, &act, last_ms);
    struct session *session = session_lock(sessions, id);
    if (!session) return result_ok(); /* fewer sessions, or less memory, are configured now: it is gone */
    bool sound = true;
    while (cursor.left && sound) sound = load_slot(session, &cursor);
    session_unlock(session);
    if (sound) return result_ok();
    sessions_close(sessions, id);
    return result_of(STORE_DAMAGED);
}
