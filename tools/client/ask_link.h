/* The connection of an asker: frames of JSON out and in. Room-internal. */
#ifndef OTPRING_CLIENT_ASK_LINK_H
#define OTPRING_CLIENT_ASK_LINK_H

#include <jansson.h>
#include <sys/un.h>

#include "otpring/ask.h"
#include "otpring/wire.h"

enum { EVENTS_KEPT_MAX = 4096 };

struct otpring_asker {
    struct sockaddr_un address;
    int fd; /* -1: not connected */
    uint32_t timeout_ms;
    uint64_t tag;
    uint8_t *received; /* OTPRING_WIRE_ASK_ANSWER_SIZE_MAX */
    size_t received_size;
    json_t *events; /* array, oldest first: what was closed and not handed over */
    char last_error[256];
};

/* Milliseconds of a clock that never goes back. */
uint64_t ask_now_ms(void);
int ask_error(struct otpring_asker *asker, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Connected, or why not. */
int ask_connect(struct otpring_asker *asker, uint64_t deadline_ms);
void ask_disconnect(struct otpring_asker *asker);
/* Sends a frame of these items (a reference is taken over) and gives the array of answers, or a negative error. */
int ask_exchange(struct otpring_asker *asker, const char *act, json_t *items, json_t **ret_answers);
/* Takes in what comes until the deadline, or until there is an event. */
int ask_take_events(struct otpring_asker *asker, uint64_t deadline_ms);

#endif
