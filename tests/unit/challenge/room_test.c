/* What may be asked, what an answer does, and what time does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "challenge/room.h"
#include "os/arena.h"

enum { NOW = 1800000000, LIFE = 120, COOL = 60, WINDOW = 600, PROMPTS = 3 };

static const uint8_t ana[16] = {'a', 'n', 'a'}, luis[16] = {'l', 'u', 'i', 's'};
static const uint8_t hash_key[32] = {7};

static struct challenge_room *room_of(uint32_t capacity)
{
    struct challenge_room *room;
    const struct challenge_limits limits = {
        .capacity = capacity, .life_max_s = LIFE, .cool_down_s = COOL, .window_s = WINDOW, .prompts_max = PROMPTS};
    arena_allow_unlocked(true);
    assert_int_equal(challenge_room_open(&limits, hash_key, &room).code, OK);
    return room;
}

/* A login, numbered so that ids differ; of the session and content 0. */
static struct challenge_entry login(unsigned number, const uint8_t account[16], uint32_t now_s)
{
    struct challenge_entry entry = {.expires_s = now_s + LIFE,
                                    .asked_s = now_s,
                                    .purpose = CHALLENGE_LOGIN,
                                    .flags = CHALLENGE_MATCH_NUMBER,
                                    .number = 42};
    memcpy(entry.id, &number, sizeof number);
    memcpy(entry.digest, &number, sizeof number);
    memcpy(entry.account, account, 16);
    return entry;
}

static struct challenge_ask_verdict ask(struct challenge_room *room, const struct challenge_entry *entry)
{
    struct challenge_ask_verdict verdict;
    assert_int_equal(challenge_judge_ask(room, entry, entry->asked_s, &verdict).code, OK);
    if (verdict.asked == CHALLENGE_NEW) assert_int_equal(challenge_enter(room, entry, entry->asked_s).code, OK);
    return verdict;
}

static struct challenge_answer approval(const struct challenge_entry *entry)
{
    struct challenge_answer answer = {.act = CHALLENGE_APPROVE, .number = 42, .device = 5};
    memcpy(answer.account, ana, 16);
    memcpy(answer.digest, entry->digest, sizeof answer.digest);
    return answer;
}

static enum challenge_answered give(struct challenge_room *room, const struct challenge_entry *entry,
                                    const struct challenge_answer *answer, uint32_t now_s)
{
    struct challenge_entry becomes;
    enum challenge_answered answered;
    assert_int_equal(challenge_judge_answer(room, entry->id, answer, now_s, &answered, &becomes).code, OK);
    if (answered == CHALLENGE_TAKEN) assert_int_equal(challenge_enter(room, &becomes, now_s).code, OK);
    return answered;
}

static enum challenge_state state_of(const struct challenge_room *room, const struct challenge_entry *entry,
                                     uint32_t now_s)
{
    const struct challenge_entry *found = challenge_find(room, entry->id);
    assert_non_null(found);
    return challenge_state_at(found, now_s);
}

static void an_answer_is_taken_once(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(8);
    struct challenge_entry entry = login(1, ana, NOW);
    struct challenge_answer answer = approval(&entry), refusal = approval(&entry);
    refusal.act = CHALLENGE_REFUSE;
    assert_int_equal(ask(room, &entry).asked, CHALLENGE_NEW);
    assert_int_equal(give(room, &entry, &answer, NOW + 5), CHALLENGE_TAKEN);
    assert_int_equal(state_of(room, &entry, NOW + 5), CHALLENGE_APPROVED);
    assert_int_equal(give(room, &entry, &answer, NOW + 6), CHALLENGE_CLOSED_ALREADY);
    assert_int_equal(give(room, &entry, &refusal, NOW + 6), CHALLENGE_CLOSED_ALREADY);
    assert_int_equal(state_of(room, &entry, NOW + 6), CHALLENGE_APPROVED);
    assert_int_equal(challenge_find(room, entry.id)->device, 5);
    assert_int_equal(challenge_find(room, entry.id)->closed_s, NOW + 5);
    challenge_room_close(room);
}

static void judging_changes_nothing(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(8);
    struct challenge_entry entry = login(1, ana, NOW), becomes;
    struct challenge_answer answer = approval(&entry);
    enum challenge_answered answered;
    struct challenge_ask_verdict verdict;
    assert_int_equal(challenge_judge_ask(room, &entry, NOW, &verdict).code, OK);
    assert_null(challenge_find(room, entry.id));
    ask(room, &entry);
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(challenge_judge_answer(room, entry.id, &answer, NOW, &answered, &becomes).code, OK);
        assert_int_equal(answered, CHALLENGE_TAKEN);
        assert_int_equal(becomes.state, CHALLENGE_APPROVED);
        assert_int_equal(state_of(room, &entry, NOW), CHALLENGE_ASKED);
    }
    challenge_room_close(room);
}

static void approving_without_the_number_never_passes(void **state)
{
    (void)state;
    for (int number = 0; number < 256; number++) {
        struct challenge_room *room = room_of(2);
        struct challenge_entry entry = login(1, ana, NOW);
        struct challenge_answer answer = approval(&entry);
        answer.number = (uint8_t)number;
        ask(room, &entry);
        assert_int_equal(give(room, &entry, &answer, NOW), CHALLENGE_TAKEN);
        assert_int_equal(state_of(room, &entry, NOW), number == 42 ? CHALLENGE_APPROVED : CHALLENGE_REFUSED);
        answer.number = 42; /* there is no second guess */
        assert_int_equal(give(room, &entry, &answer, NOW), CHALLENGE_CLOSED_ALREADY);
        if (number != 42) assert_int_equal(challenge_find(room, entry.id)->reason, CHALLENGE_WRONG_NUMBER);
        challenge_room_close(room);
    }
}

static void a_refusal_needs_no_number_and_keeps_its_reason(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(2);
    struct challenge_entry entry = login(1, ana, NOW);
    struct challenge_answer answer = approval(&entry);
    answer.act = CHALLENGE_REFUSE, answer.number = 0, answer.reason = CHALLENGE_NOT_ME;
    ask(room, &entry);
    assert_int_equal(give(room, &entry, &answer, NOW), CHALLENGE_TAKEN);
    assert_int_equal(state_of(room, &entry, NOW), CHALLENGE_REFUSED);
    assert_int_equal(challenge_find(room, entry.id)->reason, CHALLENGE_NOT_ME);
    challenge_room_close(room);
}

static void another_account_or_other_bytes_change_nothing(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(2);
    struct challenge_entry entry = login(1, ana, NOW), unknown = login(2, ana, NOW);
    struct challenge_answer answer = approval(&entry);
    ask(room, &entry);
    assert_int_equal(give(room, &unknown, &answer, NOW), CHALLENGE_UNKNOWN);
    memcpy(answer.account, luis, 16);
    assert_int_equal(give(room, &entry, &answer, NOW), CHALLENGE_UNKNOWN);
    for (unsigned bit = 0; bit < 8 * CHALLENGE_DIGEST_SIZE; bit++) {
        answer = approval(&entry);
        answer.digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(give(room, &entry, &answer, NOW), CHALLENGE_OTHER_CONTENT);
    }
    assert_int_equal(state_of(room, &entry, NOW), CHALLENGE_ASKED);
    answer = approval(&entry);
    assert_int_equal(give(room, &entry, &answer, NOW), CHALLENGE_TAKEN);
    challenge_room_close(room);
}

static void an_answer_that_says_what_it_may_not_is_refused(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(2);
    struct challenge_entry entry = login(1, ana, NOW), becomes;
    enum challenge_answered answered;
    ask(room, &entry);
    for (int act = 0; act < CHALLENGE_ACT_COUNT; act++)
        for (int reason = 0; reason < CHALLENGE_REASON_COUNT; reason++) {
            struct challenge_answer answer = approval(&entry);
            answer.act = (enum challenge_act)act, answer.reason = (uint8_t)reason;
            bool fits = (act == CHALLENGE_APPROVE && reason == CHALLENGE_NO_REASON) ||
                        (act == CHALLENGE_REFUSE && reason <= CHALLENGE_NOT_WANTED);
            assert_int_equal(challenge_judge_answer(room, entry.id, &answer, NOW, &answered, &becomes).code,
                             fits ? OK : BAD_ARGUMENT);
        }
    struct challenge_answer answer = approval(&entry);
    answer.device = 0;
    assert_int_equal(challenge_judge_answer(room, entry.id, &answer, NOW, &answered, &becomes).code, BAD_ARGUMENT);
    answer = approval(&entry), memset(answer.account, 0, 16);
    assert_int_equal(challenge_judge_answer(room, entry.id, &answer, NOW, &answered, &becomes).code, BAD_ARGUMENT);
    challenge_room_close(room);
}

static void an_answer_at_the_last_second_is_taken_and_at_expiry_it_is_too_late(void **state)
{
    (void)state;
    for (int late = 0; late <= 1; late++)
        for (int swept = 0; swept <= 1; swept++) {
            struct challenge_room *room = room_of(2);
            struct challenge_entry entry = login(1, ana, NOW);
            struct challenge_answer answer = approval(&entry);
            uint32_t then_s = NOW + LIFE - 1 + (uint32_t)late;
            ask(room, &entry);
            if (swept) assert_false(challenge_tick(room, then_s, 100, NULL, NULL));
            assert_int_equal(give(room, &entry, &answer, then_s), late ? CHALLENGE_CLOSED_ALREADY : CHALLENGE_TAKEN);
            assert_int_equal(state_of(room, &entry, then_s), late ? CHALLENGE_EXPIRED : CHALLENGE_APPROVED);
            challenge_room_close(room);
        }
}

static void a_thousand_asks_of_one_question_are_one_prompt(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(8);
    struct challenge_entry first = login(1, ana, NOW);
    assert_int_equal(ask(room, &first).asked, CHALLENGE_NEW);
    for (unsigned i = 2; i <= 1000; i++) {
        struct challenge_entry again = login(i, ana, NOW + i % 100);
        struct challenge_ask_verdict verdict = ask(room, &again);
        assert_int_equal(verdict.asked, CHALLENGE_JOINED);
        assert_memory_equal(verdict.joined->id, first.id, CHALLENGE_ID_SIZE);
    }
    assert_int_equal(challenge_count(room), 1);
    challenge_room_close(room);
}

static void another_session_or_another_question_is_never_joined(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(8);
    struct challenge_entry first = login(1, ana, NOW), other = login(2, ana, NOW + 10);
    ask(room, &first);
    other.binding[0] = 1;
    struct challenge_ask_verdict verdict = ask(room, &other);
    assert_int_equal(verdict.asked, CHALLENGE_BUSY);
    assert_int_equal(verdict.retry_after_s, LIFE - 10);
    other = login(2, ana, NOW + 10), other.content[7] = 1;
    assert_int_equal(ask(room, &other).asked, CHALLENGE_BUSY);
    other = login(2, ana, NOW + 10), other.purpose = CHALLENGE_QUERY; /* one prompt a purpose */
    assert_int_equal(ask(room, &other).asked, CHALLENGE_NEW);
    other = login(3, luis, NOW + 10);
    assert_int_equal(ask(room, &other).asked, CHALLENGE_NEW);
    challenge_room_close(room);
}

static void after_a_refusal_the_account_cools_down(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(8);
    struct challenge_entry first = login(1, ana, NOW), later = login(2, ana, NOW + 30);
    struct challenge_answer answer = approval(&first);
    answer.act = CHALLENGE_REFUSE;
    ask(room, &first);
    give(room, &first, &answer, NOW + 20);
    later.purpose = CHALLENGE_TRANSACTION; /* whatever the purpose */
    struct challenge_ask_verdict verdict = ask(room, &later);
    assert_int_equal(verdict.asked, CHALLENGE_COOLING);
    assert_int_equal(verdict.retry_after_s, COOL - 10);
    later = login(2, ana, NOW + 20 + COOL - 1);
    assert_int_equal(ask(room, &later).asked, CHALLENGE_COOLING);
    later = login(2, luis, NOW + 30);
    assert_int_equal(ask(room, &later).asked, CHALLENGE_NEW);
    later = login(3, ana, NOW + 20 + COOL);
    assert_int_equal(ask(room, &later).asked, CHALLENGE_NEW);
    challenge_room_close(room);
}

static void a_wrong_number_does_not_cool_down_but_counts(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(8);
    for (unsigned i = 1; i <= PROMPTS; i++) {
        struct challenge_entry entry = login(i, ana, NOW + i);
        struct challenge_answer answer = approval(&entry);
        answer.number = 41;
        assert_int_equal(ask(room, &entry).asked, CHALLENGE_NEW);
        give(room, &entry, &answer, NOW + i);
    }
    struct challenge_entry entry = login(9, ana, NOW + 10);
    struct challenge_ask_verdict verdict = ask(room, &entry);
    assert_int_equal(verdict.asked, CHALLENGE_LIMITED);
    assert_int_equal(verdict.retry_after_s, WINDOW + 1 - 10);
    entry = login(9, ana, NOW + 1 + WINDOW);
    assert_int_equal(ask(room, &entry).asked, CHALLENGE_NEW);
    challenge_room_close(room);
}

static void prompts_that_were_withdrawn_or_expired_count_and_approved_ones_do_not(void **state)
{
    (void)state;
    for (int approve = 0; approve <= 1; approve++) {
        struct challenge_room *room = room_of(64);
        for (unsigned i = 1; i <= 20; i++) {
            struct challenge_entry entry = login(i, ana, NOW + i), becomes;
            struct challenge_answer answer = approval(&entry);
            assert_int_equal(ask(room, &entry).asked, approve || i <= PROMPTS ? CHALLENGE_NEW : CHALLENGE_LIMITED);
            if (!approve && i > PROMPTS) continue;
            if (approve)
                give(room, &entry, &answer, NOW + i);
            else if (challenge_judge_act(room, entry.id, CHALLENGE_WITHDRAW, CHALLENGE_CLIENT, CHALLENGE_CANCELLED,
                                         NOW + i, &becomes)
                         .code == OK)
                assert_int_equal(challenge_enter(room, &becomes, NOW + i).code, OK);
        }
        challenge_room_close(room);
    }
}

static void a_withdrawn_challenge_takes_no_answer(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(4);
    struct challenge_entry entry = login(1, ana, NOW), becomes;
    struct challenge_answer answer = approval(&entry);
    ask(room, &entry);
    assert_int_equal(
        challenge_judge_act(room, entry.id, CHALLENGE_SHOW, CHALLENGE_DEVICE, CHALLENGE_NO_REASON, NOW, &becomes).code,
        OK);
    assert_int_equal(challenge_enter(room, &becomes, NOW).code, OK);
    assert_int_equal(state_of(room, &entry, NOW), CHALLENGE_SHOWN);
    assert_int_equal(
        challenge_judge_act(room, entry.id, CHALLENGE_WITHDRAW, CHALLENGE_ENGINE, CHALLENGE_ACCOUNT_SHUT, NOW, &becomes)
            .code,
        OK);
    assert_int_equal(challenge_enter(room, &becomes, NOW).code, OK);
    assert_int_equal(give(room, &entry, &answer, NOW), CHALLENGE_CLOSED_ALREADY);
    assert_int_equal(challenge_find(room, entry.id)->reason, CHALLENGE_ACCOUNT_SHUT);
    challenge_room_close(room);
}

static void answers_and_expiry_are_no_plain_acts_and_roles_are_kept(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(4);
    struct challenge_entry entry = login(1, ana, NOW), becomes;
    ask(room, &entry);
    for (int act = 0; act < CHALLENGE_ACT_COUNT; act++)
        for (int role = 0; role < CHALLENGE_ROLE_COUNT; role++) {
            bool may = (act == CHALLENGE_SHOW && role == CHALLENGE_DEVICE) ||
                       (act == CHALLENGE_WITHDRAW && role != CHALLENGE_DEVICE);
            assert_int_equal(challenge_judge_act(room, entry.id, (enum challenge_act)act, (enum challenge_role)role,
                                                 CHALLENGE_NO_REASON, NOW, &becomes)
                                 .code,
                             may ? OK : CHALLENGE_DENIED);
        }
    struct challenge_entry unknown = login(2, ana, NOW);
    assert_int_equal(
        challenge_judge_act(room, unknown.id, CHALLENGE_WITHDRAW, CHALLENGE_CLIENT, CHALLENGE_CANCELLED, NOW, &becomes)
            .code,
        STORE_NOT_FOUND);
    assert_int_equal(challenge_judge_act(room, entry.id, CHALLENGE_WITHDRAW, CHALLENGE_CLIENT, CHALLENGE_CANCELLED,
                                         NOW + LIFE, &becomes)
                         .code,
                     CHALLENGE_DENIED);
    challenge_room_close(room);
}

static void the_open_challenges_of_an_account_can_be_gone_through_and_withdrawn(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(8);
    struct challenge_entry entries[3] = {login(1, ana, NOW), login(2, ana, NOW), login(3, luis, NOW)};
    entries[1].purpose = CHALLENGE_QUERY;
    for (int i = 0; i < 3; i++) ask(room, &entries[i]);
    int seen = 0;
    for (const struct challenge_entry *at = NULL; (at = challenge_open_next(room, ana, at, NOW)); seen++) {
        struct challenge_entry becomes;
        assert_int_equal(
            challenge_judge_act(room, at->id, CHALLENGE_WITHDRAW, CHALLENGE_ENGINE, CHALLENGE_UNBOUND, NOW, &becomes)
                .code,
            OK);
        assert_int_equal(challenge_enter(room, &becomes, NOW).code, OK);
    }
    assert_int_equal(seen, 2);
    assert_null(challenge_open_next(room, ana, NULL, NOW));
    assert_non_null(challenge_open_next(room, luis, NULL, NOW));
    assert_null(challenge_open_next(room, luis, NULL, NOW + LIFE));
    challenge_room_close(room);
}

static void a_challenge_without_account_takes_that_of_the_device_that_answers(void **state)
{
    (void)state;
    static const uint8_t none[16];
    struct challenge_room *room = room_of(8);
    struct challenge_entry first = login(1, none, NOW), second = login(2, none, NOW), refused = login(3, none, NOW);
    first.flags |= CHALLENGE_NO_ACCOUNT, second.flags |= CHALLENGE_NO_ACCOUNT, refused.flags |= CHALLENGE_NO_ACCOUNT;
    assert_int_equal(ask(room, &first).asked, CHALLENGE_NEW);
    assert_int_equal(ask(room, &second).asked, CHALLENGE_NEW); /* nothing to join, nobody to bother */
    assert_int_equal(ask(room, &refused).asked, CHALLENGE_NEW);
    struct challenge_answer answer = approval(&first);
    assert_int_equal(give(room, &first, &answer, NOW), CHALLENGE_TAKEN);
    assert_memory_equal(challenge_find(room, first.id)->account, ana, 16);
    answer = approval(&refused), answer.act = CHALLENGE_REFUSE;
    assert_int_equal(give(room, &refused, &answer, NOW), CHALLENGE_TAKEN);
    struct challenge_entry later = login(4, ana, NOW + 1);
    assert_int_equal(ask(room, &later).asked, CHALLENGE_COOLING);
    challenge_room_close(room);
}

static void a_full_room_asks_nothing_more_until_time_makes_room(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(4);
    struct challenge_ask_verdict verdict;
    for (unsigned i = 1; i <= 4; i++) {
        uint8_t account[16] = {(uint8_t)i};
        struct challenge_entry entry = login(i, account, NOW);
        assert_int_equal(ask(room, &entry).asked, CHALLENGE_NEW);
    }
    struct challenge_entry more = login(5, ana, NOW);
    assert_int_equal(challenge_judge_ask(room, &more, NOW, &verdict).code, FULL);
    assert_int_equal(challenge_enter(room, &more, NOW).code, FULL);
    assert_false(challenge_tick(room, NOW + WINDOW - 1, 100, NULL, NULL));
    assert_int_equal(challenge_count(room), 4); /* expired long ago, and still counted against their accounts */
    assert_false(challenge_tick(room, NOW + WINDOW, 100, NULL, NULL));
    assert_int_equal(challenge_count(room), 0);
    more = login(5, ana, NOW + WINDOW);
    assert_int_equal(ask(room, &more).asked, CHALLENGE_NEW);
    challenge_room_close(room);
}

static void forget_count(void *context, const struct challenge_entry *entry)
{
    assert_false(challenge_is_open((enum challenge_state)entry->state));
    ++*(unsigned *)context;
}

static void a_tick_looks_at_no_more_than_its_budget(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct challenge_room *room = room_of(COUNT);
    unsigned forgotten = 0;
    for (unsigned i = 1; i <= COUNT; i++) {
        uint8_t account[16] = {(uint8_t)i, (uint8_t)(i >> 8)};
        struct challenge_entry entry = login(i, account, NOW);
        ask(room, &entry);
    }
    int rounds = 1;
    for (; challenge_tick(room, NOW + 10 * WINDOW, 64, forget_count, &forgotten); rounds++)
        assert_int_equal(forgotten, rounds * 64);
    assert_int_equal(rounds, COUNT / 64 + 1);
    assert_int_equal(forgotten, COUNT);
    assert_int_equal(challenge_count(room), 0);
    challenge_room_close(room);
}

static void what_is_entered_twice_or_in_any_order_ends_the_same(void **state)
{
    (void)state;
    struct challenge_entry asked = login(1, ana, NOW), shown = asked, approved = asked;
    shown.state = CHALLENGE_SHOWN;
    approved.state = CHALLENGE_APPROVED, approved.closed_s = NOW + 3, approved.device = 9;
    const struct challenge_entry *all[] = {&asked, &shown, &approved, &asked, &shown, &approved};
    for (int from = 0; from < 3; from++)
        for (int step = 1; step <= 2; step++) {
            struct challenge_room *room = room_of(4);
            for (int i = 0; i < 3; i++)
                assert_int_equal(challenge_enter(room, all[(from + i * step) % 6], NOW).code, OK);
            for (int i = 0; i < 6; i++) assert_int_equal(challenge_enter(room, all[i], NOW).code, OK);
            assert_int_equal(challenge_count(room), 1);
            assert_int_equal(state_of(room, &asked, NOW), CHALLENGE_APPROVED);
            assert_int_equal(challenge_find(room, asked.id)->device, 9);
            assert_null(challenge_open_next(room, ana, NULL, NOW));
            challenge_room_close(room);
        }
}

static void what_is_taken_back_is_as_if_it_had_never_been(void **state)
{
    (void)state;
    static const uint8_t none[16];
    struct challenge_room *room = room_of(2);
    struct challenge_entry entry = login(1, ana, NOW), open = login(2, none, NOW);
    struct challenge_answer answer = approval(&entry);
    unsigned forgotten = 0;
    open.flags |= CHALLENGE_NO_ACCOUNT;
    ask(room, &entry);
    challenge_undo(room, &entry, true);
    assert_null(challenge_find(room, entry.id));
    assert_null(challenge_open_next(room, ana, NULL, NOW));
    assert_int_equal(ask(room, &entry).asked, CHALLENGE_NEW); /* the same id again */
    assert_false(challenge_tick(room, NOW + LIFE, 100, forget_count, &forgotten));
    assert_int_equal(forgotten, 0); /* nobody is told of one that never was */
    assert_int_equal(challenge_count(room), 1);
    /* An answer taken back: open again, of the account that it was of. */
    open.asked_s += LIFE, open.expires_s += LIFE;
    assert_int_equal(ask(room, &open).asked, CHALLENGE_NEW);
    struct challenge_entry before = *challenge_find(room, open.id);
    answer = approval(&open), answer.act = CHALLENGE_REFUSE;
    assert_int_equal(give(room, &open, &answer, NOW + LIFE), CHALLENGE_TAKEN);
    challenge_undo(room, &before, false);
    assert_int_equal(state_of(room, &open, NOW + LIFE), CHALLENGE_ASKED);
    assert_memory_equal(challenge_find(room, open.id)->account, none, 16);
    answer.act = CHALLENGE_APPROVE;
    assert_int_equal(give(room, &open, &answer, NOW + LIFE), CHALLENGE_TAKEN);
    challenge_room_close(room);
}

static void asks_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct challenge_room *room = room_of(4);
    struct challenge_ask_verdict verdict;
    struct challenge_entry good = login(1, ana, NOW), bad = good;
    bad.expires_s = NOW;
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    bad.expires_s = NOW + LIFE + 1;
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    bad = good, bad.asked_s = NOW - 1;
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    bad = good, bad.purpose = 0;
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    bad.purpose = CHALLENGE_EXCHANGE + 1;
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    bad = good, bad.flags |= CHALLENGE_NO_ACCOUNT;
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    bad = good, memset(bad.account, 0, 16);
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    bad = good, bad.number = 0;
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    bad = good, bad.flags = 0;
    assert_int_equal(challenge_judge_ask(room, &bad, NOW, &verdict).code, BAD_ARGUMENT);
    ask(room, &good);
    assert_int_equal(challenge_judge_ask(room, &good, NOW, &verdict).code, STORE_EXISTS);
    challenge_room_close(room);
}

static void limits_out_of_range_are_refused(void **state)
{
    (void)state;
    struct challenge_room *room;
    const struct challenge_limits good = {1, 1, 0, 0, 1};
    struct challenge_limits bad = good;
    bad.capacity = 0;
    assert_int_equal(challenge_room_open(&bad, hash_key, &room).code, BAD_ARGUMENT);
    bad.capacity = CHALLENGE_CAPACITY_MAX + 1u;
    assert_int_equal(challenge_room_open(&bad, hash_key, &room).code, BAD_ARGUMENT);
    bad = good, bad.life_max_s = 0;
    assert_int_equal(challenge_room_open(&bad, hash_key, &room).code, BAD_ARGUMENT);
    bad.life_max_s = CHALLENGE_SPAN_MAX_S + 1;
    assert_int_equal(challenge_room_open(&bad, hash_key, &room).code, BAD_ARGUMENT);
    bad = good, bad.cool_down_s = CHALLENGE_SPAN_MAX_S + 1;
    assert_int_equal(challenge_room_open(&bad, hash_key, &room).code, BAD_ARGUMENT);
    bad = good, bad.window_s = CHALLENGE_SPAN_MAX_S + 1;
    assert_int_equal(challenge_room_open(&bad, hash_key, &room).code, BAD_ARGUMENT);
    bad = good, bad.prompts_max = 0;
    assert_int_equal(challenge_room_open(&bad, hash_key, &room).code, BAD_ARGUMENT);
    arena_allow_unlocked(true);
    assert_int_equal(challenge_room_open(&good, hash_key, &room).code, OK);
    challenge_room_close(room);
    challenge_room_close(NULL);
}

static void one_content_is_one_question_whatever_its_id_and_time(void **state)
{
    (void)state;
    uint8_t bytes[CHALLENGE_BODY_SIZE_MAX], a[CHALLENGE_CONTENT_SIZE], b[CHALLENGE_CONTENT_SIZE];
    size_t size;
    struct challenge_body body = {.purpose = CHALLENGE_LOGIN, .expires_s = 7, .fields = {{"Bank", 4}, {"Log in?", 7}}};
    assert_int_equal(challenge_body_encode(&body, bytes, &size).code, OK);
    challenge_content(bytes, size, a);
    body.id[0] = body.key_id[0] = body.binding[0] = 9, body.expires_s = 8;
    assert_int_equal(challenge_body_encode(&body, bytes, &size).code, OK);
    challenge_content(bytes, size, b);
    assert_memory_equal(a, b, sizeof a);
    body.fields[CHALLENGE_TEXT].bytes = "Log in!";
    assert_int_equal(challenge_body_encode(&body, bytes, &size).code, OK);
    challenge_content(bytes, size, b);
    assert_memory_not_equal(a, b, sizeof a);
    body.fields[CHALLENGE_TEXT].bytes = "Log in?", body.purpose = CHALLENGE_QUERY;
    assert_int_equal(challenge_body_encode(&body, bytes, &size).code, OK);
    challenge_content(bytes, size, b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void numbers_have_two_digits(void **state)
{
    (void)state;
    bool seen[256] = {false};
    for (uint64_t random = 0; random < 1000; random++) seen[challenge_number(random)] = true;
    for (int number = 0; number < 256; number++) assert_int_equal(seen[number], number >= 10 && number <= 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_taken_once),
        cmocka_unit_test(judging_changes_nothing),
        cmocka_unit_test(approving_without_the_number_never_passes),
        cmocka_unit_test(a_refusal_needs_no_number_and_keeps_its_reason),
        cmocka_unit_test(another_account_or_other_bytes_change_nothing),
        cmocka_unit_test(an_answer_that_says_what_it_may_not_is_refused),
        cmocka_unit_test(an_answer_at_the_last_second_is_taken_and_at_expiry_it_is_too_late),
        cmocka_unit_test(a_thousand_asks_of_one_question_are_one_prompt),
        cmocka_unit_test(another_session_or_another_question_is_never_joined),
        cmocka_unit_test(after_a_refusal_the_account_cools_down),
        cmocka_unit_test(a_wrong_number_does_not_cool_down_but_counts),
        cmocka_unit_test(prompts_that_were_withdrawn_or_expired_count_and_approved_ones_do_not),
        cmocka_unit_test(a_withdrawn_challenge_takes_no_answer),
        cmocka_unit_test(answers_and_expiry_are_no_plain_acts_and_roles_are_kept),
        cmocka_unit_test(the_open_challenges_of_an_account_can_be_gone_through_and_withdrawn),
        cmocka_unit_test(a_challenge_without_account_takes_that_of_the_device_that_answers),
        cmocka_unit_test(a_full_room_asks_nothing_more_until_time_makes_room),
        cmocka_unit_test(a_tick_looks_at_no_more_than_its_budget),
        cmocka_unit_test(what_is_entered_twice_or_in_any_order_ends_the_same),
        cmocka_unit_test(what_is_taken_back_is_as_if_it_had_never_been),
        cmocka_unit_test(asks_that_make_no_sense_are_refused),
        cmocka_unit_test(limits_out_of_range_are_refused),
        cmocka_unit_test(one_content_is_one_question_whatever_its_id_and_time),
        cmocka_unit_test(numbers_have_two_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
