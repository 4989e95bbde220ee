/* OCRA against the table of its RFC, an independent reference, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "otp/ocra.h"

enum { FIELDS_MAX = 9, LINE_MAX_SIZE = 4096 };

/* One line of a vector file, cut at its commas. */
struct row {
    char line[LINE_MAX_SIZE];
    char *fields[FIELDS_MAX];
    int count;
};

static FILE *vectors(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, TESTS_FOLDER "/vectors/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    return file;
}

static bool row_next(FILE *file, struct row *row)
{
    do {
        if (!fgets(row->line, sizeof row->line, file)) return false;
    } while (row->line[0] == '#');
    row->line[strcspn(row->line, "\n")] = 0;
    char *rest = row->line;
    row->count = 0;
    while (rest && row->count < FIELDS_MAX) row->fields[row->count++] = strsep(&rest, ",");
    return true;
}

static size_t from_hex(const char *text, uint8_t *ret_bytes, size_t capacity)
{
    size_t size = strlen(text) / 2;
    assert_true(size <= capacity);
    for (size_t i = 0; i < size; i++) {
        unsigned value;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
        ret_bytes[i] = (uint8_t)value;
    }
    return size;
}

/* Everything that one vector says, and where its bytes lie. */
struct vector {
    struct ocra_suite suite;
    struct ocra_input input;
    uint8_t key[128], pin[OCRA_PIN_HASH_SIZE_MAX], session[OCRA_SESSION_SIZE_MAX];
    char questions[2][OCRA_QUESTION_SIZE_MAX + 1];
    size_t key_size;
    const char *response;
};

static void suite_read(const char *text, struct vector *vector)
{
    memset(vector, 0, sizeof *vector);
    assert_int_equal(ocra_suite_parse(text, strlen(text), &vector->suite).code, OK);
}

static void question_set(struct vector *vector, int index)
{
    if (vector->questions[index][0])
        vector->input.questions[index] =
            (struct ocra_question){.text = vector->questions[index], .size = strlen(vector->questions[index])};
}

static void appendix_row_read(const struct row *row, struct vector *vector)
{
    assert_int_equal(row->count, 9);
    suite_read(row->fields[1], vector);
    vector->key_size = strtoul(row->fields[2], NULL, 10);
    for (size_t i = 0; i < vector->key_size; i++) vector->key[i] = (uint8_t)('0' + (i + 1) % 10);
    vector->input.counter = strtoull(row->fields[3], NULL, 10);
    for (int q = 0; q < 2; q++) {
        strcpy(vector->questions[q], row->fields[4 + q]);
        question_set(vector, q);
    }
    vector->input.pin_hash_size = from_hex(row->fields[6], vector->pin, sizeof vector->pin);
    vector->input.pin_hash = vector->pin;
    vector->input.step = strtoull(row->fields[7], NULL, 16);
    vector->response = row->fields[8];
}

static void random_row_read(const struct row *row, struct vector *vector)
{
    assert_int_equal(row->count, 9);
    suite_read(row->fields[0], vector);
    vector->key_size = from_hex(row->fields[1], vector->key, sizeof vector->key);
    vector->input.counter = strtoull(row->fields[2], NULL, 10);
    for (int q = 0; q < 2; q++) {
        from_hex(row->fields[3 + q], (uint8_t *)vector->questions[q], OCRA_QUESTION_SIZE_MAX);
        question_set(vector, q);
    }
    vector->input.pin_hash_size = from_hex(row->fields[5], vector->pin, sizeof vector->pin);
    vector->input.pin_hash = vector->pin;
    vector->input.session_size = from_hex(row->fields[6], vector->session, sizeof vector->session);
    vector->input.session = vector->session;
    vector->input.step = strtoull(row->fields[7], NULL, 10);
    vector->response = row->fields[8];
}

static void expect_response(const struct vector *vector, const struct ocra_input *input, bool expected)
{
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    char text[OCRA_RESPONSE_SIZE_MAX + 1];
    struct ocra_message message;
    assert_int_equal(ocra_message_make(&vector->suite, input, &message).code, OK);
    ocra_respond_with_seed(&vector->suite, vector->key, vector->key_size, &message, text);
    assert_int_equal(strcmp(text, vector->response) == 0, expected);
    assert_int_equal(ocra_response_check(&vector->suite, text, strlen(text)).code, OK);
    kernel_midstates(vector->suite.algorithm, vector->key, vector->key_size, midstates);
    assert_int_equal(ocra_fits(&vector->suite, midstates, &message, vector->response, strlen(vector->response)),
                     expected);
}

static void every_vector_of_rfc_6287_appendix_c_is_met(void **state)
{
    (void)state;
    FILE *file = vectors("rfc6287_appendix_c.csv");
    struct row row;
    struct vector vector;
    int rows = 0;
    for (; row_next(file, &row); rows++) {
        appendix_row_read(&row, &vector);
        expect_response(&vector, &vector.input, true);
    }
    fclose(file);
    assert_int_equal(rows, 70);
}

static void random_cases_of_every_form_agree_with_a_reference_written_apart(void **state)
{
    (void)state;
    FILE *file = vectors("ocra_random.csv");
    struct row row;
    struct vector vector;
    int rows = 0;
    for (; row_next(file, &row); rows++) {
        random_row_read(&row, &vector);
        expect_response(&vector, &vector.input, true);
    }
    fclose(file);
    assert_int_equal(rows, 300);
}

/* Whatever one input is changed, the response no longer fits (no vector of the table collides). */
static void changed_inputs_try(struct vector *vector)
{
    struct ocra_input other = vector->input;
    char question[OCRA_QUESTION_SIZE_MAX];
    for (int q = 0; q < 2; q++) {
        if (!other.questions[q].text) continue;
        for (size_t i = 0; i < other.questions[q].size; i++) {
            memcpy(question, vector->input.questions[q].text, other.questions[q].size);
            question[i] = question[i] == '1' ? '2' : '1';
            other.questions[q].text = question;
            expect_response(vector, &other, false);
        }
        other.questions[q].text = vector->input.questions[q].text;
    }
    if (vector->suite.counter) {
        other.counter++;
        expect_response(vector, &other, false);
        other.counter--;
    }
    if (vector->suite.step_s) {
        other.step--;
        expect_response(vector, &other, false);
        other.step++;
    }
    for (size_t i = 0; i < vector->suite.pin_hash_size; i++) {
        vector->pin[i] ^= 1;
        expect_response(vector, &other, false);
        vector->pin[i] ^= 1;
    }
    vector->key[vector->key_size - 1] ^= 1;
    expect_response(vector, &other, false);
    vector->key[vector->key_size - 1] ^= 1;
}

static void a_vector_with_any_one_input_changed_is_not_met(void **state)
{
    (void)state;
    FILE *file = vectors("rfc6287_appendix_c.csv");
    struct row row;
    struct vector vector;
    while (row_next(file, &row)) {
        appendix_row_read(&row, &vector);
        changed_inputs_try(&vector);
        struct ocra_question first = vector.input.questions[0];
        if (vector.input.questions[1].text) { /* the other party's response, sent back */
            vector.input.questions[0] = vector.input.questions[1];
            vector.input.questions[1] = first;
            expect_response(&vector, &vector.input, false);
        }
    }
    fclose(file);
}

static void a_response_with_any_one_character_changed_does_not_fit(void **state)
{
    (void)state;
    FILE *file = vectors("ocra_random.csv");
    struct row row;
    struct vector vector;
    while (row_next(file, &row)) {
        random_row_read(&row, &vector);
        _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
        struct ocra_message message;
        kernel_midstates(vector.suite.algorithm, vector.key, vector.key_size, midstates);
        assert_int_equal(ocra_message_make(&vector.suite, &vector.input, &message).code, OK);
        char typed[OCRA_RESPONSE_SIZE_MAX + 2];
        size_t size = strlen(strcpy(typed, vector.response));
        for (size_t i = 0; i < size; i++) {
            typed[i] = typed[i] == '7' ? '8' : '7';
            assert_false(ocra_fits(&vector.suite, midstates, &message, typed, size));
            typed[i] = vector.response[i];
        }
        assert_false(ocra_fits(&vector.suite, midstates, &message, typed, size - 1));
        assert_false(ocra_fits(&vector.suite, midstates, &message, strcat(typed, "0"), size + 1));
        assert_false(ocra_fits(&vector.suite, midstates, &message, "", 0));
    }
    fclose(file);
}

static void every_form_of_a_suite_is_read_and_every_other_refused(void **state)
{
    (void)state;
    static const char *const hashes[] = {"SHA1", "SHA256", "SHA512"};
    FILE *file = vectors("ocra_suites.csv");
    struct row row;
    int good = 0, bad = 0;
    while (row_next(file, &row)) {
        struct ocra_suite suite, before;
        memset(&suite, 0x5a, sizeof suite);
        before = suite;
        const char *text = row.fields[0];
        enum result_code code = ocra_suite_parse(text, strlen(text), &suite).code;
        if (row.count == 2) {
            if (code != BAD_SUITE) fail_msg("'%s' is taken", text);
            assert_memory_equal(&suite, &before, sizeof suite);
            bad++;
            continue;
        }
        if (code != OK) fail_msg("'%s' is refused", text);
        assert_string_equal(suite.text, text);
        assert_string_equal(hashes[suite.algorithm], row.fields[1]);
        assert_int_equal(suite.digits, atoi(row.fields[2]));
        assert_int_equal(suite.counter, atoi(row.fields[3]));
        assert_int_equal(suite.format, row.fields[4][0]);
        assert_int_equal(suite.question_max, atoi(row.fields[5]));
        assert_int_equal(suite.pin_hash_size, atoi(row.fields[6]));
        assert_int_equal(suite.session_size, atoi(row.fields[7]));
        assert_int_equal(suite.step_s, atoi(row.fields[8]));
        good++;
    }
    fclose(file);
    assert_int_equal(good, 30);
    assert_true(bad >= 60);
}

static void a_suite_cut_short_anywhere_or_with_a_zero_byte_in_it_is_another_or_none(void **state)
{
    (void)state;
    static const char text[] = "OCRA-1:HOTP-SHA512-10:C-QN08-PSHA512-S064-T59M";
    struct ocra_suite suite;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        if (result_failed(ocra_suite_parse(text, size, &suite))) continue;
        assert_int_equal(suite.text_size, size);
        assert_memory_equal(suite.text, text, size);
    }
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char with_zero[sizeof text];
        memcpy(with_zero, text, sizeof text);
        with_zero[i] = 0;
        assert_int_equal(ocra_suite_parse(with_zero, sizeof text - 1, &suite).code, BAD_SUITE);
    }
}

static void inputs_that_do_not_fit_the_suite_are_refused_by_name(void **state)
{
    (void)state;
    struct vector vector;
    struct ocra_message message;
    uint8_t bytes[OCRA_SESSION_SIZE_MAX] = {1};
    suite_read("OCRA-1:HOTP-SHA1-6:C-QN08-PSHA1-S064-T1M", &vector);
    const struct ocra_input good = {.questions = {{.text = "12345678", .size = 8}},
                                    .pin_hash = bytes,
                                    .pin_hash_size = 20,
                                    .session = bytes,
                                    .session_size = 64};
    assert_int_equal(ocra_message_make(&vector.suite, &good, &message).code, OK);
    struct ocra_input bad = good;
    bad.questions[0] = (struct ocra_question){0};
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_CHALLENGE);
    static const char *const questions[] = {"", "123456789", "1234567a", "1234 678", "+1234567", "-1"};
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        for (int q = 0; q < 2; q++) {
            bad = good;
            bad.questions[q] = (struct ocra_question){.text = questions[i], .size = strlen(questions[i])};
            assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_CHALLENGE);
        }
    for (size_t size = 0; size < 64; size++) {
        bad = good, bad.pin_hash_size = size;
        assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, size == 20 ? OK : BAD_PIN_HASH);
    }
    bad = good, bad.session_size = 65;
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_SESSION_INFORMATION);
    bad.session_size = 0;
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_SESSION_INFORMATION);
}

static void inputs_that_the_suite_does_not_have_are_refused_and_not_passed_over(void **state)
{
    (void)state;
    struct vector vector;
    struct ocra_message message;
    const uint8_t bytes[20] = {1};
    suite_read("OCRA-1:HOTP-SHA1-6:QH08", &vector);
    const struct ocra_input good = {.questions = {{.text = "0aF", .size = 3}}};
    assert_int_equal(ocra_message_make(&vector.suite, &good, &message).code, OK);
    struct ocra_input bad = good;
    bad.counter = 1;
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_ARGUMENT);
    bad = good, bad.step = 1;
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_ARGUMENT);
    bad = good, bad.pin_hash = bytes, bad.pin_hash_size = 20;
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_PIN_HASH);
    bad = good, bad.session = bytes, bad.session_size = 1;
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_SESSION_INFORMATION);
    bad = good, bad.questions[0].text = "0aG";
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_CHALLENGE);
    suite_read("OCRA-1:HOTP-SHA1-6:QA08", &vector);
    bad = good, bad.questions[0].text = "a b";
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_CHALLENGE);
    bad.questions[0].text = "\xc3\xa1"
                            "b";
    assert_int_equal(ocra_message_make(&vector.suite, &bad, &message).code, BAD_CHALLENGE);
}

static void hexadecimal_challenges_are_the_same_in_either_case(void **state)
{
    (void)state;
    struct vector vector;
    struct ocra_message lower, upper;
    suite_read("OCRA-1:HOTP-SHA256-8:QH40", &vector);
    struct ocra_input input = {.questions = {{.text = "00abcdef9", .size = 9}}};
    assert_int_equal(ocra_message_make(&vector.suite, &input, &lower).code, OK);
    input.questions[0].text = "00ABCDEF9";
    assert_int_equal(ocra_message_make(&vector.suite, &input, &upper).code, OK);
    assert_memory_equal(lower.bytes, upper.bytes, lower.size);
    static const uint8_t field[] = {0x00, 0xab, 0xcd, 0xef, 0x90, 0x00};
    assert_memory_equal(lower.bytes + vector.suite.text_size + 1, field, sizeof field);
}

static void the_longest_inputs_fit_the_message(void **state)
{
    (void)state;
    struct vector vector;
    struct ocra_message message;
    char digits[64];
    uint8_t bytes[OCRA_SESSION_SIZE_MAX];
    memset(digits, '9', sizeof digits);
    memset(bytes, 0xff, sizeof bytes);
    suite_read("OCRA-1:HOTP-SHA512-10:C-QN64-PSHA512-S999-T59M", &vector);
    struct ocra_input input = {.counter = UINT64_MAX,
                               .questions = {{.text = digits, .size = 64}, {.text = digits, .size = 64}},
                               .pin_hash = bytes,
                               .pin_hash_size = 64,
                               .session = bytes,
                               .session_size = 999,
                               .step = UINT64_MAX};
    assert_int_equal(ocra_message_make(&vector.suite, &input, &message).code, OK);
    assert_true(message.size <= OCRA_MESSAGE_SIZE_MAX);
    assert_int_equal(message.size, vector.suite.text_size + 1 + 8 + 128 + 64 + 999 + 8);
}

static void a_message_moved_to_another_step_is_the_message_made_for_it(void **state)
{
    (void)state;
    struct vector vector;
    struct ocra_message moved, made;
    suite_read("OCRA-1:HOTP-SHA1-6:C-QN08-T1M", &vector);
    struct ocra_input input = {.questions = {{.text = "1234", .size = 4}}};
    assert_int_equal(ocra_message_make(&vector.suite, &input, &moved).code, OK);
    input.counter = 0x0123456789abcdef, input.step = 0x132d0b6;
    assert_int_equal(ocra_message_make(&vector.suite, &input, &made).code, OK);
    ocra_message_move(&moved, input.counter, input.step);
    assert_int_equal(moved.size, made.size);
    assert_memory_equal(moved.bytes, made.bytes, made.size);
    suite_read("OCRA-1:HOTP-SHA1-6:QN08", &vector);
    input.counter = input.step = 0;
    assert_int_equal(ocra_message_make(&vector.suite, &input, &made).code, OK);
    moved = made;
    ocra_message_move(&moved, 7, 7);
    assert_memory_equal(moved.bytes, made.bytes, made.size);
}

static void time_steps_are_counted_from_1970(void **state)
{
    (void)state;
    struct vector vector;
    suite_read("OCRA-1:HOTP-SHA512-8:QN08-T1M", &vector);
    assert_int_equal(ocra_step(&vector.suite, 1206446790), 0x132d0b6); /* March 25 2008, 12:06:30, of the RFC */
    assert_int_equal(ocra_step(&vector.suite, 59), 0);
    assert_int_equal(ocra_step(&vector.suite, 60), 1);
    assert_int_equal(ocra_step(&vector.suite, -1), 0);
    suite_read("OCRA-1:HOTP-SHA512-8:QN08-T48H", &vector);
    assert_int_equal(ocra_step(&vector.suite, 172800), 1);
    suite_read("OCRA-1:HOTP-SHA512-8:QN08", &vector);
    assert_int_equal(ocra_step(&vector.suite, 172800), 0);
}

static void a_typed_response_has_the_digits_of_its_suite_and_nothing_else(void **state)
{
    (void)state;
    struct vector vector;
    suite_read("OCRA-1:HOTP-SHA1-10:QN08", &vector);
    assert_int_equal(ocra_response_check(&vector.suite, "0123456789", 10).code, OK);
    static const char *const bad[] = {"", "012345678", "01234567890", "012345678a", " 123456789", "+123456789"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(ocra_response_check(&vector.suite, bad[i], strlen(bad[i])).code, BAD_RESPONSE);
    suite_read("OCRA-1:HOTP-SHA1-0:QN08", &vector);
    assert_int_equal(ocra_response_check(&vector.suite, "0123456789abcdefABCDEF012345678901234567", 40).code, OK);
    assert_int_equal(ocra_response_check(&vector.suite, "0123456789abcdefABCDEF01234567890123456", 39).code,
                     BAD_RESPONSE);
    assert_int_equal(ocra_response_check(&vector.suite, "0123456789abcdefABCDEF01234567890123456g", 40).code,
                     BAD_RESPONSE);
}

static void a_whole_hmac_may_be_typed_in_upper_case(void **state)
{
    (void)state;
    struct vector vector;
    struct ocra_message message;
    char text[OCRA_RESPONSE_SIZE_MAX + 1];
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    suite_read("OCRA-1:HOTP-SHA512-0:QN08", &vector);
    struct ocra_input input = {.questions = {{.text = "1234", .size = 4}}};
    assert_int_equal(ocra_message_make(&vector.suite, &input, &message).code, OK);
    kernel_midstates(KERNEL_SHA512, (const uint8_t *)"12345678901234567890", 20, midstates);
    ocra_respond(&vector.suite, midstates, &message, text);
    assert_int_equal(strlen(text), 128);
    for (size_t i = 0; i < 128; i++)
        if (text[i] >= 'a') text[i] = (char)(text[i] - 32);
    assert_true(ocra_fits(&vector.suite, midstates, &message, text, 128));
}

/* Section 7.2 and appendix C.2: the server's response has no PIN, and its suite neither. */
static void a_server_s_suite_is_the_token_s_without_its_pin(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"OCRA-1:HOTP-SHA512-8:QA08-PSHA1", "OCRA-1:HOTP-SHA512-8:QA08"},
        {"OCRA-1:HOTP-SHA256-8:C-QN08-PSHA512-S064-T1M", "OCRA-1:HOTP-SHA256-8:C-QN08-S064-T1M"},
        {"OCRA-1:HOTP-SHA1-6:QN08-P-T1M", "OCRA-1:HOTP-SHA1-6:QN08-T1M"},
        {"OCRA-1:HOTP-SHA1-6:QN08-P", "OCRA-1:HOTP-SHA1-6:QN08"},
        {"OCRA-1:HOTP-SHA1-6:C-QN08-S064-T1M", "OCRA-1:HOTP-SHA1-6:C-QN08-S064-T1M"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vector token, expected;
        struct ocra_suite server;
        suite_read(cases[i][0], &token);
        suite_read(cases[i][1], &expected);
        ocra_suite_server(&token.suite, &server);
        assert_string_equal(server.text, cases[i][1]);
        assert_int_equal(server.text_size, expected.suite.text_size);
        assert_int_equal(server.pin_hash_size, 0);
        assert_int_equal(server.session_size, expected.suite.session_size);
        assert_int_equal(server.step_s, expected.suite.step_s);
        assert_int_equal(server.counter, expected.suite.counter);
    }
}

/* The three exchanges' first rows of appendix C.2, from the suite of the token with a PIN. */
static void a_server_s_response_is_that_of_appendix_c_2(void **state)
{
    (void)state;
    static const char *const cases[][4] = {{"OCRA-1:HOTP-SHA256-8:QA08", "CLI22220", "SRV11110", "28247970"},
                                           {"OCRA-1:HOTP-SHA512-8:QA08-PSHA1", "CLI22220", "SRV11110", "79496648"},
                                           {"OCRA-1:HOTP-SHA512-8:QA08-PSHA1", "CLI22221", "SRV11111", "76831980"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vector vector;
        struct ocra_suite server;
        suite_read(cases[i][0], &vector);
        ocra_suite_server(&vector.suite, &server);
        vector.suite = server;
        vector.key_size = server.algorithm == KERNEL_SHA512 ? 64 : 32;
        for (size_t k = 0; k < vector.key_size; k++) vector.key[k] = (uint8_t)('0' + (k + 1) % 10);
        vector.input.questions[0] = (struct ocra_question){.text = cases[i][1], .size = 8};
        vector.input.questions[1] = (struct ocra_question){.text = cases[i][2], .size = 8};
        vector.response = cases[i][3];
        expect_response(&vector, &vector.input, true);
    }
}

static void a_drawn_challenge_is_as_long_as_the_suite_allows_and_of_its_characters(void **state)
{
    (void)state;
    static const char *const suites[] = {"OCRA-1:HOTP-SHA1-6:QN08", "OCRA-1:HOTP-SHA1-6:QH40",
                                         "OCRA-1:HOTP-SHA1-6:QA64"};
    static const unsigned counts[] = {10, 16, 62}, unfair[] = {250, 256, 248};
    for (size_t s = 0; s < 3; s++) {
        struct vector vector;
        struct ocra_message message;
        char text[OCRA_QUESTION_SIZE_MAX + 1] = "as it was";
        uint8_t random[OCRA_DRAW_SIZE];
        unsigned seen[256] = {0};
        suite_read(suites[s], &vector);
        size_t size = vector.suite.question_max;
        /* Each byte that may be used stands for a character, and each character for as many bytes. */
        for (unsigned byte = 0; byte < unfair[s]; byte++) {
            memset(random, (int)byte, sizeof random);
            assert_false(ocra_challenge_draw(&vector.suite, random, size - 1, text));
            assert_true(ocra_challenge_draw(&vector.suite, random, size, text));
            assert_int_equal(strlen(text), size);
            struct ocra_input input = {.questions = {{.text = text, .size = size}}};
            assert_int_equal(ocra_message_make(&vector.suite, &input, &message).code, OK);
            seen[(uint8_t)text[0]]++;
        }
        unsigned characters = 0;
        for (unsigned c = 0; c < 256; c++) {
            if (!seen[c]) continue;
            characters++;
            assert_int_equal(seen[c], unfair[s] / counts[s]);
        }
        assert_int_equal(characters, counts[s]);
        for (unsigned byte = unfair[s]; byte < 256; byte++) {
            memset(random, (int)byte, sizeof random);
            assert_false(ocra_challenge_draw(&vector.suite, random, sizeof random, text));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_of_rfc_6287_appendix_c_is_met),
        cmocka_unit_test(random_cases_of_every_form_agree_with_a_reference_written_apart),
        cmocka_unit_test(a_vector_with_any_one_input_changed_is_not_met),
        cmocka_unit_test(a_response_with_any_one_character_changed_does_not_fit),
        cmocka_unit_test(every_form_of_a_suite_is_read_and_every_other_refused),
        cmocka_unit_test(a_suite_cut_short_anywhere_or_with_a_zero_byte_in_it_is_another_or_none),
        cmocka_unit_test(inputs_that_do_not_fit_the_suite_are_refused_by_name),
        cmocka_unit_test(inputs_that_the_suite_does_not_have_are_refused_and_not_passed_over),
        cmocka_unit_test(hexadecimal_challenges_are_the_same_in_either_case),
        cmocka_unit_test(the_longest_inputs_fit_the_message),
        cmocka_unit_test(a_message_moved_to_another_step_is_the_message_made_for_it),
        cmocka_unit_test(time_steps_are_counted_from_1970),
        cmocka_unit_test(a_typed_response_has_the_digits_of_its_suite_and_nothing_else),
        cmocka_unit_test(a_whole_hmac_may_be_typed_in_upper_case),
        cmocka_unit_test(a_drawn_challenge_is_as_long_as_the_suite_allows_and_of_its_characters),
        cmocka_unit_test(a_server_s_suite_is_the_token_s_without_its_pin),
        cmocka_unit_test(a_server_s_response_is_that_of_appendix_c_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
