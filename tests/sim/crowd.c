#include "crowd.h"

struct result crowd_open(struct crowd_desk *desk, struct machine *machine)
{
    people_desk_open(&desk->people, machine);
    desk->machine = machine;
    struct result result = asks_open(&desk->keep, machine);
    if (result_failed(result)) crowd_close(desk);
    return result;
}

void crowd_close(struct crowd_desk *desk)
{
    people_desk_close(&desk->people);
    asks_close(&desk->keep);
}

bool crowd_answered(struct crowd_desk *desk, const struct model *model, const struct core_answer *answer)
{
    if (!desk->people.admin) return false;
    for (unsigned s = 0; s < MODEL_SESSIONS; s++)
        if (model->sessions[s] == answer->header.session) return false;
    admin_answered(&desk->people.inbox, answer);
    return true;
}

void crowd_hello_answered(struct crowd_desk *desk, const struct core_hello_answer *answer)
{
    if (desk->people.admin) admin_hello_answered(&desk->people.inbox, answer);
}

struct result crowd_step(struct crowd_desk *desk, struct crowd *crowd, struct model *model,
                         uint64_t (*draw)(void *context), void *context)
{
    return draw(context) % 3 == 0 ? asks_step(&desk->keep, &crowd->asks, desk->machine, model, draw, context)
                                  : people_step(&desk->people, &crowd->people, model, draw, context);
}

void crowd_check(struct crowd_desk *desk, struct crowd *crowd, struct model *model)
{
    people_check(&desk->people, &crowd->people, model);
    if (!model->broken[0]) asks_check(&desk->keep, &crowd->asks, desk->machine, model);
}

void crowd_check_restored(struct crowd_desk *desk, struct crowd *crowd, struct model *model)
{
    people_check_restored(&desk->people, &crowd->people, model);
    if (!model->broken[0]) asks_check(&desk->keep, &crowd->asks, desk->machine, model);
}

void crowd_check_damaged(struct crowd_desk *desk, struct crowd *crowd, struct model *model)
{
    people_check_damaged(&desk->people, &crowd->people, model);
}
