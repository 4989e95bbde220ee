/* The synthetic accounts: their secrets, their names on the wire, and their enrolment under a company of their own.
 * Secrets derive from --seed, the company's name and the account's number (a key stream under a hash of the first two);
 * the company's name is random unless given, since a store never lets a seed begin anew. Midstates are secrets: wiped
 * at the end. */
#ifndef OTPRING_LOAD_ACCOUNTS_H
#define OTPRING_LOAD_ACCOUNTS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin.h"
#include "kernel/kernel.h"
#include "options.h"

#define ACCOUNTS_COMPANY_PREFIX "otpring-load-"
enum { COMPANY_SIZE = 64, ACCOUNTS_PER_REQUEST = 1000, ACCOUNT_SEED_SIZE_MAX = 64 };

/* Where an account stands between two runs of one program. */
struct account_progress {
    uint32_t next; /* the step to be sent next */
    bool failed;   /* its last item was wrong: the next must not be */
    bool probe;    /* whether the step before was accepted is not known: something was UNAVAILABLE */
};

struct accounts {
    char company[COMPANY_SIZE];
    uint8_t company_name[8];
    uint32_t count;
    enum kernel_algorithm algorithm;
    uint8_t (*names)[8];
    size_t midstates_size;
    uint8_t *midstates; /* count of midstates_size */
    struct account_progress *progress;
};

/* 0, or -1: not enough memory or randomness. */
int accounts_create(const struct load_options *options, struct accounts *ret_accounts);
void accounts_destroy(struct accounts *accounts);

static inline const void *account_midstates(const struct accounts *accounts, uint32_t index)
{
    return accounts->midstates + index * accounts->midstates_size;
}

/* The secrets of `count` accounts, ACCOUNT_SEED_SIZE_MAX bytes apart, of which the first accounts_seed_size are it. 0,
 * or -1. */
int accounts_seeds(const struct accounts *accounts, uint64_t seed, uint32_t first, uint32_t count, uint8_t *ret_seeds);
size_t accounts_seed_size(const struct accounts *accounts);

/* Both: 0, or -1 with admin->error. Enrolment stops early when *stop is set (0 then, the caller looks). */
int accounts_enrol(const struct accounts *accounts, const struct load_options *options, struct admin *admin,
                   const volatile sig_atomic_t *stop);
int accounts_purge(const struct accounts *accounts, struct admin *admin);

#endif
