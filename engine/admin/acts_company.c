/* Acts on companies: their schemes begin, stop and go on. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/people.h"

enum { DAY_MS = 86400000, COUNT_MAX = 1000000 };

/* ---- days ---- */

/* "2026-01-31" in UTC. */
static bool day_parse(const char *text, int32_t *ret_day)
{
    struct tm day = {0};
    char rest;
    if (sscanf(text, "%4d-%2d-%2d%c", &day.tm_year, &day.tm_mon, &day.tm_mday, &rest) != 3 || strlen(text) != 10) {
        return false;
    }
    struct tm asked = day;
    day.tm_year -= 1900;
    day.tm_mon -= 1;
    time_t seconds = timegm(&day);
    /* A day that there is not would have become another. */
    if (day.tm_year + 1900 != asked.tm_year || day.tm_mon + 1 != asked.tm_mon || day.tm_mday != asked.tm_mday) {
        return false;
    }
    *ret_day = (int32_t)(seconds / 86400);
    return seconds > 0;
}

static json_t *day_json(int32_t day)
{
    char text[16];
    struct tm utc;
    time_t seconds = (time_t)day * 86400;
    if (day == 0 || !gmtime_r(&seconds, &utc) || !strftime(text, sizeof(text), "%Y-%m-%d", &utc)) return json_null();
    return json_string(text);
}

/* ret_held gets TRAINED when the day of training is given and not to come. */
static struct result training_get(struct people *people, int32_t *ret_day, uint32_t *ret_held)
{
    const char *text = NULL;
    TRY(act_text(people->act, "trained", false, &text));
    if (!text) return result_ok();
    if (!day_parse(text, ret_day)) return act_detail(people->act, BAD_ARGUMENT, "trained is a day: YYYY-MM-DD");
    if (*ret_day <= people->now_ms / DAY_MS) *ret_held |= 1u << RULE_TRAINED;
    return result_ok();
}

/* ---- adding ---- */

/* A company whose users have tokens already, or that the store cannot tell from one that has. */
static struct result company_used(struct people *people, const uint8_t name[16], const char *company, bool *ret_used)
{
    struct store_bytes key, value;
    struct account_row account;
    struct result got =
        store_next(people->store, people->txn, STORE_ACCOUNTS, (struct store_bytes){name, 16}, true, &key, &value);
    *ret_used = !result_failed(got) && key.size == 16 && memcmp(key.bytes, name, 8) == 0;
    if (got.code == STORE_NOT_FOUND || (!result_failed(got) && !*ret_used)) return result_ok();
    TRY(got);
    TRY(schema_account_decode(value, &account));
    return strcmp(account.company, company) == 0 ? result_ok() : result_of(NAME_TAKEN);
}

static void active_set(struct people *people, struct company_row *row, int32_t training_day)
{
    row->active_ms = people->now_ms;
    row->active_by = people->act->actor.operator_id;
    row->training_day = training_day;
}

static struct result company_write(struct people *people, enum rule_act act, const uint8_t name[16],
                                   const struct company_row *row)
{
    TRY(people_record(people, act, name, 0));
    TRY(people_company_put(people, name, row));
    TRY(gate_company(people, name, row->active_ms != 0));
    json_object_set_new(people->act->answer, "state", json_string(rule_state_name(MACHINE_COMPANY, row->state)));
    return result_ok();
}

static struct result company_add(struct people *people)
{
    struct company_row row;
    const char *company, *user;
    uint8_t name[16];
    bool used = false;
    int32_t training_day = 0;
    uint32_t held = 0;
    unsigned next;
    TRY(people_names(people, false, &company, &user, name));
    struct result got = people_company_get(people, name, &row);
    if (got.code != STORE_NOT_FOUND) {
        TRY(got);
        return strcmp(row.name, company) == 0 ? act_detail(people->act, STORE_EXISTS, "company")
                                              : result_of(NAME_TAKEN);
    }
    TRY(company_used(people, name, company, &used));
    TRY(training_get(people, &training_day, &held));
    enum rule_act act = training_day ? DO_COMPANY_ADOPT : DO_COMPANY_ADD;
    held |= 1u << (used ? RULE_COMPANY_USED : RULE_COMPANY_FRESH);
    TRY(people_judge(people, MACHINE_COMPANY, COMPANY_NONE, act, name, held, &next));
    row = (struct company_row){.state = (uint8_t)next, .created_ms = people->now_ms};
    strcpy(row.name, company);
    if (next == COMPANY_ACTIVE) active_set(people, &row, training_day);
    return company_write(people, act, name, &row);
}

struct result act_company_add(struct act *act)
{
    return people_change(act, company_add);
}

static struct result company_activate(struct people *people)
{
    struct company_row row;
    const char *company, *user;
    uint8_t name[16];
    int32_t training_day = 0;
    uint32_t held = 0;
    unsigned next;
    TRY(people_names(people, false, &company, &user, name));
    TRY(people_company_open(people, company, name, &row));
    TRY(training_get(people, &training_day, &held));
    TRY(people_judge(people, MACHINE_COMPANY, row.state, DO_COMPANY_ACTIVATE, name, held, &next));
    if (row.active_ms == 0) active_set(people, &row, training_day);
    row.state = (uint8_t)next;
    row.suspended_ms = 0;
    return company_write(people, DO_COMPANY_ACTIVATE, name, &row);
}

struct result act_company_activate(struct act *act)
{
    return people_change(act, company_activate);
}

static struct result company_suspend(struct people *people)
{
    struct company_row row;
    const char *company, *user;
    uint8_t name[16];
    unsigned next;
    TRY(people_names(people, false, &company, &user, name));
    TRY(people_company_open(people, company, name, &row));
    TRY(people_judge(people, MACHINE_COMPANY, row.state, DO_COMPANY_SUSPEND, name, 0, &next));
    row.state = (uint8_t)next;
    row.suspended_ms = people->now_ms;
    return company_write(people, DO_COMPANY_SUSPEND, name, &row);
}

struct result act_company_suspend(struct act *act)
{
    return people_change(act, company_suspend);
}

/* ---- reading ---- */

static json_t *time_json(int64_t time_ms)
{
    return time_ms ? json_integer(time_ms) : json_null();
}

static json_t *company_json(struct people *people, const struct company_row *row)
{
    json_t *company =
        json_pack("{s:s,s:s,s:I}", "company", row->name, "state", rule_state_name(MACHINE_COMPANY, row->state),
                  "created_ms", (json_int_t)row->created_ms);
    json_object_set_new(company, "active_ms", time_json(row->active_ms));
    json_object_set_new(company, "active_by",
                        people_operator_json(people, row->active_ms ? row->active_by : UINT32_MAX));
    json_object_set_new(company, "trained", day_json(row->training_day));
    json_object_set_new(company, "suspended_ms", time_json(row->suspended_ms));
    return company;
}

/* How many tokens of a company stand in each state, and the least since when one waits in custody. */
static struct result stock_count(struct people *people, const uint8_t company[8], json_t *answer)
{
    json_t *counts = json_object();
    struct store_bytes found, value;
    for (unsigned state = STOCK_CUSTODY; state < STOCK_STATE_COUNT; state++) {
        struct order_key key = order_begin(ORDER_STOCK_BY_COMPANY);
        order_bytes(&key, company, 8);
        order_u8(&key, (uint8_t)state);
        size_t prefix = key.size;
        json_int_t count = 0;
        for (; count < COUNT_MAX; count++) {
            struct result got =
                store_next(people->store, people->txn, STORE_ORDER, order_done(&key), false, &found, &value);
            if (got.code == STORE_NOT_FOUND) break;
            TRY(got);
            if (found.size != prefix + 16 || memcmp(found.bytes, key.bytes, prefix) != 0) break;
            memcpy(key.bytes, found.bytes, found.size);
            key.size = found.size;
        }
        json_object_set_new(counts, rule_state_name(MACHINE_STOCK, state), json_integer(count));
    }
    json_object_set_new(answer, "tokens", counts);
    return result_ok();
}

static struct result company_show(struct people *people)
{
    struct company_row row;
    const char *company, *user;
    uint8_t name[16];
    TRY(people_names(people, false, &company, &user, name));
    TRY(people_company_open(people, company, name, &row));
    json_t *shown = company_json(people, &row);
    json_object_set_new(people->act->answer, "company", shown);
    return stock_count(people, name, shown);
}

struct result act_company_show(struct act *act)
{
    return people_read(act, company_show);
}

static struct result company_put(struct people *people, const struct store_bytes *key, struct store_bytes value,
                                 json_t *list)
{
    struct company_row row;
    (void)value;
    const uint8_t *company = (const uint8_t *)key->bytes + key->size - 8;
    TRY(people_company_get(people, company, &row));
    unsigned state = 0;
    TRY(people_state_filter(people, MACHINE_COMPANY, &state));
    if (state && row.state != state) return result_ok();
    json_array_append_new(list, company_json(people, &row));
    return result_ok();
}

/* An administrator's own, without walking past all others. */
static struct result company_list_own(struct people *people)
{
    json_t *list = json_array();
    json_object_set_new(people->act->answer, "companies", list);
    json_object_set_new(people->act->answer, "next", json_null());
    struct store_bytes own = {people->act->who.self, 8};
    return company_put(people, &own, (struct store_bytes){0}, list);
}

static struct result company_list(struct people *people)
{
    struct order_key prefix = order_begin(ORDER_COMPANY_BY_NAME);
    if (people->act->who.role == ROLE_COMPANY) return company_list_own(people);
    return people_list(people, "companies", &prefix, company_put);
}

struct result act_company_list(struct act *act)
{
    return people_read(act, company_list);
}
