/* What a candidate costs on every kernel: values (steps), codes tried (match), against OpenSSL and liboath in the same
 * run on the same work. Ends with tables of its own: medians of ROUNDS short, interleaved runs, cycles, ratios; then
 * codes tried over tables of lines in random order, where the way of prefetching decides. OpenSSL begins from
 * midstates, copied for each candidate; liboath from the seed, as its interface asks, so its ratio holds the gain of
 * cached midstates as well. Cycles are by a loop of dependent additions, one a cycle. Times are CPU time.
 * OTPRING_BENCH_LINES: the largest table, default 10,000,000; 0 leaves the tables out. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the only interface of OpenSSL whose states can be copied without an allocation  \
                                     */
#include <liboath/oath.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "kernel/hmac.h"
#include "shim.h"

enum { BATCH = 240, ENTRIES_MAX = 64, ROUNDS = 15, SEED_SIZE = 20, PASS_NS = 1000000 };

struct entry {
    char name[48];
    void (*pass)(void *argument);
    enum kernel_algorithm algorithm;
    const struct kernel *kernel;
};

static const char *const algorithms[] = {"sha1", "sha256", "sha512"};
static struct entry entries[ENTRIES_MAX];
static size_t entry_count;
static uint8_t seeds[BATCH][SEED_SIZE];
static _Alignas(64) uint8_t midstates[KERNEL_ALGORITHM_COUNT][BATCH][KERNEL_SHA512_MIDSTATES];
static const void *pointers[KERNEL_ALGORITHM_COUNT][BATCH];
static uint64_t counters[BATCH];
static uint32_t truncated[BATCH];
static uint32_t codes[BATCH];
static uint8_t digits[BATCH], fits[BATCH];
static struct openssl {
    SHA_CTX sha1[2];
    SHA256_CTX sha256[2];
    SHA512_CTX sha512[2];
} openssl[BATCH];

static void steps_pass(void *argument)
{
    const struct entry *entry = argument;
    entry->kernel->steps[entry->algorithm](pointers[entry->algorithm], counters, truncated, BATCH);
}

static void match_pass(void *argument)
{
    const struct entry *entry = argument;
    const struct kernel_match match = {.count = BATCH,
                                       .midstates = pointers[entry->algorithm],
                                       .counters = counters,
                                       .codes = codes,
                                       .digits = digits,
                                       .ret_fits = fits};
    entry->kernel->match[entry->algorithm](&match);
}

#define OPENSSL_STEP(prefix, type, field, size)                                                                        \
    do {                                                                                                               \
        type##_CTX context = openssl[i].field[0];                                                                      \
        prefix##_Update(&context, &message, sizeof message);                                                           \
        prefix##_Final(digest, &context);                                                                              \
        context = openssl[i].field[1];                                                                                 \
        prefix##_Update(&context, digest, size);                                                                       \
        prefix##_Final(digest, &context);                                                                              \
        last = digest[(size)-1];                                                                                       \
    } while (0)

static void openssl_pass(void *argument)
{
    const struct entry *entry = argument;
    for (int i = 0; i < BATCH; i++) {
        uint64_t message = __builtin_bswap64(counters[i]);
        uint8_t digest[SHA512_DIGEST_LENGTH], last;
        if (entry->algorithm == KERNEL_SHA1)
            OPENSSL_STEP(SHA1, SHA, sha1, 20);
        else if (entry->algorithm == KERNEL_SHA256)
            OPENSSL_STEP(SHA256, SHA256, sha256, 32);
        else
            OPENSSL_STEP(SHA512, SHA512, sha512, 64);
        uint32_t word;
        memcpy(&word, digest + (last & 15), sizeof word);
        truncated[i] = __builtin_bswap32(word) & INT32_MAX;
    }
}

static void liboath_pass(void *argument)
{
    static const int flags[] = {0, OATH_TOTP_HMAC_SHA256, OATH_TOTP_HMAC_SHA512};
    const struct entry *entry = argument;
    char text[16];
    for (int i = 0; i < BATCH; i++) {
        if (oath_totp_generate2((const char *)seeds[i], SEED_SIZE, (time_t)counters[i], 1, 0, 6,
                                flags[entry->algorithm], text) != OATH_OK)
            abort();
    }
}

/* Right at once costs one step, wrong all three of the window. */
static void validate_right_pass(void *argument)
{
    (void)argument;
    for (int i = 0; i < BATCH; i++) {
        char text[16];
        snprintf(text, sizeof text, "%06u", codes[i]);
        if (oath_totp_validate((const char *)seeds[i], SEED_SIZE, (time_t)counters[i], 1, 0, 1, text) < 0) abort();
    }
}

static void validate_wrong_pass(void *argument)
{
    (void)argument;
    for (int i = 0; i < BATCH; i++) {
        char text[16];
        snprintf(text, sizeof text, "%06u", (codes[i] + 1) % 1000000);
        oath_totp_validate((const char *)seeds[i], SEED_SIZE, (time_t)counters[i], 1, 0, 1, text);
    }
}

static void add(const char *who, const char *what, int algorithm, void (*pass)(void *), const struct kernel *kernel)
{
    struct entry *entry = &entries[entry_count++];
    snprintf(entry->name, sizeof entry->name, "%s/%s%s", who, algorithms[algorithm], what);
    entry->pass = pass;
    entry->algorithm = (enum kernel_algorithm)algorithm;
    entry->kernel = kernel;
    bench_register(entry->name, pass, entry, BATCH);
}

static void fill_openssl(int i)
{
    for (int side = 0; side < 2; side++) {
        uint8_t block[SHA512_CBLOCK];
        memset(block, side ? 0x5c : 0x36, sizeof block);
        for (int b = 0; b < SEED_SIZE; b++) block[b] ^= seeds[i][b];
        SHA1_Init(&openssl[i].sha1[side]);
        SHA1_Update(&openssl[i].sha1[side], block, SHA_CBLOCK);
        SHA256_Init(&openssl[i].sha256[side]);
        SHA256_Update(&openssl[i].sha256[side], block, SHA256_CBLOCK);
        SHA512_Init(&openssl[i].sha512[side]);
        SHA512_Update(&openssl[i].sha512[side], block, SHA512_CBLOCK);
    }
}

static void fill(const struct kernel *kernel)
{
    for (int i = 0; i < BATCH; i++) {
        for (int b = 0; b < SEED_SIZE; b++) seeds[i][b] = (uint8_t)(i * 131 + b * 17 + 5);
        counters[i] = 1700000000u + (unsigned)i * 7;
        for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
            kernel_midstates((enum kernel_algorithm)a, seeds[i], SEED_SIZE, midstates[a][i]);
            pointers[a][i] = midstates[a][i];
        }
        fill_openssl(i);
    }
    kernel->steps[KERNEL_SHA1](pointers[KERNEL_SHA1], counters, truncated, BATCH);
    for (int i = 0; i < BATCH; i++) {
        digits[i] = 6;
        codes[i] = kernel_digits(truncated[i], 6);
    }
}

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); /* Others' work on a shared machine is not the kernel's time. */
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double step_ns(struct entry *entry)
{
    double begin = now_ns(), end = begin;
    size_t passes = 0;
    for (; end - begin < PASS_NS; passes++, end = now_ns()) entry->pass(entry);
    return (end - begin) / ((double)passes * BATCH);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double cycle_ns(void)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned long sum = 1, three = 3;
        double begin = now_ns();
        /* By a register: newer cores do additions of constants while renaming, several a cycle. */
        for (int i = 0; i < 100000; i++)
#ifdef __x86_64__
            __asm__ volatile(".rept 16\n\tadd %1, %0\n\t.endr" : "+r"(sum) : "r"(three));
#else
            __asm__ volatile(".rept 16\n\tadd %0, %0, %1\n\t.endr" : "+r"(sum) : "r"(three));
#endif
        double each = (now_ns() - begin) / 1600000;
        if (each < best) best = each;
    }
    return best;
}

static const struct entry *entry_named(const char *who, const char *what, enum kernel_algorithm algorithm)
{
    char name[48];
    snprintf(name, sizeof name, "%s/%s%s", who, algorithms[algorithm], what);
    for (size_t e = 0; e < entry_count; e++)
        if (strcmp(entries[e].name, name) == 0) return &entries[e];
    abort();
}

/* The entries take turns, so that a busy moment of the machine falls on all of them. */
static void print_ratios(void)
{
    static double ns[ENTRIES_MAX][ROUNDS];
    double cycle = cycle_ns();
    for (int round = 0; round < ROUNDS; round++)
        for (size_t e = 0; e < entry_count; e++) ns[e][round] = step_ns(&entries[e]);
    for (size_t e = 0; e < entry_count; e++) qsort(ns[e], ROUNDS, sizeof ns[e][0], by_value);
    printf("\none cycle: %.3f ns\n%-26s %8s %8s %8s %8s %10s %9s %9s\n", cycle, "median", "ns", "lowest", "highest",
           "cycles", "x portable", "x openssl", "x liboath");
    for (size_t e = 0; e < entry_count; e++) {
        enum kernel_algorithm a = entries[e].algorithm;
        double median = ns[e][ROUNDS / 2];
        printf("%-26s %8.1f %8.1f %8.1f %8.1f %10.2f %9.2f %9.2f\n", entries[e].name, median, ns[e][0],
               ns[e][ROUNDS - 1], median / cycle, ns[entry_named("portable", "", a) - entries][ROUNDS / 2] / median,
               ns[entry_named("openssl", "", a) - entries][ROUNDS / 2] / median,
               ns[entry_named("liboath", "", a) - entries][ROUNDS / 2] / median);
    }
}

/* ---- lines in a large table, in random order ---- */

enum { LINE_SIZE = 64, TURN = 1024, AHEAD = 64, TABLE_TURNS = 512, TABLE_ROUNDS = 5 };
/* Not at all, a whole turn's lines before it, or by the kernel: in bursts, spread. */
enum prefetching { NONE, BEFORE, BURSTS, SPREAD, PREFETCHING_COUNT };

struct table {
    uint8_t *lines;
    size_t count;
    const void **order; /* TABLE_TURNS * TURN + AHEAD lines */
};

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return z ^ z >> 31;
}

/* A turn as the engine does it: codes tried on lines nobody has touched lately, and a word of each line written back.
 */
static void table_turn(const struct kernel *kernel, const struct table *table, size_t first, enum prefetching how)
{
    static uint64_t steps[TURN];
    static uint32_t guesses[TURN];
    static uint8_t sixes[TURN], found[TURN];
    static const void *ahead[2 * TURN];
    for (size_t i = 0; i < TURN; i++) {
        steps[i] = 57000000;
        sixes[i] = 6;
        if (how == BEFORE) __builtin_prefetch(table->order[first + i], 1);
        ahead[2 * i] = ahead[2 * i + 1] = table->order[first + AHEAD + i]; /* the engine's second one is an index's */
    }
    const struct kernel_match match = {.count = TURN,
                                       .midstates = table->order + first,
                                       .counters = steps,
                                       .codes = guesses,
                                       .digits = sixes,
                                       .ret_fits = found,
                                       .prefetch = how == BURSTS || how == SPREAD ? ahead : NULL,
                                       .bursts = how == BURSTS};
    kernel->match[KERNEL_SHA1](&match);
    for (size_t i = 0; i < TURN; i++) {
        uint64_t *word = (uint64_t *)(uintptr_t)((const uint8_t *)table->order[first + i] + KERNEL_SHA1_MIDSTATES);
        *word += found[i];
    }
}

static double table_ns(const struct kernel *kernel, const struct table *table, enum prefetching how)
{
    double ns[TABLE_ROUNDS];
    for (int round = 0; round < TABLE_ROUNDS; round++) {
        double begin = now_ns();
        for (size_t turn = 0; turn < TABLE_TURNS; turn++) table_turn(kernel, table, turn * TURN, how);
        ns[round] = (now_ns() - begin) / (TABLE_TURNS * TURN);
    }
    qsort(ns, TABLE_ROUNDS, sizeof *ns, by_value);
    return ns[TABLE_ROUNDS / 2];
}

static void print_table(const struct kernel *kernel, size_t count)
{
    struct table table = {.count = count};
    size_t size = (count * LINE_SIZE + (2 << 20) - 1) & ~(size_t)((2 << 20) - 1);
    table.lines = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t picks = TABLE_TURNS * TURN + AHEAD;
    table.order = malloc(picks * sizeof *table.order);
    if (table.lines == MAP_FAILED || !table.order) {
        printf("%-12zu no memory\n", count);
        free(table.order);
        return;
    }
    madvise(table.lines, size, MADV_HUGEPAGE);
    uint64_t random = 1;
    for (size_t i = 0; i < count * LINE_SIZE; i += 8) {
        uint64_t word = random_next(&random);
        memcpy(table.lines + i, &word, sizeof word);
    }
    for (size_t i = 0; i < picks; i++) table.order[i] = table.lines + random_next(&random) % count * LINE_SIZE;
    printf("%-12zu", count);
    for (int how = 0; how < PREFETCHING_COUNT; how++)
        printf(" %14.1f", table_ns(kernel, &table, (enum prefetching)how));
    printf("\n");
    free(table.order);
    munmap(table.lines, size);
}

static void print_tables(const struct kernel *kernel)
{
    const char *text = getenv("OTPRING_BENCH_LINES");
    size_t most = text && *text ? strtoull(text, NULL, 10) : 10000000;
    const size_t counts[] = {8192, 1000000, 10000000, 50000000};
    printf("\nns a SHA-1 candidate tried by %s, 64-byte lines in random order, turns of %d, a word written back\n"
           "%-12s %14s %14s %14s %14s\n",
           kernel->name, TURN, "lines", "no prefetch", "before a turn", "in bursts", "in the rounds");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i] <= most) print_table(kernel, counts[i]);
}

/* ---- whole messages: the leaves of seals ---- */

enum { PAGE = 4096, PAGES = 272, KERNELS_SHOWN = 16 };

static uint8_t pages[PAGES][PAGE], page_hashes[PAGES][32];

static void pages_pass(const struct kernel *kernel)
{
    const uint8_t *bytes[PAGES];
    for (int i = 0; i < PAGES; i++) {
        bytes[i] = pages[i];
        if (kernel) continue;
        SHA256_CTX context;
        SHA256_Init(&context);
        SHA256_Update(&context, "", 1);
        SHA256_Update(&context, pages[i], PAGE);
        SHA256_Final(page_hashes[i], &context);
    }
    if (!kernel) return;
    kernel->sha256_many(
        &(struct kernel_messages){.count = PAGES, .size = PAGE, .bytes = bytes, .ret_hashes = page_hashes});
}

static void print_messages(const struct kernel *const *kernels, size_t kernel_count)
{
    double ns[KERNELS_SHOWN][ROUNDS], openssl_ns = 0;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t k = 0; k <= kernel_count; k++) {
            double begin = now_ns();
            pages_pass(k ? kernels[k - 1] : NULL);
            ns[k][round] = now_ns() - begin;
        }
    printf("\n%-26s %8s %9s   SHA-256 of %d pages of %d bytes\n", "median", "GB/s", "x openssl", PAGES, PAGE);
    for (size_t k = 0; k <= kernel_count; k++) {
        qsort(ns[k], ROUNDS, sizeof ns[k][0], by_value);
        double median = ns[k][ROUNDS / 2];
        if (k == 0) openssl_ns = median;
        printf("%-26s %8.2f %9.2f\n", k ? kernels[k - 1]->name : "openssl", PAGES * PAGE / median, openssl_ns / median);
    }
}

int main(int argc, char **argv)
{
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    if (oath_init() != OATH_OK) return 1;
    fill(kernels[0]);
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
        for (size_t k = 0; k < kernel_count; k++) add(kernels[k]->name, "", a, steps_pass, kernels[k]);
        for (size_t k = 0; k < kernel_count; k++) add(kernels[k]->name, "/match", a, match_pass, kernels[k]);
        add("openssl", "", a, openssl_pass, NULL);
        add("liboath", "", a, liboath_pass, NULL);
        if (a != KERNEL_SHA1) continue;
        add("liboath", "/validate-right", a, validate_right_pass, NULL);
        add("liboath", "/validate-wrong", a, validate_wrong_pass, NULL);
    }
    bench_context("workload", "batches of 240 (token, counter) pairs in cache, seeds of 20 bytes");
    bench_context("best kernel", kernels[kernel_count - 1]->name);
    if (bench_run(argc, argv) != 0) return 1;
    print_ratios();
    print_messages(kernels, kernel_count);
    print_tables(kernels[kernel_count - 1]);
    oath_done();
    return 0;
}
