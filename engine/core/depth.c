#include "core/depth.h"

struct depth depth_make(void)
{
    return (struct depth){.turns = DEPTH_TURNS, .pause = DEPTH_FIRST};
}

static void count(struct depth_half *half, uint64_t ns)
{
    half->count++;
    half->ns += ns;
}

static bool over(const struct depth *depth, const struct depth_half *half)
{
    return half->count == DEPTH_SAMPLES || depth->tried == DEPTH_HALF;
}

/* With three in flight, and those that come meanwhile, frames are in four groups, one of which leaves with each step;
 * with one in flight they are in two: so one alone is better where a step takes more than half as long as a block. */
static uint32_t better(const struct depth *depth)
{
    _Static_assert(DEPTH_TURNS == 3, "four groups");
    uint64_t alone = depth->alone.ns * depth->together.count, together = depth->together.ns * depth->alone.count;
    return together * 2 > alone ? 1 : DEPTH_TURNS;
}

static void turn_to(struct depth *depth, int trial, uint32_t turns)
{
    depth->trial = trial;
    depth->turns = turns;
    depth->tried = 0;
}

static void trial_begin(struct depth *depth)
{
    depth->alone = depth->together = (struct depth_half){0};
    turn_to(depth, DEPTH_TRIES_ALONE, 1);
}

static void trial_go_on(struct depth *depth, const struct depth_block *block, uint64_t took_ns, uint64_t step_ns)
{
    depth->tried++;
    if (depth->trial == DEPTH_TRIES_ALONE) {
        if (block->alone) count(&depth->alone, took_ns);
        if (over(depth, &depth->alone)) turn_to(depth, DEPTH_TRIES_TOGETHER, DEPTH_TURNS);
    } else {
        if (!block->alone) count(&depth->together, step_ns);
        if (!over(depth, &depth->together)) return;
        turn_to(depth, DEPTH_RESTS, better(depth));
        depth->pause = DEPTH_PAUSE;
    }
}

void depth_settled(struct depth *depth, const struct depth_block *block, uint64_t now_ns)
{
    uint64_t since_ns = block->appended_ns > depth->settled_ns ? block->appended_ns : depth->settled_ns;
    uint64_t step_ns = now_ns - since_ns;
    depth->settled_ns = now_ns;
    depth->step_ns = depth->step_ns - depth->step_ns / 8 + step_ns / 8;
    if (depth->pause > 0) depth->pause--;
    if (depth->step_ns < DEPTH_SLOW_NS) {
        turn_to(depth, DEPTH_RESTS, DEPTH_TURNS);
    } else if (depth->trial != DEPTH_RESTS) {
        trial_go_on(depth, block, now_ns - block->appended_ns, step_ns);
    } else if (depth->pause == 0) {
        trial_begin(depth);
    }
}
