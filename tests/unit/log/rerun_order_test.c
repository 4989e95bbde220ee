/* Records of several workers, brought into the order in which they were judged. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "otpring-log/rerun_order.h"
#include "otpring-log/rerun_policy.h"

enum { SLOTS_MAX = 64, GIVEN_MAX = 4096 };

struct world {
    struct order *order;
    struct journal_block_header header;
    uint8_t slots[SLOTS_MAX * JOURNAL_SLOT_SIZE];
    char given[GIVEN_MAX]; /* the letters of records, in the order given */
    size_t count;
    int64_t block_ms;
};

static struct result on_block(void *context, int64_t time_ms, const struct order_record *const *records, size_t count)
{
    struct world *world = context;
    (void)records;
    assert_true(time_ms >= world->block_ms);
    assert_true(count <= SLOTS_MAX);
    world->block_ms = time_ms;
    return result_ok();
}

/* A record's letter stands in a field that order does not look at. */
static struct result on_record(void *context, const struct order_record *record)
{
    struct world *world = context;
    assert_true(world->count + 1 < GIVEN_MAX);
    world->given[world->count++] = (char)(record->verify ? record->verify->source : record->act->uid);
    return result_ok();
}

static struct world *world_create(void)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    struct order_calls calls = {.block = on_block, .record = on_record, .context = world};
    assert_int_equal(order_create(&calls, &world->order).code, OK);
    return world;
}

static uint8_t *next_slot(struct world *world)
{
    assert_true(world->header.slot_count < SLOTS_MAX);
    uint8_t *slot = world->slots + world->header.slot_count++ * JOURNAL_SLOT_SIZE;
    memset(slot, 0, JOURNAL_SLOT_SIZE);
    return slot;
}

static struct slot_verify *verify(struct world *world, char letter, uint32_t account, enum otpring_verdict verdict,
                                  uint64_t token, uint64_t budget)
{
    struct slot_verify *slot = (void *)next_slot(world);
    *slot = (struct slot_verify){.token = token,
                                 .budget = budget,
                                 .source = (uint64_t)letter,
                                 .ordinal = token ? account : UINT32_MAX,
                                 .first_ordinal = account,
                                 .verdict = (uint8_t)verdict,
                                 .kind = SLOT_VERIFY};
    memcpy(slot->name, &account, sizeof account);
    return slot;
}

static void act(struct world *world, char letter, uint32_t account, enum core_act kind, uint64_t token)
{
    struct slot_act *slot = (void *)next_slot(world);
    *slot = (struct slot_act){
        .token = token, .ordinal = account, .uid = (uint32_t)letter, .act = (uint16_t)kind, .kind = SLOT_ACT};
    memcpy(slot->name, &account, sizeof account);
}

static struct result block_try(struct world *world)
{
    world->header.position++;
    world->header.time_ms += 3;
    struct journal_block_view view = {.header = &world->header, .slots = world->slots};
    struct result result = order_block(world->order, &view);
    world->header.slot_count = 0;
    return result;
}

static void block(struct world *world)
{
    assert_int_equal(block_try(world).code, OK);
}

static void expect(struct world *world, const char *letters, uint64_t moved)
{
    assert_int_equal(order_end(world->order).code, OK);
    world->given[world->count] = 0;
    assert_string_equal(world->given, letters);
    assert_int_equal(order_moved(world->order), moved);
    order_destroy(world->order);
    free(world);
}

static uint64_t word(uint32_t floor)
{
    return token_word(floor, 1);
}

static uint64_t failed(uint32_t time_s, uint8_t failures)
{
    return budget_word(time_s, 0, failures, 0);
}

static void records_in_order_stay_where_they_are(void **state)
{
    (void)state;
    struct world *world = world_create();
    verify(world, 'a', 1, OTPRING_ACCEPTED, word(5), 0);
    verify(world, 'b', 2, OTPRING_REJECTED, 0, failed(10, 1));
    block(world);
    verify(world, 'c', 1, OTPRING_REPLAYED, word(5), 0);
    verify(world, 'd', 2, OTPRING_REJECTED, 0, failed(11, 2));
    verify(world, 'e', 2, OTPRING_THROTTLED, 0, failed(11, 2));
    block(world);
    act(world, 'f', 1, ACT_TOKEN_SUSPEND, token_word(5, 2));
    verify(world, 'g', 1, OTPRING_INACTIVE, 0, failed(12, 1));
    block(world);
    expect(world, "abcdefg", 0);
}

static void what_consumed_a_step_comes_before_whom_it_replayed(void **state)
{
    (void)state;
    struct world *world = world_create();
    verify(world, 'x', 9, OTPRING_ACCEPTED, word(7), 0);
    verify(world, 'r', 1, OTPRING_REPLAYED, word(5), 0);
    block(world);
    verify(world, 'y', 8, OTPRING_ACCEPTED, word(7), 0);
    verify(world, 'a', 1, OTPRING_ACCEPTED, word(5), 0);
    block(world);
    expect(world, "xary", 1);
}

static void failures_come_in_the_order_in_which_they_were_charged(void **state)
{
    (void)state;
    struct world *world = world_create();
    verify(world, 'c', 1, OTPRING_REJECTED, 0, failed(10, 3));
    verify(world, 't', 1, OTPRING_THROTTLED, 0, failed(10, 3));
    block(world);
    verify(world, 'b', 1, OTPRING_REJECTED, 0, failed(10, 2));
    block(world);
    verify(world, 'a', 1, OTPRING_REJECTED, 0, failed(10, 1));
    block(world);
    expect(world, "abct", 2);
}

static void a_code_accepted_without_failures_comes_before_the_failure_behind_it(void **state)
{
    (void)state;
    struct world *world = world_create();
    verify(world, 'f', 1, OTPRING_REJECTED, 0, failed(10, 1));
    block(world);
    verify(world, 'a', 1, OTPRING_ACCEPTED, word(4), 0);
    block(world);
    verify(world, 'b', 1, OTPRING_ACCEPTED, word(5), failed(10, 0) + (1u << 16));
    block(world);
    expect(world, "afb", 1);
}

static void of_names_without_account_the_count_within_a_second_is_no_order(void **state)
{
    (void)state;
    struct world *world = world_create();
    verify(world, 'a', UINT32_MAX, OTPRING_UNKNOWN, 0, budget_word(10, 1, 2, 0));
    block(world);
    verify(world, 'b', UINT32_MAX, OTPRING_THROTTLED, 0, budget_word(10, 0, 2, 0));
    block(world);
    expect(world, "ab", 0);
}

static void attempts_under_the_old_policy_come_before_those_under_the_new(void **state)
{
    (void)state;
    struct world *world = world_create();
    verify(world, 'a', 1, OTPRING_ACCEPTED, word(4), 0)->policy = 65535;
    block(world);
    verify(world, 'c', 2, OTPRING_ACCEPTED, word(4), 0)->policy = 0;
    block(world);
    verify(world, 'b', 3, OTPRING_ACCEPTED, word(4), 0)->policy = 65535;
    verify(world, 'd', 3, OTPRING_ACCEPTED, word(5), 0)->policy = 0;
    block(world);
    expect(world, "abcd", 1);
}

static void a_suspension_comes_before_whom_it_barred_and_behind_earlier_acts(void **state)
{
    (void)state;
    struct world *world = world_create();
    verify(world, 'i', 1, OTPRING_INACTIVE, 0, failed(10, 1));
    block(world);
    act(world, 's', 1, ACT_TOKEN_SUSPEND, token_word(3, 2));
    block(world);
    /* Barred by the first one; the second must not come before what made it active again. */
    verify(world, 'j', 1, OTPRING_INACTIVE, 0, failed(11, 2));
    act(world, 'r', 1, ACT_TOKEN_RESUME, token_word(3, 3));
    block(world);
    act(world, 't', 1, ACT_TOKEN_SUSPEND, token_word(3, 4));
    block(world);
    expect(world, "sijrt", 1);
}

static void what_is_long_past_is_not_waited_for(void **state)
{
    (void)state;
    struct world *world = world_create();
    char letters[300] = "r";
    verify(world, 'r', 1, OTPRING_REPLAYED, word(5), 0);
    block(world);
    for (unsigned i = 0; i < 200; i++) {
        verify(world, '.', 9, OTPRING_ACCEPTED, word(i + 1), 0);
        block(world);
        strcat(letters, ".");
    }
    verify(world, 'a', 1, OTPRING_ACCEPTED, word(5), 0);
    block(world);
    strcat(letters, "a");
    expect(world, letters, 0);
}

static void a_slot_that_begins_no_record_is_corruption(void **state)
{
    (void)state;
    struct world *world = world_create();
    next_slot(world)[63] = 77;
    assert_int_equal(block_try(world).code, JOURNAL_CORRUPT);
    act(world, 'a', 1, ACT_TOKEN_ADD, 1);
    ((struct slot_act *)(void *)world->slots)->slot_count = 1;
    assert_int_equal(block_try(world).code, JOURNAL_CORRUPT);
    act(world, 'a', 1, ACT_TOKEN_ADD, 1);
    ((struct slot_act *)(void *)world->slots)->payload_size = 1;
    assert_int_equal(block_try(world).code, JOURNAL_CORRUPT);
    order_destroy(world->order);
    free(world);
}

static void a_policy_is_read_as_it_is_written(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "window",
                                      "window=",
                                      "window=-1",
                                      "window=11",
                                      "windows=1",
                                      "window=1,",
                                      ",window=1",
                                      "window=1 ",
                                      "window=99999999999",
                                      "throttle-base=0",
                                      "throttle-max=604801",
                                      "look-ahead=101"};
    struct rerun_policy policy = {0};
    assert_false(rerun_policy_any(&policy));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(rerun_policy_parse(bad[i], &policy));
    policy = (struct rerun_policy){0};
    assert_true(rerun_policy_parse("window=2,window-ahead=3,throttle-base=1000", &policy));
    struct profile_row row = {.window_behind = 1, .look_ahead = 10, .throttle_base_s = 2, .throttle_max_s = 900};
    rerun_policy_apply(&policy, &row);
    assert_true(rerun_policy_any(&policy));
    assert_int_equal(row.window_behind, 2);
    assert_int_equal(row.window_ahead, 3);
    assert_int_equal(row.look_ahead, 10);
    assert_int_equal(row.throttle_base_s, 1000);
    assert_int_equal(row.throttle_max_s, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_in_order_stay_where_they_are),
        cmocka_unit_test(what_consumed_a_step_comes_before_whom_it_replayed),
        cmocka_unit_test(failures_come_in_the_order_in_which_they_were_charged),
        cmocka_unit_test(a_code_accepted_without_failures_comes_before_the_failure_behind_it),
        cmocka_unit_test(of_names_without_account_the_count_within_a_second_is_no_order),
        cmocka_unit_test(attempts_under_the_old_policy_come_before_those_under_the_new),
        cmocka_unit_test(a_suspension_comes_before_whom_it_barred_and_behind_earlier_acts),
        cmocka_unit_test(what_is_long_past_is_not_waited_for),
        cmocka_unit_test(a_slot_that_begins_no_record_is_corruption),
        cmocka_unit_test(a_policy_is_read_as_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
