/* Who is to be told when a challenge is closed. Memory is taken once; where it is used up, nobody more is told by
 * itself, and asking works as well. Room-internal. */
#ifndef OTPRING_APPROVAL_WATCH_H
#define OTPRING_APPROVAL_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/result.h"
#include "challenge/body.h"

struct watch {
    uint8_t id[CHALLENGE_ID_SIZE];
    uint64_t owner, tag;
    uint32_t next; /* in its bucket, among the due or the free ones; 0: the last */
};

/* Watches count from 1. */
struct watches {
    struct watch *all;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t capacity, fresh, free;
    uint32_t due_first, due_last; /* of challenges that are closed: in order */
};

struct result watches_create(uint32_t capacity, struct watches *ret_watches) MUST_USE;
void watches_destroy(struct watches *watches);

/* The same one twice is one. False: no room. */
bool watch_add(struct watches *watches, const uint8_t id[CHALLENGE_ID_SIZE], uint64_t owner, uint64_t tag);
/* The challenge is closed: all that watch it are due. */
void watch_close(struct watches *watches, const uint8_t id[CHALLENGE_ID_SIZE]);
/* The first that is due, taken out; false: none. */
bool watch_due(struct watches *watches, struct watch *ret_watch);
/* Back among the due ones, at the end. */
void watch_later(struct watches *watches, const struct watch *watch);

#endif
