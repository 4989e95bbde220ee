#include "check.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "core/state.h"

enum {
    STEPS_MAX = 400,
    NESTED_SHARE = 6,
    LOG_SHARE = 4,
    STOP_SHARE = 16,
    PROCESS_SHARE = 4,
    FORGOT_SHARE = 2,
    DOWN_MS_MAX = 5000
};

struct check {
    struct model model;
    struct machine machine;
    struct crowd crowd;
    struct crowd_desk desk;
    struct os_sim_world *world;
    struct store *store;
    struct check_world of;
    uint64_t rotted; /* position of the block that was damaged for this start */
    bool process_only;
    uint64_t random;
    unsigned depth;
    uint64_t crash_in; /* disk operations until the next crash, when there is one */
    bool taken[MODEL_SESSIONS][MODEL_SLOTS];
};

/* One a depth: they are large, and live no longer than the one above them. */
static struct check checks[CHECK_DEPTH_MAX];
static struct check_counts counts;
static bool thorough_always;

const struct check_counts *check_counts(void)
{
    return &counts;
}

void check_thorough(bool thorough)
{
    thorough_always = thorough;
}

static uint64_t draw(struct check *check)
{
    uint64_t z = check->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool one_in(struct check *check, unsigned share)
{
    return draw(check) % share == 0;
}

static void crash(const struct check_world *of, struct model *model, uint64_t seed, unsigned depth);

/* ---- asking ---- */

static struct model_frame *frame_of(struct check *check, const struct otpring_wire_header *header)
{
    for (unsigned s = 0; s < MODEL_SESSIONS; s++) {
        struct model_frame *frame = &check->model.frames[s][header->slot];
        if (check->model.sessions[s] == header->session && frame->header.sequence == header->sequence) return frame;
    }
    return NULL;
}

static void answered(void *context, const struct core_answer *answer)
{
    struct check *check = context;
    if (crowd_answered(&check->desk, &check->model, answer)) return;
    struct model_frame *frame = frame_of(check, &answer->header);
    if (!frame) {
        model_break(&check->model, "an answer to a frame that was never sent");
        return;
    }
    model_answered(&check->model, frame, answer->answers, answer->count, machine_journal_ms(&check->machine));
}

static void hello_answered(void *context, const struct core_hello_answer *answer)
{
    struct check *check = context;
    crowd_hello_answered(&check->desk, answer);
}

static bool has_unavailable(const struct model_frame *frame)
{
    for (unsigned i = 0; frame->state == MODEL_ANSWERED && i < frame->header.count; i++)
        if (frame->answers[i].verdict == OTPRING_UNAVAILABLE) return true;
    return false;
}

/* Offers every frame that has a state worth asking: first all of them, later what has no verdict yet. */
static unsigned offer_all(struct check *check, bool first)
{
    unsigned open = 0;
    for (unsigned s = 0; s < MODEL_SESSIONS; s++) {
        for (unsigned slot = 0; slot < MODEL_SLOTS; slot++) {
            struct model_frame *frame = &check->model.frames[s][slot];
            bool wanted =
                frame->state == MODEL_SENT || has_unavailable(frame) || (first && frame->state == MODEL_ANSWERED);
            if (!wanted) continue;
            open++;
            enum otpring_wire_error_code error = 0;
            struct core_frame offered = {.header = &frame->header, .items = frame->queries, .client = &machine_client};
            if (core_frame(check->machine.keeper, &offered, &error) == CORE_ERROR) {
                model_break(&check->model, "session %u slot %u sequence %u refused after a start: error %u", s, slot,
                            frame->header.sequence, error);
                return open;
            }
        }
    }
    return open;
}

/* Until everything has a verdict; progress must come, since no fault is left. */
static void ask_all(struct check *check)
{
    struct machine *machine = &check->machine;
    for (unsigned i = 0; i < STEPS_MAX && !check->model.broken[0]; i++) {
        unsigned open = offer_all(check, i == 0);
        core_turn(machine->keeper);
        if (open == 0 && core_drained(machine->keeper)) return;
        bool more = false;
        struct result kept = i % 8 == 7 ? core_keep(machine->keeper, &more) : result_ok();
        if (result_failed(kept) || !machine_step(machine)) {
            model_break(&check->model, "housekeeping failed after a start: %s", result_name(kept));
            return;
        }
    }
    if (!check->model.broken[0]) model_break(&check->model, "no verdicts after a start, though no fault was left");
}

/* The last accepted code of each token, which must not be accepted again, and a code that must. */
static bool check_frame(struct check *check)
{
    struct model *model = &check->model;
    struct model_frame *frame = &model->frames[0][MODEL_CHECK_SLOT];
    if (frame->state == MODEL_SENT) return false; /* sent before the crash: asked again with the others */
    frame = model_frame(model, 0, MODEL_CHECK_SLOT);
    uint32_t seen = 0;
    for (unsigned i = model->accepted_count; i-- > 0 && frame->header.count < MODEL_ITEMS_MAX - 2;) {
        const struct model_accepted *last = &model->accepted[i];
        if (seen >> last->token & 1) continue;
        seen |= 1u << last->token;
        enum sim_account account = tokens_about(last->token)->account;
        if (last->token == TOKEN_MOVING) account = draw(check) % 2 ? ACCOUNT_MOVING_A : ACCOUNT_MOVING_B;
        model_right(model, frame, account, last->token, last->step);
    }
    int64_t step = model->tokens[TOKEN_PROBE].floor_most;
    while (!tokens_usable(TOKEN_PROBE, step)) step++;
    model_right(model, frame, ACCOUNT_PROBE, TOKEN_PROBE, step);
    model_wrong(model, frame, ACCOUNT_GUESSED, (uint32_t)draw(check));
    model_sent(model, frame, machine_journal_ms(&check->machine));
    return true;
}

static void probe_accepted(struct check *check)
{
    const struct model_frame *frame = &check->model.frames[0][MODEL_CHECK_SLOT];
    enum otpring_verdict verdict = frame->answers[frame->header.count - 2].verdict;
    if (verdict != OTPRING_ACCEPTED && !(check->model.stopped_once && verdict == OTPRING_INACTIVE))
        model_break(&check->model, "after a start a fresh code is %s", otpring_verdict_name(verdict));
}

/* ---- looking ---- */

static uint64_t budget_of(struct check *check, enum sim_account account, bool *ret_known)
{
    uint8_t name[16];
    struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
    tokens_name(account, name);
    *ret_known = table_find(check->machine.core->table, name, hits) > 0;
    return *ret_known ? atomic_load(&hits[0].tail->budget) : unknown_get(check->machine.core->unknown, name);
}

static void look_at_words(struct check *check)
{
    struct model *model = &check->model;
    for (unsigned token = 0; token < TOKEN_COUNT; token++) {
        struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
        const struct tokens_about *about = tokens_about(token);
        if (token == TOKEN_MOVING || about->account == ACCOUNT_TWO) continue;
        if (table_find(check->machine.core->table, about->name, hits) != 1) {
            model_break(model, "token %u is gone after a start", token);
            continue;
        }
        int64_t floor = token_floor(atomic_load(&hits[0].tail->token));
        bool suspended = atomic_load(&hits[0].tail->flags) & TABLE_SUSPENDED;
        bool unsafe = floor < model->tokens[token].floor_least;
        if (unsafe && !(model->stopped_once && suspended && !about->totp))
            model_break(model, "token %u has floor %lld after a start, answered was %lld", token, (long long)floor,
                        (long long)model->tokens[token].floor_least);
        if (floor > model->tokens[token].floor_most && !model->stopped_once)
            model_break(model, "token %u has floor %lld after a start, sent was %lld at most", token, (long long)floor,
                        (long long)model->tokens[token].floor_most);
        if (suspended && !model->tokens[token].maybe_suspended && !model->stopped_once)
            model_break(model, "token %u is suspended after a start", token);
        if (!suspended && !model->tokens[token].maybe_active)
            model_break(model, "token %u is no longer suspended after a start", token);
    }
    for (unsigned account = 0; account < ACCOUNT_COUNT; account++) {
        bool known;
        uint64_t budget = budget_of(check, account, &known);
        if (budget_failures(budget, 0) < model->accounts[account].failures_least &&
            model->accounts[account].right_in_flight == 0)
            model_break(model, "account %u has %u failures after a start, answered were %u", account,
                        budget_failures(budget, 0), model->accounts[account].failures_least);
    }
}

static void look_at_block(struct model *model, const struct journal_block_view *block, uint8_t *found)
{
    for (unsigned i = 0; i < model->told_count; i++) {
        const struct model_told *told = &model->told[i];
        uint32_t at = told->record & 0x3fff;
        if (told->record >> 14 != block->header->position) continue;
        struct slot_verify slot = {0};
        if (at < block->header->slot_count) memcpy(&slot, block->slots + (size_t)at * JOURNAL_SLOT_SIZE, sizeof slot);
        uint8_t name[16];
        tokens_name(told->account, name);
        if (slot.kind != SLOT_VERIFY || slot.verdict != told->verdict || slot.item != told->item ||
            memcmp(slot.name, name, 16) != 0)
            model_break(model, "record %llx of a verdict %s is something else in the log",
                        (unsigned long long)told->record, otpring_verdict_name(told->verdict));
        found[i] = 1;
    }
}

/* Every verdict that was answered is in the log, but for what was recycled. */
static void look_at_log(struct check *check)
{
    struct model *model = &check->model;
    struct journal_reader_options options = {0};
    struct journal_reader *reader;
    struct journal_block_view block;
    uint8_t found[MODEL_TOLD_MAX] = {0};
    uint64_t first = 0;
    counts.logs_read++;
    struct result result = journal_reader_open(check->machine.os, "journal", &options, &reader);
    if (result_failed(result)) {
        model_break(model, "the log cannot be opened: %s", result_name(result));
        return;
    }
    for (;;) {
        result = journal_reader_next(reader, &block);
        if (result_failed(result)) break;
        if (!first) first = block.header->position;
        look_at_block(model, &block, found);
    }
    journal_reader_close(reader);
    if (result.code != STORE_NOT_FOUND) model_break(model, "the log cannot be read: %s", result_name(result));
    for (unsigned i = 0; i < model->told_count; i++)
        if (!found[i] && model->told[i].record >> 14 >= first)
            model_break(model, "verdict %s of record %llx was answered and is not in the log",
                        otpring_verdict_name(model->told[i].verdict), (unsigned long long)model->told[i].record);
}

/* ---- damage ---- */

/* Turns one bit over in the block of this position, wherever it stands. */
static bool rot(struct check *check, uint64_t position)
{
    for (unsigned number = 1; number < 64; number++) {
        char path[64];
        uint64_t size;
        snprintf(path, sizeof path, "journal/%016x.seg", number);
        uint8_t *bytes = os_sim_file(check->world, path, &size);
        for (uint64_t at = JOURNAL_BLOCK_ALIGNMENT; bytes && at < size; at += JOURNAL_BLOCK_ALIGNMENT) {
            struct journal_block_header header;
            memcpy(&header, bytes + at, sizeof header);
            if (header.magic != JOURNAL_BLOCK_MAGIC || header.position != position) continue;
            uint64_t bit = draw(check) % ((header.slot_count + 1u) * JOURNAL_SLOT_SIZE * 8u);
            bytes[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
            check->of.lost[2] = check->rotted = position;
            return true;
        }
    }
    return false;
}

/* A file of the journal ends anywhere, most often within a block. */
static void cut(struct check *check)
{
    char path[64];
    uint64_t size;
    snprintf(path, sizeof path, "journal/%016x.seg", (unsigned)(1 + draw(check) % 8));
    if (!os_sim_file(check->world, path, &size) || size == 0) return;
    os_sim_cut(check->world, path, draw(check) % (one_in(check, 2) ? size : 2 * JOURNAL_BLOCK_ALIGNMENT));
    check->of.cut = true;
}

/* One of the answers that the log must have; mostly a late one, whose block may be among those that nothing vouches
 * for.
 */
static const struct model_told *told_drawn(struct check *check)
{
    enum { LATE = 6 };
    const struct model *model = &check->model;
    unsigned among = !one_in(check, 4) && model->told_count > LATE ? LATE : model->told_count;
    return &model->told[model->told_count - 1 - draw(check) % among];
}

static void spoil(struct check *check)
{
    for (unsigned i = 0; i < 4; i++) {
        char path[64];
        uint64_t size;
        snprintf(path, sizeof path, "journal/%016x.seg", (unsigned)(1 + draw(check) % 8));
        if (os_sim_file(check->world, path, &size)) os_sim_spoil(check->world, path, draw(check) % size);
    }
}

static bool damaged(const struct check *check)
{
    const struct check_world *of = &check->of;
    return of->lost[0] || of->lost[1] || of->lost[2] || of->other_lost || of->cut || of->spoiled;
}

static void damage(struct check *check)
{
    check->rotted = 0;
    if (check->of.rot && one_in(check, 4))
        cut(check);
    else if (check->of.rot && check->model.told_count)
        rot(check, told_drawn(check)->record >> 14);
    if (check->of.read_error) {
        spoil(check);
        check->of.spoiled = true;
    }
    counts.damaged += damaged(check);
}

/* The start went well although blocks are gone: that is right where the checkpoint has passed them, and a stated limit
 * where they are among the last D. Anywhere else they were passed over in silence. */
static void passed_over(struct check *check)
{
    uint64_t checkpoint = atomic_load(&check->machine.core->checkpoint_position);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t position = check->of.lost[i];
        if (position == 0 || position <= checkpoint) continue;
        if (position + check->of.shape->depth_max <= check->of.durable && !check->of.write_lied)
            model_break(&check->model, "block %llu rotted and was passed over, durable were %llu",
                        (unsigned long long)position, (unsigned long long)check->of.durable);
        model_forget(&check->model, position);
    }
    if (check->of.other_lost) model_forget(&check->model, UINT64_MAX >> 14);
}

/* ---- one schedule ---- */

/* The machine dies once more, in the middle of recovering. */
static void watch(void *context)
{
    struct check *check = context;
    if (check->crash_in == 0 || --check->crash_in > 0 || check->model.broken[0]) return;
    counts.in_recovery++;
    struct check_world of = check->of;
    of.world = check->world;
    of.store = check->store;
    of.rot = of.read_error = false;
    if (of.crowd) of.crowd = &check->crowd;
    crash(&of, &check->model, draw(check), check->depth + 1);
}

static void start_refused(struct check *check, struct result result)
{
    bool corrupt = result.code == JOURNAL_CORRUPT || result.code == JOURNAL_MISSING || result.code == JOURNAL_BAD_SEAL;
    bool allowed = (corrupt && damaged(check)) || (result.code == OS_FAILED && check->of.spoiled);
    counts.refused += allowed;
    if (!allowed)
        model_break(&check->model, "the start was refused: %s at position %llu", result_name(result),
                    (unsigned long long)check->machine.bad_position);
    else if (corrupt && check->machine.bad_position == 0)
        model_break(&check->model, "the start was refused and did not say where");
    else if (check->rotted && result.code == JOURNAL_CORRUPT && check->machine.bad_position != check->rotted)
        model_break(&check->model, "block %llu rotted, and the start named %llu", (unsigned long long)check->rotted,
                    (unsigned long long)check->machine.bad_position);
}

static void stop_and_start(struct check *check)
{
    counts.stops++;
    struct result result = core_finish(check->machine.keeper);
    machine_close(&check->machine);
    if (!result_failed(result)) result = machine_open(&check->machine, check->world, check->store, check->of.shape, 0);
    if (result_failed(result)) {
        model_break(&check->model, "a clean stop, or the start after it, failed: %s", result_name(result));
        return;
    }
    look_at_words(check);
}

/* After a restore nobody knows how far a counter token was used: it is not to be resumed before two adjacent codes of
 * it were typed at the desk. */
static void resume_counters(struct check *check)
{
    struct table *table = check->machine.core->table;
    for (unsigned token = 0; token < TOKEN_COUNT; token++) {
        struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
        const struct tokens_about *about = tokens_about(token);
        if (about->totp || about->account == ACCOUNT_TWO || token == TOKEN_MOVING) continue;
        if (table_find(table, about->name, hits) != 1) continue; /* told by look_at_words */
        struct result result =
            core_token_change(check->machine.keeper, &machine_actor, ACT_TOKEN_RESUME, &hits[0].ordinal, 1);
        if (!result_failed(result))
            model_break(&check->model, "token %u was resumed after a restore, before its floor was known", token);
        else if (result.code != FLOOR_UNKNOWN && result.code != JOURNAL_NO_ROOM)
            model_break(&check->model, "resuming token %u after a restore is %s", token, result_name(result));
    }
}

/* What people did is whole, and goes on where it stood. */
static void look_at_crowd(struct check *check)
{
    counts.crowds++;
    struct result result = crowd_open(&check->desk, &check->machine);
    if (result_failed(result)) {
        model_break(&check->model, "questions cannot be loaded after a start: %s", result_name(result));
        return;
    }
    void (*look)(struct crowd_desk *, struct crowd *, struct model *) = check->of.restore_now_ms ? crowd_check_restored
                                                                        : damaged(check)         ? crowd_check_damaged
                                                                                                 : crowd_check;
    look(&check->desk, &check->crowd, &check->model);
    if (!check->model.broken[0]) crowd_close(&check->desk);
}

static void use(struct check *check)
{
    const struct machine_callbacks callbacks = {answered, hello_answered, check};
    CHECK(machine_workers(&check->machine, 0, &callbacks).code == OK);
    if (damaged(check)) passed_over(check);
    look_at_words(check);
    if (check->of.restore_now_ms) resume_counters(check);
    if (check->of.clock) {
        struct result result = core_clock_consent(check->machine.keeper, &machine_actor);
        if (result_failed(result) && result.code != JOURNAL_NO_ROOM)
            model_break(&check->model, "an operator's consent was refused: %s", result_name(result));
        if (result_failed(result)) return;
    }
    bool whole_log = !damaged(check) && !check->model.stopped_once;
    if (whole_log && (thorough_always || one_in(check, LOG_SHARE))) look_at_log(check);
    if (check->of.spoiled) return; /* the next read may fail, rightly */
    bool fresh = check_frame(check);
    ask_all(check);
    if (!check->model.broken[0] && fresh && !damaged(check)) probe_accepted(check);
    if (!check->model.broken[0] && check->of.crowd) look_at_crowd(check);
    if (!check->model.broken[0] && whole_log && (thorough_always || one_in(check, STOP_SHARE))) stop_and_start(check);
}

struct result check_restored_mark(struct store *store)
{
    struct store_txn *txn;
    TRY(store_begin(store, true, &txn));
    TRY(store_put(store, txn, STORE_META, bytes_of(META_RESTORED, strlen(META_RESTORED)), bytes_of("1", 1)));
    return store_commit(store, txn);
}

/* An operator who takes a backup over states the time, well or not. One that cannot be is refused; one that is a little
 * early counts as the machine's own. */
static struct result take_over(struct check *check)
{
    static const int64_t hour_ms = 3600000;
    struct machine *machine = &check->machine;
    int64_t now_ms = check->of.restore_now_ms, stated_ms = now_ms;
    uint64_t drawn = draw(check) % 8;
    if (check->depth == 0 && drawn < 2) {
        stated_ms += drawn ? 367 * 24 * hour_ms : -2 * hour_ms;
        struct result result = machine_open(machine, check->world, check->store, check->of.shape, stated_ms);
        if (!result_failed(result)) machine_close(machine);
        if (result.code != RESTORE_TIME)
            model_break(&check->model, "a restore at a time %lld h off is %s",
                        (long long)((stated_ms - now_ms) / hour_ms), result_name(result));
        stated_ms = now_ms;
    } else if (drawn == 2) {
        stated_ms -= hour_ms - 60000;
    }
    return machine_open(machine, check->world, check->store, check->of.shape, stated_ms);
}

/* The machine that the next start finds: disk, store and clock. */
static void world_make(struct check *check)
{
    CHECK(os_sim_world_fork(check->of.world, draw(check), check->process_only, &check->world).code == OK);
    CHECK(store_memory_copy(check->of.store, &check->store).code == OK);
    if (one_in(check, 4)) os_sim_advance_ms(check->world, draw(check) % DOWN_MS_MAX);
    damage(check);
    if (check->of.restore_now_ms && check->depth == 0) {
        counts.restores++;
        CHECK(check_restored_mark(check->store).code == OK);
        model_restored(&check->model);
    }
}

static void crash(const struct check_world *of, struct model *model, uint64_t seed, unsigned depth)
{
    struct check *check = &checks[depth];
    check->model = *model;
    model_crashed(&check->model);
    check->model.reasons = 1u << OTPRING_REASON_NO_ROOM;
    check->model.unsure = 0;
    check->random = seed;
    check->depth = depth;
    check->of = *of;
    if (of->crowd) check->crowd = *of->crowd;
    check->desk = (struct crowd_desk){0};
    check->process_only = one_in(check, of->forgot ? FORGOT_SHARE : PROCESS_SHARE);
    counts.schedules++;
    counts.process_deaths += check->process_only;
    world_make(check);
    check->crash_in = depth + 1 < CHECK_DEPTH_MAX && one_in(check, of->forgot ? FORGOT_SHARE : NESTED_SHARE)
                          ? 1 + draw(check) % (one_in(check, 2) ? 24 : 96)
                          : 0;
    os_sim_watch(check->world, watch, check);
    struct result result =
        of->restore_now_ms ? take_over(check) : machine_open(&check->machine, check->world, check->store, of->shape, 0);
    if (check->model.broken[0]) {
        /* Told below. */
    } else if (result_failed(result)) {
        start_refused(check, result);
    } else {
        use(check);
        if (check->machine.core && !check->model.broken[0]) machine_close(&check->machine);
    }
    if (check->model.broken[0] && !model->broken[0])
        model_break(model, "%s [%s crash, depth %u]", check->model.broken, check->process_only ? "process" : "power",
                    depth);
    if (!check->model.broken[0]) {
        store_close(check->store);
        os_sim_world_destroy(check->world);
    }
}

void check_crash(const struct check_world *of, struct model *model, uint64_t seed)
{
    crash(of, model, seed, 0);
}
