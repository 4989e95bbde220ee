/* Whether an account is locked, for rooms above that take something else than a code for a proof. */
#ifndef OTPRING_CORE_LOCKED_H
#define OTPRING_CORE_LOCKED_H

#include "core/core.h"

/* Seconds for which failures lock this name, whatever the source they came from; 0: they do not, or it has no line. In
 * a turn, or while the act mutex is held (within a change, say). */
uint32_t core_locked_s(struct core *core, const uint8_t name[16], uint32_t now_s);

#endif
