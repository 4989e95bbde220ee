/* Google Benchmark for programs in C. Register before bench_run; one thread. */
#ifndef OTPRING_BENCH_SHIM_H
#define OTPRING_BENCH_SHIM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One pass over a batch. Reports items a second, and with it ns a step, for `items` steps a pass. */
void bench_register(const char *name, void (*pass)(void *argument), void *argument, size_t items);
/* A line of the report's head, such as which kernel is in use. */
void bench_context(const char *key, const char *value);
int bench_run(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
