#include "admin_socket/admin_socket.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpring/wire.h"

static bool send_whole(int file, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t sent = send(file, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool receive_whole(int file, void *bytes, size_t size)
{
    for (char *at = bytes; size > 0;) {
        ssize_t got = recv(file, at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = ECONNRESET;
        if (got <= 0) return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static bool frame_send(int file, uint16_t kind, uint16_t count, const void *body, size_t size)
{
    struct otpring_wire_header header = {
        .size = htole32((uint32_t)(sizeof header + size)), .kind = htole16(kind), .count = htole16(count)};
    errno = EMSGSIZE;
    if (size > OTPRING_WIRE_ADMIN_SIZE_MAX - sizeof header) return false;
    return send_whole(file, &header, sizeof header) && send_whole(file, body, size);
}

/* The body of the next frame; anything but the wanted kind is a failure. */
static char *frame_receive(int file, uint16_t wanted, size_t *ret_size)
{
    struct otpring_wire_header header;
    struct otpring_wire_error error = {0};
    if (!receive_whole(file, &header, sizeof header)) return NULL;
    size_t size = le32toh(header.size);
    unsigned kind = le16toh(header.kind);
    errno = EPROTO;
    if (size < sizeof header || size > OTPRING_WIRE_ADMIN_SIZE_MAX) return NULL;
    size -= sizeof header;
    char *body = malloc(size + 1);
    if (body && receive_whole(file, body, size)) {
        body[size] = '\0';
        *ret_size = size;
        if (kind == wanted) return body;
        if (kind == OTPRING_WIRE_ERROR && size >= sizeof error) memcpy(&error, body, sizeof error);
        errno = le16toh(error.code) == OTPRING_ERROR_NO_RIGHT ? EACCES : EPROTO;
    }
    int why = errno;
    free(body);
    errno = why;
    return NULL;
}

/* The kernel may end a waiting call early, for a signal or for what a ring of the same thread has left to do. */
static bool connected(int file, const struct sockaddr_un *address)
{
    int status;
    do {
        status = connect(file, (const struct sockaddr *)address, sizeof *address);
    } while (status != 0 && errno == EINTR);
    return status == 0;
}

int admin_socket_connect(const char *path, unsigned wait_s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = wait_s};
    errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof address.sun_path) return -1;
    memcpy(address.sun_path, path, strlen(path));
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0) return -1;
    if (setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 && connected(file, &address))
        return file;
    int why = errno;
    close(file);
    errno = why;
    return -1;
}

bool admin_socket_hello(int file)
{
    const struct otpring_wire_hello hello = {.version_min = htole16(OTPRING_WIRE_VERSION),
                                             .version_max = htole16(OTPRING_WIRE_VERSION),
                                             .slots = htole16(1),
                                             .items_max = htole16(1)};
    size_t size;
    char *answer = frame_send(file, OTPRING_WIRE_HELLO, 0, &hello, sizeof hello)
                       ? frame_receive(file, OTPRING_WIRE_HELLO_ANSWER, &size)
                       : NULL;
    free(answer);
    return answer != NULL;
}

bool admin_socket_say(int file, const char *json, size_t size)
{
    return frame_send(file, OTPRING_WIRE_ADMIN, 0, json, size);
}

char *admin_socket_hear(int file, size_t *ret_size)
{
    return frame_receive(file, OTPRING_WIRE_ADMIN_ANSWER, ret_size);
}

bool ask_socket_say(int file, const char *json, size_t size)
{
    return frame_send(file, OTPRING_WIRE_QUESTION, 1, json, size);
}

char *ask_socket_hear(int file, size_t *ret_size)
{
    return frame_receive(file, OTPRING_WIRE_QUESTION_ANSWER, ret_size);
}
