/* Steps of tokens in stock: into the table as a user's line, out of it, and what state they are really in. A token's
 * seed is sealed in its row of the stock from the beginning to the end, and in its line's row while it has one. */
#include "admin/people.h"

#include <string.h>

#include "os/arena.h"

/* A sealed seed opens only for this token. */
enum { LABEL_SIZE = 16, SEED_ASSOCIATED_SIZE = LABEL_SIZE + 8 };

static void seed_associated(uint64_t number, uint8_t ret[SEED_ASSOCIATED_SIZE])
{
    memcpy(ret, "otpring-stock-1\0", LABEL_SIZE);
    store_le64(ret + LABEL_SIZE, number);
}

struct result stock_seed_seal(struct people *people, struct stock_row *stock, const uint8_t *seed, size_t size)
{
    uint8_t associated[SEED_ASSOCIATED_SIZE];
    struct vault *vault = core_vault(people->act->admin->core);
    seed_associated(stock->number, associated);
    vault_fingerprint(vault, seed, size, stock->fingerprint);
    TRY(vault_seal(vault, associated, sizeof(associated), seed, size, stock->sealed_seed));
    stock->sealed_size = (uint16_t)(size + VAULT_SEAL_EXTRA);
    return result_ok();
}

static struct result seed_open(struct people *people, const struct stock_row *stock, uint8_t *ret_seed,
                               size_t *ret_size)
{
    uint8_t associated[SEED_ASSOCIATED_SIZE];
    if (stock->sealed_size < VAULT_SEAL_EXTRA + OTP_SEED_SIZE_MIN) return result_of(STORE_DAMAGED);
    seed_associated(stock->number, associated);
    *ret_size = (size_t)stock->sealed_size - VAULT_SEAL_EXTRA;
    return vault_unseal(core_vault(people->act->admin->core), associated, sizeof(associated), stock->sealed_seed,
                        stock->sealed_size, ret_seed);
}

static struct result line_add(struct people *people, const struct stock_row *stock, const char *company,
                              const char *user, uint32_t *ret_ordinal)
{
    uint8_t seed[SCHEMA_SEALED_SEED_MAX];
    size_t size = 0;
    struct result result = seed_open(people, stock, seed, &size);
    if (!result_failed(result)) {
        struct core_token_spec spec = {.company = company,
                                       .user = user,
                                       .label = stock->serial,
                                       .profile = stock->profile,
                                       .seed = seed,
                                       .seed_size = size,
                                       .counter = stock->counter,
                                       .drift = stock->drift};
        result = core_change_token_add(people->change, &spec, ret_ordinal);
    }
    secret_wipe(seed, sizeof(seed));
    return result;
}

struct result stock_enter(struct people *people, enum rule_act act, const struct stock_row *stock, const char *company,
                          const char *user, const uint8_t name[16], struct user_row *row)
{
    struct stock_row next = *stock;
    TRY(line_add(people, stock, company, user, &next.ordinal));
    next.state = STOCK_ASSIGNED;
    next.since_ms = people->now_ms;
    memcpy(next.holder, name, sizeof(next.holder));
    TRY(people_record(people, act, name, stock->number));
    TRY(people_stock_put(people, stock, &next));
    row->flags = (uint8_t)((row->flags | USER_WAS_REQUIRED) & ~USER_IS_RELEASED);
    row->changed_ms = people->now_ms;
    return people_user_put(people, name, row);
}

/* Where the next line of this token goes on, whoever has it then. */
static int8_t drift_of(struct people *people, const struct stock_row *stock)
{
    struct table_hit hit;
    bool there = table_line(core_table(people->act->admin->core), stock->ordinal, &hit);
    return there ? atomic_load(&hit.tail->drift) : stock->drift;
}

struct result stock_step(struct people *people, enum rule_act act, const struct stock_row *stock, unsigned state,
                         struct stock_row *ret_stock)
{
    struct stock_row next = *stock;
    bool leaves = state != STOCK_ASSIGNED && state != STOCK_ACTIVE && state != STOCK_SUSPENDED;
    if (stock->ordinal != UINT32_MAX) {
        enum core_act line = leaves                     ? ACT_TOKEN_REMOVE
                             : state == STOCK_SUSPENDED ? ACT_TOKEN_SUSPEND
                                                        : ACT_TOKEN_RESUME;
        bool same = state == STOCK_ACTIVE && stock->state == STOCK_ASSIGNED;
        if (!same) TRY(core_change_token(people->change, line, stock->ordinal));
        if (leaves) {
            next.drift = drift_of(people, stock);
            next.ordinal = UINT32_MAX;
        }
    }
    /* Whoever lost a token may be given another in its place; who gave it back has it no more. */
    if (state == STOCK_CUSTODY) memset(next.holder, 0, sizeof(next.holder));
    if (state == STOCK_RETIRED) {
        next.sealed_size = 0;
        memset(next.holder, 0, sizeof(next.holder));
    }
    next.state = (uint8_t)state;
    next.since_ms = people->now_ms;
    uint8_t account[16] = {0};
    memcpy(account, stock->company, sizeof(stock->company));
    if (people_held(stock)) memcpy(account, stock->holder, sizeof(account));
    TRY(people_record(people, act, account, stock->number));
    TRY(people_stock_put(people, stock, &next));
    if (ret_stock) *ret_stock = next;
    return result_ok();
}

unsigned stock_state_now(struct people *people, const struct stock_row *stock)
{
    struct admin *admin = people->act->admin;
    struct token_row row;
    struct table_hit hit;
    if (stock->state != STOCK_ASSIGNED || stock->ordinal == UINT32_MAX) return stock->state;
    if (result_failed(admin_token_get(admin, people->txn, stock->ordinal, &row)) ||
        !table_line(core_table(admin->core), stock->ordinal, &hit)) {
        return stock->state;
    }
    return token_floor(atomic_load(&hit.tail->token)) > row.start_floor ? STOCK_ACTIVE : STOCK_ASSIGNED;
}

struct result stock_settle(struct people *people, struct stock_row *stock)
{
    unsigned next;
    if (stock_state_now(people, stock) == stock->state) return result_ok();
    TRY(people_judge_as(people, ROLE_ENGINE, MACHINE_STOCK, stock->state, DO_STOCK_FIRST_CODE, stock->holder, 0,
                        &next));
    return stock_step(people, DO_STOCK_FIRST_CODE, stock, next, stock);
}

struct result stock_each(struct people *people, const uint8_t name[16],
                         struct result (*each)(struct people *people, struct stock_row *stock, void *context),
                         void *context)
{
    struct stock_row stock;
    struct order_key prefix = order_begin(ORDER_STOCK_BY_USER), key;
    order_bytes(&prefix, name, 16);
    struct result got = people_order_first(people, &prefix, &key);
    for (; !result_failed(got); got = people_order_next(people, prefix.size, &key)) {
        TRY(people_stock_get(people, order_number(&key), &stock));
        TRY(each(people, &stock, context));
    }
    return got.code == STORE_NOT_FOUND ? result_ok() : got;
}

/* Whether the user has a token whose codes may be right. */
static struct result armed_each(struct people *people, struct stock_row *stock, void *context)
{
    (void)people;
    bool *armed = context;
    *armed |= stock->state == STOCK_ASSIGNED || stock->state == STOCK_ACTIVE || stock->state == STOCK_SUSPENDED;
    return result_ok();
}

struct result stock_armed(struct people *people, const uint8_t name[16], bool *ret_armed)
{
    *ret_armed = false;
    return stock_each(people, name, armed_each, ret_armed);
}
