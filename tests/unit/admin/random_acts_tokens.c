/* Acts on physical tokens, and their codes. */
#include "random_acts.h"

/* 32 letters of base32 that no other token has. */
static void secret_of(int token, char ret[33])
{
    uint8_t seed[20];
    state_seed((uint32_t)token, seed);
    state_ok(otp_base32_encode(seed, sizeof(seed), ret, 33));
}

static bool token_seen(int actor, const struct m_token *token)
{
    return token->place != NOWHERE && (actor_of_bank(actor) || actor - ADMINISTRATOR == token->company);
}

static bool token_over(const struct model *model, int actor, const struct m_token *token)
{
    if (!model_can_speak(model, actor) || actor == FEW || !token_seen(actor, token)) return false;
    return actor_of_bank(actor) || !model->suspended[token->company];
}

static void token_supply(struct world *world, int actor, int at, struct m_token *token)
{
    bool bank = actor_of_bank(actor) && actor != FEW;
    int company = (int)world_roll(world, COMPANIES);
    char secret[33];
    if (world_roll(world, 2)) {
        secret_of(at, secret);
        bool passes = bank && token->place == NOWHERE;
        ACT(actor, passes, "stock.add", ",'serial':'t%d','secret':'%s','type':'hotp'", at, secret);
        if (passes) *token = (struct m_token){.place = ORDERED, .company = -1, .holder = -1};
        return;
    }
    bool passes = bank && token->place == ORDERED && world->model.known[company] && !world->model.suspended[company];
    ACT(actor, passes, "stock.give", ",'company':'c%d','serial':'t%d'", company, at);
    if (!passes) return;
    token->place = STOCKED;
    token->company = company;
}

static void token_assign(struct world *world, int actor, int at, struct m_token *token)
{
    struct model *model = &world->model;
    int person = (int)world_roll(world, PEOPLE);
    /* Mostly what makes sense: the own people of whoever has the token, by their administrator. */
    if (token->company >= 0 && world_roll(world, 4)) person = token->company * USERS + (int)world_roll(world, USERS);
    if (token->company >= 0 && world_roll(world, 2)) actor = ADMINISTRATOR + token->company;
    int company = model_company_of(person);
    if (model_armed(model, person) >= ARMED_MAX) return;
    bool passes = token_over(model, actor, token) && model_over(model, actor, company) && token->place == STOCKED &&
                  token->company == company && !model->suspended[company] && model->people[person].life == ALIVE &&
                  (!actor_of_bank(actor) || model_first_administrator(model, person));
    ACT(actor, passes, "stock.assign", ",'company':'c%d','user':'u%d','serial':'t%d'", company, person, at);
    if (passes) model_hand(model, token, person);
}

static void token_replace(struct world *world, int actor, int at, struct m_token *token)
{
    struct model *model = &world->model;
    int by = (int)world_roll(world, TOKENS);
    struct m_token *next = &model->tokens[by];
    bool old = place_live(token->place) || (token->place == GONE && token->holder >= 0);
    bool passes = token_over(model, actor, token) && token_over(model, actor, next) && old && next->place == STOCKED &&
                  next->company == token->company && !model->suspended[token->company] &&
                  model->people[token->holder].life == ALIVE;
    if (token->holder >= 0 && model_armed(model, token->holder) >= ARMED_MAX) return;
    ACT(actor, passes, "stock.replace", ",'serial':'t%d','by':'t%d'", at, by);
    if (!passes) return;
    token->place = SWAPPED;
    model_hand(model, next, token->holder);
}

#define SERIAL ",'serial':'t%d'", at

void act_on_token(struct world *world, int actor)
{
    struct model *model = &world->model;
    int at = (int)world_roll(world, TOKENS);
    struct m_token *token = &model->tokens[at];
    bool may = token_over(model, actor, token), holder_alive, passes;
    uint32_t act = world_roll(world, 12);
    if (world_roll(world, 2)) act = token->place < STOCKED ? 0 : token->place == STOCKED ? 2 : act;
    switch (act) {
    case 0:
    case 1:
        token_supply(world, actor, at, token);
        break;
    case 2:
    case 3:
    case 4:
        token_assign(world, actor, at, token);
        break;
    case 5:
        token_replace(world, actor, at, token);
        break;
    case 6:
    case 7:
        passes = may && (place_live(token->place) || token->place == SWAPPED);
        ACT(actor, passes, "stock.take", SERIAL);
        if (!passes) break;
        token->place = STOCKED;
        token->holder = -1;
        break;
    case 8:
        passes = may && (token->place == HANDED || token->place == PROVEN);
        ACT(actor, passes, "stock.suspend", SERIAL);
        if (passes) token->place = HELD_BACK;
        break;
    case 9:
        holder_alive = token->holder >= 0 && model->people[token->holder].life == ALIVE;
        passes = may && token->place == HELD_BACK && holder_alive && !actor_is(actor, token->holder);
        ACT(actor, passes, "stock.resume", SERIAL);
        if (passes) token->place = PROVEN;
        break;
    case 10:
        if (world_roll(world, 6)) break; /* what is lost is lost */
        passes = may && (token->place == STOCKED || place_live(token->place));
        ACT(actor, passes, "stock.lost", SERIAL);
        if (passes) token->place = GONE;
        break;
    default:
        if (world_roll(world, 12)) break;
        passes =
            may && actor_of_bank(actor) &&
            (token->place == ORDERED || token->place == STOCKED || token->place == GONE || token->place == SWAPPED);
        ACT(actor, passes, "stock.retire", SERIAL);
        if (passes) token->place = SCRAPPED;
        break;
    }
}

void present_code(struct world *world)
{
    struct model *model = &world->model;
    int at = (int)world_roll(world, TOKENS), person = (int)world_roll(world, PEOPLE);
    struct m_token *token = &model->tokens[at];
    if (token->holder >= 0 && world_roll(world, 4)) person = token->holder;
    /* Mostly right ones, since who guesses is soon not listened to. */
    uint64_t counter = token->floor + world_roll(world, 3);
    if (world_roll(world, 6) == 0) counter = counter > 3 ? counter - 3 : 0;
    os_sim_advance_ms(world->state->world, world_roll(world, 200000));
    char company[16], user[16];
    world_names(person, company, user);
    enum otpring_verdict verdict = state_verify(world->state, company, user, state_code((uint32_t)at, counter));
    assert_int_not_equal(verdict, OTPRING_UNAVAILABLE);
    if (verdict != OTPRING_ACCEPTED) return;
    bool accepts =
        (token->place == HANDED || token->place == PROVEN) && token->holder == person && counter >= token->floor;
    if (!accepts) fail_msg("act %llu: a code of t%d was accepted for u%d", (unsigned long long)world->acts, at, person);
    token->floor = counter + 1;
    token->place = PROVEN;
    world->accepted++;
}
