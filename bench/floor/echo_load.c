/* echo_load SOCKET BATCH CONNECTIONS IN-FLIGHT SECONDS: frames of BATCH x 32 bytes, made once, sent again and again to
 * null_server, and their answers counted: the floor of the transport. Neither side looks at an item. Prints JSON:
 * records a second, processor time of this side a record, latency of one frame (closed loop). */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "otpring/wire.h"

enum { RECEIVE_SIZE = 1 << 20, EVENTS_MAX = 256, LATENCIES_MAX = 1 << 20 };

struct connection {
    int fd;
    uint64_t send_left;   /* bytes of frames that are due and have not left */
    uint64_t send_offset; /* within the frames */
    uint64_t got;         /* answer bytes beyond whole frames */
    uint64_t sent_ns;     /* of the only frame in flight */
};

struct load {
    uint32_t batch, in_flight;
    uint64_t frame_size, answer_size;
    uint8_t *frames; /* in_flight of them in a row */
    uint64_t answered;
    double *latencies;
    uint32_t latency_count;
};

static uint8_t scratch[RECEIVE_SIZE];

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello hello;
    } frame = {.header = {.size = 64, .kind = OTPRING_WIRE_HELLO},
               .hello = {.version_min = 1, .version_max = 1, .slots = 16, .items_max = 4096}};
    uint8_t answer[64];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (void *)&address, sizeof address) != 0) die(path);
    if (send(fd, &frame, sizeof frame, MSG_NOSIGNAL) != sizeof frame ||
        recv(fd, answer, sizeof answer, MSG_WAITALL) != sizeof answer)
        die("hello");
    return fd;
}

static void make_frames(struct load *load)
{
    load->frame_size = sizeof(struct otpring_wire_header) + load->batch * sizeof(struct otpring_wire_query);
    load->answer_size = sizeof(struct otpring_wire_header) + load->batch * sizeof(struct otpring_wire_answer);
    load->frames = calloc(load->in_flight, load->frame_size);
    load->latencies = calloc(LATENCIES_MAX, sizeof *load->latencies);
    if (!load->frames || !load->latencies) die("memory");
    for (uint32_t i = 0; i < load->in_flight; i++) {
        struct otpring_wire_header header = {
            .size = (uint32_t)load->frame_size, .kind = OTPRING_WIRE_VERIFY, .count = (uint16_t)load->batch, .tag = i};
        memcpy(load->frames + i * load->frame_size, &header, sizeof header);
    }
}

/* The frames lie in a row, so what is due goes out in few calls. */
static bool send_due(struct load *load, struct connection *connection)
{
    uint64_t whole = load->frame_size * load->in_flight;
    while (connection->send_left) {
        uint64_t size = whole - connection->send_offset;
        if (size > connection->send_left) size = connection->send_left;
        ssize_t sent = send(connection->fd, load->frames + connection->send_offset, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) return false;
        if (sent < 0) die("send");
        connection->send_left -= (uint64_t)sent;
        connection->send_offset = (connection->send_offset + (uint64_t)sent) % whole;
    }
    return true;
}

static void receive(struct load *load, struct connection *connection)
{
    for (;;) {
        ssize_t got = recv(connection->fd, scratch, sizeof scratch, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) die("recv");
        connection->got += (uint64_t)got;
        uint64_t frames = connection->got / load->answer_size;
        connection->got %= load->answer_size;
        load->answered += frames;
        connection->send_left += frames * load->frame_size;
        if (load->in_flight == 1 && frames) {
            uint64_t now = now_ns();
            if (load->latency_count < LATENCIES_MAX)
                load->latencies[load->latency_count++] = (double)(now - connection->sent_ns) / 1000;
            connection->sent_ns = now;
        }
        if ((size_t)got < sizeof scratch) return;
    }
}

static void run(struct load *load, int epoll, uint64_t end_ns)
{
    struct epoll_event events[EVENTS_MAX];
    while (now_ns() < end_ns) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            receive(load, connection);
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
            if (!send_due(load, connection)) event.events |= EPOLLOUT;
            if (event.events != EPOLLIN || events[i].events & EPOLLOUT)
                epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
        }
    }
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double latency_at(const struct load *load, double part)
{
    return load->latency_count ? load->latencies[(uint32_t)(part * (load->latency_count - 1))] : 0;
}

int main(int count, char **arguments)
{
    static struct load load;
    uint32_t connections = count == 6 ? (uint32_t)atoi(arguments[3]) : 0;
    if (count != 6 || !connections || atoi(arguments[2]) < 1 || atoi(arguments[2]) > OTPRING_WIRE_ITEMS_MAX ||
        atoi(arguments[4]) < 1) {
        fputs("usage: echo_load SOCKET BATCH CONNECTIONS IN-FLIGHT SECONDS\n", stderr);
        return 2;
    }
    load.batch = (uint32_t)atoi(arguments[2]);
    load.in_flight = (uint32_t)atoi(arguments[4]);
    double seconds = atof(arguments[5]);
    make_frames(&load);
    struct connection *all = calloc(connections, sizeof *all);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!all || epoll < 0) die("memory");
    for (uint32_t i = 0; i < connections; i++) {
        all[i].fd = connect_to(arguments[1]);
        all[i].send_left = load.in_flight * load.frame_size;
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = &all[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event) != 0) die("epoll");
    }
    for (uint32_t i = 0; i < connections; i++) all[i].sent_ns = now_ns();
    run(&load, epoll, now_ns() + (uint64_t)(seconds * 2e8)); /* a fifth to warm up */
    uint64_t begin_answered = load.answered, begin_ns = now_ns();
    double begin_cpu = cpu_s();
    load.latency_count = 0;
    run(&load, epoll, begin_ns + (uint64_t)(seconds * 1e9));
    double items = (double)(load.answered - begin_answered) * load.batch, passed = (double)(now_ns() - begin_ns) / 1e9;
    double cpu = cpu_s() - begin_cpu;
    qsort(load.latencies, load.latency_count, sizeof *load.latencies, compare);
    printf(
        "{\"records_per_s\": %.0f, \"records\": %.0f, \"client_cpu_ns\": %.2f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n",
        items / passed, items, items > 0 ? cpu * 1e9 / items : 0, latency_at(&load, 0.5), latency_at(&load, 0.99));
    return 0;
}
