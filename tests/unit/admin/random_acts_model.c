#include "random_acts_model.h"

bool actor_of_bank(int actor)
{
    return actor < ADMINISTRATOR;
}

int model_company_of(int person)
{
    return person / USERS;
}

bool actor_is(int actor, int person)
{
    return !actor_of_bank(actor) && (actor - ADMINISTRATOR) * USERS == person;
}

bool place_live(enum place place)
{
    return place == HANDED || place == PROVEN || place == HELD_BACK;
}

int model_armed(const struct model *model, int person)
{
    int count = 0;
    for (int i = 0; i < TOKENS_ALL; i++)
        count += model->tokens[i].holder == person && place_live(model->tokens[i].place);
    return count;
}

bool model_can_speak(const struct model *model, int actor)
{
    if (actor_of_bank(actor)) return true;
    const struct m_user *self = &model->people[(actor - ADMINISTRATOR) * USERS];
    return self->life == ALIVE && self->administrator;
}

bool model_over(const struct model *model, int actor, int company)
{
    if (!model_can_speak(model, actor) || !model->known[company]) return false;
    return actor_of_bank(actor) || (actor - ADMINISTRATOR == company && !model->suspended[company]);
}

bool model_first_administrator(const struct model *model, int person)
{
    if (!model->people[person].administrator) return false;
    for (int other = model_company_of(person) * USERS; other < (model_company_of(person) + 1) * USERS; other++) {
        if (other != person && model->people[other].administrator && model_armed(model, other)) return false;
    }
    return true;
}

enum otpring_verdict model_required(const struct model *model, int person)
{
    const struct m_user *user = &model->people[person];
    int company = model_company_of(person);
    if (model->known[company] && !model->active[company]) return OTPRING_NOT_REQUIRED;
    if (user->waived) return OTPRING_NOT_REQUIRED;
    return user->ever ? OTPRING_REQUIRED : OTPRING_UNAVAILABLE;
}

void model_leave(struct model *model, int person)
{
    for (int i = 0; i < TOKENS_ALL; i++) {
        struct m_token *token = &model->tokens[i];
        if (token->holder == person && (token->place == HANDED || token->place == PROVEN)) token->place = HELD_BACK;
    }
    if (model->people[person].way != BOUND) model->people[person].way = NO_WAY;
    model->people[person].life = AWAY;
    model->people[person].waived = false;
}

void model_hand(struct model *model, struct m_token *token, int person)
{
    token->place = HANDED;
    token->holder = person;
    model->people[person].ever = true;
    model->people[person].waived = false;
}

void model_unbind(struct model *model, int person)
{
    model->tokens[TOKENS + person].place = SCRAPPED;
    model->tokens[TOKENS + person].holder = -1;
    model->people[person].way = NO_WAY;
}

void model_reset(struct model *model, int person)
{
    if (model->people[person].way == BOUND) model_unbind(model, person);
    model->people[person].way = NO_WAY;
    for (int i = 0; i < TOKENS; i++) {
        struct m_token *token = &model->tokens[i];
        if (token->holder == person && place_live(token->place)) token->place = GONE;
    }
}
