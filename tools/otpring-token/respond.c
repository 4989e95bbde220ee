/* OCRA by hand: a response to a challenge that the user reads off a screen and types here. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "os/arena.h"
#include "token.h"

enum { PIN_MAX = 255 };

static struct ocra_question question_of(const char *text)
{
    return text ? (struct ocra_question){text, strlen(text)} : (struct ocra_question){0};
}

/* The PIN's hash, by the suite's own algorithm. */
static int pin_hash(const struct settings *settings, const struct ocra_suite *suite, uint8_t ret[EVP_MAX_MD_SIZE])
{
    const EVP_MD *const hashes[] = {EVP_sha1(), EVP_sha256(), EVP_sha512()};
    char pin[PIN_MAX + 1];
    unsigned size = 0;
    if (!settings->pin_file) return complain(EXIT_USAGE, "this token has a PIN: give --pin-file FILE|-");
    int status = first_line(settings->pin_file, "PIN", pin, sizeof(pin));
    if (status == EXIT_DONE && EVP_Digest(pin, strlen(pin), ret, &size, hashes[suite->pin_algorithm], NULL) != 1)
        status = complain(EXIT_REFUSED, "a cryptographic operation failed");
    secret_wipe(pin, sizeof(pin));
    return status;
}

static int respond(const struct settings *settings, const struct account *account, const struct ocra_suite *suite,
                   char ret_text[OCRA_RESPONSE_SIZE_MAX + 1])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    struct ocra_message message;
    struct ocra_input input = {
        .questions = {question_of(settings->challenge), question_of(settings->challenge_second)}};
    if (suite->counter) input.counter = account->moving;
    if (suite->step_s) input.step = ocra_step(suite, (int64_t)time(NULL));
    if (suite->pin_hash_size) {
        int status = pin_hash(settings, suite, hash);
        if (status != EXIT_DONE) return status;
        input.pin_hash = hash;
        input.pin_hash_size = suite->pin_hash_size;
    }
    if (suite->session_size && settings->session) {
        input.session = (const uint8_t *)settings->session;
        input.session_size = strlen(settings->session);
    }
    struct result made = ocra_message_make(suite, &input, &message);
    if (!result_failed(made)) ocra_respond_with_seed(suite, account->seed, account->seed_size, &message, ret_text);
    secret_wipe(&message, sizeof(message));
    secret_wipe(hash, sizeof(hash));
    return result_failed(made) ? complain(EXIT_USAGE, "%s", result_text(made)) : EXIT_DONE;
}

int response_by_hand(const struct settings *settings, struct accounts *accounts, struct account *account,
                     char ret_text[OCRA_RESPONSE_SIZE_MAX + 1])
{
    struct ocra_suite suite;
    if (result_failed(ocra_suite_parse(account->suite, strlen(account->suite), &suite)))
        return complain(EXIT_REFUSED, "account %u has a suite that this version does not know", account->number);
    int status = respond(settings, account, &suite, ret_text);
    if (status != EXIT_DONE || !suite.counter) return status;
    account->moving++;
    return keep_save(settings, accounts);
}

int run_ocra(const struct settings *settings)
{
    static struct accounts accounts;
    char text[OCRA_RESPONSE_SIZE_MAX + 1] = "";
    if (!settings->challenge) return complain(EXIT_USAGE, "which challenge? Give --challenge TEXT");
    int status = keep_open(settings, &accounts);
    struct account *account =
        status == EXIT_DONE ? account_choose(settings, &accounts, account_answers_by_hand, "answers challenges by hand")
                            : NULL;
    if (status == EXIT_DONE && !account) status = EXIT_REFUSED;
    if (account) status = response_by_hand(settings, &accounts, account, text);
    if (status == EXIT_DONE && settings->json)
        printf("{\"account\":%u,\"response\":\"%s\"}\n", account->number, text);
    else if (status == EXIT_DONE)
        puts(text);
    secret_wipe(text, sizeof(text));
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
