/* Turns in flight: which disks a worker finds out to take one block after another, and what it does on them. */
#include "core/depth.h"

#include "core/turn_state.h"
#include "helpers.h"

enum { MS = 1000000, BLOCK_NS = 10 * MS };

/* When a block is durable that was appended at now_ns, the one before it at before_ns. */
typedef uint64_t disk_function(uint64_t now_ns, uint64_t before_ns);

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

static uint64_t one_after_another(uint64_t now_ns, uint64_t before_ns)
{
    return later(now_ns, before_ns) + BLOCK_NS;
}

static uint64_t together(uint64_t now_ns, uint64_t before_ns)
{
    return later(now_ns + BLOCK_NS, before_ns);
}

static uint64_t nearly_slow(uint64_t now_ns, uint64_t before_ns)
{
    return later(now_ns, before_ns) + DEPTH_SLOW_NS - 8;
}

static uint64_t fast(uint64_t now_ns, uint64_t before_ns)
{
    return later(now_ns, before_ns) + DEPTH_FAST_NS - 8;
}

/* A worker that always has small frames: it begins turns as long as it may. */
struct loaded {
    struct depth depth;
    uint64_t now_ns;
    uint64_t before_ns;
    struct {
        struct depth_block block;
        uint64_t durable_ns;
    } flying[DEPTH_TURNS];
    uint32_t count;
};

static void fill(struct loaded *loaded, disk_function *disk)
{
    while (loaded->count < loaded->depth.turns) {
        loaded->before_ns = disk(loaded->now_ns, loaded->before_ns);
        loaded->flying[loaded->count].block =
            (struct depth_block){.appended_ns = loaded->now_ns, .alone = loaded->count == 0};
        loaded->flying[loaded->count++].durable_ns = loaded->before_ns;
    }
}

static void blocks_go(struct loaded *loaded, disk_function *disk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        fill(loaded, disk);
        loaded->now_ns = loaded->flying[0].durable_ns;
        depth_settled(&loaded->depth, &loaded->flying[0].block, loaded->now_ns);
        loaded->count--;
        for (uint32_t j = 0; j < loaded->count; j++) loaded->flying[j] = loaded->flying[j + 1];
    }
}

static struct loaded loaded_make(void)
{
    return (struct loaded){.depth = depth_make(), .now_ns = 1000 * (uint64_t)BLOCK_NS};
}

/* So many blocks and more as end the trial under way. */
static void trial_go(struct loaded *loaded, disk_function *disk, unsigned count)
{
    blocks_go(loaded, disk, count);
    for (unsigned i = 0; i < 2 * DEPTH_HALF && loaded->depth.trial != DEPTH_RESTS; i++) blocks_go(loaded, disk, 1);
    assert_int_equal(loaded->depth.trial, DEPTH_RESTS);
    assert_int_equal(loaded->depth.turns, loaded->depth.chosen);
}

static void a_disk_that_takes_one_block_after_another_gets_one(void **state)
{
    (void)state;
    struct loaded loaded = loaded_make();
    blocks_go(&loaded, one_after_another, DEPTH_FIRST - 1);
    assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
    trial_go(&loaded, one_after_another, 1);
    assert_int_equal(loaded.depth.turns, 1);
    /* It may be another disk by then. */
    trial_go(&loaded, together, DEPTH_PAUSE);
    assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
    trial_go(&loaded, one_after_another, DEPTH_PAUSE);
    assert_int_equal(loaded.depth.turns, 1);
}

static void a_disk_that_works_at_blocks_together_gets_several_but_for_trials_ever_rarer(void **state)
{
    (void)state;
    struct loaded loaded = loaded_make();
    unsigned trials = 0, pause = DEPTH_FIRST;
    for (unsigned next = DEPTH_PAUSE; pause < DEPTH_PAUSE_MAX; next *= 2, trials++) {
        for (unsigned i = 0; i < pause - 1; i++) {
            blocks_go(&loaded, together, 1);
            assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
        }
        blocks_go(&loaded, together, 1);
        assert_int_equal(loaded.depth.trial, DEPTH_TRIES_TOGETHER);
        blocks_go(&loaded, together, DEPTH_SAMPLES);
        assert_int_equal(loaded.depth.trial, DEPTH_TRIES_ALONE);
        assert_int_equal(loaded.depth.turns, 1);
        trial_go(&loaded, together, 1);
        assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
        pause = loaded.depth.pause;
        assert_int_equal(pause, next);
    }
    assert_int_equal(trials, 5);
    trial_go(&loaded, together, DEPTH_PAUSE_MAX);
    assert_int_equal(loaded.depth.pause, DEPTH_PAUSE_MAX);
    trial_go(&loaded, one_after_another, DEPTH_PAUSE_MAX);
    assert_int_equal(loaded.depth.pause, DEPTH_PAUSE);
}

static void a_fast_disk_is_not_tried_and_one_that_became_fast_gets_several_again(void **state)
{
    (void)state;
    struct loaded loaded = loaded_make();
    for (unsigned i = 0; i < 4 * DEPTH_PAUSE; i++) {
        blocks_go(&loaded, nearly_slow, 1);
        assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
    }
    trial_go(&loaded, one_after_another, DEPTH_FIRST);
    assert_int_equal(loaded.depth.turns, 1);
    blocks_go(&loaded, nearly_slow, DEPTH_PAUSE - 1);
    assert_int_equal(loaded.depth.turns, 1);
    blocks_go(&loaded, fast, DEPTH_PAUSE);
    for (unsigned i = 0; i < 2 * DEPTH_PAUSE_MAX; i++) {
        assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
        blocks_go(&loaded, nearly_slow, 1);
    }
}

static void a_trial_ends_where_the_disk_becomes_fast_and_the_next_one_waits(void **state)
{
    (void)state;
    struct loaded loaded = loaded_make();
    blocks_go(&loaded, one_after_another, DEPTH_FIRST);
    assert_int_equal(loaded.depth.trial, DEPTH_TRIES_TOGETHER);
    loaded.depth.step_ns = 0;
    loaded.count = 0;
    loaded.before_ns = 0;
    blocks_go(&loaded, fast, 1);
    assert_int_equal(loaded.depth.trial, DEPTH_RESTS);
    assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
    blocks_go(&loaded, one_after_another, DEPTH_PAUSE - 2);
    assert_int_equal(loaded.depth.trial, DEPTH_RESTS);
    blocks_go(&loaded, one_after_another, 1);
    assert_int_equal(loaded.depth.trial, DEPTH_TRIES_TOGETHER);
}

/* Senders that do not wait: blocks come when they come, and on this disk none of them waits for another. */
static void when_blocks_come_says_nothing_of_the_disk(void **state)
{
    (void)state;
    uint64_t random = 1, now_ns = 1000 * (uint64_t)BLOCK_NS, before_ns = 0;
    struct depth depth = depth_make();
    for (unsigned i = 0; i < 100000; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        now_ns += (random >> 33) % (2 * (uint64_t)BLOCK_NS);
        struct depth_block block = {.appended_ns = now_ns, .alone = before_ns <= now_ns};
        before_ns = together(now_ns, before_ns);
        depth_settled(&depth, &block, before_ns);
        assert_true(depth.turns == DEPTH_TURNS || depth.trial == DEPTH_TRIES_ALONE);
    }
    assert_int_equal(depth.last_pause, DEPTH_PAUSE_MAX);
}

/* Frames now and then, or none but large ones: one half has no block that counts. */
static void a_trial_without_blocks_that_count_ends_and_changes_nothing(void **state)
{
    (void)state;
    for (int alone = 0; alone <= 1; alone++) {
        struct loaded loaded = loaded_make();
        trial_go(&loaded, one_after_another, DEPTH_FIRST);
        assert_int_equal(loaded.depth.turns, 1);
        struct depth depth = loaded.depth;
        uint64_t now_ns = loaded.now_ns;
        unsigned trials = 0, left = 0;
        for (unsigned i = 0; i < DEPTH_PAUSE + 2 * DEPTH_HALF; i++) {
            bool rested = depth.trial == DEPTH_RESTS;
            struct depth_block block = {.appended_ns = now_ns, .alone = alone};
            now_ns += BLOCK_NS;
            depth_settled(&depth, &block, now_ns);
            trials += rested && depth.trial != DEPTH_RESTS;
            left += !rested && depth.trial == DEPTH_RESTS;
        }
        assert_int_equal(trials, 1);
        assert_int_equal(left, 1);
        assert_int_equal(depth.turns, 1);
    }
}

/* What one trial finds: blocks alone take BLOCK_NS, together so long, and two of each half were held up. */
static uint32_t found(uint64_t together_ns)
{
    struct depth depth = depth_make();
    uint64_t now_ns = 1000 * (uint64_t)BLOCK_NS;
    depth.step_ns = BLOCK_NS;
    depth.pause = 1;
    for (unsigned i = 0; i <= 2 * DEPTH_SAMPLES; i++) {
        bool alone = i > DEPTH_SAMPLES;
        uint64_t took_ns = alone ? BLOCK_NS : together_ns;
        if (i % 4 == 2) took_ns *= 20;
        struct depth_block block = {.appended_ns = now_ns, .alone = alone};
        depth_settled(&depth, &block, now_ns += took_ns);
    }
    assert_int_equal(depth.trial, DEPTH_RESTS);
    return depth.turns;
}

static void together_blocks_may_take_half_as_long_again_and_what_was_held_up_does_not_count(void **state)
{
    (void)state;
    assert_int_equal(found(BLOCK_NS / 2 * 3), DEPTH_TURNS);
    assert_int_equal(found(BLOCK_NS / 2 * 3 + 1), 1);
}

static int setup(void **state)
{
    *state = fixture_create(1);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static void small_frames_wait_behind_as_many_turns_as_the_disk_is_good_for(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 1);
    struct turns *turns = f->workers[0]->turns;
    static struct otpring_wire_query queries[256];
    for (int i = 0; i < 256; i++) queries[i] = query_of(f, &token, 0);
    turns->depth.turns = turns->depth.chosen = 1;
    for (uint16_t i = 0; i < 4; i++) {
        struct frame frame = frame_of(f, i, OTPRING_WIRE_VERIFY, queries, i % 2 ? 1 : 256);
        assert_int_equal(frame_offer(f, 0, &frame, NULL), i == 3 ? CORE_FULL : CORE_TAKEN);
        core_turn(f->workers[0]);
    }
    assert_int_equal(turns->flying_count, 3);
    assert_true(turns->flying[0]->depth.alone);
    assert_false(turns->flying[1]->depth.alone);
    worker_settle(f, 0);
    assert_int_equal(turns->small_in_flight, 0);
    /* Small frames in a turn that a large one began are none of it, and neither are those of before. */
    for (uint16_t i = 4; i < 7; i++) {
        struct frame frame = frame_of(f, i, OTPRING_WIRE_VERIFY, queries, i == 4 ? 256 : 1);
        assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
        if (i >= 5) core_turn(f->workers[0]);
    }
    assert_int_equal(turns->small_in_flight, 1);
    worker_settle(f, 0);
}

static void what_a_block_took_is_noted_by_the_clock(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 1);
    struct otpring_wire_query query = query_of(f, &token, 0);
    struct turns *turns = f->workers[0]->turns;
    os_sim_advance_ms(f->world, 5);
    uint64_t begun_ns = os_monotonic_ns(f->workers[0]->os);
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_VERIFY, &query, 1);
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    assert_int_equal(turns->flying[0]->depth.appended_ns, begun_ns);
    worker_settle(f, 0);
    assert_in_range(turns->depth.settled_ns, begun_ns + 1, os_monotonic_ns(f->workers[0]->os));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_that_takes_one_block_after_another_gets_one),
        cmocka_unit_test(a_disk_that_works_at_blocks_together_gets_several_but_for_trials_ever_rarer),
        cmocka_unit_test(a_fast_disk_is_not_tried_and_one_that_became_fast_gets_several_again),
        cmocka_unit_test(a_trial_ends_where_the_disk_becomes_fast_and_the_next_one_waits),
        cmocka_unit_test(when_blocks_come_says_nothing_of_the_disk),
        cmocka_unit_test(a_trial_without_blocks_that_count_ends_and_changes_nothing),
        cmocka_unit_test(together_blocks_may_take_half_as_long_again_and_what_was_held_up_does_not_count),
        cmocka_unit_test_setup_teardown(small_frames_wait_behind_as_many_turns_as_the_disk_is_good_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_block_took_is_noted_by_the_clock, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
