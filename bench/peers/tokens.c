#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

struct token *tokens_read(const char *path, uint32_t *ret_count)
{
    FILE *file = fopen(path, "r");
    uint32_t count = 0, capacity = 1 << 16;
    struct token *tokens = malloc(capacity * sizeof *tokens);
    char hex[2 * TOKEN_SEED_SIZE + 1];
    if (!file || !tokens) {
        perror(path);
        exit(1);
    }
    /* user, hex, base32: a line a token */
    while (fscanf(file, "%15s %40s %*s", tokens[count].user, hex) == 2) {
        for (int i = 0; i < TOKEN_SEED_SIZE; i++) {
            unsigned byte;
            sscanf(hex + 2 * i, "%2x", &byte);
            tokens[count].seed[i] = (uint8_t)byte;
        }
        if (++count < capacity) continue;
        capacity *= 2;
        tokens = realloc(tokens, capacity * sizeof *tokens);
        if (!tokens) exit(1);
    }
    fclose(file);
    if (!count) {
        fprintf(stderr, "%s holds no tokens\n", path);
        exit(1);
    }
    *ret_count = count;
    return tokens;
}

double bench_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double bench_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
