/* Random operations on a room and on a plain list that follows the header's words one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "challenge/room.h"
#include "os/arena.h"

enum { CAPACITY = 40, ACCOUNTS = 6, MODEL_MAX = 4096 };

struct model {
    struct challenge_limits limits;
    struct challenge_entry entries[MODEL_MAX];
    unsigned count;
    uint64_t random;
    unsigned next_id;
    uint32_t now_s;
    unsigned seen[5], taken, denied;
};

static uint64_t random_below(struct model *model, uint64_t bound)
{
    uint64_t z = model->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % bound;
}

static bool is_open_at(const struct challenge_entry *entry, uint32_t now_s)
{
    return entry->state <= CHALLENGE_SHOWN && now_s < entry->expires_s;
}

static bool is_anonymous(const struct challenge_entry *entry)
{
    return entry->account[0] == 0;
}

static bool cools_at(const struct model *model, const struct challenge_entry *entry)
{
    return entry->state == CHALLENGE_REFUSED && entry->reason != CHALLENGE_WRONG_NUMBER && !is_anonymous(entry) &&
           model->now_s < entry->closed_s + model->limits.cool_down_s;
}

static bool counts_at(const struct model *model, const struct challenge_entry *entry)
{
    if (entry->state == CHALLENGE_APPROVED || is_anonymous(entry)) return false;
    return is_open_at(entry, model->now_s) || model->now_s < entry->asked_s + model->limits.window_s;
}

/* Forgotten when it has expired, has been closed for a while, and nothing asks for it. */
static bool is_kept(const struct model *model, const struct challenge_entry *entry)
{
    uint32_t closed_s = challenge_is_open((enum challenge_state)entry->state) ? entry->expires_s : entry->closed_s;
    return model->now_s < entry->expires_s || model->now_s < closed_s + CHALLENGE_KEPT_S || cools_at(model, entry) ||
           counts_at(model, entry);
}

static void model_forget(struct model *model)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < model->count; i++)
        if (is_kept(model, &model->entries[i])) model->entries[kept++] = model->entries[i];
    model->count = kept;
}

static enum challenge_asked model_ask(const struct model *model, const struct challenge_entry *asked)
{
    bool joined = false, cooling = false, busy = false;
    unsigned counted = 0;
    for (unsigned i = 0; i < model->count; i++) {
        const struct challenge_entry *other = &model->entries[i];
        if (is_anonymous(asked) || memcmp(other->account, asked->account, 16) != 0) continue;
        bool open = is_open_at(other, model->now_s) && other->purpose == asked->purpose;
        joined |=
            open && memcmp(other->binding, asked->binding, 16) == 0 && memcmp(other->content, asked->content, 8) == 0;
        busy |= open;
        cooling |= cools_at(model, other);
        counted += counts_at(model, other);
    }
    return joined                                 ? CHALLENGE_JOINED
           : cooling                              ? CHALLENGE_COOLING
           : busy                                 ? CHALLENGE_BUSY
           : counted >= model->limits.prompts_max ? CHALLENGE_LIMITED
                                                  : CHALLENGE_NEW;
}

static void try_ask(struct model *model, struct challenge_room *room)
{
    struct challenge_entry entry = {.asked_s = model->now_s};
    unsigned id = ++model->next_id;
    memcpy(entry.id, &id, sizeof id);
    memcpy(entry.digest, &id, sizeof id);
    entry.account[0] = (uint8_t)random_below(model, ACCOUNTS);
    entry.binding[0] = (uint8_t)random_below(model, 2);
    entry.content[0] = (uint8_t)random_below(model, 2);
    entry.purpose = (uint8_t)(1 + random_below(model, 3));
    entry.flags = is_anonymous(&entry) ? CHALLENGE_NO_ACCOUNT : 0;
    if (random_below(model, 2)) entry.flags |= CHALLENGE_MATCH_NUMBER, entry.number = 77;
    entry.expires_s = model->now_s + 1 + (uint32_t)random_below(model, model->limits.life_max_s);
    struct challenge_ask_verdict verdict;
    enum challenge_asked expected = model_ask(model, &entry);
    struct result result = challenge_judge_ask(room, &entry, model->now_s, &verdict);
    if (expected == CHALLENGE_NEW && model->count >= CAPACITY) {
        assert_int_equal(result.code, FULL);
        return;
    }
    assert_int_equal(result.code, OK);
    assert_int_equal(verdict.asked, expected);
    model->seen[expected]++;
    if (expected != CHALLENGE_NEW) return;
    assert_int_equal(challenge_enter(room, &entry, model->now_s).code, OK);
    model->entries[model->count++] = entry;
}

static enum challenge_answered model_answer(const struct model *model, const struct challenge_entry *entry,
                                            const struct challenge_answer *answer)
{
    if (!is_anonymous(entry) && memcmp(entry->account, answer->account, 16) != 0) return CHALLENGE_UNKNOWN;
    if (memcmp(entry->digest, answer->digest, sizeof entry->digest) != 0) return CHALLENGE_OTHER_CONTENT;
    return is_open_at(entry, model->now_s) ? CHALLENGE_TAKEN : CHALLENGE_CLOSED_ALREADY;
}

static void model_close(struct model *model, struct challenge_entry *entry, enum challenge_state state, uint8_t reason)
{
    entry->state = (uint8_t)state;
    entry->reason = reason;
    entry->closed_s = model->now_s;
}

static void try_answer(struct model *model, struct challenge_room *room, struct challenge_entry *entry)
{
    struct challenge_answer answer = {.act = random_below(model, 2) ? CHALLENGE_APPROVE : CHALLENGE_REFUSE,
                                      .device = 3};
    answer.number = random_below(model, 4) ? 77 : 11;
    memcpy(answer.account, entry->account, 16);
    memcpy(answer.digest, entry->digest, sizeof answer.digest);
    if (is_anonymous(entry) || random_below(model, 8) == 0)
        answer.account[0] = (uint8_t)(1 + random_below(model, ACCOUNTS - 1));
    if (random_below(model, 8) == 0) answer.digest[5] ^= 1;
    enum challenge_answered answered, expected = model_answer(model, entry, &answer);
    struct challenge_entry becomes;
    assert_int_equal(challenge_judge_answer(room, entry->id, &answer, model->now_s, &answered, &becomes).code, OK);
    assert_int_equal(answered, expected);
    if (expected != CHALLENGE_TAKEN) return;
    model->taken++;
    assert_int_equal(challenge_enter(room, &becomes, model->now_s).code, OK);
    memcpy(entry->account, answer.account, 16);
    bool wrong = answer.act == CHALLENGE_APPROVE && entry->number && answer.number != entry->number;
    model_close(model, entry, answer.act == CHALLENGE_APPROVE && !wrong ? CHALLENGE_APPROVED : CHALLENGE_REFUSED,
                wrong ? CHALLENGE_WRONG_NUMBER : CHALLENGE_NO_REASON);
}

static void try_act(struct model *model, struct challenge_room *room, struct challenge_entry *entry)
{
    bool show = random_below(model, 2);
    struct challenge_entry becomes;
    struct result result =
        challenge_judge_act(room, entry->id, show ? CHALLENGE_SHOW : CHALLENGE_WITHDRAW,
                            show ? CHALLENGE_DEVICE : CHALLENGE_CLIENT, CHALLENGE_NO_REASON, model->now_s, &becomes);
    assert_int_equal(result.code, is_open_at(entry, model->now_s) ? OK : CHALLENGE_DENIED);
    if (result.code != OK) {
        model->denied++;
        return;
    }
    assert_int_equal(challenge_enter(room, &becomes, model->now_s).code, OK);
    if (show)
        entry->state = CHALLENGE_SHOWN;
    else
        model_close(model, entry, CHALLENGE_WITHDRAWN, CHALLENGE_NO_REASON);
}

static void expect_same(const struct model *model, const struct challenge_room *room)
{
    assert_int_equal(challenge_count(room), model->count);
    for (unsigned i = 0; i < model->count; i++) {
        const struct challenge_entry *expected = &model->entries[i], *found = challenge_find(room, expected->id);
        assert_non_null(found);
        enum challenge_state state = expected->state <= CHALLENGE_SHOWN && !is_open_at(expected, model->now_s)
                                         ? CHALLENGE_EXPIRED
                                         : expected->state;
        assert_int_equal(challenge_state_at(found, model->now_s), state);
        assert_memory_equal(found->account, expected->account, 16);
        assert_int_equal(found->reason, expected->reason);
    }
    for (unsigned a = 1; a < ACCOUNTS; a++) {
        uint8_t account[16] = {(uint8_t)a};
        unsigned open = 0, counted = 0;
        for (const struct challenge_entry *at = NULL; (at = challenge_open_next(room, account, at, model->now_s));)
            open++;
        for (unsigned i = 0; i < model->count; i++)
            counted += model->entries[i].account[0] == a && is_open_at(&model->entries[i], model->now_s);
        assert_int_equal(open, counted);
    }
}

static void time_pass(struct model *model, struct challenge_room *room)
{
    static const uint32_t steps[] = {0, 1, 1, 2, 7, 30, 200, 5000};
    model->now_s += steps[random_below(model, sizeof steps / sizeof steps[0])];
    uint32_t budget = 1 + (uint32_t)random_below(model, 20);
    while (challenge_tick(room, model->now_s, budget, NULL, NULL)) {
    }
    model_forget(model);
}

static void run(struct model *model, uint64_t seed, unsigned steps)
{
    struct challenge_room *room;
    const uint8_t key[32] = {1};
    model->count = 0;
    model->random = seed;
    model->now_s = 1800000000;
    model->limits = (struct challenge_limits){.capacity = CAPACITY,
                                              .life_max_s = 1 + (uint32_t)random_below(model, 5000),
                                              .cool_down_s = (uint32_t)random_below(model, 300),
                                              .window_s = (uint32_t)random_below(model, 6000),
                                              .prompts_max = 1 + (uint32_t)random_below(model, 6)};
    assert_int_equal(challenge_room_open(&model->limits, key, &room).code, OK);
    for (unsigned i = 0; i < steps; i++) {
        uint64_t what = random_below(model, 10);
        struct challenge_entry *entry = model->count ? &model->entries[random_below(model, model->count)] : NULL;
        if (what < 5 || !entry)
            try_ask(model, room);
        else if (what < 7)
            try_answer(model, room, entry);
        else if (what < 8)
            try_act(model, room, entry);
        else
            time_pass(model, room);
        expect_same(model, room);
    }
    challenge_room_close(room);
}

static void a_room_does_what_a_plain_list_does(void **state)
{
    (void)state;
    static struct model model;
    for (uint64_t seed = 1; seed <= 200; seed++) run(&model, seed, 500);
    printf("counted: 100000 operations: %u new, %u joined, %u busy, %u cooling, %u limited, %u answers taken, %u acts "
           "denied\n",
           model.seen[CHALLENGE_NEW], model.seen[CHALLENGE_JOINED], model.seen[CHALLENGE_BUSY],
           model.seen[CHALLENGE_COOLING], model.seen[CHALLENGE_LIMITED], model.taken, model.denied);
    for (int asked = 0; asked < 5; asked++) assert_true(model.seen[asked] > 100);
    assert_true(model.taken > 100 && model.denied > 100);
}

/* A million that are open at once: found, answered, and forgotten in time. */
static void a_million_open_challenges_take_their_stated_memory_and_no_more(void **state)
{
    (void)state;
    enum { COUNT = 1000000, NOW = 1800000000 };
    struct challenge_room *room;
    const uint8_t key[32] = {1};
    const struct challenge_limits limits = {COUNT, 300, 0, 0, 3};
    assert_int_equal(challenge_room_open(&limits, key, &room).code, OK);
    struct challenge_entry entry = {.asked_s = NOW, .purpose = CHALLENGE_LOGIN};
    for (uint32_t i = 1; i <= COUNT; i++) {
        struct challenge_ask_verdict verdict;
        uint32_t spread = i * 2654435761u;
        memcpy(entry.id, &spread, 4);
        memcpy(entry.account, &i, 4);
        entry.expires_s = NOW + 1 + i % 300;
        assert_int_equal(challenge_judge_ask(room, &entry, NOW, &verdict).code, OK);
        assert_int_equal(verdict.asked, CHALLENGE_NEW);
        assert_int_equal(challenge_enter(room, &entry, NOW).code, OK);
    }
    assert_int_equal(challenge_count(room), COUNT);
    entry.id[15] = 1;
    struct challenge_ask_verdict verdict;
    entry.account[15] = 1;
    assert_int_equal(challenge_judge_ask(room, &entry, NOW, &verdict).code, FULL);
    assert_true(challenge_room_size(COUNT) < (size_t)COUNT * 137 + (1 << 19));
    printf("measured: %.1f bytes of memory an open challenge\n", (double)challenge_room_size(COUNT) / COUNT);
    while (challenge_tick(room, NOW + 150 + CHALLENGE_KEPT_S, 10000, NULL, NULL)) {
    }
    assert_int_equal(challenge_count(room), 499950);
    while (challenge_tick(room, NOW + 300 + CHALLENGE_KEPT_S, 10000, NULL, NULL)) {
    }
    assert_int_equal(challenge_count(room), 0);
    challenge_room_close(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_room_does_what_a_plain_list_does),
        cmocka_unit_test(a_million_open_challenges_take_their_stated_memory_and_no_more),
    };
    arena_allow_unlocked(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
