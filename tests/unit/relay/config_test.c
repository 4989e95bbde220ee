/* otpring-relay's configuration: what is refused, by line and reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "otpring-relay/config.h"

#define RELAY "[relay]\nsocket = /s/admin.sock\nbank = B\nsupport = S\n"
#define HOOK "[webhook sms]\nchannels = sms\nbody = b\nsecret-file = s\n"
#define BROKER "[mqtt m]\nchannels = push\nbody = b\nhost = localhost\ntopic = a/{account}\n"

static struct config config;

static void refused(const char *text, const char *wanted)
{
    char error[CONFIG_ERROR_SIZE] = "";
    assert_true(result_failed(config_parse(text, strlen(text), &config, error)));
    if (!strstr(error, wanted)) fail_msg("\"%s\" does not hold \"%s\"", error, wanted);
}

static void taken(const char *text)
{
    char error[CONFIG_ERROR_SIZE] = "";
    if (result_failed(config_parse(text, strlen(text), &config, error))) fail_msg("%s", error);
}

static void a_whole_file_is_taken_with_its_defaults(void **unused)
{
    (void)unused;
    taken("; comment\n" RELAY HOOK
          "url = https://h.example/x\nheader-X-A = 1\nheader-file-authorization = /f\n" BROKER);
    assert_int_equal(config.way_count, 2);
    assert_int_equal(config.poll_ms, 500);
    assert_string_equal(config.language, "es");
    assert_int_equal(config.ways[0].timeout_s, 20);
    assert_int_equal(config.ways[0].header_count, 2);
    assert_true(config.ways[0].headers[1].from_file);
    assert_int_equal(config.ways[1].port, 1883);
    assert_string_equal(config_way(&config, "sms")->name, "sms");
    assert_string_equal(config_way(&config, "push")->name, "m");
    assert_null(config_way(&config, "post"));
    taken(RELAY BROKER "ca-file = c\n");
    assert_int_equal(config.ways[0].port, 8883);
    assert_null(config_way(&config, "sms"));
}

static void what_is_missing_is_named(void **unused)
{
    (void)unused;
    refused("", "lacks socket=");
    refused("[relay]\nsocket = s\nsupport = x\n", "lacks bank=");
    refused("[relay]\nsocket = s\nbank = x\n", "lacks support=");
    refused(RELAY, "no way out");
    refused(RELAY HOOK, "lacks url=");
    refused(RELAY "[webhook a]\nurl = https://h/\nbody = b\nsecret-file = s\n", "lacks channels=");
    refused(RELAY "[webhook a]\nchannels = sms\nurl = https://h/\nbody = b\n", "lacks secret-file=");
    refused(RELAY "[mqtt a]\nchannels = push\nbody = b\ntopic = t\n", "lacks host=");
    refused(RELAY "[mqtt a]\nchannels = push\nbody = b\nhost = localhost\n", "lacks topic=");
    refused(RELAY BROKER "username = u\n", "go together");
    refused(RELAY BROKER "cert-file = c\n", "go together");
    refused("[relay]\noperator = o\nsocket = s\nbank = b\nsupport = s\n", "go together");
}

static void nothing_goes_without_tls_to_another_machine(void **unused)
{
    (void)unused;
    taken(RELAY HOOK "url = http://127.0.0.1:80/x\n");
    taken(RELAY HOOK "url = http://[::1]:80/x\n");
    taken(RELAY HOOK "url = http://localhost/x\n");
    refused(RELAY HOOK "url = http://h.example/x\n", "without TLS");
    refused(RELAY HOOK "url = http://127.0.0.1.example/x\n", "without TLS");
    refused(RELAY HOOK "url = http://localhost.example/x\n", "without TLS");
    refused(RELAY HOOK "url = http://127.0.0.1@h.example/x\n", "without TLS");
    refused(RELAY HOOK "url = ftp://h.example/x\n", "must begin with https://");
    refused(RELAY HOOK "url = https://{to}/x\n", "path alone");
    refused(RELAY "[mqtt m]\nchannels = push\nbody = b\nhost = h.example\ntopic = t\n", "lacks ca-file=");
}

static void what_is_unknown_twice_or_out_of_range_is_refused_by_line(void **unused)
{
    (void)unused;
    char text[1024];
    refused(RELAY "colour = red\n", "line 5: unknown key \"colour\"");
    refused("[else]\na = b\n", "line 2: unknown section [else]");
    refused("a = b\n", "unknown section");
    refused(RELAY "bank = C\n", "line 5: bank stands there twice");
    refused(RELAY HOOK RELAY, "[relay] stands there twice");
    refused(RELAY HOOK "url = https://h/\n" BROKER "[webhook sms]\nurl = x\n", "the name sms stands there twice");
    refused(RELAY HOOK "url = https://h/\n[webhook b]\nchannels = push, sms\n", "sms goes by sms already");
    refused(RELAY "[webhook a]\nchannels = post\n", "\"post\" is not sms or push");
    refused(RELAY "poll = 5\n", "poll: \"5\" is not a whole number from 10 to 60000");
    refused(RELAY "poll = 1x\n", "poll");
    refused(RELAY HOOK "url = https://h/\nretry = 10\nretry-max = 5\n", "retry-max is less");
    refused(RELAY HOOK "header-host = x\n", "sets itself");
    refused(RELAY HOOK "header-a b = x\n", "not a header's name");
    refused(RELAY HOOK "header-A = 1\nheader-a = 2\n", "twice");
    refused(RELAY "[webhook a b]\nurl = x\n", "needs a name");
    refused(RELAY BROKER "topic = x\n", "twice");
    refused(RELAY "[mqtt m]\nchannels = push\nbody = b\nhost = localhost\ntopic = a/+\n", "no + and #");
    refused(RELAY "bank\n", "neither [section] nor key = value");
    refused("[relay]\nbank =\n", "has no value");
    snprintf(text, sizeof text, "[relay]\nbank = %0250d\n", 1);
    refused(text, "line 2: longer than");
    char error[CONFIG_ERROR_SIZE];
    assert_true(result_failed(config_parse("[relay]\nb\0k = x\n", 16, &config, error)));
    assert_non_null(strstr(error, "a zero byte"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_taken_with_its_defaults),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(nothing_goes_without_tls_to_another_machine),
        cmocka_unit_test(what_is_unknown_twice_or_out_of_range_is_refused_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
