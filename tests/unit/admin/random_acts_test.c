/* Random administrative acts by random roles, with codes and crashes between them, against a model
 * (random_acts_model.h).
 *
 * After every act: it passed if and only if the model lets it pass. All along: no code is accepted that the model would
 * not accept, a floor never falls, and REQUIRED never becomes NOT_REQUIRED but by a release.
 *
 * OTPRING_ACTS: how many acts (default 2,500). OTPRING_SEED: where to begin. */
#include "random_acts.h"

static void admin_make(struct world *world)
{
    world->engine = (struct engine){.os = world->state->worker_os,
                                    .store = world->state->store,
                                    .vault = world->state->vault,
                                    .core = world->state->core};
    struct admin_options options = {
        .engine = &world->engine, .worker = world->state->worker, .os = world->state->worker_os, .alone = true};
    state_ok(admin_create(&options, &world->admin));
}

static void key_keep(struct world *world, int actor, const char *fields)
{
    json_t *answer = world_ask(world, OWNER, "{'act':'operator.add','name':'%s'%s", actor_names[actor], fields);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    snprintf(world->keys[actor], sizeof(world->keys[actor]), "%s", json_string_value(json_object_get(answer, "key")));
    json_decref(answer);
}

static void world_begin(struct world *world)
{
    struct model *model = &world->model;
    admin_make(world);
    key_keep(world, OLGA, ",'may':'all'");
    key_keep(world, OTTO, ",'may':'all'");
    key_keep(world, FEW, ",'may':'users,read'");
    for (int i = 0; i < TOKENS_ALL; i++) model->tokens[i] = (struct m_token){.company = -1, .holder = -1};
    for (int company = 0; company < COMPANIES; company++) {
        int person = company * USERS;
        char fields[64];
        ACT(OWNER, true, "company.add", ",'company':'c%d'", company);
        ACT(OWNER, true, "user.add", ABOUT);
        ACT(OWNER, true, "user.set", ",'company':'c%d','user':'u%d','administrator':true", company, person);
        model->known[company] = true;
        model->people[person] = (struct m_user){.life = ALIVE, .administrator = true, .waived = true};
        snprintf(fields, sizeof(fields), ",'company':'c%d','user':'u%d'", company, person);
        key_keep(world, ADMINISTRATOR + company, fields);
    }
}

/* The power fails; what the journal has must be there again. */
static void crash(struct world *world)
{
    admin_destroy(world->admin);
    state_crash(world->state);
    state_ok(state_open(world->state));
    admin_make(world);
    for (int person = 0; person < PEOPLE; person++) required_check(world, person);
    floors_check(world);
    world->crashes++;
}

static void step(struct world *world)
{
    int actor = world_roll(world, 2) ? (int)world_roll(world, ACTORS) : (int)world_roll(world, FEW);
    for (int person = 0; person < PEOPLE; person++) way_settle(world, &world->model.people[person]);
    switch (world_roll(world, 11)) {
    case 0:
        act_on_company(world, actor);
        break;
    case 1:
    case 2:
    case 3:
        act_on_user(world, actor);
        break;
    case 4:
        act_by_two(world, actor);
        break;
    case 5:
        act_on_request(world, actor);
        break;
    case 6:
        act_on_phone(world, actor);
        break;
    default:
        act_on_token(world, actor);
        break;
    }
    if (world_roll(world, 2)) present_code(world);
    if (world_roll(world, 4) == 0) present_phone_code(world);
    required_check(world, (int)world_roll(world, PEOPLE));
    if (world_roll(world, 32) == 0) floors_check(world);
    if (world_roll(world, 400) == 0) crash(world);
}

static void random_acts_do_what_the_model_does_and_nothing_else(void **unused)
{
    (void)unused;
    const char *count = getenv("OTPRING_ACTS"), *seed = getenv("OTPRING_SEED");
    uint64_t acts = count ? strtoull(count, NULL, 10) : 2500, from = seed ? strtoull(seed, NULL, 10) : 1;
    uint64_t total = 0, passed = 0, accepted = 0, crashes = 0, enrolled = 0, by_phone = 0;
    /* A token that is lost is never found again, so worlds end. */
    for (uint64_t number = from; total < acts; number++) {
        struct world *world = calloc(1, sizeof(*world));
        world->random = number * 0x9e3779b97f4a7c15u | 1;
        world->state = state_create(number);
        world_begin(world);
        while (world->acts < 2500 && total + world->acts < acts + 100) step(world);
        crash(world);
        total += world->acts;
        passed += world->passed;
        accepted += world->accepted;
        crashes += world->crashes;
        enrolled += world->enrolled;
        by_phone += world->virtual_accepted;
        admin_destroy(world->admin);
        state_destroy(world->state);
        free(world);
    }
    print_message("counted: %llu acts, %llu passed, %llu codes accepted, %llu crashes, %llu phones enrolled, %llu of "
                  "their codes accepted\n",
                  (unsigned long long)total, (unsigned long long)passed, (unsigned long long)accepted,
                  (unsigned long long)crashes, (unsigned long long)enrolled, (unsigned long long)by_phone);
    assert_true(passed > total / 10 && accepted > 0);
    /* Few acts, as under a sanitizer, may not come as far as a phone. */
    if (total >= 2000) assert_true(enrolled > 0 && by_phone > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_acts_do_what_the_model_does_and_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
