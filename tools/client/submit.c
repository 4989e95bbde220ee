/* Queries into frames. */
#include <endian.h>
#include <string.h>

#include "internal.h"

/* Exactly 6 to 8 ASCII digits; anything else is no spelling of a code. */
static bool parse_code(const char *text, uint32_t *ret_code, uint8_t *ret_digits)
{
    uint32_t code = 0;
    uint8_t digits = 0;
    if (!text) return false;
    for (; text[digits]; digits++) {
        if (digits == 8 || text[digits] < '0' || text[digits] > '9') return false;
        code = code * 10 + (uint32_t)(text[digits] - '0');
    }
    if (digits < 6) return false;
    *ret_code = code;
    *ret_digits = digits;
    return true;
}

static bool encode_query(const struct otpring_query *query, struct otpring_wire_pair *ret_pair)
{
    uint32_t code = 0, code_next = 0;
    uint8_t digits = 0, digits_next, name[16];
    if (query->required ? query->code != NULL : !parse_code(query->code, &code, &digits)) return false;
    if (query->code_next &&
        (query->required || !parse_code(query->code_next, &code_next, &digits_next) || digits_next != digits)) {
        return false;
    }
    otpring_name(query->company, query->user, name);
    *ret_pair = (struct otpring_wire_pair){
        .query = {.source = htole64(query->source),
                  .code = htole32(code),
                  .digits = digits,
                  .kind = query->required ? OTPRING_QUERY_REQUIRED : OTPRING_QUERY_CODE,
                  .source_class = query->source_known ? 1 : 0},
        .code_next = htole32(code_next),
    };
    memcpy(ret_pair->query.company, name, 8);
    memcpy(ret_pair->query.account, name + 8, 8);
    return true;
}

int client_encode(struct otpring_client *client, struct frame *frame, const void *any_queries, size_t count)
{
    const struct otpring_query *queries = any_queries;
    bool pairs = queries[0].code_next != NULL;
    size_t item_size = pairs ? sizeof(struct otpring_wire_pair) : sizeof(struct otpring_wire_query);
    uint8_t *items = frame->bytes + sizeof(struct otpring_wire_header);
    frame->kind = pairs ? OTPRING_WIRE_RESYNC : OTPRING_WIRE_VERIFY;
    frame->asked = (uint16_t)count;
    frame->sent = 0;
    frame->placed = true;
    for (size_t i = 0; i < count; i++) {
        struct otpring_wire_pair pair;
        if (!queries[i].company || !queries[i].user || (queries[i].code_next != NULL) != pairs) {
            explicit_bzero(items, frame->sent * item_size);
            return client_error(client, OTPRING_E_ARGUMENT, "query %zu lacks a name, or mixes the two kinds", i);
        }
        if (!encode_query(&queries[i], &pair)) {
            frame->places[i] = PLACE_MALFORMED;
            continue;
        }
        memcpy(items + frame->sent * item_size, &pair, item_size);
        explicit_bzero(&pair, sizeof pair);
        frame->places[i] = frame->sent++;
    }
    frame->items_size = (uint32_t)(frame->sent * item_size);
    return 0;
}

/* A session that was idle for half its life may be gone before the next frame reaches it; then nobody could say what
 * became of the frame. While nothing is unanswered a fresh hello costs nothing, so say it. */
static void refresh_session(struct otpring_client *client)
{
    if (client->link != LINK_UP || client->in_flight || !client->idle_timeout_s) return;
    if (client_now_ms() - client->last_heard_ms < client->idle_timeout_s * UINT64_C(500)) return;
    client_disconnect(client);
    client->retry_at_ms = 0;
}

int client_prepare(struct otpring_client *client, uint64_t deadline_ms)
{
    int error = client->pending_error;
    client->pending_error = 0;
    if (error) return error;
    frames_expire(client);
    refresh_session(client);
    /* While a session is known frames are queued even when the connection is down; without one nothing can be numbered.
     */
    if (client->session) return 0;
    error = client_connect(client, deadline_ms);
    client->pending_error = 0; /* told by this call */
    return error;
}

static int begin_submit(struct otpring_client *client, const void *queries, size_t count, struct frame **ret_frame)
{
    if (!client || !queries || !count) return OTPRING_E_ARGUMENT;
    int error = client_prepare(client, client_now_ms() + client->timeout_ms);
    if (error) return error;
    if (count > client->items) {
        client_error(client, OTPRING_E_ARGUMENT, "%zu queries, %u are granted", count, client->items);
        return OTPRING_E_ARGUMENT;
    }
    *ret_frame = frames_take(client);
    if (*ret_frame) return 0;
    client_error(client, OTPRING_E_FULL, "%u slots", client->slots);
    return OTPRING_E_FULL;
}

int64_t client_submit(struct otpring_client *client, client_encode_function *encode, const void *queries, size_t count)
{
    struct frame *frame;
    int error = begin_submit(client, queries, count, &frame);
    if (error) return error;
    error = encode(client, frame, queries, count);
    if (error) {
        frames_release(client, frame);
        return error;
    }
    int64_t ticket = frame->ticket;
    frames_queue(client, frame);
    return ticket;
}

PUBLIC int64_t otpring_submit(struct otpring_client *client, const struct otpring_query *queries, size_t count)
{
    return client_submit(client, client_encode, queries, count);
}

PUBLIC int64_t otpring_submit_wire(struct otpring_client *client, const void *wire_queries, size_t count)
{
    struct frame *frame;
    int error = begin_submit(client, wire_queries, count, &frame);
    if (error) return error;
    memcpy(frame->bytes + sizeof(struct otpring_wire_header), wire_queries, count * sizeof(struct otpring_wire_query));
    frame->kind = OTPRING_WIRE_VERIFY;
    frame->asked = frame->sent = (uint16_t)count;
    frame->items_size = (uint32_t)(count * sizeof(struct otpring_wire_query));
    int64_t ticket = frame->ticket;
    frames_queue(client, frame);
    return ticket;
}
