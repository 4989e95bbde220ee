/* The simulated os: a world (disk, clock, scheduler) that several `struct os` share, driven by one seed; the same seed
 * and calls give the same run to the byte. One thread drives the whole world. No sockets: those kinds end with -ENOSYS.
 *
 * Disk: what a write put down is volatile until a data sync covers it (OS_WRITE_DSYNC when done, OS_SYNC); names are
 * volatile until the folder is synced. Operations complete in an order and after delays drawn from the seed. At a crash
 * each volatile 512-byte sector is kept, lost or torn by the seed, each volatile name change kept or lost, and every os
 * of the world is dead. */
#ifndef OTPRING_OS_OS_SIM_H
#define OTPRING_OS_OS_SIM_H

#include "os/os.h"

struct os_sim_world;

struct os_sim_options {
    uint64_t seed;
    int64_t wall_ms;       /* at the start */
    uint64_t disk_size;    /* bytes in all files; beyond it -ENOSPC; 0: 1 GiB */
    uint32_t delay_ns_max; /* of one disk operation, drawn evenly; 0: 200,000 */
};

/* Faults, each off at 0. Counted over all disk operations of the world from the call on. */
struct os_sim_faults {
    uint64_t fail_write_at;  /* the Nth write fails with -EIO and writes nothing ... */
    bool fail_sticky;        /* ... and so does each write after it */
    uint64_t short_write_at; /* the Nth write puts down only a part, and says so */
    uint64_t fail_read_at;   /* the Nth read fails with -EIO */
    uint64_t fail_sync_at;   /* the Nth sync fails with -EIO and keeps nothing, and no later sync does; with data sync,
                                after it wrote */
    uint64_t no_space_at;    /* the Nth write or allocation that makes a file longer fails with -ENOSPC */
    uint64_t fail_op_at;     /* the Nth operation of any kind but a close fails with -EIO and does nothing ... */
    bool fail_op_sticky;     /* ... and so does each after it */
    bool sync_lies;          /* data syncs say done and keep nothing: only for tests that prove this is noticed */
    uint64_t phantom_at;     /* the Nth write says done and puts nothing down */
    uint64_t misdirect_at;   /* the Nth write says done and lands elsewhere in its file */
    uint32_t slow_share;     /* of 256 operations so many take 100 times as long */
    uint64_t crash_at;       /* the world crashes when the Nth disk operation is about to complete */
};

/* Where a write went that fail, phantom_at or misdirect_at touched last, so that a test knows what was lost. */
struct os_sim_touched {
    uint64_t count;
    uint8_t head[64];   /* the first bytes of its buffer */
    uint8_t victim[64]; /* misdirected: the first bytes of what it overwrote */
};

struct result os_sim_world_create(const struct os_sim_options *options, struct os_sim_world **ret_world) MUST_USE;
void os_sim_world_destroy(struct os_sim_world *world);

/* A new os in the world (a thread of the engine). Dead after a crash: submit does nothing, step gives OS_FAILED. */
struct os *os_sim_create(struct os_sim_world *world);

void os_sim_faults_set(struct os_sim_world *world, const struct os_sim_faults *faults);
bool os_sim_crashed(const struct os_sim_world *world);
/* Crashes now (if it has not yet) and brings the disk to what survived; new os structs may then be created. */
void os_sim_crash(struct os_sim_world *world);

/* The machine as it would be found if it died now: a world of its own with a copy of the disk, on which what was in
 * flight and what was not synced is kept, torn or lost by `seed`. The given world does not notice. process_only: the
 * machine lives and one process died: what it wrote is all there, synced or not, and each write in flight went out
 * whole or not at all; clocks go on. Else the boot clock starts anew. */
struct result os_sim_world_fork(const struct os_sim_world *world, uint64_t seed, bool process_only,
                                struct os_sim_world **ret_world) MUST_USE;
/* The same for a power cut, with the writes in flight chosen: `choose` says of each 512-byte sector of each of them
 * what became of it. What was written before, and names, are kept. For going through every subset. */
enum os_sim_fate { OS_SIM_LOST, OS_SIM_KEPT, OS_SIM_TORN, OS_SIM_FATES };
struct result os_sim_world_fork_chosen(const struct os_sim_world *world,
                                       enum os_sim_fate (*choose)(void *context, unsigned write, unsigned sector),
                                       void *context, struct os_sim_world **ret_world) MUST_USE;
/* `watch` is called whenever the world is about to change for good: before each disk operation takes effect. It may
 * fork the world, not step it. */
void os_sim_watch(struct os_sim_world *world, void (*watch)(void *context), void *context);
const struct os_sim_touched *os_sim_touched(const struct os_sim_world *world);
/* Disk operations that completed in this world. */
uint64_t os_sim_op_count(const struct os_sim_world *world);
/* A hash over every operation that completed, its result and what it wrote: the same for the same seed and calls. */
uint64_t os_sim_trace(const struct os_sim_world *world);
/* From now on reads of this sector of the file fail with -EIO, until it is written. */
void os_sim_spoil(struct os_sim_world *world, const char *path, uint64_t offset);
/* The file has lost what stood from this byte on, as one whose growth was cut short. */
void os_sim_cut(struct os_sim_world *world, const char *path, uint64_t size);

/* Time stands still but for these and for what operations take. */
void os_sim_advance_ms(struct os_sim_world *world, uint64_t ms);  /* wall and boot clock */
void os_sim_step_wall_ms(struct os_sim_world *world, int64_t ms); /* wall clock alone */
void os_sim_synchronised_set(struct os_sim_world *world, bool synchronised);

/* The bytes as they are on the disk now, for damaging them in tests; NULL when there is no such file. */
uint8_t *os_sim_file(struct os_sim_world *world, const char *path, uint64_t *ret_size);

/* The next number of the world's generator, so that a test draws from the same seed. */
uint64_t os_sim_draw(struct os_sim_world *world);

#endif
