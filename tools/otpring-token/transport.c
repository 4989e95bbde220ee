/* How documents reach the bank. In the field that is HTTP to the bank's auth server, which hands them on; here it is
 * the daemon's own socket, as an auth server would ask (PROTOCOL.md, ACTS.md), or standard output and input: one
 * document a line out, one answer a line in, for scripts that carry them in their own way. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "otpring/wire.h"
#include "token.h"

enum { ANSWER_LINE_MAX = 65536 };

static int link_file = -1;

static bool write_whole(const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t wrote = send(link_file, at, size, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        at += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static bool read_whole(void *bytes, size_t size)
{
    char *at = bytes;
    while (size > 0) {
        ssize_t got = recv(link_file, at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

/* The body of a frame of this kind, with a NUL behind it; NULL where something else came. */
static char *frame_read(uint16_t kind, size_t *ret_size)
{
    struct otpring_wire_header header;
    if (!read_whole(&header, sizeof(header)) || header.kind != kind || header.size < sizeof(header) ||
        header.size > OTPRING_WIRE_ADMIN_SIZE_MAX) {
        return NULL;
    }
    *ret_size = header.size - sizeof(header);
    char *body = malloc(*ret_size + 1);
    if (body && read_whole(body, *ret_size)) {
        body[*ret_size] = 0;
        return body;
    }
    free(body);
    return NULL;
}

static bool hello(void)
{
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello hello;
    } frame = {
        .header = {.size = sizeof(frame), .kind = OTPRING_WIRE_HELLO},
        .hello = {
            .version_min = OTPRING_WIRE_VERSION, .version_max = OTPRING_WIRE_VERSION, .slots = 1, .items_max = 1}};
    size_t size;
    char *body = write_whole(&frame, sizeof(frame)) ? frame_read(OTPRING_WIRE_HELLO_ANSWER, &size) : NULL;
    free(body);
    return body != NULL;
}

static bool link_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (link_file >= 0) return true;
    if (strlen(path) >= sizeof(address.sun_path)) {
        complain(EXIT_USAGE, "%s: the path of a socket is too long", path);
        return false;
    }
    strcpy(address.sun_path, path);
    link_file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool reached = link_file >= 0 && connect(link_file, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (!reached) complain(EXIT_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (reached && !hello()) {
        complain(EXIT_REFUSED, "%s: the daemon does not serve this user", path);
        reached = false;
    }
    if (!reached) transport_close();
    return reached;
}

static json_t *socket_ask(const struct settings *settings, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!text || !link_open(settings->socket)) {
        free(text);
        return NULL;
    }
    size_t size = strlen(text), answer_size;
    struct otpring_wire_header header = {.size = (uint32_t)(sizeof(header) + size), .kind = OTPRING_WIRE_ADMIN};
    bool sent = write_whole(&header, sizeof(header)) && write_whole(text, size);
    free(text);
    char *body = sent ? frame_read(OTPRING_WIRE_ADMIN_ANSWER, &answer_size) : NULL;
    json_t *answer = body ? json_loadb(body, answer_size, 0, NULL) : NULL;
    free(body);
    if (!answer) {
        complain(EXIT_UNAVAILABLE, "the daemon closed the connection before it answered; the same command goes on");
        transport_close();
    }
    return answer;
}

static json_t *line_ask(const json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT), *line = malloc(ANSWER_LINE_MAX);
    json_t *answer = NULL;
    if (text && line) {
        puts(text);
        fflush(stdout);
        if (fgets(line, ANSWER_LINE_MAX, stdin)) answer = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!answer) complain(EXIT_UNAVAILABLE, "no answer came on standard input; the same command goes on");
    }
    free(text);
    free(line);
    return answer;
}

json_t *transport_ask(const struct settings *settings, const json_t *document)
{
    if (!settings->socket) return line_ask(document);
    return socket_ask(settings, json_pack("{s:s,s:O}", "act", "enrol.device", "document", (json_t *)document));
}

json_t *transport_vouch(const struct settings *settings, const struct account *account)
{
    return socket_ask(
        settings, json_pack("{s:s,s:s,s:s}", "act", "enrol.vouch", "company", account->company, "user", account->user));
}

void transport_close(void)
{
    if (link_file >= 0) close(link_file);
    link_file = -1;
}
