/* Codes of recorded traffic that is sent again, where two steps of an account have one code by chance. */
#include "helpers.h"

#include "otpring-load/replay.h"

enum { LATER_MAX = 40 };

static uint64_t later; /* the step whose code is that of step 0; every other one has a code of its own */

static void steps(const void *const midstates[], const uint64_t counters[], uint32_t ret_truncated[], size_t count)
{
    (void)midstates;
    for (size_t i = 0; i < count; i++) ret_truncated[i] = counters[i] == later ? 0 : (uint32_t)counters[i];
}

static uint32_t code_of(struct replay_account *account, enum traffic_kind kind, uint32_t *ret_step)
{
    static const struct kernel kernel = {.steps = {steps, steps, steps}};
    uint32_t code;
    assert_true(replay_account_code(&kernel, KERNEL_SHA1, NULL, account, kind, 0, &code, ret_step));
    return code;
}

static void a_code_that_was_accepted_can_always_be_sent_as_a_used_one(void **state)
{
    (void)state;
    for (later = 1; later < LATER_MAX; later++) {
        struct replay_account account = {0};
        uint32_t step, unused;
        uint32_t right = code_of(&account, TRAFFIC_RIGHT, &step);
        replay_account_answered(&account, TRAFFIC_RIGHT, step, true);
        assert_int_equal(code_of(&account, TRAFFIC_USED, &unused), right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_code_that_was_accepted_can_always_be_sent_as_a_used_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
