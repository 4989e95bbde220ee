/* Points in time as people type them. Pure, any thread; the text may be anything. */
#ifndef OTPRING_BASE_MOMENT_H
#define OTPRING_BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970 (digits alone), or a UTC time as in 2026-01-31T12:00:00Z; later than 1970. */
bool moment_parse(const char *text, int64_t *ret_ms);

#endif
