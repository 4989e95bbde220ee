/* An administrator's day in one go: every kind of act there is, on accounts of their own. */
#ifndef TESTS_SIM_ACTS_H
#define TESTS_SIM_ACTS_H

#include "machine.h"
#include "model.h"

/* What the engine said was done, and so must be there from then on. */
struct acts {
    bool added[3];
    bool suspended; /* the first */
    bool removed;   /* the second */
    bool changed;   /* the third, with a row */
};

/* Whoever asks does not care what the others came to: what fails is only not done. */
void acts_run(struct machine *machine, struct acts *ret_acts);
/* On a machine that was started after it. */
void acts_there(struct machine *machine, const struct acts *acts, struct model *model);

#endif
