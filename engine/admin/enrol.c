/* What all steps of an enrolment share: opening it, judging a step, putting it back. */
#include "admin/enrol.h"

#include <string.h>

struct result enrol_change(struct act *act, struct result (*serve)(struct people *people, struct result *ret_refusal))
{
    struct people people = {.act = act, .store = core_store(act->admin->core)};
    struct result refusal = result_ok();
    TRY(core_change_begin(act->admin->options.worker, &act->actor, &people.change));
    people.txn = core_change_txn(people.change);
    people.now_ms = core_change_now_ms(people.change);
    struct result result = serve(&people, &refusal);
    if (result_failed(result)) {
        core_change_abandon(people.change);
        /* cppcheck-suppress returnDanglingLifetime ; a result holds no pointer */
        return result;
    }
    result = core_change_commit(people.change);
    /* What was to be told did not happen. */
    if (result_failed(result)) json_object_clear(act->answer);
    TRY(result);
    admin_tidy(act->admin);
    return refusal;
}

struct result enrolling_open(struct people *people, const char *company, const char *user, const uint8_t name[16],
                             struct enrolling *ret_enrolling)
{
    struct enrolling *enrolling = ret_enrolling;
    *enrolling = (struct enrolling){.people = people};
    memcpy(enrolling->name, name, sizeof(enrolling->name));
    if (company) {
        TRY(people_company_open(people, company, name, &enrolling->company));
        TRY(people_user_open(people, user, name, &enrolling->user));
    } else {
        TRY(people_company_get(people, name, &enrolling->company));
        TRY(people_user_get(people, name, &enrolling->user));
    }
    struct result got = enrol_row_get(people, name, &enrolling->before);
    if (got.code == STORE_NOT_FOUND) got = result_ok();
    TRY(got);
    enrolling->row = enrolling->before;
    return result_ok();
}

uint32_t enrolling_held(const struct enrolling *enrolling)
{
    return (enrolling->company.state == COMPANY_ACTIVE ? 1u << RULE_SCHEME_ACTIVE : 0) |
           (enrolling->company.state != COMPANY_SUSPENDED ? 1u << RULE_COMPANY_OPEN : 0) |
           (enrolling->user.state == USER_ACTIVE ? 1u << RULE_USER_ACTIVE : 0) |
           (enrolling->user.phone_known ? 1u << RULE_PHONE_KNOWN : 0);
}

struct result enrolling_step(struct enrolling *enrolling, enum rule_role role, enum rule_act act, uint32_t held,
                             uint64_t valid_s)
{
    struct people *people = enrolling->people;
    unsigned next;
    TRY(people_judge_as(people, role, MACHINE_ENROLMENT, enrolling->row.state, act, enrolling->name,
                        held | enrolling_held(enrolling), &next));
    enrolling->row.state = (uint8_t)next;
    enrolling->row.changed_ms = people->now_ms;
    if (valid_s != ENROL_KEEP) {
        enrolling->row.due_ms = valid_s == 0 ? 0 : people->now_ms + (int64_t)valid_s * 1000;
    }
    return result_ok();
}

struct result enrolling_put(struct enrolling *enrolling, enum rule_act act)
{
    const struct enrolment_row *before = enrolling->before.state == ENROLMENT_NONE ? NULL : &enrolling->before;
    TRY(people_record(enrolling->people, act, enrolling->name, enrolling->row.number));
    TRY(enrol_row_put(enrolling->people, enrolling->name, before, &enrolling->row));
    enrolling->before = enrolling->row;
    return result_ok();
}
