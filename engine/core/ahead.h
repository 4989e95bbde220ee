/* A start reads the store's tokens ahead: one more thread only touches their rows, so that what is not in memory comes
 * from the disk while all others open seeds. Where rows are in memory it jumps, and takes no time to speak of. */
#ifndef OTPRING_CORE_AHEAD_H
#define OTPRING_CORE_AHEAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct ahead {
    struct store *store;
    uint64_t (*disk_waits)(void);
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    uint64_t read; /* ordinals below it have been read by whoever loads; under the mutex, as is the next */
    bool stop;
};

enum {
    AHEAD_STEP = 8,     /* ordinals from one touched row to the next, fewer than a page has */
    AHEAD_LOOK = 256,   /* touched rows after which it looks whether the disk was waited for */
    AHEAD_JUMP = 65536, /* ordinals passed over where it was not */
    AHEAD_MOST =
        1 << 20, /* ordinals ahead: some 300 MB of the store, which memory should still have when they are read */
};

/* disk_waits: how often the thread that asks has waited for the disk (machine_disk_waits). Where no thread or no
 * transaction can be had, nothing is read ahead. */
void ahead_begin(struct ahead *ahead, struct store *store, uint64_t (*disk_waits)(void));
/* Whoever loads has come to this ordinal. */
void ahead_follow(struct ahead *ahead, uint32_t ordinal);
void ahead_end(struct ahead *ahead);

#endif
