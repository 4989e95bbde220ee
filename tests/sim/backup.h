/* A backup of a running engine as `otpring backup` makes it: core_backup, with a store that is copied in memory and
 * journal segments that are copied into a world of their own. */
#ifndef TESTS_SIM_BACKUP_H
#define TESTS_SIM_BACKUP_H

#include "machine.h"

struct backup {
    struct os_sim_world *world; /* its journal, durable */
    struct store *store;
    uint64_t ops; /* disk operations in the new world; said on failure too */
};

/* `backup` of the store that the machine's core has. */
struct result backup_store(struct store *store, const char *folder) MUST_USE;
/* Made by the machine's keeper; `inner`: the model of a store below the core's; `faults`: of the disk that is copied
 * to, or NULL. On failure there is no backup. */
struct result backup_make(struct machine *machine, struct store *inner, uint64_t seed,
                          const struct os_sim_faults *faults, struct backup *ret_backup) MUST_USE;

#endif
