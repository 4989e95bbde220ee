/* A daemon that follows a script: a thread on a Unix socket in a temporary folder, driven step by step from the script
 * function. */
#ifndef OTPRING_TEST_CLIENT_HELPERS_H
#define OTPRING_TEST_CLIENT_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "otpring/client.h"
#include "otpring/wire.h"

enum { FAKE_SESSION = 0x11223344, FAKE_FRAME_SIZE_MAX = OTPRING_WIRE_FRAME_SIZE_MAX };

struct fake {
    char folder[64];
    char path[96];
    int listener;
    int peer;         /* -1: none */
    uint64_t session; /* granted to new hellos */
    uint16_t slots, items_max;
    uint32_t idle_timeout_s;
    uint64_t session_asked; /* in the last hello */
    void (*script)(struct fake *fake);
    void *context;
    unsigned long thread;
};

/* A frame as it came; `bytes` belong to whoever asked for it. */
struct fake_frame {
    struct otpring_wire_header header;
    size_t size;
    uint8_t bytes[FAKE_FRAME_SIZE_MAX];
};

void fake_start(struct fake *fake, void (*script)(struct fake *fake), void *context);
/* Waits for the script's end. */
void fake_stop(struct fake *fake);

/* Within a script. A failure ends the program with a line that says where: cmocka's assertions work in the main thread
 * only. */
void fake_accept(struct fake *fake);             /* without hello */
void fake_hello(struct fake *fake, bool resume); /* accept, read hello, answer it */
void fake_read(struct fake *fake, struct fake_frame *ret_frame);
void fake_write(struct fake *fake, const void *bytes, size_t size);
void fake_cut(struct fake *fake);
/* The answer frame: every item gets the verdict, item i the record base + i. Gives its size. */
size_t fake_answer_bytes(const struct fake_frame *frame, unsigned verdict, uint64_t record, uint8_t *ret_bytes);
void fake_answer(struct fake *fake, const struct fake_frame *frame, unsigned verdict, uint64_t record);
void fake_error(struct fake *fake, unsigned code, unsigned kind);
/* True once the other side has closed. */
bool fake_sees_end(struct fake *fake);
void fake_require(bool condition, const char *what);

struct otpring_client *fake_client(const struct fake *fake, uint32_t slots, uint32_t items_max, uint32_t timeout_ms);
void fake_sleep_ms(unsigned ms);

#endif
