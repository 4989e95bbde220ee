/* One crash schedule: the machine dies at this point, what its disk kept is drawn, an engine is started on it, and the
 * model judges what that engine knows and answers. */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "machine.h"
#include "model.h"

enum { CHECK_DEPTH_MAX = 3 }; /* crashes one in the recovery of the other */

struct check_counts {
    uint64_t schedules;
    uint64_t process_deaths; /* of these: the process alone died */
    uint64_t in_recovery;    /* of these: crashed again while an earlier one was recovered from */
    uint64_t refused;        /* starts that were refused, rightly */
    uint64_t logs_read;
    uint64_t stops; /* that were stopped cleanly and started once more */
};

/* What is wrong with the disk beside crashes: what a start may then say. */
struct check_damage {
    bool corrupt_allowed;
    bool read_error_allowed;
    uint64_t position; /* of the damaged block; 0: none is known */
};

/* A crash of `world` and `store` now. The model is what clients know by now; it is not changed but for `broken`. */
void check_crash(const struct os_sim_world *world, struct store *store, struct model *model,
                 const struct machine_shape *shape, const struct check_damage *damage, uint64_t seed);
const struct check_counts *check_counts(void);
/* Every check reads the whole log and stops cleanly, not one in some. */
void check_thorough(bool thorough);

#endif
