/* The engine against a page of plain code: random batches, three workers, time that goes on. The model knows the rules
 * of DESIGN.md for accounts of one or two tokens and judges one query after the other, without words, batches or
 * candidates. */
#include "helpers.h"

#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS = 400, BATCHES = 1100, BATCH = 100, STEPS = 128 };

struct model_token {
    struct token token;
    bool totp;
    bool suspended;
    int64_t floor;
    int64_t drift;
};

struct model_account {
    struct model_token tokens[2];
    unsigned count;
    unsigned failures[2];
    int64_t charged_s;
};

static struct model_account accounts[ACCOUNTS];
static uint64_t seed = 4711;

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 20) % below);
}

/* ---- the model ---- */

struct codes { /* of one token, a stretch of steps: a cache of the oracle */
    int64_t first;
    uint32_t code[STEPS];
    bool known[STEPS];
};
static struct codes cache[ACCOUNTS][2];

static uint32_t code_at(struct fixture *f, unsigned a, unsigned t, int64_t step)
{
    struct codes *codes = &cache[a][t];
    if (step < 0) return UINT32_MAX;
    if (step < codes->first || step >= codes->first + STEPS) {
        memset(codes, 0, sizeof *codes);
        codes->first = step > 30 ? step - 30 : 0;
    }
    int64_t i = step - codes->first;
    if (!codes->known[i]) codes->code[i] = token_code(f, &accounts[a].tokens[t].token, (uint64_t)step);
    codes->known[i] = true;
    return codes->code[i];
}

static int64_t lock_until(const struct model_account *account, unsigned class)
{
    if (account->failures[class] <= 5) return 0;
    int64_t delay = 2;
    for (unsigned i = 6; i < account->failures[class] && delay < 900; i++) delay *= 2;
    return account->charged_s + (delay < 900 ? delay : 900);
}

static bool fits_within(struct fixture *f, unsigned a, unsigned t, uint32_t code, int64_t low, int64_t high,
                        int64_t *ret)
{
    for (int64_t step = high; step >= low; step--) {
        if (code_at(f, a, t, step) != code) continue;
        *ret = step;
        return true;
    }
    return false;
}

static enum otpring_verdict model_judge(struct fixture *f, unsigned a, uint32_t code, unsigned class, int64_t now_s,
                                        uint32_t *ret_wait)
{
    struct model_account *account = &accounts[a];
    int64_t until = lock_until(account, class), step;
    bool replayed = false, far = false, active = false;
    *ret_wait = 0;
    if (until > now_s) {
        *ret_wait = (uint32_t)(until - now_s);
        return OTPRING_THROTTLED;
    }
    for (unsigned t = 0; t < account->count; t++) {
        struct model_token *token = &account->tokens[t];
        if (token->suspended) continue;
        active = true;
        int64_t now_step = now_s / 30, middle = token->totp ? now_step + token->drift : token->floor;
        int64_t low = middle - 1, high = middle + (token->totp ? 1 : 10), reach = token->totp ? 20 : 30;
        int64_t least = low > token->floor ? low : token->floor;
        if (fits_within(f, a, t, code, least, high, &step)) {
            token->floor = step + 1;
            int64_t limit = token->drift < 0 ? -token->drift : token->drift, drift = step - now_step;
            if (limit < 3) limit = 3;
            if (token->totp) token->drift = drift > limit ? limit : drift < -limit ? -limit : drift;
            memset(account->failures, 0, sizeof account->failures);
            return OTPRING_ACCEPTED;
        }
        replayed |= fits_within(f, a, t, code, low, token->floor - 1 < high ? token->floor - 1 : high, &step);
        int64_t far_low = token->totp && middle - reach > token->floor ? middle - reach : token->floor;
        far |= fits_within(f, a, t, code, far_low, middle + reach, &step);
    }
    if (replayed) return OTPRING_REPLAYED;
    if (account->failures[class] < 255) account->failures[class]++;
    account->charged_s = now_s;
    return !active ? OTPRING_INACTIVE : far ? OTPRING_RESYNC : OTPRING_REJECTED;
}

/* ---- the run ---- */

static void accounts_make(struct fixture *f)
{
    f->core.profiles[PROFILE_HOTP].row.resync_window = 30;
    f->core.profile_version += 2;
    f->core.options.resync_candidates_per_turn = 1 << 20;
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        accounts[a].count = 1 + draw(2);
        for (unsigned t = 0; t < accounts[a].count; t++) {
            struct model_token *token = &accounts[a].tokens[t];
            token->totp = draw(2);
            token->floor = token->totp ? 0 : draw(1000);
            token->token =
                fixture_token(f, 1, a, token->totp ? PROFILE_TOTP : PROFILE_HOTP, a * 2 + t, (uint32_t)token->floor);
        }
    }
}

static uint32_t some_code(struct fixture *f, unsigned a, int64_t now_s)
{
    unsigned t = draw(accounts[a].count);
    struct model_token *token = &accounts[a].tokens[t];
    int64_t middle = token->totp ? now_s / 30 + token->drift : token->floor;
    switch (draw(8)) {
    case 0:
        return draw(1000000);
    case 1:
        return code_at(f, a, t, middle - 1);
    case 2:
        return code_at(f, a, t, middle + 12 + draw(12));
    case 3:
        return code_at(f, a, t, middle > 15 ? middle - 3 - draw(12) : 0);
    default:
        return code_at(f, a, t, middle + draw(3));
    }
}

static void suspend_some(void)
{
    struct model_token *token = &accounts[draw(ACCOUNTS)].tokens[0];
    token->suspended = !token->suspended;
    _Atomic uint8_t *flags = &token->token.hit.tail->flags;
    if (token->suspended) atomic_fetch_or(flags, TABLE_SUSPENDED);
    if (!token->suspended) atomic_fetch_and(flags, (uint8_t)~TABLE_SUSPENDED);
    atomic_fetch_add(&token->token.hit.tail->token, 1); /* the change count */
}

static void the_engine_and_the_model_agree_on_random_batches(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(3);
    uint32_t counts[10] = {0};
    accounts_make(f);
    for (int b = 0; b < BATCHES; b++) {
        struct otpring_wire_query queries[BATCH];
        unsigned who[BATCH];
        int64_t now_s = os_time(f->os).wall_ms / 1000;
        unsigned hot = draw(ACCOUNTS);
        for (int i = 0; i < BATCH; i++) {
            who[i] = draw(4) ? draw(ACCOUNTS) : hot;
            uint32_t code = some_code(f, who[i], now_s);
            if (code == UINT32_MAX) code = 0;
            queries[i] = query_of(f, &accounts[who[i]].tokens[0].token, code);
            queries[i].source_class = !draw(4);
        }
        struct frame frame = frame_of(f, 0, OTPRING_WIRE_VERIFY, queries, BATCH);
        const struct otpring_wire_answer *answers = frame_ask(f, b % 3, &frame);
        for (int i = 0; i < BATCH; i++) {
            uint32_t wait;
            enum otpring_verdict verdict =
                model_judge(f, who[i], queries[i].code, queries[i].source_class, now_s, &wait);
            assert_string_equal(otpring_verdict_name(answers[i].verdict), otpring_verdict_name(verdict));
            assert_int_equal(answers[i].retry_after_s, wait);
            counts[verdict]++;
        }
        for (unsigned t = 0; t < 2 && b % 10 == 0; t++) suspend_some();
        if (draw(3) == 0) os_sim_advance_ms(f->world, draw(60000));
    }
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        for (unsigned t = 0; t < accounts[a].count; t++)
            assert_int_equal(floor_of(&accounts[a].tokens[t].token), accounts[a].tokens[t].floor);
    }
    print_message("%d items:", BATCHES * BATCH);
    for (unsigned v = 1; v < 10; v++) print_message(" %s %u", otpring_verdict_name(v), counts[v]);
    print_message("\n");
    for (unsigned v = OTPRING_ACCEPTED; v <= OTPRING_INACTIVE; v++) assert_true(counts[v] > 1000);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_engine_and_the_model_agree_on_random_batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
