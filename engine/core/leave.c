/* Leaving: what became of a turn's block, and which frames may be answered.
 *
 * settled OK -> the frames' answers are kept by their sessions -> the turn counts as durable -> frames leave: at once,
 * or, where a verdict may rest on another worker's change, when all turns of others that had begun by the end of
 * judging are durable. Poisoned -> UNAVAILABLE. */
#include "core/turn_state.h"

#include "base/check.h"

enum { PREFETCH_AHEAD = 12 }; /* frames */

static void answer_frame(struct turn *turn, struct turn_frame *frame)
{
    struct core_worker *worker = turn->worker;
    if (!frame->released) sessions_release(worker->core->sessions, &frame->ticket);
    struct core_answer answer = {.owner = frame->owner,
                                 .header = frame->header,
                                 .answers = turn->answers + frame->answer_first,
                                 .count = frame->header.count};
    frame->answered = true;
    worker->options.answered(worker->options.context, &answer);
}

static void answer_hellos(struct turn *turn)
{
    for (uint32_t i = 0; i < turn->hello_count; i++) {
        struct core_hello_answer answer = {.owner = turn->hellos[i].owner, .hello = turn->hellos[i].hello};
        turn->worker->options.hello_answered(turn->worker->options.context, &answer);
    }
    turn->hello_count = 0;
}

static void make_unavailable(struct turn *turn, struct turn_frame *frame, enum otpring_reason reason, bool keep)
{
    struct otpring_wire_answer *answers = turn->answers + frame->answer_first;
    for (uint16_t i = 0; i < frame->header.count; i++) {
        if (keep && answers[i].verdict != OTPRING_UNAVAILABLE) continue;
        answers[i] = (struct otpring_wire_answer){.verdict = OTPRING_UNAVAILABLE, .reason = (uint8_t)reason};
    }
    atomic_fetch_add_explicit(&turn->worker->core->verdicts[OTPRING_UNAVAILABLE], frame->header.count,
                              memory_order_relaxed);
}

void turn_refuse(struct turn *turn, enum otpring_reason reason)
{
    struct core *core = turn->worker->core;
    for (uint32_t i = 0; i < turn->frame_count; i++) {
        struct turn_frame *frame = &turn->frames[i];
        struct act_session act;
        /* Whoever asks in vain during an outage does not lose the session for it. */
        (void)sessions_resume(core->sessions, frame->ticket.id, frame->ticket.act.client, turn->journal_ms, &act);
        make_unavailable(turn, frame, reason, frame->retry);
        answer_frame(turn, frame);
    }
    /* A session without a record is recorded with its first frame that is judged. */
    answer_hellos(turn);
    turn->state = TURN_FREE;
}

/* Until now `record` held the slot's index; greater values are records of an earlier block, given with a retry. */
static void number_records(struct turn *turn, uint64_t position)
{
    for (uint32_t i = 0; i < turn->answer_count; i++) {
        struct otpring_wire_answer *answer = &turn->answers[i];
        if (answer->record && answer->record <= JOURNAL_SLOTS_MAX) answer->record |= position << 14;
    }
}

void turn_settled(struct block_owner *owner, struct result result)
{
    struct turn *turn = (struct turn *)owner;
    struct core_worker *worker = turn->worker;
    CHECK(turn->state == TURN_IN_FLIGHT);
    turn->state = TURN_SETTLED;
    worker->turns->small_in_flight -= turn->small;
    if (result_failed(result)) {
        turn->poisoned = true;
        core_poisoned(worker->core);
        return;
    }
    depth_settled(&worker->turns->depth, &turn->depth, os_monotonic_ns(worker->os));
    number_records(turn, turn->block->position);
    struct sessions *sessions = worker->core->sessions;
    struct session *hold = NULL;
    for (uint32_t i = 0; i < turn->hello_count; i++) sessions_recorded(sessions, turn->hellos[i].act.id);
    for (uint32_t i = 0; i < turn->frame_count; i++) {
        struct turn_frame *frame = &turn->frames[i];
        if (i + PREFETCH_AHEAD < turn->frame_count) sessions_prefetch(sessions, &frame[PREFETCH_AHEAD].ticket);
        /* What waits for others stays in flight: its answers are not to be given to a retry yet. */
        frame->released = !frame->judged.needs_others;
        sessions_settle(sessions, &hold, &frame->ticket, turn->answers + frame->answer_first, turn->journal_ms,
                        frame->released);
    }
    sessions_let_go(&hold);
    progress_end(worker, turn->number);
}

static void keep_unavailable(struct turn *turn, struct turn_frame *frame)
{
    struct session *hold = NULL;
    sessions_settle(turn->worker->core->sessions, &hold, &frame->ticket, turn->answers + frame->answer_first,
                    turn->journal_ms, false);
    sessions_let_go(&hold);
}

/* True when every frame of the turn has been answered. */
static bool leave(struct turn *turn, uint32_t *waiting)
{
    struct core_worker *worker = turn->worker;
    bool poisoned = turn->poisoned || atomic_load(&worker->core->stop_reason) == OTPRING_REASON_POISONED;
    if (!turn->others_durable) turn->others_durable = progress_reached(worker, turn->others, turn->others_count, false);
    uint32_t left = 0;
    answer_hellos(turn);
    for (uint32_t i = 0; i < turn->frame_count; i++) {
        struct turn_frame *frame = &turn->frames[i];
        if (frame->answered) continue;
        bool waits = frame->judged.needs_others && !turn->others_durable;
        if (turn->poisoned || (waits && poisoned)) {
            make_unavailable(turn, frame, OTPRING_REASON_POISONED, false);
            /* What was kept when the block settled must not be given to a retry either. */
            if (!turn->poisoned) keep_unavailable(turn, frame);
        } else if (waits) {
            left++;
            continue;
        }
        answer_frame(turn, frame);
    }
    *waiting += left;
    return left == 0;
}

static uint32_t leave_all(struct core_worker *worker)
{
    struct turns *turns = worker->turns;
    uint32_t waiting = 0, kept = 0;
    for (uint32_t i = 0; i < turns->flying_count; i++) {
        struct turn *turn = turns->flying[i];
        if (turn->state == TURN_SETTLED && leave(turn, &waiting)) {
            turn->state = TURN_FREE;
        } else {
            turns->flying[kept++] = turn;
        }
    }
    turns->flying_count = kept;
    turns->waiting = waiting;
    return waiting;
}

void turn_leave(struct core_worker *worker)
{
    bool waiting = leave_all(worker) > 0;
    progress_waiting_set(worker, waiting);
    /* Once more after saying so: see worker.c. */
    if (waiting && leave_all(worker) == 0) progress_waiting_set(worker, false);
}
