/* company, user, token stock, operator and request commands: requests out, tables back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bulk.h"
#include "command.h"

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_int_t number_of(json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool given(const struct invocation *invocation, const char *field)
{
    return json_object_get(invocation->request, field) != NULL;
}

static int needs(const struct invocation *invocation, const char *field, const char *option)
{
    if (given(invocation, field)) return EXIT_DONE;
    return complain(EXIT_USAGE, "%s needs --%s", invocation->command->words, option);
}

static void print_time(json_t *object, const char *key)
{
    char text[32] = "-";
    json_t *value = json_object_get(object, key);
    time_t seconds = (time_t)(json_integer_value(value) / 1000);
    struct tm utc;
    if (json_is_integer(value) && gmtime_r(&seconds, &utc)) strftime(text, sizeof text, "%Y-%m-%d", &utc);
    print_column(text, 10);
}

static void print_next(const struct invocation *invocation, json_t *answer)
{
    const char *next = text_of(answer, "next");
    if (*next) printf("More: otpring %s --after %s\n", invocation->command->words, next);
}

/* ---- what a change came to ---- */

/* A request for a second person instead of the act. */
static bool print_waits(json_t *answer)
{
    if (!json_is_true(json_object_get(answer, "waits"))) return false;
    printf("This takes two persons: request %" JSON_INTEGER_FORMAT " waits for another operator to confirm it\n",
           number_of(answer, "request"));
    return true;
}

static void print_done(const struct invocation *invocation, json_t *answer)
{
    if (print_waits(answer)) return;
    printf("Done: %s", invocation->command->words);
    const char *state = text_of(answer, "state");
    if (*state) printf(", now %s", state);
    json_t *changed = json_object_get(answer, "changed");
    if (changed) printf(", tokens: %" JSON_INTEGER_FORMAT, json_integer_value(changed));
    putchar('\n');
}

int run_company_change(struct invocation *invocation)
{
    int status = needs(invocation, "company", "company");
    return status ? status : ask_and_print(invocation, print_done);
}

int run_user_change(struct invocation *invocation)
{
    int status = needs(invocation, "company", "company");
    if (!status) status = needs(invocation, "user", "user");
    return status ? status : ask_and_print(invocation, print_done);
}

int run_user_add(struct invocation *invocation)
{
    static const struct bulk_kind kind = {"user.add-batch", "added", "Added", "user,name,phone,language", 1, 4};
    int status = needs(invocation, "company", "company");
    if (status || !invocation->batch_path) return status ? status : run_user_change(invocation);
    return bulk_run(invocation, &kind);
}

/* yes or no, which the request wants as true or false. */
int run_user_set(struct invocation *invocation)
{
    json_t *administrator = json_object_get(invocation->request, "administrator");
    if (administrator) {
        const char *text = json_string_value(administrator);
        bool yes = strcmp(text, "yes") == 0;
        if (!yes && strcmp(text, "no") != 0) return complain(EXIT_USAGE, "--administrator is yes or no");
        json_object_set_new(invocation->request, "administrator", json_boolean(yes));
    }
    return run_user_change(invocation);
}

/* ---- lists ---- */

static void print_companies(const struct invocation *invocation, json_t *answer)
{
    size_t i;
    json_t *company;
    print_column("company", 24);
    puts("state      active     trained    by");
    json_array_foreach(json_object_get(answer, "companies"), i, company)
    {
        print_column(text_of(company, "company"), 24);
        print_column(text_of(company, "state"), 10);
        print_time(company, "active_ms");
        const char *trained = text_of(company, "trained"), *by = text_of(company, "active_by");
        print_column(*trained ? trained : "-", 10);
        print_escaped(*by ? by : "-");
        putchar('\n');
    }
    print_next(invocation, answer);
}

int run_company_list(struct invocation *invocation)
{
    return ask_and_print(invocation, print_companies);
}

static void print_company(const struct invocation *invocation, json_t *answer)
{
    json_t *company = json_object_get(answer, "company"), *count;
    const char *state, *trained = text_of(company, "trained"), *by = text_of(company, "active_by");
    (void)invocation;
    print_escaped(text_of(company, "company"));
    printf(": %s", text_of(company, "state"));
    if (*trained) printf(", trained %s", trained);
    if (*by) {
        printf(", active since ");
        print_time(company, "active_ms");
        printf("by ");
        print_escaped(by);
    }
    putchar('\n');
    json_object_foreach(json_object_get(company, "tokens"), state, count)
    {
        if (json_integer_value(count)) printf("  %-10s %" JSON_INTEGER_FORMAT "\n", state, json_integer_value(count));
    }
}

int run_company_show(struct invocation *invocation)
{
    int status = needs(invocation, "company", "company");
    return status ? status : ask_and_print(invocation, print_company);
}

static void print_user_line(json_t *user)
{
    print_column(text_of(user, "user"), 20);
    print_column(text_of(user, "state"), 8);
    print_column(text_of(user, "code"), 12);
    print_column(json_is_true(json_object_get(user, "administrator")) ? "yes" : "no", 5);
    print_column(*text_of(user, "phone") ? text_of(user, "phone") : "-", 16);
    print_escaped(*text_of(user, "name") ? text_of(user, "name") : "-");
    putchar('\n');
}

static void print_users(const struct invocation *invocation, json_t *answer)
{
    size_t i;
    json_t *user;
    puts("user                 state    code         admin phone            name");
    json_array_foreach(json_object_get(answer, "users"), i, user)
    {
        print_user_line(user);
    }
    print_next(invocation, answer);
}

int run_user_list(struct invocation *invocation)
{
    int status = needs(invocation, "company", "company");
    return status ? status : ask_and_print(invocation, print_users);
}

static void print_stock_line(json_t *token)
{
    print_column(text_of(token, "serial"), 20);
    print_column(text_of(token, "state"), 9);
    printf("%5" JSON_INTEGER_FORMAT " ", number_of(token, "days"));
    print_column(*text_of(token, "company") ? text_of(token, "company") : "-", 16);
    print_escaped(*text_of(token, "user") ? text_of(token, "user") : "-");
    if (json_is_true(json_object_get(token, "remind"))) printf("  not assigned yet: remind the administrator");
    putchar('\n');
}

static void print_stock(const struct invocation *invocation, json_t *answer)
{
    size_t i;
    json_t *token;
    puts("serial               state      days company          user");
    json_array_foreach(json_object_get(answer, "tokens"), i, token)
    {
        print_stock_line(token);
    }
    print_next(invocation, answer);
}

int run_stock_list(struct invocation *invocation)
{
    return ask_and_print(invocation, print_stock);
}

static void print_user(const struct invocation *invocation, json_t *answer)
{
    json_t *user = json_object_get(answer, "user"), *tokens = json_object_get(user, "tokens"), *token;
    size_t i;
    (void)invocation;
    puts("user                 state    code         admin phone            name");
    print_user_line(user);
    if (json_array_size(tokens) == 0) return;
    puts("serial               state      days company          user");
    json_array_foreach(tokens, i, token)
    {
        print_stock_line(token);
    }
}

int run_user_show(struct invocation *invocation)
{
    int status = needs(invocation, "company", "company");
    if (!status) status = needs(invocation, "user", "user");
    return status ? status : ask_and_print(invocation, print_user);
}

/* ---- the stock ---- */

int run_stock_change(struct invocation *invocation)
{
    json_t *serials = json_array();
    for (int i = 0; i < invocation->argument_count; i++) {
        json_t *serial = json_string(invocation->arguments[i]);
        if (!serial) return complain(EXIT_USAGE, "a serial is not UTF-8");
        json_array_append_new(serials, serial);
    }
    json_object_set_new(invocation->request, "serials", serials);
    bool gives = strcmp(invocation->command->act, "stock.give") == 0;
    int status = gives ? needs(invocation, "company", "company") : EXIT_DONE;
    return status ? status : ask_and_print(invocation, print_done);
}

int run_stock_replace(struct invocation *invocation)
{
    json_object_set_new(invocation->request, "serial", json_string(invocation->arguments[0]));
    int status = needs(invocation, "by", "by");
    return status ? status : ask_and_print(invocation, print_done);
}

int run_stock_add(struct invocation *invocation)
{
    static const struct bulk_kind kind = {"stock.add-batch", "added", "Added", "serial,secret", 2, 2};
    if (invocation->batch_path) return bulk_run(invocation, &kind);
    int status = needs(invocation, "serial", "serial");
    if (!status && !invocation->secret_path)
        status = complain(EXIT_USAGE, "token stock add needs --secret-file, or --file");
    if (!status) status = secret_add(invocation);
    return status ? status : ask_and_print(invocation, print_done);
}

int run_stock_assign(struct invocation *invocation)
{
    static const struct bulk_kind kind = {"stock.assign-batch", "assigned", "Assigned", "user,serial", 2, 2};
    int status = needs(invocation, "company", "company");
    if (status) return status;
    if (invocation->batch_path) return bulk_run(invocation, &kind);
    status = needs(invocation, "user", "user");
    if (!status) status = needs(invocation, "serial", "serial");
    return status ? status : ask_and_print(invocation, print_done);
}

/* ---- operators and requests ---- */

static void print_operator_done(const struct invocation *invocation, json_t *answer)
{
    print_done(invocation, answer);
    const char *key = text_of(answer, "key");
    if (*key) printf("The operator's key, shown this once:\n  %s\n", key);
}

int run_operator_change(struct invocation *invocation)
{
    int status = needs(invocation, "name", "name");
    return status ? status : ask_and_print(invocation, print_operator_done);
}

static void print_operators(const struct invocation *invocation, json_t *answer)
{
    size_t i, j;
    json_t *operator, * grant;
    puts("name                 state    of               user id    may");
    json_array_foreach(json_object_get(answer, "operators"), i, operator)
    {
        char uid[24] = "any";
        json_t *value = json_object_get(operator, "uid");
        if (json_is_integer(value)) snprintf(uid, sizeof uid, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        print_column(text_of(operator, "name"), 20);
        print_column(text_of(operator, "state"), 8);
        print_column(*text_of(operator, "company") ? text_of(operator, "company") : "the bank", 16);
        print_column(uid, 10);
        json_t *may = json_object_get(operator, "may");
        json_array_foreach(may, j, grant)
        {
            printf("%s%s", j ? "," : "", json_string_value(grant));
        }
        puts(json_array_size(may) ? "" : "-");
    }
    print_next(invocation, answer);
}

int run_operator_list(struct invocation *invocation)
{
    return ask_and_print(invocation, print_operators);
}

static void print_requests(const struct invocation *invocation, json_t *answer)
{
    size_t i;
    json_t *request;
    puts("request act          state     company          user             asked by     reason");
    json_array_foreach(json_object_get(answer, "requests"), i, request)
    {
        printf("%-7" JSON_INTEGER_FORMAT " ", number_of(request, "request"));
        print_column(text_of(request, "act"), 12);
        print_column(text_of(request, "state"), 9);
        print_column(text_of(request, "company"), 16);
        print_column(text_of(request, "user"), 16);
        print_column(text_of(request, "asked_by"), 12);
        print_escaped(*text_of(request, "reason") ? text_of(request, "reason") : "-");
        putchar('\n');
    }
    print_next(invocation, answer);
}

int run_request_list(struct invocation *invocation)
{
    return ask_and_print(invocation, print_requests);
}

int run_request_decide(struct invocation *invocation)
{
    char *end;
    long long number = strtoll(invocation->arguments[0], &end, 10);
    if (*end || number <= 0) return complain(EXIT_USAGE, "%s is not the number of a request", invocation->arguments[0]);
    json_object_set_new(invocation->request, "request", json_integer(number));
    return ask_and_print(invocation, print_done);
}
