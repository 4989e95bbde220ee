/* Commands about what the bank asks: list it, answer it, read it off a QR code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/arena.h"
#include "question.h"

enum { URI_MAX = CHALLENGE_URI_SIZE_MAX, STATE_MAX = 64 };

static void show(const struct settings *settings, const struct question *question)
{
    if (!settings->json) {
        question_print(question);
        return;
    }
    json_t *json = question_json(question);
    json_dumpf(json, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(json);
}

/* ---- deciding ---- */

/* What the options say; EXIT_USAGE where they contradict each other or the question. */
static int decision_get(const struct settings *settings, const struct question *question,
                        enum question_decision *ret_decision, unsigned *ret_number)
{
    bool match = (question->body.flags & CHALLENGE_MATCH_NUMBER) != 0;
    *ret_number = 0;
    if (settings->approve == (settings->refuse != NULL))
        return complain(EXIT_USAGE, "either --approve or --refuse WHY");
    if (settings->refuse) {
        *ret_decision = strcmp(settings->refuse, "not-me") == 0 ? QUESTION_NOT_ME : QUESTION_NOT_WANTED;
        bool known = *ret_decision == QUESTION_NOT_ME || strcmp(settings->refuse, "not-wanted") == 0;
        return known ? EXIT_DONE : complain(EXIT_USAGE, "--refuse is not-me or not-wanted");
    }
    *ret_decision = QUESTION_APPROVE;
    if (!match) return EXIT_DONE;
    char *end = NULL;
    unsigned long number = settings->number ? strtoul(settings->number, &end, 10) : 0;
    if (!settings->number || *end || number < 10 || number > 99)
        return complain(EXIT_USAGE, "give --number NN: the two digits that the screen shows");
    *ret_number = (unsigned)number;
    return EXIT_DONE;
}

static int decide(const struct settings *settings, const struct accounts *accounts, struct question *question)
{
    enum question_decision decision = QUESTION_NOT_WANTED;
    unsigned number;
    char state[STATE_MAX] = "";
    int status = decision_get(settings, question, &decision, &number);
    if (status == EXIT_DONE)
        status = question_answer(settings, accounts, question, decision, number, state, sizeof(state));
    if (status != EXIT_DONE) return status;
    if (settings->json)
        printf("{\"challenge\":\"%s\",\"state\":\"%s\"}\n", question->id, state);
    else
        puts(state);
    /* A wrong number ends the question; the user meant to approve it. */
    return decision == QUESTION_APPROVE && strcmp(state, "approved") != 0 ? EXIT_REFUSED : EXIT_DONE;
}

static int respond(const struct settings *settings, const struct question *question)
{
    char text[OCRA_RESPONSE_SIZE_MAX + 1] = "";
    if (!settings->approve)
        return complain(EXIT_USAGE, "a response approves what was asked: --offline goes with --approve");
    int status = question_response(question, text);
    if (status == EXIT_DONE && settings->json)
        printf("{\"challenge\":\"%s\",\"response\":\"%s\"}\n", question->id, text);
    else if (status == EXIT_DONE)
        puts(text);
    secret_wipe(text, sizeof(text));
    return status;
}

/* ---- commands ---- */

static int account_questions(const struct settings *settings, struct accounts *accounts, struct account *account,
                             unsigned *total)
{
    static struct question questions[QUESTIONS_MAX];
    unsigned count;
    int status = questions_fetch(settings, accounts, account, questions, &count);
    for (unsigned i = 0; i < count; i++) show(settings, &questions[i]);
    *total += count;
    return status;
}

int run_questions(const struct settings *settings)
{
    static struct accounts accounts;
    unsigned total = 0, asked = 0, refused = 0;
    int status = keep_open(settings, &accounts);
    for (unsigned i = 0; status == EXIT_DONE && i < accounts.count; i++) {
        struct account *account = &accounts.items[i];
        if (!account_is_asked(settings, &accounts, account)) continue;
        asked++;
        status = account_questions(settings, &accounts, account, &total);
        /* What is refused to one account is not refused to the others. */
        if (status != EXIT_REFUSED) continue;
        refused++;
        status = EXIT_DONE;
    }
    if (status == EXIT_DONE && refused > 0) status = EXIT_REFUSED;
    if (status == EXIT_DONE && asked == 0)
        status = complain(EXIT_REFUSED, "no account is enrolled that could be asked");
    if (status == EXIT_DONE && total == 0 && !settings->json) puts("Nothing is asked.");
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}

static int open_questions(const struct settings *settings, struct accounts *accounts,
                          struct question questions[QUESTIONS_MAX], unsigned *ret_count)
{
    static struct question some[QUESTIONS_MAX];
    *ret_count = 0;
    for (unsigned i = 0; i < accounts->count; i++) {
        unsigned count;
        if (!account_is_asked(settings, accounts, &accounts->items[i])) continue;
        int status = questions_fetch(settings, accounts, &accounts->items[i], some, &count);
        /* One that is refused has told so; the question may be another's. */
        if (status != EXIT_DONE && status != EXIT_REFUSED) return status;
        for (unsigned q = 0; q < count && *ret_count < QUESTIONS_MAX; q++)
            question_copy(&questions[(*ret_count)++], &some[q]);
    }
    return EXIT_DONE;
}

/* The question of this id, or the only one, of any account. EXIT_REFUSED: there is none. */
static int find(const struct settings *settings, struct accounts *accounts, struct question questions[QUESTIONS_MAX],
                struct question **ret_question)
{
    unsigned count;
    int status = open_questions(settings, accounts, questions, &count);
    if (status != EXIT_DONE) return status;
    if (!settings->argument && count > 1) return complain(EXIT_USAGE, "which question? See: otpring-token questions");
    for (unsigned q = 0; q < count; q++) {
        if (settings->argument && strcmp(questions[q].id, settings->argument) != 0) continue;
        *ret_question = &questions[q];
        return EXIT_DONE;
    }
    return complain(EXIT_REFUSED, "no such question is open; see: otpring-token questions");
}

int run_answer(const struct settings *settings)
{
    static struct accounts accounts;
    static struct question questions[QUESTIONS_MAX];
    struct question *question = NULL;
    int status = keep_open(settings, &accounts);
    if (status == EXIT_DONE) status = find(settings, &accounts, questions, &question);
    if (status == EXIT_DONE && settings->offline)
        status = respond(settings, question);
    else if (status == EXIT_DONE)
        status = decide(settings, &accounts, question);
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}

/* Other things than questions stand in QR codes too: say what to do with them. */
static int other_code(const char *text)
{
    if (strncmp(text, "otpauth:", 8) == 0)
        return complain(EXIT_REFUSED, "this is a token's seed: otpring-token add --qr FILE");
    if (strchr(text, '#'))
        return complain(EXIT_REFUSED, "this looks like an invitation: otpring-token enrol --qr FILE");
    return complain(EXIT_REFUSED, "this is no question of a bank");
}

static int uri_get(const struct settings *settings, char ret_uri[URI_MAX + 2])
{
    char *scanned = NULL;
    if (settings->uri_file) return first_line(settings->uri_file, "URI", ret_uri, URI_MAX + 2);
    if (!settings->argument)
        return complain(EXIT_USAGE, "which picture? Give a PNG file, - for standard input, or --uri-file");
    int status = image_read(settings->argument, &scanned);
    if (status == EXIT_DONE) snprintf(ret_uri, URI_MAX + 2, "%s", scanned);
    if (scanned) secret_wipe(scanned, strlen(scanned));
    free(scanned);
    return status;
}

int run_scan(const struct settings *settings)
{
    static struct accounts accounts;
    static struct question question;
    char uri[URI_MAX + 2] = "";
    int status = uri_get(settings, uri);
    if (status == EXIT_DONE && strncmp(uri, "OTPRING:", 8) != 0) status = other_code(uri);
    if (status == EXIT_DONE) status = keep_open(settings, &accounts);
    if (status == EXIT_DONE) status = question_read(settings, &accounts, NULL, uri, &question);
    if (status == EXIT_DONE && settings->offline)
        status = respond(settings, &question);
    else if (status == EXIT_DONE && (settings->approve || settings->refuse))
        status = decide(settings, &accounts, &question);
    else if (status == EXIT_DONE)
        show(settings, &question);
    secret_wipe(uri, sizeof(uri));
    secret_wipe(&accounts, sizeof(accounts));
    return status;
}
