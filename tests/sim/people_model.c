#include "people_model.h"

struct person person_new(void)
{
    return (struct person){.active = true, .gate = GATE_IS_WAIVED};
}

bool person_needs_code(const struct person *person)
{
    return person->needs_code || person->token == TOKEN_HANDED;
}

static bool open_enrolment(const struct person *person)
{
    return person->enrolment >= ENROL_INVITED && person->enrolment <= ENROL_BOUND;
}

/* What was in the table is in it for ever: a code is required from then on. */
static void line_enters(struct person *person)
{
    person->line = person->was_required = true;
    person->released = false;
    person->gate = GATE_IS_NONE;
}

static bool leave(struct person *after)
{
    if (!after->active) return false;
    after->active = false;
    if (after->token == TOKEN_HANDED) after->token = TOKEN_HELD_BACK;
    if (after->phone == TOKEN_HANDED) after->phone = TOKEN_HELD_BACK;
    if (open_enrolment(after)) after->enrolment = ENROL_CANCELLED;
    if (after->released || !after->was_required) after->gate = GATE_IS_NONE;
    after->released = false;
    return true;
}

static bool come_back(struct person *after)
{
    if (after->active) return false;
    after->active = true;
    if (!after->line && !after->was_required) after->gate = GATE_IS_WAIVED;
    return true;
}

static bool release(struct person *after)
{
    if (!after->active) return false;
    after->released = true;
    after->gate = GATE_IS_WAIVED;
    return true;
}

/* ---- the physical token ---- */

static bool assign(struct person *after)
{
    if (!after->active || after->token != TOKEN_IN_CUSTODY) return false;
    after->token = TOKEN_HANDED;
    line_enters(after);
    return true;
}

static bool take(struct person *after)
{
    if (after->token == TOKEN_IN_CUSTODY) return false;
    after->token = TOKEN_IN_CUSTODY;
    after->suspended_it = false;
    return true;
}

static bool suspend(struct person *after)
{
    if (after->token != TOKEN_HANDED) return false;
    after->token = TOKEN_HELD_BACK;
    return true;
}

static bool resume(struct person *after)
{
    if (after->token != TOKEN_HELD_BACK || !after->active) return false;
    after->token = TOKEN_HANDED;
    return true;
}

/* ---- the enrolment ---- */

static bool invite(struct person *after)
{
    bool may = after->enrolment <= ENROL_INVITED || after->enrolment > ENROL_ACTIVE;
    if (!may || !after->active) return false;
    after->enrolment = ENROL_INVITED;
    after->tries = PERSON_TRIES;
    after->needs_code = after->token == TOKEN_HANDED;
    after->suspended_it = false;
    return true;
}

static bool cancel(struct person *after)
{
    if (!open_enrolment(after)) return false;
    after->enrolment = ENROL_CANCELLED;
    return true;
}

static bool roll_back(struct person *after)
{
    if (after->enrolment != ENROL_ACTIVE || !after->active) return false;
    after->enrolment = ENROL_ROLLED_BACK;
    after->phone = TOKEN_IN_CUSTODY;
    if (after->suspended_it && after->token == TOKEN_HELD_BACK) after->token = TOKEN_HANDED;
    after->suspended_it = false;
    return true;
}

static bool unbind(struct person *after)
{
    if (after->enrolment != ENROL_ACTIVE) return false;
    after->enrolment = ENROL_UNBOUND;
    after->phone = TOKEN_IN_CUSTODY;
    if (after->suspended_it && after->token == TOKEN_HELD_BACK) after->token = TOKEN_GONE;
    after->suspended_it = false;
    return true;
}

static bool wrong_code(struct person *after)
{
    if (after->enrolment != ENROL_INVITED) return false;
    after->tries--;
    if (after->tries == 0) after->enrolment = ENROL_EXPIRED;
    return false;
}

/* A step of the device: taken once, and answered again whenever it comes again before the end. */
static bool device_step(struct person *after, enum person_enrolment from, enum person_enrolment to)
{
    if (after->enrolment >= to && after->enrolment <= ENROL_FINAL) return true;
    if (after->enrolment != from || !after->active) return false;
    after->enrolment = (uint8_t)to;
    return true;
}

static bool prove(struct person *after)
{
    bool lacks = after->enrolment == ENROL_PRESENTED && after->needs_code && after->token != TOKEN_HANDED;
    if (after->enrolment == ENROL_PRESENTED) after->needs_code = person_needs_code(after);
    return !lacks && device_step(after, ENROL_PRESENTED, ENROL_PROVEN);
}

static bool bind(struct person *after)
{
    bool first = after->enrolment == ENROL_PROVEN;
    /* An active phone has its seed, and does not get it again. */
    if (after->enrolment >= ENROL_ACTIVE || !device_step(after, ENROL_PROVEN, ENROL_BINDING)) return false;
    if (!first) return true;
    after->was_required = true;
    after->released = false;
    after->gate = GATE_IS_PENDING;
    return true;
}

static bool stored(struct person *after)
{
    bool first = after->enrolment == ENROL_BINDING;
    if (!device_step(after, ENROL_BINDING, ENROL_BOUND)) return false;
    after->messages += first;
    return true;
}

static bool confirm(struct person *after)
{
    bool first = after->enrolment == ENROL_BOUND;
    if (!device_step(after, ENROL_BOUND, ENROL_ACTIVE)) return false;
    if (!first) return true;
    line_enters(after);
    after->messages++;
    after->phone = TOKEN_HANDED;
    after->suspended_it = after->token == TOKEN_HANDED;
    if (after->suspended_it) after->token = TOKEN_HELD_BACK;
    return true;
}

static bool vouch(struct person *after)
{
    return after->enrolment == ENROL_PRESENTED && after->active;
}

static bool present(struct person *after)
{
    return device_step(after, ENROL_INVITED, ENROL_PRESENTED);
}

static const struct {
    const char *name;
    bool (*does)(struct person *after);
} acts[PERSON_ACTS] = {
    [PERSON_DEACTIVATE] = {"deactivate", leave},
    [PERSON_REACTIVATE] = {"reactivate", come_back},
    [PERSON_RELEASE] = {"release", release},
    [PERSON_ASSIGN] = {"assign", assign},
    [PERSON_TAKE] = {"take", take},
    [PERSON_SUSPEND] = {"suspend", suspend},
    [PERSON_RESUME] = {"resume", resume},
    [PERSON_INVITE] = {"invite", invite},
    [PERSON_CANCEL] = {"cancel", cancel},
    [PERSON_ROLLBACK] = {"roll back", roll_back},
    [PERSON_UNBIND] = {"unbind", unbind},
    [PERSON_WRONG_CODE] = {"wrong code", wrong_code},
    [PERSON_VOUCH] = {"vouch", vouch},
    [PERSON_PRESENT] = {"present", present},
    [PERSON_PROVE] = {"prove", prove},
    [PERSON_BIND] = {"bind", bind},
    [PERSON_STORED] = {"stored", stored},
    [PERSON_CONFIRM] = {"confirm", confirm},
};

/* By the page for devices; an invitation and the way back of a new phone as long as the request that says nothing of it
 * gets. */
int64_t person_period_s(const struct person *person)
{
    static const int64_t periods_s[] = {[ENROL_INVITED] = 86400, [ENROL_PRESENTED] = 1800, [ENROL_PROVEN] = 900,
                                        [ENROL_BINDING] = 900,   [ENROL_BOUND] = 86400,    [ENROL_ACTIVE] = 72 * 3600};
    return person->enrolment <= ENROL_ACTIVE ? periods_s[person->enrolment] : 0;
}

bool person_runs_out(const struct person *person, struct person *ret_after)
{
    *ret_after = *person;
    if (person_period_s(person) == 0) return false;
    if (open_enrolment(person)) {
        ret_after->enrolment = ENROL_EXPIRED;
        return true;
    }
    /* The way back is closed: the physical token that the phone came after is gone. */
    ret_after->enrolment = ENROL_FINAL;
    if (person->suspended_it && person->token == TOKEN_HELD_BACK) ret_after->token = TOKEN_GONE;
    ret_after->suspended_it = false;
    return true;
}

bool person_act(const struct person *person, enum person_act act, struct person *ret_after)
{
    *ret_after = *person;
    return acts[act].does(ret_after);
}

enum otpring_verdict person_required(const struct person *person)
{
    if (person->gate == GATE_IS_WAIVED) return OTPRING_NOT_REQUIRED;
    return person->gate == GATE_IS_PENDING || person->line ? OTPRING_REQUIRED : OTPRING_UNAVAILABLE;
}

bool person_lets_off(const struct person *before, const struct person *after)
{
    bool falls = person_required(before) == OTPRING_REQUIRED && person_required(after) == OTPRING_NOT_REQUIRED;
    return falls && !(after->released && !before->released);
}

const char *person_act_name(enum person_act act)
{
    return acts[act].name;
}

const char *person_enrolment_name(enum person_enrolment enrolment)
{
    static const char *const names[] = {"none",   "invited", "presented", "proven",    "binding",     "bound",
                                        "active", "final",   "expired",   "cancelled", "rolled-back", "unbound"};
    return names[enrolment];
}
