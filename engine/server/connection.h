/* One peer of a worker: its state, its operations on the ring, its bytes in and out. For the files of this room.
 *
 * OPEN -> ENDING (an error is told, or the peer sent its last: answers in flight still leave) -> CLOSING (shut down,
 * waiting for its operations to come back) -> FREE. A frame in flight names its connection by index and generation, so
 * that an answer that comes after the connection is gone finds nobody. */
#ifndef OTPRING_SERVER_CONNECTION_H
#define OTPRING_SERVER_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/os.h"
#include "os/sockets.h"
#include "server/intake.h"
#include "server/limits.h"
#include "server/output.h"
#include "server/worker.h"

enum connection_state { CONNECTION_FREE, CONNECTION_OPEN, CONNECTION_ENDING, CONNECTION_CLOSING };

/* Work lists of the turn; a connection stands in each at most once. */
enum connection_list {
    LIST_READY /* has input to offer */,
    LIST_FLUSH /* sends, endings */,
    LIST_RECEIVE /* to arm */,
    LIST_COUNT
};

struct connection {
    struct server_worker *worker;
    uint32_t index;
    uint32_t generation;
    enum connection_state state;
    int file;
    struct socket_peer peer;
    const struct core_client *client;
    struct connection *next[LIST_COUNT];
    bool listed[LIST_COUNT];

    struct os_op receive, cancel, send, shutdown, close;
    bool receiving, canceling, sending, shutting, closing;
    bool eof;

    bool hello_pending, hello_done;
    uint64_t hello_tag;
    uint64_t session;
    uint32_t slots;
    uint32_t items_max;
    uint32_t unanswered;

    struct intake intake;
    struct output output;
    bool last_words_queued, last_words_sent;
    uint8_t last_words[WIRE_ERROR_FRAME_SIZE];

    uint64_t opened_ms;
    uint64_t half_since_ms; /* 0: no half frame */
    uint64_t send_progress_ms;
    uint64_t ending_since_ms;
};

struct connection_queue {
    struct connection *first, *last;
};

struct server_worker {
    struct server_worker_options options;
    struct os *os;
    struct core_worker *core_worker;
    uint32_t reader; /* of the clients */
    const struct client_list *list;
    const struct server_kind *kinds[SERVER_KIND_MAX];

    struct connection *connections;
    uint32_t slot_count;     /* connections_max + SERVER_REFUSALS_MAX */
    struct connection *free; /* through next[LIST_READY] */
    struct connection_queue queues[LIST_COUNT];
    struct intake_pool intake_pool;
    struct output_pool output_pool;
    uint8_t *admin_answer;

    struct os_op accept, accept_cancel;
    bool accepting, accept_canceling;
    uint64_t now_ms;
    uint64_t swept_ms;
    bool timed;        /* a time-out ran at the last sweep, or something happened since */
    uint32_t deferred; /* connections whose frame was put off in this turn */
    bool core_full;
    bool offered; /* core took something since the last core_turn */
    uint32_t open_count;
    _Atomic bool stop;
    bool draining;
    uint64_t drain_since_ms;

    _Atomic uint64_t connections_now, accepted, refused, frames, faults, dropped, turns, sends;
};

static inline void count_up(_Atomic uint64_t *counter)
{
    /* One writer, so no locked instruction. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline uint64_t connection_owner(const struct connection *connection)
{
    return (uint64_t)connection->generation << 32 | connection->index;
}
/* NULL: gone. */
struct connection *connection_of(struct server_worker *worker, uint64_t owner);

void connection_list(struct connection *connection, enum connection_list list);
struct connection *connection_unlist(struct server_worker *worker, enum connection_list list);

/* A connected socket, the worker's from now on. Peers that may not connect, or are too many, get an error frame. */
void connection_open(struct server_worker *worker, int file);
/* Offers what has come, frame by frame; false: something stays to be offered in this or a later turn. */
void connection_offer(struct connection *connection);
/* Starts the next send, or the closing when everything has left. */
void connection_flush(struct connection *connection);
/* Arms receiving again where that is wanted. */
void connection_rearm(struct connection *connection);
/* Tells the fault after the answers in flight, then closes. */
void connection_end(struct connection *connection, uint64_t tag, const struct wire_fault *fault);
/* At once. */
void connection_close(struct connection *connection);
/* Time-outs. True while one of them runs. */
bool connection_sweep(struct connection *connection);

/* For handlers. Room for an answer of that many bytes; TAKEN when it is promised. */
enum server_taken connection_reserve(struct connection *connection, uint32_t size);
/* Where `size` bytes of what was reserved may be written in place, or NULL: then connection_answer takes them. */
uint8_t *connection_answer_place(struct connection *connection, uint32_t size);
void connection_answer(struct connection *connection, const void *bytes, uint32_t size);

#endif
