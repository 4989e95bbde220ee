/* redis_web SOCKET TOKENS-FILE CONNECTIONS PIPELINE SECONDS: what a web team does with Redis. For each login the client
 * computes the TOTP code of the present step (OpenSSL's HMAC, from the seed) and compares it, then marks it as used:
 * SET otp:USER:STEP 1 NX EX 90, pipelined over the Unix socket. One thread, as one load thread is used elsewhere. When
 * every token was used the step moves on, so every SET is the first of its key. Prints JSON: verifications a second,
 * processor time of this side. Only answers "+OK" count; any other ends the program. */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tokens.h"

enum { COMMAND_SIZE_MAX = 96, ANSWER_SIZE = 5, EVENTS_MAX = 64, PIPELINE_MAX = 4096 };

struct connection {
    int fd;
    uint32_t waiting; /* answers of the pipeline that have not come */
    uint32_t part;    /* bytes of an answer cut off */
    double sent_s;
};

static struct token *tokens;
static uint32_t token_count, token_at, step;
static uint64_t answered;
static double latencies[1 << 18];
static uint32_t latency_count;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (void *)&address, sizeof address) != 0) die(path);
    return fd;
}

/* The code is right by construction; its cost is what counts. */
static uint32_t code_of(const struct token *token)
{
    uint64_t message = __builtin_bswap64(step);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size;
    uint32_t word;
    if (!HMAC(EVP_sha1(), token->seed, TOKEN_SEED_SIZE, (const void *)&message, 8, digest, &size)) die("HMAC");
    memcpy(&word, digest + (digest[19] & 15), sizeof word);
    return (__builtin_bswap32(word) & INT32_MAX) % 1000000;
}

static void send_pipeline(struct connection *connection, uint32_t pipeline)
{
    static char bytes[PIPELINE_MAX * COMMAND_SIZE_MAX];
    size_t size = 0, sent = 0;
    for (uint32_t i = 0; i < pipeline; i++) {
        const struct token *token = &tokens[token_at];
        char key[48];
        int key_size = snprintf(key, sizeof key, "otp:%s:%u", token->user, step);
        if (code_of(token) > 999999) die("a code");
        size += (size_t)snprintf(bytes + size, COMMAND_SIZE_MAX,
                                 "*6\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$1\r\n1\r\n$2\r\nNX\r\n$2\r\nEX\r\n$2\r\n90\r\n",
                                 key_size, key);
        if (++token_at == token_count) {
            token_at = 0;
            step++;
        }
    }
    while (sent < size) {
        ssize_t part = send(connection->fd, bytes + sent, size - sent, MSG_NOSIGNAL);
        if (part < 0) die("send");
        sent += (size_t)part;
    }
    connection->waiting = pipeline;
    connection->sent_s = bench_now_s();
}

static void receive(struct connection *connection)
{
    static const char expected[] = "+OK\r\n";
    static char bytes[64 << 10];
    ssize_t got = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) die("recv");
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] != expected[connection->part]) {
            fprintf(stderr, "redis_web: an answer other than +OK: %.*s\n", (int)(got - i > 60 ? 60 : got - i),
                    bytes + i);
            exit(1);
        }
        if (++connection->part < ANSWER_SIZE) continue;
        connection->part = 0;
        connection->waiting--;
        answered++;
    }
}

static void run(struct connection *connections, int epoll, uint32_t pipeline, double until_s)
{
    struct epoll_event events[EVENTS_MAX];
    (void)connections;
    while (bench_now_s() < until_s) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, 1000);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            receive(connection);
            if (connection->waiting) continue;
            if (latency_count < sizeof latencies / sizeof *latencies)
                latencies[latency_count++] = bench_now_s() - connection->sent_s;
            send_pipeline(connection, pipeline);
        }
    }
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int count, char **arguments)
{
    if (count != 6 || atoi(arguments[3]) < 1 || atoi(arguments[4]) < 1 || atoi(arguments[4]) > PIPELINE_MAX) {
        fputs("usage: redis_web SOCKET TOKENS-FILE CONNECTIONS PIPELINE SECONDS\n", stderr);
        return 2;
    }
    uint32_t connection_count = (uint32_t)atoi(arguments[3]), pipeline = (uint32_t)atoi(arguments[4]);
    double seconds = atof(arguments[5]);
    tokens = tokens_read(arguments[2], &token_count);
    step = (uint32_t)(bench_now_s() * 1000); /* never a step of an earlier round on the same server */
    struct connection *connections = calloc(connection_count, sizeof *connections);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || epoll < 0) die("memory");
    for (uint32_t i = 0; i < connection_count; i++) {
        connections[i].fd = connect_to(arguments[1]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) != 0) die("epoll");
        send_pipeline(&connections[i], pipeline);
    }
    run(connections, epoll, pipeline, bench_now_s() + seconds / 5); /* to warm up */
    double begin = bench_now_s(), cpu = bench_cpu_s();
    answered = 0;
    latency_count = 0;
    run(connections, epoll, pipeline, begin + seconds);
    double passed = bench_now_s() - begin, items = (double)answered;
    qsort(latencies, latency_count, sizeof *latencies, compare);
    printf("{\"verifications_per_s\": %.0f, \"client_cpu_ns\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
           items / passed, (bench_cpu_s() - cpu) * 1e9 / (items > 0 ? items : 1),
           latency_count ? latencies[latency_count / 2] * 1e6 : 0,
           latency_count ? latencies[latency_count * 99 / 100] * 1e6 : 0);
    return 0;
}
