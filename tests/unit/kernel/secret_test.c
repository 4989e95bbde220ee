/* Can the time that a kernel takes tell of seeds, counters or codes? Its way must not depend on them, looked at twice:
 *
 * - Step by step, on every kernel of this machine: the CPU's trap flag stops the program after each instruction, and
 * the places where it stops must be the same whatever the secrets are. This sees jumps.
 * - As `secret_test memcheck` within valgrind, on the kernels whose instructions it knows: secrets are marked
 * undefined, and memcheck counts each jump and each address that is made of them (Langley's ctgrind, 2010).
 *
 * Both are shown code that tells its secrets first, and must notice. What the CPU itself does differently with
 * different values is seen by neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <ucontext.h>
#include <valgrind/memcheck.h>

#include "helpers.h"
#include "otp/ocra.h"

enum { MESSAGE_SIZE = 77, LONG_SEED = 150 };

/* Everything secret that the work below reads; what is public stays the same. */
struct secrets {
    struct batch batch;
    uint32_t codes[BATCH_MAX];
    uint8_t seed[LONG_SEED], message[MESSAGE_SIZE];
    struct ocra_message ocra;
    char typed[OCRA_RESPONSE_SIZE_MAX + 1];
};

/* What is done with them, and where it goes. */
struct work {
    void (*run)(struct work *work);
    const char *name;
    const struct kernel *kernel;
    enum kernel_algorithm algorithm;
    size_t count;
    bool bursts;
    struct secrets *secrets;
    uint8_t digits[BATCH_MAX];
    const void *prefetch[2 * BATCH_MAX];
    uint8_t fits[BATCH_MAX];
    uint8_t bytes[KERNEL_SHA512_MIDSTATES];
};

static void steps_run(struct work *work)
{
    struct batch *batch = &work->secrets->batch;
    work->kernel->steps[work->algorithm](batch->pointers, batch->counters, batch->truncated, work->count);
}

static void match_run(struct work *work)
{
    const struct batch *batch = &work->secrets->batch;
    work->kernel->match[work->algorithm](&(struct kernel_match){.count = work->count,
                                                                .midstates = batch->pointers,
                                                                .counters = batch->counters,
                                                                .codes = work->secrets->codes,
                                                                .digits = work->digits,
                                                                .ret_fits = work->fits,
                                                                .prefetch = work->prefetch,
                                                                .bursts = work->bursts});
}

static void digits_run(struct work *work)
{
    for (size_t i = 0; i < work->count; i++)
        work->secrets->batch.truncated[i] = kernel_digits(work->secrets->batch.expected[i], work->digits[i]);
}

static void truncate_run(struct work *work)
{
    work->secrets->batch.truncated[0] = kernel_truncate(work->secrets->seed, work->count);
}

static struct ocra_suite suite;

/* The response compared is the right one where the codes are right, else it begins with it. */
static void ocra_run(struct work *work)
{
    struct secrets *secrets = work->secrets;
    work->fits[0] = ocra_fits(&suite, secrets->batch.midstates[0], &secrets->ocra, secrets->typed, work->count);
}

static void midstates_run(struct work *work)
{
    kernel_midstates(work->algorithm, work->secrets->seed, work->count, work->bytes);
}

static void hmac_run(struct work *work)
{
    kernel_hmac(work->algorithm, work->secrets->batch.midstates[0], work->secrets->message, work->count, work->bytes);
}

static void early_end_run(struct work *work)
{
    const uint32_t *truncated = work->secrets->batch.expected, *codes = work->secrets->codes;
    size_t i = 0;
    while (i < work->count && ((const volatile uint32_t *)truncated)[i] % 1000000 == codes[i]) i++;
    work->fits[0] = (uint8_t)i;
}

static void table_run(struct work *work)
{
    static const uint8_t table[256] = {1, 2, 3};
    work->fits[0] = ((const volatile uint8_t *)table)[work->secrets->seed[0]];
}

/* ---- secrets ---- */

static struct work work_make(struct secrets *secrets)
{
    struct work work = {.secrets = secrets};
    for (size_t i = 0; i < BATCH_MAX; i++) work.digits[i] = (uint8_t)(6 + i % 3);
    for (size_t i = 0; i < sizeof work.prefetch / sizeof *work.prefetch; i++) work.prefetch[i] = secrets;
    return work;
}

/* Where `right`, every code fits; else one in eight by its last digit alone, and the rest by nothing. */
static void secrets_draw(struct secrets *secrets, enum kernel_algorithm algorithm, uint64_t random, bool right)
{
    batch_fill(&secrets->batch, algorithm, &random, BATCH_MAX);
    for (size_t i = 0; i < BATCH_MAX; i++) {
        unsigned digits = (unsigned)(6 + i % 3);
        uint32_t code = kernel_digits(secrets->batch.expected[i], digits);
        secrets->codes[i] = right ? code : i % 8 == 0 ? code % 10 : (uint32_t)random_next(&random) % 1000000;
    }
    random_bytes(&random, secrets->seed, sizeof secrets->seed);
    random_bytes(&random, secrets->message, sizeof secrets->message);
    secrets->ocra.size = MESSAGE_SIZE;
    random_bytes(&random, secrets->ocra.bytes, MESSAGE_SIZE);
    ocra_respond(&suite, secrets->batch.midstates[0], &secrets->ocra, secrets->typed);
    size_t last = strlen(secrets->typed) - 1;
    if (!right) secrets->typed[last] = secrets->typed[last] == '0' ? '1' : '0';
}

static const char *kernel_name(const struct work *work)
{
    return work->kernel ? work->kernel->name : "whatever the CPU has:";
}

/* ---- what is looked at ---- */

typedef void look_function(struct work *work);

/* OTPRING_SECRET_DRAWS, else 2: secrets that each way is gone with. A trap may take 10 us, so 2 look at less of it. */
static unsigned draws(void)
{
    const char *text = getenv("OTPRING_SECRET_DRAWS");
    unsigned wanted = text && *text ? (unsigned)strtoul(text, NULL, 10) : 2;
    return wanted < 2 ? 2 : wanted;
}

/* Whole vectors, and one that is not; sizes of seeds and messages on both sides of a block. */
static void each_of_a_kernel(const struct kernel *kernel, look_function *look, struct work *work)
{
    work->kernel = kernel;
    bool all = draws() > 2 || RUNNING_ON_VALGRIND;
    const size_t counts[] = {kernel->lanes[work->algorithm] + 1, kernel->lanes[work->algorithm], 1};
    for (size_t c = 0; c < (all ? sizeof counts / sizeof *counts : 1); c++) {
        work->count = counts[c];
        work->run = steps_run;
        work->name = "steps";
        look(work);
        for (int bursts = 0; bursts <= all; bursts++) {
            work->bursts = bursts;
            work->run = match_run;
            work->name = "match";
            look(work);
        }
    }
}

static void each_size(look_function *look, struct work *work, const char *name, void (*run)(struct work *work),
                      const size_t *sizes)
{
    work->run = run;
    work->name = name;
    for (; *sizes; sizes++) {
        work->count = *sizes;
        look(work);
    }
}

static void each(look_function *look)
{
    static struct secrets secrets;
    static const size_t seeds[] = {20, 64, 65, 128, 129, LONG_SEED, 0}, messages[] = {8, 55, 56, 64, MESSAGE_SIZE, 0},
                        digests[] = {20, 32, 64, 0}, values[] = {3, BATCH_MAX, 0};
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    struct work work = work_make(&secrets);
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
        work.algorithm = (enum kernel_algorithm)a;
        for (size_t k = 0; k < kernel_count; k++)
            if (k == 0 || kernels[k]->match[a] != kernels[0]->match[a]) each_of_a_kernel(kernels[k], look, &work);
        work.kernel = NULL; /* these choose for themselves */
        each_size(look, &work, "midstates", midstates_run, seeds);
        each_size(look, &work, "hmac", hmac_run, messages);
        for (int s = 0; s < 2; s++) {
            suite = (struct ocra_suite){.digits = s ? 8 : 0, .algorithm = work.algorithm};
            each_size(look, &work, "ocra", ocra_run, (size_t[]){ocra_response_size(&suite), 0});
        }
    }
    each_size(look, &work, "digits", digits_run, values);
    each_size(look, &work, "truncate", truncate_run, digests);
}

/* ---- step by step ---- */

/* A sanitizer's own steps say nothing of the program that is shipped. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <x86intrin.h>

enum { TRAP_FLAG = 0x100 };

static struct way {
    uint64_t hash;
    uint64_t steps;
} way;

static void stepped(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    const ucontext_t *at = context;
    way.hash = (way.hash ^ (uint64_t)at->uc_mcontext.gregs[REG_RIP]) * 0x9e3779b97f4a7c15u;
    way.steps++;
}

static struct way way_of(struct work *work)
{
    way = (struct way){0};
    void (*volatile run)(struct work * work) = work->run;
    __writeeflags(__readeflags() | TRAP_FLAG);
    run(work);
    __writeeflags(__readeflags() & ~(unsigned long long)TRAP_FLAG);
    return way;
}

static bool one_way(struct work *work)
{
    struct way first = {0};
    secrets_draw(work->secrets, work->algorithm, 99, true);
    work->run(work); /* what is looked up once, the dynamic linker's names among it */
    for (unsigned draw = 0; draw < draws(); draw++) {
        secrets_draw(work->secrets, work->algorithm, 100 + draw, draw % 2 == 0);
        struct way now = way_of(work);
        assert_true(now.steps > 3);
        if (draw == 0)
            first = now;
        else if (now.hash != first.hash || now.steps != first.steps)
            return false;
    }
    return true;
}

static uint64_t steps_in_all;

static void one_way_only(struct work *work)
{
    if (!one_way(work))
        fail_msg("%s %s, algorithm %d, %zu: the way depends on secrets", kernel_name(work), work->name, work->algorithm,
                 work->count);
    steps_in_all += way.steps * draws();
}

static void step_by_step_every_kernel_goes_the_same_way_whatever_the_secrets_are(void **state)
{
    (void)state;
    static struct secrets secrets;
    struct sigaction before, action = {.sa_sigaction = stepped, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(SIGTRAP, &action, &before), 0);
    struct work telling = work_make(&secrets);
    telling.count = BATCH_MAX;
    telling.run = early_end_run;
    assert_false(one_way(&telling));
    each(one_way_only);
    assert_int_equal(sigaction(SIGTRAP, &before, NULL), 0);
    print_message("counted: %llu instructions, one at a time, %u secrets\n", (unsigned long long)steps_in_all, draws());
}
#else
static void step_by_step_every_kernel_goes_the_same_way_whatever_the_secrets_are(void **state)
{
    (void)state;
    print_message("skipped: the trap flag is x86's, and not for sanitizers\n");
    skip();
}
#endif

/* ---- within valgrind ---- */

static unsigned calls;

static unsigned errors_of(struct work *work)
{
    struct secrets *secrets = work->secrets;
    secrets_draw(secrets, work->algorithm, 7, true);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secrets->batch.midstates, sizeof secrets->batch.midstates);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secrets->batch.counters, sizeof secrets->batch.counters);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secrets->batch.expected, sizeof secrets->batch.expected);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secrets->codes, sizeof secrets->codes);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secrets->seed, sizeof secrets->seed);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secrets->message, sizeof secrets->message);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secrets->ocra.bytes, sizeof secrets->ocra.bytes);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secrets->typed, sizeof secrets->typed);
    unsigned before = VALGRIND_COUNT_ERRORS;
    work->run(work);
    unsigned errors = VALGRIND_COUNT_ERRORS - before;
    (void)VALGRIND_MAKE_MEM_DEFINED(secrets, sizeof *secrets);
    (void)VALGRIND_MAKE_MEM_DEFINED(work->fits, sizeof work->fits);
    (void)VALGRIND_MAKE_MEM_DEFINED(work->bytes, sizeof work->bytes);
    return errors;
}

static void nothing_undefined_decides(struct work *work)
{
    if (errors_of(work))
        fail_msg("%s %s, algorithm %d, %zu: a jump or an address depends on secrets", kernel_name(work), work->name,
                 work->algorithm, work->count);
    calls++;
}

static void memcheck_sees_no_jump_and_no_address_made_of_secrets(void **state)
{
    (void)state;
    static struct secrets secrets;
    assert_true(RUNNING_ON_VALGRIND);
    struct work telling = work_make(&secrets);
    telling.count = 1;
    telling.run = early_end_run;
    assert_true(errors_of(&telling) > 0);
    telling.run = table_run;
    assert_true(errors_of(&telling) > 0);
    each(nothing_undefined_decides);
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    print_message("counted: %u calls within valgrind, kernels up to %s\n", calls, kernels[kernel_count - 1]->name);
}

int main(int count, char **words)
{
    const struct CMUnitTest steps[] = {
        cmocka_unit_test(step_by_step_every_kernel_goes_the_same_way_whatever_the_secrets_are)};
    const struct CMUnitTest memcheck[] = {cmocka_unit_test(memcheck_sees_no_jump_and_no_address_made_of_secrets)};
    if (count > 1 && strcmp(words[1], "memcheck") == 0) return cmocka_run_group_tests(memcheck, NULL, NULL);
    return cmocka_run_group_tests(steps, NULL, NULL);
}
