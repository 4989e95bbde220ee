/* A core put together by hand on the simulated os, for tests of the verify path: no store, no enrolment, tokens put
 * straight into the table. Codes come from OpenSSL's HMAC. Every failure to set up ends the test. */
#ifndef TESTS_CORE_HELPERS_H
#define TESTS_CORE_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/internal.h"
#include "os/os_sim.h"

enum { FIXTURE_WORKERS = 3, FIXTURE_ANSWERS = 8192, FIXTURE_WALL_S = 1700000000 };

struct fixture;

/* What one worker answered last. */
struct answered {
    struct fixture *fixture;
    uint32_t frames; /* answered in all */
    uint64_t owner;
    uint32_t count;
    struct otpring_wire_answer answers[FIXTURE_ANSWERS];
    uint32_t hellos;
    struct core_hello_answer hello;
};

struct fixture {
    struct os_sim_world *world;
    struct os *os; /* of the fixture itself: start and housekeeping */
    struct os *worker_os[FIXTURE_WORKERS];
    struct core core;
    struct journal_writer *keeper;
    struct core_worker *workers[FIXTURE_WORKERS];
    struct answered answered[FIXTURE_WORKERS];
    struct core_client client; /* sees states, every company */
    uint64_t session;
    uint32_t sequences[1024];
    char folder[64];
    bool on_ring;
    uint32_t lines[KERNEL_ALGORITHM_COUNT];
    uint64_t next_owner;
};

struct token {
    uint8_t name[16];
    uint8_t seed[20];
    uint16_t profile;
    enum kernel_algorithm algorithm;
    uint32_t ordinal;
    struct table_hit hit;
};

enum { PROFILE_TOTP = 0, PROFILE_HOTP = 1, PROFILE_TOTP_SHA256_8 = 2, PROFILE_NONE = 9 };

struct fixture *fixture_create(uint64_t seed);
/* The same on io_uring in a temporary folder, without workers and sessions: threads make their own with worker_make and
 * worker_end. NULL where this machine has no io_uring or no direct I/O there. */
struct fixture *fixture_create_on_ring(void);
void worker_make(struct fixture *fixture, int index);
void worker_end(struct fixture *fixture, int index);
void fixture_destroy(struct fixture *fixture);
/* Makes spares for the journal where few are left. */
void fixture_keep(struct fixture *fixture);

/* The name of account `user` in `company`; any numbers. */
void fixture_name(uint32_t company, uint32_t user, uint8_t ret_name[16]);
/* A token of the account, its seed made from `number`, its floor at `floor`. */
struct token fixture_token(struct fixture *fixture, uint32_t company, uint32_t user, uint16_t profile, uint32_t number,
                           uint32_t floor);
uint32_t token_code(struct fixture *fixture, const struct token *token, uint64_t step);
/* A code that no step near `step` has. */
uint32_t token_wrong_code(struct fixture *fixture, const struct token *token, uint64_t step);
uint64_t totp_now(struct fixture *fixture, const struct token *token);
uint32_t totp_code(struct fixture *fixture, const struct token *token, int64_t distance);
uint32_t floor_of(const struct token *token);
uint64_t budget_of(const struct token *token);

struct otpring_wire_query query_of(struct fixture *fixture, const struct token *token, uint32_t code);

/* A session of the fixture's client; one is made with the fixture. */
uint64_t fixture_session(struct fixture *fixture, const struct core_client *client, uint16_t slots, uint16_t items_max);

struct frame {
    struct otpring_wire_header header;
    const void *items;
    struct core_client *client;
};
/* The next frame of a slot of the fixture's session, not yet sent. */
struct frame frame_of(struct fixture *fixture, uint16_t slot, enum otpring_wire_kind kind, const void *items,
                      uint16_t count);
enum core_admit frame_offer(struct fixture *fixture, int worker, const struct frame *frame,
                            enum otpring_wire_error_code *ret_error);
/* Offers, turns and steps until answered: gives the answers of that worker. */
const struct otpring_wire_answer *frame_ask(struct fixture *fixture, int worker, const struct frame *frame);
const struct otpring_wire_answer *ask(struct fixture *fixture, const struct otpring_wire_query *queries,
                                      uint16_t count);
struct otpring_wire_answer ask_one(struct fixture *fixture, const struct token *token, uint32_t code);
struct otpring_wire_answer ask_pair(struct fixture *fixture, const struct token *token, uint32_t code,
                                    uint32_t code_next);
/* Steps a worker's os until its turns are through, at most for a while. */
void worker_settle(struct fixture *fixture, int worker);
void worker_step(struct fixture *fixture, int worker);

/* The verification records in the journal of this run, in order: gives how many; at most `most` are copied. */
struct seen {
    struct slot_verify verify;
    uint64_t record;
    struct slot_frame frame;
};
size_t fixture_records(struct fixture *fixture, struct seen *ret_seen, size_t most);

#define assert_ok(expression) assert_string_equal(result_name(expression), "OK")

#endif
