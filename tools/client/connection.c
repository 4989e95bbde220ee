/* The connection: connect, hello, send, reconnect. Never waits but in client_wait. */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

enum { FRAMES_PER_SEND = 64 };

uint64_t client_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int client_error(struct otpring_client *client, int error, const char *format, ...)
{
    va_list arguments;
    int size = snprintf(client->last_error, sizeof client->last_error, "%s: ", otpring_error_text(error));
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above */
    vsnprintf(client->last_error + size, sizeof client->last_error - (size_t)size, format, arguments);
    va_end(arguments);
    return error;
}

static void delay_retry(struct otpring_client *client)
{
    client->retry_at_ms = client->retry_delay_ms ? client_now_ms() + client->retry_delay_ms : 0;
    client->retry_delay_ms = client->retry_delay_ms ? 2 * client->retry_delay_ms : RETRY_DELAY_MIN_MS;
    if (client->retry_delay_ms > RETRY_DELAY_MAX_MS) client->retry_delay_ms = RETRY_DELAY_MAX_MS;
}

void client_disconnect(struct otpring_client *client)
{
    if (client->fd < 0) return;
    close(client->fd);
    client->fd = -1;
    client->link = LINK_DOWN;
    client->received_size = 0;
    frames_queue_again(client);
    delay_retry(client);
}

static int connect_failed(struct otpring_client *client, int error_number)
{
    if (client->fd >= 0) client_disconnect(client);
    if (client->retry_at_ms <= client_now_ms()) delay_retry(client);
    errno = error_number;
    int error = client_error(client, OTPRING_E_CONNECT, "%s: %s", client->address.sun_path, strerror(error_number));
    errno = error_number;
    return error;
}

/* Connects and says hello; its 64 bytes always fit the empty buffer of a fresh socket. */
static int begin_connection(struct otpring_client *client)
{
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) return connect_failed(client, errno);
    if (connect(client->fd, (const struct sockaddr *)&client->address, sizeof client->address) != 0) {
        return connect_failed(client, errno);
    }
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello hello;
    } frame = {
        .header = {.size = htole32(sizeof frame), .kind = htole16(OTPRING_WIRE_HELLO)},
        .hello = {.version_min = htole16(OTPRING_WIRE_VERSION),
                  .version_max = htole16(OTPRING_WIRE_VERSION),
                  .slots = htole16((uint16_t)client->slots_wished),
                  .items_max = htole16((uint16_t)client->items_wished),
                  .session = htole64(client->session)},
    };
    ssize_t sent = send(client->fd, &frame, sizeof frame, MSG_NOSIGNAL);
    if (sent != (ssize_t)sizeof frame) return connect_failed(client, sent < 0 ? errno : EPIPE);
    client->link = LINK_HELLO;
    return 0;
}

/* What was sent leaves the queue, the rest stays with the offset in its first frame. */
static void note_sent(struct otpring_client *client, size_t sent)
{
    client->sent_offset += (uint32_t)sent;
    while (client->queue_count) {
        struct frame *frame = &client->frames[client->queue[client->queue_begin]];
        if (client->sent_offset < frame->size) return;
        client->sent_offset -= frame->size;
        frame->state = FRAME_SENT;
        frame->departed = true;
        client->queue_begin = (client->queue_begin + 1) % client->slots_wished;
        client->queue_count--;
    }
}

/* False: the connection is lost. */
static bool send_queue(struct otpring_client *client)
{
    while (client->queue_count) {
        struct iovec pieces[FRAMES_PER_SEND];
        size_t count = 0, asked = 0;
        for (; count < client->queue_count && count < FRAMES_PER_SEND; count++) {
            uint32_t at = (client->queue_begin + (uint32_t)count) % client->slots_wished;
            const struct frame *frame = &client->frames[client->queue[at]];
            uint32_t offset = count ? 0 : client->sent_offset;
            pieces[count] = (struct iovec){frame->bytes + offset, frame->size - offset};
            asked += pieces[count].iov_len;
        }
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
        ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
        note_sent(client, (size_t)sent);
        if ((size_t)sent < asked) return true;
    }
    return true;
}

int client_pump(struct otpring_client *client)
{
    if (client->link == LINK_DOWN) {
        if (client->retry_at_ms && client_now_ms() < client->retry_at_ms) return 0;
        int error = begin_connection(client);
        if (error) return error;
    }
    bool lost = client->link == LINK_UP && !send_queue(client);
    bool was_hello = client->link == LINK_HELLO, closed = false;
    /* Also when sending failed: an error frame that says why may have come before. */
    int error = client_receive(client, &closed);
    if (error) return error;
    if (was_hello && closed && client->link == LINK_HELLO) return connect_failed(client, ECONNRESET);
    if (lost || closed) {
        client_disconnect(client);
        return 0;
    }
    /* The hello answer has just come: nothing that waits needs another call. */
    if (was_hello && client->link == LINK_UP && !send_queue(client)) client_disconnect(client);
    return 0;
}

void client_wait(struct otpring_client *client, uint64_t deadline_ms)
{
    uint64_t now = client_now_ms();
    if (now >= deadline_ms) return;
    uint64_t until = deadline_ms;
    struct pollfd event = {.fd = client->fd, .events = POLLIN};
    if (client->link == LINK_DOWN && client->retry_at_ms < until) until = client->retry_at_ms;
    if (otpring_wants_write(client)) event.events |= POLLOUT;
    if (until <= now) return;
    uint64_t wait_ms = until - now < 60000 ? until - now : 60000;
    (void)poll(&event, client->fd >= 0, (int)wait_ms);
}

int client_connect(struct otpring_client *client, uint64_t deadline_ms)
{
    for (;;) {
        int error = client_pump(client);
        if (client->link == LINK_UP) return 0;
        if (error && error != OTPRING_E_CONNECT) return error;
        /* Who was served once may be seeing a restart; who never was gets told at once, as does who may not. */
        bool busy = errno == EAGAIN || errno == EBUSY;
        bool hopeless = error && ((!client->had_session && !busy) || errno == EACCES || errno == EPERM);
        if (hopeless) return error;
        if (client_now_ms() >= deadline_ms) {
            if (client->link == LINK_DOWN) return OTPRING_E_CONNECT;
            return client_error(client, OTPRING_E_TIMEOUT, "the daemon does not answer hello");
        }
        client_wait(client, deadline_ms);
    }
}

PUBLIC int otpring_fd(const struct otpring_client *client)
{
    return client->fd;
}

PUBLIC int otpring_wants_write(const struct otpring_client *client)
{
    return client->link == LINK_UP && client->queue_count > 0;
}
