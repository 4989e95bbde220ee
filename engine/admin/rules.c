/* The tables, made of the lists, and lookups in them. */
#include "admin/rules.h"

#include <stdio.h>
#include <string.h>

#define R(name) (1u << RULE_##name)

#define COMPANY_LINE(state, act, role, next, rules)                                                                    \
    {MACHINE_COMPANY, COMPANY_##state, DO_##act, ROLE_##role, COMPANY_##next, rules},
#define USER_LINE(state, act, role, next, rules)                                                                       \
    {MACHINE_USER, USER_##state, DO_##act, ROLE_##role, USER_##next, rules},
#define STOCK_LINE(state, act, role, next, rules)                                                                      \
    {MACHINE_STOCK, STOCK_##state, DO_##act, ROLE_##role, STOCK_##next, rules},
#define OPERATOR_LINE(state, act, role, next, rules)                                                                   \
    {MACHINE_OPERATOR, OPERATOR_##state, DO_##act, ROLE_##role, OPERATOR_##next, rules},
#define REQUEST_LINE(state, act, role, next, rules)                                                                    \
    {MACHINE_REQUEST, REQUEST_##state, DO_##act, ROLE_##role, REQUEST_##next, rules},
#define ENROLMENT_LINE(state, act, role, next, rules)                                                                  \
    {MACHINE_ENROLMENT, ENROLMENT_##state, DO_##act, ROLE_##role, ENROLMENT_##next, rules},

const struct rule_line rule_lines[] = {COMPANY_LINES(COMPANY_LINE) USER_LINES(USER_LINE) STOCK_LINES(
    STOCK_LINE) OPERATOR_LINES(OPERATOR_LINE) REQUEST_LINES(REQUEST_LINE) ENROLMENT_LINES(ENROLMENT_LINE)};
const size_t rule_line_count = sizeof(rule_lines) / sizeof(rule_lines[0]);

_Static_assert(RULE_COUNT <= 32, "conditions are bits of 32");
_Static_assert(GRANT_COUNT <= 32, "grants are bits of 32");

#define TEXT_OF(name, text) text,
static const char *const company_states[] = {COMPANY_STATES(TEXT_OF)};
static const char *const user_states[] = {USER_STATES(TEXT_OF)};
static const char *const stock_states[] = {STOCK_STATES(TEXT_OF)};
static const char *const operator_states[] = {OPERATOR_STATES(TEXT_OF)};
static const char *const request_states[] = {REQUEST_STATES(TEXT_OF)};
static const char *const enrolment_states[] = {ENROLMENT_STATES(TEXT_OF)};

static const struct {
    const char *name;
    const char *const *states;
    unsigned state_count;
} machines[MACHINE_COUNT] = {
    [MACHINE_COMPANY] = {"company", company_states, COMPANY_STATE_COUNT},
    [MACHINE_USER] = {"user", user_states, USER_STATE_COUNT},
    [MACHINE_STOCK] = {"token", stock_states, STOCK_STATE_COUNT},
    [MACHINE_OPERATOR] = {"operator", operator_states, OPERATOR_STATE_COUNT},
    [MACHINE_REQUEST] = {"request", request_states, REQUEST_STATE_COUNT},
    [MACHINE_ENROLMENT] = {"enrolment", enrolment_states, ENROLMENT_STATE_COUNT},
};

#define ACT_OF(name, text, grant) {text, GRANT_##grant},
static const struct {
    const char *name;
    enum rule_grant grant;
} acts[RULE_ACT_COUNT] = {RULE_ACTS(ACT_OF)};

#define RULE_OF(name, refusal) {#name, refusal},
static const struct {
    const char *name;
    const char *refusal;
} rules[RULE_COUNT] = {RULE_CONDITIONS(RULE_OF)};

static const char *const roles[ROLE_COUNT] = {"bank", "company", "engine", "device", "client"};
static const char *const grants[GRANT_COUNT] = {"nothing", "companies", "users",     "release", "erase",
                                                "stock",   "tokens",    "operators", "confirm", "read",
                                                "engine",  "messages",  "relay"};

const struct rule_line *rule_find(enum rule_machine machine, unsigned state, enum rule_act act, enum rule_role role)
{
    for (size_t i = 0; i < rule_line_count; i++) {
        const struct rule_line *line = &rule_lines[i];
        if (line->machine == machine && line->state == state && line->act == act && line->role == role) return line;
    }
    return NULL;
}

/* ", name" at the end of a list, without the comma at its beginning; what does not fit is left out. */
static void list_add(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);
    size_t wanted = used + strlen(name) + (used ? 2 : 0);
    if (wanted < size) snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

unsigned rule_states_list(enum rule_machine machine, enum rule_act act, enum rule_role role, char *ret_text,
                          size_t size)
{
    unsigned count = 0;
    ret_text[0] = 0;
    for (unsigned state = 0; state < machines[machine].state_count; state++) {
        if (!rule_find(machine, state, act, role)) continue;
        list_add(ret_text, size, machines[machine].states[state]);
        count++;
    }
    return count;
}

unsigned rule_ways_list(enum rule_machine machine, unsigned state, enum rule_act act, enum rule_role role,
                        char *ret_text, size_t size)
{
    unsigned count = 0;
    ret_text[0] = 0;
    for (size_t i = 0; i < rule_line_count; i++) {
        const struct rule_line *line = &rule_lines[i];
        if (line->machine != machine || line->state != state || line->role != role) continue;
        if (!rule_find(machine, line->next, act, role)) continue;
        list_add(ret_text, size, acts[line->act].name);
        count++;
    }
    return count;
}

enum rule rule_broken(const struct rule_line *line, uint32_t held)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) {
        if ((line->rules & ~held) >> rule & 1) return (enum rule)rule;
    }
    return RULE_COUNT;
}

unsigned rule_state_count(enum rule_machine machine)
{
    return machines[machine].state_count;
}

const char *rule_state_name(enum rule_machine machine, unsigned state)
{
    return state < machines[machine].state_count ? machines[machine].states[state] : "";
}

bool rule_state_parse(enum rule_machine machine, const char *text, unsigned *ret_state)
{
    for (unsigned state = 1; state < machines[machine].state_count; state++) {
        if (strcmp(text, machines[machine].states[state]) != 0) continue;
        *ret_state = state;
        return true;
    }
    return false;
}

const char *rule_act_name(enum rule_act act)
{
    return acts[act].name;
}

enum rule_grant rule_act_grant(enum rule_act act)
{
    return acts[act].grant;
}

const char *rule_name(enum rule rule)
{
    return rules[rule].name;
}

const char *rule_refusal(enum rule rule)
{
    return rules[rule].refusal;
}

const char *rule_role_name(enum rule_role role)
{
    return roles[role];
}

const char *rule_machine_article(enum rule_machine machine)
{
    return strchr("eo", machines[machine].name[0]) ? "an" : "a"; /* "a user" */
}

const char *rule_machine_name(enum rule_machine machine)
{
    return machines[machine].name;
}

const char *rule_grant_name(enum rule_grant grant)
{
    return grants[grant];
}

bool rule_grant_parse(const char *text, size_t size, enum rule_grant *ret_grant)
{
    for (unsigned grant = 1; grant < GRANT_COUNT; grant++) {
        if (strlen(grants[grant]) != size || memcmp(grants[grant], text, size) != 0) continue;
        *ret_grant = (enum rule_grant)grant;
        return true;
    }
    return false;
}
