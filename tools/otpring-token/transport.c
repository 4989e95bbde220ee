/* How documents reach the bank. In the field that is HTTP to the bank's auth server, which hands them on; here it is
 * the daemon's own socket, as an auth server would ask (PROTOCOL.md, ACTS.md), or standard output and input: one
 * document a line out, one answer a line in, for scripts that carry them in their own way. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin_socket/admin_socket.h"
#include "os/arena.h"
#include "token.h"

enum { ANSWER_LINE_MAX = 65536 };

static int link_file = -1;

static bool link_open(const char *path)
{
    if (link_file >= 0) return true;
    link_file = admin_socket_connect(path, 0);
    if (link_file < 0) {
        complain(errno == ENAMETOOLONG ? EXIT_USAGE : EXIT_UNAVAILABLE, "%s: %s", path, strerror(errno));
        return false;
    }
    if (admin_socket_hello(link_file)) return true;
    complain(EXIT_REFUSED, "%s: the daemon does not serve this user", path);
    transport_close();
    return false;
}

static json_t *socket_ask(const struct settings *settings, json_t *request, bool question)
{
    char *text = json_dumps(request, JSON_COMPACT), *body = NULL;
    size_t size = text ? strlen(text) : 0, answer_size = 0;
    json_decref(request);
    if (!text || !link_open(settings->socket)) {
        free(text);
        return NULL;
    }
    if (question)
        body = ask_socket_say(link_file, text, size) ? ask_socket_hear(link_file, &answer_size) : NULL;
    else
        body = admin_socket_say(link_file, text, size) ? admin_socket_hear(link_file, &answer_size) : NULL;
    json_t *answer = body ? json_loadb(body, answer_size, 0, NULL) : NULL;
    /* Activation codes and codes of tokens pass through here. */
    secret_wipe(text, size);
    if (body) secret_wipe(body, answer_size);
    free(text);
    free(body);
    if (!answer) {
        complain(EXIT_UNAVAILABLE,
                 "the daemon closed the connection before it answered: is %s its %s.sock? If it is, the same command "
                 "goes on",
                 settings->socket, question ? "ask" : "admin");
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
    return socket_ask(settings, json_pack("{s:s,s:O}", "act", "enrol.device", "document", (json_t *)document), false);
}

json_t *transport_question(const struct settings *settings, const json_t *document)
{
    if (!settings->socket) return line_ask(document);
    json_t *frame = socket_ask(settings, json_pack("{s:s,s:[O]}", "act", "device", "items", (json_t *)document), true);
    if (!frame) return NULL;
    /* A frame that was refused as a whole is its own answer. */
    json_t *items = json_object_get(frame, "items"), *answer = items ? json_array_get(items, 0) : frame;
    json_incref(answer);
    json_decref(frame);
    return answer;
}

json_t *transport_vouch(const struct settings *settings, const struct account *account)
{
    return socket_ask(
        settings, json_pack("{s:s,s:s,s:s}", "act", "enrol.vouch", "company", account->company, "user", account->user),
        false);
}

void transport_close(void)
{
    if (link_file >= 0) close(link_file);
    link_file = -1;
}
