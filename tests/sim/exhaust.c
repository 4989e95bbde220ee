/* exhaust: every single fault. One after the other, in each phase of an engine's life, the Nth disk operation or the
 * Nth allocation fails, once or from then on, for every N until the phase gets by without meeting it. After each the
 * machine is started again without faults, after a power cut and after the death of the process, and the model judges.
 *
 *   exhaust [PHASE... | reads | subsets | two-starts]
 *
 * Without words: all. subsets alone: by sector of all three blocks.
 * Exit 1 when a promise was broken; prints phase, fault and N. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "base/bytes.h"
#include "base/check.h"
#include "check.h"
#include "core/state.h"
#include "genesis.h"
#include "memory.h"
#include "reading.h"

enum fault {
    FAULT_OP,
    FAULT_OP_STICKY,
    FAULT_WRITE,
    FAULT_SHORT,
    FAULT_SYNC,
    FAULT_SPACE,
    FAULT_MEMORY,
    FAULT_MEMORY_STICKY,
    FAULT_COUNT
};
static const char *const fault_names[] = {
    "operation",  "operation from then on", "write", "short write", "sync", "no space",
    "allocation", "allocation from then on"};

enum { N_MAX = 5000, SETTLE_STEPS = 3000, IMPORTED = 24, EVERY_REASON = 0xffffff };

static const struct machine_shape shape = {
    .segment_size = 64 << 10, .depth_max = 4, .keep_size = 64 << 10, .checkpoint_bytes = 1 << 20, .index = true};

struct trial {
    struct os_sim_world *world;
    struct store *store;
    struct machine machine;
    struct model model;
    bool open;
    bool imported[IMPORTED];          /* said to be enrolled */
    struct os_sim_faults copy_faults; /* of the disk that a backup is made on */
    struct backup backup;             /* made, or tried */
};

static struct trial trial;
static uint64_t tried;
static char now_trying[128] = "nothing yet";

/* ---- a client that asks one frame at a time ---- */

static void answered(void *context, const struct core_answer *answer)
{
    struct trial *of = context;
    struct model_frame *frame = &of->model.frames[0][answer->header.slot];
    if (frame->header.sequence == answer->header.sequence)
        model_answered(&of->model, frame, answer->answers, answer->count, machine_journal_ms(&of->machine));
}

static void hello_answered(void *context, const struct core_hello_answer *answer)
{
    (void)context;
    (void)answer;
}

static void settle(struct trial *of)
{
    for (unsigned i = 0; i < SETTLE_STEPS && !core_drained(of->machine.workers[0]); i++)
        if (!machine_step(&of->machine)) return;
}

static void send(struct trial *of, unsigned slot)
{
    static const uint8_t tokens[] = {TOKEN_HOTP_A, TOKEN_HOTP_B, TOKEN_TOTP_A, TOKEN_TWO_HOTP};
    if (of->model.frames[0][slot].state == MODEL_SENT) return;
    struct model_frame *frame = model_frame(&of->model, 0, slot);
    for (unsigned i = 0; i < 4; i++) {
        enum token token = tokens[i];
        int64_t step = tokens_about(token)->totp ? of->model.now_step : of->model.tokens[token].floor_most;
        if (tokens_usable(token, step)) model_right(&of->model, frame, tokens_about(token)->account, token, step);
    }
    model_wrong(&of->model, frame, ACCOUNT_GUESSED, slot);
    model_sent(&of->model, frame, machine_journal_ms(&of->machine));
    enum otpring_wire_error_code error;
    struct core_frame offered = {.header = &frame->header, .items = frame->queries, .client = &machine_client};
    if (core_frame(of->machine.workers[0], &offered, &error) == CORE_ERROR)
        model_break(&of->model, "a frame was refused: error %u", error);
    core_turn(of->machine.workers[0]);
}

static void ask(struct trial *of, unsigned slot)
{
    send(of, slot);
    settle(of);
}

/* ---- phases; what fails in them is judged by the model alone ---- */

static void keep(struct trial *of, unsigned times)
{
    bool more = true;
    for (unsigned i = 0; i < times && more; i++)
        if (result_failed(core_keep(of->machine.keeper, &more))) return;
}

static void phase_start(struct trial *of)
{
    const struct machine_callbacks callbacks = {answered, hello_answered, of};
    struct result result = machine_open(&of->machine, of->world, of->store, &shape, 0);
    of->open = !result_failed(result);
    if (!of->open) return;
    if (!result_failed(machine_workers(&of->machine, 1, &callbacks))) return;
    /* A worker that could not be made is no promise broken; the engine is taken apart again. */
    machine_close(&of->machine);
    of->open = false;
}

static void phase_verify(struct trial *of)
{
    uint64_t before = memory_count();
    for (unsigned i = 0; i < 6; i++) ask(of, i % MODEL_CHECK_SLOT);
    if (memory_count() != before) model_break(&of->model, "verifying took memory");
}

static void phase_rotate(struct trial *of)
{
    for (unsigned i = 0; i < 40; i++) {
        ask(of, i % MODEL_CHECK_SLOT);
        os_sim_advance_ms(of->world, 200);
        keep(of, 4);
    }
}

static void phase_checkpoint(struct trial *of)
{
    struct result result = core_checkpoint(of->machine.keeper);
    (void)result;
}

static void phase_import(struct trial *of)
{
    static struct core_token_spec specs[IMPORTED];
    static uint8_t seeds[IMPORTED][20];
    static char users[IMPORTED][16];
    struct result results[IMPORTED];
    uint32_t ordinals[IMPORTED];
    for (unsigned i = 0; i < IMPORTED; i++) {
        memset(seeds[i], 0x77, sizeof seeds[i]);
        seeds[i][0] = (uint8_t)i;
        snprintf(users[i], sizeof users[i], "import-%u", i);
        specs[i] = (struct core_token_spec){.company = TOKENS_COMPANY,
                                            .user = users[i],
                                            .label = "",
                                            .profile = 1,
                                            .seed = seeds[i],
                                            .seed_size = sizeof seeds[i]};
    }
    struct result result = core_token_add(of->machine.keeper, &machine_actor, specs, IMPORTED, results, ordinals);
    for (unsigned i = 0; i < IMPORTED; i++) of->imported[i] = !result_failed(result) && !result_failed(results[i]);
}

static void phase_stop(struct trial *of)
{
    struct result result = core_finish(of->machine.keeper);
    (void)result;
}

/* Faults of the machine that is backed up, and of the disk that the backup is made on. */
static void phase_backup(struct trial *of)
{
    struct result result = backup_make(&of->machine, of->store, 1, &of->copy_faults, &of->backup);
    (void)result;
}

static int64_t wall_ms_of(struct os_sim_world *world)
{
    struct os *os = os_sim_create(world);
    int64_t wall_ms = os_time(os).wall_ms;
    os_destroy(os);
    return wall_ms;
}

static void phase_restore(struct trial *of)
{
    struct machine machine;
    struct result result = machine_open(&machine, of->world, of->store, &shape, wall_ms_of(of->world));
    if (!result_failed(result)) machine_close(&machine);
}

struct phase {
    const char *name;
    void (*run)(struct trial *of);
    bool opens; /* runs on a machine that is down */
};
static const struct phase phases[] = {
    {"start", phase_start, true},    {"recover", phase_start, true},          {"verify", phase_verify, false},
    {"rotate", phase_rotate, false}, {"checkpoint", phase_checkpoint, false}, {"import", phase_import, false},
    {"stop", phase_stop, false},     {"backup", phase_backup, false},         {"backup's disk", phase_backup, false},
    {"restore", phase_restore, true}};

/* ---- one trial ---- */

static void faults_on(struct trial *of, enum fault fault, uint64_t n, bool in_copy)
{
    struct os_sim_faults faults = {0};
    if (fault == FAULT_OP || fault == FAULT_OP_STICKY) faults.fail_op_at = n;
    faults.fail_op_sticky = fault == FAULT_OP_STICKY;
    if (fault == FAULT_WRITE) faults.fail_write_at = n;
    if (fault == FAULT_SHORT) faults.short_write_at = n;
    if (fault == FAULT_SYNC) faults.fail_sync_at = n;
    if (fault == FAULT_SPACE) faults.no_space_at = n;
    if (in_copy)
        of->copy_faults = faults;
    else
        os_sim_faults_set(of->world, &faults);
    if (fault >= FAULT_MEMORY) memory_fail_at(n, fault == FAULT_MEMORY_STICKY);
}

static void faults_off(struct trial *of)
{
    os_sim_faults_set(of->world, &(struct os_sim_faults){0});
    memory_fail_at(0, false);
}

/* Everything that was said to be enrolled is there after a start. */
static void imported_there(struct trial *of, uint64_t seed)
{
    struct os_sim_world *world;
    struct store *store;
    struct machine machine;
    CHECK(os_sim_world_fork(of->world, seed, false, &world).code == OK);
    CHECK(store_memory_copy(of->store, &store).code == OK);
    struct result result = machine_open(&machine, world, store, &shape, 0);
    if (result_failed(result)) {
        model_break(&of->model, "the start after an import was refused: %s", result_name(result));
        return;
    }
    for (unsigned i = 0; i < IMPORTED; i++) {
        char user[16];
        uint8_t name[16];
        struct table_hit hits[TABLE_ACCOUNT_TOKENS_MAX];
        snprintf(user, sizeof user, "import-%u", i);
        core_name(TOKENS_COMPANY, strlen(TOKENS_COMPANY), user, strlen(user), name);
        if (of->imported[i] && table_find(machine.core->table, name, hits) != 1)
            model_break(&of->model, "token %u was enrolled and is gone", i);
    }
    machine_close(&machine);
    store_close(store);
    os_sim_world_destroy(world);
}

static void take_apart(struct trial *of)
{
    if (of->open) {
        for (unsigned i = 0; i < SETTLE_STEPS; i++)
            if (core_drained(of->machine.workers[0]) && core_drained(of->machine.keeper))
                break;
            else if (!machine_step(&of->machine))
                break;
        machine_close(&of->machine);
    }
    store_close(of->store);
    os_sim_world_destroy(of->world);
}

/* A machine that has answered, and what the phase needs of it. */
static void trial_prepare(struct trial *of, const struct phase *phase, uint64_t n)
{
    *of = (struct trial){0};
    genesis_fork(n, &of->world, &of->store, &of->model);
    static struct store_functions functions;
    functions = *of->store->functions;
    functions.backup = backup_store;
    of->store->functions = &functions;
    of->model.now_step = TOKENS_WALL_S / 30;
    of->model.reasons = EVERY_REASON;
    if (phase->opens && phase->run == phase_start && strcmp(phase->name, "recover") != 0) return;
    phase_start(of);
    CHECK(of->open);
    keep(of, 50);
    for (unsigned i = 0; i < 5; i++) ask(of, i % MODEL_CHECK_SLOT);
}

/* The machine is lost; what is left to start on is `world` and `store`. */
static void trial_lose(struct trial *of, struct os_sim_world *world, struct store *store)
{
    machine_close(&of->machine);
    os_sim_world_destroy(of->world);
    if (of->store != store) store_close(of->store);
    of->world = world;
    of->store = store;
    of->open = false;
}

/* A backup was made, and more was answered after it. */
static void trial_back_up(struct trial *of)
{
    CHECK(backup_make(&of->machine, of->store, 1, NULL, &of->backup).code == OK);
    for (unsigned i = 0; i < 5; i++) ask(of, i % MODEL_CHECK_SLOT);
    trial_lose(of, of->backup.world, of->backup.store);
    of->backup = (struct backup){0};
    CHECK(check_restored_mark(of->store).code == OK);
    model_restored(&of->model);
}

static bool marked(struct store *store)
{
    struct store_txn *txn;
    struct store_bytes value;
    CHECK(store_begin(store, false, &txn).code == OK);
    struct result result = store_get(store, txn, STORE_META, bytes_of(META_RESTORED, strlen(META_RESTORED)), &value);
    store_abort(store, txn);
    return !result_failed(result);
}

/* What said that it is a backup can be restored. */
static void backup_judge(struct trial *of, uint64_t n)
{
    if (!of->backup.world) return;
    const struct check_world world = {.world = of->backup.world,
                                      .store = of->backup.store,
                                      .shape = &shape,
                                      .restore_now_ms = wall_ms_of(of->backup.world)};
    for (unsigned i = 0; i < 2 && !of->model.broken[0]; i++) check_crash(&world, &of->model, n * 2 + i);
    store_close(of->backup.store);
    os_sim_world_destroy(of->backup.world);
}

static void trial_judge(struct trial *of, const struct phase *phase, uint64_t n)
{
    bool restores = phase->run == phase_restore && marked(of->store);
    const struct check_world world = {.world = of->world,
                                      .store = of->store,
                                      .shape = &shape,
                                      .restore_now_ms = restores ? wall_ms_of(of->world) : 0};
    for (unsigned i = 0; i < 3 && !of->model.broken[0]; i++) check_crash(&world, &of->model, n * 3 + i);
    if (phase->run == phase_import && !of->model.broken[0]) imported_there(of, n);
    if (phase->run == phase_backup) backup_judge(of, n);
    tried++;
    if (!of->model.broken[0]) return;
    printf("broken: %s: %s\n", now_trying, of->model.broken);
    exit(1);
}

/* False when the fault was not met any more. */
static bool trial_run(const struct phase *phase, enum fault fault, uint64_t n)
{
    struct trial *of = &trial;
    bool in_copy = strcmp(phase->name, "backup's disk") == 0;
    trial_prepare(of, phase, n);
    if (strcmp(phase->name, "recover") == 0) { /* from a crash with all this behind it */
        struct os_sim_world *left;
        CHECK(os_sim_world_fork(of->world, n, false, &left).code == OK);
        trial_lose(of, left, of->store);
    }
    if (phase->run == phase_restore) trial_back_up(of);
    faults_on(of, fault, n, in_copy);
    uint64_t ops = os_sim_op_count(of->world);
    phase->run(of);
    uint64_t met = fault >= FAULT_MEMORY ? memory_count() : in_copy ? of->backup.ops : os_sim_op_count(of->world) - ops;
    faults_off(of);
    trial_judge(of, phase, n);
    take_apart(of);
    return met >= n;
}

static void phase_exhaust(const struct phase *phase)
{
    for (unsigned fault = 0; fault < FAULT_COUNT; fault++) {
        uint64_t n = 1;
        for (bool met = true; met && n < N_MAX; n++) {
            snprintf(now_trying, sizeof now_trying, "%s, %s %llu fails", phase->name, fault_names[fault],
                     (unsigned long long)n);
            met = trial_run(phase, fault, n);
        }
        printf("counted: %s: each %s, %llu\n", phase->name, fault_names[fault], (unsigned long long)n - 2);
    }
}

/* ---- every single fault beneath those that read the log ---- */

/* They change nothing, so one log will do: of closed segments, each with its index. */
static void reads(void)
{
    static const enum fault faults[] = {FAULT_OP, FAULT_OP_STICKY, FAULT_MEMORY, FAULT_MEMORY_STICKY};
    struct trial *of = &trial;
    struct os_sim_world *log;
    struct reading reading;
    trial_prepare(of, &(const struct phase){"rotate", phase_rotate, false}, 1);
    phase_rotate(of);
    keep(of, 500);
    CHECK(os_sim_world_fork(of->world, 1, true, &log).code == OK);
    reading_prepare(log, of->machine.vault, &reading);
    take_apart(of);
    of->world = log;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        uint64_t n = 0, met;
        do {
            uint64_t ops = os_sim_op_count(log);
            snprintf(now_trying, sizeof now_trying, "read, %s %llu fails", fault_names[faults[i]],
                     (unsigned long long)++n);
            faults_on(of, faults[i], n, false);
            reading_run(&reading, &of->model);
            met = faults[i] >= FAULT_MEMORY ? memory_count() : os_sim_op_count(log) - ops;
            faults_off(of);
            tried++;
            if (of->model.broken[0]) {
                printf("broken: %s: %s\n", now_trying, of->model.broken);
                exit(1);
            }
        } while (met >= n);
        printf("counted: read: each %s, %llu\n", fault_names[faults[i]], (unsigned long long)n - 1);
    }
    os_sim_world_destroy(log);
}

/* ---- every subset of what was in flight ---- */

enum { SUBSET_BLOCKS = 3, SUBSET_SECTORS = 8 };

/* A number in base 3: of each block, or of each sector of one block while the others are kept. */
struct subset {
    uint32_t number;
    bool by_sector;
    unsigned block; /* by_sector: which one */
};

static enum os_sim_fate fate(void *context, unsigned write, unsigned sector)
{
    const struct subset *subset = context;
    if (subset->by_sector && write != subset->block) return OS_SIM_KEPT;
    uint32_t number = subset->number;
    for (unsigned i = subset->by_sector ? sector : write; i > 0; i--) number /= OS_SIM_FATES;
    enum os_sim_fate chosen = number % OS_SIM_FATES;
    /* A block that is torn as a whole: its first half is there. */
    if (!subset->by_sector && chosen == OS_SIM_TORN) chosen = sector < SUBSET_SECTORS / 2 ? OS_SIM_KEPT : OS_SIM_LOST;
    return chosen;
}

static void subset_try(struct trial *of, struct subset *subset)
{
    struct os_sim_world *left;
    snprintf(now_trying, sizeof now_trying, "subset %u %s %u", subset->number,
             subset->by_sector ? "of the sectors of" : "of", subset->block);
    CHECK(os_sim_world_fork_chosen(of->world, fate, subset, &left).code == OK);
    const struct check_world world = {.world = left, .store = of->store, .shape = &shape};
    check_crash(&world, &of->model, subset->number);
    os_sim_world_destroy(left);
    tried++;
    if (!of->model.broken[0]) return;
    printf("broken: %s: %s\n", now_trying, of->model.broken);
    exit(1);
}

/* Three turns in flight, nothing of them on the disk yet. */
static void subsets(unsigned by_sector_count)
{
    struct trial *of = &trial;
    uint64_t before = tried;
    *of = (struct trial){0};
    genesis_fork(1, &of->world, &of->store, &of->model);
    of->model.now_step = TOKENS_WALL_S / 30;
    of->model.reasons = EVERY_REASON;
    phase_start(of);
    CHECK(of->open);
    keep(of, 50);
    for (unsigned i = 0; i < 3; i++) ask(of, i);
    for (unsigned i = 0; i < SUBSET_BLOCKS; i++) send(of, i);
    struct subset subset = {0};
    for (subset.number = 0; subset.number < 27; subset.number++) subset_try(of, &subset);
    subset.by_sector = true;
    for (subset.block = 0; subset.block < by_sector_count; subset.block++)
        for (subset.number = 0; subset.number < 6561; subset.number++) subset_try(of, &subset);
    printf("counted: %llu subsets of three blocks in flight, of %u of them by sector: lost, kept, torn\n",
           (unsigned long long)(tried - before), by_sector_count);
    settle(of);
    take_apart(of);
}

/* ---- a process that dies in its start, and the power that fails in the next one ---- */

enum { PAIR_DRAWS = 2, PAIR_OPS_MAX = 400 };

struct pair {
    uint64_t died_at, cut_at; /* disk operations of the first start, and of the second */
    uint64_t first_ops, second_ops;
    uint64_t draw;
    const struct os_sim_world *world; /* of the one that is starting */
    struct store *store;
    struct model model;
    bool second_reached;
};
static struct pair pair;

static void second_start(void *context)
{
    (void)context;
    if (++pair.second_ops != pair.cut_at) return;
    const struct check_world world = {.world = pair.world, .store = pair.store, .shape = &shape};
    pair.second_reached = true;
    tried++;
    for (uint64_t i = 0; i < PAIR_DRAWS; i++) check_crash(&world, &pair.model, pair.draw++);
    if (!pair.model.broken[0]) return;
    printf("broken: %s: %s\n", now_trying, pair.model.broken);
    exit(1);
}

static void start_on(struct os_sim_world *world, struct store *store)
{
    struct machine machine;
    struct result result = machine_open(&machine, world, store, &shape, 0);
    if (!result_failed(result)) machine_close(&machine);
}

static void first_start(void *context)
{
    (void)context;
    if (++pair.first_ops != pair.died_at) return;
    const struct os_sim_world *before = pair.world;
    for (pair.cut_at = 1, pair.second_reached = true; pair.second_reached && pair.cut_at < PAIR_OPS_MAX;
         pair.cut_at++) {
        struct os_sim_world *world;
        struct store *store;
        snprintf(now_trying, sizeof now_trying,
                 "a process that died at operation %llu of its start, power cut at %llu of the next",
                 (unsigned long long)pair.died_at, (unsigned long long)pair.cut_at);
        CHECK(os_sim_world_fork(before, pair.draw++, true, &world).code == OK);
        CHECK(store_memory_copy(pair.store, &store).code == OK);
        pair.second_ops = 0;
        pair.second_reached = false;
        pair.world = world;
        os_sim_watch(world, second_start, NULL);
        start_on(world, store);
        pair.world = before;
        store_close(store);
        os_sim_world_destroy(world);
    }
}

static void two_starts(void)
{
    uint64_t before = tried;
    for (pair.died_at = 1; pair.died_at < PAIR_OPS_MAX; pair.died_at++) {
        struct os_sim_world *world;
        genesis_fork(1, &world, &pair.store, &pair.model);
        pair.first_ops = 0;
        pair.world = world;
        os_sim_watch(world, first_start, NULL);
        start_on(world, pair.store);
        store_close(pair.store);
        os_sim_world_destroy(world);
        if (pair.first_ops < pair.died_at) break;
    }
    printf("counted: %llu pairs of a process that dies in its start and a power cut in the next one\n",
           (unsigned long long)(tried - before));
}

static void died(int number)
{
    printf("broken: %s: the engine's own check failed\n", now_trying);
    fflush(stdout);
    signal(number, SIG_DFL);
    raise(number);
}

int main(int count, char **texts)
{
    genesis_make();
    signal(SIGABRT, died);
    signal(SIGSEGV, died);
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        bool wanted = count == 1;
        for (int j = 1; j < count; j++) wanted = wanted || strcmp(texts[j], phases[i].name) == 0;
        if (wanted) phase_exhaust(&phases[i]);
    }
    if (count == 1 || strcmp(texts[1], "reads") == 0) reads();
    if (count == 1) subsets(1);
    if (count > 1 && strcmp(texts[1], "subsets") == 0) subsets(SUBSET_BLOCKS);
    if (count == 1 || strcmp(texts[1], "two-starts") == 0) two_starts();
    printf("counted: %llu faults and subsets, followed by %llu starts in all\n", (unsigned long long)tried,
           (unsigned long long)check_counts()->schedules);
    return 0;
}
