/* One engine on one simulated machine: the parts as shipped, put together as the daemon does it. */
#ifndef TESTS_SIM_MACHINE_H
#define TESTS_SIM_MACHINE_H

#include "core/core.h"
#include "os/os_sim.h"

enum { MACHINE_WORKERS = 2, MACHINE_ITEMS_MAX = 48, MACHINE_KEPT_BLOCKS = 2 };

/* What a run may vary of the configuration. */
struct machine_shape {
    uint64_t segment_size;
    uint32_t depth_max;
    uint64_t keep_size;
    uint64_t checkpoint_bytes;
    uint32_t checkpoint_blocks;
    bool index;
    uint64_t busy_bytes;
};

struct machine {
    struct os_sim_world *world;
    struct store *store;
    struct os *os;
    struct os *keeper_os;
    struct os *worker_os[MACHINE_WORKERS];
    struct vault *vault;
    struct core *core;
    struct core_worker *keeper; /* housekeeping and acts */
    struct core_worker *workers[MACHINE_WORKERS];
    uint64_t bad_position; /* where a refused start found the journal corrupt */
};

struct machine_callbacks {
    void (*answered)(void *context, const struct core_answer *answer);
    void (*hello_answered)(void *context, const struct core_hello_answer *answer);
    void *context;
};

/* One key file for all stores of this process, in a folder of its own; removed at exit. Randomness of the vault is
 * drawn from a fixed seed from here on. */
void machine_keys(void);
/* Draws of the vault (nonces) begin again from here: each run of a seed seals the same bytes. */
void machine_random_seed(uint64_t seed);

/* A new store in `store`. */
struct result machine_init(struct store *store) MUST_USE;
/* restore_now_ms: take over a restored store; 0: a plain start. On failure nothing is left open. */
struct result machine_open(struct machine *machine, struct os_sim_world *world, struct store *store,
                           const struct machine_shape *shape, int64_t restore_now_ms) MUST_USE;
/* A worker of its own os for each of `count`, and the housekeeper. */
struct result machine_workers(struct machine *machine, unsigned count,
                              const struct machine_callbacks *callbacks) MUST_USE;
/* Everything in memory goes; all must be drained, or the journal poisoned and settled. */
void machine_close(struct machine *machine);
/* Steps and polls all workers once; false: an os is dead. */
bool machine_step(struct machine *machine);
int64_t machine_journal_ms(struct machine *machine);

extern const struct core_client machine_client;
extern const struct core_actor machine_actor;

#endif
