/* enrol and device commands: requests out, what came of them back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
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

static int needs(const struct invocation *invocation, const char *field, const char *option)
{
    if (json_object_get(invocation->request, field)) return EXIT_DONE;
    return complain(EXIT_USAGE, "%s needs %s", invocation->command->words, option);
}

static int needs_user(const struct invocation *invocation)
{
    int status = needs(invocation, "company", "--company and --user");
    return status ? status : needs(invocation, "user", "--company and --user");
}

static void time_print(json_t *object, const char *key, const char *label)
{
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)number_of(object, key);
    if (seconds == 0 || !gmtime_r(&seconds, &parts)) return;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    printf("%-16s %s\n", label, text);
}

/* A column; "-" where there is no such time. */
static void print_minute(json_int_t seconds_since_1970)
{
    char text[32] = "-";
    struct tm parts;
    time_t seconds = (time_t)seconds_since_1970;
    if (seconds != 0 && gmtime_r(&seconds, &parts)) strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
    print_column(text, 16);
}

static void print_invited(const struct invocation *invocation, json_t *answer)
{
    printf("Invited ");
    print_escaped(text_of(invocation->request, "user"));
    printf(" of ");
    print_escaped(text_of(invocation->request, "company"));
    printf(": enrolment %" JSON_INTEGER_FORMAT ", for %" JSON_INTEGER_FORMAT " hours\n", number_of(answer, "enrolment"),
           number_of(answer, "expires_s") / 3600);
    if (*text_of(answer, "activation")) printf("Activation code, shown this once: %s\n", text_of(answer, "activation"));
    if (*text_of(answer, "link")) {
        printf("The same as a link: ");
        print_escaped(text_of(answer, "link"));
        putchar('\n');
        if (invocation->qr) qr_show(text_of(answer, "link"));
    }
    if (json_is_true(json_object_get(answer, "needs_code")))
        puts("The user will be asked for one code of the token that is there now.");
}

int run_enrol_invite(struct invocation *invocation)
{
    int status = needs_user(invocation);
    const char *deliver = text_of(invocation->request, "deliver");
    if (status) return status;
    if ((invocation->qr || invocation->qr_path) && strcmp(deliver, "desk") != 0)
        return complain(EXIT_USAGE,
                        "a QR code is for --deliver desk: it holds the activation code, which otherwise goes "
                        "to the user's phone alone");
    return invocation->qr_path ? ask_and_draw(invocation, print_invited, "link")
                               : ask_and_print(invocation, print_invited);
}

static void print_status(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    printf("%-16s %s\n", "state", text_of(answer, "state"));
    printf("%-16s %" JSON_INTEGER_FORMAT "\n", "enrolment", number_of(answer, "enrolment"));
    printf("%-16s %s\n", "overlap", text_of(answer, "overlap"));
    if (number_of(answer, "device")) printf("%-16s %" JSON_INTEGER_FORMAT "\n", "device", number_of(answer, "device"));
    time_print(answer, "invited", "invited");
    time_print(answer, "expires", "expires");
    time_print(answer, "active", "active since");
    time_print(answer, "rollback_until", "way back until");
}

int run_enrol_status(struct invocation *invocation)
{
    int status = needs_user(invocation);
    return status ? status : ask_and_print(invocation, print_status);
}

static void print_enrolments(const struct invocation *invocation, json_t *answer)
{
    size_t i;
    json_t *enrolment;
    puts("state       invited          ends or goes on  user");
    json_array_foreach(json_object_get(answer, "enrolments"), i, enrolment)
    {
        const char *due = json_object_get(enrolment, "expires") ? "expires" : "due";
        print_column(text_of(enrolment, "state"), 11);
        print_minute(number_of(enrolment, "invited"));
        print_minute(number_of(enrolment, due));
        print_escaped(text_of(enrolment, "user"));
        putchar('\n');
    }
    if (*text_of(answer, "next"))
        printf("More: otpring %s --after %s\n", invocation->command->words, text_of(answer, "next"));
}

int run_enrol_list(struct invocation *invocation)
{
    int status = needs(invocation, "company", "--company");
    return status ? status : ask_and_print(invocation, print_enrolments);
}

static void print_state(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    printf("The enrolment is %s\n", text_of(answer, "state"));
}

int run_enrol_change(struct invocation *invocation)
{
    int status = needs_user(invocation);
    return status ? status : ask_and_print(invocation, print_state);
}

static void print_devices(const struct invocation *invocation, json_t *answer)
{
    (void)invocation;
    size_t i;
    json_t *device;
    printf("%-8s %-8s %-9s %-24s %s\n", "DEVICE", "STATE", "KEY", "PLATFORM", "NAME");
    json_array_foreach(json_object_get(answer, "devices"), i, device)
    {
        printf("%-8" JSON_INTEGER_FORMAT " %-8s %-9s ", number_of(device, "device"), text_of(device, "state"),
               text_of(device, "algorithm"));
        print_column(text_of(device, "platform"), 24);
        print_escaped(text_of(device, "name"));
        putchar('\n');
    }
    if (json_is_integer(json_object_get(answer, "next")))
        printf("More: --after %" JSON_INTEGER_FORMAT "\n", number_of(answer, "next"));
}

int run_device_list(struct invocation *invocation)
{
    int status = needs(invocation, "company", "--company");
    /* A page goes on after a device, which is a number here. */
    json_t *after = json_object_get(invocation->request, "after");
    if (!status && after) {
        char *end;
        long long number = strtoll(json_string_value(after), &end, 10);
        if (*end || number < 1) return complain(EXIT_USAGE, "--after takes the number of a device here");
        json_object_set_new(invocation->request, "after", json_integer(number));
    }
    return status ? status : ask_and_print(invocation, print_devices);
}

int run_device_unbind(struct invocation *invocation)
{
    int status = needs(invocation, "device", "--device");
    return status ? status : ask_and_print(invocation, print_state);
}
