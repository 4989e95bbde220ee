/* When a turn begins: how many are in flight, of small frames and of large ones. */
#include "core/turn_state.h"
#include "helpers.h"

static int setup(void **state)
{
    *state = fixture_create(2);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static struct frame verify(struct fixture *f, uint16_t slot, const struct otpring_wire_query *queries, uint16_t count)
{
    return frame_of(f, slot, OTPRING_WIRE_VERIFY, queries, count);
}

static void turns_in_flight_are_bounded_and_say_full(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 7, 1, PROFILE_HOTP, 1, 0);
    struct otpring_wire_query queries[8];
    uint32_t before = f->answered[0].frames;
    for (uint16_t i = 0; i < 8; i++) {
        queries[i] = query_of(f, &token, token_code(f, &token, i));
        struct frame frame = verify(f, i, queries + i, 1);
        assert_int_equal(frame_offer(f, 0, &frame, NULL), i < DEPTH_TURNS ? CORE_TAKEN : CORE_FULL);
        core_turn(f->workers[0]);
    }
    worker_settle(f, 0);
    assert_int_equal(f->answered[0].frames, before + DEPTH_TURNS);
    f->sequences[5]--;
    struct frame again = verify(f, 5, queries + 5, 1);
    assert_int_equal(frame_ask(f, 0, &again)->verdict, OTPRING_ACCEPTED);
}

static void wrong_codes(struct fixture *f, unsigned number, struct otpring_wire_query *ret_queries, unsigned count)
{
    struct token token = fixture_token(f, 7, number, PROFILE_HOTP, number, 0);
    for (unsigned i = 0; i < count; i++) ret_queries[i] = query_of(f, &token, 1);
}

/* As many turns of small frames as may be in flight, in the first slots. */
static void small_turns_begin(struct fixture *f, const struct otpring_wire_query *queries, uint16_t count)
{
    for (uint16_t i = 0; i < DEPTH_TURNS; i++) {
        struct frame frame = verify(f, i, queries, count);
        assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
        core_turn(f->workers[0]);
    }
}

static void large_frames_begin_turns_that_small_ones_wait_for(void **state)
{
    enum { LARGE = 256 };
    struct fixture *f = *state;
    static struct otpring_wire_query queries[LARGE];
    wrong_codes(f, 3, queries, LARGE);
    uint32_t before = f->answered[0].frames;
    small_turns_begin(f, queries, LARGE - 1);
    struct frame less = verify(f, 7, queries, LARGE - 1);
    for (uint16_t i = DEPTH_TURNS; i < 7; i++) {
        struct frame large = verify(f, i, queries, LARGE);
        assert_int_equal(frame_offer(f, 0, &less, NULL), CORE_FULL);
        assert_int_equal(frame_offer(f, 0, &large, NULL), CORE_TAKEN);
        if (i < 6) core_turn(f->workers[0]);
    }
    assert_int_equal(frame_offer(f, 0, &less, NULL), CORE_TAKEN); /* into a turn that a large one began */
    core_turn(f->workers[0]);
    worker_settle(f, 0);
    assert_int_equal(f->answered[0].frames, before + 8);
}

/* However many turns of large ones are in flight. */
static void small_frames_wait_for_turns_of_small_ones_alone(void **state)
{
    enum { LARGE = 256 };
    struct fixture *f = *state;
    static struct otpring_wire_query queries[LARGE];
    wrong_codes(f, 6, queries, LARGE);
    for (uint16_t i = 0; i < 5; i++) {
        struct frame large = verify(f, i, queries, LARGE);
        assert_int_equal(frame_offer(f, 0, &large, NULL), CORE_TAKEN);
        core_turn(f->workers[0]);
    }
    struct frame small = verify(f, 5, queries, 1);
    assert_int_equal(frame_offer(f, 0, &small, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    worker_settle(f, 0);
}

static void small_frames_begin_turns_after_one_that_was_nearly_full(void **state)
{
    enum { NEARLY_FULL = 4096 / 4 * 3 };
    struct fixture *f = *state;
    static struct otpring_wire_query queries[NEARLY_FULL];
    wrong_codes(f, 5, queries, NEARLY_FULL);
    small_turns_begin(f, queries, 1);
    struct frame small = verify(f, 7, queries, 1);
    for (uint16_t i = DEPTH_TURNS; i < DEPTH_TURNS + 2; i++) {
        struct frame large = verify(f, i, queries, i == DEPTH_TURNS ? NEARLY_FULL - 1 : NEARLY_FULL);
        assert_int_equal(frame_offer(f, 0, &small, NULL), CORE_FULL);
        assert_int_equal(frame_offer(f, 0, &large, NULL), CORE_TAKEN);
        core_turn(f->workers[0]);
    }
    assert_int_equal(frame_offer(f, 0, &small, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    struct frame after = verify(f, 6, queries, 1);
    assert_int_equal(frame_offer(f, 0, &after, NULL), CORE_FULL);
    worker_settle(f, 0);
}

static void all_turns_in_flight_are_full_for_large_frames_too(void **state)
{
    enum { LARGE = 256 };
    struct fixture *f = *state;
    static struct otpring_wire_query queries[LARGE];
    uint64_t session = fixture_session(f, &f->client, 1, 1);
    wrong_codes(f, 4, queries, LARGE);
    for (uint16_t i = 0; i < 8; i++) {
        struct frame large = verify(f, i, queries, LARGE);
        assert_int_equal(frame_offer(f, 0, &large, NULL), CORE_TAKEN);
        core_turn(f->workers[0]);
    }
    struct frame one_more = verify(f, 0, queries, LARGE), elsewhere = verify(f, 0, queries, 1);
    elsewhere.header.session = session;
    elsewhere.header.sequence = 1;
    f->sequences[0]--;
    assert_int_equal(frame_offer(f, 0, &one_more, NULL), CORE_FULL);
    /* The journal has places for another worker's, and for records. */
    assert_int_equal(frame_offer(f, 1, &elsewhere, NULL), CORE_TAKEN);
    core_turn(f->workers[1]);
    worker_settle(f, 0);
    worker_settle(f, 1);
    assert_int_equal(frame_offer(f, 0, &one_more, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    worker_settle(f, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(turns_in_flight_are_bounded_and_say_full),
        TEST(large_frames_begin_turns_that_small_ones_wait_for),
        TEST(small_frames_wait_for_turns_of_small_ones_alone),
        TEST(small_frames_begin_turns_after_one_that_was_nearly_full),
        TEST(all_turns_in_flight_are_full_for_large_frames_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
