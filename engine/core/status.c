/* What the engine says of itself. Any thread. */
#include "core/state.h"

static enum otpring_reason unavailable_reason(struct core *core, const struct journal_status *journal)
{
    if (journal->poisoned) return OTPRING_REASON_POISONED;
    int stop = atomic_load(&core->stop_reason);
    if (stop != OTPRING_REASON_NONE) return (enum otpring_reason)stop;
    if (atomic_load(&core->clock.state) != CORE_CLOCK_SURE) return OTPRING_REASON_CLOCK;
    if (journal->no_room && journal->spares == 0) return OTPRING_REASON_NO_ROOM;
    return OTPRING_REASON_NONE;
}

enum { SECONDS_KEPT = CORE_RATE_SECONDS + 2 };

void core_second(struct core *core)
{
    uint64_t second = atomic_load(&core->seconds);
    for (int i = 0; i < OTPRING_VERDICT_COUNT; i++)
        atomic_store(&core->second_verdicts[second % SECONDS_KEPT][i], atomic_load(&core->verdicts[i]));
    atomic_store(&core->seconds, second + 1);
}

/* Between the last second noted and the one CORE_RATE_SECONDS before it, or the first. */
static void rates_fill(struct core *core, double ret_rates[OTPRING_VERDICT_COUNT])
{
    uint64_t seconds = atomic_load(&core->seconds);
    uint64_t span = seconds <= CORE_RATE_SECONDS ? (seconds ? seconds - 1 : 0) : CORE_RATE_SECONDS;
    for (int i = 0; span > 0 && i < OTPRING_VERDICT_COUNT; i++) {
        uint64_t last = atomic_load(&core->second_verdicts[(seconds - 1) % SECONDS_KEPT][i]);
        uint64_t first = atomic_load(&core->second_verdicts[(seconds - 1 - span) % SECONDS_KEPT][i]);
        ret_rates[i] = last > first ? (double)(last - first) / (double)span : 0;
    }
}

int64_t core_time_ms(struct core *core, struct os *os)
{
    return clock_journal_ms(&core->clock, os_time(os));
}

void core_status(struct core *core, struct core_status *ret_status)
{
    struct core_status status = {.tokens = table_token_count(core->table),
                                 .turns = atomic_load(&core->turns),
                                 .sessions = sessions_count(core->sessions),
                                 .memory_size = table_memory_size(core->table),
                                 .marks = marks_count(core->marks),
                                 .marks_max = core->options.marks_max,
                                 .checkpoint_position = atomic_load(&core->checkpoint_position),
                                 .checkpoint_ms = atomic_load(&core->checkpoint_ms),
                                 .clock = (enum core_clock_state)atomic_load(&core->clock.state),
                                 .journal_ms = core_now_ms(core),
                                 .policy = atomic_load(&core->policy),
                                 .kernel = core->kernel->name,
                                 .act_pending = atomic_load(&core->state->pending),
                                 .journal = journal_status(core->journal)};
    for (int i = 0; i < OTPRING_VERDICT_COUNT; i++) status.verdicts[i] = atomic_load(&core->verdicts[i]);
    rates_fill(core, status.rates);
    status.unavailable = unavailable_reason(core, &status.journal);
    *ret_status = status;
}

struct store *core_store(struct core *core)
{
    return core->store;
}

struct vault *core_vault(struct core *core)
{
    return core->vault;
}

struct table *core_table(struct core *core)
{
    return core->table;
}
