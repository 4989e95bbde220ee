/* Sessions where there is no room left, sequence numbers that come round, hellos that cannot be taken now; and workers
 * beyond what was configured. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/state.h"
#include "core/turn_state.h"
#include "core/verify.h"

static const uint8_t mac[16] = {1};

/* ---- sessions by themselves ---- */

static struct sessions *make(uint32_t sessions_max, uint64_t kept_size)
{
    struct core_options options = {.sessions_max = sessions_max, .kept_size = kept_size, .sessions_per_client = 2};
    struct sessions *sessions;
    assert_ok(sessions_create(&options, &sessions));
    return sessions;
}

static uint64_t open_at(struct sessions *sessions, uint16_t client, uint64_t random, int64_t now_ms)
{
    struct act_session act;
    return sessions_open(sessions, client, 1, 8, random << 20, now_ms, &act) ? act.id : 0;
}

static void the_session_that_was_idle_longest_gives_way_and_no_other(void **state)
{
    (void)state;
    struct sessions *sessions = make(3, 1 << 20);
    struct act_session act;
    uint64_t first = open_at(sessions, 1, 11, 0), second = open_at(sessions, 1, 12, 0),
             other = open_at(sessions, 2, 13, 0);
    assert_true(first && second && other);
    assert_true(sessions_resume(sessions, first, 1, 5000, &act)); /* so the second is idle longer */
    assert_int_equal(open_at(sessions, 1, 14, 9000), 0);
    assert_int_equal(open_at(sessions, 3, 15, 90000), 0); /* no place, and nobody of its own to give way */
    assert_true(open_at(sessions, 1, 16, 11000));
    assert_true(sessions_resume(sessions, first, 1, 11000, &act));
    assert_false(sessions_resume(sessions, second, 1, 11000, &act));
    assert_true(sessions_resume(sessions, other, 2, 11000, &act));
    sessions_recorded(sessions, second); /* gone: nothing to mark */
    sessions_destroy(sessions);
}

static enum session_admit offer(struct sessions *sessions, uint64_t id, uint32_t sequence, uint16_t count,
                                enum otpring_wire_error_code *ret_error)
{
    struct otpring_wire_header header = {
        .kind = OTPRING_WIRE_VERIFY, .session = id, .sequence = sequence, .count = count};
    struct otpring_wire_answer answers[8] = {{.verdict = OTPRING_ACCEPTED}, {.verdict = OTPRING_ACCEPTED}};
    struct session_ticket ticket;
    struct session *hold = NULL;
    enum session_admit admit = sessions_offer(sessions, &header, 1, mac, &ticket, answers, ret_error);
    if (admit == SESSION_NEW) {
        sessions_settle(sessions, &hold, &ticket, answers, 1000, true);
        sessions_let_go(&hold);
    }
    return admit;
}

static void sequence_numbers_come_round_and_0_is_one_of_them_then(void **state)
{
    (void)state;
    struct sessions *sessions = make(3, 1 << 20);
    enum otpring_wire_error_code error = 0;
    uint64_t id = open_at(sessions, 1, 11, 0);
    assert_int_equal(offer(sessions, id, 0, 2, &error), SESSION_REFUSED); /* never the first */
    assert_int_equal(error, OTPRING_ERROR_SEQUENCE);
    static const uint32_t sequences[] = {1, 0x7fffffff, 0xfffffffe, 0};
    for (size_t i = 0; i < 4; i++) assert_int_equal(offer(sessions, id, sequences[i], 2, &error), SESSION_NEW);
    assert_int_equal(offer(sessions, id, 0, 2, &error), SESSION_KEPT);
    assert_int_equal(offer(sessions, id, 0, 1, &error), SESSION_REFUSED); /* another frame under its number */
    assert_int_equal(error, OTPRING_ERROR_CHANGED_CONTENT);
    sessions_destroy(sessions);
}

static struct result counted(void *context, uint64_t id, const void *bytes, size_t size)
{
    (void)id;
    (void)bytes;
    (void)size;
    ++*(unsigned *)context;
    return result_ok();
}

static void a_session_without_a_record_is_not_saved_and_one_without_room_is_gone(void **state)
{
    (void)state;
    struct sessions *sessions = make(3, 1);
    unsigned saved = 0;
    uint64_t id = open_at(sessions, 1, 11, 0);
    assert_ok(sessions_save(sessions, UINT64_MAX, counted, &saved));
    assert_int_equal(saved, 0);
    sessions_recorded(sessions, id);
    assert_ok(sessions_save(sessions, UINT64_MAX, counted, &saved));
    assert_int_equal(saved, 1);
    /* Memory for one session is all there is: a record of another finds none. */
    const struct act_session large = {.id = (9 << 20) + 1, .client = 1, .slots = 4, .items_max = 1024};
    struct act_session act;
    sessions_apply_open(sessions, &large, 0);
    assert_false(sessions_resume(sessions, large.id, 1, 0, &act));
    sessions_destroy(sessions);
}

/* Saved bytes of a session of one slot of at most 8 items, whose slot claims more. */
static void a_saved_slot_with_more_items_than_its_session_takes_is_damage(void **state)
{
    (void)state;
    struct sessions *sessions = make(3, 1 << 20);
    uint8_t bytes[24 + 24 + 9 * 16] = {0};
    uint64_t id = (5 << 20) + 2;
    store_le16(bytes, 1);
    store_le16(bytes + 2, 1);
    store_le16(bytes + 4, 1);
    store_le16(bytes + 6, 8);
    store_le64(bytes + 8, id);
    store_le16(bytes + 24 + 2, 9);
    assert_int_equal(sessions_load(sessions, id, bytes, sizeof bytes).code, STORE_DAMAGED);
    store_le16(bytes + 24 + 2, 8);
    assert_ok(sessions_load(sessions, id, bytes, sizeof bytes - 16));
    sessions_destroy(sessions);
}

/* ---- hellos and frames, through a worker ---- */

static int setup(void **state)
{
    *state = fixture_create(4);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static struct otpring_wire_hello hello_of(void)
{
    return (struct otpring_wire_hello){.version_min = 1, .version_max = 1, .slots = 1, .items_max = 1};
}

static enum core_admit greet(struct fixture *f, const struct core_client *client)
{
    struct otpring_wire_hello hello = hello_of();
    return core_hello(f->workers[0], &hello, client, 1);
}

static void a_hello_is_answered_for_its_version_and_its_rights(void **state)
{
    struct fixture *f = *state;
    struct otpring_wire_hello hello = hello_of();
    hello.version_min = hello.version_max = 0;
    assert_int_equal(core_hello(f->workers[0], &hello, &f->client, 1), CORE_ANSWERED);
    assert_int_equal(f->answered[0].hello.error, OTPRING_ERROR_VERSION);
    struct core_client asker = {.id = 9, .name = "asker"};
    assert_int_equal(greet(f, &asker), CORE_TAKEN);
    core_turn(f->workers[0]);
    worker_settle(f, 0);
    assert_int_equal(f->answered[0].hello.error, 0);
    assert_int_equal(f->answered[0].hello.hello.kinds & 1u << OTPRING_WIRE_VERIFY, 0);
}

static void hellos_wait_for_the_next_turn_when_this_one_is_full(void **state)
{
    struct fixture *f = *state;
    struct core_client clients[TURN_HELLOS_MAX + 1];
    sessions_destroy(f->core.sessions); /* of the fixture: too few for this */
    f->core.options.sessions_max = 256;
    assert_ok(sessions_create(&f->core.options, &f->core.sessions));
    for (unsigned i = 0; i < TURN_HELLOS_MAX + 1; i++) {
        clients[i] = f->client;
        clients[i].id = (uint16_t)(100 + i);
    }
    for (unsigned i = 0; i < TURN_HELLOS_MAX; i++) assert_int_equal(greet(f, &clients[i]), CORE_TAKEN);
    assert_false(core_drained(f->workers[0]));
    assert_int_equal(greet(f, &clients[TURN_HELLOS_MAX]), CORE_FULL);
    core_turn(f->workers[0]);
    assert_int_equal(greet(f, &clients[TURN_HELLOS_MAX]), CORE_TAKEN);
    core_turn(f->workers[0]);
    worker_settle(f, 0);
    assert_true(core_drained(f->workers[0]));
}

static void a_client_with_all_its_sessions_is_told_of_the_limit(void **state)
{
    struct fixture *f = *state;
    enum core_admit admit;
    unsigned sessions = 0;
    while ((admit = greet(f, &f->client)) == CORE_TAKEN && sessions < 5000) {
        sessions++;
        core_turn(f->workers[0]);
        worker_settle(f, 0);
    }
    assert_int_equal(admit, CORE_ANSWERED);
    assert_int_equal(f->answered[0].hello.error, OTPRING_ERROR_LIMIT);
}

/* Turns that are begun and not through: none is begun for more that is small, whoever asks. */
static void behind_enough_turns_everything_small_waits(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    struct otpring_wire_query query = query_of(f, &token, 1);
    for (uint16_t turn = 0; turn < DEPTH_TURNS; turn++) {
        struct frame frame = frame_of(f, turn, OTPRING_WIRE_VERIFY, &query, 1);
        assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
        core_turn(f->workers[0]);
    }
    struct core_client other = f->client;
    other.id = 77;
    assert_int_equal(greet(f, &other), CORE_FULL);
    struct frame frame = frame_of(f, 5, OTPRING_WIRE_VERIFY, &query, 1);
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_FULL);
    worker_settle(f, 0);
}

/* The next segment is not ready yet: whoever comes is held back. It cannot be made: that is told. */
static void without_journal_room_hellos_wait_too_and_the_status_says_why(void **state)
{
    struct fixture *f = *state;
    struct core_state acts = {0};
    struct core_status status;
    static struct otpring_wire_query queries[4000];
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    enum core_admit admit = CORE_TAKEN;
    for (unsigned i = 0; i < 4000; i++) queries[i] = query_of(f, &token, 1);
    os_sim_faults_set(f->world, &(struct os_sim_faults){.no_space_at = 1});
    uint64_t session = fixture_session(f, &f->client, 1, 4000);
    for (uint32_t sequence = 1; sequence < 500; sequence++) {
        struct frame frame = frame_of(f, 0, OTPRING_WIRE_VERIFY, queries, 4000);
        frame.header.session = session;
        frame.header.sequence = sequence;
        admit = frame_offer(f, 0, &frame, NULL);
        if (admit != CORE_TAKEN) break;
        core_turn(f->workers[0]);
        worker_settle(f, 0);
    }
    assert_int_equal(admit, CORE_FULL);
    struct core_client other = f->client;
    other.id = 77;
    assert_int_equal(greet(f, &other), CORE_FULL);
    bool more = true;
    for (int i = 0; i < 100 && more && !journal_status(f->core.journal).no_room; i++)
        (void)!result_failed(journal_keep(f->core.journal, f->keeper, (int64_t)FIXTURE_WALL_S * 1000, 0, &more));
    assert_true(journal_status(f->core.journal).no_room);
    assert_int_equal(greet(f, &other), CORE_TAKEN);
    core_turn(f->workers[0]);
    f->core.state = &acts;
    core_status(&f->core, &status);
    assert_int_equal(status.unavailable, OTPRING_REASON_NO_ROOM);
    f->core.state = NULL;
    os_sim_faults_set(f->world, &(struct os_sim_faults){0});
}

/* More frames in one turn than are authenticated at once: each is known again by its content, and by no other. */
static void each_of_many_frames_of_a_turn_is_known_again(void **state)
{
    struct fixture *f = *state;
    enum { FRAMES = 150 };
    struct otpring_wire_query queries[FRAMES];
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    uint64_t session = fixture_session(f, &f->client, FRAMES, 1);
    for (int round = 0; round < 3; round++) {
        uint32_t before = f->answered[0].frames;
        for (uint16_t slot = 0; slot < FRAMES; slot++) {
            enum otpring_wire_error_code error = 0;
            queries[slot] = query_of(f, &token, round == 2 ? 2u * slot : slot);
            struct frame frame = frame_of(f, slot, OTPRING_WIRE_VERIFY, &queries[slot], 1);
            frame.header.session = session;
            frame.header.sequence = 1;
            enum core_admit admit = frame_offer(f, 0, &frame, &error);
            bool same = round < 2 || slot == 0;
            assert_int_equal(admit, round == 0 ? CORE_TAKEN : same ? CORE_ANSWERED : CORE_ERROR);
            if (!same) assert_int_equal(error, OTPRING_ERROR_CHANGED_CONTENT);
        }
        core_turn(f->workers[0]);
        worker_settle(f, 0);
        assert_int_equal(f->answered[0].frames - before, round < 2 ? FRAMES : 1);
    }
}

static void a_frame_of_more_items_than_a_turn_takes_is_refused(void **state)
{
    struct fixture *f = *state;
    static struct otpring_wire_query queries[4097];
    enum otpring_wire_error_code error = 0;
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_VERIFY, queries, 4097);
    assert_int_equal(frame_offer(f, 0, &frame, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_TOO_MANY);
}

static void there_are_as_many_workers_as_were_configured(void **state)
{
    struct fixture *f = *state;
    struct core_worker *workers[CORE_WORKERS_MAX + 1], *none = NULL;
    struct core_worker_options options = {.os = f->os, .items_max = 16};
    unsigned count = 0;
    f->core.options.workers_max = CORE_WORKERS_MAX + 1; /* more than there may be */
    while (count <= CORE_WORKERS_MAX && !result_failed(core_worker_create(&f->core, &options, &workers[count])))
        count++;
    assert_true(count > 0 && count < CORE_WORKERS_MAX);
    while (count > 0) core_worker_destroy(workers[--count]);
    options.items_max = JOURNAL_SLOTS_MAX;
    assert_int_equal(core_worker_create(&f->core, &options, &none).code, BAD_ARGUMENT);
    core_worker_destroy(none);
}

/* ---- what the engine says of itself ---- */

static void status_tells_rates_of_the_last_seconds_and_why_nothing_is_answered(void **state)
{
    struct fixture *f = *state;
    struct core_state acts = {0};
    struct core_status status;
    f->core.state = &acts;
    core_status(&f->core, &status);
    assert_true(status.rates[OTPRING_ACCEPTED] == 0);
    for (unsigned second = 0; second < 2 * CORE_RATE_SECONDS; second++) {
        core_second(&f->core);
        atomic_fetch_add(&f->core.verdicts[OTPRING_ACCEPTED], 100);
        core_status(&f->core, &status);
        assert_true(status.rates[OTPRING_ACCEPTED] == (second ? 100 : 0));
        assert_true(status.rates[OTPRING_REJECTED] == 0);
    }
    assert_int_equal(status.unavailable, OTPRING_REASON_NONE);
    core_stop(&f->core);
    core_status(&f->core, &status);
    assert_int_equal(status.unavailable, OTPRING_REASON_STOPPING);
    f->core.state = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_session_that_was_idle_longest_gives_way_and_no_other),
        cmocka_unit_test(sequence_numbers_come_round_and_0_is_one_of_them_then),
        cmocka_unit_test(a_session_without_a_record_is_not_saved_and_one_without_room_is_gone),
        cmocka_unit_test(a_saved_slot_with_more_items_than_its_session_takes_is_damage),
        TEST(a_hello_is_answered_for_its_version_and_its_rights),
        TEST(hellos_wait_for_the_next_turn_when_this_one_is_full),
        TEST(a_client_with_all_its_sessions_is_told_of_the_limit),
        TEST(behind_enough_turns_everything_small_waits),
        TEST(without_journal_room_hellos_wait_too_and_the_status_says_why),
        TEST(each_of_many_frames_of_a_turn_is_known_again),
        TEST(a_frame_of_more_items_than_a_turn_takes_is_refused),
        TEST(there_are_as_many_workers_as_were_configured),
        TEST(status_tells_rates_of_the_last_seconds_and_why_nothing_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
