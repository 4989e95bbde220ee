/* The accounts and tokens of a simulated store, the same in every run, and their codes. */
#ifndef TESTS_SIM_TOKENS_H
#define TESTS_SIM_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TOKENS_WALL_S = 1700000000, /* when every run begins */
    TOKENS_HOTP_STEPS = 2048,
    TOKENS_TOTP_STEPS = 4096,
    TOKENS_TOTP_FIRST = TOKENS_WALL_S / 30 - 200,
};

/* Accounts by what happens to them. */
enum sim_account {
    ACCOUNT_HOTP_A,
    ACCOUNT_HOTP_B,
    ACCOUNT_TOTP_A,
    ACCOUNT_TOTP_B,
    ACCOUNT_TWO,     /* one HOTP and one TOTP token */
    ACCOUNT_GUESSED, /* HOTP; only wrong codes ever come */
    ACCOUNT_GUESSED_TOTP,
    ACCOUNT_SWITCHED, /* HOTP; suspended and resumed by an administrator */
    ACCOUNT_MOVING_A, /* HOTP; its seed is removed and added again at the other */
    ACCOUNT_MOVING_B,
    ACCOUNT_FAR, /* HOTP; far codes, pairs of adjacent codes, and pairs typed at the desk */
    ACCOUNT_FAR_TOTP,
    ACCOUNT_NOBODY, /* not enrolled; only guessed at */
    ACCOUNT_PROBE,  /* HOTP; asked only when a check wants to see that codes are accepted again */
    ACCOUNT_COUNT
};

enum token {
    TOKEN_HOTP_A,
    TOKEN_HOTP_B,
    TOKEN_TOTP_A,
    TOKEN_TOTP_B,
    TOKEN_TWO_HOTP,
    TOKEN_TWO_TOTP,
    TOKEN_GUESSED,
    TOKEN_GUESSED_TOTP,
    TOKEN_SWITCHED,
    TOKEN_MOVING,
    TOKEN_FAR,
    TOKEN_FAR_TOTP,
    TOKEN_PROBE,
    TOKEN_COUNT,
    TOKEN_NONE = TOKEN_COUNT
};

struct tokens_about {
    enum sim_account account;
    bool totp;
    uint8_t seed[20];
    uint8_t name[16]; /* of the account */
};

void tokens_make(void);
const struct tokens_about *tokens_about(enum token token);
const char *tokens_user(enum sim_account account);
void tokens_name(enum sim_account account, uint8_t ret_name[16]);
/* Steps that have a code here and whose code stands for no other step near them: others are not used, so that each code
 * means one step. */
bool tokens_usable(enum token token, int64_t step);
uint32_t tokens_code(enum token token, int64_t step);
/* From `number` on, a code that no known step of any of the account's tokens has. */
uint32_t tokens_wrong_code(enum sim_account account, uint32_t number);

#define TOKENS_COMPANY "acme"

#endif
