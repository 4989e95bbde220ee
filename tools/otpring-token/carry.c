/* Export and import: all accounts in another sealed file, to be carried to another machine. Keys that work on two
 * machines at once would count their answers apart, and the bank refuses the one that lags behind: an export is for
 * moving, not for copying. */
#include <stdio.h>
#include <string.h>

#include "os/arena.h"
#include "token.h"

static void told(const struct settings *settings, unsigned count)
{
    if (settings->json)
        printf("{\"accounts\":%u}\n", count);
    else
        printf("%u account%s\n", count, count == 1 ? "" : "s");
}

int run_export(const struct settings *settings)
{
    static struct accounts accounts;
    if (!settings->argument) return complain(EXIT_USAGE, "to which file?");
    int status = keep_open(settings, &accounts);
    if (status == EXIT_DONE) status = keep_export(settings, settings->argument, &accounts);
    if (status == EXIT_DONE) told(settings, accounts.count);
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}

/* The same enrolment, or the same seed. */
static bool is_there(const struct accounts *accounts, const struct account *wanted)
{
    for (unsigned i = 0; i < accounts->count; i++) {
        const struct account *account = &accounts->items[i];
        if (memcmp(account->sign_private, wanted->sign_private, sizeof(wanted->sign_private)) == 0 &&
            account->seed_size == wanted->seed_size && memcmp(account->seed, wanted->seed, wanted->seed_size) == 0)
            return true;
    }
    return false;
}

static int take_all(struct accounts *accounts, const struct accounts *others, unsigned *ret_count)
{
    for (unsigned i = 0; i < others->count; i++) {
        if (is_there(accounts, &others->items[i])) continue;
        struct account *account = account_new(accounts);
        if (!account) return EXIT_REFUSED;
        unsigned number = account->number;
        *account = others->items[i];
        account->number = number;
        ++*ret_count;
    }
    return EXIT_DONE;
}

int run_import(const struct settings *settings)
{
    static struct accounts accounts, others;
    unsigned count = 0;
    if (!settings->argument) return complain(EXIT_USAGE, "from which file?");
    int status = keep_open(settings, &accounts);
    if (status == EXIT_DONE) status = keep_import(settings, settings->argument, &others);
    if (status == EXIT_DONE) status = take_all(&accounts, &others, &count);
    if (status == EXIT_DONE && count > 0) status = keep_save(settings, &accounts);
    if (status == EXIT_DONE) told(settings, count);
    secret_wipe(&accounts, sizeof(accounts));
    secret_wipe(&others, sizeof(others));
    return status;
}
