#include "admin.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpring/wire.h"

enum { ANSWER_TIMEOUT_S = 120 };

static int fail(struct admin *admin, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct admin *admin, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above */
    vsnprintf(admin->error, sizeof admin->error, format, arguments);
    va_end(arguments);
    return -1;
}

static int write_whole(struct admin *admin, const void *bytes, size_t size)
{
    const char *from = bytes;
    while (size) {
        ssize_t sent = send(admin->fd, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return fail(admin, "admin.sock: %s", strerror(errno));
        from += sent;
        size -= (size_t)sent;
    }
    return 0;
}

static int read_whole(struct admin *admin, void *bytes, size_t size)
{
    char *to = bytes;
    while (size) {
        ssize_t got = recv(admin->fd, to, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(admin, "admin.sock: %s", errno == EAGAIN ? "no answer in time" : strerror(errno));
        if (got == 0) return fail(admin, "admin.sock: the daemon closed the connection");
        to += got;
        size -= (size_t)got;
    }
    return 0;
}

static int send_frame(struct admin *admin, uint16_t kind, const void *body, size_t size)
{
    struct otpring_wire_header header = {.size = htole32((uint32_t)(sizeof header + size)), .kind = htole16(kind)};
    if (sizeof header + size > OTPRING_WIRE_ADMIN_SIZE_MAX) return fail(admin, "the request is too long");
    return write_whole(admin, &header, sizeof header) || write_whole(admin, body, size) ? -1 : 0;
}

/* The header of the answer to a frame of that kind; its size in the host's order. */
static int receive_header(struct admin *admin, uint16_t kind, struct otpring_wire_header *ret_header)
{
    if (read_whole(admin, ret_header, sizeof *ret_header)) return -1;
    uint32_t answer_size = le32toh(ret_header->size);
    if (le16toh(ret_header->kind) == OTPRING_WIRE_ERROR && answer_size == sizeof *ret_header + 16) {
        struct otpring_wire_error error;
        if (read_whole(admin, &error, sizeof error)) return -1;
        return fail(admin, "admin.sock: the daemon answers with error %u", le16toh(error.code));
    }
    if (le16toh(ret_header->kind) != kind + 1 || answer_size < sizeof *ret_header ||
        answer_size > OTPRING_WIRE_ADMIN_SIZE_MAX) {
        return fail(admin, "admin.sock: an answer of kind %u", le16toh(ret_header->kind));
    }
    ret_header->size = answer_size;
    return 0;
}

int admin_open(struct admin *admin, const char *store)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct otpring_wire_hello hello = {
        .version_min = htole16(1), .version_max = htole16(1), .slots = htole16(1), .items_max = htole16(1)};
    struct otpring_wire_hello_answer answer;
    struct otpring_wire_header header;
    struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
    admin->fd = -1;
    int size = snprintf(address.sun_path, sizeof address.sun_path, "%s/admin.sock", store);
    if (size < 0 || (size_t)size >= sizeof address.sun_path) return fail(admin, "%s: the path is too long", store);
    admin->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (admin->fd < 0) return fail(admin, "socket: %s", strerror(errno));
    setsockopt(admin->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(admin->fd, (void *)&address, sizeof address) != 0) {
        fail(admin, "%s: %s", address.sun_path, strerror(errno));
    } else if (send_frame(admin, OTPRING_WIRE_HELLO, &hello, sizeof hello) == 0 &&
               receive_header(admin, OTPRING_WIRE_HELLO, &header) == 0) {
        if (header.size == sizeof header + sizeof answer && read_whole(admin, &answer, sizeof answer) == 0) return 0;
        fail(admin, "%s: no proper hello answer", address.sun_path);
    }
    admin_close(admin);
    return -1;
}

void admin_close(struct admin *admin)
{
    if (admin->fd >= 0) close(admin->fd);
    admin->fd = -1;
}

int admin_say(struct admin *admin, const char *text, size_t size)
{
    return send_frame(admin, OTPRING_WIRE_ADMIN, text, size);
}

json_t *admin_hear(struct admin *admin)
{
    struct otpring_wire_header header;
    if (receive_header(admin, OTPRING_WIRE_ADMIN, &header)) return NULL;
    size_t size = header.size - sizeof header;
    char *body = malloc(size + 1);
    if (!body) fail(admin, "not enough memory");
    if (!body || read_whole(admin, body, size)) {
        free(body);
        return NULL;
    }
    json_t *answer = json_loadb(body, size, 0, NULL);
    free(body);
    if (!answer) {
        fail(admin, "admin.sock: the answer is not JSON");
    } else if (!json_is_true(json_object_get(answer, "ok"))) {
        const char *code = json_string_value(json_object_get(answer, "code"));
        const char *words = json_string_value(json_object_get(answer, "error"));
        fail(admin, "%s (%s)", words ? words : "refused", code ? code : "no code");
        json_decref(answer);
        answer = NULL;
    }
    return answer;
}

json_t *admin_ask(struct admin *admin, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    json_t *answer = NULL;
    json_decref(request);
    if (!text) {
        fail(admin, "not enough memory");
    } else if (admin_say(admin, text, strlen(text)) == 0) {
        answer = admin_hear(admin);
    }
    free(text);
    return answer;
}
