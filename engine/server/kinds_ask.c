/* The frame kinds of ask.sock: questions to devices. What they say is the handler's matter; here they are counted, have
 * room for their answers, and find their connection again. */
#include "base/check.h"
#include "server/connection.h"
#include "server/kinds.h"

static uint32_t answer_room(const struct server_worker *worker, uint16_t count)
{
    return WIRE_HEADER_SIZE + worker->options.question_answer_max(count);
}

static enum server_taken take_question(struct server_worker *worker, struct connection *connection,
                                       const struct wire_frame *frame, struct wire_fault *ret_fault)
{
    const struct otpring_wire_header *header = &frame->header;
    if (header->count > connection->items_max) {
        *ret_fault = (struct wire_fault){.code = OTPRING_ERROR_TOO_MANY, .kind = header->kind, .offset = 6};
        return SERVER_FAULT;
    }
    enum server_taken room = connection_reserve(connection, answer_room(worker, header->count));
    if (room != SERVER_TAKEN) return room;
    struct server_question question = {.client = connection->client,
                                       .owner = connection_owner(connection),
                                       .tag = header->tag,
                                       .count = header->count,
                                       .json = wire_body(frame),
                                       .size = frame->body_size};
    if (worker->options.question(worker->options.question_context, &question)) {
        connection->unanswered++;
        return SERVER_TAKEN;
    }
    output_unreserve(&worker->output_pool, &connection->output, answer_room(worker, header->count));
    return SERVER_LATER;
}

void server_question_answer(struct server_worker *worker, const struct server_question *question, const void *json,
                            uint32_t size)
{
    struct connection *connection = connection_of(worker, question->owner);
    if (!connection) return;
    CHECK(connection->unanswered > 0 && WIRE_HEADER_SIZE + size <= answer_room(worker, question->count));
    struct otpring_wire_header asked = {.kind = OTPRING_WIRE_QUESTION, .count = question->count, .tag = question->tag};
    uint8_t header[WIRE_HEADER_SIZE];
    wire_put_answer_header(header, &asked, question->count, size);
    connection->unanswered--;
    connection_answer(connection, header, sizeof header);
    connection_answer(connection, json, size);
    output_unreserve(&worker->output_pool, &connection->output,
                     answer_room(worker, question->count) - WIRE_HEADER_SIZE - size);
    connection_list(connection, LIST_READY);
}

bool server_question_event(struct server_worker *worker, uint64_t owner, uint64_t tag, const void *json, uint32_t size)
{
    struct connection *connection = connection_of(worker, owner);
    if (!connection || connection->state != CONNECTION_OPEN) return true;
    if (connection_reserve(connection, WIRE_HEADER_SIZE + size) != SERVER_TAKEN) return false;
    /* An event is no answer: its kind is one more than that of one. */
    struct otpring_wire_header asked = {.kind = OTPRING_WIRE_QUESTION_EVENT - 1, .tag = tag};
    uint8_t header[WIRE_HEADER_SIZE];
    wire_put_answer_header(header, &asked, 0, size);
    connection_answer(connection, header, sizeof header);
    connection_answer(connection, json, size);
    return true;
}

const struct server_kind server_ask_kinds[] = {
    {.kind = OTPRING_WIRE_HELLO, .before_hello = true, .take = server_take_ask_hello},
    {.kind = OTPRING_WIRE_QUESTION, .right = CORE_RIGHT_ASK, .take = take_question},
    {.kind = OTPRING_WIRE_PING, .take = server_take_ping},
};
const uint32_t server_ask_kind_count = sizeof server_ask_kinds / sizeof server_ask_kinds[0];
