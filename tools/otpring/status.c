/* status: how the engine is, for people; --json prints the whole answer. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "local.h"

static void value_print(json_t *value)
{
    if (json_is_string(value))
        print_escaped(json_string_value(value));
    else if (json_is_real(value))
        printf("%.1f", json_real_value(value));
    else
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void status_print(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    const char *key;
    json_t *value;
    json_object_foreach(answer, key, value)
    {
        if (strcmp(key, "ok") == 0) continue;
        if (!json_is_object(value)) {
            printf("%-22s ", key);
            value_print(value);
            putchar('\n');
            continue;
        }
        const char *inner;
        json_t *part;
        json_object_foreach(value, inner, part)
        {
            char name[64];
            snprintf(name, sizeof name, "%s.%s", key, inner);
            printf("%-22s ", name);
            value_print(part);
            putchar('\n');
        }
    }
}

static void pruned_print(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    printf("The log begins at position %lld\n",
           (long long)json_integer_value(json_object_get(answer, "first_position")));
}

int run_log_prune(struct invocation *invocation)
{
    return ask_and_print(invocation, pruned_print);
}

static void consented_print(const struct invocation *invocation, json_t *answer)
{
    char text[32];
    struct tm utc;
    time_t now = time(NULL);
    (void)invocation;
    (void)answer;
    if (!gmtime_r(&now, &utc) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)) *text = 0;
    printf("The wall clock is trusted as it is: %s\n", text);
}

int run_clock_consent(struct invocation *invocation)
{
    if (!local_daemon_runs(invocation->store))
        return complain(EXIT_UNAVAILABLE, "no daemon serves %s: the clock is judged anew at each start",
                        invocation->store);
    return ask_and_print(invocation, consented_print);
}

int run_status(struct invocation *invocation)
{
    if (invocation->daemon_only && !local_daemon_runs(invocation->store))
        return complain(EXIT_UNAVAILABLE, "no daemon serves %s", invocation->store);
    return ask_and_print(invocation, status_print);
}
