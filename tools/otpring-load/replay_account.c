#include "replay.h"

enum {
    LOOK_AHEAD = 10, /* of the profile that accounts are enrolled with, as are the next two */
    FAR_WINDOW = 100,
    FAR_STEP = 40, /* what a far code is of: beyond the look-ahead from any floor that the engine may hold by then */
    CODES = FAR_WINDOW + REPLAY_AHEAD_MAX + 2,
    RIGHT_CODES = 3 * LOOK_AHEAD,
    TRIES_MAX = 1000,
};

static void codes_from(const struct kernel *kernel, enum kernel_algorithm algorithm, const void *midstates,
                       uint32_t first, uint32_t count, uint32_t codes[CODES])
{
    const void *all[CODES];
    uint64_t counters[CODES];
    for (uint32_t i = 0; i < count; i++) {
        all[i] = midstates;
        counters[i] = (uint64_t)first + i;
    }
    kernel->steps[algorithm](all, counters, codes, count);
    for (uint32_t i = 0; i < count; i++) codes[i] = kernel_digits(codes[i], 6);
}

static uint32_t count_of(const uint32_t *codes, uint32_t count, uint32_t code)
{
    uint32_t equal = 0;
    for (uint32_t i = 0; i < count; i++) equal += codes[i] == code;
    return equal;
}

bool replay_account_ready(const struct replay_account *account, enum traffic_kind kind)
{
    return kind != TRAFFIC_RIGHT || account->next - account->floor < REPLAY_AHEAD_MAX || account->waiting == 0;
}

/* The next step whose code is that of no other step which the engine may look at, of two it would use up the later; nor
 * of one that it may look at once this code comes again (used()). */
static uint32_t right(const uint32_t *codes, struct replay_account *account, uint32_t *ret_step)
{
    uint32_t distance = 0;
    while (distance < LOOK_AHEAD - REPLAY_AHEAD_MAX && count_of(codes, RIGHT_CODES, codes[distance]) > 1) distance++;
    *ret_step = account->next + distance;
    account->next = *ret_step + 1;
    return codes[distance];
}

static uint32_t wrong(const uint32_t *codes, uint64_t draw)
{
    uint32_t code = 0;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        draw = draw * 6364136223846793005u + 1442695040888963407u;
        code = (uint32_t)(draw >> 32) % 1000000;
        if (!count_of(codes, CODES, code)) break;
    }
    return code;
}

/* The code of the step before the next one, unless by chance the engine would take it for a later one. */
static bool used(const uint32_t *codes, uint32_t *ret_code)
{
    *ret_code = codes[0];
    return count_of(codes + 1, 2 * LOOK_AHEAD, codes[0]) == 0;
}

static bool far_away(const uint32_t *codes, uint32_t *ret_code)
{
    for (uint32_t at = FAR_STEP; at < FAR_WINDOW - LOOK_AHEAD; at++) {
        *ret_code = codes[at];
        if (count_of(codes, FAR_STEP, codes[at]) == 0) return true;
    }
    return false;
}

bool replay_account_code(const struct kernel *kernel, enum kernel_algorithm algorithm, const void *midstates,
                         struct replay_account *account, enum traffic_kind kind, uint64_t draw, uint32_t *ret_code,
                         uint32_t *ret_step)
{
    uint32_t codes[CODES];
    bool made = true;
    *ret_step = 0;
    switch (kind) {
    case TRAFFIC_RIGHT:
        codes_from(kernel, algorithm, midstates, account->next, RIGHT_CODES, codes);
        *ret_code = right(codes, account, ret_step);
        break;
    case TRAFFIC_USED:
        codes_from(kernel, algorithm, midstates, account->next - 1, 2 * LOOK_AHEAD + 1, codes);
        made = account->next > 0 && used(codes, ret_code);
        break;
    case TRAFFIC_FAR:
        codes_from(kernel, algorithm, midstates, account->next ? account->next - 1 : 0, CODES, codes);
        made = far_away(codes, ret_code);
        break;
    case TRAFFIC_DIGITS:
        *ret_code = (uint32_t)(draw % 100000000);
        break;
    default:
        /* From the step before the floor that is known: wherever the engine is, it looks at none but these. */
        codes_from(kernel, algorithm, midstates, account->floor ? account->floor - 1 : 0, CODES, codes);
        *ret_code = wrong(codes, draw);
        break;
    }
    account->waiting += made;
    return made;
}

void replay_account_answered(struct replay_account *account, enum traffic_kind kind, uint32_t step, bool accepted)
{
    account->waiting--;
    if (kind == TRAFFIC_RIGHT && accepted && step >= account->floor) account->floor = step + 1;
    /* Everything is known now: what was sent and not accepted was not used up. */
    if (account->waiting == 0) account->next = account->floor;
}
