#include "genesis.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "core/state.h"

/* The plain store, and one with people in it. */
static struct origin {
    struct os_sim_world *world;
    struct store *store;
    struct model model;
    bool crowded;
} origins[2] = {{.crowded = false}, {.crowded = true}};
static struct people genesis_people;

struct result genesis_enrol(struct core_worker *worker, enum token token, enum sim_account account)
{
    uint32_t ordinal;
    struct result result;
    struct core_token_spec spec = {.company = TOKENS_COMPANY,
                                   .user = tokens_user(account),
                                   .label = "",
                                   .profile = tokens_about(token)->totp ? 0 : 1,
                                   .seed = tokens_about(token)->seed,
                                   .seed_size = sizeof tokens_about(token)->seed};
    TRY(core_token_add(worker, &machine_actor, &spec, 1, &result, &ordinal));
    return result;
}

static void genesis_answered(void *context, const struct core_answer *answer)
{
    (void)context;
    (void)answer;
}

static void genesis_hello(void *context, const struct core_hello_answer *answer)
{
    struct origin *origin = context;
    origin->model.sessions[answer->owner] = answer->hello.session;
}

static struct result profiles_set(struct core_worker *worker)
{
    for (uint16_t id = 0; id < 2; id++) {
        struct profile_row row;
        CHECK(core_profile_get(worker->core, id, &row));
        row.throttle_free = MODEL_THROTTLE_FREE;
        row.throttle_base_s = MODEL_THROTTLE_BASE_S;
        row.throttle_max_s = MODEL_THROTTLE_MAX_S;
        TRY(core_profile_set(worker, &machine_actor, &row, &id));
    }
    return result_ok();
}

static struct result tokens_enrol(struct core_worker *worker)
{
    for (unsigned token = 0; token < TOKEN_COUNT; token++)
        TRY(genesis_enrol(worker, token, tokens_about(token)->account));
    return result_ok();
}

static struct result people_enter(struct machine *machine)
{
    static struct people_desk desk;
    people_desk_open(&desk, machine);
    struct result result = people_begin(&desk, &genesis_people);
    people_desk_close(&desk);
    return result;
}

static struct result genesis(struct machine *machine, struct origin *origin)
{
    const struct machine_shape shape = {
        .segment_size = 128 << 10, .depth_max = 4, .keep_size = 64 << 20, .checkpoint_bytes = 1 << 20};
    const struct machine_callbacks callbacks = {genesis_answered, genesis_hello, origin};
    TRY(machine_init(origin->store));
    TRY(machine_open(machine, origin->world, origin->store, &shape, 0));
    TRY(machine_workers(machine, 0, &callbacks));
    bool more = true;
    while (more) TRY(core_keep(machine->keeper, &more));
    TRY(profiles_set(machine->keeper));
    TRY(tokens_enrol(machine->keeper));
    for (unsigned i = 0; i < MODEL_SESSIONS; i++) {
        const struct otpring_wire_hello hello = {
            .version_min = 1, .version_max = 1, .slots = MODEL_SLOTS, .items_max = MODEL_ITEMS_MAX};
        CHECK(core_hello(machine->keeper, &hello, &machine_client, i) == CORE_TAKEN);
        core_turn(machine->keeper);
        while (!core_drained(machine->keeper)) CHECK(machine_step(machine));
    }
    if (origin->crowded) TRY(people_enter(machine));
    TRY(core_finish(machine->keeper));
    machine_close(machine);
    return result_ok();
}

static void origin_make(struct origin *origin)
{
    static struct machine machine;
    const struct os_sim_options world = {.seed = 1, .wall_ms = (int64_t)TOKENS_WALL_S * 1000, .disk_size = 8 << 20};
    model_start(&origin->model);
    CHECK(os_sim_world_create(&world, &origin->world).code == OK);
    CHECK(store_memory_create(&origin->store).code == OK);
    struct result result = genesis(&machine, origin);
    if (result_failed(result)) fprintf(stderr, "the first store cannot be made: %s\n", result_name(result));
    CHECK(result.code == OK);
}

void genesis_make(void)
{
    /* Thousands of engines are opened and closed: their memory stays with the process. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 64 << 20);
    tokens_make();
    machine_keys();
    origin_make(&origins[0]);
    origin_make(&origins[1]);
}

static void fork_of(const struct origin *origin, uint64_t seed, struct os_sim_world **ret_world,
                    struct store **ret_store, struct model *ret_model)
{
    CHECK(os_sim_world_fork(origin->world, seed, false, ret_world).code == OK);
    CHECK(store_memory_copy(origin->store, ret_store).code == OK);
    *ret_model = origin->model;
}

void genesis_fork(uint64_t seed, struct os_sim_world **ret_world, struct store **ret_store, struct model *ret_model)
{
    fork_of(&origins[0], seed, ret_world, ret_store, ret_model);
}

void genesis_fork_crowded(uint64_t seed, struct os_sim_world **ret_world, struct store **ret_store,
                          struct model *ret_model, struct people *ret_people)
{
    fork_of(&origins[1], seed, ret_world, ret_store, ret_model);
    *ret_people = genesis_people;
}
