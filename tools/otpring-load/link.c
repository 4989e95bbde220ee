#include "link.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "admin_socket/admin_socket.h"

enum {
    HEADER_SIZE = sizeof(struct otpring_wire_header),
    PIECES_MAX = 64,
    RECEIVE_SIZE_MAX = 1 << 20,
    RECEIVE_SIZE_MIN = 16 << 10,
    HELLO_TIMEOUT_S = 30,
    HELLO_RETRIES_MAX =
        100, /* where the daemon is at its limit of sessions: those of the run before are given up soon */
    HELLO_RETRY_NS = 100 * 1000 * 1000,
    RETRY_NS = 20 * 1000 * 1000,
};

static void give_up(struct link *link, const char *what, const char *why)
{
    if (!link->error[0]) snprintf(link->error, sizeof link->error, "%s: %s", what, why);
}

static void lose(struct link *link)
{
    if (link->fd >= 0) close(link->fd);
    link->fd = -1;
    link->received_size = 0;
    link->blocked = false;
}

static struct otpring_wire_header *header_of(const struct link *link, uint32_t slot)
{
    return (void *)(link->frames + slot * link->stride);
}

/* All of it. The kernel may end a call on a socket with a time limit early, for what a ring of the same thread has left
 * to do, as well as for a signal. */
static bool receive_all(const struct link *link, void *bytes, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t part = recv(link->fd, (char *)bytes + have, size - have, MSG_WAITALL);
        if (part < 0 && errno == EINTR) continue;
        if (part <= 0) return false;
        have += (size_t)part;
    }
    return true;
}

static bool exchange_hello(struct link *link, struct otpring_wire_hello_answer *ret_answer)
{
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello hello;
    } frame = {.header = {.size = htole32(sizeof frame), .kind = htole16(OTPRING_WIRE_HELLO)},
               .hello = {.version_min = htole16(OTPRING_WIRE_VERSION),
                         .version_max = htole16(OTPRING_WIRE_VERSION),
                         .slots = htole16((uint16_t)link->slot_count),
                         .items_max = htole16((uint16_t)link->items_max),
                         .session = htole64(link->session)}};
    struct otpring_wire_header header;
    ssize_t sent;
    do {
        sent = send(link->fd, &frame, sizeof frame, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent != sizeof frame || !receive_all(link, &header, sizeof header)) return false;
    if (le16toh(header.kind) == OTPRING_WIRE_ERROR) {
        struct otpring_wire_error error;
        char text[64];
        if (!receive_all(link, &error, sizeof error)) return false;
        link->limited = le16toh(error.code) == OTPRING_ERROR_LIMIT;
        snprintf(text, sizeof text, "the daemon answers hello with error %u", le16toh(error.code));
        if (!link->limited) give_up(link, link->path, text);
        return false;
    }
    if (le16toh(header.kind) != OTPRING_WIRE_HELLO_ANSWER || le32toh(header.size) != HEADER_SIZE + sizeof *ret_answer) {
        give_up(link, link->path, "no hello answer");
        return false;
    }
    return receive_all(link, ret_answer, sizeof *ret_answer);
}

/* Connects and says hello; false: lost again, or given up. */
static bool begin(struct link *link)
{
    struct otpring_wire_hello_answer answer;
    link->fd = admin_socket_connect(link->path, HELLO_TIMEOUT_S);
    if (link->fd < 0 || !exchange_hello(link, &answer)) {
        lose(link);
        return false;
    }
    if (link->session && !le16toh(answer.resumed) && !link->number) {
        /* A kept session that has expired: nothing was unanswered, so a new one is as good. */
        for (uint32_t i = 0; i < link->slot_count; i++) link->slots[i].sequence = 0;
    } else if (link->session && !le16toh(answer.resumed)) {
        give_up(link, link->path, "the session is gone; what was unanswered is undecided");
    } else if (le16toh(answer.slots) < link->slot_count || le16toh(answer.items_max) < link->items_max) {
        give_up(link, link->path, "fewer slots or items a frame are granted than the load needs");
    }
    link->session = le64toh(answer.session);
    return !link->error[0];
}

int link_open(struct link *link, const char *path, uint32_t slot_count, uint32_t items_max,
              const struct link_kept *kept, struct room *room)
{
    *link = (struct link){.fd = -1, .path = path, .slot_count = slot_count, .items_max = items_max};
    uint64_t answer_size = HEADER_SIZE + (uint64_t)items_max * sizeof(struct otpring_wire_answer);
    uint64_t receive_size = answer_size * slot_count;
    if (receive_size > RECEIVE_SIZE_MAX) receive_size = RECEIVE_SIZE_MAX;
    if (receive_size < RECEIVE_SIZE_MIN) receive_size = RECEIVE_SIZE_MIN;
    link->received_capacity = (uint32_t)receive_size;
    link->stride = HEADER_SIZE + (size_t)items_max * sizeof(struct otpring_wire_query);
    link->frames = room_take(room, slot_count, link->stride);
    link->slots = room_take(room, slot_count, sizeof *link->slots);
    link->free_ring = room_take(room, slot_count, sizeof *link->free_ring);
    link->queue = room_take(room, slot_count, sizeof *link->queue);
    link->received = room_take(room, link->received_capacity, 1);
    if (!link->frames || !link->slots || !link->free_ring || !link->queue || !link->received) {
        give_up(link, "otpring-load", "not enough memory");
        return -1;
    }
    link->free_count = slot_count;
    for (uint32_t i = 0; i < slot_count; i++) link->free_ring[i] = i;
    if (kept->session && kept->slot_count == slot_count && kept->items_max == items_max) {
        link->session = kept->session;
        for (uint32_t i = 0; i < slot_count; i++) link->slots[i].sequence = kept->sequences[i];
    }
    const struct timespec pause = {.tv_nsec = HELLO_RETRY_NS};
    for (int i = 0; i < HELLO_RETRIES_MAX; i++) {
        link->limited = false;
        if (begin(link)) return 0;
        if (!link->limited) break;
        nanosleep(&pause, NULL);
    }
    give_up(link, path, link->limited ? "no session or connection is free" : strerror(errno));
    return -1;
}

void link_forget(struct link_kept *kept)
{
    free(kept->sequences);
    *kept = (struct link_kept){0};
}

void link_close(struct link *link, struct link_kept *ret_kept)
{
    if (ret_kept) {
        link_forget(ret_kept);
        bool whole = link->session && link->free_count == link->slot_count && !link->error[0];
        uint32_t *sequences = whole ? calloc(link->slot_count, sizeof *sequences) : NULL;
        for (uint32_t i = 0; sequences && i < link->slot_count; i++) sequences[i] = link->slots[i].sequence;
        if (sequences) *ret_kept = (struct link_kept){link->session, link->slot_count, link->items_max, sequences};
    }
    lose(link);
    *link = (struct link){.fd = -1};
}

struct otpring_wire_query *link_begin(struct link *link, uint32_t *ret_slot)
{
    if (!link->free_count) return NULL;
    *ret_slot = link->free_ring[link->free_begin];
    return (void *)(header_of(link, *ret_slot) + 1);
}

static void enqueue(struct link *link, uint32_t slot)
{
    uint32_t at = link->queue_begin + link->queue_count++;
    link->queue[at < link->slot_count ? at : at - link->slot_count] = slot;
    link->slots[slot].state = LINK_QUEUED;
}

void link_queue(struct link *link, uint32_t count)
{
    uint32_t number = link->free_ring[link->free_begin];
    struct link_slot *slot = &link->slots[number];
    if (++link->free_begin == link->slot_count) link->free_begin = 0;
    link->free_count--;
    slot->sequence++;
    slot->count = count;
    slot->size = HEADER_SIZE + count * (uint32_t)sizeof(struct otpring_wire_query);
    slot->number = link->number++;
    *header_of(link, number) = (struct otpring_wire_header){.size = htole32(slot->size),
                                                            .kind = htole16(OTPRING_WIRE_VERIFY),
                                                            .count = htole16((uint16_t)count),
                                                            .tag = htole64(number),
                                                            .session = htole64(link->session),
                                                            .sequence = htole32(slot->sequence),
                                                            .slot = htole16((uint16_t)number)};
    enqueue(link, number);
}

/* Frames of neighbouring slots are one piece. */
static int gather(const struct link *link, struct iovec pieces[PIECES_MAX], size_t *ret_size)
{
    int count = 0;
    *ret_size = 0;
    for (uint32_t i = 0; i < link->queue_count; i++) {
        uint32_t at = link->queue_begin + i, slot = link->queue[at < link->slot_count ? at : at - link->slot_count];
        uint32_t offset = i ? 0 : link->sent_offset, size = link->slots[slot].size - offset;
        uint8_t *bytes = link->frames + slot * link->stride + offset;
        if (count && (uint8_t *)pieces[count - 1].iov_base + pieces[count - 1].iov_len == bytes) {
            pieces[count - 1].iov_len += size;
        } else {
            if (count == PIECES_MAX) break;
            pieces[count++] = (struct iovec){bytes, size};
        }
        *ret_size += size;
    }
    return count;
}

static void departed(struct link *link, size_t size)
{
    while (size) {
        uint32_t slot = link->queue[link->queue_begin], left = link->slots[slot].size - link->sent_offset;
        if (size < left) {
            link->sent_offset += (uint32_t)size;
            return;
        }
        size -= left;
        link->sent_offset = 0;
        link->slots[slot].state = LINK_SENT;
        if (++link->queue_begin == link->slot_count) link->queue_begin = 0;
        link->queue_count--;
    }
}

void link_send(struct link *link)
{
    while (link->queue_count && link->fd >= 0) {
        struct iovec pieces[PIECES_MAX];
        size_t size;
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)gather(link, pieces, &size)};
        ssize_t sent = sendmsg(link->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        link->blocked = sent < 0 && errno == EAGAIN;
        if (link->blocked) return;
        if (sent < 0) {
            lose(link);
            return;
        }
        departed(link, (size_t)sent);
    }
    link->blocked = false;
}

/* False: the link is lost, or given up. */
static bool take_frame(struct link *link, const uint8_t *bytes, link_answered *answered, void *context)
{
    struct otpring_wire_header header;
    memcpy(&header, bytes, sizeof header);
    uint64_t number = le64toh(header.tag);
    uint32_t count = le16toh(header.count);
    if (le16toh(header.kind) != OTPRING_WIRE_VERIFY_ANSWER) {
        char text[64];
        uint16_t code;
        memcpy(&code, bytes + HEADER_SIZE, sizeof code);
        snprintf(text, sizeof text, "a frame of kind %u (error %u)", le16toh(header.kind), le16toh(code));
        give_up(link, link->path, text);
        return false;
    }
    struct link_slot *slot = number < link->slot_count ? &link->slots[number] : NULL;
    if (!slot || slot->state != LINK_SENT || le32toh(header.sequence) != slot->sequence || count != slot->count) {
        give_up(link, link->path, "an answer to nothing that was asked");
        return false;
    }
    answered(context, (uint32_t)number, (const void *)(bytes + HEADER_SIZE), count);
    slot->state = LINK_FREE;
    uint32_t at = link->free_begin + link->free_count++;
    link->free_ring[at < link->slot_count ? at : at - link->slot_count] = (uint32_t)number;
    return true;
}

static void take_frames(struct link *link, link_answered *answered, void *context)
{
    uint32_t at = 0;
    while (link->received_size - at >= HEADER_SIZE) {
        uint32_t size;
        memcpy(&size, link->received + at, sizeof size);
        size = le32toh(size);
        if (size < HEADER_SIZE || size > link->received_capacity) {
            give_up(link, link->path, "an answer of impossible size");
            return;
        }
        if (link->received_size - at < size) break;
        if (!take_frame(link, link->received + at, answered, context)) return;
        at += size;
    }
    link->received_size -= at;
    if (at && link->received_size) memmove(link->received, link->received + at, link->received_size);
}

bool link_receive(struct link *link, link_answered *answered, void *context)
{
    if (link->fd < 0 || link->error[0]) return false;
    size_t room = link->received_capacity - link->received_size;
    ssize_t got = recv(link->fd, link->received + link->received_size, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return errno == EINTR;
    if (got <= 0) {
        lose(link);
        return false;
    }
    link->received_size += (uint32_t)got;
    take_frames(link, answered, context);
    /* A short read has emptied the socket, as far as can be known without asking again. */
    return (size_t)got == room && !link->error[0];
}

static void queue_again(struct link *link)
{
    link->queue_begin = link->queue_count = link->sent_offset = 0;
    for (uint32_t i = 0; i < link->slot_count; i++) {
        if (link->slots[i].state == LINK_FREE) continue;
        enqueue(link, i);
        /* In the order of the first sending: few lie in flight, and this is rare. */
        for (uint32_t k = link->queue_count - 1; k && link->slots[link->queue[k - 1]].number > link->slots[i].number;
             k--) {
            link->queue[k] = link->queue[k - 1];
            link->queue[k - 1] = i;
        }
    }
}

void link_again(struct link *link, uint64_t now_ns)
{
    if (link->fd >= 0 || link->error[0] || now_ns < link->retry_at_ns) return;
    link->retry_at_ns = now_ns + RETRY_NS;
    if (begin(link)) queue_again(link);
}
