/* The one place that knows what this CPU can do. Built with baseline flags. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#ifdef OTPRING_X86
#include <cpuid.h>
#endif

#include "kernel/kernel.h"
#include "kernel/portable.h"
#ifdef OTPRING_X86
#include "kernel/sha_ni.h"
#endif

static void match_by(kernel_steps_function *steps, const struct kernel_match *match)
{
    uint32_t truncated[64];
    for (size_t i = 0; match->prefetch && i < 2 * match->count; i++) __builtin_prefetch(match->prefetch[i], 1);
    for (size_t done = 0; done < match->count; done += 64) {
        size_t count = match->count - done < 64 ? match->count - done : 64;
        steps(match->midstates + done, match->counters + done, truncated, count);
        for (size_t i = 0; i < count; i++) {
            uint32_t differs = kernel_digits(truncated[i], match->digits[done + i]) ^ match->codes[done + i];
            match->ret_fits[done + i] = (uint8_t)(((uint64_t)differs - 1) >> 63);
        }
    }
}
#define MATCH(steps)                                                                                                   \
    static void steps##_match(const struct kernel_match *match)                                                        \
    {                                                                                                                  \
        match_by(steps, match);                                                                                        \
    }
MATCH(portable_sha1)
MATCH(portable_sha256)
MATCH(portable_sha512)
MATCH(sha_ni_sha1)
MATCH(sha_ni_sha256)

static const struct kernel portable = {
    .name = "portable",
    .steps = {portable_sha1, portable_sha256, portable_sha512},
    .match = {portable_sha1_match, portable_sha256_match, portable_sha512_match},
    .lanes = {1, 1, 1},
};

#ifdef OTPRING_X86
static const struct kernel sha_ni = {
    .name = "sha-ni",
    .steps = {sha_ni_sha1, sha_ni_sha256, portable_sha512},
    .match = {sha_ni_sha1_match, sha_ni_sha256_match, portable_sha512_match},
    .lanes = {SHA_NI_STREAMS, SHA_NI_STREAMS, 1},
};
#endif

enum { KERNELS_MAX = 8 };

#ifdef OTPRING_X86
/* Leaf 7, EBX bit 29. The SHA instructions work on SSE registers, whose saving every x86-64 system does. */
static bool cpu_has_sha(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __builtin_cpu_supports("sse4.1") &&
           __builtin_cpu_supports("ssse3");
}
#endif

static const struct kernel *kernels_here[KERNELS_MAX];
static size_t kernels_here_count;

static void kernels_find(void)
{
    kernels_here[kernels_here_count++] = &portable;
#ifdef OTPRING_X86
    if (cpu_has_sha()) kernels_here[kernels_here_count++] = &sha_ni;
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

/* Divisions by constants become multiplications, whose time does not depend on the value. */
uint32_t kernel_digits(uint32_t truncated, unsigned digits)
{
    uint32_t six = truncated % 1000000u;
    uint32_t seven = truncated % 10000000u;
    uint32_t eight = truncated % 100000000u;
    return digits == 6 ? six : digits == 7 ? seven : eight;
}
