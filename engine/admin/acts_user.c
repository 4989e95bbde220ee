/* Acts on users. */
#include <string.h>

#include "admin/enrol.h"
#include "admin/outbox.h"
#include "core/gate.h"
#include "os/arena.h"

enum { UNLOCK_ALONE_MAX = 10 }; /* failures that one person may forgive */

struct subject {
    const char *company_text;
    const char *user_text;
    uint8_t name[16];
    struct company_row company;
    struct user_row user;
};

static uint32_t held_of(const struct subject *subject)
{
    return (subject->company.state != COMPANY_SUSPENDED ? 1u << RULE_COMPANY_OPEN : 0) |
           (subject->user.state == USER_ACTIVE ? 1u << RULE_USER_ACTIVE : 0);
}

static struct result subject_open(struct people *people, struct subject *ret_subject)
{
    struct subject *subject = ret_subject;
    memset(subject, 0, sizeof(*subject));
    TRY(people_names(people, true, &subject->company_text, &subject->user_text, subject->name));
    TRY(people_company_open(people, subject->company_text, subject->name, &subject->company));
    return people_user_open(people, subject->user_text, subject->name, &subject->user);
}

static struct result subject_put(struct people *people, struct subject *subject)
{
    subject->user.changed_ms = people->now_ms;
    TRY(people_user_put(people, subject->name, &subject->user));
    json_object_set_new(people->act->answer, "state", json_string(rule_state_name(MACHINE_USER, subject->user.state)));
    return result_ok();
}

/* ---- a person's data ---- */

/* What a request says of a person; NULL: nothing. */
struct told {
    const char *name;
    const char *phone;
    const char *language;
};

static struct result told_get(struct act *act, struct told *ret_told)
{
    *ret_told = (struct told){0};
    TRY(act_text(act, "name", false, &ret_told->name));
    TRY(act_text(act, "phone", false, &ret_told->phone));
    return act_text(act, "language", false, &ret_told->language);
}

/* Refused before anything is put. */
static struct result told_check(struct act *act, const struct told *told)
{
    char phone[PEOPLE_PHONE_MAX + 1];
    if (told->name && !core_text_valid(told->name, 0, PEOPLE_PERSON_NAME_MAX)) return act_detail(act, BAD_NAME, "name");
    if (told->phone && *told->phone && result_failed(person_phone_parse(told->phone, phone))) {
        return act_detail(act, BAD_NAME, "phone: + and 7 to 15 digits, with the country's code");
    }
    if (told->language && strcmp(told->language, "es") != 0 && strcmp(told->language, "en") != 0) {
        return act_detail(act, BAD_ARGUMENT, "language is es or en");
    }
    return result_ok();
}

/* Over what is known. */
static struct result person_change(struct people *people, struct subject *subject, const struct told *told)
{
    struct person person;
    if (told->language) strcpy(subject->user.language, told->language);
    if (!told->name && !told->phone) return result_ok();
    TRY(person_open(people, subject->name, &subject->user, &person));
    if (told->name) strcpy(person.name, told->name);
    if (told->phone) person.phone[0] = 0;
    struct result result = told->phone && *told->phone ? person_phone_parse(told->phone, person.phone) : result_ok();
    if (!result_failed(result)) result = person_seal(people, subject->name, &person, &subject->user);
    secret_wipe(&person, sizeof(person));
    return result;
}

/* ---- adding and changing ---- */

/* A user who has, or had, a token already: it was added before there were people here. */
static struct result account_exists(struct people *people, const struct subject *subject, bool *ret_exists)
{
    struct account_row account;
    struct result got = admin_account_get(people->act->admin, people->txn, subject->name, &account);
    *ret_exists = !result_failed(got);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    return strcmp(account.company, subject->company_text) == 0 && strcmp(account.user, subject->user_text) == 0
               ? result_ok()
               : result_of(NAME_TAKEN);
}

/* A user who is new, or was erased and comes back. */
static struct result new_user(struct people *people, struct subject *subject)
{
    struct user_row *user = &subject->user;
    bool required = false;
    struct result got = people_user_get(people, subject->name, user);
    if (got.code == STORE_NOT_FOUND) {
        *user = (struct user_row){.state = USER_NONE, .language = "es", .created_ms = people->now_ms};
        strcpy(user->user, subject->user_text);
    } else {
        TRY(got);
        if (strcmp(user->user, subject->user_text) != 0) return result_of(NAME_TAKEN);
        if (user->state != USER_ERASED) return act_detail(people->act, STORE_EXISTS, "user");
    }
    TRY(account_exists(people, subject, &required));
    if (required) user->flags |= USER_WAS_REQUIRED;
    return result_ok();
}

/* The company is open; texts and name are set. */
static struct result add(struct people *people, struct subject *subject, const struct told *told)
{
    unsigned next;
    TRY(told_check(people->act, told));
    TRY(new_user(people, subject));
    TRY(people_judge(people, MACHINE_USER, subject->user.state, DO_USER_ADD, subject->name, held_of(subject), &next));
    subject->user.state = (uint8_t)next;
    TRY(people_record(people, DO_USER_ADD, subject->name, 0));
    TRY(person_change(people, subject, told));
    /* Known, and without a token: passes without a code until one is assigned. */
    if (!(subject->user.flags & USER_WAS_REQUIRED)) TRY(gate_waive(people, subject->name));
    return subject_put(people, subject);
}

static struct result user_add(struct people *people)
{
    struct subject subject = {0};
    struct told told;
    TRY(people_names(people, true, &subject.company_text, &subject.user_text, subject.name));
    TRY(people_company_open(people, subject.company_text, subject.name, &subject.company));
    TRY(told_get(people->act, &told));
    return add(people, &subject, &told);
}

struct result act_user_add(struct act *act)
{
    return people_change(act, user_add);
}

/* [user, name, phone, language]: what is empty, or left out at the end, is not known. */
static struct result add_item(struct people *people, const json_t *item)
{
    enum { FIELDS = 4 };
    struct subject subject = {0};
    const char *texts[FIELDS] = {NULL}, *unused;
    size_t count = json_array_size(item);
    if (count == 0 || count > FIELDS) return result_of(BAD_JSON);
    for (size_t i = 0; i < count; i++) {
        const json_t *field = json_array_get(item, i);
        if (!json_is_string(field) || strlen(json_string_value(field)) != json_string_length(field)) {
            return act_detail(people->act, BAD_JSON, "an item is a list of texts");
        }
        if (i == 0 || json_string_length(field) > 0) texts[i] = json_string_value(field);
    }
    struct told told = {.name = texts[1], .phone = texts[2], .language = texts[3]};
    subject.user_text = texts[0];
    TRY(people_names(people, false, &subject.company_text, &unused, subject.name));
    if (!core_text_valid(texts[0], 1, SCHEMA_NAME_MAX)) return act_detail(people->act, BAD_NAME, "user");
    TRY(people_company_open(people, subject.company_text, subject.name, &subject.company));
    core_name(subject.company_text, strlen(subject.company_text), texts[0], strlen(texts[0]), subject.name);
    TRY(add(people, &subject, &told));
    json_object_del(people->act->answer, "state");
    return result_ok();
}

struct result act_user_add_batch(struct act *act)
{
    return people_bulk(act, "added", add_item);
}

static struct result administrator_take(struct people *people, struct subject *subject)
{
    const json_t *value = json_object_get(people->act->request, "administrator");
    unsigned next;
    if (!value) return result_ok();
    if (!json_is_boolean(value)) return act_detail(people->act, BAD_JSON, "administrator must be true or false");
    TRY(people_judge(people, MACHINE_USER, subject->user.state, DO_USER_ADMINISTRATOR, subject->name, held_of(subject),
                     &next));
    if (json_is_true(value)) {
        subject->user.flags |= USER_IS_ADMINISTRATOR;
    } else {
        subject->user.flags &= (uint8_t)~USER_IS_ADMINISTRATOR;
    }
    return people_record(people, DO_USER_ADMINISTRATOR, subject->name, json_is_true(value));
}

static struct result user_set(struct people *people)
{
    struct subject subject;
    struct told told;
    unsigned next;
    TRY(subject_open(people, &subject));
    TRY(told_get(people->act, &told));
    TRY(told_check(people->act, &told));
    bool sets = told.name || told.phone || told.language;
    if (!sets && !json_object_get(people->act->request, "administrator")) {
        return act_detail(people->act, BAD_JSON, "nothing to set");
    }
    if (sets) {
        TRY(people_judge(people, MACHINE_USER, subject.user.state, DO_USER_SET, subject.name, held_of(&subject),
                         &next));
        TRY(people_record(people, DO_USER_SET, subject.name, 0));
        TRY(person_change(people, &subject, &told));
    }
    TRY(administrator_take(people, &subject));
    return subject_put(people, &subject);
}

struct result act_user_set(struct act *act)
{
    return people_change(act, user_set);
}

/* ---- leaving and coming back ---- */

/* Tokens of a user who leaves accept nothing, until they are taken back or resumed. */
static struct result suspend_each(struct people *people, struct stock_row *stock, void *context)
{
    unsigned next;
    (void)context;
    if (stock->state != STOCK_ASSIGNED && stock->state != STOCK_ACTIVE) return result_ok();
    TRY(people_judge_as(people, people->act->who.role, MACHINE_STOCK, stock->state, DO_STOCK_SUSPEND, stock->holder,
                        UINT32_MAX, &next));
    return stock_step(people, DO_STOCK_SUSPEND, stock, next, NULL);
}

/* Lines that are of no token in stock: suspended or removed. */
static struct result plain_lines(struct people *people, const uint8_t name[16], enum core_act act)
{
    struct admin *admin = people->act->admin;
    struct account_row account;
    struct token_row token;
    struct stock_row stock;
    struct result got = admin_account_get(admin, people->txn, name, &account);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    for (unsigned i = 0; i < account.token_count; i++) {
        TRY(admin_token_get(admin, people->txn, account.tokens[i], &token));
        if (token.state == TOKEN_REMOVED || (act == ACT_TOKEN_SUSPEND && token.state != TOKEN_ACTIVE)) continue;
        got = people_stock_of_ordinal(people, token.ordinal, &stock);
        if (!result_failed(got)) continue;
        if (got.code != STORE_NOT_FOUND) return got;
        TRY(core_change_token(people->change, act, token.ordinal));
    }
    return result_ok();
}

static struct result user_deactivate(struct people *people)
{
    struct subject subject;
    unsigned next;
    TRY(subject_open(people, &subject));
    TRY(people_judge(people, MACHINE_USER, subject.user.state, DO_USER_DEACTIVATE, subject.name, held_of(&subject),
                     &next));
    TRY(stock_each(people, subject.name, suspend_each, NULL));
    TRY(plain_lines(people, subject.name, ACT_TOKEN_SUSPEND));
    TRY(enrol_end(people, subject.name, false));
    TRY(people_record(people, DO_USER_DEACTIVATE, subject.name, 0));
    /* Who may pass without a code must be active: whether this one may is not known until then. */
    bool waived = (subject.user.flags & USER_IS_RELEASED) || !(subject.user.flags & USER_WAS_REQUIRED);
    if (waived) TRY(gate_remove(people, subject.name));
    subject.user.state = (uint8_t)next;
    subject.user.flags &= (uint8_t)~USER_IS_RELEASED;
    return subject_put(people, &subject);
}

struct result act_user_deactivate(struct act *act)
{
    return people_change(act, user_deactivate);
}

static struct result user_reactivate(struct people *people)
{
    struct subject subject;
    bool required = false;
    unsigned next;
    TRY(subject_open(people, &subject));
    TRY(people_judge(people, MACHINE_USER, subject.user.state, DO_USER_REACTIVATE, subject.name, held_of(&subject),
                     &next));
    TRY(account_exists(people, &subject, &required));
    subject.user.state = (uint8_t)next;
    TRY(people_record(people, DO_USER_REACTIVATE, subject.name, 0));
    if (!required && !(subject.user.flags & USER_WAS_REQUIRED)) TRY(gate_waive(people, subject.name));
    return subject_put(people, &subject);
}

struct result act_user_reactivate(struct act *act)
{
    return people_change(act, user_reactivate);
}

/* The one way in which a user who needed a code passes without. */
static struct result user_release(struct people *people)
{
    struct subject subject;
    unsigned next;
    TRY(subject_open(people, &subject));
    TRY(people_judge(people, MACHINE_USER, subject.user.state, DO_USER_RELEASE, subject.name, held_of(&subject),
                     &next));
    if (!people->act->reason) return act_detail(people->act, BAD_JSON, "a release needs a reason");
    subject.user.flags |= USER_IS_RELEASED;
    TRY(people_record(people, DO_USER_RELEASE, subject.name, 0));
    TRY(gate_waive(people, subject.name));
    return subject_put(people, &subject);
}

struct result act_user_release(struct act *act)
{
    return people_change(act, user_release);
}

/* Whether the account has a line that is not removed, of the stock or not. */
static struct result account_armed(struct people *people, const uint8_t name[16], bool *ret_armed)
{
    struct admin *admin = people->act->admin;
    struct account_row account;
    struct token_row token;
    struct result got = admin_account_get(admin, people->txn, name, &account);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    for (unsigned i = 0; i < account.token_count; i++) {
        TRY(admin_token_get(admin, people->txn, account.tokens[i], &token));
        *ret_armed |= token.state != TOKEN_REMOVED;
    }
    return result_ok();
}

static struct result user_erase(struct people *people)
{
    struct subject subject;
    bool armed = false;
    unsigned next;
    TRY(subject_open(people, &subject));
    TRY(account_armed(people, subject.name, &armed));
    TRY(people_judge(people, MACHINE_USER, subject.user.state, DO_USER_ERASE, subject.name,
                     held_of(&subject) | (armed ? 0 : 1u << RULE_NO_TOKENS), &next));
    subject.user.state = (uint8_t)next;
    subject.user.flags &= (uint8_t)~USER_IS_ADMINISTRATOR;
    subject.user.sealed_size = 0;
    subject.user.phone_known = false;
    /* Whoever comes by this name next does not go on with what this person began. */
    TRY(enrol_end(people, subject.name, true));
    TRY(outbox_forget(people, subject.name));
    TRY(people_record(people, DO_USER_ERASE, subject.name, 0));
    TRY(core_change_erase(people->change, STORE_PERSON_KEYS, (struct store_bytes){subject.name, 16}));
    return subject_put(people, &subject);
}

struct result act_user_erase(struct act *act)
{
    return people_change(act, user_erase);
}

/* ---- acts that may take two persons ---- */

static uint32_t failures_of(struct people *people, const uint8_t name[16])
{
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    if (table_find(core_table(people->act->admin->core), name, hits) == 0) return 0;
    uint64_t budget = atomic_load(&hits[0].tail->budget);
    return budget_failures(budget, 0) + budget_failures(budget, 1);
}

struct result user_unlock_apply(struct people *people, const uint8_t name[16])
{
    TRY(people_record(people, DO_USER_UNLOCK, name, failures_of(people, name)));
    return core_change_unlock(people->change, name);
}

static struct result reset_each(struct people *people, struct stock_row *stock, void *context)
{
    unsigned next;
    (void)context;
    TRY(stock_settle(people, stock));
    if (stock->state != STOCK_ASSIGNED && stock->state != STOCK_ACTIVE && stock->state != STOCK_SUSPENDED) {
        return result_ok();
    }
    TRY(people_judge_as(people, people->act->who.role, MACHINE_STOCK, stock->state, DO_STOCK_LOST, stock->holder,
                        UINT32_MAX, &next));
    TRY(stock_step(people, DO_STOCK_LOST, stock, next, NULL));
    return stock_notice(people, MESSAGE_TOKEN_LOST, stock);
}

/* Everything that the user could prove themselves with goes; a code is needed all the same. */
struct result user_reset_apply(struct people *people, const uint8_t name[16])
{
    TRY(enrol_end(people, name, true));
    TRY(stock_each(people, name, reset_each, NULL));
    TRY(plain_lines(people, name, ACT_TOKEN_REMOVE));
    TRY(people_record(people, DO_USER_RESET, name, 0));
    struct result unlocked = core_change_unlock(people->change, name);
    return unlocked.code == STORE_NOT_FOUND ? result_ok() : unlocked;
}

static struct result user_unlock(struct people *people)
{
    struct subject subject;
    unsigned next;
    TRY(subject_open(people, &subject));
    TRY(people_judge(people, MACHINE_USER, subject.user.state, DO_USER_UNLOCK, subject.name, held_of(&subject), &next));
    uint32_t failures = failures_of(people, subject.name);
    json_object_set_new(people->act->answer, "failures", json_integer(failures));
    if (failures > UNLOCK_ALONE_MAX && people_needs_second(people)) {
        return people_ask_second(people, DO_USER_UNLOCK, subject.name, subject.user_text);
    }
    return user_unlock_apply(people, subject.name);
}

struct result act_user_unlock(struct act *act)
{
    return people_change(act, user_unlock);
}

static struct result user_reset(struct people *people)
{
    struct subject subject;
    unsigned next;
    TRY(subject_open(people, &subject));
    TRY(people_judge(people, MACHINE_USER, subject.user.state, DO_USER_RESET, subject.name, held_of(&subject), &next));
    if (people_needs_second(people)) {
        return people_ask_second(people, DO_USER_RESET, subject.name, subject.user_text);
    }
    return user_reset_apply(people, subject.name);
}

struct result act_user_reset(struct act *act)
{
    return people_change(act, user_reset);
}

/* ---- reading ---- */

/* As an auth server is answered when it asks whether a code is required. */
static const char *code_text(struct people *people, const uint8_t name[16])
{
    struct core *core = people->act->admin->core;
    enum otpring_reason reason;
    core_act_lock(core);
    enum otpring_verdict verdict = core_required(core, name, &reason);
    core_act_unlock(core);
    if (verdict == OTPRING_REQUIRED) return "required";
    if (verdict == OTPRING_UNAVAILABLE) return "not-known";
    return reason == OTPRING_REASON_SCHEME ? "not-enforced" : "not-required";
}

static struct result user_json(struct people *people, const uint8_t name[16], const struct user_row *row,
                               json_t **ret_json)
{
    struct person person;
    TRY(person_open(people, name, row, &person));
    json_t *user = json_pack(
        "{s:s,s:s,s:b,s:s,s:s,s:s,s:s,s:I}", "user", row->user, "state", rule_state_name(MACHINE_USER, row->state),
        "administrator", row->flags & USER_IS_ADMINISTRATOR ? 1 : 0, "name", person.name, "phone", person.phone,
        "language", row->language, "code", code_text(people, name), "created_ms", (json_int_t)row->created_ms);
    secret_wipe(&person, sizeof(person));
    *ret_json = user;
    return user ? result_ok() : result_of(NO_MEMORY);
}

static struct result token_each(struct people *people, struct stock_row *stock, void *context)
{
    return json_array_append_new(context, people_stock_json(people, stock, false)) == 0 ? result_ok()
                                                                                        : result_of(NO_MEMORY);
}

static struct result user_show(struct people *people)
{
    struct subject subject;
    json_t *user;
    TRY(subject_open(people, &subject));
    TRY(user_json(people, subject.name, &subject.user, &user));
    json_object_set_new(people->act->answer, "user", user);
    json_t *tokens = json_array();
    json_object_set_new(user, "tokens", tokens);
    return stock_each(people, subject.name, token_each, tokens);
}

struct result act_user_show(struct act *act)
{
    return people_read(act, user_show);
}

static struct result user_put(struct people *people, const struct store_bytes *key, struct store_bytes value,
                              json_t *list)
{
    struct user_row row;
    uint8_t name[16];
    json_t *user;
    unsigned state = 0;
    (void)value;
    memcpy(name, (const uint8_t *)key->bytes + 1, 8);
    memcpy(name + 8, (const uint8_t *)key->bytes + key->size - 8, 8);
    TRY(people_state_filter(people, MACHINE_USER, &state));
    TRY(people_user_get(people, name, &row));
    if (state && row.state != state) return result_ok();
    TRY(user_json(people, name, &row, &user));
    json_array_append_new(list, user);
    return result_ok();
}

static struct result user_list(struct people *people)
{
    struct company_row company;
    const char *company_text, *user;
    uint8_t name[16];
    TRY(people_names(people, false, &company_text, &user, name));
    TRY(people_company_open(people, company_text, name, &company));
    struct order_key prefix = order_begin(ORDER_USER_BY_NAME);
    order_bytes(&prefix, name, 8);
    return people_list(people, "users", &prefix, user_put);
}

struct result act_user_list(struct act *act)
{
    return people_read(act, user_list);
}
