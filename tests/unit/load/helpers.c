#include "helpers.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "otp/otp.h"
#include "otpring/client.h"
#include "otpring/wire.h"

enum { TOKENS_MAX = 1 << 16, SESSIONS_MAX = 64, SLOTS = 64, LOOK_AHEAD = 10, FAR = 100, CONNECTIONS_MAX = 512 };

struct token {
    uint8_t account[8];
    struct otp_parameters parameters;
    uint8_t seed[64];
    size_t seed_size;
    uint64_t floor;
    uint32_t failures;
    bool live;
};

struct kept {
    uint32_t sequence;
    uint32_t size;
    uint8_t *answer;
};

struct fake_daemon {
    enum fake_manner manner;
    char folder[64];
    int listeners[2]; /* verify, admin */
    pthread_mutex_t lock;
    struct token *tokens; /* by the low bits of the account, linear probing */
    uint32_t token_count;
    uint32_t failures_max;
    uint32_t frame_count;
    uint64_t session_count;
    struct kept kept[SESSIONS_MAX][SLOTS];
    pthread_t acceptors[2];
    pthread_t threads[CONNECTIONS_MAX];
    int peers[CONNECTIONS_MAX];
    uint32_t thread_count;
};

struct peer {
    struct fake_daemon *daemon;
    int fd;
    bool admin;
};

static void require(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "fake daemon: %s\n", what);
    abort();
}

static struct token *find(struct fake_daemon *daemon, const uint8_t account[8])
{
    uint32_t at;
    memcpy(&at, account, sizeof at);
    for (at %= TOKENS_MAX;; at = (at + 1) % TOKENS_MAX) {
        struct token *token = &daemon->tokens[at];
        if (!token->seed_size || memcmp(token->account, account, 8) == 0) return token;
    }
}

static unsigned judge(struct fake_daemon *daemon, const struct otpring_wire_query *query)
{
    struct token *token = find(daemon, query->account);
    if (daemon->manner == FAKE_FAST || daemon->manner == FAKE_SLOW) return OTPRING_ACCEPTED;
    if (!token->live) return OTPRING_REJECTED;
    uint64_t first = token->floor ? token->floor - 1 : 0;
    uint32_t past = 0;
    for (uint64_t step = token->floor; step <= token->floor + FAR; step++) {
        if (otp_code(&token->parameters, token->seed, token->seed_size, step) != query->code) continue;
        if (step > token->floor + LOOK_AHEAD) {
            past = OTPRING_RESYNC;
            break;
        }
        token->floor = step + 1;
        token->failures = 0;
        return OTPRING_ACCEPTED;
    }
    if (token->floor && otp_code(&token->parameters, token->seed, token->seed_size, first) == query->code) {
        return daemon->manner == FAKE_ACCEPTS_REPLAYS ? OTPRING_ACCEPTED : OTPRING_REPLAYED;
    }
    if (++token->failures > daemon->failures_max) daemon->failures_max = token->failures;
    if (token->failures > 5) return OTPRING_THROTTLED;
    return past ? past : OTPRING_REJECTED;
}

static bool read_whole(int fd, void *to, size_t size)
{
    return recv(fd, to, size, MSG_WAITALL) == (ssize_t)size;
}

static bool answer_hello(struct peer *peer, const struct otpring_wire_header *header, const uint8_t *body)
{
    struct otpring_wire_hello hello;
    memcpy(&hello, body, sizeof hello);
    bool resumed = hello.session != 0;
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello_answer body;
    } answer = {
        .header = {.size = 64, .kind = OTPRING_WIRE_HELLO_ANSWER, .tag = header->tag},
        .body = {.version = 1,
                 .slots = hello.slots < SLOTS ? hello.slots : SLOTS,
                 .items_max = hello.items_max,
                 .resumed = resumed,
                 .session = resumed ? hello.session : ++peer->daemon->session_count,
                 .idle_timeout_s = 600},
    };
    answer.header.session = answer.body.session;
    return send(peer->fd, &answer, sizeof answer, MSG_NOSIGNAL) == (ssize_t)sizeof answer;
}

static bool answer_verify(struct peer *peer, const struct otpring_wire_header *header, const uint8_t *body)
{
    struct fake_daemon *daemon = peer->daemon;
    struct kept *kept = &daemon->kept[header->session % SESSIONS_MAX][header->slot % SLOTS];
    if (kept->sequence != header->sequence) {
        require(header->sequence == kept->sequence + 1, "a sequence after the last one");
        struct otpring_wire_header answer_header = *header;
        answer_header.kind++;
        answer_header.size = 32 + header->count * 16u;
        kept->answer = realloc(kept->answer, answer_header.size);
        kept->size = answer_header.size;
        kept->sequence = header->sequence;
        memcpy(kept->answer, &answer_header, sizeof answer_header);
        bool unavailable = daemon->manner == FAKE_OFTEN_UNAVAILABLE && ++daemon->frame_count % 7 == 0;
        for (uint32_t i = 0; i < header->count; i++) {
            struct otpring_wire_query query;
            memcpy(&query, body + i * sizeof query, sizeof query);
            struct otpring_wire_answer answer = {0};
            answer.verdict = (uint8_t)(unavailable ? OTPRING_UNAVAILABLE : judge(daemon, &query));
            memcpy(kept->answer + 32 + i * sizeof answer, &answer, sizeof answer);
        }
        if (daemon->manner == FAKE_CUTS && ++daemon->frame_count % 50 == 0) return false;
    } else {
        /* A retry: its tag may differ, our client's does not. */
        require(daemon->manner == FAKE_CUTS, "a retry without a cut");
    }
    return send(peer->fd, kept->answer, kept->size, MSG_NOSIGNAL) == (ssize_t)kept->size;
}

static json_t *add_batch(struct fake_daemon *daemon, json_t *request)
{
    const char *company = json_string_value(json_object_get(request, "company"));
    const char *algorithm = json_string_value(json_object_get(request, "algorithm"));
    json_t *users = json_object_get(request, "users"), *seeds = json_object_get(request, "seeds");
    require(company && strncmp(company, "otpring-load-", 13) == 0, "the reserved company name");
    require(json_array_size(users) == json_array_size(seeds) && json_array_size(users) <= 1000, "chunks of 1,000");
    for (size_t i = 0; i < json_array_size(users); i++) {
        uint8_t name[16];
        otpring_name(company, json_string_value(json_array_get(users, i)), name);
        struct token *token = find(daemon, name + 8);
        const char *seed = json_string_value(json_array_get(seeds, i));
        require(
            !result_failed(otp_base32_decode(seed, strlen(seed), token->seed, sizeof token->seed, &token->seed_size)),
            "base32");
        memcpy(token->account, name + 8, 8);
        token->parameters = (struct otp_parameters){.type = OTP_HOTP, .digits = 6};
        token->parameters.algorithm = strcmp(algorithm, "sha256") == 0 ? KERNEL_SHA256 : KERNEL_SHA1;
        token->live = true;
        daemon->token_count++;
    }
    return json_pack("{s:b, s:I}", "ok", 1, "added", (json_int_t)json_array_size(users));
}

/* A thousand a call, as the contract allows. */
static json_t *purge(struct fake_daemon *daemon)
{
    uint32_t removed = 0;
    for (uint32_t i = 0; i < TOKENS_MAX && removed < 1000; i++) {
        if (!daemon->tokens[i].live) continue;
        daemon->tokens[i].live = false;
        removed++;
    }
    daemon->token_count -= removed;
    return json_pack("{s:b, s:i, s:b}", "ok", 1, "removed", (int)removed, "more", daemon->token_count > 0);
}

static bool answer_admin(struct peer *peer, const struct otpring_wire_header *header, const uint8_t *body)
{
    json_t *request = json_loadb((const char *)body, header->size - 32, 0, NULL), *answer;
    require(request != NULL, "JSON");
    const char *act = json_string_value(json_object_get(request, "act"));
    if (strcmp(act, "token.add-batch") == 0) {
        answer = add_batch(peer->daemon, request);
    } else if (strcmp(act, "company.purge") == 0) {
        answer = purge(peer->daemon);
    } else {
        answer = json_pack("{s:b, s:s}", "ok", 1, "kernel", "fake");
    }
    char *text = json_dumps(answer, JSON_COMPACT);
    struct otpring_wire_header answer_header = {
        .size = (uint32_t)(32 + strlen(text)), .kind = OTPRING_WIRE_ADMIN_ANSWER, .tag = header->tag};
    bool sent = send(peer->fd, &answer_header, 32, MSG_NOSIGNAL) == 32 &&
                send(peer->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
    free(text);
    json_decref(answer);
    json_decref(request);
    return sent;
}

static void *serve(void *context)
{
    struct peer *peer = context;
    uint8_t *body = malloc(OTPRING_WIRE_ADMIN_SIZE_MAX);
    struct otpring_wire_header header;
    bool going_on = true;
    while (going_on && read_whole(peer->fd, &header, sizeof header)) {
        if (header.size > 32 && !read_whole(peer->fd, body, header.size - 32)) break;
        if (peer->daemon->manner == FAKE_SLOW && header.kind == OTPRING_WIRE_VERIFY) usleep(FAKE_SLOW_MS * 1000);
        pthread_mutex_lock(&peer->daemon->lock);
        going_on = header.kind == OTPRING_WIRE_HELLO    ? answer_hello(peer, &header, body)
                   : header.kind == OTPRING_WIRE_VERIFY ? answer_verify(peer, &header, body)
                                                        : answer_admin(peer, &header, body);
        pthread_mutex_unlock(&peer->daemon->lock);
    }
    shutdown(peer->fd, SHUT_RDWR);
    free(body);
    free(peer);
    return NULL;
}

struct acceptor {
    struct fake_daemon *daemon;
    int index;
};

static void *accept_all(void *context)
{
    struct acceptor acceptor = *(struct acceptor *)context;
    free(context);
    struct fake_daemon *daemon = acceptor.daemon;
    int fd;
    while ((fd = accept(daemon->listeners[acceptor.index], NULL, NULL)) >= 0) {
        struct peer *peer = malloc(sizeof *peer);
        *peer = (struct peer){.daemon = daemon, .fd = fd, .admin = acceptor.index == 1};
        pthread_mutex_lock(&daemon->lock);
        uint32_t at = daemon->thread_count++;
        require(at < CONNECTIONS_MAX, "too many connections");
        daemon->peers[at] = fd;
        require(pthread_create(&daemon->threads[at], NULL, serve, peer) == 0, "pthread_create");
        pthread_mutex_unlock(&daemon->lock);
    }
    return NULL;
}

struct fake_daemon *fake_daemon_start(enum fake_manner manner)
{
    static const char *const names[] = {"verify.sock", "admin.sock"};
    struct fake_daemon *daemon = calloc(1, sizeof *daemon);
    daemon->manner = manner;
    daemon->tokens = calloc(TOKENS_MAX, sizeof *daemon->tokens);
    pthread_mutex_init(&daemon->lock, NULL);
    strcpy(daemon->folder, "/tmp/otpring-load-test-XXXXXX");
    require(mkdtemp(daemon->folder) != NULL, "mkdtemp");
    for (int i = 0; i < 2; i++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", daemon->folder, names[i]);
        daemon->listeners[i] = socket(AF_UNIX, SOCK_STREAM, 0);
        require(bind(daemon->listeners[i], (void *)&address, sizeof address) == 0, "bind");
        require(listen(daemon->listeners[i], 64) == 0, "listen");
        struct acceptor *acceptor = malloc(sizeof *acceptor);
        *acceptor = (struct acceptor){daemon, i};
        require(pthread_create(&daemon->acceptors[i], NULL, accept_all, acceptor) == 0, "pthread_create");
    }
    return daemon;
}

const char *fake_daemon_store(const struct fake_daemon *daemon)
{
    return daemon->folder;
}

uint32_t fake_daemon_tokens(const struct fake_daemon *daemon)
{
    return daemon->token_count;
}

uint32_t fake_daemon_failures_max(const struct fake_daemon *daemon)
{
    return daemon->failures_max;
}

void fake_daemon_stop(struct fake_daemon *daemon)
{
    char path[96];
    for (int i = 0; i < 2; i++) {
        shutdown(daemon->listeners[i], SHUT_RDWR);
        pthread_join(daemon->acceptors[i], NULL);
        close(daemon->listeners[i]);
        snprintf(path, sizeof path, "%s/%s", daemon->folder, i ? "admin.sock" : "verify.sock");
        unlink(path);
    }
    for (uint32_t i = 0; i < daemon->thread_count; i++) {
        shutdown(daemon->peers[i], SHUT_RDWR);
        pthread_join(daemon->threads[i], NULL);
        close(daemon->peers[i]);
    }
    for (int i = 0; i < SESSIONS_MAX * SLOTS; i++) free(daemon->kept[i / SLOTS][i % SLOTS].answer);
    rmdir(daemon->folder);
    free(daemon->tokens);
    free(daemon);
}
