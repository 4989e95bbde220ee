/* A recorded log run again: what records that are not judged anew do to an engine of its own. They mean the same as in
 * recovery, but that nothing of them is journaled, and no position is noted in the store. */
#include "core/state.h"

#include <string.h>

static struct result rows_apply(struct core *core, const struct slot_act *act, const uint8_t *payload)
{
    struct store_txn *txn;
    TRY(store_begin(core->store, true, &txn));
    struct result result = act_apply_store(core, txn, act, payload);
    if (!result_failed(result)) return store_commit(core->store, txn);
    store_abort(core->store, txn);
    return result;
}

/* The rows are there, and the lines were made from them; the words may be newer. */
static struct result words_apply(struct core *core, const struct slot_act *act, const uint8_t *payload)
{
    struct table_hit hit;
    if (act->ordinal == UINT32_MAX || !table_line(core->table, act->ordinal, &hit)) return result_ok();
    word_raise(&hit.tail->token, act->token);
    word_raise(&hit.tail->budget, act->budget);
    return act->act == ACT_TOKEN_RESYNC ? recover_resync(&hit, act, payload) : result_ok();
}

struct result core_rerun_act(struct core *core, const struct slot_act *act, const uint8_t *payload, bool in_store)
{
    struct slot_verify slot;
    switch (act->act) {
    case ACT_START:
    case ACT_STOP:
    case ACT_SESSION_OPEN:
    case ACT_CLOCK_CONSENT:
    case ACT_BACKUP:
        return result_ok();
    case ACT_RESTORE:
        return result_of(BAD_ARGUMENT);
    case ACT_BURN:
        if (act->payload_size != sizeof slot) return result_of(JOURNAL_CORRUPT);
        memcpy(&slot, payload, sizeof slot);
        return recover_verify(core, &slot);
    default:
        if (in_store) return words_apply(core, act, payload);
        TRY(rows_apply(core, act, payload));
        return act_apply_table(core, act, payload);
    }
}

struct result core_rerun_verify(struct core *core, const struct slot_verify *slot)
{
    return recover_verify(core, slot);
}
