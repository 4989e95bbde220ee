#include "core/depth.h"

struct depth depth_make(void)
{
    return (struct depth){.turns = DEPTH_TURNS, .chosen = DEPTH_TURNS, .pause = DEPTH_FIRST};
}

static void turn_to(struct depth *depth, enum depth_trial trial, uint32_t turns)
{
    depth->trial = trial;
    depth->turns = turns;
    depth->tried = depth->samples = 0;
}

static void choose(struct depth *depth, uint32_t turns, uint32_t pause)
{
    depth->last_pause = depth->pause = pause;
    depth->chosen = turns;
    turn_to(depth, DEPTH_RESTS, turns);
}

static void trial_begin(struct depth *depth)
{
    quick_clear(&depth->alone);
    quick_clear(&depth->some);
    turn_to(depth, DEPTH_TRIES_TOGETHER, DEPTH_TURNS);
}

static uint32_t better(const struct depth *depth)
{
    _Static_assert(DEPTH_TURNS == 3, "three steps, against half of a block each");
    return quick_time(&depth->some) * 2 > quick_time(&depth->alone) * 3 ? 1 : DEPTH_TURNS;
}

static void trial_end(struct depth *depth)
{
    uint32_t turns = better(depth), twice = depth->last_pause * 2;
    bool again = depth->last_pause > 0 && turns == depth->chosen;
    choose(depth, turns, !again ? DEPTH_PAUSE : twice < DEPTH_PAUSE_MAX ? twice : DEPTH_PAUSE_MAX);
}

static void trial_go_on(struct depth *depth, const struct depth_block *block, uint64_t took_ns)
{
    bool alone = depth->trial == DEPTH_TRIES_ALONE;
    depth->tried++;
    if (block->alone == alone) {
        quick_add(alone ? &depth->alone : &depth->some, took_ns);
        depth->samples++;
    }
    bool whole = depth->samples == DEPTH_SAMPLES;
    if (!whole && depth->tried < DEPTH_HALF) return;
    if (!whole)
        choose(depth, depth->chosen, DEPTH_PAUSE); /* little load, or large frames alone: nothing was found out */
    else if (alone)
        trial_end(depth);
    else
        turn_to(depth, DEPTH_TRIES_ALONE, 1);
}

static void speed_note(struct depth *depth, uint64_t step_ns)
{
    depth->step_ns = depth->step_ns - depth->step_ns / 8 + step_ns / 8;
    if (depth->step_ns > DEPTH_SLOW_NS) depth->slow = true;
    if (depth->step_ns >= DEPTH_FAST_NS || !depth->slow) return;
    depth->slow = false;
    choose(depth, DEPTH_TURNS, DEPTH_PAUSE);
}

void depth_settled(struct depth *depth, const struct depth_block *block, uint64_t now_ns)
{
    uint64_t since_ns = block->appended_ns > depth->settled_ns ? block->appended_ns : depth->settled_ns;
    speed_note(depth, now_ns - since_ns);
    depth->settled_ns = now_ns;
    if (depth->pause > 0) depth->pause--;
    if (depth->trial != DEPTH_RESTS)
        trial_go_on(depth, block, now_ns - block->appended_ns);
    else if (depth->slow && depth->pause == 0)
        trial_begin(depth);
}
