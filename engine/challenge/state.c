#include "challenge/state.h"

#include <stddef.h>

struct transition {
    enum challenge_state from;
    enum challenge_act act;
    enum challenge_role role;
    enum challenge_state to;
};

static const struct transition transitions[] = {
    {CHALLENGE_ASKED, CHALLENGE_SHOW, CHALLENGE_DEVICE, CHALLENGE_SHOWN},
    {CHALLENGE_ASKED, CHALLENGE_APPROVE, CHALLENGE_DEVICE, CHALLENGE_APPROVED},
    {CHALLENGE_ASKED, CHALLENGE_REFUSE, CHALLENGE_DEVICE, CHALLENGE_REFUSED},
    {CHALLENGE_ASKED, CHALLENGE_REFUSE, CHALLENGE_ENGINE, CHALLENGE_REFUSED},
    {CHALLENGE_ASKED, CHALLENGE_WITHDRAW, CHALLENGE_CLIENT, CHALLENGE_WITHDRAWN},
    {CHALLENGE_ASKED, CHALLENGE_WITHDRAW, CHALLENGE_OPERATOR, CHALLENGE_WITHDRAWN},
    {CHALLENGE_ASKED, CHALLENGE_WITHDRAW, CHALLENGE_ENGINE, CHALLENGE_WITHDRAWN},
    {CHALLENGE_ASKED, CHALLENGE_EXPIRE, CHALLENGE_ENGINE, CHALLENGE_EXPIRED},
    {CHALLENGE_SHOWN, CHALLENGE_SHOW, CHALLENGE_DEVICE, CHALLENGE_SHOWN}, /* another device, or the same again */
    {CHALLENGE_SHOWN, CHALLENGE_APPROVE, CHALLENGE_DEVICE, CHALLENGE_APPROVED},
    {CHALLENGE_SHOWN, CHALLENGE_REFUSE, CHALLENGE_DEVICE, CHALLENGE_REFUSED},
    {CHALLENGE_SHOWN, CHALLENGE_REFUSE, CHALLENGE_ENGINE, CHALLENGE_REFUSED},
    {CHALLENGE_SHOWN, CHALLENGE_WITHDRAW, CHALLENGE_CLIENT, CHALLENGE_WITHDRAWN},
    {CHALLENGE_SHOWN, CHALLENGE_WITHDRAW, CHALLENGE_OPERATOR, CHALLENGE_WITHDRAWN},
    {CHALLENGE_SHOWN, CHALLENGE_WITHDRAW, CHALLENGE_ENGINE, CHALLENGE_WITHDRAWN},
    {CHALLENGE_SHOWN, CHALLENGE_EXPIRE, CHALLENGE_ENGINE, CHALLENGE_EXPIRED},
};

bool challenge_next(enum challenge_state state, enum challenge_act act, enum challenge_role role,
                    enum challenge_state *ret_state)
{
    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++) {
        const struct transition *transition = &transitions[i];
        if (transition->from != state || transition->act != act || transition->role != role) continue;
        *ret_state = transition->to;
        return true;
    }
    return false;
}

bool challenge_is_open(enum challenge_state state)
{
    return state == CHALLENGE_ASKED || state == CHALLENGE_SHOWN;
}

const char *challenge_state_name(enum challenge_state state)
{
    static const char *const names[CHALLENGE_STATE_COUNT] = {
        [CHALLENGE_ASKED] = "asked",     [CHALLENGE_SHOWN] = "shown",     [CHALLENGE_APPROVED] = "approved",
        [CHALLENGE_REFUSED] = "refused", [CHALLENGE_EXPIRED] = "expired", [CHALLENGE_WITHDRAWN] = "withdrawn"};
    return (unsigned)state < CHALLENGE_STATE_COUNT ? names[state] : "?";
}
