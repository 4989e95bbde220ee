/* core_bench: verifications a second of one worker, core alone: frames in memory, the journal on the simulated os
 * (writes are copies in memory, time is simulated), no sockets. Each round sends the next so many HOTP codes of a walk
 * through all tokens in random order, so that tables larger than the caches are missed as they are in use. Prints the
 * workload, the kernel, nanoseconds a verification by stage, median and range over rounds of their own, and in all;
 * memory a token; how often the measured part called malloc; every verdict is compared with the expected one. See
 * usage() for options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alloc_count.h"
#include "base/check.h"
#include "core/session_state.h"
#include "core/turn_state.h"
#include "os/arena.h"
#include "os/os_sim.h"

enum { ROUNDS_MAX = 64, STAGES = 8, CODES_AT_ONCE = 240, DIGITS = 6, CODE_COUNT = 1000000, UNSEALED_MAX = 128 << 20 };
/* Frames smaller than a turn come from so many sessions of so many slots, one after the other, as of clients that have
 * 16 in flight each. */
enum { SESSIONS = 256, SLOTS = 16 };
enum kind { RIGHT, NEAR, WRONG, REPLAYED, KIND_COUNT };

static const char *const stage_names[STAGES] = {
    "take",         "find",         "first step",    "rest of window", "judge and record",
    "MACs, append", "simulated os", "settle, answer"};

enum { LOADS_COUNT = CORE_LOADS_SPREAD + 1 };
static const char *const loads_names[LOADS_COUNT] = {
    [CORE_LOADS_TRIED] = "tried", [CORE_LOADS_IN_BURSTS] = "bursts", [CORE_LOADS_SPREAD] = "spread"};

struct bench {
    struct os_sim_world *world;
    struct os *os;
    struct os_functions os_functions;
    enum core_loads loads;
    struct core core;
    struct core_worker *worker;
    struct journal_writer *keeper;
    uint32_t tokens;
    uint32_t batch; /* codes of a turn */
    uint32_t frame; /* codes of a frame */
    uint32_t items; /* of a round */
    uint32_t mix[KIND_COUNT];
    uint32_t mix_total;
    bool json;
    uint32_t *order; /* tokens, shuffled; walked round and round */
    uint32_t order_at;
    uint32_t *next; /* step of each token */
    bool *failed;   /* the last code was wrong */
    uint64_t random;
    struct otpring_wire_query *queries; /* of a round */
    uint8_t *expected;                  /* verdicts, beside queries */
    uint8_t *frames;                    /* of a round, as they come through a socket */
    uint64_t frames_sent;
    const struct otpring_wire_answer *answers[OTPRING_WIRE_ITEMS_MAX]; /* of each frame of the last turn */
    uint32_t answered_frames;
    uint32_t answer_at;
    uint32_t opened;
    uint64_t sessions[SESSIONS];
    uint64_t turn_ticks; /* of a round, in core_turn */
    uint64_t answered;
    uint64_t accepted;
    uint64_t unexpected;
    uint64_t allocations;
};

/* One frame a turn comes from one session, by its first slot. */
static uint32_t session_count(const struct bench *bench)
{
    return bench->frame < bench->batch ? SESSIONS : 1;
}

static uint32_t slot_count(const struct bench *bench)
{
    return bench->frame < bench->batch ? SLOTS : 1;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0); /* what else runs on the machine does not count */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t machine_ns(struct os *os)
{
    (void)os;
    return now_ns();
}

/* The judge marks its stages often, so their shares are measured on a clock that costs nothing, the time itself is not.
 */
static uint64_t ticks(void)
{
#ifdef __x86_64__
    return __builtin_ia32_rdtsc();
#else
    return now_ns();
#endif
}

static void must(struct result result)
{
    if (!result_failed(result)) return;
    fprintf(stderr, "core_bench: %s\n", result_text(result));
    exit(1);
}

/* The answers stand where they are until the turn is used again. */
static void answered(void *context, const struct core_answer *answer)
{
    struct bench *bench = context;
    CHECK(answer->count == bench->frame && bench->answered_frames < OTPRING_WIRE_ITEMS_MAX);
    bench->answers[bench->answered_frames++] = answer->answers;
}

static void answers_check(struct bench *bench)
{
    CHECK(bench->answered_frames == bench->batch / bench->frame);
    for (uint32_t f = 0; f < bench->answered_frames; f++) {
        for (uint32_t i = 0; i < bench->frame; i++, bench->answer_at++) {
            bench->accepted += bench->answers[f][i].verdict == OTPRING_ACCEPTED;
            bench->unexpected += bench->answers[f][i].verdict != bench->expected[bench->answer_at];
        }
    }
    bench->answered += bench->answered_frames * bench->frame;
    bench->answered_frames = 0;
}

static void hello_answered(void *context, const struct core_hello_answer *answer)
{
    struct bench *bench = context;
    CHECK(answer->error == 0 && answer->hello.slots == SLOTS);
    bench->sessions[bench->opened++] = answer->hello.session;
}

static struct result no_blocks(void *context, const struct journal_block_view *block)
{
    (void)context;
    (void)block;
    return result_ok();
}

static struct vault *vault_make(void)
{
    char folder[] = "/tmp/otpring-bench-XXXXXX", path[64];
    uint8_t store_id[VAULT_STORE_ID_SIZE], row[VAULT_KEYS_ROW_SIZE_MAX];
    size_t row_size;
    struct vault *vault;
    CHECK(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/key", folder);
    must(vault_key_file_create(path));
    must(vault_create(path, store_id, row, &row_size));
    must(vault_open(path, store_id, row, row_size, &vault));
    unlink(path);
    rmdir(folder);
    return vault;
}

static void journal_make(struct bench *bench)
{
    static const struct journal_writer_options keeper = {.block_count = 2, .slots_per_block = 64};
    struct journal_options options = {.folder = "journal", .keep_size = 1, .spare_count = 3, .segment_size = 64 << 20};
    uint64_t bad;
    memcpy(options.store_id, vault_store_id(bench->core.vault), 16);
    must(journal_open(bench->os, &options, bench->core.vault, 0, no_blocks, NULL, &bench->core.journal, &bad));
    must(journal_writer_create(bench->core.journal, bench->os, &keeper, &bench->keeper));
}

static void core_make(struct bench *bench)
{
    struct core *core = &bench->core;
    struct os_sim_options world = {
        .seed = 1, .wall_ms = (int64_t)1700000000 * 1000, .disk_size = (uint64_t)2 << 30, .delay_ns_max = 1};
    arena_allow_unlocked(true);
    must(os_sim_world_create(&world, &bench->world));
    bench->os = os_sim_create(bench->world);
    /* Simulated time stands still in a turn, whose time the worker tries to find out (core/bursts.h). */
    bench->os_functions = *bench->os->functions;
    bench->os_functions.monotonic_ns = machine_ns;
    bench->os->functions = &bench->os_functions;
    core->vault = vault_make();
    core->options.kept_size = session_count(bench) * (SLOTS * session_stride((uint16_t)bench->frame) + SESSION_UNIT);
    struct table_options table = {.lines_max = {bench->tokens + 1, 1024, 1024}, .names_expected = bench->tokens};
    memcpy(table.secret, vault_table_secret(core->vault), 32);
    must(table_create(&table, &core->table));
    must(unknown_create(0, vault_table_secret(core->vault), &core->unknown));
    must(sessions_create(&core->options, &core->sessions));
    must(kernel_choose(NULL, &core->kernel));
    pthread_mutex_init(&core->act_mutex, NULL);
    core->profiles = calloc(CORE_PROFILES_MAX, sizeof *core->profiles);
    core->profiles[0].row = (struct profile_row){.type = OTP_HOTP,
                                                 .digits = 6,
                                                 .look_ahead = 10,
                                                 .look_behind = 1,
                                                 .resync_window = 100,
                                                 .throttle_free = 5,
                                                 .throttle_base_s = 2,
                                                 .throttle_max_s = 900};
    core->profiles[0].used = true;
    clock_start(&core->clock, os_time(bench->os), 0, 0);
    journal_make(bench);
    struct core_worker_options worker = {.os = bench->os,
                                         .loads = bench->loads,
                                         .answered = answered,
                                         .hello_answered = hello_answered,
                                         .context = bench};
    must(core_worker_create(core, &worker, &bench->worker));
}

static uint64_t random_next(struct bench *bench)
{
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return bench->random;
}

static void name_make(uint32_t token, uint8_t ret_name[16])
{
    uint64_t name[2] = {7, (token + UINT64_C(1)) * 0x9e3779b97f4a7c15u};
    memcpy(ret_name, name, 16);
}

static size_t frame_size(const struct bench *bench)
{
    return sizeof(struct otpring_wire_header) + bench->frame * sizeof(struct otpring_wire_query);
}

static void tokens_make(struct bench *bench)
{
    bench->random = 88172645463325252u;
    bench->order = calloc(bench->tokens, sizeof *bench->order);
    bench->next = calloc(bench->tokens, sizeof *bench->next);
    bench->failed = calloc(bench->tokens, sizeof *bench->failed);
    bench->queries = calloc(bench->items, sizeof *bench->queries);
    bench->expected = calloc(bench->items, 1);
    bench->frames = malloc(bench->items / bench->frame * frame_size(bench));
    CHECK(bench->order && bench->next && bench->failed && bench->queries && bench->expected && bench->frames);
    for (uint32_t i = 0; i < bench->tokens; i++) {
        _Alignas(64) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
        uint8_t seed[20] = {0};
        memcpy(seed, &i, sizeof i);
        kernel_midstates(KERNEL_SHA1, seed, sizeof seed, midstates);
        struct table_token token = {
            .ordinal = i, .midstates = midstates, .token = token_word(0, 1), .flags = TABLE_FIRST};
        name_make(i, token.name);
        must(table_insert(bench->core.table, &token));
        bench->order[i] = i;
    }
    for (uint32_t i = bench->tokens - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(random_next(bench) % (i + 1)), swap = bench->order[i];
        bench->order[i] = bench->order[j];
        bench->order[j] = swap;
    }
}

/* After a wrong code a right one, which resets the account's failures: none comes near the throttle. */
static enum kind choose_kind(struct bench *bench, uint32_t token)
{
    bool failed = bench->failed[token];
    bench->failed[token] = false;
    if (failed) return RIGHT;
    uint32_t at = (uint32_t)(random_next(bench) % bench->mix_total);
    enum kind kind = RIGHT;
    while (at >= bench->mix[kind]) at -= bench->mix[kind++];
    return kind == REPLAYED && !bench->next[token] ? RIGHT : kind;
}

/* One item; its code is computed by the caller when the step is none of UINT64_MAX. */
static uint64_t item_make(struct bench *bench, uint32_t token, struct otpring_wire_query *query, uint8_t *ret_expected)
{
    static const uint8_t expected[] = {OTPRING_ACCEPTED, OTPRING_ACCEPTED, OTPRING_REJECTED, OTPRING_REPLAYED};
    enum kind kind = choose_kind(bench, token);
    uint8_t name[16];
    name_make(token, name);
    *query = (struct otpring_wire_query){.kind = OTPRING_QUERY_CODE, .digits = DIGITS};
    memcpy(query->company, name, 8);
    memcpy(query->account, name + 8, 8);
    *ret_expected = expected[kind];
    if (kind == WRONG) {
        bench->failed[token] = true;
        query->code = (uint32_t)(random_next(bench) % CODE_COUNT);
        return UINT64_MAX;
    }
    uint32_t step = kind == REPLAYED ? bench->next[token] - 1 : bench->next[token] + (kind == NEAR);
    if (kind != REPLAYED) bench->next[token] = step + 1;
    return step;
}

/* The round's items, in the order of sending. */
static void codes_make(struct bench *bench)
{
    const void *midstates[CODES_AT_ONCE];
    uint64_t steps[CODES_AT_ONCE];
    uint32_t truncated[CODES_AT_ONCE], places[CODES_AT_ONCE], count = 0;
    for (uint32_t i = 0; i < bench->items; i++) {
        uint32_t token = bench->order[bench->order_at];
        struct table_hit hit;
        if (++bench->order_at == bench->tokens) bench->order_at = 0;
        uint64_t step = item_make(bench, token, &bench->queries[i], &bench->expected[i]);
        if (step != UINT64_MAX) {
            CHECK(table_line(bench->core.table, token, &hit));
            midstates[count] = hit.midstates;
            steps[count] = step;
            places[count++] = i;
        }
        if (count < CODES_AT_ONCE && i + 1 < bench->items) continue;
        bench->core.kernel->steps[KERNEL_SHA1](midstates, steps, truncated, count);
        for (uint32_t k = 0; k < count; k++) bench->queries[places[k]].code = kernel_digits(truncated[k], DIGITS);
        count = 0;
    }
}

/* The same as frames: each session sends all its slots, then comes the next one's turn. */
static void frames_make(struct bench *bench)
{
    uint32_t count = bench->items / bench->frame, slots = slot_count(bench);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = bench->frames_sent++;
        struct otpring_wire_header header = {
            .size = (uint32_t)frame_size(bench),
            .kind = OTPRING_WIRE_VERIFY,
            .count = (uint16_t)bench->frame,
            .session = bench->sessions[number / slots % bench->opened],
            .sequence = (uint32_t)(number / ((uint64_t)slots * bench->opened)) + 1,
            .slot = (uint16_t)(number % slots),
        };
        uint8_t *frame = bench->frames + i * frame_size(bench);
        memcpy(frame, &header, sizeof header);
        memcpy(frame + sizeof header, bench->queries + i * bench->frame, frame_size(bench) - sizeof header);
    }
}

static bool behind(const struct bench *bench)
{
    struct journal_status status = journal_status(bench->core.journal);
    return status.spares < 2 || status.unsealed_bytes > UNSEALED_MAX;
}

/* What the housekeeper does beside the workers is done between turns here, and its time is nobody's. */
static void keep(struct bench *bench)
{
    bool more = true;
    while (more && behind(bench))
        must(journal_keep(bench->core.journal, bench->keeper, os_time(bench->os).wall_ms,
                          journal_durable_through(bench->core.journal), &more));
}

static void frames_offer(struct bench *bench, const uint8_t *frames, const struct core_client *client)
{
    for (uint32_t i = 0; i < bench->batch / bench->frame; i++) {
        const uint8_t *bytes = frames + i * frame_size(bench);
        enum otpring_wire_error_code error;
        struct core_frame frame = {.header = (const struct otpring_wire_header *)(const void *)bytes,
                                   .items = bytes + sizeof(struct otpring_wire_header),
                                   .client = client};
        CHECK(core_frame(bench->worker, &frame, &error) == CORE_TAKEN);
    }
}

static void turn_run(struct bench *bench, const uint8_t *frames, const struct core_client *client,
                     uint64_t stage_ns[STAGES])
{
    uint64_t at = now_ns();
    frames_offer(bench, frames, client);
    uint64_t next = now_ns();
    stage_ns[0] += next - at;
    uint64_t begun = ticks();
    core_turn(bench->worker);
    bench->turn_ticks += ticks() - begun;
    at = now_ns();
    stage_ns[5] += at - next;
    while (!core_drained(bench->worker)) {
        must(os_step(bench->os, UINT64_MAX, NULL));
        next = now_ns();
        stage_ns[6] += next - at;
        core_poll(bench->worker);
        at = now_ns();
        stage_ns[7] += at - next;
    }
}

/* Gives nanoseconds a verification by stage, and in all as the last. What happens within a turn is told apart only when
 * `marked`: asking the clock so often takes time too. */
static void round_run(struct bench *bench, const struct core_client *client, bool marked, double ret_ns[STAGES + 1])
{
    /* The simulated os keeps simulated time; stages are measured on the machine's clock. */
    bench->worker->turns->judge->clock_ns = marked ? ticks : NULL;
    codes_make(bench);
    frames_make(bench);
    uint64_t stage_ns[STAGES] = {0};
    uint64_t *judged = bench->worker->turns->judge->stage_ns;
    memset(judged, 0, 4 * sizeof *judged);
    bench->answer_at = 0;
    bench->turn_ticks = 0;
    for (uint32_t i = 0; i < bench->items; i += bench->batch) {
        keep(bench);
        uint64_t allocations = alloc_count();
        turn_run(bench, bench->frames + i / bench->frame * frame_size(bench), client, stage_ns);
        bench->allocations += alloc_count() - allocations;
        answers_check(bench);
    }
    double turn_ns = (double)stage_ns[5];
    for (int i = 0; i < 4; i++) {
        stage_ns[i + 1] = (uint64_t)(turn_ns * (double)judged[i] / (double)bench->turn_ticks);
        stage_ns[5] -= stage_ns[i + 1];
    }
    ret_ns[STAGES] = 0;
    for (int i = 0; i < STAGES; i++) {
        ret_ns[i] = (double)stage_ns[i] / bench->items;
        ret_ns[STAGES] += ret_ns[i];
    }
}

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static void print_stage(const char *name, double rounds[][STAGES + 1], int stage, int count)
{
    double sorted[ROUNDS_MAX];
    for (int i = 0; i < count; i++) sorted[i] = rounds[i][stage];
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    printf("  %-18s %7.1f ns  (%.1f to %.1f)\n", name, sorted[count / 2], sorted[0], sorted[count - 1]);
}

static double median_total(double rounds[][STAGES + 1], int count, bool without_os)
{
    double sorted[ROUNDS_MAX];
    for (int i = 0; i < count; i++) sorted[i] = rounds[i][STAGES] - (without_os ? rounds[i][6] : 0);
    qsort(sorted, (size_t)count, sizeof *sorted, compare);
    return sorted[count / 2];
}

/* The way of the turns since the last trial. */
static const char *way_name(const struct bench *bench)
{
    return loads_names[bench->worker->turns->trial.chosen ? CORE_LOADS_IN_BURSTS : CORE_LOADS_SPREAD];
}

static void print_text(const struct bench *bench, double marked[][STAGES + 1], double rounds[][STAGES + 1], int count)
{
    printf("%u HOTP tokens (SHA-1, 6 digits), mix %u:%u:%u:%u, turns of %u codes in frames of %u, %u codes a "
           "round, kernel %s, lines %s (%s), %d rounds, one worker\n",
           bench->tokens, bench->mix[0], bench->mix[1], bench->mix[2], bench->mix[3], bench->batch, bench->frame,
           bench->items, bench->core.kernel->name, way_name(bench), loads_names[bench->loads], count);
    for (int i = 0; i < STAGES; i++) print_stage(stage_names[i], marked, i, count);
    double all = median_total(rounds, count, false), core = median_total(rounds, count, true);
    printf("  %-18s %7.1f ns  %.2f million/s; without the simulated os %.1f ns, %.2f million/s\n", "all", all,
           1e3 / all, core, 1e3 / core);
    printf("  table %.1f bytes a token, %llu allocations on the path\n",
           (double)table_memory_size(bench->core.table) / bench->tokens, (unsigned long long)bench->allocations);
    printf("  accepted %llu of %llu, unexpected %llu\n", (unsigned long long)bench->accepted,
           (unsigned long long)bench->answered, (unsigned long long)bench->unexpected);
}

/* Every round, so that the suite can say how far they spread. `ns` leaves the simulated os out: what it copies is not
 * the engine's work. */
static void print_json(const struct bench *bench, double marked[][STAGES + 1], double rounds[][STAGES + 1], int count)
{
    printf(
        "{\"tokens\": %u, \"batch\": %u, \"frame\": %u, \"items\": %u, \"mix\": [%u, %u, %u, %u], \"kernel\": \"%s\", "
        "\"loads\": \"%s\", \"loads_chosen\": \"%s\", \"bytes_a_token\": %.2f, \"allocations\": %llu, \"answered\": "
        "%llu, \"accepted\": %llu, "
        "\"unexpected\": %llu",
        bench->tokens, bench->batch, bench->frame, bench->items, bench->mix[0], bench->mix[1], bench->mix[2],
        bench->mix[3], bench->core.kernel->name, loads_names[bench->loads], way_name(bench),
        (double)table_memory_size(bench->core.table) / bench->tokens, (unsigned long long)bench->allocations,
        (unsigned long long)bench->answered, (unsigned long long)bench->accepted,
        (unsigned long long)bench->unexpected);
    for (int i = 0; i <= STAGES; i++) {
        printf(i ? ", \"%s\": [" : ", \"stages\": {\"%s\": [", i < STAGES ? stage_names[i] : "all");
        for (int r = 0; r < count; r++) printf("%s%.3f", r ? ", " : "", marked[r][i]);
        putchar(']');
    }
    printf("}, \"ns\": [");
    for (int r = 0; r < count; r++) printf("%s%.3f", r ? ", " : "", rounds[r][STAGES] - rounds[r][6]);
    printf("]}\n");
}

static int usage(void)
{
    fputs("usage: core_bench [OPTIONS] [TOKENS [CODES-OF-A-TURN (1 to 4096) [ROUNDS (1 to 64)]]]\n"
          "  --frame N      codes of a frame, a divisor of those of a turn (default: as many); smaller ones come\n"
          "                 from 256 sessions of 16 slots\n"
          "  --items N      codes a round (default: as many as tokens, at most 2000000)\n"
          "  --loads WAY    ask memory for lines in bursts, spread, or as the worker finds out (tried; default)\n"
          "  --mix R:N:W:P  shares of right, near, wrong and replayed codes (default: 1:0:0:0)\n"
          "  --json         one JSON object instead of text\n",
          stderr);
    return 2;
}

static bool take_option(struct bench *bench, const char *name, const char *value)
{
    if (strcmp(name, "--items") == 0) {
        bench->items = (uint32_t)strtoul(value, NULL, 10);
        return bench->items > 0;
    }
    if (strcmp(name, "--frame") == 0) {
        bench->frame = (uint32_t)strtoul(value, NULL, 10);
        return bench->frame > 0;
    }
    if (strcmp(name, "--loads") == 0) {
        for (int i = 0; i < LOADS_COUNT; i++)
            if (strcmp(value, loads_names[i]) == 0) bench->loads = (enum core_loads)i;
        return strcmp(value, loads_names[bench->loads]) == 0;
    }
    return strcmp(name, "--mix") == 0 &&
           sscanf(value, "%u:%u:%u:%u", &bench->mix[0], &bench->mix[1], &bench->mix[2], &bench->mix[3]) == KIND_COUNT;
}

static bool take_arguments(struct bench *bench, char **arguments, int *ret_rounds)
{
    uint32_t numbers[3] = {131072, 1024, 9};
    int at = 0;
    bench->mix[RIGHT] = 1;
    for (char **next = arguments + 1; *next; next++) {
        if (strcmp(*next, "--json") == 0) {
            bench->json = true;
        } else if (**next == '-') {
            if (!next[1] || !take_option(bench, next[0], next[1])) return false;
            next++;
        } else {
            if (at == 3) return false;
            numbers[at++] = (uint32_t)strtoul(*next, NULL, 10);
        }
    }
    bench->tokens = numbers[0];
    bench->batch = numbers[1];
    *ret_rounds = (int)numbers[2];
    for (int i = 0; i < KIND_COUNT; i++) bench->mix_total += bench->mix[i];
    if (bench->batch == 0 || bench->batch > 4096 || bench->tokens < bench->batch || !bench->mix_total ||
        numbers[2] < 1 || numbers[2] > ROUNDS_MAX)
        return false;
    if (!bench->frame) bench->frame = bench->batch;
    if (bench->batch % bench->frame != 0) return false;
    if (!bench->items) bench->items = bench->tokens < 2000000 ? bench->tokens : 2000000;
    bench->items = bench->items / bench->batch * bench->batch;
    return bench->items > 0;
}

static void say_hello(struct bench *bench, const struct core_client *client)
{
    struct otpring_wire_hello hello = {
        .version_min = 1, .version_max = 1, .slots = SLOTS, .items_max = (uint16_t)bench->frame};
    keep(bench);
    CHECK(core_hello(bench->worker, &hello, client, 0) == CORE_TAKEN);
    core_turn(bench->worker);
    while (!core_drained(bench->worker)) {
        must(os_step(bench->os, UINT64_MAX, NULL));
        core_poll(bench->worker);
    }
}

int main(int count, char **arguments)
{
    static struct bench bench;
    static double rounds[ROUNDS_MAX][STAGES + 1], marked[ROUNDS_MAX][STAGES + 1];
    int round_count;
    (void)count;
    if (!take_arguments(&bench, arguments, &round_count)) return usage();
    core_make(&bench);
    tokens_make(&bench);
    struct core_client client = {.id = 1, .rights = CORE_RIGHT_VERIFY};
    for (uint32_t i = session_count(&bench); i > 0; i--) say_hello(&bench, &client);
    for (int r = -1; r < round_count; r++) { /* the first warms up */
        if (r == 0) bench.allocations = 0;
        round_run(&bench, &client, false, rounds[r < 0 ? 0 : r]);
        round_run(&bench, &client, true, marked[r < 0 ? 0 : r]);
    }
    if (bench.json) {
        print_json(&bench, marked, rounds, round_count);
    } else {
        print_text(&bench, marked, rounds, round_count);
    }
    /* Wrong codes are right by chance now and then, and codes of two steps are the same: a few in a hundred thousand.
     */
    return bench.unexpected * 10000 <= bench.answered ? 0 : 1;
}
