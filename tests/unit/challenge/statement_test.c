/* What a device signs, against the statements of a device that was written from the page alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "challenge/statement.h"
#include "vault/device_key.h"

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

/* A device as vault/device_key.h makes one. */
struct device {
    uint8_t private_key[DEVICE_PRIVATE_SIZE], signature[DEVICE_SIGNATURE_SIZE];
    struct device_key key;
};

/* The statement field by field in the form of all device statements, signed by the device. */
static struct challenge_proof proof_signed(enum device_algorithm algorithm, const struct challenge_answer *answer,
                                           struct device *device)
{
    struct challenge_proof proof = {.key_kind = (uint8_t)algorithm, .signature_size = DEVICE_SIGNATURE_SIZE};
    struct device_statement statement;
    const uint8_t decision = answer->act == CHALLENGE_APPROVE ? 1 : 2;
    const uint8_t number[8] = {0, 0, 0, 0, 0, 0, 0, (uint8_t)answer->device}, counter[8] = {0, 0, 0, 0, 0, 0, 0, 9};
    assert_int_equal(device_pair_make(algorithm, device->private_key, &device->key).code, OK);
    device_statement_begin(&statement, "otpring answer");
    device_statement_add(&statement, answer->digest, sizeof answer->digest);
    device_statement_add(&statement, &decision, 1);
    device_statement_add(&statement, &answer->reason, 1);
    device_statement_add(&statement, &answer->number, 1);
    device_statement_add(&statement, number, 8);
    device_statement_add(&statement, counter, 8);
    assert_int_equal(device_sign(algorithm, device->private_key, &statement, device->signature).code, OK);
    challenge_statement_write(answer, 9, proof.statement);
    assert_int_equal(statement.size, CHALLENGE_STATEMENT_SIZE);
    assert_memory_equal(statement.bytes, proof.statement, CHALLENGE_STATEMENT_SIZE);
    proof.key = device->key.bytes, proof.key_size = device->key.size;
    proof.signature = device->signature;
    return proof;
}

static bool is_good(const struct challenge_proof *proof)
{
    bool good = true;
    challenge_proofs_check(proof, 1, &good);
    return good;
}

static void a_proof_is_good_for_its_key_and_no_other_bit_of_statement_or_signature(void **state)
{
    (void)state;
    for (enum device_algorithm algorithm = DEVICE_ES256; algorithm <= DEVICE_ED25519; algorithm++) {
        struct device device, other;
        struct challenge_answer answer = approval();
        struct challenge_proof proof = proof_signed(algorithm, &answer, &device), changed = proof;
        struct challenge_proof of_other = proof_signed(algorithm, &answer, &other);
        assert_true(is_good(&proof));
        for (size_t bit = 0; bit < 8 * CHALLENGE_STATEMENT_SIZE; bit++) {
            changed.statement[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(is_good(&changed));
            changed.statement[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * DEVICE_SIGNATURE_SIZE; bit++) {
            device.signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(is_good(&proof));
            device.signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        changed.key = of_other.key;
        assert_false(is_good(&changed));
    }
}

static void what_cannot_be_checked_is_not_good(void **state)
{
    (void)state;
    struct device device;
    struct challenge_answer answer = approval();
    const struct challenge_proof good = proof_signed(DEVICE_ED25519, &answer, &device);
    struct challenge_proof bad = good;
    bad.key_kind = DEVICE_ES256;
    assert_false(is_good(&bad));
    bad.key_kind = 3;
    assert_false(is_good(&bad));
    bad = good, bad.key_size--;
    assert_false(is_good(&bad));
    bad = good, bad.signature_size--;
    assert_false(is_good(&bad));
    assert_true(is_good(&good));
}

static void of_many_proofs_each_is_judged_by_itself(void **state)
{
    (void)state;
    static struct device devices[CHALLENGE_PROOFS_MAX];
    static struct challenge_proof proofs[CHALLENGE_PROOFS_MAX];
    bool good[CHALLENGE_PROOFS_MAX];
    for (size_t i = 0; i < CHALLENGE_PROOFS_MAX; i++) {
        struct challenge_answer answer = approval();
        answer.device = 1 + i % 200;
        proofs[i] = proof_signed(i % 2 ? DEVICE_ES256 : DEVICE_ED25519, &answer, &devices[i]);
        if (i % 3 == 0) devices[i].signature[i % DEVICE_SIGNATURE_SIZE] ^= 1;
        if (i % 7 == 0) proofs[i].key_kind = 9;
    }
    challenge_proofs_check(proofs, CHALLENGE_PROOFS_MAX, good);
    for (size_t i = 0; i < CHALLENGE_PROOFS_MAX; i++) assert_int_equal(good[i], i % 3 != 0 && i % 7 != 0);
    challenge_proofs_check(proofs, 0, good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_those_of_the_device_page),
        cmocka_unit_test(a_statement_of_any_other_form_is_refused),
        cmocka_unit_test(a_proof_comes_back_as_it_was_and_no_other_size_is_taken),
        cmocka_unit_test(a_proof_is_good_for_its_key_and_no_other_bit_of_statement_or_signature),
        cmocka_unit_test(what_cannot_be_checked_is_not_good),
        cmocka_unit_test(of_many_proofs_each_is_judged_by_itself),
        cmocka_unit_test(a_proof_without_key_or_signature_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
