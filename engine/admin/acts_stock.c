/* Acts on the stock of tokens: ordered, given to a company, assigned, and back. */
#include <stdio.h>
#include <string.h>

#include "admin/outbox.h"
#include "os/arena.h"

enum { DAY_MS = 86400000, REMIND_DAYS = 14, SERIALS_MAX = 1000, NOTICES_MAX = 128 };

/* ---- naming tokens ---- */

static bool serial_valid(const char *serial)
{
    return core_text_valid(serial, 1, PEOPLE_SERIAL_MAX);
}

/* A token of another company is not seen. */
static struct result stock_open(struct people *people, const char *serial, struct stock_row *ret_stock)
{
    struct result got = people_stock_find(people, serial, ret_stock);
    if (!result_failed(got)) got = people_sees(people, ret_stock->company);
    if (got.code == STORE_NOT_FOUND) return act_detail(people->act, STORE_NOT_FOUND, "token %.40s", serial);
    return got;
}

static struct result serial_get(struct people *people, const char *field, const char **ret_serial)
{
    TRY(act_text(people->act, field, true, ret_serial));
    return serial_valid(*ret_serial) ? result_ok() : act_detail(people->act, BAD_NAME, "%s", field);
}

/* Calls `each` for the serial or serials of a request: all of them, or none. */
static struct result serials_each(struct people *people,
                                  struct result (*each)(struct people *people, const char *serial, void *context),
                                  void *context)
{
    const json_t *serials = json_object_get(people->act->request, "serials");
    const char *serial;
    if (!serials) {
        TRY(serial_get(people, "serial", &serial));
        return each(people, serial, context);
    }
    if (json_object_get(people->act->request, "serial") || !json_is_array(serials) || json_array_size(serials) == 0 ||
        json_array_size(serials) > SERIALS_MAX) {
        return act_detail(people->act, BAD_JSON, "serials must be a list of 1 to %d texts", SERIALS_MAX);
    }
    for (size_t i = 0; i < json_array_size(serials); i++) {
        const json_t *item = json_array_get(serials, i);
        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item) ||
            !serial_valid(json_string_value(item))) {
            return act_detail(people->act, BAD_NAME, "serials");
        }
        TRY(each(people, json_string_value(item), context));
    }
    return result_ok();
}

/* ---- the company and the user that a token is about ---- */

/* The company that has it in custody; an open one for whatever stands in none. */
static struct result company_of(struct people *people, const struct stock_row *stock, struct company_row *ret_row)
{
    static const uint8_t none[8];
    if (memcmp(stock->company, none, sizeof(none)) != 0) return people_company_get(people, stock->company, ret_row);
    *ret_row = (struct company_row){.state = COMPANY_ACTIVE};
    return result_ok();
}

static struct result held_of(struct people *people, const struct stock_row *stock, uint32_t *ret_held)
{
    struct company_row company;
    struct user_row user = {.state = USER_NONE};
    TRY(company_of(people, stock, &company));
    if (people_held(stock)) {
        TRY(people_user_get(people, stock->holder, &user));
        *ret_held |= 1u << RULE_HELD;
    }
    if (company.state != COMPANY_SUSPENDED) *ret_held |= 1u << RULE_COMPANY_OPEN;
    if (stock->kind == STOCK_PHYSICAL) *ret_held |= 1u << RULE_PHYSICAL;
    if (user.state == USER_ACTIVE) *ret_held |= 1u << RULE_USER_ACTIVE;
    return result_ok();
}

/* About whom a step of a token is: its holder, or its company. */
static void account_of(const struct stock_row *stock, uint8_t ret_account[16])
{
    memset(ret_account, 0, 16);
    memcpy(ret_account, stock->company, sizeof(stock->company));
    if (people_held(stock)) memcpy(ret_account, stock->holder, 16);
}

/* A request about very many tokens tells nobody: the messages would not fit its block of the journal. */
static bool tells(const struct people *people, enum rule_act act)
{
    const json_t *serials = json_object_get(people->act->request, "serials");
    return act == DO_STOCK_LOST && json_array_size(serials) <= NOTICES_MAX;
}

/* A step from the state that the token is in, after what it has become by itself is recorded. */
static struct result step(struct people *people, const char *serial, enum rule_act act)
{
    struct stock_row stock;
    uint8_t account[16];
    uint32_t held = 0;
    unsigned next;
    TRY(stock_open(people, serial, &stock));
    TRY(stock_settle(people, &stock));
    TRY(held_of(people, &stock, &held));
    account_of(&stock, account);
    TRY(people_judge(people, MACHINE_STOCK, stock.state, act, account, held, &next));
    TRY(stock_step(people, act, &stock, next, NULL));
    return tells(people, act) ? stock_notice(people, MESSAGE_TOKEN_LOST, &stock) : result_ok();
}

static struct result step_each(struct people *people, const char *serial, void *context)
{
    const enum rule_act *act = context;
    return step(people, serial, *act);
}

static struct result steps(struct people *people, enum rule_act act)
{
    const json_t *serials = json_object_get(people->act->request, "serials");
    TRY(serials_each(people, step_each, &act));
    json_object_set_new(people->act->answer, "changed",
                        json_integer(serials ? (json_int_t)json_array_size(serials) : 1));
    return result_ok();
}

static struct result stock_take(struct people *people)
{
    return steps(people, DO_STOCK_TAKE);
}
static struct result stock_suspend(struct people *people)
{
    return steps(people, DO_STOCK_SUSPEND);
}
static struct result stock_resume(struct people *people)
{
    return steps(people, DO_STOCK_RESUME);
}
static struct result stock_lost(struct people *people)
{
    return steps(people, DO_STOCK_LOST);
}
static struct result stock_retire(struct people *people)
{
    return steps(people, DO_STOCK_RETIRE);
}

struct result act_stock_take(struct act *act)
{
    return people_change(act, stock_take);
}
struct result act_stock_suspend(struct act *act)
{
    return people_change(act, stock_suspend);
}
struct result act_stock_resume(struct act *act)
{
    return people_change(act, stock_resume);
}
struct result act_stock_lost(struct act *act)
{
    return people_change(act, stock_lost);
}
struct result act_stock_retire(struct act *act)
{
    return people_change(act, stock_retire);
}

/* ---- giving ---- */

struct giving {
    const struct company_row *company;
    const uint8_t *name;
};

static struct result give_each(struct people *people, const char *serial, void *context)
{
    const struct giving *giving = context;
    struct stock_row stock, next;
    unsigned state;
    TRY(stock_open(people, serial, &stock));
    uint32_t held = giving->company->state != COMPANY_SUSPENDED ? 1u << RULE_COMPANY_OPEN : 0;
    TRY(people_judge(people, MACHINE_STOCK, stock.state, DO_STOCK_GIVE, giving->name, held, &state));
    next = stock;
    next.state = (uint8_t)state;
    next.since_ms = people->now_ms;
    memcpy(next.company, giving->name, sizeof(next.company));
    TRY(people_record(people, DO_STOCK_GIVE, giving->name, stock.number));
    return people_stock_put(people, &stock, &next);
}

static struct result stock_give(struct people *people)
{
    struct company_row company;
    const char *company_text, *user;
    uint8_t name[16];
    TRY(people_names(people, false, &company_text, &user, name));
    TRY(people_company_open(people, company_text, name, &company));
    struct giving giving = {&company, name};
    const json_t *serials = json_object_get(people->act->request, "serials");
    TRY(serials_each(people, give_each, &giving));
    json_object_set_new(people->act->answer, "changed",
                        json_integer(serials ? (json_int_t)json_array_size(serials) : 1));
    return result_ok();
}

struct result act_stock_give(struct act *act)
{
    return people_change(act, stock_give);
}

/* ---- assigning ---- */

/* Whether `name` is an administrator of a company of which no other has a token. */
static struct result first_administrator(struct people *people, const uint8_t name[16], const struct user_row *user,
                                         bool *ret_first)
{
    struct store_bytes found, value;
    struct order_key key = order_begin(ORDER_ADMINISTRATOR);
    order_bytes(&key, name, 8);
    size_t prefix = key.size;
    *ret_first = user->flags & USER_IS_ADMINISTRATOR;
    while (*ret_first) {
        uint8_t other[16];
        bool armed;
        struct result got =
            store_next(people->store, people->txn, STORE_ORDER, order_done(&key), false, &found, &value);
        if (got.code == STORE_NOT_FOUND) break;
        TRY(got);
        if (found.size != 17 || memcmp(found.bytes, key.bytes, prefix) != 0) break;
        memcpy(key.bytes, found.bytes, found.size);
        key.size = found.size;
        memcpy(other, key.bytes + 1, sizeof(other));
        if (memcmp(other, name, sizeof(other)) == 0) continue;
        TRY(stock_armed(people, other, &armed));
        if (armed) *ret_first = false;
    }
    return result_ok();
}

struct assigning {
    const char *company_text;
    const char *user_text;
    uint8_t name[16];
    struct company_row company;
    struct user_row user;
};

static struct result assign(struct people *people, struct assigning *assigning, const char *serial)
{
    struct stock_row stock;
    bool first = false;
    unsigned next;
    uint32_t held = 0;
    TRY(stock_open(people, serial, &stock));
    TRY(first_administrator(people, assigning->name, &assigning->user, &first));
    if (memcmp(stock.company, assigning->name, sizeof(stock.company)) == 0) held |= 1u << RULE_SAME_COMPANY;
    if (assigning->company.state != COMPANY_SUSPENDED) held |= 1u << RULE_COMPANY_OPEN;
    if (assigning->user.state == USER_ACTIVE) held |= 1u << RULE_USER_ACTIVE;
    if (first) held |= 1u << RULE_FIRST_ADMINISTRATOR;
    TRY(people_judge(people, MACHINE_STOCK, stock.state, DO_STOCK_ASSIGN, assigning->name, held, &next));
    return stock_enter(people, DO_STOCK_ASSIGN, &stock, assigning->company_text, assigning->user_text, assigning->name,
                       &assigning->user);
}

static struct result assigning_open(struct people *people, struct assigning *ret)
{
    core_name(ret->company_text, strlen(ret->company_text), ret->user_text, strlen(ret->user_text), ret->name);
    TRY(people_company_open(people, ret->company_text, ret->name, &ret->company));
    return people_user_open(people, ret->user_text, ret->name, &ret->user);
}

static struct result stock_assign(struct people *people)
{
    struct assigning assigning;
    const char *serial;
    TRY(people_names(people, true, &assigning.company_text, &assigning.user_text, assigning.name));
    TRY(serial_get(people, "serial", &serial));
    TRY(assigning_open(people, &assigning));
    return assign(people, &assigning, serial);
}

struct result act_stock_assign(struct act *act)
{
    return people_change(act, stock_assign);
}

/* The old token leaves, another from the stock comes in its place, in one change. */
static struct result stock_replace(struct people *people)
{
    struct stock_row old, new;
    struct assigning assigning = {0};
    const char *serial, *by;
    uint8_t account[16];
    uint32_t held = 0;
    unsigned next;
    TRY(serial_get(people, "serial", &serial));
    TRY(serial_get(people, "by", &by));
    TRY(stock_open(people, serial, &old));
    TRY(stock_open(people, by, &new));
    TRY(stock_settle(people, &old));
    TRY(held_of(people, &old, &held));
    account_of(&old, account);
    TRY(people_judge(people, MACHINE_STOCK, old.state, DO_STOCK_REPLACE, account, held, &next));
    if (strcmp(serial, by) == 0) return act_detail(people->act, BAD_ARGUMENT, "a token does not replace itself");
    TRY(people_company_get(people, old.holder, &assigning.company));
    TRY(people_user_get(people, old.holder, &assigning.user));
    memcpy(assigning.name, old.holder, sizeof(assigning.name));
    old.replaced_by = new.number;
    TRY(stock_step(people, DO_STOCK_REPLACE, &old, next, &old));
    TRY(stock_notice(people, MESSAGE_TOKEN_REPLACED, &old));
    /* Also the bank: what a user had before is made good, whoever the company's first administrator is. */
    held = 1u << RULE_FIRST_ADMINISTRATOR;
    if (memcmp(new.company, assigning.name, sizeof(new.company)) == 0) held |= 1u << RULE_SAME_COMPANY;
    if (assigning.company.state != COMPANY_SUSPENDED) held |= 1u << RULE_COMPANY_OPEN;
    if (assigning.user.state == USER_ACTIVE) held |= 1u << RULE_USER_ACTIVE;
    TRY(people_judge_as(people, people->act->who.role, MACHINE_STOCK, new.state, DO_STOCK_ASSIGN, assigning.name, held,
                        &next));
    return stock_enter(people, DO_STOCK_ASSIGN, &new, assigning.company.name, assigning.user.user, assigning.name,
                       &assigning.user);
}

struct result act_stock_replace(struct act *act)
{
    return people_change(act, stock_replace);
}

/* ---- many at once ---- */

static struct result assign_item(struct people *people, const json_t *item)
{
    struct assigning assigning = {.user_text = json_string_value(json_array_get(item, 0))};
    const char *serial = json_string_value(json_array_get(item, 1)), *unused;
    if (!assigning.user_text || !serial || json_array_size(item) != 2) return result_of(BAD_JSON);
    TRY(people_names(people, false, &assigning.company_text, &unused, assigning.name));
    if (!core_text_valid(assigning.user_text, 1, SCHEMA_NAME_MAX)) return act_detail(people->act, BAD_NAME, "user");
    TRY(assigning_open(people, &assigning));
    return assign(people, &assigning, serial);
}

struct result act_stock_assign_batch(struct act *act)
{
    return people_bulk(act, "assigned", assign_item);
}

/* ---- adding ---- */

static struct result stock_put_new(struct people *people, const char *serial, uint16_t profile, uint64_t counter,
                                   const uint8_t *seed, size_t size)
{
    struct stock_row stock = {.kind = STOCK_PHYSICAL,
                              .profile = profile,
                              .ordinal = UINT32_MAX,
                              .counter = counter,
                              .since_ms = people->now_ms,
                              .created_ms = people->now_ms},
                     other;
    static const uint8_t nobody[16];
    unsigned next;
    TRY(people_judge(people, MACHINE_STOCK, STOCK_NONE, DO_STOCK_ADD, nobody, 0, &next));
    struct result got = people_stock_find(people, serial, &other);
    if (got.code != STORE_NOT_FOUND) return result_failed(got) ? got : act_detail(people->act, STORE_EXISTS, "serial");
    stock.state = (uint8_t)next;
    strcpy(stock.serial, serial);
    uint8_t fingerprint[VAULT_FINGERPRINT_SIZE];
    vault_fingerprint(core_vault(people->act->admin->core), seed, size, fingerprint);
    got = people_stock_of_seed(people, fingerprint, &other);
    if (got.code != STORE_NOT_FOUND) return result_failed(got) ? got : result_of(STORE_SEED_LIVE);
    TRY(people_record(people, DO_STOCK_ADD, nobody, 0));
    TRY(people_number(people, "stock", &stock.number));
    TRY(stock_seed_seal(people, &stock, seed, size));
    return people_stock_put(people, NULL, &stock);
}

struct adding {
    const char *serial;
    const char *secret;
    uint16_t profile;
    uint64_t counter;
};

static struct result add_one(struct people *people)
{
    const struct adding *adding = people->act->context;
    uint8_t seed[OTP_SEED_SIZE_MAX];
    size_t size = 0;
    if (!serial_valid(adding->serial)) return act_detail(people->act, BAD_NAME, "serial");
    if (strlen(adding->secret) > 2 * OTP_SEED_SIZE_MAX) return result_of(BAD_SECRET_SIZE);
    struct result result = otp_base32_decode(adding->secret, strlen(adding->secret), seed, sizeof(seed), &size);
    if (!result_failed(result) && size < OTP_SEED_SIZE_MIN) result = result_of(BAD_SECRET_SIZE);
    if (!result_failed(result)) {
        result = stock_put_new(people, adding->serial, adding->profile, adding->counter, seed, size);
    }
    secret_wipe(seed, sizeof(seed));
    return result;
}

static struct result parameters_get(struct act *act, struct adding *adding)
{
    struct profile_row profile;
    TRY(act_number(act, "counter", false, 0, INT32_MAX, &adding->counter));
    TRY(act_profile_find(act, &adding->profile, &profile));
    return act_counter_check(act, adding->counter, &profile);
}

struct result act_stock_add(struct act *act)
{
    struct adding adding = {0};
    TRY(act_text(act, "serial", true, &adding.serial));
    TRY(act_text(act, "secret", true, &adding.secret));
    TRY(parameters_get(act, &adding));
    act->context = &adding;
    return people_change(act, add_one);
}

/* Many of one delivery: all of a request's, or none. */
static struct result add_many(struct people *people)
{
    struct adding *adding = people->act->context;
    const json_t *items = json_object_get(people->act->request, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        adding->serial = json_string_value(json_array_get(item, 0));
        adding->secret = json_string_value(json_array_get(item, 1));
        if (!adding->serial || !adding->secret || json_array_size(item) != 2) {
            return act_detail(people->act, BAD_JSON, "item %zu is no pair of serial and secret", i);
        }
        struct result result = add_one(people);
        if (!result_failed(result)) continue;
        json_object_set_new(people->act->answer, "index", json_integer((json_int_t)i));
        return result;
    }
    json_object_set_new(people->act->answer, "added", json_integer((json_int_t)json_array_size(items)));
    return result_ok();
}

struct result act_stock_add_batch(struct act *act)
{
    struct adding adding = {0};
    const json_t *items = json_object_get(act->request, "items");
    if (!json_is_array(items) || json_array_size(items) == 0 || json_array_size(items) > SERIALS_MAX) {
        return act_detail(act, BAD_JSON, "items must be a list of 1 to %d pairs", SERIALS_MAX);
    }
    TRY(parameters_get(act, &adding));
    act->context = &adding;
    return people_change(act, add_many);
}

/* ---- reading ---- */

json_t *people_stock_json(struct people *people, const struct stock_row *stock, bool with_user)
{
    struct company_row company;
    struct user_row user;
    int64_t age_ms = people->now_ms - stock->since_ms;
    unsigned state = stock_state_now(people, stock);
    json_t *token = json_pack("{s:s,s:s,s:s,s:i,s:I,s:I}", "serial", stock->serial, "kind",
                              stock->kind == STOCK_PHYSICAL ? "physical" : "virtual", "state",
                              rule_state_name(MACHINE_STOCK, state), "profile", stock->profile, "since_ms",
                              (json_int_t)stock->since_ms, "days", (json_int_t)(age_ms > 0 ? age_ms / DAY_MS : 0));
    bool given = !result_failed(people_company_get(people, stock->company, &company));
    json_object_set_new(token, "company", given ? json_string(company.name) : json_null());
    bool known = with_user && people_held(stock) && !result_failed(people_user_get(people, stock->holder, &user));
    if (with_user) json_object_set_new(token, "user", known ? json_string(user.user) : json_null());
    json_object_set_new(token, "ordinal", stock->ordinal == UINT32_MAX ? json_null() : json_integer(stock->ordinal));
    json_object_set_new(token, "remind",
                        json_boolean(state == STOCK_CUSTODY && age_ms >= (int64_t)REMIND_DAYS * DAY_MS));
    return token;
}

static struct result stock_put(struct people *people, const struct store_bytes *key, struct store_bytes value,
                               json_t *list)
{
    struct stock_row stock;
    uint64_t older = 0;
    (void)value;
    TRY(people_stock_get(people, load_be64((const uint8_t *)key->bytes + key->size - 8), &stock));
    TRY(act_number(people->act, "older_days", false, 0, 36500, &older));
    if (people->now_ms - stock.since_ms < (int64_t)older * DAY_MS) {
        /* The longest in one state comes first, so all that follow are too young as well. */
        people->list_over = json_object_get(people->act->request, "state") != NULL;
        return result_ok();
    }
    return json_array_append_new(list, people_stock_json(people, &stock, true)) == 0 ? result_ok()
                                                                                     : result_of(NO_MEMORY);
}

/* By state within a company or in all, the oldest in its state first. */
static struct result stock_list(struct people *people)
{
    struct act *act = people->act;
    struct company_row company;
    const char *company_text, *user;
    uint8_t name[16];
    unsigned state = 0;
    bool of_company = json_object_get(act->request, "company") || act->who.role == ROLE_COMPANY;
    struct order_key prefix = order_begin(of_company ? ORDER_STOCK_BY_COMPANY : ORDER_STOCK_BY_STATE);
    TRY(people_state_filter(people, MACHINE_STOCK, &state));
    if (of_company && !json_object_get(act->request, "company")) {
        order_bytes(&prefix, act->who.self, 8);
    } else if (of_company) {
        TRY(people_names(people, false, &company_text, &user, name));
        TRY(people_company_open(people, company_text, name, &company));
        order_bytes(&prefix, name, 8);
    }
    if (state) order_u8(&prefix, (uint8_t)state);
    return people_list(people, "tokens", &prefix, stock_put);
}

struct result act_stock_list(struct act *act)
{
    return people_read(act, stock_list);
}
