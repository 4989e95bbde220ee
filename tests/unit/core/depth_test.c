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

static uint64_t fast_one_after_another(uint64_t now_ns, uint64_t before_ns)
{
    return later(now_ns, before_ns) + DEPTH_SLOW_NS - 1;
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

enum { TRIAL = 2 * DEPTH_HALF };

static void a_disk_that_takes_one_block_after_another_gets_one(void **state)
{
    (void)state;
    struct loaded loaded = loaded_make();
    blocks_go(&loaded, one_after_another, DEPTH_FIRST - 1);
    assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
    blocks_go(&loaded, one_after_another, TRIAL);
    assert_int_equal(loaded.depth.turns, 1);
    /* It may be another disk by then. */
    blocks_go(&loaded, together, DEPTH_PAUSE + TRIAL);
    assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
    blocks_go(&loaded, one_after_another, DEPTH_PAUSE + TRIAL);
    assert_int_equal(loaded.depth.turns, 1);
}

static void a_disk_that_works_at_blocks_together_gets_several_but_for_trials(void **state)
{
    (void)state;
    struct loaded loaded = loaded_make();
    unsigned less = 0, count = 4 * DEPTH_PAUSE;
    for (unsigned i = 0; i < count; i++) {
        blocks_go(&loaded, together, 1);
        less += loaded.depth.turns < DEPTH_TURNS;
    }
    assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
    assert_in_range(less, 4 * DEPTH_SAMPLES, 4 * DEPTH_HALF);
}

static void a_fast_disk_is_not_tried_and_one_that_became_fast_gets_several_again(void **state)
{
    (void)state;
    struct loaded loaded = loaded_make();
    for (unsigned i = 0; i < 4 * DEPTH_PAUSE; i++) {
        blocks_go(&loaded, fast_one_after_another, 1);
        assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
    }
    blocks_go(&loaded, one_after_another, DEPTH_PAUSE + TRIAL);
    assert_int_equal(loaded.depth.turns, 1);
    blocks_go(&loaded, fast_one_after_another, DEPTH_PAUSE - 1);
    assert_int_equal(loaded.depth.turns, DEPTH_TURNS);
}

/* One query now and then: no block has another before it. */
static void little_load_changes_nothing(void **state)
{
    (void)state;
    struct depth depth = depth_make();
    uint64_t now_ns = 0;
    for (unsigned i = 0; i < 4 * DEPTH_PAUSE; i++, now_ns += 100 * MS) {
        struct depth_block block = {.appended_ns = now_ns, .alone = true};
        depth_settled(&depth, &block, now_ns + BLOCK_NS);
    }
    blocks_go(&(struct loaded){.depth = depth, .now_ns = now_ns}, together, 1);
    while (depth.trial != DEPTH_RESTS) {
        struct depth_block block = {.appended_ns = now_ns, .alone = true};
        depth_settled(&depth, &block, now_ns + BLOCK_NS);
        now_ns += 100 * MS;
    }
    assert_int_equal(depth.turns, DEPTH_TURNS);
}

static void the_bound_is_half_a_block_a_step(void **state)
{
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct depth depth = depth_make();
        uint64_t now_ns = 0;
        depth.step_ns = 100 * (uint64_t)MS;
        depth.pause = 1;
        for (unsigned i = 0; i < 1 + 2 * DEPTH_SAMPLES; i++) {
            bool alone = i <= DEPTH_SAMPLES;
            uint64_t step_ns = alone ? BLOCK_NS : BLOCK_NS / 2 + (uint64_t)more;
            struct depth_block block = {.appended_ns = alone ? now_ns : now_ns - BLOCK_NS, .alone = alone};
            now_ns += step_ns;
            depth_settled(&depth, &block, now_ns);
        }
        assert_int_equal(depth.trial, DEPTH_RESTS);
        assert_int_equal(depth.turns, more ? 1 : DEPTH_TURNS);
    }
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
    turns->depth.turns = 1;
    for (uint16_t i = 0; i < 3; i++) {
        struct frame frame = frame_of(f, i, OTPRING_WIRE_VERIFY, queries, i == 1 ? 256 : 1);
        assert_int_equal(frame_offer(f, 0, &frame, NULL), i == 2 ? CORE_FULL : CORE_TAKEN);
        core_turn(f->workers[0]);
    }
    assert_int_equal(turns->flying_count, 2);
    assert_true(turns->flying[0]->depth.alone);
    assert_false(turns->flying[1]->depth.alone);
    uint64_t settled_ns = turns->depth.settled_ns;
    worker_settle(f, 0);
    assert_true(turns->depth.settled_ns > settled_ns);
    assert_in_range(turns->depth.settled_ns, turns->turns[0].depth.appended_ns, os_monotonic_ns(f->workers[0]->os));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_that_takes_one_block_after_another_gets_one),
        cmocka_unit_test(a_disk_that_works_at_blocks_together_gets_several_but_for_trials),
        cmocka_unit_test(a_fast_disk_is_not_tried_and_one_that_became_fast_gets_several_again),
        cmocka_unit_test(little_load_changes_nothing),
        cmocka_unit_test(the_bound_is_half_a_block_a_step),
        cmocka_unit_test_setup_teardown(small_frames_wait_behind_as_many_turns_as_the_disk_is_good_for, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
