/* What the plan sends and foresees, against judges by the plain rules: codes from otp_code, one account at a time. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#include "otp/otp.h"
#include "otpring-load/plan_parts.h"
#include "otpring/verdict.h"

static const char every_kind[] = "right:70,near:10,wrong:10,replayed:10";

enum { BATCH_MAX = 300, PLAN_COUNT = 2 };

/* One account as the engine would keep it. */
struct judge {
    uint8_t seed[ACCOUNT_SEED_SIZE_MAX];
    uint64_t floor;
    unsigned failures;
};

struct world {
    struct load_options options;
    struct accounts accounts;
    struct otp_parameters parameters;
    struct judge *judges;
    struct plan_jobs *jobs;
    struct room room;
    struct plan plans[PLAN_COUNT];
    uint64_t verdicts[OTPRING_UNAVAILABLE + 1];
    uint64_t kinds[LOAD_KIND_COUNT];
};

static void world_begin(struct world *world, uint32_t account_count, const char *algorithm, bool totp, const char *mix,
                        uint32_t look_ahead)
{
    const struct kernel *kernel;
    *world = (struct world){0};
    load_options_default(&world->options);
    world->options.accounts = account_count;
    world->options.connections = PLAN_COUNT;
    world->options.algorithm = algorithm;
    world->options.totp = totp;
    world->options.look_ahead = look_ahead;
    assert_true(load_mix_parse(mix, world->options.mix));
    assert_false(result_failed(kernel_choose(NULL, &kernel)));
    assert_int_equal(accounts_create(&world->options, &world->accounts), 0);
    world->parameters = (struct otp_parameters){.type = totp ? OTP_TOTP : OTP_HOTP,
                                                .algorithm = world->accounts.algorithm,
                                                .digits = 6,
                                                .period_s = totp ? 1 : 0};
    world->judges = calloc(account_count, sizeof *world->judges);
    for (uint32_t i = 0; i < account_count; i++)
        assert_int_equal(accounts_seeds(&world->accounts, world->options.seed, i, 1, world->judges[i].seed), 0);
    world->jobs = jobs_create();
    for (uint32_t i = 0; i < PLAN_COUNT; i++)
        assert_int_equal(
            plan_create(&world->plans[i], &world->accounts, kernel, &world->options, world->jobs, i, &world->room), 0);
}

static void world_end(struct world *world)
{
    for (uint32_t i = 0; i < PLAN_COUNT; i++) plan_destroy(&world->plans[i]);
    jobs_destroy(world->jobs);
    room_free(&world->room);
    accounts_destroy(&world->accounts);
    free(world->judges);
}

static uint32_t code_of(const struct world *world, const struct judge *judge, uint64_t step)
{
    return otp_code(&world->parameters, judge->seed, accounts_seed_size(&world->accounts), step);
}

/* Steps from the floor to `last` may be accepted; the one below the floor is a replay where it is not below
 * `replay_first`. */
static unsigned judge_code(const struct world *world, struct judge *judge, uint32_t code, uint64_t first, uint64_t last,
                           uint64_t replay_first)
{
    for (uint64_t step = first > judge->floor ? first : judge->floor; step <= last; step++) {
        if (code_of(world, judge, step) != code) continue;
        judge->floor = step + 1;
        judge->failures = 0;
        return OTPRING_ACCEPTED;
    }
    if (judge->floor > replay_first && code_of(world, judge, judge->floor - 1) == code) return OTPRING_REPLAYED;
    judge->failures++;
    return OTPRING_REJECTED;
}

static unsigned judge_item(struct world *world, const struct plan *plan, const struct otpring_wire_query *query,
                           const struct plan_item *item, uint64_t unix_ms)
{
    uint32_t account = plan->order[item->place];
    struct judge *judge = &world->judges[account];
    uint64_t now_s = unix_ms / 1000;
    assert_memory_equal(query->company, world->accounts.company_name, 8);
    assert_memory_equal(query->account, world->accounts.names[account], 8);
    assert_int_equal(query->source, 0);
    assert_int_equal(query->digits, 6);
    assert_int_equal(query->kind, OTPRING_QUERY_CODE);
    assert_int_equal(query->source_class, 0);
    assert_int_equal(query->flags, 0);
    return world->options.totp ? judge_code(world, judge, query->code, now_s - 1, now_s + 1, now_s - 1)
                               : judge_code(world, judge, query->code, 0, judge->floor + world->options.look_ahead, 0);
}

/* One frame of one connection, sent and judged. Gives how many items it had. */
static uint32_t exchange(struct world *world, struct plan *plan, uint32_t count, uint64_t unix_ms)
{
    static struct otpring_wire_query queries[BATCH_MAX];
    static struct plan_item items[BATCH_MAX];
    static uint8_t expected[BATCH_MAX];
    uint32_t counted[OTPRING_UNAVAILABLE + 1] = {0}, told[OTPRING_UNAVAILABLE + 1] = {0};
    uint32_t filled = plan_fill(plan, unix_ms, count, &(struct plan_batch){queries, items, expected, told});
    for (uint32_t i = 0; i < filled; i++) {
        unsigned verdict = judge_item(world, plan, &queries[i], &items[i], unix_ms);
        assert_int_equal(verdict, expected[i]);
        assert_int_equal(plan_answered(plan, &items[i], expected[i], verdict), PLAN_EXPECTED);
        assert_true(world->judges[plan->order[items[i].place]].failures <= 1);
        counted[verdict]++;
        world->verdicts[verdict]++;
        world->kinds[items[i].kind]++;
    }
    assert_memory_equal(told, counted, sizeof told);
    return filled;
}

static void every_hotp_verdict_is_the_one_foreseen_whatever_the_hash_and_the_number_of_accounts(void **state)
{
    (void)state;
    static const char *const algorithms[] = {"sha1", "sha256", "sha512"};
    static const uint32_t account_counts[] = {2, 3, 31, 1100}, batches[] = {1, 7, BATCH_MAX};
    for (int a = 0; a < 3; a++) {
        for (int c = 0; c < 4; c++) {
            struct world world;
            world_begin(&world, account_counts[c], algorithms[a], false, every_kind, LOAD_LOOK_AHEAD_MAX);
            for (uint32_t frame = 0; frame < 24; frame++) {
                uint32_t batch = batches[frame / 2 % 3];
                assert_int_equal(exchange(&world, &world.plans[frame % PLAN_COUNT], batch, 0), batch);
            }
            world_end(&world);
        }
    }
}

static void no_code_is_farther_ahead_than_the_profile_looks(void **state)
{
    (void)state;
    for (uint32_t look_ahead = LOAD_LOOK_AHEAD_MIN; look_ahead <= 4; look_ahead++) {
        struct world world;
        world_begin(&world, 500, "sha1", false, "right:40,near:40,wrong:10,replayed:10", look_ahead);
        for (uint32_t frame = 0; frame < 40; frame++) exchange(&world, &world.plans[frame % PLAN_COUNT], BATCH_MAX, 0);
        assert_true(world.kinds[LOAD_NEAR] > 1000);
        world_end(&world);
    }
}

/* Which of two steps with one code the engine uses up is its own affair. */
static void a_code_that_two_steps_share_is_not_sent(void **state)
{
    (void)state;
    enum { ACCOUNTS = 200, REACH = 2, SHARED = 1000000 /* no real code of six digits */ };
    static struct otpring_wire_query queries[ACCOUNTS];
    static struct plan_item items[ACCOUNTS];
    static uint8_t expected[ACCOUNTS];
    for (uint32_t other = 1; other <= REACH; other++) {
        struct world world;
        uint32_t told[OTPRING_UNAVAILABLE + 1] = {0};
        world_begin(&world, PLAN_COUNT * ACCOUNTS, "sha1", false, "right:1,near:1", REACH);
        struct plan *plan = &world.plans[0];
        for (uint32_t i = 0; i < ACCOUNTS; i++) {
            struct plan_account *account = &plan->states[i];
            account->codes[account->next % PLAN_RING_COUNT] = SHARED;
            account->codes[(account->next + other) % PLAN_RING_COUNT] = SHARED;
            account->flags |= CLASHING;
        }
        assert_int_equal(plan_fill(plan, 0, ACCOUNTS, &(struct plan_batch){queries, items, expected, told}), ACCOUNTS);
        for (uint32_t i = 0; i < ACCOUNTS; i++) {
            assert_int_not_equal(queries[i].code, SHARED);
            assert_int_equal(items[i].step, REACH + 1 - other);
        }
        world_end(&world);
    }
}

static void every_totp_verdict_is_the_one_foreseen_and_an_account_waits_for_its_next_second(void **state)
{
    (void)state;
    struct world world;
    world_begin(&world, 200, "sha1", true, every_kind, LOAD_LOOK_AHEAD_MAX);
    for (uint64_t unix_ms = 1700000000000; unix_ms < 1700000012000; unix_ms += 250) {
        uint32_t filled = 0;
        for (uint32_t frame = 0; frame < 4; frame++)
            filled += exchange(&world, &world.plans[frame % PLAN_COUNT], BATCH_MAX, unix_ms);
        if (unix_ms % 1000 == 0) assert_true(filled >= 200);
    }
    assert_true(world.verdicts[OTPRING_ACCEPTED] > 1000 && world.verdicts[OTPRING_REPLAYED] > 10);
    assert_true(world.verdicts[OTPRING_REJECTED] > 10);
    world_end(&world);
}

/* No account is long in doubt or fails twice here, so each kind's share is what was asked for, but for chance and for
 * what may not follow a wrong code. */
static void the_mix_is_the_one_asked_for(void **state)
{
    (void)state;
    struct world world;
    uint32_t total = 0;
    world_begin(&world, 1000, "sha1", false, "right:80,near:10,wrong:5,replayed:5", LOAD_LOOK_AHEAD_MAX);
    for (uint32_t frame = 0; frame < 200; frame++) total += exchange(&world, &world.plans[frame % PLAN_COUNT], 250, 0);
    assert_int_equal(total, 50000);
    assert_in_range(world.kinds[LOAD_RIGHT], 39600, 40900);
    assert_in_range(world.kinds[LOAD_NEAR], 4700, 5300);
    assert_in_range(world.kinds[LOAD_WRONG], 2150, 2650);
    assert_in_range(world.kinds[LOAD_REPLAYED], 2200, 2700);
    world_end(&world);
}

/* Right answers to what was in doubt are whatever the engine did; then the walk goes on from there. */
static void after_unavailable_an_account_rests_and_goes_on_with_a_probe(void **state)
{
    (void)state;
    struct world world;
    struct otpring_wire_query query;
    struct plan_item item;
    uint8_t expected;
    world_begin(&world, 2, "sha1", false, every_kind, LOAD_LOOK_AHEAD_MAX);
    struct plan *plan = &world.plans[0];
    uint32_t told[OTPRING_UNAVAILABLE + 1] = {0};
    const struct plan_batch batch = {&query, &item, &expected, told};
    do {
        assert_int_equal(plan_fill(plan, 0, 1, &batch), 1);
        if (item.kind > LOAD_NEAR) judge_item(&world, plan, &query, &item, 0);
    } while (item.kind > LOAD_NEAR);
    uint32_t step = item.step;
    assert_int_equal(plan_answered(plan, &item, expected, OTPRING_UNAVAILABLE), PLAN_UNAVAILABLE);
    assert_true(plan->in_doubt);
    assert_int_equal(plan_fill(plan, 0, 1, &batch), 0);
    plan->frames_answered = plan->frames_sent;
    memset(told, 0, sizeof told);
    assert_int_equal(plan_fill(plan, 0, 1, &batch), 1);
    assert_int_equal(expected, 0);
    assert_int_equal(told[0], 1);
    assert_int_equal(item.step, step);
    unsigned verdict = judge_item(&world, plan, &query, &item, 0);
    assert_int_equal(verdict, OTPRING_ACCEPTED);
    assert_int_equal(plan_answered(plan, &item, expected, verdict), PLAN_EXPECTED);
    assert_int_equal(plan_answered(plan, &item, expected, OTPRING_THROTTLED), PLAN_UNEXPECTED);
    for (int i = 0; i < 40; i++) assert_int_equal(exchange(&world, plan, 5, 0), 5);
    world_end(&world);
}

static void a_plan_says_whether_accounts_wait_for_their_second(void **state)
{
    (void)state;
    struct world world;
    struct otpring_wire_query queries[3];
    struct plan_item items[3];
    uint8_t expected[3];
    uint32_t told[OTPRING_UNAVAILABLE + 1] = {0};
    const struct plan_batch batch = {queries, items, expected, told};
    world_begin(&world, 2 * PLAN_COUNT, "sha1", true, "right:1", LOAD_LOOK_AHEAD_MAX);
    struct plan *plan = &world.plans[0];
    assert_int_equal(plan_fill(plan, 1000000500, 3, &batch), 2);
    assert_true(plan->passed_over);
    assert_int_equal(plan_fill(plan, 1000000900, 1, &batch), 0);
    assert_true(plan->passed_over);
    assert_int_equal(plan_fill(plan, 1000001500, 2, &batch), 2);
    assert_false(plan->passed_over);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hotp_verdict_is_the_one_foreseen_whatever_the_hash_and_the_number_of_accounts),
        cmocka_unit_test(a_code_that_two_steps_share_is_not_sent),
        cmocka_unit_test(no_code_is_farther_ahead_than_the_profile_looks),
        cmocka_unit_test(every_totp_verdict_is_the_one_foreseen_and_an_account_waits_for_its_next_second),
        cmocka_unit_test(a_plan_says_whether_accounts_wait_for_their_second),
        cmocka_unit_test(the_mix_is_the_one_asked_for),
        cmocka_unit_test(after_unavailable_an_account_rests_and_goes_on_with_a_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
