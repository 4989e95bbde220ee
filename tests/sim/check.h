/* One crash schedule: the machine dies at this point, what its disk kept is drawn, an engine is started on it, and the
 * model judges what that engine knows and answers. */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "crowd.h"
#include "machine.h"
#include "model.h"

enum { CHECK_DEPTH_MAX = 3 }; /* crashes one in the recovery of the other */

struct check_counts {
    uint64_t schedules;
    uint64_t process_deaths; /* of these: the process alone died */
    uint64_t in_recovery;    /* of these: crashed again while an earlier one was recovered from */
    uint64_t refused;        /* starts that were refused, rightly */
    uint64_t damaged;        /* schedules with damage beside the crash */
    uint64_t restores;       /* of an older backup */
    uint64_t logs_read;
    uint64_t crowds; /* people and questions judged after a start */
    uint64_t stops;  /* that were stopped cleanly and started once more */
};

/* What may be wrong beside the crash. */
struct check_world {
    const struct os_sim_world *world;
    struct store *store;
    const struct machine_shape *shape;
    bool clock;       /* the clock was tampered with: an operator consents to it after the start */
    bool rot;         /* a bit of a block that was answered from is turned over on the disk, or a file is cut short */
    bool read_error;  /* sectors of the journal are to become unreadable */
    bool spoiled;     /* some are already */
    bool forgot;      /* a write or its flush failed: what a dead process leaves, and a cut soon after, tell most */
    bool write_lied;  /* a write of the run said done and was not, or went elsewhere */
    uint64_t lost[3]; /* positions of blocks that are gone; 0: none */
    bool other_lost;  /* a write that lied took something else: a header, a spare */
    bool cut;         /* a file of the journal has lost its end */
    uint64_t durable; /* the engine's durable-through */
    const struct crowd *crowd; /* what people know by now; NULL: there are none */
    int64_t restore_now_ms;    /* not 0: the store is a backup, and this is the time now */
};

/* A crash now. The model is what clients know by now; it is not changed but for `broken`. */
void check_crash(const struct check_world *of, struct model *model, uint64_t seed);
const struct check_counts *check_counts(void);
/* The store is a backup that nobody has taken over yet. */
struct result check_restored_mark(struct store *store) MUST_USE;
/* Every check reads the whole log and stops cleanly, not one in some. */
void check_thorough(bool thorough);

#endif
