#include "ask_link.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_DEFAULT_MS = 5000, HEADER_SIZE = sizeof(struct otpring_wire_header), SLOTS = 16 };

uint64_t ask_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int ask_error(struct otpring_asker *asker, int error, const char *format, ...)
{
    va_list arguments;
    int size = snprintf(asker->last_error, sizeof asker->last_error, "%s: ", otpring_error_text(error));
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above */
    vsnprintf(asker->last_error + size, sizeof asker->last_error - (size_t)size, format, arguments);
    va_end(arguments);
    return error;
}

void ask_disconnect(struct otpring_asker *asker)
{
    if (asker->fd >= 0) close(asker->fd);
    asker->fd = -1;
    asker->received_size = 0;
}

/* ---- bytes ---- */

static int wait_for(struct otpring_asker *asker, short wanted, uint64_t deadline_ms)
{
    struct pollfd poll_one = {.fd = asker->fd, .events = wanted};
    for (;;) {
        uint64_t now_ms = ask_now_ms();
        uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        int got = poll(&poll_one, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (got > 0) return 0;
        if (got < 0 && errno != EINTR) return ask_error(asker, OTPRING_E_CONNECT, "poll: %s", strerror(errno));
        if (got == 0 && left_ms <= 60000) return ask_error(asker, OTPRING_E_TIMEOUT, "no answer in time");
    }
}

static int lost(struct otpring_asker *asker, const char *why)
{
    ask_disconnect(asker);
    return ask_error(asker, OTPRING_E_CONNECT, "%s", why);
}

static int send_all(struct otpring_asker *asker, const void *bytes, size_t size, uint64_t deadline_ms)
{
    for (const uint8_t *at = bytes; size > 0;) {
        ssize_t sent = send(asker->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            int error = wait_for(asker, POLLOUT, deadline_ms);
            /* Half a frame cannot be taken back. */
            if (error) ask_disconnect(asker);
            if (error) return error;
            continue;
        }
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return lost(asker, strerror(errno));
        at += sent;
        size -= (size_t)sent;
    }
    return 0;
}

/* One frame whole in `received`; 1: there is one, 0: not yet. */
static int frame_whole(struct otpring_asker *asker, struct otpring_wire_header *ret_header)
{
    if (asker->received_size < HEADER_SIZE) return 0;
    memcpy(ret_header, asker->received, HEADER_SIZE);
    ret_header->size = le32toh(ret_header->size);
    ret_header->kind = le16toh(ret_header->kind);
    ret_header->tag = le64toh(ret_header->tag);
    if (ret_header->size < HEADER_SIZE || ret_header->size > OTPRING_WIRE_ASK_ANSWER_SIZE_MAX) {
        ask_disconnect(asker);
        return ask_error(asker, OTPRING_E_PROTOCOL, "a frame of a size that there is not");
    }
    return asker->received_size >= ret_header->size;
}

static int frame_receive(struct otpring_asker *asker, uint64_t deadline_ms, struct otpring_wire_header *ret_header)
{
    for (;;) {
        int whole = frame_whole(asker, ret_header);
        if (whole != 0) return whole < 0 ? whole : 0;
        ssize_t got = recv(asker->fd, asker->received + asker->received_size,
                           OTPRING_WIRE_ASK_ANSWER_SIZE_MAX - asker->received_size, MSG_DONTWAIT);
        if (got > 0) {
            asker->received_size += (size_t)got;
            continue;
        }
        if (got == 0) return lost(asker, "the daemon closed the connection");
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return lost(asker, strerror(errno));
        int error = wait_for(asker, POLLIN, deadline_ms);
        if (error) return error;
    }
}

static void frame_drop(struct otpring_asker *asker, const struct otpring_wire_header *header)
{
    asker->received_size -= header->size;
    memmove(asker->received, asker->received + header->size, asker->received_size);
}

static int frame_fault(struct otpring_asker *asker, const struct otpring_wire_header *header)
{
    struct otpring_wire_error said = {0};
    if (header->size >= HEADER_SIZE + sizeof said) memcpy(&said, asker->received + HEADER_SIZE, sizeof said);
    ask_disconnect(asker);
    return ask_error(asker, OTPRING_E_PROTOCOL, "error %u of the daemon, about a frame of kind %u", le16toh(said.code),
                     le16toh(said.kind));
}

/* ---- connecting ---- */

static int greet(struct otpring_asker *asker, uint64_t deadline_ms)
{
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello hello;
    } frame = {.header = {.size = htole32(sizeof frame), .kind = htole16(OTPRING_WIRE_HELLO)},
               .hello = {.version_min = htole16(OTPRING_WIRE_VERSION),
                         .version_max = htole16(OTPRING_WIRE_VERSION),
                         .slots = htole16(SLOTS),
                         .items_max = htole16(OTPRING_BATCH_MAX)}};
    struct otpring_wire_header header;
    int error = send_all(asker, &frame, sizeof frame, deadline_ms);
    if (!error) error = frame_receive(asker, deadline_ms, &header);
    if (error) return error;
    if (header.kind != OTPRING_WIRE_HELLO_ANSWER) return frame_fault(asker, &header);
    frame_drop(asker, &header);
    return 0;
}

int ask_connect(struct otpring_asker *asker, uint64_t deadline_ms)
{
    if (asker->fd >= 0) return 0;
    asker->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (asker->fd < 0 || connect(asker->fd, (struct sockaddr *)&asker->address, sizeof asker->address) != 0) {
        int number = errno;
        ask_disconnect(asker);
        ask_error(asker, OTPRING_E_CONNECT, "%s: %s", asker->address.sun_path, strerror(number));
        errno = number;
        return OTPRING_E_CONNECT;
    }
    int error = greet(asker, deadline_ms);
    if (error) ask_disconnect(asker);
    return error;
}

/* ---- frames ---- */

static json_t *frame_json(const struct otpring_asker *asker, const struct otpring_wire_header *header)
{
    return json_loadb((const char *)asker->received + HEADER_SIZE, header->size - HEADER_SIZE, JSON_REJECT_DUPLICATES,
                      NULL);
}

static void event_keep(struct otpring_asker *asker, const struct otpring_wire_header *header)
{
    /* More than are ever fetched is told by otpring_wait as well. */
    if (json_array_size(asker->events) >= EVENTS_KEPT_MAX) json_array_remove(asker->events, 0);
    json_t *event = frame_json(asker, header);
    if (event) json_array_append_new(asker->events, event);
}

/* The frame that answers this tag; NULL with an error. */
static int answer_receive(struct otpring_asker *asker, uint64_t tag, uint64_t deadline_ms, json_t **ret_answer)
{
    for (;;) {
        struct otpring_wire_header header;
        int error = frame_receive(asker, deadline_ms, &header);
        if (error) return error;
        if (header.kind == OTPRING_WIRE_ERROR) return frame_fault(asker, &header);
        if (header.kind == OTPRING_WIRE_QUESTION_EVENT) event_keep(asker, &header);
        /* The answer to a call that was given up for lost is nobody's. */
        bool mine = header.kind == OTPRING_WIRE_QUESTION_ANSWER && header.tag == tag;
        if (mine) *ret_answer = frame_json(asker, &header);
        frame_drop(asker, &header);
        if (!mine) continue;
        if (*ret_answer) return 0;
        ask_disconnect(asker);
        return ask_error(asker, OTPRING_E_PROTOCOL, "an answer that is not JSON");
    }
}

static int frame_send(struct otpring_asker *asker, const char *text, size_t count, uint64_t deadline_ms)
{
    size_t size = strlen(text);
    struct otpring_wire_header header = {.size = htole32((uint32_t)(HEADER_SIZE + size)),
                                         .kind = htole16(OTPRING_WIRE_QUESTION),
                                         .count = htole16((uint16_t)count),
                                         .tag = htole64(++asker->tag)};
    if (HEADER_SIZE + size > OTPRING_WIRE_ASK_SIZE_MAX) return ask_error(asker, OTPRING_E_ARGUMENT, "too much at once");
    int error = send_all(asker, &header, sizeof header, deadline_ms);
    return error ? error : send_all(asker, text, size, deadline_ms);
}

static int answers_take(struct otpring_asker *asker, json_t *answer, size_t count, json_t **ret_answers)
{
    json_t *items = json_object_get(answer, "items");
    if (json_is_array(items) && json_array_size(items) == count) {
        *ret_answers = json_incref(items);
        json_decref(answer);
        return 0;
    }
    const char *error = json_string_value(json_object_get(answer, "error"));
    ask_error(asker, OTPRING_E_ARGUMENT, "%s", error ? error : "no answer to each item");
    json_decref(answer);
    return OTPRING_E_ARGUMENT;
}

int ask_exchange(struct otpring_asker *asker, const char *act, json_t *items, json_t **ret_answers)
{
    uint64_t deadline_ms = ask_now_ms() + asker->timeout_ms;
    size_t count = json_array_size(items);
    json_t *whole = json_pack("{s:s,s:o}", "act", act, "items", items), *answer = NULL;
    char *text = whole ? json_dumps(whole, JSON_COMPACT) : NULL;
    json_decref(whole);
    if (!text) return ask_error(asker, OTPRING_E_ARGUMENT, "a text that is not UTF-8, or not enough memory");
    int error = ask_connect(asker, deadline_ms);
    if (!error) error = frame_send(asker, text, count, deadline_ms);
    free(text);
    if (!error) error = answer_receive(asker, asker->tag, deadline_ms, &answer);
    return error ? error : answers_take(asker, answer, count, ret_answers);
}

int ask_take_events(struct otpring_asker *asker, uint64_t deadline_ms)
{
    while (json_array_size(asker->events) == 0) {
        struct otpring_wire_header header;
        int error = frame_receive(asker, deadline_ms, &header);
        if (error) return error;
        if (header.kind == OTPRING_WIRE_ERROR) return frame_fault(asker, &header);
        if (header.kind == OTPRING_WIRE_QUESTION_EVENT) event_keep(asker, &header);
        frame_drop(asker, &header);
    }
    return 0;
}

/* ---- life ---- */

int otpring_asker_open(const char *socket_path, uint32_t timeout_ms, struct otpring_asker **ret_asker)
{
    struct otpring_asker *asker = calloc(1, sizeof *asker);
    if (!asker) return OTPRING_E_MEMORY;
    asker->fd = -1;
    asker->timeout_ms = timeout_ms ? timeout_ms : TIMEOUT_DEFAULT_MS;
    asker->address.sun_family = AF_UNIX;
    asker->received = malloc(OTPRING_WIRE_ASK_ANSWER_SIZE_MAX);
    asker->events = json_array();
    bool fits = socket_path && strlen(socket_path) < sizeof asker->address.sun_path;
    if (fits && asker->received && asker->events) {
        strcpy(asker->address.sun_path, socket_path);
        *ret_asker = asker;
        return 0;
    }
    otpring_asker_close(asker);
    return fits ? OTPRING_E_MEMORY : OTPRING_E_ARGUMENT;
}

void otpring_asker_close(struct otpring_asker *asker)
{
    if (!asker) return;
    ask_disconnect(asker);
    json_decref(asker->events);
    free(asker->received);
    free(asker);
}

int otpring_asker_fd(const struct otpring_asker *asker)
{
    return asker->fd;
}

const char *otpring_asker_last_error(const struct otpring_asker *asker)
{
    return asker->last_error;
}
