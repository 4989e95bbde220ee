/* People and questions together, as a run and the checks after its crashes use them. */
#ifndef TESTS_SIM_CROWD_H
#define TESTS_SIM_CROWD_H

#include "asks.h"
#include "people.h"

/* What they know; copied for each crash. */
struct crowd {
    struct people people;
    struct asks asks;
};

/* What serves them; made anew at each start. */
struct crowd_desk {
    struct people_desk people;
    struct challenge_keep keep;
    struct machine *machine;
};

/* After machine_workers; on failure nothing is open. */
struct result crowd_open(struct crowd_desk *desk, struct machine *machine) MUST_USE;
void crowd_close(struct crowd_desk *desk);
/* Answers of the housekeeper's worker that are the administration's own; false: somebody else's. */
bool crowd_answered(struct crowd_desk *desk, const struct model *model, const struct core_answer *answer);
void crowd_hello_answered(struct crowd_desk *desk, const struct core_hello_answer *answer);

struct result crowd_step(struct crowd_desk *desk, struct crowd *crowd, struct model *model,
                         uint64_t (*draw)(void *context), void *context) MUST_USE;
void crowd_check(struct crowd_desk *desk, struct crowd *crowd, struct model *model);
/* The same for a store that was restored, of which this is what they knew when the backup was made. */
void crowd_check_restored(struct crowd_desk *desk, struct crowd *crowd, struct model *model);
/* And where blocks of the journal are gone: of people alone. */
void crowd_check_damaged(struct crowd_desk *desk, struct crowd *crowd, struct model *model);

#endif
