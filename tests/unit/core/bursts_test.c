/* The two ways to ask memory for lines: which one a worker finds out to be faster, and that turns then go that way. */
#include "core/bursts.h"

#include "core/turn_state.h"
#include "helpers.h"

enum { ITEMS = 1024 };

/* So many turns that count, each of which takes `ns` by the way it went; gives how many of them were measured. */
static unsigned turns_go(struct bursts_trial *trial, unsigned count, const uint64_t ns[2])
{
    unsigned measured = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!bursts_begin(trial, ITEMS)) continue;
        measured++;
        bursts_took(trial, ITEMS, ns[trial->way]);
    }
    return measured;
}

static void the_faster_way_is_taken_after_a_trial_and_again_when_that_changes(void **state)
{
    (void)state;
    const uint64_t spread_is_faster[2] = {100000, 150000}, bursts_are_faster[2] = {150000, 100000};
    struct bursts_trial trial = bursts_of(CORE_LOADS_TRIED);
    assert_true(trial.chosen);
    assert_int_equal(turns_go(&trial, BURSTS_FIRST, spread_is_faster), 0);
    assert_int_equal(turns_go(&trial, BURSTS_TRIAL, spread_is_faster), BURSTS_TRIAL);
    assert_false(trial.chosen);
    assert_int_equal(turns_go(&trial, BURSTS_PAUSE, bursts_are_faster), 0);
    assert_false(trial.way);
    assert_int_equal(turns_go(&trial, BURSTS_TRIAL, bursts_are_faster), BURSTS_TRIAL);
    assert_true(trial.chosen);
    assert_int_equal(turns_go(&trial, BURSTS_PAUSE, spread_is_faster), 0);
    assert_int_equal(turns_go(&trial, 1, spread_is_faster), 1);
}

static void nearly_as_fast_is_no_reason_to_change_and_neither_is_a_clock_that_stands(void **state)
{
    (void)state;
    const uint64_t ns = 100 * ITEMS, limit = ns - ns / BURSTS_GAIN;
    const uint64_t near_by[][2] = {{limit, ns}, {limit + 1, ns}, {ns, ns}, {0, 0}};
    for (size_t i = 0; i < sizeof near_by / sizeof *near_by; i++) {
        struct bursts_trial trial = bursts_of(CORE_LOADS_TRIED);
        turns_go(&trial, BURSTS_FIRST + BURSTS_TRIAL, near_by[i]);
        assert_true(trial.chosen);
    }
    struct bursts_trial trial = bursts_of(CORE_LOADS_TRIED);
    turns_go(&trial, BURSTS_FIRST + BURSTS_TRIAL, (const uint64_t[2]){limit - 1, ns});
    assert_false(trial.chosen);
}

/* Which way was chosen, where turn i of a trial takes so long. */
static bool chosen_after(uint64_t (*ns)(unsigned turn, bool way))
{
    struct bursts_trial trial = bursts_of(CORE_LOADS_TRIED);
    turns_go(&trial, BURSTS_FIRST, (const uint64_t[2]){0, 0});
    for (unsigned i = 0; i < BURSTS_TRIAL; i++) {
        assert_true(bursts_begin(&trial, ITEMS));
        bursts_took(&trial, ITEMS, ns(i, trial.way));
    }
    return trial.chosen;
}

static uint64_t bursts_disturbed_but_for_four(unsigned turn, bool way)
{
    return !way ? 150000 : turn < 8 ? 100000 : 900000;
}

static uint64_t spread_with_three_that_had_nothing_to_do(unsigned turn, bool way)
{
    return way ? 100000 : turn < 6 ? 1000 : 150000;
}

static uint64_t two_senders_in_turn(unsigned turn, bool way)
{
    (void)way;
    return turn & 1 ? 900000 : 100000;
}

static uint64_t two_senders_the_other_way_round(unsigned turn, bool way)
{
    (void)way;
    return turn & 1 ? 100000 : 900000;
}

static void neither_disturbed_turns_nor_few_cheap_ones_nor_senders_in_turn_decide(void **state)
{
    (void)state;
    assert_true(chosen_after(bursts_disturbed_but_for_four));
    assert_true(chosen_after(spread_with_three_that_had_nothing_to_do));
    assert_true(chosen_after(two_senders_in_turn));
    assert_true(chosen_after(two_senders_the_other_way_round));
}

static void turns_are_compared_by_the_item(void **state)
{
    (void)state;
    struct bursts_trial trial = bursts_of(CORE_LOADS_TRIED);
    turns_go(&trial, BURSTS_FIRST, (const uint64_t[2]){0, 0});
    for (unsigned i = 0; i < BURSTS_TRIAL; i++) {
        assert_true(bursts_begin(&trial, ITEMS));
        uint32_t items = trial.way ? 4096 : 256; /* by the turn it is bursts that take longer */
        bursts_took(&trial, items, (uint64_t)items * (trial.way ? 100 : 150));
    }
    assert_true(trial.chosen);
}

static void small_turns_and_a_way_that_was_given_are_not_tried(void **state)
{
    (void)state;
    struct bursts_trial trial = bursts_of(CORE_LOADS_TRIED);
    for (int i = 0; i < 1000; i++) assert_false(bursts_begin(&trial, BURSTS_ITEMS_MIN - 1));
    assert_int_equal(trial.pause, BURSTS_FIRST);
    for (int i = 0; i < BURSTS_FIRST; i++) assert_false(bursts_begin(&trial, BURSTS_ITEMS_MIN));
    assert_true(bursts_begin(&trial, BURSTS_ITEMS_MIN));
    for (int loads = CORE_LOADS_IN_BURSTS; loads <= CORE_LOADS_SPREAD; loads++) {
        trial = bursts_of((enum core_loads)loads);
        for (int i = 0; i < 1000; i++) {
            assert_false(bursts_begin(&trial, ITEMS));
            assert_int_equal(trial.way, loads == CORE_LOADS_IN_BURSTS);
        }
    }
}

/* ---- a worker's turns, by a kernel that says how it was asked, on a clock that only hashing moves ---- */

static struct {
    const struct kernel *real;
    struct kernel kernel;
    struct os_functions os;
    uint64_t now_ns;
    uint64_t batch_ns[2]; /* by the way */
    unsigned batches[2];  /* that had something to load */
} asked;

static void match_asked(const struct kernel_match *match)
{
    if (match->prefetch) asked.batches[match->bursts]++;
    asked.now_ns += asked.batch_ns[match->bursts];
    asked.real->match[KERNEL_SHA1](match);
}

static uint64_t asked_ns(struct os *os)
{
    (void)os;
    return asked.now_ns;
}

static int setup(void **state)
{
    struct fixture *f = fixture_create(1);
    asked.real = f->core.kernel;
    asked.kernel = *asked.real;
    asked.kernel.match[KERNEL_SHA1] = match_asked;
    f->core.kernel = &asked.kernel;
    asked.os = *f->worker_os[0]->functions;
    asked.os.monotonic_ns = asked_ns;
    f->worker_os[0]->functions = &asked.os;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

/* Replayed codes, which charge nothing. */
static void turn_of(struct fixture *f, const struct token *token, uint16_t items)
{
    static struct otpring_wire_query queries[ITEMS];
    for (uint16_t i = 0; i < items; i++) queries[i] = query_of(f, token, token_code(f, token, 0));
    asked.batches[0] = asked.batches[1] = 0;
    ask(f, queries, items);
}

static void turns_go_the_way_that_the_worker_found_out(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 1);
    asked.batch_ns[0] = 1000;
    asked.batch_ns[1] = 2000;
    assert_true(f->workers[0]->turns->trial.chosen);
    for (int i = 0; i < BURSTS_FIRST; i++) {
        turn_of(f, &token, BURSTS_ITEMS_MIN);
        assert_true(asked.batches[1] > 0);
        assert_int_equal(asked.batches[0], 0);
    }
    for (int i = 0; i < BURSTS_TRIAL; i++) {
        turn_of(f, &token, BURSTS_ITEMS_MIN);
        bool way = f->workers[0]->turns->trial.way;
        assert_true(asked.batches[way] > 0);
        assert_int_equal(asked.batches[!way], 0);
    }
    assert_false(f->workers[0]->turns->trial.chosen);
    turn_of(f, &token, BURSTS_ITEMS_MIN);
    assert_true(asked.batches[0] > 0);
    assert_int_equal(asked.batches[1], 0);
}

/* 256 pairs of adjacent codes search far: their time says nothing of loads. */
static void a_turn_of_other_things_than_codes_is_none_of_a_trial(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 1);
    static struct otpring_wire_pair pairs[BURSTS_ITEMS_MIN];
    const struct bursts_trial *trial = &f->workers[0]->turns->trial;
    for (int i = 0; i < BURSTS_FIRST + 1; i++) turn_of(f, &token, BURSTS_ITEMS_MIN);
    assert_int_equal(trial->tried, 1);
    for (int i = 0; i < BURSTS_ITEMS_MIN; i++) pairs[i].query = query_of(f, &token, 0);
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_RESYNC, pairs, BURSTS_ITEMS_MIN);
    frame_ask(f, 0, &frame);
    assert_int_equal(trial->tried, 1);
    turn_of(f, &token, BURSTS_ITEMS_MIN);
    assert_int_equal(trial->tried, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_faster_way_is_taken_after_a_trial_and_again_when_that_changes),
        cmocka_unit_test(nearly_as_fast_is_no_reason_to_change_and_neither_is_a_clock_that_stands),
        cmocka_unit_test(neither_disturbed_turns_nor_few_cheap_ones_nor_senders_in_turn_decide),
        cmocka_unit_test(turns_are_compared_by_the_item),
        cmocka_unit_test(small_turns_and_a_way_that_was_given_are_not_tried),
        cmocka_unit_test_setup_teardown(turns_go_the_way_that_the_worker_found_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_turn_of_other_things_than_codes_is_none_of_a_trial, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
