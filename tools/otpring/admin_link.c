/* Requests of administrators: to the daemon over admin.sock, or, when none runs, to the engine in this process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_socket/admin_socket.h"
#include "base/result.h"
#include "command.h"
#include "local.h"
#include "os/arena.h"

static int link_file = -1;
static struct local *link_local;

static int socket_open(const char *store)
{
    char path[4096];
    errno = ENAMETOOLONG;
    if (snprintf(path, sizeof path, "%s/admin.sock", store) >= (int)sizeof path) return -1;
    return admin_socket_connect(path, 0);
}

bool local_daemon_runs(const char *store)
{
    int file = socket_open(store);
    if (file >= 0) close(file);
    /* Somebody listens whom this user may not reach: that is a daemon too. */
    return file >= 0 || errno == EACCES || errno == EPERM;
}

static json_t *socket_ask(const char *text, size_t size)
{
    size_t answer_size;
    char *body = admin_socket_say(link_file, text, size) ? admin_socket_hear(link_file, &answer_size) : NULL;
    if (!body && errno == EMSGSIZE) {
        complain(EXIT_USAGE, "the request is too large");
        return NULL;
    }
    if (!body) {
        complain(EXIT_UNAVAILABLE, "the daemon closed the connection before it answered; whether the act was done can "
                                   "be seen with token list or otpring-log");
        return NULL;
    }
    json_t *answer = json_loadb(body, answer_size, 0, NULL);
    /* An answer may hold a fresh seed. */
    secret_wipe(body, answer_size);
    free(body);
    if (!answer) complain(EXIT_UNAVAILABLE, "the daemon's answer is not JSON");
    return answer;
}

static int link_open(const struct invocation *invocation)
{
    if (link_file >= 0 || link_local) return EXIT_DONE;
    if (local_daemon_runs(invocation->store)) {
        link_file = socket_open(invocation->store);
        if (link_file < 0) return complain(EXIT_UNAVAILABLE, "%s/admin.sock: %s", invocation->store, strerror(errno));
        if (admin_socket_hello(link_file)) return EXIT_DONE;
        close(link_file);
        link_file = -1;
        return complain(EXIT_REFUSED, "the daemon does not serve administrators to this user");
    }
    return local_open(invocation, &link_local);
}

/* What is wrong with the request itself, whatever the store holds. */
static bool is_input(enum result_code code)
{
    return code >= BAD_ARGUMENT && code <= STEP_TOO_FAR;
}

/* What the exit status says of a refusal: ask again, write it otherwise, or change something. */
static int exit_of_answer(json_t *answer)
{
    const char *name = json_string_value(json_object_get(answer, "code"));
    for (unsigned code = 0; name && code < RESULT_CODE_COUNT; code++) {
        struct result result = result_of((enum result_code)code);
        if (strcmp(result_name(result), name) != 0) continue;
        if (is_input(result.code)) return EXIT_USAGE;
        enum result_class class = result_class(result);
        return class == RESULT_RETRY || class == RESULT_FENCE ? EXIT_UNAVAILABLE : EXIT_REFUSED;
    }
    return EXIT_REFUSED;
}

/* The operator that asks, and the key out of its file. */
static int operator_add(const struct invocation *invocation, json_t *request)
{
    size_t size;
    if (!invocation->operator_name || json_object_get(request, "operator")) return EXIT_DONE;
    if (!invocation->operator_key_path)
        return complain(EXIT_USAGE, "operator %s needs a key: --operator-key FILE", invocation->operator_name);
    char *text = read_whole(invocation->operator_key_path, 4096, &size);
    if (!text) return EXIT_USAGE;
    text[strcspn(text, " \t\r\n")] = 0;
    json_object_set_new(request, "operator", json_string(invocation->operator_name));
    json_object_set_new(request, "key", json_string(text));
    secret_wipe(text, size);
    free(text);
    return EXIT_DONE;
}

json_t *admin_answer(struct invocation *invocation, json_t *request, int *ret_exit)
{
    *ret_exit = operator_add(invocation, request);
    if (*ret_exit == EXIT_DONE) *ret_exit = link_open(invocation);
    if (*ret_exit != EXIT_DONE) return NULL;
    char *text = json_dumps(request, JSON_COMPACT);
    if (!text) {
        *ret_exit = complain(EXIT_USAGE, "not enough memory");
        return NULL;
    }
    size_t size = strlen(text);
    json_t *answer = link_local ? local_ask(link_local, text, size) : socket_ask(text, size);
    secret_wipe(text, size);
    free(text);
    *ret_exit = !answer                                       ? EXIT_UNAVAILABLE
                : json_is_true(json_object_get(answer, "ok")) ? EXIT_DONE
                                                              : exit_of_answer(answer);
    return answer;
}

json_t *admin_ask(struct invocation *invocation, json_t *request, int *ret_exit)
{
    json_t *answer = admin_answer(invocation, request, ret_exit);
    if (!answer || json_is_true(json_object_get(answer, "ok"))) return answer;
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (invocation->json) print_json(answer);
    complain((enum exit_code) * ret_exit, "%s", error ? error : "refused");
    json_decref(answer);
    return NULL;
}

void admin_done(void)
{
    if (link_file >= 0) close(link_file);
    if (link_local) local_close(link_local);
    link_file = -1;
    link_local = NULL;
}
