/* The tokens on either side of an enrolment: the new one enters, the old ones go, step by step and within a time back
 * again; and what is due by itself. An old token's line is only suspended until the way back is closed, so its floor
 * and its learned drift are as they were when it is resumed. */
#include "admin/enrol.h"

#include <stdio.h>
#include <string.h>

#include "os/arena.h"

enum { TEND_MS = 1000, TEND_DUE_MAX = 16, TEND_WATCH_MAX = 64 };

/* ---- the account's tokens ---- */

/* Ordinals of the account's tokens that are in the table, without the new one. */
static struct result old_tokens(const struct enrolling *enrolling, struct token_row ret_rows[TABLE_ACCOUNT_TOKENS_MAX],
                                unsigned *ret_count)
{
    struct people *people = enrolling->people;
    struct account_row account;
    struct stock_row own = {.ordinal = UINT32_MAX};
    *ret_count = 0;
    if (enrolling->row.stock_number != 0) TRY(people_stock_get(people, enrolling->row.stock_number, &own));
    struct result got = admin_account_get(people->act->admin, people->txn, enrolling->name, &account);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    for (unsigned i = 0; i < account.token_count && *ret_count < TABLE_ACCOUNT_TOKENS_MAX; i++) {
        struct token_row *row = &ret_rows[*ret_count];
        TRY(admin_token_get(people->act->admin, people->txn, account.tokens[i], row));
        if (row->state != TOKEN_REMOVED && row->ordinal != own.ordinal) ++*ret_count;
    }
    return result_ok();
}

struct result enrol_armed(struct people *people, const uint8_t name[16], bool *ret_armed)
{
    struct enrolling enrolling = {.people = people};
    struct token_row rows[TABLE_ACCOUNT_TOKENS_MAX];
    unsigned count;
    memcpy(enrolling.name, name, sizeof(enrolling.name));
    TRY(old_tokens(&enrolling, rows, &count));
    *ret_armed = false;
    for (unsigned i = 0; i < count; i++) *ret_armed |= rows[i].state == TOKEN_ACTIVE;
    return result_ok();
}

/* A step of one token's line, with its row of the stock where it has one. */
static struct result line_step(struct people *people, enum rule_act act, uint32_t ordinal, enum core_act line,
                               unsigned stock_state)
{
    struct stock_row stock;
    struct result got = people_stock_of_ordinal(people, ordinal, &stock);
    if (!result_failed(got)) return stock_step(people, act, &stock, stock_state, NULL);
    if (got.code != STORE_NOT_FOUND) return got;
    return core_change_token(people->change, line, ordinal);
}

struct result enrol_old_suspend(struct enrolling *enrolling, enum rule_act act)
{
    struct token_row rows[TABLE_ACCOUNT_TOKENS_MAX];
    unsigned count;
    TRY(old_tokens(enrolling, rows, &count));
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].state != TOKEN_ACTIVE) continue;
        TRY(line_step(enrolling->people, act, rows[i].ordinal, ACT_TOKEN_SUSPEND, STOCK_SUSPENDED));
        enrolling->row.old[enrolling->row.old_count++] = rows[i].ordinal;
    }
    enrolling->row.old_retired = true;
    return result_ok();
}

/* Those that this enrolment suspended, as far as nobody took them away meanwhile. */
static struct result old_each(struct enrolling *enrolling, enum rule_act act, enum core_act line, unsigned stock_state)
{
    struct people *people = enrolling->people;
    struct token_row row;
    for (unsigned i = 0; i < enrolling->row.old_count; i++) {
        TRY(admin_token_get(people->act->admin, people->txn, enrolling->row.old[i], &row));
        if (row.state != TOKEN_SUSPENDED) continue;
        TRY(line_step(people, act, row.ordinal, line, stock_state));
    }
    enrolling->row.old_count = 0;
    return result_ok();
}

struct result enrol_old_resume(struct enrolling *enrolling, enum rule_act act)
{
    enrolling->row.old_retired = false;
    return old_each(enrolling, act, ACT_TOKEN_RESUME, STOCK_ACTIVE);
}

struct result enrol_old_remove(struct enrolling *enrolling, enum rule_act act)
{
    return old_each(enrolling, act, ACT_TOKEN_REMOVE, STOCK_REPLACED);
}

/* ---- the new one ---- */

/* A delivery of physical tokens may have brought one of that name. */
static struct result serial_make(struct people *people, struct stock_row *stock)
{
    struct stock_row other;
    uint32_t more;
    int size = snprintf(stock->serial, sizeof(stock->serial), "virtual-%llu", (unsigned long long)stock->number);
    struct result got = people_stock_find(people, stock->serial, &other);
    while (!result_failed(got)) {
        os_random(people->act->admin->options.os, &more, sizeof(more));
        snprintf(stock->serial + size, sizeof(stock->serial) - (size_t)size, "-%08x", more);
        got = people_stock_find(people, stock->serial, &other);
    }
    return got.code == STORE_NOT_FOUND ? result_ok() : got;
}

static struct result stock_make(struct enrolling *enrolling, struct stock_row *ret_stock)
{
    uint8_t seed[ENROL_SEED_SIZE_MAX];
    struct stock_row *stock = ret_stock;
    *stock = (struct stock_row){.kind = STOCK_VIRTUAL,
                                .state = STOCK_CUSTODY,
                                .profile = enrolling->row.profile,
                                .ordinal = UINT32_MAX,
                                .created_ms = enrolling->people->now_ms,
                                .since_ms = enrolling->people->now_ms};
    memcpy(stock->company, enrolling->name, sizeof(stock->company));
    TRY(people_number(enrolling->people, "stock", &stock->number));
    TRY(serial_make(enrolling->people, stock));
    TRY(enrol_seed_open(enrolling, seed));
    struct result result = stock_seed_seal(enrolling->people, stock, seed, enrolling->row.seed_size);
    secret_wipe(seed, sizeof(seed));
    enrolling->row.stock_number = stock->number;
    return result;
}

struct result enrol_token_enter(struct enrolling *enrolling)
{
    struct stock_row stock;
    TRY(people_record(enrolling->people, DO_ENROL_CONFIRM, enrolling->name, enrolling->row.number));
    TRY(stock_make(enrolling, &stock));
    TRY(people_stock_put(enrolling->people, NULL, &stock));
    return stock_enter(enrolling->people, DO_ENROL_CONFIRM, &stock, enrolling->company.name, enrolling->user.user,
                       enrolling->name, &enrolling->user);
}

/* ---- devices that go ---- */

struct result enrol_device_leave(struct people *people, struct device_row *device, enum rule_act act)
{
    struct stock_row stock;
    TRY(people_stock_get(people, device->stock_number, &stock));
    if (stock.state != STOCK_RETIRED) TRY(stock_step(people, act, &stock, STOCK_RETIRED, NULL));
    device->state = ENROL_DEVICE_UNBOUND;
    device->unbound_ms = people->now_ms;
    TRY(people_record(people, act, device->name, device->number));
    return enrol_device_put(people, device);
}

struct result enrol_token_leave(struct enrolling *enrolling, enum rule_act act)
{
    struct device_row device;
    TRY(enrol_device_get(enrolling->people, enrolling->row.device_number, &device));
    return enrol_device_leave(enrolling->people, &device, act);
}

/* The user's devices whose tokens are in the table no more; `all`: and the others. */
static struct result devices_leave(struct people *people, const uint8_t name[16], enum rule_act act, bool all)
{
    struct order_key prefix = order_begin(ORDER_DEVICE), key;
    struct device_row device;
    struct stock_row stock;
    order_bytes(&prefix, name, 16);
    struct result got = people_order_first(people, &prefix, &key);
    for (; !result_failed(got); got = people_order_next(people, prefix.size, &key)) {
        TRY(enrol_device_get(people, order_number(&key), &device));
        if (device.state != ENROL_DEVICE_BOUND) continue;
        TRY(people_stock_get(people, device.stock_number, &stock));
        if (all || stock.ordinal == UINT32_MAX) TRY(enrol_device_leave(people, &device, act));
    }
    return got.code == STORE_NOT_FOUND ? result_ok() : got;
}

struct result enrol_end(struct people *people, const uint8_t name[16], bool device_too)
{
    struct enrolling enrolling;
    TRY(enrolling_open(people, NULL, NULL, name, &enrolling));
    uint8_t state = enrolling.row.state;
    bool bound = state == ENROLMENT_ACTIVE || state == ENROLMENT_FINAL;
    bool under_way = state > ENROLMENT_NONE && state < ENROLMENT_ACTIVE;
    if (under_way || (bound && device_too)) {
        enum rule_act act = bound ? DO_DEVICE_UNBIND : DO_ENROL_CANCEL;
        /* The act that this is part of has been judged; here only the step is. */
        TRY(enrolling_step(&enrolling, (enum rule_role)people->act->who.role, act, UINT32_MAX, 0));
        if (bound) TRY(enrol_old_remove(&enrolling, act));
        enrolling.row.seed_size = 0;
        TRY(enrolling_put(&enrolling, act));
    }
    return device_too ? devices_leave(people, name, DO_DEVICE_UNBIND, true) : result_ok();
}

/* ---- what is due ---- */

static bool new_used(struct enrolling *enrolling)
{
    struct stock_row stock;
    if (result_failed(people_stock_get(enrolling->people, enrolling->row.stock_number, &stock))) return false;
    return stock_state_now(enrolling->people, &stock) == STOCK_ACTIVE;
}

/* The old token goes: until the way back is closed it is only suspended. */
static struct result retire(struct enrolling *enrolling)
{
    struct enrolment_row *row = &enrolling->row;
    TRY(enrolling_step(enrolling, ROLE_ENGINE, DO_ENROL_RETIRE, 0, ENROL_KEEP));
    TRY(enrol_old_suspend(enrolling, DO_ENROL_RETIRE));
    int64_t now_ms = enrolling->people->now_ms;
    row->due_ms = row->rollback_until_ms > now_ms ? row->rollback_until_ms : now_ms;
    return enrolling_put(enrolling, DO_ENROL_RETIRE);
}

static struct result finish(struct enrolling *enrolling)
{
    TRY(enrolling_step(enrolling, ROLE_ENGINE, DO_ENROL_FINISH, 0, 0));
    TRY(enrol_old_remove(enrolling, DO_ENROL_FINISH));
    /* A phone that this one came after is one no more. */
    TRY(devices_leave(enrolling->people, enrolling->name, DO_ENROL_FINISH, false));
    return enrolling_put(enrolling, DO_ENROL_FINISH);
}

static struct result expire(struct enrolling *enrolling)
{
    TRY(enrolling_step(enrolling, ROLE_ENGINE, DO_ENROL_EXPIRE, 0, 0));
    enrolling->row.seed_size = 0;
    return enrolling_put(enrolling, DO_ENROL_EXPIRE);
}

static struct result tend_one(struct people *people, struct result *ret_refusal)
{
    struct enrolling enrolling;
    (void)ret_refusal;
    TRY(enrolling_open(people, NULL, NULL, people->act->admin->tending, &enrolling));
    const struct enrolment_row *row = &enrolling.row;
    bool due = row->due_ms != 0 && row->due_ms <= people->now_ms;
    if (row->state == ENROLMENT_ACTIVE && !row->old_retired) {
        bool used = row->overlap == OVERLAP_FIRST_USE && new_used(&enrolling);
        return due || used ? retire(&enrolling) : result_ok();
    }
    if (!due) return result_ok();
    return row->state == ENROLMENT_ACTIVE ? finish(&enrolling) : expire(&enrolling);
}

/* The first due name; or the next one that waits for a first code, after the one looked at last. */
static bool find_due(struct admin *admin, struct store_txn *txn, int64_t now_ms)
{
    struct order_key key = order_begin(ORDER_INVITATION);
    struct store_bytes found, value;
    order_u8(&key, 'd');
    if (result_failed(store_next(core_store(admin->core), txn, STORE_ORDER, order_done(&key), true, &found, &value))) {
        return false;
    }
    const uint8_t *bytes = found.bytes;
    if (found.size != 2 + 8 + 16 || memcmp(bytes, key.bytes, 2) != 0 || (int64_t)load_be64(bytes + 2) > now_ms) {
        return false;
    }
    memcpy(admin->tending, bytes + 10, 16);
    return true;
}

static bool find_watched(struct admin *admin, struct store_txn *txn)
{
    struct order_key key = order_begin(ORDER_INVITATION);
    struct store_bytes found, value;
    order_u8(&key, 'w');
    order_bytes(&key, admin->watched, sizeof(admin->watched));
    if (result_failed(store_next(core_store(admin->core), txn, STORE_ORDER, order_done(&key), false, &found, &value)) ||
        found.size != 2 + 16 || memcmp(found.bytes, key.bytes, 2) != 0) {
        memset(admin->watched, 0, sizeof(admin->watched)); /* from the beginning the next time */
        return false;
    }
    memcpy(admin->watched, (const uint8_t *)found.bytes + 2, 16);
    return true;
}

/* Whether the watched account's new token has been used: by reading alone. */
static bool watched_used(struct act *act, struct store_txn *txn)
{
    struct people people = {.act = act, .store = core_store(act->admin->core), .txn = txn};
    struct enrolling enrolling;
    return !result_failed(enrolling_open(&people, NULL, NULL, act->admin->watched, &enrolling)) && new_used(&enrolling);
}

static bool next_name(struct act *act, int64_t now_ms, unsigned *watches)
{
    struct admin *admin = act->admin;
    struct store_txn *txn;
    if (result_failed(store_begin(core_store(admin->core), false, &txn))) return false;
    bool found = find_due(admin, txn, now_ms);
    while (!found && *watches > 0 && find_watched(admin, txn)) {
        --*watches;
        found = watched_used(act, txn);
        if (found) memcpy(admin->tending, admin->watched, sizeof(admin->tending));
    }
    store_abort(core_store(admin->core), txn);
    return found;
}

/* What fails now (no room, a clock that is not sure) is due still, and is tried again the next second. */
void enrol_tend(struct admin *admin)
{
    struct os_time time = os_time(admin->options.os);
    if (time.boot_ms - admin->tended_ms < TEND_MS && admin->tended_ms != 0) return;
    admin->tended_ms = time.boot_ms;
    struct act act = {.admin = admin, .request = json_object(), .answer = json_object()};
    unsigned watches = TEND_WATCH_MAX;
    for (int i = 0; i < TEND_DUE_MAX && act.answer && next_name(&act, admin_now_ms(admin), &watches); i++) {
        if (result_failed(enrol_change(&act, tend_one))) break;
    }
    json_decref(act.request);
    json_decref(act.answer);
}
