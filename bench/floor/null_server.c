/* null_server DIR: the transport without any work. Speaks hello and VERIFY on DIR/verify.sock and answers every query
 * ACCEPTED unread; on DIR/admin.sock every act is done by saying so. What echo_load gets from it is the floor of the
 * socket; what otpring-load gets from it is the load generator's own ceiling.
 *
 * The ring is used as the daemon uses it: multishot accept and receive into a buffer ring, one submission a turn, the
 * answers of a turn coalesced into one send a connection. One thread; ends on SIGTERM. It trusts its clients. */
#include <endian.h>
#include <jansson.h>
#include <liburing.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpring/verdict.h"
#include "otpring/wire.h"

enum {
    BUFFER_SIZE = 256 << 10,
    BUFFER_COUNT = 64, /* a power of two */
    CONNECTIONS_MAX = 1024,
    OUT_SIZE = 1 << 20,
    HEADER_SIZE = sizeof(struct otpring_wire_header),
};

/* What a completion belongs to: kind in the low byte, connection above. */
enum { ON_ACCEPT_VERIFY, ON_ACCEPT_ADMIN, ON_RECEIVE, ON_SEND };

struct connection {
    int fd; /* 0: free */
    bool admin;
    bool sending;
    bool dirty;
    uint32_t head_have; /* bytes of the header being put together */
    uint32_t body_left; /* bytes of the frame still to come */
    struct otpring_wire_header header;
    char *text; /* admin: the body so far */
    uint32_t text_size;
    uint8_t *out[2]; /* one is filled while the other is sent */
    uint32_t out_size[2];
    int filling;
    uint32_t sent;
};

struct server {
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *bytes;
    struct connection *connections;
    uint32_t *dirty;
    uint32_t dirty_count;
    int listeners[2];
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(const char *folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", folder, name);
    unlink(address.sun_path);
    if (fd < 0 || bind(fd, (void *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) die(address.sun_path);
    return fd;
}

static struct io_uring_sqe *entry_of(struct server *server)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&server->ring);
    if (!entry) {
        io_uring_submit(&server->ring);
        entry = io_uring_get_sqe(&server->ring);
    }
    return entry;
}

static void tag(struct io_uring_sqe *entry, int kind, uint32_t connection)
{
    io_uring_sqe_set_data64(entry, (uint64_t)connection << 8 | (unsigned)kind);
}

static void arm_accept(struct server *server, int kind)
{
    struct io_uring_sqe *entry = entry_of(server);
    io_uring_prep_multishot_accept(entry, server->listeners[kind], NULL, NULL, SOCK_CLOEXEC);
    tag(entry, kind, 0);
}

static void arm_receive(struct server *server, uint32_t number)
{
    struct io_uring_sqe *entry = entry_of(server);
    io_uring_prep_recv_multishot(entry, server->connections[number].fd, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = 0;
    tag(entry, ON_RECEIVE, number);
}

static void arm_send(struct server *server, uint32_t number)
{
    struct connection *connection = &server->connections[number];
    int sending = !connection->filling;
    struct io_uring_sqe *entry = entry_of(server);
    io_uring_prep_send(entry, connection->fd, connection->out[sending] + connection->sent,
                       connection->out_size[sending] - connection->sent, MSG_NOSIGNAL);
    tag(entry, ON_SEND, number);
}

static uint8_t *room(struct connection *connection, uint32_t size)
{
    int filling = connection->filling;
    if (connection->out_size[filling] + size > OUT_SIZE) {
        fprintf(stderr, "null_server: a client does not read its answers\n");
        exit(1);
    }
    uint8_t *to = connection->out[filling] + connection->out_size[filling];
    connection->out_size[filling] += size;
    return to;
}

static void answer(struct connection *connection, uint16_t kind, const void *body, uint32_t size)
{
    struct otpring_wire_header header = connection->header;
    header.kind = kind;
    header.size = HEADER_SIZE + size;
    uint8_t *to = room(connection, header.size);
    memcpy(to, &header, HEADER_SIZE);
    if (size) memcpy(to + HEADER_SIZE, body, size);
}

static void answer_hello(struct connection *connection, const uint8_t *body)
{
    static uint64_t sessions;
    struct otpring_wire_hello hello;
    memcpy(&hello, body, sizeof hello);
    struct otpring_wire_hello_answer granted = {.version = 1,
                                                .slots = hello.slots ? hello.slots : 16,
                                                .items_max = hello.items_max ? hello.items_max : 1024,
                                                .session = connection->admin ? 0 : ++sessions,
                                                .idle_timeout_s = 600};
    if (!connection->admin) connection->header.session = granted.session;
    answer(connection, OTPRING_WIRE_HELLO_ANSWER, &granted, sizeof granted);
}

/* Says of every act that it is done, of enrolment with the number that was asked for. */
static void answer_admin(struct connection *connection)
{
    json_t *request = json_loadb(connection->text, connection->text_size, 0, NULL);
    size_t added = json_array_size(json_object_get(request, "users"));
    char text[128];
    int size = snprintf(text, sizeof text,
                        "{\"ok\":true,\"kernel\":\"null\",\"added\":%zu,\"removed\":0,\"more\":false}", added);
    json_decref(request);
    connection->text_size = 0;
    answer(connection, OTPRING_WIRE_ADMIN_ANSWER, text, (uint32_t)size);
}

static void answer_verify(struct connection *connection)
{
    static struct otpring_wire_answer accepted[OTPRING_WIRE_ITEMS_MAX];
    if (!accepted[0].verdict) {
        for (int i = 0; i < OTPRING_WIRE_ITEMS_MAX; i++)
            accepted[i] = (struct otpring_wire_answer){.verdict = OTPRING_ACCEPTED, .record = 1};
    }
    answer(connection, OTPRING_WIRE_VERIFY_ANSWER, accepted, connection->header.count * (uint32_t)sizeof accepted[0]);
}

/* The body of a frame has come whole; only hello and acts are read. */
static void frame_came(struct connection *connection, const uint8_t *tail)
{
    if (connection->header.kind == OTPRING_WIRE_VERIFY) answer_verify(connection);
    if (connection->header.kind == OTPRING_WIRE_ADMIN) answer_admin(connection);
    if (connection->header.kind == OTPRING_WIRE_HELLO) answer_hello(connection, tail);
}

static void keep_text(struct connection *connection, const uint8_t *bytes, uint32_t size)
{
    if (!connection->text) connection->text = malloc(OTPRING_WIRE_ADMIN_SIZE_MAX);
    if (!connection->text) die("memory");
    memcpy(connection->text + connection->text_size, bytes, size);
    connection->text_size += size;
}

static void take(struct connection *connection, const uint8_t *bytes, uint32_t size)
{
    while (size) {
        if (connection->head_have < HEADER_SIZE) {
            uint32_t part = HEADER_SIZE - connection->head_have;
            if (part > size) part = size;
            memcpy((uint8_t *)&connection->header + connection->head_have, bytes, part);
            connection->head_have += part;
            bytes += part;
            size -= part;
            if (connection->head_have < HEADER_SIZE) return;
            connection->body_left = connection->header.size - HEADER_SIZE;
        }
        uint32_t part = connection->body_left < size ? connection->body_left : size;
        if (connection->header.kind == OTPRING_WIRE_ADMIN) keep_text(connection, bytes, part);
        connection->body_left -= part;
        if (connection->body_left) return;
        frame_came(connection, bytes);
        connection->head_have = 0;
        bytes += part;
        size -= part;
    }
}

static void accepted(struct server *server, int fd, bool admin)
{
    uint32_t number = 0;
    while (number < CONNECTIONS_MAX && server->connections[number].fd) number++;
    if (number == CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    struct connection *connection = &server->connections[number];
    *connection = (struct connection){.fd = fd, .admin = admin};
    for (int i = 0; i < 2; i++) {
        connection->out[i] = malloc(OUT_SIZE);
        if (!connection->out[i]) die("memory");
    }
    arm_receive(server, number);
}

static void hang_up(struct connection *connection)
{
    close(connection->fd);
    free(connection->out[0]);
    free(connection->out[1]);
    free(connection->text);
    *connection = (struct connection){0};
}

static void note_dirty(struct server *server, uint32_t number)
{
    struct connection *connection = &server->connections[number];
    if (connection->dirty || !connection->fd) return;
    connection->dirty = true;
    server->dirty[server->dirty_count++] = number;
}

static void received(struct server *server, uint32_t number, const struct io_uring_cqe *completion)
{
    struct connection *connection = &server->connections[number];
    if (completion->flags & IORING_CQE_F_BUFFER) {
        uint16_t id = (uint16_t)(completion->flags >> IORING_CQE_BUFFER_SHIFT);
        uint8_t *bytes = server->bytes + (size_t)id * BUFFER_SIZE;
        if (completion->res > 0) take(connection, bytes, (uint32_t)completion->res);
        io_uring_buf_ring_add(server->buffers, bytes, BUFFER_SIZE, id, io_uring_buf_ring_mask(BUFFER_COUNT), 0);
        io_uring_buf_ring_advance(server->buffers, 1);
    }
    bool more = completion->flags & IORING_CQE_F_MORE;
    if (completion->res <= 0 && completion->res != -ENOBUFS) {
        if (!more) hang_up(connection);
        return;
    }
    if (!more) arm_receive(server, number);
    note_dirty(server, number);
}

static void sent(struct server *server, uint32_t number, int result)
{
    struct connection *connection = &server->connections[number];
    if (!connection->fd || result < 0) return;
    connection->sent += (uint32_t)result;
    if (connection->sent < connection->out_size[!connection->filling]) {
        arm_send(server, number);
        return;
    }
    connection->out_size[!connection->filling] = 0;
    connection->sending = false;
    note_dirty(server, number);
}

static void flush(struct server *server)
{
    for (uint32_t i = 0; i < server->dirty_count; i++) {
        struct connection *connection = &server->connections[server->dirty[i]];
        connection->dirty = false;
        if (!connection->fd || connection->sending || !connection->out_size[connection->filling]) continue;
        connection->filling = !connection->filling;
        connection->sending = true;
        connection->sent = 0;
        arm_send(server, server->dirty[i]);
    }
    server->dirty_count = 0;
}

static void handle(struct server *server, const struct io_uring_cqe *completion)
{
    int kind = (int)(completion->user_data & 255);
    uint32_t number = (uint32_t)(completion->user_data >> 8);
    if (kind == ON_RECEIVE) {
        received(server, number, completion);
    } else if (kind == ON_SEND) {
        sent(server, number, completion->res);
    } else {
        if (completion->res >= 0) accepted(server, completion->res, kind == ON_ACCEPT_ADMIN);
        if (!(completion->flags & IORING_CQE_F_MORE)) arm_accept(server, kind);
    }
}

static void open_ring(struct server *server)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE, .cq_entries = 8192};
    struct io_uring_buf_reg reg = {.ring_entries = BUFFER_COUNT};
    if (io_uring_queue_init_params(2048, &server->ring, &params) < 0) die("io_uring");
    server->bytes = aligned_alloc(4096, (size_t)BUFFER_COUNT * BUFFER_SIZE);
    server->buffers = aligned_alloc(4096, 4096);
    if (!server->bytes || !server->buffers) die("memory");
    reg.ring_addr = (uint64_t)(uintptr_t)server->buffers;
    if (io_uring_register_buf_ring(&server->ring, &reg, 0) < 0) die("buffer ring");
    io_uring_buf_ring_init(server->buffers);
    for (int i = 0; i < BUFFER_COUNT; i++) {
        io_uring_buf_ring_add(server->buffers, server->bytes + (size_t)i * BUFFER_SIZE, BUFFER_SIZE, (unsigned short)i,
                              io_uring_buf_ring_mask(BUFFER_COUNT), i);
    }
    io_uring_buf_ring_advance(server->buffers, BUFFER_COUNT);
}

int main(int count, char **arguments)
{
    static struct server server;
    if (count != 2) {
        fputs("usage: null_server DIR\n", stderr);
        return 2;
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    server.connections = calloc(CONNECTIONS_MAX, sizeof *server.connections);
    server.dirty = calloc(CONNECTIONS_MAX, sizeof *server.dirty);
    if (!server.connections || !server.dirty) die("memory");
    open_ring(&server);
    server.listeners[ON_ACCEPT_VERIFY] = listen_on(arguments[1], "verify.sock");
    server.listeners[ON_ACCEPT_ADMIN] = listen_on(arguments[1], "admin.sock");
    arm_accept(&server, ON_ACCEPT_VERIFY);
    arm_accept(&server, ON_ACCEPT_ADMIN);
    while (!stop) {
        struct io_uring_cqe *completion;
        unsigned head, seen = 0;
        io_uring_submit_and_wait(&server.ring, 1);
        io_uring_for_each_cqe(&server.ring, head, completion)
        {
            handle(&server, completion);
            seen++;
        }
        io_uring_cq_advance(&server.ring, seen);
        flush(&server);
    }
    return 0;
}
