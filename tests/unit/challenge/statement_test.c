/* What a device signs, against the statements of a device that was written from the page alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "challenge/statement.h"

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

static void statements_are_those_of_the_device_page(void **state)
{
    (void)state;
    FILE *file = fopen(TESTS_FOLDER "/vectors/challenge_statements.csv", "r");
    assert_non_null(file);
    char line[512], digest[65], statement[181];
    int rows = 0;
    while (fgets(line, sizeof line, file)) {
        struct challenge_answer answer = {0}, read;
        uint8_t expected[CHALLENGE_STATEMENT_SIZE], made[CHALLENGE_STATEMENT_SIZE];
        unsigned decision, reason, number;
        unsigned long long device, counter;
        uint64_t read_counter;
        if (sscanf(line, "%u,%u,%u,%llu,%llu,%64[0-9a-f],%180[0-9a-f]", &decision, &reason, &number, &device, &counter,
                   digest, statement) != 7)
            continue;
        answer.act = decision == 1 ? CHALLENGE_APPROVE : CHALLENGE_REFUSE;
        answer.reason = (uint8_t)reason, answer.number = (uint8_t)number, answer.device = device;
        from_hex(digest, answer.digest, sizeof answer.digest);
        assert_int_equal(from_hex(statement, expected, sizeof expected), sizeof expected);
        challenge_statement_write(&answer, counter, made);
        assert_memory_equal(made, expected, sizeof made);
        assert_int_equal(challenge_statement_read(made, &read, &read_counter).code, OK);
        assert_memory_equal(&read, &answer, sizeof read);
        assert_true(read_counter == counter);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 40);
}

static struct challenge_answer approval(void)
{
    return (struct challenge_answer){.act = CHALLENGE_APPROVE, .number = 42, .device = 7, .digest = {1, 2, 3}};
}

/* Each byte in turn changed to each other value: what is taken is what is written. */
static void a_statement_of_any_other_form_is_refused(void **state)
{
    (void)state;
    uint8_t good[CHALLENGE_STATEMENT_SIZE], bad[CHALLENGE_STATEMENT_SIZE], again[CHALLENGE_STATEMENT_SIZE];
    struct challenge_answer answer = approval(), read;
    uint64_t counter;
    int taken = 0;
    challenge_statement_write(&answer, 9, good);
    for (size_t at = 0; at < sizeof good; at++)
        for (unsigned value = 0; value < 256; value++) {
            memcpy(bad, good, sizeof bad);
            bad[at] = (uint8_t)value;
            if (value == good[at] || result_failed(challenge_statement_read(bad, &read, &counter))) continue;
            challenge_statement_write(&read, counter, again);
            assert_memory_equal(again, bad, sizeof again);
            taken++;
        }
    /* Any other digest; refused instead; other numbers, and none; other devices, but none; other counters. */
    assert_int_equal(taken, 32 * 255 + 1 + 90 + 8 * 255 - 1 + 8 * 255);
    challenge_statement_write(&answer, 9, bad);
    bad[55] = 2, bad[60] = CHALLENGE_WRONG_NUMBER; /* refused for a reason that is the engine's */
    assert_int_equal(challenge_statement_read(bad, &read, &counter).code, CHALLENGE_BAD_STATEMENT);
}

static void a_proof_comes_back_as_it_was_and_no_other_size_is_taken(void **state)
{
    (void)state;
    uint8_t bytes[CHALLENGE_PROOF_SIZE_MAX + 1], key[65] = {4, 1}, signature[64] = {9};
    struct challenge_answer answer = approval();
    struct challenge_proof proof = {
        .key_kind = 1, .key = key, .key_size = sizeof key, .signature = signature, .signature_size = sizeof signature};
    struct challenge_proof read;
    size_t size;
    challenge_statement_write(&answer, 9, proof.statement);
    assert_int_equal(challenge_proof_encode(&proof, bytes, &size).code, OK);
    assert_int_equal(size, CHALLENGE_STATEMENT_SIZE + 3 + 65 + 64);
    assert_int_equal(challenge_proof_decode(bytes, size, &read).code, OK);
    assert_memory_equal(read.statement, proof.statement, CHALLENGE_STATEMENT_SIZE);
    assert_int_equal(read.key_kind, 1);
    assert_int_equal(read.key_size, 65);
    assert_memory_equal(read.key, key, 65);
    assert_int_equal(read.signature_size, 64);
    assert_memory_equal(read.signature, signature, 64);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1); /* of the exact size, so that a read past the end is seen */
        memcpy(copy, bytes, cut);
        assert_int_equal(challenge_proof_decode(copy, cut, &read).code, CHALLENGE_BAD_STATEMENT);
        free(copy);
    }
    bytes[size] = 0;
    assert_int_equal(challenge_proof_decode(bytes, size + 1, &read).code, CHALLENGE_BAD_STATEMENT);
    bytes[55] = 3; /* the statement in it is read too */
    assert_int_equal(challenge_proof_decode(bytes, size, &read).code, CHALLENGE_BAD_STATEMENT);
}

static void a_proof_without_key_or_signature_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[CHALLENGE_PROOF_SIZE_MAX], some[129] = {1};
    struct challenge_answer answer = approval();
    const struct challenge_proof good = {
        .key_kind = 2, .key = some, .key_size = 128, .signature = some, .signature_size = 128};
    struct challenge_proof bad = good;
    size_t size;
    challenge_statement_write(&answer, 9, bad.statement);
    assert_int_equal(challenge_proof_encode(&bad, bytes, &size).code, OK);
    assert_int_equal(size, CHALLENGE_PROOF_SIZE_MAX);
    bad = good, bad.key_kind = 0;
    assert_int_equal(challenge_proof_encode(&bad, bytes, &size).code, CHALLENGE_BAD_STATEMENT);
    bad = good, bad.key_size = 0;
    assert_int_equal(challenge_proof_encode(&bad, bytes, &size).code, CHALLENGE_BAD_STATEMENT);
    bad.key_size = 129;
    assert_int_equal(challenge_proof_encode(&bad, bytes, &size).code, CHALLENGE_BAD_STATEMENT);
    bad = good, bad.signature_size = 0;
    assert_int_equal(challenge_proof_encode(&bad, bytes, &size).code, CHALLENGE_BAD_STATEMENT);
    bad.signature_size = 129;
    assert_int_equal(challenge_proof_encode(&bad, bytes, &size).code, CHALLENGE_BAD_STATEMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_those_of_the_device_page),
        cmocka_unit_test(a_statement_of_any_other_form_is_refused),
        cmocka_unit_test(a_proof_comes_back_as_it_was_and_no_other_size_is_taken),
        cmocka_unit_test(a_proof_without_key_or_signature_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
