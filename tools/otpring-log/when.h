/* Times as people type them. Pure; the text may be anything. */
#ifndef TOOLS_OTPRING_LOG_WHEN_H
#define TOOLS_OTPRING_LOG_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/* One of:
 *
 *   -2h  -90s  -1d12h        so long before now: d, h, m, s, and w
 *   now  today  yesterday    the last two are their midnight, and may be followed by a time of day
 *   14:00  14:00:30          today
 *   2026-01-31               its midnight; may be followed by a time of day, after a blank or T, then by Z or +01:00
 *   @1769860800  @1769860800.5   seconds since 1970
 *
 * Without a zone it is local time (TZ). ISO 8601's fraction of a second may follow seconds. Not before 1970. */
bool when_parse(const char *text, int64_t now_ms, int64_t *ret_ms);

/* For --help. */
#define WHEN_HELP "TIME is -2h, now, yesterday, yesterday 14:00, 14:00, 2026-01-31T12:00:00Z or @SECONDS"

#endif
