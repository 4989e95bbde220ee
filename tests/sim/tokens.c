#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "core/core.h"

enum { CODES = 1000000, NEAR = 160 };

static struct tokens_about about[TOKEN_COUNT] = {
    [TOKEN_HOTP_A] = {.account = ACCOUNT_HOTP_A},
    [TOKEN_HOTP_B] = {.account = ACCOUNT_HOTP_B},
    [TOKEN_TOTP_A] = {.account = ACCOUNT_TOTP_A, .totp = true},
    [TOKEN_TOTP_B] = {.account = ACCOUNT_TOTP_B, .totp = true},
    [TOKEN_TWO_HOTP] = {.account = ACCOUNT_TWO},
    [TOKEN_TWO_TOTP] = {.account = ACCOUNT_TWO, .totp = true},
    [TOKEN_GUESSED] = {.account = ACCOUNT_GUESSED},
    [TOKEN_GUESSED_TOTP] = {.account = ACCOUNT_GUESSED_TOTP, .totp = true},
    [TOKEN_SWITCHED] = {.account = ACCOUNT_SWITCHED},
    [TOKEN_MOVING] = {.account = ACCOUNT_MOVING_A},
    [TOKEN_FAR] = {.account = ACCOUNT_FAR},
    [TOKEN_FAR_TOTP] = {.account = ACCOUNT_FAR_TOTP, .totp = true},
    [TOKEN_PROBE] = {.account = ACCOUNT_PROBE},
};
static uint32_t codes[TOKEN_COUNT][TOKENS_TOTP_STEPS];
static bool usable[TOKEN_COUNT][TOKENS_TOTP_STEPS];
static uint8_t right[ACCOUNT_COUNT][CODES / 8];

static int64_t first_of(enum token token)
{
    return about[token].totp ? TOKENS_TOTP_FIRST : 0;
}

static int64_t count_of(enum token token)
{
    return about[token].totp ? TOKENS_TOTP_STEPS : TOKENS_HOTP_STEPS;
}

static bool in_account(enum token token, enum sim_account account)
{
    return about[token].account == account || (token == TOKEN_MOVING && account == ACCOUNT_MOVING_B);
}

const struct tokens_about *tokens_about(enum token token)
{
    return &about[token];
}

const char *tokens_user(enum sim_account account)
{
    static char users[ACCOUNT_COUNT][16];
    snprintf(users[account], sizeof users[account], "user-%u", (unsigned)account);
    return users[account];
}

void tokens_name(enum sim_account account, uint8_t ret_name[16])
{
    const char *user = tokens_user(account);
    core_name(TOKENS_COMPANY, strlen(TOKENS_COMPANY), user, strlen(user), ret_name);
}

static void codes_make(enum token token)
{
    struct otp_parameters parameters = {.type = OTP_HOTP, .algorithm = KERNEL_SHA1, .digits = 6};
    for (int64_t i = 0; i < count_of(token); i++) {
        codes[token][i] =
            otp_code(&parameters, about[token].seed, sizeof about[token].seed, (uint64_t)(first_of(token) + i));
        for (unsigned account = 0; account < ACCOUNT_COUNT; account++)
            if (in_account(token, account)) right[account][codes[token][i] / 8] |= (uint8_t)(1u << codes[token][i] % 8);
    }
}

/* A code that is also that of a step near it, of this token or the other one of its account, says nothing clear. */
static void usable_make(enum token token)
{
    for (int64_t i = 0; i < count_of(token); i++) {
        bool alone = true;
        for (int64_t j = i > NEAR ? i - NEAR : 0; j < count_of(token) && j <= i + NEAR; j++)
            alone = alone && (i == j || codes[token][i] != codes[token][j]);
        for (unsigned other = 0; other < TOKEN_COUNT; other++) {
            if (other == token || about[other].account != about[token].account) continue;
            for (int64_t j = 0; j < count_of(other); j++) alone = alone && codes[token][i] != codes[other][j];
        }
        usable[token][i] = alone;
    }
}

void tokens_make(void)
{
    for (unsigned token = 0; token < TOKEN_COUNT; token++) {
        memset(about[token].seed, 0x5a, sizeof about[token].seed);
        about[token].seed[0] = (uint8_t)(token + 1);
        tokens_name(about[token].account, about[token].name);
        codes_make(token);
    }
    for (unsigned token = 0; token < TOKEN_COUNT; token++) usable_make(token);
}

bool tokens_usable(enum token token, int64_t step)
{
    int64_t i = step - first_of(token);
    return i >= 0 && i < count_of(token) && usable[token][i];
}

uint32_t tokens_code(enum token token, int64_t step)
{
    CHECK(tokens_usable(token, step));
    return codes[token][step - first_of(token)];
}

uint32_t tokens_wrong_code(enum sim_account account, uint32_t number)
{
    for (uint32_t code = number % CODES;; code = (code + 1) % CODES)
        if (!(right[account][code / 8] >> code % 8 & 1)) return code;
}
