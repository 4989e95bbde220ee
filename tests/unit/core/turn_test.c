/* Turns: what is taken, kept and asked again; several workers; poison, room, clock and stop. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    *state = fixture_create(2);
    return 0;
}

static int teardown(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static void expect(struct otpring_wire_answer answer, enum otpring_verdict verdict, enum otpring_reason reason)
{
    assert_string_equal(otpring_verdict_name(answer.verdict), otpring_verdict_name(verdict));
    assert_int_equal(answer.reason, reason);
}

static struct frame verify(struct fixture *f, uint16_t slot, const struct otpring_wire_query *queries, uint16_t count)
{
    return frame_of(f, slot, OTPRING_WIRE_VERIFY, queries, count);
}

/* ---- durable before answered ---- */

static void nothing_is_answered_before_the_block_is_durable(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 0));
    struct frame frame = verify(f, 0, &query, 1);
    uint32_t before = f->answered[0].frames;
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    assert_int_equal(f->answered[0].frames, before);
    core_turn(f->workers[0]);
    core_poll(f->workers[0]);
    assert_int_equal(f->answered[0].frames, before);
    assert_false(core_drained(f->workers[0]));
    worker_settle(f, 0);
    assert_int_equal(f->answered[0].frames, before + 1);
    assert_int_equal(f->answered[0].answers[0].verdict, OTPRING_ACCEPTED);
}

static void frames_of_one_turn_share_one_block_and_lie_whole(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    struct otpring_wire_query queries[6];
    for (uint32_t i = 0; i < 6; i++) queries[i] = query_of(f, &token, token_code(f, &token, i));
    struct frame first = verify(f, 0, queries, 2), second = verify(f, 1, queries + 2, 4);
    uint64_t blocks = journal_status(f->core.journal).position_next;
    assert_int_equal(frame_offer(f, 0, &first, NULL), CORE_TAKEN);
    assert_int_equal(frame_offer(f, 0, &second, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    worker_settle(f, 0);
    assert_int_equal(journal_status(f->core.journal).position_next, blocks + 1);
    struct seen seen[6];
    assert_int_equal(fixture_records(f, seen, 6), 6);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(seen[i].verify.item, i < 2 ? i : i - 2);
        assert_int_equal(seen[i].frame.slot, i < 2 ? 0 : 1);
        assert_int_equal(seen[i].verify.verdict, OTPRING_ACCEPTED);
    }
    assert_int_equal(f->answered[0].answers[3].record, seen[5].record);
}

/* ---- retry ---- */

static void a_retry_gets_the_same_answers_and_no_new_record(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 2, 1, PROFILE_HOTP, 1, 0);
    struct otpring_wire_query queries[2] = {query_of(f, &token, token_code(f, &token, 0)),
                                            query_of(f, &token, token_code(f, &token, 0))};
    struct otpring_wire_answer first[2];
    struct frame frame = verify(f, 3, queries, 2);
    memcpy(first, frame_ask(f, 0, &frame), sizeof first);
    expect(first[0], OTPRING_ACCEPTED, 0);
    expect(first[1], OTPRING_REPLAYED, OTPRING_REASON_USED);
    for (int worker = 0; worker < 3; worker++) {
        memset(f->answered[worker].answers, 0, sizeof first);
        assert_int_equal(frame_offer(f, worker, &frame, NULL), CORE_ANSWERED);
        assert_memory_equal(f->answered[worker].answers, first, sizeof first);
    }
    assert_int_equal(fixture_records(f, NULL, 0), 2);
}

static void a_retry_joins_a_frame_that_is_in_flight_on_another_worker(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 2, 2, PROFILE_HOTP, 2, 0);
    struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 0));
    struct frame frame = verify(f, 0, &query, 1);
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    assert_int_equal(frame_offer(f, 1, &frame, NULL), CORE_JOIN_LATER);
    core_turn(f->workers[0]);
    assert_int_equal(frame_offer(f, 1, &frame, NULL), CORE_JOIN_LATER);
    worker_settle(f, 0);
    assert_int_equal(frame_offer(f, 1, &frame, NULL), CORE_ANSWERED);
    expect(f->answered[1].answers[0], OTPRING_ACCEPTED, 0);
}

static void other_content_under_a_used_sequence_number_is_an_error(void **state)
{
    struct fixture *f = *state;
    enum otpring_wire_error_code error;
    struct token token = fixture_token(f, 2, 3, PROFILE_HOTP, 3, 0);
    struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 0));
    struct frame frame = verify(f, 0, &query, 1);
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    struct otpring_wire_query other = query;
    other.code ^= 1;
    struct frame changed = frame;
    changed.items = &other;
    assert_int_equal(frame_offer(f, 0, &changed, &error), CORE_JOIN_LATER); /* it is told when the first has ended */
    core_turn(f->workers[0]);
    worker_settle(f, 0);
    assert_int_equal(frame_offer(f, 0, &changed, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_CHANGED_CONTENT);
    changed = frame;
    struct otpring_wire_pair pair = {.query = query};
    changed.header.kind = OTPRING_WIRE_RESYNC;
    changed.items = &pair;
    assert_int_equal(frame_offer(f, 0, &changed, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_CHANGED_CONTENT);
}

static void a_tag_may_differ_in_a_retry(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 2, 4, PROFILE_HOTP, 4, 0);
    struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 0));
    struct frame frame = verify(f, 0, &query, 1);
    frame_ask(f, 0, &frame);
    frame.header.tag = 424242;
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_ANSWERED);
}

static void sequence_numbers_go_forward_in_serial_arithmetic(void **state)
{
    struct fixture *f = *state;
    enum otpring_wire_error_code error;
    struct token token = fixture_token(f, 2, 5, PROFILE_HOTP, 5, 0);
    static const uint32_t steps[] = {1, 2, 9, 0x7fffffff, 0xfffffffe, 0xffffffff, 0, 5};
    for (uint32_t i = 0; i < 8; i++) {
        struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, i));
        f->sequences[0] = steps[i] - 1;
        struct frame frame = verify(f, 0, &query, 1);
        expect(*frame_ask(f, 0, &frame), OTPRING_ACCEPTED, 0);
        frame.header.sequence = steps[i] - 1;
        if (i == 0) continue;
        assert_int_equal(frame_offer(f, 0, &frame, &error), CORE_ERROR);
        assert_int_equal(error, OTPRING_ERROR_SEQUENCE);
    }
}

static void frames_outside_what_was_granted_are_errors(void **state)
{
    struct fixture *f = *state;
    enum otpring_wire_error_code error;
    struct token token = fixture_token(f, 2, 6, PROFILE_HOTP, 6, 0);
    struct otpring_wire_query queries[20];
    for (uint32_t i = 0; i < 20; i++) queries[i] = query_of(f, &token, 1);
    f->session = fixture_session(f, &f->client, 2, 16);
    struct frame good = verify(f, 0, queries, 1), bad = good;
    bad.header.slot = 2;
    assert_int_equal(frame_offer(f, 0, &bad, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_SLOT);
    bad = good;
    bad.header.count = 17;
    assert_int_equal(frame_offer(f, 0, &bad, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_TOO_MANY);
    bad.header.count = 0;
    assert_int_equal(frame_offer(f, 0, &bad, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_TOO_MANY);
    bad = good;
    bad.header.session ^= (uint64_t)1 << 40;
    assert_int_equal(frame_offer(f, 0, &bad, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_SESSION);
    bad = good;
    struct core_client other = f->client;
    other.id = 78;
    bad.client = &other;
    assert_int_equal(frame_offer(f, 0, &bad, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_SESSION);
    other = f->client;
    other.rights = CORE_RIGHT_ASK;
    assert_int_equal(frame_offer(f, 0, &bad, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_NO_RIGHT);
    bad = good;
    bad.header.kind = OTPRING_WIRE_PING;
    assert_int_equal(frame_offer(f, 0, &bad, &error), CORE_ERROR);
    assert_int_equal(error, OTPRING_ERROR_KIND);
    assert_true(core_drained(f->workers[0]));
}

static void only_unavailable_items_are_judged_again_and_stand_in_a_record_of_their_own(void **state)
{
    struct fixture *f = *state;
    struct token good = fixture_token(f, 3, 1, PROFILE_HOTP, 1, 0);
    struct token lame = fixture_token(f, 3, 2, PROFILE_NONE, 2, 1000000);
    struct otpring_wire_query queries[4] = {query_of(f, &good, token_code(f, &good, 0)), query_of(f, &lame, 111111),
                                            query_of(f, &good, token_code(f, &good, 1)), query_of(f, &lame, 222222)};
    struct frame frame = verify(f, 0, queries, 4);
    struct otpring_wire_answer first[4];
    memcpy(first, frame_ask(f, 0, &frame), sizeof first);
    expect(first[0], OTPRING_ACCEPTED, 0);
    expect(first[1], OTPRING_UNAVAILABLE, OTPRING_REASON_BUSY);
    expect(first[2], OTPRING_ACCEPTED, 0);
    f->core.profiles[PROFILE_NONE].row = f->core.profiles[PROFILE_TOTP].row;
    f->core.profiles[PROFILE_NONE].used = true;
    f->core.profile_version += 2;
    const struct otpring_wire_answer *again = frame_ask(f, 1, &frame);
    assert_memory_equal(&again[0], &first[0], sizeof first[0]);
    assert_memory_equal(&again[2], &first[2], sizeof first[2]);
    assert_int_equal(again[1].verdict, OTPRING_REJECTED);
    assert_int_equal(again[3].verdict, OTPRING_REJECTED);
    struct seen seen[6];
    assert_int_equal(fixture_records(f, seen, 6), 6);
    assert_int_equal(seen[4].frame.retry, 1);
    assert_int_equal(seen[4].frame.item_count, 2);
    assert_int_equal(seen[4].verify.item, 1);
    assert_int_equal(seen[5].verify.item, 3);
    assert_int_equal(again[3].record, seen[5].record);
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_ANSWERED);
}

static void pairs_beyond_the_turns_budget_are_unavailable_and_judged_when_asked_again(void **state)
{
    struct fixture *f = *state;
    f->core.options.resync_candidates_per_turn = 8; /* 128 for pairs: one of 102 and no second */
    struct token token = fixture_token(f, 3, 3, PROFILE_HOTP, 3, 0);
    struct otpring_wire_pair pairs[3];
    for (uint32_t i = 0; i < 3; i++)
        pairs[i] = (struct otpring_wire_pair){.query = query_of(f, &token, token_code(f, &token, 20 + 2 * i)),
                                              .code_next = token_code(f, &token, 21 + 2 * i)};
    struct frame frame = frame_of(f, 0, OTPRING_WIRE_RESYNC, pairs, 3);
    for (int round = 0; round < 3; round++) {
        const struct otpring_wire_answer *answers = frame_ask(f, 0, &frame);
        for (int i = 0; i < 3; i++) {
            if (i <= round)
                expect(answers[i], OTPRING_ACCEPTED, 0);
            else
                expect(answers[i], OTPRING_UNAVAILABLE, OTPRING_REASON_BUSY);
        }
    }
    assert_int_equal(floor_of(&token), 26);
}

/* ---- unavailable ---- */

static void an_unsure_clock_answers_unavailable_unjudged_and_the_same_frame_is_judged_later(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 4, 1, PROFILE_HOTP, 1, 0);
    struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 0));
    struct frame frame = verify(f, 0, &query, 1);
    os_sim_synchronised_set(f->world, false);
    os_sim_step_wall_ms(f->world, 3600 * 1000);
    struct otpring_wire_answer answer = *frame_ask(f, 0, &frame);
    expect(answer, OTPRING_UNAVAILABLE, OTPRING_REASON_CLOCK);
    assert_int_equal(answer.record, 0);
    assert_int_equal(floor_of(&token), 0);
    assert_int_equal(fixture_records(f, NULL, 0), 0);
    clock_consent(&f->core.clock, os_time(f->os));
    expect(*frame_ask(f, 0, &frame), OTPRING_ACCEPTED, 0);
}

static void totp_follows_the_wall_clock_that_an_operator_consented_to(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 4, 2, PROFILE_TOTP, 2, 0);
    expect(ask_one(f, &token, totp_code(f, &token, 0)), OTPRING_ACCEPTED, 0);
    uint32_t floor = floor_of(&token);
    os_sim_synchronised_set(f->world, false);
    os_sim_step_wall_ms(f->world, -3600 * 1000);
    clock_consent(&f->core.clock, os_time(f->os));
    struct token other = fixture_token(f, 4, 3, PROFILE_TOTP, 3, 0);
    expect(ask_one(f, &other, totp_code(f, &other, 0)), OTPRING_ACCEPTED, 0);
    expect(ask_one(f, &token, totp_code(f, &token, 0)), OTPRING_REPLAYED, OTPRING_REASON_USED);
    assert_int_equal(floor_of(&token), floor);
}

static void a_stopping_engine_answers_unavailable_and_finishes_what_is_in_flight(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 4, 4, PROFILE_HOTP, 4, 0);
    struct otpring_wire_query queries[2] = {query_of(f, &token, token_code(f, &token, 0)),
                                            query_of(f, &token, token_code(f, &token, 1))};
    struct frame first = verify(f, 0, queries, 1), second = verify(f, 1, queries + 1, 1);
    assert_int_equal(frame_offer(f, 0, &first, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    core_stop(&f->core);
    assert_int_equal(frame_offer(f, 0, &second, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    expect(f->answered[0].answers[0], OTPRING_UNAVAILABLE, OTPRING_REASON_STOPPING);
    worker_settle(f, 0);
    expect(f->answered[0].answers[0], OTPRING_ACCEPTED, 0);
    assert_true(core_drained(f->workers[0]));
}

static void a_failed_write_poisons_and_everything_is_unavailable_from_then_on(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 4, 5, PROFILE_HOTP, 5, 0);
    struct os_sim_faults faults = {.fail_write_at = 1};
    os_sim_faults_set(f->world, &faults);
    struct otpring_wire_answer answer = ask_one(f, &token, token_code(f, &token, 0));
    expect(answer, OTPRING_UNAVAILABLE, OTPRING_REASON_POISONED);
    assert_int_equal(answer.record, 0);
    assert_int_equal(floor_of(&token), 1); /* burned in memory all the same */
    expect(ask_one(f, &token, token_code(f, &token, 1)), OTPRING_UNAVAILABLE, OTPRING_REASON_POISONED);
    assert_int_equal(floor_of(&token), 1);
    core_stop(&f->core);
    assert_int_equal(f->core.stop_reason, OTPRING_REASON_POISONED);
}

/* Offers the frame until it is taken; counts the milliseconds that it was held back. */
static unsigned offer_long(struct fixture *f, struct frame *frame)
{
    unsigned waited_ms = 0;
    enum core_admit admit;
    while ((admit = frame_offer(f, 0, frame, NULL)) == CORE_FULL) {
        os_sim_advance_ms(f->world, 1);
        assert_true(++waited_ms <= 1000);
    }
    assert_int_equal(admit, CORE_TAKEN);
    return waited_ms;
}

static void without_journal_room_frames_wait_a_little_and_nothing_is_judged_and_service_resumes_by_itself(void **state)
{
    struct fixture *f = *state;
    static struct otpring_wire_query queries[4000];
    struct token token = fixture_token(f, 4, 7, PROFILE_HOTP, 7, 0);
    struct frame frame;
    const struct otpring_wire_answer *answer = f->answered[0].answers;
    queries[0] = query_of(f, &token, token_code(f, &token, 0));
    queries[0].flags = 1;
    for (int i = 1; i < 4000; i++) queries[i] = queries[0];
    unsigned waited_ms = 0;
    for (int i = 0; i < 200; i++) {
        frame = verify(f, 0, queries, 4000);
        waited_ms = offer_long(f, &frame);
        core_turn(f->workers[0]);
        worker_settle(f, 0);
        if (answer->verdict == OTPRING_UNAVAILABLE) break;
        assert_int_equal(answer->verdict, OTPRING_MALFORMED);
        assert_int_equal(waited_ms, 0);
    }
    expect(*answer, OTPRING_UNAVAILABLE, OTPRING_REASON_NO_ROOM);
    assert_true(waited_ms > 100);
    /* What comes next does not wait again. */
    frame = verify(f, 0, queries, 4000);
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    worker_settle(f, 0);
    expect(*answer, OTPRING_UNAVAILABLE, OTPRING_REASON_NO_ROOM);
    assert_int_equal(f->core.stop_reason, 0);
    queries[0].flags = 0;
    expect(*frame_ask(f, 0, &frame), OTPRING_ACCEPTED, 0);
}

static void a_session_opened_in_bad_times_is_recorded_with_its_first_judged_frame(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 4, 6, PROFILE_HOTP, 6, 0);
    os_sim_synchronised_set(f->world, false);
    os_sim_step_wall_ms(f->world, 3600 * 1000);
    f->session = fixture_session(f, &f->client, 4, 64);
    f->sequences[0] = 0;
    clock_consent(&f->core.clock, os_time(f->os));
    uint64_t position = journal_status(f->core.journal).position_next;
    expect(ask_one(f, &token, token_code(f, &token, 0)), OTPRING_ACCEPTED, 0);
    struct journal_reader_options options = {.from_position = position};
    struct journal_reader *reader;
    struct journal_block_view block;
    assert_ok(journal_reader_open(f->os, f->folder, &options, &reader));
    assert_ok(journal_reader_next(reader, &block));
    const struct slot_act *act = (const struct slot_act *)block.slots;
    assert_int_equal(act->kind, SLOT_ACT);
    assert_int_equal(act->act, ACT_SESSION_OPEN);
    struct act_session session;
    memcpy(&session, block.slots + 64, sizeof session);
    assert_int_equal(session.id, f->session);
    assert_int_equal(block.slots[2 * 64 + 63], SLOT_FRAME);
    journal_reader_close(reader);
}

/* ---- several workers ---- */

static void a_replay_waits_for_the_turn_that_it_may_rest_on(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 5, 1, PROFILE_HOTP, 1, 1);
    struct otpring_wire_query queries[2] = {query_of(f, &token, token_code(f, &token, 0)),
                                            query_of(f, &token, token_code(f, &token, 1))};
    struct frame replay = verify(f, 0, queries, 1), fresh = verify(f, 1, queries + 1, 1);
    struct journal_block *block;
    int64_t journal_ms;
    assert_ok(
        core_record_begin(f->workers[1], &block, &journal_ms)); /* begun, not appended: will get a later position */
    assert_int_equal(frame_offer(f, 0, &replay, NULL), CORE_TAKEN);
    assert_int_equal(frame_offer(f, 0, &fresh, NULL), CORE_TAKEN);
    uint32_t before = f->answered[0].frames;
    core_turn(f->workers[0]);
    for (int i = 0; i < 50; i++) worker_step(f, 0);
    assert_int_equal(f->answered[0].frames, before + 1); /* the ACCEPTED one alone */
    expect(f->answered[0].answers[0], OTPRING_ACCEPTED, 0);
    assert_int_equal(core_waiting(f->workers[0]), 1);
    assert_int_equal(frame_offer(f, 2, &replay, NULL), CORE_JOIN_LATER);
    core_record_abandon(f->workers[1], block);
    core_poll(f->workers[0]);
    assert_int_equal(f->answered[0].frames, before + 2);
    expect(f->answered[0].answers[0], OTPRING_REPLAYED, OTPRING_REASON_USED);
    assert_int_equal(core_waiting(f->workers[0]), 0);
    assert_true(core_drained(f->workers[0]));
}

static void a_throttled_or_hidden_inactive_frame_waits_too(void **state)
{
    struct fixture *f = *state;
    struct token locked = fixture_token(f, 5, 2, PROFILE_HOTP, 2, 1);
    struct token inactive = fixture_token(f, 5, 3, PROFILE_HOTP, 3, 1);
    struct token wrong = fixture_token(f, 5, 4, PROFILE_HOTP, 4, 1);
    f->client.rights = CORE_RIGHT_VERIFY;
    atomic_store(&locked.hit.tail->budget, budget_word(FIXTURE_WALL_S + 5, 0, 9, 0));
    atomic_fetch_or(&inactive.hit.tail->flags, TABLE_SUSPENDED);
    struct otpring_wire_query queries[3] = {query_of(f, &locked, 1), query_of(f, &inactive, 1),
                                            query_of(f, &wrong, token_wrong_code(f, &wrong, 1))};
    struct journal_block *block;
    int64_t journal_ms;
    assert_ok(core_record_begin(f->workers[1], &block, &journal_ms));
    uint32_t before = f->answered[0].frames;
    for (uint16_t i = 0; i < 3; i++) {
        struct frame frame = verify(f, i, queries + i, 1);
        assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    }
    core_turn(f->workers[0]);
    for (int i = 0; i < 50; i++) worker_step(f, 0);
    assert_int_equal(f->answered[0].frames, before + 1);
    assert_int_equal(core_waiting(f->workers[0]), 2);
    memset(block->slots, 0, 64);
    block->slots[63] = SLOT_ACT;
    assert_ok(core_record_commit(f->workers[1], block, 1, journal_ms));
    core_poll(f->workers[0]);
    assert_int_equal(f->answered[0].frames, before + 3);
}

static void one_code_on_two_workers_at_once_is_accepted_once(void **state)
{
    struct fixture *f = *state;
    for (uint32_t round = 0; round < 50; round++) {
        struct token token = fixture_token(f, 6, round, round & 1 ? PROFILE_HOTP : PROFILE_TOTP, round, 0);
        struct otpring_wire_query query =
            query_of(f, &token, round & 1 ? token_code(f, &token, 4) : totp_code(f, &token, 0));
        fixture_keep(f);
        for (int w = 0; w < 3; w++) {
            struct frame frame = verify(f, (uint16_t)w, &query, 1);
            assert_int_equal(frame_offer(f, w, &frame, NULL), CORE_TAKEN);
        }
        uint64_t draw = os_sim_draw(f->world);
        for (uint64_t w = 0; w < 3; w++) core_turn(f->workers[(w + draw) % 3]);
        bool drained = false;
        for (int i = 0; i < 1000 && !drained; i++) {
            worker_step(f, (int)(os_sim_draw(f->world) % 3));
            drained = core_drained(f->workers[0]) && core_drained(f->workers[1]) && core_drained(f->workers[2]);
        }
        assert_true(drained);
        int accepted = 0, replayed = 0;
        for (int w = 0; w < 3; w++) {
            accepted += f->answered[w].answers[0].verdict == OTPRING_ACCEPTED;
            replayed += f->answered[w].answers[0].verdict == OTPRING_REPLAYED;
        }
        assert_int_equal(accepted, 1);
        assert_int_equal(replayed, 2);
    }
}

static void a_frame_that_rests_on_a_turn_lost_to_poison_is_unavailable(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 6, 100, PROFILE_HOTP, 100, 1);
    struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 0));
    struct frame frame = verify(f, 0, &query, 1);
    struct journal_block *block;
    int64_t journal_ms;
    assert_ok(core_record_begin(f->workers[1], &block, &journal_ms));
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    for (int i = 0; i < 50; i++) worker_step(f, 0);
    assert_int_equal(core_waiting(f->workers[0]), 1);
    struct os_sim_faults faults = {.fail_write_at = 1};
    os_sim_faults_set(f->world, &faults);
    memset(block->slots, 0, 64);
    assert_int_equal(core_record_commit(f->workers[1], block, 1, journal_ms).code, JOURNAL_POISONED);
    core_poll(f->workers[0]);
    expect(f->answered[0].answers[0], OTPRING_UNAVAILABLE, OTPRING_REASON_POISONED);
    /* Asked again, the verdict that was kept is not given either: what it rested on was never durable. */
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    expect(f->answered[0].answers[0], OTPRING_UNAVAILABLE, OTPRING_REASON_POISONED);
}

static void waiting_for_all_turns_sees_those_of_others(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 6, 101, PROFILE_HOTP, 101, 1);
    struct otpring_wire_query query = query_of(f, &token, token_code(f, &token, 1));
    struct frame frame = verify(f, 0, &query, 1);
    assert_int_equal(frame_offer(f, 0, &frame, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    assert_true(f->core.progress[0].begun > f->core.progress[0].durable);
    assert_ok(core_wait_all_durable(f->workers[0]));
    assert_int_equal(f->core.progress[0].begun, f->core.progress[0].durable);
}

static void a_turn_holds_at_most_the_items_it_was_made_for(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f, 7, 2, PROFILE_HOTP, 2, 0);
    static struct otpring_wire_query queries[4096];
    for (int i = 0; i < 4096; i++) queries[i] = query_of(f, &token, 1);
    struct frame first = verify(f, 0, queries, 4000), second = verify(f, 1, queries, 97),
                 third = verify(f, 2, queries, 96);
    assert_int_equal(frame_offer(f, 0, &first, NULL), CORE_TAKEN);
    assert_int_equal(frame_offer(f, 0, &second, NULL), CORE_FULL);
    assert_int_equal(frame_offer(f, 0, &third, NULL), CORE_TAKEN);
    core_turn(f->workers[0]);
    worker_settle(f, 0);
}

/* ---- hello ---- */

static void a_session_goes_on_for_its_own_client_alone(void **state)
{
    struct fixture *f = *state;
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 3, .session = f->session};
    assert_int_equal(core_hello(f->workers[1], &hello, &f->client, 9), CORE_ANSWERED);
    assert_int_equal(f->answered[1].hello.hello.resumed, 1);
    assert_int_equal(f->answered[1].hello.hello.session, f->session);
    assert_int_equal(f->answered[1].hello.hello.slots, 8);
    struct core_client other = f->client;
    other.id = 5;
    assert_int_equal(core_hello(f->workers[1], &hello, &other, 9), CORE_TAKEN);
    core_turn(f->workers[1]);
    worker_settle(f, 1);
    assert_int_equal(f->answered[1].hello.hello.resumed, 0);
    assert_true(f->answered[1].hello.hello.session != f->session);
}

static void hello_without_a_common_version_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct otpring_wire_hello hello = {.version_min = 2, .version_max = 3};
    assert_int_equal(core_hello(f->workers[0], &hello, &f->client, 9), CORE_ANSWERED);
    assert_int_equal(f->answered[0].hello.error, OTPRING_ERROR_VERSION);
}

static void a_new_session_is_answered_when_its_record_is_durable(void **state)
{
    struct fixture *f = *state;
    struct otpring_wire_hello hello = {.version_min = 1, .version_max = 1};
    uint32_t before = f->answered[0].hellos;
    assert_int_equal(core_hello(f->workers[0], &hello, &f->client, 9), CORE_TAKEN);
    core_turn(f->workers[0]);
    assert_int_equal(f->answered[0].hellos, before);
    worker_settle(f, 0);
    assert_int_equal(f->answered[0].hellos, before + 1);
    assert_int_equal(f->answered[0].hello.hello.slots, 16);
    assert_int_equal(f->answered[0].hello.hello.items_max, 1024);
    assert_int_equal(f->answered[0].hello.hello.kinds, 1 << OTPRING_WIRE_HELLO | 1 << OTPRING_WIRE_VERIFY |
                                                           1 << OTPRING_WIRE_RESYNC | 1 << OTPRING_WIRE_PING |
                                                           1 << OTPRING_WIRE_OCRA);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_answered_before_the_block_is_durable),
        TEST(frames_of_one_turn_share_one_block_and_lie_whole),
        TEST(a_retry_gets_the_same_answers_and_no_new_record),
        TEST(a_retry_joins_a_frame_that_is_in_flight_on_another_worker),
        TEST(other_content_under_a_used_sequence_number_is_an_error),
        TEST(a_tag_may_differ_in_a_retry),
        TEST(sequence_numbers_go_forward_in_serial_arithmetic),
        TEST(frames_outside_what_was_granted_are_errors),
        TEST(only_unavailable_items_are_judged_again_and_stand_in_a_record_of_their_own),
        TEST(pairs_beyond_the_turns_budget_are_unavailable_and_judged_when_asked_again),
        TEST(an_unsure_clock_answers_unavailable_unjudged_and_the_same_frame_is_judged_later),
        TEST(totp_follows_the_wall_clock_that_an_operator_consented_to),
        TEST(a_stopping_engine_answers_unavailable_and_finishes_what_is_in_flight),
        TEST(a_failed_write_poisons_and_everything_is_unavailable_from_then_on),
        TEST(without_journal_room_frames_wait_a_little_and_nothing_is_judged_and_service_resumes_by_itself),
        TEST(a_session_opened_in_bad_times_is_recorded_with_its_first_judged_frame),
        TEST(a_replay_waits_for_the_turn_that_it_may_rest_on),
        TEST(a_throttled_or_hidden_inactive_frame_waits_too),
        TEST(one_code_on_two_workers_at_once_is_accepted_once),
        TEST(a_frame_that_rests_on_a_turn_lost_to_poison_is_unavailable),
        TEST(waiting_for_all_turns_sees_those_of_others),
        TEST(a_turn_holds_at_most_the_items_it_was_made_for),
        TEST(a_session_goes_on_for_its_own_client_alone),
        TEST(hello_without_a_common_version_is_an_error),
        TEST(a_new_session_is_answered_when_its_record_is_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
