#include "acts.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "core/change.h"
#include "core/state.h"
#include "tokens.h"

enum { HOTP_PROFILE = 1, PROFILE_NEW = 0xffff, USERS = 3 };

static const char *const users[USERS] = {"acts-one", "acts-two", "acts-three"};
static const char row_key[] = "acts";

static struct core_token_spec spec_of(unsigned user, uint8_t ret_seed[20])
{
    memset(ret_seed, 0x66, 20);
    ret_seed[0] = (uint8_t)user;
    return (struct core_token_spec){.company = TOKENS_COMPANY,
                                    .user = users[user],
                                    .label = "",
                                    .profile = HOTP_PROFILE,
                                    .seed = ret_seed,
                                    .seed_size = 20};
}

static void name_of(unsigned user, uint8_t ret_name[16])
{
    core_name(TOKENS_COMPANY, strlen(TOKENS_COMPANY), users[user], strlen(users[user]), ret_name);
}

static bool done(struct result result)
{
    return !result_failed(result);
}

static bool add(struct core_worker *worker, unsigned user, uint32_t *ret_ordinal)
{
    uint8_t seed[20];
    struct core_token_spec spec = spec_of(user, seed);
    struct result result;
    return done(core_token_add(worker, &machine_actor, &spec, 1, &result, ret_ordinal)) && done(result);
}

/* One change: its record with rows, a token added, the first account unlocked, its token resumed and suspended again, a
 * person's key. */
static bool change(struct core_worker *worker, uint32_t first, uint32_t *ret_ordinal)
{
    static const uint8_t key[VAULT_PERSON_KEY_SIZE] = {1};
    struct core_change *change;
    struct core_change_act act = {.name = "user.test", .reason = "a day"};
    struct store_bytes row = bytes_of(row_key, strlen(row_key));
    uint8_t seed[20], name[16];
    struct core_token_spec spec = spec_of(2, seed);
    if (!done(core_change_begin(worker, &machine_actor, &change))) return false;
    name_of(2, act.account);
    name_of(0, name);
    bool whole = done(core_change_record(change, &act)) && done(core_change_put(change, STORE_USERS, row, row)) &&
                 done(core_change_erase(change, STORE_ORDER, row)) &&
                 done(core_change_token_add(change, &spec, ret_ordinal)) && done(core_change_unlock(change, name)) &&
                 done(core_change_token(change, ACT_TOKEN_RESUME, first)) &&
                 done(core_change_token(change, ACT_TOKEN_SUSPEND, first)) &&
                 done(core_change_person_key(change, act.account, key));
    if (whole) return done(core_change_commit(change));
    core_change_abandon(change);
    return false;
}

static void profiles_set(struct core_worker *worker)
{
    struct profile_row row;
    uint16_t id;
    struct otp_parameters parameters = {.type = OTP_HOTP, .algorithm = KERNEL_SHA512, .digits = 8};
    if (!core_profile_get(worker->core, HOTP_PROFILE, &row)) return;
    (void)done(core_profile_set(worker, &machine_actor, &row, &id));
    row.id = PROFILE_NEW;
    snprintf(row.name, sizeof row.name, "acts");
    (void)done(core_profile_set(worker, &machine_actor, &row, &id));
    (void)done(core_profile_for(worker, &machine_actor, &parameters, &id));
}

void acts_run(struct machine *machine, struct acts *ret_acts)
{
    struct core_worker *worker = machine->keeper;
    const struct core_client clients[] = {{.id = 9, .name = "acts"}, {.id = 10}, {.id = 9, .name = "stac"}};
    enum otpring_verdict verdict;
    uint32_t ordinals[USERS] = {0};
    bool more;
    *ret_acts = (struct acts){0};
    profiles_set(worker);
    (void)done(core_clients_name(worker, clients, 3));
    for (unsigned i = 0; i < 2; i++) ret_acts->added[i] = add(worker, i, &ordinals[i]);
    if (ret_acts->added[0]) {
        (void)done(core_token_set_label(worker, &machine_actor, ordinals[0], "mine"));
        (void)done(core_token_resync(worker, &machine_actor, ordinals[0], 111111, 222222, 6, &verdict));
        ret_acts->suspended = done(core_token_change(worker, &machine_actor, ACT_TOKEN_SUSPEND, &ordinals[0], 1));
    }
    (void)done(core_account_unlock(worker, &machine_actor, TOKENS_COMPANY, users[0]));
    (void)done(core_keep(worker, &more)); /* what a store had no room for is tried again */
    if (ret_acts->added[1])
        ret_acts->removed = done(core_token_change(worker, &machine_actor, ACT_TOKEN_REMOVE, &ordinals[1], 1));
    ret_acts->changed = ret_acts->suspended && change(worker, ordinals[0], &ordinals[2]);
    (void)done(core_clock_consent(worker, &machine_actor));
    (void)done(core_prune(worker, 1));
    (void)done(core_checkpoint(worker));
}

static unsigned tokens_of(struct machine *machine, unsigned user, struct table_hit *ret_hit)
{
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    uint8_t name[16];
    name_of(user, name);
    unsigned count = table_find(machine->core->table, name, hits), live = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!(atomic_load(&hits[i].tail->flags) & TABLE_LIVE)) continue;
        *ret_hit = hits[i];
        live++;
    }
    return live;
}

static bool row_there(struct machine *machine)
{
    struct store_txn *txn;
    struct store_bytes value;
    CHECK(store_begin(machine->store, false, &txn).code == OK);
    struct result got = store_get(machine->store, txn, STORE_USERS, bytes_of(row_key, strlen(row_key)), &value);
    store_abort(machine->store, txn);
    return got.code == OK;
}

void acts_there(struct machine *machine, const struct acts *acts, struct model *model)
{
    struct table_hit hit;
    if (acts->added[0] && tokens_of(machine, 0, &hit) != 1) model_break(model, "a token was added and is gone");
    if (acts->suspended && !(atomic_load(&hit.tail->flags) & TABLE_SUSPENDED))
        model_break(model, "a token was suspended and is not");
    if (acts->added[1] && acts->removed && tokens_of(machine, 1, &hit) != 0)
        model_break(model, "a token was removed and is there");
    if (acts->changed && (tokens_of(machine, 2, &hit) != 1 || !row_there(machine)))
        model_break(model, "a change was made and is not there as a whole");
    if (!acts->changed && tokens_of(machine, 2, &hit) == 1 && !row_there(machine))
        model_break(model, "half of a change was made");
}
