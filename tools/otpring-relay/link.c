#include "otpring-relay/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_socket/admin_socket.h"
#include "os/arena.h"
#include "otpring-relay/way.h"

enum { AGAIN_MS = 1000 };

void link_close(struct link *link)
{
    if (link->file >= 0) close(link->file);
    link->file = -1;
}

static bool connection_make(struct link *link)
{
    link->file = admin_socket_connect(link->path, LINK_WAIT_S);
    return link->file >= 0 && admin_socket_hello(link->file);
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
    size_t answer_size;
    if (!ready(link)) return NULL;
    char *body = admin_socket_say(link->file, text, size) ? admin_socket_hear(link->file, &answer_size) : NULL;
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
