#include "sink.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

enum {
    DATAGRAM_MAX = 8192,   /* of a message; what collectors take at least is 2048 */
    PRIORITY = 10 * 8 + 6, /* facility authpriv, informational: RFC 5424, 6.2.1 */
    SEND_TIMEOUT_S = 10,
    HOST_MAX = 256,
    PORT_MAX = 32,
};

enum sink_kind { SINK_STDOUT, SINK_UDP, SINK_TCP, SINK_UNIX };

struct sink {
    enum sink_kind kind;
    const char *address; /* as typed */
    char host[HOST_MAX]; /* or a path */
    char port[PORT_MAX];
    char self[HOST_MAX]; /* this machine's name */
    int socket;
    struct text message;
};

/* ---- addresses ---- */

/* HOST:PORT, where HOST may be [an IPv6 address]. */
static bool split_host(struct sink *sink, const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || strlen(colon + 1) == 0 || strlen(colon + 1) >= PORT_MAX) return false;
    size_t size = (size_t)(colon - text);
    if (text[0] == '[' && colon[-1] == ']') {
        text++;
        size -= 2;
    }
    if (size == 0 || size >= HOST_MAX) return false;
    memcpy(sink->host, text, size);
    sink->host[size] = 0;
    snprintf(sink->port, sizeof sink->port, "%s", colon + 1);
    return true;
}

static bool parse(struct sink *sink, const char *address)
{
    sink->kind = strncmp(address, "udp:", 4) == 0    ? SINK_UDP
                 : strncmp(address, "tcp:", 4) == 0  ? SINK_TCP
                 : strncmp(address, "unix:", 5) == 0 ? SINK_UNIX
                                                     : SINK_STDOUT;
    if (sink->kind == SINK_STDOUT) return false;
    if (sink->kind != SINK_UNIX) return split_host(sink, address + 4);
    size_t size = strlen(address + 5);
    if (size == 0 || size >= sizeof((struct sockaddr_un *)0)->sun_path) return false;
    memcpy(sink->host, address + 5, size + 1);
    return true;
}

/* ---- connecting ---- */

/* The kernel may end a waiting call early, for a signal or for what a ring of the same thread has left to do; the
 * connection then goes on being made. */
static bool reached(int socket, const struct sockaddr *address, socklen_t size)
{
    struct pollfd made = {.fd = socket, .events = POLLOUT};
    int error = 0, waited;
    socklen_t error_size = sizeof error;
    if (connect(socket, address, size) == 0) return true;
    if (errno != EINTR) return false;
    do {
        waited = poll(&made, 1, -1);
    } while (waited < 0 && errno == EINTR);
    if (waited < 0 || getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0) return false;
    errno = error;
    return error == 0;
}

static bool connect_unix(struct sink *sink)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, sink->host, strlen(sink->host) + 1);
    sink->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return sink->socket >= 0 && reached(sink->socket, (const struct sockaddr *)&address, sizeof address);
}

static bool connect_host(struct sink *sink)
{
    struct addrinfo hints = {.ai_socktype = sink->kind == SINK_TCP ? SOCK_STREAM : SOCK_DGRAM}, *found;
    if (getaddrinfo(sink->host, sink->port, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return false;
    }
    bool connected = false;
    for (const struct addrinfo *at = found; at && !connected; at = at->ai_next) {
        if (sink->socket >= 0) close(sink->socket);
        sink->socket = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        connected = sink->socket >= 0 && reached(sink->socket, at->ai_addr, at->ai_addrlen);
    }
    freeaddrinfo(found);
    return connected;
}

static bool reach(struct sink *sink)
{
    struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
    if (sink->socket >= 0) close(sink->socket);
    sink->socket = -1;
    if (sink->kind == SINK_UNIX ? !connect_unix(sink) : !connect_host(sink)) return false;
    return setsockopt(sink->socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0;
}

int sink_open(const char *address, struct sink **ret_sink)
{
    struct sink *sink = calloc(1, sizeof *sink);
    if (!sink) return complain(EXIT_UNAVAILABLE, "%s", result_text(result_of(NO_MEMORY)));
    sink->socket = -1;
    sink->address = address;
    if (gethostname(sink->self, sizeof sink->self - 1) != 0 || !sink->self[0] || strchr(sink->self, ' '))
        snprintf(sink->self, sizeof sink->self, "-");
    int code = EXIT_DONE;
    if (address && !parse(sink, address))
        code = complain(EXIT_USAGE, "--syslog: not udp:HOST:PORT, tcp:HOST:PORT or unix:PATH: %s", address);
    else if (address && !reach(sink))
        code = complain(EXIT_UNAVAILABLE, "%s: %s", address, strerror(errno));
    if (code != EXIT_DONE) {
        sink_close(sink);
        return code;
    }
    *ret_sink = sink;
    return EXIT_DONE;
}

void sink_close(struct sink *sink)
{
    if (!sink) return;
    if (sink->socket >= 0) close(sink->socket);
    text_free(&sink->message);
    free(sink);
}

/* ---- messages ---- */

static bool send_all(struct sink *sink, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(sink->socket, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool send_line(struct sink *sink, const char *line, size_t size)
{
    struct text *message = &sink->message;
    struct timespec now;
    text_clear(message);
    clock_gettime(CLOCK_REALTIME, &now);
    text_format(message, "<%d>1 ", PRIORITY);
    text_time(message, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    text_format(message, " %s otpring-log %d - - ", sink->self, (int)getpid());
    text_bytes(message, line, size);
    if (message->size > DATAGRAM_MAX) message->size = DATAGRAM_MAX;
    if (sink->kind == SINK_TCP) {
        char count[32];
        int digits = snprintf(count, sizeof count, "%zu ", message->size);
        if (!send_all(sink, count, (size_t)digits)) return false;
    }
    return send_all(sink, message->bytes, message->size);
}

bool sink_put(struct sink *sink, const char *lines, size_t size)
{
    if (size == 0) return true;
    if (sink->kind == SINK_STDOUT) return fwrite(lines, 1, size, stdout) == size;
    const char *end = lines + size;
    while (lines < end) {
        const char *stop = memchr(lines, '\n', (size_t)(end - lines));
        if (!stop) stop = end;
        if (!send_line(sink, lines, (size_t)(stop - lines))) return false;
        lines = stop + 1;
    }
    return true;
}

bool sink_flush(struct sink *sink)
{
    return sink->kind != SINK_STDOUT || fflush(stdout) == 0;
}

bool sink_again(struct sink *sink)
{
    return sink->kind != SINK_STDOUT && reach(sink);
}
