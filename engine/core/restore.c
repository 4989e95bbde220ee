/* A restored backup, or a copy served elsewhere: taken over only when an operator says so and states the time. What was
 * accepted after the backup is not known here, so it is assumed of every code that could have been: TOTP: floors go
 * past the greatest step that any code accepted by now could have had; HOTP: no time bounds the counter, so unless the
 * journal supplied reaches the end, tokens come back suspended until someone states a floor (two adjacent codes) or
 * enrols again. One transaction holds floors (as a checkpoint), suspensions and the marker's removal, after ACT_RESTORE
 * is durable; a crash before it leaves the marker, and the store is asked for again. */
#include "core/state.h"

#include <string.h>

#include "base/bytes.h"

#define RESTORE_BEHIND_MS ((int64_t)3600 * 1000)
#define RESTORE_AHEAD_MS ((int64_t)366 * 24 * 3600 * 1000)

/* How far ahead of the clock a code may have been consumed: a single one as far as the window round the greatest drift,
 * a pair of adjacent codes as far as a resynchronisation looks from there, and one more. A resynchronisation may have
 * set a drift as great as its own reach. */
static int64_t ahead_greatest(const struct profile_row *profile)
{
    int64_t drift = profile->drift_max > profile->resync_window ? profile->drift_max : profile->resync_window;
    int64_t pair = profile->resync_window ? (int64_t)profile->resync_window + 1 : 0;
    if (drift > INT8_MAX) drift = INT8_MAX;
    return drift + (pair > profile->window_ahead ? pair : profile->window_ahead);
}

uint32_t restore_floor(const struct profile_row *profile, int64_t restore_now_ms)
{
    struct otp_parameters parameters = profile_parameters(profile);
    if (!profile_timed(profile) || restore_now_ms <= 0) return 0;
    int64_t step = otp_step(&parameters, restore_now_ms / 1000) + ahead_greatest(profile) + 1;
    return step < 0 ? 0 : step > UINT32_MAX ? UINT32_MAX : (uint32_t)step;
}

struct restoring {
    struct core *core;
    struct act_restore act;
    uint64_t raised;
    uint64_t suspended;
};

static void line_restore(struct restoring *restoring, const struct table_hit *hit, bool apply)
{
    struct profile_row profile;
    uint8_t flags = atomic_load(&hit->tail->flags);
    if (flags & TABLE_REMOVED) return;
    if (!core_profile_get(restoring->core, atomic_load(&hit->tail->profile), &profile)) return;
    if (profile_timed(&profile)) {
        uint64_t word = atomic_load(&hit->tail->token);
        uint64_t raised = token_word(restore_floor(&profile, restoring->act.restore_now_ms), token_change(word));
        restoring->raised += raised > word;
        if (apply) word_raise(&hit->tail->token, raised);
    } else if (!restoring->act.journal_complete && !(flags & TABLE_SUSPENDED)) {
        restoring->suspended++;
        if (!apply) return;
        atomic_fetch_or(&hit->tail->flags, TABLE_SUSPENDED);
        atomic_fetch_add(&hit->tail->token, 1);
    }
}

static void lines_restore(struct restoring *restoring, bool apply)
{
    struct table_hit hit;
    struct table *table = restoring->core->table;
    restoring->raised = restoring->suspended = 0;
    for (int algorithm = 0; algorithm < KERNEL_ALGORITHM_COUNT; algorithm++) {
        uint32_t lines = table_line_count(table, algorithm);
        for (uint32_t line = 0; line < lines; line++) {
            if (table_line(table, table_ordinal(algorithm, line), &hit)) line_restore(restoring, &hit, apply);
        }
    }
}

/* Rows of tokens that the table has suspended. A counter token whose end the journal does not show may have been used
 * after the backup, also one that was suspended then: it is not resumed before it was resynchronised. */
static struct result rows_suspend(struct core *core, struct store_txn *txn, bool journal_complete)
{
    struct table_hit hit;
    struct token_row row;
    for (int algorithm = 0; algorithm < KERNEL_ALGORITHM_COUNT; algorithm++) {
        uint32_t lines = table_line_count(core->table, algorithm);
        for (uint32_t line = 0; line < lines; line++) {
            uint32_t ordinal = table_ordinal(algorithm, line);
            if (!table_line(core->table, ordinal, &hit)) continue;
            uint8_t flags = atomic_load(&hit.tail->flags);
            if ((flags & TABLE_REMOVED) || !(flags & TABLE_SUSPENDED)) continue;
            TRY(row_token_get(core, txn, ordinal, &row));
            struct profile_row profile;
            bool untimed = core_profile_get(core, row.profile, &profile) && !profile_timed(&profile);
            if (untimed && !journal_complete)
                row.state = TOKEN_UNSYNCED;
            else if (row.state == TOKEN_ACTIVE)
                row.state = TOKEN_SUSPENDED;
            row.change = token_change(atomic_load(&hit.tail->token));
            TRY(row_token_put(core, txn, &row));
        }
    }
    return result_ok();
}

static struct result restore_rows(struct core *core, struct store_txn *txn, int64_t restore_now_ms,
                                  bool journal_complete, uint64_t position)
{
    uint8_t value[8];
    TRY(rows_suspend(core, txn, journal_complete));
    TRY(checkpoint_words(core, txn));
    TRY(checkpoint_rows(core, txn, position));
    store_le64(value, (uint64_t)restore_now_ms);
    TRY(row_meta_put(core, txn, META_RESTORE_FLOOR, value, sizeof(value)));
    return store_erase(core->store, txn, STORE_META, bytes_of(META_RESTORED, strlen(META_RESTORED)));
}

static struct result restore_commit(struct core *core, int64_t restore_now_ms, bool journal_complete, uint64_t position)
{
    struct store_txn *txn;
    TRY(store_begin(core->store, true, &txn));
    struct result result = restore_rows(core, txn, restore_now_ms, journal_complete, position);
    if (result_failed(result)) {
        store_abort(core->store, txn);
        return result;
    }
    TRY(store_commit(core->store, txn));
    core->admin_position = position;
    core->state->restore_floor_ms = restore_now_ms;
    atomic_store(&core->checkpoint_position, position);
    atomic_store(&core->checkpoint_ms, core_now_ms(core));
    core->state->replayed_bytes = 0;
    return result_ok();
}

struct result restore_marked(struct core *core, struct store_txn *txn, bool *ret_marked)
{
    struct store_bytes value;
    struct result got = store_get(core->store, txn, STORE_META, bytes_of(META_RESTORED, strlen(META_RESTORED)), &value);
    if (result_failed(got) && got.code != STORE_NOT_FOUND) return got;
    *ret_marked = !result_failed(got);
    return result_ok();
}

/* A time too early would leave codes open that were accepted after the backup: no floor is set before the journal's end
 * or this machine's clock, and a time well before them is a mistake to tell, as is one that would shut every token for
 * a year. */
static struct result restore_time(const struct core *core, int64_t wall_ms, int64_t *ret_now_ms)
{
    int64_t confirmed_ms = core->options.restore_now_ms;
    int64_t known_ms = core_now_ms(core) > wall_ms ? core_now_ms(core) : wall_ms;
    if (confirmed_ms < known_ms - RESTORE_BEHIND_MS || confirmed_ms > known_ms + RESTORE_AHEAD_MS)
        return result_of(RESTORE_TIME);
    *ret_now_ms = confirmed_ms > known_ms ? confirmed_ms : known_ms;
    return result_ok();
}

struct result restore_take_over(struct core *core, struct os *os, struct open_writer *writer)
{
    uint8_t slots[2 * JOURNAL_SLOT_SIZE] = {0};
    struct slot_act *act = (struct slot_act *)slots;
    uint64_t position;
    if (!core->state->restoring) return result_ok();
    struct restoring restoring = {.core = core, .act = {.journal_complete = core->options.restore_journal_complete}};
    TRY(restore_time(core, os_time(os).wall_ms, &restoring.act.restore_now_ms));
    lines_restore(&restoring, false);
    restoring.act.floors_raised = restoring.raised;
    restoring.act.suspended = restoring.suspended;
    restoring.act.journal_first = journal_status(core->journal).first_position;
    act->ordinal = UINT32_MAX;
    act->payload_size = sizeof(restoring.act);
    act->uid = UINT32_MAX;
    act->act = ACT_RESTORE;
    act->slot_count = 1;
    act->kind = SLOT_ACT;
    memcpy(act + 1, &restoring.act, sizeof(restoring.act));
    TRY(open_writer_append(writer, slots, 2, &position));
    lines_restore(&restoring, true);
    return restore_commit(core, restoring.act.restore_now_ms, restoring.act.journal_complete, position);
}
