/* One connection to verify.sock, for a load: frames are built where they are sent from, what is queued leaves in one
 * call, what has come is read in one call and handed over where it lies. A lost connection is made again and what was
 * unanswered sent again, unchanged and in order, as PROTOCOL.md asks.
 *
 * One thread. All memory is taken from a room in link_open, and goes with the room. Only link_open and link_again wait.
 */
#ifndef OTPRING_LOAD_LINK_H
#define OTPRING_LOAD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "otpring/wire.h"
#include "room.h"

enum link_slot_state { LINK_FREE, LINK_QUEUED, LINK_SENT };

struct link_slot {
    uint32_t sequence;
    uint32_t size; /* of the frame, header included */
    uint32_t count;
    enum link_slot_state state;
    uint64_t number; /* frames before it on this link */
};

/* A session that outlives its link, for the next one of the same shape: a daemon has room for so many only. */
struct link_kept {
    uint64_t session; /* 0: none */
    uint32_t slot_count;
    uint32_t items_max;
    uint32_t *sequences; /* the last of each slot; owned, see link_forget */
};

struct link {
    int fd; /* -1: lost */
    const char *path;
    uint64_t session;
    uint32_t slot_count;
    uint32_t items_max;
    uint64_t number;
    size_t stride; /* between the frames of neighbouring slots */
    uint8_t *frames;
    struct link_slot *slots;
    uint32_t *free_ring; /* oldest first, so that frames queued together lie together */
    uint32_t free_begin, free_count;
    uint32_t *queue;
    uint32_t queue_begin, queue_count;
    uint32_t sent_offset; /* bytes of the queue's first frame that have left */
    bool limited;         /* hello was refused for want of a session */
    bool blocked;         /* the socket takes no more for now */
    uint8_t *received;
    uint32_t received_size, received_capacity;
    uint64_t retry_at_ns;
    char error[160]; /* not empty: nothing goes on */
};

/* 0, or -1 with link->error. path and room must stay. Goes on with the kept session where it fits and still lives. */
int link_open(struct link *link, const char *path, uint32_t slot_count, uint32_t items_max,
              const struct link_kept *kept, struct room *room);
/* ret_kept (may be NULL) takes the session over when nothing is unanswered. */
void link_close(struct link *link, struct link_kept *ret_kept);
void link_forget(struct link_kept *kept);

/* The queries of a free slot, to be filled; NULL when every slot is in flight. Taken only by link_queue. */
struct otpring_wire_query *link_begin(struct link *link, uint32_t *ret_slot);
void link_queue(struct link *link, uint32_t count);

/* Sends what is queued, as far as the socket takes it. */
void link_send(struct link *link);
/* Reads what has come and hands over each whole answer; its slot is free after the call. False: nothing more now. */
typedef void link_answered(void *context, uint32_t slot, const struct otpring_wire_answer *answers, uint32_t count);
bool link_receive(struct link *link, link_answered *answered, void *context);

/* For a lost link whose time has come: connects and queues again. */
void link_again(struct link *link, uint64_t now_ns);

#endif
