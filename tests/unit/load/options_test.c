/* Lines of a series: what they may say, and that nothing of a refused one is used. */
#include "helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otpring-load/options.h"

static struct load_options whole(void)
{
    struct load_options options;
    load_options_default(&options);
    options.store = "store";
    options.series_path = "-";
    options.accounts = 100;
    return options;
}

static bool take(const char *text, struct load_options *options, char error[LOAD_ERROR_SIZE])
{
    static char line[LOAD_LINE_SIZE];
    assert_true(strlen(text) < sizeof line);
    strcpy(line, text);
    error[0] = 0;
    return load_options_line(line, options, error);
}

static void refused(const char *text, const struct load_options *base, const char *why)
{
    struct load_options options = *base;
    char error[LOAD_ERROR_SIZE];
    if (take(text, &options, error)) fail_msg("taken: %s", text);
    if (!strstr(error, why)) fail_msg("%s: \"%s\" does not say \"%s\"", text, error, why);
}

static void a_line_may_say_all_that_concerns_its_run_alone(void **state)
{
    (void)state;
    struct load_options options = whole();
    char error[LOAD_ERROR_SIZE];
    assert_true(take("--batch 16 --connections=100 --in-flight 2 --threads 2 --seconds 0.5 --warmup 0 --rate 1000 "
                     "--mix right:1 --hdr file --json\n",
                     &options, error));
    assert_int_equal(options.batch, 16);
    assert_int_equal(options.connections, 100);
    assert_int_equal(options.in_flight, 2);
    assert_int_equal(options.threads, 2);
    assert_true(options.seconds == 0.5 && options.warmup_s == 0 && options.rate == 1000);
    assert_int_equal(options.mix[LOAD_REPLAYED], 0);
    assert_string_equal(options.hdr_path, "file");
    assert_int_equal(options.accounts, 100);
    options = whole();
    assert_true(take("\n", &options, error) && take("", &options, error));
    assert_int_equal(options.batch, 1024);
}

static void a_bad_option_or_value_refuses_the_line_and_is_named(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"--batch 0\n", "--batch: 0 is not a number from 1 to 4096"},
        {"--batch 16 --in-flight many", "--in-flight: many"},
        {"--batch 4097 --batch 16", "--batch: 4097"},
        {"--seconds -1", "--seconds: -1"},
        {"--seconds 0", "--seconds must be more than 0"},
        {"--rate nan", "--rate: nan"},
        {"--mix wrong:1", "--mix is like"},
        {"--nothing 1", "--nothing: not an option"},
        {"--batch 16 --seconds", "--seconds: not an option, or its value is missing"},
        {"--json=3", "--json=3: not an option, or"},
        {"--help", "--help: not an option"},
        {"--version", "--version: not an option"},
        {"batch 16", "batch: not an option"},
        {"--connections 101", "each connection needs an account of its own"},
        {"--threads 2", "each thread needs a connection of its own"},
    };
    struct load_options options = whole();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refused(bad[i][0], &options, bad[i][1]);
}

static void what_concerns_the_accounts_or_the_program_is_refused_in_a_line(void **state)
{
    (void)state;
    static const char *const words[] = {"accounts 5",
                                        "acc 5",
                                        "store dir",
                                        "scratch",
                                        "scratch-folder dir",
                                        "daemon-option x",
                                        "company otpring-load-x",
                                        "seed 2",
                                        "algorithm sha256",
                                        "type totp1",
                                        "look-ahead 4",
                                        "resync-window 4",
                                        "series file",
                                        "from-log file",
                                        "speed 2",
                                        "keep",
                                        "remove otpring-load-x"};
    struct load_options options = whole();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char line[64], why[64];
        int size = (int)strcspn(words[i], " ");
        snprintf(line, sizeof line, "--batch 16 --%s", words[i]);
        snprintf(why, sizeof why, "--%.*s", size, words[i]);
        refused(line, &options, why);
        refused(line, &options, "is for the whole series");
    }
}

static void a_line_is_refused_that_was_cut(void **state)
{
    (void)state;
    struct load_options options = whole();
    char text[LOAD_LINE_SIZE], error[LOAD_ERROR_SIZE];
    memset(text, ' ', sizeof text);
    text[sizeof text - 1] = 0;
    refused(text, &options, "at most");
    text[sizeof text - 2] = '\n';
    assert_true(take(text, &options, error));
    text[0] = 0;
    for (int i = 0; i < 39; i++) strcat(text, "--json ");
    assert_true(take(text, &options, error));
    strcat(text, "--batch 16");
    refused(text, &options, "at most");
}

static void codes_of_one_second_are_asked_for_no_faster_than_there_are_accounts(void **state)
{
    (void)state;
    struct load_options options = whole();
    char error[LOAD_ERROR_SIZE];
    options.totp = true;
    refused("--rate 101", &options, "--rate is at most 100, as many as --accounts");
    assert_true(take("--rate 100", &options, error));
    options.totp = false;
    assert_true(take("--rate 101", &options, error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_may_say_all_that_concerns_its_run_alone),
        cmocka_unit_test(a_bad_option_or_value_refuses_the_line_and_is_named),
        cmocka_unit_test(what_concerns_the_accounts_or_the_program_is_refused_in_a_line),
        cmocka_unit_test(a_line_is_refused_that_was_cut),
        cmocka_unit_test(codes_of_one_second_are_asked_for_no_faster_than_there_are_accounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
