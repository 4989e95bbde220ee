/* libotpring against a hostile daemon: whatever bytes come back, no code is taken for accepted without an answer to its
 * own frame, nothing crashes, nothing hangs. The input: byte 0 says how many frames are in flight and whether hello is
 * done, byte 1 in which pieces the rest arrives. Where the rest holds the byte pair 0xf5 N, the well-formed answer to
 * frame N is put in its place, so that the fuzzer gets past the tag. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/internal.h"

enum { FRAMES = 4, ITEMS = 2, SESSION = 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t put_answer(struct otpring_client *client, unsigned index, uint8_t *to)
{
    const struct frame *frame = &client->frames[index % FRAMES];
    struct otpring_wire_header header = {.size = 32 + 16 * ITEMS,
                                         .kind = OTPRING_WIRE_VERIFY_ANSWER,
                                         .count = ITEMS,
                                         .tag = (uint64_t)frame->ticket,
                                         .session = SESSION,
                                         .sequence = frame->sequence,
                                         .slot = (uint16_t)(index % FRAMES)};
    memcpy(to, &header, sizeof header);
    memset(to + 32, 0, 16 * ITEMS);
    for (int i = 0; i < ITEMS; i++) to[32 + 16 * i] = 1 + index % 9;
    return header.size;
}

static size_t compose(struct otpring_client *client, const uint8_t *data, size_t size, uint8_t *ret_bytes,
                      size_t capacity)
{
    size_t used = 0;
    for (size_t i = 0; i < size && used + 64 <= capacity; i++) {
        if (data[i] == 0xf5 && i + 1 < size) {
            used += put_answer(client, data[++i], ret_bytes + used);
        } else {
            ret_bytes[used++] = data[i];
        }
    }
    return used;
}

static void drain(struct otpring_client *client)
{
    const void *answers;
    size_t count;
    for (int i = 0; i < 2 * FRAMES && client->fd >= 0; i++) {
        int64_t ticket = otpring_poll_wire(client, 0, &answers, &count);
        if (ticket > 0 && count != ITEMS) abort();
        if (ticket <= 0) break;
        for (size_t at = 0; at < count; at++) {
            const struct otpring_wire_answer *answer = (const struct otpring_wire_answer *)answers + at;
            if (answer->verdict < 1 || answer->verdict > 9) abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 4096) return 0;
    struct otpring_options options = {.socket_path = "/nonexistent/socket", .slots = FRAMES, .items_max = ITEMS};
    struct otpring_client *client;
    int pair[2];
    uint8_t bytes[16384];
    struct otpring_wire_query queries[ITEMS] = {0};
    if (otpring_open(&options, &client) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)) abort();
    client->fd = pair[0];
    client->link = data[0] & 8 ? LINK_HELLO : LINK_UP;
    client->session = SESSION;
    client->slots = FRAMES;
    client->items = ITEMS;
    frames_begin_session(client);
    for (int i = 0; i <= (data[0] & 3); i++) {
        if (otpring_submit_wire(client, queries, ITEMS) <= 0) abort();
    }
    drain(client);
    size_t count = compose(client, data + 2, size - 2, bytes, sizeof bytes), piece = data[1] ? data[1] : count;
    for (size_t at = 0; at < count && client->fd >= 0; at += piece) {
        size_t left = count - at < piece ? count - at : piece;
        if (send(pair[1], bytes + at, left, MSG_NOSIGNAL) < 0) break;
        drain(client);
    }
    close(pair[1]);
    drain(client);
    otpring_close(client);
    return 0;
}
