/* What the tests of the room share: an os of either kind with a folder of its own, and short ways to run one operation.
 */
#ifndef OTPRING_TESTS_UNIT_OS_HELPERS_H
#define OTPRING_TESTS_UNIT_OS_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "os/os.h"
#include "os/os_sim.h"
#include "os/os_uring.h"

struct fixture {
    struct os_sim_world *world; /* NULL: the real os */
    struct os *os;
    char folder[64];
    char path[2][128]; /* two names in the folder */
};

#define assert_ok(expression) assert_string_equal(result_name(expression), "OK")
#define assert_code(expression, code) assert_string_equal(result_name(expression), result_name(result_of(code)))

struct fixture *fixture_of_sim(uint64_t seed);
struct fixture *fixture_of_uring(uint32_t spin_ns);
void fixture_destroy(struct fixture *fixture);

int64_t run_open(struct os *os, const char *path, uint32_t flags);
int64_t run_file(struct os *os, enum os_kind kind, int file);
int64_t run_bytes(struct os *os, enum os_kind kind, int file, void *buffer, uint32_t size, uint64_t offset);
int64_t run_rename(struct os *os, const char *path, const char *path_to);
int64_t run_unlink(struct os *os, const char *path);
/* Creates (or opens) the folder's handle and syncs it. */
void run_sync_folder(struct fixture *fixture);

/* Remembers what came to `done`. */
struct seen {
    unsigned count;
    int64_t result;
    bool more;
};
void seen_done(struct os_op *op, int64_t result);

/* An aligned block full of one byte; a few of them, reused in turn. */
void *block_of(uint8_t byte);

#endif
