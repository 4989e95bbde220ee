/* The handlers of the frame kinds that every verify.sock and admin.sock serves. */
#include <stdlib.h>

#include "base/check.h"
#include "os/arena.h"
#include "server/connection.h"
#include "server/kinds.h"

#include <string.h>

enum { SLOTS_DEFAULT = 16 };

static enum server_taken fault_at(struct wire_fault *ret_fault, uint16_t code, const struct wire_frame *frame,
                                  uint32_t offset)
{
    *ret_fault = (struct wire_fault){.code = code, .kind = frame->header.kind, .offset = offset};
    return SERVER_FAULT;
}

/* Where in the frame the fault that core found stands. */
static uint32_t offset_of(enum otpring_wire_error_code code)
{
    switch (code) {
    case OTPRING_ERROR_SESSION:
        return 16;
    case OTPRING_ERROR_SEQUENCE:
        return 24;
    case OTPRING_ERROR_SLOT:
        return 28;
    case OTPRING_ERROR_CHANGED_CONTENT:
        return 32;
    case OTPRING_ERROR_TOO_MANY:
        return 6;
    default:
        return 0;
    }
}

static uint32_t kinds_for(const struct server_worker *worker, const struct core_client *client)
{
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < SERVER_KIND_MAX; i++) {
        const struct server_kind *kind = worker->kinds[i];
        if (kind && (!kind->right || (client && client->rights & kind->right))) kinds |= 1U << i;
    }
    return kinds;
}

static void greet(struct connection *connection, const struct otpring_wire_hello_answer *answer)
{
    uint8_t bytes[WIRE_HELLO_ANSWER_SIZE];
    struct otpring_wire_hello_answer hello = *answer;
    hello.kinds = kinds_for(connection->worker, connection->client);
    connection->hello_pending = false;
    connection->hello_done = true;
    connection->session = hello.session;
    connection->slots = hello.slots;
    connection->items_max = hello.items_max;
    connection_answer(connection, bytes, (uint32_t)wire_put_hello_answer(bytes, connection->hello_tag, &hello));
}

void server_hello_answered(void *context, const struct core_hello_answer *answer)
{
    struct connection *connection = connection_of(context, answer->owner);
    if (!connection) return;
    if (answer->error) {
        connection->hello_pending = false;
        output_unreserve(&connection->worker->output_pool, &connection->output, WIRE_HELLO_ANSWER_SIZE);
        struct wire_fault fault = {.code = (uint16_t)answer->error,
                                   .kind = OTPRING_WIRE_HELLO,
                                   .offset = answer->error == OTPRING_ERROR_SESSION ? 40 : 0};
        connection_end(connection, connection->hello_tag, &fault);
        connection_list(connection, LIST_FLUSH);
        return;
    }
    greet(connection, &answer->hello);
    connection_list(connection, LIST_READY);
}

/* What both sockets do with a HELLO before they differ. */
static enum server_taken hello_begin(struct connection *connection, const struct wire_frame *frame,
                                     struct otpring_wire_hello *ret_hello, struct wire_fault *ret_fault)
{
    if (connection->hello_done) return fault_at(ret_fault, OTPRING_ERROR_KIND, frame, 4);
    if (!wire_check_hello(wire_body(frame), ret_hello, ret_fault)) return SERVER_FAULT;
    enum server_taken room = connection_reserve(connection, WIRE_HELLO_ANSWER_SIZE);
    if (room == SERVER_TAKEN) connection->hello_tag = frame->header.tag;
    return room;
}

static enum server_taken take_hello(struct server_worker *worker, struct connection *connection,
                                    const struct wire_frame *frame, struct wire_fault *ret_fault)
{
    if (worker->core_full) return SERVER_LATER;
    struct otpring_wire_hello hello;
    enum server_taken begun = hello_begin(connection, frame, &hello, ret_fault);
    if (begun != SERVER_TAKEN) return begun;
    connection->hello_pending = true;
    switch (core_hello(worker->core_worker, &hello, connection->client, connection_owner(connection))) {
    case CORE_TAKEN:
        worker->offered = true;
        return SERVER_TAKEN;
    case CORE_ANSWERED:
        return SERVER_TAKEN;
    case CORE_FULL:
        break;
    default:
        CHECK(!"core_hello takes, answers or is full");
    }
    connection->hello_pending = false;
    output_unreserve(&worker->output_pool, &connection->output, WIRE_HELLO_ANSWER_SIZE);
    worker->core_full = true;
    return SERVER_LATER;
}

/* Without sessions: what is asked is told by its own name. */
enum server_taken server_take_ask_hello(struct server_worker *worker, struct connection *connection,
                                        const struct wire_frame *frame, struct wire_fault *ret_fault)
{
    struct otpring_wire_hello hello;
    enum server_taken begun = hello_begin(connection, frame, &hello, ret_fault);
    if (begun != SERVER_TAKEN) return begun;
    struct otpring_wire_hello_answer answer = {.version = OTPRING_WIRE_VERSION,
                                               .slots = hello.slots ? hello.slots : SLOTS_DEFAULT,
                                               .items_max = hello.items_max,
                                               .server_time_ms = (uint64_t)os_time(worker->os).wall_ms};
    if (answer.items_max == 0 || answer.items_max > OTPRING_WIRE_QUESTIONS_MAX)
        answer.items_max = OTPRING_WIRE_QUESTIONS_MAX;
    greet(connection, &answer);
    return SERVER_TAKEN;
}

static enum server_taken take_admin_hello(struct server_worker *worker, struct connection *connection,
                                          const struct wire_frame *frame, struct wire_fault *ret_fault)
{
    struct otpring_wire_hello hello;
    enum server_taken begun = hello_begin(connection, frame, &hello, ret_fault);
    if (begun != SERVER_TAKEN) return begun;
    struct otpring_wire_hello_answer answer = {.version = OTPRING_WIRE_VERSION,
                                               .slots = 1,
                                               .items_max = 1,
                                               .server_time_ms = (uint64_t)os_time(worker->os).wall_ms};
    greet(connection, &answer);
    return SERVER_TAKEN;
}

void server_answered(void *context, const struct core_answer *answer)
{
    struct connection *connection = connection_of(context, answer->owner);
    if (!connection) return;
    CHECK(answer->count == answer->header.count && connection->unanswered > 0);
    uint8_t aside[WIRE_HEADER_SIZE];
    uint32_t body_size = answer->count * (uint32_t)sizeof *answer->answers;
    connection->unanswered--;
    /* In place where it fits: what is put together aside cannot be copied before all earlier stores are through. */
    uint8_t *place = connection_answer_place(connection, WIRE_HEADER_SIZE + body_size);
    wire_put_answer_header(place ? place : aside, &answer->header, (uint16_t)answer->count, body_size);
    if (place) {
        memcpy(place + WIRE_HEADER_SIZE, answer->answers, body_size);
    } else {
        connection_answer(connection, aside, sizeof aside);
        connection_answer(connection, answer->answers, body_size);
    }
    connection_list(connection, LIST_READY);
}

static enum server_taken take_queries(struct server_worker *worker, struct connection *connection,
                                      const struct wire_frame *frame, struct wire_fault *ret_fault)
{
    const struct otpring_wire_header *header = &frame->header;
    if (header->count > connection->items_max) return fault_at(ret_fault, OTPRING_ERROR_TOO_MANY, frame, 6);
    if (header->session != connection->session) return fault_at(ret_fault, OTPRING_ERROR_SESSION, frame, 16);
    if (header->slot >= connection->slots) return fault_at(ret_fault, OTPRING_ERROR_SLOT, frame, 28);
    if (worker->core_full) return SERVER_LATER;
    uint32_t answer_size = WIRE_HEADER_SIZE + header->count * (uint32_t)sizeof(struct otpring_wire_answer);
    enum server_taken room = connection_reserve(connection, answer_size);
    if (room != SERVER_TAKEN) return room;

    /* The header is read in place too: the frame's bytes stay until core_turn, `frame` does not. */
    struct core_frame asked = {.header = (const struct otpring_wire_header *)(const void *)frame->bytes,
                               .items = wire_body(frame),
                               .client = connection->client,
                               .owner = connection_owner(connection)};
    enum otpring_wire_error_code error = 0;
    connection->unanswered++;
    switch (core_frame(worker->core_worker, &asked, &error)) {
    case CORE_TAKEN:
        worker->offered = true;
        return SERVER_TAKEN;
    case CORE_ANSWERED:
        return SERVER_TAKEN;
    case CORE_FULL:
        worker->core_full = true;
        break;
    case CORE_JOIN_LATER:
    case CORE_ERROR:
        break;
    }
    connection->unanswered--;
    output_unreserve(&worker->output_pool, &connection->output, answer_size);
    return error ? fault_at(ret_fault, (uint16_t)error, frame, offset_of(error)) : SERVER_LATER;
}

static enum server_taken take_ocra(struct server_worker *worker, struct connection *connection,
                                   const struct wire_frame *frame, struct wire_fault *ret_fault)
{
    if (!wire_check_ocra(wire_body(frame), frame->body_size, frame->header.count, ret_fault)) return SERVER_FAULT;
    return take_queries(worker, connection, frame, ret_fault);
}

enum server_taken server_take_ping(struct server_worker *worker, struct connection *connection,
                                   const struct wire_frame *frame, struct wire_fault *ret_fault)
{
    (void)worker;
    (void)ret_fault;
    enum server_taken room = connection_reserve(connection, WIRE_HEADER_SIZE);
    if (room != SERVER_TAKEN) return room;
    uint8_t pong[WIRE_HEADER_SIZE];
    connection_answer(connection, pong, (uint32_t)wire_put_answer_header(pong, &frame->header, 0, 0));
    return SERVER_TAKEN;
}

static enum server_taken take_admin(struct server_worker *worker, struct connection *connection,
                                    const struct wire_frame *frame, struct wire_fault *ret_fault)
{
    (void)ret_fault;
    enum server_taken room = connection_reserve(connection, OTPRING_WIRE_ADMIN_SIZE_MAX);
    if (room != SERVER_TAKEN) return room;
    uint32_t generation = connection->generation;
    uint32_t size =
        worker->options.admin(worker->options.admin_context, &connection->peer, wire_body(frame), frame->body_size,
                              worker->admin_answer, OTPRING_WIRE_ADMIN_SIZE_MAX - WIRE_HEADER_SIZE);
    CHECK(size <= OTPRING_WIRE_ADMIN_SIZE_MAX - WIRE_HEADER_SIZE);
    /* The handler may have stepped the ring, and the peer may have gone meanwhile. */
    if (connection->generation != generation || connection->state == CONNECTION_CLOSING) {
        secret_wipe(worker->admin_answer, size);
        return SERVER_TAKEN;
    }
    if (size) {
        uint8_t header[WIRE_HEADER_SIZE];
        wire_put_answer_header(header, &frame->header, 0, size);
        connection_answer(connection, header, sizeof header);
        connection_answer(connection, worker->admin_answer, size);
        secret_wipe(worker->admin_answer, size);
        size += WIRE_HEADER_SIZE;
    }
    output_unreserve(&worker->output_pool, &connection->output, OTPRING_WIRE_ADMIN_SIZE_MAX - size);
    if (!size) connection_end(connection, frame->header.tag, NULL);
    return SERVER_TAKEN;
}

const struct server_kind server_verify_kinds[] = {
    {.kind = OTPRING_WIRE_HELLO, .before_hello = true, .take = take_hello},
    {.kind = OTPRING_WIRE_VERIFY, .right = CORE_RIGHT_VERIFY, .take = take_queries},
    {.kind = OTPRING_WIRE_RESYNC, .right = CORE_RIGHT_VERIFY, .take = take_queries},
    {.kind = OTPRING_WIRE_OCRA, .right = CORE_RIGHT_VERIFY, .take = take_ocra},
    {.kind = OTPRING_WIRE_PING, .take = server_take_ping},
};
const uint32_t server_verify_kind_count = sizeof server_verify_kinds / sizeof server_verify_kinds[0];

const struct server_kind server_admin_kinds[] = {
    {.kind = OTPRING_WIRE_HELLO, .before_hello = true, .take = take_admin_hello},
    {.kind = OTPRING_WIRE_ADMIN, .take = take_admin},
    {.kind = OTPRING_WIRE_PING, .take = server_take_ping},
};
const uint32_t server_admin_kind_count = sizeof server_admin_kinds / sizeof server_admin_kinds[0];
