#include "rerun_engine.h"

#include <stdlib.h>
#include <string.h>

#include "os/arena.h"
#include "os/os_sim.h"

enum {
    SEGMENT_SIZE = 32 << 20,
    HOUSEKEEPING_SIZE = 16 << 20, /* journaled bytes between two rounds */
    FRAMES = CLIENT_COUNT * 2,    /* of one turn: for each client verifications and pairs of codes */
    SLOT_COUNT = 2,
    STEP_NS = 1000000,
    LAND_NS = 1000,
};

/* Nobody waits for anything here: the far search has all the room that it may want, sessions do not expire, the clock
 * is where the record says. */
#define PLENTY (1u << 30)

struct asking_frame {
    struct otpring_wire_header header;
    struct core_client *client;
    size_t item_size;
    uint16_t count;
    uint8_t *items;
    struct otpring_wire_answer *answers[RERUN_TURN_MAX];
};

struct rerun_asking {
    struct core_client clients[CLIENT_COUNT];
    struct asking_frame frames[FRAMES];
    uint32_t count;
    uint32_t unanswered; /* frames */
    bool failed;
};

/* ---- what core calls ---- */

static void answered(void *context, const struct core_answer *answer)
{
    struct rerun_asking *asking = context;
    struct asking_frame *frame = &asking->frames[answer->owner];
    for (uint32_t i = 0; i < answer->count && i < frame->count; i++) *frame->answers[i] = answer->answers[i];
    asking->unanswered--;
}

static void hello_answered(void *context, const struct core_hello_answer *answer)
{
    struct rerun_asking *asking = context;
    if (answer->error) asking->failed = true;
    for (int i = 0; i < 2; i++) asking->frames[2 * answer->owner + (uint64_t)i].header.session = answer->hello.session;
    asking->unanswered--;
}

static struct result run_turn(struct rerun_engine *engine)
{
    core_turn(engine->worker);
    for (;;) {
        core_poll(engine->worker);
        if (engine->asking->unanswered == 0 && core_drained(engine->worker)) break;
        TRY(os_step(engine->worker_os, STEP_NS, NULL));
    }
    return engine->asking->failed ? result_of(FULL) : result_ok();
}

/* ---- opening ---- */

static struct result asking_create(struct rerun_asking **ret_asking)
{
    struct rerun_asking *asking = calloc(1, sizeof *asking);
    if (!asking) return result_of(NO_MEMORY);
    *ret_asking = asking;
    for (uint16_t i = 0; i < CLIENT_COUNT; i++) {
        struct core_client *client = &asking->clients[i];
        client->id = (uint16_t)(i + 1);
        client->rights = CORE_RIGHT_VERIFY | (i == CLIENT_SEES_STATES ? CORE_RIGHT_SEE_STATES : 0);
        client->company_count = i == CLIENT_OTHER_COMPANY; /* which is of zero bytes, so nobody's */
    }
    for (int i = 0; i < FRAMES; i++) {
        struct asking_frame *frame = &asking->frames[i];
        bool resync = i % 2;
        frame->client = &asking->clients[i / 2];
        frame->item_size = resync ? sizeof(struct otpring_wire_pair) : sizeof(struct otpring_wire_query);
        frame->header.kind = resync ? OTPRING_WIRE_RESYNC : OTPRING_WIRE_VERIFY;
        frame->header.slot = (uint16_t)resync;
        frame->items = malloc(RERUN_TURN_MAX * frame->item_size);
        if (!frame->items) return result_of(NO_MEMORY);
    }
    return result_ok();
}

static void asking_destroy(struct rerun_asking *asking)
{
    if (!asking) return;
    for (int i = 0; i < FRAMES; i++) {
        if (asking->frames[i].items) secret_wipe(asking->frames[i].items, RERUN_TURN_MAX * asking->frames[i].item_size);
        free(asking->frames[i].items);
    }
    free(asking);
}

static struct result sessions_open(struct rerun_engine *engine)
{
    struct otpring_wire_hello hello = {.version_min = OTPRING_WIRE_VERSION,
                                       .version_max = OTPRING_WIRE_VERSION,
                                       .slots = SLOT_COUNT,
                                       .items_max = RERUN_TURN_MAX};
    for (uint64_t i = 0; i < CLIENT_COUNT; i++) {
        engine->asking->unanswered++;
        if (core_hello(engine->worker, &hello, &engine->asking->clients[i], i) == CORE_FULL) return result_of(FULL);
    }
    return run_turn(engine);
}

static struct result engine_start(struct rerun_store *store, int64_t wall_ms, struct rerun_engine *engine)
{
    struct os_sim_options world = {.seed = 1, .wall_ms = wall_ms, .disk_size = 1ULL << 40, .delay_ns_max = 1};
    struct core_options options = {
        .journal_folder = "journal",
        .journal = {.segment_size = SEGMENT_SIZE, .keep_size = 1, .spare_count = 2},
        .workers_max = 1,
        .session_idle_s = PLENTY,
        .resync_candidates_per_turn = PLENTY,
        .clock_step_limit_ms = PLENTY,
        .checkpoint_bytes = UINT64_MAX, /* made between turns */
    };
    TRY(os_sim_world_create(&world, &engine->world));
    engine->os = os_sim_create(engine->world);
    engine->worker_os = os_sim_create(engine->world);
    if (!engine->os || !engine->worker_os) return result_of(NO_MEMORY);
    TRY(core_open(engine->os, &options, store->store, store->vault, &engine->core));
    TRY(asking_create(&engine->asking));
    struct core_worker_options worker = {
        .os = engine->worker_os, .answered = answered, .hello_answered = hello_answered, .context = engine->asking};
    TRY(core_worker_create(engine->core, &worker, &engine->worker));
    return sessions_open(engine);
}

struct result rerun_engine_open(struct rerun_store *store, int64_t wall_ms, struct rerun_engine *ret_engine)
{
    *ret_engine = (struct rerun_engine){0};
    struct result result = engine_start(store, wall_ms, ret_engine);
    if (result_failed(result)) rerun_engine_close(ret_engine);
    return result;
}

void rerun_engine_close(struct rerun_engine *engine)
{
    if (engine->worker) core_worker_destroy(engine->worker);
    if (engine->core) core_close(engine->core, engine->os);
    asking_destroy(engine->asking);
    if (engine->worker_os) os_destroy(engine->worker_os);
    if (engine->os) os_destroy(engine->os);
    if (engine->world) os_sim_world_destroy(engine->world);
    *engine = (struct rerun_engine){0};
}

/* ---- turns ---- */

void rerun_engine_time(struct rerun_engine *engine, int64_t time_ms)
{
    int64_t ahead_ms = time_ms - os_time(engine->worker_os).wall_ms;
    if (ahead_ms > 0) os_sim_advance_ms(engine->world, (uint64_t)ahead_ms);
}

void rerun_engine_ask(struct rerun_engine *engine, enum rerun_client client, bool resync,
                      const struct otpring_wire_pair *query, struct otpring_wire_answer *ret_answer)
{
    struct asking_frame *frame = &engine->asking->frames[2 * client + resync];
    memcpy(frame->items + frame->count * frame->item_size, query, frame->item_size);
    frame->answers[frame->count++] = ret_answer;
}

/* A whole checkpoint, and segments that are passed by it go round as spares. A record of the journal's own lands
 * meanwhile, and what follows from it is done too; the clock of the world stays in its millisecond. */
static struct result keep_house(struct rerun_engine *engine)
{
    bool more = true;
    engine->bytes = 0;
    TRY(core_checkpoint(engine->worker));
    while (more) {
        while (more) TRY(core_keep(engine->worker, &more));
        TRY(os_step(engine->worker_os, LAND_NS, NULL));
        core_poll(engine->worker);
        TRY(core_keep(engine->worker, &more));
    }
    return result_ok();
}

static struct result offer(struct rerun_engine *engine, uint64_t number)
{
    struct asking_frame *frame = &engine->asking->frames[number];
    enum otpring_wire_error_code error;
    frame->header.count = frame->count;
    frame->header.size = (uint32_t)(sizeof frame->header + frame->count * frame->item_size);
    frame->header.sequence++;
    struct core_frame asked = {
        .header = &frame->header, .items = frame->items, .client = frame->client, .owner = number};
    enum core_admit admit = core_frame(engine->worker, &asked, &error);
    /* No room yet: housekeeping makes a spare. */
    for (int tries = 0; admit == CORE_FULL && tries < 8; tries++) {
        TRY(keep_house(engine));
        admit = core_frame(engine->worker, &asked, &error);
    }
    if (admit != CORE_TAKEN) return result_of(FULL);
    engine->asking->unanswered++;
    engine->bytes += OS_BLOCK_SIZE + (uint64_t)frame->count * JOURNAL_SLOT_SIZE;
    return result_ok();
}

struct result rerun_engine_turn(struct rerun_engine *engine, int64_t lag_ms)
{
    os_sim_step_wall_ms(engine->world, -lag_ms);
    struct result result = result_ok();
    for (uint64_t i = 0; i < FRAMES && !result_failed(result); i++)
        if (engine->asking->frames[i].count) result = offer(engine, i);
    if (!result_failed(result)) result = run_turn(engine);
    os_sim_step_wall_ms(engine->world, lag_ms);
    for (int i = 0; i < FRAMES; i++) engine->asking->frames[i].count = 0;
    if (!result_failed(result) && engine->bytes > HOUSEKEEPING_SIZE) result = keep_house(engine);
    return result;
}
