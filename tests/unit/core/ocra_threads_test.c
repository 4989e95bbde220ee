/* Threads for real, on io_uring: workers that enter the same responses at the same time. */
#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otp/ocra.h"

#define SUITE "OCRA-1:HOTP-SHA1-6:QN08"

enum {
    TOKENS = 16,
    STEPS = 60, /* fewer responses in all than the fixture's marks */
    THREADS = FIXTURE_WORKERS,
    PROFILE_CHALLENGED = 3,
    RESPONSE = 6,
    CHALLENGE = 8,
    ITEM = 56, /* the head, a response, a challenge, in whole words */
};

static struct fixture *fixture;
static struct ocra_suite suite;
static struct token tokens[TOKENS];
static _Alignas(8) uint8_t frames[STEPS][TOKENS * ITEM];
static _Atomic uint32_t accepted[TOKENS][STEPS];
static _Atomic uint32_t replayed[TOKENS][STEPS];
static _Atomic bool failed[THREADS];
static pthread_barrier_t together;

static void item_make(const struct token *token, const char challenge[CHALLENGE + 1], uint8_t *ret_item)
{
    struct otpring_wire_ocra head = {.query = query_of(fixture, token, 0),
                                     .size = ITEM,
                                     .response_size = RESPONSE,
                                     .question_sizes = {CHALLENGE, 0}};
    struct ocra_input input = {.questions = {{.text = challenge, .size = CHALLENGE}}};
    struct ocra_message message;
    char response[OCRA_RESPONSE_SIZE_MAX + 1];
    head.query.kind = OTPRING_QUERY_OCRA;
    head.query.digits = 0;
    assert_ok(ocra_message_make(&suite, &input, &message));
    ocra_respond_with_seed(&suite, token->seed, sizeof token->seed, &message, response);
    memcpy(ret_item, &head, sizeof head);
    memcpy(ret_item + sizeof head, response, RESPONSE);
    memcpy(ret_item + sizeof head + RESPONSE, challenge, CHALLENGE);
}

static bool wait_drained(int index)
{
    for (int i = 0; i < 100000 && !core_drained(fixture->workers[index]); i++) worker_step(fixture, index);
    return core_drained(fixture->workers[index]);
}

static bool send_step(int index, struct otpring_wire_header *header, int step)
{
    enum otpring_wire_error_code error;
    enum core_admit admit;
    header->sequence++;
    struct core_frame frame = {.header = header, .items = frames[step], .client = &fixture->client};
    while ((admit = core_frame(fixture->workers[index], &frame, &error)) == CORE_FULL) worker_step(fixture, index);
    if (admit != CORE_TAKEN) return false;
    core_turn(fixture->workers[index]);
    if (!wait_drained(index)) return false;
    for (int t = 0; t < TOKENS; t++) {
        uint8_t verdict = fixture->answered[index].answers[t].verdict;
        if (verdict == OTPRING_ACCEPTED)
            atomic_fetch_add(&accepted[t][step], 1);
        else if (verdict == OTPRING_REPLAYED)
            atomic_fetch_add(&replayed[t][step], 1);
        else
            return false;
    }
    return true;
}

static void *run(void *argument)
{
    int index = (int)(intptr_t)argument;
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1, .slots = 2, .items_max = TOKENS};
    struct otpring_wire_header header = {
        .size = sizeof header + TOKENS * ITEM, .kind = OTPRING_WIRE_OCRA, .count = TOKENS};
    worker_make(fixture, index);
    bool fine = core_hello(fixture->workers[index], &hello, &fixture->client, 0) == CORE_TAKEN;
    core_turn(fixture->workers[index]);
    fine = fine && wait_drained(index);
    header.session = fixture->answered[index].hello.hello.session;
    for (int step = 0; step < STEPS; step++) {
        (void)pthread_barrier_wait(&together);
        fine = fine && send_step(index, &header, step);
    }
    if (!wait_drained(index)) fine = false;
    worker_end(fixture, index);
    atomic_store(&failed[index], !fine);
    return NULL;
}

/* Tokens of a suite without counter and time, and their responses. */
static void challenged_tokens(void)
{
    char challenge[CHALLENGE + 8];
    fixture = fixture_create_on_ring();
    if (!fixture) skip();
    fixture->core.profiles[PROFILE_CHALLENGED].row = fixture->core.profiles[PROFILE_TOTP].row;
    struct profile_row *row = &fixture->core.profiles[PROFILE_CHALLENGED].row;
    row->id = PROFILE_CHALLENGED;
    row->type = OTP_OCRA;
    row->period_s = 0;
    strcpy(row->suite, SUITE);
    fixture->core.profiles[PROFILE_CHALLENGED].used = true;
    fixture->core.profile_count = PROFILE_CHALLENGED + 1;
    assert_ok(ocra_suite_parse(SUITE, strlen(SUITE), &suite));
    for (uint32_t t = 0; t < TOKENS; t++) {
        tokens[t] = fixture_token(fixture, 1, t, PROFILE_CHALLENGED, t, 0);
        for (int s = 0; s < STEPS; s++) {
            snprintf(challenge, sizeof challenge, "1%07d", s); /* 1 and 16 would be one message (RFC 6287 5.1) */
            item_make(&tokens[t], challenge, frames[s] + (size_t)t * ITEM);
        }
    }
}

static void a_response_entered_by_all_threads_at_once_is_accepted_by_one(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    challenged_tokens();
    assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (intptr_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) assert_false(failed[i]);
    for (int t = 0; t < TOKENS; t++) {
        for (int s = 0; s < STEPS; s++) {
            assert_int_equal(accepted[t][s], 1);
            assert_int_equal(replayed[t][s], THREADS - 1);
        }
    }
    assert_int_equal(fixture_records(fixture, NULL, 0), THREADS * TOKENS * STEPS);
    pthread_barrier_destroy(&together);
    fixture_destroy(fixture);
}

static _Atomic bool over;

/* As acts do to a token that is being judged, over and over. */
static void *change(void *argument)
{
    (void)argument;
    while (!atomic_load(&over)) {
        for (int t = 0; t < TOKENS; t++) atomic_fetch_add(&tokens[t].hit.tail->token, 1);
        for (volatile int i = 0; i < 20000; i++) continue;
    }
    return NULL;
}

static void an_accepted_response_is_recorded_by_its_mark_whatever_becomes_of_the_token_meanwhile(void **state)
{
    (void)state;
    static struct seen records[TOKENS * STEPS];
    pthread_t changer;
    challenged_tokens();
    assert_int_equal(pthread_barrier_init(&together, NULL, 1), 0);
    assert_int_equal(pthread_create(&changer, NULL, change, NULL), 0);
    (void)run((void *)0);
    atomic_store(&over, true);
    pthread_join(changer, NULL);
    assert_false(failed[0]);
    assert_int_equal(fixture_records(fixture, records, TOKENS * STEPS), TOKENS * STEPS);
    for (int i = 0; i < TOKENS * STEPS; i++) {
        assert_int_equal(records[i].verify.verdict, OTPRING_ACCEPTED);
        assert_int_equal(records[i].verify.method, METHOD_OCRA_MARKED);
        assert_int_not_equal(records[i].verify.token, 0);
    }
    pthread_barrier_destroy(&together);
    fixture_destroy(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_entered_by_all_threads_at_once_is_accepted_by_one),
        cmocka_unit_test(an_accepted_response_is_recorded_by_its_mark_whatever_becomes_of_the_token_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
