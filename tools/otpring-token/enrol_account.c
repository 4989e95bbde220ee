/* Which account an enrolment is about: one that is under way, or a new one, and the activation code that says so. A
 * code is kept until its account is active, so that the same command, with the same code, goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/arena.h"
#include "token.h"

enum { NUMBERS_SIZE = 512 };

int enrol_code_get(const struct settings *settings, char ret_activation[ACTIVATION_SIZE + 1])
{
    char line[256] = "";
    const char *text = settings->activation ? settings->activation : "";
    char *scanned = NULL;
    ret_activation[0] = 0;
    if (settings->qr) {
        int status = image_read(settings->qr, &scanned);
        if (status != EXIT_DONE) return status;
        snprintf(line, sizeof(line), "%s", scanned);
        secret_wipe(scanned, strlen(scanned));
        free(scanned);
        text = line;
    } else if (strcmp(text, "-") == 0) {
        if (!fgets(line, sizeof(line), stdin)) return complain(EXIT_USAGE, "no activation code on standard input");
        line[strcspn(line, "\r\n")] = 0;
        text = line;
    }
    /* The whole link does as well. */
    const char *hash = strchr(text, '#');
    if (hash) text = hash + 1;
    if (!*text || activation_parse(text, ret_activation)) return EXIT_DONE;
    return complain(EXIT_USAGE, "an activation code has 16 letters and digits, such as ABCD-EFGH-JKMN-PQRS");
}

static bool text_set(char *to, size_t size, const char *text)
{
    int length = snprintf(to, size, "%s", text);
    return length >= 0 && (size_t)length < size;
}

static int account_make(struct accounts *accounts, const struct settings *settings, const char *activation,
                        struct account **ret_account)
{
    struct device_key key;
    uint8_t seal_key[HPKE_PUBLIC_MAX];
    char host[NAME_MAX_SIZE + 1] = "otpring-token";
    gethostname(host, sizeof(host) - 1);
    struct account *account = account_new(accounts);
    if (!account) return EXIT_REFUSED;
    account->parameters.type = OTP_TOTP;
    strcpy(account->activation, activation);
    if (!device_algorithm_parse(settings->algorithm ? settings->algorithm : "ES256", &account->algorithm))
        return complain(EXIT_USAGE, "--algorithm is ES256 or Ed25519");
    if (!text_set(account->name, sizeof(account->name), settings->name ? settings->name : host) ||
        !text_set(account->platform, sizeof(account->platform),
                  settings->platform ? settings->platform : "otpring-token " OTPRING_VERSION) ||
        !text_set(account->push, sizeof(account->push), settings->push ? settings->push : "")) {
        return complain(EXIT_USAGE, "--name, --platform or --push is too long");
    }
    if (result_failed(device_pair_make(account->algorithm, account->sign_private, &key)) ||
        result_failed(hpke_pair_make(device_kem(account->algorithm), account->seal_private, seal_key))) {
        return complain(EXIT_REFUSED, "no key can be made");
    }
    *ret_account = account;
    return keep_save(settings, accounts);
}

static bool under_way(const struct account *account)
{
    return account->state < ACCOUNT_ACTIVE;
}

/* "2, 5": their numbers, for complaints; how many there are. */
static unsigned numbers_list(const struct accounts *accounts, char *ret_text, size_t size)
{
    unsigned count = 0;
    size_t used = 0;
    ret_text[0] = 0;
    for (unsigned i = 0; i < accounts->count; i++) {
        if (!under_way(&accounts->items[i])) continue;
        int more = snprintf(ret_text + used, size - used, "%s%u", count ? ", " : "", accounts->items[i].number);
        if (more > 0 && (size_t)more < size - used) used += (size_t)more;
        count++;
    }
    return count;
}

void enrol_accounts_hint(const struct accounts *accounts)
{
    char numbers[NUMBERS_SIZE];
    unsigned count = numbers_list(accounts, numbers, sizeof(numbers));
    if (count == 0) return;
    complain(
        EXIT_REFUSED,
        "under way: account%s %s; go on without a code: otpring-token enrol%s, or forget one: otpring-token remove "
        "NUMBER",
        count == 1 ? "" : "s", numbers, count == 1 ? "" : " --account NUMBER");
}

/* The one that --account names. */
static int named(struct accounts *accounts, const char *number, const char *activation, struct account **ret_account)
{
    struct account *account = account_find(accounts, number);
    if (!account) return complain(EXIT_REFUSED, "there is no account %s", number);
    if (!under_way(account))
        return complain(EXIT_USAGE, "account %u is %s: its enrolment is over", account->number,
                        account_state_name(account->state));
    /* The first files of this version forgot the code when it had been presented. */
    if (*activation && account->activation[0] && strcmp(account->activation, activation) != 0)
        return complain(EXIT_USAGE, "account %u is under way with another activation code", account->number);
    *ret_account = account;
    return EXIT_DONE;
}

static struct account *by_code(struct accounts *accounts, const char *activation)
{
    for (unsigned i = 0; i < accounts->count; i++) {
        struct account *account = &accounts->items[i];
        if (under_way(account) && strcmp(account->activation, activation) == 0) return account;
    }
    return NULL;
}

static int only_one(struct accounts *accounts, struct account **ret_account)
{
    char numbers[NUMBERS_SIZE];
    unsigned count = numbers_list(accounts, numbers, sizeof(numbers));
    if (count == 0) return complain(EXIT_USAGE, "nothing to go on with; give --activation CODE|- or --qr FILE");
    if (count > 1)
        return complain(EXIT_USAGE,
                        "several enrolments are under way, accounts %s: give --account NUMBER, or forget one: "
                        "otpring-token remove NUMBER",
                        numbers);
    for (unsigned i = 0; i < accounts->count; i++)
        if (under_way(&accounts->items[i])) *ret_account = &accounts->items[i];
    return EXIT_DONE;
}

int enrol_account_choose(const struct settings *settings, struct accounts *accounts, const char *activation,
                         struct account **ret_account)
{
    if (settings->account) return named(accounts, settings->account, activation, ret_account);
    if (!*activation) return only_one(accounts, ret_account);
    *ret_account = by_code(accounts, activation);
    return *ret_account ? EXIT_DONE : account_make(accounts, settings, activation, ret_account);
}
