/* The real machine's clocks, randomness and folders, for the real os. Nothing here waits for a disk but machine_list.
 */
#ifndef OTPRING_OS_MACHINE_H
#define OTPRING_OS_MACHINE_H

#include <time.h>

#include "os/os.h"

/* What adjtimex last said; one a thread, zeroed at first. */
struct machine_clock {
    uint64_t asked_ns;
    bool synchronised;
};

uint64_t machine_clock_ns(clockid_t clock);
struct os_time machine_time(struct machine_clock *clock);
/* CPUs that this process may run on; at least 1. */
unsigned machine_cpu_count(void);
/* Bytes of this process that are in memory; 0: not known. Opens a file of /proc. */
uint64_t machine_resident_size(void);
/* How often the calling thread has waited for pages of mapped files to come from the disk. */
uint64_t machine_disk_waits(void);
void machine_random(void *ret_bytes, size_t size);
/* Asks that the calling thread, once it has run for 0.1 ms, gives way at once to one that wakes up, and not only when
 * its slice (3 ms, counted by a tick of 4) has passed: Linux 6.12 and later; elsewhere nothing changes. What finishes a
 * write to the disk is such a thread. */
void machine_short_slice(void);
/* The calling thread gives way to those of the process that were not told so: what it does may take longer, what they
 * do may not. */
void machine_thread_yields(void);
/* As os_list. */
struct result machine_list(const char *folder, void (*each)(void *context, const char *name, uint64_t size),
                           void *context) MUST_USE;

#endif
