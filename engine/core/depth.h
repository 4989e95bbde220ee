/* How many turns of small frames a worker has in flight at once.
 *
 * A disk that works at several blocks together answers each as soon as one alone: while a few are under way the next
 * one goes after them. Other disks take one after another (a flush that drains the drive's queue; a loop device), and a
 * block behind two others waits three times: there all frames that come meanwhile gather for one block, and are durable
 * sooner. Nothing but a trial tells the two apart, since a block that always has two before it takes three times as
 * long either way: now and then some blocks go alone, and then some together. A fast disk is not tried: its blocks are
 * durable while the next turn is judged. */
#ifndef OTPRING_CORE_DEPTH_H
#define OTPRING_CORE_DEPTH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DEPTH_TURNS = 3,         /* in flight, where nothing speaks for one alone */
    DEPTH_SLOW_NS = 2000000, /* a disk that takes longer for a block is tried */
    DEPTH_FIRST = 16,        /* blocks before the first trial */
    DEPTH_PAUSE = 256,       /* and between trials */
    DEPTH_SAMPLES = 8,       /* blocks that count, of each half of a trial */
    DEPTH_HALF = 32,         /* blocks of a half, whether they count or not */
};

struct depth {
    uint32_t turns;      /* in flight, before small frames wait */
    uint64_t settled_ns; /* the block before */
    uint64_t step_ns;    /* from one block to the next, or from its append; moving average */
    uint32_t pause;      /* blocks until the next trial may begin */
    enum { DEPTH_RESTS, DEPTH_TRIES_ALONE, DEPTH_TRIES_TOGETHER } trial;
    uint32_t tried; /* blocks of this half of it */
    struct depth_half {
        uint32_t count;
        uint64_t ns;
    } alone, together; /* what blocks took from their append; and after those before them */
};

/* Of a block in flight. */
struct depth_block {
    uint64_t appended_ns;
    bool alone;
};

struct depth depth_make(void);
/* In the order of blocks; now_ns: a monotonic clock. */
void depth_settled(struct depth *depth, const struct depth_block *block, uint64_t now_ns);

#endif
