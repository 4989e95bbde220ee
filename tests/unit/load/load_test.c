/* A whole otpring-load against a small daemon that judges by itself. */
#include "helpers.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "otpring-load/load.h"

/* Of one run: long enough for what a sanitizer gets done on a machine that does much else. */
#define RUN_S 2.0
#define SERIES_LINE "--seconds 0.9 --warmup 0.05\n"

static struct load_options quick(const struct fake_daemon *daemon)
{
    struct load_options options;
    load_options_default(&options);
    options.store = fake_daemon_store(daemon);
    options.accounts = 500;
    options.batch = 16;
    options.connections = 4;
    options.in_flight = 3;
    options.seconds = RUN_S;
    options.warmup_s = 0.1;
    options.json = true;
    assert_true(load_mix_parse("right:70,near:10,wrong:10,replayed:10", options.mix));
    return options;
}

/* Runs it and gives the JSON; messages go to *ret_messages when asked for. */
static json_t *run(const struct load_options *options, const volatile sig_atomic_t *stop, int *ret_status,
                   char **ret_messages)
{
    char *out = NULL, *messages = NULL;
    size_t out_size, messages_size;
    FILE *out_file = open_memstream(&out, &out_size), *messages_file = open_memstream(&messages, &messages_size);
    *ret_status = load_run(options, stop, out_file, messages_file);
    fclose(out_file);
    fclose(messages_file);
    json_t *result = json_loads(out, 0, NULL);
    if (!result && out_size) fail_msg("no JSON: %s", out);
    free(out);
    if (ret_messages) {
        *ret_messages = messages;
    } else {
        if (messages_size) print_message("%s", messages);
        free(messages);
    }
    return result;
}

static double number(json_t *result, const char *key)
{
    json_t *value = json_object_get(result, key);
    if (!json_is_number(value)) fail_msg("no number under %s", key);
    return json_number_value(value);
}

/* Sixteen queries each; what is on its way at the borders stands in one count and not in the other. */
static void frames_are_counted(json_t *result)
{
    double measured = number(result, "verifications_per_s") * RUN_S / 16, frames = number(result, "frames");
    assert_true(frames > measured * 0.8 - 30 && frames < measured * 1.2 + 30);
}

static void every_verdict_is_foreseen_and_the_accounts_are_gone_afterwards(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    struct fake_daemon *daemon = fake_daemon_start(FAKE_HONEST);
    struct load_options options = quick(daemon);
    int status;
    options.accounts = 2300; /* several chunks, the last one not full, and a purge in pieces */
    json_t *result = run(&options, &stop, &status, NULL);
    assert_int_equal(status, LOAD_DONE);
    assert_int_equal(number(result, "unexpected"), 0);
    assert_true(number(result, "accepted") > 100);
    assert_true(number(result, "rejected") > 10);
    assert_true(number(result, "replayed") > 10);
    assert_int_equal(number(result, "throttled"), 0);
    assert_int_equal(number(result, "unavailable"), 0);
    assert_true(number(result, "verifications_per_s") > 100);
    assert_string_equal(json_string_value(json_object_get(result, "kernel")), "fake");
    frames_are_counted(result);
    json_t *latency = json_object_get(result, "latency_us");
    assert_true(number(latency, "p50") > 0 && number(latency, "p50") <= number(latency, "p99"));
    assert_true(number(latency, "p99") <= number(latency, "p999") && number(latency, "p999") <= number(latency, "max"));
    assert_int_equal(fake_daemon_tokens(daemon), 0);
    assert_int_equal(fake_daemon_failures_max(daemon), 1);
    json_decref(result);
    fake_daemon_stop(daemon);
}

static void few_accounts_are_used_many_times_in_flight_and_stay_foreseen(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    struct fake_daemon *daemon = fake_daemon_start(FAKE_HONEST);
    struct load_options options = quick(daemon);
    int status;
    options.accounts = options.connections = 2;
    options.threads = 2;
    options.algorithm = "sha256";
    json_t *result = run(&options, &stop, &status, NULL);
    assert_int_equal(status, LOAD_DONE);
    assert_true(number(result, "accepted") > 100);
    frames_are_counted(result);
    assert_int_equal(fake_daemon_failures_max(daemon), 1);
    json_decref(result);
    fake_daemon_stop(daemon);
}

static void a_daemon_that_accepts_a_code_twice_is_found_out(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    struct fake_daemon *daemon = fake_daemon_start(FAKE_ACCEPTS_REPLAYS);
    struct load_options options = quick(daemon);
    int status;
    char *messages;
    json_t *result = run(&options, &stop, &status, &messages);
    assert_int_equal(status, LOAD_UNEXPECTED);
    assert_true(number(result, "unexpected") > 10);
    assert_non_null(strstr(messages, "a replayed code: ACCEPTED"));
    assert_non_null(strstr(messages, "instead of REPLAYED"));
    int lines = 0;
    for (const char *at = messages; (at = strstr(at, "unexpected: user")); at++) lines++;
    assert_int_equal(lines, 10);
    assert_int_equal(fake_daemon_tokens(daemon), 0);
    free(messages);
    json_decref(result);
    fake_daemon_stop(daemon);
}

static void unavailable_answers_are_counted_apart_and_the_model_finds_its_way_again(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    struct fake_daemon *daemon = fake_daemon_start(FAKE_OFTEN_UNAVAILABLE);
    struct load_options options = quick(daemon);
    int status;
    json_t *result = run(&options, &stop, &status, NULL);
    assert_int_equal(status, LOAD_DONE);
    assert_int_equal(number(result, "unexpected"), 0);
    assert_true(number(result, "unavailable") > 10);
    assert_true(number(result, "accepted") > 100);
    json_decref(result);
    fake_daemon_stop(daemon);
}

/* Runs the lines as a series; the lines of its answer, the enrolment's first, to be freed. */
static char *run_series(struct load_options *options, const char *lines, int *ret_status, char **ret_messages)
{
    const volatile sig_atomic_t stop = 0;
    char path[] = "/tmp/otpring-series-XXXXXX", *out = NULL;
    size_t out_size, messages_size;
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, lines, strlen(lines)), strlen(lines));
    close(file);
    options->series_path = path;
    assert_true(load_mix_parse("right:1", options->mix));
    FILE *out_file = open_memstream(&out, &out_size), *messages = open_memstream(ret_messages, &messages_size);
    *ret_status = load_run(options, &stop, out_file, messages);
    fclose(out_file);
    fclose(messages);
    unlink(path);
    return out;
}

/* The next line, as JSON; *text goes on behind it. NULL: none. */
static json_t *next_line(char **text)
{
    char *end = strchr(*text, '\n');
    if (!end) return NULL;
    json_t *line = json_loadb(*text, (size_t)(end - *text), 0, NULL);
    assert_non_null(line);
    *text = end + 1;
    return line;
}

static void a_bad_line_of_a_series_is_answered_with_an_error_and_ends_it(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"--batch 0", "--batch: 0 is not a number from 1 to 4096"},
                                         {"--accounts 7", "--accounts is for the whole series, not for a line of it"},
                                         {"--connections 501", "each connection needs an account of its own"},
                                         {"--hdr /nowhere/file", "/nowhere/file: No such file or directory"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fake_daemon *daemon = fake_daemon_start(FAKE_FAST);
        struct load_options options = quick(daemon);
        char lines[256], told[256], *messages;
        int status;
        snprintf(lines, sizeof lines, "--seconds 0.1 --warmup 0\n%s\n--seconds 60\n", bad[i][0]);
        snprintf(told, sizeof told, "line 2 of the series: %s\n", bad[i][1]);
        char *out = run_series(&options, lines, &status, &messages), *at = out;
        json_t *enrolled = next_line(&at), *good = next_line(&at), *refused = next_line(&at);
        assert_int_equal(status, LOAD_USAGE);
        assert_int_equal(number(enrolled, "enrolled"), 500);
        assert_true(number(good, "frames") > 0);
        assert_string_equal(json_string_value(json_object_get(refused, "error")), bad[i][1]);
        assert_int_equal(number(refused, "unexpected"), 0);
        assert_null(json_object_get(refused, "verifications_per_s"));
        assert_null(next_line(&at));
        assert_non_null(strstr(messages, told));
        assert_int_equal(fake_daemon_tokens(daemon), 0);
        json_decref(enrolled);
        json_decref(good);
        json_decref(refused);
        free(out);
        free(messages);
        fake_daemon_stop(daemon);
    }
}

static void each_line_of_a_series_may_have_a_file_of_percentiles(void **state)
{
    (void)state;
    struct fake_daemon *daemon = fake_daemon_start(FAKE_FAST);
    struct load_options options = quick(daemon);
    char lines[512], paths[2][64], *messages;
    int status;
    for (int i = 0; i < 2; i++) {
        strcpy(paths[i], "/tmp/otpring-load-hdr-XXXXXX");
        int file = mkstemp(paths[i]);
        assert_true(file >= 0);
        close(file);
    }
    snprintf(lines, sizeof lines, "--seconds 0.3 --hdr %s\n--seconds 0.3 --hdr %s\n", paths[0], paths[1]);
    free(run_series(&options, lines, &status, &messages));
    assert_int_equal(status, LOAD_DONE);
    for (int i = 0; i < 2; i++) {
        char first[64] = "";
        FILE *file = fopen(paths[i], "r");
        assert_non_null(file);
        assert_non_null(fgets(first, sizeof first, file));
        assert_non_null(strstr(first, "Percentile"));
        fclose(file);
        unlink(paths[i]);
    }
    free(messages);
    fake_daemon_stop(daemon);
}

static bool limited(json_t *result)
{
    json_t *value = json_object_get(result, "limited_by_accounts");
    assert_true(json_is_boolean(value));
    return json_is_true(value);
}

static void accounts_that_have_given_their_codes_are_told_of_and_not_the_daemon(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    static const struct {
        bool totp;
        uint32_t accounts;
        uint32_t connections;
        uint32_t threads;
        uint32_t batch;
        double rate;
        bool limited;
    } cases[] = {
        {false, 64, 4, 1, 16, 0, false}, /* HOTP has codes without end */
        {true, 64, 4, 1, 16, 0, true},
        {true, 64, 4, 1, 32, 64, true}, /* each connection has sixteen accounts, and never a full frame */
        {true, 3, 2, 2, 2, 2, true},    /* the second thread's has one */
        {true, 2000, 4, 1, 16, 200, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_daemon *daemon = fake_daemon_start(FAKE_FAST);
        struct load_options options = quick(daemon);
        int status;
        options.totp = cases[i].totp;
        options.accounts = cases[i].accounts;
        options.connections = cases[i].connections;
        options.threads = cases[i].threads;
        options.batch = cases[i].batch;
        options.rate = cases[i].rate;
        assert_true(load_mix_parse("right:1", options.mix));
        json_t *result = run(&options, &stop, &status, NULL);
        assert_int_equal(status, LOAD_DONE);
        assert_int_equal(limited(result), cases[i].limited);
        assert_true(number(result, "frames") > 0);
        /* What frames had no accounts for was due too. */
        if (cases[i].limited && cases[i].rate > 0) assert_true(number(result, "unsent") >= options.batch / 2);
        json_decref(result);
        fake_daemon_stop(daemon);
    }
}

/* Frames that lack items since their accounts rest, or that lacked some before the measured time, have another cause.
 */
static void other_short_frames_are_not_for_want_of_codes(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    for (int totp = 0; totp < 2; totp++) {
        struct fake_daemon *daemon = fake_daemon_start(totp ? FAKE_FAST : FAKE_OFTEN_UNAVAILABLE);
        struct load_options options = quick(daemon);
        int status;
        options.accounts = 8;
        assert_true(load_mix_parse("right:1", options.mix));
        if (totp) {
            /* Due after 0 and 2 s, full; and one that is not, of one account, after 1 s. */
            options.totp = true;
            options.accounts = 3;
            options.connections = options.batch = 2;
            options.rate = 2;
            options.warmup_s = 1.5;
            options.seconds = 1;
        }
        json_t *result = run(&options, &stop, &status, NULL);
        assert_int_equal(status, LOAD_DONE);
        assert_true(number(result, "frames") > 0);
        assert_false(limited(result));
        if (totp) assert_int_equal(number(result, "unsent"), 0);
        json_decref(result);
        fake_daemon_stop(daemon);
    }
}

/* What was in doubt when a run ended still is when the next one of the series begins. */
static void doubt_outlives_a_run_of_a_series(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    struct fake_daemon *daemon = fake_daemon_start(FAKE_OFTEN_UNAVAILABLE);
    struct load_options options = quick(daemon);
    char path[] = "/tmp/otpring-series-XXXXXX", *out = NULL;
    size_t out_size;
    int file = mkstemp(path);
    assert_true(file >= 0);
    for (int i = 0; i < 6; i++) assert_int_equal(dprintf(file, SERIES_LINE), 28);
    close(file);
    options.series_path = path;
    FILE *out_file = open_memstream(&out, &out_size);
    assert_int_equal(load_run(&options, &stop, out_file, stderr), LOAD_DONE);
    fclose(out_file);
    unlink(path);
    int runs = 0;
    double unavailable = 0;
    for (const char *line = out; line && *line; line = strchr(line, '\n') + 1) {
        json_t *result = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        if (json_object_get(result, "unavailable")) {
            unavailable += number(result, "unavailable");
            assert_int_equal(number(result, "unexpected"), 0);
            runs++;
        }
        json_decref(result);
    }
    assert_int_equal(runs, 6);
    assert_true(unavailable > 0);
    free(out);
    fake_daemon_stop(daemon);
}

static void cut_connections_are_taken_up_again_without_a_wrong_verdict(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    struct fake_daemon *daemon = fake_daemon_start(FAKE_CUTS);
    struct load_options options = quick(daemon);
    int status;
    options.rate = 40000;
    json_t *result = run(&options, &stop, &status, NULL);
    assert_int_equal(status, LOAD_DONE);
    assert_int_equal(number(result, "unexpected"), 0);
    assert_int_equal(number(result, "unanswered"), 0);
    assert_true(number(result, "accepted") > 100);
    json_decref(result);
    fake_daemon_stop(daemon);
}

static void an_open_loop_keeps_its_rate_and_writes_its_percentiles(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    char path[] = "/tmp/otpring-load-hdr-XXXXXX", line[256];
    struct fake_daemon *daemon = fake_daemon_start(FAKE_FAST);
    struct load_options options = quick(daemon);
    int status, file = mkstemp(path);
    assert_true(file >= 0);
    options.rate = 16000;
    options.hdr_path = path;
    assert_true(load_mix_parse("right:1", options.mix));
    json_t *result = run(&options, &stop, &status, NULL);
    assert_int_equal(status, LOAD_DONE);
    double sent = number(result, "accepted") + number(result, "unsent");
    /* What is in flight at the end may come late, and the process may have to wait a quarter of a second at either
     * border. */
    double due = RUN_S * options.rate,
           off = options.connections * options.in_flight * options.batch + 0.25 * options.rate;
    assert_true(sent >= due - off && sent <= due + off);
    FILE *hdr = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, hdr));
    assert_non_null(strstr(line, "Percentile"));
    fclose(hdr);
    unlink(path);
    json_decref(result);
    fake_daemon_stop(daemon);
}

static void an_interrupted_run_removes_its_accounts(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 1;
    struct fake_daemon *daemon = fake_daemon_start(FAKE_HONEST);
    struct load_options options = quick(daemon);
    int status;
    char *messages;
    assert_null(run(&options, &stop, &status, &messages));
    assert_int_equal(status, LOAD_UNAVAILABLE);
    assert_non_null(strstr(messages, "interrupted"));
    assert_int_equal(fake_daemon_tokens(daemon), 0);
    free(messages);
    fake_daemon_stop(daemon);
}

static void no_daemon_is_told_in_one_line(void **state)
{
    (void)state;
    const volatile sig_atomic_t stop = 0;
    struct load_options options;
    int status;
    char *messages;
    load_options_default(&options);
    options.store = "/nonexistent";
    assert_null(run(&options, &stop, &status, &messages));
    assert_int_equal(status, LOAD_UNAVAILABLE);
    assert_non_null(strstr(messages, "/nonexistent/admin.sock"));
    free(messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict_is_foreseen_and_the_accounts_are_gone_afterwards),
        cmocka_unit_test(few_accounts_are_used_many_times_in_flight_and_stay_foreseen),
        cmocka_unit_test(a_daemon_that_accepts_a_code_twice_is_found_out),
        cmocka_unit_test(unavailable_answers_are_counted_apart_and_the_model_finds_its_way_again),
        cmocka_unit_test(a_bad_line_of_a_series_is_answered_with_an_error_and_ends_it),
        cmocka_unit_test(each_line_of_a_series_may_have_a_file_of_percentiles),
        cmocka_unit_test(accounts_that_have_given_their_codes_are_told_of_and_not_the_daemon),
        cmocka_unit_test(other_short_frames_are_not_for_want_of_codes),
        cmocka_unit_test(doubt_outlives_a_run_of_a_series),
        cmocka_unit_test(cut_connections_are_taken_up_again_without_a_wrong_verdict),
        cmocka_unit_test(an_open_loop_keeps_its_rate_and_writes_its_percentiles),
        cmocka_unit_test(an_interrupted_run_removes_its_accounts),
        cmocka_unit_test(no_daemon_is_told_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
