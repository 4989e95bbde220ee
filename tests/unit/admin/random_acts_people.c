/* Acts on companies and users, and those that may take two persons. */
#include "random_acts.h"

void act_on_company(struct world *world, int actor)
{
    struct model *model = &world->model;
    int company = (int)world_roll(world, COMPANIES);
    bool bank = actor_of_bank(actor) && actor != FEW, trained = world_roll(world, 3) > 0;
    bool passes;
    switch (world_roll(world, 4)) {
    case 0:
        ACT(actor, bank && !model->known[company], "company.add", ",'company':'c%d'", company);
        if (bank) model->known[company] = true;
        break;
    case 1:
        passes = bank && model->known[company] && !(model->active[company] && !model->suspended[company]) &&
                 (trained || model->suspended[company]);
        ACT(actor, passes, "company.activate", ",'company':'c%d'%s", company, trained ? ",'trained':'2020-01-01'" : "");
        if (passes) {
            model->active[company] = true;
            model->suspended[company] = false;
        }
        break;
    default:
        if (world_roll(world, 4) > 0) return; /* seldom */
        passes = bank && model->active[company] && !model->suspended[company];
        ACT(actor, passes, "company.suspend", ",'company':'c%d'", company);
        if (passes) model->suspended[company] = true;
        break;
    }
}

void act_on_user(struct world *world, int actor)
{
    struct model *model = &world->model;
    int person = (int)world_roll(world, PEOPLE), company = model_company_of(person);
    struct m_user *user = &model->people[person];
    bool may = model_over(model, actor, company), present = user->life == ALIVE || user->life == AWAY;
    bool passes, yes = world_roll(world, 2);
    switch (world_roll(world, 9)) {
    case 0:
    case 1:
        passes = may && !model->suspended[company] && !present;
        ACT(actor, passes, "user.add", ABOUT);
        if (!passes) break;
        user->life = ALIVE;
        user->waived = user->waived || !user->ever;
        break;
    case 2:
        ACT(actor, may && present, "user.set", ",'company':'c%d','user':'u%d','phone':'+34600%06d'", company, person,
            person);
        user->phone = user->phone || (may && present);
        break;
    case 3:
        passes = may && present && actor_of_bank(actor) && actor != FEW;
        if (person % USERS == 0 && !yes && world_roll(world, 4)) yes = true;
        ACT(actor, passes, "user.set", ",'company':'c%d','user':'u%d','administrator':%s", company, person,
            yes ? "true" : "false");
        if (passes) user->administrator = yes;
        break;
    case 4:
        if (person % USERS == 0 && world_roll(world, 4)) break; /* administrators stay longer */
        passes = may && user->life == ALIVE && !actor_is(actor, person);
        ACT(actor, passes, "user.deactivate", ABOUT);
        if (passes) model_leave(model, person);
        break;
    case 5:
    case 6:
        passes = may && user->life == AWAY && !actor_is(actor, person);
        ACT(actor, passes, "user.reactivate", ABOUT);
        if (!passes) break;
        user->life = ALIVE;
        user->waived = !user->ever;
        break;
    case 7:
        passes = may && user->life == ALIVE && actor_of_bank(actor) && actor != FEW;
        ACT(actor, passes, "user.release", ",'company':'c%d','user':'u%d','reason':'r'", company, person);
        if (!passes) break;
        user->waived = user->released_since = true;
        break;
    default:
        if (person % USERS == 0) break;
        passes = may && user->life == AWAY && actor_of_bank(actor) && actor != FEW && model_armed(model, person) == 0;
        ACT(actor, passes, "user.erase", ABOUT);
        if (!passes) break;
        user->life = ERASED;
        user->administrator = user->phone = false;
        user->way = NO_WAY;
        break;
    }
}

void act_by_two(struct world *world, int actor)
{
    struct model *model = &world->model;
    int person = (int)world_roll(world, PEOPLE), company = model_company_of(person);
    const struct m_user *user = &model->people[person];
    bool unlocks = world_roll(world, 2), present = user->life == ALIVE || (!unlocks && user->life == AWAY);
    bool passes = model_over(model, actor, company) && present && !actor_is(actor, person);
    /* Only an account that is in the table has failures to forget. */
    if (unlocks) passes = passes && user->ever;
    json_t *answer = unlocks ? world_ask(world, actor, "{'act':'user.unlock'" ABOUT)
                             : world_ask(world, actor, "{'act':'user.reset'" ABOUT);
    world_judged(world, answer, passes, unlocks ? "user.unlock" : "user.reset", actor);
    bool waits = json_is_true(json_object_get(answer, "waits"));
    if (passes && !unlocks) assert_int_equal(waits, actor != OWNER);
    if (passes && waits && model->request_count + 1 < REQUESTS) {
        assert_int_equal(json_integer_value(json_object_get(answer, "request")), model->request_count + 1);
        model->requests[++model->request_count] =
            (struct m_request){.open = true, .unlocks = unlocks, .person = person, .asker = actor};
    } else if (passes && !unlocks) {
        model_reset(model, person);
    }
    json_decref(answer);
}

void act_on_request(struct world *world, int actor)
{
    struct model *model = &world->model;
    if (model->request_count == 0) return;
    int number = 1 + (int)world_roll(world, (uint32_t)model->request_count);
    struct m_request *request = &model->requests[number];
    int company = model_company_of(request->person);
    const struct m_user *user = &model->people[request->person];
    bool sees = model_can_speak(model, actor) && (actor_of_bank(actor) || actor - ADMINISTRATOR == company);
    bool decides = sees && request->open && actor != FEW;
    if (world_roll(world, 3) == 0) {
        ACT(actor, decides, "request.refuse", ",'request':%d", number);
        if (decides) request->open = false;
        return;
    }
    bool present = user->life == ALIVE || (!request->unlocks && user->life == AWAY);
    bool passes = decides && request->asker != actor && model_over(model, actor, company) && present &&
                  !actor_is(actor, request->person) && (!request->unlocks || user->ever);
    ACT(actor, passes, "request.confirm", ",'request':%d", number);
    if (!passes) return;
    request->open = false;
    if (!request->unlocks) model_reset(model, request->person);
}
