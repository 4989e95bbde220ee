/* Sessions from records and rows that may say anything: what cannot be is passed over or is damage, what is old does
 * not undo what is new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/session_state.h"

enum { CLIENT = 3, SLOT_COUNT = 2, ITEMS = 3, NOW_MS = 1000 };
static const uint64_t ID = (uint64_t)7 << 32 | 1; /* at place 1 */

static struct sessions *sessions_of(uint32_t count)
{
    const struct core_options options = {.sessions_max = count, .kept_size = 1 << 16};
    struct sessions *sessions;
    assert_int_equal(sessions_create(&options, &sessions).code, OK);
    return sessions;
}

static struct act_session opening(void)
{
    return (struct act_session){.id = ID, .client = CLIENT, .slots = SLOT_COUNT, .items_max = ITEMS};
}

static struct sessions *opened(void)
{
    const struct act_session act = opening();
    struct sessions *sessions = sessions_of(4);
    sessions_apply_open(sessions, &act, NOW_MS);
    assert_int_equal(sessions_count(sessions), 1);
    return sessions;
}

static void openings_that_cannot_be_are_passed_over(void **state)
{
    (void)state;
    struct sessions *sessions = sessions_of(4);
    struct act_session act;
#define IGNORED(change)                                                                                                \
    act = opening();                                                                                                   \
    change;                                                                                                            \
    sessions_apply_open(sessions, &act, NOW_MS);                                                                       \
    assert_int_equal(sessions_count(sessions), 0)
    IGNORED(act.id = 0);
    IGNORED(act.id = (uint64_t)7 << 32 | 4); /* there are places 0 to 3 */
    IGNORED(act.slots = 0);
    IGNORED(act.slots = OTPRING_WIRE_SLOTS_MAX + 1);
    IGNORED(act.items_max = 0);
    IGNORED(act.items_max = OTPRING_WIRE_ITEMS_MAX + 1);
#undef IGNORED
    /* Cut to fewer slots than the client was told of, it is better gone. */
    act = opening();
    act.slots = OTPRING_WIRE_SLOTS_MAX;
    act.items_max = 64;
    sessions_apply_open(sessions, &act, NOW_MS);
    assert_int_equal(sessions_count(sessions), 0);
    sessions_destroy(sessions);
}

static void a_session_opened_again_is_no_older_and_one_at_its_place_replaces_it(void **state)
{
    (void)state;
    struct sessions *sessions = opened();
    struct act_session act = opening();
    sessions_apply_open(sessions, &act, NOW_MS - 1);
    struct session *session = session_lock(sessions, ID);
    assert_int_equal(session->last_ms, NOW_MS);
    session_unlock(session);
    sessions_apply_open(sessions, &act, NOW_MS + 1);
    session = session_lock(sessions, ID);
    assert_int_equal(session->last_ms, NOW_MS + 1);
    session_unlock(session);
    act.id = (uint64_t)8 << 32 | 1;
    sessions_apply_open(sessions, &act, NOW_MS + 2);
    assert_null(session_lock(sessions, ID));
    assert_int_equal(sessions_count(sessions), 1);
    assert_null(session_lock(sessions, 0));
    assert_null(session_lock(sessions, 9));
    sessions_destroy(sessions);
}

/* ---- frames ---- */

static struct slot_frame frame_of(uint32_t sequence, uint16_t count)
{
    return (struct slot_frame){
        .session = ID, .sequence = sequence, .item_count = count, .client = CLIENT, .kind = SLOT_FRAME};
}

static void apply(struct sessions *sessions, const struct slot_frame *frame, uint8_t verdict)
{
    struct slot_verify items[ITEMS + 1] = {0};
    for (uint16_t i = 0; i <= ITEMS; i++)
        items[i] = (struct slot_verify){.verdict = verdict, .item = i, .kind = SLOT_VERIFY};
    sessions_apply_frame(sessions, frame, items, 5, 1, NOW_MS + 10);
}

/* The sequence that the first slot is at, and the verdict of its first answer; 0: none. */
static uint32_t sequence_at(struct sessions *sessions, uint8_t *ret_verdict)
{
    struct session *session = session_lock(sessions, ID);
    const struct kept_slot *slot = session_slot(session, 0);
    uint32_t sequence = slot->used ? slot->sequence : 0;
    *ret_verdict = session_answers(session, 0)[0].verdict;
    session_unlock(session);
    return sequence;
}

static void frames_that_do_not_belong_to_the_slot_leave_it_as_it_is(void **state)
{
    (void)state;
    struct sessions *sessions = opened();
    struct slot_frame frame = frame_of(4, 2);
    uint8_t verdict;
    apply(sessions, &frame, OTPRING_REJECTED);
    assert_int_equal(sequence_at(sessions, &verdict), 4);
#define IGNORED(change)                                                                                                \
    frame = frame_of(5, 2);                                                                                            \
    change;                                                                                                            \
    apply(sessions, &frame, OTPRING_ACCEPTED);                                                                         \
    assert_int_equal(sequence_at(sessions, &verdict), 4);                                                              \
    assert_int_equal(verdict, OTPRING_REJECTED)
    IGNORED(frame.session = ID + 1);
    IGNORED(frame.slot = SLOT_COUNT);
    IGNORED(frame.item_count = ITEMS + 1);
    IGNORED(frame.client = CLIENT + 1);
    IGNORED(frame.sequence = 3);
    IGNORED(frame.retry = 1); /* of a frame whose first record is not here */
#undef IGNORED
    /* A retry of the very frame: what was judged since. */
    frame = frame_of(4, 1);
    frame.retry = 1;
    apply(sessions, &frame, OTPRING_ACCEPTED);
    assert_int_equal(sequence_at(sessions, &verdict), 4);
    assert_int_equal(verdict, OTPRING_ACCEPTED);
    frame = frame_of(4, 3); /* more items than the frame had: the rest are nobody's */
    frame.retry = 1;
    apply(sessions, &frame, OTPRING_THROTTLED);
    struct session *session = session_lock(sessions, ID);
    assert_int_equal(session_slot(session, 0)->count, 2);
    session_unlock(session);
    sessions_destroy(sessions);
    sessions = opened();
    frame = frame_of(4, 1);
    frame.retry = 1;
    apply(sessions, &frame, OTPRING_ACCEPTED);
    assert_int_equal(sequence_at(sessions, &verdict), 0); /* nothing stood there at all */
    sessions_destroy(sessions);
}

/* ---- rows ---- */

struct row {
    uint64_t id;
    size_t size;
    uint8_t bytes[512];
};

static struct result row_take(void *context, uint64_t id, const void *bytes, size_t size)
{
    struct row *row = context;
    assert_in_range(size, 1, sizeof row->bytes);
    row->id = id;
    row->size = size;
    memcpy(row->bytes, bytes, size);
    return result_ok();
}

/* Its one frame stands in block 5. */
static struct row saved(uint64_t position)
{
    struct row row = {0};
    struct sessions *sessions = opened();
    const struct slot_frame frame = frame_of(4, 2);
    apply(sessions, &frame, OTPRING_REJECTED);
    assert_int_equal(sessions_save(sessions, position, row_take, &row).code, OK);
    assert_int_equal(row.id, ID);
    sessions_destroy(sessions);
    return row;
}

static enum result_code loaded(const struct row *row, uint32_t places)
{
    struct sessions *sessions = sessions_of(places);
    enum result_code code = sessions_load(sessions, row->id, row->bytes, row->size).code;
    if (code != OK) assert_int_equal(sessions_count(sessions), 0);
    sessions_destroy(sessions);
    return code;
}

static void a_saved_session_comes_back_and_a_damaged_one_is_damage(void **state)
{
    (void)state;
    const struct row sound = saved(5);
    struct row row = sound;
    uint8_t verdict;
    struct sessions *sessions = sessions_of(4);
    assert_int_equal(sessions_load(sessions, row.id, row.bytes, row.size).code, OK);
    assert_int_equal(sequence_at(sessions, &verdict), 4);
    assert_int_equal(verdict, OTPRING_REJECTED);
    sessions_destroy(sessions);
    /* Cut anywhere but behind its head, where it is a session that has answered nothing. */
    for (row.size = 0; row.size < sound.size; row.size++)
        assert_int_equal(loaded(&row, 4), row.size == 24 ? OK : STORE_DAMAGED);
#define DAMAGED(at, value)                                                                                             \
    row = sound;                                                                                                       \
    row.bytes[at] = value;                                                                                             \
    assert_int_equal(loaded(&row, 4), STORE_DAMAGED)
    DAMAGED(0, 9);           /* version */
    DAMAGED(4, 0);           /* no slots */
    DAMAGED(5, 0xff);        /* more than there may be */
    DAMAGED(6, 0);           /* no items */
    DAMAGED(7, 0xff);        /* more than there may be */
    DAMAGED(8, 0xee);        /* another session's number */
    DAMAGED(24, SLOT_COUNT); /* a slot beyond the last */
    DAMAGED(26, 0);          /* a frame without items */
    DAMAGED(26, ITEMS + 1);  /* one with more than a frame may have */
#undef DAMAGED
    /* Fewer sessions are configured now: it is gone, and that is no damage. */
    assert_int_equal(loaded(&sound, 1), OK);
}

/* The words of such a checkpoint may be older than the verdict: only the journal has both. */
static void a_verdict_behind_the_checkpoint_is_left_to_the_journal(void **state)
{
    (void)state;
    const struct row row = saved(4);
    const struct slot_frame frame = frame_of(4, 2), again = {.session = ID,
                                                             .sequence = 4,
                                                             .item_count = 1,
                                                             .client = CLIENT,
                                                             .retry = 1,
                                                             .kind = SLOT_FRAME};
    uint8_t verdict;
    for (int kept = 0; kept < 3; kept++) {
        struct sessions *sessions = sessions_of(4);
        assert_int_equal(sessions_load(sessions, row.id, row.bytes, row.size).code, OK);
        assert_int_equal(sequence_at(sessions, &verdict), 4);
        assert_int_equal(verdict, OTPRING_UNAVAILABLE);
        assert_int_equal(session_answers(&sessions->places[1], 0)[0].record, 0);
        /* The block is there; or it is lost, and what was judged afresh since is. */
        if (kept == 1) apply(sessions, &frame, OTPRING_REJECTED);
        if (kept == 2) apply(sessions, &again, OTPRING_ACCEPTED);
        assert_int_equal(sequence_at(sessions, &verdict), 4);
        assert_int_equal(verdict, kept == 0 ? OTPRING_UNAVAILABLE : kept == 1 ? OTPRING_REJECTED : OTPRING_ACCEPTED);
        sessions_destroy(sessions);
    }
}

static void what_was_not_given_is_as_documented_and_too_many_sessions_are_refused(void **state)
{
    (void)state;
    struct core_options options = {.sessions_max = SESSION_PLACE_MASK + 2};
    struct sessions *sessions;
    assert_int_equal(sessions_create(&options, &sessions).code, BAD_ARGUMENT);
    options.sessions_max = 0;
    assert_int_equal(sessions_create(&options, &sessions).code, OK);
    assert_int_equal(sessions->session_max, 1024);
    assert_int_equal(sessions->per_client_max, 256);
    assert_int_equal(sessions->idle_s, 600);
    assert_int_equal(sessions->unit_count, (256 << 20) / SESSION_UNIT);
    sessions_destroy(sessions);
    sessions_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openings_that_cannot_be_are_passed_over),
        cmocka_unit_test(a_session_opened_again_is_no_older_and_one_at_its_place_replaces_it),
        cmocka_unit_test(frames_that_do_not_belong_to_the_slot_leave_it_as_it_is),
        cmocka_unit_test(a_saved_session_comes_back_and_a_damaged_one_is_damage),
        cmocka_unit_test(a_verdict_behind_the_checkpoint_is_left_to_the_journal),
        cmocka_unit_test(what_was_not_given_is_as_documented_and_too_many_sessions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
