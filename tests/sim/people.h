/* People in a simulated run: one company a user, each with a physical token and a phone that is enrolled step by step.
 * The acts go the way of admin.sock's requests, the phone's documents are otpring-token's own; people_model.h judges.
 *
 * What the askers know (struct people) is copied for each crash; what serves them (struct people_desk) is made anew at
 * each start. One thread, the housekeeper's. */
#ifndef TESTS_SIM_PEOPLE_H
#define TESTS_SIM_PEOPLE_H

#include "admin/admin.h"
#include "machine.h"
#include "model.h"
#include "otpring-token/token.h"
#include "people_model.h"

enum { PEOPLE_COUNT = 3, PEOPLE_DOCUMENT_MAX = 2048, PEOPLE_PAST_MAX = 96 };

/* Journal time of something that was asked for: not before, and not after. */
struct moment {
    int64_t least_ms, most_ms;
};

/* What a user's phone, and the auth server that hands its documents on, know. */
struct phone {
    struct account account;
    char statement[64];    /* that the password passed; empty: none that is surely good */
    uint32_t used;         /* codes below it were accepted, or left behind */
    uint32_t counter;      /* of the physical token: the next code that was never typed */
    struct moment stepped; /* when the enrolment came to the state that is known */
    struct moment vouched;
    bool burned;          /* a code was asked about before a crash: it may be used up */
    enum person_act sent; /* PERSON_ACTS: nothing waits for its answer */
    char document[PEOPLE_DOCUMENT_MAX];
};

/* One way that the act under way may come out: as the user is, or once the enrolment has run out of time. */
struct outcome {
    bool passes;
    struct person after;
};

enum { OUTCOMES_MAX = 4 };

struct people {
    struct person past[PEOPLE_COUNT][PEOPLE_PAST_MAX]; /* as they were known to stand before, the oldest first */
    unsigned past_count[PEOPLE_COUNT];
    struct person known[PEOPLE_COUNT];
    struct phone phones[PEOPLE_COUNT];
    int busy;         /* whose act is under way; -1: nobody's */
    int64_t asked_ms; /* since when, at least */
    struct outcome outcomes[OUTCOMES_MAX];
    unsigned outcome_count;
};

struct people_desk {
    struct engine engine;
    struct admin_inbox inbox;
    struct admin *admin;
};

/* After machine_workers. */
void people_desk_open(struct people_desk *desk, struct machine *machine);
void people_desk_close(struct people_desk *desk);

/* Companies, users, tokens in custody: in a store that has none. */
struct result people_begin(struct people_desk *desk, struct people *ret_people) MUST_USE;
/* One act of somebody. A failure that is no refusal: nobody knows whether it happened. */
struct result people_step(struct people_desk *desk, struct people *people, struct model *model,
                          uint64_t (*draw)(void *context), void *context) MUST_USE;
/* After a start: each user stands where they were known to, or where the act under way leads. Then that act is asked
 * again, and used codes are tried again. */
void people_check(struct people_desk *desk, struct people *people, struct model *model);
/* After the start of a backup, of which these are what people knew when it was made: each stands there, and no physical
 * token is resumed. */
void people_check_restored(struct people_desk *desk, struct people *people, struct model *model);
/* After a start that went well although blocks of the journal are gone: each stands, whole, where they stood once. What
 * the askers know may be of what is gone, so nothing goes on from there. */
void people_check_damaged(struct people_desk *desk, struct people *people, struct model *model);

/* Acts that were answered, with yes or no, by enum person_act, of all runs of this process. */
const uint64_t *people_counts(void);

#endif
