/* The scheduler: actors (workers, housekeeper) as coroutines of one thread. Which goes on at a switch is drawn from the
 * run's own generator, so a seed gives the same interleaving each time. */
#ifndef TESTS_SIM_SCHEDULE_H
#define TESTS_SIM_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "os/os.h"

enum { SCHEDULE_ACTORS_MAX = 4 };

/* Runs all actors until each has returned; false: they did not within `switches_max` switches. */
bool schedule_run(void (*const *actors)(void *context), unsigned count, void *context, uint64_t seed,
                  uint64_t switches_max);
/* Of 256 atomic loads, and of as many compare-and-swaps, so many let another actor go on. */
void schedule_shares(unsigned loads, unsigned swaps);
/* Lets another actor go on; nothing outside of schedule_run or while it is off. */
void schedule_yield(void);
/* Within an actor: no switches until on again. Nests. For work on other worlds in the middle of a run. */
void schedule_off(void);
void schedule_on(void);
/* Makes an os of the world switch to others whenever it is stepped, and wait shorter than asked for. */
void schedule_os(struct os *os);
/* Switches so far in this process, by the way. */
uint64_t schedule_switches(void);

#endif
