/* Frames and their slots: memory, the send queue, and the way from a submission to its answers. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

static size_t round_up(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

bool client_memory_create(struct otpring_client *client)
{
    size_t slots = client->slots_wished, items = client->items_wished;
    size_t bytes_size = round_up(sizeof(struct otpring_wire_header) + client_items_size(client->items_wished));
    size_t answers_size = round_up(items * sizeof(struct otpring_wire_answer));
    size_t places_size = round_up(items * sizeof(uint16_t));
    size_t rings_size = round_up(slots * sizeof(uint16_t));
    client->received_capacity = 2 * (sizeof(struct otpring_wire_header) + answers_size) + 65536;
    client->memory_size =
        slots * (bytes_size + answers_size + places_size) + 3 * rings_size + round_up(client->received_capacity);
    client->frames = calloc(slots, sizeof *client->frames);
    /* cppcheck-suppress invalidFunctionArg ; -1 is what an anonymous mapping asks for */
    client->memory = mmap(NULL, client->memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (client->memory == MAP_FAILED) client->memory = NULL;
    if (!client->frames || !client->memory) return false;
    /* Codes do not belong in a core dump. A kernel that cannot leave them out is no reason to fail. */
    (void)madvise(client->memory, client->memory_size, MADV_DONTDUMP);
    uint8_t *at = client->memory;
    for (size_t i = 0; i < slots; i++) {
        client->frames[i].bytes = at;
        client->frames[i].answers = (void *)(at + bytes_size);
        client->frames[i].places = (void *)(at + bytes_size + answers_size);
        at += bytes_size + answers_size + places_size;
    }
    client->free_slots = (void *)at;
    client->queue = (void *)(at + rings_size);
    client->done = (void *)(at + 2 * rings_size);
    client->received = at + 3 * rings_size;
    return true;
}

void client_memory_destroy(struct otpring_client *client)
{
    if (client->memory) {
        /* Only what is unanswered still holds codes: everything else was wiped when it was answered. */
        for (uint32_t i = 0; i < client->slots_wished; i++) {
            if (client->frames && client->frames[i].size)
                explicit_bzero(client->frames[i].bytes, client->frames[i].size);
        }
        munmap(client->memory, client->memory_size);
    }
    free(client->frames);
}

static void put_header(struct otpring_client *client, struct frame *frame)
{
    struct otpring_wire_header header = {
        .size = htole32(frame->size),
        .kind = htole16(frame->kind),
        .count = htole16(frame->sent),
        .tag = htole64((uint64_t)frame->ticket),
        .session = htole64(client->session),
        .sequence = htole32(++frame->sequence),
        .slot = htole16((uint16_t)(frame - client->frames)),
    };
    memcpy(frame->bytes, &header, sizeof header);
}

bool frames_begin_session(struct otpring_client *client)
{
    bool undecided = false;
    for (uint32_t i = 0; i < client->slots_wished; i++) {
        struct frame *frame = &client->frames[i];
        frame->sequence = 0;
        if (frame->state != FRAME_QUEUED && frame->state != FRAME_SENT) continue;
        if (!frame->departed && i < client->slots && frame->sent <= client->items) {
            put_header(client, frame);
            continue;
        }
        undecided = true;
        client->in_flight--;
        frames_release(client, frame);
    }
    frames_queue_again(client);
    client->free_count = 0;
    for (uint32_t i = client->slots; i-- > 0;) {
        if (client->frames[i].state == FRAME_FREE) client->free_slots[client->free_count++] = (uint16_t)i;
    }
    return undecided;
}

/* Answers that nobody came back for make room for new frames. */
static void release_late(struct otpring_client *client, bool all)
{
    uint64_t now = 0;
    for (uint32_t i = 0; i < client->slots_wished; i++) {
        struct frame *frame = &client->frames[i];
        if (!frame->abandoned || frame->state != FRAME_DONE) continue;
        if (!now) now = client_now_ms();
        if (all || now - frame->abandoned_ms > LATE_ANSWER_KEPT_MS) frames_release(client, frame);
    }
}

void frames_expire(struct otpring_client *client)
{
    release_late(client, false);
}

struct frame *frames_take(struct otpring_client *client)
{
    if (!client->free_count) release_late(client, true);
    if (!client->free_count) return NULL;
    struct frame *frame = &client->frames[client->free_slots[--client->free_count]];
    frame->ticket = (++client->frame_count << SLOT_BITS) | (frame - client->frames);
    frame->placed = frame->blocking = frame->abandoned = frame->departed = false;
    frame->size = 0;
    return frame;
}

static void push_done(struct otpring_client *client, struct frame *frame)
{
    uint32_t at = (client->done_begin + client->done_count++) % client->slots_wished;
    client->done[at] = (uint16_t)(frame - client->frames);
}

static void push_queue(struct otpring_client *client, struct frame *frame)
{
    uint32_t at = (client->queue_begin + client->queue_count++) % client->slots_wished;
    client->queue[at] = (uint16_t)(frame - client->frames);
    frame->state = FRAME_QUEUED;
}

void frames_queue(struct otpring_client *client, struct frame *frame)
{
    if (!frame->sent) {
        frame->state = FRAME_DONE;
        if (!frame->blocking) push_done(client, frame);
        return;
    }
    frame->size = (uint32_t)sizeof(struct otpring_wire_header) + frame->items_size;
    put_header(client, frame);
    client->in_flight++;
    push_queue(client, frame);
}

static int by_ticket(const void *a, const void *b, void *context)
{
    const struct frame *frames = context;
    int64_t x = frames[*(const uint16_t *)a].ticket, y = frames[*(const uint16_t *)b].ticket;
    return (x > y) - (x < y);
}

void frames_queue_again(struct otpring_client *client)
{
    client->queue_begin = client->queue_count = client->sent_offset = 0;
    for (uint32_t i = 0; i < client->slots_wished; i++) {
        struct frame *frame = &client->frames[i];
        if (frame->state == FRAME_QUEUED || frame->state == FRAME_SENT) push_queue(client, frame);
    }
    /* The daemon judges in the order of arrival, and the caller meant the order of submission. */
    qsort_r(client->queue, client->queue_count, sizeof *client->queue, by_ticket, client->frames);
}

void frames_void(struct otpring_client *client)
{
    for (uint32_t i = 0; i < client->slots_wished; i++) {
        struct frame *frame = &client->frames[i];
        if (frame->state != FRAME_QUEUED && frame->state != FRAME_SENT) continue;
        frames_release(client, frame);
    }
    client->queue_begin = client->queue_count = client->sent_offset = 0;
    client->in_flight = 0;
}

void frames_finish(struct otpring_client *client, struct frame *frame)
{
    explicit_bzero(frame->bytes, frame->size);
    frame->size = 0;
    frame->state = FRAME_DONE;
    client->in_flight--;
    if (!frame->blocking) push_done(client, frame);
}

struct frame *frames_next_done(struct otpring_client *client)
{
    if (!client->done_count) return NULL;
    struct frame *frame = &client->frames[client->done[client->done_begin]];
    client->done_begin = (client->done_begin + 1) % client->slots_wished;
    client->done_count--;
    return frame;
}

void frames_release(struct otpring_client *client, struct frame *frame)
{
    if (frame->size) explicit_bzero(frame->bytes, frame->size);
    frame->size = 0;
    frame->state = FRAME_FREE;
    frame->blocking = frame->abandoned = false;
    uint32_t slot = (uint32_t)(frame - client->frames);
    if (slot < client->slots) client->free_slots[client->free_count++] = (uint16_t)slot;
}

size_t frames_copy_answers(const struct frame *frame, struct otpring_answer *ret_answers, size_t capacity)
{
    size_t count = frame->asked < capacity ? frame->asked : capacity;
    for (size_t i = 0; i < count; i++) {
        size_t place = frame->placed ? frame->places[i] : i;
        if (place == PLACE_MALFORMED) {
            ret_answers[i] = (struct otpring_answer){.verdict = OTPRING_MALFORMED, .reason = OTPRING_REASON_CODE_RANGE};
            continue;
        }
        const struct otpring_wire_answer *answer = &frame->answers[place];
        ret_answers[i] = (struct otpring_answer){
            .verdict = answer->verdict,
            .reason = answer->reason,
            .retry_after_s = le32toh(answer->retry_after_s),
            .record = le64toh(answer->record),
        };
    }
    return count;
}
