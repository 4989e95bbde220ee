/* The two ways to ask memory for lines: which one a worker finds out to be faster, and that turns then go that way. */
#include "core/bursts.h"

#include <stdlib.h>

#include "core/turn_state.h"
#include "helpers.h"

enum { ITEMS = 1024 };

/* So many turns that count, each of which takes `ns` by the way it went; gives how many of them were measured. */
static unsigned turns_go(struct bursts *bursts, unsigned count, const uint64_t ns[2])
{
    unsigned measured = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!bursts_begin(bursts, ITEMS)) continue;
        measured++;
        bursts_took(bursts, ITEMS, ns[bursts->now]);
    }
    return measured;
}

static void the_faster_way_is_taken_after_a_trial_and_again_when_that_changes(void **state)
{
    (void)state;
    const uint64_t spread_is_faster[2] = {100000, 150000}, bursts_are_faster[2] = {150000, 100000};
    struct bursts bursts = bursts_of(CORE_LOADS_TRIED);
    assert_true(bursts.chosen);
    assert_int_equal(turns_go(&bursts, BURSTS_FIRST, spread_is_faster), 0);
    assert_int_equal(turns_go(&bursts, BURSTS_TRIAL, spread_is_faster), BURSTS_TRIAL);
    assert_false(bursts.chosen);
    assert_int_equal(turns_go(&bursts, BURSTS_PAUSE, bursts_are_faster), 0);
    assert_false(bursts.now);
    assert_int_equal(turns_go(&bursts, BURSTS_TRIAL, bursts_are_faster), BURSTS_TRIAL);
    assert_true(bursts.chosen);
    assert_int_equal(turns_go(&bursts, BURSTS_PAUSE, spread_is_faster), 0);
    assert_int_equal(turns_go(&bursts, 1, spread_is_faster), 1);
}

static void nearly_as_fast_is_no_reason_to_change_and_neither_is_a_clock_that_stands(void **state)
{
    (void)state;
    const uint64_t ns = 100 * ITEMS, limit = ns - ns / BURSTS_GAIN;
    const uint64_t near_by[][2] = {{limit, ns}, {limit + 1, ns}, {ns, ns}, {0, 0}};
    for (size_t i = 0; i < sizeof near_by / sizeof *near_by; i++) {
        struct bursts bursts = bursts_of(CORE_LOADS_TRIED);
        turns_go(&bursts, BURSTS_FIRST + BURSTS_TRIAL, near_by[i]);
        assert_true(bursts.chosen);
    }
    struct bursts bursts = bursts_of(CORE_LOADS_TRIED);
    turns_go(&bursts, BURSTS_FIRST + BURSTS_TRIAL, (const uint64_t[2]){limit - 1, ns});
    assert_false(bursts.chosen);
}

static void turns_that_were_disturbed_do_not_count(void **state)
{
    (void)state;
    struct bursts bursts = bursts_of(CORE_LOADS_TRIED);
    const uint64_t undisturbed[2] = {150000, 100000};
    turns_go(&bursts, BURSTS_FIRST, undisturbed);
    for (unsigned i = 0; i < BURSTS_TRIAL; i++) {
        assert_true(bursts_begin(&bursts, ITEMS));
        bool quiet = i / 2 == BURSTS_TRIAL / 4;
        bursts_took(&bursts, ITEMS, undisturbed[bursts.now] * (quiet ? 1 : bursts.now ? 9 : 2));
    }
    assert_true(bursts.chosen);
}

static void turns_are_compared_by_the_item(void **state)
{
    (void)state;
    struct bursts bursts = bursts_of(CORE_LOADS_TRIED);
    turns_go(&bursts, BURSTS_FIRST, (const uint64_t[2]){0, 0});
    for (unsigned i = 0; i < BURSTS_TRIAL; i++) {
        uint32_t items = i & 1 ? 4096 : 256;
        assert_true(bursts_begin(&bursts, items));
        bursts_took(&bursts, items, (uint64_t)items * (bursts.now ? 100 : 150));
    }
    assert_true(bursts.chosen);
}

static void small_turns_and_a_way_that_was_given_are_not_tried(void **state)
{
    (void)state;
    struct bursts bursts = bursts_of(CORE_LOADS_TRIED);
    for (int i = 0; i < 1000; i++) assert_false(bursts_begin(&bursts, BURSTS_ITEMS_MIN - 1));
    assert_int_equal(bursts.pause, BURSTS_FIRST);
    for (int i = 0; i < BURSTS_FIRST; i++) assert_false(bursts_begin(&bursts, BURSTS_ITEMS_MIN));
    assert_true(bursts_begin(&bursts, BURSTS_ITEMS_MIN));
    for (int loads = CORE_LOADS_IN_BURSTS; loads <= CORE_LOADS_SPREAD; loads++) {
        bursts = bursts_of((enum core_loads)loads);
        for (int i = 0; i < 1000; i++) {
            assert_false(bursts_begin(&bursts, ITEMS));
            assert_int_equal(bursts.now, loads == CORE_LOADS_IN_BURSTS);
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
    assert_int_equal(core_worker_loads(f->workers[0]), CORE_LOADS_IN_BURSTS);
    for (int i = 0; i < BURSTS_FIRST; i++) {
        turn_of(f, &token, BURSTS_ITEMS_MIN);
        assert_true(asked.batches[1] > 0);
        assert_int_equal(asked.batches[0], 0);
    }
    for (int i = 0; i < BURSTS_TRIAL; i++) {
        turn_of(f, &token, BURSTS_ITEMS_MIN);
        assert_true(asked.batches[i & 1] > 0);
        assert_int_equal(asked.batches[!(i & 1)], 0);
    }
    assert_int_equal(core_worker_loads(f->workers[0]), CORE_LOADS_SPREAD);
    turn_of(f, &token, BURSTS_ITEMS_MIN);
    assert_true(asked.batches[0] > 0);
    assert_int_equal(asked.batches[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_faster_way_is_taken_after_a_trial_and_again_when_that_changes),
        cmocka_unit_test(nearly_as_fast_is_no_reason_to_change_and_neither_is_a_clock_that_stands),
        cmocka_unit_test(turns_that_were_disturbed_do_not_count),
        cmocka_unit_test(turns_are_compared_by_the_item),
        cmocka_unit_test(small_turns_and_a_way_that_was_given_are_not_tried),
        cmocka_unit_test_setup_teardown(turns_go_the_way_that_the_worker_found_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
