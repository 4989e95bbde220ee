/* Codes tried in the lanes of every kernel that this machine has, against kernel_digits and a comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "helpers.h"
#include "kernel/hmac.h"
#ifdef __x86_64__
#include "kernel/avx2.h"
#include "kernel/avx512.h"
#endif

enum { CANARY = 0xa5 };

static const uint32_t powers[] = {1000000, 10000000, 100000000};

struct codes {
    uint32_t codes[BATCH_MAX];
    uint8_t digits[BATCH_MAX];
    uint8_t expected[BATCH_MAX];
    uint8_t fits[BATCH_MAX + 1];
    const void *prefetch[2 * BATCH_MAX];
};

/* A code near the truth: right, off by one, right for other digits, as great as can be, or any. */
static uint32_t some_code(uint32_t truncated, unsigned digits, uint64_t *random)
{
    uint32_t power = powers[digits - 6];
    switch (random_next(random) % 8) {
    case 0:
        return (kernel_digits(truncated, digits) + 1) % power;
    case 1:
        return (kernel_digits(truncated, digits) + power - 1) % power;
    case 2:
        return kernel_digits(truncated, 6 + (unsigned)(random_next(random) % 3)) % power;
    case 3:
        return power - 1;
    case 4:
        return (uint32_t)random_next(random) % power;
    default:
        return kernel_digits(truncated, digits);
    }
}

/* Addresses that no one may touch, and one that anyone may. */
static const void *some_address(uint64_t *random)
{
    static const uint64_t wild[] = {0, 1, 0xfff, 0x7fffffffffff, 0x8000000000000000, UINT64_MAX, 0x123456789abcdef0};
    static uint8_t mapped[64];
    uint64_t which = random_next(random) % (sizeof wild / sizeof *wild + 2);
    if (which < sizeof wild / sizeof *wild) return (const void *)(uintptr_t)wild[which];
    return which % 2 ? mapped : (const void *)(uintptr_t)random_next(random);
}

static void codes_fill(struct codes *codes, const struct batch *batch, uint64_t *random, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned digits = 6 + (unsigned)(random_next(random) % 3);
        codes->digits[i] = (uint8_t)digits;
        codes->codes[i] = some_code(batch->expected[i], digits, random);
        codes->expected[i] = kernel_digits(batch->expected[i], digits) == codes->codes[i];
        for (int p = 0; p < 2; p++) codes->prefetch[2 * i + (size_t)p] = some_address(random);
    }
    memset(codes->fits, CANARY, sizeof codes->fits);
}

enum loads { NO_LOADS, LOADS_SPREAD, LOADS_IN_BURSTS, LOADS_COUNT };

static void check_match(const struct kernel *kernel, int algorithm, const struct batch *batch, struct codes *codes,
                        size_t count, enum loads loads)
{
    memset(codes->fits, CANARY, sizeof codes->fits);
    const struct kernel_match match = {.count = count,
                                       .midstates = batch->pointers,
                                       .counters = batch->counters,
                                       .codes = codes->codes,
                                       .digits = codes->digits,
                                       .ret_fits = codes->fits,
                                       .prefetch = loads == NO_LOADS ? NULL : codes->prefetch,
                                       .bursts = loads == LOADS_IN_BURSTS};
    kernel->match[algorithm](&match);
    assert_memory_equal(codes->fits, codes->expected, count);
    for (size_t i = count; i <= BATCH_MAX; i++) assert_int_equal(codes->fits[i], CANARY);
}

static void every_batch_size_finds_the_codes_that_fit_and_writes_nothing_beyond(void **state)
{
    (void)state;
    static struct batch batch;
    static struct codes codes;
    uint64_t random = 11;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    for (size_t k = 0; k < kernel_count; k++)
        for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++)
            for (size_t count = 0; count <= 2 * kernels[k]->lanes[a] + 1; count++) {
                batch_fill(&batch, (enum kernel_algorithm)a, &random, count);
                codes_fill(&codes, &batch, &random, count);
                for (int loads = 0; loads < LOADS_COUNT; loads++)
                    check_match(kernels[k], a, &batch, &codes, count, (enum loads)loads);
            }
}

static void random_codes_fit_on_every_kernel_just_where_the_remainder_is_the_code(void **state)
{
    (void)state;
    static struct batch batch;
    static struct codes codes;
    uint64_t random = 12;
    size_t cases = kernel_cases();
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    for (size_t done = 0, turn = 0; done < cases; turn++) {
        enum kernel_algorithm a = (enum kernel_algorithm)(turn % KERNEL_ALGORITHM_COUNT);
        size_t count = 1 + random_next(&random) % BATCH_MAX;
        batch_fill_midstates(&batch, a, &random, count);
        kernels[kernel_count - 1]->steps[a](batch.pointers, batch.counters, batch.expected, count);
        codes_fill(&codes, &batch, &random, count);
        for (size_t k = 0; k < kernel_count; k++)
            if (k == 0 || kernels[k]->match[a] != kernels[0]->match[a])
                check_match(kernels[k], a, &batch, &codes, count,
                            (enum loads)(turn / KERNEL_ALGORITHM_COUNT % LOADS_COUNT));
        done += count;
    }
    print_message("%zu random codes, %zu kernels\n", cases, kernel_count);
}

/* ---- loads in bursts ---- */

/* Groups of as many lanes, the last one filled up; `lanes` 0: streams, which go by four, or five and six by three. */
static size_t group_end(size_t begin, size_t count, size_t lanes)
{
    size_t left = count - begin;
    if (lanes > 0) return begin + lanes;
    return begin + (count == 5 || count == 6 ? (left < 3 ? left : 3) : left < 4 ? left : 4);
}

static void a_group_is_asked_for_before_it_is_hashed_and_a_burst_at_least(void **state)
{
    (void)state;
    for (size_t count = 1; count <= BATCH_MAX; count++) {
        const void **nothing = calloc(2 * count, sizeof *nothing); /* a sanitizer sees who reads beyond */
        const struct kernel_match match = {.count = count, .prefetch = nothing, .bursts = true};
        for (size_t lanes = 0; lanes <= 16; lanes++) {
            size_t asked = 0;
            for (size_t begin = 0, end; begin < count; begin = end) {
                end = group_end(begin, count, lanes);
                size_t before = asked;
                prefetch_before(&match, end, &asked);
                assert_true(asked >= end || asked == count);
                assert_true(asked <= count);
                if (before >= end || before == count)
                    assert_int_equal(asked, before);
                else
                    assert_true(asked - before >= PREFETCH_BURST_MEMBERS || asked == count);
            }
            assert_int_equal(asked, count);
        }
        free(nothing);
    }
}

static void what_is_asked_for_in_bursts_is_not_asked_for_between_rounds_too(void **state)
{
    (void)state;
    const void *const nothing[2] = {NULL, NULL};
    struct kernel_match match = {.count = 1, .prefetch = nothing, .bursts = true};
    size_t asked = 0;
    assert_null(prefetch_between(&match));
    match.bursts = false;
    assert_ptr_equal(prefetch_between(&match), nothing);
    prefetch_before(&match, 1, &asked);
    assert_int_equal(asked, 0);
}

/* ---- swaps beside the hash ---- */

/* Words that must be swapped in order: entry i takes word i % 5 from what the entry before it left, but for some that
 * expect what is not there. */
static void check_swaps(const struct kernel *kernel, int algorithm, const struct batch *batch, struct codes *codes,
                        size_t count, size_t swap_count, uint64_t *random)
{
    enum { WORDS = 5, SWAPS = 2 * BATCH_MAX };
    _Atomic uint64_t values[WORDS] = {0}, *words[SWAPS];
    uint64_t seen[SWAPS], next[SWAPS], expected[WORDS] = {0};
    uint8_t done[SWAPS + 1], expected_done[SWAPS + 1];
    memset(done, CANARY, sizeof done);
    memset(expected_done, CANARY, sizeof expected_done);
    for (size_t i = 0; i < swap_count; i++) {
        bool fits = random_next(random) % 4 != 0;
        words[i] = &values[i % WORDS];
        seen[i] = expected[i % WORDS] + !fits;
        next[i] = random_next(random);
        expected_done[i] = fits;
        if (fits) expected[i % WORDS] = next[i];
    }
    struct kernel_swaps swaps = {.count = swap_count, .words = words, .seen = seen, .next = next, .ret_done = done};
    kernel->match[algorithm](&(struct kernel_match){.count = count,
                                                    .midstates = batch->pointers,
                                                    .counters = batch->counters,
                                                    .codes = codes->codes,
                                                    .digits = codes->digits,
                                                    .ret_fits = codes->fits,
                                                    .swaps = &swaps});
    assert_int_equal(swaps.at, swap_count);
    assert_memory_equal(done, expected_done, sizeof done);
    for (int w = 0; w < WORDS; w++) assert_true(values[w] == expected[w]);
    assert_memory_equal(codes->fits, codes->expected, count);
}

static void swaps_are_done_in_order_by_the_end_of_every_batch(void **state)
{
    (void)state;
    static struct batch batch;
    static struct codes codes;
    uint64_t random = 14;
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    for (size_t k = 0; k < kernel_count; k++)
        for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++)
            for (size_t count = 0; count <= BATCH_MAX; count += count < 20 ? 1 : 11) {
                batch_fill(&batch, (enum kernel_algorithm)a, &random, count);
                codes_fill(&codes, &batch, &random, count);
                for (size_t swaps = 0; swaps <= 2 * BATCH_MAX; swaps += swaps < 4 ? 1 : 31)
                    check_swaps(kernels[k], a, &batch, &codes, count, swaps, &random);
                check_swaps(kernels[k], a, &batch, &codes, count, count, &random);
            }
}

/* ---- the comparison alone, on values that no one can make HMAC give ---- */

typedef void fits_function(const uint32_t *truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits);

struct comparison {
    fits_function *function;
    size_t lanes;
};

static void plain_fits(const uint32_t *truncated, const uint32_t *codes, const uint8_t *digits, uint8_t *ret_fits)
{
    *ret_fits = code_fits(*truncated, *codes, *digits);
}

#ifdef __x86_64__
static bool kernel_is_here(const char *name)
{
    const struct kernel *const *kernels;
    size_t count = kernel_list(&kernels);
    for (size_t k = 0; k < count; k++)
        if (strcmp(kernels[k]->name, name) == 0) return true;
    return false;
}
#endif

static size_t comparisons_here(struct comparison ret_comparisons[5])
{
    size_t count = 0;
    ret_comparisons[count++] = (struct comparison){plain_fits, 1};
#ifdef __x86_64__
    if (kernel_is_here("avx2")) {
        ret_comparisons[count++] = (struct comparison){avx2_fits32, AVX2_LANES};
        ret_comparisons[count++] = (struct comparison){avx2_fits64, AVX2_LONG_LANES};
    }
    if (kernel_is_here("avx512")) {
        ret_comparisons[count++] = (struct comparison){avx512_fits32, AVX512_LANES};
        ret_comparisons[count++] = (struct comparison){avx512_fits64, AVX512_LONG_LANES};
    }
#endif
    return count;
}

/* Values wait until every lane of the widest vector has one. */
struct pending {
    struct comparison comparisons[5];
    size_t comparison_count;
    size_t count;
    uint32_t truncated[16], codes[16];
    uint8_t digits[16];
};

static void pending_check(struct pending *pending)
{
    for (size_t c = 0; c < pending->comparison_count; c++)
        for (size_t first = 0; first < 16; first += pending->comparisons[c].lanes) {
            uint8_t fits[17];
            memset(fits, CANARY, sizeof fits);
            pending->comparisons[c].function(pending->truncated + first, pending->codes + first,
                                             pending->digits + first, fits);
            for (size_t i = 0; i < pending->comparisons[c].lanes; i++) {
                uint32_t remainder = pending->truncated[first + i] % powers[pending->digits[first + i] - 6];
                assert_int_equal(fits[i], remainder == pending->codes[first + i]);
            }
            assert_int_equal(fits[pending->comparisons[c].lanes], CANARY);
        }
    pending->count = 0;
}

static void pending_add(struct pending *pending, uint32_t truncated, uint32_t code, unsigned digits)
{
    pending->truncated[pending->count] = truncated;
    pending->codes[pending->count] = code;
    pending->digits[pending->count] = (uint8_t)digits;
    if (++pending->count == 16) pending_check(pending);
}

/* Round every multiple of 10^digits up to 2^31 - 1, with codes at both ends, the right one, and its neighbours. */
static void the_comparison_is_right_at_every_edge_of_the_truncated_value(void **state)
{
    (void)state;
    struct pending pending = {0};
    pending.comparison_count = comparisons_here(pending.comparisons);
    for (unsigned digits = 6; digits <= 8; digits++) {
        uint32_t power = powers[digits - 6];
        for (uint64_t multiple = 0; multiple <= (uint64_t)INT32_MAX + 2; multiple += power)
            for (int by = -2; by <= 2; by++) {
                uint32_t value = (uint32_t)(multiple + (uint64_t)(int64_t)by) & INT32_MAX;
                const uint32_t codes[] = {0, 1, power - 1, value % power, (value + 1) % power, (value - 1u) % power};
                for (size_t c = 0; c < sizeof codes / sizeof *codes; c++)
                    pending_add(&pending, value, codes[c], digits);
            }
        for (uint32_t back = 0; back < 64; back++) {
            pending_add(&pending, INT32_MAX - back, (INT32_MAX - back) % power, digits);
            pending_add(&pending, back, power - 1 - back, digits); /* the difference wraps below zero */
        }
    }
    while (pending.count) pending_add(&pending, 0, 0, 6);
}

static void the_comparison_is_right_on_random_values(void **state)
{
    (void)state;
    struct pending pending = {0};
    uint64_t random = 13;
    pending.comparison_count = comparisons_here(pending.comparisons);
    for (size_t i = 0; i < 5 * kernel_cases(); i++) {
        uint32_t value = (uint32_t)random_next(&random) & INT32_MAX;
        unsigned digits = 6 + (unsigned)(random_next(&random) % 3);
        pending_add(&pending, value, some_code(value, digits, &random), digits);
    }
    while (pending.count) pending_add(&pending, 0, 0, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swaps_are_done_in_order_by_the_end_of_every_batch),
        cmocka_unit_test(a_group_is_asked_for_before_it_is_hashed_and_a_burst_at_least),
        cmocka_unit_test(what_is_asked_for_in_bursts_is_not_asked_for_between_rounds_too),
        cmocka_unit_test(every_batch_size_finds_the_codes_that_fit_and_writes_nothing_beyond),
        cmocka_unit_test(random_codes_fit_on_every_kernel_just_where_the_remainder_is_the_code),
        cmocka_unit_test(the_comparison_is_right_at_every_edge_of_the_truncated_value),
        cmocka_unit_test(the_comparison_is_right_on_random_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
