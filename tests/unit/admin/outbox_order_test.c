/* The outbox in any order of steps, against what a user would see. */
#include "outbox_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_order_of_steps_breaks_the_order_of_a_user_or_loses_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
