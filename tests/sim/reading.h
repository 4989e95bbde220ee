/* Everything that reads a log, as otpring-log and an auditor do, on the log of a machine that may fail under it. */
#ifndef TESTS_SIM_READING_H
#define TESTS_SIM_READING_H

#include "journal/journal.h"
#include "model.h"
#include "os/os_sim.h"

/* What is there to be read, found without faults. */
struct reading {
    struct os_sim_world *world;
    uint8_t public_key[VAULT_PUBLIC_KEY_SIZE];
    uint64_t blocks;
    uint64_t checkpoints;
    struct journal_check_state state; /* where a check goes on: half way */
};

/* The log in this world, written by `vault`; ends the program where it cannot be read. */
void reading_prepare(struct os_sim_world *world, struct vault *vault, struct reading *ret_reading);
/* Reads it each way there is. What fails must fail by its own name: a disk or a memory that gives out is never called
 * a changed log, and what is given as whole is whole. */
void reading_run(const struct reading *reading, struct model *model);

#endif
