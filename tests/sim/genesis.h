/* The store that every simulated run begins with: enrolled tokens, two sessions, stopped cleanly. Made once a process.
 */
#ifndef TESTS_SIM_GENESIS_H
#define TESTS_SIM_GENESIS_H

#include "machine.h"
#include "people.h"
#include "model.h"

void genesis_make(void);
/* A machine of its own with that store, and what its clients know. */
void genesis_fork(uint64_t seed, struct os_sim_world **ret_world, struct store **ret_store, struct model *ret_model);
/* The same with companies and users in it. */
void genesis_fork_crowded(uint64_t seed, struct os_sim_world **ret_world, struct store **ret_store,
                          struct model *ret_model, struct people *ret_people);
/* One token of these under an account. */
struct result genesis_enrol(struct core_worker *worker, enum token token, enum sim_account account) MUST_USE;

#endif
