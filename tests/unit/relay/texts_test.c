/* Texts and bodies of messages: placeholders, languages, files that are refused, signatures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "otpring-relay/body.h"
#include "otpring-relay/files.h"
#include "otpring-relay/place.h"
#include "otpring-relay/sign.h"

#define INSTALLED TESTS_FOLDER "/../tools/otpring-relay"

static char folder[] = "/tmp/otpring-texts-XXXXXX";

static int setup(void **unused)
{
    (void)unused;
    setenv("TZ", "UTC", 1);
    tzset();
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **unused)
{
    char command[64];
    (void)unused;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static const char *write_file(const char *name, const char *text, mode_t mode)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    remove(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
    return path;
}

/* ---- placeholders ---- */

static const char *one_value(void *context, const char *name)
{
    return strcmp(name, "name") == 0 ? context : NULL;
}

static void a_placeholder_is_filled_once_and_braces_stand_for_themselves(void **unused)
{
    (void)unused;
    char text[64], error[PLACE_ERROR_SIZE], value[] = "{name}}{";
    assert_true(place_fill("{{a}} {name}-{name}", one_value, value, text, sizeof text, error));
    assert_string_equal(text, "{a} {name}}{-{name}}{");
    static const char *const wrong[] = {"{", "}", "a{name", "{name", "{NAME}", "{}", "{na me}", "}{", "{{}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(place_fill(wrong[i], one_value, value, text, sizeof text, error));
    assert_false(place_fill("{other}", one_value, value, text, sizeof text, error));
    assert_string_equal(error, "unknown placeholder {other}");
}

static void what_does_not_fit_is_refused_at_the_very_byte(void **unused)
{
    (void)unused;
    char text[8], error[PLACE_ERROR_SIZE], value[] = "abc";
    assert_true(place_fill("{name}defg", one_value, value, text, sizeof text, error));
    assert_false(place_fill("{name}defgh", one_value, value, text, sizeof text, error));
    assert_false(place_fill("defgh{name}", one_value, value, text, sizeof text, error));
}

/* ---- texts ---- */

static struct texts *installed(void)
{
    char error[TEXTS_ERROR_SIZE];
    struct texts *texts;
    struct texts_options options = {
        .folder = INSTALLED "/texts", .bank = "Banco Uno", .support = "+34 900", .language = "es"};
    if (!texts_load(&options, &texts, error)) fail_msg("%s", error);
    return texts;
}

static struct message message_of(const char *kind, const char *language, const char *fields)
{
    char text[1024];
    struct message message;
    snprintf(text, sizeof text,
             "{\"number\":7,\"handed\":2,\"failed\":1,\"id\":\"ab-7-1\",\"kind\":\"%s\",\"channel\":\"sms\","
             "\"account\":\"00ff\",\"to\":\"+34600\",\"language\":\"%s\",\"fields\":%s}",
             kind, language, fields);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_true(message_take(json, &message));
    json_decref(json);
    return message;
}

static void every_kind_is_rendered_in_spanish_and_english(void **unused)
{
    (void)unused;
    static const struct {
        const char *kind, *fields, *shown;
    } kinds[] = {
        {"invitation", "{\"link\":\"https://x/1\",\"code\":\"12-34\",\"valid_until\":\"1700000000\"}", "12-34"},
        {"activated", "{\"device\":\"Pixel\",\"when\":\"1700000000\"}", "Pixel"},
        {"unassigned", "{\"company\":\"Acme\",\"count\":\"3\",\"oldest_days\":\"20\"}", "20"},
        {"access-alert", "{\"service\":\"Web\",\"when\":\"1700000000\"}", "Web"},
        {"token-lost", "{\"serial\":\"T-1\",\"when\":\"1700000000\"}", "T-1"},
        {"token-replaced", "{\"serial\":\"T-2\",\"when\":\"1700000000\"}", "T-2"}};
    struct texts *texts = installed();
    char text[TEXTS_SIZE_MAX], error[TEXTS_ERROR_SIZE];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int english = 0; english < 2; english++) {
            struct message message = message_of(kinds[i].kind, english ? "en" : "es", kinds[i].fields);
            assert_true(texts_render(texts, &message, text, error));
            assert_non_null(strstr(text, kinds[i].shown));
            assert_non_null(strstr(text, "Banco Uno"));
            assert_non_null(strstr(text, "+34 900"));
            if (strstr(kinds[i].fields, "1700000000"))
                assert_non_null(strstr(text, english ? "14 Nov 2023 22:13" : "14/11/2023 22:13"));
        }
    }
    texts_free(texts);
}

static void a_message_without_a_field_or_of_an_unknown_kind_has_no_text(void **unused)
{
    (void)unused;
    struct texts *texts = installed();
    char text[TEXTS_SIZE_MAX], error[TEXTS_ERROR_SIZE];
    struct message message = message_of("activated", "es", "{\"device\":\"Pixel\"}");
    assert_false(texts_render(texts, &message, text, error));
    assert_null(strstr(error, "Pixel"));
    message = message_of("other", "es", "{}");
    assert_false(texts_render(texts, &message, text, error));
    texts_free(texts);
}

/* One text of a language that is whole otherwise. */
static void text_refused(const char *text, const char *wanted)
{
    char error[TEXTS_ERROR_SIZE] = "", command[512];
    struct texts *texts;
    struct texts_options options = {.folder = folder, .bank = "B", .support = "S", .language = "es"};
    snprintf(command, sizeof command, "cp -r %s/texts/es %s/", INSTALLED, folder);
    assert_int_equal(system(command), 0);
    write_file("es/activated.txt", text, 0600);
    assert_false(texts_load(&options, &texts, error));
    assert_non_null(strstr(error, "es/activated.txt"));
    if (!strstr(error, wanted)) fail_msg("\"%s\" does not hold \"%s\"", error, wanted);
}

static void a_text_that_shows_too_little_or_something_else_is_refused(void **unused)
{
    (void)unused;
    text_refused("{device}", "{when} does not stand in it");
    text_refused("{device} {when} {code}", "unknown placeholder {code}");
    text_refused("{device} {when", "a brace stands alone");
    text_refused("", "not a text");
    text_refused("{device} {when} \xff", "not a text");
    char command[128], error[TEXTS_ERROR_SIZE];
    struct texts *texts;
    struct texts_options options = {.folder = folder, .bank = "B", .support = "S", .language = "es"};
    snprintf(command, sizeof command, "rm %s/es/activated.txt", folder);
    assert_int_equal(system(command), 0);
    assert_false(texts_load(&options, &texts, error));
    options = (struct texts_options){.folder = INSTALLED "/texts", .bank = "B", .support = "S", .language = "de"};
    assert_false(texts_load(&options, &texts, error));
    assert_non_null(strstr(error, "no folder for the language"));
    options.folder = "/nowhere";
    assert_false(texts_load(&options, &texts, error));
}

/* ---- messages ---- */

static void what_is_no_message_is_not_taken(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {
        "{}",
        "[]",
        "{\"number\":0}",
        "{\"number\":7,\"handed\":1,\"failed\":0,\"id\":\"a\\r\\nb\",\"kind\":\"k\",\"channel\":\"sms\",\"account\":"
        "\"0\","
        "\"to\":\"x\",\"language\":\"es\",\"fields\":{}}",
        "{\"number\":7,\"handed\":1,\"failed\":0,\"id\":\"a\",\"kind\":\"k\",\"channel\":\"sms\",\"account\":\"0\","
        "\"to\":\"x\",\"language\":\"esp\",\"fields\":{}}",
        "{\"number\":7,\"handed\":1,\"failed\":0,\"id\":\"a\",\"kind\":\"k\",\"channel\":\"sms\",\"account\":\"0\","
        "\"to\":\"x\",\"language\":\"es\",\"fields\":{\"a\":1}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct message message;
        json_t *json = json_loads(wrong[i], 0, NULL);
        assert_non_null(json);
        assert_false(message_take(json, &message));
        json_decref(json);
    }
}

/* ---- bodies ---- */

static void a_body_is_filled_value_by_value(void **unused)
{
    (void)unused;
    char error[BODY_ERROR_SIZE];
    json_t *body;
    struct texts *texts = installed();
    struct message message = message_of("activated", "es", "{\"device\":\"a\\\"b\"}");
    const char *path =
        write_file("body.json",
                   "{\"t\":\"<{text}>\",\"n\":\"{=attempt}\",\"r\":\"{=redelivered}\",\"f\":\"{=fields}\","
                   "\"a\":[1,null,\"{id} {attempt} {redelivered}\"]}",
                   0600);
    if (!body_load(path, &body, error)) fail_msg("%s", error);
    struct body_values values = {.texts = texts, .message = &message, .text = "\",\"x\":\"{bank}"};
    size_t size;
    char *filled = body_fill(body, &values, &size);
    json_t *json = json_loadb(filled, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *wanted = json_pack("{s:s,s:i,s:b,s:{s:s},s:[i,n,s]}", "t", "<\",\"x\":\"{bank}>", "n", 2, "r", 1, "f",
                               "device", "a\"b", "a", 1, "ab-7-1 2 true");
    assert_true(json_equal(json, wanted));
    json_decref(wanted);
    json_decref(json);
    free(filled);
    json_decref(body);
    texts_free(texts);
}

static void a_body_that_is_not_json_or_asks_for_the_unknown_is_refused(void **unused)
{
    (void)unused;
    char error[BODY_ERROR_SIZE];
    json_t *body;
    assert_false(body_load(write_file("body.json", "{\"a\":\"{secret}\"}", 0600), &body, error));
    assert_non_null(strstr(error, "unknown placeholder {secret}"));
    assert_false(body_load(write_file("body.json", "{\"a\":", 0600), &body, error));
    assert_non_null(strstr(error, "line 1"));
    assert_false(body_load(write_file("body.json", "{\"a\":1,\"a\":2}", 0600), &body, error));
    assert_false(body_load("/nowhere", &body, error));
}

/* ---- secrets ---- */

static void a_secret_that_others_can_read_or_that_is_no_line_is_refused(void **unused)
{
    (void)unused;
    char secret[32], error[FILES_ERROR_SIZE];
    assert_true(file_secret(write_file("secret", "0123456789\n", 0400), secret, sizeof secret, error));
    assert_string_equal(secret, "0123456789");
    assert_false(file_secret(write_file("secret", "0123456789\n", 0444), secret, sizeof secret, error));
    assert_non_null(strstr(error, "others can read"));
    assert_false(file_secret(write_file("secret", "\n", 0400), secret, sizeof secret, error));
    assert_false(file_secret(write_file("secret", "a\nb\n", 0400), secret, sizeof secret, error));
    assert_false(file_secret(write_file("secret", "a\x1b[0mb", 0400), secret, sizeof secret, error));
    assert_false(
        file_secret(write_file("secret", "0123456789012345678901234567890123", 0400), secret, sizeof secret, error));
    assert_int_equal(secret[0], 0);
}

/* RFC 4231, test case 2, has data without a dot; so this is from `printf '%s' '1700000000.{"a":1}' | openssl dgst
 * -sha256 -hmac 'Jefe'`. */
static void a_signature_is_hmac_over_time_dot_and_body(void **unused)
{
    (void)unused;
    char header[SIGN_HEADER_SIZE], line[SIGN_HEADER_SIZE] = "", wanted[SIGN_HEADER_SIZE + 64];
    assert_true(sign_body((const uint8_t *)"Jefe", 4, 1700000000, "{\"a\":1}", 7, header));
    FILE *openssl =
        popen("printf '%s' '1700000000.{\"a\":1}' | openssl dgst -sha256 -hmac Jefe -r | cut -d' ' -f1", "r");
    assert_non_null(openssl);
    assert_non_null(fgets(line, sizeof line, openssl));
    pclose(openssl);
    line[strcspn(line, "\n")] = 0;
    snprintf(wanted, sizeof wanted, "Otpring-Signature: t=1700000000,v1=%s", line);
    assert_string_equal(header, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_placeholder_is_filled_once_and_braces_stand_for_themselves),
        cmocka_unit_test(what_does_not_fit_is_refused_at_the_very_byte),
        cmocka_unit_test(every_kind_is_rendered_in_spanish_and_english),
        cmocka_unit_test(a_message_without_a_field_or_of_an_unknown_kind_has_no_text),
        cmocka_unit_test(a_text_that_shows_too_little_or_something_else_is_refused),
        cmocka_unit_test(what_is_no_message_is_not_taken),
        cmocka_unit_test(a_body_is_filled_value_by_value),
        cmocka_unit_test(a_body_that_is_not_json_or_asks_for_the_unknown_is_refused),
        cmocka_unit_test(a_secret_that_others_can_read_or_that_is_no_line_is_refused),
        cmocka_unit_test(a_signature_is_hmac_over_time_dot_and_body),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
