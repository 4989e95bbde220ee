#include "server/connection.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

struct connection *connection_of(struct server_worker *worker, uint64_t owner)
{
    uint32_t index = (uint32_t)owner;
    CHECK(index < worker->slot_count);
    struct connection *connection = &worker->connections[index];
    bool here = connection->generation == owner >> 32 &&
                (connection->state == CONNECTION_OPEN || connection->state == CONNECTION_ENDING);
    return here ? connection : NULL;
}

void connection_list(struct connection *connection, enum connection_list list)
{
    if (connection->listed[list]) return;
    struct connection_queue *queue = &connection->worker->queues[list];
    connection->listed[list] = true;
    connection->next[list] = NULL;
    if (queue->last)
        queue->last->next[list] = connection;
    else
        queue->first = connection;
    queue->last = connection;
}

struct connection *connection_unlist(struct server_worker *worker, enum connection_list list)
{
    struct connection_queue *queue = &worker->queues[list];
    struct connection *connection = queue->first;
    if (!connection) return NULL;
    queue->first = connection->next[list];
    if (!queue->first) queue->last = NULL;
    connection->next[list] = NULL;
    connection->listed[list] = false;
    return connection;
}

/* ---- closing ---- */

static void closed(struct os_op *op, int64_t result)
{
    (void)result;
    struct connection *connection = op->owner;
    struct server_worker *worker = connection->worker;
    output_drop(&worker->output_pool, &connection->output);
    connection->closing = false;
    connection->state = CONNECTION_FREE;
    connection->generation++;
    worker->open_count--;
    atomic_store_explicit(&worker->connections_now, worker->open_count, memory_order_relaxed);
    /* While it stands in a work list it cannot be linked among the free ones; the flush pass frees it then. */
    connection_list(connection, LIST_FLUSH);
}

/* The file is closed when no operation is out on it. */
static void reap(struct connection *connection)
{
    if (connection->receiving || connection->canceling || connection->sending || connection->shutting ||
        connection->closing)
        return;
    connection->closing = true;
    connection->close = (struct os_op){.kind = OS_CLOSE, .file = connection->file, .done = closed, .owner = connection};
    os_submit(connection->worker->os, &connection->close);
}

static void shut(struct os_op *op, int64_t result)
{
    (void)result;
    struct connection *connection = op->owner;
    connection->shutting = false;
    reap(connection);
}

void connection_close(struct connection *connection)
{
    if (connection->state == CONNECTION_CLOSING || connection->state == CONNECTION_FREE) return;
    struct server_worker *worker = connection->worker;
    connection->state = CONNECTION_CLOSING;
    intake_drop(&worker->intake_pool, &connection->intake);
    connection->shutting = true;
    connection->shutdown =
        (struct os_op){.kind = OS_SHUTDOWN, .file = connection->file, .done = shut, .owner = connection};
    os_submit(worker->os, &connection->shutdown);
}

void connection_end(struct connection *connection, uint64_t tag, const struct wire_fault *fault)
{
    if (connection->state != CONNECTION_OPEN) return;
    struct server_worker *worker = connection->worker;
    connection->state = CONNECTION_ENDING;
    connection->ending_since_ms = worker->now_ms;
    intake_drop(&worker->intake_pool, &connection->intake);
    if (fault) {
        wire_put_error(connection->last_words, tag, fault);
        connection->last_words_queued = true;
        count_up(&worker->faults);
    }
    connection_list(connection, LIST_FLUSH);
}

/* ---- receiving ---- */

static void received(struct os_op *op, int64_t result)
{
    struct connection *connection = op->owner;
    struct server_worker *worker = connection->worker;
    if (!op->more) connection->receiving = false;
    if (result > 0) {
        if (connection->state == CONNECTION_OPEN) {
            intake_add(&worker->intake_pool, &connection->intake, op->received, (uint32_t)result, op->buffer_id);
            connection_list(connection, LIST_READY);
        } else {
            os_buffer_return(worker->os, op->buffer_id);
        }
    } else if (result == 0) {
        connection->eof = true;
        connection_list(connection, LIST_READY);
        connection_list(connection, LIST_FLUSH);
    } else if (result != -ENOBUFS && result != -ECANCELED && result != -EAGAIN && result != -EINTR) {
        connection_close(connection);
    }
    if (connection->state == CONNECTION_CLOSING)
        reap(connection);
    else if (!connection->receiving && !connection->eof)
        connection_list(connection, LIST_RECEIVE);
}

static void canceled(struct os_op *op, int64_t result)
{
    (void)result;
    struct connection *connection = op->owner;
    connection->canceling = false;
    if (connection->state == CONNECTION_CLOSING) reap(connection);
}

/* Backpressure: no more is read from this peer until what it sent has been taken. */
static void pause_receiving(struct connection *connection)
{
    if (!connection->receiving || connection->canceling) return;
    connection->canceling = true;
    connection->cancel =
        (struct os_op){.kind = OS_CANCEL, .target = &connection->receive, .done = canceled, .owner = connection};
    os_submit(connection->worker->os, &connection->cancel);
}

void connection_rearm(struct connection *connection)
{
    struct server_worker *worker = connection->worker;
    if (connection->state != CONNECTION_OPEN && connection->state != CONNECTION_ENDING) return;
    if (connection->receiving || connection->eof || worker->draining) return;
    if (connection->canceling || connection->intake.chunk_count >= SERVER_HELD_BUFFERS_MAX ||
        worker->intake_pool.held >= worker->intake_pool.chunk_count) {
        connection_list(connection, LIST_RECEIVE);
        return;
    }
    connection->receiving = true;
    connection->receive =
        (struct os_op){.kind = OS_RECEIVE, .file = connection->file, .done = received, .owner = connection};
    os_submit(worker->os, &connection->receive);
}

/* ---- offering frames ---- */

static enum server_taken frame_offer(struct connection *connection, const struct wire_frame *frame,
                                     struct wire_fault *ret_fault)
{
    struct server_worker *worker = connection->worker;
    uint16_t number = frame->header.kind;
    const struct server_kind *kind = worker->kinds[number];
    *ret_fault = (struct wire_fault){.code = OTPRING_ERROR_KIND, .kind = number, .offset = 4};
    if (!kind) return SERVER_FAULT;
    if (!connection->hello_done && !kind->before_hello) {
        ret_fault->code = OTPRING_ERROR_NO_HELLO;
        return SERVER_FAULT;
    }
    if (kind->right && !(connection->client->rights & kind->right)) {
        ret_fault->code = OTPRING_ERROR_NO_RIGHT;
        return SERVER_FAULT;
    }
    if (connection->unanswered >= connection->slots) return SERVER_BLOCKED;
    return kind->take(worker, connection, frame, ret_fault);
}

void connection_offer(struct connection *connection)
{
    struct server_worker *worker = connection->worker;
    while (connection->state == CONNECTION_OPEN && !connection->hello_pending) {
        struct wire_frame frame;
        struct wire_fault fault;
        enum intake_state state = intake_next(&worker->intake_pool, &connection->intake, &frame, &fault);
        if (state == INTAKE_NONE) {
            bool half = intake_half(&connection->intake);
            if (half && !connection->half_since_ms) connection->half_since_ms = worker->now_ms;
            break;
        }
        enum server_taken taken = SERVER_LATER;
        if (state == INTAKE_FAULT) taken = SERVER_FAULT;
        if (state == INTAKE_FRAME) {
            connection->half_since_ms = 0;
            taken = frame_offer(connection, &frame, &fault);
        }
        if (taken == SERVER_FAULT) {
            connection_end(connection, frame.header.tag, &fault);
        } else if (taken == SERVER_TAKEN) {
            count_up(&worker->frames);
            /* A handler may have closed the connection, and its input with it. */
            if (connection->state == CONNECTION_OPEN) intake_taken(&worker->intake_pool, &connection->intake, &frame);
        } else {
            if (taken == SERVER_LATER) {
                worker->deferred++;
                connection_list(connection, LIST_READY);
            }
            break;
        }
    }
    if (connection->state == CONNECTION_OPEN && connection->intake.chunk_count >= SERVER_HELD_BUFFERS_MAX)
        pause_receiving(connection);
    if (connection->eof) connection_list(connection, LIST_FLUSH);
}

enum server_taken connection_reserve(struct connection *connection, uint32_t size)
{
    switch (output_reserve(&connection->worker->output_pool, &connection->output, size)) {
    case OUTPUT_PROMISED:
        return SERVER_TAKEN;
    case OUTPUT_FULL:
        return SERVER_BLOCKED;
    case OUTPUT_POOL_FULL:
        break;
    }
    return SERVER_LATER;
}

uint8_t *connection_answer_place(struct connection *connection, uint32_t size)
{
    uint8_t *place = output_place(&connection->worker->output_pool, &connection->output, size);
    if (place) connection_list(connection, LIST_FLUSH);
    return place;
}

void connection_answer(struct connection *connection, const void *bytes, uint32_t size)
{
    output_write(&connection->worker->output_pool, &connection->output, bytes, size);
    connection_list(connection, LIST_FLUSH);
}

/* ---- sending ---- */

static void sent(struct os_op *op, int64_t result);

static void send_bytes(struct connection *connection, uint8_t *bytes, uint32_t size)
{
    struct server_worker *worker = connection->worker;
    connection->sending = true;
    connection->send = (struct os_op){
        .kind = OS_SEND, .file = connection->file, .buffer = bytes, .size = size, .done = sent, .owner = connection};
    os_submit(worker->os, &connection->send);
    count_up(&worker->sends);
}

static void sent(struct os_op *op, int64_t result)
{
    struct connection *connection = op->owner;
    struct server_worker *worker = connection->worker;
    connection->sending = false;
    if (connection->state == CONNECTION_CLOSING) {
        reap(connection);
        return;
    }
    if (result == -EAGAIN || result == -EINTR) result = 0;
    if (result < 0) {
        connection_close(connection);
        return;
    }
    connection->send_progress_ms = worker->now_ms;
    if (connection->output.queued) {
        output_sent(&worker->output_pool, &connection->output, (uint32_t)result);
        /* Room for answers came back, so frames that were blocked by its want may go on. */
        if (connection->intake.chunk_count || connection->intake.piece) connection_list(connection, LIST_READY);
    } else {
        connection->last_words_sent = result == WIRE_ERROR_FRAME_SIZE;
        if (!connection->last_words_sent) connection_close(connection);
    }
    connection_list(connection, LIST_FLUSH);
}

/* True when the peer has sent its last and nothing whole is left to offer. */
static bool input_ended(const struct connection *connection)
{
    return connection->eof && connection->intake.first == INTAKE_NO_CHUNK && !connection->listed[LIST_READY];
}

static void free_again(struct connection *connection)
{
    struct server_worker *worker = connection->worker;
    for (int i = 0; i < LIST_COUNT; i++) {
        if (connection->listed[i]) {
            connection_list(connection, LIST_FLUSH);
            return;
        }
    }
    connection->next[LIST_READY] = worker->free;
    worker->free = connection;
}

void connection_flush(struct connection *connection)
{
    if (connection->state == CONNECTION_FREE) {
        free_again(connection);
        return;
    }
    if (connection->state == CONNECTION_CLOSING || connection->sending) return;
    uint8_t *bytes;
    uint32_t size = output_front(&connection->output, &bytes);
    if (size) {
        connection->send_progress_ms = connection->worker->now_ms;
        send_bytes(connection, bytes, size);
        return;
    }
    if (connection->unanswered || connection->hello_pending) return;
    if (connection->state == CONNECTION_ENDING && connection->last_words_queued && !connection->last_words_sent) {
        send_bytes(connection, connection->last_words, WIRE_ERROR_FRAME_SIZE);
        return;
    }
    if (connection->state == CONNECTION_ENDING || input_ended(connection)) connection_close(connection);
}

/* ---- opening ---- */

static struct connection *slot_take(struct server_worker *worker, int file)
{
    struct connection *connection = worker->free;
    if (!connection) return NULL;
    worker->free = connection->next[LIST_READY];
    uint32_t index = connection->index, generation = connection->generation;
    *connection = (struct connection){.worker = worker,
                                      .index = index,
                                      .generation = generation,
                                      .state = CONNECTION_OPEN,
                                      .file = file,
                                      .slots = 1,
                                      .opened_ms = worker->now_ms};
    intake_reset(&connection->intake);
    worker->open_count++;
    atomic_store_explicit(&worker->connections_now, worker->open_count, memory_order_relaxed);
    return connection;
}

void connection_open(struct server_worker *worker, int file)
{
    struct connection *connection = slot_take(worker, file);
    if (!connection) {
        count_up(&worker->refused);
        socket_close(file);
        return;
    }
    struct wire_fault fault = {0};
    if (!result_failed(socket_peer_of(file, &connection->peer)))
        connection->client = client_of(worker->list, connection->peer.uid);
    if (worker->open_count > worker->options.connections_max) fault.code = OTPRING_ERROR_LIMIT;
    if (!connection->client) fault.code = OTPRING_ERROR_NO_RIGHT;
    if (fault.code) {
        count_up(&worker->refused);
        connection_end(connection, 0, &fault);
        return;
    }
    count_up(&worker->accepted);
    connection_rearm(connection);
}

/* ---- time-outs ---- */

static bool passed(uint64_t now_ms, uint64_t since_ms, uint32_t timeout_ms)
{
    return now_ms >= since_ms && now_ms - since_ms > timeout_ms;
}

static bool buffers_low(const struct server_worker *worker)
{
    return worker->intake_pool.held * 4 > worker->intake_pool.chunk_count * 3;
}

static void sweep_sending(struct connection *connection)
{
    struct server_worker *worker = connection->worker;
    uint32_t timeout_ms = worker->options.write_timeout_ms;
    /* What it has sent holds buffers that the others are short of. */
    if (connection->intake.chunk_count && buffers_low(worker)) timeout_ms = worker->options.hold_timeout_ms;
    if (!passed(worker->now_ms, connection->send_progress_ms, timeout_ms)) return;
    count_up(&worker->dropped);
    connection_close(connection);
}

bool connection_sweep(struct connection *connection)
{
    struct server_worker *worker = connection->worker;
    if (connection->state != CONNECTION_OPEN && connection->state != CONNECTION_ENDING) return false;
    if (connection->sending) {
        sweep_sending(connection);
        if (connection->state == CONNECTION_CLOSING) return false;
    }
    uint32_t timeout_ms = worker->options.frame_timeout_ms;
    if (connection->state == CONNECTION_ENDING) {
        if (passed(worker->now_ms, connection->ending_since_ms, worker->options.write_timeout_ms))
            connection_close(connection);
        return true;
    }
    bool greeted = connection->hello_done || connection->hello_pending;
    bool half = connection->half_since_ms && intake_half(&connection->intake);
    bool silent = !greeted && !connection->unanswered;
    if ((half && passed(worker->now_ms, connection->half_since_ms, timeout_ms)) ||
        (silent && passed(worker->now_ms, connection->opened_ms, timeout_ms))) {
        struct wire_fault fault = {.code = OTPRING_ERROR_TIMEOUT};
        connection_end(connection, 0, &fault);
        return true;
    }
    return half || silent || connection->sending;
}
