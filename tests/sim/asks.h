/* Questions to devices in a simulated run: asked, answered, shut by a lock, run out, forgotten; and what a client may
 * believe of each, in plain code. The housekeeper's thread does one call at a time, each one block of the journal: at
 * any moment every question stands as it is known to, or all that the call under way touches stand as it makes them.
 *
 * struct asks is copied for each crash; the room is loaded anew at each start. */
#ifndef TESTS_SIM_ASKS_H
#define TESTS_SIM_ASKS_H

#include "challenge/keep.h"
#include "machine.h"
#include "model.h"

enum { ASKS_MAX = 48, ASKS_ACCOUNTS = 3 };

enum ask_state { ASK_NONE, ASK_OPEN, ASK_APPROVED, ASK_REFUSED, ASK_WITHDRAWN };

struct ask {
    uint8_t account, session;
    uint8_t known, maybe; /* enum ask_state */
    bool vague;           /* the call under way comes about when the question's time runs out */
    uint32_t expires_s;
    uint8_t digest[CHALLENGE_DIGEST_SIZE];
};

struct asks {
    struct ask items[ASKS_MAX];
    unsigned count;
    bool unknown; /* a call failed in a way that nobody knows of what came */
};

/* After machine_workers. STORE_DAMAGED and others where the store's rows are not sound. */
struct result asks_open(struct challenge_keep *keep, struct machine *machine) MUST_USE;
void asks_close(struct challenge_keep *keep);

/* One call of somebody. */
struct result asks_step(struct challenge_keep *keep, struct asks *asks, struct machine *machine, struct model *model,
                        uint64_t (*draw)(void *context), void *context) MUST_USE;
/* After a start: whole, as known or as the call under way makes it; then each is answered again, once. */
void asks_check(struct challenge_keep *keep, struct asks *asks, struct machine *machine, struct model *model);

#endif
