/* core_bench [TOKENS [BATCH [ROUNDS]]]: verifications a second of one worker, core alone: frames in memory, the journal
 * on the simulated os (writes are copies in memory), no sockets. Each round sends every token's next HOTP code once, in
 * random order. Prints the workload, the kernel, and nanoseconds a verification by stage: median and range over rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "core/turn_state.h"
#include "os/arena.h"
#include "os/os_sim.h"

enum { ROUNDS_MAX = 64, STAGES = 8, STREAMS = 4 };

static const char *const stage_names[STAGES] = {"take (MAC)",       "find",          "first step",   "rest of window",
                                                "judge and record", "append, clock", "simulated os", "settle, answer"};

struct bench {
    struct os_sim_world *world;
    struct os *os;
    struct core core;
    struct core_worker *worker;
    struct journal_writer *keeper;
    uint32_t tokens;
    uint32_t batch;
    struct otpring_wire_query *queries;
    uint32_t *order;
    uint64_t session;
    uint64_t answered;
    uint64_t accepted;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void must(struct result result)
{
    if (!result_failed(result)) return;
    fprintf(stderr, "core_bench: %s\n", result_text(result));
    exit(1);
}

static void answered(void *context, const struct core_answer *answer)
{
    struct bench *bench = context;
    bench->answered += answer->count;
    for (uint32_t i = 0; i < answer->count; i++) bench->accepted += answer->answers[i].verdict == OTPRING_ACCEPTED;
}

static void hello_answered(void *context, const struct core_hello_answer *answer)
{
    ((struct bench *)context)->session = answer->hello.session;
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
    core->vault = vault_make();
    core->options.kept_size = 64 << 20;
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
    struct core_worker_options worker = {
        .os = bench->os, .answered = answered, .hello_answered = hello_answered, .context = bench};
    must(core_worker_create(core, &worker, &bench->worker));
}

static void tokens_make(struct bench *bench)
{
    uint64_t random = 88172645463325252u;
    bench->queries = calloc(bench->tokens, sizeof *bench->queries);
    bench->order = calloc(bench->tokens, sizeof *bench->order);
    for (uint32_t i = 0; i < bench->tokens; i++) {
        _Alignas(64) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
        uint8_t seed[20] = {0};
        memcpy(seed, &i, sizeof i);
        kernel_midstates(KERNEL_SHA1, seed, sizeof seed, midstates);
        struct table_token token = {.ordinal = i, .midstates = midstates, .token = token_word(0, 1)};
        uint64_t name[2] = {7, (i + 1) * 0x9e3779b97f4a7c15u};
        memcpy(token.name, name, 16);
        must(table_insert(bench->core.table, &token));
        struct otpring_wire_query *query = &bench->queries[i];
        memcpy(query->company, token.name, 8);
        memcpy(query->account, token.name + 8, 8);
        query->kind = OTPRING_QUERY_CODE;
        query->digits = 6;
        bench->order[i] = i;
    }
    for (uint32_t i = bench->tokens - 1; i > 0; i--) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint32_t j = (uint32_t)(random % (i + 1)), swap = bench->order[i];
        bench->order[i] = bench->order[j];
        bench->order[j] = swap;
    }
}

/* The codes of one step, in the order of sending. */
static void codes_make(struct bench *bench, uint64_t step, struct otpring_wire_query *frames)
{
    for (uint32_t i = 0; i < bench->tokens; i++) {
        struct table_hit hit;
        uint32_t truncated;
        CHECK(table_line(bench->core.table, bench->order[i], &hit));
        bench->core.kernel->steps[KERNEL_SHA1](&hit.midstates, &step, &truncated, 1);
        frames[i] = bench->queries[bench->order[i]];
        frames[i].code = kernel_digits(truncated, 6);
    }
}

static void keep(struct bench *bench)
{
    bool more = true;
    while (more && journal_status(bench->core.journal).spares < 2)
        must(journal_keep(bench->core.journal, bench->keeper, os_time(bench->os).wall_ms,
                          journal_durable_through(bench->core.journal), &more));
}

static void batch_run(struct bench *bench, struct otpring_wire_query *queries, struct otpring_wire_header *header,
                      const struct core_client *client, uint64_t stage_ns[STAGES])
{
    enum otpring_wire_error_code error;
    struct core_frame frame = {.header = header, .items = queries, .client = client};
    uint64_t at = now_ns();
    CHECK(core_frame(bench->worker, &frame, &error) == CORE_TAKEN);
    uint64_t next = now_ns();
    stage_ns[0] += next - at;
    core_turn(bench->worker);
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

/* Gives nanoseconds a verification by stage, and in all as the last. */
static void round_run(struct bench *bench, struct otpring_wire_query *frames, const struct core_client *client,
                      uint32_t *sequence, double ret_ns[STAGES + 1])
{
    uint64_t stage_ns[STAGES] = {0};
    uint64_t *judged = bench->worker->turns->judge->stage_ns;
    memset(judged, 0, 4 * sizeof *judged);
    for (uint32_t i = 0; i + bench->batch <= bench->tokens; i += bench->batch) {
        struct otpring_wire_header header = {.kind = OTPRING_WIRE_VERIFY,
                                             .count = (uint16_t)bench->batch,
                                             .session = bench->session,
                                             .sequence = ++*sequence};
        keep(bench);
        batch_run(bench, frames + i, &header, client, stage_ns);
    }
    for (int i = 0; i < 4; i++) {
        stage_ns[i + 1] = judged[i];
        stage_ns[5] -= judged[i];
    }
    double items = bench->tokens / bench->batch * (double)bench->batch;
    ret_ns[STAGES] = 0;
    for (int i = 0; i < STAGES; i++) {
        ret_ns[i] = (double)stage_ns[i] / items;
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

int main(int count, char **arguments)
{
    static struct bench bench;
    static double rounds[ROUNDS_MAX][STAGES + 1];
    bench.tokens = count > 1 ? (uint32_t)atoi(arguments[1]) : 131072;
    bench.batch = count > 2 ? (uint32_t)atoi(arguments[2]) : 1024;
    int round_count = count > 3 ? atoi(arguments[3]) : 9;
    if (bench.batch == 0 || bench.batch > 4096 || bench.tokens < bench.batch || round_count < 1 ||
        round_count > ROUNDS_MAX) {
        fprintf(stderr, "usage: core_bench [TOKENS [BATCH (1 to 4096) [ROUNDS (1 to 64)]]]\n");
        return 2;
    }
    core_make(&bench);
    tokens_make(&bench);
    struct core_client client = {.id = 1, .rights = CORE_RIGHT_VERIFY};
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1, .items_max = 4096};
    struct otpring_wire_query *frames = calloc(bench.tokens, sizeof *frames);
    uint32_t sequence = 0;
    keep(&bench);
    CHECK(core_hello(bench.worker, &hello, &client, 0) == CORE_TAKEN);
    core_turn(bench.worker);
    while (!core_drained(bench.worker)) {
        must(os_step(bench.os, UINT64_MAX, NULL));
        core_poll(bench.worker);
    }
    /* The simulated os keeps simulated time; stages are measured on the machine's clock. */
    bench.worker->turns->judge->clock_ns = now_ns;
    for (int r = -1; r < round_count; r++) { /* the first warms up */
        codes_make(&bench, (uint64_t)(r + 1), frames);
        round_run(&bench, frames, &client, &sequence, rounds[r < 0 ? 0 : r]);
    }
    printf("%u HOTP tokens (SHA-1, 6 digits), right codes, batches of %u, kernel %s, %d rounds, one worker\n",
           bench.tokens, bench.batch, bench.core.kernel->name, round_count);
    for (int i = 0; i < STAGES; i++) print_stage(stage_names[i], rounds, i, round_count);
    double all = median_total(rounds, round_count, false), core = median_total(rounds, round_count, true);
    printf("  %-18s %7.1f ns  %.2f million/s; without the simulated os %.1f ns, %.2f million/s\n", "all", all,
           1e3 / all, core, 1e3 / core);
    printf("  accepted %llu of %llu\n", (unsigned long long)bench.accepted, (unsigned long long)bench.answered);
    return bench.accepted == bench.answered ? 0 : 1;
}
