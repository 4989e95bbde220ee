/* An act on people being served: who asks, what the rules say, the change that it becomes. */
#include "admin/people.h"

#include <stdio.h>
#include <string.h>

#include "core/gate.h"
#include "os/arena.h"

/* ---- who ---- */

static struct result operators_exist(struct people *people, bool *ret_exist)
{
    struct store_bytes key, value;
    struct result got =
        store_next(people->store, people->txn, STORE_OPERATORS, (struct store_bytes){0}, false, &key, &value);
    if (result_failed(got) && got.code != STORE_NOT_FOUND) return got;
    *ret_exist = !result_failed(got);
    return result_ok();
}

bool people_owner(const struct act *act)
{
    const struct admin_options *options = &act->admin->options;
    return options->alone || act->actor.uid == 0 || act->actor.uid == options->owner_uid;
}

static void owner_set(struct act *act)
{
    act->who = (struct admin_who){.role = ROLE_BANK, .grants = UINT32_MAX};
}

/* A company's administrator acts for as long as the user is one. */
static struct result administrator_check(struct people *people, const struct operator_row *row)
{
    struct user_row user;
    if (row->role != ROLE_COMPANY) return result_ok();
    struct result got = people_user_get(people, row->account, &user);
    if (got.code == STORE_NOT_FOUND) return result_of(OPERATOR);
    TRY(got);
    return user.state == USER_ACTIVE && (user.flags & USER_IS_ADMINISTRATOR) ? result_ok() : result_of(OPERATOR);
}

/* Every wrong way looks the same to whoever asks. */
static struct result operator_check(struct people *people, const char *name, const char *key)
{
    struct act *act = people->act;
    struct operator_row row;
    uint8_t fingerprint[VAULT_FINGERPRINT_SIZE];
    struct result got = people_operator_find(people, name, &row);
    if (got.code == STORE_NOT_FOUND) return result_of(OPERATOR);
    TRY(got);
    vault_fingerprint(core_vault(act->admin->core), (const uint8_t *)key, strlen(key), fingerprint);
    bool good = vault_equal(fingerprint, row.key, sizeof(row.key));
    if (!good || row.state != OPERATOR_ACTIVE || (row.uid != UINT32_MAX && row.uid != act->actor.uid)) {
        return result_of(OPERATOR);
    }
    TRY(administrator_check(people, &row));
    act->who = (struct admin_who){.role = row.role, .grants = row.grants};
    memcpy(act->who.self, row.account, sizeof(act->who.self));
    act->actor.operator_id = row.id;
    return result_ok();
}

static struct result who(struct people *people)
{
    struct act *act = people->act;
    const char *name = NULL, *key = NULL;
    bool exist = false;
    TRY(act_text(act, "operator", false, &name));
    TRY(act_text(act, "key", false, &key));
    TRY(act_text(act, "reason", false, &act->reason));
    if (act->reason && !core_text_valid(act->reason, 1, CORE_CHANGE_REASON_MAX)) {
        return act_detail(act, BAD_NAME, "reason");
    }
    if (name || key) {
        if (!name || !key) return act_detail(act, BAD_JSON, "operator and key go together");
        return operator_check(people, name, key);
    }
    TRY(operators_exist(people, &exist));
    if (exist && !act->admin->options.alone && !act->anybody) {
        return act_detail(act, OPERATOR, "this store has operators: say which one asks");
    }
    if (!people_owner(act)) return act_detail(act, OPERATOR, "say which operator asks");
    owner_set(act);
    return result_ok();
}

static struct result reading(struct act *act, struct people *people, struct result (*serve)(struct people *people))
{
    *people = (struct people){.act = act, .store = core_store(act->admin->core), .now_ms = admin_now_ms(act->admin)};
    TRY(store_begin(people->store, false, &people->txn));
    struct result result = serve(people);
    store_abort(people->store, people->txn);
    return result;
}

struct result people_who(struct act *act)
{
    struct people people;
    return reading(act, &people, who);
}

struct result people_granted(struct act *act, enum rule_grant grant)
{
    if (grant == GRANT_NOTHING) return result_ok();
    if (act->who.role == ROLE_BANK && act->who.grants >> grant & 1) return result_ok();
    json_object_set_new(act->answer, "rule", json_string("GRANT"));
    return act_detail(act, RULE, "this operator has not been granted \"%s\"", rule_grant_name(grant));
}

/* ---- serving ---- */

struct result people_read(struct act *act, struct result (*serve)(struct people *people))
{
    struct people people;
    if (act->who.role == ROLE_BANK) TRY(people_granted(act, GRANT_READ));
    return reading(act, &people, serve);
}

struct result people_change(struct act *act, struct result (*serve)(struct people *people))
{
    struct people people = {.act = act, .store = core_store(act->admin->core)};
    TRY(core_change_begin(act->admin->options.worker, &act->actor, &people.change));
    people.txn = core_change_txn(people.change);
    people.now_ms = core_change_now_ms(people.change);
    struct result result = serve(&people);
    if (result_failed(result)) {
        core_change_abandon(people.change);
        /* cppcheck-suppress returnDanglingLifetime ; a result holds no pointer */
        return result;
    }
    TRY(core_change_commit(people.change));
    admin_tidy(act->admin);
    return result_ok();
}

/* ---- rules ---- */

static struct result refuse(struct people *people, const char *rule, const char *text)
{
    json_object_set_new(people->act->answer, "rule", json_string(rule));
    return act_detail(people->act, RULE, "%s", text);
}

/* What there is instead: in which states it is a step, and what leads to one of them. */
static struct result refuse_step(struct people *people, enum rule_role role, enum rule_machine machine, unsigned state,
                                 enum rule_act act)
{
    char states[160], ways[80], instead[sizeof(states) + sizeof(ways) + 40] = "";
    json_object_set_new(people->act->answer, "rule", json_string("NO_STEP"));
    if (rule_states_list(machine, act, role, states, sizeof(states))) {
        bool led = rule_ways_list(machine, state, act, role, ways, sizeof(ways)) > 0;
        snprintf(instead, sizeof(instead), " (it is one of: %s%s%s)", states, led ? "; first: " : "", led ? ways : "");
    }
    return act_detail(people->act, RULE, "%s by %s is no step of %s %s in the state %s%s", rule_act_name(act),
                      rule_role_name(role), rule_machine_article(machine), rule_machine_name(machine),
                      rule_state_name(machine, state), instead);
}

struct result people_judge_as(struct people *people, enum rule_role role, enum rule_machine machine, unsigned state,
                              enum rule_act act, const uint8_t account[16], uint32_t held, unsigned *ret_next)
{
    const struct admin_who *who = &people->act->who;
    const struct rule_line *line = rule_find(machine, state, act, role);
    if (role == ROLE_COMPANY && memcmp(who->self, account, 8) == 0) held |= 1u << RULE_OWN_COMPANY;
    /* Operators are told apart by their numbers: their caller knows. */
    bool other = role == ROLE_BANK || memcmp(who->self, account, 16) != 0;
    if (other && machine != MACHINE_OPERATOR) held |= 1u << RULE_NOT_SELF;
    if (!line) return refuse_step(people, role, machine, state, act);
    enum rule broken = rule_broken(line, held);
    if (broken != RULE_COUNT) return refuse(people, rule_name(broken), rule_refusal(broken));
    *ret_next = line->next;
    return result_ok();
}

struct result people_judge(struct people *people, enum rule_machine machine, unsigned state, enum rule_act act,
                           const uint8_t account[16], uint32_t held, unsigned *ret_next)
{
    enum rule_role role = people->act->who.role;
    TRY(people_judge_as(people, role, machine, state, act, account, held, ret_next));
    return role == ROLE_BANK ? people_granted(people->act, rule_act_grant(act)) : result_ok();
}

struct result people_record(struct people *people, enum rule_act act, const uint8_t account[16], uint64_t subject)
{
    struct core_change_act record = {.name = rule_act_name(act), .reason = people->act->reason, .subject = subject};
    memcpy(record.account, account, sizeof(record.account));
    admin_touch(people->act->admin, account);
    return core_change_record(people->change, &record);
}

struct result people_sees(const struct people *people, const uint8_t company[8])
{
    const struct admin_who *who = &people->act->who;
    bool own = who->role != ROLE_COMPANY || memcmp(who->self, company, 8) == 0;
    return own ? result_ok() : result_of(STORE_NOT_FOUND);
}

struct plain {
    const uint32_t *ordinals;
    size_t count;
};

static struct result plain_only(struct people *people)
{
    const struct plain *plain = people->act->context;
    struct stock_row stock;
    for (size_t i = 0; i < plain->count; i++) {
        struct result got = people_stock_of_ordinal(people, plain->ordinals[i], &stock);
        if (got.code == STORE_NOT_FOUND) continue;
        TRY(got);
        return act_detail(people->act, IN_STOCK, "token %u is %s of the stock: see otpring token stock",
                          plain->ordinals[i], stock.serial);
    }
    return result_ok();
}

struct result people_plain_only(struct act *act, const uint32_t *ordinals, size_t count)
{
    struct people people;
    struct plain plain = {ordinals, count};
    act->context = &plain;
    struct result result = reading(act, &people, plain_only);
    act->context = NULL;
    return result;
}

struct unlocking {
    const char *company, *user;
};

static struct result unlock_alone(struct people *people)
{
    const struct unlocking *unlocking = people->act->context;
    struct user_row user;
    uint8_t name[16];
    core_name(unlocking->company, strlen(unlocking->company), unlocking->user, strlen(unlocking->user), name);
    struct result got = people_user_get(people, name, &user);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    return act_detail(people->act, IN_STOCK, "who may forget this user's failures: see otpring user unlock");
}

struct result people_unlock_alone(struct act *act, const char *company, const char *user)
{
    struct people people;
    struct unlocking unlocking = {company, user};
    if (act->actor.operator_id == 0) return result_ok();
    if (!core_text_valid(company, 1, SCHEMA_NAME_MAX) || !core_text_valid(user, 1, SCHEMA_NAME_MAX)) return result_ok();
    act->context = &unlocking;
    struct result result = reading(act, &people, unlock_alone);
    act->context = NULL;
    return result;
}

/* ---- names ---- */

void people_company_name(const char *company, uint8_t ret_name[16])
{
    core_name(company, strlen(company), "", 0, ret_name);
    memset(ret_name + 8, 0, 8);
}

struct result people_names(struct people *people, bool user_needed, const char **ret_company, const char **ret_user,
                           uint8_t ret_name[16])
{
    struct act *act = people->act;
    const char *company = NULL, *user = NULL;
    TRY(act_text(act, "company", true, &company));
    if (!core_text_valid(company, 1, SCHEMA_NAME_MAX)) return act_detail(act, BAD_NAME, "company");
    people_company_name(company, ret_name);
    *ret_company = company;
    if (!user_needed) return result_ok();
    TRY(act_text(act, "user", true, &user));
    if (!core_text_valid(user, 1, SCHEMA_NAME_MAX)) return act_detail(act, BAD_NAME, "user");
    core_name(company, strlen(company), user, strlen(user), ret_name);
    *ret_user = user;
    return result_ok();
}

struct result people_company_open(struct people *people, const char *company, const uint8_t name[16],
                                  struct company_row *ret_row)
{
    struct result got = people_company_get(people, name, ret_row);
    if (got.code == STORE_NOT_FOUND || (!result_failed(got) && strcmp(ret_row->name, company) != 0)) {
        return act_detail(people->act, STORE_NOT_FOUND, "company");
    }
    TRY(got);
    got = people_sees(people, name);
    return result_failed(got) ? act_detail(people->act, STORE_NOT_FOUND, "company") : got;
}

struct result people_user_open(struct people *people, const char *user, const uint8_t name[16],
                               struct user_row *ret_row)
{
    struct result got = people_user_get(people, name, ret_row);
    if (got.code == STORE_NOT_FOUND || (!result_failed(got) && strcmp(ret_row->user, user) != 0)) {
        return act_detail(people->act, STORE_NOT_FOUND, "user");
    }
    return got;
}

/* ---- gates ---- */

static struct result gate_put(struct people *people, const uint8_t name[16], enum core_gate gate)
{
    uint8_t value[GATE_ROW_SIZE];
    gate_encode(gate, value);
    return core_change_put(people->change, STORE_GATES, (struct store_bytes){name, 16},
                           (struct store_bytes){value, sizeof(value)});
}

struct result gate_company(struct people *people, const uint8_t name[16], bool enforced)
{
    return gate_put(people, name, enforced ? GATE_ENFORCED : GATE_WAITING);
}

struct result gate_waive(struct people *people, const uint8_t name[16])
{
    return gate_put(people, name, GATE_WAIVED);
}

struct result gate_require(struct people *people, const uint8_t name[16])
{
    return gate_put(people, name, GATE_PENDING);
}

struct result gate_remove(struct people *people, const uint8_t name[16])
{
    return core_change_erase(people->change, STORE_GATES, (struct store_bytes){name, 16});
}
