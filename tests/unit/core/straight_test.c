/* The straight way against the general one: two engines alike, the same batches, one of them kept off the straight way.
 * Every record and every answer must be the same to the byte. */
#include "core/turn_state.h"
#include "helpers.h"

#include <string.h>

enum { TOKENS = 300, ROUNDS = 150, BATCH = 200, RECORDS = ROUNDS * BATCH };

static uint64_t seed = 99;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 20) % below);
}

struct side {
    struct fixture *fixture;
    struct token tokens[TOKENS];
    struct seen seen[RECORDS];
};

static struct side sides[2];

static void side_make(struct side *side)
{
    side->fixture = fixture_create(5);
    for (uint32_t i = 0; i < TOKENS; i++) {
        /* Mostly one token an account; every tenth account has two. */
        uint32_t user = i % 10 == 9 ? i - 1 : i;
        side->tokens[i] = fixture_token(side->fixture, 3, user, i % 3, i, i % 3 == PROFILE_HOTP ? i : 0);
    }
}

static void general_only(struct side *side)
{
    struct profile_cache *cache = side->fixture->workers[0]->turns->judge->profiles;
    profile_cache_refresh(cache, &side->fixture->core);
    for (int i = 0; i < CORE_PROFILES_MAX; i++) cache->profiles[i].straight = false;
    cache->words_s = INT64_MIN;
}

/* Which unknown names share a budget is up to the store's key, and each side has a store of its own. */
static void unknown_alike(void)
{
    struct core *core = &sides[1].fixture->core;
    unknown_destroy(core->unknown);
    assert_ok(unknown_create(core->options.unknown_entries, vault_table_secret(sides[0].fixture->core.vault),
                             &core->unknown));
}

/* How many were recorded by the stages: what both ways do alike shows nothing if it is done the same way. */
static uint32_t recorded_straight;

static void record_counted(const struct stage_record *record)
{
    const struct kernel *kernel;
    recorded_straight += (uint32_t)__builtin_popcountll(record->which);
    assert_ok(kernel_choose(NULL, &kernel));
    kernel->stages->record(record);
}

static struct kernel counting_kernel;
static struct kernel_stages counting_stages;

static void count_straight(struct core *core)
{
    counting_stages = *core->kernel->stages;
    counting_stages.record = record_counted;
    counting_kernel = *core->kernel;
    counting_kernel.stages = &counting_stages;
    core->kernel = &counting_kernel;
}

static void tokens_change(void)
{
    uint32_t which = draw(TOKENS), kind = draw(3);
    int8_t drift = (int8_t)((int)draw(5) - 2);
    for (int s = 0; s < 2; s++) {
        struct table_tail *tail = sides[s].tokens[which].hit.tail;
        if (kind == 0) atomic_fetch_or(&tail->flags, TABLE_SUSPENDED);
        if (kind == 1) atomic_fetch_and(&tail->flags, (uint8_t)~TABLE_SUSPENDED);
        if (kind == 2) atomic_store(&tail->drift, drift);
        atomic_fetch_add(&tail->token, 1);
    }
}

static struct otpring_wire_query query_draw(void)
{
    struct side *side = &sides[0];
    struct token *token = &side->tokens[draw(TOKENS)];
    int64_t middle = token->profile == PROFILE_HOTP
                         ? (int64_t)floor_of(token)
                         : (int64_t)totp_now(side->fixture, token) + atomic_load(&token->hit.tail->drift);
    uint32_t how = draw(20);
    int64_t step = how < 14 ? middle : how < 16 ? middle + 1 : how < 18 ? middle - 1 : middle + draw(40);
    uint32_t code = how == 19 ? draw(1000000) : token_code(side->fixture, token, (uint64_t)step);
    struct otpring_wire_query query = query_of(side->fixture, token, code);
    query.source = draw(1000000);
    query.source_class = draw(2);
    if (how == 18) query.account[0] ^= (uint8_t)draw(2); /* nobody's */
    return query;
}

static void both_ways_write_the_same_records_and_answers(void **state)
{
    (void)state;
    for (int s = 0; s < 2; s++) side_make(&sides[s]);
    unknown_alike();
    for (int s = 0; s < 2; s++) count_straight(&sides[s].fixture->core);
    uint32_t accepted = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct otpring_wire_query queries[BATCH];
        struct otpring_wire_answer answers[BATCH];
        for (int i = 0; i < BATCH; i++) queries[i] = query_draw();
        for (int i = 0; i < 5; i++) tokens_change();
        general_only(&sides[1]);
        memcpy(answers, ask(sides[0].fixture, queries, BATCH), sizeof answers);
        uint32_t straight = recorded_straight;
        const struct otpring_wire_answer *others = ask(sides[1].fixture, queries, BATCH);
        assert_int_equal(recorded_straight, straight);
        assert_memory_equal(answers, others, sizeof answers);
        for (int i = 0; i < BATCH; i++) accepted += answers[i].verdict == OTPRING_ACCEPTED;
        uint32_t ms = draw(40000);
        for (int s = 0; s < 2; s++) os_sim_advance_ms(sides[s].fixture->world, ms);
    }
    assert_true(accepted > RECORDS / 4 && recorded_straight > RECORDS / 6);
    for (int s = 0; s < 2; s++) assert_int_equal(fixture_records(sides[s].fixture, sides[s].seen, RECORDS), RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        assert_memory_equal(&sides[0].seen[i].verify, &sides[1].seen[i].verify, sizeof(struct slot_verify));
        assert_int_equal(sides[0].seen[i].record, sides[1].seen[i].record);
    }
    for (int i = 0; i < TOKENS; i++) {
        const struct table_tail *one = sides[0].tokens[i].hit.tail, *other = sides[1].tokens[i].hit.tail;
        assert_true(one->token == other->token && one->budget == other->budget);
        assert_true(one->drift == other->drift && one->flags == other->flags);
    }
    for (int s = 0; s < 2; s++) fixture_destroy(sides[s].fixture);
}

/* Hours of small turns bring a worker there. */
static void the_stages_are_passed_in_order_when_more_than_32_bits_of_chunks_went_before(void **state)
{
    (void)state;
    enum { ITEMS = 2 * CHUNK_ITEMS + 9 };
    struct fixture *fixture = fixture_create(6);
    struct token token = fixture_token(fixture, 3, 1, PROFILE_HOTP, 1, 0);
    fixture->workers[0]->turns->group->advanced = UINT32_MAX - 4;
    for (uint32_t round = 0; round < 12; round++) {
        /* Each code once, in order: a later one judged before an earlier one would make that REPLAYED. */
        struct otpring_wire_query queries[ITEMS];
        uint16_t count = round % 2 ? ITEMS : 1;
        uint32_t floor = floor_of(&token);
        for (uint16_t i = 0; i < count; i++)
            queries[i] = query_of(fixture, &token, token_code(fixture, &token, floor + i));
        const struct otpring_wire_answer *answers = ask(fixture, queries, count);
        for (uint16_t i = 0; i < count; i++) assert_int_equal(answers[i].verdict, OTPRING_ACCEPTED);
    }
    fixture_destroy(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_write_the_same_records_and_answers),
        cmocka_unit_test(the_stages_are_passed_in_order_when_more_than_32_bits_of_chunks_went_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
