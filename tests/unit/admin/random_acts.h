/* What the files of random_acts_test.c share: a world in which people act, and its model. An act passes if and only if
 * the model lets it pass, and changes both. */
#ifndef TESTS_ADMIN_RANDOM_ACTS_H
#define TESTS_ADMIN_RANDOM_ACTS_H

#include "../core/state_fixture.h"
#include "admin/acts.h"
#include "otpring-token/token.h"
#include "random_acts_model.h"

enum { ARMED_MAX = 4 }; /* tokens that a person has at once */

struct world {
    struct state *state;
    struct engine engine;
    struct admin *admin;
    struct model model;
    char keys[ACTORS][40];
    struct account phones[PEOPLE];
    uint64_t random;
    uint64_t acts, passed, accepted, crashes, enrolled, virtual_accepted;
};

extern const char *const actor_names[ACTORS];

/* The next number of the world's generator, below `sides`. */
uint32_t world_roll(struct world *world, uint32_t sides);
int64_t world_now_ms(const struct world *world);
void world_names(int person, char ret_company[16], char ret_user[16]);
/* The answer to an act of `actor`; single quotes for double ones. */
json_t *world_ask(struct world *world, int actor, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* It passed if and only if the model says so. */
json_t *world_judged(struct world *world, json_t *answer, bool passes, const char *what, int actor);

#define ACT(actor, passes, what, ...)                                                                                  \
    json_decref(world_judged(world, world_ask(world, actor, "{'act':'" what "'" __VA_ARGS__), passes, what, actor))

/* Of `person` of `company`, as the code around it has them. */
#define ABOUT ",'company':'c%d','user':'u%d'", company, person

/* ---- one act, of this actor ---- */

void act_on_company(struct world *world, int actor);
void act_on_user(struct world *world, int actor);
void act_by_two(struct world *world, int actor);
void act_on_request(struct world *world, int actor);
void act_on_token(struct world *world, int actor);
void act_on_phone(struct world *world, int actor);

/* ---- codes ---- */

/* A code of any token for any user, most of the time of the one who has it, near its floor or far from it. */
void present_code(struct world *world);
/* The phone's code of now, or of a step ago. */
void present_phone_code(struct world *world);

/* ---- what holds all along ---- */

/* What has ended by itself: an open enrolment. One that is bound only has no way back any more. */
void way_settle(const struct world *world, struct m_user *user);
/* Whether the person needs a code is as in the model, and never becomes NOT_REQUIRED but by a release. */
void required_check(struct world *world, int person);
/* The floor of every token that has a line is the model's, so it never fell. */
void floors_check(struct world *world);

#endif
