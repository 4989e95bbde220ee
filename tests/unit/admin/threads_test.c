/* Acts, housekeeping and verification at the same time, each on a thread of its own, as in the daemon.
 *
 * cmocka knows the failures of its own thread alone: in another one a failed assertion ends the program without a word.
 * So the other threads use CHECK, which says where. */
#include "admin_fixture.h"

#include <pthread.h>

#include "base/check.h"
#include "os/os_uring.h"

enum { RUN_MS = 1500, GIVE_UP_MS = 60000, ACCEPTED_MIN = 11, SEED_NUMBER = 7 };

struct verifier {
    struct engine *engine;
    struct core_worker *worker;
    struct os *os;
    _Atomic bool stop;
    uint64_t session;
    _Atomic unsigned accepted;
    unsigned unavailable; /* no journal room for the moment: asked again */
    unsigned others;
};

static void verified(void *context, const struct core_answer *answer)
{
    struct verifier *verifier = context;
    if (answer->answers[0].verdict == OTPRING_ACCEPTED) {
        verifier->accepted++;
    } else if (answer->answers[0].verdict == OTPRING_UNAVAILABLE) {
        verifier->unavailable++;
    } else {
        verifier->others++;
    }
}

static void greeted(void *context, const struct core_hello_answer *answer)
{
    ((struct verifier *)context)->session = answer->hello.session;
}

static void step(struct verifier *verifier)
{
    CHECK(!result_failed(os_step(verifier->os, 1000000, NULL)));
    core_poll(verifier->worker);
}

static void drain(struct verifier *verifier)
{
    while (!core_drained(verifier->worker)) step(verifier);
}

static void seed_make(uint32_t number, uint8_t ret_seed[20])
{
    memset(ret_seed, 0x33, 20);
    memcpy(ret_seed, &number, sizeof(number));
}

static void verifier_open(struct verifier *verifier)
{
    struct os_uring_options ring = {.entries = 64};
    CHECK(!result_failed(os_uring_create(&ring, &verifier->os)));
    struct core_worker_options options = {
        .os = verifier->os, .answered = verified, .hello_answered = greeted, .context = verifier};
    CHECK(!result_failed(core_worker_create(verifier->engine->core, &options, &verifier->worker)));
}

/* Where the next segment is not ready yet (a slow disk, a housekeeper that does not get the processor), a frame is held
 * back for a moment. */
static void frame_take(struct verifier *verifier, const struct core_frame *frame)
{
    enum otpring_wire_error_code error;
    enum core_admit admit = core_frame(verifier->worker, frame, &error);
    while (admit == CORE_FULL) {
        step(verifier);
        admit = core_frame(verifier->worker, frame, &error);
    }
    CHECK(admit == CORE_TAKEN);
}

/* The account's codes one after the other: each is right, so each is accepted once. */
static void *verifier_run(void *argument)
{
    struct verifier *verifier = argument;
    static const struct core_client client = {.id = 1, .name = "test", .rights = CORE_RIGHT_VERIFY};
    struct otp_parameters parameters = {.type = OTP_HOTP, .algorithm = KERNEL_SHA1, .digits = 6};
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1, .slots = 1, .items_max = 16};
    struct otpring_wire_query query = {.digits = 6, .kind = OTPRING_QUERY_CODE};
    uint8_t seed[20], name[16];
    verifier_open(verifier);
    seed_make(SEED_NUMBER, seed);
    core_name("acme", 4, "steady", 6, name);
    memcpy(query.company, name, 8);
    memcpy(query.account, name + 8, 8);
    while (core_hello(verifier->worker, &hello, &client, 1) == CORE_FULL) step(verifier);
    core_turn(verifier->worker);
    drain(verifier);
    for (uint32_t sequence = 1; !atomic_load(&verifier->stop); sequence++) {
        query.code = otp_code(&parameters, seed, sizeof(seed), verifier->accepted);
        struct otpring_wire_header header = {.size = sizeof(header) + sizeof(query),
                                             .kind = OTPRING_WIRE_VERIFY,
                                             .count = 1,
                                             .session = verifier->session,
                                             .sequence = sequence};
        struct core_frame frame = {.header = &header, .items = &query, .client = &client, .owner = 1};
        frame_take(verifier, &frame);
        core_turn(verifier->worker);
        drain(verifier);
    }
    core_worker_destroy(verifier->worker);
    os_destroy(verifier->os);
    return NULL;
}

static void keep(struct verifier *keeper, struct result (*keep_step)(struct core_worker *worker, bool *ret_more))
{
    verifier_open(keeper);
    while (!atomic_load(&keeper->stop)) {
        bool more;
        struct os_op pause = {.kind = OS_TIMER, .timeout_ns = 2000000};
        CHECK(!result_failed(keep_step(keeper->worker, &more)));
        (void)os_run(keeper->os, &pause);
    }
}

static void *checkpointer_run(void *argument)
{
    struct verifier *keeper = argument;
    keep(keeper, core_keep_store);
    core_worker_destroy(keeper->worker);
    os_destroy(keeper->os);
    return NULL;
}

static void *keeper_run(void *argument)
{
    struct verifier *keeper = argument;
    keep(keeper, core_keep_journal);
    while (journal_in_flight(keeper->worker->writer) > 0) step(keeper);
    core_worker_destroy(keeper->worker);
    os_destroy(keeper->os);
    return NULL;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Asks until there is journal room for the act: an act refused for want of it has done nothing. */
#define act_done(fixture, ...)                                                                                         \
    do {                                                                                                               \
        json_t *done_ = ask(fixture, __VA_ARGS__);                                                                     \
        while (json_is_false(json_object_get(done_, "ok")) &&                                                          \
               strcmp(text_in(done_, "code"), "JOURNAL_NO_ROOM") == 0) {                                               \
            json_decref(done_);                                                                                        \
            done_ = ask(fixture, __VA_ARGS__);                                                                         \
        }                                                                                                              \
        assert_true(json_is_true(json_object_get(done_, "ok")));                                                       \
        json_decref(done_);                                                                                            \
    } while (0)

/* A while, and until some verifications came through beside the acts. */
static bool acts_go_on(const struct verifier *verifier, uint64_t passed_ms)
{
    return passed_ms < RUN_MS || (atomic_load(&verifier->accepted) < ACCEPTED_MIN && passed_ms < GIVE_UP_MS);
}

/* Adds, suspends, resumes, removes, changes a profile, lists, and makes checkpoints. Gives how many tokens live at the
 * end. */
static unsigned acts_run(struct fixture *fixture, const struct verifier *verifier)
{
    unsigned live = 0;
    uint64_t begun_ms = now_ms();
    for (unsigned i = 0; acts_go_on(verifier, now_ms() - begun_ms); i++) {
        act_done(fixture, "{'act':'token.add','company':'acme','user':'u%u','type':'hotp'}", i);
        live++;
        if (i % 3 == 0) act_done(fixture, "{'act':'token.suspend','company':'acme','user':'u%u'}", i);
        if (i % 6 == 0) act_done(fixture, "{'act':'token.resume','company':'acme','user':'u%u'}", i);
        if (i % 2 == 0) {
            act_done(fixture, "{'act':'token.remove','company':'acme','user':'u%u'}", i);
            live--;
        }
        if (i % 10 == 0) act_done(fixture, "{'act':'profile.set','id':0,'throttle_free':%u}", 5 + i % 3);
        if (i % 10 == 5) act_done(fixture, "{'act':'checkpoint'}");
    }
    return live;
}

/* Verification goes on until the checkpointer has made one by itself, and the housekeeper has closed segments. */
static void keeping_await(struct core *core)
{
    uint64_t checkpoint = atomic_load(&core->checkpoint_position), until_ms = now_ms() + 60000;
    struct core_status status;
    do {
        assert_true(now_ms() < until_ms);
        usleep(10000);
        core_status(core, &status);
    } while (atomic_load(&core->checkpoint_position) == checkpoint || status.journal.rotations < 3);
}

static void acts_and_checkpoints_do_not_disturb_verification(void **unused)
{
    (void)unused;
    struct fixture fixture;
    char text[64];
    uint8_t seed[20];
    pthread_t threads[3];
    fixture_make(&fixture, 65536);
    fixture_close(&fixture, true);
    fixture.options.core.journal.segment_size = 1 << 20;
    fixture.options.core.checkpoint_bytes = 64 << 10;
    admin_ok(fixture_open(&fixture));
    seed_make(SEED_NUMBER, seed);
    admin_ok(otp_base32_encode(seed, sizeof(seed), text, sizeof(text)));
    assert_answer(&fixture, "OK", "{'act':'token.add','company':'acme','user':'steady','type':'hotp','secret':'%s'}",
                  text);
    struct verifier verifier = {.engine = fixture.engine}, keeper = {.engine = fixture.engine};
    struct verifier checkpointer = {.engine = fixture.engine};
    struct core *core = fixture.engine->core;
    admin_destroy(fixture.admin);
    struct admin_options options = {.engine = fixture.engine, .worker = fixture.worker, .os = fixture.engine->os};
    admin_ok(admin_create(&options, &fixture.admin));
    assert_int_equal(pthread_create(&threads[0], NULL, verifier_run, &verifier), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, keeper_run, &keeper), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, checkpointer_run, &checkpointer), 0);
    unsigned live = acts_run(&fixture, &verifier) + 1;
    keeping_await(core);
    atomic_store(&verifier.stop, true);
    pthread_join(threads[0], NULL);
    atomic_store(&checkpointer.stop, true);
    pthread_join(threads[2], NULL);
    atomic_store(&keeper.stop, true);
    pthread_join(threads[1], NULL);
    printf("%u accepted, %u unavailable for want of journal room\n", verifier.accepted, verifier.unavailable);
    assert_true(verifier.accepted >= ACCEPTED_MIN);
    assert_int_equal(verifier.others, 0);

    fixture_close(&fixture, false);
    admin_ok(fixture_open(&fixture));
    json_t *shown = ask(&fixture, "{'act':'token.show','company':'acme','user':'steady'}");
    assert_int_equal(number_in(json_array_get(json_object_get(shown, "tokens"), 0), "floor"), verifier.accepted);
    json_decref(shown);
    json_t *status = ask(&fixture, "{'act':'status'}");
    assert_int_equal(number_in(status, "tokens"), live);
    json_decref(status);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(acts_and_checkpoints_do_not_disturb_verification)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
