#include "server/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "server/connection.h"
#include "server/kinds.h"

static void clock_read(struct server_worker *worker)
{
    /* For time-outs of sockets alone, so the plain monotonic clock will do; never 0. */
    worker->now_ms = os_monotonic_ns(worker->os) / 1000000 + 1;
}

/* ---- accepting ---- */

static void accept_arm(struct server_worker *worker);

static void accepted(struct os_op *op, int64_t result)
{
    struct server_worker *worker = op->owner;
    if (!op->more) worker->accepting = false;
    if (result >= 0) {
        if (worker->draining)
            socket_close((int)result);
        else
            connection_open(worker, (int)result);
    }
    /* A process out of files is tried again by the sweep, not at once. */
    if (!worker->accepting && result >= 0) accept_arm(worker);
}

static void accept_arm(struct server_worker *worker)
{
    if (worker->accepting || worker->draining || worker->options.listen_file < 0) return;
    worker->accepting = true;
    worker->accept = (struct os_op){
        .kind = OS_LISTEN_ACCEPT, .file = worker->options.listen_file, .done = accepted, .owner = worker};
    os_submit(worker->os, &worker->accept);
}

static void accept_canceled(struct os_op *op, int64_t result)
{
    (void)result;
    struct server_worker *worker = op->owner;
    worker->accept_canceling = false;
}

/* ---- life ---- */

static void options_complete(struct server_worker_options *options)
{
    if (!options->connections_max) options->connections_max = SERVER_CONNECTIONS_DEFAULT;
    if (options->connections_max > SERVER_CONNECTIONS_MAX) options->connections_max = SERVER_CONNECTIONS_MAX;
    if (!options->frame_size_max) options->frame_size_max = OTPRING_WIRE_FRAME_SIZE_MAX;
    if (!options->output_max) options->output_max = SERVER_OUTPUT_MAX;
    if (!options->frame_timeout_ms) options->frame_timeout_ms = SERVER_FRAME_TIMEOUT_MS;
    if (!options->write_timeout_ms) options->write_timeout_ms = SERVER_WRITE_TIMEOUT_MS;
    if (!options->hold_timeout_ms) options->hold_timeout_ms = SERVER_HOLD_TIMEOUT_MS;
}

static struct result pools_create(struct server_worker *worker)
{
    const struct server_worker_options *options = &worker->options;
    uint32_t blocks =
        2 * worker->slot_count + SERVER_OUTPUT_BLOCKS_EXTRA + options->output_max / SERVER_OUTPUT_BLOCK_SIZE;
    /* A split frame is put together in a piece of its own: as many as connections, and some for frames taken in one
     * turn. */
    uint32_t pieces = worker->slot_count + SERVER_PIECES_EXTRA;
    TRY(intake_pool_create(options->receive_buffer_count, pieces, options->frame_size_max, &worker->intake_pool));
    TRY(output_pool_create(blocks, options->output_max, &worker->output_pool));
    worker->connections = calloc(worker->slot_count, sizeof *worker->connections);
    if (!worker->connections) return result_of(NO_MEMORY);
    if (options->admin) {
        /* Requests and answers of administrators may hold seeds. */
        worker->intake_pool.secret = worker->output_pool.secret = true;
        worker->admin_answer = malloc(OTPRING_WIRE_ADMIN_SIZE_MAX);
        if (!worker->admin_answer) return result_of(NO_MEMORY);
    }
    for (uint32_t i = worker->slot_count; i-- > 0;) {
        worker->connections[i].worker = worker;
        worker->connections[i].index = i;
        worker->connections[i].generation = 1;
        worker->connections[i].next[LIST_READY] = worker->free;
        worker->free = &worker->connections[i];
    }
    return result_ok();
}

static struct result core_worker_make(struct server_worker *worker)
{
    if (!worker->options.core) return result_ok();
    struct core_worker_options options = {.os = worker->os,
                                          .turn_count = worker->options.turn_count,
                                          .items_max = worker->options.items_max,
                                          .kept_count = worker->options.kept_count,
                                          .answered = server_answered,
                                          .hello_answered = server_hello_answered,
                                          .context = worker};
    return core_worker_create(worker->options.core, &options, &worker->core_worker);
}

static struct result worker_fill(struct server_worker *worker)
{
    const struct server_worker_options *options = &worker->options;
    for (uint32_t i = 0; i < options->kind_count; i++) {
        CHECK(options->kinds[i].kind < SERVER_KIND_MAX && !worker->kinds[options->kinds[i].kind]);
        worker->kinds[options->kinds[i].kind] = &options->kinds[i];
    }
    worker->slot_count = options->connections_max + SERVER_REFUSALS_MAX;
    TRY(pools_create(worker));
    TRY(server_clients_reader(options->clients, &worker->reader));
    worker->list = server_clients_read(options->clients, worker->reader);
    TRY(core_worker_make(worker));
    clock_read(worker);
    accept_arm(worker);
    return result_ok();
}

struct result server_worker_create(const struct server_worker_options *options, struct server_worker **ret_worker)
{
    CHECK(options->os && options->clients && options->receive_buffer_count > 0);
    struct server_worker *worker = calloc(1, sizeof *worker);
    if (!worker) return result_of(NO_MEMORY);
    worker->options = *options;
    worker->os = options->os;
    options_complete(&worker->options);
    struct result result = worker_fill(worker);
    if (result_failed(result)) {
        server_worker_destroy(worker);
        return result;
    }
    *ret_worker = worker;
    return result_ok();
}

void server_worker_destroy(struct server_worker *worker)
{
    if (!worker) return;
    CHECK(worker->open_count == 0 && !worker->accepting);
    if (worker->core_worker) core_worker_destroy(worker->core_worker);
    intake_pool_destroy(&worker->intake_pool);
    output_pool_destroy(&worker->output_pool);
    free(worker->connections);
    free(worker->admin_answer);
    free(worker);
}

/* ---- the turn ---- */

/* Each connection that stood in the list when the pass began, once; it may list itself again for a later pass. */
static void pass_over(struct server_worker *worker, enum connection_list list, void (*visit)(struct connection *))
{
    const struct connection *last = worker->queues[list].last;
    while (last) {
        struct connection *connection = connection_unlist(worker, list);
        bool done = connection == last;
        visit(connection);
        if (done) break;
    }
}

static void buffer_back(void *context, uint16_t buffer_id)
{
    os_buffer_return(context, buffer_id);
}

/* Everything that has arrived goes into turns, as far as core takes it. */
static void frames_into_turns(struct server_worker *worker)
{
    do {
        worker->deferred = 0;
        worker->core_full = false;
        worker->offered = false;
        pass_over(worker, LIST_READY, connection_offer);
        if (worker->offered) {
            core_turn(worker->core_worker);
            count_up(&worker->turns);
        }
        intake_turned(&worker->intake_pool, buffer_back, worker->os);
    } while (worker->offered && worker->queues[LIST_READY].first);
}

static void clients_follow(struct server_worker *worker)
{
    if (!server_clients_changed(worker->options.clients, worker->list)) return;
    worker->list = server_clients_read(worker->options.clients, worker->reader);
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        struct connection *connection = &worker->connections[i];
        if (connection->state == CONNECTION_FREE) continue;
        connection->client = client_of(worker->list, connection->peer.uid);
        struct wire_fault fault = {.code = OTPRING_ERROR_NO_RIGHT};
        if (!connection->client) connection_end(connection, 0, &fault);
    }
}

/* At a stop: what has come whole is answered, then every connection ends. */
static void drain(struct server_worker *worker)
{
    if (!worker->draining) {
        worker->draining = true;
        worker->drain_since_ms = worker->now_ms;
        if (worker->accepting) {
            worker->accept_canceling = true;
            worker->accept_cancel =
                (struct os_op){.kind = OS_CANCEL, .target = &worker->accept, .done = accept_canceled, .owner = worker};
            os_submit(worker->os, &worker->accept_cancel);
        }
    }
    bool late = worker->now_ms - worker->drain_since_ms > SERVER_DRAIN_TIMEOUT_MS;
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        struct connection *connection = &worker->connections[i];
        if (connection->state == CONNECTION_FREE) continue;
        if (late)
            connection_close(connection);
        else if (!connection->listed[LIST_READY] && !connection->hello_pending)
            connection_end(connection, 0, NULL);
    }
}

static void sweep(struct server_worker *worker)
{
    if (worker->now_ms - worker->swept_ms < SERVER_SWEEP_MS) return;
    worker->swept_ms = worker->now_ms;
    worker->timed = worker->queues[LIST_FLUSH].first != NULL; /* the send that follows has a time-out */
    for (uint32_t i = 0; i < worker->slot_count; i++) worker->timed |= connection_sweep(&worker->connections[i]);
    accept_arm(worker);
}

struct result server_worker_turn(struct server_worker *worker, uint64_t wait_ns)
{
    unsigned completed = 0;
    TRY(os_step(worker->os, wait_ns, &completed));
    worker->timed |= completed > 0;
    clock_read(worker);
    if (worker->core_worker) core_poll(worker->core_worker);
    clients_follow(worker);
    frames_into_turns(worker);
    if (atomic_load_explicit(&worker->stop, memory_order_acquire)) drain(worker);
    sweep(worker);
    pass_over(worker, LIST_RECEIVE, connection_rearm);
    pass_over(worker, LIST_FLUSH, connection_flush);
    /* Buffers of connections that were closed in this turn. */
    intake_turned(&worker->intake_pool, buffer_back, worker->os);
    return result_ok();
}

static uint64_t wait_for(const struct server_worker *worker)
{
    uint64_t wait_ms = worker->timed ? SERVER_SWEEP_MS : SERVER_IDLE_WAIT_MS;
    bool core_waits = worker->core_worker && core_waiting(worker->core_worker) > 0;
    if (worker->deferred || core_waits || worker->draining) wait_ms = SERVER_DEFERRED_WAIT_MS;
    /* Listed by the passes themselves, or come while a tick had the ring step: no wait at all. */
    bool ready = worker->queues[LIST_READY].first && !worker->deferred;
    bool stops = atomic_load_explicit(&worker->stop, memory_order_acquire) && !worker->draining;
    if (worker->queues[LIST_FLUSH].first || ready || stops) wait_ms = 0;
    return wait_ms * 1000000;
}

static bool drained(const struct server_worker *worker)
{
    return worker->draining && worker->open_count == 0 && !worker->accepting && !worker->accept_canceling &&
           (!worker->core_worker || core_drained(worker->core_worker));
}

struct result server_worker_run(struct server_worker *worker)
{
    enum { TICK_NS = 1000000000 };
    while (!drained(worker)) {
        uint64_t wait_ns = wait_for(worker);
        if (worker->options.tick && wait_ns > TICK_NS) wait_ns = TICK_NS;
        TRY(server_worker_turn(worker, wait_ns));
        if (worker->options.tick) worker->options.tick(worker->options.tick_context);
    }
    return result_ok();
}

void server_worker_stop(struct server_worker *worker)
{
    atomic_store_explicit(&worker->stop, true, memory_order_release);
    os_wake(worker->os);
}

void server_worker_reload(struct server_worker *worker)
{
    os_wake(worker->os);
}

struct result server_worker_adopt(struct server_worker *worker, int file)
{
    if (!worker->free || worker->draining) {
        socket_close(file);
        return result_of(FULL);
    }
    connection_open(worker, file);
    worker->timed = true;
    return result_ok();
}

void server_worker_counts(const struct server_worker *worker, struct server_counts *ret_counts)
{
    *ret_counts = (struct server_counts){
        .connections = atomic_load_explicit(&worker->connections_now, memory_order_relaxed),
        .accepted = atomic_load_explicit(&worker->accepted, memory_order_relaxed),
        .refused = atomic_load_explicit(&worker->refused, memory_order_relaxed),
        .frames = atomic_load_explicit(&worker->frames, memory_order_relaxed),
        .faults = atomic_load_explicit(&worker->faults, memory_order_relaxed),
        .dropped = atomic_load_explicit(&worker->dropped, memory_order_relaxed),
        .turns = atomic_load_explicit(&worker->turns, memory_order_relaxed),
        .sends = atomic_load_explicit(&worker->sends, memory_order_relaxed),
    };
}
