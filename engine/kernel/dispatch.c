/* The one place that knows what this CPU can do. Built with baseline flags. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef OTPRING_X86
#include <cpuid.h>
#endif

#include "kernel/compress.h"
#include "kernel/messages.h"
#include "kernel/portable.h"
#include "kernel/sha.h"
#include "kernel/simd128.h"
#include "kernel/stages.h"
#ifdef OTPRING_X86
#include "kernel/avx2.h"
#include "kernel/avx512.h"
#include "kernel/sha_ni.h"
#endif

/* How a kernel does an algorithm: whole groups and long tails by `wide`, tails of at most short_max by `narrow`. */
struct route {
    kernel_run_function *wide, *narrow;
    size_t lanes;
    size_t short_max; /* 0: `wide` does everything */
};

static struct kernel_match part_of(const struct kernel_match *match, size_t first, size_t count)
{
    struct kernel_match part = {.count = count,
                                .midstates = match->midstates + first,
                                .counters = match->counters + first,
                                .prefetch = match->prefetch ? match->prefetch + 2 * first : NULL,
                                .bursts = match->bursts,
                                .swaps = match->swaps};
    if (!match->ret_fits) return part;
    part.codes = match->codes + first;
    part.digits = match->digits + first;
    part.ret_fits = match->ret_fits + first;
    return part;
}

static void route_run(const struct route *route, const struct kernel_match *match, uint32_t *ret_truncated)
{
    size_t tail = match->count % route->lanes, whole = match->count - tail;
    if (tail == 0 || tail > route->short_max) {
        route->wide(match, ret_truncated);
        return;
    }
    if (whole > 0) {
        struct kernel_match groups = part_of(match, 0, whole);
        route->wide(&groups, ret_truncated);
    }
    struct kernel_match rest = part_of(match, whole, tail);
    route->narrow(&rest, ret_truncated ? ret_truncated + whole : NULL);
}

/* Those that a run did not come to: it has fewer rounds than swaps, or does not know of them. */
static void swaps_finish(struct kernel_swaps *swaps)
{
    while (swaps && swaps->at < swaps->count) kernel_swap_next(swaps);
}

/* As route_run: whole groups wide, a short tail narrow. */
#ifdef OTPRING_X86
static void messages_run(kernel_messages_function *wide, kernel_messages_function *narrow, size_t lanes,
                         size_t short_max, const struct kernel_messages *messages)
{
    struct kernel_messages groups = *messages, rest = *messages;
    size_t tail = messages->count % lanes;
    if (tail > short_max) tail = 0;
    groups.count -= tail;
    rest.count = tail;
    rest.bytes += groups.count;
    rest.ret_hashes += groups.count;
    if (groups.count > 0) wide(&groups);
    if (rest.count > 0) narrow(&rest);
}
#endif

/* The two functions of one algorithm of one kernel, named after its route. */
#define ROUTE_FUNCTIONS(route)                                                                                         \
    static void route##_steps(const void *const midstates[], const uint64_t counters[], uint32_t ret_truncated[],      \
                              size_t count)                                                                            \
    {                                                                                                                  \
        struct kernel_match match = {.count = count, .midstates = midstates, .counters = counters};                    \
        route_run(&(route), &match, ret_truncated);                                                                    \
    }                                                                                                                  \
    static void route##_match(const struct kernel_match *match)                                                        \
    {                                                                                                                  \
        route_run(&(route), match, NULL);                                                                              \
        swaps_finish(match->swaps);                                                                                    \
    }

#define KERNEL_OF(sha1, sha256, sha512)                                                                                \
    .steps = {sha1##_steps, sha256##_steps, sha512##_steps}, .match = {sha1##_match, sha256##_match, sha512##_match}

static const struct route plain_sha1 = {.wide = portable_sha1, .lanes = 1};
static const struct route plain_sha256 = {.wide = portable_sha256, .lanes = 1};
static const struct route plain_sha512 = {.wide = portable_sha512, .lanes = 1};
ROUTE_FUNCTIONS(plain_sha1)
ROUTE_FUNCTIONS(plain_sha256)
ROUTE_FUNCTIONS(plain_sha512)

static const struct kernel portable = {
    .name = "portable",
    KERNEL_OF(plain_sha1, plain_sha256, plain_sha512),
    .sha256_many = portable_sha256_many,
    .stages = &stages_portable,
    .lanes = {1, 1, 1},
};

/* Elsewhere the compiler may have to take the vectors apart. */
#if defined(__SSE2__) || defined(__ARM_NEON)
#define OTPRING_SIMD128
static const struct route lanes4_sha1 = {.wide = simd128_sha1, .lanes = SIMD128_LANES};
static const struct route lanes4_sha256 = {.wide = simd128_sha256, .lanes = SIMD128_LANES};
static const struct route lanes2_sha512 = {.wide = simd128_sha512, .lanes = SIMD128_LONG_LANES};
ROUTE_FUNCTIONS(lanes4_sha1)
ROUTE_FUNCTIONS(lanes4_sha256)
ROUTE_FUNCTIONS(lanes2_sha512)

static const struct kernel simd128 = {
    .name = "simd128",
    KERNEL_OF(lanes4_sha1, lanes4_sha256, lanes2_sha512),
    .sha256_many = simd128_sha256_many,
    .stages = &stages_portable,
    .lanes = {SIMD128_LANES, SIMD128_LANES, SIMD128_LONG_LANES},
};
#endif

#ifdef OTPRING_X86
/* Vectors read what others write at the same time, each word whole: the race detector does not know that of them. */
#ifdef __SANITIZE_THREAD__
#define STAGES_EIGHT stages_portable
#define STAGES_FOUR stages_portable
#else
#define STAGES_EIGHT stages_avx512
#define STAGES_FOUR stages_avx2
#endif

/* short_max is set where the CPU has SHA instructions, before anyone sees a kernel. */
static const struct route instructions_sha1 = {.wide = sha_ni_sha1, .lanes = SHA_NI_STREAMS};
static const struct route instructions_sha256 = {.wide = sha_ni_sha256, .lanes = SHA_NI_STREAMS};
static struct route eight_sha1 = {.wide = avx2_sha1, .narrow = sha_ni_sha1, .lanes = AVX2_LANES};
static struct route eight_sha256 = {.wide = avx2_sha256, .narrow = sha_ni_sha256, .lanes = AVX2_LANES};
static const struct route four_sha512 = {.wide = avx2_sha512, .lanes = AVX2_LONG_LANES};
static struct route sixteen_sha1 = {.wide = avx512_sha1, .narrow = sha_ni_sha1, .lanes = AVX512_LANES};
static struct route sixteen_sha256 = {.wide = avx512_sha256, .narrow = sha_ni_sha256, .lanes = AVX512_LANES};
static const struct route eight_sha512 = {.wide = avx512_sha512, .lanes = AVX512_LONG_LANES};
ROUTE_FUNCTIONS(instructions_sha1)
ROUTE_FUNCTIONS(instructions_sha256)
ROUTE_FUNCTIONS(eight_sha1)
ROUTE_FUNCTIONS(eight_sha256)
ROUTE_FUNCTIONS(four_sha512)
ROUTE_FUNCTIONS(sixteen_sha1)
ROUTE_FUNCTIONS(sixteen_sha256)
ROUTE_FUNCTIONS(eight_sha512)

static void eight_messages(const struct kernel_messages *messages)
{
    messages_run(avx2_sha256_many, sha_ni_sha256_many, AVX2_LANES, eight_sha256.short_max, messages);
}

static void sixteen_messages(const struct kernel_messages *messages)
{
    messages_run(avx512_sha256_many, sha_ni_sha256_many, AVX512_LANES, sixteen_sha256.short_max, messages);
}

static const struct kernel sha_ni = {
    .name = "sha-ni",
    KERNEL_OF(instructions_sha1, instructions_sha256, plain_sha512),
    .sha256_many = sha_ni_sha256_many,
    .stages = &stages_portable,
    .lanes = {SHA_NI_STREAMS, SHA_NI_STREAMS, 1},
};

static const struct kernel avx2 = {
    .name = "avx2",
    KERNEL_OF(eight_sha1, eight_sha256, four_sha512),
    .sha256_many = eight_messages,
    .stages = &STAGES_FOUR,
    .lanes = {AVX2_LANES, AVX2_LANES, AVX2_LONG_LANES},
};

/* The best of both: eight lanes of SHA-256 without rotations and three-input logic lose against the instructions. So do
 * those of SHA-1 on Zen 3: by 1.1 and more, by 1.4 where another thread of the core is busy (with three streams). On
 * Intel that was not measured. */
static const struct kernel avx2_and_sha_ni = {
    .name = "avx2+sha-ni",
    KERNEL_OF(eight_sha1, instructions_sha256, four_sha512),
    .sha256_many = sha_ni_sha256_many,
    .stages = &STAGES_FOUR,
    .lanes = {AVX2_LANES, SHA_NI_STREAMS, AVX2_LONG_LANES},
};

static const struct kernel avx2_and_sha_ni_not_intel = {
    .name = "avx2+sha-ni",
    KERNEL_OF(instructions_sha1, instructions_sha256, four_sha512),
    .sha256_many = sha_ni_sha256_many,
    .stages = &STAGES_FOUR,
    .lanes = {SHA_NI_STREAMS, SHA_NI_STREAMS, AVX2_LONG_LANES},
};

static const struct kernel avx512 = {
    .name = "avx512",
    KERNEL_OF(sixteen_sha1, sixteen_sha256, eight_sha512),
    .sha256_many = sixteen_messages,
    .stages = &STAGES_EIGHT,
    .lanes = {AVX512_LANES, AVX512_LANES, AVX512_LONG_LANES},
};
#endif

enum { KERNELS_MAX = 8 };

static const struct kernel *kernels_here[KERNELS_MAX];
static size_t kernels_here_count;

#ifdef OTPRING_X86
/* Leaf 7, EBX. */
enum { EBX_AVX2 = 1 << 5, EBX_AVX512F = 1 << 16, EBX_AVX512DQ = 1 << 17, EBX_SHA = 1 << 29 };
enum { EBX_AVX512BW = 1 << 30 };
static const unsigned EBX_AVX512VL = 1u << 31;
/* Leaf 1, ECX. */
enum { ECX_OSXSAVE = 1 << 27, ECX_AVX = 1 << 28 };
/* XCR0: which registers the system saves. */
enum { SAVED_AVX = 0x06, SAVED_AVX512 = 0xe6 };

struct cpu {
    bool sha, avx2, avx512;
    bool intel;
};

static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static struct cpu cpu_look(void)
{
    struct cpu cpu = {0};
    unsigned a, b, c, d, ebx7;
    __cpuid(0, a, b, c, d);
    cpu.intel = b == signature_INTEL_ebx && c == signature_INTEL_ecx && d == signature_INTEL_edx;
    if (a < 7) return cpu;
    __cpuid(1, a, b, c, d);
    unsigned ecx1 = c;
    __cpuid_count(7, 0, a, ebx7, c, d);
    if (!(ecx1 & ECX_OSXSAVE) || !(ecx1 & ECX_AVX)) return cpu;
    uint64_t saved = saved_registers();
    if ((saved & SAVED_AVX) != SAVED_AVX) return cpu;
    const unsigned wide = EBX_AVX512F | EBX_AVX512DQ | EBX_AVX512BW | EBX_AVX512VL;
    /* The SHA instructions work on SSE registers; what stands between them is AVX's, with three operands. */
    cpu.sha = ebx7 & EBX_SHA;
    cpu.avx2 = ebx7 & EBX_AVX2;
    cpu.avx512 = cpu.avx2 && (saved & SAVED_AVX512) == SAVED_AVX512 && (ebx7 & wide) == wide;
    return cpu;
}

/* A vector costs the same for one step as for all its lanes. Intel's SHA unit does one step in about a third of the
 * time of sixteen lanes of SHA-1 (Sapphire Rapids); AMD's interleaves streams and did eight in that time
 * (Zen 4; an earlier program of four streams, and not measured again). */
static void routes_set(const struct cpu *cpu)
{
    if (!cpu->sha) return;
    sixteen_sha1.short_max = cpu->intel ? 3 : 8;
    sixteen_sha256.short_max = cpu->intel ? 6 : 12;
    eight_sha1.short_max = cpu->intel ? 3 : 5;
    eight_sha256.short_max = AVX2_LANES - 1;
}
#endif

static struct compressions compressions = {.sha1 = sha1_compress, .sha256 = sha256_compress};

static void kernels_find(void)
{
    kernels_here[kernels_here_count++] = &portable;
#ifdef OTPRING_SIMD128
    kernels_here[kernels_here_count++] = &simd128;
#endif
#ifdef OTPRING_X86
    struct cpu cpu = cpu_look();
    routes_set(&cpu);
    if (cpu.sha) kernels_here[kernels_here_count++] = &sha_ni;
    if (cpu.sha) compressions = (struct compressions){.sha1 = sha_ni_sha1_compress, .sha256 = sha_ni_sha256_compress};
    if (cpu.avx2) kernels_here[kernels_here_count++] = &avx2;
    if (cpu.avx2 && cpu.sha)
        kernels_here[kernels_here_count++] = cpu.intel ? &avx2_and_sha_ni : &avx2_and_sha_ni_not_intel;
    if (cpu.avx512) kernels_here[kernels_here_count++] = &avx512;
#endif
}

/* Asked of the CPU once: threads may call at the same time, and CPUID costs microseconds in a virtual machine. */
size_t kernel_list(const struct kernel *const **ret_kernels)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, kernels_find);
    *ret_kernels = kernels_here;
    return kernels_here_count;
}

const struct compressions *kernel_compressions(void)
{
    const struct kernel *const *kernels;
    kernel_list(&kernels);
    return &compressions;
}

struct result kernel_choose(const char *name, const struct kernel **ret_kernel)
{
    const struct kernel *const *kernels;
    size_t count = kernel_list(&kernels);
    if (!name || strcmp(name, "auto") == 0) name = getenv("OTPRING_KERNEL");
    if (!name || !*name || strcmp(name, "auto") == 0) {
        *ret_kernel = kernels[count - 1];
        return result_ok();
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(kernels[i]->name, name) != 0) continue;
        *ret_kernel = kernels[i];
        return result_ok();
    }
    return result_of(BAD_ARGUMENT);
}

void kernel_sha256_many(const struct kernel_messages *messages)
{
    const struct kernel *const *kernels;
    size_t count = kernel_list(&kernels);
    kernels[count - 1]->sha256_many(messages);
}

uint32_t kernel_truncate(const uint8_t *digest, size_t size)
{
    uint32_t words[5];
    for (int w = 0; w < 5; w++) words[w] = load_be32(digest + 4 * w);
    uint32_t truncated = truncate_words(words, digest[size - 1]);
    explicit_bzero(words, sizeof words);
    return truncated;
}

/* Divisions by constants become multiplications, whose time does not depend on the value. */
uint32_t kernel_digits(uint32_t truncated, unsigned digits)
{
    uint32_t six = truncated % 1000000u;
    uint32_t seven = truncated % 10000000u;
    uint32_t eight = truncated % 100000000u;
    return digits == 6 ? six : digits == 7 ? seven : eight;
}
