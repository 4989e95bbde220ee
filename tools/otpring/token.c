/* token and profile commands: requests out, tables back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "os/arena.h"
#include "show_qr.h"

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_int_t number_of(json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

int ask_and_print(struct invocation *invocation, void (*print)(const struct invocation *invocation, json_t *answer))
{
    int status = EXIT_DONE;
    json_t *answer = admin_ask(invocation, invocation->request, &status);
    if (!answer) return status;
    if (invocation->json)
        print_json(answer);
    else if (print)
        print(invocation, answer);
    json_decref(answer);
    return status;
}

static bool given(const struct invocation *invocation, const char *field)
{
    return json_object_get(invocation->request, field) != NULL;
}

static int needs_account(const struct invocation *invocation)
{
    if (given(invocation, "company") && given(invocation, "user")) return EXIT_DONE;
    return complain(EXIT_USAGE, "%s needs --company and --user", invocation->command->words);
}

static int needs_token(const struct invocation *invocation)
{
    if (given(invocation, "ordinal")) return EXIT_DONE;
    if (given(invocation, "company") && given(invocation, "user")) return EXIT_DONE;
    return complain(EXIT_USAGE, "%s needs --company and --user, or --token", invocation->command->words);
}

/* Base32 text out of a file: the first line, without the blanks round it. */
int secret_add(struct invocation *invocation)
{
    size_t size;
    char *text = read_whole(invocation->secret_path, 4096, &size);
    if (!text) return EXIT_USAGE;
    char *start = text + strspn(text, " \t\r\n");
    start[strcspn(start, "\r\n")] = 0;
    size_t length = strlen(start);
    while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t')) start[--length] = 0;
    json_t *secret = json_string(start);
    secret_wipe(text, size);
    free(text);
    if (!secret || length == 0) return complain(EXIT_USAGE, "%s holds no base32 secret", invocation->secret_path);
    json_object_set_new(invocation->request, "secret", secret);
    return EXIT_DONE;
}

static void print_added(const struct invocation *invocation, json_t *answer)
{
    printf("Enrolled token %" JSON_INTEGER_FORMAT " for ", number_of(answer, "ordinal"));
    print_escaped(text_of(invocation->request, "user"));
    printf(" of ");
    print_escaped(text_of(invocation->request, "company"));
    putchar('\n');
    const char *uri = text_of(answer, "uri");
    if (*text_of(answer, "secret")) {
        puts("The seed in base32 and the suite, shown this once:");
        printf("  %s\n  %s\n", text_of(answer, "secret"), text_of(answer, "suite"));
    }
    if (!*uri) return;
    puts("For the user's app, shown this once:");
    printf("  %s\n", uri);
    if (invocation->qr) qr_show(uri);
}

int run_token_add(struct invocation *invocation)
{
    int status = needs_account(invocation);
    if (status) return status;
    if (invocation->secret_path && (status = secret_add(invocation))) return status;
    /* An otpauth URI has no word for it, and apps count from 1970. */
    if (number_of(invocation->request, "t0") != 0)
        complain(EXIT_DONE,
                 "warning: authenticator apps know no T0 but 0; this token is for hardware that was made with "
                 "--t0 %" JSON_INTEGER_FORMAT,
                 number_of(invocation->request, "t0"));
    bool ocra = given(invocation, "suite");
    if (ocra && (invocation->qr || invocation->qr_path))
        return complain(EXIT_USAGE, "there is no QR code that apps take OCRA tokens by");
    if (!invocation->qr_path) return ask_and_print(invocation, print_added);
    if (invocation->secret_path)
        return complain(EXIT_USAGE, "--qr-file is for a fresh seed; this one was given with --secret-file");
    return ask_and_draw(invocation, print_added, "uri");
}

static void print_tokens(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    json_t *tokens = json_object_get(answer, "tokens");
    size_t i;
    json_t *token;
    printf("%-10s %-20s %-20s %-9s %-5s %-7s %-6s %s\n", "TOKEN", "COMPANY", "USER", "STATE", "TYPE", "HASH", "DIGITS",
           "LABEL");
    json_array_foreach(tokens, i, token)
    {
        printf("%-10" JSON_INTEGER_FORMAT " ", number_of(token, "ordinal"));
        const char *columns[] = {"company", "user"};
        for (int c = 0; c < 2; c++) {
            print_column(text_of(token, columns[c]), 20);
        }
        printf("%-9s %-5s %-7s %-6" JSON_INTEGER_FORMAT " ", text_of(token, "state"), text_of(token, "type"),
               text_of(token, "algorithm"), number_of(token, "digits"));
        print_escaped(text_of(token, "label"));
        putchar('\n');
    }
    const char *next = text_of(answer, "next");
    if (*next) printf("More: --after %s\n", next);
}

int run_token_list(struct invocation *invocation)
{
    return ask_and_print(invocation, print_tokens);
}

static void print_token(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    size_t i;
    json_t *token;
    json_array_foreach(json_object_get(answer, "tokens"), i, token)
    {
        const char *key;
        json_t *value;
        if (i) putchar('\n');
        json_object_foreach(token, key, value)
        {
            printf("%-14s ", key);
            if (json_is_string(value))
                print_escaped(json_string_value(value));
            else
                json_dumpf(value, stdout, JSON_ENCODE_ANY);
            putchar('\n');
        }
    }
    json_t *account = json_object_get(answer, "account");
    printf("\nfailed tries   %" JSON_INTEGER_FORMAT ", from known sources %" JSON_INTEGER_FORMAT "\n",
           number_of(account, "failures"), number_of(account, "failures_known_source"));
}

int run_token_show(struct invocation *invocation)
{
    int status = needs_token(invocation);
    return status ? status : ask_and_print(invocation, print_token);
}

static void print_done(const struct invocation *invocation, json_t *answer)
{
    (void)answer;
    printf("Done: %s\n", invocation->command->words);
}

int run_change(struct invocation *invocation)
{
    int status = needs_token(invocation);
    return status ? status : ask_and_print(invocation, print_done);
}

int run_token_set(struct invocation *invocation)
{
    int status = needs_token(invocation);
    if (!status && !given(invocation, "label")) status = complain(EXIT_USAGE, "token set needs --label");
    return status ? status : ask_and_print(invocation, print_done);
}

static int codes_read(struct invocation *invocation, const char *ret_codes[2], char **ret_text)
{
    *ret_text = NULL;
    ret_codes[0] = invocation->arguments[0];
    ret_codes[1] = invocation->argument_count > 1 ? invocation->arguments[1] : NULL;
    if (strcmp(ret_codes[0], "-") == 0 && !ret_codes[1]) {
        size_t size;
        if (!(*ret_text = read_whole("-", 256, &size))) return EXIT_USAGE;
        char *rest;
        ret_codes[0] = strtok_r(*ret_text, " \t\r\n", &rest);
        ret_codes[1] = strtok_r(NULL, " \t\r\n", &rest);
    }
    return ret_codes[0] && ret_codes[1] ? EXIT_DONE
                                        : complain(EXIT_USAGE, "token resync needs two codes, one after the other");
}

static void print_verdict(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    puts(text_of(answer, "verdict"));
}

int run_token_resync(struct invocation *invocation)
{
    const char *codes[2];
    char *text;
    int status = needs_token(invocation);
    if (!status) status = codes_read(invocation, codes, &text);
    if (status) return status;
    json_object_set_new(invocation->request, "code", json_string(codes[0]));
    json_object_set_new(invocation->request, "code_next", json_string(codes[1]));
    free(text);
    json_t *answer = admin_ask(invocation, invocation->request, &status);
    if (!answer) return status;
    if (invocation->json)
        print_json(answer);
    else
        print_verdict(invocation, answer);
    status = strcmp(text_of(answer, "verdict"), "ACCEPTED") == 0 ? EXIT_DONE : EXIT_REFUSED;
    json_decref(answer);
    return status;
}

/* The period, and the window of what such tokens go by: time, a counter, both, or (OCRA) neither. */
static void print_windows(json_t *profile)
{
    const char *type = text_of(profile, "type");
    bool counts = strcmp(type, "hotp") == 0 || strstr(text_of(profile, "suite"), ":C-");
    json_int_t period = number_of(profile, "period");
    if (period)
        printf("%-7" JSON_INTEGER_FORMAT " ", period);
    else
        printf("%-7s ", "-");
    if (period)
        printf("-%" JSON_INTEGER_FORMAT "+%" JSON_INTEGER_FORMAT "%s", number_of(profile, "window_behind"),
               number_of(profile, "window_ahead"), counts ? " of time, " : "");
    if (counts)
        printf("-%" JSON_INTEGER_FORMAT "+%" JSON_INTEGER_FORMAT, number_of(profile, "look_behind"),
               number_of(profile, "look_ahead"));
    if (!period && !counts) putchar('-');
}

static void print_profiles(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    size_t i;
    json_t *profile;
    printf("%-4s %-24s %-5s %-7s %-6s %-7s %s\n", "ID", "NAME", "TYPE", "HASH", "DIGITS", "PERIOD",
           "WINDOWS AND THROTTLE");
    json_array_foreach(json_object_get(answer, "profiles"), i, profile)
    {
        printf("%-4" JSON_INTEGER_FORMAT " ", number_of(profile, "id"));
        print_column(text_of(profile, "name"), 24);
        printf("%-5s %-7s %-6" JSON_INTEGER_FORMAT " ", text_of(profile, "type"), text_of(profile, "algorithm"),
               number_of(profile, "digits"));
        print_windows(profile);
        printf(", resync %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " free tries, then %" JSON_INTEGER_FORMAT
               " s doubling to %" JSON_INTEGER_FORMAT " s%s\n",
               number_of(profile, "resync_window"), number_of(profile, "throttle_free"),
               number_of(profile, "throttle_base_s"), number_of(profile, "throttle_max_s"),
               json_is_true(json_object_get(profile, "mutual")) ? ", mutual" : "");
    }
}

int run_profile_list(struct invocation *invocation)
{
    return ask_and_print(invocation, print_profiles);
}

static void print_profile_changed(const struct invocation *invocation, json_t *answer)
{
    printf("Done: %s, profile %" JSON_INTEGER_FORMAT "\n", invocation->command->words, number_of(answer, "id"));
}

int run_profile_change(struct invocation *invocation)
{
    const char *needed = strcmp(invocation->command->act, "profile.add") == 0 ? "name" : "id";
    if (!given(invocation, needed))
        return complain(EXIT_USAGE, "%s needs --%s", invocation->command->words,
                        strcmp(needed, "id") ? "name" : "profile");
    /* The request has the act and the number in any case. */
    if (strcmp(needed, "id") == 0 && json_object_size(invocation->request) <= 2)
        return complain(EXIT_USAGE, "profile set: nothing to change; see otpring profile set --help");
    return ask_and_print(invocation, print_profile_changed);
}
