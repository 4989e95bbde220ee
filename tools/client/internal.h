/* The parts of libotpring among themselves. Nothing here is exported.
 *
 * Life of a frame: FREE -> QUEUED (waits to be sent) -> SENT (waits for its answer) -> DONE (waits to be handed over)
 * -> FREE. A lost connection puts what is SENT back to QUEUED with its bytes unchanged; a fault voids what is QUEUED or
 * SENT. A frame's index is its slot on the wire, so at most one frame of a slot is ever unanswered. Bytes from the
 * daemon may be hostile. */
#ifndef OTPRING_CLIENT_INTERNAL_H
#define OTPRING_CLIENT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "otpring/client.h"
#include "otpring/wire.h"

#define PUBLIC __attribute__((visibility("default")))

enum {
    SLOTS_DEFAULT = 16,
    ITEMS_DEFAULT = 1024,
    TIMEOUT_DEFAULT_MS = 5000,
    RETRY_DELAY_MIN_MS = 10,
    RETRY_DELAY_MAX_MS = 1000,
    LATE_ANSWER_KEPT_MS = 60 * 1000, /* how long the answer of an abandoned blocking call waits for the same call */
    SLOT_BITS = 10,                  /* of a ticket: its slot */
};
_Static_assert(1 << SLOT_BITS == OTPRING_WIRE_SLOTS_MAX, "a slot number fits a ticket");

enum frame_state { FRAME_FREE, FRAME_QUEUED, FRAME_SENT, FRAME_DONE };

enum { PLACE_MALFORMED = 0xffff }; /* a query that was never sent */

struct frame {
    int64_t ticket; /* count of frames so far << SLOT_BITS | slot; the tag on the wire */
    enum frame_state state;
    uint32_t sequence;   /* the last one used in this slot and session */
    uint32_t size;       /* of the frame's bytes, header included; 0: nothing to send */
    uint32_t items_size; /* of its items alone, set when they are encoded */
    uint16_t kind;       /* VERIFY, RESYNC or OCRA */
    uint16_t sent;       /* items on the wire */
    uint16_t asked;      /* queries of the caller, malformed ones included */
    bool departed;       /* left whole at least once, so the daemon may have judged it */
    bool placed;         /* places[] says where each query stands on the wire; else one to one */
    bool blocking;       /* belongs to otpring_verify: never handed over by otpring_poll */
    bool abandoned;      /* its otpring_verify timed out */
    uint64_t abandoned_ms;
    uint8_t digest[32]; /* of an abandoned call's items, so that the same call finds it again */
    uint8_t *bytes;     /* header and items, wiped once answered */
    struct otpring_wire_answer *answers;
    uint16_t *places;
};

enum link_state { LINK_DOWN, LINK_HELLO, LINK_UP };

/* In the order in which it is read about. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct otpring_client {
    struct sockaddr_un address;
    uint32_t slots_wished;
    uint32_t items_wished;
    uint32_t timeout_ms;

    int fd;
    enum link_state link;
    uint64_t retry_at_ms;
    uint32_t retry_delay_ms;
    uint64_t last_heard_ms;
    bool had_session;

    uint64_t session; /* 0: none */
    uint32_t slots;   /* granted */
    uint32_t items;   /* granted */
    uint32_t idle_timeout_s;

    struct frame *frames; /* slots_wished of them */
    void *memory;         /* one mapping for all bytes, answers, places and the two buffers below */
    size_t memory_size;
    uint16_t *free_slots; /* a stack */
    uint32_t free_count;
    uint16_t *queue; /* ring of slots to be sent, oldest first */
    uint32_t queue_begin;
    uint32_t queue_count;
    uint32_t sent_offset; /* bytes of the queue's first frame that have left */
    uint16_t *done;       /* ring of slots whose answers wait */
    uint32_t done_begin;
    uint32_t done_count;
    uint32_t in_flight; /* QUEUED and SENT */
    int64_t frame_count;

    uint8_t *received;
    size_t received_size;
    size_t received_capacity;

    int pending_error; /* a fault that otpring_poll or otpring_verify has yet to tell */
    char last_error[256];
};

/* ---- connection.c ---- */

uint64_t client_now_ms(void);
/* Goes on as far as it can without waiting: connects, sends, receives. 0, or E_CONNECT, E_PROTOCOL, E_SESSION; the last
 * two have voided what was unanswered and are pending_error too. */
int client_pump(struct otpring_client *client);
/* Waits until the pump may get further, at most until the deadline. */
void client_wait(struct otpring_client *client, uint64_t deadline_ms);
/* Waits for a session, at most until the deadline. */
int client_connect(struct otpring_client *client, uint64_t deadline_ms);
/* Closes the connection; what was sent and not answered will be sent again. */
void client_disconnect(struct otpring_client *client);
int client_error(struct otpring_client *client, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- receive.c ---- */

/* One recv and everything whole in the buffer. 0, or an error as client_pump's. *ret_closed: the daemon closed. */
int client_receive(struct otpring_client *client, bool *ret_closed);

/* ---- frames.c ---- */

/* Room for the items of one frame: as many pairs as are wished, and the greatest item of OCRA. */
static inline size_t client_items_size(uint32_t items_wished)
{
    size_t size = items_wished * sizeof(struct otpring_wire_pair) + OTPRING_WIRE_OCRA_SIZE_MAX;
    size_t most = OTPRING_WIRE_FRAME_SIZE_MAX - sizeof(struct otpring_wire_header);
    return size < most ? size : most;
}

bool client_memory_create(struct otpring_client *client);
void client_memory_destroy(struct otpring_client *client);
/* A new session: sequences begin again, and only granted slots are free. Frames that never left are numbered anew; the
 * others are void. True when there were any of those. */
bool frames_begin_session(struct otpring_client *client);
/* Late answers that nobody came back for in time are dropped. */
void frames_expire(struct otpring_client *client);
/* A free slot's frame, or NULL. Gives up late answers where that makes room. */
struct frame *frames_take(struct otpring_client *client);
/* Fills in the header and queues it (or finishes it when it has no items). */
void frames_queue(struct otpring_client *client, struct frame *frame);
/* After a lost connection: everything unanswered, in the order of submission. */
void frames_queue_again(struct otpring_client *client);
/* Everything unanswered is gone and undecided. */
void frames_void(struct otpring_client *client);
/* The answer has come: items are wiped, the frame waits to be handed over. */
void frames_finish(struct otpring_client *client, struct frame *frame);
/* The oldest finished frame that otpring_poll may hand over, or NULL. */
struct frame *frames_next_done(struct otpring_client *client);
void frames_release(struct otpring_client *client, struct frame *frame);
/* The caller's answers, at most capacity; returns how many. */
size_t frames_copy_answers(const struct frame *frame, struct otpring_answer *ret_answers, size_t capacity);

/* ---- submit.c, ocra.c ---- */

int client_prepare(struct otpring_client *client, uint64_t deadline_ms);
/* Queries (of one kind of struct) into a frame's items, sizes and places. 0, or OTPRING_E_ARGUMENT. */
typedef int client_encode_function(struct otpring_client *client, struct frame *frame, const void *queries,
                                   size_t count);
client_encode_function client_encode, client_encode_ocra;
int64_t client_submit(struct otpring_client *client, client_encode_function *encode, const void *queries, size_t count);

/* ---- client.c ---- */

int client_verify(struct otpring_client *client, client_encode_function *encode, const void *queries, size_t count,
                  struct otpring_answer *ret_answers);

#endif
