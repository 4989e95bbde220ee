/* Operators: named, with a key of their own and, as wished, one user id that may say their name; and requests, with
 * which one asks and another decides. */
#include <string.h>

#include "admin/people.h"
#include "os/arena.h"

enum { KEY_SIZE = 20, KEY_TEXT_SIZE = 32, REQUEST_DAYS = 7, DAY_MS = 86400000 };

/* ---- grants ---- */

static struct result grants_get(struct people *people, uint32_t *ret_grants)
{
    const char *text = NULL;
    enum rule_grant grant;
    TRY(act_text(people->act, "may", false, &text));
    if (!text) return result_ok();
    *ret_grants = 0;
    for (const char *at = text; *at;) {
        size_t size = strcspn(at, ",");
        if (strncmp(at, "all", size) == 0 && size == 3) {
            *ret_grants = ((1u << GRANT_COUNT) - 1) & ~(1u << GRANT_NOTHING);
        } else if (rule_grant_parse(at, size, &grant)) {
            *ret_grants |= 1u << grant;
        } else {
            return act_detail(people->act, BAD_ARGUMENT, "there is no grant \"%.*s\"", (int)(size < 20 ? size : 20),
                              at);
        }
        at += size + (at[size] == ',');
    }
    return result_ok();
}

static json_t *grants_json(uint32_t grants)
{
    json_t *list = json_array();
    for (unsigned grant = 1; grant < GRANT_COUNT; grant++) {
        if (grants >> grant & 1) json_array_append_new(list, json_string(rule_grant_name((enum rule_grant)grant)));
    }
    return list;
}

/* ---- operators ---- */

/* A fresh key, told once; the store keeps its keyed fingerprint. */
static void key_make(struct people *people, struct operator_row *row)
{
    uint8_t bytes[KEY_SIZE];
    char text[KEY_TEXT_SIZE + 1];
    os_random(people->act->admin->options.os, bytes, sizeof(bytes));
    CHECK(!result_failed(otp_base32_encode(bytes, sizeof(bytes), text, sizeof(text))));
    vault_fingerprint(core_vault(people->act->admin->core), (const uint8_t *)text, strlen(text), row->key);
    json_object_set_new(people->act->answer, "key", json_string(text));
    secret_wipe(text, sizeof(text));
    secret_wipe(bytes, sizeof(bytes));
}

/* A company's administrator acts by the name of a user who is one. */
static struct result account_get(struct people *people, struct operator_row *row)
{
    struct company_row company;
    struct user_row user;
    const char *company_text, *user_text;
    if (!json_object_get(people->act->request, "company")) return result_ok();
    TRY(people_names(people, true, &company_text, &user_text, row->account));
    TRY(people_company_open(people, company_text, row->account, &company));
    TRY(people_user_open(people, user_text, row->account, &user));
    if (!(user.flags & USER_IS_ADMINISTRATOR)) {
        return act_detail(people->act, BAD_ARGUMENT, "this user is no administrator of the company");
    }
    row->role = ROLE_COMPANY;
    return result_ok();
}

static struct result uid_get(struct people *people, struct operator_row *row)
{
    uint64_t uid = row->uid;
    TRY(act_number(people->act, "uid", false, 0, UINT32_MAX - 1, &uid));
    row->uid = (uint32_t)uid;
    return result_ok();
}

static struct result operator_name(struct people *people, const char **ret_name)
{
    TRY(act_text(people->act, "name", true, ret_name));
    if (core_text_valid(*ret_name, 1, PEOPLE_OPERATOR_NAME_MAX) && strcmp(*ret_name, "owner") != 0) return result_ok();
    return act_detail(people->act, BAD_NAME, "name");
}

static bool grants_others(const struct operator_row *row)
{
    return row->state == OPERATOR_ACTIVE && row->role == ROLE_BANK && row->grants >> GRANT_OPERATORS & 1;
}

/* Whether an operator other than this one may grant. */
static struct result another_grants(struct people *people, uint32_t id, bool *ret_another)
{
    uint8_t at[4] = {0};
    struct store_bytes key, value;
    struct operator_row row;
    for (*ret_another = false; !*ret_another;) {
        struct result got = store_next(people->store, people->txn, STORE_OPERATORS,
                                       (struct store_bytes){at, sizeof(at)}, false, &key, &value);
        if (got.code == STORE_NOT_FOUND) return result_ok();
        TRY(got);
        if (key.size != sizeof(at)) return result_of(STORE_DAMAGED);
        memcpy(at, key.bytes, sizeof(at));
        TRY(people_operator_decode(value, &row));
        *ret_another = row.id != id && grants_others(&row);
    }
    return result_ok();
}

static struct result operator_add(struct people *people)
{
    struct operator_row row = {.role = ROLE_BANK, .uid = UINT32_MAX, .created_ms = people->now_ms}, other;
    const char *name;
    uint64_t id;
    unsigned next;
    TRY(operator_name(people, &name));
    struct result got = people_operator_find(people, name, &other);
    if (got.code != STORE_NOT_FOUND)
        return result_failed(got) ? got : act_detail(people->act, STORE_EXISTS, "operator");
    TRY(account_get(people, &row));
    TRY(grants_get(people, &row.grants));
    TRY(uid_get(people, &row));
    if (row.role == ROLE_COMPANY && row.grants) {
        return act_detail(people->act, BAD_ARGUMENT, "an administrator of a company may what the rules say, no more");
    }
    /* With the first operator the owner is served no more: somebody must be there who may name others. */
    bool granting = row.role == ROLE_BANK && row.grants >> GRANT_OPERATORS & 1;
    if (!granting) TRY(another_grants(people, 0, &granting));
    TRY(people_judge(people, MACHINE_OPERATOR, OPERATOR_NONE, DO_OPERATOR_ADD, row.account,
                     granting ? 1u << RULE_NOT_LAST : 0, &next));
    TRY(people_record(people, DO_OPERATOR_ADD, row.account, 0));
    TRY(people_number(people, "operator", &id));
    if (id >= UINT32_MAX) return result_of(FULL);
    row.id = (uint32_t)id;
    row.state = (uint8_t)next;
    strcpy(row.name, name);
    key_make(people, &row);
    json_object_set_new(people->act->answer, "id", json_integer(row.id));
    return people_operator_put(people, &row);
}

struct result act_operator_add(struct act *act)
{
    return people_change(act, operator_add);
}

/* What a grant may change besides grants: disabling, a fresh key, the user id. A grant enables. */
static struct result grant_fields(struct people *people, struct operator_row *row, unsigned *ret_state)
{
    const char *state = NULL;
    *ret_state = OPERATOR_ACTIVE;
    TRY(act_text(people->act, "state", false, &state));
    if (state && !rule_state_parse(MACHINE_OPERATOR, state, ret_state)) {
        return act_detail(people->act, BAD_ARGUMENT, "state is active or disabled");
    }
    TRY(grants_get(people, &row->grants));
    TRY(uid_get(people, row));
    const json_t *fresh = json_object_get(people->act->request, "new_key");
    if (fresh && !json_is_true(fresh)) return act_detail(people->act, BAD_JSON, "new_key is true or absent");
    if (row->role == ROLE_COMPANY && row->grants) {
        return act_detail(people->act, BAD_ARGUMENT, "an administrator of a company may what the rules say, no more");
    }
    if (fresh) key_make(people, row);
    return result_ok();
}

static struct result operator_grant(struct people *people)
{
    struct operator_row row, before;
    const char *name;
    bool another = false;
    unsigned wished, next;
    TRY(operator_name(people, &name));
    struct result got = people_operator_find(people, name, &row);
    if (got.code == STORE_NOT_FOUND) return act_detail(people->act, STORE_NOT_FOUND, "operator");
    TRY(got);
    before = row;
    TRY(grant_fields(people, &row, &wished));
    enum rule_act act = wished == OPERATOR_DISABLED ? DO_OPERATOR_DISABLE : DO_OPERATOR_GRANT;
    row.state = (uint8_t)wished;
    TRY(another_grants(people, row.id, &another));
    uint32_t held = another || !grants_others(&before) || grants_others(&row) ? 1u << RULE_NOT_LAST : 0;
    if (people->act->actor.operator_id != row.id) held |= 1u << RULE_NOT_SELF;
    TRY(people_judge(people, MACHINE_OPERATOR, before.state, act, row.account, held, &next));
    row.state = (uint8_t)next;
    TRY(people_record(people, act, row.account, row.id));
    json_object_set_new(people->act->answer, "state", json_string(rule_state_name(MACHINE_OPERATOR, row.state)));
    json_object_set_new(people->act->answer, "may", grants_json(row.grants));
    return people_operator_put(people, &row);
}

struct result act_operator_grant(struct act *act)
{
    return people_change(act, operator_grant);
}

static struct result operator_put(struct people *people, const struct store_bytes *key, struct store_bytes value,
                                  json_t *list)
{
    struct operator_row row;
    struct company_row company;
    struct user_row user;
    (void)key;
    if (value.size != 4) return result_of(STORE_DAMAGED);
    unsigned state = 0;
    TRY(people_operator_get(people, load_be32(value.bytes), &row));
    TRY(people_state_filter(people, MACHINE_OPERATOR, &state));
    if (state && row.state != state) return result_ok();
    json_t *item =
        json_pack("{s:I,s:s,s:s,s:s}", "id", (json_int_t)row.id, "name", row.name, "state",
                  rule_state_name(MACHINE_OPERATOR, row.state), "role", rule_role_name((enum rule_role)row.role));
    json_object_set_new(item, "uid", row.uid == UINT32_MAX ? json_null() : json_integer(row.uid));
    json_object_set_new(item, "may", grants_json(row.grants));
    if (row.role == ROLE_COMPANY && !result_failed(people_company_get(people, row.account, &company)) &&
        !result_failed(people_user_get(people, row.account, &user))) {
        json_object_set_new(item, "company", json_string(company.name));
        json_object_set_new(item, "user", json_string(user.user));
    }
    json_array_append_new(list, item);
    return result_ok();
}

static struct result operator_list(struct people *people)
{
    struct order_key prefix = order_begin(ORDER_OPERATOR_BY_NAME);
    if (people->act->who.role != ROLE_BANK) return people_granted(people->act, GRANT_OPERATORS);
    return people_list(people, "operators", &prefix, operator_put);
}

struct result act_operator_list(struct act *act)
{
    return people_read(act, operator_list);
}

/* ---- requests ---- */

/* The owner stands above operators, and has nobody else to ask. */
bool people_needs_second(const struct people *people)
{
    return people->act->actor.operator_id != 0;
}

struct result people_ask_second(struct people *people, enum rule_act act, const uint8_t account[16], const char *user)
{
    struct request_row row = {.act = (uint16_t)act,
                              .asked_by = people->act->actor.operator_id,
                              .asked_uid = people->act->actor.uid,
                              .asked_ms = people->now_ms};
    unsigned next;
    TRY(people_judge(people, MACHINE_REQUEST, REQUEST_NONE, DO_REQUEST_ASK, account, 0, &next));
    row.state = (uint8_t)next;
    memcpy(row.account, account, sizeof(row.account));
    strcpy(row.user, user);
    if (people->act->reason) strcpy(row.reason, people->act->reason);
    TRY(people_record(people, DO_REQUEST_ASK, account, act));
    TRY(people_number(people, "request", &row.number));
    json_object_set_new(people->act->answer, "request", json_integer((json_int_t)row.number));
    json_object_set_new(people->act->answer, "waits", json_true());
    return people_request_put(people, NULL, &row);
}

static bool in_time(const struct people *people, const struct request_row *row)
{
    return people->now_ms - row->asked_ms < (int64_t)REQUEST_DAYS * DAY_MS;
}

static struct result request_open(struct people *people, struct request_row *ret_row)
{
    uint64_t number = 0;
    TRY(act_number(people->act, "request", true, 1, INT64_MAX, &number));
    struct result got = people_request_get(people, number, ret_row);
    if (!result_failed(got)) got = people_sees(people, ret_row->account);
    return got.code == STORE_NOT_FOUND ? act_detail(people->act, STORE_NOT_FOUND, "request") : got;
}

/* Two operators that are one administrator's are one person. */
static struct result other_person(struct people *people, const struct request_row *row, bool *ret_other)
{
    struct operator_row asker;
    *ret_other = row->asked_by != people->act->actor.operator_id;
    if (!*ret_other || people->act->who.role != ROLE_COMPANY || row->asked_by == 0) return result_ok();
    TRY(people_operator_get(people, row->asked_by, &asker));
    *ret_other = asker.role != ROLE_COMPANY || memcmp(asker.account, people->act->who.self, sizeof(asker.account)) != 0;
    return result_ok();
}

static struct result decide(struct people *people, enum rule_act act, struct request_row *row)
{
    struct request_row before = *row;
    unsigned next;
    bool other;
    TRY(other_person(people, row, &other));
    uint32_t held = (other ? 1u << RULE_OTHER_PERSON : 0) | (in_time(people, row) ? 1u << RULE_IN_TIME : 0);
    TRY(people_judge(people, MACHINE_REQUEST, row->state, act, row->account, held, &next));
    row->state = (uint8_t)next;
    row->decided_by = people->act->actor.operator_id;
    row->decided_uid = people->act->actor.uid;
    row->decided_ms = people->now_ms;
    TRY(people_record(people, act, row->account, row->number));
    json_object_set_new(people->act->answer, "state", json_string(rule_state_name(MACHINE_REQUEST, row->state)));
    return people_request_put(people, &before, row);
}

/* What was asked is judged again, as things are now and as the second person may. */
static struct result apply(struct people *people, const struct request_row *row)
{
    struct user_row user;
    struct company_row company;
    unsigned next;
    TRY(people_company_get(people, row->account, &company));
    TRY(people_user_get(people, row->account, &user));
    uint32_t held = company.state != COMPANY_SUSPENDED ? 1u << RULE_COMPANY_OPEN : 0;
    TRY(people_judge(people, MACHINE_USER, user.state, (enum rule_act)row->act, row->account, held, &next));
    switch (row->act) {
    case DO_USER_UNLOCK:
        return user_unlock_apply(people, row->account);
    case DO_USER_RESET:
        return user_reset_apply(people, row->account);
    default:
        return result_of(STORE_DAMAGED);
    }
}

static struct result request_confirm(struct people *people)
{
    struct request_row row;
    TRY(request_open(people, &row));
    TRY(decide(people, DO_REQUEST_CONFIRM, &row));
    return apply(people, &row);
}

struct result act_request_confirm(struct act *act)
{
    return people_change(act, request_confirm);
}

static struct result request_refuse(struct people *people)
{
    struct request_row row;
    TRY(request_open(people, &row));
    return decide(people, DO_REQUEST_REFUSE, &row);
}

struct result act_request_refuse(struct act *act)
{
    return people_change(act, request_refuse);
}

static struct result request_put(struct people *people, const struct store_bytes *key, struct store_bytes value,
                                 json_t *list)
{
    struct request_row row;
    struct company_row company;
    (void)value;
    TRY(people_request_get(people, load_be64((const uint8_t *)key->bytes + key->size - 8), &row));
    if (result_failed(people_sees(people, row.account))) return result_ok();
    TRY(people_company_get(people, row.account, &company));
    bool expired = row.state == REQUEST_OPEN && !in_time(people, &row);
    json_t *item = json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:I}", "request", (json_int_t)row.number, "act",
                             rule_act_name((enum rule_act)row.act), "state",
                             expired ? "expired" : rule_state_name(MACHINE_REQUEST, row.state), "company", company.name,
                             "user", row.user, "reason", row.reason, "asked_ms", (json_int_t)row.asked_ms);
    json_object_set_new(item, "asked_by", people_operator_json(people, row.asked_by));
    json_object_set_new(item, "decided_by", people_operator_json(people, row.decided_ms ? row.decided_by : UINT32_MAX));
    json_array_append_new(list, item);
    return result_ok();
}

static struct result request_list(struct people *people)
{
    struct order_key prefix = order_begin(ORDER_REQUEST_BY_STATE);
    unsigned state = 0;
    TRY(people_state_filter(people, MACHINE_REQUEST, &state));
    if (state) order_u8(&prefix, (uint8_t)state);
    return people_list(people, "requests", &prefix, request_put);
}

struct result act_request_list(struct act *act)
{
    return people_read(act, request_list);
}
