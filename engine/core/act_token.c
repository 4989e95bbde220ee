/* Acts on tokens and accounts that exist. What takes acceptance away is set in the table before its record is written:
 * if the journal then fails it stays so (everything is UNAVAILABLE anyway). What gives acceptance back comes after the
 * record is durable. */
#include "core/state.h"

#include <string.h>

#include "base/check.h"

static struct result change_check(struct core *core, enum core_act act, const uint32_t *ordinals, size_t count)
{
    struct store_txn *txn;
    struct token_row row;
    struct table_hit hit;
    struct result result = result_ok();
    TRY(store_begin(core->store, false, &txn));
    for (size_t i = 0; i < count && !result_failed(result); i++) {
        result = row_token_get(core, txn, ordinals[i], &row);
        if (result_failed(result)) break;
        if (row.state == TOKEN_REMOVED || !table_line(core->table, ordinals[i], &hit)) {
            result = result_of(STORE_NOT_FOUND);
        } else if (act == ACT_TOKEN_RESUME && row.state == TOKEN_UNSYNCED) {
            result = result_of(FLOOR_UNKNOWN);
        }
        memcpy(core->state->names[i], row.name, TABLE_NAME_SIZE);
    }
    store_abort(core->store, txn);
    return result;
}

uint64_t act_token_raise(enum core_act act, const struct table_hit *hit)
{
    if (act != ACT_TOKEN_RESUME) atomic_fetch_or(&hit->tail->flags, TABLE_SUSPENDED);
    return atomic_fetch_add(&hit->tail->token, 1) + 1;
}

static struct result change_write(struct core_worker *worker, const struct core_actor *actor, enum core_act kind,
                                  const uint32_t *ordinals, size_t count)
{
    struct core *core = worker->core;
    struct journal_block *block;
    int64_t journal_ms;
    TRY(core_record_begin(worker, &block, &journal_ms));
    if (block->slot_capacity < count) {
        core_record_abandon(worker, block);
        return result_of(BAD_ARGUMENT);
    }
    for (size_t i = 0; i < count; i++) {
        struct table_hit hit;
        CHECK(table_line(core->table, ordinals[i], &hit));
        struct slot_act *act = act_record(core, kind, actor, 0, NULL);
        act->ordinal = ordinals[i];
        act->token = act_token_raise(kind, &hit);
        memcpy(act->name, core->state->names[i], TABLE_NAME_SIZE);
    }
    TRY(act_write_block(worker, block, journal_ms));
    act_settle(core, NULL, false);
    return result_ok();
}

static bool ordinals_distinct(struct core *core, const uint32_t *ordinals, size_t count)
{
    /* The batch's buffer is free here and large enough to mark what was seen: a small open table of ordinals + 1. */
    enum { PLACES = 4 * STATE_ACTS_MAX };
    uint64_t *places = (uint64_t *)core->state->batch.slots;
    memset(places, 0, PLACES * sizeof(places[0]));
    for (size_t i = 0; i < count; i++) {
        size_t at = (ordinals[i] * 0x9e3779b1u) % PLACES;
        while (places[at] != 0 && places[at] != (uint64_t)ordinals[i] + 1) at = (at + 1) % PLACES;
        if (places[at] != 0) return false;
        places[at] = (uint64_t)ordinals[i] + 1;
    }
    return true;
}

struct result core_token_change(struct core_worker *worker, const struct core_actor *actor, enum core_act act,
                                const uint32_t *ordinals, size_t count)
{
    struct core *core = worker->core;
    if (count == 0 || count > STATE_ACTS_MAX) return result_of(BAD_ARGUMENT);
    if (act != ACT_TOKEN_REMOVE && act != ACT_TOKEN_SUSPEND && act != ACT_TOKEN_RESUME) {
        return result_of(BAD_ARGUMENT);
    }
    TRY(act_enter(worker));
    struct result result =
        ordinals_distinct(core, ordinals, count) ? change_check(core, act, ordinals, count) : result_of(BAD_ARGUMENT);
    if (!result_failed(result)) result = change_write(worker, actor, act, ordinals, count);
    act_leave(core);
    return result;
}

struct result core_token_set_label(struct core_worker *worker, const struct core_actor *actor, uint32_t ordinal,
                                   const char *label)
{
    struct core *core = worker->core;
    if (!core_text_valid(label, 0, SCHEMA_LABEL_MAX)) return result_of(BAD_NAME);
    TRY(act_enter(worker));
    struct result result = change_check(core, ACT_TOKEN_SET, &ordinal, 1);
    if (!result_failed(result)) {
        uint8_t *payload;
        uint32_t size = (uint32_t)strlen(label);
        struct slot_act *act = act_record(core, ACT_TOKEN_SET, actor, size, &payload);
        act->ordinal = ordinal;
        memcpy(act->name, core->state->names[0], TABLE_NAME_SIZE);
        memcpy(payload, label, size);
        result = act_write(worker);
        if (!result_failed(result)) act_settle(core, NULL, false);
    }
    act_leave(core);
    return result;
}

static struct result resync_write(struct core_worker *worker, const struct core_actor *actor,
                                  const struct table_hit *hit, const struct profile_row *profile,
                                  const uint32_t codes[2], unsigned digits, enum otpring_verdict *ret_verdict)
{
    struct core *core = worker->core;
    struct os_time now = os_time(worker->os);
    struct act_resync resync = {.verdict = OTPRING_REJECTED, .drift = atomic_load(&hit->tail->drift)};
    struct journal_block *block;
    uint64_t word = 0;
    int64_t journal_ms;
    uint8_t *payload;
    /* Steps are counted from the wall clock, which must be sound for that. */
    if (profile->type == OTP_TOTP && !clock_turn(&core->clock, now, &journal_ms)) return result_of(CLOCK_UNSURE);
    TRY(core_record_begin(worker, &block, &journal_ms));
    if (judge_pair(core, hit, profile, codes[0], codes[1], digits, now.wall_ms / 1000, &resync.distance, &word)) {
        resync.verdict = OTPRING_ACCEPTED;
        /* As the line has learned it, so that a restart goes on with the same window. */
        resync.drift = atomic_load(&hit->tail->drift);
    } else {
        resync.distance = 0;
        word = 0;
    }
    struct slot_act *act = act_record(core, ACT_TOKEN_RESYNC, actor, sizeof(resync), &payload);
    act->ordinal = hit->ordinal;
    memcpy(act->name, core->state->names[0], TABLE_NAME_SIZE);
    act->token = word;
    memcpy(payload, &resync, sizeof(resync));
    TRY(act_write_block(worker, block, journal_ms));
    act_settle(core, NULL, false);
    *ret_verdict = resync.verdict;
    return result_ok();
}

struct result core_token_resync(struct core_worker *worker, const struct core_actor *actor, uint32_t ordinal,
                                uint32_t code, uint32_t code_next, unsigned digits, enum otpring_verdict *ret_verdict)
{
    struct core *core = worker->core;
    const uint32_t codes[2] = {code, code_next};
    struct table_hit hit;
    struct profile_row profile;
    if (digits < OTP_DIGITS_MIN || digits > OTP_DIGITS_MAX) return result_of(BAD_DIGITS);
    TRY(act_enter(worker));
    struct result result = change_check(core, ACT_TOKEN_RESYNC, &ordinal, 1);
    if (!result_failed(result)) {
        CHECK(table_line(core->table, ordinal, &hit));
        if (!core_profile_get(core, atomic_load(&hit.tail->profile), &profile)) {
            result = result_of(STORE_DAMAGED);
        } else if (profile.type == OTP_OCRA) {
            result = result_of(BAD_ARGUMENT); /* two codes in a row are not what such a token gives */
        } else if (profile.digits != digits) {
            result = result_of(BAD_DIGITS);
        } else {
            result = resync_write(worker, actor, &hit, &profile, codes, digits, ret_verdict);
        }
    }
    act_leave(core);
    return result;
}

uint64_t act_budget_reset(const struct table_hit *first, int64_t journal_ms)
{
    uint64_t seen = atomic_load(&first->tail->budget), budget;
    do {
        budget = throttle_reset(seen, (uint32_t)(journal_ms / 1000));
        CHECK(budget > seen);
    } while (!atomic_compare_exchange_weak(&first->tail->budget, &seen, budget));
    return budget;
}

static struct result unlock_write(struct core_worker *worker, const struct core_actor *actor, const uint8_t name[16],
                                  const struct table_hit *first)
{
    struct core *core = worker->core;
    struct journal_block *block;
    int64_t journal_ms;
    TRY(core_record_begin(worker, &block, &journal_ms));
    struct slot_act *act = act_record(core, ACT_ACCOUNT_UNLOCK, actor, 0, NULL);
    memcpy(act->name, name, sizeof(act->name));
    act->ordinal = first->ordinal;
    act->budget = act_budget_reset(first, journal_ms);
    TRY(act_write_block(worker, block, journal_ms));
    act_settle(core, NULL, false);
    return result_ok();
}

struct result core_account_unlock(struct core_worker *worker, const struct core_actor *actor, const char *company,
                                  const char *user)
{
    struct core *core = worker->core;
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    uint8_t name[16];
    if (!core_text_valid(company, 1, SCHEMA_NAME_MAX) || !core_text_valid(user, 1, SCHEMA_NAME_MAX)) {
        return result_of(BAD_NAME);
    }
    core_name(company, strlen(company), user, strlen(user), name);
    TRY(act_enter(worker));
    struct result result = result_of(STORE_NOT_FOUND);
    if (table_find(core->table, name, hits) > 0) result = unlock_write(worker, actor, name, &hits[0]);
    act_leave(core);
    return result;
}
