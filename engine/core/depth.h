/* How many turns that small frames began a worker has in flight at once.
 *
 * A disk that works at several blocks together answers each as soon as one alone: while a few are under way the next
 * one goes after them. Other disks take one after another (a flush that drains the drive's queue; a loop device), and a
 * block behind two others waits for three: there all frames that come meanwhile gather for one block, and are durable
 * sooner.
 *
 * Under load a block of three in flight takes three steps on either disk, so nothing but a trial tells the two apart:
 * now and then some blocks are timed together, and then some alone (in this order, since after one alone all senders
 * that wait for answers come at once, in one block). With three in flight, and those that wait, frames are in four
 * groups, one of which leaves with each step; with one in flight they are in two. So one is better where a step takes
 * more than half as long as a block alone; three steps are measured, since what one takes depends on when blocks come.
 *
 * Disks that take less than two milliseconds are not tried: with one in flight these wait while turns are judged, and
 * frames of 16 came slower. Nor are they where workers leave each other no block alone. */
#ifndef OTPRING_CORE_DEPTH_H
#define OTPRING_CORE_DEPTH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/quick.h"

enum {
    DEPTH_TURNS = 3,         /* in flight, where nothing speaks for one */
    DEPTH_SLOW_NS = 2000000, /* a disk becomes slow when a step takes longer */
    DEPTH_FAST_NS = 1000000, /* and is so until one takes less */
    DEPTH_FIRST = 16,        /* blocks before the first trial */
    DEPTH_PAUSE = 256,       /* and between trials; doubled by each that finds the same again */
    DEPTH_PAUSE_MAX = 4096,  /* up to so many */
    DEPTH_SAMPLES = 8,       /* blocks that count, of each half of a trial */
    DEPTH_HALF = 32,         /* blocks of a half that has no more of those */
};

struct depth {
    uint32_t turns;      /* in flight, before small frames wait */
    uint32_t chosen;     /* the same, when no trial is under way */
    bool slow;           /* the disk */
    uint64_t settled_ns; /* the block before */
    uint64_t step_ns;    /* from one block to the next, or from its append; moving average */
    uint32_t pause;      /* blocks until the next trial may begin */
    uint32_t last_pause; /* 0: before the first trial */
    enum depth_trial { DEPTH_RESTS, DEPTH_TRIES_TOGETHER, DEPTH_TRIES_ALONE } trial;
    uint32_t tried;           /* blocks of this half of it */
    uint32_t samples;         /* those that count */
    struct quick alone, some; /* what blocks took from their append: alone; with others before them */
};

/* Of a block in flight. */
struct depth_block {
    uint64_t appended_ns;
    bool alone; /* no other was on its way to the disk */
};

struct depth depth_make(void);
/* In the order of blocks; now_ns: a monotonic clock. */
void depth_settled(struct depth *depth, const struct depth_block *block, uint64_t now_ns);

#endif
