/* verify: one code, or a file of them, through libotpring when the daemon runs, else through the engine itself. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "local.h"
#include "verify_ocra.h"
#include "os/arena.h"
#include "otpring/client.h"

enum { BATCH = 1024, LINE_MAX_SIZE = 4096, INPUT_SIZE = 1 << 16, PAUSE_MS = 3 };

/* One way to verify, behind which the daemon or the engine stands. */
struct verifier {
    struct otpring_client *client; /* NULL: local */
    struct local *local;
};

static int verifier_open(const struct invocation *invocation, struct verifier *ret_verifier)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/verify.sock", invocation->store) >= (int)sizeof path)
        return complain(EXIT_USAGE, "the store's path is too long");
    *ret_verifier = (struct verifier){0};
    if (local_daemon_runs(invocation->store)) {
        struct otpring_options options = {.socket_path = path, .items_max = BATCH};
        int error = otpring_open(&options, &ret_verifier->client);
        return error < 0 ? complain(EXIT_UNAVAILABLE, "%s: %s", path, otpring_error_text(error)) : EXIT_DONE;
    }
    return local_open(invocation, &ret_verifier->local);
}

static int verifier_ask(struct verifier *verifier, const struct otpring_query *queries, size_t count,
                        struct otpring_answer *ret_answers)
{
    if (verifier->local) return local_verify(verifier->local, queries, count, ret_answers);
    int error = otpring_verify(verifier->client, queries, count, ret_answers);
    if (error >= 0) return EXIT_DONE;
    if (error == OTPRING_E_ARGUMENT) return complain(EXIT_USAGE, "%s", otpring_last_error(verifier->client));
    return complain(EXIT_UNAVAILABLE, "%s", otpring_last_error(verifier->client));
}

static int verifier_ask_ocra(struct verifier *verifier, const struct otpring_ocra_query *queries, size_t count,
                             struct otpring_answer *ret_answers)
{
    if (verifier->local) return local_verify_ocra(verifier->local, queries, count, ret_answers);
    int error = otpring_verify_ocra(verifier->client, queries, count, ret_answers);
    if (error >= 0) return EXIT_DONE;
    if (error == OTPRING_E_ARGUMENT) return complain(EXIT_USAGE, "%s", otpring_last_error(verifier->client));
    return complain(EXIT_UNAVAILABLE, "%s", otpring_last_error(verifier->client));
}

static int exit_of(enum otpring_verdict verdict)
{
    bool passes = verdict == OTPRING_ACCEPTED || verdict == OTPRING_NOT_REQUIRED;
    return passes ? EXIT_DONE : verdict == OTPRING_UNAVAILABLE ? EXIT_UNAVAILABLE : EXIT_REFUSED;
}

static void answer_print(const struct invocation *invocation, const struct otpring_answer *answer)
{
    const char *name = otpring_verdict_name(answer->verdict);
    if (!name) name = "UNAVAILABLE";
    if (invocation->json) {
        printf("{\"verdict\":\"%s\"", name);
        if (answer->verdict == OTPRING_THROTTLED) printf(",\"retry_after_s\":%u", answer->retry_after_s);
        if (answer->record)
            printf(",\"record\":\"%llu.%llu\"", (unsigned long long)(answer->record >> 14),
                   (unsigned long long)(answer->record & 0x3fff));
        puts("}");
    } else if (answer->verdict == OTPRING_THROTTLED) {
        printf("%s retry after %u s\n", name, answer->retry_after_s);
    } else {
        puts(name);
    }
}

/* A code, or a response to a challenge. */
static int ask_one(struct invocation *invocation, const struct otpring_query *query,
                   const struct otpring_ocra_query *ocra)
{
    struct otpring_answer answer;
    struct verifier verifier;
    int status = verifier_open(invocation, &verifier);
    if (status) return status;
    status = ocra ? verifier_ask_ocra(&verifier, ocra, 1, &answer) : verifier_ask(&verifier, query, 1, &answer);
    if (!status) {
        answer_print(invocation, &answer);
        status = exit_of(answer.verdict);
    }
    if (verifier.client) otpring_close(verifier.client);
    if (verifier.local) local_close(verifier.local);
    return status;
}

int run_required(struct invocation *invocation)
{
    struct otpring_query query = {.company = json_string_value(json_object_get(invocation->request, "company")),
                                  .user = json_string_value(json_object_get(invocation->request, "user")),
                                  .required = 1};
    if (!query.company || !query.user) return complain(EXIT_USAGE, "required needs --company and --user");
    return ask_one(invocation, &query, NULL);
}

static int verify_ocra(struct invocation *invocation, const char *code)
{
    struct ocra_given given;
    int status = ocra_given(invocation, code, &given);
    if (!status) status = ask_one(invocation, NULL, &given.query);
    secret_wipe(&given, sizeof given);
    return status;
}

static int verify_one(struct invocation *invocation)
{
    const char *company = json_string_value(json_object_get(invocation->request, "company"));
    const char *user = json_string_value(json_object_get(invocation->request, "user"));
    if (!company || !user || invocation->argument_count != 1)
        return complain(EXIT_USAGE, "verify needs --company, --user and a code");
    char typed[OCRA_RESPONSE_TYPED] = "";
    const char *code = invocation->arguments[0];
    if (strcmp(code, "-") == 0) {
        if (!fgets(typed, sizeof typed, stdin)) return complain(EXIT_USAGE, "no code on standard input");
        typed[strcspn(typed, "\r\n")] = 0;
        code = typed;
    }
    struct otpring_query query = {.company = company, .user = user, .code = code};
    int status = ocra_is_given(invocation) ? verify_ocra(invocation, code) : ask_one(invocation, &query, NULL);
    secret_wipe(typed, sizeof typed);
    return status;
}

/* One line: a code, or a response to a challenge. */
struct asked {
    bool is_ocra;
    struct otpring_query query;
    struct ocra_given ocra;
};

struct batch {
    char *lines[BATCH];
    json_t *parsed[BATCH];
    struct asked asked[BATCH];
    size_t count;
};

static bool json_parse(const char *line, json_t **ret_parsed, struct asked *ret_asked)
{
    *ret_parsed = json_loads(line, 0, NULL);
    ret_asked->is_ocra = json_object_get(*ret_parsed, "challenge") != NULL;
    if (ret_asked->is_ocra) return ocra_of_json(*ret_parsed, &ret_asked->ocra);
    ret_asked->query = (struct otpring_query){.company = json_string_value(json_object_get(*ret_parsed, "company")),
                                              .user = json_string_value(json_object_get(*ret_parsed, "user")),
                                              .code = json_string_value(json_object_get(*ret_parsed, "code"))};
    return ret_asked->query.company && ret_asked->query.user && ret_asked->query.code;
}

static bool line_parse(char *line, json_t **ret_parsed, struct asked *ret_asked)
{
    *ret_parsed = NULL;
    *ret_asked = (struct asked){0};
    if (line[0] == '{') return json_parse(line, ret_parsed, ret_asked);
    char *user = strchr(line, '\t');
    char *code = user ? strchr(user + 1, '\t') : NULL;
    if (!code) return false;
    *user++ = 0;
    *code++ = 0;
    ret_asked->query = (struct otpring_query){.company = line, .user = user, .code = code};
    return true;
}

static void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        secret_wipe(batch->lines[i], strlen(batch->lines[i]));
        free(batch->lines[i]);
        json_decref(batch->parsed[i]);
        secret_wipe(&batch->asked[i], sizeof batch->asked[i]);
    }
    batch->count = 0;
}

/* As many lines of one kind as follow from `from` on, and their verdicts. */
static int run_ask(struct verifier *verifier, const struct batch *batch, size_t from,
                   struct otpring_answer *ret_answers, size_t *ret_count)
{
    struct otpring_query queries[BATCH];
    struct otpring_ocra_query ocra[LOCAL_OCRA_MAX];
    bool is_ocra = batch->asked[from].is_ocra;
    size_t count = 0, most = is_ocra ? LOCAL_OCRA_MAX : BATCH;
    for (; count < most && from + count < batch->count; count++) {
        const struct asked *asked = &batch->asked[from + count];
        if (asked->is_ocra != is_ocra) break;
        if (is_ocra)
            ocra[count] = asked->ocra.query;
        else
            queries[count] = asked->query;
    }
    *ret_count = count;
    return is_ocra ? verifier_ask_ocra(verifier, ocra, count, ret_answers)
                   : verifier_ask(verifier, queries, count, ret_answers);
}

/* The exit status is the worst of all: UNAVAILABLE before refused before accepted. */
static int batch_ask(struct invocation *invocation, struct verifier *verifier, struct batch *batch, int *status)
{
    struct otpring_answer answers[BATCH];
    int failed = EXIT_DONE;
    for (size_t from = 0, count = 0; !failed && from < batch->count; from += count) {
        failed = run_ask(verifier, batch, from, answers, &count);
        for (size_t i = 0; !failed && i < count; i++) {
            int code = exit_of(answers[i].verdict);
            if (code > *status) *status = code;
            answer_print(invocation, &answers[i]);
        }
    }
    batch_clear(batch);
    return failed;
}

/* Lines of a file or a pipe. Whoever writes queries and waits for their verdicts before he writes more is answered:
 * what was read is verified when nothing more comes for a moment. */
struct input {
    int file;
    size_t at, end; /* of what was read and not taken yet */
    bool ended;
    char buffer[INPUT_SIZE];
};

/* Takes a line out of the buffer, without its end. A last line needs none. */
static bool line_take(struct input *input, char **ret_line)
{
    char *from = input->buffer + input->at;
    char *newline = memchr(from, '\n', input->end - input->at);
    if (!newline && !(input->ended && input->at < input->end)) return false;
    char *line_end = newline ? newline : input->buffer + input->end;
    *line_end = 0;
    input->at = newline ? (size_t)(newline + 1 - input->buffer) : input->end;
    *ret_line = from;
    return true;
}

static bool pauses(const struct input *input)
{
    struct pollfd poller = {.fd = input->file, .events = POLLIN};
    return poll(&poller, 1, PAUSE_MS) == 0;
}

/* Reads more; false when the line that stands in the buffer is too long, or the input cannot be read. */
static bool input_fill(struct input *input)
{
    size_t kept = input->end - input->at;
    if (kept >= LINE_MAX_SIZE) return false;
    memmove(input->buffer, input->buffer + input->at, kept);
    input->at = 0;
    input->end = kept;
    ssize_t got;
    do got = read(input->file, input->buffer + kept, INPUT_SIZE - 1 - kept);
    while (got < 0 && errno == EINTR);
    if (got < 0) return false;
    input->end += (size_t)got;
    input->ended = got == 0;
    return true;
}

/* False: it is no query. Blank lines are passed over. */
static bool line_add(struct batch *batch, char *line)
{
    line[strcspn(line, "\r")] = 0;
    if (!*line) return true;
    char *copy = strdup(line);
    size_t at = batch->count;
    batch->parsed[at] = NULL;
    if (!copy || strlen(line) >= LINE_MAX_SIZE || !line_parse(copy, &batch->parsed[at], &batch->asked[at])) {
        json_decref(batch->parsed[at]);
        free(copy);
        return false;
    }
    batch->lines[batch->count++] = copy;
    return true;
}

static int batch_flush(struct invocation *invocation, struct verifier *verifier, struct batch *batch, int *status)
{
    int failed = batch_ask(invocation, verifier, batch, status);
    fflush(stdout);
    return failed;
}

/* Who pipes lines in must know how far they got: every line before a bad one has its verdict, none behind. */
static int input_verify(struct invocation *invocation, struct verifier *verifier, struct input *input,
                        struct batch *batch, int *status)
{
    unsigned long long number = 1;
    for (int failed = EXIT_DONE; !failed;) {
        char *line;
        bool taken = line_take(input, &line);
        if (!taken && input->ended) return batch_flush(invocation, verifier, batch, status);
        if (!taken && batch->count > 0 && pauses(input)) failed = batch_flush(invocation, verifier, batch, status);
        if (failed) return failed;
        if (taken ? line_add(batch, line) : input_fill(input)) {
            number += taken;
            if (batch->count == BATCH) failed = batch_flush(invocation, verifier, batch, status);
            if (failed) return failed;
            continue;
        }
        failed = batch_flush(invocation, verifier, batch, status);
        return failed ? failed
                      : complain(EXIT_USAGE,
                                 "%s: line %llu is not company, user and code; the lines before it were verified, "
                                 "none from there on",
                                 invocation->batch_path, number);
    }
    return EXIT_DONE;
}

static int verify_batch(struct invocation *invocation)
{
    bool standard = strcmp(invocation->batch_path, "-") == 0;
    int file = standard ? STDIN_FILENO : open(invocation->batch_path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return complain(EXIT_USAGE, "%s: %s", invocation->batch_path, strerror(errno));
    struct verifier verifier;
    int failed = verifier_open(invocation, &verifier);
    if (failed) return failed;
    struct batch *batch = calloc(1, sizeof *batch);
    struct input *input = calloc(1, sizeof *input);
    int status = EXIT_DONE;
    if (batch && input) {
        input->file = file;
        failed = input_verify(invocation, &verifier, input, batch, &status);
        secret_wipe(input->buffer, sizeof input->buffer);
        batch_clear(batch);
    } else {
        failed = complain(EXIT_UNAVAILABLE, "not enough memory");
    }
    free(batch);
    free(input);
    if (!standard) close(file);
    if (verifier.client) otpring_close(verifier.client);
    if (verifier.local) local_close(verifier.local);
    return failed ? failed : status;
}

int run_verify(struct invocation *invocation)
{
    return invocation->batch_path ? verify_batch(invocation) : verify_one(invocation);
}
