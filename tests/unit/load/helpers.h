/* A small daemon for the tests of otpring-load: both sockets, one thread a connection, HOTP judged by the plain rules
 * of the design. */
#ifndef OTPRING_TEST_LOAD_HELPERS_H
#define OTPRING_TEST_LOAD_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum fake_manner {
    FAKE_HONEST,
    FAKE_ACCEPTS_REPLAYS,   /* the defect that the load must find */
    FAKE_OFTEN_UNAVAILABLE, /* every seventh frame is not judged */
    FAKE_CUTS,              /* every fifth connection's frame is judged and the connection cut before the answer */
    FAKE_FAST,              /* everything is ACCEPTED unjudged: for measuring the load itself */
    FAKE_SLOW,              /* so too, FAKE_SLOW_MS after it was asked, connections side by side */
};

enum { FAKE_SLOW_MS = 3 };

struct fake_daemon;

/* In a folder of its own, whose name is the store. */
struct fake_daemon *fake_daemon_start(enum fake_manner manner);
const char *fake_daemon_store(const struct fake_daemon *daemon);
uint32_t fake_daemon_tokens(const struct fake_daemon *daemon);       /* enrolled now */
uint32_t fake_daemon_failures_max(const struct fake_daemon *daemon); /* the most that an account ever had in a row */
void fake_daemon_stop(struct fake_daemon *daemon);

#endif
