/* Who may do what with what, in which state: one table a machine (company, user, token, operator, request, enrolment),
 * default deny. rules_list.h is the table; here is how it is asked. Pure; any thread. */
#ifndef OTPRING_ADMIN_RULES_H
#define OTPRING_ADMIN_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/rules_list.h"

#define RULE_ACT(name, text, grant) DO_##name,
enum rule_act { RULE_ACTS(RULE_ACT) RULE_ACT_COUNT };

enum rule_role { ROLE_BANK, ROLE_COMPANY, ROLE_ENGINE, ROLE_DEVICE, ROLE_CLIENT, ROLE_COUNT };

enum rule_machine {
    MACHINE_COMPANY,
    MACHINE_USER,
    MACHINE_STOCK,
    MACHINE_OPERATOR,
    MACHINE_REQUEST,
    MACHINE_ENROLMENT,
    MACHINE_COUNT,
};

/* States, as rows hold them. */
#define COMPANY_STATE(name, text) COMPANY_##name,
enum company_state { COMPANY_STATES(COMPANY_STATE) COMPANY_STATE_COUNT };
#define USER_STATE(name, text) USER_##name,
enum user_state { USER_STATES(USER_STATE) USER_STATE_COUNT };
#define STOCK_STATE(name, text) STOCK_##name,
enum stock_state { STOCK_STATES(STOCK_STATE) STOCK_STATE_COUNT };
#define OPERATOR_STATE(name, text) OPERATOR_##name,
enum operator_state { OPERATOR_STATES(OPERATOR_STATE) OPERATOR_STATE_COUNT };
#define REQUEST_STATE(name, text) REQUEST_##name,
enum request_state { REQUEST_STATES(REQUEST_STATE) REQUEST_STATE_COUNT };
#define ENROLMENT_STATE(name, text) ENROLMENT_##name,
enum enrolment_state { ENROLMENT_STATES(ENROLMENT_STATE) ENROLMENT_STATE_COUNT };

/* Conditions, each a bit in a set. */
#define RULE_CONDITION(name, refusal) RULE_##name,
enum rule { RULE_CONDITIONS(RULE_CONDITION) RULE_COUNT };

/* What an operator of the bank may have been granted, each a bit in a set. */
enum rule_grant {
    GRANT_NOTHING, /* needs no grant */
    GRANT_COMPANIES,
    GRANT_USERS,
    GRANT_RELEASE,
    GRANT_ERASE,
    GRANT_STOCK,
    GRANT_TOKENS,
    GRANT_OPERATORS,
    GRANT_CONFIRM,
    GRANT_READ,
    GRANT_ENGINE,   /* plain tokens, profiles, backup, checkpoint, clock */
    GRANT_MESSAGES, /* messages to people: put, retry, settle by hand */
    GRANT_RELAY,    /* what otpring-relay needs, and nothing else */
    GRANT_COUNT
};

struct rule_line {
    uint8_t machine;
    uint8_t state;
    uint8_t act;
    uint8_t role;
    uint8_t next;
    uint32_t rules;
};

extern const struct rule_line rule_lines[];
extern const size_t rule_line_count;

/* The line that allows the step, or NULL: refused. */
const struct rule_line *rule_find(enum rule_machine machine, unsigned state, enum rule_act act, enum rule_role role);
/* "inactive, locked": the states in which this role may make the step, conditions aside; returns how many. */
unsigned rule_states_list(enum rule_machine machine, enum rule_act act, enum rule_role role, char *ret_text,
                          size_t size);
/* "user.deactivate": the acts of this role that lead from the state to one of those; returns how many. */
unsigned rule_ways_list(enum rule_machine machine, unsigned state, enum rule_act act, enum rule_role role,
                        char *ret_text, size_t size);
/* The first condition of the line that is not among those that hold; RULE_COUNT: the step may be made. */
enum rule rule_broken(const struct rule_line *line, uint32_t held);

unsigned rule_state_count(enum rule_machine machine);
const char *rule_state_name(enum rule_machine machine, unsigned state); /* small letters; "" where there is none */
bool rule_state_parse(enum rule_machine machine, const char *text, unsigned *ret_state);
const char *rule_act_name(enum rule_act act);
enum rule_grant rule_act_grant(enum rule_act act);
const char *rule_name(enum rule rule); /* "OWN_COMPANY" */
const char *rule_refusal(enum rule rule);
const char *rule_role_name(enum rule_role role);
/* "a" or "an", before the name of a machine. */
const char *rule_machine_article(enum rule_machine machine);
const char *rule_machine_name(enum rule_machine machine);
const char *rule_grant_name(enum rule_grant grant);
bool rule_grant_parse(const char *text, size_t size, enum rule_grant *ret_grant);

#endif
