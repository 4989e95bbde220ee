/* libotpring's calls: open, close, verify, poll. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

PUBLIC int otpring_open(const struct otpring_options *options, struct otpring_client **ret_client)
{
    if (!options || !options->socket_path || !ret_client || options->slots > OTPRING_WIRE_SLOTS_MAX ||
        options->items_max > OTPRING_WIRE_ITEMS_MAX) {
        return OTPRING_E_ARGUMENT;
    }
    struct otpring_client *client = calloc(1, sizeof *client);
    if (!client) return OTPRING_E_MEMORY;
    size_t path_size = strlen(options->socket_path) + 1;
    if (path_size == 1 || path_size > sizeof client->address.sun_path) {
        free(client);
        return OTPRING_E_ARGUMENT;
    }
    client->address.sun_family = AF_UNIX;
    memcpy(client->address.sun_path, options->socket_path, path_size);
    client->slots_wished = options->slots ? options->slots : SLOTS_DEFAULT;
    client->items_wished = options->items_max ? options->items_max : ITEMS_DEFAULT;
    client->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_DEFAULT_MS;
    client->fd = -1;
    if (!client_memory_create(client)) {
        otpring_close(client);
        return OTPRING_E_MEMORY;
    }
    *ret_client = client;
    return 0;
}

PUBLIC void otpring_close(struct otpring_client *client)
{
    if (!client) return;
    if (client->memory && client->frames) client_disconnect(client);
    client_memory_destroy(client);
    free(client);
}

static bool digest_items(const struct frame *frame, uint8_t ret_digest[32])
{
    size_t size = frame->size - sizeof(struct otpring_wire_header);
    return EVP_Digest(frame->bytes + sizeof(struct otpring_wire_header), size, ret_digest, NULL, EVP_sha256(), NULL) ==
           1;
}

/* A call that timed out and is made again waits for the frame of the first: as a new frame its codes would be REPLAYED.
 * `fresh` holds the items and has not been queued. */
static struct frame *find_abandoned(struct otpring_client *client, struct frame *fresh)
{
    uint8_t digest[32];
    bool digested = false;
    for (uint32_t i = 0; i < client->slots_wished; i++) {
        struct frame *frame = &client->frames[i];
        if (!frame->abandoned || frame->state == FRAME_FREE) continue;
        if (frame->asked != fresh->asked || frame->sent != fresh->sent || frame->kind != fresh->kind) continue;
        if (memcmp(frame->places, fresh->places, fresh->asked * sizeof *fresh->places) != 0) continue;
        if (!digested && !digest_items(fresh, digest)) return NULL;
        digested = true;
        if (memcmp(frame->digest, digest, sizeof digest) == 0) return frame;
    }
    return NULL;
}

static struct frame *start_blocking(struct otpring_client *client, struct frame *fresh)
{
    fresh->size = (uint32_t)sizeof(struct otpring_wire_header) + fresh->items_size;
    struct frame *frame = fresh->sent ? find_abandoned(client, fresh) : NULL;
    if (frame) {
        frames_release(client, fresh);
        frame->abandoned = false;
        return frame;
    }
    fresh->blocking = true;
    frames_queue(client, fresh);
    return fresh;
}

static void give_up(struct otpring_client *client, struct frame *frame)
{
    if (frame->size && !digest_items(frame, frame->digest)) memset(frame->digest, 0, sizeof frame->digest);
    frame->abandoned = true;
    frame->abandoned_ms = client_now_ms();
    client_error(client, OTPRING_E_TIMEOUT, "after %u ms; the frame stays in flight", client->timeout_ms);
}

/* Until this frame is answered or void. */
static int await(struct otpring_client *client, struct frame *frame, uint64_t deadline_ms)
{
    int64_t ticket = frame->ticket;
    for (;;) {
        int error = client_pump(client);
        if (frame->ticket == ticket && frame->state == FRAME_DONE) return 0;
        if (frame->ticket != ticket || frame->state == FRAME_FREE) {
            error = client->pending_error;
            client->pending_error = 0;
            return error;
        }
        bool forbidden = error == OTPRING_E_CONNECT && (errno == EACCES || errno == EPERM);
        if (forbidden || client_now_ms() >= deadline_ms) {
            give_up(client, frame);
            return OTPRING_E_TIMEOUT;
        }
        client_wait(client, deadline_ms);
    }
}

/* A slot for a blocking call: when all are in flight, one becomes free in time or the call ends. */
static int await_slot(struct otpring_client *client, size_t count, uint64_t deadline_ms, struct frame **ret_frame)
{
    for (;;) {
        int error = client_prepare(client, deadline_ms);
        if (error) return error;
        if (count > client->items) {
            client_error(client, OTPRING_E_ARGUMENT, "%zu queries, %u are granted", count, client->items);
            return OTPRING_E_ARGUMENT;
        }
        *ret_frame = frames_take(client);
        if (*ret_frame) return 0;
        if (client->done_count || client_now_ms() >= deadline_ms) {
            client_error(client, OTPRING_E_FULL, "%u slots, %u tickets wait for otpring_poll", client->slots,
                         client->done_count);
            return OTPRING_E_FULL;
        }
        error = client_pump(client);
        if (error && error != OTPRING_E_CONNECT) return error;
        client_wait(client, deadline_ms);
    }
}

int client_verify(struct otpring_client *client, client_encode_function *encode, const void *queries, size_t count,
                  struct otpring_answer *ret_answers)
{
    if (!client || !queries || !count || !ret_answers) return OTPRING_E_ARGUMENT;
    for (size_t i = 0; i < count; i++) ret_answers[i] = (struct otpring_answer){.verdict = OTPRING_UNAVAILABLE};
    uint64_t deadline_ms = client_now_ms() + client->timeout_ms;
    struct frame *frame;
    int error = await_slot(client, count, deadline_ms, &frame);
    if (error) return error;
    error = encode(client, frame, queries, count);
    if (error) {
        frames_release(client, frame);
        return error;
    }
    frame = start_blocking(client, frame);
    error = await(client, frame, deadline_ms);
    if (error) return error;
    frames_copy_answers(frame, ret_answers, count);
    frames_release(client, frame);
    return 0;
}

PUBLIC int otpring_verify(struct otpring_client *client, const struct otpring_query *queries, size_t count,
                          struct otpring_answer *ret_answers)
{
    return client_verify(client, client_encode, queries, count, ret_answers);
}

/* The next finished frame, or NULL with *ret_result 0 or an error. */
static struct frame *poll_frame(struct otpring_client *client, int timeout_ms, int *ret_result)
{
    uint64_t deadline_ms = timeout_ms > 0 ? client_now_ms() + (uint64_t)timeout_ms : 0;
    for (;;) {
        struct frame *frame = frames_next_done(client);
        if (frame) return frame;
        *ret_result = client->pending_error;
        client->pending_error = 0;
        if (*ret_result) return NULL;
        /* Nothing is asked, but the end of the connection must be noticed, or its descriptor stays readable. */
        if (!client->in_flight && client->link == LINK_DOWN) return NULL;
        int error = client_pump(client);
        if (client->done_count || client->pending_error) continue;
        if (!client->in_flight || timeout_ms <= 0 || client_now_ms() >= deadline_ms) {
            *ret_result = error;
            return NULL;
        }
        client_wait(client, deadline_ms);
    }
}

PUBLIC int64_t otpring_poll(struct otpring_client *client, int timeout_ms, struct otpring_answer *ret_answers,
                            size_t count, size_t *ret_count)
{
    int result = 0;
    if (!client || (count && !ret_answers)) return OTPRING_E_ARGUMENT;
    struct frame *frame = poll_frame(client, timeout_ms, &result);
    if (!frame) return result;
    size_t copied = frames_copy_answers(frame, ret_answers, count);
    if (ret_count) *ret_count = copied;
    int64_t ticket = frame->ticket;
    frames_release(client, frame);
    return ticket;
}

PUBLIC int64_t otpring_poll_wire(struct otpring_client *client, int timeout_ms, const void **ret_answers,
                                 size_t *ret_count)
{
    int result = 0;
    if (!client || !ret_answers || !ret_count) return OTPRING_E_ARGUMENT;
    struct frame *frame = poll_frame(client, timeout_ms, &result);
    if (!frame) return result;
    /* The slot is free again, but its answers are overwritten by an answer only, and none is read before the next call.
     */
    *ret_answers = frame->answers;
    *ret_count = frame->sent;
    int64_t ticket = frame->ticket;
    frames_release(client, frame);
    return ticket;
}
