/* peer_tokens COUNT COMPANY SEED: the tokens of otpring-load --company COMPANY --seed SEED, one a line: user, seed in
 * hex, seed in base32. Only for measuring peers on the same tokens: such a company is never a real one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otp/otp.h"
#include "otpring-load/accounts.h"

enum { AT_ONCE = 1000, SEED_SIZE = 20 };

int main(int count, char **arguments)
{
    static uint8_t seeds[AT_ONCE * ACCOUNT_SEED_SIZE_MAX];
    struct accounts accounts = {.algorithm = KERNEL_SHA1};
    char text[64];
    if (count != 4) {
        fputs("usage: peer_tokens COUNT COMPANY SEED\n", stderr);
        return 2;
    }
    snprintf(accounts.company, sizeof accounts.company, "%s", arguments[2]);
    uint64_t seed = strtoull(arguments[3], NULL, 10);
    uint32_t wanted = (uint32_t)strtoul(arguments[1], NULL, 10);
    for (uint32_t i = 0; i < wanted; i++) {
        const uint8_t *own = seeds + (size_t)(i % AT_ONCE) * ACCOUNT_SEED_SIZE_MAX;
        if (i % AT_ONCE == 0 && accounts_seeds(&accounts, seed, i, AT_ONCE, seeds)) return 1;
        if (result_failed(otp_base32_encode(own, SEED_SIZE, text, sizeof text))) return 1;
        printf("u%u ", i);
        for (int b = 0; b < SEED_SIZE; b++) printf("%02x", own[b]);
        printf(" %s\n", text);
    }
    return 0;
}
