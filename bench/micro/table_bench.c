/* Time of finding a name and touching its line, one at a time and in batches, for tables of 10^3 to 10^7 tokens. Names
 * are asked for at random, so that a large table is a cache miss for the index and one for the line.
 * TABLE_BENCH_TOKENS_MAX lowers the largest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/arena.h"
#include "shim.h"
#include "table/table.h"

enum { BATCH = 256, SIZES_MAX = 5 };

static const struct kernel_stages *stages;

struct bench {
    struct table *table;
    uint64_t tokens;
    uint64_t random;
    uint64_t sum;
};

static struct table_hit hits[BATCH * TABLE_ACCOUNT_TOKENS_MAX];
static uint8_t names[BATCH][TABLE_NAME_SIZE];

static uint64_t mixed(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void name_make(uint64_t number, uint8_t *ret_name)
{
    uint64_t halves[2] = {number % 1000, mixed(number + 1)};
    memcpy(ret_name, halves, sizeof(halves));
}

/* The same for both, and small beside a miss. */
static void names_choose(struct bench *bench)
{
    for (int i = 0; i < BATCH; i++) name_make(mixed(bench->random++) % bench->tokens, names[i]);
}

static void single_pass(void *argument)
{
    struct bench *bench = argument;
    names_choose(bench);
    for (int i = 0; i < BATCH; i++) {
        if (table_find(bench->table, names[i], hits) != 1) abort();
        bench->sum += atomic_load_explicit(&hits[0].tail->token, memory_order_relaxed);
    }
}

static void batch_pass(void *argument)
{
    struct bench *bench = argument;
    names_choose(bench);
    const void *pointers[BATCH], *addresses[BATCH];
    uint64_t hashes[BATCH];
    static struct table_probes probes[BATCH / STAGE_ITEMS_MAX];
    for (int i = 0; i < BATCH; i++) pointers[i] = names[i];
    for (int i = 0; i < BATCH; i += STAGE_ITEMS_MAX)
        table_hash_batch(bench->table, stages, pointers + i, STAGE_ITEMS_MAX, hashes + i, addresses + i);
    for (int i = 0; i < BATCH; i++) __builtin_prefetch(addresses[i]);
    for (int i = 0; i < BATCH; i += STAGE_ITEMS_MAX) {
        struct table_probes *found = &probes[i / STAGE_ITEMS_MAX];
        table_probe_batch(bench->table, stages, hashes + i, STAGE_ITEMS_MAX, found);
        for (int k = 0; k < STAGE_ITEMS_MAX; k++) __builtin_prefetch(found->lines[k], 1);
    }
    for (uint32_t i = 0; i < BATCH; i++) {
        const struct table_probes *found = &probes[i / STAGE_ITEMS_MAX];
        struct table_hit hit = table_probe_hit(found, i % STAGE_ITEMS_MAX);
        if (!(found->one >> i % STAGE_ITEMS_MAX & 1) || !table_hit_is(&hit, hashes[i])) {
            if (table_find_hash(bench->table, hashes[i], hits) != 1) abort();
            hit = hits[0];
        }
        bench->sum += atomic_load_explicit(&hit.tail->token, memory_order_relaxed);
    }
}

static void names_pass(void *argument)
{
    struct bench *bench = argument;
    names_choose(bench);
    for (int i = 0; i < BATCH; i++) bench->sum += names[i][8];
}

static void fill(struct bench *bench)
{
    static const uint8_t midstates[KERNEL_SHA1_MIDSTATES] = {1};
    struct table_options options = {.lines_max = {(uint32_t)bench->tokens, 0, 0}, .names_expected = bench->tokens};
    memset(options.secret, 7, sizeof(options.secret));
    if (result_failed(table_create(&options, &bench->table))) abort();
    for (uint64_t i = 0; i < bench->tokens; i++) {
        struct table_token token = {.ordinal = (uint32_t)i, .midstates = midstates, .token = i, .flags = TABLE_FIRST};
        name_make(i, token.name);
        if (result_failed(table_insert(bench->table, &token))) abort();
    }
}

int main(int argc, char **argv)
{
    static struct bench benches[SIZES_MAX];
    static char labels[SIZES_MAX][2][48];
    const char *limit = getenv("TABLE_BENCH_TOKENS_MAX");
    uint64_t tokens = 1000, tokens_max = limit ? strtoull(limit, NULL, 10) : 10000000;
    const struct kernel *kernel;
    if (result_failed(kernel_choose(NULL, &kernel))) abort();
    stages = kernel->stages;
    arena_allow_unlocked(true);
    bench_register("names alone (part of all below)", names_pass, &benches[0], BATCH);
    for (int i = 0; i < SIZES_MAX && (tokens <= tokens_max || i == 0); i++, tokens *= 10) {
        benches[i].tokens = tokens;
        fill(&benches[i]);
        snprintf(labels[i][0], sizeof(labels[i][0]), "single/%llu", (unsigned long long)tokens);
        snprintf(labels[i][1], sizeof(labels[i][1]), "batch/%llu", (unsigned long long)tokens);
        bench_register(labels[i][0], single_pass, &benches[i], BATCH);
        bench_register(labels[i][1], batch_pass, &benches[i], BATCH);
    }
    return bench_run(argc, argv);
}
