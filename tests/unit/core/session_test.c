/* Sessions by themselves: limits, expiry, and coming back after a restart from records and from the checkpoint. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#include "core/verify.h"

static const uint8_t mac_a[16] = {1}, mac_b[16] = {2};
static uint64_t random_state = 88172645463325252u;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static struct sessions *make(uint32_t sessions_max, uint64_t kept_size, uint32_t per_client)
{
    struct core_options options = {
        .sessions_max = sessions_max, .kept_size = kept_size, .sessions_per_client = per_client, .session_idle_s = 600};
    struct sessions *sessions;
    assert_ok(sessions_create(&options, &sessions));
    return sessions;
}

static struct otpring_wire_header header_of(uint64_t session, uint16_t slot, uint32_t sequence, uint16_t count)
{
    return (struct otpring_wire_header){
        .kind = OTPRING_WIRE_VERIFY, .session = session, .slot = slot, .sequence = sequence, .count = count};
}

static enum session_admit offer(struct sessions *sessions, uint64_t id, uint32_t sequence, uint16_t count,
                                const uint8_t mac[16], struct session_ticket *ticket,
                                struct otpring_wire_answer *answers)
{
    struct otpring_wire_header header = header_of(id, 0, sequence, count);
    enum otpring_wire_error_code error;
    return sessions_offer(sessions, &header, 7, mac, ticket, answers, &error);
}

/* One frame through and kept. */
static void keep(struct sessions *sessions, uint64_t id, uint32_t sequence, const struct otpring_wire_answer *answers,
                 uint16_t count)
{
    struct session *hold = NULL;
    struct session_ticket ticket;
    struct otpring_wire_answer scratch[8];
    enum session_admit admit = offer(sessions, id, sequence, count, mac_a, &ticket, scratch);
    assert_true(admit == SESSION_NEW || admit == SESSION_RETRY);
    /* Both at once, or one after the other: odd sequences wait for other workers. */
    sessions_settle(sessions, &hold, &ticket, answers, 1000, sequence % 2 == 0);
    sessions_let_go(&hold);
    if (sequence % 2 == 0) return;
    assert_int_equal(offer(sessions, id, sequence, count, mac_a, &ticket, scratch), SESSION_IN_FLIGHT);
    sessions_release(sessions, &ticket);
}

static uint64_t open_one(struct sessions *sessions, uint16_t client, int64_t now_ms)
{
    struct act_session act;
    return sessions_open(sessions, client, 4, 8, draw(), now_ms, &act) ? act.id : 0;
}

static void session_numbers_differ_and_are_never_zero(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 64);
    uint64_t ids[64];
    for (int i = 0; i < 64; i++) {
        struct act_session act;
        assert_true(sessions_open(sessions, 7, 1, 1, i ? draw() : 0, 0, &act));
        ids[i] = act.id;
        assert_true(act.id != 0);
        for (int j = 0; j < i; j++) assert_true(ids[i] != ids[j]);
    }
    assert_int_equal(sessions_count(sessions), 64);
    sessions_destroy(sessions);
}

static void a_client_may_have_so_many_sessions_and_no_more(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 3);
    for (int i = 0; i < 3; i++) assert_true(open_one(sessions, 7, 0));
    assert_false(open_one(sessions, 7, 5000));
    assert_true(open_one(sessions, 8, 5000));
    sessions_destroy(sessions);
}

static void the_session_idle_longest_gives_way_to_a_new_one_of_its_client(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 2);
    uint64_t first = open_one(sessions, 7, 0), second = open_one(sessions, 7, 5000);
    struct act_session act;
    assert_true(open_one(sessions, 7, 12000));
    assert_false(sessions_resume(sessions, first, 7, 12000, &act));
    assert_true(sessions_resume(sessions, second, 7, 12000, &act));
    sessions_destroy(sessions);
}

static void a_session_with_a_frame_in_flight_never_gives_way_nor_expires(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 1);
    struct session_ticket ticket;
    struct otpring_wire_answer scratch[8];
    uint64_t id = open_one(sessions, 7, 0);
    assert_int_equal(offer(sessions, id, 1, 1, mac_a, &ticket, scratch), SESSION_NEW);
    assert_false(open_one(sessions, 7, 1000000));
    sessions_expire(sessions, 100000000, NULL, NULL);
    assert_int_equal(sessions_count(sessions), 1);
    sessions_release(sessions, &ticket);
    sessions_expire(sessions, 100000000, NULL, NULL);
    assert_int_equal(sessions_count(sessions), 0);
    sessions_destroy(sessions);
}

static uint64_t gone_id;

static void gone(void *context, uint64_t id)
{
    (void)context;
    gone_id = id;
}

static void an_idle_session_expires_and_its_frames_get_a_distinct_error(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 4);
    uint64_t id = open_one(sessions, 7, 1000);
    sessions_expire(sessions, 601000, gone, NULL);
    assert_int_equal(sessions_count(sessions), 1);
    sessions_expire(sessions, 601001, gone, NULL);
    assert_int_equal(gone_id, id);
    struct otpring_wire_header header = header_of(id, 0, 1, 1);
    struct session_ticket ticket;
    struct otpring_wire_answer scratch[8];
    enum otpring_wire_error_code error = 0;
    assert_int_equal(sessions_offer(sessions, &header, 7, mac_a, &ticket, scratch, &error), SESSION_REFUSED);
    assert_int_equal(error, OTPRING_ERROR_SESSION);
    sessions_destroy(sessions);
}

static void grants_are_cut_to_the_memory_that_is_left_but_keep_one_slot(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 1 << 20, 64);
    struct act_session act;
    assert_true(sessions_open(sessions, 7, 1000, 4096, draw(), 0, &act));
    assert_int_equal(act.slots, 15); /* 64 KiB and a head each, out of 1 MiB */
    assert_int_equal(act.items_max, 4096);
    assert_false(sessions_open(sessions, 7, 16, 4096, draw(), 0, &act));
    assert_true(sessions_open(sessions, 7, 16, 100, draw(), 0, &act));
    assert_true(act.slots >= 1);
    sessions_close(sessions, act.id);
    sessions_destroy(sessions);
}

static void memory_of_closed_sessions_is_used_again(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 1 << 20, 64);
    struct act_session act;
    uint64_t open[40] = {0};
    for (int i = 0; i < 20000; i++) {
        uint64_t *place = &open[draw() % 40];
        if (*place) {
            sessions_close(sessions, *place);
            *place = 0;
        } else if (sessions_open(sessions, 7, (uint16_t)(draw() % 16 + 1), (uint16_t)(draw() % 256 + 1), draw(), 0,
                                 &act)) {
            *place = act.id;
        }
    }
    for (int i = 0; i < 40; i++) {
        if (open[i]) sessions_close(sessions, open[i]);
    }
    assert_int_equal(sessions_count(sessions), 0);
    assert_true(sessions_open(sessions, 7, 15, 4096, draw(), 0, &act));
    assert_int_equal(act.slots, 15);
    sessions_destroy(sessions);
}

static void a_frame_given_back_leaves_the_slot_as_it_stood(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 4);
    struct session_ticket ticket;
    struct otpring_wire_answer scratch[8], kept = {.verdict = OTPRING_ACCEPTED, .record = 99};
    uint64_t id = open_one(sessions, 7, 0);
    keep(sessions, id, 1, &kept, 1);
    assert_int_equal(offer(sessions, id, 2, 1, mac_b, &ticket, scratch), SESSION_NEW);
    sessions_release(sessions, &ticket);
    assert_int_equal(offer(sessions, id, 1, 1, mac_a, &ticket, scratch), SESSION_KEPT);
    assert_memory_equal(&scratch[0], &kept, sizeof kept);
    assert_int_equal(offer(sessions, id, 2, 1, mac_a, &ticket, scratch),
                     SESSION_NEW); /* other content: it was never judged */
    sessions_release(sessions, &ticket);
    sessions_destroy(sessions);
}

static void a_next_frame_waits_while_the_slot_is_in_flight(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 4);
    struct session_ticket ticket, other;
    struct otpring_wire_answer scratch[8];
    uint64_t id = open_one(sessions, 7, 0);
    assert_int_equal(offer(sessions, id, 5, 1, mac_a, &ticket, scratch), SESSION_NEW);
    assert_int_equal(offer(sessions, id, 6, 1, mac_a, &other, scratch), SESSION_IN_FLIGHT);
    assert_int_equal(offer(sessions, id, 4, 1, mac_a, &other, scratch), SESSION_REFUSED);
    sessions_release(sessions, &ticket);
    sessions_destroy(sessions);
}

/* ---- coming back ---- */

static struct slot_frame frame_slot(uint64_t session, uint32_t sequence, uint16_t count, uint8_t retry)
{
    struct slot_frame frame = {
        .session = session, .sequence = sequence, .item_count = count, .client = 7, .retry = retry, .kind = SLOT_FRAME};
    memcpy(frame.mac, mac_a, 16);
    return frame;
}

static void sessions_come_back_from_their_records(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 4);
    struct act_session act = {.id = 0xabcdef0000000003, .client = 7, .slots = 4, .items_max = 8};
    struct slot_verify items[3] = {
        {.item = 0, .verdict = OTPRING_ACCEPTED},
        {.item = 1, .verdict = OTPRING_UNAVAILABLE, .reason = OTPRING_REASON_BUSY, .told = OTPRING_REASON_BUSY},
        {.item = 2, .verdict = OTPRING_REJECTED, .reason = OTPRING_REASON_HIDDEN, .told = OTPRING_REASON_NO_MATCH}};
    struct slot_frame frame = frame_slot(act.id, 9, 3, 0);
    sessions_apply_open(sessions, &act, 1000);
    sessions_apply_open(sessions, &act, 1000);
    sessions_apply_frame(sessions, &frame, items, 50, 2, 2000);
    assert_int_equal(sessions_count(sessions), 1);
    struct session_ticket ticket;
    struct otpring_wire_answer answers[8];
    assert_int_equal(offer(sessions, act.id, 9, 3, mac_b, &ticket, answers), SESSION_REFUSED);
    assert_int_equal(offer(sessions, act.id, 9, 3, mac_a, &ticket, answers), SESSION_RETRY);
    sessions_release(sessions, &ticket);
    assert_int_equal(answers[0].verdict, OTPRING_ACCEPTED);
    assert_int_equal(answers[0].record, 50 << 14 | 2);
    assert_int_equal(answers[1].verdict, OTPRING_UNAVAILABLE);
    assert_int_equal(answers[1].record, 0);
    assert_int_equal(answers[2].reason, OTPRING_REASON_NO_MATCH);
    assert_int_equal(answers[2].record, 50 << 14 | 4);
    struct slot_verify late = {.item = 1, .verdict = OTPRING_THROTTLED, .retry_after_s = 8};
    struct slot_frame retry = frame_slot(act.id, 9, 1, 1);
    sessions_apply_frame(sessions, &retry, &late, 51, 1, 2000);
    assert_int_equal(offer(sessions, act.id, 9, 3, mac_a, &ticket, answers), SESSION_KEPT);
    assert_int_equal(answers[1].verdict, OTPRING_THROTTLED);
    assert_int_equal(answers[1].retry_after_s, 8);
    assert_int_equal(answers[0].record, 50 << 14 | 2);
    sessions_destroy(sessions);
}

static void records_older_than_what_is_kept_change_nothing(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 4);
    struct act_session act = {.id = 0xabcdef0000000003, .client = 7, .slots = 4, .items_max = 8};
    struct slot_verify item = {.verdict = OTPRING_ACCEPTED};
    sessions_apply_open(sessions, &act, 1000);
    struct slot_frame newer = frame_slot(act.id, 10, 1, 0), older = frame_slot(act.id, 9, 1, 0);
    struct slot_frame foreign = frame_slot(0x12340000000004, 1, 1, 0), broken = frame_slot(act.id, 11, 1, 0);
    sessions_apply_frame(sessions, &newer, &item, 60, 1, 0);
    sessions_apply_frame(sessions, &older, &item, 50, 1, 0);
    sessions_apply_frame(sessions, &foreign, &item, 61, 1, 0);
    broken.slot = 4;
    sessions_apply_frame(sessions, &broken, &item, 62, 1, 0);
    struct session_ticket ticket;
    struct otpring_wire_answer answers[8];
    assert_int_equal(offer(sessions, act.id, 10, 1, mac_a, &ticket, answers), SESSION_KEPT);
    assert_int_equal(answers[0].record, 60 << 14 | 1);
    sessions_destroy(sessions);
}

struct saved {
    uint64_t id;
    size_t size;
    uint8_t bytes[4096];
};

static struct result save_one(void *context, uint64_t id, const void *bytes, size_t size)
{
    struct saved *saved = context;
    while (saved->size) saved++;
    assert_true(size <= sizeof saved->bytes);
    saved->id = id;
    saved->size = size;
    memcpy(saved->bytes, bytes, size);
    return result_ok();
}

static void a_checkpoint_takes_all_kept_answers_along(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 4), *again = make(64, 8 << 20, 4);
    struct saved *saved = calloc(4, sizeof *saved);
    struct session_ticket ticket;
    struct otpring_wire_answer kept[8], answers[8];
    uint64_t ids[2] = {open_one(sessions, 7, 0), open_one(sessions, 7, 0)};
    for (int i = 0; i < 8; i++)
        kept[i] = (struct otpring_wire_answer){
            .verdict = (uint8_t)(i + 1), .reason = 3, .retry_after_s = 70000, .record = draw()};
    keep(sessions, ids[0], 4, kept, 8);
    keep(sessions, ids[1], 2, kept + 3, 2);
    /* A frame in flight at the checkpoint is not in it; the one before it in the slot is. */
    assert_int_equal(offer(sessions, ids[1], 3, 1, mac_b, &ticket, answers), SESSION_NEW);
    assert_ok(sessions_save(sessions, UINT64_MAX, save_one, saved));
    sessions_release(sessions, &ticket);
    for (int i = 0; i < 2; i++) assert_ok(sessions_load(again, saved[i].id, saved[i].bytes, saved[i].size));
    assert_int_equal(saved[2].size, 0);
    assert_int_equal(offer(again, ids[0], 4, 8, mac_a, &ticket, answers), SESSION_KEPT);
    assert_memory_equal(answers, kept, sizeof kept);
    assert_int_equal(offer(again, ids[1], 2, 2, mac_a, &ticket, answers), SESSION_KEPT);
    assert_memory_equal(answers, kept + 3, 2 * sizeof *kept);
    assert_int_equal(offer(again, ids[1], 3, 1, mac_b, &ticket, answers), SESSION_NEW);
    free(saved);
    sessions_destroy(sessions);
    sessions_destroy(again);
}

static void damaged_rows_are_refused(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 8 << 20, 4), *again = make(64, 8 << 20, 4);
    struct saved *saved = calloc(2, sizeof *saved);
    struct otpring_wire_answer kept[3] = {{.verdict = 1}, {.verdict = 1}, {.verdict = 1}};
    keep(sessions, open_one(sessions, 7, 0), 4, kept, 3);
    assert_ok(sessions_save(sessions, UINT64_MAX, save_one, saved));
    for (size_t size = 0; size < saved->size; size++) {
        if (size == 24) continue; /* a session without frames is a sound row */
        assert_int_equal(sessions_load(again, saved->id, saved->bytes, size).code, STORE_DAMAGED);
        assert_int_equal(sessions_count(again), 0);
    }
    assert_int_equal(sessions_load(again, saved->id + 1, saved->bytes, saved->size).code, STORE_DAMAGED);
    for (int i = 0; i < 20000; i++) {
        struct saved broken = *saved;
        broken.bytes[draw() % broken.size] ^= (uint8_t)(1 << draw() % 8);
        struct result result = sessions_load(again, broken.id, broken.bytes, broken.size);
        assert_true(result.code == OK || result.code == STORE_DAMAGED);
        sessions_close(again, broken.id);
    }
    free(saved);
    sessions_destroy(sessions);
    sessions_destroy(again);
}

static void a_session_that_no_longer_fits_is_gone_rather_than_smaller(void **state)
{
    (void)state;
    struct sessions *sessions = make(64, 16 << 10, 4);
    struct act_session act = {.id = 0xabcdef0000000003, .client = 7, .slots = 4, .items_max = 1000};
    sessions_apply_open(sessions, &act, 1000);
    assert_int_equal(sessions_count(sessions), 0);
    sessions_destroy(sessions);
}

/* The whole way: frames judged by the engine, its journal read back into empty sessions. */
static void kept_answers_survive_a_crash_through_the_journal(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(5);
    struct token token = fixture_token(f, 1, 1, PROFILE_HOTP, 1, 0);
    struct otpring_wire_query queries[3] = {query_of(f, &token, token_code(f, &token, 0)),
                                            query_of(f, &token, token_code(f, &token, 0)), query_of(f, &token, 1)};
    struct frame frame = frame_of(f, 2, OTPRING_WIRE_VERIFY, queries, 3);
    struct otpring_wire_answer first[3];
    memcpy(first, frame_ask(f, 0, &frame), sizeof first);
    struct sessions *again;
    assert_ok(sessions_create(&f->core.options, &again));
    struct act_session act = {.id = f->session, .client = 77, .slots = 8, .items_max = 4096};
    sessions_apply_open(again, &act, 0);
    struct seen seen[3];
    struct slot_verify items[3];
    assert_int_equal(fixture_records(f, seen, 3), 3);
    for (int i = 0; i < 3; i++) items[i] = seen[i].verify;
    sessions_apply_frame(again, &seen[0].frame, items, seen[0].record >> 14, (uint32_t)(seen[0].record & 16383), 0);
    struct sessions *before = f->core.sessions;
    f->core.sessions = again;
    assert_int_equal(frame_offer(f, 1, &frame, NULL), CORE_ANSWERED);
    assert_memory_equal(f->answered[1].answers, first, sizeof first);
    sessions_destroy(before);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_numbers_differ_and_are_never_zero),
        cmocka_unit_test(a_client_may_have_so_many_sessions_and_no_more),
        cmocka_unit_test(the_session_idle_longest_gives_way_to_a_new_one_of_its_client),
        cmocka_unit_test(a_session_with_a_frame_in_flight_never_gives_way_nor_expires),
        cmocka_unit_test(an_idle_session_expires_and_its_frames_get_a_distinct_error),
        cmocka_unit_test(grants_are_cut_to_the_memory_that_is_left_but_keep_one_slot),
        cmocka_unit_test(memory_of_closed_sessions_is_used_again),
        cmocka_unit_test(a_frame_given_back_leaves_the_slot_as_it_stood),
        cmocka_unit_test(a_next_frame_waits_while_the_slot_is_in_flight),
        cmocka_unit_test(sessions_come_back_from_their_records),
        cmocka_unit_test(records_older_than_what_is_kept_change_nothing),
        cmocka_unit_test(a_checkpoint_takes_all_kept_answers_along),
        cmocka_unit_test(damaged_rows_are_refused),
        cmocka_unit_test(a_session_that_no_longer_fits_is_gone_rather_than_smaller),
        cmocka_unit_test(kept_answers_survive_a_crash_through_the_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
