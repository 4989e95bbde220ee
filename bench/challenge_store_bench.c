/* Challenges asked and answered a second through journal and store, each durable before it is told: a new store in
 * FOLDER, COUNT payments (default 100,000) asked, then answered, in batches of SIZE (default 256).
 * challenge_store_bench FOLDER [COUNT [SIZE]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/engine.h"
#include "challenge/keep.h"
#include "os/arena.h"
#include "os/os_uring.h"

enum { BATCH_MAX = 4096, LIFE_S = 3600 };

static const struct core_actor actor = {.uid = 0};

struct bench {
    struct engine *engine;
    struct core_worker *worker;
    struct challenge_keep keep;
    uint32_t count;
    size_t batch;
};

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void must(struct result result)
{
    if (!result_failed(result)) return;
    fprintf(stderr, "challenge_store_bench: %s\n", result_text(result));
    exit(1);
}

static void bench_open(struct bench *bench, const char *folder)
{
    struct engine_options options = {.folder = folder,
                                     .core = {.journal = {.segment_size = 64 << 20, .spare_count = 2},
                                              .tokens_max = 1024,
                                              .load_threads = 1,
                                              .workers_max = 1,
                                              .sessions_max = 16,
                                              .kept_size = 1 << 20,
                                              .unknown_entries = 8192}};
    const struct challenge_limits limits = {
        .capacity = bench->count, .life_max_s = LIFE_S, .cool_down_s = 60, .window_s = 600, .prompts_max = 3};
    const uint8_t hash_key[32] = {1};
    arena_allow_unlocked(true);
    must(engine_init(folder, NULL));
    must(engine_open(&options, &bench->engine));
    struct core_worker_options worker = {.os = bench->engine->os, .items_max = 4096};
    must(core_worker_create(bench->engine->core, &worker, &bench->worker));
    bench->keep =
        (struct challenge_keep){.worker = bench->worker, .store = bench->engine->store, .vault = bench->engine->vault};
    must(challenge_room_open(&limits, hash_key, &bench->keep.room));
}

/* Segments are made and sealed between the batches; a daemon has a thread for that. */
static void house_keep(struct bench *bench)
{
    bool more = true;
    while (more) must(core_keep(bench->worker, &more));
}

static struct challenge_text words(const char *text)
{
    return (struct challenge_text){.bytes = text, .size = strlen(text)};
}

static void ask_make(uint32_t number, struct challenge_ask *ask)
{
    *ask = (struct challenge_ask){.body = {.purpose = CHALLENGE_TRANSACTION,
                                           .flags = CHALLENGE_MATCH_NUMBER,
                                           .fields = {words("Demo Bank"), words("Pay this bill?"), words("1250.00"),
                                                      words("EUR"), words("Ana Perez"), words("Bill 117")}},
                                  .life_s = LIFE_S,
                                  .number = 42};
    uint32_t spread = (number + 1) * 2654435761u;
    memcpy(ask->body.id, &spread, sizeof spread);
    memcpy(ask->account, &spread, sizeof spread);
}

static void reply_make(const struct challenge_ask *ask, struct challenge_reply *reply)
{
    static const uint8_t proof[222] = {1}; /* as long as one of ES256 */
    *reply = (struct challenge_reply){.answer = {.act = CHALLENGE_APPROVE, .number = 42, .device = 7},
                                      .evidence = proof,
                                      .evidence_size = sizeof proof};
    memcpy(reply->id, ask->body.id, CHALLENGE_ID_SIZE);
    memcpy(reply->answer.account, ask->account, sizeof reply->answer.account);
    challenge_digest(ask->bytes, ask->size, reply->answer.digest);
}

static void report(const char *what, const struct bench *bench, unsigned calls, double took)
{
    printf("%s: %u in %.2f s, %.0f a second, %.0f a durable write\n", what, bench->count, took, bench->count / took,
           (double)bench->count / calls);
}

static void run(struct bench *bench)
{
    struct challenge_ask *asks = calloc(bench->count, sizeof *asks);
    struct challenge_reply *replies = calloc(bench->count, sizeof *replies);
    if (!asks || !replies) must(result_of(NO_MEMORY));
    for (uint32_t i = 0; i < bench->count; i++) ask_make(i, &asks[i]);
    for (int answers = 0; answers <= 1; answers++) {
        unsigned calls = 0;
        double took = 0;
        for (size_t at = 0, done; at < bench->count; at += done, calls++) {
            size_t left = bench->count - at, size = left < bench->batch ? left : bench->batch;
            double start = now_s();
            must(answers ? challenge_keep_answer(&bench->keep, &actor, replies + at, size, &done)
                         : challenge_keep_ask(&bench->keep, &actor, asks + at, size, &done));
            took += now_s() - start;
            house_keep(bench);
        }
        report(answers ? "answered" : "asked", bench, calls, took);
        for (uint32_t i = 0; i < bench->count && !answers; i++) reply_make(&asks[i], &replies[i]);
    }
    for (uint32_t i = 0; i < bench->count; i++)
        if (asks[i].asked != CHALLENGE_NEW || replies[i].answered != CHALLENGE_TAKEN) must(result_of(BAD_ARGUMENT));
    free(asks);
    free(replies);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: challenge_store_bench FOLDER [COUNT [SIZE]]\n");
        return 2;
    }
    struct bench bench = {.count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100000,
                          .batch = argc > 3 ? strtoul(argv[3], NULL, 10) : 256};
    if (bench.count < 1 || bench.batch < 1 || bench.batch > BATCH_MAX) return 2;
    bench_open(&bench, argv[1]);
    run(&bench);
    challenge_room_close(bench.keep.room);
    must(core_finish(bench.worker));
    core_worker_destroy(bench.worker);
    engine_close(bench.engine);
    return 0;
}
