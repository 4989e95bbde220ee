#include "helpers.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void fake_require(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "the scripted daemon saw something else: %s\n", what);
    abort();
}

static void *run(void *context)
{
    struct fake *fake = context;
    fake->script(fake);
    if (fake->peer >= 0) fake_cut(fake);
    return NULL;
}

void fake_start(struct fake *fake, void (*script)(struct fake *fake), void *context)
{
    *fake = (struct fake){.peer = -1,
                          .session = FAKE_SESSION,
                          .slots = 16,
                          .items_max = 1024,
                          .idle_timeout_s = 600,
                          .script = script,
                          .context = context};
    strcpy(fake->folder, "/tmp/otpring-client-XXXXXX");
    fake_require(mkdtemp(fake->folder) != NULL, "mkdtemp");
    snprintf(fake->path, sizeof fake->path, "%s/verify.sock", fake->folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    fake_require(bind(fake->listener, (void *)&address, sizeof address) == 0, "bind");
    fake_require(listen(fake->listener, 8) == 0, "listen");
    pthread_t thread;
    fake_require(pthread_create(&thread, NULL, run, fake) == 0, "pthread_create");
    fake->thread = thread;
}

void fake_stop(struct fake *fake)
{
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    unlink(fake->path);
    rmdir(fake->folder);
}

static void read_whole(struct fake *fake, void *to, size_t size)
{
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fake->peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    fake_require(recv(fake->peer, to, size, MSG_WAITALL) == (ssize_t)size, "a frame was awaited");
}

void fake_accept(struct fake *fake)
{
    struct pollfd event = {.fd = fake->listener, .events = POLLIN};
    fake_require(poll(&event, 1, 10000) == 1, "nobody connects");
    fake->peer = accept(fake->listener, NULL, NULL);
    fake_require(fake->peer >= 0, "accept");
}

void fake_hello(struct fake *fake, bool resume)
{
    struct fake_frame *frame = malloc(sizeof *frame);
    fake_accept(fake);
    fake_read(fake, frame);
    fake_require(frame->header.kind == OTPRING_WIRE_HELLO && frame->size == 64, "hello");
    struct otpring_wire_hello hello;
    memcpy(&hello, frame->bytes + 32, sizeof hello);
    fake->session_asked = hello.session;
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_hello_answer body;
    } answer = {
        .header = {.size = 64, .kind = OTPRING_WIRE_HELLO_ANSWER, .session = fake->session},
        .body = {.version = 1,
                 .slots = hello.slots < fake->slots ? hello.slots : fake->slots,
                 .items_max = hello.items_max < fake->items_max ? hello.items_max : fake->items_max,
                 .resumed = resume,
                 .session = fake->session,
                 .idle_timeout_s = fake->idle_timeout_s,
                 .kinds = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 10},
    };
    fake_write(fake, &answer, sizeof answer);
    free(frame);
}

void fake_read(struct fake *fake, struct fake_frame *ret_frame)
{
    read_whole(fake, &ret_frame->header, sizeof ret_frame->header);
    ret_frame->size = ret_frame->header.size;
    fake_require(ret_frame->size >= 32 && ret_frame->size <= sizeof ret_frame->bytes, "a frame's size");
    memcpy(ret_frame->bytes, &ret_frame->header, 32);
    if (ret_frame->size > 32) read_whole(fake, ret_frame->bytes + 32, ret_frame->size - 32);
}

void fake_write(struct fake *fake, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    while (size) {
        ssize_t sent = send(fake->peer, from, size, MSG_NOSIGNAL);
        if (sent <= 0) return; /* the client may well have gone: that is for the test to judge */
        from += sent;
        size -= (size_t)sent;
    }
}

void fake_cut(struct fake *fake)
{
    close(fake->peer);
    fake->peer = -1;
}

size_t fake_answer_bytes(const struct fake_frame *frame, unsigned verdict, uint64_t record, uint8_t *ret_bytes)
{
    struct otpring_wire_header header = frame->header;
    header.kind++;
    header.size = 32 + header.count * (uint32_t)sizeof(struct otpring_wire_answer);
    memcpy(ret_bytes, &header, sizeof header);
    for (unsigned i = 0; i < header.count; i++) {
        struct otpring_wire_answer answer = {.verdict = (uint8_t)verdict, .record = record + i};
        memcpy(ret_bytes + 32 + i * sizeof answer, &answer, sizeof answer);
    }
    return header.size;
}

void fake_answer(struct fake *fake, const struct fake_frame *frame, unsigned verdict, uint64_t record)
{
    uint8_t *bytes = malloc(FAKE_FRAME_SIZE_MAX);
    fake_write(fake, bytes, fake_answer_bytes(frame, verdict, record, bytes));
    free(bytes);
}

void fake_error(struct fake *fake, unsigned code, unsigned kind)
{
    struct {
        struct otpring_wire_header header;
        struct otpring_wire_error body;
    } frame = {.header = {.size = 48, .kind = OTPRING_WIRE_ERROR},
               .body = {.code = (uint16_t)code, .kind = (uint16_t)kind, .offset = 16}};
    fake_write(fake, &frame, sizeof frame);
}

bool fake_sees_end(struct fake *fake)
{
    struct pollfd event = {.fd = fake->peer, .events = POLLIN};
    uint8_t byte;
    return poll(&event, 1, 10000) == 1 && recv(fake->peer, &byte, 1, 0) <= 0;
}

struct otpring_client *fake_client(const struct fake *fake, uint32_t slots, uint32_t items_max, uint32_t timeout_ms)
{
    struct otpring_options options = {
        .socket_path = fake->path, .slots = slots, .items_max = items_max, .timeout_ms = timeout_ms};
    struct otpring_client *client;
    assert_int_equal(otpring_open(&options, &client), 0);
    return client;
}

void fake_sleep_ms(unsigned ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}
