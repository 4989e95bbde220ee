/* The simulated memory: the arena of engine/os without system calls on the way, and allocations that fail when told. */
#ifndef TESTS_SIM_MEMORY_H
#define TESTS_SIM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* The Nth allocation from now on fails, and with `sticky` each after it; 0: none. Arena and heap count alike. */
void memory_fail_at(uint64_t number, bool sticky);
/* Allocations since the last memory_fail_at. */
uint64_t memory_count(void);

#endif
