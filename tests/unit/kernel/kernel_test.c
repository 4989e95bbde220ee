/* Every kernel that this machine has, against published vectors, OpenSSL and the portable one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "helpers.h"

static void kernels_give_the_values_of_rfc_4226(void **state)
{
    (void)state;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels), rows = 0;
    _Alignas(8) uint8_t midstates[KERNEL_SHA1_MIDSTATES];
    const void *pointer = midstates;
    kernel_midstates(KERNEL_SHA1, (const uint8_t *)"12345678901234567890", 20, midstates);
    FILE *file = fopen(TESTS_FOLDER "/vectors/rfc4226_appendix_d.csv", "r");
    assert_non_null(file);
    char line[256];
    while (fgets(line, sizeof line, file)) {
        unsigned long long counter;
        unsigned expected, code;
        if (sscanf(line, "%llu,%u,%u", &counter, &expected, &code) != 3) continue;
        rows++;
        for (size_t k = 0; k < kernel_count; k++) {
            uint64_t one = counter;
            uint32_t truncated = 0;
            kernels[k]->steps[KERNEL_SHA1](&pointer, &one, &truncated, 1);
            assert_int_equal(truncated, expected);
            assert_int_equal(kernel_digits(truncated, 6), code);
        }
    }
    fclose(file);
    assert_int_equal(rows, 10);
}

/* The rows of one algorithm of RFC 6238. */
struct totp_rows {
    uint64_t steps[BATCH_MAX];
    uint32_t codes[BATCH_MAX];
    size_t count;
};

static void totp_rows_read(struct totp_rows ret_rows[KERNEL_ALGORITHM_COUNT])
{
    static const char *const names[] = {"SHA1", "SHA256", "SHA512"};
    FILE *file = fopen(TESTS_FOLDER "/vectors/rfc6238_appendix_b.csv", "r");
    assert_non_null(file);
    char line[256], name[8];
    unsigned long long step;
    unsigned code;
    while (fgets(line, sizeof line, file))
        for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
            if (sscanf(line, "%7[A-Z0-9],%*u,%llx,%u", name, &step, &code) != 3 || strcmp(name, names[a]) != 0)
                continue;
            ret_rows[a].steps[ret_rows[a].count] = step;
            ret_rows[a].codes[ret_rows[a].count++] = code;
        }
    fclose(file);
}

/* Steps, and the code and the one above it tried on them. */
static void check_totp_rows(const struct kernel *kernel, int a, const struct totp_rows *rows)
{
    uint8_t seed[64], digits[BATCH_MAX], fits[BATCH_MAX];
    _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
    const void *pointers[BATCH_MAX];
    uint32_t truncated[BATCH_MAX], above[BATCH_MAX];
    for (size_t i = 0; i < sizeof seed; i++) seed[i] = (uint8_t)('0' + (i + 1) % 10);
    kernel_midstates((enum kernel_algorithm)a, seed, a == KERNEL_SHA1 ? 20 : a == KERNEL_SHA256 ? 32 : 64, midstates);
    for (size_t i = 0; i < rows->count; i++) {
        pointers[i] = midstates;
        digits[i] = 8;
        above[i] = rows->codes[i] + 1;
    }
    kernel->steps[a](pointers, rows->steps, truncated, rows->count);
    struct kernel_match match = {.count = rows->count,
                                 .midstates = pointers,
                                 .counters = rows->steps,
                                 .codes = rows->codes,
                                 .digits = digits,
                                 .ret_fits = fits};
    kernel->match[a](&match);
    for (size_t i = 0; i < rows->count; i++) {
        assert_int_equal(kernel_digits(truncated[i], 8), rows->codes[i]);
        assert_int_equal(fits[i], 1);
    }
    match.codes = above;
    kernel->match[a](&match);
    for (size_t i = 0; i < rows->count; i++) assert_int_equal(fits[i], 0);
}

static void kernels_give_the_values_of_rfc_6238(void **state)
{
    (void)state;
    struct totp_rows rows[KERNEL_ALGORITHM_COUNT] = {0};
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    totp_rows_read(rows);
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
        assert_int_equal(rows[a].count, 6);
        for (size_t k = 0; k < kernel_count; k++) check_totp_rows(kernels[k], a, &rows[a]);
    }
}

static void every_batch_size_agrees_with_openssl_and_writes_nothing_beyond(void **state)
{
    (void)state;
    static struct batch batch;
    uint64_t random = 1;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    for (size_t k = 0; k < kernel_count; k++)
        for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
            unsigned lanes = kernels[k]->lanes[a];
            assert_in_range(2 * lanes + 1, 3, BATCH_MAX);
            for (size_t count = 0; count <= 2 * lanes + 1; count++) {
                batch_fill(&batch, (enum kernel_algorithm)a, &random, count);
                memset(batch.truncated, 0xff, sizeof batch.truncated);
                kernels[k]->steps[a](batch.pointers, batch.counters, batch.truncated, count);
                assert_memory_equal(batch.truncated, batch.expected, count * sizeof batch.expected[0]);
                for (size_t i = count; i <= BATCH_MAX; i++) assert_int_equal(batch.truncated[i], UINT32_MAX);
            }
        }
}

/* OpenSSL is the slowest of all: it sees a tenth of the cases. */
static void random_batches_of_every_kernel_agree_with_openssl(void **state)
{
    (void)state;
    static struct batch batch;
    uint64_t random = 2;
    size_t cases = kernel_cases() / 10;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    for (size_t done = 0, turn = 0; done < cases; turn++) {
        enum kernel_algorithm a = (enum kernel_algorithm)(turn % KERNEL_ALGORITHM_COUNT);
        size_t count = 1 + random_next(&random) % BATCH_MAX;
        batch_fill(&batch, a, &random, count);
        for (size_t k = 0; k < kernel_count; k++) {
            memset(batch.truncated, 0xff, sizeof batch.truncated);
            kernels[k]->steps[a](batch.pointers, batch.counters, batch.truncated, count);
            assert_memory_equal(batch.truncated, batch.expected, count * sizeof batch.expected[0]);
        }
        done += count;
    }
    print_message("counted: %zu random cases on each of %zu kernels, against OpenSSL\n", cases, kernel_count);
}

/* Any bytes are midstates of some seed or other, as far as a kernel can tell. */
static void random_midstates_give_the_same_on_every_kernel(void **state)
{
    (void)state;
    static struct batch batch;
    uint64_t random = 5;
    size_t cases = kernel_cases();
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    for (size_t done = 0, turn = 0; done < cases; turn++) {
        enum kernel_algorithm a = (enum kernel_algorithm)(turn % KERNEL_ALGORITHM_COUNT);
        size_t count = 1 + random_next(&random) % BATCH_MAX;
        batch_fill_midstates(&batch, a, &random, count);
        kernels[0]->steps[a](batch.pointers, batch.counters, batch.expected, count);
        for (size_t k = 1; k < kernel_count; k++) {
            if (kernels[k]->steps[a] == kernels[0]->steps[a]) continue;
            kernels[k]->steps[a](batch.pointers, batch.counters, batch.truncated, count);
            assert_memory_equal(batch.truncated, batch.expected, count * sizeof batch.expected[0]);
        }
        done += count;
    }
    print_message("%zu random midstates, %zu kernels\n", cases, kernel_count);
}

static void seeds_on_both_sides_of_the_block_size_give_right_midstates(void **state)
{
    (void)state;
    uint8_t seed[300];
    uint64_t random = 3, counter = 7;
    const struct kernel *const *kernels;
    kernel_list(&kernels);
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++)
        for (size_t size = 0; size <= sizeof seed; size++) {
            _Alignas(8) uint8_t midstates[KERNEL_SHA512_MIDSTATES];
            const void *pointer = midstates;
            uint32_t truncated;
            random_bytes(&random, seed, size);
            kernel_midstates((enum kernel_algorithm)a, seed, size, midstates);
            kernels[0]->steps[a](&pointer, &counter, &truncated, 1);
            assert_int_equal(truncated, oracle_truncated((enum kernel_algorithm)a, seed, size, counter));
        }
}

static void digits_are_the_remainder_at_every_edge_and_on_random_values(void **state)
{
    (void)state;
    static const uint32_t powers[] = {1000000, 10000000, 100000000};
    uint64_t random = 4;
    for (unsigned digits = 6; digits <= 8; digits++) {
        uint32_t power = powers[digits - 6];
        for (uint64_t multiple = 0; multiple <= INT32_MAX; multiple += power)
            for (int by = -1; by <= 1; by++) {
                uint32_t value = (uint32_t)(multiple + (uint64_t)(int64_t)by) & INT32_MAX;
                assert_int_equal(kernel_digits(value, digits), value % power);
            }
        for (int i = 0; i < 100000; i++) {
            uint32_t value = (uint32_t)random_next(&random) & INT32_MAX;
            assert_int_equal(kernel_digits(value, digits), value % power);
        }
    }
}

static void the_kernel_is_chosen_by_name_then_by_the_variable_else_the_best(void **state)
{
    (void)state;
    const struct kernel *const *kernels, *chosen = NULL;
    size_t count = kernel_list(&kernels);
    assert_true(count >= 1);
    assert_string_equal(kernels[0]->name, "portable");
    unsetenv("OTPRING_KERNEL");
    assert_false(result_failed(kernel_choose(NULL, &chosen)));
    assert_ptr_equal(chosen, kernels[count - 1]);
    for (size_t k = 0; k < count; k++) {
        assert_false(result_failed(kernel_choose(kernels[k]->name, &chosen)));
        assert_ptr_equal(chosen, kernels[k]);
    }
    setenv("OTPRING_KERNEL", "portable", 1);
    assert_false(result_failed(kernel_choose("auto", &chosen)));
    assert_ptr_equal(chosen, kernels[0]);
    assert_false(result_failed(kernel_choose(kernels[count - 1]->name, &chosen)));
    assert_ptr_equal(chosen, kernels[count - 1]);
    setenv("OTPRING_KERNEL", "nonesuch", 1);
    chosen = kernels[0];
    assert_int_equal(kernel_choose(NULL, &chosen).code, BAD_ARGUMENT);
    assert_int_equal(kernel_choose("sha_ni ", &chosen).code, BAD_ARGUMENT);
    assert_ptr_equal(chosen, kernels[0]);
    unsetenv("OTPRING_KERNEL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_give_the_values_of_rfc_4226),
        cmocka_unit_test(kernels_give_the_values_of_rfc_6238),
        cmocka_unit_test(every_batch_size_agrees_with_openssl_and_writes_nothing_beyond),
        cmocka_unit_test(random_batches_of_every_kernel_agree_with_openssl),
        cmocka_unit_test(random_midstates_give_the_same_on_every_kernel),
        cmocka_unit_test(seeds_on_both_sides_of_the_block_size_give_right_midstates),
        cmocka_unit_test(digits_are_the_remainder_at_every_edge_and_on_random_values),
        cmocka_unit_test(the_kernel_is_chosen_by_name_then_by_the_variable_else_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
