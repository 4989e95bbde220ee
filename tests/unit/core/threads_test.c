/* Threads for real, on io_uring: workers that send the same codes at the same time. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

enum { TOKENS = 160, STEPS = 40, AHEAD = 10, THREADS = 3 }; /* frames of more than two whole chunks */

static struct fixture *fixture;
static struct token tokens[TOKENS];
static uint32_t codes[TOKENS][STEPS + AHEAD];
static _Atomic uint32_t accepted[TOKENS][STEPS];
static _Atomic uint32_t other[TOKENS][STEPS];
static _Atomic bool failed[THREADS];

static bool wait_drained(int index)
{
    for (int i = 0; i < 100000 && !core_drained(fixture->workers[index]); i++) worker_step(fixture, index);
    return core_drained(fixture->workers[index]);
}

static bool send_step(int index, struct otpring_wire_header *header, uint32_t step)
{
    struct otpring_wire_query queries[TOKENS];
    enum otpring_wire_error_code error;
    for (int t = 0; t < TOKENS; t++) queries[t] = query_of(fixture, &tokens[t], codes[t][step]);
    header->sequence++;
    struct core_frame frame = {.header = header, .items = queries, .client = &fixture->client};
    enum core_admit admit;
    while ((admit = core_frame(fixture->workers[index], &frame, &error)) == CORE_FULL) worker_step(fixture, index);
    if (admit != CORE_TAKEN) return false;
    core_turn(fixture->workers[index]);
    if (!wait_drained(index)) return false;
    for (int t = 0; t < TOKENS; t++) {
        uint8_t verdict = fixture->answered[index].answers[t].verdict;
        if (verdict == OTPRING_ACCEPTED) {
            atomic_fetch_add(&accepted[t][step], 1);
        } else if (verdict == OTPRING_REPLAYED) {
            atomic_fetch_add(&other[t][step], 1);
        } else {
            return false;
        }
    }
    return true;
}

static void *run(void *argument)
{
    int index = (int)(intptr_t)argument;
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1, .slots = 2, .items_max = TOKENS};
    struct otpring_wire_header header = {.kind = OTPRING_WIRE_VERIFY, .count = TOKENS};
    worker_make(fixture, index);
    bool fine = core_hello(fixture->workers[index], &hello, &fixture->client, 0) == CORE_TAKEN;
    core_turn(fixture->workers[index]);
    fine = fine && wait_drained(index);
    header.session = fixture->answered[index].hello.hello.session;
    for (uint32_t step = 0; fine && step < STEPS; step++) fine = send_step(index, &header, step);
    if (!wait_drained(index)) fine = false;
    worker_end(fixture, index);
    atomic_store(&failed[index], !fine);
    return NULL;
}

/* One code in 100,000 is by chance that of a later step in the look-ahead too, and may consume both. */
static uint32_t steps_of(int t, int s)
{
    uint32_t steps = 0;
    for (int later = s; later <= s + AHEAD; later++) steps += codes[t][later] == codes[t][s];
    return steps;
}

static void a_code_sent_by_all_threads_at_once_is_accepted_by_one(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    fixture = fixture_create_on_ring();
    if (!fixture) skip();
    struct profile_row *row = &fixture->core.profiles[PROFILE_HOTP].row;
    row->look_behind = 255;
    row->look_ahead = AHEAD;
    row->resync_window = 0;
    row->throttle_base_s = 0;
    for (uint32_t t = 0; t < TOKENS; t++) {
        tokens[t] = fixture_token(fixture, 1, t, PROFILE_HOTP, t, 0);
        for (uint32_t s = 0; s < STEPS + AHEAD; s++) codes[t][s] = token_code(fixture, &tokens[t], s);
    }
    for (intptr_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    uint32_t all = 0;
    for (int i = 0; i < THREADS; i++) assert_false(failed[i]);
    for (int t = 0; t < TOKENS; t++) {
        for (int s = 0; s < STEPS; s++) {
            assert_true(accepted[t][s] <= steps_of(t, s));
            assert_int_equal(accepted[t][s] + other[t][s], THREADS);
            all += accepted[t][s];
        }
    }
    /* Codes that are equal by chance within the look-ahead may consume a later step. */
    assert_true(all >= TOKENS * STEPS * 99 / 100);
    assert_int_equal(fixture_records(fixture, NULL, 0), THREADS * TOKENS * STEPS);
    fixture_destroy(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_code_sent_by_all_threads_at_once_is_accepted_by_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
