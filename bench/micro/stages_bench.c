/* Time of the stages of the straight way (kernel/stages.h), each alone and on data in cache, by vectors where this CPU
 * has them and in plain C; and of SHA-1 tries with and without swaps of words beside them. Items a second and ns an
 * item. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/bucket.h"
#include "kernel/stages.h"
#include "shim.h"

enum { ITEMS = STAGE_ITEMS_MAX, BUCKETS_LOG = 6, FLAGS = 3, STAGE_COUNT = 8, LABEL_SIZE = 48 };

static _Alignas(64) uint64_t buckets[(1 << BUCKETS_LOG) * BUCKET_ENTRIES], table_lines[ITEMS][8];
static _Alignas(64) uint8_t slots[ITEMS][64], nowhere[64];
static uint64_t queries[ITEMS][4], hashes[ITEMS], states[ITEMS], expected[ITEMS], lasts[ITEMS], places[ITEMS];
static uint64_t answers[ITEMS][2], seen[ITEMS], next[ITEMS], profile;
static const void *names[ITEMS], *addresses[ITEMS], *prefetch[2 * ITEMS];
static void *lines[ITEMS], *tails[ITEMS], *answers_at[ITEMS], *frames[ITEMS];
static uint32_t ordinals[ITEMS], records[ITEMS];
static uint8_t fits[ITEMS], done[ITEMS];
static _Atomic uint64_t *words[ITEMS], nobodys;
static struct stage_tries tries[KERNEL_ALGORITHM_COUNT];
static const struct stage_key key = {{0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9}};
static const struct stage_index name_index = {buckets, 32 - BUCKETS_LOG};
static void *arrays[4] = {table_lines};

static void gather_pass(void *argument)
{
    const struct kernel *kernel = argument;
    kernel->stages->gather(&(struct stage_gather){.count = ITEMS,
                                                  .query = queries,
                                                  .query_size = sizeof queries[0],
                                                  .answer = answers,
                                                  .frame = &profile,
                                                  .ret_queries = names,
                                                  .ret_answers = answers_at,
                                                  .ret_frames = frames,
                                                  .ret_places = places,
                                                  .ret_records = records});
}

static void hash_pass(void *argument)
{
    const struct kernel *kernel = argument;
    kernel->stages->hash_names(&(struct stage_names){ITEMS, names, key, name_index, hashes, addresses});
}

static void find_pass(void *argument)
{
    const struct kernel *kernel = argument;
    struct stage_find find = {.count = ITEMS,
                              .hashes = hashes,
                              .index = name_index,
                              .arrays = arrays,
                              .nowhere = nowhere,
                              .ret_ordinals = ordinals,
                              .ret_lines = lines,
                              .ret_tails = tails};
    kernel->stages->find(&find);
    if (find.ret_found != UINT64_MAX) abort();
}

static void look_pass(void *argument)
{
    const struct kernel *kernel = argument;
    struct stage_look look = {.count = ITEMS,
                              .wanted = UINT64_MAX,
                              .queries = names,
                              .hashes = hashes,
                              .ordinals = ordinals,
                              .lines = lines,
                              .tails = tails,
                              .profiles = &profile,
                              .profile_count = 1,
                              .flags = FLAGS,
                              .ret_states = states,
                              .ret_expected = expected,
                              .ret_lasts = lasts,
                              .tries = {&tries[0], &tries[1], &tries[2]}};
    tries[KERNEL_SHA1].count = 0;
    kernel->stages->look(&look);
    if (look.ret_straight != UINT64_MAX) abort();
}

static void check_pass(void *argument)
{
    const struct kernel *kernel = argument;
    struct stage_check check = {.count = ITEMS,
                                .wanted = UINT64_MAX,
                                .tails = tails,
                                .seen = seen,
                                .states = states,
                                .expected = expected,
                                .nowhere = &nobodys,
                                .ret_words = words,
                                .ret_next = next};
    kernel->stages->check(&check);
    if (check.ret_ready != UINT64_MAX) abort();
}

static void record_pass(void *argument)
{
    const struct kernel *kernel = argument;
    kernel->stages->record(&(struct stage_record){.count = ITEMS,
                                                  .which = UINT64_MAX,
                                                  .queries = names,
                                                  .ordinals = ordinals,
                                                  .tokens = next,
                                                  .places = places,
                                                  .lasts = lasts,
                                                  .records = records,
                                                  .slots = slots[0],
                                                  .answers = answers_at});
}

static void match(const struct kernel *kernel, struct kernel_swaps *swaps)
{
    kernel->match[KERNEL_SHA1](&(struct kernel_match){.count = ITEMS,
                                                      .midstates = tries[KERNEL_SHA1].midstates,
                                                      .counters = tries[KERNEL_SHA1].steps,
                                                      .codes = tries[KERNEL_SHA1].codes,
                                                      .digits = tries[KERNEL_SHA1].digits,
                                                      .ret_fits = fits,
                                                      .prefetch = prefetch,
                                                      .swaps = swaps});
}

static void match_pass(void *argument)
{
    match(argument, NULL);
}

/* From what is there to the same: the words are as they were for the next pass. */
static void swaps_pass(void *argument)
{
    struct kernel_swaps swaps = {.count = ITEMS, .words = words, .seen = seen, .next = seen, .ret_done = done};
    match(argument, &swaps);
}

static void fill(const struct kernel *kernel)
{
    profile = stage_profile(KERNEL_SHA1, 6, false, 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        queries[i][0] = 7;
        queries[i][1] = (i + 1) * 0x94d049bb133111ebu;
        queries[i][3] = i | (uint64_t)6 << 32 | (uint64_t)1 << 40; /* the code i, six digits, kind 1 */
        uint64_t hash = stage_name_hash(key, queries[i]);
        uint64_t *entry = buckets + (hash >> 32 >> name_index.shift) * BUCKET_ENTRIES;
        while (*entry) entry++;
        *entry = (hash >> 32 << 32) | (i + 1);
        table_lines[i][7] = (hash & UINT32_MAX) | (uint64_t)FLAGS << 56;
        prefetch[2 * i] = prefetch[2 * i + 1] = table_lines[i];
    }
    gather_pass((void *)kernel);
    hash_pass((void *)kernel);
    find_pass((void *)kernel);
    look_pass((void *)kernel);
    check_pass((void *)kernel);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*pass)(void *argument);
    } parts[STAGE_COUNT] = {{"gather", gather_pass}, {"hash_names", hash_pass},     {"find", find_pass},
                            {"look", look_pass},     {"check", check_pass},         {"record", record_pass},
                            {"sha1", match_pass},    {"sha1 and swaps", swaps_pass}};
    static char labels[2][STAGE_COUNT][LABEL_SIZE];
    const struct kernel *const *kernels;
    size_t count = kernel_list(&kernels);
    fill(kernels[0]);
    for (size_t k = 0; k < (count > 1 ? 2 : 1); k++) {
        const struct kernel *kernel = kernels[k == 0 ? count - 1 : 0];
        for (int p = 0; p < STAGE_COUNT; p++) {
            snprintf(labels[k][p], LABEL_SIZE, "%s/%s", parts[p].name, kernel->name);
            bench_register(labels[k][p], parts[p].pass, (void *)kernel, ITEMS);
        }
    }
    return bench_run(argc, argv);
}
