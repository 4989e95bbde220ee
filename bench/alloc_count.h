/* Counts every call of malloc and its kin in this program, libraries included: for showing that a path allocates
 * nothing. Link alloc_count.c and look before and after. Any thread; approximate while others allocate. */
#ifndef OTPRING_BENCH_ALLOC_COUNT_H
#define OTPRING_BENCH_ALLOC_COUNT_H

#include <stdint.h>

uint64_t alloc_count(void);

#endif
