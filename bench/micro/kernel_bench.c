/* Time of one step for every kernel and algorithm; OpenSSL's HMAC and liboath in the same run, on the same work: the
 * code of one (token, counter) pair. The peers begin from the seed, as their interfaces ask; the kernels from
 * midstates. Ends with each one's ratio to the portable kernel, OpenSSL and liboath: medians of ROUNDS short,
 * interleaved runs.
 * Times are CPU time. The peers' ratios hold the gain of cached midstates as well as the kernel's own. */
#include <liboath/oath.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/kernel.h"
#include "shim.h"

enum { BATCH = 240, ENTRIES_MAX = 64, ROUNDS = 21, SEED_SIZE = 20, PASS_NS = 2000000 };

struct entry {
    char name[48];
    void (*pass)(void *argument);
    enum kernel_algorithm algorithm;
    kernel_steps_function *steps;
};

static const char *const algorithms[] = {"sha1", "sha256", "sha512"};
static struct entry entries[ENTRIES_MAX];
static size_t entry_count;
static uint8_t seeds[BATCH][SEED_SIZE];
static _Alignas(64) uint8_t midstates[KERNEL_ALGORITHM_COUNT][BATCH][KERNEL_SHA512_MIDSTATES];
static const void *pointers[KERNEL_ALGORITHM_COUNT][BATCH];
static uint64_t counters[BATCH];
static uint32_t truncated[BATCH];

static void kernel_pass(void *argument)
{
    const struct entry *entry = argument;
    entry->steps(pointers[entry->algorithm], counters, truncated, BATCH);
}

static void openssl_pass(void *argument)
{
    const struct entry *entry = argument;
    const EVP_MD *const hashes[] = {EVP_sha1(), EVP_sha256(), EVP_sha512()};
    for (int i = 0; i < BATCH; i++) {
        uint64_t message = __builtin_bswap64(counters[i]);
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned size;
        if (!HMAC(hashes[entry->algorithm], seeds[i], SEED_SIZE, (const void *)&message, 8, digest, &size)) abort();
        uint32_t word;
        memcpy(&word, digest + (digest[size - 1] & 15), sizeof word);
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

static void add(const char *who, int algorithm, void (*pass)(void *), kernel_steps_function *steps)
{
    struct entry *entry = &entries[entry_count++];
    snprintf(entry->name, sizeof entry->name, "%s/%s", who, algorithms[algorithm]);
    entry->pass = pass;
    entry->algorithm = (enum kernel_algorithm)algorithm;
    entry->steps = steps;
    bench_register(entry->name, pass, entry, BATCH);
}

static void fill(void)
{
    for (int i = 0; i < BATCH; i++) {
        for (int b = 0; b < SEED_SIZE; b++) seeds[i][b] = (uint8_t)(i * 131 + b * 17 + 5);
        counters[i] = 1700000000u + (unsigned)i * 7;
        for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
            kernel_midstates((enum kernel_algorithm)a, seeds[i], SEED_SIZE, midstates[a][i]);
            pointers[a][i] = midstates[a][i];
        }
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

/* The entries take turns, so that a busy moment of the machine falls on all of them. */
static void print_ratios(size_t kernel_count)
{
    static double ns[ENTRIES_MAX][ROUNDS];
    for (int round = 0; round < ROUNDS; round++)
        for (size_t e = 0; e < entry_count; e++) ns[e][round] = step_ns(&entries[e]);
    for (size_t e = 0; e < entry_count; e++) qsort(ns[e], ROUNDS, sizeof ns[e][0], by_value);
    printf("\n%-20s %9s %9s %9s %10s %9s %9s\n", "median", "ns/step", "lowest", "highest", "x portable", "x openssl",
           "x liboath");
    size_t group = kernel_count + 2;
    for (size_t e = 0; e < entry_count; e++) {
        size_t first = e / group * group;
        double median = ns[e][ROUNDS / 2];
        printf("%-20s %9.1f %9.1f %9.1f %10.2f %9.2f %9.2f\n", entries[e].name, median, ns[e][0], ns[e][ROUNDS - 1],
               ns[first][ROUNDS / 2] / median, ns[first + kernel_count][ROUNDS / 2] / median,
               ns[first + kernel_count + 1][ROUNDS / 2] / median);
    }
}

int main(int argc, char **argv)
{
    const struct kernel *const *kernels;
    size_t kernel_count = kernel_list(&kernels);
    if (oath_init() != OATH_OK) return 1;
    fill();
    for (int a = 0; a < KERNEL_ALGORITHM_COUNT; a++) {
        for (size_t k = 0; k < kernel_count; k++) add(kernels[k]->name, a, kernel_pass, kernels[k]->steps[a]);
        add("openssl", a, openssl_pass, NULL);
        add("liboath", a, liboath_pass, NULL);
    }
    bench_context("workload", "batches of 240 (token, counter) pairs in cache, seeds of 20 bytes");
    bench_context("best kernel", kernels[kernel_count - 1]->name);
    if (bench_run(argc, argv) != 0) return 1;
    print_ratios(kernel_count);
    oath_done();
    return 0;
}
