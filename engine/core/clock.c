/* Journal time and whether the wall clock can be trusted.
 *
 * Journal time is the boot clock plus an offset that only grows: it starts at the last record, follows the wall clock
 * forward while that is sound, and runs on at the boot clock's pace when the wall clock was set back. So it never falls
 * and never stands still: a lock neither shortens nor lasts longer than it should. TOTP steps are counted from the wall
 * clock itself. */
#include "core/internal.h"

#define YEAR_MS ((int64_t)366 * 24 * 3600 * 1000)
#define WALL_GREATEST_MS ((int64_t)0xfffffff0 * 1000) /* budget words count seconds in 32 bits */

static void raise(_Atomic int64_t *value, int64_t to)
{
    int64_t seen = atomic_load(value);
    while (seen < to && !atomic_compare_exchange_weak(value, &seen, to)) {
    }
}

static int64_t offset_of(struct os_time now)
{
    return now.wall_ms - (int64_t)now.boot_ms;
}

/* A step that the kernel's own synchronisation may justify without an operator: not behind the journal, at most a year
 * ahead. */
static bool within_policy(const struct core_clock *clock, struct os_time now, int64_t journal_ms)
{
    return now.wall_ms >= journal_ms - clock->step_limit_ms && now.wall_ms <= journal_ms + YEAR_MS &&
           now.wall_ms <= WALL_GREATEST_MS;
}

void clock_start(struct core_clock *clock, struct os_time now, int64_t last_record_ms, uint32_t step_limit_ms)
{
    clock->step_limit_ms = step_limit_ms ? step_limit_ms : 2000;
    int state = CORE_CLOCK_SURE;
    if (now.wall_ms < last_record_ms - clock->step_limit_ms) state = CORE_CLOCK_BEHIND;
    if ((last_record_ms && now.wall_ms > last_record_ms + YEAR_MS) || now.wall_ms > WALL_GREATEST_MS)
        state = CORE_CLOCK_FAR_AHEAD;
    int64_t journal_ms = last_record_ms;
    if (state == CORE_CLOCK_SURE && now.wall_ms > journal_ms) journal_ms = now.wall_ms;
    atomic_store(&clock->journal_ms, journal_ms);
    atomic_store(&clock->journal_offset_ms, journal_ms - (int64_t)now.boot_ms);
    atomic_store(&clock->offset_ms, offset_of(now));
    atomic_store(&clock->state, state);
}

int64_t clock_journal_ms(struct core_clock *clock, struct os_time now)
{
    raise(&clock->journal_ms, (int64_t)now.boot_ms + atomic_load(&clock->journal_offset_ms));
    return atomic_load(&clock->journal_ms);
}

static bool still_sure(struct core_clock *clock, struct os_time now)
{
    int64_t step_ms = offset_of(now) - atomic_load(&clock->offset_ms);
    if (step_ms <= clock->step_limit_ms && step_ms >= -clock->step_limit_ms) return true;
    int sure = CORE_CLOCK_SURE;
    atomic_compare_exchange_strong(&clock->state, &sure, CORE_CLOCK_STEPPED);
    return false;
}

static bool sure_again(struct core_clock *clock, struct os_time now)
{
    int state = atomic_load(&clock->state);
    int64_t step_ms = offset_of(now) - atomic_load(&clock->offset_ms);
    bool stepped_back_to_sound =
        state == CORE_CLOCK_STEPPED && step_ms <= clock->step_limit_ms && step_ms >= -clock->step_limit_ms;
    bool justified = now.synchronised && within_policy(clock, now, clock_journal_ms(clock, now));
    if (!stepped_back_to_sound && !justified) return false;
    if (!stepped_back_to_sound) atomic_store(&clock->offset_ms, offset_of(now));
    atomic_store(&clock->state, CORE_CLOCK_SURE);
    return true;
}

bool clock_turn(struct core_clock *clock, struct os_time now, int64_t *ret_journal_ms)
{
    bool sure = atomic_load(&clock->state) == CORE_CLOCK_SURE ? still_sure(clock, now) : sure_again(clock, now);
    if (!sure) return false;
    raise(&clock->journal_offset_ms, offset_of(now));
    *ret_journal_ms = clock_journal_ms(clock, now);
    return true;
}

void clock_consent(struct core_clock *clock, struct os_time now)
{
    atomic_store(&clock->offset_ms, offset_of(now));
    atomic_store(&clock->state, CORE_CLOCK_SURE);
}
