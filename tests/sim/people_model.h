/* The reference model of people: what an administrator, an auth server and a device may believe of one user, in plain
 * code. It knows what was asked and what was answered, and shares nothing with the engine: no table of rules, no row.
 *
 * The administrator's thread does one act at a time, so at any moment the engine stands at what is known, or at one of
 * the few states that the act under way leads through: each change of it whole, or not at all. */
#ifndef TESTS_SIM_PEOPLE_MODEL_H
#define TESTS_SIM_PEOPLE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "otpring/verdict.h"

enum person_gate { GATE_IS_NONE, GATE_IS_WAIVED, GATE_IS_PENDING };
enum person_token { TOKEN_IN_CUSTODY, TOKEN_HANDED, TOKEN_HELD_BACK, TOKEN_GONE };
enum person_enrolment {
    ENROL_NONE,
    ENROL_INVITED,
    ENROL_PRESENTED,
    ENROL_PROVEN,
    ENROL_BINDING,
    ENROL_BOUND,
    ENROL_ACTIVE,
    ENROL_FINAL,
    ENROL_EXPIRED,
    ENROL_CANCELLED,
    ENROL_ROLLED_BACK,
    ENROL_UNBOUND,
};

/* One user, with one physical token that is theirs or in the company's custody, and at most one phone. */
struct person {
    bool active;
    bool line;         /* had a token in the table once */
    bool was_required; /* needed a code once */
    bool released;     /* and was let off, by name */
    bool needs_code;   /* the enrolment asks for a code of the physical token */
    bool suspended_it; /* the enrolment suspended the physical token */
    uint8_t gate;      /* enum person_gate */
    uint8_t token;     /* enum person_token: the physical one; GONE when it was replaced by the phone */
    uint8_t phone;     /* the virtual one: IN_CUSTODY means none */
    uint8_t enrolment; /* enum person_enrolment */
    uint8_t tries;     /* of the activation code, left */
    uint8_t messages;  /* that were ever sent to this user */
};

enum person_act {
    PERSON_DEACTIVATE,
    PERSON_REACTIVATE,
    PERSON_RELEASE,
    PERSON_ASSIGN,
    PERSON_TAKE,
    PERSON_SUSPEND,
    PERSON_RESUME,
    PERSON_INVITE,
    PERSON_CANCEL,
    PERSON_ROLLBACK,
    PERSON_UNBIND,
    PERSON_WRONG_CODE,
    PERSON_VOUCH,
    PERSON_PRESENT,
    PERSON_PROVE,
    PERSON_BIND,
    PERSON_STORED,
    PERSON_CONFIRM,
    PERSON_ACTS
};

enum { PERSON_TRIES = 5, PERSON_STATEMENT_S = 300 /* that the password passed is believed so long */ };

/* A user as the bank adds one: passes without a code until there is a token. */
struct person person_new(void);
/* What the user becomes by it; false: it is refused, and ret_after is the user as it was, or with a try less. */
bool person_act(const struct person *person, enum person_act act, struct person *ret_after);
/* What becomes of the user when the enrolment's state runs out of time; false: it never does. */
bool person_runs_out(const struct person *person, struct person *ret_after);
/* For how long the state lasts that the enrolment is in; 0: for ever. */
int64_t person_period_s(const struct person *person);
/* A proof takes a code of the physical token: one that was there at the invitation, or has come since. */
bool person_needs_code(const struct person *person);
/* May the user pass without a code? */
enum otpring_verdict person_required(const struct person *person);
/* REQUIRED never becomes NOT_REQUIRED but by a release. */
bool person_lets_off(const struct person *before, const struct person *after);
const char *person_act_name(enum person_act act);
const char *person_enrolment_name(enum person_enrolment enrolment);

#endif
