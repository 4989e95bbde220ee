/* Which account a command is about. */
#include <string.h>

#include "os/arena.h"
#include "token.h"

bool account_is_enrolled(const struct account *account)
{
    return account->state == ACCOUNT_ACTIVE && account->device != 0;
}

bool account_is_asked(const struct settings *settings, struct accounts *accounts, const struct account *account)
{
    if (!settings->account) return account_is_enrolled(account);
    bool unbound = account->state == ACCOUNT_UNBOUND;
    return account_find(accounts, settings->account) == account && (unbound || account_is_enrolled(account));
}

bool account_shows_codes(const struct account *account)
{
    return account->state == ACCOUNT_ACTIVE && account->parameters.type != OTP_OCRA;
}

bool account_answers_by_hand(const struct account *account)
{
    return account->state == ACCOUNT_ACTIVE && account->parameters.type == OTP_OCRA;
}

struct account *account_new(struct accounts *accounts)
{
    if (accounts->count == ACCOUNTS_MAX) {
        complain(EXIT_REFUSED, "there are %d accounts already", ACCOUNTS_MAX);
        return NULL;
    }
    struct account *account = &accounts->items[accounts->count++];
    *account = (struct account){.number = ++accounts->last_number, .parameters = {.digits = 6, .period_s = 30}};
    return account;
}

void account_drop(struct accounts *accounts, struct account *account)
{
    size_t after = (size_t)(&accounts->items[accounts->count] - account) - 1;
    memmove(account, account + 1, after * sizeof(*account));
    accounts->count--;
    secret_wipe(&accounts->items[accounts->count], sizeof(*account));
}

static void complain_unbound(const struct account *account)
{
    complain(EXIT_REFUSED,
             "account %u is unbound: the bank does not know its device any more, and refuses what it shows; ask again: "
             "otpring-token questions %u, or forget it: otpring-token remove %u",
             account->number, account->number, account->number);
}

static const struct account *unbound_find(const struct accounts *accounts)
{
    for (unsigned i = 0; i < accounts->count; i++)
        if (accounts->items[i].state == ACCOUNT_UNBOUND) return &accounts->items[i];
    return NULL;
}

static struct account *only_one(struct accounts *accounts, bool (*fits)(const struct account *account),
                                const char *what)
{
    struct account *found = NULL;
    unsigned count = 0;
    for (unsigned i = 0; i < accounts->count; i++) {
        if (!fits(&accounts->items[i])) continue;
        found = &accounts->items[i];
        count++;
    }
    if (count == 1) return found;
    const struct account *unbound = count ? NULL : unbound_find(accounts);
    if (unbound)
        complain_unbound(unbound);
    else
        complain(EXIT_REFUSED, count ? "there are several accounts: say which" : "no account %s", what);
    return NULL;
}

struct account *account_choose(const struct settings *settings, struct accounts *accounts,
                               bool (*fits)(const struct account *account), const char *what)
{
    if (!settings->account) return only_one(accounts, fits, what);
    struct account *found = account_find(accounts, settings->account);
    if (!found)
        complain(EXIT_REFUSED, "there is no account %s", settings->account);
    else if (found->state == ACCOUNT_UNBOUND)
        complain_unbound(found);
    else if (found->state != ACCOUNT_ACTIVE)
        complain(EXIT_REFUSED, "account %u is not active yet; go on with: otpring-token enrol", found->number);
    else if (fits(found))
        return found;
    else
        complain(EXIT_REFUSED, "account %u is none that %s", found->number, what);
    return NULL;
}
