/* The outbox on a real store: its states, the order for each user, back-off in a time that the test moves, restarts. */
#include "outbox_fixture.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
