#include "run.h"

#include <stdio.h>
#include <string.h>

#include "backup.h"
#include "base/check.h"
#include "core/state.h"
#include "genesis.h"
#include "journal/format.h"
#include "schedule.h"

enum { SWITCHES_MAX = 2000000, POISON_STEPS = 2000 };

/* The store as the run's engine sees it: a writer waits for the one before it, as LMDB's do, and a crash may come
 * round a commit. */
struct run_store {
    struct store store;
    struct store *inner;
    bool writing;
};

struct run {
    const struct run_options *options;
    uint64_t random;
    enum run_fault fault;
    struct machine_shape shape;
    struct os_sim_world *world;
    struct run_store store;
    struct machine machine;
    struct model model;
    bool crowded;        /* people and questions beside the clients */
    unsigned crowd_left; /* acts of theirs, of the housekeeper's turns */
    struct crowd crowd;
    struct crowd_desk desk;
    uint64_t points;
    unsigned frames_left;
    unsigned act_share; /* one act in so many turns of the housekeeper, of each kind */
    unsigned working;   /* workers that have not ended */
    bool taken[MODEL_SESSIONS][MODEL_SLOTS];
    bool suspended;
    unsigned moving_at; /* 0, 1; 2: removed, to be added again at moving_to */
    unsigned moving_to;
    int64_t sound_ms; /* wall minus boot clock when the engine last had reason to trust it; see clock_tamper */
    bool sound_known;
    uint32_t steps; /* of the wall clock */
    bool frozen;
    int64_t drift_ms; /* of the wall clock at each turn of the housekeeper, at most; 0: none */
    bool only_drifts;
    bool ending; /* the engine is being closed: it is not to be asked any more */
    bool misdirects;
    struct backup backup;    /* when there is one */
    struct crowd crowd_then; /* what people knew when it was made */
};

static struct run *running; /* what the store's functions, which know a transaction alone, belong to */

static uint64_t draw(struct run *run)
{
    uint64_t z = run->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool one_in(struct run *run, unsigned share)
{
    return draw(run) % share == 0;
}

static bool over(const struct run *run)
{
    return run->model.broken[0] != 0;
}

static bool poisoned(const struct run *run)
{
    return journal_status(run->machine.core->journal).poisoned;
}

/* ---- points where the machine may die ---- */

/* What a lie took, as far as the first bytes of it tell: a block, or a segment's header and so every block behind it.
 */
static void lost_note(const uint8_t bytes[64], uint64_t *ret_position, bool *ret_other)
{
    struct journal_block_header block;
    uint64_t magic, first_position;
    memcpy(&block, bytes, sizeof block);
    memcpy(&magic, bytes, sizeof magic);
    memcpy(&first_position, bytes + offsetof(struct segment_header, first_position), sizeof first_position);
    if (block.magic == JOURNAL_BLOCK_MAGIC)
        *ret_position = block.position;
    else if (magic == SEGMENT_MAGIC)
        *ret_position = first_position;
    else
        *ret_other = true;
}

static struct check_world world_of(struct run *run)
{
    const struct os_sim_touched *touched = os_sim_touched(run->world);
    struct check_world of = {.world = run->world,
                             .store = run->store.inner,
                             .shape = &run->shape,
                             .clock = run->fault == RUN_CLOCK,
                             .rot = run->fault == RUN_ROT && one_in(run, 2),
                             .forgot = run->fault == RUN_WRITES && run->machine.core && !run->ending && poisoned(run),
                             .crowd = run->crowded ? &run->crowd : NULL,
                             .durable = run->machine.core ? journal_durable_through(run->machine.core->journal) : 0};
    of.read_error = run->fault == RUN_ROT && !of.rot;
    of.write_lied = run->fault == RUN_LIES && touched->count > 0;
    if (of.write_lied) {
        lost_note(touched->head, &of.lost[0], &of.other_lost);
        if (run->misdirects) lost_note(touched->victim, &of.lost[1], &of.other_lost);
    }
    return of;
}

static void point(void *context)
{
    struct run *run = context;
    run->points++;
    if (over(run) || draw(run) % 256 >= run->options->crash_share) return;
    schedule_off();
    struct check_world of = world_of(run);
    check_crash(&of, &run->model, draw(run));
    schedule_on();
}

static struct result store_begin_waiting(struct store *base, bool write, struct store_txn **ret_txn)
{
    struct run_store *store = (struct run_store *)base;
    while (write && store->writing) schedule_yield();
    store->writing = store->writing || write;
    struct result result = store_begin(store->inner, write, ret_txn);
    if (result_failed(result) && write) store->writing = false;
    return result;
}

/* Only the writer's transaction is ever committed. */
static struct result store_commit_watched(struct store_txn *txn)
{
    point(running);
    struct result result = running->store.inner->functions->commit(txn);
    running->store.writing = false;
    point(running);
    return result;
}

static struct store_txn *writer_of(struct run_store *store);
static void store_abort_watched(struct store_txn *txn)
{
    if (running->store.writing && txn == writer_of(&running->store)) running->store.writing = false;
    running->store.inner->functions->abort(txn);
}

static struct store_txn *writer_txn;
static struct store_txn *writer_of(struct run_store *store)
{
    (void)store;
    return writer_txn;
}

static struct result store_begin_noted(struct store *base, bool write, struct store_txn **ret_txn)
{
    struct result result = store_begin_waiting(base, write, ret_txn);
    if (write && !result_failed(result)) writer_txn = *ret_txn;
    return result;
}

static void store_wrap(struct run_store *store, struct store *inner)
{
    static struct store_functions functions;
    functions = *inner->functions;
    functions.begin = store_begin_noted;
    functions.commit = store_commit_watched;
    functions.abort = store_abort_watched;
    functions.backup = backup_store;
    *store = (struct run_store){.store = {&functions}, .inner = inner};
}

/* ---- clients ---- */

static void step_note(struct run *run)
{
    int64_t wall_s = os_time(run->machine.os).wall_ms / 1000;
    run->model.now_step = wall_s / 30;
}

static void answered(void *context, const struct core_answer *answer)
{
    struct run *run = context;
    if (crowd_answered(&run->desk, &run->model, answer)) return;
    for (unsigned s = 0; s < MODEL_SESSIONS; s++) {
        if (run->model.sessions[s] != answer->header.session) continue;
        struct model_frame *frame = &run->model.frames[s][answer->header.slot];
        run->taken[s][answer->header.slot] = false;
        if (frame->header.sequence != answer->header.sequence) return;
        /* A peer that vanished does not hear its answer; it will ask again. */
        if (frame->state == MODEL_SENT && one_in(run, 16)) return;
        step_note(run);
        model_answered(&run->model, frame, answer->answers, answer->count, machine_journal_ms(&run->machine));
        return;
    }
    model_break(&run->model, "an answer to a session that is none");
}

static void hello_answered(void *context, const struct core_hello_answer *answer)
{
    struct run *run = context;
    crowd_hello_answered(&run->desk, answer);
}

static void add_right(struct run *run, struct model_frame *frame)
{
    static const uint8_t tokens[] = {TOKEN_HOTP_A,   TOKEN_HOTP_B,   TOKEN_TOTP_A, TOKEN_TOTP_B, TOKEN_TWO_HOTP,
                                     TOKEN_TWO_TOTP, TOKEN_SWITCHED, TOKEN_MOVING, TOKEN_FAR,    TOKEN_FAR_TOTP};
    enum token token = tokens[draw(run) % sizeof tokens];
    const struct model_token *about = &run->model.tokens[token];
    enum sim_account account = tokens_about(token)->account;
    if (token == TOKEN_MOVING && one_in(run, 2)) account = ACCOUNT_MOVING_B;
    int64_t step;
    if (tokens_about(token)->totp) {
        static const int8_t distances[] = {0, 0, 0, 0, 0, 0, -1, 1};
        step = run->model.now_step + (token == TOKEN_TOTP_A ? 0 : distances[draw(run) % 8]);
    } else {
        /* A fresh one, mostly the next; or one that was sent before. */
        step = one_in(run, 3) && about->floor_most > 0 ? about->floor_most - 1 - (int64_t)(draw(run) % 2)
                                                       : about->floor_most + (one_in(run, 6) ? 2 : 0);
        if (token == TOKEN_FAR && one_in(run, 2))
            step = about->floor_most + MODEL_LOOK_AHEAD + 1 + (int64_t)(draw(run) % 60);
    }
    if (step < 0 || !tokens_usable(token, step)) return;
    model_right(&run->model, frame, account, token, step);
}

/* Where two adjacent codes begin: mostly ahead of all that was used; or at, or half at, what was. */
static int64_t pair_step(struct run *run, enum token token)
{
    const struct model_token *about = &run->model.tokens[token];
    if (one_in(run, 3)) return about->floor_most - 1 - (int64_t)(draw(run) % 2);
    int64_t from = about->floor_most;
    bool totp = tokens_about(token)->totp;
    if (totp && from < run->model.now_step - 20) from = run->model.now_step - 20;
    return from + (int64_t)(draw(run) % (totp ? 20 : 60));
}

static void add_pair(struct run *run, struct model_frame *frame)
{
    enum token token = one_in(run, 2) ? TOKEN_FAR : TOKEN_FAR_TOTP;
    int64_t step = pair_step(run, token);
    if (!tokens_usable(token, step) || !tokens_usable(token, step + 1)) return;
    model_pair(&run->model, frame, tokens_about(token)->account, token, step);
}

static void add_wrong(struct run *run, struct model_frame *frame)
{
    static const uint8_t accounts[] = {ACCOUNT_GUESSED, ACCOUNT_GUESSED, ACCOUNT_GUESSED_TOTP, ACCOUNT_GUESSED_TOTP,
                                       ACCOUNT_NOBODY,  ACCOUNT_NOBODY,  ACCOUNT_HOTP_B,       ACCOUNT_TOTP_B};
    model_wrong(&run->model, frame, accounts[draw(run) % sizeof accounts], (uint32_t)draw(run));
}

static struct model_frame *frame_make(struct run *run, unsigned session, unsigned slot)
{
    struct model_frame *frame = model_frame(&run->model, session, slot);
    unsigned count = 1 + (unsigned)(draw(run) % 5);
    if (one_in(run, 6))
        for (unsigned i = 0; i <= count / 2; i++) add_pair(run, frame);
    bool pairs = frame->header.count > 0;
    for (unsigned i = 0; !pairs && i < count; i++) (one_in(run, 3) ? add_wrong : add_right)(run, frame);
    if (frame->header.count == 0) add_wrong(run, frame);
    step_note(run);
    model_sent(&run->model, frame, machine_journal_ms(&run->machine));
    run->frames_left--;
    return frame;
}

/* Offers a frame to a worker: a new one, one without answer again, or one with answers once more. */
static void client_act(struct run *run, struct core_worker *worker)
{
    unsigned session = (unsigned)(draw(run) % MODEL_SESSIONS), slot = (unsigned)(draw(run) % MODEL_CHECK_SLOT);
    struct model_frame *frame = &run->model.frames[session][slot];
    if (frame->state == MODEL_FREE ||
        (frame->state == MODEL_ANSWERED && !run->taken[session][slot] && !one_in(run, 4))) {
        if (run->frames_left == 0) return;
        frame = frame_make(run, session, slot);
    }
    enum otpring_wire_error_code error = 0;
    struct core_frame offered = {.header = &frame->header, .items = frame->queries, .client = &machine_client};
    enum core_admit admit = core_frame(worker, &offered, &error);
    if (admit == CORE_TAKEN) run->taken[session][slot] = true;
    if (admit == CORE_ERROR)
        model_break(&run->model, "session %u slot %u sequence %u refused: error %u", session, slot,
                    frame->header.sequence, error);
}

/* ---- actors ---- */

static void worker_main(struct run *run, unsigned index)
{
    struct core_worker *worker = run->machine.workers[index];
    struct os *os = run->machine.worker_os[index];
    unsigned idle = 0;
    while (!over(run) && (run->frames_left > 0 || idle++ < 8)) {
        for (unsigned n = (unsigned)(draw(run) % 4); n > 0; n--) client_act(run, worker);
        core_turn(worker);
        if (result_failed(os_step(os, 30000, NULL))) break;
        core_poll(worker);
    }
    core_turn(worker);
    while (!over(run) && !core_drained(worker) && !result_failed(os_step(os, 30000, NULL))) core_poll(worker);
    run->working--;
}

static void worker_0(void *context)
{
    worker_main(context, 0);
}

static void worker_1(void *context)
{
    worker_main(context, 1);
}

static uint32_t ordinal_of(struct run *run, enum sim_account account)
{
    uint8_t name[16];
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    tokens_name(account, name);
    unsigned count = table_find(run->machine.core->table, name, hits);
    for (unsigned i = 0; i < count; i++)
        if (!(atomic_load(&hits[i].tail->flags) & TABLE_REMOVED)) return hits[i].ordinal;
    return UINT32_MAX;
}

static struct result act_switch(struct run *run)
{
    bool suspend = !run->suspended;
    uint32_t ordinal = ordinal_of(run, ACCOUNT_SWITCHED);
    model_suspend(&run->model, suspend, false);
    TRY(core_token_change(run->machine.keeper, &machine_actor, suspend ? ACT_TOKEN_SUSPEND : ACT_TOKEN_RESUME, &ordinal,
                          1));
    model_suspend(&run->model, suspend, true);
    run->suspended = suspend;
    return result_ok();
}

static struct result act_move(struct run *run)
{
    if (run->moving_at < 2) {
        unsigned at = run->moving_at;
        uint32_t ordinal = ordinal_of(run, at ? ACCOUNT_MOVING_B : ACCOUNT_MOVING_A);
        model_move(&run->model, at, false, false);
        TRY(core_token_change(run->machine.keeper, &machine_actor, ACT_TOKEN_REMOVE, &ordinal, 1));
        model_move(&run->model, at, false, true);
        run->moving_to = !at;
        run->moving_at = 2;
        return result_ok();
    }
    unsigned to = run->moving_to;
    model_move(&run->model, to, true, false);
    TRY(genesis_enrol(run->machine.keeper, TOKEN_MOVING, to ? ACCOUNT_MOVING_B : ACCOUNT_MOVING_A));
    model_move(&run->model, to, true, true);
    run->moving_at = to;
    return result_ok();
}

static struct result act_unlock(struct run *run)
{
    model_unlock(&run->model, ACCOUNT_GUESSED, false);
    TRY(core_account_unlock(run->machine.keeper, &machine_actor, TOKENS_COMPANY, tokens_user(ACCOUNT_GUESSED)));
    model_unlock(&run->model, ACCOUNT_GUESSED, true);
    return result_ok();
}

static struct result act_desk(struct run *run)
{
    enum token token = one_in(run, 2) ? TOKEN_FAR : TOKEN_FAR_TOTP;
    int64_t step = pair_step(run, token);
    if (!tokens_usable(token, step) || !tokens_usable(token, step + 1)) return result_ok();
    enum otpring_verdict verdict;
    model_desk(&run->model, token, step);
    TRY(core_token_resync(run->machine.keeper, &machine_actor, ordinal_of(run, tokens_about(token)->account),
                          tokens_code(token, step), tokens_code(token, step + 1), 6, &verdict));
    model_desk_done(&run->model, token, step, verdict == OTPRING_ACCEPTED, run->machine.core->admin_position << 14);
    return result_ok();
}

static uint64_t draw_for_crowd(void *context)
{
    return draw(context);
}

static struct result administer(struct run *run)
{
    if (run->crowd_left > 0 && !one_in(run, 4)) {
        run->crowd_left--;
        return crowd_step(&run->desk, &run->crowd, &run->model, draw_for_crowd, run);
    }
    switch (draw(run) % run->act_share) {
    case 0:
        return act_switch(run);
    case 1:
        return act_move(run);
    case 2:
        return act_unlock(run);
    case 3:
        return core_checkpoint(run->machine.keeper);
    case 4:
        return act_desk(run);
    default:
        return result_ok();
    }
}

/* After a fence the engine only waits to be started anew; what may be retried is retried. */
static bool allowed(struct run *run, struct result result)
{
    if (!result_failed(result) || result_class(result) == RESULT_RETRY) return true;
    if (run->fault == RUN_WRITES || run->fault == RUN_LIES) return true;
    if (run->fault == RUN_CLOCK && result.code == CLOCK_UNSURE) return true;
    model_break(&run->model, "housekeeping or an act failed: %s", result_name(result));
    return false;
}

static int64_t offset_ms(struct run *run)
{
    struct os_time now = os_time(run->machine.os);
    return now.wall_ms - (int64_t)now.boot_ms;
}

/* The engine must notice a step beyond its limit, unless the kernel says that the clock is synchronised, or an operator
 * consents. The model is told only where it is certain. */
static void unsure_note(struct run *run)
{
    enum { LIMIT_MS = 2000 };
    int64_t off = offset_ms(run) - run->sound_ms;
    bool unsure = run->sound_known && (off > LIMIT_MS || off < -LIMIT_MS);
    if (unsure && !run->model.unsure) run->steps++; /* by a step, or by drifting so far */
    run->model.unsure = unsure ? run->steps : 0;
    model_doubt(&run->model, unsure || !run->sound_known);
}

static void clock_tamper(struct run *run)
{
    static const int64_t steps_ms[] = {
        1000, 10000, 600000, 3600000, 86400000, 366 * (int64_t)86400000, 3660 * (int64_t)86400000};
    if (run->drift_ms) {
        int64_t drift = (int64_t)(draw(run) % (uint64_t)(run->drift_ms < 0 ? -run->drift_ms : run->drift_ms));
        os_sim_step_wall_ms(run->world, run->drift_ms < 0 ? -drift : drift);
    }
    if (run->frozen) os_sim_step_wall_ms(run->world, -(int64_t)(draw(run) % 3));
    unsure_note(run);
    /* What a clock that merely runs too fast or too slow comes to is seen where nothing else happens to it. */
    switch (run->only_drifts ? 4 + draw(run) % 44 : draw(run) % 48) {
    case 0:
    case 1: {
        int64_t step = steps_ms[draw(run) % (sizeof steps_ms / sizeof steps_ms[0])];
        os_sim_synchronised_set(run->world, false);
        os_sim_step_wall_ms(run->world, one_in(run, 2) ? step : -step);
        run->steps++;
        break;
    }
    case 2:
        /* Whether the engine looks before it is gone again is not known from here on. */
        os_sim_synchronised_set(run->world, one_in(run, 2));
        run->sound_known = false;
        break;
    case 3:
        run->frozen = !run->frozen;
        break;
    case 6:
    case 7:
        if (run->only_drifts) break;
        run->drift_ms = one_in(run, 3) ? 0 : (int64_t)(draw(run) % 800) - 400;
        break;
    case 4:
    case 5:
        run->sound_known = false;
        unsure_note(run); /* until it is known that the consent stands */
        if (result_failed(core_clock_consent(run->machine.keeper, &machine_actor))) break;
        os_sim_synchronised_set(run->world, false);
        run->sound_ms = offset_ms(run);
        run->sound_known = true;
        break;
    default:
        break;
    }
    unsure_note(run);
}

static void time_passes(struct run *run)
{
    if (one_in(run, 6)) os_sim_advance_ms(run->world, draw(run) % 1500);
    if (run->fault == RUN_CLOCK) clock_tamper(run);
    step_note(run);
}

/* Under load, as `otpring backup` does it; where it does not come off, another one is tried later. */
static struct result back_up(struct run *run)
{
    if (run->fault != RUN_RESTORE || run->backup.world || !one_in(run, 12)) return result_ok();
    struct backup backup;
    TRY(backup_make(&run->machine, run->store.inner, draw(run), NULL, &backup));
    run->backup = backup;
    run->crowd_then = run->crowd;
    return result_ok();
}

static void restore(struct run *run)
{
    if (!run->backup.world) return;
    struct check_world of = world_of(run);
    struct os_time now = os_time(run->machine.os);
    struct os *then = os_sim_create(run->backup.world);
    os_sim_advance_ms(run->backup.world, (uint64_t)(now.wall_ms - os_time(then).wall_ms));
    os_destroy(then);
    of.world = run->backup.world;
    of.store = run->backup.store;
    of.restore_now_ms = now.wall_ms;
    if (run->crowded) of.crowd = &run->crowd_then;
    for (unsigned i = 0; i < 8 && !over(run); i++) check_crash(&of, &run->model, draw(run));
    if (over(run)) return;
    store_close(run->backup.store);
    os_sim_world_destroy(run->backup.world);
}

static void keeper_main(void *context)
{
    struct run *run = context;
    struct core_worker *keeper = run->machine.keeper;
    while ((run->working > 0 || (run->crowd_left > 0 && !poisoned(run))) && !over(run)) {
        bool more = false;
        do {
            if (!allowed(run, core_keep(keeper, &more))) return;
        } while (more && !over(run) && !one_in(run, 8));
        if (!poisoned(run) && !allowed(run, administer(run))) break;
        time_passes(run);
        if (!allowed(run, back_up(run))) break;
        if (result_failed(os_step(run->machine.keeper_os, 30000, NULL))) break;
        core_poll(keeper);
    }
}

/* ---- faults ---- */

static void faults_draw(struct run *run)
{
    struct os_sim_faults faults = {.slow_share = one_in(run, 4) ? 32 : 0};
    uint64_t at = 1 + draw(run) % 80;
    if (run->fault == RUN_WRITES) {
        switch (draw(run) % 4) {
        case 0:
            faults.fail_write_at = at;
            faults.fail_sticky = one_in(run, 2);
            break;
        case 1:
            faults.short_write_at = at;
            break;
        default:
            faults.fail_sync_at = at;
            break;
        }
        run->model.reasons |= 1u << OTPRING_REASON_POISONED;
    }
    if (run->fault == RUN_SPACE) faults.no_space_at = at;
    if (run->fault == RUN_LIES) {
        run->misdirects = one_in(run, 2);
        if (run->misdirects) faults.misdirect_at = at;
        if (!run->misdirects) faults.phantom_at = at;
        run->model.reasons |= 1u << OTPRING_REASON_POISONED; /* sealing reads back what was written */
    }
    if (run->fault == RUN_CLOCK) {
        run->model.reasons |= 1u << OTPRING_REASON_CLOCK;
        for (unsigned i = 0; i < TOKEN_COUNT; i++) run->model.tokens[i].maybe_drifted = true;
        os_sim_synchronised_set(run->world, false);
        run->sound_ms = offset_ms(run);
        run->sound_known = true;
        run->only_drifts = one_in(run, 3);
        if (run->only_drifts) run->drift_ms = one_in(run, 2) ? 300 : -300;
    }
    os_sim_faults_set(run->world, &faults);
}

/* ---- a run ---- */

static void shape_draw(struct run *run)
{
    static const uint32_t depths[] = {2, 4, 8};
    run->shape.depth_max = depths[draw(run) % 3];
    run->shape.segment_size = one_in(run, 6) ? 64 << 10 : 128 << 10; /* the small ones often leave no room */
    run->shape.keep_size = one_in(run, 3) ? 64 << 10 : 64 << 20;
    run->act_share = one_in(run, 3) ? 10 : 40;
    schedule_shares(one_in(run, 3) ? 48 : 6, one_in(run, 3) ? 224 : 96);
    run->shape.checkpoint_bytes = one_in(run, 2) ? 32 << 10 : 1 << 20;
    run->shape.checkpoint_blocks = one_in(run, 2) ? 1 : 0; /* a piece an algorithm */
    /* Seals from memory, in a third of the worlds; what a disk lies about is found by reading it back. */
    run->shape.busy_bytes = run->options->seed % 3 == 0 && run->fault != RUN_LIES ? 1 : 0;
}

static void settle_poisoned(struct run *run)
{
    for (unsigned i = 0; i < POISON_STEPS; i++)
        if (!machine_step(&run->machine)) return;
}

static void live(struct run *run)
{
    static void (*const actors[])(void *) = {worker_0, worker_1, keeper_main};
    const struct machine_callbacks callbacks = {answered, hello_answered, run};
    CHECK(machine_workers(&run->machine, MACHINE_WORKERS, &callbacks).code == OK);
    if (run->crowded) {
        CHECK(crowd_open(&run->desk, &run->machine).code == OK);
        run->crowd_left = 10 + (unsigned)(draw(run) % 60);
    }
    for (unsigned i = 0; i < MACHINE_WORKERS; i++) schedule_os(run->machine.worker_os[i]);
    schedule_os(run->machine.keeper_os);
    step_note(run);
    faults_draw(run);
    run->frames_left = 12 + (unsigned)(draw(run) % 30);
    run->working = MACHINE_WORKERS;
    if (!schedule_run(actors, 3, run, draw(run), SWITCHES_MAX)) {
        model_break(&run->model, "the run does not come to an end");
        return;
    }
    if (over(run)) return;
    crowd_close(&run->desk);
    restore(run);
    if (over(run)) return;
    if (poisoned(run)) settle_poisoned(run);
    struct result result = poisoned(run) ? result_ok() : core_finish(run->machine.keeper);
    if (result_failed(result) && run->fault != RUN_WRITES && run->fault != RUN_SPACE && run->fault != RUN_LIES)
        model_break(&run->model, "a clean stop failed: %s", result_name(result));
    if (over(run) || (result_failed(result) && !poisoned(run))) return;
    run->ending = true;
    machine_close(&run->machine);
}

/* Not from the run's own draws: those of a seed without people stay as they were before there were any. */
static bool crowd_drawn(uint64_t seed)
{
    enum { SHARE = 8 };
    return (seed * 0x9e3779b97f4a7c15u >> 33) % SHARE == 0;
}

void run_seed(const struct run_options *options, struct run_report *ret_report)
{
    static struct run run;
    run = (struct run){.options = options, .random = options->seed};
    running = &run;
    machine_random_seed(options->seed);
    run.fault = options->fault >= 0 ? (enum run_fault)options->fault
                : one_in(&run, 2)   ? RUN_CRASHES
                                    : draw(&run) % RUN_FAULT_COUNT;
    shape_draw(&run);
    struct store *inner;
    run.crowded = options->crowd >= 0 ? options->crowd > 0 : crowd_drawn(options->seed);
    if (run.crowded)
        genesis_fork_crowded(draw(&run), &run.world, &inner, &run.model, &run.crowd.people);
    else
        genesis_fork(draw(&run), &run.world, &inner, &run.model);
    store_wrap(&run.store, inner);
    run.model.reasons = 1u << OTPRING_REASON_NO_ROOM;
    os_sim_watch(run.world, point, &run);
    struct result result = machine_open(&run.machine, run.world, &run.store.store, &run.shape, 0);
    if (result_failed(result))
        model_break(&run.model, "the first start failed: %s", result_name(result));
    else
        live(&run);
    *ret_report = (struct run_report){.points = run.points,
                                      .frames = run.model.frame_count,
                                      .switches = schedule_switches(),
                                      .trace = os_sim_trace(run.world) ^ run.random,
                                      .fault = run.fault};
    memcpy(ret_report->broken, run.model.broken, sizeof run.model.broken);
    memcpy(ret_report->counts, run.model.counts, sizeof run.model.counts);
    if (over(&run)) return; /* whoever reads the report ends the process */
    store_close(inner);
    os_sim_world_destroy(run.world);
}

const char *run_fault_name(enum run_fault fault)
{
    static const char *const names[] = {"crashes", "writes", "space", "clock", "rot", "lies", "restore"};
    return names[fault];
}
