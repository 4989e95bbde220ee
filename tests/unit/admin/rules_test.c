/* The rules: every (state, act, role) of every machine, against what this page says by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin/rules.h"

/* What is allowed, written a second time, by hand and in words: "act role: states > next". B: the bank, C: a company's
 * administrator, E: the engine, D: a device, S: an auth server. Whatever stands here for no triple must be refused. */
static const struct {
    enum rule_machine machine;
    const char *text;
} allowed[] = {
    {MACHINE_COMPANY, "company.add B none waiting"},
    {MACHINE_COMPANY, "company.adopt B none active"},
    {MACHINE_COMPANY, "company.activate B waiting,suspended active"},
    {MACHINE_COMPANY, "company.suspend B active suspended"},
    {MACHINE_USER, "user.add BC none,erased active"},
    {MACHINE_USER, "user.set BC active,inactive ="},
    {MACHINE_USER, "user.administrator B active,inactive ="},
    {MACHINE_USER, "user.deactivate BC active inactive"},
    {MACHINE_USER, "user.reactivate BC inactive active"},
    {MACHINE_USER, "user.release B active ="},
    {MACHINE_USER, "user.unlock BC active ="},
    {MACHINE_USER, "user.reset BC active,inactive ="},
    {MACHINE_USER, "user.erase B inactive erased"},
    {MACHINE_STOCK, "stock.add B none ordered"},
    {MACHINE_STOCK, "stock.give B ordered custody"},
    {MACHINE_STOCK, "stock.assign BC custody assigned"},
    {MACHINE_STOCK, "stock.first-code E assigned active"},
    {MACHINE_STOCK, "stock.take BC assigned,active,suspended,replaced custody"},
    {MACHINE_STOCK, "stock.suspend BC assigned,active suspended"},
    {MACHINE_STOCK, "stock.resume BC suspended active"},
    {MACHINE_STOCK, "stock.lost BC custody,assigned,active,suspended lost"},
    {MACHINE_STOCK, "stock.replace BC assigned,active,suspended,lost replaced"},
    {MACHINE_STOCK, "stock.retire B ordered,custody,lost,replaced retired"},
    {MACHINE_OPERATOR, "operator.add B none active"},
    {MACHINE_OPERATOR, "operator.grant B active,disabled active"},
    {MACHINE_OPERATOR, "operator.disable B active disabled"},
    {MACHINE_REQUEST, "request.ask BC none open"},
    {MACHINE_REQUEST, "request.confirm BC open confirmed"},
    {MACHINE_REQUEST, "request.refuse BC open refused"},
    {MACHINE_ENROLMENT, "enrol.invite BC none,invited,final,expired,cancelled,rolled-back,unbound invited"},
    {MACHINE_ENROLMENT, "enrol.wrong-code E invited ="},
    {MACHINE_ENROLMENT, "enrol.present D invited presented"},
    {MACHINE_ENROLMENT, "enrol.vouch S presented ="},
    {MACHINE_ENROLMENT, "enrol.code D presented ="},
    {MACHINE_ENROLMENT, "enrol.prove D presented proven"},
    {MACHINE_ENROLMENT, "enrol.bind D proven binding"},
    {MACHINE_ENROLMENT, "enrol.stored D binding bound"},
    {MACHINE_ENROLMENT, "enrol.confirm D bound active"},
    {MACHINE_ENROLMENT, "enrol.retire E active ="},
    {MACHINE_ENROLMENT, "enrol.finish E active final"},
    {MACHINE_ENROLMENT, "enrol.expire E invited,presented,proven,binding,bound expired"},
    {MACHINE_ENROLMENT, "enrol.cancel BC invited,presented,proven,binding,bound cancelled"},
    {MACHINE_ENROLMENT, "enrol.rollback BC active rolled-back"},
    {MACHINE_ENROLMENT, "device.unbind BC active,final unbound"},
};

static bool listed(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += size) {
        if ((at == list || at[-1] == ',') && (at[size] == 0 || at[size] == ',')) return true;
    }
    return false;
}

/* The next state, or NULL: refused. */
static const char *expected(enum rule_machine machine, const char *state, const char *act, char role)
{
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        static char name[40], roles[8], states[80], next[20];
        if (allowed[i].machine != machine) continue;
        assert_int_equal(sscanf(allowed[i].text, "%39s %7s %79s %19s", name, roles, states, next), 4);
        if (strcmp(name, act) != 0 || !strchr(roles, role) || !listed(states, state)) continue;
        return strcmp(next, "=") == 0 ? state : next;
    }
    return NULL;
}

static void every_triple_of_state_act_and_role_is_what_the_rules_say(void **unused)
{
    (void)unused;
    unsigned triples = 0, steps = 0;
    for (unsigned machine = 0; machine < MACHINE_COUNT; machine++) {
        for (unsigned state = 0; state < rule_state_count((enum rule_machine)machine); state++) {
            for (unsigned act = 0; act < RULE_ACT_COUNT; act++) {
                for (unsigned role = 0; role < ROLE_COUNT; role++) {
                    const struct rule_line *line =
                        rule_find((enum rule_machine)machine, state, (enum rule_act)act, (enum rule_role)role);
                    const char *next =
                        expected((enum rule_machine)machine, rule_state_name((enum rule_machine)machine, state),
                                 rule_act_name((enum rule_act)act), "BCEDS"[role]);
                    triples++;
                    if (!line != !next) {
                        print_error("%s %s by %s\n", rule_state_name((enum rule_machine)machine, state),
                                    rule_act_name((enum rule_act)act), rule_role_name((enum rule_role)role));
                    }
                    assert_int_equal(line != NULL, next != NULL);
                    if (!line) continue;
                    assert_string_equal(rule_state_name((enum rule_machine)machine, line->next), next);
                    steps++;
                }
            }
        }
    }
    assert_int_equal(steps, rule_line_count); /* none stands twice */
    print_message("counted: %u triples, %u steps\n", triples, steps);
}

static void an_administrator_of_a_company_touches_the_own_alone(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < rule_line_count; i++) {
        const struct rule_line *line = &rule_lines[i];
        if (line->role == ROLE_COMPANY) assert_true(line->rules >> RULE_OWN_COMPANY & 1);
    }
}

static void a_step_names_the_first_condition_that_does_not_hold(void **unused)
{
    (void)unused;
    const struct rule_line *line = rule_find(MACHINE_STOCK, STOCK_CUSTODY, DO_STOCK_ASSIGN, ROLE_COMPANY);
    assert_non_null(line);
    assert_int_equal(rule_broken(line, 0), RULE_OWN_COMPANY);
    assert_int_equal(rule_broken(line, ~(1u << RULE_USER_ACTIVE)), RULE_USER_ACTIVE);
    assert_int_equal(rule_broken(line, UINT32_MAX), RULE_COUNT);
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) assert_true(strlen(rule_refusal((enum rule)rule)) > 10);
}

static void a_refused_step_tells_where_it_is_one_and_what_leads_there(void **unused)
{
    (void)unused;
    char text[160], little[20];
    assert_int_equal(rule_states_list(MACHINE_USER, DO_USER_ERASE, ROLE_BANK, text, sizeof(text)), 1);
    assert_string_equal(text, "inactive");
    assert_int_equal(rule_ways_list(MACHINE_USER, USER_ACTIVE, DO_USER_ERASE, ROLE_BANK, text, sizeof(text)), 1);
    assert_string_equal(text, "user.deactivate");
    assert_int_equal(rule_ways_list(MACHINE_USER, USER_ERASED, DO_USER_ERASE, ROLE_BANK, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(
        rule_ways_list(MACHINE_ENROLMENT, ENROLMENT_PRESENTED, DO_ENROL_INVITE, ROLE_BANK, text, sizeof(text)), 1);
    assert_string_equal(text, "enrol.cancel");
    assert_int_equal(rule_states_list(MACHINE_ENROLMENT, DO_ENROL_INVITE, ROLE_BANK, little, sizeof(little)), 7);
    assert_string_equal(little, "none, invited");
    assert_int_equal(rule_states_list(MACHINE_USER, DO_ENROL_INVITE, ROLE_BANK, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    /* What is refused must fit its place whole, for every act, state and role. */
    for (unsigned machine = 0; machine < MACHINE_COUNT; machine++)
        for (unsigned act = 0; act < RULE_ACT_COUNT; act++)
            for (unsigned role = 0; role < ROLE_COUNT; role++) {
                rule_states_list((enum rule_machine)machine, (enum rule_act)act, (enum rule_role)role, text,
                                 sizeof(text));
                assert_in_range(strlen(text), 0, sizeof(text) - 30);
            }
}

static void names_are_found_again(void **unused)
{
    (void)unused;
    unsigned state = 0;
    enum rule_grant grant = GRANT_NOTHING;
    assert_true(rule_state_parse(MACHINE_STOCK, "custody", &state));
    assert_int_equal(state, STOCK_CUSTODY);
    assert_false(rule_state_parse(MACHINE_STOCK, "none", &state));
    assert_false(rule_state_parse(MACHINE_USER, "custody", &state));
    assert_string_equal(rule_state_name(MACHINE_USER, USER_STATE_COUNT), "");
    for (unsigned i = 1; i < GRANT_COUNT; i++) {
        const char *name = rule_grant_name((enum rule_grant)i);
        assert_true(rule_grant_parse(name, strlen(name), &grant));
        assert_int_equal(grant, i);
    }
    assert_false(rule_grant_parse("nothing", 7, &grant));
    assert_false(rule_grant_parse("user", 4, &grant));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_triple_of_state_act_and_role_is_what_the_rules_say),
        cmocka_unit_test(an_administrator_of_a_company_touches_the_own_alone),
        cmocka_unit_test(a_step_names_the_first_condition_that_does_not_hold),
        cmocka_unit_test(a_refused_step_tells_where_it_is_one_and_what_leads_there),
        cmocka_unit_test(names_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
