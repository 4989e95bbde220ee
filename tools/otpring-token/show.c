/* What the user looks at: accounts, and codes. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/arena.h"
#include "token.h"

void text_print(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text >= ' ' && *text != 0x7f) putchar(*text);
    }
}

int run_list(const struct settings *settings)
{
    static struct accounts accounts;
    int status = keep_open(settings, &accounts);
    json_t *list = json_array();
    for (unsigned i = 0; status == EXIT_DONE && i < accounts.count; i++) {
        const struct account *account = &accounts.items[i];
        json_t *json =
            json_pack("{s:i,s:s,s:s,s:s,s:s,s:I}", "account", (int)account->number, "state",
                      account_state_name(account->state), "company", account->company, "user", account->user,
                      "algorithm", device_algorithm_name(account->algorithm), "device", (json_int_t)account->device);
        json_object_set_new(json, "type", json_string(account_type_name(account)));
        if (account->suite[0]) json_object_set_new(json, "suite", json_string(account->suite));
        json_array_append_new(list, json);
        if (settings->json) continue;
        printf("%-4u %-10s ", account->number, account_state_name(account->state));
        text_print(account->user);
        fputs(" of ", stdout);
        text_print(account->company);
        if (account->suite[0]) printf(", %s", account->suite);
        putchar('\n');
    }
    if (status == EXIT_DONE && settings->json) {
        json_dumpf(list, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(list);
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}

unsigned code_now(const struct account *account, int64_t now_s, char ret_text[16])
{
    bool totp = account->parameters.type == OTP_TOTP;
    uint64_t step = totp ? (uint64_t)otp_step(&account->parameters, now_s) : account->moving;
    uint32_t code = otp_code(&account->parameters, account->seed, account->seed_size, step);
    snprintf(ret_text, 16, "%0*u", account->parameters.digits, code);
    uint32_t period_s = account->parameters.period_s;
    if (!totp) return 0;
    return period_s - (unsigned)((now_s - account->parameters.t0_s) % period_s);
}

/* One line that is written over, until interrupted. */
static void watch(const struct account *account)
{
    char text[16];
    for (;;) {
        unsigned left_s = code_now(account, (int64_t)time(NULL), text);
        printf("\r%s  %2u s ", text, left_s);
        fflush(stdout);
        if (ferror(stdout)) return;
        sleep(1);
    }
}

/* Of a counter: used up before it is shown, so that none is shown twice. */
static int show_next(const struct settings *settings, struct accounts *accounts, struct account *account)
{
    char text[16];
    (void)code_now(account, 0, text);
    account->moving++;
    int status = keep_save(settings, accounts);
    if (status == EXIT_DONE && settings->json)
        printf("{\"account\":%u,\"code\":\"%s\"}\n", account->number, text);
    else if (status == EXIT_DONE)
        puts(text);
    secret_wipe(text, sizeof(text));
    return status;
}

int run_code(const struct settings *settings)
{
    static struct accounts accounts;
    char text[16];
    int status = keep_open(settings, &accounts);
    struct account *account =
        status == EXIT_DONE ? account_choose(settings, &accounts, account_shows_codes, "shows codes") : NULL;
    if (status == EXIT_DONE && !account) status = EXIT_REFUSED;
    bool counts = account && account->parameters.type == OTP_HOTP;
    if (counts && settings->watch) status = complain(EXIT_USAGE, "a code of a counter has no countdown");
    if (counts && status == EXIT_DONE) status = show_next(settings, &accounts, account);
    if (counts || status != EXIT_DONE) {
        secret_wipe(&accounts, sizeof(accounts));
        return status;
    }
    if (account && settings->watch) {
        watch(account);
    } else if (account) {
        unsigned left_s = code_now(account, (int64_t)time(NULL), text);
        if (settings->json)
            printf("{\"account\":%u,\"code\":\"%s\",\"valid_s\":%u}\n", account->number, text, left_s);
        else if (isatty(STDOUT_FILENO))
            printf("%s  (%u s)\n", text, left_s);
        else
            puts(text);
    }
    secret_wipe(text, sizeof(text));
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}

int run_remove(const struct settings *settings)
{
    static struct accounts accounts;
    if (!settings->argument) return complain(EXIT_USAGE, "which account? See: otpring-token list");
    int status = keep_open(settings, &accounts);
    struct account *account = status == EXIT_DONE ? account_find(&accounts, settings->argument) : NULL;
    if (status == EXIT_DONE && !account) status = complain(EXIT_REFUSED, "there is no account %s", settings->argument);
    if (account) {
        account_drop(&accounts, account);
        status = keep_save(settings, &accounts);
    }
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
