#include "otpring-relay/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/arena.h"
#include "otpring-relay/way.h"
#include "otpring/wire.h"

enum { AGAIN_MS = 1000 };

void link_close(struct link *link)
{
    if (link->file >= 0) close(link->file);
    link->file = -1;
}

static bool write_whole(int file, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t done = send(file, at, size, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

static bool read_exactly(int file, void *bytes, size_t size)
{
    for (char *at = bytes; size > 0;) {
        ssize_t done = recv(file, at, size, 0);
        if (done < 0 && errno == EINTR) continue;
        if (done == 0) errno = ECONNRESET;
        if (done <= 0) return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

/* The body of the next frame, which must be of this kind; NULL: errno says why. */
static char *frame_read(int file, unsigned kind, size_t *ret_size)
{
    struct otpring_wire_header header;
    if (!read_exactly(file, &header, sizeof header)) return NULL;
    size_t size = header.size - sizeof header;
    errno = EPROTO;
    if (header.size < sizeof header || size > OTPRING_WIRE_ADMIN_SIZE_MAX) return NULL;
    char *body = malloc(size + 1);
    if (!body || !read_exactly(file, body, size) || header.kind != kind) {
        /* An error frame: the daemon does not let this user administer. */
        if (header.kind == OTPRING_WIRE_ERROR) errno = EACCES;
        free(body);
        return NULL;
    }
    *ret_size = size;
    return body;
}

static bool hello(int file)
{
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello hello;
    } frame = {
        .header = {.size = sizeof frame, .kind = OTPRING_WIRE_HELLO},
        .hello = {
            .version_min = OTPRING_WIRE_VERSION, .version_max = OTPRING_WIRE_VERSION, .slots = 1, .items_max = 1}};
    size_t size;
    char *body = write_whole(file, &frame, sizeof frame) ? frame_read(file, OTPRING_WIRE_HELLO_ANSWER, &size) : NULL;
    free(body);
    return body != NULL;
}

static bool connection_make(struct link *link)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = LINK_WAIT_S};
    errno = ENAMETOOLONG;
    if (snprintf(address.sun_path, sizeof address.sun_path, "%s", link->path) >= (int)sizeof address.sun_path)
        return false;
    link->file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return link->file >= 0 && setsockopt(link->file, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
           setsockopt(link->file, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
           connect(link->file, (struct sockaddr *)&address, sizeof address) == 0 && hello(link->file);
}

static bool ready(struct link *link)
{
    if (link->file >= 0) return true;
    errno = EAGAIN;
    if (now_ms() < link->again_ms) return false;
    link->again_ms = now_ms() + AGAIN_MS;
    if (connection_make(link)) return true;
    int error = errno;
    link_close(link);
    errno = error;
    return false;
}

static json_t *exchange(struct link *link, const char *text, size_t size)
{
    struct otpring_wire_header header = {.size = (uint32_t)(sizeof header + size), .kind = OTPRING_WIRE_ADMIN};
    size_t answer_size;
    if (!ready(link)) return NULL;
    char *body = write_whole(link->file, &header, sizeof header) && write_whole(link->file, text, size)
                     ? frame_read(link->file, OTPRING_WIRE_ADMIN_ANSWER, &answer_size)
                     : NULL;
    if (!body) {
        int error = errno;
        link_close(link);
        errno = error;
        return NULL;
    }
    json_t *answer = json_loadb(body, answer_size, JSON_REJECT_DUPLICATES, NULL);
    if (!answer) errno = EPROTO;
    secret_wipe(body, answer_size);
    free(body);
    return answer;
}

json_t *link_ask(struct link *link, const json_t *request, char ret_error[LINK_ERROR_SIZE])
{
    errno = ENOMEM;
    char *text = json_dumps(request, JSON_COMPACT);
    size_t size = text ? strlen(text) : 0;
    json_t *answer = text ? exchange(link, text, size) : NULL;
    if (!answer) snprintf(ret_error, LINK_ERROR_SIZE, "%.150s: %s", link->path, strerror(errno));
    if (text) secret_wipe(text, size);
    free(text);
    return answer;
}
