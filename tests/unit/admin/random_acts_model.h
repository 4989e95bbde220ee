/* The model that random acts are held against: plain reference code. It knows what was asked and what should come of
 * it, and shares nothing with the engine (no table of rules, no row). */
#ifndef TESTS_ADMIN_RANDOM_ACTS_MODEL_H
#define TESTS_ADMIN_RANDOM_ACTS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "otpring/verdict.h"

enum {
    COMPANIES = 3,
    USERS = 5,
    PEOPLE = COMPANIES * USERS,
    TOKENS = 24,                  /* physical ones */
    TOKENS_ALL = TOKENS + PEOPLE, /* and behind them each person's virtual one */
    REQUESTS = 4096,
};

enum life { NOBODY, ALIVE, AWAY, ERASED };
enum place { NOWHERE, ORDERED, STOCKED, HANDED, PROVEN, HELD_BACK, GONE, SWAPPED, SCRAPPED };

/* An enrolment is open until a time, and begun when a device has come; or bound, and can be rolled back until then. */
enum way { NO_WAY, OPEN, BEGUN, BOUND };

struct m_user {
    enum life life;
    bool phone;
    enum way way;
    int64_t until_ms;
    int device;      /* its number */
    char serial[44]; /* of the virtual token */
    bool administrator;
    bool ever;   /* had a token once */
    bool waived; /* passes without a code */
    int last;    /* what an auth server was last answered */
    bool released_since;
};

struct m_token {
    enum place place;
    int company; /* -1 */
    int holder;  /* -1, else a person */
    uint64_t floor;
};

struct m_request {
    bool open;
    bool unlocks;
    int person;
    int asker;
};

struct model {
    bool known[COMPANIES], active[COMPANIES], suspended[COMPANIES];
    struct m_user people[PEOPLE];
    struct m_token tokens[TOKENS_ALL];
    struct m_request requests[REQUESTS];
    int request_count;
};

/* Who acts: 0 the owner, 1 and 2 of the bank with every grant, 3 of the bank with few, then an administrator each. */
enum { OWNER, OLGA, OTTO, FEW, ADMINISTRATOR, ACTORS = ADMINISTRATOR + COMPANIES };

bool actor_of_bank(int actor);
/* The administrator is that person. */
bool actor_is(int actor, int person);
int model_company_of(int person);
/* A token there has a line. */
bool place_live(enum place place);

/* Tokens with a line that the person has. */
int model_armed(const struct model *model, int person);
/* An administrator of a company acts while the person is one; the first person of each company is meant to be. */
bool model_can_speak(const struct model *model, int actor);
/* Over a person of the company, whose company may be suspended for its own people. */
bool model_over(const struct model *model, int actor, int company);
/* An administrator; and no other one of the company has a token. */
bool model_first_administrator(const struct model *model, int person);
/* What the question whether a user needs a code is to be answered with. */
enum otpring_verdict model_required(const struct model *model, int person);

void model_leave(struct model *model, int person);
void model_hand(struct model *model, struct m_token *token, int person);
/* The phone is no token any more. */
void model_unbind(struct model *model, int person);
void model_reset(struct model *model, int person);

#endif
