/* What is sent next on one connection, and what must come back: the model of the engine's rules for accounts that
 * nobody else uses.
 *
 * HOTP, step s next: right is code(s), near code(s + 1 to 3) - both ACCEPTED, and the step after is next; replayed is
 * code(s - 1), the one accepted last; wrong is any 6 digits that are none of code(s - 1) to code(s + 10). Codes of
 * different steps can be the same by chance (one in a million), and which of two the engine uses up is its own affair,
 * so the codes of that window are kept for each account (moving on costs one new code) and only a code that stands in
 * it once is sent; else the nearest that does. TOTP of one second: right is the present second's code, near that of the
 * second before, replayed the one accepted last while it is in the window (one second back); an account is passed over
 * until a new second has come.
 *
 * After a wrong item, the account's next one is right or near, so its failures never pass one: the throttle is never
 * reached. After UNAVAILABLE it is not known which step the engine holds: the account rests until everything sent by
 * then is answered, and goes on with a probe that may be answered with any verdict but THROTTLED.
 *
 * Cost is what shapes this: a load must not be slower than what it loads. The accounts lie in the order in which they
 * are walked, so that their memory is a stream; new codes are made by the batch kernel, many accounts at a time, some
 * ten rounds before they are sent; and a code that clashes with another of its window is noticed when it is made, so
 * that sending a right code looks at nothing but that code. Right codes, nearly all there is, have a short way of their
 * own (plan_hotp.c).
 *
 * One thread. All memory is taken in plan_create, from a room that outlives the plan, and in jobs_create. */
#ifndef OTPRING_LOAD_PLAN_H
#define OTPRING_LOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "accounts.h"
#include "options.h"
#include "otpring/verdict.h"
#include "otpring/wire.h"
#include "room.h"

enum {
    PLAN_RING_COUNT = 16,  /* codes kept of an account, by the low bits of their step */
    PLAN_AHEAD_COUNT = 11, /* codes from the next step on that the engine looks at */
    PLAN_DIGITS = 6,
    PLAN_CODE_COUNT = 1000000,
};

/* What was sent as one item, beside its 32 bytes and the verdict expected. */
struct plan_item {
    uint32_t place : 30; /* of the account in the plan's order */
    uint32_t kind : 2;   /* enum load_kind */
    uint32_t step;
};

struct plan_account {
    uint8_t midstates[KERNEL_SHA1_MIDSTATES]; /* SHA-1 only: longer ones stand where the accounts have them */
    uint8_t name[8];
    uint32_t next; /* HOTP: the step to send; TOTP: the least step that may be accepted */
    uint32_t flags;
    uint32_t rest_until;             /* frames sent when it became unsure */
    uint32_t resume;                 /* unsure: where to go on */
    uint32_t codes[PLAN_RING_COUNT]; /* HOTP: of next - 1 to next + 10; TOTP: of this second and its neighbours */
};
_Static_assert(sizeof(struct plan_account) == 128, "an account's state is two cache lines");

/* Codes that are still to be computed, of all connections of one thread. */
struct plan_jobs;

struct plan_random {
    uint64_t words[2];
};

struct plan {
    const struct accounts *accounts;
    const struct kernel *kernel;
    const struct load_options *options;
    struct plan_jobs *jobs;
    uint32_t *order; /* numbers of this connection's accounts, shuffled; walked round and round */
    uint32_t order_count;
    uint32_t order_at;
    struct plan_account *states; /* beside `order` */
    uint32_t runs_seen;          /* HOTP: of the jobs, when this plan was last walked */
    uint32_t waiting_count;      /* HOTP: accounts walked over since that run, whose jobs may still wait */
    struct plan_random random;
    uint32_t mix_limits[LOAD_KIND_COUNT]; /* upper ends of the shares, of 2^32 */
    uint32_t frames_sent;
    uint32_t frames_answered; /* all frames up to this one have been; kept while in_doubt */
    bool in_doubt;            /* something was UNAVAILABLE */
    bool passed_over;         /* TOTP: accounts whose second had not come, when it was filled last */
};

struct plan_jobs *jobs_create(void);
void jobs_destroy(struct plan_jobs *jobs);

/* The connection's share: accounts of number connection, connection + connections, ..., each where accounts->progress
 * says. 0, or -1: no memory. */
int plan_create(struct plan *plan, const struct accounts *accounts, const struct kernel *kernel,
                const struct load_options *options, struct plan_jobs *jobs, uint32_t connection, struct room *room);
/* Writes down in accounts->progress where each account stands; only when everything sent was answered. */
void plan_save(const struct plan *plan);
/* Wipes the secrets. */
void plan_destroy(struct plan *plan);

/* Where the items of one frame go, side by side, and how often each verdict must come back: added to verdicts. */
struct plan_batch {
    struct otpring_wire_query *queries;
    struct plan_item *items;
    uint8_t *expected;  /* enum otpring_verdict; 0 for a probe */
    uint32_t *verdicts; /* OTPRING_UNAVAILABLE + 1 of them */
};

/* A hint: about count items will be made soon; their accounts are fetched from memory meanwhile, as far as the caches
 * of a few are of use. */
void plan_expect(const struct plan *plan, uint32_t count);
/* At most count items; gives how many there are (fewer, even 0, where accounts rest or their second has not come). */
uint32_t plan_fill(struct plan *plan, uint64_t unix_ms, uint32_t count, const struct plan_batch *batch);
/* Whether the verdict is the one expected; UNAVAILABLE is neither, and teaches the model. */
enum plan_judgment { PLAN_EXPECTED, PLAN_UNAVAILABLE, PLAN_UNEXPECTED };
enum plan_judgment plan_answered(struct plan *plan, const struct plan_item *item, unsigned expected, unsigned verdict);

#endif
