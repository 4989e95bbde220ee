/* A planted bug, for tests/e2e/sabotage alone (OTPRING_SABOTAGE=early-answer): a synced write is told done at once, and
 * leaves 20 ms later, as an engine would have it that answers before its write is complete. */
#ifndef OTPRING_OS_SABOTAGE_H
#define OTPRING_OS_SABOTAGE_H

#include "os/os.h"

enum { OS_SABOTAGED = 1 << 30 }; /* in the flags of an operation of its own */

/* True when the operation was taken: a synced write, or a read or close while such writes are under way. */
bool sabotage_takes(struct os *os, struct os_op *op);

#endif
