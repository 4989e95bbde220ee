/* What the daemon sends: hello answers, answers, error frames. Its bytes are checked before anything is done with them.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

enum { HEADER_SIZE = sizeof(struct otpring_wire_header) };

/* The connection and the session are given up; what was unanswered is undecided. */
static int fault(struct otpring_client *client, int error)
{
    frames_void(client);
    client->session = 0;
    client_disconnect(client);
    client->pending_error = error;
    return error;
}

static struct otpring_wire_header decode_header(const uint8_t *bytes)
{
    struct otpring_wire_header header;
    memcpy(&header, bytes, sizeof header);
    header.size = le32toh(header.size);
    header.kind = le16toh(header.kind);
    header.count = le16toh(header.count);
    header.tag = le64toh(header.tag);
    header.session = le64toh(header.session);
    header.sequence = le32toh(header.sequence);
    header.slot = le16toh(header.slot);
    return header;
}

static int take_hello_answer(struct otpring_client *client, const uint8_t *body)
{
    struct otpring_wire_hello_answer answer;
    memcpy(&answer, body, sizeof answer);
    uint32_t slots = le16toh(answer.slots), items = le16toh(answer.items_max);
    uint64_t session = le64toh(answer.session);
    bool resumed = le16toh(answer.resumed);
    if (le16toh(answer.version) != OTPRING_WIRE_VERSION || !session || slots < 1 || slots > client->slots_wished ||
        items < 1 || items > client->items_wished || (resumed && session != client->session)) {
        client_error(client, OTPRING_E_PROTOCOL, "the hello answer grants what was not asked for");
        return fault(client, OTPRING_E_PROTOCOL);
    }
    client->link = LINK_UP;
    client->idle_timeout_s = le32toh(answer.idle_timeout_s);
    client->had_session = true;
    if (resumed) {
        if (slots < client->slots || items < client->items) {
            client_error(client, OTPRING_E_PROTOCOL, "the resumed session grants less than before");
            return fault(client, OTPRING_E_PROTOCOL);
        }
        return 0;
    }
    client->session = session;
    client->slots = slots;
    client->items = items;
    if (!frames_begin_session(client)) return 0;
    client->pending_error = client_error(client, OTPRING_E_SESSION, "the daemon began a new one");
    return client->pending_error;
}

static int take_error(struct otpring_client *client, const uint8_t *body)
{
    static const char *const names[] = {
        "no error", "SIZE",    "KIND", "VERSION",  "RESERVED",        "NO_HELLO", "TOO_MANY",
        "NO_RIGHT", "SESSION", "SLOT", "SEQUENCE", "CHANGED_CONTENT", "LIMIT",    "TIMEOUT",
    };
    struct otpring_wire_error error;
    memcpy(&error, body, sizeof error);
    unsigned code = le16toh(error.code);
    const char *name = code < sizeof names / sizeof names[0] ? names[code] : "unknown error";
    int kind = code == OTPRING_ERROR_SESSION                               ? OTPRING_E_SESSION
               : code == OTPRING_ERROR_LIMIT && client->link == LINK_HELLO ? OTPRING_E_CONNECT
                                                                           : OTPRING_E_PROTOCOL;
    client_error(client, kind, "the daemon says %s (%u) about a frame of kind %u at byte %u", name, code,
                 le16toh(error.kind), le32toh(error.offset));
    if (code == OTPRING_ERROR_TIMEOUT || kind == OTPRING_E_CONNECT) {
        /* Nothing is wrong with our frames: they go again. */
        client_disconnect(client);
        errno = EBUSY;
        return kind == OTPRING_E_CONNECT ? kind : 0;
    }
    return fault(client, kind);
}

static int take_answer(struct otpring_client *client, const struct otpring_wire_header *header, const uint8_t *body)
{
    uint64_t slot = header->tag & (OTPRING_WIRE_SLOTS_MAX - 1);
    struct frame *frame = slot < client->slots ? &client->frames[slot] : NULL;
    if (!frame || frame->state != FRAME_SENT || (uint64_t)frame->ticket != header->tag ||
        header->kind != frame->kind + 1 || header->count != frame->sent || header->slot != slot ||
        header->sequence != frame->sequence || header->session != client->session) {
        client_error(client, OTPRING_E_PROTOCOL, "an answer to nothing that was asked (tag %llx)",
                     (unsigned long long)header->tag);
        return fault(client, OTPRING_E_PROTOCOL);
    }
    const struct otpring_wire_answer *answers = (const void *)body;
    for (uint32_t i = 0; i < header->count; i++) {
        if (answers[i].verdict < OTPRING_ACCEPTED || answers[i].verdict >= OTPRING_VERDICT_COUNT ||
            answers[i].reserved) {
            client_error(client, OTPRING_E_PROTOCOL, "an answer with verdict %u", answers[i].verdict);
            return fault(client, OTPRING_E_PROTOCOL);
        }
    }
    memcpy(frame->answers, body, header->count * sizeof *answers);
    frames_finish(client, frame);
    client->retry_delay_ms = 0;
    return 0;
}

/* The size that kind and count ask for; 0: no such frame comes from a daemon now. */
static size_t expected_size(const struct otpring_client *client, const struct otpring_wire_header *header)
{
    bool up = client->link == LINK_UP;
    if (header->reserved) return 0;
    if (header->kind == OTPRING_WIRE_ERROR && !header->count) return HEADER_SIZE + sizeof(struct otpring_wire_error);
    if (header->kind == OTPRING_WIRE_HELLO_ANSWER && !up && !header->count) {
        return HEADER_SIZE + sizeof(struct otpring_wire_hello_answer);
    }
    bool answer = header->kind == OTPRING_WIRE_VERIFY_ANSWER || header->kind == OTPRING_WIRE_RESYNC_ANSWER ||
                  header->kind == OTPRING_WIRE_OCRA_ANSWER;
    if (answer && up && header->count >= 1 && header->count <= client->items) {
        return HEADER_SIZE + header->count * sizeof(struct otpring_wire_answer);
    }
    return 0;
}

static int take_frames(struct otpring_client *client)
{
    size_t at = 0;
    while (client->received_size - at >= HEADER_SIZE) {
        const uint8_t *bytes = client->received + at;
        struct otpring_wire_header header = decode_header(bytes);
        size_t size = expected_size(client, &header);
        if (!size || header.size != size) {
            client_error(client, OTPRING_E_PROTOCOL, "a frame of kind %u, count %u and size %u", header.kind,
                         header.count, header.size);
            return fault(client, OTPRING_E_PROTOCOL);
        }
        if (client->received_size - at < size) break;
        int error = header.kind == OTPRING_WIRE_ERROR          ? take_error(client, bytes + HEADER_SIZE)
                    : header.kind == OTPRING_WIRE_HELLO_ANSWER ? take_hello_answer(client, bytes + HEADER_SIZE)
                                                               : take_answer(client, &header, bytes + HEADER_SIZE);
        if (client->fd < 0) return error; /* closed on the way; the buffer is empty */
        at += size;
        if (error) {
            client->received_size -= at;
            memmove(client->received, client->received + at, client->received_size);
            return error;
        }
    }
    client->received_size -= at;
    if (at) memmove(client->received, client->received + at, client->received_size);
    return 0;
}

int client_receive(struct otpring_client *client, bool *ret_closed)
{
    for (;;) {
        size_t room = client->received_capacity - client->received_size;
        ssize_t got = recv(client->fd, client->received + client->received_size, room, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
        if (got <= 0) {
            *ret_closed = true;
            return 0;
        }
        client->received_size += (size_t)got;
        client->last_heard_ms = client_now_ms();
        int error = take_frames(client);
        if (error || client->fd < 0) return error;
        /* A short read has emptied the socket, as far as can be known without asking again. */
        if ((size_t)got < room) return 0;
    }
}
