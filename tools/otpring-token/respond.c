/* OCRA by hand: a response to a challenge that the user reads off a screen and types here. */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "os/arena.h"
#include "token.h"

enum {
    PIN_MAX = 255,
    COUNTERS_BELOW = 10, /* responses that never reached the engine, which therefore expects a smaller counter */
    STEPS_ASIDE = 1,     /* of its clock and this one */
};

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

static void session_set(const struct settings *settings, const struct ocra_suite *suite, struct ocra_input *input)
{
    if (!suite->session_size || !settings->session) return;
    input->session = (const uint8_t *)settings->session;
    input->session_size = strlen(settings->session);
}

/* Any of the counters and steps that the engine may stand at. */
static bool server_fits(const struct account *account, const struct ocra_suite *suite, struct ocra_message *message,
                        const char *response)
{
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    uint64_t counter = suite->counter ? account->moving : 0, step = ocra_step(suite, (int64_t)time(NULL));
    uint64_t below = counter < COUNTERS_BELOW ? counter : COUNTERS_BELOW;
    int aside = suite->step_s ? STEPS_ASIDE : 0;
    bool fits = false;
    kernel_midstates(suite->algorithm, account->seed, account->seed_size, midstates);
    for (uint64_t back = 0; back <= below; back++)
        for (int by = -aside; by <= aside; by++) {
            ocra_message_move(message, counter - back, step + (uint64_t)(int64_t)by);
            fits |= ocra_fits(suite, midstates, message, response, strlen(response));
        }
    secret_wipe(midstates, sizeof(midstates));
    return fits;
}

/* RFC 6287 section 7.2: the server's response, over this token's challenge and then the server's, comes first; whoever
 * cannot give it is not who knows the seed, and is given nothing. */
static int server_check(const struct settings *settings, const struct account *account, const struct ocra_suite *suite)
{
    struct ocra_suite server;
    struct ocra_message message;
    struct ocra_input input = {
        .questions = {question_of(settings->challenge_second), question_of(settings->challenge)}};
    if (!settings->challenge_second)
        return complain(EXIT_USAGE, "--server-response goes with --challenge-second, which it answers");
    ocra_suite_server(suite, &server);
    session_set(settings, &server, &input);
    struct result made = ocra_message_make(&server, &input, &message);
    if (!result_failed(made))
        made = ocra_response_check(&server, settings->server_response, strlen(settings->server_response));
    if (result_failed(made)) return complain(EXIT_USAGE, "%s", result_text(made));
    bool fits = server_fits(account, &server, &message, settings->server_response);
    secret_wipe(&message, sizeof(message));
    if (fits) return EXIT_DONE;
    return complain(EXIT_REFUSED, "the server's response is wrong: whoever asks is not your bank; nothing is answered");
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
    session_set(settings, suite, &input);
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
    int status = settings->server_response ? server_check(settings, account, &suite) : EXIT_DONE;
    if (status == EXIT_DONE) status = respond(settings, account, &suite, ret_text);
    if (status != EXIT_DONE || !suite.counter) return status;
    account->moving++;
    return keep_save(settings, accounts);
}

/* The challenge that this token asks of the server. */
static int challenge_new(const struct account *account, char ret_text[OCRA_QUESTION_SIZE_MAX + 1])
{
    struct ocra_suite suite;
    uint8_t random[OCRA_DRAW_SIZE];
    if (result_failed(ocra_suite_parse(account->suite, strlen(account->suite), &suite)))
        return complain(EXIT_REFUSED, "account %u has a suite that this version does not know", account->number);
    do {
        if (RAND_bytes(random, sizeof(random)) != 1) return complain(EXIT_REFUSED, "a cryptographic operation failed");
    } while (!ocra_challenge_draw(&suite, random, sizeof(random), ret_text));
    return EXIT_DONE;
}

int run_ocra(const struct settings *settings)
{
    static struct accounts accounts;
    char text[OCRA_RESPONSE_SIZE_MAX + 1] = "";
    if (settings->new_challenge && settings->challenge)
        return complain(EXIT_USAGE, "--new-challenge comes before --challenge, and alone");
    if (!settings->challenge && !settings->new_challenge)
        return complain(EXIT_USAGE, "which challenge? Give --challenge TEXT");
    int status = keep_open(settings, &accounts);
    struct account *account =
        status == EXIT_DONE ? account_choose(settings, &accounts, account_answers_by_hand, "answers challenges by hand")
                            : NULL;
    if (status == EXIT_DONE && !account) status = EXIT_REFUSED;
    if (account)
        status = settings->new_challenge ? challenge_new(account, text)
                                         : response_by_hand(settings, &accounts, account, text);
    if (status == EXIT_DONE && settings->json)
        printf("{\"account\":%u,\"%s\":\"%s\"}\n", account->number, settings->new_challenge ? "challenge" : "response",
               text);
    else if (status == EXIT_DONE)
        puts(text);
    secret_wipe(text, sizeof(text));
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
