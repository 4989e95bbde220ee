#include "admin.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_socket/admin_socket.h"

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

/* What errno says of a connection. */
static int fail_link(struct admin *admin)
{
    return fail(admin, "admin.sock: %s",
                errno == EAGAIN       ? "no answer in time"
                : errno == ECONNRESET ? "the daemon closed the connection"
                : errno == EACCES     ? "the daemon does not let this user administer"
                                      : strerror(errno));
}

int admin_open(struct admin *admin, const char *store)
{
    char path[4096];
    admin->fd = -1;
    if (snprintf(path, sizeof path, "%s/admin.sock", store) >= (int)sizeof path)
        return fail(admin, "%.200s: the path is too long", store);
    admin->fd = admin_socket_connect(path, ANSWER_TIMEOUT_S);
    if (admin->fd < 0) return fail(admin, "%.400s: %s", path, strerror(errno));
    if (admin_socket_hello(admin->fd)) return 0;
    fail_link(admin);
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
    return admin_socket_say(admin->fd, text, size) ? 0 : fail_link(admin);
}

json_t *admin_hear(struct admin *admin)
{
    size_t size;
    char *body = admin_socket_hear(admin->fd, &size);
    if (!body) {
        fail_link(admin);
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
