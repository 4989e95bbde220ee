/* Tokens without an enrolment: an otpauth URI (as text or in a picture), or a seed with its OCRA suite. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/arena.h"
#include "token.h"

enum { URI_MAX = 2600 };

static bool text_set(char *to, size_t size, const char *text)
{
    int length = snprintf(to, size, "%s", text);
    return length >= 0 && (size_t)length < size;
}

static int from_uri(struct account *account, const char *text)
{
    struct otp_uri uri;
    struct result parsed = otp_uri_parse(text, strlen(text), &uri);
    if (result_failed(parsed)) return complain(EXIT_USAGE, "%s", result_text(parsed));
    account->parameters = uri.parameters;
    account->moving = uri.counter;
    account->seed_size = uri.seed_size;
    memcpy(account->seed, uri.seed, uri.seed_size);
    strcpy(account->company, uri.issuer);
    strcpy(account->user, uri.account);
    otp_uri_wipe(&uri);
    return EXIT_DONE;
}

static int from_suite(struct account *account, const struct settings *settings)
{
    struct ocra_suite suite;
    char secret[2 * OTP_SEED_SIZE_MAX + 2], *end = NULL;
    struct result parsed = ocra_suite_parse(settings->suite, strlen(settings->suite), &suite);
    if (result_failed(parsed)) return complain(EXIT_USAGE, "%s", result_text(parsed));
    if (!settings->secret_file) return complain(EXIT_USAGE, "--suite needs --secret-file FILE|-");
    if (!text_set(account->company, sizeof(account->company), settings->company ? settings->company : "") ||
        !text_set(account->user, sizeof(account->user), settings->user ? settings->user : ""))
        return complain(EXIT_USAGE, "--company or --user is too long");
    if (settings->counter) account->moving = strtoull(settings->counter, &end, 10);
    if (end && (*end || end == settings->counter)) return complain(EXIT_USAGE, "--counter takes a whole number");
    int status = first_line(settings->secret_file, "secret", secret, sizeof(secret));
    if (status != EXIT_DONE) return status;
    parsed = otp_base32_decode(secret, strlen(secret), account->seed, sizeof(account->seed), &account->seed_size);
    secret_wipe(secret, sizeof(secret));
    if (result_failed(parsed)) return complain(EXIT_USAGE, "%s", result_text(parsed));
    account->parameters = (struct otp_parameters){
        .type = OTP_OCRA, .algorithm = suite.algorithm, .digits = suite.digits, .period_s = suite.step_s};
    strcpy(account->suite, suite.text);
    return EXIT_DONE;
}

static int fill(struct account *account, const struct settings *settings)
{
    char line[URI_MAX + 1], *scanned = NULL;
    if (settings->suite) return from_suite(account, settings);
    int status = settings->qr         ? image_read(settings->qr, &scanned)
                 : settings->uri_file ? first_line(settings->uri_file, "URI", line, sizeof(line))
                                      : complain(EXIT_USAGE, "give --qr FILE, --uri-file FILE|- or --suite SUITE");
    if (status != EXIT_DONE) return status;
    status = from_uri(account, scanned ? scanned : line);
    if (scanned) secret_wipe(scanned, strlen(scanned));
    free(scanned);
    secret_wipe(line, sizeof(line));
    return status;
}

/* The one that has this seed already, used in the same way. */
static const struct account *twin(const struct accounts *accounts, const struct account *added)
{
    for (unsigned i = 0; i < accounts->count; i++) {
        const struct account *account = &accounts->items[i];
        if (account == added || account->seed_size != added->seed_size ||
            account->parameters.type != added->parameters.type)
            continue;
        if (memcmp(account->seed, added->seed, added->seed_size) == 0 && strcmp(account->suite, added->suite) == 0)
            return account;
    }
    return NULL;
}

/* Two accounts of one seed count apart, and each shows codes that the other used up. */
static int twin_refuse(const struct settings *settings, const struct accounts *accounts, const struct account *added)
{
    const struct account *other = settings->force ? NULL : twin(accounts, added);
    if (!other) return EXIT_DONE;
    return complain(EXIT_REFUSED, "account %u has this seed already; --force adds it again", other->number);
}

int run_add(const struct settings *settings)
{
    static struct accounts accounts;
    int status = keep_open(settings, &accounts);
    struct account *account = status == EXIT_DONE ? account_new(&accounts) : NULL;
    if (status == EXIT_DONE && !account) status = EXIT_REFUSED;
    if (account) {
        account->state = ACCOUNT_ACTIVE;
        account->algorithm = DEVICE_ES256; /* never used: it has no keys */
        status = fill(account, settings);
    }
    if (account && status == EXIT_DONE) status = twin_refuse(settings, &accounts, account);
    if (account && status == EXIT_DONE) status = keep_save(settings, &accounts);
    if (account && status == EXIT_DONE) {
        if (settings->json)
            printf("{\"account\":%u,\"type\":\"%s\"}\n", account->number, account_type_name(account));
        else
            printf("Account %u is there.\n", account->number);
    }
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
