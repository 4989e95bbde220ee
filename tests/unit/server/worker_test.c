/* What is asked is answered: frames of every size, whole or in pieces, together in turns, in few sends. */
#include "worker_fixture.h"

static void frames_are_answered_with_their_tags(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    for (uint64_t tag = 1; tag < 50; tag++) assert_serves(file, tag);
    close(file);
    wait_until_connections(0);
}

static void the_hello_answer_tells_the_kinds_this_client_may_send(void **state)
{
    (void)state;
    struct core_client self = {.id = 1, .uid = geteuid(), .rights = CORE_RIGHT_ASK};
    begin_with(&self, 1);
    int file = peer_open();
    hello_send(file);
    assert_int_equal(hello_receive(file).kinds, 1U << OTPRING_WIRE_HELLO | 1U << OTPRING_WIRE_PING);
    ask(file, 1, 0, 1);
    assert_error(file, OTPRING_ERROR_NO_RIGHT, OTPRING_WIRE_VERIFY);
}

static void a_hello_whose_record_takes_time_holds_back_the_frames_behind_it(void **state)
{
    (void)state;
    fake.slow_hello = true;
    fake.hold = true;
    begin();
    int file = peer_open();
    hello_send(file);
    ask(file, 7, 0, 2);
    usleep(30000);
    assert_int_equal(fake.offered, 0);
    fake.hold = false;
    hello_receive(file);
    assert_int_equal(assert_answer(file, 2), 7);
    close(file);
}

static void errors_that_core_finds_are_told_and_earlier_answers_leave_first(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    fake.hold = true;
    ask(file, 5, 0, 1);
    while (fake.frames < 1) usleep(1000);
    fake.error = OTPRING_ERROR_SEQUENCE;
    ask(file, 6, 1, 1);
    usleep(20000);
    fake.hold = false;
    assert_int_equal(assert_answer(file, 1), 5);
    assert_error(file, OTPRING_ERROR_SEQUENCE, OTPRING_WIRE_VERIFY);
}

static void frames_of_4096_items_in_every_slot_come_back_whole(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    for (int round = 0; round < 4; round++) {
        uint64_t seen = 0;
        for (uint16_t slot = 0; slot < 16; slot++) ask(file, 1000 + slot, slot, 4096);
        for (uint16_t slot = 0; slot < 16; slot++) seen |= 1ULL << (assert_answer(file, 4096) - 1000);
        assert_int_equal(seen, 0xffff);
    }
    close(file);
}

static void frames_cut_anywhere_come_through(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    uint8_t *bytes = malloc(16 * (32 + 40 * 32));
    unsigned seed = 5;
    for (int round = 0; round < 100; round++) {
        size_t size = 0;
        uint16_t counts_of[16];
        for (uint16_t slot = 0; slot < 16; slot++) {
            counts_of[slot] = (uint16_t)(1 + rand_r(&seed) % 40);
            size += frame_make(bytes + size, slot, slot, counts_of[slot]);
        }
        for (size_t at = 0; at < size;) {
            size_t part = 1 + (size_t)rand_r(&seed) % 3000;
            if (part > size - at) part = size - at;
            peer_send(file, bytes + at, part);
            at += part;
        }
        for (uint16_t slot = 0; slot < 16; slot++) assert_int_equal(assert_answer(file, counts_of[slot]), slot);
    }
    free(bytes);
    close(file);
}

static void frames_that_core_cannot_take_now_are_offered_again(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    fake.full = true;
    ask(file, 4, 0, 2);
    ask(file, 5, 1, 2);
    wait_until_offered(3);
    assert_int_equal(fake.frames, 0);
    fake.full = false;
    assert_int_equal(assert_answer(file, 2), 4);
    assert_int_equal(assert_answer(file, 2), 5);
    fake.join_later = 3;
    assert_serves(file, 6);
    assert_int_equal(fake.join_later, 0);
    close(file);
}

static void what_arrived_on_many_connections_goes_into_one_turn(void **state)
{
    (void)state;
    enum { PEERS = 100 };
    begin();
    int files[PEERS];
    for (int i = 0; i < PEERS; i++) files[i] = peer_greeted();
    fake.full = true;
    for (int i = 0; i < PEERS; i++) ask(files[i], (uint64_t)i, 0, 1);
    wait_until_offered(3);
    unsigned before = fake.turns;
    fake.full = false;
    for (int i = 0; i < PEERS; i++) assert_int_equal(assert_answer(files[i], 1), i);
    assert_true(fake.turns - before <= 5);
    for (int i = 0; i < PEERS; i++) close(files[i]);
    wait_until_connections(0);
}

static void answers_are_coalesced_into_few_sends(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    fake.hold = true;
    uint64_t before = counts().sends;
    for (uint16_t slot = 0; slot < 16; slot++) ask(file, slot, slot, 10);
    while (fake.frames < 16) usleep(1000);
    usleep(5000);
    fake.hold = false;
    for (uint16_t slot = 0; slot < 16; slot++) assert_answer(file, 10);
    assert_true(counts().sends - before <= 2);
    close(file);
}

static void pings_are_answered(void **state)
{
    (void)state;
    begin();
    int file = peer_greeted();
    struct otpring_wire_header ping = {.size = 32, .kind = OTPRING_WIRE_PING, .tag = 8}, pong;
    peer_send(file, &ping, sizeof ping);
    assert_true(peer_receive(file, &pong, sizeof pong));
    assert_int_equal(pong.kind, OTPRING_WIRE_PONG);
    assert_int_equal(pong.size, 32);
    assert_int_equal(pong.tag, 8);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_are_answered_with_their_tags),
        TEST(the_hello_answer_tells_the_kinds_this_client_may_send),
        TEST(a_hello_whose_record_takes_time_holds_back_the_frames_behind_it),
        TEST(errors_that_core_finds_are_told_and_earlier_answers_leave_first),
        TEST(frames_of_4096_items_in_every_slot_come_back_whole),
        TEST(frames_cut_anywhere_come_through),
        TEST(frames_that_core_cannot_take_now_are_offered_again),
        TEST(what_arrived_on_many_connections_goes_into_one_turn),
        TEST(answers_are_coalesced_into_few_sends),
        TEST(pings_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
