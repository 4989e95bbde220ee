/* One thread's server: a listening socket's connections, their frames into turns, and the answers back.
 *
 * A turn takes whatever arrived on all connections, offers each frame to the handler of its kind, has core judge what
 * was taken as one batch, and queues the sends; so system calls go with turns, not with frames. Several workers may
 * share one listening socket. Everything is called by the thread that owns `os`, but server_worker_stop and
 * server_worker_reload (any thread). Input from peers is hostile: a bad frame costs its sender the connection and
 * nobody else anything. Memory is taken in server_worker_create. */
#ifndef OTPRING_SERVER_WORKER_H
#define OTPRING_SERVER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "core/core.h"
#include "os/os.h"
#include "os/sockets.h"
#include "server/clients.h"
#include "server/wire.h"

struct server_worker;
struct connection;

/* What became of an offered frame. */
enum server_taken {
    SERVER_TAKEN,
    SERVER_LATER,   /* offered again in a later turn */
    SERVER_BLOCKED, /* offered again when this connection's answers have left */
    SERVER_FAULT,   /* ret_fault: error frame, then the connection closes */
};

/* One row of the table of kinds that a socket serves. Other rooms add rows of their own. */
struct server_kind {
    uint16_t kind;
    uint32_t right;    /* enum core_right needed; 0: none */
    bool before_hello; /* may come without one */
    enum server_taken (*take)(struct server_worker *worker, struct connection *connection,
                              const struct wire_frame *frame, struct wire_fault *ret_fault);
};

/* verify.sock: HELLO, VERIFY, RESYNC, PING. admin.sock: HELLO, ADMIN, PING. ask.sock: HELLO, QUESTION, PING. */
extern const struct server_kind server_verify_kinds[];
extern const uint32_t server_verify_kind_count;
extern const struct server_kind server_admin_kinds[];
extern const uint32_t server_admin_kind_count;
extern const struct server_kind server_ask_kinds[];
extern const uint32_t server_ask_kind_count;

/* Answers one admin request: JSON text in, JSON text out, at most answer_size_max bytes; gives its size (0: nothing to
 * say, the connection closes). Runs on the worker's thread and may block it. */
typedef uint32_t server_admin_handler(void *context, const struct socket_peer *peer, const uint8_t *json,
                                      uint32_t json_size, uint8_t *ret_answer, uint32_t answer_size_max);

/* A QUESTION frame: client and bytes stay until the tick of the same turn has ended. */
struct server_question {
    const struct core_client *client;
    uint64_t owner;
    uint64_t tag;
    uint16_t count;
    const uint8_t *json;
    uint32_t size;
};
/* Takes one, to be answered by server_question_answer; false: not in this turn. Runs on the worker's thread. */
typedef bool server_question_handler(void *context, const struct server_question *question);

struct server_worker_options {
    struct os *os;
    struct core *core; /* NULL: this worker verifies nothing */
    int listen_file;   /* the caller's; -1: connections come through server_worker_adopt alone */
    const struct server_kind *kinds;
    uint32_t kind_count;
    struct server_clients *clients;
    uint32_t connections_max;      /* 0: SERVER_CONNECTIONS_DEFAULT */
    uint32_t receive_buffer_count; /* as the os was made with */
    uint32_t receive_buffer_size;
    uint32_t frame_size_max; /* 0: OTPRING_WIRE_FRAME_SIZE_MAX */
    uint32_t output_max;     /* bytes; 0: SERVER_OUTPUT_MAX */
    uint32_t turn_count;     /* of core_worker_options */
    uint32_t items_max;
    uint32_t kept_count;
    uint32_t frame_timeout_ms; /* 0: the ones of limits.h */
    uint32_t write_timeout_ms;
    uint32_t hold_timeout_ms;
    server_admin_handler *admin;
    void *admin_context;
    server_question_handler *question;
    uint32_t (*question_answer_max)(uint32_t count); /* bytes of the answer to so many items, at most */
    void *question_context;
    void (*tick)(void *context); /* may be NULL: called in server_worker_run after each turn, at least once a second */
    void *tick_context;
};

/* NO_MEMORY, FULL, and what core_worker_create gives. */
struct result server_worker_create(const struct server_worker_options *options,
                                   struct server_worker **ret_worker) MUST_USE;
/* After server_worker_run has returned. */
void server_worker_destroy(struct server_worker *worker);

/* Serves until server_worker_stop: then takes nothing new, answers what is in flight, closes all, and returns OK. An os
 * that fails ends it with that result. */
struct result server_worker_run(struct server_worker *worker) MUST_USE;
/* One loop turn, waiting at most so long. */
struct result server_worker_turn(struct server_worker *worker, uint64_t wait_ns) MUST_USE;

void server_worker_stop(struct server_worker *worker);
/* The clients were replaced: looks at them in the next turn. */
void server_worker_reload(struct server_worker *worker);

/* A connected socket from elsewhere; the worker's from now on, also on failure. FULL, and no permission. */
struct result server_worker_adopt(struct server_worker *worker, int file) MUST_USE;

/* The answer of a question that was taken (client and bytes are not looked at); once. The connection may be gone. */
void server_question_answer(struct server_worker *worker, const struct server_question *question, const void *json,
                            uint32_t size);
/* What nobody asked for now. False: that connection has no room for it yet. */
bool server_question_event(struct server_worker *worker, uint64_t owner, uint64_t tag, const void *json, uint32_t size);

struct server_counts {
    uint64_t connections; /* open now */
    uint64_t accepted;    /* since the start */
    uint64_t refused;     /* past the limit or not allowed */
    uint64_t frames;
    uint64_t faults;  /* connections closed with an error frame */
    uint64_t dropped; /* closed for not reading */
    uint64_t turns;
    uint64_t sends;
};
/* Any thread. */
void server_worker_counts(const struct server_worker *worker, struct server_counts *ret_counts);

#endif
