/* The outbox on a real store: its states, the order for each user, back-off in a time that the test moves, restarts. */
#include "admin/outbox.h"
#include "admin_fixture.h"
#include "base/bytes.h"

#define assert_fine(fixture, ...) assert_answer(fixture, "OK", __VA_ARGS__)

/* One change, in which the test is at `now_ms`. */
struct step {
    struct act act;
    struct people people;
};

static int64_t now_ms = 1700000000000;

static void step_begin(struct fixture *fixture, struct step *step)
{
    *step = (struct step){.act = {.admin = fixture->admin}};
    step->people = (struct people){.act = &step->act, .store = core_store(fixture->engine->core)};
    admin_ok(core_change_begin(fixture->worker, &step->act.actor, &step->people.change));
    step->people.txn = core_change_txn(step->people.change);
    step->people.now_ms = now_ms;
}

static void step_end(struct fixture *fixture, struct step *step)
{
    bool more = true;
    admin_ok(core_change_commit(step->people.change));
    for (int i = 0; more && i < 64; i++) admin_ok(core_keep(fixture->worker, &more));
}

static const struct outbox_field activated[] = {{"device", "Ann's phone"}, {"when", "1700000000"}};

static struct outbox_draft draft_to(const char *user)
{
    struct outbox_draft draft = {.kind = MESSAGE_ACTIVATED,
                                 .channel = CHANNEL_PUSH,
                                 .to = "device-1",
                                 .language = "es",
                                 .fields = activated,
                                 .field_count = 2};
    core_name("Acme", 4, user, strlen(user), draft.name);
    return draft;
}

static struct result try_put(struct fixture *fixture, const struct outbox_draft *draft, uint64_t *ret_number)
{
    struct step step;
    step_begin(fixture, &step);
    struct result result = outbox_put(&step.people, draft, ret_number);
    if (result_failed(result)) {
        core_change_abandon(step.people.change);
    } else {
        step_end(fixture, &step);
    }
    return result;
}

static uint64_t put(struct fixture *fixture, const char *user)
{
    uint64_t number = 0;
    struct outbox_draft draft = draft_to(user);
    admin_ok(try_put(fixture, &draft, &number));
    return number;
}

/* What was handed over last. */
static struct {
    size_t count;
    struct outbox_row rows[OUTBOX_HAND_MAX];
    struct outbox_content contents[OUTBOX_HAND_MAX];
} given;

static struct result take(struct people *people, const struct outbox_row *row, const struct outbox_content *content,
                          void *context)
{
    (void)people;
    (void)context;
    given.rows[given.count] = *row;
    given.contents[given.count++] = *content;
    return result_ok();
}

static size_t hand(struct fixture *fixture, size_t limit, uint32_t lease_s)
{
    struct step step;
    given.count = 0;
    step_begin(fixture, &step);
    admin_ok(outbox_hand(&step.people, limit, lease_s, take, NULL));
    step_end(fixture, &step);
    return given.count;
}

static struct result serve_one(struct fixture *fixture, struct result (*serve)(struct people *, uint64_t),
                               uint64_t number)
{
    struct step step;
    step_begin(fixture, &step);
    struct result result = serve(&step.people, number);
    step_end(fixture, &step);
    return result;
}

static void ack(struct fixture *fixture, uint64_t number)
{
    admin_ok(serve_one(fixture, outbox_ack, number));
}

static void refuse(struct fixture *fixture, uint64_t number, struct outbox_failure failure)
{
    struct step step;
    step_begin(fixture, &step);
    admin_ok(outbox_fail(&step.people, number, &failure));
    step_end(fixture, &step);
}

static struct outbox_row row_of(struct fixture *fixture, uint64_t number)
{
    struct step step;
    struct outbox_row row;
    step_begin(fixture, &step);
    admin_ok(outbox_get(&step.people, number, &row));
    core_change_abandon(step.people.change);
    return row;
}

static struct outbox_counts counts_of(struct fixture *fixture)
{
    struct step step;
    struct outbox_counts counts;
    step_begin(fixture, &step);
    admin_ok(outbox_counts(&step.people, &counts));
    core_change_abandon(step.people.change);
    return counts;
}

static void restart(struct fixture *fixture, bool finish)
{
    fixture_close(fixture, finish);
    admin_ok(fixture_open(fixture));
}

static const struct outbox_failure later = {.handed = 1, .reason = "HTTP 503"};

/* ---- */

static void a_message_is_handed_over_whole_and_once_while_its_lease_lasts(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    uint64_t number = put(&fixture, "ann");
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, number);
    assert_int_equal(given.rows[0].handed, 1);
    assert_string_equal(given.contents[0].to, "device-1");
    assert_string_equal(given.contents[0].language, "es");
    assert_int_equal(given.contents[0].field_count, 2);
    assert_string_equal(given.contents[0].fields[0].value, "Ann's phone");
    now_ms += 59999;
    assert_int_equal(hand(&fixture, 10, 60), 0);
    ack(&fixture, number);
    assert_int_equal(row_of(&fixture, number).state, OUTBOX_DELIVERED);
    now_ms += 1000000;
    assert_int_equal(hand(&fixture, 10, 60), 0);
    fixture_remove(&fixture);
}

static void a_lease_that_runs_out_offers_it_again_and_counts_it(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    put(&fixture, "ann");
    assert_int_equal(hand(&fixture, 10, 60), 1);
    now_ms += 60000;
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].handed, 2);
    fixture_remove(&fixture);
}

static void a_crash_between_hand_over_and_ack_loses_nothing_and_marks_the_second_time(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    uint64_t first = put(&fixture, "ann");
    put(&fixture, "ann");
    assert_int_equal(hand(&fixture, 10, 60), 1);
    restart(&fixture, false);
    assert_int_equal(hand(&fixture, 10, 60), 0);
    now_ms += 60000;
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, first);
    assert_int_equal(given.rows[0].handed, 2);
    ack(&fixture, first);
    restart(&fixture, false);
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, first + 1);
    assert_int_equal(given.rows[0].handed, 1);
    fixture_remove(&fixture);
}

static void one_users_messages_come_one_by_one_and_hold_up_nobody_else(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    uint64_t ann1 = put(&fixture, "ann"), ann2 = put(&fixture, "ann"), bob1 = put(&fixture, "bob");
    assert_int_equal(hand(&fixture, 10, 60), 2);
    assert_int_equal(given.rows[0].number, ann1);
    assert_int_equal(given.rows[1].number, bob1);
    refuse(&fixture, ann1, later);
    ack(&fixture, bob1);
    uint64_t bob2 = put(&fixture, "bob");
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, bob2);
    now_ms += 2000;
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, ann1);
    ack(&fixture, ann1);
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, ann2);
    fixture_remove(&fixture);
}

static const struct outbox_field question_fields[] = {{"challenge", "fch5ewLMRuXFwHKiHKQ6EQ"},
                                                      {"valid_until", "1700000120"}};

static uint64_t put_question(struct fixture *fixture, const char *user, int64_t expires_ms)
{
    uint64_t number = 0;
    struct outbox_draft draft = draft_to(user);
    draft.kind = MESSAGE_QUESTION;
    draft.expires_ms = expires_ms;
    draft.fields = question_fields;
    admin_ok(try_put(fixture, &draft, &number));
    return number;
}

static void a_question_never_waits_behind_a_message_that_is_not_delivered(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    put(&fixture, "ann");
    assert_int_equal(hand(&fixture, 9, 60), 1); /* out, and not settled */
    put(&fixture, "ann");
    assert_int_equal(hand(&fixture, 9, 60), 0);
    uint64_t first = put_question(&fixture, "ann", now_ms + 120000), second = put_question(&fixture, "ann", 0);
    assert_int_equal(hand(&fixture, 9, 60), 1);
    assert_int_equal(given.rows[0].number, first);
    assert_int_equal(given.contents[0].field_count, 2);
    ack(&fixture, first); /* questions have an order among themselves */
    assert_int_equal(hand(&fixture, 9, 60), 1);
    assert_int_equal(given.rows[0].number, second);
    fixture_remove(&fixture);
}

static bool sweep_due(struct fixture *fixture)
{
    struct step step;
    bool due = false;
    step_begin(fixture, &step);
    admin_ok(outbox_sweep_due(&step.people, &due));
    core_change_abandon(step.people.change);
    return due;
}

static void sweep(struct fixture *fixture, size_t limit)
{
    struct step step;
    step_begin(fixture, &step);
    admin_ok(outbox_sweep(&step.people, limit));
    step_end(fixture, &step);
}

static void a_question_that_has_expired_is_gone_and_nobody_has_to_settle_it(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    put(&fixture, "ann"); /* an older one that nobody fetches */
    for (int i = 0; i < 3; i++) put_question(&fixture, "ann", now_ms + 1000 * (i + 1));
    uint64_t last = put_question(&fixture, "bob", now_ms + 1000);
    assert_false(sweep_due(&fixture));
    now_ms += 1000;
    assert_true(sweep_due(&fixture));
    sweep(&fixture, 1);
    assert_true(sweep_due(&fixture));
    sweep(&fixture, 9);
    assert_false(sweep_due(&fixture));
    assert_int_equal(counts_of(&fixture).open, 3);
    struct step step;
    struct outbox_row row;
    step_begin(&fixture, &step);
    assert_int_equal(outbox_get(&step.people, last, &row).code, STORE_NOT_FOUND);
    core_change_abandon(step.people.change);
    now_ms += 5000; /* the others when they come up to be handed over */
    assert_int_equal(hand(&fixture, 9, 60), 1);
    assert_int_equal(given.rows[0].kind, MESSAGE_ACTIVATED);
    assert_int_equal(counts_of(&fixture).open, 1);
    assert_int_equal(counts_of(&fixture).dead, 0);
    fixture_remove(&fixture);
}

static void a_question_that_cannot_be_delivered_in_its_time_leaves_no_dead_letter(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    put_question(&fixture, "ann", now_ms + 1000);
    assert_int_equal(hand(&fixture, 9, 60), 1);
    refuse(&fixture, given.rows[0].number, (struct outbox_failure){.handed = 1, .retry_s = 60, .reason = "no answer"});
    put_question(&fixture, "ann", now_ms + 1000);
    assert_int_equal(hand(&fixture, 9, 60), 1);
    refuse(&fixture, given.rows[0].number, (struct outbox_failure){.handed = 1, .for_good = true, .reason = "gone"});
    assert_int_equal(counts_of(&fixture).open, 0);
    assert_int_equal(counts_of(&fixture).dead, 0);
    fixture_remove(&fixture);
}

static void failures_back_off_doubling_to_an_hour(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    uint64_t number = put(&fixture, "ann");
    for (uint32_t failed = 1; failed <= 14; failed++) {
        int64_t wait_ms = failed < 12 ? 1000LL << failed : 3600000;
        assert_int_equal(hand(&fixture, 1, 60), 1);
        refuse(&fixture, number, (struct outbox_failure){.handed = failed, .reason = "HTTP 503"});
        assert_int_equal(row_of(&fixture, number).due_ms, now_ms + wait_ms);
        assert_int_equal(row_of(&fixture, number).failed, failed);
        now_ms += wait_ms - 1;
        assert_int_equal(hand(&fixture, 1, 60), 0);
        now_ms++;
    }
    assert_int_equal(hand(&fixture, 1, 60), 1);
    refuse(&fixture, number, (struct outbox_failure){.handed = 15, .retry_s = 7, .reason = "HTTP 429"});
    assert_int_equal(row_of(&fixture, number).due_ms, now_ms + 7000);
    assert_string_equal(row_of(&fixture, number).reason, "HTTP 429");
    fixture_remove(&fixture);
}

static void what_is_refused_for_good_is_dead_and_lets_the_next_pass(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    uint64_t first = put(&fixture, "ann"), second = put(&fixture, "ann");
    assert_int_equal(hand(&fixture, 10, 60), 1);
    refuse(&fixture, first, (struct outbox_failure){.handed = 1, .for_good = true, .reason = "HTTP 400"});
    assert_int_equal(row_of(&fixture, first).state, OUTBOX_DEAD);
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, second);
    struct outbox_counts counts = counts_of(&fixture);
    assert_int_equal(counts.open, 1);
    assert_int_equal(counts.dead, 1);
    fixture_remove(&fixture);
}

static void a_message_dies_when_nobody_wants_it_any_more_or_its_life_is_over(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    struct outbox_draft draft = draft_to("ann");
    uint64_t first, second = 0;
    draft.expires_ms = now_ms + 5000;
    admin_ok(try_put(&fixture, &draft, &first));
    second = put(&fixture, "ann");
    now_ms += 5000;
    assert_int_equal(hand(&fixture, 1, 60), 1);
    assert_int_equal(given.rows[0].number, second);
    assert_string_equal(row_of(&fixture, first).reason, "expired before it could be delivered");
    now_ms += OUTBOX_LIFE_S * 1000LL;
    assert_int_equal(hand(&fixture, 1, 60), 0);
    assert_string_equal(row_of(&fixture, second).reason, "could not be delivered in its time");
    /* A retry that would come only after the end is the end. */
    draft.expires_ms = now_ms + 5000;
    uint64_t third = 0;
    admin_ok(try_put(&fixture, &draft, &third));
    assert_int_equal(hand(&fixture, 1, 60), 1);
    refuse(&fixture, third, (struct outbox_failure){.handed = 1, .retry_s = 5, .reason = "HTTP 503"});
    assert_int_equal(row_of(&fixture, third).state, OUTBOX_DEAD);
    fixture_remove(&fixture);
}

static void a_dead_message_that_is_tried_again_takes_its_old_place(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    uint64_t first = put(&fixture, "ann"), second = put(&fixture, "ann"), third = put(&fixture, "ann");
    hand(&fixture, 10, 60);
    refuse(&fixture, first, (struct outbox_failure){.handed = 1, .for_good = true, .reason = "HTTP 400"});
    /* The second waits: the first passes it. */
    admin_ok(serve_one(&fixture, outbox_retry, first));
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, first);
    refuse(&fixture, first, (struct outbox_failure){.handed = 2, .for_good = true, .reason = "HTTP 400"});
    /* The second is out: it comes to its end first, then the first, then the third. */
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, second);
    admin_ok(serve_one(&fixture, outbox_retry, first));
    assert_int_equal(hand(&fixture, 10, 60), 0);
    ack(&fixture, second);
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, first);
    assert_int_equal(given.rows[0].handed, 3);
    ack(&fixture, first);
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, third);
    fixture_remove(&fixture);
}

static void a_retry_is_refused_where_it_makes_no_sense(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    struct outbox_draft draft = draft_to("ann");
    uint64_t number = 0;
    draft.expires_ms = now_ms + 5000;
    admin_ok(try_put(&fixture, &draft, &number));
    hand(&fixture, 1, 1);
    struct step step;
    step_begin(&fixture, &step);
    admin_is(outbox_retry(&step.people, number), OUTBOX_STATE);
    admin_is(outbox_retry(&step.people, number + 1), STORE_NOT_FOUND);
    core_change_abandon(step.people.change);
    refuse(&fixture, number, (struct outbox_failure){.handed = 1, .for_good = true, .reason = ""});
    now_ms += 5000;
    step_begin(&fixture, &step);
    admin_is(outbox_retry(&step.people, number), OUTBOX_EXPIRED);
    core_change_abandon(step.people.change);
    fixture_remove(&fixture);
}

static void news_of_an_older_hand_over_counts_only_when_it_says_delivered(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    uint64_t number = put(&fixture, "ann");
    hand(&fixture, 1, 60);
    now_ms += 60000;
    hand(&fixture, 1, 60);
    refuse(&fixture, number, later);
    assert_int_equal(row_of(&fixture, number).state, OUTBOX_HANDED);
    ack(&fixture, number);
    ack(&fixture, number);
    refuse(&fixture, number, (struct outbox_failure){.handed = 2, .reason = ""});
    assert_int_equal(row_of(&fixture, number).state, OUTBOX_DELIVERED);
    fixture_remove(&fixture);
}

static void a_reason_is_cut_between_characters_and_cleaned(void **unused)
{
    (void)unused;
    struct fixture fixture;
    char reason[400];
    fixture_make(&fixture, 4096);
    uint64_t number = put(&fixture, "ann");
    hand(&fixture, 1, 60);
    for (size_t i = 0; i < sizeof(reason) - 1; i += 2) memcpy(reason + i, "\xc3\xb1", 2);
    memcpy(reason, "x", 1);
    memcpy(reason + 1, "\xc3\xb1", 2);
    reason[sizeof(reason) - 1] = 0;
    refuse(&fixture, number, (struct outbox_failure){.handed = 1, .reason = reason});
    assert_true(core_text_valid(row_of(&fixture, number).reason, 0, OUTBOX_REASON_MAX));
    fixture_remove(&fixture);
}

static void a_draft_must_have_the_fields_of_its_kind_and_no_others(void **unused)
{
    (void)unused;
    struct outbox_draft good = draft_to("ann"), draft = good;
    admin_ok(outbox_draft_check(&good));
    draft.field_count = 1;
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft = good;
    draft.fields = (const struct outbox_field[]){{"device", "x"}, {"device", "y"}};
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft.fields = (const struct outbox_field[]){{"device", "x"}, {"whe", "1"}};
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft.fields = (const struct outbox_field[]){{"device", "x"}, {"@when", "1"}};
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft.fields = (const struct outbox_field[]){{"device", "x"}, {"when", "noon"}};
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft.fields = (const struct outbox_field[]){{"device", "x\ny"}, {"when", "1"}};
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft = good;
    draft.to = "";
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft = good;
    draft.language = "ES";
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft = good;
    draft.kind = MESSAGE_KIND_END;
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
    draft = good;
    draft.channel = CHANNEL_NONE;
    admin_is(outbox_draft_check(&draft), BAD_ARGUMENT);
}

static void a_full_outbox_says_so_and_takes_more_once_some_are_settled(void **unused)
{
    (void)unused;
    struct fixture fixture;
    struct outbox_draft draft = draft_to("carl");
    uint64_t number = 0;
    fixture_make(&fixture, 4096);
    fixture.admin->options.outbox_max = 2;
    uint64_t first = put(&fixture, "ann");
    put(&fixture, "bob");
    admin_is(try_put(&fixture, &draft, &number), OUTBOX_FULL);
    hand(&fixture, 1, 60);
    refuse(&fixture, first, (struct outbox_failure){.handed = 1, .for_good = true, .reason = ""});
    admin_is(try_put(&fixture, &draft, &number), OUTBOX_FULL);
    ack(&fixture, first);
    admin_ok(try_put(&fixture, &draft, &number));
    fixture.admin->options.outbox_max = 0;
    for (int i = 0; i < OUTBOX_USER_MAX; i++) put(&fixture, "dora");
    draft = draft_to("dora");
    admin_is(try_put(&fixture, &draft, &number), OUTBOX_USER_FULL);
    fixture_remove(&fixture);
}

static bool content_exists(struct fixture *fixture, uint64_t number)
{
    struct step step;
    struct store_bytes value;
    uint8_t key[9];
    store_be64(key, number);
    key[8] = 'P';
    step_begin(fixture, &step);
    struct result got =
        store_get(step.people.store, step.people.txn, STORE_OUTBOX, (struct store_bytes){key, 9}, &value);
    bool clear = !result_failed(got) && memmem(value.bytes, value.size, "Ann's phone", 11);
    core_change_abandon(step.people.change);
    assert_false(clear);
    return !result_failed(got);
}

static void content_is_sealed_and_goes_when_it_is_delivered(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    uint64_t number = put(&fixture, "ann");
    assert_true(content_exists(&fixture, number));
    hand(&fixture, 1, 60);
    ack(&fixture, number);
    assert_false(content_exists(&fixture, number));
    fixture_remove(&fixture);
}

static void who_was_erased_gets_nothing_any_more(void **unused)
{
    (void)unused;
    struct fixture fixture;
    struct step step;
    fixture_make(&fixture, 4096);
    uint64_t number = put(&fixture, "ann"), other = put(&fixture, "bob");
    struct outbox_draft draft = draft_to("ann");
    step_begin(&fixture, &step);
    admin_ok(core_change_record(step.people.change, &(struct core_change_act){.name = "user.erase"}));
    admin_ok(core_change_erase(step.people.change, STORE_PERSON_KEYS, (struct store_bytes){draft.name, 16}));
    step_end(&fixture, &step);
    assert_int_equal(hand(&fixture, 10, 60), 1);
    assert_int_equal(given.rows[0].number, other);
    assert_int_equal(row_of(&fixture, number).state, OUTBOX_DEAD);
    assert_string_equal(row_of(&fixture, number).reason, "the person's data was erased");
    fixture_remove(&fixture);
}

static void delivered_ones_are_kept_up_to_a_number(void **unused)
{
    (void)unused;
    enum { BATCH = 32, USERS = OUTBOX_KEPT_MAX / BATCH + 1 };
    struct fixture fixture;
    uint64_t number = 0;
    fixture_make(&fixture, 4096);
    for (int i = 0; i < USERS; i++) {
        char user[16];
        struct step step;
        snprintf(user, sizeof(user), "u%d", i);
        struct outbox_draft draft = draft_to(user);
        step_begin(&fixture, &step);
        for (int j = 0; j < BATCH; j++) {
            admin_ok(outbox_put(&step.people, &draft, &number));
            admin_ok(outbox_ack(&step.people, number));
        }
        step_end(&fixture, &step);
    }
    assert_int_equal(number, USERS * BATCH);
    assert_int_equal(counts_of(&fixture).delivered, OUTBOX_KEPT_MAX);
    struct step step;
    struct outbox_row row;
    step_begin(&fixture, &step);
    admin_is(outbox_get(&step.people, USERS * BATCH - OUTBOX_KEPT_MAX, &row), STORE_NOT_FOUND);
    admin_ok(outbox_get(&step.people, USERS * BATCH - OUTBOX_KEPT_MAX + 1, &row));
    core_change_abandon(step.people.change);
    fixture_remove(&fixture);
}

static void a_damaged_row_is_told_not_believed(void **unused)
{
    (void)unused;
    struct outbox_row row = {.number = 7, .state = OUTBOX_DEAD, .kind = MESSAGE_ACTIVATED, .channel = CHANNEL_SMS};
    struct outbox_row read;
    uint8_t bytes[OUTBOX_ROW_MAX];
    strcpy(row.reason, "HTTP 400");
    size_t size = outbox_row_encode(&row, bytes);
    admin_ok(outbox_row_decode((struct store_bytes){bytes, size}, &read));
    assert_string_equal(read.reason, "HTTP 400");
    for (size_t cut = 0; cut < size; cut++) {
        admin_is(outbox_row_decode((struct store_bytes){bytes, cut}, &read), STORE_DAMAGED);
    }
    for (size_t at = 0; at < 5; at++) {
        uint8_t kept = bytes[at];
        bytes[at] = 99;
        admin_is(outbox_row_decode((struct store_bytes){bytes, size}, &read), STORE_DAMAGED);
        bytes[at] = kept;
    }
}

static void content_of_one_message_does_not_pass_for_another(void **unused)
{
    (void)unused;
    struct outbox_draft draft = draft_to("ann");
    struct outbox_content content;
    uint8_t bytes[OUTBOX_CONTENT_MAX];
    size_t size = outbox_content_encode(&draft, 7, bytes);
    admin_ok(outbox_content_decode(bytes, size, 7, &content));
    admin_is(outbox_content_decode(bytes, size, 8, &content), STORE_DAMAGED);
    for (size_t cut = 0; cut < size; cut++) {
        admin_is(outbox_content_decode(bytes, cut, 7, &content), STORE_DAMAGED);
    }
}

/* ---- any order of steps, against what a user would see ---- */

enum { USERS = 4, STEPS = 900, NUMBERS_MAX = STEPS + 1 };

static struct {
    enum { NONE, OPEN, DONE, DEAD } state[NUMBERS_MAX];
    int user[NUMBERS_MAX];
    bool retried[NUMBERS_MAX];
    uint32_t handed[NUMBERS_MAX];
    int64_t lease_ms[NUMBERS_MAX]; /* 0: not out */
    uint64_t last;
} model;

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t below)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (random_state >> 8) % below;
}

/* Whatever is handed over is open, was not out, and none before it of the same user is still to come. */
static void model_given(void)
{
    for (size_t i = 0; i < given.count; i++) {
        uint64_t number = given.rows[i].number;
        assert_int_equal(model.state[number], OPEN);
        assert_true(model.lease_ms[number] <= now_ms);
        assert_int_equal(given.rows[i].handed, ++model.handed[number]);
        model.lease_ms[number] = now_ms + 60000;
        for (uint64_t other = 1; other <= model.last; other++) {
            if (other == number || model.user[other] != model.user[number] || model.state[other] != OPEN) continue;
            assert_false(model.lease_ms[other] > now_ms);
            assert_true(other > number || model.retried[other]);
        }
    }
}

static uint64_t model_pick(int state)
{
    for (int i = 0; i < 50 && model.last > 0; i++) {
        uint64_t number = 1 + random_below((uint32_t)model.last);
        if ((int)model.state[number] == state) return number;
    }
    return 0;
}

static void model_step(struct fixture *fixture)
{
    static const char *const users[USERS] = {"ann", "bob", "carl", "dora"};
    uint64_t number = 0;
    switch (random_below(10)) {
    case 0:
    case 1: {
        int user = (int)random_below(USERS);
        struct outbox_draft draft = draft_to(users[user]);
        if (result_failed(try_put(fixture, &draft, &number))) return;
        assert_int_equal(number, model.last + 1);
        model.last = number;
        model.user[number] = user;
        model.state[number] = OPEN;
        return;
    }
    case 2:
    case 3:
    case 4:
        hand(fixture, 1 + random_below(4), 60);
        model_given();
        return;
    case 5:
    case 6:
        number = model_pick(OPEN);
        if (!number || model.handed[number] == 0) return;
        ack(fixture, number);
        model.state[number] = DONE;
        return;
    case 7: {
        number = model_pick(OPEN);
        if (!number || model.lease_ms[number] == 0) return;
        bool for_good = random_below(3) == 0;
        refuse(
            fixture, number,
            (struct outbox_failure){.handed = model.handed[number], .for_good = for_good, .retry_s = 1, .reason = "x"});
        model.lease_ms[number] = 0;
        if (for_good) model.state[number] = DEAD;
        return;
    }
    case 8:
        number = model_pick(DEAD);
        if (!number) return;
        admin_ok(serve_one(fixture, outbox_retry, number));
        model.state[number] = OPEN;
        model.retried[number] = true;
        return;
    default:
        now_ms += random_below(3) == 0 ? 60000 : random_below(3000);
    }
}

static void no_order_of_steps_breaks_the_order_of_a_user_or_loses_a_message(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    for (int i = 0; i < STEPS; i++) {
        model_step(&fixture);
        if (i % 300 == 299) restart(&fixture, i % 600 == 299);
    }
    /* All that is still open comes out, in order, when time goes on. */
    for (int i = 0; i < 400; i++) {
        now_ms += 60000;
        if (hand(&fixture, 64, 60) == 0) break;
        model_given();
        for (size_t j = 0; j < given.count; j++) {
            ack(&fixture, given.rows[j].number);
            model.state[given.rows[j].number] = DONE;
        }
    }
    for (uint64_t number = 1; number <= model.last; number++) assert_true(model.state[number] != OPEN);
    assert_int_equal(counts_of(&fixture).open, 0);
    assert_true(model.last > 100);
    fixture_remove(&fixture);
}

/* ---- acts ---- */

#define PUT "{'act':'outbox.put','company':'Acme','user':'ann','kind':'access-alert','channel':'sms'"
#define FIELDS ",'fields':{'service':'Bank online','when':'1700000000'}}"

static void the_acts_put_hand_over_and_settle(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_answer(&fixture, "STORE_NOT_FOUND", PUT FIELDS);
    assert_fine(&fixture, "{'act':'company.add','company':'Acme'}");
    assert_fine(&fixture, "{'act':'company.activate','company':'Acme','trained':'2020-02-29'}");
    assert_fine(&fixture, "{'act':'user.add','company':'Acme','user':'ann','phone':'+34600123456','language':'en'}");
    json_t *answer = ask(&fixture, "{'act':'outbox.next'}");
    assert_int_equal(json_array_size(json_object_get(answer, "messages")), 0);
    assert_true(json_is_null(json_object_get(answer, "wait_ms")));
    json_decref(answer);
    assert_fine(&fixture, PUT FIELDS);
    answer = ask(&fixture, "{'act':'outbox.next','lease_s':60}");
    json_t *message = json_array_get(json_object_get(answer, "messages"), 0);
    assert_string_equal(text_in(message, "to"), "+34600123456");
    assert_string_equal(text_in(message, "language"), "en");
    assert_string_equal(text_in(json_object_get(message, "fields"), "service"), "Bank online");
    assert_int_equal(number_in(message, "handed"), 1);
    assert_true(number_in(answer, "wait_ms") > 0);
    json_decref(answer);
    assert_fine(&fixture, "{'act':'outbox.fail','failures':[{'number':1,'handed':1,'reason':'HTTP 503','retry_s':1}]}");
    answer = ask(&fixture, "{'act':'outbox.list','state':'queued'}");
    assert_int_equal(json_array_size(json_object_get(answer, "messages")), 1);
    json_decref(answer);
    answer = ask(&fixture, "{'act':'outbox.show','number':1}");
    assert_string_equal(text_in(json_object_get(answer, "message"), "reason"), "HTTP 503");
    assert_null(json_object_get(json_object_get(answer, "message"), "to"));
    json_decref(answer);
    assert_fine(&fixture, "{'act':'outbox.retry','number':1}");
    assert_fine(&fixture, "{'act':'outbox.ack','numbers':[1]}");
    assert_answer(&fixture, "OUTBOX_STATE", "{'act':'outbox.retry','number':1}");
    fixture_remove(&fixture);
}

static void acts_with_bad_fields_are_refused(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_answer(&fixture, "BAD_ARGUMENT", PUT ",'to':'+34600','language':'es','fields':{}}");
    assert_answer(&fixture, "BAD_JSON", PUT ",'to':'+34600','language':'es','fields':[]}");
    assert_answer(&fixture, "BAD_JSON", PUT ",'to':'+34600','language':'es','fields':{'service':1}}");
    assert_answer(&fixture, "BAD_ARGUMENT", PUT ",'to':'','language':'es'" FIELDS);
    assert_answer(&fixture, "BAD_ARGUMENT",
                  "{'act':'outbox.put','company':'Acme','user':'ann','kind':'no','channel':'sms'" FIELDS);
    assert_answer(&fixture, "BAD_ARGUMENT",
                  "{'act':'outbox.put','company':'Acme','user':'ann','kind':'activated','channel':'post'" FIELDS);
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.ack'}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.ack','number':1,'numbers':[1]}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.ack','number':'1'}");
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'outbox.ack','number':1}");
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'outbox.show','number':1}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.next','limit':65}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.fail','failures':[{'number':1}]}");
    assert_answer(&fixture, "BAD_JSON", "{'act':'outbox.fail'}");
    assert_fine(&fixture, "{'act':'outbox.fail','failures':[{'number':1,'handed':1,'reason':'gone'}]}");
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'outbox.list','state':'lost'}");
    assert_answer(&fixture, "BAD_ARGUMENT", "{'act':'outbox.list','state':'dead','company':'Acme','user':'ann'}");
    fixture_remove(&fixture);
}

static void lists_go_page_by_page_by_number_state_or_user(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    for (int i = 0; i < 5; i++) put(&fixture, i % 2 ? "bob" : "ann");
    static const struct {
        const char *filter;
        int first, second;
    } lists[] = {{"", 1, 2}, {",'state':'queued'", 1, 2}, {",'company':'Acme','user':'ann'", 1, 3}};
    for (size_t i = 0; i < 3; i++) {
        json_t *answer = ask(&fixture, "{'act':'outbox.list','limit':2%s}", lists[i].filter);
        const json_t *messages = json_object_get(answer, "messages");
        assert_int_equal(number_in(json_array_get(messages, 0), "number"), lists[i].first);
        assert_int_equal(number_in(json_array_get(messages, 1), "number"), lists[i].second);
        json_int_t next = number_in(answer, "next");
        json_decref(answer);
        answer = ask(&fixture, "{'act':'outbox.list','after':%d%s}", (int)next, lists[i].filter);
        assert_int_equal(json_array_size(json_object_get(answer, "messages")), i == 2 ? 1 : 3);
        assert_true(json_is_null(json_object_get(answer, "next")));
        json_decref(answer);
    }
    fixture_remove(&fixture);
}

static void the_relays_operator_may_do_nothing_else(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_fine(&fixture, "{'act':'operator.add','name':'olga','may':'all'}");
    json_t *answer = ask(&fixture, "{'act':'operator.add','name':'relay','may':'relay'}");
    char key[200];
    snprintf(key, sizeof(key), "%s", text_in(answer, "key"));
    json_decref(answer);
    assert_fine(&fixture, "{'act':'outbox.next','operator':'relay','key':'%s'}", key);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'outbox.ack','number':1,'operator':'relay','key':'%s'}", key);
    assert_answer(&fixture, "RULE", "{'act':'outbox.list','operator':'relay','key':'%s'}", key);
    assert_answer(&fixture, "RULE", "{'act':'outbox.retry','number':1,'operator':'relay','key':'%s'}", key);
    assert_answer(&fixture, "RULE", "{'act':'token.list','operator':'relay','key':'%s'}", key);
    fixture_remove(&fixture);
}

static void administrators_are_told_once_a_day_of_tokens_that_nobody_has(void **unused)
{
    (void)unused;
    struct fixture fixture;
    fixture_make(&fixture, 4096);
    assert_answer(&fixture, "STORE_NOT_FOUND", "{'act':'outbox.remind','company':'Acme'}");
    assert_fine(&fixture, "{'act':'company.add','company':'Acme'}");
    assert_fine(&fixture, "{'act':'company.activate','company':'Acme','trained':'2020-02-29'}");
    assert_fine(&fixture, "{'act':'company.add','company':'Other'}");
    static const char *const users[] = {"boss", "mute", "gone", "ann"};
    for (size_t i = 0; i < 4; i++) {
        assert_fine(&fixture, "{'act':'user.add','company':'Acme','user':'%s'%s}", users[i],
                    i == 1 ? "" : ",'phone':'+34600123456','language':'en'");
        if (i == 3) break;
        assert_fine(&fixture, "{'act':'user.set','company':'Acme','user':'%s','administrator':true}", users[i]);
    }
    assert_fine(&fixture, "{'act':'user.deactivate','company':'Acme','user':'gone'}");
    assert_fine(&fixture, "{'act':'stock.add','serial':'T-1','secret':'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'}");
    assert_fine(&fixture, "{'act':'stock.add','serial':'T-2','secret':'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'}");
    assert_fine(&fixture, "{'act':'stock.give','company':'Acme','serials':['T-1','T-2']}");
    static const struct {
        const char *request;
        int tokens, queued;
    } asked[] = {{"'company':'Acme'", 0, 0},
                 {"'company':'Other','older_days':0", 0, 0},
                 {"'company':'Acme','older_days':0", 2, 1},
                 {"'company':'Acme','older_days':0", 2, 0}};
    for (size_t i = 0; i < 4; i++) {
        json_t *answer = ask(&fixture, "{'act':'outbox.remind',%s}", asked[i].request);
        assert_int_equal(number_in(answer, "tokens"), asked[i].tokens);
        assert_int_equal(number_in(answer, "queued"), asked[i].queued);
        json_decref(answer);
    }
    json_t *answer = ask(&fixture, "{'act':'outbox.next'}");
    const json_t *message = json_array_get(json_object_get(answer, "messages"), 0);
    assert_string_equal(text_in(message, "kind"), "unassigned");
    assert_string_equal(text_in(json_object_get(message, "fields"), "count"), "2");
    assert_string_equal(text_in(json_object_get(message, "fields"), "company"), "Acme");
    json_decref(answer);
    fixture_remove(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_handed_over_whole_and_once_while_its_lease_lasts),
        cmocka_unit_test(a_lease_that_runs_out_offers_it_again_and_counts_it),
        cmocka_unit_test(a_crash_between_hand_over_and_ack_loses_nothing_and_marks_the_second_time),
        cmocka_unit_test(one_users_messages_come_one_by_one_and_hold_up_nobody_else),
        cmocka_unit_test(a_question_never_waits_behind_a_message_that_is_not_delivered),
        cmocka_unit_test(a_question_that_has_expired_is_gone_and_nobody_has_to_settle_it),
        cmocka_unit_test(a_question_that_cannot_be_delivered_in_its_time_leaves_no_dead_letter),
        cmocka_unit_test(failures_back_off_doubling_to_an_hour),
        cmocka_unit_test(what_is_refused_for_good_is_dead_and_lets_the_next_pass),
        cmocka_unit_test(a_message_dies_when_nobody_wants_it_any_more_or_its_life_is_over),
        cmocka_unit_test(a_dead_message_that_is_tried_again_takes_its_old_place),
        cmocka_unit_test(a_retry_is_refused_where_it_makes_no_sense),
        cmocka_unit_test(news_of_an_older_hand_over_counts_only_when_it_says_delivered),
        cmocka_unit_test(a_reason_is_cut_between_characters_and_cleaned),
        cmocka_unit_test(a_draft_must_have_the_fields_of_its_kind_and_no_others),
        cmocka_unit_test(a_full_outbox_says_so_and_takes_more_once_some_are_settled),
        cmocka_unit_test(content_is_sealed_and_goes_when_it_is_delivered),
        cmocka_unit_test(who_was_erased_gets_nothing_any_more),
        cmocka_unit_test(delivered_ones_are_kept_up_to_a_number),
        cmocka_unit_test(a_damaged_row_is_told_not_believed),
        cmocka_unit_test(content_of_one_message_does_not_pass_for_another),
        cmocka_unit_test(no_order_of_steps_breaks_the_order_of_a_user_or_loses_a_message),
        cmocka_unit_test(the_acts_put_hand_over_and_settle),
        cmocka_unit_test(acts_with_bad_fields_are_refused),
        cmocka_unit_test(lists_go_page_by_page_by_number_state_or_user),
        cmocka_unit_test(the_relays_operator_may_do_nothing_else),
        cmocka_unit_test(administrators_are_told_once_a_day_of_tokens_that_nobody_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
