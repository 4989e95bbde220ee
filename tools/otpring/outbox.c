/* outbox commands: what waits to be told to people, what could not be, and how it goes on. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"

enum { TAIL_DEFAULT = 20, TAIL_MAX = 1000, BATCH_MAX = 256, PAGE = 1000 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void print_time(json_int_t ms)
{
    char text[32] = "";
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts)) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    printf("%-20s ", text);
}

static void print_head(void)
{
    printf("%-8s %-20s %-9s %-14s %-7s %-6s %-6s %s\n", "MESSAGE", "SINCE", "STATE", "KIND", "CHANNEL", "HANDED",
           "FAILED", "REASON");
}

static void print_row(const json_t *row)
{
    printf("%-8" JSON_INTEGER_FORMAT " ", number_of(row, "number"));
    print_time(number_of(row, "since_ms"));
    printf("%-9s %-14s %-7s %-6" JSON_INTEGER_FORMAT " %-6" JSON_INTEGER_FORMAT " ", text_of(row, "state"),
           text_of(row, "kind"), text_of(row, "channel"), number_of(row, "handed"), number_of(row, "failed"));
    print_escaped(text_of(row, "reason"));
    putchar('\n');
}

/* ---- list and show ---- */

static void print_list(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    size_t i;
    const json_t *row, *counts = json_object_get(answer, "counts"), *next = json_object_get(answer, "next");
    print_head();
    json_array_foreach(json_object_get(answer, "messages"), i, row)
    {
        print_row(row);
    }
    printf("%" JSON_INTEGER_FORMAT " open, %" JSON_INTEGER_FORMAT " dead, %" JSON_INTEGER_FORMAT
           " delivered and still kept\n",
           number_of(counts, "open"), number_of(counts, "dead"), number_of(counts, "delivered"));
    if (json_is_integer(next)) printf("More: --after %" JSON_INTEGER_FORMAT "\n", json_integer_value(next));
}

/* A message's number, where a cursor of other lists is a text. */
static int after_convert(struct invocation *invocation)
{
    const char *after = json_string_value(json_object_get(invocation->request, "after"));
    char *end;
    if (!after) return EXIT_DONE;
    errno = 0;
    long long number = strtoll(after, &end, 10);
    if (errno || end == after || *end || number < 0) return complain(EXIT_USAGE, "--after takes a message's number");
    json_object_set_new(invocation->request, "after", json_integer(number));
    return EXIT_DONE;
}

int run_outbox_list(struct invocation *invocation)
{
    int status = after_convert(invocation);
    return status ? status : ask_and_print(invocation, print_list);
}

static bool number_parse(const char *text, json_int_t *ret_number)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *ret_number = number;
    return !errno && end != text && !*end && number > 0;
}

static void print_message(const struct invocation *invocation, json_t *answer)
{
    const char *key;
    json_t *value;
    (void)invocation;
    json_object_foreach(json_object_get(answer, "message"), key, value)
    {
        printf("%-12s ", key);
        if (json_is_string(value))
            print_escaped(json_string_value(value));
        else
            json_dumpf(value, stdout, JSON_ENCODE_ANY);
        putchar('\n');
    }
}

int run_outbox_show(struct invocation *invocation)
{
    json_int_t number;
    if (!number_parse(invocation->arguments[0], &number))
        return complain(EXIT_USAGE, "%s is not a message's number", invocation->arguments[0]);
    json_object_set_new(invocation->request, "number", json_integer(number));
    return ask_and_print(invocation, print_message);
}

/* ---- put ---- */

static void print_put(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    printf("Message %" JSON_INTEGER_FORMAT " waits to be delivered\n", number_of(answer, "number"));
}

int run_outbox_put(struct invocation *invocation)
{
    static const char *const needed[] = {"company", "user", "kind", "channel"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!json_object_get(invocation->request, needed[i]))
            return complain(EXIT_USAGE, "outbox put needs --%s", needed[i]);
    if (!json_object_get(invocation->request, "fields"))
        json_object_set_new(invocation->request, "fields", json_object());
    return ask_and_print(invocation, print_put);
}

static void print_reminded(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    printf("%" JSON_INTEGER_FORMAT " tokens assigned to nobody; %" JSON_INTEGER_FORMAT " administrators to be told\n",
           number_of(answer, "tokens"), number_of(answer, "queued"));
}

struct reminding {
    struct invocation *invocation;
    json_int_t companies, tokens, queued;
};

/* The companies of one page. Whatever hinders one of them hinders the others as well. */
static int page_remind(struct reminding *reminding, json_t *page)
{
    json_t *company;
    size_t i;
    int status = EXIT_DONE;
    json_array_foreach(json_object_get(page, "companies"), i, company)
    {
        json_t *request = reminding->invocation->request;
        json_object_set(request, "company", json_object_get(company, "company"));
        json_t *answer = admin_ask(reminding->invocation, request, &status);
        if (!answer) return status;
        reminding->companies++;
        reminding->tokens += number_of(answer, "tokens");
        reminding->queued += number_of(answer, "queued");
        json_decref(answer);
    }
    return EXIT_DONE;
}

static int all_remind(struct invocation *invocation)
{
    struct reminding reminding = {.invocation = invocation};
    json_t *list = json_pack("{s:s,s:i}", "act", "company.list", "limit", 1000);
    int status = EXIT_DONE;
    bool more = true;
    while (more && status == EXIT_DONE) {
        json_t *page = admin_ask(invocation, list, &status);
        if (!page) break;
        status = page_remind(&reminding, page);
        more = json_is_string(json_object_get(page, "next"));
        if (more) json_object_set(list, "after", json_object_get(page, "next"));
        json_decref(page);
    }
    json_decref(list);
    if (status != EXIT_DONE) return status;
    json_t *sum = json_pack("{s:I,s:I,s:I}", "companies", reminding.companies, "tokens", reminding.tokens, "queued",
                            reminding.queued);
    if (invocation->json)
        print_json(sum);
    else
        print_reminded(invocation, sum);
    json_decref(sum);
    return EXIT_DONE;
}

int run_outbox_remind(struct invocation *invocation)
{
    if (!json_object_get(invocation->request, "company")) return all_remind(invocation);
    return ask_and_print(invocation, print_reminded);
}

/* ---- ack and retry ---- */

static void print_changed(const struct invocation *invocation, json_t *answer)
{
    bool ack = strcmp(invocation->command->words, "outbox ack") == 0;
    json_int_t changed = number_of(answer, "changed");
    printf("%" JSON_INTEGER_FORMAT " %s %s\n", changed, changed == 1 ? "message" : "messages",
           ack ? "settled" : "to be tried again");
}

static int numbers_take(struct invocation *invocation)
{
    json_t *numbers = json_array();
    json_int_t number;
    for (int i = 0; i < invocation->argument_count; i++) {
        if (!number_parse(invocation->arguments[i], &number)) {
            json_decref(numbers);
            return complain(EXIT_USAGE, "%s is not a message's number", invocation->arguments[i]);
        }
        json_array_append_new(numbers, json_integer(number));
    }
    if (json_array_size(numbers) == 1) {
        /* One that there is not is told; of several, ack passes over it. */
        json_object_set(invocation->request, "number", json_array_get(numbers, 0));
        json_decref(numbers);
    } else {
        json_object_set_new(invocation->request, "numbers", numbers);
    }
    return EXIT_DONE;
}

int run_outbox_settle(struct invocation *invocation)
{
    int status = numbers_take(invocation);
    return status ? status : ask_and_print(invocation, print_changed);
}

/* A page of the dead ones that may live again; those that expired stay dead. */
static json_t *dead_page(struct invocation *invocation, json_int_t *after, int *ret_exit)
{
    json_t *request =
        json_pack("{s:s,s:s,s:i,s:I}", "act", "outbox.list", "state", "dead", "limit", BATCH_MAX, "after", *after);
    json_t *answer = admin_ask(invocation, request, ret_exit), *row, *numbers = json_array();
    size_t i;
    json_decref(request);
    json_int_t now = (json_int_t)time(NULL) * 1000;
    json_array_foreach(json_object_get(answer, "messages"), i, row)
    {
        json_int_t expires = number_of(row, "expires_ms");
        if (!expires || expires > now) json_array_append(numbers, json_object_get(row, "number"));
    }
    const json_t *next = json_object_get(answer, "next");
    *after = json_is_integer(next) ? json_integer_value(next) : -1;
    json_decref(answer);
    return numbers;
}

static int retry_dead(struct invocation *invocation)
{
    json_int_t after = 0, changed = 0;
    int status = EXIT_DONE;
    while (after >= 0 && status == EXIT_DONE) {
        json_t *numbers = dead_page(invocation, &after, &status);
        if (status == EXIT_DONE && json_array_size(numbers) > 0) {
            json_t *request = json_pack("{s:s,s:O}", "act", "outbox.retry", "numbers", numbers);
            json_t *answer = admin_ask(invocation, request, &status);
            changed += number_of(answer, "changed");
            json_decref(answer);
            json_decref(request);
        }
        json_decref(numbers);
    }
    if (status != EXIT_DONE) return status;
    json_t *told = json_pack("{s:b,s:I}", "ok", true, "changed", changed);
    if (invocation->json)
        print_json(told);
    else
        print_changed(invocation, told);
    json_decref(told);
    return EXIT_DONE;
}

int run_outbox_retry(struct invocation *invocation)
{
    if (invocation->all == (invocation->argument_count > 0))
        return complain(EXIT_USAGE, "outbox retry takes messages' numbers, or --all for those that are dead");
    return invocation->all ? retry_dead(invocation) : run_outbox_settle(invocation);
}

/* ---- tail ---- */

/* What was shown of a message last. */
struct shown {
    json_int_t number;
    json_int_t since_ms;
};

static void shown_print(const struct invocation *invocation, const json_t *row)
{
    if (!invocation->json) {
        print_row(row);
    } else {
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
    }
}

static bool shown_new(struct shown *shown, size_t *count, const json_t *row)
{
    struct shown now = {.number = number_of(row, "number"), .since_ms = number_of(row, "since_ms")};
    for (size_t i = 0; i < *count; i++) {
        if (shown[i].number != now.number) continue;
        bool changed = shown[i].since_ms != now.since_ms;
        shown[i] = now;
        return changed;
    }
    /* The oldest makes place. */
    if (*count == TAIL_MAX) memmove(shown, shown + 1, --*count * sizeof *shown);
    shown[(*count)++] = now;
    return true;
}

static json_t *tail_page(struct invocation *invocation, json_int_t after, int *ret_exit)
{
    json_t *request = json_pack("{s:s,s:i,s:I}", "act", "outbox.list", "limit", PAGE, "after", after < 0 ? 0 : after);
    json_t *answer = admin_ask(invocation, request, ret_exit);
    json_decref(request);
    return answer;
}

static json_int_t last_number(struct invocation *invocation, int *ret_exit)
{
    json_t *answer = tail_page(invocation, INT64_MAX - 1, ret_exit);
    json_int_t last = number_of(json_object_get(answer, "counts"), "last");
    json_decref(answer);
    return last;
}

/* The messages behind `from`; each when it is new here, or has come into another state. */
static int tail_once(struct invocation *invocation, json_int_t from, struct shown *shown, size_t *count)
{
    int status = EXIT_DONE;
    size_t i;
    json_t *row, *answer = tail_page(invocation, from, &status);
    json_array_foreach(json_object_get(answer, "messages"), i, row)
    {
        if (shown_new(shown, count, row)) shown_print(invocation, row);
    }
    json_decref(answer);
    fflush(stdout);
    return status;
}

int run_outbox_tail(struct invocation *invocation)
{
    static struct shown shown[TAIL_MAX];
    size_t count = 0;
    int status = EXIT_DONE;
    json_int_t wanted = number_of(invocation->request, "limit");
    if (wanted > TAIL_MAX) return complain(EXIT_USAGE, "outbox tail shows at most %d", TAIL_MAX);
    json_int_t from = last_number(invocation, &status) - (wanted > 0 ? wanted : TAIL_DEFAULT);
    if (status == EXIT_DONE && !invocation->json) print_head();
    while (status == EXIT_DONE) {
        status = tail_once(invocation, from, shown, &count);
        if (!invocation->follow || ferror(stdout)) break;
        /* What was shown long ago is no longer looked at. */
        if (count == TAIL_MAX) from = shown[1].number - 1;
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    }
    return status;
}
