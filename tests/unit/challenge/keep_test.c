/* Challenges through journal and store: on the simulated os, stopped, crashed at every disk operation, and out of room.
 */
#include "../core/state_fixture.h"

#include "challenge/keep.h"

enum { LIFE = 120, COOL = 60, WINDOW = 600 };

struct story {
    struct state *state;
    struct challenge_keep keep;
};

static const struct core_actor client_five = {.uid = 5};
static const uint8_t ana[16] = {'a', 'n', 'a'}, luis[16] = {'l', 'u', 'i', 's'};

static uint32_t now_of(const struct story *story)
{
    (void)story;
    return STATE_WALL_S;
}

static struct result story_start(struct story *story)
{
    const uint8_t key[32] = {3};
    const struct challenge_limits limits = {
        .capacity = 2048, .life_max_s = LIFE, .cool_down_s = COOL, .window_s = WINDOW, .prompts_max = 3};
    story->keep = (struct challenge_keep){
        .worker = story->state->worker, .store = story->state->store, .vault = story->state->vault};
    state_ok(challenge_room_open(&limits, key, &story->keep.room));
    return challenge_keep_load(&story->keep, now_of(story));
}

static void story_begin(struct story *story, uint64_t seed)
{
    story->state = state_create(seed);
    state_ok(story_start(story));
}

static void story_crash(struct story *story)
{
    challenge_room_close(story->keep.room);
    state_crash(story->state);
    state_ok(state_open(story->state));
    state_ok(story_start(story));
}

static void story_end(struct story *story)
{
    challenge_room_close(story->keep.room);
    state_destroy(story->state);
}

static struct challenge_text words(const char *text)
{
    return (struct challenge_text){.bytes = text, .size = strlen(text)};
}

/* A payment of this number, by number matching. */
static struct challenge_ask payment(uint32_t number, const uint8_t account[16])
{
    struct challenge_ask ask = {.body = {.purpose = CHALLENGE_TRANSACTION,
                                         .flags = CHALLENGE_MATCH_NUMBER,
                                         .fields = {words("Demo Bank"), words("Pay?"), words("1250.00"), words("EUR"),
                                                    words("Ana"), words("7")}},
                                .life_s = LIFE,
                                .client = 9,
                                .number = 42};
    memcpy(ask.account, account, 16);
    memcpy(ask.body.id, &number, sizeof number);
    return ask;
}

static void ask_one(struct story *story, struct challenge_ask *ask)
{
    size_t done;
    state_ok(challenge_keep_ask(&story->keep, &client_five, ask, 1, &done));
    assert_int_equal(done, 1);
    state_ok(ask->result);
}

static struct challenge_reply approval(const struct challenge_ask *ask)
{
    static const uint8_t signature[64] = {1, 2, 3};
    struct challenge_reply reply = {.answer = {.act = CHALLENGE_APPROVE, .number = 42, .device = 77},
                                    .evidence = signature,
                                    .evidence_size = sizeof signature};
    memcpy(reply.id, ask->body.id, CHALLENGE_ID_SIZE);
    memcpy(reply.answer.account, ask->account, 16);
    challenge_digest(ask->bytes, ask->size, reply.answer.digest);
    return reply;
}

static void answer_one(struct story *story, struct challenge_reply *reply)
{
    size_t done;
    state_ok(challenge_keep_answer(&story->keep, &client_five, reply, 1, &done));
    assert_int_equal(done, 1);
    state_ok(reply->result);
}

static const struct challenge_entry *found(const struct story *story, const struct challenge_ask *ask)
{
    const struct challenge_entry *entry = challenge_find(story->keep.room, ask->body.id);
    assert_non_null(entry);
    return entry;
}

static void what_was_asked_is_there_after_a_crash_with_its_body(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, 1);
    struct challenge_ask ask = payment(1, ana);
    ask_one(&story, &ask);
    assert_int_equal(ask.asked, CHALLENGE_NEW);
    struct challenge_entry before = *found(&story, &ask);
    story_crash(&story);
    const struct challenge_entry *after = found(&story, &ask);
    assert_int_equal(after->state, CHALLENGE_ASKED);
    assert_int_equal(after->number, 42);
    assert_int_equal(after->client, 9);
    assert_int_equal(after->flags, CHALLENGE_MATCH_NUMBER);
    assert_int_equal(after->expires_s, before.expires_s);
    assert_int_equal(after->asked_s, before.asked_s);
    assert_memory_equal(after->account, before.account, 16);
    assert_memory_equal(after->digest, before.digest, sizeof before.digest);
    assert_memory_equal(after->content, before.content, sizeof before.content);
    uint8_t body[CHALLENGE_BODY_SIZE_MAX];
    size_t size;
    state_ok(challenge_keep_body(&story.keep, ask.body.id, body, &size));
    assert_int_equal(size, ask.size);
    assert_memory_equal(body, ask.bytes, size);
    state_is(challenge_keep_evidence(&story.keep, ask.body.id, body, &size), STORE_NOT_FOUND);
    story_end(&story);
}

static void an_answer_stays_given_after_a_crash_and_so_does_its_evidence(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, 2);
    struct challenge_ask ask = payment(1, ana);
    ask_one(&story, &ask);
    struct challenge_reply reply = approval(&ask);
    answer_one(&story, &reply);
    assert_int_equal(reply.answered, CHALLENGE_TAKEN);
    assert_int_equal(reply.state, CHALLENGE_APPROVED);
    for (int crash = 0; crash < 2; crash++) {
        struct challenge_reply again = approval(&ask);
        answer_one(&story, &again);
        assert_int_equal(again.answered, CHALLENGE_CLOSED_ALREADY);
        assert_int_equal(found(&story, &ask)->state, CHALLENGE_APPROVED);
        assert_int_equal(found(&story, &ask)->device, 77);
        uint8_t evidence[CHALLENGE_EVIDENCE_SIZE_MAX];
        size_t size;
        state_ok(challenge_keep_evidence(&story.keep, ask.body.id, evidence, &size));
        assert_int_equal(size, reply.evidence_size);
        assert_memory_equal(evidence, reply.evidence, size);
        story_crash(&story);
    }
    story_end(&story);
}

static void of_two_answers_in_one_batch_the_first_is_taken(void **unused)
{
    (void)unused;
    struct story story;
    size_t done;
    story_begin(&story, 3);
    struct challenge_ask ask = payment(1, ana);
    ask_one(&story, &ask);
    struct challenge_reply replies[2] = {approval(&ask), approval(&ask)};
    replies[0].answer.act = CHALLENGE_REFUSE;
    replies[0].answer.reason = CHALLENGE_NOT_ME;
    state_ok(challenge_keep_answer(&story.keep, &client_five, replies, 2, &done));
    assert_int_equal(done, 2);
    assert_int_equal(replies[0].answered, CHALLENGE_TAKEN);
    assert_int_equal(replies[0].state, CHALLENGE_REFUSED);
    assert_int_equal(replies[1].answered, CHALLENGE_CLOSED_ALREADY);
    story_crash(&story);
    assert_int_equal(found(&story, &ask)->reason, CHALLENGE_NOT_ME);
    story_end(&story);
}

static void the_same_question_twice_in_one_batch_is_one_prompt(void **unused)
{
    (void)unused;
    struct story story;
    size_t done;
    story_begin(&story, 4);
    struct challenge_ask asks[4] = {payment(1, ana), payment(2, ana), payment(3, ana), payment(4, luis)};
    asks[2].body.fields[CHALLENGE_AMOUNT] = words("1250.01");
    state_ok(challenge_keep_ask(&story.keep, &client_five, asks, 4, &done));
    assert_int_equal(done, 4);
    assert_int_equal(asks[0].asked, CHALLENGE_NEW);
    assert_int_equal(asks[1].asked, CHALLENGE_JOINED);
    assert_memory_equal(asks[1].joined, asks[0].body.id, CHALLENGE_ID_SIZE);
    assert_int_equal(asks[2].asked, CHALLENGE_BUSY);
    assert_int_equal(asks[2].retry_after_s, LIFE);
    assert_int_equal(asks[3].asked, CHALLENGE_NEW);
    assert_int_equal(challenge_count(story.keep.room), 2);
    story_end(&story);
}

static void what_is_wrong_with_one_is_told_of_it_alone(void **unused)
{
    (void)unused;
    struct story story;
    size_t done;
    story_begin(&story, 5);
    struct challenge_ask asks[4] = {payment(1, ana), payment(2, luis), payment(1, luis), payment(3, luis)};
    asks[1].body.fields[CHALLENGE_AMOUNT] = words("1,50");
    asks[3].life_s = LIFE + 1;
    state_ok(challenge_keep_ask(&story.keep, &client_five, asks, 4, &done));
    assert_int_equal(done, 4);
    state_ok(asks[0].result);
    state_is(asks[1].result, CHALLENGE_BAD_AMOUNT);
    state_is(asks[2].result, STORE_EXISTS);
    state_is(asks[3].result, BAD_ARGUMENT);
    struct challenge_reply replies[2] = {approval(&asks[0]), approval(&asks[0])};
    replies[0].evidence_size = CHALLENGE_EVIDENCE_SIZE_MAX + 1;
    state_ok(challenge_keep_answer(&story.keep, &client_five, replies, 2, &done));
    state_is(replies[0].result, BAD_ARGUMENT);
    state_ok(replies[1].result);
    assert_int_equal(replies[1].answered, CHALLENGE_TAKEN);
    story_end(&story);
}

static void more_than_a_block_holds_are_done_in_several_calls(void **unused)
{
    (void)unused;
    enum { COUNT = 300 };
    static struct challenge_ask asks[COUNT];
    static struct challenge_reply replies[COUNT];
    struct story story;
    story_begin(&story, 6);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t account[16] = {1, (uint8_t)i, (uint8_t)(i >> 8)};
        asks[i] = payment(i + 1, account);
    }
    int calls = 0;
    for (size_t at = 0, done; at < COUNT; at += done, calls++) {
        state_ok(challenge_keep_ask(&story.keep, &client_five, asks + at, COUNT - at, &done));
        assert_true(done > 0);
    }
    assert_true(calls > 1);
    for (uint32_t i = 0; i < COUNT; i++) replies[i] = approval(&asks[i]);
    for (size_t at = 0, done; at < COUNT; at += done)
        state_ok(challenge_keep_answer(&story.keep, &client_five, replies + at, COUNT - at, &done));
    story_crash(&story);
    assert_int_equal(challenge_count(story.keep.room), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) assert_int_equal(found(&story, &asks[i])->state, CHALLENGE_APPROVED);
    story_end(&story);
}

static void an_account_that_is_shut_loses_its_open_questions_for_good(void **unused)
{
    (void)unused;
    struct story story;
    uint32_t withdrawn;
    story_begin(&story, 7);
    struct challenge_ask pay = payment(1, ana), login = payment(2, ana), other = payment(3, luis);
    login.body.purpose = CHALLENGE_LOGIN;
    for (int f = CHALLENGE_AMOUNT; f < CHALLENGE_FIELD_COUNT; f++) login.body.fields[f] = (struct challenge_text){0};
    ask_one(&story, &pay);
    ask_one(&story, &login);
    ask_one(&story, &other);
    state_ok(challenge_keep_shut(&story.keep, &client_five, ana, CHALLENGE_ACCOUNT_SHUT, &withdrawn));
    assert_int_equal(withdrawn, 2);
    struct challenge_reply reply = approval(&pay);
    answer_one(&story, &reply);
    assert_int_equal(reply.answered, CHALLENGE_CLOSED_ALREADY);
    story_crash(&story);
    assert_int_equal(found(&story, &pay)->state, CHALLENGE_WITHDRAWN);
    assert_int_equal(found(&story, &login)->reason, CHALLENGE_ACCOUNT_SHUT);
    assert_int_equal(found(&story, &other)->state, CHALLENGE_ASKED);
    state_ok(challenge_keep_shut(&story.keep, &client_five, ana, CHALLENGE_ACCOUNT_SHUT, &withdrawn));
    assert_int_equal(withdrawn, 0);
    story_end(&story);
}

static void an_exchange_is_of_no_device_and_stays_when_devices_go(void **unused)
{
    (void)unused;
    struct story story;
    uint32_t withdrawn;
    story_begin(&story, 11);
    struct challenge_ask pay = payment(1, ana), exchange = payment(2, ana);
    exchange.body =
        (struct challenge_body){.purpose = CHALLENGE_EXCHANGE, .fields = {words("11112222"), words("33334444")}};
    exchange.body.id[0] = 2;
    exchange.number = 0;
    ask_one(&story, &exchange);
    ask_one(&story, &pay);
    state_ok(challenge_keep_shut(&story.keep, &client_five, ana, CHALLENGE_UNBOUND, &withdrawn));
    assert_int_equal(withdrawn, 1);
    story_crash(&story);
    assert_int_equal(found(&story, &pay)->state, CHALLENGE_WITHDRAWN);
    assert_int_equal(found(&story, &exchange)->state, CHALLENGE_ASKED);
    assert_int_equal(found(&story, &exchange)->purpose, CHALLENGE_EXCHANGE);
    story_end(&story);
}

static void one_can_be_withdrawn_by_who_asked_but_not_twice(void **unused)
{
    (void)unused;
    struct story story;
    story_begin(&story, 8);
    struct challenge_ask ask = payment(1, ana), unknown = payment(2, ana);
    ask_one(&story, &ask);
    state_is(challenge_keep_withdraw(&story.keep, &client_five, ask.body.id, CHALLENGE_DEVICE, CHALLENGE_CANCELLED),
             CHALLENGE_DENIED);
    state_ok(challenge_keep_withdraw(&story.keep, &client_five, ask.body.id, CHALLENGE_CLIENT, CHALLENGE_CANCELLED));
    state_is(challenge_keep_withdraw(&story.keep, &client_five, ask.body.id, CHALLENGE_CLIENT, CHALLENGE_CANCELLED),
             CHALLENGE_DENIED);
    state_is(challenge_keep_withdraw(&story.keep, &client_five, unknown.body.id, CHALLENGE_CLIENT, CHALLENGE_CANCELLED),
             STORE_NOT_FOUND);
    story_crash(&story);
    assert_int_equal(found(&story, &ask)->state, CHALLENGE_WITHDRAWN);
    story_end(&story);
}

static void what_the_room_forgets_is_gone_from_the_store(void **unused)
{
    (void)unused;
    enum { COUNT = CHALLENGE_FORGET_MAX + 10 };
    static struct challenge_ask asks[COUNT];
    struct story story;
    story_begin(&story, 9);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t account[16] = {1, (uint8_t)i, (uint8_t)(i >> 8)};
        asks[i] = payment(i + 1, account);
    }
    for (size_t at = 0, done; at < COUNT; at += done)
        state_ok(challenge_keep_ask(&story.keep, &client_five, asks + at, COUNT - at, &done));
    struct challenge_reply reply = approval(&asks[0]);
    answer_one(&story, &reply);
    bool more = true;
    state_ok(challenge_keep_tick(&story.keep, &client_five, now_of(&story) + LIFE - 1, &more));
    assert_false(more);
    assert_int_equal(challenge_count(story.keep.room), COUNT);
    int calls = 0;
    for (more = true; more; calls++)
        state_ok(challenge_keep_tick(&story.keep, &client_five, now_of(&story) + WINDOW + LIFE + 2, &more));
    assert_true(calls >= 2);
    assert_int_equal(challenge_count(story.keep.room), 0);
    uint8_t body[CHALLENGE_BODY_SIZE_MAX];
    size_t size;
    state_is(challenge_keep_body(&story.keep, asks[0].body.id, body, &size), STORE_NOT_FOUND);
    state_is(challenge_keep_evidence(&story.keep, asks[0].body.id, body, &size), STORE_NOT_FOUND);
    story_crash(&story);
    assert_int_equal(challenge_count(story.keep.room), 0);
    story_end(&story);
}

/* Told is kept, and what was not told is whole or not there; an answer is there or the question is open still. */
static void a_crash_at_any_disk_operation_leaves_each_challenge_whole(void **unused)
{
    (void)unused;
    unsigned nothing = 0, asked = 0, answered = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        for (uint64_t operation = 1; operation <= 12; operation++) {
            struct story story;
            size_t done = 0;
            bool told_asked = false, told_answered = false;
            story_begin(&story, seed);
            struct challenge_ask ask = payment(1, ana);
            os_sim_faults_set(story.state->world, &(struct os_sim_faults){.crash_at = operation});
            if (!result_failed(challenge_keep_ask(&story.keep, &client_five, &ask, 1, &done))) {
                told_asked = true;
                struct challenge_reply reply = approval(&ask);
                told_answered = !result_failed(challenge_keep_answer(&story.keep, &client_five, &reply, 1, &done));
            }
            os_sim_faults_set(story.state->world, &(struct os_sim_faults){0});
            story_crash(&story);
            const struct challenge_entry *entry = challenge_find(story.keep.room, ask.body.id);
            assert_true(entry || !told_asked);
            if (told_answered) assert_int_equal(entry->state, CHALLENGE_APPROVED);
            if (entry) {
                uint8_t body[CHALLENGE_BODY_SIZE_MAX], evidence[CHALLENGE_EVIDENCE_SIZE_MAX];
                size_t size;
                state_ok(challenge_keep_body(&story.keep, ask.body.id, body, &size));
                assert_memory_equal(body, ask.bytes, size);
                if (entry->state == CHALLENGE_APPROVED)
                    state_ok(challenge_keep_evidence(&story.keep, ask.body.id, evidence, &size));
            }
            nothing += !entry;
            asked += entry && entry->state == CHALLENGE_ASKED;
            answered += entry && entry->state == CHALLENGE_APPROVED;
            story_end(&story);
        }
    assert_true(nothing > 0 && asked > 0 && answered > 0);
}

static void what_finds_no_journal_room_was_not_asked_and_can_be_asked_again(void **unused)
{
    (void)unused;
    struct story story;
    struct result result = result_ok();
    struct challenge_ask ask = payment(1, ana);
    story_begin(&story, 10);
    ask_one(&story, &ask);
    uint32_t number = 1;
    size_t done;
    /* Nobody keeps house: the spares are used up. */
    while (!result_failed(result)) {
        uint8_t account[16] = {2, (uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16)};
        ask = payment(++number, account);
        result = challenge_keep_ask(&story.keep, &client_five, &ask, 1, &done);
        if (!result_failed(result) && result_failed(ask.result)) break; /* the room is full before the journal is */
        if (number % 400 == 0) {
            bool more = true;
            while (more && !result_failed(result))
                result = challenge_keep_tick(&story.keep, &client_five, now_of(&story) + WINDOW + LIFE + 2, &more);
            os_sim_advance_ms(story.state->world, 1000);
        }
        assert_true(number < 100000);
    }
    state_is(result, JOURNAL_NO_ROOM);
    uint32_t count = challenge_count(story.keep.room);
    assert_null(challenge_find(story.keep.room, ask.body.id));
    state_keep(story.state);
    ask.result = result_ok();
    state_ok(challenge_keep_ask(&story.keep, &client_five, &ask, 1, &done));
    state_ok(ask.result);
    assert_int_equal(ask.asked, CHALLENGE_NEW);
    assert_true(challenge_count(story.keep.room) >= count);
    story_end(&story);
}

static void an_answer_that_finds_no_journal_room_leaves_the_question_open(void **unused)
{
    (void)unused;
    struct story story;
    struct challenge_ask ask = payment(1, ana);
    size_t done;
    story_begin(&story, 11);
    ask_one(&story, &ask);
    struct result result = result_ok();
    for (uint32_t key = 0; !result_failed(result); key++) {
        struct core_change *change;
        state_ok(core_change_begin(story.state->worker, &client_five, &change));
        state_ok(core_change_record(change, &(struct core_change_act){.name = "test.fill"}));
        state_ok(core_change_put(change, STORE_USERS, bytes_of(&key, 4), bytes_of("x", 1)));
        result = core_change_commit(change);
    }
    state_is(result, JOURNAL_NO_ROOM);
    struct challenge_reply reply = approval(&ask);
    state_is(challenge_keep_answer(&story.keep, &client_five, &reply, 1, &done), JOURNAL_NO_ROOM);
    assert_int_equal(found(&story, &ask)->state, CHALLENGE_ASKED);
    assert_int_equal(found(&story, &ask)->device, 0);
    assert_non_null(challenge_open_next(story.keep.room, ana, NULL, now_of(&story)));
    state_is(challenge_keep_withdraw(&story.keep, &client_five, ask.body.id, CHALLENGE_CLIENT, CHALLENGE_CANCELLED),
             JOURNAL_NO_ROOM);
    assert_int_equal(found(&story, &ask)->state, CHALLENGE_ASKED);
    state_keep(story.state);
    answer_one(&story, &reply);
    assert_int_equal(reply.answered, CHALLENGE_TAKEN);
    assert_int_equal(found(&story, &ask)->state, CHALLENGE_APPROVED);
    story_end(&story);
}

static void a_row_that_was_changed_or_moved_to_another_challenge_is_not_believed(void **unused)
{
    (void)unused;
    struct story story;
    struct store_txn *txn;
    struct store_bytes value;
    uint8_t copy[1024], key[17] = {0}, other[17] = {0};
    story_begin(&story, 12);
    struct challenge_ask ask = payment(1, ana), second = payment(2, luis);
    ask_one(&story, &ask);
    ask_one(&story, &second);
    memcpy(key, ask.body.id, 16), key[16] = 'h';
    memcpy(other, second.body.id, 16), other[16] = 'h';
    for (int how = 0; how < 3; how++) {
        state_ok(store_begin(story.state->store, true, &txn));
        state_ok(store_get(story.state->store, txn, STORE_CHALLENGES, bytes_of(key, 17), &value));
        size_t size = value.size;
        memcpy(copy, value.bytes, size);
        if (how == 0) copy[20] ^= 1;
        state_ok(store_put(story.state->store, txn, STORE_CHALLENGES, bytes_of(how == 1 ? other : key, 17),
                           bytes_of(copy, how == 2 ? 27 : size)));
        state_ok(store_commit(story.state->store, txn));
        challenge_room_close(story.keep.room);
        assert_string_equal(result_name(story_start(&story)), how == 2 ? "STORE_DAMAGED" : "VAULT_BAD_SEAL");
        if (how == 2) break;
        /* As it was. */
        copy[20] ^= how == 0;
        state_ok(store_begin(story.state->store, true, &txn));
        state_ok(store_put(story.state->store, txn, STORE_CHALLENGES, bytes_of(key, 17), bytes_of(copy, size)));
        if (how == 1) state_ok(store_erase(story.state->store, txn, STORE_CHALLENGES, bytes_of(other, 17)));
        state_ok(store_commit(story.state->store, txn));
        challenge_room_close(story.keep.room);
        state_ok(story_start(&story));
    }
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_asked_is_there_after_a_crash_with_its_body),
        cmocka_unit_test(an_answer_stays_given_after_a_crash_and_so_does_its_evidence),
        cmocka_unit_test(of_two_answers_in_one_batch_the_first_is_taken),
        cmocka_unit_test(the_same_question_twice_in_one_batch_is_one_prompt),
        cmocka_unit_test(what_is_wrong_with_one_is_told_of_it_alone),
        cmocka_unit_test(more_than_a_block_holds_are_done_in_several_calls),
        cmocka_unit_test(an_account_that_is_shut_loses_its_open_questions_for_good),
        cmocka_unit_test(an_exchange_is_of_no_device_and_stays_when_devices_go),
        cmocka_unit_test(one_can_be_withdrawn_by_who_asked_but_not_twice),
        cmocka_unit_test(what_the_room_forgets_is_gone_from_the_store),
        cmocka_unit_test(a_crash_at_any_disk_operation_leaves_each_challenge_whole),
        cmocka_unit_test(what_finds_no_journal_room_was_not_asked_and_can_be_asked_again),
        cmocka_unit_test(an_answer_that_finds_no_journal_room_leaves_the_question_open),
        cmocka_unit_test(a_row_that_was_changed_or_moved_to_another_challenge_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
