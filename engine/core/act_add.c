/* Adding tokens: many in one call, each judged on its own, all rows in one store transaction that commits when the
 * records are durable. */
#include "core/state.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/arena.h"

static struct result spec_check(const struct core *core, const struct core_token_spec *spec, int64_t now_ms,
                                struct profile_row *ret_profile)
{
    if (!core_text_valid(spec->company, 1, SCHEMA_NAME_MAX) || !core_text_valid(spec->user, 1, SCHEMA_NAME_MAX) ||
        !core_text_valid(spec->label, 0, SCHEMA_LABEL_MAX)) {
        return result_of(BAD_NAME);
    }
    if (spec->seed_size < OTP_SEED_SIZE_MIN || spec->seed_size > OTP_SEED_SIZE_MAX) return result_of(BAD_SECRET_SIZE);
    if (!core_profile_get((struct core *)core, spec->profile, ret_profile)) return result_of(STORE_NOT_FOUND);
    struct otp_parameters parameters = profile_parameters(ret_profile);
    TRY(otp_check_parameters(&parameters, now_ms / 1000));
    if (ret_profile->type == OTP_HOTP && spec->counter > STATE_COUNTER_MAX) return result_of(STEP_TOO_FAR);
    return result_ok();
}

/* Two companies whose names share their 8 bytes would share limits and rights: refused, since names are compared in
 * full here. */
static struct result company_check(struct core *core, struct store_txn *txn, const uint8_t name[16],
                                   const char *company)
{
    uint8_t first[16] = {0};
    struct store_bytes key, value;
    struct account_row account;
    memcpy(first, name, 8);
    struct result got = store_next(core->store, txn, STORE_ACCOUNTS, bytes_of(first, 16), true, &key, &value);
    if (got.code == STORE_NOT_FOUND) return result_ok();
    TRY(got);
    if (key.size != 16 || memcmp(key.bytes, name, 8) != 0) return result_ok();
    TRY(schema_account_decode(value, &account));
    return strcmp(account.company, company) == 0 ? result_ok() : result_of(NAME_TAKEN);
}

static struct result account_check(struct core *core, struct store_txn *txn, const uint8_t name[16],
                                   const struct core_token_spec *spec, bool *ret_first)
{
    struct account_row account;
    struct result got = row_account_get(core, txn, name, &account);
    *ret_first = got.code == STORE_NOT_FOUND;
    if (*ret_first) return company_check(core, txn, name, spec->company);
    TRY(got);
    if (strcmp(account.company, spec->company) != 0 || strcmp(account.user, spec->user) != 0) {
        return result_of(NAME_TAKEN);
    }
    /* The row lists the first line, live or not, and the live ones: what table_find gives for the name. */
    return account.token_count < TABLE_ACCOUNT_TOKENS_MAX ? result_ok() : result_of(TABLE_TOO_MANY_TOKENS);
}

/* Where the new line starts: the counter given, the floor kept with the seed, and past the time that a restored backup
 * does not know. */
static struct result floor_find(struct core *core, struct store_txn *txn, const struct profile_row *profile,
                                const struct core_token_spec *spec, const uint8_t fingerprint[16], int64_t now_ms,
                                uint32_t *ret_floor)
{
    struct fingerprint_row kept = {0};
    struct otp_parameters parameters = profile_parameters(profile);
    uint64_t floor = profile->type == OTP_HOTP ? spec->counter : 0;
    struct result got = row_fingerprint_get(core, txn, fingerprint, &kept);
    if (got.code != STORE_NOT_FOUND) {
        TRY(got);
        if (kept.live) return result_of(STORE_SEED_LIVE);
        if (floor < kept.floor) floor = kept.floor;
    }
    if (profile->type == OTP_TOTP) {
        uint64_t after = restore_floor(profile, core->state->restore_floor_ms);
        if (floor < after) floor = after;
        if ((int64_t)floor > otp_step(&parameters, now_ms / 1000 + 366 * 86400)) return result_of(SEED_FLOOR_AHEAD);
    } else if (floor > STATE_COUNTER_MAX) {
        return result_of(SEED_FLOOR_AHEAD);
    }
    *ret_floor = (uint32_t)floor;
    return result_ok();
}

struct adding adding_begin(struct core_worker *worker, const struct core_actor *actor)
{
    struct core *core = worker->core;
    struct adding adding = {
        .core = core, .actor = actor, .now_ms = clock_journal_ms(&core->clock, os_time(worker->os))};
    memcpy(adding.lines_before, core->lines_next, sizeof(adding.lines_before));
    return adding;
}

void adding_give_back(const struct adding *adding)
{
    memcpy(adding->core->lines_next, adding->lines_before, sizeof(adding->lines_before));
}

static struct result ordinal_next(const struct adding *adding, enum kernel_algorithm algorithm, uint32_t *ret_ordinal)
{
    const struct core *core = adding->core;
    uint32_t line = core->lines_next[algorithm];
    if (line >= core->options.tokens_max || core->state->lines_total + adding->added >= core->options.tokens_max) {
        return result_of(TABLE_FULL);
    }
    *ret_ordinal = table_ordinal(algorithm, line);
    return result_ok();
}

struct result adding_token(struct adding *adding, const struct core_token_spec *spec, uint32_t *ret_ordinal,
                           bool *ret_broken)
{
    struct core *core = adding->core;
    struct profile_row profile;
    struct act_token_add add = {0};
    uint8_t *payload, bytes[STATE_RECORD_SLOTS_MAX * JOURNAL_SLOT_SIZE + SCHEMA_ROW_MAX];
    TRY(spec_check(core, spec, adding->now_ms, &profile));
    core_name(spec->company, strlen(spec->company), spec->user, strlen(spec->user), add.row.name);
    TRY(account_check(core, adding->txn, add.row.name, spec, &add.row.first));
    vault_fingerprint(core->vault, spec->seed, spec->seed_size, add.row.fingerprint);
    TRY(floor_find(core, adding->txn, &profile, spec, add.row.fingerprint, adding->now_ms, &add.row.start_floor));
    TRY(ordinal_next(adding, profile.algorithm, &add.row.ordinal));
    add.row.profile = spec->profile;
    add.row.state = TOKEN_ACTIVE;
    add.row.created_ms = adding->now_ms;
    add.row.drift = profile.type == OTP_TOTP ? spec->drift : 0;
    strcpy(add.row.label, spec->label);
    strcpy(add.company, spec->company);
    strcpy(add.user, spec->user);
    TRY(row_seed_seal(core, &add.row, spec->seed, spec->seed_size));

    uint32_t size = act_token_add_encode(&add, bytes);
    CHECK(size <= (STATE_RECORD_SLOTS_MAX - 1) * JOURNAL_SLOT_SIZE);
    struct slot_act *act = act_record(core, ACT_TOKEN_ADD, adding->actor, size, &payload);
    memcpy(payload, bytes, size);
    memcpy(act->name, add.row.name, sizeof(act->name));
    act->ordinal = add.row.ordinal;
    act->token = token_word(add.row.start_floor, add.row.change);
    adding->added++;
    *ret_broken = true;
    TRY(act_apply_store(core, adding->txn, act, payload));
    *ret_broken = false;
    *ret_ordinal = add.row.ordinal;
    return result_ok();
}

/* Of the accepted ones only the first `durable` records reached the journal: the others get `failure`. */
static void results_cut(struct act_batch *batch, struct result failure, size_t count, struct result *ret_results)
{
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (result_failed(ret_results[i])) continue;
        if (at >= batch->durable_slots) ret_results[i] = failure;
        at += 1u + ((const struct slot_act *)(batch->slots + (size_t)at * JOURNAL_SLOT_SIZE))->slot_count;
    }
    batch->slot_count = batch->durable_slots;
}

static struct result add_all(struct adding *adding, struct core_worker *worker, const struct core_token_spec *specs,
                             size_t count, struct result *ret_results, uint32_t *ret_ordinals)
{
    struct core *core = adding->core;
    struct act_batch *batch = &core->state->batch;
    for (size_t i = 0; i < count; i++) {
        bool broken = false;
        ret_results[i] = adding_token(adding, &specs[i], &ret_ordinals[i], &broken);
        if (broken) {
            store_abort(core->store, adding->txn);
            adding_give_back(adding);
            return ret_results[i];
        }
    }
    if (adding->added == 0) {
        store_abort(core->store, adding->txn);
        return result_ok();
    }
    struct result written = act_write(worker);
    if (!result_failed(written)) {
        act_settle(core, adding->txn, true);
        return result_ok();
    }
    store_abort(core->store, adding->txn);
    /* Of a block that failed under way nobody knows what is on the disk. */
    if (written.code == JOURNAL_NO_ROOM || written.code == FULL) adding_give_back(adding);
    if (batch->durable_slots == 0) return written;
    /* Settling takes the lines of the durable ones again. */
    results_cut(batch, written, count, ret_results);
    act_settle(core, NULL, false);
    return result_ok();
}

struct result core_token_add(struct core_worker *worker, const struct core_actor *actor,
                             const struct core_token_spec *specs, size_t count, struct result *ret_results,
                             uint32_t *ret_ordinals)
{
    struct core *core = worker->core;
    if (count == 0 || count > STATE_ACTS_MAX) return result_of(BAD_ARGUMENT);
    TRY(act_enter(worker));
    struct adding adding = adding_begin(worker, actor);
    struct result result = store_begin(core->store, true, &adding.txn);
    if (!result_failed(result)) result = add_all(&adding, worker, specs, count, ret_results, ret_ordinals);
    act_leave(core);
    return result;
}
